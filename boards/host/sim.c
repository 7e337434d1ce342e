/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "host_private.h"

#define RETRY_MS 200
#define INITIAL_WAIT_ETU 9600	/* ISO/IEC 7816-3:2006, 8.1 */

/*
 * Card back end: one station of the contact link (docs/spec/contact-link.md).
 * A lost link is a removed card; a new one is tried every 200 ms.
 *
 * Like a UART with a FIFO it listens ahead: a LISTEN goes out in the same write
 * as the CHARS that the card will answer, so that a command costs two round
 * trips and not four.  Its answer is kept until the core asks with recv.  After
 * a refused character nothing is listened for ahead until the next activation:
 * the card says nothing then and the wait would be for nothing.
 *
 * Answers come in the order of the questions, so what was aborted needs only
 * to be counted (stale_*).
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

/* ---- out ----------------------------------------------------------------- */

static void
out_msg(struct cw_host_sim *s, uint8_t type, const uint8_t *body, size_t len)
{
	uint8_t *p = s->out + s->out_len;

	/* One question at a time, and what is ahead of it. */
	CW_ASSERT(s->out_len + CW_CONTACT_HDR + len <= sizeof s->out);
	p[0] = type;
	p[1] = 0;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	memcpy(p + CW_CONTACT_HDR, body, len);
	s->out_len += CW_CONTACT_HDR + len;
}

static void
out_listen(struct cw_host_sim *s, uint32_t wait_etu)
{
	uint8_t b[6];
	struct cw_wr w = cw_wr_init(b, sizeof b);

	cw_wr_u16(&w, CW_HOST_FIFO);
	cw_wr_u32(&w, wait_etu);
	out_msg(s, CW_CT_LISTEN, b, w.len);
	s->listening = true;
	s->listen_wait_etu = wait_etu;
}

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

/* What the lost link owed is answered here; the events are posted. */
static void
sim_lost(struct cw_host *h, const char *why)
{
	struct cw_host_sim *s = &h->sim;
	struct cw_event gone = { .kind = CW_EV_CARD };
	struct cw_event off = { .kind = CW_EV_POWERED };
	uint32_t power_out = s->power_out;

	if (s->link == NULL)
		return;
	if (!s->told)
		cw_host_log(h, 1, "contact.lost", "station=%u why=\"%s\"",
		    s->station, why);
	s->told = true;
	link_drop(s->link);
	s->link = NULL;
	cw_wipe(s->out, sizeof s->out);
	cw_wipe(s->rx, sizeof s->rx);
	cw_wipe(s->fifo, sizeof s->fifo);
	s->out_len = s->rx_len = s->fifo_len = s->fifo_off = 0;
	s->stale_taken = s->stale_listen = s->power_out = 0;
	s->sending = s->receiving = s->listening = s->parity = false;
	s->silent_etu = 0;
	uv_timer_start(&s->retry, retry_fired, RETRY_MS, 0);
	if (s->present)
		cw_host_post(h, &gone);
	s->present = false;
	while (power_out-- > 0)
		cw_host_post(h, &off);
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
	size_t len = s->out_len;
	uv_buf_t b = uv_buf_init((char *)s->out, (unsigned int)len);
	int n;

	if (s->link == NULL || !s->link->up || s->link->writing || len == 0)
		return;
	n = uv_try_write((uv_stream_t *)&s->link->tcp, &b, 1);
	if (n == UV_EAGAIN)
		n = 0;
	if (n >= 0 && (size_t)n < len)
		n = write_late(s->link, s->out + n, len - (size_t)n);
	cw_wipe(s->out, len);
	s->out_len = 0;
	if (n < 0)
		sim_lost(h, uv_strerror(n));
}

/* ---- in ------------------------------------------------------------------ */

/* Gives the core what the FIFO holds; its recv is answered. */
static void
fifo_give(struct cw_host *h)
{
	struct cw_host_sim *s = &h->sim;
	struct cw_event ev = { .kind = CW_EV_RECV };
	size_t n = s->fifo_len - s->fifo_off;

	if (n > s->recv_cap)
		n = s->recv_cap;
	s->receiving = false;
	ev.buf = s->fifo + s->fifo_off;
	ev.len = n;
	ev.bad_cnt = s->bad_cnt;
	ev.line_etu = s->etu;
	s->bad_cnt = 0;
	s->etu = 0;
	s->fifo_off += n;
	cw_host_post(h, &ev);
}

static void
recv_end(struct cw_host *h, enum cw_event_kind kind)
{
	struct cw_event ev = { .kind = kind };

	h->sim.receiving = false;
	cw_host_post(h, &ev);
}

static void
in_present(struct cw_host *h, struct cw_rd *r)
{
	struct cw_event ev = { .kind = CW_EV_CARD };
	uint8_t present = cw_rd_u8(r);

	if (h->sim.told)
		cw_host_log(h, 2, "contact.up", "station=%u", h->sim.station);
	h->sim.told = false;
	if (present == 0 && !h->sim.present)
		return;
	h->sim.present = present != 0;
	ev.len = present != 0;
	cw_host_post(h, &ev);
}

static void
in_powered(struct cw_host *h, struct cw_rd *r)
{
	struct cw_event ev = { .kind = CW_EV_POWERED };

	ev.err = (int16_t)cw_rd_u16(r);
	if (h->sim.power_out == 0)
		return;
	h->sim.power_out--;
	cw_host_post(h, &ev);
}

static void
in_taken(struct cw_host *h, struct cw_rd *r)
{
	struct cw_host_sim *s = &h->sim;
	struct cw_event ev = { .kind = CW_EV_SENT };
	uint16_t cnt = cw_rd_u16(r);

	if (s->stale_taken > 0) {
		s->stale_taken--;
		return;
	}
	if (!s->sending)
		return;
	s->sending = false;
	ev.line_etu = cw_rd_u32(r);
	if (cnt < s->sent_len) {
		ev.kind = CW_EV_NACK;
		ev.idx = cnt;
		s->fifo_ahead = false;
		if (s->listening)
			s->stale_listen++;
		s->listening = false;
	}
	cw_host_post(h, &ev);
}

/* True when the answer to a LISTEN is still awaited. */
static bool
listen_live(struct cw_host_sim *s)
{
	if (s->stale_listen > 0) {
		s->stale_listen--;
		return false;
	}
	if (!s->listening)
		return false;
	s->listening = false;
	return true;
}

static void
in_chars(struct cw_host *h, struct cw_rd *r)
{
	struct cw_host_sim *s = &h->sim;
	uint32_t etu = cw_rd_u32(r);
	uint16_t bad_cnt = cw_rd_u16(r);
	size_t len = cw_rd_left(r);

	if (!listen_live(s) || len == 0 || len > sizeof s->fifo)
		return;
	memcpy(s->fifo, cw_rd_bytes(r, len), len);
	s->fifo_len = len;
	s->fifo_off = 0;
	s->etu += etu;
	s->bad_cnt += bad_cnt;
	if (s->receiving)
		fifo_give(h);
}

static void
in_silent(struct cw_host *h, struct cw_rd *r)
{
	struct cw_host_sim *s = &h->sim;

	(void)cw_rd_u32(r);
	if (!listen_live(s))
		return;
	if (!s->receiving)
		s->silent_etu = s->listen_wait_etu;
	else if (s->listen_wait_etu < s->recv_wait_etu)
		out_listen(s, s->recv_wait_etu);
	else
		recv_end(h, CW_EV_SILENT);
}

static void
in_parity(struct cw_host *h, struct cw_rd *r)
{
	(void)r;
	if (!listen_live(&h->sim))
		return;
	if (h->sim.receiving)
		recv_end(h, CW_EV_PARITY);
	else
		h->sim.parity = true;
}

static void
in_refused(struct cw_host *h, struct cw_rd *r)
{
	char text[128];
	size_t len;

	(void)cw_rd_u16(r);
	len = cw_rd_left(r);
	if (len >= sizeof text)
		len = sizeof text - 1;
	memcpy(text, cw_rd_bytes(r, len), len);
	text[len] = '\0';
	sim_lost(h, text);
}

static const struct {
	uint8_t type;
	uint16_t min, max;	/* of the body */
	void (*take)(struct cw_host *h, struct cw_rd *r);
} answers[] = {
	{ CW_CT_PRESENT, 1, 1, in_present },
	{ CW_CT_POWERED, 2, 2, in_powered },
	{ CW_CT_TAKEN, 6, 6, in_taken },
	{ CW_CT_RXCHARS, 7, 6 + CW_HOST_FIFO, in_chars },
	{ CW_CT_SILENT, 4, 4, in_silent },
	{ CW_CT_PARITY, 0, 0, in_parity },
	{ CW_CT_REFUSED, 2, CW_CONTACT_BODY_MAX, in_refused },
};

static void
in_msg(struct cw_host *h, uint8_t type, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);
	size_t i;

	for (i = 0; i < sizeof answers / sizeof answers[0]; i++)
		if (answers[i].type == type)
			break;
	if (i == sizeof answers / sizeof answers[0] || len < answers[i].min ||
	    len > answers[i].max)
		sim_lost(h, "the other side does not speak the contact link");
	else
		answers[i].take(h, &r);

	/* One message at a time: what it lends must not outlive the next. */
	cw_host_pump(h);
}

/* Handles whole messages; returns bytes used. */
static size_t
in_take(struct cw_host *h, const uint8_t *buf, size_t len)
{
	size_t off = 0, n;

	while (h->sim.link != NULL && len - off >= CW_CONTACT_HDR) {
		n = (size_t)(buf[off + 2] << 8 | buf[off + 3]);
		if (n > CW_CONTACT_BODY_MAX) {
			sim_lost_now(h, "message too long");
			break;
		}
		if (len - off - CW_CONTACT_HDR < n)
			break;
		in_msg(h, buf[off], buf + off + CW_CONTACT_HDR, n);
		off += CW_CONTACT_HDR + n;
	}
	return off;
}

static void
sim_data(struct cw_host *h, const uint8_t *buf, size_t len)
{
	struct cw_host_sim *s = &h->sim;
	size_t off = 0, n;

	while (s->link != NULL && off < len) {
		if (s->rx_len == 0)
			off += in_take(h, buf + off, len - off);
		if (s->link == NULL)
			return;
		n = sizeof s->rx - s->rx_len;
		if (n > len - off)
			n = len - off;
		memcpy(s->rx + s->rx_len, buf + off, n);
		s->rx_len += n;
		off += n;
		n = in_take(h, s->rx, s->rx_len);
		if (s->link == NULL)
			return;
		memmove(s->rx, s->rx + n, s->rx_len - n);
		s->rx_len -= n;
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
	uint8_t b[2];

	if (h == NULL)
		return;
	if (status < 0) {
		sim_lost_now(h, uv_strerror(status));
		return;
	}
	l->up = true;
	uv_tcp_nodelay(&l->tcp, 1);
	uv_read_start((uv_stream_t *)&l->tcp, cw_host_alloc, link_read);
	b[0] = (uint8_t)(h->sim.station >> 8);
	b[1] = (uint8_t)h->sim.station;
	out_msg(&h->sim, CW_CT_ATTACH, b, sizeof b);
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

static bool
attached(const struct cw_host_sim *s)
{
	return s->link != NULL && s->link->up;
}

/* What was sent and asked before is nobody's business any more. */
static void
sim_abort(void *dev, uint8_t slot)
{
	struct cw_host_sim *s = &((struct cw_host *)dev)->sim;

	(void)slot;
	cw_host_unpost(dev);
	if (s->sending)
		s->stale_taken++;
	if (s->listening)
		s->stale_listen++;
	s->sending = s->receiving = s->listening = s->parity = false;
	s->silent_etu = 0;
	s->fifo_len = s->fifo_off = 0;
	cw_wipe(s->fifo, sizeof s->fifo);
}

static int
sim_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	struct cw_host *h = dev;
	struct cw_event off = { .kind = CW_EV_POWERED };
	uint8_t b[4];
	struct cw_wr w = cw_wr_init(b, sizeof b);

	sim_abort(dev, slot);
	if (!attached(&h->sim)) {
		if (vcc_mv > 0)
			return CW_EREMOVED;
		cw_host_post(h, &off);
		return 0;
	}
	cw_wr_u32(&w, vcc_mv);
	out_msg(&h->sim, CW_CT_POWER, b, w.len);
	h->sim.power_out++;
	h->sim.fifo_ahead = true;
	h->sim.recv_wait_etu = INITIAL_WAIT_ETU;
	return 0;
}

static int
sim_reset(void *dev, uint8_t slot, bool asserted)
{
	struct cw_host_sim *s = &((struct cw_host *)dev)->sim;
	uint8_t b[1] = { asserted };

	if (!attached(s))
		return CW_EREMOVED;
	sim_abort(dev, slot);
	out_msg(s, CW_CT_RESET, b, sizeof b);
	return 0;
}

static int
sim_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	struct cw_host_sim *s = &((struct cw_host *)dev)->sim;
	uint8_t b[10];
	struct cw_wr w = cw_wr_init(b, sizeof b);

	(void)slot;
	if (!attached(s))
		return CW_EREMOVED;
	if (line->clk_hz == 0 || line->etu_clk == 0)
		return CW_ERANGE;
	cw_wr_u32(&w, line->clk_hz);
	cw_wr_u32(&w, line->etu_clk);
	cw_wr_u16(&w, line->guard_etu);
	out_msg(s, CW_CT_LINE, b, w.len);
	return 0;
}

static int
sim_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct cw_host_sim *s = &((struct cw_host *)dev)->sim;

	(void)slot;
	if (!attached(s))
		return CW_EREMOVED;
	if (len == 0 || len > CW_CONTACT_BODY_MAX)
		return CW_EINVAL;
	out_msg(s, CW_CT_CHARS, buf, len);
	s->sending = true;
	s->sent_len = len;
	s->silent_etu = 0;
	if (s->fifo_ahead && !s->listening && s->fifo_off == s->fifo_len)
		out_listen(s, s->recv_wait_etu);
	return 0;
}

static int
sim_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	struct cw_host *h = dev;
	struct cw_host_sim *s = &h->sim;

	(void)slot;
	if (!attached(s))
		return CW_EREMOVED;
	if (cap == 0)
		return CW_EINVAL;
	s->receiving = true;
	s->recv_cap = cap;
	s->recv_wait_etu = wait_etu;
	if (s->fifo_off < s->fifo_len) {
		fifo_give(h);
	} else if (s->parity) {
		s->parity = false;
		recv_end(h, CW_EV_PARITY);
	} else if (s->silent_etu > 0 && s->silent_etu >= wait_etu) {
		s->silent_etu = 0;
		recv_end(h, CW_EV_SILENT);
	} else if (!s->listening) {
		s->silent_etu = 0;
		out_listen(s, wait_etu);
	}
	return 0;
}

static int
sim_present(void *dev, uint8_t slot)
{
	(void)slot;
	return ((struct cw_host *)dev)->sim.present;
}

/* ---- life ---------------------------------------------------------------- */

static int
sim_open(struct cw_host *h, const char *spec)
{
	int err;

	uv_timer_init(h->env->loop, &h->sim.retry);
	h->sim.retry.data = h;
	h->handles++;
	err = cw_host_station(&h->sim.addr, &h->sim.station, spec);
	if (err == 0)
		sim_connect(h);
	return err;
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
