/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/pps.h"

/* ISO/IEC 7816-3:2006, tables 7 and 8, written out a second time as text. */
static void
fidi_tables(void **state)
{
	static const struct {
		int fi;
		uint32_t fmax;
	} f[16] = {
		[0x0] = { 372, 4000000 }, [0x1] = { 372, 5000000 },
		[0x2] = { 558, 6000000 }, [0x3] = { 744, 8000000 },
		[0x4] = { 1116, 12000000 }, [0x5] = { 1488, 16000000 },
		[0x6] = { 1860, 20000000 }, [0x9] = { 512, 5000000 },
		[0xa] = { 768, 7500000 }, [0xb] = { 1024, 10000000 },
		[0xc] = { 1536, 15000000 }, [0xd] = { 2048, 20000000 },
	};
	static const int d[16] = {
		[1] = 1, [2] = 2, [3] = 4, [4] = 8, [5] = 16, [6] = 32,
		[7] = 64, [8] = 12, [9] = 20,
	};
	unsigned int ta1;

	(void)state;
	for (ta1 = 0; ta1 < 256; ta1++) {
		uint16_t fi = 1;
		uint8_t di = 1;
		uint32_t fmax = 1;
		int err = cw_pps_fidi((uint8_t)ta1, &fi, &fmax, &di);

		if (f[ta1 >> 4].fi == 0 || d[ta1 & 15] == 0) {
			assert_int_equal(err, CW_ERANGE);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(fi, f[ta1 >> 4].fi);
		assert_int_equal(fmax, f[ta1 >> 4].fmax);
		assert_int_equal(di, d[ta1 & 15]);
	}
}

/* FF 10 96 79 is what a modem was seen to send to a 512/32 SIM (public trace). */
static void
build(void **state)
{
	uint8_t out[CW_PPS_MAX];

	(void)state;
	assert_int_equal(cw_pps_build(out, 0, 0x96), 4);
	assert_memory_equal(out, "\xff\x10\x96\x79", 4);
	assert_int_equal(cw_pps_build(out, 1, 0x11), 4);
	assert_memory_equal(out, "\xff\x11\x11\xff", 4);
	assert_int_equal(cw_pps_build(out, 2, 0x11), CW_EINVAL);
}

static void
lengths(void **state)
{
	(void)state;
	assert_int_equal(cw_pps_len(0xff, 0x00), 3);
	assert_int_equal(cw_pps_len(0xff, 0x10), 4);
	assert_int_equal(cw_pps_len(0xff, 0x20), 4);
	assert_int_equal(cw_pps_len(0xff, 0x51), 5);
	assert_int_equal(cw_pps_len(0xff, 0x70), 6);
	assert_int_equal(cw_pps_len(0xff, 0x80), 3);
	assert_int_equal(cw_pps_len(0x3b, 0x70), 3);
}

static void
judge_vectors(void **state)
{
	static const struct {
		const char *rsp;
		size_t len;
		int verdict;
	} v[] = {
		{ "\xff\x10\x96\x79", 4, 1 },
		{ "\xff\x00\xff", 3, 0 },		/* no PPS1: stay */
		{ "\xff\x10\x96\x78", 4, CW_ECRC },
		{ "\xff\x00\xfe", 3, CW_ECRC },
		{ "\xff\x10\x95\x7a", 4, CW_EPROTO },	/* another speed */
		{ "\xff\x11\x96\x78", 4, CW_EPROTO },	/* another protocol */
		{ "\xff\x01\xfe", 3, CW_EPROTO },
		{ "\xff\x30\x96\x00\x59", 5, CW_EPROTO }, /* PPS2 unasked */
		{ "\xff\x50\x96\x00\x39", 5, CW_EPROTO }, /* PPS3 unasked */
		{ "\xff\x90\x96\xf9", 4, CW_EPROTO },	/* reserved bit */
		{ "\xfe\x10\x96\x78", 4, CW_EPROTO },	/* not PPSS */
		{ "\xff\x10\x96", 3, CW_EPROTO },	/* cut */
		{ "\xff\x10\x96\x79\x00", 5, CW_EPROTO },
		{ "\xff\x00", 2, CW_EPROTO },
		{ "", 0, CW_EPROTO },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof v / sizeof v[0]; i++)
		assert_int_equal(cw_pps_judge(0, 0x96,
		    (const uint8_t *)v[i].rsp, v[i].len), v[i].verdict);
}

/* A single wrong bit anywhere in a good answer is never taken for a good one. */
static void
judge_bit_flips(void **state)
{
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 32; bit++) {
		uint8_t rsp[4] = { 0xff, 0x10, 0x96, 0x79 };
		int verdict;

		rsp[bit / 8] ^= (uint8_t)(1u << bit % 8);
		verdict = cw_pps_judge(0, 0x96, rsp, 4);
		assert_true(verdict == CW_ECRC || verdict == CW_EPROTO);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fidi_tables),
		cmocka_unit_test(build),
		cmocka_unit_test(lengths),
		cmocka_unit_test(judge_vectors),
		cmocka_unit_test(judge_bit_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
