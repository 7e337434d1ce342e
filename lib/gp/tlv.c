/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/tlv.h"

/* The tag at the cursor, or 0 when 5.2.2.1 knows no such. */
static uint32_t
read_tag(struct cw_rd *r, uint8_t first)
{
	uint32_t tag = first;
	uint8_t b;
	int i;

	if ((first & 0x1F) != 0x1F)
		return tag;
	for (i = 0; i < 2; i++) {
		b = cw_rd_u8(r);
		if (i == 0 && (b & 0x7F) == 0)
			return 0;
		tag = tag << 8 | b;
		if ((b & 0x80) == 0)
			return tag;
	}
	return 0;
}

/* The length at the cursor, or SIZE_MAX. */
static size_t
read_len(struct cw_rd *r)
{
	uint8_t b = cw_rd_u8(r);
	size_t len = 0;
	int i;

	if (b < 0x80)
		return b;
	if (b == 0x80 || b > 0x83)
		return SIZE_MAX;
	for (i = 0; i < (b & 0x7F); i++)
		len = len << 8 | cw_rd_u8(r);
	return len;
}

int
cw_tlv_next(struct cw_rd *r, struct cw_tlv *t)
{
	uint8_t first = 0;

	memset(t, 0, sizeof *t);
	while (first == 0) {
		if (r->bad)
			return CW_ESHORT;
		if (cw_rd_left(r) == 0)
			return 0;
		first = cw_rd_u8(r);
	}
	t->constructed = (first & 0x20) != 0;
	t->tag = read_tag(r, first);
	if (t->tag == 0)
		return r->bad ? CW_ESHORT : CW_EFORMAT;
	t->len = read_len(r);
	if (!r->bad && t->len == SIZE_MAX)
		return CW_EFORMAT;
	t->val = cw_rd_bytes(r, t->len);
	return t->val == NULL ? CW_ESHORT : 1;
}

int
cw_tlv_find(const uint8_t *buf, size_t len, uint32_t tag, struct cw_tlv *t)
{
	struct cw_rd r = cw_rd_init(buf, len);
	int got;

	while ((got = cw_tlv_next(&r, t)) > 0)
		if (t->tag == tag)
			return 0;
	return got == 0 ? CW_ENOENT : got;
}

void
cw_tlv_walk_init(struct cw_tlv_walk *w, const uint8_t *buf, size_t len)
{
	w->level[0] = cw_rd_init(buf, len);
	w->depth = 1;
}

int
cw_tlv_walk_next(struct cw_tlv_walk *w, struct cw_tlv *t, uint8_t *depth)
{
	int got;

	for (;;) {
		*depth = (uint8_t)(w->depth - 1);
		got = cw_tlv_next(&w->level[w->depth - 1], t);
		if (got != 0)
			break;
		if (w->depth == 1)
			return 0;
		w->depth--;
	}
	if (got < 0 || !t->constructed || t->len == 0)
		return got;
	if (w->depth == CW_TLV_DEPTH_MAX)
		return CW_ELIMIT;
	w->level[w->depth++] = cw_rd_init(t->val, t->len);
	return 1;
}

static void
write_tag(struct cw_wr *w, uint32_t tag)
{
	if (tag == 0 || tag > 0xFFFFFF)
		w->bad = true;
	if (tag > 0xFFFF)
		cw_wr_u8(w, (uint8_t)(tag >> 16));
	if (tag > 0xFF)
		cw_wr_u8(w, (uint8_t)(tag >> 8));
	cw_wr_u8(w, (uint8_t)tag);
}

void
cw_tlv_head(struct cw_wr *w, uint32_t tag, size_t len)
{
	write_tag(w, tag);
	if (len > 0xFFFFFF) {
		w->bad = true;
	} else if (len > 0xFFFF) {
		cw_wr_u8(w, 0x83);
		cw_wr_u8(w, (uint8_t)(len >> 16));
		cw_wr_u16(w, (uint16_t)len);
	} else if (len > 0xFF) {
		cw_wr_u8(w, 0x82);
		cw_wr_u16(w, (uint16_t)len);
	} else {
		if (len > 0x7F)
			cw_wr_u8(w, 0x81);
		cw_wr_u8(w, (uint8_t)len);
	}
}

void
cw_tlv_put(struct cw_wr *w, uint32_t tag, const uint8_t *val, size_t len)
{
	cw_tlv_head(w, tag, len);
	cw_wr_bytes(w, val, len);
}

void
cw_tlv_build_init(struct cw_tlv_build *b, uint8_t *buf, size_t cap)
{
	b->wr = cw_wr_init(buf, cap);
	b->depth = 0;
}

void
cw_tlv_build_open(struct cw_tlv_build *b, uint32_t tag)
{
	if (b->depth == CW_TLV_DEPTH_MAX) {
		b->wr.bad = true;
		return;
	}
	write_tag(&b->wr, tag);
	b->start[b->depth++] = b->wr.len;
}

void
cw_tlv_build_close(struct cw_tlv_build *b)
{
	uint8_t head[4];
	struct cw_wr h = cw_wr_init(head, sizeof head);
	size_t start, len;

	if (b->depth == 0) {
		b->wr.bad = true;
		return;
	}
	start = b->start[--b->depth];
	if (b->wr.bad)
		return;
	len = b->wr.len - start;

	/* The length is known only now: what it heads makes room for it. */
	cw_tlv_head(&h, 0x01, len);
	if (len > 0xFFFF || h.len - 1 > b->wr.cap - b->wr.len) {
		b->wr.bad = true;
		return;
	}
	memmove(b->wr.buf + start + h.len - 1, b->wr.buf + start, len);
	memcpy(b->wr.buf + start, head + 1, h.len - 1);
	b->wr.len += h.len - 1;
}

int
cw_tlv_build_done(const struct cw_tlv_build *b)
{
	if (b->depth != 0)
		return CW_ESTATE;
	return cw_wr_done(&b->wr);
}
