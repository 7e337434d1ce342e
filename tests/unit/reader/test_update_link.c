/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <string.h>

#include "reader/update.h"
#include "tests/sweep/flash.h"

/*
 * Firmware over the link.  What the update itself does with it is tested in
 * test_update.c; here: when it may begin, what is answered, what a lost link
 * leaves, and that no card is begun meanwhile.
 */
#define BODY 6000u
#define LEN (CW_FWIMG_HDR + BODY)
#define SECOND 1000000u

static const struct cw_flash_map map = {
	.slot_off = { 0x4000, 0x40000 }, .slot_len = 0x3C000,
	.slot_addr = { 0x08004000, 0x08040000 },
	.log_off = { 0x7C000, 0x7C800 }, .counter_off = 0x7D000,
	.page_len = FLASH_PAGE,
};
static struct flash flash;
static struct cw_update update;
static uint8_t image[LEN];
static int restarts;

static bool
verify(const uint8_t *key, const uint8_t *digest, const uint8_t *sig)
{
	(void)key;
	return memcmp(digest, sig, 32) == 0;
}

static void
restart(void *dev)
{
	(void)dev;
	restarts++;
}

static struct fake *
start(void)
{
	struct cw_update_config c = {
		.flash = &flash_ops, .dev = &flash, .map = map, .board = "x",
		.check = { verify, NULL }, .running = 0,
	};
	struct fake *f = fake_new();
	struct cw_fwimg h;
	uint8_t digest[CW_SHA256_LEN];

	memset(&h, 0, sizeof h);
	strcpy(h.board, "x");
	strcpy(h.version, "3.1");
	h.addr = map.slot_addr[1];
	h.body_len = BODY;
	memset(image + CW_FWIMG_HDR, 0xA7, BODY);
	cw_sha256(h.body_digest, image + CW_FWIMG_HDR, BODY);
	assert_int_equal(cw_fwimg_build(image, digest, &h), 0);
	memcpy(image + CW_FWIMG_SIGNED, digest, 32);
	flash_init(&flash);
	cw_update_init(&update, &c);
	restarts = 0;
	f->cfg.update = &update;
	f->cfg.restart = restart;
	assert_int_equal(cw_reader_init(&f->core, &f->cfg, f->now_us), 0);
	fake_link(f);
	return f;
}

static void
begin(struct fake *f, uint32_t len)
{
	struct cw_rl_update_begin m = { len };

	fake_frame(f, cw_rl_put_update_begin(FAKE_OUT, ++f->id, &m));
}

static void
data(struct fake *f, uint32_t off, uint16_t len)
{
	struct cw_rl_store_data m = { off, image + off, len };

	fake_frame(f, cw_rl_put_update_data(FAKE_OUT, ++f->id, &m));
}

static void
end(struct fake *f, bool again)
{
	struct cw_rl_update_end m = { again };

	fake_frame(f, cw_rl_put_update_end(FAKE_OUT, ++f->id, &m));
}

static void
ok(struct fake *f, enum cw_update_state state, const char *version)
{
	struct cw_rl_update_ok m;
	struct cw_frame fr;

	assert_true(fake_next(f, CW_RL_UPDATE_OK, &fr));
	assert_int_equal(fr.id, f->id);
	assert_int_equal(cw_rl_get_update_ok(&m, fr.body, fr.body_len), 0);
	assert_int_equal(m.state, state);
	assert_int_equal(m.addr, 0x08040000);
	assert_string_equal(m.version, version);
}

static void
run_one(struct fake *f)
{
	static uint8_t prog[200];
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	fake_put_start(&b);
	fake_run_prog(f, ++f->id, 0, prog, (size_t)cw_prog_end(&b));
}

static void
test_good(void **state)
{
	struct fake *f = start();

	(void)state;
	begin(f, LEN);
	ok(f, CW_UPDATE_HEADER, "");
	data(f, 0, 1000);
	run_one(f);
	assert_int_equal(fake_error(f), CW_EBUSY);
	data(f, 1000, 5000);
	data(f, 6000, LEN - 6000);
	end(f, false);
	ok(f, CW_UPDATE_READY, "3.1");
	assert_int_equal(restarts, 0);
	assert_int_equal(update.log.state.pending, 1);
	/* Cards again until somebody restarts it. */
	run_one(f);
	assert_false(fake_next(f, CW_RL_ERROR, &(struct cw_frame){ 0 }));
	fake_end(f);

	f = start();
	begin(f, LEN);
	ok(f, CW_UPDATE_HEADER, "");
	data(f, 0, 6000);
	data(f, 6000, LEN - 6000);
	end(f, true);
	ok(f, CW_UPDATE_READY, "3.1");
	assert_int_equal(restarts, 1);
	fake_end(f);
}

static void
test_refused(void **state)
{
	struct fake *f = start();

	(void)state;
	end(f, true);
	assert_int_equal(fake_error(f), CW_ESTATE);
	data(f, 0, 100);		/* not answered */
	/* Out of order. */
	begin(f, LEN);
	data(f, 100, 100);
	assert_int_equal(fake_error(f), CW_EPROTO);
	data(f, 0, 100);
	end(f, true);
	assert_int_equal(fake_error(f), CW_ESTATE);
	/* Beyond what was announced. */
	begin(f, 50);
	data(f, 0, 51);
	assert_int_equal(fake_error(f), CW_EPROTO);
	/* Told at once, not at the end. */
	image[300] ^= 1;
	begin(f, LEN);
	data(f, 0, 1000);
	assert_int_equal(fake_error(f), CW_EDENIED);
	image[300] ^= 1;
	image[2000] ^= 1;
	begin(f, LEN);
	data(f, 0, 6000);
	data(f, 6000, LEN - 6000);
	assert_int_equal(fake_error(f), CW_EDIGEST);
	image[2000] ^= 1;
	begin(f, LEN);
	data(f, 0, 600);
	end(f, true);
	assert_int_equal(fake_error(f), CW_ESHORT);
	assert_int_equal(restarts, 0);
	assert_int_equal(update.log.state.pending, -1);
	fake_end(f);
}

/* The first answer is OK, so that only what follows it is an ERROR. */
static void
test_busy(void **state)
{
	struct fake *f = start();
	struct cw_rl_result m;

	(void)state;
	run_one(f);
	begin(f, LEN);
	assert_int_equal(fake_error(f), CW_EBUSY);
	fake_run(f, 5 * SECOND);
	begin(f, LEN);		/* its result is not acknowledged */
	assert_int_equal(fake_error(f), CW_EBUSY);
	f->sent_off = 0;
	fake_result(f, &m);
	fake_slot_attempt(f, CW_RL_RESULT_ACK, m.attempt);
	f->sent_off = f->sent_len;
	begin(f, LEN);
	ok(f, CW_UPDATE_HEADER, "");
	begin(f, LEN);
	assert_int_equal(fake_error(f), CW_EBUSY);
	fake_end(f);
}

/* A lost link ends it; the console may begin another, and nobody meanwhile. */
static void
test_link_lost(void **state)
{
	struct fake *f = start();

	(void)state;
	begin(f, LEN);
	data(f, 0, 1000);
	assert_int_equal(cw_update_begin(&update), CW_EBUSY);
	fake_drop_link(f);
	assert_int_equal(cw_update_begin(&update), 0);
	fake_link(f);
	run_one(f);
	assert_int_equal(fake_error(f), CW_EBUSY);
	cw_update_drop(&update);
	run_one(f);
	fake_run(f, 5 * SECOND);
	fake_end(f);
}

static void
test_not_here(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	fake_link(f);
	begin(f, 10);
	assert_int_equal(fake_error(f), CW_EUNSUPPORTED);
	fake_end(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_busy), cmocka_unit_test(test_link_lost),
		cmocka_unit_test(test_not_here),
	};

	return cmocka_run_group_tests_name("update_link", tests, NULL, NULL);
}
