/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "profile_priv.h"

struct cw_profile *
cw_profile_load(const char *text, size_t len, const char *name, char *err,
    size_t err_cap)
{
	struct cw_profile *p;
	struct box b = { .task = BOX_LOAD };

	if (len > CW_PROFILE_TEXT_MAX) {
		snprintf(err, err_cap, "%s: larger than %u KiB", name,
		    CW_PROFILE_TEXT_MAX >> 10);
		return NULL;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL ||
	    (p->text = malloc(len + 1)) == NULL) {
		snprintf(err, err_cap, "%s: out of memory", name);
		free(p);
		return NULL;
	}
	memcpy(p->text, text, len);
	p->len = len;
	snprintf(p->chunk, sizeof(p->chunk), "@%.50s", name);

	b.p = p;
	if (cw_box_run(&b) < 0) {
		snprintf(err, err_cap, "%s", p->err);
		cw_profile_free(p);
		return NULL;
	}
	return p;
}

struct cw_profile *
cw_profile_load_file(const char *path, char *err, size_t err_cap)
{
	const char *name = strrchr(path, '/');
	struct cw_profile *p = NULL;
	char *text = NULL;
	size_t len;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		return NULL;
	}
	if ((text = malloc(CW_PROFILE_TEXT_MAX + 1)) == NULL) {
		snprintf(err, err_cap, "%s: out of memory", path);
		goto out;
	}
	len = fread(text, 1, CW_PROFILE_TEXT_MAX + 1, f);
	if (ferror(f)) {
		snprintf(err, err_cap, "%s: %s", path, strerror(errno));
		goto out;
	}
	p = cw_profile_load(text, len, name != NULL ? name + 1 : path, err,
	    err_cap);
out:
	free(text);
	fclose(f);
	return p;
}

void
cw_profile_free(struct cw_profile *p)
{
	if (p == NULL)
		return;
	free(p->text);
	free(p->code);
	free(p->arena);
	free(p);
}

const char *
cw_profile_name(const struct cw_profile *p)
{
	return p->name;
}

bool
cw_profile_has_cos(const struct cw_profile *p)
{
	return p->has_cos;
}

bool
cw_profile_has_record(const struct cw_profile *p)
{
	return p->has_record;
}

const struct cw_field_spec *
cw_profile_fields(const struct cw_profile *p, unsigned int *cnt)
{
	*cnt = p->field_cnt;
	return p->field;
}

bool
cw_profile_secret(const struct cw_profile *p, const char *field)
{
	unsigned int i;

	for (i = 0; i < p->field_cnt; i++) {
		if (strcmp(p->field[i].name, field) == 0)
			return p->secret[i];
	}
	return true;
}

const char *
cw_profile_error(const struct cw_profile *p)
{
	return p->err;
}

static int
compile(struct box *b, uint8_t *out, size_t cap)
{
	struct cw_profile *p = b->p;
	uint16_t bad = 0;
	int res;

	cw_prog_start(&b->prog, out, cap);
	res = cw_box_run(b);
	if (res == CW_OK && b->prog.cnt == 0)
		return 0;
	if (res == CW_OK && cw_prog_check(out, b->prog.len, &bad) < 0) {
		snprintf(p->err, sizeof(p->err), "%s:%d: a reader will not "
		    "take this step; see docs/spec/program.md", p->chunk + 1,
		    bad < b->line_cnt ? b->line[bad] : 0);
		res = CW_EFORMAT;
	}
	if (res == CW_OK)
		res = cw_prog_end(&b->prog);

	/* Half a program may hold half a record. */
	if (res < 0)
		explicit_bzero(out, cap);
	return res;
}

int
cw_profile_compile_cos(struct cw_profile *p, const struct cw_profile_order *o,
    uint8_t *out, size_t cap)
{
	struct box b = { .p = p, .task = BOX_COS, .order = o };

	if (!p->has_cos) {
		snprintf(p->err, sizeof(p->err), "%s: has no function "
		    "cos(order), but the order has a COS image", p->chunk + 1);
		return CW_EUNSUPPORTED;
	}
	return compile(&b, out, cap);
}

int
cw_profile_compile_record(struct cw_profile *p,
    const struct cw_profile_record *r, uint8_t *out, size_t cap)
{
	struct box b = { .p = p, .task = BOX_RECORD, .record = r };

	if (!p->has_record) {
		snprintf(p->err, sizeof(p->err), "%s: has no function "
		    "record(fields, job), but the order has records",
		    p->chunk + 1);
		return CW_EUNSUPPORTED;
	}
	return compile(&b, out, cap);
}

int
cw_profile_compile_answer(struct cw_profile *p,
    const struct cw_profile_record *r, const struct cw_profile_captures *c,
    uint8_t *out, size_t cap)
{
	struct box b = { .p = p, .task = BOX_ANSWER, .record = r, .captured = c };
	int n;

	if (!p->has_answer) {
		snprintf(p->err, sizeof(p->err), "%s: has no function "
		    "answer(fields, job, captured), but a card asks",
		    p->chunk + 1);
		return CW_EUNSUPPORTED;
	}
	n = compile(&b, out, cap);
	if (n != 0)
		return n;
	snprintf(p->err, sizeof(p->err), "%s: answer() appends no step",
	    p->chunk + 1);
	return CW_EFORMAT;
}
