/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/boot.h"
#include "cw/err.h"
#include "cw/sha256.h"
#include "rig.h"

static uint8_t image[5000];

static int
fill_image(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof image; i++)
		image[i] = (uint8_t)(i * 7 + i / 251);
	return 0;
}

static int
identify(struct rig *r, struct cw_boot_info *info)
{
	int sw = rig_apdu(r, "B0CA00001B");

	assert_int_equal(sw, 0x9000);
	return cw_boot_info_get(info, r->rsp, (size_t)r->rsp_len - 2);
}

static void
play_load(struct rig *r, const struct cw_prog_load *l)
{
	uint32_t cnt = cw_prog_load_cnt(l), i;
	uint8_t apdu[300];
	int len;

	for (i = 0; i < cnt; i++) {
		len = cw_prog_load_block(l, i, image + l->off, apdu,
		    sizeof apdu);
		assert_true(len > 0);
		assert_int_equal(rig_send(r, apdu, (size_t)len), 0x9000);
	}
}

/* The program that terminals send, step by step. */
static void
whole_dialogue(void **state)
{
	struct cw_boot_job job = { .len = sizeof image, .block_len = 249 };
	struct cw_prog_builder b;
	struct cw_prog_step st;
	struct cw_prog_iter it;
	struct cw_boot_info info;
	uint8_t prog[2000], digest[32];
	struct rig r;
	int len;

	(void)state;
	cw_sha256(job.digest, image, sizeof image);
	cw_prog_start(&b, prog, sizeof prog);
	cw_boot_program(&b, &job);
	len = cw_prog_end(&b);
	assert_true(len > 0);
	rig_open(&r, NULL);
	assert_false(cw_sim_card_cos(r.card, digest));

	cw_prog_begin(&it, prog, (size_t)len);
	while (cw_prog_next(&it, &st) == 1) {
		switch (st.op) {
		case CW_OP_RESET:
			assert_int_equal(rig_reset(&r), 0);
			break;
		case CW_OP_PPS:
			assert_int_equal(rig_pps(&r, r.atr.ta1), 1);
			break;
		case CW_OP_APDU:
			assert_int_equal(rig_send(&r, st.u.apdu.buf,
			    st.u.apdu.len), 0x9000);
			break;
		case CW_OP_LOAD:
			play_load(&r, &st.u.load);
			break;
		case CW_OP_CAPTURE:
			assert_int_equal(cw_boot_info_get(&info, r.rsp, 27), 0);
			assert_memory_equal(info.serial, "SERIAL01", 8);
			assert_int_equal(info.flash_len, 8192);
			assert_int_equal(info.page_len, 2048);
			assert_int_equal(info.block_max, 249);
			break;
		default:
			assert_int_equal(st.op, CW_OP_POWER_OFF);
			cw_sim_card_power(r.card, false);
		}
	}
	assert_true(cw_sim_card_cos(r.card, digest));
	assert_memory_equal(digest, job.digest, 32);
	assert_int_equal(rig_reset(&r), 0);
	assert_memory_equal(r.atr.hist, "\x80\x67" "CWCOS-1", 9);
	assert_int_equal(rig_apdu(&r, "00A4000C02 3F00"), 0x9000);
	rig_close(&r);
}

static void
order_of_steps(void **state)
{
	struct cw_boot_info info;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_write(&r, 0, image, 16), 0x6985);
	assert_int_equal(rig_verify(&r, 0, image, 16), 0x6985);
	assert_int_equal(rig_activate(&r, 0, 16), 0x6985);
	assert_int_equal(identify(&r, &info), 0);
	assert_int_equal(info.state, 0);

	/* One page is erased: the block that leaves it is not taken. */
	assert_int_equal(rig_erase(&r, 0, 1), 0x9000);
	assert_int_equal(rig_write(&r, 2040, image, 9), 0x6985);
	assert_int_equal(rig_write(&r, 2040, image, 8), 0x9000);
	assert_int_equal(identify(&r, &info), 0);
	assert_int_equal(info.state, 1);
	assert_int_equal(rig_activate(&r, 2040, 8), 0x6985);

	/* Verified, another range; verified and then written; erased. */
	assert_int_equal(rig_verify(&r, 2040, image, 8), 0x9000);
	assert_int_equal(identify(&r, &info), 0);
	assert_int_equal(info.state, 2);
	assert_int_equal(rig_activate(&r, 2040, 7), 0x6985);
	assert_int_equal(rig_activate(&r, 2039, 8), 0x6985);
	assert_int_equal(rig_write(&r, 0, image, 8), 0x9000);
	assert_int_equal(rig_activate(&r, 2040, 8), 0x6985);
	assert_int_equal(rig_verify(&r, 2040, image, 8), 0x9000);
	assert_int_equal(rig_erase(&r, 2048, 1), 0x9000);
	assert_int_equal(rig_activate(&r, 2040, 8), 0x6985);

	/* A wrong digest undoes a right one. */
	assert_int_equal(rig_verify(&r, 2040, image, 8), 0x9000);
	assert_int_equal(rig_verify(&r, 2040, image + 1, 8), 0x6A80);
	assert_int_equal(rig_activate(&r, 2040, 8), 0x6985);

	/* Nothing of it is forgotten by a reset. */
	assert_int_equal(rig_verify(&r, 2040, image, 8), 0x9000);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_activate(&r, 2040, 8), 0x9000);
	assert_int_equal(identify(&r, &info), 0);
	assert_int_equal(info.state, 3);
	assert_int_equal(rig_erase(&r, 0, 1), 0x6982);
	assert_int_equal(rig_write(&r, 0, image, 8), 0x6982);
	assert_int_equal(rig_verify(&r, 2040, image, 8), 0x6982);
	assert_int_equal(rig_activate(&r, 2040, 8), 0x6982);
	assert_int_equal(rig_apdu(&r, "00A4000C02 3F00"), 0x6E00);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_apdu(&r, "00A4000C02 3F00"), 0x9000);
	assert_int_equal(rig_apdu(&r, "B0CA00001B"), 0x6982);
	assert_int_equal(rig_erase(&r, 0, 1), 0x6982);
	rig_close(&r);
}

static void
every_status_word(void **state)
{
	static const struct { const char *apdu; int sw; } table[] = {
		{ "00A4000C02 3F00", 0x6E00 },
		{ "A020000A08 3838383838383838", 0x6E00 },
		{ "B010000000", 0x6D00 },
		{ "B0CA01001B", 0x6A86 },
		{ "B0CA00011B", 0x6A86 },
		{ "B0D0000006 000000000000", 0x6700 },
		{ "B0E0000007 00000000000000", 0x6700 },
		{ "B0E0000009 000000000000000000", 0x6700 },
		{ "B0C4000008 0000000000000001", 0x6700 },
		{ "B044000009 000000000000000100", 0x6700 },
		{ "B0E0000008 0000000000000000", 0x6B00 },	/* nothing */
		{ "B0E0000008 0000000100000001", 0x6B00 },	/* in a page */
		{ "B0E0000008 0000200000000001", 0x6B00 },	/* beyond */
		{ "B0E0000008 0000180000000801", 0x6B00 },
		{ "B0E0000008 FFFFF80000001000", 0x6B00 },	/* wraps */
		{ "B0E0000008 00000000FFFFFFFF", 0x6B00 },
		{ "B0D0000007 0000000041 0000", 0x6A80 },	/* CRC */
		{ "B0E0000008 0000000000002000", 0x9000 },
	};
	struct rig r;
	size_t i;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(rig_reset(&r), 0);
	for (i = 0; i < sizeof table / sizeof table[0]; i++)
		if (rig_apdu(&r, table[i].apdu) != table[i].sw)
			fail_msg("%s: %04X, not %04X", table[i].apdu,
			    r.rsp[r.rsp_len - 2] << 8 | r.rsp[r.rsp_len - 1],
			    table[i].sw);
	assert_int_equal(rig_write(&r, 8190, image, 2), 0x9000);
	assert_int_equal(rig_write(&r, 8190, image, 3), 0x6B00);

	/* A wrong Le is named; the engine asks again with the right one. */
	r.t0_cfg.manual_get = true;
	assert_int_equal(rig_apdu(&r, "B0CA000000"), 0x6C1B);
	assert_int_equal(rig_apdu(&r, "B0CA000005"), 0x6C1B);
	r.t0_cfg.manual_get = false;
	assert_int_equal(rig_apdu(&r, "B0CA000000"), 0x9000);
	assert_int_equal(r.rsp_len, 29);
	rig_close(&r);
}

static void
flash_behaves_like_flash(void **state)
{
	uint8_t zero[4] = { 0 };
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(rig_erase(&r, 0, 8192), 0x9000);
	assert_int_equal(rig_write(&r, 0, image + 4, 4), 0x9000);
	assert_int_equal(rig_write(&r, 0, image + 4, 4), 0x9000);
	assert_int_equal(rig_write(&r, 0, zero, 4), 0x9000);
	assert_int_equal(rig_write(&r, 0, image + 4, 4), 0x6981);
	assert_int_equal(rig_verify(&r, 0, zero, 4), 0x9000);
	assert_int_equal(rig_erase(&r, 0, 1), 0x9000);
	assert_int_equal(rig_write(&r, 0, image + 4, 4), 0x9000);
	rig_close(&r);
}

static void
base_address(void **state)
{
	struct cw_sim_card_config cfg = { .flash_base = 0x08004000,
	    .flash_len = 2049 };
	struct cw_boot_info info;
	struct rig r;

	(void)state;
	rig_open_cfg(&r, &cfg);
	assert_int_equal(rig_reset(&r), 0);
	assert_int_equal(identify(&r, &info), 0);
	assert_int_equal(info.flash_base, 0x08004000);
	assert_int_equal(info.flash_len, 4096);
	assert_int_equal(rig_erase(&r, 0, 8), 0x6B00);
	assert_int_equal(rig_erase(&r, 0x08003FFF, 8), 0x6B00);
	assert_int_equal(rig_erase(&r, 0x08004000, 4096), 0x9000);
	assert_int_equal(rig_erase(&r, 0x08004000, 4097), 0x6B00);
	assert_int_equal(rig_write(&r, 0x08004FFE, image, 2), 0x9000);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_dialogue),
		cmocka_unit_test(order_of_steps),
		cmocka_unit_test(every_status_word),
		cmocka_unit_test(flash_behaves_like_flash),
		cmocka_unit_test(base_address),
	};

	return cmocka_run_group_tests_name("card/boot", tests, fill_image,
	    NULL);
}
