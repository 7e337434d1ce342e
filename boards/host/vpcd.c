/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cw/apdu.h"
#include "cw/bytes.h"
#include "host_private.h"

/*
 * Card back end: a virtual card.  A program that plays a card (any client of
 * vpcd) connects here, and is the card in the station until it goes.  Frames both
 * ways: u16 length, bytes.  To the card: 00 off, 01 on, 02 reset, 04 asks for the
 * ATR and alone of them is answered; anything else is an APDU.
 *
 * Who connects is the card: there is no authentication.  So it listens on the
 * loopback address unless it is told another.
 */
#define FRAME_MAX (2 + 65535)

enum { VPCD_OFF, VPCD_ON, VPCD_RESET, VPCD_ATR = 4 };
enum wait { WAIT_NONE, WAIT_FIRST_ATR, WAIT_ATR, WAIT_APDU };

/* A connection, with a life of its own. */
struct card_conn {
	uv_tcp_t tcp;
	struct cw_host *host;	/* NULL: given up */
	size_t len;
	uint8_t rx[FRAME_MAX];
};

struct frame_out {
	uv_write_t req;
	size_t len;
	uint8_t buf[];
};

struct cw_host_vpcd {
	uv_tcp_t listener;
	struct card_conn *card;	/* NULL: none */
	bool present;		/* its ATR has come */
	bool powered;
	enum wait wait;
	unsigned int stale;	/* answers to come that nobody wants any more */
};

/* ---- the connection -------------------------------------------------------- */

static void
conn_closed(uv_handle_t *handle)
{
	struct card_conn *c = handle->data;

	cw_wipe(c->rx, sizeof c->rx);
	free(c);
}

static void
conn_drop(struct card_conn *c)
{
	c->host = NULL;
	if (!uv_is_closing((uv_handle_t *)&c->tcp))
		uv_close((uv_handle_t *)&c->tcp, conn_closed);
}

static void
frame_done(uv_write_t *req, int status)
{
	struct frame_out *o = req->data;

	(void)status;		/* a lost card is seen by the read */
	cw_wipe(o->buf, o->len);
	free(o);
}

/* Length and body in one send: cards read them in one read. */
static int
frame_send(struct cw_host_vpcd *v, const uint8_t *body, size_t len)
{
	struct frame_out *o;
	uv_buf_t b;

	if (len > 65535)
		return CW_ETOOBIG;
	o = malloc(sizeof *o + 2 + len);
	if (o == NULL)
		return CW_ENOMEM;
	o->len = 2 + len;
	o->buf[0] = (uint8_t)(len >> 8);
	o->buf[1] = (uint8_t)len;
	memcpy(o->buf + 2, body, len);
	o->req.data = o;
	b = uv_buf_init((char *)o->buf, (unsigned int)o->len);
	if (uv_write(&o->req, (uv_stream_t *)&v->card->tcp, &b, 1,
	    frame_done) == 0)
		return 0;
	free(o);
	return CW_EIO;
}

static int
order(struct cw_host_vpcd *v, uint8_t what)
{
	return frame_send(v, &what, 1);
}

/* What the core waits for ends with err. */
static void
wait_end(struct cw_host *h, int err)
{
	struct cw_host_vpcd *v = h->vpcd;
	struct cw_event ev = { .err = err };

	if (v->wait == WAIT_ATR)
		ev.kind = CW_EV_POWERED;
	else if (v->wait == WAIT_APDU)
		ev.kind = CW_EV_APDU;
	v->wait = WAIT_NONE;
	if (ev.kind != CW_EV_TICK)
		cw_host_post(h, &ev);
}

static void
card_lost(struct cw_host *h, const char *why)
{
	struct cw_host_vpcd *v = h->vpcd;
	struct cw_event ev = { .kind = CW_EV_CARD };

	cw_host_log(h, 2, "vpcd.card-gone", "why=\"%s\"", why);
	conn_drop(v->card);
	v->card = NULL;
	v->stale = 0;
	v->powered = false;
	wait_end(h, CW_EREMOVED);
	if (v->present)
		cw_host_post(h, &ev);
	v->present = false;
}

/* One frame of the card. */
static void
card_frame(struct cw_host *h, const uint8_t *buf, size_t len)
{
	struct cw_host_vpcd *v = h->vpcd;
	struct cw_event ev = { .buf = buf, .len = len };
	enum wait wait = v->wait;

	if (v->stale > 0) {
		v->stale--;
		return;
	}
	v->wait = WAIT_NONE;
	switch (wait) {
	case WAIT_NONE:
		card_lost(h, "it answers what nobody asked");
		break;
	case WAIT_FIRST_ATR:
		ev = (struct cw_event){ .kind = CW_EV_CARD, .len = 1 };
		v->present = true;
		cw_host_log(h, 2, "vpcd.card", "atr-len=%zu", len);
		cw_host_post(h, &ev);
		break;
	case WAIT_ATR:
		ev.kind = CW_EV_POWERED;
		ev.err = len == 0 ? CW_EMUTE : 0;
		v->powered = len > 0;
		cw_host_post(h, &ev);
		break;
	case WAIT_APDU:
		ev.kind = CW_EV_APDU;
		cw_host_post(h, &ev);
		break;
	}

	/* What an event lends stands until it has been delivered. */
	cw_host_pump(h);
}

static void
conn_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
	struct card_conn *c = handle->data;

	(void)hint;
	*buf = uv_buf_init((char *)c->rx + c->len,
	    (unsigned int)(sizeof c->rx - c->len));
}

static void
conn_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct card_conn *c = stream->data;
	uv_os_fd_t fd;
	size_t len;
	int one = 1;

	(void)buf;
	if (c->host == NULL || n == 0)
		return;
	if (n < 0) {
		struct cw_host *h = c->host;

		card_lost(h, uv_strerror((int)n));
		cw_host_pump(h);
		return;
	}

	/* Cards that send length and body apart wait for it. */
	if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
	c->len += (size_t)n;
	while (c->host != NULL && c->len >= 2) {
		len = (size_t)(c->rx[0] << 8 | c->rx[1]);
		if (c->len < 2 + len)
			break;
		card_frame(c->host, c->rx + 2, len);
		memmove(c->rx, c->rx + 2 + len, c->len - 2 - len);
		c->len -= 2 + len;
		cw_wipe(c->rx + c->len, 2 + len);
	}
}

static void
conn_accept(uv_stream_t *server, int status)
{
	struct cw_host *h = server->data;
	struct cw_host_vpcd *v = h->vpcd;
	struct card_conn *c = status < 0 ? NULL : calloc(1, sizeof *c);

	if (c == NULL)
		return;
	uv_tcp_init(h->env->loop, &c->tcp);
	c->tcp.data = c;
	if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0 || v->card != NULL) {
		cw_host_log(h, 1, "vpcd.refused", "why=\"there is a card in the "
		    "station already\"");
		conn_drop(c);
		return;
	}
	uv_tcp_nodelay(&c->tcp, 1);
	c->host = h;
	v->card = c;
	v->wait = WAIT_FIRST_ATR;
	uv_read_start((uv_stream_t *)&c->tcp, conn_alloc, conn_read);
	(void)order(v, VPCD_ATR);
}

/* ---- ops -------------------------------------------------------------------- */

static int
vpcd_power(void *dev, uint8_t slot, enum cw_apdu_power how)
{
	struct cw_host *h = dev;
	struct cw_host_vpcd *v = h->vpcd;
	struct cw_event ev = { .kind = CW_EV_POWERED };
	int err = 0;

	(void)slot;
	if (v->card == NULL) {
		ev.err = how == CW_APDU_OFF ? 0 : CW_EREMOVED;
		cw_host_post(h, &ev);
		return 0;
	}
	if (how != CW_APDU_WARM && (v->powered || how == CW_APDU_OFF))
		err = order(v, VPCD_OFF);
	v->powered = false;
	if (how == CW_APDU_OFF) {
		cw_host_post(h, &ev);
		return 0;
	}
	if (err == 0)
		err = order(v, how == CW_APDU_WARM ? VPCD_RESET : VPCD_ON);
	if (err == 0)
		err = order(v, VPCD_ATR);
	if (err == 0)
		v->wait = WAIT_ATR;
	return err;
}

static int
vpcd_transmit(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct cw_host *h = dev;
	struct cw_host_vpcd *v = h->vpcd;
	int err;

	(void)slot;
	if (v->card == NULL)
		return CW_EREMOVED;
	err = frame_send(v, buf, len);
	if (err == 0)
		v->wait = WAIT_APDU;
	return err;
}

/* The card will answer all the same. */
static void
vpcd_abort(void *dev, uint8_t slot)
{
	struct cw_host_vpcd *v = ((struct cw_host *)dev)->vpcd;

	(void)slot;
	if (v->wait == WAIT_APDU && v->card != NULL)
		v->stale++;
	v->wait = WAIT_NONE;
}

static int
vpcd_present(void *dev, uint8_t slot)
{
	(void)slot;
	return ((struct cw_host *)dev)->vpcd->present;
}

static const struct cw_apdu_ops vpcd_ops = {
	vpcd_power, vpcd_transmit, vpcd_abort, vpcd_present,
};

/* ---- life -------------------------------------------------------------------- */

static void
vpcd_flush(struct cw_host *h)
{
	(void)h;
}

static int
vpcd_open(struct cw_host *h, const char *spec)
{
	struct sockaddr_in a;
	int err = cw_host_vpcd_addr(&a, spec);

	if (err < 0)
		return err;
	uv_tcp_init(h->env->loop, &h->vpcd->listener);
	h->vpcd->listener.data = h;
	h->handles++;
	err = uv_tcp_bind(&h->vpcd->listener, (const struct sockaddr *)&a, 0);
	if (err == 0)
		err = uv_listen((uv_stream_t *)&h->vpcd->listener, 4, conn_accept);
	if (err == 0)
		return 0;
	cw_host_log(h, 0, "vpcd.listen", "at=%s why=\"%s\"", spec,
	    uv_strerror(err));
	return CW_EIO;
}

/* The memory is the core's answer to present() from the first on. */
static int
vpcd_prepare(struct cw_host *h)
{
	h->vpcd = calloc(1, sizeof *h->vpcd);
	return h->vpcd == NULL ? CW_ENOMEM : 0;
}

static void
vpcd_close(struct cw_host *h)
{
	struct cw_host_vpcd *v = h->vpcd;

	if (v->card != NULL)
		conn_drop(v->card);
	v->card = NULL;
	if (v->listener.data != NULL)
		uv_close((uv_handle_t *)&v->listener, cw_host_handle_closed);
}

static void
vpcd_free(struct cw_host *h)
{
	free(h->vpcd);
	h->vpcd = NULL;
}

const struct cw_host_backend cw_host_vpcd = {
	.apdu = &vpcd_ops,
	.prepare = vpcd_prepare,
	.open = vpcd_open,
	.flush = vpcd_flush,
	.close = vpcd_close,
	.free = vpcd_free,
};
