/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "order/priv.h"

static const char delimiters[] = { ',', ';', '\t' };

static const char *
delimiter_word(char c)
{
	return c == ',' ? "comma" : c == ';' ? "semicolon" : "tab";
}

/* The commonest of the three outside quotes; more than one kind is a fault. */
static char
find_delimiter(struct cw_order_reader *r, const char *text, size_t len)
{
	unsigned int cnt[3] = { 0, 0, 0 }, best = 0, k, other;
	bool quoted = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		for (k = 0; k < 3 && !quoted; k++)
			cnt[k] += text[i] == delimiters[k];
	}
	for (k = 1; k < 3; k++)
		if (cnt[k] > cnt[best])
			best = k;
	for (k = 0; k < 3; k++) {
		other = cnt[k];
		if (k != best && other > 0)
			cw_order_fault(r, r->header_line, CW_OF_DELIMITER, "",
			    "the header mixes %u %s(s) with %u %s(s): use one "
			    "delimiter throughout", cnt[best],
			    delimiter_word(delimiters[best]), other,
			    delimiter_word(delimiters[k]));
	}
	return delimiters[best];
}

static const struct cw_field_spec *
find_spec(const struct cw_order_reader *r, const char *name)
{
	unsigned int i;

	for (i = 0; i < r->cfg.field_cnt; i++)
		if (strcmp(r->cfg.fields[i].name, name) == 0)
			return &r->cfg.fields[i];
	return NULL;
}

/* What a column name that the profile does not have may stand for. */
static const struct cw_field_spec *
find_alias(const struct cw_order_reader *r, struct column *c, const char *name)
{
	static const char *const ascii[] = { "adm1", "pin_adm", "adm" };
	const struct cw_field_spec *spec = NULL;
	bool is_ascii = false, is_hex = strcmp(name, "pin_adm_hex") == 0;
	size_t i;

	for (i = 0; i < 3; i++)
		is_ascii = is_ascii || strcmp(name, ascii[i]) == 0;
	if (!is_ascii && !is_hex)
		return NULL;

	for (i = 0; i < 3 && spec == NULL; i++)
		spec = find_spec(r, ascii[i]);
	if (spec != NULL) {
		c->conv = is_hex ? CONV_HEX_TO_ADM : CONV_NONE;
		c->kind = is_hex ? CW_FIELD_HEX : spec->kind;
		return spec;
	}
	spec = find_spec(r, "pin_adm_hex");
	if (spec != NULL) {
		c->conv = CONV_ADM_TO_HEX;
		c->kind = CW_FIELD_ADM;
	}
	return spec;
}

/* Name in lower case without blanks around it; false if it does not fit. */
static bool
clean_name(const struct value *v, char name[32])
{
	size_t a = 0, b = v->len, i;

	while (a < b && v->text[a] == ' ')
		a++;
	while (b > a && v->text[b - 1] == ' ')
		b--;
	if (b == a || b - a > 31)
		return false;
	for (i = a; i < b; i++)
		name[i - a] = (char)tolower((unsigned char)v->text[i]);
	name[b - a] = '\0';
	return true;
}

/* Finds out what a column is for. */
static void
name_column(struct cw_order_reader *r, struct column *c, const char *name)
{
	memset(c, 0, sizeof *c);
	memcpy(c->name, name, sizeof c->name);
	c->spec = find_spec(r, name);
	if (c->spec != NULL)
		c->kind = c->spec->kind;
	else
		c->spec = find_alias(r, c, name);
	if (c->spec != NULL) {
		c->use = COL_FIELD;
		c->coded_name[0] = (uint8_t)strlen(c->spec->name);
		memcpy(c->coded_name + 1, c->spec->name, c->coded_name[0]);
		c->coded_len = (uint8_t)(c->coded_name[0] + 1);
	} else if (strcmp(name, "reader") == 0 || strcmp(name, "card_address") == 0) {
		c->use = COL_ADDR;
		c->kind = CW_FIELD_IPV4;
	}
}

/*
 * A file without a header shows its first record here: none of its cells is a
 * column, and any may be a PIN or a key, so that none is repeated in a fault.
 */
static bool
is_header(struct cw_order_reader *r, unsigned int cnt)
{
	struct column c;
	char name[32];
	unsigned int i;

	for (i = 0; i < cnt; i++) {
		if (!clean_name(&r->value[i], name))
			continue;
		name_column(r, &c, name);
		if (c.use != COL_IGNORE)
			return true;
	}
	return false;
}

/* Beside known columns too, only what can be no digits and no hex is shown. */
static bool
is_name(const char *name)
{
	size_t len = strlen(name);

	return name[0] >= 'a' && name[0] <= 'z' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-. ") == len &&
	    strspn(name, "0123456789abcdef") < len;
}

static void
unknown_column(struct cw_order_reader *r, unsigned int idx, const char *name)
{
	static const char what[] = "the card profile has no field of this name: "
	    "remove the column or name another profile";

	if (is_name(name))
		cw_order_fault(r, r->header_line, CW_OF_COLUMN_UNKNOWN, name,
		    "%s", what);
	else
		cw_order_fault(r, r->header_line, CW_OF_COLUMN_UNKNOWN, "",
		    "column %u (%zu characters): %s", idx + 1, strlen(name), what);
}

static void
take_column(struct cw_order_reader *r, unsigned int idx)
{
	struct column *c = &r->column[idx];
	char name[32];
	unsigned int i;

	memset(c, 0, sizeof *c);
	if (!clean_name(&r->value[idx], name)) {
		cw_order_fault(r, r->header_line, CW_OF_COLUMN_NAME, "",
		    "column %u has no name or one above 31 characters", idx + 1);
		return;
	}
	name_column(r, c, name);
	if (c->use == COL_IGNORE) {
		unknown_column(r, idx, name);
		return;
	}
	for (i = 0; i < idx; i++) {
		if (r->column[i].use != c->use || r->column[i].spec != c->spec)
			continue;
		cw_order_fault(r, r->header_line, CW_OF_COLUMN_TWICE, name,
		    "columns %u and %u are for the same field: keep one",
		    i + 1, idx + 1);
		c->use = COL_IGNORE;
		return;
	}
}

void
cw_order_header(struct cw_order_reader *r, const char *text, size_t len)
{
	unsigned int cnt, i, k;

	r->header_line = r->begin;
	r->header_done = true;
	r->delimiter = find_delimiter(r, text, len);
	if (cw_order_split(r, text, len, r->delimiter, &cnt) != SPLIT_OK) {
		cw_order_fault(r, r->header_line, CW_OF_QUOTE, "",
		    "a quote stands in the wrong place in the header");
		r->dead = true;
		return;
	}
	if (cnt > CW_ORDER_COLUMNS_MAX) {
		cw_order_fault(r, r->header_line, CW_OF_COLUMN_NAME, "",
		    "%u columns: at most %d are taken", cnt, CW_ORDER_COLUMNS_MAX);
		r->dead = true;
		return;
	}
	if (!is_header(r, cnt)) {
		cw_order_fault(r, r->header_line, CW_OF_NO_HEADER, "",
		    "none of the %u values of the first line is a column of the "
		    "card profile: begin the file with a header, such as %s,...",
		    cnt, r->cfg.field_cnt > 0 ? r->cfg.fields[0].name : "iccid");
		r->dead = true;
		return;
	}
	r->column_cnt = cnt;
	for (i = 0; i < cnt; i++)
		take_column(r, i);

	for (k = 0; k < r->cfg.field_cnt; k++) {
		for (i = 0; i < cnt; i++)
			if (r->column[i].spec == &r->cfg.fields[k])
				break;
		if (i == cnt && r->cfg.fields[k].required)
			cw_order_fault(r, r->header_line, CW_OF_COLUMN_MISSING,
			    r->cfg.fields[k].name,
			    "the card profile needs this column");
	}
}
