/* SPDX-License-Identifier: Apache-2.0 */
/* Orders, their blobs, terminals, shares and events of the SQLite store. */
#include <string.h>

#include "cw/err.h"
#include "platform/store/sqlite_priv.h"

static void
bind_text(sqlite3_stmt *st, int idx, const char *text)
{
	(void)sqlite3_bind_text(st, idx, text, -1, SQLITE_STATIC);
}

static void
bind_order(sqlite3_stmt *st, const struct cw_st_order *o)
{
	bind_text(st, 1, o->ext);
	(void)sqlite3_bind_blob(st, 2, o->digest, sizeof o->digest, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, o->state);
	bind_text(st, 4, o->reason);
	bind_text(st, 5, o->profile);
	bind_text(st, 6, o->line);
	(void)sqlite3_bind_int64(st, 7, o->terminal_ip);
	(void)sqlite3_bind_int64(st, 8, o->production);
	(void)sqlite3_bind_int64(st, 9, o->has_cos);
	(void)sqlite3_bind_int64(st, 10, o->has_data);
	(void)sqlite3_bind_blob(st, 11, o->cos_digest, sizeof o->cos_digest, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 12, o->cos_addr);
	(void)sqlite3_bind_int64(st, 13, o->cos_len);
	(void)sqlite3_bind_int64(st, 14, o->cos_pkg_len);
	(void)sqlite3_bind_blob(st, 15, o->profile_digest, sizeof o->profile_digest, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 16, o->profile_len);
	(void)sqlite3_bind_int64(st, 17, (sqlite3_int64)o->total);
	(void)sqlite3_bind_int64(st, 18, o->remake_max);
	(void)sqlite3_bind_int64(st, 19, o->blank_max);
	(void)sqlite3_bind_int64(st, 20, o->doubt);
	(void)sqlite3_bind_int64(st, 21, o->key_id);
	(void)sqlite3_bind_int64(st, 22, (sqlite3_int64)o->created_ms);
	(void)sqlite3_bind_int64(st, 23, (sqlite3_int64)o->started_ms);
	(void)sqlite3_bind_int64(st, 24, (sqlite3_int64)o->ended_ms);
}

static void
read_order(sqlite3_stmt *st, struct cw_st_order *o)
{
	int i;

	memset(o, 0, sizeof *o);
	o->id = (uint64_t)sqlite3_column_int64(st, 0);
	cw_sq_text(st, 1, o->ext, sizeof o->ext);
	(void)cw_sq_bytes(st, 2, o->digest, sizeof o->digest);
	o->state = (uint8_t)sqlite3_column_int(st, 3);
	cw_sq_text(st, 4, o->reason, sizeof o->reason);
	cw_sq_text(st, 5, o->profile, sizeof o->profile);
	cw_sq_text(st, 6, o->line, sizeof o->line);
	o->terminal_ip = (uint32_t)sqlite3_column_int64(st, 7);
	o->production = (uint8_t)sqlite3_column_int(st, 8);
	o->has_cos = (uint8_t)sqlite3_column_int(st, 9);
	o->has_data = (uint8_t)sqlite3_column_int(st, 10);
	(void)cw_sq_bytes(st, 11, o->cos_digest, sizeof o->cos_digest);
	o->cos_addr = (uint32_t)sqlite3_column_int64(st, 12);
	o->cos_len = (uint32_t)sqlite3_column_int64(st, 13);
	o->cos_pkg_len = (uint32_t)sqlite3_column_int64(st, 14);
	(void)cw_sq_bytes(st, 15, o->profile_digest, sizeof o->profile_digest);
	o->profile_len = (uint32_t)sqlite3_column_int64(st, 16);
	o->total = (uint64_t)sqlite3_column_int64(st, 17);
	o->remake_max = (uint16_t)sqlite3_column_int(st, 18);
	o->blank_max = (uint16_t)sqlite3_column_int(st, 19);
	o->doubt = (uint8_t)sqlite3_column_int(st, 20);
	o->key_id = (uint32_t)sqlite3_column_int64(st, 21);
	o->created_ms = (uint64_t)sqlite3_column_int64(st, 22);
	o->started_ms = (uint64_t)sqlite3_column_int64(st, 23);
	o->ended_ms = (uint64_t)sqlite3_column_int64(st, 24);
	for (i = 0; i < CW_REC_CNT; i++)
		o->counts.rec[i] = (uint64_t)sqlite3_column_int64(st, 25 + i);
	o->counts.good = (uint64_t)sqlite3_column_int64(st, 31);
	o->counts.reject = (uint64_t)sqlite3_column_int64(st, 32);
	o->counts.doubt = (uint64_t)sqlite3_column_int64(st, 33);
	o->counts.none = (uint64_t)sqlite3_column_int64(st, 34);
	o->counts.stray = (uint64_t)sqlite3_column_int64(st, 35);
}

int
cw_sq_order_insert(void *h, const struct cw_st_order *o, uint64_t *id)
{
	struct sq *q = h;
	sqlite3_stmt *st;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, SQ_ORDER_INSERT);
	if (st == NULL)
		return cw_sq_err(q);
	bind_order(st, o);
	err = cw_sq_run(q, st);
	if (err < 0)
		return err;
	*id = (uint64_t)sqlite3_last_insert_rowid(q->db);
	if (*id > INT32_MAX)
		return CW_ELIMIT;

	st = cw_sq_use(q, SQ_COUNTS_INSERT);
	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)*id);
	return cw_sq_run(q, st);
}

/* One row or CW_ENOENT; the statement is bound. */
static int
get_order(struct sq *q, sqlite3_stmt *st, struct cw_st_order *o)
{
	int n;

	n = cw_sq_settle(q);
	if (n == 0)
		n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	read_order(st, o);
	(void)sqlite3_reset(st);
	return 0;
}

int
cw_sq_order_get(void *h, uint64_t id, struct cw_st_order *o)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_ORDER_GET);

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	return get_order(q, st, o);
}

int
cw_sq_order_find_ext(void *h, const char *ext, struct cw_st_order *o)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_ORDER_EXT);
	int err;

	if (st == NULL)
		return cw_sq_err(q);
	bind_text(st, 1, ext);
	err = get_order(q, st, o);
	(void)sqlite3_clear_bindings(st);
	return err;
}

int
cw_sq_order_put(void *h, const struct cw_st_order *o)
{
	struct sq *q = h;
	sqlite3_stmt *st;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, SQ_ORDER_PUT);
	if (st == NULL)
		return cw_sq_err(q);
	bind_order(st, o);
	(void)sqlite3_bind_int64(st, 25, (sqlite3_int64)o->id);
	err = cw_sq_run(q, st);
	if (err < 0)
		return err;
	return sqlite3_changes(q->db) == 1 ? 0 : CW_ENOENT;
}

int
cw_sq_order_list(void *h, const struct cw_st_page *p, struct cw_st_order *out,
    size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st;
	uint64_t after = p->after;
	size_t n = 0;
	int more;

	more = cw_sq_settle(q);
	if (more < 0)
		return more;
	st = cw_sq_use(q, p->newest_first ? SQ_ORDER_LIST_NEW : SQ_ORDER_LIST);
	if (st == NULL)
		return cw_sq_err(q);
	if (p->newest_first && after == 0)
		after = INT64_MAX;
	cw_sq_ints(st, 3, (const sqlite3_int64[]){ (sqlite3_int64)after,
	    p->states == 0 ? ~CW_ST_BIT(CW_ORD_INTAKE) : p->states,
	    (sqlite3_int64)cap });
	while ((more = cw_sq_next(q, st)) > 0)
		read_order(st, &out[n++]);
	return more < 0 ? more : (int)n;
}

static int
run_id(struct sq *q, enum sq_stmt which, uint64_t id)
{
	sqlite3_stmt *st = cw_sq_use(q, which);

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	return cw_sq_run(q, st);
}

int
cw_sq_order_purge(void *h, uint64_t id, uint32_t max)
{
	struct sq *q = h;
	struct cw_st_order o;
	sqlite3_stmt *st;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;
	err = cw_sq_order_get(q, id, &o);
	if (err < 0)
		return err;
	if (o.state != CW_ORD_INTAKE)
		return CW_ESTATE;

	/* Fingerprints stay behind: one without its record owns nothing. */
	st = cw_sq_use(q, SQ_PURGE);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 3, (const sqlite3_int64[]){ SQ_ID(id, 0), SQ_ID(id, SQ_LAST),
	    max });
	err = cw_sq_run(q, st);
	if (err < 0)
		return err;
	if ((uint32_t)sqlite3_changes(q->db) >= max)
		return 1;

	err = run_id(q, SQ_BLOBS_DELETE, id);
	if (err == 0)
		err = run_id(q, SQ_COUNTS_DELETE, id);
	if (err == 0)
		err = run_id(q, SQ_ORDER_DELETE, id);
	return err;
}

int
cw_sq_blob_put(void *h, uint64_t order, uint8_t blob, const uint8_t *buf, size_t len)
{
	struct sq *q = h;
	sqlite3_stmt *st;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, SQ_BLOB_PUT);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 2, (const sqlite3_int64[]){ (sqlite3_int64)order, blob });
	(void)sqlite3_bind_blob64(st, 3, len > 0 ? (const void *)buf : "", len,
	    SQLITE_STATIC);
	return cw_sq_run(q, st);
}

int
cw_sq_blob_get(void *h, uint64_t order, uint8_t blob, size_t off, uint8_t *buf,
    size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_BLOB_GET);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 4, (const sqlite3_int64[]){ (sqlite3_int64)order, blob,
	    (sqlite3_int64)off + 1, (sqlite3_int64)cap });
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	n = sqlite3_column_bytes(st, 0);
	if (n > 0)
		memcpy(buf, sqlite3_column_blob(st, 0), (size_t)n);
	(void)sqlite3_reset(st);
	return n;
}

static void
read_term(sqlite3_stmt *st, struct cw_st_term *t)
{
	memset(t, 0, sizeof *t);
	t->id = (uint32_t)sqlite3_column_int64(st, 0);
	cw_sq_text(st, 1, t->name, sizeof t->name);
	t->ip = (uint32_t)sqlite3_column_int64(st, 2);
	t->incarnation = (uint64_t)sqlite3_column_int64(st, 3);
	t->acked_seq = (uint64_t)sqlite3_column_int64(st, 4);
	t->start_cnt = (uint32_t)sqlite3_column_int64(st, 5);
	t->cos_seen = (uint32_t)sqlite3_column_int64(st, 6);
	t->seen_ms = (uint64_t)sqlite3_column_int64(st, 7);
	t->dev_known = sqlite3_column_int(st, 8) != 0;
	t->dev_fresh = sqlite3_column_int(st, 9) != 0;
	t->base_feed = (uint32_t)sqlite3_column_int64(st, 10);
	t->base_good = (uint32_t)sqlite3_column_int64(st, 11);
	t->base_reject = (uint32_t)sqlite3_column_int64(st, 12);
	t->dev_feed = (uint32_t)sqlite3_column_int64(st, 13);
	t->dev_good = (uint32_t)sqlite3_column_int64(st, 14);
	t->dev_reject = (uint32_t)sqlite3_column_int64(st, 15);
	t->hold = sqlite3_column_int(st, 16) != 0;
	t->old_incarnation = (uint64_t)sqlite3_column_int64(st, 17);
	t->old_acked = (uint64_t)sqlite3_column_int64(st, 18);
}

static int
get_term(struct sq *q, sqlite3_stmt *st, struct cw_st_term *t)
{
	int n = cw_sq_next(q, st);

	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	read_term(st, t);
	(void)sqlite3_reset(st);
	return 0;
}

int
cw_sq_order_skip(void *h, uint64_t n)
{
	static const enum sq_stmt how[] = { SQ_ORDER_SKIP, SQ_ORDER_SKIP_NEW };
	struct sq *q = h;
	sqlite3_stmt *st;
	int i, err;

	if (!q->in_txn)
		return CW_ESTATE;
	for (i = 0; i < 2; i++) {
		st = cw_sq_use(q, how[i]);
		if (st == NULL)
			return cw_sq_err(q);
		(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)n);
		err = cw_sq_run(q, st);
		if (err < 0 || sqlite3_changes(q->db) > 0)
			return err;
	}
	return 0;
}

int
cw_sq_term_get(void *h, const char *name, struct cw_st_term *t)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_TERM_GET);
	int err;

	if (st == NULL)
		return cw_sq_err(q);
	bind_text(st, 1, name);
	err = get_term(q, st, t);
	(void)sqlite3_clear_bindings(st);
	return err;
}

int
cw_sq_term_get_id(void *h, uint32_t id, struct cw_st_term *t)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_TERM_GET_ID);

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, id);
	return get_term(q, st, t);
}

int
cw_sq_term_put(void *h, struct cw_st_term *t)
{
	struct sq *q = h;
	sqlite3_stmt *st;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, t->id == 0 ? SQ_TERM_INSERT : SQ_TERM_PUT);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, t->id == 0 ? 18 : 19, (const sqlite3_int64[]){ 0, t->ip,
	    (sqlite3_int64)t->incarnation, (sqlite3_int64)t->acked_seq,
	    t->start_cnt, t->cos_seen, (sqlite3_int64)t->seen_ms, t->dev_known,
	    t->dev_fresh, t->base_feed, t->base_good, t->base_reject,
	    t->dev_feed, t->dev_good, t->dev_reject, t->hold,
	    (sqlite3_int64)t->old_incarnation, (sqlite3_int64)t->old_acked,
	    t->id });
	bind_text(st, 1, t->name);
	err = cw_sq_run(q, st);
	if (err < 0)
		return err;
	if (sqlite3_changes(q->db) == 0)
		return t->id == 0 ? CW_EEXIST : CW_ENOENT;
	if (t->id == 0)
		t->id = (uint32_t)sqlite3_last_insert_rowid(q->db);
	return 0;
}

int
cw_sq_term_list(void *h, uint32_t after_id, struct cw_st_term *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_TERM_LIST);
	size_t n = 0;
	int more;

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 2, (const sqlite3_int64[]){ after_id, (sqlite3_int64)cap });
	while ((more = cw_sq_next(q, st)) > 0)
		read_term(st, &out[n++]);
	return more < 0 ? more : (int)n;
}

int
cw_sq_term_sums(void *h, uint32_t term, struct cw_st_counts *c)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_TERM_SUMS);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	memset(c, 0, sizeof *c);
	n = cw_sq_settle(q);
	if (n < 0)
		return n;
	(void)sqlite3_bind_int64(st, 1, term);
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	c->good = (uint64_t)sqlite3_column_int64(st, 0);
	c->reject = (uint64_t)sqlite3_column_int64(st, 1);
	c->doubt = (uint64_t)sqlite3_column_int64(st, 2);
	c->none = (uint64_t)sqlite3_column_int64(st, 3);
	(void)sqlite3_reset(st);
	return 0;
}

int
cw_sq_share_put(void *h, const struct cw_st_share *sh)
{
	struct sq *q = h;
	sqlite3_stmt *st;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, SQ_SHARE_PUT);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 4, (const sqlite3_int64[]){ (sqlite3_int64)sh->order,
	    sh->term, sh->cos_sent, sh->readers });
	return cw_sq_run(q, st);
}

static void
read_share(sqlite3_stmt *st, struct cw_st_share *sh)
{
	sh->order = (uint64_t)sqlite3_column_int64(st, 0);
	sh->term = (uint32_t)sqlite3_column_int64(st, 1);
	sh->cos_sent = (uint32_t)sqlite3_column_int64(st, 2);
	sh->readers = (uint32_t)sqlite3_column_int64(st, 3);
}

int
cw_sq_share_get(void *h, uint64_t order, uint32_t term, struct cw_st_share *sh)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_SHARE_GET);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 2, (const sqlite3_int64[]){ (sqlite3_int64)order, term });
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	read_share(st, sh);
	(void)sqlite3_reset(st);
	return 0;
}

int
cw_sq_share_list(void *h, uint64_t order, struct cw_st_share *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_SHARE_LIST);
	size_t n = 0;
	int more;

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 2, (const sqlite3_int64[]){ (sqlite3_int64)order,
	    (sqlite3_int64)cap });
	while ((more = cw_sq_next(q, st)) > 0)
		read_share(st, &out[n++]);
	return more < 0 ? more : (int)n;
}

int
cw_sq_event_add(void *h, const struct cw_st_event *e)
{
	struct sq *q = h;
	sqlite3_stmt *st;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, SQ_EVENT_ADD);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 2, (const sqlite3_int64[]){ (sqlite3_int64)e->order,
	    (sqlite3_int64)e->time_ms });
	bind_text(st, 3, e->text);
	return cw_sq_run(q, st);
}

int
cw_sq_event_list(void *h, uint64_t order, uint64_t before, struct cw_st_event *out,
    size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_EVENT_LIST);
	size_t n = 0;
	int more;

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 3, (const sqlite3_int64[]){ (sqlite3_int64)order,
	    before == 0 ? INT64_MAX : (sqlite3_int64)before, (sqlite3_int64)cap });
	while ((more = cw_sq_next(q, st)) > 0) {
		struct cw_st_event *e = &out[n++];

		e->id = (uint64_t)sqlite3_column_int64(st, 0);
		e->order = (uint64_t)sqlite3_column_int64(st, 1);
		e->time_ms = (uint64_t)sqlite3_column_int64(st, 2);
		cw_sq_text(st, 3, e->text, sizeof e->text);
	}
	return more < 0 ? more : (int)n;
}
