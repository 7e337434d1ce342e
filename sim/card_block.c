/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/apdu.h"
#include "cw/atr.h"
#include "sim/card_core.h"

#define SW_LENGTH 0x6700
#define WRONG_BIT 0x04		/* of a character whose parity is wrong */
#define PARITY_DEFAULT 64

void
cw_card_block_open(struct cw_sim_card *c)
{
	struct cw_card_t1_cfg cfg = {
		.crc = c->cfg.crc, .ifsc = c->cfg.ifsc,
		.cmd = c->cmd, .cmd_cap = sizeof c->cmd,
	};

	cw_card_t1_init(&c->t1, &cfg);
	c->state = CW_CARD_BLOCK;
	c->in_len = 0;
	c->out_len = c->out_off = 0;
}

/* t1.out goes to the line, as the faults let it. */
static void
say_block(struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	struct cw_card_t1 *t = &c->t1;
	bool now = c->block_cnt == f->n, later = c->block_cnt >= f->n;
	bool last_bad = false;

	c->block_cnt++;
	if (f->kind == CW_FAULT_NAK && later)
		cw_card_t1_refuse(t, 1);
	else if (f->kind == CW_FAULT_ABORT && now)
		cw_card_t1_abort(t);
	else if (f->kind == CW_FAULT_NUMBER && now)
		cw_card_t1_forge(t, t->out[1] ^
		    ((t->out[1] & 0x80) == 0 ? 0x40 : 0x10));
	else if (f->kind == CW_FAULT_EDC && now)
		last_bad = true;
	cw_card_say(c, t->out, t->out_len);
	if (last_bad)
		c->out[c->out_len - 1] ^= 0x01;
	if ((f->kind == CW_FAULT_BLOCK_LOST && now) ||
	    (f->kind == CW_FAULT_STUCK && later && t->out[1] != 0xE0))
		c->out_len = 0;
}

static void
answer(struct cw_sim_card *c, uint16_t sw)
{
	size_t len = c->rsp_len;

	memcpy(c->answer, c->rsp, len);
	c->answer[len++] = (uint8_t)(sw >> 8);
	c->answer[len++] = (uint8_t)sw;
	c->rsp_len = 0;
	cw_card_t1_answer(&c->t1, c->answer, len);
	cw_card_work_begin(c);
	say_block(c);
}

/* Head and data of the command, as an application of T=0 sees them. */
static uint16_t
carry_out(struct cw_sim_card *c, const struct cw_apdu *a)
{
	uint16_t sw;

	c->hdr[0] = a->cla;
	c->hdr[1] = a->ins;
	c->hdr[2] = a->p1;
	c->hdr[3] = a->p2;
	c->hdr[4] = (uint8_t)(a->lc > 0 ? a->lc : a->le > 255 ? 0 : a->le);
	c->rsp_len = 0;
	if (cw_card_strikes(c, &sw))
		return sw;
	sw = cw_card_head(c);
	if (sw == 0 && a->lc == 0)
		return SW_LENGTH;
	if (sw == 0) {
		memcpy(c->data, a->data, a->lc);
		sw = cw_card_data(c);
	}

	/* Le 00 takes what there is: only T=0 has to be told how much. */
	if (sw >> 8 == 0x6C && a->lc == 0 && a->le >= 256) {
		c->hdr[4] = (uint8_t)sw;
		sw = cw_card_head(c);
	}
	/* What a session adds to an answer comes though no Le asked for it. */
	if (c->cos_runs && c->gp != NULL)
		return sw >> 8 == 0x61 ? cw_card_gp_take(c) : sw;
	if (sw >> 8 == 0x61 && c->hdr[1] != 0xC0) {
		if (a->le > 0) {
			memcpy(c->rsp, c->get, c->get_len);
			c->rsp_len = c->get_len;
		}
		c->get_len = 0;
		sw = 0x9000;
	}
	return sw;
}

static void
exec(struct cw_sim_card *c)
{
	struct cw_apdu a;
	uint16_t sw = SW_LENGTH;

	if (!c->t1.too_long &&
	    cw_apdu_parse(&a, c->cmd, c->t1.cmd_len) == 0 && a.lc <= 255)
		sw = carry_out(c, &a);
	if (!c->dead && !c->left)
		answer(c, sw);
}

/* Counts the character; true when CW_FAULT_PARITY* spoils it. */
static bool
spoilt(struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint64_t idx = c->char_cnt++, period = f->n != 0 ? f->n : PARITY_DEFAULT;

	if (f->kind == CW_FAULT_PARITY)
		return idx % period == period - 1;
	return idx == f->n && (f->kind == CW_FAULT_PARITY_HARD ||
	    f->kind == CW_FAULT_CHAR_WRONG);
}

void
cw_card_block_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io)
{
	enum cw_card_t1_what what = CW_CARD_T1_MORE;
	size_t i;

	/* The reader does not wait for what the card was about to say. */
	c->out_len = c->out_off = 0;
	if (c->t1.in_len == 0)
		io->etu += CW_CARD_T1_TURN_ETU;
	for (i = 0; i < len && !c->dead && !c->left; i++) {
		uint8_t ch = c->cfg.inverse ? cw_atr_invert(buf[i]) : buf[i];
		bool bad = spoilt(c);

		/* What follows a whole block is sent into its answer. */
		if (what == CW_CARD_T1_MORE)
			what = cw_card_t1_take(&c->t1,
			    bad ? ch ^ WRONG_BIT : ch, bad);
	}
	io->etu += len * CW_CARD_T1_CHAR_ETU;
	if (what == CW_CARD_T1_EXEC)
		exec(c);
	else if (what == CW_CARD_T1_SAY)
		say_block(c);
	io->left |= c->left;
}

/* Before an answer: S(WTX) while the flash is at work, or by CW_FAULT_NULLS. */
static bool
wait_or_note(struct cw_sim_card *c, uint32_t wait_etu, struct cw_sim_io *io)
{
	bool note = false, answering = (c->t1.out[1] & 0x80) == 0;

	if (c->work_etu > 0 && !cw_card_work(c, wait_etu, &note, io))
		return false;
	if (!note && answering && c->null_left > 0) {
		c->null_left--;
		note = true;
	}
	if (note) {
		cw_card_t1_ask_time(&c->t1, 1);
		say_block(c);
	}
	return true;
}

size_t
cw_card_block_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io)
{
	size_t n;

	/* The reader listens: what is not whole by now will not be. */
	if (c->t1.in_len > 0 && cw_card_t1_silence(&c->t1) == CW_CARD_T1_SAY)
		say_block(c);
	if (c->out_off == c->out_len)
		return 0;
	if (c->out_off == 0 && !wait_or_note(c, wait_etu, io))
		return 0;
	if (c->out_off == 0 && c->out_len > 0)
		io->etu += CW_CARD_T1_TURN_ETU;
	for (n = 0; n < cap && c->out_off < c->out_len; n++) {
		uint8_t ch = c->out[c->out_off++];

		if (spoilt(c)) {
			ch ^= WRONG_BIT;
			io->bad_cnt++;
		}
		buf[n] = c->cfg.inverse ? cw_atr_invert(ch) : ch;
	}
	io->etu += n * CW_CARD_T1_CHAR_ETU;
	return n;
}
