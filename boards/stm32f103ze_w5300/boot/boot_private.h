/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOOT_PRIVATE_H
#define CW_BOOT_PRIVATE_H

#include "boards/chip/stm32f1/stm32f1.h"
#include "boards/stm32f103ze_w5300/flash_map.h"
#include "choose.h"

/*
 * Inside of the boot loader:
 *
 *	start.c		vector table, start-up, the jump
 *	main.c		clock, choice, memory map
 *	rescue.c	receiving an image when there is nothing to start
 *	choose.c	the choice (pure)
 */

/* start.c: never comes back. addr: of the program's vector table. */
void cw_boot_jump(uint32_t addr) __attribute__((noreturn));

/* main.c */
void cw_boot_main(void) __attribute__((noreturn));
extern const struct cw_flash_map cw_boot_map;
extern const struct cw_flash_ops cw_boot_flash;
extern const char cw_boot_board[];

/* rescue.c: until an image has been committed; then restarts. */
void cw_boot_rescue(void) __attribute__((noreturn));

#endif
