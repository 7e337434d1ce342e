/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "cw/rlink.h"

#include "wire.h"

/* The messages of the reader link for work card by card. */
static int
seal(const struct cw_wr *w, uint8_t *out, uint32_t id, uint8_t type)
{
	struct cw_wire_head h = {
		.version = CW_RLINK_VERSION, .type = type, .id = id,
		.body_max = CW_RLINK_BODY_MAX,
	};

	return cw_wire_end(w, out, &h);
}

static bool
power_ok(const struct cw_rl_card_power *m)
{
	return m->slot < CW_RLINK_SLOTS_MAX && m->action <= CW_RL_CARD_WARM;
}

int
cw_rl_put_card_power(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_card_power *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!power_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u8(&w, m->action);
	return seal(&w, out, id, CW_RL_CARD_POWER);
}

int
cw_rl_get_card_power(struct cw_rl_card_power *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->action = cw_rd_u8(&r);
	return cw_wire_judge(&r, power_ok(m));
}

static bool
protocol_ok(uint8_t protocol)
{
	return protocol <= 1 || protocol == CW_RL_CARD_ANY;
}

int
cw_rl_put_card_params(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_card_params *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (m->slot >= CW_RLINK_SLOTS_MAX || !protocol_ok(m->protocol))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u8(&w, m->protocol);
	cw_wr_u8(&w, m->ta1_max);
	return seal(&w, out, id, CW_RL_CARD_PARAMS);
}

int
cw_rl_get_card_params(struct cw_rl_card_params *m, const uint8_t *body,
    size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->protocol = cw_rd_u8(&r);
	m->ta1_max = cw_rd_u8(&r);
	return cw_wire_judge(&r, m->slot < CW_RLINK_SLOTS_MAX &&
	    protocol_ok(m->protocol));
}

int
cw_rl_put_card_slot(uint8_t *out, size_t cap, uint32_t id, uint8_t type,
    uint8_t slot)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (slot >= CW_RLINK_SLOTS_MAX)
		return CW_EINVAL;
	cw_wr_u8(&w, slot);
	return seal(&w, out, id, type);
}

int
cw_rl_get_card_slot(uint8_t *slot, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	*slot = cw_rd_u8(&r);
	return cw_wire_judge(&r, *slot < CW_RLINK_SLOTS_MAX);
}

static bool
data_ok(const struct cw_rl_card_data *m)
{
	return m->slot < CW_RLINK_SLOTS_MAX && m->len >= 1 &&
	    m->len <= CW_RL_CARD_DATA_MAX;
}

int
cw_rl_put_card_data(uint8_t *out, size_t cap, uint32_t id, uint8_t type,
    const struct cw_rl_card_data *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!data_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u8(&w, m->more);
	cw_wr_bytes(&w, m->buf, m->len);
	return seal(&w, out, id, type);
}

int
cw_rl_get_card_data(struct cw_rl_card_data *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);
	size_t left;
	uint8_t more;

	m->slot = cw_rd_u8(&r);
	more = cw_rd_u8(&r);
	m->more = more == 1;
	left = cw_rd_left(&r);
	m->len = (uint16_t)(left > CW_RL_CARD_DATA_MAX ? 0 : left);
	m->buf = cw_rd_bytes(&r, left);
	return cw_wire_judge(&r, more <= 1 && data_ok(m));
}

#define STATE_FLAGS (CW_RL_CARD_POWERED | CW_RL_CARD_HELD)

static bool
state_ok(const struct cw_rl_card_state *m)
{
	return m->slot < CW_RLINK_SLOTS_MAX && m->present <= 2 &&
	    (m->flags & ~STATE_FLAGS) == 0 && protocol_ok(m->protocol) &&
	    m->atr_len <= sizeof m->atr;
}

int
cw_rl_put_card_state(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_card_state *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (!state_ok(m))
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u8(&w, m->present);
	cw_wr_u8(&w, m->flags);
	cw_wr_u32(&w, m->card_session);
	cw_wr_u8(&w, m->protocol);
	cw_wr_u8(&w, m->ta1);
	cw_wr_u32(&w, m->clk_hz);
	cw_wr_u16(&w, m->etu_clk);
	cw_wr_u32(&w, m->apdu_max);
	cw_wr_u8(&w, m->atr_len);
	cw_wr_bytes(&w, m->atr, m->atr_len);
	return seal(&w, out, id, CW_RL_CARD_STATE);
}

int
cw_rl_get_card_state(struct cw_rl_card_state *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);
	const uint8_t *atr;

	memset(m, 0, sizeof *m);
	m->slot = cw_rd_u8(&r);
	m->present = cw_rd_u8(&r);
	m->flags = cw_rd_u8(&r);
	m->card_session = cw_rd_u32(&r);
	m->protocol = cw_rd_u8(&r);
	m->ta1 = cw_rd_u8(&r);
	m->clk_hz = cw_rd_u32(&r);
	m->etu_clk = cw_rd_u16(&r);
	m->apdu_max = cw_rd_u32(&r);
	m->atr_len = cw_rd_u8(&r);
	atr = cw_rd_bytes(&r, m->atr_len);
	if (atr != NULL && m->atr_len <= sizeof m->atr)
		memcpy(m->atr, atr, m->atr_len);
	return cw_wire_judge(&r, state_ok(m));
}

int
cw_rl_put_card_wait(uint8_t *out, size_t cap, uint32_t id,
    const struct cw_rl_card_wait *m)
{
	struct cw_wr w = cw_wire_begin(out, cap);

	if (m->slot >= CW_RLINK_SLOTS_MAX)
		return CW_EINVAL;
	cw_wr_u8(&w, m->slot);
	cw_wr_u32(&w, m->ms);
	return seal(&w, out, id, CW_RL_CARD_WAIT);
}

int
cw_rl_get_card_wait(struct cw_rl_card_wait *m, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);

	m->slot = cw_rd_u8(&r);
	m->ms = cw_rd_u32(&r);
	return cw_wire_judge(&r, m->slot < CW_RLINK_SLOTS_MAX);
}
