/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "rig.h"
#include "sim/world.h"

static const struct cw_world_config cfg = {
	.station_cnt = 2, .blanks = 4, .tag = 0x1E96,
	.card = { .flash_len = 2048 },
};

static void
feeding_and_binning(void **state)
{
	struct cw_world *w = cw_world_new(&cfg);
	uint32_t no = 99;

	(void)state;
	assert_int_equal(cw_world_bin(w, 0, CW_BIN_GOOD, &no), CW_BIN_LOST);
	assert_int_equal(no, 0);
	assert_int_equal(cw_world_feed(w, 0, 1), 0);
	assert_int_equal(cw_world_feed(w, 0, 1), 0);	/* repeated */
	assert_int_equal(cw_world_feed(w, 0, 2), CW_EBUSY);
	assert_int_equal(cw_world_feed(w, 1, 1), CW_EEXIST);
	assert_int_equal(cw_world_bin(w, 0, CW_BIN_GOOD, &no), CW_BIN_GOOD);
	assert_int_equal(no, 1);

	/* Repeated, even with another bin: it lies where it lies. */
	assert_int_equal(cw_world_bin(w, 0, CW_BIN_REJECT, &no), CW_BIN_GOOD);
	assert_int_equal(cw_world_feed(w, 0, 1), CW_EEXIST);
	assert_int_equal(cw_world_feed(w, 1, 3), 0);
	assert_int_equal(cw_world_feed(w, 0, 2), 0);
	assert_false(cw_world_lost(w, 1));
	cw_world_leave(w, 1);
	assert_true(cw_world_lost(w, 1));
	assert_int_equal(cw_world_feed(w, 1, 3), 0);	/* draws nothing */
	assert_null(cw_world_card(w, 1));
	assert_int_equal(cw_world_bin(w, 1, CW_BIN_GOOD, &no), CW_BIN_LOST);
	assert_int_equal(no, 3);
	assert_int_equal(cw_world_feed(w, 1, 4), 0);
	assert_int_equal(cw_world_bin(w, 1, CW_BIN_REJECT, &no),
	    CW_BIN_REJECT);
	assert_int_equal(cw_world_feed(w, 1, 5), CW_ENOENT);
	assert_int_equal(cw_world_count(w, CW_BIN_GOOD), 1);
	assert_int_equal(cw_world_count(w, CW_BIN_REJECT), 1);
	assert_int_equal(cw_world_count(w, CW_BIN_LOST), 1);
	assert_int_equal(cw_world_count(w, CW_BIN_STATION), 1);
	assert_int_equal(cw_world_where(w, 3), CW_BIN_LOST);
	assert_int_equal(cw_world_where(w, 5), CW_ENOENT);
	cw_world_free(w);
	cw_world_free(NULL);
}

static bool
mute(struct cw_world *w, uint32_t no)
{
	struct cw_sim_io io = { 0 };
	struct cw_sim_card *c;
	uint8_t ts;
	bool silent;

	assert_int_equal(cw_world_feed(w, 0, no), 0);
	c = cw_world_card(w, 0);
	cw_sim_card_power(c, true);
	cw_sim_card_reset(c, false);
	silent = cw_sim_card_listen(c, &ts, 1, 9600, &io) == 0;
	(void)cw_world_bin(w, 0, CW_BIN_REJECT, &no);
	return silent;
}

static void
faults_by_number(void **state)
{
	static const char *const bad[] = {
		"", "mute", "=mute", "0=mute", "x=mute", "1=", "1=nothing",
		"every:=mute", "every:0=mute", "-1=mute", "4294967296=mute",
	};
	struct cw_world_config many = cfg;
	struct cw_world *w;
	size_t i;

	(void)state;
	many.blanks = UINT32_MAX;
	w = cw_world_new(&many);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (cw_world_fault(w, bad[i]) != CW_EFORMAT)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(cw_world_fault(w, "6=nulls"), 0);
	assert_int_equal(cw_world_fault(w, "7=mute"), 0);
	assert_int_equal(cw_world_fault(w, "every:3=mute"), 0);
	for (i = 1; i <= 9; i++)
		assert_int_equal(mute(w, (uint32_t)i),
		    i == 3 || i == 7 || i == 9);
	cw_world_free(w);
}

/* Drives the card in station 0 as a rig. */
static void
personalize(struct cw_world *w)
{
	static const char *const script[] = {
		"0020000A08 3838383838383838",
		"00A4080C02 2FE2", "00D600000A 98103254769810325476",
		"00A4080C04 7F206F07", "00D6000009 081932547698103254",
		"00A4080C04 7F996F01",
		"00D6000010 000102030405060708090A0B0C0D0E0F",
		"00A4080C04 7F206F78", "00D6000002 0010",
	};
	struct rig r = { .card = cw_world_card(w, 0) };
	uint8_t image[8] = { 1 };
	size_t i;

	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_erase(&r, 0, 8), 0x9000);
	assert_int_equal(rig_write(&r, 0, image, 8), 0x9000);
	assert_int_equal(rig_verify(&r, 0, image, 8), 0x9000);
	assert_int_equal(rig_activate(&r, 0, 8), 0x9000);
	assert_int_equal(rig_reset(&r), 0);
	for (i = 0; i < sizeof script / sizeof script[0]; i++)
		assert_int_equal(rig_apdu(&r, script[i]), 0x9000);
}

static void
contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("%s is not in %s", part, text);
}

static void
dumping(void **state)
{
	struct cw_world *w = cw_world_new(&cfg);
	char *text = NULL;
	size_t len = 0;
	uint32_t no;
	FILE *fp;

	(void)state;
	assert_int_equal(cw_world_fault(w, "2=nulls:1"), 0);
	assert_int_equal(cw_world_feed(w, 0, 1), 0);
	personalize(w);
	(void)cw_world_bin(w, 0, CW_BIN_GOOD, &no);
	assert_int_equal(cw_world_feed(w, 1, 2), 0);
	fp = open_memstream(&text, &len);
	assert_int_equal(cw_world_dump(w, fp), 0);
	fclose(fp);
	contains(text, "{\"stations\":2,\"fed\":2,\"good\":1,\"reject\":0,"
	    "\"lost\":0,\"in_stations\":1,\"hopper\":2,");
	contains(text, "{\"card_no\":1,\"serial\":\"43571e9600000001\","
	    "\"station\":1,\"bin\":\"good\",\"fault\":\"none\"");
	contains(text, "\"iccid\":\"89012345678901234567\"");
	contains(text, "\"imsi\":\"123456789012345\"");
	contains(text, "\"acc\":\"0010\",\"marker\":null");

	/* SHA-256 of 00 01 .. 0F, by coreutils; Ki itself never appears. */
	contains(text, "\"ki_sha256\":\"be45cb2605bf36bebde684841a28f0fd43c6985"
	    "0a3dce5fedba69928ee3a8991\"");
	assert_null(strstr(text, "000102030405"));
	contains(text, "\"bin\":\"station\",\"fault\":\"nulls\",\"cos\":null,"
	    "\"iccid\":null,\"imsi\":null,\"ki_sha256\":null");
	free(text);
	cw_world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feeding_and_binning),
		cmocka_unit_test(faults_by_number),
		cmocka_unit_test(dumping),
	};

	return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
