/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lualib.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "profile_priv.h"

#define HOOK_STEPS 1000

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct box *
cw_box_of(lua_State *L)
{
	struct box *b;

	memcpy(&b, lua_getextraspace(L), sizeof(b));
	return b;
}

/*
 * Lua's memory: counted, bounded in all and per piece.  It comes from the
 * profile's arena, where giving back means nothing: the whole is wiped after
 * the run, because strings hold records.  What does not fit there comes from
 * malloc and is wiped one by one; never by realloc, which would leave an
 * unwiped copy behind.
 */
static bool
in_arena(const struct box *b, const void *ptr)
{
	const uint8_t *p = ptr;

	return p >= b->p->arena && p < b->p->arena + PROFILE_ARENA;
}

static void *
block_new(struct box *b, size_t size)
{
	size_t take = (size + 15) & ~(size_t)15;
	void *n;

	if (take <= PROFILE_ARENA - b->top) {
		n = b->p->arena + b->top;
		b->top += take;
		return n;
	}
	n = malloc(size);
	if (n != NULL)
		b->spilled = true;
	return n;
}

static void
block_free(const struct box *b, void *ptr, size_t old)
{
	if (ptr == NULL || in_arena(b, ptr))
		return;
	explicit_bzero(ptr, old);
	free(ptr);
}

static void *
box_alloc(void *ud, void *ptr, size_t old, size_t size)
{
	struct box *b = ud;
	void *n = NULL;

	if (ptr == NULL)
		old = 0;
	if (size > old && (size > CW_PROFILE_BLOCK_MAX ||
	    b->used - old + size > CW_PROFILE_MEMORY_MAX)) {
		b->out_of_memory = true;
		return NULL;
	}
	if (size > 0 && size <= old && in_arena(b, ptr)) {
		n = ptr;
	} else if (size > 0 && (n = block_new(b, size)) == NULL) {
		/* Lua relies on shrinking to succeed. */
		if (size > old)
			return NULL;
		explicit_bzero((char *)ptr + size, old - size);
		n = ptr;
	} else {
		if (size > 0 && ptr != NULL)
			memcpy(n, ptr, old < size ? old : size);
		block_free(b, ptr, old);
	}
	b->used += size - old;
	return n;
}

_Noreturn void
cw_box_fail(lua_State *L, int why, const char *fmt, ...)
{
	struct box *b = cw_box_of(L);
	const char *where;
	va_list ap;
	int n;

	/* The innermost Lua function is the place in the profile. */
	luaL_where(L, 0);
	where = lua_tostring(L, -1);
	if (*where == '\0') {
		luaL_where(L, 1);
		where = lua_tostring(L, -1);
	}
	n = snprintf(b->err, sizeof(b->err), "%s", where);
	if (n == 0)
		n = snprintf(b->err, sizeof(b->err), "%s: ", b->p->chunk + 1);
	if (n > 0 && (size_t)n < sizeof(b->err)) {
		va_start(ap, fmt);
		vsnprintf(b->err + n, sizeof(b->err) - (size_t)n, fmt, ap);
		va_end(ap);
	}
	b->why = why;
	lua_pushnil(L);
	lua_error(L);
	abort();	/* lua_error does not return, but is not declared so */
}

static void
box_hook(lua_State *L, lua_Debug *ar)
{
	struct box *b = cw_box_of(L);

	(void)ar;
	if (b->steps_left == 0)
		cw_box_fail(L, CW_ELIMIT, "more than %d instructions; an endless "
		    "loop?", CW_PROFILE_STEPS_MAX);
	b->steps_left--;
	if (cpu_ns() > b->cpu_end_ns)
		cw_box_fail(L, CW_ELIMIT, "more than %d ms of processor time",
		    CW_PROFILE_CPU_MS);
}

/* ---- arguments ---- */

const char *
cw_box_text(lua_State *L, int idx, const char *what, size_t *len)
{
	if (lua_type(L, idx) != LUA_TSTRING)
		cw_box_fail(L, CW_EFORMAT, "%s must be a string, not %s", what,
		    luaL_typename(L, idx));
	return lua_tolstring(L, idx, len);
}

int64_t
cw_box_int(lua_State *L, int idx, const char *what, int64_t min, int64_t max)
{
	lua_Integer v;
	int ok;

	v = lua_tointegerx(L, idx, &ok);
	if (lua_type(L, idx) != LUA_TNUMBER || !ok || v < min || v > max)
		cw_box_fail(L, CW_EFORMAT, "%s must be a whole number from %lld to "
		    "%lld", what, (long long)min, (long long)max);
	return v;
}

size_t
cw_box_hex(lua_State *L, int idx, const char *what, uint8_t *out, size_t cap)
{
	size_t len;
	const char *text = cw_box_text(L, idx, what, &len);
	int n = cw_unhex(out, cap, text, len);

	if (n == CW_EFULL)
		cw_box_fail(L, CW_EFORMAT, "%s is longer than %zu bytes", what,
		    cap);
	if (n < 0)
		cw_box_fail(L, CW_EFORMAT, "%s must be an even number of hex "
		    "digits", what);
	return (size_t)n;
}

void
cw_box_push_hex(lua_State *L, const uint8_t *buf, size_t len)
{
	static const char digit[] = "0123456789ABCDEF";
	luaL_Buffer lb;
	char *to = luaL_buffinitsize(L, &lb, 2 * len);
	size_t i;

	for (i = 0; i < len; i++) {
		to[2 * i] = digit[buf[i] >> 4];
		to[2 * i + 1] = digit[buf[i] & 15];
	}
	luaL_pushresultsize(&lb, 2 * len);
}

void
cw_box_options(lua_State *L, int idx, const char *what,
    const char *const *known)
{
	const char *key;
	size_t i;

	lua_pushnil(L);
	while (lua_next(L, idx) != 0) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			cw_box_fail(L, CW_EFORMAT, "%s takes options by name",
			    what);
		key = lua_tostring(L, -1);
		for (i = 0; known[i] != NULL; i++) {
			if (strcmp(known[i], key) == 0)
				break;
		}
		if (known[i] == NULL &&
		    cw_profile_word(cw_box_of(L)->p, key, strlen(key)))
			cw_box_fail(L, CW_EFORMAT, "%s: unknown option %s", what,
			    key);
		if (known[i] == NULL)
			cw_box_fail(L, CW_EFORMAT, "%s: unknown option", what);
	}
}

/* ---- what replaces parts of Lua's library ---- */

static int
fn_assert(lua_State *L)
{
	luaL_checkany(L, 1);
	if (lua_toboolean(L, 1))
		return lua_gettop(L);
	luaL_where(L, 1);
	if (lua_type(L, 2) == LUA_TSTRING)
		lua_pushvalue(L, 2);
	else
		lua_pushliteral(L, "assertion failed!");
	lua_concat(L, 2);
	return lua_error(L);
}

/* Addresses would differ from run to run. */
static int
fn_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	switch (lua_type(L, 1)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		luaL_tolstring(L, 1, NULL);
		break;
	default:
		lua_pushstring(L, luaL_typename(L, 1));
		break;
	}
	return 1;
}

/* Keys of pairs: whole numbers first, then strings, each in order. */
struct key {
	const char *text;	/* NULL: a number */
	size_t len;
	lua_Integer num;
};

static int
key_cmp(const void *pa, const void *pb)
{
	const struct key *a = pa, *b = pb;
	size_t n = a->len < b->len ? a->len : b->len;
	int d;

	if (a->text == NULL || b->text == NULL) {
		if (a->text != NULL || b->text != NULL)
			return a->text == NULL ? -1 : 1;
		return (a->num > b->num) - (a->num < b->num);
	}
	d = memcmp(a->text, b->text, n);
	return d != 0 ? d : (a->len > b->len) - (a->len < b->len);
}

static int
pairs_next(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(2)) + 1;

	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(2));
	lua_rawgeti(L, lua_upvalueindex(1), at);
	if (lua_isnil(L, -1))
		return 1;
	lua_pushvalue(L, -1);
	lua_rawget(L, lua_upvalueindex(3));
	return 2;
}

static int
fn_pairs(lua_State *L)
{
	struct key *key;
	size_t cnt = 0, i;

	luaL_checktype(L, 1, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1))
		cnt++;
	key = lua_newuserdatauv(L, (cnt + 1) * sizeof(*key), 0);
	for (i = 0, lua_pushnil(L); i < cnt && lua_next(L, 1) != 0; i++) {
		lua_pop(L, 1);
		key[i] = (struct key){ 0 };
		if (lua_type(L, -1) == LUA_TSTRING)
			key[i].text = lua_tolstring(L, -1, &key[i].len);
		else if (lua_isinteger(L, -1))
			key[i].num = lua_tointeger(L, -1);
		else
			return luaL_error(L, "pairs: keys must be integers or "
			    "strings");
	}
	qsort(key, cnt, sizeof(*key), key_cmp);
	lua_settop(L, 2);

	lua_createtable(L, 0, 0);
	for (i = 0; i < cnt; i++) {
		if (key[i].text != NULL)
			lua_pushlstring(L, key[i].text, key[i].len);
		else
			lua_pushinteger(L, key[i].num);
		lua_rawseti(L, 3, (lua_Integer)i + 1);
	}
	lua_pushinteger(L, 0);
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, pairs_next, 3);
	return 1;
}

/* Plain search only: patterns can be made to run for ever inside C. */
static int
fn_find(lua_State *L)
{
	size_t len, sub_len;
	const char *s = luaL_checklstring(L, 1, &len);
	const char *sub = luaL_checklstring(L, 2, &sub_len), *hit;

	hit = memmem(s, len, sub, sub_len);
	if (hit == NULL)
		return 0;
	lua_pushinteger(L, hit - s + 1);
	lua_pushinteger(L, hit - s + (lua_Integer)sub_len);
	return 2;
}

/* Lua's own repeats an empty string n times at full length. */
static int
fn_rep(lua_State *L)
{
	size_t len, sep_len;
	const char *s = luaL_checklstring(L, 1, &len);
	lua_Integer n = luaL_checkinteger(L, 2), i;
	const char *sep = luaL_optlstring(L, 3, "", &sep_len);
	luaL_Buffer lb;

	if (n <= 0 || len + sep_len == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((uint64_t)n > CW_PROFILE_BLOCK_MAX / (len + sep_len))
		cw_box_fail(L, CW_ELIMIT, "string.rep: the result is larger than "
		    "%u bytes", CW_PROFILE_BLOCK_MAX);
	luaL_buffinit(L, &lb);
	for (i = 0; i < n; i++) {
		if (i > 0)
			luaL_addlstring(&lb, sep, sep_len);
		luaL_addlstring(&lb, s, len);
	}
	luaL_pushresult(&lb);
	return 1;
}

/* %s %d %x %X %c %i %u %%: no addresses, no locale, no metamethods. */
static int
fn_format(lua_State *L)
{
	const char *f = luaL_checkstring(L, 1);
	int i, top = lua_gettop(L);

	while ((f = strchr(f, '%')) != NULL) {
		f += 1 + strspn(f + 1, "-+ #0.123456789");
		if (*f == '\0' || strchr("sdxXciu%", *f) == NULL)
			return luaL_error(L, "format: only %%s %%d %%x %%X %%c");
		f++;
	}
	for (i = 2; i <= top; i++) {
		if (lua_type(L, i) != LUA_TSTRING &&
		    lua_type(L, i) != LUA_TNUMBER)
			return luaL_error(L, "format: strings and numbers only");
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, top, 1);
	return 1;
}

/* Removes all keys of the table on top but the listed; pops it. */
static void
keep_only(lua_State *L, const char *const *keep)
{
	int t = lua_gettop(L);
	const char *key;
	size_t i;

	lua_pushnil(L);
	while (lua_next(L, t) != 0) {
		lua_pop(L, 1);
		key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
		for (i = 0; keep[i] != NULL; i++) {
			if (strcmp(keep[i], key) == 0)
				break;
		}
		if (keep[i] != NULL)
			continue;
		/* Assigning nil to an existing key is allowed in a traversal. */
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, t);
	}
	lua_pop(L, 1);
}

static void
box_library(lua_State *L)
{
	static const char *const base[] = { "error", "ipairs", "select",
		"tonumber", "type", "string", "table", "math", NULL };
	static const char *const str[] = { "byte", "char", "format", "len",
		"lower", "reverse", "sub", "upper", NULL };
	static const char *const tab[] = { "concat", "insert", "remove",
		"unpack", NULL };
	static const char *const mat[] = { "abs", "ceil", "floor", "fmod",
		"max", "maxinteger", "min", "mininteger", "tointeger", "type",
		NULL };

	luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
	keep_only(L, mat);
	keep_only(L, tab);

	lua_getfield(L, -1, "format");
	lua_pushcclosure(L, fn_format, 1);
	lua_setfield(L, -2, "format");
	lua_pushvalue(L, -1);
	keep_only(L, str);
	lua_pushcfunction(L, fn_rep);
	lua_setfield(L, -2, "rep");
	lua_pushcfunction(L, fn_find);
	lua_setfield(L, -2, "find");
	lua_pop(L, 1);

	keep_only(L, base);
	lua_register(L, "assert", fn_assert);
	lua_register(L, "tostring", fn_tostring);
	lua_register(L, "pairs", fn_pairs);
}

/* ---- the run ---- */

/* A misspelt field would be nil, and the card would lack what it should hold. */
static int
no_such_field(lua_State *L)
{
	struct box *b = cw_box_of(L);
	size_t len;
	const char *key;
	unsigned int i;

	/* An optional field that this record leaves out. */
	key = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
	for (i = 0; key != NULL && i < b->p->field_cnt; i++) {
		if (strcmp(b->p->field[i].name, key) == 0)
			return 0;
	}
	if (key != NULL && cw_profile_word(b->p, key, len))
		cw_box_fail(L, CW_EFORMAT, "fields.%s: the profile declares no such "
		    "field", key);
	cw_box_fail(L, CW_EFORMAT, "fields: read by a name that the profile does not "
	    "declare");
}

/* Pushes the record's fields as a table of strings, each checked. */
static void
push_fields(lua_State *L, const struct box *b)
{
	const struct cw_profile_record *r = b->record;
	const struct cw_field_spec *spec;
	struct cw_field f;
	const char *bad;
	unsigned int i;

	if (cw_record_check(r->payload, r->payload_len) < 0)
		cw_box_fail(L, CW_EFORMAT, "the record is not well formed");
	lua_createtable(L, 0, (int)b->p->field_cnt);
	for (i = 0; i < b->p->field_cnt; i++) {
		spec = &b->p->field[i];
		if (cw_record_find(&f, r->payload, r->payload_len,
		    spec->name) < 0 || f.value_len == 0) {
			if (!spec->required)
				continue;
			cw_box_fail(L, CW_EFORMAT, "the record has no field %s",
			    spec->name);
		}
		bad = cw_profile_value_check(spec, f.value, f.value_len);
		if (bad != NULL)
			cw_box_fail(L, CW_EFORMAT, "field %s %s", spec->name, bad);
		lua_pushlstring(L, (const char *)f.value, f.value_len);
		lua_setfield(L, -2, spec->name);
	}
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, no_such_field);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

static void
set_int(lua_State *L, const char *key, uint64_t v)
{
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, key);
}

static void
push_order(lua_State *L, const struct cw_profile_order *o)
{
	lua_createtable(L, 0, 4);
	set_int(L, "order", o->order);
	set_int(L, "addr", o->cos_addr);
	set_int(L, "len", o->cos_len);
	cw_box_push_hex(L, o->cos_digest, sizeof(o->cos_digest));
	lua_setfield(L, -2, "digest");
}

static void
push_job(lua_State *L, const struct cw_profile_record *r)
{
	lua_createtable(L, 0, 3);
	set_int(L, "order", r->order);
	set_int(L, "record", r->record);
	set_int(L, "epoch", r->epoch);
}

/* By number of the capture, as hex. */
static void
push_captured(lua_State *L, const struct cw_profile_captures *c)
{
	lua_createtable(L, 0, c->cnt);
	for (unsigned int i = 0; i < c->cnt; i++) {
		cw_box_push_hex(L, c->capture[i].buf, c->capture[i].len);
		lua_rawseti(L, -2, c->capture[i].id);
	}
}

bool
cw_box_personal(const struct box *b)
{
	return b->task == BOX_RECORD || b->task == BOX_ANSWER;
}

static int
keep_code(lua_State *L, const void *piece, size_t len, void *ctx)
{
	struct cw_profile *p = ctx;
	char *code = realloc(p->code, p->code_len + len);

	(void)L;
	if (code == NULL)
		return 1;
	memcpy(code + p->code_len, piece, len);
	p->code = code;
	p->code_len += len;
	return 0;
}

/*
 * Pushes the profile's chunk.  A user's text must be text ("t"), for bytecode
 * made by hand could break out of the sandbox; what Lua made of it is kept and
 * loaded faster ("b") from the second run on.
 */
static void
load_code(lua_State *L, struct cw_profile *p)
{
	int res;

	if (p->code != NULL)
		res = luaL_loadbufferx(L, p->code, p->code_len, p->chunk, "b");
	else
		res = luaL_loadbufferx(L, p->text, p->len, p->chunk, "t");
	if (res != LUA_OK)
		lua_error(L);
	if (p->code == NULL && lua_dump(L, keep_code, p, 0) != 0)
		cw_box_fail(L, CW_ENOMEM, "out of memory");
}

/* Everything that may raise, under one protected call. */
static int
box_main(lua_State *L)
{
	struct box *b = cw_box_of(L);

	box_library(L);
	cw_profile_helpers_open(L);
	cw_profile_simlib_open(L);
	cw_profile_declare_open(L);
	cw_profile_card_open(L);
	lua_sethook(L, box_hook, LUA_MASKCOUNT, HOOK_STEPS);

	load_code(L, b->p);
	lua_call(L, 0, 0);
	if (!b->declared)
		cw_box_fail(L, CW_EFORMAT, "declares no profile; write profile "
		    "{ name = \"...\", fields = { ... } }");

	b->p->has_cos = lua_getglobal(L, "cos") == LUA_TFUNCTION;
	b->p->has_record = lua_getglobal(L, "record") == LUA_TFUNCTION;
	b->p->has_answer = lua_getglobal(L, "answer") == LUA_TFUNCTION;
	if (b->task == BOX_ANSWER) {
		push_fields(L, b);
		push_job(L, b->record);
		push_captured(L, b->captured);
		lua_call(L, 3, 0);
		return 0;
	}
	lua_pop(L, 1);
	if (b->task == BOX_COS) {
		lua_pushvalue(L, -2);
		push_order(L, b->order);
		lua_call(L, 1, 0);
	} else if (b->task == BOX_RECORD) {
		push_fields(L, b);
		push_job(L, b->record);
		lua_call(L, 2, 0);
	} else if (!b->p->has_cos && !b->p->has_record) {
		cw_box_fail(L, CW_EFORMAT, "has neither function cos(order) nor "
		    "function record(fields, job)");
	}
	return 0;
}

/* The message of a failed run, where a value cannot be in it. */
static int
box_verdict(struct box *b, lua_State *L, int status)
{
	struct cw_profile *p = b->p;
	const char *text;

	if (b->why != 0) {
		memcpy(p->err, b->err, sizeof(p->err));
		return b->why;
	}
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) :
	    "the profile raised an error without a text";

	/* Lua's buffers raise this as a message of their own. */
	if (status == LUA_ERRMEM || (b->out_of_memory &&
	    strstr(text, "not enough memory") != NULL)) {
		snprintf(p->err, sizeof(p->err), "%s: needs more than %u MiB "
		    "of memory, or more than %u KiB in one piece",
		    p->chunk + 1, CW_PROFILE_MEMORY_MAX >> 20,
		    CW_PROFILE_BLOCK_MAX >> 10);
		return CW_ELIMIT;
	}
	snprintf(p->err, sizeof(p->err), "%s", text);
	if (cw_box_personal(b))
		cw_profile_mask(p, p->err);
	return CW_EFORMAT;
}

int
cw_box_run(struct box *b)
{
	lua_State *L;
	int status, res = CW_OK;

	b->p->err[0] = '\0';
	if (b->p->arena == NULL)
		b->p->arena = malloc(PROFILE_ARENA);
	if (b->p->arena == NULL ||
	    (L = lua_newstate(box_alloc, b)) == NULL) {
		snprintf(b->p->err, sizeof(b->p->err), "%s: out of memory",
		    b->p->chunk + 1);
		return CW_ENOMEM;
	}
	memcpy(lua_getextraspace(L), &b, sizeof(b));
	b->steps_left = CW_PROFILE_STEPS_MAX / HOOK_STEPS;
	b->cpu_end_ns = cpu_ns() + CW_PROFILE_CPU_MS * INT64_C(1000000);

	/* A run is short: what it leaves is collected by closing the state. */
	lua_gc(L, LUA_GCSTOP);
	lua_pushcfunction(L, box_main);
	status = lua_pcall(L, 0, 0, 0);
	if (status != LUA_OK)
		res = box_verdict(b, L, status);

	/* Nothing in the state has an end of its own to come to: without blocks
	 * outside, the arena's wiping is the end of all. */
	if (b->spilled)
		lua_close(L);
	explicit_bzero(b->p->arena, b->top);
	return res;
}
