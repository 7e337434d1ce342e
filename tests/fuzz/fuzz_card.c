/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "sim/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
drain(struct cw_sim_card *c, size_t cap)
{
	struct cw_sim_io io = { 0 };
	uint8_t buf[300];
	size_t n, total = 0;

	while ((n = cw_sim_card_listen(c, buf, cap, 9600, &io)) > 0) {
		CW_ASSERT(n <= cap);
		total += n;
		CW_ASSERT(total < 100000);
	}
	CW_ASSERT(io.etu >= 12 * total);
}

/*
 * Characters at a card, cut into pieces by the input: u8 length, that many
 * characters.  Bit 0 of the first byte: a card with an active COS.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* ERASE, WRITE of one byte, VERIFY, ACTIVATE of it; SHA-256 of 41 */
	static const uint8_t script[][5 + 40] = {
		{ 0xB0, 0xE0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1 },
		{ 0xB0, 0xD0, 0, 0, 7, 0, 0, 0, 0, 0x41, 0x49, 0xE9 },
		{ 0xB0, 0xC4, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 1,
		    0x55, 0x9a, 0xea, 0xd0, 0x82, 0x64, 0xd5, 0x79,
		    0x5d, 0x39, 0x09, 0x71, 0x8c, 0xdd, 0x05, 0xab,
		    0xd4, 0x95, 0x72, 0xe8, 0x4f, 0xe5, 0x55, 0x90,
		    0xee, 0xf3, 0x1a, 0x88, 0xa0, 0x8f, 0xdf, 0xfd },
		{ 0xB0, 0x44, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1 },
	};
	const struct cw_sim_card_config cfg = { .flash_len = 4096,
	    .write_us = 700, .erase_us = 30000 };
	struct cw_sim_card *c = cw_sim_card_new(&cfg);
	struct cw_sim_io io = { 0 };
	uint8_t digest[32];
	size_t i, n;

	CW_ASSERT(c != NULL);
	cw_sim_card_power(c, true);
	cw_sim_card_reset(c, false);
	drain(c, 33);
	if (size > 0 && (data[0] & 1) != 0) {
		for (i = 0; i < sizeof script / sizeof script[0]; i++) {
			(void)cw_sim_card_chars(c, script[i], 5, &io);
			drain(c, 1);
			(void)cw_sim_card_chars(c, script[i] + 5, script[i][4],
			    &io);
			drain(c, 2);
		}
		CW_ASSERT(cw_sim_card_cos(c, digest));
		cw_sim_card_reset(c, true);
		cw_sim_card_reset(c, false);
		drain(c, 33);
	}
	for (i = 1; i < size; i += n) {
		n = data[i++];
		if (n > size - i)
			n = size - i;
		CW_ASSERT(cw_sim_card_chars(c, data + i, n, &io) == n);
		drain(c, 1 + i % 299);
	}
	cw_sim_card_free(c);
	return 0;
}
