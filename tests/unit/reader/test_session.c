/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

/* Connections, HELLO, broken peers, room. */
#define SECOND 1000000u

static uint8_t prog[CW_PROG_MAX];

/* A program that holds the slot for 50 s. */
static size_t
make_slow(uint8_t flags)
{
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	fake_put_update(&b, flags, (const uint8_t *)"x", 1);
	cw_prog_delay(&b, 50 * SECOND);
	return (size_t)cw_prog_end(&b);
}

static int
refusal(struct fake *f, struct cw_rl_refuse *m)
{
	struct cw_frame fr;

	assert_true(cw_frame_peek(&fr, f->other, f->other_len,
	    CW_RLINK_VERSION, CW_RLINK_BODY_MAX) > 0);
	assert_int_equal(fr.type, CW_RL_REFUSE);
	assert_int_equal(cw_rl_get_refuse(m, fr.body, fr.body_len), 0);
	f->other_len = 0;
	return m->err;
}

static void
test_hello(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_hello_ok m;
	struct cw_rl_slot slot;
	struct cw_frame fr;

	(void)state;
	f->sent_conn = fake_connect(f);
	fake_hello(f, f->sent_conn, "line-1", 7);
	assert_true(fake_next(f, CW_RL_HELLO_OK, &fr));
	assert_int_equal(fr.id, f->id);
	assert_int_equal(cw_rl_get_hello_ok(&m, fr.body, fr.body_len), 0);
	assert_memory_equal(m.serial, f->cfg.serial, 16);
	assert_string_equal(m.firmware, "fake 1");
	assert_int_equal(m.boot_id, f->cfg.boot_id);
	assert_int_equal(m.slot_cnt, 1);
	assert_int_equal(m.store_cap, 65536);
	assert_int_equal(m.store_gen, 0);
	assert_true(fake_next(f, CW_RL_SLOT, &fr));
	assert_int_equal(cw_rl_get_slot(&slot, fr.body, fr.body_len), 0);
	assert_int_equal(slot.present, 1);
	assert_int_equal(slot.card_session, 1);
	assert_int_equal(slot.state, CW_SLOT_READY);
	assert_int_equal(slot.last_attempt, 0);

	fake_frame(f, cw_rl_put_empty(FAKE_OUT, 42, CW_RL_PING));
	assert_true(fake_next(f, CW_RL_PONG, &fr));
	assert_int_equal(fr.id, 42);
	fake_hello(f, f->sent_conn, "line-1", 7);
	assert_int_equal(fake_error(f), CW_ESTATE);
	fake_end(f);
}

static void
test_second_terminal(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_refuse m;
	struct cw_frame fr;
	int conn;

	(void)state;
	fake_link(f);
	conn = fake_connect(f);
	fake_hello(f, conn, "line-2", 7);
	assert_int_equal(refusal(f, &m), CW_EBUSY);
	assert_non_null(strstr(m.text, "line-1"));
	assert_non_null(strstr(m.text, "stop it"));
	assert_true(f->closed[conn]);

	/* The same name in another session is a second terminal too. */
	conn = fake_connect(f);
	fake_hello(f, conn, "line-1", 8);
	assert_int_equal(refusal(f, &m), CW_EBUSY);
	assert_true(f->closed[conn]);

	/* The present one is undisturbed. */
	fake_frame(f, cw_rl_put_empty(FAKE_OUT, 1, CW_RL_PING));
	assert_true(fake_next(f, CW_RL_PONG, &fr));
	fake_drop_link(f);
	f->sent_conn = fake_connect(f);
	fake_hello(f, f->sent_conn, "line-2", 9);
	assert_true(fake_next(f, CW_RL_HELLO_OK, &fr));
	fake_end(f);
}

/* The same terminal and session on a new connection: the old one was dead. */
static void
test_replace(void **state)
{
	struct fake *f = fake_new();
	struct cw_frame fr;
	int old, conn;
	size_t len;

	(void)state;
	old = fake_link(f);
	len = make_slow(0);
	fake_run_prog(f, 1, 0, prog, len);
	fake_run_prog(f, 2, CW_RUN_PERSONAL, prog, len);
	fake_run(f, SECOND);

	/* Half a frame is on the way on the old one. */
	fake_bytes(f, old, (const uint8_t *)"CW\1\2\0\0", 6);
	conn = fake_connect(f);
	f->sent_conn = conn;
	f->sent_len = f->sent_off = 0;
	fake_hello(f, conn, "line-1", 7);
	assert_true(fake_next(f, CW_RL_HELLO_OK, &fr));
	assert_true(f->closed[old]);
	assert_int_equal(f->core.slot[0].job_cnt, 2);
	fake_frame(f, cw_rl_put_empty(FAKE_OUT, 1, CW_RL_PING));
	assert_true(fake_next(f, CW_RL_PONG, &fr));
	fake_end(f);
}

struct broken_case {
	const char *name;
	uint8_t bytes[24];
	size_t len;
	int err;
};

/* Before HELLO: whatever is wrong is answered with REFUSE and a close. */
static void
test_broken_stranger(void **state)
{
	static const struct broken_case cases[] = {
		{ "http", "GET / HTTP/1.1\r\n\r\n..", 20, CW_EFORMAT },
		{ "zeros", { 0 }, 20, CW_EFORMAT },
	};
	struct cw_rl_refuse m;
	size_t i;
	int conn;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake *f = fake_new();

		conn = fake_connect(f);
		fake_bytes(f, conn, cases[i].bytes, cases[i].len);
		assert_true(f->closed[conn]);
		assert_int_equal(refusal(f, &m), cases[i].err);
		fake_end(f);
	}
}

static void
test_first_message(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_refuse m;
	uint8_t buf[64] = { 0 };
	size_t len;
	int conn;

	(void)state;
	conn = fake_connect(f);
	len = (size_t)cw_rl_put_empty(buf, sizeof buf, 3, CW_RL_PING);
	fake_bytes(f, conn, buf, len);
	assert_true(f->closed[conn]);
	assert_int_equal(refusal(f, &m), CW_ESTATE);

	/* Another version of the link. */
	for (int step = -1; step <= 1; step += 2) {
		conn = fake_connect(f);
		len = cw_frame_seal(buf, (uint8_t)(CW_RLINK_VERSION + step),
		    CW_RL_HELLO, 1, 20);
		fake_bytes(f, conn, buf, len);
		assert_true(f->closed[conn]);
		assert_int_equal(refusal(f, &m), CW_EVERSION);
		assert_string_equal(m.text, step < 0 ?
		    "this reader speaks reader-link version 1, the terminal "
		    "version 0; update the terminal" :
		    "this reader speaks reader-link version 1, the terminal "
		    "version 2; update the reader");
	}

	/* A HELLO whose body is nonsense. */
	conn = fake_connect(f);
	len = cw_frame_seal(buf, CW_RLINK_VERSION, CW_RL_HELLO, 1, 20);
	fake_bytes(f, conn, buf, len);
	assert_true(f->closed[conn]);
	assert_true(refusal(f, &m) < 0);
	fake_end(f);
}

/* After HELLO: a bad frame ends the link, a bad request only itself. */
static void
test_broken_terminal(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_refuse m;
	struct cw_frame fr;
	uint8_t buf[64] = { 0 };
	size_t len;
	int conn;

	(void)state;
	conn = fake_link(f);
	len = cw_frame_seal(buf, CW_RLINK_VERSION, 0x7f, 5, 3);
	fake_bytes(f, conn, buf, len);
	assert_int_equal(fake_error(f), CW_EUNSUPPORTED);
	len = cw_frame_seal(buf, CW_RLINK_VERSION, CW_RL_RUN, 6, 3);
	fake_bytes(f, conn, buf, len);
	assert_true(fake_error(f) < 0);
	assert_false(f->closed[conn]);

	len = cw_frame_seal(buf, CW_RLINK_VERSION, CW_RL_PING, 6, 0);
	buf[17] ^= 1;
	fake_bytes(f, conn, buf, len);
	assert_true(f->closed[conn]);
	assert_true(fake_next(f, CW_RL_REFUSE, &fr));
	assert_int_equal(cw_rl_get_refuse(&m, fr.body, fr.body_len), 0);
	assert_int_equal(m.err, CW_ECRC);
	assert_false(f->core.linked);
	fake_end(f);
}

/* Bytes may come one by one, or many frames at once. */
static void
test_pieces(void **state)
{
	struct fake *f = fake_new();
	static uint8_t buf[40000];
	struct cw_rl_run m = { .attempt = 1, .prog = prog };
	struct cw_frame fr;
	struct cw_prog_builder b;
	size_t len = 0, i;
	int conn;

	(void)state;
	conn = fake_link(f);

	/* As large as a program may be. */
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	for (i = 0; i < 59; i++)
		fake_put_update(&b, 0, prog, 255);
	m.prog_len = (uint16_t)cw_prog_end(&b);
	assert_true(m.prog_len > 15000);
	for (i = 0; i < 2; i++, m.attempt++)
		len += (size_t)cw_rl_put_run(buf + len, sizeof buf - len, 1, &m);
	len += (size_t)cw_rl_put_empty(buf + len, sizeof buf - len, 2,
	    CW_RL_PING);
	for (i = 0; i < len; i++)
		fake_bytes(f, conn, buf + i, 1);
	assert_true(fake_next(f, CW_RL_PONG, &fr));
	fake_run(f, SECOND);
	assert_true(fake_next(f, CW_RL_RESULT, &fr));
	assert_true(fake_next(f, CW_RL_RESULT, &fr));

	/* The same at once, and split at an odd place. */
	len = 0;
	for (i = 0; i < 2; i++, m.attempt++)
		len += (size_t)cw_rl_put_run(buf + len, sizeof buf - len, 1, &m);
	len += (size_t)cw_rl_put_empty(buf + len, sizeof buf - len, 2,
	    CW_RL_PING);
	fake_bytes(f, conn, buf, 20001);
	fake_bytes(f, conn, buf + 20001, len - 20001);
	assert_true(fake_next(f, CW_RL_PONG, &fr));
	fake_end(f);
}

static void
test_silent(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_refuse m;
	int conn, i;

	(void)state;

	/* Who says nothing within 10 s is sent away. */
	conn = fake_connect(f);
	fake_run(f, 9 * SECOND);
	assert_false(f->closed[conn]);
	fake_run(f, 2 * SECOND);
	assert_true(f->closed[conn]);
	assert_int_equal(refusal(f, &m), CW_ETIMEOUT);

	/* A terminal is given up after 15 s of silence, not while it pings. */
	conn = fake_link(f);
	for (i = 0; i < 5; i++) {
		fake_run(f, 10 * SECOND);
		fake_frame(f, cw_rl_put_empty(FAKE_OUT, 1, CW_RL_PING));
	}
	assert_false(f->closed[conn]);
	fake_run(f, 16 * SECOND);
	assert_true(f->closed[conn]);
	fake_end(f);
}

static void
test_crowd(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_refuse m;
	int i, conn;

	(void)state;
	for (i = 0; i < CW_READER_PEERS_MAX; i++)
		fake_connect(f);
	conn = fake_connect(f);
	assert_true(f->closed[conn]);
	assert_int_equal(refusal(f, &m), CW_EBUSY);
	fake_hello(f, 1, "line-1", 7);
	assert_false(f->closed[1]);
	fake_end(f);
}

/* No room: nothing is lost, and no request is taken meanwhile. */
static void
test_room(void **state)
{
	struct fake *f = fake_new();
	struct cw_event room = { .kind = CW_EV_NET_ROOM };
	struct cw_rl_result m;
	struct cw_frame fr;
	size_t len;
	int conn, i;

	(void)state;
	conn = fake_link(f);
	room.conn = conn;
	f->full = true;
	len = make_slow(0);
	fake_run_prog(f, 1, 0, prog, len);
	for (i = 0; i < 5; i++)
		fake_frame(f, cw_rl_put_empty(FAKE_OUT, 10u + (uint32_t)i,
		    CW_RL_PING));
	fake_run(f, SECOND);
	fake_insert(f, false);
	fake_insert(f, true);
	fake_run(f, SECOND);
	f->sent_off = f->sent_len;
	f->full = false;
	fake_event(f, &room);
	assert_true(fake_next(f, CW_RL_RUN_OK, &fr));
	for (i = 0; i < 5; i++) {
		assert_true(fake_next(f, CW_RL_PONG, &fr));
		assert_int_equal(fr.id, 10 + i);
	}
	f->sent_off = 0;
	fake_result(f, &m);
	assert_int_equal(m.outcome, CW_OUT_REMOVED);

	/* Who sends for ever and reads nothing loses the link. */
	f->full = true;
	for (i = 0; i < 2000 && !f->closed[conn]; i++)
		fake_frame(f, cw_rl_put_empty(FAKE_OUT, 1, CW_RL_PING));
	assert_true(f->closed[conn]);
	fake_end(f);
}

/* What becomes of the work when the link goes. */
static void
test_link_loss(void **state)
{
	struct fake *f = fake_new();
	struct cw_rl_result m;
	struct cw_frame fr;
	size_t len;

	(void)state;
	fake_link(f);
	len = make_slow(CW_STEP_PERSONAL);
	fake_run_prog(f, 1, CW_RUN_PERSONAL, prog, len);
	fake_run_prog(f, 2, CW_RUN_PERSONAL, prog, len);
	len = make_slow(0);
	fake_run_prog(f, 3, CW_RUN_CHAIN, prog, len);
	fake_run_prog(f, 4, 0, prog, len);
	fake_run(f, SECOND);
	fake_drop_link(f);

	/* 1 runs to its end (51 s), 2 is gone, 3 hung on 2, 4 would go on. */
	fake_run(f, 55 * SECOND);
	fake_link(f);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 2);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 1);
	assert_int_equal(m.outcome, CW_OUT_GOOD);
	assert_int_equal(m.flags, CW_RES_TOUCHED);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 3);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	assert_false(fake_next(f, CW_RL_RESULT, &fr));
	assert_int_equal(f->core.slot[0].state, CW_SLOT_DELAY);
	fake_end(f);
}

static void
test_orphan(void **state)
{
	struct fake *f = fake_new();
	struct cw_prog_builder b;
	struct cw_rl_result m;
	int len;

	(void)state;
	fake_link(f);
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_delay(&b, 60 * SECOND);
	cw_prog_delay(&b, 60 * SECOND);
	len = cw_prog_end(&b);
	fake_run_prog(f, 1, 0, prog, (size_t)len);
	fake_run_prog(f, 2, 0, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_drop_link(f);
	fake_run(f, 59 * SECOND);
	assert_true(f->card.powered);
	fake_run(f, 2 * SECOND);
	assert_false(f->card.powered);
	fake_link(f);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 2);
	assert_int_equal(m.outcome, CW_OUT_SKIPPED);
	fake_result(f, &m);
	assert_int_equal(m.attempt, 1);
	assert_int_equal(m.outcome, CW_OUT_TERMINAL_LOST);

	/* A card that was left active is switched off too. */
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	len = cw_prog_end(&b);
	fake_run_prog(f, 3, CW_RUN_KEEP_POWER, prog, (size_t)len);
	fake_run(f, SECOND);
	fake_drop_link(f);
	assert_true(f->card.powered);
	fake_run(f, 61 * SECOND);
	assert_false(f->card.powered);
	fake_end(f);
}

static void
test_config(void **state)
{
	struct fake *f = fake_new();
	struct cw_reader_config c = f->cfg;

	(void)state;
	c.slot_cnt = 0;
	assert_int_equal(cw_reader_init(&f->core, &c, 0), CW_EINVAL);
	c = f->cfg;
	c.slot_cnt = 2;		/* queue memory for one */
	assert_int_equal(cw_reader_init(&f->core, &c, 0), CW_EINVAL);
	c = f->cfg;
	c.clk_hz = 6000000;
	assert_int_equal(cw_reader_init(&f->core, &c, 0), CW_EINVAL);
	c = f->cfg;
	c.vcc_mv = 12000;
	assert_int_equal(cw_reader_init(&f->core, &c, 0), CW_EINVAL);
	c = f->cfg;
	memset(c.firmware, 'x', sizeof c.firmware);
	assert_int_equal(cw_reader_init(&f->core, &c, 0), CW_EINVAL);
	assert_int_equal(cw_reader_init(&f->core, &f->cfg, 0), 0);
	fake_end(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_second_terminal),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_broken_stranger),
		cmocka_unit_test(test_first_message),
		cmocka_unit_test(test_broken_terminal),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_link_loss),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests_name("reader/session", tests, NULL, NULL);
}
