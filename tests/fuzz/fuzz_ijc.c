/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "cw/gpload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Load files.  The input is an IJC; and a CAP whose components follow one
 * another with a tag and a length of two bytes before each, which may be false.
 * A file that passes the check is cut into blocks that together are its code.
 */
static void
check(struct cw_gp_cap *cap, size_t room)
{
	struct cw_gp_cap_info info;
	struct cw_gp_loader l;
	uint8_t block[255];
	uint32_t blocks, sum = 0;
	size_t n;

	if (cw_gp_cap_check(cap, &info) < 0) {
		CW_ASSERT(cap->fault[0] != '\0' && memchr(cap->fault, 0, 96) != NULL);
		return;
	}
	CW_ASSERT(info.applet_cnt <= CW_GP_APPLET_MAX);
	cw_gp_loader_init(&l, cap, NULL);
	blocks = cw_gp_loader_blocks(&l, room);
	while ((n = cw_gp_loader_next(&l, room, block)) > 0) {
		CW_ASSERT(blocks-- > 0);
		sum += (uint32_t)n;
	}
	CW_ASSERT(blocks == 0 && sum > info.code_len && sum <= info.code_len + 5);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {
#define X(sym, name, tag, must) "p/javacard/" name ".cap",
		CW_GP_CAP_MAP(X)
#undef X
	};
	struct cw_gp_cap cap;
	size_t off = 0, i, len;

	if (size == 0)
		return 0;
	cw_gp_cap_init(&cap);
	if (cw_gp_cap_split(&cap, data + 1, size - 1) == 0)
		check(&cap, data[0] == 0 ? 1 : data[0]);

	cw_gp_cap_init(&cap);
	cap.with_descriptor = (data[0] & 1) != 0;
	for (i = 0; i < CW_GP_CAP_CNT && size - off > 2; i++) {
		len = (size_t)data[off] << 8 | data[off + 1];
		off += 2;
		if (len > size - off)
			len = size - off;
		cw_gp_cap_add(&cap, names[i], data + off, len);
		off += len;
	}
	check(&cap, 200);
	return 0;
}
