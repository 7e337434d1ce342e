/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/*
 * W5300, registers (data sheet 1.2.8, 4).  16-bit direct mode.  Sockets and
 * their memory are in w5300_sock.c.
 */
#define MR 0x000
#define IR 0x002
#define IMR 0x004
#define TMS 0x020
#define RMS 0x028
#define MTYPER 0x030
#define IDR 0x0FE
#define PLL_MS 10		/* 5.1: after /RESET */

#define MR_DBW 0x8000u
#define MR_FS 0x0100u
#define MR_RST 0x0080u
#define MR_UNMODELLED 0x002Du	/* MT, PPPoE, DBS, IND */

#define SN_MR 0x00
#define SN_CR 0x02
#define SN_IR 0x06
#define SN_SSR 0x08
#define SN_TX_FSR 0x24
#define SN_RX_RSR 0x28
#define SN_TX_FIFOR 0x2E
#define SN_RX_FIFOR 0x30

static void
defaults(struct cw_vb *vb)
{
	struct vb_w5300 *w = &vb->net;
	unsigned n;

	for (n = 0; n < VB_SOCKS; n++) {
		uint8_t *rx = w->s[n].rx, *tx = w->s[n].tx;

		vb_w5300_close(vb, n, false);
		memset(&w->s[n], 0, sizeof w->s[n]);
		w->s[n].rx = rx;
		w->s[n].tx = tx;
		w->s[n].reg[4 / 2] = 0xFF;
	}
	memset(w->reg, 0, sizeof w->reg);
	w->reg[MR / 2] = MR_DBW | 0x3800;
	w->reg[0x1C / 2] = 2000;
	w->reg[0x1E / 2] = 8;
	for (n = 0; n < 4; n++)
		w->reg[TMS / 2 + n] = w->reg[RMS / 2 + n] = 0x0808;
	w->reg[MTYPER / 2] = 0x00FF;
	vb_w5300_irq(vb);
}

void
vb_w5300_power(struct cw_vb *vb)
{
	vb->net.in_reset = true;
	defaults(vb);
}

/* The chip keeps its state when only the controller is reset: its own /RESET
 * hangs on a pin. */
void
vb_w5300_reset(struct cw_vb *vb)
{
	vb_w5300_irq(vb);
	vb_w5300_pins(vb);
	vb_timer_at(vb, VB_T_NET, vb->now);
}

void
vb_w5300_pins(struct cw_vb *vb)
{
	bool low = !vb_pin(vb, CW_BOARD_W5300_RESET);

	if (low && !vb->net.in_reset)
		defaults(vb);
	if (!low && vb->net.in_reset)
		vb->net.ready_at = vb->now + CW_VB_MS(PLL_MS);
	vb->net.in_reset = low;
	vb_pin_drive(vb, CW_BOARD_W5300_LINK, vb->net.cable && !low ? 0 : 1);
}

void
cw_vb_cable(struct cw_vb *vb, bool in)
{
	vb->net.cable = in;
	vb_w5300_pins(vb);
	vb_timer_at(vb, VB_T_NET, vb->now);
}

static uint16_t
common_ir(const struct cw_vb *vb)
{
	uint16_t v = vb->net.reg[IR / 2] & 0xF000;
	unsigned n;

	for (n = 0; n < VB_SOCKS; n++)
		if ((vb->net.s[n].ir & vb->net.s[n].reg[4 / 2]) != 0)
			v |= (uint16_t)(1u << n);
	return v;
}

/* /INT stays low while something unmasked is set. */
void
vb_w5300_irq(struct cw_vb *vb)
{
	bool on = (common_ir(vb) & vb->net.reg[IMR / 2]) != 0;

	vb_pin_drive(vb, CW_BOARD_W5300_INT, on ? 0 : -1);
}

uint32_t
vb_w5300_cap(const struct cw_vb *vb, unsigned n, bool tx)
{
	uint16_t pair = vb->net.reg[(tx ? TMS : RMS) / 2 + n / 2];
	uint32_t kib = (n & 1) == 0 ? pair >> 8 : pair & 0xFF;

	return (kib > 64 ? 64 : kib) * 1024;
}

/* ---- FIFOs: the first byte is the high one, unless MR.FS swaps them --------- */

static uint16_t
swapped(const struct cw_vb *vb, uint16_t v)
{
	if ((vb->net.reg[MR / 2] & MR_FS) != 0)
		v = (uint16_t)(v << 8 | v >> 8);
	return v;
}

static uint16_t
rx_pop(struct cw_vb *vb, unsigned n)
{
	struct vb_sock *s = &vb->net.s[n];
	uint16_t v;

	if (s->rx_off + 2 > s->rx_len) {
		vb_unmodelled(vb, "RX FIFO read beyond what is there");
		return 0;
	}
	v = (uint16_t)(s->rx[s->rx_off] << 8 | s->rx[s->rx_off + 1]);
	s->rx_off += 2;
	return swapped(vb, v);
}

static void
tx_push(struct cw_vb *vb, unsigned n, uint16_t v)
{
	struct vb_sock *s = &vb->net.s[n];

	if (s->tx_len + s->tx_out + 2 > vb_w5300_cap(vb, n, true) + 1) {
		vb_unmodelled(vb, "TX FIFO written beyond its memory");
		return;
	}
	v = swapped(vb, v);
	if (s->tx_len + s->tx_out + 2 <= VB_SOCK_MEM) {
		s->tx[s->tx_out + s->tx_len] = (uint8_t)(v >> 8);
		s->tx[s->tx_out + s->tx_len + 1] = (uint8_t)v;
	}
	s->tx_len += 2;
}

/* ---- registers ----------------------------------------------------------- */

static uint32_t
sock_read(struct cw_vb *vb, unsigned n, uint32_t off)
{
	const struct vb_sock *s = &vb->net.s[n];
	uint32_t fsr = vb_w5300_free(vb, n);

	switch (off) {
	case SN_CR: return 0;		/* taken at once */
	case SN_IR: return s->ir;
	case SN_SSR: return s->ssr;
	case SN_TX_FSR: return fsr >> 16;
	case SN_TX_FSR + 2: return fsr & 0xFFFF;
	case SN_RX_RSR: return s->rx_len >> 16;
	case SN_RX_RSR + 2: return s->rx_len & 0xFFFF;
	case SN_RX_FIFOR: return rx_pop(vb, n);
	default:
		if (off < 0x2E)
			return s->reg[off / 2];
		vb_unmodelled(vb, "register of a socket");
		return 0;
	}
}

static void
sock_write(struct cw_vb *vb, unsigned n, uint32_t off, uint16_t val)
{
	struct vb_sock *s = &vb->net.s[n];

	switch (off) {
	case SN_CR: vb_w5300_command(vb, n, (uint8_t)val); break;
	case SN_IR:
		s->ir &= (uint8_t)~val;
		break;
	case SN_TX_FIFOR: tx_push(vb, n, val); break;
	case SN_SSR: case SN_TX_FSR: case SN_TX_FSR + 2: case SN_RX_RSR:
	case SN_RX_RSR + 2: case SN_RX_FIFOR:
		vb_unmodelled(vb, "a register that is only read");
		break;
	default:
		if (off < 0x2E)
			s->reg[off / 2] = val;
		else
			vb_unmodelled(vb, "register of a socket");
		break;
	}
	vb_w5300_irq(vb);
}

static void
mr_write(struct cw_vb *vb, uint16_t val)
{
	if ((val & MR_UNMODELLED) != 0) {
		vb_unmodelled(vb, "indirect mode, bus swap, PPPoE, memory test");
		return;
	}
	if ((val & MR_RST) != 0) {
		defaults(vb);
		return;
	}
	vb->net.reg[MR / 2] = MR_DBW | (val & 0x7D10);
}

static bool
answers(struct cw_vb *vb)
{
	if (vb->net.in_reset || vb->now < vb->net.ready_at) {
		vb_unmodelled(vb, "the W5300 is in reset or its PLL not locked");
		return false;
	}
	return true;
}

uint32_t
vb_w5300_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	(void)idx;
	if (!answers(vb))
		return 0;
	if (off >= 0x200)
		return sock_read(vb, (off - 0x200) / 0x40, off & 0x3F);
	if (off == IR)
		return common_ir(vb);
	if (off == IDR)
		return 0x5300;
	if (off < 0x80)
		return vb->net.reg[off / 2];
	vb_unmodelled(vb, "register");
	return 0;
}

void
vb_w5300_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	(void)idx;
	if (!answers(vb))
		return;
	if (off >= 0x200) {
		sock_write(vb, (off - 0x200) / 0x40, off & 0x3F, (uint16_t)val);
		return;
	}
	if (off == MR) {
		mr_write(vb, (uint16_t)val);
	} else if (off == IR) {
		vb->net.reg[IR / 2] &= (uint16_t)~val;
	} else if (off < 0x80) {
		vb->net.reg[off / 2] = (uint16_t)val;
	} else {
		vb_unmodelled(vb, "register");
	}
	vb_w5300_irq(vb);
}
