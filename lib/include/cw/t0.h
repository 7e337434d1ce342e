/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_T0_H
#define CW_T0_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/apdu.h"
#include "cw/tpdu.h"

/*
 * T=0, interface device side, at character level: ISO/IEC 7816-3:2006, clause
 * 10 and 12.2 (mapping of APDUs, extended length by ENVELOPE), 7.3 (error
 * signal and repetition).
 *
 * A pure engine: it does no I/O and reads no clock.  After every step it says
 * in `out` the one thing it needs next; the caller does it and comes back with
 * the matching event.
 *
 *	struct cw_t0 t = { 0 };		once; the counters live on
 *	cw_t0_start(&t, &cfg, apdu, apdu_len, rsp, sizeof rsp, &out);
 *	while (out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV) {
 *		... send out.tx[out.tx_len], or receive 1..out.rx_max characters
 *		    with the first (and each further) due within out.wait_etu ...
 *		cw_t0_step(&t, &ev, &out);
 *	}
 *	out.want == CW_TPDU_DONE: rsp holds out.rsp_len bytes, SW1 SW2 last.
 *	out.want == CW_TPDU_FAIL: out.err says why; the card must be deactivated.
 *
 * Receiving.  out.rx_max characters are certain to come from a card that keeps
 * to the protocol: the rest of an acknowledged block, and SW1 SW2 where the
 * card keeps the turn until then.  The caller may hand them over in parts, in
 * as many events as it likes, the engine then asks for the rest.
 *
 * Parity.  A receiver with a wrong parity signals error on I/O and the sender
 * repeats the character.  The line does the signalling (7.3 leaves no time
 * for software); it tells the engine with CW_TPDU_EV_RX .bad_cnt how often
 * it had to in this read, or with CW_TPDU_EV_PARITY that it gave up on a
 * character after CW_T0_REPEAT_MAX repetitions.  When the CARD signals an
 * error, the line stops sending and reports CW_TPDU_EV_NACK with the index of
 * the refused character; the engine re-sends from there and gives up with
 * CW_EPARITY after CW_T0_REPEAT_MAX repetitions of one character.
 *
 * Mapping.  Cases 1 and 3: the status words go to the caller as they are.
 * Cases 2: 6Cxx re-issues the command with P3 = xx, once per command, and what
 * exceeds Le is dropped (12.2.3).  Cases 4: 9000 and 61xx are followed by GET
 * RESPONSE (12.2.5).  Where fewer than Le bytes have come, 61xx is followed by
 * GET RESPONSE in the short cases too, as cards do it in the field.  GET
 * RESPONSE and ENVELOPE have the CLA of the command.  Extended commands of
 * more than 255 data bytes go as ENVELOPEs of 255 bytes; the first status word
 * but 9000 ends them (12.2.7).
 *
 * Bounds: at most cfg.null_max NULL bytes in a row (0: no limit; 10.3.3 sets
 * none), at most CW_T0_ROUND_MAX GET RESPONSE rounds per APDU, 6Cxx answered
 * once per command, at most CW_T0_IDLE_MAX acknowledgements with no data left
 * to transfer per command (10.3.3 sets no limit).
 *
 * Refused as CW_EPROTO beyond what the standard says: 9000, 91xx, 9Fxx or 61xx
 * while data of the command have not been taken.  Such a card claims success
 * for bytes that it has never seen.
 */
#define CW_T0_REPEAT_MAX 3
#define CW_T0_ROUND_MAX 260	/* 65536 bytes are 256 rounds of 256 */
#define CW_T0_IDLE_MAX 16

struct cw_t0_cfg {
	uint32_t wt_etu;	/* work waiting time: WI * 960 * Di, 10.2 */
	uint32_t null_max;	/* NULL procedure bytes in a row, 0 = no limit */
	bool manual_get;	/* true: no GET RESPONSE and no re-issue; status words
				 * of the first command go to the caller */
};

struct cw_t0 {
	struct cw_t0_cfg cfg;
	struct cw_apdu cmd;
	const uint8_t *cmd_buf;	/* borrowed until DONE or FAIL */
	size_t cmd_len;
	size_t env_off;		/* bytes of the command carried by ENVELOPEs */
	uint8_t *rsp;		/* borrowed until DONE or FAIL */
	size_t rsp_cap;
	size_t rsp_len;		/* data bytes kept so far */
	uint32_t le_left;	/* data bytes still to be kept */

	/* the command TPDU under way */
	uint8_t hdr[5];
	const uint8_t *tx;	/* its data to the card */
	size_t tx_off, tx_len;
	size_t rx_left;		/* its data from the card, not yet received */
	size_t block_left;	/* of these, acknowledged and on their way */
	size_t kept;		/* data bytes kept of this TPDU */
	uint8_t idle_cnt;
	uint8_t sw1;
	bool resent;		/* 6Cxx already answered */

	/* the SEND under way */
	const uint8_t *snd;
	size_t snd_len;
	uint32_t repeat_cnt;	/* of the character snd[0] */

	uint32_t null_cnt;	/* in a row */
	uint32_t round_cnt;	/* GET RESPONSE rounds */
	uint8_t state;
	uint8_t outer;
	int err;
	/* counters, never reset by start: kept for the status page */
	uint32_t parity_rx_cnt, parity_tx_cnt, null_total_cnt;
};

/*
 * Begins one command.  apdu and rsp are borrowed until DONE or FAIL.
 * 0; the code of cw_apdu_parse; CW_EINVAL for what T=0 cannot carry (CLA FF,
 * INS 6X or 9X: 10.3.2) and for rsp_cap < 2.
 */
int cw_t0_start(struct cw_t0 *t, const struct cw_t0_cfg *cfg,
    const uint8_t *apdu, size_t apdu_len, uint8_t *rsp, size_t rsp_cap,
    struct cw_tpdu_out *out);

/* ev must match out->want: the caller's bug otherwise (CW_ASSERT). */
void cw_t0_step(struct cw_t0 *t, const struct cw_tpdu_ev *ev,
    struct cw_tpdu_out *out);

#endif
