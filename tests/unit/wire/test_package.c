/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cw/err.h"
#include "cw/package.h"

#include "lots.h"

static uint8_t buf[CW_PKG_HDR + CW_PKG_RECORD_MAX + 8];

static size_t
seal(enum cw_pkg_kind kind, const void *payload, size_t len)
{
	struct cw_pkg p = {
		.kind = kind, .order = 5,
		.record = kind == CW_PKG_PERSONAL ? 200 : 0,
		.epoch = kind == CW_PKG_PERSONAL ? 2 : 0,
		.payload_len = (uint32_t)len,
	};

	memcpy(buf + CW_PKG_HDR, payload, len);
	return cw_pkg_seal(buf, &p);
}

/* docs/spec/package.md; the digest is FIPS 180-4's example for "abc". */
static void
package_golden(void **state)
{
	static const uint8_t golden[] = {
		'C', 'W', 'P', 'K', 'G', 0x0d, 0x0a, 0x1a,
		0x01, 0x02, 0x00, 0x00,
		0, 0, 0, 0, 0, 0, 0, 5,
		0, 0, 0, 0, 0, 0, 0, 200,
		0, 0, 0, 2,
		0, 0, 0, 3,
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
		0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
		0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
		0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
		'a', 'b', 'c',
	};
	struct cw_pkg p;

	(void)state;
	assert_int_equal(seal(CW_PKG_PERSONAL, "abc", 3), sizeof golden);
	assert_memory_equal(buf, golden, sizeof golden);
	assert_int_equal(cw_pkg_parse(&p, golden, sizeof golden), 0);
	assert_int_equal(p.kind, CW_PKG_PERSONAL);
	assert_int_equal(p.order, 5);
	assert_int_equal(p.record, 200);
	assert_int_equal(p.epoch, 2);
	assert_int_equal(p.payload_len, 3);
	assert_ptr_equal(p.payload, golden + CW_PKG_HDR);
}

static void
package_truncated(void **state)
{
	struct cw_pkg p;
	size_t n, len = seal(CW_PKG_COS, "\0\1\0\0image", 9);

	(void)state;
	assert_int_equal(cw_pkg_parse(&p, buf, len), 0);
	assert_int_equal(p.kind, CW_PKG_COS);
	for (n = 0; n < 8; n++)
		assert_int_equal(cw_pkg_parse(&p, buf, n), CW_EFORMAT);
	for (; n < len; n++)
		assert_int_equal(cw_pkg_parse(&p, buf, n), CW_ESHORT);
	assert_int_equal(cw_pkg_parse(&p, buf, len + 1), CW_EINVAL);
}

/*
 * A change of any byte is noticed, but for order, record and epoch: those are
 * the lease's to confirm (docs/spec/package.md).
 */
static void
package_flips(void **state)
{
	struct cw_pkg p;
	size_t i, len = seal(CW_PKG_PERSONAL, "payload", 7);

	(void)state;
	for (i = 0; i < len; i++) {
		int err;

		buf[i] ^= 0x10;
		err = cw_pkg_parse(&p, buf, len);
		if (i < 8)
			assert_int_equal(err, CW_EFORMAT);
		else if (i == 8)
			assert_int_equal(err, CW_EVERSION);
		else if (i < 12)
			assert_int_equal(err, CW_EINVAL);
		else if (i >= 32 && i < 36)
			assert_int_equal(err, CW_ESHORT);
		else if (i >= 36)
			assert_int_equal(err, CW_EDIGEST);
		buf[i] ^= 0x10;
	}
	assert_int_equal(cw_pkg_parse(&p, buf, len), 0);
}

static int
numbers(enum cw_pkg_kind kind, uint64_t order, uint64_t record, uint32_t epoch,
    uint32_t len)
{
	struct cw_pkg p = { .kind = kind, .order = order, .record = record,
		.epoch = epoch, .payload_len = len };
	struct cw_pkg got;

	memset(buf + CW_PKG_HDR, 'x', len);
	return cw_pkg_parse(&got, buf, cw_pkg_seal(buf, &p));
}

static void
package_numbers(void **state)
{
	(void)state;
	assert_int_equal(numbers(CW_PKG_COS, 1, 0, 0, 5), 0);
	assert_int_equal(numbers(CW_PKG_COS, 1, 1, 0, 5), CW_EINVAL);
	assert_int_equal(numbers(CW_PKG_COS, 1, 0, 1, 5), CW_EINVAL);
	assert_int_equal(numbers(CW_PKG_COS, 0, 0, 0, 5), CW_EINVAL);
	assert_int_equal(numbers(CW_PKG_COS, 1, 0, 0, 4), CW_EINVAL);
	assert_int_equal(numbers(CW_PKG_PERSONAL, 1, 1, 1, 1), 0);
	assert_int_equal(numbers(CW_PKG_PERSONAL, UINT64_MAX, UINT64_MAX,
	    UINT32_MAX, 1), 0);
	assert_int_equal(numbers(CW_PKG_PERSONAL, 1, 0, 1, 1), CW_EINVAL);
	assert_int_equal(numbers(CW_PKG_PERSONAL, 1, 1, 0, 1), CW_EINVAL);
	assert_int_equal(numbers(CW_PKG_PERSONAL, 1, 1, 1, 0), CW_EINVAL);
	assert_int_equal(numbers(CW_PKG_UNKNOWN, 1, 1, 1, 1), CW_EINVAL);
	assert_int_equal(numbers((enum cw_pkg_kind)3, 1, 1, 1, 1), CW_EINVAL);
}

static const uint8_t record[] = {
	0x00, 0x02,
	0x05, 'i', 'c', 'c', 'i', 'd', 0x00, 0x04, '8', '9', '4', '9',
	0x02, 'k', 'i', 0x00, 0x02, 'f', '0',
};

static void
record_build(void **state)
{
	uint8_t out[64];
	size_t len = 0;
	struct cw_field f;

	(void)state;
	assert_int_equal(cw_record_add(out, sizeof out, &len, "iccid",
	    (const uint8_t *)"8949", 4), 0);
	assert_int_equal(cw_record_add(out, sizeof out, &len, "ki",
	    (const uint8_t *)"f0", 2), 0);
	assert_int_equal(len, sizeof record);
	assert_memory_equal(out, record, sizeof record);
	assert_int_equal(cw_record_check(out, len), 2);

	assert_int_equal(cw_record_field(&f, out, len, 1), 0);
	assert_string_equal(f.name, "ki");
	assert_int_equal(f.value_len, 2);
	assert_memory_equal(f.value, "f0", 2);
	assert_int_equal(cw_record_field(&f, out, len, 2), CW_ENOENT);
	assert_int_equal(cw_record_find(&f, out, len, "ICCID"), 0);
	assert_memory_equal(f.value, "8949", 4);
	assert_int_equal(cw_record_find(&f, out, len, "icci"), CW_ENOENT);
	assert_int_equal(cw_record_find(&f, out, len, ""), CW_ENOENT);
}

static void
record_add_limits(void **state)
{
	static uint8_t out[CW_PKG_RECORD_MAX], value[CW_PKG_VALUE_MAX + 1];
	char name[CW_PKG_NAME_MAX + 2];
	size_t len = 0, before, cap;
	int i;

	(void)state;
	/* Nothing is changed by a field that does not fit. */
	assert_int_equal(cw_record_add(out, 64, &len, "a", value, 1), 0);
	before = len;
	for (cap = 0; cap < before + 6; cap++) {
		assert_int_equal(cw_record_add(out, cap, &len, "bc", value, 2),
		    CW_EFULL);
		assert_int_equal(len, before);
		assert_int_equal(cw_record_check(out, len), 1);
	}
	assert_int_equal(cw_record_add(out, 64, &len, "A", value, 1), CW_EINVAL);
	assert_int_equal(cw_record_add(out, 64, &len, "", value, 1), CW_EINVAL);
	assert_int_equal(cw_record_add(out, 64, &len, "x\n", value, 1),
	    CW_EINVAL);
	assert_int_equal(cw_record_add(out, sizeof out, &len, "b", value,
	    sizeof value), CW_ETOOBIG);

	/* The greatest record there is. */
	len = 0;
	for (i = 0; i < CW_PKG_FIELDS_MAX; i++) {
		snprintf(name, sizeof name, "%0*d", CW_PKG_NAME_MAX, i);
		assert_int_equal(cw_record_add(out, sizeof out, &len, name,
		    value, CW_PKG_VALUE_MAX), 0);
	}
	assert_int_equal(len, CW_PKG_RECORD_MAX);
	assert_int_equal(cw_record_check(out, len), CW_PKG_FIELDS_MAX);
	assert_int_equal(cw_record_add(out, sizeof out, &len, "one", value, 0),
	    CW_ETOOBIG);
	memset(name, 'n', sizeof name);
	name[CW_PKG_NAME_MAX + 1] = '\0';
	len = 0;
	assert_int_equal(cw_record_add(out, sizeof out, &len, name, value, 0),
	    CW_EINVAL);
}

static void
record_bad(void **state)
{
	uint8_t bad[sizeof record + 1];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof record; n++)
		assert_int_equal(cw_record_check(record, n), CW_ESHORT);
	memcpy(bad, record, sizeof record);
	bad[sizeof record] = 0;
	assert_int_equal(cw_record_check(bad, sizeof bad), CW_EFORMAT);
	bad[3] = 0x01;				/* control character in a name */
	assert_int_equal(cw_record_check(bad, sizeof record), CW_EFORMAT);
	assert_int_equal(cw_record_check((const uint8_t *)"\0\0", 2),
	    CW_EFORMAT);
	assert_int_equal(cw_record_check((const uint8_t *)"\0\101", 2),
	    CW_ETOOBIG);			/* 65 fields */
	assert_int_equal(cw_record_check((const uint8_t *)"\0\2\1a\0\0\1A\0\0",
	    10), CW_EFORMAT);			/* a name twice */
	assert_int_equal(cw_record_check((const uint8_t *)"\0\1\0\0\0", 5),
	    CW_EFORMAT);			/* empty name */
}

/* Whatever the bytes, a checked record gives as many fields as it says. */
static void
record_mutated(void **state)
{
	uint8_t m[sizeof record];
	uint64_t seed = 0xabcdef;
	struct cw_field f;
	int round, ok_cnt = 0;

	(void)state;
	for (round = 0; round < 100000; round++) {
		size_t len = sizeof m;
		int cnt, i;

		memcpy(m, record, sizeof m);
		m[lots_below(&seed, sizeof m)] = (uint8_t)lots_next(&seed);
		if (round % 3 == 0)
			len = lots_below(&seed, sizeof m + 1);
		cnt = cw_record_check(m, len);
		for (i = 0; i < cnt; i++)
			assert_int_equal(cw_record_field(&f, m, len,
			    (unsigned int)i), 0);
		ok_cnt += cnt > 0;
	}
	assert_true(ok_cnt > 1000);
}

static enum cw_pkg_kind
guess(const char *text)
{
	const char *why = NULL;
	enum cw_pkg_kind kind;

	kind = cw_pkg_guess((const uint8_t *)text, strlen(text), &why);
	assert_non_null(why);
	assert_true(strlen(why) > 10);
	return kind;
}

static void
guess_cos(void **state)
{
	(void)state;
	assert_int_equal(guess(":0300300002337A1E\r\n:00000001FF\r\n"),
	    CW_PKG_COS);
	assert_int_equal(guess("S1137AF00A0A0D0000000000000000000000000061\n"
	    "S9030000FC\n"), CW_PKG_COS);
	assert_int_equal(cw_pkg_guess((const uint8_t *)"CWCOS\0\1\2\3", 9, NULL),
	    CW_PKG_COS);
}

static void
guess_personal(void **state)
{
	(void)state;
	assert_int_equal(cw_pkg_guess(record, sizeof record, NULL),
	    CW_PKG_PERSONAL);
	assert_int_equal(guess("imsi,iccid,ki\n001010000000001,8949,f0f0\n"),
	    CW_PKG_PERSONAL);
	assert_int_equal(guess("\xef\xbb\xbfName;ICCID\r\n\"A;B\";8949\r\n\r\n"),
	    CW_PKG_PERSONAL);
	assert_int_equal(guess("Ki\tacc\nf0f0\t0001"), CW_PKG_PERSONAL);
}

static void
guess_undecidable(void **state)
{
	static const uint8_t vectors[] = {	/* an ARM vector table */
		0x00, 0x50, 0x00, 0x20, 0x01, 0x01, 0x00, 0x08,
	};
	size_t n, len;

	(void)state;
	assert_int_equal(guess(""), CW_PKG_UNKNOWN);
	assert_int_equal(guess("hello"), CW_PKG_UNKNOWN);
	assert_int_equal(cw_pkg_guess(vectors, sizeof vectors, NULL),
	    CW_PKG_UNKNOWN);
	/* A wrong check sum, no end record, bytes after it. */
	assert_int_equal(guess(":0300300002337A1F\n:00000001FF\n"),
	    CW_PKG_UNKNOWN);
	assert_int_equal(guess(":0300300002337A1E\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess(":0300300002337A1E\n:00000001FF\nmore\n"),
	    CW_PKG_UNKNOWN);
	/* Columns but no personal one; two data lines; cells missing. */
	assert_int_equal(guess("name,city\nA,B\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid,ki\n1,2\n3,4\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid,ki\n1\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid,ki\n1,2,3\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid,ki\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid\n\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid,ki\n\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid,ki\n1,\x01\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("iccid,ki\n\"1,2\n"), CW_PKG_UNKNOWN);
	assert_int_equal(guess("kid1,iccids\n1,2\n"), CW_PKG_UNKNOWN);
	/* A damaged or a whole identifier is never guessed past. */
	len = seal(CW_PKG_PERSONAL, record, sizeof record);
	buf[7] ^= 1;
	assert_int_equal(cw_pkg_guess(buf, len, NULL), CW_PKG_UNKNOWN);
	buf[7] ^= 1;
	assert_int_equal(cw_pkg_guess(buf, len, NULL), CW_PKG_UNKNOWN);
	/* A record cut anywhere is no record. */
	for (n = 0; n < sizeof record; n++)
		assert_int_equal(cw_pkg_guess(record, n, NULL), CW_PKG_UNKNOWN);
}

/* The two signs exclude each other where one might think they meet. */
static void
guess_both(void **state)
{
	static const uint8_t both[] = {
		'C', 'W', 'C', 'O', 'S', 0x00, ',', 'k', 'i', '\n', '1', ',', '2',
	};

	(void)state;
	/* The mark's NUL is not printable, so this is an image, no CSV. */
	assert_int_equal(cw_pkg_guess(both, sizeof both, NULL), CW_PKG_COS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(package_golden),
		cmocka_unit_test(package_truncated),
		cmocka_unit_test(package_flips),
		cmocka_unit_test(package_numbers),
		cmocka_unit_test(record_build),
		cmocka_unit_test(record_add_limits),
		cmocka_unit_test(record_bad),
		cmocka_unit_test(record_mutated),
		cmocka_unit_test(guess_cos),
		cmocka_unit_test(guess_personal),
		cmocka_unit_test(guess_undecidable),
		cmocka_unit_test(guess_both),
	};

	return cmocka_run_group_tests_name("package", tests, NULL, NULL);
}
