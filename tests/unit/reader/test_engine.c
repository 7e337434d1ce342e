/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/* Programs: queue, chain, steps, outcomes, results. */
#define SECOND 1000000u

static uint8_t prog[CW_PROG_MAX];

static const uint8_t hello[] = "hello card";

/* A good program with a write and a read-back. */
static size_t
make_good(uint8_t flags)
{
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	fake_put_update(&b, flags, hello, sizeof hello);
	fake_put_read(&b, flags, sizeof hello);
	cw_prog_compare(&b, 0, 0, hello, NULL, sizeof hello);
	return (size_t)cw_prog_end(&b);
}

/* One APDU (UPDATE) behind a reset. */
static size_t
make_one(uint8_t flags)
{
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	fake_put_update(&b, flags, hello, sizeof hello);
	return (size_t)cw_prog_end(&b);
}

static void
test_good(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_result m;
	struct cw_frame fr;

	(void)state;
	fake_link(f);
	fake_run_prog(f, 5, 0, prog, make_good(CW_STEP_PERSONAL));
	assert_true(fake_next(f, CW_RL_RUN_OK, &fr));
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.attempt, 5);
	assert_int_equal(m.sw, 0x9000);
	assert_int_equal(m.step, 4);
	assert_int_equal(m.step_cnt, 5);
	assert_int_equal(m.steps[2].sw, 0x9000);
	assert_int_equal(m.steps[3].rsp_len, sizeof hello);
	assert_int_equal(m.flags, CW_RES_TOUCHED);
	assert_int_equal(m.boot_id, f->cfg.boot_id);
	assert_int_equal(m.card_session, 1);
	assert_int_equal(m.ta1, 0x96);
	assert_int_equal(m.atr_len, 3);
	assert_memory_equal(m.atr, f->card.atr, 3);

	/* ATR 3, PPS 4 + 4, UPDATE 5 + 1 + n + 2, READ 5 + 1 + n + 2. */
	assert_int_equal(m.line_etu, 12 * (3 + 8 + 2 * (8 + sizeof hello)));
	assert_false(f->card.powered);
	assert_memory_equal(f->card.got, hello, sizeof hello);
	fake_end(f);
}

struct outcome_case {
	const char *name;
	uint8_t flags;
	uint16_t sw;		/* 0: the card hangs */
	uint16_t outcome;
	uint8_t res_flags;
};

static void
test_outcomes(void **state)
{
	static const struct outcome_case cases[] = {
		{ "plain", 0, 0x6a82, CW_OUT_SW, 0 },
		{ "personal", CW_STEP_PERSONAL, 0x6a82, CW_OUT_SW,
		    CW_RES_TOUCHED },
		{ "cos", CW_STEP_NEEDS_COS, 0x6d00, CW_OUT_NO_COS, 0 },
		{ "boot", CW_STEP_BOOT, 0x6f00, CW_OUT_NO_BOOT, 0 },
		{ "any", CW_STEP_ANY_SW, 0x6a82, CW_OUT_GOOD, 0 },
		{ "hang", CW_STEP_PERSONAL, 0, CW_OUT_TIMEOUT,
		    CW_RES_TOUCHED },
		{ "hang cos", CW_STEP_NEEDS_COS, 0, CW_OUT_NO_COS, 0 },
		{ "hang boot", CW_STEP_BOOT, 0, CW_OUT_TIMEOUT, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake *f = fake_new();
		struct cw_rl_result m;

		fake_link(f);
		f->card.sw_at = cases[i].sw != 0 ? 0 : -1;
		f->card.sw = cases[i].sw;
		f->card.hang_at = cases[i].sw != 0 ? -1 : 0;
		fake_run_prog(f, 1, 0, prog, make_one(cases[i].flags));
		fake_run(f, 10 * SECOND);
		fake_result(f, &m);
		if (m.outcome != cases[i].outcome ||
		    m.flags != cases[i].res_flags)
			fail_msg("%s: outcome %u flags %u", cases[i].name,
			    m.outcome, m.flags);
		assert_int_equal(m.sw, cases[i].sw);
		assert_int_equal(m.step, 1);
		fake_end(f);
	}
}

static void
test_patterns(void **state)
{
	static const struct cw_prog_sw sw[] = {
		{ 0x9000, 0xffff }, { 0x6300, 0xff00 },
	};
	static const struct { uint16_t sw, outcome; } cases[] = {
		{ 0x9000, CW_OUT_GOOD }, { 0x63c2, CW_OUT_GOOD },
		{ 0x6283, CW_OUT_SW }, { 0x9001, CW_OUT_SW },
	};
	struct cw_prog_builder b;
	uint8_t apdu[] = { 0, 0xa4, 0, 0 };
	size_t i;
	int len;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake *f = fake_new();
		struct cw_rl_result m;

		fake_link(f);
		f->card.sw_at = 0;
		f->card.sw = cases[i].sw;
		cw_prog_start(&b, prog, sizeof prog);
		cw_prog_reset(&b, false, NULL, NULL, 0);
		cw_prog_apdu(&b, 0, sw, 2, apdu, sizeof apdu);
		len = cw_prog_end(&b);
		fake_run_prog(f, 1, 0, prog, (size_t)len);
		fake_run(f, SECOND);
		fake_result(f, &m);
		assert_int_equal(m.outcome, cases[i].outcome);
		fake_end(f);
	}
}

static void
test_compare_capture(void **state)
{
	static const uint8_t wrong[] = { 'h', 'E' }, mask[] = { 0xff, 0xdf };
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	fake_put_update(&b, 0, hello, sizeof hello);
	fake_put_read(&b, 0, 6);
	cw_prog_compare(&b, 0, 0, wrong, mask, 2);
	cw_prog_capture(&b, 3, 1, 4);
	cw_prog_capture(&b, 4, 5, 0);
	fake_put_read(&b, CW_STEP_SECRET, 6);
	cw_prog_capture(&b, 5, 0, 0);
	cw_prog_compare(&b, 0, 0, wrong, NULL, 2);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_COMPARE);
	assert_int_equal(m.step, 8);

	/* The secret one is not told. */
	assert_int_equal(m.capture_cnt, 2);
	assert_int_equal(m.capture[0].id, 3);
	assert_int_equal(m.capture[0].len, 4);
	assert_memory_equal(m.capture[0].buf, "ello", 4);
	assert_int_equal(m.capture[1].id, 4);
	assert_int_equal(m.capture[1].len, 1);
	assert_memory_equal(m.capture[1].buf, " ", 1);
	fake_end(f);
}

static void
test_short_response(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	fake_put_read(&b, 0, 4);
	cw_prog_compare(&b, 0, 1, hello, NULL, 4);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_COMPARE);
	assert_int_equal(m.step, 2);
	fake_end(f);
}

static void
test_chain(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_result m;
	size_t len;

	(void)state;
	fake_link(f);

	/* Two queued ahead; both run. */
	len = make_one(0);
	fake_run_prog(f, 1, CW_RUN_KEEP_POWER, prog, len);
	fake_run_prog(f, 2, CW_RUN_CHAIN, prog, len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.flags, CW_RES_ACTIVE);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 2);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.flags, 0);

	/* The first fails: what is chained is not begun, what is not, is. */
	f->card.sw_at = f->card.apdu_cnt;
	f->card.sw = 0x6581;
	fake_run_prog(f, 3, 0, prog, len);
	fake_run_prog(f, 4, CW_RUN_CHAIN, prog, len);
	fake_run_prog(f, 5, CW_RUN_CHAIN, prog, len);
	fake_run_prog(f, 6, 0, prog, len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_SW);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 4);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 5);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 6);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(f->card.apdu_cnt, 4);
	fake_end(f);
}

/* A CHAIN that comes when the one before it has ended already. */
static void
test_chain_late(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_result m;
	size_t len;

	(void)state;
	fake_link(f);
	len = make_one(0);
	fake_run_prog(f, 1, CW_RUN_CHAIN, prog, len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);

	fake_run_prog(f, 2, 0, prog, len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	fake_run_prog(f, 3, CW_RUN_CHAIN, prog, len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 3);
	assert_int_equal(m.outcome, CW_OUT_GOOD);

	/* Another card: nothing that ran before is before it. */
	fake_insert(f, false);
	fake_insert(f, true);
	fake_run_prog(f, 4, CW_RUN_CHAIN, prog, len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	fake_end(f);
}

static void
test_refusals(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_run run = { .attempt = 10, .prog = prog };
	struct cw_rl_result m;
	struct cw_frame fr;
	int i;

	(void)state;
	fake_link(f);
	run.prog_len = (uint16_t)make_one(0);

	/* Another card than the terminal thinks. */
	run.card_session = 2;
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	assert_int_equal(fake_error(f), CW_EREMOVED);
	run.card_session = 1;
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	assert_true(fake_next(f, CW_RL_RUN_OK, &fr));

	/* A replay, and an older one. */
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	assert_int_equal(fake_error(f), CW_ESTATE);
	run.attempt = 9;
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	assert_int_equal(fake_error(f), CW_ESTATE);

	/* A slot that is not there. */
	run.slot = 1;
	run.attempt = 11;
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	assert_int_equal(fake_error(f), CW_ENOENT);
	run.slot = 0;

	/* A program that is none. */
	prog[4] = 0x77;
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	assert_int_equal(fake_error(f), CW_EFORMAT);
	(void)make_one(0);

	/* The queue holds four. */
	for (i = 0; i < 3; i++, run.attempt++) {
		fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
		assert_true(fake_next(f, CW_RL_RUN_OK, &fr));
	}
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	assert_int_equal(fake_error(f), CW_EFULL);

	/* No card. */
	fake_insert(f, false);
	fake_frame(f, cw_rl_put_run(FAKE_OUT, 1, &run));
	f->sent_off = 0;
	assert_true(fake_next(f, CW_RL_RESULT, &fr));
	assert_int_equal(cw_rl_get_result(&m, fr.body, fr.body_len), 0);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	fake_end(f);
}

/* Results wait for their acknowledgement, over links, and hold back RUNs. */
static void
test_results_kept(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_result m;
	struct cw_frame fr;
	uint64_t a;
	size_t len;

	(void)state;
	fake_link(f);
	len = make_one(0);
	for (a = 1; a <= CW_READER_KEPT_MAX; a++) {
		fake_run_prog(f, a, 0, prog, len);
		fake_run(f, SECOND);
		fake_result(f, &m);
		assert_int_equal(m.attempt, a);
	}
	fake_run_prog(f, a, 0, prog, len);
	assert_int_equal(fake_error(f), CW_EFULL);

	fake_slot_attempt(f, CW_RL_RESULT_ACK, 1);
	fake_slot_attempt(f, CW_RL_RESULT_ACK, 3);
	fake_drop_link(f);
	fake_link(f);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 2);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 4);

	/* QUERY: known, running, unknown. */
	fake_slot_attempt(f, CW_RL_QUERY, 5);
	while (f->sent_off < f->sent_len)
		fake_result(f, &m);
	assert_int_equal(m.attempt, 5);
	fake_run_prog(f, a, 0, prog, len);
	assert_true(fake_next(f, CW_RL_RUN_OK, &fr));
	fake_slot_attempt(f, CW_RL_QUERY, a);
	assert_false(fake_next(f, CW_RL_UNKNOWN, &fr));
	fake_slot_attempt(f, CW_RL_QUERY, 1);
	assert_true(fake_next(f, CW_RL_UNKNOWN, &fr));
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.attempt, a);
	fake_end(f);
}

/* ASK: captures go up, steps come down, the rest of the program follows. */
static void
test_ask(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_continue c = { .attempt = 1 };
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_rl_ask ask;
	struct cw_frame fr;
	uint8_t more[100];
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	fake_put_update(&b, 0, hello, 5);
	fake_put_read(&b, CW_STEP_SECRET, 5);
	cw_prog_capture(&b, 1, 0, 0);
	cw_prog_simple(&b, CW_OP_ASK);
	fake_put_update(&b, 0, (const uint8_t *)"tail", 4);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	assert_true(fake_next(f, CW_RL_ASK, &fr));
	assert_int_equal(cw_rl_get_ask(&ask, fr.body, fr.body_len), 0);
	assert_int_equal(ask.capture_cnt, 1);
	assert_memory_equal(ask.capture[0].buf, "hello", 5);

	/* A new link hears the question again. */
	fake_drop_link(f);
	fake_link(f);
	assert_true(fake_next(f, CW_RL_ASK, &fr));

	cw_prog_start(&b, more, sizeof more);
	fake_put_update(&b, 0, (const uint8_t *)"more", 4);
	cw_prog_simple(&b, CW_OP_ASK);
	c.prog = more;
	c.prog_len = (uint16_t)cw_prog_end(&b);
	fake_frame(f, cw_rl_put_continue(FAKE_OUT, 9, &c));
	fake_run(f, SECOND);
	assert_true(fake_next(f, CW_RL_ASK, &fr));
	assert_int_equal(f->core.slot[0].state, CW_SLOT_ASK);

	/* Nonsense leaves it asking; the second answer ends it. */
	more[0] = 'Q';
	fake_frame(f, cw_rl_put_continue(FAKE_OUT, 9, &c));
	assert_int_equal(fake_error(f), CW_EFORMAT);
	cw_prog_start(&b, more, sizeof more);
	fake_put_update(&b, 0, (const uint8_t *)"MORE", 4);
	c.prog_len = (uint16_t)cw_prog_end(&b);
	fake_frame(f, cw_rl_put_continue(FAKE_OUT, 9, &c));
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.step, 8);
	assert_int_equal(m.step_cnt, 9);
	assert_int_equal(m.steps[8].idx, 8);
	assert_int_equal(m.capture_cnt, 0);
	assert_int_equal(f->card.got_len, 17);
	assert_memory_equal(f->card.got, "hellomoreMOREtail", 17);
	fake_end(f);
}

static void
test_ask_lost(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_frame fr;
	int len;

	(void)state;
	fake_link(f);
	f->core.cfg.link_dead_ms = 100000;
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_simple(&b, CW_OP_ASK);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, 29 * SECOND);
	assert_false(fake_next(f, CW_RL_RESULT, &fr));
	fake_run(f, 2 * SECOND);
	f->sent_off = 0;
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_ASK_LOST);
	assert_int_equal(m.step, 1);
	fake_end(f);
}

static void
test_delay_power_off(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_frame fr;
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_delay(&b, 0);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	cw_prog_delay(&b, 3 * SECOND);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	cw_prog_reset(&b, true, NULL, NULL, 0);
	cw_prog_reset(&b, true, NULL, NULL, 0);
	fake_put_update(&b, 0, hello, 5);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	fake_put_update(&b, 0, hello, 5);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, 2 * SECOND);
	assert_int_equal(f->core.slot[0].state, CW_SLOT_DELAY);
	assert_false(fake_next(f, CW_RL_RESULT, &fr));
	fake_run(f, 2 * SECOND);
	f->sent_off = 0;
	fake_result(f, &m);

	/* An APDU without power is the program's fault. */
	assert_int_equal(m.outcome, CW_OUT_PROGRAM);
	assert_int_equal(m.step, 9);
	assert_true(m.steps[3].us >= 3 * SECOND);
	assert_true(m.us >= 3 * SECOND);
	assert_int_equal(f->card.warm_cnt, 1);
	assert_int_equal(f->card.cold_cnt, 3);
	fake_end(f);
}

static void
test_abort(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_frame fr;
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_delay(&b, 50 * SECOND);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run_prog(f, 2, 0, prog, (size_t)len);
	fake_run_prog(f, 3, CW_RUN_CHAIN, prog, (size_t)len);
	fake_run_prog(f, 4, 0, prog, (size_t)len);
	fake_run(f, SECOND);

	/* A queued one; what is chained to it falls with it in its turn. */
	fake_slot_attempt(f, CW_RL_ABORT, 2);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 2);
	assert_int_equal(m.outcome, CW_OUT_ABORTED);
	fake_slot_attempt(f, CW_RL_ABORT, 1);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 1);
	assert_int_equal(m.outcome, CW_OUT_ABORTED);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 3);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);

	/* All; and one that nobody knows. */
	fake_slot_attempt(f, CW_RL_ABORT, 0);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 4);
	assert_int_equal(m.outcome, CW_OUT_ABORTED);
	assert_int_equal(f->core.slot[0].state, CW_SLOT_READY);
	assert_false(f->card.powered);
	fake_slot_attempt(f, CW_RL_ABORT, 77);
	assert_true(fake_next(f, CW_RL_UNKNOWN, &fr));
	fake_end(f);
}

static void
test_removed(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_rl_slot slot;
	struct cw_frame fr;
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	fake_put_update(&b, CW_STEP_PERSONAL, hello, 5);
	cw_prog_delay(&b, 50 * SECOND);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run_prog(f, 2, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_insert(f, false);
	fake_run(f, SECOND);
	f->sent_off = 0;
	fake_result(f, &m);
	assert_int_equal(m.attempt, 2);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	assert_int_equal(m.flags & CW_RES_TOUCHED, 0);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 1);
	assert_int_equal(m.outcome, CW_OUT_REMOVED);
	assert_int_equal(m.flags, CW_RES_TOUCHED);
	assert_int_equal(f->core.slot[0].state, CW_SLOT_EMPTY);

	fake_insert(f, true);
	while (fake_next(f, CW_RL_SLOT, &fr))
		assert_int_equal(cw_rl_get_slot(&slot, fr.body, fr.body_len), 0);
	assert_int_equal(slot.present, 1);
	assert_int_equal(slot.card_session, 2);
	assert_int_equal(slot.last_attempt, 2);

	/* A missed removal: both results are of the card that they named. */
	fake_run_prog(f, 3, 0, prog, (size_t)len);
	fake_run_prog(f, 4, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_insert(f, true);
	fake_run(f, SECOND);
	f->sent_off = 0;
	for (int i = 0; i < 4; i++)
		fake_result(f, &m);
	assert_int_equal(m.attempt, 3);
	assert_int_equal(m.card_session, 2);
	f->sent_off = 0;
	for (int i = 0; i < 3; i++)
		fake_result(f, &m);
	assert_int_equal(m.attempt, 4);
	assert_int_equal(m.card_session, 2);
	fake_end(f);
}

/* LOAD: every block with address and check, from the store. */
static void
test_load(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_load l = {
		.cla = 0xb0, .ins = 0xd0, .addr = CW_LOAD_DATA_32,
		.check = CW_LOAD_CHECK_CRC16, .block_len = 240,
		.base = 0x08000000, .off = 100, .len = 1000,
	};
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_frame fr;
	int len;

	(void)state;
	fake_link(f);
	fake_store(f, 5000, l.digest);
	assert_true(fake_next(f, CW_RL_STORE_OK, &fr));
	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	cw_prog_load(&b, CW_STEP_BOOT, &l, NULL, 0);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.steps[2].blocks, 5);
	assert_int_equal(f->card.apdu_cnt, 5);
	assert_int_equal(f->card.got_len, 1000 + 5 * 6);
	assert_memory_equal(f->card.got, "\x08\0\0\0", 4);
	assert_memory_equal(f->card.got + 4, f->store + 100, 240);
	assert_memory_equal(f->card.got + 246, "\x08\0\0\xf0", 4);

	/* Another image than the store holds, and a range beyond its end. */
	l.digest[0] ^= 1;
	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	cw_prog_load(&b, CW_STEP_BOOT, &l, NULL, 0);
	len = cw_prog_end(&b);
	fake_run_prog(f, 2, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_STORE);
	l.digest[0] ^= 1;
	l.len = 4901;
	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	cw_prog_load(&b, CW_STEP_BOOT, &l, NULL, 0);
	len = cw_prog_end(&b);
	fake_run_prog(f, 3, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_STORE);

	/* The third block is refused. */
	l.len = 1000;
	f->card.sw_at = f->card.apdu_cnt + 2;
	f->card.sw = 0x6981;
	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	cw_prog_load(&b, CW_STEP_BOOT, &l, NULL, 0);
	len = cw_prog_end(&b);
	fake_run_prog(f, 4, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_NO_BOOT);
	assert_int_equal(m.sw, 0x6981);
	assert_int_equal(m.steps[2].blocks, 2);
	fake_end(f);
}

/* Only the last 128 steps are told. */
static void
test_many_steps(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	int i, len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	for (i = 0; i < 300; i++)
		fake_put_read(&b, 0, 1);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.step_cnt, CW_RLINK_STEPS_MAX);
	assert_int_equal(m.steps[0].idx, 301 - CW_RLINK_STEPS_MAX);
	assert_int_equal(m.step, 300);
	fake_end(f);
}

static void
test_overcurrent(void **state)
{
	struct fake *f = fake_new();
	struct cw_event ev = { .kind = CW_EV_OVERCURRENT };
	struct cw_prog_builder b;
	struct cw_rl_result m;
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_delay(&b, 50 * SECOND);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_event(f, &ev);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_OVERCURRENT);
	fake_end(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_compare_capture),
		cmocka_unit_test(test_short_response),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_chain_late),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_results_kept),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_lost),
		cmocka_unit_test(test_delay_power_off),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_many_steps),
		cmocka_unit_test(test_overcurrent),
	};

	return cmocka_run_group_tests_name("reader/engine", tests, NULL, NULL);
}
