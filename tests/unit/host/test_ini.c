/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "host/ini.h"

static struct cw_ini *
parse(const char *text, char *err, size_t cap)
{
	err[0] = '\0';
	return cw_ini_parse("t.ini", text, strlen(text), err, cap);
}

static void
test_values(void **state)
{
	char err[256];
	struct cw_ini *ini = parse("\xef\xbb\xbf# top\r\n[a]\r\n"
	    "  name =  x = y # z \r\n; c\nnum=0x10\nneg = -5\nflag = Yes\n"
	    "\n[ station   3 ]\nempty =\n", err, sizeof(err));

	(void)state;
	assert_non_null(ini);
	assert_string_equal(cw_ini_str(ini, "a", "name", "d"), "x = y # z");
	assert_int_equal(cw_ini_int(ini, "a", "num", 1, 0, 100), 16);
	assert_int_equal(cw_ini_int(ini, "a", "neg", 1, -9, 100), -5);
	assert_true(cw_ini_bool(ini, "a", "flag", false));
	assert_string_equal(cw_ini_str(ini, "a", "none", "d"), "d");
	assert_null(cw_ini_str(ini, "b", "none", NULL));
	assert_string_equal(cw_ini_section(ini, "station", 0), "station 3");
	assert_null(cw_ini_section(ini, "station", 1));
	assert_null(cw_ini_section(ini, "stat", 0));
	assert_string_equal(cw_ini_str(ini, "station 3", "empty", "d"), "");
	assert_int_equal(cw_ini_finish(ini, err, sizeof(err)), CW_OK);
	cw_ini_free(ini);
}

/* Text that cannot be parsed, and the message it must give. */
static const struct {
	const char *text, *err;
} bad_form[] = {
	{ "[a\n", "t.ini:1: section has no closing ']'; write [name]" },
	{ "\n[]\n", "t.ini:2: section has no name; write [name]" },
	{ "x = 1\n", "t.ini:1: key before the first section; put a [section] above it" },
	{ "[a]\nx\n", "t.ini:2: neither a section nor a key; write key = value" },
	{ "[a]\n= 1\n", "t.ini:2: neither a section nor a key; write key = value" },
	{ "[a]\nx=1\n\nx=2", "t.ini:4: key x stands already at line 2; remove one of the two" },
	{ "[a]\n[b]\n[a ]\n", "t.ini:3: section [a] stands already at line 1; join the two" },
	{ "[a]\nx=\x01\n", "t.ini:2: control character 01; is this a text file?" },
};

static void
test_bad_form(void **state)
{
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_form) / sizeof(bad_form[0]); i++) {
		assert_null(parse(bad_form[i].text, err, sizeof(err)));
		assert_string_equal(err, bad_form[i].err);
	}
	/* A NUL byte is not the end of the text. */
	assert_null(cw_ini_parse("t.ini", "[a]\n\0", 5, err, sizeof(err)));
	assert_string_equal(err,
	    "t.ini:2: control character 00; is this a text file?");
}

/* Asks for a.num (1..9), a.flag, and gives a fault to a.why when present. */
static void
finish_with(const char *text, const char *want)
{
	char err[256];
	struct cw_ini *ini = parse(text, err, sizeof(err));

	assert_non_null(ini);
	assert_int_equal(cw_ini_int(ini, "a", "num", 7, 1, 9), 7);
	assert_false(cw_ini_bool(ini, "a", "flag", false));
	if (cw_ini_str(ini, "a", "why", NULL) != NULL)
		cw_ini_fault(ini, "a", "why", "not today");
	assert_int_equal(cw_ini_finish(ini, err, sizeof(err)), CW_EFORMAT);
	assert_string_equal(err, want);
	cw_ini_free(ini);
}

static void
test_bad_meaning(void **state)
{
	(void)state;
	finish_with("[a]\nnum = 10\n", "t.ini:2: num must be a whole number "
	    "from 1 to 9, not '10'");
	finish_with("[a]\nnum = 0\n", "t.ini:2: num must be a whole number "
	    "from 1 to 9, not '0'");
	finish_with("[a]\nnum = 3x\n", "t.ini:2: num must be a whole number "
	    "from 1 to 9, not '3x'");
	finish_with("[a]\nnum =\n", "t.ini:2: num must be a whole number "
	    "from 1 to 9, not ''");
	finish_with("[a]\nnum = 99999999999999999999\n", "t.ini:2: num must "
	    "be a whole number from 1 to 9, not '99999999999999999999'");
	finish_with("[a]\nflag = maybe\n",
	    "t.ini:2: flag must be yes or no, not 'maybe'");
	finish_with("[a]\nwhy = 1\n", "t.ini:2: [a] why: not today");
	finish_with("[a]\nnun = 1\n",
	    "t.ini:2: unknown key nun in [a]; known: num, flag, why");
	finish_with("[a]\n[c]\nx = 1\n", "t.ini:2: unknown section [c]; "
	    "correct its name or remove it");

	/* The fault that stands first in the file is told. */
	finish_with("[a]\nzzz = 1\nnum = 0\n",
	    "t.ini:2: unknown key zzz in [a]; known: num, flag, why");
	finish_with("[a]\nnum = 0\nzzz = 1\n", "t.ini:2: num must be a whole "
	    "number from 1 to 9, not '0'");
}

/* A value of 100 000 characters comes back whole. */
static void
test_long(void **state)
{
	static char text[100100];
	char err[64];
	struct cw_ini *ini;

	(void)state;
	memset(text, 'v', sizeof(text));
	memcpy(text, "[a]\nx = ", 8);
	ini = cw_ini_parse("t.ini", text, 8 + 100000, err, sizeof(err));
	assert_non_null(ini);
	assert_int_equal(strlen(cw_ini_str(ini, "a", "x", "")), 100000);
	cw_ini_free(ini);
}

static void
test_load(void **state)
{
	char err[256], path[] = "/tmp/cwXXXXXX";
	FILE *f = fdopen(mkstemp(path), "w");
	struct cw_ini *ini;

	(void)state;
	assert_non_null(f);
	fputs("[a]\nb = c", f);
	fclose(f);
	ini = cw_ini_load(path, err, sizeof(err));
	assert_non_null(ini);
	assert_string_equal(cw_ini_str(ini, "a", "b", ""), "c");
	cw_ini_free(ini);
	remove(path);

	assert_null(cw_ini_load("/nonexistent/x.ini", err, sizeof(err)));
	assert_string_equal(err, "/nonexistent/x.ini: No such file or directory");
	assert_null(cw_ini_load("/", err, sizeof(err)));
	assert_string_equal(err, "/: Is a directory");
}

/* As the platform reads its own: from the folder of the file. */
static void
test_path(void **state)
{
	static const char text[] = "[a]\nrel = x/y\nabs = /x/y\n";
	char err[256];
	struct cw_ini *ini = cw_ini_parse("/etc/cw/t.ini", text,
	    sizeof(text) - 1, err, sizeof(err));

	(void)state;
	assert_non_null(ini);
	assert_string_equal(cw_ini_path(ini, "a", "rel", ""), "/etc/cw/x/y");
	assert_string_equal(cw_ini_path(ini, "a", "rel", ""), "/etc/cw/x/y");
	assert_string_equal(cw_ini_str(ini, "a", "rel", ""), "x/y");
	assert_string_equal(cw_ini_path(ini, "a", "abs", ""), "/x/y");
	assert_string_equal(cw_ini_path(ini, "a", "none", "z"), "/etc/cw/z");
	assert_string_equal(cw_ini_path(ini, "a", "empty", ""), "");
	assert_int_equal(cw_ini_finish(ini, err, sizeof(err)), 0);
	cw_ini_free(ini);
	ini = cw_ini_parse("t.ini", text, sizeof(text) - 1, err, sizeof(err));
	assert_string_equal(cw_ini_path(ini, "a", "rel", ""), "x/y");
	cw_ini_free(ini);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad_form),
		cmocka_unit_test(test_bad_meaning),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests_name("host/ini", tests, NULL, NULL);
}
