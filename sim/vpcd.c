/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cw/apdu.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "host/log.h"
#include "sim/vicc.h"
#include "sim/vpcd.h"

#define LOOK_MS 20		/* for a card that came or went */
#define RETRY_MS 250
#define FRAME_MAX (2 + 65535)

enum { VPCD_OFF, VPCD_ON, VPCD_RESET, VPCD_ATR = 4 };

/* A connection of its own, for its handle outlives the card. */
struct wire {
	uv_tcp_t tcp;
	uv_connect_t connect;
	struct cw_vpcd *p;	/* NULL: given up */
	bool up;
	size_t len;
	uint8_t rx[FRAME_MAX];
};

struct out {
	uv_write_t req;
	size_t len;
	uint8_t buf[];
};

struct cw_vpcd {
	struct cw_vpcd_config cfg;
	uv_timer_t look;
	uint64_t again_ms;	/* not before */
	struct wire *wire;	/* NULL: none */
	uint32_t card_no;	/* in the reader; 0: none */
	uint32_t failed_no;	/* left the reader by itself */
	bool told;
	struct cw_vicc vicc;
	uint8_t atr[33];
	uint8_t atr_len;
	uint8_t rsp[CW_APDU_RSP_MAX];
};

static void
wire_closed(uv_handle_t *h)
{
	struct wire *w = h->data;

	cw_wipe(w->rx, sizeof w->rx);
	free(w);
}

static void
wire_drop(struct cw_vpcd *p)
{
	struct wire *w = p->wire;

	if (w == NULL)
		return;
	p->wire = NULL;
	w->p = NULL;
	if (!uv_is_closing((uv_handle_t *)&w->tcp))
		uv_close((uv_handle_t *)&w->tcp, wire_closed);
	p->again_ms = uv_now(p->cfg.loop) + RETRY_MS;
}

static void
out_done(uv_write_t *req, int status)
{
	struct out *o = req->data;

	(void)status;		/* the reader's end is seen by the read */
	cw_wipe(o->buf, o->len);
	free(o);
}

/* Length and body in one send: many a reader reads them apart, and Nagle's
 * algorithm would hold the second back. */
static void
frame_out(struct wire *w, const uint8_t *body, size_t len)
{
	struct out *o = malloc(sizeof *o + 2 + len);
	uv_buf_t b;

	if (o == NULL || len > 65535) {
		free(o);
		wire_drop(w->p);
		return;
	}
	o->len = 2 + len;
	o->buf[0] = (uint8_t)(len >> 8);
	o->buf[1] = (uint8_t)len;
	memcpy(o->buf + 2, body, len);
	o->req.data = o;
	b = uv_buf_init((char *)o->buf, (unsigned int)o->len);
	if (uv_write(&o->req, (uv_stream_t *)&w->tcp, &b, 1, out_done) != 0)
		free(o);
}

/* The card is no card any more: it leaves the reader until another comes. */
static void
card_fail(struct cw_vpcd *p, int err)
{
	cw_log(CW_LOG_WARN, "vpcd.card-failed", "station=%u card=%u err=%s",
	    p->cfg.station + 1u, p->card_no, cw_err_name(err));
	p->failed_no = p->card_no;
	wire_drop(p);
}

static void
apdu_take(struct cw_vpcd *p, const uint8_t *buf, size_t len)
{
	static const uint8_t wrong[] = { 0x67, 0x00 };
	int n = cw_vicc_apdu(&p->vicc, buf, len, p->rsp, sizeof p->rsp - 3);

	if (n == CW_ESHORT || n == CW_EFORMAT || n == CW_EINVAL) {
		frame_out(p->wire, wrong, sizeof wrong);
	} else if (n < 0) {
		card_fail(p, n);
	} else {
		frame_out(p->wire, p->rsp, (size_t)n);
		cw_wipe(p->rsp, (size_t)n);
	}
}

static void
frame_take(struct cw_vpcd *p, const uint8_t *buf, size_t len)
{
	int err = 0;

	/* The card may have been binned since the last look. */
	if (cw_world_card_no(p->cfg.world, p->cfg.station) != p->card_no) {
		wire_drop(p);
		return;
	}
	if (len != 1) {
		if (len > 0)
			apdu_take(p, buf, len);
		return;
	}
	if (buf[0] == VPCD_OFF)
		cw_vicc_off(&p->vicc);
	else if (buf[0] == VPCD_ON || buf[0] == VPCD_RESET)
		err = cw_vicc_reset(&p->vicc);
	else if (buf[0] == VPCD_ATR)
		frame_out(p->wire, p->atr, p->atr_len);
	if (err < 0)
		card_fail(p, err);
}

static void
quick_ack(struct wire *w)
{
	uv_os_fd_t fd;
	int one = 1;

	if (uv_fileno((uv_handle_t *)&w->tcp, &fd) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

static void
wire_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct wire *w = h->data;

	(void)hint;
	*buf = uv_buf_init((char *)w->rx + w->len,
	    (unsigned int)(sizeof w->rx - w->len));
}

static void
wire_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct wire *w = s->data;
	size_t len;

	(void)buf;
	if (w->p == NULL || n == 0)
		return;
	if (n < 0) {
		cw_log(CW_LOG_INFO, "vpcd.lost", "why=\"%s\"",
		    uv_strerror((int)n));
		wire_drop(w->p);
		return;
	}
	quick_ack(w);
	w->len += (size_t)n;
	while (w->p != NULL && w->len >= 2) {
		len = (size_t)(w->rx[0] << 8 | w->rx[1]);
		if (w->len < 2 + len)
			break;
		frame_take(w->p, w->rx + 2, len);
		memmove(w->rx, w->rx + 2 + len, w->len - 2 - len);
		w->len -= 2 + len;
	}
}

static void
wire_up(uv_connect_t *req, int status)
{
	struct wire *w = req->data;
	struct cw_vpcd *p = w->p;

	if (p == NULL)
		return;
	if (status < 0) {
		if (!p->told)
			cw_log(CW_LOG_WARN, "vpcd.away", "why=\"%s\" what=\"trying "
			    "again; is the virtual reader there?\"",
			    uv_strerror(status));
		p->told = true;
		wire_drop(p);
		return;
	}
	p->told = false;
	w->up = true;
	uv_tcp_nodelay(&w->tcp, 1);
	quick_ack(w);
	uv_read_start((uv_stream_t *)&w->tcp, wire_alloc, wire_read);
	cw_log(CW_LOG_INFO, "vpcd.up", "station=%u card=%u", p->cfg.station + 1u,
	    p->card_no);
}

static void
wire_open(struct cw_vpcd *p)
{
	struct wire *w = calloc(1, sizeof *w);

	if (w == NULL)
		return;
	uv_tcp_init(p->cfg.loop, &w->tcp);
	w->tcp.data = w;
	w->connect.data = w;
	w->p = p;
	p->wire = w;
	if (uv_tcp_connect(&w->connect, &w->tcp,
	    (const struct sockaddr *)&p->cfg.to, wire_up) != 0)
		wire_drop(p);
}

/* Another card at the contacts: its ATR is asked for before it is powered. */
static void
card_new(struct cw_vpcd *p, uint32_t no)
{
	int err;

	wire_drop(p);
	p->again_ms = 0;
	p->card_no = no;
	if (no == 0)
		return;
	cw_vicc_init(&p->vicc, cw_world_card(p->cfg.world, p->cfg.station));
	err = cw_vicc_reset(&p->vicc);
	if (err < 0) {
		card_fail(p, err);
		return;
	}
	p->atr_len = p->vicc.atr.raw_len;
	memcpy(p->atr, p->vicc.atr.raw, p->atr_len);
	cw_vicc_off(&p->vicc);
}

static void
look(uv_timer_t *t)
{
	struct cw_vpcd *p = t->data;
	struct cw_sim_card *card = cw_world_card(p->cfg.world, p->cfg.station);
	uint32_t no = cw_world_card_no(p->cfg.world, p->cfg.station);

	if (card != NULL && cw_sim_card_left(card)) {
		cw_world_leave(p->cfg.world, p->cfg.station);
		no = 0;
	}
	if (no != p->card_no)
		card_new(p, no);
	if (no != 0 && no != p->failed_no && p->wire == NULL &&
	    uv_now(p->cfg.loop) >= p->again_ms)
		wire_open(p);
}

struct cw_vpcd *
cw_vpcd_open(const struct cw_vpcd_config *cfg)
{
	struct cw_vpcd *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->cfg = *cfg;
	uv_timer_init(cfg->loop, &p->look);
	p->look.data = p;
	uv_timer_start(&p->look, look, 0, LOOK_MS);
	return p;
}

static void
look_closed(uv_handle_t *h)
{
	free(h->data);
}

void
cw_vpcd_close(struct cw_vpcd *p)
{
	if (p == NULL)
		return;
	wire_drop(p);
	uv_close((uv_handle_t *)&p->look, look_closed);
}
