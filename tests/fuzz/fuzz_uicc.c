/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cw/err.h"
#include "sim/uicc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text as a description; what is taken is saved, and that is taken again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[200], *text = NULL;
	struct cw_uicc_desc *d, *again;
	struct cw_uicc *u;
	size_t len;
	FILE *fp;

	d = cw_uicc_load((const char *)data, size, "f", err, sizeof(err));
	if (d == NULL)
		return 0;
	u = cw_uicc_new(d);
	fp = open_memstream(&text, &len);
	if (u != NULL && fp != NULL && cw_uicc_save(u, fp) == 0) {
		fclose(fp);
		again = cw_uicc_load(text, len, "g", err, sizeof(err));
		CW_ASSERT(again != NULL);
		cw_uicc_desc_free(again);
	} else if (fp != NULL) {
		fclose(fp);
	}
	free(text);
	cw_uicc_free(u);
	cw_uicc_desc_free(d);
	return 0;
}
