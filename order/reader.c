/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "order/priv.h"

#define QUOTED_LINES_MAX 16u
#define BOM_CAP 4		/* bytes that tell every byte order mark */

struct cw_order_reader *
cw_order_new(const struct cw_order_config *cfg)
{
	struct cw_order_reader *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->cfg = *cfg;
	r->line = r->begin = 1;
	r->plain = true;
	cw_order_row_init(r);
	r->faults.list = calloc(CW_ORDER_FAULTS_MAX, sizeof *r->faults.list);
	if (r->faults.list == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void
cw_order_free(struct cw_order_reader *r)
{
	if (r == NULL)
		return;
	free(r->iccid_dups.slot);
	free(r->imsi_dups.slot);
	free(r->faults.list);
	cw_wipe(r, sizeof *r);
	free(r);
}

void
cw_order_fault(struct cw_order_reader *r, uint32_t line,
    enum cw_order_fault_code code, const char *column, const char *fmt, ...)
{
	struct cw_order_fault *f;
	va_list ap;

	r->faults.total++;
	if (r->faults.cnt == CW_ORDER_FAULTS_MAX)
		return;
	f = &r->faults.list[r->faults.cnt++];
	f->line = line;
	f->code = code;
	snprintf(f->column, sizeof f->column, "%s", column);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
}

const struct cw_order_faults *
cw_order_faults(const struct cw_order_reader *r)
{
	return &r->faults;
}

static int
fault_cmp(const void *pa, const void *pb)
{
	const struct cw_order_fault *a = pa, *b = pb;

	/* Faults of the file as a whole (line 0) come last. */
	if (a->line != b->line)
		return a->line - 1 < b->line - 1 ? -1 : 1;
	if (a->code != b->code)
		return a->code < b->code ? -1 : 1;
	return strcmp(a->column, b->column);
}

void
cw_order_faults_sort(struct cw_order_reader *r)
{
	qsort(r->faults.list, r->faults.cnt, sizeof *r->faults.list, fault_cmp);
}

uint64_t
cw_order_record_cnt(const struct cw_order_reader *r)
{
	return r->record;
}

uint32_t
cw_order_line_of(const struct cw_order_reader *r, uint64_t record)
{
	return r->plain ? (uint32_t)record + r->header_line : 0;
}

/* Bytes that no line may hold; true if the line is sound. */
static bool
check_bytes(struct cw_order_reader *r, const char *text, size_t len)
{
	unsigned int seen = cw_order_seen(text, len);

	if ((seen & SEEN_NUL) != 0) {
		cw_order_fault(r, r->begin, CW_OF_BINARY, "",
		    "a NUL byte: this is no text file, or UTF-16: save it as UTF-8");
		return false;
	}
	if ((seen & SEEN_HIGH) != 0 && !cw_order_utf8(text, len)) {
		cw_order_fault(r, r->begin, CW_OF_UTF8, "",
		    "not UTF-8: save the file as UTF-8");
		return false;
	}
	if ((seen & SEEN_CONTROL) != 0 && r->begin == r->line) {
		cw_order_fault(r, r->begin, CW_OF_VALUE_FORM, "",
		    "a control character stands in the line");
		return false;
	}
	return true;
}

/* Whether a record that ends here ends inside quotes. */
static bool
is_open(struct cw_order_reader *r, const char *text, size_t len)
{
	unsigned int cnt;

	if (memchr(text, '"', len) == NULL)
		return false;
	return cw_order_split(r, text, len,
	    r->header_done ? r->delimiter : ',', &cnt) == SPLIT_OPEN;
}

/* A record is whole (without its line end). */
static void
take_record(struct cw_order_reader *r, const char *text, size_t len)
{
	if (r->blank_line != 0 && len > 0 && r->header_done) {
		cw_order_fault(r, r->blank_line, CW_OF_COLUMN_COUNT, "",
		    "an empty line inside the file: remove it");
		r->blank_line = 0;
		r->plain = false;
	}
	if (len == 0) {
		if (r->blank_line == 0)
			r->blank_line = r->begin;
		return;
	}
	if (!r->header_done) {
		if (r->blank_line != 0 || !check_bytes(r, text, len)) {
			if (r->blank_line != 0)
				cw_order_fault(r, r->blank_line, CW_OF_COLUMN_NAME,
				    "", "the first line must be the header");
			r->dead = true;
			r->header_done = true;
			return;
		}
		cw_order_header(r, text, len);
		return;
	}
	r->last_fixed = false;
	if (r->record == CW_ORDER_RECORDS_MAX) {
		r->err = CW_ELIMIT;
		return;
	}
	r->record++;
	if (r->begin != r->line)
		r->plain = false;
	if (check_bytes(r, text, len))
		cw_order_row_take(r, text, len);
}

/* Gives up the record at hand; reading goes on behind the next line end. */
static void
give_up(struct cw_order_reader *r, bool in_quotes)
{
	if (in_quotes)
		cw_order_fault(r, r->begin, CW_OF_QUOTE, "",
		    "a quote that is opened in this line is not closed");
	else
		cw_order_fault(r, r->begin, CW_OF_LINE_LONG, "",
		    "longer than %u bytes: line ends are missing or this is no "
		    "order file", CW_ORDER_LINE_MAX);
	if (r->header_done)
		r->record++;
	else
		r->dead = true;
	r->plain = false;
	cw_wipe(r->carry, r->carry_len);
	r->carry_len = 0;
	r->skip = true;
}

/*
 * One physical line, without LF, stands at text (in the carry buffer or in the
 * caller's).  False: it ends inside quotes and must be kept with its LF.
 */
static bool
take_line(struct cw_order_reader *r, const char *text, size_t len)
{
	size_t end = len;

	if (end > 0 && text[end - 1] == '\r')
		end--;
	if (is_open(r, text, len)) {
		/* No value has that many lines: the closing quote is missing. */
		if (r->line - r->begin < QUOTED_LINES_MAX)
			return false;
		give_up(r, true);
		r->skip = false;
		return true;
	}
	take_record(r, text, end);
	return true;
}

static void
keep(struct cw_order_reader *r, const char *text, size_t len)
{
	if (r->carry_len + len > sizeof r->carry) {
		give_up(r, false);
		return;
	}
	memcpy(r->carry + r->carry_len, text, len);
	r->carry_len += len;
}

/* Bytes up to and including an LF at nl, or the rest of a chunk (nl NULL). */
static const char *
take_piece(struct cw_order_reader *r, const char *p, const char *end,
    const char *nl)
{
	bool whole;

	if (r->skip) {
		if (nl == NULL)
			return end;
		r->skip = false;
		r->line++;
		return nl + 1;
	}
	if (r->carry_len == 0)
		r->begin = r->line;
	if (nl == NULL) {
		keep(r, p, (size_t)(end - p));
		return end;
	}
	if (r->carry_len == 0 && (size_t)(nl - p) < sizeof r->carry) {
		whole = take_line(r, p, (size_t)(nl - p));
		if (!whole)
			keep(r, p, (size_t)(nl + 1 - p));
	} else {
		keep(r, p, (size_t)(nl - p));
		whole = !r->skip && take_line(r, r->carry, r->carry_len);
		if (r->skip) {
			r->skip = false;
		} else if (!whole) {
			keep(r, nl, 1);
		} else {
			cw_wipe(r->carry, r->carry_len);
			r->carry_len = 0;
		}
	}
	r->line++;
	return nl + 1;
}

/* The first bytes are there: drop a UTF-8 BOM; another coding gives one clear
 * fault instead of thousands.  Then they are read like all others. */
static void
open_file(struct cw_order_reader *r)
{
	char first[BOM_CAP];
	const char *p = first, *end = first + r->carry_len;

	memcpy(first, r->carry, r->carry_len);
	r->bom_done = true;
	if (r->carry_len >= 3 && memcmp(first, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
	} else if (r->carry_len >= 2 && (memcmp(first, "\xff\xfe", 2) == 0 ||
	    memcmp(first, "\xfe\xff", 2) == 0)) {
		cw_order_fault(r, 1, CW_OF_UTF8, "",
		    "the file is UTF-16: save it as UTF-8");
		r->dead = true;
	}
	r->carry_len = 0;
	while (p < end && !r->dead && r->err == 0)
		p = take_piece(r, p, end, memchr(p, '\n', (size_t)(end - p)));
}

int
cw_order_feed(struct cw_order_reader *r, const uint8_t *buf, size_t len)
{
	const char *p = (const char *)buf, *end = p + len;
	size_t n;

	if (!r->bom_done && len > 0) {
		n = BOM_CAP - r->carry_len < len ? BOM_CAP - r->carry_len : len;
		memcpy(r->carry + r->carry_len, p, n);
		r->carry_len += n;
		p += n;
		if (r->carry_len == BOM_CAP)
			open_file(r);
	}
	while (p < end && !r->dead && r->err == 0)
		p = take_piece(r, p, end, memchr(p, '\n', (size_t)(end - p)));
	return r->err;
}

/* What stands behind the last line end. */
static void
take_rest(struct cw_order_reader *r)
{
	uint64_t before = r->faults.total;
	size_t len;

	if (!r->bom_done)
		open_file(r);
	len = r->carry_len;
	if (r->dead || r->skip || len == 0)
		return;
	if (is_open(r, r->carry, len)) {
		r->record += r->header_done;
		cw_order_fault(r, r->begin, CW_OF_TRUNCATED, "",
		    "the file ends inside quotes: it is cut off or a quote is "
		    "not closed");
		return;
	}
	if (r->carry[len - 1] == '\r')
		len--;
	take_record(r, r->carry, len);
	if (r->err == 0 && r->record > 0 && !r->last_fixed)
		cw_order_fault(r, r->begin, CW_OF_TRUNCATED, "", "%s",
		    before == r->faults.total ?
		    "the last line has no line end and may be cut off: if it is "
		    "whole, add a line end" :
		    "the last line has no line end: the file is cut off");
}

int
cw_order_end(struct cw_order_reader *r)
{
	if (r->err < 0)
		return r->err;
	take_rest(r);
	cw_wipe(r->carry, r->carry_len);
	r->carry_len = 0;
	if (r->err < 0)
		return r->err;
	if (!r->header_done && r->faults.total == 0)
		cw_order_fault(r, 0, CW_OF_EMPTY_FILE, "",
		    "the file is empty: a header line and one line per card are "
		    "expected");
	else if (!r->dead && r->record == 0 && r->header_done)
		cw_order_fault(r, 0, CW_OF_NO_RECORDS, "",
		    "there is a header but no record");
	else if (!r->dead && r->cfg.want_count != 0 &&
	    r->cfg.want_count != r->record)
		cw_order_fault(r, 0, CW_OF_COUNT, "",
		    "%llu records, but %llu were announced: the file is cut off or "
		    "the count is wrong", (unsigned long long)r->record,
		    (unsigned long long)r->cfg.want_count);
	cw_order_faults_sort(r);
	return r->faults.total > 0 ? CW_EFORMAT : 0;
}
