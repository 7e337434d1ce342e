/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/program.h"

#define PROG_HDR 4
#define STEP_HDR 4
#define CNT_OFF 2	/* of the number of steps in the header */

/* The builder of reader programs; program.c holds decoder and checker. */

static void
fail(struct cw_prog_builder *b, int err)
{
	if (b->err == 0)
		b->err = err;
	b->bad = true;
}

void
cw_prog_start(struct cw_prog_builder *b, uint8_t *buf, size_t cap)
{
	struct cw_wr w = cw_wr_init(buf, cap);

	memset(b, 0, sizeof *b);
	b->buf = buf;
	b->cap = cap;
	cw_wr_u8(&w, 0x50);
	cw_wr_u8(&w, CW_PROG_VERSION);
	cw_wr_u16(&w, 0);
	if (cw_wr_done(&w) < 0)
		fail(b, CW_EFULL);
	else
		b->len = PROG_HDR;
}

/* A cursor over what is left of the buffer, behind the new step's header. */
static struct cw_wr
step_begin(const struct cw_prog_builder *b, enum cw_prog_op op, uint8_t flags)
{
	struct cw_wr w = cw_wr_init(b->buf + b->len, b->cap - b->len);

	w.bad = b->bad;
	cw_wr_u8(&w, (uint8_t)op);
	cw_wr_u8(&w, flags);
	cw_wr_u16(&w, 0);
	return w;
}

/* Takes the step that w has written into the program. */
static void
step_end(struct cw_prog_builder *b, const struct cw_wr *w)
{
	size_t body_len;

	if (b->bad)
		return;
	if (w->bad) {
		fail(b, b->cap < CW_PROG_MAX ? CW_EFULL : CW_ETOOBIG);
		return;
	}
	if (b->cnt == CW_PROG_STEPS_MAX || b->len + w->len > CW_PROG_MAX) {
		fail(b, CW_ETOOBIG);
		return;
	}
	body_len = w->len - STEP_HDR;
	w->buf[2] = (uint8_t)(body_len >> 8);
	w->buf[3] = (uint8_t)body_len;
	b->len += w->len;
	b->cnt++;
	b->buf[CNT_OFF] = (uint8_t)(b->cnt >> 8);
	b->buf[CNT_OFF + 1] = (uint8_t)b->cnt;
}

static void
put_patterns(struct cw_wr *w, const struct cw_prog_sw *sw, uint8_t cnt)
{
	uint8_t i;

	cw_wr_u8(w, cnt);
	for (i = 0; i < cnt; i++) {
		cw_wr_u16(w, sw[i].sw & sw[i].mask);
		cw_wr_u16(w, sw[i].mask);
	}
}

void
cw_prog_reset(struct cw_prog_builder *b, bool warm, const uint8_t *mask,
    const uint8_t *value, uint8_t n)
{
	struct cw_wr w = step_begin(b, CW_OP_RESET, 0);
	uint8_t i;

	cw_wr_u8(&w, warm);
	cw_wr_u8(&w, n);
	cw_wr_bytes(&w, mask, n);
	for (i = 0; i < n; i++)
		cw_wr_u8(&w, value[i] & mask[i]);
	step_end(b, &w);
}

void
cw_prog_pps(struct cw_prog_builder *b, uint8_t ta1_max)
{
	struct cw_wr w = step_begin(b, CW_OP_PPS, 0);

	cw_wr_u8(&w, ta1_max);
	step_end(b, &w);
}

void
cw_prog_apdu(struct cw_prog_builder *b, uint8_t flags,
    const struct cw_prog_sw *sw, uint8_t sw_cnt, const uint8_t *apdu,
    size_t len)
{
	struct cw_wr w = step_begin(b, CW_OP_APDU, flags);

	put_patterns(&w, sw, sw_cnt);
	cw_wr_bytes(&w, apdu, len);
	step_end(b, &w);
}

void
cw_prog_load(struct cw_prog_builder *b, uint8_t flags,
    const struct cw_prog_load *l, const struct cw_prog_sw *sw, uint8_t sw_cnt)
{
	struct cw_wr w = step_begin(b, CW_OP_LOAD, flags);

	cw_wr_u8(&w, l->cla);
	cw_wr_u8(&w, l->ins);
	cw_wr_u8(&w, l->p1);
	cw_wr_u8(&w, l->p2);
	cw_wr_u8(&w, l->addr);
	cw_wr_u8(&w, l->check);
	cw_wr_u8(&w, l->block_len);
	cw_wr_u8(&w, l->flags);
	cw_wr_u32(&w, l->base);
	cw_wr_u32(&w, l->unit);
	cw_wr_u32(&w, l->off);
	cw_wr_u32(&w, l->len);
	cw_wr_bytes(&w, l->digest, sizeof l->digest);
	cw_wr_u16(&w, 0);
	cw_wr_u8(&w, 0);
	put_patterns(&w, sw, sw_cnt);
	step_end(b, &w);
}

void
cw_prog_capture(struct cw_prog_builder *b, uint8_t id, uint16_t off,
    uint16_t len)
{
	struct cw_wr w = step_begin(b, CW_OP_CAPTURE, 0);

	cw_wr_u8(&w, id);
	cw_wr_u16(&w, off);
	cw_wr_u16(&w, len);
	step_end(b, &w);
}

void
cw_prog_compare(struct cw_prog_builder *b, uint8_t flags, uint16_t off,
    const uint8_t *value, const uint8_t *mask, uint16_t n)
{
	struct cw_wr w = step_begin(b, CW_OP_COMPARE, flags);
	uint16_t i;

	cw_wr_u16(&w, off);
	cw_wr_u16(&w, n);
	cw_wr_bytes(&w, value, n);
	for (i = 0; i < n; i++)
		cw_wr_u8(&w, mask == NULL ? 0xff : mask[i]);
	step_end(b, &w);
}

void
cw_prog_simple(struct cw_prog_builder *b, enum cw_prog_op op)
{
	struct cw_wr w = step_begin(b, op, 0);

	if (op != CW_OP_ASK && op != CW_OP_POWER_OFF)
		fail(b, CW_EINVAL);
	step_end(b, &w);
}

void
cw_prog_delay(struct cw_prog_builder *b, uint32_t us)
{
	struct cw_wr w = step_begin(b, CW_OP_DELAY, 0);

	cw_wr_u32(&w, us);
	step_end(b, &w);
}

int
cw_prog_end(struct cw_prog_builder *b)
{
	/* One judge for all: what is built here is what a reader will check. */
	if (!b->bad && cw_prog_check(b->buf, b->len, NULL) < 0)
		fail(b, CW_EINVAL);
	return b->bad ? b->err : (int)b->len;
}
