/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_HOST_CAP_H
#define CW_HOST_CAP_H

#include "cw/gpload.h"

/*
 * Load files from disk: a CAP (an archive, told by its first bytes) or an IJC.
 * Only components are read out of an archive, none beyond its greatest length,
 * so that nothing that was packed small grows large.
 */
#define CW_CAP_FILE_MAX (4u << 20)

struct cw_cap_file {
	struct cw_gp_cap cap;	/* checked; borrows from the rest */
	struct cw_gp_cap_info info;
	uint8_t *mem[CW_GP_CAP_CNT + 1];	/* owned */
};

/*
 * 0, or a negative CW_E* with a sentence in err[cap]: what is wrong with which
 * component of the file, and what to do.  f need not be initialised.
 */
int cw_cap_open(struct cw_cap_file *f, const char *path, char *err, size_t cap);
/* The same from memory; buf is copied where it is needed. */
int cw_cap_open_mem(struct cw_cap_file *f, const uint8_t *buf, size_t len, char *err,
    size_t cap);
/* Harmless twice. */
void cw_cap_close(struct cw_cap_file *f);

#endif
