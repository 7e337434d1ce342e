/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_HANDS_H
#define CW_SIM_HANDS_H

#include "sim/device.h"

/*
 * The handler's hands: what lies between the device core and contacts that are
 * reached over a link that may break (docs/spec/contact-link.md).  Pure.
 *
 *	cw_hands_init(&h, &dev); cw_sim_device_init(&dev, &cfg, &h.mech);
 *	cw_sim_device_step(&dev, now); store the device's state;
 *	while (cw_hands_next(&h, &ask)) send FEED or BIN
 *	answers: cw_hands_fed / _binned / _lost, then step again
 *
 * A movement is asked once, and once more after each cw_hands_up: the contacts
 * take repetitions.
 */
struct cw_hands_ask {
	bool feed;		/* else bin */
	uint16_t station;
	uint32_t card_no;
	uint8_t bin;
};

struct cw_hands {
	struct cw_sim_device *dev;	/* borrowed */
	struct cw_sim_mech mech;
	bool ask[CW_DEVICE_STATIONS_MAX];
};

/* h and dev stay where they are. */
void cw_hands_init(struct cw_hands *h, struct cw_sim_device *dev);
/* 1 and what to ask, or 0. */
int cw_hands_next(struct cw_hands *h, struct cw_hands_ask *ask);
/* The link is there anew: what has no answer yet is asked again. */
void cw_hands_up(struct cw_hands *h);
/* Answers; stations count from 0, any value is taken. */
void cw_hands_fed(struct cw_hands *h, uint16_t station, uint32_t card_no, int err);
void cw_hands_binned(struct cw_hands *h, uint16_t station, uint32_t card_no, uint8_t bin);
/* True when the station had a card to lose. */
bool cw_hands_lost(struct cw_hands *h, uint16_t station);

#endif
