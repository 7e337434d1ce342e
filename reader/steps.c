/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

/* What each step of a program does. */

/* How a step ends when the port or the protocol's engine reports err. */
static enum cw_outcome
line_outcome(const struct cw_reader_slot *s, int err)
{
	switch (err) {
	case CW_EREMOVED:
		return CW_OUT_REMOVED;
	case CW_EPARITY:
		return CW_OUT_PARITY;
	case CW_EPROTO:
		return CW_OUT_PROTO;
	case CW_EFULL:
		return CW_OUT_PROGRAM;
	case CW_ETIMEOUT:
		return (s->step.flags & CW_STEP_NEEDS_COS) != 0 ?
		    CW_OUT_NO_COS : CW_OUT_TIMEOUT;
	default:
		return CW_OUT_READER;	/* the board's own errors */
	}
}

static bool
sw_allowed(const struct cw_prog_step *st, uint16_t sw)
{
	uint8_t i;

	if ((st->flags & CW_STEP_ANY_SW) != 0)
		return true;
	if (st->sw_cnt == 0)
		return sw == 0x9000;
	for (i = 0; i < st->sw_cnt; i++)
		if ((sw & st->sw[i].mask) == st->sw[i].sw)
			return true;
	return false;
}

static enum cw_outcome
sw_outcome(const struct cw_prog_step *st)
{
	if ((st->flags & CW_STEP_NEEDS_COS) != 0)
		return CW_OUT_NO_COS;
	if ((st->flags & CW_STEP_BOOT) != 0)
		return CW_OUT_NO_BOOT;
	return CW_OUT_SW;
}

/* Characters that give time to make the next block. */
#define AHEAD_LEAST 32u

static void
command_drive(struct cw_reader *r, struct cw_reader_slot *s);

/* Where the answer goes. */
static uint8_t *
command_room(const struct cw_reader *r, struct cw_reader_slot *s, size_t *cap)
{
	if (s->raw.op == CW_RAW_APDU)
		return cw_reader_raw_room(r, s, cap);
	*cap = sizeof s->rsp;
	return s->rsp;
}

/*
 * Begins one command in the card's protocol: 0, or what the engine says.  At a
 * station that works by APDUs it is on its way then.
 */
static int
command_start(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *apdu, size_t len)
{
	struct cw_t0_cfg cfg = { cw_reader_line_wt(s), 0, false };
	struct cw_apdu a;
	size_t cap;
	uint8_t *rsp = command_room(r, s, &cap);

	s->command_us = r->now_us;
	if (r->cfg.apdu != NULL)
		return cw_apdu_parse(&a, apdu, len) < 0 ? CW_EFORMAT :
		    cw_reader_apdu_send(r, s, apdu, len);
	if (s->line.t1)
		return cw_t1_start(&s->t1, apdu, len, rsp, cap, &s->out);
	return cw_t0_start(&s->t0, &cfg, apdu, len, rsp, cap, &s->out);
}

/* The next block of a LOAD, or the end of the step. */
static void
load_next(struct cw_reader *r, struct cw_reader_slot *s)
{
	const struct cw_prog_load *l = &s->step.u.load;
	const uint8_t *image;
	int n;

	if (s->block_idx == cw_prog_load_cnt(l)) {
		cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
		return;
	}
	image = r->cfg.store->lend(r->cfg.dev, l->off, l->len);
	if (image == NULL) {
		cw_reader_engine_step_end(r, s, CW_OUT_STORE);
		return;
	}
	n = s->ahead_len;
	s->ahead_len = 0;
	s->cmd_cur ^= 1;
	if (n == 0)
		n = cw_prog_load_block(l, s->block_idx, image,
		    s->cmd[s->cmd_cur], sizeof s->cmd[0]);
	if (n >= 0)
		n = command_start(r, s, s->cmd[s->cmd_cur], (size_t)n);
	if (n < 0)
		cw_reader_engine_step_end(r, s, CW_OUT_PROGRAM);
	else
		command_drive(r, s);
}

/* Can the board be told what follows the answer that it awaits? */
static bool
can_foresee(const struct cw_reader *r, const struct cw_reader_slot *s)
{
	return r->cfg.talk != NULL && s->op == CW_ROP_TALK && !s->inverse;
}

/* After a header: the data, when the card acknowledges all of it. */
static void
foresee_data(struct cw_reader *r, const struct cw_reader_slot *s, uint8_t ins,
    const uint8_t *data, size_t len)
{
	struct cw_card_talk t = { .tx = data, .len = len, .cap = 2,
	    .expect = { ins }, .expect_len = 1 };

	r->cfg.talk->ahead(r->cfg.dev, s->idx, &t);
}

/* After the data of a block: the next block, when the card takes this one. */
static void
foresee_block(struct cw_reader *r, const struct cw_reader_slot *s)
{
	const uint8_t *next = s->cmd[s->cmd_cur ^ 1];
	struct cw_card_talk t = { .tx = next, .len = 5, .cap = 1,
	    .expect = { 0x90, 0x00 }, .expect_len = 2 };

	if (!can_foresee(r, s) || s->out.rx_max != 2 || s->t0.le_left > 0 ||
	    !sw_allowed(&s->step, 0x9000) || next[4] == 0 ||
	    s->ahead_len != 5u + next[4])
		return;
	r->cfg.talk->ahead(r->cfg.dev, s->idx, &t);
	foresee_data(r, s, next[1], next + 5, next[4]);
}

/*
 * While the data of a block is on the line, for milliseconds, the next one is
 * made: then it can go out as soon as the card has answered.
 */
static void
load_ahead(struct cw_reader *r, struct cw_reader_slot *s)
{
	const struct cw_prog_load *l = &s->step.u.load;
	const uint8_t *image;
	int n;

	if (s->out.tx_len < AHEAD_LEAST ||
	    s->block_idx + 1 >= cw_prog_load_cnt(l))
		return;
	if (s->ahead_len > 0) {
		foresee_block(r, s);
		return;
	}
	image = r->cfg.store->lend(r->cfg.dev, l->off, l->len);
	if (image == NULL)
		return;
	n = cw_prog_load_block(l, s->block_idx + 1, image,
	    s->cmd[s->cmd_cur ^ 1], sizeof s->cmd[0]);
	if (n > 0) {
		s->ahead_len = (uint16_t)n;
		foresee_block(r, s);
	}
}

/* An APDU has its answer. */
static void
apdu_done(struct cw_reader *r, struct cw_reader_slot *s)
{
	size_t len = s->out.rsp_len;

	if (len < 2) {
		cw_reader_engine_step_end(r, s, CW_OUT_PROTO);
		return;
	}
	s->sw = (uint16_t)(s->rsp[len - 2] << 8 | s->rsp[len - 1]);
	s->rsp_len = len - 2;
	s->rsp_secret = (s->step.flags & CW_STEP_SECRET) != 0;
	s->kept[s->run].m.sw = s->sw;
	if (!sw_allowed(&s->step, s->sw)) {
		cw_reader_engine_step_end(r, s, sw_outcome(&s->step));
	} else if (s->step.op == CW_OP_LOAD) {
		s->block_idx++;
		load_next(r, s);
	} else {
		cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
	}
}

/* Sends what the engine wants sent, as far ahead as the board can be told. */
static int
command_send(struct cw_reader *r, struct cw_reader_slot *s)
{
	bool fresh = s->op != CW_ROP_TALK;
	int err;

	if (s->line.t1 || r->cfg.talk == NULL)
		return cw_reader_line_send(r, s, s->out.tx, s->out.tx_len);
	err = cw_reader_line_talk(r, s);
	/* rx_max is 1 only where data is left that the card has to ask for. */
	if (err == 0 && fresh && s->out.rx_max == 1 && s->t0.tx_off == 0 &&
	    s->t0.tx_len > 0 && can_foresee(r, s))
		foresee_data(r, s, s->t0.hdr[1], s->t0.tx, s->t0.tx_len);
	return err;
}

/*
 * Does what the engine wants.  From the first send of a personal step on
 * the card counts as touched, whatever becomes of it.
 */
static void
command_drive(struct cw_reader *r, struct cw_reader_slot *s)
{
	int err = 0;

	if (s->op == CW_ROP_APDU)
		return;
	switch (s->out.want) {
	case CW_TPDU_SEND:
		if ((s->step.flags & CW_STEP_PERSONAL) != 0)
			s->kept[s->run].m.flags |= CW_RES_TOUCHED;
		err = command_send(r, s);
		if (err == 0 && s->step.op == CW_OP_LOAD)
			load_ahead(r, s);
		break;
	case CW_TPDU_RECV:
		err = cw_reader_line_recv(r, s, s->out.rx_max,
		    s->out.wait_etu);
		break;
	case CW_TPDU_DONE:
		if (s->raw.op != CW_RAW_NONE && s->out.rsp_len >= 2)
			cw_reader_raw_answer(r, s, s->out.rsp_len);
		else
			apdu_done(r, s);
		break;
	case CW_TPDU_FAIL:
		err = s->out.err < 0 ? s->out.err : CW_EPROTO;
		break;
	}
	if (err < 0)
		cw_reader_engine_step_end(r, s, line_outcome(s, err));
}

/* The event in the engine's terms; false for one that it must not see. */
static bool
tpdu_event(const struct cw_reader_slot *s, const struct cw_event *ev,
    struct cw_tpdu_ev *t)
{
	bool sending = s->out.want == CW_TPDU_SEND;

	memset(t, 0, sizeof *t);
	t->kind = CW_TPDU_EV_TIMEOUT;
	if (ev->kind == CW_EV_SENT) {
		t->kind = CW_TPDU_EV_SENT;
	} else if (ev->kind == CW_EV_NACK) {
		t->kind = CW_TPDU_EV_NACK;
		t->idx = ev->idx;
		return !s->line.t1 && ev->idx < s->out.tx_len;
	} else if (ev->kind == CW_EV_RECV) {
		t->kind = CW_TPDU_EV_RX;
		t->buf = ev->buf;
		t->len = ev->len;
		t->bad_cnt = ev->bad_cnt;
		return ev->len > 0 && ev->len <= s->out.rx_max &&
		    ev->len <= sizeof s->chars;
	} else if (ev->kind == CW_EV_PARITY) {
		t->kind = CW_TPDU_EV_PARITY;
	}
	return t->kind != CW_TPDU_EV_TIMEOUT || !sending;
}

/* The answer of a station that works by APDUs. */
static void
command_answer(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev)
{
	size_t cap;
	uint8_t *rsp = command_room(r, s, &cap);
	int err;

	memset(&s->out, 0, sizeof s->out);
	err = cw_reader_apdu_event(ev, rsp, cap, &s->out.rsp_len);
	s->out.want = err < 0 ? CW_TPDU_FAIL : CW_TPDU_DONE;
	s->out.err = err;
	command_drive(r, s);
}

void
cw_reader_steps_command_event(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev)
{
	struct cw_tpdu_ev t;
	size_t i;

	if (r->cfg.apdu != NULL) {
		command_answer(r, s, ev);
		return;
	}

	if (s->talked && ev->kind != CW_EV_NACK) {
		t = (struct cw_tpdu_ev){ .kind = CW_TPDU_EV_SENT };
		cw_t0_step(&s->t0, &t, &s->out);
	}
	/* A board that is stuck in a send, or that says what cannot be. */
	if (!tpdu_event(s, ev, &t)) {
		cw_reader_engine_step_end(r, s, CW_OUT_READER);
		return;
	}
	if (t.kind == CW_TPDU_EV_RX && s->inverse) {
		for (i = 0; i < t.len; i++)
			s->chars[i] = cw_atr_invert(t.buf[i]);
		t.buf = s->chars;
	}
	if (r->now_us - s->command_us > CW_READER_COMMAND_MS * 1000ull) {
		cw_reader_engine_step_end(r, s, line_outcome(s, CW_ETIMEOUT));
		return;
	}
	if (s->line.t1)
		cw_t1_step(&s->t1, &t, &s->out);
	else
		cw_t0_step(&s->t0, &t, &s->out);
	command_drive(r, s);
}

/* ---- the steps ---------------------------------------------------------- */

static void
step_reset(struct cw_reader *r, struct cw_reader_slot *s)
{
	cw_reader_line_activate(r, s, s->step.u.reset.warm != 0);
}

void
cw_reader_steps_activated(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome)
{
	struct cw_rl_result *m = &s->kept[s->run].m;
	const struct cw_prog_step *st = &s->step;
	uint8_t i, n = st->u.reset.n;

	if (s->raw.op != CW_RAW_NONE) {
		cw_reader_raw_end(r, s, outcome);
		return;
	}
	if (outcome == CW_OUT_GOOD && s->atr.raw_len < n)
		outcome = CW_OUT_ATR_OTHER;
	for (i = 0; outcome == CW_OUT_GOOD && i < n; i++)
		if ((s->atr.raw[i] & st->u.reset.mask[i]) !=
		    st->u.reset.value[i])
			outcome = CW_OUT_ATR_OTHER;

	/* What the card said goes into the result even when it is garbled. */
	m->atr_len = s->atr_rx.len;
	memcpy(m->atr, s->atr_rx.buf, s->atr_rx.len);
	cw_reader_engine_step_end(r, s, outcome);
}

/* An active card that offers a protocol of ours, or the outcome to end with. */
static enum cw_outcome
card_usable(const struct cw_reader_slot *s)
{
	if (!s->powered || s->atr.raw_len == 0)
		return CW_OUT_PROGRAM;
	return s->protocol == CW_READER_NO_T ? CW_OUT_PROTO : CW_OUT_GOOD;
}

/* The same for a command: the protocol is in force, or comes into force. */
static enum cw_outcome
card_ready(struct cw_reader *r, struct cw_reader_slot *s)
{
	enum cw_outcome outcome = card_usable(s);
	int err;

	if (outcome != CW_OUT_GOOD || r->cfg.apdu != NULL)
		return outcome;
	if (!s->atr.specific && !s->pps_done && s->protocol != s->atr.first_t)
		return CW_OUT_PROTO;
	err = cw_reader_line_protocol(r, s);
	return err < 0 ? line_outcome(s, err) : CW_OUT_GOOD;
}

static void
step_pps(struct cw_reader *r, struct cw_reader_slot *s)
{
	enum cw_outcome outcome = card_usable(s);

	if (outcome != CW_OUT_GOOD)
		cw_reader_engine_step_end(r, s, outcome);
	else
		cw_reader_line_pps(r, s, s->step.u.pps.ta1_max);
}

static void
step_apdu(struct cw_reader *r, struct cw_reader_slot *s)
{
	enum cw_outcome outcome = card_ready(r, s);

	if (outcome == CW_OUT_GOOD && command_start(r, s, s->step.u.apdu.buf,
	    s->step.u.apdu.len) < 0)
		outcome = CW_OUT_PROGRAM;
	if (outcome != CW_OUT_GOOD) {
		cw_reader_engine_step_end(r, s, outcome);
		return;
	}
	cw_reader_slot_set(r, s, CW_SLOT_COMMAND);
	command_drive(r, s);
}

int
cw_reader_steps_raw(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *apdu, size_t len)
{
	enum cw_outcome outcome = card_ready(r, s);
	int err;

	if (outcome != CW_OUT_GOOD)
		return outcome == CW_OUT_PROTO ? CW_EUNSUPPORTED : CW_EIO;
	err = command_start(r, s, apdu, len);
	if (err < 0)
		return err;
	cw_reader_slot_set(r, s, CW_SLOT_COMMAND);
	command_drive(r, s);
	return 0;
}

static void
step_load(struct cw_reader *r, struct cw_reader_slot *s)
{
	const struct cw_prog_load *l = &s->step.u.load;
	enum cw_outcome outcome = card_ready(r, s);

	if (outcome == CW_OUT_GOOD &&
	    !cw_reader_store_holds(r, l->digest, l->off, l->len))
		outcome = CW_OUT_STORE;
	s->block_idx = 0;
	s->ahead_len = 0;
	if (outcome != CW_OUT_GOOD) {
		cw_reader_engine_step_end(r, s, outcome);
		return;
	}
	cw_reader_slot_set(r, s, CW_SLOT_COMMAND);
	load_next(r, s);
}

static void
step_capture(struct cw_reader *r, struct cw_reader_slot *s)
{
	enum cw_outcome outcome = CW_OUT_GOOD;
	size_t off = s->step.u.capture.off, len = s->step.u.capture.len;

	if (off > s->rsp_len || len > s->rsp_len - off) {
		outcome = CW_OUT_COMPARE;
	} else {
		if (len == 0)
			len = s->rsp_len - off;
		if (cw_reader_result_capture(s, s->step.u.capture.id,
		    s->rsp + off, len, s->rsp_secret) < 0)
			outcome = CW_OUT_PROGRAM;
	}
	cw_reader_engine_step_end(r, s, outcome);
}

static void
step_compare(struct cw_reader *r, struct cw_reader_slot *s)
{
	const struct cw_prog_step *st = &s->step;
	size_t off = st->u.compare.off, n = st->u.compare.n, i;
	uint8_t diff = 0;

	if (off > s->rsp_len || n > s->rsp_len - off) {
		cw_reader_engine_step_end(r, s, CW_OUT_COMPARE);
		return;
	}
	for (i = 0; i < n; i++)
		diff = (uint8_t)(diff | ((s->rsp[off + i] ^
		    st->u.compare.value[i]) & st->u.compare.mask[i]));
	cw_reader_engine_step_end(r, s, diff == 0 ?
	    CW_OUT_GOOD : CW_OUT_COMPARE);
}

static void
step_ask(struct cw_reader *r, struct cw_reader_slot *s)
{
	cw_reader_slot_set(r, s, CW_SLOT_ASK);
	s->ask_owed = r->owes = true;
	s->op = CW_ROP_TIMER;
	s->due_us = r->now_us + CW_READER_ASK_MS * 1000u;
}

static void
step_delay(struct cw_reader *r, struct cw_reader_slot *s)
{
	cw_reader_slot_set(r, s, CW_SLOT_DELAY);
	s->op = CW_ROP_TIMER;
	s->due_us = r->now_us + s->step.u.delay.us;
}

static void
step_power_off(struct cw_reader *r, struct cw_reader_slot *s)
{
	if (s->powered)
		cw_reader_slot_off(r, s);
	else
		cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
}

void
cw_reader_steps_begin(struct cw_reader *r, struct cw_reader_slot *s)
{
	static void (*const op[])(struct cw_reader *, struct cw_reader_slot *) = {
		[CW_OP_RESET] = step_reset,
		[CW_OP_PPS] = step_pps,
		[CW_OP_APDU] = step_apdu,
		[CW_OP_LOAD] = step_load,
		[CW_OP_CAPTURE] = step_capture,
		[CW_OP_COMPARE] = step_compare,
		[CW_OP_ASK] = step_ask,
		[CW_OP_DELAY] = step_delay,
		[CW_OP_POWER_OFF] = step_power_off,
	};

	s->step_start_us = r->now_us;
	s->sw = 0;
	if (s->step.op >= sizeof op / sizeof op[0] || op[s->step.op] == NULL)
		cw_reader_engine_step_end(r, s, CW_OUT_PROGRAM);
	else
		op[s->step.op](r, s);
}
