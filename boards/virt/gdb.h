/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_VB_GDB_H
#define CW_VB_GDB_H

#include <poll.h>

#include "boards/virt/vb.h"

/*
 * Remote protocol of gdb on a loopback port: registers, memory, breakpoints, step,
 * continue, Ctrl-C, `monitor reset`.  The board stands until gdb is there, and
 * whenever gdb has it; virtual time stands with it.
 */
struct cw_vb_gdb;

/* Waits for a connection; NULL after a message on standard error. */
struct cw_vb_gdb *cw_vb_gdb_open(struct cw_vb *vb, uint16_t port);
void cw_vb_gdb_close(struct cw_vb_gdb *g);
/* In place of cw_vb_run: also talks to gdb.  After gdb has gone it is the same. */
enum cw_vb_stop cw_vb_gdb_run(struct cw_vb_gdb *g, uint64_t until);

#endif
