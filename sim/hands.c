/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "sim/hands.h"

/* Calls of the core: remembered until its state has been stored. */
static int
mech_feed(void *ctx, uint16_t station, uint32_t card_no)
{
	struct cw_hands *h = ctx;

	(void)card_no;
	h->ask[station] = true;
	return 0;
}

static void
mech_bin(void *ctx, uint16_t station, uint32_t card_no, uint8_t bin)
{
	struct cw_hands *h = ctx;

	(void)card_no;
	(void)bin;
	h->ask[station] = true;
}

void
cw_hands_init(struct cw_hands *h, struct cw_sim_device *dev)
{
	memset(h, 0, sizeof *h);
	h->dev = dev;
	h->mech = (struct cw_sim_mech){ true, mech_feed, mech_bin, h };
}

int
cw_hands_next(struct cw_hands *h, struct cw_hands_ask *ask)
{
	const struct cw_sim_station *s;
	uint16_t i;

	for (i = 0; i < h->dev->cfg.station_cnt; i++) {
		if (!h->ask[i])
			continue;
		h->ask[i] = false;
		s = &h->dev->station[i];
		if (!s->waits)
			continue;
		ask->feed = s->state == CW_DEVICE_FEEDING;
		ask->station = i;
		ask->card_no = s->card_no;
		ask->bin = s->target;
		return 1;
	}
	return 0;
}

void
cw_hands_up(struct cw_hands *h)
{
	uint16_t i;

	for (i = 0; i < h->dev->cfg.station_cnt; i++)
		h->ask[i] = h->dev->station[i].waits;
}

/* The station, if its movement of that kind is what the answer is about. */
static const struct cw_sim_station *
asked(const struct cw_hands *h, uint16_t station, enum cw_device_state state)
{
	const struct cw_sim_station *s;

	if (station >= h->dev->cfg.station_cnt)
		return NULL;
	s = &h->dev->station[station];
	return s->waits && s->state == state ? s : NULL;
}

void
cw_hands_fed(struct cw_hands *h, uint16_t station, uint32_t card_no, int err)
{
	const struct cw_sim_station *s = asked(h, station, CW_DEVICE_FEEDING);

	if (s != NULL && s->card_no == card_no)
		cw_sim_device_moved(h->dev, station, err);
}

void
cw_hands_binned(struct cw_hands *h, uint16_t station, uint32_t card_no,
    uint8_t bin)
{
	const struct cw_sim_station *s = asked(h, station, CW_DEVICE_BINNING);

	if (s != NULL)
		cw_sim_device_moved(h->dev, station,
		    s->card_no == card_no && s->target == bin ? 0 : CW_ENOENT);
}

/*
 * LOST is repeated when the link comes up.  While a FEED has no answer it means
 * the card before that one.
 */
bool
cw_hands_lost(struct cw_hands *h, uint16_t station)
{
	if (station >= h->dev->cfg.station_cnt ||
	    h->dev->station[station].state == CW_DEVICE_EMPTY ||
	    asked(h, station, CW_DEVICE_FEEDING) != NULL)
		return false;
	cw_sim_device_lost(h->dev, station);
	return true;
}
