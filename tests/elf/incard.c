/* SPDX-License-Identifier: Apache-2.0 */
#include "incard.h"

/* A simulated card in this process: exact, and nothing but the card decides. */

static void
sim_power(void *ctx, uint32_t vcc_mv)
{
	struct cw_incard *s = ctx;

	if (s->card != NULL)
		cw_sim_card_power(s->card, vcc_mv > 0);
}

static void
sim_reset(void *ctx, bool asserted)
{
	struct cw_incard *s = ctx;

	if (s->card != NULL)
		cw_sim_card_reset(s->card, asserted);
}

static void
sim_line(void *ctx, uint32_t clk_hz, uint32_t etu_clk)
{
	struct cw_incard *s = ctx;

	if (s->card != NULL)
		cw_sim_card_line(s->card, clk_hz, etu_clk);
}

static bool
sim_take(void *ctx, uint8_t ch, bool signals)
{
	struct cw_incard *s = ctx;
	struct cw_sim_io io = { 0 };

	(void)signals;
	return s->card == NULL || cw_sim_card_chars(s->card, &ch, 1, &io) == 1;
}

static void
sim_listen(void *ctx, uint32_t wait_etu, struct cw_vb_said *said)
{
	struct cw_incard *s = ctx;
	struct cw_sim_io io = { 0 };
	size_t n = 0;

	said->heard = CW_VB_SILENT;
	said->busy_etu = 0;
	if (s->card != NULL)
		n = cw_sim_card_listen(s->card, &said->ch, 1, wait_etu, &io);
	if (io.parity) {
		said->heard = CW_VB_GARBLED;
		said->ch = 0x55;
	} else if (n == 1) {
		said->heard = io.bad_cnt > 0 ? CW_VB_WRONG : CW_VB_CHAR;
	}
	if (said->heard != CW_VB_SILENT)
		said->busy_etu = io.busy_etu;
}

static bool
sim_present(void *ctx)
{
	struct cw_incard *s = ctx;

	return s->card != NULL && !cw_sim_card_left(s->card);
}

const struct cw_vb_contact_ops cw_incard_ops = {
	sim_power, sim_reset, sim_line, sim_take, sim_listen, sim_present,
};
