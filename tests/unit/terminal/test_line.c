/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/outcome.h"
#include "world.h"

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

static void
test_happy(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(4, 20);
	assert_true(world_run(&w, 3000));
	cw_line_count(w.line, &c);
	assert_int_equal(c.good, 20);
	assert_int_equal(c.images_sent, 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(w.reader[i].images, 1);
	assert_int_equal(w.dev.fed, 20);
	assert_int_equal(w.dev.good, 20);
	assert_non_null(strstr(w.last_trace, "apdu 00D60000 len 8 (not shown)"));
	end();
}

/* Rules (a) and (b): as long as the disk has not answered, nothing moves. */
static void
test_disk_first(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(2, 2);
	w.hold_commits = true;
	for (int i = 0; i < 300; i++)
		world_round(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.begun, 2);
	assert_int_equal(w.dev.fed, 0);
	w.hold_commits = false;
	for (int i = 0; i < 300 && w.reader[0].play_at == 0; i++)
		world_round(&w);
	w.hold_commits = true;
	assert_true(w.dev.fed > 0);
	for (int i = 0; i < 300; i++)
		world_round(&w);
	assert_int_equal(w.dev.good, 0);
	assert_int_equal(w.results, 0);

	/* The reader keeps its results until ours are durable. */
	assert_int_equal(w.reader[0].kept_cnt, 2);
	w.hold_commits = false;
	assert_true(world_run(&w, 300));
	assert_int_equal(w.reader[0].kept_cnt, 0);
	end();
}

/* The device remembers one card: where it went must be durable before the next
 * one is fed, or a crash leaves a card in the good bin that nobody knows of. */
static void
test_binned_first(void **state)
{
	(void)state;
	begin(1, 3);
	for (int i = 0; i < 600 && w.cmd[0].cmd != CW_DEVCMD_GOOD; i++)
		world_round(&w);
	assert_int_equal(w.cmd[0].cmd, CW_DEVCMD_GOOD);
	w.hold_commits = true;
	for (int i = 0; i < 300; i++)
		world_round(&w);
	assert_int_equal(w.dev.good, 1);
	assert_int_equal(w.dev.fed, 1);

	/* BINNED is lost, the device still knows. */
	world_kill(&w, 0);
	w.hold_commits = false;
	world_start(&w);
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.count_good, 3);
	assert_int_equal(w.count_doubt, 0);
	end();
}

static void
test_cos_only_and_data_only(void **state)
{
	(void)state;
	world_init(&w, 2, 6);
	w.has_data = false;
	world_start(&w);
	assert_true(world_run(&w, 2000));
	assert_int_equal(w.dev.good, 6);
	end();
	world_init(&w, 2, 6);
	w.has_cos = false;
	world_start(&w);
	assert_true(world_run(&w, 2000));
	assert_int_equal(w.dev.good, 6);
	assert_int_equal(w.reader[0].images, 0);
	end();
}

/* Image held already: not sent again over a restart of the terminal. */
static void
test_image_held(void **state)
{
	(void)state;
	begin(2, 8);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	world_kill(&w, 0);
	world_start(&w);
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.reader[0].images, 1);
	assert_int_equal(w.reader[1].images, 1);
	end();
}

static void
play_one(enum play play, uint8_t verdict, uint16_t outcome)
{
	begin(1, 1);
	w.attempts_max = 1;
	w.reader[0].play[0] = play;
	w.reader[0].play_cnt = 1;
	assert_true(world_run(&w, 4000));
	assert_int_equal(w.rec[1].verdict, verdict);
	assert_int_equal(w.rec[1].outcome, outcome);
	assert_int_equal(w.dev.fed, 1);
	assert_int_equal(w.dev.reject, verdict != CW_CARD_GOOD);
	end();
}

static void
test_verdicts(void **state)
{
	(void)state;
	play_one(PLAY_GOOD, CW_CARD_GOOD, CW_OUT_GOOD);
	play_one(PLAY_BURN_FAIL, CW_CARD_REJECT, CW_OUT_NO_BOOT);
	play_one(PLAY_MUTE, CW_CARD_REJECT, CW_OUT_MUTE);
	play_one(PLAY_SW, CW_CARD_REJECT, CW_OUT_SW);
	play_one(PLAY_TIMEOUT, CW_CARD_DOUBT, CW_OUT_TIMEOUT);
	play_one(PLAY_REMOVED_RUN, CW_CARD_REJECT, CW_OUT_REMOVED);
	play_one(PLAY_BOOT, CW_CARD_DOUBT, CW_OUT_READER_LOST);
	/* The link goes and comes: the kept result is used. */
	play_one(PLAY_CUT, CW_CARD_GOOD, CW_OUT_GOOD);
}

static void
test_reader_gone(void **state)
{
	(void)state;
	begin(1, 1);
	w.attempts_max = 1;
	w.reader[0].play[0] = PLAY_CUT;
	w.reader[0].play_cnt = 1;
	for (int i = 0; i < 400 && w.reader[0].play_at == 0; i++)
		world_round(&w);
	w.reader[0].down_until = w.now + 20000000;
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.rec[1].verdict, CW_CARD_DOUBT);
	assert_int_equal(w.rec[1].outcome, CW_OUT_READER_LOST);
	assert_int_equal(w.dev.reject, 1);
	end();
}

/* One reader down: the others do its work, and it does not hold the line. */
static void
test_reader_down_at_start(void **state)
{
	(void)state;
	begin(3, 12);
	w.reader[1].down_until = UINT64_MAX - 1;
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.dev.good, 12);
	assert_int_equal(w.dev.st[1].last_card, 0);
	end();
}

static void
test_bound(void **state)
{
	(void)state;
	begin(3, 9);
	for (unsigned int r = 1; r <= 9; r++)
		w.rec[r].addr = 0x7F000102;
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.dev.st[0].last_card, 0);
	assert_int_equal(w.dev.st[2].last_card, 0);
	assert_int_equal(w.dev.good, 9);
	end();

	/* No such reader on this line: refused, not begun. */
	begin(1, 1);
	w.rec[1].addr = 0x0A000001;
	for (int i = 0; i < 200; i++)
		world_round(&w);
	assert_true(w.refused > 0);
	assert_int_equal(w.dev.fed, 0);
	world_revoke(&w, 1, 1);
	for (int i = 0; i < 10; i++)
		world_round(&w);
	assert_int_equal(w.revoked, 1);
	world_fini(&w);
}

static void
test_remake(void **state)
{
	(void)state;
	begin(2, 10);
	for (unsigned int i = 0; i < 2; i++) {
		w.reader[i].play[0] = PLAY_SW;
		w.reader[i].play[1] = PLAY_GOOD;
		w.reader[i].play[2] = PLAY_TIMEOUT;
		w.reader[i].play_cnt = 3;
	}
	assert_true(world_run(&w, 4000));
	assert_int_equal(w.dev.good, 10);
	assert_int_equal(w.dev.reject, 4);
	assert_int_equal(w.count_doubt, 2);
	end();
}

static void
test_quarantine(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(2, 10);
	for (unsigned int i = 0; i < 8; i++)
		w.reader[0].play[i] = PLAY_MUTE;
	w.reader[0].play_cnt = 8;
	assert_true(world_run(&w, 4000));
	cw_line_count(w.line, &c);
	assert_int_equal(c.stuck, 1);
	assert_int_equal(w.dev.reject, 5);
	assert_int_equal(w.dev.good, 10);
	for (int i = 0; i < 50; i++)
		world_round(&w);
	assert_int_equal(w.last_status.u.status.station[0].state, CW_ST_STUCK);
	assert_non_null(strstr(w.last_status.u.status.station[0].why, "mute"));
	cw_line_clear(w.line, UINT_MAX, w.now);
	cw_line_count(w.line, &c);
	assert_int_equal(c.stuck, 0);
	end();
}

static void
test_jam_and_loss(void **state)
{
	(void)state;
	begin(2, 8);
	w.jam_at = 3;
	assert_true(world_run(&w, 4000));
	assert_int_equal(w.dev.good, 8);
	assert_int_equal(w.dev.reject, 1);
	end();
	begin(2, 8);
	w.lose_at = 4;
	assert_true(world_run(&w, 4000));
	assert_int_equal(w.dev.good, 8);
	assert_int_equal(w.count_doubt, 1);
	end();
}

/* Written in part, then gone from the machine: in doubt, and counted. */
static void
test_missing(void **state)
{
	(void)state;
	begin(2, 4);
	w.reader[0].play[0] = PLAY_SW;
	w.reader[0].play_cnt = 1;
	w.reader[1].play[0] = PLAY_SW;
	w.reader[1].play_cnt = 1;
	w.lose_at = 1;
	assert_true(world_run(&w, 4000));
	assert_int_equal(w.count_doubt, 1);
	assert_int_equal(w.count_reject, 1);
	for (int i = 0; i < 250; i++)
		world_round(&w);
	assert_int_equal(w.last_status.u.status.device_feed, 6);
	assert_int_equal(w.last_status.u.status.device_good, 4);
	assert_int_equal(w.last_status.u.status.device_reject, 2);
	end();
}

static void
test_missort(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(1, 3);
	w.reader[0].play[0] = PLAY_SW;
	w.reader[0].play_cnt = 1;
	w.missort_at = 1;
	for (int i = 0; i < 400; i++)
		world_round(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.stuck, 1);
	assert_int_equal(w.rec[1].verdict, CW_CARD_DOUBT);
	assert_int_equal(w.rec[1].outcome, CW_OUT_DEVICE);
	cw_line_clear(w.line, 0, w.now);
	assert_true(world_run(&w, 3000));
	end();
}

static void
test_hopper(void **state)
{
	(void)state;
	begin(2, 6);
	w.dev.hopper = 3;
	assert_false(world_run(&w, 1000));
	assert_int_equal(w.dev.good, 3);
	assert_int_equal(w.last_status.u.status.line_state, 3);
	w.dev.hopper = 100;
	assert_true(world_run(&w, 2000));
	end();
}

static void
put_by_hand(void)
{
	w.dev.st[0].card_no = ++w.dev.fed;
	w.dev.st[0].state = CW_DEVST_CARD;
	w.stray[w.dev.fed] = true;
	for (int i = 0; i < 20; i++)
		world_round(&w);
	assert_int_equal(w.card[w.dev.fed].bin, CW_DEVBIN_REJECT);
}

/* A card that nobody ordered is rejected and counted, before the first card of
 * an order and after, and holds up nothing. */
static void
test_stray(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(1, 4);
	w.pause_leases = true;
	for (int i = 0; i < 20; i++)
		world_round(&w);
	put_by_hand();
	w.pause_leases = false;
	w.attempts_max = 1;
	w.record_cnt = 2;
	assert_true(world_run(&w, 2000));
	world_settle(&w);
	put_by_hand();
	cw_line_count(w.line, &c);
	assert_int_equal(c.orphan_cards, 2);
	world_kill(&w, SIZE_MAX);
	world_start(&w);
	w.record_cnt = 4;
	assert_true(world_run(&w, 2000));
	assert_int_equal(w.dev.good, 4);
	assert_int_equal(w.dev.reject, 2);
	world_settle(&w);
	assert_int_equal(w.strays, 2);
	end();
}

/* Another device, whose numbers begin anew: nothing is guessed. */
static void
test_other_device(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(1, 4);
	w.record_cnt = 2;
	assert_true(world_run(&w, 2000));
	world_settle(&w);
	memset(&w.dev.st[0], 0, sizeof w.dev.st[0]);
	w.dev.st[0].card_no = 1;
	w.dev.st[0].state = CW_DEVST_CARD;
	for (int i = 0; i < 20; i++)
		world_round(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.stuck, 1);
	assert_int_equal(w.dev.st[0].state, CW_DEVST_CARD);
	w.dev.st[0].card_no = 0;
	w.dev.st[0].state = CW_DEVST_EMPTY;
	world_round(&w);
	cw_line_clear(w.line, 0, w.now);
	w.record_cnt = 4;
	assert_true(world_run(&w, 2000));
	end();
}

static void
test_revoke(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(1, 6);
	w.pause_leases = true;
	for (int i = 0; i < 20; i++)
		world_round(&w);
	w.hold_commits = true;
	for (uint64_t r = 1; r <= 6; r++) {
		w.rec[r].leased = true;
		w.rec[r].epoch = 1;
		world_lease(&w, r, 1);
	}
	cw_line_count(w.line, &c);
	assert_true(c.have >= 5);

	/* In hand, not begun: fenced, and answered only when that is durable. */
	for (uint64_t r = 1; r <= 6; r++)
		if (w.rec[r].leased)
			world_revoke(&w, r, w.rec[r].epoch);
	for (int i = 0; i < 20; i++)
		world_round(&w);
	assert_int_equal(w.revoked, 0);
	w.hold_commits = false;
	for (int i = 0; i < 4; i++)
		world_round(&w);
	assert_true(w.revoked >= 4);

	/* A late copy of a fenced lease does nothing, not even after a crash. */
	world_kill(&w, 0);
	world_start(&w);
	for (int i = 0; i < 10; i++)
		world_round(&w);
	w.revoked = 0;
	for (uint64_t r = 1; r <= 6; r++)
		world_lease(&w, r, 1);
	cw_line_count(w.line, &c);
	assert_int_equal(c.have, 0);
	assert_true(c.stale_leases > 0);

	/* It is answered, though: the platform may have forgotten. */
	for (int i = 0; i < 4; i++)
		world_round(&w);
	assert_true(w.revoked >= 4);

	/* Unknown record: fenced as well, and never begun. */
	w.revoked = 0;
	w.rec[6].epoch = 9;
	world_revoke(&w, 6, 9);
	world_revoke(&w, 6, 9);
	for (int i = 0; i < 4; i++)
		world_round(&w);
	assert_int_equal(w.revoked, 2);

	/* The answer was lost: asked again, or offered the lease again by a
	 * platform that has forgotten, the line answers although its journal
	 * has nothing more to write. */
	w.hold_commits = true;
	world_revoke(&w, 6, 9);
	for (int i = 0; i < 4; i++)
		world_round(&w);
	assert_int_equal(w.revoked, 3);
	world_lease(&w, 6, 9);
	world_lease(&w, 6, 8);	/* by one that was set back */
	for (int i = 0; i < 4; i++)
		world_round(&w);
	assert_int_equal(w.revoked, 5);
	cw_line_count(w.line, &c);
	assert_int_equal(c.have, 0);
	w.hold_commits = false;
	w.pause_leases = false;
	assert_true(world_run(&w, 3000));
	end();
}

/* Begun: no REVOKED, the result is the answer. */
/* More orders than a line keeps awake: those asleep keep their epochs, and the
 * one that is worked on keeps its place. */
static void
test_many_orders(void **state)
{
	struct cw_pl_msg lease = { .type = CW_PL_LEASE }, revoke = { .type = CW_PL_REVOKE };
	struct cw_line_counts c;
	uint32_t n;

	(void)state;
	begin(2, 8);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	for (uint64_t id = 100; id < 100 + 3 * CW_LINE_ORDERS_MAX; id++) {
		lease.u.lease.order = revoke.u.revoke.order = id;
		lease.u.lease.record = revoke.u.revoke.record = 1;
		lease.u.lease.epoch = revoke.u.revoke.epoch = 3;
		world_say(&w, &lease);
		world_say(&w, &revoke);
		world_round(&w);
	}
	assert_true(world_run(&w, 3000));
	world_kill(&w, 0);
	world_start(&w);
	for (int i = 0; i < 100; i++)
		world_round(&w);

	n = w.strays;
	lease.u.lease.order = 200;
	world_say(&w, &lease);
	cw_line_count(w.line, &c);
	assert_int_equal(c.have, 0);
	assert_int_equal(c.stale_leases, 1);
	lease.u.lease.epoch = 4;	/* and is learnt again */
	world_say(&w, &lease);
	cw_line_count(w.line, &c);
	assert_int_equal(c.have, 1);
	revoke.u.revoke.order = 200;
	revoke.u.revoke.epoch = 4;
	world_say(&w, &revoke);
	assert_int_equal(w.strays, n);
	end();
}

static void
test_revoke_begun(void **state)
{
	(void)state;
	begin(1, 1);
	for (int i = 0; i < 300 && w.dev.fed == 0; i++)
		world_round(&w);
	world_revoke(&w, 1, 1);
	for (int i = 0; i < 200; i++)
		world_round(&w);
	world_revoke(&w, 1, 1);
	world_settle(&w);
	assert_int_equal(w.revoked, 0);
	assert_true(w.rec[1].good);
	end();
}

static void
say_state(uint8_t state)
{
	struct cw_pl_msg m = { .type = CW_PL_ORDER_STATE };

	w.order_state = state;
	m.u.order_state.order = WORLD_ORDER;
	m.u.order_state.state = state;
	world_say(&w, &m);
}

static void
test_pause_cancel_close(void **state)
{
	struct cw_line_counts c;
	uint32_t fed;

	(void)state;
	begin(2, 30);
	for (int i = 0; i < 300 && w.dev.good < 4; i++)
		world_round(&w);
	say_state(CW_ORDER_PAUSE);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	fed = w.dev.fed;

	/* No station waits for the paused order: others may use it. */
	cw_line_count(w.line, &c);
	assert_int_equal(c.begun, 0);
	for (int i = 0; i < 200; i++)
		world_round(&w);
	assert_int_equal(w.dev.fed, fed);
	say_state(CW_ORDER_RUN);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	assert_true(w.dev.fed > fed);
	say_state(CW_ORDER_CANCEL);
	world_settle(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.have, 0);
	for (uint64_t r = 1; r <= 30; r++)
		assert_false(w.rec[r].leased);
	say_state(CW_ORDER_CLOSED);
	for (int i = 0; i < 10; i++)
		world_round(&w);

	/* A late copy of ORDER and LEASE of a closed order does nothing, not
	 * even after a restart. */
	world_kill(&w, SIZE_MAX);
	world_start(&w);
	w.order_state = CW_ORDER_RUN;
	w.attempts_max = 0;
	for (int i = 0; i < 20; i++)
		world_round(&w);
	world_lease(&w, 29, 99);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.have + c.begun, 0);
	end();
}

static void
test_refused_orders(void **state)
{
	(void)state;
	world_init(&w, 1, 2);
	w.pkg[100] ^= 1;
	world_start(&w);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	assert_true(w.refused > 0);
	assert_int_equal(w.dev.fed, 0);
	world_fini(&w);
	world_init(&w, 1, 2);
	w.refuse_profile = true;
	world_start(&w);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	assert_true(w.refused > 0);
	assert_int_equal(w.dev.fed, 0);
	world_fini(&w);
}

/* One plain link is enough: no production order; a test order runs. */
static void
test_plain_link(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		world_init(&w, 2, 2);
		w.plain = i & 1;
		w.production = i & 2;
		world_start(&w);
		for (int k = 0; k < 400; k++)
			world_round(&w);
		if (i == 3) {
			assert_true(w.refused > 0);
			assert_int_equal(w.last_refused.err, CW_EDENIED);
			assert_int_equal(w.last_refused.record, 0);
			assert_non_null(strstr(w.last_refused.text, "plain"));
			assert_int_equal(w.dev.fed, 0);
		} else {
			assert_int_equal(w.refused, 0);
			assert_int_equal(w.count_good, 2);
		}
		world_fini(&w);
	}
}

static void
test_outbox(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(2, 6);
	w.deaf = true;
	for (int i = 0; i < 800; i++)
		world_round(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.outbox, 6);
	assert_int_equal(w.results, 6);

	/* Results are there again after a crash and a rewriting. */
	world_kill(&w, 0);
	world_start(&w);
	w.plat_away = true;
	for (int i = 0; i < 20; i++)
		world_round(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.outbox, 6);
	w.plat_away = w.deaf = false;
	for (int i = 0; i < 20; i++)
		world_round(&w);
	cw_line_count(w.line, &c);
	assert_int_equal(c.outbox, 0);
	assert_int_equal(w.results, 6);
	end();
}

/* Nothing is fed when the journal could not hold what the card may need. */
static void
test_disk_full(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(2, 12);
	for (int i = 0; i < 400 && w.dev.good < 2; i++)
		world_round(&w);
	w.disk.space = w.journal.allocated;
	for (int i = 0; i < 3000 && w.last_status.u.status.line_state != 2; i++)
		world_round(&w);
	/* 64 KiB hold three cards' worst case: it must stop well before 12. */
	if (!world_done(&w)) {
		cw_line_count(w.line, &c);
		for (int i = 0; i < 300; i++)
			world_round(&w);
		cw_line_count(w.line, &c);
		assert_int_equal(c.begun, 0);
		assert_int_equal(w.last_status.u.status.line_state, 2);
		assert_non_null(strstr(w.last_status.u.status.why, "full"));
	}
	w.disk.space = SIZE_MAX;
	assert_true(world_run(&w, 3000));
	end();
}

static void
test_disk_broken(void **state)
{
	(void)state;
	begin(2, 12);
	for (int i = 0; i < 400 && w.dev.good < 2; i++)
		world_round(&w);
	w.disk.calls = 0;
	w.disk.fail_at = 1;
	w.disk.fail_err = CW_EIO;
	for (int i = 0; i < 50; i++)
		world_round(&w);
	assert_int_equal(w.last_status.u.status.line_state, 4);
	world_kill(&w, 0);
	world_start(&w);
	assert_true(world_run(&w, 3000));
	end();
}

/* The journal is rewritten between any two rounds: nothing changes. */
static int
add_rec(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	return cw_journal_rewrite_add(ctx, type, payload, len);
}

static void
rewrite(void)
{
	int64_t lsn;

	assert_int_equal(cw_journal_rewrite_begin(&w.journal), 0);
	assert_int_equal(cw_line_snapshot(w.line, add_rec, &w.journal), 0);
	lsn = cw_journal_rewrite_end(&w.journal);
	assert_true(lsn > 0);
	cw_line_durable(w.line, (uint64_t)lsn, w.now);
}

static void
test_rewrite_everywhere(void **state)
{
	(void)state;
	begin(2, 12);
	w.reader[0].play[1] = PLAY_SW;
	w.reader[0].play_cnt = 2;
	for (int i = 0; i < 2000 && !world_done(&w); i++) {
		world_round(&w);
		rewrite();
		if (i % 40 == 13) {
			world_kill(&w, 0);
			world_start(&w);
		}
	}
	assert_true(world_done(&w));
	end();
}

/* Killed at the n-th op, for every n, with all, none or some of the unsynced
 * bytes on the disk; then once more during recovery. */
static void
sweep(unsigned int second, size_t keep_bytes)
{
	for (unsigned int at = 1; at < 100000; at++) {
		world_init(&w, 2, 4);
		w.attempts_max = 20;
		w.reader[0].play[1] = PLAY_SW;
		w.reader[0].play_cnt = 2;
		w.die_at = at;
		world_start(&w);
		world_run(&w, 2000);
		if (!w.dead) {
			end();
			assert_true(at > 50);
			return;
		}
		world_kill(&w, keep_bytes);
		w.die_at = second;
		world_start(&w);
		world_run(&w, 2000);
		if (w.dead) {
			world_kill(&w, keep_bytes);
			w.die_at = 0;
			world_start(&w);
		}
		w.die_at = 0;
		if (!world_run(&w, 4000))
			fail_msg("at %u second %u: not done", at, second);
		for (uint64_t r = 1; r <= 4; r++)
			assert_true(w.rec[r].good);
		end();
	}
	fail();
}

static void
test_kill_everywhere(void **state)
{
	(void)state;
	sweep(0, 0);
	sweep(0, SIZE_MAX);
	sweep(0, 70);
}

static void
test_kill_twice(void **state)
{
	(void)state;
	for (unsigned int second = 2; second < 40; second += 3)
		sweep(second, second % 2 == 0 ? 0 : 100);
}

/* In doubt after a crash are exactly the cards that stood in stations. */
static void
test_crash_cost(void **state)
{
	(void)state;
	begin(4, 12);
	for (unsigned int i = 0; i < 4; i++) {
		w.reader[i].play[0] = PLAY_SILENT;
		w.reader[i].play_cnt = 1;
	}
	for (int i = 0; i < 400; i++)
		world_round(&w);
	assert_int_equal(w.dev.fed, 4);
	world_kill(&w, 0);
	world_start(&w);
	assert_true(world_run(&w, 3000));
	assert_int_equal(w.count_doubt, 4);
	assert_int_equal(w.dev.good, 12);
	assert_int_equal(w.dev.fed, 16);
	end();
}

static void
test_drain(void **state)
{
	struct cw_line_counts c;

	(void)state;
	begin(2, 30);
	for (int i = 0; i < 400 && w.dev.good < 4; i++)
		world_round(&w);
	cw_line_drain(w.line, true, w.now);
	for (int i = 0; i < 100; i++)
		world_round(&w);
	assert_true(cw_line_quiet(w.line));
	cw_line_count(w.line, &c);
	assert_int_equal(c.begun, 0);
	assert_false(world_done(&w));
	world_kill(&w, 0);
	world_start(&w);
	assert_true(world_run(&w, 4000));
	assert_int_equal(w.count_doubt, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_happy),
		cmocka_unit_test(test_disk_first),
		cmocka_unit_test(test_binned_first),
		cmocka_unit_test(test_cos_only_and_data_only),
		cmocka_unit_test(test_image_held),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_reader_down_at_start),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_remake),
		cmocka_unit_test(test_quarantine),
		cmocka_unit_test(test_jam_and_loss),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_missort),
		cmocka_unit_test(test_hopper),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_other_device),
		cmocka_unit_test(test_revoke),
		cmocka_unit_test(test_revoke_begun),
		cmocka_unit_test(test_many_orders),
		cmocka_unit_test(test_pause_cancel_close),
		cmocka_unit_test(test_refused_orders),
		cmocka_unit_test(test_plain_link),
		cmocka_unit_test(test_outbox),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_disk_broken),
		cmocka_unit_test(test_rewrite_everywhere),
		cmocka_unit_test(test_kill_everywhere),
		cmocka_unit_test(test_kill_twice),
		cmocka_unit_test(test_crash_cost),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
