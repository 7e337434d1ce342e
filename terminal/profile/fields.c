/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "cw/err.h"
#include "cw/simcode.h"
#include "profile_priv.h"

static bool
all(const uint8_t *v, size_t len, int (*is)(int))
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (v[i] >= 0x80 || !is(v[i]))
			return false;
	}
	return true;
}

static const char *
check_iccid(const uint8_t *v, size_t len)
{
	if (len < 18 || len > 20 || !all(v, len, isdigit))
		return "must be 18 to 20 digits";
	if (len > 18 && cw_simcode_luhn((const char *)v, len - 1) !=
	    (unsigned int)(v[len - 1] - '0'))
		return "has a wrong Luhn check digit";
	return NULL;
}

static const char *
check_ipv4(const uint8_t *v, size_t len)
{
	char text[16] = "";
	struct in_addr addr;

	if (len < sizeof(text))
		memcpy(text, v, len);
	return inet_pton(AF_INET, text, &addr) == 1 ? NULL :
	    "must be an IPv4 address";
}

/*
 * The order was checked when it was taken in; this is the terminal's own look
 * at what reached it, before a byte is made of it.
 */
const char *
cw_profile_value_check(const struct cw_field_spec *f, const uint8_t *v,
    size_t len)
{
	if (f->min_len > 0 && len < f->min_len)
		return "is too short";
	if (f->max_len > 0 && len > f->max_len)
		return "is too long";
	switch (f->kind) {
	case CW_FIELD_DIGITS:
		return all(v, len, isdigit) ? NULL : "must be digits";
	case CW_FIELD_ICCID:
		return check_iccid(v, len);
	case CW_FIELD_IMSI:
		return len >= 6 && len <= 15 && all(v, len, isdigit) ? NULL :
		    "must be 6 to 15 digits";
	case CW_FIELD_HEX:
		return len % 2 == 0 && all(v, len, isxdigit) ? NULL :
		    "must be an even number of hex digits";
	case CW_FIELD_PIN:
		return len >= 4 && len <= 8 && all(v, len, isdigit) ? NULL :
		    "must be 4 to 8 digits";
	case CW_FIELD_ADM:
		return len >= 4 && len <= 8 && all(v, len, isgraph) ? NULL :
		    "must be 4 to 8 printable characters";
	case CW_FIELD_IPV4:
		return check_ipv4(v, len);
	case CW_FIELD_TEXT:
	case CW_FIELD_KIND_CNT:
		break;
	}
	return NULL;
}

/* ---- messages that Lua or the profile made ---- */

/* Words of Lua's own messages; anything else must stand in the profile. */
static const char *const lua_words[] = {
	"a", "add", "an", "and", "any", "argument", "arithmetic", "as", "assertion",
	"attempt", "bad", "between", "boolean", "bytes", "call", "char",
	"compare", "concat", "concatenate", "constant", "convert", "digits", "div",
	"error", "expected", "failed", "field", "find", "for", "format",
	"function", "get", "global", "got", "has", "index", "initial", "insert",
	"integer", "invalid", "is", "key", "length", "limit", "local", "long",
	"loop", "many", "memory", "method", "mod", "mul", "must", "nil", "no", "not", "number",
	"of", "on", "only", "out", "overflow", "pairs", "perform", "position",
	"profile", "raised", "range", "rep", "representation", "results", "set",
	"stack", "step", "string", "strings", "sub", "table", "text", "the",
	"to", "too", "two", "unpack", "upvalue", "value", "values", "with",
	"without", "wrong", "zero",
};

/* [w, w + len) as a whole word in the profile's text. */
static bool
in_source(const struct cw_profile *p, const char *w, size_t len)
{
	const char *at = p->text, *end = p->text + p->len;

	while ((at = memmem(at, (size_t)(end - at), w, len)) != NULL) {
		if ((at == p->text || (!isalnum((unsigned char)at[-1]) &&
		    at[-1] != '_')) && (at + len == end ||
		    (!isalnum((unsigned char)at[len]) && at[len] != '_')))
			return true;
		at++;
	}
	return false;
}

/* Field names are known to all; other words only without a digit in them. */
bool
cw_profile_word(const struct cw_profile *p, const char *w, size_t len)
{
	unsigned int i;

	for (i = 0; i < p->field_cnt; i++) {
		if (strlen(p->field[i].name) == len &&
		    memcmp(p->field[i].name, w, len) == 0)
			return true;
	}
	for (i = 0; i < len; i++) {
		if (isdigit((unsigned char)w[i]))
			return false;
	}
	for (i = 0; i < sizeof(lua_words) / sizeof(lua_words[0]); i++) {
		if (strlen(lua_words[i]) == len &&
		    memcmp(lua_words[i], w, len) == 0)
			return true;
	}
	return len > 1 && in_source(p, w, len);
}

/*
 * An error of Lua, or one that the profile raised, could carry a value of the
 * record ("attempt to ... '4f2a...'").  What is neither a word of Lua nor a word
 * of the profile's text becomes a star; a number always does, but for the
 * line's.
 */
void
cw_profile_mask(const struct cw_profile *p, char *text)
{
	const char *name = p->chunk + 1;
	size_t len = strlen(name), n;
	char *s = text, *to;

	if (strncmp(s, name, len) == 0 && s[len] == ':') {
		s += len + 1;
		s += strspn(s, "0123456789");
	}
	for (to = s; *s != '\0'; s += n) {
		n = 0;
		while (isalnum((unsigned char)s[n]) || s[n] == '_')
			n++;
		if (n > 0 && cw_profile_word(p, s, n)) {
			memmove(to, s, n);
			to += n;
		} else if (n > 0) {
			*to++ = '*';
		} else {
			/* A byte beyond ASCII may be half of a value. */
			*to++ = isprint((unsigned char)*s) ? *s : '*';
			n = 1;
		}
	}
	*to = '\0';
}
