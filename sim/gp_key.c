/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "sim/gp_priv.h"

#define ENTRY_LEN 5	/* of a stored DGI: application, id, length */

static void
set_drop(struct cw_sim_gp *g, struct cw_gps_set *s)
{
	const struct cw_keys *k = &g->cfg.keys;

	if (s->own) {
		k->ops->drop(k->ctx, s->key.enc);
		k->ops->drop(k->ctx, s->key.mac);
		k->ops->drop(k->ctx, s->key.dek);
	}
	memset(s, 0, sizeof *s);
}

/* One key of the command (table 11-68); 0 or a status word. */
static uint16_t
get_key(struct cw_sim_gp *g, struct cw_rd *r, struct cw_gps_set *s, uint32_t *key)
{
	const struct cw_keys *k = &g->cfg.keys;
	uint8_t type = cw_rd_u8(r), len = cw_rd_u8(r), kcv_len, kcv[3];
	const uint8_t *b, *want;
	size_t n = len;

	if (type != (g->cfg.proto == 2 ? 0x80 : 0x88))
		return 0x6A80;
	if ((b = cw_rd_bytes(r, len)) == NULL || len == 0)
		return 0x6A80;
	s->alg = CW_KEY_DES3;

	/* Both codings of AES keys: with the key's length first, or without. */
	if (type == 0x88) {
		if (len % 16 == 1) {
			n = b[0];
			b++;
			len--;
		}
		s->alg = n == 16 ? CW_KEY_AES128 : n == 24 ? CW_KEY_AES192 : CW_KEY_AES256;
	}
	if (n != cw_key_len(s->alg) || len != (n + 15) / 16 * 16)
		return 0x6A80;
	kcv_len = cw_rd_u8(r);
	want = cw_rd_bytes(r, kcv_len);
	if (want == NULL || (kcv_len != 0 && kcv_len != 3))
		return 0x6A80;
	if (k->ops->unwrap(k->ctx, g->scp.dek, s->alg, b, len, key) < 0 ||
	    cw_key_kcv(k, *key, kcv) < 0)
		return 0x6581;
	if (kcv_len == 3 && !cw_equal_ct(kcv, want, 3))
		return 0x6982;
	return 0;
}

/* Where the set goes: index, or -1 and a status word. */
static int
set_place(const struct cw_sim_gp *g, uint8_t old, uint8_t version, uint16_t *sw)
{
	int i, found = -1;

	*sw = 0x6A88;
	for (i = 0; i < CW_GPS_SETS; i++) {
		if (!g->set[i].used)
			continue;
		if (g->set[i].version == version && version != old) {
			*sw = 0x6A80;
			return -1;
		}
		if (old != 0 ? g->set[i].version == old : g->set[i].version == 0xFF)
			found = i;
	}
	if (found >= 0 || old != 0)
		return found;
	for (i = 0; i < CW_GPS_SETS && g->set[i].used; i++)
		;
	*sw = 0x6A84;
	return i < CW_GPS_SETS ? i : -1;
}

uint16_t
cw_gps_put_key(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	struct cw_rd r = cw_rd_init(c->a->data, c->a->lc);
	struct cw_gps_set set = { .used = true, .own = true };
	uint32_t *key[3] = { &set.key.enc, &set.key.mac, &set.key.dek };
	enum cw_key_alg alg = CW_KEY_ALG_CNT;
	uint8_t kcv[3];
	uint16_t sw = 0;
	int i, at;

	/* This card changes key sets whole: three keys from identifier 1 on. */
	if (c->a->p1 > 0x7F || c->a->p2 != 0x81)
		return 0x6A86;
	set.version = cw_rd_u8(&r);
	if (set.version < 1 || set.version > 0x7F)
		return 0x6A80;
	if ((at = set_place(g, c->a->p1, set.version, &sw)) < 0)
		return sw;
	sw = 0;
	cw_wr_u8(&c->out, set.version);
	for (i = 0; i < 3 && sw == 0; i++) {
		sw = get_key(g, &r, &set, key[i]);
		if (sw == 0 && i > 0 && set.alg != alg)
			sw = 0x6A80;
		alg = set.alg;
		if (sw == 0 && cw_key_kcv(&g->cfg.keys, *key[i], kcv) == 0)
			cw_wr_bytes(&c->out, kcv, sizeof kcv);
	}
	if (sw == 0 && cw_rd_done(&r) < 0)
		sw = 0x6A80;
	if (sw != 0) {
		set_drop(g, &set);
		return sw;
	}

	/* The session lives on with its own keys, but SCP03's DEK is the static
	 * one: the new one from now on. */
	if (g->scp.proto == 3 && at == g->scp_set)
		g->scp.dek = set.key.dek;
	set_drop(g, &g->set[at]);
	g->set[at] = set;
	return 0x9000;
}

uint16_t
cw_gps_delete_key(struct cw_sim_gp *g, int id, int version)
{
	int i, at = -1, cnt = 0;

	for (i = 0; i < CW_GPS_SETS; i++) {
		cnt += g->set[i].used;
		if (g->set[i].used && g->set[i].version == version)
			at = i;
	}
	if (id != 0)
		return 0x6A80;
	if (at < 0)
		return 0x6A88;
	if (cnt == 1 || at == g->scp_set)
		return 0x6985;
	set_drop(g, &g->set[at]);
	return 0x9000;
}

static void
put_key_info(const struct cw_sim_gp *g, struct cw_wr *w)
{
	struct cw_tlv_build b;
	uint8_t info[4];
	int i, k;

	cw_tlv_build_init(&b, w->buf, w->cap);
	cw_tlv_build_open(&b, 0xE0);
	for (i = 0; i < CW_GPS_SETS; i++)
		for (k = 1; k <= 3 && g->set[i].used; k++) {
			info[0] = (uint8_t)k;
			info[1] = g->set[i].version;
			info[2] = g->set[i].alg == CW_KEY_DES3 ? 0x80 : 0x88;
			info[3] = (uint8_t)cw_key_len(g->set[i].alg);
			cw_tlv_put(&b.wr, 0xC0, info, sizeof info);
		}
	cw_tlv_build_close(&b);
	*w = b.wr;
}

/* Card recognition data: annex H.2. */
static void
put_card_data(const struct cw_sim_gp *g, struct cw_wr *w)
{
	static const uint8_t gp[] = { 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x01 };
	static const uint8_t version[] = { 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x02, 2, 3 };
	uint8_t scp[9] = { 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04 };
	struct cw_tlv_build b;

	scp[7] = g->cfg.proto;
	scp[8] = g->cfg.i;
	cw_tlv_build_init(&b, w->buf, w->cap);
	cw_tlv_build_open(&b, 0x66);
	cw_tlv_build_open(&b, 0x73);
	cw_tlv_put(&b.wr, 0x06, gp, sizeof gp);
	cw_tlv_build_open(&b, 0x60);
	cw_tlv_put(&b.wr, 0x06, version, sizeof version);
	cw_tlv_build_close(&b);
	cw_tlv_build_open(&b, 0x64);
	cw_tlv_put(&b.wr, 0x06, scp, sizeof scp);
	cw_tlv_build_close(&b);
	cw_tlv_build_close(&b);
	cw_tlv_build_close(&b);
	*w = b.wr;
}

uint16_t
cw_gps_get_data(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	uint16_t tag = (uint16_t)(c->a->p1 << 8 | c->a->p2);
	const struct cw_gps_set *s = &g->set[g->scp.open ? g->scp_set : 0];
	uint8_t cplc[42] = { 0x43, 0x57, 0x43, 0x34 }, seq[3];

	switch (tag) {
	case 0x0042:
	case 0x0045:
		if ((tag == 0x42 ? g->iin : g->cin)[0] == 0)
			return 0x6A88;
		cw_tlv_put(&c->out, tag, (tag == 0x42 ? g->iin : g->cin) + 1,
		    (tag == 0x42 ? g->iin : g->cin)[0]);
		return 0x9000;
	case 0x0066:
		put_card_data(g, &c->out);
		return 0x9000;
	case 0x00C1:
		seq[0] = (uint8_t)(s->seq >> 16);
		seq[1] = (uint8_t)(s->seq >> 8);
		seq[2] = (uint8_t)s->seq;
		cw_tlv_put(&c->out, 0xC1, seq + (g->cfg.proto == 2), g->cfg.proto);
		return 0x9000;
	case 0x00E0:
		put_key_info(g, &c->out);
		return 0x9000;
	case 0x9F7F:
		memcpy(cplc + 10, g->cfg.kdd, CW_SCP_KDD_LEN);
		cw_tlv_put(&c->out, tag, cplc, sizeof cplc);
		return 0x9000;
	default:
		return 0x6A88;
	}
}

void
cw_gps_dgi_drop(struct cw_sim_gp *g, int app)
{
	uint16_t at = 0, n;

	while (at < g->dgi_len) {
		n = (uint16_t)(ENTRY_LEN + (g->dgi[at + 3] << 8 | g->dgi[at + 4]));
		if (g->dgi[at] != app) {
			at = (uint16_t)(at + n);
			continue;
		}
		memmove(g->dgi + at, g->dgi + at + n, (size_t)(g->dgi_len - at - n));
		g->dgi_len = (uint16_t)(g->dgi_len - n);
		cw_wipe(g->dgi + g->dgi_len, n);
	}
}

/* The DGI under way is whole: in the clear from here on. */
static uint16_t
dgi_end(struct cw_sim_gp *g)
{
	uint8_t *e = g->dgi + g->dgi_at;
	size_t len = (size_t)(e[3] << 8 | e[4]);

	if (!g->dgi_secret)
		return 0;
	return cw_scp_dek(&g->scp, true, e + ENTRY_LEN, len, e + ENTRY_LEN) < 0 ?
	    0x6A80 : 0;
}

/* Id and length of a DGI (11.1.12); 0 or a status word. */
static uint16_t
dgi_begin(struct cw_sim_gp *g, struct cw_rd *r, bool secret)
{
	uint16_t id = cw_rd_u16(r), len = cw_rd_u8(r);
	uint8_t *e = g->dgi + g->dgi_len;

	if (len == 0xFF)
		len = cw_rd_u16(r);
	if (r->bad)
		return 0x6A80;
	if (len > CW_GPS_PERSO - ENTRY_LEN || g->dgi_len > CW_GPS_PERSO - ENTRY_LEN - len)
		return 0x6A84;
	e[0] = (uint8_t)g->perso;
	e[1] = (uint8_t)(id >> 8);
	e[2] = (uint8_t)id;
	e[3] = (uint8_t)(len >> 8);
	e[4] = (uint8_t)len;
	g->dgi_at = g->dgi_len;
	g->dgi_left = len;
	g->dgi_secret = secret;
	g->dgi_len = (uint16_t)(g->dgi_len + ENTRY_LEN + len);
	return 0;
}

static uint16_t
store_dgis(struct cw_sim_gp *g, const struct cw_apdu *a)
{
	struct cw_rd r = cw_rd_init(a->data, a->lc);
	bool secret = (a->p1 & 0x60) == 0x60;
	const uint8_t *b;
	uint16_t sw = 0;
	size_t n;

	while (sw == 0 && cw_rd_left(&r) > 0) {
		if (g->dgi_left == 0 && (sw = dgi_begin(g, &r, secret)) != 0)
			break;
		n = cw_rd_left(&r) < g->dgi_left ? cw_rd_left(&r) : g->dgi_left;
		b = cw_rd_bytes(&r, n);
		memcpy(g->dgi + g->dgi_len - g->dgi_left, b, n);
		g->dgi_left = (uint16_t)(g->dgi_left - n);
		if (g->dgi_left == 0)
			sw = dgi_end(g);
	}
	if (sw == 0 && (a->p1 & 0x80) != 0 && g->dgi_left > 0)
		sw = 0x6A80;
	return sw;
}

/* The domain's own data: 42 and 45 as BER-TLV. */
static uint16_t
store_own(struct cw_sim_gp *g, const struct cw_apdu *a)
{
	struct cw_rd r = cw_rd_init(a->data, a->lc);
	struct cw_tlv t;
	uint8_t *to;
	int got;

	while ((got = cw_tlv_next(&r, &t)) > 0) {
		if (t.tag != 0x42 && t.tag != 0x45)
			return 0x6A88;
		if (t.len > 16)
			return 0x6A80;
		to = t.tag == 0x42 ? g->iin : g->cin;
		to[0] = (uint8_t)t.len;
		memcpy(to + 1, t.val, t.len);
	}
	return got < 0 ? 0x6A80 : 0;
}

uint16_t
cw_gps_store_data(struct cw_sim_gp *g, struct cw_gps_cmd *c)
{
	const struct cw_apdu *a = c->a;
	uint8_t form = a->p1 & 0x18;
	uint16_t sw;

	if ((a->p1 & 0x06) != 0 || form == 0x18 || (a->p1 & 0x60) == 0x40 ||
	    a->p2 != g->store_block)
		return 0x6A86;
	if (g->perso >= 0 ? form != 0x08 : form == 0x08)
		sw = 0x6A86;
	else
		sw = g->perso >= 0 ? store_dgis(g, a) : store_own(g, a);
	g->store_block++;
	if (sw != 0 && g->dgi_left > 0) {
		g->dgi_len = g->dgi_at;
		g->dgi_left = 0;
	}
	if (sw == 0 && (a->p1 & 0x80) == 0)
		return 0x9000;

	/* After the last block the next STORE DATA is for the domain again. */
	g->store_block = 0;
	if (sw == 0) {
		if (g->perso >= 0 && g->app[g->perso].state == 0x07)
			g->app[g->perso].state = 0x0F;
		g->perso = -1;
	}
	return sw == 0 ? 0x9000 : sw;
}

int
cw_sim_gp_dgi(const struct cw_sim_gp *g, const struct cw_gp_aid *aid, uint16_t id,
    uint8_t *out, size_t cap)
{
	int app = cw_gps_app(g, aid);
	size_t at, len;

	for (at = 0; app >= 0 && at < g->dgi_len; at += ENTRY_LEN + len) {
		const uint8_t *e = g->dgi + at;

		len = (size_t)(e[3] << 8 | e[4]);
		if (e[0] != app || (e[1] << 8 | e[2]) != id)
			continue;
		if (len > cap)
			return CW_EFULL;
		memcpy(out, e + ENTRY_LEN, len);
		return (int)len;
	}
	return CW_ENOENT;
}
