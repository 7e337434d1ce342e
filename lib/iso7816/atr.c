/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/atr.h"
#include "cw/bytes.h"
#include "cw/err.h"

/* ISO/IEC 7816-3:2006, 8.2.3: Y in the high nibble of T0 and of each TDi */
#define Y_TA 0x10
#define Y_TB 0x20
#define Y_TC 0x40
#define Y_TD 0x80

#define TS_DIRECT 0x3b
#define TS_INVERSE 0x3f
#define TS_INVERSE_RAW 0x03	/* TS_INVERSE as the direct convention sees it */

/* What cw_atr_rx expects next. */
enum { RX_TS, RX_T0, RX_IFACE, RX_REST };

uint8_t
cw_atr_invert(uint8_t raw)
{
	unsigned int v = raw;

	/* Inverse: most significant bit first and low state for one (8.1);
	 * so swap the bit order and complement. */
	v = (v & 0xf0) >> 4 | (v & 0x0f) << 4;
	v = (v & 0xcc) >> 2 | (v & 0x33) << 2;
	v = (v & 0xaa) >> 1 | (v & 0x55) << 1;
	return (uint8_t)~v;
}

/* Number of bytes that a Y nibble announces. */
static uint8_t
y_cnt(uint8_t y)
{
	return (uint8_t)(((y & Y_TA) != 0) + ((y & Y_TB) != 0) +
	    ((y & Y_TC) != 0) + ((y & Y_TD) != 0));
}

void
cw_atr_rx_init(struct cw_atr_rx *rx)
{
	memset(rx, 0, sizeof *rx);
	rx->want = 2;
}

static int
rx_ts(struct cw_atr_rx *rx, uint8_t raw)
{
	if (raw == TS_DIRECT) {
		rx->convention = CW_DIRECT;
		rx->buf[0] = raw;
	} else if (raw == TS_INVERSE_RAW) {
		rx->convention = CW_INVERSE;
		rx->buf[0] = TS_INVERSE;
	} else {
		return CW_EFORMAT;
	}
	rx->len = 1;
	rx->state = RX_T0;
	return 1;
}

int
cw_atr_rx_push(struct cw_atr_rx *rx, uint8_t raw)
{
	uint8_t c;

	if (rx->state == RX_TS)
		return rx_ts(rx, raw);
	if (rx->len >= CW_ATR_MAX)
		return CW_ETOOBIG;
	c = rx->convention == CW_INVERSE ? cw_atr_invert(raw) : raw;
	rx->buf[rx->len++] = c;

	/* T0 and the last byte of each group with a TDi announce more. */
	if (rx->state == RX_T0) {
		rx->iface_left = y_cnt(c);
		rx->want = (uint8_t)(2 + (c & 0x0f) + rx->iface_left);
		rx->group_td = (c & Y_TD) != 0;
		rx->state = rx->iface_left > 0 ? RX_IFACE : RX_REST;
	} else if (rx->state == RX_IFACE && --rx->iface_left == 0) {
		if (rx->group_td) {
			rx->iface_left = y_cnt(c);
			rx->want = (uint8_t)(rx->want + rx->iface_left);
			rx->group_td = (c & Y_TD) != 0;

			/* TCK comes unless T=0 is the only one (8.2.5). */
			if ((c & 0x0f) != 0 && !rx->need_tck) {
				rx->need_tck = true;
				rx->want++;
			}
		}
		if (rx->iface_left == 0)
			rx->state = RX_REST;
	}

	if (rx->want > CW_ATR_MAX)
		return CW_ETOOBIG;
	return rx->len < rx->want ? 1 : 0;
}

/* Specific bytes of T=1 in the group i >= 3 (11.4.2 to 11.4.4). */
static void
take_t1(struct cw_atr *a, uint8_t y, const uint8_t v[3])
{
	if ((y & Y_TA) != 0 && v[0] != 0x00 && v[0] != 0xff)
		a->ifsc = v[0];
	if ((y & Y_TB) != 0 && v[1] >> 4 <= 9) {
		a->bwi = v[1] >> 4;
		a->cwi = v[1] & 0x0f;
	}
	if ((y & Y_TC) != 0)
		a->crc = (v[2] & 1) != 0;
}

/* TAi TBi TCi, as far as y announces them. */
struct group {
	unsigned int i;
	uint8_t y, v[3];
	uint8_t t;		/* i >= 3: protocol of the TD before */
};

/*
 * For i >= 3 a group belongs to its protocol, and only the first of a protocol
 * counts; seen has a bit for each protocol met so far (8.2.3, 8.3).
 */
static void
take_group(struct cw_atr *a, const struct group *g, uint16_t *seen)
{
	if (g->i == 1) {
		a->has_ta1 = (g->y & Y_TA) != 0;
		if (a->has_ta1)
			a->ta1 = g->v[0];
		if ((g->y & Y_TC) != 0)
			a->tc1 = g->v[2];
		return;
	}
	if (g->i == 2) {
		a->specific = (g->y & Y_TA) != 0;
		if (a->specific)
			a->ta2 = g->v[0];
		if ((g->y & Y_TC) != 0 && g->v[2] != 0)
			a->wi = g->v[2];
		return;
	}
	if ((*seen & 1u << g->t) != 0)
		return;
	*seen |= (uint16_t)(1u << g->t);
	if (g->t == 1)
		take_t1(a, g->y, g->v);
	if (g->t == 15 && (g->y & Y_TA) != 0) {
		a->has_t15 = true;
		a->ta15 = g->v[0];
	}
}

/* Interface bytes from T0's y on. Sets need_tck. 0 or CW_EFORMAT. */
static int
parse_iface(struct cw_atr *a, struct cw_rd *r, uint8_t y, bool *need_tck)
{
	uint16_t seen = 0;
	uint8_t t = 0;
	unsigned int i;

	/* Bounded: each round but the last reads a TD of 32 bytes at most. */
	for (i = 1; ; i++) {
		struct group g = { .i = i, .y = y, .t = t };
		uint8_t td;

		if ((y & Y_TA) != 0)
			g.v[0] = cw_rd_u8(r);
		if ((y & Y_TB) != 0)
			g.v[1] = cw_rd_u8(r);
		if ((y & Y_TC) != 0)
			g.v[2] = cw_rd_u8(r);
		take_group(a, &g, &seen);
		if ((y & Y_TD) == 0)
			break;

		td = cw_rd_u8(r);
		t = td & 0x0f;
		y = td & 0xf0;

		/* T=15 is no protocol and cannot be the first (8.2.3). */
		if (i == 1 && t == 15)
			return CW_EFORMAT;
		if (i == 1)
			a->first_t = t;
		if (t != 15)
			a->protocols |= (uint16_t)(1u << t);
		if (t != 0)
			*need_tck = true;
	}

	/* No TD1: T=0 only (8.2.3). */
	if (i == 1)
		a->protocols = 1;
	return 0;
}

int
cw_atr_parse(struct cw_atr *a, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);
	bool need_tck = false;
	uint8_t ts, t0, sum = 0;
	size_t i;
	int err;

	memset(a, 0, sizeof *a);
	a->ta1 = 0x11;
	a->wi = 10;
	a->ifsc = 32;
	a->bwi = 4;
	a->cwi = 13;

	if (len < 2)
		return CW_ESHORT;
	ts = cw_rd_u8(&r);
	if (ts != TS_DIRECT && ts != TS_INVERSE)
		return CW_EFORMAT;
	a->convention = ts == TS_INVERSE ? CW_INVERSE : CW_DIRECT;
	if (len > CW_ATR_MAX)
		return CW_EFORMAT;

	t0 = cw_rd_u8(&r);
	err = parse_iface(a, &r, t0 & 0xf0, &need_tck);
	if (err < 0)
		return err;
	a->hist_len = t0 & 0x0f;
	cw_rd_copy(&r, a->hist, a->hist_len);
	if (need_tck)
		cw_rd_u8(&r);
	err = cw_rd_done(&r);
	if (err < 0)
		return err;

	/* T0 to TCK xor to zero (8.2.5). */
	for (i = 1; i < len; i++)
		sum ^= buf[i];
	if (need_tck && sum != 0)
		return CW_ECRC;
	memcpy(a->raw, buf, len);
	a->raw_len = (uint8_t)len;
	return 0;
}
