/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_READER_PRIVATE_H
#define CW_READER_PRIVATE_H

#include "cw/atr.h"
#include "cw/frame.h"
#include "cw/outcome.h"
#include "cw/program.h"
#include "cw/rlink.h"
#include "cw/sha256.h"
#include "cw/t0.h"
#include "cw/t1.h"
#include "raw_private.h"
#include "reader.h"

/*
 * Inside of the reader core: its memory, and the calls between its files.
 * Nobody outside reader/ and tests/unit/reader uses a member.
 *
 *	core.c		init, events in, deadlines out, check
 *	session.c	connections, HELLO, requests
 *	reply.c		frames out
 *	store.c		the image
 *	update_link.c	firmware for the reader itself
 *	slot.c		state machine of a slot, insertion, removal, power
 *	line.c		answer to reset, speed, characters
 *	apdu.c		stations that work by APDUs
 *	raw.c		card by card, for a PC/SC driver
 *	engine.c	queue of programs and their steps
 *	result.c	results kept until the terminal has them
 *	text.c		sentences without stdio
 */

/* Response data and SW of one APDU; a longer response ends the program. */
#define CW_READER_RSP_CAP (2048 + 2)
/* Results per slot: a full queue, and as many waiting to be acknowledged. */
#define CW_READER_KEPT_MAX (2 * CW_RLINK_QUEUE)
/* Connections that have not said HELLO yet. */
#define CW_READER_PEERS_MAX 4
/* HELLO: header 20, name 1 + 63, session 8. */
#define CW_READER_HELLO_CAP 128
/* A block command of LOAD (cw_prog_load_block: 260) or characters in inverse
 * convention (T=0 sends at most 5 + 255 at once, T=1 a block of 259). */
#define CW_READER_LINE_CAP 264
#define CW_READER_LOG_MAX 160
/* No protocol that we speak is offered. */
#define CW_READER_NO_T 15

#define CW_READER_ASK_MS 30000
#define CW_READER_HELLO_MS 10000
/* One command in all, whatever it asks for: NULL bytes and S(WTX) are without
 * number, and so a broken card could say them for ever. */
#define CW_READER_COMMAND_MS 300000
/* What a board may add to the card's own time before it counts as stuck. */
#define CW_READER_GUARD_US 5000000u
/* The same for a reader of somebody else's that powers a card: it tries more. */
#define CW_READER_APDU_ON_US 30000000u

/* One program in the queue; its bytes stand in queue_mem at part `mem`. */
struct cw_reader_job {
	uint64_t attempt;
	uint16_t len;
	uint8_t flags;		/* enum cw_run_flag */
	uint8_t mem;		/* 0..CW_RLINK_QUEUE - 1 */
	bool personal;		/* by its flag or by one of its steps */
	bool load;		/* has a LOAD step */
	bool skip;		/* the chain before it is broken */
};

enum cw_reader_kept_state { CW_KEPT_FREE, CW_KEPT_OPEN, CW_KEPT_DONE };

/* A result from the start of its program until RESULT_ACK. */
struct cw_reader_kept {
	enum cw_reader_kept_state state;
	bool sent;		/* on the present link */
	uint8_t secret;		/* bit i: capture i came from a secret step */
	uint32_t order;		/* rises with each end */
	uint16_t mem_len;
	struct cw_rl_result m;	/* capture[].buf points into mem */
	uint8_t mem[CW_PROG_CAPTURE_BYTES];
};

/* What was asked of the card port and has not come back. */
enum cw_reader_op {
	CW_ROP_NONE, CW_ROP_POWER, CW_ROP_SEND, CW_ROP_RECV, CW_ROP_APDU,
	CW_ROP_TALK,		/* send and recv in one */
	CW_ROP_TIMER,
};

enum cw_reader_act {
	CW_ACT_OFF,		/* powering down before a cold reset */
	CW_ACT_ON,		/* powering up */
	CW_ACT_RST,		/* RST low for 400 clocks (6.2.2) */
	CW_ACT_ATR,		/* receiving */
	CW_ACT_APDU,		/* somebody else's reader does all of it */
};

struct cw_reader_slot {
	enum cw_slot_state state;
	enum cw_reader_op op;
	uint64_t due_us;	/* of the op, of DELAY, of ASK; UINT64_MAX: none */
	uint8_t idx;
	uint8_t present;	/* 0 no card, 1 card, 2 no switch */
	bool announce;		/* a SLOT message is owed */
	bool ask_owed;		/* an ASK message is owed */
	bool powered;		/* VCC is or may be on */
	bool talked;		/* the event under way answers a talk */
	bool off_failed;	/* the board would not deactivate */
	uint8_t power_out;	/* power calls that are not answered yet */
	uint32_t card_session;

	/* queue; job[0] is the running one when `running` */
	struct cw_reader_job job[CW_RLINK_QUEUE];
	uint8_t job_cnt;
	uint8_t mem_used;	/* bit per part of queue_mem */
	bool running;
	bool ending;		/* outcome known, waiting for power-down */
	bool tail_good;		/* the RUN accepted last has ended GOOD */
	uint64_t last_attempt;

	/* the program under way */
	uint8_t run;		/* index of its kept result */
	struct cw_prog_iter it;
	struct cw_prog_step step;
	uint16_t step_base;	/* steps before the present part (CONTINUE) */
	uint64_t run_start_us, step_start_us;
	uint32_t block_idx;	/* LOAD */
	uint16_t sw;		/* of the step under way */
	bool rsp_secret;	/* rsp is of a secret step */
	size_t rsp_len;		/* data bytes in rsp, without SW */

	/* the card line */
	struct cw_card_line line;
	uint64_t etu_us_q16;	/* microseconds, 48.16 */
	struct cw_atr atr;	/* raw_len 0: no valid ATR in this activation */
	struct cw_atr_rx atr_rx;
	enum cw_reader_act act;
	uint8_t act_try;	/* 0 first, 1 cold again, 2 warm */
	bool act_pps;		/* this activation repairs a failed PPS */
	bool inverse;
	uint8_t ta1;		/* F and D in use */
	uint8_t ta1_want;	/* under negotiation */
	struct cw_card_line line_want;
	bool pps_done;		/* in this activation, and agreed upon */
	uint8_t pps_len;
	uint8_t pps[6];

	uint8_t protocol;	/* T, chosen when the ATR is whole; CW_READER_NO_T */
	uint64_t command_us;	/* start of the command under way */
	struct cw_t0 t0;
	struct cw_t1 t1;	/* in use when line.t1 */
	struct cw_tpdu_out out;
	/* LOAD: the block under way and, made while it is on the line, the next */
	uint8_t cmd[2][CW_READER_LINE_CAP];
	uint8_t cmd_cur;
	uint16_t ahead_len;	/* of cmd[!cmd_cur]; 0: not made */
	uint8_t chars[CW_READER_LINE_CAP];	/* inverted characters */
	uint8_t rsp[CW_READER_RSP_CAP];

	struct cw_reader_raw raw;

	uint32_t kept_order;
	uint32_t acked_cnt;
	struct cw_reader_kept *kept;	/* CW_READER_KEPT_MAX of them */
};

enum cw_reader_store_state {
	CW_STORE_REST,		/* no transfer */
	CW_STORE_OPEN,		/* BEGIN seen */
	CW_STORE_BROKEN,	/* transfer failed: DATA is dropped until END */
};

struct cw_reader_store {
	enum cw_reader_store_state state;
	int err;		/* BROKEN: why */
	bool valid;
	uint32_t gen;		/* rises with each success */
	uint32_t len;		/* valid: of the image; OPEN: announced */
	uint32_t off;		/* OPEN: received */
	uint8_t digest[CW_SHA256_LEN];
	struct cw_sha256 sha;
};

struct cw_reader_peer {
	bool used;
	int conn;
	uint8_t len;
	uint64_t due_us;
	uint8_t buf[CW_READER_HELLO_CAP];
};

struct cw_reader {
	struct cw_reader_config cfg;
	uint64_t now_us;	/* of the event under way */
	uint64_t due_us;	/* before that nothing is due anywhere */
	bool owes;		/* a message may be owed: reply.c looks */

	/* the terminal */
	bool linked;
	int conn;
	struct cw_rl_hello terminal;
	uint64_t heard_us;
	uint64_t orphan_us;	/* when to give up on the terminal; UINT64_MAX: never */
	size_t rx_len;
	size_t tx_held;		/* frame in tx_mem that waits for room */
	bool tx_full;		/* the board said: no room */
	struct cw_reader_peer peer[CW_READER_PEERS_MAX];

	struct cw_reader_store store;
	bool updating;		/* from UPDATE_BEGIN to the end of the update */
	uint32_t update_len, update_off;
	uint32_t stray_cnt;	/* events that belonged to nothing */

	/* last, so that a board with few slots never touches the rest */
	struct cw_reader_slot slot[CW_RLINK_SLOTS_MAX];
	/* when the config names no place for them */
	struct cw_reader_kept kept[CW_RLINK_SLOTS_MAX * CW_READER_KEPT_MAX];
};

/* text.c: always NUL-terminated, cut at cap. */
struct cw_reader_text {
	char *buf;
	size_t cap, len;
};
struct cw_reader_text cw_reader_text_init(char *buf, size_t cap);
void cw_reader_text_str(struct cw_reader_text *t, const char *s);
void cw_reader_text_dec(struct cw_reader_text *t, uint64_t v);
void cw_reader_text_hex(struct cw_reader_text *t, const uint8_t *buf, size_t len);

/* reply.c */
/* Hands len bytes of tx_mem to the board; keeps them when there is no room. */
void cw_reader_reply_send(struct cw_reader *r, int len);
void cw_reader_reply_error(struct cw_reader *r, uint32_t id, int err,
    const char *text);
/* Sends REFUSE on any connection and closes it. */
void cw_reader_reply_refuse(struct cw_reader *r, int conn, uint32_t id,
    int err, const char *text);
void cw_reader_reply_hello(struct cw_reader *r, uint32_t id);
/* Sends what is owed while there is room. */
void cw_reader_reply_flush(struct cw_reader *r);

/* session.c */
void cw_reader_session_open(struct cw_reader *r, int conn);
void cw_reader_session_data(struct cw_reader *r, int conn, const uint8_t *buf,
    size_t len);
void cw_reader_session_room(struct cw_reader *r, int conn);
void cw_reader_session_closed(struct cw_reader *r, int conn);
/* The link is gone already, or is closed here when `close`. */
void cw_reader_session_lost(struct cw_reader *r, bool close, const char *why);
void cw_reader_session_tick(struct cw_reader *r);
uint64_t cw_reader_session_due(const struct cw_reader *r);
/* Requests after HELLO (request.c). */
void cw_reader_request(struct cw_reader *r, const struct cw_frame *f);

/* store.c */
void cw_reader_store_begin(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_store_data(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_store_end(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_store_drop(struct cw_reader *r);
/* True when the valid image has this digest and holds [off, off + len). */
bool cw_reader_store_holds(const struct cw_reader *r,
    const uint8_t digest[CW_SHA256_LEN], uint32_t off, uint32_t len);

/* update_link.c */
void cw_reader_update_begin(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_update_data(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_update_end(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_update_drop(struct cw_reader *r);

/* slot.c */
void cw_reader_slot_init(struct cw_reader *r, uint8_t idx);
/* The only writer of s->state. */
void cw_reader_slot_set(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_slot_state to);
bool cw_reader_slot_may(enum cw_slot_state from, enum cw_slot_state to);
void cw_reader_slot_card(struct cw_reader *r, struct cw_reader_slot *s,
    bool inserted);
/* Deactivates, whatever is under way on the line. */
void cw_reader_slot_off(struct cw_reader *r, struct cw_reader_slot *s);
void cw_reader_slot_event(struct cw_reader *r, const struct cw_event *ev);
void cw_reader_slot_tick(struct cw_reader *r, struct cw_reader_slot *s);
void cw_reader_slot_check(const struct cw_reader *r,
    const struct cw_reader_slot *s);
/* IDLE or READY, as the power is. */
void cw_reader_slot_rest(struct cw_reader *r, struct cw_reader_slot *s);

/* line.c */
void cw_reader_line_activate(struct cw_reader *r, struct cw_reader_slot *s,
    bool warm);
/* Negotiates the best speed; ends the step. ta1_max 0: no cap. */
void cw_reader_line_pps(struct cw_reader *r, struct cw_reader_slot *s,
    uint8_t ta1_max);
/* Ends a send or recv under way; forgets what was awaited. */
void cw_reader_line_stop(struct cw_reader *r, struct cw_reader_slot *s);
int cw_reader_line_send(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *buf, size_t len);
/* T=0: sends and receives what s->out says, in one; the board has talk. */
int cw_reader_line_talk(struct cw_reader *r, struct cw_reader_slot *s);
int cw_reader_line_recv(struct cw_reader *r, struct cw_reader_slot *s,
    size_t cap, uint32_t wait_etu);
/* Makes the line one of T=1 if that is the protocol and it is not yet: 0 or CW_E*. */
int cw_reader_line_protocol(struct cw_reader *r, struct cw_reader_slot *s);
/* Work waiting time of T=0 at the speed in use (10.2). */
uint32_t cw_reader_line_wt(const struct cw_reader_slot *s);
void cw_reader_line_activate_event(struct cw_reader *r,
    struct cw_reader_slot *s, const struct cw_event *ev);
void cw_reader_line_pps_event(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_event *ev);

/* apdu.c: the ops of card or apdu, whichever the board has. */
int cw_reader_apdu_present(const struct cw_reader *r, uint8_t slot);
int cw_reader_apdu_off(const struct cw_reader *r, uint8_t slot);
int cw_reader_apdu_on(struct cw_reader *r, struct cw_reader_slot *s, bool warm);
enum cw_outcome cw_reader_apdu_on_event(struct cw_reader_slot *s,
    const struct cw_event *ev);
int cw_reader_apdu_send(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *buf, size_t len);
int cw_reader_apdu_event(const struct cw_event *ev, uint8_t *rsp, size_t cap,
    size_t *len);

/* request.c: the slot that f names, or NULL and an ERROR on its way. */
struct cw_reader_slot *cw_reader_request_slot(struct cw_reader *r,
    const struct cw_frame *f, int err, uint8_t slot);

/* engine.c */
/* Adds a checked program; the queue has room. */
void cw_reader_engine_add(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_rl_run *m);
/* Runs until the slot waits for something. */
void cw_reader_engine_run(struct cw_reader *r, struct cw_reader_slot *s);
/* The step under way has ended: CW_OUT_GOOD goes on, others end the program. */
void cw_reader_engine_step_end(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome);
/* Ends the running program. */
void cw_reader_engine_end(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome);
/* The card is off (or stays on): the result of the ended program is final. */
void cw_reader_engine_close(struct cw_reader *r, struct cw_reader_slot *s);
/* Ends queued program i (not the running one). */
void cw_reader_engine_drop(struct cw_reader *r, struct cw_reader_slot *s,
    uint8_t i, enum cw_outcome outcome);
/* Ends all that are queued but not running; personal ones only, if so told. */
void cw_reader_engine_drop_all(struct cw_reader *r, struct cw_reader_slot *s,
    bool personal_only, enum cw_outcome outcome);
/* Puts the steps of a CONTINUE in the place of the ASK: 0 or CW_E*. */
int cw_reader_engine_continue(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *prog, size_t len);
bool cw_reader_engine_loads(const struct cw_reader *r);
uint8_t *cw_reader_engine_mem(const struct cw_reader *r,
    const struct cw_reader_slot *s, uint8_t mem);

/* steps.c: what each op does */
void cw_reader_steps_begin(struct cw_reader *r, struct cw_reader_slot *s);
/* The RESET step's activation has ended: matches the ATR. */
void cw_reader_steps_activated(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome);
void cw_reader_steps_command_event(struct cw_reader *r,
    struct cw_reader_slot *s, const struct cw_event *ev);
/* Begins a command that is no step: 0, or CW_E* when nothing was begun. */
int cw_reader_steps_raw(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *apdu, size_t len);

/* result.c */
/* Opens a result; there is always a free one (checked when a RUN comes in). */
uint8_t cw_reader_result_open(struct cw_reader *r, struct cw_reader_slot *s,
    uint64_t attempt);
void cw_reader_result_step(struct cw_reader_slot *s, const struct cw_rl_step *st);
/* 0, or CW_EFULL when the program's captures are used up. */
int cw_reader_result_capture(struct cw_reader_slot *s, uint8_t id,
    const uint8_t *buf, size_t len, bool secret);
/* Drops and wipes the captures that came from secret steps. */
void cw_reader_result_redact(struct cw_reader_kept *k);
void cw_reader_result_done(struct cw_reader *r, struct cw_reader_slot *s,
    uint8_t i);
struct cw_reader_kept *cw_reader_result_find(struct cw_reader_slot *s,
    uint64_t attempt);
void cw_reader_result_free(struct cw_reader_kept *k);
uint8_t cw_reader_result_done_cnt(const struct cw_reader_slot *s);
/* The oldest that was not sent on this link, or NULL. */
struct cw_reader_kept *cw_reader_result_unsent(struct cw_reader_slot *s);

/* core.c: one line to the board's log, "event slot=N" and more by the caller. */
void cw_reader_log(struct cw_reader *r, int level, const char *event,
    const struct cw_reader_slot *s, const char *more);

#endif
