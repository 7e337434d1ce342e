/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "cw/err.h"

const uint8_t peer_key[CW_LINK_KEY_LEN] = {
	0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0,
	0x85, 0x7d, 0x77, 0x81, 0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7,
	0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4,
};

/* ---- the network underneath, the core above ---- */

static int
raw_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	struct rig *r = dev;
	struct peer *p = &r->peer[conn];

	assert_false(p->gone);
	if (r->send_cnt++ == r->refuse_at) {
		r->refused = true;
		return 0;
	}
	assert_true(p->raw_len + len <= PEER_BYTES);
	memcpy(p->raw + p->raw_len, buf, len);
	p->raw_len += len;
	return (int)len;
}

static void
raw_close(void *dev, int conn)
{
	struct rig *r = dev;

	assert_false(r->peer[conn].gone);
	r->peer[conn].gone = true;
}

static const struct cw_net_ops raw_ops = { raw_send, raw_close };

static void
draw(void *dev, uint8_t *buf, size_t len)
{
	struct rig *r = dev;
	size_t i;

	assert_true(len <= 1024);
	for (i = 0; i < len; i++) {
		r->random = r->random * 6364136223846793005u + 1442695040888963407u;
		buf[i] = (uint8_t)(r->random >> 56);
	}
}

static void
ended(void *dev, int conn, enum cw_link_why why)
{
	struct rig *r = dev;

	(void)conn;
	r->why = why;
	r->why_cnt++;
}

static void
core_event(struct rig *r, const struct cw_event *ev)
{
	struct peer *p = &r->peer[ev->conn];

	if (ev->kind == CW_EV_NET_OPEN) {
		assert_false(p->core_open);
		p->core_open = true;
	} else if (ev->kind == CW_EV_NET_DATA) {
		assert_true(p->core_open && !p->core_closed);
		assert_true(p->got_len + ev->len <= PEER_BYTES);
		memcpy(p->got + p->got_len, ev->buf, ev->len);
		p->got_len += ev->len;
		if (r->close_on_data) {
			cw_link_close(r->link, ev->conn);
			p->core_closed = true;
		}
	} else if (ev->kind == CW_EV_NET_CLOSED) {
		assert_true(p->core_open && !p->core_closed);
		p->core_closed = true;
	}
}

void
rig_event(struct rig *r, const struct cw_event *ev)
{
	struct cw_event up;

	cw_link_event(r->link, ev, r->now_us);
	while (cw_link_next(r->link, &up))
		core_event(r, &up);
}

void
rig_data(struct rig *r, int conn, const uint8_t *buf, size_t len)
{
	struct cw_event ev = { .kind = CW_EV_NET_DATA, .conn = conn,
		.buf = buf, .len = len };

	/* A connection that was closed underneath delivers nothing. */
	if (!r->peer[conn].gone)
		rig_event(r, &ev);
}

void
rig_init(struct rig *r, bool forward, uint8_t conns)
{
	struct cw_link_config c = { .net = &raw_ops, .dev = r, .random = draw,
		.ended = ended, .identity = "reader-1", .key = peer_key,
		.forward = forward, .conn_cnt = conns };

	size_t i;

	memset(r, 0, offsetof(struct rig, peer));
	for (i = 0; i < PEER_CONNS; i++)
		memset(&r->peer[i], 0, offsetof(struct peer, raw));
	r->refuse_at = -1;
	r->now_us = 1000000;
	r->link = malloc(cw_link_size());
	assert_non_null(r->link);
	assert_int_equal(cw_link_init(r->link, &c), 0);
}

void
rig_fini(struct rig *r)
{
	size_t i;

	for (i = 0; i < PEER_CONNS; i++)
		if (r->peer[i].ssl != NULL)
			peer_close(&r->peer[i]);
	cw_link_fini(r->link);
	free(r->link);
}

/* ---- the client ---- */

static unsigned int
client_psk(SSL *ssl, const char *hint, char *identity, unsigned int id_cap,
    unsigned char *psk, unsigned int psk_cap)
{
	struct peer *p = SSL_get_app_data(ssl);

	(void)hint;
	assert_true(strlen(p->identity) < id_cap && psk_cap >= CW_LINK_KEY_LEN);
	memcpy(identity, p->identity, strlen(p->identity) + 1);
	memcpy(psk, p->key, CW_LINK_KEY_LEN);
	return CW_LINK_KEY_LEN;
}

/* One for all: making it takes longer than a handshake. */
static SSL_CTX *
client_ctx(void)
{
	static SSL_CTX *ctx;

	if (ctx != NULL)
		return ctx;
	ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(ctx);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx,
	    "PSK-AES128-CCM:ECDHE-PSK-CHACHA20-POLY1305"), 1);
	assert_int_equal(SSL_CTX_set1_groups_list(ctx, "X25519:P-256"), 1);
	SSL_CTX_set_psk_client_callback(ctx, client_psk);
	return ctx;
}

struct peer *
peer_open(struct rig *r, int conn, const char *identity, const uint8_t *key)
{
	struct cw_event ev = { .kind = CW_EV_NET_OPEN, .conn = conn };
	struct peer *p = &r->peer[conn];

	if (p->ssl != NULL)
		peer_close(p);
	memset(p, 0, offsetof(struct peer, raw));
	p->rig = r;
	p->conn = conn;
	p->identity = identity;
	p->key = key;
	p->ssl = SSL_new(client_ctx());
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	assert_true(p->ssl != NULL && p->in != NULL && p->out != NULL);
	BIO_set_mem_eof_return(p->in, -1);
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_app_data(p->ssl, p);
	SSL_set_connect_state(p->ssl);
	rig_event(r, &ev);
	return p;
}

size_t
peer_take(struct peer *p, uint8_t *buf, size_t cap)
{
	int n = BIO_read(p->out, buf, (int)cap);

	return n > 0 ? (size_t)n : 0;
}

int
peer_pump(struct peer *p)
{
	uint8_t buf[PEER_BYTES];
	bool moved = true;
	size_t n;
	int done = 0, err;

	while (moved) {
		moved = false;
		ERR_clear_error();
		done = SSL_do_handshake(p->ssl);
		err = SSL_get_error(p->ssl, done);
		if (done != 1)
			done = err == SSL_ERROR_WANT_READ ? 0 : -1;
		n = peer_take(p, buf, sizeof buf);
		if (n > 0) {
			moved = true;
			rig_data(p->rig, p->conn, buf, n);
		}
		if (p->raw_len > 0) {
			moved = true;
			BIO_write(p->in, p->raw, (int)p->raw_len);
			p->raw_len = 0;
		}
		if (done < 0)
			return -1;
	}
	return done == 1;
}

void
peer_close(struct peer *p)
{
	struct cw_event ev = { .kind = CW_EV_NET_CLOSED, .conn = p->conn };

	SSL_free(p->ssl);
	p->ssl = NULL;
	if (!p->gone) {
		p->gone = true;
		rig_event(p->rig, &ev);
	}
}
