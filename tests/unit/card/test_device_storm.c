/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/hands.h"
#include "sim/world.h"

/*
 * Device core and contacts under random commands, jams, lost cards, cut links
 * and power cuts between any two actions.  The world is the one that
 * cardwright-card keeps; it is the witness: in the end each bin holds exactly
 * what the device counted.  A failure names its seed; DEVICE_STORM_SEED=n
 * replays it.
 */
#define STATIONS 5
#define ACTIONS 3000
#define SEEDS 120

struct storm {
	uint32_t seed;
	uint64_t rnd;
	uint64_t now_us;
	struct cw_sim_device d;
	struct cw_hands h;
	struct cw_world *w;
	uint8_t disk[CW_DEVICE_SAVE_MAX];	/* as the last turn stored it */
	size_t disk_len;
	struct cw_hands_ask line[64];	/* on the way to the contacts */
	size_t line_cnt;
	bool up;
	uint16_t seq[STATIONS];
	uint32_t fed, good, reject, lost;	/* as shown last */
};

#define HOLDS(s, cond) \
	do { \
		if (!(cond)) \
			fail_msg("seed %u: %s does not hold", (s)->seed, #cond); \
	} while (0)

static uint32_t
lot(struct storm *s, uint32_t below)
{
	s->rnd ^= s->rnd << 13;
	s->rnd ^= s->rnd >> 7;
	s->rnd ^= s->rnd << 17;
	return (uint32_t)(s->rnd >> 20) % below;
}

static uint32_t
shown(const struct storm *s, int reg)
{
	return (uint32_t)s->d.input[reg] << 16 | s->d.input[reg + 1];
}

static void
check(struct storm *s)
{
	HOLDS(s, cw_sim_device_check(&s->d));
	HOLDS(s, shown(s, 4) >= s->fed);
	HOLDS(s, shown(s, 6) >= s->good);
	HOLDS(s, shown(s, 8) >= s->reject);
	HOLDS(s, shown(s, 12) >= s->lost);
	s->fed = shown(s, 4);
	s->good = shown(s, 6);
	s->reject = shown(s, 8);
	s->lost = shown(s, 12);
}

/* Step, store, then put on the line: in the order of cardwright-device. */
static void
turn(struct storm *s)
{
	struct cw_hands_ask ask;
	int len;

	(void)cw_sim_device_step(&s->d, s->now_us);
	len = cw_sim_device_save(&s->d, s->disk, sizeof s->disk);
	HOLDS(s, len > 0);
	s->disk_len = (size_t)len;
	while (cw_hands_next(&s->h, &ask) == 1)
		if (s->up && s->line_cnt < 64)
			s->line[s->line_cnt++] = ask;
	check(s);
}

/* The contacts carry out the oldest message; the answer may get lost. */
static void
deliver(struct storm *s, bool answered)
{
	struct cw_hands_ask ask = s->line[0];
	enum cw_world_bin went;
	uint32_t card_no;
	int err;

	memmove(s->line, s->line + 1, --s->line_cnt * sizeof ask);
	if (ask.feed) {
		err = cw_world_feed(s->w, ask.station, ask.card_no);
		if (answered)
			cw_hands_fed(&s->h, ask.station, ask.card_no, err);
	} else {
		went = cw_world_bin(s->w, ask.station,
		    (enum cw_world_bin)ask.bin, &card_no);
		if (answered)
			cw_hands_binned(&s->h, ask.station, card_no,
			    (uint8_t)went);
	}
}

static void
cut_link(struct storm *s)
{
	s->up = false;
	while (s->line_cnt > 0 && lot(s, 2) == 0)
		deliver(s, false);
	s->line_cnt = 0;
}

static void
link_up(struct storm *s)
{
	uint16_t i;

	s->up = true;
	for (i = 0; i < STATIONS; i++)
		if (cw_world_lost(s->w, i))
			(void)cw_hands_lost(&s->h, i);
	cw_hands_up(&s->h);
	turn(s);
}

static void
device_init(struct storm *s)
{
	const struct cw_sim_device_config cfg = {
		.station_cnt = STATIONS,
		.hopper = s->rnd % 3 == 0 ? 150 : UINT32_MAX,
		.feed_us = (uint32_t)(s->rnd % 4) * 100,
		.move_us = (uint32_t)(s->rnd % 5) * 50,
		.jam_every = (uint32_t)(s->rnd % 6) * 3,
		.jam_clears = true,
	};

	cw_hands_init(&s->h, &s->d);
	cw_sim_device_init(&s->d, &cfg, &s->h.mech);
}

/* What was not stored is gone; the link breaks with it. */
static void
power_cut(struct storm *s)
{
	struct cw_sim_device_config cfg = s->d.cfg;

	cut_link(s);
	cw_hands_init(&s->h, &s->d);
	cw_sim_device_init(&s->d, &cfg, &s->h.mech);
	HOLDS(s, cw_sim_device_load(&s->d, s->disk, s->disk_len) == 0);
	s->d.hold[1] = 1;
	turn(s);
	for (uint16_t i = 0; i < STATIONS; i++)
		s->seq[i] = s->d.hold[10 + 4 * i];
}

static void
lose_a_card(struct storm *s)
{
	uint16_t i = (uint16_t)lot(s, STATIONS);

	if (cw_world_card(s->w, i) == NULL)
		return;
	cw_world_leave(s->w, i);

	/* Told in order with the answers that are under way, or not at all. */
	while (s->up && s->line_cnt > 0)
		deliver(s, true);
	if (s->up)
		(void)cw_hands_lost(&s->h, i);
}

static void
act(struct storm *s)
{
	uint16_t i = (uint16_t)lot(s, STATIONS);

	switch (lot(s, 16)) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		s->d.hold[10 + 4 * i] = ++s->seq[i];
		s->d.hold[11 + 4 * i] = (uint16_t)lot(s, 5);
		break;
	case 6: case 7:
		s->now_us += lot(s, 400);
		break;
	case 8:
		s->d.hold[1] = (uint16_t)(lot(s, 8) == 0 ? 0 :
		    1 | lot(s, 2) << 1);
		s->d.hold[0]++;
		break;
	case 9: case 10: case 11: case 12:
		if (s->line_cnt > 0)
			deliver(s, true);
		break;
	case 13:
		if (lot(s, 6) == 0)
			lose_a_card(s);
		break;
	case 14:
		if (s->up && lot(s, 10) == 0)
			cut_link(s);
		else if (!s->up)
			link_up(s);
		break;
	default:
		if (lot(s, 30) == 0)
			power_cut(s);
		return;		/* sometimes no turn follows */
	}
	if (lot(s, 8) != 0)
		turn(s);
}

/* Everything comes to rest, and every card to a bin. */
static void
settle(struct storm *s)
{
	int round;
	uint16_t i;

	if (!s->up)
		link_up(s);
	for (round = 0; round < 10; round++) {
		s->d.hold[1] = 3;
		s->d.hold[0]++;
		for (i = 0; i < STATIONS; i++) {
			s->d.hold[10 + 4 * i] = ++s->seq[i];
			s->d.hold[11 + 4 * i] = CW_DEVICE_REJECT;
		}
		turn(s);
		while (s->line_cnt > 0)
			deliver(s, true);
		s->now_us += 1000;
		turn(s);
	}
	for (i = 0; i < STATIONS; i++) {
		HOLDS(s, s->d.input[20 + 8 * i] == CW_DEVICE_EMPTY);
		HOLDS(s, cw_world_card(s->w, i) == NULL);
	}
	HOLDS(s, s->good == cw_world_count(s->w, CW_BIN_GOOD));
	HOLDS(s, s->reject == cw_world_count(s->w, CW_BIN_REJECT));

	/* A number may be used up without a card, never the reverse. */
	HOLDS(s, s->lost >= cw_world_count(s->w, CW_BIN_LOST));
	HOLDS(s, s->fed == s->good + s->reject + s->lost);
}

static uint32_t
run(uint32_t seed)
{
	struct cw_world_config cfg = {
		.station_cnt = STATIONS, .blanks = 30 + seed % 200,
		.card = { .flash_len = 2048 },
	};
	struct storm s;
	uint32_t fed;
	int i;

	memset(&s, 0, sizeof s);
	s.seed = seed;
	s.rnd = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	s.now_us = 1;
	s.w = cw_world_new(&cfg);
	assert_non_null(s.w);
	device_init(&s);
	s.d.hold[0] = s.d.hold[1] = 1;
	turn(&s);
	for (i = 0; i < ACTIONS; i++)
		act(&s);
	settle(&s);
	fed = s.fed;
	cw_world_free(s.w);
	return fed;
}

static void
storms(void **state)
{
	const char *only = getenv("DEVICE_STORM_SEED");
	uint32_t seed, fed = 0;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		if (only != NULL)
			seed = (uint32_t)strtoul(only, NULL, 10);
		fed += run(seed);
		if (only != NULL)
			return;
	}

	/* The storm must not be a calm: cards did move. */
	assert_true(fed > SEEDS * 60);
}

/* LOST is said again when the link comes up: not of the card being fed now. */
static void
lost_said_twice(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 1,
	    .hopper = UINT32_MAX };
	struct cw_sim_device d;
	struct cw_hands_ask ask;
	struct cw_hands h;

	(void)state;
	cw_hands_init(&h, &d);
	cw_sim_device_init(&d, &cfg, &h.mech);
	d.hold[0] = d.hold[1] = 1;
	d.hold[10] = 1;
	d.hold[11] = CW_DEVICE_FEED;
	(void)cw_sim_device_step(&d, 1);
	assert_int_equal(d.input[5], 0);	/* not fed before it is so */
	assert_int_equal(cw_hands_next(&h, &ask), 1);
	assert_true(ask.feed);
	assert_int_equal(cw_hands_next(&h, &ask), 0);
	assert_false(cw_hands_lost(&h, 0));
	cw_hands_fed(&h, 0, 2, 0);		/* another card's answer */
	(void)cw_sim_device_step(&d, 2);
	assert_int_equal(d.input[20], CW_DEVICE_FEEDING);
	cw_hands_fed(&h, 0, 1, 0);
	(void)cw_sim_device_step(&d, 3);
	assert_int_equal(d.input[20], CW_DEVICE_CARD);
	assert_int_equal(d.input[5], 1);
	assert_true(cw_hands_lost(&h, 0));
	assert_false(cw_hands_lost(&h, 1));
	(void)cw_sim_device_step(&d, 4);
	assert_int_equal(d.input[13], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_said_twice),
		cmocka_unit_test(storms),
	};

	return cmocka_run_group_tests_name("device/storm", tests, NULL, NULL);
}
