/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/package.h"
#include "profile_priv.h"

/* profile { name = ..., atr = ..., fields = { ... } } */

int
cw_profile_atr_parse(struct profile_atr *a, const char *text, size_t len)
{
	size_t i;
	uint8_t v;

	memset(a, 0, sizeof(*a));
	if (len % 2 != 0 || len > 2 * PROFILE_ATR_MAX)
		return CW_EFORMAT;
	for (i = 0; i < len; i++) {
		if (text[i] == 'X' || text[i] == 'x')
			continue;
		if (!isxdigit((unsigned char)text[i]))
			return CW_EFORMAT;
		v = (uint8_t)(isdigit((unsigned char)text[i]) ? text[i] - '0' :
		    (text[i] | 0x20) - 'a' + 10);
		a->mask[i / 2] |= (uint8_t)(i % 2 ? 0x0f : 0xf0);
		a->value[i / 2] |= (uint8_t)(i % 2 ? v : v << 4);
	}
	a->n = (uint8_t)(len / 2);
	return CW_OK;
}

/* Names become column names, file names and log values. */
static void
get_name(lua_State *L, const char *what, char *out, size_t cap)
{
	size_t len, i;
	const char *text;

	lua_getfield(L, -1, "name");
	text = cw_box_text(L, -1, what, &len);
	if (len == 0 || len >= cap)
		cw_box_fail(L, CW_EFORMAT, "%s must have 1 to %zu characters",
		    what, cap - 1);
	for (i = 0; i < len; i++) {
		if (!islower((unsigned char)text[i]) &&
		    !isdigit((unsigned char)text[i]) &&
		    strchr("_-.", text[i]) == NULL)
			cw_box_fail(L, CW_EFORMAT, "%s may hold a-z 0-9 _ - . only",
			    what);
	}
	memcpy(out, text, len + 1);
	lua_pop(L, 1);
}

static bool
get_bool(lua_State *L, const char *key, bool dflt)
{
	bool v = dflt;

	lua_getfield(L, -1, key);
	if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
		cw_box_fail(L, CW_EFORMAT, "%s must be true or false", key);
	if (!lua_isnil(L, -1))
		v = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return v;
}

static uint16_t
get_len(lua_State *L, const char *key, uint16_t dflt)
{
	uint16_t v = dflt;

	lua_getfield(L, -1, key);
	if (!lua_isnil(L, -1))
		v = (uint16_t)cw_box_int(L, -1, key, 1, CW_PKG_VALUE_MAX);
	lua_pop(L, 1);
	return v;
}

/* Field at the stack's top. */
static void
get_field(lua_State *L, struct cw_profile *p)
{
	static const char *const known[] = { "name", "type", "optional",
		"unique", "secret", "len", "min", "max", "bytes", NULL };
	struct cw_field_spec *f = &p->field[p->field_cnt];
	uint16_t bytes;
	unsigned int i;
	int kind;

	if (p->field_cnt == PROFILE_FIELDS_MAX)
		cw_box_fail(L, CW_ETOOBIG, "more than %d fields",
		    PROFILE_FIELDS_MAX);
	if (!lua_istable(L, -1))
		cw_box_fail(L, CW_EFORMAT, "a field is { name = \"...\", type = "
		    "\"...\" }");
	cw_box_options(L, lua_gettop(L), "field", known);
	memset(f, 0, sizeof(*f));
	get_name(L, "field name", f->name, sizeof(f->name));
	for (i = 0; i < p->field_cnt; i++) {
		if (strcmp(p->field[i].name, f->name) == 0)
			cw_box_fail(L, CW_EEXIST, "field %s stands twice", f->name);
	}

	lua_getfield(L, -1, "type");
	kind = cw_field_kind_find(cw_box_text(L, -1, "field type", NULL));
	lua_pop(L, 1);
	if (kind < 0)
		cw_box_fail(L, CW_EFORMAT, "field %s: type must be text, digits, "
		    "iccid, imsi, hex, pin, adm or ipv4", f->name);
	f->kind = (enum cw_field_kind)kind;
	f->required = !get_bool(L, "optional", false);
	f->unique = get_bool(L, "unique", false);
	if (f->unique && f->kind != CW_FIELD_ICCID && f->kind != CW_FIELD_IMSI)
		cw_box_fail(L, CW_EFORMAT, "field %s: only iccid and imsi can be "
		    "unique", f->name);
	f->min_len = get_len(L, "min", get_len(L, "len", 0));
	f->max_len = get_len(L, "max", get_len(L, "len", 0));
	bytes = get_len(L, "bytes", 0);
	if (bytes > 0)
		f->min_len = f->max_len = (uint16_t)(2 * bytes);
	if (f->max_len > 0 && f->min_len > f->max_len)
		cw_box_fail(L, CW_EFORMAT, "field %s: min is above max", f->name);
	p->secret[p->field_cnt] = get_bool(L, "secret",
	    f->kind == CW_FIELD_HEX || f->kind == CW_FIELD_PIN ||
	    f->kind == CW_FIELD_ADM);
	p->field_cnt++;
}

static int
fn_profile(lua_State *L)
{
	static const char *const known[] = { "name", "atr", "fields", NULL };
	struct box *b = cw_box_of(L);
	struct cw_profile *p = b->p;
	lua_Integer i, cnt;
	const char *text;
	size_t len;

	if (b->declared)
		cw_box_fail(L, CW_EEXIST, "profile is declared twice");
	b->declared = true;
	if (!lua_istable(L, 1))
		cw_box_fail(L, CW_EFORMAT, "profile takes a table in braces");
	if (b->task != BOX_LOAD)
		return 0;

	lua_settop(L, 1);
	cw_box_options(L, 1, "profile", known);
	get_name(L, "profile name", p->name, sizeof(p->name));
	if (lua_getfield(L, 1, "atr") != LUA_TNIL) {
		text = cw_box_text(L, -1, "atr", &len);
		if (cw_profile_atr_parse(&p->atr, text, len) < 0)
			cw_box_fail(L, CW_EFORMAT, "atr must be up to 33 bytes of "
			    "hex digits, X for any digit");
	}
	lua_settop(L, 1);
	if (lua_getfield(L, 1, "fields") == LUA_TNIL)
		return 0;
	if (!lua_istable(L, -1))
		cw_box_fail(L, CW_EFORMAT, "fields must be a list in braces");
	cnt = (lua_Integer)lua_rawlen(L, 2);
	for (i = 1; i <= cnt; i++) {
		lua_rawgeti(L, 2, i);
		get_field(L, p);
		lua_pop(L, 1);
	}
	return 0;
}

void
cw_profile_declare_open(lua_State *L)
{
	lua_register(L, "profile", fn_profile);
}
