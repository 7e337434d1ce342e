/* SPDX-License-Identifier: Apache-2.0 */
#include "upgrade.h"

#include <string.h>

#include "boards/chip/stm32f1/option.h"
#include "boards/fwcheck/p256.h"
#include "cw/err.h"
#include "flash_map.h"

#define RESTART_US 300000u

static struct cw_update update;
static uint64_t restart_us = UINT64_MAX;

static void
feed(void *dev)
{
	(void)dev;
	cw_stm_watchdog_feed();
}

struct cw_update *
cw_upgrade_start(void)
{
	struct cw_update_config c = {
		.flash = &cw_board_flash_ops, .map = CW_BOARD_FLASH_MAP,
		.board = CW_BOARD_IMAGE_ID,
		.check = { cw_p256_verify, cw_fw_key }, .feed = feed,
	};

	c.running = CW_SCB->vtor >= CW_BOARD_SLOT_B ? 1 : 0;
	cw_update_init(&update, &c);
	if (cw_fw_key_development)
		cw_board_log(1, "update.key what=\"development key: not for production\"");
	if (cw_update_on_trial(&update))
		cw_board_log(1, "update.trial what=\"stays once a terminal is linked\"");
	return &update;
}

void
cw_upgrade_restart(void *dev)
{
	(void)dev;
	restart_us = cw_stm_now_us() + RESTART_US;
}

static bool
in_work(const struct cw_reader *core)
{
	struct cw_reader_slot_status st;
	uint8_t i;

	for (i = 0; i < CW_BOARD_SLOTS; i++) {
		cw_reader_slot_status(core, i, &st);
		if (st.queued > 0 || st.state > CW_SLOT_READY)
			return true;
	}
	return false;
}

void
cw_upgrade_step(const struct cw_reader *core, uint64_t now_us)
{
	if (now_us >= restart_us)
		cw_stm_reset();
	if (!cw_update_on_trial(&update))
		return;
	if (cw_reader_served(core) && !in_work(core)) {
		cw_board_log(1, cw_update_confirm(&update) < 0 ?
		    "update.unconfirmed what=\"program memory takes no step\"" :
		    "update.confirmed");
	} else if (now_us >= CW_UPDATE_CONFIRM_MS * 1000ull) {
		cw_stm_reset();
	}
}

/* The first 16 KiB: four bits of two pages each. */
#define BOOT_BITS 0xfu

static void
protect(void *dev, const char *args, char *out, size_t cap)
{
	const char *text;

	(void)dev;
	if ((cw_stm_option_unprotected() & BOOT_BITS) == 0)
		text = "the boot loader is write-protected";
	else if (strlen(args) != 3 || memcmp(args, "now", 3) != 0)
		text = "the boot loader can be overwritten; protect now ends that "
		    "for good, a step of manufacturing";
	else if (cw_stm_option_protect(BOOT_BITS) < 0)
		text = "not done: the option bytes do not take it";
	else
		text = "done; reset makes it so";
	if (strlen(text) < cap)
		memcpy(out, text, strlen(text) + 1);
}

const struct cw_console_cmd cw_upgrade_cmds[CW_UPGRADE_CMD_CNT] = {
	{ "protect", "[now]  write protection of the boot loader", protect },
};
