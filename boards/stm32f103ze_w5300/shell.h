/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_SHELL_H
#define CW_BOARD_SHELL_H

#include "board_private.h"
#include "reader/console.h"

/* The console on UART4. */

/* ops, board and version of cfg are filled in here. */
void cw_shell_start(const struct cw_reader *r, const struct cw_console_config *cfg);
/* Takes what was typed, gives what is to be printed; returns when to be called
 * again at the latest. */
uint64_t cw_shell_step(uint64_t now_us);

#endif
