/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/* Flash controller (PM0075): the core stands still while it works, for it runs
 * from the flash. Times of the data sheet, typical. */

#define WRITE_US 52
#define ERASE_MS 20
#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu

#define SR_PGERR (1u << 2)
#define SR_WRPRTERR (1u << 4)
#define SR_EOP (1u << 5)
#define CR_PG (1u << 0)
#define CR_PER (1u << 1)
#define CR_MER (1u << 2)
#define CR_STRT (1u << 6)
#define CR_LOCK (1u << 7)

void
vb_flash_reset(struct cw_vb *vb)
{
	struct vb_flash *f = &vb->flash;
	uint32_t wrpr = f->wrpr, obr = f->obr;

	memset(f, 0, sizeof *f);
	f->acr = 0x30;
	f->cr = CR_LOCK;
	f->wrpr = wrpr == 0 && obr == 0 ? 0xFFFFFFFF : wrpr;
	f->obr = 0x03FFFFFC;
	vb_clock_changed(vb);
}

/* One bit of WRPR holds two pages of 2 KiB, the last all from page 62 on. */
static bool
write_protected(const struct cw_vb *vb, uint32_t off)
{
	uint32_t bit = off / CW_BOARD_FLASH_PAGE / 2;

	return (vb->flash.wrpr >> (bit > 31 ? 31 : bit) & 1) == 0;
}

/* The core fetches from the flash: its next instruction comes when it is done. */
static void
stand_still(struct cw_vb *vb, uint64_t ticks)
{
	vb->flash.busy_until = vb->now + ticks;
	if (vb->blk_addr - CW_BOARD_RAM_BASE >= CW_VB_RAM_LEN) {
		vb->cycles += ticks / vb->tpc;
		vb->now += ticks;
	}
}

static void
put(struct cw_vb *vb, uint32_t off, const void *buf, size_t len)
{
	/* Through Unicorn, so that translated code of old content goes. */
	uc_mem_write(vb->uc, CW_BOARD_FLASH_BASE + off, buf, len);
}

bool
vb_flash_store(struct cw_vb *vb, uint32_t addr, unsigned size, uint32_t val)
{
	struct vb_flash *f = &vb->flash;
	uint32_t off = addr - CW_BOARD_FLASH_BASE;
	uint16_t was, now = (uint16_t)val;

	if ((f->cr & CR_PG) == 0 || size != 2 || off >= CW_VB_FLASH_LEN || (off & 1) != 0) {
		vb_unmodelled(vb, size != 2 ? "the flash takes half-words" :
		    "write to flash without PG");
		return false;
	}
	if (vb->now < f->busy_until) {
		vb_unmodelled(vb, "write to flash while it is busy");
		return false;
	}
	memcpy(&was, vb->cfg.flash + off, 2);
	if (was != 0xFFFF && now != 0) {
		f->sr |= SR_PGERR;
		return true;
	}
	if (write_protected(vb, off)) {
		f->sr |= SR_WRPRTERR;
		return true;
	}
	switch (vb_write_comes(vb)) {
	case 1:
		return true;
	case 2:
		now = (uint16_t)(was & (now | vb_rnd(vb)));
		break;
	default:
		break;
	}
	put(vb, off, &now, 2);
	stand_still(vb, CW_VB_US(WRITE_US));
	f->sr |= SR_EOP;
	return true;
}

static void
erase(struct cw_vb *vb, uint32_t off)
{
	uint8_t page[CW_BOARD_FLASH_PAGE];
	size_t i;
	int how;

	if (write_protected(vb, off)) {
		vb->flash.sr |= SR_WRPRTERR;
		return;
	}
	how = vb_write_comes(vb);
	if (how == 1)
		return;
	memset(page, 0xFF, sizeof page);
	if (how == 2) {
		/* Some cells have let go, others not. */
		for (i = 0; i < sizeof page; i++)
			page[i] = (uint8_t)(vb->cfg.flash[off + i] | vb_rnd(vb));
	}
	put(vb, off, page, sizeof page);
	stand_still(vb, CW_VB_MS(ERASE_MS));
	vb->flash.sr |= SR_EOP;
}

static void
cr_write(struct cw_vb *vb, uint32_t val)
{
	struct vb_flash *f = &vb->flash;
	uint32_t off = f->ar - CW_BOARD_FLASH_BASE;

	if ((f->cr & CR_LOCK) != 0) {
		if ((val & CR_LOCK) == 0 || (val & (CR_PG | CR_PER | CR_MER)) != 0)
			vb_unmodelled(vb, "the flash is locked");
		return;
	}
	if ((val & (CR_MER | 1u << 4 | 1u << 5)) != 0) {
		vb_unmodelled(vb, "mass erase and option bytes");
		return;
	}
	f->cr = val & 0x16F7 & ~CR_STRT;
	if ((val & CR_LOCK) != 0)
		f->cr = CR_LOCK;
	if ((val & CR_STRT) == 0)
		return;
	if ((val & CR_PER) == 0 || off >= CW_VB_FLASH_LEN)
		vb_unmodelled(vb, "start without a page of the flash");
	else
		erase(vb, off & ~(CW_BOARD_FLASH_PAGE - 1));
}

static void
key_write(struct cw_vb *vb, uint32_t val)
{
	struct vb_flash *f = &vb->flash;

	if (f->locked_out || (f->cr & CR_LOCK) == 0)
		return;
	if (f->key == 0 && val == KEY1) {
		f->key = 1;
	} else if (f->key == 1 && val == KEY2) {
		f->key = 0;
		f->cr &= ~CR_LOCK;
	} else {
		f->locked_out = true;
		vb_unmodelled(vb, "wrong key: locked until reset");
	}
}

uint32_t
vb_flash_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	struct vb_flash *f = &vb->flash;

	(void)idx;
	switch (off) {
	case 0x00: return f->acr;
	case 0x0C: return f->sr | (vb->now < f->busy_until ? 1 : 0);
	case 0x10: return f->cr;
	case 0x14: return f->ar;
	case 0x1C: return f->obr;
	case 0x20: return f->wrpr;
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

void
vb_flash_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_flash *f = &vb->flash;

	(void)idx;
	switch (off) {
	case 0x00:
		f->acr = (val & 0x1F) | (val & 0x10) << 1;
		vb_clock_changed(vb);
		break;
	case 0x04: key_write(vb, val); break;
	case 0x0C: f->sr &= ~(val & (SR_PGERR | SR_WRPRTERR | SR_EOP)); break;
	case 0x10: cr_write(vb, val); break;
	case 0x14: f->ar = val; break;
	default: vb_unmodelled(vb, "register"); break;
	}
}
