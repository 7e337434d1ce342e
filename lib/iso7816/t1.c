/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/t1.h"

/*
 *	IDLE --start--> SEND --sent--> RECV --block--> judged --> SEND, DONE, FAIL
 *	                         ^       |
 *	                         |       garbled --> DRAIN --silence--> judged
 *
 *	IDLE	nothing is borrowed
 *	SEND	blk[blk_len] is on the line
 *	RECV	blk[blk_len] has come so far
 *	DRAIN	a garbled block: what still comes is dropped
 *
 * `ask` says what the card owes us, whatever has been repeated since:
 *	IFS		S(IFS response)
 *	COMMAND		the answer to our I-block: cmd[cmd_off .. + chunk]
 *	REST		the next I-block of its chain, acknowledged by our R-block
 *	SYNC		S(RESYNCH response)
 *	ABORTED		what it makes of its S(ABORT)
 */
enum { ST_IDLE = 1, ST_SEND, ST_RECV, ST_DRAIN, ST_DONE, ST_FAIL };
enum { ASK_IFS = 1, ASK_COMMAND, ASK_REST, ASK_SYNC, ASK_ABORTED };

/* PCB, 11.3.2.2 */
#define PCB_I_NS 0x40
#define PCB_I_MORE 0x20
#define PCB_R 0x80
#define PCB_R_NR 0x10
#define PCB_S 0xc0
#define S_RESYNCH 0x00
#define S_IFS 0x01
#define S_ABORT 0x02
#define S_WTX 0x03
#define S_RESPONSE 0x20

/* Error codes of an R-block */
#define R_FINE 0
#define R_GARBLED 1		/* EDC or parity */
#define R_OTHER 2

#define PROLOGUE 3
#define DRAIN_MAX (3 * CW_T1_BLOCK_MAX)
#define CRC_POLY 0x8408		/* x^16 + x^12 + x^5 + 1, bits reversed */

size_t
cw_t1_edc(uint8_t out[2], bool crc, const uint8_t *buf, size_t len)
{
	uint16_t v = 0xffff;
	uint8_t lrc = 0;
	size_t i;
	int bit;

	if (!crc) {
		for (i = 0; i < len; i++)
			lrc ^= buf[i];
		out[0] = lrc;
		return 1;
	}
	for (i = 0; i < len; i++) {
		v ^= buf[i];
		for (bit = 0; bit < 8; bit++)
			v = (uint16_t)((v & 1) != 0 ? v >> 1 ^ CRC_POLY :
			    v >> 1);
	}
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
	return 2;
}

void
cw_t1_config(struct cw_t1_cfg *cfg, const struct cw_atr *atr, uint32_t etu_clk)
{
	/* 2^9 * 960 * 372 fits in 28 bits: 11.4.3 has no larger BWI. */
	uint32_t clk = (1u << atr->bwi) * 960 * 372;

	memset(cfg, 0, sizeof *cfg);
	cfg->bwt_etu = 11 + (clk + etu_clk - 1) / etu_clk;
	cfg->cwt_etu = 11 + (1u << atr->cwi);
	cfg->ifsc = atr->ifsc;
	cfg->ifsd = CW_T1_INF_MAX;
	cfg->crc = atr->crc;
}

uint16_t
cw_t1_guard_etu(const struct cw_atr *atr)
{
	return (uint16_t)(atr->tc1 == 255 ? 11 : 12 + atr->tc1);
}

static size_t
edc_len(const struct cw_t1 *t)
{
	return t->cfg.crc ? 2 : 1;
}

static void
fail(struct cw_t1 *t, int err)
{
	t->state = ST_FAIL;
	t->cause = err;
}

/* Nothing of the card's has been heard since the link was opened. */
static void
link_reset(struct cw_t1 *t)
{
	t->ns = 0;
	t->nr = 0;
	t->ifsc = t->cfg.ifsc;
	t->ifsd = CW_T1_IFS_DEFAULT;
	t->ifs_done = t->cfg.ifsd == CW_T1_IFS_DEFAULT;
}

static void
put_block(struct cw_t1 *t, uint8_t pcb, const uint8_t *inf, size_t len)
{
	t->blk[0] = 0;
	t->blk[1] = pcb;
	t->blk[2] = (uint8_t)len;
	if (len > 0)
		memcpy(t->blk + PROLOGUE, inf, len);
	len += PROLOGUE;
	t->blk_len = len + cw_t1_edc(t->blk + len, t->cfg.crc, t->blk, len);
	t->state = ST_SEND;
	t->wtx = 1;
}

static void
put_r(struct cw_t1 *t, uint8_t code)
{
	put_block(t, (uint8_t)(PCB_R | (t->nr != 0 ? PCB_R_NR : 0) | code),
	    NULL, 0);
}

static bool
chained(const struct cw_t1 *t)
{
	return t->cmd_off + t->chunk < t->cmd_len;
}

/* The I-block at cmd_off; the same one again when it was not acknowledged. */
static void
put_i(struct cw_t1 *t)
{
	size_t left = t->cmd_len - t->cmd_off;
	uint8_t pcb = t->ns != 0 ? PCB_I_NS : 0;

	t->ask = ASK_COMMAND;
	t->chunk = left < t->ifsc ? left : t->ifsc;
	if (chained(t))
		pcb |= PCB_I_MORE;
	else
		t->exposed = true;
	put_block(t, pcb, t->cmd + t->cmd_off, t->chunk);
}

/* The command from its first block on. */
static void
begin(struct cw_t1 *t)
{
	t->cmd_off = 0;
	t->repeat_cnt = 0;
	t->request_cnt = 0;
	t->wtx_cnt = 0;
	if (t->ifs_done) {
		put_i(t);
		return;
	}
	t->ask = ASK_IFS;
	put_block(t, PCB_S | S_IFS, &t->cfg.ifsd, 1);
}

/* ---- what was wrong ------------------------------------------------------ */

static void
resynch(struct cw_t1 *t)
{
	/* Before the first valid block there is nothing to come back to. */
	if (!t->met || ++t->sync_cnt > CW_T1_SYNC_MAX) {
		fail(t, t->cause);
		return;
	}
	t->resync_cnt++;
	t->ask = ASK_SYNC;
	put_block(t, PCB_S | S_RESYNCH, NULL, 0);
}

/* One more repetition; false when they are used up. */
static bool
may_repeat(struct cw_t1 *t)
{
	if (++t->repeat_cnt > CW_T1_REPEAT_MAX)
		return false;
	t->repeated_cnt++;
	return true;
}

/* The card did not answer S(IFS) as it should; `r` is an R-block, at least. */
static void
ifs_again(struct cw_t1 *t, bool r)
{
	if (t->repeat_cnt + 1 < CW_T1_REPEAT_MAX) {
		(void)may_repeat(t);
		put_block(t, PCB_S | S_IFS, &t->cfg.ifsd, 1);
	} else if (r) {
		t->ifs_done = true;
		begin(t);
	} else {
		fail(t, t->cause);
	}
}

/* No block, a garbled one, or one that is not allowed here. */
static void
invalid(struct cw_t1 *t, int cause, uint8_t code)
{
	t->cause = cause;
	if (cause == CW_ETIMEOUT)
		t->late_cnt++;
	else if (cause == CW_EPARITY)
		t->garbled_cnt++;
	else
		t->odd_cnt++;

	if (t->ask == ASK_IFS)
		ifs_again(t, false);
	else if (t->ask == ASK_SYNC || !may_repeat(t))
		resynch(t);
	else
		put_r(t, code);
}

static void
not_allowed(struct cw_t1 *t)
{
	invalid(t, CW_EPROTO, R_OTHER);
}

/* ---- blocks of the card -------------------------------------------------- */

static void
progress(struct cw_t1 *t)
{
	t->repeat_cnt = 0;
	t->request_cnt = 0;
	t->wtx_cnt = 0;
}

/* The response APDU is whole. */
static void
finish(struct cw_t1 *t)
{
	uint8_t sw1;

	if (t->rsp_len < 2) {
		fail(t, CW_EPROTO);
		return;
	}
	sw1 = t->rsp[t->rsp_len - 2];
	if ((sw1 & 0xf0) != 0x90 && ((sw1 & 0xf0) != 0x60 || sw1 == 0x60)) {
		fail(t, CW_EPROTO);
		return;
	}
	if (t->rsp_len - 2 > t->le) {
		memmove(t->rsp + t->le, t->rsp + t->rsp_len - 2, 2);
		t->rsp_len = t->le + 2;
	}
	t->state = ST_DONE;
}

static void
on_i(struct cw_t1 *t, uint8_t pcb, const uint8_t *inf, size_t len)
{
	bool more = (pcb & PCB_I_MORE) != 0;

	if ((pcb & 0x1f) != 0 || len > t->ifsd ||
	    ((pcb & PCB_I_NS) != 0) != (t->nr != 0) ||
	    t->ask == ASK_IFS || t->ask == ASK_SYNC ||
	    (t->ask == ASK_COMMAND && chained(t))) {
		not_allowed(t);
		return;
	}
	if (len > t->rsp_cap - t->rsp_len) {
		fail(t, CW_EFULL);
		return;
	}
	/* An answer acknowledges our last I-block, too. */
	if (t->ask == ASK_COMMAND)
		t->ns ^= 1;
	t->nr ^= 1;
	memcpy(t->rsp + t->rsp_len, inf, len);
	t->rsp_len += len;
	t->repeat_cnt = 0;
	t->wtx_cnt = 0;
	if (len > 0)
		t->request_cnt = 0;
	else if (more && ++t->request_cnt > CW_T1_REQUEST_MAX) {
		fail(t, CW_EPROTO);
		return;
	}
	if (!more) {
		finish(t);
		return;
	}
	t->ask = ASK_REST;
	put_r(t, R_FINE);
}

/*
 * N(R) is the number of the I-block that the card expects of us: our last one
 * again, or the next (which acknowledges the last, if the chain goes on).
 */
static void
on_r(struct cw_t1 *t, uint8_t pcb, size_t len)
{
	uint8_t n = (pcb & PCB_R_NR) != 0;

	if ((pcb & 0x2c) != 0 || len != 0 || t->ask == ASK_SYNC) {
		not_allowed(t);
	} else if (t->ask == ASK_IFS) {
		t->cause = CW_EPROTO;
		ifs_again(t, true);
	} else if (t->ask == ASK_ABORTED) {
		fail(t, CW_EPROTO);
	} else if (n == t->ns) {
		/* Ours was lost: the I-block, or in its chain our R-block. */
		t->cause = CW_EPARITY;
		if (!may_repeat(t))
			resynch(t);
		else if (t->ask == ASK_COMMAND)
			put_i(t);
		else
			put_r(t, R_FINE);
	} else if (t->ask == ASK_COMMAND && chained(t)) {
		progress(t);
		t->cmd_off += t->chunk;
		t->ns ^= 1;
		put_i(t);
	} else {
		not_allowed(t);
	}
}

/* A request that takes no command further: not for ever. */
static bool
too_many_requests(struct cw_t1 *t)
{
	if (++t->request_cnt <= CW_T1_REQUEST_MAX)
		return false;
	fail(t, CW_EPROTO);
	return true;
}

static void
on_wtx(struct cw_t1 *t, uint8_t multiplier)
{
	t->wtx_cnt++;
	if (t->cfg.wtx_max > 0 && t->wtx_cnt > t->cfg.wtx_max) {
		fail(t, CW_ETIMEOUT);
		return;
	}
	t->repeat_cnt = 0;
	put_block(t, PCB_S | S_RESPONSE | S_WTX, &multiplier, 1);
	t->wtx = multiplier;
}

static void
on_abort(struct cw_t1 *t)
{
	if (too_many_requests(t))
		return;
	/* What it had said of its answer is void. */
	if (t->ask == ASK_COMMAND)
		t->ns ^= 1;
	t->rsp_len = 0;
	t->ask = ASK_ABORTED;
	put_block(t, PCB_S | S_RESPONSE | S_ABORT, NULL, 0);
}

static void
on_request(struct cw_t1 *t, uint8_t type, const uint8_t *inf, size_t len)
{
	if (type == S_WTX && len == 1 && inf[0] > 0) {
		on_wtx(t, inf[0]);
	} else if (type == S_IFS && len == 1 && inf[0] > 0 &&
	    inf[0] <= CW_T1_INF_MAX) {
		if (too_many_requests(t))
			return;
		t->ifsc = inf[0];
		put_block(t, PCB_S | S_RESPONSE | S_IFS, &t->ifsc, 1);
	} else if (type == S_ABORT && len == 0) {
		on_abort(t);
	} else {
		not_allowed(t);
	}
}

/*
 * The card's last block once more, from before our I-block: that one was lost.
 * Had the card seen it, its last block would be another.
 */
static void
on_stale(struct cw_t1 *t)
{
	t->cause = CW_EPARITY;
	if (may_repeat(t))
		put_i(t);
	else
		resynch(t);
}

static void
on_s(struct cw_t1 *t, uint8_t pcb, const uint8_t *inf, size_t len)
{
	uint8_t type = pcb & 0x3f;

	if (t->ask == ASK_IFS && type == (S_RESPONSE | S_IFS) && len == 1 &&
	    inf[0] == t->cfg.ifsd) {
		t->ifsd = t->cfg.ifsd;
		t->ifs_done = true;
		begin(t);
		t->stale = pcb;
	} else if (t->ask == ASK_SYNC && type == (S_RESPONSE | S_RESYNCH) &&
	    len == 0) {
		link_reset(t);
		if (t->exposed)
			fail(t, t->cause);
		else
			begin(t);
		t->stale = pcb;
	} else if (t->ask == ASK_IFS || t->ask == ASK_SYNC) {
		not_allowed(t);
	} else {
		on_request(t, type, inf, len);
	}
}

/* blk[blk_len] is as long as its LEN says. */
static void
judge(struct cw_t1 *t)
{
	size_t len = t->blk[2], body = PROLOGUE + len;
	uint8_t pcb = t->blk[1], inf[CW_T1_INF_MAX], edc[2];

	(void)cw_t1_edc(edc, t->cfg.crc, t->blk, body);
	if (t->blk_bad || memcmp(edc, t->blk + body, edc_len(t)) != 0) {
		t->state = ST_DRAIN;
		t->drained = 0;
		return;
	}
	if (t->blk[0] != 0) {
		not_allowed(t);
		return;
	}
	t->met = true;

	if (t->stale != 0 && pcb == t->stale && t->ask == ASK_COMMAND) {
		on_stale(t);
		return;
	}
	t->stale = 0;

	/* The answer is built where the block stands. */
	memcpy(inf, t->blk + PROLOGUE, len);
	if ((pcb & PCB_R) == 0)
		on_i(t, pcb, inf, len);
	else if ((pcb & PCB_S) == PCB_R)
		on_r(t, pcb, len);
	else
		on_s(t, pcb, inf, len);
	cw_wipe(inf, len);
}

/* ---- characters ---------------------------------------------------------- */

/* Of the block: every one has a prologue and an EDC. */
static size_t
wanted(const struct cw_t1 *t)
{
	size_t len = t->blk_len < PROLOGUE ? 0 : t->blk[2];

	return PROLOGUE + len + edc_len(t) - t->blk_len;
}

static void
on_rx(struct cw_t1 *t, const struct cw_tpdu_ev *ev)
{
	if (t->state == ST_DRAIN) {
		t->drained += ev->len;
		if (t->drained > DRAIN_MAX)
			fail(t, CW_EPARITY);
		return;
	}
	CW_ASSERT(ev->len > 0 && ev->len <= wanted(t));
	memcpy(t->blk + t->blk_len, ev->buf, ev->len);
	t->blk_len += ev->len;
	t->blk_bad |= ev->bad_cnt > 0;
	if (t->blk_len < PROLOGUE)
		return;
	if (t->blk[2] > CW_T1_INF_MAX) {
		t->state = ST_DRAIN;
		t->drained = 0;
	} else if (wanted(t) == 0) {
		judge(t);
	}
}

static void
on_silence(struct cw_t1 *t)
{
	if (t->state == ST_RECV && t->blk_len == 0)
		invalid(t, CW_ETIMEOUT, R_OTHER);
	else
		invalid(t, CW_EPARITY, R_GARBLED);
}

static bool
receiving(const struct cw_t1 *t)
{
	return t->state == ST_RECV || t->state == ST_DRAIN;
}

static void
fill_out(const struct cw_t1 *t, struct cw_tpdu_out *out)
{
	uint64_t bwt = (uint64_t)t->cfg.bwt_etu * t->wtx;

	memset(out, 0, sizeof *out);
	if (t->state == ST_DRAIN) {
		out->want = CW_TPDU_RECV;
		out->rx_max = CW_T1_BLOCK_MAX;
		out->wait_etu = t->cfg.cwt_etu;
	} else if (t->state == ST_RECV) {
		out->want = CW_TPDU_RECV;
		out->rx_max = wanted(t);
		out->wait_etu = t->blk_len > 0 ? t->cfg.cwt_etu :
		    bwt > UINT32_MAX ? UINT32_MAX : (uint32_t)bwt;
	} else if (t->state == ST_DONE) {
		out->want = CW_TPDU_DONE;
		out->rsp_len = t->rsp_len;
	} else if (t->state == ST_FAIL) {
		out->want = CW_TPDU_FAIL;
		out->err = t->cause;
	} else {
		out->want = CW_TPDU_SEND;
		out->tx = t->blk;
		out->tx_len = t->blk_len;
	}
}

void
cw_t1_init(struct cw_t1 *t, const struct cw_t1_cfg *cfg)
{
	CW_ASSERT(cfg->ifsc > 0 && cfg->ifsc <= CW_T1_INF_MAX);
	CW_ASSERT(cfg->ifsd > 0 && cfg->ifsd <= CW_T1_INF_MAX);
	memset(t, 0, sizeof *t);
	t->cfg = *cfg;
	t->state = ST_IDLE;
	link_reset(t);
}

int
cw_t1_start(struct cw_t1 *t, const uint8_t *apdu, size_t apdu_len, uint8_t *rsp,
    size_t rsp_cap, struct cw_tpdu_out *out)
{
	struct cw_apdu cmd;
	int err = cw_apdu_parse(&cmd, apdu, apdu_len);

	if (err < 0)
		return err;
	if (cmd.cla == 0xff || (cmd.ins & 0xf0) == 0x60 ||
	    (cmd.ins & 0xf0) == 0x90 || rsp_cap < 2)
		return CW_EINVAL;
	if (t->state != ST_IDLE && t->state != ST_DONE)
		return CW_ESTATE;

	t->cmd = apdu;
	t->cmd_len = apdu_len;
	t->rsp = rsp;
	t->rsp_cap = rsp_cap;
	t->rsp_len = 0;
	t->le = cmd.le;
	t->exposed = false;
	t->sync_cnt = 0;
	t->cause = CW_EPROTO;
	begin(t);
	fill_out(t, out);
	return 0;
}

void
cw_t1_step(struct cw_t1 *t, const struct cw_tpdu_ev *ev, struct cw_tpdu_out *out)
{
	CW_ASSERT(ev->kind != CW_TPDU_EV_NACK);
	switch (ev->kind) {
	case CW_TPDU_EV_SENT:
		CW_ASSERT(t->state == ST_SEND);
		t->state = ST_RECV;
		t->blk_len = 0;
		t->blk_bad = false;
		break;
	case CW_TPDU_EV_NACK:
		break;
	case CW_TPDU_EV_RX:
		CW_ASSERT(receiving(t));
		on_rx(t, ev);
		break;
	case CW_TPDU_EV_PARITY:
		/* A line that drops what is wrong: the block is lost. */
		CW_ASSERT(receiving(t));
		if (t->state == ST_RECV)
			t->drained = 0;
		t->state = ST_DRAIN;
		if (++t->drained > DRAIN_MAX)
			fail(t, CW_EPARITY);
		break;
	case CW_TPDU_EV_TIMEOUT:
		CW_ASSERT(receiving(t));
		on_silence(t);
		break;
	}
	fill_out(t, out);
}

void
cw_t1_wipe(struct cw_t1 *t)
{
	CW_ASSERT(t->state != ST_SEND && !receiving(t));
	cw_wipe(t->blk, sizeof t->blk);
	t->blk_len = 0;
	t->cmd = NULL;
	t->rsp = NULL;
	t->cmd_len = t->cmd_off = t->chunk = 0;
	t->rsp_cap = t->rsp_len = 0;
	if (t->state == ST_DONE)
		t->state = ST_IDLE;
}

