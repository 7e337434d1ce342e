/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cw/crc.h"
#include "reader/xmodem.h"

/*
 * The receiver against a sender that is written here from the protocol's
 * description; the ordinary sx and sb are asked in tests/system/console.c.
 */
#define SECOND 1000000u

static struct cw_xmodem x;
static uint64_t now;
static uint8_t got[300000];
static size_t got_len;
static uint8_t answer[16];
static size_t answer_len;
static enum cw_xmodem_event last;

static int
setup(void **state)
{
	(void)state;
	now = 5 * SECOND;
	got_len = answer_len = 0;
	cw_xmodem_init(&x, now);
	return 0;
}

static void
keep_answer(void)
{
	if (answer_len + x.out_len <= sizeof answer)
		memcpy(answer + answer_len, x.out, x.out_len);
	answer_len += x.out_len;
	x.out_len = 0;
}

/* Sends; what comes back stands in answer. */
static enum cw_xmodem_event
tell(const uint8_t *buf, size_t len)
{
	size_t used;

	answer_len = 0;
	do {
		last = cw_xmodem_step(&x, buf, len, &used, now);
		buf += used;
		len -= used;
		keep_answer();
		if (last == CW_XM_DATA) {
			memcpy(got + got_len, x.data, x.data_len);
			got_len += x.data_len;
			cw_xmodem_taken(&x, true, now);
			keep_answer();
		}
	} while (len > 0 && (last == CW_XM_WAIT || last == CW_XM_DATA));
	return last;
}

static enum cw_xmodem_event
tell_byte(uint8_t c)
{
	return tell(&c, 1);
}

static enum cw_xmodem_event
silence(void)
{
	assert_true(x.due_us > now);
	now = x.due_us;
	return tell(NULL, 0);
}

static size_t
block(uint8_t *out, uint8_t seq, const uint8_t *data, size_t len)
{
	uint16_t crc;

	out[0] = len == 1024 ? 2 : 1;
	out[1] = seq;
	out[2] = (uint8_t)~seq;
	memcpy(out + 3, data, len);
	crc = cw_crc16(0, data, len);
	out[3 + len] = (uint8_t)(crc >> 8);
	out[4 + len] = (uint8_t)crc;
	return len + 5;
}

static enum cw_xmodem_event
tell_block(uint8_t seq, uint8_t fill, size_t len)
{
	uint8_t data[1024], out[1029];

	memset(data, fill, len);
	return tell(out, block(out, seq, data, len));
}

static void
assert_answer(const char *want)
{
	assert_int_equal(answer_len, strlen(want));
	assert_memory_equal(answer, want, answer_len);
}

#define ACK "\006"
#define NAK "\025"
#define CANS "\030\030"

static void
test_xmodem_1k(void **state)
{
	int i;

	(void)state;
	tell(NULL, 0);
	assert_answer("C");
	silence();
	assert_answer("C");
	/* Blocks of both lengths, beyond the wrap of the number. */
	for (i = 1; i < 300; i++) {
		tell_block((uint8_t)i, (uint8_t)i, i % 3 == 0 ? 128 : 1024);
		assert_answer(ACK);
		now += SECOND;
	}
	tell_byte(4);
	assert_answer(NAK);
	assert_int_equal(tell_byte(4), CW_XM_DONE);
	assert_answer(ACK);
	assert_int_equal(x.due_us, UINT64_MAX);
}

static void
test_ymodem(void **state)
{
	uint8_t data[128] = "reader.cwfw\0001500 14000000000 0", out[133];

	(void)state;
	tell(NULL, 0);
	tell(out, block(out, 0, data, 128));
	assert_answer(ACK "C");
	tell_block(1, 0x11, 1024);
	tell_block(2, 0x22, 1024);
	assert_int_equal(got_len, 1500);
	assert_int_equal(got[1499], 0x22);
	tell_byte(4);
	assert_answer(NAK);
	tell_byte(4);
	assert_answer(ACK "C");
	memset(data, 0, sizeof data);
	assert_int_equal(tell(out, block(out, 0, data, 128)), CW_XM_DONE);
	assert_answer(ACK);
}

/* A second file would be another's: it is cancelled. */
static void
test_ymodem_batch(void **state)
{
	uint8_t data[128] = "one.cwfw\0003", out[133];

	(void)state;
	tell(NULL, 0);
	tell(out, block(out, 0, data, 128));
	tell_block(1, 0x11, 128);
	assert_int_equal(got_len, 3);
	tell_byte(4);
	tell_byte(4);
	data[0] = 't';
	assert_int_equal(tell(out, block(out, 0, data, 128)), CW_XM_FAILED);
	assert_answer(CANS);
}

/* The file was whole; the empty block never comes. */
static void
test_ymodem_no_end(void **state)
{
	uint8_t data[128] = "one.cwfw\0003", out[133];

	(void)state;
	tell(NULL, 0);
	tell(out, block(out, 0, data, 128));
	tell_block(1, 0x11, 128);
	tell_byte(4);
	tell_byte(4);
	silence();
	assert_answer("C");
	silence();
	assert_int_equal(silence(), CW_XM_DONE);
}

/* Every byte of a block wrong in turn: the block is asked for again. */
static void
test_bad_block(void **state)
{
	uint8_t data[128], out[133];
	size_t i, len, before;

	(void)state;
	memset(data, 0x55, sizeof data);
	tell(NULL, 0);
	tell_block(1, 1, 128);
	for (i = 1; i < 133; i++) {
		len = block(out, 2, data, 128);
		out[i] ^= 0x10;
		before = got_len;
		tell(out, len);
		assert_answer(NAK);
		assert_int_equal(got_len, before);
		if (i % 5 == 0) {
			len = block(out, 2, data, 128);
			tell(out, len);
			assert_answer(ACK);
			/* the number goes on, so repeat it as the one before */
			tell(out, len);
			assert_answer(ACK);
			assert_int_equal(got_len, before + 128);
			setup(NULL);
			tell(NULL, 0);
			tell_block(1, 1, 128);
		}
	}
}

static void
test_silence(void **state)
{
	uint8_t out[133];
	uint64_t start;
	int i;

	(void)state;
	/* Nobody ever sends: a minute. */
	start = now;
	tell(NULL, 0);
	for (i = 0; last == CW_XM_WAIT; i++)
		silence();
	assert_int_equal(last, CW_XM_FAILED);
	assert_answer(CANS);
	assert_in_range(now - start, 55 * SECOND, 65 * SECOND);

	/* In the middle of a block: one second, and NAK. */
	setup(NULL);
	tell(NULL, 0);
	tell_block(1, 1, 128);
	memset(out, 0, sizeof out);
	out[0] = 1;
	start = now;
	tell(out, 50);
	assert_answer("");
	silence();
	assert_answer(NAK);
	assert_int_equal(now - start, SECOND);
	/* Between blocks: ten seconds, ten times. */
	for (i = 0; last == CW_XM_WAIT; i++)
		silence();
	assert_int_equal(last, CW_XM_FAILED);
	assert_int_equal(i, CW_XMODEM_ERRORS_MAX);
}

static void
test_cancel(void **state)
{
	(void)state;
	tell(NULL, 0);
	tell_block(1, 1, 128);
	assert_int_equal(tell_byte(0x18), CW_XM_WAIT);
	assert_int_equal(tell_byte('x'), CW_XM_WAIT);
	assert_int_equal(tell_byte(0x18), CW_XM_WAIT);
	assert_int_equal(tell_byte(0x18), CW_XM_CANCELLED);
	assert_answer("");
	assert_int_equal(tell_byte('x'), CW_XM_FAILED);
}

/* What was taken cannot be used: the sender is told. */
static void
test_refused(void **state)
{
	uint8_t out[133], data[128] = { 0 };
	size_t used;

	(void)state;
	tell(NULL, 0);
	assert_int_equal(cw_xmodem_step(&x, out, block(out, 1, data, 128), &used,
	    now), CW_XM_DATA);
	cw_xmodem_taken(&x, false, now);
	assert_int_equal(x.out_len, 2);
	assert_memory_equal(x.out, CANS, 2);
	assert_int_equal(tell_byte(1), CW_XM_FAILED);
}

static void
test_wrong_number(void **state)
{
	(void)state;
	tell(NULL, 0);
	tell_block(1, 1, 128);
	assert_int_equal(tell_block(3, 1, 128), CW_XM_FAILED);
	assert_answer(CANS);
	setup(NULL);
	tell(NULL, 0);
	assert_int_equal(tell_block(7, 1, 128), CW_XM_FAILED);
}

/* Noise of every kind: never more than a block, never stuck, always an end. */
static void
test_noise(void **state)
{
	uint32_t r = 1;
	uint8_t buf[64];
	int round, i;
	size_t n;

	(void)state;
	for (round = 0; round < 2000; round++) {
		setup(NULL);
		tell(NULL, 0);
		for (i = 0; i < 400 && (last == CW_XM_WAIT || last == CW_XM_DATA); i++) {
			for (n = 0; n < sizeof buf; n++) {
				r = r * 1664525 + 1013904223;
				buf[n] = (uint8_t)(r >> (r >> 29 == 0 ? 30 : 24));
			}
			if (r >> 28 == 0)
				silence();
			else
				tell(buf, 1 + (r >> 20) % sizeof buf);
			if (got_len > sizeof got - 2048)
				got_len = 0;
		}
		while (last == CW_XM_WAIT || last == CW_XM_DATA)
			silence();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_xmodem_1k, setup),
		cmocka_unit_test_setup(test_ymodem, setup),
		cmocka_unit_test_setup(test_ymodem_batch, setup),
		cmocka_unit_test_setup(test_ymodem_no_end, setup),
		cmocka_unit_test_setup(test_bad_block, setup),
		cmocka_unit_test_setup(test_silence, setup),
		cmocka_unit_test_setup(test_cancel, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_wrong_number, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests_name("xmodem", tests, NULL, NULL);
}
