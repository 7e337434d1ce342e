/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SWEEP_LINE_H
#define CW_SWEEP_LINE_H

#include "cw/sha256.h"
#include "reader/reader_private.h"
#include "sim/card.h"

/*
 * The reader's core on a board that is nothing but a simulated card and a
 * virtual clock: one slot, one program at a time.  Whatever goes wrong on the
 * line goes wrong in the card (its fault), or here: power, sends, and an answer
 * to reset that no card would give.
 */
struct line_faults {
	bool lose_send;		/* the at-th send does not reach the card */
	bool overcurrent;	/* in the at-th send or recv */
	uint32_t at;
	const uint8_t *atr;	/* in place of the card's; NULL: the card's */
	size_t atr_len;
};

struct line_event {
	struct cw_event ev;
	uint64_t at_us;
	uint64_t order;
};

struct line_rig {
	struct cw_reader core;
	struct cw_reader_config cfg;
	struct cw_sim_card *card;
	struct line_faults f;
	uint64_t now_us, due_us, order;
	struct line_event event[8];
	size_t event_cnt;
	struct cw_card_line line;
	uint8_t rx[512];
	bool powered, present, rst_low;
	size_t atr_off;
	uint32_t op_cnt, send_cnt;	/* sends and recvs; sends */
	uint32_t char_cnt;	/* both ways */
	uint64_t etu;		/* ISO minimum of all that crossed the line */
	uint64_t busy_us;	/* the chip at work */

	uint8_t image[1024];
	size_t image_len;
	uint8_t digest[CW_SHA256_LEN];
	bool done;
	struct cw_rl_result result;
	uint8_t frame[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
	uint8_t queue_mem[CW_RLINK_QUEUE * CW_PROG_MAX];
	uint8_t rx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
	uint8_t tx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
};

/* A reader with no card, linked to a terminal. */
void line_open(struct line_rig *r);
/* A fresh card at the contacts, in place of another. */
void line_insert(struct line_rig *r, const struct cw_sim_card_config *card,
    const struct line_faults *f);
/* Runs the program until its result is there: true, or false after limit_us. */
bool line_run(struct line_rig *r, const uint8_t *prog, size_t len,
    uint64_t limit_us);
void line_close(struct line_rig *r);

#endif
