/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "reader/console.h"
#include "tests/sweep/flash.h"
#include "tests/sweep/nvm.h"

/* What is typed, files that are received, and what stood in the settings memory. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cw_flash_map map = {
	.slot_off = { 0x4000, 0x40000 }, .slot_len = 0x3C000,
	.slot_addr = { 0x08004000, 0x08040000 },
	.log_off = { 0x7C000, 0x7C800 }, .counter_off = 0x7D000,
	.page_len = FLASH_PAGE,
};
static struct flash flash;
static struct nvm mem;

static bool
verify(const uint8_t *key, const uint8_t *digest, const uint8_t *sig)
{
	(void)key;
	(void)digest;
	return sig[0] != 0;
}

static void
reset(void *dev)
{
	(void)dev;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cw_console_ops ops = { .reset = reset };
	static struct cw_console con;
	struct cw_settings_store st;
	struct cw_settings s;
	struct cw_update u;
	struct cw_update_config uc = {
		.flash = &flash_ops, .dev = &flash, .map = map, .board = "b",
		.check = { verify, NULL }, .running = 0,
	};
	struct cw_console_config c = {
		.ops = &ops, .store = &st, .settings = &s, .update = &u,
		.board = "b", .version = "v",
	};
	const uint8_t *out;
	uint64_t now = 0, due = UINT64_MAX, count;
	size_t head = size < 512 ? size : 512, i;

	nvm_init(&mem, 1);
	flash_init(&flash);
	memcpy(mem.cell, data, head);
	cw_settings_init(&st, &nvm_ops, &mem);
	(void)cw_settings_load(&st, &s);
	(void)cw_settings_boot(&st, &s, &count);
	cw_update_init(&u, &uc);
	cw_console_init(&con, &c, now);
	for (i = head; i < size; i++) {
		cw_console_sent(&con, cw_console_output(&con, &out));
		/* A byte FE is silence until the console wants to be called. */
		if (data[i] == 0xFE && due != UINT64_MAX) {
			now = due;
			due = cw_console_input(&con, NULL, 0, now);
		} else if (cw_console_ready(&con)) {
			due = cw_console_input(&con, data + i, 1, ++now);
		}
	}
	CW_ASSERT(flash.fault_cnt == 0);
	return 0;
}
