/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

/*
 * State machine of a slot.
 *
 *	        inserted            RESET             ATR good
 *	 EMPTY ---------> READY ------------> ACTIVATE --------> IDLE <----.
 *	   ^  <---------  ^ ^ |                 ^ | ^             | |      |
 *	   |   removed    | | |ASK,DELAY        | | `-------------' |step  |step
 *	   |              | | v                 | |      RESET      v      |ends
 *	   |              | `-ASK, DELAY   refused|             PPS, COMMAND,
 *	   |              |       |             `-+------------- (PPS) ASK, DELAY
 *	   |  removed     | off   |               |failed             |    |
 *	   `------------ DEACTIVATE <-------------+-------------------'    |
 *	                      ^----- program ends, POWER_OFF, removed -----'
 *
 * Transitions, and who makes them:
 *	EMPTY -> READY		cw_reader_slot_card: inserted
 *	READY -> EMPTY		cw_reader_slot_card: removed
 *	READY -> ACTIVATE	cw_reader_line_activate: RESET step
 *	IDLE -> ACTIVATE	the same, card already active
 *	PPS -> ACTIVATE		line.c: the exchange failed, the card is reset
 *	ACTIVATE -> IDLE	line.c: answer to reset received
 *	ACTIVATE -> READY	line.c: the board cannot even power the card
 *	IDLE -> PPS, COMMAND	line.c, steps.c: PPS, APDU and LOAD steps
 *	PPS, COMMAND -> IDLE	cw_reader_slot_rest: the step ended
 *	READY, IDLE -> ASK, DELAY	steps.c
 *	ASK, DELAY -> READY, IDLE	cw_reader_slot_rest: the step ended
 *	ASK, DELAY -> EMPTY	the same, an unpowered card was removed
 *	all but EMPTY, READY -> DEACTIVATE	cw_reader_slot_off
 *	READY -> READY is not a transition: another card is announced only
 *	DEACTIVATE -> READY, EMPTY	cw_reader_slot_rest: power is down
 *
 * Guarantees, asserted by cw_reader_slot_check between events:
 *	EMPTY		no card, no power, nothing queued, nothing running
 *	READY		no power, nothing queued (it would have begun)
 *	ACTIVATE, PPS, COMMAND	a program runs; one op is awaited, with a deadline
 *	IDLE		power is on, nothing queued, no op awaited
 *	ASK, DELAY	a program runs; only its deadline is awaited
 *	DEACTIVATE	power-down is awaited, with a deadline
 *	all but ASK, DELAY: op NONE means no deadline
 *	a request card by card (raw.c) counts as a program; none is queued then
 *	always: no program byte stands in a free part of queue_mem; command and
 *	response buffers are blank when no program runs
 */
#define BIT(s) (1u << CW_SLOT_##s)
static const uint16_t slot_next[] = {
	[CW_SLOT_EMPTY] = BIT(READY),
	[CW_SLOT_READY] = BIT(EMPTY) | BIT(ACTIVATE) | BIT(ASK) | BIT(DELAY),
	[CW_SLOT_ACTIVATE] = BIT(IDLE) | BIT(READY) | BIT(DEACTIVATE),
	[CW_SLOT_PPS] = BIT(IDLE) | BIT(ACTIVATE) | BIT(DEACTIVATE),
	[CW_SLOT_IDLE] = BIT(ACTIVATE) | BIT(PPS) | BIT(COMMAND) | BIT(ASK) |
	    BIT(DELAY) | BIT(DEACTIVATE),
	[CW_SLOT_COMMAND] = BIT(IDLE) | BIT(DEACTIVATE),
	[CW_SLOT_ASK] = BIT(EMPTY) | BIT(READY) | BIT(IDLE) | BIT(DEACTIVATE),
	[CW_SLOT_DELAY] = BIT(EMPTY) | BIT(READY) | BIT(IDLE) |
	    BIT(DEACTIVATE),
	[CW_SLOT_DEACTIVATE] = BIT(READY) | BIT(EMPTY),
};
#undef BIT

const char *
cw_slot_state_name(enum cw_slot_state s)
{
	switch (s) {
#define X(name, text) case CW_SLOT_##name: return #name;
	CW_SLOT_STATE_MAP(X)
#undef X
	}
	return "?";
}

bool
cw_reader_slot_may(enum cw_slot_state from, enum cw_slot_state to)
{
	return (slot_next[from] >> to & 1u) != 0;
}

void
cw_reader_slot_set(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_slot_state to)
{
	CW_ASSERT(cw_reader_slot_may(s->state, to));
	s->state = to;
	cw_reader_log(r, 4, "slot.state", s, cw_slot_state_name(to));
}

_Static_assert(CW_READER_KEPT_MAX * sizeof(struct cw_reader_kept) <=
    CW_READER_KEPT_BYTES, "CW_READER_KEPT_BYTES");

void
cw_reader_slot_init(struct cw_reader *r, uint8_t idx)
{
	struct cw_reader_slot *s = &r->slot[idx];
	int present;

	memset(s, 0, sizeof *s);
	s->idx = idx;
	s->kept = r->cfg.kept_mem != NULL ? r->cfg.kept_mem : r->kept;
	s->kept += (size_t)idx * CW_READER_KEPT_MAX;
	memset(s->kept, 0, CW_READER_KEPT_MAX * sizeof *s->kept);
	s->due_us = UINT64_MAX;
	s->ta1 = 0x11;
	s->raw.wait_us = UINT64_MAX;
	present = cw_reader_apdu_present(r, idx);
	s->present = present == 0 || present == 1 ? (uint8_t)present : 2;
	s->state = s->present != 0 ? CW_SLOT_READY : CW_SLOT_EMPTY;
	s->card_session = s->present != 0;
}

void
cw_reader_slot_rest(struct cw_reader *r, struct cw_reader_slot *s)
{
	enum cw_slot_state to = CW_SLOT_EMPTY;

	if (s->powered)
		to = CW_SLOT_IDLE;
	else if (s->present != 0)
		to = CW_SLOT_READY;
	s->op = CW_ROP_NONE;
	s->due_us = UINT64_MAX;
	if (s->state != to)
		cw_reader_slot_set(r, s, to);
}

/* Power is down, or the board could not do it. */
static void
slot_settle(struct cw_reader *r, struct cw_reader_slot *s)
{
	s->powered = false;
	s->power_out = 0;
	s->atr.raw_len = 0;
	s->ta1 = 0x11;
	s->raw.held = false;
	cw_reader_slot_rest(r, s);
	if (s->raw.op != CW_RAW_NONE)
		cw_reader_raw_settled(r, s);
	if (s->running && s->ending)
		cw_reader_engine_close(r, s);
	else if (s->running)
		cw_reader_engine_step_end(r, s, s->off_failed ?
		    CW_OUT_READER : CW_OUT_GOOD);
}

void
cw_reader_slot_off(struct cw_reader *r, struct cw_reader_slot *s)
{
	int err;

	cw_reader_line_stop(r, s);
	cw_reader_slot_set(r, s, CW_SLOT_DEACTIVATE);
	err = cw_reader_apdu_off(r, s->idx);
	if (err < 0) {
		cw_reader_log(r, 0, "slot.power-off-failed", s,
		    cw_err_name(err));
		s->off_failed = true;
		slot_settle(r, s);
		return;
	}
	s->power_out++;
	s->op = CW_ROP_POWER;
	s->due_us = r->now_us + CW_READER_GUARD_US;
}

/*
 * A card came or went.  Whatever ran, ran with the card that was there before;
 * an insertion without a removal before it means that one was missed.
 */
void
cw_reader_slot_card(struct cw_reader *r, struct cw_reader_slot *s,
    bool inserted)
{
	if (!inserted && s->present == 0)
		return;
	cw_reader_log(r, 3, inserted ? "slot.inserted" : "slot.removed", s,
	    NULL);
	s->present = inserted;
	s->announce = r->owes = true;
	s->tail_good = false;

	/* What is dropped was meant for the card before. */
	cw_reader_engine_drop_all(r, s, false, CW_OUT_SKIPPED);
	if (inserted)
		s->card_session++;
	cw_reader_raw_gone(r, s);
	if (s->running && !s->ending)
		cw_reader_engine_end(r, s, CW_OUT_REMOVED);
	else if (s->state == CW_SLOT_IDLE)
		cw_reader_slot_off(r, s);
	else if (s->state == CW_SLOT_READY || s->state == CW_SLOT_EMPTY)
		cw_reader_slot_rest(r, s);
}

static void
slot_overcurrent(struct cw_reader *r, struct cw_reader_slot *s)
{
	cw_reader_log(r, 1, "slot.overcurrent", s, NULL);
	if (s->raw.op != CW_RAW_NONE)
		cw_reader_raw_fail(r, s, CW_EIO);
	else if (s->running && !s->ending)
		cw_reader_engine_end(r, s, CW_OUT_OVERCURRENT);
	else if (s->state == CW_SLOT_IDLE)
		cw_reader_slot_off(r, s);
}

/* Does an event of this kind answer the op? */
static bool
op_awaits(enum cw_reader_op op, enum cw_event_kind kind)
{
	if (kind == CW_EV_POWERED)
		return op == CW_ROP_POWER;
	if (kind == CW_EV_APDU)
		return op == CW_ROP_APDU;
	if (kind == CW_EV_SENT)
		return op == CW_ROP_SEND;
	if (kind == CW_EV_NACK)
		return op == CW_ROP_SEND || op == CW_ROP_TALK;
	return op == CW_ROP_RECV || op == CW_ROP_TALK;
}

/* What was awaited has come (or its time is up): one function per state. */
static void
slot_progress(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev)
{
	switch (s->state) {
	case CW_SLOT_ACTIVATE:
		cw_reader_line_activate_event(r, s, ev);
		break;
	case CW_SLOT_PPS:
		cw_reader_line_pps_event(r, s, ev);
		break;
	case CW_SLOT_COMMAND:
		cw_reader_steps_command_event(r, s, ev);
		break;
	case CW_SLOT_DEACTIVATE:
		if (ev->err < 0) {
			cw_reader_log(r, 0, "slot.power-off-failed", s,
			    cw_err_name(ev->err));
			s->off_failed = true;
		}
		slot_settle(r, s);
		break;
	case CW_SLOT_ASK:
		cw_reader_engine_step_end(r, s, CW_OUT_ASK_LOST);
		break;
	case CW_SLOT_DELAY:
		cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
		break;
	case CW_SLOT_EMPTY:
	case CW_SLOT_READY:
	case CW_SLOT_IDLE:
		CW_ASSERT(false);	/* nothing is awaited in these */
		break;
	}
}

void
cw_reader_slot_event(struct cw_reader *r, const struct cw_event *ev)
{
	struct cw_reader_slot *s;

	if (ev->slot >= r->cfg.slot_cnt) {
		r->stray_cnt++;
		return;
	}
	s = &r->slot[ev->slot];
	if (ev->kind == CW_EV_CARD) {
		cw_reader_slot_card(r, s, ev->len != 0);
		return;
	}
	if (ev->kind == CW_EV_OVERCURRENT) {
		slot_overcurrent(r, s);
		return;
	}

	/* Each power call is answered; only the last answer counts. */
	if (ev->kind == CW_EV_POWERED && s->power_out > 0 && --s->power_out > 0)
		return;
	if (!op_awaits(s->op, ev->kind)) {
		r->stray_cnt++;
		return;
	}
	/* What was foreseen goes on by itself, and can be aborted. */
	s->talked = s->op == CW_ROP_TALK;
	s->op = s->talked && ev->went_on ? CW_ROP_TALK : CW_ROP_NONE;
	s->due_us = UINT64_MAX;
	if (s->running && !s->ending)
		s->kept[s->run].m.line_etu += ev->line_etu;
	slot_progress(r, s, ev);
}

/*
 * A deadline of a slot.  For a timer it is what was waited for; for an op it
 * means that the board is stuck: its own fault, but that a receive which never
 * ends counts as a silent card.
 */
void
cw_reader_slot_tick(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_event ev;

	if (r->now_us < s->due_us)
		return;
	memset(&ev, 0, sizeof ev);
	ev.slot = s->idx;
	ev.kind = CW_EV_TICK;
	if (s->op == CW_ROP_POWER) {
		ev.kind = CW_EV_POWERED;
		ev.err = CW_ETIMEOUT;
	} else if (s->op != CW_ROP_TIMER && s->op != CW_ROP_NONE) {
		ev.kind = CW_EV_SILENT;
	}
	if (s->op != CW_ROP_TIMER)
		cw_reader_log(r, 1, "slot.stuck", s,
		    cw_slot_state_name(s->state));
	s->talked = s->op == CW_ROP_TALK;
	cw_reader_line_stop(r, s);
	s->power_out = 0;
	slot_progress(r, s, &ev);
}

void
cw_reader_slot_status(const struct cw_reader *r, uint8_t slot,
    struct cw_reader_slot_status *out)
{
	const struct cw_reader_slot *s = &r->slot[slot];

	CW_ASSERT(slot < r->cfg.slot_cnt);
	out->state = s->state;
	out->present = s->present;
	out->queued = s->job_cnt;
	out->unacked = cw_reader_result_done_cnt(s);
	out->card_session = s->card_session;
	out->acked_cnt = s->acked_cnt;
}

/* True when len > 0 bytes at p are all zero. */
static bool
blank(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static void
memory_check(const struct cw_reader *r, const struct cw_reader_slot *s)
{
	bool raw = s->raw.op == CW_RAW_APDU || s->raw.cmd_len > 0 ||
	    s->raw.rsp_len > 0;
	uint8_t used = 0, i;

	for (i = 0; i < s->job_cnt; i++) {
		CW_ASSERT((used >> s->job[i].mem & 1u) == 0);
		used = (uint8_t)(used | 1u << s->job[i].mem);
	}
	CW_ASSERT(used == s->mem_used);
	for (i = 0; i < CW_RLINK_QUEUE && !raw; i++)
		CW_ASSERT((used >> i & 1u) != 0 ||
		    blank(cw_reader_engine_mem(r, s, i), CW_PROG_MAX));
	if (!raw && (!s->running || s->ending)) {
		CW_ASSERT(blank(s->cmd[0], sizeof s->cmd));
		CW_ASSERT(blank(s->chars, sizeof s->chars));
		CW_ASSERT(blank(s->rsp, sizeof s->rsp));
	}
}

void
cw_reader_slot_check(const struct cw_reader *r, const struct cw_reader_slot *s)
{
	bool line = s->state == CW_SLOT_ACTIVATE || s->state == CW_SLOT_PPS ||
	    s->state == CW_SLOT_COMMAND;
	bool wait = s->state == CW_SLOT_ASK || s->state == CW_SLOT_DELAY;
	bool rest = s->state == CW_SLOT_EMPTY || s->state == CW_SLOT_READY ||
	    s->state == CW_SLOT_IDLE;

	CW_ASSERT(!rest || (s->job_cnt == 0 && !s->running));
	CW_ASSERT(!rest || (s->op == CW_ROP_NONE && s->due_us == UINT64_MAX));
	CW_ASSERT(!line || (((s->running && !s->ending) ||
	    s->raw.op != CW_RAW_NONE) && s->powered));
	CW_ASSERT(!line || (s->op != CW_ROP_NONE && s->due_us != UINT64_MAX));
	CW_ASSERT(!wait || (s->running && !s->ending));
	CW_ASSERT(!wait || (s->op == CW_ROP_TIMER && s->due_us != UINT64_MAX));
	CW_ASSERT(s->state != CW_SLOT_DEACTIVATE ||
	    (s->op == CW_ROP_POWER && s->due_us != UINT64_MAX));
	CW_ASSERT(s->state != CW_SLOT_EMPTY || s->present == 0);
	CW_ASSERT(s->state != CW_SLOT_READY || (s->present != 0 && !s->powered));
	CW_ASSERT(s->state != CW_SLOT_IDLE || s->powered);
	CW_ASSERT(!s->running || s->job_cnt > 0);
	CW_ASSERT(!s->ending || s->running);
	CW_ASSERT(!s->running ||
	    s->kept[s->run].state == CW_KEPT_OPEN);
	CW_ASSERT(s->job_cnt + cw_reader_result_done_cnt(s) <=
	    CW_READER_KEPT_MAX);
	cw_reader_raw_check(r, s);
	memory_check(r, s);
}
