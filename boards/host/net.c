/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "host_private.h"

/* How long a closed connection may still hand over what was sent on it. */
#define LINGER_MS 1000
#define HANDLES 2		/* of a connection: tcp and timer */

/*
 * A connection of the terminal link.  What the core sends is gathered in out
 * and written once per event; what the kernel does not take at once waits in
 * `late`.  A connection that the core has closed lives on until its last bytes
 * (a REFUSE, most often) are over, deaf.
 */
struct cw_host_conn {
	uv_tcp_t tcp;
	uv_timer_t linger;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct cw_host *host;	/* NULL once the core has closed it */
	int id;
	unsigned int handles;
	bool writing;
	bool shut;		/* shutdown was asked for */
	bool want_room;
	uint8_t *late;		/* being written */
	size_t late_len;
	size_t out_len, out_cap;
	uint8_t *out;
};

static struct cw_host_conn *
conn_find(struct cw_host *h, int id)
{
	struct cw_host_conn *c = h->conn[(unsigned int)id % CW_HOST_CONNS];

	return c != NULL && c->id == id ? c : NULL;
}

static void
conn_closed(uv_handle_t *handle)
{
	struct cw_host_conn *c = handle->data;

	if (--c->handles > 0)
		return;
	if (c->out != NULL)
		cw_wipe(c->out, c->out_cap);
	free(c->out);
	free(c->late);
	free(c);
}

static void
conn_end(struct cw_host_conn *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
		uv_close((uv_handle_t *)&c->tcp, conn_closed);
		uv_close((uv_handle_t *)&c->linger, conn_closed);
	}
}

/* The core does not know the connection any more. */
static void
conn_forget(struct cw_host_conn *c)
{
	if (c->host != NULL)
		c->host->conn[(unsigned int)c->id % CW_HOST_CONNS] = NULL;
	c->host = NULL;
}

/* The peer has gone, or cannot be written to. */
static void
conn_lost(struct cw_host_conn *c)
{
	struct cw_host *h = c->host;
	struct cw_event ev = { .kind = CW_EV_NET_CLOSED, .conn = c->id };

	conn_forget(c);
	conn_end(c);
	if (h == NULL)
		return;
	if (h->busy)
		cw_host_post(h, &ev);
	else
		cw_host_deliver(h, &ev);
}

/* ---- writing ------------------------------------------------------------- */

static void cw_conn_flush(struct cw_host_conn *c);

static void
shutdown_done(uv_shutdown_t *req, int status)
{
	/* Closed when the peer closes, or by the linger timer. */
	(void)req;
	(void)status;
}

static void
write_done(uv_write_t *req, int status)
{
	struct cw_host_conn *c = req->data;

	cw_wipe(c->late, c->late_len);
	free(c->late);
	c->late = NULL;
	c->writing = false;
	if (status == UV_ECANCELED)
		return;
	if (status < 0)
		conn_lost(c);
	else
		cw_conn_flush(c);
}

/* What try_write left over goes the slow way, from memory of its own. */
static int
write_late(struct cw_host_conn *c, size_t done)
{
	uv_buf_t b;

	c->late_len = c->out_len - done;
	c->late = malloc(c->late_len);
	if (c->late == NULL)
		return CW_ENOMEM;
	memcpy(c->late, c->out + done, c->late_len);
	b = uv_buf_init((char *)c->late, (unsigned int)c->late_len);
	c->write.data = c;
	c->writing = true;
	return uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, write_done);
}

static void
cw_conn_flush(struct cw_host_conn *c)
{
	struct cw_event ev = { .kind = CW_EV_NET_ROOM, .conn = c->id };
	size_t len = c->out_len;
	uv_buf_t b = uv_buf_init((char *)c->out, (unsigned int)len);
	int n;

	if (c->writing || uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	if (len > 0) {
		n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
		if (n == UV_EAGAIN)
			n = 0;
		if (n >= 0 && (size_t)n < len)
			n = write_late(c, (size_t)n);
		cw_wipe(c->out, len);
		c->out_len = 0;
		if (n < 0) {
			conn_lost(c);
			return;
		}
	}
	if (c->host == NULL && !c->shut) {
		c->shut = true;
		uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp,
		    shutdown_done);
		return;
	}
	if (!c->want_room || c->writing || c->host == NULL)
		return;
	c->want_room = false;
	if (c->host->busy)
		cw_host_post(c->host, &ev);
	else
		cw_host_deliver(c->host, &ev);
}

void
cw_host_net_flush(struct cw_host *h)
{
	size_t i;

	for (i = 0; i < CW_HOST_CONNS; i++)
		if (h->conn[i] != NULL)
			cw_conn_flush(h->conn[i]);
}

static int
net_send(void *dev, int id, const uint8_t *buf, size_t len)
{
	struct cw_host_conn *c = conn_find(dev, id);
	size_t cap;
	uint8_t *p;

	if (c == NULL)
		return CW_ECLOSED;
	if (c->out_len + len > CW_HOST_OUT_MAX) {
		c->want_room = true;
		return 0;
	}
	if (c->out_len + len > c->out_cap) {
		cap = c->out_cap == 0 ? 4096 : c->out_cap;
		while (cap < c->out_len + len)
			cap *= 2;
		p = malloc(cap);
		if (p == NULL)
			return CW_ENOMEM;
		if (c->out != NULL) {
			memcpy(p, c->out, c->out_len);
			cw_wipe(c->out, c->out_cap);
		}
		free(c->out);
		c->out = p;
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_len, buf, len);
	c->out_len += len;
	return (int)len;
}

static void
linger_over(uv_timer_t *t)
{
	conn_end(t->data);
}

static void
net_close(void *dev, int id)
{
	struct cw_host_conn *c = conn_find(dev, id);

	if (c == NULL)
		return;
	conn_forget(c);
	uv_timer_start(&c->linger, linger_over, LINGER_MS, 0);
	cw_conn_flush(c);
}

const struct cw_net_ops cw_host_net_ops = { net_send, net_close };

/* ---- reading ------------------------------------------------------------- */

static void
conn_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct cw_host_conn *c = stream->data;
	struct cw_event ev = { .kind = CW_EV_NET_DATA, .conn = c->id };

	if (n < 0) {
		conn_lost(c);
		return;
	}
	if (n > 0 && c->host != NULL) {
		ev.buf = (const uint8_t *)buf->base;
		ev.len = (size_t)n;
		cw_host_deliver(c->host, &ev);
	}

	/* It may have been a record. */
	if (n > 0)
		cw_wipe(buf->base, (size_t)n);
}

static void
accepted(uv_stream_t *server, int status)
{
	struct cw_host *h = server->data;
	struct cw_event ev = { .kind = CW_EV_NET_OPEN };
	struct cw_host_conn *c;

	if (status < 0)
		return;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return;
	uv_tcp_init(h->env->loop, &c->tcp);
	uv_timer_init(h->env->loop, &c->linger);
	c->tcp.data = c->linger.data = c;
	c->handles = HANDLES;
	if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0) {
		conn_end(c);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);

	/* Ids count up; a place is free when its last owner has gone. */
	c->id = h->conn_next;
	if (h->conn[(unsigned int)c->id % CW_HOST_CONNS] != NULL) {
		for (c->id++; c->id < h->conn_next + CW_HOST_CONNS; c->id++)
			if (h->conn[(unsigned int)c->id % CW_HOST_CONNS] == NULL)
				break;
		if (c->id == h->conn_next + CW_HOST_CONNS) {
			cw_host_log(h, 1, "link.full", "conns=%d", CW_HOST_CONNS);
			conn_end(c);
			return;
		}
	}
	h->conn_next = c->id == INT32_MAX - CW_HOST_CONNS ? 0 : c->id + 1;
	h->conn[(unsigned int)c->id % CW_HOST_CONNS] = c;
	c->host = h;
	uv_read_start((uv_stream_t *)&c->tcp, cw_host_alloc, conn_read);
	ev.conn = c->id;
	cw_host_deliver(h, &ev);
}

/* ---- life ---------------------------------------------------------------- */

int
cw_host_net_open(struct cw_host *h, char *err, size_t err_cap)
{
	struct sockaddr_in a;
	const char *remedy = "";
	int e = UV_EINVAL;

	uv_tcp_init(h->env->loop, &h->listener);
	h->listener.data = h;
	h->handles++;
	if (cw_host_addr(&a, h->cfg.listen) == 0)
		e = uv_tcp_bind(&h->listener, (const struct sockaddr *)&a, 0);
	if (e == 0)
		e = uv_listen((uv_stream_t *)&h->listener, 64, accepted);
	if (e == 0)
		return 0;

	if (e == UV_EADDRINUSE)
		remedy = "; another program listens there (ss -ltnp shows it): "
		    "stop it or choose another port";
	else if (e == UV_EADDRNOTAVAIL)
		remedy = "; no interface of this machine has that address";
	else if (e == UV_EINVAL)
		remedy = "; give IP:PORT, such as 127.0.0.1:7816";
	snprintf(err, err_cap, "cannot listen on %s: %s%s", h->cfg.listen,
	    uv_strerror(e), remedy);
	h->closing = true;
	uv_close((uv_handle_t *)&h->listener, cw_host_handle_closed);
	return CW_EIO;
}

void
cw_host_net_close(struct cw_host *h)
{
	size_t i;

	for (i = 0; i < CW_HOST_CONNS; i++) {
		struct cw_host_conn *c = h->conn[i];

		if (c != NULL) {
			conn_forget(c);
			conn_end(c);
		}
	}
	uv_close((uv_handle_t *)&h->listener, cw_host_handle_closed);
}

uint16_t
cw_host_port(const struct cw_host *h)
{
	struct sockaddr_in a;
	int len = sizeof a;

	if (uv_tcp_getsockname(&h->listener, (struct sockaddr *)&a, &len) != 0)
		return 0;
	return ntohs(a.sin_port);
}
