/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/plink.h"
#include "platform/store/mem_priv.h"

/*
 * The store in process.  Tables are arrays of fixed-size rows; a transaction is
 * an undo log of whole rows; rollback and crash walk it backwards.  Bytes that
 * a row owns (payload, blob, trace) are freed only when no undo can bring them
 * back: at commit.
 */

void *
cw_mem_row(struct mem *m, enum mem_tab tab, size_t idx)
{
	return (uint8_t *)m->tab[tab].rows + idx * m->tab[tab].size;
}

static struct mem_undo *
push_undo(struct mem *m)
{
	struct mem_undo *u;
	size_t cap;

	if (m->undo_cnt == m->undo_cap) {
		cap = m->undo_cap == 0 ? 64 : 2 * m->undo_cap;
		u = realloc(m->undo, cap * sizeof *u);
		if (u == NULL)
			return NULL;
		m->undo = u;
		m->undo_cap = cap;
	}
	return &m->undo[m->undo_cnt];
}

int
cw_mem_keep(struct mem *m, enum mem_tab tab, size_t idx)
{
	struct mem_undo *u = push_undo(m);

	if (u == NULL)
		return CW_ENOMEM;
	u->tab = tab;
	u->idx = idx;
	u->drop = NULL;
	u->row = malloc(m->tab[tab].size);
	if (u->row == NULL)
		return CW_ENOMEM;
	memcpy(u->row, cw_mem_row(m, tab, idx), m->tab[tab].size);
	m->undo_cnt++;
	return 0;
}

int
cw_mem_add(struct mem *m, enum mem_tab tab, const void *row)
{
	struct mem_table *t = &m->tab[tab];
	struct mem_undo *u;
	size_t cap;
	void *rows;

	if (t->cnt == t->cap) {
		cap = t->cap == 0 ? 64 : 2 * t->cap;
		rows = realloc(t->rows, cap * t->size);
		if (rows == NULL)
			return CW_ENOMEM;
		t->rows = rows;
		t->cap = cap;
	}
	u = push_undo(m);
	if (u == NULL)
		return CW_ENOMEM;
	*u = (struct mem_undo){ .tab = tab, .idx = t->cnt };
	m->undo_cnt++;
	memcpy(cw_mem_row(m, tab, t->cnt++), row, t->size);
	return 0;
}

int
cw_mem_drop(struct mem *m, struct mem_bytes *b)
{
	struct mem_undo *u;

	if (b->buf == NULL)
		return 0;
	u = push_undo(m);
	if (u == NULL)
		return CW_ENOMEM;
	*u = (struct mem_undo){ .tab = MEM_NONE, .drop = b->buf, .drop_len = b->len };
	m->undo_cnt++;
	b->buf = NULL;
	b->len = 0;
	return 0;
}

int
cw_mem_bytes(struct mem_bytes *b, const void *buf, size_t len)
{
	b->buf = malloc(len + 1);
	if (b->buf == NULL)
		return CW_ENOMEM;
	if (len > 0)
		memcpy(b->buf, buf, len);
	b->len = len;
	return 0;
}

static void
free_bytes(struct mem_bytes *b)
{
	if (b->buf != NULL)
		cw_wipe(b->buf, b->len);
	free(b->buf);
	b->buf = NULL;
}

/* Bytes that a row owns, NULL if its table has none. */
static struct mem_bytes *
row_bytes(enum mem_tab tab, void *row)
{
	switch (tab) {
	case MEM_RECORDS:
		return &((struct mem_record *)row)->payload;
	case MEM_BLOBS:
		return &((struct mem_blob *)row)->data;
	case MEM_RESULTS:
		return &((struct mem_result *)row)->trace;
	case MEM_ORDERS:
	case MEM_PRINTS:
	case MEM_TERMS:
	case MEM_SHARES:
	case MEM_EVENTS:
	case MEM_TAB_CNT:
	case MEM_NONE:
	default:
		return NULL;
	}
}

static int
mem_begin(void *h)
{
	struct mem *m = h;

	if (m->in_txn)
		return CW_ESTATE;
	m->in_txn = true;
	return 0;
}

static int
mem_commit(void *h)
{
	struct mem *m = h;
	struct mem_bytes b;
	size_t i;

	if (!m->in_txn)
		return CW_ESTATE;
	for (i = 0; i < m->undo_cnt; i++) {
		b = (struct mem_bytes){ m->undo[i].drop, m->undo[i].drop_len };
		free_bytes(&b);
		free(m->undo[i].row);
	}
	m->undo_cnt = 0;
	m->in_txn = false;
	return 0;
}

static int
mem_rollback(void *h)
{
	struct mem *m = h;
	struct mem_bytes *b;
	struct mem_undo *u;

	if (!m->in_txn)
		return CW_ESTATE;
	while (m->undo_cnt > 0) {
		u = &m->undo[--m->undo_cnt];
		if (u->tab == MEM_NONE)
			continue;	/* dropped bytes come back with their row */
		if (u->row != NULL) {
			memcpy(cw_mem_row(m, u->tab, u->idx), u->row, m->tab[u->tab].size);
			free(u->row);
			continue;
		}
		m->tab[u->tab].cnt--;
		b = row_bytes(u->tab, cw_mem_row(m, u->tab, u->idx));
		if (b != NULL)
			free_bytes(b);
	}
	m->in_txn = false;
	cw_mem_index_rebuild(m);
	return 0;
}

static void
mem_close(void *h)
{
	struct mem *m = h;
	struct mem_bytes *b;
	size_t i;
	int tab;

	if (m->in_txn)
		(void)mem_rollback(m);
	for (tab = 0; tab < MEM_TAB_CNT; tab++) {
		for (i = 0; i < m->tab[tab].cnt; i++) {
			b = row_bytes((enum mem_tab)tab, cw_mem_row(m, (enum mem_tab)tab, i));
			if (b != NULL)
				free_bytes(b);
		}
		free(m->tab[tab].rows);
	}
	free(m->undo);
	free(m->slot);
	free(m);
}

static const struct cw_store_ops mem_ops = {
	.begin = mem_begin,
	.begin_lazy = mem_begin,
	.commit = mem_commit,
	.rollback = mem_rollback,
	.order_insert = cw_mem_order_insert,
	.order_get = cw_mem_order_get,
	.order_put = cw_mem_order_put,
	.order_list = cw_mem_order_list,
	.order_skip = cw_mem_order_skip,
	.order_find_ext = cw_mem_order_find_ext,
	.order_purge = cw_mem_order_purge,
	.blob_put = cw_mem_blob_put,
	.blob_get = cw_mem_blob_get,
	.record_add = cw_mem_record_add,
	.record_add_many = cw_mem_record_add_many,
	.record_get = cw_mem_record_get,
	.record_set = cw_mem_record_set,
	.record_move = cw_mem_record_move,
	.record_waiting = cw_mem_record_waiting,
	.waiting_addr = cw_mem_waiting_addr,
	.record_leased = cw_mem_record_leased,
	.record_list = cw_mem_record_list,
	.record_find_fp = cw_mem_record_find_fp,
	.payload_get = cw_mem_payload_get,
	.result_add = cw_mem_result_add,
	.result_list = cw_mem_result_list,
	.result_find_serial = cw_mem_result_find_serial,
	.result_find_card = cw_mem_result_find_card,
	.result_trace = cw_mem_result_trace,
	.result_causes = cw_mem_result_causes,
	.sums = cw_mem_sums,
	.term_sums = cw_mem_term_sums,
	.term_get = cw_mem_term_get,
	.term_get_id = cw_mem_term_get_id,
	.term_put = cw_mem_term_put,
	.term_list = cw_mem_term_list,
	.share_put = cw_mem_share_put,
	.share_get = cw_mem_share_get,
	.share_list = cw_mem_share_list,
	.event_add = cw_mem_event_add,
	.event_list = cw_mem_event_list,
	.close = mem_close,
};

struct cw_store *
cw_store_mem_new(void)
{
	static const size_t size[MEM_TAB_CNT] = {
		[MEM_ORDERS] = sizeof(struct mem_order),
		[MEM_BLOBS] = sizeof(struct mem_blob),
		[MEM_RECORDS] = sizeof(struct mem_record),
		[MEM_PRINTS] = sizeof(struct mem_print),
		[MEM_RESULTS] = sizeof(struct mem_result),
		[MEM_TERMS] = sizeof(struct mem_term),
		[MEM_SHARES] = sizeof(struct cw_st_share),
		[MEM_EVENTS] = sizeof(struct cw_st_event),
	};
	struct mem *m = calloc(1, sizeof *m);
	int tab;

	if (m == NULL)
		return NULL;
	m->s.ops = &mem_ops;
	m->s.h = m;
	for (tab = 0; tab < MEM_TAB_CNT; tab++)
		m->tab[tab].size = size[tab];
	return &m->s;
}

void
cw_store_mem_crash(struct cw_store *s)
{
	struct mem *m = s->h;

	if (m->in_txn)
		(void)mem_rollback(m);
}

/* A table's rows with bytes of their own. */
static int
copy_table(struct mem_table *to, const struct mem_table *from, enum mem_tab tab)
{
	struct mem_bytes *b;
	uint8_t *row;
	size_t i;

	to->rows = malloc(from->cap * from->size + 1);
	if (to->rows == NULL)
		return CW_ENOMEM;
	to->cap = from->cap;
	for (i = 0; i < from->cnt; i++) {
		row = (uint8_t *)to->rows + i * to->size;
		memcpy(row, (const uint8_t *)from->rows + i * from->size, from->size);
		b = row_bytes(tab, row);
		if (b != NULL && b->buf != NULL &&
		    cw_mem_bytes(b, b->buf, b->len) < 0)
			return CW_ENOMEM;
		to->cnt++;
	}
	return 0;
}

struct cw_store *
cw_store_mem_copy(struct cw_store *s)
{
	struct cw_store *c = cw_store_mem_new();
	const struct mem *from = s->h;
	struct mem *to = c != NULL ? c->h : NULL;
	int tab, err = c == NULL ? CW_ENOMEM : 0;

	if (err == 0 && from->slot_cap > 0) {
		to->slot = calloc(from->slot_cap, sizeof *to->slot);
		to->slot_cap = from->slot_cap;
		err = to->slot == NULL ? CW_ENOMEM : 0;
	}

	for (tab = 0; tab < MEM_TAB_CNT && err == 0; tab++)
		err = copy_table(&to->tab[tab], &from->tab[tab], (enum mem_tab)tab);
	if (err < 0) {
		cw_store_close(c);
		return NULL;
	}
	to->order_id = from->order_id;
	cw_mem_index_rebuild(to);
	return c;
}

int
cw_store_mem_restore(struct cw_store *s, struct cw_store *backup)
{
	struct cw_store *c = cw_store_mem_copy(backup);
	struct mem *to = s->h, *from;
	struct mem swap;

	if (c == NULL)
		return CW_ENOMEM;
	from = c->h;
	swap = *to;
	memcpy(to->tab, from->tab, sizeof to->tab);
	to->slot = from->slot;
	to->slot_cap = from->slot_cap;
	to->order_id = from->order_id;
	memcpy(from->tab, swap.tab, sizeof from->tab);
	from->slot = swap.slot;
	from->slot_cap = swap.slot_cap;
	cw_store_close(c);
	return 0;
}
