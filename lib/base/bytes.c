/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"

struct cw_rd
cw_rd_init(const uint8_t *buf, size_t len)
{
	struct cw_rd r = { .buf = buf, .len = len };

	return r;
}

const uint8_t *
cw_rd_bytes(struct cw_rd *r, size_t len)
{
	static const uint8_t nothing[1];
	const uint8_t *p;

	if (r->bad || len > r->len - r->off) {
		r->bad = true;
		return NULL;
	}

	/* An empty input may be lent as NULL: adding to it is not defined. */
	if (len == 0)
		return nothing;
	p = r->buf + r->off;
	r->off += len;
	return p;
}

/* Big-endian number of len <= 8 bytes. */
static uint64_t
rd_be(struct cw_rd *r, size_t len)
{
	const uint8_t *p = cw_rd_bytes(r, len);
	uint64_t v = 0;
	size_t i;

	if (p == NULL)
		return 0;
	for (i = 0; i < len; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
cw_rd_u8(struct cw_rd *r)
{
	return (uint8_t)rd_be(r, 1);
}

uint16_t
cw_rd_u16(struct cw_rd *r)
{
	return (uint16_t)rd_be(r, 2);
}

uint32_t
cw_rd_u32(struct cw_rd *r)
{
	return (uint32_t)rd_be(r, 4);
}

uint64_t
cw_rd_u64(struct cw_rd *r)
{
	return rd_be(r, 8);
}

void
cw_rd_copy(struct cw_rd *r, uint8_t *dst, size_t len)
{
	const uint8_t *p;

	if (len == 0)
		return;
	p = cw_rd_bytes(r, len);
	if (p == NULL)
		memset(dst, 0, len);
	else
		memcpy(dst, p, len);
}

/* Text that can be printed and compared as a C string: no NUL, no controls. */
static bool
is_text(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

void
cw_rd_str8(struct cw_rd *r, char *dst, size_t cap)
{
	size_t len = cw_rd_u8(r);
	const uint8_t *p = cw_rd_bytes(r, len);

	/* All of it: what lay there before may have been a record. */
	CW_ASSERT(cap > 0);
	memset(dst, 0, cap);
	if (p == NULL)
		return;
	if (len >= cap || !is_text(p, len)) {
		r->bad = true;
		return;
	}
	memcpy(dst, p, len);
}

size_t
cw_rd_left(const struct cw_rd *r)
{
	return r->bad ? 0 : r->len - r->off;
}

int
cw_rd_done(const struct cw_rd *r)
{
	if (r->bad)
		return CW_ESHORT;
	return r->off == r->len ? 0 : CW_EFORMAT;
}

struct cw_wr
cw_wr_init(uint8_t *buf, size_t cap)
{
	struct cw_wr w = { .buf = buf, .cap = cap };

	return w;
}

void
cw_wr_bytes(struct cw_wr *w, const uint8_t *buf, size_t len)
{
	if (w->bad || len > w->cap - w->len) {
		w->bad = true;
		return;
	}
	if (len == 0)
		return;
	memcpy(w->buf + w->len, buf, len);
	w->len += len;
}

/* The low len <= 8 bytes of v, big-endian. */
static void
wr_be(struct cw_wr *w, uint64_t v, size_t len)
{
	uint8_t be[8];
	size_t i;

	for (i = len; i-- > 0; v >>= 8)
		be[i] = (uint8_t)v;
	cw_wr_bytes(w, be, len);
}

void
cw_wr_u8(struct cw_wr *w, uint8_t v)
{
	wr_be(w, v, 1);
}

void
cw_wr_u16(struct cw_wr *w, uint16_t v)
{
	wr_be(w, v, 2);
}

void
cw_wr_u32(struct cw_wr *w, uint32_t v)
{
	wr_be(w, v, 4);
}

void
cw_wr_u64(struct cw_wr *w, uint64_t v)
{
	wr_be(w, v, 8);
}

void
cw_wr_str8(struct cw_wr *w, const char *text)
{
	size_t len = strlen(text);

	/* Length and text go together or not at all. */
	if (len > 255 || w->bad || len + 1 > w->cap - w->len) {
		w->bad = true;
		return;
	}
	cw_wr_u8(w, (uint8_t)len);
	cw_wr_bytes(w, (const uint8_t *)text, len);
}

int
cw_wr_done(const struct cw_wr *w)
{
	return w->bad ? CW_EFULL : (int)w->len;
}

void
cw_wipe(void *p, size_t len)
{
	/* A zeroing that nobody reads would be removed as a dead store, so
	 * the barrier makes the compiler believe that somebody does. */
	if (len > 0)
		memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

bool
cw_equal_ct(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	unsigned int diff = 0;
	size_t i;

	for (i = 0; i < len; i++)
		diff |= (unsigned int)(x[i] ^ y[i]);
	return diff == 0;
}

void
cw_hex(char *out, const uint8_t *buf, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		out[2 * i] = digits[buf[i] >> 4];
		out[2 * i + 1] = digits[buf[i] & 15];
	}
	out[2 * len] = '\0';
}

/* Value of a hex digit, or -1. */
static int
unhex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
cw_unhex(uint8_t *out, size_t cap, const char *text, size_t text_len)
{
	size_t i;

	if (text_len % 2 != 0)
		return CW_EFORMAT;
	if (text_len / 2 > cap)
		return CW_EFULL;
	for (i = 0; i < text_len / 2; i++) {
		int hi = unhex_digit(text[2 * i]);
		int lo = unhex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return CW_EFORMAT;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return (int)(text_len / 2);
}
