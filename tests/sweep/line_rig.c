/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/pps.h"

#define CONN 1

static uint64_t
etu_us(const struct line_rig *r, uint64_t etu)
{
	return etu * r->line.etu_clk * 1000000 / r->line.clk_hz + 1;
}

static void
post(struct line_rig *r, const struct cw_event *ev, uint64_t in_us)
{
	CW_ASSERT(r->event_cnt < sizeof r->event / sizeof r->event[0]);
	r->event[r->event_cnt].ev = *ev;
	r->event[r->event_cnt].order = r->order++;
	r->event[r->event_cnt++].at_us = r->now_us + in_us;
}

/* Events of the line, and POWERED, die with abort and power-down. */
static void
drop_line_events(struct line_rig *r)
{
	size_t i, kept = 0;

	for (i = 0; i < r->event_cnt; i++)
		if (r->event[i].ev.kind < CW_EV_SENT ||
		    r->event[i].ev.kind > CW_EV_SILENT)
			r->event[kept++] = r->event[i];
	r->event_cnt = kept;
}

static int
op_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	struct line_rig *r = dev;
	struct cw_event ev = { .kind = CW_EV_POWERED, .slot = slot };

	r->powered = vcc_mv > 0;
	r->rst_low = true;
	if (r->card != NULL)
		cw_sim_card_power(r->card, vcc_mv > 0);
	if (vcc_mv > 0 && !r->present)
		ev.err = CW_EREMOVED;
	post(r, &ev, 100);
	return 0;
}

static int
op_reset(void *dev, uint8_t slot, bool asserted)
{
	struct line_rig *r = dev;

	(void)slot;
	r->rst_low = asserted;
	r->atr_off = 0;
	if (r->card != NULL)
		cw_sim_card_reset(r->card, asserted);
	return 0;
}

static int
op_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	struct line_rig *r = dev;

	(void)slot;
	CW_ASSERT(line->guard_etu >= (line->t1 ? 11 : 12));
	CW_ASSERT(line->turn_etu >= (line->t1 ? 22 : 12));
	r->line = *line;
	if (r->card != NULL)
		cw_sim_card_line(r->card, line->clk_hz, line->etu_clk);
	return 0;
}

static int
op_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line)
{
	uint16_t fi;
	uint32_t fmax_hz;
	uint8_t di;

	(void)dev;
	(void)slot;
	if (cw_pps_fidi(ta1, &fi, &fmax_hz, &di) < 0)
		return CW_ERANGE;
	line->clk_hz = fmax_hz < 5000000 ? fmax_hz : 5000000;
	line->etu_clk = (fi + di / 2u) / di;
	return 0;
}

/* What every call on the line may run into. */
static bool
overcurrent(struct line_rig *r, uint8_t slot)
{
	struct cw_event ev = { .kind = CW_EV_OVERCURRENT, .slot = slot };

	if (r->op_cnt++ != r->f.at || !r->f.overcurrent)
		return false;
	r->powered = false;
	if (r->card != NULL)
		cw_sim_card_power(r->card, false);
	post(r, &ev, 1000);
	return true;
}

/* The switch opens 5 ms later. */
static void
card_gone(struct line_rig *r, uint8_t slot, uint64_t in_etu)
{
	struct cw_event gone = { .kind = CW_EV_CARD, .slot = slot };

	r->present = false;
	post(r, &gone, etu_us(r, in_etu) + 5000);
}

static void
after(struct line_rig *r, const struct cw_sim_io *io, struct cw_event *ev)
{
	uint64_t busy_us = etu_us(r, io->busy_etu) - 1;

	r->etu += io->etu;
	r->busy_us += busy_us;
	ev->line_etu = io->etu;
	post(r, ev, etu_us(r, io->etu) + busy_us);
	if (io->left)
		card_gone(r, ev->slot, io->etu);
}

static int
op_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct line_rig *r = dev;
	struct cw_event ev = { .kind = CW_EV_SENT, .slot = slot };
	struct cw_sim_io io = { 0 };
	size_t n = len;

	if (overcurrent(r, slot))
		return 0;
	if ((r->send_cnt++ == r->f.at && r->f.lose_send) || !r->present)
		io.etu = len * r->line.guard_etu;
	else
		n = cw_sim_card_chars(r->card, buf, len, &io);
	if (n < len) {
		CW_ASSERT(!r->line.t1);
		ev.kind = CW_EV_NACK;
		ev.idx = n;
	}
	r->char_cnt += (uint32_t)n;
	after(r, &io, &ev);
	return 0;
}

static int
op_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	struct line_rig *r = dev;
	struct cw_event ev = { .kind = CW_EV_SILENT, .slot = slot };
	struct cw_sim_io io = { 0 };
	size_t n = 0;

	if (overcurrent(r, slot))
		return 0;
	if (r->f.atr != NULL) {
		n = r->f.atr_len - r->atr_off;
		if (n > cap)
			n = cap;
		memcpy(r->rx, r->f.atr + r->atr_off, n);
		r->atr_off += n;
		io.etu = 12 * n;
	} else if (r->present) {
		n = cw_sim_card_listen(r->card, r->rx,
		    cap < sizeof r->rx ? cap : sizeof r->rx, wait_etu, &io);
	}
	if (n > 0) {
		ev.kind = CW_EV_RECV;
		ev.buf = r->rx;
		ev.len = n;
		ev.bad_cnt = io.bad_cnt;
	} else if (io.parity) {
		CW_ASSERT(!r->line.t1);
		ev.kind = CW_EV_PARITY;
	} else {
		/* Silence is no use of the line. */
		post(r, &ev, etu_us(r, wait_etu));
		if (io.left)
			card_gone(r, slot, wait_etu);
		r->busy_us += etu_us(r, io.busy_etu) - 1;
		return 0;
	}
	r->char_cnt += (uint32_t)n;
	after(r, &io, &ev);
	return 0;
}

static void
op_abort(void *dev, uint8_t slot)
{
	(void)slot;
	drop_line_events(dev);
}

static int
op_present(void *dev, uint8_t slot)
{
	(void)slot;
	return ((struct line_rig *)dev)->present;
}

static int
op_net_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	struct line_rig *r = dev;
	struct cw_frame f;

	(void)conn;
	CW_ASSERT(cw_frame_peek(&f, buf, len, CW_RLINK_VERSION,
	    CW_RLINK_BODY_MAX) == (int)len);
	CW_ASSERT(f.type != CW_RL_ERROR && f.type != CW_RL_REFUSE);
	if (f.type == CW_RL_RESULT) {
		CW_ASSERT(cw_rl_get_result(&r->result, f.body, f.body_len) == 0);
		r->done = true;
	}
	return (int)len;
}

static void
op_net_close(void *dev, int conn)
{
	(void)dev;
	(void)conn;
	CW_ASSERT(false);
}

static int
op_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	struct line_rig *r = dev;

	memcpy(r->image + off, buf, len);
	return 0;
}

static const uint8_t *
op_lend(void *dev, uint32_t off, size_t len)
{
	struct line_rig *r = dev;

	CW_ASSERT(off + len <= sizeof r->image);
	return r->image + off;
}

static void
op_random(void *dev, uint8_t *buf, size_t len)
{
	(void)dev;
	memset(buf, 4, len);
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
	(void)level;
	(void)line;
}

static const struct cw_card_ops card_ops = {
	op_power, op_reset, op_set_line, op_best_line, op_send, op_recv,
	op_abort, op_present,
};
static const struct cw_net_ops net_ops = { op_net_send, op_net_close };
static const struct cw_image_ops store_ops = { op_write, op_lend };
static const struct cw_sys_ops sys_ops = { op_random, op_watchdog, op_log };

static void
feed(struct line_rig *r, const struct cw_event *ev)
{
	r->due_us = cw_reader_event(&r->core, ev, r->now_us);
	cw_reader_check(&r->core);
}

/* The next thing that happens: an event, or the core's deadline. */
static bool
advance(struct line_rig *r, uint64_t end_us)
{
	struct cw_event tick = { .kind = CW_EV_TICK };
	uint64_t at_us = r->due_us;
	size_t i, next = r->event_cnt;

	for (i = 0; i < r->event_cnt; i++)
		if (r->event[i].at_us < at_us || (next < r->event_cnt &&
		    r->event[i].at_us == at_us &&
		    r->event[i].order < r->event[next].order)) {
			at_us = r->event[i].at_us;
			next = i;
		}
	if (at_us > end_us)
		return false;
	if (at_us > r->now_us)
		r->now_us = at_us;
	if (next < r->event_cnt) {
		tick = r->event[next].ev;
		r->event[next] = r->event[--r->event_cnt];
	}
	feed(r, &tick);
	return true;
}

static void
frame(struct line_rig *r, int len)
{
	struct cw_event ev = { .kind = CW_EV_NET_DATA, .conn = CONN };

	CW_ASSERT(len > 0);
	ev.buf = r->frame;
	ev.len = (size_t)len;
	feed(r, &ev);
}

static void
store(struct line_rig *r)
{
	static uint8_t image[300];
	struct cw_rl_store_begin b = { .len = sizeof image };
	struct cw_rl_store_data d = { .len = sizeof image, .buf = image };
	size_t i;

	for (i = 0; i < sizeof image; i++)
		image[i] = (uint8_t)(i * 7 + (i >> 5));
	cw_sha256(r->digest, image, sizeof image);
	memcpy(b.digest, r->digest, sizeof b.digest);
	r->image_len = sizeof image;
	frame(r, cw_rl_put_store_begin(r->frame, sizeof r->frame, 2, &b));
	frame(r, cw_rl_put_store_data(r->frame, sizeof r->frame, 3, &d));
	frame(r, cw_rl_put_empty(r->frame, sizeof r->frame, 4,
	    CW_RL_STORE_END));
}

void
line_open(struct line_rig *r)
{
	struct cw_event open = { .kind = CW_EV_NET_OPEN, .conn = CONN };
	struct cw_rl_hello h = { .terminal = "line-1", .session = 1 };

	memset(r, 0, sizeof *r);
	r->cfg = (struct cw_reader_config){
		.card = &card_ops, .net = &net_ops, .store = &store_ops,
		.sys = &sys_ops, .dev = r, .firmware = "sweep", .boot_id = 1,
		.slot_cnt = 1, .store_cap = sizeof r->image,
		.clk_hz = 4000000, .vcc_mv = 5000, .queue_mem = r->queue_mem,
		.queue_mem_len = sizeof r->queue_mem, .rx_mem = r->rx_mem,
		.tx_mem = r->tx_mem, .link_dead_ms = UINT32_MAX,
	};
	r->line = (struct cw_card_line){ 4000000, 372, 12, CW_DIRECT, 12, false, 372, 1 };
	r->now_us = 1000000;
	CW_ASSERT(cw_reader_init(&r->core, &r->cfg, r->now_us) == 0);
	feed(r, &open);
	frame(r, cw_rl_put_hello(r->frame, sizeof r->frame, 1, &h));
	store(r);
}

void
line_insert(struct line_rig *r, const struct cw_sim_card_config *card,
    const struct line_faults *f)
{
	struct cw_event ev = { .kind = CW_EV_CARD, .len = 1 };
	struct cw_event gone = { .kind = CW_EV_CARD, .len = 0 };

	if (r->card != NULL) {
		r->present = false;
		feed(r, &gone);
		while (advance(r, r->now_us + 10000))
			;
	}
	cw_sim_card_free(r->card);
	r->card = cw_sim_card_new(card);
	CW_ASSERT(r->card != NULL);
	memset(&r->f, 0, sizeof r->f);
	if (f != NULL)
		r->f = *f;
	r->op_cnt = r->send_cnt = r->char_cnt = 0;
	r->etu = r->busy_us = 0;
	r->present = true;
	feed(r, &ev);
}

bool
line_run(struct line_rig *r, const uint8_t *prog, size_t len, uint64_t limit_us)
{
	struct cw_rl_run m = { .attempt = ++r->order, .prog = prog,
	    .prog_len = (uint16_t)len };
	struct cw_rl_slot_attempt ack = { 0, m.attempt };
	uint64_t end_us = r->now_us + limit_us;

	r->done = false;
	frame(r, cw_rl_put_run(r->frame, sizeof r->frame, 5, &m));
	while (!r->done && advance(r, end_us))
		;
	if (r->done)
		frame(r, cw_rl_put_slot_attempt(r->frame, sizeof r->frame, 6,
		    CW_RL_RESULT_ACK, &ack));
	return r->done;
}

void
line_close(struct line_rig *r)
{
	cw_sim_card_free(r->card);
	r->card = NULL;
}
