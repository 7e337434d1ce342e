/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "platform/ledger_priv.h"

#define REPEAT_MS 5000
#define LOOK_MS 1000

struct cw_ledger *
cw_ledger_new(const struct cw_ledger_config *cfg)
{
	struct cw_ledger *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->cfg = *cfg;
	if (l->cfg.repeat_ms == 0)
		l->cfg.repeat_ms = REPEAT_MS;
	l->ops = cfg->store->ops;
	l->h = cfg->store->h;
	l->work = true;
	return l;
}

void
cw_ledger_free(struct cw_ledger *l)
{
	if (l == NULL)
		return;
	cw_wipe(l, sizeof *l);
	free(l);
}

uint64_t
cw_lg_utc(const struct cw_ledger *l)
{
	return l->cfg.utc_ms == NULL ? 0 : l->cfg.utc_ms(l->cfg.ctx);
}

int
cw_lg_send(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_msg *m)
{
	return l->cfg.ops->send(l->cfg.ctx, t->conn, m);
}

static void
close_term(struct cw_ledger *l, struct lg_term *t)
{
	l->cfg.ops->close(l->cfg.ctx, t->conn);
	t->used = false;
}

/* The other side would look for the fault in its own link. */
static void
say_sick(struct cw_ledger *l, struct lg_term *t, int err)
{
	struct cw_pl_msg m = { .type = CW_PL_DENY };

	m.u.deny.err = (int16_t)err;
	snprintf(m.u.deny.text, sizeof m.u.deny.text, "the platform's database cannot "
	    "record: %s; mend that, the link is right", cw_err_text(err));
	(void)cw_lg_send(l, t, &m);
}

int
cw_lg_reset(struct cw_ledger *l, int err)
{
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		if (!l->term[i].used)
			continue;
		if (err < 0)
			say_sick(l, &l->term[i], err);
		close_term(l, &l->term[i]);
	}
	l->note_cnt = 0;
	l->arena_len = 0;
	l->touched_cnt = 0;
	l->touched_more = false;
	l->tell_cnt = 0;
	l->tell_more = false;
	memset(&l->cancel, 0, sizeof l->cancel);
	l->held_known = l->hold_due = false;
	l->work = true;
	if (err < 0)
		l->sick = err;
	return err;
}

int
cw_lg_event(struct cw_ledger *l, uint64_t order, const char *fmt, ...)
{
	struct cw_st_event e = { .order = order, .time_ms = cw_lg_utc(l) };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof e.text, fmt, ap);
	va_end(ap);
	if (l->cfg.ops->note != NULL)
		l->cfg.ops->note(l->cfg.ctx, order, e.text);
	return l->ops->event_add(l->h, &e);
}

void
cw_lg_touch(struct cw_ledger *l, uint64_t order)
{
	unsigned int i;

	for (i = 0; i < l->touched_cnt; i++)
		if (l->touched[i] == order)
			return;
	if (l->touched_cnt < LG_TOUCHED_MAX)
		l->touched[l->touched_cnt++] = order;
	else
		l->touched_more = true;
}

static struct lg_term *
find_conn(struct cw_ledger *l, uint32_t conn)
{
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
		if (l->term[i].used && l->term[i].conn == conn)
			return &l->term[i];
	return NULL;
}

int
cw_ledger_open(struct cw_ledger *l, uint32_t conn, const char *name,
    uint32_t ip, uint64_t now_ms)
{
	struct lg_term *t = NULL;
	unsigned int i;

	if (strlen(name) >= CW_ST_NAME_CAP)
		return CW_ETOOBIG;

	/* A terminal that comes anew has lost its old connection, whatever TCP
	 * still believes. */
	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
		if (l->term[i].used && strcmp(l->term[i].name, name) == 0)
			close_term(l, &l->term[i]);
	for (i = 0; i < CW_LEDGER_TERMS_MAX && t == NULL; i++)
		if (!l->term[i].used)
			t = &l->term[i];
	if (t == NULL)
		return CW_EFULL;
	memset(t, 0, sizeof *t);
	t->used = true;
	t->conn = conn;
	t->ip = ip;
	t->since_ms = now_ms;
	snprintf(t->name, sizeof t->name, "%s", name);
	return 0;
}

void
cw_ledger_closed(struct cw_ledger *l, uint32_t conn, uint64_t now_ms)
{
	struct lg_term *t = find_conn(l, conn);

	(void)now_ms;
	if (t != NULL)
		t->used = false;
}

/* Copies a message into the queue for the next flush. */
static int
take_note(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_msg *m,
    uint64_t now_ms)
{
	struct lg_note *n;
	size_t trace_len;
	uint32_t conn = t->conn;
	int err = 0;

	trace_len = m->type == CW_PL_RESULT ? m->u.result.trace_len : 0;
	if (l->note_cnt == LG_NOTES_MAX || l->arena_len + trace_len > LG_ARENA)
		err = cw_ledger_flush(l, now_ms);
	if (err < 0 || !t->used || t->conn != conn)
		return err;
	n = &l->note[l->note_cnt++];
	n->term = (unsigned int)(t - l->term);
	n->conn = conn;
	n->type = m->type;
	if (m->type == CW_PL_REVOKED) {
		n->u.revoked = m->u.revoke;
	} else if (m->type == CW_PL_REFUSED) {
		n->u.refused = m->u.refused;
	} else {
		n->u.result = m->u.result;
		if (trace_len > 0)
			memcpy(l->arena + l->arena_len, m->u.result.trace, trace_len);
		n->u.result.trace = l->arena + l->arena_len;
		l->arena_len += trace_len;
	}
	return 0;
}

static void
take_pull(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_pull *m)
{
	t->want = m->want;
	t->addr_cnt = m->addr_cnt > CW_STATIONS_MAX ? CW_STATIONS_MAX : m->addr_cnt;
	memcpy(t->addr, m->addr, t->addr_cnt * sizeof m->addr[0]);
	if (t->want > 0)
		l->work = true;
}

int
cw_ledger_msg(struct cw_ledger *l, uint32_t conn, const struct cw_pl_msg *m,
    uint64_t now_ms)
{
	struct lg_term *t = find_conn(l, conn);

	if (t == NULL)
		return CW_ECLOSED;
	if (t->greeted == (m->type == CW_PL_HELLO)) {
		close_term(l, t);
		return CW_EPROTO;
	}
	switch (m->type) {
	case CW_PL_HELLO:
		return cw_lg_hello(l, t, &m->u.hello, now_ms);
	case CW_PL_PULL:
		take_pull(l, t, &m->u.pull);
		return 0;
	case CW_PL_GET:
		if (m->u.get.blob == CW_BLOB_ORDER)
			return cw_lg_send_order(l, t, m->u.get.order);
		return cw_lg_send_chunk(l, t, &m->u.get);
	case CW_PL_RESULT:
	case CW_PL_REVOKED:
	case CW_PL_REFUSED:
		return take_note(l, t, m, now_ms);
	case CW_PL_SETTLED:
		return cw_lg_settled(l, t, &m->u.settled, now_ms);
	case CW_PL_STATUS:
		return cw_lg_status(l, t, &m->u.status, now_ms);
	default:
		close_term(l, t);
		return CW_EPROTO;
	}
}

/* Terminal rows that this flush has changed. */
static int
write_rows(struct cw_ledger *l)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < CW_LEDGER_TERMS_MAX && err == 0; i++) {
		if (!l->term[i].used || !l->term[i].row_dirty)
			continue;
		err = l->ops->term_put(l->h, &l->term[i].row);
		l->term[i].row_dirty = false;
	}
	return err;
}

static bool
anyone_wants(const struct cw_ledger *l)
{
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
		if (l->term[i].used && l->term[i].greeted && l->term[i].want > 0)
			return true;
	return false;
}

int
cw_ledger_flush(struct cw_ledger *l, uint64_t now_ms)
{
	bool dispatch = l->work && anyone_wants(l);
	unsigned int i;
	int err;

	if (l->note_cnt == 0 && l->touched_cnt == 0 && !dispatch)
		return cw_lg_send_due(l, now_ms);
	err = l->ops->begin(l->h);
	if (err < 0)
		return cw_lg_reset(l, err);
	err = cw_lg_apply_notes(l);
	if (err == 0)
		err = cw_lg_settle_orders(l);
	if (err == 0 && l->work && anyone_wants(l))
		err = cw_lg_dispatch(l);
	if (err == 0)
		err = write_rows(l);
	if (err < 0)
		(void)l->ops->rollback(l->h);
	else
		err = l->ops->commit(l->h);
	if (err < 0)
		return cw_lg_reset(l, err);

	/* What they have in hand may be another's: each hears so in WELCOME. */
	if (l->hold_due)
		return cw_lg_reset(l, 0);

	/* More than could be noted: they ask for every state when they return. */
	if (l->tell_more)
		return cw_lg_reset(l, 0);

	/* Only now: what goes out is durable. */
	for (i = 0; i < l->tell_cnt; i++)
		cw_lg_tell_state(l, l->tell[i].order, l->tell[i].state);
	l->tell_cnt = 0;
	return cw_lg_send_due(l, now_ms);
}

/* One step of cancelling; true through *more while rows are left. */
static int
cancel_step(struct cw_ledger *l, bool *more)
{
	struct cw_st_page page = { .states = CW_ST_BIT(CW_ORD_CANCELLING) };
	struct cw_st_order o;
	int n;

	*more = false;
	n = cw_lg_held(l);
	if (n != 0)
		return n < 0 ? n : 0;
	n = l->ops->order_list(l->h, &page, &o, 1);
	if (n <= 0)
		return n;
	if (l->cancel.order != o.id)
		l->cancel = (struct cw_st_move){ .order = o.id,
		    .from = CW_REC_WAITING, .to = CW_REC_CANCELLED,
		    .destroy = true };
	l->cancel.max = LG_MOVE_STEP;
	n = l->ops->begin(l->h);
	if (n < 0)
		return n;
	n = l->ops->record_move(l->h, &l->cancel);
	if (n < 0) {
		(void)l->ops->rollback(l->h);
		return n;
	}
	*more = n == LG_MOVE_STEP;
	if (!*more)
		memset(&l->cancel, 0, sizeof l->cancel);
	cw_lg_touch(l, o.id);
	return l->ops->commit(l->h);
}

/* After a failure nothing may be left to record: only a write shows that the
 * store is well again. */
static int
probe(struct cw_ledger *l)
{
	struct cw_st_event e = { .time_ms = cw_lg_utc(l) };
	int err = l->ops->begin(l->h);

	if (err < 0)
		return err;
	snprintf(e.text, sizeof e.text, "the database could not record (%s); it "
	    "does again", cw_err_text(l->sick));
	err = l->ops->event_add(l->h, &e);
	if (err < 0)
		(void)l->ops->rollback(l->h);
	else
		err = l->ops->commit(l->h);
	if (err == 0)
		l->sick = 0;
	return err;
}

int
cw_ledger_tick(struct cw_ledger *l, uint64_t now_ms)
{
	bool more;
	int err = l->sick < 0 ? probe(l) : 0;

	if (err < 0)
		return err;
	err = cancel_step(l, &more);
	if (err < 0)
		return cw_lg_reset(l, err);
	if (now_ms >= l->work_ms) {
		l->work = true;
		l->work_ms = now_ms + LOOK_MS;
	}
	return cw_ledger_flush(l, now_ms);
}

void
cw_ledger_kick(struct cw_ledger *l)
{
	l->work = true;
}

int
cw_ledger_term(const struct cw_ledger *l, unsigned int idx,
    struct cw_ledger_term_view *v)
{
	const struct lg_term *t;
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		t = &l->term[i];
		if (!t->used || idx-- > 0)
			continue;
		memcpy(v->name, t->name, sizeof v->name);
		v->conn = t->conn;
		v->ip = t->ip;
		v->greeted = t->greeted;
		v->since_ms = t->since_ms;
		v->station_cnt = t->station_cnt;
		v->status_ms = t->status_ms;
		v->lease_cnt = t->lease_cnt;
		v->want = t->want;
		v->status = t->status;
		return 0;
	}
	return CW_ENOENT;
}
