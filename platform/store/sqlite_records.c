/* SPDX-License-Identifier: Apache-2.0 */
/* Records, fingerprints and results of the SQLite store. */
#include <string.h>

#include "cw/err.h"
#include "cw/plink.h"
#include "platform/store/sqlite_priv.h"

static void
split_id(sqlite3_int64 id, uint64_t *order, uint64_t *record)
{
	*order = (uint64_t)id >> 32;
	*record = (uint64_t)id & SQ_LAST;
}

/* As a row id: an integer key is found in a third of the time of a blob. */
static sqlite3_int64
print_key(const uint8_t fp[CW_FP_LEN])
{
	uint64_t key = 0;
	int i;

	for (i = 0; i < CW_FP_LEN; i++)
		key = key << 8 | fp[i];
	return (sqlite3_int64)key;
}

/* Owner of a fingerprint: 1 and *owner, 0 if it owns it no more, or an error. */
static int
print_owner(struct sq *q, const uint8_t fp[CW_FP_LEN], sqlite3_int64 *owner)
{
	sqlite3_stmt *st = cw_sq_use(q, SQ_PRINT_GET);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, print_key(fp));
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n;
	*owner = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);

	st = cw_sq_use(q, SQ_PRINT_OWNED);
	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, *owner);
	n = cw_sq_next(q, st);
	if (n > 0)
		(void)sqlite3_reset(st);
	return n;
}

static int
print_run(struct sq *q, enum sq_stmt which, const uint8_t *fp, sqlite3_int64 id)
{
	sqlite3_stmt *st = cw_sq_use(q, which);

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, print_key(fp));
	if (which != SQ_PRINT_DELETE)
		(void)sqlite3_bind_int64(st, 2, id);
	return cw_sq_run(q, st);
}

/* Makes id the owner of fp; CW_EEXIST with the present owner. */
static int
print_claim(struct sq *q, const uint8_t *fp, sqlite3_int64 id, sqlite3_int64 *owner)
{
	int err;

	err = print_run(q, SQ_PRINT_ADD, fp, id);
	if (err < 0 || sqlite3_changes(q->db) == 1)
		return err;
	err = print_owner(q, fp, owner);
	if (err < 0)
		return err;
	return err > 0 ? CW_EEXIST : print_run(q, SQ_PRINT_TAKE, fp, id);
}

/* Binds a record to the four parameters from `first` on. */
static void
bind_new(sqlite3_stmt *st, int first, uint64_t order, const struct cw_st_new *r)
{
	(void)sqlite3_bind_int64(st, first, SQ_ID(order, r->record));
	(void)sqlite3_bind_int64(st, first + 1, r->addr);
	if (r->iccid != NULL)
		(void)sqlite3_bind_text(st, first + 2, r->iccid, -1, SQLITE_STATIC);
	if (r->payload != NULL)
		(void)sqlite3_bind_blob64(st, first + 3, r->payload,
		    r->payload_len, SQLITE_STATIC);
}

int
cw_sq_record_add(void *h, uint64_t order, const struct cw_st_new *r,
    struct cw_st_dup *dup)
{
	struct sq *q = h;
	sqlite3_int64 id = SQ_ID(order, r->record), owner = 0;
	sqlite3_stmt *st;
	unsigned int i, k;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;
	for (i = 0; i < r->fp_cnt; i++) {
		err = print_claim(q, r->fp[i], id, &owner);
		if (err == CW_EEXIST) {
			split_id(owner, &dup->order, &dup->record);
			dup->fp_idx = i;
			for (k = 0; k < i; k++)
				if (print_run(q, SQ_PRINT_DELETE, r->fp[k], 0) < 0)
					return CW_EIO;
		}
		if (err < 0)
			return err;
	}

	st = cw_sq_use(q, SQ_RECORD_ADD);
	if (st == NULL)
		return cw_sq_err(q);
	bind_new(st, 1, order, r);
	err = cw_sq_run(q, st);
	if (err < 0)
		return err == CW_EEXIST ? CW_EINVAL : err;
	return cw_sq_count_move(q, order, -1, CW_REC_WAITING, 1);
}

struct print {
	sqlite3_int64 key, id;
};

/*
 * Fingerprints of SQ_GROUP records, two each, by one statement, in order of
 * their keys: neighbours then follow one another under one cursor.  1 = all are
 * theirs now; 0 = somebody has one of them already, and none was claimed.
 */
static int
claim_group(struct sq *q, uint64_t order, const struct cw_st_new *r)
{
	struct print p[2 * SQ_GROUP], one;
	sqlite3_stmt *st = cw_sq_use(q, SQ_PRINT_ADD_32);
	int i, k, err;

	if (st == NULL)
		return cw_sq_err(q);
	for (i = 0; i < 2 * SQ_GROUP; i++) {
		one.key = print_key(r[i / 2].fp[i % 2]);
		one.id = SQ_ID(order, r[i / 2].record);
		for (k = i; k > 0 && p[k - 1].key > one.key; k--)
			p[k] = p[k - 1];
		p[k] = one;
	}
	for (i = 0; i < 2 * SQ_GROUP; i++) {
		(void)sqlite3_bind_int64(st, 2 * i + 1, p[i].key);
		(void)sqlite3_bind_int64(st, 2 * i + 2, p[i].id);
	}
	err = cw_sq_run(q, st);
	if (err < 0 || sqlite3_changes(q->db) == 2 * SQ_GROUP)
		return err < 0 ? err : 1;

	st = cw_sq_use(q, SQ_PRINT_DELETE_OWN);
	if (st == NULL)
		return cw_sq_err(q);
	for (i = 0; i < 2 * SQ_GROUP && err == 0; i++) {
		cw_sq_ints(st, 2, (const sqlite3_int64[]){ p[i].key, p[i].id });
		err = cw_sq_run(q, st);
	}
	return err;
}

/* SQ_GROUP records at once: 1 = added; 0 = one by one, please. */
static int
add_group(struct sq *q, uint64_t order, const struct cw_st_new *r)
{
	sqlite3_stmt *st;
	int i, err;

	for (i = 0; i < SQ_GROUP; i++)
		if (r[i].fp_cnt != 2)
			return 0;
	err = claim_group(q, order, r);
	if (err <= 0)
		return err;
	st = cw_sq_use(q, SQ_RECORD_ADD_16);
	if (st == NULL)
		return cw_sq_err(q);
	for (i = 0; i < SQ_GROUP; i++)
		bind_new(st, 4 * i + 1, order, &r[i]);
	err = cw_sq_run(q, st);
	if (err == 0)
		err = cw_sq_count_move(q, order, -1, CW_REC_WAITING, SQ_GROUP);
	return err < 0 ? err == CW_EEXIST ? CW_EINVAL : err : 1;
}

int
cw_sq_record_add_many(void *h, uint64_t order, const struct cw_st_new *r,
    size_t cnt, struct cw_st_dup *dup)
{
	struct sq *q = h;
	size_t i = 0, end;
	int n;

	if (!q->in_txn)
		return CW_ESTATE;
	while (i < cnt) {
		n = cnt - i < SQ_GROUP ? 0 : add_group(q, order, r + i);
		if (n < 0)
			return n;
		end = cnt - i < SQ_GROUP ? cnt : i + SQ_GROUP;
		if (n == 1)
			i = end;
		for (; i < end; i++) {
			n = cw_sq_record_add(q, order, &r[i], dup);
			if (n == CW_EEXIST)
				return (int)i;
			if (n < 0)
				return n;
		}
	}
	return (int)i;
}

static void
read_record(sqlite3_stmt *st, struct cw_st_record *r)
{
	memset(r, 0, sizeof *r);
	split_id(sqlite3_column_int64(st, 0), &r->order, &r->record);
	r->state = (uint8_t)sqlite3_column_int(st, 1);
	r->addr = (uint32_t)sqlite3_column_int64(st, 2);
	r->epoch = (uint32_t)sqlite3_column_int64(st, 3);
	r->term = (uint32_t)sqlite3_column_int64(st, 4);
	r->tries = (uint16_t)sqlite3_column_int(st, 5);
	r->blanks = (uint16_t)sqlite3_column_int(st, 6);
	r->outcome = (uint16_t)sqlite3_column_int(st, 7);
	r->sw = (uint16_t)sqlite3_column_int(st, 8);
	r->has_payload = sqlite3_column_int(st, 9) != 0;
	cw_sq_text(st, 10, r->iccid, sizeof r->iccid);
}

static int
list_records(struct sq *q, sqlite3_stmt *st, struct cw_st_record *out)
{
	size_t n = 0;
	int more;

	while ((more = cw_sq_next(q, st)) > 0)
		read_record(st, &out[n++]);
	return more < 0 ? more : (int)n;
}

int
cw_sq_record_get(void *h, uint64_t order, uint64_t record, struct cw_st_record *r)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RECORD_GET);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, SQ_ID(order, record));
	n = list_records(q, st, r);
	return n == 0 ? CW_ENOENT : n < 0 ? n : 0;
}

int
cw_sq_record_set(void *h, uint8_t was, const struct cw_st_record *r)
{
	struct sq *q = h;
	struct cw_st_record now;
	sqlite3_stmt *st;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, SQ_RECORD_SET);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 9, (const sqlite3_int64[]){ SQ_ID(r->order, r->record), was,
	    r->state, r->epoch, r->term, r->tries, r->blanks, r->outcome, r->sw });
	err = cw_sq_run(q, st);
	if (err < 0)
		return err;
	if (sqlite3_changes(q->db) == 0) {
		err = cw_sq_record_get(q, r->order, r->record, &now);
		return err < 0 ? err : CW_ESTATE;
	}
	return cw_sq_count_move(q, r->order, was, r->state, 1);
}

int
cw_sq_record_move(void *h, struct cw_st_move *m)
{
	struct sq *q = h;
	sqlite3_stmt *list, *one;
	sqlite3_int64 id = 0;
	uint64_t order;
	uint32_t n = 0;
	int err = 0;

	if (!q->in_txn)
		return CW_ESTATE;
	list = cw_sq_use(q, SQ_MOVE_LIST);
	one = cw_sq_use(q, SQ_MOVE_ONE);
	if (list == NULL || one == NULL)
		return cw_sq_err(q);

	/* One at a time: a row under the reading cursor is not to be moved. */
	while (n < m->max) {
		cw_sq_ints(list, 5, (const sqlite3_int64[]){ SQ_ID(m->order, m->after),
		    SQ_ID(m->order, SQ_LAST), m->from, m->from == m->to, 1 });
		err = cw_sq_next(q, list);
		if (err <= 0)
			break;
		id = sqlite3_column_int64(list, 0);
		(void)sqlite3_reset(list);
		cw_sq_ints(one, 3, (const sqlite3_int64[]){ id, m->to, m->destroy });
		err = cw_sq_run(q, one);
		if (err < 0)
			break;
		split_id(id, &order, &m->after);
		n++;
	}
	if (err >= 0)
		err = cw_sq_count_move(q, m->order, m->from, m->to, n);
	return err < 0 ? err : (int)n;
}

int
cw_sq_record_waiting(void *h, const struct cw_st_record *after,
    struct cw_st_record *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RECORD_WAITING);

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 4, (const sqlite3_int64[]){ after->addr,
	    SQ_ID(after->order, after->record), SQ_ID(after->order, SQ_LAST),
	    (sqlite3_int64)cap });
	return list_records(q, st, out);
}

int
cw_sq_waiting_addr(void *h, uint32_t above, uint32_t *addr)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_WAITING_ADDR);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, above);
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	*addr = (uint32_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return 0;
}

int
cw_sq_record_leased(void *h, uint32_t term, const struct cw_st_record *after,
    struct cw_st_record *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RECORD_LEASED);

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 3, (const sqlite3_int64[]){ term,
	    SQ_ID(after->order, after->record), (sqlite3_int64)cap });
	return list_records(q, st, out);
}

int
cw_sq_record_list(void *h, uint64_t order, const struct cw_st_page *p,
    struct cw_st_record *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RECORD_LIST);

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 4, (const sqlite3_int64[]){ SQ_ID(order, p->after),
	    SQ_ID(order, SQ_LAST), p->states, (sqlite3_int64)cap });
	return list_records(q, st, out);
}

int
cw_sq_record_find_fp(void *h, const uint8_t fp[CW_FP_LEN], struct cw_st_record *r)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_PRINT_GET);
	uint64_t order, record;
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, print_key(fp));
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	split_id(sqlite3_column_int64(st, 0), &order, &record);
	(void)sqlite3_reset(st);
	return cw_sq_record_get(q, order, record, r);
}

int
cw_sq_payload_get(void *h, uint64_t order, uint64_t record, uint8_t *buf, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_PAYLOAD_GET);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, SQ_ID(order, record));
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	n = sqlite3_column_bytes(st, 0);
	if (sqlite3_column_type(st, 0) == SQLITE_NULL)
		n = CW_ENOENT;
	else if ((size_t)n > cap)
		n = CW_EFULL;
	else if (n > 0)
		memcpy(buf, sqlite3_column_blob(st, 0), (size_t)n);
	(void)sqlite3_reset(st);
	return n;
}

int
cw_sq_result_add(void *h, const struct cw_st_result *r)
{
	struct sq *q = h;
	sqlite3_stmt *st;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;
	st = cw_sq_use(q, SQ_RESULT_ADD);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 15, (const sqlite3_int64[]){ SQ_ID(r->order, r->record),
	    r->epoch, r->term, (sqlite3_int64)r->incarnation,
	    (sqlite3_int64)r->seq, r->verdict, r->stray + r->evidence, r->outcome,
	    r->sw,
	    r->step, r->station, r->reader, r->card_no, r->ms,
	    (sqlite3_int64)r->time_ms });
	if (r->seq == 0)
		(void)sqlite3_bind_null(st, 5);
	if (r->serial_len > 0)
		(void)sqlite3_bind_blob(st, 16, r->serial, r->serial_len,
		    SQLITE_STATIC);
	if (r->atr_len > 0)
		(void)sqlite3_bind_blob(st, 17, r->atr, r->atr_len, SQLITE_STATIC);
	if (r->trace != NULL && r->trace_len > 0)
		(void)sqlite3_bind_blob64(st, 18, r->trace, r->trace_len,
		    SQLITE_STATIC);
	err = cw_sq_run(q, st);
	if (err < 0)
		return err;
	return sqlite3_changes(q->db) == 0 ? CW_EEXIST : cw_sq_count_result(q, r);
}

static void
read_result(sqlite3_stmt *st, struct cw_st_result *r)
{
	memset(r, 0, sizeof *r);
	r->id = (uint64_t)sqlite3_column_int64(st, 0);
	split_id(sqlite3_column_int64(st, 1), &r->order, &r->record);
	r->epoch = (uint32_t)sqlite3_column_int64(st, 2);
	r->term = (uint32_t)sqlite3_column_int64(st, 3);
	r->incarnation = (uint64_t)sqlite3_column_int64(st, 4);
	r->seq = (uint64_t)sqlite3_column_int64(st, 5);
	r->verdict = (uint8_t)sqlite3_column_int(st, 6);
	r->stray = sqlite3_column_int(st, 7) != 0;
	r->evidence = sqlite3_column_int(st, 7) == 2;
	r->outcome = (uint16_t)sqlite3_column_int(st, 8);
	r->sw = (uint16_t)sqlite3_column_int(st, 9);
	r->step = (uint16_t)sqlite3_column_int(st, 10);
	r->station = (uint16_t)sqlite3_column_int(st, 11);
	r->reader = (uint32_t)sqlite3_column_int64(st, 12);
	r->card_no = (uint32_t)sqlite3_column_int64(st, 13);
	r->ms = (uint32_t)sqlite3_column_int64(st, 14);
	r->time_ms = (uint64_t)sqlite3_column_int64(st, 15);
	r->serial_len = (uint8_t)cw_sq_bytes(st, 16, r->serial, sizeof r->serial);
	r->atr_len = (uint8_t)cw_sq_bytes(st, 17, r->atr, sizeof r->atr);
	r->trace_len = (uint32_t)sqlite3_column_int64(st, 18);
}

static int
list_results(struct sq *q, sqlite3_stmt *st, struct cw_st_result *out)
{
	size_t n = 0;
	int more;

	while ((more = cw_sq_next(q, st)) > 0)
		read_result(st, &out[n++]);
	return more < 0 ? more : (int)n;
}

int
cw_sq_result_list(void *h, const struct cw_st_result_page *p,
    struct cw_st_result *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RESULT_LIST);

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 6, (const sqlite3_int64[]){ SQ_ID(p->order, p->record),
	    SQ_ID(p->order, p->record == 0 ? SQ_LAST : p->record),
	    SQ_ID(p->order, p->after_record), (sqlite3_int64)p->after_id,
	    p->wrong_only, (sqlite3_int64)cap });
	return list_results(q, st, out);
}

int
cw_sq_result_find_serial(void *h, const uint8_t *serial, size_t len,
    struct cw_st_result *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RESULT_SERIAL);

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_blob64(st, 1, serial, len, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(st, 2, (sqlite3_int64)cap);
	return list_results(q, st, out);
}

int
cw_sq_result_find_card(void *h, uint32_t term, uint32_t card_no,
    struct cw_st_result *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RESULT_CARD);

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 3, (const sqlite3_int64[]){ card_no, term,
	    (sqlite3_int64)cap });
	return list_results(q, st, out);
}

int
cw_sq_result_trace(void *h, uint64_t id, char *buf, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_RESULT_TRACE);
	int n;

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	n = cw_sq_next(q, st);
	if (n <= 0)
		return n < 0 ? n : CW_ENOENT;
	n = sqlite3_column_bytes(st, 0);
	if ((size_t)n > cap)
		n = (int)cap;
	if (n > 0)
		memcpy(buf, sqlite3_column_blob(st, 0), (size_t)n);
	(void)sqlite3_reset(st);
	return n;
}

int
cw_sq_result_causes(void *h, uint64_t order, struct cw_st_cause *out, size_t cap)
{
	struct sq *q = h;
	sqlite3_stmt *st = cw_sq_use(q, SQ_CAUSES);
	size_t n = 0;
	int more;

	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 3, (const sqlite3_int64[]){ SQ_ID(order, 0),
	    SQ_ID(order, SQ_LAST), (sqlite3_int64)cap });
	while ((more = cw_sq_next(q, st)) > 0) {
		struct cw_st_cause *c = &out[n++];

		c->verdict = (uint8_t)sqlite3_column_int(st, 0);
		c->outcome = (uint16_t)sqlite3_column_int(st, 1);
		c->sw = (uint16_t)sqlite3_column_int(st, 2);
		c->cnt = (uint64_t)sqlite3_column_int64(st, 3);
	}
	return more < 0 ? more : (int)n;
}

/* Adds the row (verdict, stray, count) of SUM_RESULTS. */
static void
sum_verdict(struct cw_st_counts *c, sqlite3_stmt *st)
{
	uint64_t n = (uint64_t)sqlite3_column_int64(st, 2);

	if (sqlite3_column_int(st, 1) == 1)
		c->stray += n;
	if (sqlite3_column_int(st, 1) == 2)
		c->evidence += n;
	if (sqlite3_column_int(st, 1) != 0)
		return;
	switch (sqlite3_column_int(st, 0)) {
	case CW_CARD_GOOD:
		c->good += n;
		break;
	case CW_CARD_REJECT:
		c->reject += n;
		break;
	case CW_CARD_DOUBT:
		c->doubt += n;
		break;
	default:
		c->none += n;
		break;
	}
}

int
cw_sq_sums(void *h, uint64_t order, struct cw_st_counts *c)
{
	struct sq *q = h;
	const sqlite3_int64 range[2] = { SQ_ID(order, 0), SQ_ID(order, SQ_LAST) };
	sqlite3_stmt *st;
	int more, state;

	memset(c, 0, sizeof *c);
	st = cw_sq_use(q, SQ_SUM_RECORDS);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 2, range);
	while ((more = cw_sq_next(q, st)) > 0) {
		state = sqlite3_column_int(st, 0);
		if (state >= 0 && state < CW_REC_CNT)
			c->rec[state] = (uint64_t)sqlite3_column_int64(st, 1);
	}
	if (more < 0)
		return more;

	st = cw_sq_use(q, SQ_SUM_RESULTS);
	if (st == NULL)
		return cw_sq_err(q);
	cw_sq_ints(st, 2, range);
	while ((more = cw_sq_next(q, st)) > 0)
		sum_verdict(c, st);
	return more;
}
