/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/atr.h"
#include "cw/bytes.h"
#include "sim/card_core.h"

#define FLASH_LEN_DEFAULT (256u * 1024u)
#define CLK_DEFAULT_HZ 4000000u
#define CHAR_ETU 12		/* 10.2: leading edge to leading edge, N = 0 */
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
	return c;
}

void
cw_sim_card_free(struct cw_sim_card *c)
{
	if (c == NULL)
		return;
	free(c->flash);
	cw_wipe(c, sizeof *c);
	free(c);
}

static void
say(struct cw_sim_card *c, const uint8_t *buf, size_t len)
{
	memcpy(c->out, buf, len);
	c->out_len = (uint16_t)len;
	c->out_off = 0;
}

/*
 * Answer-to-Reset: TA1, T=0 first, T=15 with the classes (so that there is a
 * TCK), and the name of what runs as pre-issuing data in COMPACT-TLV.
 */
static void
say_atr(struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint8_t atr[CW_ATR_MAX] = { c->cfg.inverse ? 0x3F : 0x3B, 0x99,
	    c->cfg.ta1, 0x80, 0x1F, 0xC7, 0x80, 0x67 };
	size_t len = 15, i;

	memcpy(atr + 8, c->cos_runs ? "CWCOS-1" : "CWBOOT1", 7);
	for (i = 1; i < len; i++)
		atr[len] ^= atr[i];
	len++;
	if (f->kind == CW_FAULT_ATR && f->n == 0)
		atr[len - 1] ^= 0x01;
	else if (f->kind == CW_FAULT_ATR && f->n < len)
		len = f->n;
	say(c, atr, len);
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
	c->etu_clk = 372;
	c->cos_runs = c->cos;
	cw_card_fs_reset(c);
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
static bool
rate_fits(const struct cw_sim_card *c)
{
	uint64_t theirs = (uint64_t)c->etu_clk * c->di * 50;
	uint64_t ours = (uint64_t)c->fi * 50;

	return theirs + c->fi >= ours && theirs <= ours + c->fi;
}

static void
go_deaf(struct cw_sim_card *c)
{
	c->state = CW_CARD_DEAF;
	c->out_len = c->out_off = 0;
	c->work_etu = 0;
	c->null_left = 0;
}

/* Data and status word of the command under way; its flash work comes first. */
static void
answer(struct cw_sim_card *c, uint16_t sw)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
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

	if (c->work_us > 0 && c->etu_clk != 0)
		c->work_etu = c->work_us * c->clk_hz /
		    (c->etu_clk * UINT64_C(1000000));
	c->work_us = 0;
	c->null_due_etu = WT_ETU / 2 * c->di;
	if (f->kind == CW_FAULT_NULLS)
		c->null_left = f->n != 0 ? f->n : NULLS_DEFAULT;
	c->state = CW_CARD_HEADER;
	c->in_len = 0;
}

/* Counts the command; true when a fault ends it here. */
static bool
fault_strikes(struct cw_sim_card *c)
{
	const struct cw_sim_fault *f = &c->cfg.fault;
	uint32_t idx = c->apdu_cnt, cos_idx = c->cos_apdu_cnt;
	bool now;

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
		answer(c, f->arg != 0 ? f->arg : 0x6581);
	else
		return false;
	return true;
}

static void
take_header(struct cw_sim_card *c)
{
	uint16_t sw;

	c->rsp_len = 0;
	if (fault_strikes(c))
		return;
	if (c->cos_runs)
		sw = cw_card_fs_head(c);
	else if (c->hdr[0] == CW_BOOT_CLA)
		sw = cw_card_boot_head(c);
	else
		sw = 0x6E00;
	if (sw != 0) {
		answer(c, sw);
		return;
	}
	say(c, &c->hdr[1], 1);
	c->state = CW_CARD_DATA;
	c->in_len = 0;
}

static void
take_data(struct cw_sim_card *c)
{
	uint16_t sw;

	sw = c->hdr[0] == CW_BOOT_CLA ? cw_card_boot_data(c) :
	    cw_card_fs_data(c);
	answer(c, sw);
}

/*
 * PPS (clause 9): T=0 and any F/D up to the one of TA1 are agreed to; a faster
 * one is answered without PPS1, which leaves 372/1 in force; a request that is
 * wrong in itself is not answered.
 */
static void
take_pps(struct cw_sim_card *c)
{
	uint8_t rsp[4] = { 0xFF, 0x00 }, pck = 0, di, own_di;
	uint16_t fi, own_fi;
	uint32_t fmax;
	size_t len = 2;
	int i;

	for (i = 0; i < c->in_len; i++)
		pck ^= c->hdr[i];
	if (pck != 0 || (c->hdr[1] & 0x8F) != 0) {
		go_deaf(c);
		return;
	}
	if ((c->hdr[1] & 0x10) != 0 &&
	    cw_pps_fidi(c->hdr[2], &fi, &fmax, &di) == 0 &&
	    cw_pps_fidi(c->cfg.ta1, &own_fi, &fmax, &own_di) == 0 &&
	    (uint32_t)fi * own_di >= (uint32_t)own_fi * di) {
		rsp[1] = 0x10;
		rsp[len++] = c->hdr[2];
		c->next_fi = fi;
		c->next_di = di;
	}
	for (i = 0, pck = 0; i < (int)len; i++)
		pck ^= rsp[i];
	rsp[len++] = pck;
	say(c, rsp, len);
	c->state = CW_CARD_HEADER;
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
	if (f->kind == CW_FAULT_PARITY_HARD && c->char_cnt <= f->n)
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
	c->wrong_once = c->cfg.fault.kind == CW_FAULT_PARITY;
	return n;
}

size_t
cw_sim_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io)
{
	size_t n = len, off = 0;

	if (len == 0)
		return 0;
	if (!on_line(c)) {
		io->etu += len * CHAR_ETU;
		return len;
	}

	/* At a wrong rate, or while it sends itself, it hears rubbish. */
	if (!rate_fits(c) || c->out_off < c->out_len || c->null_left > 0)
		go_deaf(c);
	else
		n = until_refused(c, len);

	while (off < n) {
		if (c->out_off < c->out_len)
			go_deaf(c);
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

/*
 * Lets the work go on for wait_etu or until the next character is due: true in
 * the second case, and *null tells that it is a NULL.
 */
static bool
work(struct cw_sim_card *c, uint64_t wait_etu, bool *null, struct cw_sim_io *io)
{
	uint64_t gap = gap_etu(c);

	*null = c->work_etu > gap;
	if (gap > wait_etu) {
		c->work_etu -= wait_etu;
		c->null_due_etu -= wait_etu;
		io->busy_etu += wait_etu;
		return false;
	}
	io->busy_etu += gap;
	c->work_etu -= gap;
	if (*null) {
		/* The chip works on while the NULL is on the line. */
		c->work_etu -= c->work_etu < CHAR_ETU ? c->work_etu : CHAR_ETU;
		c->null_due_etu = WT_ETU / 2 * c->di;
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
	if (c->out_off == c->out_len && c->next_fi != 0) {
		c->fi = c->next_fi;
		c->di = c->next_di;
		c->next_fi = 0;
	}
}

size_t
cw_sim_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io)
{
	uint8_t null_char = c->cfg.inverse ? cw_atr_invert(NULL_BYTE) :
	    NULL_BYTE;
	size_t n = 0, most;
	bool null;

	if (cap == 0 || !on_line(c) || c->out_off == c->out_len)
		return 0;
	most = c->cfg.fault.kind == CW_FAULT_PARITY_HARD ? until_wrong(c) : cap;
	if (!rate_fits(c) || most == 0) {
		io->etu += CHAR_ETU + REPEAT_MAX * REPEAT_ETU;
		io->bad_cnt += REPEAT_MAX;
		io->parity = true;
		go_deaf(c);
		return 0;
	}
	if (most > cap)
		most = cap;

	if (c->work_etu > 0) {
		if (!work(c, wait_etu, &null, io))
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
