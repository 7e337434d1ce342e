/* SPDX-License-Identifier: Apache-2.0 */
/* What a RESULT, REVOKED or REFUSED does to records and orders. */
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "cw/outcome.h"
#include "platform/ledger_priv.h"

bool
cw_ledger_blank_fault(uint16_t outcome, uint8_t verdict)
{
	static const uint16_t blank[] = { CW_OUT_MUTE, CW_OUT_ATR_BAD,
	    CW_OUT_ATR_OTHER, CW_OUT_PPS_FAIL, CW_OUT_SKIPPED, CW_OUT_NO_BOOT,
	    CW_OUT_OVERCURRENT, CW_OUT_READER };
	size_t i;

	for (i = 0; i < sizeof blank / sizeof blank[0]; i++)
		if (verdict == CW_CARD_REJECT && outcome == blank[i])
			return true;
	return false;
}

void
cw_lg_drop_lease(struct lg_term *t, uint64_t order, uint64_t record, uint32_t epoch)
{
	unsigned int i;

	for (i = 0; i < t->lease_cnt; i++) {
		if (t->lease[i].order != order || t->lease[i].record != record ||
		    t->lease[i].epoch != epoch)
			continue;
		t->lease[i] = t->lease[--t->lease_cnt];
		return;
	}
}

/* Whether a record of this order that is free is cancelled at once.  While
 * leases are held back it waits for what terminals may still tell of it. */
static bool
is_ending(struct cw_ledger *l, const struct cw_st_order *o)
{
	return (o->state == CW_ORD_CANCELLING && cw_lg_held(l) == 0) || o->state == CW_ORD_CANCELLED ||
	    o->state == CW_ORD_CLOSED;
}

/* State after a card that went wrong: the order's remake policy. */
static uint8_t
after_wrong(const struct cw_st_order *o, struct cw_st_record *rec,
    const struct cw_pl_result *m)
{
	bool doubt = m->verdict != CW_CARD_REJECT;

	if (cw_ledger_blank_fault(m->outcome, m->verdict)) {
		rec->blanks++;
		return rec->blanks >= o->blank_max ? CW_REC_FAILED : CW_REC_WAITING;
	}
	rec->tries++;
	if (doubt && o->doubt == CW_DOUBT_HOLD)
		return CW_REC_IN_DOUBT;
	if (rec->tries >= o->remake_max)
		return doubt ? CW_REC_IN_DOUBT : CW_REC_FAILED;
	return CW_REC_WAITING;
}

/* The order as it is in this flush, read once: its counts are not kept up. */
static int
order_now(struct cw_ledger *l, uint64_t id, const struct cw_st_order **o)
{
	int err = 0;

	if (!l->order_known || l->order.id != id)
		err = l->ops->order_get(l->h, id, &l->order);
	l->order_known = err == 0;
	*o = &l->order;
	return err;
}

/* Moves a LEASED record on; CANCELLED and ISSUED take the payload with them. */
static int
end_lease(struct cw_ledger *l, struct cw_st_record *rec,
    const struct cw_st_order *o, uint8_t to)
{
	int err;

	if (to == CW_REC_WAITING && is_ending(l, o))
		to = CW_REC_CANCELLED;
	rec->state = to;
	err = l->ops->record_set(l->h, CW_REC_LEASED, rec);
	l->work = l->work || to == CW_REC_WAITING;
	cw_lg_touch(l, rec->order);
	return err;
}

static void
fill_result(struct cw_st_result *r, const struct lg_term *t,
    const struct cw_pl_result *m)
{
	memset(r, 0, sizeof *r);
	r->order = m->order;
	r->record = m->record;
	r->epoch = m->epoch;
	r->term = t->row.id;
	r->incarnation = t->row.incarnation;
	r->seq = m->seq;
	r->verdict = m->verdict;
	r->outcome = m->outcome;
	r->sw = m->sw;
	r->step = m->step;
	r->station = m->station;
	r->reader = m->reader;
	r->card_no = m->card_no;
	r->ms = m->ms;
	r->time_ms = m->time_ms;
	r->serial_len = m->serial_len > sizeof r->serial ?
	    (uint8_t)sizeof r->serial : m->serial_len;
	memcpy(r->serial, m->serial, r->serial_len);
	r->atr_len = m->atr_len > sizeof r->atr ? (uint8_t)sizeof r->atr : m->atr_len;
	memcpy(r->atr, m->atr, r->atr_len);
	r->trace = m->trace;
	r->trace_len = m->trace_len;
}

/* A card that no open lease accounts for: kept as evidence, and told. */
static int
keep_stray(struct cw_ledger *l, const struct lg_term *t, struct cw_st_result *r)
{
	int err;

	r->stray = true;
	err = l->ops->result_add(l->h, r);
	if (err < 0)
		return err;
	if (r->record == 0)
		return cw_lg_event(l, 0, "%s found card %u at station %u where no "
		    "lease had one drawn; it was rejected (verdict %u)", t->name,
		    r->card_no, r->station, r->verdict);
	return cw_lg_event(l, r->order, "%s reported a card (verdict %u) for record "
	    "%llu attempt %u, which it did not hold: find card %u and destroy it",
	    t->name, r->verdict, (unsigned long long)r->record, r->epoch,
	    r->card_no);
}

/*
 * What a journal that was written off still says.  Its lease has ended as in
 * doubt; but if the store has forgotten that lease, the record would be leased
 * anew although there is a card.
 */
static int
keep_evidence(struct cw_ledger *l, struct lg_term *t, struct cw_st_result *r)
{
	struct cw_st_record rec;
	uint8_t was;
	int err;

	r->incarnation = t->row.old_incarnation;
	r->stray = r->evidence = true;
	err = l->ops->result_add(l->h, r);
	if (err == CW_EEXIST)
		return 0;
	if (err == 0)
		err = cw_lg_event(l, r->order, "evidence after write-off, %s: card %u, "
		    "verdict %u, record %llu attempt %u; it belongs to the rejects",
		    t->name, r->card_no, r->verdict, (unsigned long long)r->record,
		    r->epoch);
	if (err == 0)
		err = l->ops->record_get(l->h, r->order, r->record, &rec);
	if (err < 0)
		return err == CW_ENOENT ? 0 : err;
	was = rec.state;
	if (rec.epoch >= r->epoch || r->verdict == CW_CARD_NONE ||
	    was == CW_REC_ISSUED || was == CW_REC_CANCELLED)
		return 0;
	rec.epoch = r->epoch;
	rec.state = CW_REC_IN_DOUBT;
	cw_lg_touch(l, r->order);
	return l->ops->record_set(l->h, was, &rec);
}

static int
apply_evidence(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_result *m)
{
	struct cw_st_result r;
	int err;

	t->ack_due = true;
	if (m->seq <= t->row.old_acked)
		return 0;
	fill_result(&r, t, m);
	err = keep_evidence(l, t, &r);
	if (err < 0)
		return err;
	t->row.old_acked = m->seq;
	t->row_dirty = true;
	return 0;
}

void
cw_lg_take_back(struct cw_ledger *l, uint64_t order, uint64_t record)
{
	unsigned int i, k;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
		for (k = 0; l->term[i].used && k < l->term[i].lease_cnt; k++) {
			struct lg_lease *e = &l->term[i].lease[k];

			if (e->order != order ||
			    (record != 0 && e->record != record))
				continue;
			e->revoke = true;
			e->next_ms = 0;
		}
}

/*
 * A result of an attempt that this store has never given, or has given to
 * another terminal: the store is older than the plant.  The result stands, and
 * if that is news, nothing is leased until all have told theirs.
 */
static int
adopt(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_result *m,
    struct cw_st_result *r, struct cw_st_record *rec)
{
	struct cw_st_order o;
	uint8_t was = rec->state;
	char why[100];
	int err = l->ops->order_get(l->h, m->order, &o);

	if (err == 0)
		err = l->ops->result_add(l->h, r);
	if (err == CW_EEXIST)
		return keep_stray(l, t, r);
	if (err == 0 && !t->row.hold) {
		snprintf(why, sizeof why, "%.30s has a card of an attempt that was "
		    "never given", t->name);
		err = cw_lg_hold_all(l, why);
	}
	if (err < 0)
		return err;
	cw_lg_take_back(l, m->order, m->record);
	rec->epoch = m->epoch;
	rec->term = t->row.id;
	rec->outcome = r->outcome;
	rec->sw = r->sw;
	if (r->verdict == CW_CARD_GOOD)
		rec->state = CW_REC_ISSUED;
	else if (was == CW_REC_WAITING || was == CW_REC_LEASED)
		rec->state = r->verdict == CW_CARD_NONE ? CW_REC_WAITING :
		    after_wrong(&o, rec, m);
	if (rec->state == CW_REC_WAITING && is_ending(l, &o))
		rec->state = CW_REC_CANCELLED;
	err = l->ops->record_set(l->h, was, rec);
	cw_lg_touch(l, rec->order);
	return err;
}

/* The result of a lease that is not open (any more). */
static int
record_other(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_result *m,
    struct cw_st_result *r, struct cw_st_record *rec)
{
	int err;

	if (rec->state != CW_REC_ISSUED && (m->epoch > rec->epoch ||
	    (m->epoch == rec->epoch && rec->state == CW_REC_LEASED &&
	    r->verdict == CW_CARD_GOOD)))
		return adopt(l, t, m, r, rec);

	/* Told again after a later attempt was. */
	if (t->row.hold && m->epoch < rec->epoch &&
	    (r->verdict != CW_CARD_GOOD || rec->state != CW_REC_ISSUED)) {
		err = l->ops->result_add(l->h, r);
		if (err != CW_EEXIST)
			return err;
	}
	return keep_stray(l, t, r);
}

static int
record_result(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_result *m)
{
	struct cw_st_record rec;
	const struct cw_st_order *o;
	struct cw_st_result r;
	int err;

	fill_result(&r, t, m);
	if (r.verdict < CW_CARD_GOOD || r.verdict > CW_CARD_NONE)
		r.verdict = CW_CARD_DOUBT;
	err = l->ops->record_get(l->h, m->order, m->record, &rec);
	if (err == CW_ENOENT)
		return keep_stray(l, t, &r);
	if (err < 0)
		return err;
	if (rec.state != CW_REC_LEASED || rec.epoch != m->epoch ||
	    rec.term != t->row.id)
		return record_other(l, t, m, &r, &rec);
	err = order_now(l, m->order, &o);
	if (err == 0)
		err = l->ops->result_add(l->h, &r);
	if (err < 0)
		return err;

	cw_lg_drop_lease(t, m->order, m->record, m->epoch);
	rec.outcome = r.outcome;
	rec.sw = r.sw;
	if (r.verdict == CW_CARD_GOOD)
		return end_lease(l, &rec, o, CW_REC_ISSUED);
	if (r.verdict == CW_CARD_NONE)
		return end_lease(l, &rec, o, CW_REC_WAITING);
	return end_lease(l, &rec, o, after_wrong(o, &rec, m));
}

static int
apply_result(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_result *m)
{
	int err;

	/* Known already: the ACK was lost. */
	if (m->seq <= t->row.acked_seq) {
		t->ack_due = true;
		return 0;
	}
	/* A gap: the terminal repeats what is missing, and this one with it. */
	if (m->seq != t->row.acked_seq + 1)
		return 0;
	err = record_result(l, t, m);
	if (err < 0)
		return err;
	t->row.acked_seq = m->seq;
	t->row.dev_fresh = false;
	t->row_dirty = true;
	t->ack_due = true;
	return 0;
}

static int
apply_revoked(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_revoke *m)
{
	struct cw_st_record rec;
	struct cw_st_order o;
	int err;

	err = l->ops->record_get(l->h, m->order, m->record, &rec);
	if (err == CW_ENOENT)
		return 0;
	if (err < 0)
		return err;
	cw_lg_drop_lease(t, m->order, m->record, m->epoch);
	if (rec.state != CW_REC_LEASED || rec.epoch != m->epoch ||
	    rec.term != t->row.id)
		return 0;
	err = l->ops->order_get(l->h, m->order, &o);
	if (err < 0)
		return err;
	return end_lease(l, &rec, &o, CW_REC_WAITING);
}

/* The terminal cannot do it: a person must look, so the order stops. */
static int
apply_refused(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_refused *m)
{
	struct cw_st_order o;
	unsigned int i;
	int err;

	for (i = 0; i < t->lease_cnt; i++)
		if (t->lease[i].order == m->order &&
		    (m->record == 0 || (t->lease[i].record == m->record &&
		    t->lease[i].epoch == m->epoch))) {
			t->lease[i].revoke = true;
			t->lease[i].next_ms = 0;
		}
	err = l->ops->order_get(l->h, m->order, &o);
	if (err == CW_ENOENT)
		return 0;
	if (err < 0)
		return err;
	if (o.state != CW_ORD_READY && o.state != CW_ORD_RUNNING)
		return 0;
	o.state = CW_ORD_BLOCKED;
	snprintf(o.reason, sizeof o.reason, "%.60s: %.130s", t->name, m->text);
	cw_lg_take_back(l, o.id, 0);
	l->order_known = false;
	err = l->ops->order_put(l->h, &o);
	if (err == 0)
		err = cw_lg_event(l, o.id, "blocked: %.190s", o.reason);
	cw_lg_touch(l, o.id);
	return err;
}

int
cw_lg_apply_notes(struct cw_ledger *l)
{
	const struct lg_note *n;
	struct lg_term *t;
	unsigned int i;
	int err = 0;

	l->order_known = false;
	for (i = 0; i < l->note_cnt && err == 0; i++) {
		n = &l->note[i];
		t = &l->term[n->term];
		if (!t->used || t->conn != n->conn)
			continue;	/* it will repeat on its new connection */
		if (t->evidence)
			err = n->type == CW_PL_RESULT ?
			    apply_evidence(l, t, &n->u.result) : 0;
		else if (n->type == CW_PL_RESULT)
			err = apply_result(l, t, &n->u.result);
		else if (n->type == CW_PL_REVOKED)
			err = apply_revoked(l, t, &n->u.revoked);
		else
			err = apply_refused(l, t, &n->u.refused);
	}
	l->note_cnt = 0;
	l->arena_len = 0;
	return err;
}

/* Ends one order if nothing of it is open; notes a state to be told. */
static int
settle_order(struct cw_ledger *l, uint64_t id)
{
	struct cw_st_order o;
	uint8_t was;
	int err;

	err = l->ops->order_get(l->h, id, &o);
	if (err < 0)
		return err == CW_ENOENT ? 0 : err;
	was = o.state;
	if (o.state == CW_ORD_INTAKE || o.state == CW_ORD_DONE ||
	    o.state == CW_ORD_CLOSED || o.state == CW_ORD_CANCELLED)
		return 0;
	if (o.counts.rec[CW_REC_WAITING] == 0 && o.counts.rec[CW_REC_LEASED] == 0) {
		o.state = o.state == CW_ORD_CANCELLING ? CW_ORD_CANCELLED :
		    CW_ORD_DONE;
		o.ended_ms = cw_lg_utc(l);
		err = l->ops->order_put(l->h, &o);
		if (err == 0)
			err = cw_lg_event(l, id, "%s: %llu issued, %llu failed, %llu in "
			    "doubt, %llu cancelled", cw_order_state_word(o.state),
			    (unsigned long long)o.counts.rec[CW_REC_ISSUED],
			    (unsigned long long)o.counts.rec[CW_REC_FAILED],
			    (unsigned long long)o.counts.rec[CW_REC_IN_DOUBT],
			    (unsigned long long)o.counts.rec[CW_REC_CANCELLED]);
	}
	if (err < 0 || (o.state == was && o.state != CW_ORD_BLOCKED))
		return err;
	if (l->tell_cnt == LG_TOUCHED_MAX)
		l->tell_more = true;
	else
		l->tell[l->tell_cnt++] = (struct cw_pl_order_state_msg){ o.id,
		    cw_lg_wire_state(&o) };
	return 0;
}

/* When more orders were touched than could be noted. */
static int
settle_all(struct cw_ledger *l)
{
	struct cw_st_page page = { .states = CW_ST_BIT(CW_ORD_READY) |
	    CW_ST_BIT(CW_ORD_RUNNING) | CW_ST_BIT(CW_ORD_PAUSED) |
	    CW_ST_BIT(CW_ORD_BLOCKED) | CW_ST_BIT(CW_ORD_CANCELLING) };
	struct cw_st_order o;
	int n, err = 0;

	while (err == 0 && (n = l->ops->order_list(l->h, &page, &o, 1)) > 0) {
		page.after = o.id;
		err = settle_order(l, o.id);
	}
	return err < 0 ? err : n < 0 ? n : 0;
}

int
cw_lg_settle_orders(struct cw_ledger *l)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < l->touched_cnt && err == 0; i++)
		err = settle_order(l, l->touched[i]);
	if (err == 0 && l->touched_more)
		err = settle_all(l);
	l->touched_cnt = 0;
	l->touched_more = false;
	return err;
}
