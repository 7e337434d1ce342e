/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_WORLD_H
#define CW_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/card.h"

/*
 * The blanks of one line: a hopper, stations with at most one card each, bins.
 * It knows every card that was ever fed and where it is: the one place that
 * tells, independently of device, terminal and platform, what really lies in
 * the good bin.  A card that left its station is kept as a summary only.
 */
enum cw_world_bin { CW_BIN_STATION, CW_BIN_GOOD, CW_BIN_REJECT, CW_BIN_LOST };

struct cw_world_config {
	uint16_t station_cnt;
	uint32_t blanks;	/* UINT32_MAX = endless */
	uint16_t tag;		/* in every serial number: 43 57, tag, card number */
	struct cw_sim_card_config card;	/* of every blank; serial, seed, fault are set per card */
	/* What that card is, in place of card.uicc; NULL: card.uicc for all. */
	const struct cw_uicc_desc *(*uicc_of)(void *ctx, uint32_t card_no);
	/* A card left its station for a bin, or got lost; lends it.  May be NULL. */
	void (*left)(void *ctx, uint32_t card_no, enum cw_world_bin bin,
	    const struct cw_sim_card *card);
	void *ctx;
};

struct cw_world;
/* NULL when out of memory. */
struct cw_world *cw_world_new(const struct cw_world_config *cfg);
void cw_world_free(struct cw_world *w);

/*
 * "CARDNO=FAULT", or "every:N=FAULT" for each card whose number is a multiple
 * of N; one for a number goes before one for a multiple, a later one before an
 * earlier. 0, CW_EFORMAT, CW_ENOMEM.
 */
int cw_world_fault(struct cw_world *w, const char *text);

/* Stations count from 0. See docs/spec/contact-link.md for both:
 * feed: 0, CW_ENOENT, CW_EBUSY, CW_EEXIST, CW_ENOMEM. */
int cw_world_feed(struct cw_world *w, uint16_t station, uint32_t card_no);
/* bin: where the card that left last went, and its number in *card_no (0 none). */
enum cw_world_bin cw_world_bin(struct cw_world *w, uint16_t station,
    enum cw_world_bin bin, uint32_t *card_no);
/* The card at the contacts, or NULL. Lends, until feed, bin or leave. */
struct cw_sim_card *cw_world_card(struct cw_world *w, uint16_t station);
/* Its number, or 0: none. */
uint32_t cw_world_card_no(const struct cw_world *w, uint16_t station);
/* The card at the station left by itself. */
void cw_world_leave(struct cw_world *w, uint16_t station);
/* True when the card that left the station last was lost. */
bool cw_world_lost(const struct cw_world *w, uint16_t station);

/* How many cards lie there. */
uint32_t cw_world_count(const struct cw_world *w, enum cw_world_bin bin);
/* Where a card is now, by its number: CW_ENOENT if it was never fed. */
int cw_world_where(const struct cw_world *w, uint32_t card_no);

/* Every card as JSON (docs/man/cardwright-card.1). 0 or CW_EIO. */
int cw_world_dump(const struct cw_world *w, FILE *fp);

#endif
