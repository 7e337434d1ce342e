/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "reader/console.h"
#include "tests/sweep/nvm.h"

#define KEY_HEX "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"

static struct nvm mem;
static struct cw_settings_store st;
static struct cw_settings settings;
static struct cw_console con;
static char out[20000];		/* all that the console has said */
static size_t out_len;
static int resets, changes, own_runs;
static bool need_reset;
static char own_args[64];

static size_t
fake_log(void *dev, uint32_t idx, char *buf, size_t cap)
{
	(void)dev;
	return idx < 100 ? (size_t)snprintf(buf, cap, "log line %u of a hundred, of "
	    "a length that does not all fit into the ring", idx) : 0;
}

static size_t
fake_status(void *dev, uint32_t idx, char *buf, size_t cap)
{
	(void)dev;
	return idx < 3 ? (size_t)snprintf(buf, cap, "slot %u empty", idx) : 0;
}

static void
fake_reset(void *dev)
{
	(void)dev;
	resets++;
}

static bool
fake_changed(void *dev, const struct cw_settings *s)
{
	(void)dev;
	(void)s;
	changes++;
	return need_reset;
}

static void
fake_address(void *dev, uint8_t ip[4], uint8_t mask[4], uint8_t gateway[4])
{
	(void)dev;
	memcpy(ip, "\x0a\x01\x02\x03", 4);
	memcpy(mask, "\xff\xff\x00\x00", 4);
	memset(gateway, 0, 4);
}

static const struct cw_console_ops ops = {
	.log_line = fake_log, .status_line = fake_status, .reset = fake_reset,
	.changed = fake_changed, .address = fake_address,
};

static void
own_cmd(void *dev, const char *args, char *text, size_t cap)
{
	(void)dev;
	own_runs++;
	snprintf(own_args, sizeof own_args, "%s", args);
	snprintf(text, cap, "boot pages protected");
}

/* Takes what is there, some at a time. */
static void
drain(void)
{
	const uint8_t *buf;
	size_t n;

	while ((n = cw_console_output(&con, &buf)) > 0) {
		if (n > 7)
			n = 7;
		assert_true(out_len + n < sizeof out);
		memcpy(out + out_len, buf, n);
		out_len += n;
		out[out_len] = '\0';
		cw_console_sent(&con, n);
	}
}

static int
setup(void **state)
{
	struct cw_console_config cfg = {
		.ops = &ops, .store = &st, .settings = &settings,
		.board = "test", .version = "cardwright 9.9",
		.boot_count = 42,
	};
	static const struct cw_console_cmd own[] = {
		{ "protect", "write-protects the boot loader", own_cmd },
	};

	(void)state;
	nvm_init(&mem, 3);
	cw_settings_init(&st, &nvm_ops, &mem);
	cw_settings_defaults(&settings);
	resets = changes = own_runs = 0;
	need_reset = false;
	cfg.cmd = own;
	cfg.cmd_cnt = 1;
	cw_console_init(&con, &cfg, 0);
	out_len = 0;
	drain();
	return 0;
}

/* Types text; what is said in answer stands in out. */
static void
type(const char *text)
{
	out_len = 0;
	out[0] = '\0';
	for (; *text != '\0'; text++) {
		assert_true(cw_console_ready(&con));
		cw_console_input(&con, (const uint8_t *)text, 1, 0);
		drain();
	}
}

#define assert_said(what) assert_non_null(strstr(out, what))
#define assert_not_said(what) assert_null(strstr(out, what))

static void
test_banner_and_help(void **state)
{
	(void)state;
	assert_said("cardwright 9.9 on test");
	assert_said("cardwright> ");
	type("help\r");
	assert_said("ip ");
	assert_said("load ");
	assert_said("protect  write-protects the boot loader");
	assert_string_equal(out + out_len - 12, "cardwright> ");
	type("bogus\r");
	assert_said("no such command; help tells them all");
	type("   \r");
	assert_not_said("no such");
}

static void
test_ip(void **state)
{
	struct cw_settings s;

	(void)state;
	type("ip\r");
	assert_said("set to: dhcp");
	assert_said("in use: 10.1.2.3 mask 255.255.0.0 gateway 0.0.0.0");
	type("ip set 192.168.7.20 /24 192.168.7.1\r");
	assert_said("saved and in use");
	assert_int_equal(changes, 1);
	assert_int_equal(cw_settings_load(&st, &s), 0);
	assert_int_equal(s.ip_mode, CW_IP_STATIC);
	assert_memory_equal(s.mask, "\xff\xff\xff\x00", 4);
	assert_memory_equal(s.gateway, "\xc0\xa8\x07\x01", 4);
	type("ip set 192.168.7.20 255.255.255.0 192.168.7.1\r");
	assert_said("unchanged");
	type("ip set 10.0.0.5 /30\r");
	assert_memory_equal(settings.mask, "\xff\xff\xff\xfc", 4);
	assert_memory_equal(settings.gateway, "\x00\x00\x00\x00", 4);
	need_reset = true;
	type("ip dhcp\n");
	assert_said("saved; `reset` makes use of it");
	assert_int_equal(settings.ip_mode, CW_IP_DHCP);
	/* The address is kept for the day that it is wanted again. */
	assert_memory_equal(settings.ip, "\x0a\x00\x00\x05", 4);
}

static void
test_ip_refused(void **state)
{
	static const char *const bad[] = {
		"ip set\r", "ip set 1.2.3\r", "ip set 1.2.3.4.5 /24\r",
		"ip set 1.2.3.256 /24\r", "ip set 1.2..4 /24\r", "ip set 1.2.3.4 /33\r",
		"ip set 1.2.3.4 /0\r", "ip set 1.2.3.4 /24 5\r", "ip set a.b.c.d /24\r",
		"ip set 1.2.3.4 /24 1.2.3.1 more\r", "ip off\r", "ip set 1.2.3.4\r",
		"ip set 00001.2.3.4 /24\r",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		type(bad[i]);
		assert_said("give: ip");
	}
	type("ip set 192.168.7.255 /24\r");
	assert_said("not taken: address: ");
	type("ip set 192.168.7.2 255.0.255.0\r");
	assert_said("not taken: mask: ");
	type("ip set 192.168.7.2 /24 10.0.0.1\r");
	assert_said("not taken: gateway: ");
	assert_int_equal(mem.byte_cnt, 0);
	assert_int_equal(settings.ip_mode, CW_IP_DHCP);
}

/* The key is nowhere but in the settings: not shown, not in the console. */
static void
test_key(void **state)
{
	static const uint8_t part[8] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	};
	size_t i;

	(void)state;
	type("key\r");
	assert_said("no link key");
	type("key enrol reader-7\r");
	assert_said("not shown");
	assert_false(settings.has_key);
	type(KEY_HEX "\b9");
	assert_string_equal(out, "");
	type("\bf\r");
	assert_not_said("0011");
	assert_said("saved and in use");
	/* python3: sha256(b"cardwright link key" + key)[:4] */
	assert_said("key of reader-7, check value 324fa948");
	assert_true(settings.has_key);
	assert_memory_equal(settings.key + 24, part, 8);
	assert_string_equal(settings.key_id, "reader-7");
	for (i = 0; i + 8 <= sizeof con; i++) {
		assert_memory_not_equal((uint8_t *)&con + i, part, 8);
		assert_memory_not_equal((uint8_t *)&con + i, "44556677", 8);
	}
	type("key show\r");
	assert_not_said("aabb");
	type("status\r");
	assert_said("link key of reader-7");
	assert_not_said("aabb");
	type("key remove\r");
	assert_false(settings.has_key);
	assert_int_equal(settings.key[5], 0);
}

static void
test_key_refused(void **state)
{
	(void)state;
	type("key enrol\r");
	assert_said("give: key");
	type("key enrol a b\r");
	assert_said("give: key");
	type("key enrol 1234567890123456789012345678901\r");
	assert_said("key (64");
	type("\003");
	assert_said("^C");
	type("help\r");
	assert_said("this list");
	type("key enrol 12345678901234567890123456789012\r");
	assert_said("give: key");
	type("key enrol r1\r");
	type("0011\r");
	assert_said("not taken: a key has 64 hex digits");
	type("key enrol r1\r");
	type("00000000000000000000000000000000"
	    "00000000000000000000000000000000\r");
	assert_said("no random key");
	assert_false(settings.has_key);
	assert_int_equal(mem.byte_cnt, 0);
}

static void
test_line_editing(void **state)
{
	char longest[400];

	(void)state;
	type("namex\b\177e\bme station 4\r");
	type("name station 4\r");
	assert_said("saved");
	type("\r");
	assert_said("station 4> ");
	/* CR LF is one end of line, as is each alone. */
	type("\r\n");
	assert_string_equal(out, "\r\nstation 4> ");
	type("\n\n");
	assert_string_equal(out, "\r\nstation 4> \r\nstation 4> ");
	type("rubbish\025name\r");
	assert_said("station 4\r\n");
	assert_not_said("no such");
	/* Arrows are no text. */
	type("\033[Ana\033[1;5Dme\033OP\r");
	assert_said("station 4\r\n");
	memset(longest, 'x', sizeof longest);
	memcpy(longest + 390, "\r", 2);
	type(longest);
	assert_said("that line was too long");
	type("name\r");
	assert_said("station 4");
	/* Bytes beyond ASCII and control characters are passed over. */
	type("na\001\377\200me\r");
	assert_said("station 4\r\n");
	type("name 1234567890123456789012345678901\r");
	assert_said("saved");
	type("name 12345678901234567890123456789012\r");
	assert_said("31 characters at most");
}

/* A list longer than the ring goes out as there is room, and all of it. */
static void
test_log(void **state)
{
	const uint8_t *buf;
	char want[32];
	int i;

	(void)state;
	type("log");
	cw_console_input(&con, (const uint8_t *)"\r", 1, 0);
	assert_in_range(cw_console_output(&con, &buf), 500, CW_CONSOLE_OUT);
	assert_false(cw_console_ready(&con));
	cw_console_input(&con, (const uint8_t *)"reset\r", 6, 0);
	drain();
	for (i = 0; i < 100; i++) {
		snprintf(want, sizeof want, "log line %d of", i);
		assert_said(want);
	}
	assert_true(cw_console_ready(&con));
	assert_int_equal(resets, 0);
	type("log trace\r");
	assert_int_equal(settings.log_level, 4);
	type("log loud\r");
	assert_said("give: log");
}

static void
test_others(void **state)
{
	(void)state;
	type("status\r");
	assert_said("start 42, no link key");
	assert_said("settings copy 0: not looked at");
	assert_said("slot 2 empty");
	type("version\r");
	assert_said("cardwright 9.9 on test");
	type("plain\r");
	assert_said("only a secured link");
	type("plain allow\r");
	assert_true(settings.plain_allowed);
	type("plain maybe\r");
	assert_said("give: plain");
	type("serial 00112233445566778899AABBCCDDEEFF\r");
	assert_said("saved");
	type("serial 00112233445566778899AABBCCDDEE00\r");
	assert_said("not taken");
	type("serial\r");
	assert_said("00112233445566778899aabbccddeeff");
	type("protect  now \r");
	assert_said("boot pages protected");
	assert_int_equal(own_runs, 1);
	assert_string_equal(own_args, "now");
	type("load\r");
	assert_said("not updated over the console");
	type("confirm\r");
	assert_said("nothing is on trial");
}

static void
test_reset(void **state)
{
	const uint8_t *buf;
	size_t n;

	(void)state;
	cw_console_input(&con, (const uint8_t *)"reset\r", 6, 0);
	n = cw_console_output(&con, &buf);
	cw_console_sent(&con, n - 1);
	assert_int_equal(resets, 0);
	cw_console_sent(&con, 1);
	assert_int_equal(resets, 1);
}

/* A memory that takes nothing is told, and the settings stay as they were. */
static void
test_worn(void **state)
{
	(void)state;
	type("name one\r");
	mem.stuck_at = 60;
	mem.stuck = 0xAA;
	type("name two\r");
	assert_said("not saved");
	assert_string_equal(settings.name, "one");
	mem.stuck_at = -1;
	mem.fail_at = 0;
	mem.for_ever = true;
	mem.call_cnt = 0;
	type("name three\r");
	assert_said("not saved");
	assert_string_equal(settings.name, "one");
}

/* Any bytes: no assertion fails, and the console lives on. */
static void
test_noise(void **state)
{
	static const char *const words[] = {
		"ip ", "set ", "key ", "enrol ", "1.2.3.4 ", "/24 ", "name ", "log ",
		"plain ", "serial ", "\r", "\n", "\033[", "\b", "load\r", "version\r",
	};
	uint32_t r = 7;
	int i;
	char one[2] = { 0 };

	(void)state;
	for (i = 0; i < 200000; i++) {
		r = r * 1664525 + 1013904223;
		one[0] = (char)(r >> 24);
		if (one[0] == '\0')
			continue;
		type(r >> 28 < 4 ? words[(r >> 16) % 16] : one);
	}
	type("\003");
	type("help\r");
	assert_said("this list");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_banner_and_help, setup),
		cmocka_unit_test_setup(test_ip, setup),
		cmocka_unit_test_setup(test_ip_refused, setup),
		cmocka_unit_test_setup(test_key, setup),
		cmocka_unit_test_setup(test_key_refused, setup),
		cmocka_unit_test_setup(test_line_editing, setup),
		cmocka_unit_test_setup(test_log, setup),
		cmocka_unit_test_setup(test_others, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_worn, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
