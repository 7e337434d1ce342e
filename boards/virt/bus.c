/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "vb_priv.h"

/*
 * Who answers at which address.  RM0008, 3.3, and the core's own bus.  What is
 * not in the table stops the board.
 */
#define UNIT(b, l, n, x, i, bus, bit) \
	{ b, l, n, vb_##x##_read, vb_##x##_write, i, bus, bit }
#define CORE(b, l, n, x) UNIT(b, l, n, x, 0, VB_BUS_CORE, 0)

static const struct vb_range ranges[] = {	/* by address */
	UNIT(0x1FFFF7E0, 0x30, "system memory", misc, 0, VB_BUS_NONE, 0),
	UNIT(0x40000000, 0x400, "TIM2", tim, 1, VB_BUS_APB1, 0),
	UNIT(0x40000400, 0x400, "TIM3", tim, 2, VB_BUS_APB1, 1),
	UNIT(0x40000800, 0x400, "TIM4", tim, 3, VB_BUS_APB1, 2),
	UNIT(0x40000C00, 0x400, "TIM5", tim, 4, VB_BUS_APB1, 3),
	UNIT(0x40001000, 0x400, "TIM6", tim, 5, VB_BUS_APB1, 4),
	UNIT(0x40001400, 0x400, "TIM7", tim, 6, VB_BUS_APB1, 5),
	UNIT(0x40003000, 0x400, "IWDG", iwdg, 0, VB_BUS_NONE, 0),
	UNIT(0x40004400, 0x400, "USART2", usart, 1, VB_BUS_APB1, 17),
	UNIT(0x40004800, 0x400, "USART3", usart, 2, VB_BUS_APB1, 18),
	UNIT(0x40004C00, 0x400, "UART4", usart, 3, VB_BUS_APB1, 19),
	UNIT(0x40005000, 0x400, "UART5", usart, 4, VB_BUS_APB1, 20),
	UNIT(0x40006C00, 0x400, "BKP", misc, 1, VB_BUS_APB1, 27),
	UNIT(0x40007000, 0x400, "PWR", misc, 2, VB_BUS_APB1, 28),
	UNIT(0x40010000, 0x400, "AFIO", afio, 0, VB_BUS_APB2, 0),
	UNIT(0x40010400, 0x400, "EXTI", exti, 0, VB_BUS_NONE, 0),
	UNIT(0x40010800, 0x400, "GPIOA", gpio, 0, VB_BUS_APB2, 2),
	UNIT(0x40010C00, 0x400, "GPIOB", gpio, 1, VB_BUS_APB2, 3),
	UNIT(0x40011000, 0x400, "GPIOC", gpio, 2, VB_BUS_APB2, 4),
	UNIT(0x40011400, 0x400, "GPIOD", gpio, 3, VB_BUS_APB2, 5),
	UNIT(0x40011800, 0x400, "GPIOE", gpio, 4, VB_BUS_APB2, 6),
	UNIT(0x40011C00, 0x400, "GPIOF", gpio, 5, VB_BUS_APB2, 7),
	UNIT(0x40012000, 0x400, "GPIOG", gpio, 6, VB_BUS_APB2, 8),
	UNIT(0x40012C00, 0x400, "TIM1", tim, 0, VB_BUS_APB2, 11),
	UNIT(0x40013400, 0x400, "TIM8", tim, 7, VB_BUS_APB2, 13),
	UNIT(0x40013800, 0x400, "USART1", usart, 0, VB_BUS_APB2, 14),
	UNIT(0x40020000, 0x400, "DMA1", dma, 0, VB_BUS_AHB, 0),
	UNIT(0x40020400, 0x400, "DMA2", dma, 1, VB_BUS_AHB, 1),
	UNIT(0x40021000, 0x400, "RCC", rcc, 0, VB_BUS_NONE, 0),
	UNIT(0x40022000, 0x400, "FLASH", flash, 0, VB_BUS_NONE, 0),
	UNIT(0x40023000, 0x400, "CRC", misc, 3, VB_BUS_AHB, 6),
	UNIT(0xA0000000, 0x400, "FSMC", fsmc, 0, VB_BUS_AHB, 8),
	CORE(0xE0001000, 0x1000, "DWT", dwt),
	CORE(0xE000E000, 0x1000, "SCS", ppb),
	UNIT(0xE0042000, 0x8, "DBGMCU", misc, 4, VB_BUS_CORE, 0),
};
#define RANGE_CNT (sizeof ranges / sizeof ranges[0])

/* ---- words to a person --------------------------------------------------- */

void
vb_trap(struct cw_vb *vb, const char *fmt, ...)
{
	va_list ap;

	if (!vb->trapped) {
		va_start(ap, fmt);
		vsnprintf(vb->message, sizeof vb->message, fmt, ap);
		va_end(ap);
	}
	vb->trapped = true;
	vb_kick(vb);
}

void
vb_tracef(struct cw_vb *vb, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	if (vb->cfg.trace == NULL)
		return;
	n = snprintf(line, sizeof line, "%llu ",
	    (unsigned long long)(vb->now / CW_VB_US(1)));
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	va_end(ap);
	vb->cfg.trace(vb->cfg.ctx, line);
}

void
vb_unmodelled(struct cw_vb *vb, const char *what)
{
	const struct vb_access *a = &vb->acc;
	char where[96];
	uint32_t pc = vb_cost_blame(vb, a->addr, a->write);

	snprintf(where, sizeof where, "%s", cw_vb_where(vb, pc));
	if (vb->bus_is_ours)
		snprintf(where, sizeof where, "the DMA");
	if (a->write)
		vb_trap(vb, "write of %u bytes, %08x, to %08x%s%s: %s; at %08x, %s",
		    a->size, a->val, a->addr, a->unit != NULL ? " of " : "",
		    a->unit != NULL ? a->unit : "", what, pc, where);
	else
		vb_trap(vb, "read of %u bytes at %08x%s%s: %s; at %08x, %s",
		    a->size, a->addr, a->unit != NULL ? " of " : "",
		    a->unit != NULL ? a->unit : "", what, pc, where);
}

/* ---- registers ----------------------------------------------------------- */

static const struct vb_range *
find(uint32_t addr)
{
	size_t lo = 0, hi = RANGE_CNT, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (addr - ranges[mid].base < ranges[mid].len)
			return &ranges[mid];
		if (addr < ranges[mid].base)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* A device without its clock does not answer on the chip: a bug, so it stops. */
static bool
clocked(struct cw_vb *vb, const struct vb_range *r)
{
	uint32_t en = ~0u;

	if (r->bus == VB_BUS_AHB)
		en = vb->rcc.ahbenr;
	else if (r->bus == VB_BUS_APB1)
		en = vb->rcc.apb1enr;
	else if (r->bus == VB_BUS_APB2)
		en = vb->rcc.apb2enr;
	return (en >> r->bit & 1) != 0;
}

/* Estimate: the core's own bus is fast, a bridge costs its bus's cycles. */
static void
spend(struct cw_vb *vb, const struct vb_range *r)
{
	unsigned n = 1;

	if (vb->bus_is_ours)
		return;
	if (r->bus == VB_BUS_CORE)
		n = 0;
	else if (r->bus == VB_BUS_APB1)
		n = 2 * vb->rcc.hclk_hz / vb->rcc.pclk1_hz;
	vb->cycles += n;
	vb->now += (uint64_t)n * vb->tpc;
}

static const struct vb_range *
access_begin(struct cw_vb *vb, uint32_t addr, unsigned size)
{
	const struct vb_range *r = find(addr);

	vb->acc.addr = addr;
	vb->acc.size = size;
	vb->acc.unit = r != NULL ? r->name : NULL;
	if (vb->trapped || vb->cut)
		return NULL;
	if (r == NULL) {
		vb_unmodelled(vb, "no such device in the model");
		return NULL;
	}
	if (!clocked(vb, r)) {
		vb_unmodelled(vb, "its clock is off");
		return NULL;
	}
	spend(vb, r);
	/* Not within an access of the DMA, which takes no time of its own: what
	 * it serves would be served twice. */
	if (vb->now >= vb->timer_next && !vb->bus_is_ours)
		vb_timers_run(vb);
	return r;
}

static uint32_t
reg_read(struct cw_vb *vb, uint32_t addr, unsigned size)
{
	const struct vb_range *r;
	uint32_t v;

	vb->acc.write = false;
	r = access_begin(vb, addr, size);
	if (r == NULL)
		return 0;
	v = r->read(vb, r->idx, (addr - r->base) & ~3u) >> (8 * (addr & 3));
	return size == 4 ? v : v & ((1u << 8 * size) - 1);
}

static void
reg_write(struct cw_vb *vb, uint32_t addr, unsigned size, uint32_t val)
{
	const struct vb_range *r;

	vb->acc.write = true;
	vb->acc.val = val;
	r = access_begin(vb, addr, size);
	if (r == NULL)
		return;
	if ((addr & 3) != 0 && r->bus != VB_BUS_CORE) {
		vb_unmodelled(vb, "write to a part of a register");
		return;
	}
	r->write(vb, r->idx, (addr - r->base) & ~3u, val << (8 * (addr & 3)));
}

/* ---- windows of the FSMC --------------------------------------------------- */

static uint32_t
window_read16(struct cw_vb *vb, uint32_t addr)
{
	unsigned n = vb_fsmc_cycles(vb, addr >> 26 & 3, false);
	uint16_t v;

	if (!vb->bus_is_ours) {
		vb->cycles += n;
		vb->now += (uint64_t)n * vb->tpc;
	}
	if (addr - CW_BOARD_XRAM_BASE < CW_VB_XRAM_LEN) {
		memcpy(&v, vb->xram + (addr - CW_BOARD_XRAM_BASE), 2);
		return v;
	}
	if (addr - CW_BOARD_W5300_BASE < 0x400)
		return vb_w5300_read(vb, 0, addr - CW_BOARD_W5300_BASE);
	vb_unmodelled(vb, "no chip in this window");
	return 0;
}

static void
window_write16(struct cw_vb *vb, uint32_t addr, uint32_t val, unsigned mask)
{
	unsigned n = vb_fsmc_cycles(vb, addr >> 26 & 3, true);
	uint16_t v;

	if (!vb->bus_is_ours) {
		vb->cycles += n;
		vb->now += (uint64_t)n * vb->tpc;
	}
	if (addr - CW_BOARD_XRAM_BASE < CW_VB_XRAM_LEN) {
		memcpy(&v, vb->xram + (addr - CW_BOARD_XRAM_BASE), 2);
		v = (uint16_t)((v & ~mask) | (val & mask));
		memcpy(vb->xram + (addr - CW_BOARD_XRAM_BASE), &v, 2);
	} else if (addr - CW_BOARD_W5300_BASE < 0x400) {
		if (mask != 0xFFFF)
			vb_unmodelled(vb, "the W5300 takes 16 bits at a time");
		else
			vb_w5300_write(vb, 0, addr - CW_BOARD_W5300_BASE, val);
	} else {
		vb_unmodelled(vb, "no chip in this window");
	}
}

static bool
window_begin(struct cw_vb *vb, uint32_t addr, unsigned size)
{
	vb->acc.addr = addr;
	vb->acc.size = size;
	vb->acc.unit = "FSMC";
	if (vb->trapped || vb->cut)
		return false;
	if ((vb->rcc.ahbenr >> 8 & 1) == 0 || (vb->fsmc.bcr[addr >> 26 & 3] & 1) == 0) {
		vb_unmodelled(vb, "this bank is not switched on");
		return false;
	}
	if (vb->now >= vb->timer_next)
		vb_timers_run(vb);
	return true;
}

/* 16-bit bus: a word is two accesses, low half first; a byte has its lane. */
static uint32_t
window_read(struct cw_vb *vb, uint32_t addr, unsigned size)
{
	uint32_t v;

	vb->acc.write = false;
	if (!window_begin(vb, addr, size))
		return 0;
	v = window_read16(vb, addr & ~1u);
	if (size == 1)
		return v >> (8 * (addr & 1)) & 0xFF;
	if (size == 4)
		v |= window_read16(vb, (addr & ~1u) + 2) << 16;
	return v;
}

static void
window_write(struct cw_vb *vb, uint32_t addr, unsigned size, uint32_t val)
{
	vb->acc.write = true;
	vb->acc.val = val;
	if (!window_begin(vb, addr, size))
		return;
	if (size == 1) {
		window_write16(vb, addr & ~1u, val << (8 * (addr & 1)),
		    0xFFu << (8 * (addr & 1)));
		return;
	}
	window_write16(vb, addr, val & 0xFFFF, 0xFFFF);
	if (size == 4)
		window_write16(vb, addr + 2, val >> 16, 0xFFFF);
}

/* ---- bit-banding: ARM DDI 0403, B3.1 ---------------------------------------- */

static uint32_t
bit_addr(uint32_t alias, unsigned *bit)
{
	uint32_t off = (alias & 0x01FFFFFF) >> 2;

	*bit = off & 31;
	return (alias & 0xF0000000) + (off >> 5) * 4;
}

static uint32_t
any_read(struct cw_vb *vb, uint32_t addr, unsigned size)
{
	uint8_t *p = vb_memory(vb, addr, size, false);
	uint32_t v = 0;

	if (p != NULL) {
		memcpy(&v, p, size);
		return v;
	}
	return addr >> 28 == 6 ? window_read(vb, addr, size) : reg_read(vb, addr, size);
}

static void
any_write(struct cw_vb *vb, uint32_t addr, unsigned size, uint32_t val)
{
	uint8_t *p = vb_memory(vb, addr, size, true);

	if (p != NULL)
		memcpy(p, &val, size);
	else if (addr >> 28 == 6)
		window_write(vb, addr, size, val);
	else
		reg_write(vb, addr, size, val);
}

static uint64_t
on_read(uc_engine *uc, uint64_t off, unsigned size, void *user)
{
	struct vb_win *w = user;
	uint32_t addr = w->base + (uint32_t)off;
	unsigned bit;

	(void)uc;
	if (w->base == 0x42000000 || w->base == 0x22000000) {
		addr = bit_addr(addr, &bit);
		return any_read(w->vb, addr, 4) >> bit & 1;
	}
	if (w->base == 0x60000000)
		return window_read(w->vb, addr, size);
	return reg_read(w->vb, addr, size);
}

static void
on_write(uc_engine *uc, uint64_t off, unsigned size, uint64_t val, void *user)
{
	struct vb_win *w = user;
	uint32_t addr = w->base + (uint32_t)off, v;
	unsigned bit;

	(void)uc;
	if (w->base == 0x42000000 || w->base == 0x22000000) {
		addr = bit_addr(addr, &bit);
		v = any_read(w->vb, addr, 4) & ~(1u << bit);
		any_write(w->vb, addr, 4, v | (uint32_t)(val & 1) << bit);
	} else if (w->base == 0x60000000) {
		window_write(w->vb, addr, size, (uint32_t)val);
	} else {
		reg_write(w->vb, addr, size, (uint32_t)val);
	}
}

int
vb_bus_map(struct cw_vb *vb)
{
	static const struct {
		uint32_t base, len;
	} win[VB_WINS] = {
		{ 0x1FFFF000, 0x1000 }, { 0x22000000, 0x02000000 },
		{ 0x40000000, 0x24000 }, { 0x42000000, 0x02000000 },
		{ 0x60000000, 0x10000000 }, { 0xA0000000, 0x1000 },
		{ 0xE0000000, 0x43000 }, { 0, 0 },
	};
	size_t i;

	for (i = 0; i < VB_WINS && win[i].len != 0; i++) {
		vb->win[i].vb = vb;
		vb->win[i].base = win[i].base;
		if (uc_mmio_map(vb->uc, win[i].base, win[i].len, on_read, &vb->win[i],
		    on_write, &vb->win[i]) != UC_ERR_OK)
			return CW_ENOMEM;
	}
	return 0;
}

/* ---- other masters --------------------------------------------------------- */

uint8_t *
vb_memory(struct cw_vb *vb, uint32_t addr, uint32_t len, bool write)
{
	if (addr - CW_BOARD_RAM_BASE <= CW_VB_RAM_LEN - len)
		return vb->ram + (addr - CW_BOARD_RAM_BASE);
	if (addr - CW_BOARD_XRAM_BASE <= CW_VB_XRAM_LEN - len)
		return vb->xram + (addr - CW_BOARD_XRAM_BASE);
	if (write)
		return NULL;
	if (addr - CW_BOARD_FLASH_BASE <= CW_VB_FLASH_LEN - len)
		return vb->cfg.flash + (addr - CW_BOARD_FLASH_BASE);
	if (addr <= CW_VB_FLASH_LEN - len)
		return vb->cfg.flash + addr;
	return NULL;
}

uint32_t
vb_bus_read(struct cw_vb *vb, uint32_t addr, unsigned size)
{
	bool was = vb->bus_is_ours;	/* one access may bring about another */
	uint32_t v;

	vb->bus_is_ours = true;
	v = any_read(vb, addr, size);
	vb->bus_is_ours = was;
	return v;
}

void
vb_bus_write(struct cw_vb *vb, uint32_t addr, unsigned size, uint32_t val)
{
	bool was = vb->bus_is_ours;

	vb->bus_is_ours = true;
	any_write(vb, addr, size, val);
	vb->bus_is_ours = was;
}
