/* SPDX-License-Identifier: Apache-2.0 */
#include "api_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/outcome.h"

#define PAGE 64u
#define LIST_MAX 1000
#define TRACE_MAX (16u * 1024u)
#define CARDS_MAX 32
#define DUPS_MAX 5000u
#define ROW_MAX 2048u		/* one line of a stream */

enum form { FORM_JSON, FORM_NDJSON, FORM_CSV };

/* Place of the last result seen, as the next of its page gave it. */
static bool
query_after(struct cw_hreq *r, struct cw_st_result_page *p)
{
	const char *text = cw_hreq_query(r, "after");
	char end;

	if (text == NULL)
		return true;
	if (sscanf(text, "%" SCNu64 ".%" SCNu64 "%c", &p->after_record,
	    &p->after_id, &end) == 2)
		return true;
	cw_hreq_problem(r, CW_PB_QUERY, "after must be taken from the next of "
	    "the page before");
	return false;
}

static bool
query_form(struct cw_hreq *r, enum form *form)
{
	const char *text = cw_hreq_query(r, "format");

	*form = FORM_JSON;
	if (text == NULL || strcmp(text, "json") == 0)
		return true;
	*form = strcmp(text, "csv") == 0 ? FORM_CSV : FORM_NDJSON;
	if (*form == FORM_CSV || strcmp(text, "ndjson") == 0)
		return true;
	cw_hreq_problem(r, CW_PB_QUERY, "format must be json, ndjson or csv");
	return false;
}

/* All results of an order as lines, fetched page by page. */
struct rows {
	struct cw_api *a;
	enum form form;
	struct cw_st_result_page page;
	struct cw_st_result buf[PAGE];
	int cnt, idx;
	char line[ROW_MAX];
	size_t line_len, line_off;
	bool begun;
};

static void
row_csv(struct rows *s, const struct cw_st_result *res)
{
	char serial[33] = "";

	if (res->serial_len <= sizeof(res->serial))
		cw_hex(serial, res->serial, res->serial_len);
	s->line_len = (size_t)snprintf(s->line, sizeof(s->line),
	    "%" PRIu64 ",%" PRIu32 ",%s,%s,%04X,%u,%u,%u.%u.%u.%u,%" PRIu32
	    ",%" PRIu32 ",%" PRIu64 ",%s,%u\n", res->record, res->epoch,
	    cw_api_verdict_word(res->verdict), cw_outcome_word(res->outcome),
	    res->sw, res->step, res->station, res->reader >> 24,
	    res->reader >> 16 & 0xFF, res->reader >> 8 & 0xFF,
	    res->reader & 0xFF, res->card_no, res->ms, res->time_ms, serial,
	    res->stray);
}

static void
row_ndjson(struct rows *s, const struct cw_st_result *res)
{
	json_t *j = cw_api_result_json(res);
	size_t n = j == NULL ? 0 : json_dumpb(j, s->line, sizeof(s->line) - 1,
	    JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(j);
	if (n >= sizeof(s->line))
		n = 0;
	s->line[n++] = '\n';
	s->line_len = n;
}

/* Puts the next line into s->line; false at the end. */
static bool
rows_next(struct rows *s)
{
	s->line_off = s->line_len = 0;
	if (!s->begun && s->form == FORM_CSV) {
		s->begun = true;
		s->line_len = (size_t)snprintf(s->line, sizeof(s->line),
		    "record,attempt,verdict,cause,sw,step,station,reader,card,"
		    "ms,time_ms,serial,stray\n");
		return true;
	}
	if (s->idx == s->cnt) {
		s->idx = 0;
		s->cnt = s->a->cfg.store->ops->result_list(s->a->cfg.store->h,
		    &s->page, s->buf, PAGE);
		if (s->cnt <= 0) {
			s->cnt = 0;
			return false;
		}
		s->page.after_record = s->buf[s->cnt - 1].record;
		s->page.after_id = s->buf[s->cnt - 1].id;
	}
	if (s->form == FORM_CSV)
		row_csv(s, &s->buf[s->idx++]);
	else
		row_ndjson(s, &s->buf[s->idx++]);
	return true;
}

static ssize_t
rows_pull(void *user, char *buf, size_t cap)
{
	struct rows *s = user;
	size_t done = 0, n;

	while (done < cap) {
		if (s->line_off == s->line_len && !rows_next(s))
			break;
		n = s->line_len - s->line_off;
		if (n > cap - done)
			n = cap - done;
		memcpy(buf + done, s->line + s->line_off, n);
		s->line_off += n;
		done += n;
	}
	return done > 0 ? (ssize_t)done : -1;
}

static void
answer_rows(struct cw_hreq *r, enum form form, const struct cw_st_result_page *p)
{
	struct rows *s = calloc(1, sizeof(*s));
	struct cw_hstream stream = { .pull = rows_pull, .fini = free, .user = s };

	if (s == NULL) {
		cw_api_store_error(r, CW_ENOMEM);
		return;
	}
	s->a = cw_hreq_ctx(r);
	s->form = form;
	s->page = *p;
	cw_hreq_stream(r, form == FORM_CSV ? "text/csv; charset=utf-8" :
	    "application/x-ndjson", &stream);
}

static void
answer_page(struct cw_hreq *r, const struct cw_st_result_page *p, uint64_t limit)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_st_result *list = calloc(limit, sizeof(*list));
	json_t *out, *next = NULL;
	char path[160];
	int n;

	n = list == NULL ? CW_ENOMEM : a->cfg.store->ops->result_list(
	    a->cfg.store->h, p, list, limit);
	if (n < 0) {
		free(list);
		cw_api_store_error(r, n);
		return;
	}
	out = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(out, cw_api_result_json(&list[i]));
	if ((uint64_t)n == limit) {
		int len = snprintf(path, sizeof(path), "/api/v1/orders/%" PRIu64
		    "/%s?after=%" PRIu64 ".%" PRIu64 "&limit=%" PRIu64, p->order,
		    p->wrong_only ? "faults" : "results", list[n - 1].record,
		    list[n - 1].id, limit);

		if (p->record != 0)
			snprintf(path + len, sizeof(path) - (size_t)len,
			    "&record=%" PRIu64, p->record);
		next = json_string(path);
	}
	free(list);
	cw_hreq_json(r, 200, json_pack("{s:o, s:o}", "results", out,
	    "next", next != NULL ? next : json_null()));
}

static void
results(struct cw_hreq *r, bool wrong_only)
{
	static const struct cw_api_range limits = { .dflt = 100, .min = 1, .max = LIST_MAX };
	static const struct cw_api_range records = { .dflt = 0, .min = 1, .max = INT64_MAX };
	struct cw_st_result_page p = { .wrong_only = wrong_only };
	struct cw_st_order o;
	enum form form;
	uint64_t limit;

	if (!cw_api_find_order(r, &o) ||
	    !cw_api_query_u64(r, "limit", &limits, &limit) ||
	    !cw_api_query_u64(r, "record", &records, &p.record) ||
	    !query_after(r, &p) || !query_form(r, &form))
		return;
	p.order = o.id;
	if (form == FORM_JSON)
		answer_page(r, &p, limit);
	else
		answer_rows(r, form, &p);
}

void
cw_api_results(struct cw_hreq *r)
{
	results(r, false);
}

void
cw_api_faults(struct cw_hreq *r)
{
	results(r, true);
}

static json_t *
record_json(const struct cw_st_record *rec)
{
	return json_pack("{s:I, s:I, s:s, s:I, s:i, s:i, s:o, s:o, s:b}",
	    "order", (json_int_t)rec->order, "record", (json_int_t)rec->record,
	    "state", cw_record_state_word(rec->state),
	    "attempts", (json_int_t)rec->epoch, "tries", (int)rec->tries,
	    "blanks", (int)rec->blanks,
	    "iccid", rec->iccid[0] != '\0' ? json_string(rec->iccid) : json_null(),
	    "reader", cw_api_ip(rec->addr), "data_held", rec->has_payload);
}

/* Results with their traces. */
static json_t *
traced_json(struct cw_api *a, const struct cw_st_result *res, int cnt)
{
	json_t *out = json_array();
	char *text = malloc(TRACE_MAX);

	for (int i = 0; text != NULL && i < cnt; i++) {
		json_t *j = cw_api_result_json(&res[i]);
		int n = a->cfg.store->ops->result_trace(a->cfg.store->h,
		    res[i].id, text, TRACE_MAX);

		json_object_set_new(j, "trace", n > 0 ?
		    json_stringn(text, (size_t)n) : json_null());
		json_array_append_new(out, j);
	}
	free(text);
	return out;
}

static void
answer_card(struct cw_hreq *r, const struct cw_st_record *rec,
    const struct cw_st_result *res, int cnt)
{
	cw_hreq_json(r, 200, json_pack("{s:o, s:o}", "record",
	    rec != NULL ? record_json(rec) : json_null(),
	    "results", traced_json(cw_hreq_ctx(r), res, cnt)));
}

static void
answer_record(struct cw_hreq *r, const struct cw_st_record *rec)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_st_result_page p = { .order = rec->order, .record = rec->record };
	struct cw_st_result res[CARDS_MAX];
	int n = a->cfg.store->ops->result_list(a->cfg.store->h, &p, res, CARDS_MAX);

	if (n < 0)
		cw_api_store_error(r, n);
	else
		answer_card(r, rec, res, n);
}

static void
answer_results(struct cw_hreq *r, const struct cw_st_result *res, int cnt)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_st_record rec;
	int err = a->cfg.store->ops->record_get(a->cfg.store->h, res[0].order,
	    res[0].record, &rec);

	answer_card(r, err == 0 ? &rec : NULL, res, cnt);
}

static bool
find_iccid(struct cw_api *a, const char *q, size_t len, struct cw_st_record *rec)
{
	uint8_t fp[CW_FP_LEN];

	/* The customer's files may pad an odd number with F. */
	if (len > 0 && (q[len - 1] == 'F' || q[len - 1] == 'f'))
		len--;
	return len >= 18 && len <= 20 && strspn(q, "0123456789") >= len &&
	    cw_seal_fingerprint(a->cfg.seal, CW_FP_ICCID, q, len, fp) == 0 &&
	    a->cfg.store->ops->record_find_fp(a->cfg.store->h, fp, rec) == 0;
}

/* ORDER/RECORD */
static void
card_by_record(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	const char *text = cw_hreq_param(r, 1);
	struct cw_st_record rec;
	struct cw_st_order o;
	char *end;
	unsigned long long no = strtoull(text, &end, 10);

	if (!cw_api_find_order(r, &o))
		return;
	if (*end != '\0' || text[0] < '0' || text[0] > '9' ||
	    a->cfg.store->ops->record_get(a->cfg.store->h, o.id, no, &rec) < 0)
		cw_hreq_problem(r, CW_PB_NO_CARD, "order %llu has no record %s; "
		    "its records are 1 to %llu", (unsigned long long)o.id, text,
		    (unsigned long long)o.total);
	else
		answer_record(r, &rec);
}

/* By ICCID, else chip serial, else the machine's card number. */
void
cw_api_card(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	const char *q = cw_hreq_param(r, 0);
	struct cw_st_result res[CARDS_MAX];
	struct cw_st_record rec;
	uint8_t serial[16];
	size_t len = strlen(q);
	int n = 0;

	if (cw_hreq_param(r, 1)[0] != '\0') {
		card_by_record(r);
		return;
	}
	if (find_iccid(a, q, len, &rec)) {
		answer_record(r, &rec);
		return;
	}
	if (len > 0 && len % 2 == 0 && len <= 32) {
		n = cw_unhex(serial, sizeof(serial), q, len);
		if (n > 0)
			n = a->cfg.store->ops->result_find_serial(
			    a->cfg.store->h, serial, (size_t)n, res, CARDS_MAX);
	}
	if (n <= 0 && len <= 9 && strspn(q, "0123456789") == len)
		n = a->cfg.store->ops->result_find_card(a->cfg.store->h, 0,
		    (uint32_t)strtoul(q, NULL, 10), res, CARDS_MAX);
	if (n > 0)
		answer_results(r, res, n);
	else
		cw_hreq_problem(r, CW_PB_NO_CARD, "no ICCID, chip serial or card "
		    "number %s; ORDER/RECORD asks for a record", q);
}

/* Numbers of one kind that earlier orders own already. */
static bool
find_dups(struct cw_hreq *r, const json_t *list, enum cw_fp_kind kind, json_t *out)
{
	struct cw_api *a = cw_hreq_ctx(r);
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *text = json_string_value(item);
		uint8_t fp[CW_FP_LEN];
		struct cw_st_record rec;

		if (text == NULL || cw_seal_fingerprint(a->cfg.seal, kind, text,
		    strlen(text), fp) < 0) {
			cw_hreq_problem(r, CW_PB_JSON, "number %zu is not a string "
			    "of 5 to 32 digits", i);
			return false;
		}
		if (a->cfg.store->ops->record_find_fp(a->cfg.store->h, fp, &rec) < 0)
			continue;
		json_array_append_new(out, json_pack("{s:s, s:I, s:I, s:I}",
		    "kind", kind == CW_FP_ICCID ? "iccid" : "imsi",
		    "index", (json_int_t)i, "order", (json_int_t)rec.order,
		    "record", (json_int_t)rec.record));
	}
	return true;
}

void
cw_api_duplicates(struct cw_hreq *r)
{
	json_error_t je;
	size_t len;
	const uint8_t *body = cw_hreq_body(r, &len);
	json_t *doc = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, &je);
	json_t *iccid = NULL, *imsi = NULL, *out = json_array();

	if (doc == NULL || json_unpack_ex(doc, &je, JSON_STRICT, "{s?o, s?o}",
	    "iccid", &iccid, "imsi", &imsi) < 0)
		cw_hreq_problem(r, CW_PB_JSON, "line %d, column %d: %s; wanted: "
		    "{\"iccid\": [DIGITS...], \"imsi\": [DIGITS...]}",
		    je.line, je.column, je.text);
	else if (json_array_size(iccid) + json_array_size(imsi) > DUPS_MAX)
		cw_hreq_problem(r, CW_PB_TOO_LARGE, "at most %u numbers at once",
		    DUPS_MAX);
	else if (find_dups(r, iccid, CW_FP_ICCID, out) &&
	    find_dups(r, imsi, CW_FP_IMSI, out))
		cw_hreq_json(r, 200, json_pack("{s:O}", "duplicates", out));
	json_decref(out);
	json_decref(doc);
}
