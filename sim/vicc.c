/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "sim/vicc.h"

#define CLK_HZ 4000000
#define ETU_CLK 372
#define WAIT_ETU 9600

void
cw_vicc_init(struct cw_vicc *v, struct cw_sim_card *card)
{
	memset(v, 0, sizeof *v);
	v->card = card;
}

void
cw_vicc_off(struct cw_vicc *v)
{
	cw_sim_card_power(v->card, false);
	v->atr.raw_len = 0;
	cw_wipe(v->chars, sizeof v->chars);
}

/* Both ways: what the line shows under the direct convention. */
static void
turn_over(const struct cw_vicc *v, uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; v->inverse && i < len; i++)
		buf[i] = cw_atr_invert(buf[i]);
}

int
cw_vicc_reset(struct cw_vicc *v)
{
	struct cw_sim_io io = { 0 };
	struct cw_t1_cfg cfg;
	struct cw_atr_rx rx;
	uint8_t c;
	int n = 1;

	cw_vicc_off(v);
	v->inverse = false;
	cw_sim_card_power(v->card, true);
	cw_sim_card_line(v->card, CLK_HZ, ETU_CLK);
	cw_sim_card_reset(v->card, false);
	cw_atr_rx_init(&rx);
	while (n == 1 && cw_sim_card_listen(v->card, &c, 1, WAIT_ETU, &io) == 1)
		n = cw_atr_rx_push(&rx, c);
	if (n == 1)
		n = rx.len == 0 ? CW_EMUTE : CW_ESHORT;
	if (n == 0)
		n = cw_atr_parse(&v->atr, rx.buf, rx.len);
	if (n < 0) {
		cw_vicc_off(v);
		return n;
	}
	v->inverse = v->atr.convention == CW_INVERSE;
	cw_t1_config(&cfg, &v->atr, ETU_CLK);
	cw_t1_init(&v->t1, &cfg);
	return 0;
}

/* Does what the engine wants: the event that it waits for. */
static struct cw_tpdu_ev
line_do(struct cw_vicc *v, const struct cw_tpdu_out *out)
{
	struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_TIMEOUT };
	struct cw_sim_io io = { 0 };
	size_t n = out->rx_max;

	if (out->want == CW_TPDU_SEND) {
		memcpy(v->chars, out->tx, out->tx_len);
		turn_over(v, v->chars, out->tx_len);
		n = cw_sim_card_chars(v->card, v->chars, out->tx_len, &io);
		ev.kind = n < out->tx_len ? CW_TPDU_EV_NACK : CW_TPDU_EV_SENT;
		ev.idx = n;
		return ev;
	}
	if (n > sizeof v->chars)
		n = sizeof v->chars;
	n = cw_sim_card_listen(v->card, v->chars, n, out->wait_etu, &io);
	turn_over(v, v->chars, n);
	if (n > 0) {
		ev.kind = CW_TPDU_EV_RX;
		ev.buf = v->chars;
		ev.len = n;
		ev.bad_cnt = io.bad_cnt;
	} else if (io.parity) {
		ev.kind = CW_TPDU_EV_PARITY;
	}
	return ev;
}

int
cw_vicc_apdu(struct cw_vicc *v, const uint8_t *cmd, size_t len, uint8_t *rsp,
    size_t cap)
{
	struct cw_t0_cfg cfg = { .wt_etu = WAIT_ETU };
	struct cw_tpdu_out out;
	struct cw_tpdu_ev ev;
	bool t1 = v->atr.first_t == 1;
	int err;

	if (v->atr.raw_len == 0)
		return CW_ESTATE;
	err = t1 ? cw_t1_start(&v->t1, cmd, len, rsp, cap, &out) :
	    cw_t0_start(&v->t0, &cfg, cmd, len, rsp, cap, &out);
	if (err < 0)
		return err;
	while (out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV) {
		ev = line_do(v, &out);
		if (t1)
			cw_t1_step(&v->t1, &ev, &out);
		else
			cw_t0_step(&v->t0, &ev, &out);
	}
	if (t1 && out.want == CW_TPDU_DONE)
		cw_t1_wipe(&v->t1);
	if (out.want == CW_TPDU_DONE)
		return (int)out.rsp_len;
	cw_vicc_off(v);
	return out.err < 0 ? out.err : CW_EPROTO;
}
