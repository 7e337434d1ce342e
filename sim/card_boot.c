/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/sha256.h"
#include "sim/card_core.h"

#define CHIP_TYPE 0xC401	/* the simulated chip, docs/spec/simcard.md */

/* The factory's boot code takes commands only while no image is active. */
static uint16_t
boot_refuse(const struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint8_t ins = c->hdr[1];

	if (c->cos_runs || (c->boot_state == CW_CARD_ACTIVE &&
	    ins != CW_BOOT_IDENTIFY))
		return 0x6982;
	if (f->kind == CW_FAULT_NO_BOOT &&
	    (ins == CW_BOOT_IDENTIFY || ins == CW_BOOT_ERASE))
		return f->arg != 0 ? f->arg : 0x6F00;
	if (c->hdr[2] != 0 || c->hdr[3] != 0)
		return 0x6A86;
	return 0;
}

static uint16_t
identify(struct cw_sim_card *c)
{
	struct cw_boot_info i = {
		.version = 1,
		.state = c->boot_state,
		.chip_type = CHIP_TYPE,
		.flash_base = c->cfg.flash_base,
		.flash_len = c->cfg.flash_len,
		.page_len = CW_CARD_PAGE_LEN,
		.block_max = CW_BOOT_BLOCK_MAX,
		.erase_us = c->cfg.erase_us,
	};

	if (c->hdr[4] != CW_BOOT_INFO_LEN)
		return 0x6C00 | CW_BOOT_INFO_LEN;
	memcpy(i.serial, c->cfg.serial, sizeof i.serial);
	c->rsp_len = (uint16_t)cw_boot_info_put(&i, c->rsp, sizeof c->rsp);
	return 0x9000;
}

uint16_t
cw_card_boot_head(struct cw_sim_card *c)
{
	uint8_t ins = c->hdr[1], p3 = c->hdr[4];
	uint16_t sw;

	if (ins != CW_BOOT_IDENTIFY && ins != CW_BOOT_ERASE &&
	    ins != CW_BOOT_WRITE && ins != CW_BOOT_VERIFY &&
	    ins != CW_BOOT_ACTIVATE)
		return 0x6D00;
	if ((sw = boot_refuse(c)) != 0)
		return sw;
	if (ins == CW_BOOT_IDENTIFY)
		return identify(c);

	/* Lengths are known from the header: no need to take the data. */
	if (ins == CW_BOOT_WRITE ? p3 < 4 + 1 + 2 :
	    p3 != (ins == CW_BOOT_VERIFY ? 4 + 4 + 32 : 4 + 4))
		return 0x6700;
	return 0;
}

/* Offset of [addr, addr + len) in the flash, or UINT32_MAX when outside. */
static uint32_t
range_off(const struct cw_sim_card *c, uint32_t addr, uint32_t len)
{
	uint32_t off = addr - c->cfg.flash_base;

	if (addr < c->cfg.flash_base || len == 0 || len > c->cfg.flash_len ||
	    off > c->cfg.flash_len - len)
		return UINT32_MAX;
	return off;
}

static uint16_t
erase(struct cw_sim_card *c, uint32_t addr, uint32_t len)
{
	uint32_t off = range_off(c, addr, len), page, end;

	if (off == UINT32_MAX || off % CW_CARD_PAGE_LEN != 0)
		return 0x6B00;
	page = off / CW_CARD_PAGE_LEN;
	end = (off + len - 1) / CW_CARD_PAGE_LEN;
	c->work_us += (uint64_t)c->cfg.erase_us * (end - page + 1);
	for (; page <= end; page++) {
		memset(c->flash + page * CW_CARD_PAGE_LEN, 0xFF,
		    CW_CARD_PAGE_LEN);
		c->flash[c->cfg.flash_len + page / 8] |=
		    (uint8_t)(1u << page % 8);
	}
	c->boot_state = CW_CARD_LOADING;
	c->write_cnt = 0;
	return 0x9000;
}

static bool
is_erased(const struct cw_sim_card *c, uint32_t off, uint32_t len)
{
	uint32_t page = off / CW_CARD_PAGE_LEN;
	uint32_t end = (off + len - 1) / CW_CARD_PAGE_LEN;

	for (; page <= end; page++)
		if ((c->flash[c->cfg.flash_len + page / 8] &
		    1u << page % 8) == 0)
			return false;
	return true;
}

/*
 * Flash cells only go from 1 to 0: a block may be written again with the same
 * content (a reader that repeats), anything else needs an ERASE.
 */
static uint16_t
write_block(struct cw_sim_card *c, uint32_t addr, uint32_t len)
{
	const uint8_t *src = c->data + 4;
	uint16_t crc = cw_crc16(0xFFFF, c->data, 4 + len);
	uint32_t off = range_off(c, addr, len), i;
	uint8_t *dst, lost = 0;

	if (src[len] != crc >> 8 || src[len + 1] != (crc & 0xFF))
		return 0x6A80;
	if (off == UINT32_MAX)
		return 0x6B00;
	if (c->boot_state == CW_CARD_BLANK || !is_erased(c, off, len))
		return 0x6985;
	c->boot_state = CW_CARD_LOADING;
	c->work_us += c->cfg.write_us;
	if (c->cfg.fault.kind == CW_FAULT_FLASH &&
	    c->write_cnt++ == c->cfg.fault.n)
		return 0x6981;

	dst = c->flash + off;
	for (i = 0; i < len; i++) {
		dst[i] &= src[i];
		lost |= dst[i] ^ src[i];
	}
	return lost == 0 ? 0x9000 : 0x6981;
}

static uint16_t
verify(struct cw_sim_card *c, uint32_t addr, uint32_t len)
{
	uint32_t off = range_off(c, addr, len);
	uint8_t digest[32];

	if (off == UINT32_MAX)
		return 0x6B00;
	if (c->boot_state == CW_CARD_BLANK)
		return 0x6985;
	cw_sha256(digest, c->flash + off, len);
	if (memcmp(digest, c->data + 8, sizeof digest) != 0) {
		c->boot_state = CW_CARD_LOADING;
		return 0x6A80;
	}
	memcpy(c->digest, digest, sizeof digest);
	c->image_addr = addr;
	c->image_len = len;
	c->boot_state = CW_CARD_VERIFIED;
	return 0x9000;
}

static uint16_t
activate(struct cw_sim_card *c, uint32_t addr, uint32_t len)
{
	if (range_off(c, addr, len) == UINT32_MAX)
		return 0x6B00;
	if (c->boot_state != CW_CARD_VERIFIED || addr != c->image_addr ||
	    len != c->image_len)
		return 0x6985;
	c->work_us += c->cfg.write_us;
	if (c->cfg.fault.kind == CW_FAULT_NO_COS)
		return 0x9000;

	/* A finished card needs no more than the digest of its image. */
	c->boot_state = CW_CARD_ACTIVE;
	c->cos = true;
	free(c->flash);
	c->flash = NULL;
	cw_card_fs_init(c);
	return 0x9000;
}

uint16_t
cw_card_boot_data(struct cw_sim_card *c)
{
	struct cw_rd r = cw_rd_init(c->data, c->hdr[4]);
	uint32_t addr = cw_rd_u32(&r);

	switch (c->hdr[1]) {
	case CW_BOOT_WRITE:
		return write_block(c, addr, c->hdr[4] - 6u);
	case CW_BOOT_ERASE:
		return erase(c, addr, cw_rd_u32(&r));
	case CW_BOOT_VERIFY:
		return verify(c, addr, cw_rd_u32(&r));
	default:
		return activate(c, addr, cw_rd_u32(&r));
	}
}
