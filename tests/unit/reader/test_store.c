/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/* The image store: valid from STORE_OK to the next STORE_BEGIN, never between. */
#define SECOND 1000000u

static uint8_t image[3000];

static void
begin(struct fake *f, uint32_t len, const uint8_t digest[32])
{
	struct cw_rl_store_begin m = { .len = len };

	memcpy(m.digest, digest, 32);
	fake_frame(f, cw_rl_put_store_begin(FAKE_OUT, ++f->id, &m));
}

static void
data(struct fake *f, uint32_t off, uint16_t len)
{
	struct cw_rl_store_data m = { off, image, len };

	fake_frame(f, cw_rl_put_store_data(FAKE_OUT, ++f->id, &m));
}

static void
end(struct fake *f)
{
	fake_frame(f, cw_rl_put_empty(FAKE_OUT, ++f->id, CW_RL_STORE_END));
}

/* What a new HELLO tells. */
static void
told(struct fake *f, struct cw_rl_hello_ok *m)
{
	struct cw_frame fr;

	fake_drop_link(f);
	f->sent_conn = fake_connect(f);
	f->sent_len = f->sent_off = 0;
	fake_hello(f, f->sent_conn, "line-1", 7);
	assert_true(fake_next(f, CW_RL_HELLO_OK, &fr));
	assert_int_equal(cw_rl_get_hello_ok(m, fr.body, fr.body_len), 0);
}

static void
test_good(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_store_ok ok;
	struct cw_rl_hello_ok h;
	struct cw_frame fr;
	uint8_t digest[32], zero[32] = { 0 };

	(void)state;
	fake_link(f);
	fake_store(f, 65536, digest);
	assert_true(fake_next(f, CW_RL_STORE_OK, &fr));
	assert_int_equal(cw_rl_get_store_ok(&ok, fr.body, fr.body_len), 0);
	assert_int_equal(ok.gen, 1);
	assert_int_equal(ok.len, 65536);
	assert_memory_equal(ok.digest, digest, 32);
	assert_int_equal(f->store[300], (uint8_t)(300 * 7 + 1));
	told(f, &h);
	assert_int_equal(h.store_gen, 1);
	assert_memory_equal(h.store_digest, digest, 32);

	/* Void while the next one comes, and after it broke off. */
	begin(f, 2000, digest);
	data(f, 0, 1000);
	told(f, &h);
	assert_int_equal(h.store_gen, 0);
	assert_int_equal(h.store_len, 0);
	assert_memory_equal(h.store_digest, zero, 32);

	/* The generation counts on. */
	fake_store(f, 10, digest);
	assert_true(fake_next(f, CW_RL_STORE_OK, &fr));
	assert_int_equal(cw_rl_get_store_ok(&ok, fr.body, fr.body_len), 0);
	assert_int_equal(ok.gen, 2);
	assert_int_equal(ok.len, 10);
	fake_end(f);
}

static void
test_faults(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_hello_ok h;
	struct cw_frame fr;
	uint8_t digest[32];

	(void)state;
	fake_link(f);
	cw_sha256(digest, image, 2000);

	/* END without BEGIN, and after a good one. */
	end(f);
	assert_int_equal(fake_error(f), CW_ESTATE);

	/* Short, too long, out of order, other content. */
	begin(f, 2000, digest);
	data(f, 0, 1999);
	end(f);
	assert_int_equal(fake_error(f), CW_ESHORT);
	begin(f, 2000, digest);
	data(f, 0, 2001);
	end(f);
	assert_int_equal(fake_error(f), CW_ETOOBIG);
	begin(f, 2000, digest);
	data(f, 0, 1000);
	data(f, 1001, 999);
	data(f, 1000, 1000);
	end(f);
	assert_int_equal(fake_error(f), CW_EPROTO);
	image[7] = 1;
	begin(f, 2000, digest);
	data(f, 0, 1000);
	image[7] = 0;
	data(f, 1000, 1000);
	end(f);
	assert_int_equal(fake_error(f), CW_EDIGEST);
	told(f, &h);
	assert_int_equal(h.store_gen, 0);

	/* The memory fails. */
	f->fail_op = OP_STORE_WRITE;
	f->fail_at = f->op_cnt[OP_STORE_WRITE] + 1;
	begin(f, 2000, digest);
	data(f, 0, 1000);
	data(f, 1000, 1000);
	end(f);
	assert_int_equal(fake_error(f), CW_EIO);

	/* And after all that a good one. */
	begin(f, 2000, digest);
	data(f, 0, 1000);
	data(f, 1000, 1000);
	end(f);
	assert_true(fake_next(f, CW_RL_STORE_OK, &fr));
	fake_end(f);
}

/* Larger than the store: refused at once, and what is there stays. */
static void
test_too_big(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_hello_ok h;
	struct cw_frame fr;
	uint8_t digest[32], other[32] = { 9 };

	(void)state;
	fake_link(f);
	fake_store(f, 100, digest);
	assert_true(fake_next(f, CW_RL_STORE_OK, &fr));
	begin(f, 65537, other);
	assert_int_equal(fake_error(f), CW_ETOOBIG);
	data(f, 0, 1000);
	end(f);
	assert_int_equal(fake_error(f), CW_ETOOBIG);
	told(f, &h);
	assert_int_equal(h.store_gen, 1);
	assert_memory_equal(h.store_digest, digest, 32);
	fake_end(f);
}

/* No new image while a LOAD runs or waits. */
static void
test_busy(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_load l = {
		.cla = 0xb0, .ins = 0xd0, .block_len = 100, .len = 100,
		.unit = 1,
	};
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_frame fr;
	uint8_t prog[300];
	int len;

	(void)state;
	fake_link(f);
	fake_store(f, 100, l.digest);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_delay(&b, 2 * SECOND);
	cw_prog_load(&b, 0, &l, NULL, 0);
	len = cw_prog_end(&b);
	assert_true(len > 0);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	begin(f, 2000, l.digest);
	assert_int_equal(fake_error(f), CW_EBUSY);
	end(f);
	assert_int_equal(fake_error(f), CW_EBUSY);
	fake_run(f, 3 * SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	fake_store(f, 50, l.digest);
	assert_true(fake_next(f, CW_RL_STORE_OK, &fr));
	fake_end(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_busy),
	};

	return cmocka_run_group_tests_name("reader/store", tests, NULL, NULL);
}
