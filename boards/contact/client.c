/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/pps.h"

#define INITIAL_WAIT_ETU 9600	/* ISO/IEC 7816-3:2006, 8.1 */
/* Table 7 allows more for some F; the lines on this link stop here. */
#define CLK_MAX_HZ 5000000u

static void
post(struct cw_contact_client *c, struct cw_event *ev)
{
	ev->slot = c->cfg.slot;
	c->cfg.post(c->cfg.dev, ev);
}

/* ---- out ----------------------------------------------------------------- */

static void
out_msg(struct cw_contact_client *c, uint8_t type, const uint8_t *body, size_t len)
{
	uint8_t *p = c->out + c->out_len;

	/* One question at a time, and what is ahead of it. */
	CW_ASSERT(c->out_len + CW_CONTACT_HDR + len <= sizeof c->out);
	p[0] = type;
	p[1] = 0;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	memcpy(p + CW_CONTACT_HDR, body, len);
	c->out_len += CW_CONTACT_HDR + len;
}

static void
out_listen(struct cw_contact_client *c, uint32_t wait_etu)
{
	uint8_t b[6];
	struct cw_wr w = cw_wr_init(b, sizeof b);

	cw_wr_u16(&w, CW_CONTACT_FIFO);
	cw_wr_u32(&w, wait_etu);
	out_msg(c, CW_CT_LISTEN, b, w.len);
	c->listening = true;
	c->listen_wait_etu = wait_etu;
}

size_t
cw_contact_client_output(const struct cw_contact_client *c, const uint8_t **buf)
{
	*buf = c->out + c->out_off;
	return c->out_len - c->out_off;
}

void
cw_contact_client_sent(struct cw_contact_client *c, size_t len)
{
	CW_ASSERT(len <= c->out_len - c->out_off);
	cw_wipe(c->out + c->out_off, len);
	c->out_off += len;
	if (c->out_off == c->out_len)
		c->out_off = c->out_len = 0;
}

/* ---- in ------------------------------------------------------------------ */

/* Gives the core what the FIFO holds; its recv is answered. */
static void
fifo_give(struct cw_contact_client *c)
{
	struct cw_event ev = { .kind = CW_EV_RECV };
	size_t n = c->fifo_len - c->fifo_off;

	if (n > c->recv_cap)
		n = c->recv_cap;
	c->receiving = false;
	ev.buf = c->fifo + c->fifo_off;
	ev.len = n;
	ev.bad_cnt = c->bad_cnt;
	ev.line_etu = c->etu;
	c->bad_cnt = 0;
	c->etu = 0;
	c->fifo_off += n;
	post(c, &ev);
}

static void
recv_end(struct cw_contact_client *c, enum cw_event_kind kind)
{
	struct cw_event ev = { .kind = kind };

	c->receiving = false;
	post(c, &ev);
}

static int
in_present(struct cw_contact_client *c, struct cw_rd *r)
{
	struct cw_event ev = { .kind = CW_EV_CARD };
	bool present = cw_rd_u8(r) != 0;

	c->attached = true;
	if (!present && !c->present)
		return 0;
	c->present = present;
	ev.len = present;
	post(c, &ev);
	return 0;
}

static int
in_powered(struct cw_contact_client *c, struct cw_rd *r)
{
	struct cw_event ev = { .kind = CW_EV_POWERED };

	ev.err = (int16_t)cw_rd_u16(r);
	if (c->stale_power > 0) {
		c->stale_power--;
		return 0;
	}
	if (c->power_out == 0)
		return 0;
	c->power_out--;
	post(c, &ev);
	return 0;
}

static int
in_taken(struct cw_contact_client *c, struct cw_rd *r)
{
	struct cw_event ev = { .kind = CW_EV_SENT };
	uint16_t cnt = cw_rd_u16(r);

	if (c->stale_taken > 0) {
		c->stale_taken--;
		return 0;
	}
	if (!c->sending)
		return 0;
	c->sending = false;
	ev.line_etu = cw_rd_u32(r);
	if (cnt < c->sent_len) {
		ev.kind = CW_EV_NACK;
		ev.idx = cnt;
		c->fifo_ahead = false;
		if (c->listening)
			c->stale_listen++;
		c->listening = false;
	}
	post(c, &ev);
	return 0;
}

/* True when the answer to a LISTEN is still awaited. */
static bool
listen_live(struct cw_contact_client *c)
{
	if (c->stale_listen > 0) {
		c->stale_listen--;
		return false;
	}
	if (!c->listening)
		return false;
	c->listening = false;
	return true;
}

static int
in_chars(struct cw_contact_client *c, struct cw_rd *r)
{
	uint32_t etu = cw_rd_u32(r);
	uint16_t bad_cnt = cw_rd_u16(r);
	size_t len = cw_rd_left(r);

	if (!listen_live(c) || len == 0 || len > sizeof c->fifo)
		return 0;
	memcpy(c->fifo, cw_rd_bytes(r, len), len);
	c->fifo_len = len;
	c->fifo_off = 0;
	c->etu += etu;
	c->bad_cnt += bad_cnt;
	if (c->receiving)
		fifo_give(c);
	return 0;
}

static int
in_silent(struct cw_contact_client *c, struct cw_rd *r)
{
	(void)cw_rd_u32(r);
	if (!listen_live(c))
		return 0;
	if (!c->receiving)
		c->silent_etu = c->listen_wait_etu;
	else if (c->listen_wait_etu < c->recv_wait_etu)
		out_listen(c, c->recv_wait_etu);
	else
		recv_end(c, CW_EV_SILENT);
	return 0;
}

static int
in_parity(struct cw_contact_client *c, struct cw_rd *r)
{
	(void)r;
	if (!listen_live(c))
		return 0;
	if (c->receiving)
		recv_end(c, CW_EV_PARITY);
	else
		c->parity = true;
	return 0;
}

static void
why(struct cw_contact_client *c, const uint8_t *text, size_t len)
{
	if (len >= sizeof c->why)
		len = sizeof c->why - 1;
	memcpy(c->why, text, len);
	c->why[len] = '\0';
}

static int
in_refused(struct cw_contact_client *c, struct cw_rd *r)
{
	size_t len;

	(void)cw_rd_u16(r);
	len = cw_rd_left(r);
	why(c, cw_rd_bytes(r, len), len);
	return CW_EDENIED;
}

static int
in_strange(struct cw_contact_client *c)
{
	static const char text[] = "the other side does not speak the contact link";

	why(c, (const uint8_t *)text, sizeof text - 1);
	return CW_EPROTO;
}

static const struct {
	uint8_t type;
	uint16_t min, max;	/* of the body */
	int (*take)(struct cw_contact_client *c, struct cw_rd *r);
} answers[] = {
	{ CW_CT_PRESENT, 1, 1, in_present },
	{ CW_CT_POWERED, 2, 2, in_powered },
	{ CW_CT_TAKEN, 6, 6, in_taken },
	{ CW_CT_RXCHARS, 7, 6 + CW_CONTACT_FIFO, in_chars },
	{ CW_CT_SILENT, 4, 4, in_silent },
	{ CW_CT_PARITY, 0, 0, in_parity },
	{ CW_CT_REFUSED, 2, CW_CONTACT_BODY_MAX, in_refused },
};

static int
in_msg(struct cw_contact_client *c, uint8_t type, const uint8_t *body, size_t len)
{
	struct cw_rd r = cw_rd_init(body, len);
	size_t i;

	for (i = 0; i < sizeof answers / sizeof answers[0]; i++)
		if (answers[i].type == type)
			break;
	if (i == sizeof answers / sizeof answers[0] || len < answers[i].min ||
	    len > answers[i].max)
		return in_strange(c);
	return answers[i].take(c, &r);
}

int
cw_contact_client_input(struct cw_contact_client *c, const uint8_t *buf, size_t len)
{
	size_t want = CW_CONTACT_HDR, used = 0, n;
	int err;

	/* The head tells how long the whole is. */
	for (;;) {
		if (c->rx_len >= CW_CONTACT_HDR)
			want = CW_CONTACT_HDR +
			    (size_t)(c->rx[2] << 8 | c->rx[3]);
		if (want > sizeof c->rx)
			return in_strange(c);
		n = want - c->rx_len;
		if (n == 0)
			break;
		if (n > len - used)
			n = len - used;
		if (n == 0)
			return (int)used;
		memcpy(c->rx + c->rx_len, buf + used, n);
		c->rx_len += n;
		used += n;
	}
	err = in_msg(c, c->rx[0], c->rx + CW_CONTACT_HDR, want - CW_CONTACT_HDR);
	cw_wipe(c->rx, want);
	c->rx_len = 0;
	return err < 0 ? err : (int)used;
}

/* ---- ops ----------------------------------------------------------------- */

/* What was sent and asked before is nobody's business any more. */
void
cw_contact_client_abort(struct cw_contact_client *c)
{
	c->cfg.unpost(c->cfg.dev);
	if (c->sending)
		c->stale_taken++;
	if (c->listening)
		c->stale_listen++;
	c->sending = c->receiving = c->listening = c->parity = false;
	c->silent_etu = 0;
	c->fifo_len = c->fifo_off = 0;
	cw_wipe(c->fifo, sizeof c->fifo);
}

int
cw_contact_client_power(struct cw_contact_client *c, uint32_t vcc_mv)
{
	struct cw_event off = { .kind = CW_EV_POWERED };
	uint8_t b[4];
	struct cw_wr w = cw_wr_init(b, sizeof b);

	cw_contact_client_abort(c);
	if (!c->up) {
		if (vcc_mv > 0)
			return CW_EREMOVED;
		post(c, &off);
		return 0;
	}
	cw_wr_u32(&w, vcc_mv);
	out_msg(c, CW_CT_POWER, b, w.len);
	c->power_out++;
	c->fifo_ahead = true;
	c->recv_wait_etu = INITIAL_WAIT_ETU;
	return 0;
}

int
cw_contact_client_reset(struct cw_contact_client *c, bool asserted)
{
	uint8_t b[1] = { asserted };

	if (!c->up)
		return CW_EREMOVED;
	cw_contact_client_abort(c);
	out_msg(c, CW_CT_RESET, b, sizeof b);
	return 0;
}

int
cw_contact_client_set_line(struct cw_contact_client *c,
    const struct cw_card_line *line)
{
	uint8_t b[10];
	struct cw_wr w = cw_wr_init(b, sizeof b);

	if (!c->up)
		return CW_EREMOVED;
	if (line->clk_hz == 0 || line->etu_clk == 0)
		return CW_ERANGE;
	cw_wr_u32(&w, line->clk_hz);
	cw_wr_u32(&w, line->etu_clk);
	cw_wr_u16(&w, line->guard_etu);
	out_msg(c, CW_CT_LINE, b, w.len);
	return 0;
}

int
cw_contact_client_best_line(uint8_t ta1, struct cw_card_line *line)
{
	uint16_t fi;
	uint32_t fmax_hz;
	uint8_t di;

	if (cw_pps_fidi(ta1, &fi, &fmax_hz, &di) < 0)
		return CW_ERANGE;
	line->clk_hz = fmax_hz < CLK_MAX_HZ ? fmax_hz : CLK_MAX_HZ;
	line->etu_clk = (fi + di / 2u) / di;
	return 0;
}

int
cw_contact_client_send(struct cw_contact_client *c, const uint8_t *buf, size_t len)
{
	if (!c->up)
		return CW_EREMOVED;
	if (len == 0 || len > CW_CONTACT_BODY_MAX)
		return CW_EINVAL;
	out_msg(c, CW_CT_CHARS, buf, len);
	c->sending = true;
	c->sent_len = len;
	c->silent_etu = 0;
	if (c->fifo_ahead && !c->listening && c->fifo_off == c->fifo_len)
		out_listen(c, c->recv_wait_etu);
	return 0;
}

int
cw_contact_client_recv(struct cw_contact_client *c, size_t cap, uint32_t wait_etu)
{
	if (!c->up)
		return CW_EREMOVED;
	if (cap == 0)
		return CW_EINVAL;
	c->receiving = true;
	c->recv_cap = cap;
	c->recv_wait_etu = wait_etu;
	if (c->fifo_off < c->fifo_len) {
		fifo_give(c);
	} else if (c->parity) {
		c->parity = false;
		recv_end(c, CW_EV_PARITY);
	} else if (c->silent_etu > 0 && c->silent_etu >= wait_etu) {
		c->silent_etu = 0;
		recv_end(c, CW_EV_SILENT);
	} else if (!c->listening) {
		c->silent_etu = 0;
		out_listen(c, wait_etu);
	}
	return 0;
}

bool
cw_contact_client_waits(const struct cw_contact_client *c)
{
	return c->up && (!c->attached || c->power_out > 0 || c->sending ||
	    c->listening || c->stale_taken > 0 || c->stale_listen > 0 ||
	    c->stale_power > 0);
}

void
cw_contact_client_probe(struct cw_contact_client *c)
{
	static const uint8_t off[4];

	if (!c->up || c->power_out > 0)
		return;
	out_msg(c, CW_CT_POWER, off, sizeof off);
	c->stale_power++;
}

/* ---- the stream ------------------------------------------------------------ */

void
cw_contact_client_init(struct cw_contact_client *c,
    const struct cw_contact_client_config *cfg)
{
	memset(c, 0, sizeof *c);
	c->cfg = *cfg;
}

void
cw_contact_client_up(struct cw_contact_client *c)
{
	uint8_t b[2] = { (uint8_t)(c->cfg.station >> 8), (uint8_t)c->cfg.station };

	c->up = true;
	out_msg(c, CW_CT_ATTACH, b, sizeof b);
}

void
cw_contact_client_lost(struct cw_contact_client *c)
{
	struct cw_event gone = { .kind = CW_EV_CARD };
	struct cw_event off = { .kind = CW_EV_POWERED };
	uint32_t power_out = c->power_out;
	bool present = c->present;

	if (!c->up)
		return;
	c->up = c->attached = c->present = false;
	cw_wipe(c->out, sizeof c->out);
	cw_wipe(c->rx, sizeof c->rx);
	cw_wipe(c->fifo, sizeof c->fifo);
	c->out_len = c->out_off = c->rx_len = c->fifo_len = c->fifo_off = 0;
	c->stale_taken = c->stale_listen = c->stale_power = 0;
	c->power_out = 0;
	c->sending = c->receiving = c->listening = c->parity = false;
	c->silent_etu = 0;
	if (present)
		post(c, &gone);
	while (power_out-- > 0)
		post(c, &off);
}
