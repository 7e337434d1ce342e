/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/store/sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cw/err.h"

/* docs/spec/database.md explains each column. */
#define SCHEMA_VERSION 2

static const char schema_sql[] =
	"CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" ext TEXT NOT NULL, digest BLOB NOT NULL, state INTEGER NOT NULL,"
	" reason TEXT NOT NULL, profile TEXT NOT NULL, line TEXT NOT NULL,"
	" terminal_ip INTEGER NOT NULL, production INTEGER NOT NULL,"
	" has_cos INTEGER NOT NULL, has_data INTEGER NOT NULL,"
	" cos_digest BLOB NOT NULL, cos_addr INTEGER NOT NULL,"
	" cos_len INTEGER NOT NULL, cos_pkg_len INTEGER NOT NULL,"
	" profile_digest BLOB NOT NULL, profile_len INTEGER NOT NULL,"
	" total INTEGER NOT NULL, remake_max INTEGER NOT NULL,"
	" blank_max INTEGER NOT NULL, doubt INTEGER NOT NULL,"
	" key_id INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
	" started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX orders_ext ON orders(ext)"
	" WHERE ext <> '' AND state <> 0;"
	"CREATE TABLE counts(id INTEGER PRIMARY KEY,"
	" r0 INTEGER NOT NULL DEFAULT 0, r1 INTEGER NOT NULL DEFAULT 0,"
	" r2 INTEGER NOT NULL DEFAULT 0, r3 INTEGER NOT NULL DEFAULT 0,"
	" r4 INTEGER NOT NULL DEFAULT 0, r5 INTEGER NOT NULL DEFAULT 0,"
	" good INTEGER NOT NULL DEFAULT 0, reject INTEGER NOT NULL DEFAULT 0,"
	" doubted INTEGER NOT NULL DEFAULT 0, none INTEGER NOT NULL DEFAULT 0,"
	" stray INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE blobs(order_id INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" data BLOB NOT NULL, PRIMARY KEY(order_id, kind)) STRICT;"
	"CREATE TABLE records(id INTEGER PRIMARY KEY, state INTEGER NOT NULL,"
	" addr INTEGER NOT NULL, epoch INTEGER NOT NULL DEFAULT 0,"
	" term INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,"
	" blanks INTEGER NOT NULL DEFAULT 0, outcome INTEGER NOT NULL DEFAULT 0,"
	" sw INTEGER NOT NULL DEFAULT 0, iccid TEXT, payload BLOB) STRICT;"
	"CREATE INDEX records_waiting ON records(addr, id) WHERE state = 0;"
	"CREATE INDEX records_leased ON records(term, id) WHERE state = 1;"
	"CREATE TABLE prints(fp INTEGER PRIMARY KEY, id INTEGER NOT NULL) STRICT;"
	"CREATE TABLE results(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" rec INTEGER NOT NULL, epoch INTEGER NOT NULL, term INTEGER NOT NULL,"
	" incarnation INTEGER NOT NULL, seq INTEGER, verdict INTEGER NOT NULL,"
	" stray INTEGER NOT NULL, outcome INTEGER NOT NULL, sw INTEGER NOT NULL,"
	" step INTEGER NOT NULL, station INTEGER NOT NULL,"
	" reader INTEGER NOT NULL, card_no INTEGER NOT NULL,"
	" ms INTEGER NOT NULL, time_ms INTEGER NOT NULL, serial BLOB, atr BLOB,"
	" trace BLOB) STRICT;"
	"CREATE UNIQUE INDEX results_seq ON results(term, incarnation, seq)"
	" WHERE seq IS NOT NULL;"
	"CREATE UNIQUE INDEX results_epoch ON results(rec, epoch) WHERE stray = 0;"
	"CREATE INDEX results_rec ON results(rec);"
	"CREATE INDEX results_serial ON results(serial) WHERE serial IS NOT NULL;"
	"CREATE INDEX results_card ON results(card_no) WHERE card_no > 0;"
	"CREATE TABLE terminals(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE, ip INTEGER NOT NULL,"
	" incarnation INTEGER NOT NULL, acked_seq INTEGER NOT NULL,"
	" start_cnt INTEGER NOT NULL, cos_seen INTEGER NOT NULL,"
	" seen_ms INTEGER NOT NULL, dev_known INTEGER NOT NULL,"
	" dev_fresh INTEGER NOT NULL, base_feed INTEGER NOT NULL,"
	" base_good INTEGER NOT NULL, base_reject INTEGER NOT NULL,"
	" dev_feed INTEGER NOT NULL, dev_good INTEGER NOT NULL,"
	" dev_reject INTEGER NOT NULL, good INTEGER NOT NULL DEFAULT 0,"
	" reject INTEGER NOT NULL DEFAULT 0, doubted INTEGER NOT NULL DEFAULT 0,"
	" none INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE shares(order_id INTEGER NOT NULL, term INTEGER NOT NULL,"
	" cos_sent INTEGER NOT NULL, readers INTEGER NOT NULL,"
	" PRIMARY KEY(order_id, term)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" order_id INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
	" text TEXT NOT NULL) STRICT;"
	"CREATE INDEX events_order ON events(order_id, id);"
	"PRAGMA user_version = 1;";

/* From 1 to 2. */
static const char upgrade_sql[] =
	"ALTER TABLE terminals ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE terminals ADD COLUMN old_incarnation INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE terminals ADD COLUMN old_acked INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 2;";

static const char *const sql_text[SQ_CNT] = {
#define X(name, sql) [SQ_##name] = (sql),
	SQ_MAP(X)
#undef X
};

int
cw_sq_err(struct sq *q)
{
	int code = sqlite3_errcode(q->db);

	snprintf(q->s.why, sizeof q->s.why, "%s (%s)", sqlite3_errmsg(q->db),
	    sqlite3_errstr(sqlite3_extended_errcode(q->db)));
	switch (code & 0xff) {
	case SQLITE_FULL:
		return CW_ENOSPC;
	case SQLITE_NOMEM:
		return CW_ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return CW_EBUSY;
	case SQLITE_TOOBIG:
		return CW_ETOOBIG;
	default:
		return CW_EIO;
	}
}

sqlite3_stmt *
cw_sq_use(struct sq *q, enum sq_stmt which)
{
	sqlite3_stmt *st = q->stmt[which];

	if (st != NULL)
		return st;
	if (sqlite3_prepare_v3(q->db, sql_text[which], -1,
	    SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
		return NULL;
	q->stmt[which] = st;
	return st;
}

int
cw_sq_run(struct sq *q, sqlite3_stmt *st)
{
	int code, err = 0;

	code = sqlite3_step(st);
	if (code == SQLITE_CONSTRAINT)
		err = CW_EEXIST;
	else if (code != SQLITE_DONE && code != SQLITE_ROW)
		err = cw_sq_err(q);
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return err;
}

int
cw_sq_next(struct sq *q, sqlite3_stmt *st)
{
	int code, err = 0;

	code = sqlite3_step(st);
	if (code == SQLITE_ROW)
		return 1;
	if (code != SQLITE_DONE)
		err = cw_sq_err(q);
	(void)sqlite3_reset(st);
	return err;
}

void
cw_sq_ints(sqlite3_stmt *st, int cnt, const sqlite3_int64 *v)
{
	int i;

	for (i = 0; i < cnt; i++)
		(void)sqlite3_bind_int64(st, i + 1, v[i]);
}

void
cw_sq_text(sqlite3_stmt *st, int col, char *dst, size_t cap)
{
	const unsigned char *text = sqlite3_column_text(st, col);

	snprintf(dst, cap, "%s", text == NULL ? "" : (const char *)text);
}

size_t
cw_sq_bytes(sqlite3_stmt *st, int col, void *dst, size_t cap)
{
	const void *p = sqlite3_column_blob(st, col);
	size_t len = p == NULL ? 0 : (size_t)sqlite3_column_bytes(st, col);

	if (len > cap)
		len = cap;
	memset(dst, 0, cap);
	if (len > 0)
		memcpy(dst, p, len);
	return len;
}

/* Whether commits sync the log.  All of the log is synced with the next commit
 * that does, so nothing of it can be missing before that one. */
static int
set_lazy(struct sq *q, bool lazy)
{
	if (q->lazy == lazy)
		return 0;
	if (sqlite3_exec(q->db, lazy ? "PRAGMA synchronous=NORMAL" :
	    "PRAGMA synchronous=FULL", NULL, NULL, NULL) != SQLITE_OK)
		return cw_sq_err(q);
	q->lazy = lazy;
	return 0;
}

static int
begin_txn(struct sq *q, bool lazy)
{
	sqlite3_stmt *st;
	int err;

	if (q->in_txn)
		return CW_ESTATE;
	err = set_lazy(q, lazy);
	if (err < 0)
		return err;
	st = cw_sq_use(q, SQ_BEGIN);
	err = st == NULL ? cw_sq_err(q) : cw_sq_run(q, st);
	q->in_txn = err == 0;
	cw_sq_counts_drop(q);
	return err;
}

static int
sq_begin(void *h)
{
	return begin_txn(h, false);
}

static int
sq_begin_lazy(void *h)
{
	return begin_txn(h, true);
}

static int
sq_rollback(void *h)
{
	struct sq *q = h;
	sqlite3_stmt *st;

	if (!q->in_txn)
		return CW_ESTATE;
	q->in_txn = false;
	cw_sq_counts_drop(q);

	/* A full disk or a failed write may have rolled back by itself. */
	if (sqlite3_get_autocommit(q->db) != 0)
		return 0;
	st = cw_sq_use(q, SQ_ROLLBACK);
	return st == NULL ? cw_sq_err(q) : cw_sq_run(q, st);
}

static int
sq_commit(void *h)
{
	struct sq *q = h;
	sqlite3_stmt *st;
	int err;

	if (!q->in_txn)
		return CW_ESTATE;

	/* An error in between may have ended the transaction: then there is
	 * nothing to commit, and saying 0 would be a lie. */
	if (sqlite3_get_autocommit(q->db) != 0) {
		q->in_txn = false;
		return CW_EIO;
	}
	err = cw_sq_settle(q);
	st = err < 0 ? NULL : cw_sq_use(q, SQ_COMMIT);
	if (err == 0)
		err = st == NULL ? cw_sq_err(q) : cw_sq_run(q, st);
	if (err < 0)
		(void)sq_rollback(q);
	q->in_txn = false;
	return err;
}

static void
sq_close(void *h)
{
	struct sq *q = h;
	int i;

	if (q->in_txn)
		(void)sq_rollback(q);
	for (i = 0; i < SQ_CNT; i++)
		sqlite3_finalize(q->stmt[i]);
	(void)sqlite3_close(q->db);
	free(q);
}

static const struct cw_store_ops sqlite_ops = {
	.begin = sq_begin,
	.begin_lazy = sq_begin_lazy,
	.commit = sq_commit,
	.rollback = sq_rollback,
	.order_insert = cw_sq_order_insert,
	.order_get = cw_sq_order_get,
	.order_put = cw_sq_order_put,
	.order_list = cw_sq_order_list,
	.order_skip = cw_sq_order_skip,
	.order_find_ext = cw_sq_order_find_ext,
	.order_purge = cw_sq_order_purge,
	.blob_put = cw_sq_blob_put,
	.blob_get = cw_sq_blob_get,
	.record_add = cw_sq_record_add,
	.record_add_many = cw_sq_record_add_many,
	.record_get = cw_sq_record_get,
	.record_set = cw_sq_record_set,
	.record_move = cw_sq_record_move,
	.record_waiting = cw_sq_record_waiting,
	.waiting_addr = cw_sq_waiting_addr,
	.record_leased = cw_sq_record_leased,
	.record_list = cw_sq_record_list,
	.record_find_fp = cw_sq_record_find_fp,
	.payload_get = cw_sq_payload_get,
	.result_add = cw_sq_result_add,
	.result_list = cw_sq_result_list,
	.result_find_serial = cw_sq_result_find_serial,
	.result_find_card = cw_sq_result_find_card,
	.result_trace = cw_sq_result_trace,
	.result_causes = cw_sq_result_causes,
	.sums = cw_sq_sums,
	.term_sums = cw_sq_term_sums,
	.term_get = cw_sq_term_get,
	.term_get_id = cw_sq_term_get_id,
	.term_put = cw_sq_term_put,
	.term_list = cw_sq_term_list,
	.share_put = cw_sq_share_put,
	.share_get = cw_sq_share_get,
	.share_list = cw_sq_share_list,
	.event_add = cw_sq_event_add,
	.event_list = cw_sq_event_list,
	.close = sq_close,
};

/* The file with mode 0600 before SQLite sees it; refuses one open to others. */
static int
guard_file(const char *path, char *err, size_t err_cap)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(err, err_cap, "%s: %s; the folder must exist and belong "
		    "to the platform's user", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return CW_EIO;
	}
	close(fd);
	if ((st.st_mode & 077) != 0) {
		snprintf(err, err_cap, "%s: the database is open to group or "
		    "others (mode %03o); run: chmod 600 %s", path,
		    (unsigned int)(st.st_mode & 0777), path);
		return CW_EDENIED;
	}
	return 0;
}

static int
get_version(sqlite3 *db, int *version)
{
	sqlite3_stmt *st = NULL;
	int code;

	code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	*version = code == SQLITE_ROW ? sqlite3_column_int(st, 0) : -1;
	sqlite3_finalize(st);
	return code == SQLITE_ROW ? 0 : CW_EIO;
}

/* Settings of the connection, then the schema if the file is new. */
static int
prepare_db(struct sq *q, const char *path, char *err, size_t err_cap)
{
	int version;

	(void)sqlite3_extended_result_codes(q->db, 0);
	(void)sqlite3_busy_timeout(q->db, 5000);
	if (sqlite3_exec(q->db,
	    "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "PRAGMA secure_delete=ON; PRAGMA cache_size=-16384;"
	    "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=4000;"
	    "PRAGMA journal_size_limit=67108864;", NULL, NULL, NULL) != SQLITE_OK ||
	    get_version(q->db, &version) < 0) {
		snprintf(err, err_cap, "%s: %s; if this is no cardwright "
		    "database, name another file", path, sqlite3_errmsg(q->db));
		return CW_EIO;
	}
	if (version > SCHEMA_VERSION) {
		snprintf(err, err_cap, "%s: schema version %d is newer than this "
		    "program's %d; run the newer program", path, version,
		    SCHEMA_VERSION);
		return CW_EVERSION;
	}
	if (version == SCHEMA_VERSION)
		return 0;

	/* All or nothing: user_version stands inside the same transaction. */
	if (sqlite3_exec(q->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
	    (version == 0 &&
	    sqlite3_exec(q->db, schema_sql, NULL, NULL, NULL) != SQLITE_OK) ||
	    sqlite3_exec(q->db, upgrade_sql, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(q->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		snprintf(err, err_cap, "%s: %s", path, sqlite3_errmsg(q->db));
		(void)sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
		return CW_EIO;
	}
	return 0;
}

struct cw_store *
cw_store_sqlite_open(const char *path, char *err, size_t err_cap)
{
	struct sq *q;

	if (guard_file(path, err, err_cap) < 0)
		return NULL;
	q = calloc(1, sizeof *q);
	if (q == NULL) {
		snprintf(err, err_cap, "%s: out of memory", path);
		return NULL;
	}
	q->s.ops = &sqlite_ops;
	q->s.h = q;
	if (sqlite3_open_v2(path, &q->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		snprintf(err, err_cap, "%s: %s", path,
		    q->db == NULL ? "out of memory" : sqlite3_errmsg(q->db));
		goto fail;
	}
	if (prepare_db(q, path, err, err_cap) < 0)
		goto fail;
	return &q->s;

fail:
	sq_close(q);
	return NULL;
}
