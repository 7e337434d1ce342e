/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "cw/plink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First byte: message type; the rest: its body.  What decodes must encode to
 * the bytes it came from. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t types[] = {
#define X(name, value) value,
		CW_PL_TYPE_MAP(X)
#undef X
	};
	static uint8_t out[CW_FRAME_HDR + CW_PLINK_BODY_MAX];
	static struct cw_pl_msg m;
	int n;

	if (size == 0 || size > CW_PLINK_BODY_MAX)
		return 0;
	if (cw_pl_get(&m, types[data[0] % sizeof types], data + 1, size - 1) < 0)
		return 0;
	n = cw_pl_put(out, sizeof out, &m);
	CW_ASSERT(n == (int)(CW_FRAME_HDR + size - 1));
	CW_ASSERT(memcmp(out + CW_FRAME_HDR, data + 1, size - 1) == 0);
	return 0;
}
