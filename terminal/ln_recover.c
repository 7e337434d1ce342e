/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery: the journal's records rebuild what was durable, the device's card
 * numbers tell the rest.  And the reverse: the records that a rewritten journal
 * needs.
 *
 * A card number belongs to an INTENT when it is above the last number that the
 * station had then (base_no): the station draws one card after the other, and
 * the next is never fed before the card before it is binned.
 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/outcome.h"
#include "terminal/ln.h"

static bool
newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static void
know(struct cw_ln_station *st, uint32_t card_no)
{
	if (card_no != 0 && (!st->named || newer(card_no, st->known_no)))
		st->known_no = card_no;
	st->named = true;
}

static struct cw_ln_station *
station_of(struct cw_line *l, uint16_t idx)
{
	if (idx < l->station_cnt)
		return &l->station[idx];

	/* Fewer stations than when the journal was written: its cards there
	 * could not be looked for. */
	cw_ln_log(l, CW_LINE_ERROR, "journal.station", "station %u is in the "
	    "journal but not in the configuration: add it again",
	    idx + 1u);
	return NULL;
}

static int
on_state(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_state_rec m;
	int err = cw_ln_get_state(&m, buf, len);

	if (err < 0)
		return err;
	l->start_cnt = m.start_cnt;
	if (m.next_seq > l->next_seq)
		l->next_seq = m.next_seq;
	if (m.attempt > l->attempt)
		l->attempt = m.attempt;
	if (m.acked_seq > l->acked_seq)
		l->acked_seq = m.acked_seq;
	return 0;
}

static int
on_intent(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_card c;
	struct cw_ln_station *st;
	struct cw_ln_order *o;
	struct cw_ln_rec *r;
	int err = cw_ln_get_intent(&c, buf, len);

	if (err < 0)
		return err;
	st = station_of(l, c.end.station);
	if (st == NULL)
		return CW_ERANGE;
	if (st->cur.used && st->next.used)
		return CW_EFORMAT;
	if (l->attempt < c.end.attempt + CW_LN_PROGS)
		l->attempt = c.end.attempt + CW_LN_PROGS;
	if (!st->cur.used)
		know(st, c.base_no);
	st->last_order = c.end.order;
	*(st->cur.used ? &st->next : &st->cur) = c;
	o = cw_ln_order_get(l, c.end.order);
	r = o != NULL ? cw_ln_rec_get(o, c.end.record) : NULL;
	if (r != NULL && c.end.epoch >= r->epoch) {
		r->epoch = c.end.epoch;
		r->fate = CW_LN_BEGUN;
	}
	return 0;
}

static int
on_result(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_end e;
	struct cw_ln_station *st;
	char *trace;
	int err = cw_ln_get_result(&e, buf, len);

	if (err < 0)
		return err;
	st = station_of(l, e.station);
	if (st == NULL)
		return CW_ERANGE;
	if (l->attempt < e.attempt + CW_LN_PROGS)
		l->attempt = e.attempt + CW_LN_PROGS;

	/* A card without an INTENT; or a result kept by a rewriting. */
	if (!st->cur.used) {
		memset(&st->cur, 0, sizeof st->cur);
		st->cur.used = st->cur.from_journal = true;
		st->cur.end.attempt = e.attempt;
	}
	if (st->cur.end.attempt != e.attempt || st->cur.end.verdict != 0)
		return CW_EFORMAT;
	trace = malloc(e.trace_len > 0 ? e.trace_len : 1);
	if (trace == NULL)
		return CW_ENOMEM;
	if (e.trace_len > 0)
		memcpy(trace, e.trace, e.trace_len);
	e.trace = trace;
	if (e.record == 0)
		e.order = 0;	/* a stray card is of no order */
	st->cur.end = e;
	know(st, e.card_no);
	return 0;
}

static int
on_binned(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_binned m;
	struct cw_ln_station *st;
	struct cw_ln_card *c;
	int err = cw_ln_get_binned(&m, buf, len);

	if (err < 0)
		return err;
	st = station_of(l, m.station);
	if (st == NULL)
		return CW_ERANGE;
	c = &st->cur;
	if (!c->used || c->end.verdict == 0 || c->end.attempt != m.attempt ||
	    (m.seq != 0 && m.seq < l->next_seq))
		return CW_EFORMAT;
	c->end.verdict = m.verdict;
	c->end.outcome = m.outcome;
	know(st, m.card_no);
	if (m.seq != 0) {
		err = cw_ln_out_add(l, m.seq, 0, &c->end);
		if (err < 0)
			return err;
		l->next_seq = m.seq + 1;
	}
	cw_ln_card_wipe(c);
	st->cur = st->next;
	memset(&st->next, 0, sizeof st->next);
	if (st->cur.used)
		know(st, st->cur.base_no);
	return 0;
}

static int
on_acked(struct cw_line *l, const uint8_t *buf, size_t len)
{
	uint64_t seq;
	int err = cw_ln_get_u64(&seq, buf, len);

	if (err < 0)
		return err;
	l->out_new = NULL;
	cw_ln_out_ack(l, seq, false);
	if (seq > l->acked_seq)
		l->acked_seq = seq;
	return 0;
}

static int
set_epoch(struct cw_line *l, uint64_t order, uint64_t record, uint32_t epoch,
    uint8_t fate)
{
	struct cw_ln_order *o;
	struct cw_ln_rec *r;

	if (cw_ln_order_closed(l, order))
		return 0;
	o = cw_ln_order_get(l, order);
	r = o != NULL ? cw_ln_rec_get(o, record) : NULL;
	if (r == NULL)
		return CW_ENOMEM;
	if (epoch >= r->epoch) {
		r->epoch = epoch;
		r->fate = fate;
	}
	return 0;
}

static int
on_fence(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_pl_revoke m;
	int err = cw_ln_get_fence(&m, buf, len);

	return err < 0 ? err : set_epoch(l, m.order, m.record, m.epoch,
	    CW_LN_FENCED);
}

static int
on_epochs(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_epochs m;
	int err = cw_ln_get_epochs(&m, buf, len);

	for (uint32_t i = 0; err == 0 && i < m.cnt; i++)
		err = set_epoch(l, m.order, m.first + i, m.epoch, m.fate);
	return err;
}

static int
on_closed(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_order *o;
	uint64_t id;
	int err = cw_ln_get_u64(&id, buf, len);

	if (err < 0)
		return err;
	o = cw_ln_order_find(l, id);
	if (o != NULL)
		cw_ln_order_free(l, o);
	cw_ln_order_note_closed(l, id);
	return 0;
}

static int
on_known(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_known m;
	struct cw_ln_station *st;
	int err = cw_ln_get_known(&m, buf, len);

	if (err < 0)
		return err;
	if (m.station < l->station_cnt) {
		st = &l->station[m.station];
		know(st, m.card_no);
		st->last_order = m.order;
	}
	return 0;
}

static int
on_kept(struct cw_line *l, const uint8_t *buf, size_t len)
{
	struct cw_ln_end e;
	uint64_t seq;
	int err = cw_ln_get_kept(&seq, &e, buf, len);

	if (err == 0 && (seq >= l->next_seq || l->out != NULL))
		err = CW_EFORMAT;
	return err < 0 ? err : cw_ln_out_keep(l, seq, &e);
}

static int
on_written_off(struct cw_line *l, const uint8_t *buf, size_t len)
{
	(void)buf;
	l->fenced = true;
	return len == 0 ? 0 : CW_EFORMAT;
}

int
cw_line_replay(struct cw_line *l, uint8_t type, const uint8_t *payload,
    size_t len)
{
	static int (*const table[])(struct cw_line *, const uint8_t *, size_t) = {
		[CW_LN_STATE] = on_state,
		[CW_LN_INTENT_REC] = on_intent,
		[CW_LN_RESULT] = on_result,
		[CW_LN_BINNED_REC] = on_binned,
		[CW_LN_ACKED] = on_acked,
		[CW_LN_FENCE] = on_fence,
		[CW_LN_EPOCHS] = on_epochs,
		[CW_LN_CLOSED] = on_closed,
		[CW_LN_KNOWN] = on_known,
		[CW_LN_KEPT] = on_kept,
		[CW_LN_WRITTEN_OFF] = on_written_off,
	};

	if (l->started)
		return CW_ESTATE;
	if (type >= sizeof table / sizeof table[0] || table[type] == NULL)
		return CW_EVERSION;
	return table[type](l, payload, len);
}

int
cw_line_start(struct cw_line *l, uint64_t incarnation, uint64_t now_us)
{
	struct cw_ln_state_rec m;
	uint8_t buf[32];
	int64_t lsn;

	l->now = l->scan_us = now_us;
	l->incarnation = incarnation;
	l->start_cnt++;
	cw_ln_order_relink(l);
	for (unsigned int i = 0; i < l->station_cnt; i++) {
		if (!l->station[i].cur.used)
			continue;
		l->station[i].state = CW_LN_RECOVER;
		if (l->station[i].cur.end.verdict != 0)
			l->station[i].cur.result_lsn = 1;	/* long durable */
	}
	m.start_cnt = l->start_cnt;
	m.next_seq = l->sure_seq = l->next_seq;
	m.attempt = l->attempt;
	m.acked_seq = l->acked_seq;
	lsn = cw_ln_append(l, CW_LN_STATE, buf,
	    cw_ln_put_state(buf, sizeof buf, &m));
	if (lsn < 0)
		return (int)lsn;

	/* What was replayed is on the disk, and may be sent. */
	l->durable_lsn = (uint64_t)lsn - 1;
	l->out_new = NULL;
	l->started = true;
	return 0;
}

static void
verdict(struct cw_line *l, struct cw_ln_station *st, enum cw_card_verdict v,
    uint16_t outcome)
{
	cw_ln_station_verdict(l, st, v, outcome);
	cw_ln_log(l, CW_LINE_WARN, "card.recovered", "station=%u card=%u "
	    "order=%llu record=%llu verdict=%u: its result was not recorded "
	    "before the restart", st->idx + 1u, st->cur.end.card_no,
	    (unsigned long long)st->cur.end.order,
	    (unsigned long long)st->cur.end.record, v);
}

/* An INTENT without a RESULT. */
static void
recover_intent(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_dev_station *dv = &l->dev.st[st->idx];
	struct cw_ln_card *c = &st->cur;
	enum cw_card_verdict bad = c->personal ? CW_CARD_DOUBT : CW_CARD_REJECT;
	uint32_t base = st->known_no;
	bool gone = newer(dv->last_card, base);
	bool here = dv->state == CW_DEVST_CARD && newer(dv->card_no, base);

	if (gone && here) {
		/* Two cards since: nobody would have fed the second. */
		c->end.card_no = dv->last_card;
		know(st, dv->last_card);
		cw_ln_station_stick(l, st, "two cards since one INTENT: count");
		verdict(l, st, bad, CW_OUT_DEVICE);
	} else if (gone || here) {
		c->end.card_no = gone ? dv->last_card : dv->card_no;
		know(st, c->end.card_no);
		verdict(l, st, bad, gone ? CW_OUT_DEVICE : CW_OUT_TERMINAL_LOST);
	} else if (newer(c->fed, l->dev.fed)) {
		cw_ln_station_stick(l, st, "device counters went back: count");
		c->end.card_no = base;
		verdict(l, st, bad, CW_OUT_DEVICE);
	} else {
		verdict(l, st, CW_CARD_NONE, CW_OUT_NOT_FED);
	}
}

void
cw_ln_recover_step(struct cw_line *l, struct cw_ln_station *st)
{
	const struct cw_ln_end *e = &st->cur.end;

	if (e->verdict == CW_CARD_NONE) {
		cw_ln_set_state(l, st, CW_LN_BINNED);
	} else if (e->verdict != 0) {
		/* Judged, not known to be binned: BIN looks where it is. */
		cw_ln_set_state(l, st, CW_LN_BIN);
	} else if (cw_ln_station_settled(l, st)) {
		recover_intent(l, st);
	}
}

/* Snapshot */
struct snap {
	const struct cw_line *l;
	int (*add)(void *ctx, uint8_t type, const uint8_t *payload, size_t len);
	void *ctx;
	uint8_t *buf;
	size_t cap;
	int err;
};

static void
snap_add(struct snap *s, uint8_t type, int len)
{
	if (s->err == 0 && len < 0)
		s->err = len;
	if (s->err == 0)
		s->err = s->add(s->ctx, type, s->buf, (size_t)len);
}

static void
snap_out(struct snap *s)
{
	for (const struct cw_ln_out *o = s->l->kept; o != NULL; o = o->next)
		snap_add(s, CW_LN_KEPT,
		    cw_ln_put_kept(s->buf, s->cap, o->seq, &o->end));
	for (const struct cw_ln_out *o = s->l->out; o != NULL; o = o->next) {
		struct cw_ln_binned m = { .station = o->end.station,
		    .attempt = o->end.attempt, .seq = o->seq,
		    .verdict = o->end.verdict, .outcome = o->end.outcome,
		    .card_no = o->end.card_no };

		snap_add(s, CW_LN_RESULT,
		    cw_ln_put_result(s->buf, s->cap, &o->end));
		snap_add(s, CW_LN_BINNED_REC,
		    cw_ln_put_binned(s->buf, s->cap, &m));
	}
}

static void
snap_card(struct snap *s, const struct cw_ln_card *c, bool judged)
{
	if (!c->used)
		return;
	if (c->end.record != 0)
		snap_add(s, CW_LN_INTENT_REC,
		    cw_ln_put_intent(s->buf, s->cap, c));

	/* A verdict that is not in the journal yet is written in its turn. */
	if (judged && c->end.verdict != 0 && c->result_lsn != 0)
		snap_add(s, CW_LN_RESULT,
		    cw_ln_put_result(s->buf, s->cap, &c->end));
}

static int
rec_cmp(const void *a, const void *b)
{
	const struct cw_ln_rec *x = a, *y = b;

	return x->record < y->record ? -1 : x->record > y->record;
}

/* Last epochs, neighbours with the same joined. */
static void
snap_epochs(struct snap *s, const struct cw_ln_order *o)
{
	struct cw_ln_epochs m = { .order = o->id };
	struct cw_ln_rec *tab;
	size_t n = 0;

	if (o->recs.cnt == 0)
		return;
	tab = malloc(o->recs.cnt * sizeof *tab);
	if (tab == NULL) {
		s->err = CW_ENOMEM;
		return;
	}
	for (size_t i = 0; i < o->recs.cap; i++)
		if (o->recs.tab[i].record != 0 && o->recs.tab[i].epoch != 0)
			tab[n++] = o->recs.tab[i];
	qsort(tab, n, sizeof *tab, rec_cmp);
	for (size_t i = 0; i < n; i++) {
		if (m.cnt > 0 && tab[i].record == m.first + m.cnt &&
		    tab[i].epoch == m.epoch && tab[i].fate == m.fate) {
			m.cnt++;
			continue;
		}
		if (m.cnt > 0)
			snap_add(s, CW_LN_EPOCHS,
			    cw_ln_put_epochs(s->buf, s->cap, &m));
		m.first = tab[i].record;
		m.cnt = 1;
		m.epoch = tab[i].epoch;
		m.fate = tab[i].fate;
	}
	if (m.cnt > 0)
		snap_add(s, CW_LN_EPOCHS, cw_ln_put_epochs(s->buf, s->cap, &m));
	free(tab);
}

static void
snap_stations(struct snap *s)
{
	for (unsigned int i = 0; i < s->l->station_cnt; i++) {
		const struct cw_ln_station *st = &s->l->station[i];
		struct cw_ln_known m = { .station = st->idx,
		    .card_no = st->known_no, .order = st->last_order };

		/* A number that only the present card brought is told by its
		 * INTENT and the device, not known before. */
		if (st->cur.used && st->cur.result_lsn == 0)
			m.card_no = st->cur.base_no;
		if (st->named || m.order != 0)
			snap_add(s, CW_LN_KNOWN,
			    cw_ln_put_known(s->buf, s->cap, &m));
		snap_card(s, &st->cur, true);
		snap_card(s, &st->next, false);
	}
}

int
cw_line_snapshot(const struct cw_line *l, int (*add)(void *ctx, uint8_t type,
    const uint8_t *payload, size_t len), void *ctx)
{
	struct snap s = { .l = l, .add = add, .ctx = ctx, .cap = 20 * 1024 };
	struct cw_ln_state_rec m = { .start_cnt = l->start_cnt,
	    .next_seq = l->out != NULL ? l->out->seq : l->next_seq,
	    .attempt = l->attempt, .acked_seq = l->acked_seq };
	uint32_t n = l->closed_cnt < CW_LN_CLOSED_MAX ? l->closed_cnt :
	    CW_LN_CLOSED_MAX;
	const struct cw_ln_list *p;

	s.buf = malloc(s.cap);
	if (s.buf == NULL)
		return CW_ENOMEM;
	snap_add(&s, CW_LN_STATE, cw_ln_put_state(s.buf, s.cap, &m));
	if (l->fenced)
		snap_add(&s, CW_LN_WRITTEN_OFF, 0);
	for (uint32_t i = l->closed_cnt - n; i < l->closed_cnt; i++)
		snap_add(&s, CW_LN_CLOSED, cw_ln_put_u64(s.buf, s.cap,
		    l->closed[i % CW_LN_CLOSED_MAX]));
	snap_out(&s);
	for (p = l->orders.next; s.err == 0 && p != &l->orders; p = p->next)
		snap_epochs(&s, CW_LN_OF((struct cw_ln_list *)(uintptr_t)p,
		    struct cw_ln_order, link));
	snap_stations(&s);
	free(s.buf);
	return s.err;
}
