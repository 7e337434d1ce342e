/* SPDX-License-Identifier: Apache-2.0 */
#include "api_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"

#define LIST_MAX 500

static const struct cw_api_range limit_range = { .dflt = 50, .min = 1, .max = LIST_MAX };
static const struct cw_api_range id_range = { .dflt = 0, .min = 0, .max = INT64_MAX };

/* "state": one state's word, or "active". False: answered. */
static bool
query_states(struct cw_hreq *r, uint32_t *states)
{
	const char *word = cw_hreq_query(r, "state");
	int state;

	*states = 0;
	if (word == NULL)
		return true;
	if (strcmp(word, "active") == 0) {
		*states = CW_ST_BIT(CW_ORD_READY) | CW_ST_BIT(CW_ORD_RUNNING) |
		    CW_ST_BIT(CW_ORD_PAUSED) | CW_ST_BIT(CW_ORD_CANCELLING) |
		    CW_ST_BIT(CW_ORD_BLOCKED);
		return true;
	}
	state = cw_order_state_find(word);
	if (state < 0 || state == CW_ORD_INTAKE) {
		cw_hreq_problem(r, CW_PB_QUERY, "state must be active, ready, "
		    "running, paused, cancelling, cancelled, blocked, done or "
		    "closed");
		return false;
	}
	*states = CW_ST_BIT(state);
	return true;
}

void
cw_api_orders(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_st_page page = { .newest_first = true };
	struct cw_st_order *list;
	uint64_t limit;
	json_t *out, *next = NULL;
	char path[160];
	int n;

	if (!cw_api_query_u64(r, "limit", &limit_range, &limit) ||
	    !cw_api_query_u64(r, "after", &id_range, &page.after) ||
	    !query_states(r, &page.states))
		return;
	list = calloc(limit, sizeof(*list));
	n = list == NULL ? CW_ENOMEM : a->cfg.store->ops->order_list(
	    a->cfg.store->h, &page, list, limit);
	if (n < 0) {
		free(list);
		cw_api_store_error(r, n);
		return;
	}
	out = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(out, cw_api_order_json(a, &list[i]));
	if ((uint64_t)n == limit) {
		const char *state = cw_hreq_query(r, "state");

		snprintf(path, sizeof(path), "/api/v1/orders?after=%llu&limit=%llu"
		    "%s%s", (unsigned long long)list[n - 1].id,
		    (unsigned long long)limit, state != NULL ? "&state=" : "",
		    state != NULL ? state : "");
		next = json_string(path);
	}
	free(list);
	cw_hreq_json(r, 200, json_pack("{s:o, s:o}", "orders", out,
	    "next", next != NULL ? next : json_null()));
}

void
cw_api_order(struct cw_hreq *r)
{
	struct cw_st_order o;

	if (cw_api_find_order(r, &o))
		cw_hreq_json(r, 200, cw_api_order_json(cw_hreq_ctx(r), &o));
}

void
cw_api_report(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_ledger_report *rep;
	struct cw_st_order o;
	int err;

	if (!cw_api_find_order(r, &o))
		return;
	rep = calloc(1, sizeof(*rep));
	err = rep == NULL ? CW_ENOMEM :
	    cw_ledger_report(a->cfg.store, o.id, rep);
	if (err < 0)
		cw_api_store_error(r, err);
	else
		cw_hreq_json(r, 200, cw_api_report_json(a, rep));
	free(rep);
}

/* Why an order is not closed on its own: the report's sentence. */
static void
close_refused(struct cw_hreq *r, uint64_t order)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_ledger_report *rep = calloc(1, sizeof(*rep));
	bool known = rep != NULL &&
	    cw_ledger_report(a->cfg.store, order, rep) == 0;

	cw_hreq_problem(r, CW_PB_STATE, "order %llu does not add up%s%s: see its "
	    "report, count, then close it with a reason (?why=TEXT)",
	    (unsigned long long)order, known && rep->adds_up ? " yet, " :
	    known ? ", " : "", known ? rep->why : "");
	free(rep);
}

/* The four actions that only change an order's state. */
static void
act(struct cw_hreq *r, int (*fn)(struct cw_ledger *l, uint64_t order,
    const char *why, uint64_t now_ms), const char *what)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_st_order o;
	int err;

	if (!cw_api_find_order(r, &o))
		return;
	err = fn(a->cfg.ledger, o.id, cw_hreq_query(r, "why"), cw_api_now(a));
	if (err == CW_ESTATE)
		cw_hreq_problem(r, CW_PB_STATE, "order %llu is %s: it cannot be "
		    "%s", (unsigned long long)o.id, cw_order_state_word(o.state),
		    what);
	else if (err == CW_EBUSY)
		close_refused(r, o.id);
	else if (err < 0)
		cw_api_store_error(r, err);
	else
		cw_api_order(r);
}

void
cw_api_pause(struct cw_hreq *r)
{
	act(r, cw_ledger_pause, "paused");
}

void
cw_api_resume(struct cw_hreq *r)
{
	act(r, cw_ledger_resume, "resumed");
}

void
cw_api_cancel(struct cw_hreq *r)
{
	act(r, cw_ledger_cancel, "cancelled");
}

void
cw_api_close(struct cw_hreq *r)
{
	act(r, cw_ledger_close_order, "closed before every record is ended");
}

void
cw_api_remake(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_st_order o;
	uint64_t record;
	int n;

	if (!cw_api_find_order(r, &o) ||
	    !cw_api_query_u64(r, "record", &id_range, &record))
		return;
	n = cw_ledger_remake(a->cfg.ledger, o.id, record,
	    cw_hreq_query(r, "why"), cw_api_now(a));
	if (n == CW_ENOENT)
		cw_hreq_problem(r, CW_PB_NO_CARD, "order %llu has no record "
		    "%llu", (unsigned long long)o.id, (unsigned long long)record);
	else if (n == CW_ESTATE || (n == 0 && record != 0))
		cw_hreq_problem(r, CW_PB_STATE, "order %llu is %s, and only "
		    "failed and doubtful records whose data is still held can be "
		    "made again", (unsigned long long)o.id,
		    cw_order_state_word(o.state));
	else if (n < 0)
		cw_api_store_error(r, n);
	else if (a->cfg.store->ops->order_get(a->cfg.store->h, o.id, &o) == 0)
		cw_hreq_json(r, 200, json_pack("{s:i, s:o}", "records", n,
		    "order", cw_api_order_json(a, &o)));
}

void
cw_api_writeoff(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_ledger_writeoff w = { .terminal = cw_hreq_param(r, 0) };
	json_error_t je;
	size_t len;
	const uint8_t *body = cw_hreq_body(r, &len);
	json_t *doc = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, &je);
	int n;

	if (doc == NULL || json_unpack_ex(doc, &je, JSON_STRICT,
	    "{s:s, s:s, s:s}", "first", &w.first, "second", &w.second,
	    "why", &w.why) < 0) {
		cw_hreq_problem(r, CW_PB_JSON, "line %d, column %d: %s; wanted: "
		    "{\"first\": PERSON, \"second\": PERSON, \"why\": TEXT}",
		    je.line, je.column, je.text);
		json_decref(doc);
		return;
	}
	n = cw_ledger_writeoff(a->cfg.ledger, &w, cw_api_now(a));
	if (n == CW_ENOENT)
		cw_hreq_problem(r, CW_PB_NO_CARD, "no line %s", w.terminal);
	else if (n == CW_EBUSY)
		cw_hreq_problem(r, CW_PB_STATE, "line %s is connected: its own "
		    "journal knows best", w.terminal);
	else if (n == CW_EDENIED)
		cw_hreq_problem(r, CW_PB_STATE, "two different persons are needed");
	else if (n < 0)
		cw_api_store_error(r, n);
	else
		cw_hreq_json(r, 200, json_pack("{s:i}", "leases", n));
	json_decref(doc);
}

void
cw_api_log(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_st_event *list;
	uint64_t limit, before, order;
	json_t *out;
	int n;

	if (!cw_api_query_u64(r, "limit", &limit_range, &limit) ||
	    !cw_api_query_u64(r, "before", &id_range, &before) ||
	    !cw_api_query_u64(r, "order", &id_range, &order))
		return;
	list = calloc(limit, sizeof(*list));
	n = list == NULL ? CW_ENOMEM : a->cfg.store->ops->event_list(
	    a->cfg.store->h, order, before, list, limit);
	if (n < 0) {
		free(list);
		cw_api_store_error(r, n);
		return;
	}
	out = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(out, json_pack("{s:I, s:I, s:o, s:s?}",
		    "id", (json_int_t)list[i].id,
		    "order", (json_int_t)list[i].order,
		    "time", cw_api_time(list[i].time_ms), "text", list[i].text));
	free(list);
	cw_hreq_json(r, 200, json_pack("{s:o}", "events", out));
}
