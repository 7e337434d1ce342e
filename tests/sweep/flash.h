/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEST_FLASH_H
#define CW_TEST_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "reader/port.h"

/*
 * Program memory of a STM32F103ZE that loses power: at the n-th half-word or
 * page erase, cleanly before or after it, or in the middle of it.
 */
#define FLASH_LEN 0x80000u
#define FLASH_PAGE 2048u

enum flash_cut {
	FLASH_CUT_BEFORE,
	FLASH_CUT_TORN,		/* half-word: some of its bits are cleared; page: each
				 * half-word is the old one, erased, or anything */
	FLASH_CUT_AFTER,
	FLASH_CUT_KINDS,
};

struct flash {
	uint8_t mem[FLASH_LEN];
	uint64_t rng;
	long cut_at;		/* operation, 0..; -1: never */
	enum flash_cut cut;
	bool dead;
	long op_cnt;		/* half-words and erases since power came */
	long fault_cnt;		/* half-words programmed that were not erased */
};

extern const struct cw_flash_ops flash_ops;

void flash_init(struct flash *f);
/* Power is back. */
void flash_restart(struct flash *f);

#endif
