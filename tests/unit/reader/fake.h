/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEST_FAKE_H
#define CW_TEST_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader/reader_private.h"

/*
 * A board for tests: one slot with a small T=0 card, a terminal, a store and a
 * clock that stands still unless the core asks for time.  Every op can be made
 * to fail, and every event to be lost.
 */
enum fake_op {
	OP_NONE, OP_POWER, OP_RESET, OP_SET_LINE, OP_BEST_LINE, OP_SEND,
	OP_RECV, OP_PRESENT, OP_NET_SEND, OP_STORE_WRITE, OP_STORE_LEND,
	OP_EVENT,		/* not an op: a card event that gets lost */
	OP_CNT,
};

enum fake_pps { PPS_ECHO, PPS_NO_PPS1, PPS_GARBLED, PPS_SILENT };

struct fake_card {
	uint8_t atr[33];	/* logical */
	size_t atr_len;
	bool inverse;
	uint8_t ta1_start;	/* specific mode: speed after ATR; 0: 0x11 */
	unsigned int mute_cnt;	/* resets that are not answered */
	enum fake_pps pps;
	uint16_t sw;		/* answered to the APDU sw_at */
	int sw_at;		/* index of the APDU since start; -1 never */
	int hang_at;		/* says nothing from this APDU on; -1 never */
	int nack_at;		/* refuses the first character of this APDU once */
	int parity_at;		/* its answer stays wrong; -1 never */

	bool powered, rst;
	uint8_t hdr[5];
	size_t hdr_len, data_left;
	int apdu_cnt;
	uint8_t ta1;		/* 0x11 until PPS */
	uint8_t last[256];
	size_t last_len;
	uint8_t got[70000];	/* all data bytes that it was given */
	size_t got_len;
	uint8_t out[600];
	size_t out_len, out_off;
	unsigned int cold_cnt, warm_cnt;
};

struct fake_msg {
	uint8_t type;
	uint32_t id;
	size_t off, len;	/* in f->sent */
};

struct fake {
	struct cw_reader core;
	struct cw_reader_config cfg;
	uint8_t queue_mem[CW_RLINK_QUEUE * CW_PROG_MAX];
	uint8_t rx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
	uint8_t tx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
	uint8_t store[65536];
	struct fake_card card;
	uint64_t now_us;
	uint64_t due_us;
	int present;

	enum fake_op fail_op;
	unsigned int fail_at;	/* the n-th call, from 0 */
	bool fail_ever;		/* and all later ones */
	unsigned int op_cnt[OP_CNT];
	bool fired;

	struct cw_event event[64];
	size_t event_cnt;
	uint8_t rx[600];	/* of the last recv */
	const uint8_t *lent;	/* of a send that is not answered yet */
	size_t lent_len;
	uint8_t lent_copy[300];
	struct cw_card_line line;	/* as set last */
	uint32_t clk_best_hz;	/* what the board can do; 0: no speed but 372 */
	uint8_t ta1_best;	/* and D: the only ta1 it takes; 0: all */

	bool full;		/* the network has no room */
	int last_conn;
	bool closed[16];	/* by the core */
	uint8_t *sent;		/* frames of all connections, in order */
	size_t sent_len, sent_off;
	int sent_conn;		/* that `sent` records; others are dropped */
	uint8_t other[2048];	/* frames to other connections */
	size_t other_len;
	uint32_t id;
};

/* Fresh, with a card, not connected. Memory of `sent` is freed by fake_end. */
struct fake *fake_new(void);
void fake_end(struct fake *f);
/* One event and all that follow without time passing; checks the core. */
void fake_event(struct fake *f, const struct cw_event *ev);
/* Until the core wants nothing but what a terminal must do, or limit_us pass. */
void fake_run(struct fake *f, uint64_t limit_us);
int fake_connect(struct fake *f);
/* Connects and says HELLO as "line-1", session 7; expects HELLO_OK. */
int fake_link(struct fake *f);
void fake_hello(struct fake *f, int conn, const char *name, uint64_t session);
void fake_bytes(struct fake *f, int conn, const uint8_t *buf, size_t len);
/* For the encoders: fake_frame(f, cw_rl_put_...(FAKE_OUT, ...)) */
extern uint8_t fake_out[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
#define FAKE_OUT fake_out, sizeof fake_out
void fake_frame(struct fake *f, int len);
void fake_run_prog(struct fake *f, uint64_t attempt, uint8_t flags,
    const uint8_t *prog, size_t len);
void fake_slot_attempt(struct fake *f, uint8_t type, uint64_t attempt);
/* The next frame of the type (others are skipped), or false. */
bool fake_next(struct fake *f, uint8_t type, struct cw_frame *out);
/* The same as a decoded RESULT; fails the test if there is none. */
void fake_result(struct fake *f, struct cw_rl_result *m);
/* An ERROR must be next: returns its code. */
int fake_error(struct fake *f);
void fake_insert(struct fake *f, bool inserted);
void fake_drop_link(struct fake *f);
/* Loads an image of len bytes (a pattern) and expects STORE_OK. */
void fake_store(struct fake *f, uint32_t len, uint8_t digest[32]);

/* Program pieces: an UPDATE BINARY with data, a READ BINARY of n. */
void fake_put_update(struct cw_prog_builder *b, uint8_t flags,
    const uint8_t *data, uint8_t len);
void fake_put_read(struct cw_prog_builder *b, uint8_t flags, uint8_t n);
void fake_put_start(struct cw_prog_builder *b);	/* RESET, PPS */

/* True when any 8 bytes of mark stand in the reader's memory. */
bool fake_holds(const struct fake *f, const uint8_t *mark, size_t len);
/* The same of the memory of the link alone. */
bool fake_link_holds(const struct fake *f, const uint8_t *mark, size_t len);

#endif
