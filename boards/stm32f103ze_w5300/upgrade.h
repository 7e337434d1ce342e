/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_UPGRADE_H
#define CW_BOARD_UPGRADE_H

#include "board_private.h"
#include "reader/console.h"
#include "reader/update.h"

/*
 * Update of this board: which slot runs, the trial of a new program, and the
 * restart that was asked for.
 */

/* Once, before core and console, which share it. */
struct cw_update *cw_upgrade_start(void);
/* For the core's configuration: in 300 ms, when its answer has gone out. */
void cw_upgrade_restart(void *dev);
/*
 * Once a turn of the loop.  A program on trial has served when a terminal is
 * linked and no card is in work (programming stops the core); when it has not
 * within ten minutes the board restarts.
 */
void cw_upgrade_step(const struct cw_reader *core, uint64_t now_us);

/* `protect` for the console. */
extern const struct cw_console_cmd cw_upgrade_cmds[];
#define CW_UPGRADE_CMD_CNT 1

#endif
