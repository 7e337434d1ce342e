/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader/settings.h"
#include "tests/sweep/nvm.h"

static struct nvm mem;
static struct cw_settings_store st;

/* The example of docs/spec/settings.md, made with Python's zlib and struct. */
static const char golden[] =
    "43575354" "0001" "0086" "00000007" "00" "01" "03" "01"
    "c0a80714" "ffffff00" "c0a80701" "020000000014"
    "00112233445566778899aabbccddeeff"
    "73746174696f6e20340000000000000000000000000000000000000000000000"
    "7265616465722d31340000000000000000000000000000000000000000000000"
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "a83316ef";
#define GOLDEN_LEN ((sizeof golden - 1) / 2)

static void
golden_fill(struct cw_settings *s)
{
	static const uint8_t ip[4] = { 192, 168, 7, 20 };
	static const uint8_t mask[4] = { 255, 255, 255, 0 };
	static const uint8_t gateway[4] = { 192, 168, 7, 1 };
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x14 };
	size_t i;

	cw_settings_defaults(s);
	s->ip_mode = CW_IP_STATIC;
	memcpy(s->ip, ip, 4);
	memcpy(s->mask, mask, 4);
	memcpy(s->gateway, gateway, 4);
	memcpy(s->mac, mac, 6);
	for (i = 0; i < 16; i++)
		s->serial[i] = (uint8_t)(i * 0x11);
	for (i = 0; i < 32; i++)
		s->key[i] = (uint8_t)i;
	s->has_key = true;
	strcpy(s->key_id, "reader-14");
	strcpy(s->name, "station 4");
	s->plain_allowed = true;
	s->log_level = 3;
}

static int
setup(void **state)
{
	(void)state;
	nvm_init(&mem, 1);
	cw_settings_init(&st, &nvm_ops, &mem);
	return 0;
}

static void
test_golden(void **state)
{
	uint8_t want[GOLDEN_LEN];
	struct cw_settings s, got;
	int i;

	(void)state;
	assert_int_equal(cw_unhex(want, sizeof want, golden, 2 * GOLDEN_LEN),
	    GOLDEN_LEN);
	golden_fill(&s);
	/* The seventh change: sequence number 7. */
	for (i = 1; i <= 7; i++) {
		s.log_level = (uint8_t)(i == 7 ? 3 : i % 2);
		assert_int_equal(cw_settings_save(&st, &s), 2);
	}
	assert_memory_equal(mem.cell, want, sizeof want);
	assert_memory_equal(mem.cell + 256, want, sizeof want);

	nvm_init(&mem, 1);
	memcpy(mem.cell + 256, want, sizeof want);
	assert_int_equal(cw_settings_load(&st, &got), 0);
	assert_int_equal(st.used, 1);
	assert_int_equal(st.copy[0], CW_COPY_BLANK);
	assert_int_equal(st.seq[1], 7);
	assert_string_equal(got.name, "station 4");
	assert_memory_equal(got.key, s.key, 32);
	assert_int_equal(got.mac[5], 0x14);
	assert_true(got.plain_allowed);
}

static void
test_blank(void **state)
{
	struct cw_settings s;

	(void)state;
	assert_int_equal(cw_settings_load(&st, &s), CW_ENOENT);
	assert_int_equal(s.ip_mode, CW_IP_DHCP);
	assert_false(s.has_key);
	assert_false(s.plain_allowed);
	assert_int_equal(s.log_level, 2);
	assert_int_equal(mem.byte_cnt, 0);
}

static void
test_save_on_change(void **state)
{
	struct cw_settings s;
	long before;

	(void)state;
	golden_fill(&s);
	assert_int_equal(cw_settings_save(&st, &s), 2);
	before = mem.byte_cnt;
	assert_int_equal(cw_settings_save(&st, &s), 0);
	/* What stands behind the NUL of a text is no change. */
	s.name[20] = 'x';
	assert_int_equal(cw_settings_save(&st, &s), 0);
	assert_int_equal(mem.byte_cnt, before);

	/* A bad copy is mended, the good one left alone. */
	mem.cell[40] ^= 1;
	assert_int_equal(cw_settings_save(&st, &s), 1);
	assert_memory_equal(mem.cell, mem.cell + 256, 150);
}

static void
test_newer_wins(void **state)
{
	struct cw_settings s, got;

	(void)state;
	golden_fill(&s);
	cw_settings_save(&st, &s);
	mem.cell[500] = 0;		/* behind the copy: nobody's */
	s.ip[3] = 99;
	mem.cut_at = mem.byte_cnt + 150;	/* one copy only */
	mem.cut = NVM_CUT_BEFORE;
	cw_settings_save(&st, &s);
	nvm_restart(&mem);
	assert_int_equal(cw_settings_load(&st, &got), 0);
	assert_int_equal(got.ip[3], 99);
	assert_int_equal(st.seq[st.used], st.seq[1 - st.used] + 1);
}

static void
test_later_layout(void **state)
{
	uint8_t copy[GOLDEN_LEN + 8] = { 0 };
	struct cw_settings s;
	uint32_t crc;

	(void)state;
	cw_unhex(copy, sizeof copy, golden, 2 * GOLDEN_LEN);
	/* Eight bytes appended by a later firmware: read, and passed over. */
	copy[7] = 134 + 8;
	crc = 0xe7c80171;	/* zlib.crc32 of it */
	copy[154] = (uint8_t)(crc >> 24);
	copy[155] = (uint8_t)(crc >> 16);
	copy[156] = (uint8_t)(crc >> 8);
	copy[157] = (uint8_t)crc;
	copy[146] = copy[147] = copy[148] = copy[149] = 0;
	memcpy(mem.cell, copy, sizeof copy);
	assert_int_equal(cw_settings_load(&st, &s), 0);
	assert_string_equal(s.key_id, "reader-14");
}

static void
test_io(void **state)
{
	struct cw_settings s;
	uint64_t count;

	(void)state;
	golden_fill(&s);
	cw_settings_save(&st, &s);
	mem.fail_at = 0;
	mem.for_ever = true;
	mem.call_cnt = 0;
	assert_int_equal(cw_settings_load(&st, &s), CW_EIO);
	assert_int_equal(st.copy[0], CW_COPY_UNREAD);
	assert_int_equal(s.ip_mode, CW_IP_DHCP);
	assert_int_equal(cw_settings_save(&st, &s), CW_EIO);
	assert_int_equal(cw_settings_boot(&st, &s, &count), CW_EIO);
	assert_int_equal(count, 0);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *want;
		size_t off;
		uint8_t value;
	} bad[] = {
		{ "address:", offsetof(struct cw_settings, ip), 0 },
		{ "address:", offsetof(struct cw_settings, ip), 224 },
		{ "address:", offsetof(struct cw_settings, ip), 127 },
		{ "address:", offsetof(struct cw_settings, ip) + 3, 255 },
		{ "mask:", offsetof(struct cw_settings, mask) + 1, 254 },
		{ "gateway:", offsetof(struct cw_settings, gateway) + 2, 8 },
		{ "MAC", offsetof(struct cw_settings, mac), 3 },
		{ "log level:", offsetof(struct cw_settings, log_level), 5 },
		{ "name:", offsetof(struct cw_settings, name), 7 },
		{ "key identity:", offsetof(struct cw_settings, key_id), 0 },
		{ "key identity:", offsetof(struct cw_settings, key_id), ' ' },
	};
	struct cw_settings s;
	const char *what;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		golden_fill(&s);
		((uint8_t *)&s)[bad[i].off] = bad[i].value;
		assert_int_equal(cw_settings_check(&s, &what), CW_EINVAL);
		assert_memory_equal(what, bad[i].want, strlen(bad[i].want));
		assert_int_equal(cw_settings_save(&st, &s), CW_EINVAL);
	}
	assert_int_equal(mem.byte_cnt, 0);
	golden_fill(&s);
	assert_int_equal(cw_settings_check(&s, &what), 0);
	s.mask[3] = 0xFE;	/* RFC 3021: two hosts, no broadcast */
	s.gateway[3] = 21;
	assert_int_equal(cw_settings_check(&s, &what), 0);
}

static void
test_boot_count(void **state)
{
	static const uint8_t cell[12] = {
		0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x3c, 0x62, 0x5b, 0x0f,
	};
	struct cw_settings s;
	uint64_t count;
	int i;

	(void)state;
	cw_settings_defaults(&s);
	for (i = 1; i <= 70; i++) {
		assert_int_equal(cw_settings_boot(&st, &s, &count), 0);
		assert_int_equal(count, i);
	}
	/* No cell was written more often than its share. */
	assert_int_equal(mem.byte_cnt, 70 * 24);

	memcpy(mem.cell + 512 + 16 * 5, cell, sizeof cell);
	assert_int_equal(cw_settings_boot(&st, &s, &count), 0);
	assert_int_equal(count, 0x1235);
}

static void
test_boot_lost(void **state)
{
	struct cw_settings s;
	uint64_t count;

	(void)state;
	golden_fill(&s);
	cw_settings_save(&st, &s);
	assert_int_equal(cw_settings_boot(&st, &s, &count), CW_ESTATE);
	assert_int_equal(count, 0);
	assert_int_equal(cw_settings_boot_restart(&st), 0);
	assert_int_equal(cw_settings_boot(&st, &s, &count), 0);
	assert_int_equal(count, 2);
	/* Never back to 1 while a count is there. */
	assert_int_equal(cw_settings_boot_restart(&st), 0);
	assert_int_equal(cw_settings_boot(&st, &s, &count), 0);
	assert_int_equal(count, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_golden, setup),
		cmocka_unit_test_setup(test_blank, setup),
		cmocka_unit_test_setup(test_save_on_change, setup),
		cmocka_unit_test_setup(test_newer_wins, setup),
		cmocka_unit_test_setup(test_later_layout, setup),
		cmocka_unit_test_setup(test_io, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_boot_count, setup),
		cmocka_unit_test_setup(test_boot_lost, setup),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
