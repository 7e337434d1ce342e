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
 * mechanics' side of the contact link.  UART 3 is the terminal's hand: it tells
 * tests/port/qemu_test.py what to do with a connection to the board.
 */
#define WORD_MS 3000
#define ANSWER_MS 60000
#define EVENTS 32u

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

/* ---- events -------------------------------------------------------------------- */

/* What came, taken down with its bytes: a hand may be busy meanwhile. */
static struct {
	struct cw_event ev;
	uint8_t byte[2048];
} queue[EVENTS], given;
static unsigned int queue_head, queue_cnt;

static bool
look(uint64_t now_us)
{
	struct cw_event ev;
	unsigned int i = (queue_head + queue_cnt) % EVENTS;

	memset(&ev, 0, sizeof ev);
	if (!cw_card_poll(&ev, now_us) && !cw_net_poll(&ev, now_us))
		return false;
	if (queue_cnt == EVENTS || ev.len > sizeof queue[i].byte)
		bare_fail(__FILE__, __LINE__, "more events than anybody asked for");
	queue[i].ev = ev;
	if (ev.buf != NULL)
		memcpy(queue[i].byte, ev.buf, ev.len);
	queue_cnt++;
	return true;
}

/* Runs the board until there is something new, end_us at the latest. */
static void
turn(uint64_t end_us)
{
	uint64_t now_us = cw_sys_now_us(), due_us;

	cw_sys_awake_clear();
	if (look(now_us))
		return;
	due_us = cw_net_due(now_us) < cw_card_due() ? cw_net_due(now_us) : cw_card_due();
	cw_sys_rest(due_us < end_us ? due_us : end_us, now_us);
}

static bool
next(void *ctx, struct cw_event *ev, uint32_t wait_ms)
{
	uint64_t end_us = cw_sys_now_us() + wait_ms * 1000ull;

	(void)ctx;
	while (queue_cnt == 0 && cw_sys_now_us() < end_us)
		turn(end_us);
	if (queue_cnt == 0)
		return false;
	given = queue[queue_head];
	queue_head = (queue_head + 1) % EVENTS;
	queue_cnt--;
	*ev = given.ev;
	if (ev->buf != NULL)
		ev->buf = given.byte;
	return true;
}

/* ---- hands --------------------------------------------------------------------- */

static void
hand_says(uint32_t uart, const uint8_t *msg, size_t len)
{
	size_t n;

	while (len > 0) {
		n = cw_uart_put(uart, msg, len);
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
		hand_says(2, feed, sizeof feed);
	} else {
		hand_says(2, bin, sizeof bin);
	}
}

/* op, number, and what the other side answers: a number, and bytes. */
static size_t
peer_asked(char op, size_t num, uint8_t *buf, size_t cap)
{
	uint64_t end_us = cw_sys_now_us() + ANSWER_MS * 1000ull;
	uint8_t msg[5] = { (uint8_t)op }, in[4];
	size_t len = 0, n = 0;

	msg[1] = (uint8_t)(num >> 24);
	msg[2] = (uint8_t)(num >> 16);
	msg[3] = (uint8_t)(num >> 8);
	msg[4] = (uint8_t)num;
	hand_says(3, msg, sizeof msg);
	while (len < sizeof in + n && cw_sys_now_us() < end_us) {
		len += len < sizeof in ? cw_uart_get(3, in + len, sizeof in - len) :
		    cw_uart_get(3, buf + len - sizeof in, n + sizeof in - len);
		if (len == sizeof in)
			n = (size_t)in[2] << 8 | in[3];
		if (n > cap)
			n = 0;	/* a number that no bytes follow */
		/* What is said waits in the chip: the board looks later. */
		if (len < sizeof in + n && op != 'S' && op != 'F')
			turn(end_us);
	}
	if (len < sizeof in)
		bare_fail(__FILE__, __LINE__, "the terminal's hand does not answer");
	return (size_t)in[0] << 24 | (size_t)in[1] << 16 | (size_t)in[2] << 8 | in[3];
}

static void
peer_dial(void *ctx)
{
	(void)ctx;
	(void)peer_asked('D', 0, NULL, 0);
}

static void
peer_say(void *ctx, const uint8_t *buf, size_t len)
{
	size_t i;

	(void)ctx;
	for (i = 0; i < len; i++)
		(void)peer_asked('S', buf[i], NULL, 0);
	(void)peer_asked('F', 0, NULL, 0);
}

static size_t
peer_hear(void *ctx, uint8_t *buf, size_t cap)
{
	(void)ctx;
	return peer_asked('H', cap, buf, cap);
}

static size_t
peer_hear_blocks(void *ctx, size_t len)
{
	(void)ctx;
	return peer_asked('B', len, NULL, 0);
}

static void
peer_hang_up(void *ctx)
{
	(void)ctx;
	(void)peer_asked('C', 0, NULL, 0);
}

static const struct cw_port_peer peer = {
	peer_dial, peer_say, peer_hear, peer_hear_blocks, peer_hang_up,
};

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
	say("net\r\n");
	cw_port_check_net(rig);
	say("room\r\n");
	cw_port_check_room(rig);
}

void
cw_board_main(void)
{
	static const uint8_t machine[] = { CW_CT_MACHINE, 0, 0, 0 };
	static struct cw_settings settings;
	struct cw_port_rig rig = {
		.cfg = &cfg, .next = next, .card = hand, .peer = &peer,
	};
	struct cw_event ev;

	cw_sys_start();
	cw_uart_start(0);
	cw_uart_start(2);
	cw_uart_start(3);
	cw_secure_random_start(&settings, 1);
	cfg.card = &cw_board_card_ops;
	cfg.net = &cw_board_net_ops;
	cfg.store = &cw_board_store_ops;
	cfg.sys = &cw_board_sys_ops;
	cfg.store_cap = CW_BOARD_STORE_LEN;
	settings.ip_mode = CW_IP_DHCP;
	if (cw_net_start(&settings) < 0)
		end("FAIL: no Ethernet chip answers");
	cw_card_start(1);
	hand_says(2, machine, sizeof machine);
	hand(NULL, true);
	if (!next(NULL, &ev, WORD_MS) || ev.kind != CW_EV_CARD || ev.len != 1)
		end("FAIL: no card comes to the contacts");
	run(&rig);
	end("PASS");
}
