/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "cw/crc.h"
#include "cw/discover.h"
#include "cw/err.h"
#include "lots.h"

static const struct cw_disc_info sample = {
	.serial = { 0x52, 0x44, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 },
	.boot_id = 0x0102030405060708u, .addr = 0x7F000101, .port = 7816,
	.link = CW_DISC_LINK_TLS, .state = CW_DISC_SERVED, .slot_cnt = 3,
	.firmware = "cardwright-host 0.1.0", .identity = "127.0.1.1:7816",
	.name = "left bank",
};
static uint8_t buf[CW_DISC_LEN + 1], out[CW_DISC_LEN];

/* With a check value that is right again. */
static void
reseal(uint8_t *b)
{
	uint32_t c = cw_crc32(0, b, CW_DISC_LEN - 4);
	int i;

	for (i = 0; i < 4; i++)
		b[CW_DISC_LEN - 4 + i] = (uint8_t)(c >> (24 - 8 * i));
}

/* The bytes of docs/spec/discovery.md. */
static void
layout(void **state)
{
	static const uint8_t head[16] = { 'C', 'W', 'R', 'D', 1, 1, 0, 0,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
	uint64_t nonce;

	(void)state;
	cw_disc_put_request(buf, 0x1122334455667788u);
	assert_memory_equal(buf, head, 16);
	assert_int_equal(cw_disc_get_request(buf, CW_DISC_LEN, &nonce), 0);
	assert_true(nonce == 0x1122334455667788u);

	assert_int_equal(cw_disc_put_answer(buf, 1, &sample), 0);
	assert_int_equal(buf[5], 2);
	assert_memory_equal(buf + 16, sample.serial, 16);
	assert_memory_equal(buf + 32, "\1\2\3\4\5\6\7\10", 8);
	assert_memory_equal(buf + 40, "\x7F\0\1\1\x1E\x88\2\2\3", 9);
	assert_memory_equal(buf + 49, "\25" "cardwright-host 0.1.0" "\16" "127.0.1.1:7816" "\11" "left bank",
	    22 + 15 + 10);
	assert_int_equal(buf[49 + 47], 0);
}

static void
round_trip(void **state)
{
	struct cw_disc_info got;
	uint64_t nonce;

	(void)state;
	assert_int_equal(cw_disc_put_answer(buf, 77, &sample), 0);
	assert_int_equal(cw_disc_get_answer(&got, &nonce, buf, CW_DISC_LEN), 0);
	assert_true(nonce == 77);
	assert_memory_equal(&got, &sample, sizeof got);
	assert_string_equal(cw_disc_state_name(got.state), "served");
	assert_string_equal(cw_disc_state_name(9), "?");
}

static void
ranges(void **state)
{
	struct cw_disc_info i;

	(void)state;
	i = sample;
	i.link = 3;
	assert_int_equal(cw_disc_put_answer(buf, 1, &i), CW_EINVAL);
	i = sample;
	i.state = 0;
	assert_int_equal(cw_disc_put_answer(buf, 1, &i), CW_EINVAL);
	i = sample;
	i.slot_cnt = 9;
	assert_int_equal(cw_disc_put_answer(buf, 1, &i), CW_EINVAL);
	i = sample;
	i.port = 0;
	assert_int_equal(cw_disc_put_answer(buf, 1, &i), CW_EINVAL);
	i = sample;
	i.name[2] = '\n';
	assert_int_equal(cw_disc_put_answer(buf, 1, &i), CW_EINVAL);
	i = sample;
	memset(i.firmware, 'x', sizeof i.firmware);
	assert_int_equal(cw_disc_put_answer(buf, 1, &i), CW_EINVAL);
	i = sample;
	memset(i.firmware, 'x', sizeof i.firmware - 1);
	memset(i.identity, 'y', sizeof i.identity - 1);
	memset(i.name, 'z', sizeof i.name - 1);
	assert_int_equal(cw_disc_put_answer(buf, 1, &i), 0);
}

/* Every byte, every length: what was changed is not taken. */
static void
damage(void **state)
{
	struct cw_disc_info got;
	uint64_t nonce;
	size_t i;

	(void)state;
	for (i = 0; i < CW_DISC_LEN; i++) {
		assert_int_equal(cw_disc_put_answer(buf, 1, &sample), 0);
		assert_int_equal(cw_disc_get_answer(&got, &nonce, buf, i), CW_ESHORT);
		buf[i] ^= (uint8_t)(1 << i % 8);
		assert_true(cw_disc_get_answer(&got, &nonce, buf, CW_DISC_LEN) < 0);
		cw_disc_put_request(buf, 1);
		buf[i] ^= (uint8_t)(1 << i % 8);
		assert_true(cw_disc_get_request(buf, CW_DISC_LEN, &nonce) < 0);

		/* a question has nothing behind its number */
		if (i >= 16 && i < CW_DISC_LEN - 4) {
			reseal(buf);
			assert_int_equal(cw_disc_get_request(buf, CW_DISC_LEN, &nonce),
			    CW_EFORMAT);
		}
	}
	cw_disc_put_request(buf, 1);
	assert_int_equal(cw_disc_get_request(buf, CW_DISC_LEN + 1, &nonce), CW_ETOOBIG);
	buf[4] = 2;
	reseal(buf);
	assert_int_equal(cw_disc_get_request(buf, CW_DISC_LEN, &nonce), CW_EVERSION);
	cw_disc_put_request(buf, 1);
	assert_int_equal(cw_disc_get_answer(&got, &nonce, buf, CW_DISC_LEN), CW_EFORMAT);
}

/* Lots with a right check value: never read too far, what decodes encodes. */
static void
lots(void **state)
{
	struct cw_disc_info got;
	uint64_t seed = 7, nonce;
	unsigned int i, taken = 0;

	(void)state;
	for (i = 0; i < 200000; i++) {
		assert_int_equal(cw_disc_put_answer(buf, i, &sample), 0);
		buf[16 + lots_below(&seed, 100)] = (uint8_t)lots_next(&seed);
		buf[46 + lots_below(&seed, 60)] = (uint8_t)lots_next(&seed);
		reseal(buf);
		if (cw_disc_get_answer(&got, &nonce, buf, CW_DISC_LEN) < 0)
			continue;
		taken++;
		assert_int_equal(cw_disc_put_answer(out, nonce, &got), 0);
		assert_memory_equal(buf, out, CW_DISC_LEN);
	}
	assert_true(taken > 1000 && taken < 199000);
}

static void
serving(void **state)
{
	struct cw_disc d = { .started = false };
	struct cw_disc_info got;
	uint64_t nonce, now = 5;
	unsigned int i;

	(void)state;
	cw_disc_put_request(buf, 99);
	for (i = 0; i < CW_DISC_BURST; i++)
		assert_int_equal(cw_disc_serve(&d, &sample, buf, CW_DISC_LEN, now, out),
		    CW_DISC_LEN);
	assert_int_equal(cw_disc_get_answer(&got, &nonce, out, CW_DISC_LEN), 0);
	assert_true(nonce == 99);
	assert_int_equal(cw_disc_serve(&d, &sample, buf, CW_DISC_LEN, now, out), 0);
	assert_int_equal(d.limited_cnt, 1);

	/* one more for each sixteenth of a second, never more than the burst */
	now += 1000000 / CW_DISC_RATE - 1;
	assert_int_equal(cw_disc_serve(&d, &sample, buf, CW_DISC_LEN, now, out), 0);
	now += 1;
	assert_int_equal(cw_disc_serve(&d, &sample, buf, CW_DISC_LEN, now, out), CW_DISC_LEN);
	assert_int_equal(cw_disc_serve(&d, &sample, buf, CW_DISC_LEN, now, out), 0);
	now += 3600u * 1000000u;
	for (i = 0; i < 100; i++)
		(void)cw_disc_serve(&d, &sample, buf, CW_DISC_LEN, now, out);
	assert_int_equal(d.answered_cnt, 2 * CW_DISC_BURST + 1);

	/* what is no question is not answered, and costs no token */
	assert_int_equal(cw_disc_serve(&d, &sample, out, CW_DISC_LEN, now, buf), 0);
	assert_int_equal(cw_disc_serve(&d, &sample, buf, 3, now, out), 0);
	assert_int_equal(cw_disc_serve(&d, &sample, NULL, 0, now, out), 0);
	assert_int_equal(d.malformed_cnt, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(ranges),
		cmocka_unit_test(damage),
		cmocka_unit_test(lots),
		cmocka_unit_test(serving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
