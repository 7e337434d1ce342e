/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "vb_priv.h"

/*
 * W5300, sockets: commands, states, memories (data sheet 1.2.8, 5).  What the
 * chip does on the wire is done by the network of the configuration.  A packet
 * in the RX memory has its size in front (TCP without ALIGN) or its origin and
 * size (UDP) and fills an even number of bytes.
 */
#define SN_MR 0x00
#define SN_PORTR 0x0A
#define SN_DPORTR 0x12
#define SN_DIPR 0x14
#define SN_TX_WRSR 0x20
#define SIPR 0x18
#define SUBR 0x14

#define SSR_CLOSED 0x00
#define SSR_INIT 0x13
#define SSR_LISTEN 0x14
#define SSR_SYNSENT 0x15
#define SSR_ESTABLISHED 0x17
#define SSR_FIN_WAIT 0x18
#define SSR_CLOSE_WAIT 0x1C
#define SSR_LAST_ACK 0x1D
#define SSR_UDP 0x22

#define IR_CON 0x01
#define IR_DISCON 0x02
#define IR_RECV 0x04
#define IR_TIMEOUT 0x08
#define IR_SENDOK 0x10

#define MR_ALIGN 0x0100
#define PROTO_TCP 1
#define PROTO_UDP 2

#define SEGMENT 1460u
#define DATAGRAM 1472u
/* An estimate of a LAN: 100 Mbit/s and a peer that acknowledges at once. */
#define ROUND_TRIP_US 60
#define TICKS_PER_BYTE (CW_VB_HZ / 12500000)
#define AGAIN_US 1000

static uint32_t
reg32(const uint16_t *reg, uint32_t off)
{
	return (uint32_t)reg[off / 2] << 16 | reg[off / 2 + 1];
}

static bool
is_udp(const struct vb_sock *s)
{
	return (s->reg[SN_MR / 2] & 15) == PROTO_UDP;
}

/* Free TX memory: what is written or not acknowledged is not. */
uint32_t
vb_w5300_free(const struct cw_vb *vb, unsigned n)
{
	const struct vb_sock *s = &vb->net.s[n];
	uint32_t cap = vb_w5300_cap(vb, n, true), used = s->tx_len + s->tx_out;

	return used > cap ? 0 : cap - used;
}

static void
look_again(struct cw_vb *vb, uint64_t at)
{
	if (at < vb->timer[VB_T_NET].at)
		vb_timer_at(vb, VB_T_NET, at);
}

void
cw_vb_net_kick(struct cw_vb *vb)
{
	look_again(vb, vb->now);
}

void
vb_w5300_close(struct cw_vb *vb, unsigned n, bool gentle)
{
	struct vb_sock *s = &vb->net.s[n];

	if (s->open && vb->cfg.net != NULL)
		vb->cfg.net->close(vb->cfg.net_ctx, (int)n, gentle);
	s->open = false;
	s->ssr = SSR_CLOSED;
	s->tx_out = s->tx_done = s->tx_len = 0;
	s->sendok_at = s->closed_at = 0;
}

static void
become(struct cw_vb *vb, unsigned n, uint8_t ssr, uint8_t ir)
{
	struct vb_sock *s = &vb->net.s[n];

	s->ssr = ssr;
	s->ir |= ir;
	vb_tracef(vb, "w5300 socket %u ssr=%02x ir=%02x", n, ssr, s->ir);
	vb_w5300_irq(vb);
}

/* ---- commands ------------------------------------------------------------ */

/* The memories of all sockets: 128 KiB, TX blocks first, as MTYPER says. */
static bool
memory_fits(const struct cw_vb *vb)
{
	uint32_t tx = 0, rx = 0;
	unsigned n;

	for (n = 0; n < VB_SOCKS; n++) {
		tx += vb_w5300_cap(vb, n, true) / 1024;
		rx += vb_w5300_cap(vb, n, false) / 1024;
	}
	return tx % 8 == 0 && tx + rx == 128 &&
	    vb->net.reg[0x30 / 2] == (uint16_t)((1u << tx / 8) - 1);
}

static void
cmd_open(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	uint32_t ip = reg32(vb->net.reg, SIPR);

	vb_w5300_close(vb, n, false);
	s->rx_len = s->rx_off = 0;
	s->peer_ended = false;
	if (!memory_fits(vb)) {
		vb_unmodelled(vb, "TX and RX memories are not 128 KiB as MTYPER says");
		return;
	}
	switch (s->reg[SN_MR / 2] & 15) {
	case PROTO_TCP:
		become(vb, n, SSR_INIT, 0);
		break;
	case PROTO_UDP:
		s->open = vb->cfg.net != NULL && vb->cfg.net->udp(vb->cfg.net_ctx,
		    (int)n, ip, s->reg[SN_PORTR / 2]) >= 0;
		become(vb, n, SSR_UDP, 0);
		break;
	default:
		vb_unmodelled(vb, "a protocol other than TCP and UDP");
		break;
	}
}

static void
cmd_listen(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];

	if (s->ssr != SSR_INIT)
		return;
	s->open = vb->cfg.net != NULL && vb->cfg.net->listen(vb->cfg.net_ctx, (int)n,
	    reg32(vb->net.reg, SIPR), s->reg[SN_PORTR / 2]) >= 0;
	become(vb, n, SSR_LISTEN, 0);
	look_again(vb, vb->now + CW_VB_US(ROUND_TRIP_US));
}

static void
cmd_connect(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];

	if (s->ssr != SSR_INIT)
		return;
	s->to.ip = reg32(s->reg, SN_DIPR);
	s->to.port = s->reg[SN_DPORTR / 2];
	s->open = vb->cfg.net != NULL;
	become(vb, n, SSR_SYNSENT, 0);
	look_again(vb, vb->now + CW_VB_US(ROUND_TRIP_US));
}

static void
cmd_send(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	uint32_t len = reg32(s->reg, SN_TX_WRSR);

	if (s->ssr != SSR_ESTABLISHED && s->ssr != SSR_CLOSE_WAIT && s->ssr != SSR_UDP)
		return;
	if (s->tx_out > 0) {
		vb_unmodelled(vb, "SEND before the SENDOK of the one before");
		return;
	}
	if (len == 0 || len > s->tx_len || s->tx_len > len + 1) {
		vb_unmodelled(vb, "TX_WRSR is not what was written to the FIFO");
		return;
	}
	s->to.ip = reg32(s->reg, SN_DIPR);
	s->to.port = s->reg[SN_DPORTR / 2];
	s->tx_out = len;
	s->tx_done = 0;
	s->tx_len = 0;
	s->sendok_at = vb->now + CW_VB_US(ROUND_TRIP_US) + len * TICKS_PER_BYTE;
	look_again(vb, vb->now);
}

static void
cmd_recv(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];

	s->rx_len -= s->rx_off;
	memmove(s->rx, s->rx + s->rx_off, s->rx_len);
	s->rx_off = 0;
	if (s->rx_len > 0)
		become(vb, n, s->ssr, IR_RECV);
	look_again(vb, vb->now);
}

static void
cmd_discon(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];

	if (s->ssr != SSR_ESTABLISHED && s->ssr != SSR_CLOSE_WAIT) {
		vb_w5300_close(vb, n, true);
		return;
	}
	s->closed_at = vb->now + CW_VB_US(2 * ROUND_TRIP_US);
	become(vb, n, s->ssr == SSR_ESTABLISHED ? SSR_FIN_WAIT : SSR_LAST_ACK, 0);
	look_again(vb, s->closed_at);
}

void
vb_w5300_command(struct cw_vb *vb, unsigned n, uint8_t cmd)
{
	switch (cmd) {
	case 0x01: cmd_open(vb, n); break;
	case 0x02: cmd_listen(vb, n); break;
	case 0x04: cmd_connect(vb, n); break;
	case 0x08: cmd_discon(vb, n); break;
	case 0x10:
		vb_w5300_close(vb, n, false);
		become(vb, n, SSR_CLOSED, 0);
		break;
	case 0x20: cmd_send(vb, n); break;
	case 0x22: break;	/* SEND_KEEP: the other side's system does it */
	case 0x40: cmd_recv(vb, n); break;
	default: vb_unmodelled(vb, "command of a socket"); break;
	}
}

/* ---- what comes from the other side -------------------------------------- */

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool
take_packet(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	uint32_t cap = vb_w5300_cap(vb, n, false), most = DATAGRAM;
	uint32_t hdr = is_udp(s) ? 8 : (s->reg[SN_MR / 2] & MR_ALIGN) != 0 ? 0 : 2;
	struct cw_vb_peer from = { 0, 0 };
	uint8_t *p = s->rx + s->rx_len;
	int got;

	if (!is_udp(s)) {
		most = SEGMENT;
		if (s->rx_len + hdr + 2 + most > cap)
			most = s->rx_len + hdr + 2 >= cap ? 0 : cap - s->rx_len - hdr - 2;
		most &= ~1u;
	} else if (s->rx_len + hdr + most > cap) {
		most = 0;
	}
	if (most == 0)
		return false;
	got = vb->cfg.net->recv(vb->cfg.net_ctx, (int)n, p + hdr, most, &from);
	if (got == CW_ECLOSED && !is_udp(s))
		s->peer_ended = true;
	if (got <= 0)
		return false;
	if (hdr == 0 && (got & 1) != 0)
		vb_unmodelled(vb, "a packet of odd size in ALIGN mode");
	if (hdr == 8) {
		put16(p, from.ip >> 16);
		put16(p + 2, from.ip);
		put16(p + 4, from.port);
	}
	if (hdr > 0)
		put16(p + hdr - 2, (uint32_t)got);
	if ((got & 1) != 0)
		p[hdr + (uint32_t)got] = 0;
	s->rx_len += hdr + (((uint32_t)got + 1) & ~1u);
	return true;
}

static void
do_recv(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	bool any = false;

	while (take_packet(vb, n))
		any = true;
	if (any)
		become(vb, n, s->ssr, IR_RECV);
	if (s->peer_ended && s->ssr == SSR_ESTABLISHED)
		become(vb, n, SSR_CLOSE_WAIT, IR_DISCON);
}

static void
do_send(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	int put;

	if (s->tx_out == 0)
		return;
	if (s->tx_done < s->tx_out && vb->net.cable) {
		put = vb->cfg.net->send(vb->cfg.net_ctx, (int)n, s->tx + s->tx_done,
		    s->tx_out - s->tx_done, &s->to);
		if (put > 0)
			s->tx_done += is_udp(s) ? s->tx_out : (uint32_t)put;
		else if (put < 0)
			s->tx_done = s->tx_out;	/* lost; the end of it shows in recv */
	}
	if (s->tx_done < s->tx_out) {
		look_again(vb, vb->now + CW_VB_US(AGAIN_US));
	} else if (vb->now < s->sendok_at) {
		look_again(vb, s->sendok_at);
	} else {
		memmove(s->tx, s->tx + s->tx_out, s->tx_len);
		s->tx_out = s->tx_done = 0;
		become(vb, n, s->ssr, IR_SENDOK);
	}
}

static void
set_peer(struct vb_sock *s, const struct cw_vb_peer *p)
{
	s->reg[SN_DIPR / 2] = (uint16_t)(p->ip >> 16);
	s->reg[SN_DIPR / 2 + 1] = (uint16_t)p->ip;
	s->reg[SN_DPORTR / 2] = p->port;
}

static void
do_connect(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	int got = vb->cfg.net->connect(vb->cfg.net_ctx, (int)n, &s->to);

	if (got > 0) {
		become(vb, n, SSR_ESTABLISHED, IR_CON);
	} else if (got < 0) {
		vb_w5300_close(vb, n, false);
		become(vb, n, SSR_CLOSED, IR_TIMEOUT);
	} else {
		look_again(vb, vb->now + CW_VB_US(AGAIN_US));
	}
}

static void
look(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	struct cw_vb_peer peer;

	if (s->closed_at != 0 && vb->now >= s->closed_at) {
		vb_w5300_close(vb, n, true);
		become(vb, n, SSR_CLOSED, IR_DISCON);
	} else if (s->closed_at != 0) {
		look_again(vb, s->closed_at);
	}
	if (!s->open || !vb->net.cable)
		return;
	if (s->ssr == SSR_LISTEN && vb->cfg.net->accept(vb->cfg.net_ctx, (int)n, &peer)) {
		set_peer(s, &peer);
		become(vb, n, SSR_ESTABLISHED, IR_CON);
	} else if (s->ssr == SSR_SYNSENT) {
		do_connect(vb, n);
	}
	if (s->ssr == SSR_ESTABLISHED || s->ssr == SSR_CLOSE_WAIT || s->ssr == SSR_UDP) {
		do_send(vb, n);
		do_recv(vb, n);
	}
}

void
vb_w5300_fire(struct cw_vb *vb, unsigned arg)
{
	unsigned n;

	(void)arg;
	for (n = 0; n < VB_SOCKS; n++)
		look(vb, n);
}
