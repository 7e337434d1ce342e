/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_SHELF_H
#define CW_SIM_SHELF_H

#include <stdint.h>

#include "sim/uicc.h"
#include "sim/world.h"

/*
 * Where the UICCs of cardwright-card come from and go to: one description for every
 * blank, or a folder with N.txt for card N; and a folder that keeps what each card
 * has become when it leaves.
 */
struct cw_shelf {
	const char *from, *save;	/* borrowed; NULL: not asked for */
	struct cw_uicc_desc *one;
	struct cw_uicc_desc **list;	/* by card number */
	uint32_t cnt;
};

/* --uicc: a file or a folder; ends the program with the reason if it cannot. */
void cw_shelf_load(struct cw_shelf *s, const char *path);
/* Gives the world its cards; s is borrowed while the world lives. */
void cw_shelf_serve(struct cw_shelf *s, struct cw_world_config *cfg);
/* After the world. */
void cw_shelf_free(struct cw_shelf *s);

#endif
