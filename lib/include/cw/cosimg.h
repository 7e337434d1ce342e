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
 *	cw_cosimg_init(&c, CW_COS_AUTO, buf, cap, used);
 *	while (more) if ((err = cw_cosimg_feed(&c, chunk, n)) < 0) ...c.line
 *	err = cw_cosimg_end(&c);
 *	image: buf[0..c.len), to be loaded at c.base
 *
 * Records may come in any order; gaps are filled with FF.  Until cw_cosimg_end
 * has returned 0 the buffer is a ring and holds nothing of use.
 *
 * Lines end in LF, CR LF or CR; blank lines and blanks at a line's end are
 * skipped, and a 1A (end of file of old systems) after the end record.  Nothing
 * else may follow the end record.  CW_COS_AUTO takes for Intel HEX what begins
 * with ':', for S-records what begins with 'S' and a digit, blanks and a byte
 * order mark before them left aside; all else is raw.  A raw image that happens
 * to begin so must be named: it is refused rather than misread.
 *
 * Errors, sticky, each with c.line (1-based; 0 for raw):
 *	CW_EFORMAT	not a record, bad hex digit, unknown type, a record
 *			after the end record
 *	CW_ECRC		a record's check sum, or the count of S5 / S6
 *	CW_EOVERLAP	two records give the same address (also if the bytes
 *			are equal)
 *	CW_ETOOBIG	more than cap bytes from lowest to highest address
 *	CW_ERANGE	a record passes the end of its 64 KiB segment (after
 *			type 02) or of the 32-bit address space
 *	CW_ESHORT	no end record, or no data at all
 */
#define CW_COS_MAX (1024u * 1024u)	/* the reader's store */

enum cw_cos_format { CW_COS_AUTO, CW_COS_RAW, CW_COS_HEX, CW_COS_SREC };

/* Longest line: S-record, 2 + 2 * (1 + 255) characters; Intel HEX has 521. */
#define CW_COS_LINE_MAX 530

struct cw_cosimg {
	/* to be read after cw_cosimg_end */
	enum cw_cos_format format;	/* never AUTO then */
	size_t len;		/* highest address + 1 - base */
	uint32_t base;		/* lowest address; 0 for raw: the caller knows it */
	uint32_t line;		/* of the error, or the last read */
	uint32_t rec_cnt;	/* data records */
	uint32_t entry;		/* start address record, 0 if none */

	/* private */
	uint8_t *buf;		/* borrowed */
	uint8_t *used;		/* borrowed; one bit per byte of buf */
	size_t cap;
	uint32_t anchor;	/* address of buf[0] while a ring */
	uint32_t upper;		/* HEX: segment or linear base */
	int err;
	bool segment;		/* upper comes from type 02 */
	bool has_base;
	bool ended;
	bool cr;		/* the last character was a CR */
	char text[CW_COS_LINE_MAX];	/* the line under way */
	uint16_t text_len;
};

/*
 * buf: cap bytes (cap >= 1), used: (cap + 7) / 8 bytes, both borrowed until
 * cw_cosimg_end.  used NULL: overlaps are not looked for, and of two bytes for
 * one address the later stays.  buf NULL: only checks the text against cap and
 * keeps nothing.
 */
void cw_cosimg_init(struct cw_cosimg *c, enum cw_cos_format format,
    uint8_t *buf, size_t cap, uint8_t *used);
/* Takes len bytes. 0 or an error from the list above. */
int cw_cosimg_feed(struct cw_cosimg *c, const uint8_t *buf, size_t len);
/* No more bytes will come: 0 and the image is in place, or an error. */
int cw_cosimg_end(struct cw_cosimg *c);

#endif
