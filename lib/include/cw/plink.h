/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PLINK_H
#define CW_PLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/sha256.h"

/*
 * Messages of the platform link: terminal (client) <-> platform (server), TLS
 * 1.3 with certificates on both sides.  Bytes in docs/spec/platform-link.md;
 * framing in cw/frame.h (request id is always 0: every message stands alone and
 * may be repeated; loss is healed by repetition, not by the transport).
 *
 * The four rules of the ledger rest on these messages:
 *   - LEASE(order, record, epoch) is dropped unless epoch is above the
 *     terminal's durable last epoch of that record;
 *   - the platform never leases a record anew by timer: it needs RESULT or
 *     REVOKED (or a two-person write-off) of the epoch before;
 *   - REVOKED goes out only after the terminal has durably fenced the epoch;
 *   - RESULT is repeated until ACK(seq); the platform acks after its commit.
 */
#define CW_PLINK_VERSION 1
#define CW_PLINK_PORT 7810
#define CW_PLINK_BODY_MAX (256u * 1024u)
#define CW_PLINK_CHUNK_MAX (128u * 1024u)
#define CW_PLINK_TRACE_MAX (16u * 1024u)
#define CW_NAME_MAX 63
#define CW_STATIONS_MAX 64	/* entries of one PULL or STATUS: a longer line
				 * names others in its next PULL */

/* X(NAME, number): below 80 from terminal to platform, from 80 up the other way */
#define CW_PL_TYPE_MAP(X) \
	X(HELLO, 0x01) \
	X(PULL, 0x02) \
	X(GET, 0x03) \
	X(RESULT, 0x04) \
	X(REVOKED, 0x05) \
	X(REFUSED, 0x06) \
	X(STATUS, 0x07) \
	X(SETTLED, 0x08) \
	X(WELCOME, 0x81) \
	X(DENY, 0x82) \
	X(ORDER, 0x83) \
	X(CHUNK, 0x84) \
	X(LEASE, 0x85) \
	X(REVOKE, 0x86) \
	X(ACK, 0x87) \
	X(ORDER_STATE, 0x88)

enum cw_pl_type {
#define X(name, value) CW_PL_##name = (value),
	CW_PL_TYPE_MAP(X)
#undef X
};

/* HELLO: first message of the terminal. */
struct cw_pl_hello {
	char terminal[CW_NAME_MAX + 1];	/* must equal the certificate's name */
	uint64_t incarnation;	/* drawn at random when the journal was made */
	uint32_t start_cnt;	/* starts of this journal, from 1 */
	uint64_t next_seq;	/* next outbox number; below the platform's mark:
				 * the journal is an old copy -> DENY (W22) */
	uint16_t station_cnt;	/* of the line, may be above CW_STATIONS_MAX */
	uint64_t acked_seq;	/* highest ACK that the journal knows; above the
				 * platform's mark: its store is an old copy (W23) */
	uint64_t first_seq;	/* lowest result that the terminal can still send,
				 * 1..next_seq */
};

/* WELCOME: the platform's answer. */
enum cw_pl_welcome_flag {
	CW_WELCOME_SETTLE = 1,	/* the platform's store may have forgotten leases and
				 * results: let go of leases in hand, begin no
				 * card, send all results, then SETTLED */
	CW_WELCOME_EVIDENCE = 2,	/* this journal was written off: results are
				 * taken as evidence only; never again a lease */
};
struct cw_pl_welcome {
	uint64_t acked_seq;	/* highest seq recorded without a gap for this incarnation */
	uint64_t platform;	/* platform incarnation */
	uint8_t flags;		/* enum cw_pl_welcome_flag */
};

/* SETTLED: no card is under way, and every result of this journal was sent. */
struct cw_pl_settled {
	uint64_t next_seq;	/* as in HELLO, now */
};

/* DENY: then the platform closes. */
struct cw_pl_deny {
	int16_t err;
	char text[200];
};

/* PULL: the terminal can take `want` more records (credit; replaces the last). */
struct cw_pl_pull {
	uint16_t want;
	uint8_t addr_cnt;	/* IPv4 addresses of this line's readers that */
	uint32_t addr[CW_STATIONS_MAX];	/* can work: records bound to others wait */
};

enum cw_pl_order_state {
	CW_ORDER_RUN = 1, CW_ORDER_PAUSE = 2, CW_ORDER_CANCEL = 3, CW_ORDER_CLOSED = 4,
};

/* ORDER: what an order needs; comes before its first LEASE and on GET_ORDER. */
struct cw_pl_order {
	uint64_t order;
	uint8_t state;			/* enum cw_pl_order_state */
	uint8_t has_cos;
	uint8_t has_data;
	uint8_t production;		/* 0 test, 1 production */
	uint8_t cos_digest[CW_SHA256_LEN];	/* of the COS payload's image bytes */
	uint32_t cos_addr, cos_len;
	uint32_t cos_pkg_len;		/* the COS package to GET */
	char profile[CW_NAME_MAX + 1];	/* card profile's name */
	uint8_t profile_digest[CW_SHA256_LEN];
	uint32_t profile_len;		/* Lua text to GET */
};

/* GET: asks for bytes of a blob of an order. */
enum cw_pl_blob { CW_BLOB_ORDER = 0, CW_BLOB_COS = 1, CW_BLOB_PROFILE = 2 };
struct cw_pl_get {
	uint64_t order;
	uint8_t blob;		/* ORDER: send ORDER again (off ignored) */
	uint32_t off;
};
struct cw_pl_chunk {
	uint64_t order;
	uint8_t blob;
	uint32_t off;
	const uint8_t *buf;	/* borrowed */
	uint32_t len;		/* 1..CW_PLINK_CHUNK_MAX; 0: no such bytes */
};

/* LEASE: one record for one card; the package is decided on by the terminal. */
struct cw_pl_lease {
	uint64_t order, record;
	uint32_t epoch;		/* 1.. = attempt number of the record */
	uint32_t addr;		/* IPv4 of the reader it is bound to, 0 = any */
	const uint8_t *pkg;	/* borrowed; empty for an order without data */
	uint32_t pkg_len;
};

/* REVOKE (platform) and REVOKED (terminal's durable answer) */
struct cw_pl_revoke {
	uint64_t order, record;
	uint32_t epoch;
};

enum cw_card_verdict {
	CW_CARD_GOOD = 1,	/* in the good bin, record written and verified */
	CW_CARD_REJECT = 2,	/* in the reject bin, nothing personal reached it
				 * or its failure is certain */
	CW_CARD_DOUBT = 3,	/* in the reject bin, content unknown */
	CW_CARD_NONE = 4,	/* no card was drawn: the lease ends unused */
};

/* RESULT: how one lease ended, and the card that was drawn for it.  order, record
 * and epoch all 0: a stray card, found where no lease had one drawn. */
struct cw_pl_result {
	uint64_t seq;		/* outbox number, 1.. without gap per incarnation */
	uint64_t order, record;
	uint32_t epoch;
	uint8_t verdict;	/* enum cw_card_verdict */
	uint16_t outcome;	/* enum cw_outcome */
	uint16_t sw;
	uint16_t step;
	uint16_t station;	/* 1.. */
	uint32_t reader;	/* IPv4 of the reader */
	uint32_t card_no;	/* the device's feed number, 0 for CARD_NONE */
	uint32_t ms;		/* from card-in to verdict */
	uint64_t time_ms;	/* UTC, for people only */
	uint8_t serial_len;
	uint8_t serial[16];	/* chip serial if known */
	uint8_t atr_len;
	uint8_t atr[33];
	uint16_t trace_len;	/* trace text, secrets masked, LF lines */
	const char *trace;	/* borrowed; at most CW_PLINK_TRACE_MAX */
};

/* ACK: seq is durably recorded (cumulative: all up to it). */
struct cw_pl_ack {
	uint64_t seq;
};

/* REFUSED: the terminal cannot take a package (undecidable, bad profile...). */
struct cw_pl_refused {
	uint64_t order, record;	/* record 0: the whole order */
	uint32_t epoch;
	int16_t err;
	char text[200];
};

struct cw_pl_order_state_msg {
	uint64_t order;
	uint8_t state;
};

enum cw_pl_station_state {
	CW_ST_OFF = 0,		/* not configured or reader down */
	CW_ST_IDLE = 1,		/* ready, nothing to do */
	CW_ST_FEED = 2,		/* card asked for */
	CW_ST_BURN = 3,		/* COS under way */
	CW_ST_PERSO = 4,	/* record under way */
	CW_ST_BIN = 5,		/* verdict given, card leaving */
	CW_ST_STUCK = 6,	/* needs a person: see why */
	CW_ST_IMAGE = 7,	/* the reader is being sent the COS */
};
struct cw_pl_station {
	uint8_t state;
	uint32_t reader;	/* IPv4 */
	uint16_t port;
	uint32_t good, reject, doubt;	/* since the terminal's start */
	uint16_t last_outcome;
	uint64_t order, record;	/* under way, 0 = none */
	char why[48];
};
/* STATUS: whole picture, at most once in 200 ms and at every second at least. */
struct cw_pl_status {
	uint8_t line_state;	/* 0 idle, 1 execute, 2 held (our fault), 3 suspended (starved), 4 aborted */
	char why[96];
	uint32_t device_feed, device_good, device_reject;	/* the machine's counters */
	uint32_t cos_sent;	/* images sent over the wire to readers since the terminal's start */
	uint64_t cos_order;	/* order of the image last sent */
	uint16_t station_cnt;
	struct cw_pl_station station[CW_STATIONS_MAX];
};

/* Any message, decoded.  Pointers borrow from the body. */
struct cw_pl_msg {
	uint8_t type;		/* enum cw_pl_type */
	union {
		struct cw_pl_hello hello;
		struct cw_pl_welcome welcome;
		struct cw_pl_deny deny;
		struct cw_pl_pull pull;
		struct cw_pl_order order;
		struct cw_pl_get get;
		struct cw_pl_chunk chunk;
		struct cw_pl_lease lease;
		struct cw_pl_revoke revoke;	/* REVOKE and REVOKED */
		struct cw_pl_result result;
		struct cw_pl_ack ack;
		struct cw_pl_refused refused;
		struct cw_pl_order_state_msg order_state;
		struct cw_pl_status status;
		struct cw_pl_settled settled;
	} u;
};

/* Writes a whole frame; its length, CW_EFULL or CW_EINVAL (unknown type, or a
 * field out of its range, which the peer's decoder would refuse).  Control
 * characters in texts for people (text, why, trace but LF) go out as blanks.
 * CW_FRAME_HDR + CW_PLINK_BODY_MAX bytes always suffice. */
int cw_pl_put(uint8_t *out, size_t cap, const struct cw_pl_msg *m);
/* Decodes a body; 0, CW_ESHORT, CW_EFORMAT (also a field out of its range),
 * CW_EPROTO (unknown type). */
int cw_pl_get(struct cw_pl_msg *m, uint8_t type, const uint8_t *body, size_t len);
/* "LEASE", "RESULT", ...; "?" for an unknown type. Static. */
const char *cw_pl_type_name(uint8_t type);

#endif
