/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch core against scripted and against random terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/outcome.h"
#include "cw/package.h"
#include "platform/ledger.h"

#define OUT_MAX 4096
static const uint8_t key[CW_SEAL_KEY_LEN] = { 42 };
static const uint8_t clear_record[] = { 0, 1, 2, 'k', 'i', 0, 3, 'a', 'b', 'c' };

struct sent {
	uint32_t conn;
	struct cw_pl_msg m;	/* pointers are not valid any more */
};

struct fixture {
	struct cw_store *mem, *s;	/* s: with faults */
	struct cw_seal *seal;
	struct cw_ledger *l;
	struct sent out[OUT_MAX];
	unsigned int out_cnt;
	uint32_t closed[64];
	unsigned int closed_cnt;
	uint64_t now;
};

static int
on_send(void *ctx, uint32_t conn, const struct cw_pl_msg *m)
{
	struct fixture *f = ctx;
	struct cw_pkg p;

	assert_true(f->out_cnt < OUT_MAX);
	if (m->type == CW_PL_LEASE && m->u.lease.pkg_len > 0) {
		assert_int_equal(cw_pkg_parse(&p, m->u.lease.pkg, m->u.lease.pkg_len), 0);
		assert_int_equal(p.kind, CW_PKG_PERSONAL);
		assert_int_equal(p.order, m->u.lease.order);
		assert_int_equal(p.record, m->u.lease.record);
		assert_int_equal(p.epoch, m->u.lease.epoch);
		assert_int_equal(p.payload_len, sizeof clear_record);
		assert_memory_equal(p.payload, clear_record, sizeof clear_record);
	}
	f->out[f->out_cnt++] = (struct sent){ conn, *m };
	return 0;
}

static void
on_close(void *ctx, uint32_t conn)
{
	struct fixture *f = ctx;

	if (f->closed_cnt < 64)
		f->closed[f->closed_cnt++] = conn;
}

static uint64_t
on_utc(void *ctx)
{
	return 1700000000000 + ((struct fixture *)ctx)->now;
}

static const struct cw_ledger_ops ops = { .send = on_send, .close = on_close };

static void
start_platform(struct fixture *f)
{
	const struct cw_ledger_config cfg = { .store = f->s, .seal = f->seal,
	    .ops = &ops, .ctx = f, .platform = 77, .repeat_ms = 1000,
	    .utc_ms = on_utc };

	f->l = cw_ledger_new(&cfg);
	assert_non_null(f->l);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->mem = cw_store_mem_new();
	f->s = cw_store_fault_new(f->mem);
	f->seal = cw_seal_new(key);
	f->now = 1;
	start_platform(f);
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

/* Order of cnt sealed records; the template may set policy and target. */
static uint64_t
make_order(struct fixture *f, unsigned int cnt, const struct cw_st_order *base)
{
	const struct cw_store_ops *o = f->mem->ops;
	struct cw_st_order ord = *base;
	uint8_t sealed[sizeof clear_record + CW_SEAL_OVERHEAD];
	struct cw_st_new r = { .payload = sealed, .payload_len = sizeof sealed };
	struct cw_st_dup dup;
	uint64_t id;
	unsigned int i;

	ord.state = CW_ORD_INTAKE;
	ord.has_data = 1;
	ord.total = cnt;
	ord.remake_max = ord.remake_max == 0 ? 3 : ord.remake_max;
	ord.blank_max = ord.blank_max == 0 ? 10 : ord.blank_max;
	assert_int_equal(o->begin(f->mem->h), 0);
	assert_int_equal(o->order_insert(f->mem->h, &ord, &id), 0);
	for (i = 1; i <= cnt; i++) {
		r.record = i;
		assert_true(cw_seal_put(f->seal, &(struct cw_seal_id){ id, i },
		    clear_record, sizeof clear_record, sealed) > 0);
		assert_int_equal(o->record_add(f->mem->h, id, &r, &dup), 0);
	}
	ord.id = id;
	ord.state = CW_ORD_READY;
	assert_int_equal(o->order_put(f->mem->h, &ord), 0);
	assert_int_equal(o->commit(f->mem->h), 0);
	return id;
}

static int
hello(struct fixture *f, uint32_t conn, const char *name, uint64_t inc, uint64_t next_seq)
{
	struct cw_pl_msg m = { .type = CW_PL_HELLO };

	snprintf(m.u.hello.terminal, sizeof m.u.hello.terminal, "%s", name);
	m.u.hello.incarnation = inc;
	m.u.hello.next_seq = next_seq;
	m.u.hello.start_cnt = 1;
	m.u.hello.first_seq = 1;
	assert_int_equal(cw_ledger_open(f->l, conn, name, 0x7F000001, f->now), 0);
	return cw_ledger_msg(f->l, conn, &m, f->now);
}

static void
pull(struct fixture *f, uint32_t conn, uint16_t want, uint32_t addr)
{
	struct cw_pl_msg m = { .type = CW_PL_PULL };

	m.u.pull.want = want;
	m.u.pull.addr_cnt = addr != 0;
	m.u.pull.addr[0] = addr;
	assert_int_equal(cw_ledger_msg(f->l, conn, &m, f->now), 0);
	assert_int_equal(cw_ledger_flush(f->l, f->now), 0);
}

static void
result(struct fixture *f, uint32_t conn, uint64_t seq, const struct cw_pl_lease *e,
    uint8_t verdict, uint16_t outcome)
{
	struct cw_pl_msg m = { .type = CW_PL_RESULT };

	m.u.result.seq = seq;
	m.u.result.order = e->order;
	m.u.result.record = e->record;
	m.u.result.epoch = e->epoch;
	m.u.result.verdict = verdict;
	m.u.result.outcome = outcome;
	m.u.result.card_no = verdict == CW_CARD_NONE ? 0 : (uint32_t)seq;
	m.u.result.trace = "T";
	m.u.result.trace_len = 1;
	assert_int_equal(cw_ledger_msg(f->l, conn, &m, f->now), 0);
}

static void
status(struct fixture *f, uint32_t conn, uint32_t good, uint32_t reject, uint32_t cos,
    uint64_t cos_order)
{
	struct cw_pl_msg m = { .type = CW_PL_STATUS };

	m.u.status.device_feed = good + reject;
	m.u.status.device_good = good;
	m.u.status.device_reject = reject;
	m.u.status.cos_sent = cos;
	m.u.status.cos_order = cos_order;
	m.u.status.station_cnt = 4;
	m.u.status.station[0].state = CW_ST_IDLE;
	m.u.status.station[2].state = CW_ST_PERSO;
	assert_int_equal(cw_ledger_msg(f->l, conn, &m, f->now), 0);
}

/* Messages of a type sent since the last look, the last one in *m. */
static unsigned int
look(struct fixture *f, uint8_t type, struct cw_pl_msg *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < f->out_cnt; i++)
		if (f->out[i].m.type == type) {
			*m = f->out[i].m;
			n++;
		}
	return n;
}

static struct cw_st_record
rec(struct fixture *f, uint64_t order, uint64_t record)
{
	struct cw_st_record r;

	assert_int_equal(f->mem->ops->record_get(f->mem->h, order, record, &r), 0);
	return r;
}

static struct cw_st_order
ord(struct fixture *f, uint64_t id)
{
	struct cw_st_order o;

	assert_int_equal(f->mem->ops->order_get(f->mem->h, id, &o), 0);
	return o;
}

static void
flush(struct fixture *f)
{
	assert_int_equal(cw_ledger_flush(f->l, f->now), 0);
}

static void
issues_a_card(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 2, &(struct cw_st_order){ 0 });
	struct cw_ledger_report rep;
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	assert_int_equal(look(f, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.acked_seq, 0);
	assert_int_equal(m.u.welcome.platform, 77);
	status(f, 1, 1000, 50, 0, 0);
	pull(f, 1, 1, 0);
	assert_int_equal(f->out[1].m.type, CW_PL_ORDER);
	assert_int_equal(f->out[2].m.type, CW_PL_LEASE);
	assert_int_equal(f->out_cnt, 3);
	assert_int_equal(ord(f, id).state, CW_ORD_RUNNING);
	m = f->out[2].m;
	assert_int_equal(m.u.lease.epoch, 1);
	f->out_cnt = 0;

	/* recorded only at flush, acknowledged only after it */
	result(f, 1, 1, &m.u.lease, CW_CARD_GOOD, 0);
	assert_int_equal(rec(f, id, 1).state, CW_REC_LEASED);
	assert_int_equal(f->out_cnt, 0);
	flush(f);
	assert_int_equal(look(f, CW_PL_ACK, &m), 1);
	assert_int_equal(m.u.ack.seq, 1);
	assert_int_equal(rec(f, id, 1).state, CW_REC_ISSUED);
	assert_false(rec(f, id, 1).has_payload);
	assert_true(rec(f, id, 2).has_payload);

	f->out_cnt = 0;
	pull(f, 1, 5, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	assert_int_equal(look(f, CW_PL_ORDER, &m), 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	result(f, 1, 2, &m.u.lease, CW_CARD_GOOD, 0);
	flush(f);
	assert_int_equal(ord(f, id).state, CW_ORD_DONE);
	assert_int_equal(look(f, CW_PL_ORDER_STATE, &m), 1);
	assert_int_equal(m.u.order_state.state, CW_ORDER_CLOSED);

	assert_int_equal(cw_ledger_report(f->mem, id, &rep), 0);
	assert_true(rep.adds_up);
	assert_false(rep.settled);	/* the machine has not said yet */
	assert_non_null(strstr(rep.why, "line-1"));
	status(f, 1, 1002, 50, 2, id);
	assert_int_equal(cw_ledger_report(f->mem, id, &rep), 0);
	assert_true(rep.adds_up);
	assert_true(rep.settled);
	assert_int_equal(rep.drawn, 2);
	assert_int_equal(rep.cos_sent, 2);
	assert_int_equal(rep.readers, 2);
	assert_int_equal(rep.term[0].dev_feed, 2);
	assert_int_equal(rep.term[0].dev, CW_COUNTERS_EQUAL);

	/* a terminal that was restarted speaks before it has read its machine */
	status(f, 1, 0, 0, 2, id);
	assert_int_equal(cw_ledger_report(f->mem, id, &rep), 0);
	assert_true(rep.adds_up);
	assert_int_equal(rep.term[0].dev_feed, 2);

	/* a card that the machine counted and nobody reported */
	status(f, 1, 1002, 51, 2, id);
	assert_int_equal(cw_ledger_report(f->mem, id, &rep), 0);
	assert_false(rep.adds_up);
	assert_int_equal(rep.term[0].dev, CW_COUNTERS_DIFFERS);
	assert_int_equal(rep.cos_sent, 2);
}

static void
records_results_once_and_in_order(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 2, &(struct cw_st_order){ 0 });
	struct cw_pl_lease e[2];
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 2, 0);
	e[0] = f->out[2].m.u.lease;
	e[1] = f->out[3].m.u.lease;
	f->out_cnt = 0;
	result(f, 1, 2, &e[1], CW_CARD_GOOD, 0);	/* a gap: dropped */
	flush(f);
	assert_int_equal(look(f, CW_PL_ACK, &m), 0);
	assert_int_equal(rec(f, id, 2).state, CW_REC_LEASED);
	result(f, 1, 1, &e[0], CW_CARD_GOOD, 0);
	result(f, 1, 2, &e[1], CW_CARD_GOOD, 0);
	result(f, 1, 1, &e[0], CW_CARD_GOOD, 0);
	flush(f);
	assert_int_equal(look(f, CW_PL_ACK, &m), 1);	/* cumulative */
	assert_int_equal(m.u.ack.seq, 2);
	assert_int_equal(ord(f, id).counts.good, 2);
	f->out_cnt = 0;
	result(f, 1, 2, &e[1], CW_CARD_GOOD, 0);	/* the ACK was lost */
	flush(f);
	assert_int_equal(look(f, CW_PL_ACK, &m), 1);
	assert_int_equal(ord(f, id).counts.good, 2);
	assert_int_equal(ord(f, id).counts.stray, 0);
}

/* Gives one verdict after another to record 1; its state after each. */
static void
walk(struct fixture *f, uint64_t id, const uint8_t (*v)[3], unsigned int cnt)
{
	static uint64_t seq;
	struct cw_pl_msg m = { 0 };
	unsigned int i;

	if (f->now == 1)
		seq = 0;
	f->now++;
	for (i = 0; i < cnt; i++) {
		f->out_cnt = 0;
		pull(f, 1, 1, 0);
		assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
		assert_int_equal(m.u.lease.epoch, i + 1);
		result(f, 1, ++seq, &m.u.lease, v[i][0], v[i][1]);
		flush(f);
		assert_int_equal(rec(f, id, 1).state, v[i][2]);
	}
}

static void
follows_the_remake_policy(void **state)
{
	struct fixture *f = *state;
	static const uint8_t reject[][3] = {
		{ CW_CARD_REJECT, CW_OUT_SW, CW_REC_WAITING },
		{ CW_CARD_NONE, CW_OUT_NOT_FED, CW_REC_WAITING },
		{ CW_CARD_REJECT, CW_OUT_MUTE, CW_REC_WAITING },
		{ CW_CARD_DOUBT, CW_OUT_READER_LOST, CW_REC_WAITING },
		{ CW_CARD_REJECT, CW_OUT_SW, CW_REC_FAILED },
	};
	static const uint8_t doubt[][3] = {
		{ CW_CARD_DOUBT, CW_OUT_READER_LOST, CW_REC_WAITING },
		{ CW_CARD_DOUBT, CW_OUT_READER_LOST, CW_REC_IN_DOUBT },
	};
	static const uint8_t hold[][3] = {
		{ CW_CARD_DOUBT, CW_OUT_READER_LOST, CW_REC_IN_DOUBT },
	};
	static const uint8_t blank[][3] = {
		{ CW_CARD_REJECT, CW_OUT_MUTE, CW_REC_WAITING },
		{ CW_CARD_REJECT, CW_OUT_NO_BOOT, CW_REC_FAILED },
	};
	uint64_t id;

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	id = make_order(f, 1, &(struct cw_st_order){ .remake_max = 3 });
	walk(f, id, reject, 5);
	assert_int_equal(ord(f, id).state, CW_ORD_DONE);
	assert_true(rec(f, id, 1).has_payload);	/* for a remake */
	id = make_order(f, 1, &(struct cw_st_order){ .remake_max = 2 });
	walk(f, id, doubt, 2);
	id = make_order(f, 1, &(struct cw_st_order){ .doubt = CW_DOUBT_HOLD });
	walk(f, id, hold, 1);
	id = make_order(f, 1, &(struct cw_st_order){ .blank_max = 2 });
	walk(f, id, blank, 2);
	assert_int_equal(rec(f, id, 1).tries, 0);
}

static void
never_leases_anew_by_time(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 1, &(struct cw_st_order){ 0 });
	struct cw_pl_msg m = { 0 };
	int i;

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 1, 0);
	cw_ledger_closed(f->l, 1, f->now);
	assert_int_equal(hello(f, 2, "line-2", 6, 1), 0);
	f->out_cnt = 0;
	for (i = 0; i < 200; i++) {
		f->now += 86400000;
		pull(f, 2, 10, 0);
		assert_int_equal(cw_ledger_tick(f->l, f->now), 0);
	}
	assert_int_equal(f->out_cnt, 0);
	assert_int_equal(rec(f, id, 1).state, CW_REC_LEASED);

	/* the holder comes back: the same epoch, again and again */
	assert_int_equal(hello(f, 3, "line-1", 5, 1), 0);
	flush(f);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	assert_int_equal(m.u.lease.epoch, 1);
	f->out_cnt = 0;
	f->now += 999;
	flush(f);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 0);
	f->now += 1;
	flush(f);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
}

static void
minds_address_line_and_ip(void **state)
{
	struct fixture *f = *state;
	const struct cw_store_ops *o = f->mem->ops;
	uint64_t id = make_order(f, 6, &(struct cw_st_order){ .line = "line-1" });
	uint64_t other = make_order(f, 1, &(struct cw_st_order){ .terminal_ip = 9 });
	struct cw_st_new n = { .addr = 0x7F000102 };
	struct cw_st_dup dup;
	struct cw_pl_msg m = { 0 };
	int i;

	assert_int_equal(o->begin(f->mem->h), 0);
	for (i = 7; i <= 10; i++) {
		n.record = (uint64_t)i;
		assert_int_equal(o->record_add(f->mem->h, id, &n, &dup), 0);
	}
	assert_int_equal(o->commit(f->mem->h), 0);
	assert_int_equal(hello(f, 2, "line-2", 6, 1), 0);
	pull(f, 2, 20, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 0);
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 5, 0x7F000102);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 5);
	assert_int_equal(rec(f, id, 7).state, CW_REC_LEASED);
	assert_int_equal(rec(f, id, 8).state, CW_REC_LEASED);
	assert_int_equal(rec(f, id, 9).state, CW_REC_WAITING);	/* two ahead */
	assert_int_equal(rec(f, id, 3).state, CW_REC_LEASED);
	assert_int_equal(rec(f, id, 4).state, CW_REC_WAITING);
	pull(f, 1, 20, 0x7F000103);
	assert_int_equal(rec(f, id, 6).state, CW_REC_LEASED);
	assert_int_equal(rec(f, id, 9).state, CW_REC_WAITING);
	assert_int_equal(ord(f, other).state, CW_ORD_READY);
}

static void
denies_strange_journals(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 3, &(struct cw_st_order){ 0 });
	struct cw_ledger_writeoff w = { "line-1", "anna", "anna", "disk lost" };
	struct cw_pl_lease e;
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(f, 1, "line-1", 5, 3), CW_EDENIED);	/* never seen here */
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 2, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 2);
	e = m.u.lease;
	result(f, 1, 1, &e, CW_CARD_GOOD, 0);
	flush(f);
	assert_int_equal(cw_ledger_writeoff(f->l, &w, f->now), CW_EDENIED);
	w.second = "bert";
	assert_int_equal(cw_ledger_writeoff(f->l, &w, f->now), CW_EBUSY);
	cw_ledger_closed(f->l, 1, f->now);

	f->out_cnt = 0;
	assert_int_equal(hello(f, 2, "line-1", 5, 1), CW_EDENIED);	/* old copy */
	assert_int_equal(look(f, CW_PL_DENY, &m), 1);
	assert_non_null(strstr(m.u.deny.text, "old copy"));
	assert_int_equal(f->closed[f->closed_cnt - 1], 2);
	f->out_cnt = 0;
	assert_int_equal(hello(f, 3, "line-1", 6, 1), CW_EDENIED);	/* a lease is open */
	assert_int_equal(look(f, CW_PL_DENY, &m), 1);
	assert_non_null(strstr(m.u.deny.text, "two persons"));
	assert_int_equal(rec(f, id, 1).state, CW_REC_LEASED);

	assert_int_equal(cw_ledger_writeoff(f->l, &w, f->now), 1);
	assert_int_equal(rec(f, id, 1).state, CW_REC_IN_DOUBT);
	f->out_cnt = 0;
	assert_int_equal(hello(f, 4, "line-1", 5, 2), 0);	/* fenced */
	assert_int_equal(look(f, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.flags, CW_WELCOME_EVIDENCE);
	assert_int_equal(hello(f, 5, "line-1", 6, 1), 0);
	assert_int_equal(hello(f, 6, "line-9", 6, 1), 0);

	/* a name that is not the certificate's; a message before HELLO */
	assert_int_equal(cw_ledger_open(f->l, 7, "line-3", 1, f->now), 0);
	m = (struct cw_pl_msg){ .type = CW_PL_HELLO };
	strcpy(m.u.hello.terminal, "line-1");
	assert_int_equal(cw_ledger_msg(f->l, 7, &m, f->now), CW_EDENIED);
	assert_int_equal(cw_ledger_open(f->l, 8, "line-3", 1, f->now), 0);
	m.type = CW_PL_PULL;
	assert_int_equal(cw_ledger_msg(f->l, 8, &m, f->now), CW_EPROTO);
	assert_int_equal(f->closed[f->closed_cnt - 1], 8);
}

static void
keeps_strays_as_evidence(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 1, &(struct cw_st_order){ 0 });
	struct cw_pl_lease e;
	struct cw_ledger_report rep;
	struct cw_st_counts c;
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 1, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	e = m.u.lease;
	pull(f, 1, 0, 0);
	result(f, 1, 1, &e, CW_CARD_NONE, CW_OUT_NOT_FED);
	result(f, 1, 2, &e, CW_CARD_GOOD, 0);	/* it has ended */
	e.order = 999;
	result(f, 1, 3, &e, CW_CARD_GOOD, 0);
	flush(f);
	assert_int_equal(look(f, CW_PL_ACK, &m), 1);
	assert_int_equal(m.u.ack.seq, 3);
	assert_int_equal(rec(f, id, 1).state, CW_REC_WAITING);
	assert_int_equal(ord(f, id).counts.stray, 1);
	assert_int_equal(ord(f, id).counts.good, 0);
	assert_int_equal(cw_ledger_report(f->mem, id, &rep), 0);
	assert_false(rep.adds_up);
	assert_non_null(strstr(rep.why, "no lease"));

	/* an older attempt's card while the next attempt is leased */
	pull(f, 1, 1, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 2);
	e = m.u.lease;
	result(f, 1, 4, &e, CW_CARD_NONE, CW_OUT_NOT_FED);
	flush(f);
	pull(f, 1, 1, 0);
	assert_int_equal(rec(f, id, 1).epoch, 3);
	result(f, 1, 5, &e, CW_CARD_GOOD, 0);
	flush(f);
	assert_int_equal(rec(f, id, 1).state, CW_REC_LEASED);
	assert_int_equal(ord(f, id).counts.stray, 2);
	assert_int_equal(ord(f, id).counts.good, 0);

	/* a card of no lease at all: the line's, but no order's */
	e = (struct cw_pl_lease){ 0 };
	result(f, 1, 6, &e, CW_CARD_REJECT, CW_OUT_STRAY);
	flush(f);
	assert_true(look(f, CW_PL_ACK, &m) > 0);
	assert_int_equal(m.u.ack.seq, 6);
	assert_int_equal(ord(f, id).counts.stray, 2);
	assert_int_equal(f->mem->ops->term_sums(f->mem->h, 1, &c), 0);
	assert_int_equal(c.good, 3);
	assert_int_equal(c.reject, 1);
}

static void
obeys_the_operator(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 4, &(struct cw_st_order){ .remake_max = 1 });
	struct cw_pl_lease e[2];
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 2, 0);
	e[0] = f->out[2].m.u.lease;
	e[1] = f->out[3].m.u.lease;
	f->out_cnt = 0;
	assert_int_equal(cw_ledger_pause(f->l, id, "lunch", f->now), 0);
	assert_int_equal(cw_ledger_pause(f->l, id, "lunch", f->now), 0);
	assert_int_equal(look(f, CW_PL_ORDER_STATE, &m), 1);
	assert_int_equal(m.u.order_state.state, CW_ORDER_PAUSE);
	assert_string_equal(ord(f, id).reason, "lunch");
	assert_int_equal(look(f, CW_PL_REVOKE, &m), 2);
	pull(f, 1, 2, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 0);
	assert_int_equal(cw_ledger_remake(f->l, id, 1, NULL, f->now), 0);
	result(f, 1, 1, &e[0], CW_CARD_REJECT, CW_OUT_SW);
	flush(f);
	assert_int_equal(rec(f, id, 1).state, CW_REC_FAILED);
	assert_int_equal(cw_ledger_close_order(f->l, id, NULL, f->now), CW_ESTATE);
	assert_int_equal(cw_ledger_remake(f->l, id, 1, "card fell down", f->now), 1);
	assert_int_equal(cw_ledger_remake(f->l, id, 1, "card fell down", f->now), 0);
	assert_int_equal(cw_ledger_remake(f->l, id, 9, NULL, f->now), CW_ENOENT);
	assert_int_equal(cw_ledger_pause(f->l, 99, NULL, f->now), CW_ENOENT);
	assert_int_equal(cw_ledger_resume(f->l, id, NULL, f->now), 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 2);
	assert_int_equal(rec(f, id, 1).epoch, 2);

	/* cancel: waiting ones at once, leased ones when they come back */
	f->out_cnt = 0;
	assert_int_equal(cw_ledger_cancel(f->l, id, "wrong profile", f->now), 0);
	assert_int_equal(cw_ledger_cancel(f->l, id, "wrong profile", f->now), 0);
	assert_int_equal(look(f, CW_PL_REVOKE, &m), 3);
	assert_int_equal(rec(f, id, 4).state, CW_REC_CANCELLED);
	assert_false(rec(f, id, 4).has_payload);
	assert_int_equal(ord(f, id).state, CW_ORD_CANCELLING);
	m = (struct cw_pl_msg){ .type = CW_PL_REVOKED };
	m.u.revoke = (struct cw_pl_revoke){ id, 1, 1 };		/* old epoch */
	assert_int_equal(cw_ledger_msg(f->l, 1, &m, f->now), 0);
	flush(f);
	assert_int_equal(rec(f, id, 1).state, CW_REC_LEASED);
	m.u.revoke.epoch = 2;
	assert_int_equal(cw_ledger_msg(f->l, 1, &m, f->now), 0);
	m.u.revoke = (struct cw_pl_revoke){ id, 3, 1 };
	assert_int_equal(cw_ledger_msg(f->l, 1, &m, f->now), 0);
	result(f, 1, 2, &e[1], CW_CARD_GOOD, 0);	/* this one was under way */
	flush(f);
	assert_int_equal(rec(f, id, 1).state, CW_REC_CANCELLED);
	assert_int_equal(rec(f, id, 2).state, CW_REC_ISSUED);
	assert_int_equal(ord(f, id).state, CW_ORD_CANCELLED);
	assert_int_equal(cw_ledger_resume(f->l, id, NULL, f->now), CW_ESTATE);
	assert_int_equal(cw_ledger_close_order(f->l, id, "signed", f->now), 0);
	assert_int_equal(cw_ledger_close_order(f->l, id, "signed", f->now), 0);
	assert_int_equal(ord(f, id).state, CW_ORD_CLOSED);
}

static void
closes_with_payloads_gone(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 1, &(struct cw_st_order){ .remake_max = 1 });
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 1, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	result(f, 1, 1, &m.u.lease, CW_CARD_REJECT, CW_OUT_SW);
	flush(f);
	assert_int_equal(ord(f, id).state, CW_ORD_DONE);
	assert_true(rec(f, id, 1).has_payload);

	/* The machine has not said what it counted: only on somebody's word. */
	assert_int_equal(cw_ledger_close_order(f->l, id, NULL, f->now), CW_EBUSY);
	assert_int_equal(cw_ledger_close_order(f->l, id, "", f->now), CW_EBUSY);
	assert_int_equal(ord(f, id).state, CW_ORD_DONE);
	status(f, 1, 0, 1, 0, 0);
	assert_int_equal(cw_ledger_close_order(f->l, id, NULL, f->now), 0);
	assert_false(rec(f, id, 1).has_payload);
	assert_int_equal(cw_ledger_remake(f->l, id, 1, NULL, f->now), CW_ESTATE);
}

/* A line that goes on with another order never has counters younger than its
 * last result; one that is away has to be counted. */
static void
closes_while_the_line_is_busy(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 1, &(struct cw_st_order){ 0 });
	struct cw_pl_msg m = { 0 };

	make_order(f, 1, &(struct cw_st_order){ 0 });
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	status(f, 1, 100, 0, 0, 0);
	pull(f, 1, 1, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	result(f, 1, 1, &m.u.lease, CW_CARD_GOOD, 0);
	pull(f, 1, 1, 0);
	assert_int_equal(ord(f, id).state, CW_ORD_DONE);
	cw_ledger_closed(f->l, 1, f->now);
	assert_int_equal(cw_ledger_close_order(f->l, id, NULL, f->now), CW_EBUSY);
	assert_int_equal(hello(f, 1, "line-1", 5, 2), 0);
	assert_int_equal(cw_ledger_close_order(f->l, id, NULL, f->now), 0);
}

/* A terminal hears why it is sent away, and not only that. */
static void
says_that_the_store_fails(void **state)
{
	struct fixture *f = *state;
	struct cw_pl_msg m = { 0 };
	uint32_t n;

	for (n = 1; n <= 4; n++) {
		f->out_cnt = f->closed_cnt = 0;
		cw_store_fault_set(f->s, n, false);
		assert_int_equal(hello(f, n, "line-1", 5, 1), CW_EIO);
		assert_int_equal(f->closed_cnt, 1);
		assert_int_equal(f->out_cnt, 1);
		assert_int_equal(look(f, CW_PL_DENY, &m), 1);
		assert_int_equal(m.u.deny.err, CW_EIO);
		assert_non_null(strstr(m.u.deny.text, "input or output failed"));
	}
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	assert_int_equal(hello(f, 2, "line-2", 6, 1), 0);
	assert_int_equal(cw_ledger_tick(f->l, f->now), 0);
	f->out_cnt = 0;
	cw_store_fault_set(f->s, 1, true);
	assert_int_equal(cw_ledger_tick(f->l, f->now), CW_EIO);
	cw_store_fault_set(f->s, 0, false);
	assert_int_equal(look(f, CW_PL_DENY, &m), 2);
}

/* A terminal that is told CLOSED takes no lease of the order ever again. */
static void
remakes_after_the_end(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 1, &(struct cw_st_order){ .remake_max = 1 });
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 1, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	f->out_cnt = 0;
	result(f, 1, 1, &m.u.lease, CW_CARD_REJECT, CW_OUT_SW);
	flush(f);
	assert_int_equal(ord(f, id).state, CW_ORD_DONE);
	assert_int_equal(look(f, CW_PL_ORDER_STATE, &m), 1);
	assert_int_equal(m.u.order_state.state, CW_ORDER_PAUSE);

	f->out_cnt = 0;
	pull(f, 1, 1, 0);
	assert_int_equal(cw_ledger_remake(f->l, id, 0, NULL, f->now), 1);
	assert_int_equal(look(f, CW_PL_ORDER_STATE, &m), 1);
	assert_int_equal(m.u.order_state.state, CW_ORDER_RUN);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	assert_int_equal(m.u.lease.epoch, 2);

	/* Nothing is left that could be made again: now it is closed. */
	f->out_cnt = 0;
	result(f, 1, 2, &m.u.lease, CW_CARD_GOOD, 0);
	flush(f);
	assert_int_equal(ord(f, id).state, CW_ORD_DONE);
	assert_int_equal(look(f, CW_PL_ORDER_STATE, &m), 1);
	assert_int_equal(m.u.order_state.state, CW_ORDER_CLOSED);
}

static void
blocks_what_a_terminal_refuses(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 2, &(struct cw_st_order){ 0 });
	struct cw_pl_msg m, r = { .type = CW_PL_REFUSED };

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 1, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 1);
	r.u.refused = (struct cw_pl_refused){ .order = id, .record = 1, .epoch = 1,
	    .err = CW_EFORMAT, .text = "profile line 7: no field puk1" };
	assert_int_equal(cw_ledger_msg(f->l, 1, &r, f->now), 0);
	flush(f);
	assert_int_equal(ord(f, id).state, CW_ORD_BLOCKED);
	assert_non_null(strstr(ord(f, id).reason, "profile line 7"));
	assert_int_equal(look(f, CW_PL_REVOKE, &m), 1);
	r = (struct cw_pl_msg){ .type = CW_PL_REVOKED };
	r.u.revoke = m.u.revoke;
	assert_int_equal(cw_ledger_msg(f->l, 1, &r, f->now), 0);
	flush(f);
	assert_int_equal(rec(f, id, 1).state, CW_REC_WAITING);
	pull(f, 1, 4, 0);
	assert_int_equal(rec(f, id, 1).state, CW_REC_WAITING);
	assert_int_equal(cw_ledger_resume(f->l, id, NULL, f->now), 0);
	assert_int_equal(rec(f, id, 1).epoch, 2);
}

static void
blocks_on_a_wrong_key(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 1, &(struct cw_st_order){ 0 });
	static const uint8_t wrong[CW_SEAL_KEY_LEN] = { 43 };
	struct cw_pl_msg m = { 0 };

	cw_ledger_free(f->l);
	cw_seal_free(f->seal);
	f->seal = cw_seal_new(wrong);
	start_platform(f);
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 1, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 0);
	assert_int_equal(look(f, CW_PL_REVOKE, &m), 1);
	assert_int_equal(ord(f, id).state, CW_ORD_BLOCKED);
	assert_non_null(strstr(ord(f, id).reason, "key file"));
}

/* Leases of an order that stands still must not use up a line's credit. */
static void
frees_the_line_of_a_paused_order(void **state)
{
	struct fixture *f = *state;
	uint64_t a = make_order(f, 4, &(struct cw_st_order){ 0 });
	uint64_t b = make_order(f, 4, &(struct cw_st_order){ 0 });
	struct cw_pl_msg m = { 0 }, r = { .type = CW_PL_REVOKED };
	unsigned int i;

	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, 2, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 2);
	assert_int_equal(cw_ledger_pause(f->l, a, NULL, f->now), 0);
	assert_int_equal(look(f, CW_PL_REVOKE, &m), 2);

	/* a platform that was restarted has not forgotten it */
	cw_ledger_free(f->l);
	start_platform(f);
	f->out_cnt = 0;
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	flush(f);
	assert_int_equal(look(f, CW_PL_REVOKE, &m), 2);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 0);
	for (i = 1; i <= 2; i++) {
		r.u.revoke = (struct cw_pl_revoke){ a, i, 1 };
		assert_int_equal(cw_ledger_msg(f->l, 1, &r, f->now), 0);
	}
	pull(f, 1, 2, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), 2);
	assert_int_equal(m.u.lease.order, b);
	assert_int_equal(ord(f, a).counts.rec[CW_REC_WAITING], 4);
	assert_int_equal(ord(f, a).state, CW_ORD_PAUSED);
}

/* Many small orders end in one flush, and at one write-off. */
static void
ends_any_number_of_orders_at_once(void **state)
{
	struct fixture *f = *state;
	enum { N = 200, MORE = 400 };
	struct cw_pl_lease e[N];
	struct cw_ledger_writeoff w = { .terminal = "line-2", .first = "ann",
	    .second = "bob", .why = "burnt" };
	struct cw_pl_msg m = { 0 };
	unsigned int i, n = 0;
	uint64_t first = 0, id;

	for (i = 0; i < N; i++) {
		id = make_order(f, 1, &(struct cw_st_order){ 0 });
		first = i == 0 ? id : first;
	}
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	pull(f, 1, N, 0);
	for (i = 0; i < f->out_cnt; i++)
		if (f->out[i].m.type == CW_PL_LEASE)
			e[n++] = f->out[i].m.u.lease;
	assert_int_equal(n, N);
	f->out_cnt = 0;
	for (i = 0; i < N; i++)
		result(f, 1, i + 1, &e[i], CW_CARD_GOOD, 0);
	flush(f);
	assert_int_equal(look(f, CW_PL_ORDER_STATE, &m), N);
	for (i = 0; i < N; i++)
		assert_int_equal(ord(f, first + i).state, CW_ORD_DONE);

	/* more than one flush can note, and nobody is there to be told */
	for (i = 0; i < MORE; i++) {
		id = make_order(f, 1, &(struct cw_st_order){ .remake_max = 1 });
		first = i == 0 ? id : first;
	}
	f->out_cnt = 0;
	assert_int_equal(hello(f, 2, "line-2", 6, 1), 0);
	pull(f, 2, MORE, 0);
	assert_int_equal(look(f, CW_PL_LEASE, &m), MORE);
	cw_ledger_closed(f->l, 2, f->now);
	assert_int_equal(cw_ledger_writeoff(f->l, &w, f->now), MORE);
	for (i = 0; i < MORE; i++)
		assert_int_equal(ord(f, first + i).state, CW_ORD_DONE);

	/* line-1 could not be told of all: it is to connect anew and ask */
	assert_int_equal(f->closed[f->closed_cnt - 1], 1);
}

/* Nobody is let in while nothing can be recorded; a tick without work must not
 * take that for health. */
static void
knows_when_the_store_is_well_again(void **state)
{
	struct fixture *f = *state;
	struct cw_pl_msg m = { 0 };

	cw_store_fault_set(f->s, 1, true);
	assert_true(hello(f, 1, "line-1", 5, 1) < 0);
	assert_int_equal(look(f, CW_PL_WELCOME, &m), 0);
	assert_true(cw_ledger_tick(f->l, f->now++) < 0);
	assert_true(cw_ledger_tick(f->l, f->now++) < 0);
	cw_store_fault_set(f->s, 0, false);
	assert_int_equal(cw_ledger_tick(f->l, f->now++), 0);
	assert_int_equal(hello(f, 2, "line-1", 5, 1), 0);
	assert_int_equal(look(f, CW_PL_WELCOME, &m), 1);
}

static void
serves_blobs(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_order(f, 1, &(struct cw_st_order){ .profile = "sim" });
	static uint8_t blob[CW_PLINK_CHUNK_MAX + 10];
	struct cw_pl_msg m = { .type = CW_PL_GET };
	static const uint32_t off[] = { 0, CW_PLINK_CHUNK_MAX, CW_PLINK_CHUNK_MAX + 10 };
	static const uint32_t len[] = { CW_PLINK_CHUNK_MAX, 10, 0 };
	int i;

	assert_int_equal(f->mem->ops->begin(f->mem->h), 0);
	assert_int_equal(f->mem->ops->blob_put(f->mem->h, id, CW_ST_COS, blob, sizeof blob), 0);
	assert_int_equal(f->mem->ops->commit(f->mem->h), 0);
	assert_int_equal(hello(f, 1, "line-1", 5, 1), 0);
	for (i = 0; i < 3; i++) {
		f->out_cnt = 0;
		m.type = CW_PL_GET;
		m.u.get = (struct cw_pl_get){ id, CW_BLOB_COS, off[i] };
		assert_int_equal(cw_ledger_msg(f->l, 1, &m, f->now), 0);
		assert_int_equal(look(f, CW_PL_CHUNK, &m), 1);
		assert_int_equal(m.u.chunk.len, len[i]);
		assert_int_equal(m.u.chunk.off, off[i]);
	}
	m.type = CW_PL_GET;
	m.u.get = (struct cw_pl_get){ 99, CW_BLOB_PROFILE, 0 };
	f->out_cnt = 0;
	assert_int_equal(cw_ledger_msg(f->l, 1, &m, f->now), 0);
	assert_int_equal(look(f, CW_PL_CHUNK, &m), 1);
	assert_int_equal(m.u.chunk.len, 0);
	m.type = CW_PL_GET;
	m.u.get = (struct cw_pl_get){ id, CW_BLOB_ORDER, 0 };
	assert_int_equal(cw_ledger_msg(f->l, 1, &m, f->now), 0);
	assert_int_equal(look(f, CW_PL_ORDER, &m), 1);
	assert_string_equal(m.u.order.profile, "sim");
}

/* ---- random terminals ---- */

#define TERMS 3
#define RECORDS 24
#define HELD_MAX 8
#define NET_MAX 64

struct held {
	struct cw_pl_lease e;
	bool fed;		/* INTENT is durable, a card was drawn */
};

/* A terminal by the four rules; everything here is its durable journal but the
 * connection. */
struct sim_term {
	uint32_t conn;		/* 0 = not connected */
	uint64_t inc, next_seq, acked;
	struct held held[HELD_MAX];
	unsigned int held_cnt;
	uint32_t last_epoch[RECORDS + 1];
	bool begun[RECORDS + 1];	/* that epoch was, else fenced */
	struct cw_pl_result outbox[512];	/* by seq - 1 */
	uint32_t feed, good, reject;
	bool got_welcome;
};

struct world {
	struct fixture *f;
	uint64_t rng, id;
	struct sim_term t[TERMS];
	struct cw_pl_msg net[TERMS][NET_MAX];	/* towards the platform */
	unsigned int net_cnt[TERMS];
	unsigned int good_cards[RECORDS + 1];
	uint32_t next_conn;
	bool calm;		/* faults have stopped */
};

static uint32_t
rnd(struct world *w, uint32_t n)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return (uint32_t)((w->rng >> 20) % n);
}

static void
post(struct world *w, int t, const struct cw_pl_msg *m)
{
	unsigned int copies = 1;

	if (!w->calm)
		copies = rnd(w, 10) == 0 ? 0 : rnd(w, 10) == 0 ? 2 : 1;
	while (copies-- > 0 && w->net_cnt[t] < NET_MAX)
		w->net[t][w->net_cnt[t]++] = *m;
}

static void
connect(struct world *w, int t)
{
	struct sim_term *s = &w->t[t];
	struct cw_pl_msg m = { .type = CW_PL_HELLO };
	char name[16];

	snprintf(name, sizeof name, "line-%d", t);
	s->conn = ++w->next_conn;
	s->got_welcome = false;
	w->net_cnt[t] = 0;
	assert_int_equal(cw_ledger_open(w->f->l, s->conn, name, 1, w->f->now), 0);
	strcpy(m.u.hello.terminal, name);
	m.u.hello.incarnation = s->inc;
	m.u.hello.next_seq = s->next_seq;
	m.u.hello.start_cnt = 1;
	(void)cw_ledger_msg(w->f->l, s->conn, &m, w->f->now);
}

static void
outbox_add(struct world *w, int t, const struct held *h, uint8_t verdict, uint16_t outcome)
{
	struct sim_term *s = &w->t[t];
	struct cw_pl_result *r;

	assert_true(s->next_seq <= 512);
	r = &s->outbox[s->next_seq - 1];
	memset(r, 0, sizeof *r);
	r->seq = s->next_seq++;
	r->order = h->e.order;
	r->record = h->e.record;
	r->epoch = h->e.epoch;
	r->verdict = verdict;
	r->outcome = outcome;
	r->card_no = s->feed;
	if (verdict == CW_CARD_GOOD) {
		s->good++;
		w->good_cards[h->e.record]++;
	} else if (verdict != CW_CARD_NONE) {
		s->reject++;
	}
}

static void
drop_held(struct sim_term *s, unsigned int i)
{
	s->held[i] = s->held[--s->held_cnt];
}

/* Something happens at a terminal: feed, finish, crash, send, pull. */
static void
act(struct world *w, int t)
{
	struct sim_term *s = &w->t[t];
	struct cw_pl_msg m = { 0 };
	unsigned int i;
	uint32_t dice;

	if (s->held_cnt > 0) {
		i = rnd(w, s->held_cnt);
		if (!s->held[i].fed) {
			s->held[i].fed = true;
			s->feed++;
		} else {
			dice = rnd(w, 10);
			outbox_add(w, t, &s->held[i],
			    dice < 6 ? CW_CARD_GOOD : dice < 8 ? CW_CARD_REJECT :
			    CW_CARD_DOUBT, dice < 6 ? 0 : dice == 6 ? CW_OUT_MUTE :
			    CW_OUT_SW);
			drop_held(s, i);
		}
	}
	if (s->conn == 0 || !s->got_welcome)
		return;
	for (i = 0; i < 4 && s->acked + i + 1 < s->next_seq; i++) {
		m.type = CW_PL_RESULT;
		m.u.result = s->outbox[s->acked + i];
		post(w, t, &m);
	}
	m.type = CW_PL_PULL;
	m.u.pull = (struct cw_pl_pull){ .want = (uint16_t)((HELD_MAX - s->held_cnt) / 2) };
	post(w, t, &m);
	m.type = CW_PL_STATUS;
	memset(&m.u.status, 0, sizeof m.u.status);
	m.u.status.device_feed = s->feed;
	m.u.status.device_good = s->good;
	m.u.status.device_reject = s->reject;
	if (s->held_cnt == 0 && s->acked + 1 == s->next_seq)
		(void)cw_ledger_msg(w->f->l, s->conn, &m, w->f->now);
}

/* The terminal's process dies: a fed card without result is in doubt. */
static void
crash_term(struct world *w, int t)
{
	struct sim_term *s = &w->t[t];
	unsigned int i;

	if (s->conn != 0)
		cw_ledger_closed(w->f->l, s->conn, w->f->now);
	s->conn = 0;
	for (i = s->held_cnt; i-- > 0; )
		if (s->held[i].fed) {
			outbox_add(w, t, &s->held[i], CW_CARD_DOUBT, CW_OUT_TERMINAL_LOST);
			drop_held(s, i);
		}
}

static void
take_revoke(struct world *w, int t, const struct cw_pl_revoke *r)
{
	struct sim_term *s = &w->t[t];
	struct cw_pl_msg m = { .type = CW_PL_REVOKED };
	unsigned int i;

	for (i = 0; i < s->held_cnt; i++)
		if (s->held[i].e.record == r->record && s->held[i].e.epoch == r->epoch) {
			if (s->held[i].fed)
				return;		/* a RESULT will come */
			drop_held(s, i);
			break;
		}
	for (i = 0; i + 1 < s->next_seq; i++)
		if (s->outbox[i].record == r->record && s->outbox[i].epoch == r->epoch)
			return;			/* it has ended by RESULT */
	if (s->last_epoch[r->record] <= r->epoch) {
		s->last_epoch[r->record] = r->epoch;	/* fenced, durably */
		s->begun[r->record] = false;
	}
	m.u.revoke = *r;
	post(w, t, &m);
}

/* Also for a lease whose epoch is fenced: the platform has forgotten that it
 * took it back. */
static void
take_lease(struct world *w, int t, const struct cw_pl_lease *e)
{
	struct sim_term *s = &w->t[t];

	if (e->epoch <= s->last_epoch[e->record]) {
		if (e->epoch == s->last_epoch[e->record] && !s->begun[e->record])
			take_revoke(w, t, &(struct cw_pl_revoke){ e->order,
			    e->record, e->epoch });
		return;
	}
	if (s->held_cnt == HELD_MAX)
		return;
	s->last_epoch[e->record] = e->epoch;
	s->begun[e->record] = true;
	s->held[s->held_cnt++] = (struct held){ .e = *e };
}

/* What the platform has sent arrives, or not. */
static void
deliver_out(struct world *w)
{
	struct fixture *f = w->f;
	struct sent *x;
	unsigned int i;
	int t;

	for (i = 0; i < f->out_cnt; i++) {
		x = &f->out[i];
		for (t = 0; t < TERMS; t++)
			if (w->t[t].conn == x->conn)
				break;
		if (t == TERMS || (!w->calm && x->m.type != CW_PL_WELCOME &&
		    rnd(w, 8) == 0))
			continue;
		switch (x->m.type) {
		case CW_PL_WELCOME:
			w->t[t].got_welcome = true;
			if (x->m.u.welcome.acked_seq > w->t[t].acked)
				w->t[t].acked = x->m.u.welcome.acked_seq;
			break;
		case CW_PL_ACK:
			/* never beyond what was sent */
			assert_true(x->m.u.ack.seq < w->t[t].next_seq);
			if (x->m.u.ack.seq > w->t[t].acked)
				w->t[t].acked = x->m.u.ack.seq;
			break;
		case CW_PL_LEASE:
			take_lease(w, t, &x->m.u.lease);
			break;
		case CW_PL_REVOKE:
			take_revoke(w, t, &x->m.u.revoke);
			break;
		case CW_PL_DENY:
			/* of its own accord only when the store has failed */
			if (x->m.u.deny.err != CW_EIO)
				fail_msg("denied: %s", x->m.u.deny.text);
			break;
		default:
			break;
		}
	}
	f->out_cnt = 0;
	for (i = 0; i < f->closed_cnt; i++)
		for (t = 0; t < TERMS; t++)
			if (w->t[t].conn == f->closed[i])
				w->t[t].conn = 0;
	f->closed_cnt = 0;
}

/* One message of any age from a terminal's wire. */
static void
deliver_in(struct world *w, int t)
{
	struct cw_pl_msg m = { 0 };
	unsigned int i;

	if (w->t[t].conn == 0 || w->net_cnt[t] == 0)
		return;
	i = w->calm ? 0 : rnd(w, w->net_cnt[t]);
	m = w->net[t][i];
	memmove(&w->net[t][i], &w->net[t][i + 1],
	    (--w->net_cnt[t] - i) * sizeof m);
	(void)cw_ledger_msg(w->f->l, w->t[t].conn, &m, w->f->now);
}

static void
crash_platform(struct world *w)
{
	int t;

	cw_ledger_free(w->f->l);
	cw_store_mem_crash(w->f->mem);
	cw_store_fault_set(w->f->s, 0, false);
	w->f->out_cnt = w->f->closed_cnt = 0;
	for (t = 0; t < TERMS; t++)
		w->t[t].conn = 0;
	start_platform(w->f);
}

/* I1, I3, I4, I5 as far as the platform's books go, after every step. */
static void
check_books(struct world *w, uint8_t *final)
{
	const struct cw_store_ops *o = w->f->mem->ops;
	struct cw_st_counts c;
	struct cw_st_record r;
	struct cw_st_order q;
	uint64_t i;

	assert_int_equal(o->order_get(w->f->mem->h, w->id, &q), 0);
	assert_int_equal(o->sums(w->f->mem->h, w->id, &c), 0);
	assert_memory_equal(&c, &q.counts, sizeof c);
	assert_int_equal(c.stray, 0);
	assert_int_equal(c.good, c.rec[CW_REC_ISSUED]);
	for (i = 1; i <= RECORDS; i++) {
		assert_true(w->good_cards[i] <= 1);		/* I1 */
		r = rec(w->f, w->id, i);
		if (r.state == CW_REC_ISSUED)
			assert_int_equal(w->good_cards[i], 1);	/* I3 */
		assert_int_equal(r.has_payload, r.state != CW_REC_ISSUED &&
		    r.state != CW_REC_CANCELLED);
		if (final[i] == CW_REC_ISSUED || final[i] == CW_REC_CANCELLED)
			assert_int_equal(r.state, final[i]);	/* I5 */
		final[i] = r.state;
	}
}

static void
step(struct world *w)
{
	uint32_t dice = rnd(w, 100);
	int t = (int)rnd(w, TERMS);

	w->f->now += rnd(w, 200);
	if (w->t[t].conn == 0)
		connect(w, t);
	else if (dice < 40)
		deliver_in(w, t);
	else if (dice < 70 || w->calm)
		act(w, t);
	else if (dice < 73)
		crash_term(w, t);
	else if (dice < 76) {
		cw_ledger_closed(w->f->l, w->t[t].conn, w->f->now);
		w->t[t].conn = 0;
	} else if (dice < 78)
		crash_platform(w);
	else if (dice < 82)
		cw_store_fault_set(w->f->s, 1 + rnd(w, 30), false);
	else if (dice == 82)
		(void)cw_ledger_pause(w->f->l, w->id, NULL, w->f->now);
	else if (dice < 86)
		(void)cw_ledger_resume(w->f->l, w->id, NULL, w->f->now);
	else if (dice == 86)
		(void)cw_ledger_remake(w->f->l, w->id, 0, "again", w->f->now);
	if (w->calm)
		deliver_in(w, t);
	(void)cw_ledger_tick(w->f->l, w->f->now);
	deliver_out(w);
}

static void
run_world(struct world *w, uint64_t seed)
{
	uint8_t final[RECORDS + 1] = { 0 };
	struct cw_ledger_report rep;
	uint32_t feed = 0, good = 0, reject = 0;
	bool cancel = seed % 4 == 3;
	int i, t;

	w->rng = seed * 0x9e3779b97f4a7c15u + 1;
	w->id = make_order(w->f, RECORDS, &(struct cw_st_order){ .remake_max = 3,
	    .doubt = seed % 5 == 4 });
	for (t = 0; t < TERMS; t++) {
		w->t[t].inc = 100 + (uint64_t)t;
		w->t[t].next_seq = 1;
	}
	for (i = 0; i < 600; i++) {
		step(w);
		check_books(w, final);
		if (cancel && i == 150)
			(void)cw_ledger_cancel(w->f->l, w->id, NULL, w->f->now);
	}

	/* L1: with faults stopped everything ends, within a bound. */
	w->calm = true;
	cw_store_fault_set(w->f->s, 0, false);
	(void)cw_ledger_resume(w->f->l, w->id, NULL, w->f->now);
	for (i = 0; i < 20000; i++) {
		step(w);
		check_books(w, final);
		assert_int_equal(cw_ledger_report(w->f->mem, w->id, &rep), 0);
		assert_true(rep.adds_up);
		if (rep.settled)
			break;
	}
	if (!rep.settled)
		fail_msg("seed %llu: %s", (unsigned long long)seed, rep.why);
	assert_true(ord(w->f, w->id).state == CW_ORD_DONE ||
	    (cancel && ord(w->f, w->id).state == CW_ORD_CANCELLED));
	for (t = 0; t < TERMS; t++) {
		feed += w->t[t].feed;
		good += w->t[t].good;
		reject += w->t[t].reject;
	}
	assert_int_equal(rep.drawn, feed);
	assert_int_equal(rep.sums.good, good);
	assert_int_equal(rep.sums.reject + rep.sums.doubt, reject);
	for (i = 1; i <= RECORDS; i++)
		assert_int_equal(w->good_cards[i], final[i] == CW_REC_ISSUED);
}

static void
holds_under_random_faults(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 120; seed++) {
		void *fx;

		print_message("seed %llu\n", (unsigned long long)seed);
		memset(w, 0, sizeof *w);
		assert_int_equal(setup(&fx), 0);
		w->f = fx;
		run_world(w, seed);
		teardown(&fx);
	}
	free(w);
}

/* Every single call of the store fails once, through a whole small order. */
static void
survives_every_failing_call(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct cw_ledger_report rep;
	uint8_t final[RECORDS + 1];
	uint32_t n, fired = 1;
	int i, t;

	(void)state;
	for (n = 1; fired > 0; n += n < 400 ? 1 : 37) {
		void *fx;

		memset(w, 0, sizeof *w);
		memset(final, 0, sizeof final);
		assert_int_equal(setup(&fx), 0);
		w->f = fx;
		w->rng = 12345;
		w->calm = true;
		w->id = make_order(w->f, RECORDS, &(struct cw_st_order){ 0 });
		for (t = 0; t < TERMS; t++) {
			w->t[t].inc = 100 + (uint64_t)t;
			w->t[t].next_seq = 1;
		}
		cw_store_fault_set(w->f->s, n, false);
		for (i = 0; i < 3000; i++) {
			step(w);
			if (i % 16 == 0)
				check_books(w, final);
			assert_int_equal(cw_ledger_report(w->f->mem, w->id, &rep), 0);
			assert_true(rep.adds_up);
			if (rep.settled)
				break;
		}
		assert_true(rep.settled);
		check_books(w, final);
		fired = cw_store_fault_fired(w->f->s);
		teardown(&fx);
	}
	assert_true(n > 400);
	free(w);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(issues_a_card),
		T(records_results_once_and_in_order),
		T(follows_the_remake_policy),
		T(never_leases_anew_by_time),
		T(minds_address_line_and_ip),
		T(denies_strange_journals),
		T(keeps_strays_as_evidence),
		T(obeys_the_operator),
		T(closes_with_payloads_gone),
		T(closes_while_the_line_is_busy),
		T(says_that_the_store_fails),
		T(remakes_after_the_end),
		T(blocks_what_a_terminal_refuses),
		T(blocks_on_a_wrong_key),
		T(frees_the_line_of_a_paused_order),
		T(ends_any_number_of_orders_at_once),
		T(knows_when_the_store_is_well_again),
		T(serves_blobs),
		cmocka_unit_test(holds_under_random_faults),
		cmocka_unit_test(survives_every_failing_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
