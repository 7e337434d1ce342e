/* SPDX-License-Identifier: Apache-2.0 */
/* Which records go to which terminal, and what is sent. */
#include <stdio.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "platform/ledger_priv.h"

uint8_t
cw_lg_wire_state(const struct cw_st_order *o)
{
	switch ((enum cw_st_order_state)o->state) {
	case CW_ORD_READY:
	case CW_ORD_RUNNING:
		return CW_ORDER_RUN;
	case CW_ORD_PAUSED:
	case CW_ORD_BLOCKED:
		return CW_ORDER_PAUSE;
	case CW_ORD_CANCELLING:
		return CW_ORDER_CANCEL;
	case CW_ORD_DONE:
		/* A terminal that has closed an order takes no lease of it ever
		 * again, but a person may still have these made again. */
		if (o->counts.rec[CW_REC_FAILED] + o->counts.rec[CW_REC_IN_DOUBT] > 0)
			return CW_ORDER_PAUSE;
		return CW_ORDER_CLOSED;
	case CW_ORD_INTAKE:
	case CW_ORD_CANCELLED:
	case CW_ORD_CLOSED:
	case CW_ORD_CNT:
	default:
		return CW_ORDER_CLOSED;
	}
}

static bool
was_sent(const struct lg_term *t, uint64_t order)
{
	unsigned int i;

	for (i = 0; i < LG_SENT_MAX; i++)
		if (t->sent[i] == order)
			return true;
	return false;
}

void
cw_lg_tell_state(struct cw_ledger *l, uint64_t order, uint8_t state)
{
	struct cw_pl_msg m = { .type = CW_PL_ORDER_STATE };
	unsigned int i, k;

	m.u.order_state.order = order;
	m.u.order_state.state = state;
	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		struct lg_term *t = &l->term[i];

		/* Also to those that may have forgotten it: who does not know
		 * the order ignores this. */
		if (!t->used || !t->greeted)
			continue;
		(void)cw_lg_send(l, t, &m);
		/* After its end an order is told anew, should it come back. */
		for (k = 0; k < LG_SENT_MAX; k++)
			if (t->sent[k] == order && state == CW_ORDER_CLOSED)
				t->sent[k] = 0;
	}
}

int
cw_lg_send_order(struct cw_ledger *l, struct lg_term *t, uint64_t order)
{
	struct cw_pl_msg m = { .type = CW_PL_ORDER };
	struct cw_pl_order *p = &m.u.order;
	struct cw_st_order o;
	int err;

	err = l->ops->order_get(l->h, order, &o);
	if (err == CW_ENOENT || (err == 0 && o.state == CW_ORD_INTAKE))
		return 0;
	if (err < 0)
		return cw_lg_reset(l, err);
	p->order = o.id;
	p->state = cw_lg_wire_state(&o);
	p->has_cos = o.has_cos;
	p->has_data = o.has_data;
	p->production = o.production;
	memcpy(p->cos_digest, o.cos_digest, sizeof p->cos_digest);
	p->cos_addr = o.cos_addr;
	p->cos_len = o.cos_len;
	p->cos_pkg_len = o.cos_pkg_len;
	memcpy(p->profile, o.profile, sizeof p->profile);
	memcpy(p->profile_digest, o.profile_digest, sizeof p->profile_digest);
	p->profile_len = o.profile_len;
	if (cw_lg_send(l, t, &m) == 0 && !was_sent(t, order))
		t->sent[t->sent_cnt++ % LG_SENT_MAX] = order;
	return 0;
}

int
cw_lg_send_chunk(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_get *g)
{
	struct cw_pl_msg m = { .type = CW_PL_CHUNK };
	int n = 0;

	if (g->blob == CW_BLOB_COS || g->blob == CW_BLOB_PROFILE)
		n = l->ops->blob_get(l->h, g->order, g->blob, g->off, l->chunk,
		    sizeof l->chunk);
	if (n == CW_ENOENT)
		n = 0;
	if (n < 0)
		return cw_lg_reset(l, n);
	m.u.chunk.order = g->order;
	m.u.chunk.blob = g->blob;
	m.u.chunk.off = g->off;
	m.u.chunk.buf = l->chunk;
	m.u.chunk.len = (uint32_t)n;
	(void)cw_lg_send(l, t, &m);
	return 0;
}

static unsigned int
bound_cnt(const struct lg_term *t, uint32_t addr)
{
	unsigned int i, n = 0;

	for (i = 0; i < t->lease_cnt; i++)
		n += t->lease[i].addr == addr;
	return n;
}

/* The order is this terminal's too now. */
static int
join_order(struct cw_ledger *l, struct lg_term *t, struct cw_st_order *o)
{
	struct cw_st_share sh;
	int err = 0;

	if (!was_sent(t, o->id)) {
		err = l->ops->share_get(l->h, o->id, t->row.id, &sh);
		if (err == CW_ENOENT) {
			sh = (struct cw_st_share){ .order = o->id,
			    .term = t->row.id, .readers = t->addr_cnt };
			err = l->ops->share_put(l->h, &sh);
		}
	}
	if (err == 0 && o->state == CW_ORD_READY) {
		o->state = CW_ORD_RUNNING;
		o->started_ms = cw_lg_utc(l);
		err = l->ops->order_put(l->h, o);
	}
	return err;
}

/* Leases up to max waiting records bound to addr (0 = open ones); count. */
static int
lease_some(struct cw_ledger *l, struct lg_term *t, struct cw_st_order *o,
    uint32_t addr, unsigned int max)
{
	struct cw_st_record from = { .order = o->id, .addr = addr }, r[32];
	int i, n, err;

	if (max > CW_LEDGER_LEASES_MAX - t->lease_cnt)
		max = CW_LEDGER_LEASES_MAX - t->lease_cnt;
	if (max > 32)
		max = 32;
	if (max == 0)
		return 0;
	n = l->ops->record_waiting(l->h, &from, r, max);
	for (i = 0; i < n; i++) {
		err = i == 0 ? join_order(l, t, o) : 0;
		if (err < 0)
			return err;
		r[i].state = CW_REC_LEASED;
		r[i].epoch++;
		r[i].term = t->row.id;
		err = l->ops->record_set(l->h, CW_REC_WAITING, &r[i]);
		if (err < 0)
			return err;
		t->lease[t->lease_cnt++] = (struct lg_lease){ .order = o->id,
		    .record = r[i].record, .epoch = r[i].epoch,
		    .addr = r[i].addr };
		t->want--;
	}
	return n;
}

/* All that one order has for one terminal now; count. */
static int
lease_order(struct cw_ledger *l, struct lg_term *t, struct cw_st_order *o)
{
	unsigned int i, held, max;
	int n, sum = 0;

	for (i = 0; i < t->addr_cnt && t->want > 0; i++) {
		held = bound_cnt(t, t->addr[i]);
		if (t->addr[i] == 0 || held >= LG_BOUND_MAX)
			continue;
		max = LG_BOUND_MAX - held < t->want ? LG_BOUND_MAX - held : t->want;
		n = lease_some(l, t, o, t->addr[i], max);
		if (n < 0)
			return n;
		sum += n;
	}
	do {
		n = lease_some(l, t, o, 0, t->want);
		if (n < 0)
			return n;
		sum += n;
	} while (n > 0 && t->want > 0);
	return sum;
}

bool
cw_lg_may_do(const struct lg_term *t, const struct cw_st_order *o)
{
	if (o->line[0] != '\0' && strcmp(o->line, t->name) != 0)
		return false;
	return o->terminal_ip == 0 || o->terminal_ip == t->ip;
}

/* Oldest order first, until the terminal's credit is used up. */
static int
serve(struct cw_ledger *l, struct lg_term *t)
{
	struct cw_st_page page = { .states = CW_ST_BIT(CW_ORD_READY) |
	    CW_ST_BIT(CW_ORD_RUNNING) };
	struct cw_st_order o;
	int n, sum = 0;

	while (t->want > 0) {
		n = l->ops->order_list(l->h, &page, &o, 1);
		if (n <= 0)
			return n < 0 ? n : sum;
		page.after = o.id;
		if (o.counts.rec[CW_REC_WAITING] == 0 || !cw_lg_may_do(t, &o))
			continue;
		n = lease_order(l, t, &o);
		if (n < 0)
			return n;
		sum += n;
	}
	return sum;
}

int
cw_lg_dispatch(struct cw_ledger *l)
{
	unsigned int i;
	bool found = false;
	int n = cw_lg_held(l);

	if (n != 0) {
		l->work = false;
		return n < 0 ? n : 0;
	}
	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		struct lg_term *t = &l->term[(l->first + i) % CW_LEDGER_TERMS_MAX];

		if (!t->used || !t->greeted || t->evidence || t->want == 0)
			continue;
		n = serve(l, t);
		if (n < 0)
			return n;
		found = found || n > 0;
	}
	l->first = (l->first + 1) % CW_LEDGER_TERMS_MAX;
	l->work = found;
	return 0;
}

/* A payload that does not open cannot be written on any card: the leases are
 * taken back and the order stops with the reason. */
static int
block_order(struct cw_ledger *l, struct lg_lease *e)
{
	struct cw_st_order o;
	int err;

	cw_lg_take_back(l, e->order, 0);
	err = l->ops->begin(l->h);
	if (err < 0)
		return err;
	err = l->ops->order_get(l->h, e->order, &o);
	if (err == 0 && (o.state == CW_ORD_RUNNING || o.state == CW_ORD_READY)) {
		o.state = CW_ORD_BLOCKED;
		snprintf(o.reason, sizeof o.reason, "record %llu does not open: the "
		    "key file is not the one it was sealed with; restore that key "
		    "file, then resume", (unsigned long long)e->record);
		err = l->ops->order_put(l->h, &o);
		if (err == 0)
			err = cw_lg_event(l, o.id, "blocked: %.180s", o.reason);
	}
	if (err < 0) {
		(void)l->ops->rollback(l->h);
		return err;
	}
	return l->ops->commit(l->h);
}

/* Length of the package in l->pkg, 0 for a record without data. */
static int
build_package(struct cw_ledger *l, const struct lg_lease *e)
{
	struct cw_seal_id id = { e->order, e->record };
	struct cw_pkg pkg = { .kind = CW_PKG_PERSONAL, .order = e->order,
	    .record = e->record, .epoch = e->epoch };
	int n;

	n = l->ops->payload_get(l->h, e->order, e->record, l->sealed,
	    sizeof l->sealed);
	if (n == CW_ENOENT)
		return 0;
	if (n < 0)
		return n;
	n = cw_seal_get(l->cfg.seal, &id, l->sealed, (size_t)n, l->pkg + CW_PKG_HDR);
	if (n < 0)
		return CW_EDIGEST;
	pkg.payload_len = (uint32_t)n;
	return (int)cw_pkg_seal(l->pkg, &pkg);
}

static int
send_lease(struct cw_ledger *l, struct lg_term *t, struct lg_lease *e)
{
	struct cw_pl_msg m = { .type = CW_PL_LEASE };
	int n;

	if (!was_sent(t, e->order)) {
		n = cw_lg_send_order(l, t, e->order);
		if (n < 0)
			return n;
	}
	n = build_package(l, e);
	if (n == CW_EDIGEST)
		n = block_order(l, e);
	else if (n >= 0) {
		m.u.lease.order = e->order;
		m.u.lease.record = e->record;
		m.u.lease.epoch = e->epoch;
		m.u.lease.addr = e->addr;
		m.u.lease.pkg = l->pkg;
		m.u.lease.pkg_len = (uint32_t)n;
		(void)cw_lg_send(l, t, &m);
		cw_wipe(l->pkg, (size_t)n);
		n = 0;
	}
	return n < 0 ? cw_lg_reset(l, n) : 0;
}

static void
send_revoke(struct cw_ledger *l, struct lg_term *t, const struct lg_lease *e)
{
	struct cw_pl_msg m = { .type = CW_PL_REVOKE };

	m.u.revoke.order = e->order;
	m.u.revoke.record = e->record;
	m.u.revoke.epoch = e->epoch;
	(void)cw_lg_send(l, t, &m);
}

/* Whether the store knows nothing of this lease any more: a later attempt was
 * told.  Nobody will answer for it then. */
static bool
is_over(struct cw_ledger *l, const struct lg_term *t, const struct lg_lease *e)
{
	struct cw_st_record r;

	return l->ops->record_get(l->h, e->order, e->record, &r) == 0 &&
	    (r.state != CW_REC_LEASED || r.epoch != e->epoch ||
	    r.term != t->row.id);
}

static int
send_to(struct cw_ledger *l, struct lg_term *t, uint64_t now_ms)
{
	struct cw_pl_msg ack = { .type = CW_PL_ACK };
	struct lg_lease *e;
	unsigned int i;
	int err;

	if (t->ack_due) {
		ack.u.ack.seq = t->evidence ? t->row.old_acked : t->row.acked_seq;
		t->ack_due = false;
		(void)cw_lg_send(l, t, &ack);
	}
	for (i = 0; t->used && i < t->lease_cnt; i++) {
		e = &t->lease[i];
		if (e->next_ms > now_ms)
			continue;
		e->next_ms = now_ms + l->cfg.repeat_ms;
		if (!e->revoke) {
			err = send_lease(l, t, e);
			if (err < 0)
				return err;
		}
		if (!e->revoke)
			continue;
		send_revoke(l, t, e);
		if (is_over(l, t, e))
			*e = t->lease[--t->lease_cnt];
	}
	return 0;
}

int
cw_lg_send_due(struct cw_ledger *l, uint64_t now_ms)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < CW_LEDGER_TERMS_MAX && err == 0; i++)
		if (l->term[i].used && l->term[i].greeted)
			err = send_to(l, &l->term[i], now_ms);
	return err;
}
