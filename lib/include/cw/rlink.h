/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_RLINK_H
#define CW_RLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/program.h"
#include "cw/sha256.h"

/*
 * Messages of the reader link: terminal (client) <-> reader (server), TCP.
 * Bytes in docs/spec/reader-link.md; framing in cw/frame.h.
 *
 * A reader serves one terminal.  A second connection gets REFUSE and is closed.
 * The terminal speaks first (HELLO).  Every RUN ends in exactly one RESULT
 * unless the reader loses power; the reader keeps a RESULT and sends it again
 * after a reconnection until RESULT_ACK.
 *
 * One slot holds a queue of CW_RLINK_QUEUE programs: one running and at least
 * one ahead.  A RUN with CW_RUN_CHAIN starts only when the one before it ended
 * GOOD; else it ends SKIPPED with no byte sent.
 *
 * attempt must rise per slot within a boot (replays are refused, W10); the
 * terminal draws it from its journal's counter.
 */
#define CW_RLINK_VERSION 1
#define CW_RLINK_PORT 7816
#define CW_RLINK_BODY_MAX 16384
#define CW_RLINK_DATA_MAX 8192		/* image bytes in one STORE_DATA */
#define CW_RLINK_SLOTS_MAX 8
#define CW_RLINK_QUEUE 4		/* programs per slot, the running one included */
#define CW_RLINK_STEPS_MAX 128		/* step lines in a RESULT */

/* X(NAME, number): below 80 from terminal to reader, from 80 up the other way */
#define CW_RL_TYPE_MAP(X) \
	X(HELLO, 0x01) \
	X(PING, 0x02) \
	X(STORE_BEGIN, 0x10) \
	X(STORE_DATA, 0x11) \
	X(STORE_END, 0x12) \
	X(RUN, 0x20) \
	X(CONTINUE, 0x21) \
	X(ABORT, 0x22) \
	X(RESULT_ACK, 0x23) \
	X(QUERY, 0x24) \
	X(HELLO_OK, 0x81) \
	X(PONG, 0x82) \
	X(REFUSE, 0x83) \
	X(ERROR, 0x84) \
	X(STORE_OK, 0x90) \
	X(RUN_OK, 0xA0) \
	X(ASK, 0xA1) \
	X(RESULT, 0xA3) \
	X(SLOT, 0xA4) \
	X(UNKNOWN, 0xA5) \
	X(UPDATE_BEGIN, 0x30) \
	X(UPDATE_DATA, 0x31) \
	X(UPDATE_END, 0x32) \
	X(UPDATE_OK, 0xB0) \
	X(CARD_POWER, 0x40) \
	X(CARD_QUERY, 0x41) \
	X(CARD_PARAMS, 0x42) \
	X(CARD_APDU, 0x43) \
	X(CARD_ABORT, 0x44) \
	X(CARD_STATE, 0xC0) \
	X(CARD_RSP, 0xC1) \
	X(CARD_WAIT, 0xC2)

enum cw_rl_type {
#define X(name, value) CW_RL_##name = (value),
	CW_RL_TYPE_MAP(X)
#undef X
};

/* HELLO: the terminal names itself. */
struct cw_rl_hello {
	char terminal[64];
	uint64_t session;	/* random; tells a reconnection from a second terminal */
};

/* HELLO_OK */
struct cw_rl_hello_ok {
	uint8_t serial[16];
	char firmware[32];	/* "cardwright-host 0.1.0" */
	uint64_t boot_id;	/* changes with every start of the reader */
	uint8_t slot_cnt;
	uint32_t store_cap;	/* bytes */
	uint32_t store_gen;	/* 0: nothing stored since boot */
	uint32_t store_len;
	uint8_t store_digest[CW_SHA256_LEN];	/* zero when store_gen is 0 */
};

/* REFUSE (then the reader closes) and ERROR (answer to one request). */
struct cw_rl_refuse {
	int16_t err;		/* CW_E* : EBUSY another terminal, EVERSION, ESTATE, ... */
	char text[128];		/* names the place and the remedy */
};

struct cw_rl_store_begin {
	uint32_t len;		/* 1..store_cap */
	uint8_t digest[CW_SHA256_LEN];
};
/* STORE_DATA: bytes in order of offset; not answered one by one. */
struct cw_rl_store_data {
	uint32_t off;
	const uint8_t *buf;	/* borrowed */
	uint16_t len;		/* 1..CW_RLINK_DATA_MAX */
};
/* STORE_END has an empty body; answered by STORE_OK or ERROR (EDIGEST, ESHORT).
 * STORE_BEGIN is answered by ERROR only (ETOOBIG, EBUSY while a slot loads). */
struct cw_rl_store_ok {
	uint32_t gen;
	uint32_t len;
	uint8_t digest[CW_SHA256_LEN];
};

/* UPDATE_BEGIN: a file of firmware images (cw/fwimg.h); answered by UPDATE_OK or
 * ERROR.  UPDATE_DATA is a cw_rl_store_data, answered only by its first ERROR. */
struct cw_rl_update_begin {
	uint32_t len;		/* of the file, 1.. */
};
struct cw_rl_update_end {
	bool restart;		/* at once, if the image is committed */
};
/* Answers UPDATE_BEGIN and UPDATE_END. */
struct cw_rl_update_ok {
	uint8_t state;		/* enum cw_update_state of the reader core */
	uint32_t addr;		/* of the slot that is being filled */
	char version[25];	/* of the image, empty after BEGIN */
};

enum cw_run_flag {
	CW_RUN_CHAIN = 0x01,	/* only if the program before it ended GOOD */
	CW_RUN_PERSONAL = 0x02,	/* holds a person's record: wipe it at the end */
	CW_RUN_KEEP_POWER = 0x04, /* leave the card active at the end (chain, PC/SC) */
};
struct cw_rl_run {
	uint8_t slot;
	uint8_t flags;
	uint64_t attempt;	/* > every earlier one of this slot in this boot */
	uint32_t card_session;	/* 0 = any; else refused unless the slot's is equal */
	const uint8_t *prog;	/* borrowed; checked by cw_prog_check */
	uint16_t prog_len;
};
/* RUN_OK: queued; ERROR EFULL, ESTATE (attempt not rising), EREMOVED, EFORMAT. */
struct cw_rl_run_ok {
	uint8_t slot;
	uint64_t attempt;
	uint8_t queued;		/* programs in the queue now, this one included */
};
struct cw_rl_continue {
	uint8_t slot;
	uint64_t attempt;
	const uint8_t *prog;
	uint16_t prog_len;
};
struct cw_rl_slot_attempt {	/* ABORT (attempt 0 = all of the slot), RESULT_ACK, QUERY, UNKNOWN */
	uint8_t slot;
	uint64_t attempt;
};

struct cw_rl_capture {
	uint8_t id;
	uint16_t len;
	const uint8_t *buf;	/* borrowed */
};
/* ASK: captures so far */
struct cw_rl_ask {
	uint8_t slot;
	uint64_t attempt;
	uint8_t capture_cnt;
	struct cw_rl_capture capture[CW_PROG_CAPTURE_MAX];
};

/* One executed step in a RESULT: what a trace needs beyond the program. */
struct cw_rl_step {
	uint16_t idx;
	uint16_t sw;		/* last status word of the step; 0 if none */
	uint16_t rsp_len;	/* response data bytes */
	uint32_t us;		/* time the step took */
	uint32_t blocks;	/* LOAD: blocks written */
};

enum cw_result_flag {
	CW_RES_TOUCHED = 0x01,	/* a personal byte may have reached the card */
	CW_RES_ACTIVE = 0x02,	/* the card is still powered */
};
struct cw_rl_result {
	uint8_t slot;
	uint8_t flags;
	uint64_t attempt;
	uint64_t boot_id;
	uint32_t card_session;	/* rises at every insertion in this slot */
	uint16_t outcome;	/* enum cw_outcome */
	uint16_t sw;		/* last status word, 0 if none */
	uint16_t step;		/* index of the failed step, or of the last */
	uint64_t line_etu;	/* etu the line had to be busy (ISO minimum) */
	uint32_t us;		/* whole program */
	uint8_t atr_len;
	uint8_t atr[33];
	uint8_t ta1;		/* F/D in use at the end, 0x11 = default */
	uint8_t capture_cnt;
	struct cw_rl_capture capture[CW_PROG_CAPTURE_MAX];
	uint16_t step_cnt;	/* the last CW_RLINK_STEPS_MAX of the steps run */
	struct cw_rl_step steps[CW_RLINK_STEPS_MAX];
};

/* SLOT: sent at every change, and one per slot right after HELLO_OK */
struct cw_rl_slot {
	uint8_t slot;
	uint8_t present;	/* 0 no card, 1 card, 2 unknown (no switch) */
	uint32_t card_session;
	uint8_t state;		/* enum cw_slot_state of the reader core */
	uint64_t last_attempt;	/* of the last RUN taken since boot; 0 = none */
};

/*
 * Card by card: what a PC/SC driver needs, after USB CCID 1.1, clause 6.  A slot
 * whose card was powered this way is held: RUN is refused (EBUSY) until it is
 * powered off, removed, or the link is lost.  While programs are queued these are
 * refused.  One request per slot at a time; CARD_ABORT and CARD_QUERY always.
 */
#define CW_RL_CARD_DATA_MAX 16000	/* of an APDU or answer in one message */
#define CW_RL_CARD_ANY 0xFF		/* protocol: none, or the reader chooses */

enum cw_rl_card_action { CW_RL_CARD_OFF, CW_RL_CARD_COLD, CW_RL_CARD_WARM };
struct cw_rl_card_power {
	uint8_t slot;
	uint8_t action;		/* enum cw_rl_card_action */
};
struct cw_rl_card_params {
	uint8_t slot;
	uint8_t protocol;	/* 0, 1 or CW_RL_CARD_ANY */
	uint8_t ta1_max;	/* no faster than this F and D; 0: no such limit */
};
/* CARD_APDU and CARD_RSP: a part; all parts of one APDU carry the same id. */
struct cw_rl_card_data {
	uint8_t slot;
	bool more;		/* another part follows */
	const uint8_t *buf;	/* borrowed */
	uint16_t len;		/* 1..CW_RL_CARD_DATA_MAX */
};
enum cw_rl_card_flag {
	CW_RL_CARD_POWERED = 0x01,
	CW_RL_CARD_HELD = 0x02,	/* by this link, card by card */
};
/* CARD_STATE answers CARD_POWER, CARD_QUERY, CARD_PARAMS and CARD_ABORT. */
struct cw_rl_card_state {
	uint8_t slot;
	uint8_t present;	/* as in SLOT */
	uint8_t flags;		/* enum cw_rl_card_flag */
	uint32_t card_session;
	uint8_t protocol;	/* in force: 0, 1, or CW_RL_CARD_ANY: none */
	uint8_t ta1;		/* F and D in force */
	uint32_t clk_hz;	/* 0: not known, the station works by APDUs */
	uint16_t etu_clk;	/* clocks per etu; 0 likewise */
	uint32_t apdu_max;	/* bytes of a command and its answer together */
	uint8_t atr_len;	/* 0..33 */
	uint8_t atr[33];
};
/* CARD_WAIT: the request of this id is not done yet; every second. */
struct cw_rl_card_wait {
	uint8_t slot;
	uint32_t ms;		/* since it began */
};

/*
 * Encoders write a whole frame (header included) to out and return its length;
 * CW_EFULL; CW_EINVAL for a field out of its range (a slot above the maximum, a
 * name with control characters), which the peer's decoder would refuse; control
 * characters in texts for people go out as blanks.  id is
 * the frame's request id.  CW_FRAME_HDR + CW_RLINK_BODY_MAX bytes always
 * suffice.  Decoders take the body; 0, CW_ESHORT, CW_EFORMAT; they check every
 * range, but not a program (cw_prog_check) nor a digest.  Pointers in decoded
 * structs borrow from the body.
 */
int cw_rl_put_hello(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_hello *m);
int cw_rl_put_hello_ok(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_hello_ok *m);
int cw_rl_put_update_begin(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_update_begin *m);
int cw_rl_put_update_data(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_store_data *m);
int cw_rl_put_update_end(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_update_end *m);
int cw_rl_put_update_ok(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_update_ok *m);
/* type: CW_RL_REFUSE or CW_RL_ERROR */
int cw_rl_put_refuse(uint8_t *out, size_t cap, uint32_t id, uint8_t type, const struct cw_rl_refuse *m);
int cw_rl_put_store_begin(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_store_begin *m);
int cw_rl_put_store_data(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_store_data *m);
int cw_rl_put_store_ok(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_store_ok *m);
int cw_rl_put_run(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_run *m);
int cw_rl_put_run_ok(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_run_ok *m);
int cw_rl_put_continue(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_continue *m);
/* type: ABORT, RESULT_ACK, QUERY or UNKNOWN */
int cw_rl_put_slot_attempt(uint8_t *out, size_t cap, uint32_t id, uint8_t type, const struct cw_rl_slot_attempt *m);
int cw_rl_put_ask(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_ask *m);
int cw_rl_put_result(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_result *m);
int cw_rl_put_slot(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_slot *m);
int cw_rl_put_card_power(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_card_power *m);
int cw_rl_put_card_params(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_card_params *m);
/* type: CARD_QUERY or CARD_ABORT */
int cw_rl_put_card_slot(uint8_t *out, size_t cap, uint32_t id, uint8_t type, uint8_t slot);
/* type: CARD_APDU or CARD_RSP */
int cw_rl_put_card_data(uint8_t *out, size_t cap, uint32_t id, uint8_t type, const struct cw_rl_card_data *m);
int cw_rl_put_card_state(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_card_state *m);
int cw_rl_put_card_wait(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_card_wait *m);
/* PING, PONG, STORE_END: empty bodies */
int cw_rl_put_empty(uint8_t *out, size_t cap, uint32_t id, uint8_t type);

/* Decoders: m is the caller's, body is borrowed while m lives. */
int cw_rl_get_hello(struct cw_rl_hello *m, const uint8_t *body, size_t len);
int cw_rl_get_hello_ok(struct cw_rl_hello_ok *m, const uint8_t *body, size_t len);
int cw_rl_get_refuse(struct cw_rl_refuse *m, const uint8_t *body, size_t len);
int cw_rl_get_store_begin(struct cw_rl_store_begin *m, const uint8_t *body, size_t len);
int cw_rl_get_store_data(struct cw_rl_store_data *m, const uint8_t *body, size_t len);
int cw_rl_get_store_ok(struct cw_rl_store_ok *m, const uint8_t *body, size_t len);
int cw_rl_get_update_begin(struct cw_rl_update_begin *m, const uint8_t *body, size_t len);
int cw_rl_get_update_data(struct cw_rl_store_data *m, const uint8_t *body, size_t len);
int cw_rl_get_update_end(struct cw_rl_update_end *m, const uint8_t *body, size_t len);
int cw_rl_get_update_ok(struct cw_rl_update_ok *m, const uint8_t *body, size_t len);
int cw_rl_get_run(struct cw_rl_run *m, const uint8_t *body, size_t len);
int cw_rl_get_run_ok(struct cw_rl_run_ok *m, const uint8_t *body, size_t len);
int cw_rl_get_continue(struct cw_rl_continue *m, const uint8_t *body, size_t len);
int cw_rl_get_slot_attempt(struct cw_rl_slot_attempt *m, const uint8_t *body, size_t len);
int cw_rl_get_ask(struct cw_rl_ask *m, const uint8_t *body, size_t len);
int cw_rl_get_result(struct cw_rl_result *m, const uint8_t *body, size_t len);
int cw_rl_get_slot(struct cw_rl_slot *m, const uint8_t *body, size_t len);
int cw_rl_get_card_power(struct cw_rl_card_power *m, const uint8_t *body, size_t len);
int cw_rl_get_card_params(struct cw_rl_card_params *m, const uint8_t *body, size_t len);
int cw_rl_get_card_slot(uint8_t *slot, const uint8_t *body, size_t len);
int cw_rl_get_card_data(struct cw_rl_card_data *m, const uint8_t *body, size_t len);
int cw_rl_get_card_state(struct cw_rl_card_state *m, const uint8_t *body, size_t len);
int cw_rl_get_card_wait(struct cw_rl_card_wait *m, const uint8_t *body, size_t len);

/* "RUN", "RESULT", ...; "?" for an unknown type. Static. */
const char *cw_rl_type_name(uint8_t type);

#endif
