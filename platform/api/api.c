/* SPDX-License-Identifier: Apache-2.0 */
#include "api_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "platform/intake.h"

#define BODY_MAX_DEFAULT (8ull * 1024 * 1024 * 1024)
#define SMALL_BODY 4096u
#define SWEEP_ROWS 2000u	/* a few milliseconds of deleting a tick */

static void
healthz(struct cw_hreq *r)
{
	cw_hreq_json(r, 200, json_pack("{s:s, s:s}", "status", "ok",
	    "version", CW_SOFTWARE_VERSION));
}

static void
readyz(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	char why[200] = "";

	if (a->cfg.ready != NULL && !a->cfg.ready(a->cfg.ctx, why, sizeof(why)))
		cw_hreq_problem(r, CW_PB_NOT_READY, "%s", why);
	else
		cw_hreq_json(r, 200, json_pack("{s:s}", "status", "ready"));
}

static void
list_lines(struct cw_hreq *r)
{
	cw_hreq_json(r, 200, json_pack("{s:o}", "lines",
	    cw_api_lines_json(cw_hreq_ctx(r))));
}

static void
readers(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	const char *line = cw_hreq_query(r, "line");
	json_t *list = json_array(), *lines = cw_api_lines_json(a), *l;
	size_t i;

	json_array_foreach(lines, i, l) {
		const char *name = json_string_value(json_object_get(l, "name"));

		if (line == NULL || (name != NULL && strcmp(line, name) == 0))
			json_array_extend(list, json_object_get(l, "stations"));
	}
	json_decref(lines);
	cw_hreq_json(r, 200, json_pack("{s:o}", "readers", list));
}

#define V1 "/api/v1"

/* body_max of the upload is set at start from the configuration. */
static const struct cw_hroute routes[] = {
	{ .method = "GET", .path = "/", .flags = CW_HR_OPEN, .run = cw_api_page },
	{ .method = "GET", .path = "/app.js", .flags = CW_HR_OPEN,
	  .run = cw_api_page_js },
	{ .method = "GET", .path = "/app.css", .flags = CW_HR_OPEN,
	  .run = cw_api_page_css },
	{ .method = "GET", .path = "/icon.svg", .flags = CW_HR_OPEN,
	  .run = cw_api_page_icon },
	{ .method = "GET", .path = "/healthz", .flags = CW_HR_OPEN, .run = healthz },
	{ .method = "GET", .path = "/readyz", .flags = CW_HR_OPEN, .run = readyz },
	{ .method = "POST", .path = V1 "/orders",
	  .types = " multipart/form-data ", .body_max = BODY_MAX_DEFAULT,
	  .begin = cw_api_upload_begin, .chunk = cw_api_upload_chunk,
	  .run = cw_api_upload_run, .end = cw_api_upload_end },
	{ .method = "GET", .path = V1 "/orders", .query = " after limit state ",
	  .run = cw_api_orders },
	{ .method = "GET", .path = V1 "/orders/*", .run = cw_api_order },
	{ .method = "GET", .path = V1 "/orders/*/report", .run = cw_api_report },
	{ .method = "GET", .path = V1 "/orders/*/results",
	  .query = " after limit format record ", .run = cw_api_results },
	{ .method = "GET", .path = V1 "/orders/*/faults",
	  .query = " after limit format record ", .run = cw_api_faults },
	{ .method = "POST", .path = V1 "/orders/*/pause", .query = " why ",
	  .run = cw_api_pause },
	{ .method = "POST", .path = V1 "/orders/*/resume", .query = " why ",
	  .run = cw_api_resume },
	{ .method = "POST", .path = V1 "/orders/*/cancel", .query = " why ",
	  .run = cw_api_cancel },
	{ .method = "POST", .path = V1 "/orders/*/close", .query = " why ",
	  .run = cw_api_close },
	{ .method = "POST", .path = V1 "/orders/*/remake",
	  .query = " record why ", .run = cw_api_remake },
	{ .method = "POST", .path = V1 "/lines/*/writeoff",
	  .types = " application/json ", .body_max = SMALL_BODY,
	  .run = cw_api_writeoff },
	{ .method = "POST", .path = V1 "/duplicates",
	  .types = " application/json ", .body_max = 1024 * 1024,
	  .run = cw_api_duplicates },
	{ .method = "GET", .path = V1 "/lines", .run = list_lines },
	{ .method = "GET", .path = V1 "/readers", .query = " line ",
	  .run = readers },
	{ .method = "GET", .path = V1 "/cards/*", .run = cw_api_card },
	{ .method = "GET", .path = V1 "/cards/*/*", .run = cw_api_card },
	{ .method = "GET", .path = V1 "/events", .run = cw_api_events },
	{ .method = "GET", .path = V1 "/live", .run = cw_api_live_doc },
	{ .method = "GET", .path = V1 "/log", .query = " before limit order ",
	  .run = cw_api_log },
};

bool
cw_api_find_order(struct cw_hreq *r, struct cw_st_order *o)
{
	struct cw_api *a = cw_hreq_ctx(r);
	const char *text = cw_hreq_param(r, 0);
	unsigned long long id;
	char *end;
	int err = CW_ENOENT;

	errno = 0;
	id = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 &&
	    id <= INT64_MAX)
		err = a->cfg.store->ops->order_get(a->cfg.store->h, id, o);
	/* An order that is still being taken in exists for nobody. */
	if (err == CW_ENOENT || (err == 0 && o->state == CW_ORD_INTAKE)) {
		cw_hreq_problem(r, CW_PB_NO_ORDER, "order %s: look in "
		    "GET /api/v1/orders (cardwright order list)", text);
		return false;
	}
	if (err < 0)
		cw_api_store_error(r, err);
	return err >= 0;
}

bool
cw_api_query_u64(struct cw_hreq *r, const char *name,
    const struct cw_api_range *range, uint64_t *out)
{
	const char *text = cw_hreq_query(r, name);
	unsigned long long v;
	char *end;

	*out = range->dflt;
	if (text == NULL)
		return true;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    v < range->min || v > range->max) {
		cw_hreq_problem(r, CW_PB_QUERY, "%s must be a whole number from "
		    "%llu to %llu", name, (unsigned long long)range->min,
		    (unsigned long long)range->max);
		return false;
	}
	*out = v;
	return true;
}

void
cw_api_store_error(struct cw_hreq *r, int err)
{
	struct cw_api *a = cw_hreq_ctx(r);

	switch (err) {
	case CW_ENOSPC:
		cw_hreq_problem(r, CW_PB_FULL, "make room on the disk of the "
		    "database, then try again; nothing was recorded");
		break;
	case CW_ENOMEM:
		cw_hreq_problem(r, CW_PB_MEMORY, "try again later");
		break;
	default:
		cw_hreq_problem(r, CW_PB_STORE, "%s: %s; nothing was recorded",
		    cw_err_text(err), a->cfg.store->why);
	}
}

struct cw_api *
cw_api_start(const struct cw_api_config *cfg, char *err, size_t err_cap)
{
	struct cw_api *a = calloc(1, sizeof(*a));
	struct cw_httpd_config h = {
		.loop = cfg->loop, .listen = cfg->listen, .port = cfg->port,
		.hosts = cfg->hosts, .token = cfg->token, .routes = routes,
		.route_cnt = sizeof(routes) / sizeof(routes[0]),
	};

	if (a == NULL) {
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	a->cfg = *cfg;
	a->sweep = true;
	h.ctx = a;
	a->httpd = cw_httpd_start(&h, err, err_cap);
	if (a->httpd == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

uint16_t
cw_api_port(const struct cw_api *a)
{
	return cw_httpd_port(a->httpd);
}

void
cw_api_tick(struct cw_api *a)
{
	uint64_t ids[CW_API_UPLOADS_MAX];

	/* Rows of refused orders go away bit by bit, between other work. */
	if (a->sweep) {
		size_t n = cw_api_uploads(a, ids);

		a->sweep = cw_intake_sweep(a->cfg.store, ids, n, SWEEP_ROWS) > 0;
	}
	cw_api_uploads_prune(a);
	cw_api_sample(a);
	if (a->listeners > 0)
		cw_api_live_build(a);
	cw_httpd_wake(a->httpd);
}

void
cw_api_stop(struct cw_api *a)
{
	if (a == NULL)
		return;
	cw_httpd_stop(a->httpd);
	free(a->live);
	free(a);
}
