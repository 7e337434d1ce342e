/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may do to an order or a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "cw/outcome.h"
#include "platform/ledger_priv.h"

#define BIT(name) CW_ST_BIT(CW_ORD_##name)

/* A transaction with the order read; what was noted before is settled first. */
static int
op_begin(struct cw_ledger *l, uint64_t order, struct cw_st_order *o, uint64_t now_ms)
{
	int err;

	err = cw_ledger_flush(l, now_ms);
	if (err == 0)
		err = l->ops->begin(l->h);
	if (err < 0)
		return err;
	err = l->ops->order_get(l->h, order, o);
	if (err == 0 && o->state == CW_ORD_INTAKE)
		err = CW_ENOENT;
	if (err < 0)
		(void)l->ops->rollback(l->h);
	return err;
}

static int
op_end(struct cw_ledger *l, int err)
{
	if (err < 0) {
		(void)l->ops->rollback(l->h);
		return err;
	}
	return l->ops->commit(l->h);
}

struct change {
	uint64_t order;
	uint32_t from;		/* states it is allowed in */
	uint32_t same;		/* states in which there is nothing to do */
	uint8_t to;
	const char *word, *why;
};

/* The common form: one state to another, with an event; *done: it changed. */
static int
change_state(struct cw_ledger *l, const struct change *c, uint64_t now_ms,
    bool *done)
{
	struct cw_st_order o;
	int err;

	*done = false;
	err = op_begin(l, c->order, &o, now_ms);
	if (err < 0)
		return err;
	if ((CW_ST_BIT(o.state) & c->same) != 0)
		return op_end(l, 0);
	if ((CW_ST_BIT(o.state) & c->from) == 0)
		return op_end(l, CW_ESTATE);
	o.state = c->to;
	if (c->to == CW_ORD_RUNNING && o.started_ms == 0)
		o.state = CW_ORD_READY;
	snprintf(o.reason, sizeof o.reason, "%.190s", c->why == NULL ? "" : c->why);
	err = l->ops->order_put(l->h, &o);
	if (err == 0)
		err = cw_lg_event(l, o.id, "%s%s%.150s", c->word,
		    o.reason[0] != '\0' ? ": " : "", o.reason);
	err = op_end(l, err);
	if (err < 0)
		return err;
	*done = true;
	l->work = true;
	cw_lg_tell_state(l, o.id, cw_lg_wire_state(&o));
	return 0;
}

int
cw_ledger_pause(struct cw_ledger *l, uint64_t order, const char *why, uint64_t now_ms)
{
	const struct change c = { order, BIT(READY) | BIT(RUNNING), BIT(PAUSED),
	    CW_ORD_PAUSED, "paused", why };
	bool done;
	int err;

	err = change_state(l, &c, now_ms, &done);
	if (err < 0 || !done)
		return err;

	/* Left where they are they would use up the credit of the line, and
	 * other orders would wait for this one. */
	cw_lg_take_back(l, order, 0);
	return cw_ledger_flush(l, now_ms);
}

int
cw_ledger_resume(struct cw_ledger *l, uint64_t order, const char *why, uint64_t now_ms)
{
	const struct change c = { order, BIT(PAUSED) | BIT(BLOCKED),
	    BIT(READY) | BIT(RUNNING), CW_ORD_RUNNING, "resumed", why };
	bool done;
	int err;

	err = change_state(l, &c, now_ms, &done);
	return err < 0 ? err : cw_ledger_flush(l, now_ms);
}

int
cw_ledger_cancel(struct cw_ledger *l, uint64_t order, const char *why, uint64_t now_ms)
{
	const struct change c = { order,
	    BIT(READY) | BIT(RUNNING) | BIT(PAUSED) | BIT(BLOCKED),
	    BIT(CANCELLING) | BIT(CANCELLED), CW_ORD_CANCELLING,
	    "cancelled by an operator", why };
	bool done;
	int err;

	err = change_state(l, &c, now_ms, &done);
	if (err < 0 || !done)
		return err;

	/* Leases come back by REVOKED or RESULT; nothing is taken by force. */
	cw_lg_take_back(l, order, 0);
	return cw_ledger_tick(l, now_ms);
}

/* While a line makes cards of another order, its machine's counters are always
 * older than its last result. */
static bool
is_busy(const struct cw_ledger *l, const char *name)
{
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
		if (l->term[i].used && l->term[i].greeted && l->term[i].lease_cnt > 0 &&
		    l->term[i].row.dev_known && strcmp(l->term[i].name, name) == 0)
			return true;
	return false;
}

/* 0; CW_EBUSY: the sums of this ended order do not agree, or the counters of a
 * machine that made cards are not known. */
static int
check_sums(struct cw_ledger *l, uint64_t order)
{
	struct cw_ledger_report *r = calloc(1, sizeof *r);
	unsigned int i;
	int err = r == NULL ? CW_ENOMEM :
	    cw_ledger_report(l->cfg.store, order, r);

	if (err == 0 && (r->order.state == CW_ORD_DONE ||
	    r->order.state == CW_ORD_CANCELLED)) {
		err = r->adds_up ? 0 : CW_EBUSY;
		for (i = 0; i < r->term_cnt && err == 0; i++)
			if (r->term[i].dev == CW_COUNTERS_UNKNOWN &&
			    !is_busy(l, r->term[i].name))
				err = CW_EBUSY;
	}
	free(r);
	return err;
}

int
cw_ledger_close_order(struct cw_ledger *l, uint64_t order, const char *why,
    uint64_t now_ms)
{
	const struct change c = { order, BIT(DONE) | BIT(CANCELLED), BIT(CLOSED),
	    CW_ORD_CLOSED, "closed", why };
	static const uint8_t with_payload[] = { CW_REC_FAILED, CW_REC_IN_DOUBT };
	struct cw_st_move m;
	struct cw_st_order o;
	bool done;
	size_t i;
	int n;

	/* One that does not add up is closed only on somebody's word. */
	n = cw_ledger_flush(l, now_ms);
	if (n == 0 && (why == NULL || why[0] == '\0'))
		n = check_sums(l, order);
	if (n < 0)
		return n;

	/* Payloads first: an order that says CLOSED holds none. */
	for (i = 0; i < sizeof with_payload; i++) {
		m = (struct cw_st_move){ .order = order, .from = with_payload[i],
		    .to = with_payload[i], .destroy = true, .max = LG_MOVE_STEP };
		do {
			n = op_begin(l, order, &o, now_ms);
			if (n < 0)
				return n;
			n = (CW_ST_BIT(o.state) & c.from) == 0 ? 0 :
			    l->ops->record_move(l->h, &m);
			if (op_end(l, n) < 0)
				return n < 0 ? n : CW_EIO;
		} while (n == LG_MOVE_STEP);
	}
	return change_state(l, &c, now_ms, &done);
}

/* One record back to WAITING; 1, or 0 if it is waiting or leased already. */
static int
remake_one(struct cw_ledger *l, const struct cw_st_order *o, struct cw_st_record *r)
{
	uint8_t was = r->state;
	int err;

	if (was == CW_REC_WAITING || was == CW_REC_LEASED)
		return 0;
	if ((was != CW_REC_FAILED && was != CW_REC_IN_DOUBT) ||
	    (o->has_data && !r->has_payload))
		return CW_ESTATE;
	r->state = CW_REC_WAITING;
	r->tries = 0;
	r->blanks = 0;
	err = l->ops->record_set(l->h, was, r);
	return err < 0 ? err : 1;
}

static int
remake_all(struct cw_ledger *l, const struct cw_st_order *o)
{
	struct cw_st_page page = { .states = CW_ST_BIT(CW_REC_FAILED) |
	    CW_ST_BIT(CW_REC_IN_DOUBT) };
	struct cw_st_record r[32];
	int i, n, err, sum = 0;

	do {
		n = l->ops->record_list(l->h, o->id, &page, r, 32);
		for (i = 0; i < n; i++) {
			page.after = r[i].record;
			err = remake_one(l, o, &r[i]);
			if (err < 0 && err != CW_ESTATE)
				return err;
			sum += err == 1;
		}
	} while (n == 32);
	return n < 0 ? n : sum;
}

int
cw_ledger_remake(struct cw_ledger *l, uint64_t order, uint64_t record,
    const char *why, uint64_t now_ms)
{
	struct cw_st_record r;
	struct cw_st_order o;
	int err, n;

	err = op_begin(l, order, &o, now_ms);
	if (err < 0)
		return err;
	if (o.state == CW_ORD_CANCELLING || o.state == CW_ORD_CANCELLED ||
	    o.state == CW_ORD_CLOSED)
		return op_end(l, CW_ESTATE);
	if (record == 0) {
		n = remake_all(l, &o);
	} else {
		n = l->ops->record_get(l->h, order, record, &r);
		if (n == 0)
			n = remake_one(l, &o, &r);
	}
	if (n > 0 && o.state == CW_ORD_DONE) {
		o.state = CW_ORD_RUNNING;
		o.ended_ms = 0;
		err = l->ops->order_put(l->h, &o);
	}
	if (n > 0 && err == 0)
		err = cw_lg_event(l, order, "remake of %d record(s): %.150s", n,
		    why == NULL ? "no reason given" : why);
	err = op_end(l, n < 0 ? n : err);
	if (err < 0)
		return err;
	l->work = true;

	/* Terminals hold the order back since it ended. */
	if (n > 0)
		cw_lg_tell_state(l, order, cw_lg_wire_state(&o));
	err = cw_ledger_flush(l, now_ms);
	return err < 0 ? err : n;
}

/* One lease of a terminal that is given up: the card, if there was one, is in
 * doubt. */
static int
write_off(struct cw_ledger *l, const struct cw_st_term *t, struct cw_st_record *rec)
{
	struct cw_st_result r = { .order = rec->order, .record = rec->record,
	    .epoch = rec->epoch, .term = t->id, .incarnation = t->incarnation,
	    .verdict = CW_CARD_DOUBT, .outcome = CW_OUT_TERMINAL_LOST,
	    .time_ms = cw_lg_utc(l) };
	struct cw_st_order o;
	int err;

	err = l->ops->order_get(l->h, rec->order, &o);
	if (err == 0)
		err = l->ops->result_add(l->h, &r);
	if (err < 0)
		return err;
	rec->outcome = r.outcome;
	rec->sw = 0;
	rec->tries++;
	rec->state = CW_REC_IN_DOUBT;
	cw_lg_touch(l, rec->order);
	return l->ops->record_set(l->h, CW_REC_LEASED, rec);
}

static int
write_off_all(struct cw_ledger *l, const struct cw_ledger_writeoff *w)
{
	struct cw_st_record none = { 0 }, rec;
	struct cw_st_term t;
	int n, err, sum = 0;

	err = l->ops->term_get(l->h, w->terminal, &t);
	if (err < 0)
		return err;
	while ((n = l->ops->record_leased(l->h, t.id, &none, &rec, 1)) > 0) {
		err = write_off(l, &t, &rec);
		if (err < 0)
			return err;
		sum++;
	}
	if (n < 0)
		return n;
	t.old_incarnation = t.incarnation;
	t.old_acked = t.acked_seq;
	t.incarnation = 0;
	t.acked_seq = 0;
	t.dev_known = t.dev_fresh = false;

	/* What it did since the backup nobody will tell. */
	if (t.hold) {
		err = cw_lg_block_for(l, t.name);
		if (err == 0)
			err = cw_lg_release(l, &t);
	} else {
		err = l->ops->term_put(l->h, &t);
	}
	if (err == 0)
		err = cw_lg_event(l, 0, "%.60s written off by %.30s and %.30s: %d open "
		    "lease(s) in doubt; destroy the cards in its bins. %.40s",
		    w->terminal, w->first, w->second, sum,
		    w->why == NULL ? "" : w->why);
	return err < 0 ? err : sum;
}

int
cw_ledger_writeoff(struct cw_ledger *l, const struct cw_ledger_writeoff *w,
    uint64_t now_ms)
{
	unsigned int i;
	int err, n;

	if (w->first == NULL || w->second == NULL || w->first[0] == '\0' ||
	    w->second[0] == '\0' || strcmp(w->first, w->second) == 0)
		return CW_EDENIED;
	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
		if (l->term[i].used && l->term[i].greeted &&
		    strcmp(l->term[i].name, w->terminal) == 0)
			return CW_EBUSY;
	err = cw_ledger_flush(l, now_ms);
	if (err == 0)
		err = l->ops->begin(l->h);
	if (err < 0)
		return err;
	n = write_off_all(l, w);
	err = op_end(l, n);
	if (err < 0) {
		l->touched_cnt = 0;
		l->touched_more = false;
		return err;
	}
	err = cw_ledger_flush(l, now_ms);
	return err < 0 ? err : n;
}
