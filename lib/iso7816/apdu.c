/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/apdu.h"
#include "cw/bytes.h"
#include "cw/err.h"

/* Short Le: 0 codes 256 (12.1.2). */
static uint32_t
short_le(uint8_t coded)
{
	return coded == 0 ? 256 : coded;
}

/* Extended Le: 0 codes 65536 (12.1.2). */
static uint32_t
extended_le(const uint8_t p[2])
{
	uint32_t le = (uint32_t)p[0] << 8 | p[1];

	return le == 0 ? 65536 : le;
}

/* body: the len >= 2 bytes after the header; body[0] != 0 (12.1.3). */
static int
parse_short(struct cw_apdu *a, const uint8_t *body, size_t len)
{
	a->lc = body[0];
	a->data = body + 1;
	if (len == 1 + (size_t)a->lc) {
		a->kind = CW_APDU_3S;
		return 0;
	}
	if (len == 2 + (size_t)a->lc) {
		a->kind = CW_APDU_4S;
		a->le = short_le(body[len - 1]);
		return 0;
	}
	return CW_EFORMAT;
}

/* body: the len >= 2 bytes after the header; body[0] == 0 (12.1.3). */
static int
parse_extended(struct cw_apdu *a, const uint8_t *body, size_t len)
{
	if (len < 3)
		return CW_EFORMAT;
	if (len == 3) {
		a->kind = CW_APDU_2E;
		a->le = extended_le(body + 1);
		return 0;
	}
	a->lc = (uint32_t)body[1] << 8 | body[2];
	a->data = body + 3;
	if (a->lc == 0)
		return CW_EFORMAT;
	if (len == 3 + (size_t)a->lc) {
		a->kind = CW_APDU_3E;
		return 0;
	}
	if (len == 5 + (size_t)a->lc) {
		a->kind = CW_APDU_4E;
		a->le = extended_le(body + len - 2);
		return 0;
	}
	return CW_EFORMAT;
}

int
cw_apdu_parse(struct cw_apdu *a, const uint8_t *buf, size_t len)
{
	int err;

	memset(a, 0, sizeof *a);
	if (len < 4)
		return CW_ESHORT;
	a->cla = buf[0];
	a->ins = buf[1];
	a->p1 = buf[2];
	a->p2 = buf[3];

	if (len == 4) {
		a->kind = CW_APDU_1;
		return 0;
	}
	if (len == 5) {
		a->kind = CW_APDU_2S;
		a->le = short_le(buf[4]);
		return 0;
	}
	if (buf[4] != 0)
		err = parse_short(a, buf + 4, len - 4);
	else
		err = parse_extended(a, buf + 4, len - 4);

	/* Nobody is to follow a pointer and a length that did not add up. */
	if (err < 0) {
		a->data = NULL;
		a->lc = 0;
	}
	return err;
}

/* What the fields of each case may hold; 0 for a field that is absent. */
static const struct {
	uint32_t lc_max;
	uint32_t le_max;
} case_limit[] = {
	[CW_APDU_1] = { 0, 0 },
	[CW_APDU_2S] = { 0, 256 },
	[CW_APDU_3S] = { 255, 0 },
	[CW_APDU_4S] = { 255, 256 },
	[CW_APDU_2E] = { 0, 65536 },
	[CW_APDU_3E] = { 65535, 0 },
	[CW_APDU_4E] = { 65535, 65536 },
};

/* A present field is 1..max, an absent one is 0. */
static bool
field_ok(uint32_t value, uint32_t max)
{
	return value <= max && (value > 0) == (max > 0);
}

int
cw_apdu_build(const struct cw_apdu *a, uint8_t *out, size_t cap)
{
	struct cw_wr w = cw_wr_init(out, cap);
	bool extended;

	if ((unsigned int)a->kind > CW_APDU_4E)
		return CW_EINVAL;
	if (!field_ok(a->lc, case_limit[a->kind].lc_max) ||
	    !field_ok(a->le, case_limit[a->kind].le_max) ||
	    (a->lc > 0 && a->data == NULL))
		return CW_EINVAL;
	extended = a->kind >= CW_APDU_2E;

	cw_wr_u8(&w, a->cla);
	cw_wr_u8(&w, a->ins);
	cw_wr_u8(&w, a->p1);
	cw_wr_u8(&w, a->p2);

	/* One zero byte, once, marks the extended form (12.1.3). */
	if (extended)
		cw_wr_u8(&w, 0);
	if (a->lc > 0 && extended)
		cw_wr_u16(&w, (uint16_t)a->lc);
	else if (a->lc > 0)
		cw_wr_u8(&w, (uint8_t)a->lc);
	cw_wr_bytes(&w, a->data, a->lc);

	/* The cast drops the top bit of 256 and 65536: both are coded zero. */
	if (a->le > 0 && extended)
		cw_wr_u16(&w, (uint16_t)a->le);
	else if (a->le > 0)
		cw_wr_u8(&w, (uint8_t)a->le);
	return cw_wr_done(&w);
}
