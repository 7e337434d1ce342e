/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "reader/reader_private.h"

/*
 * The reader core against a hostile terminal, card and board at once.  The
 * input is a list of actions: what comes on the link, what the card says, what
 * the board reports, how time goes on.  After each the guarantees must hold.
 */
#define SLOTS 2

struct input {
	const uint8_t *p;
	size_t len;
};

static struct cw_reader reader;
static uint8_t queue_mem[SLOTS * CW_RLINK_QUEUE * CW_PROG_MAX];
static uint8_t rx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static uint8_t tx_mem[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static uint8_t store_mem[4096];
static uint8_t frame[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
static uint8_t fail_mask;	/* bit per op that fails */
static uint64_t now_us;
static int conn;

static uint8_t
byte(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->p++;
}

static const uint8_t *
bytes(struct input *in, size_t *len)
{
	const uint8_t *p = in->p;

	if (*len > in->len)
		*len = in->len;
	in->p += *len;
	in->len -= *len;
	return p;
}

static int
op_result(int bit)
{
	return (fail_mask >> bit & 1) != 0 ? CW_EIO : 0;
}

static int
op_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	(void)dev;
	(void)slot;
	(void)vcc_mv;
	return op_result(0);
}

static int
op_reset(void *dev, uint8_t slot, bool asserted)
{
	(void)dev;
	(void)slot;
	(void)asserted;
	return op_result(1);
}

static int
op_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	(void)dev;
	(void)slot;
	CW_ASSERT(line->clk_hz > 0 && line->etu_clk > 0);
	return op_result(2);
}

static int
op_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line)
{
	(void)dev;
	(void)slot;
	line->clk_hz = 5000000;
	line->etu_clk = (ta1 & 15) == 6 ? 16 : 32;
	return op_result(3);
}

static int
op_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	(void)dev;
	(void)slot;
	CW_ASSERT(buf != NULL && len > 0 && len < 300);
	return op_result(4);
}

static int
op_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	(void)dev;
	(void)slot;
	CW_ASSERT(cap > 0 && wait_etu > 0);
	return op_result(5);
}

static void
op_abort(void *dev, uint8_t slot)
{
	(void)dev;
	(void)slot;
}

static int
op_present(void *dev, uint8_t slot)
{
	(void)dev;
	return slot == 0;
}

static int
op_net_send(void *dev, int id, const uint8_t *buf, size_t len)
{
	(void)dev;
	(void)id;
	(void)buf;
	if ((fail_mask >> 7 & 1) != 0)
		return (fail_mask >> 6 & 1) != 0 ? CW_ECLOSED : 0;
	return (int)len;
}

static void
op_net_close(void *dev, int id)
{
	(void)dev;
	(void)id;
}

static int
op_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	CW_ASSERT(off <= sizeof store_mem && len <= sizeof store_mem - off);
	memcpy(store_mem + off, buf, len);
	return 0;
}

static const uint8_t *
op_lend(void *dev, uint32_t off, size_t len)
{
	(void)dev;
	CW_ASSERT(off <= sizeof store_mem && len <= sizeof store_mem - off);
	return store_mem + off;
}

static void
op_random(void *dev, uint8_t *buf, size_t len)
{
	(void)dev;
	memset(buf, 0, len);
}

static void
op_watchdog(void *dev)
{
	(void)dev;
}

static void
op_log(void *dev, int level, const char *line)
{
	(void)dev;
	CW_ASSERT(level >= 0 && level <= 4 && strlen(line) < 200);
}

static const struct cw_card_ops card_ops = {
	op_power, op_reset, op_set_line, op_best_line, op_send, op_recv,
	op_abort, op_present,
};
static const struct cw_net_ops net_ops = { op_net_send, op_net_close };
static const struct cw_image_ops store_ops = { op_write, op_lend };
static const struct cw_sys_ops sys_ops = { op_random, op_watchdog, op_log };

static void
give(enum cw_event_kind kind, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct cw_event ev;

	memset(&ev, 0, sizeof ev);
	ev.kind = kind;
	ev.slot = slot;
	ev.conn = conn;
	ev.buf = buf;
	ev.len = len;
	ev.idx = len;
	(void)cw_reader_event(&reader, &ev, now_us);
	cw_reader_check(&reader);
}

static void
give_frame(uint8_t type, size_t body_len)
{
	give(CW_EV_NET_DATA, 0, frame, cw_frame_seal(frame, CW_RLINK_VERSION,
	    type, 1, (uint32_t)body_len));
}

static void
link_up(void)
{
	struct cw_rl_hello h = { .terminal = "fuzz", .session = 1 };
	int len = cw_rl_put_hello(frame, sizeof frame, 1, &h);

	conn++;
	give(CW_EV_NET_OPEN, 0, NULL, 0);
	give(CW_EV_NET_DATA, 0, frame, (size_t)len);
}

/* A RUN or CONTINUE whose program's header counts the steps of the input. */
static void
give_program(struct input *in, bool more)
{
	static uint64_t attempt;
	uint8_t prog[512] = { 'P', 1, 0, 0 };
	struct cw_rl_run m = { .prog = prog };
	struct cw_rl_continue c = { .prog = prog };
	size_t len = byte(in);
	const uint8_t *p;
	int n;

	m.slot = c.slot = byte(in) & 1;
	m.flags = byte(in) & 7;
	prog[3] = byte(in) & 15;
	p = bytes(in, &len);
	memcpy(prog + 4, p, len);
	m.prog_len = c.prog_len = (uint16_t)(4 + len);
	m.attempt = ++attempt;
	c.attempt = reader.slot[c.slot].job[0].attempt;
	n = more ? cw_rl_put_continue(frame, sizeof frame, 1, &c) :
	    cw_rl_put_run(frame, sizeof frame, 1, &m);
	if (n > 0)
		give(CW_EV_NET_DATA, 0, frame, (size_t)n);
}

static void
act(struct input *in, uint8_t what)
{
	uint8_t slot = what >> 7;
	size_t len = 0;
	const uint8_t *p;

	switch (what & 15) {
	case 0:
		len = byte(in);
		p = bytes(in, &len);
		give(CW_EV_NET_DATA, 0, p, len);
		break;
	case 1:
		give_program(in, false);
		break;
	case 2:
		give(CW_EV_POWERED, slot, NULL, 0);
		break;
	case 3:
		give(CW_EV_SENT, slot, NULL, 0);
		break;
	case 4:
		len = byte(in);
		p = bytes(in, &len);
		give(CW_EV_RECV, slot, p, len);
		break;
	case 5:
		give(CW_EV_SILENT, slot, NULL, 0);
		break;
	case 6:
		give(CW_EV_NACK, slot, NULL, byte(in));
		break;
	case 7:
		give(CW_EV_PARITY, slot, NULL, 0);
		break;
	case 8:
		give(CW_EV_CARD, slot, NULL, byte(in) & 1);
		break;
	case 9:
		now_us += (uint64_t)byte(in) * byte(in) * byte(in) * 8;
		give(CW_EV_TICK, 0, NULL, 0);
		break;
	case 10:
		give(CW_EV_OVERCURRENT, slot, NULL, 0);
		break;
	case 11:
		give(CW_EV_NET_CLOSED, 0, NULL, 0);
		link_up();
		break;
	case 12:
		slot = byte(in);
		len = byte(in);
		p = bytes(in, &len);
		memcpy(frame + CW_FRAME_HDR, p, len);
		give_frame(slot, len);
		break;
	case 13:
		fail_mask = byte(in);
		break;
	case 14:
		give(CW_EV_NET_ROOM, 0, NULL, 0);
		break;
	default:
		give_program(in, true);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cw_reader_config c = {
		.card = &card_ops, .net = &net_ops, .store = &store_ops,
		.sys = &sys_ops, .firmware = "fuzz", .boot_id = 1,
		.slot_cnt = SLOTS, .store_cap = sizeof store_mem,
		.clk_hz = 4000000, .vcc_mv = 5000,
		.queue_mem = queue_mem, .queue_mem_len = sizeof queue_mem,
		.rx_mem = rx_mem, .tx_mem = tx_mem,
	};
	struct input in = { data, size };

	memset(queue_mem, 0, sizeof queue_mem);
	fail_mask = 0;
	now_us = 1;
	conn = 0;
	CW_ASSERT(cw_reader_init(&reader, &c, now_us) == 0);
	link_up();
	while (in.len > 0)
		act(&in, byte(&in));
	return 0;
}
