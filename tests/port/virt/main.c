/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/port/port_check.h"

#include <string.h>

#include "boards/stm32f103ze_w5300/board_private.h"
#include "cw/discover.h"
#include "reader/reader_private.h"

/*
 * The expectations of tests/port/port_check.c on boards/stm32f103ze_w5300: the
 * board's own files with the test in the core's place.  It runs on the virtual
 * board (tests/port/test_virt.c) and on a real one: what the hand is to do with
 * the card is said on the console, 01 and + or -.
 */
#define WORD_MS 3000

volatile bool cw_board_awake;

static struct cw_reader_config cfg;

static void
say(const char *text)
{
	size_t len = strlen(text), n;

	while (len > 0) {
		n = cw_uart_put((const uint8_t *)text, len);
		text += n;
		len -= n;
	}
}

static _Noreturn void
end(const char *text)
{
	say(text);
	say("\r\n");
	cw_stm_spin_us(20000);		/* until it is out */
	__asm__ volatile("bkpt 0xab");
	for (;;)
		;
}

void
bare_fail(const char *file, int line, const char *what)
{
	char text[160];
	struct cw_reader_text t = cw_reader_text_init(text, sizeof text);

	cw_reader_text_str(&t, "FAIL ");
	cw_reader_text_str(&t, file);
	cw_reader_text_str(&t, ":");
	cw_reader_text_dec(&t, (uint64_t)line);
	cw_reader_text_str(&t, ": ");
	cw_reader_text_str(&t, what);
	end(text);
}

static void
text_int(struct cw_reader_text *t, int64_t v)
{
	cw_reader_text_str(t, v < 0 ? " -" : " ");
	cw_reader_text_dec(t, v < 0 ? (uint64_t)-v : (uint64_t)v);
}

void
bare_fail_int(const char *file, int line, const char *what, int64_t a, int64_t b)
{
	char text[128];
	struct cw_reader_text t = cw_reader_text_init(text, sizeof text);

	cw_reader_text_str(&t, what);
	cw_reader_text_str(&t, " with");
	text_int(&t, a);
	text_int(&t, b);
	bare_fail(file, line, text);
}

/* Nobody looks for this reader. */
void
cw_board_describe(struct cw_disc_info *me)
{
	memset(me, 0, sizeof *me);
}

static bool
next(void *ctx, struct cw_event *ev, uint32_t wait_ms)
{
	uint64_t now_us = cw_stm_now_us(), end_us = now_us + wait_ms * 1000ull;

	(void)ctx;
	while (now_us < end_us) {
		memset(ev, 0, sizeof *ev);
		if (cw_card_poll(ev, now_us))
			return true;
		now_us = cw_stm_now_us();
	}
	return false;
}

static void
hand(void *ctx, bool inserted)
{
	(void)ctx;
	say(inserted ? "\001+" : "\001-");
}

static void
run(const struct cw_port_rig *rig)
{
	say("lines\r\n");
	cw_port_check_lines(rig);
	say("dialogue\r\n");
	cw_port_check_dialogue(rig);
	say("abort\r\n");
	cw_port_check_abort(rig);
	say("removal\r\n");
	cw_port_check_removal(rig);
	say("store\r\n");
	cw_port_check_store(rig);
	say("random\r\n");
	cw_port_check_random(rig);
}

void
cw_board_main(void)
{
	struct cw_port_rig rig = { .cfg = &cfg, .next = next, .card = hand };
	struct cw_event ev;

	if (cw_board_bringup() < 0)
		end("FAIL: the board does not come up");
	cw_card_start();
	cw_board_nvm_start();
	cw_board_random_start(1);
	cfg.card = &cw_board_card_ops;
	cfg.store = &cw_board_store_ops;
	cfg.sys = &cw_board_sys_ops;
	cfg.store_cap = cw_board_store_cap();
	cfg.clk_hz = 5000000;
	hand(NULL, true);
	if (!next(NULL, &ev, WORD_MS) || ev.kind != CW_EV_CARD || ev.len != 1)
		end("FAIL: no card comes to the contacts");
	run(&rig);
	end("PASS");
}
