/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/atr.h"
#include "cw/bytes.h"
#include "sim/card_core.h"
#include "sim/gp.h"
#include "sim/uicc.h"

#define FLASH_LEN_DEFAULT (256u * 1024u)
#define CLK_DEFAULT_HZ 4000000u
#define CHAR_ETU CW_CARD_CHAR_ETU
#define REPEAT_ETU 13		/* 7.3: error signal, then 2 etu of rest */
#define REPEAT_MAX 3
#define WT_ETU 9600u		/* times D: WI 10, 10.2 */
#define NULL_BYTE 0x60
#define INS_GET_RESPONSE 0xC0
#define TA1_DEFAULT 0x96
#define NULLS_DEFAULT 3		/* CW_FAULT_NULLS with n 0 */
#define PARITY_DEFAULT 64	/* CW_FAULT_PARITY with n 0 */

struct cw_sim_card *
cw_sim_card_new(const struct cw_sim_card_config *cfg)
{
	struct cw_sim_card *c;
	size_t len, map_len;

	if ((c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	c->cfg = *cfg;
	if (c->cfg.ta1 == 0)
		c->cfg.ta1 = TA1_DEFAULT;
	if (c->cfg.ifsc == 0 || c->cfg.ifsc == 255)
		c->cfg.ifsc = CW_CARD_T1_INF_MAX;
	c->wrong_left = c->cfg.fault.arg > 0 ? c->cfg.fault.arg : 1;
	len = cfg->flash_len != 0 ? cfg->flash_len : FLASH_LEN_DEFAULT;
	len = (len + CW_CARD_PAGE_LEN - 1) / CW_CARD_PAGE_LEN * CW_CARD_PAGE_LEN;
	c->cfg.flash_len = (uint32_t)len;
	map_len = (len / CW_CARD_PAGE_LEN + 7) / 8;
	if ((c->flash = malloc(len + map_len)) == NULL) {
		free(c);
		return NULL;
	}
	memset(c->flash, 0xFF, len);
	memset(c->flash + len, 0, map_len);
	c->clk_hz = CLK_DEFAULT_HZ;
	if (cw_card_gp_open(c) < 0 || (cfg->uicc != NULL &&
	    (c->uicc = cw_uicc_new(cfg->uicc)) == NULL)) {
		cw_sim_card_free(c);
		return NULL;
	}
	if (cfg->uicc != NULL && cw_uicc_active(cfg->uicc)) {
		c->cos = true;
		c->boot_state = CW_CARD_ACTIVE;
	}
	return c;
}

void
cw_sim_card_free(struct cw_sim_card *c)
{
	if (c == NULL)
		return;
	free(c->flash);
	cw_uicc_free(c->uicc);
	cw_sim_gp_free(c->gp);
	cw_wipe(c, sizeof *c);
	free(c);
}

void
cw_card_say(struct cw_sim_card *c, const uint8_t *buf, size_t len)
{
	memcpy(c->out, buf, len);
	c->out_len = (uint16_t)len;
	c->out_off = 0;
}

/*
 * Interface bytes: TA1; in T=1 TC1 FF (11 etu), then IFSC, BWI and CWI, and TC3
 * for a CRC; T=15 with the classes, so that there is always a TCK.
 */
static size_t
put_interface(const struct cw_sim_card *c, uint8_t *p)
{
	size_t len = 0;

	p[len++] = c->cfg.ta1;
	if (c->cfg.protocols == CW_SIM_T0) {
		p[len++] = 0x80;
	} else {
		p[len++] = 0xFF;
		p[len++] = c->cfg.protocols == CW_SIM_T1 ? 0x81 : 0x80;
		p[len++] = c->cfg.crc ? 0xF1 : 0xB1;
		p[len++] = c->cfg.ifsc;
		p[len++] = CW_CARD_T1_BWI << 4 | CW_CARD_T1_CWI;
		if (c->cfg.crc)
			p[len++] = 0x01;
	}
	p[len++] = 0x1F;
	p[len++] = 0xC7;
	return len;
}

/* Answer-to-Reset; the historical bytes are COMPACT-TLV, pre-issuing data: the
 * name of what runs. */
static void
say_atr(struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint8_t atr[CW_ATR_MAX] = { c->cfg.inverse ? 0x3F : 0x3B,
	    c->cfg.protocols == CW_SIM_T0 ? 0x99 : 0xD9 };
	const uint8_t *own;
	size_t len = 2, i;

	if (c->cos_runs && c->uicc != NULL && f->kind != CW_FAULT_ATR &&
	    (len = cw_uicc_atr(c->uicc, &own)) > 0) {
		cw_card_say(c, own, len);
		return;
	}
	len = 2;
	len += put_interface(c, atr + len);
	atr[len++] = 0x80;
	atr[len++] = 0x67;
	memcpy(atr + len, !c->cos_runs ? "CWBOOT1" : c->gp != NULL ? "CWGPCS1" :
	    c->uicc != NULL ? "CWUICC1" : "CWCOS-1", 7);
	len += 7;
	for (i = 1; i < len; i++)
		atr[len] ^= atr[i];
	len++;
	if (f->kind == CW_FAULT_ATR && f->n == 0)
		atr[len - 1] ^= 0x01;
	else if (f->kind == CW_FAULT_ATR && f->n < len)
		len = f->n;
	cw_card_say(c, atr, len);
}

static void
line_down(struct cw_sim_card *c)
{
	c->state = CW_CARD_OFF;
	c->out_len = c->out_off = 0;
	c->in_len = 0;
	c->get_len = 0;
	c->work_us = c->work_etu = 0;
	c->null_left = 0;
	c->wrong_once = false;
}

void
cw_sim_card_power(struct cw_sim_card *c, bool on)
{
	c->powered = on;
	c->rst_low = true;
	line_down(c);
}

void
cw_sim_card_reset(struct cw_sim_card *c, bool asserted)
{
	bool was_low = c->rst_low;

	c->rst_low = asserted;
	if (asserted) {
		line_down(c);
		return;
	}
	if (!c->powered || !was_low)
		return;

	/* Boot: at Fd/Dd, where the reader's line starts over too. */
	c->fi = 372;
	c->di = 1;
	c->next_fi = 0;
	c->next_block = false;
	c->etu_clk = 372;
	c->cos_runs = c->cos;
	cw_card_fs_reset(c);
	if (c->gp != NULL)
		cw_sim_gp_reset(c->gp);
	c->gp_len = 0;
	if (c->uicc != NULL)
		cw_uicc_reset(c);
	if (c->cfg.fault.kind == CW_FAULT_MUTE) {
		c->state = CW_CARD_DEAF;
		return;
	}
	c->state = CW_CARD_FIRST;
	say_atr(c);
}

void
cw_sim_card_line(struct cw_sim_card *c, uint32_t clk_hz, uint32_t etu_clk)
{
	if (clk_hz != 0)
		c->clk_hz = clk_hz;
	c->etu_clk = etu_clk;
}

const struct cw_sim_gp *
cw_sim_card_gp(const struct cw_sim_card *c)
{
	return c->gp;
}

bool
cw_sim_card_left(const struct cw_sim_card *c)
{
	return c->left;
}

bool
cw_sim_card_cos(const struct cw_sim_card *c, uint8_t digest[32])
{
	if (c->cos)
		memcpy(digest, c->digest, sizeof c->digest);
	return c->cos;
}

static bool
on_line(const struct cw_sim_card *c)
{
	return c->state != CW_CARD_OFF && !c->dead && !c->left;
}

/* 2 % off over a character is 0.2 etu at its parity bit: 7.2 allows no more. */
bool
cw_card_rate_fits(const struct cw_sim_card *c)
{
	uint64_t theirs = (uint64_t)c->etu_clk * c->di * 50;
	uint64_t ours = (uint64_t)c->fi * 50;

	/* Whole clocks are all that we are told: of 11.625, 12. */
	if (c->etu_clk == (c->fi + c->di / 2u) / c->di)
		return true;
	return theirs + c->fi >= ours && theirs <= ours + c->fi;
}

void
cw_card_deaf(struct cw_sim_card *c)
{
	c->state = CW_CARD_DEAF;
	c->out_len = c->out_off = 0;
	c->work_etu = 0;
	c->null_left = 0;
}

/* From one NULL, or S(WTX), to the next: half of what the reader waits. */
static uint64_t
note_due(const struct cw_sim_card *c)
{
	if (c->state != CW_CARD_BLOCK)
		return WT_ETU / 2 * c->di;
	return (uint64_t)960 * 372 / 2 * (1u << CW_CARD_T1_BWI) / c->etu_clk;
}

void
cw_card_work_begin(struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;

	if (c->work_us > 0 && c->etu_clk != 0)
		c->work_etu = c->work_us * c->clk_hz /
		    (c->etu_clk * UINT64_C(1000000));
	c->work_us = 0;
	c->null_due_etu = note_due(c);
	if (f->kind == CW_FAULT_NULLS)
		c->null_left = f->n != 0 ? f->n : NULLS_DEFAULT;
}

/* Data and status word of the command under way; its flash work comes first. */
static void
answer(struct cw_sim_card *c, uint16_t sw)
{
	size_t len = 0;

	if (c->rsp_len > 0) {
		c->out[len++] = c->hdr[1];
		memcpy(c->out + len, c->rsp, c->rsp_len);
		len += c->rsp_len;
		c->rsp_len = 0;
	}
	c->out[len++] = (uint8_t)(sw >> 8);
	c->out[len++] = (uint8_t)sw;
	c->out_len = (uint16_t)len;
	c->out_off = 0;
	cw_card_work_begin(c);
	c->state = CW_CARD_HEADER;
	c->in_len = 0;
}

bool
cw_card_strikes(struct cw_sim_card *c, uint16_t *sw)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint32_t idx = c->apdu_cnt, cos_idx = c->cos_apdu_cnt;
	bool now;

	*sw = 0;
	if (c->hdr[1] == INS_GET_RESPONSE)
		return false;
	c->apdu_cnt++;
	if (c->cos_runs)
		c->cos_apdu_cnt++;
	now = f->arg == CW_SIM_FAULT_FROM_COS ? c->cos_runs && cos_idx == f->n :
	    idx == f->n;
	if (f->kind == CW_FAULT_HANG && now)
		c->dead = true;
	else if (f->kind == CW_FAULT_PULLED && now)
		c->left = true;
	else if (f->kind == CW_FAULT_SW && c->cos_runs && cos_idx == f->n)
		*sw = f->arg != 0 ? f->arg : 0x6581;
	else
		return false;
	return true;
}

uint16_t
cw_card_head(struct cw_sim_card *c)
{
	if (c->cos_runs && c->gp != NULL)
		return cw_card_gp_head(c);
	if (c->cos_runs)
		return c->uicc != NULL ? cw_uicc_head(c) : cw_card_fs_head(c);
	return c->hdr[0] == CW_BOOT_CLA ? cw_card_boot_head(c) : 0x6E00;
}

uint16_t
cw_card_data(struct cw_sim_card *c)
{
	if (c->hdr[0] == CW_BOOT_CLA)
		return cw_card_boot_data(c);
	if (c->gp != NULL)
		return cw_card_gp_data(c);
	return c->uicc != NULL ? cw_uicc_data(c) : cw_card_fs_data(c);
}

static void
take_header(struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint8_t procedure = c->hdr[1];
	uint32_t idx = c->apdu_cnt;
	uint16_t sw;

	c->rsp_len = 0;
	if (cw_card_strikes(c, &sw)) {
		if (sw != 0)
			answer(c, sw);
		return;
	}
	sw = cw_card_head(c);
	if (f->kind == CW_FAULT_PROCEDURE && idx == f->n) {
		procedure = (uint8_t)f->arg;
	} else if (sw != 0) {
		answer(c, sw);
		return;
	}
	cw_card_say(c, &procedure, 1);
	c->state = CW_CARD_DATA;
	c->in_len = 0;
}

static void
take_data(struct cw_sim_card *c)
{
	answer(c, cw_card_data(c));
}

static bool
offers(const struct cw_sim_card *c, uint8_t t)
{
	return t <= 1 && (c->cfg.protocols == CW_SIM_BOTH ||
	    (t == 1) == (c->cfg.protocols == CW_SIM_T1));
}

/*
 * PPS (clause 9): a T that is offered and any F/D up to the one of TA1 are agreed to; a faster
 * one is answered without PPS1, which leaves 372/1 in force; a request that is
 * wrong in itself is not answered.
 */
static void
take_pps(struct cw_sim_card *c)
{
	uint8_t rsp[4] = { 0xFF, 0x00 }, pck = 0, di, own_di;
	uint8_t t = c->hdr[1] & 0x0F;
	uint16_t fi, own_fi;
	uint32_t fmax;
	size_t len = 2;
	int i;

	for (i = 0; i < c->in_len; i++)
		pck ^= c->hdr[i];
	if (pck != 0 || (c->hdr[1] & 0x80) != 0 || !offers(c, t)) {
		cw_card_deaf(c);
		return;
	}
	rsp[1] = t;
	if ((c->hdr[1] & 0x10) != 0 &&
	    cw_pps_fidi(c->hdr[2], &fi, &fmax, &di) == 0 &&
	    cw_pps_fidi(c->cfg.ta1, &own_fi, &fmax, &own_di) == 0 &&
	    (uint32_t)fi * own_di >= (uint32_t)own_fi * di) {
		rsp[1] |= 0x10;
		rsp[len++] = c->hdr[2];
		c->next_fi = fi;
		c->next_di = di;
	}
	for (i = 0, pck = 0; i < (int)len; i++)
		pck ^= rsp[i];
	rsp[len++] = pck;
	cw_card_say(c, rsp, len);
	c->state = CW_CARD_HEADER;
	c->next_block = t == 1;
	c->in_len = 0;
}

/* Up to want characters into dst; how many were taken from len. */
static size_t
fill(struct cw_sim_card *c, uint8_t *dst, size_t want, const uint8_t *buf,
    size_t len)
{
	size_t n = want - c->in_len, i;

	if (n > len)
		n = len;
	if (c->cfg.inverse)
		for (i = 0; i < n; i++)
			dst[c->in_len + i] = cw_atr_invert(buf[i]);
	else
		memcpy(dst + c->in_len, buf, n);
	c->in_len = (uint8_t)(c->in_len + n);
	return n;
}

static size_t
take_some(struct cw_sim_card *c, const uint8_t *buf, size_t len)
{
	size_t want, n;

	switch ((enum cw_card_line_state)c->state) {
	case CW_CARD_FIRST:
	case CW_CARD_HEADER:
		n = fill(c, c->hdr, CW_CARD_HDR_LEN, buf,
		    c->in_len == 0 ? 1 : len);
		if (c->state == CW_CARD_FIRST)
			c->state = c->hdr[0] == 0xFF ? CW_CARD_PPS :
			    CW_CARD_HEADER;
		if (c->in_len == CW_CARD_HDR_LEN)
			take_header(c);
		return n;
	case CW_CARD_PPS:
		want = c->in_len < 2 ? 2 :
		    (size_t)cw_pps_len(c->hdr[0], c->hdr[1]);
		n = fill(c, c->hdr, want, buf, len);
		if (c->in_len >= 2 && c->in_len ==
		    cw_pps_len(c->hdr[0], c->hdr[1]))
			take_pps(c);
		return n;
	case CW_CARD_DATA:
		n = fill(c, c->data, c->hdr[4], buf, len);
		if (c->in_len == c->hdr[4])
			take_data(c);
		return n;
	case CW_CARD_BLOCK:
	case CW_CARD_OFF:
	case CW_CARD_DEAF:
		break;
	}
	return len;
}

/* Characters that pass before the next one goes wrong. */
static size_t
until_wrong(const struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint64_t period = f->n != 0 ? f->n : PARITY_DEFAULT;

	if (f->kind == CW_FAULT_PARITY)
		return (size_t)(period - 1 - c->char_cnt % period);
	if ((f->kind == CW_FAULT_PARITY_HARD ||
	    (f->kind == CW_FAULT_CHAR_WRONG && c->wrong_left > 0)) &&
	    c->char_cnt <= f->n)
		return (size_t)(f->n - c->char_cnt);
	return SIZE_MAX;
}

/* How many of len characters reach the card before it must refuse one. */
static size_t
until_refused(struct cw_sim_card *c, size_t len)
{
	size_t n = until_wrong(c);

	if (n == 0 && c->wrong_once) {
		/* The repetition passes; the next fault is a period away. */
		c->wrong_once = false;
		n = c->cfg.fault.n != 0 ? c->cfg.fault.n : PARITY_DEFAULT;
	}
	if (n >= len)
		return len;
	if (c->cfg.fault.kind == CW_FAULT_CHAR_WRONG)
		c->wrong_left--;
	c->wrong_once = c->cfg.fault.kind == CW_FAULT_PARITY;
	return n;
}

/* The first character of a card that offers T=1 first is a block's, or FF. */
static bool
in_blocks(struct cw_sim_card *c, uint8_t first)
{
	if (c->cfg.inverse)
		first = cw_atr_invert(first);
	if (c->state == CW_CARD_FIRST && c->in_len == 0 &&
	    c->cfg.protocols == CW_SIM_T1 && first != 0xFF)
		cw_card_block_open(c);
	return c->state == CW_CARD_BLOCK;
}

size_t
cw_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io)
{
	size_t n = len, off = 0;

	if (len == 0)
		return 0;
	if (!on_line(c)) {
		io->etu += len * CHAR_ETU;
		return len;
	}

	if (cw_card_rate_fits(c) && in_blocks(c, buf[0])) {
		cw_card_block_chars(c, buf, len, io);
		return len;
	}

	/* At a wrong rate, or while it sends itself, it hears rubbish. */
	if (!cw_card_rate_fits(c) || c->out_off < c->out_len || c->null_left > 0)
		cw_card_deaf(c);
	else
		n = until_refused(c, len);

	while (off < n) {
		if (c->out_off < c->out_len)
			cw_card_deaf(c);
		if (c->dead || c->left)
			break;
		off += take_some(c, buf + off, n - off);
	}
	c->char_cnt += n;
	io->etu += n * CHAR_ETU;
	if (n < len) {
		io->nack_idx = n;
		io->etu += REPEAT_ETU;
	}
	io->left |= c->left;
	return n;
}

/* Time until the next character: flash work, cut by NULLs in time. */
static uint64_t
gap_etu(const struct cw_sim_card *c)
{
	return c->work_etu > c->null_due_etu ? c->null_due_etu : c->work_etu;
}

bool
cw_card_work(struct cw_sim_card *c, uint32_t wait_etu, bool *more,
    struct cw_sim_io *io)
{
	uint64_t gap = gap_etu(c), note_etu = CHAR_ETU;

	*more = c->work_etu > gap;
	if (gap > wait_etu) {
		c->work_etu -= wait_etu;
		c->null_due_etu -= wait_etu;
		io->busy_etu += wait_etu;
		return false;
	}
	io->busy_etu += gap;
	c->work_etu -= gap;
	if (*more) {
		/* The chip works on while the NULL, or S(WTX) with its
		 * answer, is on the line. */
		if (c->state == CW_CARD_BLOCK)
			note_etu = 2 * (5 * CW_CARD_T1_CHAR_ETU +
			    CW_CARD_T1_TURN_ETU);
		c->work_etu -= c->work_etu < note_etu ? c->work_etu : note_etu;
		c->null_due_etu = note_due(c);
	}
	return true;
}

/* n characters on the line, some of them more than once. */
static void
count_sent(struct cw_sim_card *c, size_t n, struct cw_sim_io *io)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint64_t period = f->n != 0 ? f->n : PARITY_DEFAULT;
	uint32_t bad = 0;

	if (f->kind == CW_FAULT_PARITY)
		bad = (uint32_t)((c->char_cnt + n) / period -
		    c->char_cnt / period);
	if (until_wrong(c) < n && f->kind == CW_FAULT_CHAR_WRONG) {
		bad = c->wrong_left;
		c->wrong_left = 0;
	}
	c->char_cnt += n;
	io->bad_cnt += bad;
	io->etu += n * CHAR_ETU + (uint64_t)bad * REPEAT_ETU;
}

static void
copy_out(struct cw_sim_card *c, uint8_t *buf, size_t n)
{
	const uint8_t *src = c->out + c->out_off;
	size_t i;

	if (c->cfg.inverse)
		for (i = 0; i < n; i++)
			buf[i] = cw_atr_invert(src[i]);
	else
		memcpy(buf, src, n);
	c->out_off = (uint16_t)(c->out_off + n);
	if (c->out_off < c->out_len)
		return;
	if (c->next_fi != 0) {
		c->fi = c->next_fi;
		c->di = c->next_di;
		c->next_fi = 0;
	}
	if (c->next_block) {
		c->next_block = false;
		cw_card_block_open(c);
	}
}

/* The next character stays wrong: it is repeated too often. */
static bool
stays_wrong(const struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;

	return f->kind == CW_FAULT_PARITY_HARD ||
	    (f->kind == CW_FAULT_CHAR_WRONG && c->wrong_left > REPEAT_MAX);
}

size_t
cw_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io)
{
	uint8_t null_char = c->cfg.inverse ? cw_atr_invert(NULL_BYTE) :
	    NULL_BYTE;
	size_t n = 0, most;
	bool null;

	if (cap == 0 || !on_line(c))
		return 0;
	if (c->state == CW_CARD_BLOCK && cw_card_rate_fits(c))
		return cw_card_block_listen(c, buf, cap, wait_etu, io);
	if (c->out_off == c->out_len)
		return 0;
	most = stays_wrong(c) ? until_wrong(c) : cap;
	if (!cw_card_rate_fits(c) || most == 0) {
		io->etu += CHAR_ETU + REPEAT_MAX * REPEAT_ETU;
		io->bad_cnt += REPEAT_MAX;
		io->parity = true;
		cw_card_deaf(c);
		return 0;
	}
	if (most > cap)
		most = cap;

	if (c->work_etu > 0) {
		if (!cw_card_work(c, wait_etu, &null, io))
			return 0;
		if (null)
			buf[n++] = null_char;
	}
	for (; c->work_etu == 0 && n < most && c->null_left > 0; c->null_left--)
		buf[n++] = null_char;
	count_sent(c, n, io);
	if (c->work_etu > 0 || n == most)
		return n;

	most -= n;
	if (most > (size_t)(c->out_len - c->out_off))
		most = (size_t)(c->out_len - c->out_off);
	copy_out(c, buf + n, most);
	count_sent(c, most, io);
	return n + most;
}
