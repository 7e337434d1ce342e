/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: what the platform has given to this line and no card was begun for,
 * and the last epoch of every record.  A lease in hand needs no journal (the
 * platform repeats it); an epoch that was begun or fenced does.
 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "terminal/ln.h"

/* Credit of one line is small; a platform that gives far more is not believed. */
#define HAVE_FACTOR 8
#define HAVE_EXTRA 64

static size_t
rec_place(const struct cw_ln_recs *t, uint64_t record)
{
	uint64_t h = record * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(h >> 20) & (t->cap - 1);

	while (t->tab[i].record != 0 && t->tab[i].record != record)
		i = (i + 1) & (t->cap - 1);
	return i;
}

struct cw_ln_rec *
cw_ln_rec_find(struct cw_ln_order *o, uint64_t record)
{
	struct cw_ln_rec *r;

	if (o->recs.cap == 0)
		return NULL;
	r = &o->recs.tab[rec_place(&o->recs, record)];
	return r->record != 0 ? r : NULL;
}

static int
recs_grow(struct cw_ln_recs *t)
{
	struct cw_ln_recs n = { .cap = t->cap > 0 ? 2 * t->cap : 64,
	    .cnt = t->cnt };

	n.tab = calloc(n.cap, sizeof *n.tab);
	if (n.tab == NULL)
		return CW_ENOMEM;
	for (size_t i = 0; i < t->cap; i++)
		if (t->tab[i].record != 0)
			n.tab[rec_place(&n, t->tab[i].record)] = t->tab[i];
	free(t->tab);
	*t = n;
	return 0;
}

/* Found or made; NULL: record 0, or no memory.  Valid until the next get. */
struct cw_ln_rec *
cw_ln_rec_get(struct cw_ln_order *o, uint64_t record)
{
	struct cw_ln_rec *r;

	if (record == 0)
		return NULL;
	if (4 * (o->recs.cnt + 1) > 3 * o->recs.cap && recs_grow(&o->recs) < 0)
		return NULL;
	r = &o->recs.tab[rec_place(&o->recs, record)];
	if (r->record == 0) {
		r->record = record;
		o->recs.cnt++;
	}
	return r;
}

static struct cw_ln_reader *
reader_by_addr(struct cw_line *l, uint32_t addr)
{
	for (unsigned int i = 0; i < l->reader_cnt; i++)
		if (l->reader[i].addr == addr)
			return &l->reader[i];
	return NULL;
}

void
cw_ln_lease_drop(struct cw_line *l, struct cw_ln_lease *le)
{
	struct cw_ln_rec *r = cw_ln_rec_find(le->order, le->record);

	if (r != NULL && r->have == le)
		r->have = NULL;
	cw_ln_list_del(&le->all);
	cw_ln_list_del(&le->queue);
	l->have--;
	l->pull_dirty = true;
	cw_wipe(le->pkg, le->pkg_len);
	free(le);
}

void
cw_ln_lease_refuse(struct cw_line *l, struct cw_ln_lease *le, int err,
    const char *why)
{
	struct cw_pl_msg m = { .type = CW_PL_REFUSED };
	struct cw_pl_refused *f = &m.u.refused;
	size_t n = strnlen(why, sizeof f->text - 1);

	f->order = le->order->id;
	f->record = le->record;
	f->epoch = le->epoch;
	f->err = (int16_t)err;
	memcpy(f->text, why, n);
	cw_ln_log(l, CW_LINE_WARN, "lease.refused",
	    "order=%llu record=%llu epoch=%u err=%s why=\"%s\"",
	    (unsigned long long)f->order, (unsigned long long)f->record,
	    f->epoch, cw_err_name(err), f->text);
	cw_ln_up(l, &m);
	cw_ln_lease_drop(l, le);
}

/* REVOKED for an epoch that was fenced before, once that is surely durable:
 * at once when nothing waits for the disk, for then nothing would call back. */
static void
fenced_again(struct cw_line *l, uint64_t order, uint64_t record, uint32_t epoch)
{
	if (l->last_lsn <= l->durable_lsn) {
		cw_ln_revoked(l, order, record, epoch);
		return;
	}
	cw_ln_wait(l, &(struct cw_ln_wait){ .lsn = l->last_lsn,
	    .kind = CW_LN_WAIT_REVOKED, .order = order, .record = record,
	    .epoch = epoch });
}

/*
 * Whether this epoch can be said to be revoked: it is the one that was fenced,
 * or an earlier one, which only a platform that was set back still offers.  Of
 * an earlier one a result may be on its way up, and that says more.
 */
static bool
is_fenced(const struct cw_line *l, const struct cw_ln_order *o,
    const struct cw_ln_rec *r, uint32_t epoch)
{
	if (r->fate != CW_LN_FENCED || epoch > r->epoch)
		return false;
	if (epoch == r->epoch)
		return true;
	for (const struct cw_ln_out *e = l->out; e != NULL; e = e->next)
		if (e->end.order == o->id && e->end.record == r->record)
			return false;
	return !l->settle;
}

/* Fences (record, epoch) and answers when that is durable. */
static void
fence(struct cw_line *l, struct cw_ln_order *o, uint64_t record, uint32_t epoch)
{
	struct cw_pl_revoke m = { .order = o->id, .record = record,
	    .epoch = epoch };
	struct cw_ln_rec *r = cw_ln_rec_get(o, record);
	uint8_t buf[20];
	int64_t lsn;

	if (r == NULL)
		return;
	lsn = cw_ln_append(l, CW_LN_FENCE, buf,
	    cw_ln_put_fence(buf, sizeof buf, &m));
	if (lsn < 0)
		return;		/* the platform asks again */
	if (r->have != NULL)
		cw_ln_lease_drop(l, r->have);
	r->epoch = epoch;
	r->fate = CW_LN_FENCED;
	cw_ln_wait(l, &(struct cw_ln_wait){ .lsn = (uint64_t)lsn,
	    .kind = CW_LN_WAIT_REVOKED, .order = o->id, .record = record,
	    .epoch = epoch });
}

void
cw_ln_revoked(struct cw_line *l, uint64_t order, uint64_t record, uint32_t epoch)
{
	struct cw_pl_msg m = { .type = CW_PL_REVOKED };

	m.u.revoke.order = order;
	m.u.revoke.record = record;
	m.u.revoke.epoch = epoch;
	cw_ln_up(l, &m);
}

void
cw_ln_revoke_msg(struct cw_line *l, const struct cw_pl_revoke *m)
{
	struct cw_ln_order *o;
	struct cw_ln_rec *r;

	/* Of a closed order no lease is ever begun again: fenced as a whole. */
	if (cw_ln_order_closed(l, m->order)) {
		cw_ln_revoked(l, m->order, m->record, m->epoch);
		return;
	}
	o = cw_ln_order_get(l, m->order);
	r = o != NULL ? cw_ln_rec_get(o, m->record) : NULL;
	if (r == NULL)
		return;
	if (m->epoch > r->epoch) {
		if (r->have == NULL || r->have->epoch <= m->epoch)
			fence(l, o, m->record, m->epoch);
	} else if (is_fenced(l, o, r, m->epoch)) {
		fenced_again(l, m->order, m->record, m->epoch);
	}
	/* Begun: its RESULT is the answer, and is repeated by itself. */
}

void
cw_ln_lease_cancel(struct cw_line *l, struct cw_ln_order *o)
{
	while (!cw_ln_list_empty(&o->all)) {
		struct cw_ln_lease *le = CW_LN_OF(o->all.next,
		    struct cw_ln_lease, all);
		const struct cw_ln_lease *first = le;

		fence(l, o, le->record, le->epoch);
		if (!cw_ln_list_empty(&o->all) && CW_LN_OF(o->all.next,
		    struct cw_ln_lease, all) == first)
			break;	/* the disk takes no more; REVOKE comes again */
	}
}

void
cw_ln_lease_msg(struct cw_line *l, const struct cw_pl_lease *m)
{
	struct cw_ln_order *o = cw_ln_order_get(l, m->order);
	struct cw_ln_reader *rd = NULL;
	struct cw_ln_rec *r;
	struct cw_ln_lease *le;

	if (o == NULL || m->epoch == 0 || l->fenced) {
		l->counts.stale_leases++;
		return;
	}
	r = cw_ln_rec_get(o, m->record);
	if (r == NULL)
		return;
	if (m->epoch <= r->epoch ||
	    (r->have != NULL && m->epoch < r->have->epoch)) {
		l->counts.stale_leases++;

		/* The platform has forgotten that it took the lease back (it
		 * was restarted, REVOKED was lost): told so, or it would offer
		 * this epoch for ever. */
		if (is_fenced(l, o, r, m->epoch))
			fenced_again(l, m->order, m->record, m->epoch);
		return;
	}
	if (r->have != NULL && m->epoch == r->have->epoch)
		return;
	if (o->state == CW_ORDER_CANCEL || o->state == CW_ORDER_CLOSED) {
		fence(l, o, m->record, m->epoch);
		return;
	}
	if (l->have >= HAVE_FACTOR * (uint32_t)l->station_cnt + HAVE_EXTRA)
		return;
	if (r->have != NULL)
		cw_ln_lease_drop(l, r->have);
	le = malloc(sizeof *le + m->pkg_len);
	if (le == NULL)
		return;
	memset(le, 0, sizeof *le);
	le->order = o;
	le->record = m->record;
	le->epoch = m->epoch;
	le->addr = m->addr;
	le->pkg_len = m->pkg_len;
	if (m->pkg_len > 0)
		memcpy(le->pkg, m->pkg, m->pkg_len);
	cw_ln_list_add(&o->all, &le->all);
	cw_ln_list_init(&le->queue);
	l->have++;
	if (l->have > l->counts.bound_peak)
		l->counts.bound_peak = l->have;
	r->have = le;
	l->pull_dirty = true;
	if (m->addr != 0)
		rd = reader_by_addr(l, m->addr);
	if (m->addr != 0 && rd == NULL)
		cw_ln_lease_refuse(l, le, CW_ENOENT,
		    "no reader of this line has the card address");
	else
		cw_ln_list_add(rd != NULL ? &rd->bound : &o->open, &le->queue);
}

/* An order's next lease suits reader r as it is: the image is there. */
static bool
suits(const struct cw_ln_order *o, const struct cw_ln_reader *r)
{
	return cw_ln_order_runs(o) &&
	    (o->image == NULL || cw_ln_reader_holds(r, o->image));
}

struct cw_ln_lease *
cw_ln_lease_pick(struct cw_line *l, struct cw_ln_reader *r)
{
	struct cw_ln_list *n;

	for (n = r->bound.next; n != &r->bound; n = n->next) {
		struct cw_ln_lease *le = CW_LN_OF(n, struct cw_ln_lease, queue);

		if (suits(le->order, r))
			return le;
	}
	for (n = l->orders.next; n != &l->orders; n = n->next) {
		struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		if (!cw_ln_list_empty(&o->open) && suits(o, r))
			return CW_LN_OF(o->open.next, struct cw_ln_lease, queue);
	}
	return NULL;
}

struct cw_ln_image *
cw_ln_lease_image(struct cw_line *l, struct cw_ln_reader *r)
{
	struct cw_ln_image *ahead = NULL;
	bool holds = false;
	struct cw_ln_list *n;

	if (cw_ln_lease_pick(l, r) != NULL)
		return NULL;
	for (n = r->bound.next; n != &r->bound; n = n->next) {
		struct cw_ln_lease *le = CW_LN_OF(n, struct cw_ln_lease, queue);

		if (cw_ln_order_runs(le->order))
			return le->order->image;
	}
	for (n = l->orders.next; n != &l->orders; n = n->next) {
		struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		if (!cw_ln_order_runs(o) || o->image == NULL)
			continue;
		if (!cw_ln_list_empty(&o->open))
			return o->image;

		/* Nothing to do yet: the image of an order that runs is sent
		 * ahead, unless the reader holds that of another.  But leases
		 * in hand of a later order come before what may come. */
		holds = holds || cw_ln_reader_holds(r, o->image);
		if (ahead == NULL)
			ahead = o->image;
	}
	return holds ? NULL : ahead;
}

uint32_t
cw_ln_want(const struct cw_line *l)
{
	uint32_t credit = 2u * l->station_cnt, held = l->have + l->begun;

	if (l->drain || l->settle || l->fenced || l->fatal[0] != '\0' ||
	    l->disk != 0)
		return 0;
	return held < credit ? credit - held : 0;
}

static bool
reader_works(const struct cw_line *l, const struct cw_ln_reader *r)
{
	if (!r->ready)
		return false;
	for (unsigned int i = 0; i < r->station_cnt; i++)
		if (!l->station[r->station[i]].stuck)
			return true;
	return false;
}

void
cw_ln_pull(struct cw_line *l)
{
	struct cw_pl_msg m = { .type = CW_PL_PULL };
	struct cw_pl_pull *p = &m.u.pull;
	uint32_t want = cw_ln_want(l);
	unsigned int i, k;

	/* More readers than the message names take turns. */
	for (i = 0; i < l->reader_cnt && p->addr_cnt < CW_STATIONS_MAX; i++) {
		k = (l->pull_rot + i) % l->reader_cnt;
		if (reader_works(l, &l->reader[k]))
			p->addr[p->addr_cnt++] = l->reader[k].addr;
	}
	if (l->reader_cnt > 0)
		l->pull_rot = (l->pull_rot + i) % l->reader_cnt;
	p->want = (uint16_t)(p->addr_cnt == 0 ? 0 : want);
	l->pull_us = l->now;
	if (cw_ln_up(l, &m) == 0)
		l->pull_dirty = false;
}
