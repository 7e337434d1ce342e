/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TPDU_H
#define CW_TPDU_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the transmission protocols ask of a card line, and what they hear from
 * it: shared by cw/t0.h and cw/t1.h, so that one loop drives either.
 *
 * The engine fills an `out` after every step; the caller does that one thing
 * and comes back with the matching event.
 */
enum cw_tpdu_ev_kind {
	CW_TPDU_EV_SENT,	/* all of out.tx is on the line */
	CW_TPDU_EV_NACK,	/* T=0: ev.idx: character of out.tx that was refused */
	CW_TPDU_EV_RX,		/* ev.buf[ev.len]: 1..rx_max logical bytes */
	CW_TPDU_EV_PARITY,	/* a received character stayed wrong */
	CW_TPDU_EV_TIMEOUT,	/* wait_etu passed with no character */
};

struct cw_tpdu_ev {
	enum cw_tpdu_ev_kind kind;
	const uint8_t *buf;	/* borrowed for the call */
	size_t len;
	size_t idx;
	uint32_t bad_cnt;	/* T=0: characters repeated by the card in this
				 * read; T=1: characters in buf whose parity is wrong */
};

enum cw_tpdu_want { CW_TPDU_SEND, CW_TPDU_RECV, CW_TPDU_DONE, CW_TPDU_FAIL };

struct cw_tpdu_out {
	enum cw_tpdu_want want;
	const uint8_t *tx;	/* borrows from engine or command until the next step */
	size_t tx_len;
	size_t rx_max;		/* characters to wait for, at most; T=0: of SEND
				 * what will be wanted when it is sent */
	uint32_t wait_etu;	/* until the first, and between any two */
	size_t rsp_len;		/* DONE: bytes in rsp, SW1 SW2 last */
	int err;		/* FAIL: CW_ETIMEOUT, CW_EPARITY, CW_EPROTO, CW_EFULL;
				 * the card must be deactivated */
};

#endif
