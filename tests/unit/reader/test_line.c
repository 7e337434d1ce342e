/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/* Activation, speed, convention: ISO/IEC 7816-3:2006, clauses 6, 8 and 9. */
#define SECOND 1000000u

static uint8_t prog[1000];
static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

/* RESET, PPS (capped by ta1_max), write, read back. */
static size_t
make(uint8_t ta1_max)
{
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_pps(&b, ta1_max);
	fake_put_update(&b, 0, data, sizeof data);
	fake_put_read(&b, 0, sizeof data);
	cw_prog_compare(&b, 0, 0, data, NULL, sizeof data);
	return (size_t)cw_prog_end(&b);
}

static void
run(struct fake *f, uint8_t ta1_max, struct cw_rl_result *m)
{
	fake_link(f);
	fake_run_prog(f, 1, 0, prog, make(ta1_max));
	fake_run(f, 10 * SECOND);
	fake_result(f, m);
}

/* Mute cards get a second cold and then a warm reset. */
static void
test_mute(void **state)
{
	static const struct {
		unsigned int mute, cold, warm;
		uint16_t outcome;
	} cases[] = {
		{ 0, 1, 0, CW_OUT_GOOD }, { 1, 2, 0, CW_OUT_GOOD },
		{ 2, 3, 1, CW_OUT_GOOD }, { 3, 3, 1, CW_OUT_MUTE },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake *f = fake_new();
		struct cw_rl_result m;

		f->card.mute_cnt = cases[i].mute;
		run(f, 0, &m);
		assert_int_equal(m.outcome, cases[i].outcome);
		assert_int_equal(f->card.cold_cnt, cases[i].cold);
		assert_int_equal(f->card.warm_cnt, cases[i].warm);
		assert_false(f->card.powered);
		fake_end(f);
	}
}

struct atr_case {
	const char *name;
	uint8_t atr[12];
	size_t len;
	uint16_t outcome;
	uint8_t ta1;
	uint16_t guard_etu;
	uint16_t turn_etu;	/* 0: 12 */
};

static void
test_atr(void **state)
{
	static const struct atr_case cases[] = {
		{ "no interface bytes", { 0x3b, 0x02, 'a', 'b' }, 4,
		    CW_OUT_GOOD, 0x11, 12, 0 },
		{ "TA1 97", { 0x3b, 0x10, 0x97 }, 3, CW_OUT_GOOD, 0x97, 12, 16 },
		{ "TA1 and TC1 20", { 0x3b, 0x50, 0x95, 20 }, 4,
		    CW_OUT_GOOD, 0x95, 32, 0 },
		{ "TC1 255", { 0x3b, 0x40, 0xff }, 3, CW_OUT_GOOD, 0x11, 12, 0 },
		{ "RFU TA1", { 0x3b, 0x10, 0x7f }, 3, CW_OUT_GOOD, 0x11, 12, 0 },
		{ "TS wrong", { 0x3a, 0x00 }, 2, CW_OUT_ATR_BAD, 0x11, 12, 0 },
		{ "truncated", { 0x3b, 0x05, 'a' }, 3, CW_OUT_ATR_BAD, 0x11,
		    12, 0 },
		{ "TCK wrong", { 0x3b, 0x80, 0x01, 0x00 }, 4, CW_OUT_ATR_BAD,
		    0x11, 12, 0 },
		{ "T=14 only", { 0x3b, 0x80, 0x0e, 0x8e }, 4, CW_OUT_PROTO,
		    0x11, 12, 0 },
		{ "T=14, T=0: by PPS", { 0x3b, 0x80, 0x8e, 0x00, 0x0e }, 5,
		    CW_OUT_GOOD, 0x11, 12, 0 },
		{ "specific, T=14", { 0x3b, 0x80, 0x10, 0x0e, 0x9e }, 5,
		    CW_OUT_PROTO, 0x11, 12, 0 },
		{ "T=0 and T=1", { 0x3b, 0x90, 0x94, 0x80, 0x01, 0x85 }, 6,
		    CW_OUT_GOOD, 0x94, 12, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake *f = fake_new();
		struct cw_rl_result m;

		memcpy(f->card.atr, cases[i].atr, cases[i].len);
		f->card.atr_len = cases[i].len;
		run(f, 0, &m);
		if (m.outcome != cases[i].outcome || m.ta1 != cases[i].ta1 ||
		    f->line.guard_etu != cases[i].guard_etu ||
		    f->line.turn_etu != (cases[i].turn_etu != 0 ?
		    cases[i].turn_etu : 12))
			fail_msg("%s: outcome %u ta1 %02x guard %u",
			    cases[i].name, m.outcome, m.ta1, f->line.guard_etu);
		fake_end(f);
	}
}

/* A specific-mode card runs at TA1 at once, unless TA2 says otherwise (bit 5). */
static void
test_specific(void **state)
{
	static const uint8_t atr[] = { 0x3b, 0x90, 0x95, 0x10, 0x00 };
	struct fake *f = fake_new();
	struct cw_rl_result m;

	(void)state;
	memcpy(f->card.atr, atr, sizeof atr);
	f->card.atr_len = sizeof atr;
	f->card.ta1_start = 0x95;
	run(f, 0, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.ta1, 0x95);
	assert_int_equal(f->line.etu_clk, 32);
	fake_end(f);

	f = fake_new();
	memcpy(f->card.atr, atr, sizeof atr);
	f->card.atr[3] = 0x10;
	f->card.atr[4] = 0x10;
	f->card.atr[1] = 0x90;
	f->card.atr_len = sizeof atr;
	run(f, 0, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.ta1, 0x11);
	fake_end(f);
}

static void
test_inverse(void **state)
{
	static const uint8_t atr[] = { 0x3f, 0x10, 0x96 };
	struct fake *f = fake_new();
	struct cw_rl_result m;

	(void)state;
	memcpy(f->card.atr, atr, sizeof atr);
	f->card.inverse = true;
	run(f, 0, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.ta1, 0x96);
	assert_memory_equal(m.atr, atr, sizeof atr);
	assert_memory_equal(f->card.got, data, sizeof data);
	fake_end(f);
}

struct pps_case {
	const char *name;
	enum fake_pps pps;
	uint8_t cap, best;
	uint32_t clk_hz;
	uint8_t ta1;
	unsigned int cold;
};

static void
test_pps(void **state)
{
	static const struct pps_case cases[] = {
		{ "accepted", PPS_ECHO, 0, 0, 5000000, 0x96, 1 },
		{ "no PPS1", PPS_NO_PPS1, 0, 0, 5000000, 0x11, 1 },
		{ "garbled", PPS_GARBLED, 0, 0, 5000000, 0x11, 2 },
		{ "silent", PPS_SILENT, 0, 0, 5000000, 0x11, 2 },
		{ "capped", PPS_ECHO, 0x95, 0, 5000000, 0x95, 1 },
		{ "capped in another F", PPS_ECHO, 0x13, 0, 5000000, 0x93, 1 },
		{ "board does 94", PPS_ECHO, 0, 0x94, 5000000, 0x94, 1 },
		{ "a fraction of a clock", PPS_ECHO, 0, 0x99, 5000000, 0x99, 1 },
		{ "board does none", PPS_ECHO, 0, 0, 0, 0x11, 1 },
		{ "no faster than 372/1", PPS_ECHO, 0x11, 0, 4000000, 0x11, 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake *f = fake_new();
		struct cw_rl_result m;

		f->card.pps = cases[i].pps;
		f->clk_best_hz = cases[i].clk_hz;
		f->ta1_best = cases[i].best;
		run(f, cases[i].cap, &m);
		if (m.outcome != CW_OUT_GOOD || m.ta1 != cases[i].ta1 ||
		    f->card.cold_cnt != cases[i].cold)
			fail_msg("%s: outcome %u ta1 %02x cold %u",
			    cases[i].name, m.outcome, m.ta1, f->card.cold_cnt);
		if (m.ta1 != 0x11)
			assert_int_equal(f->line.clk_hz, 5000000);
		fake_end(f);
	}
}

/* The card does not come back after a broken exchange. */
static void
test_pps_fail(void **state)
{
	struct fake *f = fake_new();
	struct cw_event tick = { .kind = CW_EV_TICK };
	struct cw_rl_result m;

	(void)state;
	f->card.pps = PPS_GARBLED;
	fake_link(f);
	fake_run_prog(f, 1, 0, prog, make(0));
	while (f->card.cold_cnt == 0) {
		f->now_us = f->due_us;
		fake_event(f, &tick);
	}
	f->card.mute_cnt = 9;
	fake_run(f, 10 * SECOND);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_PPS_FAIL);
	assert_int_equal(m.step, 1);
	fake_end(f);
}

static void
test_match(void **state)
{
	static const uint8_t mask[] = { 0xff, 0xf0, 0xff, 0xff };
	static const struct {
		uint8_t value[4], n;
		uint16_t outcome;
	} cases[] = {
		{ { 0x3b, 0x10, 0x96 }, 3, CW_OUT_GOOD },
		{ { 0x3b, 0x10, 0x97 }, 3, CW_OUT_ATR_OTHER },
		{ { 0x3b, 0x10, 0x97 }, 2, CW_OUT_GOOD },
		{ { 0x3b, 0x10, 0x96, 0 }, 4, CW_OUT_ATR_OTHER },
	};
	struct cw_prog_builder b;
	size_t i;
	int len;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct fake *f = fake_new();
		struct cw_rl_result m;

		fake_link(f);
		cw_prog_start(&b, prog, sizeof prog);
		cw_prog_reset(&b, false, mask, cases[i].value, cases[i].n);
		len = cw_prog_end(&b);
		fake_run_prog(f, 1, 0, prog, (size_t)len);
		fake_run(f, SECOND);
		fake_result(f, &m);
		assert_int_equal(m.outcome, cases[i].outcome);
		assert_int_equal(m.atr_len, 3);
		fake_end(f);
	}
}

static void
test_parity(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_result m;

	(void)state;
	f->card.nack_at = 0;
	f->card.parity_at = 1;
	run(f, 0, &m);

	/* The refused character was sent again; the wrong one gives up. */
	assert_int_equal(m.outcome, CW_OUT_PARITY);
	assert_int_equal(m.step, 3);
	assert_int_equal(m.steps[2].sw, 0x9000);
	assert_int_equal(f->card.got_len, sizeof data);
	fake_end(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_atr),
		cmocka_unit_test(test_specific),
		cmocka_unit_test(test_inverse),
		cmocka_unit_test(test_pps),
		cmocka_unit_test(test_pps_fail),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_parity),
	};

	return cmocka_run_group_tests_name("reader/line", tests, NULL, NULL);
}
