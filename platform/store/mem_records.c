/* SPDX-License-Identifier: Apache-2.0 */
/* Records, fingerprints and results of the store in process. */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "cw/plink.h"
#include "platform/store/mem_priv.h"

static struct mem_record *
record_at(struct mem *m, size_t idx)
{
	return cw_mem_row(m, MEM_RECORDS, idx);
}

static struct mem_order *
order_of(struct mem *m, uint64_t id)
{
	int idx = cw_mem_find_order(m, id);

	return idx < 0 ? NULL : cw_mem_row(m, MEM_ORDERS, (size_t)idx);
}

long
cw_mem_find_record(struct mem *m, uint64_t order, uint64_t record)
{
	const struct mem_order *o = order_of(m, order);
	const struct mem_record *r;
	size_t i, guess;

	if (o == NULL || record == 0)
		return CW_ENOENT;

	/* Records stand in order and mostly without gaps. */
	guess = o->first + (size_t)record - 1;
	if (guess < o->last) {
		r = record_at(m, guess);
		if (r->r.order == order && r->r.record == record && !r->dead)
			return (long)guess;
	}
	for (i = o->first; i < o->last; i++) {
		r = record_at(m, i);
		if (r->r.order == order && r->r.record == record && !r->dead)
			return (long)i;
	}
	return CW_ENOENT;
}

static int
count_move(struct mem *m, uint64_t order, int from, int to, uint64_t cnt)
{
	int idx = cw_mem_find_order(m, order);
	struct mem_order *o;
	int err;

	if (idx < 0)
		return idx;
	err = cw_mem_keep(m, MEM_ORDERS, (size_t)idx);
	if (err < 0)
		return err;
	o = cw_mem_row(m, MEM_ORDERS, (size_t)idx);
	if (from >= 0)
		o->o.counts.rec[from] -= cnt;
	o->o.counts.rec[to] += cnt;
	return 0;
}

/* FNV-1a: the fingerprints are keyed already. */
static size_t
slot_of(const struct mem *m, const uint8_t *fp)
{
	uint64_t hash = 14695981039346656037u;
	int i;

	for (i = 0; i < CW_FP_LEN; i++)
		hash = (hash ^ fp[i]) * 1099511628211u;
	return (size_t)(hash ^ hash >> 32) & (m->slot_cap - 1);
}

static void
index_add(struct mem *m, size_t idx)
{
	const struct mem_print *p = cw_mem_row(m, MEM_PRINTS, idx);
	size_t slot = slot_of(m, p->fp);

	while (m->slot[slot] != 0)
		slot = (slot + 1) & (m->slot_cap - 1);
	m->slot[slot] = idx + 1;
}

void
cw_mem_index_rebuild(struct mem *m)
{
	size_t i;

	if (m->slot_cap == 0)
		return;
	memset(m->slot, 0, m->slot_cap * sizeof *m->slot);
	for (i = 0; i < m->tab[MEM_PRINTS].cnt; i++)
		index_add(m, i);
}

static int
index_grow(struct mem *m)
{
	size_t cap = m->slot_cap == 0 ? 256 : 2 * m->slot_cap;
	size_t *slot;

	if (2 * (m->tab[MEM_PRINTS].cnt + 1) < m->slot_cap)
		return 0;
	slot = calloc(cap, sizeof *slot);
	if (slot == NULL)
		return CW_ENOMEM;
	free(m->slot);
	m->slot = slot;
	m->slot_cap = cap;
	cw_mem_index_rebuild(m);
	return 0;
}

static long
find_print(struct mem *m, const uint8_t *fp)
{
	const struct mem_print *p;
	size_t slot;

	if (m->slot_cap == 0)
		return CW_ENOENT;
	for (slot = slot_of(m, fp); m->slot[slot] != 0;
	    slot = (slot + 1) & (m->slot_cap - 1)) {
		p = cw_mem_row(m, MEM_PRINTS, m->slot[slot] - 1);
		if (memcmp(p->fp, fp, CW_FP_LEN) == 0)
			return (long)(m->slot[slot] - 1);
	}
	return CW_ENOENT;
}

static bool
print_owned(struct mem *m, const struct mem_print *p)
{
	long idx = p->dead ? CW_ENOENT : cw_mem_find_record(m, p->order, p->record);
	const struct mem_order *o = order_of(m, p->order);
	uint8_t state;

	if (idx < 0 || o == NULL)
		return false;
	state = record_at(m, (size_t)idx)->r.state;
	return state == CW_REC_ISSUED || (state != CW_REC_CANCELLED &&
	    o->o.state != CW_ORD_CANCELLED && o->o.state != CW_ORD_CLOSED);
}

/* Makes the record the owner; the caller has seen that nobody is. */
static int
print_take(struct mem *m, const uint8_t *fp, uint64_t order, uint64_t record)
{
	struct mem_print row = { .order = order, .record = record };
	struct mem_print *p;
	long idx = find_print(m, fp);
	int err;

	if (idx >= 0) {
		err = cw_mem_keep(m, MEM_PRINTS, (size_t)idx);
		if (err < 0)
			return err;
		p = cw_mem_row(m, MEM_PRINTS, (size_t)idx);
		p->order = order;
		p->record = record;
		return 0;
	}
	memcpy(row.fp, fp, CW_FP_LEN);
	err = index_grow(m);
	if (err == 0)
		err = cw_mem_add(m, MEM_PRINTS, &row);
	if (err == 0)
		index_add(m, m->tab[MEM_PRINTS].cnt - 1);
	return err;
}

int
cw_mem_record_add(void *h, uint64_t order, const struct cw_st_new *r,
    struct cw_st_dup *dup)
{
	struct mem *m = h;
	struct mem_record row = { .r = { .order = order, .record = r->record,
	    .addr = r->addr, .has_payload = r->payload != NULL } };
	const struct mem_print *p;
	unsigned int i;
	int err = 0, o;
	long idx;

	if (!m->in_txn)
		return CW_ESTATE;
	if (cw_mem_find_record(m, order, r->record) >= 0)
		return CW_EINVAL;
	for (i = 0; i < r->fp_cnt; i++) {
		idx = find_print(m, r->fp[i]);
		p = idx < 0 ? NULL : cw_mem_row(m, MEM_PRINTS, (size_t)idx);
		if (p != NULL && print_owned(m, p)) {
			*dup = (struct cw_st_dup){ p->order, p->record, i };
			return CW_EEXIST;
		}
	}
	for (i = 0; i < r->fp_cnt && err == 0; i++)
		err = print_take(m, r->fp[i], order, r->record);

	if (r->iccid != NULL)
		strncpy(row.r.iccid, r->iccid, sizeof row.r.iccid - 1);
	if (err == 0 && r->payload != NULL)
		err = cw_mem_bytes(&row.payload, r->payload, r->payload_len);
	if (err == 0)
		err = cw_mem_add(m, MEM_RECORDS, &row);
	if (err == 0)
		err = count_move(m, order, -1, CW_REC_WAITING, 1);
	o = cw_mem_find_order(m, order);
	if (err == 0 && o >= 0)
		((struct mem_order *)cw_mem_row(m, MEM_ORDERS, (size_t)o))->last =
		    m->tab[MEM_RECORDS].cnt;
	return err;
}

int
cw_mem_record_add_many(void *h, uint64_t order, const struct cw_st_new *r,
    size_t cnt, struct cw_st_dup *dup)
{
	size_t i;
	int err;

	for (i = 0; i < cnt; i++) {
		err = cw_mem_record_add(h, order, &r[i], dup);
		if (err == CW_EEXIST)
			break;
		if (err < 0)
			return err;
	}
	return (int)i;
}

int
cw_mem_record_get(void *h, uint64_t order, uint64_t record, struct cw_st_record *r)
{
	struct mem *m = h;
	long idx = cw_mem_find_record(m, order, record);

	if (idx < 0)
		return (int)idx;
	*r = record_at(m, (size_t)idx)->r;
	return 0;
}

int
cw_mem_record_set(void *h, uint8_t was, const struct cw_st_record *r)
{
	struct mem *m = h;
	struct mem_record *row;
	long idx;
	int err;

	if (!m->in_txn)
		return CW_ESTATE;
	idx = cw_mem_find_record(m, r->order, r->record);
	if (idx < 0)
		return (int)idx;
	row = record_at(m, (size_t)idx);
	if (row->r.state != was)
		return CW_ESTATE;
	err = cw_mem_keep(m, MEM_RECORDS, (size_t)idx);
	if (err < 0)
		return err;
	row->r.state = r->state;
	row->r.epoch = r->epoch;
	row->r.term = r->term;
	row->r.tries = r->tries;
	row->r.blanks = r->blanks;
	row->r.outcome = r->outcome;
	row->r.sw = r->sw;
	if (r->state == CW_REC_ISSUED || r->state == CW_REC_CANCELLED) {
		row->r.has_payload = false;
		err = cw_mem_drop(m, &row->payload);
	}
	return err < 0 ? err : count_move(m, r->order, was, r->state, 1);
}

int
cw_mem_record_move(void *h, struct cw_st_move *mv)
{
	struct mem *m = h;
	const struct mem_order *o;
	struct mem_record *row;
	uint32_t n = 0;
	size_t i, last;
	int err = 0;

	if (!m->in_txn)
		return CW_ESTATE;
	o = order_of(m, mv->order);
	if (o == NULL)
		return 0;
	last = o->last;
	for (i = o->first; i < last && n < mv->max && err == 0; i++) {
		row = record_at(m, i);
		if (row->dead || row->r.order != mv->order ||
		    row->r.state != mv->from || row->r.record <= mv->after ||
		    (mv->from == mv->to && !row->r.has_payload))
			continue;
		err = cw_mem_keep(m, MEM_RECORDS, i);
		if (err < 0)
			break;
		row->r.state = mv->to;
		mv->after = row->r.record;
		if (mv->destroy) {
			row->r.has_payload = false;
			err = cw_mem_drop(m, &row->payload);
		}
		n++;
	}
	if (err == 0)
		err = count_move(m, mv->order, mv->from, mv->to, n);
	return err < 0 ? err : (int)n;
}

int
cw_mem_record_waiting(void *h, const struct cw_st_record *after,
    struct cw_st_record *out, size_t cap)
{
	struct mem *m = h;
	const struct mem_order *o = order_of(m, after->order);
	const struct mem_record *row;
	size_t i, n = 0;

	for (i = o == NULL ? 0 : o->first; o != NULL && i < o->last && n < cap; i++) {
		row = record_at(m, i);
		if (!row->dead && row->r.order == after->order &&
		    row->r.state == CW_REC_WAITING &&
		    row->r.addr == after->addr && row->r.record > after->record)
			out[n++] = row->r;
	}
	return (int)n;
}

int
cw_mem_waiting_addr(void *h, uint32_t above, uint32_t *addr)
{
	struct mem *m = h;
	const struct mem_record *row;
	bool found = false;
	size_t i;

	for (i = 0; i < m->tab[MEM_RECORDS].cnt; i++) {
		row = record_at(m, i);
		if (row->dead || row->r.state != CW_REC_WAITING || row->r.addr <= above ||
		    (found && row->r.addr >= *addr))
			continue;
		*addr = row->r.addr;
		found = true;
	}
	return found ? 0 : CW_ENOENT;
}

int
cw_mem_record_leased(void *h, uint32_t term, const struct cw_st_record *after,
    struct cw_st_record *out, size_t cap)
{
	struct mem *m = h;
	const struct mem_record *row;
	const struct mem_order *o;
	size_t i, k, n = 0;

	/* Two intakes may interleave their places: go order by order. */
	for (k = 0; k < m->tab[MEM_ORDERS].cnt; k++) {
		o = cw_mem_row(m, MEM_ORDERS, k);
		for (i = o->first; i < o->last && n < cap; i++) {
			row = record_at(m, i);
			if (row->dead || row->r.order != o->o.id ||
			    row->r.state != CW_REC_LEASED || row->r.term != term)
				continue;
			if (row->r.order > after->order ||
			    (row->r.order == after->order &&
			    row->r.record > after->record))
				out[n++] = row->r;
		}
	}
	return (int)n;
}

int
cw_mem_record_list(void *h, uint64_t order, const struct cw_st_page *p,
    struct cw_st_record *out, size_t cap)
{
	struct mem *m = h;
	const struct mem_order *o = order_of(m, order);
	const struct mem_record *row;
	size_t i, n = 0;

	for (i = o == NULL ? 0 : o->first; o != NULL && i < o->last && n < cap; i++) {
		row = record_at(m, i);
		if (!row->dead && row->r.order == order && row->r.record > p->after &&
		    (p->states == 0 || (CW_ST_BIT(row->r.state) & p->states) != 0))
			out[n++] = row->r;
	}
	return (int)n;
}

int
cw_mem_record_find_fp(void *h, const uint8_t fp[CW_FP_LEN], struct cw_st_record *r)
{
	struct mem *m = h;
	long idx = find_print(m, fp);
	const struct mem_print *p;

	if (idx < 0)
		return CW_ENOENT;
	p = cw_mem_row(m, MEM_PRINTS, (size_t)idx);
	return cw_mem_record_get(m, p->order, p->record, r);
}

int
cw_mem_payload_get(void *h, uint64_t order, uint64_t record, uint8_t *buf, size_t cap)
{
	struct mem *m = h;
	long idx = cw_mem_find_record(m, order, record);
	const struct mem_bytes *b;

	if (idx < 0)
		return (int)idx;
	b = &record_at(m, (size_t)idx)->payload;
	if (b->buf == NULL)
		return CW_ENOENT;
	if (b->len > cap)
		return CW_EFULL;
	memcpy(buf, b->buf, b->len);
	return (int)b->len;
}

static void
count_verdict(struct cw_st_counts *c, uint8_t verdict)
{
	c->good += verdict == CW_CARD_GOOD;
	c->reject += verdict == CW_CARD_REJECT;
	c->doubt += verdict == CW_CARD_DOUBT;
	c->none += verdict == CW_CARD_NONE;
}

int
cw_mem_result_add(void *h, const struct cw_st_result *r)
{
	struct mem *m = h;
	struct mem_result row = { .r = *r };
	const struct cw_st_result *old;
	struct mem_order *o;
	size_t i;
	int err, idx;

	if (!m->in_txn)
		return CW_ESTATE;
	for (i = 0; i < m->tab[MEM_RESULTS].cnt; i++) {
		old = &((const struct mem_result *)cw_mem_row(m, MEM_RESULTS, i))->r;
		if (r->seq != 0 && old->seq == r->seq && old->term == r->term &&
		    old->incarnation == r->incarnation)
			return CW_EEXIST;
		if (!r->stray && !old->stray && old->order == r->order &&
		    old->record == r->record && old->epoch == r->epoch)
			return CW_EEXIST;
	}
	row.r.id = m->tab[MEM_RESULTS].cnt + 1;
	row.r.trace = NULL;
	err = r->trace == NULL ? 0 : cw_mem_bytes(&row.trace, r->trace, r->trace_len);
	if (err == 0)
		err = cw_mem_add(m, MEM_RESULTS, &row);
	if (err < 0)
		return err;

	idx = cw_mem_find_order(m, r->order);
	if (idx >= 0) {
		err = cw_mem_keep(m, MEM_ORDERS, (size_t)idx);
		if (err < 0)
			return err;
		o = cw_mem_row(m, MEM_ORDERS, (size_t)idx);
		o->o.counts.stray += r->stray && !r->evidence;
		if (!r->stray)
			count_verdict(&o->o.counts, r->verdict);
	}
	if (r->seq != 0 && !r->evidence && r->term != 0 && r->term <= m->tab[MEM_TERMS].cnt) {
		err = cw_mem_keep(m, MEM_TERMS, r->term - 1);
		if (err < 0)
			return err;
		count_verdict(&((struct mem_term *)cw_mem_row(m, MEM_TERMS,
		    r->term - 1))->c, r->verdict);
	}
	return 0;
}

static const struct cw_st_result *
result_at(struct mem *m, size_t idx)
{
	return &((const struct mem_result *)cw_mem_row(m, MEM_RESULTS, idx))->r;
}

static bool
after_page(const struct cw_st_result *r, uint64_t record, uint64_t id)
{
	return r->record > record || (r->record == record && r->id > id);
}

int
cw_mem_result_list(void *h, const struct cw_st_result_page *p,
    struct cw_st_result *out, size_t cap)
{
	struct mem *m = h;
	const struct cw_st_result *r, *best;
	uint64_t record = p->after_record, id = p->after_id;
	size_t i, n = 0;

	/* Results lie in order of time; pick the next by (record, id). */
	while (n < cap) {
		best = NULL;
		for (i = 0; i < m->tab[MEM_RESULTS].cnt; i++) {
			r = result_at(m, i);
			if (r->order == p->order &&
			    (p->record == 0 || r->record == p->record) &&
			    (!p->wrong_only || r->verdict == CW_CARD_REJECT ||
			    r->verdict == CW_CARD_DOUBT) &&
			    after_page(r, record, id) &&
			    (best == NULL || !after_page(r, best->record, best->id)))
				best = r;
		}
		if (best == NULL)
			break;
		out[n++] = *best;
		record = best->record;
		id = best->id;
	}
	return (int)n;
}

int
cw_mem_result_find_serial(void *h, const uint8_t *serial, size_t len,
    struct cw_st_result *out, size_t cap)
{
	struct mem *m = h;
	const struct cw_st_result *r;
	size_t i, n = 0;

	for (i = m->tab[MEM_RESULTS].cnt; i-- > 0 && n < cap; ) {
		r = result_at(m, i);
		if (len > 0 && r->serial_len == len && memcmp(r->serial, serial, len) == 0)
			out[n++] = *r;
	}
	return (int)n;
}

int
cw_mem_result_find_card(void *h, uint32_t term, uint32_t card_no,
    struct cw_st_result *out, size_t cap)
{
	struct mem *m = h;
	const struct cw_st_result *r;
	size_t i, n = 0;

	for (i = m->tab[MEM_RESULTS].cnt; i-- > 0 && n < cap; ) {
		r = result_at(m, i);
		if (card_no > 0 && r->card_no == card_no &&
		    (term == 0 || r->term == term))
			out[n++] = *r;
	}
	return (int)n;
}

int
cw_mem_result_trace(void *h, uint64_t id, char *buf, size_t cap)
{
	struct mem *m = h;
	const struct mem_bytes *b;
	size_t n;

	if (id == 0 || id > m->tab[MEM_RESULTS].cnt)
		return CW_ENOENT;
	b = &((const struct mem_result *)cw_mem_row(m, MEM_RESULTS, id - 1))->trace;
	n = b->len < cap ? b->len : cap;
	if (n > 0)
		memcpy(buf, b->buf, n);
	return (int)n;
}

static int
cause_cmp(const void *pa, const void *pb)
{
	const struct cw_st_cause *a = pa, *b = pb;

	if (a->cnt != b->cnt)
		return a->cnt > b->cnt ? -1 : 1;
	if (a->outcome != b->outcome)
		return a->outcome < b->outcome ? -1 : 1;
	if (a->sw != b->sw)
		return a->sw < b->sw ? -1 : 1;
	return a->verdict < b->verdict ? -1 : a->verdict > b->verdict;
}

int
cw_mem_result_causes(void *h, uint64_t order, struct cw_st_cause *out, size_t cap)
{
	struct mem *m = h;
	const struct cw_st_result *r;
	size_t i, k, n = 0;

	for (i = 0; i < m->tab[MEM_RESULTS].cnt; i++) {
		r = result_at(m, i);
		if (r->order != order || r->stray || (r->verdict != CW_CARD_REJECT &&
		    r->verdict != CW_CARD_DOUBT))
			continue;
		for (k = 0; k < n; k++)
			if (out[k].verdict == r->verdict &&
			    out[k].outcome == r->outcome && out[k].sw == r->sw)
				break;
		if (k == n && n == cap)
			continue;
		if (k == n)
			out[n++] = (struct cw_st_cause){ r->verdict, r->outcome, r->sw, 0 };
		out[k].cnt++;
	}
	qsort(out, n, sizeof *out, cause_cmp);
	return (int)n;
}

int
cw_mem_sums(void *h, uint64_t order, struct cw_st_counts *c)
{
	struct mem *m = h;
	const struct mem_order *o = order_of(m, order);
	const struct cw_st_result *r;
	size_t i;

	memset(c, 0, sizeof *c);
	for (i = o == NULL ? 0 : o->first; o != NULL && i < o->last; i++)
		if (record_at(m, i)->r.order == order && !record_at(m, i)->dead)
			c->rec[record_at(m, i)->r.state]++;
	for (i = 0; i < m->tab[MEM_RESULTS].cnt; i++) {
		r = result_at(m, i);
		if (r->order != order)
			continue;
		c->stray += r->stray && !r->evidence;
		c->evidence += r->evidence;
		if (!r->stray)
			count_verdict(c, r->verdict);
	}
	return 0;
}
