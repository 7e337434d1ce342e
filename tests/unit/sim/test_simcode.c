/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/simcode.h"
#include "host/aes.h"

typedef int coding(uint8_t *out, const char *text, size_t len,
    struct cw_simcode_fault *f);

static void
codes(coding *fn, const char *text, const char *want)
{
	struct cw_simcode_fault f = { 0 };
	uint8_t out[32];
	char hex[65];
	int n = fn(out, text, strlen(text), &f);

	if (n < 0)
		fail_msg("\"%s\": position %u %s", text, f.pos, f.what);
	cw_hex(hex, out, (size_t)n);
	assert_string_equal(hex, want);
}

/* The place must be named, and what to do. */
static void
refuses(coding *fn, const char *text, unsigned int pos, const char *what)
{
	struct cw_simcode_fault f = { 0 };
	uint8_t out[32];

	assert_int_equal(fn(out, text, strlen(text), &f), CW_EFORMAT);
	assert_int_equal(f.pos, pos);
	if (strstr(f.what, what) == NULL)
		fail_msg("\"%s\": said \"%s\", expected \"%s\"", text, f.what, what);
	assert_true(strlen(f.remedy) > 0);
}

/* The numbers are those printed in pySim's own tests and README for real cards. */
static void
test_iccid(void **state)
{
	(void)state;
	codes(cw_simcode_iccid, "8988211000000467343", "988812010000407643f3");
	codes(cw_simcode_iccid, "8949440000001155314", "989444000000115513f4");
	codes(cw_simcode_iccid, "89882119000001178337", "98881291000010713873");
	codes(cw_simcode_iccid, "894944000000115531", "989444000000115513ff");
	refuses(cw_simcode_iccid, "8988211000000467344", 19, "Luhn");
	refuses(cw_simcode_iccid, "89882110000004673", 0, "18 to 20");
	refuses(cw_simcode_iccid, "898821100000046734312", 0, "18 to 20");
	refuses(cw_simcode_iccid, "898821100000A467343", 13, "digit");
	refuses(cw_simcode_iccid, "", 0, "18 to 20");
	assert_int_equal(cw_simcode_luhn("7992739871", 10), 3);
}

/* TS 31.102, 4.2.2: 15 digits have odd parity (9), 14 even (1). */
static void
test_imsi_and_acc(void **state)
{
	(void)state;
	codes(cw_simcode_imsi, "001010123456063", "080910101032540636");
	codes(cw_simcode_imsi, "26242300000001", "0821262403000000f1");
	codes(cw_simcode_acc, "001010123456063", "0008");
	codes(cw_simcode_acc, "001010123456069", "0200");
	codes(cw_simcode_acc, "001010123456060", "0001");
	refuses(cw_simcode_imsi, "00101", 0, "6 to 15");
	refuses(cw_simcode_imsi, "0010101234560631", 0, "6 to 15");
	refuses(cw_simcode_acc, "00101012345606x", 15, "digit");
}

static void
plmn(const char *text, size_t cap, bool act, const char *want)
{
	struct cw_simcode_text t = { text, strlen(text) };
	struct cw_simcode_fault f = { 0 };
	uint8_t out[32];
	char hex[65];

	assert_int_equal(cw_simcode_plmn_list(out, cap, act, &t, &f), (int)cap);
	cw_hex(hex, out, cap);
	assert_string_equal(hex, want);
}

static void
plmn_refuses(const char *text, size_t cap, bool act, unsigned int pos)
{
	struct cw_simcode_text t = { text, strlen(text) };
	struct cw_simcode_fault f = { 0 };
	uint8_t out[32];

	assert_int_equal(cw_simcode_plmn_list(out, cap, act, &t, &f), CW_EFORMAT);
	assert_int_equal(f.pos, pos);
}

/* TS 31.102, 4.2.5: 246 81 is 42 F6 18. */
static void
test_plmn(void **state)
{
	(void)state;
	plmn("24681", 6, false, "42f618ffffff");
	plmn("310-410,24681", 6, false, "13001442f618");
	plmn("24681:4000 26201", 15, true, "42f618400062f210c080ffffff0000");
	plmn("", 5, true, "ffffff0000");
	plmn_refuses("24681 2462", 6, false, 11);
	plmn_refuses("2468111", 6, false, 7);
	plmn_refuses("24681 24682 24683", 6, false, 17);
	plmn_refuses("24681:40", 5, true, 7);
	plmn_refuses("24681;24682", 6, false, 6);
}

static int
gsm10(uint8_t *out, const char *text, size_t len, struct cw_simcode_fault *f)
{
	return cw_simcode_gsm(out, 10, text, len, f);
}

static void
test_text_and_numbers(void **state)
{
	(void)state;
	codes(gsm10, "Magic", "4d61676963ffffffffff");
	codes(gsm10, "a@b$c_", "61006202" "6311ffffffff");
	refuses(gsm10, "sh\xc3\xb6p", 3, "alphabet");
	refuses(gsm10, "a[b", 2, "alphabet");
	refuses(gsm10, "elevenchars", 11, "fit");

	codes(cw_simcode_number, "+491701234567", "0791947110325476ffffffffffff");
	codes(cw_simcode_number, "555*#1", "048155a51bffffffffffffffffff");
	refuses(cw_simcode_number, "+49 170", 4, "neither");
	refuses(cw_simcode_number, "+", 0, "1 to 20");
	refuses(cw_simcode_number, "123456789012345678901", 0, "1 to 20");
	codes(cw_simcode_smsp, "+491710760000",
	    "fdffffffffffffffffffffffff0791947101670000ffffffffffffff");
}

/* The confusion that costs cards: a key or PIN as hex where ASCII is due. */
static void
test_pins(void **state)
{
	(void)state;
	codes(cw_simcode_pin, "1234", "31323334ffffffff");
	codes(cw_simcode_pin, "12345678", "3132333435363738");
	codes(cw_simcode_puk, "31323334", "3331333233333334");
	codes(cw_simcode_adm, "88888888", "3838383838383838");
	codes(cw_simcode_adm, "Ab#9", "41622339ffffffff");
	codes(cw_simcode_adm_hex, "0123456789ABcdef", "0123456789abcdef");

	refuses(cw_simcode_pin, "31323334", 0, "hex");
	refuses(cw_simcode_pin, "31323334FFFFFFFF", 0, "hex");
	refuses(cw_simcode_pin, "313233343536ffff", 0, "hex");
	refuses(cw_simcode_pin, "123", 0, "4 to 8");
	refuses(cw_simcode_pin, "123456789", 0, "4 to 8");
	refuses(cw_simcode_pin, "12 4", 3, "digit");
	refuses(cw_simcode_puk, "3132333435363738", 0, "hex");
	refuses(cw_simcode_puk, "1234567", 0, "8 digits");
	refuses(cw_simcode_adm, "3838383838383838", 0, "hex where ASCII");
	refuses(cw_simcode_adm, "abc", 0, "4 to 8");
	refuses(cw_simcode_adm, "key 1", 4, "printable");
	refuses(cw_simcode_adm_hex, "88888888", 0, "16 hex");
	refuses(cw_simcode_adm_hex, "01234567x9ABcdef", 9, "hex digit");
}

/* FIPS 197's cipher on zeroes: NIST's KAT VarKey128, key 80 00 ... 00. */
static void
test_kcv(void **state)
{
	uint8_t key[16] = { 0x80 }, kcv[3];
	static const uint8_t want[3] = { 0x0e, 0xdd, 0x33 };

	(void)state;
	cw_simcode_kcv(cw_host_aes(), key, kcv);
	assert_memory_equal(kcv, want, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iccid),
		cmocka_unit_test(test_imsi_and_acc),
		cmocka_unit_test(test_plmn),
		cmocka_unit_test(test_text_and_numbers),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_kcv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
