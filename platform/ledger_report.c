/* SPDX-License-Identifier: Apache-2.0 */
/* Reconciliation: sums from different sources are held against each other. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "platform/ledger_priv.h"

static void
fault(struct cw_ledger_report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The first thing found stays. */
static void
fault(struct cw_ledger_report *r, const char *fmt, ...)
{
	va_list ap;

	if (r->adds_up) {
		va_start(ap, fmt);
		vsnprintf(r->why, sizeof r->why, fmt, ap);
		va_end(ap);
	}
	r->adds_up = false;
}

static void
expect(struct cw_ledger_report *r, const char *what, uint64_t a, uint64_t b)
{
	if (a != b)
		fault(r, "%s: %llu against %llu", what, (unsigned long long)a,
		    (unsigned long long)b);
}

/* The records table, the results table, and the counts kept along the way. */
static void
check_books(struct cw_ledger_report *r)
{
	const struct cw_st_counts *c = &r->order.counts, *s = &r->sums;
	uint64_t records = 0, causes = 0;
	unsigned int i;
	char what[64];

	for (i = 0; i < CW_REC_CNT; i++) {
		snprintf(what, sizeof what, "records %s, counted and from the rows",
		    cw_record_state_word(i));
		expect(r, what, c->rec[i], s->rec[i]);
		records += s->rec[i];
	}
	expect(r, "records of the order and rows", r->order.total, records);
	expect(r, "good cards, counted and from the results", c->good, s->good);
	expect(r, "rejects, counted and from the results", c->reject, s->reject);
	expect(r, "cards in doubt, counted and from the results", c->doubt, s->doubt);
	expect(r, "good cards and issued records", s->good, s->rec[CW_REC_ISSUED]);
	for (i = 0; i < r->cause_cnt; i++)
		causes += r->cause[i].cnt;
	if (r->cause_cnt < CW_REPORT_CAUSES_MAX)
		expect(r, "wrong cards by cause and in all", causes,
		    s->reject + s->doubt);
	if (s->stray > 0)
		fault(r, "%llu card(s) reported that no lease accounts for: see the "
		    "events", (unsigned long long)s->stray);
}

static void
check_term(struct cw_ledger_report *r, struct cw_ledger_report_term *rt,
    const struct cw_st_term *t)
{
	rt->dev_feed = t->dev_feed - t->base_feed;
	rt->dev_good = t->dev_good - t->base_good;
	rt->dev_reject = t->dev_reject - t->base_reject;
	if (!t->dev_known && rt->cards == 0) {
		rt->dev = CW_COUNTERS_EQUAL;		/* no card here, no counter there */
		return;
	}
	if (!t->dev_known || !t->dev_fresh) {
		rt->dev = CW_COUNTERS_UNKNOWN;
		if (r->adds_up && r->settled)
			snprintf(r->why, sizeof r->why,
			    "waiting for the machine's counters from %s", rt->name);
		r->settled = false;
		return;
	}
	rt->dev = CW_COUNTERS_EQUAL;
	if (rt->dev_feed == rt->cards && rt->dev_good == rt->good &&
	    rt->dev_reject == rt->wrong)
		return;
	rt->dev = CW_COUNTERS_DIFFERS;
	fault(r, "%s: the machine counted %u fed, %u good, %u reject; the results "
	    "say %llu, %llu, %llu: count the bins", rt->name, rt->dev_feed,
	    rt->dev_good, rt->dev_reject, (unsigned long long)rt->cards,
	    (unsigned long long)rt->good, (unsigned long long)rt->wrong);
}

static int
add_term(struct cw_store *s, struct cw_ledger_report *r,
    const struct cw_st_share *sh)
{
	struct cw_ledger_report_term *rt = &r->term[r->term_cnt++];
	struct cw_st_counts c;
	struct cw_st_term t;
	int err;

	err = s->ops->term_get_id(s->h, sh->term, &t);
	if (err == 0)
		err = s->ops->term_sums(s->h, sh->term, &c);
	if (err < 0)
		return err;
	memcpy(rt->name, t.name, sizeof rt->name);
	rt->cos_sent = sh->cos_sent;
	rt->readers = sh->readers;
	rt->good = c.good;
	rt->wrong = c.reject + c.doubt;
	rt->cards = rt->good + rt->wrong;
	r->cos_sent += sh->cos_sent;
	r->readers += sh->readers;
	check_term(r, rt, &t);
	return 0;
}

int
cw_ledger_report(struct cw_store *s, uint64_t order, struct cw_ledger_report *r)
{
	struct cw_st_share share[CW_REPORT_TERMS_MAX];
	int i, n, err;

	memset(r, 0, sizeof *r);
	err = s->ops->order_get(s->h, order, &r->order);
	if (err == 0)
		err = s->ops->sums(s->h, order, &r->sums);
	if (err < 0)
		return err;
	n = s->ops->result_causes(s->h, order, r->cause, CW_REPORT_CAUSES_MAX);
	if (n < 0)
		return n;
	r->cause_cnt = (unsigned int)n;
	r->drawn = r->sums.good + r->sums.reject + r->sums.doubt;
	r->open = r->sums.rec[CW_REC_WAITING] + r->sums.rec[CW_REC_LEASED];

	r->adds_up = true;
	r->settled = r->open == 0;
	if (!r->settled)
		snprintf(r->why, sizeof r->why, "%llu record(s) are open",
		    (unsigned long long)r->open);
	check_books(r);
	n = s->ops->share_list(s->h, order, share, CW_REPORT_TERMS_MAX);
	for (i = 0; i < n && err == 0; i++)
		err = add_term(s, r, &share[i]);
	return n < 0 ? n : err;
}
