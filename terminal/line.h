/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TERMINAL_LINE_H
#define CW_TERMINAL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/frame.h"
#include "cw/plink.h"
#include "cw/rlink.h"
#include "cw/sha256.h"
#include "terminal/devview.h"

/*
 * The line: what a terminal does, without I/O.  Events go in by the calls
 * below, each with the monotonic time; actions come out through the op table.
 * docs/design/ledger.md tells the rules that it keeps, docs/spec/journal.md
 * the records that it writes.
 *
 *	line = cw_line_new(&cfg, now);
 *	open the journal with replay = cw_line_replay(line, type, ...)
 *	cw_line_start(line, now);
 *	for (;;) {
 *		cw_line_platform_up / _down / _msg
 *		cw_line_reader_up / _down / _frame
 *		cw_line_device(line, &view, now)
 *		cw_line_durable(line, lsn, now)
 *		due = cw_line_tick(line, now)	at `due` or earlier
 *	}
 *
 * Order of things for one card: LEASE in hand -> INTENT durable -> device FEED
 * -> card at the contacts -> RUN burn, RUN personal -> RESULT durable -> device
 * BIN -> the device confirms -> BINNED durable -> RESULT upward until ACK.
 *
 * Not for threads: all calls on one line from one thread, never from inside an
 * op.  Any number of lines in a process.  A line that is freed without further
 * ado and made anew from its journal goes on where the journal stands; that is
 * the only way it ever recovers.
 *
 * Memory: leases and results in hand are bounded by the credit asked for, the
 * last epoch of each record is kept until its order closes (about 32 bytes).  Of
 * all orders but CW_LINE_ORDERS_MAX nothing else is: the others are put to sleep
 * as long as nothing of them is in hand, and learnt again with their next lease.
 */
#define CW_LINE_STATIONS_MAX CW_DEVVIEW_STATIONS_MAX
#define CW_LINE_ORDERS_MAX 64	/* awake at one time */
#define CW_LINE_TRACE_MAX 16000	/* bytes of one card's trace text */
/* A program's capture with this id is the chip's serial number (<= 16 bytes). */
#define CW_LINE_CAPTURE_SERIAL 1

enum cw_line_log { CW_LINE_ERROR, CW_LINE_WARN, CW_LINE_INFO, CW_LINE_DEBUG };

/* What the profile compiler gets. */
struct cw_line_compile {
	bool burn;		/* the order's burn program, else one record's */
	uint64_t order, record;
	uint32_t epoch;
	uint8_t cos_digest[CW_SHA256_LEN];	/* zero when the order has no COS */
	uint32_t cos_addr, cos_len;
	const uint8_t *payload;	/* record payload (cw_record_*), borrowed; NULL when burn */
	size_t payload_len;
	/* NULL, or what the record's program has captured when it asks: the
	 * steps that follow are wanted. Borrowed. */
	const struct cw_rl_ask *ask;
};

/*
 * What the line asks of the world.  No op may call back into the line.
 * int ops: 0 (or as said) or CW_E*; every one may fail, the line tries again
 * later or ends the card by the rules.
 */
struct cw_line_ops {
	/* Sends to the platform; m and what it points to are borrowed.
	 * CW_ECLOSED when there is no link, CW_EFULL. */
	int (*send_platform)(void *ctx, const struct cw_pl_msg *m);
	/* Sends a whole rlink frame to reader r; borrowed. CW_ECLOSED, CW_EFULL. */
	int (*send_reader)(void *ctx, unsigned int r, const uint8_t *frame, size_t len);
	/* Bytes still queued to reader r. */
	size_t (*reader_queued)(void *ctx, unsigned int r);
	/* Gives the connection to reader r up; reader_down follows later. */
	void (*reader_close)(void *ctx, unsigned int r);
	int (*device_cmd)(void *ctx, const struct cw_dev_cmd *c);
	/* CW_DEVBIT_*: the bits as they are to stand now. */
	int (*device_bits)(void *ctx, uint8_t bits);
	/* As cw_journal_append: LSN, CW_ENOSPC, CW_EIO. */
	int64_t (*journal_append)(void *ctx, uint8_t type, const uint8_t *payload, size_t len);
	/* Makes sure that `bytes` can be appended: 0, CW_ENOSPC, CW_EIO. */
	int (*journal_reserve)(void *ctx, uint64_t bytes);
	/* Loads a card profile (Lua text, digest already checked). NULL with
	 * why filled when it is not a profile. */
	void *(*profile_open)(void *ctx, const char *name, const uint8_t *text, size_t len,
	    char why[200]);
	void (*profile_close)(void *ctx, void *profile);
	/* Writes a reader program to out; its length, or CW_E* with why filled.
	 * 0 = nothing to do for such a card. */
	int (*compile)(void *ctx, void *profile, const struct cw_line_compile *c,
	    uint8_t *out, size_t cap, char why[200]);
	/* text never holds a secret. */
	void (*log)(void *ctx, enum cw_line_log level, const char *event, const char *text);
};

struct cw_line_reader_config {
	uint32_t addr;		/* IPv4, host order: 127.0.1.1 = 0x7F000101 */
	uint16_t port;
	bool plain;		/* its link has no TLS: a line with one takes no
				 * production orders */
};
struct cw_line_station_config {
	uint16_t reader;	/* index into readers */
	uint8_t slot;
};

/* Copied by cw_line_new.  Times: 0 means the default given. */
struct cw_line_config {
	const struct cw_line_ops *ops;	/* borrowed for the line's life */
	void *ctx;
	char name[CW_NAME_MAX + 1];	/* terminal name */
	uint64_t session;	/* random per start: tells readers a reconnection */
	uint16_t reader_cnt, station_cnt;
	const struct cw_line_reader_config *readers;	/* copied */
	const struct cw_line_station_config *stations;	/* copied */
	uint32_t reader_lost_ms;	/* away mid-card before it counts as lost; 10 s */
	uint32_t card_max_ms;	/* longest program; 30 min */
	uint32_t presence_ms;	/* device says card, reader does not: give up; 2 s */
	uint32_t link_idle_ms;	/* silence of a reader before PING; 2 s */
	uint32_t link_dead_ms;	/* and before the link is given up; 10 s */
	uint32_t repeat_ms;	/* RESULT, GET, PULL again; 1 s */
	uint32_t status_ms;	/* shortest time between STATUS; 200 ms */
	uint16_t quarantine;	/* rejects in a row that stop a station; 5, 0xFFFF = never */
	uint32_t retain;	/* acknowledged results kept for a platform that is
				 * restored from a backup; 8192 */
	uint16_t jam_resets;	/* tries to reset a jam before a person is called; 3, 0xFFFF = none */
	bool no_prefetch;	/* do not journal the next card's INTENT ahead */
};

struct cw_line;

/* NULL when out of memory or the configuration is out of range. */
struct cw_line *cw_line_new(const struct cw_line_config *cfg);
/* Wipes and frees.  NULL is fine. */
void cw_line_free(struct cw_line *l);

/* Recovery: every record of the journal in order, before cw_line_start.
 * 0; CW_EFORMAT, CW_EVERSION (made by another program or version), CW_ENOMEM. */
int cw_line_replay(struct cw_line *l, uint8_t type, const uint8_t *payload, size_t len);
/* All replayed (and durable).  incarnation: the journal's.  Appends START.
 * 0 or the journal's error. */
int cw_line_start(struct cw_line *l, uint64_t incarnation, uint64_t now_us);

/* Connected (TLS done): the line says HELLO. */
void cw_line_platform_up(struct cw_line *l, uint64_t now_us);
void cw_line_platform_down(struct cw_line *l, uint64_t now_us);
/* m borrowed for the call.  CW_EPROTO: not for a terminal; close the link. */
int cw_line_platform_msg(struct cw_line *l, const struct cw_pl_msg *m, uint64_t now_us);

/* Connection to reader r (0-based) is open: the line says HELLO. */
void cw_line_reader_up(struct cw_line *l, unsigned int r, uint64_t now_us);
/* It is gone.  A card under way there waits for it (reader_lost_ms). */
void cw_line_reader_down(struct cw_line *l, unsigned int r, uint64_t now_us);
/* f borrowed for the call.  CW_EPROTO, CW_EFORMAT, CW_ESHORT: close the link. */
int cw_line_reader_frame(struct cw_line *l, unsigned int r, const struct cw_frame *f,
    uint64_t now_us);

/* A new reading of the device (or the same again); v borrowed for the call. */
void cw_line_device(struct cw_line *l, const struct cw_dev_view *v, uint64_t now_us);
/* Every record up to lsn is on the disk. */
void cw_line_durable(struct cw_line *l, uint64_t lsn, uint64_t now_us);
/*
 * The disk: 0 it is well again; CW_ENOSPC no new card is fed until it is;
 * CW_EIO (or anything else) final: no new card, the shell exits.
 */
void cw_line_disk(struct cw_line *l, int err, uint64_t now_us);
/* Wall clock, for the time in results only. */
void cw_line_utc(struct cw_line *l, uint64_t utc_ms, uint64_t now_us);
/* A person has looked at station s (0-based; all: UINT_MAX): a stuck one goes on. */
void cw_line_clear(struct cw_line *l, unsigned int s, uint64_t now_us);
/* Stops feeding (a shutdown); cards under way are finished.  False: goes on. */
void cw_line_drain(struct cw_line *l, bool drain, uint64_t now_us);
/* True when no card is under way and nothing waits for the disk. */
bool cw_line_quiet(const struct cw_line *l);

/* Time passes.  Returns when to call again at the latest. */
uint64_t cw_line_tick(struct cw_line *l, uint64_t now_us);

/*
 * The records that rebuild the present state, for cw_journal_rewrite: calls
 * add for each; stops at its first error and returns it.
 */
int cw_line_snapshot(const struct cw_line *l,
    int (*add)(void *ctx, uint8_t type, const uint8_t *payload, size_t len), void *ctx);

/* For status and tests. */
struct cw_line_counts {
	uint64_t good, reject, doubt, none;	/* results made since start */
	uint64_t images_sent;	/* COS images sent over the wire to readers */
	uint64_t stale_leases;	/* dropped: epoch not above the last */
	uint64_t orphan_cards;	/* in a station without an INTENT */
	uint32_t have;		/* leases in hand, not begun */
	uint32_t begun;		/* INTENT durable or under way, card not done */
	uint32_t outbox;	/* results not acknowledged */
	uint32_t stuck;		/* stations that need a person */
	uint64_t next_seq;
	uint32_t bound_peak;	/* most leases in hand at one time */
};
void cw_line_count(const struct cw_line *l, struct cw_line_counts *c);
/* The STATUS message as it would be sent now. */
void cw_line_status(const struct cw_line *l, struct cw_pl_status *s);
/* Asserts the guarantees of every station's state. For tests and the stepper. */
void cw_line_check(const struct cw_line *l);

#endif
