/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOOT_CHOOSE_H
#define CW_BOOT_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "cw/fwimg.h"
#include "reader/update_log.h"

/*
 * Which slot the boot loader starts.  A core: it sees program memory through
 * cw_flash_ops, so that tests/sweep/update.c can cut its power anywhere.
 *
 *	cw_boot_init(&b, &flash_ops, dev, &cfg);
 *	slot = cw_boot_choose(&b);
 *	if (slot < 0) ... receive an image over the console ...
 *
 * It starts nothing whose signature, digest, board, place or security counter is
 * wrong, and something whenever a slot is good.
 */
struct cw_boot_config {
	struct cw_flash_map map;
	const char *board;
	struct cw_fwimg_check check;
	uint8_t tries;		/* starts of an image that does not confirm */
	void (*feed)(void *dev);	/* between two verifications; may be NULL */
};

struct cw_boot {
	struct cw_boot_config cfg;
	struct cw_ulog log;
	int8_t known[2];	/* slot verified: 1 good, -1 bad, 0 not looked at */
	int err[2];		/* why it is bad */
	struct cw_fwimg img[2];	/* of a good one */
	bool trial;		/* what was chosen is on trial */
};

/* No access yet. cfg is copied. */
void cw_boot_init(struct cw_boot *b, const struct cw_flash_ops *flash, void *dev,
    const struct cw_boot_config *cfg);

/* The slot to start, or -1: none is good. */
int cw_boot_choose(struct cw_boot *b);

#endif
