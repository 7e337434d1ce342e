/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_T1_H
#define CW_T1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/apdu.h"
#include "cw/atr.h"
#include "cw/tpdu.h"

/*
 * T=1, interface device side, block by block: ISO/IEC 7816-3:2006, clause 11,
 * and 12.3 (an APDU is the information of one chain of blocks, each way).
 *
 * A pure engine in the manner of cw/t0.h: no I/O, no clock, no heap.  It lives
 * as long as the card's activation, for sequence numbers and sizes go on from
 * one command to the next.
 *
 *	cw_t1_config(&cfg, &atr, etu_clk);	etu_clk: as after PPS
 *	cw_t1_init(&t, &cfg);
 *	for each command:
 *	cw_t1_start(&t, apdu, apdu_len, rsp, sizeof rsp, &out);
 *	while (out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV) {
 *		... send out.tx[out.tx_len], or receive 1..out.rx_max characters
 *		    with the first (and each further) due within out.wait_etu ...
 *		cw_t1_step(&t, &ev, &out);
 *	}
 *	out.want == CW_TPDU_DONE: rsp holds out.rsp_len bytes, SW1 SW2 last.
 *	out.want == CW_TPDU_FAIL: out.err says why; the card must be deactivated
 *	and the engine initialised again.
 *
 * The line keeps BGT (CW_T1_BGT_ETU between the card's last character and our
 * first) and the guard time (cw_t1_guard_etu).  It neither signals parity errors
 * nor repeats characters: it tells by CW_TPDU_EV_RX .bad_cnt that some in this
 * read came with a wrong parity.
 *
 * Receiving.  A block is read in two parts, out.rx_max characters each: what
 * every block has, then the rest that LEN announces.  A card that keeps to the
 * protocol sends no fewer.  After a block that came garbled the line is read
 * until it has been silent for CWT, since LEN may be what was garbled.
 *
 * Start.  Before the first command, S(IFS) announces cfg.ifsd (11.4.2) unless
 * that is 32, which needs no announcement.  A card that answers R-blocks to it
 * three times is taken at 32.
 *
 * Errors (11.6.3).  A block that is late, garbled or not allowed is answered by
 * an R-block that asks for it again.  An R-block of the card that names our last
 * I-block, or the S-response that it gave before that block, has it repeated.
 * After CW_T1_REPEAT_MAX of either without progress S(RESYNCH) is sent, at most
 * CW_T1_SYNC_MAX times per command; then, or when the card has never sent a valid
 * block, the command fails.
 *
 * No command is carried out twice.  After S(RESYNCH) the command begins anew if
 * its last block has not been sent yet: then the card cannot have begun it.
 * Otherwise it may have, and the command fails although the card is in step.
 *
 * Fails as CW_ETIMEOUT (silence), CW_EPARITY (garbled blocks), CW_EPROTO (blocks
 * that are not allowed, or an answer that is no response APDU), CW_EFULL (rsp is
 * too small): by the last thing that was wrong.
 *
 * S(WTX) is obeyed, for the next block, without end unless cfg.wtx_max says so:
 * the caller bounds the time of a command as a whole.  S(IFS) of the card counts
 * at once.  S(ABORT) is answered; what the card then sends is its response, or,
 * when it only gives the turn back, the command fails.
 *
 * Response.  Data beyond Le are dropped.  61xx and 6Cxx go to the caller as they
 * are: in T=1 a card has no need of them.
 *
 * Not here: node addressing (NAD is 00), blocks longer than 254, more than one
 * logical connection.
 */
#define CW_T1_REPEAT_MAX 3	/* 11.6.3.2 */
#define CW_T1_SYNC_MAX 3
#define CW_T1_REQUEST_MAX 16	/* S(IFS) and empty blocks of the card in a row */
#define CW_T1_BGT_ETU 22	/* 11.2 */
#define CW_T1_INF_MAX 254
#define CW_T1_IFS_DEFAULT 32	/* 11.4.2 */
#define CW_T1_BLOCK_MAX (3 + CW_T1_INF_MAX + 2)

struct cw_t1_cfg {
	uint32_t bwt_etu;	/* block waiting time, 11.4.3 */
	uint32_t cwt_etu;	/* character waiting time, 11.4.3 */
	uint32_t wtx_max;	/* S(WTX) in a row, 0 = no limit */
	uint8_t ifsc;		/* the card's information field size, 1..254 */
	uint8_t ifsd;		/* ours, 1..254 */
	bool crc;		/* EDC is a CRC, else an LRC: 11.4.4 */
};

/* What the ATR says, at etu_clk clocks per etu; ifsd 254, no WTX limit. */
void cw_t1_config(struct cw_t1_cfg *cfg, const struct cw_atr *atr,
    uint32_t etu_clk);

/* Between leading edges of characters to the card: 12 + N, 11 for N = 255 (11.2). */
uint16_t cw_t1_guard_etu(const struct cw_atr *atr);

/*
 * EDC of buf[len] (11.4.4) to out; returns its length, 1 or 2.  LRC is the
 * exclusive-or of all bytes.  CRC has polynomial x^16 + x^12 + x^5 + 1, initial
 * FFFF, the least significant bit first, no final complement, and its more
 * significant byte goes first: 00 C1 01 FE gives 54 4E.  The standard leaves the
 * last three open; readers and cards in the field agree on these.
 */
size_t cw_t1_edc(uint8_t out[2], bool crc, const uint8_t *buf, size_t len);

struct cw_t1 {
	struct cw_t1_cfg cfg;

	/* the link, from command to command */
	uint8_t ns;		/* N(S) of our I-block under way, or of the next */
	uint8_t nr;		/* N(S) that the card's next I-block must have */
	uint8_t ifsc, ifsd;	/* in force */
	bool ifs_done;		/* ifsd is announced, or need not be */
	bool met;		/* the card has sent a valid block */

	/* the command under way */
	const uint8_t *cmd;	/* borrowed until DONE or FAIL */
	size_t cmd_len;
	size_t cmd_off;		/* bytes that the card has acknowledged */
	size_t chunk;		/* bytes after them in our last I-block */
	uint8_t *rsp;		/* borrowed until DONE or FAIL */
	size_t rsp_cap, rsp_len;
	uint32_t le;
	bool exposed;		/* its last block was sent: it may be carried out */

	uint8_t state, ask;
	uint8_t repeat_cnt;	/* without progress */
	uint8_t sync_cnt;	/* S(RESYNCH) of this command */
	uint8_t request_cnt;	/* requests of the card in a row */
	uint8_t stale;		/* PCB of the S-response before our I-block; 0: none */
	uint8_t wtx;		/* multiplier for the next block */
	uint32_t wtx_cnt;	/* in a row */
	int cause;		/* the last thing that was wrong */

	/* the block under way, to or from the card */
	uint8_t blk[CW_T1_BLOCK_MAX];
	size_t blk_len;
	bool blk_bad;		/* a character of it had a wrong parity */
	size_t drained;

	/* counters, never reset but by init: kept for the status page */
	uint32_t garbled_cnt, late_cnt, odd_cnt, repeated_cnt, resync_cnt;
};

/* cfg is copied.  At activation, after PPS, and after a FAIL. */
void cw_t1_init(struct cw_t1 *t, const struct cw_t1_cfg *cfg);

/*
 * Begins one command.  apdu and rsp are borrowed until DONE or FAIL.
 * 0; the code of cw_apdu_parse; CW_EINVAL for CLA FF, INS 6X or 9X and for
 * rsp_cap < 2; CW_ESTATE after a FAIL and during a command.
 */
int cw_t1_start(struct cw_t1 *t, const uint8_t *apdu, size_t apdu_len,
    uint8_t *rsp, size_t rsp_cap, struct cw_tpdu_out *out);

/*
 * ev must match out->want: the caller's bug otherwise (CW_ASSERT).  There is no
 * CW_TPDU_EV_NACK in T=1.
 */
void cw_t1_step(struct cw_t1 *t, const struct cw_tpdu_ev *ev,
    struct cw_tpdu_out *out);

/* Wipes the bytes of the last command and keeps the link.  Not during one. */
void cw_t1_wipe(struct cw_t1 *t);

#endif
