/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BYTES_H
#define CW_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bounded reading and writing of big-endian fields, hex, wiping.
 *
 *	struct cw_rd r = cw_rd_init(buf, len);
 *	uint16_t a = cw_rd_u16(&r);
 *	const uint8_t *p = cw_rd_bytes(&r, 4);
 *	if (cw_rd_done(&r) < 0) ...      one check at the end is enough
 *
 * Both cursors have a sticky error: after the first access out of bounds all
 * further reads give 0 / NULL, all further writes do nothing.
 */
struct cw_rd {
	const uint8_t *buf;	/* borrowed while the cursor lives */
	size_t len;
	size_t off;
	bool bad;
};

struct cw_wr {
	uint8_t *buf;		/* borrowed */
	size_t cap;
	size_t len;		/* bytes written */
	bool bad;		/* something did not fit */
};

/* A cursor at the start of buf[len]; the numbers are big-endian. */
struct cw_rd cw_rd_init(const uint8_t *buf, size_t len);
uint8_t cw_rd_u8(struct cw_rd *r);
uint16_t cw_rd_u16(struct cw_rd *r);
uint32_t cw_rd_u32(struct cw_rd *r);
uint64_t cw_rd_u64(struct cw_rd *r);
/* Lends len bytes of the input; NULL when they are not there (len 0: non-NULL). */
const uint8_t *cw_rd_bytes(struct cw_rd *r, size_t len);
/* Copies len bytes to dst; dst is zeroed when they are not there. */
void cw_rd_copy(struct cw_rd *r, uint8_t *dst, size_t len);
/*
 * Text with a u8 length before it into dst[cap], zero to its end.
 * Bad if it does not fit with its NUL, or holds a NUL or a control character.
 */
void cw_rd_str8(struct cw_rd *r, char *dst, size_t cap);
/* Bytes not yet read. */
size_t cw_rd_left(const struct cw_rd *r);
/* 0 if everything was read and nothing beyond; CW_ESHORT; CW_EFORMAT if bytes are left. */
int cw_rd_done(const struct cw_rd *r);

/* A cursor at the start of buf[cap]; the numbers go out big-endian. */
struct cw_wr cw_wr_init(uint8_t *buf, size_t cap);
void cw_wr_u8(struct cw_wr *w, uint8_t v);
void cw_wr_u16(struct cw_wr *w, uint16_t v);
void cw_wr_u32(struct cw_wr *w, uint32_t v);
void cw_wr_u64(struct cw_wr *w, uint64_t v);
/* buf may be NULL when len is 0. */
void cw_wr_bytes(struct cw_wr *w, const uint8_t *buf, size_t len);
/* Text of at most 255 bytes with a u8 length before it. */
void cw_wr_str8(struct cw_wr *w, const char *text);
/* Bytes written, or CW_EFULL. */
int cw_wr_done(const struct cw_wr *w);

/* Zeroes memory so that the compiler cannot leave it out. */
void cw_wipe(void *p, size_t len);

/* Compare in time that depends on len only. True if equal. */
bool cw_equal_ct(const void *a, const void *b, size_t len);

/* Lower-case hex of len bytes into out[2 * len + 1], NUL-terminated. */
void cw_hex(char *out, const uint8_t *buf, size_t len);

/*
 * Hex text (upper or lower case, no blanks) of text_len characters into out.
 * Returns bytes written; CW_EFORMAT on an odd length or a non-hex character;
 * CW_EFULL if cap is too small.
 */
int cw_unhex(uint8_t *out, size_t cap, const char *text, size_t text_len);

#endif
