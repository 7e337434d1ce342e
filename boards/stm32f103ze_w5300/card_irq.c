/* SPDX-License-Identifier: Apache-2.0 */
#include "card_private.h"

/* A character at 512/64 and 5 MHz lasts 1,152 cycles, and there are three lines:
 * this file is compiled for speed and does nothing but move. */
#define TS_INVERSE 0x03u	/* 7816-3, 8.1: 3F under inverse, seen under direct */
#define REPEAT_MAX 3u		/* 7816-3, 7.3 leaves it open; EMV Book 1: 3 more */

/* The answer is whole: what was foreseen for it begins. */
static inline void
follow(struct cw_line *l, uint32_t head)
{
	uint32_t next = l->talk_cur + 1;
	const struct cw_line_talk *t = &l->talk[next % CW_LINE_TALKS];

	if (next == l->talk_end ||
	    l->ring[(head - 1) % CW_LINE_RING] != t->expect[t->expect_len - 1u] ||
	    l->ring[(head - t->expect_len) % CW_LINE_RING] != t->expect[0])
		return;
	l->talk_cur = next;
	l->sent = false;
	l->tx = t->tx;
	l->tx_len = t->len;
	l->tx_off = 0;
	if (l->turn_wait)
		l->turn->cr1 = CW_TIM_CR1_OPM | CW_TIM_CR1_CEN;
	else
		cw_line_feed(l);
}

static inline void
push(struct cw_line *l, uint32_t ch)
{
	uint32_t head = l->head;

	l->ring[head % CW_LINE_RING] = (uint16_t)ch;
	l->head = ++head;
	if (head == l->want) {
		if (l->follow)
			follow(l, head);
		cw_board_awake = true;
	}
}

/*
 * TS tells the convention: that of an inverse card has odd parity, and so have
 * all that follow.  No error signal before that is known.
 */
static void
take_ts(struct cw_line *l, uint32_t sr, uint32_t ch)
{
	l->ts_due = false;
	if ((sr & CW_USART_SR_PE) != 0 && ch == TS_INVERSE)
		l->u->cr1 |= CW_USART_CR1_PS;
	l->u->cr3 |= CW_USART_CR3_NACK;
	push(l, ch);
}

/* T=0: the hardware has signalled the error, the card repeats. */
static void
take_bad(struct cw_line *l, uint32_t sr, uint32_t ch)
{
	if (l->t1) {
		push(l, ch | CW_LINE_BAD);
		return;
	}
	l->bad_cnt++;
	if (++l->bad_run > REPEAT_MAX || (sr & CW_USART_SR_ORE) != 0) {
		l->bad_run = 0;
		l->spoilt = true;
		l->follow = false;
		cw_board_awake = true;
	}
}

static inline void
take(struct cw_line *l, uint32_t sr, uint32_t ch)
{
	if (l->ts_due) {
		take_ts(l, sr, ch);
	} else if ((sr & (CW_USART_SR_PE | CW_USART_SR_ORE)) != 0) {
		take_bad(l, sr, ch);
	} else {
		l->bad_run = 0;
		push(l, ch);
	}
}

/* The card may answer 12 etu after the last edge: listen from here on. */
static inline void
turn(struct cw_line *l)
{
	l->mode = CW_LINE_RX;
	l->stamp = cw_stm_stamp();
	if (l->talking && l->sent)
		l->want = l->head + l->talk[l->talk_cur % CW_LINE_TALKS].cap;
	else
		cw_board_awake = true;
}

static void
feed_stop(struct cw_line *l)
{
	l->feed->ccr = 0;
	l->echo->ccr = 0;
	l->watched = false;
	l->u->cr3 &= ~(CW_USART_CR3_DMAT | CW_USART_CR3_DMAR | CW_USART_CR3_EIE);
	l->u->cr1 |= CW_USART_CR1_RXNEIE;
}

/* sr: of the character that the card refused. */
static inline void
feed_refused(struct cw_line *l, uint32_t sr)
{
	uint32_t left;

	left = l->echo->cndtr;
	feed_stop(l);
	/* The echo of the refused one counts, unless it still waits in DR. */
	l->tx_off = (uint16_t)(l->tx_len - left -
	    ((sr & CW_USART_SR_RXNE) != 0 ? 0u : 1u));
	(void)l->u->dr;
	l->refused = true;
	turn(l);
}

static inline void
feed_done(struct cw_line *l)
{
	uint32_t sr = l->u->sr;

	CW_DMA1->ifcr = l->echo_done;
	if (l->mode != CW_LINE_TX || l->echo->cndtr != 0)
		return;
	if ((sr & CW_USART_SR_FE) != 0 && l->watched) {
		feed_refused(l, sr);
		return;
	}
	feed_stop(l);
	l->tx_off = l->tx_len;
	l->sent = true;
	turn(l);
}

/* One character has come back: FE means that the card pulled the line low. */
static void
one_echo(struct cw_line *l, uint32_t sr)
{
	if ((sr & CW_USART_SR_FE) != 0 && !l->t1) {
		l->refused = true;
		turn(l);
	} else if (++l->tx_off < l->tx_len) {
		l->mode = CW_LINE_GUARD;
		l->u->cr1 |= CW_USART_CR1_TCIE;
	} else {
		l->sent = true;
		turn(l);
	}
}

static void
one_next(struct cw_line *l)
{
	l->u->cr1 &= ~CW_USART_CR1_TCIE;
	l->mode = CW_LINE_ONE;
	l->u->dr = l->tx[l->tx_off];
}

static inline void
line_irq(struct cw_line *l)
{
	uint32_t sr = l->u->sr, ch;

	if ((sr & CW_USART_SR_FE) != 0 && l->watched) {
		/* First of all: the next character falls within an etu. */
		*l->pin_cr = l->pin_away;
		feed_refused(l, sr);
		return;
	}
	if (l->mode == CW_LINE_TX) {
		(void)l->u->dr;			/* clears what interrupted */
		return;
	}
	if ((sr & (CW_USART_SR_RXNE | CW_USART_SR_ORE)) != 0) {
		ch = l->u->dr & 0xffu;
		if (l->mode == CW_LINE_RX) {
			take(l, sr, ch);
			l->stamp = cw_stm_stamp();
		} else if (l->mode == CW_LINE_ONE) {
			one_echo(l, sr);
		}
	} else if (l->mode == CW_LINE_GUARD && (sr & CW_USART_SR_TC) != 0) {
		one_next(l);
	}
}

/* The card's rest is over. */
static inline void
turn_over(struct cw_line *l)
{
	l->turn->sr = 0;
	if (l->talking && l->mode == CW_LINE_RX)
		cw_line_feed(l);
}

void
cw_line_irq1(void)
{
	line_irq(&cw_lines[0]);
}

void
cw_line_irq2(void)
{
	line_irq(&cw_lines[1]);
}

void
cw_line_irq3(void)
{
	line_irq(&cw_lines[2]);
}

void
cw_line_echo1(void)
{
	feed_done(&cw_lines[0]);
}

void
cw_line_echo2(void)
{
	feed_done(&cw_lines[1]);
}

void
cw_line_echo3(void)
{
	feed_done(&cw_lines[2]);
}

void
cw_line_turn1(void)
{
	turn_over(&cw_lines[0]);
}

void
cw_line_turn2(void)
{
	turn_over(&cw_lines[1]);
}

void
cw_line_turn3(void)
{
	turn_over(&cw_lines[2]);
}
