/* SPDX-License-Identifier: Apache-2.0 */
/* A store that was set back to a backup, and journals that were written off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/outcome.h"
#include "platform/ledger.h"

#define SENT_MAX 256
static const uint8_t key[CW_SEAL_KEY_LEN] = { 7 };

struct plant {
	struct cw_store *mem, *backup;
	struct cw_seal *seal;
	struct cw_ledger *l;
	struct { uint32_t conn; struct cw_pl_msg m; } sent[SENT_MAX];
	unsigned int sent_cnt, closed_cnt;
	uint64_t order;
};

static int
on_send(void *ctx, uint32_t conn, const struct cw_pl_msg *m)
{
	struct plant *p = ctx;

	assert_true(p->sent_cnt < SENT_MAX);
	p->sent[p->sent_cnt].conn = conn;
	p->sent[p->sent_cnt++].m = *m;
	return 0;
}

static void
on_close(void *ctx, uint32_t conn)
{
	(void)conn;
	((struct plant *)ctx)->closed_cnt++;
}

static const struct cw_ledger_ops ops = { .send = on_send, .close = on_close };

static void
start(struct plant *p)
{
	const struct cw_ledger_config cfg = { .store = p->mem, .seal = p->seal,
	    .ops = &ops, .ctx = p, .platform = 1, .repeat_ms = 1000 };

	cw_ledger_free(p->l);
	p->l = cw_ledger_new(&cfg);
	assert_non_null(p->l);
}

/* An order of two records without data: the cards to burn. */
static int
setup(void **state)
{
	struct plant *p = calloc(1, sizeof *p);
	struct cw_st_order o = { .state = CW_ORD_INTAKE, .total = 2,
	    .remake_max = 1, .blank_max = 3 };
	struct cw_st_new r = { 0 };
	const struct cw_store_ops *s;

	p->mem = cw_store_mem_new();
	p->seal = cw_seal_new(key);
	s = p->mem->ops;
	assert_int_equal(s->begin(p->mem->h), 0);
	assert_int_equal(s->order_insert(p->mem->h, &o, &p->order), 0);
	for (r.record = 1; r.record <= 2; r.record++)
		assert_int_equal(s->record_add(p->mem->h, p->order, &r, NULL), 0);
	o.id = p->order;
	o.state = CW_ORD_READY;
	assert_int_equal(s->order_put(p->mem->h, &o), 0);
	assert_int_equal(s->commit(p->mem->h), 0);
	start(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct plant *p = *state;

	cw_ledger_free(p->l);
	cw_store_close(p->mem);
	cw_store_close(p->backup);
	cw_seal_free(p->seal);
	free(p);
	return 0;
}

struct journal {
	const char *name;
	uint64_t incarnation, next, acked, first;
};

static int
hello(struct plant *p, uint32_t conn, const struct journal *j)
{
	struct cw_pl_msg m = { .type = CW_PL_HELLO };

	snprintf(m.u.hello.terminal, sizeof m.u.hello.terminal, "%s", j->name);
	m.u.hello.incarnation = j->incarnation;
	m.u.hello.next_seq = j->next;
	m.u.hello.acked_seq = j->acked;
	m.u.hello.first_seq = j->first;
	m.u.hello.start_cnt = 1;
	p->sent_cnt = 0;
	assert_int_equal(cw_ledger_open(p->l, conn, j->name, 1, 1), 0);
	return cw_ledger_msg(p->l, conn, &m, 1);
}

static unsigned int
look(const struct plant *p, uint32_t conn, uint8_t type, struct cw_pl_msg *m)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->sent_cnt; i++)
		if (p->sent[i].conn == conn && p->sent[i].m.type == type) {
			*m = p->sent[i].m;
			n++;
		}
	return n;
}

static unsigned int
pull(struct plant *p, uint32_t conn, uint16_t want, struct cw_pl_msg *lease)
{
	struct cw_pl_msg m = { .type = CW_PL_PULL, .u.pull.want = want };

	p->sent_cnt = 0;
	assert_int_equal(cw_ledger_msg(p->l, conn, &m, 1), 0);
	assert_int_equal(cw_ledger_flush(p->l, 1), 0);
	return look(p, conn, CW_PL_LEASE, lease);
}

static void
result(struct plant *p, uint32_t conn, uint64_t seq, uint64_t record, uint32_t epoch,
    uint8_t verdict)
{
	struct cw_pl_msg m = { .type = CW_PL_RESULT };

	m.u.result = (struct cw_pl_result){ .seq = seq, .order = p->order,
	    .record = record, .epoch = epoch, .verdict = verdict,
	    .outcome = verdict == CW_CARD_GOOD ? CW_OUT_GOOD : CW_OUT_SW,
	    .card_no = verdict == CW_CARD_NONE ? 0 : (uint32_t)seq };
	assert_int_equal(cw_ledger_msg(p->l, conn, &m, 1), 0);
	assert_int_equal(cw_ledger_flush(p->l, 1), 0);
}

static void
settled(struct plant *p, uint32_t conn, uint64_t next_seq)
{
	struct cw_pl_msg m = { .type = CW_PL_SETTLED, .u.settled.next_seq = next_seq };

	assert_int_equal(cw_ledger_msg(p->l, conn, &m, 1), 0);
}

static uint8_t
state_of(const struct plant *p, uint64_t record)
{
	struct cw_st_record r;

	assert_int_equal(p->mem->ops->record_get(p->mem->h, p->order, record, &r), 0);
	return r.state;
}

/* Two lines are known; then a backup; then line-1 issues record 1, and the
 * platform is set back. */
static void
set_back(struct plant *p)
{
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(p, 1, &(struct journal){ "line-1", 11, 1, 0, 1 }), 0);
	assert_int_equal(hello(p, 2, &(struct journal){ "line-2", 22, 1, 0, 1 }), 0);
	p->backup = cw_store_mem_copy(p->mem);
	assert_non_null(p->backup);
	assert_int_equal(pull(p, 1, 1, &m), 1);
	result(p, 1, 1, 1, 1, CW_CARD_GOOD);
	assert_int_equal(state_of(p, 1), CW_REC_ISSUED);
	assert_int_equal(cw_store_mem_restore(p->mem, p->backup), 0);
	start(p);
	assert_int_equal(state_of(p, 1), CW_REC_WAITING);
}

/* W23: the terminal knows more than the store. */
static void
finds_out_by_itself(void **state)
{
	struct plant *p = *state;
	struct cw_pl_msg m = { 0 };

	set_back(p);
	assert_int_equal(hello(p, 3, &(struct journal){ "line-2", 22, 1, 0, 1 }), 0);
	p->closed_cnt = 0;
	assert_int_equal(hello(p, 4, &(struct journal){ "line-1", 11, 2, 1, 1 }), 0);
	assert_int_equal(look(p, 4, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.flags, CW_WELCOME_SETTLE);
	assert_int_equal(m.u.welcome.acked_seq, 0);
	assert_int_equal(p->closed_cnt, 1);	/* line-2 is to hear it too */
	assert_int_equal(hello(p, 5, &(struct journal){ "line-2", 22, 1, 0, 1 }), 0);
	assert_int_equal(look(p, 5, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.flags, CW_WELCOME_SETTLE);
	assert_int_equal(pull(p, 5, 2, &m), 0);

	/* Durable: another start changes nothing. */
	start(p);
	assert_int_equal(hello(p, 6, &(struct journal){ "line-2", 22, 1, 0, 1 }), 0);
	settled(p, 6, 1);
	assert_int_equal(pull(p, 6, 2, &m), 0);
	assert_int_equal(hello(p, 7, &(struct journal){ "line-1", 11, 2, 1, 1 }), 0);
	settled(p, 7, 2);			/* not yet true */
	assert_int_equal(pull(p, 6, 2, &m), 0);
	result(p, 7, 1, 1, 1, CW_CARD_GOOD);
	assert_int_equal(state_of(p, 1), CW_REC_ISSUED);
	assert_int_equal(pull(p, 6, 2, &m), 0);
	settled(p, 7, 2);
	assert_int_equal(pull(p, 6, 2, &m), 1);	/* only the other one */
	assert_int_equal(m.u.lease.record, 2);
}

/* The operator's word: nothing goes out, although nobody knows more yet. */
static void
waits_for_all_when_told(void **state)
{
	struct plant *p = *state;
	struct cw_pl_msg m = { 0 };

	set_back(p);
	assert_int_equal(cw_ledger_restored(p->l), 1);
	assert_int_equal(hello(p, 3, &(struct journal){ "line-2", 22, 1, 0, 1 }), 0);
	assert_int_equal(look(p, 3, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.flags, CW_WELCOME_SETTLE);
	settled(p, 3, 1);
	assert_int_equal(pull(p, 3, 2, &m), 0);

	/* A new journal of line-1 is no substitute for the old one. */
	assert_int_equal(hello(p, 4, &(struct journal){ "line-1", 12, 1, 0, 1 }),
	    CW_EDENIED);
	assert_int_equal(hello(p, 5, &(struct journal){ "line-1", 11, 2, 1, 1 }), 0);
	result(p, 5, 1, 1, 1, CW_CARD_GOOD);
	settled(p, 5, 2);
	assert_int_equal(pull(p, 3, 2, &m), 1);
	assert_int_equal(m.u.lease.record, 2);
}

/* Results of a card whose lease was forgotten, not acknowledged before. */
static void
holds_on_a_result_of_no_lease(void **state)
{
	struct plant *p = *state;
	struct cw_pl_msg m = { 0 };

	set_back(p);
	assert_int_equal(hello(p, 3, &(struct journal){ "line-1", 11, 2, 0, 1 }), 0);
	p->closed_cnt = 0;
	result(p, 3, 1, 1, 1, CW_CARD_GOOD);
	assert_int_equal(state_of(p, 1), CW_REC_ISSUED);
	assert_int_equal(p->closed_cnt, 1);
	assert_int_equal(hello(p, 4, &(struct journal){ "line-2", 22, 1, 0, 1 }), 0);
	assert_int_equal(look(p, 4, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.flags, CW_WELCOME_SETTLE);
	assert_int_equal(pull(p, 4, 2, &m), 0);
}

/* What it would have to tell is gone: written off, and a person decides. */
static void
blocks_orders_of_one_that_cannot_tell(void **state)
{
	struct plant *p = *state;
	struct cw_ledger_writeoff w = { "line-1", "anna", "bert", "old backup" };
	struct cw_pl_msg m = { 0 };
	struct cw_st_order o;

	set_back(p);
	assert_int_equal(hello(p, 3, &(struct journal){ "line-1", 11, 9, 8, 5 }),
	    CW_EDENIED);
	assert_int_equal(look(p, 3, CW_PL_DENY, &m), 1);
	assert_int_equal(m.u.deny.err, CW_EFENCED);
	assert_non_null(strstr(m.u.deny.text, "older"));
	assert_int_equal(hello(p, 4, &(struct journal){ "line-2", 22, 1, 0, 1 }), 0);
	settled(p, 4, 1);
	assert_int_equal(pull(p, 4, 2, &m), 0);
	assert_int_equal(cw_ledger_writeoff(p->l, &w, 1), 0);
	assert_int_equal(p->mem->ops->order_get(p->mem->h, p->order, &o), 0);
	assert_int_equal(o.state, CW_ORD_BLOCKED);
	assert_int_equal(pull(p, 4, 2, &m), 0);

	/* What it still has is evidence, and keeps record 1 from being made. */
	assert_int_equal(hello(p, 5, &(struct journal){ "line-1", 11, 9, 8, 5 }), 0);
	assert_int_equal(look(p, 5, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.flags, CW_WELCOME_EVIDENCE);
	result(p, 5, 5, 1, 1, CW_CARD_GOOD);
	assert_int_equal(state_of(p, 1), CW_REC_IN_DOUBT);
	assert_int_equal(cw_ledger_resume(p->l, p->order, "counted", 1), 0);
	assert_int_equal(look(p, 4, CW_PL_LEASE, &m), 1);
	assert_int_equal(m.u.lease.record, 2);
}

/* W21: an old journal that comes back after its write-off. */
static void
takes_evidence_after_a_writeoff(void **state)
{
	struct plant *p = *state;
	struct cw_ledger_writeoff w = { "line-1", "anna", "bert", "burnt" };
	struct cw_ledger_report *rep = calloc(1, sizeof *rep);
	struct cw_pl_msg m = { 0 };
	struct cw_st_counts c;

	assert_non_null(rep);
	assert_int_equal(hello(p, 1, &(struct journal){ "line-1", 11, 1, 0, 1 }), 0);
	assert_int_equal(pull(p, 1, 1, &m), 1);
	cw_ledger_closed(p->l, 1, 1);
	assert_int_equal(cw_ledger_writeoff(p->l, &w, 1), 1);
	assert_int_equal(state_of(p, 1), CW_REC_IN_DOUBT);

	/* It had no result yet, and would pass for a new journal. */
	assert_int_equal(hello(p, 2, &(struct journal){ "line-1", 11, 1, 0, 1 }), 0);
	assert_int_equal(look(p, 2, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.flags, CW_WELCOME_EVIDENCE);
	assert_int_equal(pull(p, 2, 2, &m), 0);
	result(p, 2, 1, 1, 1, CW_CARD_GOOD);
	assert_int_equal(look(p, 2, CW_PL_ACK, &m), 1);
	assert_int_equal(m.u.ack.seq, 1);
	result(p, 2, 1, 1, 1, CW_CARD_GOOD);
	assert_int_equal(state_of(p, 1), CW_REC_IN_DOUBT);
	assert_int_equal(cw_ledger_report(p->mem, p->order, rep), 0);
	assert_int_equal(rep->sums.evidence, 1);
	assert_int_equal(rep->sums.stray, 0);
	assert_int_equal(rep->sums.good, 0);
	assert_int_equal(rep->order.counts.good, 0);
	assert_int_equal(rep->sums.doubt, 1);
	assert_true(rep->adds_up);
	assert_int_equal(p->mem->ops->term_sums(p->mem->h, 1, &c), 0);
	assert_int_equal(c.good, 0);

	/* The mark is durable, and the new journal works beside it. */
	start(p);
	assert_int_equal(hello(p, 3, &(struct journal){ "line-1", 11, 2, 1, 1 }), 0);
	assert_int_equal(look(p, 3, CW_PL_WELCOME, &m), 1);
	assert_int_equal(m.u.welcome.acked_seq, 1);
	assert_int_equal(hello(p, 4, &(struct journal){ "line-1", 13, 1, 0, 1 }), 0);
	assert_int_equal(pull(p, 4, 2, &m), 1);
	assert_int_equal(m.u.lease.record, 2);
	free(rep);
}

static void
closes_only_what_adds_up(void **state)
{
	struct plant *p = *state;
	struct cw_pl_msg m = { 0 };

	assert_int_equal(hello(p, 1, &(struct journal){ "line-1", 11, 1, 0, 1 }), 0);
	assert_int_equal(pull(p, 1, 2, &m), 2);
	result(p, 1, 1, 1, 1, CW_CARD_GOOD);
	result(p, 1, 2, 2, 1, CW_CARD_GOOD);
	result(p, 1, 3, 2, 1, CW_CARD_GOOD);	/* a card too many */
	assert_int_equal(cw_ledger_close_order(p->l, p->order, NULL, 1), CW_EBUSY);
	assert_int_equal(cw_ledger_close_order(p->l, p->order, "", 1), CW_EBUSY);
	assert_int_equal(cw_ledger_close_order(p->l, p->order, "found card 3", 1), 0);
	assert_int_equal(cw_ledger_close_order(p->l, p->order, NULL, 1), 0);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(finds_out_by_itself),
		T(waits_for_all_when_told),
		T(holds_on_a_result_of_no_lease),
		T(blocks_orders_of_one_that_cannot_tell),
		T(takes_evidence_after_a_writeoff),
		T(closes_only_what_adds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
