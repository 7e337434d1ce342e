/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LEDGER_PRIV_H
#define CW_LEDGER_PRIV_H

#include "cw/package.h"
#include "platform/ledger.h"

/* Inside the ledger. */
#define LG_NOTES_MAX 256
#define LG_ARENA (1024u * 1024u)	/* traces of noted results */
#define LG_SENT_MAX 16			/* orders told on one connection */
#define LG_PAYLOAD_MAX (CW_PKG_FIELDS_MAX * (CW_PKG_VALUE_MAX + 36) + 2)
#define LG_BOUND_MAX 2			/* open leases per bound reader */
#define LG_MOVE_STEP 20000		/* rows per tick while cancelling */
#define LG_TOUCHED_MAX 320		/* orders changed by one flush; > LG_NOTES_MAX */

/* An open lease of a connected terminal. */
struct lg_lease {
	uint64_t order, record;
	uint32_t epoch, addr;
	bool revoke;		/* to be taken back instead of repeated */
	uint64_t next_ms;	/* when to send it (again) */
};

struct lg_term {
	bool used, greeted;
	uint32_t conn, ip;
	char name[CW_ST_NAME_CAP];
	struct cw_st_term row;		/* as stored */
	bool row_dirty;			/* to be written with this flush */
	bool ack_due;
	uint64_t told_seq;		/* next_seq in its HELLO */
	bool evidence;			/* its journal was written off */
	uint16_t want;
	uint16_t station_cnt;
	uint8_t addr_cnt;
	uint32_t addr[CW_STATIONS_MAX];
	uint64_t since_ms, status_ms;
	struct cw_pl_status status;
	uint64_t sent[LG_SENT_MAX];	/* orders whose ORDER went out here */
	unsigned int sent_cnt;
	unsigned int lease_cnt;
	struct lg_lease lease[CW_LEDGER_LEASES_MAX];
};

/* A message that waits for the next flush. */
struct lg_note {
	unsigned int term;	/* index */
	uint32_t conn;		/* must still be that terminal's */
	uint8_t type;		/* RESULT, REVOKED or REFUSED */
	union {
		struct cw_pl_result result;
		struct cw_pl_revoke revoked;
		struct cw_pl_refused refused;
	} u;
};

struct cw_ledger {
	struct cw_ledger_config cfg;
	const struct cw_store_ops *ops;
	void *h;
	struct lg_term term[CW_LEDGER_TERMS_MAX];
	unsigned int first;		/* which terminal is served first next */
	unsigned int note_cnt;
	struct lg_note note[LG_NOTES_MAX];
	size_t arena_len;
	char arena[LG_ARENA];
	bool work;			/* records may be waiting */
	uint64_t work_ms;		/* when to look anyway */
	unsigned int touched_cnt;
	uint64_t touched[LG_TOUCHED_MAX];
	bool touched_more;	/* and others: every open order is looked at */
	unsigned int tell_cnt;		/* new states to be told after the commit */
	struct cw_pl_order_state_msg tell[LG_TOUCHED_MAX];
	bool tell_more;		/* some found no room there */
	int sick;			/* what the store failed with; 0 = well */
	bool held_known;
	unsigned int held;		/* terminals that have to tell first */
	bool hold_due;			/* all are to connect anew after the commit */
	bool order_known;		/* within one flush: order as last read */
	struct cw_st_order order;
	struct cw_st_move cancel;	/* the order being cancelled in steps */
	uint8_t sealed[LG_PAYLOAD_MAX + CW_SEAL_OVERHEAD];
	uint8_t pkg[CW_PKG_HDR + LG_PAYLOAD_MAX];
	uint8_t chunk[CW_PLINK_CHUNK_MAX];
};

/* ledger.c */
uint64_t cw_lg_utc(const struct cw_ledger *l);
int cw_lg_send(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_msg *m);
/* Drops all connections and all that is only in memory: the store has failed
 * and the terminals' journals are the truth.  Returns err. */
int cw_lg_reset(struct cw_ledger *l, int err);
int cw_lg_event(struct cw_ledger *l, uint64_t order, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void cw_lg_touch(struct cw_ledger *l, uint64_t order);

/* No lease of this record (0: of the whole order) is to stand at anyone's: each
 * is asked for until its terminal answers. */
void cw_lg_take_back(struct cw_ledger *l, uint64_t order, uint64_t record);

/* ledger_hello.c: answers HELLO; closes on denial. */
int cw_lg_hello(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_hello *m,
    uint64_t now_ms);
int cw_lg_status(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_status *m,
    uint64_t now_ms);

/* ledger_hold.c; within a transaction but for settled. */
/* 1: no lease may go out; 0; or the store's error. */
int cw_lg_held(struct cw_ledger *l);
/* The store is older than what the terminals know: holds all of them. */
int cw_lg_hold_all(struct cw_ledger *l, const char *why);
/* Writes the row: this one has told, or was written off. */
int cw_lg_release(struct cw_ledger *l, struct cw_st_term *t);
int cw_lg_block_for(struct cw_ledger *l, const char *terminal);
int cw_lg_settled(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_settled *m,
    uint64_t now_ms);

/* ledger_result.c: within a transaction. */
int cw_lg_apply_notes(struct cw_ledger *l);
/* Ends orders that have no open record any more. */
int cw_lg_settle_orders(struct cw_ledger *l);
void cw_lg_drop_lease(struct lg_term *t, uint64_t order, uint64_t record, uint32_t epoch);

/* ledger_lease.c */
/* Leases waiting records to terminals with credit, within a transaction. */
int cw_lg_dispatch(struct cw_ledger *l);
/* Whether the order names this terminal, or none. */
bool cw_lg_may_do(const struct lg_term *t, const struct cw_st_order *o);
/* Sends what is due, after a commit. */
int cw_lg_send_due(struct cw_ledger *l, uint64_t now_ms);
/* What terminals are told of its state; the order's counts must be there. */
uint8_t cw_lg_wire_state(const struct cw_st_order *o);
/* ORDER to one terminal; ENOENT is no error. */
int cw_lg_send_order(struct cw_ledger *l, struct lg_term *t, uint64_t order);
int cw_lg_send_chunk(struct cw_ledger *l, struct lg_term *t, const struct cw_pl_get *g);
/* ORDER_STATE to every terminal that was told of the order; after a commit. */
void cw_lg_tell_state(struct cw_ledger *l, uint64_t order, uint8_t state);

#endif
