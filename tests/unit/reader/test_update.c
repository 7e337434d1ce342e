/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "boards/stm32f103ze_w5300/boot/choose.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "reader/update.h"
#include "tests/sweep/flash.h"

/*
 * Log, decisions and refusals.  The "signature" here is the digest twice, XOR
 * the key: what is tested is who asks for it and when; real ones are in
 * tests/sweep.
 */
#define BODY 5000u
#define FILE_LEN (CW_FWIMG_HDR + BODY)

static const struct cw_flash_map map = {
	.slot_off = { 0x4000, 0x40000 }, .slot_len = 0x3C000,
	.slot_addr = { 0x08004000, 0x08040000 },
	.log_off = { 0x7C000, 0x7C800 }, .counter_off = 0x7D000,
	.page_len = FLASH_PAGE,
};
static const uint8_t key[CW_FWIMG_KEY] = { 0x5A };
static struct flash f;

static void
sign(uint8_t *sig, const uint8_t *digest)
{
	size_t i;

	for (i = 0; i < CW_FWIMG_SIG; i++)
		sig[i] = digest[i % CW_SHA256_LEN] ^ key[0];
}

static bool
verify(const uint8_t *k, const uint8_t *digest, const uint8_t *sig)
{
	uint8_t want[CW_FWIMG_SIG];

	assert_ptr_equal(k, key);
	sign(want, digest);
	return memcmp(want, sig, sizeof want) == 0;
}

static struct cw_fwimg
head(int slot, uint16_t counter)
{
	struct cw_fwimg h;

	memset(&h, 0, sizeof h);
	strcpy(h.board, "board-x");
	strcpy(h.version, "1.2.3");
	h.counter = counter;
	h.addr = map.slot_addr[slot];
	h.body_len = BODY;
	return h;
}

static void
make(uint8_t out[FILE_LEN], struct cw_fwimg h)
{
	uint8_t digest[CW_SHA256_LEN];
	size_t i;

	for (i = 0; i < BODY; i++)
		out[CW_FWIMG_HDR + i] = (uint8_t)(i * 31 + h.counter + h.addr);
	cw_sha256(h.body_digest, out + CW_FWIMG_HDR, BODY);
	assert_int_equal(cw_fwimg_build(out, digest, &h), 0);
	sign(out + CW_FWIMG_SIGNED, digest);
}

static void
put(int slot, uint16_t counter)
{
	make(f.mem + map.slot_off[slot], head(slot, counter));
}

static int
setup(void **state)
{
	(void)state;
	flash_init(&f);
	return 0;
}

static struct cw_ulog
log_open(void)
{
	struct cw_ulog l;

	cw_ulog_init(&l, &flash_ops, &f, &map);
	cw_ulog_read(&l);
	return l;
}

static int
choose(bool *trial)
{
	struct cw_boot_config cfg = {
		.map = map, .board = "board-x", .check = { verify, key },
		.tries = CW_UPDATE_TRIES,
	};
	struct cw_boot b;
	int slot;

	cw_boot_init(&b, &flash_ops, &f, &cfg);
	slot = cw_boot_choose(&b);
	if (trial != NULL)
		*trial = b.trial;
	return slot;
}

static void
update_open(struct cw_update *u, int running)
{
	struct cw_update_config cfg = {
		.flash = &flash_ops, .dev = &f, .map = map, .board = "board-x",
		.check = { verify, key }, .running = running,
	};

	cw_update_init(u, &cfg);
}

static void
test_log_words(void **state)
{
	static const uint16_t want[6] = {
		0x00FF, 0x0F0F, 0x0FF0, 0x3333, 0x33CC, 0x3CA5,
	};
	struct cw_ulog l = log_open();
	uint16_t w;
	uint32_t bits;
	int i, j;

	(void)state;
	for (i = 0; i < 6; i++) {
		assert_int_equal(cw_ulog_append(&l, (enum cw_ulog_op)(i / 2), i % 2), 0);
		w = (uint16_t)(f.mem[0x7C000 + 6 + 2 * i] |
		    f.mem[0x7C000 + 7 + 2 * i] << 8);
		assert_int_equal(w, want[i]);
	}
	/* No word half programmed is another, nor the seal. */
	for (i = 0; i < 6; i++) {
		for (bits = 0; bits <= 0xFFFF; bits++) {
			if ((bits & want[i]) != want[i] || bits == want[i])
				continue;
			for (j = 0; j < 6; j++)
				assert_int_not_equal(bits, want[j]);
			assert_int_not_equal(bits, 0x3C5A);
		}
	}
}

static void
test_log_states(void **state)
{
	struct cw_ulog l = log_open();

	(void)state;
	assert_int_equal(l.state.confirmed, -1);
	assert_int_equal(l.state.pending, -1);
	assert_int_equal(l.page, -1);
	cw_ulog_append(&l, CW_ULOG_CONFIRM, 1);
	cw_ulog_append(&l, CW_ULOG_COMMIT, 0);
	assert_int_equal(l.state.confirmed, 1);
	assert_int_equal(l.state.pending, 0);
	cw_ulog_append(&l, CW_ULOG_TRY, 0);
	cw_ulog_append(&l, CW_ULOG_TRY, 0);
	assert_int_equal(l.state.tries, 2);
	l = log_open();
	assert_int_equal(l.state.tries, 2);
	assert_int_equal(l.state.confirmed, 1);
	cw_ulog_append(&l, CW_ULOG_COMMIT, 0);
	assert_int_equal(l.state.tries, 0);
	cw_ulog_append(&l, CW_ULOG_CONFIRM, 0);
	assert_int_equal(l.state.confirmed, 0);
	assert_int_equal(l.state.pending, -1);
}

/* Many pages long: the state is carried over each turn. */
static void
test_log_turns(void **state)
{
	struct cw_ulog l = log_open();
	int i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		assert_int_equal(cw_ulog_append(&l, CW_ULOG_CONFIRM, i & 1), 0);
		assert_int_equal(cw_ulog_append(&l, CW_ULOG_COMMIT, 1 - (i & 1)), 0);
		assert_int_equal(cw_ulog_append(&l, CW_ULOG_TRY, 1 - (i & 1)), 0);
		l = log_open();
		assert_int_equal(l.state.confirmed, i & 1);
		assert_int_equal(l.state.pending, 1 - (i & 1));
		assert_int_equal(l.state.tries, 1);
	}
	assert_int_equal(f.fault_cnt, 0);
}

static void
test_counter(void **state)
{
	struct cw_ulog l = log_open();

	(void)state;
	assert_int_equal(l.counter, 0);
	assert_int_equal(cw_ulog_raise(&l, 7), 0);
	assert_int_equal(l.counter, 7);
	assert_int_equal(cw_ulog_raise(&l, 3), 0);
	assert_int_equal(l.counter, 7);
	/* Half programmed counts, and is made plain. */
	f.mem[0x7D000 + 14] = 0xF7;
	l = log_open();
	assert_int_equal(l.counter, 8);
	assert_int_equal(cw_ulog_raise(&l, 9), 0);
	assert_int_equal(f.mem[0x7D000 + 14], 0);
	assert_int_equal(l.counter, 9);
	assert_int_equal(cw_ulog_raise(&l, 1024), 0);
	assert_int_equal(l.counter, 1024);
	assert_int_equal(cw_ulog_raise(&l, 1025), CW_ERANGE);
}

static void
test_choose_factory(void **state)
{
	struct cw_ulog l;

	(void)state;
	assert_int_equal(choose(NULL), -1);
	put(1, 2);
	assert_int_equal(choose(NULL), 1);
	l = log_open();
	assert_int_equal(l.state.confirmed, 1);
	flash_init(&f);
	put(0, 2);
	put(1, 2);
	assert_int_equal(choose(NULL), 0);
	flash_init(&f);
	put(0, 2);
	put(1, 3);
	assert_int_equal(choose(NULL), 1);
}

static void
test_choose_trial(void **state)
{
	struct cw_ulog l = log_open();
	bool trial;
	int i;

	(void)state;
	put(0, 1);
	put(1, 5);
	cw_ulog_append(&l, CW_ULOG_CONFIRM, 0);
	cw_ulog_append(&l, CW_ULOG_COMMIT, 1);
	for (i = 0; i < CW_UPDATE_TRIES; i++) {
		assert_int_equal(choose(&trial), 1);
		assert_true(trial);
		l = log_open();
		assert_int_equal(l.counter, i == 0 ? 0 : l.counter);
		assert_int_equal(l.state.tries, i + 1);
	}
	assert_int_equal(choose(&trial), 0);
	assert_false(trial);
	l = log_open();
	assert_int_equal(l.state.pending, -1);
	assert_int_equal(l.counter, 0);
	/* Now that none is pending the counter follows what is confirmed. */
	assert_int_equal(choose(&trial), 0);
	l = log_open();
	assert_int_equal(l.counter, 1);
}

/* A confirmed release with a higher counter shuts the older one out for good. */
static void
test_choose_no_way_back(void **state)
{
	struct cw_ulog l = log_open();

	(void)state;
	put(0, 1);
	put(1, 2);
	cw_ulog_append(&l, CW_ULOG_CONFIRM, 1);
	assert_int_equal(choose(NULL), 1);
	l = log_open();
	assert_int_equal(l.counter, 2);
	f.mem[map.slot_off[1] + 3000] ^= 1;
	assert_int_equal(choose(NULL), -1);
	cw_ulog_append(&l, CW_ULOG_CONFIRM, 0);
	assert_int_equal(choose(NULL), -1);
	cw_ulog_append(&l, CW_ULOG_COMMIT, 0);
	assert_int_equal(choose(NULL), -1);
}

/* Each bit that is covered, in the header, in the signature and in the program. */
static void
test_choose_flips(void **state)
{
	uint32_t off = map.slot_off[0], i;

	(void)state;
	put(0, 1);
	assert_int_equal(choose(NULL), 0);
	for (i = 0; i < FILE_LEN * 8; i += i < CW_FWIMG_HDR * 8 ? 1 : 97) {
		f.mem[off + i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(choose(NULL), -1);
		f.mem[off + i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(choose(NULL), 0);
}

static void
test_choose_wrong_place(void **state)
{
	struct cw_fwimg h = head(0, 1);

	(void)state;
	make(f.mem + map.slot_off[1], h);	/* an image of slot 0 in slot 1 */
	assert_int_equal(choose(NULL), -1);
	strcpy(h.board, "board-y");
	make(f.mem + map.slot_off[0], h);
	assert_int_equal(choose(NULL), -1);
	put(0, 1);
	assert_int_equal(choose(NULL), 0);
}

/* A trial that cannot be written down is not begun. */
static void
test_choose_worn_log(void **state)
{
	struct cw_ulog l = log_open();
	bool trial;

	(void)state;
	put(0, 1);
	put(1, 1);
	cw_ulog_append(&l, CW_ULOG_CONFIRM, 0);
	cw_ulog_append(&l, CW_ULOG_COMMIT, 1);
	f.dead = true;		/* nothing is programmed any more */
	assert_int_equal(choose(&trial), 0);
	assert_false(trial);
}

static const uint8_t *
good_file(void)
{
	static uint8_t file[2 * FILE_LEN];

	make(file, head(0, 4));
	make(file + FILE_LEN, head(1, 4));
	return file;
}

static int
feed(struct cw_update *u, const uint8_t *buf, size_t len, size_t piece)
{
	size_t off, n;
	int err = cw_update_begin(u);

	for (off = 0; err == 0 && off < len; off += n) {
		n = len - off < piece ? len - off : piece;
		err = cw_update_data(u, buf + off, n);
	}
	return err == 0 ? cw_update_end(u) : err;
}

/* Both slots' images in one file, in pieces of any length. */
static void
test_update_pieces(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 511, 512, 513, 1024, 2047, 99999 };
	struct cw_update u;
	size_t i;
	int running;

	(void)state;
	for (i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		for (running = 0; running < 2; running++) {
			flash_init(&f);
			put(running, 1);
			assert_int_equal(choose(NULL), running);
			update_open(&u, running);
			assert_int_equal(feed(&u, good_file(), 2 * FILE_LEN,
			    pieces[i]), 0);
			assert_int_equal(u.state, CW_UPDATE_READY);
			assert_int_equal(choose(NULL), 1 - running);
			update_open(&u, 1 - running);
			assert_true(cw_update_on_trial(&u));
			assert_int_equal(cw_update_begin(&u), CW_ESTATE);
			assert_int_equal(cw_update_confirm(&u), 0);
			assert_false(cw_update_on_trial(&u));
			assert_int_equal(u.log.counter, 4);
			assert_int_equal(f.fault_cnt, 0);
		}
	}
}

static void
test_update_refusals(void **state)
{
	static uint8_t img[FILE_LEN];
	struct cw_update u;
	struct cw_fwimg h;
	struct cw_ulog l;
	int i;

	(void)state;
	put(0, 3);
	l = log_open();
	cw_ulog_append(&l, CW_ULOG_CONFIRM, 0);
	update_open(&u, 0);
	flash_restart(&f);
	for (i = 0; i < 7; i++) {
		static const int want[7] = {
			CW_EFORMAT, CW_EVERSION, CW_EDENIED, CW_EUNSUPPORTED,
			CW_EUNSUPPORTED, CW_EFENCED, CW_ETOOBIG,
		};
		uint8_t digest[CW_SHA256_LEN];

		h = head(1, 3);
		if (i == 3)
			strcpy(h.board, "board-y");
		if (i == 4)
			h.addr = 0x08010000;
		if (i == 5)
			h.counter = 2;
		if (i == 6)
			h.body_len = 0x3C000;
		if (i < 6)
			make(img, h);
		else
			cw_fwimg_build(img, digest, &h);
		if (i == 6)
			sign(img + CW_FWIMG_SIGNED, digest);
		img[0] ^= i == 0;
		img[5] ^= i == 1;
		img[300] ^= i == 2;
		assert_int_equal(feed(&u, img, FILE_LEN, 700), want[i]);
		assert_true(strlen(cw_update_why(&u)) > 20);
		assert_int_equal(cw_update_end(&u), CW_ESTATE);
		/* Nothing has been erased or programmed. */
		assert_int_equal(f.op_cnt, 0);
	}
}

static void
test_update_ends(void **state)
{
	static uint8_t img[2 * FILE_LEN + 1024];
	struct cw_update u;

	(void)state;
	put(0, 1);
	update_open(&u, 0);
	assert_int_equal(cw_update_data(&u, img, 1), CW_ESTATE);
	assert_int_equal(cw_update_end(&u), CW_ESTATE);
	make(img, head(1, 1));
	assert_int_equal(feed(&u, img, 100, 100), CW_ESHORT);
	assert_int_equal(feed(&u, img, FILE_LEN - 1, 1000), CW_ESHORT);
	/* The digest does not match what came. */
	img[2000] ^= 1;
	assert_int_equal(feed(&u, img, FILE_LEN, 1000), CW_EDIGEST);
	assert_int_equal(choose(NULL), 0);
	/* The other slot's image alone, with XMODEM's filler behind it. */
	make(img, head(0, 1));
	memset(img + FILE_LEN, 0x1A, 1024);
	assert_int_equal(feed(&u, img, FILE_LEN + 1000, 1024), CW_ENOENT);
	assert_int_equal(feed(&u, img, FILE_LEN, 1024), CW_ENOENT);
	/* Filler behind ours. */
	make(img, head(1, 1));
	assert_int_equal(feed(&u, img, FILE_LEN + 1000, 1024), 0);
	assert_int_equal(choose(NULL), 1);
}

/* A second update before the restart takes the place of the first. */
static void
test_update_twice(void **state)
{
	struct cw_update u;
	struct cw_ulog l;

	(void)state;
	put(0, 1);
	update_open(&u, 0);
	assert_int_equal(feed(&u, good_file(), 2 * FILE_LEN, 4096), 0);
	assert_int_equal(cw_update_begin(&u), 0);
	l = log_open();
	assert_int_equal(l.state.pending, -1);
	cw_update_drop(&u);
	assert_int_equal(choose(NULL), 0);
	assert_int_equal(feed(&u, good_file(), 2 * FILE_LEN, 4096), 0);
	assert_int_equal(choose(NULL), 1);
}

static void
test_image_golden(void **state)
{
	struct cw_fwimg h = head(1, 0x0102), back;
	uint8_t out[CW_FWIMG_HDR], digest[CW_SHA256_LEN];
	static const uint8_t want[60] = {
		'C', 'W', 'F', 'W', 0, 1, 2, 0, 'b', 'o', 'a', 'r', 'd', '-',
		'x', [24] = '1', '.', '2', '.', '3', [48] = 0, 1, 1, 2,
		8, 4, 0, 0, 0, 0, 0x13, 0x88,
	};

	(void)state;
	h.flags = CW_FWIMG_DEV;
	memset(h.body_digest, 0xAB, sizeof h.body_digest);
	assert_int_equal(cw_fwimg_build(out, digest, &h), 0);
	assert_memory_equal(out, want, sizeof want);
	assert_int_equal(out[64], 0xAB);
	assert_int_equal(out[96], 0);
	assert_int_equal(cw_fwimg_parse(&back, out, sizeof out), 0);
	assert_string_equal(back.board, "board-x");
	assert_int_equal(back.counter, 0x0102);
	assert_int_equal(cw_fwimg_parse(&back, out, sizeof out - 1), CW_ESHORT);
	h.body_len = 6;
	assert_int_equal(cw_fwimg_build(out, digest, &h), CW_EINVAL);
	h.body_len = 8;
	h.counter = 1025;
	assert_int_equal(cw_fwimg_build(out, digest, &h), CW_EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_log_words, setup),
		cmocka_unit_test_setup(test_log_states, setup),
		cmocka_unit_test_setup(test_log_turns, setup),
		cmocka_unit_test_setup(test_counter, setup),
		cmocka_unit_test_setup(test_choose_factory, setup),
		cmocka_unit_test_setup(test_choose_trial, setup),
		cmocka_unit_test_setup(test_choose_no_way_back, setup),
		cmocka_unit_test_setup(test_choose_flips, setup),
		cmocka_unit_test_setup(test_choose_wrong_place, setup),
		cmocka_unit_test_setup(test_choose_worn_log, setup),
		cmocka_unit_test_setup(test_update_pieces, setup),
		cmocka_unit_test_setup(test_update_refusals, setup),
		cmocka_unit_test_setup(test_update_ends, setup),
		cmocka_unit_test_setup(test_update_twice, setup),
		cmocka_unit_test_setup(test_image_golden, setup),
	};

	return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
