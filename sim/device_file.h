/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_DEVICE_FILE_H
#define CW_SIM_DEVICE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/device.h"

/*
 * State file of the simulated handler: two slots.  The one that the disk has
 * for certain is never written over, so that it is whole whenever the other one
 * is torn (docs/spec/device.md).
 */
struct cw_device_file {
	int fd;
	uint64_t generation;
	bool sync;		/* wait for the disk before a card is drawn */
	int safe_slot;		/* which slot the disk has for certain */
	uint32_t fed_stored;	/* d->fed as the disk has it for certain */
	size_t len;		/* of what was stored last */
	uint8_t last[CW_DEVICE_SAVE_MAX];
};

/*
 * Opens or makes the file, locks it, loads d from it if it holds a state.
 * 0, or a negative CW_E* with err filled.
 */
int cw_device_file_open(struct cw_device_file *f, const char *path, bool sync,
    struct cw_sim_device *d, char *err, size_t err_cap);
/* Stores d if it changed. 0 or CW_EIO. */
int cw_device_file_store(struct cw_device_file *f, const struct cw_sim_device *d);
void cw_device_file_close(struct cw_device_file *f);

#endif
