/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gp/rig.h"
#include "tests/vectors/scp.h"

static struct cw_keystore *store;
static struct cw_keys keys;

static int
setup(void **state)
{
	(void)state;
	store = cw_keystore_new();
	assert_non_null(store);
	keys = cw_keystore_keys(store);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	cw_keystore_free(store);
	return 0;
}

/* RFC 4493, section 4: messages of 0, 16, 40 and 64 bytes, cut at every place. */
static void
test_cmac(void **state)
{
	static const char msg[] = "6bc1bee22e409f96e93d7e117393172a"
	    "ae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef"
	    "f69f2445df4f9b17ad2b417be66c3710";
	static const struct { size_t len; const char *mac; } v[] = {
		{ 0, "bb1d6929e95937287fa37d129b756746" },
		{ 16, "070a16b46b4d4144f79bdd9dd04a287c" },
		{ 40, "dfa66747de9ae63030ca32611497c827" },
		{ 64, "51f0bebf7e3b9d92fc49741779363cfe" },
	};
	uint32_t k = rig_key(store, CW_KEY_AES128, "2b7e151628aed2a6abf7158809cf4f3c");
	struct cw_key_macing m = { .kind = CW_KEY_CMAC, .part_cnt = 2 };
	uint8_t text[64], mac[16];
	size_t i, cut;

	(void)state;
	rig_hex(text, sizeof text, msg);
	for (i = 0; i < 4; i++)
		for (cut = 0; cut <= v[i].len; cut++) {
			m.part[0] = (struct cw_key_part){ text, cut };
			m.part[1] = (struct cw_key_part){ text + cut, v[i].len - cut };
			assert_int_equal(keys.ops->mac(keys.ctx, k, &m, mac), 0);
			rig_same(mac, 16, v[i].mac);
		}
}

/* FIPS 81, and single DES by its well-known "Now is t" under 0123456789ABCDEF. */
static void
test_des(void **state)
{
	static const struct cw_key_crypt half = { .mode = CW_KEY_ECB_HALF };
	static const struct cw_key_crypt back = { .mode = CW_KEY_ECB_HALF, .decrypt = true };
	uint32_t k = rig_key(store, CW_KEY_DES3, "0123456789abcdef8877665544332211");
	uint8_t block[8] = "Now is t";

	(void)state;
	assert_int_equal(keys.ops->crypt(keys.ctx, k, &half, block, 8, block), 0);
	rig_same(block, 8, "3fa40e8a984d4815");
	assert_int_equal(keys.ops->crypt(keys.ctx, k, &back, block, 8, block), 0);
	assert_memory_equal(block, "Now is t", 8);
}

/* ISO/IEC 9797-1, annex B: algorithm 3, padding 2, both data strings. */
static void
test_retail(void **state)
{
	static const char *const text[2] = {
		"Now is the time for all ", "Now is the time for it" };
	static const char *const want[2] = { "e9086230ca3be796", "5a692ce64f404145" };
	uint32_t k = rig_key(store, CW_KEY_DES3, "0123456789abcdeffedcba9876543210");
	struct cw_key_macing m = { .kind = CW_KEY_RETAIL, .part_cnt = 2 };
	uint8_t mac[16];
	size_t i, cut;

	(void)state;
	for (i = 0; i < 2; i++)
		for (cut = 0; cut < strlen(text[i]); cut++) {
			m.part[0] = (struct cw_key_part){ (const uint8_t *)text[i], cut };
			m.part[1] = (struct cw_key_part){ (const uint8_t *)text[i] + cut,
			    strlen(text[i]) - cut };
			assert_int_equal(keys.ops->mac(keys.ctx, k, &m, mac), 0);
			rig_same(mac, 8, want[i]);
		}
}

static void
test_kcv(void **state)
{
	static const char *const k128[3] = { "000102030405060708090a0b0c0d0e0f",
	    "101112131415161718191a1b1c1d1e1f", "202122232425262728292a2b2c2d2e2f" };
	uint8_t kcv[3];
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(cw_key_kcv(&keys, rig_key(store, CW_KEY_AES128,
		    k128[i]), kcv), 0);
		rig_same(kcv, 3, cw_scp03_kcv[i]);
	}

	/* the well-known one of 40 41 .. 4F in 3DES */
	assert_int_equal(cw_key_kcv(&keys, rig_key(store, CW_KEY_DES3,
	    "404142434445464748494a4b4c4d4e4f"), kcv), 0);
	rig_same(kcv, 3, "8baf47");
	assert_int_equal(cw_key_kcv(&keys, 99, kcv), CW_EINVAL);
}

static void
test_kdf3(void **state)
{
	uint32_t m = rig_key(store, CW_KEY_AES256, cw_kdf3_master);
	uint32_t des = rig_key(store, CW_KEY_DES3, "404142434445464748494a4b4c4d4e4f");
	struct cw_scp_static st = { m, m, m }, des_st = { des, des, des }, out;
	uint32_t want = rig_key(store, CW_KEY_AES256, cw_kdf3_enc);
	uint8_t kdd[10], a[32], b[32];
	const struct cw_key_crypt ecb = { .mode = CW_KEY_ECB };
	uint32_t before = cw_keystore_count(store);

	(void)state;
	rig_hex(kdd, sizeof kdd, cw_kdf3_kdd);
	assert_int_equal(cw_scp_diversify(&keys, CW_SCP_DIV_KDF3, &st, kdd, &out), 0);
	memset(a, 7, sizeof a);
	keys.ops->crypt(keys.ctx, want, &ecb, a, 32, b);
	keys.ops->crypt(keys.ctx, out.enc, &ecb, a, 32, a);
	assert_memory_equal(a, b, 32);
	cw_scp_div_drop(&keys, CW_SCP_DIV_KDF3, &out);
	assert_int_equal(cw_keystore_count(store), before);

	assert_int_equal(cw_scp_diversify(&keys, CW_SCP_DIV_EMV, &st, kdd, &out),
	    CW_EUNSUPPORTED);
	assert_int_equal(cw_scp_diversify(&keys, CW_SCP_DIV_KDF3, &des_st, kdd, &out),
	    CW_EUNSUPPORTED);
	assert_int_equal(cw_keystore_count(store), before);
}

/* VISA2 and EMV CPS: the very block that is encrypted. */
static void
test_des_diversification(void **state)
{
	static const struct { enum cw_scp_div how; const char *block; } v[] = {
		{ CW_SCP_DIV_VISA2, "000104050607f002000104050607" "0f02" },
		{ CW_SCP_DIV_EMV, "040506070809f002040506070809" "0f02" },
	};
	uint32_t m = rig_key(store, CW_KEY_DES3, "404142434445464748494a4b4c4d4e4f");
	struct cw_scp_static st = { m, m, m }, out;
	const struct cw_key_crypt ecb = { .mode = CW_KEY_ECB };
	uint8_t kdd[10], block[16], kcv[3], want[3];
	size_t i;

	(void)state;
	for (i = 0; i < 10; i++)
		kdd[i] = (uint8_t)i;
	for (i = 0; i < 2; i++) {
		assert_int_equal(cw_scp_diversify(&keys, v[i].how, &st, kdd, &out), 0);
		assert_int_equal(rig_hex(block, 16, v[i].block), 16);
		keys.ops->crypt(keys.ctx, m, &ecb, block, 16, block);
		assert_int_equal(cw_key_kcv(&keys, cw_keystore_add(store, CW_KEY_DES3,
		    block), want), 0);
		assert_int_equal(cw_key_kcv(&keys, out.mac, kcv), 0);
		assert_memory_equal(kcv, want, 3);
		cw_scp_div_drop(&keys, v[i].how, &out);
	}
	assert_int_equal(cw_scp_div_parse("emv"), CW_SCP_DIV_EMV);
	assert_int_equal(cw_scp_div_parse("em"), CW_ENOENT);
}

/* wrap and unwrap are each other's reverse for every pair of kinds. */
static void
test_wrap(void **state)
{
	uint8_t bytes[CW_KEY_MAX], out[CW_KEY_WRAP_MAX], a[3], b[3];
	uint64_t seed = 4;
	uint32_t by, k, back;
	int i, j, n;

	(void)state;
	for (i = 0; i < CW_KEY_ALG_CNT; i++)
		for (j = 0; j < CW_KEY_ALG_CNT; j++) {
			rig_fill(&seed, bytes, sizeof bytes);
			by = cw_keystore_add(store, (enum cw_key_alg)i, bytes);
			rig_fill(&seed, bytes, sizeof bytes);
			k = cw_keystore_add(store, (enum cw_key_alg)j, bytes);
			n = keys.ops->wrap(keys.ctx, by, k, out);
			assert_int_equal(n % (int)cw_key_block((enum cw_key_alg)i), 0);
			assert_int_equal(keys.ops->unwrap(keys.ctx, by,
			    (enum cw_key_alg)j, out, (size_t)n, &back), 0);
			assert_int_equal(cw_key_kcv(&keys, k, a), 0);
			assert_int_equal(cw_key_kcv(&keys, back, b), 0);
			assert_memory_equal(a, b, 3);
			assert_int_equal(keys.ops->unwrap(keys.ctx, by,
			    (enum cw_key_alg)j, out, 8, &back), CW_EINVAL);
			assert_int_equal(back, 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cmac, setup, teardown),
		cmocka_unit_test_setup_teardown(test_des, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kcv, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kdf3, setup, teardown),
		cmocka_unit_test_setup_teardown(test_des_diversification, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
