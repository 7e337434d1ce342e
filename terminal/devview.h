/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TERMINAL_DEVVIEW_H
#define CW_TERMINAL_DEVVIEW_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What a terminal sees of its device, whatever the register map, and what it
 * may tell it.  The device link fills it from Modbus, the stepper from the
 * simulated device; the line core reads nothing else.  Meanings are those of
 * docs/spec/device.md: counters and card numbers never go back.
 */
#define CW_DEVVIEW_STATIONS_MAX 1024

enum cw_dev_machine {
	CW_DEV_STOPPED = 0,
	CW_DEV_IDLE = 1,
	CW_DEV_EXECUTE = 2,
	CW_DEV_HELD = 3,
	CW_DEV_SUSPENDED = 4,	/* hopper empty */
	CW_DEV_ABORTED = 5,	/* jam */
};

enum cw_dev_station_state {
	CW_DEVST_EMPTY = 0,
	CW_DEVST_FEEDING = 1,
	CW_DEVST_CARD = 2,	/* at the contacts */
	CW_DEVST_MOVING = 3,	/* to a bin */
	CW_DEVST_JAMMED = 4,
};

enum cw_dev_command {
	CW_DEVCMD_FEED = 1,
	CW_DEVCMD_GOOD = 2,	/* to the good bin */
	CW_DEVCMD_REJECT = 3,
};

enum cw_dev_result {
	CW_DEVRES_OK = 0,
	CW_DEVRES_REFUSED = 1,	/* wrong state */
	CW_DEVRES_EMPTY = 2,	/* no blank in the hopper */
	CW_DEVRES_JAM = 3,
	CW_DEVRES_LOST = 4,	/* the card fell out or was taken */
};

enum cw_dev_bin {
	CW_DEVBIN_NONE = 0,	/* no card yet */
	CW_DEVBIN_GOOD = 1,
	CW_DEVBIN_REJECT = 2,
	CW_DEVBIN_LOST = 3,
};

struct cw_dev_station {
	uint8_t state;		/* enum cw_dev_station_state */
	uint8_t result;		/* of seq_done; enum cw_dev_result */
	uint8_t last_bin;	/* of last_card; enum cw_dev_bin */
	uint16_t seq_done;	/* command sequence the device finished last */
	uint16_t seq_written;	/* sequence standing in the command register */
	uint32_t card_no;	/* card at the station, 0 = none */
	uint32_t last_card;	/* card that left the station last, 0 = none */
};

/*
 * One consistent reading.  While up is false nothing else is meant to be true
 * now, and the values of the last reading stay.
 */
struct cw_dev_view {
	bool up;		/* link open and the device's heartbeat moves */
	uint8_t machine_state;	/* enum cw_dev_machine */
	uint32_t boot_cnt;	/* starts of the device */
	uint32_t fed, good, reject;	/* counters of the machine */
	uint16_t hopper;	/* blanks left, 65535 = many */
	uint16_t station_cnt;
	struct cw_dev_station st[CW_DEVVIEW_STATIONS_MAX];
};

/*
 * A command.  A sequence value that differs from the one standing there makes
 * the device carry the command out once; the same value again does nothing, so
 * a command may be repeated until seq_done shows it.
 */
struct cw_dev_cmd {
	uint16_t station;	/* 0-based */
	uint16_t seq;
	uint8_t cmd;		/* enum cw_dev_command */
};

/* Bits for the machine as a whole. */
#define CW_DEVBIT_RUN 0x01
#define CW_DEVBIT_RESET_JAM 0x02

#endif
