/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "rig.h"

#define ADM "0020000A08 3838383838383838"

struct line {
	const char *apdu;
	int sw;
	const char *data;	/* expected, or NULL */
};

static void
play(struct rig *r, const struct line *l, size_t cnt)
{
	size_t i;
	int sw;

	for (i = 0; i < cnt; i++) {
		sw = rig_apdu(r, l[i].apdu);
		if (sw != l[i].sw)
			fail_msg("line %zu, %s: %d (%04X), not %04X", i,
			    l[i].apdu, sw, sw, l[i].sw);
		if (l[i].data != NULL)
			rig_expect(r, l[i].data);
	}
}
#define PLAY(r, l) play(r, l, sizeof(l) / sizeof((l)[0]))

static void
selecting(void **state)
{
	static const struct line l[] = {
		/* nothing selected */
		{ "00B0000001", 0x6986, NULL },
		{ "00B2010401", 0x6986, NULL },
		/* by identifier; FCP through 61xx and GET RESPONSE */
		{ "00A4000402 3F00 00", 0x9000,
		    "620B 82027821 83023F00 8A0105" },
		{ "00A4000402 2FE2 00", 0x9000,
		    "620F 82024121 83022FE2 8A0105 8002000A" },
		{ "00A4000402 2F00 00", 0x9000,
		    "6212 82054221002002 83022F00 8A0105 80020040" },
		{ "A0A4000002 7F10 00", 0x9000,
		    "620B 82027821 83027F10 8A0105" },
		{ "00A4000C02 6F40", 0x9000, "" },
		/* what is not below, beside or above is not found */
		{ "00A4000C02 6F07", 0x6A82, NULL },
		{ "00A4000C02 7F20", 0x9000, NULL },
		{ "00A4000C02 6F07", 0x9000, NULL },
		{ "00A4000C02 7F20", 0x9000, NULL },
		{ "00A4000C02 2FE2", 0x6A82, NULL },
		{ "00A4000C02 3F00", 0x9000, NULL },
		{ "00A4000C02 2FE2", 0x9000, NULL },
		/* by path from the MF, wherever we are */
		{ "00A4080C04 7F206FAD", 0x9000, NULL },
		{ "00A4080C04 7F106F42", 0x9000, NULL },
		{ "00A4080C02 2FE2", 0x9000, NULL },
		{ "00A4080C04 7F206F42", 0x6A82, NULL },
		{ "00A4080C06 7F206F077F20", 0x6A82, NULL },
		{ "00A4080C03 7F206F", 0x6A82, NULL },
		/* a failed SELECT leaves the file selected */
		{ "00B000000A", 0x9000, "FFFFFFFFFFFFFFFFFFFF" },
		/* bad parameters */
		{ "00A4040C02 3F00", 0x6A86, NULL },
		{ "00A4000102 3F00", 0x6A86, NULL },
		{ "00A4000C00", 0x6700, NULL },
		{ "00A4000C01 3F", 0x6700, NULL },
		{ "80A4000C02 3F00", 0x6E00, NULL },
		{ "00E4000000", 0x6D00, NULL },
	};
	struct rig r;

	(void)state;
	rig_open_cos(&r, NULL);
	PLAY(&r, l);
	rig_close(&r);
}

static void
get_response(void **state)
{
	static const struct line l[] = {
		{ "00C0000001", 0x6985, NULL },
		{ "00A4000402 3F00", 0x610D, NULL },
		{ "00C0000020", 0x6C0D, NULL },
		{ "00C0000005", 0x6108, "620B820278" },
		{ "00C0000008", 0x9000, "21 83023F00 8A0105" },
		{ "00C0000001", 0x6985, NULL },
		/* another command in between: what waited is gone */
		{ "00A4000402 3F00", 0x610D, NULL },
		{ "00A4000C02 3F00", 0x9000, NULL },
		{ "00C000000D", 0x6985, NULL },
	};
	struct rig r;

	(void)state;
	rig_open_cos(&r, NULL);
	r.t0_cfg.manual_get = true;
	PLAY(&r, l);
	rig_close(&r);
}

static void
access_rights(void **state)
{
	static const struct line before[] = {
		{ "00A4080C02 2FE2", 0x9000, NULL },
		{ "00B000000A", 0x9000, "FFFFFFFFFFFFFFFFFFFF" },
		{ "00D600000A 98880000000000000091", 0x6982, NULL },
		{ "00A4080C04 7F996F01", 0x9000, NULL },
		{ "00B0000010", 0x6982, NULL },
		{ "00D6000010 000102030405060708090A0B0C0D0E0F", 0x6982, NULL },
		{ "00A4080C04 7F996F03", 0x9000, NULL },
		{ "00B2010410", 0x6982, NULL },
		{ "00DC010410 31323334FFFFFFFFFFFFFFFFFFFFFFFF", 0x6982, NULL },
	};
	static const struct line after[] = {
		{ ADM, 0x9000, NULL },
		{ "00A4080C02 2FE2", 0x9000, NULL },
		{ "00D600000A 98880000000000000091", 0x9000, NULL },
		{ "00A4080C04 7F996F01", 0x9000, NULL },
		{ "00D6000010 000102030405060708090A0B0C0D0E0F", 0x9000, NULL },
		{ "00B0000010", 0x9000, "000102030405060708090A0B0C0D0E0F" },
		{ "00A4080C04 7F996F03", 0x9000, NULL },
		{ "00DC020410 31323334FFFFFFFFFFFFFFFFFFFFFFFF", 0x9000, NULL },
		{ "00B2010410", 0x9000, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" },
		{ "00B2020410", 0x9000, "31323334FFFFFFFFFFFFFFFFFFFFFFFF" },
	};
	struct rig r;
	uint8_t buf[32];

	(void)state;
	rig_open_cos(&r, NULL);
	PLAY(&r, before);
	PLAY(&r, after);

	/* A reset takes the right away, not the content. */
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, "00A4080C04 7F996F01"), 0x9000);
	assert_int_equal(rig_apdu(&r, "00B0000010"), 0x6982);
	assert_int_equal(cw_sim_card_read(r.card, "3F00/7F99/6F01", buf, 32),
	    16);
	assert_memory_equal(buf, "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);
	assert_int_equal(cw_sim_card_read(r.card, "3F00/7F99/6F03#2", buf, 32),
	    16);
	assert_memory_equal(buf, "1234\xFF", 5);
	rig_close(&r);
}

static void
offsets_and_records(void **state)
{
	static const struct line l[] = {
		{ ADM, 0x9000, NULL },
		{ "00A4080C04 7F206F07", 0x9000, NULL },
		{ "00D6000303 112233", 0x9000, NULL },
		{ "00B0000204", 0x9000, "FF112233" },
		{ "00B0000009", 0x9000, "FFFFFF112233FFFFFF" },
		{ "00B0000801", 0x9000, "FF" },
		{ "00B0000901", 0x6B00, NULL },
		{ "00D6000901 00", 0x6B00, NULL },
		{ "00D6000802 0000", 0x6700, NULL },
		{ "00D6000000", 0x6700, NULL },
		{ "00B0800001", 0x6A86, NULL },
		{ "00B2010409", 0x6981, NULL },
		{ "00DC010409 000000000000000000", 0x6981, NULL },
		/* Le larger than what is there, or 256: 6Cxx, asked again */
		{ "00B0000020", 0x9000, "FFFFFF112233FFFFFF" },
		{ "00B0000500", 0x9000, "33FFFFFF" },
		{ "00A4080C04 7F996F03", 0x9000, NULL },
		{ "00B2000410", 0x6A83, NULL },
		{ "00B2050410", 0x6A83, NULL },
		{ "00B2010010", 0x6A86, NULL },
		{ "00B0000010", 0x6981, NULL },
		{ "00DC01040F 000000000000000000000000000000", 0x6700, NULL },
		{ "00B2040405", 0x9000, "FFFFFFFFFF" },
		{ "00A4080C02 2F00", 0x9000, NULL },
		{ "00B2020400", 0x9000, NULL },
		{ "00B2030400", 0x6A83, NULL },
	};
	struct rig r;

	(void)state;
	rig_open_cos(&r, NULL);
	PLAY(&r, l);
	rig_close(&r);
}

static void
verifying(void **state)
{
	static const struct line wrong[] = {
		{ "0020000A", 0x63C3, NULL },
		{ "0020000A08 0000000000000000", 0x63C2, NULL },
		{ "0020000A", 0x63C2, NULL },
		{ "0020000A08 0000000000000000", 0x63C1, NULL },
		{ ADM, 0x9000, NULL },
		{ "0020000A", 0x9000, NULL },
		{ "0020000A07 38383838383838", 0x6700, NULL },
		{ "0020000108 3838383838383838", 0x6A88, NULL },
		{ "0020010A08 3838383838383838", 0x6A86, NULL },
		{ "0020000A08 0000000000000000", 0x63C2, NULL },
		/* a wrong one takes the right away */
		{ "00A4080C04 7F996F01", 0x9000, NULL },
		{ "00B0000010", 0x6982, NULL },
		{ "0020000A08 0000000000000000", 0x63C1, NULL },
		{ "0020000A08 0000000000000000", 0x6983, NULL },
		{ ADM, 0x6983, NULL },
		{ "0020000A", 0x6983, NULL },
	};
	static const struct line change[] = {
		{ ADM, 0x9000, NULL },
		{ "00A4080C04 7F996F04", 0x9000, NULL },
		{ "00D6000004 31323334", 0x6700, NULL },
		{ "00D6000008 3132333435363738", 0x9000, NULL },
		{ ADM, 0x63C2, NULL },
		{ "0020000A08 3132333435363738", 0x9000, NULL },
		{ "0020000A", 0x9000, NULL },
	};
	struct rig r;

	(void)state;
	rig_open_cos(&r, NULL);
	PLAY(&r, wrong);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, ADM), 0x6983);
	rig_close(&r);
	rig_open_cos(&r, NULL);
	PLAY(&r, change);
	rig_close(&r);
}

static void
reading_from_outside(void **state)
{
	static const char *const none[] = {
		"", "3F0", "3F00", "2FE2", "3F00/2FE3", "3F00/7F10",
		"3F00/7F10/6F40", "3F00/7F10/6F40#0", "3F00/7F10/6F40#2",
		"3F00/2FE2#1", "3F00/2FE2/", "3F00/2FE2#", "3F00/7F10/6F40#1x",
	};
	uint8_t buf[64], digest[32];
	struct rig r;
	size_t i;

	(void)state;
	rig_open_cos(&r, NULL);
	for (i = 0; i < sizeof none / sizeof none[0]; i++)
		if (cw_sim_card_read(r.card, none[i], buf, 64) != CW_ENOENT)
			fail_msg("\"%s\" was found", none[i]);
	assert_int_equal(cw_sim_card_read(r.card, "3F00/7F10/6F40#1", buf, 64),
	    28);
	assert_int_equal(cw_sim_card_read(r.card, "3f00/2fe2", buf, 9),
	    CW_EFULL);
	assert_true(cw_sim_card_cos(r.card, digest));
	rig_close(&r);
	rig_open(&r, NULL);
	assert_int_equal(cw_sim_card_read(r.card, "3F00/2FE2", buf, 64),
	    CW_ESTATE);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selecting),
		cmocka_unit_test(get_response),
		cmocka_unit_test(access_rights),
		cmocka_unit_test(offsets_and_records),
		cmocka_unit_test(verifying),
		cmocka_unit_test(reading_from_outside),
	};

	return cmocka_run_group_tests_name("card/fs", tests, NULL, NULL);
}
