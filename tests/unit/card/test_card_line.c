/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/pps.h"
#include "cw/sha256.h"
#include "rig.h"

static void
atr_of_a_blank(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(r.atr.convention, CW_DIRECT);
	assert_int_equal(r.atr.ta1, 0x96);
	assert_int_equal(r.atr.protocols, 1u << 0);
	assert_true(r.atr.has_t15);
	assert_int_equal(r.atr.first_t, 0);
	assert_int_equal(r.atr.wi, 10);
	assert_int_equal(r.atr.hist_len, 9);
	assert_memory_equal(r.atr.hist, "\x80\x67" "CWBOOT1", 9);
	assert_int_equal(r.io.etu, 12 * r.atr.raw_len);

	/* No power, no card; and RST low keeps it silent. */
	cw_sim_card_reset(r.card, true);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 1, 9600, &r.io), 0);
	cw_sim_card_power(r.card, false);
	cw_sim_card_reset(r.card, false);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 1, 9600, &r.io), 0);
	rig_close(&r);
}

static void
inverse_convention(void **state)
{
	struct cw_sim_card_config cfg = { .inverse = true, .flash_len = 2048,
	    .serial = "inverted" };
	struct rig r;
	uint8_t raw;

	(void)state;
	rig_open_cfg(&r, &cfg);
	cw_sim_card_power(r.card, true);
	cw_sim_card_reset(r.card, false);
	assert_int_equal(cw_sim_card_listen(r.card, &raw, 1, 9600, &r.io), 1);
	assert_int_equal(raw, 0x03);	/* 8.1: 3F as seen under direct */
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(r.atr.convention, CW_INVERSE);
	assert_int_equal(r.atr.raw[0], 0x3F);
	assert_int_equal(rig_pps(&r, 0x95), 1);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x9000);
	assert_memory_equal(r.rsp + 4, "inverted", 8);
	rig_close(&r);
}

static void
pps_sets_the_rate(void **state)
{
	static const uint8_t fit[] = { 0x11, 0x13, 0x18, 0x94, 0x95, 0x96 };
	struct rig r;
	size_t i;

	(void)state;
	rig_open(&r, NULL);
	for (i = 0; i < sizeof fit; i++) {
		assert_int_equal(rig_reset(&r), 0);
		assert_int_equal(rig_pps(&r, fit[i]), 1);
		assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x9000);
	}

	/* The reader stays at 372: the card hears rubbish and is deaf. */
	cw_sim_card_line(r.card, 4000000, 372);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), CW_ETIMEOUT);
	cw_sim_card_line(r.card, 4000000, 16);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), CW_ETIMEOUT);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x9000);

	/* A reader that listens at another rate gets parity errors. */
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(cw_sim_card_chars(r.card,
	    (const uint8_t *)"\xB0\xCA\x00\x00\x1B", 5, &r.io), 5);
	cw_sim_card_line(r.card, 4000000, 16);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 1, 9600, &r.io), 0);
	assert_true(r.io.parity);
	rig_close(&r);
}

static void
pps_refused(void **state)
{
	static const uint8_t bad[][4] = {
		{ 0xFF, 0x10, 0x96, 0x78 },	/* PCK */
		{ 0xFF, 0x11, 0x96, 0x78 },	/* T=1 */
	};
	struct rig r;
	size_t i;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_pps(&r, 0x97), 0);	/* faster than TA1 */
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x9000);
	for (i = 0; i < 2; i++) {
		assert_int_equal(rig_reset(&r), 0);
		(void)cw_sim_card_chars(r.card, bad[i], 4, &r.io);
		assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 4, 9600,
		    &r.io), 0);
	}

	/* PPS only directly after the ATR: later FF is a class, and refused. */
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x9000);
	(void)cw_sim_card_chars(r.card, (const uint8_t *)"\xFF\x10\0\0\0", 5,
	    &r.io);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 4, 9600, &r.io), 2);
	assert_memory_equal(r.rsp, "\x6E\0", 2);
	rig_close(&r);
}

/* The line of a WRITE: 12 * (Lc + 8) etu and not one more, 7816-3 10.2. */
static void
time_of_a_write(void **state)
{
	struct cw_sim_card_config cfg = { .flash_len = 4096, .write_us = 3000,
	    .erase_us = 1000 };
	uint8_t data[CW_BOOT_BLOCK_MAX];
	struct rig r;
	uint64_t before;

	(void)state;
	memset(data, 0x33, sizeof data);
	rig_open_cfg(&r, &cfg);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_pps(&r, 0x96), 1);
	assert_int_equal(rig_erase(&r, 0, 4096), 0x9000);
	assert_int_equal(r.io.busy_etu, 2000 * 4 / 16);	/* 4 MHz, 16 clocks */
	before = r.io.etu;
	r.io.busy_etu = 0;
	assert_int_equal(rig_write(&r, 0, data, sizeof data), 0x9000);
	assert_int_equal(r.io.etu - before, 12 * (255 + 8));
	assert_int_equal(r.io.busy_etu, 3000 * 4 / 16);
	rig_close(&r);
}

/* Erasing takes longer than the waiting time: NULLs keep the reader waiting. */
static void
nulls_keep_waiting_time(void **state)
{
	struct cw_sim_card_config cfg = { .flash_len = 262144,
	    .erase_us = 20000 };
	struct cw_sim_io io = { 0 };
	const uint64_t work_etu = UINT64_C(128) * 20000 * 4 / 372;
	struct rig r;
	uint64_t before;
	uint8_t c;

	(void)state;
	rig_open_cfg(&r, &cfg);
	assert_int_equal(rig_reset(&r), 0);
	before = r.io.etu + r.io.busy_etu;
	assert_int_equal(rig_erase(&r, 0, 262144), 0x9000);
	assert_int_equal(r.t0.null_total_cnt, work_etu / 4812);
	assert_int_equal(r.io.etu + r.io.busy_etu - before,
	    work_etu + 12 * (8 + 8));

	/* Whoever does not wait long enough hears nothing. */
	(void)cw_sim_card_chars(r.card, (const uint8_t *)"\xB0\xE0\0\0\x08", 5,
	    &io);
	assert_int_equal(cw_sim_card_listen(r.card, &c, 1, 9600, &io), 1);
	(void)cw_sim_card_chars(r.card, (const uint8_t *)"\0\0\0\0\0\4\0\0", 8,
	    &io);
	io.busy_etu = 0;
	assert_int_equal(cw_sim_card_listen(r.card, &c, 1, 4000, &io), 0);
	assert_int_equal(io.busy_etu, 4000);
	assert_int_equal(cw_sim_card_listen(r.card, &c, 1, 800, &io), 1);
	assert_int_equal(c, 0x60);
	assert_int_equal(io.busy_etu, 4800);
	rig_close(&r);
}

static void
speaking_out_of_turn(void **state)
{
	struct cw_sim_io io = { 0 };
	struct rig r;

	(void)state;
	rig_open(&r, NULL);

	/* Data without waiting for the procedure byte. */
	assert_int_equal(rig_reset(&r), 0);
	(void)cw_sim_card_chars(r.card,
	    (const uint8_t *)"\xB0\xE0\0\0\x08\0\0\0\0\0\0\0\x40", 13, &io);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 2, 9600, &io), 0);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), CW_ETIMEOUT);

	/* A header in pieces, and the answer in pieces, are all right. */
	assert_int_equal(rig_reset(&r), 0);
	(void)cw_sim_card_chars(r.card, (const uint8_t *)"\xB0", 1, &io);
	(void)cw_sim_card_chars(r.card, (const uint8_t *)"\xCA\0\0", 3, &io);
	(void)cw_sim_card_chars(r.card, (const uint8_t *)"\x1B", 1, &io);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 1, 9600, &io), 1);
	assert_int_equal(r.rsp[0], 0xCA);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 300, 9600, &io), 29);
	assert_int_equal(cw_sim_card_listen(r.card, r.rsp, 300, 9600, &io), 0);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(atr_of_a_blank),
		cmocka_unit_test(inverse_convention),
		cmocka_unit_test(pps_sets_the_rate),
		cmocka_unit_test(pps_refused),
		cmocka_unit_test(time_of_a_write),
		cmocka_unit_test(nulls_keep_waiting_time),
		cmocka_unit_test(speaking_out_of_turn),
	};

	return cmocka_run_group_tests_name("card/line", tests, NULL, NULL);
}
