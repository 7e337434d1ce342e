/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "sim/device.h"

#define MAP_VERSION 1
#define OWN_BEAT_US 500000u
#define RUN 0x0001		/* bits of holding register 1 */
#define RESET_JAM 0x0002
#define MANY 65535u

#define UNKNOWN 0xFF		/* a command that is none of enum cw_device_command */

#define SAVE_MAGIC 0x43574456	/* "CWDV" */
#define SAVE_VERSION 1

enum { GOOD = 1, REJECT, LOST };	/* where a card went */

static uint16_t *
input_of(struct cw_sim_device *d, uint16_t i)
{
	return d->input + 20 + 8 * i;
}

static const uint16_t *
hold_of(const struct cw_sim_device *d, uint16_t i)
{
	return d->hold + 10 + 4 * i;
}

static void
put_u32(uint16_t *reg, uint32_t v)
{
	reg[0] = (uint16_t)(v >> 16);
	reg[1] = (uint16_t)v;
}

static bool
moves(const struct cw_sim_station *s)
{
	return s->state == CW_DEVICE_FEEDING || s->state == CW_DEVICE_BINNING;
}

static bool
jammed(const struct cw_sim_device *d)
{
	uint16_t i;

	for (i = 0; i < d->cfg.station_cnt; i++)
		if (d->station[i].state == CW_DEVICE_JAMMED)
			return true;
	return false;
}

static bool
beat_late(const struct cw_sim_device *d, uint64_t now_us)
{
	return !d->beat_known || now_us - d->beat_us > CW_DEVICE_BEAT_US;
}

void
cw_sim_device_init(struct cw_sim_device *d,
    const struct cw_sim_device_config *cfg, const struct cw_sim_mech *mech)
{
	memset(d, 0, sizeof *d);
	d->cfg = *cfg;
	if (d->cfg.station_cnt > CW_DEVICE_STATIONS_MAX)
		d->cfg.station_cnt = CW_DEVICE_STATIONS_MAX;
	d->mech = *mech;
	d->hopper = cfg->hopper;
	d->boot_cnt = 1;
}

/* The command under way is over; a jam's clearing is no command. */
static void
finish(struct cw_sim_station *s, uint8_t result)
{
	if (s->command == 0)
		return;
	s->command = 0;
	s->done_seq = s->seq;
	s->result = result;
}

static void
empty(struct cw_sim_station *s, uint8_t where)
{
	s->state = CW_DEVICE_EMPTY;
	s->where = where;
	s->last_no = s->card_no;
	s->card_no = 0;
	s->waits = false;
}

/*
 * No blank came.  The number is given back if nobody has seen it and no later
 * one was given out since; otherwise it is used up, and counts as lost.
 */
static void
not_fed(struct cw_sim_device *d, struct cw_sim_station *s)
{
	d->dry = true;
	if (d->cfg.hopper != UINT32_MAX)
		d->hopper = 0;
	if (s->card_no == d->fed && !s->again) {
		d->fed--;
		s->state = CW_DEVICE_EMPTY;
		s->card_no = 0;
		s->waits = false;
	} else {
		d->lost++;
		empty(s, LOST);
	}
	finish(s, CW_DEVICE_HOPPER_EMPTY);
}

static void
start_feed(struct cw_sim_device *d, struct cw_sim_station *s)
{
	if (d->hopper == 0) {
		finish(s, CW_DEVICE_HOPPER_EMPTY);
		return;
	}
	if (d->hopper != UINT32_MAX)
		d->hopper--;
	s->card_no = ++d->fed;
	s->state = CW_DEVICE_FEEDING;
	s->asked = false;
	s->again = false;
	s->jams = d->cfg.jam_every != 0 && ++d->jam_cnt >= d->cfg.jam_every;
	if (s->jams)
		d->jam_cnt = 0;
}

static void
start_bin(struct cw_sim_station *s, uint8_t target)
{
	s->state = CW_DEVICE_BINNING;
	s->target = target;
	s->asked = false;
}

/* Carries out a new sequence number of a station at rest. True if it did. */
static bool
take_command(struct cw_sim_device *d, uint16_t i, uint64_t now_us)
{
	struct cw_sim_station *s = &d->station[i];
	uint16_t seq = hold_of(d, i)[0], command = hold_of(d, i)[1];
	bool may_feed = (d->hold[1] & RUN) != 0 && !beat_late(d, now_us);

	if (seq == s->done_seq || s->command != 0 || moves(s))
		return false;
	if (command == CW_DEVICE_FEED && s->state == CW_DEVICE_EMPTY && may_feed &&
	    jammed(d))
		return false;

	s->seq = seq;
	s->command = (uint8_t)(command == 0 || command > CW_DEVICE_REJECT ?
	    UNKNOWN : command);
	if (command == CW_DEVICE_FEED && s->state == CW_DEVICE_EMPTY && may_feed) {
		start_feed(d, s);
	} else if (s->state == CW_DEVICE_CARD &&
	    (command == CW_DEVICE_GOOD || command == CW_DEVICE_REJECT)) {
		start_bin(s, command == CW_DEVICE_GOOD ? GOOD : REJECT);
	} else {
		finish(s, s->state == CW_DEVICE_EMPTY && s->where == LOST &&
		    (command == CW_DEVICE_GOOD || command == CW_DEVICE_REJECT) ?
		    CW_DEVICE_LOST : CW_DEVICE_REFUSED);
	}
	return true;
}

/* Tells the world of a movement that begins, or begins again. */
static void
ask_world(struct cw_sim_device *d, uint16_t i, uint64_t now_us)
{
	struct cw_sim_station *s = &d->station[i];
	int err;

	s->asked = true;
	s->waits = d->mech.async;
	if (s->state == CW_DEVICE_BINNING) {
		s->due_us = now_us + d->cfg.move_us;
		d->mech.bin(d->mech.ctx, i, s->card_no, s->target);
		return;
	}
	s->due_us = now_us + d->cfg.feed_us;
	err = d->mech.feed(d->mech.ctx, i, s->card_no);
	if (!d->mech.async && err < 0)
		not_fed(d, s);
	else if (!d->mech.async)
		d->dry = false;
}

static void
arrive(struct cw_sim_device *d, struct cw_sim_station *s)
{
	if (s->state == CW_DEVICE_FEEDING) {
		s->state = s->jams ? CW_DEVICE_JAMMED : CW_DEVICE_CARD;
		finish(s, s->jams ? CW_DEVICE_JAM : CW_DEVICE_OK);
		return;
	}
	if (s->target == GOOD)
		d->good++;
	else
		d->reject++;
	empty(s, s->target);
	finish(s, CW_DEVICE_OK);
}

/* One round of a station; true when something changed. */
static bool
step_station(struct cw_sim_device *d, uint16_t i, uint64_t now_us)
{
	struct cw_sim_station *s = &d->station[i];

	if (s->state == CW_DEVICE_JAMMED && (d->hold[1] & RESET_JAM) != 0 &&
	    d->cfg.jam_clears) {
		start_bin(s, REJECT);
		return true;
	}
	if (moves(s)) {
		if (!s->asked) {
			ask_world(d, i, now_us);
			return true;
		}
		if (s->waits || now_us < s->due_us)
			return false;
		arrive(d, s);
		return true;
	}
	return take_command(d, i, now_us);
}

/*
 * The fed counter as shown: without numbers that the world has not confirmed,
 * and never lower than it was.
 */
static uint32_t
fed_shown(const struct cw_sim_device *d)
{
	uint32_t fed = d->fed, was = (uint32_t)d->input[4] << 16 | d->input[5];
	const struct cw_sim_station *s;
	uint16_t i;

	for (i = 0; i < d->cfg.station_cnt; i++) {
		s = &d->station[i];
		if (s->state == CW_DEVICE_FEEDING && !s->again &&
		    (s->waits || !s->asked) && s->card_no <= fed)
			fed = s->card_no - 1;
	}
	return fed > was ? fed : was;
}

static uint16_t
machine_state(const struct cw_sim_device *d, uint64_t now_us)
{
	uint16_t i;

	if (jammed(d))
		return CW_DEVICE_ABORTED;
	if ((d->hold[1] & RUN) == 0)
		return CW_DEVICE_STOPPED;
	if (beat_late(d, now_us))
		return CW_DEVICE_HELD;
	if (d->hopper == 0 || d->dry)
		return CW_DEVICE_SUSPENDED;
	for (i = 0; i < d->cfg.station_cnt; i++)
		if (moves(&d->station[i]))
			return CW_DEVICE_EXECUTE;
	return CW_DEVICE_IDLE;
}

static void
publish(struct cw_sim_device *d, uint64_t now_us)
{
	const struct cw_sim_station *s;
	uint16_t i, *r;

	d->input[0] = MAP_VERSION;
	d->input[2] = d->cfg.station_cnt;
	d->input[3] = machine_state(d, now_us);
	put_u32(d->input + 4, fed_shown(d));
	put_u32(d->input + 6, d->good);
	put_u32(d->input + 8, d->reject);
	d->input[10] = d->boot_cnt;
	d->input[11] = (uint16_t)(d->dry ? 0 : d->hopper == UINT32_MAX ? MANY :
	    d->hopper >= MANY ? MANY - 1 : d->hopper);
	put_u32(d->input + 12, d->lost);
	for (i = 0; i < d->cfg.station_cnt; i++) {
		s = &d->station[i];
		r = input_of(d, i);
		r[0] = s->state;
		r[1] = s->done_seq;
		r[2] = s->result;
		put_u32(r + 3, s->card_no);
		r[5] = s->where;
		put_u32(r + 6, s->last_no);
	}
}

uint64_t
cw_sim_device_step(struct cw_sim_device *d, uint64_t now_us)
{
	const struct cw_sim_station *s;
	uint64_t next;
	bool changed;
	uint16_t i;

	if (!d->beat_known ? d->hold[0] != 0 : d->hold[0] != d->beat_seen) {
		d->beat_known = true;
		d->beat_seen = d->hold[0];
		d->beat_us = now_us;
	}
	if (now_us >= d->own_beat_us) {
		d->input[1]++;
		d->own_beat_us = now_us + OWN_BEAT_US;
	}

	/* A command may start and, at zero times, end in the same step; a jam's
	 * end lets others go on. */
	do {
		changed = false;
		for (i = 0; i < d->cfg.station_cnt; i++)
			changed |= step_station(d, i, now_us);
	} while (changed);
	publish(d, now_us);

	next = d->own_beat_us;
	for (i = 0; i < d->cfg.station_cnt; i++) {
		s = &d->station[i];
		if (moves(s) && !s->waits && s->due_us < next)
			next = s->due_us;
	}
	return next;
}

void
cw_sim_device_moved(struct cw_sim_device *d, uint16_t station, int err)
{
	struct cw_sim_station *s;

	if (station >= d->cfg.station_cnt)
		return;
	s = &d->station[station];
	if (!moves(s) || !s->waits)
		return;
	s->waits = false;
	if (s->state == CW_DEVICE_FEEDING && err < 0) {
		not_fed(d, s);
	} else if (s->state == CW_DEVICE_FEEDING) {
		d->dry = false;
	} else if (err < 0) {
		d->lost++;
		empty(s, LOST);
		finish(s, CW_DEVICE_LOST);
	}
}

void
cw_sim_device_lost(struct cw_sim_device *d, uint16_t station)
{
	struct cw_sim_station *s;

	if (station >= d->cfg.station_cnt ||
	    d->station[station].state == CW_DEVICE_EMPTY)
		return;
	s = &d->station[station];
	d->lost++;
	empty(s, LOST);
	finish(s, CW_DEVICE_LOST);
}

void
cw_sim_device_restart(struct cw_sim_device *d)
{
	struct cw_sim_station *s;
	uint16_t i;

	memset(d->hold, 0, sizeof d->hold);
	d->boot_cnt++;
	d->beat_known = false;
	d->own_beat_us = 0;
	d->dry = false;
	for (i = 0; i < d->cfg.station_cnt; i++) {
		s = &d->station[i];
		s->asked = false;
		s->waits = false;
		s->again = moves(s);
		s->due_us = 0;

		/* A register that fell to 0 is no new command. */
		d->hold[10 + 4 * i] = s->command != 0 ? s->seq : s->done_seq;
	}
}

int
cw_sim_device_save(const struct cw_sim_device *d, uint8_t *buf, size_t cap)
{
	struct cw_wr w = cw_wr_init(buf, cap);
	const struct cw_sim_station *s;
	uint16_t i;

	cw_wr_u32(&w, SAVE_MAGIC);
	cw_wr_u16(&w, SAVE_VERSION);
	cw_wr_u16(&w, d->cfg.station_cnt);
	cw_wr_u32(&w, d->fed);
	cw_wr_u32(&w, d->good);
	cw_wr_u32(&w, d->reject);
	cw_wr_u32(&w, d->lost);
	cw_wr_u32(&w, d->hopper);
	cw_wr_u32(&w, d->jam_cnt);
	cw_wr_u16(&w, d->boot_cnt);
	cw_wr_u16(&w, 0);
	cw_wr_u32(&w, 0);
	for (i = 0; i < d->cfg.station_cnt; i++) {
		s = &d->station[i];
		cw_wr_u8(&w, s->state);
		cw_wr_u8(&w, s->command);
		cw_wr_u8(&w, s->result);
		cw_wr_u8(&w, s->target);
		cw_wr_u8(&w, s->where);
		cw_wr_u8(&w, s->jams);
		cw_wr_u16(&w, s->seq);
		cw_wr_u16(&w, s->done_seq);
		cw_wr_u16(&w, 0);
		cw_wr_u32(&w, s->card_no);
		cw_wr_u32(&w, s->last_no);
		cw_wr_u32(&w, 0);
	}
	cw_wr_u32(&w, w.bad ? 0 : cw_crc32(0, buf, w.len));
	return cw_wr_done(&w);
}

static int
load_station(struct cw_rd *r, struct cw_sim_station *s)
{
	s->state = cw_rd_u8(r);
	s->command = cw_rd_u8(r);
	s->result = cw_rd_u8(r);
	s->target = cw_rd_u8(r);
	s->where = cw_rd_u8(r);
	s->jams = cw_rd_u8(r) != 0;
	s->seq = cw_rd_u16(r);
	s->done_seq = cw_rd_u16(r);
	(void)cw_rd_u16(r);
	s->card_no = cw_rd_u32(r);
	s->last_no = cw_rd_u32(r);
	(void)cw_rd_u32(r);
	return s->state > CW_DEVICE_JAMMED ? CW_EFORMAT : 0;
}

int
cw_sim_device_load(struct cw_sim_device *d, const uint8_t *buf, size_t len)
{
	struct cw_sim_station spare;
	struct cw_rd r = cw_rd_init(buf, len);
	struct cw_sim_device n = *d;
	uint16_t cnt, i;
	int err = 0;

	if (len < 44 || cw_rd_u32(&r) != SAVE_MAGIC)
		return CW_EFORMAT;
	if (cw_rd_u16(&r) != SAVE_VERSION)
		return CW_EVERSION;
	cnt = cw_rd_u16(&r);
	if (cnt > CW_DEVICE_STATIONS_MAX || len != 44 + 24u * cnt)
		return CW_EFORMAT;
	n.fed = cw_rd_u32(&r);
	n.good = cw_rd_u32(&r);
	n.reject = cw_rd_u32(&r);
	n.lost = cw_rd_u32(&r);
	n.hopper = cw_rd_u32(&r);
	n.jam_cnt = cw_rd_u32(&r);
	n.boot_cnt = cw_rd_u16(&r);
	(void)cw_rd_bytes(&r, 6);
	for (i = 0; i < cnt && err == 0; i++) {
		memset(&spare, 0, sizeof spare);
		err = load_station(&r, &spare);
		if (i < d->cfg.station_cnt)
			n.station[i] = spare;
		else if (err == 0 && spare.state != CW_DEVICE_EMPTY)
			err = CW_ERANGE;
	}
	if (cw_rd_u32(&r) != cw_crc32(0, buf, len - 4))
		return CW_ECRC;
	if (err < 0)
		return err;
	if (d->cfg.hopper == UINT32_MAX || n.hopper == UINT32_MAX)
		n.hopper = d->cfg.hopper;
	if (!cw_sim_device_check(&n))
		return CW_EFORMAT;
	*d = n;
	cw_sim_device_restart(d);
	return 0;
}

bool
cw_sim_device_check(const struct cw_sim_device *d)
{
	uint64_t in_stations = 0;
	uint32_t no;
	uint16_t i, k;

	for (i = 0; i < d->cfg.station_cnt; i++) {
		no = d->station[i].card_no;
		if ((no != 0) != (d->station[i].state != CW_DEVICE_EMPTY) ||
		    no > d->fed)
			return false;
		for (k = 0; k < i && no != 0; k++)
			if (d->station[k].card_no == no)
				return false;
		in_stations += no != 0;
	}
	return d->fed == (uint64_t)d->good + d->reject + d->lost + in_stations;
}
