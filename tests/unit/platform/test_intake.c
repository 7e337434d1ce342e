/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/package.h"
#include "platform/intake.h"

static const struct cw_field_spec fields[] = {
	{ "iccid", CW_FIELD_ICCID, true, true, 0, 0 },
	{ "imsi", CW_FIELD_IMSI, true, true, 0, 0 },
	{ "ki", CW_FIELD_HEX, true, false, 32, 32 },
};
static const uint8_t key[CW_SEAL_KEY_LEN] = { 42 };
static const char profile[] = "-- profile";

#define HEAD "iccid,imsi,ki\n"
#define KI "00112233445566778899aabbccddeeff"

struct fixture {
	struct cw_store *s;
	struct cw_seal *seal;
	struct cw_intake_config cfg;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->s = cw_store_mem_new();
	f->seal = cw_seal_new(key);
	f->cfg = (struct cw_intake_config){ .store = f->s, .seal = f->seal,
	    .fields = fields, .field_cnt = 3, .has_data = true,
	    .profile_text = (const uint8_t *)profile,
	    .profile_len = sizeof profile - 1 };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	cw_store_close(f->s);
	cw_seal_free(f->seal);
	free(f);
	return 0;
}

/* 18-digit ICCIDs carry no check digit. */
static size_t
make_csv(char *text, unsigned int from, unsigned int cnt)
{
	size_t n = (size_t)sprintf(text, "%s", HEAD);
	unsigned int i;

	for (i = from; i < from + cnt; i++)
		n += (size_t)sprintf(text + n, "8988211%011u,00101%010u,%s\n", i, i, KI);
	return n;
}

static int
take_in(const struct cw_intake_config *cfg, const char *text, size_t len,
    struct cw_intake_result *res)
{
	struct cw_intake *in;
	size_t off, n;
	int err;

	in = cw_intake_new(cfg, &err);
	if (in == NULL)
		return err;
	for (off = 0, err = 0; off < len && err == 0; off += n) {
		n = len - off < 1000 ? len - off : 1000;
		err = cw_intake_feed(in, (const uint8_t *)text + off, n);
	}
	err = cw_intake_end(in, res);
	cw_intake_free(in);
	return err;
}

static unsigned int
order_cnt(struct cw_store *s, uint32_t states)
{
	struct cw_st_page p = { .states = states };
	struct cw_st_order o[8];
	int n = s->ops->order_list(s->h, &p, o, 8);

	assert_true(n >= 0);
	return (unsigned int)n;
}

static void
takes_an_order(void **state)
{
	struct fixture *f = *state;
	static char text[400000];
	uint8_t buf[256], clear[256];
	struct cw_intake_result res;
	struct cw_st_record r;
	struct cw_st_order o;
	struct cw_field field;
	size_t len = make_csv(text, 0, 4000);
	int n;

	strcpy(f->cfg.order.ext, "X1");
	f->cfg.want_count = 4000;
	assert_int_equal(take_in(&f->cfg, text, len, &res), 0);
	assert_int_equal(res.records, 4000);
	assert_false(res.again);
	assert_int_equal(f->s->ops->order_get(f->s->h, res.order, &o), 0);
	assert_int_equal(o.state, CW_ORD_READY);
	assert_int_equal(o.total, 4000);
	assert_int_equal(o.counts.rec[CW_REC_WAITING], 4000);
	assert_int_equal(o.remake_max, 3);
	assert_int_equal(o.blank_max, 10);
	assert_int_equal(o.key_id, cw_seal_key_id(f->seal));

	/* what rests is sealed; it opens under its own record only */
	n = f->s->ops->payload_get(f->s->h, res.order, 17, buf, sizeof buf);
	assert_true(n > 0);
	assert_null(memmem(buf, (size_t)n, "8988211", 7));
	assert_null(memmem(buf, (size_t)n, KI, 8));
	n = cw_seal_get(f->seal, &(struct cw_seal_id){ res.order, 17 }, buf,
	    (size_t)n, clear);
	assert_true(n > 0);
	assert_int_equal(cw_record_check(clear, (size_t)n), 3);
	assert_int_equal(cw_record_find(&field, clear, (size_t)n, "imsi"), 0);
	assert_int_equal(field.value_len, 15);
	assert_memory_equal(field.value, "001010000000016", 15);

	/* search by number */
	assert_int_equal(cw_seal_fingerprint(f->seal, CW_FP_ICCID,
	    "898821100000000016", 18, buf), 0);
	assert_int_equal(f->s->ops->record_find_fp(f->s->h, buf, &r), 0);
	assert_int_equal(r.record, 17);
	assert_string_equal(r.iccid, "898821100000000016");
}

static void
is_idempotent_by_ext(void **state)
{
	struct fixture *f = *state;
	static char text[4000];
	struct cw_intake_result res, again;
	size_t len = make_csv(text, 0, 20);

	strcpy(f->cfg.order.ext, "X1");
	assert_int_equal(take_in(&f->cfg, text, len, &res), 0);
	assert_int_equal(take_in(&f->cfg, text, len, &again), 0);
	assert_true(again.again);
	assert_int_equal(again.order, res.order);
	assert_int_equal(again.records, 20);
	len = make_csv(text, 1000, 20);
	assert_int_equal(take_in(&f->cfg, text, len, &again), CW_EEXIST);
	assert_int_equal(order_cnt(f->s, ~0u), 1);

	/* same data under another id: duplicates */
	strcpy(f->cfg.order.ext, "X2");
	len = make_csv(text, 0, 20);
	assert_int_equal(take_in(&f->cfg, text, len, &again), CW_EFORMAT);
	assert_int_equal(order_cnt(f->s, ~0u), 1);
}

static void
names_both_ends_of_duplicates(void **state)
{
	struct fixture *f = *state;
	static char text[4000];
	const struct cw_order_faults *faults;
	struct cw_intake_result res;
	struct cw_intake *in;
	size_t len = make_csv(text, 0, 10);
	int err;

	assert_int_equal(take_in(&f->cfg, text, len, &res), 0);
	len = make_csv(text, 100, 3);
	len += (size_t)sprintf(text + len, "898821100000000101,001010000000999,%s\n"
	    "898821100000000200,001010000000005,%s\nbad\n", KI, KI);
	in = cw_intake_new(&f->cfg, &err);
	assert_non_null(in);
	assert_int_equal(cw_intake_feed(in, (const uint8_t *)text, len), 0);
	assert_int_equal(cw_intake_end(in, &res), CW_EFORMAT);
	faults = cw_intake_faults(in);
	assert_int_equal(faults->total, 3);
	assert_int_equal(faults->list[0].line, 5);
	assert_int_equal(faults->list[0].code, CW_OF_DUPLICATE);
	assert_string_equal(faults->list[0].column, "iccid");
	assert_non_null(strstr(faults->list[0].text, "record 2 (line 3)"));
	assert_int_equal(faults->list[1].line, 6);
	assert_int_equal(faults->list[1].code, CW_OF_DUPLICATE_ORDER);
	assert_string_equal(faults->list[1].column, "imsi");
	assert_non_null(strstr(faults->list[1].text, "order 1, record 6"));
	assert_int_equal(faults->list[2].line, 7);
	assert_int_equal(order_cnt(f->s, ~0u), 2);
	assert_int_equal(order_cnt(f->s, 0), 1);	/* invisible */
	cw_intake_free(in);
	assert_int_equal(order_cnt(f->s, ~0u), 1);

	/* rolled away: the good numbers of the bad file are free again */
	len = make_csv(text, 100, 3);
	assert_int_equal(take_in(&f->cfg, text, len, &res), 0);
}

static void
takes_orders_without_data(void **state)
{
	struct fixture *f = *state;
	struct cw_order_cos *cos = cw_order_cos_new();
	struct cw_intake_result res;
	struct cw_st_order o;
	struct cw_st_record r;
	struct cw_pkg p;
	uint8_t pkg[300];
	int n;

	assert_int_equal(cw_order_cos_feed(cos, (const uint8_t *)"raw image \377byte", 15), 0);
	assert_int_equal(cw_order_cos_end(cos), 0);
	f->cfg.has_data = false;
	assert_int_equal(take_in(&f->cfg, "", 0, &res), CW_EINVAL);
	f->cfg.cos = cos;
	assert_int_equal(take_in(&f->cfg, "", 0, &res), CW_EINVAL);
	f->cfg.want_count = 10000;
	assert_int_equal(take_in(&f->cfg, "", 0, &res), 0);
	assert_int_equal(res.records, 10000);
	assert_int_equal(f->s->ops->order_get(f->s->h, res.order, &o), 0);
	assert_int_equal(o.has_data, 0);
	assert_int_equal(o.cos_len, 15);
	assert_int_equal(f->s->ops->record_get(f->s->h, res.order, 10000, &r), 0);
	assert_false(r.has_payload);
	n = f->s->ops->blob_get(f->s->h, res.order, CW_ST_COS, 0, pkg, sizeof pkg);
	assert_int_equal(n, (int)o.cos_pkg_len);
	assert_int_equal(cw_pkg_parse(&p, pkg, (size_t)n), 0);
	assert_int_equal(p.order, res.order);
	assert_int_equal(p.payload_len, 19);
	cw_order_cos_free(cos);
}

/* The nth call of the store fails, for every n: nothing visible, and the same
 * intake succeeds afterwards. */
static void
survives_every_failing_call(void **state)
{
	struct fixture *f = *state;
	struct cw_store *s = cw_store_fault_new(f->s);
	struct cw_intake_config cfg = f->cfg;
	static char text[4000];
	struct cw_intake_result res;
	size_t len = make_csv(text, 0, 6);
	uint32_t n;
	int err, for_ever;

	cfg.store = s;
	strcpy(cfg.order.ext, "X1");
	for (for_ever = 0; for_ever < 2; for_ever++) {
		for (n = 1; ; n++) {
			cw_store_fault_set(s, n, for_ever != 0);
			err = take_in(&cfg, text, len, &res);
			if (cw_store_fault_fired(s) == 0)
				break;
			assert_true(err < 0);
			assert_int_equal(order_cnt(f->s, 0), 0);
			cw_store_fault_set(s, 0, false);
			while ((err = cw_intake_sweep(s, NULL, 0, 4)) == 1)
				;
			assert_int_equal(err, 0);
			assert_int_equal(order_cnt(f->s, ~0u), 0);
		}
		assert_int_equal(err, 0);
		assert_true(n > 10);
		if (for_ever == 0) {
			/* make room for the second round */
			struct cw_st_order o;

			assert_int_equal(f->s->ops->order_get(f->s->h, res.order, &o), 0);
			o.state = CW_ORD_INTAKE;
			assert_int_equal(f->s->ops->begin(f->s->h), 0);
			assert_int_equal(f->s->ops->order_put(f->s->h, &o), 0);
			assert_int_equal(f->s->ops->commit(f->s->h), 0);
			while (cw_intake_sweep(f->s, NULL, 0, 4) == 1)
				;
		}
	}
	cw_store_close(s);
}

/* A platform that died in the middle of an intake. */
static void
sweeps_what_a_kill_left(void **state)
{
	struct fixture *f = *state;
	static char text[1200000];
	struct cw_intake_result res;
	struct cw_intake *in, *live;
	size_t len = make_csv(text, 0, 10000);
	uint64_t busy;
	int err, steps = 0;

	in = cw_intake_new(&f->cfg, &err);
	assert_int_equal(cw_intake_feed(in, (const uint8_t *)text, len), 0);
	live = cw_intake_new(&f->cfg, &err);
	busy = cw_intake_order(live);
	assert_int_equal(order_cnt(f->s, ~0u), 2);
	cw_store_mem_crash(f->s);
	while ((err = cw_intake_sweep(f->s, &busy, 1, 3000)) == 1)
		steps++;
	assert_int_equal(err, 0);
	assert_int_equal(steps, 3);	/* one batch of 8192 was written */
	assert_int_equal(order_cnt(f->s, ~0u), 1);
	cw_intake_free(in);
	len = make_csv(text, 0, 50);
	assert_int_equal(cw_intake_feed(live, (const uint8_t *)text, len), 0);
	assert_int_equal(cw_intake_end(live, &res), 0);
	assert_int_equal(cw_intake_order(live), 0);
	cw_intake_free(live);
	assert_int_equal(order_cnt(f->s, 0), 1);
}

static bool
any_live(void *ctx, uint64_t order)
{
	return ctx == NULL && order > 0;
}

/* Duplicates across batches, in the real database. */
static void
works_on_the_real_store(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/cw-intake-XXXXXX", path[64], err_text[256];
	static char text[2000000];
	const struct cw_order_faults *faults;
	struct cw_intake_config cfg = f->cfg;
	struct cw_intake_result res;
	struct cw_intake *in;
	struct cw_st_counts c;
	size_t len = make_csv(text, 0, 20000);
	int err;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/db", dir);
	cfg.store = cw_store_sqlite_open(path, err_text, sizeof err_text);
	assert_non_null(cfg.store);
	len += (size_t)sprintf(text + len, "898821100000000003,001019999999999,%s\n", KI);
	in = cw_intake_new(&cfg, &err);
	assert_non_null(in);
	assert_int_equal(cw_intake_feed(in, (const uint8_t *)text, len), 0);
	assert_int_equal(cw_intake_end(in, &res), CW_EFORMAT);
	faults = cw_intake_faults(in);
	assert_int_equal(faults->total, 1);
	assert_int_equal(faults->list[0].line, 20002);
	assert_non_null(strstr(faults->list[0].text, "record 4 (line 5)"));

	/* The mended file at once: while the refused one is still being
	 * answered its numbers are taken, afterwards its remains make way. */
	len = make_csv(text, 0, 20000);
	cfg.live = any_live;
	assert_int_equal(take_in(&cfg, text, len, &res), CW_EFORMAT);
	cw_intake_free(in);
	cfg.live = NULL;
	assert_true(order_cnt(cfg.store, CW_ST_BIT(CW_ORD_INTAKE)) > 0);
	assert_int_equal(take_in(&cfg, text, len, &res), 0);
	assert_int_equal(cfg.store->ops->sums(cfg.store->h, res.order, &c), 0);
	assert_int_equal(c.rec[CW_REC_WAITING], 20000);
	cw_store_close(cfg.store);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(takes_an_order),
		T(is_idempotent_by_ext),
		T(names_both_ends_of_duplicates),
		T(takes_orders_without_data),
		T(survives_every_failing_call),
		T(sweeps_what_a_kill_left),
		T(works_on_the_real_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
