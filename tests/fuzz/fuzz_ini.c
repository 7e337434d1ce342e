/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "host/ini.h"
#include "terminal/devlink/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text as a configuration, and as a device profile. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_devmap_range g[CW_DEVMAP_RANGES_MAX];
	char err[200];
	struct cw_ini *ini = cw_ini_parse("f", (const char *)data, size, err,
	    sizeof(err));
	struct cw_devmap *m = cw_devmap_parse("f", (const char *)data, size,
	    err, sizeof(err));
	struct cw_devregs r;

	if (ini != NULL) {
		cw_ini_str(ini, "device", "name", NULL);
		cw_ini_int(ini, "device", "unit", 1, 0, 255);
		cw_ini_bool(ini, "a", "b", false);
		cw_ini_section(ini, "station", 0);
		cw_ini_finish(ini, err, sizeof(err));
	}
	if (m != NULL && cw_devregs_init(&r, m, 40) == 0) {
		cw_devmap_plan(m, 40, g, CW_DEVMAP_RANGES_MAX);
		cw_devregs_fini(&r);
	}
	cw_devmap_free(m);
	cw_ini_free(ini);
	return 0;
}
