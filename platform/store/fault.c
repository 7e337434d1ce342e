/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cw/err.h"
#include "platform/store/store.h"

struct fault {
	struct cw_store s;
	struct cw_store *in;
	uint32_t left;		/* calls until one fails, 0 = none will */
	bool for_ever, on;
	uint32_t fired;
};

/* Counts one call; true if it is to fail. */
static bool
trip(struct fault *f)
{
	if (!f->on) {
		if (f->left == 0 || --f->left > 0)
			return false;
		f->on = f->for_ever;
	}
	f->fired++;
	return true;
}

/* Each member: fail if it is its turn, else hand on. */
#define MEMBER(name, proto, args) \
static int \
fault_##name proto \
{ \
	struct fault *f = h; \
	return trip(f) ? CW_EIO : f->in->ops->name args; \
}

MEMBER(begin, (void *h), (f->in->h))
MEMBER(begin_lazy, (void *h), (f->in->h))
MEMBER(order_insert,
    (void *h, const struct cw_st_order *o, uint64_t *id),
    (f->in->h, o, id))
MEMBER(order_get, (void *h, uint64_t id, struct cw_st_order *o), (f->in->h, id, o))
MEMBER(order_put, (void *h, const struct cw_st_order *o), (f->in->h, o))
MEMBER(order_list,
    (void *h, const struct cw_st_page *p, struct cw_st_order *out, size_t cap),
    (f->in->h, p, out, cap))
MEMBER(order_skip, (void *h, uint64_t n), (f->in->h, n))
MEMBER(order_find_ext,
    (void *h, const char *ext, struct cw_st_order *o),
    (f->in->h, ext, o))
MEMBER(order_purge, (void *h, uint64_t id, uint32_t max), (f->in->h, id, max))
MEMBER(blob_put,
    (void *h, uint64_t order, uint8_t blob, const uint8_t *buf, size_t len),
    (f->in->h, order, blob, buf, len))
MEMBER(blob_get,
    (void *h, uint64_t order, uint8_t blob, size_t off, uint8_t *buf, size_t cap),
    (f->in->h, order, blob, off, buf, cap))
MEMBER(record_add,
    (void *h, uint64_t order, const struct cw_st_new *r, struct cw_st_dup *dup),
    (f->in->h, order, r, dup))
MEMBER(record_add_many,
    (void *h, uint64_t order, const struct cw_st_new *r, size_t cnt, struct cw_st_dup *dup),
    (f->in->h, order, r, cnt, dup))
MEMBER(record_get,
    (void *h, uint64_t order, uint64_t record, struct cw_st_record *r),
    (f->in->h, order, record, r))
MEMBER(record_set,
    (void *h, uint8_t was, const struct cw_st_record *r),
    (f->in->h, was, r))
MEMBER(record_move, (void *h, struct cw_st_move *m), (f->in->h, m))
MEMBER(record_waiting,
    (void *h, const struct cw_st_record *after, struct cw_st_record *out, size_t cap),
    (f->in->h, after, out, cap))
MEMBER(waiting_addr, (void *h, uint32_t above, uint32_t *addr), (f->in->h, above, addr))
MEMBER(record_leased,
    (void *h, uint32_t term, const struct cw_st_record *after, struct cw_st_record *out, size_t cap),
    (f->in->h, term, after, out, cap))
MEMBER(record_list,
    (void *h, uint64_t order, const struct cw_st_page *p, struct cw_st_record *out, size_t cap),
    (f->in->h, order, p, out, cap))
MEMBER(record_find_fp,
    (void *h, const uint8_t fp[CW_FP_LEN], struct cw_st_record *r),
    (f->in->h, fp, r))
MEMBER(payload_get,
    (void *h, uint64_t order, uint64_t record, uint8_t *buf, size_t cap),
    (f->in->h, order, record, buf, cap))
MEMBER(result_add, (void *h, const struct cw_st_result *r), (f->in->h, r))
MEMBER(result_list,
    (void *h, const struct cw_st_result_page *p, struct cw_st_result *out, size_t cap),
    (f->in->h, p, out, cap))
MEMBER(result_find_serial,
    (void *h, const uint8_t *serial, size_t len, struct cw_st_result *out, size_t cap),
    (f->in->h, serial, len, out, cap))
MEMBER(result_find_card,
    (void *h, uint32_t term, uint32_t card_no, struct cw_st_result *out, size_t cap),
    (f->in->h, term, card_no, out, cap))
MEMBER(result_trace,
    (void *h, uint64_t id, char *buf, size_t cap),
    (f->in->h, id, buf, cap))
MEMBER(result_causes,
    (void *h, uint64_t order, struct cw_st_cause *out, size_t cap),
    (f->in->h, order, out, cap))
MEMBER(sums, (void *h, uint64_t order, struct cw_st_counts *c), (f->in->h, order, c))
MEMBER(term_sums, (void *h, uint32_t term, struct cw_st_counts *c), (f->in->h, term, c))
MEMBER(term_get, (void *h, const char *name, struct cw_st_term *t), (f->in->h, name, t))
MEMBER(term_get_id, (void *h, uint32_t id, struct cw_st_term *t), (f->in->h, id, t))
MEMBER(term_put, (void *h, struct cw_st_term *t), (f->in->h, t))
MEMBER(term_list,
    (void *h, uint32_t after_id, struct cw_st_term *out, size_t cap),
    (f->in->h, after_id, out, cap))
MEMBER(share_put, (void *h, const struct cw_st_share *sh), (f->in->h, sh))
MEMBER(share_get,
    (void *h, uint64_t order, uint32_t term, struct cw_st_share *sh),
    (f->in->h, order, term, sh))
MEMBER(share_list,
    (void *h, uint64_t order, struct cw_st_share *out, size_t cap),
    (f->in->h, order, out, cap))
MEMBER(event_add, (void *h, const struct cw_st_event *e), (f->in->h, e))
MEMBER(event_list,
    (void *h, uint64_t order, uint64_t before, struct cw_st_event *out, size_t cap),
    (f->in->h, order, before, out, cap))

static int
fault_rollback(void *h)
{
	struct fault *f = h;

	return f->in->ops->rollback(f->in->h);
}

static int
fault_commit(void *h)
{
	struct fault *f = h;

	if (!trip(f))
		return f->in->ops->commit(f->in->h);
	(void)f->in->ops->rollback(f->in->h);
	return CW_EIO;
}

static void
fault_close(void *h)
{
	free(h);
}

static const struct cw_store_ops fault_ops = {
	.begin = fault_begin,
	.begin_lazy = fault_begin_lazy,
	.commit = fault_commit,
	.rollback = fault_rollback,
	.order_insert = fault_order_insert,
	.order_get = fault_order_get,
	.order_put = fault_order_put,
	.order_list = fault_order_list,
	.order_skip = fault_order_skip,
	.order_find_ext = fault_order_find_ext,
	.order_purge = fault_order_purge,
	.blob_put = fault_blob_put,
	.blob_get = fault_blob_get,
	.record_add = fault_record_add,
	.record_add_many = fault_record_add_many,
	.record_get = fault_record_get,
	.record_set = fault_record_set,
	.record_move = fault_record_move,
	.record_waiting = fault_record_waiting,
	.waiting_addr = fault_waiting_addr,
	.record_leased = fault_record_leased,
	.record_list = fault_record_list,
	.record_find_fp = fault_record_find_fp,
	.payload_get = fault_payload_get,
	.result_add = fault_result_add,
	.result_list = fault_result_list,
	.result_find_serial = fault_result_find_serial,
	.result_find_card = fault_result_find_card,
	.result_trace = fault_result_trace,
	.result_causes = fault_result_causes,
	.sums = fault_sums,
	.term_sums = fault_term_sums,
	.term_get = fault_term_get,
	.term_get_id = fault_term_get_id,
	.term_put = fault_term_put,
	.term_list = fault_term_list,
	.share_put = fault_share_put,
	.share_get = fault_share_get,
	.share_list = fault_share_list,
	.event_add = fault_event_add,
	.event_list = fault_event_list,
	.close = fault_close,
};

struct cw_store *
cw_store_fault_new(struct cw_store *inner)
{
	struct fault *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->s.ops = &fault_ops;
	f->s.h = f;
	f->in = inner;
	return &f->s;
}

void
cw_store_fault_set(struct cw_store *s, uint32_t nth, bool for_ever)
{
	struct fault *f = s->h;

	f->left = nth;
	f->for_ever = for_ever;
	f->on = false;
	f->fired = 0;
}

uint32_t
cw_store_fault_fired(const struct cw_store *s)
{
	return ((const struct fault *)s->h)->fired;
}
