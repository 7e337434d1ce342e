/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/gpload.h"
#include "sim/gp.h"
#include "tests/unit/card/rig.h"
#include "tests/unit/gp/cap.h"
#include "tests/unit/gp/rig.h"

/*
 * The GlobalPlatform card where it lives: behind the character line, by T=0
 * and by T=1, after its COS was burnt or as it was delivered.
 */
struct bench {
	struct rig rig;
	struct cw_keystore *store;
	struct cw_sim_gp_config gp;
	struct cw_scp scp;
	struct cw_keys keys;
};

static void
bench_open(struct bench *b, uint8_t proto, enum cw_sim_protocols line, bool active)
{
	struct cw_sim_card_config cfg = { .serial = "CARD0001", .protocols = line,
	    .flash_len = 8192, .gp = &b->gp, .gp_active = active, .seed = 1 };
	uint32_t k;

	memset(b, 0, sizeof *b);
	b->store = cw_keystore_new();
	assert_non_null(b->store);
	k = rig_key(b->store, proto == 2 ? CW_KEY_DES3 : CW_KEY_AES128,
	    "404142434445464748494a4b4c4d4e4f");
	b->keys = cw_keystore_keys(b->store);
	b->gp = (struct cw_sim_gp_config){ .keys = b->keys, .initial = { k, k, k },
	    .proto = proto, .i = proto == 2 ? 0x55 : 0x70 };
	rig_open_cfg(&b->rig, &cfg);
	assert_int_equal(rig_reset(&b->rig), 0);
	if (!active) {
		assert_int_equal(rig_apdu(&b->rig, "00A4040000"), 0x6E00);
		rig_burn(&b->rig);
	}
}

static void
bench_close(struct bench *b)
{
	cw_scp_end(&b->scp);
	rig_close(&b->rig);
	cw_keystore_free(b->store);
}

static int
run(struct bench *b, const struct cw_gp_cmd *c)
{
	uint8_t cmd[300];
	int n, sw;

	n = b->scp.open ? cw_scp_host_wrap(&b->scp, &c->apdu, cmd, sizeof cmd) :
	    cw_apdu_build(&c->apdu, cmd, sizeof cmd);
	assert_true(n > 0);
	sw = rig_send(&b->rig, cmd, (size_t)n);
	if (sw > 0 && b->scp.open) {
		b->rig.rsp_len = cw_scp_host_unwrap(&b->scp, b->rig.rsp,
		    (size_t)b->rig.rsp_len);
		assert_true(b->rig.rsp_len >= 2);
	}
	return sw;
}

static void
open_session(struct bench *b, uint8_t level)
{
	static const uint8_t challenge[8] = { 8, 7, 6, 5, 4, 3, 2, 1 };
	struct cw_scp_hello h;
	struct cw_gp_cmd c;
	uint8_t cmd[64];
	int n;

	assert_int_equal(cw_gp_initialize_update(&c, 0, challenge, 8), 0);
	assert_int_equal(run(b, &c), 0x9000);
	assert_int_equal(cw_scp_hello_parse(&h, b->rig.rsp,
	    (size_t)b->rig.rsp_len - 2, 8), 0);
	assert_memory_equal(h.kdd + 2, "CARD0001", 8);
	assert_int_equal(cw_scp_host_begin(&b->scp, &b->keys, &b->gp.initial, &h,
	    challenge), 0);
	n = cw_scp_host_auth(&b->scp, level, cmd, sizeof cmd);
	assert_true(n > 0);
	assert_int_equal(rig_send(&b->rig, cmd, (size_t)n), 0x9000);
}

static struct cap_image image;

static void
whole(uint8_t proto, enum cw_sim_protocols line, bool active)
{
	struct cw_gp_install in = { .what = CW_GP_FOR_LOAD };
	struct cw_gp_cap_info info;
	struct cw_gp_loader l;
	struct cw_gp_cap cap;
	struct cw_gp_cmd c;
	struct bench b;
	struct cw_gp_aid aid;
	uint8_t block[255], no = 0;
	uint16_t max;
	size_t n;

	bench_open(&b, proto, line, active);
	cw_gp_select(&c, NULL, false);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(cw_gp_fci_parse(b.rig.rsp, (size_t)b.rig.rsp_len - 2,
	    &aid, &max), 0);
	assert_int_equal(max, 255);
	cw_gp_get_data(&c, 0x00E0);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(b.rig.rsp[0], 0xE0);
	open_session(&b, proto == 2 ? 0x03 : 0x33);
	cap_make(&image, 2000);
	cap_fill(&cap, &image);
	assert_int_equal(cw_gp_cap_check(&cap, &info), 0);
	in.file = info.package;
	cw_gp_install(&c, &in);
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_loader_init(&l, &cap, NULL);
	while ((n = cw_gp_loader_next(&l, cw_scp_room(&b.scp, max), block)) > 0) {
		assert_int_equal(cw_gp_load(&c, no++, l.left == 0, block, n), 0);
		assert_int_equal(run(&b, &c), 0x9000);
	}
	assert_int_equal(cw_sim_gp_code_len(cw_sim_card_gp(b.rig.card),
	    &info.package), info.code_len);
	cw_gp_get_status(&c, CW_GP_FILES_AND_MODULES, false, NULL);
	assert_int_equal(run(&b, &c), 0x9000);
	cw_gp_get_data(&c, 0x9F7F);
	assert_int_equal(run(&b, &c), 0x9000);
	assert_int_equal(b.rig.rsp_len, 45 + 2);

	/* a reset ends the session, not what was loaded */
	assert_int_equal(rig_reset(&b.rig), 0);
	cw_scp_end(&b.scp);
	cw_gp_get_status(&c, CW_GP_ISD, false, NULL);
	assert_int_equal(run(&b, &c), 0x6982);
	assert_int_equal(cw_sim_gp_state(cw_sim_card_gp(b.rig.card), &in.file), 1);
	bench_close(&b);
}

static void
test_line(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 8; i++)
		whole(i & 1 ? 3 : 2, i & 2 ? CW_SIM_T1 : CW_SIM_T0, (i & 4) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
