/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "terminal/decision.h"

static uint8_t pkg[4096];

static size_t
seal(enum cw_pkg_kind kind, const void *payload, size_t len)
{
	struct cw_pkg p = { .kind = kind, .order = 7,
	    .record = kind == CW_PKG_COS ? 0 : 3,
	    .epoch = kind == CW_PKG_COS ? 0 : 2, .payload_len = (uint32_t)len };

	memcpy(pkg + CW_PKG_HDR, payload, len);
	return cw_pkg_seal(pkg, &p);
}

static void
test_identifier(void **state)
{
	struct cw_decision d;
	uint8_t rec[128], out[64];
	uint32_t addr;
	size_t len = 0, n;

	(void)state;
	n = seal(CW_PKG_COS, "\x00\x01\x00\x00" "image", 9);
	assert_int_equal(cw_decide(&d, pkg, n), 0);
	assert_int_equal(d.kind, CW_PKG_COS);
	assert_false(d.by_format);
	assert_int_equal(d.order, 7);
	assert_int_equal(cw_decision_image(&d, out, sizeof out, &addr), 5);
	assert_int_equal(addr, 0x10000);
	assert_memory_equal(out, "image", 5);
	assert_int_equal(cw_decision_image(&d, out, 4, &addr), CW_ETOOBIG);

	assert_int_equal(cw_record_add(rec, sizeof rec, &len, "iccid",
	    (const uint8_t *)"8949", 4), 0);
	n = seal(CW_PKG_PERSONAL, rec, len);
	assert_int_equal(cw_decide(&d, pkg, n), 0);
	assert_int_equal(d.kind, CW_PKG_PERSONAL);
	assert_int_equal(d.record, 3);
	assert_int_equal(d.epoch, 2);
	assert_int_equal(cw_decision_record(&d, out, sizeof out), (int)len);
	assert_memory_equal(out, rec, len);
}

/* An identifier that is damaged, or lies about its payload, is no reason to
 * look at the content instead. */
static void
test_contradiction(void **state)
{
	struct cw_decision d;
	size_t n;

	(void)state;
	n = seal(CW_PKG_PERSONAL, "\x00\x01\x00\x00image", 9);
	assert_true(cw_decide(&d, pkg, n) < 0);
	assert_int_equal(d.kind, CW_PKG_UNKNOWN);
	assert_true(d.why[0] != '\0');
	n = seal(CW_PKG_COS, "\x00\x01\x00\x00", 4);
	assert_true(cw_decide(&d, pkg, n) < 0);
	n = seal(CW_PKG_COS, "\x00\x01\x00\x00image", 9);
	pkg[n - 1] ^= 1;
	assert_int_equal(cw_decide(&d, pkg, n), CW_EDIGEST);
	pkg[n - 1] ^= 1;
	assert_true(cw_decide(&d, pkg, n - 1) < 0);
	pkg[8] = 9;
	assert_int_equal(cw_decide(&d, pkg, n), CW_EVERSION);
}

static void
test_format(void **state)
{
	static const char csv[] =
	    "IMSI;iccid;Ki\r\n001010000000001;8949000000000000001;"
	    "000102030405060708090A0B0C0D0E0F\r\n";
	static const char hex[] = ":0400000001020304F2\n:00000001FF\n";
	struct cw_decision d;
	struct cw_field f;
	uint8_t out[256];
	uint32_t addr;
	int n;

	(void)state;
	assert_int_equal(cw_decide(&d, (const uint8_t *)hex, sizeof hex - 1), 0);
	assert_int_equal(d.kind, CW_PKG_COS);
	assert_true(d.by_format);
	assert_int_equal(cw_decision_image(&d, out, sizeof out, &addr), 4);
	assert_memory_equal(out, "\1\2\3\4", 4);
	assert_int_equal(addr, 0);

	assert_int_equal(cw_decide(&d, (const uint8_t *)csv, sizeof csv - 1), 0);
	assert_int_equal(d.kind, CW_PKG_PERSONAL);
	n = cw_decision_record(&d, out, sizeof out);
	assert_true(n > 0);
	assert_int_equal(cw_record_check(out, (size_t)n), 3);
	assert_int_equal(cw_record_find(&f, out, (size_t)n, "iccid"), 0);
	assert_int_equal(f.value_len, 19);
	assert_memory_equal(f.value, "8949000000000000001", 19);
	assert_int_equal(cw_record_find(&f, out, (size_t)n, "ki"), 0);
	assert_int_equal(f.value_len, 32);
}

static void
test_undecidable(void **state)
{
	static const uint8_t junk[] = "neither one thing nor the other";
	struct cw_decision d;

	(void)state;
	assert_int_equal(cw_decide(&d, junk, sizeof junk - 1), CW_EFORMAT);
	assert_non_null(strstr(d.why, "undecidable"));
	assert_int_equal(cw_decide(&d, junk, 0), CW_EFORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identifier),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_undecidable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
