/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/gpguard.h"
#include "cw/gpload.h"
#include "sim/gp.h"
#include "tests/unit/gp/cap.h"
#include "tests/unit/gp/rig.h"

/* The host side of lib/gp against the simulated card. */
#define KEY "404142434445464748494a4b4c4d4e4f"

struct bench {
	struct cw_keystore *store;
	struct cw_keys keys;
	struct cw_scp_static st;
	struct cw_sim_gp *card;
	struct cw_scp scp;
	uint8_t rsp[CW_SIM_GP_RSP_MAX + 2];
	size_t rsp_len;		/* without the status word */
	uint8_t proto, i;
};

static const struct { uint8_t proto, i, level; enum cw_key_alg alg; } combo[] = {
	{ 2, 0x15, 0x01, CW_KEY_DES3 }, { 2, 0x55, 0x03, CW_KEY_DES3 },
	{ 3, 0x00, 0x01, CW_KEY_AES128 }, { 3, 0x10, 0x03, CW_KEY_AES192 },
	{ 3, 0x60, 0x13, CW_KEY_AES256 }, { 3, 0x70, 0x33, CW_KEY_AES128 },
	{ 3, 0x71, 0x33, CW_KEY_AES256 }, { 3, 0x70, 0x00, CW_KEY_AES128 },
};

static void
bench_open(struct bench *b, int n)
{
	struct cw_sim_gp_config cfg = { .proto = combo[n].proto, .i = combo[n].i,
	    .kdd = "0123456789", .seed = 3 };
	uint8_t bytes[32];
	uint32_t k;

	memset(b, 0, sizeof *b);
	b->store = cw_keystore_new();
	assert_non_null(b->store);
	b->keys = cw_keystore_keys(b->store);
	rig_hex(bytes, 32, KEY KEY);
	k = cw_keystore_add(b->store, combo[n].alg, bytes);
	b->st = (struct cw_scp_static){ k, k, k };
	cfg.keys = b->keys;
	cfg.initial = b->st;
	b->card = cw_sim_gp_new(&cfg);
	assert_non_null(b->card);
	b->proto = combo[n].proto;
	b->i = combo[n].i;
}

static void
bench_close(struct bench *b)
{
	cw_scp_end(&b->scp);
	cw_sim_gp_free(b->card);
	cw_keystore_free(b->store);
}

/* Bytes as they are; the status word. */
static uint16_t
raw(struct bench *b, const uint8_t *cmd, size_t len)
{
	struct cw_apdu a;
	uint16_t sw;

	assert_int_equal(cw_apdu_parse(&a, cmd, len), 0);
	sw = cw_sim_gp_apdu(b->card, &a, b->rsp, &b->rsp_len);
	b->rsp[b->rsp_len] = (uint8_t)(sw >> 8);
	b->rsp[b->rsp_len + 1] = (uint8_t)sw;
	return sw;
}

static uint16_t
hex(struct bench *b, const char *text)
{
	uint8_t cmd[300];

	return raw(b, cmd, rig_hex(cmd, sizeof cmd, text));
}

/* A command within the session, or without one. */
static uint16_t
run(struct bench *b, const struct cw_gp_cmd *c)
{
	uint8_t cmd[300];
	uint16_t sw;
	int n;

	n = b->scp.open ? cw_scp_host_wrap(&b->scp, &c->apdu, cmd, sizeof cmd) :
	    cw_apdu_build(&c->apdu, cmd, sizeof cmd);
	assert_true(n > 0);
	sw = raw(b, cmd, (size_t)n);
	if (b->scp.open) {
		n = cw_scp_host_unwrap(&b->scp, b->rsp, b->rsp_len + 2);
		assert_true(n >= 2);
		b->rsp_len = (size_t)n - 2;
	}
	return sw;
}

/* Opens a session: what the card said, or an error of the host. */
static int
auth(struct bench *b, const struct cw_scp_static *st, uint8_t version, uint8_t level)
{
	static const uint8_t challenge[16] = { 9, 8, 7, 6, 5, 4, 3, 2, 1 };
	size_t size = b->proto == 3 && (b->i & 1) != 0 ? 16 : 8;
	struct cw_scp_hello h;
	struct cw_gp_cmd c;
	uint8_t cmd[64];
	int n;

	cw_scp_end(&b->scp);
	assert_int_equal(cw_gp_initialize_update(&c, version, challenge, size), 0);
	n = run(b, &c);
	if (n != 0x9000)
		return n;
	assert_int_equal(cw_scp_hello_parse(&h, b->rsp, b->rsp_len, size), 0);
	n = cw_scp_host_begin(&b->scp, &b->keys, st, &h, challenge);
	if (n < 0)
		return n;
	n = cw_scp_host_auth(&b->scp, level, cmd, sizeof cmd);
	assert_true(n > 0);
	return raw(b, cmd, (size_t)n);
}

static uint16_t
load(struct bench *b, const struct cw_gp_cap *cap, size_t room)
{
	struct cw_gp_loader l;
	struct cw_gp_cmd c;
	uint8_t block[255], no = 0;
	uint16_t sw = 0;
	size_t n;

	cw_gp_loader_init(&l, cap, NULL);
	while ((n = cw_gp_loader_next(&l, room, block)) > 0) {
		assert_int_equal(cw_gp_load(&c, no++, l.left == 0, block, n), 0);
		if ((sw = run(b, &c)) != 0x9000)
			break;
	}
	return sw;
}

static struct cap_image image;

/* Load, install, personalize, list, delete: under every kind of session. */
static void
whole_life(int n)
{
	static const uint8_t secret[48] = "key one key two key three sixteen bytes.......";
	static const struct cw_gp_dgi dgi[] = {
		{ 0x0101, false, (const uint8_t *)"hello", 5 },
		{ 0x8201, true, secret, sizeof secret },
		{ 0x7001, false, image.bytes[CW_GP_CAP_METHOD], 700 } };
	struct cw_gp_install in = { .what = CW_GP_FOR_LOAD };
	struct cw_gp_cap_info info;
	struct cw_gp_store st;
	struct cw_gp_entry e;
	struct cw_gp_cap cap;
	struct cw_gp_cmd c;
	struct bench b;
	struct cw_rd r;
	uint8_t out[800];
	int got;

	bench_open(&b, n);
	cap_make(&image, 30000);
	cap_fill(&cap, &image);
	assert_int_equal(cw_gp_cap_check(&cap, &info), 0);
	assert_int_equal(hex(&b, "00a4040000"), 0x9000);
	assert_int_equal(auth(&b, &b.st, 0, combo[n].level), 0x9000);
	in.file = info.package;
	in.module = in.app = info.applet[0];
	cw_gp_install(&c, &in);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(load(&b, &cap, cw_scp_room(&b.scp, 255)), 0x9000);
	assert_int_equal(cw_sim_gp_code_len(b.card, &info.package), info.code_len);
	in.what = CW_GP_FOR_INSTALL_SELECTABLE;
	cw_gp_install(&c, &in);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(run(&b, &c), 0x6A80);
	in.what = CW_GP_FOR_PERSO;
	cw_gp_install(&c, &in);
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_store_init(&st, dgi, 3);
	while ((got = cw_gp_store_next(&st, &b.scp, cw_scp_room(&b.scp, 255), &c)) > 0)
		assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(got, 0);
	assert_int_equal(cw_sim_gp_state(b.card, &in.app), 0x0F);
	assert_int_equal(cw_sim_gp_dgi(b.card, &in.app, 0x8201, out, sizeof out), 48);
	assert_memory_equal(out, secret, 48);
	assert_int_equal(cw_sim_gp_dgi(b.card, &in.app, 0x7001, out, sizeof out), 700);
	assert_memory_equal(out, dgi[2].data, 700);

	cw_gp_get_status(&c, CW_GP_APPS, false, NULL);
	assert_int_equal(run(&b, &c), 0x9000);
	r = cw_rd_init(b.rsp, b.rsp_len);
	assert_int_equal(cw_gp_entry_next(&r, &e), 1);
	assert_true(cw_gp_aid_equal(&e.aid, &in.app));
	assert_true(cw_gp_aid_equal(&e.file, &info.package));
	assert_int_equal(e.state, 0x0F);
	assert_int_equal(cw_gp_entry_next(&r, &e), 0);
	cw_gp_delete(&c, &info.package, false);
	assert_int_equal(run(&b, &c), 0x6985);
	cw_gp_delete(&c, &info.package, true);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(cw_sim_gp_state(b.card, &in.app), CW_ENOENT);
	assert_int_equal(cw_sim_gp_dgi(b.card, &in.app, 0x8201, out, 800), CW_ENOENT);
	bench_close(&b);
}

static void
test_life(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof combo / sizeof combo[0]; i++)
		whole_life((int)i);
}

/* New keys, in both codings: the old ones are dead, the new ones open. */
static void
test_put_key(void **state)
{
	uint8_t bytes[32], expect[10];
	size_t expect_len, n;
	struct cw_scp_static next;
	struct cw_gp_key_info info[6];
	struct cw_gp_cmd c;
	struct bench b;
	uint64_t seed = 17;
	int coding;

	(void)state;
	for (n = 0; n < sizeof combo / sizeof combo[0]; n++)
		for (coding = 0; coding < 2; coding++) {
			struct cw_gp_put_key p = { .new_version = 0x21, .id = 1,
			    .coding = (enum cw_gp_key_coding)coding, .key_cnt = 3 };
			int i;

			bench_open(&b, (int)n);
			for (i = 0; i < 3; i++) {
				rig_fill(&seed, bytes, 32);
				p.key[i] = cw_keystore_add(b.store, combo[n].alg, bytes);
			}
			next = (struct cw_scp_static){ p.key[0], p.key[1], p.key[2] };
			assert_int_equal(auth(&b, &b.st, 0xFF, combo[n].level), 0x9000);
			assert_int_equal(cw_gp_put_key(&c, &b.scp, &p, expect,
			    &expect_len), 0);
			c.data[c.apdu.lc - 1] ^= 1;
			assert_int_equal(run(&b, &c), 0x6982);
			c.data[c.apdu.lc - 1] ^= 1;
			assert_int_equal(run(&b, &c), 0x9000);
			assert_int_equal(b.rsp_len, expect_len);
			assert_memory_equal(b.rsp, expect, expect_len);
			assert_int_equal(auth(&b, &b.st, 0xFF, 1), 0x6A88);
			assert_int_equal(auth(&b, &b.st, 0x21, 1), CW_EDENIED);
			assert_int_equal(auth(&b, &next, 0x21, combo[n].level), 0x9000);
			cw_gp_get_data(&c, 0x00E0);
			assert_int_equal(run(&b, &c), 0x9000);
			assert_int_equal(cw_gp_key_info_parse(b.rsp, b.rsp_len, info, 6), 3);
			assert_int_equal(info[0].version, 0x21);
			assert_int_equal(info[0].len, cw_key_len(combo[n].alg));
			bench_close(&b);
		}
}

/* Wrong cryptograms count, over resets too, and lock the set at last; asking
 * the card and seeing its cryptogram wrong does not count. */
static void
test_tries(void **state)
{
	struct bench b;
	int i;

	(void)state;
	bench_open(&b, 5);
	for (i = 0; i < 50; i++) {
		uint32_t k = rig_key(b.store, CW_KEY_AES128,
		    "00000000000000000000000000000001");
		struct cw_scp_static bad = { k, k, k };

		assert_int_equal(auth(&b, &bad, 0, 1), CW_EDENIED);
	}
	assert_int_equal(cw_sim_gp_tries(b.card), 10);
	for (i = 1; i <= 10; i++) {
		assert_int_equal(hex(&b, "8050000008010203040506070800"), 0x9000);
		assert_int_equal(hex(&b, "848201001000112233445566778899aabbccddeeff"),
		    i < 10 ? 0x6982 : 0x6983);
		assert_int_equal(cw_sim_gp_tries(b.card), 10 - i);
		cw_sim_gp_reset(b.card);
	}
	assert_int_equal(auth(&b, &b.st, 0, 1), 0x6983);
	bench_close(&b);
}

/* What the standard forbids. */
static void
test_strict(void **state)
{
	static const struct { const char *cmd; uint16_t sw; } v[] = {
		{ "80f24002024f0000", 0x6982 }, { "80e400000a4f08a000000151000000", 0x6982 },
		{ "80500000080102030405060708", 0x9000 },
		{ "80500100080102030405060708", 0x6A88 },
		{ "80500001080102030405060708", 0x6A86 },
		{ "805000000701020304050607", 0x6700 },
		{ "848201001000112233445566778899aabbccddeeff", 0x6985 },
		{ "80ca00e000", 0x9000 }, { "00ca9f7f00", 0x9000 }, { "80ca123400", 0x6A88 },
		{ "8010000000", 0x6D00 }, { "a0a40000023f00", 0x6E00 },
		{ "81ca00e000", 0x6881 }, { "84ca00e000", 0x6982 },
		{ "00a4040005a000000099", 0x6A82 }, { "00a4000000", 0x6A86 },
		{ "00a4040005a000000151", 0x9000 },
		{ "80500000080102030405060708", 0x9000 }, { "80ca006600", 0x9000 },
		{ "848201001000112233445566778899aabbccddeeff", 0x6985 },
	};
	struct bench b;
	struct cw_gp_cmd c;
	size_t i;

	(void)state;
	bench_open(&b, 2);
	for (i = 0; i < sizeof v / sizeof v[0]; i++)
		assert_int_equal(hex(&b, v[i].cmd), v[i].sw);

	/* a command in the clear within a session that wants MACs ends it */
	assert_int_equal(auth(&b, &b.st, 0, 1), 0x9000);
	assert_int_equal(hex(&b, "80f24002024f0000"), 0x6982);
	cw_gp_get_status(&c, CW_GP_ISD, false, NULL);
	assert_int_equal(run(&b, &c), 0x6982);

	/* life cycle: no step is left out, no way back but from locked */
	assert_int_equal(auth(&b, &b.st, 0, 1), 0x9000);
	cw_gp_set_status(&c, CW_GP_ISD, CW_GP_SECURED, NULL);
	assert_int_equal(run(&b, &c), 0x6985);
	cw_gp_set_status(&c, CW_GP_ISD, CW_GP_INITIALIZED, NULL);
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_set_status(&c, CW_GP_ISD, CW_GP_SECURED, NULL);
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_set_status(&c, CW_GP_ISD, CW_GP_CARD_LOCKED, NULL);
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_get_status(&c, CW_GP_ISD, false, NULL);
	assert_int_equal(run(&b, &c), 0x6985);
	assert_int_equal(hex(&b, "00a4040000"), 0x6283);
	assert_int_equal(auth(&b, &b.st, 0, 1), 0x9000);
	cw_gp_set_status(&c, CW_GP_ISD, CW_GP_TERMINATED, NULL);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(hex(&b, "00a4040000"), 0x6A82);
	assert_int_equal(cw_sim_gp_life(b.card), CW_GP_TERMINATED);
	bench_close(&b);
}

/* A load cut off, out of order, damaged or too large leaves nothing behind. */
static void
test_bad_load(void **state)
{
	struct cw_gp_install in = { .what = CW_GP_FOR_LOAD };
	struct cw_gp_cap_info info;
	struct cw_gp_cap cap, bad;
	struct cw_gp_cmd c, step;
	struct bench b;
	int i;

	(void)state;
	bench_open(&b, 3);
	cap_make(&image, 600);
	cap_fill(&cap, &image);
	assert_int_equal(cw_gp_cap_check(&cap, &info), 0);
	assert_int_equal(auth(&b, &b.st, 0, 3), 0x9000);
	in.file = info.package;
	cw_gp_install(&c, &in);
	cw_gp_load(&step, 0, true, (const uint8_t *)"\xc4", 1);
	assert_int_equal(run(&b, &step), 0x6985);
	for (i = 0; i < CW_GP_CAP_CNT; i++) {
		bad = cap;
		bad.part[i].buf = NULL;
		if (cw_gp_cap_check(&bad, &info) != CW_ENOENT)
			continue;
		bad.part[i] = (struct cw_key_part){ image.bytes[0], 0 };
		assert_int_equal(run(&b, &c), 0x9000);
		assert_int_equal(load(&b, &bad, 200), 0x6A80);
		assert_int_equal(cw_sim_gp_state(b.card, &in.file), CW_ENOENT);
	}
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_load(&step, 1, false, (const uint8_t *)"\xc4", 1);
	assert_int_equal(run(&b, &step), 0x6A86);
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_load(&step, 0, false, (const uint8_t *)"\xc4\x83\x7f\xff\xff", 5);
	assert_int_equal(run(&b, &step), 0x6A84);

	/* interrupted by another command: begins anew */
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_load(&step, 0, false, (const uint8_t *)"\xc4", 1);
	assert_int_equal(run(&b, &step), 0x9000);
	cw_gp_get_status(&step, CW_GP_ISD, false, NULL);
	assert_int_equal(run(&b, &step), 0x9000);
	cw_gp_load(&step, 1, false, (const uint8_t *)"\x10", 1);
	assert_int_equal(run(&b, &step), 0x6985);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(load(&b, &cap, 77), 0x9000);
	bench_close(&b);
}

/* Random bytes, in the clear and protected: never more than the room. */
static void
test_random(void **state)
{
	static const uint8_t ins[] = { 0x50, 0x82, 0xA4, 0xCA, 0xD8, 0xE2, 0xE4, 0xE6,
	    0xE8, 0xF0, 0xF2 };
	struct bench b;
	uint64_t seed = 11;
	int i, k;

	(void)state;
	for (k = 0; k < 20; k++) {
		bench_open(&b, k % 8);
		auth(&b, &b.st, 0, combo[k % 8].level);
		for (i = 0; i < 3000; i++) {
			struct cw_gp_cmd c = { .apdu = { .cla = 0x80 } };

			rig_fill(&seed, c.data, sizeof c.data);
			c.apdu.ins = ins[rig_rand(&seed) % sizeof ins];
			c.apdu.p1 = c.data[0] & (uint8_t)rig_rand(&seed);
			c.apdu.p2 = c.data[1] & (uint8_t)rig_rand(&seed);
			c.apdu.lc = (uint32_t)(rig_rand(&seed) % 100 + 1);
			c.apdu.data = c.data;
			c.apdu.kind = CW_APDU_3S;
			c.data[0] &= 0x0F;
			if (!b.scp.open || c.apdu.ins == 0x50 || c.apdu.ins == 0x82 ||
			    c.apdu.ins == 0xA4)
				continue;
			run(&b, &c);
			assert_true(b.rsp_len <= CW_SIM_GP_RSP_MAX);
		}
		bench_close(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_put_key),
		cmocka_unit_test(test_tries),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_bad_load),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
