/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/apdu.h"
#include "cw/bytes.h"
#include "cw/err.h"

struct vector {
	const char *hex;
	int err;
	enum cw_apdu_case kind;
	uint32_t lc, le;
};

/* One or more of each case and each boundary of ISO/IEC 7816-3:2006, 12.1.3. */
static const struct vector vectors[] = {
	{ "00a40000", 0, CW_APDU_1, 0, 0 },
	{ "00b0000001", 0, CW_APDU_2S, 0, 1 },
	{ "00b00000ff", 0, CW_APDU_2S, 0, 255 },
	{ "00b0000000", 0, CW_APDU_2S, 0, 256 },
	{ "00a40000023f00", 0, CW_APDU_3S, 2, 0 },
	{ "00a4000001aa", 0, CW_APDU_3S, 1, 0 },
	{ "00a40000023f0000", 0, CW_APDU_4S, 2, 256 },
	{ "00a40000023f001c", 0, CW_APDU_4S, 2, 28 },
	{ "00b00000000001", 0, CW_APDU_2E, 0, 1 },
	{ "00b00000000100", 0, CW_APDU_2E, 0, 256 },
	{ "00b00000000000", 0, CW_APDU_2E, 0, 65536 },
	{ "00d60000000001aa", 0, CW_APDU_3E, 1, 0 },
	{ "00d60000000002aabb", 0, CW_APDU_3E, 2, 0 },
	{ "00d60000000001aa0000", 0, CW_APDU_4E, 1, 65536 },
	{ "00d60000000001aa0102", 0, CW_APDU_4E, 1, 258 },

	{ "", CW_ESHORT, 0, 0, 0 },
	{ "00a400", CW_ESHORT, 0, 0, 0 },
	{ "00a4000002aa", CW_EFORMAT, 0, 0, 0 },	/* Lc 2, one byte */
	{ "00a4000001aabbcc", CW_EFORMAT, 0, 0, 0 },	/* one too many */
	{ "00a400000000", CW_EFORMAT, 0, 0, 0 },	/* half a length */
	{ "00a4000000000000", CW_EFORMAT, 0, 0, 0 },	/* extended Lc 0 */
	{ "00a400000000000001", CW_EFORMAT, 0, 0, 0 },
	{ "00a4000000000100", 0, CW_APDU_3E, 1, 0 },
	{ "00d60000000002aa", CW_EFORMAT, 0, 0, 0 },
	{ "00d60000000001aa00", CW_EFORMAT, 0, 0, 0 },	/* half an Le */
	{ "00d60000000001aa000000", CW_EFORMAT, 0, 0, 0 },
};

static void
parse_vectors(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const struct vector *v = &vectors[i];
		uint8_t end[32], again[32];
		struct cw_apdu a;
		size_t half = strlen(v->hex) / 2;
		uint8_t *buf = end + sizeof end - half;
		int len = cw_unhex(buf, half, v->hex, 2 * half);

		/* At the end of its memory: a byte too far is seen. */
		assert_int_equal(len, half);
		assert_int_equal(cw_apdu_parse(&a, buf, half), v->err);
		if (v->err < 0) {
			assert_null(a.data);
			continue;
		}
		assert_int_equal(a.kind, v->kind);
		assert_int_equal(a.lc, v->lc);
		assert_int_equal(a.le, v->le);
		assert_int_equal(a.ins, buf[1]);
		if (v->lc == 0)
			assert_null(a.data);
		else
			assert_in_range(a.data - buf, 5, 7);

		/* And back to the same bytes. */
		assert_int_equal(cw_apdu_build(&a, again, sizeof again), len);
		assert_memory_equal(again, buf, len);
	}
}

/* The largest of each kind, and every capacity that is too small by one. */
static void
largest(void **state)
{
	static const struct {
		enum cw_apdu_case kind;
		uint32_t lc, le;
		int len;
	} v[] = {
		{ CW_APDU_3S, 255, 0, 260 },
		{ CW_APDU_4S, 255, 256, 261 },
		{ CW_APDU_2E, 0, 65536, 7 },
		{ CW_APDU_3E, 65535, 0, 65542 },
		{ CW_APDU_4E, 65535, 65536, CW_APDU_CMD_MAX },
	};
	static uint8_t data[65535], buf[CW_APDU_CMD_MAX];
	size_t i;

	(void)state;
	memset(data, 0x3c, sizeof data);
	for (i = 0; i < sizeof v / sizeof v[0]; i++) {
		struct cw_apdu a = {
			.kind = v[i].kind, .ins = 0xd6, .data = data,
			.lc = v[i].lc, .le = v[i].le,
		};
		struct cw_apdu b;

		assert_int_equal(cw_apdu_build(&a, buf, sizeof buf), v[i].len);
		assert_int_equal(cw_apdu_parse(&b, buf, (size_t)v[i].len), 0);
		assert_int_equal(b.kind, a.kind);
		assert_int_equal(b.lc, a.lc);
		assert_int_equal(b.le, a.le);
		if (a.lc > 0)
			assert_memory_equal(b.data, data, a.lc);
		assert_int_equal(cw_apdu_build(&a, buf,
		    (size_t)v[i].len - 1), CW_EFULL);
	}
}

static void
build_refuses(void **state)
{
	static const uint8_t data[256];
	static const struct {
		enum cw_apdu_case kind;
		uint32_t lc, le;
	} bad[] = {
		{ CW_APDU_1, 1, 0 }, { CW_APDU_1, 0, 1 },
		{ CW_APDU_2S, 0, 0 }, { CW_APDU_2S, 0, 257 },
		{ CW_APDU_2S, 1, 1 },
		{ CW_APDU_3S, 0, 0 }, { CW_APDU_3S, 256, 0 },
		{ CW_APDU_3S, 1, 1 },
		{ CW_APDU_4S, 0, 1 }, { CW_APDU_4S, 1, 0 },
		{ CW_APDU_4S, 1, 257 }, { CW_APDU_4S, 256, 1 },
		{ CW_APDU_2E, 0, 65537 }, { CW_APDU_2E, 0, 0 },
		{ CW_APDU_3E, 65536, 0 }, { CW_APDU_3E, 0, 0 },
		{ CW_APDU_4E, 1, 65537 }, { CW_APDU_4E, 0, 1 },
		{ (enum cw_apdu_case)7, 0, 0 },
	};
	struct cw_apdu no_data = { .kind = CW_APDU_3S, .lc = 1 };
	uint8_t buf[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct cw_apdu a = {
			.kind = bad[i].kind, .data = data,
			.lc = bad[i].lc, .le = bad[i].le,
		};

		assert_int_equal(cw_apdu_build(&a, buf, sizeof buf), CW_EINVAL);
	}
	assert_int_equal(cw_apdu_build(&no_data, buf, sizeof buf), CW_EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_vectors),
		cmocka_unit_test(largest),
		cmocka_unit_test(build_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
