/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/* Card by card (CARD_*): what a PC/SC driver does with a reader. */
#define SECOND 1000000u

static const uint8_t update[] = { 0x00, 0xd6, 0x00, 0x00, 0x04, 1, 2, 3, 4 };
static const uint8_t read4[] = { 0x00, 0xb0, 0x00, 0x00, 0x04 };

/* Time passes, and the terminal lives. */
static void
run_long(struct fake *f, unsigned int seconds)
{
	while (seconds-- > 0) {
		fake_frame(f, cw_rl_put_empty(FAKE_OUT, 0xffff, CW_RL_PING));
		fake_run(f, SECOND);
	}
}

static void
power(struct fake *f, uint8_t action)
{
	struct cw_rl_card_power m = { 0, action };

	fake_frame(f, cw_rl_put_card_power(FAKE_OUT, ++f->id, &m));
	fake_run(f, SECOND);
}

static struct cw_rl_card_state
state_next(struct fake *f)
{
	struct cw_rl_card_state m;
	struct cw_frame fr;

	assert_true(fake_next(f, CW_RL_CARD_STATE, &fr));
	assert_int_equal(fr.id, f->id);
	assert_int_equal(cw_rl_get_card_state(&m, fr.body, fr.body_len), 0);
	return m;
}

static void
apdu_part(struct fake *f, const uint8_t *buf, size_t len, bool more)
{
	struct cw_rl_card_data m = {
		.more = more, .buf = buf, .len = (uint16_t)len,
	};

	fake_frame(f, cw_rl_put_card_data(FAKE_OUT, f->id, CW_RL_CARD_APDU, &m));
}

static void
apdu(struct fake *f, const uint8_t *buf, size_t len)
{
	f->id++;
	apdu_part(f, buf, len, false);
	fake_run(f, SECOND);
}

static void
rsp_is(struct fake *f, const void *want, size_t len)
{
	struct cw_rl_card_data m;
	struct cw_frame fr;

	assert_true(fake_next(f, CW_RL_CARD_RSP, &fr));
	assert_int_equal(fr.id, f->id);
	assert_int_equal(cw_rl_get_card_data(&m, fr.body, fr.body_len), 0);
	assert_false(m.more);
	assert_int_equal(m.len, len);
	assert_memory_equal(m.buf, want, len);
}

static struct fake *
powered(void)
{
	struct fake *f = fake_new();
	struct cw_rl_card_state m;

	fake_link(f);
	power(f, CW_RL_CARD_COLD);
	m = state_next(f);
	assert_int_equal(m.flags, CW_RL_CARD_POWERED | CW_RL_CARD_HELD);
	assert_int_equal(m.atr_len, 3);
	assert_memory_equal(m.atr, f->card.atr, 3);
	assert_int_equal(m.protocol, 0);
	assert_int_equal(m.ta1, 0x11);
	return f;
}

/* The next event of the card does not come: a command stays under way. */
static void
hang(struct fake *f)
{
	f->fail_op = OP_EVENT;
	f->fail_at = f->op_cnt[OP_EVENT] + 1;
}

static void
test_session(void **state)
{
	struct fake *f = powered();
	struct cw_rl_card_params p = { 0, CW_RL_CARD_ANY, 0 };
	struct cw_rl_card_state m;

	(void)state;
	fake_frame(f, cw_rl_put_card_params(FAKE_OUT, ++f->id, &p));
	fake_run(f, SECOND);
	m = state_next(f);
	assert_int_equal(m.ta1, 0x96);
	assert_int_equal(m.etu_clk, 16);

	apdu(f, update, sizeof update);
	rsp_is(f, "\x90\x00", 2);
	apdu(f, read4, sizeof read4);
	rsp_is(f, "\1\2\3\4\x90\x00", 6);
	assert_false(fake_holds(f, update + 5, 4));
	f->card.sw_at = f->card.apdu_cnt;
	f->card.sw = 0x6a82;
	apdu(f, update, sizeof update);
	rsp_is(f, "\x6a\x82", 2);

	power(f, CW_RL_CARD_WARM);
	m = state_next(f);
	assert_int_equal(m.ta1, 0x11);
	assert_int_equal(f->card.warm_cnt, 1);
	power(f, CW_RL_CARD_OFF);
	m = state_next(f);
	assert_int_equal(m.flags, 0);
	assert_int_equal(m.atr_len, 0);
	assert_false(f->card.powered);
	power(f, CW_RL_CARD_OFF);
	assert_int_equal(state_next(f).flags, 0);
	fake_end(f);
}

/* One user of a slot: programs or card by card, never both. */
static void
test_exclusive(void **state)
{
	static uint8_t prog[CW_PROG_MAX];
	struct cw_prog_builder b;
	struct fake *f = powered();
	struct cw_rl_result res;
	size_t len;

	(void)state;
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_delay(&b, SECOND / 2);
	len = (size_t)cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, len);
	assert_int_equal(fake_error(f), CW_EBUSY);
	power(f, CW_RL_CARD_OFF);
	state_next(f);
	fake_run_prog(f, 1, 0, prog, len);
	fake_frame(f, cw_rl_put_card_power(FAKE_OUT, ++f->id,
	    &(struct cw_rl_card_power){ 0, CW_RL_CARD_COLD }));
	assert_int_equal(fake_error(f), CW_EBUSY);
	fake_run(f, SECOND);
	fake_result(f, &res);
	assert_int_equal(res.outcome, CW_OUT_GOOD);

	/* A card that a program has left powered is not held. */
	apdu(f, read4, sizeof read4);
	assert_int_equal(fake_error(f), CW_ESTATE);
	fake_end(f);
}

static void
test_refused(void **state)
{
	static const uint8_t bad[] = { 0x00, 0x60, 0x00, 0x00 };
	struct fake *f = powered();

	(void)state;
	apdu(f, bad, sizeof bad);	/* INS 6X: T=0 cannot carry it */
	assert_int_equal(fake_error(f), CW_EINVAL);
	apdu(f, bad, 3);
	assert_int_equal(fake_error(f), CW_ESHORT);
	fake_frame(f, cw_rl_put_card_params(FAKE_OUT, ++f->id,
	    &(struct cw_rl_card_params){ 0, 1, 0 }));
	assert_int_equal(fake_error(f), CW_EUNSUPPORTED);
	fake_frame(f, cw_rl_put_card_slot(FAKE_OUT, ++f->id, CW_RL_CARD_QUERY, 5));
	assert_int_equal(fake_error(f), CW_ENOENT);

	/* Nothing of it has hurt the card. */
	apdu(f, update, sizeof update);
	rsp_is(f, "\x90\x00", 2);
	fake_end(f);
}

/* A command of 60,000 bytes in parts; what is too long is told once. */
static void
test_extended(void **state)
{
	static uint8_t cmd[64001];
	struct fake *f = powered();
	size_t len = 60007, off;

	(void)state;
	memset(cmd, 0x3c, sizeof cmd);
	memcpy(cmd, "\x00\xd6\x00\x00\x00\xea\x60", 7);
	f->id++;
	for (off = 0; off < len; off += CW_RL_CARD_DATA_MAX)
		apdu_part(f, cmd + off, len - off > CW_RL_CARD_DATA_MAX ?
		    CW_RL_CARD_DATA_MAX : len - off,
		    len - off > CW_RL_CARD_DATA_MAX);
	run_long(f, 100);
	rsp_is(f, "\x90\x00", 2);
	assert_int_equal(f->card.got_len, len);	/* ENVELOPEs */
	assert_memory_equal(f->card.got, cmd, len);

	f->id++;
	for (off = 0; off < 4 * CW_RL_CARD_DATA_MAX; off += CW_RL_CARD_DATA_MAX)
		apdu_part(f, cmd, CW_RL_CARD_DATA_MAX, true);
	apdu_part(f, cmd, 1, true);
	assert_int_equal(fake_error(f), CW_ETOOBIG);
	apdu_part(f, cmd, 1, false);
	apdu(f, read4, sizeof read4);
	rsp_is(f, "\x3c\x3c\x3c\x3c\x90\x00", 6);
	assert_false(fake_holds(f, cmd + 16, 8));
	fake_end(f);
}

static void
test_removed(void **state)
{
	struct fake *f = powered();
	struct cw_frame fr;
	struct cw_rl_slot m;

	(void)state;
	hang(f);
	f->id++;
	apdu_part(f, update, sizeof update, false);
	fake_insert(f, false);
	fake_run(f, SECOND);
	assert_true(fake_next(f, CW_RL_SLOT, &fr));
	assert_int_equal(cw_rl_get_slot(&m, fr.body, fr.body_len), 0);
	assert_int_equal(m.present, 0);
	assert_int_equal(fake_error(f), CW_EREMOVED);
	power(f, CW_RL_CARD_COLD);
	assert_int_equal(fake_error(f), CW_EREMOVED);
	fake_insert(f, true);
	apdu(f, read4, sizeof read4);
	assert_int_equal(fake_error(f), CW_ESTATE);
	power(f, CW_RL_CARD_COLD);
	assert_int_equal(state_next(f).card_session, 2);
	fake_end(f);
}

/* A silent card: CARD_WAIT each second, then the error, and no power. */
static void
test_silent(void **state)
{
	struct fake *f = powered();
	struct cw_frame fr;
	struct cw_rl_card_wait w;
	unsigned int i;

	(void)state;
	hang(f);
	f->id++;
	apdu_part(f, update, sizeof update, false);
	run_long(f, 10);
	for (i = 1; i <= 3; i++) {
		assert_true(fake_next(f, CW_RL_CARD_WAIT, &fr));
		assert_int_equal(cw_rl_get_card_wait(&w, fr.body, fr.body_len), 0);
		assert_int_equal(fr.id, f->id);
		assert_int_equal(w.ms, 1000 * i);
	}
	assert_int_equal(fake_error(f), CW_ETIMEOUT);
	assert_false(f->card.powered);
	fake_end(f);
}

static void
test_mute(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	fake_link(f);
	f->card.mute_cnt = 99;
	power(f, CW_RL_CARD_COLD);
	run_long(f, 100);
	assert_int_equal(fake_error(f), CW_EMUTE);
	assert_false(f->card.powered);
	fake_end(f);
}

/* The terminal has gone, or is there anew: nobody's PIN stays verified. */
static void
test_lost(void **state)
{
	struct fake *f = powered();
	int conn;

	(void)state;
	fake_drop_link(f);
	fake_run(f, SECOND);
	assert_false(f->card.powered);
	fake_end(f);

	f = powered();
	conn = fake_connect(f);
	f->sent_conn = conn;
	fake_hello(f, conn, "line-1", 7);
	fake_run(f, SECOND);
	assert_false(f->card.powered);
	apdu(f, read4, sizeof read4);
	assert_int_equal(fake_error(f), CW_ESTATE);
	fake_end(f);
}

static void
test_abort(void **state)
{
	struct fake *f = powered();

	(void)state;
	hang(f);
	f->id++;
	apdu_part(f, update, sizeof update, false);
	fake_frame(f, cw_rl_put_card_slot(FAKE_OUT, ++f->id, CW_RL_CARD_ABORT, 0));
	fake_run(f, SECOND);
	assert_int_equal(state_next(f).flags, 0);
	assert_false(f->card.powered);
	assert_false(fake_holds(f, update + 1, 8));
	fake_end(f);
}

/* Every op of the board fails once, at every place: an answer always comes. */
static void
test_sweep(void **state)
{
	enum fake_op op;
	unsigned int n;
	bool fired;

	(void)state;
	for (op = OP_POWER; op <= OP_EVENT; op++) {
		if (op == OP_PRESENT || op == OP_NET_SEND ||
		    op == OP_STORE_WRITE || op == OP_STORE_LEND)
			continue;
		for (n = 0, fired = true; fired && n < 40; n++) {
			struct fake *f = fake_new();
			struct cw_frame fr;

			fake_link(f);
			f->fail_op = op;
			f->fail_at = n;
			power(f, CW_RL_CARD_COLD);
			run_long(f, 60);
			apdu(f, update, sizeof update);
			run_long(f, 60);
			f->sent_off = 0;
			if (!fake_next(f, CW_RL_CARD_RSP, &fr)) {
				f->sent_off = 0;
				fake_error(f);
			}
			fired = f->fired;
			fake_end(f);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_exclusive),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_sweep),
	};

	return cmocka_run_group_tests_name("reader-raw", tests, NULL, NULL);
}
