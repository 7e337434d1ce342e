/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_CARD_T1_H
#define CW_SIM_CARD_T1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * T=1, the card's side: ISO/IEC 7816-3:2006, clause 11.  Blocks only: what a
 * command does is the caller's.  It shares nothing with the engine of
 * cw/t1.h, so that a misreading of one is not a misreading of both.
 *
 *	what = cw_card_t1_take(c, character, wrong_parity)
 *	CW_CARD_T1_MORE	the block goes on
 *	CW_CARD_T1_SAY	out[out_len] is the card's block
 *	CW_CARD_T1_EXEC	cmd[cmd_len] is a whole command: carry it out, then
 *			cw_card_t1_answer() makes out[out_len]
 * cw_card_t1_silence: the reader stopped in the middle of a block.
 * cw_card_t1_ask_time: S(WTX) in place of out, which comes when it is granted.
 */
#define CW_CARD_T1_INF_MAX 254
#define CW_CARD_T1_BLOCK_MAX (3 + CW_CARD_T1_INF_MAX + 2)

struct cw_card_t1_cfg {
	bool crc;
	uint8_t ifsc;		/* 1..254 */
	uint8_t *cmd;		/* borrowed for good */
	size_t cmd_cap;
};

enum cw_card_t1_what { CW_CARD_T1_MORE, CW_CARD_T1_SAY, CW_CARD_T1_EXEC };

struct cw_card_t1 {
	struct cw_card_t1_cfg cfg;
	uint8_t ifsd;		/* the reader's, 32 until S(IFS) */
	uint8_t expect;		/* N(S) of the reader's next I-block */
	uint8_t number;		/* N(S) of our next I-block */
	size_t cmd_len;
	bool too_long;		/* the command did not fit in cmd */

	const uint8_t *rsp;	/* borrowed from answer() on */
	size_t rsp_len, rsp_off;	/* off: of the I-block said last */
	size_t rsp_part;	/* its length; 0: no I-block is open */

	uint8_t in[CW_CARD_T1_BLOCK_MAX];
	size_t in_len;
	bool in_bad;
	uint8_t out[CW_CARD_T1_BLOCK_MAX];
	size_t out_len;
	bool asked_time;	/* out is S(WTX request) */
};

/* As after the ATR; cfg is copied. */
void cw_card_t1_init(struct cw_card_t1 *c, const struct cw_card_t1_cfg *cfg);
/* One character of the reader's; bad: with a wrong parity. */
enum cw_card_t1_what cw_card_t1_take(struct cw_card_t1 *c, uint8_t ch, bool bad);
/* MORE when no block was under way. */
enum cw_card_t1_what cw_card_t1_silence(struct cw_card_t1 *c);
/* rsp, data and SW, is borrowed until the next command is whole; len >= 2. */
void cw_card_t1_answer(struct cw_card_t1 *c, const uint8_t *rsp, size_t len);
/* out becomes an R-block with that error code, or S(ABORT request). */
void cw_card_t1_refuse(struct cw_card_t1 *c, uint8_t error);
void cw_card_t1_abort(struct cw_card_t1 *c);
/* PCB of out becomes this, with an EDC that fits. */
void cw_card_t1_forge(struct cw_card_t1 *c, uint8_t pcb);
void cw_card_t1_ask_time(struct cw_card_t1 *c, uint8_t multiplier);

#endif
