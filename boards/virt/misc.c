/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/* Small ones: independent watchdog (RM0008, 19), FSMC timings (21), system
 * memory with unique id and flash size (30), backup registers, PWR, CRC, DBGMCU. */

#define LSI_HZ 40000u
#define IWDG_RSTF (1u << 29)

/* ---- IWDG ---------------------------------------------------------------- */

static void
iwdg_feed(struct cw_vb *vb)
{
	struct vb_iwdg *w = &vb->iwdg;
	uint64_t step = CW_VB_HZ / LSI_HZ * (4u << (w->pr > 6 ? 6 : w->pr));

	if (w->started)
		vb_timer_at(vb, VB_T_IWDG, vb->now + step * (w->rlr + 1));
}

void
vb_iwdg_fire(struct cw_vb *vb, unsigned arg)
{
	(void)arg;
	vb_tracef(vb, "watchdog at %s", cw_vb_where(vb, vb->blk_addr));
	vb_ask_reset(vb, IWDG_RSTF);
}

void
vb_iwdg_reset(struct cw_vb *vb)
{
	memset(&vb->iwdg, 0, sizeof vb->iwdg);
	vb->iwdg.rlr = 0xFFF;
}

uint32_t
vb_iwdg_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	(void)idx;
	switch (off) {
	case 0x00: case 0x0C: return 0;
	case 0x04: return vb->iwdg.pr;
	case 0x08: return vb->iwdg.rlr;
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

void
vb_iwdg_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_iwdg *w = &vb->iwdg;

	(void)idx;
	if (off == 0x00) {
		w->unlocked = val == 0x5555;
		if (val == 0xCCCC) {
			w->started = true;
			vb->rcc.csr |= 1;	/* LSI on */
		}
		if (val == 0xCCCC || val == 0xAAAA)
			iwdg_feed(vb);
	} else if (off == 0x04 && w->unlocked) {
		w->pr = val & 7;
	} else if (off == 0x08 && w->unlocked) {
		w->rlr = val & 0xFFF;
	} else {
		vb_unmodelled(vb, "register, or it is locked");
	}
}

/* ---- FSMC ---------------------------------------------------------------- */

void
vb_fsmc_reset(struct cw_vb *vb)
{
	int i;

	for (i = 0; i < 4; i++) {
		vb->fsmc.bcr[i] = i == 0 ? 0x30DB : 0x30D2;
		vb->fsmc.btr[i] = vb->fsmc.bwtr[i] = 0x0FFFFFFF;
	}
}

/* RM0008, 21.5.4: address set-up, data, and what reading adds. */
unsigned
vb_fsmc_cycles(struct cw_vb *vb, unsigned bank, bool write)
{
	bool ext = (vb->fsmc.bcr[bank] >> 14 & 1) != 0;
	uint32_t t = write && ext ? vb->fsmc.bwtr[bank] : vb->fsmc.btr[bank];
	unsigned n = (t & 15) + 1 + (t >> 8 & 0xFF) + 1;

	return n + (write ? 1 : 2) + (t >> 16 & 15);
}

uint32_t
vb_fsmc_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	(void)idx;
	if (off < 0x20)
		return (off & 4) != 0 ? vb->fsmc.btr[off / 8] : vb->fsmc.bcr[off / 8];
	if (off >= 0x104 && off < 0x120 && (off & 4) != 0)
		return vb->fsmc.bwtr[(off - 0x104) / 8];
	vb_unmodelled(vb, "register");
	return 0;
}

void
vb_fsmc_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	(void)idx;
	if (off < 0x20 && (off & 4) == 0) {
		if ((val & 1) != 0 && ((val >> 4 & 3) != 1 || (val & 2) != 0))
			vb_unmodelled(vb, "a bus that is not 16 bits wide, or multiplexed");
		vb->fsmc.bcr[off / 8] = val;
	} else if (off < 0x20) {
		vb->fsmc.btr[off / 8] = val;
	} else if (off >= 0x104 && off < 0x120 && (off & 4) != 0) {
		vb->fsmc.bwtr[(off - 0x104) / 8] = val;
	} else {
		vb_unmodelled(vb, "register");
	}
}

/* ---- the rest ------------------------------------------------------------ */

void
vb_misc_reset(struct cw_vb *vb)
{
	vb->crc_dr = 0xFFFFFFFF;
	vb->pwr_cr = 0;
}

static uint32_t
sysmem_read(struct cw_vb *vb, uint32_t off)
{
	uint32_t v;

	if (off == 0)
		return 0xFFFF0000 | CW_VB_FLASH_LEN / 1024;
	if (off >= 8 && off < 20) {
		memcpy(&v, vb->cfg.uid + (off - 8), 4);
		return v;
	}
	if (off == 0x20)
		return 0x00FF5AA5;	/* option bytes: not protected */
	if (off > 0x20)
		return 0x00FF00FF;
	vb_unmodelled(vb, "system memory");
	return 0;
}

uint32_t
vb_misc_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	if (idx == 0)
		return sysmem_read(vb, off);
	if (idx == 1 && off >= 4 && off < 4 + 4 * 42)
		return vb->bkp[off / 4];
	if (idx == 2 && off <= 4)
		return off == 0 ? vb->pwr_cr : vb->pwr_csr;
	if (idx == 3 && off == 0)
		return vb->crc_dr;
	if (idx == 4 && off == 0)
		return 0x10036414;	/* high density, revision Y */
	if (idx == 4)
		return 0;
	vb_unmodelled(vb, "register");
	return 0;
}

static void
crc_feed(struct cw_vb *vb, uint32_t val)
{
	int i;

	vb->crc_dr ^= val;
	for (i = 0; i < 32; i++)
		vb->crc_dr = vb->crc_dr << 1 ^ ((vb->crc_dr >> 31) != 0 ? 0x04C11DB7 : 0);
}

void
vb_misc_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	if (idx == 1 && off >= 4 && off < 4 + 4 * 42) {
		if ((vb->pwr_cr & 0x100) == 0)
			vb_unmodelled(vb, "backup registers are protected (DBP)");
		else
			vb->bkp[off / 4] = val & 0xFFFF;
	} else if (idx == 2 && off == 0) {
		if ((val & 3) != 0)
			vb_unmodelled(vb, "stop and standby");
		vb->pwr_cr = val & 0x1F0;
	} else if (idx == 3 && off == 0) {
		crc_feed(vb, val);
	} else if (idx == 3 && off == 8) {
		if ((val & 1) != 0)
			vb->crc_dr = 0xFFFFFFFF;
	} else if (idx != 4) {
		vb_unmodelled(vb, "register");
	}
}
