/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boards/host/contact.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "host/log.h"
#include "sim/contact_srv.h"

#define IN_CAP (4 * (CW_CONTACT_HDR + CW_CONTACT_BODY_MAX))
#define OUT_CAP (4 * (CW_CONTACT_HDR + CW_CONTACT_BODY_MAX))
#define ETU_CLK_RESET 372
#define CLK_DEFAULT_HZ 4000000

enum role { NOBODY, READER, MACHINE };

struct client {
	uv_tcp_t tcp;
	uv_timer_t timer;	/* holds answers back (speed) */
	struct cw_contact_srv *srv;
	struct client *prev, *next;
	enum role role;
	uint16_t station;	/* READER */
	uint32_t clk_hz, etu_clk;
	uint64_t due_ns;	/* line and chip are busy until then */
	bool held, closing;
	uint8_t open_handles;
	size_t in_len, out_len;
	uint8_t in[IN_CAP];
	uint8_t out[OUT_CAP];
};

struct cw_contact_srv {
	struct cw_contact_srv_config cfg;
	uv_tcp_t tcp;
	bool tcp_open;
	struct client *first;
	struct client *machine;
	struct client **reader;		/* one per station */
};

/* A write that did not fit into the socket's buffer at once. */
struct late_write {
	uv_write_t req;
	size_t len;
	uint8_t buf[];
};

static void drop(struct client *c);

static void
srv_unref(struct cw_contact_srv *s)
{
	if (s->tcp_open || s->first != NULL)
		return;
	free(s->reader);
	free(s);
}

static void
on_closed(uv_handle_t *h)
{
	struct client *c = h->data;
	struct cw_contact_srv *s = c->srv;

	if (--c->open_handles > 0)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	cw_wipe(c, sizeof *c);	/* personal data went through it */
	free(c);
	srv_unref(s);
}

static void
drop(struct client *c)
{
	struct cw_sim_card *card;

	if (c->closing)
		return;
	c->closing = true;
	if (c->role == MACHINE)
		c->srv->machine = NULL;
	if (c->role == READER) {
		c->srv->reader[c->station] = NULL;
		card = cw_world_card(c->srv->cfg.world, c->station);
		if (card != NULL)
			cw_sim_card_power(card, false);
	}
	uv_close((uv_handle_t *)&c->tcp, on_closed);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void
on_written(uv_write_t *req, int status)
{
	struct late_write *late = (struct late_write *)req;
	struct client *c = req->handle->data;

	cw_wipe(late->buf, late->len);
	free(late);
	if (status < 0)
		drop(c);
}

/* Sends what is collected: at once if the socket takes it. */
static void
flush(struct client *c)
{
	uv_buf_t b = uv_buf_init((char *)c->out, (unsigned int)c->out_len);
	struct late_write *late;
	size_t left = c->out_len;
	int n;

	c->out_len = 0;
	if (left == 0 || c->closing)
		return;
	n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
	if (n < 0 && n != UV_EAGAIN) {
		drop(c);
		return;
	}
	left -= n > 0 ? (size_t)n : 0;
	if (left == 0)
		return;

	late = malloc(sizeof *late + left);
	if (late == NULL) {
		drop(c);
		return;
	}
	late->len = left;
	memcpy(late->buf, c->out + (n > 0 ? n : 0), left);
	b = uv_buf_init((char *)late->buf, (unsigned int)left);
	if (uv_write(&late->req, (uv_stream_t *)&c->tcp, &b, 1, on_written) < 0) {
		free(late);
		drop(c);
	}
}

/* Room for a message of len body bytes; the body is written by the caller. */
static uint8_t *
message(struct client *c, uint8_t type, size_t len)
{
	struct cw_wr w;

	if (OUT_CAP - c->out_len < CW_CONTACT_HDR + len)
		flush(c);
	w = cw_wr_init(c->out + c->out_len, CW_CONTACT_HDR);
	cw_wr_u8(&w, type);
	cw_wr_u8(&w, 0);
	cw_wr_u16(&w, (uint16_t)len);
	c->out_len += CW_CONTACT_HDR + len;
	return c->out + c->out_len - len;
}

static void
put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put_u32(uint8_t *p, uint64_t v)
{
	if (v > UINT32_MAX)
		v = UINT32_MAX;
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}

/* Says why and closes. */
static void
refuse(struct client *c, int err, const char *text)
{
	size_t len = strlen(text);
	uint8_t *p = message(c, CW_CT_REFUSED, 2 + len);

	put_u16(p, (uint16_t)err);
	memcpy(p + 2, text, len);
	cw_log(CW_LOG_WARN, "contact.refused", "err=%s why=\"%s\"",
	    cw_err_name(err), text);
	flush(c);
	drop(c);
}

static void
tell_present(struct client *c)
{
	*message(c, CW_CT_PRESENT, 1) =
	    cw_world_card(c->srv->cfg.world, c->station) != NULL;
}

/* A card came or went: the station's reader hears of it at once. */
static void
changed(struct cw_contact_srv *s, uint16_t station)
{
	struct client *reader = s->reader[station];

	if (reader == NULL)
		return;
	tell_present(reader);
	if (!reader->held)
		flush(reader);
}

static void
card_left(struct cw_contact_srv *s, uint16_t station)
{
	cw_world_leave(s->cfg.world, station);
	cw_log(CW_LOG_INFO, "card.left", "station=%u", station + 1u);
	if (s->reader[station] != NULL)
		tell_present(s->reader[station]);
	if (s->machine != NULL) {
		put_u16(message(s->machine, CW_CT_LOST, 2),
		    (uint16_t)(station + 1));
		flush(s->machine);
	}
}

/* Line and chip were busy: with a speed, what follows waits for real time. */
static void
pass(struct client *c, uint64_t etu)
{
	uint64_t now;

	if (c->srv->cfg.speed <= 0)
		return;
	now = uv_hrtime();
	if (c->due_ns < now)
		c->due_ns = now;
	c->due_ns += (uint64_t)((double)etu * c->etu_clk / c->clk_hz * 1e9 /
	    c->srv->cfg.speed);
}

static void
do_chars(struct client *c, const uint8_t *buf, size_t len)
{
	struct cw_sim_card *card = cw_world_card(c->srv->cfg.world, c->station);
	struct cw_sim_io io = { 0 };
	size_t n = len;
	uint8_t *p;

	if (card != NULL)
		n = cw_sim_card_chars(card, buf, len, &io);
	else
		io.etu = 12 * len;
	p = message(c, CW_CT_TAKEN, 6);
	put_u16(p, (uint16_t)n);
	put_u32(p + 2, io.etu);
	pass(c, io.etu);
	if (io.left)
		card_left(c->srv, c->station);
}

static void
do_listen(struct client *c, uint16_t cap, uint32_t wait_etu)
{
	struct cw_sim_card *card = cw_world_card(c->srv->cfg.world, c->station);
	struct cw_sim_io io = { 0 };
	uint8_t buf[CW_CONTACT_BODY_MAX - 6], *p;
	size_t n = 0;

	if (cap > sizeof buf)
		cap = sizeof buf;
	if (card != NULL)
		n = cw_sim_card_listen(card, buf, cap, wait_etu, &io);
	if (n > 0) {
		p = message(c, CW_CT_RXCHARS, 6 + n);
		put_u32(p, io.etu);
		put_u16(p + 4, (uint16_t)io.bad_cnt);
		memcpy(p + 6, buf, n);
		pass(c, io.etu + io.busy_etu);
	} else if (io.parity) {
		message(c, CW_CT_PARITY, 0);
		pass(c, io.etu + io.busy_etu);
	} else {
		put_u32(message(c, CW_CT_SILENT, 4), wait_etu);
		pass(c, wait_etu);
	}
}

static void
do_attach(struct client *c, uint16_t station)
{
	struct cw_contact_srv *s = c->srv;

	if (station == 0 || station > s->cfg.station_cnt) {
		refuse(c, CW_ENOENT, "no such station; see --stations");
		return;
	}
	if (s->reader[station - 1] != NULL) {
		refuse(c, CW_EBUSY, "station has a reader already");
		return;
	}
	c->role = READER;
	c->station = (uint16_t)(station - 1);
	s->reader[c->station] = c;
	cw_log(CW_LOG_DEBUG, "reader.attached", "station=%u", station);
	tell_present(c);
}

static void
do_power(struct client *c, uint32_t vcc_mv)
{
	struct cw_sim_card *card = cw_world_card(c->srv->cfg.world, c->station);
	int err = card == NULL && vcc_mv != 0 ? CW_EREMOVED : 0;

	if (card != NULL)
		cw_sim_card_power(card, vcc_mv != 0);
	put_u16(message(c, CW_CT_POWERED, 2), (uint16_t)err);
}

static void
do_line(struct client *c, uint32_t clk_hz, uint32_t etu_clk)
{
	struct cw_sim_card *card = cw_world_card(c->srv->cfg.world, c->station);

	if (clk_hz == 0 || etu_clk == 0) {
		refuse(c, CW_EINVAL, "LINE with a zero clock or etu");
		return;
	}
	c->clk_hz = clk_hz;
	c->etu_clk = etu_clk;
	if (card != NULL)
		cw_sim_card_line(card, clk_hz, etu_clk);
}

static void
do_reset(struct client *c, bool asserted)
{
	struct cw_sim_card *card = cw_world_card(c->srv->cfg.world, c->station);

	if (!asserted)
		c->etu_clk = ETU_CLK_RESET;
	if (card != NULL)
		cw_sim_card_reset(card, asserted);
}

static void
reader_message(struct client *c, uint8_t type, struct cw_rd *r)
{
	uint32_t a, b;

	switch (type) {
	case CW_CT_POWER:
		a = cw_rd_u32(r);
		if (cw_rd_done(r) == 0) {
			do_power(c, a);
			return;
		}
		break;
	case CW_CT_RESET:
		a = cw_rd_u8(r);
		if (cw_rd_done(r) == 0) {
			do_reset(c, a != 0);
			return;
		}
		break;
	case CW_CT_LINE:
		a = cw_rd_u32(r);
		b = cw_rd_u32(r);
		(void)cw_rd_u16(r);
		if (cw_rd_done(r) == 0) {
			do_line(c, a, b);
			return;
		}
		break;
	case CW_CT_CHARS:
		if (cw_rd_left(r) > 0) {
			do_chars(c, r->buf, r->len);
			return;
		}
		break;
	case CW_CT_LISTEN:
		a = cw_rd_u16(r);
		b = cw_rd_u32(r);
		if (cw_rd_done(r) == 0 && a > 0) {
			do_listen(c, (uint16_t)a, b);
			return;
		}
		break;
	default:
		break;
	}
	refuse(c, CW_EPROTO, "not a message of a reader, or of a wrong length");
}

static void
do_machine(struct client *c)
{
	struct cw_contact_srv *s = c->srv;
	uint16_t i;

	if (s->machine != NULL) {
		refuse(c, CW_EBUSY, "the machine is connected already");
		return;
	}
	c->role = MACHINE;
	s->machine = c;
	cw_log(CW_LOG_INFO, "machine.connected", "stations=%u",
	    s->cfg.station_cnt);
	for (i = 0; i < s->cfg.station_cnt; i++)
		if (cw_world_lost(s->cfg.world, i))
			put_u16(message(c, CW_CT_LOST, 2), (uint16_t)(i + 1));
}

static void
do_feed(struct client *c, uint16_t station, uint32_t card_no)
{
	struct cw_world *w = c->srv->cfg.world;
	bool was = cw_world_card(w, station) != NULL;
	int err = card_no == 0 ? CW_EINVAL : cw_world_feed(w, station, card_no);
	uint8_t *p;

	if (!was && cw_world_card(w, station) != NULL)
		changed(c->srv, station);
	cw_log(CW_LOG_DEBUG, "card.fed", "station=%u card=%u err=%s",
	    station + 1u, card_no, cw_err_name(err));
	p = message(c, CW_CT_FED, 8);
	put_u16(p, (uint16_t)(station + 1));
	put_u32(p + 2, card_no);
	put_u16(p + 6, (uint16_t)err);
}

static void
do_bin(struct client *c, uint16_t station, enum cw_world_bin bin)
{
	struct cw_world *w = c->srv->cfg.world;
	bool was = cw_world_card(w, station) != NULL;
	uint32_t card_no;
	uint8_t *p;

	bin = cw_world_bin(w, station, bin, &card_no);
	if (was)
		changed(c->srv, station);
	cw_log(CW_LOG_DEBUG, "card.binned", "station=%u card=%u bin=%d",
	    station + 1u, card_no, bin);
	p = message(c, CW_CT_BINNED, 7);
	put_u16(p, (uint16_t)(station + 1));
	put_u32(p + 2, card_no);
	p[6] = (uint8_t)bin;
}

static void
machine_message(struct client *c, uint8_t type, struct cw_rd *r)
{
	uint16_t station = cw_rd_u16(r);
	uint32_t arg = type == CW_CT_FEED ? cw_rd_u32(r) : cw_rd_u8(r);

	if ((type != CW_CT_FEED && type != CW_CT_BIN) || cw_rd_done(r) < 0 ||
	    (type == CW_CT_BIN && arg != CW_BIN_GOOD && arg != CW_BIN_REJECT))
		refuse(c, CW_EPROTO,
		    "not a message of the machine, or of a wrong length");
	else if (station == 0 || station > c->srv->cfg.station_cnt)
		refuse(c, CW_ENOENT, "no such station; see --stations");
	else if (type == CW_CT_FEED)
		do_feed(c, (uint16_t)(station - 1), arg);
	else
		do_bin(c, (uint16_t)(station - 1), (enum cw_world_bin)arg);
}

static void
first_message(struct client *c, uint8_t type, struct cw_rd *r)
{
	uint16_t station;

	if (type == CW_CT_MACHINE && cw_rd_done(r) == 0) {
		do_machine(c);
		return;
	}
	station = cw_rd_u16(r);
	if (type == CW_CT_ATTACH && cw_rd_done(r) == 0)
		do_attach(c, station);
	else
		refuse(c, CW_EPROTO, "the first message is ATTACH or MACHINE");
}

static void on_timer(uv_timer_t *t);

/* With a speed: true when the answers so far must wait. */
static bool
hold_back(struct client *c)
{
	uint64_t now;

	if (c->srv->cfg.speed <= 0)
		return false;
	now = uv_hrtime();
	if (c->due_ns < now + 1000000)
		return false;
	c->held = true;
	uv_update_time(c->srv->cfg.loop);
	uv_timer_start(&c->timer, on_timer, (c->due_ns - now) / 1000000, 0);
	return true;
}

/* Carries out whole messages until one must wait, then sends in one write. */
static void
work(struct client *c)
{
	size_t off = 0, len;
	struct cw_rd r;

	while (!c->closing && !c->held && c->in_len - off >= CW_CONTACT_HDR) {
		len = (size_t)c->in[off + 2] << 8 | c->in[off + 3];
		if (len > CW_CONTACT_BODY_MAX) {
			refuse(c, CW_ETOOBIG, "message above 4096 bytes");
			return;
		}
		if (c->in_len - off < CW_CONTACT_HDR + len)
			break;
		r = cw_rd_init(c->in + off + CW_CONTACT_HDR, len);
		if (c->role == READER)
			reader_message(c, c->in[off], &r);
		else if (c->role == MACHINE)
			machine_message(c, c->in[off], &r);
		else
			first_message(c, c->in[off], &r);
		off += CW_CONTACT_HDR + len;
		if (!c->closing)
			(void)hold_back(c);
	}
	if (c->closing)
		return;
	memmove(c->in, c->in + off, c->in_len - off);
	c->in_len -= off;
	if (!c->held)
		flush(c);
}

static void on_read(uv_stream_t *st, ssize_t n, const uv_buf_t *b);

static void
on_alloc(uv_handle_t *h, size_t want, uv_buf_t *b)
{
	struct client *c = h->data;

	(void)want;
	*b = uv_buf_init((char *)c->in + c->in_len,
	    (unsigned int)(IN_CAP - c->in_len));
}

static void
on_read(uv_stream_t *st, ssize_t n, const uv_buf_t *b)
{
	struct client *c = st->data;

	(void)b;
	if (n == 0)
		return;
	if (n < 0) {
		drop(c);
		return;
	}
	c->in_len += (size_t)n;
	work(c);

	/* Only while answers are held back can the buffer stay full. */
	if (!c->closing && c->in_len == IN_CAP)
		uv_read_stop(st);
}

static void
on_timer(uv_timer_t *t)
{
	struct client *c = t->data;

	c->held = false;
	flush(c);
	if (c->closing)
		return;
	work(c);
	if (!c->closing && c->in_len < IN_CAP)
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void
on_connection(uv_stream_t *st, int status)
{
	struct cw_contact_srv *s = st->data;
	struct client *c;

	if (status < 0 || (c = calloc(1, sizeof *c)) == NULL)
		return;
	c->srv = s;
	c->clk_hz = CLK_DEFAULT_HZ;
	c->etu_clk = ETU_CLK_RESET;
	c->open_handles = 2;
	c->next = s->first;
	if (s->first != NULL)
		s->first->prev = c;
	s->first = c;
	uv_tcp_init(s->cfg.loop, &c->tcp);
	uv_timer_init(s->cfg.loop, &c->timer);
	c->tcp.data = c;
	c->timer.data = c;
	if (uv_accept(st, (uv_stream_t *)&c->tcp) < 0 ||
	    uv_tcp_nodelay(&c->tcp, 1) < 0 ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		drop(c);
}

static void
on_listener_closed(uv_handle_t *h)
{
	struct cw_contact_srv *s = h->data;

	s->tcp_open = false;
	srv_unref(s);
}

struct cw_contact_srv *
cw_contact_srv_open(const struct cw_contact_srv_config *cfg, char *err,
    size_t err_cap)
{
	struct cw_contact_srv *s;
	struct sockaddr_in a;
	int rc;

	if ((s = calloc(1, sizeof *s)) == NULL ||
	    (s->reader = calloc(cfg->station_cnt, sizeof s->reader[0])) == NULL) {
		snprintf(err, err_cap, "out of memory");
		free(s);
		return NULL;
	}
	s->cfg = *cfg;
	uv_tcp_init(cfg->loop, &s->tcp);
	s->tcp.data = s;
	s->tcp_open = true;
	rc = uv_ip4_addr(cfg->ip, cfg->port, &a);
	if (rc == 0)
		rc = uv_tcp_bind(&s->tcp, (struct sockaddr *)&a, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&s->tcp, 128, on_connection);
	if (rc == 0)
		return s;
	snprintf(err, err_cap, "cannot listen on %s:%u: %s%s", cfg->ip,
	    cfg->port, uv_strerror(rc), rc == UV_EADDRINUSE ?
	    "; stop the program that holds it or choose another --listen" : "");
	cw_contact_srv_close(s);
	return NULL;
}

uint16_t
cw_contact_srv_port(const struct cw_contact_srv *s)
{
	struct sockaddr_in a = { 0 };
	int len = sizeof a;

	(void)uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&a, &len);
	return ntohs(a.sin_port);
}

void
cw_contact_srv_close(struct cw_contact_srv *s)
{
	struct client *c, *next;

	for (c = s->first; c != NULL; c = next) {
		next = c->next;
		drop(c);
	}
	uv_close((uv_handle_t *)&s->tcp, on_listener_closed);
}
