/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "http.h"
#include "json.h"

int
cw_line_list_run(struct cw_cli *cli)
{
	json_t *doc, *l;
	size_t i;
	int code = cw_cli_get(cli, &doc, "/api/v1/lines");

	if (code != CW_EXIT_OK)
		return code;
	if (cli->json)
		return cw_cli_print_json(doc);
	printf("%-16s %-10s %-15s %8s %7s %7s %7s  %s\n", "LINE", "STATE",
	    "ADDRESS", "STATIONS", "FED", "GOOD", "REJECT", "WHY");
	json_array_foreach(json_object_get(doc, "lines"), i, l) {
		cw_cli_put_text(cw_cli_str(l, "name"), 16);
		printf(" %-10s ", cw_cli_str(l, "state"));
		cw_cli_put_text(cw_cli_str(l, "address"), 15);
		printf(" %8lld %7lld %7lld %7lld  ",
		    (long long)cw_cli_int(l, "station_cnt"),
		    (long long)cw_cli_int2(l, "device", "fed"),
		    (long long)cw_cli_int2(l, "device", "good"),
		    (long long)cw_cli_int2(l, "device", "reject"));
		cw_cli_put_text(cw_cli_str(l, "why"), 0);
		putchar('\n');
	}
	json_decref(doc);
	return CW_EXIT_OK;
}

int
cw_reader_list_run(struct cw_cli *cli)
{
	const char *line = cw_opt_get(&cli->args, CW_OPT_LINE);
	char word[256] = "";
	json_t *doc, *s;
	size_t i;
	int code;

	if (line != NULL)
		cw_cli_escape(word, sizeof(word), line);
	code = cw_cli_get(cli, &doc, "/api/v1/readers%s%s",
	    line != NULL ? "?line=" : "", word);
	if (code != CW_EXIT_OK)
		return code;
	if (line != NULL && json_array_size(json_object_get(doc, "readers")) == 0) {
		json_decref(doc);
		return cw_cli_fail(CW_EXIT_USAGE, "--line %s: no such line is "
		    "connected; cardwright line list shows them", line);
	}
	if (cli->json)
		return cw_cli_print_json(doc);
	printf("%-12s %3s %-21s %-9s %7s %7s %6s  %s\n", "LINE", "ST", "READER",
	    "STATE", "GOOD", "REJECT", "DOUBT", "LAST FAULT");
	json_array_foreach(json_object_get(doc, "readers"), i, s) {
		const char *why = cw_cli_str(s, "why"), *last = cw_cli_str(s, "last");
		const char *ip = cw_cli_str(s, "reader");
		char addr[64];

		snprintf(addr, sizeof(addr), "%s:%lld", ip != NULL ? ip : "-",
		    (long long)cw_cli_int(s, "port"));
		cw_cli_put_text(cw_cli_str(s, "line"), 12);
		printf(" %3lld %-21s %-9s %7lld %7lld %6lld  ",
		    (long long)cw_cli_int(s, "station"), addr,
		    cw_cli_str(s, "state"), (long long)cw_cli_int(s, "good"),
		    (long long)cw_cli_int(s, "reject"),
		    (long long)cw_cli_int(s, "in-doubt"));
		cw_cli_put_text(why != NULL ? why : last != NULL &&
		    strcmp(last, "good") != 0 ? cw_cli_str(s, "last_text") : "-", 0);
		putchar('\n');
	}
	json_decref(doc);
	return CW_EXIT_OK;
}

static void
print_trace(const char *text)
{
	for (const char *p = text; *p != '\0'; ) {
		size_t len = strcspn(p, "\n");

		fputs("      ", stdout);
		for (size_t i = 0; i < len; i++)
			putchar((unsigned char)p[i] < 0x20 ? ' ' : p[i]);
		putchar('\n');
		p += len;
		p += *p == '\n';
	}
}

static void
print_result(const json_t *r)
{
	const char *sw = cw_cli_sw(r), *serial = cw_cli_str(r, "serial");
	const char *time = cw_cli_str(r, "time"), *trace = cw_cli_str(r, "trace");

	printf("  attempt %lld: %s, ", (long long)cw_cli_int(r, "attempt"),
	    cw_cli_str(r, "verdict"));
	cw_cli_put_text(cw_cli_str(r, "cause_text"), 0);
	if (sw != NULL)
		printf(" (SW %s: %s)", sw, cw_cli_str(r, "sw_text"));
	printf("\n    card %lld, station %lld, reader %s, %lld ms%s%s%s%s\n",
	    (long long)cw_cli_int(r, "card"), (long long)cw_cli_int(r, "station"),
	    cw_cli_str(r, "reader") != NULL ? cw_cli_str(r, "reader") : "-",
	    (long long)cw_cli_int(r, "ms"), serial != NULL ? ", chip " : "",
	    serial != NULL ? serial : "", time != NULL ? ", " : "",
	    time != NULL ? time : "");
	if (trace != NULL)
		print_trace(trace);
}

/* Digits or hex, or NUMBER/NUMBER: nothing that means more in a path. */
static bool
is_card(const char *query)
{
	static const char digits[] = "0123456789", hex[] = "0123456789abcdefABCDEF";
	size_t n = strspn(query, digits);

	if (query[n] == '/')
		return n > 0 && query[n + 1] != '\0' && strlen(query) < 100 &&
		    query[n + 1 + strspn(query + n + 1, digits)] == '\0';
	n = strspn(query, hex);
	return n > 0 && n <= 64 && query[n] == '\0';
}

int
cw_trace_run(struct cw_cli *cli)
{
	const char *query = cli->args.arg[0];
	json_t *doc, *rec, *r;
	size_t i;
	int code;

	if (!is_card(query))
		return cw_cli_fail(CW_EXIT_USAGE, "'%s': give an ICCID, a chip "
		    "serial in hex, a card number, or ORDER/RECORD", query);
	code = cw_cli_get(cli, &doc, "/api/v1/cards/%s", query);
	if (code != CW_EXIT_OK)
		return code;
	if (cli->json)
		return cw_cli_print_json(doc);
	rec = json_object_get(doc, "record");
	if (json_is_object(rec)) {
		printf("order %lld record %lld: %s", (long long)cw_cli_int(rec,
		    "order"), (long long)cw_cli_int(rec, "record"),
		    cw_cli_str(rec, "state"));
		if (cw_cli_str(rec, "iccid") != NULL)
			printf(", ICCID %s", cw_cli_str(rec, "iccid"));
		putchar('\n');
	}
	json_array_foreach(json_object_get(doc, "results"), i, r)
		print_result(r);
	json_decref(doc);
	return CW_EXIT_OK;
}
