/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/*
 * A card slot: the interface chip (TDA8024 kind), the card's line character by
 * character, and the monitor that holds it against ISO/IEC 7816-3:2006.
 *
 * The card begins 12 etu after our last leading edge (10.2), or when its chip
 * has done its work, and sends at 12 etu; a character that our receiver refuses
 * comes again at 13 (7.3).  In T=1, which a line without error signal is taken
 * for, it begins after 22 (11.2).
 */
#define ATR_CLOCKS 500u		/* 400 to 40000 after RST (6.2.2) */
#define REPEAT_MAX 3
#define TS_INVERSE 0x03		/* 3F as it looks under the direct convention */

#define CR1_PS (1u << 9)
#define CR1_UE (1u << 13)
#define CR2_CLKEN (1u << 11)
#define CR3_NACK (1u << 4)
#define CR3_SCEN (1u << 5)
#define SR_PE 1u

static bool
signals_errors(const struct cw_vb *vb, unsigned n)
{
	const struct vb_usart *u = &vb->usart[n];

	return (u->cr3 & (CR3_SCEN | CR3_NACK)) == (CR3_SCEN | CR3_NACK);
}

/* Does our receiver count parity as this card does? */
static bool
parity_fits(const struct cw_vb *vb, unsigned n)
{
	return ((vb->usart[n].cr1 & CR1_PS) != 0) == vb->card[n].inverse;
}

static uint64_t
milli(const struct vb_card *c, uint64_t ticks)
{
	return c->etu == 0 ? 0 : (ticks * 1000 + c->etu / 2) / c->etu;
}

/* T=1, as far as the line shows it: after the ATR nobody signals errors. */
static bool
is_t1(const struct cw_vb *vb, unsigned n)
{
	return !signals_errors(vb, n) && vb->card[n].ts_seen;
}

static uint64_t
turn_etu(const struct cw_vb *vb, unsigned n)
{
	return is_t1(vb, n) ? 22 : 12;
}

/* ---- monitor ------------------------------------------------------------- */

static void
violation(struct cw_vb *vb, unsigned n, const char *what, uint64_t metu)
{
	vb->card[n].st.violations++;
	vb_tracef(vb, "card%u VIOLATION %s %u.%03u etu", n, what,
	    (unsigned)(metu / 1000), (unsigned)(metu % 1000));
}

static void
measure(struct cw_vb *vb, unsigned n, uint64_t edge, bool ours)
{
	struct vb_card *c = &vb->card[n];
	uint64_t d = milli(c, edge - c->last_edge), least = 12000;

	if (c->last_edge == 0 || c->etu == 0)
		return;
	if (ours != c->last_ours)
		least = turn_etu(vb, n) * 1000;
	else if (is_t1(vb, n))
		least = 11000;
	if (c->nacked)
		least = 13000;
	c->st.used += d;
	c->st.least += least;
	if (!ours)
		return;
	if (d + 5 < least)
		violation(vb, n, c->last_ours ? "guard" : "turn-around", d);
	if (c->last_ours) {
		if (c->st.guard_min == 0 || d < c->st.guard_min)
			c->st.guard_min = d;
		return;
	}
	if (c->st.turn_min == 0 || d < c->st.turn_min)
		c->st.turn_min = d;
	c->st.gaps++;
	c->st.gap_sum += d > least ? d - least : 0;
	if (d > least && d - least > c->st.gap_max)
		c->st.gap_max = d - least;
}

static void
edge(struct cw_vb *vb, unsigned n, uint64_t at, bool ours)
{
	struct vb_card *c = &vb->card[n];

	measure(vb, n, at, ours);
	c->nacked = false;
	c->last_edge = at;
	c->last_ours = ours;
}

/* ---- the card speaks ----------------------------------------------------- */

static void
wait_for(struct cw_vb *vb, unsigned n, enum vb_card_wait what, uint64_t at)
{
	vb->card[n].wait = what;
	if (what == VB_CW_NONE)
		vb_timer_off(vb, VB_T_CARD0 + n);
	else
		vb_timer_at(vb, VB_T_CARD0 + n, at);
}

/* Asks the card; what it says begins at `from` or when its work is done. */
static void
ask(struct cw_vb *vb, unsigned n, uint64_t from)
{
	struct vb_card *c = &vb->card[n];
	const struct cw_vb_contact_ops *ops = vb->cfg.contact[n];

	wait_for(vb, n, VB_CW_NONE, 0);
	c->said.heard = CW_VB_SILENT;
	c->said.busy_etu = 0;
	if (!c->powered || !c->rst_high || c->etu == 0 || c->clk == 0)
		return;
	ops->listen(vb->cfg.contact_ctx[n], UINT32_MAX, &c->said);
	if (c->said.heard == CW_VB_SILENT)
		return;
	c->st.busy += c->said.busy_etu * 1000;
	c->rx_edge = from + c->said.busy_etu * c->etu;
	c->repeats = 0;
	wait_for(vb, n, VB_CW_TALK, c->rx_edge);
}

/* Leading edge of the card's character: our sampling comes behind it. */
static void
talk(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];

	if (vb->usart[n].sending && vb->usart[n].tx_start + 10 * c->etu > c->rx_edge)
		violation(vb, n, "collision", 0);
	edge(vb, n, c->rx_edge, false);
	wait_for(vb, n, VB_CW_SAMPLE,
	    c->rx_edge + c->etu * vb_usart_sample(vb, n) / 16);
}

static void
sample(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];
	bool wrong = c->said.heard != CW_VB_CHAR, t1 = is_t1(vb, n);
	uint16_t ch = c->said.ch;

	if (!c->ts_seen)
		c->inverse = ch == TS_INVERSE;
	wrong ^= !parity_fits(vb, n);
	/* The ninth bit stands in DR: even parity when it fits. */
	ch |= (uint16_t)((__builtin_parity(ch) != 0) ^ c->inverse ^
	    (c->said.heard != CW_VB_CHAR) ? 0x100 : 0);
	c->st.received++;
	vb_tracef(vb, "card%u <- %02x%s", n, c->said.ch, wrong ? " parity" : "");
	c->nacked = wrong && signals_errors(vb, n);
	if (c->nacked)
		c->st.nacks_out++;
	wait_for(vb, n, VB_CW_NEXT, c->rx_edge + c->etu * (c->nacked ? 13 : t1 ? 11 : 12));
	vb_usart_rx(vb, n, ch, wrong ? SR_PE : 0);
}

static void
next(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];
	uint64_t from = vb->ev_at;

	c->ts_seen = true;
	if (c->nacked && c->repeats < REPEAT_MAX) {
		c->repeats++;
		if (c->said.heard == CW_VB_WRONG)
			c->said.heard = CW_VB_CHAR;
		c->rx_edge = from;
		wait_for(vb, n, VB_CW_TALK, from);
		return;
	}
	if (c->nacked || c->said.heard == CW_VB_GARBLED) {
		wait_for(vb, n, VB_CW_NONE, 0);
		return;
	}
	ask(vb, n, from);
}

void
vb_card_fire(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];

	switch (c->wait) {
	case VB_CW_ASK: ask(vb, n, vb->ev_at); break;
	case VB_CW_TALK: talk(vb, n); break;
	case VB_CW_SAMPLE: sample(vb, n); break;
	case VB_CW_NEXT: next(vb, n); break;
	case VB_CW_NONE: break;
	}
}

/* ---- we speak ------------------------------------------------------------ */

void
vb_card_edge(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];
	uint64_t end = c->rx_edge + c->etu * 11;

	if (!c->powered || c->etu == 0)
		return;
	if (c->wait == VB_CW_ASK)
		wait_for(vb, n, VB_CW_NONE, 0);
	else if ((c->wait == VB_CW_SAMPLE || c->wait == VB_CW_NEXT) &&
	    vb->usart[n].tx_start < end)
		violation(vb, n, "collision", 0);
	edge(vb, n, vb->usart[n].tx_start, true);
}

bool
vb_card_sent(struct cw_vb *vb, unsigned n, uint16_t ch)
{
	struct vb_card *c = &vb->card[n];
	bool taken;

	if (!c->powered || !c->rst_high || c->clk == 0 || c->etu == 0)
		return true;
	c->st.sent++;
	taken = parity_fits(vb, n) &&
	    vb->cfg.contact[n]->take(vb->cfg.contact_ctx[n], (uint8_t)ch,
	    signals_errors(vb, n));
	vb_tracef(vb, "card%u -> %02x%s", n, ch & 0xFF, taken ? "" : " refused");
	c->nacked = !taken;
	if (!taken) {
		c->st.nacks_in++;
		return !signals_errors(vb, n);
	}
	if (c->wait == VB_CW_NONE)
		wait_for(vb, n, VB_CW_ASK, c->last_edge + c->etu * turn_etu(vb, n));
	return true;
}

/* ---- contacts ------------------------------------------------------------ */

static void
show_off(struct cw_vb *vb, unsigned n)
{
	const struct vb_card *c = &vb->card[n];
	bool high = c->active ? !c->alarm : c->present;

	vb_pin_drive(vb, vb_slot_pins[n].off, high ? -1 : 0);
}

static void
cut_power(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];

	if (c->powered)
		vb->cfg.contact[n]->power(vb->cfg.contact_ctx[n], 0);
	c->powered = c->rst_high = c->nacked = false;
	wait_for(vb, n, VB_CW_NONE, 0);
}

static void
give_power(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];
	uint32_t mv = vb_pin(vb, vb_slot_pins[n].vsel) ? 5000 : 3000;

	cw_vb_line_clear(vb, (int)n);
	c->powered = true;
	c->rst_high = false;
	vb->cfg.contact[n]->power(vb->cfg.contact_ctx[n], mv);
	vb_tracef(vb, "card%u power %u mV", n, mv);
}

static void
set_rst(struct cw_vb *vb, unsigned n, bool high)
{
	struct vb_card *c = &vb->card[n];

	c->rst_high = high;
	vb->cfg.contact[n]->reset(vb->cfg.contact_ctx[n], !high);
	vb_tracef(vb, "card%u rst %s", n, high ? "high" : "low");
	c->ts_seen = c->inverse = c->nacked = false;
	c->last_edge = 0;
	wait_for(vb, n, VB_CW_NONE, 0);
	if (high && c->clk == 0)
		violation(vb, n, "RST without a clock", 0);
	else if (high)
		ask(vb, n, vb->now + ATR_CLOCKS * c->clk);
}

void
vb_card_pins(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];
	bool active = !vb_pin(vb, vb_slot_pins[n].cmdvcc);
	bool rst = vb_pin(vb, vb_slot_pins[n].rstin);

	if (vb->cfg.contact[n] == NULL)
		return;
	if (active && !c->active) {
		c->active = true;
		if (c->present)
			give_power(vb, n);
		else
			c->alarm = true;
	} else if (!active && c->active) {
		vb_tracef(vb, "card%u off", n);
		cut_power(vb, n);
		c->active = c->alarm = false;
	}
	if (c->powered && rst != c->rst_high)
		set_rst(vb, n, rst);
	show_off(vb, n);
}

/* The USART's rate and clock output. */
void
vb_card_clock(struct cw_vb *vb, unsigned n)
{
	struct vb_card *c = &vb->card[n];
	const struct vb_usart *u = &vb->usart[n];
	uint32_t psc = u->gtpr & 31, pclk = vb_usart_pclk(vb, n);
	bool runs = (u->cr2 & CR2_CLKEN) != 0 && (u->cr1 & CR1_UE) != 0 && psc != 0 &&
	    (u->cr3 & CR3_SCEN) != 0;
	uint32_t clk = runs ? pclk / (2 * psc) : 0;
	uint32_t etu_clk = runs ? (u->brr + psc) / (2 * psc) : c->etu_clk;

	c->etu = (uint64_t)u->brr * (CW_VB_HZ / pclk);
	c->clk = clk == 0 ? 0 : CW_VB_HZ / clk;
	if (clk != 0)
		c->st.etu_milliclk = u->brr * 500u / psc;
	if (clk == c->clk_hz && etu_clk == c->etu_clk)
		return;
	c->clk_hz = c->st.clk_hz = clk;
	c->etu_clk = etu_clk;
	if (vb->cfg.contact[n] == NULL || clk == 0 || etu_clk == 0)
		return;
	if (clk > 5000000 && !c->ts_seen)
		violation(vb, n, "card clock above 5 MHz", 0);
	vb->cfg.contact[n]->line(vb->cfg.contact_ctx[n], clk, etu_clk);
	vb_tracef(vb, "card%u line %u Hz %u clocks per etu", n, clk, etu_clk);
}

void
cw_vb_card_changed(struct cw_vb *vb, int slot)
{
	struct vb_card *c = &vb->card[slot];
	const struct cw_vb_contact_ops *ops = vb->cfg.contact[slot];

	c->present = ops != NULL && ops->present(vb->cfg.contact_ctx[slot]);
	if (!c->present && c->active) {
		cut_power(vb, (unsigned)slot);
		c->alarm = true;
	}
	show_off(vb, (unsigned)slot);
}

void
cw_vb_overcurrent(struct cw_vb *vb, int slot)
{
	struct vb_card *c = &vb->card[slot];

	if (!c->active)
		return;
	cut_power(vb, (unsigned)slot);
	c->alarm = true;
	show_off(vb, (unsigned)slot);
}

void
vb_card_reset(struct cw_vb *vb)
{
	unsigned n;

	for (n = 0; n < CW_VB_SLOTS; n++) {
		cut_power(vb, n);
		vb->card[n].active = vb->card[n].alarm = false;
		vb->card[n].clk = vb->card[n].etu = 0;
		vb->card[n].clk_hz = 0;
		cw_vb_card_changed(vb, (int)n);
	}
}

/* ---- figures ------------------------------------------------------------- */

void
cw_vb_line_stat(const struct cw_vb *vb, int slot, struct cw_vb_line_stat *st)
{
	*st = vb->card[slot].st;
}

void
cw_vb_line_clear(struct cw_vb *vb, int slot)
{
	struct vb_card *c = &vb->card[slot];
	uint32_t milliclk = c->st.etu_milliclk;

	memset(&c->st, 0, sizeof c->st);
	c->st.clk_hz = c->clk_hz;
	c->st.etu_milliclk = milliclk;
	c->last_edge = 0;
}
