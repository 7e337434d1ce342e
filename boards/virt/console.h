/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_VB_CONSOLE_H
#define CW_VB_CONSOLE_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The far end of the board's console: standard input and output, a TCP port (one
 * peer at a time) or a pseudo-terminal.  Output is kept, up to 64 KiB, until a
 * peer of the port comes.
 */
struct cw_vb_console;

/* "stdio", "none", "tcp:PORT" (loopback) or "pty"; NULL after a message on
 * standard error. */
struct cw_vb_console *cw_vb_console_open(const char *spec);
void cw_vb_console_close(struct cw_vb_console *c);
void cw_vb_console_write(struct cw_vb_console *c, const uint8_t *buf, size_t len);
/* What was typed: bytes, 0 when nothing. */
size_t cw_vb_console_read(struct cw_vb_console *c, uint8_t *buf, size_t cap);
/* Descriptors to wait for; their number. */
int cw_vb_console_fds(const struct cw_vb_console *c, struct pollfd *p, int max);

#endif
