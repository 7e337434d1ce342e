/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "sim/device.h"
#include "sim/step_priv.h"

/*
 * The device's shell: its mechanics are the world, its Modbus registers reach
 * the terminal as readings of some age, and not at all while contact is lost.
 */
#define SAMPLE_US (300 * STEP_MS)	/* a reading at least so often */
#define BOOT_US (2 * STEP_SEC)		/* a restart takes so long */
#define LOOK_US (200 * STEP_MS)		/* a reading that fails is tried again */

_Static_assert(STEP_STATIONS_MAX <= CW_DEVICE_STATIONS_MAX, "stations");

struct step_dev {
	struct cw_step *s;
	unsigned int line;
	struct cw_sim_device d;
	bool down;
	uint64_t cut_us;	/* no contact until */
	uint64_t step_us;	/* when the next step is due */
	bool sampling;		/* a reading is on its way to be taken */
	uint64_t last_us;	/* latest delivery of a reading */
	uint64_t jam_us;	/* jammed since; 0: not */
};

static void poke(struct cw_step *s, struct step_dev *d);

static int
mech_feed(void *ctx, uint16_t station, uint32_t card_no)
{
	struct step_dev *d = ctx;

	return cw_step_world_feed(d->s, d->line, station, card_no);
}

static void
mech_bin(void *ctx, uint16_t station, uint32_t card_no, uint8_t bin)
{
	struct step_dev *d = ctx;
	struct step_card *c = cw_step_world_at(d->s, d->line, station);

	if (c != NULL && c->no != card_no)
		cw_step_bad(d->s, "I4", "line %u: the device bins card %u of "
		    "station %u, where card %u is", d->line + 1, card_no,
		    station + 1u, c->no);
	cw_step_world_bin(d->s, d->line, station, bin == 1);
}

bool
cw_step_dev_contact(const struct cw_step *s, unsigned int line)
{
	const struct step_dev *d = s->line[line].dev;

	return !d->down && s->now >= d->cut_us;
}

/* ---- readings ------------------------------------------------------------ */

static void
deliver(struct cw_step *s, struct step_ev *e)
{
	struct step_dev *d = e->obj;
	struct step_regs r;

	if (e->len == 0) {
		cw_step_term_regs(s, d->line, NULL);
		return;
	}
	memcpy(&r, e->buf, sizeof r);
	cw_step_term_regs(s, d->line, &r);
}

static void
sample(struct cw_step *s, struct step_ev *e)
{
	struct step_dev *d = e->obj;
	struct step_regs r;
	struct step_ev out = { .len = 0 };
	uint64_t in = cw_step_between(s, 500, 10000);

	d->sampling = false;
	if (cw_step_dev_contact(s, d->line)) {
		memcpy(r.hold, d->d.hold, sizeof r.hold);
		memcpy(r.input, d->d.input, sizeof r.input);
		out.buf = (uint8_t *)&r;
		out.len = sizeof r;
	}
	if (s->now + in < d->last_us)
		in = d->last_us - s->now;
	d->last_us = s->now + in;
	cw_step_at_buf(s, in, deliver, d, &out);
}

static void
want_sample(struct cw_step *s, struct step_dev *d, uint64_t most_us)
{
	if (d->sampling)
		return;
	d->sampling = true;
	cw_step_at(s, cw_step_between(s, 1000, most_us), sample, d, 0);
}

static void
regularly(struct cw_step *s, struct step_ev *e)
{
	struct step_dev *d = e->obj;

	want_sample(s, d, 20000);
	cw_step_at(s, cw_step_dev_contact(s, d->line) ? SAMPLE_US : LOOK_US,
	    regularly, d, 0);
}

/* ---- the core ------------------------------------------------------------ */

static void
due(struct cw_step *s, struct step_ev *e)
{
	struct step_dev *d = e->obj;

	if (d->step_us == e->t)
		d->step_us = STEP_NEVER;
	poke(s, d);
}

static void
poke(struct cw_step *s, struct step_dev *d)
{
	uint16_t before[CW_DEVICE_INPUT_CNT], beat;
	uint64_t next;

	if (d->down)
		return;
	memcpy(before, d->d.input, sizeof before);
	next = cw_sim_device_step(&d->d, s->now);
	beat = d->d.input[1];
	before[1] = beat;
	if (memcmp(before, d->d.input, sizeof before) != 0)
		want_sample(s, d, 15000);
	if (d->d.input[3] != CW_DEVICE_ABORTED)
		d->jam_us = 0;
	else if (d->jam_us == 0) {
		d->jam_us = s->now;
		cw_step_say(s, "device", "line %u: jam", d->line + 1);
	}
	if (next < d->step_us) {
		d->step_us = next;
		cw_step_at(s, next > s->now ? next - s->now : 0, due, d, 0);
	}
}

int
cw_step_dev_new(struct cw_step *s, unsigned int line)
{
	struct step_dev *d = calloc(1, sizeof *d);
	struct cw_sim_mech mech = { false, mech_feed, mech_bin, d };
	struct cw_sim_device_config cfg = {
		.station_cnt = (uint16_t)s->plan.stations,
		.hopper = s->plan.hopper,
		.feed_us = (uint32_t)s->plan.feed_us,
		.move_us = (uint32_t)s->plan.move_us,
		.jam_every = s->plan.jam_every,
		.jam_clears = s->plan.jam_clears,
	};

	if (d == NULL)
		return CW_ENOMEM;
	d->s = s;
	d->line = line;
	d->step_us = STEP_NEVER;
	cw_sim_device_init(&d->d, &cfg, &mech);
	s->line[line].dev = d;
	poke(s, d);
	cw_step_at(s, 0, regularly, d, 0);
	return 0;
}

void
cw_step_dev_free(struct cw_step *s, unsigned int line)
{
	free(s->line[line].dev);
	s->line[line].dev = NULL;
}

static void
restarted(struct cw_step *s, struct step_ev *e)
{
	struct step_dev *d = e->obj;
	uint8_t save[CW_DEVICE_SAVE_MAX];
	int n = cw_sim_device_save(&d->d, save, sizeof save);

	/* What rests in storage is all that it comes back with. */
	if (n < 0 || cw_sim_device_load(&d->d, save, (size_t)n) < 0)
		cw_step_bad(s, "stepper", "the device cannot load what it saved");
	d->down = false;
	cw_step_say(s, "device", "line %u: up again", d->line + 1);
	poke(s, d);
}

void
cw_step_dev_kill(struct cw_step *s, unsigned int line)
{
	struct step_dev *d = s->line[line].dev;

	if (d->down)
		return;
	cw_step_count(s, CW_SF_DEV_KILL);
	cw_step_say(s, "device", "line %u: power cut", line + 1);
	d->down = true;
	cw_step_at(s, cw_step_between(s, 1000, BOOT_US), restarted, d, 0);
}

void
cw_step_dev_cut(struct cw_step *s, unsigned int line, uint64_t for_us)
{
	struct step_dev *d = s->line[line].dev;

	cw_step_say(s, "device", "line %u: no contact for %u ms", line + 1,
	    (unsigned int)(for_us / STEP_MS));
	d->cut_us = s->now + for_us;
}

/* ---- writes of the terminal ---------------------------------------------- */

static void
write_cmd(struct cw_step *s, struct step_ev *e)
{
	struct step_dev *d = e->obj;
	uint16_t *hold = d->d.hold + 10 + 4 * e->a;

	if (!cw_step_dev_contact(s, d->line))
		return;
	hold[0] = (uint16_t)(e->b >> 16);
	hold[1] = (uint16_t)e->b;
	cw_step_say(s, "device", "line %u: station %u: command %u, sequence %u",
	    d->line + 1, e->a + 1, hold[1], hold[0]);
	poke(s, d);
	want_sample(s, d, 15000);
}

static void
write_reg(struct cw_step *s, struct step_ev *e)
{
	struct step_dev *d = e->obj;

	if (!cw_step_dev_contact(s, d->line))
		return;
	d->d.hold[e->a] = (uint16_t)e->b;
	poke(s, d);
}

static void
put(struct cw_step *s, unsigned int line, const struct step_ev *e, bool cmd)
{
	if (cw_step_dev_contact(s, line))
		cw_step_at_buf(s, 1000 + cw_step_below(s, 1000), cmd ? write_cmd :
		    write_reg, s->line[line].dev, e);
}

void
cw_step_dev_cmd(struct cw_step *s, unsigned int line, unsigned int station,
    const uint16_t seq_cmd[2])
{
	put(s, line, &(struct step_ev){ .a = station,
	    .b = (uint64_t)seq_cmd[0] << 16 | seq_cmd[1] }, true);
}

void
cw_step_dev_bits(struct cw_step *s, unsigned int line, uint16_t bits)
{
	put(s, line, &(struct step_ev){ .a = 1, .b = bits }, false);
}

void
cw_step_dev_beat(struct cw_step *s, unsigned int line, uint16_t beat)
{
	put(s, line, &(struct step_ev){ .a = 0, .b = beat }, false);
}

/* ---- people and checks --------------------------------------------------- */

void
cw_step_dev_lost(struct cw_step *s, unsigned int line, unsigned int station)
{
	struct step_dev *d = s->line[line].dev;

	cw_sim_device_lost(&d->d, (uint16_t)station);
	poke(s, d);
}

void
cw_step_dev_person(struct cw_step *s, unsigned int line)
{
	struct step_dev *d = s->line[line].dev;

	if (d->down)
		return;
	if (d->d.hopper == 0 && d->d.cfg.hopper != UINT32_MAX) {
		d->d.hopper = d->d.cfg.hopper;
		d->d.dry = false;
		cw_step_say(s, "person", "line %u: fills the hopper", line + 1);
		poke(s, d);
	}
	if (d->jam_us == 0 || s->now - d->jam_us < 15 * STEP_SEC)
		return;
	for (unsigned int i = 0; i < s->plan.stations; i++) {
		if (d->d.station[i].state != CW_DEVICE_JAMMED)
			continue;
		cw_step_say(s, "person", "line %u: takes the jammed card out of "
		    "station %u", line + 1, i + 1);
		cw_step_world_leave(s, line, i, STEP_AT_LOST);
		cw_step_dev_lost(s, line, i);
	}
}

void
cw_step_dev_sum(const struct cw_step *s, unsigned int line, struct step_dev_sum *m)
{
	const struct cw_sim_device *d = &s->line[line].dev->d;

	memset(m, 0, sizeof *m);
	m->fed = d->fed;
	m->good = d->good;
	m->reject = d->reject;
	m->lost = d->lost;
	for (unsigned int i = 0; i < s->plan.stations; i++)
		m->in += d->station[i].card_no != 0;
}

void
cw_step_dev_check(struct cw_step *s, unsigned int line)
{
	if (!cw_sim_device_check(&s->line[line].dev->d))
		cw_step_bad(s, "I4", "line %u: the device's own counters do not "
		    "add up", line + 1);
}
