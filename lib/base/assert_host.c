/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cw/err.h"

void
cw_assert_failed(const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed (a bug, please report it)\n",
	    file, line);
	abort();
}
