/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "terminal/profile/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text as a profile; the record of a valid one is compiled as well. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char secret[] = "7c0ffee1234567890badc0de55aa55aa";
	static uint8_t out[CW_PROG_MAX];
	struct cw_profile_order o = { .order = 1, .cos_len = 1000 };
	struct cw_profile_record r = { .order = 1, .record = 1, .epoch = 1 };
	uint8_t payload[512];
	char err[300];
	size_t len = 0;
	struct cw_profile *p = cw_profile_load((const char *)data, size, "f",
	    err, sizeof(err));

	if (p == NULL)
		return 0;
	cw_profile_compile_cos(p, &o, out, sizeof(out));
	cw_record_add(payload, sizeof(payload), &len, "ki",
	    (const uint8_t *)secret, sizeof(secret) - 1);
	cw_record_add(payload, sizeof(payload), &len, "iccid",
	    (const uint8_t *)"89880010000000000015", 20);
	r.payload = payload;
	r.payload_len = len;

	/* No message may hold the key, however the profile tries. */
	if (cw_profile_compile_record(p, &r, out, sizeof(out)) < 0 &&
	    strstr(cw_profile_error(p), secret) != NULL)
		abort();
	cw_profile_free(p);
	return 0;
}
