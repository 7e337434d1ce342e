/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/boot.h"
#include "cw/bytes.h"
#include "cw/err.h"

#define CMD_HDR 5	/* CLA INS P1 P2 and Lc or Le */

int
cw_boot_info_get(struct cw_boot_info *i, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);
	int err;

	i->version = cw_rd_u8(&r);
	i->state = cw_rd_u8(&r);
	i->chip_type = cw_rd_u16(&r);
	cw_rd_copy(&r, i->serial, sizeof i->serial);
	i->flash_base = cw_rd_u32(&r);
	i->flash_len = cw_rd_u32(&r);
	i->page_len = cw_rd_u16(&r);
	i->block_max = cw_rd_u8(&r);
	i->erase_us = cw_rd_u32(&r);
	err = cw_rd_done(&r);
	if (err < 0)
		return err;
	if (i->version != CW_BOOT_VERSION)
		return CW_EVERSION;
	return i->state <= CW_BOOT_STATE_MAX ? 0 : CW_EFORMAT;
}

int
cw_boot_info_put(const struct cw_boot_info *i, uint8_t *out, size_t cap)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u8(&w, i->version);
	cw_wr_u8(&w, i->state);
	cw_wr_u16(&w, i->chip_type);
	cw_wr_bytes(&w, i->serial, sizeof i->serial);
	cw_wr_u32(&w, i->flash_base);
	cw_wr_u32(&w, i->flash_len);
	cw_wr_u16(&w, i->page_len);
	cw_wr_u8(&w, i->block_max);
	cw_wr_u32(&w, i->erase_us);
	return cw_wr_done(&w);
}

/* One command of addr, len and, for VERIFY, the digest. */
static void
add_range(struct cw_prog_builder *b, uint8_t ins, const struct cw_boot_job *j,
    bool with_digest)
{
	uint8_t apdu[CMD_HDR + 8 + sizeof j->digest];
	size_t data_len = with_digest ? 8 + sizeof j->digest : 8;
	struct cw_wr w = cw_wr_init(apdu, sizeof apdu);

	cw_wr_u8(&w, CW_BOOT_CLA);
	cw_wr_u8(&w, ins);
	cw_wr_u16(&w, 0);
	cw_wr_u8(&w, (uint8_t)data_len);
	cw_wr_u32(&w, j->addr);
	cw_wr_u32(&w, j->len);
	if (with_digest)
		cw_wr_bytes(&w, j->digest, sizeof j->digest);
	cw_prog_apdu(b, CW_STEP_BOOT, NULL, 0, apdu, w.len);
}

void
cw_boot_program(struct cw_prog_builder *b, const struct cw_boot_job *j)
{
	static const uint8_t identify[CMD_HDR] = {
		CW_BOOT_CLA, CW_BOOT_IDENTIFY, 0, 0, CW_BOOT_INFO_LEN,
	};
	struct cw_prog_load load = {
		.cla = CW_BOOT_CLA, .ins = CW_BOOT_WRITE,
		.addr = CW_LOAD_DATA_32, .check = CW_LOAD_CHECK_CRC16,
		.block_len = j->block_len, .base = j->addr, .len = j->len,
	};

	memcpy(load.digest, j->digest, sizeof load.digest);
	cw_prog_reset(b, false, NULL, NULL, 0);
	cw_prog_pps(b, j->ta1_max);
	cw_prog_apdu(b, CW_STEP_BOOT, NULL, 0, identify, sizeof identify);
	cw_prog_capture(b, CW_BOOT_CAPTURE_SERIAL, CW_BOOT_SERIAL_OFF,
	    CW_BOOT_SERIAL_LEN);
	add_range(b, CW_BOOT_ERASE, j, false);
	cw_prog_load(b, CW_STEP_BOOT, &load, NULL, 0);
	add_range(b, CW_BOOT_VERIFY, j, true);
	add_range(b, CW_BOOT_ACTIVATE, j, false);
	cw_prog_simple(b, CW_OP_POWER_OFF);
}
