/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "cw/atr.h"
#include "cw/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Answers to reset.  What the collector takes as complete, the parser must find
 * complete too: neither short nor with bytes left over.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_atr_rx rx;
	struct cw_atr a;
	size_t i;
	int more = 1;

	cw_atr_parse(&a, data, size);

	cw_atr_rx_init(&rx);
	for (i = 0; i < size && more == 1; i++) {
		CW_ASSERT(rx.want > rx.len && rx.want <= CW_ATR_MAX);
		more = cw_atr_rx_push(&rx, data[i]);
	}
	if (more == 0) {
		int err = cw_atr_parse(&a, rx.buf, rx.len);

		CW_ASSERT(err == 0 || err == CW_ECRC || err == CW_EFORMAT);
		CW_ASSERT(err != 0 || a.convention == rx.convention);

		/* EFORMAT is left for T=15 as the first protocol only. */
		CW_ASSERT(err != CW_EFORMAT || (rx.buf[1] & 0x80) != 0);
	}
	return 0;
}
