/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/t0.h"

/*
 * The engine has two layers.  The inner one carries one command TPDU:
 *
 *	HEADER --sent--> PROC --ACK, data to the card--> DATA --sent--> PROC
 *	                 PROC --ACK, data from the card--> BLOCK --last--> PROC
 *	                 PROC --NULL, idle ACK--> PROC
 *	                 PROC --SW1--> SW2 --SW2--> end of the TPDU
 *
 * The outer one (tpdu_end) maps the APDU onto TPDUs: the command itself or its
 * ENVELOPEs, then re-issues and GET RESPONSEs.
 *
 *	HEADER	snd[snd_len] is on the line
 *	DATA	snd[snd_len] is on the line, tx_off counts it as sent
 *	PROC	a procedure byte is due; block_left is 0
 *	BLOCK	block_left > 0 acknowledged bytes are due
 *	SW2	sw1 is set, one character is due
 *	DONE, FAIL: nothing is borrowed any more
 */
enum {
	ST_HEADER = 1, ST_DATA, ST_PROC, ST_BLOCK, ST_SW2, ST_DONE, ST_FAIL
};

/* What the TPDU under way is to the APDU. */
enum { OUTER_COMMAND, OUTER_ENVELOPE, OUTER_GET };

#define NULL_BYTE 0x60		/* 10.3.3 */
#define INS_GET_RESPONSE 0xc0
#define INS_ENVELOPE 0xc2
#define ENVELOPE_MAX 255

static void
fail(struct cw_t0 *t, int err)
{
	t->state = ST_FAIL;
	t->err = err;
}

static void
send_bytes(struct cw_t0 *t, uint8_t state, const uint8_t *buf, size_t len)
{
	t->state = state;
	t->snd = buf;
	t->snd_len = len;
	t->repeat_cnt = 0;
}

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Sends t->hdr with what belongs to a new command. tx_len, rx_left are set. */
static void
tpdu_begin(struct cw_t0 *t)
{
	t->tx_off = 0;
	t->block_left = 0;
	t->kept = 0;
	t->idle_cnt = 0;
	t->null_cnt = 0;
	send_bytes(t, ST_HEADER, t->hdr, sizeof t->hdr);
}

/* The command itself: cases 1 to 4 but those that need ENVELOPE. */
static void
begin_command(struct cw_t0 *t)
{
	t->outer = OUTER_COMMAND;
	memcpy(t->hdr, t->cmd_buf, 4);
	t->tx = t->cmd.data;
	t->tx_len = t->cmd.lc;
	t->rx_left = 0;

	/* P3 = Lc; without data P3 = Le, where 256 and more are coded 0; case
	 * 1: 0, which stands for no data as nothing was asked (12.2.2). */
	if (t->cmd.lc > 0) {
		t->hdr[4] = (uint8_t)t->cmd.lc;
	} else if (t->cmd.le > 0) {
		t->rx_left = min_size(t->cmd.le, 256);
		t->hdr[4] = (uint8_t)t->rx_left;
	} else {
		t->hdr[4] = 0;
	}
	tpdu_begin(t);
}

/* The next part of an extended command (12.2.7). */
static void
begin_envelope(struct cw_t0 *t)
{
	size_t len = min_size(t->cmd_len - t->env_off, ENVELOPE_MAX);

	t->outer = OUTER_ENVELOPE;
	t->hdr[0] = t->cmd.cla;
	t->hdr[1] = INS_ENVELOPE;
	t->hdr[2] = 0;
	t->hdr[3] = 0;
	t->hdr[4] = (uint8_t)len;
	t->tx = t->cmd_buf + t->env_off;
	t->tx_len = len;
	t->rx_left = 0;
	t->env_off += len;
	tpdu_begin(t);
}

/* offered: how many the card has, 1..256 (12.2.5). */
static void
begin_get(struct cw_t0 *t, size_t offered)
{
	if (++t->round_cnt > CW_T0_ROUND_MAX) {
		fail(t, CW_EPROTO);
		return;
	}
	t->outer = OUTER_GET;
	t->resent = false;
	t->hdr[0] = t->cmd.cla;
	t->hdr[1] = INS_GET_RESPONSE;
	t->hdr[2] = 0;
	t->hdr[3] = 0;
	t->tx_len = 0;
	t->rx_left = min_size(offered, t->le_left);
	t->hdr[4] = (uint8_t)t->rx_left;
	tpdu_begin(t);
}

/* 6Cxx: the same command with the length that the card named (12.2.3). */
static void
begin_again(struct cw_t0 *t, uint8_t sw2)
{
	/* What came before the refusal comes again. */
	t->rsp_len -= t->kept;
	t->le_left += (uint32_t)t->kept;
	t->resent = true;
	t->rx_left = sw2 == 0 ? 256 : sw2;
	t->hdr[4] = sw2;
	tpdu_begin(t);
}

static void
finish(struct cw_t0 *t, uint8_t sw2)
{
	if (t->rsp_cap - t->rsp_len < 2) {
		fail(t, CW_EFULL);
		return;
	}
	t->rsp[t->rsp_len] = t->sw1;
	t->rsp[t->rsp_len + 1] = sw2;
	t->state = ST_DONE;
}

/* Status words by which a card says that it has processed the data. */
static bool
claims_success(uint8_t sw1, uint8_t sw2)
{
	return (sw1 == 0x90 && sw2 == 0) || sw1 == 0x61 || sw1 == 0x91 ||
	    sw1 == 0x9f;
}

/* SW1 SW2 are complete: what follows, by 12.2. */
static void
tpdu_end(struct cw_t0 *t, uint8_t sw2)
{
	size_t offered = sw2 == 0 ? 256 : sw2;
	bool normal = t->sw1 == 0x90 && sw2 == 0;

	if (t->tx_off < t->tx_len && claims_success(t->sw1, sw2)) {
		fail(t, CW_EPROTO);
		return;
	}
	if (t->outer == OUTER_ENVELOPE && t->env_off < t->cmd_len) {
		if (normal)
			begin_envelope(t);
		else
			finish(t, sw2);
		return;
	}
	if (t->cfg.manual_get || t->le_left == 0) {
		finish(t, sw2);
		return;
	}

	/* 9000 to the data of a case 4 command means: fetch Le bytes. */
	if (t->sw1 == 0x61)
		begin_get(t, offered);
	else if (normal && t->tx_len > 0)
		begin_get(t, 256);
	else if (t->sw1 == 0x6c && t->tx_len == 0 && !t->resent)
		begin_again(t, sw2);
	else
		finish(t, sw2);
}

/* ACK (all that is left) or its complement (one byte): 10.3.3. */
static void
acknowledged(struct cw_t0 *t, bool all)
{
	size_t left = t->tx_len > 0 ? t->tx_len - t->tx_off : t->rx_left;
	size_t n = all ? left : min_size(left, 1);

	if (n == 0) {
		/* Nothing is left: legal, and pointless. */
		if (++t->idle_cnt > CW_T0_IDLE_MAX)
			fail(t, CW_EPROTO);
	} else if (t->tx_len > 0) {
		send_bytes(t, ST_DATA, t->tx + t->tx_off, n);
		t->tx_off += n;
	} else {
		t->state = ST_BLOCK;
		t->block_left = n;
	}
}

static void
procedure_byte(struct cw_t0 *t, uint8_t c)
{
	uint8_t ins = t->hdr[1];

	if (c == NULL_BYTE) {
		t->null_total_cnt++;
		t->null_cnt++;
		if (t->cfg.null_max > 0 && t->null_cnt > t->cfg.null_max)
			fail(t, CW_ETIMEOUT);
		return;
	}
	t->null_cnt = 0;

	/* INS is never 6X or 9X, so neither it nor its complement can be
	 * taken for SW1 or the other way round. */
	if ((c & 0xf0) == 0x60 || (c & 0xf0) == 0x90) {
		t->sw1 = c;
		t->state = ST_SW2;
	} else if (c == ins) {
		acknowledged(t, true);
	} else if ((c ^ ins) == 0xff) {
		acknowledged(t, false);
	} else {
		fail(t, CW_EPROTO);
	}
}

/* Takes 1..len bytes of the block; returns how many. */
static size_t
block_bytes(struct cw_t0 *t, const uint8_t *buf, size_t len)
{
	size_t n = min_size(len, t->block_left);
	size_t keep = min_size(n, t->le_left);

	if (keep > t->rsp_cap - t->rsp_len) {
		fail(t, CW_EFULL);
		return n;
	}
	memcpy(t->rsp + t->rsp_len, buf, keep);
	t->rsp_len += keep;
	t->kept += keep;
	t->le_left -= (uint32_t)keep;
	t->block_left -= n;
	t->rx_left -= n;
	if (t->block_left == 0)
		t->state = ST_PROC;
	return n;
}

static bool
receiving(const struct cw_t0 *t)
{
	return t->state == ST_PROC || t->state == ST_BLOCK ||
	    t->state == ST_SW2;
}

/*
 * Characters that are certain to come.  After SW1: SW2.  Else the block under
 * way, and beyond it, at the next procedure byte, at least one.  It is followed
 * by at least one more unless it can give us the turn, that is unless data for
 * the card are left: a NULL and an idle ACK are followed by another procedure
 * byte, ACK by data, SW1 by SW2.  So SW1 SW2 come in one read with the data
 * before them, and no card has to send a character that it did not owe.
 */
static size_t
certain(const struct cw_t0 *t)
{
	if (t->state == ST_SW2)
		return 1;
	if (t->tx_off < t->tx_len)
		return 1;
	return t->block_left + 2;
}

static void
fill_out(const struct cw_t0 *t, struct cw_tpdu_out *out)
{
	memset(out, 0, sizeof *out);
	if (receiving(t)) {
		out->want = CW_TPDU_RECV;
		out->rx_max = certain(t);
		out->wait_etu = t->cfg.wt_etu;
	} else if (t->state == ST_DONE) {
		out->want = CW_TPDU_DONE;
		out->rsp_len = t->rsp_len + 2;
	} else if (t->state == ST_FAIL) {
		out->want = CW_TPDU_FAIL;
		out->err = t->err;
	} else {
		out->want = CW_TPDU_SEND;
		out->tx = t->snd;
		out->tx_len = t->snd_len;
		out->rx_max = certain(t);
		out->wait_etu = t->cfg.wt_etu;
	}
}

int
cw_t0_start(struct cw_t0 *t, const struct cw_t0_cfg *cfg, const uint8_t *apdu,
    size_t apdu_len, uint8_t *rsp, size_t rsp_cap, struct cw_tpdu_out *out)
{
	struct cw_apdu cmd;
	int err = cw_apdu_parse(&cmd, apdu, apdu_len);

	if (err < 0)
		return err;
	if (cmd.cla == 0xff || (cmd.ins & 0xf0) == 0x60 ||
	    (cmd.ins & 0xf0) == 0x90 || rsp_cap < 2)
		return CW_EINVAL;

	t->cfg = *cfg;
	t->cmd = cmd;
	t->cmd_buf = apdu;
	t->cmd_len = apdu_len;
	t->env_off = 0;
	t->rsp = rsp;
	t->rsp_cap = rsp_cap;
	t->rsp_len = 0;
	t->le_left = cmd.le;
	t->round_cnt = 0;
	t->resent = false;
	t->err = 0;
	if (cmd.lc > 255)
		begin_envelope(t);
	else
		begin_command(t);
	fill_out(t, out);
	return 0;
}

static void
on_nack(struct cw_t0 *t, size_t idx)
{
	CW_ASSERT(idx < t->snd_len);
	t->parity_tx_cnt++;

	/* Another character than the last time starts a count of its own. */
	if (idx > 0)
		t->repeat_cnt = 0;
	t->snd += idx;
	t->snd_len -= idx;
	if (++t->repeat_cnt > CW_T0_REPEAT_MAX)
		fail(t, CW_EPARITY);
}

static void
on_rx(struct cw_t0 *t, const struct cw_tpdu_ev *ev)
{
	size_t off = 0;

	CW_ASSERT(ev->len > 0 && ev->len <= certain(t));
	t->parity_rx_cnt += ev->bad_cnt;
	while (off < ev->len && receiving(t)) {
		if (t->state == ST_BLOCK)
			off += block_bytes(t, ev->buf + off, ev->len - off);
		else if (t->state == ST_PROC)
			procedure_byte(t, ev->buf[off++]);
		else
			tpdu_end(t, ev->buf[off++]);
	}

	/* More bytes can only be left behind by a failure: see certain(). */
	CW_ASSERT(off == ev->len || t->state == ST_FAIL);
}

void
cw_t0_step(struct cw_t0 *t, const struct cw_tpdu_ev *ev, struct cw_tpdu_out *out)
{
	bool sending = t->state == ST_HEADER || t->state == ST_DATA;

	switch (ev->kind) {
	case CW_TPDU_EV_SENT:
		CW_ASSERT(sending);
		t->state = ST_PROC;
		break;
	case CW_TPDU_EV_NACK:
		CW_ASSERT(sending);
		on_nack(t, ev->idx);
		break;
	case CW_TPDU_EV_RX:
		CW_ASSERT(receiving(t));
		on_rx(t, ev);
		break;
	case CW_TPDU_EV_PARITY:
		CW_ASSERT(receiving(t));
		t->parity_rx_cnt += ev->bad_cnt;
		fail(t, CW_EPARITY);
		break;
	case CW_TPDU_EV_TIMEOUT:
		CW_ASSERT(receiving(t));
		fail(t, CW_ETIMEOUT);
		break;
	}
	fill_out(t, out);
}
