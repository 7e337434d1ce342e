/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cw/err.h"
#include "host/keyfile.h"

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static char path[] = "/tmp/keyfile-XXXXXX";
static char err[600];

static void
write_text(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, 0600);
}

static int
setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	err[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void
good_file(void **state)
{
	struct cw_keyfile *k;
	const uint8_t *key;
	unsigned int i;

	(void)state;
	write_text("# keys\n\n 127.0.1.1:7816\t " HEX32 " \r\nA " HEX32 "\nB "
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
	k = cw_keyfile_load(path, err, sizeof err);
	assert_non_null(k);
	key = cw_keyfile_find(k, "127.0.1.1:7816");
	assert_non_null(key);
	for (i = 0; i < CW_KEYFILE_KEY_LEN; i++)
		assert_int_equal(key[i], i);
	assert_int_equal(cw_keyfile_find(k, "B")[31], 0xFF);
	assert_null(cw_keyfile_find(k, "C"));
	assert_null(cw_keyfile_find(k, "127.0.1.1"));
	cw_keyfile_free(k);
	cw_keyfile_free(NULL);
}

static void
bad_files(void **state)
{
	static const struct {
		const char *text, *place, *why;
	} t[] = {
		{ "A 00\n", ":1: ", "64 hex" },
		{ "A " HEX32 "00\n", ":1: ", "64 hex" },
		{ "\nA\n", ":2: ", "64 hex" },
		{ "A " HEX32 "\nA " HEX32 "\n", ":2: ", "twice" },
		{ "A " HEX32 " more\n", ":1: ", "more than" },
		{ "a-name-of-32-characters-too-long " HEX32 "\n", ":1: ", "1 to 31" },
		{ "\xC3\xA4 " HEX32 "\n", ":1: ", "printable" },
		{ "A 0001020304050607zz090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F",
		  ":1: ", "64 hex" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		write_text(t[i].text);
		assert_null(cw_keyfile_load(path, err, sizeof err));
		assert_non_null(strstr(err, path));
		assert_non_null(strstr(err, t[i].place));
		assert_non_null(strstr(err, t[i].why));
		assert_null(strstr(err, "0001020304"));
	}
}

/* Every bit that lets somebody else in. */
static void
modes(void **state)
{
	struct cw_keyfile *k;
	unsigned int bit;

	(void)state;
	write_text("A " HEX32 "\n");
	for (bit = 0; bit < 6; bit++) {
		chmod(path, 0600 | 1u << bit);
		assert_null(cw_keyfile_load(path, err, sizeof err));
		assert_non_null(strstr(err, "chmod 600"));
	}
	chmod(path, 0400);
	k = cw_keyfile_load(path, err, sizeof err);
	assert_non_null(k);
	cw_keyfile_free(k);
	assert_null(cw_keyfile_load("/tmp/no/such/file", err, sizeof err));
	assert_non_null(strstr(err, "enrol"));
	assert_null(cw_keyfile_load("/tmp", err, sizeof err));
}

static void
adding(void **state)
{
	static const uint8_t key[CW_KEYFILE_KEY_LEN] = { 1, 2, 3 };
	struct cw_keyfile *k;
	struct stat st;

	(void)state;
	unlink(path);
	assert_int_equal(cw_keyfile_add(path, "A", key, err, sizeof err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(cw_keyfile_add(path, "10.0.0.1:7816", key, err, sizeof err), 0);
	assert_int_equal(cw_keyfile_add(path, "A", key, err, sizeof err), CW_EEXIST);
	assert_non_null(strstr(err, "already"));
	assert_int_equal(cw_keyfile_add(path, "A B", key, err, sizeof err), CW_EINVAL);
	assert_int_equal(cw_keyfile_add(path, "#A", key, err, sizeof err), CW_EINVAL);
	assert_int_equal(cw_keyfile_add(path, "", key, err, sizeof err), CW_EINVAL);
	k = cw_keyfile_load(path, err, sizeof err);
	assert_non_null(k);
	assert_memory_equal(cw_keyfile_find(k, "A"), key, sizeof key);
	assert_memory_equal(cw_keyfile_find(k, "10.0.0.1:7816"), key, sizeof key);
	cw_keyfile_free(k);

	/* nothing is added to a file that others can read, or that is damaged */
	chmod(path, 0640);
	assert_int_equal(cw_keyfile_add(path, "C", key, err, sizeof err), CW_EFORMAT);
	write_text("A\n");
	assert_int_equal(cw_keyfile_add(path, "C", key, err, sizeof err), CW_EFORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_file, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(modes, setup, teardown),
		cmocka_unit_test_setup_teardown(adding, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
