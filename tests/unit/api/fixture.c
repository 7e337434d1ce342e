/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cw/err.h"

#define BOUNDARY "----cwtest7d3f"
#define TURNS_MAX 20000

static int
fake_profile(void *ctx, const char *name, struct cw_api_profile *p,
    char *err, size_t err_cap)
{
	static const struct cw_field_spec sim[] = {
		{ "iccid", CW_FIELD_ICCID, true, true, 0, 0 },
		{ "imsi", CW_FIELD_IMSI, true, true, 0, 0 },
		{ "ki", CW_FIELD_HEX, true, false, 32, 32 },
	};

	(void)ctx;
	memset(p, 0, sizeof(*p));
	if (strcmp(name, "sim") != 0 && strcmp(name, "blank") != 0) {
		snprintf(err, err_cap, "no card profile '%s' here; there are: sim, "
		    "blank", name);
		return CW_ENOENT;
	}
	p->text = (uint8_t *)strdup("profile text");
	p->len = strlen("profile text");
	p->has_cos = true;
	if (strcmp(name, "sim") == 0) {
		memcpy(p->fields, sim, sizeof(sim));
		p->field_cnt = 3;
		p->has_record = true;
	}
	return 0;
}

static bool
fake_ready(void *ctx, char *why, size_t why_cap)
{
	const struct fx *f = ctx;

	snprintf(why, why_cap, "the database cannot record");
	return !f->not_ready;
}

static int
note_send(void *ctx, uint32_t conn, const struct cw_pl_msg *m)
{
	struct fx *f = ctx;

	(void)conn;
	if (m->type == CW_PL_LEASE && f->lease_cnt < FX_SENT_MAX)
		f->lease[f->lease_cnt++] = m->u.lease;
	return 0;
}

static void
note_close(void *ctx, uint32_t conn)
{
	(void)ctx;
	(void)conn;
}

static uint64_t
fake_utc(void *ctx)
{
	(void)ctx;
	return 1735689600123;	/* 2025-01-01T00:00:00.123Z */
}

struct fx *
fx_new_slow(uint32_t slow_ms)
{
	static const struct cw_ledger_ops ops = { .send = note_send, .close = note_close };
	static const uint8_t key[CW_SEAL_KEY_LEN] = { 1, 2, 3 };
	struct fx *f = calloc(1, sizeof(*f));
	struct cw_ledger_config lc = { .ops = &ops, .ctx = f, .platform = 7,
	    .utc_ms = fake_utc };
	struct cw_api_config ac = { .profile = fake_profile, .utc_ms = fake_utc,
	    .ready = fake_ready, .ctx = f, .listen = "127.0.0.1",
	    .token = FX_TOKEN };
	char err[256] = "";

	assert_non_null(f);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->inner = cw_store_mem_new();
	f->store = cw_store_fault_new(f->inner);
	f->seal = cw_seal_new(key);
	lc.store = f->store;
	lc.seal = f->seal;
	f->ledger = cw_ledger_new(&lc);
	assert_non_null(f->ledger);
	ac.loop = &f->loop;
	ac.store = f->store;
	ac.seal = f->seal;
	ac.ledger = f->ledger;
	ac.slow_ms = slow_ms;
	f->api = cw_api_start(&ac, err, sizeof(err));
	if (f->api == NULL)
		fail_msg("cw_api_start: %s", err);
	return f;
}

struct fx *
fx_new(void)
{
	return fx_new_slow(0);
}

void
fx_free(struct fx *f)
{
	cw_api_stop(f->api);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	cw_ledger_free(f->ledger);
	cw_store_close(f->store);
	cw_store_close(f->inner);
	cw_seal_free(f->seal);
	free(f);
}

void
fx_turn(struct fx *f)
{
	uv_run(&f->loop, UV_RUN_NOWAIT);
}

int
fx_connect(struct fx *f)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_port = htons(cw_api_port(f->api)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* The kernel completes the handshake: the server need not run for it. */
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* One turn of the server, then at most 1 ms until the socket has something. */
static void
turn_and_wait(struct fx *f, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	fx_turn(f);
	poll(&p, 1, 1);
}

void
fx_put(struct fx *f, int fd, const char *buf, size_t len)
{
	for (int i = 0; len > 0 && i < TURNS_MAX; i++) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n > 0) {
			buf += n;
			len -= (size_t)n;
			fx_turn(f);
		} else if (errno == EAGAIN) {
			turn_and_wait(f, fd, POLLOUT);
		} else {
			return;	/* the server has closed: its answer tells why */
		}
	}
}

size_t
fx_take(struct fx *f, int fd, char *buf, size_t cap)
{
	size_t len = 0;

	for (int i = 0; i < 20 && len + 1 < cap; i++) {
		ssize_t n;

		turn_and_wait(f, fd, POLLIN);
		n = recv(fd, buf + len, cap - 1 - len, 0);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
	}
	buf[len] = '\0';
	return len;
}

static void
unchunk(struct fx_answer *a)
{
	char *in = a->body, *out = a->body, *end = a->body + a->body_len;

	while (in < end) {
		size_t n = strtoul(in, &in, 16);

		in = strstr(in, "\r\n");
		if (in == NULL || n == 0 || in + 2 + n > end)
			break;
		memmove(out, in + 2, n);
		out += n;
		in += 2 + n + 2;
	}
	*out = '\0';
	a->body_len = (size_t)(out - a->body);
}

static void
parse(struct fx_answer *a, char *text, size_t len)
{
	char *body = strstr(text, "\r\n\r\n");
	const char *te;

	/* A "100 Continue" before the answer is no answer. */
	while (body != NULL && strncmp(text, "HTTP/1.1 100", 12) == 0) {
		len -= (size_t)(body + 4 - text);
		text = body + 4;
		body = strstr(text, "\r\n\r\n");
	}
	if (body == NULL || sscanf(text, "HTTP/1.1 %d", &a->status) != 1)
		return;
	snprintf(a->head, sizeof(a->head), "%.*s", (int)(body + 2 - text), text);
	a->body_len = len - (size_t)(body + 4 - text);
	a->body = malloc(a->body_len + 1);
	memcpy(a->body, body + 4, a->body_len);
	a->body[a->body_len] = '\0';
	te = fx_header(a, "Transfer-Encoding");
	if (te != NULL && strcasecmp(te, "chunked") == 0)
		unchunk(a);
	a->json = json_loadb(a->body, a->body_len, 0, NULL);
}

void
fx_raw(struct fx *f, const char *buf, size_t len, size_t step, struct fx_answer *a)
{
	size_t cap = 4u << 20, got = 0;
	char *text = malloc(cap);
	int fd = fx_connect(f);
	bool eof = false;

	memset(a, 0, sizeof(*a));
	for (size_t off = 0; off < len; ) {
		size_t n = step != 0 && step < len - off ? step : len - off;

		fx_put(f, fd, buf + off, n);
		off += n;
	}
	for (int i = 0; !eof && i < TURNS_MAX; i++) {
		ssize_t n = recv(fd, text + got, cap - 1 - got, 0);

		if (n > 0)
			got += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			eof = true;
		else
			turn_and_wait(f, fd, POLLIN);
	}
	close(fd);
	fx_turn(f);
	text[got] = '\0';
	parse(a, text, got);
	free(text);
}

void
fx_answer_free(struct fx_answer *a)
{
	free(a->body);
	json_decref(a->json);
	memset(a, 0, sizeof(*a));
}

const char *
fx_header(const struct fx_answer *a, const char *name)
{
	static char value[512];
	size_t len = strlen(name);

	for (const char *p = a->head; *p != '\0'; ) {
		size_t n = strcspn(p, "\r\n");

		if (strncasecmp(p, name, len) == 0 && p[len] == ':') {
			snprintf(value, sizeof(value), "%.*s",
			    (int)(n - len - 2), p + len + 2);
			return value;
		}
		p += n;
		p += strspn(p, "\r\n");
	}
	return NULL;
}

void
fx_send(struct fx *f, const struct fx_request *r, struct fx_answer *a)
{
	size_t len = r->body_len != 0 ? r->body_len :
	    r->body != NULL ? strlen(r->body) : 0;
	char *buf = malloc(len + 2048);
	const char *token = r->token != NULL ? r->token : FX_TOKEN;
	int n;

	n = snprintf(buf, 2048, "%s %s HTTP/1.1\r\nHost: %s\r\n"
	    "Connection: close\r\n%s%s%s%s", r->method, r->path,
	    r->host != NULL ? r->host : "127.0.0.1",
	    token[0] != '\0' ? "Authorization: Bearer " : "", token,
	    token[0] != '\0' ? "\r\n" : "", r->headers != NULL ? r->headers : "");
	if (r->type != NULL)
		n += snprintf(buf + n, 256, "Content-Type: %s\r\n", r->type);
	if (r->chunked)
		n += snprintf(buf + n, 256, "Transfer-Encoding: chunked\r\n\r\n"
		    "%zx\r\n", len);
	else if (r->body != NULL)
		n += snprintf(buf + n, 256, "Content-Length: %zu\r\n\r\n", len);
	else
		n += snprintf(buf + n, 256, "\r\n");
	if (len > 0)
		memcpy(buf + n, r->body, len);
	len += (size_t)n;
	if (r->chunked) {
		memcpy(buf + len, "\r\n0\r\n\r\n", 7);
		len += 7;
	}
	fx_raw(f, buf, len, r->step, a);
	free(buf);
}

void
fx_get(struct fx *f, const char *path, struct fx_answer *a)
{
	fx_send(f, &(struct fx_request){ .method = "GET", .path = path }, a);
}

void
fx_post(struct fx *f, const char *path, struct fx_answer *a)
{
	fx_send(f, &(struct fx_request){ .method = "POST", .path = path }, a);
}

static size_t
put_part(char *out, const char *name, const char *buf, size_t len)
{
	size_t n;

	if (buf == NULL)
		return 0;
	n = (size_t)sprintf(out, "--" BOUNDARY "\r\nContent-Disposition: form-data; "
	    "name=\"%s\"\r\n\r\n", name);
	memcpy(out + n, buf, len);
	memcpy(out + n + len, "\r\n", 2);
	return n + len + 2;
}

char *
fx_order_bytes(const struct fx_order *o, size_t *len)
{
	size_t cos_len = o->cos == NULL ? 0 : o->cos_len != 0 ? o->cos_len :
	    strlen(o->cos);
	size_t data_len = o->data != NULL ? strlen(o->data) : 0;
	size_t meta_len = o->meta != NULL ? strlen(o->meta) : 0;
	char *body = malloc(cos_len + data_len + meta_len + 1024);
	char *all = malloc(cos_len + data_len + meta_len + 2048);
	size_t n = 0, head;

	n += put_part(body + n, "meta", o->meta, meta_len);
	n += put_part(body + n, "cos", o->cos, cos_len);
	n += put_part(body + n, "data", o->data, data_len);
	n += (size_t)sprintf(body + n, "--" BOUNDARY "--\r\n");
	head = (size_t)sprintf(all, "POST /api/v1/orders HTTP/1.1\r\n"
	    "Host: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer "
	    FX_TOKEN "\r\n%sContent-Type: multipart/form-data; boundary="
	    BOUNDARY "\r\nContent-Length: %zu\r\n\r\n",
	    o->headers != NULL ? o->headers : "", n);
	memcpy(all + head, body, n);
	free(body);
	*len = head + n;
	return all;
}

void
fx_submit(struct fx *f, const struct fx_order *o, struct fx_answer *a)
{
	size_t len;
	char *buf = fx_order_bytes(o, &len);

	fx_raw(f, buf, len, o->step, a);
	free(buf);
}

const char *
fx_problem(const struct fx_answer *a)
{
	const char *type = json_string_value(json_object_get(a->json, "type"));

	return type != NULL && strrchr(type, ':') != NULL ?
	    strrchr(type, ':') + 1 : "";
}

void
fx_terminal(struct fx *f, uint32_t conn, const char *name, uint16_t want)
{
	struct cw_pl_msg m = { .type = CW_PL_HELLO };

	assert_int_equal(cw_ledger_open(f->ledger, conn, name, 0x7F000001, 1000), 0);
	snprintf(m.u.hello.terminal, sizeof(m.u.hello.terminal), "%s", name);
	m.u.hello.incarnation = 99 + conn;
	m.u.hello.start_cnt = 1;
	m.u.hello.next_seq = 1;
	m.u.hello.station_cnt = 2;
	assert_int_equal(cw_ledger_msg(f->ledger, conn, &m, 1000), 0);
	assert_int_equal(cw_ledger_flush(f->ledger, 1000), 0);
	memset(&m, 0, sizeof(m));
	m.type = CW_PL_PULL;
	m.u.pull.want = want;
	m.u.pull.addr_cnt = 1;
	m.u.pull.addr[0] = 0x7F000101;
	assert_int_equal(cw_ledger_msg(f->ledger, conn, &m, 1000), 0);
	assert_int_equal(cw_ledger_tick(f->ledger, 1000), 0);
	assert_int_equal(cw_ledger_flush(f->ledger, 1000), 0);
}

void
fx_result(struct fx *f, uint32_t conn, const struct cw_pl_result *res)
{
	struct cw_pl_msg m = { .type = CW_PL_RESULT };

	m.u.result = *res;
	assert_int_equal(cw_ledger_msg(f->ledger, conn, &m, 2000), 0);
	assert_int_equal(cw_ledger_flush(f->ledger, 2000), 0);
}
