/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the API: who may ask, the form of requests, limits, static files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "platform/api/problems.h"

static void
expect(struct fx_answer *a, int status, const char *problem)
{
	if (a->status != status || strcmp(fx_problem(a), problem) != 0)
		fail_msg("status %d problem '%s', wanted %d '%s': %s", a->status,
		    fx_problem(a), status, problem, a->body);
	if (problem[0] != '\0')
		assert_string_equal(fx_header(a, "Content-Type"),
		    "application/problem+json");
	fx_answer_free(a);
}

static void
test_open_routes(void **state)
{
	static const char *const path[] = { "/", "/app.js", "/app.css", "/icon.svg",
	    "/healthz", "/readyz" };
	struct fx *f = fx_new();
	struct fx_answer a;

	(void)state;
	for (unsigned int i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		fx_send(f, &(struct fx_request){ .method = "GET", .path = path[i],
		    .token = "" }, &a);
		assert_int_equal(a.status, 200);
		assert_true(a.body_len > 0);
		assert_non_null(strstr(fx_header(&a, "Content-Security-Policy"),
		    "default-src 'self'"));
		assert_string_equal(fx_header(&a, "X-Content-Type-Options"), "nosniff");
		/* Nothing may be fetched from elsewhere. */
		assert_null(strstr(a.body, "//cdn"));
		assert_null(strstr(a.body, "https://"));
		fx_answer_free(&a);
	}
	f->not_ready = true;
	fx_get(f, "/readyz", &a);
	expect(&a, 503, "CW-1903");
	fx_free(f);
}

static void
test_etag(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char line[256];

	(void)state;
	fx_get(f, "/app.js", &a);
	snprintf(line, sizeof(line), "If-None-Match: %s\r\n", fx_header(&a, "ETag"));
	fx_answer_free(&a);
	fx_send(f, &(struct fx_request){ .method = "GET", .path = "/app.js",
	    .headers = line }, &a);
	assert_int_equal(a.status, 304);
	assert_int_equal(a.body_len, 0);
	fx_answer_free(&a);
	fx_send(f, &(struct fx_request){ .method = "GET", .path = "/app.js",
	    .headers = "If-None-Match: \"other\"\r\n" }, &a);
	assert_int_equal(a.status, 200);
	fx_answer_free(&a);
	fx_free(f);
}

static void
test_token(void **state)
{
	static const char *const wrong[] = {
		"x", FX_TOKEN "0", "0123456789abcdef", "0123456789ABCDEF",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee",
	};
	static const char *const path[] = {
		"/api/v1/orders", "/api/v1/orders/1", "/api/v1/orders/1/report",
		"/api/v1/orders/1/results", "/api/v1/orders/1/faults",
		"/api/v1/lines", "/api/v1/readers", "/api/v1/cards/1",
		"/api/v1/events", "/api/v1/live", "/api/v1/log",
	};
	struct fx *f = fx_new();
	struct fx_answer a;

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		fx_send(f, &(struct fx_request){ .method = "GET",
		    .path = "/api/v1/orders", .token = wrong[i] }, &a);
		assert_non_null(fx_header(&a, "WWW-Authenticate"));
		/* The right token is told to nobody. */
		assert_null(strstr(a.body, "0123456789abcdef"));
		expect(&a, 401, "CW-1002");
	}
	for (unsigned int i = 0; i < 11; i++) {
		fx_send(f, &(struct fx_request){ .method = "GET", .path = path[i],
		    .token = "" }, &a);
		expect(&a, 401, "CW-1001");
	}
	fx_send(f, &(struct fx_request){ .method = "GET", .path = "/api/v1/orders",
	    .token = "", .headers = "Authorization: Basic " FX_TOKEN "\r\n" }, &a);
	expect(&a, 401, "CW-1001");
	fx_get(f, "/api/v1/orders", &a);
	expect(&a, 200, "");
	fx_free(f);
}

static void
test_host(void **state)
{
	static const struct { const char *host; int status; } t[] = {
		{ "127.0.0.1", 200 }, { "localhost", 200 }, { "LocalHost:80", 200 },
		{ "[::1]:7811", 200 }, { "evil.example", 421 },
		{ "127.0.0.1.evil.example", 421 }, { "127.0.0.2", 421 },
		{ "localhost.", 421 }, { "", 421 }, { ":80", 421 },
		{ "127.0.0.1 localhost", 421 },
	};
	struct fx *f = fx_new();
	struct fx_answer a;

	(void)state;
	for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fx_send(f, &(struct fx_request){ .method = "GET",
		    .path = "/api/v1/orders", .host = t[i].host }, &a);
		expect(&a, t[i].status, t[i].status == 200 ? "" : "CW-1003");
	}
	fx_free(f);
}

static void
test_routing(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;

	(void)state;
	fx_get(f, "/nothing", &a);
	expect(&a, 404, "CW-1101");
	fx_get(f, "/api/v1/orders/", &a);
	expect(&a, 404, "CW-1101");
	fx_get(f, "/api/v1/orders/1/results/2", &a);
	expect(&a, 404, "CW-1101");
	fx_send(f, &(struct fx_request){ .method = "DELETE",
	    .path = "/api/v1/orders" }, &a);
	assert_string_equal(fx_header(&a, "Allow"), "POST, GET");
	expect(&a, 405, "CW-1102");
	fx_send(f, &(struct fx_request){ .method = "OPTIONS",
	    .path = "/api/v1/lines" }, &a);
	assert_string_equal(fx_header(&a, "Allow"), "GET");
	expect(&a, 405, "CW-1102");
	fx_send(f, &(struct fx_request){ .method = "HEAD",
	    .path = "/api/v1/lines" }, &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.body_len, 0);
	fx_answer_free(&a);
	fx_free(f);
}

static void
test_query(void **state)
{
	static const char *const bad[] = {
		"/api/v1/orders?limit=0", "/api/v1/orders?limit=501",
		"/api/v1/orders?limit=-1", "/api/v1/orders?limit=1x",
		"/api/v1/orders?limit=", "/api/v1/orders?limit",
		"/api/v1/orders?after=99999999999999999999",
		"/api/v1/orders?state=intake", "/api/v1/orders?state=nothing",
		"/api/v1/orders?lmit=3", "/api/v1/lines?x=1",
		"/api/v1/log?limit=x", "/api/v1/readers?lines=a",
	};
	struct fx *f = fx_new();
	struct fx_answer a;

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fx_get(f, bad[i], &a);
		if (a.status != 400)
			print_message("for %s\n", bad[i]);
		expect(&a, 400, "CW-1104");
	}
	fx_free(f);
}

static void
test_bodies(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *big = malloc(1100 * 1024);

	(void)state;
	memset(big, ' ', 1100 * 1024);
	fx_send(f, &(struct fx_request){ .method = "POST", .path = "/api/v1/orders",
	    .type = "application/json", .body = "{}" }, &a);
	expect(&a, 415, "CW-1103");
	fx_send(f, &(struct fx_request){ .method = "POST", .path = "/api/v1/orders",
	    .type = "multipart/form-data", .body = "{}" }, &a);
	expect(&a, 415, "CW-1103");
	fx_send(f, &(struct fx_request){ .method = "POST", .path = "/api/v1/orders",
	    .body = "{}" }, &a);
	expect(&a, 415, "CW-1103");
	fx_post(f, "/api/v1/orders", &a);
	expect(&a, 400, "CW-1106");
	fx_send(f, &(struct fx_request){ .method = "POST",
	    .path = "/api/v1/duplicates", .type = "application/json",
	    .body = big, .body_len = 1100 * 1024 }, &a);
	expect(&a, 413, "CW-1107");
	/* No length announced: the limit is met on the way. */
	fx_send(f, &(struct fx_request){ .method = "POST",
	    .path = "/api/v1/duplicates", .type = "application/json",
	    .body = big, .body_len = 1100 * 1024, .chunked = true }, &a);
	expect(&a, 413, "CW-1107");
	fx_send(f, &(struct fx_request){ .method = "POST",
	    .path = "/api/v1/orders/1/pause", .type = "application/json",
	    .body = "{}" }, &a);
	expect(&a, 413, "CW-1107");
	free(big);
	fx_free(f);
}

static void
test_bad_json(void **state)
{
	static const char *const bad[] = {
		"{", "[]", "{\"first\":\"a\"}", "{\"first\":1,\"second\":2,\"why\":3}",
		"{\"first\":\"a\",\"second\":\"b\",\"why\":\"c\",\"more\":1}",
		"{\"first\":\"a\",\"first\":\"b\",\"second\":\"b\",\"why\":\"c\"}",
		"{\"first\":\"\xff\",\"second\":\"b\",\"why\":\"c\"}", "null", "x",
	};
	struct fx *f = fx_new();
	struct fx_answer a;

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fx_send(f, &(struct fx_request){ .method = "POST",
		    .path = "/api/v1/lines/line-1/writeoff",
		    .type = "application/json; charset=utf-8", .body = bad[i] }, &a);
		expect(&a, 400, "CW-1105");
	}
	fx_send(f, &(struct fx_request){ .method = "POST",
	    .path = "/api/v1/lines/line-1/writeoff", .type = "application/json",
	    .body = "{\"first\":\"ann\",\"second\":\"bob\",\"why\":\"fire\"}" }, &a);
	expect(&a, 404, "CW-1301");
	fx_free(f);
}

/* Bytes that are no request must not stop the server. */
static void
test_garbage(void **state)
{
	static const char *const raw[] = {
		"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
		"GET /api/v1/orders HTTP/1.1\r\n\r\n",
		"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Length: -5\r\n\r\n",
		"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Length: 99999999999999999999999\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	};
	struct fx *f = fx_new();
	struct fx_answer a;

	(void)state;
	for (unsigned int i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
		char out[4096];
		int fd = fx_connect(f);

		fx_put(f, fd, raw[i], strlen(raw[i]));
		fx_take(f, fd, out, sizeof(out));
		assert_null(strstr(out, "HTTP/1.1 200"));
		close(fd);
		fx_turn(f);
		fx_get(f, "/healthz", &a);
		expect(&a, 200, "");
	}
	fx_free(f);
}

/* A header block larger than the connection's memory is refused, not kept. */
static void
test_huge_header(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	size_t len = 100000;
	char *buf = malloc(len), out[4096];
	int n = sprintf(buf, "GET /api/v1/lines HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ");
	int fd = fx_connect(f);

	(void)state;
	memset(buf + n, 'a', len - (size_t)n);
	fx_put(f, fd, buf, len);
	fx_take(f, fd, out, sizeof(out));
	assert_null(strstr(out, "HTTP/1.1 200"));
	close(fd);
	free(buf);
	fx_get(f, "/healthz", &a);
	expect(&a, 200, "");
	fx_free(f);
}

/* Every problem stands in the document with its number, status and title. */
static void
test_documented(void **state)
{
	static const struct { int number; unsigned int status; const char *title; } all[] = {
#define X(id, number, status, title) { number, status, title },
		CW_PROBLEM_MAP(X)
#undef X
	};
	FILE *doc = fopen(CW_API_DOC, "r");
	char *text = calloc(1, 200000);

	(void)state;
	assert_non_null(doc);
	assert_true(fread(text, 1, 199999, doc) > 1000);
	fclose(doc);
	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char row[200];

		snprintf(row, sizeof(row), "| CW-%d | %u | %s |", all[i].number,
		    all[i].status, all[i].title);
		if (strstr(text, row) == NULL)
			fail_msg("docs/spec/api.md lacks: %s", row);
		assert_int_equal(cw_problem_status((enum cw_problem)all[i].number),
		    all[i].status);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_routes),
		cmocka_unit_test(test_etag),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_routing),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_bad_json),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_huge_header),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
