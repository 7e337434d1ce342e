/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LEDGER_H
#define CW_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/plink.h"
#include "platform/seal.h"
#include "platform/store/store.h"

/*
 * The dispatch core of the platform: which record goes to which terminal under
 * which epoch, and what became of it.  No I/O but the store; time is passed in;
 * messages leave by one callback.
 *
 *	l = cw_ledger_new(&cfg);
 *	cw_ledger_open(l, conn, name, ip, now)		TLS is up
 *	cw_ledger_msg(l, conn, &m, now) ...		decoded messages
 *	cw_ledger_flush(l, now)				once per turn of the loop
 *	cw_ledger_tick(l, now)				every 250 ms or so
 *	cw_ledger_closed(l, conn, now)
 *
 * cw_ledger_msg only notes RESULT and REVOKED; flush records all that were
 * noted in one transaction together with the new leases, commits, and only then
 * sends ACK, LEASE, REVOKE.  When the store fails, everything noted is dropped,
 * all connections are closed with a DENY that says so, and the terminals repeat:
 * what they hold in their journals is enough.  No transaction is left open between calls, so that the
 * intake may use the same store.
 *
 * Records:
 *	WAITING --lease--> LEASED --GOOD--> ISSUED (payload destroyed with it)
 *	LEASED --REJECT, DOUBT--> WAITING (next epoch) | FAILED | IN_DOUBT
 *	LEASED --NONE, REVOKED--> WAITING | CANCELLED (order is CANCELLING)
 *	FAILED, IN_DOUBT --remake--> WAITING;  WAITING --cancel--> CANCELLED
 * There is NO way from LEASED by time.
 *
 * Attempt limits of a record: remake_max cards whose personal data failed or is
 * in doubt; blank_max cards that failed before anything personal was sent (mute,
 * wrong ATR, bootloader refuses: cw_ledger_blank_fault).  A terminal that is
 * known under another incarnation (its journal is gone) with open leases, or
 * whose outbox is behind our mark (its journal is an old copy), is denied; the
 * remedy is cw_ledger_writeoff by two persons.
 *
 * A store that was set back to a backup has forgotten leases.  cw_ledger_restored,
 * or a terminal that knows more than the store, holds all leases back until every
 * terminal has told its journal again or was written off.
 */
#define CW_LEDGER_TERMS_MAX 64
#define CW_LEDGER_LEASES_MAX 512	/* open leases per terminal */

struct cw_ledger_ops {
	/* m and all it points to are borrowed for the call.  0; CW_EFULL and
	 * CW_ECLOSED count as lost: the message is repeated later if it matters. */
	int (*send)(void *ctx, uint32_t conn, const struct cw_pl_msg *m);
	/* Close after what is queued; cw_ledger_closed need not follow. */
	void (*close)(void *ctx, uint32_t conn);
	/* Optional: something that the log or page should know. */
	void (*note)(void *ctx, uint64_t order, const char *text);
};

struct cw_ledger_config {
	struct cw_store *store;		/* borrowed while the ledger lives */
	struct cw_seal *seal;		/* borrowed */
	const struct cw_ledger_ops *ops;
	void *ctx;
	uint64_t platform;		/* incarnation of this platform */
	uint32_t repeat_ms;		/* LEASE not answered, REVOKE; 0 = 5000 */
	uint64_t (*utc_ms)(void *ctx);	/* UTC for records; NULL = 0 is recorded */
};

struct cw_ledger;

/* NULL: out of memory. */
struct cw_ledger *cw_ledger_new(const struct cw_ledger_config *cfg);
void cw_ledger_free(struct cw_ledger *l);

/* name: the certificate's ("line-1", without the role before it); conn: the
 * shell's number, not in use.  0, CW_EFULL (close it). */
int cw_ledger_open(struct cw_ledger *l, uint32_t conn, const char *name,
    uint32_t ip, uint64_t now_ms);
/* 0; CW_EPROTO: message out of place: the connection was closed by the ledger. */
int cw_ledger_msg(struct cw_ledger *l, uint32_t conn, const struct cw_pl_msg *m,
    uint64_t now_ms);
void cw_ledger_closed(struct cw_ledger *l, uint32_t conn, uint64_t now_ms);
/* 0 or the store's error (connections are closed then). */
int cw_ledger_flush(struct cw_ledger *l, uint64_t now_ms);
/* Repeats what is due, deletes in steps, then flushes.  Returns as flush. */
int cw_ledger_tick(struct cw_ledger *l, uint64_t now_ms);
/* The store was restored from a backup.  Before the first terminal is opened;
 * durable.  1: leases are held back; 0: no terminal is known; store's errors. */
int cw_ledger_restored(struct cw_ledger *l);
/* An order was accepted: look for work.  (Other ways it is seen at next tick.) */
void cw_ledger_kick(struct cw_ledger *l);

/*
 * Operator's actions; durable when they return 0.  Repeating one is harmless.
 * why: recorded in the events; may be NULL.  CW_ENOENT; CW_ESTATE: not allowed
 * in the order's state; store's errors.
 */
int cw_ledger_pause(struct cw_ledger *l, uint64_t order, const char *why, uint64_t now_ms);
/* Also lifts BLOCKED. */
int cw_ledger_resume(struct cw_ledger *l, uint64_t order, const char *why, uint64_t now_ms);
int cw_ledger_cancel(struct cw_ledger *l, uint64_t order, const char *why, uint64_t now_ms);
/* DONE or CANCELLED -> CLOSED: destroys the payloads that are left.  CW_EBUSY:
 * no reason is given, and its report does not add up, or the machine's counters
 * of a line that made cards are not known (a line that is at work on another
 * order is taken on trust). */
int cw_ledger_close_order(struct cw_ledger *l, uint64_t order, const char *why, uint64_t now_ms);
/* FAILED / IN_DOUBT record with payload -> WAITING, its limits begin anew;
 * record 0 = all such records, in one transaction: all or none, after a kill as
 * well; half a million take 2 s, in which nobody else is served.  Count of records
 * made waiting. */
int cw_ledger_remake(struct cw_ledger *l, uint64_t order, uint64_t record,
    const char *why, uint64_t now_ms);
/*
 * Gives up a terminal whose journal is lost: its open leases become IN DOUBT
 * (cards in its bins since then are to be destroyed by hand), its incarnation
 * is forgotten.  first, second: two different persons (CW_EDENIED).  Count of
 * leases written off.  CW_EBUSY: it is connected.
 */
struct cw_ledger_writeoff {
	const char *terminal, *first, *second, *why;
};
int cw_ledger_writeoff(struct cw_ledger *l, const struct cw_ledger_writeoff *w,
    uint64_t now_ms);

/* Live picture for the page. */
struct cw_ledger_term_view {
	char name[CW_ST_NAME_CAP];
	uint32_t conn, ip;
	bool greeted;			/* HELLO accepted */
	uint64_t since_ms, status_ms;	/* monotonic; status_ms 0 = none yet */
	uint32_t lease_cnt;		/* open leases */
	uint16_t want;			/* credit left */
	uint16_t station_cnt;		/* of the line, by HELLO; a STATUS tells of
					 * the first CW_STATIONS_MAX */
	struct cw_pl_status status;
};
/* idx-th connected terminal, 0..; CW_ENOENT beyond the last. */
int cw_ledger_term(const struct cw_ledger *l, unsigned int idx,
    struct cw_ledger_term_view *v);

/*
 * What an order that is not moving waits for, as far as it can be told from what
 * is connected now: 1 and a sentence for people; 0 and "" when nothing is known
 * to be missing; or the store's error.  o: as read from the store, with counts.
 * Names one thing at a time, the first that must be mended; computed anew at
 * each call, in a time that depends on the plant and not on the records.
 */
int cw_ledger_waits(const struct cw_ledger *l, const struct cw_st_order *o,
    char text[CW_ST_TEXT_CAP]);

/* True for an outcome that proves that nothing personal reached the card. */
bool cw_ledger_blank_fault(uint16_t outcome, uint8_t verdict);

enum cw_ledger_dev {
	CW_COUNTERS_UNKNOWN = 0,	/* no counters yet: see why */
	CW_COUNTERS_EQUAL = 1,
	CW_COUNTERS_DIFFERS = 2,
};
#define CW_REPORT_TERMS_MAX CW_LEDGER_TERMS_MAX
#define CW_REPORT_CAUSES_MAX 64

struct cw_ledger_report_term {
	char name[CW_ST_NAME_CAP];
	uint32_t cos_sent, readers;
	uint64_t cards, good, wrong;	/* by our results, all orders */
	uint32_t dev_feed, dev_good, dev_reject;	/* by the machine, since our books began */
	enum cw_ledger_dev dev;
};

/* Reconciliation of one order. */
struct cw_ledger_report {
	struct cw_st_order order;	/* with its running counts */
	struct cw_st_counts sums;	/* counted anew from the rows */
	uint64_t drawn;			/* good + reject + in doubt, from the rows */
	uint64_t open;			/* waiting + leased */
	unsigned int cause_cnt;
	struct cw_st_cause cause[CW_REPORT_CAUSES_MAX];
	unsigned int term_cnt;
	struct cw_ledger_report_term term[CW_REPORT_TERMS_MAX];
	uint64_t cos_sent, readers;
	bool settled;		/* nothing open, and every machine's counters are
				 * younger than its last result */
	bool adds_up;		/* every sum that can be compared now is equal */
	char why[CW_ST_TEXT_CAP];	/* first thing that does not add up or is awaited */
};
int cw_ledger_report(struct cw_store *s, uint64_t order, struct cw_ledger_report *r);

#endif
