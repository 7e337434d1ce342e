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
#include "terminal/profile/profile.h"

/* What a hostile profile tries.  Each text runs as the body of record(). */

#define HEAD "profile { name = \"t\", fields = { { name = \"ki\", type = " \
	"\"hex\", bytes = 16 }, { name = \"spn\", type = \"text\", optional = " \
	"true } } }\nfunction record(f, job)\n"
#define KI "4f2a77c1d0e9b8356a1c0f9e8d7b6a55"

static uint8_t out[CW_PROG_MAX];

static size_t
payload(uint8_t *buf, size_t cap)
{
	size_t len = 0;

	assert_int_equal(cw_record_add(buf, cap, &len, "ki",
	    (const uint8_t *)KI, 32), 0);
	assert_int_equal(cw_record_add(buf, cap, &len, "spn",
	    (const uint8_t *)"Hunter Zwei", 11), 0);
	return len;
}

/* Compiles a record by HEAD body "end"; err gets the message. */
static int
run(const char *body, char *err, size_t cap)
{
	static char text[CW_PROFILE_TEXT_MAX];
	uint8_t buf[256];
	struct cw_profile_record r = { 7, 1, 1, buf, payload(buf, sizeof(buf)) };
	struct cw_profile *p;
	int n, res;

	n = snprintf(text, sizeof(text), HEAD "%s\nend\n", body);
	p = cw_profile_load(text, (size_t)n, "t.lua", err, cap);
	if (p == NULL)
		return CW_EINVAL;
	res = cw_profile_compile_record(p, &r, out, sizeof(out));
	snprintf(err, cap, "%s", cw_profile_error(p));
	cw_profile_free(p);
	return res;
}

/* Names that must not be there at all. */
static void
test_forbidden(void **state)
{
	static const char *const name[] = {
		"io", "os", "package", "debug", "coroutine", "utf8", "require",
		"load", "loadstring", "loadfile", "dofile", "print", "warn",
		"collectgarbage", "getmetatable", "setmetatable", "rawget",
		"rawset", "rawequal", "rawlen", "next", "pcall", "xpcall",
		"_G", "_VERSION", "string.dump", "string.match",
		"string.gmatch", "string.gsub", "string.pack", "string.unpack",
		"table.move", "table.sort", "math.random", "math.randomseed",
		"(\"\").gsub", "(\"\").match", "(\"\").dump",
	};
	char body[128], err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		snprintf(body, sizeof(body),
		    "if %s ~= nil then error(\"present\") end", name[i]);
		if (run(body, err, sizeof(err)) != 0)
			fail_msg("%s: %s", name[i], err);
	}
	/* The check itself can fail. */
	assert_int_equal(run("if card ~= nil then error(\"present\") end", err,
	    sizeof(err)), CW_EFORMAT);
	assert_string_equal(err, "t.lua:3: present");
}

/* Each must end by a limit, with a message that names it. */
static void
test_limits(void **state)
{
	static const struct {
		const char *body, *err;
	} t[] = {
		{ "while true do end", "more than 5000000 instructions" },
		{ "for i = 1, 1e18 do end", "more than 5000000 instructions" },
		{ "local function f() return f() end f()",
		    "more than 5000000 instructions" },
		{ "local function f() return 1 + f() end f()", "16 MiB" },
		{ "local t = {} for i = 1, 1e9 do t[i] = {} end", "16 MiB" },
		{ "local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end",
		    "KiB in one piece" },
		{ "local s = 'x' while true do s = s .. s end",
		    "256 KiB in one piece" },
		{ "local s = ('x'):rep(1e9)", "larger than 262144 bytes" },
		{ "local s = ('x'):rep(1 << 62)", "larger than 262144 bytes" },
		{ "local s = ('x'):rep(1000, ('y'):rep(1000))",
		    "larger than 262144 bytes" },
		{ "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) end "
		    "local s = table.concat(t)", "256 KiB in one piece" },
		{ "local t = {} for i = 1, 1e9 do t['k' .. i] = 1 end",
		    "16 MiB" },
		{ "local a = ('x'):rep(200000) local t = {} for i = 1, 200 do "
		    "t[i] = a:upper() .. i end", "16 MiB" },
		/* costly steps: few instructions, much time */
		{ "local a, b = ('x'):rep(260000), ('x'):rep(260000) local n = "
		    "0 while true do if a:sub(1) <= b then n = n + 1 end end",
		    "" },
	};
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (run(t[i].body, err, sizeof(err)) != CW_ELIMIT ||
		    strstr(err, t[i].err) == NULL ||
		    strncmp(err, "t.lua:", 6) != 0)
			fail_msg("%s: %s", t[i].body, err);
	}
}

/* What Lua's own library would do for ever inside C is harmless here. */
static void
test_defused(void **state)
{
	static const char *const body[] = {
		"if (''):rep(1 << 62) ~= '' then error('a') end",
		"if ('aaa%d+'):find('%d+') ~= 4 then error('b') end",
		"if ('x'):find(('x?'):rep(30)) ~= nil then error('c') end",
		"if (''):rep(1e18, '') ~= '' then error('d') end",
		"if tostring({}) ~= 'table' then error('e') end",
		"if tostring(error) ~= 'function' then error('f') end",
	};
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(body) / sizeof(body[0]); i++) {
		if (run(body[i], err, sizeof(err)) != 0)
			fail_msg("%s: %s", body[i], err);
	}
	assert_int_equal(run("local s = string.format('%p', {})", err,
	    sizeof(err)), CW_EFORMAT);
	assert_int_equal(run("local s = string.format('%s', {})", err,
	    sizeof(err)), CW_EFORMAT);
	assert_int_equal(run("local s = string.format('%99999d', 1)", err,
	    sizeof(err)), CW_EFORMAT);
	assert_int_equal(run("local a, b = table.unpack({}, 1, 1e7)", err,
	    sizeof(err)), CW_EFORMAT);
}

/* pairs goes in order: numbers, then strings, whatever the hash seed. */
static void
test_pairs(void **state)
{
	char err[256];

	(void)state;
	assert_int_equal(run("local s = '' for k, v in pairs { zz = 1, b = 2, "
	    "[3] = 3, a = 4, [-1] = 5, [1] = 6, ab = 7 } do s = s .. k .. '=' "
	    ".. v .. ' ' end if s ~= '-1=5 1=6 3=3 a=4 ab=7 b=2 zz=1 ' then "
	    "error('order') end", err, sizeof(err)), 0);
	assert_string_equal(err, "");
}

static void
test_bytecode(void **state)
{
	char err[256];

	(void)state;
	assert_null(cw_profile_load("\x1bLua\x54", 5, "t.lua", err,
	    sizeof(err)));
	assert_non_null(strstr(err, "attempt to load a binary chunk"));
}

/* A failed record's message: line and cause, never a value. */
static void
test_masked(void **state)
{
	static const struct {
		const char *body, *err;
	} t[] = {
		{ "error('ki is ' .. f.ki)", "t.lua:3: ki is *" },
		{ "error(f.ki)", "t.lua:3: *" },
		{ "error(f.spn)", "t.lua:3: * *" },
		{ "error(f.ki, 0)", "*" },
		{ "error({ f.ki })",
		    "the profile raised an error without a text" },
		{ "assert(false, f.ki)", "t.lua:3: *" },
		{ "local x = f.ki .. nil", "t.lua:3: attempt to concatenate a "
		    "nil value" },
		{ "local x = f.ki + 1", "t.lua:3: attempt to add a "
		    "'string' with a 'number'" },
		{ "local t = {} t[f.ki].x = 1", "t.lua:3: attempt to index a "
		    "nil value (field '?')" },
		{ "f[f.ki]()", "t.lua:3: fields: read by a name that the "
		    "profile does not declare" },
		{ "local x = f.opc", "t.lua:3: fields.opc: the profile declares "
		    "no such field" },
		{ "string.format('%q' .. f.ki)", "t.lua:3: format: only %* %* "
		    "%* %* %*" },
		{ "card.apdu(f.spn)", "t.lua:3: hex must be an even number of "
		    "hex digits" },
		{ "card.apdu { [f.ki] = 1 }", "t.lua:3: card.apdu: unknown "
		    "option" },
		{ "card.apdu { ins = f.spn }", "t.lua:3: ins must be a whole "
		    "number from 0 to 255" },
		{ "iccid(f.ki)", "t.lua:3: ki: character 2 is not a digit; "
		    "give digits only" },
		{ "imsi('12')", "t.lua:3: imsi does not have 6 to 15 digits; "
		    "give country, network and number without blanks" },
		{ "adm(f.ki:sub(1, 16))", "t.lua:3: adm is a key given as hex "
		    "where ASCII is due; name the column pin_adm_hex, or give its "
		    "8 characters" },
		{ "spn(f.spn .. f.ki)", "t.lua:3: spn: character 17 does not fit "
		    "any more; shorten the text" },
		{ "pin(f.spn)", "t.lua:3: spn: character 1 is not a digit; give "
		    "digits only" },
		{ "milenage(f.ki, f.ki, '00')", "t.lua:3: milenage: rand must be "
		    "16 bytes" },
		{ "pad(f.ki, 3)", "t.lua:3: pad: 16 bytes do not fit in 3" },
		{ "card.compare { value = f.spn }", "t.lua:3: value must be an "
		    "even number of hex digits" },
	};
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(run(t[i].body, err, sizeof(err)), CW_EFORMAT);
		if (strcmp(err, t[i].err) != 0)
			fail_msg("%s: %s", t[i].body, err);
	}
}

/* Nothing of one record is there when the next is compiled. */
static void
test_no_memory_between(void **state)
{
	static const char text[] = HEAD
	    "if seen then error(\"seen\") end\nseen = f.ki\n"
	    "if string.x then error(\"seen\") end\nstring.x = f.ki\nend\n";
	uint8_t buf[256];
	struct cw_profile_record r = { 7, 1, 1, buf, payload(buf, sizeof(buf)) };
	char err[256];
	struct cw_profile *p = cw_profile_load(text, sizeof(text) - 1, "t.lua",
	    err, sizeof(err));
	int i;

	(void)state;
	assert_non_null(p);
	for (i = 0; i < 3; i++) {
		if (cw_profile_compile_record(p, &r, out, sizeof(out)) != 0)
			fail_msg("%s", cw_profile_error(p));
	}
	cw_profile_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_defused),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_bytecode),
		cmocka_unit_test(test_masked),
		cmocka_unit_test(test_no_memory_between),
	};

	return cmocka_run_group_tests_name("line/sandbox", tests, NULL, NULL);
}
