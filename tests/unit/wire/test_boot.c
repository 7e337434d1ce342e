/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cw/boot.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "cw/sha256.h"

#include "lots.h"

#define IMAGE_LEN 1000

static uint8_t image[IMAGE_LEN];
static uint8_t prog[1024];

static struct cw_boot_job
some_job(void)
{
	struct cw_boot_job j = {
		.addr = 0x00010000, .len = IMAGE_LEN, .ta1_max = 0x96,
		.block_len = CW_BOOT_BLOCK_MAX,
	};

	cw_sha256(j.digest, image, IMAGE_LEN);
	return j;
}

static int
build(const struct cw_boot_job *j)
{
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	cw_boot_program(&b, j);
	return cw_prog_end(&b);
}

static void
expect_apdu(struct cw_prog_iter *it, const void *apdu, size_t len)
{
	struct cw_prog_step st;

	assert_int_equal(cw_prog_next(it, &st), 1);
	assert_int_equal(st.op, CW_OP_APDU);
	assert_int_equal(st.flags, CW_STEP_BOOT);
	assert_int_equal(st.sw_cnt, 0);
	assert_int_equal(st.u.apdu.len, len);
	assert_memory_equal(st.u.apdu.buf, apdu, len);
}

/*
 * A chip in a few lines, by docs/spec/bootloader.md: takes the WRITE commands
 * of the LOAD and must end up with the image.
 */
static void
take_blocks(const struct cw_prog_load *l)
{
	static uint8_t flash[IMAGE_LEN];
	uint8_t out[260];
	uint32_t n, cnt = cw_prog_load_cnt(l);

	memset(flash, 0xff, sizeof flash);
	assert_int_equal(cnt, 5);
	for (n = 0; n < cnt; n++) {
		int len = cw_prog_load_block(l, n, image, out, sizeof out);
		size_t data_len = out[4];
		uint32_t addr = (uint32_t)out[5] << 24 | out[6] << 16 |
		    out[7] << 8 | out[8];

		assert_int_equal(len, 5 + data_len);
		assert_memory_equal(out, "\xb0\xd0\x00\x00", 4);
		assert_int_equal(cw_crc16(0xffff, out + 5, data_len - 2),
		    out[len - 2] << 8 | out[len - 1]);
		assert_in_range(addr, 0x10000, 0x10000 + IMAGE_LEN - 1);
		memcpy(flash + (addr - 0x10000), out + 9, data_len - 6);
	}
	assert_memory_equal(flash, image, IMAGE_LEN);
}

static void
boot_steps(void **state)
{
	struct cw_boot_job j = some_job();
	struct cw_prog_iter it;
	struct cw_prog_step st;
	uint8_t verify[45] = { 0xb0, 0xc4, 0, 0, 40, 0, 1, 0, 0, 0, 0, 3, 0xe8 };
	int len = build(&j);

	(void)state;
	memcpy(verify + 13, j.digest, 32);
	assert_true(len > 0);
	cw_prog_begin(&it, prog, (size_t)len);

	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_RESET);
	assert_int_equal(st.u.reset.warm, 0);
	assert_int_equal(st.u.reset.n, 0);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_PPS);
	assert_int_equal(st.u.pps.ta1_max, 0x96);
	expect_apdu(&it, "\xb0\xca\x00\x00\x1b", 5);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_CAPTURE);
	assert_int_equal(st.u.capture.id, CW_BOOT_CAPTURE_SERIAL);
	assert_int_equal(st.u.capture.off, 4);
	assert_int_equal(st.u.capture.len, 8);
	expect_apdu(&it, "\xb0\xe0\x00\x00\x08\x00\x01\x00\x00\x00\x00\x03\xe8",
	    13);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_LOAD);
	assert_int_equal(st.flags, CW_STEP_BOOT);
	assert_memory_equal(st.u.load.digest, j.digest, 32);
	take_blocks(&st.u.load);
	expect_apdu(&it, verify, sizeof verify);
	expect_apdu(&it, "\xb0\x44\x00\x00\x08\x00\x01\x00\x00\x00\x00\x03\xe8",
	    13);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_POWER_OFF);
	assert_int_equal(cw_prog_next(&it, &st), 0);
}

static void
boot_bad_jobs(void **state)
{
	struct cw_boot_job j = some_job();

	(void)state;
	j.len = 0;
	assert_int_equal(build(&j), CW_EINVAL);
	j = some_job();
	j.block_len = 0;
	assert_int_equal(build(&j), CW_EINVAL);
	j.block_len = CW_BOOT_BLOCK_MAX + 1;
	assert_int_equal(build(&j), CW_EINVAL);
	j = some_job();
	j.addr = UINT32_MAX - IMAGE_LEN + 1;
	assert_true(build(&j) > 0);
	j.addr++;
	assert_int_equal(build(&j), CW_EINVAL);
}

static void
boot_info(void **state)
{
	static const uint8_t golden[CW_BOOT_INFO_LEN] = {
		0x01, 0x03, 0x43, 0x57,
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
		0x00, 0x01, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00,
		0x02, 0x00, 0xf9, 0x00, 0x00, 0x4e, 0x20,
	};
	struct cw_boot_info i;
	uint8_t back[CW_BOOT_INFO_LEN];
	size_t n;

	(void)state;
	assert_int_equal(cw_boot_info_get(&i, golden, sizeof golden), 0);
	assert_int_equal(i.state, 3);
	assert_int_equal(i.chip_type, 0x4357);
	assert_memory_equal(i.serial, golden + 4, 8);
	assert_int_equal(i.flash_base, 0x10000);
	assert_int_equal(i.flash_len, 0x40000);
	assert_int_equal(i.page_len, 512);
	assert_int_equal(i.block_max, 249);
	assert_int_equal(i.erase_us, 20000);
	assert_int_equal(cw_boot_info_put(&i, back, sizeof back), sizeof back);
	assert_memory_equal(back, golden, sizeof back);

	assert_int_equal(cw_boot_info_put(&i, back, 26), CW_EFULL);
	for (n = 0; n < sizeof golden; n++)
		assert_int_equal(cw_boot_info_get(&i, golden, n), CW_ESHORT);
	back[1] = 4;
	assert_int_equal(cw_boot_info_get(&i, back, sizeof back), CW_EFORMAT);
	back[0] = 2;
	assert_int_equal(cw_boot_info_get(&i, back, sizeof back), CW_EVERSION);
}

static int
setup(void **state)
{
	(void)state;
	lots_fill(&(uint64_t){ 77 }, image, sizeof image);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boot_steps),
		cmocka_unit_test(boot_bad_jobs),
		cmocka_unit_test(boot_info),
	};

	return cmocka_run_group_tests_name("boot", tests, setup, NULL);
}
