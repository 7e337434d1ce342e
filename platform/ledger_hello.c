/* SPDX-License-Identifier: Apache-2.0 */
/* Who may join, and what a terminal says about itself. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "platform/ledger_priv.h"

static int
deny(struct cw_ledger *l, struct lg_term *t, int why, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int
deny(struct cw_ledger *l, struct lg_term *t, int why, const char *fmt, ...)
{
	struct cw_pl_msg m = { .type = CW_PL_DENY };
	va_list ap;

	m.u.deny.err = (int16_t)why;
	va_start(ap, fmt);
	vsnprintf(m.u.deny.text, sizeof m.u.deny.text, fmt, ap);
	va_end(ap);
	if (l->cfg.ops->note != NULL)
		l->cfg.ops->note(l->cfg.ctx, 0, m.u.deny.text);
	(void)cw_lg_send(l, t, &m);
	l->cfg.ops->close(l->cfg.ctx, t->conn);
	t->used = false;
	return CW_EDENIED;
}

/* Open leases from the store; those of an order that does not run are taken back. */
static int
load_leases(struct cw_ledger *l, struct lg_term *t)
{
	struct cw_st_record after = { 0 }, r[32];
	struct cw_st_order o = { 0 };
	int i, n;

	t->lease_cnt = 0;
	do {
		n = l->ops->record_leased(l->h, t->row.id, &after, r, 32);
		for (i = 0; i < n && t->lease_cnt < CW_LEDGER_LEASES_MAX; i++) {
			if (o.id != r[i].order &&
			    l->ops->order_get(l->h, r[i].order, &o) < 0)
				return CW_EIO;
			t->lease[t->lease_cnt++] = (struct lg_lease){
			    .order = r[i].order, .record = r[i].record,
			    .epoch = r[i].epoch, .addr = r[i].addr,
			    .revoke = o.state != CW_ORD_READY &&
				o.state != CW_ORD_RUNNING };
			after = r[i];
		}
	} while (n == 32 && t->lease_cnt < CW_LEDGER_LEASES_MAX);
	return n < 0 ? n : 0;
}

/* The row as it is after this, in a transaction of its own; or an error. */
static int
hold_all(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_hello *m)
{
	char why[100];
	int err = l->ops->begin(l->h);

	if (err < 0)
		return err;
	snprintf(why, sizeof why, "%.30s was acknowledged up to %llu, it knows %llu",
	    t->name, (unsigned long long)m->acked_seq,
	    (unsigned long long)t->row.acked_seq);
	t->row.hold = true;
	err = l->ops->term_put(l->h, &t->row);
	if (err == 0)
		err = cw_lg_hold_all(l, why);
	if (err < 0)
		(void)l->ops->rollback(l->h);
	else
		err = l->ops->commit(l->h);
	return err;
}

/* The journal that we know. */
static int
check_known(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_hello *m)
{
	int err;

	if (m->next_seq <= t->row.acked_seq)
		return deny(l, t, CW_EFENCED, "%s: the journal is an old copy (next "
		    "number %llu, but %llu is recorded): restore the newest journal, "
		    "or write the terminal off", t->name,
		    (unsigned long long)m->next_seq,
		    (unsigned long long)t->row.acked_seq);
	if (m->acked_seq > t->row.acked_seq && !t->row.hold) {
		err = hold_all(l, t, m);
		if (err < 0)
			return err;
	}
	if (m->first_seq > t->row.acked_seq + 1)
		return deny(l, t, CW_EFENCED, "%s: the database is older than what this "
		    "journal can tell again (recorded up to %llu, told from %llu): "
		    "restore a newer backup, or write the terminal off", t->name,
		    (unsigned long long)t->row.acked_seq,
		    (unsigned long long)m->first_seq);
	return 0;
}

/* Whether the journal behind this HELLO is the one we know; 0, or an error
 * after the denial was sent. */
static int
check_journal(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_hello *m)
{
	struct cw_st_record none = { 0 }, r;
	int n;

	t->evidence = t->row.id != 0 && t->row.old_incarnation != 0 &&
	    t->row.old_incarnation == m->incarnation;
	if (t->evidence)
		return 0;

	/* Never seen here, and has results: so they were known to a database
	 * that is younger than ours. */
	if (t->row.id == 0 && m->acked_seq > 0)
		t->row.incarnation = m->incarnation;
	if (t->row.incarnation == m->incarnation)
		return check_known(l, t, m);
	if (t->row.hold)
		return deny(l, t, CW_EFENCED, "%s: the platform was set back to a backup "
		    "and waits for this terminal's old journal: start it with that "
		    "one, or write the terminal off", t->name);
	n = l->ops->record_leased(l->h, t->row.id, &none, &r, 1);
	if (n < 0)
		return n;
	if (n > 0)
		return deny(l, t, CW_EFENCED, "%s: this is another journal than the "
		    "one that holds its open leases: restore that journal, or "
		    "write the terminal off (two persons)", t->name);
	if (m->next_seq != 1)
		return deny(l, t, CW_EFENCED, "%s: the journal was used with another "
		    "platform database or was written off: clear the stations and "
		    "start with a new journal", t->name);
	t->row.incarnation = m->incarnation;
	t->row.acked_seq = 0;
	return 0;
}

/* What they have in hand may be another's: each hears so in WELCOME. */
static void
drop_others(struct cw_ledger *l, const struct lg_term *but)
{
	unsigned int i;

	l->hold_due = false;
	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		struct lg_term *t = &l->term[i];

		if (!t->used || t == but)
			continue;
		l->cfg.ops->close(l->cfg.ctx, t->conn);
		t->used = false;
	}
}

int
cw_lg_hello(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_hello *m,
    uint64_t now_ms)
{
	struct cw_pl_msg out = { .type = CW_PL_WELCOME };
	int err;

	(void)now_ms;
	if (strcmp(m->terminal, t->name) != 0)
		return deny(l, t, CW_EDENIED, "the certificate is of %s: set the "
		    "terminal's name to that, or give it its own certificate",
		    t->name);
	err = l->ops->term_get(l->h, t->name, &t->row);
	if (err == CW_ENOENT) {
		memset(&t->row, 0, sizeof t->row);
		snprintf(t->row.name, sizeof t->row.name, "%s", t->name);
		t->row.incarnation = m->incarnation ^ 1;	/* not known yet */
	} else if (err < 0) {
		return cw_lg_reset(l, err);
	}
	err = check_journal(l, t, m);
	if (err == CW_EDENIED) {
		if (l->hold_due)
			drop_others(l, t);
		return err;
	}
	if (err == 0)
		err = l->ops->begin(l->h);
	if (err < 0)
		return cw_lg_reset(l, err);

	if (t->row.start_cnt != m->start_cnt)
		t->row.cos_seen = 0;	/* it counts from its start */
	t->row.start_cnt = m->start_cnt;
	t->row.ip = t->ip;
	t->row.seen_ms = cw_lg_utc(l);
	err = l->ops->term_put(l->h, &t->row);
	if (err < 0)
		(void)l->ops->rollback(l->h);
	else
		err = l->ops->commit(l->h);
	if (err == 0 && !t->evidence)
		err = load_leases(l, t);
	if (err < 0)
		return cw_lg_reset(l, err);

	t->greeted = true;
	t->told_seq = m->next_seq;
	t->station_cnt = m->station_cnt;
	out.u.welcome.acked_seq = t->evidence ? t->row.old_acked : t->row.acked_seq;
	out.u.welcome.platform = l->cfg.platform;
	if (t->row.hold)
		out.u.welcome.flags |= CW_WELCOME_SETTLE;
	if (t->evidence)
		out.u.welcome.flags |= CW_WELCOME_EVIDENCE;
	(void)cw_lg_send(l, t, &out);
	if (l->hold_due)
		drop_others(l, t);
	return 0;
}

static uint32_t
working_readers(const struct cw_pl_status *m)
{
	uint32_t n = 0;
	unsigned int i;

	for (i = 0; i < m->station_cnt && i < CW_STATIONS_MAX; i++)
		n += m->station[i].state != CW_ST_OFF;
	return n;
}

/* Adds images sent since the last STATUS to the order's share. */
static int
share_images(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_status *m)
{
	struct cw_st_share sh;
	uint32_t readers = working_readers(m);
	int err;

	err = l->ops->share_get(l->h, m->cos_order, t->row.id, &sh);
	if (err == CW_ENOENT)
		sh = (struct cw_st_share){ .order = m->cos_order, .term = t->row.id };
	else if (err < 0)
		return err;
	sh.cos_sent += m->cos_sent - (m->cos_sent > t->row.cos_seen ?
	    t->row.cos_seen : 0);
	if (readers > sh.readers)
		sh.readers = readers;
	t->row.cos_seen = m->cos_sent;
	return l->ops->share_put(l->h, &sh);
}

/*
 * The machine's counters are held against our results only while nothing is
 * under way.  The first time, and whenever they went back (another machine, a
 * battery), they are taken as they are: our books begin there.
 */
static int
take_counters(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_status *m)
{
	struct cw_st_term *r = &t->row;
	struct cw_st_counts c;
	int err;

	if (!r->dev_known || m->device_feed < r->dev_feed) {
		err = l->ops->term_sums(l->h, r->id, &c);
		if (err < 0)
			return err;
		if (r->dev_known) {
			err = cw_lg_event(l, 0, "%s: the machine's counters went back "
			    "from %u to %u: counting anew", t->name, r->dev_feed,
			    m->device_feed);
			if (err < 0)
				return err;
		}
		r->base_feed = m->device_feed - (uint32_t)(c.good + c.reject + c.doubt);
		r->base_good = m->device_good - (uint32_t)c.good;
		r->base_reject = m->device_reject - (uint32_t)(c.reject + c.doubt);
		r->dev_known = true;
	}
	r->dev_feed = m->device_feed;
	r->dev_good = m->device_good;
	r->dev_reject = m->device_reject;
	r->dev_fresh = true;
	return 0;
}

static bool
counters_due(const struct cw_ledger *l, const struct lg_term *t,
    const struct cw_pl_status *m)
{
	const struct cw_st_term *r = &t->row;
	unsigned int i;

	/* A terminal that has not read its machine yet says all zeros. */
	if (m->device_feed == 0 && m->device_good == 0 && m->device_reject == 0)
		return false;
	if (t->lease_cnt > 0 || l->note_cnt > 0)
		return false;

	/* A store that was set back does not know of these. */
	if (r->hold || r->acked_seq + 1 < t->told_seq)
		return false;
	for (i = 0; i < m->station_cnt && i < CW_STATIONS_MAX; i++)
		if (m->station[i].order != 0)
			return false;
	return !r->dev_known || !r->dev_fresh || r->dev_feed != m->device_feed ||
	    r->dev_good != m->device_good || r->dev_reject != m->device_reject;
}

int
cw_lg_status(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_status *m,
    uint64_t now_ms)
{
	bool images = m->cos_sent != t->row.cos_seen && m->cos_order != 0;
	bool counters = counters_due(l, t, m);
	int err;

	t->status = *m;
	t->status_ms = now_ms == 0 ? 1 : now_ms;
	if ((!images && !counters) || t->evidence)
		return 0;
	err = l->ops->begin(l->h);
	if (err < 0)
		return cw_lg_reset(l, err);
	if (images)
		err = share_images(l, t, m);
	if (err == 0 && counters)
		err = take_counters(l, t, m);
	if (err == 0)
		err = l->ops->term_put(l->h, &t->row);
	if (err < 0)
		(void)l->ops->rollback(l->h);
	else
		err = l->ops->commit(l->h);
	return err < 0 ? cw_lg_reset(l, err) : 0;
}
