/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "rig.h"

/* The simulated card in T=1, in front of the library's engine. */

static void
test_atr(void **state)
{
	struct cw_sim_card_config cfg = { .protocols = CW_SIM_T1, .ifsc = 100,
	    .crc = true, .flash_len = 2048 };
	struct rig r;

	(void)state;
	rig_open_cfg(&r, &cfg);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(r.atr.first_t, 1);
	assert_int_equal(r.atr.protocols, 2);
	assert_int_equal(r.atr.tc1, 255);
	assert_int_equal(r.atr.ifsc, 100);
	assert_int_equal(r.atr.bwi, 4);
	assert_int_equal(r.atr.cwi, 5);
	assert_true(r.atr.crc);
	rig_close(&r);

	cfg.protocols = CW_SIM_BOTH;
	cfg.crc = false;
	rig_open_cfg(&r, &cfg);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(r.atr.first_t, 0);
	assert_int_equal(r.atr.protocols, 3);
	assert_int_equal(r.atr.ifsc, 100);
	assert_int_equal(rig_apdu(&r, "00A40000023F00"), 0x6E00);

	/* The other one, by PPS. */
	assert_int_equal(rig_reset(&r), 0);
	r.blocks = true;
	assert_int_equal(rig_pps(&r, 0x95), 1);
	assert_int_equal(rig_apdu(&r, "00A40000023F00"), 0x6E00);
	assert_int_equal(r.t1.odd_cnt + r.t1.late_cnt + r.t1.garbled_cnt, 0);
	rig_close(&r);
}

/* Image, files, status words: the same as in T=0 but for 61xx and 6Cxx. */
static void
dialogue(struct rig *r)
{
	assert_int_equal(rig_apdu(r, "00A40000023F0000"), 0x9000);
	assert_int_equal(r->rsp[0], 0x62);
	assert_int_equal(rig_apdu(r, "00A4000C022FE2"), 0x9000);
	assert_int_equal(r->rsp_len, 2);
	assert_int_equal(rig_apdu(r, "00B0000000"), 0x9000);
	rig_expect(r, "FFFFFFFFFFFFFFFFFFFF");
	assert_int_equal(rig_apdu(r, "00B0000004"), 0x9000);
	assert_int_equal(rig_apdu(r, "00B0000014"), 0x6C0A);
	assert_int_equal(rig_apdu(r, "00D600000A98001122334455667788"), 0x6982);
	assert_int_equal(rig_apdu(r, "0020000A083838383838383838"), 0x9000);
	assert_int_equal(rig_apdu(r, "00D600000A98001122334455667788"), 0x9000);
	assert_int_equal(rig_apdu(r, "00B0000000"), 0x9000);
	rig_expect(r, "98001122334455667788");
	assert_int_equal(rig_apdu(r, "00B00000000000"), 0x9000);
	rig_expect(r, "98001122334455667788");
	assert_int_equal(rig_apdu(r, "00FF000000"), 0x6D00);
	assert_int_equal(rig_apdu(r, "00B00000"), 0x6C0A);
}

static void
test_dialogue(void **state)
{
	static const uint8_t ifsc[] = { 1, 5, 32, 254 };
	struct rig r;
	size_t i, crc, inverse;

	(void)state;
	for (i = 0; i < sizeof ifsc; i++)
		for (crc = 0; crc < 2; crc++)
			for (inverse = 0; inverse < 2; inverse++) {
				struct cw_sim_card_config cfg = {
					.protocols = CW_SIM_T1,
					.ifsc = ifsc[i], .crc = crc != 0,
					.inverse = inverse != 0,
					.flash_len = 4096,
				};

				rig_open_cfg(&r, &cfg);
				rig_burn(&r);
				assert_int_equal(rig_pps(&r, 0x96), 1);
				dialogue(&r);
				rig_close(&r);
			}
}

/* E1(249) = 11 * 249 + 187 etu for a WRITE that fits one block: the limit. */
static void
test_time(void **state)
{
	uint8_t image[243] = { 0 };
	uint64_t before;
	struct rig r;

	(void)state;
	rig_open_t(&r, CW_SIM_T1, NULL);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_erase(&r, 0, 2048), 0x9000);
	before = r.io.etu;
	assert_int_equal(rig_write(&r, 0, image, sizeof image), 0x9000);
	assert_int_equal(r.io.etu - before, 11 * 249 + 187);
	assert_int_equal(r.io.busy_etu, 0);
	rig_close(&r);
}

/* Flash work of 3 s at 372/1: S(WTX) each 0.71 s, none of it late. */
static void
test_wtx(void **state)
{
	struct cw_sim_card_config cfg = { .protocols = CW_SIM_T1,
	    .flash_len = 4096, .erase_us = 3000000 };
	struct rig r;

	(void)state;
	rig_open_cfg(&r, &cfg);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_erase(&r, 0, 2048), 0x9000);
	assert_int_equal(r.t1.late_cnt, 0);
	assert_int_equal(r.card != NULL, 1);
	/* 3 s are 32258 etu; the S-blocks' own time counts as work. */
	assert_in_range(r.io.busy_etu, 32258 - 4 * 132, 32258);
	rig_close(&r);
}

struct fault_case {
	const char *fault;
	int sw;			/* 9000, or the error that it ends in */
};

/* One of each while the reader selects and reads: healed, or ended cleanly. */
static void
test_faults(void **state)
{
	static const struct fault_case cases[] = {
		{ "edc:1", 0x9000 }, { "edc:2", 0x9000 },
		{ "block-lost:1", 0x9000 }, { "block-lost:2", 0x9000 },
		{ "number:1", 0x9000 }, { "number:2", 0x9000 },
		{ "nak:1", CW_EPROTO }, { "stuck:1", CW_ETIMEOUT },
		{ "abort:1", CW_EPROTO }, { "nulls:7", 0x9000 },
		{ "parity:500", 0x9000 }, { "char-wrong:40", 0x9000 },
		{ "char-wrong:60=3", 0x9000 }, { "char-lost:45", 0x9000 },
		{ "char-mute:45", CW_ETIMEOUT },
		{ "char-pulled:45", CW_ETIMEOUT },
		{ "parity-hard:44", 0x9000 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig r;
		int sw;

		rig_open_t(&r, CW_SIM_T1, cases[i].fault);
		assert_int_equal(rig_reset(&r), 0);
		sw = rig_apdu(&r, "B0CA00001B");
		if (sw != cases[i].sw)
			fail_msg("%s: %d", cases[i].fault, sw);
		rig_close(&r);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_atr),
		cmocka_unit_test(test_dialogue),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_wtx),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("card/t1", tests, NULL, NULL);
}
