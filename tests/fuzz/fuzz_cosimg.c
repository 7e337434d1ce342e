/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/cosimg.h"
#include "cw/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP 4096

static int
load(struct cw_cosimg *c, uint8_t *buf, const uint8_t *data, size_t size,
    size_t piece)
{
	static uint8_t used[CAP / 8];
	size_t off;

	cw_cosimg_init(c, CW_COS_AUTO, buf, CAP, used);
	for (off = 0; off < size; off += piece) {
		size_t n = size - off < piece ? size - off : piece;

		if (cw_cosimg_feed(c, data + off, n) < 0)
			break;
	}
	return cw_cosimg_end(c);
}

/* First byte: the size of the pieces; they must not matter. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t a[CAP], b[CAP];
	struct cw_cosimg whole, cut;
	int err;

	if (size < 2)
		return 0;
	err = load(&whole, a, data + 1, size - 1, size);
	CW_ASSERT(load(&cut, b, data + 1, size - 1, data[0] % 64 + 1u) == err);
	CW_ASSERT(whole.line == cut.line && whole.format == cut.format);
	if (err == 0) {
		CW_ASSERT(whole.len > 0 && whole.len <= CAP);
		CW_ASSERT(whole.len == cut.len && whole.base == cut.base);
		CW_ASSERT(memcmp(a, b, whole.len) == 0);
	}
	return 0;
}
