/* SPDX-License-Identifier: Apache-2.0 */
#include "order_view.h"

#include <stdio.h>
#include <string.h>

#include "http.h"
#include "json.h"

#define WHY_MAX 150	/* what the order's log keeps */

const char *
cw_view_order_id(struct cw_cli *cli)
{
	const char *id = cli->args.arg[0];

	if (id[0] != '\0' && strspn(id, "0123456789") == strlen(id) &&
	    strlen(id) < 19)
		return id;
	cw_cli_fail(CW_EXIT_USAGE, "'%s' is not the number of an order; "
	    "cardwright order list shows them", id);
	return NULL;
}

json_int_t
cw_view_ended(const json_t *order)
{
	return cw_cli_int2(order, "records", "issued") +
	    cw_cli_int2(order, "records", "failed") +
	    cw_cli_int2(order, "records", "in-doubt") +
	    cw_cli_int2(order, "records", "cancelled");
}

int
cw_order_list_run(struct cw_cli *cli)
{
	const char *state = cw_opt_get(&cli->args, CW_OPT_STATE);
	char word[64] = "";
	struct cw_mistake err;
	uint64_t limit = 50;
	json_t *doc, *o;
	size_t i;
	int code;

	if (cw_opt_u64(&cli->args, CW_OPT_LIMIT, 500, &limit, &err) < 0)
		return cw_cli_fail(CW_EXIT_USAGE, "%s", err.text);
	if (state != NULL)
		cw_cli_escape(word, sizeof(word), state);
	code = cw_cli_get(cli, &doc, "/api/v1/orders?limit=%u%s%s",
	    (unsigned int)limit, state != NULL ? "&state=" : "", word);
	if (code != CW_EXIT_OK)
		return code;
	if (cli->json)
		return cw_cli_print_json(doc);
	printf("%6s  %-11s %8s %8s %7s %7s  %-16s %s\n", "ORDER", "STATE",
	    "TOTAL", "ISSUED", "FAILED", "DOUBT", "PROFILE", "NAME");
	json_array_foreach(json_object_get(doc, "orders"), i, o) {
		printf("%6lld  %-11s %8lld %8lld %7lld %7lld  ",
		    (long long)cw_cli_int(o, "id"), cw_cli_str(o, "state"),
		    (long long)cw_cli_int(o, "total"),
		    (long long)cw_cli_int2(o, "records", "issued"),
		    (long long)cw_cli_int2(o, "records", "failed"),
		    (long long)cw_cli_int2(o, "records", "in-doubt"));
		cw_cli_put_text(cw_cli_str(o, "profile"), 16);
		putchar(' ');
		cw_cli_put_text(cw_cli_str(o, "name"), 0);
		putchar('\n');
	}
	json_decref(doc);
	return CW_EXIT_OK;
}

static void
show_text(const char *label, const char *text)
{
	if (text == NULL)
		return;
	printf("%-12s ", label);
	cw_cli_put_text(text, 0);
	putchar('\n');
}

static void
show_order(const json_t *o)
{
	const json_t *left = json_object_get(o, "seconds_left");
	const json_t *rate = json_object_get(o, "cards_per_min");
	const json_t *cos = json_object_get(o, "cos");
	char text[32];

	printf("order        %lld\n", (long long)cw_cli_int(o, "id"));
	show_text("name", cw_cli_str(o, "name"));
	show_text("state", cw_cli_str(o, "state"));
	show_text("reason", cw_cli_str(o, "reason"));
	show_text("waits", cw_cli_str(o, "waits"));
	show_text("profile", cw_cli_str(o, "profile"));
	show_text("line", cw_cli_str(o, "line"));
	show_text("terminal", cw_cli_str(o, "terminal"));
	printf("kind         %s\n", json_is_true(json_object_get(o,
	    "production")) ? "production" : "test");
	if (json_is_object(cos))
		printf("COS          %lld bytes, SHA-256 %s\n",
		    (long long)cw_cli_int(cos, "bytes"), cw_cli_str(cos, "sha256"));
	printf("records      %lld of %lld ended: %lld issued, %lld failed, "
	    "%lld in doubt, %lld cancelled\n", (long long)cw_view_ended(o),
	    (long long)cw_cli_int(o, "total"),
	    (long long)cw_cli_int2(o, "records", "issued"),
	    (long long)cw_cli_int2(o, "records", "failed"),
	    (long long)cw_cli_int2(o, "records", "in-doubt"),
	    (long long)cw_cli_int2(o, "records", "cancelled"));
	printf("cards        %lld drawn: %lld good, %lld reject, %lld in doubt\n",
	    (long long)cw_cli_int2(o, "cards", "drawn"),
	    (long long)cw_cli_int2(o, "cards", "good"),
	    (long long)cw_cli_int2(o, "cards", "reject"),
	    (long long)cw_cli_int2(o, "cards", "in-doubt"));
	if (json_is_number(rate))
		printf("speed        %.0f cards/min\n", json_number_value(rate));
	if (json_is_number(left) && cw_view_ended(o) < cw_cli_int(o, "total")) {
		cw_cli_duration(text, (uint64_t)(json_number_value(left) + 0.5));
		printf("time left    %s\n", text);
	}
	show_text("created", cw_cli_str(o, "created"));
	show_text("started", cw_cli_str(o, "started"));
	show_text("ended", cw_cli_str(o, "ended"));
}

int
cw_order_show_run(struct cw_cli *cli)
{
	const char *id = cw_view_order_id(cli);
	json_t *doc;
	int code;

	if (id == NULL)
		return CW_EXIT_USAGE;
	code = cw_cli_get(cli, &doc, "/api/v1/orders/%s", id);
	if (code != CW_EXIT_OK)
		return code;
	if (cli->json)
		return cw_cli_print_json(doc);
	show_order(doc);
	json_decref(doc);
	return CW_EXIT_OK;
}

static void
view_causes(const json_t *report)
{
	const json_t *c;
	size_t i;

	json_array_foreach(json_object_get(report, "causes"), i, c) {
		const char *sw = cw_cli_sw(c);

		printf("  %6lld %-9s ", (long long)cw_cli_int(c, "count"),
		    cw_cli_str(c, "verdict"));
		cw_cli_put_text(cw_cli_str(c, "cause_text"), 0);
		if (sw != NULL)
			printf(" (SW %s: %s)", sw, cw_cli_str(c, "sw_text"));
		putchar('\n');
	}
}

void
cw_view_report(const json_t *r)
{
	const json_t *t, *order = json_object_get(r, "order");
	const char *why = cw_cli_str(r, "why");
	size_t i;

	printf("order %lld: %s\n", (long long)cw_cli_int(order, "id"),
	    cw_cli_str(order, "state"));
	printf("blanks drawn %lld = good %lld + reject %lld + in doubt %lld\n",
	    (long long)cw_cli_int2(r, "cards", "drawn"),
	    (long long)cw_cli_int2(r, "cards", "good"),
	    (long long)cw_cli_int2(r, "cards", "reject"),
	    (long long)cw_cli_int2(r, "cards", "in-doubt"));
	printf("records %lld = issued %lld + failed %lld + in doubt %lld + "
	    "cancelled %lld", (long long)cw_cli_int2(r, "records", "total"),
	    (long long)cw_cli_int2(r, "records", "issued"),
	    (long long)cw_cli_int2(r, "records", "failed"),
	    (long long)cw_cli_int2(r, "records", "in-doubt"),
	    (long long)cw_cli_int2(r, "records", "cancelled"));
	if (cw_cli_int2(r, "records", "open") != 0)
		printf(" + open %lld", (long long)cw_cli_int2(r, "records", "open"));
	putchar('\n');
	if (cw_cli_int2(r, "cos", "sent") != 0)
		printf("COS over the wire %lld times to %lld readers\n",
		    (long long)cw_cli_int2(r, "cos", "sent"),
		    (long long)cw_cli_int2(r, "cos", "readers"));
	view_causes(r);
	json_array_foreach(json_object_get(r, "terminals"), i, t) {
		fputs("line ", stdout);
		cw_cli_put_text(cw_cli_str(t, "name"), 0);
		printf(": %lld cards; the machine's counters: %s\n",
		    (long long)cw_cli_int(t, "cards"),
		    cw_cli_str(json_object_get(t, "device"), "agrees"));
	}
	if (!json_is_true(json_object_get(r, "adds_up")))
		printf("DOES NOT ADD UP: %s\n", why != NULL ? why : "?");
	else if (json_is_true(json_object_get(r, "settled")))
		printf("adds up\n");
	else
		printf("adds up so far%s%s\n", why != NULL ? "; " : "",
		    why != NULL ? why : "");
}

int
cw_view_verdict(const json_t *r)
{
	if (!json_is_true(json_object_get(r, "adds_up")) ||
	    cw_cli_int2(r, "records", "issued") !=
	    cw_cli_int2(r, "records", "total"))
		return CW_EXIT_CARDS;
	return CW_EXIT_OK;
}

int
cw_view_rejects(struct cw_cli *cli, const char *id, unsigned int max)
{
	json_t *doc, *f;
	size_t i;
	int code;

	code = cw_cli_get(cli, &doc, "/api/v1/orders/%s/faults?limit=%u", id, max);
	if (code != CW_EXIT_OK)
		return code;
	json_array_foreach(json_object_get(doc, "results"), i, f) {
		const char *sw = cw_cli_sw(f);

		printf("  record %lld attempt %lld station %lld reader ",
		    (long long)cw_cli_int(f, "record"),
		    (long long)cw_cli_int(f, "attempt"),
		    (long long)cw_cli_int(f, "station"));
		cw_cli_put_text(cw_cli_str(f, "reader"), 0);
		printf(" %s: ", cw_cli_str(f, "verdict"));
		cw_cli_put_text(cw_cli_str(f, "cause_text"), 0);
		if (sw != NULL)
			printf(" (SW %s: %s)", sw, cw_cli_str(f, "sw_text"));
		putchar('\n');
	}
	if (cw_cli_str(doc, "next") != NULL)
		printf("  more: cardwright order report %s --json, or "
		    "GET /api/v1/orders/%s/faults?format=csv\n", id, id);
	json_decref(doc);
	return CW_EXIT_OK;
}

int
cw_order_report_run(struct cw_cli *cli)
{
	const char *id = cw_view_order_id(cli);
	json_t *doc;
	int code, verdict;

	if (id == NULL)
		return CW_EXIT_USAGE;
	code = cw_cli_get(cli, &doc, "/api/v1/orders/%s/report", id);
	if (code != CW_EXIT_OK)
		return code;
	/* An order that is under way has not failed by that. */
	verdict = cw_cli_int2(doc, "records", "open") != 0 &&
	    json_is_true(json_object_get(doc, "adds_up")) ?
	    CW_EXIT_OK : cw_view_verdict(doc);
	if (cli->json) {
		cw_cli_print_json(doc);
		return verdict;
	}
	cw_view_report(doc);
	json_decref(doc);
	code = cw_view_rejects(cli, id, 50);
	return code != CW_EXIT_OK ? code : verdict;
}

/* pause, resume, cancel, remake, close: the verb is the path. */
int
cw_order_act_run(struct cw_cli *cli)
{
	const char *id = cw_view_order_id(cli), *verb = cli->args.cmd->verb;
	struct cw_http_req req = { .method = "POST" };
	struct cw_http_res res;
	struct cw_mistake err;
	const char *why = cw_opt_get(&cli->args, CW_OPT_WHY);
	uint64_t record = 0;
	char path[1024];
	size_t len;
	int code;

	if (id == NULL)
		return CW_EXIT_USAGE;
	if (cw_opt_u64(&cli->args, CW_OPT_RECORD, INT64_MAX, &record, &err) < 0)
		return cw_cli_fail(CW_EXIT_USAGE, "%s", err.text);
	snprintf(path, sizeof(path), "/api/v1/orders/%s/%s", id, verb);
	if (record != 0)
		snprintf(path + strlen(path), 40, "?record=%llu",
		    (unsigned long long)record);
	if (why != NULL && strlen(why) > WHY_MAX)
		return cw_cli_fail(CW_EXIT_USAGE, "--why: at most %d bytes", WHY_MAX);
	if (why != NULL) {
		len = strlen(path);
		len += (size_t)snprintf(path + len, 8, "%cwhy=",
		    record != 0 ? '&' : '?');
		cw_cli_escape(path + len, sizeof(path) - len, why);
	}
	req.path = path;
	code = cw_cli_http(cli, &req, &res);
	/* 409: the order's state does not allow it; the order is not bad. */
	if (code == CW_EXIT_ORDER)
		code = CW_EXIT_DENIED;
	if (code == CW_EXIT_OK && cli->json)
		cw_cli_print_json(json_incref(res.json));
	else if (code == CW_EXIT_OK && json_object_get(res.json, "order") != NULL)
		printf("order %s: %lld records will be made again\n", id,
		    (long long)cw_cli_int(res.json, "records"));
	else if (code == CW_EXIT_OK)
		printf("order %s: %s\n", id, cw_cli_str(res.json, "state"));
	cw_cli_http_free(&res);
	return code;
}
