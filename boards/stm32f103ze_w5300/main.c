/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/program.h"
#include "reader/reader_private.h"

#define WATCHDOG_MS 2000u
/* The loop gives the core a TICK at least this often: it feeds the watchdog. */
#define TICK_US 500000u
/* Nearer than a millisecond the loop waits awake. */
#define AWAKE_US 1000u

volatile bool cw_board_awake;

static CW_XRAM union {
	struct cw_reader core;		/* for its alignment */
	uint8_t mem[offsetof(struct cw_reader, slot) +
	    CW_BOARD_SLOTS * sizeof(struct cw_reader_slot)];
} reader;
static CW_XRAM uint8_t queue[CW_BOARD_SLOTS * CW_RLINK_QUEUE * CW_PROG_MAX];
static CW_XRAM uint8_t rx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static CW_XRAM uint8_t tx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];

/* Prints a line at once, for what happens before the loop runs. */
static void
say(const char *line)
{
	size_t len = strlen(line), n;

	while (len > 0) {
		n = cw_uart_put((const uint8_t *)line, len);
		line += n;
		len -= n;
	}
}

/* No way on: the lamp blinks fast, and the watchdog tries again. */
static void
halt(const char *why)
{
	bool lit = false;

	say(why);
	cw_stm_watchdog_start(WATCHDOG_MS);
	for (;;) {
		lit = !lit;
		cw_stm_pin_set(CW_BOARD_LED, lit);
		cw_stm_spin_us(100000);
	}
}

static void
core_start(void)
{
	struct cw_reader_config c;

	memset(&c, 0, sizeof c);
	c.sys = &cw_board_sys_ops;
	c.store = &cw_board_store_ops;
	memcpy(c.serial, (const void *)CW_STM_UID, CW_STM_UID_LEN);
	memcpy(c.firmware, "cardwright " CW_SOFTWARE_VERSION,
	    sizeof "cardwright " CW_SOFTWARE_VERSION);
	c.slot_cnt = CW_BOARD_SLOTS;
	c.store_cap = cw_board_store_cap();
	c.clk_hz = 5000000;
	c.vcc_mv = 5000;
	c.queue_mem = queue;
	c.queue_mem_len = sizeof queue;
	c.rx_mem = rx_mem;
	c.tx_mem = tx_mem;
	cw_reader_init(&reader.core, &c, cw_stm_now_us());
}

void
cw_board_main(void)
{
	int err;
	char text[128];

	cw_board_crash_take();
	err = cw_board_bringup();
	if (err == CW_EIO)
		halt("");
	say("\r\ncardwright " CW_SOFTWARE_VERSION " stm32f103ze_w5300 reset=");
	say(cw_board_reset_cause());
	say("\r\n");
	if (err < 0)
		halt("external SRAM does not hold what is written: check D0 to D15, A0 to A18\r\n");
	if (cw_board_crash_text(text, sizeof text)) {
		say(text);
		say("\r\n");
	}
	cw_board_nvm_start();
	core_start();
	cw_stm_watchdog_start(WATCHDOG_MS);
	for (;;)
		cw_stm_sleep_unless(&cw_board_awake);
}
