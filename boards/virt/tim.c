/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/*
 * Timers (RM0008, 14, 15, 17) as counters: up-counting with prescaler, update
 * and compare events and their interrupts.  Outputs, capture, slave modes and
 * DMA are not modelled and stop the board.  Index 0 is TIM1, 1 to 6 TIM2 to 7,
 * 7 TIM8; the struct array counts the same.
 */
#define CR1_CEN 1u
#define CR1_URS 4u
#define CR1_OPM 8u
#define SR_UIF 1u

static bool
on_apb2(unsigned n)
{
	return n == 0 || n == 7;
}

/* Timers run at twice their bus's clock when that is divided. */
static uint32_t
tim_hz(const struct cw_vb *vb, unsigned n)
{
	uint32_t pclk = on_apb2(n) ? vb->rcc.pclk2_hz : vb->rcc.pclk1_hz;

	return pclk == vb->rcc.hclk_hz ? pclk : 2 * pclk;
}

static uint64_t
count_ticks(const struct cw_vb *vb, unsigned n)
{
	return CW_VB_HZ / tim_hz(vb, n) * (vb->tim[n].psc_now + 1);
}

static uint32_t
counter(const struct cw_vb *vb, unsigned n)
{
	const struct vb_tim *t = &vb->tim[n];
	uint64_t c;

	if ((t->cr1 & CR1_CEN) == 0)
		return t->held;
	c = (vb->now - t->base) / count_ticks(vb, n);
	return (uint32_t)(c > t->arr_now ? t->arr_now : c);
}

static void
look(struct cw_vb *vb, unsigned n)
{
	static const uint8_t irq[8] = { 25, 28, 29, 30, 50, 54, 55, 44 };
	const struct vb_tim *t = &vb->tim[n];
	uint32_t on = t->sr & t->dier;

	if (n == 0 || n == 7) {
		vb_irq(vb, irq[n], (on & 1) != 0);
		vb_irq(vb, n == 0 ? 27 : 46, (on & 0x1E) != 0);
	} else {
		vb_irq(vb, irq[n], (on & 0x1F) != 0);
	}
}

/* The next compare or update at or after a count. */
static void
arm(struct cw_vb *vb, unsigned n, uint32_t from)
{
	struct vb_tim *t = &vb->tim[n];
	uint64_t next = (uint64_t)t->arr_now + 1;
	int i;

	if ((t->cr1 & CR1_CEN) == 0) {
		vb_timer_off(vb, VB_T_TIM1 + n);
		return;
	}
	for (i = 0; i < 4; i++)
		if (t->ccr[i] >= from && t->ccr[i] < next && t->ccr[i] != 0)
			next = t->ccr[i];
	vb_timer_at(vb, VB_T_TIM1 + n, t->base + next * count_ticks(vb, n));
}

static void
update(struct cw_vb *vb, unsigned n, uint64_t at)
{
	struct vb_tim *t = &vb->tim[n];

	t->psc_now = t->psc;
	t->arr_now = t->arr;
	t->base = at;
	t->held = 0;
	if ((t->cr1 & CR1_OPM) != 0)
		t->cr1 &= ~CR1_CEN;
}

void
vb_tim_fire(struct cw_vb *vb, unsigned n)
{
	struct vb_tim *t = &vb->tim[n];
	uint64_t count = (vb->ev_at - t->base) / count_ticks(vb, n);
	int i;

	for (i = 0; i < 4; i++)
		if (count == t->ccr[i])
			t->sr |= 2u << i;
	if (count > t->arr_now) {
		t->sr |= SR_UIF;
		update(vb, n, vb->ev_at);
		for (i = 0; i < 4; i++)
			if (t->ccr[i] == 0)
				t->sr |= 2u << i;
		arm(vb, n, 1);
	} else {
		arm(vb, n, (uint32_t)count + 1);
	}
	look(vb, n);
}

void
vb_tim_reset(struct cw_vb *vb)
{
	unsigned n;

	memset(vb->tim, 0, sizeof vb->tim);
	for (n = 0; n < 8; n++) {
		vb->tim[n].arr = vb->tim[n].arr_now = 0xFFFF;
		look(vb, n);
	}
}

uint32_t
vb_tim_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	const struct vb_tim *t = &vb->tim[idx];

	switch (off) {
	case 0x00: return t->cr1;
	case 0x04: return t->cr2;
	case 0x08: return t->smcr;
	case 0x0C: return t->dier;
	case 0x10: return t->sr;
	case 0x14: return 0;
	case 0x18: case 0x1C: return t->ccmr[(off - 0x18) / 4];
	case 0x20: return t->ccer;
	case 0x24: return counter(vb, idx);
	case 0x28: return t->psc;
	case 0x2C: return t->arr;
	case 0x34: case 0x38: case 0x3C: case 0x40: return t->ccr[(off - 0x34) / 4];
	case 0x44: return t->bdtr;
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

static void
cr1_write(struct cw_vb *vb, unsigned n, uint32_t val)
{
	struct vb_tim *t = &vb->tim[n];
	uint32_t c = counter(vb, n), was = t->cr1;

	if ((val & 0x70) != 0)
		vb_unmodelled(vb, "counting down");
	t->cr1 = val & 0x3FF;
	if ((was & CR1_CEN) != 0 && (val & CR1_CEN) == 0)
		t->held = c;
	if ((was & CR1_CEN) == 0 && (val & CR1_CEN) != 0) {
		t->base = vb->now - t->held * count_ticks(vb, n);
		arm(vb, n, t->held);
	} else if ((val & CR1_CEN) == 0) {
		arm(vb, n, 0);
	}
}

static void
egr_write(struct cw_vb *vb, unsigned n, uint32_t val)
{
	struct vb_tim *t = &vb->tim[n];

	if ((val & ~1u) != 0)
		vb_unmodelled(vb, "events other than UG");
	if ((val & 1) == 0)
		return;
	update(vb, n, vb->now);
	if ((t->cr1 & CR1_URS) == 0)
		t->sr |= SR_UIF;
	arm(vb, n, 1);
}

static void
compare_write(struct cw_vb *vb, unsigned n, uint32_t off, uint32_t val)
{
	vb->tim[n].ccr[(off - 0x34) / 4] = val & 0xFFFF;
	arm(vb, n, counter(vb, n) + 1);
}

void
vb_tim_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_tim *t = &vb->tim[idx];

	switch (off) {
	case 0x00: cr1_write(vb, idx, val); break;
	case 0x0C:
		if ((val & ~0x1Fu) != 0)
			vb_unmodelled(vb, "requests to the DMA and triggers");
		t->dier = val & 0x1F;
		break;
	case 0x10: t->sr &= val; break;
	case 0x14: egr_write(vb, idx, val); break;
	case 0x24:
		t->held = val & 0xFFFF;
		t->base = vb->now - t->held * count_ticks(vb, idx);
		arm(vb, idx, t->held + 1);
		break;
	case 0x28: t->psc = val & 0xFFFF; break;
	case 0x2C:
		t->arr = val & 0xFFFF;
		if ((t->cr1 & 0x80) == 0) {
			t->arr_now = t->arr;
			arm(vb, idx, counter(vb, idx) + 1);
		}
		break;
	case 0x34: case 0x38: case 0x3C: case 0x40: compare_write(vb, idx, off, val); break;
	case 0x04: case 0x08: case 0x18: case 0x1C: case 0x20: case 0x44:
		if (val != 0)
			vb_unmodelled(vb, "outputs, capture and slave modes");
		break;
	default: vb_unmodelled(vb, "register"); break;
	}
	look(vb, idx);
}
