/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "rig.h"

/* ---- the wire ------------------------------------------------------------ */

static int
wire_listen(void *ctx, int n, uint32_t ip, uint16_t port)
{
	struct rig_sock *s = &((struct rig *)ctx)->sock[n];

	(void)ip;
	memset(s, 0, sizeof *s);
	s->listening = true;
	s->port = port;
	return 0;
}

static bool
wire_accept(void *ctx, int n, struct cw_vb_peer *peer)
{
	struct rig_sock *s = &((struct rig *)ctx)->sock[n];

	if (!s->calling)
		return false;
	s->calling = s->listening = false;
	s->opened = true;
	peer->ip = 0x7F000001;
	peer->port = 40000;
	return true;
}

static int
wire_connect(void *ctx, int n, const struct cw_vb_peer *peer)
{
	(void)ctx;
	(void)n;
	(void)peer;
	return CW_ECLOSED;
}

static int
wire_udp(void *ctx, int n, uint32_t ip, uint16_t port)
{
	return wire_listen(ctx, n, ip, port);
}

static int
wire_recv(void *ctx, int n, uint8_t *buf, size_t cap, struct cw_vb_peer *from)
{
	struct rig_sock *s = &((struct rig *)ctx)->sock[n];

	(void)from;
	if (cap > s->in_len)
		cap = s->in_len;
	if (cap == 0)
		return s->ended ? CW_ECLOSED : 0;
	memcpy(buf, s->in, cap);
	s->in_len -= cap;
	memmove(s->in, s->in + cap, s->in_len);
	return (int)cap;
}

static int
wire_send(void *ctx, int n, const uint8_t *buf, size_t len, const struct cw_vb_peer *to)
{
	struct rig_sock *s = &((struct rig *)ctx)->sock[n];

	(void)to;
	if (len > sizeof s->out - s->out_len)
		len = sizeof s->out - s->out_len;
	memcpy(s->out + s->out_len, buf, len);
	s->out_len += len;
	return (int)len;
}

static void
wire_close(void *ctx, int n, bool gentle)
{
	struct rig_sock *s = &((struct rig *)ctx)->sock[n];

	(void)gentle;
	s->closed = s->opened;
	s->listening = s->opened = false;
}

static const struct cw_vb_net_ops wire = {
	wire_listen, wire_accept, wire_connect, wire_udp, wire_recv, wire_send, wire_close,
};

int
rig_call(struct rig *r, uint16_t port)
{
	int n;

	for (n = 0; n < 8; n++) {
		if (r->sock[n].listening && r->sock[n].port == port) {
			r->sock[n].calling = true;
			cw_vb_net_kick(r->vb);
			return n;
		}
	}
	fail_msg("no socket of the board listens on %u", port);
	return -1;
}

void
rig_say(struct rig *r, int n, const uint8_t *buf, size_t len)
{
	struct rig_sock *s = &r->sock[n];

	assert_true(len <= sizeof s->in - s->in_len);
	memcpy(s->in + s->in_len, buf, len);
	s->in_len += len;
	cw_vb_net_kick(r->vb);
}

void
rig_hang_up(struct rig *r, int n)
{
	r->sock[n].ended = true;
	cw_vb_net_kick(r->vb);
}

/* ---- the board ----------------------------------------------------------- */

static void
hear(void *ctx, const uint8_t *buf, size_t len)
{
	struct rig *r = ctx;

	if (len > sizeof r->console - 1 - r->console_len)
		len = sizeof r->console - 1 - r->console_len;
	memcpy(r->console + r->console_len, buf, len);
	r->console_len += len;
	r->console[r->console_len] = '\0';
}

static void
traced(void *ctx, const char *line)
{
	struct rig *r = ctx;

	if (r->on_trace != NULL)
		r->on_trace(r->trace_ctx, line);
}

void
rig_open(struct rig *r, const char *elf)
{
	int i;

	r->flash = aligned_alloc(4096, CW_VB_FLASH_LEN);
	r->eeprom = malloc(CW_VB_EEPROM_LEN);
	assert_non_null(r->flash);
	assert_non_null(r->eeprom);
	memset(r->flash, 0xFF, CW_VB_FLASH_LEN);
	memset(r->eeprom, 0xFF, CW_VB_EEPROM_LEN);
	r->cfg.flash = r->flash;
	r->cfg.eeprom = r->eeprom;
	memcpy(r->cfg.uid, "RIGRIGRIGRIG", 12);
	r->cfg.console = hear;
	if (r->on_trace != NULL)
		r->cfg.trace = traced;
	r->cfg.ctx = r;
	for (i = 0; i < CW_VB_SLOTS; i++) {
		r->cfg.contact[i] = &cw_incard_ops;
		r->cfg.contact_ctx[i] = &r->card[i];
	}
	r->cfg.net = &wire;
	r->cfg.net_ctx = r;
	r->vb = cw_vb_new(&r->cfg);
	assert_non_null(r->vb);
	assert_int_equal(cw_vb_load(r->vb, elf), 0);
	cw_vb_power_on(r->vb);
}

void
rig_close(struct rig *r)
{
	int i;

	cw_vb_free(r->vb);
	for (i = 0; i < CW_VB_SLOTS; i++)
		cw_sim_card_free(r->card[i].card);
	free(r->flash);
	free(r->eeprom);
	memset(r, 0, sizeof *r);
}

void
rig_power(struct rig *r)
{
	cw_vb_power_on(r->vb);
}

void
rig_run_ms(struct rig *r, uint32_t ms)
{
	enum cw_vb_stop stop = cw_vb_run(r->vb, cw_vb_now(r->vb) + CW_VB_MS(ms));

	if (stop != CW_VB_UNTIL)
		fail_msg("stopped (%d): %s", stop, cw_vb_message(r->vb));
}

uint32_t
rig_word(const struct rig *r, const char *symbol, unsigned idx)
{
	uint32_t addr = cw_vb_symbol(r->vb, symbol), v = 0;

	assert_true(addr != 0);
	assert_int_equal(cw_vb_mem(r->vb, addr + 4 * idx, (uint8_t *)&v, 4), 0);
	return v;
}
