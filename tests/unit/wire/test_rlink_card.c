/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "cw/rlink.h"

/* The messages card by card: golden bytes, ranges, every truncation. */
static uint8_t out[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static uint8_t bulk[CW_RL_CARD_DATA_MAX + 1];

static struct cw_frame
open_frame(int n, uint8_t type)
{
	struct cw_frame f;

	assert_true(n > 0);
	assert_int_equal(cw_frame_peek(&f, out, (size_t)n, CW_RLINK_VERSION,
	    CW_RLINK_BODY_MAX), n);
	assert_int_equal(f.type, type);
	assert_int_equal(f.id, 9);
	return f;
}

/* The example of docs/spec/reader-link.md. */
static void
golden_state(void **state)
{
	static const uint8_t body[] = {
		0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x07, 0x00, 0x96,
		0x00, 0x4c, 0x4b, 0x40, 0x00, 0x10, 0x00, 0x00, 0xfa, 0x00,
		0x03, 0x3b, 0x10, 0x96,
	};
	struct cw_rl_card_state m = {
		.present = 1, .flags = CW_RL_CARD_POWERED | CW_RL_CARD_HELD,
		.card_session = 7, .ta1 = 0x96, .clk_hz = 5000000,
		.etu_clk = 16, .apdu_max = 64000, .atr_len = 3,
		.atr = { 0x3b, 0x10, 0x96 },
	}, got;
	struct cw_frame f;
	size_t i;

	(void)state;
	f = open_frame(cw_rl_put_card_state(out, sizeof out, 9, &m), 0xc0);
	assert_int_equal(f.body_len, sizeof body);
	assert_memory_equal(f.body, body, sizeof body);
	assert_int_equal(cw_rl_get_card_state(&got, body, sizeof body), 0);
	assert_memory_equal(&got.atr, m.atr, 3);
	assert_int_equal(got.apdu_max, 64000);
	for (i = 0; i < sizeof body; i++)
		assert_int_equal(cw_rl_get_card_state(&got, body, i), CW_ESHORT);
	m.atr_len = 34;
	assert_int_equal(cw_rl_put_card_state(out, sizeof out, 9, &m), CW_EINVAL);
	m.atr_len = 3;
	m.flags = 4;
	assert_int_equal(cw_rl_put_card_state(out, sizeof out, 9, &m), CW_EINVAL);
	m.flags = 0;
	m.protocol = 2;
	assert_int_equal(cw_rl_put_card_state(out, sizeof out, 9, &m), CW_EINVAL);
}

static void
golden_small(void **state)
{
	static const uint8_t power[] = { 3, 2 }, params[] = { 3, 1, 0x95 },
	    slot[] = { 3 }, wait[] = { 3, 0, 0, 4, 0xd2 };
	struct cw_rl_card_power p = { 3, CW_RL_CARD_WARM };
	struct cw_rl_card_params q = { 3, 1, 0x95 };
	struct cw_rl_card_wait w = { 3, 1234 };
	struct cw_frame f;
	uint8_t s;

	(void)state;
	f = open_frame(cw_rl_put_card_power(out, sizeof out, 9, &p), 0x40);
	assert_int_equal(f.body_len, 2);
	assert_memory_equal(f.body, power, 2);
	assert_int_equal(cw_rl_get_card_power(&p, power, 2), 0);
	assert_int_equal(cw_rl_get_card_power(&p, (uint8_t[]){ 3, 3 }, 2), CW_EFORMAT);
	assert_int_equal(cw_rl_get_card_power(&p, (uint8_t[]){ 8, 0 }, 2), CW_EFORMAT);
	assert_int_equal(cw_rl_get_card_power(&p, params, 3), CW_EFORMAT);

	f = open_frame(cw_rl_put_card_params(out, sizeof out, 9, &q), 0x42);
	assert_memory_equal(f.body, params, 3);
	assert_int_equal(cw_rl_get_card_params(&q, params, 3), 0);
	assert_int_equal(cw_rl_get_card_params(&q, (uint8_t[]){ 0, 2, 0 }, 3), CW_EFORMAT);
	assert_int_equal(cw_rl_get_card_params(&q, (uint8_t[]){ 0, 255, 0 }, 3), 0);

	f = open_frame(cw_rl_put_card_slot(out, sizeof out, 9, CW_RL_CARD_ABORT, 3), 0x44);
	assert_memory_equal(f.body, slot, 1);
	assert_int_equal(cw_rl_get_card_slot(&s, (uint8_t[]){ 8 }, 1), CW_EFORMAT);
	assert_int_equal(cw_rl_get_card_slot(&s, slot, 0), CW_ESHORT);

	f = open_frame(cw_rl_put_card_wait(out, sizeof out, 9, &w), 0xc2);
	assert_int_equal(f.body_len, 5);
	assert_memory_equal(f.body, wait, 5);
	assert_int_equal(cw_rl_get_card_wait(&w, wait, 4), CW_ESHORT);
}

static void
parts(void **state)
{
	struct cw_rl_card_data m = { .slot = 1, .more = true, .buf = bulk,
	    .len = CW_RL_CARD_DATA_MAX }, got;
	uint8_t body[CW_RL_CARD_DATA_MAX + 3] = { 1, 2, 0 };
	struct cw_frame f;

	(void)state;
	memset(bulk, 0xa5, sizeof bulk);
	f = open_frame(cw_rl_put_card_data(out, sizeof out, 9, CW_RL_CARD_APDU,
	    &m), 0x43);
	assert_int_equal(cw_rl_get_card_data(&got, f.body, f.body_len), 0);
	assert_true(got.more);
	assert_int_equal(got.len, CW_RL_CARD_DATA_MAX);
	assert_memory_equal(got.buf, bulk, got.len);
	m.len = 0;
	assert_int_equal(cw_rl_put_card_data(out, sizeof out, 9, CW_RL_CARD_RSP,
	    &m), CW_EINVAL);
	assert_int_equal(cw_rl_get_card_data(&got, body, 3), CW_EFORMAT);
	body[1] = 0;
	assert_int_equal(cw_rl_get_card_data(&got, body, 3), 0);
	assert_int_equal(cw_rl_get_card_data(&got, body, 2), CW_EFORMAT);
	assert_int_equal(cw_rl_get_card_data(&got, body, sizeof body), CW_EFORMAT);
	assert_int_equal(cw_rl_get_card_data(&got, body, sizeof body - 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_state),
		cmocka_unit_test(golden_small),
		cmocka_unit_test(parts),
	};

	return cmocka_run_group_tests_name("rlink_card", tests, NULL, NULL);
}
