/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "reader/reader_private.h"
#include "shell.h"

/* The console core between the UART and the board. */

static struct cw_console con;
static const struct cw_reader *core;
static uint64_t due_us;
static uint8_t log_level;

static size_t
log_line(void *dev, uint32_t idx, char *buf, size_t cap)
{
	(void)dev;
	return cw_board_log_line(idx, buf, cap);
}

static void
text_ip(struct cw_reader_text *t, const uint8_t ip[4])
{
	int i;

	for (i = 0; i < 4; i++) {
		cw_reader_text_str(t, i > 0 ? "." : "");
		cw_reader_text_dec(t, ip[i]);
	}
}

static void
status_net(struct cw_reader_text *t)
{
	cw_reader_text_str(t, "network: cable ");
	cw_reader_text_str(t, cw_net_cable() ? "in" : "out");
	cw_reader_text_str(t, ", address ");
	text_ip(t, cw_net_addr()->ip);
}

static void
status_slot(struct cw_reader_text *t, uint8_t slot)
{
	struct cw_reader_slot_status st;

	cw_reader_slot_status(core, slot, &st);
	cw_reader_text_str(t, "slot ");
	cw_reader_text_dec(t, slot);
	cw_reader_text_str(t, ": ");
	cw_reader_text_str(t, cw_slot_state_name(st.state));
	cw_reader_text_str(t, ", queued ");
	cw_reader_text_dec(t, st.queued);
	cw_reader_text_str(t, ", results kept ");
	cw_reader_text_dec(t, st.unacked);
}

static size_t
status_line(void *dev, uint32_t idx, char *buf, size_t cap)
{
	struct cw_reader_text t = cw_reader_text_init(buf, cap);

	(void)dev;
	if (idx == 0) {
		cw_reader_text_str(&t, "started by: ");
		cw_reader_text_str(&t, cw_board_reset_cause());
	} else if (idx == 1) {
		status_net(&t);
	} else if (idx < 2 + CW_BOARD_SLOTS) {
		status_slot(&t, (uint8_t)(idx - 2));
	} else if (idx == 2 + CW_BOARD_SLOTS) {
		char last[CW_CONSOLE_TEXT - 16];

		cw_reader_text_str(&t, "last life: ");
		cw_reader_text_str(&t, cw_board_crash_text(last, sizeof last) ?
		    last : "ended in peace");
	}
	return t.len;
}

static void
restart(void *dev)
{
	(void)dev;
	cw_stm_reset();
}

/* A record on its way to a card is not thrown away for an update. */
static const char *
busy(void *dev)
{
	struct cw_reader_slot_status st;
	uint8_t i;

	(void)dev;
	for (i = 0; i < CW_BOARD_SLOTS; i++) {
		cw_reader_slot_status(core, i, &st);
		if (st.queued > 0 || st.unacked > 0)
			return "a slot has programs or results: stop the line first";
	}
	return NULL;
}

static void
address(void *dev, uint8_t ip[4], uint8_t mask[4], uint8_t gateway[4])
{
	const struct cw_net_addr *a = cw_net_addr();

	(void)dev;
	memcpy(ip, a->ip, 4);
	memcpy(mask, a->mask, 4);
	memcpy(gateway, a->gateway, 4);
}

/* A command changes one thing; the log's level is the one that needs no restart. */
static bool
changed(void *dev, const struct cw_settings *s)
{
	bool level = s->log_level != log_level;

	(void)dev;
	log_level = s->log_level;
	cw_board_log_level(log_level);
	return !level;
}

static const struct cw_console_ops ops = {
	.log_line = log_line, .status_line = status_line, .reset = restart,
	.busy = busy, .changed = changed, .address = address,
};

void
cw_shell_start(const struct cw_reader *r, const struct cw_console_config *cfg)
{
	struct cw_console_config c = *cfg;

	core = r;
	log_level = c.settings->log_level;
	c.ops = &ops;
	c.board = CW_BOARD_NAME;
	c.version = "cardwright " CW_SOFTWARE_VERSION;
	cw_console_init(&con, &c, cw_stm_now_us());
}

uint64_t
cw_shell_step(uint64_t now_us)
{
	uint8_t in[64];
	const uint8_t *out;
	size_t n;

	if (cw_console_ready(&con)) {
		n = cw_uart_get(in, sizeof in);
		if (n > 0 || now_us >= due_us)
			due_us = cw_console_input(&con, in, n, now_us);
		if (n == sizeof in)
			cw_board_awake = true;
	}
	n = cw_console_output(&con, &out);
	if (n > 0) {
		n = cw_uart_put(out, n);
		cw_console_sent(&con, n);
	}
	return due_us;
}
