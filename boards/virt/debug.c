/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "vb_priv.h"

/* What a debugger and the tests look at. */

static const int reg_of[17] = {
	UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4,
	UC_ARM_REG_R5, UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9,
	UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR,
	UC_ARM_REG_PC, UC_ARM_REG_XPSR,
};

uint32_t
cw_vb_reg(const struct cw_vb *vb, int n)
{
	return n >= 0 && n < 17 ? vb_reg(vb, reg_of[n]) : 0;
}

void
cw_vb_reg_set(struct cw_vb *vb, int n, uint32_t value)
{
	if (n >= 0 && n < 17)
		vb_reg_set(vb, reg_of[n], n == 15 ? value | 1 : value);
}

int
cw_vb_mem(const struct cw_vb *vb, uint32_t addr, uint8_t *buf, size_t len)
{
	/* Nothing is changed through it. */
	const uint8_t *p = len > CW_VB_XRAM_LEN ? NULL :
	    vb_memory((struct cw_vb *)(uintptr_t)vb, addr, (uint32_t)len, false);

	if (p == NULL)
		return CW_ERANGE;
	memcpy(buf, p, len);
	return 0;
}

int
cw_vb_mem_set(struct cw_vb *vb, uint32_t addr, const uint8_t *buf, size_t len)
{
	uint8_t *p = len > CW_VB_XRAM_LEN ? NULL : vb_memory(vb, addr, (uint32_t)len, true);

	if (p != NULL)
		memcpy(p, buf, len);
	else if (addr - CW_BOARD_FLASH_BASE > CW_VB_FLASH_LEN - len ||
	    uc_mem_write(vb->uc, addr, buf, len) != UC_ERR_OK)
		return CW_ERANGE;
	return 0;
}

/* Before every instruction, while somebody wants to know. */
static void
on_code(uc_engine *uc, uint64_t addr, uint32_t size, void *user)
{
	struct cw_vb *vb = user;
	int i;

	(void)size;
	if (vb->stepping && vb->stepped++ > 0)
		uc_emu_stop(uc);
	for (i = 0; i < vb->brk_cnt; i++) {
		if (vb->brk[i] == addr && !vb->stepping && addr != vb->resume_at) {
			vb->broke = true;
			uc_emu_stop(uc);
		}
	}
	vb->resume_at = 0;
}

/* Code that is translated already does not call the hook: it goes. */
static void
watch(struct cw_vb *vb)
{
	bool want = vb->brk_cnt > 0 || vb->stepping;

	if (want == vb->hook_code_on)
		return;
	if (want)
		uc_hook_add(vb->uc, &vb->hook_code, UC_HOOK_CODE,
		    (void *)(uintptr_t)on_code, vb, 1, 0);
	else
		uc_hook_del(vb->uc, vb->hook_code);
	vb->hook_code_on = want;
	uc_ctl_remove_cache(vb->uc, CW_BOARD_FLASH_BASE,
	    CW_BOARD_FLASH_BASE + CW_VB_FLASH_LEN);
	uc_ctl_remove_cache(vb->uc, CW_BOARD_RAM_BASE, CW_BOARD_RAM_BASE + CW_VB_RAM_LEN);
}

enum cw_vb_stop
cw_vb_step(struct cw_vb *vb)
{
	enum cw_vb_stop stop;

	vb->stepping = true;
	vb->stepped = 0;
	watch(vb);
	stop = cw_vb_run(vb, CW_VB_NEVER - 1);
	vb->stepping = false;
	watch(vb);
	return stop == CW_VB_UNTIL ? CW_VB_BREAK : stop;
}

int
cw_vb_break_set(struct cw_vb *vb, uint32_t addr, bool on)
{
	int i;

	for (i = 0; i < vb->brk_cnt && vb->brk[i] != addr; i++)
		;
	if (on && i == vb->brk_cnt) {
		if (vb->brk_cnt == (int)(sizeof vb->brk / sizeof vb->brk[0]))
			return CW_EFULL;
		vb->brk[vb->brk_cnt++] = addr;
	} else if (!on && i < vb->brk_cnt) {
		vb->brk[i] = vb->brk[--vb->brk_cnt];
	}
	watch(vb);
	return 0;
}

void
cw_vb_break_clear(struct cw_vb *vb)
{
	while (vb->brk_cnt > 0)
		cw_vb_break_set(vb, vb->brk[0], false);
}
