/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/*
 * Fail the n-th call of every op, for every n, once and for ever, until a run
 * in which nothing fails; and lose the n-th event of the card.  Each run must
 * end with a result for every program, or with a closed link, the guarantees
 * must hold after every event (fake_event checks them), and no byte of the
 * record may be left.
 */
#define SECOND 1000000u
#define MARK_LEN 40

static uint8_t mark[MARK_LEN];

static void
mark_make(void)
{
	uint32_t x = 99, i;

	for (i = 0; i < MARK_LEN; i++) {
		x = x * 1664525 + 1013904223;
		mark[i] = (uint8_t)(x >> 24);
	}
}

static const char *const op_name[] = {
	[OP_POWER] = "power", [OP_RESET] = "reset", [OP_SET_LINE] = "set_line",
	[OP_BEST_LINE] = "best_line", [OP_SEND] = "send", [OP_RECV] = "recv",
	[OP_PRESENT] = "present", [OP_NET_SEND] = "net.send",
	[OP_STORE_WRITE] = "store.write", [OP_STORE_LEND] = "store.lend",
	[OP_EVENT] = "event",
};

/* Pre-personalization from the store, a record behind it, a third alone. */
static void
factory(struct fake *f)
{
	static uint8_t prog[2000];
	struct cw_prog_load l = {
		.cla = 0xb0, .ins = 0xd0, .addr = CW_LOAD_DATA_32,
		.block_len = 200, .len = 900,
	};
	struct cw_prog_builder b;
	int len;

	fake_store(f, 1500, l.digest);
	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	cw_prog_load(&b, CW_STEP_BOOT, &l, NULL, 0);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);

	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	fake_put_update(&b, CW_STEP_PERSONAL | CW_STEP_NEEDS_COS, mark,
	    MARK_LEN);
	fake_put_read(&b, CW_STEP_SECRET, MARK_LEN);
	cw_prog_compare(&b, CW_STEP_SECRET, 0, mark, NULL, MARK_LEN);
	cw_prog_delay(&b, 1000);
	len = cw_prog_end(&b);
	fake_run_prog(f, 2, CW_RUN_CHAIN | CW_RUN_PERSONAL, prog, (size_t)len);
	fake_run_prog(f, 3, CW_RUN_PERSONAL | CW_RUN_KEEP_POWER, prog,
	    (size_t)len);
	cw_wipe(prog, sizeof prog);
}

/* What the board could not do is not told of the card. */
static void
blame(enum fake_op op, uint16_t outcome)
{
	if (op < OP_POWER || op > OP_RECV)
		return;
	assert_int_not_equal(outcome, CW_OUT_MUTE);
	assert_int_not_equal(outcome, CW_OUT_TIMEOUT);
	assert_int_not_equal(outcome, CW_OUT_NO_COS);
	assert_int_not_equal(outcome, CW_OUT_PPS_FAIL);
}

/* Every RUN that was accepted has one result; returns how many were GOOD. */
static unsigned int
count_results(struct fake *f)
{
	unsigned int accepted = 0, results = 0, good = 0;
	struct cw_rl_result m;
	struct cw_rl_run_ok ok;
	struct cw_frame fr;

	f->sent_off = 0;
	while (fake_next(f, CW_RL_RUN_OK, &fr)) {
		assert_int_equal(cw_rl_get_run_ok(&ok, fr.body, fr.body_len), 0);
		accepted |= 1u << ok.attempt;
	}
	f->sent_off = 0;
	while (fake_next(f, CW_RL_RESULT, &fr)) {
		assert_int_equal(cw_rl_get_result(&m, fr.body, fr.body_len), 0);
		assert_int_equal(results & 1u << m.attempt, 0);
		results |= 1u << m.attempt;
		if (m.outcome == CW_OUT_GOOD)
			good++;
		blame(f->fail_op, m.outcome);
	}
	assert_int_equal(results, accepted);
	return good;
}

/* False when the fault was not reached: the sweep of this op is over. */
static bool
one(enum fake_op op, unsigned int at, bool ever, bool inverse)
{
	struct fake *f = fake_new();
	unsigned int good;
	bool fired;

	f->card.inverse = inverse;
	if (inverse)
		f->card.atr[0] = 0x3f;
	memset(f->op_cnt, 0, sizeof f->op_cnt);
	f->fail_op = op;
	f->fail_at = at;
	f->fail_ever = ever;
	if (op == OP_PRESENT)
		assert_int_equal(cw_reader_init(&f->core, &f->cfg, f->now_us), 0);
	f->sent_conn = fake_connect(f);
	fake_hello(f, f->sent_conn, "line-1", 7);
	factory(f);

	/* Longer than every guard and waiting time together, pinging. */
	for (int i = 0; i < 30; i++) {
		fake_run(f, 10 * SECOND);
		fake_frame(f, cw_rl_put_empty(FAKE_OUT, 1, CW_RL_PING));
	}
	fired = f->fired;
	if (f->closed[f->sent_conn]) {
		assert_true(fired);
		assert_false(f->core.linked);
	} else {
		good = count_results(f);
		assert_true(fired || good == 3);
	}
	if (fake_holds(f, mark, MARK_LEN))
		fail_msg("record left behind: %s %u %s", op_name[op], at,
		    ever ? "ever" : "once");
	fake_end(f);
	return fired;
}

static void
sweep(enum fake_op op, bool inverse)
{
	unsigned int at, n = 0;
	int ever;

	for (ever = 0; ever < 2; ever++) {
		for (at = 0; one(op, at, ever, inverse); at++)
			n++;
		assert_true(at < 500);
	}
	print_message("%s: %u runs with a fault\n", op_name[op], n);
}

static void
test_ops(void **state)
{
	enum fake_op op;

	(void)state;
	for (op = OP_POWER; op < OP_CNT; op++)
		sweep(op, false);
}

static void
test_inverse(void **state)
{
	(void)state;
	sweep(OP_SEND, true);
	sweep(OP_EVENT, true);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ops),
		cmocka_unit_test(test_inverse),
	};

	mark_make();
	return cmocka_run_group_tests_name("reader/sweep", tests, NULL, NULL);
}
