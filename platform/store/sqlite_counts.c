/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running counts.  One UPDATE per record or card would cost a third of what the
 * card itself costs, so that a transaction gathers them and writes each row once:
 * before it commits, or before anybody reads a count in it.
 */
#include <string.h>

#include "cw/err.h"
#include "cw/plink.h"
#include "platform/store/sqlite_priv.h"

void
cw_sq_counts_drop(struct sq *q)
{
	q->order_cnt = 0;
	q->term_cnt = 0;
}

static int
write_row(struct sq *q, enum sq_stmt which, uint64_t id, const int64_t *v, int cnt)
{
	sqlite3_stmt *st = cw_sq_use(q, which);
	int i;

	if (st == NULL)
		return cw_sq_err(q);
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	for (i = 0; i < cnt; i++)
		(void)sqlite3_bind_int64(st, i + 2, v[i]);
	return cw_sq_run(q, st);
}

int
cw_sq_settle(struct sq *q)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < q->order_cnt && err == 0; i++)
		err = write_row(q, SQ_COUNT_ORDER, q->order[i].id, q->order[i].v,
		    SQ_ORDER_COUNTS);
	for (i = 0; i < q->term_cnt && err == 0; i++)
		err = write_row(q, SQ_COUNT_TERM, q->term[i].id, q->term[i].v,
		    SQ_TERM_COUNTS);
	cw_sq_counts_drop(q);
	return err;
}

/* The row of id in a list; NULL with *err when room could not be made. */
static int64_t *
row_of(struct sq *q, struct sq_row *list, unsigned int *cnt, uint64_t id, int *err)
{
	unsigned int i;

	*err = 0;
	for (i = 0; i < *cnt; i++)
		if (list[i].id == id)
			return list[i].v;
	if (*cnt == SQ_ROWS_MAX)
		*err = cw_sq_settle(q);
	if (*err < 0)
		return NULL;
	memset(&list[*cnt], 0, sizeof list[*cnt]);
	list[*cnt].id = id;
	return list[(*cnt)++].v;
}

int
cw_sq_count_move(struct sq *q, uint64_t order, int from, int to, uint32_t cnt)
{
	int64_t *v;
	int err;

	if (from == to || cnt == 0)
		return 0;
	v = row_of(q, q->order, &q->order_cnt, order, &err);
	if (v == NULL)
		return err;
	if (from >= 0)
		v[from] -= cnt;
	v[to] += cnt;
	return 0;
}

int
cw_sq_count_result(struct sq *q, const struct cw_st_result *r)
{
	int at = r->verdict - CW_CARD_GOOD, err;
	int64_t *v;

	if (r->evidence)
		return 0;
	if (r->seq != 0) {
		v = row_of(q, q->term, &q->term_cnt, r->term, &err);
		if (v == NULL)
			return err;
		if (at >= 0 && at < SQ_TERM_COUNTS)
			v[at]++;
	}
	v = row_of(q, q->order, &q->order_cnt, r->order, &err);
	if (v == NULL)
		return err;
	if (r->stray)
		v[SQ_ORDER_COUNTS - 1]++;
	else if (at >= 0 && at < SQ_TERM_COUNTS)
		v[CW_REC_CNT + at]++;
	return 0;
}
