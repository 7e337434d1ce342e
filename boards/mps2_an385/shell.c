/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "reader/console.h"
#include "reader/reader_private.h"

/* The console core on UART 0, which the log's lines go to as well. */
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

static size_t
status_line(void *dev, uint32_t idx, char *buf, size_t cap)
{
	struct cw_reader_text t = cw_reader_text_init(buf, cap);
	struct cw_reader_slot_status st;

	(void)dev;
	if (idx == 0) {
		cw_reader_slot_status(core, 0, &st);
		cw_reader_text_str(&t, "slot 0: ");
		cw_reader_text_str(&t, cw_slot_state_name(st.state));
		cw_reader_text_str(&t, ", queued ");
		cw_reader_text_dec(&t, st.queued);
		cw_reader_text_str(&t, ", results kept ");
		cw_reader_text_dec(&t, st.unacked);
	} else if (idx == 1) {
		cw_reader_text_str(&t, cw_secure_is_on() ? "link: secured" : "link: plain");
		cw_reader_text_str(&t, cw_reader_served(core) ?
		    ", a terminal is connected" : ", no terminal");
	}
	return t.len;
}

static void
restart(void *dev)
{
	(void)dev;
	cw_board_reset();
}

static bool
changed(void *dev, const struct cw_settings *s)
{
	bool level = s->log_level != log_level;

	(void)dev;
	log_level = s->log_level;
	cw_board_log_level(log_level);
	return !level;
}

static void
address(void *dev, uint8_t ip[4], uint8_t mask[4], uint8_t gateway[4])
{
	(void)dev;
	cw_netif_address(ip, mask, gateway);
}

static const struct cw_console_ops ops = {
	.log_line = log_line, .status_line = status_line, .reset = restart,
	.changed = changed, .address = address,
};

void
cw_shell_start(const struct cw_reader *r, struct cw_settings_store *store,
    struct cw_settings *s, uint64_t boot_cnt)
{
	struct cw_console_config c = {
		.ops = &ops, .store = store, .settings = s, .board = "mps2_an385",
		.version = "cardwright " CW_SOFTWARE_VERSION, .boot_count = boot_cnt,
	};

	core = r;
	log_level = s->log_level;
	cw_console_init(&con, &c, cw_sys_now_us());
}

uint64_t
cw_shell_step(uint64_t now_us)
{
	const uint8_t *out;
	uint8_t in[64];
	size_t n;

	if (cw_console_ready(&con)) {
		n = cw_uart_get(0, in, sizeof in);
		if (n > 0 || now_us >= due_us)
			due_us = cw_console_input(&con, in, n, now_us);
		if (n == sizeof in)
			cw_sys_wake();
	}
	n = cw_console_output(&con, &out);
	if (n == 0)
		return due_us;
	cw_console_sent(&con, cw_uart_put(0, out, n));
	return now_us;		/* there may be more */
}
