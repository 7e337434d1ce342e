/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "rig.h"

#define ADM "0020000A08 3838383838383838"

static void
names(void **state)
{
	static const struct {
		const char *text;
		struct cw_sim_fault f;
	} good[] = {
		{ "mute", { CW_FAULT_MUTE, 0, 0 } },
		{ "none", { CW_FAULT_NONE, 0, 0 } },
		{ "sw:7=6581", { CW_FAULT_SW, 7, 0x6581 } },
		{ "sw", { CW_FAULT_SW, 0, 0x6581 } },
		{ "sw=6f00", { CW_FAULT_SW, 0, 0x6F00 } },
		{ "hang:3", { CW_FAULT_HANG, 3, 0 } },
		{ "hang:cos+3", { CW_FAULT_HANG, 3, CW_SIM_FAULT_FROM_COS } },
		{ "pulled:cos+0", { CW_FAULT_PULLED, 0,
		    CW_SIM_FAULT_FROM_COS } },
		{ "no-boot=6D00", { CW_FAULT_NO_BOOT, 0, 0x6D00 } },
		{ "parity-hard:4294967295", { CW_FAULT_PARITY_HARD,
		    4294967295u, 0 } },
	};
	static const char *const bad[] = {
		"", "mut", "mutex", "sw:", "sw:x", "sw:7=", "sw:7=10000",
		"sw:7=65g1", "hang:3=1", "mute=1", "hang:4294967296",
		"flash:cos+1", "sw:7:8", "hang:-1", "hang: 1", "SW",
	};
	struct cw_sim_fault f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(cw_sim_fault_parse(&f, good[i].text), 0);
		assert_int_equal(f.kind, good[i].f.kind);
		assert_int_equal(f.n, good[i].f.n);
		assert_int_equal(f.arg, good[i].f.arg);
	}
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (cw_sim_fault_parse(&f, bad[i]) != CW_EFORMAT)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_string_equal(cw_sim_fault_name(CW_FAULT_BAD_WRITE), "bad-write");
}

static void
faults_of_the_reset(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "mute");
	assert_int_equal(rig_reset(&r), CW_EMUTE);
	rig_close(&r);
	rig_open(&r, "atr");
	assert_int_equal(rig_reset(&r), CW_ECRC);
	rig_close(&r);
	rig_open(&r, "atr:4");
	assert_int_equal(rig_reset(&r), CW_ETIMEOUT);
	assert_int_equal(r.io.etu, 4 * 12);
	rig_close(&r);
}

static void
faults_of_the_bootloader(void **state)
{
	uint8_t image[64] = { 1, 2, 3 }, digest[32];
	struct rig r;

	(void)state;
	rig_open(&r, "no-boot");
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x6F00);
	assert_int_equal(rig_erase(&r, 0, 64), 0x6F00);
	rig_close(&r);

	/* The third block, again and again. */
	rig_open(&r, "flash:2");
	assert_int_equal(rig_reset(&r), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_erase(&r, 0, 64), 0x9000);
		assert_int_equal(rig_write(&r, 0, image, 16), 0x9000);
		assert_int_equal(rig_write(&r, 16, image + 16, 16), 0x9000);
		assert_int_equal(rig_write(&r, 32, image + 32, 16), 0x6981);
		assert_int_equal(rig_verify(&r, 0, image, 48), 0x6A80);
	}
	rig_close(&r);

	rig_open(&r, "no-cos");
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_erase(&r, 0, 64), 0x9000);
	assert_int_equal(rig_write(&r, 0, image, 64), 0x9000);
	assert_int_equal(rig_verify(&r, 0, image, 64), 0x9000);
	assert_int_equal(rig_activate(&r, 0, 64), 0x9000);
	assert_int_equal(rig_reset(&r), 0);
	assert_memory_equal(r.atr.hist + 2, "CWBOOT1", 7);
	assert_int_equal(rig_apdu(&r, "00A4000C02 3F00"), 0x6E00);
	assert_false(cw_sim_card_cos(r.card, digest));
	rig_close(&r);
}

static void
wrong_status_word(void **state)
{
	struct rig r;

	(void)state;
	rig_open_cos(&r, "sw:2=6581");
	assert_int_equal(rig_apdu(&r, ADM), 0x9000);
	assert_int_equal(rig_apdu(&r, "00A4080C02 2FE2"), 0x9000);
	assert_int_equal(rig_apdu(&r, "00D6000001 55"), 0x6581);
	assert_int_equal(rig_apdu(&r, "00B0000001"), 0x9000);
	rig_expect(&r, "FF");
	rig_close(&r);
}

static void
hanging_and_leaving(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "hang:1");
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x9000);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), CW_ETIMEOUT);
	assert_int_equal(rig_reset(&r), CW_EMUTE);
	rig_close(&r);

	rig_open_cos(&r, "hang:cos+1");
	assert_int_equal(rig_apdu(&r, ADM), 0x9000);
	assert_int_equal(rig_apdu(&r, "00A4000C02 3F00"), CW_ETIMEOUT);
	assert_false(cw_sim_card_left(r.card));
	rig_close(&r);

	rig_open_cos(&r, "pulled:cos+1");
	assert_int_equal(rig_apdu(&r, ADM), 0x9000);
	assert_false(r.io.left);
	assert_int_equal(rig_apdu(&r, "00A4000C02 3F00"), CW_ETIMEOUT);
	assert_true(r.io.left);
	assert_true(cw_sim_card_left(r.card));
	assert_int_equal(rig_reset(&r), CW_EMUTE);
	rig_close(&r);
}

static void
bad_write(void **state)
{
	uint8_t buf[32];
	struct rig r;

	(void)state;
	rig_open_cos(&r, "bad-write:1");
	assert_int_equal(rig_apdu(&r, ADM), 0x9000);
	assert_int_equal(rig_apdu(&r, "00A4080C04 7F206F07"), 0x9000);
	assert_int_equal(rig_apdu(&r, "00D6000004 00000000"), 0x9000);
	assert_int_equal(rig_apdu(&r, "00B0000004"), 0x9000);
	rig_expect(&r, "00000000");
	assert_int_equal(rig_apdu(&r, "00D6000002 0000"), 0x9000);
	assert_int_equal(cw_sim_card_read(r.card, "3F00/7F20/6F07", buf, 32),
	    9);
	assert_memory_equal(buf, "\x20\0\0\0", 4);	/* seed 5: bit 5 */
	assert_int_equal(rig_apdu(&r, "00D6000002 0000"), 0x9000);
	assert_int_equal(rig_apdu(&r, "00B0000004"), 0x9000);
	rig_expect(&r, "00000000");
	rig_close(&r);
}

/* Whatever the period, a card that is wrong once per character is read. */
static void
recoverable_parity(void **state)
{
	char text[32];
	struct rig r;
	uint32_t n;

	(void)state;
	for (n = 1; n <= 40; n++) {
		snprintf(text, sizeof text, "parity:%u", n);
		rig_open_cos(&r, text);
		assert_int_equal(rig_apdu(&r, ADM), 0x9000);
		assert_int_equal(rig_apdu(&r, "00A4080C02 2FE2"), 0x9000);
		assert_int_equal(rig_apdu(&r,
		    "00D600000A 00112233445566778899"), 0x9000);
		assert_int_equal(rig_apdu(&r, "00B000000A"), 0x9000);
		rig_expect(&r, "00112233445566778899");
		assert_true(r.t0.parity_rx_cnt + r.t0.parity_tx_cnt > 0 ||
		    n > 30);
		rig_close(&r);
	}
}

/* Wherever a character stays wrong, the end is a parity error, never a lie. */
static void
hard_parity(void **state)
{
	static const char *const script[] = {
		"B0CA00001B", "B0E0000008 0000000000000800",
	};
	char text[32];
	struct rig r;
	uint32_t n;
	size_t i;
	int rc;

	(void)state;
	for (n = 0;; n++) {
		snprintf(text, sizeof text, "parity-hard:%u", n);
		rig_open(&r, text);
		rc = rig_reset(&r);
		for (i = 0; rc >= 0 && i < 2; i++)
			rc = rig_apdu(&r, script[i]);
		rig_close(&r);
		if (rc == 0x9000)
			break;
		assert_int_equal(rc, CW_EPARITY);
	}
	/* 16 of the ATR; 5 + 1 + 27 + 2; 5 + 1 + 8 + 2 */
	assert_int_equal(n, 16 + 35 + 16);
}

static void
nulls(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "nulls:5");
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x9000);
	assert_int_equal(r.rsp_len, 29);
	assert_int_equal(r.t0.null_total_cnt, 5);
	assert_int_equal(rig_erase(&r, 0, 64), 0x9000);
	assert_int_equal(r.t0.null_total_cnt, 10);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(faults_of_the_reset),
		cmocka_unit_test(faults_of_the_bootloader),
		cmocka_unit_test(wrong_status_word),
		cmocka_unit_test(hanging_and_leaving),
		cmocka_unit_test(bad_write),
		cmocka_unit_test(recoverable_parity),
		cmocka_unit_test(hard_parity),
		cmocka_unit_test(nulls),
	};

	return cmocka_run_group_tests_name("card/fault", tests, NULL, NULL);
}
