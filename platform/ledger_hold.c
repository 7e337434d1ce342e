/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that was set back to a backup has forgotten leases and results.  No
 * lease goes out until every terminal that it knows has told all that its
 * journal holds, or was written off: any record that waits may be on a card.
 */
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "platform/ledger_priv.h"

/* Orders that were accepted since the backup have had numbers too, and the
 * terminals' journals know them. */
#define ORDERS_SKIPPED 10000

/* Terminals that are to tell; count. */
static int
count_held(struct cw_ledger *l, unsigned int *held)
{
	struct cw_st_term t[8];
	uint32_t after = 0;
	int i, n;

	*held = 0;
	do {
		n = l->ops->term_list(l->h, after, t, 8);
		for (i = 0; i < n; i++) {
			*held += t[i].hold;
			after = t[i].id;
		}
	} while (n == 8);
	return n < 0 ? n : 0;
}

int
cw_lg_held(struct cw_ledger *l)
{
	int err;

	if (!l->held_known) {
		err = count_held(l, &l->held);
		if (err < 0)
			return err;
		l->held_known = true;
	}
	return l->held > 0;
}

int
cw_lg_hold_all(struct cw_ledger *l, const char *why)
{
	struct cw_st_term t[8];
	uint32_t after = 0;
	unsigned int k;
	int i, n, err = 0;

	do {
		n = l->ops->term_list(l->h, after, t, 8);
		for (i = 0; i < n && err == 0; i++) {
			after = t[i].id;
			t[i].hold = true;
			err = l->ops->term_put(l->h, &t[i]);
		}
	} while (n == 8 && err == 0);
	if (n < 0)
		err = n;
	if (err == 0)
		err = l->ops->order_skip(l->h, ORDERS_SKIPPED);
	if (err == 0)
		err = cw_lg_event(l, 0, "the database is an older one (%.80s): no lease "
		    "goes out until every terminal has told its journal", why);
	for (k = 0; k < CW_LEDGER_TERMS_MAX; k++)
		if (l->term[k].used)
			l->term[k].row.hold = true;
	l->held_known = false;
	l->hold_due = true;
	return err;
}

int
cw_lg_release(struct cw_ledger *l, struct cw_st_term *t)
{
	int err;

	t->hold = false;
	l->held_known = false;
	err = l->ops->term_put(l->h, t);
	if (err == 0)
		err = cw_lg_held(l);
	if (err < 0)
		return err;
	l->work = true;
	return cw_lg_event(l, 0, err > 0 ? "%.60s has told all that its journal holds" :
	    "%.60s has told all that its journal holds; it was the last: leases go "
	    "out again", t->name);
}

int
cw_lg_settled(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_settled *m,
    uint64_t now_ms)
{
	int err = cw_ledger_flush(l, now_ms);

	if (err < 0 || !t->used || !t->row.hold || t->evidence ||
	    m->next_seq != t->row.acked_seq + 1)
		return err;
	err = l->ops->begin(l->h);
	if (err < 0)
		return cw_lg_reset(l, err);
	err = cw_lg_release(l, &t->row);
	if (err < 0)
		(void)l->ops->rollback(l->h);
	else
		err = l->ops->commit(l->h);
	return err < 0 ? cw_lg_reset(l, err) : 0;
}

/* Orders that a terminal that cannot tell may have worked on. */
int
cw_lg_block_for(struct cw_ledger *l, const char *terminal)
{
	struct cw_st_page page = { .states = CW_ST_BIT(CW_ORD_READY) |
	    CW_ST_BIT(CW_ORD_RUNNING) | CW_ST_BIT(CW_ORD_PAUSED) };
	struct cw_st_order o;
	int n, err = 0;

	while (err == 0 && (n = l->ops->order_list(l->h, &page, &o, 1)) > 0) {
		page.after = o.id;
		if (o.counts.rec[CW_REC_WAITING] == 0 ||
		    (o.line[0] != '\0' && strcmp(o.line, terminal) != 0))
			continue;
		o.state = CW_ORD_BLOCKED;
		snprintf(o.reason, sizeof o.reason, "records that wait may be on cards "
		    "of %.60s, which was written off after a restoration: compare "
		    "with its cards, then resume or cancel", terminal);
		err = l->ops->order_put(l->h, &o);
		if (err == 0)
			err = cw_lg_event(l, o.id, "blocked: %.190s", o.reason);
		cw_lg_touch(l, o.id);
	}
	return err < 0 ? err : n < 0 ? n : 0;
}

int
cw_ledger_restored(struct cw_ledger *l)
{
	int err = l->ops->begin(l->h);

	if (err < 0)
		return err;
	err = cw_lg_hold_all(l, "restored from a backup, as the operator says");
	if (err < 0)
		(void)l->ops->rollback(l->h);
	else
		err = l->ops->commit(l->h);
	l->hold_due = false;	/* nobody is here yet */
	return err < 0 ? err : cw_lg_held(l);
}
