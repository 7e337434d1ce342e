/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

#define TX_CAP (CW_FRAME_HDR + CW_RLINK_BODY_MAX)
#define WAIT_US 1000000u
#define MEM_LEN ((size_t)CW_RLINK_QUEUE * CW_PROG_MAX)

/*
 * Card by card: the terminal (a PC/SC driver, most often) powers a card and
 * sends it APDUs one by one.  From the first power-on a slot is held: it takes no
 * programs.  So the memory of its queue is free, and has the command, and behind
 * it the answer.
 *
 * One request at a time.  Its answer is only marked as owed, and made when there
 * is room (reply.c).
 */
static uint8_t *
raw_mem(const struct cw_reader *r, const struct cw_reader_slot *s)
{
	return cw_reader_engine_mem(r, s, 0);
}

uint8_t *
cw_reader_raw_room(const struct cw_reader *r, const struct cw_reader_slot *s,
    size_t *cap)
{
	*cap = MEM_LEN - s->raw.cmd_len;
	return raw_mem(r, s) + s->raw.cmd_len;
}

/* Nothing of a command or an answer stays; the block numbers of T=1 do. */
static void
raw_wipe(struct cw_reader *r, struct cw_reader_slot *s, bool keep)
{
	/* An answer that was cut short has no length yet. */
	cw_wipe(raw_mem(r, s), s->raw.op == CW_RAW_APDU ? MEM_LEN :
	    s->raw.cmd_len + s->raw.rsp_len);
	s->raw.cmd_len = 0;
	s->raw.rsp_len = 0;
	s->raw.rsp_off = 0;
	cw_wipe(s->chars, sizeof s->chars);
	cw_wipe(&s->t0, sizeof s->t0);
	if (keep && s->line.t1)
		cw_t1_wipe(&s->t1);
	else if (!keep)
		cw_wipe(&s->t1, sizeof s->t1);
	cw_wipe(&s->out, sizeof s->out);
}

static void
raw_begin(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_reader_raw_op op, uint32_t id)
{
	memset(&s->step, 0, sizeof s->step);
	s->raw.op = op;
	s->raw.id = id;
	s->raw.err = 0;
	s->raw.begin_us = r->now_us;
	s->raw.wait_us = r->now_us + WAIT_US;
}

/* The request is over: what is owed says how. */
static void
raw_over(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_reader_raw_owed owed)
{
	s->raw.op = CW_RAW_NONE;
	s->raw.owed = owed;
	r->owes = true;
	s->raw.wait_us = UINT64_MAX;
	s->raw.wait_owed = false;
}

static int
raw_err(enum cw_outcome outcome)
{
	switch ((int)outcome) {
	case CW_OUT_GOOD:
		return 0;
	case CW_OUT_MUTE:
		return CW_EMUTE;
	case CW_OUT_TIMEOUT:
		return CW_ETIMEOUT;
	case CW_OUT_PARITY:
		return CW_EPARITY;
	case CW_OUT_REMOVED:
		return CW_EREMOVED;
	case CW_OUT_PROGRAM:
		return CW_EFULL;
	case CW_OUT_OVERCURRENT:
	case CW_OUT_READER:
		return CW_EIO;
	default:
		return CW_EPROTO;
	}
}

/* After a failure the card is not in a state that anybody knows: it goes off. */
void
cw_reader_raw_fail(struct cw_reader *r, struct cw_reader_slot *s, int err)
{
	if (s->raw.err == 0)
		s->raw.err = err;
	if (s->state == CW_SLOT_DEACTIVATE)
		return;
	cw_reader_line_stop(r, s);
	raw_wipe(r, s, false);
	if (s->powered) {
		cw_reader_slot_off(r, s);
	} else {
		cw_reader_slot_rest(r, s);
		s->raw.held = false;
		raw_over(r, s, CW_RAW_OWE_ERROR);
	}
}

void
cw_reader_raw_end(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome)
{
	int err = raw_err(outcome);

	/* A refused PPS was repaired by a reset: the card is as after power-on. */
	if (outcome == CW_OUT_PPS_FAIL && s->raw.op == CW_RAW_PARAMS &&
	    s->powered && s->atr.raw_len > 0) {
		s->raw.err = err;
		cw_reader_slot_rest(r, s);
		raw_over(r, s, CW_RAW_OWE_ERROR);
	} else if (err < 0) {
		cw_reader_raw_fail(r, s, err);
	} else {
		cw_reader_slot_rest(r, s);
		raw_over(r, s, CW_RAW_OWE_STATE);
	}
}

void
cw_reader_raw_answer(struct cw_reader *r, struct cw_reader_slot *s, size_t len)
{
	uint32_t cmd_len = s->raw.cmd_len;
	uint8_t *mem = raw_mem(r, s);

	/* The command is not needed any more; the answer takes its place. */
	memmove(mem, mem + cmd_len, len);
	cw_wipe(mem + len, cmd_len);
	s->raw.cmd_len = 0;
	cw_reader_slot_rest(r, s);
	raw_over(r, s, CW_RAW_OWE_RSP);
	raw_wipe(r, s, true);
	s->raw.rsp_len = (uint32_t)len;
}

void
cw_reader_raw_settled(struct cw_reader *r, struct cw_reader_slot *s)
{
	if (s->off_failed && s->raw.err == 0)
		s->raw.err = CW_EIO;
	s->off_failed = false;
	raw_wipe(r, s, false);
	raw_over(r, s, s->raw.err == 0 ? CW_RAW_OWE_STATE : CW_RAW_OWE_ERROR);
}

void
cw_reader_raw_gone(struct cw_reader *r, struct cw_reader_slot *s)
{
	if (s->raw.op != CW_RAW_NONE)
		cw_reader_raw_fail(r, s, CW_EREMOVED);
	else if (s->raw.owed == CW_RAW_OWE_NOTHING)
		raw_wipe(r, s, false);
	s->raw.held = false;
}

void
cw_reader_raw_drop(struct cw_reader *r, struct cw_reader_slot *s)
{
	if (!s->raw.held && s->raw.op == CW_RAW_NONE &&
	    s->raw.owed == CW_RAW_OWE_NOTHING)
		return;
	s->raw.held = false;
	if (s->raw.op != CW_RAW_NONE && s->state != CW_SLOT_DEACTIVATE)
		cw_reader_line_stop(r, s);
	raw_wipe(r, s, false);
	raw_over(r, s, CW_RAW_OWE_NOTHING);
	s->raw.skip = false;
	if (s->state == CW_SLOT_DEACTIVATE)
		return;
	if (s->powered)
		cw_reader_slot_off(r, s);
	else
		cw_reader_slot_rest(r, s);
}

void
cw_reader_raw_tick(struct cw_reader *r, struct cw_reader_slot *s)
{
	if (r->now_us < s->raw.wait_us)
		return;
	s->raw.wait_us = r->now_us + WAIT_US;
	s->raw.wait_owed = true;
	r->owes = true;
}

/* ---- answers ------------------------------------------------------------ */

static void
state_out(struct cw_reader *r, struct cw_reader_slot *s, uint32_t id)
{
	struct cw_rl_card_state m;

	memset(&m, 0, sizeof m);
	m.slot = s->idx;
	m.present = s->present;
	m.card_session = s->card_session;
	m.protocol = CW_RL_CARD_ANY;
	m.ta1 = s->ta1;
	m.apdu_max = MEM_LEN;
	if (s->raw.held)
		m.flags |= CW_RL_CARD_HELD;
	if (s->powered && s->atr.raw_len > 0) {
		m.flags |= CW_RL_CARD_POWERED;
		m.atr_len = s->atr.raw_len;
		memcpy(m.atr, s->atr.raw, s->atr.raw_len);
		if (s->protocol != CW_READER_NO_T)
			m.protocol = s->protocol;
		if (r->cfg.apdu == NULL) {
			m.clk_hz = s->line.clk_hz;
			m.etu_clk = (uint16_t)s->line.etu_clk;
		}
	}
	cw_reader_reply_send(r, cw_rl_put_card_state(r->cfg.tx_mem, TX_CAP, id,
	    &m));
}

/* The next part of the answer. */
static void
rsp_out(struct cw_reader *r, struct cw_reader_slot *s)
{
	uint32_t left = s->raw.rsp_len - s->raw.rsp_off;
	struct cw_rl_card_data m;
	int len;

	m.slot = s->idx;
	m.more = left > CW_RL_CARD_DATA_MAX;
	m.buf = raw_mem(r, s) + s->raw.rsp_off;
	m.len = (uint16_t)(m.more ? CW_RL_CARD_DATA_MAX : left);
	s->raw.rsp_off += m.len;
	len = cw_rl_put_card_data(r->cfg.tx_mem, TX_CAP, s->raw.id,
	    CW_RL_CARD_RSP, &m);
	if (!m.more) {
		s->raw.owed = CW_RAW_OWE_NOTHING;
		raw_wipe(r, s, true);
	}
	cw_reader_reply_send(r, len);
	if (r->tx_held == 0)
		cw_wipe(r->cfg.tx_mem, (size_t)len);
}

static const char *
err_words(const struct cw_reader_slot *s)
{
	switch (s->raw.err) {
	case CW_EREMOVED:
		return "the card was removed";
	case CW_EMUTE:
		return "the card does not answer to reset: is it the right way "
		    "up, are its contacts clean?";
	case CW_EFULL:
		return "the answer is longer than the reader can hold";
	case CW_EIO:
		return "the reader cannot work with the card; its log says more";
	default:
		return cw_err_text(s->raw.err);
	}
}

bool
cw_reader_raw_flush(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_rl_card_wait w;

	if (s->raw.wait_owed) {
		s->raw.wait_owed = false;
		w.slot = s->idx;
		w.ms = (uint32_t)((r->now_us - s->raw.begin_us) / 1000);
		cw_reader_reply_send(r, cw_rl_put_card_wait(r->cfg.tx_mem,
		    TX_CAP, s->raw.id, &w));
		return true;
	}
	switch (s->raw.owed) {
	case CW_RAW_OWE_NOTHING:
		return false;
	case CW_RAW_OWE_STATE:
		s->raw.owed = CW_RAW_OWE_NOTHING;
		state_out(r, s, s->raw.id);
		break;
	case CW_RAW_OWE_ERROR:
		s->raw.owed = CW_RAW_OWE_NOTHING;
		cw_reader_reply_error(r, s->raw.id, s->raw.err, err_words(s));
		break;
	case CW_RAW_OWE_RSP:
		rsp_out(r, s);
		break;
	}
	return true;
}

/* ---- requests ----------------------------------------------------------- */

/* Why a request card by card cannot be taken now; false with an ERROR sent. */
static bool
raw_free(struct cw_reader *r, const struct cw_reader_slot *s, uint32_t id)
{
	const char *why = NULL;
	int err = CW_EBUSY;

	if (s->job_cnt > 0)
		why = "programs are queued for this slot; wait for their RESULTs";
	else if (r->cfg.update != NULL && cw_update_active(r->cfg.update))
		why = "the reader is being updated; wait for the end of it";
	else if (s->raw.op != CW_RAW_NONE || s->raw.owed != CW_RAW_OWE_NOTHING)
		why = "the request before is not done yet";
	else if (s->state == CW_SLOT_DEACTIVATE)
		why = "the slot is powering down; try again";
	if (why == NULL && s->present == 0) {
		err = CW_EREMOVED;
		why = "no card in the slot";
	}
	if (why != NULL)
		cw_reader_reply_error(r, id, err, why);
	return why == NULL;
}

void
cw_reader_raw_power(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_card_power m;
	struct cw_reader_slot *s;
	int err = cw_rl_get_card_power(&m, f->body, f->body_len);

	s = cw_reader_request_slot(r, f, err, m.slot);
	if (s == NULL)
		return;
	if (m.action == CW_RL_CARD_OFF && s->job_cnt == 0 && !s->powered &&
	    s->raw.op == CW_RAW_NONE && s->raw.owed == CW_RAW_OWE_NOTHING) {
		s->raw.held = false;
		state_out(r, s, f->id);
		return;
	}
	if (!raw_free(r, s, f->id))
		return;
	raw_wipe(r, s, true);
	raw_begin(r, s, CW_RAW_POWER, f->id);
	s->raw.held = m.action != CW_RL_CARD_OFF;
	if (s->raw.held)
		cw_reader_line_activate(r, s, m.action == CW_RL_CARD_WARM);
	else
		cw_reader_slot_off(r, s);
}

void
cw_reader_raw_query(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_reader_slot *s;
	uint8_t slot = 0;
	int err = cw_rl_get_card_slot(&slot, f->body, f->body_len);

	s = cw_reader_request_slot(r, f, err, slot);
	if (s != NULL)
		state_out(r, s, f->id);
}

static bool
raw_active(struct cw_reader *r, const struct cw_reader_slot *s, uint32_t id)
{
	if (!raw_free(r, s, id))
		return false;
	if (s->raw.held && s->powered && s->atr.raw_len > 0)
		return true;
	cw_reader_reply_error(r, id, CW_ESTATE,
	    "the card has no power; send CARD_POWER first");
	return false;
}

/* A protocol that the card offers besides the one in force, before PPS. */
static bool
protocol_choose(struct cw_reader_slot *s, uint8_t protocol)
{
	if (protocol == CW_RL_CARD_ANY || protocol == s->protocol)
		return s->protocol != CW_READER_NO_T;
	if (s->atr.specific || s->pps_done || s->line.t1 ||
	    (s->atr.protocols >> protocol & 1u) == 0)
		return false;
	s->protocol = protocol;
	return true;
}

void
cw_reader_raw_params(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_card_params m;
	struct cw_reader_slot *s;
	int err = cw_rl_get_card_params(&m, f->body, f->body_len);

	s = cw_reader_request_slot(r, f, err, m.slot);
	if (s == NULL || !raw_active(r, s, f->id))
		return;
	if (!protocol_choose(s, m.protocol)) {
		cw_reader_reply_error(r, f->id, CW_EUNSUPPORTED, "the card does "
		    "not offer this protocol, or speaks another one already");
		return;
	}
	raw_begin(r, s, CW_RAW_PARAMS, f->id);
	cw_reader_line_pps(r, s, m.ta1_max);
}

/* Adds a part of a command; true when it is whole. */
static bool
apdu_part(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_rl_card_data *m, uint32_t id)
{
	if (s->raw.skip) {
		s->raw.skip = m->more;
		return false;
	}
	if (m->len > MEM_LEN - s->raw.cmd_len) {
		raw_wipe(r, s, true);
		s->raw.skip = m->more;
		cw_reader_reply_error(r, id, CW_ETOOBIG,
		    "the APDU is longer than the reader can hold");
		return false;
	}
	memcpy(raw_mem(r, s) + s->raw.cmd_len, m->buf, m->len);
	s->raw.cmd_len += m->len;
	return !m->more;
}

void
cw_reader_raw_apdu(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_card_data m;
	struct cw_reader_slot *s;
	int err = cw_rl_get_card_data(&m, f->body, f->body_len);

	s = cw_reader_request_slot(r, f, err, m.slot);
	if (s == NULL || !raw_active(r, s, f->id) ||
	    !apdu_part(r, s, &m, f->id))
		return;
	raw_begin(r, s, CW_RAW_APDU, f->id);
	err = cw_reader_steps_raw(r, s, raw_mem(r, s), s->raw.cmd_len);
	if (err == 0)
		return;
	raw_wipe(r, s, true);
	raw_over(r, s, CW_RAW_OWE_NOTHING);
	cw_reader_reply_error(r, f->id, err, "not a command that the card's "
	    "protocol can carry");
}

/* Ends what is under way: the card goes off. */
void
cw_reader_raw_abort(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_reader_slot *s;
	uint8_t slot = 0;
	int err = cw_rl_get_card_slot(&slot, f->body, f->body_len);

	s = cw_reader_request_slot(r, f, err, slot);
	if (s == NULL)
		return;
	if (!s->raw.held) {
		state_out(r, s, f->id);
		return;
	}
	cw_reader_raw_drop(r, s);
	if (s->state == CW_SLOT_DEACTIVATE)
		raw_begin(r, s, CW_RAW_POWER, f->id);
	else
		state_out(r, s, f->id);
}

void
cw_reader_raw_check(const struct cw_reader *r, const struct cw_reader_slot *s)
{
	(void)r;
	CW_ASSERT(!s->running || s->raw.op == CW_RAW_NONE);
	CW_ASSERT(s->job_cnt == 0 || !s->raw.held);
	CW_ASSERT(!s->raw.held || s->present != 0);
	CW_ASSERT((s->raw.op == CW_RAW_NONE) == (s->raw.wait_us == UINT64_MAX));
	CW_ASSERT(s->raw.op == CW_RAW_NONE ||
	    s->raw.owed == CW_RAW_OWE_NOTHING);
	CW_ASSERT(s->raw.owed == CW_RAW_OWE_RSP || s->raw.rsp_len == 0);
}
