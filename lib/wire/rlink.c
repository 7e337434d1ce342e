/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "cw/rlink.h"

#include "wire.h"

/*
 * Each message has one `_ok` predicate for the ranges that its bytes alone do
 * not enforce; encoder and decoder share it, so what encodes always decodes.
 * Order and width of the fields: docs/spec/reader-link.md.
 */
#define RUN_FLAGS (CW_RUN_CHAIN | CW_RUN_PERSONAL | CW_RUN_KEEP_POWER)
#define RESULT_FLAGS (CW_RES_TOUCHED | CW_RES_ACTIVE)

static int
seal(const struct cw_wr *w, uint8_t *out, uint32_t id, uint8_t type)
{
	struct cw_wire_head h = {
		.version = CW_RLINK_VERSION, .type = type, .id = id,
		.body_max = CW_RLINK_BODY_MAX,
	};

	return cw_wire_end(w, out, &h);
}

/* PING, PONG, STORE_END. */
int
cw_rl_put_empty(uint8_t *out, size_t cap, uint32_t id, uint8_t type)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	return seal(&w, out, id, type);
}

/* HELLO. */
int
cw_rl_put_hello(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_hello *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!cw_wire_text_ok(m->terminal, sizeof m->terminal))
		return CW_EINVAL;
	cw_wr_str8(&w, m->terminal);
	cw_wr_u64(&w, m->session);
	return seal(&w, out, id, CW_RL_HELLO);
}

int
cw_rl_get_hello(struct cw_rl_hello *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	cw_rd_str8(&r, m->terminal, sizeof m->terminal);
	m->session = cw_rd_u64(&r);
	return cw_wire_judge(&r, true);
}

/* HELLO_OK. */
static bool
hello_ok_ok(const struct cw_rl_hello_ok *m)
{
	return m->slot_cnt >= 1 && m->slot_cnt <= CW_RLINK_SLOTS_MAX &&
	    m->store_len <= m->store_cap;
}

int
cw_rl_put_hello_ok(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_hello_ok *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!hello_ok_ok(m) ||
	    !cw_wire_text_ok(m->firmware, sizeof m->firmware))
		return CW_EINVAL;
	cw_wr_bytes(&w, m->serial, sizeof m->serial);
	cw_wr_str8(&w, m->firmware);
	cw_wr_u64(&w, m->boot_id);
	cw_wr_u8(&w, m->slot_cnt);
	cw_wr_u32(&w, m->store_cap);
	cw_wr_u32(&w, m->store_gen);
	cw_wr_u32(&w, m->store_len);
	cw_wr_bytes(&w, m->store_digest, sizeof m->store_digest);
	return seal(&w, out, id, CW_RL_HELLO_OK);
}

int
cw_rl_get_hello_ok(struct cw_rl_hello_ok *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	cw_rd_copy(&r, m->serial, sizeof m->serial);
	cw_rd_str8(&r, m->firmware, sizeof m->firmware);
	m->boot_id = cw_rd_u64(&r);
	m->slot_cnt = cw_rd_u8(&r);
	m->store_cap = cw_rd_u32(&r);
	m->store_gen = cw_rd_u32(&r);
	m->store_len = cw_rd_u32(&r);
	cw_rd_copy(&r, m->store_digest, sizeof m->store_digest);
	return cw_wire_judge(&r, hello_ok_ok(m));
}

/* REFUSE and ERROR. */
int
cw_rl_put_refuse(uint8_t *out, size_t cap, uint32_t id, uint8_t type,
    const struct cw_rl_refuse *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (m->err >= 0 || !cw_wire_ends(m->text, sizeof m->text))
		return CW_EINVAL;
	cw_wr_u16(&w, (uint16_t)m->err);
	cw_wire_put_text(&w, m->text);
	return seal(&w, out, id, type);
}

int
cw_rl_get_refuse(struct cw_rl_refuse *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->err = (int16_t)cw_rd_u16(&r);
	cw_rd_str8(&r, m->text, sizeof m->text);
	return cw_wire_judge(&r, m->err < 0);
}

/* STORE_BEGIN, STORE_DATA, STORE_OK. */
int
cw_rl_put_store_begin(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_store_begin *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (m->len == 0)
		return CW_EINVAL;
	cw_wr_u32(&w, m->len);
	cw_wr_bytes(&w, m->digest, sizeof m->digest);
	return seal(&w, out, id, CW_RL_STORE_BEGIN);
}

int
cw_rl_get_store_begin(struct cw_rl_store_begin *m, const uint8_t *body,
    size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->len = cw_rd_u32(&r);
	cw_rd_copy(&r, m->digest, sizeof m->digest);
	return cw_wire_judge(&r, m->len > 0);
}

static int
put_data(uint8_t *out, size_t cap, uint32_t id, uint8_t type,
    const struct cw_rl_store_data *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (m->len == 0 || m->len > CW_RLINK_DATA_MAX)
		return CW_EINVAL;
	cw_wr_u32(&w, m->off);
	cw_wr_bytes(&w, m->buf, m->len);
	return seal(&w, out, id, type);
}

int
cw_rl_put_store_data(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_store_data *m)
{
	return put_data(out, cap, id, CW_RL_STORE_DATA, m);
}

int
cw_rl_get_store_data(struct cw_rl_store_data *m, const uint8_t *body,
    size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);
	size_t left;

	m->off = cw_rd_u32(&r);
	left = cw_rd_left(&r);
	m->len = (uint16_t)(left <= CW_RLINK_DATA_MAX ? left : 0);
	m->buf = cw_rd_bytes(&r, left);
	return cw_wire_judge(&r, m->len > 0);
}

int
cw_rl_put_store_ok(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_store_ok *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	cw_wr_u32(&w, m->gen);
	cw_wr_u32(&w, m->len);
	cw_wr_bytes(&w, m->digest, sizeof m->digest);
	return seal(&w, out, id, CW_RL_STORE_OK);
}

int
cw_rl_get_store_ok(struct cw_rl_store_ok *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->gen = cw_rd_u32(&r);
	m->len = cw_rd_u32(&r);
	cw_rd_copy(&r, m->digest, sizeof m->digest);
	return cw_wire_judge(&r, true);
}

/* UPDATE_BEGIN, UPDATE_DATA, UPDATE_END, UPDATE_OK. */
int
cw_rl_put_update_begin(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_update_begin *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (m->len == 0)
		return CW_EINVAL;
	cw_wr_u32(&w, m->len);
	return seal(&w, out, id, CW_RL_UPDATE_BEGIN);
}

int
cw_rl_get_update_begin(struct cw_rl_update_begin *m, const uint8_t *body,
    size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->len = cw_rd_u32(&r);
	return cw_wire_judge(&r, m->len > 0);
}

int
cw_rl_put_update_data(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_store_data *m)
{
	return put_data(out, cap, id, CW_RL_UPDATE_DATA, m);
}

int
cw_rl_get_update_data(struct cw_rl_store_data *m, const uint8_t *body,
    size_t len)
{
	return cw_rl_get_store_data(m, body, len);
}

int
cw_rl_put_update_end(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_update_end *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	cw_wr_u8(&w, m->restart);
	return seal(&w, out, id, CW_RL_UPDATE_END);
}

int
cw_rl_get_update_end(struct cw_rl_update_end *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);
	uint8_t restart = cw_rd_u8(&r);

	m->restart = restart == 1;
	return cw_wire_judge(&r, restart <= 1);
}

int
cw_rl_put_update_ok(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_update_ok *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!cw_wire_text_ok(m->version, sizeof m->version))
		return CW_EINVAL;
	cw_wr_u8(&w, m->state);
	cw_wr_u32(&w, m->addr);
	cw_wr_str8(&w, m->version);
	return seal(&w, out, id, CW_RL_UPDATE_OK);
}

int
cw_rl_get_update_ok(struct cw_rl_update_ok *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->state = cw_rd_u8(&r);
	m->addr = cw_rd_u32(&r);
	cw_rd_str8(&r, m->version, sizeof m->version);
	return cw_wire_judge(&r, true);
}

/* RUN and CONTINUE end in a program: u16 length, bytes. */
static bool
prog_ok(uint8_t slot, const uint8_t *prog, size_t len)
{
	return slot < CW_RLINK_SLOTS_MAX && prog != NULL && len > 0 &&
	    len <= CW_PROG_MAX;
}

static bool
run_ok(const struct cw_rl_run *m)
{
	return prog_ok(m->slot, m->prog, m->prog_len) && m->attempt > 0 &&
	    (m->flags & ~RUN_FLAGS) == 0;
}

int
cw_rl_put_run(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_run *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!run_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u8(&w, m->flags);
	cw_wr_u64(&w, m->attempt);
	cw_wr_u32(&w, m->card_session);
	cw_wr_u16(&w, m->prog_len);
	cw_wr_bytes(&w, m->prog, m->prog_len);
	return seal(&w, out, id, CW_RL_RUN);
}

int
cw_rl_get_run(struct cw_rl_run *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->flags = cw_rd_u8(&r);
	m->attempt = cw_rd_u64(&r);
	m->card_session = cw_rd_u32(&r);
	m->prog_len = cw_rd_u16(&r);
	m->prog = cw_rd_bytes(&r, m->prog_len);
	return cw_wire_judge(&r, run_ok(m));
}

static bool
run_ok_ok(const struct cw_rl_run_ok *m)
{
	return m->slot < CW_RLINK_SLOTS_MAX && m->attempt > 0 &&
	    m->queued >= 1 && m->queued <= CW_RLINK_QUEUE;
}

int
cw_rl_put_run_ok(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_run_ok *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!run_ok_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u64(&w, m->attempt);
	cw_wr_u8(&w, m->queued);
	return seal(&w, out, id, CW_RL_RUN_OK);
}

int
cw_rl_get_run_ok(struct cw_rl_run_ok *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->attempt = cw_rd_u64(&r);
	m->queued = cw_rd_u8(&r);
	return cw_wire_judge(&r, run_ok_ok(m));
}

static bool
continue_ok(const struct cw_rl_continue *m)
{
	return prog_ok(m->slot, m->prog, m->prog_len) && m->attempt > 0;
}

int
cw_rl_put_continue(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_continue *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!continue_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u64(&w, m->attempt);
	cw_wr_u16(&w, m->prog_len);
	cw_wr_bytes(&w, m->prog, m->prog_len);
	return seal(&w, out, id, CW_RL_CONTINUE);
}

int
cw_rl_get_continue(struct cw_rl_continue *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->attempt = cw_rd_u64(&r);
	m->prog_len = cw_rd_u16(&r);
	m->prog = cw_rd_bytes(&r, m->prog_len);
	return cw_wire_judge(&r, continue_ok(m));
}

/* ABORT, RESULT_ACK, QUERY, UNKNOWN. */
int
cw_rl_put_slot_attempt(uint8_t *out, size_t cap, uint32_t id, uint8_t type,
    const struct cw_rl_slot_attempt *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (m->slot >= CW_RLINK_SLOTS_MAX)
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u64(&w, m->attempt);
	return seal(&w, out, id, type);
}

int
cw_rl_get_slot_attempt(struct cw_rl_slot_attempt *m, const uint8_t *body,
    size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->attempt = cw_rd_u64(&r);
	return cw_wire_judge(&r, m->slot < CW_RLINK_SLOTS_MAX);
}

/* Captures, in ASK and RESULT: u8 count, each u8 id, u16 length, bytes. */
static bool
captures_ok(const struct cw_rl_capture *c, uint8_t cnt)
{
	size_t sum = 0;
	uint8_t i;

	if (cnt > CW_PROG_CAPTURE_MAX)
		return false;
	for (i = 0; i < cnt; i++)
		sum += c[i].len;
	return sum <= CW_PROG_CAPTURE_BYTES;
}

static void
put_captures(struct cw_wr *w, const struct cw_rl_capture *c, uint8_t cnt)
{
	uint8_t i;

	cw_wr_u8(w, cnt);
	for (i = 0; i < cnt; i++) {
		cw_wr_u8(w, c[i].id);
		cw_wr_u16(w, c[i].len);
		cw_wr_bytes(w, c[i].buf, c[i].len);
	}
}

/* Returns the count, with no more than the maximum read. */
static uint8_t
get_captures(struct cw_rd *r, struct cw_rl_capture c[CW_PROG_CAPTURE_MAX])
{
	uint8_t cnt = cw_rd_u8(r);
	uint8_t i;

	for (i = 0; i < cnt && i < CW_PROG_CAPTURE_MAX; i++) {
		c[i].id = cw_rd_u8(r);
		c[i].len = cw_rd_u16(r);
		c[i].buf = cw_rd_bytes(r, c[i].len);
	}
	return cnt;
}

static bool
ask_ok(const struct cw_rl_ask *m)
{
	return m->slot < CW_RLINK_SLOTS_MAX && m->attempt > 0 &&
	    captures_ok(m->capture, m->capture_cnt);
}

int
cw_rl_put_ask(uint8_t *out, size_t cap, uint32_t id, const struct cw_rl_ask *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!ask_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u64(&w, m->attempt);
	put_captures(&w, m->capture, m->capture_cnt);
	return seal(&w, out, id, CW_RL_ASK);
}

int
cw_rl_get_ask(struct cw_rl_ask *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	memset(m, 0, sizeof *m);
	m->slot = cw_rd_u8(&r);
	m->attempt = cw_rd_u64(&r);
	m->capture_cnt = get_captures(&r, m->capture);
	return cw_wire_judge(&r, ask_ok(m));
}

/* RESULT. */
static bool
result_ok(const struct cw_rl_result *m)
{
	return m->slot < CW_RLINK_SLOTS_MAX && m->attempt > 0 &&
	    (m->flags & ~RESULT_FLAGS) == 0 && m->atr_len <= sizeof m->atr &&
	    captures_ok(m->capture, m->capture_cnt) &&
	    m->step_cnt <= CW_RLINK_STEPS_MAX;
}

static void
put_steps(struct cw_wr *w, const struct cw_rl_result *m)
{
	uint16_t i;

	cw_wr_u16(w, m->step_cnt);
	for (i = 0; i < m->step_cnt; i++) {
		const struct cw_rl_step *s = &m->steps[i];

		cw_wr_u16(w, s->idx);
		cw_wr_u16(w, s->sw);
		cw_wr_u16(w, s->rsp_len);
		cw_wr_u32(w, s->us);
		cw_wr_u32(w, s->blocks);
	}
}

static void
get_steps(struct cw_rd *r, struct cw_rl_result *m)
{
	uint16_t i;

	m->step_cnt = cw_rd_u16(r);
	for (i = 0; i < m->step_cnt && i < CW_RLINK_STEPS_MAX; i++) {
		struct cw_rl_step *s = &m->steps[i];

		s->idx = cw_rd_u16(r);
		s->sw = cw_rd_u16(r);
		s->rsp_len = cw_rd_u16(r);
		s->us = cw_rd_u32(r);
		s->blocks = cw_rd_u32(r);
	}
}

int
cw_rl_put_result(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_result *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!result_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u8(&w, m->flags);
	cw_wr_u64(&w, m->attempt);
	cw_wr_u64(&w, m->boot_id);
	cw_wr_u32(&w, m->card_session);
	cw_wr_u16(&w, m->outcome);
	cw_wr_u16(&w, m->sw);
	cw_wr_u16(&w, m->step);
	cw_wr_u64(&w, m->line_etu);
	cw_wr_u32(&w, m->us);
	cw_wr_u8(&w, m->ta1);
	cw_wr_u8(&w, m->atr_len);
	cw_wr_bytes(&w, m->atr, m->atr_len);
	put_captures(&w, m->capture, m->capture_cnt);
	put_steps(&w, m);
	return seal(&w, out, id, CW_RL_RESULT);
}

int
cw_rl_get_result(struct cw_rl_result *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);
	const uint8_t *atr;

	memset(m, 0, sizeof *m);
	m->slot = cw_rd_u8(&r);
	m->flags = cw_rd_u8(&r);
	m->attempt = cw_rd_u64(&r);
	m->boot_id = cw_rd_u64(&r);
	m->card_session = cw_rd_u32(&r);
	m->outcome = cw_rd_u16(&r);
	m->sw = cw_rd_u16(&r);
	m->step = cw_rd_u16(&r);
	m->line_etu = cw_rd_u64(&r);
	m->us = cw_rd_u32(&r);
	m->ta1 = cw_rd_u8(&r);
	m->atr_len = cw_rd_u8(&r);
	atr = cw_rd_bytes(&r, m->atr_len);
	if (atr != NULL && m->atr_len <= sizeof m->atr)
		memcpy(m->atr, atr, m->atr_len);
	m->capture_cnt = get_captures(&r, m->capture);
	get_steps(&r, m);
	return cw_wire_judge(&r, result_ok(m));
}

/* SLOT. */
static bool
slot_ok(const struct cw_rl_slot *m)
{
	return m->slot < CW_RLINK_SLOTS_MAX && m->present <= 2;
}

int
cw_rl_put_slot(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_slot *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!slot_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u8(&w, m->present);
	cw_wr_u32(&w, m->card_session);
	cw_wr_u8(&w, m->state);
	cw_wr_u64(&w, m->last_attempt);
	return seal(&w, out, id, CW_RL_SLOT);
}

int
cw_rl_get_slot(struct cw_rl_slot *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->present = cw_rd_u8(&r);
	m->card_session = cw_rd_u32(&r);
	m->state = cw_rd_u8(&r);
	m->last_attempt = cw_rd_u64(&r);
	return cw_wire_judge(&r, slot_ok(m));
}

const char *
cw_rl_type_name(uint8_t type)
{
	switch (type) {
#define X(name, value) case CW_RL_##name: return #name;
	CW_RL_TYPE_MAP(X)
#undef X
	default:
		return "?";
	}
}
