/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

#include "cw/apdu.h"
#include "cw/boot.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "profile_priv.h"

/*
 * The `card` table: each call appends one step (boot: several) to the program.
 * Options come by name; an unknown one is an error, because a misspelt
 * `personal` would cost a card.
 *
 * In record() the safe thing is the default: a command that writes is personal
 * and secret unless the profile says otherwise.
 */
#define APDU_MAX 261		/* short: header, Lc, 255 bytes, Le */
#define INS_SELECT 0xA4		/* ISO/IEC 7816-4, table 4.2 */
#define INS_VERIFY 0x20
#define INS_READ_BINARY 0xB0
#define INS_READ_RECORD 0xB2
#define INS_GET_RESPONSE 0xC0

static struct box *
prog_of(lua_State *L, const char *what)
{
	struct box *b = cw_box_of(L);

	if (b->task == BOX_LOAD)
		cw_box_fail(L, CW_ESTATE, "%s: only inside cos(), record() and answer()",
		    what);
	return b;
}

/*
 * Tells at the line that did it when the program has grown too large, and
 * remembers the line for a step that the checker will not like.
 */
static int
done(lua_State *L, struct box *b)
{
	lua_Debug at;

	if (lua_getstack(L, 1, &at) && lua_getinfo(L, "l", &at)) {
		while (b->line_cnt < b->prog.cnt)
			b->line[b->line_cnt++] = at.currentline;
	}
	if (b->prog.bad)
		cw_box_fail(L, CW_ETOOBIG, "the program is larger than a reader "
		    "takes (%d bytes, %d steps)", CW_PROG_MAX,
		    CW_PROG_STEPS_MAX);
	return 0;
}

static int64_t
opt_int(lua_State *L, const char *key, int64_t dflt, int64_t min, int64_t max)
{
	int64_t v = dflt;

	if (lua_istable(L, 1) && lua_getfield(L, 1, key) != LUA_TNIL)
		v = cw_box_int(L, -1, key, min, max);
	lua_settop(L, 1);
	return v;
}

/* -1 absent, 0, 1 */
static int
opt_bool(lua_State *L, const char *key)
{
	int v = -1;

	if (lua_istable(L, 1) && lua_getfield(L, 1, key) != LUA_TNIL) {
		if (!lua_isboolean(L, -1))
			cw_box_fail(L, CW_EFORMAT, "%s must be true or false",
			    key);
		v = lua_toboolean(L, -1);
	}
	lua_settop(L, 1);
	return v;
}

static size_t
opt_hex(lua_State *L, const char *key, uint8_t *out, size_t cap)
{
	size_t len = 0;

	if (lua_istable(L, 1) && lua_getfield(L, 1, key) != LUA_TNIL)
		len = cw_box_hex(L, -1, key, out, cap);
	lua_settop(L, 1);
	return len;
}

/* Option's word among a NULL-terminated list: its index. */
static uint8_t
opt_word(lua_State *L, const char *key, const char *const *words)
{
	const char *text;
	uint8_t i = 0;

	if (lua_istable(L, 1) && lua_getfield(L, 1, key) != LUA_TNIL) {
		text = cw_box_text(L, -1, key, NULL);
		while (words[i] != NULL && strcmp(words[i], text) != 0)
			i++;
		if (words[i] == NULL)
			cw_box_fail(L, CW_EFORMAT, "%s must be one of %s, %s, %s, "
			    "%s", key, words[0], words[1], words[2], words[3]);
	}
	lua_settop(L, 1);
	return i;
}

/* Argument 1 must be a table of known options; none is an empty one. */
static void
options(lua_State *L, const char *what, const char *const *known)
{
	lua_settop(L, 1);
	if (lua_isnil(L, 1)) {
		lua_createtable(L, 0, 0);
		lua_replace(L, 1);
	}
	if (!lua_istable(L, 1))
		cw_box_fail(L, CW_EFORMAT, "%s takes options in braces", what);
	cw_box_options(L, 1, what, known);
}

/* "9000", "91XX": X is any nibble. */
static void
sw_pattern(lua_State *L, struct cw_prog_sw *out)
{
	size_t len, i;
	const char *text = cw_box_text(L, -1, "sw", &len);
	struct profile_atr a;

	if (len != 4 || cw_profile_atr_parse(&a, text, len) < 0)
		cw_box_fail(L, CW_EFORMAT, "sw must be 4 hex digits, X for any "
		    "digit");
	*out = (struct cw_prog_sw){ 0 };
	for (i = 0; i < 2; i++) {
		out->sw = (uint16_t)(out->sw << 8 | a.value[i]);
		out->mask = (uint16_t)(out->mask << 8 | a.mask[i]);
	}
}

static uint8_t
opt_sw(lua_State *L, struct cw_prog_sw sw[CW_PROG_SW_MAX])
{
	lua_Integer n = 0, i;

	if (!lua_istable(L, 1) || lua_getfield(L, 1, "sw") == LUA_TNIL) {
		lua_settop(L, 1);
		return 0;
	}
	if (!lua_istable(L, -1)) {
		sw_pattern(L, &sw[0]);
		n = 1;
	} else {
		n = (lua_Integer)lua_rawlen(L, -1);
		if (n < 1 || n > CW_PROG_SW_MAX)
			cw_box_fail(L, CW_EFORMAT, "sw takes 1 to %d patterns",
			    CW_PROG_SW_MAX);
		for (i = 0; i < n; i++) {
			lua_rawgeti(L, 2, i + 1);
			sw_pattern(L, &sw[i]);
			lua_pop(L, 1);
		}
	}
	lua_settop(L, 1);
	return (uint8_t)n;
}

/* ---- reset, pps, power, delay ---- */

static int
card_reset(lua_State *L)
{
	static const char *const known[] = { "warm", "atr", NULL };
	struct box *b = prog_of(L, "card.reset");
	struct profile_atr atr = { 0 };
	const char *text;
	size_t len;
	bool warm;

	options(L, "card.reset", known);
	warm = opt_bool(L, "warm") == 1;

	/* A card of the profile's type unless told otherwise; a chip without
	 * its COS may well answer as another. */
	if (cw_box_personal(b))
		atr = b->p->atr;
	if (lua_getfield(L, 1, "atr") != LUA_TNIL) {
		text = cw_box_text(L, -1, "atr", &len);
		if (cw_profile_atr_parse(&atr, text, len) < 0)
			cw_box_fail(L, CW_EFORMAT, "atr must be up to 33 bytes of "
			    "hex digits, X for any digit");
	}
	cw_prog_reset(&b->prog, warm, atr.mask, atr.value, atr.n);
	return done(L, b);
}

static int
card_pps(lua_State *L)
{
	static const char *const known[] = { "ta1_max", NULL };
	struct box *b = prog_of(L, "card.pps");

	options(L, "card.pps", known);
	cw_prog_pps(&b->prog, (uint8_t)opt_int(L, "ta1_max", 0, 0, 255));
	return done(L, b);
}

static int
card_off(lua_State *L)
{
	struct box *b = prog_of(L, "card.off");

	cw_prog_simple(&b->prog, CW_OP_POWER_OFF);
	return done(L, b);
}

static int
card_ask(lua_State *L)
{
	struct box *b = prog_of(L, "card.ask");

	if (!cw_box_personal(b))
		cw_box_fail(L, CW_ESTATE, "card.ask: only inside record() and "
		    "answer()");
	if (!b->p->has_answer)
		cw_box_fail(L, CW_ESTATE, "card.ask: the profile has no function "
		    "answer(fields, job, captured) to go on with");
	cw_prog_simple(&b->prog, CW_OP_ASK);
	return done(L, b);
}

static int
card_delay(lua_State *L)
{
	static const char *const known[] = { "us", "ms", NULL };
	struct box *b = prog_of(L, "card.delay");
	int64_t us;

	options(L, "card.delay", known);
	us = opt_int(L, "us", 0, 0, 60000000) +
	    1000 * opt_int(L, "ms", 0, 0, 60000);
	cw_prog_delay(&b->prog, (uint32_t)us);
	return done(L, b);
}

/* ---- COS ---- */

static const struct cw_profile_order *
order_of(lua_State *L, const struct box *b, const char *what)
{
	if (b->task != BOX_COS)
		cw_box_fail(L, CW_ESTATE, "%s: only inside cos()", what);
	return b->order;
}

static int
card_boot(lua_State *L)
{
	static const char *const known[] = { "ta1_max", "block", NULL };
	struct box *b = prog_of(L, "card.boot");
	const struct cw_profile_order *o = order_of(L, b, "card.boot");
	struct cw_boot_job job = { .addr = o->cos_addr, .len = o->cos_len };

	options(L, "card.boot", known);
	memcpy(job.digest, o->cos_digest, sizeof(job.digest));
	job.ta1_max = (uint8_t)opt_int(L, "ta1_max", 0, 0, 255);
	job.block_len = (uint8_t)opt_int(L, "block", CW_BOOT_BLOCK_MAX, 1,
	    CW_BOOT_BLOCK_MAX);
	cw_boot_program(&b->prog, &job);
	return done(L, b);
}

static int
card_load(lua_State *L)
{
	static const char *const known[] = { "cla", "ins", "p1", "p2", "addr",
		"check", "block", "mark_last", "base", "unit", "off", "len",
		"sw", NULL };
	/* in the order of enum cw_load_addr and enum cw_load_check */
	static const char *const addr[] = { "index", "offset", "data32",
		"data24", NULL };
	static const char *const check[] = { "none", "crc16", "crc32", "xor",
		NULL };
	struct box *b = prog_of(L, "card.load");
	const struct cw_profile_order *o = order_of(L, b, "card.load");
	struct cw_prog_sw sw[CW_PROG_SW_MAX];
	struct cw_prog_load l = { 0 };
	uint8_t sw_cnt;

	options(L, "card.load", known);
	l.cla = (uint8_t)opt_int(L, "cla", 0, 0, 255);
	l.ins = (uint8_t)opt_int(L, "ins", 0, 0, 255);
	l.p1 = (uint8_t)opt_int(L, "p1", 0, 0, 255);
	l.p2 = (uint8_t)opt_int(L, "p2", 0, 0, 255);
	l.addr = opt_word(L, "addr", addr);
	l.check = opt_word(L, "check", check);
	l.block_len = (uint8_t)opt_int(L, "block", 240, 1, 255);
	l.flags = opt_bool(L, "mark_last") == 1 ? CW_LOAD_MARK_LAST : 0;
	l.base = (uint32_t)opt_int(L, "base", o->cos_addr, 0, UINT32_MAX);
	l.unit = (uint32_t)opt_int(L, "unit", 1, 1, UINT32_MAX);
	l.off = (uint32_t)opt_int(L, "off", 0, 0, o->cos_len);
	l.len = (uint32_t)opt_int(L, "len", o->cos_len - l.off, 0,
	    o->cos_len - l.off);
	memcpy(l.digest, o->cos_digest, sizeof(l.digest));
	sw_cnt = opt_sw(L, sw);
	cw_prog_load(&b->prog, CW_STEP_BOOT, &l, sw, sw_cnt);
	return done(L, b);
}

/* ---- APDU and what is done with its answer ---- */

static uint8_t
apdu_flags(lua_State *L, const struct box *b, uint8_t ins)
{
	bool record = cw_box_personal(b) && ins != INS_SELECT;
	bool writes = ins != INS_VERIFY && ins != INS_READ_BINARY &&
	    ins != INS_READ_RECORD && ins != INS_GET_RESPONSE;
	bool secret = record || ins == INS_VERIFY;
	bool personal = record && writes;
	uint8_t flags = 0;
	int v;

	if ((v = opt_bool(L, "secret")) >= 0)
		secret = v == 1;
	if ((v = opt_bool(L, "personal")) >= 0)
		personal = v == 1;
	flags |= secret ? CW_STEP_SECRET : 0;
	flags |= personal ? CW_STEP_PERSONAL : 0;
	flags |= opt_bool(L, "needs_cos") == 1 ? CW_STEP_NEEDS_COS : 0;
	flags |= opt_bool(L, "boot") == 1 ? CW_STEP_BOOT : 0;
	flags |= opt_bool(L, "any_sw") == 1 ? CW_STEP_ANY_SW : 0;
	return flags;
}

/* The command from cla, ins, p1, p2, data, le. */
static size_t
apdu_of_parts(lua_State *L, uint8_t *out, size_t cap)
{
	uint8_t data[255];
	struct cw_apdu a = { .kind = CW_APDU_1 };
	int n;

	a.cla = (uint8_t)opt_int(L, "cla", 0, 0, 255);
	a.ins = (uint8_t)opt_int(L, "ins", 0, 0, 255);
	a.p1 = (uint8_t)opt_int(L, "p1", 0, 0, 255);
	a.p2 = (uint8_t)opt_int(L, "p2", 0, 0, 255);
	a.lc = (uint32_t)opt_hex(L, "data", data, sizeof(data));
	a.le = (uint32_t)opt_int(L, "le", 0, 1, 256);
	if (a.lc > 0) {
		a.data = data;
		a.kind = a.le > 0 ? CW_APDU_4S : CW_APDU_3S;
	} else if (a.le > 0) {
		a.kind = CW_APDU_2S;
	}
	n = cw_apdu_build(&a, out, cap);
	explicit_bzero(data, sizeof(data));
	return n < 0 ? 0 : (size_t)n;
}

static int
card_apdu(lua_State *L)
{
	static const char *const known[] = { "hex", "cla", "ins", "p1", "p2",
		"data", "le", "sw", "secret", "personal", "needs_cos", "boot",
		"any_sw", NULL };
	struct box *b = prog_of(L, "card.apdu");
	struct cw_prog_sw sw[CW_PROG_SW_MAX];
	uint8_t apdu[APDU_MAX], flags, sw_cnt;
	struct cw_apdu parsed;
	size_t len;

	/* card.apdu("00A4...", { ... }) is card.apdu { hex = "00A4...", ... } */
	if (lua_type(L, 1) == LUA_TSTRING) {
		lua_settop(L, 2);
		if (!lua_istable(L, 2)) {
			lua_createtable(L, 0, 1);
			lua_replace(L, 2);
		}
		lua_pushvalue(L, 1);
		lua_setfield(L, 2, "hex");
		lua_remove(L, 1);
	}
	options(L, "card.apdu", known);
	len = opt_hex(L, "hex", apdu, sizeof(apdu));
	if (len == 0)
		len = apdu_of_parts(L, apdu, sizeof(apdu));
	if (cw_apdu_parse(&parsed, apdu, len) < 0)
		cw_box_fail(L, CW_EFORMAT, "card.apdu: not a command APDU: its "
		    "lengths do not add up");
	flags = apdu_flags(L, b, parsed.ins);
	sw_cnt = opt_sw(L, sw);
	cw_prog_apdu(&b->prog, flags, sw, sw_cnt, apdu, len);
	explicit_bzero(apdu, sizeof(apdu));
	return done(L, b);
}

static int
card_compare(lua_State *L)
{
	static const char *const known[] = { "value", "mask", "off", "secret",
		NULL };
	struct box *b = prog_of(L, "card.compare");
	uint8_t value[256], mask[256], flags;
	size_t len, mask_len;
	int secret;

	options(L, "card.compare", known);
	len = opt_hex(L, "value", value, sizeof(value));
	mask_len = opt_hex(L, "mask", mask, sizeof(mask));
	if (len == 0 || (mask_len > 0 && mask_len != len))
		cw_box_fail(L, CW_EFORMAT, "card.compare needs a value, and a "
		    "mask (if any) as long as it");
	secret = opt_bool(L, "secret");
	flags = secret == 1 || (secret < 0 && cw_box_personal(b)) ?
	    CW_STEP_SECRET : 0;
	cw_prog_compare(&b->prog, flags,
	    (uint16_t)opt_int(L, "off", 0, 0, 65535), value,
	    mask_len > 0 ? mask : NULL, (uint16_t)len);
	explicit_bzero(value, sizeof(value));
	return done(L, b);
}

static int
card_capture(lua_State *L)
{
	static const char *const known[] = { "id", "off", "len", NULL };
	struct box *b = prog_of(L, "card.capture");
	uint8_t id;
	uint16_t off;

	options(L, "card.capture", known);
	id = (uint8_t)opt_int(L, "id", 1, 0, 255);
	off = (uint16_t)opt_int(L, "off", 0, 0, 65535);
	cw_prog_capture(&b->prog, id, off, (uint16_t)opt_int(L, "len", 0, 0,
	    CW_PROG_CAPTURE_BYTES));
	return done(L, b);
}

void
cw_profile_card_open(lua_State *L)
{
	static const luaL_Reg fn[] = {
		{ "apdu", card_apdu }, { "ask", card_ask },
		{ "boot", card_boot }, { "capture", card_capture },
		{ "compare", card_compare }, { "delay", card_delay },
		{ "load", card_load }, { "off", card_off },
		{ "pps", card_pps }, { "reset", card_reset },
		{ NULL, NULL },
	};

	luaL_newlib(L, fn);
	lua_setglobal(L, "card");
}
