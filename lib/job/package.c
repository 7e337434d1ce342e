/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/package.h"

#define MARK_LEN 8
#define COS_ADDR_LEN 4	/* load address before the image */

static const uint8_t pkg_mark[MARK_LEN] = {
	'C', 'W', 'P', 'K', 'G', 0x0d, 0x0a, 0x1a,
};

/* Kind and numbers must tell the same story. */
static bool
numbers_ok(const struct cw_pkg *p)
{
	switch (p->kind) {
	case CW_PKG_COS:
		return p->order > 0 && p->record == 0 && p->epoch == 0 &&
		    p->payload_len > COS_ADDR_LEN;
	case CW_PKG_PERSONAL:
		return p->order > 0 && p->record > 0 && p->epoch > 0 &&
		    p->payload_len > 0;
	case CW_PKG_UNKNOWN:
	default:
		return false;
	}
}

int
cw_pkg_parse(struct cw_pkg *p, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);
	uint8_t digest[CW_SHA256_LEN];
	const uint8_t *mark = cw_rd_bytes(&r, MARK_LEN);
	uint8_t version;
	uint16_t reserved;

	memset(p, 0, sizeof *p);
	if (mark == NULL || memcmp(mark, pkg_mark, MARK_LEN) != 0)
		return CW_EFORMAT;
	version = cw_rd_u8(&r);
	if (r.bad)
		return CW_ESHORT;
	if (version != CW_PKG_VERSION)
		return CW_EVERSION;

	p->kind = (enum cw_pkg_kind)cw_rd_u8(&r);
	reserved = cw_rd_u16(&r);
	p->order = cw_rd_u64(&r);
	p->record = cw_rd_u64(&r);
	p->epoch = cw_rd_u32(&r);
	p->payload_len = cw_rd_u32(&r);
	cw_rd_copy(&r, p->digest, sizeof p->digest);
	p->payload = cw_rd_bytes(&r, p->payload_len);
	if (r.bad)
		return CW_ESHORT;
	if (reserved != 0 || cw_rd_left(&r) > 0 || !numbers_ok(p))
		return CW_EINVAL;

	cw_sha256(digest, p->payload, p->payload_len);
	return memcmp(digest, p->digest, sizeof digest) == 0 ? 0 : CW_EDIGEST;
}

size_t
cw_pkg_seal(uint8_t *buf, const struct cw_pkg *p)
{
	struct cw_wr w = cw_wr_init(buf, CW_PKG_HDR);
	uint8_t digest[CW_SHA256_LEN];

	cw_wr_bytes(&w, pkg_mark, MARK_LEN);
	cw_wr_u8(&w, CW_PKG_VERSION);
	cw_wr_u8(&w, (uint8_t)p->kind);
	cw_wr_u16(&w, 0);
	cw_wr_u64(&w, p->order);
	cw_wr_u64(&w, p->record);
	cw_wr_u32(&w, p->epoch);
	cw_wr_u32(&w, p->payload_len);
	cw_sha256(digest, buf + CW_PKG_HDR, p->payload_len);
	cw_wr_bytes(&w, digest, sizeof digest);
	return (size_t)CW_PKG_HDR + p->payload_len;
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static bool
same_name(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t i;

	if (a_len != b_len)
		return false;
	for (i = 0; i < a_len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

/* A field name: 1..31 printable ASCII characters. */
static bool
name_ok(const uint8_t *name, size_t len)
{
	size_t i;

	if (len == 0 || len > CW_PKG_NAME_MAX)
		return false;
	for (i = 0; i < len; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return false;
	return true;
}

/* A field as it lies in the payload. */
struct span {
	const uint8_t *name, *value;
	uint8_t name_len;
	uint16_t value_len;
};

static bool
next_span(struct cw_rd *r, struct span *s)
{
	s->name_len = cw_rd_u8(r);
	s->name = cw_rd_bytes(r, s->name_len);
	s->value_len = cw_rd_u16(r);
	s->value = cw_rd_bytes(r, s->value_len);
	return !r->bad;
}

/* The field of this name among the first cnt, into s. */
static bool
find_span(struct span *s, struct cw_rd r, uint16_t cnt, const struct span *like)
{
	uint16_t i;

	for (i = 0; i < cnt && next_span(&r, s); i++)
		if (same_name(s->name, s->name_len, like->name, like->name_len))
			return true;
	return false;
}

int
cw_record_check(const uint8_t *payload, size_t len)
{
	struct cw_rd r = cw_rd_init(payload, len);
	uint16_t cnt = cw_rd_u16(&r);
	struct cw_rd first = r;
	struct span s, twin;
	uint16_t i;
	int err;

	if (!r.bad && cnt > CW_PKG_FIELDS_MAX)
		return CW_ETOOBIG;
	for (i = 0; i < cnt; i++) {
		if (!next_span(&r, &s))
			return CW_ESHORT;
		if (s.value_len > CW_PKG_VALUE_MAX)
			return CW_ETOOBIG;
		if (!name_ok(s.name, s.name_len) ||
		    find_span(&twin, first, i, &s))
			return CW_EFORMAT;
	}
	err = cw_rd_done(&r);
	if (err < 0)
		return err;
	return cnt > 0 ? cnt : CW_EFORMAT;
}

static void
fill_field(struct cw_field *f, const struct span *s)
{
	memcpy(f->name, s->name, s->name_len);
	f->name[s->name_len] = '\0';
	f->value = s->value;
	f->value_len = s->value_len;
}

int
cw_record_field(struct cw_field *f, const uint8_t *payload, size_t len,
    unsigned int idx)
{
	struct cw_rd r = cw_rd_init(payload, len);
	uint16_t cnt = cw_rd_u16(&r);
	struct span s;
	unsigned int i;

	if (idx >= cnt)
		return CW_ENOENT;
	for (i = 0; i <= idx; i++)
		if (!next_span(&r, &s) || s.name_len > CW_PKG_NAME_MAX)
			return CW_ENOENT;
	fill_field(f, &s);
	return 0;
}

int
cw_record_find(struct cw_field *f, const uint8_t *payload, size_t len,
    const char *name)
{
	struct cw_rd r = cw_rd_init(payload, len);
	uint16_t cnt = cw_rd_u16(&r);
	struct span s;
	struct span like = { .name = (const uint8_t *)name };
	size_t name_len = strlen(name);

	if (name_len == 0 || name_len > CW_PKG_NAME_MAX)
		return CW_ENOENT;
	like.name_len = (uint8_t)name_len;
	if (!find_span(&s, r, cnt, &like))
		return CW_ENOENT;
	fill_field(f, &s);
	return 0;
}

int
cw_record_add(uint8_t *buf, size_t cap, size_t *len, const char *name,
    const uint8_t *value, size_t value_len)
{
	size_t name_len = strlen(name);
	struct cw_wr w = cw_wr_init(buf, cap);
	struct cw_field twin;
	uint16_t cnt = 0;

	if (!name_ok((const uint8_t *)name, name_len))
		return CW_EINVAL;
	if (value_len > CW_PKG_VALUE_MAX)
		return CW_ETOOBIG;
	if (*len > 0) {
		struct cw_rd r = cw_rd_init(buf, *len);

		cnt = cw_rd_u16(&r);
		if (cnt >= CW_PKG_FIELDS_MAX)
			return CW_ETOOBIG;
		if (cw_record_find(&twin, buf, *len, name) == 0)
			return CW_EINVAL;
	}

	/* The field first, the count last: a field that does not fit leaves
	 * the payload as it was. */
	w.len = *len > 2 ? *len : 2;
	w.bad = w.len > cap;
	cw_wr_u8(&w, (uint8_t)name_len);
	cw_wr_bytes(&w, (const uint8_t *)name, name_len);
	cw_wr_u16(&w, (uint16_t)value_len);
	cw_wr_bytes(&w, value, value_len);
	if (cw_wr_done(&w) < 0)
		return CW_EFULL;
	*len = w.len;
	cnt++;
	buf[0] = (uint8_t)(cnt >> 8);
	buf[1] = (uint8_t)cnt;
	return 0;
}
