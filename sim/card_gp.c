/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "sim/card_core.h"
#include "sim/gp.h"

/*
 * Between the line of the simulated card and its GlobalPlatform side: which
 * commands bring data, and how an answer waits for GET RESPONSE.
 */
enum { INS_SELECT = 0xA4, INS_GET_RESPONSE = 0xC0, INS_GET_DATA = 0xCA,
    INS_INITIALIZE = 0x50, INS_GET_STATUS = 0xF2 };

int
cw_card_gp_open(struct cw_sim_card *c)
{
	struct cw_sim_gp_config cfg;

	if (c->cfg.gp == NULL)
		return 0;
	cfg = *c->cfg.gp;
	cfg.kdd[0] = cfg.kdd[1] = 0;
	memcpy(cfg.kdd + 2, c->cfg.serial, sizeof c->cfg.serial);
	cfg.seed = c->cfg.seed;
	if ((c->gp = cw_sim_gp_new(&cfg)) == NULL)
		return CW_ENOMEM;
	if (c->cfg.gp_active) {
		c->cos = true;
		c->boot_state = CW_CARD_ACTIVE;
	}
	return 0;
}

/* What the domain says to the command whose data are in c->data. */
static uint16_t
run(struct cw_sim_card *c, uint8_t lc)
{
	const struct cw_apdu a = { .kind = lc > 0 ? CW_APDU_4S : CW_APDU_2S,
	    .cla = c->hdr[0], .ins = c->hdr[1], .p1 = c->hdr[2], .p2 = c->hdr[3],
	    .data = lc > 0 ? c->data : NULL, .lc = lc, .le = 256 };
	size_t len;
	uint16_t sw = cw_sim_gp_apdu(c->gp, &a, c->gp_rsp, &len);

	c->gp_len = (uint16_t)len;
	c->gp_sw = sw;
	if (lc > 0 && a.ins != INS_SELECT && a.ins != INS_INITIALIZE &&
	    a.ins != INS_GET_STATUS)
		c->work_us += c->cfg.write_us;
	return len > 0 ? (uint16_t)(0x6100 | (len & 0xFF)) : sw;
}

/* The first bytes of what waits, as many as P3 asks for. */
static uint16_t
hand_over(struct cw_sim_card *c)
{
	uint16_t want = c->hdr[4] == 0 ? 256 : c->hdr[4];

	if (c->gp_len == 0)
		return 0x6985;
	if (want > c->gp_len)
		return (uint16_t)(0x6C00 | (c->gp_len & 0xFF));
	memcpy(c->rsp, c->gp_rsp, want);
	c->rsp_len = want;
	c->gp_len = (uint16_t)(c->gp_len - want);
	memmove(c->gp_rsp, c->gp_rsp + want, c->gp_len);
	return c->gp_len == 0 ? c->gp_sw : (uint16_t)(0x6100 | (c->gp_len & 0xFF));
}

uint16_t
cw_card_gp_head(struct cw_sim_card *c)
{
	bool data = c->hdr[4] > 0;
	uint16_t sw;

	if (c->hdr[0] == CW_BOOT_CLA)
		return cw_card_boot_head(c);
	if (c->hdr[1] == INS_GET_RESPONSE)
		return hand_over(c);

	/* In the clear, P3 of GET DATA is what the reader expects; a first try
	 * with another length is told the right one and changes nothing. */
	if (c->hdr[1] == INS_GET_DATA && (c->hdr[0] & 0x04) == 0) {
		sw = run(c, 0);
		if (c->gp_len == 0)
			return sw;
		if (c->hdr[4] == (c->gp_len & 0xFF))
			return hand_over(c);
		sw = (uint16_t)(0x6C00 | (c->gp_len & 0xFF));
		c->gp_len = 0;
		return sw;
	}
	if (data && c->hdr[1] >= 0x50 && c->hdr[1] != 0x70)
		return 0;
	return run(c, 0);
}

uint16_t
cw_card_gp_data(struct cw_sim_card *c)
{
	return run(c, c->hdr[4]);
}

uint16_t
cw_card_gp_take(struct cw_sim_card *c)
{
	memcpy(c->rsp, c->gp_rsp, c->gp_len);
	c->rsp_len = c->gp_len;
	c->gp_len = 0;
	return c->gp_sw;
}
