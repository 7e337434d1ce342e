/* SPDX-License-Identifier: Apache-2.0 */
#include "port_check.h"

#include <string.h>

#include "cw/atr.h"
#include "cw/err.h"

#define ANSWER_MS 5000
#define QUIET_MS 30
#define WAIT_ETU 9600

static const struct cw_card_line line_default = {
	.clk_hz = 4000000, .etu_clk = 372, .guard_etu = 12,
	.turn_etu = 12, .f = 372, .d = 1,
};

/* The clock that the board is configured for is one that it can do. */
static struct cw_card_line
line_of(const struct cw_reader_config *c)
{
	struct cw_card_line line = line_default;

	if (c->clk_hz != 0)
		line.clk_hz = c->clk_hz;
	return line;
}

static void
quiet(const struct cw_port_rig *rig)
{
	struct cw_event ev;

	if (rig->next(rig->ctx, &ev, QUIET_MS))
		fail_msg("event %d that nobody asked for", (int)ev.kind);
}

static void
expect(const struct cw_port_rig *rig, enum cw_event_kind kind,
    struct cw_event *ev)
{
	if (!rig->next(rig->ctx, ev, ANSWER_MS))
		fail_msg("no event where %d was due", (int)kind);
	assert_int_equal(ev->kind, kind);
	assert_int_equal(ev->slot, 0);
}

static void
power(const struct cw_port_rig *rig, uint32_t vcc_mv)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_event ev;

	assert_int_equal(c->card->power(c->dev, 0, vcc_mv), 0);
	expect(rig, CW_EV_POWERED, &ev);
	assert_int_equal(ev.err, 0);
}

/* Lets the card answer and takes its ATR, character for character. */
static void
answer(const struct cw_port_rig *rig, struct cw_atr *atr)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_card_line line = line_of(c);
	struct cw_atr_rx rx;
	struct cw_event ev;
	size_t cap = 1, i;
	int n = 1;

	assert_int_equal(c->card->set_line(c->dev, 0, &line), 0);
	assert_int_equal(c->card->reset(c->dev, 0, false), 0);
	cw_atr_rx_init(&rx);
	while (n == 1) {
		assert_int_equal(c->card->recv(c->dev, 0, cap,
		    rx.len == 0 ? 108 : WAIT_ETU), 0);
		expect(rig, CW_EV_RECV, &ev);
		assert_in_range(ev.len, 1, cap);
		for (i = 0; i < ev.len; i++)
			n = cw_atr_rx_push(&rx, ev.buf[i]);
		cap = rx.want > rx.len ? (size_t)(rx.want - rx.len) : 1;
	}
	assert_int_equal(n, 0);
	assert_int_equal(cw_atr_parse(atr, rx.buf, rx.len), 0);
}

static void
send(const struct cw_port_rig *rig, const struct cw_atr *atr, const uint8_t *buf,
    size_t len)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_card_line line = line_of(c);
	static uint8_t out[64];
	struct cw_event ev;
	size_t i;

	assert_in_range(len, 1, sizeof out);
	line.convention = atr->convention;
	assert_int_equal(c->card->set_line(c->dev, 0, &line), 0);
	for (i = 0; i < len; i++)
		out[i] = atr->convention == CW_INVERSE ?
		    cw_atr_invert(buf[i]) : buf[i];
	assert_int_equal(c->card->send(c->dev, 0, out, len), 0);
	expect(rig, CW_EV_SENT, &ev);
}

static uint8_t
recv_one(const struct cw_port_rig *rig, const struct cw_atr *atr)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_event ev;

	assert_int_equal(c->card->recv(c->dev, 0, 1, WAIT_ETU), 0);
	expect(rig, CW_EV_RECV, &ev);
	assert_int_equal(ev.len, 1);
	return atr->convention == CW_INVERSE ? cw_atr_invert(ev.buf[0]) :
	    ev.buf[0];
}

void
cw_port_check_lines(const struct cw_port_rig *rig)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_card_line line = line_of(c);

	assert_int_equal(c->card->set_line(c->dev, 0, &line), 0);
	line.clk_hz = 0;
	assert_int_equal(c->card->set_line(c->dev, 0, &line), CW_ERANGE);

	/* 372/1 must be possible; 7F is reserved for future use. */
	assert_int_equal(c->card->best_line(c->dev, 0, 0x11, &line), 0);
	assert_int_equal(line.etu_clk, 372);
	assert_in_range(line.clk_hz, 1000000, 5000000);
	assert_int_equal(c->card->best_line(c->dev, 0, 0x7f, &line),
	    CW_ERANGE);
	if (c->card->best_line(c->dev, 0, 0x96, &line) == 0)
		assert_int_equal(line.etu_clk, 16);
}

/* A command without data: an unknown one is answered as well. */
static const uint8_t header[] = { 0x00, 0xa4, 0x00, 0x00, 0x00 };

void
cw_port_check_dialogue(const struct cw_port_rig *rig)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_event ev;
	struct cw_atr atr;
	uint8_t sw1;

	assert_int_equal(c->card->present(c->dev, 0), 1);
	power(rig, 5000);
	quiet(rig);
	answer(rig, &atr);
	send(rig, &atr, header, sizeof header);
	sw1 = recv_one(rig, &atr);
	assert_true((sw1 & 0xf0) == 0x60 || (sw1 & 0xf0) == 0x90);
	(void)recv_one(rig, &atr);

	/* It has said everything. */
	assert_int_equal(c->card->recv(c->dev, 0, 1, 10), 0);
	expect(rig, CW_EV_SILENT, &ev);

	/* Warm reset: the same answer once more. */
	assert_int_equal(c->card->reset(c->dev, 0, true), 0);
	answer(rig, &atr);
	quiet(rig);

	/* Each power call is answered. */
	assert_int_equal(c->card->power(c->dev, 0, 5000), 0);
	assert_int_equal(c->card->power(c->dev, 0, 0), 0);
	expect(rig, CW_EV_POWERED, &ev);
	expect(rig, CW_EV_POWERED, &ev);
	quiet(rig);
}

/* Of what was aborted nothing is heard, and what comes next is clean. */
void
cw_port_check_abort(const struct cw_port_rig *rig)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_atr atr;
	uint8_t sw1;

	power(rig, 5000);
	answer(rig, &atr);
	assert_int_equal(c->card->send(c->dev, 0, header, sizeof header), 0);
	c->card->abort(c->dev, 0);
	quiet(rig);

	assert_int_equal(c->card->reset(c->dev, 0, true), 0);
	answer(rig, &atr);
	send(rig, &atr, header, sizeof header);
	assert_int_equal(c->card->recv(c->dev, 0, 2, WAIT_ETU), 0);
	c->card->abort(c->dev, 0);
	quiet(rig);

	/* Nothing to abort is harmless. */
	c->card->abort(c->dev, 0);
	power(rig, 0);
	power(rig, 5000);
	answer(rig, &atr);
	send(rig, &atr, header, sizeof header);
	sw1 = recv_one(rig, &atr);
	assert_true((sw1 & 0xf0) == 0x60 || (sw1 & 0xf0) == 0x90);
	power(rig, 0);
}

void
cw_port_check_removal(const struct cw_port_rig *rig)
{
	const struct cw_reader_config *c = rig->cfg;
	struct cw_event ev;
	struct cw_atr atr;

	power(rig, 5000);
	answer(rig, &atr);
	rig->card(rig->ctx, false);
	expect(rig, CW_EV_CARD, &ev);
	assert_int_equal(ev.len, 0);
	assert_int_equal(c->card->present(c->dev, 0), 0);
	power(rig, 0);
	quiet(rig);
	rig->card(rig->ctx, true);
	expect(rig, CW_EV_CARD, &ev);
	assert_int_equal(ev.len, 1);
	power(rig, 5000);
	answer(rig, &atr);
	power(rig, 0);
}

void
cw_port_check_store(const struct cw_port_rig *rig)
{
	const struct cw_reader_config *c = rig->cfg;
	uint32_t places[] = { 0, 1, 255, 4095, 0 }, i;
	const uint8_t *p;
	uint8_t buf[64];

	places[4] = c->store_cap - (uint32_t)sizeof buf;
	for (i = 0; i < 5; i++) {
		memset(buf, (int)(i + 1), sizeof buf);
		buf[0] = 0xa5;
		assert_int_equal(c->store->write(c->dev, places[i], buf,
		    sizeof buf), 0);
		p = c->store->lend(c->dev, places[i], sizeof buf);
		assert_non_null(p);
		assert_memory_equal(p, buf, sizeof buf);
	}
	p = c->store->lend(c->dev, 0, c->store_cap);
	assert_non_null(p);
	assert_int_equal(p[4096], 4);
	assert_int_equal(p[c->store_cap - 1], 5);
}

void
cw_port_check_random(const struct cw_port_rig *rig)
{
	const struct cw_reader_config *c = rig->cfg;
	uint8_t a[16] = { 0 }, b[16] = { 0 }, zero[16] = { 0 };

	c->sys->random(c->dev, a, sizeof a);
	c->sys->random(c->dev, b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a, zero, sizeof a);
	assert_memory_not_equal(b, zero, sizeof b);
}

/* ---- network --------------------------------------------------------------- */

static int
dialled(const struct cw_port_rig *rig)
{
	struct cw_event ev;

	rig->peer->dial(rig->ctx);
	expect(rig, CW_EV_NET_OPEN, &ev);
	return ev.conn;
}

void
cw_port_check_net(const struct cw_port_rig *rig)
{
	const struct cw_reader_config *c = rig->cfg;
	int conn = dialled(rig), old;
	struct cw_event ev;
	uint8_t buf[16];

	rig->peer->say(rig->ctx, (const uint8_t *)"hello", 5);
	expect(rig, CW_EV_NET_DATA, &ev);
	assert_int_equal(ev.conn, conn);
	assert_int_equal(ev.len, 5);
	assert_memory_equal(ev.buf, "hello", 5);

	/* Two sends, one order; what was sent before a close arrives. */
	assert_int_equal(c->net->send(c->dev, conn, (const uint8_t *)"ab", 2), 2);
	assert_int_equal(c->net->send(c->dev, conn, (const uint8_t *)"cd", 2), 2);
	rig->peer->say(rig->ctx, (const uint8_t *)"unread", 6);
	c->net->close(c->dev, conn);
	assert_int_equal(rig->peer->hear(rig->ctx, buf, sizeof buf), 4);
	assert_memory_equal(buf, "abcd", 4);
	assert_int_equal(c->net->send(c->dev, conn, buf, 2), CW_ECLOSED);
	c->net->close(c->dev, conn);
	quiet(rig);
	rig->peer->hang_up(rig->ctx);

	/* The peer closes: one event, and the name is not used again. */
	old = conn;
	conn = dialled(rig);
	assert_int_not_equal(conn, old);
	rig->peer->hang_up(rig->ctx);
	expect(rig, CW_EV_NET_CLOSED, &ev);
	assert_int_equal(ev.conn, conn);
	assert_int_equal(c->net->send(c->dev, conn, buf, 2), CW_ECLOSED);
	quiet(rig);
}

/* A peer that does not read: 0, then ROOM, and every byte in order. */
void
cw_port_check_room(const struct cw_port_rig *rig)
{
	static uint8_t block[CW_PORT_BLOCK];
	const struct cw_reader_config *c = rig->cfg;
	int conn = dialled(rig), n = 1;
	size_t sent = 0, idle = 0;
	struct cw_event ev;

	/* The network between takes much: only a long 0 means that it is full. */
	while (idle < 10) {
		assert_true(sent < 64u << 20);
		memset(block, (int)(sent / CW_PORT_BLOCK), sizeof block);
		n = c->net->send(c->dev, conn, block, sizeof block);
		if (n > 0) {
			assert_int_equal(n, sizeof block);
			sent += sizeof block;
			idle = 0;
			continue;
		}
		assert_int_equal(n, 0);
		idle = rig->next(rig->ctx, &ev, QUIET_MS) ? 0 : idle + 1;
		if (idle == 0)
			assert_int_equal(ev.kind, CW_EV_NET_ROOM);
	}
	assert_int_equal(rig->peer->hear_blocks(rig->ctx, sent), sent);
	expect(rig, CW_EV_NET_ROOM, &ev);
	assert_int_equal(ev.conn, conn);
	assert_int_equal(c->net->send(c->dev, conn, block, 10), 10);
	rig->peer->hang_up(rig->ctx);
	expect(rig, CW_EV_NET_CLOSED, &ev);
}
