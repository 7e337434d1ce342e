/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "reader/update.h"
#include "tests/sweep/flash.h"

/*
 * Files for an update, in pieces, with a signature that is always good: what
 * remains are the checks of header and lengths, and the half-words.  Nothing may
 * be programmed that was not erased, or outside of the idle slot.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cw_flash_map map = {
	.slot_off = { 0x4000, 0x40000 }, .slot_len = 0x3C000,
	.slot_addr = { 0x08004000, 0x08040000 },
	.log_off = { 0x7C000, 0x7C800 }, .counter_off = 0x7D000,
	.page_len = FLASH_PAGE,
};
static struct flash flash;

static bool
verify(const uint8_t *key, const uint8_t *digest, const uint8_t *sig)
{
	(void)key;
	(void)digest;
	(void)sig;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_update_config c = {
		.flash = &flash_ops, .dev = &flash, .map = map, .board = "b",
		.check = { verify, NULL }, .running = 0,
	};
	static struct cw_update u;
	size_t off, n, piece = size > 0 ? 1 + data[0] * 5u : 1;
	int err = 0;

	/* Only what the last input has touched is made anew: 512 KiB are much. */
	if (flash.mem[0] != 0xFF)
		flash_init(&flash);
	memset(flash.mem + map.slot_off[1], 0xFF, 0x10000);
	memset(flash.mem + 0x7C000, 0xFF, 0x4000);
	flash_restart(&flash);
	cw_update_init(&u, &c);
	cw_update_begin(&u);
	for (off = 1; err == 0 && off < size; off += n) {
		n = size - off < piece ? size - off : piece;
		err = cw_update_data(&u, data + off, n);
	}
	err = cw_update_end(&u);
	CW_ASSERT(flash.fault_cnt == 0);
	CW_ASSERT((err == 0) == (u.log.state.pending == 1));
	/* The other slot and what stands before it were not touched. */
	for (off = 0; off < 0x40000; off += 512)
		CW_ASSERT(flash.mem[off] == 0xFF && flash.mem[off + 511] == 0xFF);
	return 0;
}
