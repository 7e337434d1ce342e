/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boards/host/host_private.h"
#include "boards/stm32f103ze_w5300/boot/choose.h"
#include "reader/reader_private.h"
#include "tests/sweep/flash.h"
#include "tools/fwkey.h"

/*
 * `cardwright reader update` against a reader on loopback that keeps its
 * program in a simulated flash: what the command sends must be committed, the
 * boot loader's choice must start it, and the command must see it serve.
 *
 *	reader_update CARDWRIGHT
 */
#define ADDRESS "127.0.19.7:17816"
#define BODY 100000u
#define LEN (CW_FWIMG_HDR + BODY)

static const struct cw_flash_map map = {
	.slot_off = { 0x4000, 0x40000 }, .slot_len = 0x3C000,
	.slot_addr = { 0x08004000, 0x08040000 },
	.log_off = { 0x7C000, 0x7C800 }, .counter_off = 0x7D000,
	.page_len = FLASH_PAGE,
};
static struct cw_fwkey *key, *other;
static uint8_t point[CW_FWIMG_KEY], psk[32];
static struct flash flash;
static struct cw_update update;
static struct cw_host_env env;
static struct cw_host *host;
static uv_loop_t loop;
static uv_timer_t later;
static uint64_t starts;
static bool secured;
static int64_t child_status;
static char dir[] = "/tmp/cw-update-XXXXXX", cardwright[4096];

static void reader_open(void);

static void
die(const char *what)
{
	fprintf(stderr, "FAIL %s\n", what);
	exit(1);
}

/* The image of a slot, signed with k, to f; into the flash when f is NULL. */
static void
image_put(FILE *f, const struct cw_fwkey *k, int slot, const char *version)
{
	static uint8_t img[LEN];
	struct cw_fwimg h;
	uint8_t digest[CW_SHA256_LEN];
	size_t i;

	memset(&h, 0, sizeof h);
	strcpy(h.board, "test");
	snprintf(h.version, sizeof h.version, "%s", version);
	h.counter = 1;
	h.addr = map.slot_addr[slot];
	h.body_len = BODY;
	for (i = 0; i < BODY; i++)
		img[CW_FWIMG_HDR + i] = (uint8_t)(i * 7 + i / 256 + h.addr);
	cw_sha256(h.body_digest, img + CW_FWIMG_HDR, BODY);
	if (cw_fwimg_build(img, digest, &h) < 0 ||
	    cw_fwkey_sign(k, digest, img + CW_FWIMG_SIGNED) < 0)
		die("no image");
	if (f != NULL)
		fwrite(img, 1, sizeof img, f);
	else
		memcpy(flash.mem + map.slot_off[slot], img, sizeof img);
}

static void
file_make(const char *name, const struct cw_fwkey *k)
{
	char path[200];
	FILE *f;
	int i;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "wb");
	for (i = 0; i < 2; i++)
		image_put(f, k, i, "2.0.0");
	fclose(f);
}

static void
reopen(uv_timer_t *t)
{
	(void)t;
	reader_open();
}

static void
restart(uv_timer_t *t)
{
	(void)t;
	cw_host_close(host);
	host = NULL;
	uv_timer_start(&later, reopen, 300, 0);
}

static void
on_restart(void *dev)
{
	(void)dev;
	uv_timer_start(&later, restart, 100, 0);
}

/* Starts what the boot loader would. */
static void
reader_open(void)
{
	struct cw_boot_config bc = {
		.map = map, .board = "test", .check = { cw_fwkey_verify, point },
		.tries = CW_UPDATE_TRIES,
	};
	struct cw_host_config hc = {
		.listen = ADDRESS, .card = "null", .clk_hz = 4000000,
		.store_bytes = 1000, .boot_id = ++starts,
		.key = secured ? psk : NULL,
	};
	struct cw_update_config uc = {
		.flash = &flash_ops, .dev = &flash, .map = map, .board = "test",
		.check = bc.check,
	};
	struct cw_boot b;
	struct cw_fwimg h;
	char err[256];

	cw_boot_init(&b, &flash_ops, &flash, &bc);
	uc.running = cw_boot_choose(&b);
	if (uc.running < 0)
		die("nothing to start");
	cw_update_init(&update, &uc);
	host = cw_host_open(&env, &hc, err, sizeof err);
	if (host == NULL)
		die(err);
	host->core->cfg.update = &update;
	host->core->cfg.restart = on_restart;
	if (cw_update_peek(&update, uc.running, &h) == 0)
		snprintf(host->core->cfg.firmware, 32, "test %s", h.version);
}

static void
child_gone(uv_process_t *p, int64_t status, int sig)
{
	child_status = sig != 0 ? -sig : status;
	uv_close((uv_handle_t *)p, NULL);
	uv_stop(&loop);
}

/* Runs the command; its exit code, what it said in out. */
static int
command(const char *file, char *out, size_t cap)
{
	char image[200], keys[200], log[200];
	char *args[] = { cardwright, "reader", "update", "--keys", keys,
	    ADDRESS, image, NULL };
	char *plain[] = { cardwright, "reader", "update", "--plain", ADDRESS,
	    image, NULL };
	uv_stdio_container_t io[3] = { { .flags = UV_IGNORE } };
	uv_process_options_t o = {
		.exit_cb = child_gone, .file = cardwright,
		.args = secured ? args : plain, .stdio = io, .stdio_count = 3,
	};
	uv_process_t p;
	ssize_t n;
	int fd;

	snprintf(image, sizeof image, "%s/%s", dir, file);
	snprintf(keys, sizeof keys, "%s/readers.key", dir);
	snprintf(log, sizeof log, "%s/log", dir);
	fd = open(log, O_RDWR | O_CREAT | O_TRUNC, 0600);
	io[1].flags = io[2].flags = UV_INHERIT_FD;
	io[1].data.fd = io[2].data.fd = fd;
	if (uv_spawn(&loop, &p, &o) < 0)
		die(cardwright);
	uv_run(&loop, UV_RUN_DEFAULT);
	n = pread(fd, out, cap - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(fd);
	return (int)child_status;
}

static void
expect(const char *file, int code, const char *text)
{
	char out[8192];
	int got = command(file, out, sizeof out);

	if (got != code || strstr(out, text) == NULL) {
		fprintf(stderr, "%s\n", out);
		fprintf(stderr, "FAIL %s: exit %d, expected %d and \"%s\"\n", file,
		    got, code, text);
		exit(1);
	}
}

static void
keys_make(void)
{
	char path[200];
	FILE *f;
	int i;

	snprintf(path, sizeof path, "%s/readers.key", dir);
	f = fopen(path, "w");
	fchmod(fileno(f), 0600);
	fputs(ADDRESS " ", f);
	for (i = 0; i < 32; i++) {
		psk[i] = (uint8_t)(i * 5 + 3);
		fprintf(f, "%02x", psk[i]);
	}
	fputc('\n', f);
	fclose(f);
}

static void
one(bool with_key)
{
	secured = with_key;
	flash_init(&flash);
	image_put(NULL, key, 0, "1.0.0");
	reader_open();
	expect("other.cwfw", 4, "not by this reader's key");
	if (update.log.state.pending >= 0 || starts % 2 == 0)
		die("something was committed");
	expect("good.cwfw", 0, "serves again, with test 2.0.0");
	if (!cw_update_on_trial(&update) || cw_update_confirm(&update) < 0 ||
	    update.log.counter != 1)
		die("not on trial after the restart");
	printf("%s: %u bytes taken, committed, started, seen\n",
	    with_key ? "with key" : "plain", 2 * LEN);
	cw_host_close(host);
	uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void
tidy(void)
{
	static const char *const name[] = {
		"good.cwfw", "other.cwfw", "readers.key", "log",
	};
	char path[200];
	size_t i;

	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, name[i]);
		unlink(path);
	}
	rmdir(dir);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: reader_update CARDWRIGHT");
	snprintf(cardwright, sizeof cardwright, "%s", argv[1]);
	if (mkdtemp(dir) == NULL)
		die("no directory");
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&loop);
	env.loop = &loop;
	uv_timer_init(&loop, &later);
	key = cw_fwkey_make(true);
	other = cw_fwkey_make(true);
	cw_fwkey_public(key, point);
	keys_make();
	file_make("good.cwfw", key);
	file_make("other.cwfw", other);
	one(false);
	one(true);
	tidy();
	cw_fwkey_free(key);
	cw_fwkey_free(other);
	return 0;
}
