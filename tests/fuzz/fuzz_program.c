/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "cw/err.h"
#include "cw/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A LOAD that passed the check has buildable first and last blocks. */
static void
try_load(const struct cw_prog_load *l)
{
	static const uint8_t image[1 << 16];
	uint32_t cnt = cw_prog_load_cnt(l);
	uint8_t out[260];

	CW_ASSERT(cnt > 0);
	CW_ASSERT(cw_prog_load_block(l, cnt, image, out, sizeof out) ==
	    CW_ERANGE);
	if (l->len > sizeof image)
		return;
	CW_ASSERT(cw_prog_load_block(l, 0, image, out, sizeof out) > 5);
	CW_ASSERT(cw_prog_load_block(l, cnt - 1, image, out, sizeof out) > 5);
}

/* A program that passes the check iterates to its end. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;
	uint16_t bad, cnt = 0;

	if (cw_prog_check(data, size, &bad) < 0)
		return 0;
	cw_prog_begin(&it, data, size);
	while (cw_prog_next(&it, &st) == 1) {
		CW_ASSERT(st.idx == cnt++);
		if (st.op == CW_OP_LOAD)
			try_load(&st.u.load);
	}
	CW_ASSERT(it.off == size);
	return 0;
}
