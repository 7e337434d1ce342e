/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "host_private.h"

#define RETRY_MS 200

/*
 * Card back end: one station of the contact link (docs/spec/contact-link.md).
 * What is said on it is boards/contact's; here is the TCP connection underneath.
 * A lost link is a removed card; a new one is tried every 200 ms.
 */
struct cw_host_sim_link {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	struct cw_host *host;	/* NULL once it is given up */
	bool up;
	bool writing;
	uint8_t *late;
	size_t late_len;
};

/* ---- the link ------------------------------------------------------------ */

static void
link_closed(uv_handle_t *handle)
{
	struct cw_host_sim_link *l = handle->data;

	free(l->late);
	free(l);
}

static void
link_drop(struct cw_host_sim_link *l)
{
	l->host = NULL;
	if (!uv_is_closing((uv_handle_t *)&l->tcp))
		uv_close((uv_handle_t *)&l->tcp, link_closed);
}

static void
retry_fired(uv_timer_t *t);

/* The events of what the lost link owed are posted. */
static void
sim_lost(struct cw_host *h, const char *why)
{
	struct cw_host_sim *s = &h->sim;

	if (s->link == NULL)
		return;
	if (!s->told)
		cw_host_log(h, 1, "contact.lost", "station=%u why=\"%s\"",
		    s->station, why);
	s->told = true;
	link_drop(s->link);
	s->link = NULL;
	uv_timer_start(&s->retry, retry_fired, RETRY_MS, 0);
	cw_contact_client_lost(&s->client);
}

/* From a callback of the loop: the core hears of it at once. */
static void
sim_lost_now(struct cw_host *h, const char *why)
{
	sim_lost(h, why);
	cw_host_pump(h);
}

static void
sim_flush(struct cw_host *h);

static void
write_done(uv_write_t *req, int status)
{
	struct cw_host_sim_link *l = req->data;

	cw_wipe(l->late, l->late_len);
	free(l->late);
	l->late = NULL;
	l->writing = false;
	if (l->host == NULL)
		return;
	if (status < 0)
		sim_lost_now(l->host, uv_strerror(status));
	else
		sim_flush(l->host);
}

/* The kernel's buffer is full: from memory of its own. */
static int
write_late(struct cw_host_sim_link *l, const uint8_t *buf, size_t len)
{
	uv_buf_t b;

	l->late = malloc(len);
	if (l->late == NULL)
		return UV_ENOMEM;
	memcpy(l->late, buf, len);
	l->late_len = len;
	b = uv_buf_init((char *)l->late, (unsigned int)len);
	l->write.data = l;
	l->writing = true;
	return uv_write(&l->write, (uv_stream_t *)&l->tcp, &b, 1, write_done);
}

static void
sim_flush(struct cw_host *h)
{
	struct cw_host_sim *s = &h->sim;
	const uint8_t *buf;
	size_t len = cw_contact_client_output(&s->client, &buf);
	uv_buf_t b = uv_buf_init((char *)buf, (unsigned int)len);
	int n;

	if (s->link == NULL || !s->link->up || s->link->writing || len == 0)
		return;
	n = uv_try_write((uv_stream_t *)&s->link->tcp, &b, 1);
	if (n == UV_EAGAIN)
		n = 0;
	if (n >= 0 && (size_t)n < len)
		n = write_late(s->link, buf + n, len - (size_t)n);
	cw_contact_client_sent(&s->client, len);
	if (n < 0)
		sim_lost(h, uv_strerror(n));
}

static void
sim_data(struct cw_host *h, const uint8_t *buf, size_t len)
{
	struct cw_host_sim *s = &h->sim;
	size_t off = 0;
	int n;

	while (s->link != NULL && off < len) {
		n = cw_contact_client_input(&s->client, buf + off, len - off);
		if (n < 0)
			sim_lost(h, s->client.why);
		else
			off += (size_t)n;
		if (s->told && s->client.attached) {
			cw_host_log(h, 2, "contact.up", "station=%u", s->station);
			s->told = false;
		}

		/* One message at a time: what it lends must not outlive the next. */
		cw_host_pump(h);
	}
}

static void
link_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct cw_host_sim_link *l = stream->data;

	if (l->host == NULL)
		return;
	if (n < 0) {
		sim_lost_now(l->host, uv_strerror((int)n));
		return;
	}
	if (n > 0) {
		sim_data(l->host, (const uint8_t *)buf->base, (size_t)n);
		cw_wipe(buf->base, (size_t)n);
	}
}

static void
link_up(uv_connect_t *req, int status)
{
	struct cw_host_sim_link *l = req->data;
	struct cw_host *h = l->host;

	if (h == NULL)
		return;
	if (status < 0) {
		sim_lost_now(h, uv_strerror(status));
		return;
	}
	l->up = true;
	uv_tcp_nodelay(&l->tcp, 1);
	uv_read_start((uv_stream_t *)&l->tcp, cw_host_alloc, link_read);
	cw_contact_client_up(&h->sim.client);
	sim_flush(h);
}

static void
sim_connect(struct cw_host *h)
{
	struct cw_host_sim_link *l = calloc(1, sizeof *l);
	int e;

	if (l == NULL) {
		uv_timer_start(&h->sim.retry, retry_fired, RETRY_MS, 0);
		return;
	}
	uv_tcp_init(h->env->loop, &l->tcp);
	l->tcp.data = l;
	l->connect.data = l;
	l->host = h;
	h->sim.link = l;
	e = uv_tcp_connect(&l->connect, &l->tcp,
	    (const struct sockaddr *)&h->sim.addr, link_up);
	if (e < 0)
		sim_lost(h, uv_strerror(e));
}

static void
retry_fired(uv_timer_t *t)
{
	struct cw_host *h = t->data;

	if (!h->closing)
		sim_connect(h);
}

/* ---- ops ----------------------------------------------------------------- */

static struct cw_contact_client *
client(void *dev)
{
	return &((struct cw_host *)dev)->sim.client;
}

static void
sim_abort(void *dev, uint8_t slot)
{
	(void)slot;
	cw_contact_client_abort(client(dev));
}

static int
sim_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	(void)slot;
	return cw_contact_client_power(client(dev), vcc_mv);
}

static int
sim_reset(void *dev, uint8_t slot, bool asserted)
{
	(void)slot;
	return cw_contact_client_reset(client(dev), asserted);
}

static int
sim_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	(void)slot;
	return cw_contact_client_set_line(client(dev), line);
}

static int
sim_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	(void)slot;
	return cw_contact_client_send(client(dev), buf, len);
}

static int
sim_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	(void)slot;
	return cw_contact_client_recv(client(dev), cap, wait_etu);
}

static int
sim_present(void *dev, uint8_t slot)
{
	(void)slot;
	return client(dev)->present;
}

/* ---- life ---------------------------------------------------------------- */

static void
sim_post(void *dev, const struct cw_event *ev)
{
	cw_host_post(dev, ev);
}

static void
sim_unpost(void *dev)
{
	cw_host_unpost(dev);
}

static int
sim_open(struct cw_host *h, const char *spec)
{
	struct cw_contact_client_config c = {
		.post = sim_post, .unpost = sim_unpost, .dev = h,
	};
	int err;

	uv_timer_init(h->env->loop, &h->sim.retry);
	h->sim.retry.data = h;
	h->handles++;
	err = cw_host_station(&h->sim.addr, &h->sim.station, spec);
	if (err < 0)
		return err;
	c.station = h->sim.station;
	cw_contact_client_init(&h->sim.client, &c);
	sim_connect(h);
	return 0;
}

static void
sim_close(struct cw_host *h)
{
	if (h->sim.link != NULL)
		link_drop(h->sim.link);
	h->sim.link = NULL;
	uv_close((uv_handle_t *)&h->sim.retry, cw_host_handle_closed);
}

const struct cw_host_backend cw_host_sim = {
	.ops = {
		sim_power, sim_reset, sim_set_line, cw_host_best_line,
		sim_send, sim_recv, sim_abort, sim_present,
	},
	.open = sim_open,
	.flush = sim_flush,
	.close = sim_close,
};
