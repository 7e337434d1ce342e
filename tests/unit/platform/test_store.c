/* SPDX-License-Identifier: Apache-2.0 */
/* One set of expectations for every store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "cw/err.h"
#include "cw/plink.h"
#include "platform/store/store.h"

struct fixture {
	bool sqlite;
	char dir[32], path[64];
	struct cw_store *s;
	const struct cw_store_ops *o;
	void *h;
};

static void
open_store(struct fixture *f)
{
	char err[256] = "";

	f->s = f->sqlite ? cw_store_sqlite_open(f->path, err, sizeof err) :
	    cw_store_mem_new();
	if (f->s == NULL)
		fail_msg("%s", err);
	f->o = f->s->ops;
	f->h = f->s->h;
}

static int
setup(void **state, bool sqlite)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->sqlite = sqlite;
	strcpy(f->dir, "/tmp/cw-store-XXXXXX");
	if (sqlite && mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof f->path, "%s/db", f->dir);
	open_store(f);
	*state = f;
	return 0;
}

static int
setup_mem(void **state)
{
	return setup(state, false);
}

static int
setup_sqlite(void **state)
{
	return setup(state, true);
}

static int
teardown(void **state)
{
	static const char *const tail[] = { "", "-wal", "-shm" };
	struct fixture *f = *state;
	char path[80];
	size_t i;

	cw_store_close(f->s);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", f->path, tail[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

/* The next process on the same disk: only what was committed is there. */
static void
crash(struct fixture *f)
{
	if (!f->sqlite) {
		cw_store_mem_crash(f->s);
		return;
	}
	cw_store_close(f->s);
	open_store(f);
}

static void
begin(struct fixture *f)
{
	assert_int_equal(f->o->begin(f->h), 0);
}

static void
commit(struct fixture *f)
{
	assert_int_equal(f->o->commit(f->h), 0);
}

static void
make_fp(uint8_t fp[CW_FP_LEN], uint64_t n)
{
	memset(fp, 0, CW_FP_LEN);
	memcpy(fp, &n, sizeof n);
}

/* An order of cnt records in a state, with two fingerprints per record. */
static uint64_t
make_order(struct fixture *f, uint8_t state, unsigned int cnt, uint64_t fp_base)
{
	struct cw_st_order o = { .state = CW_ORD_INTAKE, .has_data = 1,
	    .profile = "p", .remake_max = 3, .total = cnt };
	struct cw_st_new r = { 0 };
	struct cw_st_dup dup;
	char iccid[32];
	unsigned int i;
	uint64_t id;

	begin(f);
	assert_int_equal(f->o->order_insert(f->h, &o, &id), 0);
	for (i = 1; i <= cnt; i++) {
		snprintf(iccid, sizeof iccid, "89%017u", i);
		r.record = i;
		r.iccid = iccid;
		r.fp_cnt = fp_base == 0 ? 0 : 2;
		make_fp(r.fp[0], fp_base + 2 * i);
		make_fp(r.fp[1], fp_base + 2 * i + 1);
		r.payload = (const uint8_t *)"sealed-bytes";
		r.payload_len = 12;
		assert_int_equal(f->o->record_add(f->h, id, &r, &dup), 0);
	}
	o.id = id;
	o.state = state;
	assert_int_equal(f->o->order_put(f->h, &o), 0);
	commit(f);
	return id;
}

static void
assert_counts(struct fixture *f, uint64_t id)
{
	struct cw_st_counts c;
	struct cw_st_order o;

	assert_int_equal(f->o->order_get(f->h, id, &o), 0);
	assert_int_equal(f->o->sums(f->h, id, &c), 0);
	assert_memory_equal(&o.counts, &c, sizeof c);
}

static void
keeps_orders(void **state)
{
	struct fixture *f = *state;
	struct cw_st_order a = { .ext = "A-1", .state = CW_ORD_READY,
	    .reason = "why", .profile = "sim", .line = "line-1",
	    .terminal_ip = 0xFF000001, .production = 1, .has_cos = 1,
	    .has_data = 1, .cos_addr = 0x80000000, .cos_len = 5, .cos_pkg_len = 77,
	    .profile_len = 9, .total = 10, .remake_max = 3, .blank_max = 10,
	    .doubt = 1, .key_id = 0xDEADBEEF, .created_ms = 1700000000000,
	    .started_ms = 2, .ended_ms = 3 };
	struct cw_st_order b;
	uint64_t id, id2;

	memset(a.digest, 1, sizeof a.digest);
	memset(a.cos_digest, 2, sizeof a.cos_digest);
	memset(a.profile_digest, 3, sizeof a.profile_digest);
	assert_int_equal(f->o->order_insert(f->h, &a, &id), CW_ESTATE);
	begin(f);
	assert_int_equal(f->o->order_insert(f->h, &a, &id), 0);
	commit(f);
	crash(f);
	assert_int_equal(f->o->order_get(f->h, id, &b), 0);
	a.id = id;
	assert_memory_equal(&a, &b, sizeof a);
	assert_int_equal(f->o->order_get(f->h, id + 1, &b), CW_ENOENT);
	assert_int_equal(f->o->order_find_ext(f->h, "A-1", &b), 0);
	assert_int_equal(b.id, id);
	assert_int_equal(f->o->order_find_ext(f->h, "A-2", &b), CW_ENOENT);
	assert_int_equal(f->o->order_find_ext(f->h, "", &b), CW_ENOENT);

	/* ext is unique among visible orders only */
	begin(f);
	a.state = CW_ORD_INTAKE;
	assert_int_equal(f->o->order_insert(f->h, &a, &id2), 0);
	assert_true(id2 > id);
	a.id = id2;
	a.state = CW_ORD_READY;
	assert_int_equal(f->o->order_put(f->h, &a), CW_EEXIST);
	strcpy(a.ext, "A-2");
	assert_int_equal(f->o->order_put(f->h, &a), 0);
	a.id = 999;
	strcpy(a.ext, "A-3");
	assert_int_equal(f->o->order_put(f->h, &a), CW_ENOENT);
	commit(f);
	assert_int_equal(f->o->order_find_ext(f->h, "A-2", &b), 0);
	assert_int_equal(b.id, id2);
}

static void
lists_orders_by_page(void **state)
{
	struct fixture *f = *state;
	struct cw_st_page p = { 0 };
	struct cw_st_order out[4];
	uint64_t id[6];
	int i;

	for (i = 0; i < 6; i++)
		id[i] = make_order(f, i == 2 ? CW_ORD_INTAKE : i == 4 ? CW_ORD_DONE :
		    CW_ORD_READY, 0, 0);
	assert_int_equal(f->o->order_list(f->h, &p, out, 4), 4);
	assert_int_equal(out[0].id, id[0]);
	assert_int_equal(out[2].id, id[3]);
	p.after = out[3].id;
	assert_int_equal(f->o->order_list(f->h, &p, out, 4), 1);
	assert_int_equal(out[0].id, id[5]);
	p = (struct cw_st_page){ .newest_first = true };
	assert_int_equal(f->o->order_list(f->h, &p, out, 2), 2);
	assert_int_equal(out[0].id, id[5]);
	p.after = out[1].id;
	assert_int_equal(f->o->order_list(f->h, &p, out, 4), 3);
	assert_int_equal(out[0].id, id[3]);
	p = (struct cw_st_page){ .states = CW_ST_BIT(CW_ORD_DONE) |
	    CW_ST_BIT(CW_ORD_INTAKE) };
	assert_int_equal(f->o->order_list(f->h, &p, out, 4), 2);
	assert_int_equal(out[0].id, id[2]);
}

static void
rolls_back_and_crashes_clean(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, CW_ORD_READY, 3, 100);
	struct cw_st_record r, got;
	struct cw_st_order o;
	struct cw_st_term t = { .name = "line-1" };
	struct cw_st_result res = { .order = id, .record = 1, .epoch = 1, .term = 1,
	    .seq = 1, .verdict = CW_CARD_GOOD };
	struct cw_st_share sh = { id, 1, 4, 4 };
	struct cw_st_new n = { .record = 4, .fp_cnt = 1 };
	struct cw_st_dup dup;
	uint8_t buf[32];
	uint64_t id2;
	int round;

	make_fp(n.fp[0], 5000);
	assert_int_equal(f->o->commit(f->h), CW_ESTATE);
	assert_int_equal(f->o->rollback(f->h), CW_ESTATE);
	for (round = 0; round < 2; round++) {
		begin(f);
		assert_int_equal(f->o->begin(f->h), CW_ESTATE);
		assert_int_equal(f->o->record_get(f->h, id, 1, &r), 0);
		r.state = CW_REC_LEASED;
		r.epoch = 1;
		assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), 0);
		r.state = CW_REC_ISSUED;
		assert_int_equal(f->o->record_set(f->h, CW_REC_LEASED, &r), 0);
		t.id = 0;
		assert_int_equal(f->o->term_put(f->h, &t), 0);
		assert_int_equal(f->o->result_add(f->h, &res), 0);
		assert_int_equal(f->o->share_put(f->h, &sh), 0);
		assert_int_equal(f->o->record_add(f->h, id, &n, &dup), 0);
		assert_int_equal(f->o->blob_put(f->h, id, 1, buf, 5), 0);
		assert_int_equal(f->o->order_insert(f->h, &o, &id2), 0);
		assert_int_equal(f->o->order_get(f->h, id, &o), 0);
		assert_int_equal(o.counts.rec[CW_REC_LEASED], 0);
		assert_int_equal(o.counts.rec[CW_REC_ISSUED], 1);
		assert_int_equal(o.counts.rec[CW_REC_WAITING], 3);
		o.state = CW_ORD_DONE;
		assert_int_equal(f->o->order_put(f->h, &o), 0);
		if (round == 0)
			assert_int_equal(f->o->rollback(f->h), 0);
		else
			crash(f);

		assert_int_equal(f->o->order_get(f->h, id, &o), 0);
		assert_int_equal(o.state, CW_ORD_READY);
		assert_int_equal(o.counts.rec[CW_REC_WAITING], 3);
		assert_int_equal(o.counts.good, 0);
		assert_int_equal(f->o->record_get(f->h, id, 1, &got), 0);
		assert_int_equal(got.state, CW_REC_WAITING);
		assert_int_equal(got.epoch, 0);
		assert_true(got.has_payload);
		assert_int_equal(f->o->payload_get(f->h, id, 1, buf, sizeof buf), 12);
		assert_memory_equal(buf, "sealed-bytes", 12);
		assert_int_equal(f->o->term_get(f->h, "line-1", &t), CW_ENOENT);
		assert_int_equal(f->o->record_get(f->h, id, 4, &got), CW_ENOENT);
		assert_int_equal(f->o->record_find_fp(f->h, n.fp[0], &got), CW_ENOENT);
		assert_int_equal(f->o->blob_get(f->h, id, 1, 0, buf, 5), CW_ENOENT);
		assert_counts(f, id);
	}
}

static void
owns_fingerprints(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_order(f, CW_ORD_READY, 3, 100), b;
	struct cw_st_order o = { .state = CW_ORD_INTAKE };
	struct cw_st_new n = { .record = 1, .fp_cnt = 2 };
	struct cw_st_record r;
	struct cw_st_dup dup;

	make_fp(n.fp[0], 7777);
	make_fp(n.fp[1], 100 + 2 * 3 + 1);
	assert_int_equal(f->o->record_find_fp(f->h, n.fp[1], &r), 0);
	assert_int_equal(r.order, a);
	assert_int_equal(r.record, 3);

	begin(f);
	assert_int_equal(f->o->order_insert(f->h, &o, &b), 0);
	assert_int_equal(f->o->record_add(f->h, b, &n, &dup), CW_EEXIST);
	assert_int_equal(dup.order, a);
	assert_int_equal(dup.record, 3);
	assert_int_equal(dup.fp_idx, 1);
	/* nothing of the refused record is left */
	assert_int_equal(f->o->record_find_fp(f->h, n.fp[0], &r), CW_ENOENT);
	assert_int_equal(f->o->record_get(f->h, b, 1, &r), CW_ENOENT);
	commit(f);

	/* CANCELLED records own nothing */
	begin(f);
	assert_int_equal(f->o->record_get(f->h, a, 3, &r), 0);
	r.state = CW_REC_CANCELLED;
	assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), 0);
	assert_int_equal(f->o->record_add(f->h, b, &n, &dup), 0);
	commit(f);
	assert_int_equal(f->o->record_find_fp(f->h, n.fp[1], &r), 0);
	assert_int_equal(r.order, b);

	/* a purged intake owns nothing; ISSUED ones of a closed order do */
	begin(f);
	assert_int_equal(f->o->order_purge(f->h, b, 100), 0);
	assert_int_equal(f->o->record_get(f->h, a, 1, &r), 0);
	r.state = CW_REC_ISSUED;
	assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), 0);
	assert_int_equal(f->o->order_get(f->h, a, &o), 0);
	o.state = CW_ORD_CLOSED;
	assert_int_equal(f->o->order_put(f->h, &o), 0);
	o = (struct cw_st_order){ .state = CW_ORD_INTAKE };
	assert_int_equal(f->o->order_insert(f->h, &o, &b), 0);
	assert_int_equal(f->o->record_add(f->h, b, &n, &dup), 0);
	n.record = 2;
	make_fp(n.fp[0], 100 + 2 * 2);
	make_fp(n.fp[1], 100 + 2 * 2 + 1);
	assert_int_equal(f->o->record_add(f->h, b, &n, &dup), 0);
	n.record = 3;
	make_fp(n.fp[0], 100 + 2 * 1);
	assert_int_equal(f->o->record_add(f->h, b, &n, &dup), CW_EEXIST);
	assert_int_equal(dup.record, 1);
	/* within one order too */
	make_fp(n.fp[0], 7777);
	assert_int_equal(f->o->record_add(f->h, b, &n, &dup), CW_EEXIST);
	assert_int_equal(dup.order, b);
	assert_int_equal(dup.record, 1);
	commit(f);
	assert_counts(f, b);
}

/* A crowd is added as one by one: up to the first that is owned elsewhere. */
static void
adds_crowds(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_order(f, CW_ORD_READY, 2, 100), b;
	struct cw_st_order o = { .state = CW_ORD_INTAKE };
	struct cw_st_new n[70];
	struct cw_st_record r;
	struct cw_st_dup dup;
	unsigned int i, bad;

	for (bad = 0; bad < 70; bad++) {
		memset(n, 0, sizeof n);
		for (i = 0; i < 70; i++) {
			n[i].record = i + 1;
			n[i].fp_cnt = i == 65 ? 1 : 2;
			make_fp(n[i].fp[0], 1000 + 2 * i);
			make_fp(n[i].fp[1], 1001 + 2 * i);
		}
		/* its second one is owned by order a, or in this crowd */
		if (bad != 65)
			make_fp(n[bad].fp[1], bad % 2 == 0 || bad == 0 ? 103 :
			    1000 + 2 * (bad - 1));
		begin(f);
		assert_int_equal(f->o->order_insert(f->h, &o, &b), 0);
		assert_int_equal(f->o->record_add_many(f->h, b, n, 70, &dup),
		    bad == 65 ? 70 : bad);
		if (bad != 65) {
			assert_int_equal(dup.fp_idx, 1);
			assert_int_equal(dup.order, bad % 2 == 0 ? a : b);
			assert_int_equal(dup.record, bad % 2 == 0 ? 1 : bad);
			assert_int_equal(f->o->record_find_fp(f->h, n[bad].fp[0], &r),
			    CW_ENOENT);
			assert_int_equal(f->o->record_add_many(f->h, b, n + bad + 1,
			    69 - bad, &dup), 69 - bad);
		}
		commit(f);
		assert_counts(f, b);
		for (i = 0; i < 70; i++)
			assert_int_equal(f->o->record_get(f->h, b, i + 1, &r),
			    i == bad && bad != 65 ? CW_ENOENT : 0);
		begin(f);
		assert_int_equal(f->o->order_purge(f->h, b, 100), 0);
		commit(f);
	}
	assert_int_equal(f->o->record_add_many(f->h, a, n, 1, &dup), CW_ESTATE);
}

static void
purges_in_steps(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, CW_ORD_INTAKE, 25, 100);
	uint64_t ready = make_order(f, CW_ORD_READY, 1, 0);
	struct cw_st_order o;
	int steps = 1, left;

	begin(f);
	assert_int_equal(f->o->order_purge(f->h, ready, 10), CW_ESTATE);
	assert_int_equal(f->o->order_purge(f->h, 999, 10), CW_ENOENT);
	while ((left = f->o->order_purge(f->h, id, 10)) == 1)
		steps++;
	assert_int_equal(left, 0);
	assert_int_equal(steps, 3);
	commit(f);
	assert_int_equal(f->o->order_get(f->h, id, &o), CW_ENOENT);
	assert_int_equal(f->o->order_get(f->h, ready, &o), 0);
	assert_int_equal(o.counts.rec[CW_REC_WAITING], 1);
}

static void
compares_and_sets(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, CW_ORD_READY, 2, 0);
	struct cw_st_record r, got;

	assert_int_equal(f->o->record_get(f->h, id, 2, &r), 0);
	assert_string_equal(r.iccid, "8900000000000000002");
	r.state = CW_REC_LEASED;
	assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), CW_ESTATE);
	begin(f);
	assert_int_equal(f->o->record_set(f->h, CW_REC_LEASED, &r), CW_ESTATE);
	r.epoch = 0xFFFFFFFF;
	r.term = 9;
	r.tries = 2;
	r.blanks = 3;
	r.outcome = 5;
	r.sw = 0x6A82;
	assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), 0);
	r.record = 3;
	assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), CW_ENOENT);
	r.record = 2;
	commit(f);
	crash(f);
	assert_int_equal(f->o->record_get(f->h, id, 2, &got), 0);
	assert_memory_equal(&got, &r, sizeof r);
	assert_counts(f, id);
}

static void
lists_records(void **state)
{
	struct fixture *f = *state;
	struct cw_st_order o = { .state = CW_ORD_READY };
	struct cw_st_record after = { 0 }, out[10], r;
	struct cw_st_page p = { 0 };
	struct cw_st_new n = { 0 };
	struct cw_st_dup dup;
	uint64_t id, first = make_order(f, CW_ORD_READY, 2, 0);
	uint32_t addr = 0;
	int i;

	begin(f);
	assert_int_equal(f->o->order_insert(f->h, &o, &id), 0);
	for (i = 1; i <= 8; i++) {
		n.record = (uint64_t)i;
		n.addr = i % 2 == 0 ? 0x7F000101 : 0;
		assert_int_equal(f->o->record_add(f->h, id, &n, &dup), 0);
	}
	commit(f);
	after.order = id;
	assert_int_equal(f->o->record_waiting(f->h, &after, out, 3), 3);
	assert_int_equal(out[0].record, 1);
	assert_int_equal(out[2].record, 5);
	assert_false(out[0].has_payload);
	assert_string_equal(out[0].iccid, "");
	after = out[2];
	assert_int_equal(f->o->record_waiting(f->h, &after, out, 3), 1);
	assert_int_equal(out[0].record, 7);
	after = (struct cw_st_record){ .order = id, .addr = 0x7F000101 };
	assert_int_equal(f->o->record_waiting(f->h, &after, out, 10), 4);
	assert_int_equal(out[3].record, 8);
	assert_int_equal(f->o->waiting_addr(f->h, 0, &addr), 0);
	assert_int_equal(addr, 0x7F000101);
	assert_int_equal(f->o->waiting_addr(f->h, 0x7F000100, &addr), 0);
	assert_int_equal(addr, 0x7F000101);
	assert_int_equal(f->o->waiting_addr(f->h, 0x7F000101, &addr), CW_ENOENT);

	begin(f);
	for (i = 3; i <= 6; i++) {
		assert_int_equal(f->o->record_get(f->h, id, (uint64_t)i, &r), 0);
		r.state = CW_REC_LEASED;
		r.term = i == 4 ? 1 : 2;
		assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), 0);
	}
	assert_int_equal(f->o->record_get(f->h, first, 1, &r), 0);
	r.state = CW_REC_LEASED;
	r.term = 2;
	assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), 0);
	commit(f);
	after = (struct cw_st_record){ 0 };
	assert_int_equal(f->o->record_leased(f->h, 2, &after, out, 2), 2);
	assert_int_equal(out[0].order, first);
	assert_int_equal(out[1].record, 3);
	after = out[1];
	assert_int_equal(f->o->record_leased(f->h, 2, &after, out, 5), 2);
	assert_int_equal(out[1].record, 6);
	p.states = CW_ST_BIT(CW_REC_LEASED);
	p.after = 3;
	assert_int_equal(f->o->record_list(f->h, id, &p, out, 10), 3);
	assert_int_equal(out[0].record, 4);
	p = (struct cw_st_page){ 0 };
	assert_int_equal(f->o->record_list(f->h, id, &p, out, 10), 8);
	assert_counts(f, id);
}

static void
moves_crowds(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, CW_ORD_READY, 10, 0);
	struct cw_st_move m = { .order = id, .from = CW_REC_WAITING,
	    .to = CW_REC_CANCELLED, .destroy = true, .max = 4 };
	struct cw_st_record r;
	uint8_t buf[32];

	begin(f);
	assert_int_equal(f->o->record_get(f->h, id, 2, &r), 0);
	r.state = CW_REC_FAILED;
	assert_int_equal(f->o->record_set(f->h, CW_REC_WAITING, &r), 0);
	assert_int_equal(f->o->record_move(f->h, &m), 4);
	assert_int_equal(m.after, 5);
	assert_int_equal(f->o->record_move(f->h, &m), 4);
	assert_int_equal(f->o->record_move(f->h, &m), 1);
	commit(f);
	assert_counts(f, id);
	assert_int_equal(f->o->payload_get(f->h, id, 1, buf, sizeof buf), CW_ENOENT);
	assert_int_equal(f->o->payload_get(f->h, id, 2, buf, sizeof buf), 12);

	/* from == to: payloads only */
	m = (struct cw_st_move){ .order = id, .from = CW_REC_FAILED,
	    .to = CW_REC_FAILED, .destroy = true, .max = 4 };
	begin(f);
	assert_int_equal(f->o->record_move(f->h, &m), 1);
	m.after = 0;
	assert_int_equal(f->o->record_move(f->h, &m), 0);
	commit(f);
	assert_int_equal(f->o->payload_get(f->h, id, 2, buf, sizeof buf), CW_ENOENT);
	assert_counts(f, id);
}

/* ISSUED and CANCELLED take the payload with them, the other states do not. */
static void
set_state(struct fixture *f, uint64_t order, uint64_t record, uint8_t state)
{
	struct cw_st_record r;
	uint8_t was;

	assert_int_equal(f->o->record_get(f->h, order, record, &r), 0);
	was = r.state;
	r.state = state;
	assert_int_equal(f->o->record_set(f->h, was, &r), 0);
}

static void
keeps_payloads_and_blobs(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, CW_ORD_READY, 1, 0);
	uint8_t big[3000], buf[3000];
	size_t i;

	assert_int_equal(f->o->payload_get(f->h, id, 1, buf, 11), CW_EFULL);
	assert_int_equal(f->o->payload_get(f->h, id, 2, buf, 11), CW_ENOENT);
	for (i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 31);
	begin(f);
	assert_int_equal(f->o->blob_put(f->h, id, CW_ST_COS, big, 100), 0);
	assert_int_equal(f->o->blob_put(f->h, id, CW_ST_COS, big, sizeof big), 0);
	assert_int_equal(f->o->blob_put(f->h, id, CW_ST_PROFILE, big, 0), 0);
	set_state(f, id, 1, CW_REC_FAILED);
	assert_int_equal(f->o->payload_get(f->h, id, 1, buf, 100), 12);
	set_state(f, id, 1, CW_REC_CANCELLED);
	commit(f);
	crash(f);
	assert_int_equal(f->o->blob_get(f->h, id, CW_ST_COS, 0, buf, 1000), 1000);
	assert_memory_equal(buf, big, 1000);
	assert_int_equal(f->o->blob_get(f->h, id, CW_ST_COS, 2900, buf, 1000), 100);
	assert_memory_equal(buf, big + 2900, 100);
	assert_int_equal(f->o->blob_get(f->h, id, CW_ST_COS, 3000, buf, 1000), 0);
	assert_int_equal(f->o->blob_get(f->h, id, CW_ST_COS, 9999, buf, 1000), 0);
	assert_int_equal(f->o->blob_get(f->h, id, CW_ST_PROFILE, 0, buf, 10), 0);
	assert_int_equal(f->o->blob_get(f->h, id + 1, CW_ST_COS, 0, buf, 10), CW_ENOENT);
	assert_int_equal(f->o->payload_get(f->h, id, 1, buf, 100), CW_ENOENT);
}

static struct cw_st_result
make_result(uint64_t order, uint64_t record, uint32_t epoch, uint64_t seq,
    uint8_t verdict)
{
	struct cw_st_result r = { .order = order, .record = record, .epoch = epoch,
	    .term = 1, .incarnation = 0xFEDCBA9876543210, .seq = seq,
	    .verdict = verdict, .outcome = verdict == CW_CARD_GOOD ? 0 : 5,
	    .sw = 0x9000, .step = 3, .station = 2, .reader = 0x7F000101,
	    .card_no = (uint32_t)(100 + seq), .ms = 400, .time_ms = 1700000000001,
	    .serial_len = 4, .serial = { 1, 2, 3, (uint8_t)seq }, .atr_len = 2,
	    .atr = { 0x3B, 0x00 }, .trace = "line\n", .trace_len = 5 };

	return r;
}

static void
add(struct fixture *f, struct cw_st_result r, int want)
{
	assert_int_equal(f->o->result_add(f->h, &r), want);
}

static void
keeps_results_once(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, CW_ORD_RUNNING, 3, 0);
	struct cw_st_term t = { .name = "line-1" };
	struct cw_st_result r = make_result(id, 1, 1, 1, CW_CARD_REJECT), out[8];
	struct cw_st_result_page p = { .order = id };
	struct cw_st_counts c;
	struct cw_st_cause cause[4];
	char trace[16];

	begin(f);
	assert_int_equal(f->o->term_put(f->h, &t), 0);
	add(f, r, 0);
	add(f, r, CW_EEXIST);
	r.seq = 2;
	add(f, r, CW_EEXIST);		/* same record and epoch */
	r.stray = true;
	add(f, r, 0);			/* as evidence it is kept */
	add(f, make_result(id, 1, 2, 3, CW_CARD_GOOD), 0);
	add(f, make_result(id, 2, 1, 4, CW_CARD_DOUBT), 0);
	add(f, make_result(id, 2, 2, 5, CW_CARD_NONE), 0);
	add(f, make_result(id, 3, 1, 0, CW_CARD_DOUBT), 0);
	add(f, make_result(id, 3, 2, 0, CW_CARD_DOUBT), 0);	/* no seq: no clash */
	commit(f);
	crash(f);
	assert_counts(f, id);
	assert_int_equal(f->o->sums(f->h, id, &c), 0);
	assert_int_equal(c.good, 1);
	assert_int_equal(c.reject, 1);
	assert_int_equal(c.doubt, 3);
	assert_int_equal(c.none, 1);
	assert_int_equal(c.stray, 1);
	assert_int_equal(f->o->term_sums(f->h, 1, &c), 0);
	assert_int_equal(c.good, 1);
	assert_int_equal(c.reject, 2);
	assert_int_equal(c.doubt, 1);
	assert_int_equal(f->o->term_sums(f->h, 9, &c), CW_ENOENT);

	assert_int_equal(f->o->result_list(f->h, &p, out, 8), 7);
	assert_int_equal(out[0].seq, 1);
	assert_int_equal(out[1].seq, 2);
	assert_true(out[1].stray);
	assert_int_equal(out[0].incarnation, 0xFEDCBA9876543210);
	assert_int_equal(out[0].serial_len, 4);
	assert_memory_equal(out[0].serial, "\1\2\3\1", 4);
	assert_int_equal(out[0].atr_len, 2);
	assert_int_equal(out[0].trace_len, 5);
	assert_int_equal(out[0].reader, 0x7F000101);
	assert_int_equal(f->o->result_trace(f->h, out[0].id, trace, sizeof trace), 5);
	assert_memory_equal(trace, "line\n", 5);
	assert_int_equal(f->o->result_list(f->h, &p, out, 3), 3);
	p.after_record = out[2].record;
	p.after_id = out[2].id;
	assert_int_equal(f->o->result_list(f->h, &p, out, 8), 4);
	assert_int_equal(out[0].record, 2);
	p = (struct cw_st_result_page){ .order = id, .record = 1, .wrong_only = true };
	assert_int_equal(f->o->result_list(f->h, &p, out, 8), 2);
	assert_int_equal(f->o->result_find_serial(f->h,
	    (const uint8_t *)"\1\2\3\4", 4, out, 8), 1);
	assert_int_equal(out[0].seq, 4);
	assert_int_equal(f->o->result_find_card(f->h, 0, 103, out, 8), 1);
	assert_int_equal(f->o->result_find_card(f->h, 2, 103, out, 8), 0);
	assert_int_equal(f->o->result_find_card(f->h, 1, 100, out, 8), 2);
	assert_true(out[0].id > out[1].id);
	assert_int_equal(f->o->result_causes(f->h, id, cause, 4), 2);
	assert_int_equal(cause[0].verdict, CW_CARD_DOUBT);
	assert_int_equal(cause[0].cnt, 3);
	assert_int_equal(cause[1].cnt, 1);
}

static void
keeps_terminals_shares_events(void **state)
{
	struct fixture *f = *state;
	struct cw_st_term t = { .name = "line-1", .ip = 0x7F000001,
	    .incarnation = 0x8000000000000001, .acked_seq = 5, .start_cnt = 2,
	    .cos_seen = 3, .seen_ms = 4, .dev_known = true, .dev_fresh = true,
	    .base_feed = 0xFFFFFFF0, .base_good = 2, .base_reject = 3,
	    .dev_feed = 4, .dev_good = 5, .dev_reject = 6 };
	struct cw_st_term u = { .name = "line-2" }, got, list[4];
	struct cw_st_share sh = { 7, 1, 4, 4 }, shares[4];
	struct cw_st_event e = { .order = 7, .time_ms = 1, .text = "first" }, ev[4];

	begin(f);
	assert_int_equal(f->o->term_put(f->h, &t), 0);
	assert_true(t.id > 0);
	assert_int_equal(f->o->term_put(f->h, &u), 0);
	u.id = 0;
	assert_int_equal(f->o->term_put(f->h, &u), CW_EEXIST);
	u.id = 77;
	assert_int_equal(f->o->term_put(f->h, &u), CW_ENOENT);
	t.acked_seq = 9;
	assert_int_equal(f->o->term_put(f->h, &t), 0);
	assert_int_equal(f->o->share_put(f->h, &sh), 0);
	sh.cos_sent = 8;
	assert_int_equal(f->o->share_put(f->h, &sh), 0);
	sh.term = 2;
	assert_int_equal(f->o->share_put(f->h, &sh), 0);
	assert_int_equal(f->o->event_add(f->h, &e), 0);
	e.order = 8;
	strcpy(e.text, "second");
	assert_int_equal(f->o->event_add(f->h, &e), 0);
	commit(f);
	crash(f);
	assert_int_equal(f->o->term_get(f->h, "line-1", &got), 0);
	assert_memory_equal(&got, &t, sizeof t);
	assert_int_equal(f->o->term_get_id(f->h, t.id, &got), 0);
	assert_string_equal(got.name, "line-1");
	assert_int_equal(f->o->term_get_id(f->h, 99, &got), CW_ENOENT);
	assert_int_equal(f->o->term_list(f->h, 0, list, 4), 2);
	assert_int_equal(f->o->term_list(f->h, list[0].id, list, 4), 1);
	assert_int_equal(f->o->share_get(f->h, 7, 1, &sh), 0);
	assert_int_equal(sh.cos_sent, 8);
	assert_int_equal(f->o->share_get(f->h, 6, 1, &sh), CW_ENOENT);
	assert_int_equal(f->o->share_list(f->h, 7, shares, 4), 2);
	assert_int_equal(shares[1].term, 2);
	assert_int_equal(f->o->event_list(f->h, 0, 0, ev, 4), 2);
	assert_string_equal(ev[0].text, "second");
	assert_int_equal(f->o->event_list(f->h, 0, ev[0].id, ev, 4), 1);
	assert_string_equal(ev[0].text, "first");
	assert_int_equal(f->o->event_list(f->h, 8, 0, ev, 4), 1);
}

static void
fails_the_nth_call(void **state)
{
	struct fixture *f = *state;
	struct cw_store *s = cw_store_fault_new(f->s);
	uint64_t id = make_order(f, CW_ORD_READY, 1, 0);
	struct cw_st_order o;

	cw_store_fault_set(s, 2, false);
	assert_int_equal(s->ops->begin(s->h), 0);
	assert_int_equal(s->ops->order_get(s->h, id, &o), CW_EIO);
	assert_int_equal(s->ops->order_get(s->h, id, &o), 0);
	assert_int_equal(cw_store_fault_fired(s), 1);
	o.state = CW_ORD_DONE;
	assert_int_equal(s->ops->order_put(s->h, &o), 0);
	cw_store_fault_set(s, 1, true);
	assert_int_equal(s->ops->commit(s->h), CW_EIO);
	assert_int_equal(s->ops->begin(s->h), CW_EIO);
	assert_int_equal(cw_store_fault_fired(s), 2);
	cw_store_fault_set(s, 0, false);
	assert_int_equal(s->ops->order_get(s->h, id, &o), 0);
	assert_int_equal(o.state, CW_ORD_READY);
	cw_store_close(s);
}

/* What only the file has. */
static void
guards_its_file(void **state)
{
	struct fixture *f = *state;
	char err[256];
	struct stat st;
	sqlite3 *db;
	FILE *fp;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	cw_store_close(f->s);

	assert_int_equal(chmod(f->path, 0644), 0);
	assert_null(cw_store_sqlite_open(f->path, err, sizeof err));
	assert_non_null(strstr(err, "chmod 600"));
	assert_int_equal(chmod(f->path, 0600), 0);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 3", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	assert_null(cw_store_sqlite_open(f->path, err, sizeof err));
	assert_non_null(strstr(err, "newer"));

	/* a file of schema 1 is brought up to date */
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "ALTER TABLE terminals DROP COLUMN hold;"
	    "ALTER TABLE terminals DROP COLUMN old_incarnation;"
	    "ALTER TABLE terminals DROP COLUMN old_acked;"
	    "PRAGMA user_version = 1", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	open_store(f);
	cw_store_close(f->s);

	fp = fopen(f->path, "w");
	assert_non_null(fp);
	fputs("this is no database at all, but a text of some length, to be sure "
	    "that its header is read: 0123456789012345678901234567890123456789", fp);
	fclose(fp);
	assert_null(cw_store_sqlite_open(f->path, err, sizeof err));
	assert_non_null(strstr(err, f->path));
	assert_null(cw_store_sqlite_open("/nonexistent/x/db", err, sizeof err));
	assert_non_null(strstr(err, "/nonexistent/x/db"));
	assert_int_equal(unlink(f->path), 0);
	open_store(f);
}

/* More orders and terminals in one transaction than its counts gather. */
static void
counts_many_orders_at_once(void **state)
{
	struct fixture *f = *state;
	struct cw_st_counts c;
	struct cw_st_order o;
	uint64_t id[150];
	unsigned int i, k;

	for (i = 0; i < 150; i++)
		id[i] = make_order(f, CW_ORD_READY, 2, 0);
	begin(f);
	for (i = 0; i < 150; i++) {
		struct cw_st_term t = { .incarnation = 1 };

		snprintf(t.name, sizeof t.name, "line-%u", i);
		assert_int_equal(f->o->term_put(f->h, &t), 0);
		assert_int_equal(t.id, i + 1);
	}
	for (k = 1; k <= 2; k++)
		for (i = 0; i < 150; i++) {
			struct cw_st_result r = { .order = id[i], .record = k, .epoch = 1,
			    .term = i + 1, .incarnation = 1, .seq = k,
			    .verdict = k == 1 ? CW_CARD_GOOD : CW_CARD_REJECT };

			assert_int_equal(f->o->result_add(f->h, &r), 0);
			set_state(f, id[i], k, k == 1 ? CW_REC_ISSUED : CW_REC_FAILED);
		}
	commit(f);
	for (i = 0; i < 150; i++) {
		assert_int_equal(f->o->order_get(f->h, id[i], &o), 0);
		assert_int_equal(o.counts.rec[CW_REC_WAITING], 0);
		assert_int_equal(o.counts.rec[CW_REC_FAILED], 1);
		assert_counts(f, id[i]);
		assert_int_equal(f->o->term_sums(f->h, i + 1, &c), 0);
		assert_int_equal(c.good, 1);
		assert_int_equal(c.reject, 1);
	}
}

/* A destroyed payload is overwritten in the file, not only unlinked. */
static void
leaves_nothing_in_the_file(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, CW_ORD_READY, 3, 0);
	static char buf[4 << 20];
	uint64_t rec;
	size_t n;
	FILE *fp;

	begin(f);
	for (rec = 1; rec <= 3; rec++)
		set_state(f, id, rec, rec == 2 ? CW_REC_CANCELLED : CW_REC_ISSUED);
	commit(f);
	cw_store_close(f->s);	/* the last one out folds the log into the file */
	fp = fopen(f->path, "r");
	assert_non_null(fp);
	n = fread(buf, 1, sizeof buf, fp);
	fclose(fp);
	assert_true(n > 4096);
	assert_null(memmem(buf, n, "sealed-bytes", 12));
	assert_non_null(memmem(buf, n, "8900000000000000003", 19));
	open_store(f);
}

#define BOTH(test) \
	{ "mem/" #test, test, setup_mem, teardown, NULL }, \
	{ "sqlite/" #test, test, setup_sqlite, teardown, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(keeps_orders),
		BOTH(lists_orders_by_page),
		BOTH(rolls_back_and_crashes_clean),
		BOTH(owns_fingerprints),
		BOTH(adds_crowds),
		BOTH(purges_in_steps),
		BOTH(compares_and_sets),
		BOTH(lists_records),
		BOTH(moves_crowds),
		BOTH(counts_many_orders_at_once),
		BOTH(keeps_payloads_and_blobs),
		BOTH(keeps_results_once),
		BOTH(keeps_terminals_shares_events),
		BOTH(fails_the_nth_call),
		cmocka_unit_test_setup_teardown(guards_its_file, setup_sqlite, teardown),
		cmocka_unit_test_setup_teardown(leaves_nothing_in_the_file, setup_sqlite, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
