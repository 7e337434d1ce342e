/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn_priv.h"
#include "cw/err.h"

#define CONN_CONNECT_MS 5000
#define CONN_DRAIN_MS 5000	/* for what is queued when c is closed */
#define CONN_LINGER_MS 500	/* for the peer's end after ours */
#define CONN_OUT_MAX (64u * 1024u * 1024u)
#define CONN_BATCH 262144	/* cipher text made before one write */
#define CONN_BACKLOG 1024
#define CONN_KEEPALIVE_S 30

struct cw_conn_listener {
	uv_tcp_t tcp;
	struct conn_hub *hub;
	struct cw_conn_config cfg;
	uint16_t port;
};

/* ---- end of a connection ---- */

static void
on_handle_closed(uv_handle_t *h)
{
	struct cw_conn *c = h->data;

	if (--c->handles > 0)
		return;
	cw_conn_bytes_drop(c->hub, &c->part);
	cw_conn_bytes_drop(c->hub, &c->out);
	cw_conn_bytes_drop(c->hub, &c->wire);
	cw_conn_bytes_drop(c->hub, &c->flight);
	SSL_free(c->ssl);
	c->cfg.cb.closed(c, c->cfg.ctx, c->err,
	    c->text != NULL ? c->text : cw_err_text(c->err));
	cw_conn_hub_put(c->hub);
	free(c->text);
	free(c);
}

/* Now, with whatever is left unsent. */
static void
conn_drop(struct cw_conn *c)
{
	if (c->state == CONN_CLOSING)
		return;
	c->state = CONN_CLOSING;
	cw_conn_hub_clean(c);
	uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void
on_timer(uv_timer_t *t)
{
	struct cw_conn *c = t->data;

	if (c->state == CONN_CONNECTING)
		cw_conn_finish(c, CW_ETIMEOUT, "%s does not answer; is the "
		    "address right and the program running?", c->peer);
	else if (c->state == CONN_HANDSHAKE)
		cw_conn_finish(c, CW_ETIMEOUT, "%s: no TLS handshake within "
		    "%u ms", c->peer, c->cfg.connect_ms);
	else
		conn_drop(c);
}

static void
on_shutdown(uv_shutdown_t *req, int status)
{
	struct cw_conn *c = req->data;

	if (c->state == CONN_CLOSING)
		return;
	if (status < 0)
		conn_drop(c);
	else
		uv_timer_start(&c->timer, on_timer, CONN_LINGER_MS, 0);
}

/*
 * Everything is out: says goodbye and closes our direction.  The peer's is
 * read to its end, because closing with unread input would make the kernel
 * send a reset that can overtake what we sent last.
 */
static void
conn_shut(struct cw_conn *c)
{
	if (!c->bye) {
		c->bye = true;
		cw_conn_tls_goodbye(c);
		cw_conn_wire(c);
	}
	if (c->state != CONN_LINGER || c->writing || c->shut)
		return;
	c->shut = true;
	c->req.shutdown.data = c;
	if (uv_shutdown(&c->req.shutdown, (uv_stream_t *)&c->tcp,
	    on_shutdown) < 0)
		conn_drop(c);
}

void
cw_conn_finish(struct cw_conn *c, int err, const char *fmt, ...)
{
	bool connected = c->state != CONN_CONNECTING;
	va_list ap;

	if (c->state >= CONN_LINGER)
		return;
	c->err = err;
	if (fmt != NULL) {
		va_start(ap, fmt);
		if (vasprintf(&c->text, fmt, ap) < 0)
			c->text = NULL;
		va_end(ap);
	}
	c->state = CONN_LINGER;
	if (!connected || err == CW_EIO || err == CW_ENOMEM) {
		conn_drop(c);
		return;
	}
	uv_timer_start(&c->timer, on_timer, CONN_DRAIN_MS, 0);
	cw_conn_flush(c);
}

/* An error of the socket: nothing more can be sent. */
static void
conn_broken(struct cw_conn *c, int status)
{
	bool gone = status == UV_EOF || status == UV_ECONNRESET ||
	    status == UV_EPIPE;

	if (c->state < CONN_LINGER) {
		c->err = gone ? CW_ECLOSED : CW_EIO;
		if (asprintf(&c->text, "%s: %s%s", c->peer,
		    status == UV_EOF ? "closed the connection" :
		    uv_strerror(status),
		    c->part.len > 0 ? " in the middle of a frame" : "") < 0)
			c->text = NULL;
	}
	conn_drop(c);
}

/* ---- output ---- */

static void
on_written(uv_write_t *req, int status)
{
	struct cw_conn *c = req->data;

	c->writing = false;
	cw_conn_bytes_drop(c->hub, &c->flight);
	if (c->state == CONN_CLOSING)
		return;
	if (status < 0)
		conn_broken(c, status);
	else
		cw_conn_flush(c);
}

void
cw_conn_wire(struct cw_conn *c)
{
	uv_buf_t buf;
	int n;

	if (c->wire.p == NULL || c->writing || c->state == CONN_CLOSING)
		return;

	/* Most often the socket takes all at once. */
	buf = uv_buf_init((char *)c->wire.p + c->wire.off,
	    (unsigned int)(c->wire.len - c->wire.off));
	n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
	if (n < 0 && n != UV_EAGAIN) {
		conn_broken(c, n);
		return;
	}
	if (n > 0)
		c->wire.off += (size_t)n;
	if (c->wire.off == c->wire.len) {
		cw_conn_bytes_drop(c->hub, &c->wire);
		return;
	}

	/* The rest goes when there is room; new bytes gather in wire anew. */
	c->flight = c->wire;
	c->wire = (struct conn_bytes){ 0 };
	c->writing = true;
	c->req.write.data = c;
	buf = uv_buf_init((char *)c->flight.p + c->flight.off,
	    (unsigned int)(c->flight.len - c->flight.off));
	n = uv_write(&c->req.write, (uv_stream_t *)&c->tcp, &buf, 1,
	    on_written);
	if (n < 0) {
		c->writing = false;
		conn_broken(c, n);
	}
}

void
cw_conn_flush(struct cw_conn *c)
{
	bool more;

	do {
		more = true;
		while (c->wire.len < CONN_BATCH && more)
			more = cw_conn_tls_output(c);
		cw_conn_wire(c);
	} while (more && !c->writing && c->state <= CONN_LINGER);

	if (c->state == CONN_LINGER && !c->writing)
		conn_shut(c);
}

size_t
cw_conn_queued(const struct cw_conn *c)
{
	return c->out.len - c->out.off + c->wire.len - c->wire.off +
	    c->flight.len - c->flight.off;
}

int
cw_conn_send(struct cw_conn *c, const uint8_t *frame, size_t len)
{
	struct conn_bytes *to = c->cfg.tls != NULL ? &c->out : &c->wire;

	if (c->state >= CONN_LINGER)
		return CW_ECLOSED;
	if (len > c->cfg.out_max || cw_conn_queued(c) > c->cfg.out_max - len)
		return CW_EFULL;
	if (cw_conn_bytes_add(c->hub, to, frame, len) < 0)
		return CW_EFULL;
	if (c->state == CONN_OPEN)
		cw_conn_hub_dirty(c);
	return CW_OK;
}

/* ---- input ---- */

/* head: where the bad frame begins; whole when it is of another version. */
static void
conn_bad_frame(struct cw_conn *c, int err, const uint8_t *head)
{
	if (err == CW_EVERSION) {
		if (c->cfg.cb.version != NULL)
			c->cfg.cb.version(c, c->cfg.ctx, head[2]);
		cw_conn_finish(c, err, "%s speaks version %u of the link, this "
		    "program version %u: update the older one", c->peer, head[2],
		    c->cfg.version);
		return;
	}
	cw_conn_finish(c, err, "%s sent a bad frame: %s", c->peer,
	    err == CW_EFORMAT ? "it does not begin as a frame does; another "
	    "protocol?" : cw_err_text(err));
}

/*
 * Completes the frame that part holds the beginning of.  Returns how many
 * bytes of buf it took; negative CW_E* when the frame is bad.
 */
static int64_t
conn_fill_part(struct cw_conn *c, const uint8_t *buf, size_t len)
{
	struct cw_frame f;
	bool whole = c->part.len >= CW_FRAME_HDR;
	size_t need = CW_FRAME_HDR, take;
	uint32_t body;
	int n;

	/* First up to the header's end, then up to the frame's. */
	if (whole) {
		body = (uint32_t)c->part.p[4] << 24 |
		    (uint32_t)c->part.p[5] << 16 |
		    (uint32_t)c->part.p[6] << 8 | c->part.p[7];
		if (body > c->cfg.body_max)
			return CW_ETOOBIG;
		need += body;
	}
	take = need - c->part.len;
	if (take > len)
		take = len;
	if (cw_conn_bytes_add(c->hub, &c->part, buf, take) < 0)
		return CW_ENOMEM;
	if (c->part.len < need)
		return (int64_t)take;

	n = cw_frame_peek(&f, c->part.p, c->part.len, c->cfg.version,
	    c->cfg.body_max);
	if (n < 0 || (n == 0 && whole))
		return n < 0 ? n : CW_EFORMAT;
	if (n > 0) {
		c->cfg.cb.frame(c, c->cfg.ctx, &f);
		cw_conn_bytes_drop(c->hub, &c->part);
	}
	return (int64_t)take;
}

bool
cw_conn_input(struct cw_conn *c, const uint8_t *buf, size_t len)
{
	struct cw_frame f;
	int64_t n;

	while (len > 0 && c->state == CONN_OPEN) {
		if (c->part.p != NULL) {
			n = conn_fill_part(c, buf, len);
		} else {
			n = cw_frame_peek(&f, buf, len, c->cfg.version,
			    c->cfg.body_max);
			if (n > 0)
				c->cfg.cb.frame(c, c->cfg.ctx, &f);
			else if (n == 0)
				n = cw_conn_bytes_add(c->hub, &c->part, buf,
				    len) < 0 ? CW_ENOMEM : (int64_t)len;
		}
		if (n < 0) {
			conn_bad_frame(c, (int)n, c->part.p != NULL ?
			    c->part.p : buf);
			break;
		}
		buf += n;
		len -= (size_t)n;
	}
	return c->state == CONN_OPEN;
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct cw_conn *c = h->data;

	/* The read callback follows at once, so that one buffer serves all. */
	(void)hint;
	*buf = uv_buf_init((char *)c->hub->rx, sizeof(c->hub->rx));
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct cw_conn *c = s->data;
	const uint8_t *in = (const uint8_t *)buf->base;

	if (n == 0 || c->state == CONN_CLOSING)
		return;
	if (n < 0) {
		conn_broken(c, (int)n);
		return;
	}
	if (c->state == CONN_LINGER)
		return;
	if (c->ssl != NULL)
		cw_conn_tls_input(c, in, (size_t)n);
	else
		cw_conn_input(c, in, (size_t)n);
	explicit_bzero(buf->base, (size_t)n);
}

/* ---- start of a connection ---- */

void
cw_conn_opened(struct cw_conn *c, const char *peer)
{
	uv_timer_stop(&c->timer);
	c->state = CONN_OPEN;
	if (cw_conn_queued(c) > 0)
		cw_conn_hub_dirty(c);
	c->cfg.cb.open(c, c->cfg.ctx, peer);
}

static struct cw_conn *
conn_new(const struct cw_conn_config *cfg, bool server)
{
	struct cw_conn *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->hub = cw_conn_hub_get(cfg->loop)) == NULL) {
		free(c);
		return NULL;
	}
	c->cfg = *cfg;
	if (c->cfg.connect_ms == 0)
		c->cfg.connect_ms = CONN_CONNECT_MS;
	if (c->cfg.out_max == 0)
		c->cfg.out_max = CONN_OUT_MAX;
	c->server = server;
	c->handles = 2;
	uv_tcp_init(cfg->loop, &c->tcp);
	uv_timer_init(cfg->loop, &c->timer);
	c->tcp.data = c->timer.data = c;
	uv_timer_start(&c->timer, on_timer, c->cfg.connect_ms, 0);
	return c;
}

static void
addr_text(const struct sockaddr *sa, char *out, size_t cap)
{
	char ip[46] = "?";
	unsigned int port;

	if (sa->sa_family == AF_INET6) {
		uv_ip6_name((const struct sockaddr_in6 *)sa, ip, sizeof(ip));
		port = ntohs(((const struct sockaddr_in6 *)sa)->sin6_port);
		snprintf(out, cap, "[%s]:%u", ip, port);
	} else {
		uv_ip4_name((const struct sockaddr_in *)sa, ip, sizeof(ip));
		port = ntohs(((const struct sockaddr_in *)sa)->sin_port);
		snprintf(out, cap, "%s:%u", ip, port);
	}
}

static int
addr_parse(struct sockaddr_storage *ss, const char *ip, uint16_t port)
{
	if (uv_ip4_addr(ip, port, (struct sockaddr_in *)ss) == 0)
		return CW_OK;
	return uv_ip6_addr(ip, port, (struct sockaddr_in6 *)ss) == 0 ? CW_OK :
	    CW_EINVAL;
}

/* The socket is connected: TLS first, or open at once. */
static void
conn_begin(struct cw_conn *c)
{
	c->state = CONN_HANDSHAKE;
	uv_tcp_nodelay(&c->tcp, 1);
	uv_tcp_keepalive(&c->tcp, 1, CONN_KEEPALIVE_S);
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	if (c->cfg.tls == NULL) {
		cw_conn_opened(c, "");
		return;
	}
	if (cw_conn_tls_start(c) < 0) {
		cw_conn_finish(c, CW_ENOMEM, NULL);
		return;
	}
	if (!c->server)
		cw_conn_tls_input(c, NULL, 0);
}

static void
on_connect(uv_connect_t *req, int status)
{
	struct cw_conn *c = req->data;

	if (c->state != CONN_CONNECTING)
		return;
	if (status == 0)
		conn_begin(c);
	else
		cw_conn_finish(c, status == UV_ETIMEDOUT ? CW_ETIMEOUT : CW_EIO,
		    "%s: %s; is the address right and the program running?",
		    c->peer, uv_strerror(status));
}

struct cw_conn *
cw_conn_connect(const struct cw_conn_config *cfg, const char *ip,
    uint16_t port)
{
	struct sockaddr_storage ss = { 0 };
	struct cw_conn *c = conn_new(cfg, false);
	int res;

	if (c == NULL)
		return NULL;
	c->state = CONN_CONNECTING;
	snprintf(c->peer, sizeof(c->peer), "%.45s:%u", ip,
	    (unsigned int)port);
	if (addr_parse(&ss, ip, port) < 0) {
		cw_conn_finish(c, CW_EINVAL, "%s: not an IP address; write it as "
		    "192.0.2.1", ip);
		return c;
	}
	c->req.connect.data = c;
	res = uv_tcp_connect(&c->req.connect, &c->tcp, (struct sockaddr *)&ss,
	    on_connect);
	if (res < 0)
		cw_conn_finish(c, CW_EIO, "%s: %s", c->peer, uv_strerror(res));
	return c;
}

void
cw_conn_set_ctx(struct cw_conn *c, void *ctx)
{
	c->cfg.ctx = ctx;
}

const char *
cw_conn_peer(const struct cw_conn *c)
{
	return c->peer;
}

void
cw_conn_close(struct cw_conn *c)
{
	cw_conn_finish(c, CW_OK, NULL);
}

/* ---- listener ---- */

static void
on_connection(uv_stream_t *s, int status)
{
	struct cw_conn_listener *l = s->data;
	struct sockaddr_storage ss = { 0 };
	int len = sizeof(ss);
	struct cw_conn *c;

	/* Too many open files and the like: the next one may fare better. */
	if (status < 0 || (c = conn_new(&l->cfg, true)) == NULL)
		return;
	c->state = CONN_CONNECTING;
	status = uv_accept(s, (uv_stream_t *)&c->tcp);
	if (status < 0) {
		cw_conn_finish(c, CW_EIO, "accept: %s", uv_strerror(status));
		return;
	}
	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) == 0)
		addr_text((struct sockaddr *)&ss, c->peer, sizeof(c->peer));
	conn_begin(c);
}

static void
on_listener_closed(uv_handle_t *h)
{
	struct cw_conn_listener *l = h->data;

	cw_conn_hub_put(l->hub);
	free(l);
}

static void
listen_error(int res, const char *ip, unsigned int port, char *err,
    size_t cap)
{
	const char *why = uv_strerror(res), *what = "";

	if (res == UV_EADDRINUSE) {
		why = "port is in use by another program";
		what = "; stop it, or choose another port";
	} else if (res == UV_EADDRNOTAVAIL) {
		why = "no such address on this machine";
		what = "; choose one that `ip address` shows";
	} else if (res == UV_EACCES) {
		what = "; ports below 1024 need a privilege";
	}
	snprintf(err, cap, "%s:%u: %s%s", ip, port, why, what);
}

struct cw_conn_listener *
cw_conn_listen(const struct cw_conn_config *cfg, const char *ip,
    uint16_t port, char *err, size_t err_cap)
{
	struct sockaddr_storage ss = { 0 };
	struct cw_conn_listener *l;
	int len = sizeof(ss), res;

	if (addr_parse(&ss, ip, port) < 0) {
		snprintf(err, err_cap, "%s: not an IP address", ip);
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL || (l->hub = cw_conn_hub_get(cfg->loop)) == NULL) {
		snprintf(err, err_cap, "%s", cw_err_text(CW_ENOMEM));
		free(l);
		return NULL;
	}
	l->cfg = *cfg;
	uv_tcp_init(cfg->loop, &l->tcp);
	l->tcp.data = l;
	res = uv_tcp_bind(&l->tcp, (struct sockaddr *)&ss, 0);
	if (res == 0)
		res = uv_listen((uv_stream_t *)&l->tcp, CONN_BACKLOG,
		    on_connection);
	if (res < 0) {
		listen_error(res, ip, port, err, err_cap);
		cw_conn_listener_close(l);
		return NULL;
	}
	uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&ss, &len);
	l->port = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return l;
}

uint16_t
cw_conn_listener_port(const struct cw_conn_listener *l)
{
	return l->port;
}

void
cw_conn_listener_close(struct cw_conn_listener *l)
{
	uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}
