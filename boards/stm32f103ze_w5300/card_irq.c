/* SPDX-License-Identifier: Apache-2.0 */
#include "card_private.h"

/*
 * At 512/64 and 5 MHz a character lasts 1,152 cycles and the answer to an echo
 * is due within half an etu, 48 cycles of USART2 and 96 of the core times three
 * lines: so this file is compiled for speed and does nothing but move.
 */
#define TS_INVERSE 0x03u	/* 7816-3, 8.1: 3F under inverse, seen under direct */
#define REPEAT_MAX 3u		/* 7816-3, 7.3 leaves it open; EMV Book 1: 3 more */

static inline void
push(struct cw_line *l, uint32_t ch)
{
	uint32_t head = l->head;

	l->ring[head % CW_LINE_RING] = (uint16_t)ch;
	l->head = ++head;
	if (head == l->want)
		cw_board_awake = true;
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

/* Our own character has come back: FE means that the card pulled the line low. */
static inline void
echo(struct cw_line *l, uint32_t sr)
{
	uint32_t off = l->tx_off;

	if ((sr & CW_USART_SR_FE) != 0 && !l->t1) {
		l->refused = true;
	} else {
		l->tx_off = (uint16_t)++off;
		if (off < l->tx_len) {
			if (!l->guarded) {
				l->u->dr = l->tx[off];
				return;
			}
			l->mode = CW_LINE_GUARD;
			l->u->cr1 |= CW_USART_CR1_TCIE;
			return;
		}
		l->sent = true;
	}
	/* The card may answer 12 etu after the edge: listen from here on. */
	l->mode = CW_LINE_RX;
	cw_board_awake = true;
}

static void
block_end(struct cw_line *l)
{
	l->u->sr = ~CW_USART_SR_TC;	/* the others are not cleared by a 0 */
	if (l->dma->cndtr != 0)
		return;
	l->u->cr1 = (l->u->cr1 & ~CW_USART_CR1_TCIE) | CW_USART_CR1_RE;
	l->u->cr3 &= ~CW_USART_CR3_DMAT;
	l->dma->ccr = 0;
	l->tx_off = l->tx_len;
	l->sent = true;
	l->mode = CW_LINE_RX;
	l->stamp = cw_stm_stamp();
	cw_board_awake = true;
}

static inline void
line_irq(struct cw_line *l)
{
	uint32_t sr = l->u->sr, ch;

	if ((sr & (CW_USART_SR_RXNE | CW_USART_SR_ORE)) != 0) {
		ch = l->u->dr & 0xffu;
		if (l->mode == CW_LINE_RX)
			take(l, sr, ch);
		else if (l->mode == CW_LINE_TX)
			echo(l, sr);
		l->stamp = cw_stm_stamp();
	}
	if ((sr & CW_USART_SR_TC) == 0)
		return;
	if (l->mode == CW_LINE_GUARD && (l->u->cr1 & CW_USART_CR1_TCIE) != 0 &&
	    (sr & CW_USART_SR_RXNE) == 0) {
		l->u->cr1 &= ~CW_USART_CR1_TCIE;
		l->mode = CW_LINE_TX;
		l->u->dr = l->tx[l->tx_off];
	} else if (l->mode == CW_LINE_BLOCK) {
		block_end(l);
	}
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
