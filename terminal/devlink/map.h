/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_DEVMAP_H
#define CW_DEVMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "terminal/devview.h"

/*
 * Device profile: which register of a machine means what (INI text, see
 * profiles/device/generic.ini and docs/spec/device.md), and the pure part of
 * the device link: registers -> view, commands -> register writes, the watch
 * over the heartbeat.  No I/O, no clock.
 *
 *	map = cw_devmap_load(path, err, sizeof err);
 *	n = cw_devmap_plan(map, stations, range, CW_DEVMAP_RANGES_MAX);
 *	read the ranges into a struct cw_devregs
 *	cw_devmap_view(map, &regs, &view);
 *	n = cw_devmap_cmd(map, &cmd, write);	and carry the writes out in order
 */
#define CW_DEVMAP_READ_MAX 125		/* registers in one Modbus read */
#define CW_DEVMAP_RANGES_MAX 160	/* reads for the largest machine */
#define CW_DEVMAP_WRITE_MAX 4		/* registers in one write of ours */

struct cw_devmap;

/* NULL with err filled ("file:line: what is wrong"). */
struct cw_devmap *cw_devmap_load(const char *path, char *err, size_t err_cap);
struct cw_devmap *cw_devmap_parse(const char *name, const char *text, size_t len,
    char *err, size_t err_cap);
void cw_devmap_free(struct cw_devmap *m);

/* What [device] says: times, name, unit identifier; lent, all three. */
struct cw_devmap_times {
	uint32_t poll_us;	/* between reads while nothing is under way */
	uint32_t busy_us;	/* while a command is */
	uint32_t beat_us;	/* between our heartbeats */
	uint32_t dead_us;	/* silence of its heartbeat that means it is down */
	uint32_t timeout_us;	/* for one answer */
	uint32_t retry_us;	/* before a new connection */
};
const struct cw_devmap_times *cw_devmap_times(const struct cw_devmap *m);
const char *cw_devmap_name(const struct cw_devmap *m);
uint8_t cw_devmap_unit(const struct cw_devmap *m);

/* One read. */
struct cw_devmap_range {
	bool hold;		/* holding registers, else input registers */
	uint16_t addr, cnt;
};

/* The registers of a machine by address, as far as the map uses them. */
struct cw_devregs {
	uint16_t *input, *hold;	/* [input_cnt], [hold_cnt] */
	uint32_t input_cnt, hold_cnt;
};
/* Makes room for a machine of `stations`; 0, CW_ENOMEM, CW_ERANGE (the map
 * runs out of addresses). */
int cw_devregs_init(struct cw_devregs *r, const struct cw_devmap *m, uint16_t stations);
void cw_devregs_fini(struct cw_devregs *r);
/* Puts what was read in its place; outside of r: ignored. */
void cw_devregs_put(struct cw_devregs *r, const struct cw_devmap_range *g, const uint16_t *val);

/*
 * The reads that fetch what the view needs: no value and no station's block is
 * split between two reads where it fits in one.  The first range holds the
 * counters.  stations 0: what must be known first (version, stations).
 * Count, or CW_EFULL.
 */
int cw_devmap_plan(const struct cw_devmap *m, uint16_t stations,
    struct cw_devmap_range *out, size_t cap);
/* The reads of our own command sequence registers, needed once per connection. */
int cw_devmap_plan_own(const struct cw_devmap *m, uint16_t stations,
    struct cw_devmap_range *out, size_t cap);

/* Map version, station count: 0 and *stations, CW_EVERSION, CW_ERANGE. */
int cw_devmap_hello(const struct cw_devmap *m, const struct cw_devregs *r, uint16_t *stations);
/* Fills all of v but `up`; v->station_cnt must be set. */
void cw_devmap_view(const struct cw_devmap *m, const struct cw_devregs *r, struct cw_dev_view *v);
uint32_t cw_devmap_beat_of(const struct cw_devmap *m, const struct cw_devregs *r);

/* One write of neighbouring holding registers. */
struct cw_devmap_write {
	uint16_t addr, cnt;
	uint16_t val[CW_DEVMAP_WRITE_MAX];
};
/*
 * A command as writes, in order: the sequence comes last, or in the same write
 * as the command code where they are neighbours.  1 or 2; CW_EINVAL for a
 * station or command that is not in the map.
 */
int cw_devmap_cmd(const struct cw_devmap *m, const struct cw_dev_cmd *c,
    struct cw_devmap_write out[2]);
/* 1, or 0 when the machine has no such register. */
int cw_devmap_bits(const struct cw_devmap *m, uint8_t bits, struct cw_devmap_write *out);
int cw_devmap_beat(const struct cw_devmap *m, uint16_t beat, struct cw_devmap_write *out);

/*
 * Whether the device lives: its heartbeat must move and its boot count stand
 * still.  A changed boot count shows the device down for one reading, so that
 * nobody takes what stood before for what is now.
 */
struct cw_devwatch {
	bool begun;
	bool moved;		/* heartbeat seen to change since the link is up */
	bool restarted;		/* in the last step: what was written is gone */
	uint32_t beat, boot_cnt;
	uint64_t beat_us;	/* when it changed last */
};
/* The link was made anew. */
void cw_devwatch_reset(struct cw_devwatch *w);
/* NULL: up.  Else the reason for being down, static. */
const char *cw_devwatch_step(struct cw_devwatch *w, const struct cw_devmap *m,
    const struct cw_devregs *r, uint64_t now_us);

#endif
