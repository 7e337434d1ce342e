/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/* The slot's state machine: its table, and that events find their way. */
#define SECOND 1000000u

/* Rows in the order of CW_SLOT_STATE_MAP; x = allowed. */
static const char *const table[] = {
	/*	       E R A P I C K D O */
	/* EMPTY */	". x . . . . . . .",
	/* READY */	"x . x . . . x x .",
	/* ACTIVATE */	". x . . x . . . x",
	/* PPS */	". . x . x . . . x",
	/* IDLE */	". . x x . x x x x",
	/* COMMAND */	". . . . x . . . x",
	/* ASK */	"x x . . x . . . x",
	/* DELAY */	"x x . . x . . . x",
	/* DEACTIVATE */ "x x . . . . . . .",
};

static void
test_table(void **state)
{
	unsigned int i, j;

	(void)state;
	assert_int_equal(sizeof table / sizeof table[0],
	    CW_SLOT_DEACTIVATE + 1);
	for (i = 0; i <= CW_SLOT_DEACTIVATE; i++)
		for (j = 0; j <= CW_SLOT_DEACTIVATE; j++)
			if (cw_reader_slot_may(i, j) !=
			    (table[i][2 * j] == 'x'))
				fail_msg("%s -> %s", cw_slot_state_name(i),
				    cw_slot_state_name(j));
	assert_string_equal(cw_slot_state_name(CW_SLOT_PPS), "PPS");
}

static void
test_present(void **state)
{
	static const struct {
		int present;
		enum cw_slot_state state;
		uint8_t told;
		uint32_t session;
	} cases[] = {
		{ 0, CW_SLOT_EMPTY, 0, 0 }, { 1, CW_SLOT_READY, 1, 1 },
		{ 2, CW_SLOT_READY, 2, 1 }, { CW_EIO, CW_SLOT_READY, 2, 1 },
	};
	struct cw_reader_slot_status st;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake *f = fake_new();

		f->present = cases[i].present;
		assert_int_equal(cw_reader_init(&f->core, &f->cfg, 0), 0);
		cw_reader_slot_status(&f->core, 0, &st);
		assert_int_equal(st.state, cases[i].state);
		assert_int_equal(st.present, cases[i].told);
		assert_int_equal(st.card_session, cases[i].session);
		fake_end(f);
	}
}

static void
test_sessions(void **state)
{
	struct fake *f = fake_new();
	struct cw_reader_slot_status st;
	int i;

	(void)state;

	/* A removal told twice is one; an insertion told twice is two cards. */
	for (i = 0; i < 2; i++)
		fake_insert(f, false);
	cw_reader_slot_status(&f->core, 0, &st);
	assert_int_equal(st.state, CW_SLOT_EMPTY);
	assert_int_equal(st.card_session, 1);
	for (i = 0; i < 2; i++)
		fake_insert(f, true);
	cw_reader_slot_status(&f->core, 0, &st);
	assert_int_equal(st.state, CW_SLOT_READY);
	assert_int_equal(st.card_session, 3);
	fake_end(f);
}

/* Events that belong to nothing change nothing. */
static void
test_stray(void **state)
{
	static const enum cw_event_kind kinds[] = {
		CW_EV_POWERED, CW_EV_SENT, CW_EV_NACK, CW_EV_RECV,
		CW_EV_PARITY, CW_EV_SILENT, CW_EV_OVERCURRENT, CW_EV_NET_DATA,
		CW_EV_NET_ROOM, CW_EV_NET_CLOSED,
	};
	struct fake *f = fake_new();
	struct cw_reader_slot_status st;
	uint8_t byte = 0;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct cw_event ev = {
			.kind = kinds[i], .conn = 77, .buf = &byte, .len = 1,
		};

		fake_event(f, &ev);
		ev.slot = 200;
		fake_event(f, &ev);
	}
	assert_int_equal(f->core.stray_cnt, 13);
	cw_reader_slot_status(&f->core, 0, &st);
	assert_int_equal(st.state, CW_SLOT_READY);
	fake_end(f);
}

/* A card that comes while the last one's power goes down waits for it. */
static void
test_quick_change(void **state)
{
	struct fake *f = fake_new();
	struct cw_reader_slot_status st;
	struct cw_prog_builder b;
	struct cw_rl_result m;
	struct cw_event ev = { .kind = CW_EV_CARD };
	uint8_t prog[64];
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, CW_RUN_KEEP_POWER, prog, (size_t)len);
	fake_run(f, SECOND);
	assert_true(f->card.powered);

	/* The answer to the power-down gets lost: the guard ends it. */
	f->fail_op = OP_EVENT;
	f->fail_at = f->op_cnt[OP_EVENT];
	fake_event(f, &ev);
	cw_reader_slot_status(&f->core, 0, &st);
	assert_int_equal(st.state, CW_SLOT_DEACTIVATE);
	f->fail_op = OP_NONE;
	ev.len = 1;
	fake_event(f, &ev);
	cw_reader_slot_status(&f->core, 0, &st);
	assert_int_equal(st.state, CW_SLOT_DEACTIVATE);
	assert_int_equal(st.card_session, 2);
	fake_run(f, 6 * SECOND);
	cw_reader_slot_status(&f->core, 0, &st);
	assert_int_equal(st.state, CW_SLOT_READY);
	fake_run_prog(f, 2, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_result(f, &m);
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.card_session, 2);
	fake_end(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_present),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_quick_change),
	};

	return cmocka_run_group_tests_name("reader/slot", tests, NULL, NULL);
}
