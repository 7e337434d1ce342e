/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "cw/rlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static union {
	struct cw_rl_hello hello;
	struct cw_rl_hello_ok hello_ok;
	struct cw_rl_refuse refuse;
	struct cw_rl_store_begin store_begin;
	struct cw_rl_store_data store_data;
	struct cw_rl_store_ok store_ok;
	struct cw_rl_run run;
	struct cw_rl_run_ok run_ok;
	struct cw_rl_continue cont;
	struct cw_rl_slot_attempt slot_attempt;
	struct cw_rl_ask ask;
	struct cw_rl_result result;
	struct cw_rl_slot slot;
	struct cw_rl_update_begin update_begin;
	struct cw_rl_update_end update_end;
	struct cw_rl_update_ok update_ok;
	struct cw_rl_card_power card_power;
	struct cw_rl_card_params card_params;
	struct cw_rl_card_data card_data;
	struct cw_rl_card_state card_state;
	struct cw_rl_card_wait card_wait;
} m;

/* What decodes must encode to the bytes it came from. */
static void
same(int n, const uint8_t *body, size_t len)
{
	CW_ASSERT(n == (int)(CW_FRAME_HDR + len));
	CW_ASSERT(len == 0 || memcmp(out + CW_FRAME_HDR, body, len) == 0);
}

#define TRY(fn, member) do { \
	if (cw_rl_get_##fn(&m.member, body, len) == 0) \
		same(cw_rl_put_##fn(out, sizeof out, 1, &m.member), body, len); \
} while (0)

static void
terminal_side(uint8_t type, const uint8_t *body, size_t len)
{
	switch (type) {
	case CW_RL_HELLO:
		TRY(hello, hello);
		break;
	case CW_RL_STORE_BEGIN:
		TRY(store_begin, store_begin);
		break;
	case CW_RL_STORE_DATA:
		TRY(store_data, store_data);
		break;
	case CW_RL_UPDATE_BEGIN:
		TRY(update_begin, update_begin);
		break;
	case CW_RL_UPDATE_DATA:
		TRY(update_data, store_data);
		break;
	case CW_RL_UPDATE_END:
		TRY(update_end, update_end);
		break;
	case CW_RL_RUN:
		TRY(run, run);
		break;
	case CW_RL_CONTINUE:
		TRY(continue, cont);
		break;
	case CW_RL_CARD_POWER:
		TRY(card_power, card_power);
		break;
	case CW_RL_CARD_PARAMS:
		TRY(card_params, card_params);
		break;
	case CW_RL_CARD_APDU:
		if (cw_rl_get_card_data(&m.card_data, body, len) == 0)
			same(cw_rl_put_card_data(out, sizeof out, 1, type,
			    &m.card_data), body, len);
		break;
	case CW_RL_QUERY:
		if (cw_rl_get_slot_attempt(&m.slot_attempt, body, len) == 0)
			same(cw_rl_put_slot_attempt(out, sizeof out, 1, type,
			    &m.slot_attempt), body, len);
		break;
	default:
		break;
	}
}

static void
reader_side(uint8_t type, const uint8_t *body, size_t len)
{
	switch (type) {
	case CW_RL_HELLO_OK:
		TRY(hello_ok, hello_ok);
		break;
	case CW_RL_UPDATE_OK:
		TRY(update_ok, update_ok);
		break;
	case CW_RL_ERROR:
		if (cw_rl_get_refuse(&m.refuse, body, len) == 0)
			same(cw_rl_put_refuse(out, sizeof out, 1, type,
			    &m.refuse), body, len);
		break;
	case CW_RL_STORE_OK:
		TRY(store_ok, store_ok);
		break;
	case CW_RL_RUN_OK:
		TRY(run_ok, run_ok);
		break;
	case CW_RL_ASK:
		TRY(ask, ask);
		break;
	case CW_RL_RESULT:
		TRY(result, result);
		break;
	case CW_RL_SLOT:
		TRY(slot, slot);
		break;
	case CW_RL_CARD_STATE:
		TRY(card_state, card_state);
		break;
	case CW_RL_CARD_WAIT:
		TRY(card_wait, card_wait);
		break;
	default:
		break;
	}
}

/* First byte: message type; the rest: its body. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t types[] = {
#define X(name, value) value,
		CW_RL_TYPE_MAP(X)
#undef X
	};
	uint8_t type;

	if (size == 0)
		return 0;
	type = types[data[0] % sizeof types];
	terminal_side(type, data + 1, size - 1);
	reader_side(type, data + 1, size - 1);
	return 0;
}
