/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/* Private peripheral bus (ARM DDI 0403, B3): SCB, SysTick, NVIC; and DWT. */

#define SYST_ENABLE 1u
#define SYST_TICKINT 2u
#define SYST_CLKSOURCE 4u
#define SYST_COUNTFLAG (1u << 16)

void
vb_nvic_reset(struct cw_vb *vb)
{
	bool level[VB_IRQ_CNT];

	memcpy(level, vb->nvic.level, sizeof level);
	memset(&vb->nvic, 0, sizeof vb->nvic);
	memset(&vb->systick, 0, sizeof vb->systick);
	vb->systick.zero_at = CW_VB_NEVER;
	vb->dwt.ctrl = 0x40000000;
	vb->nvic.aircr = 0xFA050000;
}

/* ---- SysTick ------------------------------------------------------------- */

static uint64_t
syst_ticks(const struct cw_vb *vb)
{
	return (vb->systick.ctrl & SYST_CLKSOURCE) != 0 ? vb->tpc : vb->tpc * 8u;
}

static void
syst_arm(struct cw_vb *vb, uint64_t from, uint32_t count)
{
	struct vb_systick *s = &vb->systick;

	if ((s->ctrl & SYST_ENABLE) == 0 || count == 0) {
		s->zero_at = CW_VB_NEVER;
		vb_timer_off(vb, VB_T_SYSTICK);
		return;
	}
	s->zero_at = from + (uint64_t)count * syst_ticks(vb);
	vb_timer_at(vb, VB_T_SYSTICK, s->zero_at);
}

void
vb_systick_fire(struct cw_vb *vb, unsigned arg)
{
	struct vb_systick *s = &vb->systick;

	(void)arg;
	s->count_flag = true;
	syst_arm(vb, vb->ev_at, s->load == 0 ? 0 : s->load + 1);
	if ((s->ctrl & SYST_TICKINT) != 0)
		vb_exc_pend(vb, 15);
}

static uint32_t
syst_value(const struct cw_vb *vb)
{
	const struct vb_systick *s = &vb->systick;

	if (s->zero_at == CW_VB_NEVER || s->zero_at <= vb->now)
		return 0;
	return (uint32_t)((s->zero_at - vb->now) / syst_ticks(vb)) & 0xFFFFFF;
}

static uint32_t
syst_read(struct cw_vb *vb, uint32_t off)
{
	struct vb_systick *s = &vb->systick;
	uint32_t v;

	switch (off) {
	case 0x10:
		v = s->ctrl | (s->count_flag ? SYST_COUNTFLAG : 0);
		s->count_flag = false;
		return v;
	case 0x14:
		return s->load;
	case 0x18:
		return syst_value(vb);
	default:
		return 9000;	/* CALIB of RM0008, 10.1 */
	}
}

static void
syst_write(struct cw_vb *vb, uint32_t off, uint32_t val)
{
	struct vb_systick *s = &vb->systick;
	uint32_t was = s->ctrl;

	if (off == 0x10) {
		s->ctrl = val & 7;
		if ((was & SYST_ENABLE) == 0 || ((was ^ val) & SYST_CLKSOURCE) != 0 ||
		    (val & SYST_ENABLE) == 0)
			syst_arm(vb, vb->now, s->load);
	} else if (off == 0x14) {
		s->load = val & 0xFFFFFF;
	} else if (off == 0x18) {
		s->count_flag = false;
		syst_arm(vb, vb->now, s->load);
	}
}

/* ---- NVIC ---------------------------------------------------------------- */

static uint32_t
bits_read(const bool *flag, unsigned word)
{
	uint32_t v = 0;
	unsigned i, n;

	for (i = 0; i < 32; i++) {
		n = word * 32 + i;
		if (n < VB_IRQ_CNT && flag[16 + n])
			v |= 1u << i;
	}
	return v;
}

static void
bits_write(bool *flag, unsigned word, uint32_t val, bool to)
{
	unsigned i, n;

	for (i = 0; i < 32; i++) {
		n = word * 32 + i;
		if (n < VB_IRQ_CNT && (val >> i & 1) != 0)
			flag[16 + n] = to;
	}
}

static uint32_t
prio_read(const struct cw_vb *vb, int first)
{
	uint32_t v = 0;
	int i;

	for (i = 3; i >= 0; i--)
		v = v << 8 | (first + i < VB_EXC_CNT ? vb->nvic.prio[first + i] : 0);
	return v;
}

static void
prio_write(struct cw_vb *vb, int first, uint32_t val)
{
	unsigned keep = vb->acc.size < 4 ? vb->acc.size : 4, i, lane;

	/* Bytes may be written alone. */
	for (i = 0; i < keep; i++) {
		lane = (vb->acc.addr & 3) + i;
		if (first + (int)lane < VB_EXC_CNT)
			vb->nvic.prio[first + (int)lane] = (uint8_t)(val >> (8 * lane)) & 0xF0;
	}
	vb->irq_check = true;
}

static uint32_t
nvic_read(struct cw_vb *vb, uint32_t off)
{
	struct vb_nvic *n = &vb->nvic;

	if (off >= 0x400 && off < 0x400 + 64)
		return prio_read(vb, 16 + (int)(off - 0x400));
	switch (off & ~7u) {
	case 0x100: case 0x180:
		return bits_read(n->enabled, off >> 2 & 1);
	case 0x200: case 0x280:
		return bits_read(n->pending, off >> 2 & 1);
	case 0x300:
		return bits_read(n->active, off >> 2 & 1);
	default:
		vb_unmodelled(vb, "NVIC register");
		return 0;
	}
}

static void
nvic_write(struct cw_vb *vb, uint32_t off, uint32_t val)
{
	struct vb_nvic *n = &vb->nvic;
	unsigned i;

	if (off >= 0x400 && off < 0x400 + 64) {
		prio_write(vb, 16 + (int)(off - 0x400), val);
		return;
	}
	switch (off & ~7u) {
	case 0x100: case 0x180:
		bits_write(n->enabled, off >> 2 & 1, val, (off & 0x80) == 0);
		break;
	case 0x200: case 0x280:
		bits_write(n->pending, off >> 2 & 1, val, (off & 0x80) == 0);
		/* A line that is still up pends again. */
		for (i = 0; i < VB_IRQ_CNT; i++)
			if (n->level[i] && !n->active[16 + i])
				n->pending[16 + i] = true;
		break;
	default:
		vb_unmodelled(vb, "NVIC register");
		return;
	}
	vb->irq_check = true;
}

/* ---- SCB ----------------------------------------------------------------- */

static uint32_t
icsr_read(const struct cw_vb *vb)
{
	const struct vb_nvic *n = &vb->nvic;
	uint32_t v = vb_reg(vb, UC_ARM_REG_XPSR) & 0x1FF;
	int i;

	for (i = 2; i < VB_EXC_CNT; i++) {
		if (!n->pending[i])
			continue;
		if ((v >> 12 & 0x1FF) == 0)
			v |= (uint32_t)i << 12;
		if (i >= 16)
			v |= 1u << 22;
	}
	return v | (n->pending[14] ? 1u << 28 : 0) | (n->pending[15] ? 1u << 26 : 0) |
	    (n->pending[2] ? 1u << 31 : 0);
}

static void
icsr_write(struct cw_vb *vb, uint32_t val)
{
	if ((val & 1u << 27) != 0)
		vb->nvic.pending[14] = false;
	if ((val & 1u << 25) != 0)
		vb->nvic.pending[15] = false;
	if ((val & 1u << 28) != 0)
		vb_exc_pend(vb, 14);
	if ((val & 1u << 26) != 0)
		vb_exc_pend(vb, 15);
	if ((val & 1u << 31) != 0)
		vb_exc_pend(vb, 2);
}

static void
aircr_write(struct cw_vb *vb, uint32_t val)
{
	if (val >> 16 != 0x05FA)
		return;
	vb->nvic.aircr = 0xFA050000 | (val & 0x700);
	if ((val & 4) != 0)
		vb_ask_reset(vb, 1u << 28);	/* SFTRSTF */
	vb->irq_check = true;
}

static uint32_t
scb_read(struct cw_vb *vb, uint32_t off)
{
	struct vb_nvic *n = &vb->nvic;

	switch (off) {
	case 0xD00: return 0x411FC231;	/* Cortex-M3 r1p1 */
	case 0xD04: return icsr_read(vb);
	case 0xD08: return n->vtor;
	case 0xD0C: return n->aircr;
	case 0xD10: return n->scr;
	case 0xD14: return n->ccr;
	case 0xD18: case 0xD1C: case 0xD20: return prio_read(vb, (int)(off - 0xD14));
	case 0xD24: return n->shcsr;
	case 0xD28: return n->cfsr;
	case 0xD2C: return n->hfsr;
	case 0xD30: return 0;
	case 0xD34: return n->mmfar;
	case 0xD38: return n->bfar;
	case 0xD90: return 0;		/* MPU_TYPE: none */
	case 0xDF0: return 0;		/* DHCSR: no debugger */
	case 0xDFC: return n->demcr;
	default:
		vb_unmodelled(vb, "SCB register");
		return 0;
	}
}

static void
scb_write(struct cw_vb *vb, uint32_t off, uint32_t val)
{
	struct vb_nvic *n = &vb->nvic;

	switch (off) {
	case 0xD04: icsr_write(vb, val); break;
	case 0xD08:
		if ((val & 0x1FF) != 0)
			vb_trap(vb, "VTOR %08x is not aligned for 76 vectors", val);
		n->vtor = val & 0x3FFFFF80;
		break;
	case 0xD0C: aircr_write(vb, val); break;
	case 0xD10: n->scr = val & 0x16; break;
	case 0xD14: n->ccr = val & 0x31B; break;
	case 0xD18: case 0xD1C: case 0xD20: prio_write(vb, (int)(off - 0xD14), val); break;
	case 0xD24: n->shcsr = val & 0x70000; break;
	case 0xD28: n->cfsr &= ~val; break;
	case 0xD2C: n->hfsr &= ~val; break;
	case 0xD30: break;
	case 0xDFC: n->demcr = val; break;
	default: vb_unmodelled(vb, "SCB register"); break;
	}
}

uint32_t
vb_ppb_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	(void)idx;
	if (off == 0x04)
		return 1;	/* ICTR */
	if (off >= 0x10 && off < 0x20)
		return syst_read(vb, off);
	return off < 0xD00 ? nvic_read(vb, off) : scb_read(vb, off);
}

void
vb_ppb_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	(void)idx;
	if (off >= 0x10 && off < 0x20)
		syst_write(vb, off, val);
	else if (off == 0xF00)
		vb_exc_pend(vb, 16 + (int)(val & 0xFF) % VB_IRQ_CNT);
	else if (off < 0xD00)
		nvic_write(vb, off, val);
	else
		scb_write(vb, off, val);
}

/* ---- DWT: the cycle counter stands while the core sleeps ------------------- */

uint32_t
vb_dwt_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	(void)idx;
	if (off == 0)
		return vb->dwt.ctrl;
	if (off == 4)
		return (vb->dwt.ctrl & 1) != 0 ? (uint32_t)vb->cycles - vb->dwt.offset : 0;
	vb_unmodelled(vb, "DWT register");
	return 0;
}

void
vb_dwt_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	(void)idx;
	if (off == 0)
		vb->dwt.ctrl = 0x40000000 | (val & 1);
	else if (off == 4)
		vb->dwt.offset = (uint32_t)vb->cycles - val;
	else if (off != 0xFB0)	/* LAR */
		vb_unmodelled(vb, "DWT register");
}
