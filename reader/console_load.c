/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "console_private.h"
#include "cw/err.h"

void
cw_console_load_begin(struct cw_console *c, uint64_t now_us)
{
	struct cw_update *u = c->cfg.update;
	const char *why = NULL;
	int err;

	if (u == NULL) {
		cw_console_say(c, "this reader is not updated over the console");
		return;
	}
	if (c->cfg.ops->busy != NULL)
		why = c->cfg.ops->busy(c->cfg.dev);
	err = why == NULL ? cw_update_begin(u) : 0;
	if (err < 0)
		why = err == CW_EBUSY ? "an update over the link is under way" :
		    cw_update_why(u);
	if (why != NULL) {
		cw_console_put(c, "not now: ");
		cw_console_say(c, why);
		return;
	}
	cw_console_say(c, "send the .cwfw file now, with XMODEM-1K or YMODEM "
	    "(sx -k, sb -k);");
	cw_console_say(c, "two Ctrl-X give it up, and so does a minute of silence");
	cw_xmodem_init(&c->xm, now_us);
	c->mode = CW_CON_LOAD;
}

static void
load_end(struct cw_console *c, enum cw_xmodem_event ev)
{
	struct cw_update *u = c->cfg.update;
	const char *why = "";

	c->mode = CW_CON_LINE;
	cw_console_put(c, "\r\n");
	if (ev == CW_XM_DONE && cw_update_end(u) == 0) {
		cw_console_put(c, "image ");
		cw_console_put(c, u->img.version);
		cw_console_say(c, " is in its slot; `reset` tries it");
		return;
	}
	if (ev == CW_XM_CANCELLED)
		why = "given up by the sender";
	else if (u->state == CW_UPDATE_FAILED)
		why = cw_update_why(u);
	else
		why = "no whole file came; begin `load` again, then send";
	cw_console_put(c, "load failed: ");
	cw_console_say(c, why);
	cw_console_say(c, "the running program is as it was");
	cw_update_drop(u);
}

size_t
cw_console_load_step(struct cw_console *c, const uint8_t *buf, size_t len,
    uint64_t now_us)
{
	enum cw_xmodem_event ev;
	size_t off = 0, used;
	bool ok = true;

	do {
		/* buf may be NULL when len is 0: time has come, no byte */
		ev = cw_xmodem_step(&c->xm, len > 0 ? buf + off : NULL,
		    len - off, &used, now_us);
		off += used;
		if (ev == CW_XM_DATA) {
			ok = cw_update_data(c->cfg.update, c->xm.data,
			    c->xm.data_len) == 0;
			cw_xmodem_taken(&c->xm, ok, now_us);
		}
		/* At most four bytes an answer, and the sender waits for each. */
		if (sizeof c->out - c->out_len >= c->xm.out_len) {
			memcpy(c->out + c->out_len, c->xm.out, c->xm.out_len);
			c->out_len += c->xm.out_len;
		}
		if (!ok)
			ev = CW_XM_FAILED;
	} while (off < len && (ev == CW_XM_WAIT || ev == CW_XM_DATA));
	if (ev != CW_XM_WAIT && ev != CW_XM_DATA)
		load_end(c, ev);
	return off;
}
