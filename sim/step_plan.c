/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/sha256.h"
#include "sim/step_priv.h"

/*
 * What a seed draws.  Swarm: each kind of fault is off in about a third of the
 * seeds, and its rate varies by a factor of ten, so that rare combinations get
 * seeds of their own and are not drowned by the frequent ones.
 */
struct rate {
	uint64_t every_us;	/* usual mean time; 0: not by time */
	uint32_t ppm;		/* usual chance at an occasion */
};

static const struct rate rates[CW_SF_CNT] = {
	[CW_SF_TERM_KILL] = { 25 * STEP_SEC, 0 },
	[CW_SF_TERM_KILL_AT] = { 0, 3000 },
	[CW_SF_PLAT_KILL] = { 30 * STEP_SEC, 0 },
	[CW_SF_PLAT_RESTORE] = { 40 * STEP_SEC, 0 },
	[CW_SF_READER_KILL] = { 20 * STEP_SEC, 0 },
	[CW_SF_DEV_KILL] = { 40 * STEP_SEC, 0 },
	[CW_SF_PLINK_CUT] = { 15 * STEP_SEC, 0 },
	[CW_SF_PLINK_PART] = { 40 * STEP_SEC, 0 },
	[CW_SF_PLINK_LOSS] = { 0, 30000 },
	[CW_SF_PLINK_DUP] = { 0, 30000 },
	[CW_SF_PLINK_REORDER] = { 0, 50000 },
	[CW_SF_PLINK_LATE] = { 0, 20000 },
	[CW_SF_RLINK_CUT] = { 12 * STEP_SEC, 0 },
	[CW_SF_RLINK_PART] = { 25 * STEP_SEC, 0 },
	[CW_SF_MODBUS_CUT] = { 25 * STEP_SEC, 0 },
	[CW_SF_DISK_TORN] = { 0, 700000 },
	[CW_SF_DISK_FULL] = { 60 * STEP_SEC, 0 },
	[CW_SF_DISK_EIO] = { 90 * STEP_SEC, 0 },
	[CW_SF_DISK_CRASH] = { 0, 50000 },
	[CW_SF_STORE_EIO] = { 30 * STEP_SEC, 0 },
	[CW_SF_BLANK] = { 0, 60000 },
	[CW_SF_JAM] = { 0, 500000 },
	[CW_SF_HOPPER] = { 0, 300000 },
	[CW_SF_REFUSE] = { 0, 5000 },
	[CW_SF_PAUSE] = { 40 * STEP_SEC, 0 },
	[CW_SF_CANCEL] = { 0, 100000 },
	[CW_SF_REMAKE] = { 30 * STEP_SEC, 0 },
	[CW_SF_REWRITE] = { 15 * STEP_SEC, 0 },
	[CW_SF_INTRUDER] = { 30 * STEP_SEC, 0 },
};

static void
draw_faults(struct cw_step *s)
{
	struct step_plan *p = &s->plan;

	for (unsigned int i = 0; i < CW_SF_CNT; i++) {
		bool off = cw_step_below(s, 3) == 0;
		uint64_t level = cw_step_between(s, 3, 30);	/* tenths */

		if (off || s->cfg.no_faults)
			continue;
		p->every_us[i] = rates[i].every_us * 10 / level;
		p->ppm[i] = (uint32_t)(rates[i].ppm * level / 10);
		if (p->ppm[i] > 900000)
			p->ppm[i] = 900000;
	}
	p->power = p->ppm[CW_SF_DISK_TORN] > 0;
	if (cw_step_fault(s, CW_SF_JAM))
		p->jam_every = (uint32_t)cw_step_between(s, 15, 60);
	if (cw_step_fault(s, CW_SF_HOPPER))
		p->hopper = (uint32_t)cw_step_between(s, 5, 60);
}

/* A mutant's run makes the faults frequent that its rule guards against. */
static void
draw_mutant(struct cw_step *s)
{
	struct step_plan *p = &s->plan;

	switch (s->cfg.mutant) {
	case CW_STEP_EARLY_INTENT:
	case CW_STEP_EARLY_GOOD:
		p->ppm[CW_SF_TERM_KILL_AT] = 20000;
		p->ppm[CW_SF_DISK_TORN] = 900000;
		p->power = true;
		p->sync_us = 3 * STEP_SEC;
		break;
	case CW_STEP_TIMER:
		p->lines = p->lines < 2 ? 2 : p->lines;
		p->every_us[CW_SF_PLAT_KILL] = 10 * STEP_SEC;
		break;
	case CW_STEP_NO_FENCE:
		p->ppm[CW_SF_REFUSE] = 200000;
		p->every_us[CW_SF_TERM_KILL] = 6 * STEP_SEC;
		p->ppm[CW_SF_PLINK_LATE] = 300000;
		break;
	case CW_STEP_NO_HOLD:
		p->lines = p->lines < 2 ? 2 : p->lines;
		p->every_us[CW_SF_PLAT_RESTORE] = 8 * STEP_SEC;
		break;
	case CW_STEP_NONE:
	case CW_STEP_MUTANT_CNT:
	default:
		break;
	}
}

static void
draw_plant(struct cw_step *s)
{
	struct step_plan *p = &s->plan;

	p->lines = (unsigned int)cw_step_between(s, 1, 2 +
	    (cw_step_below(s, 4) == 0));
	p->readers = (unsigned int)cw_step_between(s, 1, STEP_READERS_MAX);
	p->slots = cw_step_below(s, 4) == 0 ? 2 : 1;
	p->stations = p->readers * p->slots;
	p->net_us = cw_step_between(s, 500, 30000);
	p->sync_us = cw_step_between(s, 1000, 30000);
	p->feed_us = cw_step_between(s, 50, 600) * STEP_MS;
	p->move_us = cw_step_between(s, 50, 400) * STEP_MS;
	p->chunky = cw_step_below(s, 3) == 0;
	p->lua = s->cfg.profile != NULL && cw_step_below(s, 8) == 0;
	p->no_prefetch = cw_step_below(s, 4) == 0;
	p->quarantine = cw_step_below(s, 3) == 0 ? 0xFFFF : 5;
	p->jam_clears = cw_step_below(s, 2) == 0;
	p->hopper = UINT32_MAX;
	p->write_us = (uint32_t)cw_step_between(s, 0, 4000);
	p->erase_us = (uint32_t)cw_step_between(s, 0, 20000);
	p->stop_us = 60 * STEP_SEC + s->cfg.cards * 2 * STEP_SEC;
	p->bound_us = 900 * STEP_SEC + s->cfg.cards * 20 * STEP_SEC;
}

static void
draw_order(struct cw_step *s, unsigned int o, uint32_t cnt)
{
	struct step_order *d = &s->order[o];

	d->cnt = cnt;
	d->has_data = o == 0 || cw_step_below(s, 4) != 0;
	d->line = cw_step_below(s, 4) == 0 ? (int)cw_step_below(s, s->plan.lines) : -1;
	d->bound_pct = d->has_data && cw_step_below(s, 4) == 0 ?
	    (uint16_t)cw_step_between(s, 10, 100) : 0;
	d->hold = cw_step_below(s, 3) == 0;
	d->remake_max = (uint16_t)cw_step_between(s, 1, 4);
	d->blank_max = (uint16_t)cw_step_between(s, 3, 12);
	d->at_us = o == 0 ? 100 * STEP_MS : cw_step_below(s, 60 * STEP_SEC);
	d->cos_len = (uint32_t)cw_step_between(s, 512, STEP_COS_MAX);
	for (uint32_t i = 0; i < d->cos_len; i++)
		d->cos[i] = (uint8_t)cw_step_rand(s);
	memcpy(d->cos, "CWCOS\0", 6);
	cw_sha256(d->digest, d->cos, d->cos_len);
}

void
cw_step_plan_draw(struct cw_step *s)
{
	uint32_t left = s->cfg.cards, cnt;

	draw_plant(s);
	draw_faults(s);
	draw_mutant(s);
	s->plan.order_cnt = (unsigned int)cw_step_between(s, 1, STEP_ORDERS_MAX);
	if (s->plan.order_cnt > left)
		s->plan.order_cnt = left;
	for (unsigned int o = 0; o < s->plan.order_cnt; o++) {
		cnt = o + 1 == s->plan.order_cnt ? left :
		    (uint32_t)cw_step_between(s, 1, left - (s->plan.order_cnt - o - 1));
		draw_order(s, o, cnt);
		left -= cnt;
	}
	cw_step_say(s, "stepper", "%u lines of %u readers x %u slots, %u orders, "
	    "%u cards%s%s", s->plan.lines, s->plan.readers, s->plan.slots,
	    s->plan.order_cnt, s->cfg.cards, s->plan.lua ? ", Lua profile" : "",
	    s->plan.chunky ? ", small pieces" : "");
	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		cw_step_say(s, "stepper", "order %u: %u records%s, line %d, %u %% "
		    "bound%s", o + 1, s->order[o].cnt, s->order[o].has_data ?
		    "" : " without data", s->order[o].line,
		    s->order[o].bound_pct, s->order[o].hold ? ", hold" : "");
}

/* ---- contents ------------------------------------------------------------ */

uint32_t
cw_step_addr(unsigned int line, unsigned int reader)
{
	return 0x7F000101u + 0x100u * line + reader;
}

void
cw_step_canary(const struct cw_step *s, uint8_t out[STEP_CANARY])
{
	struct cw_wr w = cw_wr_init(out, STEP_CANARY);

	cw_wr_bytes(&w, (const uint8_t *)"Ki\xA5\x5A", 4);
	cw_wr_u32(&w, (uint32_t)(s->cfg.seed * 2654435761u) ^ 0xC0FFEE01u);
}

void
cw_step_record_of(const struct cw_step *s, unsigned int o, uint32_t record,
    struct step_record *r)
{
	uint64_t mix = (s->cfg.seed * 31 + o) * UINT64_C(0x9E3779B97F4A7C15) +
	    record * UINT64_C(0xD1342543DE82EF95);
	struct cw_wr w = cw_wr_init(r->ki, sizeof r->ki);
	uint32_t a;

	/* 18 digits: no check digit; they tell order and record. */
	snprintf(r->iccid, sizeof r->iccid, "8949%02u%012u", o + 1, record);
	snprintf(r->imsi, sizeof r->imsi, "26201%02u%08u", o + 1, record);
	cw_step_canary(s, r->ki);
	w.len = STEP_CANARY;
	cw_wr_u32(&w, (uint32_t)(o << 24 | record));
	cw_wr_u32(&w, (uint32_t)(mix >> 32));
	cw_hex(r->ki_hex, r->ki, sizeof r->ki);

	r->addr = 0;
	r->addr_text[0] = '\0';
	if ((mix >> 8) % 100 >= s->order[o].bound_pct)
		return;
	a = cw_step_addr(s->order[o].line >= 0 ? (unsigned int)s->order[o].line :
	    (unsigned int)((mix >> 16) % s->plan.lines),
	    (unsigned int)((mix >> 24) % s->plan.readers));
	r->addr = a;
	snprintf(r->addr_text, sizeof r->addr_text, "%u.%u.%u.%u", a >> 24,
	    a >> 16 & 0xFF, a >> 8 & 0xFF, a & 0xFF);
}

void
cw_step_bcd(uint8_t *out, size_t len, const char *digits)
{
	size_t n = strlen(digits);

	for (size_t i = 0; i < len; i++) {
		uint8_t lo = 2 * i < n ? (uint8_t)(digits[2 * i] - '0') : 0xF;
		uint8_t hi = 2 * i + 1 < n ? (uint8_t)(digits[2 * i + 1] - '0') :
		    0xF;

		out[i] = (uint8_t)(hi << 4 | lo);
	}
}

void
cw_step_mark(uint8_t out[STEP_MARK_LEN], uint64_t order, uint64_t record,
    uint32_t epoch)
{
	struct cw_wr w = cw_wr_init(out, STEP_MARK_LEN);

	cw_wr_bytes(&w, (const uint8_t *)"CWMK", 4);
	cw_wr_u64(&w, order);
	cw_wr_u64(&w, record);
	cw_wr_u32(&w, epoch);
	memset(out + w.len, 0, STEP_MARK_LEN - w.len);
}
