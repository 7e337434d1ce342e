/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CONSOLE_H
#define CW_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings.h"
#include "update.h"
#include "xmodem.h"

/*
 * The console of a reader: lines in, lines out, on a UART (115200 8N1 by
 * custom) or a pseudo terminal.  A core: no I/O, no clock.
 *
 *	cw_console_init(&c, &cfg, now_us);
 *	if (cw_console_ready(&c) && bytes were typed, or due has come)
 *		due = cw_console_input(&c, buf, len, now_us);
 *	n = cw_console_output(&c, &out);
 *	if (n > 0)
 *		cw_console_sent(&c, ... bytes of out that the UART took ...);
 *
 * Commands: docs/man/cardwright-console.7.md.  No command shows memory or a key;
 * what is typed as a key is not echoed and not kept.  An argument that cannot be
 * taken is answered with what can.
 *
 * `load` receives with XMODEM-1K or YMODEM and hands every block to the update,
 * which programs it before the sender is answered.
 */
#define CW_CONSOLE_LINE 160	/* with its NUL */
#define CW_CONSOLE_OUT 1024
#define CW_CONSOLE_TEXT 128	/* a line of output, with its NUL */

struct cw_console_ops {
	/* Line idx (0 oldest) of the board's log into buf, no newline, a NUL
	 * behind it; its length, or 0: no more.  May be NULL: no log. */
	size_t (*log_line)(void *dev, uint32_t idx, char *buf, size_t cap);
	/* Line idx of the board's own status, after the console's; the same.  May
	 * be NULL. */
	size_t (*status_line)(void *dev, uint32_t idx, char *buf, size_t cap);
	/* Restarts; called when all output has been sent. */
	void (*reset)(void *dev);
	/* May an update begin now?  NULL, or why not and the remedy (static).
	 * May be NULL: always. */
	const char *(*busy)(void *dev);
	/* The settings have been saved: makes use of what can change at once.
	 * True if it takes a reset.  May be NULL: it does. */
	bool (*changed)(void *dev, const struct cw_settings *s);
	/* Address in use now (DHCP); zero when there is none.  May be NULL. */
	void (*address)(void *dev, uint8_t ip[4], uint8_t mask[4], uint8_t gateway[4]);
};

/* A command of the board's own, such as `protect`. */
struct cw_console_cmd {
	const char *name, *help;
	/* args: what was typed behind the name.  One line of answer into out. */
	void (*run)(void *dev, const char *args, char *out, size_t cap);
};

struct cw_console_config {
	const struct cw_console_ops *ops;
	void *dev;
	struct cw_settings_store *store;
	struct cw_settings *settings;	/* loaded; the console changes and saves it */
	struct cw_update *update;	/* NULL: no `load` here */
	const char *board;		/* "stm32f103ze" */
	const char *version;		/* "cardwright 0.1.0" */
	uint64_t boot_count;
	const struct cw_console_cmd *cmd;	/* the board's own */
	size_t cmd_cnt;
};

enum cw_console_mode {
	CW_CON_LINE,		/* a line is being typed */
	CW_CON_LIST,		/* lines are going out as there is room */
	CW_CON_LOAD,		/* XMODEM */
	CW_CON_RESET,		/* restarts when the output is out */
};

/* The caller's; its members are nobody else's business. */
struct cw_console {
	struct cw_console_config cfg;
	enum cw_console_mode mode;
	/* LIST: line idx into buf; its length, 0: no more */
	size_t (*list)(struct cw_console *c, uint32_t idx, char *buf);
	uint32_t idx;
	bool cr;		/* the last byte was CR */
	uint8_t esc;		/* bytes of an escape sequence are passed over */
	bool hidden;		/* a key is being typed: no echo */
	bool too_long;
	size_t line_len;
	char line[CW_CONSOLE_LINE];
	char key_id[CW_SETTINGS_ID_MAX];	/* while its key is being typed */
	size_t out_len;
	uint8_t out[CW_CONSOLE_OUT];
	struct cw_xmodem xm;
};

/* Prints the banner and the prompt. cfg is copied, what it points to borrowed. */
void cw_console_init(struct cw_console *c, const struct cw_console_config *cfg,
    uint64_t now_us);

/* False while lines go out: what is given to input then is lost. */
bool cw_console_ready(const struct cw_console *c);

/* Bytes typed, or none at the time returned before. Returns when to be called
 * again at the latest; UINT64_MAX: only when something was typed. */
uint64_t cw_console_input(struct cw_console *c, const uint8_t *buf, size_t len,
    uint64_t now_us);

/* Lends the bytes to be sent, valid until cw_console_sent or input; how many. */
size_t cw_console_output(const struct cw_console *c, const uint8_t **buf);
/* len of them have gone out; more may follow. */
void cw_console_sent(struct cw_console *c, size_t len);

/* True while a file is being received: the line must carry all eight bits. */
bool cw_console_loading(const struct cw_console *c);

#endif
