/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/*
 * Exceptions of ARMv7-M (ARM DDI 0403, B1.5): Unicorn neither enters nor
 * leaves them, so this does.
 */

#define EXC_HARD 3
#define ENTRY_CYCLES 12
#define EXIT_CYCLES 10
#define CHAIN_CYCLES 6
#define CCR_STKALIGN (1u << 9)
#define XPSR_ALIGNED (1u << 9)

static void
spend(struct cw_vb *vb, uint32_t cycles)
{
	vb->cycles += cycles;
	vb->now += (uint64_t)cycles * vb->tpc;
}

/* Priority for preemption: fixed ones below 0, then the group bits. */
static int
group(const struct cw_vb *vb, int num)
{
	unsigned shift = (vb->nvic.aircr >> 8 & 7) + 1;

	if (num == 2 || num == EXC_HARD)
		return num == 2 ? -2 : -1;
	return vb->nvic.prio[num] & (0xFF << shift & 0xFF);
}

static int
present_priority(const struct cw_vb *vb)
{
	uint32_t basepri = vb_reg(vb, UC_ARM_REG_BASEPRI) & 0xFF;
	int p = 256, i, g;

	for (i = 2; i < VB_EXC_CNT; i++) {
		if (!vb->nvic.active[i])
			continue;
		g = group(vb, i);
		if (g < p)
			p = g;
	}
	if (basepri != 0 && (int)basepri < p)
		p = (int)basepri;
	if ((vb_reg(vb, UC_ARM_REG_PRIMASK) & 1) != 0 && p > 0)
		p = 0;
	if ((vb_reg(vb, UC_ARM_REG_FAULTMASK) & 1) != 0 && p > -1)
		p = -1;
	return p;
}

/* The most urgent pending one that is enabled, or 0. */
static int
best(const struct cw_vb *vb)
{
	const struct vb_nvic *n = &vb->nvic;
	int i, b = 0;

	for (i = 2; i < VB_EXC_CNT; i++) {
		if (!n->pending[i] || (i >= 16 && !n->enabled[i]))
			continue;
		if (b == 0 || group(vb, i) < group(vb, b) || (group(vb, i) ==
		    group(vb, b) && i > 3 && b > 3 && n->prio[i] < n->prio[b]))
			b = i;
	}
	return b;
}

bool
vb_exc_due(struct cw_vb *vb)
{
	int b = best(vb);

	vb->irq_check = b != 0;
	return b != 0 && group(vb, b) < present_priority(vb);
}

/* PRIMASK does not hold the core asleep (B1.5.17). */
bool
vb_exc_wakes(struct cw_vb *vb)
{
	uint32_t primask = vb_reg(vb, UC_ARM_REG_PRIMASK);
	bool due;

	vb_reg_set(vb, UC_ARM_REG_PRIMASK, 0);
	due = vb_exc_due(vb);
	vb_reg_set(vb, UC_ARM_REG_PRIMASK, primask);
	return due;
}

void
vb_exc_pend(struct cw_vb *vb, int num)
{
	vb->nvic.pending[num] = true;
	/* Looked at when the next block begins: stopped in the middle of a load
	 * from a device, Unicorn would make the one after it twice. */
	vb->irq_check = true;
}

void
vb_irq(struct cw_vb *vb, int irq, bool level)
{
	bool was = vb->nvic.level[irq];

	vb->nvic.level[irq] = level;
	if (level && !was)
		vb_exc_pend(vb, 16 + irq);
}

void
vb_exc_reset(struct cw_vb *vb)
{
	vb->irq_check = false;
}

/* The eight words (B1.5.6): on the stack that was in use. */
static bool
push_frame(struct cw_vb *vb)
{
	static const int reg[] = {
		UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3,
		UC_ARM_REG_R12, UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_XPSR,
	};
	uint32_t sp = vb_reg(vb, UC_ARM_REG_SP), frame[8];
	bool pad = (sp & 4) != 0 && (vb->nvic.ccr & CCR_STKALIGN) != 0;
	uint8_t *p;
	int i;

	for (i = 0; i < 8; i++)
		frame[i] = vb_reg(vb, reg[i]);
	frame[6] &= ~1u;
	if (pad)
		frame[7] |= XPSR_ALIGNED;
	sp -= pad ? 36 : 32;
	p = vb_memory(vb, sp, 32, true);
	if (p == NULL) {
		vb_trap(vb, "stack pointer %08x is outside all memory at %s", sp,
		    cw_vb_where(vb, frame[6]));
		return false;
	}
	memcpy(p, frame, 32);
	vb_reg_set(vb, UC_ARM_REG_SP, sp);
	return true;
}

static void
vector(struct cw_vb *vb, int num, uint32_t lr)
{
	uint32_t xpsr = vb_reg(vb, UC_ARM_REG_XPSR), addr = 0;
	uint8_t *p = vb_memory(vb, vb->nvic.vtor + 4u * (uint32_t)num, 4, false);

	if (p == NULL) {
		vb_trap(vb, "vector table at %08x is outside all memory", vb->nvic.vtor);
		return;
	}
	memcpy(&addr, p, 4);
	if ((addr & 1) == 0) {
		vb_trap(vb, "vector %d holds %08x, which is no Thumb address", num, addr);
		return;
	}
	vb->nvic.pending[num] = false;
	vb->nvic.active[num] = true;
	vb->exceptions++;
	/* Not 26:25 and 15:10, the state of an IT block. */
	vb_reg_set(vb, UC_ARM_REG_XPSR, (xpsr & 0xF8000000) | 1u << 24 | (uint32_t)num);
	vb_reg_set(vb, UC_ARM_REG_LR, lr);
	vb_reg_set(vb, UC_ARM_REG_PC, addr);
	vb->blk_end = 0;
	vb_exc_due(vb);
}

static void
enter(struct cw_vb *vb, int num)
{
	uint32_t ipsr = vb_reg(vb, UC_ARM_REG_XPSR) & 0x1FF;
	uint32_t lr = 0xFFFFFFF1;

	if (ipsr == 0)
		lr = (vb_reg(vb, UC_ARM_REG_CONTROL) & 2) != 0 ? 0xFFFFFFFD : 0xFFFFFFF9;
	if (!push_frame(vb))
		return;
	spend(vb, ENTRY_CYCLES);
	vb->sleeping = false;
	vector(vb, num, lr);
}

bool
vb_exc_take(struct cw_vb *vb)
{
	if (!vb->irq_check || !vb_exc_due(vb))
		return false;
	enter(vb, best(vb));
	return true;
}

static bool
can_enter(const struct cw_vb *vb, int num)
{
	if (num >= 4 && num <= 6 && (vb->nvic.shcsr >> (12 + num) & 1) == 0)
		return false;
	return group(vb, num) < present_priority(vb);
}

void
vb_exc_raise(struct cw_vb *vb, int num)
{
	uint32_t pc = vb_reg(vb, UC_ARM_REG_PC);

	vb_tracef(vb, "exception %d at %s", num, cw_vb_where(vb, pc));
	if (!can_enter(vb, num)) {
		vb->nvic.hfsr |= 1u << 30;	/* FORCED */
		num = EXC_HARD;
	}
	if (!can_enter(vb, num)) {
		vb_trap(vb, "lock-up: fault within HardFault at %s",
		    cw_vb_where(vb, pc));
		return;
	}
	enter(vb, num);
}

static bool
any_active(const struct cw_vb *vb)
{
	int i;

	for (i = 2; i < VB_EXC_CNT; i++)
		if (vb->nvic.active[i])
			return true;
	return false;
}

static void
pop_frame(struct cw_vb *vb, uint32_t value)
{
	static const int reg[] = {
		UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3,
		UC_ARM_REG_R12, UC_ARM_REG_LR,
	};
	bool psp = (value & 4) != 0;
	int sp_reg = psp ? UC_ARM_REG_PSP : UC_ARM_REG_MSP;
	uint32_t sp = vb_reg(vb, sp_reg), frame[8], control;
	uint8_t *p = vb_memory(vb, sp, 32, false);
	int i;

	if (p == NULL) {
		vb_trap(vb, "stack pointer %08x is outside all memory at an "
		    "exception's end", sp);
		return;
	}
	memcpy(frame, p, 32);
	sp += 32;
	if ((frame[7] & XPSR_ALIGNED) != 0)
		sp += 4;
	vb_reg_set(vb, sp_reg, sp);
	vb_reg_set(vb, UC_ARM_REG_XPSR, frame[7] & ~XPSR_ALIGNED);
	if ((frame[7] & 0x1FF) == 0) {
		control = vb_reg(vb, UC_ARM_REG_CONTROL) & ~2u;
		vb_reg_set(vb, UC_ARM_REG_CONTROL, control | (psp ? 2 : 0));
	}
	for (i = 0; i < 6; i++)
		vb_reg_set(vb, reg[i], frame[i]);
	vb_reg_set(vb, UC_ARM_REG_PC, frame[6] | 1);
	spend(vb, EXIT_CYCLES);
	vb->blk_end = 0;
}

/* fff1: to a handler; fff9: to the thread on MSP; fffd: on PSP (B1.5.8). */
void
vb_exc_return(struct cw_vb *vb, uint32_t value)
{
	uint32_t num = vb_reg(vb, UC_ARM_REG_XPSR) & 0x1FF;
	struct vb_nvic *n = &vb->nvic;

	if (num == 0 || num >= VB_EXC_CNT || !n->active[num] || (value != 0xFFFFFFF1 &&
	    value != 0xFFFFFFF9 && value != 0xFFFFFFFD)) {
		vb_trap(vb, "bad exception return %08x from exception %u", value, num);
		return;
	}
	n->active[num] = false;
	if (num >= 16 && n->level[num - 16])
		n->pending[num] = true;
	if (num != 2)
		vb_reg_set(vb, UC_ARM_REG_FAULTMASK, 0);
	if ((value == 0xFFFFFFF1) != any_active(vb)) {
		vb_trap(vb, "exception return %08x does not fit the active exceptions",
		    value);
		return;
	}
	vb->irq_check = true;
	if (vb_exc_due(vb)) {
		spend(vb, CHAIN_CYCLES);
		vector(vb, best(vb), value);
		return;
	}
	pop_frame(vb, value);
	if ((n->scr & 2) != 0 && value != 0xFFFFFFF1)
		vb->sleeping = true;	/* SLEEPONEXIT */
	vb->irq_check = true;
}
