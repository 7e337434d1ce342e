/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../card/rig.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/milenage.h"
#include "host/aes.h"
#include "sim/uicc.h"

/* TS 35.208, test set 3: Ki and OPc in the files that the card takes them from. */
#define KI "fec86ba6eb707ed08905757b1bb44b8f"
#define OPC "1006020f0a478bf6b699f15c062e42b3"
#define RND "9f7c8d021accf4db213ccff0c7f71a6a"
#define RES "8011c48c0c214ed2"
#define CK "5dbdbb2954e8f3cde665b046179a5098"
#define IK "59a92d3b476a0443487055cf88b2307b"

#define AID "A0000000871002FF49FFFF8900000100"

static const char text[] =
    "card test	# a comment\n"
    "state active\n"
    "pin 01 value=1234 puk=11112222 tries=3\n"
    "pin 0A value=88888888 tries=3\n"
    "ef 3F00/2FE2 transparent 10 sfi=02 data=98881200\n"
    "adf 3F00/7FF0 " AID "\n"
    "ef 3F00/7FF0/6F07 transparent 9 sfi=07 read=pin1\n"
    "ef 3F00/7FF0/6F39 cyclic 3 2 read=pin1 update=pin1\n"
    "df 3F00/7F10\n"
    "ef 3F00/7F10/6F40 linear 4 2 update=pin1\n"
    "df 3F00/7F20\n"
    "ef 3F00/7F20/6F07 = 3F00/7FF0/6F07\n"
    "ef 3F00/7F20/6FFF transparent 2 read=never update=never\n"
    "df 3F00/7F99\n"
    "ef 3F00/7F99/6F01 transparent 16 read=adm role=ki data=" KI "\n"
    "ef 3F00/7F99/6F02 transparent 16 read=adm role=opc data=" OPC "\n"
    "ef 3F00/7F99/6F03 linear 16 4 read=adm role=pins\n"
    "ef 3F00/7F99/6F04 transparent 8 read=adm role=adm\n";

struct env {
	struct cw_uicc_desc *d;
	struct rig r;
};

static struct cw_uicc_desc *
load(const char *t)
{
	char err[256] = "";
	struct cw_uicc_desc *d = cw_uicc_load(t, strlen(t), "t", err, sizeof err);

	if (d == NULL)
		fail_msg("%s", err);
	return d;
}

static void
open_desc(struct env *e, struct cw_uicc_desc *d, enum cw_sim_protocols t)
{
	struct cw_sim_card_config cfg = { .serial = "SERIAL01",
		.flash_len = 8192, .protocols = t };

	e->d = d;
	cfg.uicc = d;
	rig_open_cfg(&e->r, &cfg);
	assert_int_equal(rig_reset(&e->r), 0);
}

static int
setup(void **state)
{
	struct env *e = calloc(1, sizeof *e);

	open_desc(e, load(text), CW_SIM_T0);
	*state = e;
	return 0;
}

static int
teardown(void **state)
{
	struct env *e = *state;

	rig_close(&e->r);
	cw_uicc_desc_free(e->d);
	free(e);
	return 0;
}

static void
sw(struct env *e, const char *apdu, int want)
{
	int got = rig_apdu(&e->r, apdu);

	if (got != want)
		fail_msg("%s: %04X, expected %04X", apdu, got, want);
}

/* A command with an answer.  In T=0 the rig has followed 61xx and 6Cxx by now. */
static void
answers(struct env *e, const char *apdu, const char *data)
{
	sw(e, apdu, 0x9000);
	rig_expect(&e->r, data);
}

static void
test_select(void **state)
{
	struct env *e = *state;

	/* FCP: TS 102 221, 11.1.1.3, put together by hand. */
	answers(e, "00A4000402 2FE2 00", "6212 82024121 83022FE2 8A0105 8002000A "
	    "880110");
	sw(e, "00A4000C02 2FE2", 0x9000);
	sw(e, "00A4000C02 6F07", 0x6A82);
	answers(e, "00A4040407 A0000000871002 00", "6228 82027821 83027FF0 8410" AID
	    " 8A0105 C609 9001C0 830101 83010A");
	sw(e, "00A4000C02 6F07", 0x9000);
	sw(e, "00A4080C04 7F106F40", 0x9000);
	/* The application is still the current one, by 7FFF. */
	sw(e, "00A4080C04 7FFF6F07", 0x9000);
	answers(e, "00A4080404 7F106F40 00", "6212 82054221000402 83026F40 8A0105 "
	    "80020008");
	sw(e, "00A4040C05 A000000088", 0x6A82);
	sw(e, "00A4040C04 A0000000", 0x6A82);
	sw(e, "00A4020C02 2FE2", 0x6A86);
	sw(e, "00A4000002 2FE2", 0x6A86);
	sw(e, "00A4000C01 2F", 0x6700);
	sw(e, "00A4080C03 7F106F", 0x6A82);
	sw(e, "A0A4000C02 3F00", 0x6E00);
	sw(e, "0084000008", 0x6D00);
}

static void
test_status(void **state)
{
	struct env *e = *state;

	sw(e, "80F2000C", 0x9000);
	answers(e, "80F20000 18", "6216 82027821 83023F00 8A0105 C609 9001C0 "
	    "830101 83010A");
	/* any other length is told by 6C18 */
	answers(e, "80F2000000", "6216 82027821 83023F00 8A0105 C609 9001C0 "
	    "830101 83010A");
	sw(e, "80F2030000", 0x6A86);
	sw(e, "00F2000000", 0x6E00);
}

static void
test_access(void **state)
{
	struct env *e = *state;

	sw(e, "00B000000A", 0x6986);
	sw(e, "00A4000C02 2FE2", 0x9000);
	answers(e, "00B0000004", "98881200");
	sw(e, "00B0000A01", 0x6B00);
	sw(e, "00B2010404", 0x6981);
	sw(e, "00D6000001 00", 0x6982);
	answers(e, "00B0820201", "12");
	sw(e, "00B0900001", 0x6A82);
	sw(e, "00A4080C04 7F206F07", 0x9000);
	sw(e, "00B0000009", 0x6982);
	sw(e, "0020000A08 3838383838383838", 0x9000);
	/* ADM does not stand in for the PIN. */
	sw(e, "00B0000009", 0x6982);
	sw(e, "00D6000009 080910101032540636", 0x9000);
	sw(e, "00D600000A 08091010103254063600", 0x6700);
	sw(e, "0020000108 31323334FFFFFFFF", 0x9000);
	/* Written as the SIM's, read as the USIM's: one content. */
	sw(e, "00A4080C04 7FF06F07", 0x9000);
	answers(e, "00B0000009", "080910101032540636");
	sw(e, "00A4080C04 7F206FFF", 0x9000);
	sw(e, "00B0000002", 0x6982);
	sw(e, "00D6000002 0000", 0x6982);
	/* Rights end with a reset. */
	assert_int_equal(rig_reset(&e->r), 0);
	sw(e, "00A4080C04 7FF06F07", 0x9000);
	sw(e, "00B0000009", 0x6982);
}

static void
test_records(void **state)
{
	struct env *e = *state;

	sw(e, "00A4080C04 7F106F40", 0x9000);
	answers(e, "00B2020404", "FFFFFFFF");
	sw(e, "00B2030404", 0x6A83);
	sw(e, "00B2000404", 0x6A83);
	sw(e, "00B2010304", 0x6A86);
	sw(e, "00DC010404 01020304", 0x6982);
	sw(e, "0020000108 31323334FFFFFFFF", 0x9000);
	sw(e, "00DC020404 01020304", 0x9000);
	sw(e, "00DC020403 010203", 0x6700);
	answers(e, "00B2020404", "01020304");
	answers(e, "00B2010404", "FFFFFFFF");
	sw(e, "00A4080C04 7FF06F39", 0x9000);
	sw(e, "00DC010403 010203", 0x9000);
	sw(e, "00DC010403 040506", 0x9000);
	answers(e, "00B2010403", "040506");
	answers(e, "00B2020403", "010203");
}

static void
test_pin(void **state)
{
	struct env *e = *state;

	sw(e, "00200001", 0x63C3);
	sw(e, "0020000108 39393939FFFFFFFF", 0x63C2);
	sw(e, "00200001", 0x63C2);
	/* What was given as hex is just a wrong PIN to the card. */
	sw(e, "0020000108 3331333233333334", 0x63C1);
	sw(e, "0020000108 31323334FFFFFFFF", 0x9000);
	sw(e, "00200001", 0x9000);
	sw(e, "0024000110 31323334FFFFFFFF 35363738FFFFFFFF", 0x9000);
	sw(e, "0024000110 31323334FFFFFFFF 35363738FFFFFFFF", 0x63C2);
	sw(e, "0024000110 35363738FFFFFFFF 3536FFFFFFFFFFFF", 0x6A80);
	sw(e, "0020000108 31323334FFFFFFFF", 0x63C1);
	sw(e, "0020000108 31323334FFFFFFFF", 0x6983);
	/* Blocked: the right one will not do either, until the PUK. */
	sw(e, "0020000108 35363738FFFFFFFF", 0x6983);
	sw(e, "002C0001", 0x63CA);
	sw(e, "002C000110 3131313132323233 39393939FFFFFFFF", 0x63C9);
	sw(e, "002C000110 3131313132323232 39393939FFFFFFFF", 0x9000);
	sw(e, "002C0001", 0x63CA);
	sw(e, "0020000108 39393939FFFFFFFF", 0x9000);
	sw(e, "0026000108 39393939FFFFFFFF", 0x9000);
	sw(e, "0020000108 39393939FFFFFFFF", 0x6984);
	assert_int_equal(rig_reset(&e->r), 0);
	sw(e, "00A4080C04 7FF06F07", 0x9000);
	answers(e, "00B0000001", "FF");
	sw(e, "0028000108 39393939FFFFFFFF", 0x9000);
	sw(e, "0028000108 39393939FFFFFFFF", 0x6985);
	sw(e, "0020008108 39393939FFFFFFFF", 0x6A88);
	sw(e, "0020000107 39393939FFFFFF", 0x6700);
	sw(e, "0024000A10 38383838383838383939393939393939", 0x6A88);
}

/* Three wrong keys lock the card for good: nothing written there ever opens it. */
static void
test_adm_locks(void **state)
{
	struct env *e = *state;
	int i;

	sw(e, "0020000A08 3030303030303030", 0x63C2);
	sw(e, "0020000A08 3030303030303030", 0x63C1);
	assert_int_equal(rig_reset(&e->r), 0);
	sw(e, "0020000A", 0x63C1);
	sw(e, "0020000A08 3030303030303030", 0x6983);
	for (i = 0; i < 3; i++) {
		sw(e, "0020000A08 3838383838383838", 0x6983);
		assert_int_equal(rig_reset(&e->r), 0);
	}
	sw(e, "00A4080C04 7F996F04", 0x9000);
	sw(e, "00B0000008", 0x6982);
}

/* Writing the keys' files changes what the card takes. */
static void
test_roles(void **state)
{
	struct env *e = *state;

	sw(e, "0020000A08 3838383838383838", 0x9000);
	sw(e, "00A4080C04 7F996F03", 0x9000);
	sw(e, "00DC010410 34333231FFFFFFFF FFFFFFFFFFFFFFFF", 0x9000);
	sw(e, "00DC020410 3837363534333231 FFFFFFFFFFFFFFFF", 0x9000);
	sw(e, "0020000108 31323334FFFFFFFF", 0x63C2);
	sw(e, "0020000108 34333231FFFFFFFF", 0x9000);
	sw(e, "002C000110 3837363534333231 39393939FFFFFFFF", 0x9000);
	sw(e, "00A4080C04 7F996F04", 0x9000);
	sw(e, "00D6000004 31313131", 0x6700);
	sw(e, "00D6000008 3131313131313131", 0x9000);
	sw(e, "0020000A08 3838383838383838", 0x63C2);
	sw(e, "0020000A08 3131313131313131", 0x9000);
}

static void
ready(struct env *e)
{
	sw(e, "0020000108 31323334FFFFFFFF", 0x9000);
	sw(e, "00A4040C10" AID, 0x9000);
}

/* AUTN = SQN xor AK, AMF, MAC-A; values of TS 35.208, set 3, AK 33484dc2136b. */
#define AUTN "ae4a3a9b4c97 725c 9cabc3e99baf7281"

static void
mac_s(uint8_t mac[8])
{
	uint8_t ki[16], opc[16], rnd[16], sqn[6];
	static const uint8_t amf[2];
	struct cw_milenage_out out;
	struct cw_milenage m;

	cw_unhex(ki, 16, KI, 32);
	cw_unhex(opc, 16, OPC, 32);
	cw_unhex(rnd, 16, RND, 32);
	cw_unhex(sqn, 6, "9d0277595ffc", 12);
	cw_milenage_init(&m, cw_host_aes(), ki, opc);
	cw_milenage_f1(&m, rnd, sqn, amf, &out);
	memcpy(mac, out.mac_s, 8);
}

static void
test_authenticate(void **state)
{
	struct cw_milenage_out out;
	struct env *e = *state;

	sw(e, "0088008122 10" RND "10" AUTN, 0x6985);
	sw(e, "00A4040C10" AID, 0x9000);
	sw(e, "0088008122 10" RND "10" AUTN, 0x6982);
	ready(e);
	sw(e, "0088008122 10" RND "10 ae4a3a9b4c97 725c 9cabc3e99baf7280", 0x9862);
	answers(e, "0088008122 10" RND "10" AUTN "00", "DB 08" RES "10" CK "10" IK);

	/* The same again: SQN_MS 9d0277595ffc xor AK* deacdd848cc6, then the f1* of
	 * AMF 0000 (TS 33.102, 6.3.3). */
	sw(e, "0088008122 10" RND "10" AUTN "00", 0x9000);
	assert_int_equal(e->r.rsp_len, 2 + 14 + 2);
	assert_int_equal(e->r.rsp[0], 0xDC);
	assert_int_equal(e->r.rsp[1], 14);
	assert_memory_equal(e->r.rsp + 2, "\x43\xae\xaa\xdd\xd3\x3a", 6);
	mac_s(out.mac_s);
	assert_memory_equal(e->r.rsp + 8, out.mac_s, 8);

	/* RES and Kc of the old system: c2 and c3 of TS 33.102. */
	answers(e, "0088008011 10" RND "00", "04 8c308a5e 08 aa01739b8caa976d");
	sw(e, "0088008011 0F" RND, 0x6A80);
	sw(e, "0088008010" RND, 0x6700);
	sw(e, "0088008211 10" RND, 0x6A86);
}

static void
test_t1(void **state)
{
	struct env e = { 0 };

	(void)state;
	open_desc(&e, load(text), CW_SIM_T1);
	answers(&e, "00A4000402 2FE2 00", "6212 82024121 83022FE2 8A0105 8002000A "
	    "880110");
	ready(&e);
	answers(&e, "0088008122 10" RND "10" AUTN "00", "DB 08" RES "10" CK "10" IK);
	rig_close(&e.r);
	cw_uicc_desc_free(e.d);
}

/* What is saved makes the like: all contents, counters, numbers. */
static void
test_save(void **state)
{
	struct env *e = *state, copy = { 0 };
	char *first = NULL, *second = NULL;
	size_t len1, len2;
	FILE *fp;

	sw(e, "0020000A08 3838383838383838", 0x9000);
	sw(e, "00A4000C02 2FE2", 0x9000);
	sw(e, "00D600000A 98881200000000000051", 0x9000);
	ready(e);
	answers(e, "0088008122 10" RND "10" AUTN "00", "DB 08" RES "10" CK "10" IK);
	sw(e, "0020000108 39393939FFFFFFFF", 0x63C2);
	fp = open_memstream(&first, &len1);
	assert_int_equal(cw_sim_card_save(e->r.card, fp), 0);
	fclose(fp);

	open_desc(&copy, load(first), CW_SIM_T0);
	fp = open_memstream(&second, &len2);
	assert_int_equal(cw_sim_card_save(copy.r.card, fp), 0);
	fclose(fp);
	assert_string_equal(first, second);
	sw(&copy, "00200001", 0x63C2);
	sw(&copy, "00A4000C02 2FE2", 0x9000);
	answers(&copy, "00B000000A", "98881200000000000051");
	ready(&copy);
	sw(&copy, "0088008122 10" RND "10" AUTN "00", 0x9000);
	assert_int_equal(copy.r.rsp[0], 0xDC);
	rig_close(&copy.r);
	cw_uicc_desc_free(copy.d);
	free(first);
	free(second);
}

static void
test_bad_text(void **state)
{
	static const struct { const char *text, *err; } t[] = {
		{ "", "t:1: no key for ADM" },
		{ "pin 0A value=88888888\nef 2FE2 transparent 10\n", "t:2: \"2FE2\" is "
		    "not a path" },
		{ "ef 3F00/7FF0/6F07 transparent 9\n", "t:1: 3F00/7FF0 is no DF" },
		{ "df 3F00/7F10\ndf 3F00/7F10\n", "t:2: 3F00/7F10 stands twice" },
		{ "ef 3F00/2FE2 transparent 0\n", "t:1: a size is out of range" },
		{ "ef 3F00/2FE2 transparent 9000\n", "t:1: a size is out of range" },
		{ "ef 3F00/2F00 linear 40\n", "t:1: a file is:" },
		{ "ef 3F00/2FE2 transparent 2 data=010203\n", "t:1: data must be" },
		{ "ef 3F00/2FE2 transparent 2 read=pin\n", "t:1: read=pin: write" },
		{ "ef 3F00/2FE2 transparent 2 role=ki\n", "t:1: role=ki: unknown, or" },
		{ "ef 3F00/2FE2 transparent 2 size=3\n", "t:1: unknown option" },
		{ "ef 3F00/2FE2 = 3F00/2F00\n", "t:1: 3F00/2F00 is no EF" },
		{ "adf 3F00/7FF0 A000\n", "t:1: an AID has" },
		{ "pin 02 value=1234\n", "t:1: a PIN is" },
		{ "pin 01 value=123\n", "t:1: a PIN or key has" },
		{ "pin 01 tries=99\n", "t:1: \"tries=99\"" },
		{ "atr 3B9F96801F\n", "t:1: atr takes" },
		{ "file 3F00\n", "t:1: \"file\" is not understood" },
	};
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		assert_null(cw_uicc_load(t[i].text, strlen(t[i].text), "t", err,
		    sizeof err));
		if (strncmp(err, t[i].err, strlen(t[i].err)) != 0)
			fail_msg("%s: %s", t[i].text, err);
	}
	assert_null(cw_uicc_load("a\0b", 3, "t", err, sizeof err));
}

#define ON_CARD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CARD(test_select), ON_CARD(test_status), ON_CARD(test_access),
		ON_CARD(test_records), ON_CARD(test_pin), ON_CARD(test_adm_locks),
		ON_CARD(test_roles), ON_CARD(test_authenticate), ON_CARD(test_save),
		cmocka_unit_test(test_t1), cmocka_unit_test(test_bad_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
