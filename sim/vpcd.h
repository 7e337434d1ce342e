/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_VPCD_H
#define CW_SIM_VPCD_H

#include <netinet/in.h>
#include <uv.h>

#include "sim/world.h"

/*
 * The card of one station as a card of somebody's virtual reader (vpcd): connects
 * to it while there is a card, and again when the connection is lost.  Frames both
 * ways: u16 length, bytes; one byte: 00 off, 01 on, 02 reset, 04 asks for the ATR
 * and alone is answered; else an APDU.  A card that breaks its protocol, or does
 * not answer to reset, leaves the reader.
 */
struct cw_vpcd;

struct cw_vpcd_config {
	uv_loop_t *loop;
	struct cw_world *world;		/* borrowed */
	uint16_t station;		/* from 0 */
	struct sockaddr_in to;
};

/* NULL: out of memory. */
struct cw_vpcd *cw_vpcd_open(const struct cw_vpcd_config *cfg);
/* Memory goes when the loop has run. */
void cw_vpcd_close(struct cw_vpcd *p);

#endif
