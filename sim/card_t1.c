/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sim/card_t1.h"

#define HEAD 3
#define IFSD_DEFAULT 32

static uint8_t
lrc(const uint8_t *buf, size_t len)
{
	uint8_t sum = 0;

	while (len > 0)
		sum ^= buf[--len];
	return sum;
}

/* Bit by bit from the least significant one, as the shift register does it. */
static uint16_t
crc(const uint8_t *buf, size_t len)
{
	unsigned int reg = 0xffff, in;
	size_t i;

	for (i = 0; i < 8 * len; i++) {
		in = (buf[i / 8] >> (i % 8) ^ reg) & 1;
		reg >>= 1;
		if (in != 0)
			reg ^= 0x8408;
	}
	return (uint16_t)reg;
}

static size_t
tail_len(const struct cw_card_t1 *c)
{
	return c->cfg.crc ? 2 : 1;
}

static void
seal(struct cw_card_t1 *c)
{
	size_t len = HEAD + (size_t)c->out[2];
	uint16_t v;

	if (c->cfg.crc) {
		v = crc(c->out, len);
		c->out[len] = (uint8_t)(v >> 8);
		c->out[len + 1] = (uint8_t)v;
	} else {
		c->out[len] = lrc(c->out, len);
	}
	c->out_len = len + tail_len(c);
}

static enum cw_card_t1_what
say(struct cw_card_t1 *c, uint8_t pcb, const uint8_t *inf, size_t len)
{
	c->out[0] = 0x00;
	c->out[1] = pcb;
	c->out[2] = (uint8_t)len;
	if (len > 0)
		memcpy(c->out + HEAD, inf, len);
	seal(c);
	c->asked_time = false;
	return CW_CARD_T1_SAY;
}

static enum cw_card_t1_what
say_r(struct cw_card_t1 *c, uint8_t error)
{
	return say(c, (uint8_t)(0x80 | c->expect << 4 | error), NULL, 0);
}

/* The I-block at rsp_off, again or for the first time. */
static enum cw_card_t1_what
say_i(struct cw_card_t1 *c)
{
	size_t left = c->rsp_len - c->rsp_off;
	bool more;

	c->rsp_part = left < c->ifsd ? left : c->ifsd;
	more = left > c->rsp_part;
	return say(c, (uint8_t)(c->number << 6 | more << 5),
	    c->rsp + c->rsp_off, c->rsp_part);
}

void
cw_card_t1_init(struct cw_card_t1 *c, const struct cw_card_t1_cfg *cfg)
{
	memset(c, 0, sizeof *c);
	c->cfg = *cfg;
	c->ifsd = IFSD_DEFAULT;
}

void
cw_card_t1_answer(struct cw_card_t1 *c, const uint8_t *rsp, size_t len)
{
	c->rsp = rsp;
	c->rsp_len = len;
	c->rsp_off = 0;
	say_i(c);
}

void
cw_card_t1_ask_time(struct cw_card_t1 *c, uint8_t multiplier)
{
	say(c, 0xc3, &multiplier, 1);
	c->asked_time = true;
}

void
cw_card_t1_refuse(struct cw_card_t1 *c, uint8_t error)
{
	say_r(c, error);
}

void
cw_card_t1_abort(struct cw_card_t1 *c)
{
	say(c, 0xc2, NULL, 0);
}

void
cw_card_t1_forge(struct cw_card_t1 *c, uint8_t pcb)
{
	c->out[1] = pcb;
	seal(c);
}

/* An I-block of the reader's; the one that we have said is acknowledged. */
static enum cw_card_t1_what
take_i(struct cw_card_t1 *c, uint8_t pcb, const uint8_t *inf, size_t len)
{
	bool more = (pcb & 0x20) != 0;

	if ((pcb & 0x1f) != 0 || (pcb >> 6 & 1) != c->expect ||
	    len > c->cfg.ifsc ||
	    (c->rsp_part > 0 && c->rsp_off + c->rsp_part < c->rsp_len))
		return say_r(c, 2);
	if (c->rsp_part > 0) {
		c->rsp_part = 0;
		c->number ^= 1;
		c->cmd_len = 0;
		c->too_long = false;
	}
	c->expect ^= 1;
	if (len <= c->cfg.cmd_cap - c->cmd_len) {
		memcpy(c->cfg.cmd + c->cmd_len, inf, len);
		c->cmd_len += len;
	} else {
		c->too_long = true;
	}
	return more ? say_r(c, 0) : CW_CARD_T1_EXEC;
}

static enum cw_card_t1_what
take_r(struct cw_card_t1 *c, uint8_t pcb)
{
	uint8_t n = pcb >> 4 & 1;

	/* No I-block of ours is open: what we said last comes again. */
	if (c->rsp_part == 0 || c->asked_time)
		return c->out_len > 0 ? CW_CARD_T1_SAY : say_r(c, 0);
	if (n == c->number)
		return say_i(c);
	if (c->rsp_off + c->rsp_part == c->rsp_len)
		return say_r(c, 2);
	c->rsp_off += c->rsp_part;
	c->number ^= 1;
	return say_i(c);
}

static enum cw_card_t1_what
take_s(struct cw_card_t1 *c, uint8_t pcb, const uint8_t *inf, size_t len)
{
	struct cw_card_t1_cfg cfg = c->cfg;

	switch (pcb) {
	case 0xc0:
		cw_card_t1_init(c, &cfg);
		return say(c, 0xe0, NULL, 0);
	case 0xc1:
		if (len != 1 || inf[0] == 0 || inf[0] == 255)
			break;
		c->ifsd = inf[0];
		return say(c, 0xe1, inf, 1);
	case 0xe3:
		if (c->asked_time && len == 1)
			return say_i(c);
		break;
	default:
		break;
	}
	return say_r(c, 2);
}

static enum cw_card_t1_what
wrong(struct cw_card_t1 *c)
{
	/* A request is repeated, anything else asked for again. */
	return c->asked_time ? CW_CARD_T1_SAY : say_r(c, 1);
}

static enum cw_card_t1_what
judge(struct cw_card_t1 *c)
{
	uint8_t in[CW_CARD_T1_BLOCK_MAX], pcb;
	size_t len = c->in[2], body = HEAD + len;
	bool good;

	if (c->cfg.crc)
		good = crc(c->in, body) ==
		    (c->in[body] << 8 | c->in[body + 1]);
	else
		good = lrc(c->in, body + 1) == 0;
	memcpy(in, c->in, body);
	pcb = in[1];
	c->in_len = 0;
	if (!good || c->in_bad || in[0] != 0)
		return wrong(c);
	if ((pcb & 0x80) == 0)
		return take_i(c, pcb, in + HEAD, len);
	if ((pcb & 0x40) == 0)
		return len == 0 ? take_r(c, pcb) : say_r(c, 2);
	return take_s(c, pcb, in + HEAD, len);
}

enum cw_card_t1_what
cw_card_t1_take(struct cw_card_t1 *c, uint8_t ch, bool bad)
{
	if (c->in_len == 0)
		c->in_bad = false;
	c->in_bad |= bad;

	/* With an impossible LEN nobody knows where the block ends. */
	if (c->in_len < sizeof c->in)
		c->in[c->in_len] = ch;
	c->in_len++;
	if (c->in_len < HEAD || c->in[2] == 255 ||
	    c->in_len < HEAD + c->in[2] + tail_len(c))
		return CW_CARD_T1_MORE;
	return judge(c);
}

enum cw_card_t1_what
cw_card_t1_silence(struct cw_card_t1 *c)
{
	if (c->in_len == 0)
		return CW_CARD_T1_MORE;
	c->in_len = 0;
	return wrong(c);
}
