/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#include "cw/pps.h"

#define SENT_CAP (1u << 20)

uint8_t fake_out[CW_FRAME_HDR + CW_RLINK_BODY_MAX];

/* True when this call of op is to fail. */
static bool
fails(struct fake *f, enum fake_op op)
{
	unsigned int n = f->op_cnt[op]++;

	if (op != f->fail_op || n < f->fail_at ||
	    (n > f->fail_at && !f->fail_ever))
		return false;
	f->fired = true;
	return true;
}

static void
post(struct fake *f, const struct cw_event *ev)
{
	if (fails(f, OP_EVENT))
		return;
	assert_true(f->event_cnt < 64);
	f->event[f->event_cnt++] = *ev;
}

/* ---- the card ------------------------------------------------------------ */

static void
say(struct fake_card *c, const uint8_t *buf, size_t len)
{
	size_t i;

	assert_true(c->out_len + len <= sizeof c->out);
	for (i = 0; i < len; i++)
		c->out[c->out_len++] = c->inverse ? cw_atr_invert(buf[i]) :
		    buf[i];
}

static void
say_sw(struct fake_card *c)
{
	uint16_t sw = c->apdu_cnt == c->sw_at ? c->sw : 0x9000;
	uint8_t b[2] = { (uint8_t)(sw >> 8), (uint8_t)sw };

	say(c, b, 2);
	c->hdr_len = 0;
	c->apdu_cnt++;
}

static void
card_pps(struct fake_card *c)
{
	static const uint8_t no_pps1[] = { 0xff, 0x00, 0xff };
	uint8_t garbled[4];

	c->hdr_len = 0;
	switch (c->pps) {
	case PPS_ECHO:
		say(c, c->hdr, 4);
		c->ta1 = c->hdr[2];
		break;
	case PPS_NO_PPS1:
		say(c, no_pps1, 3);
		break;
	case PPS_GARBLED:
		memcpy(garbled, c->hdr, 4);
		garbled[3] ^= 1;
		say(c, garbled, 4);
		break;
	case PPS_SILENT:
		break;
	}
}

static void
card_header(struct fake_card *c)
{
	uint8_t zero[256] = { 0 };
	size_t n = c->hdr[4] == 0 ? 256 : c->hdr[4];

	if (c->hang_at >= 0 && c->apdu_cnt >= c->hang_at) {
		c->hdr_len = 0;
		return;
	}
	if (c->hdr[1] == 0xb0) {
		if (c->apdu_cnt != c->sw_at) {
			say(c, &c->hdr[1], 1);
			memcpy(zero, c->last, c->last_len);
			say(c, zero, n);
		}
		say_sw(c);
	} else if (c->hdr[4] == 0) {
		say_sw(c);
	} else {
		say(c, &c->hdr[1], 1);
		c->data_left = c->hdr[4];
		c->last_len = 0;
	}
}

static void
card_char(struct fake_card *c, uint8_t ch)
{
	if (c->data_left > 0) {
		c->last[c->last_len++] = ch;
		assert_true(c->got_len < sizeof c->got);
		c->got[c->got_len++] = ch;
		if (--c->data_left == 0)
			say_sw(c);
		return;
	}
	c->hdr[c->hdr_len++] = ch;
	if (c->hdr[0] == 0xff && c->hdr_len == 4)
		card_pps(c);
	else if (c->hdr_len == 5)
		card_header(c);
}

/* ---- card ops ------------------------------------------------------------ */

static void
card_quiet(struct fake_card *c)
{
	c->out_len = c->out_off = c->hdr_len = c->data_left = 0;
}

static int
op_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	struct fake *f = dev;
	struct cw_event ev = { .kind = CW_EV_POWERED, .slot = slot };

	if (fails(f, OP_POWER))
		return CW_EIO;
	assert_true(vcc_mv == 0 || vcc_mv == 5000);
	card_quiet(&f->card);
	f->lent = NULL;
	f->card.powered = vcc_mv > 0 && f->present == 1;
	f->card.rst = true;
	f->card.ta1 = 0x11;
	post(f, &ev);
	return 0;
}

static int
op_reset(void *dev, uint8_t slot, bool asserted)
{
	struct fake *f = dev;
	struct fake_card *c = &f->card;

	(void)slot;
	if (fails(f, OP_RESET))
		return CW_EIO;
	card_quiet(c);
	if (asserted && c->powered)
		c->warm_cnt++;
	if (!asserted && c->rst && c->powered) {
		assert_int_equal(f->line.etu_clk, 372);
		c->ta1 = c->ta1_start != 0 ? c->ta1_start : 0x11;
		c->cold_cnt++;
		if (c->mute_cnt > 0)
			c->mute_cnt--;
		else
			say(c, c->atr, c->atr_len);
	}
	c->rst = asserted;
	return 0;
}

static int
op_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	struct fake *f = dev;

	(void)slot;
	if (fails(f, OP_SET_LINE))
		return CW_EIO;
	f->line = *line;
	return 0;
}

static int
op_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line)
{
	struct fake *f = dev;
	uint16_t fi;
	uint32_t fmax_hz;
	uint8_t di;

	(void)slot;
	if (fails(f, OP_BEST_LINE))
		return CW_EIO;
	if (f->clk_best_hz == 0 || (f->ta1_best != 0 && ta1 != f->ta1_best) ||
	    cw_pps_fidi(ta1, &fi, &fmax_hz, &di) < 0)
		return CW_ERANGE;
	line->clk_hz = f->clk_best_hz;
	line->etu_clk = (fi + di / 2u) / di;
	return 0;
}

/* The card hears the reader only at the speed and in the convention it uses. */
static bool
in_tune(struct fake *f)
{
	uint16_t fi;
	uint32_t fmax_hz;
	uint8_t di;

	assert_int_equal(cw_pps_fidi(f->card.ta1, &fi, &fmax_hz, &di), 0);
	return f->card.powered && f->line.etu_clk == (fi + di / 2u) / di &&
	    f->line.convention == (f->card.inverse ? CW_INVERSE : CW_DIRECT);
}

static int
op_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct fake *f = dev;
	struct fake_card *c = &f->card;
	struct cw_event ev = { .kind = CW_EV_SENT, .slot = slot };
	size_t i;

	if (fails(f, OP_SEND))
		return CW_EIO;
	assert_true(len <= sizeof f->lent_copy);
	f->lent = buf;
	f->lent_len = len;
	memcpy(f->lent_copy, buf, len);
	c->out_len = c->out_off = 0;
	if (c->nack_at == c->apdu_cnt && c->hdr_len == 0 && buf[0] != 0xff) {
		c->nack_at = -1;
		ev.kind = CW_EV_NACK;
		post(f, &ev);
		return 0;
	}
	for (i = 0; i < len && in_tune(f); i++)
		card_char(c, c->inverse ? cw_atr_invert(buf[i]) : buf[i]);
	ev.line_etu = 12 * len;
	post(f, &ev);
	return 0;
}

static int
op_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	struct fake *f = dev;
	struct fake_card *c = &f->card;
	struct cw_event ev = { .kind = CW_EV_SILENT, .slot = slot };
	size_t n = c->out_len - c->out_off;

	if (fails(f, OP_RECV))
		return CW_EIO;
	assert_true(cap > 0 && wait_etu > 0);
	if (n > cap)
		n = cap;
	if (c->parity_at >= 0 && c->apdu_cnt > c->parity_at) {
		ev.kind = CW_EV_PARITY;
	} else if (n > 0) {
		ev.kind = CW_EV_RECV;
		memcpy(f->rx, c->out + c->out_off, n);
		c->out_off += n;
		ev.buf = f->rx;
		ev.len = n;
		ev.line_etu = 12 * n;
	}
	post(f, &ev);
	return 0;
}

static void
op_abort(void *dev, uint8_t slot)
{
	struct fake *f = dev;
	size_t i, kept = 0;

	(void)slot;

	/* What it has borrowed is still there until it gives it back. */
	if (f->lent != NULL)
		assert_memory_equal(f->lent, f->lent_copy, f->lent_len);
	f->lent = NULL;
	for (i = 0; i < f->event_cnt; i++)
		if (f->event[i].kind < CW_EV_SENT ||
		    f->event[i].kind > CW_EV_SILENT)
			f->event[kept++] = f->event[i];
	f->event_cnt = kept;
	card_quiet(&f->card);
}

static int
op_present(void *dev, uint8_t slot)
{
	struct fake *f = dev;

	(void)slot;
	return fails(f, OP_PRESENT) ? CW_EIO : f->present;
}

/* ---- the other ops ------------------------------------------------------- */

static int
op_net_send(void *dev, int conn, const uint8_t *buf, size_t len)
{
	struct fake *f = dev;

	if (fails(f, OP_NET_SEND))
		return CW_ECLOSED;
	if (f->full)
		return 0;
	if (conn != f->sent_conn) {
		if (f->other_len + len <= sizeof f->other) {
			memcpy(f->other + f->other_len, buf, len);
			f->other_len += len;
		}
		return (int)len;
	}
	assert_true(f->sent_len + len <= SENT_CAP);
	memcpy(f->sent + f->sent_len, buf, len);
	f->sent_len += len;
	return (int)len;
}

static void
op_net_close(void *dev, int conn)
{
	struct fake *f = dev;

	assert_false(f->closed[conn]);
	f->closed[conn] = true;
}

static int
op_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	struct fake *f = dev;

	if (fails(f, OP_STORE_WRITE))
		return CW_EIO;
	assert_true(off + len <= sizeof f->store);
	memcpy(f->store + off, buf, len);
	return 0;
}

static const uint8_t *
op_lend(void *dev, uint32_t off, size_t len)
{
	struct fake *f = dev;

	if (fails(f, OP_STORE_LEND))
		return NULL;
	assert_true(off + len <= sizeof f->store);
	return f->store + off;
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
	if (getenv("FAKE_LOG") != NULL)
		print_message("<%d>%s\n", level, line);
}

static const struct cw_card_ops card_ops = {
	op_power, op_reset, op_set_line, op_best_line, op_send, op_recv,
	op_abort, op_present,
};
static const struct cw_net_ops net_ops = { op_net_send, op_net_close };
static const struct cw_image_ops store_ops = { op_write, op_lend };
static const struct cw_sys_ops sys_ops = { op_random, op_watchdog, op_log };

/* ---- driving it ---------------------------------------------------------- */

struct fake *
fake_new(void)
{
	static const uint8_t atr[] = { 0x3b, 0x10, 0x96 };
	struct fake *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->sent = malloc(SENT_CAP);
	assert_non_null(f->sent);
	f->present = 1;
	f->now_us = 1000000;
	f->clk_best_hz = 5000000;
	f->card.ta1 = 0x11;
	f->card.sw_at = f->card.hang_at = f->card.nack_at = -1;
	f->card.parity_at = -1;
	memcpy(f->card.atr, atr, sizeof atr);
	f->card.atr_len = sizeof atr;
	f->cfg.card = &card_ops;
	f->cfg.net = &net_ops;
	f->cfg.store = &store_ops;
	f->cfg.sys = &sys_ops;
	f->cfg.dev = f;
	memset(f->cfg.serial, 0x5a, 16);
	strcpy(f->cfg.firmware, "fake 1");
	f->cfg.boot_id = 0x1122334455667788;
	f->cfg.slot_cnt = 1;
	f->cfg.store_cap = sizeof f->store;
	f->cfg.clk_hz = 4000000;
	f->cfg.vcc_mv = 5000;
	f->cfg.queue_mem = f->queue_mem;
	f->cfg.queue_mem_len = sizeof f->queue_mem;
	f->cfg.rx_mem = f->rx_mem;
	f->cfg.tx_mem = f->tx_mem;
	f->due_us = UINT64_MAX;
	assert_int_equal(cw_reader_init(&f->core, &f->cfg, f->now_us), 0);
	return f;
}

void
fake_end(struct fake *f)
{
	cw_reader_check(&f->core);
	free(f->sent);
	free(f);
}

void
fake_event(struct fake *f, const struct cw_event *ev)
{
	struct cw_event next = *ev;
	unsigned int guard = 0;

	for (;;) {
		if (next.kind == CW_EV_SENT || next.kind == CW_EV_NACK)
			f->lent = NULL;
		f->due_us = cw_reader_event(&f->core, &next, f->now_us);
		cw_reader_check(&f->core);
		if (f->event_cnt == 0)
			break;
		next = f->event[0];
		memmove(f->event, f->event + 1,
		    --f->event_cnt * sizeof f->event[0]);
		assert_true(++guard < 1000000);
	}
}

void
fake_run(struct fake *f, uint64_t limit_us)
{
	struct cw_event tick = { .kind = CW_EV_TICK };
	uint64_t end_us = f->now_us + limit_us;
	unsigned int guard = 0;

	fake_event(f, &tick);
	while (f->due_us <= end_us) {
		if (f->due_us > f->now_us)
			f->now_us = f->due_us;
		fake_event(f, &tick);
		assert_true(++guard < 100000);
	}
	f->now_us = end_us;
}

int
fake_connect(struct fake *f)
{
	struct cw_event ev = { .kind = CW_EV_NET_OPEN };

	ev.conn = ++f->last_conn;
	assert_true(ev.conn < 16);
	fake_event(f, &ev);
	return ev.conn;
}

void
fake_bytes(struct fake *f, int conn, const uint8_t *buf, size_t len)
{
	struct cw_event ev = { .kind = CW_EV_NET_DATA };

	if (f->closed[conn])
		return;
	ev.conn = conn;
	ev.buf = buf;
	ev.len = len;
	fake_event(f, &ev);
}

void
fake_hello(struct fake *f, int conn, const char *name, uint64_t session)
{
	struct cw_rl_hello h = { .session = session };
	int len;

	strcpy(h.terminal, name);
	len = cw_rl_put_hello(FAKE_OUT, ++f->id, &h);
	fake_bytes(f, conn, fake_out, (size_t)len);
}

int
fake_link(struct fake *f)
{
	struct cw_frame fr;

	f->sent_conn = fake_connect(f);
	f->sent_len = f->sent_off = 0;
	fake_hello(f, f->sent_conn, "line-1", 7);
	assert_true(fake_next(f, CW_RL_HELLO_OK, &fr));
	return f->sent_conn;
}

void
fake_frame(struct fake *f, int len)
{
	assert_true(len > 0);
	fake_bytes(f, f->sent_conn, fake_out, (size_t)len);
}

void
fake_run_prog(struct fake *f, uint64_t attempt, uint8_t flags,
    const uint8_t *prog, size_t len)
{
	struct cw_rl_run m = {
		.attempt = attempt, .flags = flags, .prog = prog,
		.prog_len = (uint16_t)len,
	};

	fake_frame(f, cw_rl_put_run(FAKE_OUT, ++f->id, &m));
	cw_wipe(fake_out, sizeof fake_out);
}

void
fake_slot_attempt(struct fake *f, uint8_t type, uint64_t attempt)
{
	struct cw_rl_slot_attempt m = { 0, attempt };

	fake_frame(f, cw_rl_put_slot_attempt(FAKE_OUT, ++f->id, type, &m));
}

bool
fake_next(struct fake *f, uint8_t type, struct cw_frame *out)
{
	int n;

	while (f->sent_off < f->sent_len) {
		n = cw_frame_peek(out, f->sent + f->sent_off,
		    f->sent_len - f->sent_off, CW_RLINK_VERSION,
		    CW_RLINK_BODY_MAX);
		assert_true(n > 0);
		f->sent_off += (size_t)n;
		if (out->type == type)
			return true;
	}
	return false;
}

void
fake_result(struct fake *f, struct cw_rl_result *m)
{
	struct cw_frame fr;

	assert_true(fake_next(f, CW_RL_RESULT, &fr));
	assert_int_equal(cw_rl_get_result(m, fr.body, fr.body_len), 0);
}

int
fake_error(struct fake *f)
{
	struct cw_rl_refuse m;
	struct cw_frame fr;

	assert_true(fake_next(f, CW_RL_ERROR, &fr));
	assert_int_equal(cw_rl_get_refuse(&m, fr.body, fr.body_len), 0);
	assert_true(m.text[0] != '\0');
	return m.err;
}

void
fake_insert(struct fake *f, bool inserted)
{
	struct cw_event ev = { .kind = CW_EV_CARD, .len = inserted };

	f->present = inserted;
	if (!inserted) {
		f->card.powered = false;
		card_quiet(&f->card);
	}
	fake_event(f, &ev);
}

void
fake_drop_link(struct fake *f)
{
	struct cw_event ev = { .kind = CW_EV_NET_CLOSED };

	ev.conn = f->sent_conn;
	if (!f->closed[ev.conn]) {
		f->closed[ev.conn] = true;
		fake_event(f, &ev);
	}
}

void
fake_store(struct fake *f, uint32_t len, uint8_t digest[32])
{
	struct cw_rl_store_begin b = { .len = len };
	struct cw_rl_store_data d;
	static uint8_t image[65536];
	uint32_t i;

	for (i = 0; i < len; i++)
		image[i] = (uint8_t)(i * 7 + (i >> 8));
	cw_sha256(digest, image, len);
	memcpy(b.digest, digest, 32);
	fake_frame(f, cw_rl_put_store_begin(FAKE_OUT, ++f->id, &b));
	for (i = 0; i < len; i += d.len) {
		d.off = i;
		d.buf = image + i;
		d.len = len - i < 1000 ? (uint16_t)(len - i) : 1000;
		fake_frame(f, cw_rl_put_store_data(FAKE_OUT, ++f->id, &d));
	}
	fake_frame(f, cw_rl_put_empty(FAKE_OUT, ++f->id, CW_RL_STORE_END));
}

void
fake_put_update(struct cw_prog_builder *b, uint8_t flags, const uint8_t *data,
    uint8_t len)
{
	uint8_t apdu[260] = { 0x00, 0xd6, 0x00, 0x00, len };

	memcpy(apdu + 5, data, len);
	cw_prog_apdu(b, flags, NULL, 0, apdu, 5u + len);
}

void
fake_put_read(struct cw_prog_builder *b, uint8_t flags, uint8_t n)
{
	uint8_t apdu[5] = { 0x00, 0xb0, 0x00, 0x00, n };

	cw_prog_apdu(b, flags, NULL, 0, apdu, 5);
}

void
fake_put_start(struct cw_prog_builder *b)
{
	cw_prog_reset(b, false, NULL, NULL, 0);
	cw_prog_pps(b, 0);
}

static bool
region_holds(const void *mem, size_t mem_len, const uint8_t *mark, size_t len)
{
	size_t i;

	for (i = 0; i + 8 <= len; i++)
		if (memmem(mem, mem_len, mark + i, 8) != NULL)
			return true;
	return false;
}

bool
fake_holds(const struct fake *f, const uint8_t *mark, size_t len)
{
	return region_holds(&f->core, sizeof f->core, mark, len) ||
	    region_holds(f->queue_mem, sizeof f->queue_mem, mark, len) ||
	    fake_link_holds(f, mark, len);
}

bool
fake_link_holds(const struct fake *f, const uint8_t *mark, size_t len)
{
	return region_holds(f->rx_mem, sizeof f->rx_mem, mark, len) ||
	    region_holds(f->tx_mem, sizeof f->tx_mem, mark, len);
}
