/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CARD_PRIVATE_H
#define CW_CARD_PRIVATE_H

#include "board_private.h"
#include "rate.h"

/*
 * A card line: what its interrupt handler (card_irq.c) and the loop (card.c)
 * share.  The handler alone writes head, stamp and the flags marked so; the loop
 * writes the rest while the line is quiet.
 *
 *	OFF	no clock; the handler drops what comes
 *	RX	characters of the card go into the ring
 *	TX	one DMA channel feeds the characters, another takes their echoes:
 *		the last echo ends it; FE of any (the card refuses it) interrupts
 *	ONE	more than 12 etu between characters: one of them is on the line,
 *		its echo ends it
 *	GUARD	TC comes after the guard time and sends the next one
 *
 * At 512/64 there are 42 cycles between the echo that tells whether a character
 * was refused and the time by which the next must be in DR to come 12 etu after
 * it.  No handler does that for three lines.  So the next one is in DR already,
 * and when the card refuses the one before, the pin is taken from the USART:
 * what it sends then reaches nobody.  If that comes too late, within the start
 * bit, the card sees FF with a wrong parity, and refuses that as well.
 */
enum cw_line_mode {
	CW_LINE_OFF, CW_LINE_RX, CW_LINE_TX, CW_LINE_ONE, CW_LINE_GUARD,
};

/* The longest block of T=1 has 259 characters; a power of two above it. */
#define CW_LINE_RING 512u
#define CW_LINE_BAD 0x100u	/* in the ring: came with a wrong parity */
/* One under way, those that wait; a power of two. */
#define CW_LINE_TALKS 4u

/* What is sent, and the characters that it awaits (struct cw_card_talk). */
struct cw_line_talk {
	const uint8_t *tx;
	uint16_t len;
	uint8_t cap, expect_len;
	uint8_t expect[2];
};

struct cw_line {
	struct cw_stm_usart *u;
	struct cw_stm_dma_ch *feed, *echo;
	uint32_t echo_done;		/* of the DMA's IFCR */
	bool watched;			/* TX: the card may refuse a character */
	volatile uint32_t *pin_cr;	/* this takes the pin from the USART: */
	uint32_t pin_away;
	uint8_t io;			/* the pin */
	volatile enum cw_line_mode mode;
	bool t1;
	bool guarded;			/* more than 12 etu between characters */
	volatile bool ts_due;		/* the next character is TS */

	/*
	 * A talk: the handler goes on from sending to receiving, and where the
	 * answer is what talk[talk_cur + 1] expects, to that.  The loop tells the
	 * core of each: talk_told runs after talk_cur.
	 */
	struct cw_line_talk talk[CW_LINE_TALKS];
	bool talking;
	volatile bool follow;			/* what waits may begin */
	volatile uint32_t talk_cur;		/* handler */
	uint32_t talk_told;
	volatile uint32_t talk_end;
	struct cw_stm_tim *turn;
	bool turn_wait;				/* the timer: the card has its rest */

	const uint8_t *tx;
	uint16_t tx_len;
	volatile uint16_t tx_off;	/* handler: characters that were taken */
	volatile bool sent, refused;	/* handler */

	uint16_t ring[CW_LINE_RING];
	volatile uint32_t head;		/* handler */
	uint32_t tail;
	volatile uint32_t want;		/* wake the loop at this head */
	volatile bool spoilt;		/* handler: a character stayed wrong */
	volatile uint32_t bad_cnt;	/* handler: repetitions asked for */
	uint8_t bad_run;		/* handler: of the present character */
	struct cw_stm_stamp stamp;	/* handler: end of the last character */
};

/*
 * The loop's state of a slot.  Power, as the interface chip has it (TDA8024:
 * activation 50 to 220 us, deactivation 50 to 100 us, presence debounced by 8 ms
 * in the chip):
 *
 *	OFF --power(v)--> RISE --CW_POWER_US, OFF pin high--> ON
 *	ON --power(0)--> FALL --CW_POWER_US--> OFF
 *	RISE, ON --OFF pin low--> FAULT --CW_POWER_US--> OFF
 */
#define CW_POWER_US 400u
/* RXNE comes when the stop bits are over: so long after the leading edge. */
#define CW_CHAR_END_ETU 11u

enum cw_power { CW_PWR_OFF, CW_PWR_RISE, CW_PWR_ON, CW_PWR_FALL, CW_PWR_FAULT };

struct cw_slot {
	enum cw_power power;
	uint64_t power_us;		/* RISE, FALL, FAULT: when it is over */
	uint8_t owed;			/* CW_EV_POWERED */
	int16_t owed_err;
	bool present;			/* as told to the core */
	uint8_t changed_ms;		/* for how long the pin says otherwise */
	bool alarm;			/* CW_EV_OVERCURRENT is to be told */
	bool moved;			/* CW_EV_CARD is to be told */

	struct cw_rate rate;
	uint32_t etu_q16;		/* microseconds, 16.16 */
	uint16_t guard_etu, turn_etu;

	bool sending, waiting;		/* waiting: for tx_us */
	bool refused;			/* the last send ended so */
	uint32_t tx_us;			/* modulo 2^32, as all times of characters */
	bool talking;
	bool receiving;
	size_t cap;
	uint32_t wait_us, lull_us;
	uint8_t rx[264];		/* what CW_EV_RECV lends */
};

struct cw_slot_pins {
	uint8_t io, clock, cmdvcc, rstin, off, vsel;
};

extern struct cw_line cw_lines[CW_BOARD_SLOTS];
extern struct cw_slot cw_slots[CW_BOARD_SLOTS];
extern const struct cw_slot_pins cw_slot_pins[CW_BOARD_SLOTS];

/* card.c: nothing on the way any more, nothing in the ring. */
void cw_line_stop(struct cw_line *l, struct cw_slot *s);
/* No clock either. */
void cw_line_close(struct cw_line *l, struct cw_slot *s);
/* The rest before the first character is over. */
void cw_line_tx_begin(struct cw_line *l, struct cw_slot *s);
/* Lets the DMA (or, guarded, the first character) go. */
static inline void
cw_line_feed(struct cw_line *l)
{
	if (l->guarded) {
		l->mode = CW_LINE_ONE;
		l->u->dr = l->tx[0];
		return;
	}
	l->u->cr1 &= ~CW_USART_CR1_RXNEIE;
	l->mode = CW_LINE_TX;
	l->watched = !l->t1;
	l->echo->cndtr = l->tx_len;
	l->feed->cndtr = l->tx_len;
	l->feed->cmar = (uint32_t)(uintptr_t)l->tx;
	(void)l->u->sr;			/* an old FE goes with these two reads */
	(void)l->u->dr;
	l->u->cr3 |= CW_USART_CR3_DMAT | CW_USART_CR3_DMAR | CW_USART_CR3_EIE;
	l->echo->ccr = CW_DMA_CCR_TCIE | CW_DMA_CCR_EN;
	l->feed->ccr = CW_DMA_CCR_DIR | CW_DMA_CCR_MINC | CW_DMA_CCR_EN;
}
/* Below 0 when the handler has been there since now_us was taken. */
static inline int32_t
cw_line_since_us(const struct cw_line *l, uint64_t now_us)
{
	return (int32_t)((uint32_t)now_us - cw_stm_stamp_us(l->stamp));
}

/* card_irq.c: handlers of USART1 to 3 and of the channels of their echoes. */
void cw_line_irq1(void);
void cw_line_irq2(void);
void cw_line_irq3(void);
void cw_line_echo1(void);
void cw_line_echo2(void);
void cw_line_echo3(void);
void cw_line_turn1(void);
void cw_line_turn2(void);
void cw_line_turn3(void);

#endif
