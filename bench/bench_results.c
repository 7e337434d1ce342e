/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable card results at the platform: the ledger on its SQLite store, as the
 * daemon drives it, a hundred results to a commit.
 *
 * usage: bench_results DIR CARDS RUNS
 *
 * In each run, one after the other:
 *	results		leases are out; results come in, flush by flush
 *	cycle		each flush also gives out as many new leases, which is
 *			what a flush does while an order runs
 *	raw_same	plain SQLite: the same columns and trace into a table
 *			without indexes, and the record's row rewritten
 *	raw_row		plain SQLite: rows of 97 bytes, the least there can be
 *	fdatasync	appends of 4 KiB
 *	ack_p99_us	one result alone, from its arrival to its ACK
 *	sync_p99_us	one append of 4 KiB, each right after such a result
 * All of them: WAL, synchronous=FULL, 100 to a transaction.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "bench/bench.h"
#include "cw/err.h"
#include "cw/package.h"
#include "platform/ledger.h"

#define BATCH 100u
#define TERMS 40u
#define TRACE_LEN 2700u		/* of a sim-demo card, burn and record */
#define PAYLOAD_LEN 256u
#define ALONE 400u		/* results that come one at a time */
#define CARDS_MAX (TERMS * CW_LEDGER_LEASES_MAX)

struct lease {
	uint64_t order, record;
	uint32_t epoch;
};

struct plant {
	struct cw_store *store;
	struct cw_seal *seal;
	struct cw_ledger *ledger;
	struct lease lease[TERMS + 1][CW_LEDGER_LEASES_MAX];	/* by conn */
	unsigned int head[TERMS + 1], cnt[TERMS + 1];
	uint64_t seq[TERMS + 1];
	uint64_t acked;
};

static char trace[TRACE_LEN];
static double cpu_start, cpu_used;	/* of the last measurement */

static void
must(int err, const char *what)
{
	if (err < 0)
		bench_die("%s: %s", what, cw_err_text(err));
}

static int
on_send(void *ctx, uint32_t conn, const struct cw_pl_msg *m)
{
	struct plant *p = ctx;
	unsigned int at;

	if (m->type == CW_PL_LEASE) {
		if (p->cnt[conn] == CW_LEDGER_LEASES_MAX)
			return CW_EFULL;
		at = (p->head[conn] + p->cnt[conn]++) % CW_LEDGER_LEASES_MAX;
		p->lease[conn][at] = (struct lease){ m->u.lease.order,
		    m->u.lease.record, m->u.lease.epoch };
	} else if (m->type == CW_PL_ACK) {
		p->acked++;
	}
	return 0;
}

static void
on_close(void *ctx, uint32_t conn)
{
	(void)ctx;
	bench_die("the ledger closed connection %u", conn);
}

static const struct cw_ledger_ops ops = { .send = on_send, .close = on_close };

static void
make_order(struct plant *p, unsigned int cards)
{
	const struct cw_store_ops *o = p->store->ops;
	struct cw_st_order ord = { .state = CW_ORD_INTAKE, .has_data = 1,
	    .total = cards, .remake_max = 3, .blank_max = 10 };
	uint8_t sealed[PAYLOAD_LEN + CW_SEAL_OVERHEAD], clear[PAYLOAD_LEN] = { 0 };
	struct cw_st_new r = { .payload = sealed, .payload_len = sizeof sealed };
	struct cw_st_dup dup;
	uint64_t id;

	must(o->begin(p->store->h), "begin");
	must(o->order_insert(p->store->h, &ord, &id), "order");
	for (r.record = 1; r.record <= cards; r.record++) {
		must(cw_seal_put(p->seal, &(struct cw_seal_id){ id, r.record },
		    clear, sizeof clear, sealed), "seal");
		must(o->record_add(p->store->h, id, &r, &dup), "record");
	}
	ord.id = id;
	ord.state = CW_ORD_READY;
	must(o->order_put(p->store->h, &ord), "order");
	must(o->commit(p->store->h), "commit");
}

static void
message(struct plant *p, uint32_t conn, const struct cw_pl_msg *m)
{
	must(cw_ledger_msg(p->ledger, conn, m, 1), cw_pl_type_name(m->type));
}

static void
pull(struct plant *p, uint32_t conn, unsigned int want)
{
	struct cw_pl_msg m = { .type = CW_PL_PULL };

	m.u.pull.want = (uint16_t)want;
	message(p, conn, &m);
}

static void
open_plant(struct plant *p, const char *dir, unsigned int cards)
{
	static const uint8_t key[CW_SEAL_KEY_LEN] = { 42 };
	struct cw_ledger_config cfg = { .ops = &ops, .ctx = p, .platform = 7 };
	struct cw_pl_msg m = { .type = CW_PL_HELLO };
	char err[256];

	memset(p, 0, sizeof *p);
	p->store = cw_store_sqlite_open(bench_fresh(dir, "results.db"), err,
	    sizeof err);
	if (p->store == NULL)
		bench_die("%s", err);
	p->seal = cw_seal_new(key);
	cfg.store = p->store;
	cfg.seal = p->seal;
	p->ledger = cw_ledger_new(&cfg);
	if (p->seal == NULL || p->ledger == NULL)
		bench_die("out of memory");
	make_order(p, cards);
	for (uint32_t c = 1; c <= TERMS; c++) {
		snprintf(m.u.hello.terminal, sizeof m.u.hello.terminal,
		    "line-%u", c);
		m.u.hello.incarnation = c;
		m.u.hello.start_cnt = 1;
		m.u.hello.next_seq = 1;
		must(cw_ledger_open(p->ledger, c, m.u.hello.terminal,
		    0x7F000001, 1), "open");
		message(p, c, &m);
	}
	must(cw_ledger_flush(p->ledger, 1), "flush");
}

static void
close_plant(struct plant *p)
{
	cw_ledger_free(p->ledger);
	cw_store_close(p->store);
	cw_seal_free(p->seal);
}

/* The oldest lease of conn ends with a good card. */
static void
result(struct plant *p, uint32_t conn)
{
	const struct lease *e = &p->lease[conn][p->head[conn]];
	struct cw_pl_msg m = { .type = CW_PL_RESULT };
	struct cw_pl_result *r = &m.u.result;

	r->seq = ++p->seq[conn];
	r->order = e->order;
	r->record = e->record;
	r->epoch = e->epoch;
	r->verdict = CW_CARD_GOOD;
	r->sw = 0x9000;
	r->station = 1;
	r->reader = 0x7F000101;
	r->card_no = (uint32_t)r->seq;
	r->ms = 400;
	r->time_ms = 1700000000000;
	r->atr_len = 22;
	r->trace = trace;
	r->trace_len = TRACE_LEN;
	p->head[conn] = (p->head[conn] + 1) % CW_LEDGER_LEASES_MAX;
	p->cnt[conn]--;
	message(p, conn, &m);
}

/* Gives leases out, want to each terminal. */
static void
lease_all(struct plant *p, unsigned int want)
{
	for (uint32_t c = 1; c <= TERMS; c++) {
		pull(p, c, want);
		must(cw_ledger_flush(p->ledger, 1), "flush");
	}
}

/*
 * Results of `cards` leases, BATCH to a flush, spread over four terminals at a
 * time.  With renew, each flush gives out as many leases anew.
 */
static double
drive(struct plant *p, unsigned int cards, bool renew)
{
	unsigned int done = 0, per = BATCH / 4;
	uint32_t conn = 0;
	double start = bench_now();

	cpu_start = bench_cpu();
	while (done < cards) {
		for (unsigned int i = 0; i < 4; i++) {
			conn = conn % TERMS + 1;
			for (unsigned int k = 0; k < per && p->cnt[conn] > 0;
			    k++, done++)
				result(p, conn);
			if (renew)
				pull(p, conn, per);
		}
		must(cw_ledger_flush(p->ledger, 1), "flush");
	}
	cpu_used = bench_cpu() - cpu_start;
	return bench_now() - start;
}

static double
ours(const char *dir, unsigned int cards, bool renew)
{
	static struct plant p;
	struct cw_st_counts sums;
	double took;

	/* With renew the leases that are out stay as many. */
	open_plant(&p, dir, renew ? cards + TERMS * BATCH : cards);
	lease_all(&p, renew ? BATCH : (cards + TERMS - 1) / TERMS);
	took = drive(&p, cards, renew);
	must(p.store->ops->sums(p.store->h, 1, &sums), "sums");
	if (sums.good < cards || sums.rec[CW_REC_ISSUED] != sums.good)
		bench_die("%llu results are in the book, %u were acknowledged",
		    (unsigned long long)sums.good, cards);
	took = (double)sums.good / took;
	close_plant(&p);
	return took;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
p99_us(double *v, unsigned int cnt)
{
	qsort(v, cnt, sizeof *v, by_value);
	return v[cnt * 99 / 100] * 1e6;
}

/* A platform with little to do: how long a terminal waits for an ACK. */
static void
alone(const char *dir)
{
	static struct plant p;
	double ack[ALONE], sync[ALONE], start;
	int fd = bench_append_open(dir);
	unsigned int i;

	open_plant(&p, dir, ALONE);
	lease_all(&p, ALONE / TERMS);
	for (i = 0; i < ALONE; i++) {
		uint64_t acked = p.acked;

		start = bench_now();
		result(&p, i % TERMS + 1);
		must(cw_ledger_flush(p.ledger, 1), "flush");
		ack[i] = bench_now() - start;
		if (p.acked != acked + 1)
			bench_die("a result was not acknowledged");
		sync[i] = bench_append(fd);
	}
	close(fd);
	close_plant(&p);
	printf("ack_p99_us %.0f\nsync_p99_us %.0f\n", p99_us(ack, ALONE),
	    p99_us(sync, ALONE));
	printf("ack_p50_us %.0f\nsync_p50_us %.0f\n", ack[ALONE / 2] * 1e6,
	    sync[ALONE / 2] * 1e6);
}

static void
sql(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		bench_die("%s: %s", text, sqlite3_errmsg(db));
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *text)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) != SQLITE_OK)
		bench_die("%s: %s", text, sqlite3_errmsg(db));
	return st;
}

static void
step(sqlite3 *db, sqlite3_stmt *st)
{
	if (sqlite3_step(st) != SQLITE_DONE)
		bench_die("%s", sqlite3_errmsg(db));
	sqlite3_reset(st);
}

static sqlite3 *
open_raw(const char *dir)
{
	sqlite3 *db;

	if (sqlite3_open(bench_fresh(dir, "raw.db"), &db) != SQLITE_OK)
		bench_die("%s", sqlite3_errmsg(db));
	sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000");
	return db;
}

/* The least that must be written for a result: its row, the record's row. */
static double
raw_same(const char *dir, unsigned int cards)
{
	sqlite3 *db = open_raw(dir);
	sqlite3_stmt *add, *set;
	double start;

	sql(db, "CREATE TABLE rec(id INTEGER PRIMARY KEY, state, payload);"
	    "CREATE TABLE res(id INTEGER PRIMARY KEY, rec, epoch, term, inc,"
	    " seq, verdict, outcome, sw, step, station, reader, card, ms, time,"
	    " atr, trace); BEGIN");
	add = prepare(db, "INSERT INTO rec VALUES(?1, 1, zeroblob(284))");
	for (unsigned int i = 1; i <= cards; i++) {
		sqlite3_bind_int64(add, 1, i);
		step(db, add);
	}
	sqlite3_finalize(add);
	sql(db, "COMMIT");
	add = prepare(db, "INSERT INTO res VALUES(NULL,?1,1,1,1,?1,1,0,36864,61,"
	    "1,2130706689,?1,400,1700000000000,zeroblob(22),?2)");
	set = prepare(db, "UPDATE rec SET state=2, payload=NULL WHERE id=?1");
	start = bench_now();
	cpu_start = bench_cpu();
	for (unsigned int i = 1; i <= cards; i++) {
		if (i % BATCH == 1)
			sql(db, "BEGIN");
		sqlite3_bind_int64(add, 1, i);
		sqlite3_bind_blob(add, 2, trace, TRACE_LEN, SQLITE_STATIC);
		step(db, add);
		sqlite3_bind_int64(set, 1, i);
		step(db, set);
		if (i % BATCH == 0 || i == cards)
			sql(db, "COMMIT");
	}
	cpu_used = bench_cpu() - cpu_start;
	start = bench_now() - start;
	sqlite3_finalize(add);
	sqlite3_finalize(set);
	sqlite3_close(db);
	return cards / start;
}

static double
raw_row(const char *dir, unsigned int cards)
{
	sqlite3 *db = open_raw(dir);
	sqlite3_stmt *add;
	double start;

	sql(db, "CREATE TABLE res(ord INTEGER, seq INTEGER, iccid TEXT, data TEXT,"
	    " state INTEGER)");
	add = prepare(db, "INSERT INTO res VALUES(1,?1,'89999001000000000017',"
	    "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',"
	    "0)");
	start = bench_now();
	cpu_start = bench_cpu();
	for (unsigned int i = 1; i <= cards; i++) {
		if (i % BATCH == 1)
			sql(db, "BEGIN");
		sqlite3_bind_int64(add, 1, i);
		step(db, add);
		if (i % BATCH == 0 || i == cards)
			sql(db, "COMMIT");
	}
	cpu_used = bench_cpu() - cpu_start;
	start = bench_now() - start;
	sqlite3_finalize(add);
	sqlite3_close(db);
	return cards / start;
}

int
main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	unsigned int cards = (unsigned int)bench_arg(argc, argv, 2, CARDS_MAX);
	unsigned int runs = (unsigned int)bench_arg(argc, argv, 3, 1000);

	memset(trace, 't', sizeof trace);
	for (unsigned int i = 0; i < runs; i++) {
		printf("results %.0f\n", ours(dir, cards, false));
		printf("results_cpu_us %.2f\n", cpu_used * 1e6 / cards);
		printf("raw_same %.0f\n", raw_same(dir, cards));
		printf("raw_same_cpu_us %.2f\n", cpu_used * 1e6 / cards);
		printf("cycle %.0f\n", ours(dir, cards, true));
		printf("raw_row %.0f\n", raw_row(dir, cards));
		printf("fdatasync %.0f\n", bench_fdatasync(dir, 200));
		alone(dir);
		fflush(stdout);
	}
	bench_fresh(dir, "results.db");
	bench_fresh(dir, "raw.db");
	return 0;
}
