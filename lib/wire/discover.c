/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/discover.h"

#include <string.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "cw/rlink.h"

#include "wire.h"

#define MAGIC 0x43575244u	/* "CWRD" */
#define VERSION 1
#define REQUEST 1
#define ANSWER 2
#define BODY_END (CW_DISC_LEN - 4)	/* the check value stands behind it */
#define TOKEN 1000000u

const char *
cw_disc_state_name(uint8_t state)
{
	switch (state) {
	case CW_DISC_FREE:
		return "free";
	case CW_DISC_SERVED:
		return "served";
	case CW_DISC_UPDATE:
		return "update";
	case CW_DISC_FAULT:
		return "fault";
	default:
		return "?";
	}
}

static struct cw_wr
begin(uint8_t *out, uint8_t type, uint64_t nonce)
{
	struct cw_wr w = cw_wr_init(out, BODY_END);

	memset(out, 0, CW_DISC_LEN);
	cw_wr_u32(&w, MAGIC);
	cw_wr_u8(&w, VERSION);
	cw_wr_u8(&w, type);
	cw_wr_u16(&w, 0);
	cw_wr_u64(&w, nonce);
	return w;
}

static void
seal(uint8_t *out)
{
	struct cw_wr w = cw_wr_init(out + BODY_END, 4);

	cw_wr_u32(&w, cw_crc32(0, out, BODY_END));
}

void
cw_disc_put_request(uint8_t out[CW_DISC_LEN], uint64_t nonce)
{
	(void)begin(out, REQUEST, nonce);
	seal(out);
}

static bool
info_ok(const struct cw_disc_info *i)
{
	return (i->link == CW_DISC_LINK_PLAIN || i->link == CW_DISC_LINK_TLS) &&
	    i->state >= CW_DISC_FREE && i->state <= CW_DISC_FAULT &&
	    i->slot_cnt >= 1 && i->slot_cnt <= CW_RLINK_SLOTS_MAX &&
	    i->port != 0;
}

int
cw_disc_put_answer(uint8_t out[CW_DISC_LEN], uint64_t nonce,
    const struct cw_disc_info *info)
{
	struct cw_wr w = begin(out, ANSWER, nonce);

	if (!info_ok(info) ||
	    !cw_wire_text_ok(info->firmware, sizeof info->firmware) ||
	    !cw_wire_text_ok(info->identity, sizeof info->identity) ||
	    !cw_wire_text_ok(info->name, sizeof info->name))
		return CW_EINVAL;
	cw_wr_bytes(&w, info->serial, sizeof info->serial);
	cw_wr_u64(&w, info->boot_id);
	cw_wr_u32(&w, info->addr);
	cw_wr_u16(&w, info->port);
	cw_wr_u8(&w, info->link);
	cw_wr_u8(&w, info->state);
	cw_wr_u8(&w, info->slot_cnt);
	cw_wr_str8(&w, info->firmware);
	cw_wr_str8(&w, info->identity);
	cw_wr_str8(&w, info->name);
	CW_ASSERT(cw_wr_done(&w) > 0);
	seal(out);
	return 0;
}

/* The head; the cursor stands behind it. */
static int
open_head(struct cw_rd *r, uint8_t type, uint64_t *nonce, const uint8_t *buf,
    size_t len)
{
	struct cw_rd crc;
	uint8_t version, have;
	uint16_t rest;

	if (len != CW_DISC_LEN)
		return len < CW_DISC_LEN ? CW_ESHORT : CW_ETOOBIG;
	*r = cw_rd_init(buf, BODY_END);
	crc = cw_rd_init(buf + BODY_END, 4);
	if (cw_rd_u32(r) != MAGIC)
		return CW_EFORMAT;
	if (cw_rd_u32(&crc) != cw_crc32(0, buf, BODY_END))
		return CW_ECRC;
	version = cw_rd_u8(r);
	have = cw_rd_u8(r);
	rest = cw_rd_u16(r);
	*nonce = cw_rd_u64(r);
	if (version != VERSION)
		return CW_EVERSION;
	return have == type && rest == 0 ? 0 : CW_EFORMAT;
}

/* What follows the last field must be zero. */
static bool
padding_ok(struct cw_rd *r)
{
	size_t left = cw_rd_left(r), i;
	const uint8_t *p = cw_rd_bytes(r, left);

	for (i = 0; p != NULL && i < left; i++)
		if (p[i] != 0)
			return false;
	return cw_rd_done(r) == 0;
}

int
cw_disc_get_request(const uint8_t *buf, size_t len, uint64_t *nonce)
{
	struct cw_rd r;
	int err = open_head(&r, REQUEST, nonce, buf, len);

	if (err < 0)
		return err;
	return padding_ok(&r) ? 0 : CW_EFORMAT;
}

int
cw_disc_get_answer(struct cw_disc_info *info, uint64_t *nonce,
    const uint8_t *buf, size_t len)
{
	struct cw_rd r;
	int err = open_head(&r, ANSWER, nonce, buf, len);

	memset(info, 0, sizeof *info);
	if (err < 0)
		return err;
	cw_rd_copy(&r, info->serial, sizeof info->serial);
	info->boot_id = cw_rd_u64(&r);
	info->addr = cw_rd_u32(&r);
	info->port = cw_rd_u16(&r);
	info->link = cw_rd_u8(&r);
	info->state = cw_rd_u8(&r);
	info->slot_cnt = cw_rd_u8(&r);
	cw_rd_str8(&r, info->firmware, sizeof info->firmware);
	cw_rd_str8(&r, info->identity, sizeof info->identity);
	cw_rd_str8(&r, info->name, sizeof info->name);
	return padding_ok(&r) && info_ok(info) ? 0 : CW_EFORMAT;
}

/* Tokens come back with time; no clock needs to start at zero. */
static bool
token_take(struct cw_disc *d, uint64_t now_us)
{
	uint64_t more;

	if (!d->started) {
		d->started = true;
		d->tokens = CW_DISC_BURST * TOKEN;
	} else {
		more = now_us - d->last_us;
		if (more > TOKEN)
			more = TOKEN;
		d->tokens += (uint32_t)more * CW_DISC_RATE;
		if (d->tokens > CW_DISC_BURST * TOKEN)
			d->tokens = CW_DISC_BURST * TOKEN;
	}
	d->last_us = now_us;
	if (d->tokens < TOKEN)
		return false;
	d->tokens -= TOKEN;
	return true;
}

size_t
cw_disc_serve(struct cw_disc *d, const struct cw_disc_info *me,
    const uint8_t *in, size_t len, uint64_t now_us, uint8_t out[CW_DISC_LEN])
{
	uint64_t nonce;
	int err;

	if (cw_disc_get_request(in, len, &nonce) < 0) {
		d->malformed_cnt++;
		return 0;
	}
	if (!token_take(d, now_us)) {
		d->limited_cnt++;
		return 0;
	}
	err = cw_disc_put_answer(out, nonce, me);
	CW_ASSERT(err == 0);
	d->answered_cnt++;
	return CW_DISC_LEN;
}
