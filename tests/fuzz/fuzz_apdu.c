/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/apdu.h"
#include "cw/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses must build again to the same bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[CW_APDU_CMD_MAX];
	struct cw_apdu a;
	int len;

	if (cw_apdu_parse(&a, data, size) < 0)
		return 0;
	CW_ASSERT(size <= CW_APDU_CMD_MAX);
	len = cw_apdu_build(&a, again, sizeof again);
	CW_ASSERT(len >= 0 && (size_t)len == size);
	CW_ASSERT(memcmp(again, data, size) == 0);
	return 0;
}
