/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STORE_H
#define CW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The platform's durable state behind one table of operations.  Two
 * implementations, held to one conformance test (tests/unit/platform):
 * cw_store_sqlite_open (WAL, synchronous=FULL) and cw_store_mem_new (in
 * process, for tests and the stepper, with a crash button).
 *
 *	struct cw_store *s = ...;
 *	s->ops->begin(s->h);
 *	s->ops->record_set(s->h, CW_REC_WAITING, &rec);
 *	err = s->ops->commit(s->h);
 *
 * Changes are allowed only between begin and commit / rollback (CW_ESTATE
 * otherwise); reading is allowed always and sees the handle's own changes.
 * After commit has returned 0 the changes survive a kill and a power cut; after
 * a failed commit nothing of them remains (the store has rolled back).  After
 * any other failed call inside a transaction the caller must roll back, unless
 * the call documents an error of its own (CW_EEXIST, CW_ENOENT, CW_ESTATE: the
 * call itself has changed nothing and the transaction goes on).
 *
 * One thread at a time per handle.  Errors of the world: CW_EIO, CW_ENOSPC,
 * CW_ENOMEM, CW_EBUSY; cw_store.why then holds a sentence for the log.
 *
 * Money-like rule: counts of an order are kept incrementally by the store
 * itself in the same transaction as the change that they count; sums() counts
 * anew from the rows, so that the two can be held against each other.
 */
#define CW_ST_NAME_CAP 64
#define CW_ST_TEXT_CAP 200
#define CW_ST_ICCID_CAP 21
#define CW_FP_LEN 8		/* fingerprint of a number, seal.h */
#define CW_FP_MAX 2		/* per record: ICCID, IMSI */
#define CW_ST_RECORD_MAX 0xFFFFFFFFu	/* records per order */

/* X(NAME, number, "word"): numbers are stored and never reused. */
#define CW_ORDER_STATE_MAP(X) \
	X(INTAKE, 0, "intake")		/* being taken in; invisible */ \
	X(READY, 1, "ready")		/* accepted, no card drawn yet */ \
	X(RUNNING, 2, "running") \
	X(PAUSED, 3, "paused") \
	X(CANCELLING, 4, "cancelling")	/* waits for leases to come back */ \
	X(CANCELLED, 5, "cancelled") \
	X(BLOCKED, 6, "blocked")	/* needs a person: see reason */ \
	X(DONE, 7, "done")		/* no record is open any more */ \
	X(CLOSED, 8, "closed")		/* DONE and signed off: payloads gone */

enum cw_st_order_state {
#define X(name, value, word) CW_ORD_##name = (value),
	CW_ORDER_STATE_MAP(X)
#undef X
	CW_ORD_CNT
};

#define CW_RECORD_STATE_MAP(X) \
	X(WAITING, 0, "waiting") \
	X(LEASED, 1, "leased") \
	X(ISSUED, 2, "issued") \
	X(FAILED, 3, "failed") \
	X(IN_DOUBT, 4, "in-doubt") \
	X(CANCELLED, 5, "cancelled")

enum cw_st_record_state {
#define X(name, value, word) CW_REC_##name = (value),
	CW_RECORD_STATE_MAP(X)
#undef X
	CW_REC_CNT
};

/* Words of the lists above; "?" for a number outside.  Static. */
const char *cw_order_state_word(unsigned int state);
const char *cw_record_state_word(unsigned int state);
/* State by its word; CW_ENOENT. */
int cw_order_state_find(const char *word);

enum cw_st_doubt { CW_DOUBT_AUTO = 0, CW_DOUBT_HOLD = 1 };

struct cw_st_counts {
	uint64_t rec[CW_REC_CNT];	/* records by state */
	uint64_t good, reject, doubt;	/* cards drawn, by verdict */
	uint64_t none;			/* leases that ended without a card */
	uint64_t stray;			/* results that answered no open lease */
	uint64_t evidence;		/* results of a journal that was written off;
					 * in sums() only */
};

struct cw_st_order {
	uint64_t id;			/* 1.., never reused */
	char ext[CW_ST_NAME_CAP];	/* the customer's id, "" = none; unique
					 * among orders past INTAKE */
	uint8_t digest[32];		/* of everything submitted under ext */
	uint8_t state;			/* enum cw_st_order_state */
	char reason[CW_ST_TEXT_CAP];	/* why BLOCKED, PAUSED, ... */
	char profile[CW_ST_NAME_CAP];
	char line[CW_ST_NAME_CAP];	/* terminal that must do it; "" = any */
	uint32_t terminal_ip;		/* IPv4 that must do it; 0 = any */
	uint8_t production, has_cos, has_data;
	uint8_t cos_digest[32];
	uint32_t cos_addr, cos_len, cos_pkg_len;
	uint8_t profile_digest[32];
	uint32_t profile_len;
	uint64_t total;			/* records */
	uint16_t remake_max;		/* cards per record that may go wrong with personal data on */
	uint16_t blank_max;		/* blanks per record that may go wrong before that */
	uint8_t doubt;			/* enum cw_st_doubt */
	uint32_t key_id;		/* key that sealed the payloads */
	uint64_t created_ms, started_ms, ended_ms;	/* UTC, 0 = not yet */
	struct cw_st_counts counts;	/* out only */
};

/* Which page of a list: keyset, never an offset. */
struct cw_st_page {
	uint64_t after;		/* last id seen, 0 = from the start */
	uint32_t states;	/* bit per state, 0 = all but INTAKE (orders) or all (records) */
	bool newest_first;	/* orders only */
};
#define CW_ST_BIT(state) (1u << (state))

/* A record on its way in; everything is borrowed for the call. */
struct cw_st_new {
	uint64_t record;		/* 1.. */
	uint32_t addr;			/* reader it is bound to, 0 = any */
	const char *iccid;		/* NUL-terminated or NULL */
	uint8_t fp[CW_FP_MAX][CW_FP_LEN];
	unsigned int fp_cnt;
	const uint8_t *payload;		/* sealed; NULL = none */
	size_t payload_len;
};

struct cw_st_record {
	uint64_t order, record;
	uint8_t state;			/* enum cw_st_record_state */
	uint32_t addr;
	uint32_t epoch;			/* of the last lease, 0 = none yet */
	uint32_t term;			/* terminal of the last lease, 0 = none */
	uint16_t tries;			/* cards gone wrong with personal data on */
	uint16_t blanks;		/* cards gone wrong before that */
	uint16_t outcome, sw;		/* of the last result */
	bool has_payload;		/* out only */
	char iccid[CW_ST_ICCID_CAP];	/* out only */
};

/* A record that already owns a fingerprint. */
struct cw_st_dup {
	uint64_t order, record;
	unsigned int fp_idx;		/* which of the new record's fingerprints */
};

struct cw_st_result {
	uint64_t id;			/* out only */
	uint64_t order, record;
	uint32_t epoch;
	uint32_t term;
	uint64_t incarnation;
	uint64_t seq;			/* 0: not from an outbox (write-off) */
	uint8_t verdict;		/* enum cw_card_verdict (cw/plink.h) */
	bool stray;			/* answered no open lease */
	bool evidence;			/* with stray: said after a write-off; counts
					 * nowhere */
	uint16_t outcome, sw, step, station;
	uint32_t reader, card_no, ms;
	uint64_t time_ms;
	uint8_t serial_len, serial[16];
	uint8_t atr_len, atr[33];
	const char *trace;		/* in: borrowed or NULL; out: NULL, see result_trace */
	uint32_t trace_len;
};

/* Which results: by order, one record of it, or only cards gone wrong.
 * In order of (record, id); keyset: record and id of the last one seen, 0 0 =
 * start. */
struct cw_st_result_page {
	uint64_t order;
	uint64_t record;		/* 0 = all */
	bool wrong_only;		/* REJECT and DOUBT */
	uint64_t after_record, after_id;
};

struct cw_st_cause {
	uint8_t verdict;
	uint16_t outcome;
	uint16_t sw;
	uint64_t cnt;
};

struct cw_st_term {
	uint32_t id;			/* 1..; 0 in term_put = new */
	char name[CW_ST_NAME_CAP];
	uint32_t ip;
	uint64_t incarnation;
	uint64_t acked_seq;		/* all up to it are recorded */
	uint32_t start_cnt;
	uint32_t cos_seen;		/* STATUS.cos_sent already shared out */
	uint64_t seen_ms;		/* UTC of the last hello */
	bool hold;			/* the store was set back, and this terminal has
					 * not told all that it knows since */
	uint64_t old_incarnation;	/* written off last, 0 = none: evidence only */
	uint64_t old_acked;		/* its results recorded as evidence */
	/* the machine's counters: where our books began, and what it said last */
	bool dev_known;			/* base_* are set */
	bool dev_fresh;			/* dev_* are younger than the last result */
	uint32_t base_feed, base_good, base_reject;
	uint32_t dev_feed, dev_good, dev_reject;
};

/* What one terminal did for one order. */
struct cw_st_share {
	uint64_t order;
	uint32_t term;
	uint32_t cos_sent;		/* images sent over the wire */
	uint32_t readers;		/* readers that can work */
};

struct cw_st_event {
	uint64_t id;			/* out only */
	uint64_t order;			/* 0 = the platform */
	uint64_t time_ms;
	char text[CW_ST_TEXT_CAP];
};

enum cw_st_blob { CW_ST_COS = 1, CW_ST_PROFILE = 2 };	/* as in cw/plink.h */

/* How a crowd of records changes state at once, in steps. */
struct cw_st_move {
	uint64_t order;
	uint8_t from, to;		/* equal: only destroys payloads */
	bool destroy;			/* destroys their payloads */
	uint32_t max;			/* rows in this call */
	uint64_t after;			/* in: only records above it; out: the last moved */
};

/*
 * Every call returns 0 or a count >= 0, or CW_E*.  CW_ENOENT: no such row.
 * cap: capacity of out in elements; the count returned is never above it.
 */
struct cw_store_ops {
	/* CW_ESTATE when one is open already (begin) or none is (the others). */
	int (*begin)(void *h);
	/* As begin, but what is committed may be lost again by a power cut until
	 * the next transaction of begin commits (never torn, never reordered):
	 * for an intake's batches, which nobody sees before that. */
	int (*begin_lazy)(void *h);
	int (*commit)(void *h);
	int (*rollback)(void *h);

	/* o->id and counts are ignored; *id is filled. */
	int (*order_insert)(void *h, const struct cw_st_order *o, uint64_t *id);
	int (*order_get)(void *h, uint64_t id, struct cw_st_order *o);
	/* Writes all but id and counts.  CW_EEXIST: ext is taken. */
	int (*order_put)(void *h, const struct cw_st_order *o);
	int (*order_list)(void *h, const struct cw_st_page *p,
	    struct cw_st_order *out, size_t cap);
	/* The next orders' ids begin n above what they would. */
	int (*order_skip)(void *h, uint64_t n);
	/* Order past INTAKE with this customer's id. */
	int (*order_find_ext)(void *h, const char *ext, struct cw_st_order *o);
	/* Deletes up to max records of an order in INTAKE, and the order with
	 * its last one.  1 = there is more, 0 = all is gone. CW_ESTATE: the
	 * order is not in INTAKE. */
	int (*order_purge)(void *h, uint64_t id, uint32_t max);

	int (*blob_put)(void *h, uint64_t order, uint8_t blob,
	    const uint8_t *buf, size_t len);
	/* Copies bytes [off, off + cap) as far as there are any; count. */
	int (*blob_get)(void *h, uint64_t order, uint8_t blob, size_t off,
	    uint8_t *buf, size_t cap);

	/*
	 * Adds one record, WAITING.  CW_EEXIST with *dup: a fingerprint is
	 * owned by another record; nothing was added.  Ownership ends when the
	 * owner is CANCELLED, or its order CLOSED or CANCELLED without the
	 * owner being ISSUED, or its intake was purged.
	 */
	int (*record_add)(void *h, uint64_t order, const struct cw_st_new *r,
	    struct cw_st_dup *dup);
	/* Adds cnt records of one order as far as record_add would; how many.
	 * Fewer than cnt: r[count] was not added, *dup tells why. */
	int (*record_add_many)(void *h, uint64_t order, const struct cw_st_new *r,
	    size_t cnt, struct cw_st_dup *dup);
	int (*record_get)(void *h, uint64_t order, uint64_t record,
	    struct cw_st_record *r);
	/* Compare and set: writes state, epoch, term, tries, blanks, outcome,
	 * sw if the state is `was`; CW_ESTATE if not.  ISSUED and CANCELLED
	 * destroy the payload with it: overwritten, not only unlinked. */
	int (*record_set)(void *h, uint8_t was, const struct cw_st_record *r);
	/* Up to m->max records of state `from` to state `to`; count moved, below
	 * max when there are no more (from == to: of those with a payload). */
	int (*record_move)(void *h, struct cw_st_move *m);
	/* WAITING records of an order bound to addr exactly (0 = open ones),
	 * in order, after record number `after`. */
	int (*record_waiting)(void *h, const struct cw_st_record *after,
	    struct cw_st_record *out, size_t cap);
	/* The lowest card address above `above` that a WAITING record of any
	 * order is bound to.  CW_ENOENT: there is none. */
	int (*waiting_addr)(void *h, uint32_t above, uint32_t *addr);
	/* LEASED records of a terminal in (order, record) order. */
	int (*record_leased)(void *h, uint32_t term,
	    const struct cw_st_record *after, struct cw_st_record *out, size_t cap);
	/* p->after: record number. */
	int (*record_list)(void *h, uint64_t order, const struct cw_st_page *p,
	    struct cw_st_record *out, size_t cap);
	int (*record_find_fp)(void *h, const uint8_t fp[CW_FP_LEN],
	    struct cw_st_record *r);
	/* Sealed payload: its length; CW_ENOENT none, CW_EFULL cap too small. */
	int (*payload_get)(void *h, uint64_t order, uint64_t record,
	    uint8_t *buf, size_t cap);

	/* CW_EEXIST: (term, incarnation, seq) or, unless stray, (order, record,
	 * epoch) is recorded already.  Counts good/reject/doubt/none or stray. */
	int (*result_add)(void *h, const struct cw_st_result *r);
	int (*result_list)(void *h, const struct cw_st_result_page *p,
	    struct cw_st_result *out, size_t cap);
	/* By chip serial, newest first. */
	int (*result_find_serial)(void *h, const uint8_t *serial, size_t len,
	    struct cw_st_result *out, size_t cap);
	/* By the machine's card number, newest first; term 0 = of any line. */
	int (*result_find_card)(void *h, uint32_t term, uint32_t card_no,
	    struct cw_st_result *out, size_t cap);
	/* Trace text of a result; length; not NUL-terminated; cut at cap. */
	int (*result_trace)(void *h, uint64_t id, char *buf, size_t cap);
	/* Cards gone wrong by cause, most frequent first; stray ones left out. */
	int (*result_causes)(void *h, uint64_t order, struct cw_st_cause *out,
	    size_t cap);

	/* Counted anew from the rows; independent of counts. */
	int (*sums)(void *h, uint64_t order, struct cw_st_counts *c);
	/* Cards of one terminal over all orders, from running counts, results
	 * without seq left out (rec[] and stray stay 0; stray results count by
	 * verdict, for their cards were drawn). */
	int (*term_sums)(void *h, uint32_t term, struct cw_st_counts *c);

	int (*term_get)(void *h, const char *name, struct cw_st_term *t);
	int (*term_get_id)(void *h, uint32_t id, struct cw_st_term *t);
	/* Inserts (id 0; fills t->id) or rewrites. */
	int (*term_put)(void *h, struct cw_st_term *t);
	int (*term_list)(void *h, uint32_t after_id, struct cw_st_term *out,
	    size_t cap);
	int (*share_put)(void *h, const struct cw_st_share *sh);
	int (*share_get)(void *h, uint64_t order, uint32_t term,
	    struct cw_st_share *sh);
	int (*share_list)(void *h, uint64_t order, struct cw_st_share *out,
	    size_t cap);

	int (*event_add)(void *h, const struct cw_st_event *e);
	/* Newest first, before event id `before` (0 = from the newest);
	 * order 0 = of all. */
	int (*event_list)(void *h, uint64_t order, uint64_t before,
	    struct cw_st_event *out, size_t cap);

	void (*close)(void *h);
};

struct cw_store {
	const struct cw_store_ops *ops;
	void *h;
	char why[256];		/* of the last error of the world */
};

/*
 * Opens or creates a database file (mode 0600; a file open to others is
 * refused).  NULL with err filled: place and remedy.  A file of a newer schema
 * is refused, an older one is brought up to date.  Orders left in INTAKE by a
 * kill stay for cw_intake_sweep.
 */
struct cw_store *cw_store_sqlite_open(const char *path, char *err, size_t err_cap);

/* In process.  NULL only when out of memory. */
struct cw_store *cw_store_mem_new(void);
/* The process dies here: what was not committed is gone.  The handle goes on
 * as the next process that opens the same disk. */
void cw_store_mem_crash(struct cw_store *s);
/* A backup as it is now (no transaction is open), NULL when out of memory; and
 * s set back to it.  The backup stays the caller's. */
struct cw_store *cw_store_mem_copy(struct cw_store *s);
int cw_store_mem_restore(struct cw_store *s, struct cw_store *backup);

/* Closes and frees; NULL is harmless. */
void cw_store_close(struct cw_store *s);

/*
 * A decorator that makes calls fail: the nth call (1..; reading or changing, but
 * not rollback) from now fails with CW_EIO, once or from then on; a commit that
 * fails has rolled back.  0 = none fails.  Used by fault sweeps and by the
 * stepper.  inner is borrowed and must outlive it.
 */
struct cw_store *cw_store_fault_new(struct cw_store *inner);
void cw_store_fault_set(struct cw_store *s, uint32_t nth, bool for_ever);
/* How many calls have failed since set. */
uint32_t cw_store_fault_fired(const struct cw_store *s);

#endif
