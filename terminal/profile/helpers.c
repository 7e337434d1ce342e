/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/simcode.h"
#include "profile_priv.h"

/*
 * Coding helpers.  Bytes are hex text throughout, so that a profile can join
 * them with `..` and nothing needs escaping.  No message holds a value.
 */
#define HELP_BYTES_MAX 1024

/* Digits of argument 1, min..max of them. */
static const char *
digits_arg(lua_State *L, const char *what, size_t min, size_t max, size_t *len)
{
	const char *text = cw_box_text(L, 1, what, len);
	size_t i;

	for (i = 0; i < *len; i++) {
		if (!isdigit((unsigned char)text[i]))
			cw_box_fail(L, CW_EFORMAT, "%s takes digits only", what);
	}
	if (*len < min || *len > max)
		cw_box_fail(L, CW_EFORMAT, "%s takes %zu to %zu digits", what, min,
		    max);
	return text;
}

static void
push_wiped(lua_State *L, uint8_t *buf, size_t len)
{
	cw_box_push_hex(L, buf, len);
	explicit_bzero(buf, len);
}

/* Digits as nibbles, low nibble first, F at the end (TS 51.011, 9.3). */
static size_t
swap_digits(const char *text, size_t len, uint8_t *out)
{
	size_t i;

	memset(out, 0xff, (len + 1) / 2);
	for (i = 0; i < len; i++) {
		unsigned int d = (unsigned int)(text[i] - '0');

		if (i % 2 == 0)
			out[i / 2] = (uint8_t)((out[i / 2] & 0xf0) | d);
		else
			out[i / 2] = (uint8_t)((out[i / 2] & 0x0f) | d << 4);
	}
	return (len + 1) / 2;
}

static int
fn_bcd_swap(lua_State *L)
{
	uint8_t out[64];
	size_t len;
	const char *text = digits_arg(L, "bcd_swap", 0, 128, &len);

	push_wiped(L, out, swap_digits(text, len, out));
	return 1;
}

static int
fn_luhn(lua_State *L)
{
	size_t len;
	const char *text = digits_arg(L, "luhn", 1, 64, &len);

	lua_pushinteger(L, cw_simcode_luhn(text, len));
	return 1;
}

static int
fn_ascii(lua_State *L)
{
	size_t len;
	const char *text = cw_box_text(L, 1, "ascii", &len);

	cw_box_push_hex(L, (const uint8_t *)text, len);
	return 1;
}

/* Argument 2: bytes to reach; 3: the byte to fill with, FF. */
static int
pad(lua_State *L, const char *what, bool left)
{
	uint8_t in[HELP_BYTES_MAX], out[HELP_BYTES_MAX], fill = 0xff;
	size_t len = cw_box_hex(L, 1, what, in, sizeof(in));
	size_t n = (size_t)cw_box_int(L, 2, what, 0, HELP_BYTES_MAX);

	if (!lua_isnoneornil(L, 3) && cw_box_hex(L, 3, what, &fill, 1) != 1)
		cw_box_fail(L, CW_EFORMAT, "%s: fill must be one byte", what);
	if (len > n)
		cw_box_fail(L, CW_EFORMAT, "%s: %zu bytes do not fit in %zu",
		    what, len, n);
	memset(out, fill, n);
	memcpy(left ? out + n - len : out, in, len);
	explicit_bzero(in, len);
	push_wiped(L, out, n);
	return 1;
}

static int
fn_pad(lua_State *L)
{
	return pad(L, "pad", false);
}

static int
fn_lpad(lua_State *L)
{
	return pad(L, "lpad", true);
}

static int
number(lua_State *L, const char *what, size_t bytes)
{
	int64_t max = bytes < 8 ? (INT64_C(1) << (8 * bytes)) - 1 : INT64_MAX;
	uint64_t v = (uint64_t)cw_box_int(L, 1, what, 0, max);
	uint8_t out[8];
	size_t i;

	for (i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	cw_box_push_hex(L, out, bytes);
	return 1;
}

static int
fn_u8(lua_State *L)
{
	return number(L, "u8", 1);
}

static int
fn_u16(lua_State *L)
{
	return number(L, "u16", 2);
}

static int
fn_u32(lua_State *L)
{
	return number(L, "u32", 4);
}

static int
fn_u64(lua_State *L)
{
	return number(L, "u64", 8);
}

/* Upper-case form of hex text; fails when it is not hex. */
static int
fn_hex(lua_State *L)
{
	uint8_t in[HELP_BYTES_MAX];
	size_t len = cw_box_hex(L, 1, "hex", in, sizeof(in));

	push_wiped(L, in, len);
	return 1;
}

static int
fn_bytes(lua_State *L)
{
	uint8_t in[HELP_BYTES_MAX];
	size_t len = cw_box_hex(L, 1, "bytes", in, sizeof(in));

	explicit_bzero(in, len);
	lua_pushinteger(L, (lua_Integer)len);
	return 1;
}

static int
fn_xor(lua_State *L)
{
	uint8_t a[HELP_BYTES_MAX], b[HELP_BYTES_MAX];
	size_t len = cw_box_hex(L, 1, "xor", a, sizeof(a)), i;

	if (cw_box_hex(L, 2, "xor", b, sizeof(b)) != len)
		cw_box_fail(L, CW_EFORMAT, "xor: the two must be equally long");
	for (i = 0; i < len; i++)
		a[i] ^= b[i];
	explicit_bzero(b, len);
	push_wiped(L, a, len);
	return 1;
}

/* tlv("83", value): BER-TLV with definite length (ISO/IEC 7816-4, 5.2.2). */
static int
fn_tlv(lua_State *L)
{
	uint8_t tag[3], in[HELP_BYTES_MAX], head[3];
	size_t tag_len = cw_box_hex(L, 1, "tlv tag", tag, sizeof(tag));
	size_t len = cw_box_hex(L, 2, "tlv value", in, sizeof(in)), n = 0;

	if (tag_len == 0)
		cw_box_fail(L, CW_EFORMAT, "tlv: the tag is empty");
	if (len > 0xff)
		head[n++] = 0x82, head[n++] = (uint8_t)(len >> 8);
	else if (len > 0x7f)
		head[n++] = 0x81;
	head[n++] = (uint8_t)len;
	cw_box_push_hex(L, tag, tag_len);
	cw_box_push_hex(L, head, n);
	push_wiped(L, in, len);
	lua_concat(L, 3);
	return 1;
}

void
cw_profile_helpers_open(lua_State *L)
{
	static const luaL_Reg fn[] = {
		{ "ascii", fn_ascii }, { "bcd_swap", fn_bcd_swap },
		{ "bytes", fn_bytes }, { "hex", fn_hex }, { "lpad", fn_lpad },
		{ "luhn", fn_luhn },
		{ "pad", fn_pad }, { "tlv", fn_tlv }, { "u8", fn_u8 },
		{ "u16", fn_u16 }, { "u32", fn_u32 }, { "u64", fn_u64 },
		{ "xor", fn_xor }, { NULL, NULL },
	};
	const luaL_Reg *f;

	for (f = fn; f->name != NULL; f++)
		lua_register(L, f->name, f->func);
}
