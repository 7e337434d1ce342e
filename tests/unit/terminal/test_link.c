/* SPDX-License-Identifier: Apache-2.0 */
/* What the line makes of a reader's session: attempts, boots, card sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/outcome.h"
#include "world_priv.h"

static struct world w;

static void
begin(unsigned int stations, unsigned int records)
{
	world_init(&w, stations, records);
	world_start(&w);
}

static void
end(void)
{
	world_settle(&w);
	world_audit(&w);
	world_fini(&w);
}

/* The journal is written off, the readers run on: their slots have seen higher
 * attempts than a new journal begins with, and no blank may be lost by it. */
static void
test_new_journal(void **state)
{
	(void)state;
	begin(2, 12);
	assert_true(world_run(&w, 3000));
	world_settle(&w);
	assert_true(w.reader[0].last_attempt > 4);
	world_kill(&w, 0);
	memdisk_fini(&w.disk);
	memdisk_init(&w.disk);
	w.acked = 0;
	w.record_cnt = 24;
	world_start(&w);
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.count_good, 24);
	assert_int_equal(w.dev.fed, 24);
	end();
}

/* Another terminal had the reader while ours was away, at any point of a card
 * and of the INTENT ahead of it. */
static void
test_attempt_overtaken(void **state)
{
	(void)state;
	for (int n = 1; n < 60; n++) {
		begin(1, 4);
		for (int i = 0; i < n; i++)
			world_round(&w);
		world_reader_down(&w, 0, 50000);
		w.reader[0].last_attempt += 1000;
		assert_true(world_run(&w, 3000));
		assert_int_equal(w.count_good, 4);
		assert_int_equal(w.dev.fed, 4);
		end();
	}
}

/* There is no attempt above such a one: the reader is not what it says. */
static void
test_attempt_end(void **state)
{
	(void)state;
	begin(1, 1);
	w.reader[0].last_attempt = UINT64_MAX - 1;
	for (int i = 0; i < 400; i++)
		world_round(&w);
	assert_int_equal(w.dev.reject, 0);
	assert_int_equal(w.reader[0].play_at, 0);
	assert_true(w.bad_frames > 0);
	world_fini(&w);
}

/* A RESULT counts for the card that its RUN named, in the boot that took it. */
static void
test_result_of_another(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		begin(1, 1);
		w.attempts_max = 1;
		w.reader[0].wrong_boot = k == 0;
		w.reader[0].wrong_session = k == 1;
		assert_true(world_run(&w, 3000));
		assert_int_equal(w.count_good, 0);
		assert_int_equal(w.count_doubt, 1);
		assert_int_equal(w.rec[1].outcome, CW_OUT_READER_LOST);
		assert_int_equal(w.card[1].bin, CW_DEVBIN_REJECT);
		assert_int_equal(w.reader[0].kept_cnt, 0);
		end();
	}
}

/* Without a byte of the record sent, the card is a reject and nothing more. */
static void
test_burn_of_another(void **state)
{
	(void)state;
	world_init(&w, 1, 1);
	w.has_data = false;
	w.attempts_max = 1;
	w.reader[0].wrong_session = 1;
	world_start(&w);
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.count_reject, 1);
	assert_int_equal(w.rec[1].outcome, CW_OUT_READER_LOST);
	end();
}

/* Three faults of the reader itself in a row: its station stops, and no more
 * blanks are spent on it.  One good card in between begins anew. */
static void
test_reader_fault(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(2, 12);
	for (unsigned int i = 0; i < 8; i++)
		w.reader[0].play[i] = i == 2 ? PLAY_GOOD : PLAY_FAULT;
	w.reader[0].play_cnt = 8;
	assert_true(world_run(&w, 4000));
	cw_line_count(w.line, &c);
	assert_int_equal(c.stuck, 1);
	assert_int_equal(w.dev.reject, 5);
	assert_int_equal(w.dev.good, 12);
	for (int i = 0; i < 50; i++)
		world_round(&w);
	assert_non_null(strstr(w.last_status.u.status.station[0].why, "reader"));
	end();

	/* Whoever wants no quarantine gets none. */
	world_init(&w, 1, 1);
	w.quarantine = 0xFFFF;
	for (unsigned int i = 0; i < 7; i++)
		w.reader[0].play[i] = PLAY_FAULT;
	w.reader[0].play_cnt = 7;
	world_start(&w);
	assert_true(world_run(&w, 4000));
	assert_int_equal(w.dev.reject, 7);
	end();
}

/* The profile's answer goes to the card, and the trace shows its steps where
 * the reader counted them. */
static void
test_ask(void **state)
{
	(void)state;
	begin(2, 6);
	w.asks = true;
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.count_good, 6);
	assert_int_equal(w.answers, 6);
	assert_non_null(strstr(w.last_trace, "0 ask ->"));
	assert_non_null(strstr(w.last_trace, "1 apdu 00D60000 len 8 (not shown)"));
	assert_null(strstr(w.last_trace, "CHAL"));
	end();
}

/* The link is lost while the card asks, or before it is told: the question
 * comes again, the steps are counted once. */
static void
test_ask_cut(void **state)
{
	(void)state;
	for (int n = 1; n < 60; n++) {
		begin(1, 2);
		w.asks = true;
		w.reader[0].play[0] = PLAY_CUT;
		w.reader[0].play_cnt = 1;
		for (int i = 0; i < n; i++)
			world_round(&w);
		world_reader_down(&w, 0, 50000);
		assert_true(world_run(&w, 3000));
		assert_int_equal(w.count_good, 2);
		assert_int_equal(w.dev.fed, 2);
		assert_non_null(strstr(w.last_trace, "1 apdu"));
		end();
	}
}

/* No answer: the program is aborted, its card rejected, nothing waits. */
static void
test_ask_no_answer(void **state)
{
	(void)state;
	begin(1, 1);
	w.asks = w.answer_fails = true;
	w.attempts_max = 2;
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.count_reject, 2);
	assert_int_equal(w.rec[1].outcome, CW_OUT_ABORTED);
	assert_int_equal(w.answers, 0);
	end();

	/* Of a life before: nobody knows what it wants. */
	begin(1, 1);
	w.asks = true;
	for (int i = 0; i < 600 && w.reader[0].asking == 0; i++)
		world_round(&w);
	assert_true(w.reader[0].asking != 0);
	world_kill(&w, SIZE_MAX);
	world_start(&w);
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.count_good, 1);
	assert_int_equal(w.count_doubt, 1);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_journal),
		cmocka_unit_test(test_attempt_overtaken),
		cmocka_unit_test(test_attempt_end),
		cmocka_unit_test(test_result_of_another),
		cmocka_unit_test(test_burn_of_another),
		cmocka_unit_test(test_reader_fault),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_cut),
		cmocka_unit_test(test_ask_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
