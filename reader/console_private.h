/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CONSOLE_PRIVATE_H
#define CW_CONSOLE_PRIVATE_H

#include "console.h"

/*
 * Inside of the console: console.c has the line and what goes out,
 * console_cmd.c the commands, console_load.c the receiving of a file.
 */

/* Half of the ring is free when a command begins: that is what it may say. */
void cw_console_put(struct cw_console *c, const char *s);
/* A line. */
void cw_console_say(struct cw_console *c, const char *s);
/* Lines one by one as there is room; list returns 0 behind the last. */
void cw_console_list(struct cw_console *c,
    size_t (*list)(struct cw_console *c, uint32_t idx, char *buf));

/* console_cmd.c: what stands in c->line. */
void cw_console_run(struct cw_console *c, uint64_t now_us);
/* The line typed without echo. */
void cw_console_key_typed(struct cw_console *c);

/* console_load.c */
void cw_console_load_begin(struct cw_console *c, uint64_t now_us);
/* Takes bytes of the transfer; mode is LINE again when it has ended. Bytes used. */
size_t cw_console_load_step(struct cw_console *c, const uint8_t *buf, size_t len,
    uint64_t now_us);

#endif
