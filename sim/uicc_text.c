/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cw/atr.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "sim/uicc_priv.h"

#define TEXT_MAX (512u * 1024u)
#define WORDS_MAX 16

static const char *const access_word[] = {
	[UICC_ALWAYS] = "always", [UICC_PIN1] = "pin1", [UICC_PIN2] = "pin2",
	[UICC_ADM] = "adm", [UICC_NEVER] = "never", NULL,
};
static const char *const kind_word[] = {
	[UICC_DF] = "df", [UICC_TRANSPARENT] = "transparent",
	[UICC_LINEAR] = "linear", [UICC_CYCLIC] = "cyclic", NULL,
};
static const char *const role_word[] = {
	[UICC_PLAIN] = "plain", [UICC_KI] = "ki", [UICC_OPC] = "opc",
	[UICC_OPC_FLAG] = "opc-flag", [UICC_AUTH] = "auth",
	[UICC_KEY_ADM] = "adm", [UICC_PINS] = "pins", NULL,
};

/* Bytes that a role needs of its file, and of one record. */
static const uint16_t role_size[] = {
	[UICC_PLAIN] = 0, [UICC_KI] = 16, [UICC_OPC] = 16, [UICC_OPC_FLAG] = 17,
	[UICC_AUTH] = 33, [UICC_KEY_ADM] = 8, [UICC_PINS] = 32,
};

struct reader {
	struct cw_uicc_desc *d;
	const char *name;
	unsigned int line;
	char *err;
	size_t err_cap;
	char *word[WORDS_MAX];
	int cnt;
};

static int
fail(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(r->err, r->err_cap, "%s:%u: ", r->name, r->line);

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < r->err_cap)
		vsnprintf(r->err + n, r->err_cap - (size_t)n, fmt, ap);
	va_end(ap);
	return CW_EFORMAT;
}

static int
find(const char *const *words, const char *text)
{
	int i;

	for (i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

/* A number in base from min to max, or -1. */
static long
number(const char *text, int base, long min, long max)
{
	char *end;
	long v = strtol(text, &end, base);

	return *text == '\0' || *end != '\0' || v < min || v > max ? -1 : v;
}

/* "key=value": the value, else NULL. */
static const char *
value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

/* ---- files ---- */

/* The parent of PATH, which must be there, and the last identifier. */
static int
place(struct reader *r, const char *path, uint16_t *fid)
{
	char up[64];
	const char *slash = strrchr(path, '/');
	unsigned long rec;
	int parent = 0;

	if (slash == NULL || (size_t)(slash - path) >= sizeof up ||
	    number(slash + 1, 16, 0, 0xFFFF) < 0 || strlen(slash + 1) != 4)
		return fail(r, "\"%s\" is not a path; write 3F00/7F10/6F40", path);
	memcpy(up, path, (size_t)(slash - path));
	up[slash - path] = '\0';
	*fid = (uint16_t)number(slash + 1, 16, 0, 0xFFFF);
	parent = cw_uicc_path(r->d, up, &rec);
	if (parent < 0 || rec != 0 || r->d->file[parent].kind != UICC_DF)
		return fail(r, "%s is no DF so far; name it in a line before", up);
	if (cw_uicc_child(r->d, parent, *fid) >= 0)
		return fail(r, "%s stands twice", path);
	return parent;
}

static struct uicc_file *
add(struct reader *r, const char *path, int kind)
{
	struct cw_uicc_desc *d = r->d;
	struct uicc_file *f = &d->file[d->file_cnt];
	uint16_t fid = 0;
	int parent;

	if (d->file_cnt == UICC_FILES_MAX) {
		fail(r, "more than %d files", UICC_FILES_MAX);
		return NULL;
	}
	if ((parent = place(r, path, &fid)) < 0)
		return NULL;
	memset(f, 0, sizeof *f);
	f->fid = fid;
	f->parent = (int16_t)parent;
	f->kind = (uint8_t)kind;
	f->read = UICC_ALWAYS;
	f->update = UICC_ADM;
	d->file_cnt++;
	return f;
}

static int
take_df(struct reader *r, bool adf)
{
	struct uicc_file *f;
	int n;

	if (r->cnt != (adf ? 3 : 2))
		return fail(r, adf ? "an application is: adf PATH AID" :
		    "a folder is: df PATH");
	if ((f = add(r, r->word[1], UICC_DF)) == NULL)
		return CW_EFORMAT;
	if (!adf)
		return 0;
	n = cw_unhex(f->aid, sizeof f->aid, r->word[2], strlen(r->word[2]));
	if (n < 5)
		return fail(r, "an AID has 5 to %d bytes in hex", UICC_AID_MAX);
	f->aid_len = (uint8_t)n;
	return 0;
}

static int
ef_option(struct reader *r, struct uicc_file *f, const char *word)
{
	const char *v;
	long n;
	int i;

	if ((v = value_of(word, "read")) != NULL ||
	    (v = value_of(word, "update")) != NULL) {
		if ((i = find(access_word, v)) < 0)
			return fail(r, "%s: write always, pin1, pin2, adm or never",
			    word);
		if (word[0] == 'r')
			f->read = (uint8_t)i;
		else
			f->update = (uint8_t)i;
	} else if ((v = value_of(word, "sfi")) != NULL) {
		if ((n = number(v, 16, 1, 30)) < 0)
			return fail(r, "%s: a short identifier is 01 to 1E", word);
		f->sfi = (uint8_t)n;
	} else if ((v = value_of(word, "role")) != NULL) {
		if ((i = find(role_word, v)) < 0 || role_size[i] > f->size ||
		    (i == UICC_PINS && (f->kind != UICC_LINEAR ||
		    f->rec_len < UICC_PIN_LEN || f->size / f->rec_len < 4)))
			return fail(r, "%s: unknown, or the file is too small", word);
		f->role = (uint8_t)i;
	} else if ((v = value_of(word, "data")) != NULL) {
		if (cw_unhex(r->d->content + f->off, f->size, v, strlen(v)) < 0)
			return fail(r, "data must be hex and fit in %u bytes",
			    f->size);
	} else {
		return fail(r, "unknown option \"%s\"; there are read, update, sfi, "
		    "role and data", word);
	}
	return 0;
}

/* ef PATH = PATH: the same content under another path. */
static int
take_alias(struct reader *r)
{
	struct uicc_file *f, *of;
	unsigned long rec;
	int i = cw_uicc_path(r->d, r->word[3], &rec);

	if (i < 0 || rec != 0 || r->d->file[i].kind == UICC_DF)
		return fail(r, "%s is no EF so far; name it in a line before",
		    r->word[3]);
	if ((f = add(r, r->word[1], UICC_DF)) == NULL)
		return CW_EFORMAT;
	of = &r->d->file[i];
	f->kind = of->kind;
	f->read = of->read;
	f->update = of->update;
	f->role = of->role;
	f->sfi = of->sfi;
	f->rec_len = of->rec_len;
	f->size = of->size;
	f->off = of->off;
	return 0;
}

static int
take_ef(struct reader *r)
{
	struct cw_uicc_desc *d = r->d;
	long a = 0, b = 1;
	struct uicc_file *f;
	int kind, i, err = 0;

	if (r->cnt == 4 && strcmp(r->word[2], "=") == 0)
		return take_alias(r);
	kind = r->cnt >= 4 ? find(kind_word, r->word[2]) : -1;
	if (kind <= UICC_DF || (kind != UICC_TRANSPARENT && r->cnt < 5))
		return fail(r, "a file is: ef PATH transparent SIZE, ef PATH linear "
		    "RECORD COUNT, or ef PATH = PATH");
	a = number(r->word[3], 10, 1, kind == UICC_TRANSPARENT ? 8192 : 255);
	i = 4;
	if (kind != UICC_TRANSPARENT)
		b = number(r->word[i++], 10, 1, 254);
	if (a < 0 || b < 0 || a * b > 8192 || d->len + a * b > UICC_BYTES_MAX)
		return fail(r, "a size is out of range: 8192 bytes a file, 255 a "
		    "record, 254 records, %d in all", UICC_BYTES_MAX);
	if ((f = add(r, r->word[1], kind)) == NULL)
		return CW_EFORMAT;
	f->rec_len = kind == UICC_TRANSPARENT ? 0 : (uint8_t)a;
	f->size = (uint16_t)(a * b);
	f->off = d->len;
	memset(d->content + d->len, 0xFF, f->size);
	d->len += f->size;
	for (; i < r->cnt && err == 0; i++)
		err = ef_option(r, f, r->word[i]);
	return err;
}

/* ---- PINs, the rest ---- */

/* "1234", or "hex:0011223344556677" */
static int
secret(struct reader *r, uint8_t out[UICC_PIN_LEN], const char *v)
{
	size_t n = strlen(v);

	memset(out, 0xFF, UICC_PIN_LEN);
	if (strncmp(v, "hex:", 4) == 0) {
		if (cw_unhex(out, UICC_PIN_LEN, v + 4, n - 4) != UICC_PIN_LEN)
			return fail(r, "hex: takes 16 hex digits");
		return 0;
	}
	if (n < 4 || n > UICC_PIN_LEN)
		return fail(r, "a PIN or key has 4 to 8 characters, or hex: and 16 "
		    "digits");
	memcpy(out, v, n);
	return 0;
}

static int
pin_option(struct reader *r, struct uicc_pin *p, const char *word)
{
	const char *v;
	uint8_t *num = NULL;

	if ((v = value_of(word, "value")) != NULL)
		return secret(r, p->value, v);
	if ((v = value_of(word, "puk")) != NULL)
		return secret(r, p->puk, v);
	if (strcmp(word, "disabled") == 0) {
		p->enabled = false;
		return 0;
	}
	if ((v = value_of(word, "tries")) != NULL)
		num = &p->max;
	else if ((v = value_of(word, "left")) != NULL)
		num = &p->left;
	else if ((v = value_of(word, "puk-left")) != NULL)
		num = &p->puk_left;
	if (num == NULL || number(v, 10, 0, 15) < 0)
		return fail(r, "\"%s\": there are value, puk, tries, left, puk-left "
		    "(0 to 15) and disabled", word);
	*num = (uint8_t)number(v, 10, 0, 15);
	if (num == &p->max)
		p->left = p->max;
	return 0;
}

static int
take_pin(struct reader *r)
{
	static const char *const refs[] = { "01", "81", "0A", NULL };
	struct uicc_pin *p;
	int idx = r->cnt >= 2 ? find(refs, r->word[1]) : -1, i, err = 0;

	if (idx < 0)
		return fail(r, "a PIN is: pin 01, 81 or 0A, then value=...");
	p = &r->d->pin[idx];
	if (p->there)
		return fail(r, "pin %s stands twice", r->word[1]);
	memset(p->value, 0xFF, sizeof p->value);
	memset(p->puk, 0xFF, sizeof p->puk);
	p->ref = (uint8_t)number(r->word[1], 16, 0, 255);
	p->there = p->enabled = true;
	p->max = p->left = 3;
	p->puk_left = 10;
	for (i = 2; i < r->cnt && err == 0; i++)
		err = pin_option(r, p, r->word[i]);
	return err;
}

/* Bytes that a reader will take, for T=0 and at no other speed than the chip's. */
static int
take_atr(struct reader *r)
{
	struct cw_uicc_desc *d = r->d;
	struct cw_atr a;
	int n = r->cnt == 2 ? cw_unhex(d->atr, sizeof d->atr, r->word[1],
	    strlen(r->word[1])) : -1;

	if (n < 2 || cw_atr_parse(&a, d->atr, (size_t)n) < 0 || a.first_t != 0)
		return fail(r, "atr takes a whole answer to reset of a T=0 card in "
		    "hex, with TCK if it needs one");
	d->atr_len = (uint8_t)n;
	return 0;
}

static int
take_line(struct reader *r)
{
	const char *what = r->word[0];
	uint8_t sqn[6];
	int i;

	if (strcmp(what, "df") == 0)
		return take_df(r, false);
	if (strcmp(what, "adf") == 0)
		return take_df(r, true);
	if (strcmp(what, "ef") == 0)
		return take_ef(r);
	if (strcmp(what, "pin") == 0)
		return take_pin(r);
	if (strcmp(what, "atr") == 0)
		return take_atr(r);
	if (strcmp(what, "card") == 0 && r->cnt == 2) {
		snprintf(r->d->name, sizeof r->d->name, "%s", r->word[1]);
		return 0;
	}
	if (strcmp(what, "state") == 0 && r->cnt == 2 &&
	    strcmp(r->word[1], "active") == 0) {
		r->d->active = true;
		return 0;
	}
	if (strcmp(what, "sqn") == 0 && r->cnt == 2 &&
	    cw_unhex(sqn, 6, r->word[1], strlen(r->word[1])) == 6) {
		for (i = 0; i < 6; i++)
			r->d->sqn = r->d->sqn << 8 | sqn[i];
		return 0;
	}
	return fail(r, "\"%s\" is not understood; a line begins with card, state, atr, "
	    "df, adf, ef, pin or sqn", what);
}

/* Lines of blank-separated words; # begins a comment. */
static int
take_text(struct reader *r, char *text)
{
	char *line, *next = text, *word, *save;
	int err = 0;

	while (err == 0 && (line = next) != NULL) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		r->line++;
		r->cnt = 0;
		for (word = strtok_r(line, " \t\r", &save); word != NULL &&
		    word[0] != '#'; word = strtok_r(NULL, " \t\r", &save)) {
			if (r->cnt == WORDS_MAX)
				return fail(r, "more than %d words", WORDS_MAX);
			r->word[r->cnt++] = word;
		}
		if (r->cnt > 0)
			err = take_line(r);
	}
	return err;
}

struct cw_uicc_desc *
cw_uicc_load(const char *text, size_t len, const char *name, char *err,
    size_t err_cap)
{
	struct reader r = { .name = name, .err = err, .err_cap = err_cap };
	char *copy = NULL;
	int res;

	if (len > TEXT_MAX || memchr(text, 0, len) != NULL) {
		r.line = 1;
		fail(&r, "not a text of at most %u KiB", TEXT_MAX >> 10);
		return NULL;
	}
	r.d = calloc(1, sizeof *r.d);
	if (r.d == NULL || (copy = malloc(len + 1)) == NULL) {
		snprintf(err, err_cap, "%s: out of memory", name);
		free(r.d);
		return NULL;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	r.d->file[0] = (struct uicc_file){ .fid = 0x3F00, .kind = UICC_DF };
	r.d->file_cnt = 1;
	res = take_text(&r, copy);
	if (res == 0 && !r.d->pin[UICC_IDX_ADM].there)
		res = fail(&r, "no key for ADM; add: pin 0A value=88888888");
	cw_wipe(copy, len);
	free(copy);
	if (res == 0)
		return r.d;
	cw_uicc_desc_free(r.d);
	return NULL;
}

struct cw_uicc_desc *
cw_uicc_load_file(const char *path, char *err, size_t err_cap)
{
	struct cw_uicc_desc *d = NULL;
	char *text = malloc(TEXT_MAX + 1);
	FILE *fp = fopen(path, "re");
	size_t len;

	if (fp == NULL || text == NULL) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
	} else {
		len = fread(text, 1, TEXT_MAX + 1, fp);
		d = cw_uicc_load(text, len, path, err, err_cap);
		cw_wipe(text, len);
	}
	if (fp != NULL)
		fclose(fp);
	free(text);
	return d;
}

void
cw_uicc_desc_free(struct cw_uicc_desc *d)
{
	if (d == NULL)
		return;
	cw_wipe(d, sizeof *d);
	free(d);
}

bool
cw_uicc_active(const struct cw_uicc_desc *d)
{
	return d->active;
}

/* ---- the other way ---- */

static void
put_path(const struct cw_uicc_desc *d, int i, FILE *fp)
{
	if (i != 0) {
		put_path(d, d->file[i].parent, fp);
		fputc('/', fp);
	}
	fprintf(fp, "%04X", d->file[i].fid);
}

static void
put_hex(const uint8_t *buf, size_t len, FILE *fp)
{
	size_t i;

	for (i = 0; i < len; i++)
		fprintf(fp, "%02X", buf[i]);
}

static void
put_ef(const struct cw_uicc *u, int i, FILE *fp)
{
	const struct cw_uicc_desc *d = u->d;
	const struct uicc_file *f = &d->file[i];
	int k = 0;

	while (d->file[k].kind == UICC_DF || d->file[k].off != f->off)
		k++;
	if (k < i) {
		fputs(" = ", fp);
		put_path(d, k, fp);
		return;
	}
	fprintf(fp, " %s ", kind_word[f->kind]);
	if (f->kind == UICC_TRANSPARENT)
		fprintf(fp, "%u", f->size);
	else
		fprintf(fp, "%u %u", f->rec_len, f->size / f->rec_len);
	fprintf(fp, " read=%s update=%s", access_word[f->read],
	    access_word[f->update]);
	if (f->sfi != 0)
		fprintf(fp, " sfi=%02X", f->sfi);
	if (f->role != UICC_PLAIN)
		fprintf(fp, " role=%s", role_word[f->role]);
	fputs(" data=", fp);
	put_hex(u->content + f->off, f->size, fp);
}

int
cw_uicc_save(const struct cw_uicc *u, FILE *fp)
{
	const struct cw_uicc_desc *d = u->d;
	int i;

	fprintf(fp, "card %s\nstate active\n", d->name[0] != '\0' ? d->name : "uicc");
	if (d->atr_len > 0) {
		fputs("atr ", fp);
		put_hex(d->atr, d->atr_len, fp);
		fputc('\n', fp);
	}
	fprintf(fp, "sqn %012llX\n", (unsigned long long)u->sqn_ms);
	for (i = 0; i < UICC_PIN_CNT; i++) {
		const struct uicc_pin *p = &u->pin[i];

		if (!p->there)
			continue;
		fprintf(fp, "pin %02X value=hex:", p->ref);
		put_hex(p->value, sizeof p->value, fp);
		fputs(" puk=hex:", fp);
		put_hex(p->puk, sizeof p->puk, fp);
		fprintf(fp, " tries=%u left=%u puk-left=%u%s\n", p->max, p->left,
		    p->puk_left, p->enabled ? "" : " disabled");
	}
	for (i = 1; i < d->file_cnt; i++) {
		const struct uicc_file *f = &d->file[i];

		fputs(f->kind != UICC_DF ? "ef " : f->aid_len > 0 ? "adf " : "df ", fp);
		put_path(d, i, fp);
		if (f->kind != UICC_DF)
			put_ef(u, i, fp);
		else if (f->aid_len > 0)
			fputc(' ', fp), put_hex(f->aid, f->aid_len, fp);
		fputc('\n', fp);
	}
	return fflush(fp) == 0 && ferror(fp) == 0 ? 0 : CW_EIO;
}
