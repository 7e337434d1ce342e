/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STEP_PRIV_H
#define CW_STEP_PRIV_H

/*
 * Inside of the stepper.
 *
 *	step.c		clock, random numbers, the run
 *	step_plan.c	what a seed draws: plant, orders, faults
 *	step_fault.c	faults that come by time, and the operator
 *	step_world.c	cards, stations, bins: what is really so
 *	step_check.c	invariants
 *	step_plink.c	network between platform and terminals, by messages
 *	step_rlink.c	network between terminals and readers, by bytes
 *	step_disk.c	disk under a journal
 *	step_plat.c	platform's shell	(platform/ledger.h)
 *	step_term.c	terminal's shell	(terminal/line.h)
 *	step_prof.c	card programs for terminals
 *	step_reader.c	reader's board		(reader/port.h)
 *	step_dev.c	device's shell		(sim/device.h)
 *
 * This header knows none of the cores: some of them use the same names for
 * different things.
 */
#include "sim/step.h"

#define STEP_LINES_MAX 3
#define STEP_READERS_MAX 4	/* of a line */
#define STEP_SLOTS_MAX 2
#define STEP_STATIONS_MAX (STEP_READERS_MAX * STEP_SLOTS_MAX)
#define STEP_ORDERS_MAX 3
#define STEP_COS_MAX 2048
#define STEP_NEVER UINT64_MAX

#define STEP_MS UINT64_C(1000)
#define STEP_SEC UINT64_C(1000000)

struct cw_step;
struct step_ev;

/* ---- step.c -------------------------------------------------------------- */

struct step_ev {
	uint64_t t, seq;	/* order of the heap */
	void (*fn)(struct cw_step *s, struct step_ev *e);
	void *obj;		/* what fn works on; outlives the event */
	uint32_t gen;		/* fn's business: to know a late event */
	uint32_t a;
	uint64_t b;
	uint8_t *buf;		/* owned; wiped and freed after fn */
	size_t len;
};

/* In `in_us` from now. */
void cw_step_at(struct cw_step *s, uint64_t in_us,
    void (*fn)(struct cw_step *s, struct step_ev *e), void *obj, uint32_t gen);
/* The same with a copy of bytes. */
void cw_step_at_buf(struct cw_step *s, uint64_t in_us,
    void (*fn)(struct cw_step *s, struct step_ev *e), void *obj,
    const struct step_ev *like);

/* e once more, later, and still before all that were made after it. */
void cw_step_defer(struct cw_step *s, uint64_t until_us, const struct step_ev *e);

uint64_t cw_step_rand(struct cw_step *s);
uint64_t cw_step_below(struct cw_step *s, uint64_t n);	/* 0..n-1; 0 for n 0 */
uint64_t cw_step_between(struct cw_step *s, uint64_t lo, uint64_t hi);
/* True p times in a million, while there are faults. */
bool cw_step_chance(struct cw_step *s, uint32_t ppm);
/* One of them: chance and count. */
bool cw_step_fault(struct cw_step *s, enum cw_step_fault kind);
void cw_step_count(struct cw_step *s, enum cw_step_fault kind);

/* One line of the narrated trace. */
void cw_step_say(struct cw_step *s, const char *who, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* First violation ends the run. */
void cw_step_bad(struct cw_step *s, const char *inv, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void cw_step_hash(struct cw_step *s, const void *buf, size_t len);

/* ---- step_plan.c --------------------------------------------------------- */

struct step_order {
	uint32_t cnt;			/* records */
	bool has_data;
	bool submitted;
	bool cancelled;			/* by a person */
	uint64_t id;			/* the platform's */
	int line;			/* -1: any line */
	uint16_t bound_pct;		/* records bound to a reader */
	bool hold;			/* IN_DOUBT waits for a remake */
	uint16_t remake_max, blank_max;
	uint32_t cos_len;
	uint8_t cos[STEP_COS_MAX];
	uint8_t digest[32];
	uint64_t at_us;			/* submitted then */
};

struct step_plan {
	unsigned int lines, readers, slots, stations;
	unsigned int order_cnt;
	uint64_t every_us[CW_SF_CNT];	/* mean time between faults; 0 = never */
	uint32_t ppm[CW_SF_CNT];	/* chance at each occasion */
	uint64_t stop_us;		/* faults end then at the latest */
	uint64_t bound_us;		/* and all is done so much later */
	uint64_t net_us, sync_us;	/* usual delays, at most */
	uint64_t feed_us, move_us;
	uint32_t jam_every, hopper;
	bool jam_clears;
	bool chunky;			/* reader link in small pieces */
	bool lua;
	bool power;			/* a kill is a power cut */
	bool no_prefetch;
	uint16_t quarantine;
	uint32_t write_us, erase_us;	/* of the cards */
};

void cw_step_plan_draw(struct cw_step *s);

/* What record `record` (1..) of order `o` (0..) must hold. */
struct step_record {
	char iccid[24], imsi[16], ki_hex[33];
	uint8_t ki[16];
	uint32_t addr;		/* bound reader, 0 = any */
	char addr_text[16];
};
void cw_step_record_of(const struct cw_step *s, unsigned int o, uint32_t record,
    struct step_record *r);
/* Eight bytes that begin every KI of a run. */
#define STEP_CANARY 8
void cw_step_canary(const struct cw_step *s, uint8_t out[STEP_CANARY]);
/* EF contents from digits: nibbles swapped, padded with F. */
void cw_step_bcd(uint8_t *out, size_t len, const char *digits);
#define STEP_MARK_LEN 32
void cw_step_mark(uint8_t out[STEP_MARK_LEN], uint64_t order, uint64_t record,
    uint32_t epoch);
uint32_t cw_step_addr(unsigned int line, unsigned int reader);

/* ---- step_world.c -------------------------------------------------------- */

struct cw_sim_card;

enum step_where { STEP_AT_STATION, STEP_AT_GOOD, STEP_AT_REJECT, STEP_AT_LOST };

struct step_card {
	uint32_t no;
	uint8_t line, station, where;
	bool personal;		/* anything of a record is on it */
	int order;		/* index; -1: no record that exists */
	uint32_t record;
	bool whole;		/* all fields of that record, and right */
	int cos;		/* index of the order whose image it holds; -1 */
	uint64_t mark_order, mark_record;
	uint32_t mark_epoch;
	uint32_t results;	/* results of this card at the platform */
	struct cw_sim_card *sim;	/* NULL once it has left */
};

/* What is known of each record, incrementally. */
struct step_rec {
	uint8_t state;		/* as last seen at the platform */
	uint32_t epoch;
	uint32_t begun;		/* epoch of the last INTENT, anywhere */
	uint16_t good;		/* cards in good bins */
	bool remake;		/* an operator asked */
};

int cw_step_world_new(struct cw_step *s);
void cw_step_world_free(struct cw_step *s);
/* Mechanics: 0, CW_ENOENT, CW_EBUSY, CW_EEXIST; may be repeated. */
int cw_step_world_feed(struct cw_step *s, unsigned int line, unsigned int station,
    uint32_t no);
void cw_step_world_bin(struct cw_step *s, unsigned int line, unsigned int station,
    bool good);
/* The card leaves by itself, or by hand (to the rejects). */
void cw_step_world_leave(struct cw_step *s, unsigned int line,
    unsigned int station, enum step_where to);
/* A person takes a card out of the good bin. */
void cw_step_world_recall(struct cw_step *s, unsigned int line, uint32_t no);
/* Lends the card at a station, NULL if none. */
struct step_card *cw_step_world_at(struct cw_step *s, unsigned int line,
    unsigned int station);
struct step_card *cw_step_world_card(struct cw_step *s, unsigned int line,
    uint32_t no);
struct step_world_sum {
	uint32_t fed, good, reject, lost, in;
};
void cw_step_world_sum(const struct cw_step *s, unsigned int line,
    struct step_world_sum *w);
struct step_rec *cw_step_world_rec(struct cw_step *s, unsigned int o,
    uint32_t record);

/* ---- step_plat.c --------------------------------------------------------- */

struct step_plat;
int cw_step_plat_new(struct cw_step *s);
void cw_step_plat_free(struct cw_step *s);
bool cw_step_plat_up(const struct cw_step *s);
void cw_step_plat_start(struct cw_step *s);
void cw_step_plat_kill(struct cw_step *s);
/* Makes a backup, or sets the platform back to the last one. */
void cw_step_plat_backup(struct cw_step *s);
/* People do again what they did since the backup. */
void cw_step_plat_again(struct cw_step *s);
int cw_step_plat_open(struct cw_step *s, uint32_t conn, unsigned int line);
void cw_step_plat_closed(struct cw_step *s, uint32_t conn);
/* A frame came in on conn. */
void cw_step_plat_frame(struct cw_step *s, uint32_t conn, const uint8_t *buf,
    size_t len);
void cw_step_plat_submit(struct cw_step *s, unsigned int o);
enum step_op { STEP_OP_PAUSE, STEP_OP_RESUME, STEP_OP_CANCEL, STEP_OP_REMAKE };
/* As the ledger: 0 or a count, CW_ESTATE, ... */
int cw_step_plat_op(struct cw_step *s, enum step_op op, unsigned int o);
/* Makes the n-th store call from now fail. */
void cw_step_plat_store_fault(struct cw_step *s, uint32_t nth);
/* Reads the records of all orders: I3, I5.  True when every order is over. */
bool cw_step_plat_scan(struct cw_step *s);
/* Whether an order waits for a person (PAUSED, BLOCKED). */
bool cw_step_plat_waits(struct cw_step *s, unsigned int o);
bool cw_step_plat_blocked(struct cw_step *s, unsigned int o);
/* The end: reports add up, every card has its result. */
void cw_step_plat_end(struct cw_step *s);
/* True when a report says that it is settled (or can never be). */
bool cw_step_plat_settled(struct cw_step *s);
/* Mutant timer: leases that are open become WAITING again. */
void cw_step_plat_unlease(struct cw_step *s);
void cw_step_plat_tell(struct cw_step *s, char *out, size_t cap);

/* ---- step_plink.c -------------------------------------------------------- */

struct step_plink {
	unsigned int line;
	uint32_t conn;		/* 0: none */
	bool up;		/* both ends know it */
	bool greeted;		/* WELCOME delivered */
	uint64_t part_us;	/* partitioned until */
	uint64_t last[2];	/* latest delivery per direction */
	struct step_ev late[8];	/* copies of an older connection's messages */
	unsigned int late_cnt;
};
enum step_dir { STEP_UP = 0, STEP_DOWN = 1 };
void cw_step_plink_start(struct cw_step *s, unsigned int line);
/* 0, CW_ECLOSED. */
int cw_step_plink_send(struct cw_step *s, unsigned int line, enum step_dir dir,
    const struct step_ev *frame);
/* Either end gives the link up, or it breaks. */
void cw_step_plink_cut(struct cw_step *s, unsigned int line);
/* No message out of an older connection comes any more. */
void cw_step_plink_forget(struct cw_step *s, unsigned int line);
unsigned int cw_step_plink_line(const struct cw_step *s, uint32_t conn);

/* ---- step_rlink.c -------------------------------------------------------- */

struct step_conn {
	int id;
	uint8_t line, reader;
	bool term, rd;		/* open at that end */
	bool broken;		/* nothing gets through any more */
	bool intruder;		/* not ours: a second terminal */
	uint64_t last[2];	/* STEP_UP: to the terminal */
	size_t flight[2];	/* bytes under way */
	bool starved;		/* the reader waits for room */
	struct step_conn *next;
};
void cw_step_rlink_start(struct cw_step *s, unsigned int line, unsigned int r);
int cw_step_rlink_term_send(struct cw_step *s, struct step_conn *c,
    const uint8_t *buf, size_t len);
int cw_step_rlink_reader_send(struct cw_step *s, struct step_conn *c,
    const uint8_t *buf, size_t len);
/* Closed by one end: what it sent before still arrives. */
void cw_step_rlink_close(struct cw_step *s, struct step_conn *c, enum step_dir by);
/* Breaks: bytes under way are lost. */
void cw_step_rlink_cut(struct cw_step *s, struct step_conn *c);
struct step_conn *cw_step_rlink_conn(struct cw_step *s, int id);
void cw_step_rlink_intrude(struct cw_step *s, unsigned int line, unsigned int r);
void cw_step_rlink_free(struct cw_step *s);

/* ---- step_disk.c --------------------------------------------------------- */

struct step_disk;
struct step_disk *cw_step_disk_new(struct cw_step *s);
void cw_step_disk_free(struct step_disk *d);
/* The process is gone; power: what was not synced is lost in part. */
void cw_step_disk_crash(struct step_disk *d, bool power);
void cw_step_disk_full(struct step_disk *d, bool full);
void cw_step_disk_heal(struct step_disk *d);	/* no more trouble */
void cw_step_disk_error(struct step_disk *d);	/* the next write or sync fails */
void cw_step_disk_crash_in(struct step_disk *d, uint32_t ops);	/* 0: never */
bool cw_step_disk_crashed(const struct step_disk *d);
/* All bytes of both files as the process sees them. */
bool cw_step_disk_search(const struct step_disk *d, const uint8_t *needle,
    size_t len);

/* ---- step_term.c --------------------------------------------------------- */

struct step_term;
struct step_regs;
int cw_step_term_new(struct cw_step *s, unsigned int line);
void cw_step_term_free(struct cw_step *s, unsigned int line);
bool cw_step_term_up(const struct cw_step *s, unsigned int line);
void cw_step_term_start(struct cw_step *s, unsigned int line);
void cw_step_term_kill(struct cw_step *s, unsigned int line, bool power);
void cw_step_term_plat_up(struct cw_step *s, unsigned int line);
void cw_step_term_plat_down(struct cw_step *s, unsigned int line);
void cw_step_term_plat_frame(struct cw_step *s, unsigned int line,
    const uint8_t *buf, size_t len);
void cw_step_term_reader_up(struct cw_step *s, struct step_conn *c);
void cw_step_term_reader_down(struct cw_step *s, struct step_conn *c);
void cw_step_term_reader_bytes(struct cw_step *s, struct step_conn *c,
    const uint8_t *buf, size_t len);
/* NULL: the device does not answer. */
void cw_step_term_regs(struct cw_step *s, unsigned int line,
    const struct step_regs *r);
struct step_disk *cw_step_term_disk(struct cw_step *s, unsigned int line);
void cw_step_term_rewrite(struct cw_step *s, unsigned int line);
/* A person walks by: clears what is stuck. */
void cw_step_term_person(struct cw_step *s, unsigned int line);
/* Nothing under way, nothing unsent. */
bool cw_step_term_quiet(const struct cw_step *s, unsigned int line);
void cw_step_term_end(struct cw_step *s, unsigned int line);	/* I5, I6 */
/* True durability, by the disk and not by what the line was told. */
bool cw_step_term_sure(const struct cw_step *s, unsigned int line,
    unsigned int station, bool good);
void cw_step_term_tell(struct cw_step *s, unsigned int line, char *out, size_t cap);
uint32_t cw_step_term_orphans(const struct cw_step *s, unsigned int line);

/* ---- step_prof.c --------------------------------------------------------- */

#define STEP_REFUSAL "the stepper wants this record refused"
struct step_prof;
struct step_compile {
	bool burn;
	uint64_t order, record;
	uint32_t epoch;
	const uint8_t *digest;
	uint32_t addr, len;
	const uint8_t *payload;
	size_t payload_len;
};
struct step_prof *cw_step_prof_open(struct cw_step *s, const uint8_t *text,
    size_t len, char why[200]);
void cw_step_prof_close(struct step_prof *p);
int cw_step_prof_compile(struct step_prof *p, const struct step_compile *c,
    uint8_t *out, size_t cap, char why[200]);

/* ---- step_reader.c ------------------------------------------------------- */

struct step_reader;
int cw_step_reader_new(struct cw_step *s, unsigned int line, unsigned int r);
void cw_step_reader_free(struct cw_step *s, unsigned int line, unsigned int r);
bool cw_step_reader_up(const struct cw_step *s, unsigned int line, unsigned int r);
void cw_step_reader_start(struct cw_step *s, unsigned int line, unsigned int r);
void cw_step_reader_kill(struct cw_step *s, unsigned int line, unsigned int r);
void cw_step_reader_open(struct cw_step *s, struct step_conn *c);
void cw_step_reader_data(struct cw_step *s, struct step_conn *c,
    const uint8_t *buf, size_t len);
void cw_step_reader_room(struct cw_step *s, struct step_conn *c);
void cw_step_reader_closed(struct cw_step *s, struct step_conn *c);
/* The switch of the contacts moved. */
void cw_step_reader_card(struct cw_step *s, unsigned int line,
    unsigned int station, bool present);
bool cw_step_reader_search(const struct cw_step *s, unsigned int line,
    unsigned int r, const uint8_t *needle, size_t len);

/* ---- step_dev.c ---------------------------------------------------------- */

#define STEP_HOLD_CNT (10 + 4 * STEP_STATIONS_MAX)
#define STEP_INPUT_CNT (20 + 8 * STEP_STATIONS_MAX)
struct step_regs {
	uint16_t hold[STEP_HOLD_CNT], input[STEP_INPUT_CNT];
};
struct step_dev;
int cw_step_dev_new(struct cw_step *s, unsigned int line);
void cw_step_dev_free(struct cw_step *s, unsigned int line);
void cw_step_dev_kill(struct cw_step *s, unsigned int line);
void cw_step_dev_cut(struct cw_step *s, unsigned int line, uint64_t for_us);
/* Terminal writes; lost when there is no contact. */
void cw_step_dev_cmd(struct cw_step *s, unsigned int line, unsigned int station,
    const uint16_t seq_cmd[2]);
void cw_step_dev_bits(struct cw_step *s, unsigned int line, uint16_t bits);
void cw_step_dev_beat(struct cw_step *s, unsigned int line, uint16_t beat);
bool cw_step_dev_contact(const struct cw_step *s, unsigned int line);
void cw_step_dev_lost(struct cw_step *s, unsigned int line, unsigned int station);
/* A person at the machine: fills the hopper, takes out jammed cards. */
void cw_step_dev_person(struct cw_step *s, unsigned int line);
struct step_dev_sum {
	uint32_t fed, good, reject, lost, in;
};
void cw_step_dev_sum(const struct cw_step *s, unsigned int line,
    struct step_dev_sum *d);
void cw_step_dev_check(struct cw_step *s, unsigned int line);

/* ---- step_fault.c, step_check.c ------------------------------------------ */

void cw_step_fault_start(struct cw_step *s);
/* All links whole, all parts up, nothing more will break. */
void cw_step_fault_stop(struct cw_step *s);
void cw_step_kill_point(struct cw_step *s, unsigned int line);

/* A card lies in a bin: I1, I3. */
void cw_step_check_card(struct cw_step *s, const struct step_card *c);
/* Its reader must have forgotten it: I6. */
void cw_step_check_left(struct cw_step *s, unsigned int line, unsigned int station,
    const struct step_card *c);
void cw_step_check_end(struct cw_step *s);

/* ---- the whole ----------------------------------------------------------- */

struct step_line {
	struct step_term *term;
	struct step_dev *dev;
	struct step_plink plink;
	struct step_reader *reader[STEP_READERS_MAX];
	struct step_conn *conn[STEP_READERS_MAX];	/* the terminal's end */
	uint64_t part_us[STEP_READERS_MAX];	/* reader link partitioned until */
	struct step_card **card;	/* [card_cnt] by number - 1 */
	uint32_t card_cnt, card_cap;
	uint32_t at[STEP_STATIONS_MAX];	/* number at the contacts, 0 = none */
};

struct cw_step {
	struct cw_step_config cfg;
	enum cw_step_mutant mutant;	/* the rule that is dropped */
	struct cw_step_result *res;
	struct step_plan plan;
	struct step_order order[STEP_ORDERS_MAX];
	struct step_rec *rec[STEP_ORDERS_MAX];
	uint32_t good_cos[STEP_ORDERS_MAX];	/* good cards without data */
	struct step_line line[STEP_LINES_MAX];
	struct step_plat *plat;
	struct step_conn *conns;
	int next_conn;

	uint64_t now, seq, rng;
	struct step_ev *heap;
	size_t heap_len, heap_cap;
	bool quiet;		/* the faults have stopped */
	bool over;
	uint64_t deadline_us;
};

#endif
