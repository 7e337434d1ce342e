/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/*
 * USART1 to 3 with smartcard mode, UART4 and 5 (RM0008, 27), character by
 * character.  USART1 to 3 are the card lines 0 to 2, UART4 is the console.
 *
 * A character starts at the next edge of the bit clock, which runs from UE on.
 * In smartcard mode the line falls half a bit later; start, eight bits, parity
 * and 1.5 stop bits make it 12 etu from leading edge to leading edge when the
 * next one is in DR by 11.5.  The receiver hears it too, at the 17th sample of
 * the stop bits, 11 1/16 etu, and with it the card's error signal (FE).  TC comes
 * GT bits after the end; whether GT also stands between characters that follow
 * at once, RM0008 does not say: the configuration chooses (gt_chars).
 */
#define SR_PE (1u << 0)
#define SR_FE (1u << 1)
#define SR_ORE (1u << 3)
#define SR_IDLE (1u << 4)
#define SR_RXNE (1u << 5)
#define SR_TC (1u << 6)
#define SR_TXE (1u << 7)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_IDLEIE (1u << 4)
#define CR1_RXNEIE (1u << 5)
#define CR1_TCIE (1u << 6)
#define CR1_TXEIE (1u << 7)
#define CR1_PEIE (1u << 8)
#define CR1_PCE (1u << 10)
#define CR1_M (1u << 12)
#define CR1_UE (1u << 13)
#define CR3_EIE (1u << 0)
#define CR3_HDSEL (1u << 3)
#define CR3_NACK (1u << 4)
#define CR3_SCEN (1u << 5)
#define CR3_DMAR (1u << 6)
#define CR3_DMAT (1u << 7)

#define CONSOLE 3

static const struct {
	uint8_t irq, dma, rx_ch, tx_ch;
} wiring[VB_USARTS] = {
	{ 37, 0, 5, 4 }, { 38, 0, 6, 7 }, { 39, 0, 3, 2 }, { 52, 1, 3, 5 }, { 53, 0, 0, 0 },
};

static bool
is_card(const struct cw_vb *vb, unsigned n)
{
	return n < CW_VB_SLOTS && (vb->usart[n].cr3 & (CR3_SCEN | CR3_HDSEL)) != 0;
}

uint32_t
vb_usart_pclk(const struct cw_vb *vb, unsigned n)
{
	return n == 0 ? vb->rcc.pclk2_hz : vb->rcc.pclk1_hz;
}

/* Ticks of a bit; 0 while the rate is not set. */
static uint64_t
bit_ticks(const struct cw_vb *vb, unsigned n)
{
	return vb->usart[n].brr * (CW_VB_HZ / vb_usart_pclk(vb, n));
}

/* From the falling edge to the end, in half bits. */
static unsigned
frame_halves(const struct vb_usart *u)
{
	static const uint8_t stop[] = { 2, 1, 4, 3 };

	return 2 + ((u->cr1 & CR1_M) != 0 ? 18 : 16) + stop[u->cr2 >> 12 & 3];
}

/* From the falling edge to the sample that decides, in 1/16 of a bit. */
unsigned
vb_usart_sample(const struct cw_vb *vb, unsigned n)
{
	const struct vb_usart *u = &vb->usart[n];
	static const uint8_t stop[] = { 9, 5, 9, 17 };

	return 16u * ((u->cr1 & CR1_M) != 0 ? 10 : 9) + stop[u->cr2 >> 12 & 3];
}

static void
requests(struct cw_vb *vb, unsigned n)
{
	struct vb_usart *u = &vb->usart[n];

	if (wiring[n].tx_ch == 0)
		return;
	if ((u->cr3 & CR3_DMAT) != 0 && (u->sr & SR_TXE) != 0 && (u->cr1 & CR1_TE) != 0)
		vb_dma_request(vb, wiring[n].dma, wiring[n].tx_ch);
	if ((u->cr3 & CR3_DMAR) != 0 && (u->sr & SR_RXNE) != 0)
		vb_dma_request(vb, wiring[n].dma, wiring[n].rx_ch);
}

void
vb_usart_requests(struct cw_vb *vb)
{
	unsigned n;

	for (n = 0; n < VB_USARTS; n++)
		requests(vb, n);
}

static void
look(struct cw_vb *vb, unsigned n)
{
	struct vb_usart *u = &vb->usart[n];
	bool on = ((u->sr & SR_TXE) != 0 && (u->cr1 & CR1_TXEIE) != 0) ||
	    ((u->sr & SR_TC) != 0 && (u->cr1 & CR1_TCIE) != 0) ||
	    ((u->sr & (SR_RXNE | SR_ORE)) != 0 && (u->cr1 & CR1_RXNEIE) != 0) ||
	    ((u->sr & SR_IDLE) != 0 && (u->cr1 & CR1_IDLEIE) != 0) ||
	    ((u->sr & SR_PE) != 0 && (u->cr1 & CR1_PEIE) != 0) ||
	    ((u->sr & (SR_FE | SR_ORE)) != 0 && (u->cr3 & CR3_EIE) != 0 &&
	    (u->cr3 & CR3_DMAR) != 0);

	vb_irq(vb, wiring[n].irq, on && (u->cr1 & CR1_UE) != 0);
	requests(vb, n);
}

/* ---- sending ------------------------------------------------------------- */

static void
start_char(struct cw_vb *vb, unsigned n, uint64_t at)
{
	struct vb_usart *u = &vb->usart[n];
	uint64_t bit = bit_ticks(vb, n);

	if (bit == 0) {
		vb_unmodelled(vb, "a character is sent before BRR is set");
		return;
	}
	u->shift = u->dr_tx;
	u->sending = true;
	u->nacked = false;
	u->sr |= SR_TXE;
	at = u->phase + (at - u->phase + bit - 1) / bit * bit;
	if ((u->cr3 & CR3_SCEN) != 0)
		at += bit / 2;
	u->tx_start = at;
	vb_timer_off(vb, VB_T_TC0 + n);
	if (is_card(vb, n)) {
		vb_timer_at(vb, VB_T_EDGE0 + n, at);
		vb_timer_at(vb, VB_T_RX0 + n, at + bit * vb_usart_sample(vb, n) / 16);
	}
	vb_timer_at(vb, VB_T_TX0 + n, at + bit * frame_halves(u) / 2);
}

/* A pin that is not given to the USART shows nothing of it. */
static bool
on_the_line(const struct cw_vb *vb, unsigned n)
{
	static const uint8_t pins[][6] = CW_BOARD_SLOT_PINS;
	unsigned io = pins[n][0];
	uint32_t mode = vb->gpio[io / 16].cr[io % 16 / 8] >> io % 8 * 4 & 0xF;

	return (mode & 8) != 0 && (mode & 3) != 0;
}

/* The line falls. */
void
vb_usart_edge_fire(struct cw_vb *vb, unsigned n)
{
	if (on_the_line(vb, n))
		vb_card_edge(vb, n);
}

/* What was heard of our character: by the card, and by our own receiver. */
static void
heard(struct cw_vb *vb, unsigned n)
{
	struct vb_usart *u = &vb->usart[n];

	if (!on_the_line(vb, n))
		return;
	u->nacked = !vb_card_sent(vb, n, u->shift);
	if ((u->cr1 & CR1_RE) != 0)
		vb_usart_rx(vb, n, u->shift, u->nacked ? SR_FE : 0);
}

static void
next_char(struct cw_vb *vb, unsigned n)
{
	struct vb_usart *u = &vb->usart[n];
	uint64_t gt = 0;

	if ((u->cr3 & CR3_SCEN) != 0)
		gt = (u->gtpr >> 8 & 0xFF) * bit_ticks(vb, n);
	if ((u->sr & SR_TXE) == 0) {
		if (gt > 0 && vb->cfg.gt_chars)
			vb_timer_at(vb, VB_T_TC0 + n, vb->ev_at + gt);
		else
			start_char(vb, n, vb->ev_at);
	} else if (gt > 0) {
		vb_timer_at(vb, VB_T_TC0 + n, vb->ev_at + gt);
	} else {
		u->sr |= SR_TC;
	}
}

void
vb_usart_tx_fire(struct cw_vb *vb, unsigned n)
{
	struct vb_usart *u = &vb->usart[n];
	uint8_t c = (uint8_t)u->shift;

	u->sending = false;
	if (n == CONSOLE && vb->cfg.console != NULL)
		vb->cfg.console(vb->cfg.ctx, &c, 1);
	next_char(vb, n);
	look(vb, n);
}

/* GT is over. */
void
vb_usart_tc_fire(struct cw_vb *vb, unsigned n)
{
	struct vb_usart *u = &vb->usart[n];

	if ((u->sr & SR_TXE) == 0)
		start_char(vb, n, vb->ev_at);
	else
		u->sr |= SR_TC;
	look(vb, n);
}

static void
dr_write(struct cw_vb *vb, unsigned n, uint32_t val)
{
	struct vb_usart *u = &vb->usart[n];

	if ((u->cr1 & (CR1_UE | CR1_TE)) != (CR1_UE | CR1_TE)) {
		vb_unmodelled(vb, "a character for a transmitter that is off");
		return;
	}
	if ((u->sr & SR_TXE) == 0)
		vb_tracef(vb, "usart%u a character was overwritten", n + 1);
	u->dr_tx = val & 0x1FF;
	u->sr &= ~(SR_TXE | SR_TC);
	if (!u->sending && vb->timer[VB_T_TC0 + n].at == CW_VB_NEVER)
		start_char(vb, n, vb->now);
	else if (!u->sending && !vb->cfg.gt_chars)
		start_char(vb, n, vb->now);
	look(vb, n);
}

/* ---- receiving ----------------------------------------------------------- */

void
vb_usart_rx(struct cw_vb *vb, unsigned n, uint16_t ch, uint32_t flags)
{
	struct vb_usart *u = &vb->usart[n];

	if ((u->cr1 & (CR1_UE | CR1_RE)) != (CR1_UE | CR1_RE))
		return;
	if ((u->sr & SR_RXNE) != 0) {
		u->sr |= SR_ORE;
	} else {
		u->dr_rx = ch;
		u->sr |= SR_RXNE;
	}
	u->sr |= flags;
	/* One frame of silence after this one. */
	vb_timer_at(vb, VB_T_IDLE0 + n,
	    vb->ev_at + bit_ticks(vb, n) * frame_halves(u) / 2);
	look(vb, n);
}

void
vb_usart_idle_fire(struct cw_vb *vb, unsigned n)
{
	vb->usart[n].sr |= SR_IDLE;
	look(vb, n);
}

/* Console: the next character that waits. */
static void
console_next(struct cw_vb *vb, uint64_t from)
{
	struct vb_usart *u = &vb->usart[CONSOLE];
	uint64_t bit = bit_ticks(vb, CONSOLE);

	if (u->in_off < u->in_len && bit != 0 &&
	    (u->cr1 & (CR1_UE | CR1_RE)) == (CR1_UE | CR1_RE) &&
	    vb->timer[VB_T_RX0 + CONSOLE].at == CW_VB_NEVER)
		vb_timer_at(vb, VB_T_RX0 + CONSOLE, from + bit * 10);
}

void
vb_usart_rx_fire(struct cw_vb *vb, unsigned n)
{
	struct vb_usart *u = &vb->usart[n];

	if (n < CW_VB_SLOTS) {
		heard(vb, n);
	} else if (n == CONSOLE && u->in_off < u->in_len) {
		vb_usart_rx(vb, n, u->in[u->in_off++], 0);
		console_next(vb, vb->ev_at);
	}
}

size_t
cw_vb_console_put(struct cw_vb *vb, const uint8_t *buf, size_t len)
{
	struct vb_usart *u = &vb->usart[CONSOLE];
	size_t room;

	memmove(u->in, u->in + u->in_off, (size_t)(u->in_len - u->in_off));
	u->in_len = (uint16_t)(u->in_len - u->in_off);
	u->in_off = 0;
	room = sizeof u->in - u->in_len;
	if (len > room)
		len = room;
	memcpy(u->in + u->in_len, buf, len);
	u->in_len = (uint16_t)(u->in_len + len);
	console_next(vb, vb->now);
	return len;
}

/* ---- registers ----------------------------------------------------------- */

void
vb_usart_reset(struct cw_vb *vb)
{
	unsigned n;

	for (n = 0; n < VB_USARTS; n++) {
		struct vb_usart *u = &vb->usart[n];

		u->sr = SR_TXE | SR_TC;
		u->brr = u->cr1 = u->cr2 = u->cr3 = u->gtpr = 0;
		u->dr_rx = u->dr_tx = u->shift = 0;
		u->sending = u->sr_read = u->nacked = false;
		vb->nvic.level[wiring[n].irq] = false;
	}
}

uint32_t
vb_usart_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	struct vb_usart *u = &vb->usart[idx];
	uint32_t v = 0;

	switch (off) {
	case 0x00:
		u->sr_read = true;
		return u->sr;
	case 0x04:
		/* SR then DR: clears the errors and IDLE too. */
		v = u->dr_rx;
		u->sr &= ~SR_RXNE;
		if (u->sr_read)
			u->sr &= ~(SR_PE | SR_FE | SR_ORE | SR_IDLE);
		u->sr_read = false;
		look(vb, idx);
		return v;
	case 0x08: return u->brr;
	case 0x0C: return u->cr1;
	case 0x10: return u->cr2;
	case 0x14: return u->cr3;
	case 0x18: return u->gtpr;
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

void
vb_usart_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_usart *u = &vb->usart[idx];

	if (idx >= 3 && ((off == 0x14 && (val & (CR3_SCEN | CR3_NACK)) != 0) ||
	    off == 0x18)) {
		vb_unmodelled(vb, "UART4 and 5 have no smartcard mode");
		return;
	}
	switch (off) {
	case 0x00:
		/* RXNE and TC are cleared by a 0, the others are not written. */
		u->sr &= val | ~(SR_RXNE | SR_TC);
		break;
	case 0x04:
		/* A read of SR before a write of DR clears TC; done by the write. */
		u->sr_read = false;
		dr_write(vb, idx, val);
		return;
	case 0x08:
		u->brr = val & 0xFFFF;
		u->phase = vb->now;
		break;
	case 0x0C:
		if ((val & 3) != 0)
			vb_unmodelled(vb, "break and mute mode");
		if ((val & ~u->cr1 & CR1_UE) != 0)
			u->phase = vb->now;
		u->cr1 = val & 0x3FFF;
		break;
	case 0x10: u->cr2 = val & 0x7F6F; break;
	case 0x14: u->cr3 = val & 0x7FF; break;
	case 0x18: u->gtpr = val & 0xFFFF; break;
	default: vb_unmodelled(vb, "register"); return;
	}
	if (idx < CW_VB_SLOTS && off >= 0x08)
		vb_card_clock(vb, idx);
	if (idx == CONSOLE)
		console_next(vb, vb->now);
	look(vb, idx);
}
