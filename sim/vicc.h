/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_VICC_H
#define CW_SIM_VICC_H

#include "cw/atr.h"
#include "cw/t0.h"
#include "cw/t1.h"
#include "sim/card.h"

/*
 * The simulated card by APDUs, for peers that have no characters: a small
 * interface device around it that speaks T=0 or T=1 as the card's ATR says.  No
 * I/O, no clock.
 *
 *	cw_vicc_init(&v, card);
 *	cw_vicc_reset(&v);		power on, v.atr.raw[v.atr.raw_len]
 *	n = cw_vicc_apdu(&v, cmd, len, rsp, sizeof rsp);
 */
struct cw_vicc {
	struct cw_sim_card *card;	/* borrowed */
	struct cw_atr atr;		/* raw_len 0: off */
	bool inverse;
	struct cw_t0 t0;
	struct cw_t1 t1;
	uint8_t chars[264];
};

/* Off. */
void cw_vicc_init(struct cw_vicc *v, struct cw_sim_card *card);
/* Power off and on: 0, CW_EMUTE, or what is wrong with the ATR; off then. */
int cw_vicc_reset(struct cw_vicc *v);
/* Power off. */
void cw_vicc_off(struct cw_vicc *v);
/*
 * Bytes of the response with its SW; CW_ESTATE when off; CW_E* of cw_t0_start for
 * what is no command; CW_ETIMEOUT, CW_EPARITY, CW_EPROTO, CW_EFULL: off then.
 */
int cw_vicc_apdu(struct cw_vicc *v, const uint8_t *cmd, size_t len, uint8_t *rsp,
    size_t cap);

#endif
