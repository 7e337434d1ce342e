/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CONTACT_CLIENT_H
#define CW_CONTACT_CLIENT_H

#include "boards/host/contact.h"
#include "reader/port.h"

/*
 * The reader's side of the contact link as a card line: struct cw_card_ops on
 * one side, a stream of bytes on the other.  Freestanding, no I/O: a host board
 * carries the bytes over TCP, a board whose UART is bridged to cardwright-card
 * carries them over that.
 *
 *	cw_contact_client_init(c, &cfg);
 *	cw_contact_client_up(c);		the stream is there
 *	n = cw_contact_client_input(c, buf, len);	one message at most
 *	n = cw_contact_client_output(c, &p); ... cw_contact_client_sent(c, n);
 *	cw_contact_client_lost(c);		the stream is gone
 *
 * Like a UART with a FIFO it listens ahead: a LISTEN goes out together with the
 * CHARS that the card will answer, so that a command costs two round trips and
 * not four.  Its answer is kept until the core asks with recv.  After a refused
 * character nothing is listened for ahead until the next activation: the card
 * says nothing then and the wait would be for nothing.
 *
 * Answers come in the order of the questions, so what was aborted needs only to
 * be counted (stale_*).
 */
#define CW_CONTACT_FIFO 512
#define CW_CONTACT_WHY 128

struct cw_contact_client_config {
	/* Queues an event of the slot for the core; ev is copied, what its buf
	 * lends is good until the next cw_contact_client_input. */
	void (*post)(void *dev, const struct cw_event *ev);
	/* Takes SENT to SILENT of the slot back out of that queue: for abort. */
	void (*unpost)(void *dev);
	void *dev;
	uint16_t station;	/* 1.. */
	uint8_t slot;		/* that events are of */
};

/* The caller's.  What others may read: up, attached, present, why. */
struct cw_contact_client {
	struct cw_contact_client_config cfg;
	bool up;		/* there is a stream */
	bool attached;		/* and the other side has answered on it */
	bool present;
	char why[CW_CONTACT_WHY];	/* after an error of input */

	bool fifo_ahead;	/* LISTEN goes out with CHARS */
	bool receiving;		/* the core waits in recv */
	bool parity;		/* behind what is in fifo */
	bool listening;		/* a LISTEN is not answered yet */
	bool sending;
	uint32_t recv_wait_etu;	/* of the core's recv */
	size_t recv_cap;
	uint32_t listen_wait_etu;	/* of the LISTEN under way */
	uint32_t silent_etu;	/* a LISTEN ahead of recv ended silent after */
	uint32_t stale_taken, stale_listen, stale_power;	/* answers that nobody awaits */
	size_t sent_len;
	uint32_t power_out;
	uint64_t etu;		/* for the next event */
	uint32_t bad_cnt;
	size_t fifo_len, fifo_off;
	uint8_t fifo[CW_CONTACT_FIFO];
	size_t out_len, out_off;
	uint8_t out[8192];
	size_t rx_len;
	uint8_t rx[CW_CONTACT_HDR + CW_CONTACT_BODY_MAX];
};

/* cfg is copied; no stream yet. */
void cw_contact_client_init(struct cw_contact_client *c,
    const struct cw_contact_client_config *cfg);
/* A new stream: introduces itself. */
void cw_contact_client_up(struct cw_contact_client *c);
/* The stream is gone, and the card with it: what it owed is answered by events.
 * Harmless without one. */
void cw_contact_client_lost(struct cw_contact_client *c);

/*
 * Takes bytes up to the end of one message; give the core what it posted before
 * the next call.  Bytes used, or CW_EPROTO, CW_EDENIED (refused) with c->why: the
 * caller closes the stream and calls cw_contact_client_lost.
 */
int cw_contact_client_input(struct cw_contact_client *c, const uint8_t *buf,
    size_t len);
/* Lends what is to be sent; then tell how much of it was.  It may be a person's
 * record: copies are wiped. */
size_t cw_contact_client_output(const struct cw_contact_client *c,
    const uint8_t **buf);
void cw_contact_client_sent(struct cw_contact_client *c, size_t len);
/* With the card off and nothing under way: asks for an answer that is no event,
 * for a board whose stream does not tell when it ends. */
void cw_contact_client_probe(struct cw_contact_client *c);
/* True while the other side owes an answer. */
bool cw_contact_client_waits(const struct cw_contact_client *c);

/* What the struct cw_card_ops of the board do (reader/port.h). */
int cw_contact_client_power(struct cw_contact_client *c, uint32_t vcc_mv);
int cw_contact_client_reset(struct cw_contact_client *c, bool asserted);
int cw_contact_client_set_line(struct cw_contact_client *c,
    const struct cw_card_line *line);
int cw_contact_client_best_line(uint8_t ta1, struct cw_card_line *line);
int cw_contact_client_send(struct cw_contact_client *c, const uint8_t *buf,
    size_t len);
int cw_contact_client_recv(struct cw_contact_client *c, size_t cap,
    uint32_t wait_etu);
void cw_contact_client_abort(struct cw_contact_client *c);

#endif
