/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "sim/gp_priv.h"

const struct cw_gp_aid cw_gps_isd = { 8, { 0xA0, 0, 0, 0x01, 0x51, 0, 0, 0 } };

enum { INS_INITIALIZE = 0x50, INS_AUTHENTICATE = 0x82, INS_SELECT = 0xA4,
    INS_GET_DATA = 0xCA, INS_PUT_KEY = 0xD8, INS_STORE = 0xE2, INS_DELETE = 0xE4,
    INS_INSTALL = 0xE6, INS_LOAD = 0xE8, INS_SET_STATUS = 0xF0,
    INS_GET_STATUS = 0xF2 };

#define LEVEL_03_SEQ_MAX 0xFFFFFF

struct cw_sim_gp *
cw_sim_gp_new(const struct cw_sim_gp_config *cfg)
{
	struct cw_sim_gp *g = calloc(1, sizeof *g);

	if (g == NULL)
		return NULL;
	g->cfg = *cfg;
	if (g->cfg.proto == 0) {
		g->cfg.proto = 3;
		g->cfg.i = 0x70;
	}
	if (g->cfg.tries == 0)
		g->cfg.tries = CW_SIM_GP_TRIES;
	if (g->cfg.memory_bytes == 0)
		g->cfg.memory_bytes = 65536;
	g->rand = cfg->seed * 2 + 1;
	g->life = CW_GP_OP_READY;
	g->tries = g->cfg.tries;
	g->set[0].used = true;
	g->set[0].version = cfg->version != 0 ? cfg->version : 0xFF;
	g->set[0].key = cfg->initial;
	if (cfg->keys.ops->alg(cfg->keys.ctx, cfg->initial.enc, &g->set[0].alg) < 0) {
		free(g);
		return NULL;
	}
	g->cin[0] = CW_SCP_KDD_LEN;
	memcpy(g->cin + 1, cfg->kdd, CW_SCP_KDD_LEN);
	cw_sim_gp_reset(g);
	return g;
}

void
cw_sim_gp_free(struct cw_sim_gp *g)
{
	int i;

	if (g == NULL)
		return;
	cw_scp_end(&g->scp);
	for (i = 0; i < CW_GPS_SETS; i++)
		if (g->set[i].own) {
			g->cfg.keys.ops->drop(g->cfg.keys.ctx, g->set[i].key.enc);
			g->cfg.keys.ops->drop(g->cfg.keys.ctx, g->set[i].key.mac);
			g->cfg.keys.ops->drop(g->cfg.keys.ctx, g->set[i].key.dek);
		}
	cw_wipe(g, sizeof *g);
	free(g);
}

/* A DGI that did not come to its end is none. */
static void
dgi_abort(struct cw_sim_gp *g)
{
	if (g->dgi_left > 0)
		g->dgi_len = g->dgi_at;
	g->dgi_left = 0;
}

/* The session and what hangs on it. */
static void
session_end(struct cw_sim_gp *g)
{
	cw_scp_end(&g->scp);
	memset(&g->load, 0, sizeof g->load);
	g->perso = -1;
	g->store_block = 0;
	dgi_abort(g);
	g->more = false;
}

void
cw_sim_gp_reset(struct cw_sim_gp *g)
{
	session_end(g);
	g->selected = -1;
}

/* The application whose name begins so: index, -1 the domain, -2 none. */
static int
match(const struct cw_sim_gp *g, const uint8_t *aid, size_t len)
{
	int i;

	if (len == 0 || (len <= cw_gps_isd.len && memcmp(cw_gps_isd.b, aid, len) == 0))
		return -1;
	for (i = 0; i < CW_GPS_APPS; i++)
		if (g->app[i].aid.len >= len && g->app[i].aid.len > 0 &&
		    memcmp(g->app[i].aid.b, aid, len) == 0 &&
		    (g->app[i].state & 0x80) == 0 && g->app[i].state >= 0x07)
			return i;
	return -2;
}

static void
put_fci(struct cw_sim_gp *g, struct cw_wr *w)
{
	static const uint8_t max[] = { 0xFF };
	const struct cw_gp_aid *aid = g->selected < 0 ? &cw_gps_isd :
	    &g->app[g->selected].aid;
	struct cw_tlv_build b;

	cw_tlv_build_init(&b, w->buf, w->cap);
	cw_tlv_build_open(&b, 0x6F);
	cw_tlv_put(&b.wr, 0x84, aid->b, aid->len);
	cw_tlv_build_open(&b, 0xA5);
	if (g->selected < 0)
		cw_tlv_put(&b.wr, 0x9F65, max, sizeof max);
	cw_tlv_build_close(&b);
	cw_tlv_build_close(&b);
	*w = b.wr;
}

static uint16_t
do_select(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	int i;

	if (c->a->p1 != 0x04 || c->a->p2 != 0x00)
		return 0x6A86;
	if (c->a->lc > CW_GP_AID_MAX)
		return 0x6700;
	if (g->life == CW_GP_TERMINATED)
		return 0x6A82;
	i = match(g, c->a->data, c->a->lc);
	if (i == -2 || (i >= 0 && g->life == CW_GP_CARD_LOCKED))
		return 0x6A82;
	session_end(g);
	g->selected = i;
	put_fci(g, &c->out);

	/* 9.9: a locked card says so to whoever selects the domain. */
	return g->life == CW_GP_CARD_LOCKED ? 0x6283 : 0x9000;
}

static int
set_find(const struct cw_sim_gp *g, uint8_t version)
{
	int i;

	for (i = 0; i < CW_GPS_SETS; i++)
		if (g->set[i].used && (version == 0 || g->set[i].version == version))
			return i;
	return -1;
}

static void
random_fill(struct cw_sim_gp *g, uint8_t out[16])
{
	int i;

	for (i = 0; i < 16; i++) {
		g->rand = g->rand * UINT64_C(6364136223846793005) + 1442695040888963407u;
		out[i] = (uint8_t)(g->rand >> 56);
	}
}

static uint16_t
do_initialize(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	struct cw_scp_card p = { .proto = g->cfg.proto, .i = g->cfg.i,
	    .kdd = g->cfg.kdd, .aid = cw_gps_isd.b, .aid_len = cw_gps_isd.len };
	uint8_t random[16];
	int i = set_find(g, c->a->p1), n;

	session_end(g);
	if (g->selected >= 0)
		return 0x6D00;
	if (c->a->p2 != 0x00)
		return 0x6A86;
	if (i < 0)
		return 0x6A88;
	if (g->tries == 0)
		return 0x6983;
	random_fill(g, random);
	p.version = g->set[i].version;
	p.random = random;
	p.host_challenge = c->a->data;
	p.host_challenge_len = c->a->lc;
	if (c->a->lc != (g->cfg.proto == 3 && (g->cfg.i & CW_SCP_I_S16) != 0 ? 16u : 8u))
		return 0x6700;
	if (g->cfg.proto == 3 && (g->cfg.i & CW_SCP_I_PSEUDO) != 0) {
		if (g->set[i].seq == LEVEL_03_SEQ_MAX)
			return 0x6985;
		g->set[i].seq++;
	}
	p.seq = g->set[i].seq;
	n = cw_scp_card_begin(&g->scp, &g->cfg.keys, &g->set[i].key, &p, c->out.buf);
	if (n < 0)
		return 0x6F00;
	c->out.len = (size_t)n;
	g->scp_set = i;
	return 0x9000;
}

static uint16_t
do_authenticate(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	int err;

	if (g->selected >= 0)
		return 0x6D00;
	if (!g->scp.begun || g->scp.open)
		return 0x6985;
	if (c->a->p2 != 0x00)
		return 0x6A86;

	/* The try is counted before the comparison, as cards must. */
	g->tries--;
	err = cw_scp_card_auth(&g->scp, c->a);
	if (err == 0) {
		g->tries = g->cfg.tries;
		if (g->cfg.proto == 2)
			g->set[g->scp_set].seq = (g->set[g->scp_set].seq + 1) & 0xFFFF;
		return 0x9000;
	}
	session_end(g);
	if (err == CW_EUNSUPPORTED || err == CW_EFORMAT) {
		g->tries++;
		return err == CW_EFORMAT ? 0x6700 : 0x6A86;
	}
	if (g->tries == 0)
		return 0x6983;
	return err == CW_EDENIED ? 0x6300 : 0x6982;
}

/* The commands that only an authenticated host may give. */
static uint16_t
content(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	uint8_t ins = c->a->ins;

	/* A load that another command interrupts is lost (9.3.5). */
	if (g->load.on && ins != INS_LOAD)
		memset(&g->load, 0, sizeof g->load);
	if (ins != INS_STORE) {
		g->store_block = 0;
		dgi_abort(g);
	}
	if (ins != INS_GET_STATUS)
		g->more = false;
	if (g->life == CW_GP_TERMINATED ||
	    (g->life == CW_GP_CARD_LOCKED && ins != INS_SET_STATUS))
		return 0x6985;
	switch (ins) {
	case INS_PUT_KEY:
		return cw_gps_put_key(g, c);
	case INS_STORE:
		return cw_gps_store_data(g, c);
	case INS_DELETE:
		return cw_gps_delete(g, c);
	case INS_INSTALL:
		return cw_gps_install(g, c);
	case INS_LOAD:
		return cw_gps_load(g, c);
	case INS_SET_STATUS:
		return cw_gps_set_status(g, c);
	default:
		return cw_gps_get_status(g, c);
	}
}

static bool
is_content(uint8_t ins)
{
	return ins == INS_PUT_KEY || ins == INS_STORE || ins == INS_DELETE ||
	    ins == INS_INSTALL || ins == INS_LOAD || ins == INS_SET_STATUS ||
	    ins == INS_GET_STATUS;
}

/* A command to the domain under its session, if it has one. */
static uint16_t
protected_run(struct cw_sim_gp *g, struct cw_gps_cmd *c, struct cw_apdu *a)
{
	uint8_t plain[CW_GP_DATA_MAX];
	uint16_t sw;
	int n;

	if (g->scp.open && cw_scp_card_unwrap(&g->scp, a, plain, sizeof plain) < 0) {
		session_end(g);
		return 0x6982;
	}
	if (!g->scp.open && (is_content(a->ins) || (a->cla & 0x04) != 0))
		return 0x6982;
	sw = a->ins == INS_GET_DATA ? cw_gps_get_data(g, c) : content(g, c);
	cw_wipe(plain, sizeof plain);
	if (c->out.bad) {
		c->out.len = 0;
		sw = 0x6F00;
	}
	if (!g->scp.open)
		return sw;
	n = cw_scp_card_wrap(&g->scp, c->out.buf, c->out.len, CW_SIM_GP_RSP_MAX, sw);
	if (n < 0)
		return 0x6F00;
	c->out.len = (size_t)n;
	return sw;
}

static uint16_t
dispatch(struct cw_sim_gp *g, struct cw_gps_cmd *c, struct cw_apdu *a)
{
	if (a->cla == 0x00 && a->ins == INS_SELECT)
		return do_select(g, c);
	if ((a->cla & 0x40) != 0 || (a->cla & 0x03) != 0)
		return 0x6881;
	if ((a->cla & 0xFB) != 0x80 && !(a->cla == 0x00 && a->ins == INS_GET_DATA))
		return 0x6E00;
	if (g->selected >= 0)
		return 0x6D00;
	if (a->ins == INS_INITIALIZE && (a->cla & 0x04) == 0)
		return g->life == CW_GP_TERMINATED ? 0x6985 : do_initialize(g, c);
	if (a->ins == INS_AUTHENTICATE)
		return do_authenticate(g, c);
	if (!is_content(a->ins) && a->ins != INS_GET_DATA)
		return 0x6D00;

	/* EXTERNAL AUTHENTICATE must follow INITIALIZE UPDATE at once. */
	if (g->scp.begun && !g->scp.open)
		session_end(g);
	return protected_run(g, c, a);
}

uint16_t
cw_sim_gp_apdu(struct cw_sim_gp *g, const struct cw_apdu *apdu, uint8_t *rsp,
    size_t *rsp_len)
{
	/* Room is left for what a session adds to a response. */
	struct cw_apdu a = *apdu;
	struct cw_gps_cmd c = { &a, cw_wr_init(rsp,
	    CW_SIM_GP_RSP_MAX - CW_SCP_OVERHEAD_MAX) };
	uint16_t sw;

	*rsp_len = 0;
	if (a.lc > CW_GP_DATA_MAX)
		return 0x6700;
	sw = dispatch(g, &c, &a);
	if (sw == 0x9000 || sw >> 8 == 0x62 || sw >> 8 == 0x63)
		*rsp_len = c.out.len;
	return sw;
}

uint8_t
cw_sim_gp_life(const struct cw_sim_gp *g)
{
	return g->life;
}

uint8_t
cw_sim_gp_tries(const struct cw_sim_gp *g)
{
	return g->tries;
}
