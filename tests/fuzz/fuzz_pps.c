/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "cw/err.h"
#include "cw/pps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers to a PPS for (data[0], data[1]): only the echo may be accepted. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t request[CW_PPS_MAX];
	uint8_t t, ta1;
	int len, verdict;

	if (size < 2)
		return 0;
	t = data[0] & 1;
	ta1 = data[1];
	data += 2;
	size -= 2;

	len = cw_pps_build(request, t, ta1);
	verdict = cw_pps_judge(t, ta1, data, size);
	if (size >= 2) {
		int want = cw_pps_len(data[0], data[1]);

		CW_ASSERT(want >= 3 && want <= CW_PPS_MAX);
		CW_ASSERT(verdict < 0 || (size_t)want == size);
	}
	if (verdict == 1) {
		int i;

		CW_ASSERT(size == (size_t)len);
		for (i = 0; i < len; i++)
			CW_ASSERT(data[i] == request[i]);
	}
	return 0;
}
