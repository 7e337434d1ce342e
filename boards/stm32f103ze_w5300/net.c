/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "boards/chip/w5300/w5300.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "net_private.h"

/*
 * The terminal's connections.  The first CW_NET_TCP sockets listen at the
 * reader's port until somebody connects; the core decides who may stay.
 *
 *	LISTEN --CON--> OPEN --core closes--> DRAIN --all acknowledged--> ENDING
 *	OPEN --peer or network ends--> ENDING --CLOSED--> LISTEN
 *	ENDING --END_US--> FLUSH (erratum 1) or LISTEN
 *
 * Erratum 1 of the chip: a TCP socket that is closed with bytes in its memory
 * sends them to the next peer, unless a datagram has gone out of it between.
 */
#define KEEP_S 10u
#define END_US 2000000u

enum conn_state { CONN_DOWN, CONN_LISTEN, CONN_OPEN, CONN_DRAIN, CONN_ENDING, CONN_FLUSH };

struct conn {
	enum conn_state state;
	int id;			/* CW_NET_TCP * generation + socket */
	bool opened, readable, ended, told_room, want_room, sending;
	uint64_t end_us;
	uint32_t out_off, out_len;
};

struct cw_w5300 cw_net_chip;
bool cw_net_alive;
static struct conn conns[CW_NET_TCP];
static CW_XRAM uint8_t out_mem[CW_NET_TCP][CW_NET_OUT];
static uint8_t rx[CW_NET_RX];	/* what CW_EV_NET_DATA lends */
static size_t rx_len;
static uint32_t looked_ms;
static bool cable;

static void
conn_listen(uint32_t n)
{
	struct conn *c = &conns[n];

	memset(out_mem[n], 0, c->out_off + c->out_len);
	c->out_off = c->out_len = 0;
	c->opened = c->readable = c->ended = c->told_room = false;
	c->want_room = c->sending = false;
	c->id += (int)CW_NET_TCP;
	if (c->id < 0)
		c->id = (int)n;
	c->state = cw_w5300_listen(&cw_net_chip, n, CW_RLINK_PORT, KEEP_S) == 0 ?
	    CONN_LISTEN : CONN_DOWN;
}

/* The connection is over for the core; the socket still has to end it. */
static void
conn_end(uint32_t n, uint64_t now_us)
{
	cw_w5300_discon(n);
	conns[n].state = CONN_ENDING;
	conns[n].end_us = now_us + END_US;
}

/* Hands the chip what waits, when it has sent what it was given before. */
static void
conn_pump(uint32_t n)
{
	struct conn *c = &conns[n];
	uint32_t len, room;

	if (c->sending || c->out_len == 0)
		return;
	room = cw_w5300_room(n);
	len = c->out_len < room ? c->out_len : room;
	if (len == 0)
		return;
	cw_w5300_send(n, &out_mem[n][c->out_off], len);
	cw_wipe(&out_mem[n][c->out_off], len);
	c->sending = true;
	c->out_len -= len;
	c->out_off = c->out_len == 0 ? 0 : c->out_off + len;
	if (c->out_len == 0 && c->want_room) {
		c->want_room = false;
		c->told_room = true;
	}
}

static void
conn_events(uint32_t n)
{
	struct conn *c = &conns[n];
	uint16_t ev = cw_w5300_events(n);

	if ((ev & CW_W5300_EV_CON) != 0 && c->state == CONN_LISTEN) {
		c->state = CONN_OPEN;
		c->opened = true;
	}
	if ((ev & CW_W5300_EV_RECV) != 0)
		c->readable = true;
	if ((ev & CW_W5300_EV_SENDOK) != 0)
		c->sending = false;
	if ((ev & CW_W5300_EV_TIMEOUT) != 0 && c->state == CONN_FLUSH)
		conn_listen(n);
	else if ((ev & (CW_W5300_EV_TIMEOUT | CW_W5300_EV_DISCON)) != 0)
		c->ended = c->state == CONN_OPEN;
}

/* What only time or the socket's state tells; once a millisecond and after
 * events. */
static void
conn_step(uint32_t n, uint64_t now_us)
{
	struct conn *c = &conns[n];
	uint8_t state = cw_w5300_state(n);
	static const struct cw_w5300_peer nobody = { { 0, 0, 0, 1 }, 0x3000 };

	switch (c->state) {
	case CONN_DOWN:
		conn_listen(n);
		break;
	case CONN_LISTEN:
		if (state == CW_W5300_CLOSED)
			conn_listen(n);
		break;
	case CONN_OPEN:
		if (state == CW_W5300_CLOSED || state == CW_W5300_CLOSE_WAIT)
			c->ended = true;
		conn_pump(n);
		break;
	case CONN_DRAIN:
		conn_pump(n);
		if (state != CW_W5300_ESTABLISHED || now_us >= c->end_us ||
		    (c->out_len == 0 && cw_w5300_drained(&cw_net_chip, n)))
			conn_end(n, now_us);
		break;
	case CONN_ENDING:
		if (state != CW_W5300_CLOSED && now_us < c->end_us)
			break;
		if (cw_w5300_drained(&cw_net_chip, n)) {
			conn_listen(n);
			break;
		}
		if (cw_w5300_udp_open(&cw_net_chip, n, nobody.port) == 0)
			cw_w5300_udp_send(n, &nobody, (const uint8_t *)"", 1);
		c->state = CONN_FLUSH;
		c->end_us = now_us + END_US;
		break;
	case CONN_FLUSH:
		if (now_us >= c->end_us)
			conn_listen(n);
		break;
	}
}

static struct conn *
conn_find(int id)
{
	struct conn *c;

	if (id < 0)
		return NULL;
	c = &conns[(uint32_t)id % CW_NET_TCP];
	return c->id == id && c->state == CONN_OPEN ? c : NULL;
}

static int
net_send(void *dev, int id, const uint8_t *buf, size_t len)
{
	struct conn *c = conn_find(id);
	uint32_t n = (uint32_t)(c - conns);

	(void)dev;
	if (c == NULL)
		return CW_ECLOSED;
	if (c->out_len == 0 && !c->sending && len <= cw_w5300_room(n)) {
		cw_w5300_send(n, buf, len);
		c->sending = true;
		return (int)len;
	}
	if (c->out_len + len > CW_NET_OUT) {
		c->want_room = true;
		return 0;
	}
	if (c->out_off + c->out_len + len > CW_NET_OUT) {
		memmove(out_mem[n], &out_mem[n][c->out_off], c->out_len);
		c->out_off = 0;
	}
	memcpy(&out_mem[n][c->out_off + c->out_len], buf, len);
	c->out_len += (uint32_t)len;
	return (int)len;
}

static void
net_close(void *dev, int id)
{
	struct conn *c = conn_find(id);

	(void)dev;
	if (c == NULL)
		return;
	c->opened = c->readable = c->ended = c->told_room = c->want_room = false;
	c->state = CONN_DRAIN;
	c->end_us = cw_stm_now_us() + END_US;
}

const struct cw_net_ops cw_board_net_ops = { net_send, net_close };

/* In the order in which they happened: opened, data, room, ended. */
static bool
conn_event(uint32_t n, struct cw_event *ev, uint64_t now_us)
{
	struct conn *c = &conns[n];

	ev->conn = c->id;
	if (c->opened) {
		c->opened = false;
		ev->kind = CW_EV_NET_OPEN;
		return true;
	}
	if (c->readable && c->state == CONN_OPEN) {
		rx_len = cw_w5300_recv(&cw_net_chip, n, rx, sizeof rx);
		if (rx_len > 0) {
			ev->kind = CW_EV_NET_DATA;
			ev->buf = rx;
			ev->len = rx_len;
			return true;
		}
		c->readable = false;
	}
	if (c->told_room) {
		c->told_room = false;
		ev->kind = CW_EV_NET_ROOM;
		return true;
	}
	if (c->ended) {
		conn_end(n, now_us);
		c->ended = false;
		ev->kind = CW_EV_NET_CLOSED;
		return true;
	}
	return false;
}

static void
look_at_cable(void)
{
	bool in = !cw_stm_pin_get(CW_BOARD_W5300_LINK);

	if (in != cable)
		cw_board_log(2, in ? "net.link state=up" : "net.link state=down");
	cable = in;
}

bool
cw_net_poll(struct cw_event *ev, uint64_t now_us)
{
	bool ticked = cw_stm_ms != looked_ms;
	uint8_t pending;
	uint32_t n;

	if (!cw_net_alive)
		return false;
	if (rx_len > 0) {
		cw_wipe(rx, rx_len);
		rx_len = 0;
	}
	pending = cw_stm_pin_get(CW_BOARD_W5300_INT) ? 0 : cw_w5300_pending();
	looked_ms = cw_stm_ms;
	if (ticked)
		look_at_cable();
	for (n = 0; n < CW_NET_TCP; n++) {
		if ((pending >> n & 1u) != 0)
			conn_events(n);
		if (ticked || (pending >> n & 1u) != 0)
			conn_step(n, now_us);
	}
	if (ticked || pending >> CW_NET_TCP != 0)
		cw_net_addr_step(pending, now_us);
	if ((pending >> CW_NET_SOCK_SCAN & 1u) != 0)
		cw_net_scan_step(now_us);
	for (n = 0; n < CW_NET_TCP; n++)
		if (conn_event(n, ev, now_us))
			return true;
	return false;
}

void
cw_net_irq(void)
{
	CW_EXTI->pr = 1u << CW_BOARD_W5300_INT % 16;
	cw_board_awake = true;
}

bool
cw_net_cable(void)
{
	return cable;
}

/* /RESET low for 2 us at least, then 10 ms until its PLL is locked. */
static void
chip_reset(void)
{
	cw_stm_pin_set(CW_BOARD_W5300_RESET, false);
	cw_stm_pin(CW_BOARD_W5300_RESET, CW_STM_OUT);
	cw_stm_spin_us(10);
	cw_stm_pin_set(CW_BOARD_W5300_RESET, true);
	cw_stm_spin_us(12000);
}

int
cw_net_start(const uint8_t mac[6])
{
	struct cw_w5300_config c = {
		.tx_kib = { 8, 8, 8, 0, 0, 0, 4, 4 },
		.rx_kib = { 28, 28, 28, 0, 0, 0, 6, 6 },
		.retry_100us = 2000, .retry_cnt = 5,
	};
	uint32_t n, line = CW_BOARD_W5300_INT % 16;
	int err;

	memcpy(c.mac, mac, sizeof c.mac);
	cw_stm_pin_set(CW_BOARD_W5300_INT, true);
	cw_stm_pin(CW_BOARD_W5300_INT, CW_STM_IN_PULL);
	cw_stm_pin_set(CW_BOARD_W5300_LINK, true);
	cw_stm_pin(CW_BOARD_W5300_LINK, CW_STM_IN_PULL);
	chip_reset();
	err = cw_w5300_start(&cw_net_chip, &c);
	if (err < 0)
		return err;
	for (n = 0; n < CW_NET_TCP; n++)
		conns[n].id = (int)n;
	CW_AFIO->exticr[line / 4] |= CW_BOARD_W5300_INT / 16 << line % 4 * 4;
	CW_EXTI->ftsr |= 1u << line;
	CW_EXTI->imr |= 1u << line;
	cw_stm_irq_on(CW_IRQ_EXTI9_5, CW_STM_PRIO_SLOW);
	cw_net_scan_start();
	cw_net_alive = true;
	return 0;
}
