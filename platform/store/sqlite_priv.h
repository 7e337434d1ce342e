/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STORE_SQLITE_PRIV_H
#define CW_STORE_SQLITE_PRIV_H

#include <sqlite3.h>

#include "platform/store/store.h"

/*
 * Inside the SQLite store: the handle and the few verbs that its files share.
 * Every SQL text of the store stands in this one list (schema: sqlite.c);
 * statements are prepared at first use and kept.
 *
 * A record's row id is order << 32 | record.
 */
#define SQ_GROUP 16	/* records written by one statement */
#define SQ_PAIRS_8 "(?,?),(?,?),(?,?),(?,?),(?,?),(?,?),(?,?),(?,?)"
#define SQ_ROWS_4 "(?,0,?,?,?),(?,0,?,?,?),(?,0,?,?,?),(?,0,?,?,?)"
#define SQ_ORDER_COLUMNS \
	"ext, digest, state, reason, profile, line, terminal_ip, production, " \
	"has_cos, has_data, cos_digest, cos_addr, cos_len, cos_pkg_len, " \
	"profile_digest, profile_len, total, remake_max, blank_max, doubt, " \
	"key_id, created_ms, started_ms, ended_ms"
#define SQ_ORDER_SELECT \
	"SELECT o.id, " SQ_ORDER_COLUMNS ", r0, r1, r2, r3, r4, r5, good, " \
	"reject, doubted, none, stray FROM orders o JOIN counts c ON c.id = o.id "
#define SQ_RECORD_SELECT \
	"SELECT id, state, addr, epoch, term, tries, blanks, outcome, sw, " \
	"payload IS NOT NULL, iccid FROM records "
#define SQ_RESULT_SELECT \
	"SELECT id, rec, epoch, term, incarnation, seq, verdict, stray, outcome, " \
	"sw, step, station, reader, card_no, ms, time_ms, serial, atr, " \
	"length(trace) FROM results "
#define SQ_TERM_COLUMNS \
	"name, ip, incarnation, acked_seq, start_cnt, cos_seen, seen_ms, " \
	"dev_known, dev_fresh, base_feed, base_good, base_reject, dev_feed, " \
	"dev_good, dev_reject, hold, old_incarnation, old_acked"

#define SQ_MAP(X) \
	X(BEGIN, "BEGIN IMMEDIATE") \
	X(COMMIT, "COMMIT") \
	X(ROLLBACK, "ROLLBACK") \
	X(ORDER_INSERT, "INSERT INTO orders(" SQ_ORDER_COLUMNS ") VALUES(" \
	    "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18," \
	    "?19,?20,?21,?22,?23,?24)") \
	X(COUNTS_INSERT, "INSERT INTO counts(id) VALUES(?1)") \
	X(ORDER_PUT, "UPDATE orders SET (" SQ_ORDER_COLUMNS ") = (" \
	    "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18," \
	    "?19,?20,?21,?22,?23,?24) WHERE id = ?25") \
	X(ORDER_GET, SQ_ORDER_SELECT "WHERE o.id = ?1") \
	X(ORDER_LIST, SQ_ORDER_SELECT \
	    "WHERE o.id > ?1 AND (1 << state) & ?2 ORDER BY o.id LIMIT ?3") \
	X(ORDER_LIST_NEW, SQ_ORDER_SELECT \
	    "WHERE o.id < ?1 AND (1 << state) & ?2 ORDER BY o.id DESC LIMIT ?3") \
	X(ORDER_EXT, SQ_ORDER_SELECT \
	    "WHERE ext = ?1 AND ext <> '' AND state <> 0") \
	X(ORDER_DELETE, "DELETE FROM orders WHERE id = ?1") \
	X(COUNTS_DELETE, "DELETE FROM counts WHERE id = ?1") \
	X(BLOBS_DELETE, "DELETE FROM blobs WHERE order_id = ?1") \
	X(PURGE, "DELETE FROM records WHERE id IN (SELECT id FROM records " \
	    "WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)") \
	X(BLOB_PUT, "INSERT OR REPLACE INTO blobs(order_id, kind, data) " \
	    "VALUES(?1, ?2, ?3)") \
	X(BLOB_GET, "SELECT substr(data, ?3, ?4) FROM blobs " \
	    "WHERE order_id = ?1 AND kind = ?2") \
	X(RECORD_ADD, "INSERT INTO records(id, state, addr, iccid, payload) " \
	    "VALUES(?1, 0, ?2, ?3, ?4)") \
	X(RECORD_ADD_16, "INSERT INTO records(id, state, addr, iccid, payload) " \
	    "VALUES " SQ_ROWS_4 "," SQ_ROWS_4 "," SQ_ROWS_4 "," SQ_ROWS_4) \
	X(PRINT_ADD_32, "INSERT INTO prints(fp, id) VALUES " SQ_PAIRS_8 "," \
	    SQ_PAIRS_8 "," SQ_PAIRS_8 "," SQ_PAIRS_8 " ON CONFLICT DO NOTHING") \
	X(PRINT_DELETE_OWN, "DELETE FROM prints WHERE fp = ?1 AND id = ?2") \
	X(PRINT_ADD, "INSERT INTO prints(fp, id) VALUES(?1, ?2) " \
	    "ON CONFLICT DO NOTHING") \
	X(PRINT_TAKE, "UPDATE prints SET id = ?2 WHERE fp = ?1") \
	X(PRINT_GET, "SELECT id FROM prints WHERE fp = ?1") \
	X(PRINT_DELETE, "DELETE FROM prints WHERE fp = ?1") \
	X(PRINT_OWNED, "SELECT 1 FROM records r, orders o WHERE r.id = ?1 " \
	    "AND o.id = ?1 >> 32 AND (r.state = 2 OR " \
	    "(r.state <> 5 AND o.state NOT IN (5, 8)))") \
	X(RECORD_GET, SQ_RECORD_SELECT "WHERE id = ?1") \
	X(RECORD_SET, "UPDATE records SET state = ?3, epoch = ?4, term = ?5, " \
	    "tries = ?6, blanks = ?7, outcome = ?8, sw = ?9, payload = " \
	    "CASE WHEN ?3 IN (2, 5) THEN NULL ELSE payload END " \
	    "WHERE id = ?1 AND state = ?2") \
	X(MOVE_LIST, "SELECT id FROM records WHERE id > ?1 AND id <= ?2 AND " \
	    "state = ?3 AND (?4 = 0 OR payload IS NOT NULL) ORDER BY id LIMIT ?5") \
	X(MOVE_ONE, "UPDATE records SET state = ?2, " \
	    "payload = CASE WHEN ?3 THEN NULL ELSE payload END WHERE id = ?1") \
	X(RECORD_WAITING, SQ_RECORD_SELECT "INDEXED BY records_waiting " \
	    "WHERE state = 0 AND addr = ?1 AND id > ?2 AND id <= ?3 " \
	    "ORDER BY id LIMIT ?4") \
	X(WAITING_ADDR, "SELECT addr FROM records INDEXED BY records_waiting " \
	    "WHERE state = 0 AND addr > ?1 ORDER BY addr LIMIT 1") \
	X(RECORD_LEASED, SQ_RECORD_SELECT "INDEXED BY records_leased " \
	    "WHERE state = 1 AND term = ?1 AND id > ?2 ORDER BY id LIMIT ?3") \
	X(RECORD_LIST, SQ_RECORD_SELECT "WHERE id > ?1 AND id <= ?2 AND " \
	    "(?3 = 0 OR (1 << state) & ?3) ORDER BY id LIMIT ?4") \
	X(PAYLOAD_GET, "SELECT payload FROM records WHERE id = ?1") \
	X(COUNT_ORDER, "UPDATE counts SET r0 = r0 + ?2, r1 = r1 + ?3, " \
	    "r2 = r2 + ?4, r3 = r3 + ?5, r4 = r4 + ?6, r5 = r5 + ?7, " \
	    "good = good + ?8, reject = reject + ?9, doubted = doubted + ?10, " \
	    "none = none + ?11, stray = stray + ?12 WHERE id = ?1") \
	X(COUNT_TERM, "UPDATE terminals SET good = good + ?2, " \
	    "reject = reject + ?3, doubted = doubted + ?4, none = none + ?5 " \
	    "WHERE id = ?1") \
	X(RESULT_ADD, "INSERT INTO results(rec, epoch, term, incarnation, seq, " \
	    "verdict, stray, outcome, sw, step, station, reader, card_no, ms, " \
	    "time_ms, serial, atr, trace) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9," \
	    "?10,?11,?12,?13,?14,?15,?16,?17,?18) ON CONFLICT DO NOTHING") \
	X(RESULT_LIST, SQ_RESULT_SELECT "WHERE rec BETWEEN ?1 AND ?2 AND " \
	    "(rec, id) > (?3, ?4) AND (?5 = 0 OR verdict IN (2, 3)) " \
	    "ORDER BY rec, id LIMIT ?6") \
	X(RESULT_SERIAL, SQ_RESULT_SELECT "WHERE serial = ?1 " \
	    "ORDER BY id DESC LIMIT ?2") \
	X(RESULT_CARD, SQ_RESULT_SELECT "WHERE card_no = ?1 AND card_no > 0 " \
	    "AND (?2 = 0 OR term = ?2) ORDER BY id DESC LIMIT ?3") \
	X(RESULT_TRACE, "SELECT trace FROM results WHERE id = ?1") \
	X(CAUSES, "SELECT verdict, outcome, sw, count(*) FROM results " \
	    "WHERE rec BETWEEN ?1 AND ?2 AND verdict IN (2, 3) AND stray = 0 " \
	    "GROUP BY verdict, outcome, sw ORDER BY count(*) DESC, outcome, " \
	    "sw, verdict LIMIT ?3") \
	X(SUM_RECORDS, "SELECT state, count(*) FROM records " \
	    "WHERE id BETWEEN ?1 AND ?2 GROUP BY state") \
	X(SUM_RESULTS, "SELECT verdict, stray, count(*) FROM results " \
	    "WHERE rec BETWEEN ?1 AND ?2 GROUP BY verdict, stray") \
	X(ORDER_SKIP, "UPDATE sqlite_sequence SET seq = seq + ?1 " \
	    "WHERE name = 'orders'") \
	X(ORDER_SKIP_NEW, "INSERT INTO sqlite_sequence(name, seq) VALUES('orders', ?1)") \
	X(TERM_SUMS, "SELECT good, reject, doubted, none FROM terminals " \
	    "WHERE id = ?1") \
	X(TERM_GET, "SELECT id, " SQ_TERM_COLUMNS " FROM terminals WHERE name = ?1") \
	X(TERM_GET_ID, "SELECT id, " SQ_TERM_COLUMNS " FROM terminals WHERE id = ?1") \
	X(TERM_LIST, "SELECT id, " SQ_TERM_COLUMNS " FROM terminals " \
	    "WHERE id > ?1 ORDER BY id LIMIT ?2") \
	X(TERM_INSERT, "INSERT INTO terminals(" SQ_TERM_COLUMNS ") VALUES(" \
	    "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18) " \
	    "ON CONFLICT DO NOTHING") \
	X(TERM_PUT, "UPDATE terminals SET (" SQ_TERM_COLUMNS ") = (" \
	    "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18) " \
	    "WHERE id = ?19") \
	X(SHARE_PUT, "INSERT OR REPLACE INTO shares(order_id, term, cos_sent, " \
	    "readers) VALUES(?1, ?2, ?3, ?4)") \
	X(SHARE_GET, "SELECT order_id, term, cos_sent, readers FROM shares " \
	    "WHERE order_id = ?1 AND term = ?2") \
	X(SHARE_LIST, "SELECT order_id, term, cos_sent, readers FROM shares " \
	    "WHERE order_id = ?1 ORDER BY term LIMIT ?2") \
	X(EVENT_ADD, "INSERT INTO events(order_id, time_ms, text) " \
	    "VALUES(?1, ?2, ?3)") \
	X(EVENT_LIST, "SELECT id, order_id, time_ms, text FROM events " \
	    "WHERE (?1 = 0 OR order_id = ?1) AND id < ?2 " \
	    "ORDER BY id DESC LIMIT ?3")

enum sq_stmt {
#define X(name, sql) SQ_##name,
	SQ_MAP(X)
#undef X
	SQ_CNT
};

#define SQ_ROWS_MAX 64
#define SQ_TERM_COUNTS 4	/* by verdict, from CW_CARD_GOOD on */
#define SQ_ORDER_COUNTS (CW_REC_CNT + SQ_TERM_COUNTS + 1)	/* and stray */

struct sq_row {
	uint64_t id;
	int64_t v[SQ_ORDER_COUNTS];	/* in order of the columns */
};

struct sq {
	struct cw_store s;	/* what the caller holds; s.h points back here */
	sqlite3 *db;
	sqlite3_stmt *stmt[SQ_CNT];
	bool in_txn;
	bool lazy;		/* commits do not sync the log now */
	/* what this transaction has yet to add to counts and terminals */
	unsigned int order_cnt, term_cnt;
	struct sq_row order[SQ_ROWS_MAX], term[SQ_ROWS_MAX];
};

#define SQ_ID(order, record) ((sqlite3_int64)((order) << 32 | (record)))
#define SQ_LAST 0xFFFFFFFFull	/* highest record number */

/* Statement ready for binding; NULL after an error (cw_sq_err tells). */
sqlite3_stmt *cw_sq_use(struct sq *q, enum sq_stmt which);
/* Maps the database's last error to CW_E* and keeps its sentence in s.why. */
int cw_sq_err(struct sq *q);
/* Runs a statement without rows: 0, CW_EEXIST on a constraint, or an error. */
int cw_sq_run(struct sq *q, sqlite3_stmt *st);
/* Next row: 1, 0 at the end (the statement is reset), or an error. */
int cw_sq_next(struct sq *q, sqlite3_stmt *st);
/* Brings counts up to date with this transaction; before any of them is read. */
int cw_sq_settle(struct sq *q);
/* Forgets what was gathered: another transaction begins. */
void cw_sq_counts_drop(struct sq *q);
/* cnt records of an order go from one state to another; -1 = from nowhere. */
int cw_sq_count_move(struct sq *q, uint64_t order, int from, int to, uint32_t cnt);
/* One result more of its order and its terminal. */
int cw_sq_count_result(struct sq *q, const struct cw_st_result *r);
/* Binds integers to parameters 1.. */
void cw_sq_ints(sqlite3_stmt *st, int cnt, const sqlite3_int64 *v);
/* Column as text or bytes into a fixed array, NUL-terminated or zero-filled. */
void cw_sq_text(sqlite3_stmt *st, int col, char *dst, size_t cap);
size_t cw_sq_bytes(sqlite3_stmt *st, int col, void *dst, size_t cap);

/* Members of the operation table, by file. */
int cw_sq_order_insert(void *h, const struct cw_st_order *o, uint64_t *id);
int cw_sq_order_get(void *h, uint64_t id, struct cw_st_order *o);
int cw_sq_order_put(void *h, const struct cw_st_order *o);
int cw_sq_order_list(void *h, const struct cw_st_page *p, struct cw_st_order *out, size_t cap);
int cw_sq_order_skip(void *h, uint64_t n);
int cw_sq_order_find_ext(void *h, const char *ext, struct cw_st_order *o);
int cw_sq_order_purge(void *h, uint64_t id, uint32_t max);
int cw_sq_blob_put(void *h, uint64_t order, uint8_t blob, const uint8_t *buf, size_t len);
int cw_sq_blob_get(void *h, uint64_t order, uint8_t blob, size_t off, uint8_t *buf, size_t cap);
int cw_sq_record_add(void *h, uint64_t order, const struct cw_st_new *r, struct cw_st_dup *dup);
int cw_sq_record_add_many(void *h, uint64_t order, const struct cw_st_new *r, size_t cnt,
    struct cw_st_dup *dup);
int cw_sq_record_get(void *h, uint64_t order, uint64_t record, struct cw_st_record *r);
int cw_sq_record_set(void *h, uint8_t was, const struct cw_st_record *r);
int cw_sq_record_move(void *h, struct cw_st_move *m);
int cw_sq_record_waiting(void *h, const struct cw_st_record *after, struct cw_st_record *out, size_t cap);
int cw_sq_waiting_addr(void *h, uint32_t above, uint32_t *addr);
int cw_sq_record_leased(void *h, uint32_t term, const struct cw_st_record *after,
    struct cw_st_record *out, size_t cap);
int cw_sq_record_list(void *h, uint64_t order, const struct cw_st_page *p,
    struct cw_st_record *out, size_t cap);
int cw_sq_record_find_fp(void *h, const uint8_t fp[CW_FP_LEN], struct cw_st_record *r);
int cw_sq_payload_get(void *h, uint64_t order, uint64_t record, uint8_t *buf, size_t cap);
int cw_sq_result_add(void *h, const struct cw_st_result *r);
int cw_sq_result_list(void *h, const struct cw_st_result_page *p, struct cw_st_result *out, size_t cap);
int cw_sq_result_find_serial(void *h, const uint8_t *serial, size_t len,
    struct cw_st_result *out, size_t cap);
int cw_sq_result_find_card(void *h, uint32_t term, uint32_t card_no, struct cw_st_result *out, size_t cap);
int cw_sq_result_trace(void *h, uint64_t id, char *buf, size_t cap);
int cw_sq_result_causes(void *h, uint64_t order, struct cw_st_cause *out, size_t cap);
int cw_sq_sums(void *h, uint64_t order, struct cw_st_counts *c);
int cw_sq_term_sums(void *h, uint32_t term, struct cw_st_counts *c);
int cw_sq_term_get(void *h, const char *name, struct cw_st_term *t);
int cw_sq_term_get_id(void *h, uint32_t id, struct cw_st_term *t);
int cw_sq_term_put(void *h, struct cw_st_term *t);
int cw_sq_term_list(void *h, uint32_t after_id, struct cw_st_term *out, size_t cap);
int cw_sq_share_put(void *h, const struct cw_st_share *sh);
int cw_sq_share_get(void *h, uint64_t order, uint32_t term, struct cw_st_share *sh);
int cw_sq_share_list(void *h, uint64_t order, struct cw_st_share *out, size_t cap);
int cw_sq_event_add(void *h, const struct cw_st_event *e);
int cw_sq_event_list(void *h, uint64_t order, uint64_t before, struct cw_st_event *out, size_t cap);

#endif
