/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "cw/cosimg.h"
#include "cw/err.h"
#include "cw/package.h"

/*
 * What bytes without an identifier are, by their format alone.  Every sign is
 * looked for; only one kind may show any.  A wrong guess would write a person's
 * data as code or code as data, so doubt is an answer.
 */

/* The identifier's first characters: whoever wrote them meant the identifier. */
static const uint8_t half_mark[] = { 'C', 'W', 'P', 'K', 'G' };
static const uint8_t cos_mark[] = { 'C', 'W', 'C', 'O', 'S', 0 };

static bool
begins(const uint8_t *buf, size_t len, const uint8_t *mark, size_t mark_len)
{
	return len >= mark_len && memcmp(buf, mark, mark_len) == 0;
}

/* A whole Intel HEX or S-record text, every check sum right. */
static bool
is_hex_image(const uint8_t *buf, size_t len)
{
	struct cw_cosimg c;

	cw_cosimg_init(&c, CW_COS_AUTO, NULL, CW_COS_MAX, NULL);
	return cw_cosimg_feed(&c, buf, len) == 0 && cw_cosimg_end(&c) == 0 &&
	    c.format != CW_COS_RAW;
}

struct text {
	const uint8_t *p;
	size_t len;
};

/* Takes one line off the rest, without its CR LF; false at the end. */
static bool
take_line(struct text *rest, struct text *line)
{
	size_t used = 0;

	if (rest->len == 0)
		return false;
	while (used < rest->len && rest->p[used] != '\n')
		used++;
	line->p = rest->p;
	line->len = used;
	if (used < rest->len)
		used++;
	rest->p += used;
	rest->len -= used;
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

static bool
is_printable(const struct text *t)
{
	size_t i;

	for (i = 0; i < t->len; i++)
		if ((t->p[i] < 0x20 && t->p[i] != '\t') || t->p[i] == 0x7f)
			return false;
	return true;
}

/* Takes one cell off a CSV line; quotes hide a separator. */
static bool
take_cell(struct text *line, char sep, struct text *cell, bool *last)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < line->len; i++) {
		if (line->p[i] == '"')
			quoted = !quoted;
		if (line->p[i] == (uint8_t)sep && !quoted)
			break;
	}
	*last = i == line->len;
	cell->p = line->p;
	cell->len = i;
	line->p += *last ? i : i + 1;
	line->len -= *last ? i : i + 1;
	return !quoted;
}

static bool
is_personal_name(const struct text *cell)
{
	static const char *const names[] = { "iccid", "imsi", "ki" };
	size_t i, k;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strlen(names[i]) != cell->len)
			continue;
		for (k = 0; k < cell->len; k++)
			if ((cell->p[k] | 0x20) != names[i][k])
				break;
		if (k == cell->len)
			return true;
	}
	return false;
}

/* Cells of a line, 0 if its quotes do not close; *personal if a name of one
 * person's data is among them. */
static size_t
count_cells(struct text line, char sep, bool *personal)
{
	struct text cell;
	bool last = false;
	size_t cnt = 0;

	*personal = false;
	while (!last) {
		if (!take_cell(&line, sep, &cell, &last))
			return 0;
		*personal = *personal || is_personal_name(&cell);
		cnt++;
	}
	return cnt;
}

/* One header line with a personal column, one data line, as many cells. */
static bool
is_csv_record(const uint8_t *buf, size_t len)
{
	static const uint8_t bom[] = { 0xef, 0xbb, 0xbf };
	static const char seps[] = { ',', ';', '\t' };
	struct text rest = { buf, len };
	struct text head, data, more;
	size_t i;

	if (begins(buf, len, bom, sizeof bom)) {
		rest.p += sizeof bom;
		rest.len -= sizeof bom;
	}
	if (!take_line(&rest, &head) || !take_line(&rest, &data) ||
	    data.len == 0 || !is_printable(&head) || !is_printable(&data))
		return false;
	while (take_line(&rest, &more))
		if (more.len > 0)
			return false;

	for (i = 0; i < sizeof seps; i++) {
		bool personal, unused;
		size_t cnt = count_cells(head, seps[i], &personal);

		if (cnt > 0 && personal &&
		    count_cells(data, seps[i], &unused) == cnt)
			return true;
	}
	return false;
}

enum cw_pkg_kind
cw_pkg_guess(const uint8_t *buf, size_t len, const char **why)
{
	const char *nobody;
	bool hex, raw, record, csv;

	if (why == NULL)
		why = &nobody;
	if (begins(buf, len, half_mark, sizeof half_mark)) {
		*why = "begins like a package identifier, but a damaged one";
		return CW_PKG_UNKNOWN;
	}

	hex = is_hex_image(buf, len);
	raw = begins(buf, len, cos_mark, sizeof cos_mark);
	record = cw_record_check(buf, len) > 0;
	csv = is_csv_record(buf, len);
	if ((hex || raw) == (record || csv)) {
		*why = "not exactly one of a known image and one record";
		return CW_PKG_UNKNOWN;
	}
	if (hex || raw) {
		*why = hex ? "Intel HEX or S-record text with right check sums" :
		    "begins with the image mark CWCOS";
		return CW_PKG_COS;
	}
	*why = record ? "one record in field coding" :
	    "a CSV header with a personal column and one data line";
	return CW_PKG_PERSONAL;
}
