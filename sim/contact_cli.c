/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boards/host/contact.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "host/log.h"
#include "sim/contact_cli.h"

#define RETRY_US 200000
#define BUF_CAP (2 * (CW_CONTACT_HDR + CW_CONTACT_BODY_MAX))

struct cw_contact_cli {
	struct cw_watch watch;
	int epoll_fd;
	struct cw_args_addr to;
	struct cw_contact_cli_cb cb;
	bool connected, complained;
	uint64_t retry_us;
	size_t in_len, out_len;
	uint8_t in[BUF_CAP];
	uint8_t out[BUF_CAP];
};

static void
down(struct cw_contact_cli *c, const char *why)
{
	if (!c->complained)
		cw_log(CW_LOG_WARN, "contacts.down", "at=%s:%u why=\"%s\" "
		    "remedy=\"start cardwright-card or give --contacts\"",
		    c->to.ip, c->to.port, why);
	c->complained = true;
	close(c->watch.fd);
	c->watch.fd = -1;
	c->connected = false;
	c->in_len = c->out_len = 0;
}

static struct cw_wr
message(struct cw_contact_cli *c, uint8_t type, uint16_t len)
{
	struct cw_wr w;

	if (BUF_CAP - c->out_len < (size_t)CW_CONTACT_HDR + len)
		cw_contact_cli_flush(c);
	w = cw_wr_init(c->out + c->out_len, CW_CONTACT_HDR + len);
	cw_wr_u8(&w, type);
	cw_wr_u8(&w, 0);
	cw_wr_u16(&w, len);
	c->out_len += CW_CONTACT_HDR + len;
	return w;
}

void
cw_contact_cli_feed(struct cw_contact_cli *c, uint16_t station,
    uint32_t card_no)
{
	struct cw_wr w;

	if (!c->connected)
		return;
	w = message(c, CW_CT_FEED, 6);
	cw_wr_u16(&w, (uint16_t)(station + 1));
	cw_wr_u32(&w, card_no);
}

void
cw_contact_cli_bin(struct cw_contact_cli *c, uint16_t station, uint8_t bin)
{
	struct cw_wr w;

	if (!c->connected)
		return;
	w = message(c, CW_CT_BIN, 3);
	cw_wr_u16(&w, (uint16_t)(station + 1));
	cw_wr_u8(&w, bin);
}

/*
 * The server reads all the time and a station has one movement at most, so the
 * socket's buffer never fills; if it does, something is wrong with the peer.
 */
void
cw_contact_cli_flush(struct cw_contact_cli *c)
{
	size_t len = c->out_len;

	c->out_len = 0;
	if (c->connected && len > 0 &&
	    send(c->watch.fd, c->out, len, MSG_NOSIGNAL) != (ssize_t)len)
		down(c, "cannot send");
}

static int
handle(struct cw_contact_cli *c, uint8_t type, struct cw_rd *r)
{
	const struct cw_contact_cli_cb *cb = &c->cb;
	uint16_t station = (uint16_t)(cw_rd_u16(r) - 1);
	uint32_t card_no;
	int16_t err;

	switch (type) {
	case CW_CT_FED:
		card_no = cw_rd_u32(r);
		err = (int16_t)cw_rd_u16(r);
		if (cw_rd_done(r) < 0)
			return CW_EPROTO;
		cb->fed(cb->ctx, station, card_no, err);
		return 0;
	case CW_CT_BINNED:
		card_no = cw_rd_u32(r);
		err = cw_rd_u8(r);
		if (cw_rd_done(r) < 0)
			return CW_EPROTO;
		cb->binned(cb->ctx, station, card_no, (uint8_t)err);
		return 0;
	case CW_CT_LOST:
		if (cw_rd_done(r) < 0)
			return CW_EPROTO;
		cb->lost(cb->ctx, station);
		return 0;
	case CW_CT_REFUSED:
		cw_log(CW_LOG_ERROR, "contacts.refused", "why=\"%.*s\"",
		    (int)cw_rd_left(r), (const char *)r->buf + r->off);
		return CW_EDENIED;
	default:
		return CW_EPROTO;
	}
}

static void
receive(struct cw_contact_cli *c)
{
	size_t off = 0, len;
	struct cw_rd r;
	ssize_t n;

	n = recv(c->watch.fd, c->in + c->in_len, BUF_CAP - c->in_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		down(c, "connection ended");
		return;
	}
	c->in_len += (size_t)n;
	while (c->in_len - off >= CW_CONTACT_HDR) {
		len = (size_t)c->in[off + 2] << 8 | c->in[off + 3];
		if (len > CW_CONTACT_BODY_MAX) {
			down(c, "message above 4096 bytes");
			return;
		}
		if (c->in_len - off < CW_CONTACT_HDR + len)
			break;
		r = cw_rd_init(c->in + off + CW_CONTACT_HDR, len);
		if (handle(c, c->in[off], &r) < 0) {
			down(c, "refused, or not the contact link");
			return;
		}
		if (!c->connected)
			return;
		off += CW_CONTACT_HDR + len;
	}
	memmove(c->in, c->in + off, c->in_len - off);
	c->in_len -= off;
}

static void
on_event(struct cw_watch *w, uint32_t events)
{
	struct cw_contact_cli *c = w->ctx;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };
	socklen_t len = sizeof(int);
	int err = 0;

	if (w->fd < 0)
		return;
	if (c->connected) {
		receive(c);
		return;
	}
	(void)events;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ||
	    err != 0) {
		down(c, strerror(err));
		return;
	}
	(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
	c->connected = true;
	c->complained = false;
	(void)message(c, CW_CT_MACHINE, 0);
	cw_log(CW_LOG_INFO, "contacts.up", "at=%s:%u", c->to.ip, c->to.port);
	c->cb.up(c->cb.ctx);
	cw_contact_cli_flush(c);
}

uint64_t
cw_contact_cli_step(struct cw_contact_cli *c, uint64_t now_us)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = &c->watch };
	struct sockaddr_in a = { .sin_family = AF_INET };
	int one = 1;

	if (c->watch.fd >= 0)
		return UINT64_MAX;
	if (now_us < c->retry_us)
		return c->retry_us;
	c->retry_us = now_us + RETRY_US;
	c->watch.fd = socket(AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->watch.fd < 0)
		return c->retry_us;
	(void)setsockopt(c->watch.fd, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof one);
	a.sin_port = htons(c->to.port);
	(void)inet_pton(AF_INET, c->to.ip, &a.sin_addr);
	if (connect(c->watch.fd, (struct sockaddr *)&a, sizeof a) < 0 &&
	    errno != EINPROGRESS) {
		down(c, strerror(errno));
		return c->retry_us;
	}
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->watch.fd, &ev) < 0)
		down(c, strerror(errno));
	return c->retry_us;
}

struct cw_contact_cli *
cw_contact_cli_open(int epoll_fd, const struct cw_args_addr *to,
    const struct cw_contact_cli_cb *cb)
{
	struct cw_contact_cli *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->epoll_fd = epoll_fd;
	c->to = *to;
	c->cb = *cb;
	c->watch = (struct cw_watch){ on_event, c, -1 };
	return c;
}

void
cw_contact_cli_close(struct cw_contact_cli *c)
{
	if (c == NULL)
		return;
	if (c->watch.fd >= 0)
		close(c->watch.fd);
	free(c);
}
