/* SPDX-License-Identifier: Apache-2.0 */
/* Orders through the API: submission, faults, retries, actions, results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cw/outcome.h"
#include "fixture.h"

#define META "{\"profile\":\"sim\",\"name\":\"first\"}"
/* Intel HEX specification's form: 16 bytes at 0000, then end of file. */
#define COS_HEX ":10000000000102030405060708090A0B0C0D0E0F78\n:00000001FF\n"

/* Rows with ICCIDs that carry their ISO/IEC 7812 check digit. */
static char *
make_csv(unsigned int first, unsigned int cnt)
{
	char *csv = malloc(64 + cnt * 96);
	int n = sprintf(csv, "iccid,imsi,ki\n");

	for (unsigned int i = first; i < first + cnt; i++) {
		char d[20];
		unsigned int sum = 0;

		snprintf(d, sizeof(d), "89490000%010u", i);
		for (int k = 17; k >= 0; k--) {
			unsigned int v = (unsigned int)(d[k] - '0');

			if ((17 - k) % 2 == 0)
				v = v * 2 > 9 ? v * 2 - 9 : v * 2;
			sum += v;
		}
		n += sprintf(csv + n, "%s%u,26201%010u,%032X\n", d,
		    (10 - sum % 10) % 10, i, i);
	}
	return csv;
}

static void
expect(struct fx_answer *a, int status, const char *problem)
{
	if (a->status != status || strcmp(fx_problem(a), problem) != 0)
		fail_msg("status %d problem '%s', wanted %d '%s': %s", a->status,
		    fx_problem(a), status, problem, a->body);
}

static json_int_t
num(const struct fx_answer *a, const char *key)
{
	return json_integer_value(json_object_get(a->json, key));
}

static const char *
str(const struct fx_answer *a, const char *key)
{
	const char *s = json_string_value(json_object_get(a->json, key));

	return s != NULL ? s : "";
}

static size_t
list_len(struct fx *f, const char *path, const char *key)
{
	struct fx_answer a;
	size_t n;

	fx_get(f, path, &a);
	expect(&a, 200, "");
	n = json_array_size(json_object_get(a.json, key));
	fx_answer_free(&a);
	return n;
}

/* Submits and gives the id; fails unless 201. */
static json_int_t
submit(struct fx *f, const char *meta, const char *cos, const char *data)
{
	struct fx_answer a;
	json_int_t id;

	fx_submit(f, &(struct fx_order){ .meta = meta, .cos = cos, .data = data }, &a);
	expect(&a, 201, "");
	id = num(&a, "id");
	fx_answer_free(&a);
	return id;
}

static void
test_accepted(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 5);
	const json_t *cos;

	(void)state;
	fx_submit(f, &(struct fx_order){ .meta = META, .cos = COS_HEX, .data = csv }, &a);
	expect(&a, 201, "");
	assert_string_equal(fx_header(&a, "Location"), "/api/v1/orders/1");
	assert_string_equal(str(&a, "state"), "ready");
	assert_string_equal(str(&a, "name"), "first");
	assert_int_equal(num(&a, "total"), 5);
	assert_string_equal(str(&a, "created"), "2025-01-01T00:00:00.123Z");
	assert_string_equal(str(&a, "waits"), "no line is connected");
	cos = json_object_get(a.json, "cos");
	assert_int_equal(json_integer_value(json_object_get(cos, "bytes")), 16);
	/* sha256 of the bytes 00 01 .. 0F (sha256sum) */
	assert_string_equal(json_string_value(json_object_get(cos, "sha256")),
	    "be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991");
	fx_answer_free(&a);

	fx_get(f, "/api/v1/orders/1", &a);
	expect(&a, 200, "");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(
	    a.json, "records"), "waiting")), 5);
	/* What is secret is not in any answer. */
	assert_null(strstr(a.body, "00000000000000000000000000000001"));
	fx_answer_free(&a);
	assert_int_equal(list_len(f, "/api/v1/orders", "orders"), 1);
	assert_int_equal(list_len(f, "/api/v1/orders?state=ready", "orders"), 1);
	assert_int_equal(list_len(f, "/api/v1/orders?state=done", "orders"), 0);
	assert_int_equal(list_len(f, "/api/v1/orders?state=active", "orders"), 1);
	assert_int_equal(list_len(f, "/api/v1/live", "orders"), 1);
	free(csv);
	fx_free(f);
}

static void
test_again(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 5), *other = make_csv(100, 5);

	(void)state;
	submit(f, META, COS_HEX, csv);
	fx_submit(f, &(struct fx_order){ .meta = META, .cos = COS_HEX, .data = csv }, &a);
	expect(&a, 200, "");
	assert_int_equal(num(&a, "id"), 1);
	fx_answer_free(&a);
	fx_submit(f, &(struct fx_order){ .meta = META, .cos = COS_HEX, .data = other }, &a);
	expect(&a, 409, "CW-1202");
	fx_answer_free(&a);
	fx_submit(f, &(struct fx_order){ .meta = META, .data = csv }, &a);
	expect(&a, 409, "CW-1202");
	fx_answer_free(&a);

	/* The header is the same key as the name. */
	fx_submit(f, &(struct fx_order){ .meta = "{\"profile\":\"sim\"}",
	    .headers = "Idempotency-Key: first\r\n", .cos = COS_HEX, .data = csv }, &a);
	expect(&a, 200, "");
	fx_answer_free(&a);
	fx_submit(f, &(struct fx_order){ .meta = META, .data = other,
	    .headers = "Idempotency-Key: second\r\n" }, &a);
	expect(&a, 400, "CW-1108");
	fx_answer_free(&a);
	assert_int_equal(list_len(f, "/api/v1/orders", "orders"), 1);
	free(csv);
	free(other);
	fx_free(f);
}

/* Nobody sees anything of a refused order, and its numbers are free again. */
static void
expect_nothing_left(struct fx *f)
{
	assert_int_equal(list_len(f, "/api/v1/orders", "orders"), 0);
	assert_int_equal(list_len(f, "/api/v1/live", "orders"), 0);
}

static void
test_bad_data(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 3);
	char bad[600];
	const json_t *faults, *fault;

	(void)state;
	/* Line 3 repeats line 2, line 4 has a key that is too short. */
	snprintf(bad, sizeof(bad), "iccid,imsi,ki\n"
	    "8949000000000000010,262010000000001,00112233445566778899AABBCCDDEEFF\n"
	    "8949000000000000010,262010000000002,00112233445566778899AABBCCDDEEFF\n"
	    "8949000000000000028,262010000000003,0011\n");
	fx_submit(f, &(struct fx_order){ .meta = META, .data = bad }, &a);
	expect(&a, 422, "CW-1203");
	faults = json_object_get(a.json, "faults");
	assert_true(json_array_size(faults) >= 2);
	assert_int_equal(num(&a, "fault_count"), json_array_size(faults));
	fault = json_array_get(faults, json_array_size(faults) - 1);
	assert_string_equal(json_string_value(json_object_get(fault, "file")), "data");
	assert_true(json_integer_value(json_object_get(fault, "line")) >= 2);
	/* A fault names its place, never the secret. */
	assert_null(strstr(a.body, "00112233445566778899AABBCCDDEEFF"));
	fx_answer_free(&a);
	expect_nothing_left(f);
	cw_api_tick(f->api);

	/* The good numbers of the refused order can be ordered again. */
	submit(f, META, NULL, csv);
	free(csv);
	fx_free(f);
}

static void
test_count(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 3);

	(void)state;
	fx_submit(f, &(struct fx_order){ .data = csv,
	    .meta = "{\"profile\":\"sim\",\"count\":4}" }, &a);
	expect(&a, 422, "CW-1203");
	fx_answer_free(&a);
	fx_submit(f, &(struct fx_order){ .cos = COS_HEX,
	    .meta = "{\"profile\":\"blank\"}" }, &a);
	expect(&a, 422, "CW-1203");
	fx_answer_free(&a);
	expect_nothing_left(f);
	fx_submit(f, &(struct fx_order){ .cos = COS_HEX,
	    .meta = "{\"profile\":\"blank\",\"count\":7}" }, &a);
	expect(&a, 201, "");
	assert_int_equal(num(&a, "total"), 7);
	fx_answer_free(&a);
	free(csv);
	fx_free(f);
}

static void
test_bad_meta(void **state)
{
	static const struct { const char *meta; int status; const char *problem; } t[] = {
		{ "{", 400, "CW-1105" },
		{ "[]", 400, "CW-1105" },
		{ "{\"name\":\"x\"}", 400, "CW-1105" },
		{ "{\"profile\":7}", 400, "CW-1105" },
		{ "{\"profile\":\"sim\",\"profil\":1}", 400, "CW-1105" },
		{ "{\"profile\":\"sim\",\"profile\":\"sim\"}", 400, "CW-1105" },
		{ "{\"profile\":\"none\"}", 422, "CW-1205" },
		{ "{\"profile\":\"../etc/passwd\"}", 422, "CW-1205" },
		{ "{\"profile\":\"sim\",\"count\":0}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"count\":-7}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"count\":4294967296}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"remake_max\":0}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"remake_max\":101}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"blank_max\":0}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"terminal\":\"line-1\"}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"cos_address\":-2}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"name\":\"a\\u0007b\"}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"cos_sha256\":\"00\"}", 422, "CW-1203" },
		{ "{\"profile\":\"sim\",\"name\":\"0123456789012345678901234567890123"
		  "456789012345678901234567890123\"}", 422, "CW-1203" },
		/* data where the profile writes none */
		{ "{\"profile\":\"blank\"}", 422, "CW-1203" },
	};
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 3);

	(void)state;
	for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fx_submit(f, &(struct fx_order){ .meta = t[i].meta, .data = csv }, &a);
		if (a.status != t[i].status)
			print_message("for %s\n", t[i].meta);
		expect(&a, t[i].status, t[i].problem);
		fx_answer_free(&a);
	}
	expect_nothing_left(f);
	free(csv);
	fx_free(f);
}

static void
test_bad_cos(void **state)
{
	static const char *const bad[] = {
		":10000000000102030405060708090A0B0C0D0E0F79\n:00000001FF\n",
		":10000000000102030405060708090A0B0C0D0E0F78\n"
		":10000800000102030405060708090A0B0C0D0E0F70\n:00000001FF\n",
		":10000000000102030405060708090A0B0C0D0E0F78\n",
		":zz\n",
		"S1130000285F245F2212226A000424290008237C2B\n",
	};
	struct fx *f = fx_new();
	struct fx_answer a;
	char *big = malloc(1100 * 1024);

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fx_submit(f, &(struct fx_order){ .cos = bad[i],
		    .meta = "{\"profile\":\"blank\",\"count\":1}" }, &a);
		expect(&a, 422, "CW-1204");
		assert_int_equal(json_array_size(json_object_get(a.json, "faults")), 1);
		assert_true(strlen(str(&a, "detail")) > 10);
		fx_answer_free(&a);
	}
	/* Larger than the reader's store of 1 MiB. */
	memset(big, 0, 1100 * 1024);
	fx_submit(f, &(struct fx_order){ .cos = big, .cos_len = 1100 * 1024,
	    .meta = "{\"profile\":\"blank\",\"count\":1}" }, &a);
	expect(&a, 422, "CW-1204");
	fx_answer_free(&a);
	expect_nothing_left(f);
	free(big);
	fx_free(f);
}

static void
test_digests(void **state)
{
	static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 3);
	char meta[256];

	(void)state;
	snprintf(meta, sizeof(meta), "{\"profile\":\"sim\",\"cos_sha256\":\"%s\"}", zero);
	fx_submit(f, &(struct fx_order){ .meta = meta, .cos = COS_HEX, .data = csv }, &a);
	expect(&a, 422, "CW-1208");
	fx_answer_free(&a);
	/* Announced, and it did not come at all. */
	fx_submit(f, &(struct fx_order){ .meta = meta, .data = csv }, &a);
	expect(&a, 422, "CW-1208");
	fx_answer_free(&a);
	snprintf(meta, sizeof(meta), "{\"profile\":\"sim\",\"data_sha256\":\"%s\"}", zero);
	fx_submit(f, &(struct fx_order){ .meta = meta, .data = csv }, &a);
	expect(&a, 422, "CW-1208");
	fx_answer_free(&a);
	expect_nothing_left(f);
	free(csv);
	fx_free(f);
}

#define HEAD "POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n" \
    "Connection: close\r\nAuthorization: Bearer " FX_TOKEN "\r\n" \
    "Content-Type: multipart/form-data; boundary=bb\r\n"
#define PART(name, text) "--bb\r\nContent-Disposition: form-data; name=\"" name \
    "\"\r\n\r\n" text "\r\n"

static void
test_bad_parts(void **state)
{
	static const char *const body[] = {
		PART("data", "iccid\n") PART("meta", META) "--bb--\r\n",
		PART("cos", "x") "--bb--\r\n",
		PART("meta", META) PART("meta", META) "--bb--\r\n",
		PART("meta", META) PART("data", "x") PART("cos", "x") "--bb--\r\n",
		PART("meta", META) PART("more", "x") "--bb--\r\n",
		PART("meta", META) PART("data", "iccid,imsi,ki\n"),
		"--bb--\r\n", "garbage", "--bb\r\n\r\nx\r\n--bb--\r\n",
	};
	struct fx *f = fx_new();

	(void)state;
	for (unsigned int i = 0; i < sizeof(body) / sizeof(body[0]); i++) {
		struct fx_answer a;
		char buf[2048];
		int n = snprintf(buf, sizeof(buf), HEAD "Content-Length: %zu\r\n\r\n%s",
		    strlen(body[i]), body[i]);

		fx_raw(f, buf, (size_t)n, 0, &a);
		if (a.status != 400 && a.status != 422)
			fail_msg("body %u: %d %s", i, a.status, a.body);
		fx_answer_free(&a);
	}
	expect_nothing_left(f);
	fx_free(f);
}

/* One byte at a time gives the same order. */
static void
test_slow(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 4);

	(void)state;
	for (size_t step = 1; step <= 3; step += 2) {
		fx_submit(f, &(struct fx_order){ .meta = META, .cos = COS_HEX,
		    .data = csv, .step = step }, &a);
		expect(&a, step == 1 ? 201 : 200, "");
		assert_int_equal(num(&a, "total"), 4);
		fx_answer_free(&a);
	}
	free(csv);
	fx_free(f);
}

/* The client dies at every point of an upload: nothing of it stays. */
static void
test_short(void **state)
{
	struct fx *f = fx_new();
	char *csv = make_csv(1, 4);
	size_t len;
	char *all = fx_order_bytes(&(struct fx_order){ .meta = META, .cos = COS_HEX,
	    .data = csv }, &len);

	(void)state;
	for (size_t cut = 1; cut < len; cut += 7) {
		int fd = fx_connect(f);

		fx_put(f, fd, all, cut);
		for (int i = 0; i < 4; i++)
			fx_turn(f);
		close(fd);
		for (int i = 0; i < 10; i++)
			fx_turn(f);
	}
	cw_api_tick(f->api);
	expect_nothing_left(f);
	/* No place of an upload was lost either. */
	assert_int_equal(submit(f, META, COS_HEX, csv) > 0, 1);
	free(all);
	free(csv);
	fx_free(f);
}

/* Byte by byte, four clients could keep all others out: they are told and cut. */
static void
test_drip(void **state)
{
	struct fx *f = fx_new_slow(30);
	char *csv = make_csv(1, 4), text[2048] = "";
	size_t len, sent = 400;
	char *all = fx_order_bytes(&(struct fx_order){ .meta = META, .data = csv }, &len);
	int fd[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		fd[i] = fx_connect(f);
		fx_put(f, fd[i], all, sent);
	}
	for (; sent + 1 < len && text[0] == '\0'; sent++) {
		cw_api_tick(f->api);
		for (int i = 0; i < 4; i++)
			fx_put(f, fd[i], all + sent, 1);
		fx_take(f, fd[0], text, sizeof(text));
	}
	assert_ptr_equal(strstr(text, "HTTP/1.1 408 "), text);
	assert_non_null(strstr(text, "Content-Type: application/problem+json"));
	assert_non_null(strstr(text, "urn:cardwright:error:CW-1109"));
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	for (int i = 0; i < 20; i++)
		fx_turn(f);
	cw_api_tick(f->api);
	expect_nothing_left(f);
	assert_int_equal(submit(f, META, COS_HEX, csv) > 0, 1);
	free(all);
	free(csv);
	fx_free(f);
}

static void
test_too_many(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 4);
	size_t len;
	char *all = fx_order_bytes(&(struct fx_order){ .meta = META, .data = csv }, &len);
	int fd[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		fd[i] = fx_connect(f);
		fx_put(f, fd[i], all, len - 60);
		for (int k = 0; k < 10; k++)
			fx_turn(f);
	}
	/* While they are on their way nobody sees them, and a fifth waits. */
	assert_int_equal(list_len(f, "/api/v1/orders", "orders"), 0);
	fx_submit(f, &(struct fx_order){ .meta = META, .data = csv }, &a);
	expect(&a, 503, "CW-1903");
	fx_answer_free(&a);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	for (int i = 0; i < 20; i++)
		fx_turn(f);
	cw_api_tick(f->api);
	assert_int_equal(submit(f, META, NULL, csv) > 0, 1);
	free(all);
	free(csv);
	fx_free(f);
}

static void
test_paging(void **state)
{
	struct fx *f = fx_new();
	char next[200] = "/api/v1/orders?limit=2";
	json_int_t last = 1000000;
	unsigned int seen = 0, pages = 0;

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		submit(f, "{\"profile\":\"blank\",\"count\":1}", COS_HEX, NULL);
	while (next[0] != '\0') {
		struct fx_answer a;
		const json_t *o;
		size_t i;

		fx_get(f, next, &a);
		expect(&a, 200, "");
		json_array_foreach(json_object_get(a.json, "orders"), i, o) {
			json_int_t id = json_integer_value(json_object_get(o, "id"));

			assert_true(id < last);
			last = id;
			seen++;
		}
		snprintf(next, sizeof(next), "%s", str(&a, "next"));
		fx_answer_free(&a);
		pages++;
	}
	assert_int_equal(seen, 5);
	assert_int_equal(pages, 3);
	fx_free(f);
}

static void
act(struct fx *f, const char *path, int status, const char *want)
{
	struct fx_answer a;

	fx_post(f, path, &a);
	expect(&a, status, status == 200 ? "" : want);
	if (status == 200)
		assert_string_equal(str(&a, "state"), want);
	fx_answer_free(&a);
}

static void
test_actions(void **state)
{
	struct fx *f = fx_new();

	(void)state;
	submit(f, "{\"profile\":\"blank\",\"count\":2}", COS_HEX, NULL);
	act(f, "/api/v1/orders/1/close", 409, "CW-1206");
	act(f, "/api/v1/orders/1/pause?why=lunch", 200, "paused");
	act(f, "/api/v1/orders/1/pause", 200, "paused");
	act(f, "/api/v1/orders/1/resume", 200, "ready");
	act(f, "/api/v1/orders/1/remake?record=9", 404, "CW-1301");
	act(f, "/api/v1/orders/1/cancel", 200, "cancelled");
	act(f, "/api/v1/orders/1/pause", 409, "CW-1206");
	act(f, "/api/v1/orders/1/close", 200, "closed");
	act(f, "/api/v1/orders/2/pause", 404, "CW-1201");
	act(f, "/api/v1/orders/x/pause", 404, "CW-1201");
	act(f, "/api/v1/orders/99999999999999999999/pause", 404, "CW-1201");
	assert_true(list_len(f, "/api/v1/log?order=1", "events") >= 3);
	fx_free(f);
}

/* Two records: one issued, one reject and then issued. */
static void
make_cards(struct fx *f)
{
	struct cw_pl_result r = { .seq = 1, .verdict = CW_CARD_GOOD,
	    .station = 1, .reader = 0x7F000101, .card_no = 501, .ms = 900,
	    .time_ms = 1735689600000, .serial_len = 4,
	    .serial = { 0xDE, 0xAD, 0xBE, 0xEF } };

	fx_terminal(f, 1, "line-1", 2);
	assert_int_equal(f->lease_cnt, 2);
	r.order = f->lease[0].order;
	r.record = f->lease[0].record;
	r.epoch = f->lease[0].epoch;
	fx_result(f, 1, &r);
	r.seq = 2;
	r.record = f->lease[1].record;
	r.verdict = CW_CARD_REJECT;
	r.outcome = CW_OUT_SW;
	r.sw = 0x6982;
	r.card_no = 502;
	r.serial[3] = 0xEE;
	r.trace = "> 00 D6\n< 69 82";
	r.trace_len = 15;
	fx_result(f, 1, &r);
}

static void
test_results(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 2), iccid[32], path[80];
	const json_t *res;

	(void)state;
	submit(f, META, COS_HEX, csv);
	make_cards(f);
	assert_int_equal(list_len(f, "/api/v1/orders/1/results", "results"), 2);
	assert_int_equal(list_len(f, "/api/v1/orders/1/results?record=1", "results"), 1);
	fx_get(f, "/api/v1/orders/1/faults", &a);
	expect(&a, 200, "");
	assert_int_equal(json_array_size(json_object_get(a.json, "results")), 1);
	res = json_array_get(json_object_get(a.json, "results"), 0);
	assert_string_equal(json_string_value(json_object_get(res, "cause")), "status-word");
	assert_string_equal(json_string_value(json_object_get(res, "sw")), "6982");
	assert_string_equal(json_string_value(json_object_get(res, "reader")), "127.0.1.1");
	assert_string_equal(json_string_value(json_object_get(res, "serial")), "deadbeee");
	fx_answer_free(&a);

	fx_get(f, "/api/v1/orders/1/report", &a);
	expect(&a, 200, "");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(a.json,
	    "cards"), "drawn")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(a.json,
	    "records"), "issued")), 1);
	assert_int_equal(json_array_size(json_object_get(a.json, "causes")), 1);
	fx_answer_free(&a);

	/* The same card by each of its names. */
	snprintf(iccid, sizeof(iccid), "%.19s", strchr(strchr(csv, '\n') + 1, '\n') + 1);
	snprintf(path, sizeof(path), "/api/v1/cards/%s", iccid);
	for (unsigned int i = 0; i < 4; i++) {
		static const char *const names[] = { NULL, "/api/v1/cards/DEADBEEE",
		    "/api/v1/cards/1/2", "/api/v1/cards/502" };

		fx_get(f, i == 0 ? path : names[i], &a);
		expect(&a, 200, "");
		assert_int_equal(json_integer_value(json_object_get(json_object_get(
		    a.json, "record"), "record")), 2);
		assert_string_equal(json_string_value(json_object_get(json_object_get(
		    a.json, "record"), "iccid")), iccid);
		assert_non_null(strstr(a.body, "> 00 D6"));
		fx_answer_free(&a);
	}
	fx_get(f, "/api/v1/cards/nobody", &a);
	expect(&a, 404, "CW-1301");
	fx_answer_free(&a);
	fx_get(f, "/api/v1/cards/1/3", &a);
	expect(&a, 404, "CW-1301");
	fx_answer_free(&a);
	free(csv);
	fx_free(f);
}

static void
test_result_forms(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 2);
	char next[200] = "/api/v1/orders/1/results?limit=1";
	unsigned int seen = 0;

	(void)state;
	submit(f, META, COS_HEX, csv);
	make_cards(f);
	fx_get(f, "/api/v1/orders/1/results?format=csv", &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(fx_header(&a, "Content-Type"), "text/csv; charset=utf-8");
	assert_string_equal(a.body, "record,attempt,verdict,cause,sw,step,station,"
	    "reader,card,ms,time_ms,serial,stray\n"
	    "1,1,good,good,0000,0,1,127.0.1.1,501,900,1735689600000,deadbeef,0\n"
	    "2,1,reject,status-word,6982,0,1,127.0.1.1,502,900,1735689600000,"
	    "deadbeee,0\n");
	fx_answer_free(&a);
	fx_get(f, "/api/v1/orders/1/faults?format=ndjson", &a);
	assert_int_equal(a.status, 200);
	/* One line, one document. */
	assert_ptr_equal(strchr(a.body, '\n'), a.body + a.body_len - 1);
	assert_int_equal(num(&a, "record"), 2);
	fx_answer_free(&a);
	while (next[0] != '\0') {
		fx_get(f, next, &a);
		expect(&a, 200, "");
		seen += (unsigned int)json_array_size(json_object_get(a.json, "results"));
		snprintf(next, sizeof(next), "%s", str(&a, "next"));
		fx_answer_free(&a);
	}
	assert_int_equal(seen, 2);
	fx_get(f, "/api/v1/orders/1/results?format=xml", &a);
	expect(&a, 400, "CW-1104");
	fx_answer_free(&a);
	fx_get(f, "/api/v1/orders/1/results?after=1", &a);
	expect(&a, 400, "CW-1104");
	fx_answer_free(&a);
	free(csv);
	fx_free(f);
}

static void
test_lines(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	struct cw_pl_msg m = { .type = CW_PL_STATUS };
	const json_t *line, *st;

	(void)state;
	fx_terminal(f, 1, "line-1", 0);
	m.u.status.line_state = 2;
	snprintf(m.u.status.why, sizeof(m.u.status.why), "door is open");
	m.u.status.station_cnt = 2;
	m.u.status.station[1].state = CW_ST_STUCK;
	m.u.status.station[1].reader = 0x7F000102;
	m.u.status.station[1].reject = 3;
	m.u.status.station[1].last_outcome = CW_OUT_MUTE;
	snprintf(m.u.status.station[1].why, sizeof(m.u.status.station[1].why),
	    "card jammed");
	assert_int_equal(cw_ledger_msg(f->ledger, 1, &m, 3000), 0);
	fx_get(f, "/api/v1/lines", &a);
	expect(&a, 200, "");
	line = json_array_get(json_object_get(a.json, "lines"), 0);
	assert_string_equal(json_string_value(json_object_get(line, "state")), "held");
	assert_string_equal(json_string_value(json_object_get(line, "why")), "door is open");
	/* Two by HELLO, whatever STATUS tells of. */
	assert_int_equal(json_integer_value(json_object_get(line, "station_cnt")), 2);
	fx_answer_free(&a);
	fx_get(f, "/api/v1/readers?line=line-1", &a);
	expect(&a, 200, "");
	st = json_array_get(json_object_get(a.json, "readers"), 1);
	assert_string_equal(json_string_value(json_object_get(st, "state")), "stuck");
	assert_string_equal(json_string_value(json_object_get(st, "reader")), "127.0.1.2");
	assert_string_equal(json_string_value(json_object_get(st, "why")), "card jammed");
	assert_string_equal(json_string_value(json_object_get(st, "last")), "mute");
	fx_answer_free(&a);
	assert_int_equal(list_len(f, "/api/v1/readers?line=line-9", "readers"), 0);

	/* A line that has gone stands there as away. */
	cw_ledger_closed(f->ledger, 1, 4000);
	fx_get(f, "/api/v1/lines", &a);
	line = json_array_get(json_object_get(a.json, "lines"), 0);
	assert_string_equal(json_string_value(json_object_get(line, "state")), "away");
	fx_answer_free(&a);
	fx_free(f);
}

/* By name and number, whoever came first, and the gone among the others. */
static void
test_lines_in_order(void **state)
{
	static const char *const want[] = { "line-1", "line-2", "line-10", "z" };
	struct fx *f = fx_new();
	struct fx_answer a;
	const json_t *list;

	(void)state;
	fx_terminal(f, 1, "z", 0);
	fx_terminal(f, 2, "line-10", 0);
	fx_terminal(f, 3, "line-2", 0);
	fx_terminal(f, 4, "line-1", 0);
	cw_ledger_closed(f->ledger, 3, 4000);
	fx_get(f, "/api/v1/lines", &a);
	list = json_object_get(a.json, "lines");
	assert_int_equal(json_array_size(list), 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(json_string_value(json_object_get(
		    json_array_get(list, i), "name")), want[i]);
	fx_answer_free(&a);
	fx_free(f);
}

static void
test_duplicates(void **state)
{
	struct fx *f = fx_new();
	struct fx_answer a;
	char *csv = make_csv(1, 2), body[200];
	const json_t *d;

	(void)state;
	submit(f, META, NULL, csv);
	snprintf(body, sizeof(body), "{\"iccid\":[\"8949000000099999999\",\"%.19s\"]}",
	    strchr(csv, '\n') + 1);
	fx_send(f, &(struct fx_request){ .method = "POST",
	    .path = "/api/v1/duplicates", .type = "application/json", .body = body }, &a);
	expect(&a, 200, "");
	assert_int_equal(json_array_size(json_object_get(a.json, "duplicates")), 1);
	d = json_array_get(json_object_get(a.json, "duplicates"), 0);
	assert_int_equal(json_integer_value(json_object_get(d, "index")), 1);
	assert_int_equal(json_integer_value(json_object_get(d, "order")), 1);
	assert_int_equal(json_integer_value(json_object_get(d, "record")), 1);
	fx_answer_free(&a);
	fx_send(f, &(struct fx_request){ .method = "POST",
	    .path = "/api/v1/duplicates", .type = "application/json",
	    .body = "{\"iccid\":[\"12x45\"]}" }, &a);
	expect(&a, 400, "CW-1105");
	fx_answer_free(&a);
	free(csv);
	fx_free(f);
}

/* A listener hears of a new order at the next tick, and goes without a trace. */
static void
test_events(void **state)
{
	struct fx *f = fx_new();
	static char buf[65536];
	static const char ask[] = "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	    "Authorization: Bearer " FX_TOKEN "\r\n\r\n";
	char *csv = make_csv(1, 1);
	int fd = fx_connect(f);

	(void)state;
	fx_put(f, fd, ask, sizeof(ask) - 1);
	fx_take(f, fd, buf, sizeof(buf));
	assert_non_null(strstr(buf, "text/event-stream"));
	assert_non_null(strstr(buf, "event: live\ndata: {"));
	assert_non_null(strstr(buf, "\"orders\":[]"));
	submit(f, META, COS_HEX, csv);
	cw_api_tick(f->api);
	fx_take(f, fd, buf, sizeof(buf));
	assert_non_null(strstr(buf, "\"name\":\"first\""));
	/* Every tick says something, so that a dead platform is noticed. */
	cw_api_tick(f->api);
	assert_true(fx_take(f, fd, buf, sizeof(buf)) > 0);
	close(fd);
	cw_api_tick(f->api);
	cw_api_tick(f->api);
	free(csv);
	fx_free(f);
}

/* Fail the n-th change of the store, for every n: refused whole or accepted. */
static void
test_store_faults(void **state)
{
	char *csv = make_csv(1, 3);
	uint32_t n = 1;
	bool fired = true, refused;

	(void)state;
	for (; fired; n++) {
		struct fx *f = fx_new();
		struct fx_answer a;

		cw_store_fault_set(f->store, n, false);
		fx_submit(f, &(struct fx_order){ .meta = META, .cos = COS_HEX,
		    .data = csv }, &a);
		fired = cw_store_fault_fired(f->store) > 0;
		if (a.status != 201) {
			expect(&a, 500, "CW-1901");
			expect_nothing_left(f);
		} else {
			assert_int_equal(num(&a, "total"), 3);
		}
		refused = a.status != 201;
		fx_answer_free(&a);
		/* The fault is over: the same order is taken now. */
		cw_store_fault_set(f->store, 0, false);
		cw_api_tick(f->api);
		fx_submit(f, &(struct fx_order){ .meta = META, .cos = COS_HEX,
		    .data = csv }, &a);
		expect(&a, refused ? 201 : 200, "");
		assert_int_equal(num(&a, "total"), 3);
		fx_answer_free(&a);
		fx_free(f);
	}
	assert_true(n > 5);
	free(csv);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_bad_data),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_bad_meta),
		cmocka_unit_test(test_bad_cos),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_bad_parts),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_drip),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_paging),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_result_forms),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_in_order),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_store_faults),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
