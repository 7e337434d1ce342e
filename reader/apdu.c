/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "reader_private.h"

/*
 * A station that works by APDUs (struct cw_apdu_ops): somebody else's reader does
 * the line.  Its power call takes the place of the activation, its transmit that
 * of T=0 and T=1, and its speed is its own affair.
 */
int
cw_reader_apdu_present(const struct cw_reader *r, uint8_t slot)
{
	if (r->cfg.apdu != NULL)
		return r->cfg.apdu->present(r->cfg.dev, slot);
	return r->cfg.card->present(r->cfg.dev, slot);
}

int
cw_reader_apdu_off(const struct cw_reader *r, uint8_t slot)
{
	if (r->cfg.apdu != NULL)
		return r->cfg.apdu->power(r->cfg.dev, slot, CW_APDU_OFF);
	return r->cfg.card->power(r->cfg.dev, slot, 0);
}

int
cw_reader_apdu_on(struct cw_reader *r, struct cw_reader_slot *s, bool warm)
{
	int err;

	memset(&s->line, 0, sizeof s->line);
	cw_atr_rx_init(&s->atr_rx);
	err = r->cfg.apdu->power(r->cfg.dev, s->idx,
	    warm && s->powered ? CW_APDU_WARM : CW_APDU_COLD);
	if (err < 0)
		return err;
	s->powered = true;
	s->power_out++;
	s->act = CW_ACT_APDU;
	s->op = CW_ROP_POWER;
	s->due_us = r->now_us + CW_READER_APDU_ON_US;
	return 0;
}

enum cw_outcome
cw_reader_apdu_on_event(struct cw_reader_slot *s, const struct cw_event *ev)
{
	int err = ev->err;

	if (err == CW_EMUTE || err == CW_ETIMEOUT)
		return CW_OUT_MUTE;
	if (err == CW_EREMOVED)
		return CW_OUT_REMOVED;
	if (err < 0)
		return CW_OUT_READER;
	if (ev->buf != NULL && ev->len <= sizeof s->atr_rx.buf) {
		memcpy(s->atr_rx.buf, ev->buf, ev->len);
		s->atr_rx.len = (uint8_t)ev->len;
	}
	if (cw_atr_parse(&s->atr, s->atr_rx.buf, s->atr_rx.len) < 0) {
		s->atr.raw_len = 0;
		return CW_OUT_ATR_BAD;
	}
	s->protocol = s->atr.first_t <= 1 ? s->atr.first_t : 0;
	return CW_OUT_GOOD;
}

int
cw_reader_apdu_send(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *buf, size_t len)
{
	int err;

	err = r->cfg.apdu->transmit(r->cfg.dev, s->idx, buf, len);
	if (err < 0)
		return err;
	s->op = CW_ROP_APDU;
	s->due_us = r->now_us + CW_READER_COMMAND_MS * 1000ull;
	return 0;
}

/* 0, or why there is no answer; the answer is in rsp[cap], its length in *len. */
int
cw_reader_apdu_event(const struct cw_event *ev, uint8_t *rsp, size_t cap,
    size_t *len)
{
	if (ev->kind != CW_EV_APDU)
		return CW_ETIMEOUT;
	if (ev->err < 0)
		return ev->err;
	if (ev->len < 2)
		return CW_EPROTO;
	if (ev->len > cap)
		return CW_EFULL;
	memcpy(rsp, ev->buf, ev->len);
	*len = ev->len;
	return 0;
}
