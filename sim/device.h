/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_DEVICE_H
#define CW_SIM_DEVICE_H

#include <stdbool.h>
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
 *	11+4*i	command: 1 feed, 2 bin good, 3 bin reject
 *	12+4*i	spare
 *	13+4*i	spare
 * Input registers (device writes):
 *	0	map version (1)
 *	1	device heartbeat
 *	2	stations
 *	3	machine state (PackML: 0 stopped, 1 idle, 2 execute, 3 held, 4 suspended (hopper empty), 5 aborted (jam))
 *	4,5	fed counter	6,7 good bin counter	8,9 reject bin counter
 *	10	boot count of the device (counters survive a restart)
 *	11	hopper: blanks left (65535 = many)
 *	20+8*i	station i: state (0 empty, 1 feeding, 2 card at contacts, 3 moving to bin, 4 jammed)
 *	21+8*i	command sequence done last
 *	22+8*i	result of it: 0 ok, 1 refused (wrong state), 2 hopper empty, 3 jam, 4 card lost
 *	23,24+8*i	card number at the station (0 none); numbers are the fed counter's value at its feed
 *	25+8*i	where the last card of the station went: 1 good, 2 reject, 3 lost
 *	26,27+8*i	number of that last card
 * Counters and card numbers never go back, not even by a restart.
 */
#define CW_DEV_STATIONS_MAX 64
#define CW_DEV_HOLD_CNT (10 + 4 * CW_DEV_STATIONS_MAX)
#define CW_DEV_INPUT_CNT (20 + 8 * CW_DEV_STATIONS_MAX)

struct cw_sim_device_config {
	uint16_t station_cnt;
	uint32_t hopper;		/* blanks; UINT32_MAX = endless */
	uint32_t feed_us, move_us;	/* times */
	uint32_t jam_every;		/* every n-th feed jams; 0 = never */
	bool jam_clears;		/* a jam clears by "reset jam"; its card is then rejected */
};

/* What the device does to the world (the simulated contacts). */
struct cw_sim_mech {
	/* 0, or CW_ENOENT: no blank left */
	int (*feed)(void *ctx, uint16_t station, uint32_t card_no);
	void (*bin)(void *ctx, uint16_t station, uint32_t card_no, uint8_t bin);
	void *ctx;
};

struct cw_sim_device {
	struct cw_sim_device_config cfg;
	struct cw_sim_mech mech;
	uint16_t hold[CW_DEV_HOLD_CNT];
	uint16_t input[CW_DEV_INPUT_CNT];
	uint32_t fed, good, reject;
	uint32_t hopper;
	uint64_t due_us[CW_DEV_STATIONS_MAX];
	uint32_t jam_cnt;
};

void cw_sim_device_init(struct cw_sim_device *d, const struct cw_sim_device_config *cfg,
    const struct cw_sim_mech *mech);
/* Acts on written registers and on time; returns the next time it wants to be called. */
uint64_t cw_sim_device_step(struct cw_sim_device *d, uint64_t now_us);
/* The contacts say that a card fell out or was pulled. */
void cw_sim_device_lost(struct cw_sim_device *d, uint16_t station);
/* Survives a power cut: counters and cards in stations. */
void cw_sim_device_restart(struct cw_sim_device *d);

#endif
