/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "console_private.h"
#include "cw/bytes.h"
#include "cw/err.h"

#define BS 0x08
#define ESC 0x1B
#define DEL 0x7F
#define CTRL_C 0x03
#define CTRL_U 0x15
#define BEL 0x07

void
cw_console_put(struct cw_console *c, const char *s)
{
	size_t len = strlen(s);

	/* Whoever writes more than the room left has not asked for it. */
	CW_ASSERT(len <= sizeof c->out - c->out_len);
	memcpy(c->out + c->out_len, s, len);
	c->out_len += len;
}

void
cw_console_say(struct cw_console *c, const char *s)
{
	cw_console_put(c, s);
	cw_console_put(c, "\r\n");
}

static void
prompt(struct cw_console *c)
{
	const char *name = c->cfg.settings->name;

	c->mode = CW_CON_LINE;
	c->hidden = false;
	cw_wipe(c->line, sizeof c->line);
	c->line_len = 0;
	c->too_long = false;
	cw_console_put(c, name[0] != '\0' ? name : "cardwright");
	cw_console_put(c, c->cfg.update != NULL &&
	    cw_update_on_trial(c->cfg.update) ? " (on trial)> " : "> ");
}

/* Lines of a list, as long as there is room for one and the prompt. */
static void
pump(struct cw_console *c)
{
	char buf[CW_CONSOLE_TEXT];

	while (c->mode == CW_CON_LIST &&
	    sizeof c->out - c->out_len >= 2 * CW_CONSOLE_TEXT) {
		if (c->list(c, c->idx++, buf) == 0)
			prompt(c);
		else
			cw_console_say(c, buf);
	}
}

void
cw_console_list(struct cw_console *c,
    size_t (*list)(struct cw_console *c, uint32_t idx, char *buf))
{
	c->list = list;
	c->idx = 0;
	c->mode = CW_CON_LIST;
}

void
cw_console_init(struct cw_console *c, const struct cw_console_config *cfg,
    uint64_t now_us)
{
	(void)now_us;
	memset(c, 0, sizeof *c);
	c->cfg = *cfg;
	cw_console_put(c, "\r\n");
	cw_console_put(c, cfg->version);
	cw_console_put(c, " on ");
	cw_console_say(c, cfg->board);
	cw_console_say(c, "help tells the commands");
	prompt(c);
}

bool
cw_console_ready(const struct cw_console *c)
{
	/* An answer has half of the ring at least. */
	return (c->mode == CW_CON_LINE || c->mode == CW_CON_LOAD) &&
	    sizeof c->out - c->out_len >= sizeof c->out / 2;
}

bool
cw_console_loading(const struct cw_console *c)
{
	return c->mode == CW_CON_LOAD;
}

size_t
cw_console_output(const struct cw_console *c, const uint8_t **buf)
{
	*buf = c->out;
	return c->out_len;
}

void
cw_console_sent(struct cw_console *c, size_t len)
{
	CW_ASSERT(len <= c->out_len);
	memmove(c->out, c->out + len, c->out_len - len);
	c->out_len -= len;
	pump(c);
	if (c->mode == CW_CON_RESET && c->out_len == 0)
		c->cfg.ops->reset(c->cfg.dev);
}

static void
line_end(struct cw_console *c, uint64_t now_us)
{
	c->line[c->line_len] = '\0';
	cw_console_put(c, "\r\n");
	if (c->too_long)
		cw_console_say(c, "that line was too long: 159 characters at most");
	else if (c->hidden)
		cw_console_key_typed(c);
	else
		cw_console_run(c, now_us);
	if (c->mode == CW_CON_LINE && !c->hidden) {
		prompt(c);
	} else if (c->mode == CW_CON_LINE) {
		cw_wipe(c->line, sizeof c->line);
		c->line_len = 0;
		c->too_long = false;
	}
	pump(c);
}

static void
line_erase(struct cw_console *c, size_t cnt)
{
	for (; cnt > 0 && c->line_len > 0; cnt--) {
		c->line[--c->line_len] = '\0';
		if (!c->hidden && sizeof c->out - c->out_len >= 3)
			cw_console_put(c, "\b \b");
	}
	c->too_long = false;
}

static void
char_add(struct cw_console *c, uint8_t ch)
{
	char echo[2] = { (char)ch, '\0' };

	if (c->line_len + 1 >= sizeof c->line) {
		c->too_long = true;
		echo[0] = BEL;
	} else {
		c->line[c->line_len++] = (char)ch;
	}
	if (c->hidden)
		echo[0] = '\0';
	/* What is typed faster than it goes out is taken and not shown. */
	if (c->out_len < sizeof c->out / 2)
		cw_console_put(c, echo);
}

/* Arrows and their like send ESC [ and more: none of it is text. */
static bool
escaped(struct cw_console *c, uint8_t ch)
{
	if (ch == ESC) {
		c->esc = 1;
		return true;
	}
	if (c->esc == 1 && (ch == '[' || ch == 'O')) {
		c->esc = 2;
		return true;
	}
	if (c->esc == 0)
		return false;
	if (c->esc == 1 || (ch >= '@' && ch <= '~'))
		c->esc = 0;
	return true;
}

static void
char_take(struct cw_console *c, uint8_t ch, uint64_t now_us)
{
	bool lf_of_cr = ch == '\n' && c->cr;

	c->cr = ch == '\r';
	if (lf_of_cr || escaped(c, ch))
		return;
	if (ch == '\r' || ch == '\n') {
		line_end(c, now_us);
	} else if (ch == BS || ch == DEL) {
		line_erase(c, 1);
	} else if (ch == CTRL_U) {
		line_erase(c, sizeof c->line);
	} else if (ch == CTRL_C) {
		cw_console_put(c, "^C\r\n");
		prompt(c);
	} else if (ch >= ' ' && ch < DEL) {
		char_add(c, ch);
	}
}

uint64_t
cw_console_input(struct cw_console *c, const uint8_t *buf, size_t len,
    uint64_t now_us)
{
	size_t i = 0;

	if (c->mode == CW_CON_LOAD) {
		i = cw_console_load_step(c, buf, len, now_us);
		if (c->mode == CW_CON_LINE)
			prompt(c);
	}
	for (; i < len && cw_console_ready(c) && c->mode == CW_CON_LINE; i++)
		char_take(c, buf[i], now_us);
	return c->mode == CW_CON_LOAD ? c->xm.due_us : UINT64_MAX;
}
