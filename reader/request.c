/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

#define TX_CAP (CW_FRAME_HDR + CW_RLINK_BODY_MAX)

/* The terminal's requests after HELLO, one function each. */

/* The slot, or NULL and an ERROR on its way. */
static struct cw_reader_slot *
slot_named(struct cw_reader *r, uint32_t id, uint8_t slot)
{
	char buf[64];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);

	if (slot < r->cfg.slot_cnt)
		return &r->slot[slot];
	cw_reader_text_str(&t, "slot ");
	cw_reader_text_dec(&t, slot);
	cw_reader_text_str(&t, " named; this reader has slots 0..");
	cw_reader_text_dec(&t, r->cfg.slot_cnt - 1u);
	cw_reader_reply_error(r, id, CW_ENOENT, buf);
	return NULL;
}

static void
req_malformed(struct cw_reader *r, const struct cw_frame *f, int err)
{
	char buf[64];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);

	cw_reader_text_str(&t, cw_rl_type_name(f->type));
	cw_reader_text_str(&t, " is malformed");
	cw_reader_reply_error(r, f->id, err, buf);
}

struct cw_reader_slot *
cw_reader_request_slot(struct cw_reader *r, const struct cw_frame *f, int err,
    uint8_t slot)
{
	if (err >= 0)
		return slot_named(r, f->id, slot);
	req_malformed(r, f, err);
	return NULL;
}

static void
req_hello(struct cw_reader *r, const struct cw_frame *f)
{
	cw_reader_reply_error(r, f->id, CW_ESTATE,
	    "HELLO was said already on this connection");
}

static void
req_ping(struct cw_reader *r, const struct cw_frame *f)
{
	cw_reader_reply_send(r, cw_rl_put_empty(r->cfg.tx_mem, TX_CAP, f->id,
	    CW_RL_PONG));
}

/* 0, or why the program may not be queued, with words. */
static int
run_refuse(const struct cw_reader_slot *s, const struct cw_rl_run *m,
    struct cw_reader_text *t)
{
	uint16_t bad = 0;
	int err;

	if (s->raw.held || s->raw.op != CW_RAW_NONE ||
	    s->raw.owed != CW_RAW_OWE_NOTHING) {
		cw_reader_text_str(t, "the slot is worked card by card; power "
		    "its card off first");
		return CW_EBUSY;
	}
	if (s->present == 0) {
		cw_reader_text_str(t, "no card in the slot; feed one first");
		return CW_EREMOVED;
	}
	if (m->card_session != 0 && m->card_session != s->card_session) {
		cw_reader_text_str(t, "another card is in the slot: session ");
		cw_reader_text_dec(t, s->card_session);
		cw_reader_text_str(t, ", the program wants ");
		cw_reader_text_dec(t, m->card_session);
		return CW_EREMOVED;
	}
	if (m->attempt <= s->last_attempt) {
		cw_reader_text_str(t, "attempt ");
		cw_reader_text_dec(t, m->attempt);
		cw_reader_text_str(t, " does not rise above ");
		cw_reader_text_dec(t, s->last_attempt);
		cw_reader_text_str(t, "; a RUN is never repeated");
		return CW_ESTATE;
	}
	if (s->job_cnt == CW_RLINK_QUEUE) {
		cw_reader_text_str(t, "the slot's queue is full; wait for a RESULT");
		return CW_EFULL;
	}
	if (s->job_cnt + cw_reader_result_done_cnt(s) >= CW_READER_KEPT_MAX) {
		cw_reader_text_str(t, "too many results wait for RESULT_ACK");
		return CW_EFULL;
	}
	err = cw_prog_check(m->prog, m->prog_len, &bad);
	if (err < 0) {
		cw_reader_text_str(t, "program refused at step ");
		cw_reader_text_dec(t, bad);
		cw_reader_text_str(t, ": ");
		cw_reader_text_str(t, cw_err_text(err));
	}
	return err;
}

static void
req_run(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_run m;
	struct cw_rl_run_ok ok;
	struct cw_reader_slot *s;
	char buf[128];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);
	int err;

	err = cw_rl_get_run(&m, f->body, f->body_len);
	if (err < 0) {
		req_malformed(r, f, err);
		return;
	}
	s = slot_named(r, f->id, m.slot);
	if (s == NULL)
		return;
	if (r->cfg.update != NULL && cw_update_active(r->cfg.update)) {
		cw_reader_reply_error(r, f->id, CW_EBUSY,
		    "the reader is being updated; wait for the end of it");
		return;
	}
	err = run_refuse(s, &m, &t);
	if (err < 0) {
		cw_reader_reply_error(r, f->id, err, buf);
		return;
	}
	cw_reader_engine_add(r, s, &m);
	ok.slot = m.slot;
	ok.attempt = m.attempt;
	ok.queued = s->job_cnt;
	cw_reader_reply_send(r, cw_rl_put_run_ok(r->cfg.tx_mem, TX_CAP, f->id,
	    &ok));
}

static void
req_continue(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_continue m;
	struct cw_reader_slot *s;
	int err;

	err = cw_rl_get_continue(&m, f->body, f->body_len);
	if (err < 0) {
		req_malformed(r, f, err);
		return;
	}
	s = slot_named(r, f->id, m.slot);
	if (s == NULL)
		return;
	if (s->state != CW_SLOT_ASK || s->job[0].attempt != m.attempt) {
		cw_reader_reply_error(r, f->id, CW_ESTATE,
		    "CONTINUE for a program that does not ask");
		return;
	}
	err = cw_reader_engine_continue(r, s, m.prog, m.prog_len);
	if (err < 0)
		cw_reader_reply_error(r, f->id, err,
		    "CONTINUE holds no valid steps, or too many; the program "
		    "still asks");
}

static void
unknown_out(struct cw_reader *r, uint32_t id,
    const struct cw_rl_slot_attempt *m)
{
	cw_reader_reply_send(r, cw_rl_put_slot_attempt(r->cfg.tx_mem, TX_CAP,
	    id, CW_RL_UNKNOWN, m));
}

/* True when the slot still has the attempt before it: queued or running. */
static bool
attempt_open(const struct cw_reader_slot *s, uint64_t attempt)
{
	uint8_t i;

	for (i = 0; i < s->job_cnt; i++)
		if (s->job[i].attempt == attempt)
			return true;
	return false;
}

static void
abort_one(struct cw_reader *r, struct cw_reader_slot *s, uint64_t attempt)
{
	uint8_t i;

	for (i = 0; i < s->job_cnt; i++)
		if (s->job[i].attempt == attempt)
			break;
	if (i == s->job_cnt)
		return;
	if (i == 0 && s->running) {
		if (!s->ending)
			cw_reader_engine_end(r, s, CW_OUT_ABORTED);
	} else {
		cw_reader_engine_drop(r, s, i, CW_OUT_ABORTED);
	}
}

/* Answered by the RESULTs of what it ends; UNKNOWN if there is no such thing. */
static void
req_abort(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_slot_attempt m;
	struct cw_reader_slot *s;
	int err;

	err = cw_rl_get_slot_attempt(&m, f->body, f->body_len);
	if (err < 0) {
		req_malformed(r, f, err);
		return;
	}
	s = slot_named(r, f->id, m.slot);
	if (s == NULL)
		return;
	if (m.attempt == 0) {
		cw_reader_engine_drop_all(r, s, false, CW_OUT_ABORTED);
		if (s->running && !s->ending)
			cw_reader_engine_end(r, s, CW_OUT_ABORTED);
		else if (s->state == CW_SLOT_IDLE)
			cw_reader_slot_off(r, s);
	} else if (attempt_open(s, m.attempt)) {
		abort_one(r, s, m.attempt);
	} else if (cw_reader_result_find(s, m.attempt) == NULL) {
		unknown_out(r, f->id, &m);
	}
}

static void
req_result_ack(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_slot_attempt m;
	struct cw_reader_slot *s;
	struct cw_reader_kept *k;
	int err;

	err = cw_rl_get_slot_attempt(&m, f->body, f->body_len);
	if (err < 0) {
		req_malformed(r, f, err);
		return;
	}
	s = slot_named(r, f->id, m.slot);
	if (s == NULL)
		return;
	k = cw_reader_result_find(s, m.attempt);
	if (k != NULL) {
		cw_reader_result_free(k);
		s->acked_cnt++;
	}
}

/* A program that has not ended yet is not unknown: its RESULT comes later. */
static void
req_query(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_slot_attempt m;
	struct cw_reader_slot *s;
	struct cw_reader_kept *k;
	int err;

	err = cw_rl_get_slot_attempt(&m, f->body, f->body_len);
	if (err < 0) {
		req_malformed(r, f, err);
		return;
	}
	s = slot_named(r, f->id, m.slot);
	if (s == NULL || attempt_open(s, m.attempt))
		return;
	k = cw_reader_result_find(s, m.attempt);
	if (k == NULL) {
		unknown_out(r, f->id, &m);
		return;
	}
	k->sent = true;
	cw_reader_reply_send(r, cw_rl_put_result(r->cfg.tx_mem, TX_CAP, f->id,
	    &k->m));
}

static const struct {
	uint8_t type;
	void (*take)(struct cw_reader *r, const struct cw_frame *f);
} requests[] = {
	{ CW_RL_HELLO, req_hello },
	{ CW_RL_PING, req_ping },
	{ CW_RL_STORE_BEGIN, cw_reader_store_begin },
	{ CW_RL_STORE_DATA, cw_reader_store_data },
	{ CW_RL_STORE_END, cw_reader_store_end },
	{ CW_RL_UPDATE_BEGIN, cw_reader_update_begin },
	{ CW_RL_UPDATE_DATA, cw_reader_update_data },
	{ CW_RL_UPDATE_END, cw_reader_update_end },
	{ CW_RL_RUN, req_run },
	{ CW_RL_CONTINUE, req_continue },
	{ CW_RL_ABORT, req_abort },
	{ CW_RL_RESULT_ACK, req_result_ack },
	{ CW_RL_QUERY, req_query },
	{ CW_RL_CARD_POWER, cw_reader_raw_power },
	{ CW_RL_CARD_QUERY, cw_reader_raw_query },
	{ CW_RL_CARD_PARAMS, cw_reader_raw_params },
	{ CW_RL_CARD_APDU, cw_reader_raw_apdu },
	{ CW_RL_CARD_ABORT, cw_reader_raw_abort },
};

void
cw_reader_request(struct cw_reader *r, const struct cw_frame *f)
{
	char buf[96];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);
	size_t i;

	for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		if (requests[i].type == f->type) {
			requests[i].take(r, f);
			return;
		}
	}
	cw_reader_text_str(&t, "message type ");
	cw_reader_text_dec(&t, f->type);
	cw_reader_text_str(&t, " is no request of reader-link version 1");
	cw_reader_reply_error(r, f->id, CW_EUNSUPPORTED, buf);
}
