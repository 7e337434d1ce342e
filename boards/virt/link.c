/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boards/host/contact.h"
#include "cw/bytes.h"
#include "link.h"

/* Contact link, asked and answered at once. */
#define RETRY_MS 200
#define ANSWER_MS 5000
#define FIFO 4080
#define KEEP 512

struct cw_vb_link {
	struct sockaddr_in addr;
	uint16_t station;
	int fd;
	uint64_t retry_ms;
	bool present, changed, garbled;
	uint8_t rx[CW_CONTACT_HDR + CW_CONTACT_BODY_MAX];
	size_t rx_len;
	uint8_t fifo[FIFO];
	size_t fifo_len, fifo_off;
	uint16_t bad;
	uint8_t keep[KEEP];
	size_t kept;
};

struct cw_vb_link *
cw_vb_link_open(const struct sockaddr_in *addr, uint16_t station)
{
	struct cw_vb_link *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->addr = *addr;
	l->station = station;
	l->fd = -1;
	return l;
}

static void
lost(struct cw_vb_link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->changed = l->changed || l->present;
	l->present = false;
	l->rx_len = l->fifo_len = l->fifo_off = l->kept = 0;
}

void
cw_vb_link_close(struct cw_vb_link *l)
{
	if (l == NULL)
		return;
	lost(l);
	cw_wipe(l, sizeof *l);
	free(l);
}

int
cw_vb_link_fd(const struct cw_vb_link *l)
{
	return l->fd;
}

/* ---- messages ------------------------------------------------------------ */

static void
put(struct cw_vb_link *l, const uint8_t *buf, size_t len)
{
	ssize_t n;

	while (l->fd >= 0 && len > 0) {
		n = send(l->fd, buf, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			lost(l);
			return;
		}
		buf += n;
		len -= (size_t)n;
	}
}

static size_t
msg(uint8_t *to, uint8_t type, const uint8_t *body, size_t len)
{
	to[0] = type;
	to[1] = 0;
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	if (len > 0)
		memcpy(to + CW_CONTACT_HDR, body, len);
	return CW_CONTACT_HDR + len;
}

/* Reads once; false when nothing came in time or the link is lost. */
static bool
fill(struct cw_vb_link *l, int wait_ms)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	ssize_t n;
	int e;

	if (l->fd < 0)
		return false;
	do
		e = poll(&p, 1, wait_ms);
	while (e < 0 && errno == EINTR);
	if (e == 0 && wait_ms == 0)
		return false;
	n = e <= 0 ? 0 : recv(l->fd, l->rx + l->rx_len, sizeof l->rx - l->rx_len, 0);
	if (n <= 0) {
		lost(l);
		return false;
	}
	l->rx_len += (size_t)n;
	return true;
}

/* Takes one whole message off; its type, or 0. */
static uint8_t
next(struct cw_vb_link *l, uint8_t *body, size_t *len)
{
	size_t n;
	uint8_t type;

	if (l->rx_len < CW_CONTACT_HDR)
		return 0;
	n = (size_t)(l->rx[2] << 8 | l->rx[3]);
	if (n > CW_CONTACT_BODY_MAX) {
		lost(l);
		return 0;
	}
	if (l->rx_len < CW_CONTACT_HDR + n)
		return 0;
	type = l->rx[0];
	memcpy(body, l->rx + CW_CONTACT_HDR, n);
	*len = n;
	l->rx_len -= CW_CONTACT_HDR + n;
	memmove(l->rx, l->rx + CW_CONTACT_HDR + n, l->rx_len);
	if (type == CW_CT_PRESENT && n == 1) {
		l->changed = l->changed || l->present != (body[0] != 0);
		l->present = body[0] != 0;
	} else if (type == CW_CT_REFUSED) {
		lost(l);
	}
	return type;
}

/* The next message that is not a PRESENT, or 0 when the link was lost. */
static uint8_t
answer(struct cw_vb_link *l, uint8_t *body, size_t *len)
{
	uint8_t type;

	do {
		while ((type = next(l, body, len)) == 0)
			if (!fill(l, ANSWER_MS))
				return 0;
	} while (type == CW_CT_PRESENT);
	return type;
}

static void
try_connect(struct cw_vb_link *l)
{
	uint8_t buf[8], body[2] = { (uint8_t)(l->station >> 8), (uint8_t)l->station };
	int one = 1;

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return;
	if (connect(l->fd, (const struct sockaddr *)&l->addr, sizeof l->addr) < 0) {
		lost(l);
		return;
	}
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	put(l, buf, msg(buf, CW_CT_ATTACH, body, 2));
}

bool
cw_vb_link_tick(struct cw_vb_link *l, uint64_t now_ms)
{
	uint8_t body[CW_CONTACT_BODY_MAX];
	size_t len;
	bool was;

	if (l->fd < 0 && now_ms >= l->retry_ms) {
		l->retry_ms = now_ms + RETRY_MS;
		try_connect(l);
	}
	while (fill(l, 0))
		while (next(l, body, &len) != 0)
			;
	was = l->changed;
	l->changed = false;
	return was;
}

/* ---- contacts ------------------------------------------------------------ */

static void
forget(struct cw_vb_link *l)
{
	cw_wipe(l->fifo, sizeof l->fifo);
	l->fifo_len = l->fifo_off = 0;
	l->bad = 0;
	l->garbled = false;
}

static void
link_power(void *ctx, uint32_t vcc_mv)
{
	struct cw_vb_link *l = ctx;
	uint8_t buf[16], b[4], body[CW_CONTACT_BODY_MAX];
	struct cw_wr w = cw_wr_init(b, sizeof b);
	size_t len;

	forget(l);
	l->kept = 0;
	cw_wr_u32(&w, vcc_mv);
	put(l, buf, msg(buf, CW_CT_POWER, b, w.len));
	answer(l, body, &len);
}

static void
link_reset(void *ctx, bool asserted)
{
	struct cw_vb_link *l = ctx;
	uint8_t buf[8], b = asserted;

	forget(l);
	put(l, buf, msg(buf, CW_CT_RESET, &b, 1));
}

static void
link_line(void *ctx, uint32_t clk_hz, uint32_t etu_clk)
{
	struct cw_vb_link *l = ctx;
	uint8_t buf[16], b[10];
	struct cw_wr w = cw_wr_init(b, sizeof b);

	cw_wr_u32(&w, clk_hz);
	cw_wr_u32(&w, etu_clk);
	cw_wr_u16(&w, 12);
	put(l, buf, msg(buf, CW_CT_LINE, b, w.len));
}

/* What T=1 kept. */
static void
flush(struct cw_vb_link *l)
{
	uint8_t buf[CW_CONTACT_HDR + KEEP], body[CW_CONTACT_BODY_MAX];
	size_t len;

	if (l->kept == 0)
		return;
	put(l, buf, msg(buf, CW_CT_CHARS, l->keep, l->kept));
	cw_wipe(buf, sizeof buf);
	cw_wipe(l->keep, sizeof l->keep);
	l->kept = 0;
	answer(l, body, &len);
}

static bool
link_take(void *ctx, uint8_t ch, bool signals)
{
	struct cw_vb_link *l = ctx;
	uint8_t buf[16], body[CW_CONTACT_BODY_MAX];
	size_t len = 0;
	uint8_t type;

	if (!signals) {
		if (l->kept == KEEP)
			flush(l);
		l->keep[l->kept++] = ch;
		return true;
	}
	flush(l);
	put(l, buf, msg(buf, CW_CT_CHARS, &ch, 1));
	type = answer(l, body, &len);
	return type != CW_CT_TAKEN || len < 2 || body[1] == 1;
}

static void
ask(struct cw_vb_link *l)
{
	uint8_t buf[16], b[6], body[CW_CONTACT_BODY_MAX];
	struct cw_wr w = cw_wr_init(b, sizeof b);
	size_t len = 0;
	uint8_t type;

	cw_wr_u16(&w, FIFO);
	cw_wr_u32(&w, UINT32_MAX);
	put(l, buf, msg(buf, CW_CT_LISTEN, b, w.len));
	type = answer(l, body, &len);
	forget(l);
	if (type == CW_CT_RXCHARS && len > 6 && len - 6 <= FIFO) {
		l->bad = (uint16_t)(body[4] << 8 | body[5]);
		memcpy(l->fifo, body + 6, len - 6);
		l->fifo_len = len - 6;
	} else if (type == CW_CT_PARITY) {
		l->garbled = true;
	}
	cw_wipe(body, len);
}

static void
link_listen(void *ctx, uint32_t wait_etu, struct cw_vb_said *said)
{
	struct cw_vb_link *l = ctx;

	(void)wait_etu;
	said->heard = CW_VB_SILENT;
	said->busy_etu = 0;
	flush(l);
	if (l->fifo_off == l->fifo_len)
		ask(l);
	if (l->fifo_off < l->fifo_len) {
		said->heard = l->bad > 0 ? CW_VB_WRONG : CW_VB_CHAR;
		if (l->bad > 0)
			l->bad--;
		said->ch = l->fifo[l->fifo_off++];
	} else if (l->garbled) {
		said->heard = CW_VB_GARBLED;
		said->ch = 0x55;
	}
}

static bool
link_present(void *ctx)
{
	return ((struct cw_vb_link *)ctx)->present;
}

const struct cw_vb_contact_ops cw_vb_link_ops = {
	link_power, link_reset, link_line, link_take, link_listen, link_present,
};
