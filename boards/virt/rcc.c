/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/* Reset and clock control (RM0008, 7): frequencies are worked out of the
 * registers, and limits of the data sheet stop the board. */

#define HSI_HZ 8000000u
#define HSE_MS 2		/* data sheet: 2 ms, typically */
#define PLL_US 200		/* lock time, at most */
#define LSI_US 85

#define CR_HSION (1u << 0)
#define CR_HSEON (1u << 16)
#define CR_PLLON (1u << 24)

static uint32_t
apb_div(uint32_t v)
{
	return v < 4 ? 1 : 2u << (v - 4);
}

static uint32_t
ahb_div(uint32_t v)
{
	if (v < 8)
		return 1;
	return v < 12 ? 2u << (v - 8) : 64u << (v - 12);
}

static uint32_t
pll_hz(const struct vb_rcc *r)
{
	uint32_t mul = (r->cfgr >> 18 & 15) + 2, in = HSI_HZ / 2;

	if (mul > 16)
		mul = 16;
	if ((r->cfgr >> 16 & 1) != 0)
		in = CW_BOARD_HSE_HZ / ((r->cfgr >> 17 & 1) + 1);
	return in * mul;
}

static uint32_t
switched(const struct vb_rcc *r)
{
	switch (r->cfgr & 3) {
	case 1: return CW_BOARD_HSE_HZ;
	case 2: return pll_hz(r);
	default: return HSI_HZ;
	}
}

static void
check_limits(struct cw_vb *vb)
{
	const struct vb_rcc *r = &vb->rcc;
	uint32_t ws = vb->flash.acr & 7, need = (r->hclk_hz - 1) / 24000000;

	if (r->hclk_hz > 72000000 || r->pclk1_hz > 36000000)
		vb_trap(vb, "HCLK %u Hz, PCLK1 %u Hz: more than 72 and 36 MHz",
		    r->hclk_hz, r->pclk1_hz);
	else if (ws < need)
		vb_trap(vb, "HCLK %u Hz wants %u wait states of the flash, %u are set",
		    r->hclk_hz, need, ws);
}

void
vb_clock_changed(struct cw_vb *vb)
{
	struct vb_rcc *r = &vb->rcc;

	r->sysclk_hz = switched(r);
	r->hclk_hz = r->sysclk_hz / ahb_div(r->cfgr >> 4 & 15);
	r->pclk1_hz = r->hclk_hz / apb_div(r->cfgr >> 8 & 7);
	r->pclk2_hz = r->hclk_hz / apb_div(r->cfgr >> 11 & 7);
	vb->tpc = (uint32_t)((CW_VB_HZ + r->hclk_hz / 2) / r->hclk_hz);
	vb->refill = 2 + (vb->flash.acr & 7);
	check_limits(vb);
}

void
vb_rcc_reset(struct cw_vb *vb)
{
	struct vb_rcc *r = &vb->rcc;
	uint32_t csr = r->csr, bdcr = r->bdcr;

	memset(r, 0, sizeof *r);
	r->csr = csr & 0xFC000000;
	r->bdcr = bdcr;
	r->cr = 0x83;
	r->ahbenr = 0x14;
	vb->flash.acr = 0x30;
	vb_clock_changed(vb);
}

static uint32_t
cr_read(const struct cw_vb *vb)
{
	const struct vb_rcc *r = &vb->rcc;
	uint32_t v = r->cr | (r->cr & CR_HSION) << 1;

	if ((r->cr & CR_HSEON) != 0 && vb->now >= r->hse_at)
		v |= CR_HSEON << 1;
	if ((r->cr & CR_PLLON) != 0 && vb->now >= r->pll_at)
		v |= CR_PLLON << 1;
	return v;
}

static void
cr_write(struct cw_vb *vb, uint32_t val)
{
	struct vb_rcc *r = &vb->rcc;
	uint32_t was = r->cr;

	r->cr = (val & 0x010D00F9) | (was & 0x0000FF00);
	if ((val & ~was & CR_HSEON) != 0)
		r->hse_at = vb->now + CW_VB_MS(HSE_MS);
	if ((val & ~was & CR_PLLON) != 0) {
		r->pll_at = vb->now + CW_VB_US(PLL_US);
		if ((r->cfgr >> 16 & 1) != 0 && (cr_read(vb) >> 17 & 1) == 0)
			vb_trap(vb, "PLL switched on before its source is ready");
	}
}

static void
cfgr_write(struct cw_vb *vb, uint32_t val)
{
	struct vb_rcc *r = &vb->rcc;
	uint32_t cr = cr_read(vb);

	if (((val ^ r->cfgr) & 0x3F0000) != 0 && (r->cr & CR_PLLON) != 0)
		vb_unmodelled(vb, "PLL settings while the PLL runs");
	if (((val & 3) == 1 && (cr & CR_HSEON << 1) == 0) ||
	    ((val & 3) == 2 && (cr & CR_PLLON << 1) == 0) || (val & 3) == 3)
		vb_unmodelled(vb, "switch to a clock that is not ready");
	r->cfgr = val & 0x07FFFFF3;
	vb_clock_changed(vb);
}

uint32_t
vb_rcc_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	const struct vb_rcc *r = &vb->rcc;

	(void)idx;
	switch (off) {
	case 0x00: return cr_read(vb);
	case 0x04: return r->cfgr | (r->cfgr & 3) << 2;
	case 0x08: return r->cir;
	case 0x0C: case 0x10: return 0;
	case 0x14: return r->ahbenr;
	case 0x18: return r->apb2enr;
	case 0x1C: return r->apb1enr;
	case 0x20: return r->bdcr;
	case 0x24:
		return r->csr | ((r->csr & 1) != 0 && vb->now >= r->lsi_at ? 2 : 0);
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

void
vb_rcc_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_rcc *r = &vb->rcc;

	(void)idx;
	switch (off) {
	case 0x00: cr_write(vb, val); break;
	case 0x04: cfgr_write(vb, val); break;
	case 0x08: r->cir = val & 0x1F00; break;
	case 0x0C: case 0x10:
		if (val != 0)
			vb_unmodelled(vb, "reset of a device by RCC");
		break;
	case 0x14: r->ahbenr = val; break;
	case 0x18: r->apb2enr = val; break;
	case 0x1C: r->apb1enr = val; break;
	case 0x20: r->bdcr = val & 0x18305; break;
	case 0x24:
		if ((val & 1) != 0 && (r->csr & 1) == 0)
			r->lsi_at = vb->now + CW_VB_US(LSI_US);
		r->csr = (r->csr & 0xFC000000) | (val & 1);
		if ((val & 1u << 24) != 0)
			r->csr &= 1;	/* RMVF */
		break;
	default: vb_unmodelled(vb, "register"); break;
	}
}
