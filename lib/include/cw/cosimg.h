/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_COSIMG_H
#define CW_COSIMG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * COS image: raw binary, Intel HEX (records 00 to 05), Motorola S-record (S0 to
 * S9), read in a stream into one contiguous buffer.
 *
 *	cw_cosimg_init(&c, CW_COS_AUTO, buf, cap);
 *	while (more) if ((err = cw_cosimg_feed(&c, chunk, n)) < 0) ...c.line
 *	err = cw_cosimg_end(&c);
 *	image: buf[0..c.len), to be loaded at c.base
 *
 * Gaps between records are filled with FF.  Errors: CW_EFORMAT (not a record,
 * bad hex), CW_ECRC (record checksum), CW_EOVERLAP, CW_ETOOBIG (span above
 * cap), CW_ESHORT (no end record, empty), each with c.line (1-based; 0 for raw).
 */
#define CW_COS_MAX (1024u * 1024u)	/* the reader's store */

enum cw_cos_format { CW_COS_AUTO, CW_COS_RAW, CW_COS_HEX, CW_COS_SREC };

struct cw_cosimg {
	enum cw_cos_format format;
	uint8_t *buf;		/* borrowed; holds bytes at (address - base) */
	uint8_t *used;		/* borrowed, optional: cap / 8 bytes bitmap for overlap; NULL = inside buf's tail is not checked */
	size_t cap;
	size_t len;		/* highest address + 1 - base */
	uint32_t base;		/* lowest address; 0 for raw unless set */
	uint32_t upper;		/* HEX: segment or linear base */
	uint32_t line;
	uint32_t rec_cnt;	/* data records */
	uint32_t entry;		/* start address record, 0 if none */
	bool has_base;
	bool ended;
	bool cr;
	char text[530];
	uint16_t text_len;
};

/* used: (cap + 7) / 8 zeroable bytes, borrowed. */
void cw_cosimg_init(struct cw_cosimg *c, enum cw_cos_format format,
    uint8_t *buf, size_t cap, uint8_t *used);
int cw_cosimg_feed(struct cw_cosimg *c, const uint8_t *buf, size_t len);
int cw_cosimg_end(struct cw_cosimg *c);

#endif
