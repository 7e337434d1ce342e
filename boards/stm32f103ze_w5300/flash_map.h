/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_FLASH_MAP_H
#define CW_BOARD_FLASH_MAP_H

#include "board.h"
#include "reader/update_log.h"

/*
 * Slots and state pages for the update core, as boot loader and program see
 * them alike: an initialiser of struct cw_flash_map.
 */
#define CW_BOARD_OFF(addr) ((addr) - CW_BOARD_FLASH_BASE)
#define CW_BOARD_FLASH_MAP { \
	.slot_off = { CW_BOARD_OFF(CW_BOARD_SLOT_A), CW_BOARD_OFF(CW_BOARD_SLOT_B) }, \
	.slot_len = CW_BOARD_SLOT_LEN, \
	.slot_addr = { CW_BOARD_SLOT_A, CW_BOARD_SLOT_B }, \
	.log_off = { CW_BOARD_OFF(CW_BOARD_STATE_BASE), \
	    CW_BOARD_OFF(CW_BOARD_STATE_BASE) + CW_BOARD_FLASH_PAGE }, \
	.counter_off = CW_BOARD_OFF(CW_BOARD_STATE_BASE) + 2 * CW_BOARD_FLASH_PAGE, \
	.page_len = CW_BOARD_FLASH_PAGE, \
}
#define CW_BOARD_IMAGE_ID "stm32f103ze"

#endif
