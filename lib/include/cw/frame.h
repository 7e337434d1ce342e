/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_FRAME_H
#define CW_FRAME_H

#include <stddef.h>
#include <stdint.h>

/*
 * Framing of both links (reader link, platform link); bytes in
 * docs/spec/framing.md.  A 20-byte header, big-endian:
 *
 *	off len
 *	  0   2  magic 43 57 ("CW")
 *	  2   1  link version
 *	  3   1  message type
 *	  4   4  body length, 0 .. the link's limit
 *	  8   4  request id, chosen by the asker, echoed by the answer; 0 = event
 *	 12   4  CRC-32 of bytes 0..11
 *	 16   4  CRC-32 of the body XOR the header's CRC, so that header and
 *	         body of different frames cannot be joined
 *	 20      body
 */
#define CW_FRAME_HDR 20
#define CW_FRAME_MAGIC 0x4357

struct cw_frame {
	uint8_t version;
	uint8_t type;
	uint32_t id;
	const uint8_t *body;	/* borrows from the buffer given to peek; NULL
				 * unless peek returned > 0 */
	uint32_t body_len;
};

/*
 * Looks for one frame at the start of buf[len].
 *   return  > 0  total bytes of the frame; *f is filled
 *           0    more bytes are needed
 *           CW_EFORMAT magic, CW_ECRC header or body, CW_EVERSION other
 *           version than `version`, CW_ETOOBIG body above body_max:
 *           the connection must be closed
 * On CW_EVERSION the header's fields of *f are filled (its CRC was right), so
 * that the answer can name both versions.
 */
int cw_frame_peek(struct cw_frame *f, const uint8_t *buf, size_t len,
    uint8_t version, uint32_t body_max);

/*
 * Completes a frame whose body already stands at buf[CW_FRAME_HDR]; writes the
 * header before it.  Returns the total length.
 */
size_t cw_frame_seal(uint8_t *buf, uint8_t version, uint8_t type, uint32_t id,
    uint32_t body_len);

#endif
