/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/crc.h"
#include "xmodem.h"

#define SOH 0x01
#define STX 0x02
#define EOT 0x04
#define ACK 0x06
#define NAK 0x15
#define CAN 0x18

#define ASK_US 3000000u		/* between two C */
#define ASK_MAX 20		/* a minute until the operator has started his side */
#define GAP_US 1000000u		/* silence within a block */
#define BLOCK_US 10000000u	/* silence between blocks */

static void
say(struct cw_xmodem *x, uint8_t c)
{
	if (x->out_len < sizeof x->out)
		x->out[x->out_len++] = c;
}

static void
wait(struct cw_xmodem *x, uint64_t now_us)
{
	uint32_t us = x->have > 0 ? GAP_US :
	    x->state == CW_XM_ST_START ? ASK_US : BLOCK_US;

	x->due_us = now_us + us;
}

void
cw_xmodem_init(struct cw_xmodem *x, uint64_t now_us)
{
	memset(x, 0, sizeof *x);
	x->state = CW_XM_ST_START;
	x->first = true;
	x->due_us = now_us;
}

static enum cw_xmodem_event
over(struct cw_xmodem *x, enum cw_xmodem_event ev)
{
	if (ev == CW_XM_FAILED) {
		say(x, CAN);
		say(x, CAN);
	}
	x->state = CW_XM_ST_OVER;
	x->due_us = UINT64_MAX;
	return ev;
}

/* Noise or silence: asks for the block again. */
static enum cw_xmodem_event
again(struct cw_xmodem *x, uint64_t now_us)
{
	uint8_t max = x->first ? ASK_MAX : CW_XMODEM_ERRORS_MAX;

	x->have = 0;
	/* The file is whole; some senders end without the empty block. */
	if (x->state == CW_XM_ST_END && x->errors > 1)
		return over(x, CW_XM_DONE);
	if (x->errors++ >= max)
		return over(x, CW_XM_FAILED);
	say(x, x->state == CW_XM_ST_START || x->state == CW_XM_ST_END ?
	    'C' : NAK);
	wait(x, now_us);
	return CW_XM_WAIT;
}

/* Length in decimal behind the name's NUL; a name that is empty ends a batch. */
static void
block0_take(struct cw_xmodem *x, const uint8_t *p, size_t len)
{
	size_t i = 0, digits = 0;

	while (i < len && p[i] != 0)
		i++;
	x->left = 0;
	for (i++; i < len && p[i] >= '0' && p[i] <= '9' && digits < 9; i++) {
		x->left = x->left * 10 + (uint32_t)(p[i] - '0');
		digits++;
	}
	x->sized = digits > 0;
}

static enum cw_xmodem_event
data_take(struct cw_xmodem *x, size_t len)
{
	x->data = x->blk + 3;
	x->data_len = len;
	if (x->sized && x->data_len > x->left)
		x->data_len = x->left;
	x->state = CW_XM_ST_TAKING;
	x->due_us = UINT64_MAX;
	return CW_XM_DATA;
}

/* A block is whole and its check is right. */
static enum cw_xmodem_event
block_take(struct cw_xmodem *x, size_t len, uint64_t now_us)
{
	uint8_t seq = x->blk[1];

	x->have = 0;
	x->errors = 0;
	x->eot = false;
	if (x->state == CW_XM_ST_END) {
		/* The batch's next file: none, or one too many. */
		if (seq != 0 || x->blk[3] != 0)
			return over(x, CW_XM_FAILED);
		say(x, ACK);
		return over(x, CW_XM_DONE);
	}
	if (x->first && seq == 0) {
		if (x->blk[3] == 0)
			return over(x, CW_XM_FAILED);
		x->ymodem = true;
		block0_take(x, x->blk + 3, len);
		say(x, ACK);
		/* The file itself is asked for as the first block was. */
		say(x, 'C');
		x->seq = 1;
		x->first = false;
		wait(x, now_us);
		return CW_XM_WAIT;
	}
	if (x->first)
		x->seq = 1;
	/* Our answer was lost: it is the one before. */
	if (seq == (uint8_t)(x->seq - 1) && !x->first) {
		say(x, ACK);
		wait(x, now_us);
		return CW_XM_WAIT;
	}
	if (seq != x->seq)
		return over(x, CW_XM_FAILED);
	x->first = false;
	x->state = CW_XM_ST_BLOCK;
	return data_take(x, len);
}

/* YMODEM wants the first EOT refused, lest noise end a file. */
static enum cw_xmodem_event
eot_take(struct cw_xmodem *x, uint64_t now_us)
{
	if (x->first)
		return again(x, now_us);
	if (!x->eot) {
		x->eot = true;
		say(x, NAK);
		wait(x, now_us);
		return CW_XM_WAIT;
	}
	say(x, ACK);
	if (!x->ymodem)
		return over(x, CW_XM_DONE);
	say(x, 'C');
	x->state = CW_XM_ST_END;
	wait(x, now_us);
	return CW_XM_WAIT;
}

/* The first byte of a block, or one that stands alone. */
static enum cw_xmodem_event
lead_take(struct cw_xmodem *x, uint8_t c, uint64_t now_us)
{
	if (c != CAN)
		x->cans = 0;
	switch (c) {
	case SOH:
	case STX:
		x->blk[0] = c;
		x->have = 1;
		wait(x, now_us);
		return CW_XM_WAIT;
	case EOT:
		return eot_take(x, now_us);
	case CAN:
		return ++x->cans >= 2 ? over(x, CW_XM_CANCELLED) : CW_XM_WAIT;
	default:
		/* Noise between blocks; the silence after it asks again. */
		return CW_XM_WAIT;
	}
}

static enum cw_xmodem_event
byte_take(struct cw_xmodem *x, uint8_t c, uint64_t now_us)
{
	size_t len = x->blk[0] == STX ? 1024 : 128;
	uint16_t crc;

	if (x->have == 0)
		return lead_take(x, c, now_us);
	x->blk[x->have++] = c;
	if (x->have < 3 + len + 2) {
		wait(x, now_us);
		return CW_XM_WAIT;
	}
	crc = (uint16_t)(x->blk[3 + len] << 8 | x->blk[4 + len]);
	if ((x->blk[1] ^ x->blk[2]) != 0xFF ||
	    cw_crc16(0, x->blk + 3, len) != crc)
		return again(x, now_us);
	return block_take(x, len, now_us);
}

enum cw_xmodem_event
cw_xmodem_step(struct cw_xmodem *x, const uint8_t *buf, size_t len,
    size_t *used, uint64_t now_us)
{
	enum cw_xmodem_event ev = CW_XM_WAIT;
	size_t i;

	x->out_len = 0;
	*used = 0;
	if (x->state == CW_XM_ST_TAKING)
		return CW_XM_WAIT;
	if (x->state == CW_XM_ST_OVER) {
		*used = len;
		return CW_XM_FAILED;
	}
	for (i = 0; i < len && ev == CW_XM_WAIT && x->out_len == 0; i++)
		ev = byte_take(x, buf[i], now_us);
	*used = i;
	if (len == 0 && now_us >= x->due_us)
		ev = again(x, now_us);
	return ev;
}

void
cw_xmodem_taken(struct cw_xmodem *x, bool ok, uint64_t now_us)
{
	x->out_len = 0;
	if (!ok) {
		over(x, CW_XM_FAILED);
		return;
	}
	if (x->sized)
		x->left -= (uint32_t)x->data_len;
	x->seq++;
	x->state = CW_XM_ST_BLOCK;
	say(x, ACK);
	wait(x, now_us);
}
