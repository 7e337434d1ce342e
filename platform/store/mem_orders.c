/* SPDX-License-Identifier: Apache-2.0 */
/* Orders, blobs, terminals, shares and events of the store in process. */
#include <string.h>

#include "cw/err.h"
#include "platform/store/mem_priv.h"

static struct mem_order *
order_at(struct mem *m, size_t idx)
{
	return cw_mem_row(m, MEM_ORDERS, idx);
}

int
cw_mem_find_order(struct mem *m, uint64_t id)
{
	size_t i;

	for (i = m->tab[MEM_ORDERS].cnt; i-- > 0; )
		if (order_at(m, i)->o.id == id && !order_at(m, i)->dead)
			return (int)i;
	return CW_ENOENT;
}

int
cw_mem_order_insert(void *h, const struct cw_st_order *o, uint64_t *id)
{
	struct mem *m = h;
	struct mem_order row = { .o = *o };
	struct cw_st_order other;

	if (!m->in_txn)
		return CW_ESTATE;
	if (o->state != CW_ORD_INTAKE &&
	    cw_mem_order_find_ext(m, o->ext, &other) == 0)
		return CW_EEXIST;
	row.o.id = ++m->order_id;
	memset(&row.o.counts, 0, sizeof row.o.counts);
	row.first = row.last = m->tab[MEM_RECORDS].cnt;
	*id = row.o.id;
	return cw_mem_add(m, MEM_ORDERS, &row);
}

int
cw_mem_order_skip(void *h, uint64_t n)
{
	struct mem *m = h;

	if (!m->in_txn)
		return CW_ESTATE;
	m->order_id += n;
	return 0;
}

int
cw_mem_order_get(void *h, uint64_t id, struct cw_st_order *o)
{
	struct mem *m = h;
	int idx = cw_mem_find_order(m, id);

	if (idx < 0)
		return idx;
	*o = order_at(m, (size_t)idx)->o;
	return 0;
}

int
cw_mem_order_find_ext(void *h, const char *ext, struct cw_st_order *o)
{
	struct mem *m = h;
	const struct mem_order *row;
	size_t i;

	for (i = 0; i < m->tab[MEM_ORDERS].cnt; i++) {
		row = order_at(m, i);
		if (ext[0] != '\0' && !row->dead && row->o.state != CW_ORD_INTAKE &&
		    strcmp(row->o.ext, ext) == 0) {
			*o = row->o;
			return 0;
		}
	}
	return CW_ENOENT;
}

int
cw_mem_order_put(void *h, const struct cw_st_order *o)
{
	struct mem *m = h;
	struct cw_st_counts counts;
	struct cw_st_order other;
	struct mem_order *row;
	int idx, err;

	if (!m->in_txn)
		return CW_ESTATE;
	idx = cw_mem_find_order(m, o->id);
	if (idx < 0)
		return idx;
	if (o->state != CW_ORD_INTAKE &&
	    cw_mem_order_find_ext(m, o->ext, &other) == 0 && other.id != o->id)
		return CW_EEXIST;
	err = cw_mem_keep(m, MEM_ORDERS, (size_t)idx);
	if (err < 0)
		return err;
	row = order_at(m, (size_t)idx);
	counts = row->o.counts;
	row->o = *o;
	row->o.counts = counts;
	return 0;
}

int
cw_mem_order_list(void *h, const struct cw_st_page *p, struct cw_st_order *out,
    size_t cap)
{
	struct mem *m = h;
	uint32_t states = p->states == 0 ? ~CW_ST_BIT(CW_ORD_INTAKE) : p->states;
	size_t i, n = 0, cnt = m->tab[MEM_ORDERS].cnt;
	const struct mem_order *row;

	for (i = 0; i < cnt && n < cap; i++) {
		row = order_at(m, p->newest_first ? cnt - 1 - i : i);
		if (row->dead || (CW_ST_BIT(row->o.state) & states) == 0)
			continue;
		if (p->newest_first ? p->after != 0 && row->o.id >= p->after :
		    row->o.id <= p->after)
			continue;
		out[n++] = row->o;
	}
	return (int)n;
}

int
cw_mem_order_purge(void *h, uint64_t id, uint32_t max)
{
	struct mem *m = h;
	struct mem_record *r;
	struct mem_blob *b;
	uint32_t n = 0;
	size_t i;
	int idx, err = 0;

	if (!m->in_txn)
		return CW_ESTATE;
	idx = cw_mem_find_order(m, id);
	if (idx < 0)
		return idx;
	if (order_at(m, (size_t)idx)->o.state != CW_ORD_INTAKE)
		return CW_ESTATE;
	for (i = order_at(m, (size_t)idx)->first;
	    i < order_at(m, (size_t)idx)->last && n < max && err == 0; i++) {
		r = cw_mem_row(m, MEM_RECORDS, i);
		if (r->r.order != id || r->dead)
			continue;
		err = cw_mem_keep(m, MEM_RECORDS, i);
		if (err < 0)
			break;
		r->dead = true;
		err = cw_mem_drop(m, &r->payload);
		n++;
	}
	if (err < 0 || n >= max)
		return err < 0 ? err : 1;

	for (i = 0; i < m->tab[MEM_BLOBS].cnt && err == 0; i++) {
		b = cw_mem_row(m, MEM_BLOBS, i);
		if (b->order != id)
			continue;
		err = cw_mem_keep(m, MEM_BLOBS, i);
		if (err == 0) {
			b->order = 0;
			err = cw_mem_drop(m, &b->data);
		}
	}
	if (err == 0)
		err = cw_mem_keep(m, MEM_ORDERS, (size_t)idx);
	if (err == 0)
		order_at(m, (size_t)idx)->dead = true;
	return err;
}

static struct mem_blob *
find_blob(struct mem *m, uint64_t order, uint8_t kind, size_t *idx)
{
	struct mem_blob *b;
	size_t i;

	for (i = 0; i < m->tab[MEM_BLOBS].cnt; i++) {
		b = cw_mem_row(m, MEM_BLOBS, i);
		if (b->order == order && b->kind == kind) {
			*idx = i;
			return b;
		}
	}
	return NULL;
}

int
cw_mem_blob_put(void *h, uint64_t order, uint8_t blob, const uint8_t *buf, size_t len)
{
	struct mem *m = h;
	struct mem_blob row = { .order = order, .kind = blob };
	struct mem_blob *b;
	size_t idx = 0;
	int err;

	if (!m->in_txn)
		return CW_ESTATE;
	b = find_blob(m, order, blob, &idx);
	if (b != NULL) {
		err = cw_mem_keep(m, MEM_BLOBS, idx);
		if (err == 0)
			err = cw_mem_drop(m, &b->data);
		if (err < 0)
			return err;
		return cw_mem_bytes(&b->data, buf, len);
	}
	err = cw_mem_bytes(&row.data, buf, len);
	return err < 0 ? err : cw_mem_add(m, MEM_BLOBS, &row);
}

int
cw_mem_blob_get(void *h, uint64_t order, uint8_t blob, size_t off, uint8_t *buf,
    size_t cap)
{
	struct mem *m = h;
	size_t idx = 0, n;
	const struct mem_blob *b = find_blob(m, order, blob, &idx);

	if (b == NULL)
		return CW_ENOENT;
	n = off < b->data.len ? b->data.len - off : 0;
	if (n > cap)
		n = cap;
	if (n > 0)
		memcpy(buf, b->data.buf + off, n);
	return (int)n;
}

int
cw_mem_term_get(void *h, const char *name, struct cw_st_term *t)
{
	struct mem *m = h;
	const struct mem_term *row;
	size_t i;

	for (i = 0; i < m->tab[MEM_TERMS].cnt; i++) {
		row = cw_mem_row(m, MEM_TERMS, i);
		if (strcmp(row->t.name, name) == 0) {
			*t = row->t;
			return 0;
		}
	}
	return CW_ENOENT;
}

/* Terminals are never deleted: id is place + 1. */
int
cw_mem_term_get_id(void *h, uint32_t id, struct cw_st_term *t)
{
	struct mem *m = h;

	if (id == 0 || id > m->tab[MEM_TERMS].cnt)
		return CW_ENOENT;
	*t = ((const struct mem_term *)cw_mem_row(m, MEM_TERMS, id - 1))->t;
	return 0;
}

int
cw_mem_term_put(void *h, struct cw_st_term *t)
{
	struct mem *m = h;
	struct mem_term row = { .t = *t };
	struct cw_st_term other;
	int err;

	if (!m->in_txn)
		return CW_ESTATE;
	if (t->id == 0) {
		if (cw_mem_term_get(m, t->name, &other) == 0)
			return CW_EEXIST;
		t->id = row.t.id = (uint32_t)m->tab[MEM_TERMS].cnt + 1;
		return cw_mem_add(m, MEM_TERMS, &row);
	}
	if (t->id > m->tab[MEM_TERMS].cnt)
		return CW_ENOENT;
	err = cw_mem_keep(m, MEM_TERMS, t->id - 1);
	if (err == 0)
		((struct mem_term *)cw_mem_row(m, MEM_TERMS, t->id - 1))->t = *t;
	return err;
}

int
cw_mem_term_list(void *h, uint32_t after_id, struct cw_st_term *out, size_t cap)
{
	struct mem *m = h;
	size_t i, n = 0;

	for (i = after_id; i < m->tab[MEM_TERMS].cnt && n < cap; i++)
		out[n++] = ((const struct mem_term *)cw_mem_row(m, MEM_TERMS, i))->t;
	return (int)n;
}

int
cw_mem_term_sums(void *h, uint32_t term, struct cw_st_counts *c)
{
	struct mem *m = h;

	memset(c, 0, sizeof *c);
	if (term == 0 || term > m->tab[MEM_TERMS].cnt)
		return CW_ENOENT;
	*c = ((const struct mem_term *)cw_mem_row(m, MEM_TERMS, term - 1))->c;
	return 0;
}

static struct cw_st_share *
find_share(struct mem *m, uint64_t order, uint32_t term, size_t *idx)
{
	struct cw_st_share *sh;
	size_t i;

	for (i = 0; i < m->tab[MEM_SHARES].cnt; i++) {
		sh = cw_mem_row(m, MEM_SHARES, i);
		if (sh->order == order && sh->term == term) {
			*idx = i;
			return sh;
		}
	}
	return NULL;
}

int
cw_mem_share_put(void *h, const struct cw_st_share *sh)
{
	struct mem *m = h;
	struct cw_st_share *row;
	size_t idx = 0;
	int err;

	if (!m->in_txn)
		return CW_ESTATE;
	row = find_share(m, sh->order, sh->term, &idx);
	if (row == NULL)
		return cw_mem_add(m, MEM_SHARES, sh);
	err = cw_mem_keep(m, MEM_SHARES, idx);
	if (err == 0)
		*row = *sh;
	return err;
}

int
cw_mem_share_get(void *h, uint64_t order, uint32_t term, struct cw_st_share *sh)
{
	size_t idx = 0;
	const struct cw_st_share *row = find_share(h, order, term, &idx);

	if (row == NULL)
		return CW_ENOENT;
	*sh = *row;
	return 0;
}

int
cw_mem_share_list(void *h, uint64_t order, struct cw_st_share *out, size_t cap)
{
	struct mem *m = h;
	uint32_t term;
	size_t n = 0;

	/* Few terminals: asking for each in turn gives them in order. */
	for (term = 1; term <= m->tab[MEM_TERMS].cnt && n < cap; term++)
		if (cw_mem_share_get(m, order, term, &out[n]) == 0)
			n++;
	return (int)n;
}

int
cw_mem_event_add(void *h, const struct cw_st_event *e)
{
	struct mem *m = h;
	struct cw_st_event row = *e;

	if (!m->in_txn)
		return CW_ESTATE;
	row.id = m->tab[MEM_EVENTS].cnt + 1;
	return cw_mem_add(m, MEM_EVENTS, &row);
}

int
cw_mem_event_list(void *h, uint64_t order, uint64_t before, struct cw_st_event *out,
    size_t cap)
{
	struct mem *m = h;
	const struct cw_st_event *e;
	size_t i, n = 0;

	for (i = m->tab[MEM_EVENTS].cnt; i-- > 0 && n < cap; ) {
		e = cw_mem_row(m, MEM_EVENTS, i);
		if ((before == 0 || e->id < before) &&
		    (order == 0 || e->order == order))
			out[n++] = *e;
	}
	return (int)n;
}
