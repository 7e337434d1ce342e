/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "certs.h"
#include "cw/err.h"
#include "host/conn.h"

#define VERSION 1
#define BODY_MAX (1u << 20)

/* ---- certificates, made once ---- */

static char dir[] = "/tmp/cw-conn-XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static unsigned int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static const char *const files[] = {
	"ca.pem", "other-ca.pem", "platform.pem", "platform.key", "term.pem",
	"term.key", "old.pem", "old.key", "alien.pem", "alien.key",
	"nameless.pem", "nameless.key",
};

static int
setup(void **state)
{
	struct test_ca ca, other;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	test_ca_make(&ca, in_dir("ca.pem"));
	test_ca_make(&other, in_dir("other-ca.pem"));
	test_cert_make(&ca, "platform", -60, 3600, in_dir("platform"));
	test_cert_make(&ca, "terminal.line-1", -60, 3600, in_dir("term"));
	test_cert_make(&ca, "terminal.line-1", -3600, -60, in_dir("old"));
	test_cert_make(&other, "terminal.line-1", -60, 3600, in_dir("alien"));
	test_cert_make(&ca, NULL, -60, 3600, in_dir("nameless"));
	test_ca_fini(&ca);
	test_ca_fini(&other);
	return 0;
}

static int
teardown(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(in_dir(files[i]));
	return rmdir(dir);
}

static SSL_CTX *
ctx_of(bool server, const char *ca, const char *who)
{
	char err[256] = "", cert[64], key[64];
	SSL_CTX *ctx;

	snprintf(cert, sizeof(cert), "%s.pem", who);
	snprintf(key, sizeof(key), "%s.key", who);
	ctx = (server ? cw_tls_server : cw_tls_client)(in_dir(ca),
	    in_dir(cert), in_dir(key), err, sizeof(err));
	assert_string_equal(err, "");
	return ctx;
}

/* ---- two ends on one loop ---- */

struct end {
	struct cw_conn *conn;
	bool open, closed;
	int err;
	char text[256], peer[64];
	uint32_t frames, bytes, bad;	/* bad: content is not as sent */
	uint8_t last_type;
	bool echo;
	uint32_t close_after;
};

struct world {
	uv_loop_t loop;
	struct cw_conn_config server_cfg, client_cfg;
	struct cw_conn_listener *listener;
	struct end server, client;
	uv_timer_t guard;	/* a test that hangs ends here */
	bool expired;
};

static uint8_t
pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13);
}

static void
on_open(struct cw_conn *c, void *ctx, const char *peer)
{
	struct end *e = ctx;

	assert_false(e->open);
	e->conn = c;
	e->open = true;
	snprintf(e->peer, sizeof(e->peer), "%s", peer);
}

static void
send_pattern(struct cw_conn *c, uint8_t type, uint32_t len)
{
	uint8_t *buf = malloc(CW_FRAME_HDR + len);
	uint32_t i;
	size_t n;

	for (i = 0; i < len; i++)
		buf[CW_FRAME_HDR + i] = pattern(i);
	n = cw_frame_seal(buf, VERSION, type, 9, len);
	assert_int_equal(cw_conn_send(c, buf, n), CW_OK);
	free(buf);
}

static void
on_frame(struct cw_conn *c, void *ctx, const struct cw_frame *f)
{
	struct end *e = ctx;
	uint32_t i;

	for (i = 0; i < f->body_len; i++)
		e->bad += f->body[i] != pattern(i);
	e->frames++;
	e->bytes += f->body_len;
	e->last_type = f->type;
	if (e->echo)
		send_pattern(c, f->type, f->body_len);
	if (e->close_after == e->frames)
		cw_conn_close(c);
}

static void
on_version(struct cw_conn *c, void *ctx, uint8_t theirs)
{
	(void)ctx;
	send_pattern(c, theirs, 8);
}

static void
on_closed(struct cw_conn *c, void *ctx, int err, const char *text)
{
	struct end *e = ctx;

	(void)c;
	assert_false(e->closed);
	e->closed = true;
	e->conn = NULL;
	e->err = err;
	snprintf(e->text, sizeof(e->text), "%s", text);
}

static void
on_guard(uv_timer_t *t)
{
	struct world *w = t->data;

	w->expired = true;
}

static void
world_open(struct world *w, SSL_CTX *server, SSL_CTX *client)
{
	char err[128] = "";

	memset(w, 0, sizeof(*w));
	uv_loop_init(&w->loop);
	uv_timer_init(&w->loop, &w->guard);
	w->guard.data = w;
	uv_timer_start(&w->guard, on_guard, 20000, 0);
	w->server_cfg = (struct cw_conn_config){
		.loop = &w->loop, .tls = server, .version = VERSION,
		.body_max = BODY_MAX, .cb = { on_open, on_frame, on_closed, on_version },
		.ctx = &w->server,
	};
	w->client_cfg = w->server_cfg;
	w->client_cfg.tls = client;
	w->client_cfg.want_peer = "platform";
	w->client_cfg.ctx = &w->client;
	w->listener = cw_conn_listen(&w->server_cfg, "127.0.0.1", 0, err,
	    sizeof(err));
	assert_string_equal(err, "");
	assert_non_null(w->listener);
}

static void
world_connect(struct world *w)
{
	assert_non_null(cw_conn_connect(&w->client_cfg, "127.0.0.1",
	    cw_conn_listener_port(w->listener)));
}

/* Turns the loop until *flag. */
static void
until(struct world *w, const bool *flag)
{
	while (!*flag && !w->expired)
		uv_run(&w->loop, UV_RUN_ONCE);
	assert_false(w->expired);
}

static void
until_frames(struct world *w, const struct end *e, uint32_t cnt)
{
	while (e->frames < cnt && !w->expired)
		uv_run(&w->loop, UV_RUN_ONCE);
	assert_false(w->expired);
	assert_int_equal(e->bad, 0);
}

static void
world_close(struct world *w)
{
	cw_conn_listener_close(w->listener);
	uv_close((uv_handle_t *)&w->guard, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	SSL_CTX_free(w->server_cfg.tls);
	SSL_CTX_free(w->client_cfg.tls);
}

/* ---- what must work ---- */

static void
exchange(SSL_CTX *server, SSL_CTX *client, const char *client_name,
    const char *server_name)
{
	static const uint32_t len[] = { 0, 1, 19, 20, 4000, 16364, 16384,
		65516, 65536, 300000, BODY_MAX };
	const uint32_t cnt = sizeof(len) / sizeof(len[0]);
	struct world w;
	uint32_t i, bytes = 0;

	world_open(&w, server, client);
	w.server.echo = true;
	world_connect(&w);
	until(&w, &w.client.open);
	assert_string_equal(w.client.peer, server_name);
	for (i = 0; i < cnt; i++) {
		send_pattern(w.client.conn, (uint8_t)i, len[i]);
		bytes += len[i];
	}
	until_frames(&w, &w.client, cnt);
	assert_string_equal(w.server.peer, client_name);
	assert_int_equal(w.client.bytes, bytes);
	assert_int_equal(w.server.bytes, bytes);
	assert_int_equal(w.server.bad, 0);
	assert_int_equal(cw_conn_queued(w.client.conn), 0);

	cw_conn_close(w.client.conn);
	cw_conn_close(w.client.conn);
	until(&w, &w.server.closed);
	until(&w, &w.client.closed);
	assert_int_equal(w.client.err, CW_OK);
	assert_int_equal(w.server.err, CW_ECLOSED);
	world_close(&w);
}

static void
test_plain(void **state)
{
	(void)state;
	exchange(NULL, NULL, "", "");
}

static void
test_tls(void **state)
{
	(void)state;
	exchange(ctx_of(true, "ca.pem", "platform"),
	    ctx_of(false, "ca.pem", "term"), "terminal.line-1", "platform");
}

/* Sent before the connection stands, and right before close: all arrives. */
static void
early_and_late(SSL_CTX *server, SSL_CTX *client)
{
	struct world w;
	struct cw_conn *c;
	uint32_t i;

	world_open(&w, server, client);
	c = cw_conn_connect(&w.client_cfg, "127.0.0.1",
	    cw_conn_listener_port(w.listener));
	assert_non_null(c);
	send_pattern(c, 1, 100);
	until(&w, &w.client.open);
	for (i = 0; i < 40; i++)
		send_pattern(c, 2, 200000);
	send_pattern(c, 3, 5);
	cw_conn_close(c);
	assert_int_equal(cw_conn_send(c, (const uint8_t *)"x", 1), CW_ECLOSED);
	until(&w, &w.client.closed);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.frames, 42);
	assert_int_equal(w.server.bad, 0);
	assert_int_equal(w.server.last_type, 3);
	assert_int_equal(w.client.err, CW_OK);
	world_close(&w);
}

static void
test_early_and_late(void **state)
{
	(void)state;
	early_and_late(NULL, NULL);
	early_and_late(ctx_of(true, "ca.pem", "platform"),
	    ctx_of(false, "ca.pem", "term"));
}

/* After close in a frame's callback no frame comes, though more arrived. */
static void
test_close_in_callback(void **state)
{
	struct world w;
	int i;

	(void)state;
	world_open(&w, NULL, NULL);
	w.server.close_after = 2;
	world_connect(&w);
	until(&w, &w.client.open);
	for (i = 0; i < 5; i++)
		send_pattern(w.client.conn, 1, 10);
	until(&w, &w.client.closed);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.frames, 2);
	assert_int_equal(w.server.err, CW_OK);
	assert_int_equal(w.client.err, CW_ECLOSED);
	world_close(&w);
}

/* Frames of one turn of the loop leave in one write. */
static void
test_coalesce(void **state)
{
	struct world w;
	uint8_t frame[CW_FRAME_HDR];
	size_t n = cw_frame_seal(frame, VERSION, 1, 0, 0);
	int i;

	(void)state;
	world_open(&w, NULL, NULL);
	world_connect(&w);
	until(&w, &w.client.open);
	for (i = 0; i < 50; i++) {
		assert_int_equal(cw_conn_send(w.client.conn, frame, n), CW_OK);
		assert_int_equal(cw_conn_queued(w.client.conn),
		    (size_t)(i + 1) * n);
	}
	until_frames(&w, &w.server, 50);
	assert_int_equal(cw_conn_queued(w.client.conn), 0);
	cw_conn_close(w.client.conn);
	until(&w, &w.client.closed);
	world_close(&w);
}

/* A peer that does not read: send says so at the limit and loses nothing. */
static void
test_full(void **state)
{
	struct world w;
	struct cw_conn *c;
	uint8_t *buf = calloc(1, BODY_MAX + CW_FRAME_HDR);
	size_t n = cw_frame_seal(buf, VERSION, 1, 0, BODY_MAX);
	int res = CW_OK, sent = 0;

	(void)state;
	world_open(&w, NULL, NULL);
	w.client_cfg.out_max = 4 * n;
	c = cw_conn_connect(&w.client_cfg, "127.0.0.1",
	    cw_conn_listener_port(w.listener));
	while ((res = cw_conn_send(c, buf, n)) == CW_OK)
		sent++;
	assert_int_equal(res, CW_EFULL);
	assert_int_equal(sent, 4);
	while (w.server.frames < 4 && !w.expired)
		uv_run(&w.loop, UV_RUN_ONCE);
	assert_int_equal(cw_conn_send(c, buf, n), CW_OK);
	cw_conn_close(c);
	until(&w, &w.client.closed);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.frames, 5);
	world_close(&w);
	free(buf);
}

/* ---- what must be refused ---- */

static void
test_denied(void **state)
{
	static const struct {
		const char *server_ca, *client_ca, *client, *want;
		int server_err, client_err;
		const char *text;	/* in the refusing side's sentence */
	} t[] = {
		/* another authority on the client's certificate */
		{ "ca.pem", "ca.pem", "alien", "platform", CW_EDENIED,
		    CW_EDENIED, "certificate" },
		{ "ca.pem", "ca.pem", "old", "platform", CW_EDENIED,
		    CW_EDENIED, "certificate has expired" },
		{ "ca.pem", "ca.pem", "nameless", "platform", CW_EDENIED,
		    CW_ECLOSED, "no DNS name" },
		/* the server is not of the client's authority, or has another name */
		{ "ca.pem", "other-ca.pem", "term", "platform", CW_EDENIED,
		    CW_EDENIED, "certificate" },
		{ "ca.pem", "ca.pem", "term", "platform2", CW_EDENIED,
		    CW_EDENIED, "not for the name \"platform2\"" },
	};
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		world_open(&w, ctx_of(true, t[i].server_ca, "platform"),
		    ctx_of(false, t[i].client_ca, t[i].client));
		w.client_cfg.want_peer = t[i].want;
		world_connect(&w);
		until(&w, &w.client.closed);
		until(&w, &w.server.closed);
		assert_false(w.server.open);
		if (w.server.err != t[i].server_err ||
		    w.client.err != t[i].client_err ||
		    (strstr(w.server.text, t[i].text) == NULL &&
		    strstr(w.client.text, t[i].text) == NULL))
			fail_msg("case %zu: '%s' '%s'", i, w.server.text,
			    w.client.text);
		world_close(&w);
	}
}

/* A terminal's certificate on the listening side is no platform. */
static void
test_pose(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, ctx_of(true, "ca.pem", "term"),
	    ctx_of(false, "ca.pem", "term"));
	world_connect(&w);
	until(&w, &w.client.closed);
	assert_false(w.client.open);
	assert_int_equal(w.client.err, CW_EDENIED);
	assert_non_null(strstr(w.client.text, "not for the name \"platform\""));
	until(&w, &w.server.closed);
	world_close(&w);
}

/* A client that never shows a certificate, though its TLS is in order. */
static void
test_no_certificate(void **state)
{
	SSL_CTX *bare = SSL_CTX_new(TLS_client_method());
	struct world w;

	(void)state;
	assert_int_equal(SSL_CTX_load_verify_file(bare, in_dir("ca.pem")), 1);
	world_open(&w, ctx_of(true, "ca.pem", "platform"), bare);
	world_connect(&w);
	until(&w, &w.server.closed);
	assert_false(w.server.open);
	assert_int_equal(w.server.err, CW_EDENIED);
	assert_non_null(strstr(w.server.text, "shows no certificate"));
	until(&w, &w.client.closed);
	assert_int_equal(w.client.err, CW_EDENIED);
	world_close(&w);
}

static void
test_tls12(void **state)
{
	SSL_CTX *old = ctx_of(false, "ca.pem", "term");
	struct world w;

	(void)state;
	SSL_CTX_set_min_proto_version(old, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
	world_open(&w, ctx_of(true, "ca.pem", "platform"), old);
	world_connect(&w);
	until(&w, &w.server.closed);
	until(&w, &w.client.closed);
	assert_int_equal(w.server.err, CW_EPROTO);
	assert_false(w.server.open);
	world_close(&w);
}

static void
test_plain_on_tls(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, ctx_of(true, "ca.pem", "platform"), NULL);
	world_connect(&w);
	until(&w, &w.client.open);
	send_pattern(w.client.conn, 1, 500);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.err, CW_EPROTO);
	assert_non_null(strstr(w.server.text, "does not speak TLS 1.3"));
	until(&w, &w.client.closed);
	world_close(&w);
}

/* A TLS client meets a plain server: its hello is no frame. */
static void
test_tls_on_plain(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, NULL, ctx_of(false, "ca.pem", "term"));
	world_connect(&w);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.err, CW_EFORMAT);
	assert_non_null(strstr(w.server.text, "another protocol?"));
	until(&w, &w.client.closed);
	assert_int_equal(w.client.err, CW_ECLOSED);
	world_close(&w);
}

/* Connects and says nothing. */
static void
test_mute(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, NULL, NULL);
	cw_conn_listener_close(w.listener);
	w.server_cfg.tls = ctx_of(true, "ca.pem", "platform");
	w.server_cfg.connect_ms = 30;
	w.listener = cw_conn_listen(&w.server_cfg, "127.0.0.1", 0, (char[64]){ 0 }, 64);
	world_connect(&w);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.err, CW_ETIMEOUT);
	assert_non_null(strstr(w.server.text, "no TLS handshake within 30 ms"));
	until(&w, &w.client.closed);
	world_close(&w);
}

/* ---- bytes by hand on a plain socket ---- */

static int
raw_connect(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void
test_one_byte_writes(void **state)
{
	uint8_t frame[2][CW_FRAME_HDR + 300];
	struct world w;
	size_t n, i, k;
	int fd;

	(void)state;
	for (k = 0; k < 2; k++) {
		for (i = 0; i < 300; i++)
			frame[k][CW_FRAME_HDR + i] = pattern(i);
	}
	world_open(&w, NULL, NULL);
	fd = raw_connect(cw_conn_listener_port(w.listener));
	until(&w, &w.server.open);
	for (k = 0; k < 2; k++) {
		n = cw_frame_seal(frame[k], VERSION, 5, 1, k == 0 ? 0 : 300);
		for (i = 0; i < n; i++) {
			assert_int_equal(w.server.frames, k);
			assert_int_equal(write(fd, frame[k] + i, 1), 1);
			uv_run(&w.loop, UV_RUN_ONCE);
		}
		until_frames(&w, &w.server, (uint32_t)k + 1);
	}
	assert_int_equal(w.server.bytes, 300);

	/* The end in the middle of a frame is told as such. */
	assert_int_equal(write(fd, frame[1], 7), 7);
	close(fd);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.err, CW_ECLOSED);
	assert_non_null(strstr(w.server.text, "in the middle of a frame"));
	world_close(&w);
}

static void
test_bad_frames(void **state)
{
	static const struct {
		size_t at;	/* byte changed */
		uint8_t flip;
		int err;
	} t[] = {
		{ 0, 0x01, CW_EFORMAT }, { 1, 0x80, CW_EFORMAT },
		{ 5, 0x01, CW_ECRC }, { 12, 0x10, CW_ECRC },
		{ 16, 0x01, CW_ECRC }, { 20, 0x01, CW_ECRC },
		{ 39, 0x80, CW_ECRC },
	};
	uint8_t frame[CW_FRAME_HDR + 20];
	struct world w;
	size_t i, n, split;
	int fd;

	(void)state;
	for (i = 0; i < 2 * sizeof(t) / sizeof(t[0]); i++) {
		memset(frame, 0x5a, sizeof(frame));
		n = cw_frame_seal(frame, VERSION, 5, 1, 20);
		frame[t[i / 2].at] ^= t[i / 2].flip;
		world_open(&w, NULL, NULL);
		fd = raw_connect(cw_conn_listener_port(w.listener));
		until(&w, &w.server.open);
		/* whole, and in two pieces */
		split = i % 2 ? 10 : n;
		assert_int_equal(write(fd, frame, split), split);
		uv_run(&w.loop, UV_RUN_ONCE);
		if (split < n)
			assert_int_equal(send(fd, frame + split, n - split,
			    MSG_NOSIGNAL), n - split);
		shutdown(fd, SHUT_WR);
		until(&w, &w.server.closed);
		assert_int_equal(w.server.err, t[i / 2].err);
		assert_int_equal(w.server.frames, 0);
		close(fd);
		world_close(&w);
	}
}

static void
refused_frame(uint8_t version, uint32_t body_len, int err)
{
	uint8_t frame[CW_FRAME_HDR], answer[CW_FRAME_HDR + 9];
	struct cw_frame f;
	char both[80];
	struct world w;
	int fd;

	/* Only the header goes out: it is enough to refuse. */
	cw_frame_seal(frame, version, 5, 1, 0);
	if (body_len > 0) {
		uint8_t *big = calloc(1, CW_FRAME_HDR + body_len);

		cw_frame_seal(big, version, 5, 1, body_len);
		memcpy(frame, big, CW_FRAME_HDR);
		free(big);
	}
	world_open(&w, NULL, NULL);
	fd = raw_connect(cw_conn_listener_port(w.listener));
	until(&w, &w.server.open);
	assert_int_equal(write(fd, frame, sizeof(frame)), sizeof(frame));
	shutdown(fd, SHUT_WR);
	until(&w, &w.server.closed);
	assert_int_equal(w.server.err, err);
	if (err == CW_EVERSION) {
		snprintf(both, sizeof(both), "speaks version %u of the link, this "
		    "program version %u", version, VERSION);
		assert_non_null(strstr(w.server.text, both));

		/* An answer in our version, then the end. */
		assert_int_equal(recv(fd, answer, sizeof(answer), MSG_WAITALL),
		    CW_FRAME_HDR + 8);
		assert_int_equal(cw_frame_peek(&f, answer, CW_FRAME_HDR + 8, VERSION,
		    8), CW_FRAME_HDR + 8);
		assert_int_equal(f.type, version);
	} else {
		assert_non_null(strstr(w.server.text, cw_err_text(err)));
	}
	close(fd);
	world_close(&w);
}

static void
test_refused_frames(void **state)
{
	(void)state;
	refused_frame(VERSION + 1, 0, CW_EVERSION);
	refused_frame(VERSION - 1, 0, CW_EVERSION);
	refused_frame(VERSION, BODY_MAX + 1, CW_ETOOBIG);
}

/* ---- addresses ---- */

static void
test_listen_errors(void **state)
{
	char err[160], want[200];
	struct world w;
	unsigned int port;

	(void)state;
	world_open(&w, NULL, NULL);
	port = cw_conn_listener_port(w.listener);
	assert_null(cw_conn_listen(&w.server_cfg, "127.0.0.1", (uint16_t)port,
	    err, sizeof(err)));
	snprintf(want, sizeof(want), "127.0.0.1:%u: port is in use by another "
	    "program; stop it, or choose another port", port);
	assert_string_equal(err, want);
	assert_null(cw_conn_listen(&w.server_cfg, "nowhere", 1, err,
	    sizeof(err)));
	assert_string_equal(err, "nowhere: not an IP address");
	assert_null(cw_conn_listen(&w.server_cfg, "192.0.2.77", 7816, err,
	    sizeof(err)));
	assert_non_null(strstr(err, "no such address on this machine"));
	world_close(&w);
}

static void
test_connect_errors(void **state)
{
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, NULL, NULL);
	assert_non_null(cw_conn_connect(&w.client_cfg, "nowhere", 1));
	until(&w, &w.client.closed);
	assert_int_equal(w.client.err, CW_EINVAL);
	world_close(&w);

	/* A port that was just given up: nobody listens there. */
	world_open(&w, NULL, NULL);
	port = cw_conn_listener_port(w.listener);
	cw_conn_listener_close(w.listener);
	while (uv_run(&w.loop, UV_RUN_NOWAIT), uv_is_closing((uv_handle_t *)&w.guard))
		;
	assert_non_null(cw_conn_connect(&w.client_cfg, "127.0.0.1", port));
	until(&w, &w.client.closed);
	assert_int_equal(w.client.err, CW_EIO);
	assert_non_null(strstr(w.client.text, "connection refused"));
	w.listener = cw_conn_listen(&w.server_cfg, "127.0.0.1", 0, (char[64]){ 0 }, 64);
	world_close(&w);
}

static void
test_key_files(void **state)
{
	char err[256];

	(void)state;
	chmod(in_dir("term.key"), 0640);
	assert_null(cw_tls_client(in_dir("ca.pem"), in_dir("term.pem"),
	    in_dir("term.key"), err, sizeof(err)));
	assert_non_null(strstr(err, "mode 0640 lets group or others in; run chmod 600"));
	chmod(in_dir("term.key"), 0600);

	assert_null(cw_tls_client(in_dir("ca.pem"), in_dir("term.pem"),
	    in_dir("platform.key"), err, sizeof(err)));
	assert_non_null(strstr(err, "does not belong to the certificate"));
	assert_null(cw_tls_client(in_dir("none.pem"), in_dir("term.pem"),
	    in_dir("term.key"), err, sizeof(err)));
	assert_non_null(strstr(err, "none.pem: not a readable authority"));
	assert_null(cw_tls_client(in_dir("ca.pem"), in_dir("term.key"),
	    in_dir("term.key"), err, sizeof(err)));
	assert_non_null(strstr(err, "term.key: not a readable certificate"));
	assert_null(cw_tls_client(in_dir("ca.pem"), in_dir("term.pem"),
	    in_dir("none.key"), err, sizeof(err)));
	assert_non_null(strstr(err, "none.key: No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_early_and_late),
		cmocka_unit_test(test_close_in_callback),
		cmocka_unit_test(test_coalesce),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_pose),
		cmocka_unit_test(test_no_certificate),
		cmocka_unit_test(test_tls12),
		cmocka_unit_test(test_plain_on_tls),
		cmocka_unit_test(test_tls_on_plain),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_one_byte_writes),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_refused_frames),
		cmocka_unit_test(test_listen_errors),
		cmocka_unit_test(test_connect_errors),
		cmocka_unit_test(test_key_files),
	};

	return cmocka_run_group_tests_name("host/conn", tests, setup, teardown);
}
