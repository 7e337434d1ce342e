/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "boards/contact/client.h"
#include "board_private.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "reader/reader_private.h"

/*
 * The card line: the contact link on UART 1, which the emulator connects to
 * cardwright-card.  The UART does not tell when the connection behind it ends,
 * so silence does: an answer that does not come in time, or, with the card off,
 * a sign of life that was asked for.
 */
#define EVENTS 16u
#define AGAIN_US 200000u	/* from a lost stream to the next try */
#define ATTACH_US 500000u
#define ANSWER_US 5000000u	/* beyond what the card may take */
#define PROBE_US 1000000u
#define SEND_US 1000u		/* the other side does not take: look again */

static struct {
	struct cw_contact_client client;
	struct cw_event event[EVENTS];
	unsigned int head, cnt;
	uint8_t in[256];
	size_t in_len, in_off;
	bool told;		/* that the stream is lost */
	bool powered;
	uint32_t etu_ns;
	uint64_t up_us;		/* not before: the next try */
	uint64_t heard_us;	/* the other side, or the question it owes */
	bool asked;
} line;

static void
post(void *dev, const struct cw_event *ev)
{
	(void)dev;
	CW_ASSERT(line.cnt < EVENTS);
	line.event[(line.head + line.cnt++) % EVENTS] = *ev;
}

static void
unpost(void *dev)
{
	unsigned int i, kept = 0;
	struct cw_event ev;

	(void)dev;
	for (i = 0; i < line.cnt; i++) {
		ev = line.event[(line.head + i) % EVENTS];
		if (ev.kind < CW_EV_SENT || ev.kind > CW_EV_SILENT)
			line.event[(line.head + kept++) % EVENTS] = ev;
	}
	line.cnt = kept;
}

void
cw_card_start(uint16_t station)
{
	struct cw_contact_client_config c = {
		.post = post, .unpost = unpost, .station = station,
	};

	cw_contact_client_init(&line.client, &c);
	cw_uart_start(1);
}

static void
lost(const char *why, uint64_t now_us)
{
	char text[CW_READER_LOG_MAX];
	struct cw_reader_text t = cw_reader_text_init(text, sizeof text);

	if (!line.told) {
		cw_reader_text_str(&t, "contact.lost why=\"");
		cw_reader_text_str(&t, why);
		cw_reader_text_str(&t, "\"");
		cw_board_log(1, text);
	}
	line.told = true;
	cw_contact_client_lost(&line.client);
	line.powered = false;
	line.up_us = now_us + AGAIN_US;
}

/* How long the other side may be silent now. */
static uint64_t
patience_us(void)
{
	if (!line.client.attached)
		return ATTACH_US;
	if (line.client.listening)
		return ANSWER_US + 2ull * line.client.listen_wait_etu * line.etu_ns / 1000;
	return ANSWER_US;
}

/* Bytes of the stream until one message posts something. */
static void
take(uint64_t now_us)
{
	int n;

	while (line.cnt == 0) {
		if (line.in_off == line.in_len) {
			cw_wipe(line.in, line.in_len);
			line.in_off = 0;
			line.in_len = cw_uart_get(1, line.in, sizeof line.in);
		}
		if (line.in_len == 0)
			return;
		line.heard_us = now_us;
		line.asked = false;
		if (!line.client.up) {
			line.in_off = line.in_len;	/* of the lost stream */
			continue;
		}
		n = cw_contact_client_input(&line.client, line.in + line.in_off,
		    line.in_len - line.in_off);
		if (n < 0)
			lost(line.client.why, now_us);
		else
			line.in_off += (size_t)n;
		if (line.told && line.client.attached) {
			cw_board_log(2, "contact.up");
			line.told = false;
		}
	}
}

static void
supervise(uint64_t now_us)
{
	if (!line.client.up) {
		if (now_us < line.up_us)
			return;
		cw_contact_client_up(&line.client);
		line.asked = false;
	}
	if (!line.powered && !cw_contact_client_waits(&line.client) &&
	    now_us - line.heard_us > PROBE_US)
		cw_contact_client_probe(&line.client);
	if (!cw_contact_client_waits(&line.client)) {
		line.asked = false;
	} else if (!line.asked) {
		line.asked = true;
		line.heard_us = now_us;
	} else if (now_us - line.heard_us > patience_us()) {
		lost("cardwright-card does not answer", now_us);
	}
}

static void
flush(void)
{
	const uint8_t *p;
	size_t len = cw_contact_client_output(&line.client, &p);

	if (len > 0)
		cw_contact_client_sent(&line.client, cw_uart_put(1, p, len));
}

bool
cw_card_poll(struct cw_event *ev, uint64_t now_us)
{
	if (line.cnt == 0)
		take(now_us);
	if (line.cnt == 0)
		supervise(now_us);
	flush();
	if (line.cnt == 0)
		return false;
	*ev = line.event[line.head];
	line.head = (line.head + 1) % EVENTS;
	line.cnt--;
	return true;
}

uint64_t
cw_card_due(void)
{
	const uint8_t *p;

	if (line.cnt > 0)
		return 0;
	if (cw_contact_client_output(&line.client, &p) > 0)
		return cw_sys_now_us() + SEND_US;
	if (!line.client.up)
		return line.up_us;
	if (cw_contact_client_waits(&line.client))
		return line.heard_us + patience_us() + 1;
	return line.powered ? UINT64_MAX : line.heard_us + PROBE_US + 1;
}

/* ---- ops ----------------------------------------------------------------------- */

static int
card_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	int err = cw_contact_client_power(&line.client, vcc_mv);

	(void)dev;
	(void)slot;
	if (err == 0)
		line.powered = vcc_mv > 0;
	return err;
}

static int
card_reset(void *dev, uint8_t slot, bool asserted)
{
	(void)dev;
	(void)slot;
	return cw_contact_client_reset(&line.client, asserted);
}

static int
card_set_line(void *dev, uint8_t slot, const struct cw_card_line *l)
{
	int err = cw_contact_client_set_line(&line.client, l);

	(void)dev;
	(void)slot;
	if (err == 0)
		line.etu_ns = (uint32_t)(1000000000ull * l->etu_clk / l->clk_hz);
	return err;
}

static int
card_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *l)
{
	(void)dev;
	(void)slot;
	return cw_contact_client_best_line(ta1, l);
}

static int
card_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	(void)dev;
	(void)slot;
	return cw_contact_client_send(&line.client, buf, len);
}

static int
card_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	(void)dev;
	(void)slot;
	return cw_contact_client_recv(&line.client, cap, wait_etu);
}

static void
card_abort(void *dev, uint8_t slot)
{
	(void)dev;
	(void)slot;
	cw_contact_client_abort(&line.client);
}

static int
card_present(void *dev, uint8_t slot)
{
	(void)dev;
	(void)slot;
	return line.client.present;
}

const struct cw_card_ops cw_board_card_ops = {
	card_power, card_reset, card_set_line, card_best_line,
	card_send, card_recv, card_abort, card_present,
};
