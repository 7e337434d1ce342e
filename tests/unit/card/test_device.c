/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "sim/device.h"

/* A handler whose world does at once what it is told. */
struct plant {
	struct cw_sim_device d;
	uint32_t blanks;
	uint32_t at[CW_DEVICE_STATIONS_MAX];
	uint32_t binned[4];
	int feed_cnt, bin_cnt;
	uint16_t seq[CW_DEVICE_STATIONS_MAX];
	uint64_t now_us;
};

static int
feed(void *ctx, uint16_t station, uint32_t card_no)
{
	struct plant *p = ctx;

	p->feed_cnt++;
	if (p->at[station] == card_no)
		return 0;
	assert_int_equal(p->at[station], 0);
	if (p->blanks == 0)
		return CW_ENOENT;
	p->blanks--;
	p->at[station] = card_no;
	return 0;
}

static void
bin(void *ctx, uint16_t station, uint32_t card_no, uint8_t where)
{
	struct plant *p = ctx;

	p->bin_cnt++;
	if (p->at[station] == 0)
		return;
	assert_int_equal(p->at[station], card_no);
	p->at[station] = 0;
	p->binned[where]++;
}

static void
plant_init(struct plant *p, const struct cw_sim_device_config *cfg)
{
	struct cw_sim_mech mech = { false, feed, bin, p };

	memset(p, 0, sizeof *p);
	p->blanks = 1000000;
	p->now_us = 1000;
	cw_sim_device_init(&p->d, cfg, &mech);
	p->d.hold[0] = 1;
	p->d.hold[1] = 1;
	(void)cw_sim_device_step(&p->d, p->now_us);
}

static uint64_t
step(struct plant *p)
{
	uint64_t next = cw_sim_device_step(&p->d, p->now_us);

	assert_true(next > p->now_us);
	assert_true(cw_sim_device_check(&p->d));
	return next;
}

static void
command(struct plant *p, uint16_t i, uint16_t cmd)
{
	p->d.hold[10 + 4 * i] = ++p->seq[i];
	p->d.hold[11 + 4 * i] = cmd;
	(void)step(p);
}

static void
later(struct plant *p, uint64_t us)
{
	p->now_us += us;
	p->d.hold[0]++;
	(void)step(p);
}

static uint32_t
reg32(const struct plant *p, int reg)
{
	return (uint32_t)p->d.input[reg] << 16 | p->d.input[reg + 1];
}

/* state, sequence done, result, card, where, last card of station i */
static void
station_is(const struct plant *p, int i, const int want[6])
{
	const int base = 20 + 8 * i;

	assert_int_equal(p->d.input[base], want[0]);
	assert_int_equal(p->d.input[base + 1], want[1]);
	assert_int_equal(p->d.input[base + 2], want[2]);
	assert_int_equal(reg32(p, base + 3), want[3]);
	assert_int_equal(p->d.input[base + 5], want[4]);
	assert_int_equal(reg32(p, base + 6), want[5]);
}
#define STATION(p, i, ...) station_is(p, i, (const int[6]){ __VA_ARGS__ })

static void
a_card_goes_through(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 2,
	    .hopper = 10, .feed_us = 1000, .move_us = 500 };
	struct plant p;
	uint64_t next;

	(void)state;
	plant_init(&p, &cfg);
	assert_int_equal(p.d.input[0], 1);
	assert_int_equal(p.d.input[2], 2);
	assert_int_equal(p.d.input[3], CW_DEVICE_IDLE);
	assert_int_equal(p.d.input[10], 1);
	assert_int_equal(p.d.input[11], 10);

	command(&p, 1, CW_DEVICE_FEED);
	STATION(&p, 1, CW_DEVICE_FEEDING, 0, 0, 1, 0, 0);
	assert_int_equal(p.d.input[3], CW_DEVICE_EXECUTE);
	assert_int_equal(reg32(&p, 4), 1);
	assert_int_equal(p.d.input[11], 9);
	next = step(&p);
	assert_int_equal(next, p.now_us + 1000);
	p.now_us = next - 1;
	(void)step(&p);
	STATION(&p, 1, CW_DEVICE_FEEDING, 0, 0, 1, 0, 0);
	p.now_us = next;
	(void)step(&p);
	STATION(&p, 1, CW_DEVICE_CARD, 1, CW_DEVICE_OK, 1, 0, 0);

	command(&p, 1, CW_DEVICE_GOOD);
	STATION(&p, 1, CW_DEVICE_BINNING, 1, CW_DEVICE_OK, 1, 0, 0);
	later(&p, 500);
	STATION(&p, 1, CW_DEVICE_EMPTY, 2, CW_DEVICE_OK, 0, 1, 1);
	assert_int_equal(reg32(&p, 6), 1);
	assert_int_equal(reg32(&p, 8), 0);

	command(&p, 0, CW_DEVICE_FEED);
	later(&p, 1000);
	command(&p, 0, CW_DEVICE_REJECT);
	later(&p, 500);
	STATION(&p, 0, CW_DEVICE_EMPTY, 2, CW_DEVICE_OK, 0, 2, 2);
	assert_int_equal(reg32(&p, 8), 1);
	assert_int_equal(p.binned[1], 1);
	assert_int_equal(p.binned[2], 1);
}

static void
refusals(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 2,
	    .hopper = 1 };
	struct plant p;

	(void)state;
	plant_init(&p, &cfg);
	command(&p, 0, CW_DEVICE_GOOD);
	STATION(&p, 0, CW_DEVICE_EMPTY, 1, CW_DEVICE_REFUSED, 0, 0, 0);
	command(&p, 0, 0);
	STATION(&p, 0, CW_DEVICE_EMPTY, 2, CW_DEVICE_REFUSED, 0, 0, 0);
	command(&p, 0, 4);
	STATION(&p, 0, CW_DEVICE_EMPTY, 3, CW_DEVICE_REFUSED, 0, 0, 0);
	command(&p, 0, 0x0101);
	STATION(&p, 0, CW_DEVICE_EMPTY, 4, CW_DEVICE_REFUSED, 0, 0, 0);
	command(&p, 0, CW_DEVICE_FEED);
	STATION(&p, 0, CW_DEVICE_CARD, 5, CW_DEVICE_OK, 1, 0, 0);
	command(&p, 0, CW_DEVICE_FEED);
	STATION(&p, 0, CW_DEVICE_CARD, 6, CW_DEVICE_REFUSED, 1, 0, 0);

	/* Nothing left: no number is used up. */
	assert_int_equal(p.d.input[3], CW_DEVICE_SUSPENDED);
	command(&p, 1, CW_DEVICE_FEED);
	STATION(&p, 1, CW_DEVICE_EMPTY, 1, CW_DEVICE_HOPPER_EMPTY, 0, 0, 0);
	assert_int_equal(reg32(&p, 4), 1);
	assert_int_equal(p.feed_cnt, 1);

	/* A station that this device does not have. */
	p.d.hold[10 + 4 * 2] = 9;
	p.d.hold[11 + 4 * 2] = CW_DEVICE_FEED;
	(void)step(&p);
	assert_int_equal(p.feed_cnt, 1);
}

/* An endless hopper over a world that ends: the fed counter does not move. */
static void
world_has_no_blank(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 1,
	    .hopper = UINT32_MAX };
	struct plant p;

	(void)state;
	plant_init(&p, &cfg);
	assert_int_equal(p.d.input[11], 65535);
	p.blanks = 0;
	command(&p, 0, CW_DEVICE_FEED);
	STATION(&p, 0, CW_DEVICE_EMPTY, 1, CW_DEVICE_HOPPER_EMPTY, 0, 0, 0);
	assert_int_equal(reg32(&p, 4), 0);
	assert_int_equal(p.d.input[3], CW_DEVICE_SUSPENDED);
	assert_int_equal(p.d.input[11], 0);
	p.blanks = 1;
	command(&p, 0, CW_DEVICE_FEED);
	STATION(&p, 0, CW_DEVICE_CARD, 2, CW_DEVICE_OK, 1, 0, 0);
	assert_int_equal(p.d.input[3], CW_DEVICE_IDLE);
}

static void
repetition_does_nothing(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 1,
	    .hopper = UINT32_MAX };
	struct plant p;
	int i;

	(void)state;
	plant_init(&p, &cfg);
	for (i = 1; i <= 5; i++) {
		command(&p, 0, CW_DEVICE_FEED);
		(void)step(&p);
		command(&p, 0, CW_DEVICE_GOOD);

		/* The command of the sequence done last is written again. */
		(void)step(&p);
		p.d.hold[11] = CW_DEVICE_FEED;
		(void)step(&p);
		assert_int_equal(p.feed_cnt, i);
		assert_int_equal(p.bin_cnt, i);
	}
	assert_int_equal(reg32(&p, 4), 5);
	assert_int_equal(reg32(&p, 6), 5);

	/* Sequence numbers may wrap: only "another one" counts. */
	p.seq[0] = 65534;
	command(&p, 0, CW_DEVICE_FEED);
	command(&p, 0, CW_DEVICE_GOOD);
	assert_int_equal(p.d.input[21], 0);
	assert_int_equal(reg32(&p, 6), 6);
}

static void
command_during_a_movement(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 1,
	    .hopper = UINT32_MAX, .feed_us = 100, .move_us = 100 };
	struct plant p;

	(void)state;
	plant_init(&p, &cfg);
	command(&p, 0, CW_DEVICE_FEED);
	command(&p, 0, CW_DEVICE_GOOD);
	command(&p, 0, CW_DEVICE_REJECT);
	STATION(&p, 0, CW_DEVICE_FEEDING, 0, 0, 1, 0, 0);
	later(&p, 100);
	STATION(&p, 0, CW_DEVICE_BINNING, 1, CW_DEVICE_OK, 1, 0, 0);
	later(&p, 100);
	STATION(&p, 0, CW_DEVICE_EMPTY, 3, CW_DEVICE_OK, 0, 2, 1);
}

static void
jam(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 2,
	    .hopper = UINT32_MAX, .feed_us = 100, .move_us = 50,
	    .jam_every = 2, .jam_clears = true };
	struct plant p;

	(void)state;
	plant_init(&p, &cfg);
	command(&p, 0, CW_DEVICE_FEED);
	command(&p, 1, CW_DEVICE_FEED);
	later(&p, 100);
	STATION(&p, 0, CW_DEVICE_CARD, 1, CW_DEVICE_OK, 1, 0, 0);
	STATION(&p, 1, CW_DEVICE_JAMMED, 1, CW_DEVICE_JAM, 2, 0, 0);
	assert_int_equal(p.d.input[3], CW_DEVICE_ABORTED);

	/* Others may be cleared, but nothing is fed until the jam is gone. */
	command(&p, 0, CW_DEVICE_GOOD);
	later(&p, 50);
	STATION(&p, 0, CW_DEVICE_EMPTY, 2, CW_DEVICE_OK, 0, 1, 1);
	command(&p, 0, CW_DEVICE_FEED);
	STATION(&p, 0, CW_DEVICE_EMPTY, 2, CW_DEVICE_OK, 0, 1, 1);
	command(&p, 1, CW_DEVICE_REJECT);
	STATION(&p, 1, CW_DEVICE_JAMMED, 2, CW_DEVICE_REFUSED, 2, 0, 0);

	p.d.hold[1] |= 2;
	(void)step(&p);
	STATION(&p, 1, CW_DEVICE_BINNING, 2, CW_DEVICE_REFUSED, 2, 0, 0);
	STATION(&p, 0, CW_DEVICE_FEEDING, 2, CW_DEVICE_OK, 3, 1, 1);
	p.d.hold[1] = 1;
	later(&p, 50);
	STATION(&p, 1, CW_DEVICE_EMPTY, 2, CW_DEVICE_REFUSED, 0, 2, 2);
	assert_int_equal(reg32(&p, 8), 1);
	later(&p, 50);
	STATION(&p, 0, CW_DEVICE_CARD, 3, CW_DEVICE_OK, 3, 1, 1);
	command(&p, 1, CW_DEVICE_FEED);
	later(&p, 100);
	STATION(&p, 1, CW_DEVICE_JAMMED, 3, CW_DEVICE_JAM, 4, 2, 2);

	/* A restart does not clear it. */
	cw_sim_device_restart(&p.d);
	(void)step(&p);
	assert_int_equal(p.d.input[3], CW_DEVICE_ABORTED);
	assert_int_equal(p.d.input[20 + 8], CW_DEVICE_JAMMED);
}

static void
heartbeat_stops(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 2,
	    .hopper = UINT32_MAX };
	struct plant p;
	uint16_t beat;

	(void)state;
	plant_init(&p, &cfg);
	command(&p, 0, CW_DEVICE_FEED);
	beat = p.d.input[1];
	p.now_us += 5000000;
	(void)step(&p);
	assert_int_equal(p.d.input[3], CW_DEVICE_IDLE);
	assert_true(p.d.input[1] != beat);
	p.now_us++;
	(void)step(&p);
	assert_int_equal(p.d.input[3], CW_DEVICE_HELD);
	command(&p, 1, CW_DEVICE_FEED);
	STATION(&p, 1, CW_DEVICE_EMPTY, 1, CW_DEVICE_REFUSED, 0, 0, 0);

	/* Stations can be cleared all the same. */
	command(&p, 0, CW_DEVICE_REJECT);
	STATION(&p, 0, CW_DEVICE_EMPTY, 2, CW_DEVICE_OK, 0, 2, 1);
	p.d.hold[0]++;
	command(&p, 1, CW_DEVICE_FEED);
	STATION(&p, 1, CW_DEVICE_CARD, 2, CW_DEVICE_OK, 2, 0, 0);

	p.d.hold[1] = 0;
	(void)step(&p);
	assert_int_equal(p.d.input[3], CW_DEVICE_STOPPED);
	command(&p, 0, CW_DEVICE_FEED);
	STATION(&p, 0, CW_DEVICE_EMPTY, 3, CW_DEVICE_REFUSED, 0, 2, 1);
}

static void
lost_cards(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 1,
	    .hopper = UINT32_MAX, .feed_us = 10, .move_us = 10 };
	struct plant p;

	(void)state;
	plant_init(&p, &cfg);
	cw_sim_device_lost(&p.d, 0);
	cw_sim_device_lost(&p.d, 77);
	(void)step(&p);
	assert_int_equal(reg32(&p, 12), 0);

	/* While feeding, at the contacts, while moving to the bin. */
	command(&p, 0, CW_DEVICE_FEED);
	cw_sim_device_lost(&p.d, 0);
	p.at[0] = 0;
	(void)step(&p);
	STATION(&p, 0, CW_DEVICE_EMPTY, 1, CW_DEVICE_LOST, 0, 3, 1);
	command(&p, 0, CW_DEVICE_FEED);
	later(&p, 10);
	cw_sim_device_lost(&p.d, 0);
	p.at[0] = 0;
	(void)step(&p);
	STATION(&p, 0, CW_DEVICE_EMPTY, 2, CW_DEVICE_OK, 0, 3, 2);
	command(&p, 0, CW_DEVICE_GOOD);
	STATION(&p, 0, CW_DEVICE_EMPTY, 3, CW_DEVICE_LOST, 0, 3, 2);
	command(&p, 0, CW_DEVICE_FEED);
	later(&p, 10);
	command(&p, 0, CW_DEVICE_GOOD);
	cw_sim_device_lost(&p.d, 0);
	later(&p, 10);
	STATION(&p, 0, CW_DEVICE_EMPTY, 5, CW_DEVICE_LOST, 0, 3, 3);
	assert_int_equal(reg32(&p, 12), 3);
	assert_int_equal(reg32(&p, 6), 0);
}

static void
restart_keeps_everything(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 3,
	    .hopper = 100, .feed_us = 100, .move_us = 100 };
	struct plant p;
	uint32_t card;

	(void)state;
	plant_init(&p, &cfg);
	command(&p, 0, CW_DEVICE_FEED);
	command(&p, 1, CW_DEVICE_FEED);
	later(&p, 100);
	command(&p, 1, CW_DEVICE_GOOD);
	command(&p, 2, CW_DEVICE_FEED);

	/* One at rest, one on the way to the bin, one being fed. */
	cw_sim_device_restart(&p.d);
	(void)step(&p);
	assert_int_equal(p.d.input[10], 2);
	assert_int_equal(p.d.input[3], CW_DEVICE_STOPPED);
	assert_int_equal(reg32(&p, 4), 3);
	STATION(&p, 0, CW_DEVICE_CARD, 1, CW_DEVICE_OK, 1, 0, 0);
	STATION(&p, 1, CW_DEVICE_BINNING, 1, CW_DEVICE_OK, 2, 0, 0);
	STATION(&p, 2, CW_DEVICE_FEEDING, 0, CW_DEVICE_OK, 3, 0, 0);
	later(&p, 100);
	STATION(&p, 1, CW_DEVICE_EMPTY, 2, CW_DEVICE_OK, 0, 1, 2);
	STATION(&p, 2, CW_DEVICE_CARD, 1, CW_DEVICE_OK, 3, 0, 0);
	assert_int_equal(p.binned[1], 1);
	assert_int_equal(p.d.input[11], 97);

	/* The card number goes on. */
	p.d.hold[1] = 1;
	command(&p, 1, CW_DEVICE_FEED);
	card = reg32(&p, 20 + 8 + 3);
	assert_int_equal(card, 4);
}

static void
saved_and_loaded(void **state)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 3,
	    .hopper = 100, .feed_us = 100 };
	const struct cw_sim_device_config fewer = { .station_cnt = 1,
	    .hopper = 100 };
	uint8_t buf[CW_DEVICE_SAVE_MAX], bad[CW_DEVICE_SAVE_MAX];
	struct plant p, q;
	int len, i;

	(void)state;
	plant_init(&p, &cfg);
	command(&p, 2, CW_DEVICE_FEED);
	later(&p, 100);
	len = cw_sim_device_save(&p.d, buf, sizeof buf);
	assert_int_equal(len, 44 + 3 * 24);
	assert_int_equal(cw_sim_device_save(&p.d, bad, (size_t)len - 1),
	    CW_EFULL);

	plant_init(&q, &cfg);
	assert_int_equal(cw_sim_device_load(&q.d, buf, (size_t)len), 0);
	q.seq[2] = 1;
	(void)step(&q);
	STATION(&q, 2, CW_DEVICE_CARD, 1, CW_DEVICE_OK, 1, 0, 0);
	assert_int_equal(q.d.input[10], 2);
	assert_int_equal(q.d.input[11], 99);

	/* A station with a card must not be left out. */
	plant_init(&q, &fewer);
	assert_int_equal(cw_sim_device_load(&q.d, buf, (size_t)len), CW_ERANGE);
	assert_int_equal(q.d.fed, 0);

	/* Whatever bit is wrong, it is seen, and nothing has changed. */
	plant_init(&q, &cfg);
	for (i = 0; i < 8 * len; i++) {
		memcpy(bad, buf, (size_t)len);
		bad[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_true(cw_sim_device_load(&q.d, bad, (size_t)len) < 0);
	}
	for (i = 0; i < len; i++)
		assert_true(cw_sim_device_load(&q.d, buf, (size_t)i) < 0);
	assert_int_equal(q.d.fed, 0);
	assert_int_equal(q.d.boot_cnt, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_goes_through),
		cmocka_unit_test(refusals),
		cmocka_unit_test(world_has_no_blank),
		cmocka_unit_test(repetition_does_nothing),
		cmocka_unit_test(command_during_a_movement),
		cmocka_unit_test(jam),
		cmocka_unit_test(heartbeat_stops),
		cmocka_unit_test(lost_cards),
		cmocka_unit_test(restart_keeps_everything),
		cmocka_unit_test(saved_and_loaded),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
