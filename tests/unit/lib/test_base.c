/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"

static void
err_names(void **state)
{
	(void)state;
	assert_string_equal(cw_err_name(0), "OK");
	assert_string_equal(cw_err_name(17), "OK");
	assert_string_equal(cw_err_name(CW_EPROTO), "EPROTO");
	assert_string_equal(cw_err_name(CW_EFENCED), "EFENCED");
	assert_string_equal(cw_err_name(-9999), "E?");
	assert_string_equal(cw_err_text(CW_ETIMEOUT),
	    "no answer within the time allowed");
	assert_string_equal(cw_err_text(-9999), "unknown error code");
}

/* Codes are on the wire and in files: dense from -1, each with its own name. */
static void
err_codes_dense(void **state)
{
	int err;

	(void)state;
	for (err = -1; err >= CW_EFENCED; err--) {
		assert_string_not_equal(cw_err_name(err), "E?");
		assert_true(strlen(cw_err_text(err)) > 5);
	}
	assert_string_equal(cw_err_name(CW_EFENCED - 1), "E?");
}

static void
rd_fields(void **state)
{
	static const uint8_t buf[] = {
		0x01, 0x02, 0x03, 0xff, 0xfe, 0xfd, 0xfc,
		0x80, 0, 0, 0, 0, 0, 0, 0x01, 0xaa, 0xbb,
	};
	struct cw_rd r = cw_rd_init(buf, sizeof buf);
	const uint8_t *p;

	(void)state;
	assert_int_equal(cw_rd_u8(&r), 0x01);
	assert_int_equal(cw_rd_u16(&r), 0x0203);
	assert_int_equal(cw_rd_u32(&r), 0xfffefdfc);
	assert_true(cw_rd_u64(&r) == 0x8000000000000001u);
	assert_int_equal(cw_rd_left(&r), 2);
	assert_int_equal(cw_rd_done(&r), CW_EFORMAT);
	p = cw_rd_bytes(&r, 2);
	assert_ptr_equal(p, buf + 15);
	assert_int_equal(cw_rd_done(&r), 0);
}

/* Every cut of an input fails at the end check and never reads beyond it. */
static void
rd_short_is_sticky(void **state)
{
	static const uint8_t buf[15] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	size_t len;

	(void)state;
	for (len = 0; len < sizeof buf; len++) {
		struct cw_rd r = cw_rd_init(buf, len);

		cw_rd_u8(&r);
		cw_rd_u16(&r);
		cw_rd_u32(&r);
		cw_rd_u64(&r);
		assert_int_equal(cw_rd_done(&r), CW_ESHORT);
		assert_int_equal(cw_rd_left(&r), 0);
		assert_int_equal(cw_rd_u8(&r), 0);
		assert_null(cw_rd_bytes(&r, 0));
	}
}

static void
rd_copy_zeroes_on_failure(void **state)
{
	static const uint8_t buf[3] = { 7, 8, 9 };
	uint8_t dst[4] = { 0xee, 0xee, 0xee, 0xee };
	struct cw_rd r = cw_rd_init(buf, sizeof buf);

	(void)state;
	cw_rd_copy(&r, dst, 2);
	assert_memory_equal(dst, "\x07\x08\xee\xee", 4);
	cw_rd_copy(&r, dst, 4);
	assert_memory_equal(dst, "\0\0\0\0", 4);
	assert_int_equal(cw_rd_done(&r), CW_ESHORT);
}

static void
rd_empty_input(void **state)
{
	struct cw_rd r = cw_rd_init(NULL, 0);

	(void)state;
	assert_non_null(cw_rd_bytes(&r, 0));
	assert_int_equal(cw_rd_done(&r), 0);
	assert_null(cw_rd_bytes(&r, 1));
	assert_int_equal(cw_rd_done(&r), CW_ESHORT);

	/* A length near the top of size_t must not wrap. */
	r = cw_rd_init((const uint8_t *)"ab", 2);
	cw_rd_u8(&r);
	assert_null(cw_rd_bytes(&r, SIZE_MAX));
}

static void
str8_round_trip(void **state)
{
	uint8_t buf[16];
	char text[8];
	struct cw_wr w = cw_wr_init(buf, sizeof buf);
	struct cw_rd r;

	(void)state;
	cw_wr_str8(&w, "line-1");
	cw_wr_str8(&w, "");
	assert_int_equal(cw_wr_done(&w), 8);
	r = cw_rd_init(buf, 8);
	cw_rd_str8(&r, text, sizeof text);
	assert_string_equal(text, "line-1");
	cw_rd_str8(&r, text, sizeof text);
	assert_string_equal(text, "");
	assert_int_equal(cw_rd_done(&r), 0);
}

static void
str8_refuses(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x03" "ab", 3 },		/* shorter than it says */
		{ "\x04" "abcd", 5 },		/* no room for the NUL */
		{ "\x02" "a\0", 3 },		/* NUL */
		{ "\x02" "a\n", 3 },		/* control character */
		{ "\x01" "\x7f", 2 },
		{ "", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct cw_rd r = cw_rd_init((const uint8_t *)bad[i].bytes,
		    bad[i].len);
		char text[4] = "xyz";

		cw_rd_str8(&r, text, sizeof text);
		assert_string_equal(text, "");
		assert_int_equal(cw_rd_done(&r), CW_ESHORT);
	}
}

static void
wr_fields(void **state)
{
	static const uint8_t want[] = {
		0x01, 0x02, 0x03, 0xff, 0xfe, 0xfd, 0xfc,
		0x80, 0, 0, 0, 0, 0, 0, 0x01, 0xaa, 0xbb,
	};
	uint8_t buf[sizeof want];
	size_t cap;

	(void)state;

	/* Every capacity: all or CW_EFULL, and never a byte beyond it. */
	for (cap = 0; cap <= sizeof buf; cap++) {
		struct cw_wr w = cw_wr_init(buf, cap);

		memset(buf, 0xcc, sizeof buf);
		cw_wr_u8(&w, 0x01);
		cw_wr_u16(&w, 0x0203);
		cw_wr_u32(&w, 0xfffefdfc);
		cw_wr_u64(&w, 0x8000000000000001u);
		cw_wr_bytes(&w, NULL, 0);
		cw_wr_bytes(&w, (const uint8_t *)"\xaa\xbb", 2);
		if (cap == sizeof buf) {
			assert_int_equal(cw_wr_done(&w), sizeof want);
			assert_memory_equal(buf, want, sizeof want);
			continue;
		}
		assert_int_equal(cw_wr_done(&w), CW_EFULL);
		assert_int_equal(buf[cap], 0xcc);
	}
}

static void
wr_str8_limits(void **state)
{
	char text[257];
	uint8_t buf[300];
	struct cw_wr w = cw_wr_init(buf, sizeof buf);

	(void)state;
	memset(text, 'a', sizeof text);
	text[255] = '\0';
	cw_wr_str8(&w, text);
	assert_int_equal(cw_wr_done(&w), 256);

	text[255] = 'a';
	text[256] = '\0';
	w = cw_wr_init(buf, sizeof buf);
	cw_wr_str8(&w, text);
	assert_int_equal(cw_wr_done(&w), CW_EFULL);

	/* The length byte alone would fit, and is not written. */
	w = cw_wr_init(buf, 3);
	buf[0] = 0xcc;
	cw_wr_str8(&w, "abc");
	assert_int_equal(cw_wr_done(&w), CW_EFULL);
	assert_int_equal(buf[0], 0xcc);
}

static void
wipe_and_compare(void **state)
{
	uint8_t a[32], b[32];
	size_t i;

	(void)state;
	memset(a, 0x5a, sizeof a);
	memset(b, 0x5a, sizeof b);
	assert_true(cw_equal_ct(a, b, sizeof a));
	assert_true(cw_equal_ct(a, b, 0));
	for (i = 0; i < sizeof a; i++) {
		b[i] ^= 0x80;
		assert_false(cw_equal_ct(a, b, sizeof a));
		b[i] ^= 0x80;
	}
	cw_wipe(a + 1, 30);
	assert_int_equal(a[0], 0x5a);
	assert_int_equal(a[31], 0x5a);
	for (i = 1; i < 31; i++)
		assert_int_equal(a[i], 0);
	cw_wipe(NULL, 0);
}

static void
hex_both_ways(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x9f, 0xa0, 0xff };
	uint8_t out[4];
	char text[9];

	(void)state;
	cw_hex(text, bytes, sizeof bytes);
	assert_string_equal(text, "009fa0ff");
	assert_int_equal(cw_unhex(out, 4, "009fA0Ff", 8), 4);
	assert_memory_equal(out, bytes, 4);
	assert_int_equal(cw_unhex(out, 4, "", 0), 0);
	assert_int_equal(cw_unhex(out, 4, "009", 3), CW_EFORMAT);
	assert_int_equal(cw_unhex(out, 4, "0 ", 2), CW_EFORMAT);
	assert_int_equal(cw_unhex(out, 4, "g0", 2), CW_EFORMAT);
	assert_int_equal(cw_unhex(out, 4, "0:", 2), CW_EFORMAT);
	assert_int_equal(cw_unhex(out, 3, "009fa0ff", 8), CW_EFULL);
}

/* Check values: the "check" column of the CRC catalogue (CRC-32/ISO-HDLC and
 * CRC-16/IBM-3740, also known as CCITT-FALSE). */
static void
crc_check_values(void **state)
{
	(void)state;
	assert_int_equal(cw_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(cw_crc16(0xffff, "123456789", 9), 0x29b1);
	assert_int_equal(cw_crc32(0, "", 0), 0);
	assert_int_equal(cw_crc16(0xffff, "", 0), 0xffff);
}

/* Bit by bit, from the definition: against the tables. */
static uint32_t
crc32_slow(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;
	size_t i;
	int k;

	for (i = 0; i < len; i++) {
		crc ^= p[i];
		for (k = 0; k < 8; k++)
			crc = (crc & 1) ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	return ~crc;
}

static uint16_t
crc16_slow(const uint8_t *p, size_t len)
{
	unsigned int crc = 0xffff;
	size_t i;
	int k;

	for (i = 0; i < len; i++) {
		crc ^= (unsigned int)p[i] << 8;
		for (k = 0; k < 8; k++)
			crc = (crc & 0x8000) ? crc << 1 ^ 0x1021 : crc << 1;
		crc &= 0xffff;
	}
	return (uint16_t)crc;
}

/* Every length, every way to cut it in two, every alignment of the cut. */
static void
crc_any_cut(void **state)
{
	uint8_t buf[41];
	size_t len, cut;

	(void)state;
	for (len = 0; len < sizeof buf; len++)
		buf[len] = (uint8_t)(len * 73 + 11);
	for (len = 0; len <= sizeof buf; len++) {
		for (cut = 0; cut <= len; cut++) {
			uint32_t c32 = cw_crc32(0, buf, cut);
			uint16_t c16 = cw_crc16(0xffff, buf, cut);

			c32 = cw_crc32(c32, buf + cut, len - cut);
			c16 = cw_crc16(c16, buf + cut, len - cut);
			assert_int_equal(c32, crc32_slow(buf, len));
			assert_int_equal(c16, crc16_slow(buf, len));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_names),
		cmocka_unit_test(err_codes_dense),
		cmocka_unit_test(rd_fields),
		cmocka_unit_test(rd_short_is_sticky),
		cmocka_unit_test(rd_copy_zeroes_on_failure),
		cmocka_unit_test(rd_empty_input),
		cmocka_unit_test(str8_round_trip),
		cmocka_unit_test(str8_refuses),
		cmocka_unit_test(wr_fields),
		cmocka_unit_test(wr_str8_limits),
		cmocka_unit_test(wipe_and_compare),
		cmocka_unit_test(hex_both_ways),
		cmocka_unit_test(crc_check_values),
		cmocka_unit_test(crc_any_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
