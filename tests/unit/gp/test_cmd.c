/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cw/gpguard.h"
#include "cw/gpload.h"
#include "tests/unit/gp/cap.h"
#include "tests/unit/gp/rig.h"

static void
same(const struct cw_gp_cmd *c, const char *hex)
{
	uint8_t out[300];
	int n = cw_apdu_build(&c->apdu, out, sizeof out);

	assert_true(n > 0);
	rig_same(out, (size_t)n, hex);
}

static struct cw_gp_aid
aid_of(const char *hex)
{
	struct cw_gp_aid a;
	uint8_t b[32];

	assert_int_equal(cw_gp_aid_set(&a, b, rig_hex(b, sizeof b, hex)), 0);
	return a;
}

/* Bytes as gpshell and GlobalPlatformPro print them in their logs. */
static void
test_builders(void **state)
{
	static const uint8_t challenge[16] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct cw_gp_aid pkg = aid_of("d276000085494a434f50"), isd = aid_of("a000000151000000");
	struct cw_gp_install in = { .what = CW_GP_FOR_LOAD, .file = pkg, .domain = isd };
	struct cw_gp_cmd c;

	(void)state;
	cw_gp_select(&c, NULL, false);
	same(&c, "00a4040000");
	cw_gp_select(&c, &isd, false);
	same(&c, "00a4040008a00000015100000000");
	cw_gp_initialize_update(&c, 0x30, challenge, 8);
	same(&c, "8050300008010203040506070800");
	assert_int_equal(cw_gp_initialize_update(&c, 0, challenge, 9), CW_EINVAL);
	cw_gp_get_status(&c, CW_GP_APPS, false, NULL);
	same(&c, "80f24002024f0000");
	cw_gp_get_data(&c, 0x9F7F);
	same(&c, "80ca9f7f00");
	cw_gp_delete(&c, &pkg, true);
	same(&c, "80e400800c4f0ad276000085494a434f5000");
	cw_gp_delete_key(&c, 0, 0x20);
	same(&c, "80e4000003d2012000");
	assert_int_equal(cw_gp_delete_key(&c, 0, 0), CW_EINVAL);
	cw_gp_set_status(&c, CW_GP_ISD, 0x0F, NULL);
	same(&c, "80f0800f");
	assert_int_equal(cw_gp_set_status(&c, CW_GP_APPS, 0x0F, NULL), CW_EINVAL);
	cw_gp_load(&c, 3, true, challenge, 2);
	same(&c, "80e8800302010200");

	cw_gp_install(&c, &in);
	same(&c, "80e60200170ad276000085494a434f5008a00000015100000000000000");
	in.what = CW_GP_FOR_INSTALL_SELECTABLE;
	in.module = in.app = aid_of("a00000000101");
	cw_gp_install(&c, &in);
	same(&c, "80e60c001f0ad276000085494a434f5006a0000000010106a0000000010101"
	    "0002c9000000");
	in.what = CW_GP_FOR_PERSO;
	cw_gp_install(&c, &in);
	same(&c, "80e620000c000006a0000000010100000000");
	in.what = CW_GP_FOR_INSTALL;
	in.params = challenge;
	in.params_len = 250;
	assert_int_equal(cw_gp_install(&c, &in), CW_ETOOBIG);
	in.module.len = 0;
	assert_int_equal(cw_gp_install(&c, &in), CW_EINVAL);
}

static void
test_parsers(void **state)
{
	uint8_t buf[128];
	struct cw_gp_key_info k[3];
	struct cw_gp_entry e;
	struct cw_gp_aid aid;
	uint16_t scp[4], max;
	struct cw_rd r;
	size_t len, cut;

	(void)state;
	/* GET DATA 00E0, 0066 and GET STATUS of real cards, from their logs */
	len = rig_hex(buf, sizeof buf, "e012c00401ff8010c00402ff8010c00403ff8010");
	assert_int_equal(cw_gp_key_info_parse(buf, len, k, 3), 3);
	assert_int_equal(k[2].id, 3);
	assert_int_equal(k[2].version, 0xFF);
	assert_int_equal(k[2].type, 0x80);
	assert_int_equal(k[2].len, 16);
	assert_int_equal(cw_gp_key_info_parse(buf, len, k, 2), CW_EFULL);
	for (cut = 0; cut < len; cut++)
		assert_true(cw_gp_key_info_parse(buf, cut, k, 3) < 0);

	len = rig_hex(buf, sizeof buf, "6630732e06072a864886fc6b01600b06092a864886fc6b020202"
	    "630906072a864886fc6b03640b06092a864886fc6b040255");
	assert_int_equal(cw_gp_card_data_parse(buf, len, scp, 4), 1);
	assert_int_equal(scp[0], 0x0255);
	assert_int_equal(cw_gp_card_data_parse(buf, len, scp, 0), CW_EFULL);
	for (cut = 1; cut < len; cut++)
		assert_true(cw_gp_card_data_parse(buf, cut, scp, 4) < 0);

	len = rig_hex(buf, sizeof buf,
	    "e3164f08a0000000030000009f7001019e0084050102030405");
	buf[1] = (uint8_t)(len - 2);
	r = cw_rd_init(buf, len);
	assert_int_equal(cw_gp_entry_next(&r, &e), 1);
	assert_int_equal(e.state, 1);
	assert_int_equal(e.module_cnt, 1);
	assert_int_equal(cw_gp_entry_next(&r, &e), 0);
	for (cut = 1; cut < len; cut++) {
		r = cw_rd_init(buf, cut);
		assert_true(cw_gp_entry_next(&r, &e) < 0);
	}

	len = rig_hex(buf, sizeof buf, "6f108408a000000003000000a5049f6501ff");
	assert_int_equal(cw_gp_fci_parse(buf, len, &aid, &max), 0);
	assert_int_equal(aid.len, 8);
	assert_int_equal(max, 255);
	for (cut = 0; cut < len; cut++)
		assert_true(cw_gp_fci_parse(buf, cut, &aid, &max) < 0);
}

/* A file's components: each one missing, each length false, any order. */
static void
test_cap(void **state)
{
	static uint8_t ijc[8192], bytes[8192];
	struct cw_gp_cap_info info;
	struct cw_gp_cap cap, bad;
	struct cw_gp_loader l;
	struct cap_image img;
	uint8_t block[255], part[600];
	size_t n, len = 0, room;
	int i, err;

	(void)state;
	cap_make(&img, 500);
	cap_fill(&cap, &img);
	assert_int_equal(cw_gp_cap_check(&cap, &info), 0);
	rig_same(info.package.b, info.package.len, "d27600008501");
	assert_int_equal(info.applet_cnt, 1);
	for (i = 0; i < CW_GP_CAP_CNT; i++) {
		bool optional = i == CW_GP_CAP_APPLET || i == CW_GP_CAP_EXPORT ||
		    i == CW_GP_CAP_DESCRIPTOR;

		bad = cap;
		bad.part[i].buf = NULL;
		assert_int_equal(cw_gp_cap_check(&bad, &info), optional ? 0 : CW_ENOENT);
		assert_true(optional || strstr(bad.fault, "missing") != NULL);
		if (cap.part[i].buf == NULL)
			continue;
		memcpy(part, cap.part[i].buf, cap.part[i].len);
		bad = cap;
		bad.part[i].buf = part;
		bad.part[i].len--;
		assert_true(cw_gp_cap_check(&bad, &info) < 0);
		assert_true(bad.fault[0] != '\0');
		bad.part[i].len++;
		part[0] ^= 0x40;
		assert_int_equal(cw_gp_cap_check(&bad, &info), CW_EFORMAT);
	}
	assert_int_equal(cw_gp_cap_add(&cap, "a/b/javacard/Method.cap", part, 9), CW_EEXIST);
	assert_int_equal(cw_gp_cap_add(&cap, "META-INF/MANIFEST.MF", part, 9), 0);
	assert_int_equal(cw_gp_cap_add(&cap, "xMethod.cap", part, 9), 0);

	/* whatever the block size, the same bytes; as an IJC they are the file */
	for (room = 1; room < 256; room += 13) {
		assert_int_equal(cw_gp_cap_check(&cap, &info), 0);
		cw_gp_loader_init(&l, &cap, NULL);
		err = (int)cw_gp_loader_blocks(&l, room);
		for (len = 0; (n = cw_gp_loader_next(&l, room, block)) > 0; err--) {
			memcpy((room == 1 ? ijc : bytes) + len, block, n);
			len += n;
		}
		assert_int_equal(err, 0);
		assert_true(room == 1 || memcmp(ijc, bytes, len) == 0);
	}
	assert_int_equal(ijc[0], 0xC4);
	assert_int_equal(len - 4, info.code_len);
	cw_gp_cap_init(&bad);
	assert_int_equal(cw_gp_cap_split(&bad, ijc + 4, len - 4), 0);
	assert_int_equal(cw_gp_cap_check(&bad, &info), 0);
	assert_int_equal(info.code_len, len - 4);
	for (n = 1; n < len - 4; n++) {
		cw_gp_cap_init(&bad);
		err = cw_gp_cap_split(&bad, ijc + 4, n);
		assert_true(err < 0 || cw_gp_cap_check(&bad, &info) < 0 ||
		    info.code_len == n);
	}
}

/* K failures halt, also side by side; a card that failed is not tried again. */
static void
test_guard(void **state)
{
	struct cw_gp_guard g;
	int i, tried = 0;

	(void)state;
	cw_gp_guard_init(&g, 0);
	for (i = 0; i < 8; i++)
		tried += cw_gp_guard_ask(&g, false) == 0;
	assert_int_equal(tried, 3);
	assert_int_equal(cw_gp_guard_ask(&g, false), CW_EBUSY);
	assert_false(cw_gp_guard_tell(&g, CW_GP_VERDICT_CRYPTOGRAM));
	assert_int_equal(cw_gp_guard_ask(&g, false), CW_EBUSY);
	assert_false(cw_gp_guard_tell(&g, CW_GP_VERDICT_REFUSED));
	assert_true(cw_gp_guard_tell(&g, CW_GP_VERDICT_CRYPTOGRAM));
	assert_int_equal(cw_gp_guard_ask(&g, false), CW_ESTATE);
	assert_non_null(strstr(cw_gp_verdict_text(g.cause), "wrong key file"));

	cw_gp_guard_resume(&g);
	assert_int_equal(cw_gp_guard_ask(&g, true), CW_EDENIED);
	assert_int_equal(cw_gp_guard_ask(&g, false), 0);
	assert_false(cw_gp_guard_tell(&g, CW_GP_VERDICT_GOOD));
	for (i = 0; i < 20; i++)
		assert_int_equal(cw_gp_guard_ask(&g, false), 0);
	assert_false(cw_gp_guard_tell(&g, CW_GP_VERDICT_REFUSED));
	assert_int_equal(cw_gp_guard_ask(&g, false), CW_EBUSY);
	assert_false(cw_gp_guard_tell(&g, CW_GP_VERDICT_GOOD));
	assert_int_equal(cw_gp_guard_ask(&g, false), 0);
}

static void
test_guard_compare(void **state)
{
	struct cw_keystore *s = cw_keystore_new();
	struct cw_keys keys = cw_keystore_keys(s);
	uint32_t des = rig_key(s, CW_KEY_DES3, "404142434445464748494a4b4c4d4e4f");
	uint32_t aes = rig_key(s, CW_KEY_AES256, "404142434445464748494a4b4c4d4e4f"
	    "404142434445464748494a4b4c4d4e4f");
	struct cw_gp_key_info card[3] = { { 1, 0x20, 0x80, 16 }, { 2, 0x20, 0x80, 16 },
	    { 3, 0x20, 0x80, 16 } };
	struct cw_gp_guard_keys k = { .version = 0x20, .key = { des, des, des } };

	(void)state;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_GOOD);
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 0), CW_GP_VERDICT_GOOD);
	k.version = 0;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_GOOD);
	k.version = 0x21;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_NO_VERSION);
	k.version = 0x20;
	k.key[1] = aes;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_KIND);
	card[1].type = 0x88;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_LENGTH);
	card[1].len = 32;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_GOOD);
	k.kcv_known = true;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_KCV);
	assert_int_equal(cw_key_kcv(&keys, des, k.kcv[0]), 0);
	assert_int_equal(cw_key_kcv(&keys, aes, k.kcv[1]), 0);
	assert_int_equal(cw_key_kcv(&keys, des, k.kcv[2]), 0);
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_GP_VERDICT_GOOD);
	k.key[2] = 77;
	assert_int_equal(cw_gp_guard_compare(&keys, &k, card, 3), CW_EINVAL);
	cw_keystore_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builders),
		cmocka_unit_test(test_parsers),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_guard_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
