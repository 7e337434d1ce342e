/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/gpload.h"
#include "sim/gp_priv.h"

enum mode { HEAD, DAP, COMPONENT, BODY, DONE };

static const struct {
	uint8_t tag;
	bool must;
} component[CW_GP_CAP_CNT] = {
#define X(sym, name, number, needed) [CW_GP_CAP_##sym] = { (number), (needed) },
	CW_GP_CAP_MAP(X)
#undef X
};

void
cw_gps_load_begin(struct cw_sim_gp *g, const struct cw_gp_aid *aid)
{
	memset(&g->load, 0, sizeof g->load);
	g->load.on = true;
	g->load.aid = *aid;
	g->load.comp = -1;
}

/* A byte of E2 or C4's tag and length; 0 or a status word. */
static uint16_t
head_byte(struct cw_sim_gp *g, uint8_t b)
{
	struct cw_gps_load *l = &g->load;
	uint32_t len = 0;
	size_t i, more;

	l->head[l->head_len++] = b;
	if (l->head[0] != 0xE2 && l->head[0] != 0xC4)
		return 0x6A80;
	if (l->head_len < 2)
		return 0;
	more = l->head[1] & 0x80 ? l->head[1] & 0x7F : 0;
	if (more > 3 || l->head[1] == 0x80)
		return 0x6A80;
	if (l->head_len < 2 + more)
		return 0;
	for (i = 0; i < more; i++)
		len = len << 8 | l->head[2 + i];
	l->left = more == 0 ? l->head[1] : len;
	l->head_len = 0;
	l->mode = l->left == 0 ? HEAD : DAP;
	if (l->head[0] == 0xE2)
		return 0;
	if (l->left > g->cfg.memory_bytes - g->used_bytes)
		return 0x6A84;
	l->body_left = l->total = l->left;
	l->mode = l->left == 0 ? DONE : COMPONENT;
	return 0;
}

/* A byte of a component's tag and length. */
static uint16_t
component_byte(struct cw_gps_load *l, uint8_t b)
{
	int i;

	l->head[l->head_len++] = b;
	if (l->head_len == 1) {
		for (i = l->comp + 1; i < CW_GP_CAP_CNT && component[i].tag != b; i++)
			;
		if (i == CW_GP_CAP_CNT)
			return 0x6A80;
		l->comp = (int8_t)i;
		l->seen |= (uint16_t)(1u << i);
	}
	if (l->head_len < 3)
		return 0;
	l->left = (uint32_t)l->head[1] << 8 | l->head[2];
	l->head_len = 0;
	if (l->left > l->body_left)
		return 0x6A80;
	l->mode = l->left > 0 ? BODY : COMPONENT;
	return 0;
}

static void
body_byte(struct cw_gps_load *l, uint8_t b)
{
	if (l->comp == CW_GP_CAP_APPLET && l->applet_len < sizeof l->applet)
		l->applet[l->applet_len++] = b;
	if (l->comp == CW_GP_CAP_HEADER && l->package_len < sizeof l->package)
		l->package[l->package_len++] = b;
	if (--l->left == 0)
		l->mode = COMPONENT;
}

static uint16_t
load_byte(struct cw_sim_gp *g, uint8_t b)
{
	struct cw_gps_load *l = &g->load;
	uint16_t sw = 0;

	switch (l->mode) {
	case HEAD:
		return head_byte(g, b);
	case DAP:
		if (--l->left == 0)
			l->mode = HEAD;
		return 0;
	case COMPONENT:
		l->body_left--;
		sw = component_byte(l, b);
		break;
	case BODY:
		l->body_left--;
		body_byte(l, b);
		break;
	default:
		return 0x6A80;	/* beyond the end */
	}
	if (sw == 0 && l->body_left == 0)
		l->mode = l->mode == COMPONENT && l->head_len == 0 ? DONE : DAP;
	return sw == 0 && l->mode == DAP ? 0x6A80 : sw;
}

/* The whole file is here: into the registry. */
static uint16_t
finish(struct cw_sim_gp *g)
{
	struct cw_gps_load *l = &g->load;
	struct cw_rd r = cw_rd_init(l->package, l->package_len);
	struct cw_gps_file file = { .aid = l->aid, .len = l->total };
	struct cw_gp_aid aid;
	const uint8_t *b;
	uint8_t cnt, len;
	int i;

	for (i = 0; i < CW_GP_CAP_CNT; i++)
		if (component[i].must && (l->seen & 1u << i) == 0)
			return 0x6A80;
	if (l->mode != DONE || cw_rd_u32(&r) != 0xDECAFFED)
		return 0x6A80;
	cw_rd_bytes(&r, 5);
	len = cw_rd_u8(&r);
	b = cw_rd_bytes(&r, len);

	/* The load file is called as INSTALL [for load] said. */
	if (b == NULL || cw_gp_aid_set(&aid, b, len) < 0 ||
	    !cw_gp_aid_equal(&aid, &l->aid))
		return 0x6A80;
	r = cw_rd_init(l->applet, l->applet_len);
	cnt = l->applet_len > 0 ? cw_rd_u8(&r) : 0;
	for (i = 0; i < cnt && i < CW_GPS_MODULES; i++) {
		len = cw_rd_u8(&r);
		b = cw_rd_bytes(&r, len);
		cw_rd_u16(&r);
		if (r.bad || cw_gp_aid_set(&file.module[i], b, len) < 0)
			return 0x6A80;
		file.module_cnt++;
	}
	for (i = 0; g->file[i].aid.len > 0; i++)
		;
	g->file[i] = file;
	g->used_bytes += file.len;
	return 0x9000;
}

uint16_t
cw_gps_load(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	struct cw_gps_load *l = &g->load;
	bool last = c->a->p1 == 0x80;
	uint16_t sw = 0;
	uint32_t i;

	if (!l->on)
		return 0x6985;
	if ((c->a->p1 & 0x7F) != 0 || c->a->p2 != l->block)
		sw = 0x6A86;
	for (i = 0; i < c->a->lc && sw == 0; i++)
		sw = load_byte(g, c->a->data[i]);
	l->block++;
	if (sw == 0 && !last && l->block == 0)
		sw = 0x6A86;	/* 256 blocks are all that P2 can count */
	if (sw == 0 && last)
		sw = finish(g);
	if (sw == 0)
		sw = 0x9000;

	/* A load that went wrong is rolled back (9.3.5): nothing was kept. */
	if (sw != 0x9000 || last)
		memset(l, 0, sizeof *l);
	if (sw == 0x9000)
		cw_wr_u8(&c->out, 0);
	return sw;
}
