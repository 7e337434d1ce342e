/* SPDX-License-Identifier: Apache-2.0 */
#include "card_private.h"
#include "cw/err.h"

/* Samples of the OFF pin, one a millisecond, until a change is believed. */
#define PRESENT_MS 3u

static uint32_t sampled_ms;

static bool
off_pin(uint8_t i)
{
	return cw_stm_pin_get(cw_slot_pins[i].off);
}

void
cw_card_start(void)
{
	static struct cw_stm_usart *const usart[] = { CW_USART1, CW_USART2, CW_USART3 };
	/* RM0008, table 78: channels of TX and RX */
	static const uint8_t feed[] = { 4, 7, 2 }, echo[] = { 5, 6, 3 };
	static struct cw_stm_tim *const turn[] = { CW_TIM2, CW_TIM3, CW_TIM4 };
	static const enum cw_stm_irq irq[][3] = {
		{ CW_IRQ_USART1, CW_IRQ_DMA1_CH5, CW_IRQ_TIM2 },
		{ CW_IRQ_USART2, CW_IRQ_DMA1_CH6, CW_IRQ_TIM3 },
		{ CW_IRQ_USART3, CW_IRQ_DMA1_CH3, CW_IRQ_TIM4 },
	};
	uint8_t i;

	for (i = 0; i < CW_BOARD_SLOTS; i++) {
		const struct cw_slot_pins *p = &cw_slot_pins[i];
		struct cw_card_line line = { 5000000, 372, 12, CW_DIRECT, 12, false, 372, 1 };

		cw_lines[i].u = usart[i];
		cw_lines[i].feed = &CW_DMA1->ch[feed[i] - 1];
		cw_lines[i].echo = &CW_DMA1->ch[echo[i] - 1];
		cw_lines[i].echo_done = CW_DMA_IFCR_ALL(echo[i]);
		cw_lines[i].turn = turn[i];
		cw_lines[i].turn->dier = CW_TIM_DIER_UIE;
		cw_lines[i].io = p->io;
		cw_lines[i].pin_cr = p->io % 16 < 8 ? &CW_GPIO(p->io / 16)->crl :
		    &CW_GPIO(p->io / 16)->crh;
		cw_stm_pin_set(p->cmdvcc, true);
		cw_stm_pin_set(p->rstin, false);
		cw_stm_pin_set(p->vsel, true);
		cw_stm_pin_set(p->off, true);
		cw_stm_pin(p->cmdvcc, CW_STM_OUT);
		cw_stm_pin(p->rstin, CW_STM_OUT);
		cw_stm_pin(p->vsel, CW_STM_OUT);
		cw_stm_pin(p->off, CW_STM_IN_PULL);
		cw_stm_pin(p->io, CW_STM_AF_OD);
		cw_stm_pin(p->clock, CW_STM_AF);
		cw_board_card_ops.set_line(NULL, i, &line);
		cw_slots[i].present = off_pin(i);
		cw_stm_irq_on(irq[i][0], CW_STM_PRIO_LINE);
		cw_stm_irq_on(irq[i][1], CW_STM_PRIO_LINE);
		cw_stm_irq_on(irq[i][2], CW_STM_PRIO_LINE);
	}
}

/* ---- power and presence ---------------------------------------------------- */

/* The chip has cut the card's power by itself; CMDVCC high makes the OFF pin
 * tell whether the card is still there. */
static void
fault(uint8_t i, uint64_t now_us)
{
	struct cw_slot *s = &cw_slots[i];

	cw_stm_pin_set(cw_slot_pins[i].cmdvcc, true);
	cw_stm_pin_set(cw_slot_pins[i].rstin, false);
	cw_line_stop(&cw_lines[i], s);
	s->alarm = s->power == CW_PWR_ON;
	s->power = CW_PWR_FAULT;
	s->power_us = now_us + CW_POWER_US;
}

static void
power_step(uint8_t i, uint64_t now_us)
{
	struct cw_slot *s = &cw_slots[i];

	if ((s->power == CW_PWR_RISE || s->power == CW_PWR_FALL ||
	    s->power == CW_PWR_FAULT) && now_us < s->power_us)
		return;
	switch (s->power) {
	case CW_PWR_RISE:
		if (!off_pin(i)) {
			fault(i, now_us);
			break;
		}
		s->power = CW_PWR_ON;
		s->owed_err = 0;
		break;
	case CW_PWR_FALL:
		s->power = CW_PWR_OFF;
		cw_line_close(&cw_lines[i], s);
		s->owed_err = 0;
		break;
	case CW_PWR_FAULT:
		s->power = CW_PWR_OFF;
		cw_line_close(&cw_lines[i], s);
		s->owed_err = off_pin(i) ? CW_EIO : CW_EREMOVED;
		if (!off_pin(i)) {
			s->alarm = false;
			s->moved = s->present;
			s->present = false;
		}
		break;
	case CW_PWR_ON:
	case CW_PWR_OFF:
		break;
	}
}

/* Once a millisecond. */
static void
sample(uint8_t i, uint64_t now_us)
{
	struct cw_slot *s = &cw_slots[i];

	if (s->power == CW_PWR_ON && !off_pin(i)) {
		fault(i, now_us);
	} else if (s->power == CW_PWR_OFF) {
		s->changed_ms = off_pin(i) != s->present ?
		    (uint8_t)(s->changed_ms + 1) : 0;
		if (s->changed_ms >= PRESENT_MS) {
			s->changed_ms = 0;
			s->present = !s->present;
			s->moved = true;
		}
	}
}

static bool
power_event(uint8_t i, struct cw_event *ev)
{
	struct cw_slot *s = &cw_slots[i];
	bool steady = s->power == CW_PWR_ON || s->power == CW_PWR_OFF;

	if (steady && s->owed > 0) {
		s->owed--;
		ev->kind = CW_EV_POWERED;
		ev->err = s->owed_err;
	} else if (steady && s->moved) {
		s->moved = false;
		ev->kind = CW_EV_CARD;
		ev->len = s->present ? 1 : 0;
	} else if (steady && s->alarm) {
		s->alarm = false;
		ev->kind = CW_EV_OVERCURRENT;
	} else {
		return false;
	}
	return true;
}

/* ---- characters -------------------------------------------------------------- */

static bool
refused_event(struct cw_line *l, struct cw_slot *s, struct cw_event *ev,
    uint64_t now_us)
{
	/* After a refusal the USART may still be sending to nobody. */
	if (s->waiting && (int32_t)((uint32_t)now_us - s->tx_us) >= 0 &&
	    (l->u->sr & CW_USART_SR_TC) != 0)
		cw_line_tx_begin(l, s);
	if (!l->refused)
		return false;
	ev->kind = CW_EV_NACK;
	ev->idx = l->tx_off;
	l->refused = false;
	l->talking = s->talking = l->follow = false;
	s->refused = true;
	s->sending = false;
	return true;
}

static bool
send_event(struct cw_line *l, struct cw_slot *s, struct cw_event *ev,
    uint64_t now_us)
{
	if (!l->sent)
		return refused_event(l, s, ev, now_us);
	ev->kind = CW_EV_SENT;
	ev->line_etu = (uint64_t)l->tx_len * s->guard_etu;
	l->sent = false;
	s->sending = false;
	return true;
}

/* cnt characters out of the ring. */
static void
recv_give(struct cw_line *l, struct cw_slot *s, struct cw_event *ev, size_t cnt)
{
	size_t i;

	ev->bad_cnt = l->bad_cnt;
	l->bad_cnt = 0;
	for (i = 0; i < cnt; i++) {
		uint16_t ch = l->ring[l->tail++ % CW_LINE_RING];

		s->rx[i] = (uint8_t)ch;
		if ((ch & CW_LINE_BAD) != 0)
			ev->bad_cnt++;
	}
	ev->kind = CW_EV_RECV;
	ev->buf = s->rx;
	ev->len = cnt;
	ev->line_etu = cnt * 12;
	s->receiving = false;
}

static bool
recv_event(struct cw_line *l, struct cw_slot *s, struct cw_event *ev,
    uint64_t now_us)
{
	size_t cnt = l->head - l->tail;

	if (cnt >= s->cap) {
		recv_give(l, s, ev, s->cap);
		return true;
	}
	if (!l->spoilt && cw_line_since_us(l, now_us) <
	    (int32_t)(cnt > 0 && s->lull_us < s->wait_us ? s->lull_us : s->wait_us))
		return false;
	/* The handler may have put one more there: it counts. */
	cnt = l->head - l->tail;
	if (cnt > 0) {
		recv_give(l, s, ev, cnt < s->cap ? cnt : s->cap);
		return true;
	}
	ev->kind = l->spoilt ? CW_EV_PARITY : CW_EV_SILENT;
	l->spoilt = false;
	s->receiving = false;
	return true;
}

/*
 * A talk, or one that has gone on from another.  The handler decides when the
 * last awaited character comes; to end the waiting earlier it is first told not
 * to, and then asked whether it already has.
 */
static bool
talk_event(struct cw_line *l, struct cw_slot *s, struct cw_event *ev,
    uint64_t now_us)
{
	const struct cw_line_talk *t = &l->talk[l->talk_told % CW_LINE_TALKS];
	size_t cnt = l->head - l->tail;
	bool over = false;

	if (l->sent && cnt < t->cap) {
		over = l->spoilt || cw_line_since_us(l, now_us) >=
		    (int32_t)(cnt > 0 && s->lull_us < s->wait_us ? s->lull_us : s->wait_us);
		if (over)
			l->follow = false;
	}
	if (l->talk_told != l->talk_cur) {
		recv_give(l, s, ev, t->cap);
		ev->went_on = true;
		l->talk_told++;
	} else if (!l->sent) {
		return refused_event(l, s, ev, now_us);
	} else if (cnt >= t->cap || over) {
		/* What is left is a recv. */
		l->talking = s->talking = l->follow = false;
		l->sent = false;
		s->cap = t->cap;
		s->receiving = true;
		if (!recv_event(l, s, ev, now_us))
			return false;
	} else {
		return false;
	}
	ev->line_etu += (uint64_t)t->len * s->guard_etu;
	return true;
}

static bool
slot_poll(uint8_t i, struct cw_event *ev, uint64_t now_us)
{
	struct cw_line *l = &cw_lines[i];
	struct cw_slot *s = &cw_slots[i];

	/* The usual case first: characters under way, nothing else. */
	if (s->power != CW_PWR_ON || s->owed > 0) {
		power_step(i, now_us);
		if (power_event(i, ev))
			return true;
	}
	ev->went_on = false;
	if (s->talking)
		return talk_event(l, s, ev, now_us);
	if (s->sending)
		return send_event(l, s, ev, now_us);
	return s->receiving && recv_event(l, s, ev, now_us);
}

bool
cw_card_poll(struct cw_event *ev, uint64_t now_us)
{
	bool sampling = cw_stm_ms != sampled_ms;
	uint8_t i;

	sampled_ms = cw_stm_ms;
	for (i = 0; i < CW_BOARD_SLOTS && sampling; i++)
		sample(i, now_us);
	for (i = 0; i < CW_BOARD_SLOTS; i++) {
		ev->slot = i;
		if (slot_poll(i, ev, now_us))
			return true;
	}
	return false;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* now_us, plus what is left until the 32-bit time t. */
static uint64_t
at(uint64_t now_us, uint32_t t)
{
	int32_t left = (int32_t)(t - (uint32_t)now_us);

	return left > 0 ? now_us + (uint32_t)left : now_us;
}

uint64_t
cw_card_due(uint64_t now_us)
{
	uint64_t due = UINT64_MAX;
	uint8_t i;

	for (i = 0; i < CW_BOARD_SLOTS; i++) {
		const struct cw_slot *s = &cw_slots[i];
		uint32_t wait_us = cw_lines[i].head != cw_lines[i].tail &&
		    s->lull_us < s->wait_us ? s->lull_us : s->wait_us;

		if (s->power != CW_PWR_ON && s->power != CW_PWR_OFF)
			due = earlier(due, s->power_us);
		if (s->waiting)
			due = earlier(due, at(now_us, s->tx_us));
		if (s->receiving || (s->talking && cw_lines[i].sent))
			due = earlier(due, at(now_us,
			    cw_stm_stamp_us(cw_lines[i].stamp) + wait_us));
	}
	return due;
}
