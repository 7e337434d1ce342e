/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "boards/stm32f103ze_w5300/boot/choose.h"
#include "reader/console.h"
#include "tests/sweep/flash.h"
#include "tests/sweep/nvm.h"
#include "tools/fwkey.h"

/*
 * The console's `load` against the sx and sb of lrzsz over a pseudo terminal:
 * what they send must be committed, and start.  Skipped (77) without lrzsz.
 */
#define BODY 30000u
#define SLOT_LEN 0x3C000u
#define LIMIT_MS 60000

static const struct cw_flash_map map = {
	.slot_off = { 0x4000, 0x40000 }, .slot_len = SLOT_LEN,
	.slot_addr = { 0x08004000, 0x08040000 },
	.log_off = { 0x7C000, 0x7C800 }, .counter_off = 0x7D000,
	.page_len = FLASH_PAGE,
};
static struct flash flash;
static struct nvm mem;
static struct cw_settings_store st;
static struct cw_settings settings;
static struct cw_update update;
static struct cw_console con;
static struct cw_fwkey *key;
static uint8_t point[CW_FWIMG_KEY];
static char said[65536];
static size_t said_len;

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void
die(const char *what)
{
	fprintf(stderr, "FAIL %s; the console said:\n%.*s\n", what, (int)said_len, said);
	exit(1);
}

static void
image_put(FILE *f, int slot)
{
	static uint8_t img[CW_FWIMG_HDR + BODY];
	struct cw_fwimg h;
	uint8_t digest[CW_SHA256_LEN];
	size_t i;

	memset(&h, 0, sizeof h);
	strcpy(h.board, "test");
	strcpy(h.version, "2.0.0");
	h.counter = 1;
	h.addr = map.slot_addr[slot];
	h.body_len = BODY;
	/* Every value of a byte, 18, 1A and 11 among them. */
	for (i = 0; i < BODY; i++)
		img[CW_FWIMG_HDR + i] = (uint8_t)(i + i / 256 + (size_t)slot);
	cw_sha256(h.body_digest, img + CW_FWIMG_HDR, BODY);
	if (cw_fwimg_build(img, digest, &h) < 0 ||
	    cw_fwkey_sign(key, digest, img + CW_FWIMG_SIGNED) < 0)
		die("no image");
	fwrite(img, 1, sizeof img, f);
	if (slot == 0)		/* what runs */
		memcpy(flash.mem + map.slot_off[0], img, sizeof img);
}

static void
reset(void *dev)
{
	(void)dev;
}

static const struct cw_console_ops ops = { .reset = reset };

static void
board_start(void)
{
	struct cw_update_config u = {
		.flash = &flash_ops, .dev = &flash, .map = map, .board = "test",
		.check = { cw_fwkey_verify, point }, .running = 0,
	};
	struct cw_console_config c = {
		.ops = &ops, .store = &st, .settings = &settings,
		.update = &update, .board = "test", .version = "cardwright test",
	};

	nvm_init(&mem, 1);
	cw_settings_init(&st, &nvm_ops, &mem);
	cw_settings_defaults(&settings);
	cw_update_init(&update, &u);
	cw_console_init(&con, &c, now_us());
}

/* A raw pseudo terminal; the master. */
static int
pty_open(char *name, size_t cap)
{
	struct termios t;
	int fd = posix_openpt(O_RDWR | O_NOCTTY), slave;

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0)
		die("no pseudo terminal");
	snprintf(name, cap, "%s", ptsname(fd));
	/* Held open, or the master would see the sender's end as its own. */
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &t) < 0)
		die("no pseudo terminal");
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	return fd;
}

/* The console and the line for one turn. */
static void
turn(int fd, uint64_t *due)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const uint8_t *out;
	uint8_t buf[1500];
	uint64_t now = now_us();
	int wait_ms = *due <= now ? 0 :
	    *due - now > 50000 ? 50 : (int)((*due - now) / 1000) + 1;
	ssize_t n = 0;
	size_t len;

	poll(&p, 1, wait_ms);
	if ((p.revents & POLLIN) != 0 && cw_console_ready(&con))
		n = read(fd, buf, sizeof buf);
	now = now_us();
	if (n > 0 || now >= *due)
		*due = cw_console_input(&con, buf, n > 0 ? (size_t)n : 0, now);
	len = cw_console_output(&con, &out);
	if (len == 0)
		return;
	if (said_len + len < sizeof said) {
		memcpy(said + said_len, out, len);
		said_len += len;
	}
	n = write(fd, out, len);
	if (n > 0)
		cw_console_sent(&con, (size_t)n);
}

static pid_t
sender(const char *program, const char *path, const char *tty)
{
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	fd = open(tty, O_RDWR | O_NOCTTY);
	tcflush(fd, TCIFLUSH);	/* what was for people's eyes */
	dup2(fd, 0);
	dup2(fd, 1);
	fd = open("/dev/null", O_WRONLY);
	dup2(fd, 2);
	execlp(program, program, "-k", path, (char *)NULL);
	_exit(127);
}

static void
one(const char *program, const char *path)
{
	struct cw_boot_config cfg = {
		.map = map, .board = "test", .check = { cw_fwkey_verify, point },
		.tries = CW_UPDATE_TRIES,
	};
	struct cw_boot b;
	char tty[64];
	int fd = pty_open(tty, sizeof tty), status = 0;
	uint64_t due = UINT64_MAX, limit = now_us() + LIMIT_MS * 1000ull;
	bool gone = false;
	pid_t pid;

	said_len = 0;
	board_start();
	due = cw_console_input(&con, (const uint8_t *)"load\r", 5, now_us());
	if (!cw_console_loading(&con))
		die("load does not begin");
	/* A person starts the sender when the console asks, and not before. */
	while (now_us() < limit && (said_len == 0 || said[said_len - 1] != 'C'))
		turn(fd, &due);
	pid = sender(program, path, tty);
	while (now_us() < limit && (!gone || cw_console_loading(&con))) {
		turn(fd, &due);
		gone = gone || waitpid(pid, &status, WNOHANG) == pid;
	}
	if (!gone)
		kill(pid, SIGKILL);
	while (now_us() < limit && cw_console_loading(&con))
		turn(fd, &due);
	turn(fd, &due);
	close(fd);
	if (!gone || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die(program);
	if (update.state != CW_UPDATE_READY)
		die("not committed");
	cw_boot_init(&b, &flash_ops, &flash, &cfg);
	if (cw_boot_choose(&b) != 1 || !b.trial)
		die("what was sent does not start");
	printf("%s: %u bytes taken, committed, started\n", program,
	    2 * (CW_FWIMG_HDR + BODY));
}

int
main(void)
{
	char path[] = "/tmp/cw-console-XXXXXX";
	FILE *f;
	int i;

	if (system("command -v sx >/dev/null && command -v sb >/dev/null") != 0) {
		puts("SKIP: sx and sb are not installed (Debian: lrzsz)");
		return 77;
	}
	key = cw_fwkey_make(true);
	cw_fwkey_public(key, point);
	f = fdopen(mkstemp(path), "w");
	flash_init(&flash);
	for (i = 0; i < 2; i++)
		image_put(f, i);
	fclose(f);
	for (i = 0; i < 2; i++) {
		flash_restart(&flash);
		memset(flash.mem + 0x7C000, 0xFF, 0x4000);
		one(i == 0 ? "sx" : "sb", path);
	}
	unlink(path);
	cw_fwkey_free(key);
	return 0;
}
