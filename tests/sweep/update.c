/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boards/stm32f103ze_w5300/boot/choose.h"
#include "cw/err.h"
#include "flash.h"
#include "reader/update.h"
#include "tools/fwkey.h"

/*
 * Power lost at every half-word and every page erase of an update: while the
 * image is programmed, at the commit, in the boot loader, at the confirmation,
 * while the security counter is raised and while the log turns its page; cleanly
 * before or after the operation and in the middle of it; and again at every
 * operation of what follows.  After it: a signed image starts, never one that is
 * older than what was confirmed, and the update can be finished.
 */
#define SLOT_LEN 0x3C000u
#define SLOT_A 0x4000u
#define SLOT_B 0x40000u
#define BASE 0x08000000u
#define BOARD "stm32f103ze"
#define LIVES_MAX 40
#define NEAR 40

static const struct cw_flash_map map = {
	.slot_off = { SLOT_A, SLOT_B }, .slot_len = SLOT_LEN,
	.slot_addr = { BASE + SLOT_A, BASE + SLOT_B },
	.log_off = { 0x7C000, 0x7C800 }, .counter_off = 0x7D000,
	.page_len = FLASH_PAGE,
};

/* Old and new release, each linked for both slots; [release][slot]. */
static uint8_t *image[2][2];
static size_t image_len;
static struct cw_fwkey *key;
static uint8_t key_point[CW_FWIMG_KEY];
static bool verify(const uint8_t *k, const uint8_t *digest, const uint8_t *sig);
static struct cw_fwimg_check check = { verify, key_point };

struct scenario {
	const char *name;
	int from;		/* slot of the old release; -1: both are empty */
	int log_fill;		/* steps in the log before, -1: no log yet */
	bool bad;		/* the new release never serves */
};

static const struct scenario scenarios[] = {
	{ "factory", 0, -1, false },
	{ "a-to-b", 0, 3, false },
	{ "b-to-a", 1, 4, false },
	{ "log-full", 0, 1021, false },
	{ "log-full-1", 0, 1020, false },
	{ "log-full-2", 1, 1019, false },
	{ "trial-fails", 0, 3, true },
	{ "trial-fails-log-full", 1, 1018, true },
	{ "rescue", -1, -1, false },
};
#define SCENARIO_CNT (sizeof scenarios / sizeof scenarios[0])

/* What the world knows of one run, beside what the flash holds. */
struct run {
	const struct scenario *sc;
	struct flash *f;
	bool committed;		/* an update has ended well */
	bool confirmed;		/* the new release was confirmed to its end */
	int new_starts;
	long cut[2];
	const char *where;
};

/* OpenSSL, asked once for each digest and signature: the answer never changes. */
static bool
verify(const uint8_t *k, const uint8_t *digest, const uint8_t *sig)
{
	static struct {
		uint8_t digest[CW_SHA256_LEN], sig[CW_FWIMG_SIG];
		bool answer;
	} known[64];
	static size_t cnt;
	size_t i;

	for (i = 0; i < cnt && i < 64; i++)
		if (memcmp(known[i].digest, digest, CW_SHA256_LEN) == 0 &&
		    memcmp(known[i].sig, sig, CW_FWIMG_SIG) == 0)
			return known[i].answer;
	i = cnt++ % 64;
	memcpy(known[i].digest, digest, CW_SHA256_LEN);
	memcpy(known[i].sig, sig, CW_FWIMG_SIG);
	known[i].answer = cw_fwkey_verify(k, digest, sig);
	return known[i].answer;
}

static void
fail(const struct run *r, const char *what, int slot)
{
	fprintf(stderr, "FAIL %s: %s (slot %d), cuts %ld %ld, kind %d: in %s\n",
	    r->sc->name, what, slot, r->cut[0], r->cut[1], (int)r->f->cut,
	    r->where);
	exit(1);
}

static void
image_make(int release, int slot, size_t body_len)
{
	struct cw_fwimg h;
	uint8_t digest[CW_SHA256_LEN], *p = malloc(CW_FWIMG_HDR + body_len);
	uint32_t x = (uint32_t)(release * 2 + slot + 1);
	size_t i;

	for (i = 0; i < body_len; i++) {
		x = x * 1664525 + 1013904223;
		p[CW_FWIMG_HDR + i] = (uint8_t)(x >> 24);
	}
	memset(&h, 0, sizeof h);
	strcpy(h.board, BOARD);
	snprintf(h.version, sizeof h.version, "0.%d.0", release + 1);
	h.counter = (uint16_t)(release + 3);
	h.addr = map.slot_addr[slot];
	h.body_len = (uint32_t)body_len;
	cw_sha256(h.body_digest, p + CW_FWIMG_HDR, body_len);
	if (cw_fwimg_build(p, digest, &h) < 0 ||
	    cw_fwkey_sign(key, digest, p + CW_FWIMG_SIGNED) < 0)
		abort();
	free(image[release][slot]);
	image[release][slot] = p;
	image_len = CW_FWIMG_HDR + body_len;
}

static void
images_make(size_t body_len)
{
	int i;

	for (i = 0; i < 4; i++)
		image_make(i / 2, i % 2, body_len);
}

static void
flash_start(struct flash *f, const struct scenario *sc)
{
	struct cw_ulog l;
	int i;

	flash_init(f);
	if (sc->from < 0)
		return;
	memcpy(f->mem + map.slot_off[sc->from], image[0][sc->from], image_len);
	cw_ulog_init(&l, &flash_ops, f, &map);
	cw_ulog_read(&l);
	for (i = 0; i < sc->log_fill; i++)
		if (cw_ulog_append(&l, CW_ULOG_CONFIRM, sc->from) < 0)
			abort();
	flash_restart(f);
}

/* Which release stands whole in the slot: 0, 1, or -1 for anything else. */
static int
release_of(const struct flash *f, int slot)
{
	int i;

	for (i = 0; i < 2; i++)
		if (memcmp(f->mem + map.slot_off[slot], image[i][slot],
		    image_len) == 0)
			return i;
	return -1;
}

static int
boot(struct run *r)
{
	struct cw_boot_config cfg = {
		.map = map, .board = BOARD, .check = check,
		.tries = CW_UPDATE_TRIES,
	};
	struct cw_boot b;
	int slot;

	r->where = "boot loader";
	cw_boot_init(&b, &flash_ops, r->f, &cfg);
	slot = cw_boot_choose(&b);
	if (r->f->dead)
		return slot;
	if (slot < 0 && (r->sc->from >= 0 || r->committed))
		fail(r, "brick", slot);
	if (slot >= 0 && release_of(r->f, slot) < 0)
		fail(r, "starts what was never signed", slot);
	if (slot >= 0 && r->confirmed && release_of(r->f, slot) == 0)
		fail(r, "downgrade", slot);
	return slot;
}

/* The whole file goes in, in pieces of an odd length. */
static void
update(struct run *r, int running)
{
	struct cw_update_config cfg = {
		.flash = &flash_ops, .dev = r->f, .map = map, .board = BOARD,
		.check = check, .running = running,
	};
	struct cw_update u;
	size_t off, n;
	int i, err;

	r->where = "update";
	cw_update_init(&u, &cfg);
	if (running >= 0 && cw_update_confirm(&u) < 0 && !r->f->dead)
		fail(r, "the old release cannot be confirmed", running);
	err = cw_update_begin(&u);
	for (i = 0; i < 2; i++) {
		for (off = 0; err == 0 && off < image_len; off += n) {
			n = image_len - off < 997 ? image_len - off : 997;
			err = cw_update_data(&u, image[1][i] + off, n);
		}
	}
	if (err == 0)
		err = cw_update_end(&u);
	if (err < 0 && !r->f->dead)
		fail(r, cw_update_why(&u), running);
	r->committed |= err == 0;
}

static void
confirm(struct run *r, int running)
{
	struct cw_update_config cfg = {
		.flash = &flash_ops, .dev = r->f, .map = map, .board = BOARD,
		.check = check, .running = running,
	};
	struct cw_update u;

	r->where = "confirm";
	cw_update_init(&u, &cfg);
	if (cw_update_confirm(&u) == 0)
		r->confirmed = true;
	else if (!r->f->dead)
		fail(r, "the new release cannot be confirmed", running);
}

/* One start; true when the story has come to its end. */
static bool
live(struct run *r)
{
	int slot = boot(r);

	if (r->f->dead)
		return false;
	if (slot < 0 || release_of(r->f, slot) == 0) {
		if (r->sc->bad && r->new_starts > 0 && r->committed) {
			if (r->cut[0] < 0 && r->new_starts != CW_UPDATE_TRIES)
				fail(r, "number of trials", slot);
			return true;
		}
		update(r, slot);
		return false;
	}
	r->new_starts++;
	if (r->sc->bad)
		return false;
	if (r->confirmed)
		return true;
	confirm(r, slot);
	return false;
}

/* Starts until the end; power is lost once or twice on the way. */
static long
story(struct flash *f, const struct scenario *sc, const long cut[2],
    enum flash_cut kind)
{
	struct run r = { .sc = sc, .f = f, .cut = { cut[0], cut[1] } };
	int lives, cuts = 0;
	long ops = -1;

	flash_restart(f);
	f->cut_at = cut[0];
	f->cut = kind;
	f->rng = (uint64_t)cut[0] * 7919 + (uint64_t)cut[1] * 31 + kind;
	for (lives = 0; lives < LIVES_MAX; lives++) {
		if (live(&r)) {
			if (f->fault_cnt != 0)
				fail(&r, "programs what is not erased", -1);
			return cuts < 1 ? f->op_cnt : ops;
		}
		if (!f->dead)
			continue;
		flash_restart(f);
		if (++cuts == 1)
			f->cut_at = cut[1];
		/* Every kind meets every kind over the sweep. */
		f->cut = (enum flash_cut)((kind + cut[0] + cut[1]) % FLASH_CUT_KINDS);
	}
	fail(&r, "never ends", -1);
	return -1;
}

/* Each step-th point, and all near the start and the end, where the log is
 * written; step2: each of these of a second cut, 0: none. */
static unsigned long
sweep(const struct scenario *sc, long first, long step, long step2)
{
	static struct flash start, f;
	long cut[2] = { -1, -1 }, ops, at, at2;
	unsigned long cnt = 0;
	int kind;

	flash_start(&start, sc);
	f = start;
	ops = story(&f, sc, cut, FLASH_CUT_BEFORE);
	for (at = first; at < ops; at += at < NEAR || at + NEAR > ops ? 1 : step) {
		for (kind = 0; kind < FLASH_CUT_KINDS; kind++) {
			cut[0] = at;
			cut[1] = -1;
			f = start;
			story(&f, sc, cut, (enum flash_cut)kind);
			cnt++;
			for (at2 = (at * 13 + kind) % (step2 > 0 ? step2 : 1);
			    step2 > 0 && at2 < ops; at2 += step2) {
				cut[1] = at2;
				f = start;
				story(&f, sc, cut, (enum flash_cut)kind);
				cnt++;
			}
		}
	}
	return cnt;
}

/*
 *	update			sampled
 *	update whole [N I]	a full slot at every point; part I of N
 *	update pairs [N]	a small image, each N-th second point of every first
 */
int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 1, part = argc > 3 ? atol(argv[3]) : 0;
	bool whole = strcmp(mode, "whole") == 0, pairs = strcmp(mode, "pairs") == 0;
	unsigned long cnt = 0, big = 0;
	size_t i;

	key = cw_fwkey_make(true);
	cw_fwkey_public(key, key_point);
	if (!whole) {
		/* Two pages and some: pages are crossed, and the end is not at one. */
		images_make(FLASH_PAGE + 100);
		for (i = 0; i < SCENARIO_CNT; i++)
			cnt += sweep(&scenarios[i], 0, pairs ? 1 : 5,
			    pairs ? n : 1499);
		printf("update: %lu cuts with a small image\n", cnt);
	}
	if (!pairs) {
		images_make(SLOT_LEN - CW_FWIMG_HDR);
		big += sweep(&scenarios[1], whole ? part : NEAR,
		    whole ? n : 4999, 0);
		printf("update: %lu cuts with a full slot%s\n", big,
		    whole ? "" : " (sampled)");
	}
	printf("0 bricks, 0 unsigned starts, 0 downgrades\n");
	cw_fwkey_free(key);
	return 0;
}
