/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/pps.h"
#include "reader_private.h"

/* ISO/IEC 7816-3:2006, 8.1: first character 400..40 000 clocks after RST. */
#define ATR_WAIT_ETU ((40000 + 371) / 372)
/* 8.1 and 9.2: initial waiting time, 9 600 etu between characters. */
#define INITIAL_WAIT_ETU 9600
/* 6.2.2: RST stays low for 400 clocks at least. */
#define RST_LOW_CLK 400
/* 8.3: at reset F = 372, D = 1. */
#define ETU_CLK_RESET 372
#define GUARD_ETU_RESET 12
/* 10.2: with D = 64 the card has 16 etu before a command; DI 7 is D = 64. */
#define TURN_ETU_D64 16
#define DI_64 7

static uint64_t
line_us(const struct cw_reader_slot *s, uint64_t etu)
{
	return etu * s->etu_us_q16 >> 16;
}

static uint16_t
turn_etu(uint8_t ta1)
{
	return (ta1 & 0x0f) == DI_64 ? TURN_ETU_D64 : GUARD_ETU_RESET;
}

static void
chars_invert(uint8_t *out, const uint8_t *in, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = cw_atr_invert(in[i]);
}

void
cw_reader_line_stop(struct cw_reader *r, struct cw_reader_slot *s)
{
	if (s->op == CW_ROP_APDU)
		r->cfg.apdu->abort(r->cfg.dev, s->idx);
	else if (s->op == CW_ROP_SEND || s->op == CW_ROP_RECV ||
	    s->op == CW_ROP_TALK)
		r->cfg.card->abort(r->cfg.dev, s->idx);
	s->op = CW_ROP_NONE;
	s->due_us = UINT64_MAX;
}

int
cw_reader_line_send(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *buf, size_t len)
{
	int err;

	if (s->inverse) {
		if (len > sizeof s->chars)
			return CW_ETOOBIG;
		chars_invert(s->chars, buf, len);
		buf = s->chars;
	}
	err = r->cfg.card->send(r->cfg.dev, s->idx, buf, len);
	if (err < 0)
		return err;
	s->op = CW_ROP_SEND;
	s->due_us = r->now_us + CW_READER_GUARD_US +
	    line_us(s, len * s->line.guard_etu * (1 + CW_T0_REPEAT_MAX));
	return 0;
}

/* What comes after an answer that was foreseen is on its way already. */
int
cw_reader_line_talk(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_card_talk t;
	int err;

	if (s->op != CW_ROP_TALK) {
		memset(&t, 0, sizeof t);
		t.tx = s->out.tx;
		t.len = s->out.tx_len;
		t.cap = s->out.rx_max;
		t.wait_etu = s->out.wait_etu;
		if (s->inverse) {
			if (t.len > sizeof s->chars)
				return CW_ETOOBIG;
			chars_invert(s->chars, t.tx, t.len);
			t.tx = s->chars;
		}
		err = r->cfg.talk->talk(r->cfg.dev, s->idx, &t);
		if (err < 0)
			return err;
		s->op = CW_ROP_TALK;
	}
	s->due_us = r->now_us + CW_READER_GUARD_US +
	    line_us(s, s->out.tx_len * s->line.guard_etu * (1 + CW_T0_REPEAT_MAX) +
	    (uint64_t)s->out.wait_etu * s->out.rx_max);
	return 0;
}

int
cw_reader_line_recv(struct cw_reader *r, struct cw_reader_slot *s, size_t cap,
    uint32_t wait_etu)
{
	int err;

	if (cap > sizeof s->chars)
		cap = sizeof s->chars;
	err = r->cfg.card->recv(r->cfg.dev, s->idx, cap, wait_etu);
	if (err < 0)
		return err;
	s->op = CW_ROP_RECV;
	s->due_us = r->now_us + CW_READER_GUARD_US +
	    line_us(s, (uint64_t)wait_etu * cap);
	return 0;
}

uint32_t
cw_reader_line_wt(const struct cw_reader_slot *s)
{
	uint16_t fi;
	uint32_t fmax_hz, wi = s->atr.wi != 0 ? s->atr.wi : 10;
	uint8_t di;

	if (cw_pps_fidi(s->ta1, &fi, &fmax_hz, &di) < 0)
		di = 1;
	return wi * 960 * di;
}

static int
line_set(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_card_line *line)
{
	int err;

	err = r->cfg.card->set_line(r->cfg.dev, s->idx, line);
	if (err < 0)
		return err;
	s->line = *line;
	s->etu_us_q16 = ((uint64_t)line->f * 1000000u << 16) /
	    ((uint64_t)line->clk_hz * line->d);
	return 0;
}

/* ---- activation -------------------------------------------------------- */

static int
act_power(struct cw_reader *r, struct cw_reader_slot *s, bool on)
{
	int err;

	err = r->cfg.card->power(r->cfg.dev, s->idx, on ? r->cfg.vcc_mv : 0);
	if (err < 0)
		return err;
	s->powered = true;
	s->power_out++;
	s->act = on ? CW_ACT_ON : CW_ACT_OFF;
	s->op = CW_ROP_POWER;
	s->due_us = r->now_us + CW_READER_GUARD_US;
	return 0;
}

/* RST is low from here; the answer begins when it goes high. */
static int
act_rst(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_card_line line;
	int err;

	line.clk_hz = r->cfg.clk_hz;
	line.etu_clk = ETU_CLK_RESET;
	line.guard_etu = GUARD_ETU_RESET;
	line.convention = CW_DIRECT;
	line.turn_etu = GUARD_ETU_RESET;
	line.t1 = false;
	line.f = ETU_CLK_RESET;
	line.d = 1;
	err = line_set(r, s, &line);
	if (err < 0)
		return err;
	s->act = CW_ACT_RST;
	s->op = CW_ROP_TIMER;
	s->due_us = r->now_us +
	    RST_LOW_CLK * 1000000ull / r->cfg.clk_hz + 1;
	return 0;
}

static int
act_listen(struct cw_reader *r, struct cw_reader_slot *s)
{
	int err;

	err = r->cfg.card->reset(r->cfg.dev, s->idx, false);
	if (err < 0)
		return err;
	cw_atr_rx_init(&s->atr_rx);
	s->act = CW_ACT_ATR;
	return cw_reader_line_recv(r, s, 1, ATR_WAIT_ETU);
}

/* One try: warm if so asked and the card has power. */
static int
act_try(struct cw_reader *r, struct cw_reader_slot *s, bool warm)
{
	int err;

	s->atr.raw_len = 0;
	s->inverse = false;
	s->pps_done = false;
	s->protocol = CW_READER_NO_T;
	s->ta1 = 0x11;
	if (r->cfg.apdu != NULL)
		return cw_reader_apdu_on(r, s, warm);
	if (!s->powered)
		return act_power(r, s, true);
	if (!warm)
		return act_power(r, s, false);
	err = r->cfg.card->reset(r->cfg.dev, s->idx, true);
	return err < 0 ? err : act_rst(r, s);
}

static void
act_end(struct cw_reader *r, struct cw_reader_slot *s, enum cw_outcome outcome)
{
	if (!s->act_pps) {
		cw_reader_steps_activated(r, s, outcome);
		return;
	}
	/* The PPS step is done: the card is back, at the default speed. */
	s->act_pps = false;
	if (outcome != CW_OUT_GOOD && outcome != CW_OUT_REMOVED &&
	    outcome != CW_OUT_OVERCURRENT && outcome != CW_OUT_READER)
		outcome = CW_OUT_PPS_FAIL;
	cw_reader_engine_step_end(r, s, outcome);
}

static enum cw_outcome
act_outcome(int err)
{
	if (err == CW_EREMOVED)
		return CW_OUT_REMOVED;
	return CW_OUT_READER;
}

/* A mute or garbled card gets one more cold and then one warm reset. */
static void
act_fail(struct cw_reader *r, struct cw_reader_slot *s, enum cw_outcome outcome)
{
	int err;

	cw_reader_line_stop(r, s);
	while (s->act_try < 2 && outcome != CW_OUT_REMOVED &&
	    outcome != CW_OUT_OVERCURRENT) {
		s->act_try++;
		cw_reader_log(r, 2, "slot.reset-again", s,
		    s->act_try == 2 ? "warm" : "cold");
		err = act_try(r, s, s->act_try == 2);
		if (err >= 0)
			return;
		cw_reader_log(r, 1, "slot.reset-failed", s, cw_err_name(err));
		outcome = act_outcome(err);
	}
	act_end(r, s, outcome);
}

void
cw_reader_line_activate(struct cw_reader *r, struct cw_reader_slot *s,
    bool warm)
{
	int err;

	s->act_try = 0;
	cw_reader_slot_set(r, s, CW_SLOT_ACTIVATE);
	err = act_try(r, s, warm);
	if (err < 0)
		act_fail(r, s, act_outcome(err));
}

/*
 * T=0 or T=1: in specific mode TA2 says it, else the first offered is in force
 * without PPS (6.3.1), and one of ours that stands later can be had by PPS.
 */
static uint8_t
protocol_of(const struct cw_atr *a)
{
	if (a->specific)
		return (a->ta2 & 0x0f) <= 1 ? a->ta2 & 0x0f : CW_READER_NO_T;
	if (a->first_t <= 1)
		return a->first_t;
	if ((a->protocols & 1) != 0)
		return 0;
	return (a->protocols & 2) != 0 ? 1 : CW_READER_NO_T;
}

/*
 * Characters are sent by the rules of T=1 from the first block on: ATR and PPS
 * keep 12 etu for N = 255, and the error signal.
 */
int
cw_reader_line_protocol(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_card_line line = s->line;
	struct cw_t1_cfg cfg;
	int err;

	if (s->protocol != 1 || line.t1 || r->cfg.apdu != NULL)
		return 0;
	line.t1 = true;
	line.guard_etu = cw_t1_guard_etu(&s->atr);
	line.turn_etu = CW_T1_BGT_ETU;
	err = line_set(r, s, &line);
	if (err < 0)
		return err;
	/* Rounded down: no waiting time comes out too short. */
	cw_t1_config(&cfg, &s->atr, line.f / line.d);
	cw_t1_init(&s->t1, &cfg);
	return 0;
}

/*
 * The answer is whole: 12 + N guard time (8.3, N = 255 means 12 in T=0), and in
 * specific mode the F and D of TA1 at once, unless TA2 says that they are
 * implicit (8.3, bit 5).
 */
static void
atr_whole(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_card_line line = s->line;
	uint16_t fi;
	uint32_t fmax_hz;
	uint8_t di;
	int err;

	err = cw_atr_parse(&s->atr, s->atr_rx.buf, s->atr_rx.len);
	if (err < 0) {
		s->atr.raw_len = 0;
		cw_reader_log(r, 1, "slot.atr-bad", s, cw_err_name(err));
		act_fail(r, s, CW_OUT_ATR_BAD);
		return;
	}
	s->inverse = s->atr.convention == CW_INVERSE;
	s->protocol = protocol_of(&s->atr);
	line.convention = s->atr.convention;
	if (s->atr.tc1 != 255)
		line.guard_etu = (uint16_t)(GUARD_ETU_RESET + s->atr.tc1);
	if (s->atr.specific && (s->atr.ta2 & 0x10) == 0) {
		err = cw_pps_fidi(s->atr.ta1, &fi, &fmax_hz, &di);
		if (err == 0) {
			line.etu_clk = (fi + di / 2u) / di;
			line.f = fi;
			line.d = di;
			line.turn_etu = turn_etu(s->atr.ta1);
			s->ta1 = s->atr.ta1;
		}
	}
	if (err == 0)
		err = line_set(r, s, &line);
	if (err < 0)
		cw_reader_log(r, 1, "slot.line-failed", s, cw_err_name(err));
	if (err == CW_EIO)
		act_end(r, s, CW_OUT_READER);
	else
		act_end(r, s, err < 0 ? CW_OUT_PPS_FAIL : CW_OUT_GOOD);
}

static void
atr_chars(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev)
{
	size_t i, cap = 1;
	int n = 1, err;

	for (i = 0; i < ev->len && n == 1; i++)
		n = cw_atr_rx_push(&s->atr_rx, ev->buf[i]);
	if (n < 0) {
		act_fail(r, s, CW_OUT_ATR_BAD);
	} else if (n == 0) {
		atr_whole(r, s);
	} else {
		if (s->atr_rx.want > s->atr_rx.len)
			cap = s->atr_rx.want - s->atr_rx.len;
		err = cw_reader_line_recv(r, s, cap, INITIAL_WAIT_ETU);
		if (err < 0)
			act_fail(r, s, act_outcome(err));
	}
}

static void
act_powered(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev)
{
	int err = ev->err;

	if (err == CW_EIO) {
		act_fail(r, s, CW_OUT_OVERCURRENT);
		return;
	}
	if (err >= 0 && s->act == CW_ACT_OFF)
		err = act_power(r, s, true);
	else if (err >= 0)
		err = act_rst(r, s);
	if (err < 0)
		act_fail(r, s, act_outcome(err));
}

void
cw_reader_line_activate_event(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev)
{
	int err;

	switch (s->act) {
	case CW_ACT_OFF:
	case CW_ACT_ON:
		act_powered(r, s, ev);
		break;
	case CW_ACT_APDU:
		act_end(r, s, cw_reader_apdu_on_event(s, ev));
		break;
	case CW_ACT_RST:
		err = act_listen(r, s);
		if (err < 0)
			act_fail(r, s, act_outcome(err));
		break;
	case CW_ACT_ATR:
		if (ev->kind == CW_EV_RECV)
			atr_chars(r, s, ev);
		else if (ev->kind == CW_EV_PARITY)
			act_fail(r, s, CW_OUT_PARITY);
		else
			act_fail(r, s, s->atr_rx.len == 0 ?
			    CW_OUT_MUTE : CW_OUT_ATR_BAD);
		break;
	}
}

/* ---- speed -------------------------------------------------------------- */

/* DI of table 8 from the fastest to the slowest. */
static const uint8_t di_order[] = { 7, 6, 9, 5, 8, 4, 3, 2, 1 };

/* True when ta1 is no faster than cap allows. */
static bool
within_cap(uint8_t cap, uint16_t fi, uint8_t di)
{
	uint16_t cap_fi;
	uint32_t fmax_hz;
	uint8_t cap_di;

	if (cap == 0)
		return true;
	if (cw_pps_fidi(cap, &cap_fi, &fmax_hz, &cap_di) < 0)
		return false;
	return (uint32_t)fi * cap_di >= (uint32_t)cap_fi * di;
}

/*
 * The fastest speed that card, program and board can do with the card's F;
 * false when that is not above the default.
 */
static bool
speed_best(struct cw_reader *r, struct cw_reader_slot *s, uint8_t cap)
{
	uint16_t fi;
	uint32_t fmax_hz, etu_clk;
	uint8_t card_di, di;
	size_t i;

	if (!s->atr.has_ta1 ||
	    cw_pps_fidi(s->atr.ta1, &fi, &fmax_hz, &card_di) < 0)
		return false;
	for (i = 0; i < sizeof di_order; i++) {
		uint8_t ta1 = (uint8_t)((s->atr.ta1 & 0xf0) | di_order[i]);
		struct cw_card_line *l = &s->line_want;

		if (cw_pps_fidi(ta1, &fi, &fmax_hz, &di) < 0 || di > card_di)
			continue;
		if (!within_cap(cap, fi, di))
			continue;
		etu_clk = (fi + di / 2u) / di;
		*l = s->line;
		if (r->cfg.card->best_line(r->cfg.dev, s->idx, ta1, l) < 0 ||
		    l->etu_clk != etu_clk || l->clk_hz < 1000000)
			continue;
		if (l->clk_hz > fmax_hz)
			l->clk_hz = fmax_hz;
		l->guard_etu = s->line.guard_etu;
		l->convention = s->line.convention;
		l->turn_etu = turn_etu(ta1);
		l->t1 = s->line.t1;
		l->f = fi;
		l->d = di;
		s->ta1_want = ta1;
		return (uint64_t)l->clk_hz * di * s->line.f >
		    (uint64_t)s->line.clk_hz * s->line.d * fi;
	}
	return false;
}

/* 9.3: a card that broke the exchange must be reset. */
static void
pps_repair(struct cw_reader *r, struct cw_reader_slot *s, const char *why)
{
	cw_reader_log(r, 1, "slot.pps-failed", s, why);
	cw_reader_line_stop(r, s);
	s->act_pps = true;
	cw_reader_line_activate(r, s, false);
}

void
cw_reader_line_pps(struct cw_reader *r, struct cw_reader_slot *s,
    uint8_t ta1_max)
{
	bool fast;
	int len, err;

	if (r->cfg.apdu != NULL) {
		cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
		return;
	}

	/* Once blocks or headers were exchanged it is too late (6.3.1). */
	fast = !s->atr.specific && s->ta1 == 0x11 && !s->line.t1 &&
	    speed_best(r, s, ta1_max);
	if (s->pps_done || (!fast &&
	    (s->atr.specific || s->protocol == s->atr.first_t))) {
		cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
		return;
	}
	if (!fast) {
		s->line_want = s->line;
		s->ta1_want = s->ta1;
	}
	cw_reader_slot_set(r, s, CW_SLOT_PPS);
	len = cw_pps_build(s->pps, s->protocol, s->ta1_want);
	s->pps_len = 0;
	err = cw_reader_line_send(r, s, s->pps, (size_t)len);
	if (err < 0)
		pps_repair(r, s, cw_err_name(err));
}

static void
pps_whole(struct cw_reader *r, struct cw_reader_slot *s)
{
	int n, err;

	n = cw_pps_judge(s->protocol, s->ta1_want, s->pps, s->pps_len);
	if (n < 0) {
		pps_repair(r, s, cw_err_name(n));
		return;
	}
	if (n == 1) {
		err = line_set(r, s, &s->line_want);
		if (err < 0) {
			pps_repair(r, s, cw_err_name(err));
			return;
		}
		s->ta1 = s->ta1_want;
	}
	s->pps_done = true;
	cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
}

void
cw_reader_line_pps_event(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev)
{
	size_t want = 2, i;
	int err;

	if (ev->kind == CW_EV_RECV) {
		for (i = 0; i < ev->len && s->pps_len < sizeof s->pps; i++)
			s->pps[s->pps_len++] = s->inverse ?
			    cw_atr_invert(ev->buf[i]) : ev->buf[i];
	} else if (ev->kind != CW_EV_SENT) {
		pps_repair(r, s, ev->kind == CW_EV_SILENT ?
		    "no answer" : "parity");
		return;
	}
	if (s->pps_len >= 2)
		want = (size_t)cw_pps_len(s->pps[0], s->pps[1]);
	if (s->pps_len >= want) {
		pps_whole(r, s);
		return;
	}
	err = cw_reader_line_recv(r, s, want - s->pps_len, INITIAL_WAIT_ETU);
	if (err < 0)
		pps_repair(r, s, cw_err_name(err));
}
