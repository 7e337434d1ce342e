/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/chip/stm32f1/flash.h"
#include "boards/fwcheck/p256.h"
#include "boot_private.h"
#include "cw/err.h"
#include "reader/update.h"

#define PLL_MUL 15u		/* as the program has it: 60 MHz */
#define WATCHDOG_MS 3000u	/* within which the program must feed it first */

const char cw_boot_board[] = CW_BOARD_IMAGE_ID;
const struct cw_flash_map cw_boot_map = CW_BOARD_FLASH_MAP;

/* Everything but these 16 KiB may change. */
static bool
may(uint32_t off, size_t len)
{
	return off >= CW_BOARD_BOOT_LEN && off <= CW_BOARD_FLASH_LEN &&
	    len <= CW_BOARD_FLASH_LEN - off;
}

static int
flash_erase(void *dev, uint32_t off)
{
	(void)dev;
	return may(off, 1) ? cw_stm_flash_erase(CW_BOARD_FLASH_BASE + off) :
	    CW_ERANGE;
}

static int
flash_program(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	if (!may(off, len) || ((off | len) & 1) != 0)
		return CW_ERANGE;
	return cw_stm_flash_program(CW_BOARD_FLASH_BASE + off, buf, len);
}

static const uint8_t *
flash_lend(void *dev, uint32_t off, size_t len)
{
	(void)dev;
	if (off > CW_BOARD_FLASH_LEN || len > CW_BOARD_FLASH_LEN - off)
		return NULL;
	return CW_REG(const uint8_t, CW_BOARD_FLASH_BASE + off);
}

const struct cw_flash_ops cw_boot_flash = {
	flash_erase, flash_program, flash_lend,
};

/* Held down at the start: an image may be loaded though there is one. */
static bool
button_pressed(void)
{
	uint32_t bit = 1u << CW_BOARD_BUTTON % 16;

	CW_RCC->apb2enr |= CW_RCC_APB2_GPIO(CW_BOARD_BUTTON / 16);
	cw_stm_pin_set(CW_BOARD_BUTTON, true);
	cw_stm_pin(CW_BOARD_BUTTON, CW_STM_IN_PULL);
	cw_stm_spin_us(100);
	return (CW_GPIO(CW_BOARD_BUTTON / 16)->idr & bit) == 0;
}

void
cw_boot_main(void)
{
	struct cw_boot_config c = {
		.map = cw_boot_map, .board = cw_boot_board,
		.check = { cw_p256_verify, cw_fw_key },
		.tries = CW_UPDATE_TRIES,
	};
	struct cw_boot b;
	bool crystal;
	int slot = -1;

	/* Without its crystal the chip is slower, and no worse at verifying. */
	crystal = cw_stm_clock_start(PLL_MUL);
	cw_stm_time_start(crystal ? CW_BOARD_HCLK_HZ : 8000000u);
	cw_boot_init(&b, &cw_boot_flash, NULL, &c);
	if (!button_pressed())
		slot = cw_boot_choose(&b);
	if (slot < 0)
		cw_boot_rescue();
	/* From here on the program has to show that it lives. */
	cw_stm_watchdog_start(WATCHDOG_MS);
	cw_boot_jump(cw_boot_map.slot_addr[slot] + CW_FWIMG_HDR);
}
