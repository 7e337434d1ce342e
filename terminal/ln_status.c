/* SPDX-License-Identifier: Apache-2.0 */
/* What people are shown: STATUS. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "terminal/ln.h"

enum { LINE_IDLE, LINE_EXECUTE, LINE_HELD, LINE_SUSPENDED, LINE_ABORTED };

static uint8_t
shown_state(const struct cw_line *l, const struct cw_ln_station *st)
{
	static const uint8_t shown[] = {
#define X(n, s) s,
		CW_LN_STATE_MAP(X)
#undef X
	};
	const struct cw_ln_reader *r = &l->reader[st->reader];

	if (st->stuck)
		return CW_ST_STUCK;
	if (st->state == CW_LN_RUN &&
	    st->cur.prog[CW_LN_BURN].state != CW_LN_RUN_NONE &&
	    st->cur.prog[CW_LN_BURN].state != CW_LN_RUN_ENDED)
		return CW_ST_BURN;
	if (st->state == CW_LN_IDLE && !r->ready)
		return CW_ST_OFF;
	if (st->state == CW_LN_IDLE && (r->store == CW_LN_STORE_DATA ||
	    r->store == CW_LN_STORE_END))
		return CW_ST_IMAGE;
	return shown[st->state];
}

static void
put_station(const struct cw_line *l, const struct cw_ln_station *st,
    struct cw_pl_station *p)
{
	const struct cw_ln_reader *r = &l->reader[st->reader];

	p->state = shown_state(l, st);
	p->reader = r->addr;
	p->port = r->port;
	p->good = st->good;
	p->reject = st->reject;
	p->doubt = st->doubt;
	p->last_outcome = st->last_outcome;
	p->order = st->cur.end.order;
	p->record = st->cur.end.record;
	if (st->why[0] != '\0')
		memcpy(p->why, st->why, sizeof p->why);
	else if (r->why[0] != '\0')
		memcpy(p->why, r->why, sizeof p->why);
	else if (!r->ready)
		snprintf(p->why, sizeof p->why, "reader is down");
}

static bool
any_order_runs(const struct cw_line *l)
{
	for (const struct cw_ln_list *n = l->orders.next; n != &l->orders;
	    n = n->next) {
		const struct cw_ln_order *o = CW_LN_OF((uintptr_t)n,
		    struct cw_ln_order, link);

		if (o->state == CW_ORDER_RUN)
			return true;
	}
	return false;
}

static uint8_t
line_state(const struct cw_line *l, char why[96])
{
	why[0] = '\0';
	if (l->fatal[0] != '\0') {
		memcpy(why, l->fatal, 96);
		return LINE_ABORTED;
	}
	if (l->disk != 0) {
		snprintf(why, 96, "the journal's disk is %s: no card is fed",
		    l->disk == CW_ENOSPC ? "full, make space" : "failing, replace it");
		return LINE_HELD;
	}
	if (!l->dev.up) {
		snprintf(why, 96, "the device does not answer");
		return LINE_HELD;
	}
	if (l->dev.machine_state == CW_DEV_ABORTED) {
		snprintf(why, 96, "a jam: clear it at the machine");
		return LINE_ABORTED;
	}
	if (l->dev.machine_state == CW_DEV_SUSPENDED) {
		snprintf(why, 96, "the hopper is empty: fill it");
		return LINE_SUSPENDED;
	}
	if (l->fenced) {
		snprintf(why, 96, "this journal was written off: clear the stations, "
		    "start with a new one");
		return LINE_ABORTED;
	}
	if (l->settle) {
		snprintf(why, 96, "the platform was set back: all results are told "
		    "again first");
		return LINE_HELD;
	}
	if (l->begun > 0)
		return LINE_EXECUTE;
	if (any_order_runs(l) && l->have > 0)
		return LINE_HELD;
	return LINE_IDLE;
}

/*
 * Cards that left a station and are not in the good bin.  The machine counts
 * those that its reject bin caught; one that fell out or was taken by hand is
 * in no bin, and the books count it with the rejects.
 */
static uint32_t
not_good(const struct cw_dev_view *v)
{
	uint32_t here = 0, left;

	for (unsigned int i = 0; i < v->station_cnt; i++)
		here += v->st[i].card_no != 0;
	left = v->fed - v->good - here;
	return left > v->reject && left <= v->fed ? left : v->reject;
}

void
cw_line_status(const struct cw_line *l, struct cw_pl_status *s)
{
	memset(s, 0, sizeof *s);
	s->line_state = line_state(l, s->why);
	s->device_feed = l->dev.fed;
	s->device_good = l->dev.good;
	s->device_reject = not_good(&l->dev);
	s->cos_sent = (uint32_t)l->counts.images_sent;
	s->cos_order = l->cos_order;
	s->station_cnt = l->station_cnt < CW_STATIONS_MAX ? l->station_cnt :
	    CW_STATIONS_MAX;
	for (unsigned int i = 0; i < s->station_cnt; i++)
		put_station(l, &l->station[i], &s->station[i]);
}

void
cw_ln_status_send(struct cw_line *l)
{
	struct cw_pl_msg m = { .type = CW_PL_STATUS };

	cw_line_status(l, &m.u.status);
	if (cw_ln_up(l, &m) < 0)
		return;
	l->status_us = l->now;
	l->status_dirty = false;
}
