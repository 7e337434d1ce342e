/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/port/port_check.h"

#include "boards/host/contact.h"
#include "boards/mps2_an385/board_private.h"
#include "cw/err.h"
#include "reader/reader_private.h"

/*
 * The expectations of tests/port/port_check.c on boards/mps2_an385: a program for
 * the emulator, with the board's own files and the test in the core's place.
 * UART 1 is the card line as ever; UART 2 is the hand that moves the card, the
 * mechanics' side of the contact link.
 */
#define WORD_MS 3000

static struct cw_reader_config cfg;
static uint32_t card_no;

static void
say(const char *text)
{
	size_t len = strlen(text), n;

	while (len > 0) {
		n = cw_uart_put(0, (const uint8_t *)text, len);
		text += n;
		len -= n;
	}
}

static _Noreturn void
end(const char *text)
{
	say(text);
	say("\r\n");
	cw_semi_exit(text[0] == 'P' ? 0 : 1);
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

static bool
next(void *ctx, struct cw_event *ev, uint32_t wait_ms)
{
	uint64_t now_us = cw_sys_now_us(), end_us = now_us + wait_ms * 1000ull;

	(void)ctx;
	while (now_us < end_us) {
		cw_sys_awake_clear();
		memset(ev, 0, sizeof *ev);
		if (cw_card_poll(ev, now_us))
			return true;
		cw_sys_rest(end_us < cw_card_due() ? end_us : cw_card_due(), now_us);
		now_us = cw_sys_now_us();
	}
	return false;
}

static void
hand_says(const uint8_t *msg, size_t len)
{
	size_t n;

	while (len > 0) {
		n = cw_uart_put(2, msg, len);
		msg += n;
		len -= n;
	}
}

/* Its answers are not looked at: the card line tells. */
static void
hand(void *ctx, bool inserted)
{
	static const uint8_t bin[] = { CW_CT_BIN, 0, 0, 3, 0, 1, 1 };
	uint8_t feed[] = { CW_CT_FEED, 0, 0, 6, 0, 1, 0, 0, 0, 0 };

	(void)ctx;
	if (inserted) {
		feed[9] = (uint8_t)++card_no;
		hand_says(feed, sizeof feed);
	} else {
		hand_says(bin, sizeof bin);
	}
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
	static const uint8_t machine[] = { CW_CT_MACHINE, 0, 0, 0 };
	static struct cw_settings settings;
	struct cw_port_rig rig = { .cfg = &cfg, .next = next, .card = hand };
	struct cw_event ev;

	cw_sys_start();
	cw_uart_start(0);
	cw_uart_start(2);
	cw_secure_random_start(&settings, 1);
	cfg.card = &cw_board_card_ops;
	cfg.store = &cw_board_store_ops;
	cfg.sys = &cw_board_sys_ops;
	cfg.store_cap = CW_BOARD_STORE_LEN;
	cw_card_start(1);
	hand_says(machine, sizeof machine);
	hand(NULL, true);
	if (!next(NULL, &ev, WORD_MS) || ev.kind != CW_EV_CARD || ev.len != 1)
		end("FAIL: no card comes to the contacts");
	run(&rig);
	end("PASS");
}
