/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/cosimg.h"
#include "cw/err.h"

#define FILL 0xff		/* erased flash */
#define DOS_EOF 0x1a
#define SEGMENT_LEN 0x10000u
#define REC_MAX 260		/* decoded record: count, address, type, data, sum */
#define PEEK_MAX 64		/* blanks before AUTO gives up on a text */

static const char bom[] = { '\xef', '\xbb', '\xbf' };

void
cw_cosimg_init(struct cw_cosimg *c, enum cw_cos_format format,
    uint8_t *buf, size_t cap, uint8_t *used)
{
	memset(c, 0, sizeof *c);
	c->format = format;
	c->buf = buf;
	c->cap = cap;
	c->used = buf == NULL ? NULL : used;
	c->line = format == CW_COS_RAW ? 0 : 1;
	if (buf != NULL)
		memset(buf, FILL, cap);
	if (c->used != NULL)
		memset(used, 0, (cap + 7) / 8);
}

/*
 * The buffer as a ring: the first record's address stands at buf[0], lower
 * addresses count backward from the end.  As the span never exceeds cap, no two
 * addresses meet, and records in falling order cost no more than in rising.
 */
static size_t
ring_idx(const struct cw_cosimg *c, uint32_t addr)
{
	return addr >= c->anchor ? addr - c->anchor :
	    c->cap - (c->anchor - addr);
}

/* Widens [base, base + len) by the record; CW_ETOOBIG if that is too much. */
static int
widen(struct cw_cosimg *c, uint32_t addr, size_t n)
{
	uint64_t lo = addr, hi = (uint64_t)addr + n;

	if (!c->has_base) {
		c->has_base = true;
		c->anchor = addr;
	} else {
		if (c->base < lo)
			lo = c->base;
		if ((uint64_t)c->base + c->len > hi)
			hi = (uint64_t)c->base + c->len;
	}
	if (hi - lo > c->cap)
		return CW_ETOOBIG;
	c->base = (uint32_t)lo;
	c->len = (size_t)(hi - lo);
	return 0;
}

/* Marks one byte as given; false if it was already. */
static bool
mark(struct cw_cosimg *c, size_t idx)
{
	uint8_t bit = (uint8_t)(1u << idx % 8);

	if (c->used == NULL)
		return true;
	if (c->used[idx / 8] & bit)
		return false;
	c->used[idx / 8] |= bit;
	return true;
}

static int
put_record(struct cw_cosimg *c, uint64_t addr, const uint8_t *data, size_t n)
{
	size_t i;
	int err;

	c->rec_cnt++;
	if (addr + n > (uint64_t)1 << 32)
		return CW_ERANGE;
	if (n == 0)
		return 0;
	err = widen(c, (uint32_t)addr, n);
	if (err < 0 || c->buf == NULL)
		return err;
	for (i = 0; i < n; i++) {
		size_t idx = ring_idx(c, (uint32_t)(addr + i));

		if (!mark(c, idx))
			return CW_EOVERLAP;
		c->buf[idx] = data[i];
	}
	return 0;
}

/*
 * Intel HEX: count, address (2), type, data, check sum; all bytes add up to 0.
 */
static int
hex_data(struct cw_cosimg *c, uint16_t off, const uint8_t *data, size_t n)
{
	if (c->segment && off + n > SEGMENT_LEN)
		return CW_ERANGE;
	return put_record(c, (uint64_t)c->upper + off, data, n);
}

static int
hex_record(struct cw_cosimg *c, const uint8_t *rec, size_t len)
{
	struct cw_rd r = cw_rd_init(rec, len);
	size_t n = cw_rd_u8(&r);
	uint16_t off = cw_rd_u16(&r);
	uint8_t type = cw_rd_u8(&r);
	const uint8_t *data = cw_rd_bytes(&r, n);
	uint8_t sum = 0;
	size_t i;

	cw_rd_u8(&r);
	if (cw_rd_done(&r) < 0)
		return CW_EFORMAT;
	for (i = 0; i < len; i++)
		sum = (uint8_t)(sum + rec[i]);
	if (sum != 0)
		return CW_ECRC;

	r = cw_rd_init(data, n);
	switch (type << 8 | (int)n) {
	case 0x0100:
		c->ended = true;
		return 0;
	case 0x0202:
		c->upper = (uint32_t)cw_rd_u16(&r) << 4;
		c->segment = true;
		return 0;
	case 0x0304:
		c->entry = (uint32_t)cw_rd_u16(&r) << 4;
		c->entry += cw_rd_u16(&r);
		return 0;
	case 0x0402:
		c->upper = (uint32_t)cw_rd_u16(&r) << 16;
		c->segment = false;
		return 0;
	case 0x0504:
		c->entry = cw_rd_u32(&r);
		return 0;
	default:
		return type == 0 ? hex_data(c, off, data, n) : CW_EFORMAT;
	}
}

/*
 * S-record: count (of what follows), address of 2 to 4 bytes, data, check sum;
 * all bytes add up to FF.
 */
static int
srec_body(struct cw_cosimg *c, char type, uint32_t addr, struct cw_rd *r)
{
	size_t n = cw_rd_left(r);
	const uint8_t *data = cw_rd_bytes(r, n);

	switch (type) {
	case '0':
		return 0;
	case '1':
	case '2':
	case '3':
		return put_record(c, addr, data, n);
	case '5':
	case '6':
		if (n > 0)
			return CW_EFORMAT;
		return addr == c->rec_cnt ? 0 : CW_ECRC;
	default:
		if (n > 0)
			return CW_EFORMAT;
		c->entry = addr;
		c->ended = true;
		return 0;
	}
}

static int
srec_record(struct cw_cosimg *c, char type, const uint8_t *rec, size_t len)
{
	/* Address bytes of S0 to S9; S4 is reserved. */
	static const uint8_t addr_len[] = { 2, 2, 3, 4, 0, 2, 3, 4, 3, 2 };
	uint8_t n = addr_len[type - '0'];
	struct cw_rd r;
	uint32_t addr = 0;
	uint8_t sum = 0;
	size_t i;

	if (n == 0 || len < 2u + n || rec[0] != len - 1)
		return CW_EFORMAT;
	for (i = 0; i < len; i++)
		sum = (uint8_t)(sum + rec[i]);
	if (sum != 0xff)
		return CW_ECRC;

	r = cw_rd_init(rec + 1, len - 2);
	for (i = 0; i < n; i++)
		addr = addr << 8 | cw_rd_u8(&r);
	return srec_body(c, type, addr, &r);
}

/* One line without its end. */
static int
take_line(struct cw_cosimg *c)
{
	uint8_t rec[REC_MAX];
	const char *text = c->text;
	size_t len = c->text_len;
	size_t mark_len = c->format == CW_COS_HEX ? 1 : 2;
	int n;

	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (c->line == 1 && len >= sizeof bom &&
	    memcmp(text, bom, sizeof bom) == 0) {
		text += sizeof bom;
		len -= sizeof bom;
	}
	while (c->ended && len > 0 && text[0] == DOS_EOF) {
		text++;
		len--;
	}
	if (len == 0)
		return 0;
	if (c->ended || len < mark_len)
		return CW_EFORMAT;

	n = cw_unhex(rec, sizeof rec, text + mark_len, len - mark_len);
	if (n < 0)
		return CW_EFORMAT;
	if (c->format == CW_COS_HEX)
		return text[0] == ':' ? hex_record(c, rec, (size_t)n) :
		    CW_EFORMAT;
	if (text[0] != 'S' || text[1] < '0' || text[1] > '9')
		return CW_EFORMAT;
	return srec_record(c, text[1], rec, (size_t)n);
}

static int
end_line(struct cw_cosimg *c)
{
	int err = take_line(c);

	c->text_len = 0;
	if (err == 0)
		c->line++;
	return err;
}

static int
take_char(struct cw_cosimg *c, char ch)
{
	bool after_cr = c->cr;

	c->cr = ch == '\r';
	if (ch == '\n' && after_cr)
		return 0;
	if (ch == '\n' || ch == '\r')
		return end_line(c);
	if (c->text_len == sizeof c->text)
		return CW_EFORMAT;
	c->text[c->text_len++] = ch;
	return 0;
}

static int
feed_text(struct cw_cosimg *c, const uint8_t *buf, size_t len)
{
	size_t i;
	int err;

	for (i = 0; i < len; i++) {
		err = take_char(c, (char)buf[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

static int
feed_raw(struct cw_cosimg *c, const uint8_t *buf, size_t len)
{
	c->line = 0;
	if (len > c->cap - c->len)
		return CW_ETOOBIG;
	if (c->buf != NULL && len > 0)
		memcpy(c->buf + c->len, buf, len);
	c->len += len;
	return 0;
}

/* The format that the bytes in c->text show, AUTO while they do not tell. */
static enum cw_cos_format
detect(const struct cw_cosimg *c, bool whole)
{
	size_t i = 0;

	if (c->text_len < sizeof bom && !whole &&
	    memcmp(c->text, bom, c->text_len) == 0)
		return CW_COS_AUTO;
	if (c->text_len >= sizeof bom && memcmp(c->text, bom, sizeof bom) == 0)
		i = sizeof bom;
	while (i < c->text_len && (c->text[i] == ' ' || c->text[i] == '\t' ||
	    c->text[i] == '\r' || c->text[i] == '\n'))
		i++;
	if (i == c->text_len)
		return whole || i >= PEEK_MAX ? CW_COS_RAW : CW_COS_AUTO;
	if (c->text[i] == ':')
		return CW_COS_HEX;
	if (c->text[i] != 'S')
		return CW_COS_RAW;
	if (i + 1 == c->text_len)
		return whole ? CW_COS_RAW : CW_COS_AUTO;
	return c->text[i + 1] >= '0' && c->text[i + 1] <= '9' ? CW_COS_SREC :
	    CW_COS_RAW;
}

/* Gives what detection held back (blanks, and S with the character after it)
 * to the format's own reader. */
static int
release(struct cw_cosimg *c)
{
	uint8_t held[PEEK_MAX + 2];
	size_t len = c->text_len;

	memcpy(held, c->text, len);
	c->text_len = 0;
	return c->format == CW_COS_RAW ? feed_raw(c, held, len) :
	    feed_text(c, held, len);
}

int
cw_cosimg_feed(struct cw_cosimg *c, const uint8_t *buf, size_t len)
{
	size_t i = 0;

	if (c->err < 0)
		return c->err;
	while (c->format == CW_COS_AUTO && i < len) {
		c->text[c->text_len++] = (char)buf[i++];
		c->format = detect(c, false);
		if (c->format != CW_COS_AUTO)
			c->err = release(c);
	}
	if (c->err == 0 && c->format == CW_COS_RAW)
		c->err = feed_raw(c, buf + i, len - i);
	else if (c->err == 0 && c->format != CW_COS_AUTO)
		c->err = feed_text(c, buf + i, len - i);
	return c->err;
}

static void
reverse(uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len / 2; i++) {
		uint8_t t = buf[i];

		buf[i] = buf[len - 1 - i];
		buf[len - 1 - i] = t;
	}
}

/* Turns the ring so that the lowest address stands at buf[0]. */
static void
unroll(struct cw_cosimg *c)
{
	size_t first = ring_idx(c, c->base);

	if (first == 0)
		return;
	reverse(c->buf, first);
	reverse(c->buf + first, c->cap - first);
	reverse(c->buf, c->cap);
}

static int
end_text(struct cw_cosimg *c)
{
	int err = 0;

	/* The last line may lack its end; if it has it, nothing is under way. */
	if (c->text_len > 0)
		err = take_line(c);
	else if (c->line > 1)
		c->line--;
	if (err < 0)
		return err;
	if (!c->ended || c->len == 0)
		return CW_ESHORT;
	if (c->buf != NULL)
		unroll(c);
	return 0;
}

int
cw_cosimg_end(struct cw_cosimg *c)
{
	if (c->err == 0 && c->format == CW_COS_AUTO) {
		c->format = detect(c, true);
		c->err = release(c);
	}
	if (c->err < 0)
		return c->err;
	if (c->format == CW_COS_RAW)
		c->err = c->len > 0 ? 0 : CW_ESHORT;
	else
		c->err = end_text(c);
	return c->err;
}
