/* SPDX-License-Identifier: Apache-2.0 */
/* What an order is said to wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "platform/ledger.h"

#define HERE 0x7F000101u	/* 127.0.1.1 */
#define GONE 0x7F000109u	/* 127.0.1.9 */

struct fixture {
	struct cw_store *mem, *s;	/* s: with faults */
	struct cw_seal *seal;
	struct cw_ledger *l;
};

static int
on_send(void *ctx, uint32_t conn, const struct cw_pl_msg *m)
{
	(void)ctx;
	(void)conn;
	(void)m;
	return 0;
}

static void
on_close(void *ctx, uint32_t conn)
{
	(void)ctx;
	(void)conn;
}

static const struct cw_ledger_ops ops = { .send = on_send, .close = on_close };

static int
setup(void **state)
{
	static const uint8_t key[CW_SEAL_KEY_LEN] = { 42 };
	struct fixture *f = calloc(1, sizeof *f);
	struct cw_ledger_config cfg = { .ops = &ops, .ctx = f, .platform = 77 };

	f->mem = cw_store_mem_new();
	f->s = cw_store_fault_new(f->mem);
	f->seal = cw_seal_new(key);
	cfg.store = f->s;
	cfg.seal = f->seal;
	f->l = cw_ledger_new(&cfg);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	cw_ledger_free(f->l);
	cw_store_close(f->s);
	cw_store_close(f->mem);
	cw_seal_free(f->seal);
	free(f);
	return 0;
}

/* An order without data; record i is bound to addr[i % addr_cnt]. */
static uint64_t
make_order(struct fixture *f, struct cw_st_order ord, unsigned int cnt,
    const uint32_t *addr, unsigned int addr_cnt)
{
	const struct cw_store_ops *o = f->mem->ops;
	struct cw_st_new r = { 0 };
	struct cw_st_dup dup;

	ord.state = CW_ORD_INTAKE;
	ord.total = cnt;
	ord.remake_max = ord.blank_max = 3;
	assert_int_equal(o->begin(f->mem->h), 0);
	assert_int_equal(o->order_insert(f->mem->h, &ord, &ord.id), 0);
	for (r.record = 1; r.record <= cnt; r.record++) {
		r.addr = addr[(r.record - 1) % addr_cnt];
		assert_int_equal(o->record_add(f->mem->h, ord.id, &r, &dup), 0);
	}
	ord.state = CW_ORD_READY;
	assert_int_equal(o->order_put(f->mem->h, &ord), 0);
	assert_int_equal(o->commit(f->mem->h), 0);
	return ord.id;
}

static void
connect_line(struct fixture *f, uint32_t conn, const char *name)
{
	struct cw_pl_msg m = { .type = CW_PL_HELLO };

	snprintf(m.u.hello.terminal, sizeof m.u.hello.terminal, "%s", name);
	m.u.hello.incarnation = conn;
	m.u.hello.next_seq = m.u.hello.first_seq = 1;
	m.u.hello.start_cnt = 1;
	m.u.hello.station_cnt = 2;
	assert_int_equal(cw_ledger_open(f->l, conn, name, 0x7F000001, 1), 0);
	assert_int_equal(cw_ledger_msg(f->l, conn, &m, 1), 0);
}

/* Its stations are at addr and addr + 1; works: PULL names them. */
static void
tell(struct fixture *f, uint32_t conn, uint32_t addr, bool works)
{
	struct cw_pl_msg m = { .type = CW_PL_PULL };

	m.u.pull.addr_cnt = works ? 2 : 0;
	m.u.pull.addr[0] = addr;
	m.u.pull.addr[1] = addr + 1;
	assert_int_equal(cw_ledger_msg(f->l, conn, &m, 1), 0);
	memset(&m, 0, sizeof m);
	m.type = CW_PL_STATUS;
	m.u.status.station_cnt = 2;
	m.u.status.station[0].reader = addr;
	m.u.status.station[1].reader = addr + 1;
	if (!works)
		strcpy(m.u.status.station[0].why, "reader is down");
	assert_int_equal(cw_ledger_msg(f->l, conn, &m, 1), 0);
}

static void
tell_held(struct fixture *f, uint32_t conn, const char *why)
{
	struct cw_pl_msg m = { .type = CW_PL_STATUS };

	m.u.status.line_state = 3;
	snprintf(m.u.status.why, sizeof m.u.status.why, "%s", why);
	assert_int_equal(cw_ledger_msg(f->l, conn, &m, 1), 0);
}

/* want "": it waits for nothing. */
static void
expect(struct fixture *f, uint64_t id, const char *want)
{
	char text[CW_ST_TEXT_CAP];
	struct cw_st_order o;

	assert_int_equal(f->mem->ops->order_get(f->mem->h, id, &o), 0);
	assert_int_equal(cw_ledger_waits(f->l, &o, text), want[0] != '\0');
	assert_string_equal(text, want);
}

static void
names_the_line(void **state)
{
	struct fixture *f = *state;
	static const uint32_t any[] = { 0 };
	uint64_t a = make_order(f, (struct cw_st_order){ 0 }, 1, any, 1);
	uint64_t b = make_order(f, (struct cw_st_order){ .line = "line-7" }, 1, any, 1);
	uint64_t c = make_order(f, (struct cw_st_order){ .terminal_ip = 0x0A000001 },
	    1, any, 1);
	uint64_t d = make_order(f, (struct cw_st_order){ .terminal_ip = 0x0A000001,
	    .line = "line-1" }, 1, any, 1);

	expect(f, a, "no line is connected");
	expect(f, b, "waits for line line-7: it is not connected");
	connect_line(f, 1, "line-1");
	expect(f, a, "");
	tell(f, 1, HERE, true);
	expect(f, a, "");
	expect(f, b, "waits for line line-7: it is not connected");
	expect(f, c, "waits for a line at 10.0.0.1: none is connected from there");
	expect(f, d, "waits for line line-1 at 10.0.0.1: it is not connected there");
	connect_line(f, 2, "line-7");
	expect(f, b, "");
}

static void
names_the_reader(void **state)
{
	struct fixture *f = *state;
	static const uint32_t mixed[] = { 0, HERE, GONE };
	uint64_t a = make_order(f, (struct cw_st_order){ 0 }, 6, mixed, 2);
	uint64_t b = make_order(f, (struct cw_st_order){ 0 }, 6, mixed, 3);
	uint64_t c = make_order(f, (struct cw_st_order){ .line = "line-1" }, 6, mixed, 3);

	connect_line(f, 1, "line-1");
	expect(f, b, "");	/* it has not told its readers yet */
	tell(f, 1, HERE, true);
	expect(f, a, "");
	expect(f, b, "waits for reader 127.0.1.9: no connected line has it");
	connect_line(f, 2, "line-2");
	tell(f, 2, GONE, true);
	expect(f, b, "");
	expect(f, c, "waits for reader 127.0.1.9: no connected line that may make the "
	    "order has it");

	/* One that a line has, but that does not work. */
	tell(f, 2, GONE, false);
	expect(f, b, "waits for reader 127.0.1.9 of line-2: reader is down");
	cw_ledger_closed(f->l, 2, 1);
	expect(f, b, "waits for reader 127.0.1.9: no connected line has it");
}

static void
names_what_holds_the_lines(void **state)
{
	struct fixture *f = *state;
	static const uint32_t any[] = { 0 };
	uint64_t id = make_order(f, (struct cw_st_order){ 0 }, 4, any, 1);

	connect_line(f, 1, "line-1");
	tell(f, 1, HERE, true);
	tell_held(f, 1, "the hopper is empty: fill it");
	expect(f, id, "every line that could take it is held: line-1: the hopper is "
	    "empty: fill it");
	connect_line(f, 2, "line-2");
	expect(f, id, "");
	tell(f, 2, GONE, false);
	cw_ledger_closed(f->l, 1, 1);
	expect(f, id, "every line that could take it is held: line-2: none of its "
	    "readers works: reader is down");
	assert_int_equal(cw_ledger_pause(f->l, id, NULL, 1), 0);
	expect(f, id, "");
	assert_int_equal(cw_ledger_resume(f->l, id, NULL, 1), 0);
	assert_int_equal(cw_ledger_cancel(f->l, id, NULL, 1), 0);
	expect(f, id, "");
}

/* What a line that is away has in hand is waited for, in every open state. */
static void
names_who_has_it_in_hand(void **state)
{
	struct fixture *f = *state;
	static const uint32_t any[] = { 0 };
	uint64_t id = make_order(f, (struct cw_st_order){ 0 }, 2, any, 1);
	struct cw_pl_msg m = { .type = CW_PL_PULL };

	connect_line(f, 1, "line-1");
	m.u.pull.want = 2;
	assert_int_equal(cw_ledger_msg(f->l, 1, &m, 1), 0);
	assert_int_equal(cw_ledger_flush(f->l, 1), 0);
	expect(f, id, "");
	cw_ledger_closed(f->l, 1, 1);
	expect(f, id, "waits for line line-1: it has records in hand and is not "
	    "connected");
	assert_int_equal(cw_ledger_cancel(f->l, id, NULL, 1), 0);
	expect(f, id, "waits for line line-1: it has records in hand and is not "
	    "connected");
	connect_line(f, 1, "line-1");
	expect(f, id, "");
}

static void
tells_of_a_store_that_cannot_record(void **state)
{
	struct fixture *f = *state;
	static const uint32_t any[] = { 0 };
	uint64_t id = make_order(f, (struct cw_st_order){ 0 }, 1, any, 1);

	connect_line(f, 1, "line-1");
	cw_store_fault_set(f->s, 1, true);
	assert_true(cw_ledger_tick(f->l, 5000) < 0);
	cw_store_fault_set(f->s, 0, false);
	expect(f, id, "the database cannot record: input or output failed");
}

/* Its work does not grow with the records, nor with other orders' addresses. */
static void
looks_at_few_rows(void **state)
{
	struct fixture *f = *state;
	uint32_t addr[500];
	uint64_t many, one;
	char text[CW_ST_TEXT_CAP];
	struct cw_st_order o;
	unsigned int i, n;
	int err = -1;

	for (i = 0; i < 500; i++)
		addr[i] = GONE + 1 + i;
	many = make_order(f, (struct cw_st_order){ 0 }, 5000, addr, 500);
	addr[0] = 0;
	one = make_order(f, (struct cw_st_order){ 0 }, 1, addr, 1);
	connect_line(f, 1, "line-1");
	tell(f, 1, HERE, true);
	expect(f, many, "waits for reader 127.0.1.10: no connected line has it");
	assert_int_equal(f->mem->ops->order_get(f->mem->h, one, &o), 0);

	/* The nth call fails, and is told of, as long as there is an nth. */
	for (n = 1; n <= 1000 && err < 0; n++) {
		cw_store_fault_set(f->s, n, false);
		err = cw_ledger_waits(f->l, &o, text);
		assert_true(err == CW_EIO || err == 0);
		assert_string_equal(text, "");
	}
	assert_int_equal(err, 0);
	assert_int_equal(n, 130);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(names_the_line),
		T(names_the_reader),
		T(names_what_holds_the_lines),
		T(names_who_has_it_in_hand),
		T(tells_of_a_store_that_cannot_record),
		T(looks_at_few_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
