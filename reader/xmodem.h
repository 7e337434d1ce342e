/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_XMODEM_H
#define CW_XMODEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Receiver of XMODEM with CRC, XMODEM-1K and YMODEM (C. Forsberg, "XMODEM/YMODEM
 * Protocol Reference", 1988).  Bytes in, one wish out; reads no clock.
 *
 *	cw_xmodem_init(&x, now_us);
 *	for (;;) {
 *		ev = cw_xmodem_step(&x, buf, len, &used, now_us);
 *		... send x.out[0..x.out_len), drop `used` bytes of buf ...
 *		DATA: take x.data[0..x.data_len), then cw_xmodem_taken(&x, ok)
 *	}
 *
 * The sender waits for our answer after every block, so that a receiver may
 * take its time over each.  Not for batches: one file is taken, a second one is
 * answered with a cancel.
 */
#define CW_XMODEM_BLOCK 1024
#define CW_XMODEM_ERRORS_MAX 10	/* in a row */

enum cw_xmodem_event {
	CW_XM_WAIT,		/* call again with more bytes, or at due_us */
	CW_XM_DATA,		/* a block is in data[] */
	CW_XM_DONE,		/* the file is whole */
	CW_XM_CANCELLED,	/* by the sender */
	CW_XM_FAILED,		/* silence or noise beyond the limit; the sender was told */
};

enum cw_xmodem_state {
	CW_XM_ST_START,		/* saying C */
	CW_XM_ST_BLOCK,		/* between blocks */
	CW_XM_ST_TAKING,	/* the caller has a block */
	CW_XM_ST_END,		/* YMODEM: after the file, one empty block 0 to come */
	CW_XM_ST_OVER,
};

/* The caller's.  out and data are valid until the next step. */
struct cw_xmodem {
	uint8_t out[4];
	size_t out_len;
	const uint8_t *data;
	size_t data_len;	/* YMODEM: without the filler behind the file's end */
	uint64_t due_us;	/* when to step without bytes */

	enum cw_xmodem_state state;
	bool ymodem;		/* a block 0 has come */
	bool sized;		/* with a length */
	uint32_t left;		/* bytes of the file to come, if sized */
	uint8_t seq;		/* block expected next */
	uint8_t errors;		/* in a row */
	uint8_t cans;		/* cancels in a row */
	bool first;		/* nothing was received yet */
	bool eot;		/* one EOT was refused, as YMODEM wants it */
	uint16_t have;		/* bytes of the block under way */
	uint64_t byte_us;	/* when the last byte came */
	uint8_t blk[3 + CW_XMODEM_BLOCK + 2];
};

/* Asks for the first block in the step that follows. */
void cw_xmodem_init(struct cw_xmodem *x, uint64_t now_us);

/* Takes some of buf; *used tells how many. */
enum cw_xmodem_event cw_xmodem_step(struct cw_xmodem *x, const uint8_t *buf,
    size_t len, size_t *used, uint64_t now_us);

/* After DATA. ok false: cancels the transfer; FAILED follows. */
void cw_xmodem_taken(struct cw_xmodem *x, bool ok, uint64_t now_us);

#endif
