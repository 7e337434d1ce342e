/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/frame.h"
#include "cw/pps.h"
#include "cw/program.h"
#include "reader/reader.h"
#include "sim/card.h"
#include "sim/step_priv.h"

/*
 * A reader's board: its contacts touch the world's cards, its network is the
 * simulated one, its clock the virtual one.  Slot k of reader r serves station
 * r * slots + k of the line.
 */
#define CLK_MAX_HZ 5000000u
#define CLK_HZ 4000000u
#define ETU_CLK 372u
#define QUEUE_LEN (CW_RLINK_QUEUE * CW_PROG_MAX)
#define FRAME_LEN (CW_FRAME_HDR + CW_RLINK_BODY_MAX)

struct slot {
	uint32_t gen;		/* of line events; abort makes the older ones void */
	uint32_t clk_hz, etu_clk;
	bool present;		/* the switch */
};

struct step_reader {
	struct cw_step *s;
	unsigned int line, idx;
	bool up;
	uint32_t gen;		/* rises with each start */
	uint64_t tick_us;
	struct cw_reader *core;
	struct slot slot[STEP_SLOTS_MAX];
	uint8_t store[STEP_COS_MAX + 1024];
	uint8_t queue[STEP_SLOTS_MAX * QUEUE_LEN];
	uint8_t rx[FRAME_LEN], tx[FRAME_LEN];
};

static struct step_reader *
reader_of(const struct cw_step *s, unsigned int line, unsigned int r)
{
	return s->line[line].reader[r];
}

static unsigned int
station_of(const struct step_reader *rd, unsigned int slot)
{
	return rd->idx * rd->s->plan.slots + slot;
}

static struct cw_sim_card *
card_at(const struct step_reader *rd, unsigned int slot)
{
	struct step_card *c = cw_step_world_at(rd->s, rd->line,
	    station_of(rd, slot));

	return c != NULL ? c->sim : NULL;
}

/* ---- into the core ------------------------------------------------------- */

static void tick(struct cw_step *s, struct step_ev *e);

static void
feed(struct step_reader *rd, const struct cw_event *ev)
{
	struct cw_step *s = rd->s;
	uint64_t due = cw_reader_event(rd->core, ev, s->now);

	cw_reader_check(rd->core);
	if (due < rd->tick_us) {
		rd->tick_us = due;
		cw_step_at(s, due > s->now ? due - s->now : 0, tick, rd, rd->gen);
	}
}

static void
tick(struct cw_step *s, struct step_ev *e)
{
	struct step_reader *rd = e->obj;

	(void)s;
	if (!rd->up || e->gen != rd->gen || e->t != rd->tick_us)
		return;
	rd->tick_us = STEP_NEVER;
	feed(rd, &(struct cw_event){ .kind = CW_EV_TICK });
}

/* ---- card line ----------------------------------------------------------- */

/* Event fields: gen the reader's, a = slot << 8 | kind, b = slot's gen << 32 |
 * number (index refused, characters repeated), buf the characters. */
static void
line_event(struct cw_step *s, struct step_ev *e)
{
	struct step_reader *rd = e->obj;
	unsigned int slot = e->a >> 8;
	struct cw_event ev = { .kind = (enum cw_event_kind)(e->a & 0xFF),
	    .slot = (uint8_t)slot, .buf = e->buf, .len = e->len };

	(void)s;
	if (!rd->up || e->gen != rd->gen)
		return;
	if (ev.kind != CW_EV_POWERED &&
	    (uint32_t)(e->b >> 32) != rd->slot[slot].gen)
		return;
	if (ev.kind == CW_EV_NACK)
		ev.idx = (uint32_t)e->b;
	else if (ev.kind == CW_EV_POWERED)
		ev.err = (int32_t)(uint32_t)e->b;
	else
		ev.bad_cnt = (uint32_t)e->b;
	feed(rd, &ev);
}

struct post {
	enum cw_event_kind kind;
	unsigned int slot;
	uint32_t number;
	uint64_t in_us;
	const uint8_t *buf;
	size_t len;
};

static void
post(struct step_reader *rd, const struct post *p)
{
	struct step_ev e = { .gen = rd->gen,
	    .a = p->slot << 8 | (uint32_t)p->kind,
	    .b = (uint64_t)rd->slot[p->slot].gen << 32 | p->number,
	    .buf = (uint8_t *)(uintptr_t)p->buf, .len = p->len };

	cw_step_at_buf(rd->s, p->in_us, line_event, rd, &e);
}

static uint64_t
etu_us(const struct slot *sl, uint64_t etu)
{
	return etu * sl->etu_clk * 1000 / (sl->clk_hz / 1000) + 1;
}

/* A PULLED card: the world, the switch and later the device learn of it. */
static void
left(struct cw_step *s, struct step_ev *e)
{
	struct step_reader *rd = e->obj;
	struct step_card *c = cw_step_world_at(s, rd->line, e->a);

	if (c == NULL || c->no != e->gen)
		return;
	cw_step_world_leave(s, rd->line, e->a, STEP_AT_LOST);
	cw_step_dev_lost(s, rd->line, e->a);
}

static void
see_left(struct step_reader *rd, unsigned int slot, const struct cw_sim_io *io)
{
	unsigned int station = station_of(rd, slot);
	struct step_card *c = cw_step_world_at(rd->s, rd->line, station);

	if (io->left && c != NULL)
		cw_step_at_buf(rd->s, cw_step_between(rd->s, 100, 20000), left, rd,
		    &(struct step_ev){ .gen = c->no, .a = station });
}

static int
card_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	struct step_reader *rd = dev;
	struct cw_sim_card *card = card_at(rd, slot);
	struct post p = { CW_EV_POWERED, slot, 0, 1000, NULL, 0 };

	rd->slot[slot].gen++;
	if (card != NULL)
		cw_sim_card_power(card, vcc_mv != 0);
	else if (vcc_mv != 0)
		p.number = (uint32_t)CW_EREMOVED;
	post(rd, &p);
	return 0;
}

static int
card_reset(void *dev, uint8_t slot, bool asserted)
{
	struct step_reader *rd = dev;
	struct cw_sim_card *card = card_at(rd, slot);

	if (!asserted)
		rd->slot[slot].etu_clk = ETU_CLK;
	if (card != NULL)
		cw_sim_card_reset(card, asserted);
	return 0;
}

static int
card_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	struct step_reader *rd = dev;
	struct cw_sim_card *card = card_at(rd, slot);

	if (line->clk_hz < 1000000 || line->etu_clk == 0)
		return CW_ERANGE;
	rd->slot[slot].clk_hz = line->clk_hz;
	rd->slot[slot].etu_clk = line->etu_clk;
	if (card != NULL)
		cw_sim_card_line(card, line->clk_hz, line->etu_clk);
	return 0;
}

static int
card_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line)
{
	uint16_t fi;
	uint32_t fmax_hz;
	uint8_t di;

	(void)dev;
	(void)slot;
	if (cw_pps_fidi(ta1, &fi, &fmax_hz, &di) < 0)
		return CW_ERANGE;
	line->clk_hz = fmax_hz < CLK_MAX_HZ ? fmax_hz : CLK_MAX_HZ;
	line->etu_clk = (fi + di / 2u) / di;
	return 0;
}

static int
card_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct step_reader *rd = dev;
	struct cw_sim_card *card = card_at(rd, slot);
	struct cw_sim_io io = { 0 };
	struct post p = { CW_EV_SENT, slot, 0, 0, NULL, 0 };
	size_t n = len;

	if (card != NULL)
		n = cw_sim_card_chars(card, buf, len, &io);
	else
		io.etu = 12 * len;
	if (n < len) {
		p.kind = CW_EV_NACK;
		p.number = (uint32_t)n;
	}
	p.in_us = etu_us(&rd->slot[slot], io.etu + io.busy_etu);
	post(rd, &p);
	see_left(rd, slot, &io);
	return 0;
}

static int
card_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	struct step_reader *rd = dev;
	struct cw_sim_card *card = card_at(rd, slot);
	struct cw_sim_io io = { 0 };
	struct post p = { CW_EV_RECV, slot, 0, 0, NULL, 0 };
	uint8_t buf[1024];

	if (cap > sizeof buf)
		cap = sizeof buf;
	if (card != NULL)
		p.len = cw_sim_card_listen(card, buf, cap, wait_etu, &io);
	p.buf = buf;
	p.number = io.bad_cnt;
	if (p.len == 0) {
		p.kind = io.parity ? CW_EV_PARITY : CW_EV_SILENT;
		if (!io.parity)
			io.etu = wait_etu;
	}
	p.in_us = etu_us(&rd->slot[slot], io.etu + io.busy_etu);
	post(rd, &p);
	cw_wipe(buf, sizeof buf);
	see_left(rd, slot, &io);
	return 0;
}

static void
card_abort(void *dev, uint8_t slot)
{
	struct step_reader *rd = dev;

	rd->slot[slot].gen++;
}

static int
card_present(void *dev, uint8_t slot)
{
	struct step_reader *rd = dev;

	return rd->slot[slot].present;
}

static const struct cw_card_ops card_ops = {
	card_power, card_reset, card_set_line, card_best_line, card_send,
	card_recv, card_abort, card_present,
};

/* ---- network, store, system ---------------------------------------------- */

static int
net_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	struct step_reader *rd = dev;
	struct step_conn *c = cw_step_rlink_conn(rd->s, conn);

	if (c == NULL || !c->rd)
		return CW_ECLOSED;
	return cw_step_rlink_reader_send(rd->s, c, buf, len);
}

static void
net_close(void *dev, int conn)
{
	struct step_reader *rd = dev;
	struct step_conn *c = cw_step_rlink_conn(rd->s, conn);

	if (c != NULL && c->rd)
		cw_step_rlink_close(rd->s, c, STEP_UP);
}

static const struct cw_net_ops net_ops = { net_send, net_close };

static int
store_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	struct step_reader *rd = dev;

	CW_ASSERT(off <= sizeof rd->store && len <= sizeof rd->store - off);
	memcpy(rd->store + off, buf, len);
	return 0;
}

static const uint8_t *
store_lend(void *dev, uint32_t off, size_t len)
{
	struct step_reader *rd = dev;

	CW_ASSERT(off <= sizeof rd->store && len <= sizeof rd->store - off);
	return rd->store + off;
}

static const struct cw_image_ops store_ops = { store_write, store_lend };

static void
sys_random(void *dev, uint8_t *buf, size_t len)
{
	struct step_reader *rd = dev;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)cw_step_rand(rd->s);
}

static void
sys_watchdog(void *dev)
{
	(void)dev;
}

static void
sys_log(void *dev, int level, const char *line)
{
	struct step_reader *rd = dev;

	if (level <= 3)
		cw_step_say(rd->s, "reader", "line %u reader %u: %s", rd->line + 1,
		    rd->idx + 1, line);
}

static const struct cw_sys_ops sys_ops = { sys_random, sys_watchdog, sys_log };

/* ---- life ---------------------------------------------------------------- */

int
cw_step_reader_new(struct cw_step *s, unsigned int line, unsigned int r)
{
	struct step_reader *rd = calloc(1, sizeof *rd);

	if (rd == NULL)
		return CW_ENOMEM;
	s->line[line].reader[r] = rd;
	rd->core = calloc(1, cw_reader_size());
	if (rd->core == NULL)
		return CW_ENOMEM;
	rd->s = s;
	rd->line = line;
	rd->idx = r;
	return 0;
}

void
cw_step_reader_free(struct cw_step *s, unsigned int line, unsigned int r)
{
	struct step_reader *rd = reader_of(s, line, r);

	if (rd != NULL)
		free(rd->core);
	free(rd);
	s->line[line].reader[r] = NULL;
}

bool
cw_step_reader_up(const struct cw_step *s, unsigned int line, unsigned int r)
{
	return reader_of(s, line, r)->up;
}

void
cw_step_reader_start(struct cw_step *s, unsigned int line, unsigned int r)
{
	struct step_reader *rd = reader_of(s, line, r);
	struct cw_reader_config cfg = { .card = &card_ops, .net = &net_ops,
	    .store = &store_ops, .sys = &sys_ops, .dev = rd,
	    .firmware = "cardwright-stepper", .clk_hz = CLK_HZ,
	    .vcc_mv = 5000, .queue_mem = rd->queue, .rx_mem = rd->rx,
	    .tx_mem = rd->tx };

	if (rd->up)
		return;
	memset(rd->core, 0, cw_reader_size());
	memset(rd->queue, 0, sizeof rd->queue);
	memset(rd->rx, 0, sizeof rd->rx);
	memset(rd->tx, 0, sizeof rd->tx);
	rd->gen++;
	rd->up = true;
	rd->tick_us = STEP_NEVER;
	cfg.boot_id = cw_step_rand(s);
	cfg.slot_cnt = (uint8_t)s->plan.slots;
	cfg.store_cap = sizeof rd->store;
	cfg.queue_mem_len = s->plan.slots * QUEUE_LEN;
	cfg.serial[0] = (uint8_t)line;
	cfg.serial[1] = (uint8_t)r;
	for (unsigned int k = 0; k < s->plan.slots; k++) {
		rd->slot[k].clk_hz = CLK_HZ;
		rd->slot[k].etu_clk = ETU_CLK;
		rd->slot[k].present = card_at(rd, k) != NULL;
	}
	if (cw_reader_init(rd->core, &cfg, s->now) < 0) {
		cw_step_bad(s, "stepper", "a reader does not start");
		return;
	}
	cw_step_say(s, "reader", "line %u reader %u: starts", line + 1, r + 1);
	feed(rd, &(struct cw_event){ .kind = CW_EV_TICK });
}

static void
start_again(struct cw_step *s, struct step_ev *e)
{
	struct step_reader *rd = e->obj;

	cw_step_reader_start(s, rd->line, rd->idx);
}

void
cw_step_reader_kill(struct cw_step *s, unsigned int line, unsigned int r)
{
	struct step_reader *rd = reader_of(s, line, r);

	if (!rd->up)
		return;
	cw_step_count(s, CW_SF_READER_KILL);
	cw_step_say(s, "reader", "line %u reader %u: power cut", line + 1, r + 1);
	rd->up = false;
	rd->gen++;
	for (unsigned int k = 0; k < s->plan.slots; k++)
		if (card_at(rd, k) != NULL)
			cw_sim_card_power(card_at(rd, k), false);
	for (struct step_conn *c = s->conns; c != NULL; c = c->next)
		if (c->line == line && c->reader == r && c->rd) {
			c->rd = false;
			cw_step_rlink_cut(s, c);
		}
	cw_step_at(s, cw_step_between(s, 50 * STEP_MS, 8 * STEP_SEC), start_again, rd,
	    0);
}

void
cw_step_reader_open(struct cw_step *s, struct step_conn *c)
{
	struct step_reader *rd = reader_of(s, c->line, c->reader);

	feed(rd, &(struct cw_event){ .kind = CW_EV_NET_OPEN, .conn = c->id });
}

void
cw_step_reader_data(struct cw_step *s, struct step_conn *c, const uint8_t *buf,
    size_t len)
{
	struct step_reader *rd = reader_of(s, c->line, c->reader);

	if (rd->up)
		feed(rd, &(struct cw_event){ .kind = CW_EV_NET_DATA,
		    .conn = c->id, .buf = buf, .len = len });
}

void
cw_step_reader_room(struct cw_step *s, struct step_conn *c)
{
	struct step_reader *rd = reader_of(s, c->line, c->reader);

	if (rd->up)
		feed(rd, &(struct cw_event){ .kind = CW_EV_NET_ROOM,
		    .conn = c->id });
}

void
cw_step_reader_closed(struct cw_step *s, struct step_conn *c)
{
	struct step_reader *rd = reader_of(s, c->line, c->reader);

	if (rd->up)
		feed(rd, &(struct cw_event){ .kind = CW_EV_NET_CLOSED,
		    .conn = c->id });
}

/* e->a: slot, e->b: present. */
static void
moved(struct cw_step *s, struct step_ev *e)
{
	struct step_reader *rd = e->obj;

	(void)s;
	if (!rd->up || rd->slot[e->a].present == (e->b != 0))
		return;
	rd->slot[e->a].present = e->b != 0;
	feed(rd, &(struct cw_event){ .kind = CW_EV_CARD, .slot = (uint8_t)e->a,
	    .len = e->b != 0 });
}

void
cw_step_reader_card(struct cw_step *s, unsigned int line, unsigned int station,
    bool present)
{
	struct step_reader *rd = reader_of(s, line,
	    station / s->plan.slots);

	cw_step_at_buf(s, cw_step_between(s, 1000, 3000), moved, rd,
	    &(struct step_ev){ .a = station % s->plan.slots, .b = present });
}

bool
cw_step_reader_search(const struct cw_step *s, unsigned int line, unsigned int r,
    const uint8_t *needle, size_t len)
{
	const struct step_reader *rd = reader_of(s, line, r);

	return memmem(rd->core, cw_reader_size(), needle, len) != NULL ||
	    memmem(rd->queue, s->plan.slots * QUEUE_LEN, needle, len) != NULL ||
	    memmem(rd->rx, sizeof rd->rx, needle, len) != NULL ||
	    memmem(rd->tx, sizeof rd->tx, needle, len) != NULL ||
	    memmem(rd->store, sizeof rd->store, needle, len) != NULL;
}
