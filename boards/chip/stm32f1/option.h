/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STM_OPTION_H
#define CW_STM_OPTION_H

#include <stdint.h>

/*
 * Option bytes of the STM32F103xE (PM0075, 2.4 and 3.4): write protection of
 * program memory, a bit for each two pages of 2 KiB, in force from the next
 * reset on.
 */

/* Bits of pages that can be written now. */
uint32_t cw_stm_option_unprotected(void);

/*
 * Protects the pages of `bits`, below 256, beside those that are protected; all
 * other option bytes stay.  They are erased for it: when power is lost then,
 * the chip wakes up with its debug port locked, and works.  0 or CW_EIO.
 */
int cw_stm_option_protect(uint32_t bits);

#endif
