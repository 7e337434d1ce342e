/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_DEVICE_H
#define CW_SIM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The simulated handler as a core: hopper, stations, two bins, counters, jams,
 * behind a Modbus register map (the map of profiles/device/generic.ini, which
 * docs/spec/device.md explains).  Registers are u16, u32 as high word first.
 *
 * Holding registers (terminal writes):
 *	0	terminal heartbeat, rises at least every second
 *	1	command bits: 1 run, 2 reset jam
 *	10+4*i	station i (0-based): command sequence; a new value carries out the command below it once
 *	11+4*i	command: 1 feed, 2 bin good, 3 bin reject (write both in one request)
 *	12+4*i	spare
 *	13+4*i	spare
 * Input registers (device writes):
 *	0	map version (1)
 *	1	device heartbeat
 *	2	stations
 *	3	machine state (PackML: 0 stopped, 1 idle, 2 execute, 3 held,
 *		4 suspended (hopper empty), 5 aborted (jam))
 *	4,5	fed counter	6,7 good bin counter	8,9 reject bin counter
 *	10	boot count of the device (counters survive a restart)
 *	11	hopper: blanks left (65535 = many)
 *	12,13	lost counter: cards that left a station by themselves
 *	20+8*i	station i: state (0 empty, 1 feeding, 2 card at contacts, 3 moving to bin, 4 jammed)
 *	21+8*i	command sequence done last
 *	22+8*i	result of it: 0 ok, 1 refused (wrong state), 2 hopper empty, 3 jam, 4 card lost
 *	23,24+8*i	card number at the station (0 none); numbers are the fed counter's value at its feed
 *	25+8*i	where the last card of the station went: 1 good, 2 reject, 3 lost
 *	26,27+8*i	number of that last card
 * Counters and card numbers never go back, not even by a restart.
 *
 * A station takes one command at a time; a sequence number written meanwhile is
 * looked at when the movement is over (the last one written counts).  Feeding
 * needs the run bit and a heartbeat that changed within CW_DEVICE_BEAT_US, else it
 * is refused; during a jam anywhere it waits for the jam's end.  Binning is
 * always possible, so that stations can be cleared.
 *
 * A jam stops a feed half-way: station state 4, result 3, machine state 5.
 * While "reset jam" is set the card moves to the reject bin and is counted there.
 */
#define CW_DEVICE_STATIONS_MAX 64
#define CW_DEVICE_HOLD_CNT (10 + 4 * CW_DEVICE_STATIONS_MAX)
#define CW_DEVICE_INPUT_CNT (20 + 8 * CW_DEVICE_STATIONS_MAX)

struct cw_sim_device_config {
	uint16_t station_cnt;
	uint32_t hopper;		/* blanks; UINT32_MAX = endless */
	uint32_t feed_us, move_us;	/* times */
	uint32_t jam_every;		/* every n-th feed jams; 0 = never */
	bool jam_clears;		/* a jam clears by "reset jam"; its card is then rejected */
};

#define CW_DEVICE_BEAT_US 5000000u	/* the terminal's heartbeat is late after this */

enum cw_device_state { CW_DEVICE_EMPTY, CW_DEVICE_FEEDING, CW_DEVICE_CARD,
    CW_DEVICE_BINNING, CW_DEVICE_JAMMED };
enum cw_device_command { CW_DEVICE_FEED = 1, CW_DEVICE_GOOD, CW_DEVICE_REJECT };
enum cw_device_result { CW_DEVICE_OK, CW_DEVICE_REFUSED, CW_DEVICE_HOPPER_EMPTY,
    CW_DEVICE_JAM, CW_DEVICE_LOST };
enum cw_device_machine { CW_DEVICE_STOPPED, CW_DEVICE_IDLE, CW_DEVICE_EXECUTE, CW_DEVICE_HELD,
    CW_DEVICE_SUSPENDED, CW_DEVICE_ABORTED };

/*
 * What the device does to the world (the simulated contacts).  Both are called
 * at the start of the movement, with the device's state as it must rest in
 * storage before the world changes: a shell that keeps a state file writes
 * cw_sim_device_save() before it passes the call on.  After a restart a movement
 * that was under way is started once more: the world must take a repetition.
 */
struct cw_sim_mech {
	/* Not waited for: cw_sim_device_moved() tells when it has been done. */
	bool async;
	/* 0, or CW_ENOENT: no blank left */
	int (*feed)(void *ctx, uint16_t station, uint32_t card_no);
	void (*bin)(void *ctx, uint16_t station, uint32_t card_no, uint8_t bin);
	void *ctx;
};

/* One station; private. */
struct cw_sim_station {
	uint8_t state;		/* enum cw_device_state */
	uint8_t command;	/* under way; 0 none */
	uint8_t result;		/* of done_seq */
	uint8_t target;		/* where the card under way goes: 1 good, 2 reject */
	uint8_t where;		/* the last card went: 1, 2, 3 lost */
	bool jams;		/* this feed ends in a jam */
	bool asked;		/* the world has been told of the movement */
	bool waits;		/* and has not answered yet */
	bool again;		/* the movement goes on after a restart */
	uint16_t seq;		/* of the command under way */
	uint16_t done_seq;
	uint32_t card_no, last_no;
	uint64_t due_us;
};

struct cw_sim_device {
	struct cw_sim_device_config cfg;
	struct cw_sim_mech mech;
	uint16_t hold[CW_DEVICE_HOLD_CNT];
	uint16_t input[CW_DEVICE_INPUT_CNT];
	uint32_t fed, good, reject, lost;
	uint32_t hopper;
	uint32_t jam_cnt;	/* feeds since the last jam */
	uint16_t boot_cnt;
	bool dry;		/* the world said that no blank is left */
	uint16_t beat_seen;	/* the terminal's heartbeat at beat_us */
	bool beat_known;
	uint64_t beat_us;
	uint64_t own_beat_us;	/* when the device's heartbeat rises next */
	struct cw_sim_station station[CW_DEVICE_STATIONS_MAX];
};

/* No card in it, hopper as configured, first start; cfg and mech are copied. */
void cw_sim_device_init(struct cw_sim_device *d, const struct cw_sim_device_config *cfg,
    const struct cw_sim_mech *mech);
/* Acts on written registers and on time; returns the next time it wants to be called. */
uint64_t cw_sim_device_step(struct cw_sim_device *d, uint64_t now_us);
/* The contacts say that a card fell out or was pulled. */
void cw_sim_device_lost(struct cw_sim_device *d, uint16_t station);
/* async only: the movement that mech was told of is done (0), or there was
 * nothing to move (CW_ENOENT). Step again after it. */
void cw_sim_device_moved(struct cw_sim_device *d, uint16_t station, int err);
/* A power cut and the start after it: counters and cards in stations survive,
 * movements go on, registers written by the terminal are gone. */
void cw_sim_device_restart(struct cw_sim_device *d);

/*
 * What survives, as bytes (docs/spec/device.md).  save: length, or CW_EFULL.
 * load, after init: 0, CW_EFORMAT, CW_ECRC, CW_EVERSION, or CW_ERANGE when more
 * stations hold cards than the device has now; then restarts.
 */
#define CW_DEVICE_SAVE_MAX (40 + 24 * CW_DEVICE_STATIONS_MAX + 4)
int cw_sim_device_save(const struct cw_sim_device *d, uint8_t *buf, size_t cap);
int cw_sim_device_load(struct cw_sim_device *d, const uint8_t *buf, size_t len);

/* fed = good + reject + lost + cards in stations, and no card number twice. */
bool cw_sim_device_check(const struct cw_sim_device *d);

#endif
