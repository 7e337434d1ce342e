/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STM_FLASH_H
#define CW_STM_FLASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Program memory of the STM32F103 (PM0075): pages of 2 KiB, half-words.
 * Addresses are those of the memory map.  Interrupt handlers that run from
 * flash wait meanwhile: the bus stalls for up to 70 us a half-word, 40 ms a page.
 * The caller sees to it that the range is one that may change.
 */

/* Erases the page that holds addr: 0, or CW_EIO (write-protected, or a cell that
 * did not become 1). */
int cw_stm_flash_erase(uint32_t addr);
/* Programs len bytes, both even, and reads them back: 0 or CW_EIO. */
int cw_stm_flash_program(uint32_t addr, const uint8_t *buf, size_t len);

#endif
