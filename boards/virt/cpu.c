/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "vb_priv.h"

/*
 * The core: runs blocks of instructions on Unicorn and counts their time.
 * Interrupts are looked at before every block: one that is requested during a
 * block waits for its end, some ten instructions.
 */

#define INT_SVC 2
#define INT_BKPT 7
#define INT_EXC_RETURN 8
#define NEVER_PC 0xFFFFFFFEu
#define INSN_WFI 0xBF30u

uint32_t
vb_reg(const struct cw_vb *vb, int uc_reg)
{
	uint32_t v = 0;

	uc_reg_read(vb->uc, uc_reg, &v);
	return v;
}

void
vb_reg_set(struct cw_vb *vb, int uc_reg, uint32_t val)
{
	uc_reg_write(vb->uc, uc_reg, &val);
}

/*
 * Not by uc_emu_stop here: called within an access that would leave the core at
 * the start of a block of which a part was done.
 */
void
vb_kick(struct cw_vb *vb)
{
	vb->stop_asked = true;
}

uint64_t
vb_cycles(const struct cw_vb *vb)
{
	return vb->cycles;
}

/* Stopped here the block is not run: it comes again. */
static bool
block_stops(struct cw_vb *vb)
{
	if (vb->stop_asked || vb->now >= vb->stop_at)
		return true;
	return vb->irq_check && vb_exc_due(vb);
}

static void
on_block(uc_engine *uc, uint64_t addr, uint32_t size, void *user)
{
	struct cw_vb *vb = user;
	struct vb_cost *c = &vb->cost[(addr >> 1) % VB_COST_CNT];
	uint32_t n;

	if ((vb->stop_asked || vb->irq_check || vb->now >= vb->stop_at) &&
	    block_stops(vb)) {
		uc_emu_stop(uc);
		return;
	}
	if (c->addr != addr || c->size != size)
		vb_cost_fill(vb, c, (uint32_t)addr, size);
	n = c->cycles;
	if (addr != vb->blk_end)
		n += vb->refill;
	vb->blk_addr = (uint32_t)addr;
	vb->blk_end = (uint32_t)addr + size;
	vb->insns += c->insns;
	vb->cycles += n;
	vb->now += (uint64_t)n * vb->tpc;
}

static void
on_intr(uc_engine *uc, uint32_t no, void *user)
{
	struct cw_vb *vb = user;

	if (no == INT_EXC_RETURN)
		vb->exc_return = vb_reg(vb, UC_ARM_REG_PC) | 1;
	else
		vb->intno = (int)no;
	uc_emu_stop(uc);
}

static bool
on_unmapped(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t val,
    void *user)
{
	struct cw_vb *vb = user;

	(void)uc;
	vb->acc.addr = (uint32_t)addr;
	vb->acc.size = (unsigned)size;
	vb->acc.val = (uint32_t)val;
	vb->acc.write = type == UC_MEM_WRITE_UNMAPPED || type == UC_MEM_WRITE_PROT;
	vb->acc.unit = NULL;
	if (type == UC_MEM_WRITE_PROT)
		return vb_flash_store(vb, (uint32_t)addr, (unsigned)size, (uint32_t)val);
	if (type == UC_MEM_FETCH_UNMAPPED || type == UC_MEM_FETCH_PROT)
		vb_trap(vb, "jump to %08x, where no code is, from %s",
		    (unsigned)addr, cw_vb_where(vb, vb->blk_addr));
	else
		vb_unmodelled(vb, "nothing is there");
	return false;
}

int
vb_cpu_open(struct cw_vb *vb)
{
	uc_hook h;

	if (uc_open(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS, &vb->uc) != UC_ERR_OK) {
		vb->uc = NULL;
		return CW_ENOMEM;
	}
	if (uc_ctl_set_cpu_model(vb->uc, UC_CPU_ARM_CORTEX_M3) != UC_ERR_OK ||
	    uc_mem_map_ptr(vb->uc, 0, CW_VB_FLASH_LEN, UC_PROT_READ | UC_PROT_EXEC,
	    vb->cfg.flash) != UC_ERR_OK ||
	    uc_mem_map_ptr(vb->uc, CW_BOARD_FLASH_BASE, CW_VB_FLASH_LEN,
	    UC_PROT_READ | UC_PROT_EXEC, vb->cfg.flash) != UC_ERR_OK ||
	    uc_mem_map_ptr(vb->uc, CW_BOARD_RAM_BASE, CW_VB_RAM_LEN, UC_PROT_ALL,
	    vb->ram) != UC_ERR_OK || vb_bus_map(vb) < 0 ||
	    uc_hook_add(vb->uc, &h, UC_HOOK_BLOCK, (void *)(uintptr_t)on_block, vb,
	    1, 0) != UC_ERR_OK ||
	    uc_hook_add(vb->uc, &h, UC_HOOK_INTR, (void *)(uintptr_t)on_intr, vb,
	    1, 0) != UC_ERR_OK ||
	    uc_hook_add(vb->uc, &h, UC_HOOK_MEM_UNMAPPED | UC_HOOK_MEM_PROT,
	    (void *)(uintptr_t)on_unmapped, vb, 1, 0) != UC_ERR_OK)
		return CW_ENOMEM;
	return 0;
}

void
vb_cpu_close(struct cw_vb *vb)
{
	if (vb->uc != NULL)
		uc_close(vb->uc);
	vb->uc = NULL;
}

void
vb_cpu_reset(struct cw_vb *vb)
{
	static const int zero[] = {
		UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK,
		UC_ARM_REG_PSP,
	};
	uint32_t vec[2];
	size_t i;

	/* With nothing at the flash's start: where a debugger would begin. */
	memcpy(vec, vb->cfg.flash, sizeof vec);
	if (vec[0] == 0xFFFFFFFF && vb->boot_base != 0)
		memcpy(vec, vb->cfg.flash + (vb->boot_base - CW_BOARD_FLASH_BASE),
		    sizeof vec);
	vb_reg_set(vb, UC_ARM_REG_XPSR, 1u << 24);
	vb_reg_set(vb, UC_ARM_REG_CONTROL, 0);
	for (i = 0; i < sizeof zero / sizeof zero[0]; i++)
		vb_reg_set(vb, zero[i], 0);
	vb_reg_set(vb, UC_ARM_REG_LR, 0xFFFFFFFF);
	vb_reg_set(vb, UC_ARM_REG_SP, vec[0] & ~3u);
	vb_reg_set(vb, UC_ARM_REG_PC, vec[1]);
	vb->sleeping = vb->stop_asked = vb->irq_check = false;
	vb->exc_return = 0;
	vb->intno = 0;
	vb->blk_end = 0;
	vb_nvic_reset(vb);
	vb_exc_reset(vb);
}

/* A block that ends in WFI is always run to its end. */
static bool
ended_in_wfi(struct cw_vb *vb, uint32_t pc)
{
	uint16_t insn;
	uint8_t *p;

	if (pc != vb->blk_end || (p = vb_memory(vb, pc - 2, 2, false)) == NULL)
		return false;
	memcpy(&insn, p, 2);
	return insn == INSN_WFI;
}

static void
interrupted(struct cw_vb *vb, int no, uint32_t pc)
{
	uint8_t *p = vb_memory(vb, pc, 2, false);
	uint16_t insn = 0;

	if (no == INT_SVC) {
		vb_exc_raise(vb, 11);
	} else if (no == INT_BKPT) {
		if (p != NULL)
			memcpy(&insn, p, 2);
		vb->exited = (insn & 0xFF) == 0xAB;
		vb->broke = !vb->exited;
	} else {
		vb->nvic.cfsr |= no == 17 ? 1u << 19 : 1u << 17;
		vb_exc_raise(vb, 6);
	}
}

void
vb_cpu_run(struct cw_vb *vb)
{
	uint32_t pc = vb_reg(vb, UC_ARM_REG_PC);
	uint32_t value;
	uc_err e;
	int no;

	vb->stop_asked = false;
	e = uc_emu_start(vb->uc, pc | 1, NEVER_PC, 0, 0);
	pc = vb_reg(vb, UC_ARM_REG_PC);
	if (vb->trapped || vb->cut)
		return;
	if (vb->exc_return != 0) {
		value = vb->exc_return;
		vb->exc_return = 0;
		vb_exc_return(vb, value);
	} else if (vb->intno != 0) {
		no = vb->intno;
		vb->intno = 0;
		interrupted(vb, no, pc);
	} else if (e == UC_ERR_INSN_INVALID) {
		vb->nvic.cfsr |= 1u << 16;
		vb_exc_raise(vb, 6);
	} else if (e != UC_ERR_OK) {
		vb_trap(vb, "%s at %s", uc_strerror(e), cw_vb_where(vb, pc));
	} else if (ended_in_wfi(vb, pc)) {
		if ((vb->nvic.scr & 4) != 0)
			vb_trap(vb, "deep sleep at %s is not modelled",
			    cw_vb_where(vb, pc));
		vb->sleeping = true;
	}
}
