/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/*
 * A person's record leaves no trace in the reader.  Each case runs a record to
 * another end and then looks for any 8 bytes of it in the core, the queue and
 * the link's memory.
 */
#define SECOND 1000000u
#define MARK_LEN 64

static uint8_t mark[MARK_LEN];
static uint8_t prog[2000];

static void
mark_make(void)
{
	uint32_t x = 0x12345678, i;

	for (i = 0; i < MARK_LEN; i++) {
		x = x * 1664525 + 1013904223;
		mark[i] = (uint8_t)(x >> 24);
	}
}

/* Writes the mark, reads it back (secret), captures it, asks or waits. */
static size_t
make(bool ask)
{
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	fake_put_update(&b, CW_STEP_PERSONAL | CW_STEP_SECRET, mark, MARK_LEN);
	fake_put_read(&b, CW_STEP_SECRET, MARK_LEN);
	cw_prog_compare(&b, CW_STEP_SECRET, 0, mark, NULL, MARK_LEN);
	cw_prog_capture(&b, 1, 0, 0);
	if (ask)
		cw_prog_simple(&b, CW_OP_ASK);
	else
		cw_prog_delay(&b, SECOND);
	fake_put_update(&b, CW_STEP_PERSONAL | CW_STEP_SECRET, mark, MARK_LEN);
	return (size_t)cw_prog_end(&b);
}

static void
start(struct fake *f, bool ask)
{
	size_t len = make(ask);

	fake_link(f);
	fake_run_prog(f, 1, CW_RUN_PERSONAL, prog, len);
	fake_run_prog(f, 2, CW_RUN_PERSONAL | CW_RUN_CHAIN, prog, len);
	memset(prog, 0, sizeof prog);

	/* The search must be able to find it. */
	assert_true(fake_holds(f, mark, MARK_LEN));
}

static void
finish(struct fake *f, uint16_t outcome)
{
	struct cw_rl_result m;

	f->sent_off = 0;
	do
		fake_result(f, &m);
	while (m.attempt != 1);
	assert_int_equal(m.outcome, outcome);
	assert_int_equal(m.capture_cnt, 0);
	assert_int_equal(f->core.slot[0].job_cnt, 0);
	assert_false(fake_holds(f, mark, MARK_LEN));
	fake_end(f);
}

static void
test_good(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f, false);
	fake_run(f, 5 * SECOND);
	finish(f, CW_OUT_GOOD);
}

static void
test_inverse(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->card.inverse = true;
	f->card.atr[0] = 0x3f;
	start(f, false);
	fake_run(f, 5 * SECOND);
	finish(f, CW_OUT_GOOD);
}

static void
test_status_word(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->card.sw_at = 2;
	f->card.sw = 0x6581;
	start(f, false);
	fake_run(f, 5 * SECOND);
	finish(f, CW_OUT_SW);
}

static void
test_hang(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->card.hang_at = 1;
	start(f, false);
	fake_run(f, 10 * SECOND);
	finish(f, CW_OUT_TIMEOUT);
}

static void
test_abort(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f, false);
	fake_run(f, SECOND / 2);
	fake_slot_attempt(f, CW_RL_ABORT, 0);
	fake_run(f, SECOND);
	finish(f, CW_OUT_ABORTED);
}

static void
test_removed(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f, false);
	fake_run(f, SECOND / 2);
	fake_insert(f, false);
	fake_run(f, SECOND);
	finish(f, CW_OUT_REMOVED);
}

/* In the middle of an APDU: the answer to the send is lost. */
static void
test_removed_in_apdu(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	fake_link(f);
	fake_run_prog(f, 1, CW_RUN_PERSONAL, prog, make(false));
	f->fail_op = OP_EVENT;
	f->fail_at = 9;	/* the data are sent */
	fake_run(f, SECOND / 2);
	assert_int_equal(f->core.slot[0].state, CW_SLOT_COMMAND);
	assert_true(f->fired);
	fake_insert(f, false);
	fake_run(f, SECOND);
	finish(f, CW_OUT_REMOVED);
}

static void
test_link_loss(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f, false);
	fake_run(f, SECOND / 2);
	fake_drop_link(f);
	fake_run(f, 5 * SECOND);
	fake_link(f);
	finish(f, CW_OUT_GOOD);
}

/* Half a RUN is in the link's memory when the link goes. */
static void
test_half_frame(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_run m = { .attempt = 1, .prog = prog };
	int len, conn;

	(void)state;
	conn = fake_link(f);
	m.prog_len = (uint16_t)make(false);
	len = cw_rl_put_run(FAKE_OUT, 1, &m);
	fake_bytes(f, conn, fake_out, (size_t)len - 20);
	assert_true(fake_holds(f, mark, MARK_LEN));
	fake_drop_link(f);
	assert_false(fake_holds(f, mark, MARK_LEN));
	fake_end(f);
}

/* A RUN that came in two pieces: the link's memory is clean once it is queued. */
static void
test_two_pieces(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_run m = { .attempt = 1, .prog = prog };
	size_t len;
	int conn;

	(void)state;
	conn = fake_link(f);
	m.prog_len = (uint16_t)make(false);
	len = (size_t)cw_rl_put_run(FAKE_OUT, 1, &m);
	fake_bytes(f, conn, fake_out, len - 20);
	assert_true(fake_link_holds(f, mark, MARK_LEN));
	fake_bytes(f, conn, fake_out + len - 20, 20);
	assert_false(fake_link_holds(f, mark, MARK_LEN));
	fake_run(f, 5 * SECOND);
	finish(f, CW_OUT_GOOD);
}

static void
test_ask(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_continue c = { .attempt = 1 };
	struct cw_prog_builder b;
	struct cw_frame fr;
	uint8_t more[200];

	(void)state;
	start(f, true);
	fake_run(f, SECOND);
	assert_true(fake_next(f, CW_RL_ASK, &fr));
	assert_false(fake_link_holds(f, mark, MARK_LEN));
	cw_prog_start(&b, more, sizeof more);
	fake_put_update(&b, CW_STEP_PERSONAL | CW_STEP_SECRET, mark, MARK_LEN);
	c.prog = more;
	c.prog_len = (uint16_t)cw_prog_end(&b);
	fake_frame(f, cw_rl_put_continue(FAKE_OUT, 9, &c));
	fake_run(f, SECOND);

	/* The second one asks and is not answered. */
	f->core.cfg.link_dead_ms = 100000;
	fake_run(f, 40 * SECOND);
	finish(f, CW_OUT_GOOD);
}

/* No room for the ASK: it waits in the link's memory and is wiped after. */
static void
test_ask_held(void **state)
{
	struct fake *f = fake_new();
	struct cw_event room = { .kind = CW_EV_NET_ROOM };
	struct cw_frame fr;

	(void)state;
	start(f, true);
	f->full = true;
	fake_run(f, SECOND);
	f->full = false;
	room.conn = f->sent_conn;
	fake_event(f, &room);
	assert_true(fake_next(f, CW_RL_ASK, &fr));
	assert_false(fake_link_holds(f, mark, MARK_LEN));
	fake_slot_attempt(f, CW_RL_ABORT, 0);
	fake_run(f, SECOND);
	finish(f, CW_OUT_ABORTED);
}

static void
test_orphan(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->core.cfg.orphan_ms = 500;
	start(f, false);
	fake_run(f, SECOND / 4);
	fake_drop_link(f);
	fake_run(f, 5 * SECOND);
	fake_link(f);
	finish(f, CW_OUT_TERMINAL_LOST);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_inverse),
		cmocka_unit_test(test_status_word),
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_removed_in_apdu),
		cmocka_unit_test(test_link_loss),
		cmocka_unit_test(test_half_frame),
		cmocka_unit_test(test_two_pieces),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_held),
		cmocka_unit_test(test_orphan),
	};

	mark_make();
	return cmocka_run_group_tests_name("reader/wipe", tests, NULL, NULL);
}
