/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CONN_H
#define CW_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "cw/frame.h"
#include "tls.h"

/*
 * A framed connection on a libuv loop, plain or TLS: whole frames in, whole
 * frames out, TCP_NODELAY, one write per batch: frames sent within one turn of
 * the loop leave together, before the loop sleeps.  All calls and callbacks on
 * the loop's thread.  SIGPIPE is ignored from the first connection on.
 *
 * A TLS client knows that its own certificate was taken only by the first frame
 * it gets: TLS 1.3 lets the client open first.  A server that refuses it then
 * arrives as closed with CW_EDENIED.
 *
 * Closing sends what is queued, closes our direction and reads the peer's to
 * its end (0.5 s at most), so that a last frame or a TLS alert is not lost.
 */
struct cw_conn;
struct cw_conn_listener;

struct cw_conn_cb {
	/* Connected and (TLS) the peer's certificate verified, or its key. peer:
	 * the first DNS name in the certificate ("terminal.line-1") or the key's
	 * identity, borrowed; "" on a plain link. */
	void (*open)(struct cw_conn *c, void *ctx, const char *peer);
	/* f->body is borrowed for the call. */
	void (*frame)(struct cw_conn *c, void *ctx, const struct cw_frame *f);
	/* The last callback; c is freed when it returns.  It comes without open
	 * when the connection never came to be (a listener's: with the
	 * listener's ctx).  err: CW_OK after cw_conn_close, CW_ECLOSED by the
	 * peer, CW_EPROTO / CW_ECRC / CW_EVERSION / CW_ETOOBIG bad frame,
	 * CW_EDENIED certificate or key, CW_ETIMEOUT, CW_EIO; text says more. */
	void (*closed)(struct cw_conn *c, void *ctx, int err, const char *text);
	/* Optional: the peer's frame is of link version `theirs`.  What is sent
	 * in this call goes out before the connection closes (CW_EVERSION). */
	void (*version)(struct cw_conn *c, void *ctx, uint8_t theirs);
};

struct cw_conn_config {
	uv_loop_t *loop;
	SSL_CTX *tls;			/* NULL = plain; borrowed */
	/* TLS client: name demanded of the server, e.g. "platform"; borrowed */
	const char *want_peer;
	/* Client with a context of cw_tls_psk_client: the key is what
	 * authenticates both sides, and open names the identity as the peer.
	 * Borrowed while the connection lives; else NULL. */
	const char *psk_identity;
	const uint8_t *psk_key;		/* CW_KEYFILE_KEY_LEN bytes */
	uint8_t version;		/* link version of frames */
	uint32_t body_max;
	uint32_t connect_ms;		/* connect and handshake; 0 = 5 s */
	size_t out_max;			/* bytes queued before send gives CW_EFULL; 0 = 64 MiB */
	struct cw_conn_cb cb;
	void *ctx;
};

/* Client. cfg is copied. NULL only when out of memory; failures arrive by closed. */
struct cw_conn *cw_conn_connect(const struct cw_conn_config *cfg, const char *ip, uint16_t port);

/* Server: each accepted connection gets cfg's callbacks with ctx; use
 * cw_conn_set_ctx in open.  NULL with err filled (port in use: names it). */
struct cw_conn_listener *cw_conn_listen(const struct cw_conn_config *cfg, const char *ip, uint16_t port,
    char *err, size_t err_cap);
uint16_t cw_conn_listener_port(const struct cw_conn_listener *l);
void cw_conn_listener_close(struct cw_conn_listener *l);

/* Sends a whole frame; copied; before open it waits for it. 0, CW_EFULL, CW_ECLOSED. */
int cw_conn_send(struct cw_conn *c, const uint8_t *frame, size_t len);
size_t cw_conn_queued(const struct cw_conn *c);
void cw_conn_set_ctx(struct cw_conn *c, void *ctx);
/* "ip:port" of the peer; lives as long as c. */
const char *cw_conn_peer(const struct cw_conn *c);
/* Sends what is queued and closes; no frame comes any more; closed is called
 * with CW_OK later (once; more calls are harmless). */
void cw_conn_close(struct cw_conn *c);

#endif
