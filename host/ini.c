/* SPDX-License-Identifier: Apache-2.0 */
#include "ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cw/err.h"

/* A configuration is written by a person; more than this is another file. */
#define INI_MAX (4u * 1024u * 1024u)

struct entry {
	char *key;
	char *value;		/* as written or as defaulted */
	char *path;		/* the same against the file's folder, when asked */
	unsigned int line;	/* 0: absent from the file, default taken */
	bool asked;
};

struct section {
	char *name;		/* words with one blank between them */
	unsigned int line;	/* 0: absent from the file */
	bool asked;
	struct entry *entry;
	size_t cnt;
};

struct cw_ini {
	char *name;
	struct section *section;
	size_t cnt;
	unsigned int fault_line;
	bool fault_absent;	/* of a key that is not in the file */
	char *fault;		/* first fault by line, NULL when none */
};

/* Formats "file:line: text" into err. */
static void __attribute__((format(printf, 5, 6)))
say(char *err, size_t cap, const char *name, unsigned int line,
    const char *fmt, ...)
{
	va_list ap;
	int n;

	if (line > 0)
		n = snprintf(err, cap, "%s:%u: ", name, line);
	else
		n = snprintf(err, cap, "%s: ", name);
	if (n < 0 || (size_t)n >= cap)
		return;
	va_start(ap, fmt);
	vsnprintf(err + n, cap - (size_t)n, fmt, ap);
	va_end(ap);
}

static void *
grow(void *array, size_t cnt, size_t size)
{
	/* Doubling at each power of two. */
	if ((cnt & (cnt - 1)) != 0)
		return array;
	return realloc(array, (cnt == 0 ? 1 : cnt * 2) * size);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Narrows [*s, *e) to what stands between blanks. */
static void
trim(const char **s, const char **e)
{
	while (*s < *e && is_blank(**s))
		(*s)++;
	while (*e > *s && is_blank((*e)[-1]))
		(*e)--;
}

/* Copy of [s, e) in which each run of blanks is one space. */
static char *
words(const char *s, const char *e)
{
	char *copy = malloc((size_t)(e - s) + 1);
	size_t len = 0;

	if (copy == NULL)
		return NULL;
	for (; s < e; s++) {
		if (!is_blank(*s))
			copy[len++] = *s;
		else if (len > 0 && copy[len - 1] != ' ')
			copy[len++] = ' ';
	}
	copy[len] = '\0';
	return copy;
}

static struct section *
find_section(const struct cw_ini *ini, const char *name)
{
	size_t i;

	for (i = 0; i < ini->cnt; i++) {
		if (strcmp(ini->section[i].name, name) == 0)
			return &ini->section[i];
	}
	return NULL;
}

static struct entry *
find_entry(const struct section *sec, const char *key)
{
	size_t i;

	for (i = 0; i < sec->cnt; i++) {
		if (strcmp(sec->entry[i].key, key) == 0)
			return &sec->entry[i];
	}
	return NULL;
}

/* Takes name (frees it on failure). */
static struct section *
add_section(struct cw_ini *ini, char *name, unsigned int line)
{
	struct section *sec = NULL;

	if (name != NULL)
		sec = grow(ini->section, ini->cnt, sizeof(*sec));
	if (sec == NULL) {
		free(name);
		return NULL;
	}
	ini->section = sec;
	sec += ini->cnt++;
	*sec = (struct section){ .name = name, .line = line };
	return sec;
}

/* Takes key and value (frees them on failure). */
static struct entry *
add_entry(struct section *sec, char *key, char *value, unsigned int line)
{
	struct entry *ent = NULL;

	if (key != NULL && value != NULL)
		ent = grow(sec->entry, sec->cnt, sizeof(*ent));
	if (ent == NULL) {
		free(key);
		free(value);
		return NULL;
	}
	sec->entry = ent;
	ent += sec->cnt++;
	*ent = (struct entry){ .key = key, .value = value, .line = line };
	return ent;
}

struct parse {
	struct cw_ini *ini;
	struct section *sec;	/* the open one; NULL before the first */
	unsigned int line;
	char *err;
	size_t err_cap;
};

static int
parse_section(struct parse *p, const char *s, const char *e)
{
	const struct section *old;
	char *name;

	if (e[-1] != ']') {
		say(p->err, p->err_cap, p->ini->name, p->line,
		    "section has no closing ']'; write [name]");
		return CW_EFORMAT;
	}
	s++;
	e--;
	trim(&s, &e);
	if (s == e) {
		say(p->err, p->err_cap, p->ini->name, p->line,
		    "section has no name; write [name]");
		return CW_EFORMAT;
	}
	name = words(s, e);
	old = name != NULL ? find_section(p->ini, name) : NULL;
	if (old != NULL) {
		say(p->err, p->err_cap, p->ini->name, p->line,
		    "section [%s] stands already at line %u; join the two",
		    name, old->line);
		free(name);
		return CW_EEXIST;
	}
	p->sec = add_section(p->ini, name, p->line);
	return p->sec == NULL ? CW_ENOMEM : CW_OK;
}

static int
parse_entry(struct parse *p, const char *s, const char *e)
{
	const char *eq = memchr(s, '=', (size_t)(e - s));
	const char *key_end, *value;
	const struct entry *old;
	char *key;

	if (eq == NULL || eq == s) {
		say(p->err, p->err_cap, p->ini->name, p->line,
		    "neither a section nor a key; write key = value");
		return CW_EFORMAT;
	}
	if (p->sec == NULL) {
		say(p->err, p->err_cap, p->ini->name, p->line,
		    "key before the first section; put a [section] above it");
		return CW_EFORMAT;
	}
	key_end = eq;
	trim(&s, &key_end);
	value = eq + 1;
	trim(&value, &e);
	key = strndup(s, (size_t)(key_end - s));
	old = key != NULL ? find_entry(p->sec, key) : NULL;
	if (old != NULL) {
		say(p->err, p->err_cap, p->ini->name, p->line,
		    "key %s stands already at line %u; remove one of the two",
		    key, old->line);
		free(key);
		return CW_EEXIST;
	}
	if (add_entry(p->sec, key, strndup(value, (size_t)(e - value)),
	    p->line) == NULL)
		return CW_ENOMEM;
	return CW_OK;
}

static int
parse_line(struct parse *p, const char *s, const char *e)
{
	const char *c;

	trim(&s, &e);
	if (s == e || *s == '#' || *s == ';')
		return CW_OK;
	for (c = s; c < e; c++) {
		if ((unsigned char)*c < 0x20 && *c != '\t') {
			say(p->err, p->err_cap, p->ini->name, p->line,
			    "control character %02x; is this a text file?",
			    (unsigned int)(unsigned char)*c);
			return CW_EFORMAT;
		}
	}
	return *s == '[' ? parse_section(p, s, e) : parse_entry(p, s, e);
}

struct cw_ini *
cw_ini_parse(const char *name, const char *text, size_t len, char *err,
    size_t err_cap)
{
	struct parse p = { .err = err, .err_cap = err_cap };
	const char *s = text, *end = text + len, *e;
	int res = CW_OK;

	p.ini = calloc(1, sizeof(*p.ini));
	if (p.ini == NULL || (p.ini->name = strdup(name)) == NULL) {
		free(p.ini);
		snprintf(err, err_cap, "%s: out of memory", name);
		return NULL;
	}

	/* An editor's byte order mark is not the file's fault. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		s += 3;
	while (s < end && res == CW_OK) {
		e = memchr(s, '\n', (size_t)(end - s));
		if (e == NULL)
			e = end;
		p.line++;
		res = parse_line(&p, s, e);
		s = e + 1;
	}
	if (res == CW_OK)
		return p.ini;
	if (res == CW_ENOMEM)
		say(err, err_cap, name, p.line, "out of memory");
	cw_ini_free(p.ini);
	return NULL;
}

struct cw_ini *
cw_ini_load(const char *path, char *err, size_t err_cap)
{
	struct cw_ini *ini = NULL;
	char *text = NULL;
	size_t len;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		return NULL;
	}
	if ((text = malloc(INI_MAX)) == NULL) {
		snprintf(err, err_cap, "%s: out of memory", path);
		goto out;
	}
	len = fread(text, 1, INI_MAX, f);
	if (ferror(f)) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (len == INI_MAX) {
		snprintf(err, err_cap, "%s: larger than %u bytes; this is not "
		    "a configuration", path, INI_MAX);
		goto out;
	}
	ini = cw_ini_parse(path, text, len, err, err_cap);
out:
	free(text);
	fclose(f);
	return ini;
}

void
cw_ini_free(struct cw_ini *ini)
{
	size_t i, k;

	if (ini == NULL)
		return;
	for (i = 0; i < ini->cnt; i++) {
		for (k = 0; k < ini->section[i].cnt; k++) {
			free(ini->section[i].entry[k].key);
			free(ini->section[i].entry[k].value);
			free(ini->section[i].entry[k].path);
		}
		free(ini->section[i].entry);
		free(ini->section[i].name);
	}
	free(ini->section);
	free(ini->fault);
	free(ini->name);
	free(ini);
}

/*
 * Keeps the fault that stands highest in the file.  A key that lacks comes
 * after all of them: most often it stands there misspelt.
 */
static void __attribute__((format(printf, 4, 5)))
fault(struct cw_ini *ini, unsigned int line, bool absent, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (ini->fault != NULL && (absent || (!ini->fault_absent &&
	    ini->fault_line <= line)))
		return;
	ini->fault_absent = absent;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	free(ini->fault);
	ini->fault = strdup(text);
	ini->fault_line = line;
}

/*
 * The entry of a key, marked as asked for; made from dflt when absent (value
 * NULL when dflt is), so that dump can print it.  NULL only without memory.
 */
static struct entry *
ask(struct cw_ini *ini, const char *section, const char *key,
    const char *dflt)
{
	struct section *sec = find_section(ini, section);
	struct entry *ent;

	if (sec == NULL)
		sec = add_section(ini, strdup(section), 0);
	if (sec == NULL)
		return NULL;
	sec->asked = true;
	ent = find_entry(sec, key);
	if (ent == NULL)
		ent = add_entry(sec, strdup(key), strdup(dflt ? dflt : ""), 0);
	if (ent != NULL)
		ent->asked = true;
	return ent;
}

const char *
cw_ini_str(struct cw_ini *ini, const char *section, const char *key,
    const char *dflt)
{
	const struct entry *ent = ask(ini, section, key, dflt);

	return ent == NULL || ent->line == 0 ? dflt : ent->value;
}

const char *
cw_ini_path(struct cw_ini *ini, const char *section, const char *key,
    const char *dflt)
{
	struct entry *ent = ask(ini, section, key, dflt);
	const char *slash = strrchr(ini->name, '/');
	size_t dir = slash == NULL ? 0 : (size_t)(slash - ini->name) + 1;

	if (ent == NULL || ent->value[0] == '/' || ent->value[0] == '\0' ||
	    dir == 0)
		return ent == NULL ? dflt : ent->value;
	free(ent->path);
	ent->path = malloc(dir + strlen(ent->value) + 1);
	if (ent->path == NULL) {
		cw_ini_fault(ini, section, key, "out of memory");
		return dflt;
	}
	memcpy(ent->path, ini->name, dir);
	strcpy(ent->path + dir, ent->value);
	return ent->path;
}

int64_t
cw_ini_int(struct cw_ini *ini, const char *section, const char *key,
    int64_t dflt, int64_t min, int64_t max)
{
	const struct entry *ent;
	char text[24], *end;
	long long v;

	snprintf(text, sizeof(text), "%lld", (long long)dflt);
	ent = ask(ini, section, key, text);
	if (ent == NULL || ent->line == 0)
		return dflt;
	errno = 0;
	v = strtoll(ent->value, &end, 0);
	if (errno == 0 && end != ent->value && *end == '\0' && v >= min &&
	    v <= max)
		return v;
	fault(ini, ent->line, false, "%s must be a whole number from %lld to %lld, "
	    "not '%s'", key, (long long)min, (long long)max, ent->value);
	return dflt;
}

bool
cw_ini_bool(struct cw_ini *ini, const char *section, const char *key,
    bool dflt)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };
	const struct entry *ent;
	size_t i;

	ent = ask(ini, section, key, dflt ? "yes" : "no");
	if (ent == NULL || ent->line == 0)
		return dflt;
	for (i = 0; i < 4; i++) {
		if (strcasecmp(ent->value, yes[i]) == 0)
			return true;
		if (strcasecmp(ent->value, no[i]) == 0)
			return false;
	}
	fault(ini, ent->line, false, "%s must be yes or no, not '%s'", key,
	    ent->value);
	return dflt;
}

const char *
cw_ini_section(struct cw_ini *ini, const char *kind, unsigned int idx)
{
	size_t len = strlen(kind), i;
	struct section *sec;

	for (i = 0; i < ini->cnt; i++) {
		sec = &ini->section[i];
		if (sec->line == 0 || strncmp(sec->name, kind, len) != 0)
			continue;
		if (sec->name[len] != ' ' && sec->name[len] != '\0')
			continue;
		if (idx-- == 0) {
			sec->asked = true;
			return sec->name;
		}
	}
	return NULL;
}

void
cw_ini_fault(struct cw_ini *ini, const char *section, const char *key,
    const char *why)
{
	const struct section *sec = find_section(ini, section);
	const struct entry *ent = sec != NULL ? find_entry(sec, key) : NULL;
	unsigned int line = 0;

	bool absent = ent == NULL || ent->line == 0;

	if (!absent)
		line = ent->line;
	else if (sec != NULL)
		line = sec->line;
	fault(ini, line, absent, "[%s] %s: %s", section, key, why);
}

/* "a, b, c": the keys that were asked for in a section: the remedy. */
static void
known_keys(const struct section *sec, char *out, size_t cap)
{
	size_t len = 0, i;
	int n;

	out[0] = '\0';
	for (i = 0; i < sec->cnt && len < cap; i++) {
		if (!sec->entry[i].asked)
			continue;
		n = snprintf(out + len, cap - len, "%s%s", len ? ", " : "",
		    sec->entry[i].key);
		len += n < 0 ? 0 : (size_t)n;
	}
}

int
cw_ini_finish(struct cw_ini *ini, char *err, size_t err_cap)
{
	const struct section *sec;
	char known[640];
	size_t i, k;

	for (i = 0; i < ini->cnt; i++) {
		sec = &ini->section[i];
		if (!sec->asked) {
			fault(ini, sec->line, false, "unknown section [%s]; correct "
			    "its name or remove it", sec->name);
			continue;
		}
		known_keys(sec, known, sizeof(known));
		for (k = 0; k < sec->cnt; k++) {
			if (!sec->entry[k].asked)
				fault(ini, sec->entry[k].line, false, "unknown key %s "
				    "in [%s]; known: %s", sec->entry[k].key,
				    sec->name, known);
		}
	}
	if (ini->fault == NULL)
		return CW_OK;
	say(err, err_cap, ini->name, ini->fault_line, "%s", ini->fault);
	return CW_EFORMAT;
}

void
cw_ini_dump(const struct cw_ini *ini)
{
	const struct section *sec;
	const struct entry *ent;
	size_t i, k;

	for (i = 0; i < ini->cnt; i++) {
		sec = &ini->section[i];
		printf("%s[%s]\n", i ? "\n" : "", sec->name);
		for (k = 0; k < sec->cnt; k++) {
			ent = &sec->entry[k];
			printf("%s = %s", ent->key, ent->value);
			if (ent->line > 0)
				printf("\t# %s:%u\n", ini->name, ent->line);
			else
				printf("\t# default\n");
		}
	}
}
