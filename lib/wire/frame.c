/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "cw/frame.h"

#define HDR_CRC_OFF 12	/* the header's own check value covers what precedes it */

int
cw_frame_peek(struct cw_frame *f, const uint8_t *buf, size_t len,
    uint8_t version, uint32_t body_max)
{
	struct cw_rd r = cw_rd_init(buf, len < CW_FRAME_HDR ? len : CW_FRAME_HDR);
	uint32_t hdr_crc, body_crc;

	/* A stranger's first byte is enough to hang up on. */
	if (len > 0 && buf[0] != CW_FRAME_MAGIC >> 8)
		return CW_EFORMAT;
	if (len > 1 && buf[1] != (CW_FRAME_MAGIC & 0xff))
		return CW_EFORMAT;
	if (len < CW_FRAME_HDR)
		return 0;

	cw_rd_u16(&r);
	f->version = cw_rd_u8(&r);
	f->type = cw_rd_u8(&r);
	f->body_len = cw_rd_u32(&r);
	f->id = cw_rd_u32(&r);
	hdr_crc = cw_rd_u32(&r);
	body_crc = cw_rd_u32(&r);
	f->body = NULL;

	/* The check comes before the fields: a damaged version is no version. */
	if (cw_crc32(0, buf, HDR_CRC_OFF) != hdr_crc)
		return CW_ECRC;
	if (f->version != version)
		return CW_EVERSION;
	if (f->body_len > body_max)
		return CW_ETOOBIG;
	if (len - CW_FRAME_HDR < f->body_len)
		return 0;

	f->body = buf + CW_FRAME_HDR;
	if ((cw_crc32(0, f->body, f->body_len) ^ hdr_crc) != body_crc)
		return CW_ECRC;
	return (int)(CW_FRAME_HDR + f->body_len);
}

size_t
cw_frame_seal(uint8_t *buf, uint8_t version, uint8_t type, uint32_t id,
    uint32_t body_len)
{
	struct cw_wr w = cw_wr_init(buf, CW_FRAME_HDR);
	uint32_t hdr_crc;

	cw_wr_u16(&w, CW_FRAME_MAGIC);
	cw_wr_u8(&w, version);
	cw_wr_u8(&w, type);
	cw_wr_u32(&w, body_len);
	cw_wr_u32(&w, id);
	hdr_crc = cw_crc32(0, buf, HDR_CRC_OFF);
	cw_wr_u32(&w, hdr_crc);
	cw_wr_u32(&w, cw_crc32(0, buf + CW_FRAME_HDR, body_len) ^ hdr_crc);
	return (size_t)CW_FRAME_HDR + body_len;
}
