/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "card_private.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/pps.h"

/* struct cw_card_ops: what the core asks for.  The events are card_poll.c's. */
#define F_RESET 372u
/* 10 MHz is what interface chips of this class let through. */
#define CLK_MAX_HZ 10000000u
/* From the error signal, seen at 11 etu, to the repetition: 2 etu at least
 * (7816-3, 7.3), and the character that was in DR must be over. */
#define REFUSED_ETU 28u
/* Cycles of the handlers from RXNE until DR is written, timer not counted: some
 * 180 on the virtual board, and less than that here. */
#define TURN_ENTRY 120u
/* A part of what recv asked for is given when nothing came for so long. */
#define LULL_ETU 40u

struct cw_line cw_lines[CW_BOARD_SLOTS];
struct cw_slot cw_slots[CW_BOARD_SLOTS];
const struct cw_slot_pins cw_slot_pins[CW_BOARD_SLOTS] = CW_BOARD_SLOT_PINS;

static uint32_t
pclk_hz(uint8_t slot)
{
	return slot == 0 ? CW_BOARD_PCLK2_HZ : CW_BOARD_PCLK1_HZ;
}

static uint32_t
us_of(const struct cw_slot *s, uint32_t etu)
{
	return (uint32_t)((uint64_t)etu * s->etu_q16 >> 16);
}

/* ---- the line ---------------------------------------------------------------- */

/*
 * What a handler may send at once would be early: RXNE is there at 11 1/16 etu,
 * a character in DR starts half an etu later at the soonest.  The timer runs for
 * the rest; the handlers' own entries are part of it.
 */
static void
turn_apply(struct cw_line *l, const struct cw_slot *s)
{
	uint32_t etu = (uint32_t)((uint64_t)s->rate.brr * CW_BOARD_HCLK_HZ /
	    (l->u == CW_USART1 ? CW_BOARD_PCLK2_HZ : CW_BOARD_PCLK1_HZ));
	uint32_t rest = etu * (16u * s->turn_etu - 185u) / 16u;

	l->turn_wait = rest > TURN_ENTRY;
	if (l->turn_wait)
		l->turn->arr = rest - TURN_ENTRY;
}

/* Puts rate and guard time into the USART; the clock changes at once. */
static void
line_apply(struct cw_line *l, struct cw_slot *s, const struct cw_rate *r)
{
	uint32_t gt = s->guard_etu > 12 ? s->guard_etu - 13u : 0;

	s->rate = *r;
	s->etu_q16 = (uint32_t)(((uint64_t)r->brr * 1000000u << 16) /
	    ((uint64_t)r->clk_hz * 2 * r->psc));
	s->lull_us = us_of(s, LULL_ETU) + 1000u;
	l->guarded = s->guard_etu > 12;
	turn_apply(l, s);
	l->u->brr = r->brr;
	l->u->gtpr = CW_USART_GTPR(r->psc, gt);
}

static void
line_open(struct cw_line *l)
{
	l->u->cr1 = CW_USART_CR1_M | CW_USART_CR1_PCE;
	l->u->cr2 = CW_USART_CR2_STOP_1_5 | CW_USART_CR2_CLKEN;
	l->u->cr3 = CW_USART_CR3_SCEN;
	l->u->cr1 |= CW_USART_CR1_UE | CW_USART_CR1_TE | CW_USART_CR1_RE |
	    CW_USART_CR1_RXNEIE;
	cw_stm_pin(l->io, CW_STM_AF_OD);
}

void
cw_line_stop(struct cw_line *l, struct cw_slot *s)
{
	bool feeding = l->mode == CW_LINE_TX;

	if (l->mode != CW_LINE_OFF)
		l->mode = CW_LINE_RX;
	l->u->cr1 &= ~CW_USART_CR1_TCIE;
	if (feeding) {
		/* What is in DR must not reach a card. */
		cw_stm_pin(l->io, CW_STM_IN);
		l->watched = false;
		l->feed->ccr = 0;
		l->echo->ccr = 0;
		l->u->cr3 &= ~(CW_USART_CR3_DMAT | CW_USART_CR3_DMAR |
		    CW_USART_CR3_EIE);
		l->u->cr1 |= CW_USART_CR1_RXNEIE;
	}
	if (l->talking) {
		l->turn->cr1 = 0;
		l->turn->cnt = 0;
		l->turn->sr = 0;
	}
	l->talking = l->follow = false;
	l->sent = l->refused = l->spoilt = false;
	l->tail = l->head;
	s->sending = s->waiting = s->receiving = s->talking = false;
}

void
cw_line_close(struct cw_line *l, struct cw_slot *s)
{
	cw_line_stop(l, s);
	l->mode = CW_LINE_OFF;
	l->u->cr1 = 0;
	memset(l->ring, 0, sizeof l->ring);
}

static int
card_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	struct cw_line *l = &cw_lines[slot];
	struct cw_slot *s = &cw_slots[slot];
	struct cw_rate r;
	uint32_t cr1;

	(void)dev;
	if (cw_rate_of(pclk_hz(slot), line->clk_hz, line->f, line->d, &r) < 0)
		return CW_ERANGE;
	/* GT has eight bits; 11 etu is more than this USART can do, and 12 is
	 * never too little. */
	if (line->guard_etu > 12 + 255)
		return CW_ERANGE;
	s->guard_etu = line->guard_etu;
	s->turn_etu = line->turn_etu;
	l->t1 = line->t1;
	line_apply(l, s, &r);
	cr1 = l->u->cr1 & ~CW_USART_CR1_PS;
	if (line->convention == CW_INVERSE)
		cr1 |= CW_USART_CR1_PS;
	l->u->cr1 = cr1;
	l->u->cr3 = CW_USART_CR3_SCEN | (l->t1 ? 0 : CW_USART_CR3_NACK);
	/* Characters 11 etu apart leave no room for a second half stop bit. */
	l->u->cr2 = CW_USART_CR2_CLKEN | (l->t1 && line->guard_etu < 12 ?
	    CW_USART_CR2_STOP_0_5 : CW_USART_CR2_STOP_1_5);
	return 0;
}

static int
card_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line)
{
	struct cw_rate best;
	uint32_t fmax_hz;
	uint16_t fi;
	uint8_t di;

	(void)dev;
	if (cw_pps_fidi(ta1, &fi, &fmax_hz, &di) < 0)
		return CW_ERANGE;
	if (fmax_hz > CLK_MAX_HZ)
		fmax_hz = CLK_MAX_HZ;
	if (cw_rate_best(pclk_hz(slot), fmax_hz, fi, di, &best) < 0)
		return CW_ERANGE;
	line->clk_hz = best.clk_hz;
	line->etu_clk = (fi + di / 2u) / di;
	return 0;
}

/* ---- power --------------------------------------------------------------------- */

static int
card_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	struct cw_line *l = &cw_lines[slot];
	struct cw_slot *s = &cw_slots[slot];

	(void)dev;
	if (vcc_mv != 0 && vcc_mv != 5000 && vcc_mv != 3000)
		return CW_ERANGE;
	s->owed++;
	s->power_us = cw_stm_now_us() + CW_POWER_US;
	cw_stm_pin_set(cw_slot_pins[slot].rstin, false);
	if (vcc_mv == 0) {
		cw_stm_pin_set(cw_slot_pins[slot].cmdvcc, true);
		cw_line_stop(l, s);
		s->power = CW_PWR_FALL;
		return 0;
	}
	cw_stm_pin_set(cw_slot_pins[slot].vsel, vcc_mv == 5000);
	line_open(l);
	cw_line_stop(l, s);
	l->mode = CW_LINE_RX;
	cw_stm_pin_set(cw_slot_pins[slot].cmdvcc, false);
	s->power = CW_PWR_RISE;
	return 0;
}

static int
card_reset(void *dev, uint8_t slot, bool asserted)
{
	struct cw_line *l = &cw_lines[slot];
	struct cw_slot *s = &cw_slots[slot];
	struct cw_rate r;

	(void)dev;
	if (s->power != CW_PWR_ON)
		return CW_EIO;
	cw_line_stop(l, s);
	if (!asserted) {
		if (cw_rate_of(pclk_hz(slot), s->rate.clk_hz, F_RESET, 1, &r) < 0)
			return CW_ERANGE;
		s->guard_etu = s->turn_etu = 12;
		l->t1 = false;
		line_apply(l, s, &r);
		l->u->cr1 &= ~CW_USART_CR1_PS;
		l->u->cr2 = CW_USART_CR2_CLKEN | CW_USART_CR2_STOP_1_5;
		l->u->cr3 = CW_USART_CR3_SCEN;
		l->bad_run = 0;
		l->ts_due = true;
		l->stamp = cw_stm_stamp();
	}
	cw_stm_pin_set(cw_slot_pins[slot].rstin, !asserted);
	return 0;
}

static int
card_present(void *dev, uint8_t slot)
{
	(void)dev;
	return cw_slots[slot].present ? 1 : 0;
}

/* ---- characters ----------------------------------------------------------------- */

void
cw_line_tx_begin(struct cw_line *l, struct cw_slot *s)
{
	static volatile uint8_t nowhere;

	s->waiting = false;
	cw_stm_pin(l->io, CW_STM_AF_OD);
	l->pin_away = (*l->pin_cr & ~(0xfu << 4 * (l->io % 8))) |
	    (uint32_t)CW_STM_IN << 4 * (l->io % 8);
	CW_DMA1->ifcr = l->echo_done;
	l->echo->cpar = (uint32_t)(uintptr_t)&l->u->dr;
	l->feed->cpar = (uint32_t)(uintptr_t)&l->u->dr;
	l->echo->cmar = (uint32_t)(uintptr_t)&nowhere;
	cw_line_feed(l);
}

/* At once, or when the card has had its rest. */
static void
send_begin(struct cw_line *l, struct cw_slot *s, const uint8_t *buf, size_t len)
{
	uint32_t rest_etu, rest_us;

	rest_etu = s->refused ? REFUSED_ETU : s->turn_etu > CW_CHAR_END_ETU + 1 ?
	    s->turn_etu - CW_CHAR_END_ETU : 0u;
	s->refused = false;
	l->tx = buf;
	l->tx_len = (uint16_t)len;
	l->tx_off = 0;
	if (rest_etu > 0) {
		rest_us = us_of(s, rest_etu) + 1;
		if (cw_line_since_us(l, cw_stm_now_us()) < (int32_t)rest_us ||
		    (l->u->sr & CW_USART_SR_TC) == 0) {
			s->waiting = true;
			s->tx_us = cw_stm_stamp_us(l->stamp) + rest_us;
			return;
		}
	}
	cw_line_tx_begin(l, s);
}

static int
card_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct cw_slot *s = &cw_slots[slot];

	(void)dev;
	if (s->power != CW_PWR_ON)
		return CW_EIO;
	if (len == 0 || len > UINT16_MAX)
		return CW_EINVAL;
	cw_line_stop(&cw_lines[slot], s);
	send_begin(&cw_lines[slot], s, buf, len);
	s->sending = true;
	return 0;
}

static struct cw_line_talk
talk_of(const struct cw_card_talk *t)
{
	return (struct cw_line_talk){ .tx = t->tx, .len = (uint16_t)t->len,
	    .cap = (uint8_t)t->cap, .expect_len = t->expect_len,
	    .expect = { t->expect[0], t->expect[1] } };
}

static bool
talk_good(const struct cw_card_talk *t)
{
	return t->len > 0 && t->len <= UINT16_MAX && t->cap > 0 && t->cap <= UINT8_MAX;
}

static int
card_talk(void *dev, uint8_t slot, const struct cw_card_talk *t)
{
	struct cw_line *l = &cw_lines[slot];
	struct cw_slot *s = &cw_slots[slot];

	(void)dev;
	if (s->power != CW_PWR_ON)
		return CW_EIO;
	if (!talk_good(t))
		return CW_EINVAL;
	cw_line_stop(l, s);
	l->talk[0] = talk_of(t);
	l->talk_cur = l->talk_told = 0;
	l->talk_end = 1;
	l->talking = l->follow = true;
	s->wait_us = us_of(s, t->wait_etu);
	send_begin(l, s, t->tx, t->len);
	s->talking = true;
	return 0;
}

static void
card_ahead(void *dev, uint8_t slot, const struct cw_card_talk *t)
{
	struct cw_line *l = &cw_lines[slot];
	uint32_t end = l->talk_end;

	(void)dev;
	/* Only a whole answer is compared, and only with what still waits. */
	if (!cw_slots[slot].talking || !talk_good(t) || t->expect_len == 0 ||
	    t->expect_len > sizeof t->expect || end - l->talk_told >= CW_LINE_TALKS ||
	    l->talk[(end - 1) % CW_LINE_TALKS].cap != t->expect_len)
		return;
	l->talk[end % CW_LINE_TALKS] = talk_of(t);
	l->talk_end = end + 1;
}

static int
card_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	struct cw_line *l = &cw_lines[slot];
	struct cw_slot *s = &cw_slots[slot];

	(void)dev;
	if (s->power != CW_PWR_ON)
		return CW_EIO;
	if (cap == 0)
		return CW_EINVAL;
	s->cap = cap < sizeof s->rx ? cap : sizeof s->rx;
	s->wait_us = us_of(s, wait_etu);
	s->receiving = true;
	l->want = l->tail + s->cap;
	cw_board_awake = true;
	return 0;
}

static void
card_abort(void *dev, uint8_t slot)
{
	(void)dev;
	cw_line_stop(&cw_lines[slot], &cw_slots[slot]);
}

const struct cw_card_ops cw_board_card_ops = {
	.power = card_power,
	.reset = card_reset,
	.set_line = card_set_line,
	.best_line = card_best_line,
	.send = card_send,
	.recv = card_recv,
	.abort = card_abort,
	.present = card_present,
};

const struct cw_talk_ops cw_board_talk_ops = { card_talk, card_ahead };
