/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One station, one card after the other.
 *
 *	IDLE --begin--> INTENT --durable, FEED--> FEED --at the contacts--> SEAT
 *	SEAT --RUN sent--> RUN --all programs ended--> VERDICT
 *	VERDICT --RESULT durable, BIN--> BIN --device confirms--> BINNED
 *	BINNED --BINNED appended--> IDLE
 *	(the next card is fed when BINNED is durable)
 *
 *	INTENT -> VERDICT	cancelled, or the reader went: NONE, no card drawn
 *	FEED, SEAT -> VERDICT	card lost, jammed, or the reader gone: REJECT
 *	VERDICT -> BINNED	NONE: nothing to bin
 *	FEED -> INTENT		no blank came: asked again
 *	IDLE -> VERDICT		a card that no INTENT explains: REJECT
 *	RECOVER -> VERDICT, BIN, BINNED	after a restart (ln_recover.c)
 *
 * Guarantees (cw_ln_station_check):
 *	IDLE		cur is free
 *	FEED..RUN	cur's INTENT is durable
 *	FEED		BINNED of the card before it is durable
 *	SEAT..BIN	cur has a card number (but NONE)
 *	BIN, GOOD	cur's RESULT GOOD is durable: rule (b)
 *	next		used only while cur is
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/outcome.h"
#include "terminal/ln.h"

#define CMD_AGAIN_MS 1000
#define FEED_RETRY_US 200000
#define CMD_TRIES_MAX 5
#define FAULTS_MAX 3		/* faults of the reader in a row that stop it */
#define STEPS_MAX 16		/* of one station at one event */

static const struct cw_dev_station *
dev_of(const struct cw_line *l, const struct cw_ln_station *st)
{
	return &l->dev.st[st->idx];
}

static bool
newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

const char *
cw_ln_state_name(unsigned int state)
{
	static const char *const name[] = {
#define X(n, shown) #n,
		CW_LN_STATE_MAP(X)
#undef X
	};

	return state < sizeof name / sizeof name[0] ? name[state] : "?";
}

/* Allowed next states, a bit each. */
#define TO(s) (1u << CW_LN_##s)
static const uint16_t allowed[] = {
	[CW_LN_IDLE] = TO(INTENT) | TO(VERDICT) | TO(RECOVER),
	[CW_LN_INTENT] = TO(FEED) | TO(SEAT) | TO(VERDICT),
	[CW_LN_FEED] = TO(INTENT) | TO(SEAT) | TO(VERDICT),
	[CW_LN_SEAT] = TO(RUN) | TO(VERDICT),
	[CW_LN_RUN] = TO(VERDICT),
	[CW_LN_VERDICT] = TO(BIN) | TO(BINNED),
	[CW_LN_BIN] = TO(BINNED),
	[CW_LN_BINNED] = TO(IDLE),
	[CW_LN_RECOVER] = TO(VERDICT) | TO(BIN) | TO(BINNED),
};

void
cw_ln_set_state(struct cw_line *l, struct cw_ln_station *st, enum cw_ln_state to)
{
	CW_ASSERT((allowed[st->state] & 1u << to) != 0);
	st->state = (uint8_t)to;
	st->retry_us = 0;
	st->cmd_tries = 0;
	st->lost_us = 0;
	l->status_dirty = true;
	cw_ln_log(l, CW_LINE_DEBUG, "station.state", "station=%u to=%s "
	    "order=%llu record=%llu", st->idx + 1u, cw_ln_state_name(to),
	    (unsigned long long)st->cur.end.order,
	    (unsigned long long)st->cur.end.record);
}

void
cw_ln_station_stick(struct cw_line *l, struct cw_ln_station *st,
    const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(st->why, sizeof st->why, "%.47s", text);
	if (!st->stuck)
		l->counts.stuck++;
	st->stuck = true;
	l->status_dirty = l->pull_dirty = true;
	cw_ln_log(l, CW_LINE_ERROR, "station.stuck", "station=%u why=\"%s\"",
	    st->idx + 1u, text);
}

void
cw_ln_card_wipe(struct cw_ln_card *c)
{
	for (unsigned int k = 0; k < CW_LN_PROGS; k++) {
		if (c->prog[k].buf != NULL)
			cw_wipe(c->prog[k].buf, c->prog[k].len);
		free(c->prog[k].buf);
	}
	if (c->rec != NULL)
		cw_wipe(c->rec, c->rec_len);
	free(c->rec);
	free(c->end.trace);
	memset(c, 0, sizeof *c);
}

bool
cw_ln_station_settled(const struct cw_line *l, const struct cw_ln_station *st)
{
	const struct cw_dev_station *dv = dev_of(l, st);

	return l->dev.up && st->idx < l->dev.station_cnt && !st->cmd_open &&
	    dv->seq_done == dv->seq_written &&
	    (dv->state == CW_DEVST_EMPTY || dv->state == CW_DEVST_CARD);
}

/* Gives the device a new command. */
static int
command(struct cw_line *l, struct cw_ln_station *st, enum cw_dev_command cmd)
{
	const struct cw_dev_station *dv = dev_of(l, st);
	struct cw_dev_cmd c = { .station = st->idx, .cmd = (uint8_t)cmd };
	int err;

	/* Rule (b) once more, where it cannot be got round. */
	CW_ASSERT(cmd != CW_DEVCMD_GOOD ||
	    (st->cur.end.verdict == CW_CARD_GOOD && st->cur.result_lsn > 0 &&
	    st->cur.result_lsn <= l->durable_lsn));
	c.seq = dv->seq_written;
	do
		c.seq++;
	while (c.seq == 0 || c.seq == dv->seq_done);
	err = l->cfg.ops->device_cmd(l->cfg.ctx, &c);
	if (err < 0)
		return err;
	st->cmd_open = true;
	st->cmd = c.cmd;
	st->seq = c.seq;
	st->cmd_us = l->now;
	st->cmd_tries++;
	return 0;
}

/* The command under way: done, or to be said again (which is harmless). */
static void
command_check(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_dev_station *dv = dev_of(l, st);
	struct cw_dev_cmd c = { .station = st->idx, .seq = st->seq,
	    .cmd = st->cmd };

	if (!st->cmd_open || !l->dev.up)
		return;
	if (dv->seq_done == st->seq) {
		st->cmd_open = false;
	} else if (cw_ln_due(l, st->cmd_us, CMD_AGAIN_MS)) {
		st->cmd_us = l->now;
		l->cfg.ops->device_cmd(l->cfg.ctx, &c);
	}
}

static uint64_t
utc_ms(const struct cw_line *l)
{
	return l->utc_ms == 0 ? 0 : l->utc_ms + (l->now - l->utc_us) / 1000;
}

void
cw_ln_station_verdict(struct cw_line *l, struct cw_ln_station *st,
    enum cw_card_verdict verdict, uint16_t outcome)
{
	struct cw_ln_card *c = &st->cur;

	c->end.verdict = (uint8_t)verdict;
	c->end.outcome = outcome;
	c->end.time_ms = utc_ms(l);
	if (c->in_us != 0)
		c->end.ms = (uint32_t)((l->now - c->in_us) / 1000);
	c->result_lsn = 0;
	cw_ln_set_state(l, st, CW_LN_VERDICT);
}

static void
seat_card(struct cw_line *l, struct cw_ln_station *st)
{
	st->cur.end.card_no = st->known_no = dev_of(l, st)->card_no;
	st->named = true;
	st->cur.in_us = l->now;
	cw_ln_set_state(l, st, CW_LN_SEAT);
}

/* The card left the station before it was judged. */
static void
card_gone(struct cw_line *l, struct cw_ln_station *st)
{
	st->cur.end.card_no = st->known_no = dev_of(l, st)->last_card;
	st->named = true;
	cw_ln_station_verdict(l, st, CW_CARD_REJECT, CW_OUT_DEVICE);
}

/* A card that no INTENT explains: counted and rejected. True if there is one. */
static bool
stray(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_dev_station *dv = dev_of(l, st);
	struct cw_ln_card *c = &st->cur;
	uint32_t no;

	if (!cw_ln_station_settled(l, st))
		return false;
	if (!st->named) {
		st->known_no = dv->last_card;
		st->named = true;
	}
	no = newer(dv->last_card, st->known_no) ? dv->last_card : dv->card_no;
	if (no == 0)
		return false;
	if (!newer(no, st->known_no)) {
		if (!st->stuck)
			cw_ln_station_stick(l, st, "card %u is here but counted "
			    "already: take it out", no);
		return false;
	}
	memset(c, 0, sizeof *c);
	c->used = true;
	c->base_no = st->known_no;
	c->end.station = st->idx;
	c->end.reader = l->reader[st->reader].addr;
	c->end.attempt = l->attempt;
	c->end.card_no = st->known_no = no;
	l->attempt += CW_LN_PROGS;
	l->begun++;
	l->counts.orphan_cards++;
	cw_ln_log(l, CW_LINE_WARN, "card.stray", "station=%u card=%u: no lease "
	    "was begun for it; it is rejected", st->idx + 1u, no);
	cw_ln_station_verdict(l, st, CW_CARD_REJECT, CW_OUT_STRAY);
	return true;
}

static bool
step_idle(struct cw_line *l, struct cw_ln_station *st)
{
	if (!l->started)
		return false;

	/* First: a card that is here may be that of an INTENT ahead, fed in the
	 * life before when the card before it was binned. */
	if (st->next.used) {
		st->cur = st->next;
		memset(&st->next, 0, sizeof st->next);
		cw_ln_set_state(l, st, st->cur.from_journal ? CW_LN_RECOVER :
		    CW_LN_INTENT);
		return true;
	}
	if (stray(l, st))
		return true;
	if (!st->named || !cw_ln_may_feed(l, st) ||
	    !cw_ln_begin(l, st, &st->cur))
		return false;
	cw_ln_set_state(l, st, CW_LN_INTENT);
	return true;
}

/* What stands in a station that has an INTENT without a card. True: moved on. */
static bool
look_for_card(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_dev_station *dv = dev_of(l, st);

	if (newer(dv->last_card, st->known_no))
		card_gone(l, st);
	else if (dv->state == CW_DEVST_CARD)
		seat_card(l, st);
	else
		return false;
	return true;
}

/* True when a card whose INTENT stands is not to be fed any more. */
static bool
give_back(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_ln_order *o = st->cur.order;
	const struct cw_ln_reader *r = &l->reader[st->reader];

	if (l->drain || l->settle || l->fenced || st->stuck || o == NULL ||
	    o->state >= CW_ORDER_PAUSE)
		return true;
	if (r->ready) {
		st->lost_us = 0;
		return false;
	}
	if (st->lost_us == 0)
		st->lost_us = l->now;
	return cw_ln_due(l, st->lost_us, l->cfg.reader_lost_ms);
}

static bool
step_intent(struct cw_line *l, struct cw_ln_station *st)
{
	struct cw_ln_card *c = &st->cur;

	/* The device must have said that nothing was drawn for it, and where
	 * the card before it went must be on the disk: the device remembers one
	 * card, so after a crash nobody could tell any more. */
	if (c->intent_lsn > l->durable_lsn || st->binned_lsn > l->durable_lsn ||
	    !cw_ln_station_settled(l, st))
		return false;
	if (look_for_card(l, st))
		return true;
	if (give_back(l, st)) {
		cw_ln_station_verdict(l, st, CW_CARD_NONE, CW_OUT_NOT_FED);
		return true;
	}
	if (l->now < st->retry_us || !cw_ln_may_feed(l, st) ||
	    c->order->state != CW_ORDER_RUN ||
	    (c->order->image != NULL && !cw_ln_reader_holds(
	    &l->reader[st->reader], c->order->image)))
		return false;
	if (command(l, st, CW_DEVCMD_FEED) < 0)
		return false;
	cw_ln_set_state(l, st, CW_LN_FEED);
	return true;
}

static bool
step_feed(struct cw_line *l, struct cw_ln_station *st)
{
	command_check(l, st);
	if (!cw_ln_station_settled(l, st))
		return false;
	if (!look_for_card(l, st)) {
		cw_ln_set_state(l, st, CW_LN_INTENT);
		st->retry_us = l->now + FEED_RETRY_US;
	}
	return true;
}

/* Away since when; true when the reader counts as lost. */
static bool
reader_lost(struct cw_line *l, struct cw_ln_station *st)
{
	if (l->reader[st->reader].ready) {
		st->lost_us = 0;
		return false;
	}
	if (st->lost_us == 0)
		st->lost_us = l->now;
	return cw_ln_due(l, st->lost_us, l->cfg.reader_lost_ms);
}

static bool
step_seat(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_ln_reader *r = &l->reader[st->reader];

	if (cw_ln_station_settled(l, st) &&
	    dev_of(l, st)->last_card == st->cur.end.card_no) {
		card_gone(l, st);
		return true;
	}
	if (reader_lost(l, st)) {
		cw_ln_station_verdict(l, st, CW_CARD_REJECT, CW_OUT_READER_LOST);
		return true;
	}
	if (!r->ready)
		return false;
	if (st->cur.order != NULL && st->cur.order->image != NULL &&
	    !cw_ln_reader_holds(r, st->cur.order->image))
		return false;	/* it restarted: its image is on the way again */

	/* The reader must see it too, and see that it is another card. */
	if (st->present == 0 ||
	    (st->present == 1 && st->session == st->session_used)) {
		if (!cw_ln_due(l, st->cur.in_us, l->cfg.presence_ms))
			return false;
		cw_ln_station_verdict(l, st, CW_CARD_REJECT, CW_OUT_MUTE);
		return true;
	}
	st->session_used = st->present == 1 ? st->session : 0;

	/* The journal's number, unless the slot has seen a higher one: from
	 * another terminal, or from this one with another journal. */
	st->cur.run = st->cur.end.attempt > st->last_attempt ?
	    st->cur.end.attempt : st->last_attempt + 1;
	st->last_attempt = st->cur.run + CW_LN_PROGS - 1;
	st->run_us = l->now;
	cw_ln_set_state(l, st, CW_LN_RUN);
	return true;
}

static bool
step_run(struct cw_line *l, struct cw_ln_station *st)
{
	if (reader_lost(l, st)) {
		cw_ln_station_lost(l, st, "the reader was away too long");
		return true;
	}
	if (cw_ln_due(l, st->run_us, l->cfg.card_max_ms)) {
		cw_ln_reader_simple(l, st, CW_RL_ABORT, 0);
		cw_ln_station_lost(l, st, "its program takes too long");
		return true;
	}
	if (l->reader[st->reader].ready)
		cw_ln_reader_run(l, st);
	if (!l->cfg.no_prefetch && !st->next.used && cw_ln_may_feed(l, st))
		cw_ln_begin(l, st, &st->next);
	return false;
}

static bool
step_verdict(struct cw_line *l, struct cw_ln_station *st)
{
	struct cw_ln_card *c = &st->cur;
	int64_t lsn;

	if (c->result_lsn == 0) {
		lsn = cw_ln_append(l, CW_LN_RESULT, l->scratch,
		    cw_ln_put_result(l->scratch, sizeof l->scratch, &c->end));
		if (lsn < 0)
			return false;
		c->result_lsn = (uint64_t)lsn;
		cw_ln_wait(l, &(struct cw_ln_wait){ .lsn = (uint64_t)lsn,
		    .kind = CW_LN_WAIT_STATION, .station = st->idx });
	}
	if (c->result_lsn > l->durable_lsn)
		return false;
	cw_ln_reader_ack(l, st);
	st->end_bin = CW_DEVBIN_NONE;
	cw_ln_set_state(l, st, c->end.verdict == CW_CARD_NONE ? CW_LN_BINNED :
	    CW_LN_BIN);
	return true;
}

static bool
step_bin(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_dev_station *dv = dev_of(l, st);
	const struct cw_ln_end *e = &st->cur.end;

	command_check(l, st);
	if (!cw_ln_station_settled(l, st))
		return false;
	if (dv->last_card == e->card_no && e->card_no != 0) {
		st->end_bin = dv->last_bin;
		cw_ln_set_state(l, st, CW_LN_BINNED);
		return true;
	}
	if (dv->state == CW_DEVST_CARD && dv->card_no == e->card_no) {
		if (l->now < st->retry_us)
			return false;
		if (st->cmd_tries == CMD_TRIES_MAX)
			cw_ln_station_stick(l, st, "the device does not bin "
			    "card %u (%u)", e->card_no, dv->result);
		command(l, st, e->verdict == CW_CARD_GOOD && !l->fenced ?
		    CW_DEVCMD_GOOD : CW_DEVCMD_REJECT);
		st->retry_us = l->now + FEED_RETRY_US;
		return false;
	}
	cw_ln_station_stick(l, st, "card %u gone, count by hand", e->card_no);
	st->end_bin = CW_DEVBIN_LOST;
	cw_ln_set_state(l, st, CW_LN_BINNED);
	return true;
}

/* Where the card went has the last word. */
static void
settle_verdict(struct cw_line *l, struct cw_ln_station *st)
{
	struct cw_ln_end *e = &st->cur.end;
	uint8_t bin = st->end_bin;

	if (e->verdict == CW_CARD_NONE)
		return;
	if (e->verdict == CW_CARD_GOOD && bin != CW_DEVBIN_GOOD) {
		e->verdict = bin == CW_DEVBIN_REJECT ? CW_CARD_REJECT :
		    CW_CARD_DOUBT;
		e->outcome = CW_OUT_DEVICE;
	} else if (e->verdict != CW_CARD_GOOD && bin == CW_DEVBIN_GOOD) {
		e->verdict = CW_CARD_DOUBT;
		e->outcome = CW_OUT_DEVICE;
		cw_ln_station_stick(l, st, "take card %u out of the good bin",
		    e->card_no);
	} else if (e->verdict == CW_CARD_REJECT && bin != CW_DEVBIN_REJECT) {
		/* Not in the bin that is destroyed: where it is nobody knows. */
		if ((st->cur.prog[CW_LN_PERSO].flags & CW_RES_TOUCHED) != 0)
			e->verdict = CW_CARD_DOUBT;
		cw_ln_log(l, CW_LINE_WARN, "card.missing", "station=%u card=%u: "
		    "it is in no bin; look for it at the machine",
		    st->idx + 1u, e->card_no);
	}
}

static void
note_end(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_ln_end *e = &st->cur.end;

	st->last_outcome = e->outcome;
	switch (e->verdict) {
	case CW_CARD_GOOD:
		st->good++;
		l->counts.good++;
		st->fails = 0;
		break;
	case CW_CARD_REJECT:
		st->reject++;
		l->counts.reject++;
		st->fails++;
		break;
	case CW_CARD_DOUBT:
		st->doubt++;
		l->counts.doubt++;
		st->fails++;
		break;
	default:
		l->counts.none++;
		break;
	}
	cw_ln_log(l, e->verdict == CW_CARD_GOOD ? CW_LINE_DEBUG : CW_LINE_INFO,
	    "card.end", "station=%u card=%u order=%llu record=%llu epoch=%u "
	    "verdict=%u outcome=%s sw=%04X step=%u", st->idx + 1u, e->card_no,
	    (unsigned long long)e->order, (unsigned long long)e->record,
	    e->epoch, e->verdict, cw_outcome_word(e->outcome), e->sw, e->step);
	if (e->verdict != CW_CARD_NONE)
		st->faults = e->outcome == CW_OUT_READER ? st->faults + 1u : 0;
	if (l->cfg.quarantine == 0xFFFF || st->stuck)
		return;
	if (st->faults >= FAULTS_MAX)
		cw_ln_station_stick(l, st, "reader fault, %u in a row: see to the "
		    "reader and its log", st->faults);
	else if (st->fails >= l->cfg.quarantine)
		cw_ln_station_stick(l, st, "%u rejects in a row, last %s: see "
		    "to reader", st->fails, cw_outcome_word(e->outcome));
}

static bool
step_binned(struct cw_line *l, struct cw_ln_station *st)
{
	struct cw_ln_card *c = &st->cur;
	struct cw_ln_binned m = { .station = st->idx, .bin = st->end_bin };
	uint8_t buf[48];
	int64_t lsn;

	settle_verdict(l, st);
	m.attempt = c->end.attempt;
	m.seq = l->next_seq;
	m.verdict = c->end.verdict;
	m.outcome = c->end.outcome;
	m.card_no = c->end.card_no;
	lsn = cw_ln_append(l, CW_LN_BINNED_REC, buf,
	    cw_ln_put_binned(buf, sizeof buf, &m));
	if (lsn < 0)
		return false;
	note_end(l, st);
	if (c->end.verdict != CW_CARD_NONE) {
		st->binned_lsn = (uint64_t)lsn;
		cw_ln_wait(l, &(struct cw_ln_wait){ .lsn = (uint64_t)lsn,
		    .kind = CW_LN_WAIT_STATION, .station = st->idx });
	}

	/* Out of memory: the number is used, so a restart must send it. */
	if (cw_ln_out_add(l, l->next_seq, (uint64_t)lsn, &c->end) < 0)
		cw_line_disk(l, CW_EIO, l->now);
	l->next_seq++;
	l->begun--;
	if (c->order != NULL)
		c->order->begun--;
	l->pull_dirty = true;

	/* Whatever the reader still shows is the card that has left. */
	if (st->present == 1)
		st->session_used = st->session;
	cw_ln_card_wipe(c);
	cw_ln_set_state(l, st, CW_LN_IDLE);
	return true;
}

static bool
step_recover(struct cw_line *l, struct cw_ln_station *st)
{
	cw_ln_recover_step(l, st);
	return st->state != CW_LN_RECOVER;
}

static bool (*const step_table[])(struct cw_line *, struct cw_ln_station *) = {
	[CW_LN_IDLE] = step_idle,
	[CW_LN_INTENT] = step_intent,
	[CW_LN_FEED] = step_feed,
	[CW_LN_SEAT] = step_seat,
	[CW_LN_RUN] = step_run,
	[CW_LN_VERDICT] = step_verdict,
	[CW_LN_BIN] = step_bin,
	[CW_LN_BINNED] = step_binned,
	[CW_LN_RECOVER] = step_recover,
};

void
cw_ln_station_step(struct cw_line *l, struct cw_ln_station *st)
{
	for (int i = 0; i < STEPS_MAX; i++)
		if (!step_table[st->state](l, st))
			break;
}

/* A failure after personal bytes that leaves no doubt about the card. */
static bool
certain(uint16_t outcome)
{
	return outcome == CW_OUT_SW || outcome == CW_OUT_COMPARE ||
	    outcome == CW_OUT_NO_COS;
}

static bool
prog_good(const struct cw_ln_prog *p)
{
	return p->state == CW_LN_RUN_NONE ||
	    (p->state == CW_LN_RUN_ENDED && p->outcome == CW_OUT_GOOD);
}

void
cw_ln_station_judge(struct cw_line *l, struct cw_ln_station *st)
{
	struct cw_ln_card *c = &st->cur;
	const struct cw_ln_prog *burn = &c->prog[CW_LN_BURN];
	const struct cw_ln_prog *perso = &c->prog[CW_LN_PERSO];
	const struct cw_ln_prog *told;
	uint16_t outcome;

	if (st->state != CW_LN_RUN)
		return;
	for (unsigned int k = 0; k < CW_LN_PROGS; k++)
		if (c->prog[k].state != CW_LN_RUN_NONE &&
		    c->prog[k].state != CW_LN_RUN_ENDED)
			return;
	told = !prog_good(burn) || perso->state == CW_LN_RUN_NONE ? burn : perso;
	c->end.sw = told->sw;
	c->end.step = told->step;
	outcome = told->outcome;

	/* Skipped behind a good burn: the link went in between. */
	if (told == perso && outcome == CW_OUT_SKIPPED)
		outcome = CW_OUT_READER_LOST;
	if (prog_good(burn) && prog_good(perso))
		cw_ln_station_verdict(l, st, CW_CARD_GOOD, CW_OUT_GOOD);
	else if ((perso->flags & CW_RES_TOUCHED) != 0 && !certain(perso->outcome))
		cw_ln_station_verdict(l, st, CW_CARD_DOUBT, outcome);
	else
		cw_ln_station_verdict(l, st, CW_CARD_REJECT, outcome);
}

void
cw_ln_station_lost(struct cw_line *l, struct cw_ln_station *st, const char *why)
{
	cw_ln_log(l, CW_LINE_WARN, "card.lost", "station=%u card=%u: %s",
	    st->idx + 1u, st->cur.end.card_no, why);
	for (unsigned int k = 0; k < CW_LN_PROGS; k++) {
		struct cw_ln_prog *p = &st->cur.prog[k];

		if (p->state == CW_LN_RUN_NONE || p->state == CW_LN_RUN_ENDED)
			continue;
		if (k == CW_LN_PERSO && p->state != CW_LN_RUN_WAIT)
			p->flags |= CW_RES_TOUCHED;
		p->outcome = CW_OUT_READER_LOST;
		p->state = CW_LN_RUN_ENDED;
	}
	cw_ln_station_judge(l, st);
}

void
cw_ln_station_check(const struct cw_line *l, const struct cw_ln_station *st)
{
	const struct cw_ln_card *c = &st->cur;

	CW_ASSERT((st->state == CW_LN_IDLE) == !c->used);
	CW_ASSERT(!st->next.used || c->used || st->state == CW_LN_IDLE);
	if (st->state >= CW_LN_FEED && st->state <= CW_LN_RUN)
		CW_ASSERT(c->intent_lsn <= l->durable_lsn && c->order != NULL);
	if (st->state == CW_LN_FEED)
		CW_ASSERT(st->binned_lsn <= l->durable_lsn);
	if (st->state == CW_LN_SEAT || st->state == CW_LN_RUN ||
	    st->state == CW_LN_BIN)
		CW_ASSERT(c->end.card_no != 0);
	if (st->state == CW_LN_BIN)
		CW_ASSERT(c->end.verdict != 0 && c->result_lsn <= l->durable_lsn);
	if (st->cmd_open && st->cmd == CW_DEVCMD_GOOD)
		CW_ASSERT(c->end.verdict == CW_CARD_GOOD &&
		    c->result_lsn <= l->durable_lsn);
	if (st->state < CW_LN_VERDICT)
		CW_ASSERT(c->end.verdict == 0);
}
