/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "cw/err.h"
#include "cw/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every field of a checked record can be read and found by its name. */
static void
try_record(const uint8_t *data, size_t size)
{
	int cnt = cw_record_check(data, size);
	struct cw_field f, g;
	int i;

	for (i = 0; i < cnt; i++) {
		CW_ASSERT(cw_record_field(&f, data, size, (unsigned int)i) == 0);
		CW_ASSERT(cw_record_find(&g, data, size, f.name) == 0);
		CW_ASSERT(g.value == f.value && g.value_len == f.value_len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	struct cw_pkg p;

	if (cw_pkg_parse(&p, data, size) == 0)
		CW_ASSERT(p.payload + p.payload_len == data + size);
	cw_pkg_guess(data, size, &why);
	CW_ASSERT(why != NULL);
	try_record(data, size);
	return 0;
}
