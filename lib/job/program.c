/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/apdu.h"
#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "cw/pps.h"
#include "cw/program.h"

#define PROG_MARK 0x50
#define PROG_HDR 4
#define STEP_HDR 4
#define STEP_FLAGS (CW_STEP_SECRET | CW_STEP_PERSONAL | CW_STEP_NEEDS_COS | \
	CW_STEP_BOOT | CW_STEP_ANY_SW)
#define ATR_MAX 33
#define ADDRESS_SPACE ((uint64_t)1 << 32)

/*
 * Decoding a step and checking it are one thing: whatever decode() accepts is
 * fit to run, so the checker and the iterator cannot disagree.
 */

/* CLA FF is PPS, INS 6X and 9X are SW1 on the line: ISO/IEC 7816-3:2006, 10.3.2. */
static bool
header_ok(uint8_t cla, uint8_t ins)
{
	return cla != 0xff && (ins & 0xf0) != 0x60 && (ins & 0xf0) != 0x90;
}

/* u8 n, n * (u16 sw, u16 mask). */
static bool
get_patterns(struct cw_rd *r, struct cw_prog_step *st)
{
	uint8_t i;

	st->sw_cnt = cw_rd_u8(r);
	if (st->sw_cnt > CW_PROG_SW_MAX)
		return false;
	for (i = 0; i < st->sw_cnt; i++) {
		st->sw[i].sw = cw_rd_u16(r);
		st->sw[i].mask = cw_rd_u16(r);

		/* Such a pattern could match nothing. */
		if ((st->sw[i].sw & ~st->sw[i].mask) != 0)
			return false;
	}
	return true;
}

static bool
get_reset(struct cw_rd *r, struct cw_prog_step *st)
{
	uint8_t i;

	st->u.reset.warm = cw_rd_u8(r);
	st->u.reset.n = cw_rd_u8(r);
	if (st->u.reset.warm > 1 || st->u.reset.n > ATR_MAX)
		return false;
	st->u.reset.mask = cw_rd_bytes(r, st->u.reset.n);
	st->u.reset.value = cw_rd_bytes(r, st->u.reset.n);
	if (r->bad)
		return false;
	for (i = 0; i < st->u.reset.n; i++)
		if ((st->u.reset.value[i] & ~st->u.reset.mask[i]) != 0)
			return false;
	return true;
}

static bool
get_pps(struct cw_rd *r, struct cw_prog_step *st)
{
	uint16_t fi;
	uint32_t fmax_hz;
	uint8_t di;

	st->u.pps.ta1_max = cw_rd_u8(r);
	return st->u.pps.ta1_max == 0 ||
	    cw_pps_fidi(st->u.pps.ta1_max, &fi, &fmax_hz, &di) == 0;
}

static bool
get_apdu(struct cw_rd *r, struct cw_prog_step *st)
{
	struct cw_apdu a;
	size_t len;

	if (!get_patterns(r, st))
		return false;
	len = cw_rd_left(r);
	st->u.apdu.len = (uint16_t)len;
	st->u.apdu.buf = cw_rd_bytes(r, len);
	return st->u.apdu.buf != NULL &&
	    cw_apdu_parse(&a, st->u.apdu.buf, len) == 0 &&
	    header_ok(a.cla, a.ins);
}

static uint8_t
addr_len(const struct cw_prog_load *l)
{
	if (l->addr == CW_LOAD_DATA_32)
		return 4;
	return l->addr == CW_LOAD_DATA_24 ? 3 : 0;
}

static uint8_t
check_len(const struct cw_prog_load *l)
{
	static const uint8_t len[] = {
		[CW_LOAD_CHECK_NONE] = 0, [CW_LOAD_CHECK_CRC16] = 2,
		[CW_LOAD_CHECK_CRC32] = 4, [CW_LOAD_CHECK_XOR] = 1,
	};

	return len[l->check];
}

/* All block addresses fit where the template puts them. */
static bool
load_addr_ok(const struct cw_prog_load *l)
{
	uint64_t end = (uint64_t)l->base + l->len;
	uint64_t last_block = cw_prog_load_cnt(l) - 1;
	uint32_t p1p2_max = l->flags & CW_LOAD_MARK_LAST ? 0x7fff : 0xffff;

	if (l->addr != CW_LOAD_P1P2_OFFSET && l->unit > 1)
		return false;
	switch (l->addr) {
	case CW_LOAD_P1P2_INDEX:
		return last_block <= p1p2_max;
	case CW_LOAD_P1P2_OFFSET:
		return l->unit > 0 && l->base % l->unit == 0 &&
		    l->block_len % l->unit == 0 &&
		    (l->base + last_block * l->block_len) / l->unit <= p1p2_max;
	case CW_LOAD_DATA_24:
		return end <= (uint32_t)1 << 24;
	default:
		return end <= ADDRESS_SPACE;
	}
}

static bool
load_ok(const struct cw_prog_load *l)
{
	return header_ok(l->cla, l->ins) && l->addr <= CW_LOAD_DATA_24 &&
	    l->check <= CW_LOAD_CHECK_XOR &&
	    (l->flags & ~CW_LOAD_MARK_LAST) == 0 && l->block_len >= 1 &&
	    l->block_len + addr_len(l) + check_len(l) <= 255 && l->len >= 1 &&
	    (uint64_t)l->off + l->len <= ADDRESS_SPACE && load_addr_ok(l);
}

static bool
get_load(struct cw_rd *r, struct cw_prog_step *st)
{
	struct cw_prog_load *l = &st->u.load;
	uint32_t reserved;

	l->cla = cw_rd_u8(r);
	l->ins = cw_rd_u8(r);
	l->p1 = cw_rd_u8(r);
	l->p2 = cw_rd_u8(r);
	l->addr = cw_rd_u8(r);
	l->check = cw_rd_u8(r);
	l->block_len = cw_rd_u8(r);
	l->flags = cw_rd_u8(r);
	l->base = cw_rd_u32(r);
	l->unit = cw_rd_u32(r);
	l->off = cw_rd_u32(r);
	l->len = cw_rd_u32(r);
	cw_rd_copy(r, l->digest, sizeof l->digest);
	reserved = cw_rd_u16(r);
	reserved |= cw_rd_u8(r);
	return get_patterns(r, st) && !r->bad && reserved == 0 && load_ok(l);
}

static bool
get_capture(struct cw_rd *r, struct cw_prog_step *st)
{
	st->u.capture.id = cw_rd_u8(r);
	st->u.capture.off = cw_rd_u16(r);
	st->u.capture.len = cw_rd_u16(r);
	return st->u.capture.len <= CW_PROG_CAPTURE_BYTES;
}

static bool
get_compare(struct cw_rd *r, struct cw_prog_step *st)
{
	st->u.compare.off = cw_rd_u16(r);
	st->u.compare.n = cw_rd_u16(r);
	st->u.compare.value = cw_rd_bytes(r, st->u.compare.n);
	st->u.compare.mask = cw_rd_bytes(r, st->u.compare.n);
	return st->u.compare.n > 0;
}

static bool
get_delay(struct cw_rd *r, struct cw_prog_step *st)
{
	st->u.delay.us = cw_rd_u32(r);
	return st->u.delay.us <= CW_PROG_DELAY_MAX_US;
}

/* ASK and POWER_OFF have no body. */
static bool
get_nothing(struct cw_rd *r, struct cw_prog_step *st)
{
	(void)r;
	(void)st;
	return true;
}

static bool (*const body_of[])(struct cw_rd *r, struct cw_prog_step *st) = {
	[CW_OP_RESET] = get_reset,
	[CW_OP_PPS] = get_pps,
	[CW_OP_APDU] = get_apdu,
	[CW_OP_LOAD] = get_load,
	[CW_OP_CAPTURE] = get_capture,
	[CW_OP_COMPARE] = get_compare,
	[CW_OP_ASK] = get_nothing,
	[CW_OP_DELAY] = get_delay,
	[CW_OP_POWER_OFF] = get_nothing,
};

/* Decodes the step under the cursor; its length, or 0 if it is not one. */
static size_t
decode(struct cw_prog_step *st, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);
	const uint8_t *body;
	struct cw_rd b;
	uint16_t body_len;

	memset(st, 0, sizeof *st);
	st->op = cw_rd_u8(&r);
	st->flags = cw_rd_u8(&r);
	body_len = cw_rd_u16(&r);
	body = cw_rd_bytes(&r, body_len);
	if (body == NULL || (st->flags & ~STEP_FLAGS) != 0 ||
	    st->op >= sizeof body_of / sizeof body_of[0] ||
	    body_of[st->op] == NULL)
		return 0;

	b = cw_rd_init(body, body_len);
	if (!body_of[st->op](&b, st) || cw_rd_done(&b) < 0)
		return 0;
	return (size_t)STEP_HDR + body_len;
}

/* What the captures of a program may be together. */
struct captures {
	uint8_t id[CW_PROG_CAPTURE_MAX];
	uint8_t cnt;
	size_t bytes;
};

static bool
has_id(const struct captures *c, uint8_t id)
{
	uint8_t i;

	for (i = 0; i < c->cnt; i++)
		if (c->id[i] == id)
			return true;
	return false;
}

static bool
note_capture(struct captures *c, const struct cw_prog_step *st)
{
	if (st->op != CW_OP_CAPTURE)
		return true;
	if (c->cnt == CW_PROG_CAPTURE_MAX ||
	    has_id(c, st->u.capture.id))
		return false;
	c->id[c->cnt++] = st->u.capture.id;
	c->bytes += st->u.capture.len;
	return c->bytes <= CW_PROG_CAPTURE_BYTES;
}

static int
check_header(const uint8_t *prog, size_t len, uint16_t *cnt)
{
	struct cw_rd r = cw_rd_init(prog, len);
	uint8_t mark = cw_rd_u8(&r);
	uint8_t version = cw_rd_u8(&r);

	*cnt = cw_rd_u16(&r);
	if (len > CW_PROG_MAX)
		return CW_ETOOBIG;
	if (len < PROG_HDR || mark != PROG_MARK)
		return CW_EFORMAT;
	if (version != CW_PROG_VERSION)
		return CW_EVERSION;
	if (*cnt > CW_PROG_STEPS_MAX)
		return CW_ETOOBIG;
	return *cnt > 0 ? 0 : CW_EFORMAT;
}

int
cw_prog_check(const uint8_t *prog, size_t len, uint16_t *bad_step)
{
	struct captures captures = { .cnt = 0 };
	struct cw_prog_step st;
	size_t off = PROG_HDR;
	uint16_t cnt, i, nobody;
	int err;

	if (bad_step == NULL)
		bad_step = &nobody;
	*bad_step = 0;
	err = check_header(prog, len, &cnt);
	if (err < 0)
		return err;

	for (i = 0; i < cnt; i++) {
		size_t n = decode(&st, prog + off, len - off);

		*bad_step = i;
		if (n == 0 || !note_capture(&captures, &st))
			return CW_EFORMAT;
		off += n;
	}
	*bad_step = cnt;
	if (off != len)
		return CW_EFORMAT;
	*bad_step = 0;
	return 0;
}

void
cw_prog_begin(struct cw_prog_iter *it, const uint8_t *prog, size_t len)
{
	int err = check_header(prog, len, &it->cnt);

	CW_ASSERT(err == 0);
	it->prog = prog;
	it->len = len;
	it->off = PROG_HDR;
	it->idx = 0;
}

int
cw_prog_next(struct cw_prog_iter *it, struct cw_prog_step *st)
{
	size_t n;

	if (it->idx == it->cnt)
		return 0;
	n = decode(st, it->prog + it->off, it->len - it->off);
	CW_ASSERT(n > 0);
	st->idx = it->idx++;
	it->off += n;
	return 1;
}

uint32_t
cw_prog_load_cnt(const struct cw_prog_load *l)
{
	return l->len == 0 ? 0 : (l->len - 1) / l->block_len + 1;
}

/* The check value over address and data bytes, appended to w. */
static void
put_check(struct cw_wr *w, uint8_t check, const uint8_t *buf, size_t len)
{
	uint8_t x = 0;
	size_t i;

	switch (check) {
	case CW_LOAD_CHECK_CRC16:
		cw_wr_u16(w, cw_crc16(0xffff, buf, len));
		break;
	case CW_LOAD_CHECK_CRC32:
		cw_wr_u32(w, cw_crc32(0, buf, len));
		break;
	case CW_LOAD_CHECK_XOR:
		for (i = 0; i < len; i++)
			x ^= buf[i];
		cw_wr_u8(w, x);
		break;
	default:
		break;
	}
}

int
cw_prog_load_block(const struct cw_prog_load *l, uint32_t n,
    const uint8_t *data, uint8_t *out, size_t cap)
{
	struct cw_wr w = cw_wr_init(out, cap);
	uint32_t cnt = cw_prog_load_cnt(l);
	size_t off = (size_t)n * l->block_len;
	uint32_t addr = l->base + (uint32_t)off;
	uint16_t p1p2 = (uint16_t)(l->p1 << 8 | l->p2);
	uint8_t len;

	if (n >= cnt)
		return CW_ERANGE;
	len = (uint8_t)(l->len - off < l->block_len ? l->len - off :
	    l->block_len);

	/* Header: the address goes to P1 P2 or, below, before the data. */
	if (l->addr == CW_LOAD_P1P2_INDEX)
		p1p2 = (uint16_t)n;
	else if (l->addr == CW_LOAD_P1P2_OFFSET)
		p1p2 = (uint16_t)(addr / l->unit);
	if ((l->flags & CW_LOAD_MARK_LAST) && n == cnt - 1)
		p1p2 |= 0x8000;
	cw_wr_u8(&w, l->cla);
	cw_wr_u8(&w, l->ins);
	cw_wr_u16(&w, p1p2);
	cw_wr_u8(&w, (uint8_t)(addr_len(l) + len + check_len(l)));

	if (l->addr == CW_LOAD_DATA_24) {
		cw_wr_u8(&w, (uint8_t)(addr >> 16));
		cw_wr_u16(&w, (uint16_t)addr);
	} else if (l->addr == CW_LOAD_DATA_32) {
		cw_wr_u32(&w, addr);
	}
	cw_wr_bytes(&w, data + off, len);
	if (!w.bad)
		put_check(&w, l->check, out + 5, w.len - 5);
	return cw_wr_done(&w);
}
