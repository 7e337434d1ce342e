/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TERMINAL_LN_H
#define CW_TERMINAL_LN_H

/*
 * Inside of the line core (terminal/line.h); nobody else's business.
 *
 *	line.c		events in, tick
 *	ln_order.c	orders: what they need, fetching it, image and profile
 *	ln_lease.c	leases in hand, last epochs, revoking, credit
 *	ln_reader.c	reader link: session, image store, programs, results
 *	ln_ask.c	programs that ask for the steps that follow
 *	ln_station.c	one card after the other: the state machine
 *	ln_outbox.c	results on their way up
 *	ln_record.[ch]	journal payloads
 *	ln_recover.c	replay and snapshot
 *	ln_trace.c	trace text of a card
 *	ln_status.c	what people are shown
 */
#include "cw/program.h"
#include "cw/rlink.h"
#include "terminal/line.h"

/* Circular doubly linked list, embedded. */
struct cw_ln_list {
	struct cw_ln_list *prev, *next;
};
#define CW_LN_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

void cw_ln_list_init(struct cw_ln_list *head);
bool cw_ln_list_empty(const struct cw_ln_list *head);
void cw_ln_list_add(struct cw_ln_list *head, struct cw_ln_list *n);	/* at the tail */
void cw_ln_list_del(struct cw_ln_list *n);	/* harmless when not in a list */

/* A COS image, shared by all orders with its digest. */
struct cw_ln_image {
	struct cw_ln_list link;
	unsigned int refs;
	uint8_t digest[CW_SHA256_LEN];
	uint8_t *buf;
	uint32_t len;
};

/* What became of a record's last epoch. */
enum cw_ln_fate {
	CW_LN_HELD = 0,		/* epoch is that of an earlier attempt, or 0 */
	CW_LN_BEGUN = 1,	/* INTENT written: its RESULT tells */
	CW_LN_FENCED = 2,	/* FENCE written: REVOKED tells */
};
struct cw_ln_rec {
	uint64_t record;	/* 0: free place */
	struct cw_ln_lease *have;
	uint32_t epoch;		/* last epoch begun or fenced, 0 = none */
	uint8_t fate;		/* of that epoch */
};
/* Open addressing, power of two. */
struct cw_ln_recs {
	struct cw_ln_rec *tab;
	size_t cap, cnt;
};

enum cw_ln_need {
	CW_LN_NEED_ORDER = 0,	/* heard of, ORDER not seen in this life */
	CW_LN_NEED_COS,
	CW_LN_NEED_PROFILE,
	CW_LN_READY,
	CW_LN_REFUSED,
};

struct cw_ln_order {
	struct cw_ln_list link;
	uint64_t id;
	uint8_t state;		/* enum cw_pl_order_state; 0 until known */
	uint8_t need;		/* enum cw_ln_need */
	struct cw_pl_order info;
	struct cw_ln_image *image;	/* counted */
	uint8_t *blob;		/* being fetched */
	uint32_t blob_len, blob_got;
	uint64_t get_us;	/* last GET */
	bool ask;		/* its state is not confirmed on this link yet */
	bool asleep;		/* only its state and epochs are kept */
	void *profile;
	uint8_t *burn;		/* burn program */
	uint16_t burn_len;
	struct cw_ln_recs recs;
	struct cw_ln_list all;	/* leases in hand */
	struct cw_ln_list open;	/* of them, those for any reader */
	uint32_t begun;		/* cards under way */
	int16_t why_err;	/* REFUSED: why */
	char why[200];
};

/* A lease in hand: nothing of it is durable yet. */
struct cw_ln_lease {
	struct cw_ln_list all, queue;	/* queue: the order's open or a reader's bound */
	struct cw_ln_order *order;
	uint64_t record;
	uint32_t epoch, addr;
	uint32_t pkg_len;
	uint8_t pkg[];
};

/* How a card ended; what RESULT carries up. */
struct cw_ln_end {
	uint64_t order, record, attempt;
	uint32_t epoch;
	uint16_t station;	/* 0-based */
	uint32_t reader;	/* IPv4 */
	uint8_t verdict;	/* enum cw_card_verdict; 0 = not known yet */
	uint16_t outcome, sw, step;
	uint32_t card_no, ms;
	uint64_t time_ms;
	uint8_t serial_len, serial[16];
	uint8_t atr_len, atr[33];
	uint16_t trace_len;
	char *trace;		/* owned */
};

struct cw_ln_out {
	struct cw_ln_out *next;
	uint64_t seq, lsn, sent_us;
	struct cw_ln_end end;
};

enum cw_ln_run {
	CW_LN_RUN_NONE = 0,	/* no such program for this card */
	CW_LN_RUN_WAIT,		/* to be sent */
	CW_LN_RUN_SENT,
	CW_LN_RUN_TAKEN,	/* RUN_OK */
	CW_LN_RUN_ENDED,	/* RESULT or ERROR */
};

/* One program of a card: burn or personal. */
struct cw_ln_prog {
	uint8_t state;		/* enum cw_ln_run */
	bool result;		/* ended by RESULT, which wants an ACK */
	uint8_t flags;		/* enum cw_result_flag */
	uint16_t outcome, sw, step;
	uint16_t len;
	uint8_t *buf;		/* owned; wiped when the card ends */
	uint8_t asks;		/* answered */
	uint16_t ask_idx;	/* step after the last ASK that was answered */
	uint8_t ask_hash[CW_SHA256_LEN];	/* of what it had captured then */
};
enum { CW_LN_BURN = 0, CW_LN_PERSO = 1, CW_LN_PROGS = 2 };

struct cw_ln_card {
	bool used;
	bool personal;		/* the order has data */
	bool from_journal;	/* begun in an earlier life */
	struct cw_ln_order *order;	/* NULL: a card without an INTENT */
	uint64_t intent_lsn, result_lsn;
	uint64_t boot_id;
	uint64_t run;		/* attempt of its first program at the reader */
	uint32_t base_no;	/* last card number of the station before it */
	uint32_t fed, good, reject;	/* the machine's counters then */
	uint64_t in_us;		/* at the contacts since */
	uint8_t *rec;		/* payload, when the program will ask; owned, wiped */
	uint32_t rec_len;
	struct cw_ln_prog prog[CW_LN_PROGS];
	struct cw_ln_end end;
};

/*
 * States of a station; ln_station.c has the diagram and the guarantees.
 * X(NAME, plink state shown) */
#define CW_LN_STATE_MAP(X) \
	X(IDLE, CW_ST_IDLE) \
	X(INTENT, CW_ST_FEED) \
	X(FEED, CW_ST_FEED) \
	X(SEAT, CW_ST_FEED) \
	X(RUN, CW_ST_PERSO) \
	X(VERDICT, CW_ST_BIN) \
	X(BIN, CW_ST_BIN) \
	X(BINNED, CW_ST_BIN) \
	X(RECOVER, CW_ST_BIN)

enum cw_ln_state {
#define X(name, shown) CW_LN_##name,
	CW_LN_STATE_MAP(X)
#undef X
};

struct cw_ln_station {
	uint16_t idx, reader;
	uint8_t slot;
	uint8_t state;		/* enum cw_ln_state */
	bool stuck;		/* no new card until a person clears it */
	bool named;		/* known_no is known */
	char why[48];
	struct cw_ln_card cur, next;
	uint32_t known_no;	/* highest card number accounted for */
	uint64_t last_order;

	/* device command under way */
	bool cmd_open;
	uint8_t cmd;
	uint16_t seq;
	uint64_t cmd_us;
	uint16_t cmd_tries;
	uint64_t retry_us;	/* not before */

	/* reader's slot */
	uint8_t present;
	uint32_t session, session_used;
	uint64_t last_attempt;	/* that it has taken in its boot, or was sent */
	uint64_t lost_us;	/* reader away since, mid-card; 0 = here */
	uint64_t run_us;

	uint8_t end_bin;	/* BINNED: where the card went */
	uint64_t binned_lsn;	/* of the last card's BINNED, 0 = long durable */
	uint16_t fails;		/* rejects in a row */
	uint16_t faults;	/* of them the last, by the reader's own circuit */
	uint32_t good, reject, doubt;
	uint16_t last_outcome;
};

enum cw_ln_store {
	CW_LN_STORE_NONE = 0,	/* nothing under way */
	CW_LN_STORE_DATA,
	CW_LN_STORE_END,	/* waiting for STORE_OK */
	CW_LN_STORE_WAIT,	/* failed; again at store_us */
};

struct cw_ln_reader {
	uint32_t addr;
	uint16_t port;
	bool plain;
	uint16_t station_cnt;
	uint16_t station[CW_RLINK_SLOTS_MAX];
	bool up, ready;		/* connected; HELLO_OK seen */
	bool seen;		/* HELLO_OK seen in this life */
	uint64_t boot_id;
	uint8_t slot_cnt;
	uint64_t rx_us, ping_us;
	bool has_store;
	uint8_t store_digest[CW_SHA256_LEN];
	uint32_t store_cap;
	uint8_t store;		/* enum cw_ln_store */
	struct cw_ln_image *image;	/* being sent; counted */
	uint32_t image_off;
	uint64_t store_us;
	struct cw_ln_list bound;	/* leases for this reader */
	char why[48];
};

enum cw_ln_wait_kind { CW_LN_WAIT_STATION, CW_LN_WAIT_REVOKED };
struct cw_ln_wait {
	uint64_t lsn;
	uint8_t kind;
	uint16_t station;
	uint32_t epoch;
	uint64_t order, record;
};

#define CW_LN_CLOSED_MAX 4096	/* closed orders remembered */

struct cw_line {
	struct cw_line_config cfg;
	uint16_t reader_cnt, station_cnt;
	struct cw_ln_reader *reader;
	struct cw_ln_station *station;
	struct cw_ln_list orders, images;
	uint32_t order_cnt;	/* of them, those awake */
	uint64_t closed[CW_LN_CLOSED_MAX];
	uint32_t closed_cnt;	/* ever; place = modulo */

	/* durable numbers */
	uint64_t incarnation;
	uint32_t start_cnt;
	uint64_t next_seq, sure_seq;	/* sure: first not durable */
	uint64_t attempt;	/* next */
	uint64_t last_lsn, durable_lsn;
	struct cw_ln_wait *wait;	/* ring by LSN */
	size_t wait_cap, wait_head, wait_cnt;

	/* results */
	struct cw_ln_out *out, **out_tail, *out_new;	/* new: first never sent */
	uint32_t out_cnt;
	uint64_t acked_seq;
	struct cw_ln_out *kept, **kept_tail;	/* acknowledged, oldest first */
	uint32_t kept_cnt;

	/* platform */
	bool plat_up, plat_ok;
	bool settle;		/* it may have forgotten: no new card, then SETTLED */
	bool fenced;		/* this journal was written off */
	uint64_t pull_us, status_us;
	bool pull_dirty, status_dirty;
	uint32_t pull_rot;
	uint32_t have;		/* leases in hand */
	uint32_t begun;		/* cards and INTENTs ahead */

	/* device */
	struct cw_dev_view dev;
	uint8_t bits;
	bool bits_known;
	uint16_t jam_tries;
	uint64_t jam_us;

	int disk;		/* 0, CW_ENOSPC, CW_EIO */
	bool started, drain;
	char fatal[96];		/* why the line must not feed; "" */
	uint64_t utc_ms, utc_us;
	uint64_t now, scan_us;
	uint32_t rot;		/* where the next round of the queue begins */
	bool moving;		/* an image is on its way */
	struct cw_line_counts counts;
	uint64_t cos_order;

	uint8_t frame[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
	uint8_t scratch[20 * 1024];
	struct cw_rl_result result;	/* decoded; too big for the stack */
};

/* line.c */
void cw_ln_log(struct cw_line *l, enum cw_line_log level, const char *event,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Appends; LSN or CW_E* (then the disk's state is noted). */
int64_t cw_ln_append(struct cw_line *l, uint8_t type, const uint8_t *payload, int len);
/* Calls back when lsn is durable. 0, CW_ENOMEM. */
int cw_ln_wait(struct cw_line *l, const struct cw_ln_wait *w);
uint64_t cw_ln_ms(uint32_t ms);
bool cw_ln_due(const struct cw_line *l, uint64_t since_us, uint32_t ms);
int cw_ln_up(struct cw_line *l, const struct cw_pl_msg *m);
void cw_ln_ipv4(char out[16], uint32_t addr);

/* ln_order.c */
struct cw_ln_order *cw_ln_order_find(struct cw_line *l, uint64_t id);
/* Found or made, and awake; NULL: closed, too many, no memory. */
struct cw_ln_order *cw_ln_order_get(struct cw_line *l, uint64_t id);
void cw_ln_order_free(struct cw_line *l, struct cw_ln_order *o);
bool cw_ln_order_closed(const struct cw_line *l, uint64_t id);
void cw_ln_order_note_closed(struct cw_line *l, uint64_t id);
void cw_ln_order_msg(struct cw_line *l, const struct cw_pl_order *m);
void cw_ln_order_chunk(struct cw_line *l, const struct cw_pl_chunk *m);
void cw_ln_order_state(struct cw_line *l, uint64_t id, uint8_t state);
/* A new link: what became of the orders while there was none? */
void cw_ln_order_ask(struct cw_line *l);
void cw_ln_order_tick(struct cw_line *l);
void cw_ln_order_relink(struct cw_line *l);
/* Leases may be begun now. */
bool cw_ln_order_runs(const struct cw_ln_order *o);
void cw_ln_image_put(struct cw_ln_image *im);

/* ln_lease.c */
struct cw_ln_rec *cw_ln_rec_find(struct cw_ln_order *o, uint64_t record);
struct cw_ln_rec *cw_ln_rec_get(struct cw_ln_order *o, uint64_t record);
void cw_ln_lease_msg(struct cw_line *l, const struct cw_pl_lease *m);
void cw_ln_revoke_msg(struct cw_line *l, const struct cw_pl_revoke *m);
void cw_ln_lease_drop(struct cw_line *l, struct cw_ln_lease *le);
/* All leases in hand of an order are fenced and REVOKED. */
void cw_ln_lease_cancel(struct cw_line *l, struct cw_ln_order *o);
/* Next lease for reader r with the image that it holds, or NULL. */
struct cw_ln_lease *cw_ln_lease_pick(struct cw_line *l, struct cw_ln_reader *r);
/* Image that reader r should hold now, or NULL: none or the right one. */
struct cw_ln_image *cw_ln_lease_image(struct cw_line *l, struct cw_ln_reader *r);
void cw_ln_lease_refuse(struct cw_line *l, struct cw_ln_lease *le, int err, const char *why);
void cw_ln_revoked(struct cw_line *l, uint64_t order, uint64_t record, uint32_t epoch);
void cw_ln_pull(struct cw_line *l);
uint32_t cw_ln_want(const struct cw_line *l);

/* ln_reader.c */
void cw_ln_reader_tick(struct cw_line *l, struct cw_ln_reader *r);
bool cw_ln_reader_holds(const struct cw_ln_reader *r, const struct cw_ln_image *im);
/* Sends the programs of a station's card that are WAIT. */
int cw_ln_reader_run(struct cw_line *l, struct cw_ln_station *st);
void cw_ln_reader_ack(struct cw_line *l, struct cw_ln_station *st);
int cw_ln_reader_simple(struct cw_line *l, struct cw_ln_station *st, uint8_t type, uint64_t attempt);
/* Neither card nor INTENT at any of its stations. */
bool cw_ln_reader_free(const struct cw_line *l, const struct cw_ln_reader *r);

/* CONTINUE; wipes what it sent. */
int cw_ln_reader_continue(struct cw_line *l, struct cw_ln_station *st,
    struct cw_rl_continue *m);

/* ln_ask.c */
/* Whether a checked program will ask. */
bool cw_ln_asks(const uint8_t *prog, size_t len);
/* The profile's answer to the card's personal program, or ABORT. */
void cw_ln_ask(struct cw_line *l, struct cw_ln_station *st, const struct cw_rl_ask *m);

/* ln_station.c */
const char *cw_ln_state_name(unsigned int state);
void cw_ln_station_step(struct cw_line *l, struct cw_ln_station *st);
/* All programs of the card have ended: gives the verdict. */
void cw_ln_station_judge(struct cw_line *l, struct cw_ln_station *st);
void cw_ln_station_lost(struct cw_line *l, struct cw_ln_station *st, const char *why);
void cw_ln_station_stick(struct cw_line *l, struct cw_ln_station *st, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void cw_ln_card_wipe(struct cw_ln_card *c);
/* A verdict for the card, not yet durable; the station goes to VERDICT. */
void cw_ln_station_verdict(struct cw_line *l, struct cw_ln_station *st,
    enum cw_card_verdict verdict, uint16_t outcome);
void cw_ln_set_state(struct cw_line *l, struct cw_ln_station *st, enum cw_ln_state to);
void cw_ln_station_check(const struct cw_line *l, const struct cw_ln_station *st);
bool cw_ln_station_settled(const struct cw_line *l, const struct cw_ln_station *st);

/* ln_begin.c */
/* A new card into c: lease, program, INTENT.  False: not now. */
bool cw_ln_begin(struct cw_line *l, struct cw_ln_station *st, struct cw_ln_card *c);
bool cw_ln_may_feed(const struct cw_line *l, const struct cw_ln_station *st);

/* ln_outbox.c */
/* A new entry takes the end; it is sent when lsn is durable. 0, CW_ENOMEM. */
int cw_ln_out_add(struct cw_line *l, uint64_t seq, uint64_t lsn, struct cw_ln_end *end);
void cw_ln_out_ack(struct cw_line *l, uint64_t seq, bool note);
/* One that was acknowledged, out of a rewritten journal. 0, CW_ENOMEM. */
int cw_ln_out_keep(struct cw_line *l, uint64_t seq, const struct cw_ln_end *end);
/* Lowest number that can be sent (again). */
uint64_t cw_ln_out_first(const struct cw_line *l);
/* The platform knows nothing above seq any more: what is kept above it goes up
 * again. */
void cw_ln_out_unack(struct cw_line *l, uint64_t seq);
void cw_ln_out_send(struct cw_line *l);		/* what has become durable */
void cw_ln_out_again(struct cw_line *l, bool all);	/* what waits for its ACK */
void cw_ln_out_free(struct cw_line *l);

/* ln_recover.c */
void cw_ln_recover_step(struct cw_line *l, struct cw_ln_station *st);

/* ln_trace.c */
struct cw_ln_text { char *buf; size_t cap, len; };
/* Appends the lines of one program; what does not fit is cut. */
void cw_ln_trace(struct cw_ln_text *t, const char *title,
    const struct cw_ln_prog *p, const struct cw_rl_result *res);

/* ln_status.c */
void cw_ln_status_send(struct cw_line *l);

#include "terminal/ln_record.h"

#endif
