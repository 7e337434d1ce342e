/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/* DMA1 and 2 (RM0008, 13).  A request is served at once; memory to memory runs
 * a burst at a time, as the bus would let it. */

#define CCR_EN 1u
#define CCR_TCIE 2u
#define CCR_HTIE 4u
#define CCR_TEIE 8u
#define CCR_DIR (1u << 4)
#define CCR_CIRC (1u << 5)
#define CCR_PINC (1u << 6)
#define CCR_MINC (1u << 7)
#define CCR_M2M (1u << 14)
#define BURST 16
#define BURST_CYCLES 5		/* per element, memory to memory: an estimate */

/* ch counts from 0: RM0008, table 63. */
static int
dma_irq(unsigned d, unsigned ch)
{
	if (d == 0)
		return 11 + (int)ch;
	return ch < 3 ? 56 + (int)ch : 59;
}

static void
look(struct cw_vb *vb, unsigned d)
{
	struct vb_dma *m = &vb->dma[d];
	unsigned c, n = d == 0 ? 7 : 5;
	bool level[7], on;

	for (c = 0; c < n; c++)
		level[c] = (m->isr >> (4 * c) & 0xE & m->ch[c].ccr) != 0;
	for (c = 0; c < n; c++) {
		on = level[c];
		if (d == 1 && c >= 3)
			on = level[3] || level[4];	/* channels 4 and 5 share one */
		vb_irq(vb, d == 1 && c >= 3 ? 59 : dma_irq(d, c), on);
	}
}

static void
element(struct cw_vb *vb, unsigned d, unsigned c)
{
	struct vb_dma *m = &vb->dma[d];
	struct vb_dma_ch *ch = &m->ch[c];
	unsigned psize = 1u << (ch->ccr >> 8 & 3), msize = 1u << (ch->ccr >> 10 & 3);
	uint32_t p = ch->cpar + ((ch->ccr & CCR_PINC) != 0 ? ch->at * psize : 0);
	uint32_t q = ch->cmar + ((ch->ccr & CCR_MINC) != 0 ? ch->at * msize : 0);

	uint32_t at = ++ch->at, left = --ch->cndtr;

	/* The write may ask for the next element at once: an empty DR does. */
	if ((ch->ccr & CCR_DIR) != 0)
		vb_bus_write(vb, p, psize, vb_bus_read(vb, q, msize));
	else
		vb_bus_write(vb, q, msize, vb_bus_read(vb, p, psize));
	if (at == (ch->reload + 1) / 2)
		m->isr |= 5u << (4 * c);
	if (left == 0) {
		m->isr |= 3u << (4 * c);
		if ((ch->ccr & CCR_CIRC) != 0) {
			ch->cndtr = ch->reload;
			ch->at = 0;
		}
	}
}

void
vb_dma_request(struct cw_vb *vb, unsigned dma, unsigned ch)
{
	struct vb_dma_ch *c = &vb->dma[dma].ch[ch - 1];

	if ((c->ccr & (CCR_EN | CCR_M2M)) != CCR_EN || c->cndtr == 0)
		return;
	element(vb, dma, ch - 1);
	look(vb, dma);
}

static bool
copying(const struct vb_dma_ch *ch)
{
	return (ch->ccr & (CCR_EN | CCR_M2M)) == (CCR_EN | CCR_M2M) && ch->cndtr > 0;
}

void
vb_dma_fire(struct cw_vb *vb, unsigned arg)
{
	unsigned d, c, i, left = 0;

	(void)arg;
	for (d = 0; d < 2; d++) {
		for (c = 0; c < 7; c++) {
			struct vb_dma_ch *ch = &vb->dma[d].ch[c];

			for (i = 0; i < BURST && copying(ch); i++)
				element(vb, d, c);
			left += copying(ch);
		}
		look(vb, d);
	}
	if (left > 0)
		vb_timer_at(vb, VB_T_DMA, vb->ev_at + (uint64_t)vb->tpc * BURST *
		    BURST_CYCLES * left);
}

void
vb_dma_reset(struct cw_vb *vb)
{
	memset(vb->dma, 0, sizeof vb->dma);
	look(vb, 0);
	look(vb, 1);
}

uint32_t
vb_dma_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	struct vb_dma *m = &vb->dma[idx];
	struct vb_dma_ch *ch;

	if (off == 0)
		return m->isr;
	if (off == 4)
		return 0;
	if (off >= 8 + 20 * (idx == 0 ? 7u : 5u)) {
		vb_unmodelled(vb, "register");
		return 0;
	}
	ch = &m->ch[(off - 8) / 20];
	switch ((off - 8) % 20) {
	case 0: return ch->ccr;
	case 4: return ch->cndtr;
	case 8: return ch->cpar;
	case 12: return ch->cmar;
	default: return 0;
	}
}

static void
ccr_write(struct cw_vb *vb, unsigned d, unsigned c, uint32_t val)
{
	struct vb_dma_ch *ch = &vb->dma[d].ch[c];
	bool on = (val & ~ch->ccr & CCR_EN) != 0;

	ch->ccr = val & 0x7FFF;
	if (on) {
		ch->at = 0;
		ch->reload = ch->cndtr;
		if (copying(ch))
			vb_timer_at(vb, VB_T_DMA, vb->now + vb->tpc);
		else
			vb_usart_requests(vb);
	}
}

void
vb_dma_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_dma *m = &vb->dma[idx];
	unsigned c = (off - 8) / 20;
	struct vb_dma_ch *ch;
	uint32_t i;

	if (off == 4) {
		for (i = 0; i < 7; i++)
			if ((val >> (4 * i) & 1) != 0)
				val |= 0xFu << (4 * i);
		m->isr &= ~val;
		/* GIF goes with the last of its flags. */
		for (i = 0; i < 7; i++)
			if ((m->isr >> (4 * i) & 0xE) == 0)
				m->isr &= ~(1u << (4 * i));
		look(vb, idx);
		return;
	}
	if (off < 8 || c >= (idx == 0 ? 7u : 5u)) {
		vb_unmodelled(vb, "register");
		return;
	}
	ch = &m->ch[c];
	if ((off - 8) % 20 != 0 && (ch->ccr & CCR_EN) != 0) {
		vb_unmodelled(vb, "a channel's address or count while it runs");
		return;
	}
	switch ((off - 8) % 20) {
	case 0: ccr_write(vb, idx, c, val); break;
	case 4: ch->cndtr = val & 0xFFFF; break;
	case 8: ch->cpar = val; break;
	case 12: ch->cmar = val; break;
	default: break;
	}
	look(vb, idx);
}
