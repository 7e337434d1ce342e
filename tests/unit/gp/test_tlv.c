/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/tlv.h"
#include "tests/unit/gp/rig.h"

static void
test_next(void **state)
{
	static const struct { const char *hex; int got; uint32_t tag; size_t len; } v[] = {
		{ "", 0, 0, 0 }, { "0000", 0, 0, 0 },
		{ "4f02aabb", 1, 0x4F, 2 }, { "00004f00", 1, 0x4F, 0 },
		{ "9f700101", 1, 0x9F70, 1 }, { "7f4c00", 1, 0x7F4C, 0 },
		{ "5fc1020101", 1, 0x5FC102, 1 }, { "4f81020102", 1, 0x4F, 2 },
		{ "4f8200020102", 1, 0x4F, 2 }, { "4f830000020102", 1, 0x4F, 2 },
		{ "4f", CW_ESHORT, 0, 0 }, { "9f", CW_ESHORT, 0, 0 },
		{ "4f02aa", CW_ESHORT, 0, 0 }, { "4f82ff", CW_ESHORT, 0, 0 },
		{ "4f83ffffff00", CW_ESHORT, 0, 0 }, { "4f80", CW_EFORMAT, 0, 0 },
		{ "4f840000000100", CW_EFORMAT, 0, 0 }, { "9f80010100", CW_EFORMAT, 0, 0 },
		{ "9f81818101", CW_EFORMAT, 0, 0 }, { "4fff", CW_EFORMAT, 0, 0 },
	};
	struct cw_tlv t;
	uint8_t buf[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof v / sizeof v[0]; i++) {
		struct cw_rd r = cw_rd_init(buf, rig_hex(buf, sizeof buf, v[i].hex));

		assert_int_equal(cw_tlv_next(&r, &t), v[i].got);
		if (v[i].got == 1) {
			assert_int_equal(t.tag, v[i].tag);
			assert_int_equal(t.len, v[i].len);
			assert_non_null(t.val);
		}
	}
}

static void
test_find_and_walk(void **state)
{
	/* the FCI of an issuer security domain */
	uint8_t buf[64], depth;
	size_t len = rig_hex(buf, sizeof buf,
	    "6f108408a000000151000000a5049f6501ff9000");
	static const struct { uint32_t tag; uint8_t depth; } want[] = {
		{ 0x6F, 0 }, { 0x84, 1 }, { 0xA5, 1 }, { 0x9F65, 2 } };
	struct cw_tlv_walk w;
	struct cw_tlv t;
	size_t i;

	(void)state;
	assert_int_equal(cw_tlv_find(buf, len, 0x6F, &t), 0);
	assert_int_equal(cw_tlv_find(t.val, t.len, 0xA5, &t), 0);
	assert_int_equal(cw_tlv_find(buf, 18, 0x84, &t), CW_ENOENT);
	cw_tlv_walk_init(&w, buf, 18);
	for (i = 0; i < 4; i++) {
		assert_int_equal(cw_tlv_walk_next(&w, &t, &depth), 1);
		assert_int_equal(t.tag, want[i].tag);
		assert_int_equal(depth, want[i].depth);
	}
	assert_int_equal(cw_tlv_walk_next(&w, &t, &depth), 0);
}

/* Objects within objects: eight levels are walked, a ninth is refused. */
static void
test_depth(void **state)
{
	struct cw_tlv_build b;
	struct cw_tlv_walk w;
	struct cw_tlv t;
	uint8_t buf[64], depth;
	int i, n, levels;

	(void)state;
	for (levels = 1; levels <= 20; levels++) {
		memset(buf, 0, sizeof buf);
		for (i = 0; i < levels; i++) {
			buf[2 * i] = 0x61;
			buf[2 * i + 1] = (uint8_t)(2 * (levels - 1 - i));
		}
		cw_tlv_walk_init(&w, buf, (size_t)levels * 2);
		for (i = 0; (n = cw_tlv_walk_next(&w, &t, &depth)) > 0; i++)
			assert_int_equal(depth, i);
		assert_int_equal(n, levels <= CW_TLV_DEPTH_MAX ? 0 : CW_ELIMIT);
	}
	cw_tlv_build_init(&b, buf, sizeof buf);
	for (i = 0; i < CW_TLV_DEPTH_MAX; i++)
		cw_tlv_build_open(&b, 0x61);
	assert_int_equal(cw_tlv_build_done(&b), CW_ESTATE);
	cw_tlv_build_open(&b, 0x61);
	for (i = 0; i < CW_TLV_DEPTH_MAX; i++)
		cw_tlv_build_close(&b);
	assert_int_equal(cw_tlv_build_done(&b), CW_EFULL);
}

/* What is written is read again, at every length around the forms of it. */
static void
test_write(void **state)
{
	static uint8_t buf[70000], val[66000];
	static const size_t lens[] = { 0, 1, 127, 128, 255, 256, 65535 };
	struct cw_tlv_build b;
	struct cw_tlv t;
	size_t i, cap;
	int n;

	(void)state;
	memset(val, 0xA5, sizeof val);
	for (i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		cw_tlv_build_init(&b, buf, sizeof buf);
		cw_tlv_build_open(&b, 0x7F4C);
		cw_wr_bytes(&b.wr, val, lens[i]);
		cw_tlv_build_close(&b);
		n = cw_tlv_build_done(&b);
		assert_true(n > 0);
		assert_int_equal(cw_tlv_find(buf, (size_t)n, 0x7F4C, &t), 0);
		assert_int_equal(t.len, lens[i]);
		if (t.len > 0)
			assert_int_equal(t.val + t.len - buf, n);
		assert_memory_equal(t.val, val, t.len);
	}
	for (cap = 0; cap < 8; cap++) {
		cw_tlv_build_init(&b, buf, cap);
		cw_tlv_build_open(&b, 0xE3);
		cw_tlv_put(&b.wr, 0x9F70, val, 1);
		cw_tlv_build_close(&b);
		n = cw_tlv_build_done(&b);
		assert_int_equal(n, cap < 6 ? CW_EFULL : 6);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_find_and_walk),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
