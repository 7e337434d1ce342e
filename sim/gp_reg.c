/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "sim/gp_priv.h"

int
cw_gps_app(const struct cw_sim_gp *g, const struct cw_gp_aid *aid)
{
	int i;

	for (i = 0; i < CW_GPS_APPS; i++)
		if (aid->len > 0 && cw_gp_aid_equal(&g->app[i].aid, aid))
			return i;
	return -1;
}

int
cw_gps_file(const struct cw_sim_gp *g, const struct cw_gp_aid *aid)
{
	int i;

	for (i = 0; i < CW_GPS_FILES; i++)
		if (aid->len > 0 && cw_gp_aid_equal(&g->file[i].aid, aid))
			return i;
	return -1;
}

/* A field with its length before it; false when it is not there. */
static bool
get_lv(struct cw_rd *r, const uint8_t **b, uint8_t *len)
{
	*len = cw_rd_u8(r);
	*b = cw_rd_bytes(r, *len);
	return *b != NULL;
}

/* An AID with its length before it, or nothing (length 0). */
static bool
get_aid(struct cw_rd *r, struct cw_gp_aid *aid)
{
	const uint8_t *b;
	uint8_t len;

	memset(aid, 0, sizeof *aid);
	return get_lv(r, &b, &len) && (len == 0 || cw_gp_aid_set(aid, b, len) == 0);
}

static uint16_t
for_load(struct cw_sim_gp *g, struct cw_rd *r)
{
	struct cw_gp_aid aid, domain;
	const uint8_t *b;
	uint8_t len;
	int i;

	if (!get_aid(r, &aid) || aid.len == 0 || !get_aid(r, &domain) ||
	    !get_lv(r, &b, &len) || !get_lv(r, &b, &len) || !get_lv(r, &b, &len) ||
	    cw_rd_done(r) < 0)
		return 0x6A80;
	if (domain.len > 0 && !cw_gp_aid_equal(&domain, &cw_gps_isd))
		return 0x6A88;

	/* A name is given once, to whatever it may be. */
	if (cw_gps_file(g, &aid) >= 0 || cw_gps_app(g, &aid) >= 0 ||
	    cw_gp_aid_equal(&aid, &cw_gps_isd))
		return 0x6A80;
	for (i = 0; i < CW_GPS_FILES && g->file[i].aid.len > 0; i++)
		;
	if (i == CW_GPS_FILES)
		return 0x6A84;
	cw_gps_load_begin(g, &aid);
	return 0x9000;
}

/* Fields of install and make selectable: false when they do not add up. */
static bool
get_install(struct cw_rd *r, struct cw_gp_aid aid[3], uint8_t privilege[3])
{
	const uint8_t *b;
	uint8_t len;

	memset(privilege, 0, 3);
	if (!get_aid(r, &aid[0]) || !get_aid(r, &aid[1]) || !get_aid(r, &aid[2]) ||
	    !get_lv(r, &b, &len) || (len != 1 && len != 3))
		return false;
	memcpy(privilege, b, len);
	return get_lv(r, &b, &len) && get_lv(r, &b, &len) && cw_rd_done(r) == 0;
}

static uint16_t
for_install(struct cw_sim_gp *g, struct cw_rd *r, bool selectable)
{
	struct cw_gp_aid aid[3];
	uint8_t privilege[3];
	int i, f, m;

	if (!get_install(r, aid, privilege) || aid[0].len == 0 || aid[1].len == 0)
		return 0x6A80;
	if (aid[2].len == 0)
		aid[2] = aid[1];
	f = cw_gps_file(g, &aid[0]);
	if (f < 0)
		return 0x6A88;
	for (m = 0; m < g->file[f].module_cnt &&
	    !cw_gp_aid_equal(&g->file[f].module[m], &aid[1]); m++)
		;
	if (m == g->file[f].module_cnt)
		return 0x6A88;

	/* Security domains of its own, DAP, delegated management and the like
	 * are not for this card: but card lock, terminate, reset and CVM are. */
	if ((privilege[0] & 0xE1) != 0 || privilege[1] != 0 || privilege[2] != 0 ||
	    cw_gps_app(g, &aid[2]) >= 0 || cw_gps_file(g, &aid[2]) >= 0 ||
	    cw_gp_aid_equal(&aid[2], &cw_gps_isd))
		return 0x6A80;
	for (i = 0; i < CW_GPS_APPS && g->app[i].aid.len > 0; i++)
		;
	if (i == CW_GPS_APPS)
		return 0x6A84;
	g->app[i].aid = aid[2];
	g->app[i].module = aid[1];
	g->app[i].file = (uint8_t)f;
	g->app[i].state = selectable ? 0x07 : 0x03;
	memcpy(g->app[i].privilege, privilege, 3);
	return 0x9000;
}

static uint16_t
for_selectable(struct cw_sim_gp *g, struct cw_rd *r)
{
	struct cw_gp_aid aid[3];
	uint8_t privilege[3];
	int i;

	if (!get_install(r, aid, privilege) || aid[2].len == 0)
		return 0x6A80;
	if ((i = cw_gps_app(g, &aid[2])) < 0)
		return 0x6A88;
	if (g->app[i].state != 0x03)
		return 0x6985;
	g->app[i].state = 0x07;
	return 0x9000;
}

static uint16_t
for_perso(struct cw_sim_gp *g, struct cw_rd *r)
{
	struct cw_gp_aid aid;
	const uint8_t *b;
	uint8_t len;
	int i;

	if (cw_rd_u16(r) != 0 || !get_aid(r, &aid) || aid.len == 0 ||
	    !get_lv(r, &b, &len) || !get_lv(r, &b, &len) || !get_lv(r, &b, &len) ||
	    cw_rd_done(r) < 0)
		return 0x6A80;
	if ((i = cw_gps_app(g, &aid)) < 0)
		return 0x6A88;
	if (g->app[i].state < 0x07 || (g->app[i].state & 0x80) != 0)
		return 0x6985;
	g->perso = i;
	g->store_block = 0;
	return 0x9000;
}

uint16_t
cw_gps_install(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	struct cw_rd r = cw_rd_init(c->a->data, c->a->lc);
	uint16_t sw;

	if (c->a->p2 != 0)
		return 0x6A86;
	g->perso = -1;
	switch (c->a->p1) {
	case CW_GP_FOR_LOAD:
		sw = for_load(g, &r);
		break;
	case CW_GP_FOR_INSTALL:
	case CW_GP_FOR_INSTALL_SELECTABLE:
		sw = for_install(g, &r, c->a->p1 != CW_GP_FOR_INSTALL);
		break;
	case CW_GP_FOR_SELECTABLE:
		sw = for_selectable(g, &r);
		break;
	case CW_GP_FOR_PERSO:
		sw = for_perso(g, &r);
		break;
	default:
		return 0x6A86;
	}
	if (sw == 0x9000)
		cw_wr_u8(&c->out, 0);
	return sw;
}

static void
app_drop(struct cw_sim_gp *g, int i)
{
	cw_gps_dgi_drop(g, i);
	if (g->perso == i)
		g->perso = -1;
	memset(&g->app[i], 0, sizeof g->app[i]);
}

static uint16_t
delete_file(struct cw_sim_gp *g, int f, bool related)
{
	int i;

	for (i = 0; i < CW_GPS_APPS && !related; i++)
		if (g->app[i].aid.len > 0 && g->app[i].file == f)
			return 0x6985;
	for (i = 0; i < CW_GPS_APPS; i++)
		if (g->app[i].aid.len > 0 && g->app[i].file == f)
			app_drop(g, i);
	g->used_bytes -= g->file[f].len;
	memset(&g->file[f], 0, sizeof g->file[f]);
	return 0x9000;
}

uint16_t
cw_gps_delete(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	struct cw_rd r = cw_rd_init(c->a->data, c->a->lc);
	int id = 0, version = 0, got, i;
	struct cw_gp_aid aid = { 0 };
	struct cw_tlv t;

	if (c->a->p1 != 0 || (c->a->p2 & 0x7F) != 0)
		return 0x6A86;
	while ((got = cw_tlv_next(&r, &t)) > 0) {
		if (t.tag == 0x4F && cw_gp_aid_set(&aid, t.val, t.len) == 0)
			continue;
		if ((t.tag != 0xD0 && t.tag != 0xD2) || t.len != 1)
			return 0x6A80;
		*(t.tag == 0xD0 ? &id : &version) = t.val[0];
	}
	if (got < 0 || (aid.len > 0) == (id != 0 || version != 0))
		return 0x6A80;
	cw_wr_u8(&c->out, 0);
	if (aid.len == 0)
		return cw_gps_delete_key(g, id, version);
	if ((i = cw_gps_app(g, &aid)) >= 0) {
		app_drop(g, i);
		return 0x9000;
	}
	if ((i = cw_gps_file(g, &aid)) >= 0)
		return delete_file(g, i, (c->a->p2 & 0x80) != 0);
	return cw_gp_aid_equal(&aid, &cw_gps_isd) ? 0x6985 : 0x6A88;
}

/* One E3; idx counts within the kind. */
static void
put_entry(const struct cw_sim_gp *g, uint8_t kind, int i, struct cw_tlv_build *b)
{
	const struct cw_gp_aid *aid = kind == CW_GP_ISD ? &cw_gps_isd :
	    kind == CW_GP_APPS ? &g->app[i].aid : &g->file[i].aid;
	uint8_t state = kind == CW_GP_ISD ? g->life :
	    kind == CW_GP_APPS ? g->app[i].state : 0x01;
	static const uint8_t isd_privilege[3] = { 0x9E, 0xFE, 0x80 };
	int m;

	cw_tlv_build_open(b, 0xE3);
	cw_tlv_put(&b->wr, 0x4F, aid->b, aid->len);
	cw_tlv_put(&b->wr, 0x9F70, &state, 1);
	if (kind == CW_GP_ISD)
		cw_tlv_put(&b->wr, 0xC5, isd_privilege, 3);
	if (kind == CW_GP_APPS) {
		cw_tlv_put(&b->wr, 0xC5, g->app[i].privilege, 3);
		cw_tlv_put(&b->wr, 0xC4, g->file[g->app[i].file].aid.b,
		    g->file[g->app[i].file].aid.len);
	}
	if (kind == CW_GP_FILES_AND_MODULES)
		for (m = 0; m < g->file[i].module_cnt; m++)
			cw_tlv_put(&b->wr, 0x84, g->file[i].module[m].b,
			    g->file[i].module[m].len);
	if (kind != CW_GP_ISD)
		cw_tlv_put(&b->wr, 0xCC, cw_gps_isd.b, cw_gps_isd.len);
	cw_tlv_build_close(b);
}

/* Entry i of that kind is there and its name begins as the filter says. */
static bool
listed(const struct cw_sim_gp *g, uint8_t kind, int i, const struct cw_tlv *filter)
{
	const struct cw_gp_aid *aid = kind == CW_GP_ISD ? &cw_gps_isd :
	    kind == CW_GP_APPS ? &g->app[i].aid : &g->file[i].aid;

	return aid->len > 0 && filter->len <= aid->len &&
	    memcmp(aid->b, filter->val, filter->len) == 0;
}

uint16_t
cw_gps_get_status(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	uint8_t kind = c->a->p1;
	int cnt = kind == CW_GP_ISD ? 1 : kind == CW_GP_APPS ? CW_GPS_APPS : CW_GPS_FILES;
	bool next = (c->a->p2 & 0x01) != 0;
	struct cw_tlv_build b, one;
	struct cw_tlv filter;
	int i;

	if ((kind != CW_GP_ISD && kind != CW_GP_APPS && kind != CW_GP_FILES &&
	    kind != CW_GP_FILES_AND_MODULES) || (c->a->p2 & 0xFE) != 0x02)
		return 0x6A86;
	if (cw_tlv_find(c->a->data, c->a->lc, 0x4F, &filter) < 0 ||
	    filter.len > CW_GP_AID_MAX)
		return 0x6A80;
	if (next && (!g->more || g->more_kind != kind))
		return 0x6985;
	cw_tlv_build_init(&b, c->out.buf, c->out.cap);
	for (i = next ? g->more_idx : 0; i < cnt; i++) {
		if (!listed(g, kind, i, &filter))
			continue;
		one = b;
		put_entry(g, kind, i, &b);
		if (!b.wr.bad)
			continue;

		/* It did not fit: the next answer begins with it. */
		c->out = one.wr;
		g->more = true;
		g->more_kind = kind;
		g->more_idx = (uint16_t)i;
		return 0x6310;
	}
	g->more = false;
	c->out = b.wr;
	return b.wr.len == 0 ? 0x6A88 : 0x9000;
}

/* 5.1: forward, between SECURED and CARD_LOCKED also back, and to the end. */
static uint16_t
set_life(struct cw_sim_gp *g, uint8_t to)
{
	bool ok = to == CW_GP_TERMINATED ||
	    (g->life == CW_GP_OP_READY && to == CW_GP_INITIALIZED) ||
	    (g->life == CW_GP_INITIALIZED && to == CW_GP_SECURED) ||
	    (g->life == CW_GP_SECURED && to == CW_GP_CARD_LOCKED) ||
	    (g->life == CW_GP_CARD_LOCKED && to == CW_GP_SECURED);

	if (!ok)
		return 0x6985;
	g->life = to;
	return 0x9000;
}

uint16_t
cw_gps_set_status(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	uint8_t to = c->a->p2, *state;
	struct cw_gp_aid aid;
	int i;

	if (c->a->p1 == CW_GP_ISD)
		return set_life(g, to);
	if (g->life == CW_GP_CARD_LOCKED)
		return 0x6985;
	if (c->a->p1 != CW_GP_APPS && c->a->p1 != 0x60)
		return 0x6A86;
	if (cw_gp_aid_set(&aid, c->a->data, c->a->lc) < 0)
		return 0x6A80;
	if ((i = cw_gps_app(g, &aid)) < 0)
		return 0x6A88;
	state = &g->app[i].state;
	if ((to & 0x80) != 0 && (*state & 0x80) == 0)
		*state |= 0x80;			/* lock */
	else if ((to & 0x80) == 0 && (*state & 0x80) != 0 && (to & 0x7F) == (*state & 0x7F))
		*state &= 0x7F;			/* back to what it was */
	else if ((to & 0x87) == 0x07 && (*state & 0x80) == 0 && *state >= 0x07)
		*state = to;			/* the application's own states */
	else
		return 0x6985;
	return 0x9000;
}

int
cw_sim_gp_state(const struct cw_sim_gp *g, const struct cw_gp_aid *aid)
{
	int i = cw_gps_app(g, aid);

	if (i >= 0)
		return g->app[i].state;
	return cw_gps_file(g, aid) >= 0 ? 0x01 : CW_ENOENT;
}

int
cw_sim_gp_code_len(const struct cw_sim_gp *g, const struct cw_gp_aid *aid)
{
	int f = cw_gps_file(g, aid);

	return f < 0 ? CW_ENOENT : (int)g->file[f].len;
}
