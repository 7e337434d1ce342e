/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/boot.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "terminal/profile/profile.h"

static uint8_t out[CW_PROG_MAX];

static struct cw_profile *
open_file(const char *name)
{
	char path[512], err[256] = "";
	struct cw_profile *p;

	snprintf(path, sizeof(path), "%s/%s", PROFILES, name);
	p = cw_profile_load_file(path, err, sizeof(err));
	assert_string_equal(err, "");
	assert_non_null(p);
	return p;
}

struct pair {
	const char *name, *value;
};

/* A record payload of name, value pairs up to a NULL name. */
static size_t
payload(uint8_t *buf, size_t cap, const struct pair *f)
{
	size_t len = 0;

	for (; f->name != NULL; f++)
		assert_int_equal(cw_record_add(buf, cap, &len, f->name,
		    (const uint8_t *)f->value, strlen(f->value)), 0);
	return len;
}

static int
compile(struct cw_profile *p, const struct pair *f)
{
	uint8_t buf[2048];
	struct cw_profile_record r = { 0x0102030405, 77, 3, buf,
		payload(buf, sizeof(buf), f) };

	return cw_profile_compile_record(p, &r, out, sizeof(out));
}

/* Compares a program with hex text, in which blanks are ignored. */
static void
assert_program(int len, const char *want)
{
	static char have[2 * CW_PROG_MAX + 1], plain[2 * CW_PROG_MAX + 1];
	size_t n = 0;

	assert_true(len > 0);
	for (; *want != '\0'; want++) {
		if (*want != ' ')
			plain[n++] = *want;
	}
	plain[n] = '\0';
	cw_hex(have, out, (size_t)len);
	assert_string_equal(have, plain);
}

/*
 * A step: op, flags, length of the body, body (cw/program.h).  Secret = 01,
 * personal = 02, needs COS = 04.  Bodies of an APDU step begin with 00: no
 * pattern, so 9000.
 */
#define SELECT(lc, path) " 03 00 00" lc path
#define COMPARE16(value) " 06 01 0024 0000 0010" value \
	"ffffffffffffffffffffffffffffffff"

/* IMSI 001010000000001 is 080910100000000010 in TS 51.011 coding; 20 digits of
 * the ICCID are 10 swapped bytes. */
static void
test_sim_demo_minimal(void **state)
{
	static const struct pair f[] = {
		{ "iccid", "89880010000000000015" },
		{ "imsi", "001010000000001" },
		{ "ki", "00112233445566778899AABBCCDDEEFF" },
		{ NULL, NULL },
	};
	struct cw_profile *p = open_file("sim-demo.lua");

	(void)state;
	assert_program(compile(p, f),
	    "50 01 001d"
	    " 01 00 0002 00 00"
	    " 02 00 0001 00"
	    " 03 04 0008 00 00a4080c02 2fe2"
	    " 03 01 000e 00 0020000a08 3838383838383838"
	    /* EF_ICCID */
	    " 03 00 0008 00 00a4080c02 2fe2"
	    " 03 03 0010 00 00d600000a 98880001000000000051"
	    " 03 01 0006 00 00b000000a"
	    " 06 01 0018 0000 000a 98880001000000000051 ffffffffffffffffffff"
	    /* EF_IMSI */
	    " 03 00 000a 00 00a4080c04 7f206f07"
	    " 03 03 000f 00 00d6000009 080910100000000010"
	    " 03 01 0006 00 00b0000009"
	    " 06 01 0016 0000 0009 080910100000000010 ffffffffffffffffff"
	    /* EF_SPN: "cardwright" */
	    " 03 00 000a 00 00a4080c04 7f206f46"
	    " 03 03 0017 00 00d6000011 0163617264777269676874ffffffffffff"
	    " 03 01 0006 00 00b0000011"
	    " 06 01 0026 0000 0011 0163617264777269676874ffffffffffff"
	    " ffffffffffffffffffffffffffffffffff"
	    /* EF_AD */
	    " 03 00 000a 00 00a4080c04 7f206fad"
	    " 03 03 000a 00 00d6000004 00000002"
	    " 03 01 0006 00 00b0000004"
	    " 06 01 000c 0000 0004 00000002 ffffffff"
	    /* EF_KI */
	    " 03 00 000a 00 00a4080c04 7f996f01"
	    " 03 03 0016 00 00d6000010 00112233445566778899aabbccddeeff"
	    " 03 01 0006 00 00b0000010"
	    COMPARE16("00112233445566778899aabbccddeeff")
	    /* EF_MARK: order, record, epoch */
	    " 03 00 000a 00 00a4080c04 7f996ffe"
	    " 03 03 0026 00 00d6000020 0000000102030405 000000000000004d"
	    " 00000003 ffffffffffffffffffffffff"
	    " 03 01 0006 00 00b0000020"
	    " 06 01 0044 0000 0020 0000000102030405 000000000000004d"
	    " 00000003 ffffffffffffffffffffffff"
	    " ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	    " 09 00 0000");
	cw_profile_free(p);
}

/* Data fields of all UPDATE commands of a compiled program, in order. */
static void
updates(int len, char *text, size_t cap)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;
	size_t n = 0;

	text[0] = '\0';
	cw_prog_begin(&it, out, (size_t)len);
	while (cw_prog_next(&it, &st) == 1) {
		if (st.op != CW_OP_APDU || (st.u.apdu.buf[1] != 0xD6 &&
		    st.u.apdu.buf[1] != 0xDC))
			continue;
		assert_int_equal(st.flags, CW_STEP_SECRET | CW_STEP_PERSONAL);
		assert_true(n + 2u * st.u.apdu.len + 2 < cap);
		cw_hex(text + n, st.u.apdu.buf + 1, st.u.apdu.len - 1u);
		n += 2u * (st.u.apdu.len - 1u);
		text[n++] = '\n';
		text[n] = '\0';
	}
}

static void
test_sim_demo_full(void **state)
{
	static const struct pair f[] = {
		{ "iccid", "8988001000000000007" },	/* 19 digits */
		{ "imsi", "00101000000001" },		/* 14 digits: even */
		{ "ki", "00112233445566778899aabbccddeeff" },
		{ "opc", "ffeeddccbbaa99887766554433221100" },
		{ "acc", "0200" }, { "msisdn", "491701234567" },
		{ "pin1", "1234" }, { "puk1", "12345678" },
		{ "pin2", "87654321" }, { "puk2", "00000000" },
		{ "adm1", "SecretA" }, { NULL, NULL },
	};
	static const char want[] =
	    "d600000a988800010000000000f7\n"
	    "d60000090801101000000000f1\n"	/* parity bit 0, F at the end */
	    "d60000110163617264777269676874ffffffffffff\n"
	    "d600000400000002\n"
	    "d60000020200\n"
	    "dc01041c" "ffffffffffffffffffffffffffff" "0781"
	    "947110325476" "ffffffff" "ffff\n"
	    "d600001000112233445566778899aabbccddeeff\n"
	    "d6000010ffeeddccbbaa99887766554433221100\n"
	    "dc01041031323334ffffffffffffffffffffffff\n"
	    "dc0204103132333435363738ffffffffffffffff\n"
	    "dc0304103837363534333231ffffffffffffffff\n"
	    "dc0404103030303030303030ffffffffffffffff\n"
	    "d600000853656372657441ff\n"
	    "d60000200000000102030405000000000000004d00000003"
	    "ffffffffffffffffffffffff\n";
	struct cw_profile *p = open_file("sim-demo.lua");
	char text[4096];
	int len;

	(void)state;
	len = compile(p, f);
	assert_string_equal(cw_profile_error(p), "");
	assert_true(len > 0);
	updates(len, text, sizeof(text));
	assert_string_equal(text, want);
	cw_profile_free(p);
}

/* The same record gives the same bytes, again and in another handle. */
static void
test_deterministic(void **state)
{
	static const struct pair f[] = {
		{ "iccid", "89880010000000000015" },
		{ "imsi", "001010000000001" },
		{ "ki", "00112233445566778899AABBCCDDEEFF" },
		{ "acc", "0001" }, { NULL, NULL },
	};
	static uint8_t first[CW_PROG_MAX];
	struct cw_profile *p = open_file("sim-demo.lua"), *q;
	int len = compile(p, f);

	(void)state;
	memcpy(first, out, (size_t)len);
	assert_int_equal(compile(p, f), len);
	assert_memory_equal(first, out, (size_t)len);
	q = open_file("sim-demo.lua");
	assert_int_equal(compile(q, f), len);
	assert_memory_equal(first, out, (size_t)len);
	cw_profile_free(p);
	cw_profile_free(q);
}

/* A wrong field is told by its name; its value is nowhere, nor is a program. */
static void
test_wrong_fields(void **state)
{
	static const struct {
		struct pair bad;
		const char *err;
	} t[] = {
		{ { "iccid", "89880010000000000016" }, "sim-demo.lua: field "
		    "iccid has a wrong Luhn check digit" },
		{ { "iccid", "8988001" }, "sim-demo.lua: field iccid must be "
		    "18 to 20 digits" },
		{ { "iccid", "8988001000000000001F" }, "sim-demo.lua: field "
		    "iccid must be 18 to 20 digits" },
		{ { "imsi", "12345" }, "sim-demo.lua: field imsi must be 6 to "
		    "15 digits" },
		{ { "ki", "00112233445566778899AABBCCDDEE" }, "sim-demo.lua: "
		    "field ki is too short" },
		{ { "ki", "00112233445566778899AABBCCDDEEFG" }, "sim-demo.lua: "
		    "field ki must be an even number of hex digits" },
		{ { "opc", "00112233445566778899AABBCCDDEEFF0" },
		    "sim-demo.lua: field opc is too long" },
		{ { "pin1", "123" }, "sim-demo.lua: field pin1 must be 4 to 8 "
		    "digits" },
		{ { "pin1", "12x4" }, "sim-demo.lua: field pin1 must be 4 to 8 "
		    "digits" },
		{ { "puk1", "1234567" }, "sim-demo.lua: field puk1 is too "
		    "short" },
		{ { "adm1", "abc" }, "sim-demo.lua: field adm1 must be 4 to 8 "
		    "printable characters" },
		{ { "msisdn", "+49170" }, "sim-demo.lua: field msisdn must be "
		    "digits" },
		{ { "ki", "" }, "sim-demo.lua: the record has no field ki" },
	};
	struct pair f[5] = {
		{ "iccid", "89880010000000000015" },
		{ "imsi", "001010000000001" },
		{ "ki", "00112233445566778899AABBCCDDEEFF" },
	};
	struct cw_profile *p = open_file("sim-demo.lua");
	struct pair g[5];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memcpy(g, f, sizeof(g));
		for (k = 0; k < 3; k++) {
			if (strcmp(g[k].name, t[i].bad.name) == 0)
				break;
		}
		g[k] = t[i].bad;
		memset(out, 0xa5, sizeof(out));
		assert_int_equal(compile(p, g), CW_EFORMAT);
		assert_string_equal(cw_profile_error(p), t[i].err);
		assert_null(memmem(out, sizeof(out), "\x00\x11\x22\x33", 4));
	}
	/* Not a record at all. */
	{
		struct cw_profile_record r = { 1, 1, 1,
			(const uint8_t *)"\x00\x05xx", 4 };

		assert_int_equal(cw_profile_compile_record(p, &r, out,
		    sizeof(out)), CW_EFORMAT);
		assert_string_equal(cw_profile_error(p), "sim-demo.lua: the "
		    "record is not well formed");
	}
	cw_profile_free(p);
}

static void
test_fields(void **state)
{
	struct cw_profile *p = open_file("sim-demo.lua");
	const struct cw_field_spec *f;
	unsigned int cnt;

	(void)state;
	f = cw_profile_fields(p, &cnt);
	assert_string_equal(cw_profile_name(p), "sim-demo");
	assert_true(cw_profile_has_cos(p) && cw_profile_has_record(p));
	assert_int_equal(cnt, 11);
	assert_string_equal(f[0].name, "iccid");
	assert_int_equal(f[0].kind, CW_FIELD_ICCID);
	assert_true(f[0].required && f[0].unique);
	assert_string_equal(f[2].name, "ki");
	assert_int_equal(f[2].kind, CW_FIELD_HEX);
	assert_int_equal(f[2].min_len, 32);
	assert_int_equal(f[2].max_len, 32);
	assert_false(f[3].required);
	assert_false(cw_profile_secret(p, "iccid"));
	assert_true(cw_profile_secret(p, "ki"));
	assert_true(cw_profile_secret(p, "puk1"));
	assert_true(cw_profile_secret(p, "adm1"));
	assert_true(cw_profile_secret(p, "unheard"));
	cw_profile_free(p);

	p = open_file("cos-only.lua");
	assert_true(cw_profile_has_cos(p) && !cw_profile_has_record(p));
	cw_profile_fields(p, &cnt);
	assert_int_equal(cnt, 0);
	assert_int_equal(compile(p, (struct pair[]){ { NULL, NULL } }),
	    CW_EUNSUPPORTED);
	cw_profile_free(p);
}

/* The COS program is the bootloader dialogue, whatever stands around it. */
static void
test_cos(void **state)
{
	static const char *const file[] = { "sim-demo.lua", "cos-only.lua",
		"iso7816-generic.lua" };
	struct cw_profile_order o = { .order = 9, .cos_addr = 0x08000000,
		.cos_len = 131072 };
	struct cw_boot_job job = { .addr = o.cos_addr, .len = o.cos_len,
		.block_len = CW_BOOT_BLOCK_MAX };
	static uint8_t want[CW_PROG_MAX];
	struct cw_prog_builder b;
	struct cw_profile *p;
	int len, n;
	size_t i;

	(void)state;
	memset(o.cos_digest, 0x5c, sizeof(o.cos_digest));
	memset(job.digest, 0x5c, sizeof(job.digest));
	cw_prog_start(&b, want, sizeof(want));
	cw_boot_program(&b, &job);
	len = cw_prog_end(&b);
	assert_true(len > 0);
	for (i = 0; i < 3; i++) {
		p = open_file(file[i]);
		n = cw_profile_compile_cos(p, &o, out, sizeof(out));
		assert_string_equal(cw_profile_error(p), "");
		assert_int_equal(n, len);
		assert_memory_equal(out, want, (size_t)len);
		cw_profile_free(p);
	}
}

static void
test_generic(void **state)
{
	static const struct pair f[] = {
		{ "verify", "3132" }, { "file1", "2FE2" }, { "data1", "AB" },
		{ NULL, NULL },
	}, lone[] = {
		{ "file1", "2FE2" }, { "data1", "AB" }, { "file2", "6F07" },
		{ NULL, NULL },
	};
	struct cw_profile *p = open_file("iso7816-generic.lua");

	(void)state;
	assert_program(compile(p, f),
	    "50 01 0009"
	    " 01 00 0002 00 00"
	    " 02 00 0001 00"
	    " 03 04 0010 02 9000 ffff 6100 ff00 00a4000c02 3f00"
	    " 03 01 0008 00 0020000a02 3132"
	    " 03 00 0010 02 9000 ffff 6100 ff00 00a4080c02 2fe2"
	    " 03 03 0007 00 00d6000001 ab"
	    " 03 01 0006 00 00b0000001"
	    " 06 01 0006 0000 0001 ab ff"
	    " 09 00 0000");
	assert_int_equal(compile(p, lone), CW_EFORMAT);
	assert_non_null(strstr(cw_profile_error(p),
	    "file and data belong together"));
	cw_profile_free(p);
}

/* Every call of the card table, and the flags' defaults, byte by byte. */
static void
test_builder(void **state)
{
	static const char text[] =
	    "profile { name = \"b\", atr = \"3bXX9\" .. \"5\" }\n"
	    "function cos(o)\n"
	    "card.reset { warm = true }\n"
	    "card.reset { atr = \"3F\" }\n"
	    "card.pps { ta1_max = 0x95 }\n"
	    "card.apdu(\"00A4040002A000\", { any_sw = true, boot = true })\n"
	    "card.apdu { cla = 0x80, ins = 0xCA, p1 = 1, p2 = 2, le = 256, "
	    "sw = \"9XX0\" }\n"
	    "card.apdu { ins = 0x10 }\n"
	    "card.apdu { ins = 0x12, data = \"AABB\", le = 1, secret = true }\n"
	    "card.capture { id = 2, off = 1, len = 4 }\n"
	    "card.compare { value = \"0102\", mask = \"0FF0\", off = 3 }\n"
	    "card.load { cla = 0x84, ins = 0xE8, p1 = 1, p2 = 2, addr = "
	    "\"data32\", check = \"crc32\", block = 200, mark_last = true, "
	    "off = 16, len = 32, sw = { \"9000\", \"61XX\" } }\n"
	    "card.delay { ms = 2, us = 5 }\n"
	    "card.off()\n"
	    "end\n"
	    "function record(f, job)\ncard.reset {}\nend\n";
	/* A field that the profile does not declare is nothing to it. */
	static const struct pair other[] = { { "x", "y" }, { NULL, NULL } };
	struct cw_profile_order o = { .order = 9, .cos_addr = 0x1000,
		.cos_len = 100 };
	char err[256] = "";
	struct cw_profile *p = cw_profile_load(text, sizeof(text) - 1, "b.lua",
	    err, sizeof(err));
	int len;

	(void)state;
	assert_string_equal(err, "");
	len = cw_profile_compile_cos(p, &o, out, sizeof(out));
	assert_string_equal(cw_profile_error(p), "");
	assert_program(len,
	    "50 01 000c"
	    " 01 00 0002 01 00"
	    " 01 00 0004 00 01 ff 3f"
	    " 02 00 0001 95"
	    " 03 18 0008 00 00a4040002a000"
	    " 03 00 000a 01 9000 f00f 80ca010200"
	    " 03 00 0005 00 00100000"
	    " 03 01 0009 00 0012000002aabb01"
	    " 05 00 0005 02 0001 0004"
	    " 06 00 0008 0003 0002 0102 0ff0"
	    " 04 08 0044 84e80102 02 02 c8 01 00001000 00000001 00000010"
	    " 00000020"
	    " 0000000000000000000000000000000000000000000000000000000000000000"
	    " 000000 02 9000 ffff 6100 ff00"
	    " 08 00 0004 000007d5"
	    " 09 00 0000");
	/* record() resets to the declared type of card */
	assert_program(compile(p, other),
	    "50 01 0001 01 00 0008 00 03 ff00ff 3b0095");
	cw_profile_free(p);
}

/* What is wrong with a profile is told with its line. */
static void
test_bad_profiles(void **state)
{
	static const struct {
		const char *text, *err;
	} t[] = {
		{ "", "t.lua: declares no profile; write profile { name = "
		    "\"...\", fields = { ... } }" },
		{ "profile { name = \"a\" }", "t.lua: has neither function "
		    "cos(order) nor function record(fields, job)" },
		{ "\nx = = 1", "t.lua:2: unexpected symbol near '='" },
		{ "\n\nprofile { nam = \"a\" }", "t.lua:3: profile: unknown "
		    "option nam" },
		{ "profile { name = \"A b\" }", "t.lua:1: profile name may "
		    "hold a-z 0-9 _ - . only" },
		{ "profile { name = \"a\", atr = \"3B9\" }", "t.lua:1: atr "
		    "must be up to 33 bytes of hex digits, X for any digit" },
		{ "profile { name = \"a\", fields = { { name = \"x\", type = "
		    "\"number\" } } }", "t.lua:1: field x: type must be text, "
		    "digits, iccid, imsi, hex, pin, adm or ipv4" },
		{ "profile { name = \"a\", fields = { { name = \"x\", type = "
		    "\"hex\", byte = 3 } } }", "t.lua:1: field: unknown option "
		    "byte" },
		{ "profile { name = \"a\", fields = { { name = \"x\", type = "
		    "\"hex\", unique = true } } }", "t.lua:1: field x: only "
		    "iccid and imsi can be unique" },
		{ "profile { name = \"a\", fields = { { name = \"x\", type = "
		    "\"hex\" }, { name = \"x\", type = \"hex\" } } }",
		    "t.lua:1: field x stands twice" },
		{ "profile { name = \"a\", fields = { { name = \"x\", type = "
		    "\"hex\", min = 4, max = 2 } } }", "t.lua:1: field x: min "
		    "is above max" },
		{ "profile { name = \"a\" }\nprofile { name = \"b\" }",
		    "t.lua:2: profile is declared twice" },
		{ "profile { name = \"a\" }\ncard.off()", "t.lua:2: card.off: "
		    "only inside cos(), record() and answer()" },
	};
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_null(cw_profile_load(t[i].text, strlen(t[i].text),
		    "t.lua", err, sizeof(err)));
		assert_string_equal(err, t[i].err);
	}
	assert_null(cw_profile_load_file("/nonexistent.lua", err, sizeof(err)));
	assert_string_equal(err, "/nonexistent.lua: No such file or directory");
}

/* cos() with one faulty line each. */
static void
test_bad_steps(void **state)
{
	static const struct {
		const char *line, *err;
	} t[] = {
		{ "card.apdu { hex = \"00A40400\", persnal = true }",
		    "t.lua:3: card.apdu: unknown option persnal" },
		{ "card.apdu(\"00A4040002A0\")", "t.lua:3: card.apdu: not a "
		    "command APDU: its lengths do not add up" },
		{ "card.apdu { ins = 0x1FF }", "t.lua:3: ins must be a whole "
		    "number from 0 to 255" },
		{ "card.apdu { ins = 1, sw = \"90\" }", "t.lua:3: sw must be 4 "
		    "hex digits, X for any digit" },
		{ "card.apdu { ins = 1, sw = {} }", "t.lua:3: sw takes 1 to 8 "
		    "patterns" },
		{ "card.apdu { ins = 1, secret = 1 }", "t.lua:3: secret must "
		    "be true or false" },
		{ "card.load { addr = \"near\" }", "t.lua:3: addr must be one "
		    "of index, offset, data32, data24" },
		{ "card.compare {}", "t.lua:3: card.compare needs a value, and "
		    "a mask (if any) as long as it" },
		{ "card.reset { atr = \"3\" }", "t.lua:3: atr must be up to 33 "
		    "bytes of hex digits, X for any digit" },
		{ "card.burn {}", "t.lua:3: attempt to call a nil value (field "
		    "'burn')" },
		{ "card.apdu { ins = 0x61 }", "t.lua:3: a reader will not take "
		    "this step; see docs/spec/program.md" },
		{ "card.boot {}\tcard.pps { ta1_max = 0x7F }", "t.lua:3: a "
		    "reader will not take this step; see docs/spec/program.md" },
		{ "for i = 1, 600 do card.off() end", "t.lua:3: the program is "
		    "larger than a reader takes (16000 bytes, 512 steps)" },
		{ "for i = 1, 100 do card.apdu { ins = 1, data = (\"00\"):"
		    "rep(255) } end", "t.lua:3: the program is larger than a "
		    "reader takes (16000 bytes, 512 steps)" },
	};
	struct cw_profile_order o = { .cos_len = 100 };
	static const struct pair other[] = { { "x", "y" }, { NULL, NULL } };
	char text[512], err[256];
	struct cw_profile *p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "profile { name = \"t\" }\n"
		    "function cos(o)\n%s\nend\nfunction record() card.boot {} "
		    "end", t[i].line);
		p = cw_profile_load(text, strlen(text), "t.lua", err,
		    sizeof(err));
		assert_non_null(p);
		assert_true(cw_profile_compile_cos(p, &o, out, sizeof(out)) < 0);
		assert_string_equal(cw_profile_error(p), t[i].err);
		assert_int_equal(compile(p, other), CW_ESTATE);
		assert_string_equal(cw_profile_error(p), "t.lua:5: card.boot: "
		    "only inside cos()");
		cw_profile_free(p);
	}
}

/* Known values: Luhn 7992739871 -> 3 (ISO/IEC 7812-1's usual example). */
static void
test_helpers(void **state)
{
	static const char text[] =
	    "profile { name = \"h\" }\n"
	    "local function is(a, b) if a ~= b then error(a .. \" is not \" "
	    ".. b, 2) end end\n"
	    "is(luhn(\"7992739871\"), 3)\n"
	    "is(iccid(\"89880010000000000015\"), \"98880001000000000051\")\n"
	    "is(iccid(\"8988001000000000007\"), \"988800010000000000F7\")\n"
	    "is(imsi(\"001010000000001\"), \"080910100000000010\")\n"
	    "is(imsi(\"123456\"), \"04113254F6FFFFFFFF\")\n"
	    "is(acc(\"001010000000007\"), \"0080\")\n"
	    "is(pin(\"1234\"), \"31323334FFFFFFFF\")\n"
	    "is(puk(\"12345678\"), adm_hex(ascii(\"12345678\")))\n"
	    "is(adm(\"88888888\"), ascii(\"88888888\"))\n"
	    "is(plmn_list(\"24681\", 6), \"42F618FFFFFF\")\n"
	    "is(plmn_act_list(\"24681:4000\", 10), "
	    "\"42F6184000FFFFFF0000\")\n"
	    "is(spn(\"ab\", 2), \"02\" .. pad(ascii(\"ab\"), 16))\n"
	    "is(msisdn(\"+4917\", 16, \"A\"), "
	    "\"41FF03919471\" .. (\"FF\"):rep(10))\n"
	    "is(smsp(\"4917\", 28), \"FD\" .. (\"FF\"):rep(12) .. "
	    "\"03819471\" .. (\"FF\"):rep(11))\n"
	    "is(kcv(\"80\" .. (\"00\"):rep(15)), \"0EDD33\")\n"
	    /* TS 35.208, test set 3 */
	    "local ki = \"fec86ba6eb707ed08905757b1bb44b8f\"\n"
	    "local opc = milenage_opc(ki, "
	    "\"dbc59adcb6f9a0ef735477b7fadf8374\")\n"
	    "is(opc, \"1006020F0A478BF6B699F15C062E42B3\")\n"
	    "local m = milenage(ki, opc, "
	    "\"9f7c8d021accf4db213ccff0c7f71a6a\", \"9d0277595ffc\", "
	    "\"725c\")\n"
	    "is(m.res, \"8011C48C0C214ED2\")\n"
	    "local g = milenage(ki, opc, \"9f7c8d021accf4db213ccff0c7f71a6a\")\n"
	    "is(g.sres, \"8C308A5E\") is(g.kc, \"AA01739B8CAA976D\")\n"
	    "if g.autn then error(\"autn\") end\n"
	    "is(m.ck, \"5DBDBB2954E8F3CDE665B046179A5098\")\n"
	    "is(m.ik, \"59A92D3B476A0443487055CF88B2307B\")\n"
	    "is(m.autn, xor(\"9D0277595FFC\", \"33484DC2136B\") .. "
	    "\"725C9CABC3E99BAF7281\")\n"
	    "is(bcd_swap(\"12345\"), \"2143F5\")\n"
	    "is(bcd_swap(\"\"), \"\")\n"
	    "is(ascii(\"Az9\"), \"417A39\")\n"
	    "is(pad(\"AB\", 3), \"ABFFFF\") is(pad(\"ab\", 3, \"00\"), "
	    "\"AB0000\") is(pad(\"AB\", 1), \"AB\")\n"
	    "is(lpad(\"AB\", 3, \"00\"), \"0000AB\")\n"
	    "is(u8(255), \"FF\") is(u16(258), \"0102\") is(u32(1), "
	    "\"00000001\") is(u64(1 << 40), \"0000010000000000\")\n"
	    "is(hex(\"abCD\"), \"ABCD\") is(bytes(\"abcd\"), 2)\n"
	    "is(xor(\"FF00\", \"0F0F\"), \"F00F\")\n"
	    "is(tlv(\"83\", \"6F07\"), \"83026F07\") is(tlv(\"7F49\", \"\"), "
	    "\"7F4900\")\n"
	    "is(#tlv(\"80\", (\"00\"):rep(128)), 2 * (1 + 2 + 128))\n"
	    "is(tlv(\"80\", (\"00\"):rep(128)):sub(1, 6), \"808180\")\n"
	    "is(tlv(\"80\", (\"00\"):rep(300)):sub(1, 8), \"8082012C\")\n"
	    "function cos() end\n";
	char err[256] = "";
	struct cw_profile *p = cw_profile_load(text, sizeof(text) - 1, "h.lua",
	    err, sizeof(err));

	(void)state;
	assert_string_equal(err, "");
	cw_profile_free(p);
}

/*
 * The transport key goes to the card once, and only after the card has said that
 * it has all its tries: a wrong key costs one try, a card that lost one none.
 */
static void
test_usim_one_try(void **state)
{
	static const struct pair f[] = {
		{ "iccid", "89880010000000000015" }, { "imsi", "001010000000007" },
		{ "ki", "fec86ba6eb707ed08905757b1bb44b8f" },
		{ "opc", "1006020f0a478bf6b699f15c062e42b3" },
		{ "pin1", "1234" }, { NULL, NULL } };
	struct cw_profile *p = open_file("usim-generic.lua");
	unsigned int asked = 0, given = 0, written = 0;
	struct cw_prog_step st;
	struct cw_prog_iter it;
	int n = compile(p, f);

	(void)state;
	assert_true(n > 0);
	cw_prog_begin(&it, out, (size_t)n);
	while (cw_prog_next(&it, &st) == 1) {
		const uint8_t *a = st.u.apdu.buf;

		if (st.op != CW_OP_APDU)
			continue;
		if (a[1] == 0x20 && st.u.apdu.len < 13) {
			asked++;
			assert_int_equal(given, 0);
			assert_int_equal(st.sw_cnt, 3);
			assert_int_equal(st.sw[0].sw, 0x63C3);
			assert_int_equal(st.sw[0].mask, 0xFFFF);
		} else if (a[1] == 0x20 && a[3] == 0x0A) {
			given++;
			assert_int_equal(st.sw_cnt, 0);
			assert_int_equal(asked, 1);
			assert_int_equal(written, 0);
		}
		written += a[1] == 0xD6;
	}
	assert_int_equal(asked, 1);
	assert_int_equal(given, 1);
	assert_true(written > 10);
	cw_profile_free(p);
}

static struct cw_profile *
open_text(const char *text)
{
	char err[256] = "";
	struct cw_profile *p = cw_profile_load(text, strlen(text), "a.lua", err,
	    sizeof(err));

	assert_string_equal(err, "");
	return p;
}

static int
answer(struct cw_profile *p, const struct pair *f,
    const struct cw_profile_captures *c)
{
	uint8_t buf[2048];
	struct cw_profile_record r = { 0x0102030405, 77, 3, buf,
		payload(buf, sizeof(buf), f) };

	return cw_profile_compile_answer(p, &r, c, out, sizeof(out));
}

/* What the card said and what the record holds come together; the defaults of
 * record() hold: personal and secret. */
static void
test_answer(void **state)
{
	static const struct pair f[] = { { "key", "0102" }, { NULL, NULL } };
	static const uint8_t said[] = { 0xf0, 0x0f };
	struct cw_profile_captures c = { .cnt = 1,
	    .capture = { { 7, 2, said } } };
	struct cw_profile *p = open_text("profile { name = \"a\", atr = \"3B\", "
	    "fields = { { name = \"key\", type = \"hex\", bytes = 2 } } }\n"
	    "function record(f, job)\n"
	    "card.reset {}\ncard.ask()\ncard.off()\nend\n"
	    "function answer(f, job, captured)\n"
	    "if captured[1] then error('none') end\n"
	    "card.apdu { ins = 0x82, data = xor(f.key, captured[7]) .. "
	    "u32(job.record) }\n"
	    "card.reset {}\nend\n");

	(void)state;
	assert_program(compile(p, f),
	    "50 01 0003 01 00 0004 00 01 ff 3b 07 00 0000 09 00 0000");
	assert_program(answer(p, f, &c),
	    "50 01 0002 03 03 000c 00 0082000006 f10d 0000004d"
	    " 01 00 0004 00 01 ff 3b");
	cw_profile_free(p);
}

static void
test_answer_faults(void **state)
{
	static const struct pair f[] = { { "key", "0102" }, { NULL, NULL } };
	static const uint8_t said[] = { 0xf0, 0x0f };
	struct cw_profile_captures c = { .cnt = 1,
	    .capture = { { 7, 2, said } } };
	struct cw_profile_order o = { .order = 9 };
	static const char head[] = "profile { name = \"a\", fields = { { name = "
	    "\"key\", type = \"hex\", bytes = 2 } } }\n"
	    "function record(f, job)\ncard.ask()\nend\n";
	char text[512];
	struct cw_profile *p = open_text(head);

	(void)state;
	assert_int_equal(compile(p, f), CW_ESTATE);
	assert_non_null(strstr(cw_profile_error(p), "a.lua:3"));
	assert_non_null(strstr(cw_profile_error(p), "answer"));
	assert_int_equal(answer(p, f, &c), CW_EUNSUPPORTED);
	cw_profile_free(p);

	snprintf(text, sizeof(text), "%sfunction cos(o)\ncard.ask()\nend\n"
	    "function answer(f, job, captured)\nerror(captured[7])\nend\n", head);
	p = open_text(text);
	assert_int_equal(cw_profile_compile_cos(p, &o, out, sizeof(out)),
	    CW_ESTATE);
	assert_true(compile(p, f) > 0);
	assert_int_equal(answer(p, f, &c), CW_EFORMAT);
	assert_null(strstr(cw_profile_error(p), "F00F"));
	cw_profile_free(p);

	snprintf(text, sizeof(text), "%sfunction answer() end\n", head);
	p = open_text(text);
	assert_int_equal(answer(p, f, &c), CW_EFORMAT);
	assert_non_null(strstr(cw_profile_error(p), "no step"));
	cw_profile_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sim_demo_minimal),
		cmocka_unit_test(test_sim_demo_full),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_wrong_fields),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_cos),
		cmocka_unit_test(test_generic),
		cmocka_unit_test(test_builder),
		cmocka_unit_test(test_bad_profiles),
		cmocka_unit_test(test_bad_steps),
		cmocka_unit_test(test_helpers),
		cmocka_unit_test(test_usim_one_try),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_answer_faults),
	};

	return cmocka_run_group_tests_name("line/profile", tests, NULL, NULL);
}
