/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STEP_DISK_H
#define CW_STEP_DISK_H

#include "sim/step_priv.h"
#include "terminal/journal.h"

/* The simulated disk as a journal sees it; ctx is a struct step_disk. */
extern const struct cw_journal_ops cw_step_disk_ops;

#endif
