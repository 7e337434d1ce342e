/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "cw/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 1024

/* The input as a stream of frames, and as a body. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[CW_FRAME_HDR + BODY_MAX];
	struct cw_frame f;
	int n = 1;

	/* As it is: every frame found lies within the input. */
	while (n > 0) {
		n = cw_frame_peek(&f, data, size, 1, BODY_MAX);
		if (n <= 0)
			break;
		CW_ASSERT((size_t)n <= size && f.body + f.body_len == data + n);
		data += n;
		size -= (size_t)n;
	}

	/* The rest as the body of a sound frame: it must come back. */
	if (size > BODY_MAX)
		size = BODY_MAX;
	if (size > 0)
		memcpy(buf + CW_FRAME_HDR, data, size);
	cw_frame_seal(buf, 1, 7, 9, (uint32_t)size);
	n = cw_frame_peek(&f, buf, sizeof buf, 1, BODY_MAX);
	CW_ASSERT(n == (int)(CW_FRAME_HDR + size) && f.id == 9);
	return 0;
}
