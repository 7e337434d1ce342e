/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEST_NVM_H
#define CW_TEST_NVM_H

#include <stdbool.h>
#include <stdint.h>

#include "reader/port.h"

/*
 * An EEPROM that loses power, has worn cells and a disturbed bus.  Cells are
 * written one by one in order, in pages of 32 as an I2C EEPROM does it.
 */
#define NVM_LEN 2048
#define NVM_PAGE 32

enum nvm_cut {
	NVM_CUT_BEFORE,		/* the byte is not written any more */
	NVM_CUT_TORN,		/* it becomes anything */
	NVM_CUT_PAGE,		/* it and the rest of its page become old, new or anything */
	NVM_CUT_AFTER,		/* it is the last that is written */
	NVM_CUT_KINDS,
};

struct nvm {
	uint8_t cell[NVM_LEN];
	uint64_t rng;
	/* power: lost at the cut_at-th byte written (0..), -1: never */
	long cut_at;
	enum nvm_cut cut;
	bool dead;
	long byte_cnt;		/* bytes written since the start */
	/* cells that hold a value for ever */
	int stuck_at;		/* offset, -1: none */
	uint8_t stuck;
	/* the fail_at-th call fails (0..), all from there on when for_ever */
	long fail_at;
	bool for_ever;
	long call_cnt;
};

extern const struct cw_nvm_ops nvm_ops;

/* A new memory: all FF, nothing wrong with it. */
void nvm_init(struct nvm *m, uint64_t seed);
/* Power is back; no cut is set, counts begin at 0. */
void nvm_restart(struct nvm *m);
uint64_t nvm_rand(struct nvm *m);

#endif
