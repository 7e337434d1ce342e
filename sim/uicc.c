/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/milenage.h"
#include "host/aes.h"
#include "sim/uicc_priv.h"

enum { INS_VERIFY = 0x20, INS_CHANGE = 0x24, INS_DISABLE = 0x26,
    INS_ENABLE = 0x28, INS_UNBLOCK = 0x2C, INS_AUTHENTICATE = 0x88,
    INS_SELECT = 0xA4, INS_READ_BINARY = 0xB0, INS_READ_RECORD = 0xB2,
    INS_GET_RESPONSE = 0xC0, INS_UPDATE_BINARY = 0xD6,
    INS_UPDATE_RECORD = 0xDC, INS_STATUS = 0xF2 };

#define FID_APP 0x7FFF		/* the current application: TS 102 221, 8.3 */

void
cw_uicc_reset(struct cw_sim_card *c)
{
	struct cw_uicc *u = c->uicc;

	memset(u->ok, 0, sizeof u->ok);
	u->df = 0;
	u->ef = u->app = -1;
}

/* ---- SELECT, STATUS ---- */

/* TS 102 221, 8.4.2: the MF, children, the current DF, its parent, DFs beside it. */
static int
reach(const struct cw_uicc *u, uint16_t fid)
{
	const struct uicc_file *f = u->d->file;
	int up = f[u->df].parent, i;

	if (fid == 0x3F00)
		return 0;
	if (fid == FID_APP)
		return u->app;
	if ((i = cw_uicc_child(u->d, u->df, fid)) >= 0)
		return i;
	if (fid == f[u->df].fid)
		return u->df;
	if (fid == f[up].fid)
		return up;
	i = cw_uicc_child(u->d, up, fid);
	return i >= 0 && f[i].kind == UICC_DF ? i : -1;
}

static int
walk(const struct cw_uicc *u, int from, const uint8_t *path, size_t len)
{
	size_t k;
	int i = from;

	if (len == 0 || len % 2 != 0)
		return -1;
	for (k = 0; k < len && i >= 0; k += 2) {
		uint16_t fid = (uint16_t)(path[k] << 8 | path[k + 1]);

		i = k == 0 && fid == FID_APP ? u->app :
		    cw_uicc_child(u->d, i, fid);
	}
	return i;
}

/* The first application whose AID begins like this. */
static int
by_aid(const struct cw_uicc *u, const uint8_t *aid, size_t len)
{
	int i;

	for (i = 1; i < u->d->file_cnt; i++) {
		const struct uicc_file *f = &u->d->file[i];

		if (len >= 5 && len <= f->aid_len && memcmp(f->aid, aid, len) == 0)
			return i;
	}
	return -1;
}

/* Application that a file lies in, or -1. */
static int
app_of(const struct cw_uicc *u, int i)
{
	for (; i != 0; i = u->d->file[i].parent)
		if (u->d->file[i].aid_len > 0)
			return i;
	return -1;
}

/* PIN status template (11.1.1.4.10): PINs enabled, then their references. */
static void
put_pins(const struct cw_uicc *u, struct cw_wr *w)
{
	uint8_t on = 0, cnt = 0, i;

	for (i = 0; i < UICC_PIN_CNT; i++) {
		if (!u->pin[i].there)
			continue;
		if (u->pin[i].enabled)
			on = (uint8_t)(on | 0x80u >> cnt);
		cnt++;
	}
	cw_wr_u8(w, 0xC6);
	cw_wr_u8(w, (uint8_t)(3 + 3 * cnt));
	cw_wr_u16(w, 0x9001);
	cw_wr_u8(w, on);
	for (i = 0; i < UICC_PIN_CNT; i++) {
		if (!u->pin[i].there)
			continue;
		cw_wr_u16(w, 0x8301);
		cw_wr_u8(w, u->pin[i].ref);
	}
}

/* File control parameters: TS 102 221, 11.1.1.3 and .4 */
static void
fcp_put(struct cw_sim_card *c, const struct uicc_file *f)
{
	struct cw_wr w = cw_wr_init(c->get, sizeof c->get);

	cw_wr_u16(&w, 0x6200);
	if (f->kind == UICC_DF) {
		cw_wr_u32(&w, 0x82027821);
	} else if (f->kind == UICC_TRANSPARENT) {
		cw_wr_u32(&w, 0x82024121);
	} else {
		cw_wr_u32(&w, f->kind == UICC_LINEAR ? 0x82054221 : 0x82054621);
		cw_wr_u16(&w, f->rec_len);
		cw_wr_u8(&w, (uint8_t)(f->size / f->rec_len));
	}
	cw_wr_u16(&w, 0x8302);
	cw_wr_u16(&w, f->fid);
	if (f->aid_len > 0) {
		cw_wr_u8(&w, 0x84);
		cw_wr_u8(&w, f->aid_len);
		cw_wr_bytes(&w, f->aid, f->aid_len);
	}
	cw_wr_u16(&w, 0x8A01);
	cw_wr_u8(&w, 0x05);
	if (f->kind == UICC_DF) {
		put_pins(c->uicc, &w);
	} else {
		cw_wr_u16(&w, 0x8002);
		cw_wr_u16(&w, f->size);
	}
	if (f->sfi != 0) {
		cw_wr_u16(&w, 0x8801);
		cw_wr_u8(&w, (uint8_t)(f->sfi << 3));
	}
	c->get_len = (uint8_t)w.len;
	c->get[1] = (uint8_t)(w.len - 2);
}

static uint16_t
select_head(const struct cw_sim_card *c)
{
	uint8_t p1 = c->hdr[2], p2 = c->hdr[3];

	if (p1 != 0x00 && p1 != 0x04 && p1 != 0x08 && p1 != 0x09)
		return 0x6A86;
	if (p2 != 0x04 && p2 != 0x0C)
		return 0x6A86;
	return c->hdr[4] == 0 ? 0x6700 : 0;
}

static uint16_t
do_select(struct cw_sim_card *c)
{
	struct cw_uicc *u = c->uicc;
	uint8_t len = c->hdr[4];
	int i = -1, app;

	switch (c->hdr[2]) {
	case 0x00:
		if (len != 2)
			return 0x6700;
		i = reach(u, (uint16_t)(c->data[0] << 8 | c->data[1]));
		break;
	case 0x04:
		i = by_aid(u, c->data, len);
		break;
	case 0x08:
		i = walk(u, 0, c->data, len);
		break;
	default:
		i = walk(u, u->df, c->data, len);
	}
	if (i < 0)
		return 0x6A82;

	/* An application stays the current one while others' files are read. */
	if ((app = app_of(u, i)) >= 0)
		u->app = app;
	u->df = u->d->file[i].kind == UICC_DF ? i : u->d->file[i].parent;
	u->ef = u->d->file[i].kind == UICC_DF ? -1 : i;
	if (c->hdr[3] == 0x0C)
		return 0x9000;
	fcp_put(c, &u->d->file[i]);
	return 0x6100 | c->get_len;
}

/* 11.1.2: of the current DF; P2 00 its FCP, 0C nothing */
static uint16_t
do_status(struct cw_sim_card *c)
{
	uint8_t want = c->hdr[4];
	uint16_t sw = 0x9000;

	if (c->hdr[2] > 2 || (c->hdr[3] != 0x00 && c->hdr[3] != 0x0C))
		return 0x6A86;
	if (c->hdr[3] == 0x0C)
		return want == 0 ? 0x9000 : 0x6700;
	fcp_put(c, &c->uicc->d->file[c->uicc->df]);
	if (want != c->get_len) {
		sw = (uint16_t)(0x6C00 | c->get_len);
	} else {
		memcpy(c->rsp, c->get, want);
		c->rsp_len = want;
	}
	c->get_len = 0;
	return sw;
}

/* ---- READ and UPDATE ---- */

struct spot {
	int file;		/* index */
	uint32_t off, avail;	/* in the file */
};

/* P1 P2 of the four commands: a status word, or 0 with the place. */
static uint16_t
locate(struct cw_sim_card *c, bool record, struct spot *s)
{
	struct cw_uicc *u = c->uicc;
	uint8_t p1 = c->hdr[2], p2 = c->hdr[3], sfi = 0;
	const struct uicc_file *f;
	int i;

	if (record ? (p2 & 7) != 4 : (p1 & 0xE0) > 0x80)
		return 0x6A86;
	if (record)
		sfi = p2 >> 3;
	else if (p1 & 0x80)
		sfi = p1 & 0x1F;
	if (sfi != 0) {
		for (i = 1; i < u->d->file_cnt; i++)
			if (u->d->file[i].parent == u->df &&
			    u->d->file[i].sfi == sfi)
				break;
		if (i == u->d->file_cnt)
			return 0x6A82;
		u->ef = i;
	}
	if ((s->file = u->ef) < 0)
		return 0x6986;
	f = &u->d->file[s->file];
	if (record != (f->kind != UICC_TRANSPARENT))
		return 0x6981;
	if (!cw_uicc_allows(u, c->hdr[1] & 0x04 ? f->update : f->read))
		return 0x6982;
	if (record) {
		if (p1 == 0 || p1 > f->size / f->rec_len)
			return 0x6A83;
		s->off = (p1 - 1u) * f->rec_len;
		s->avail = f->rec_len;
		return 0;
	}
	s->off = sfi != 0 ? p2 : (uint32_t)p1 << 8 | p2;
	if (s->off >= f->size)
		return 0x6B00;
	s->avail = f->size - s->off;
	return 0;
}

static uint16_t
do_read(struct cw_sim_card *c, bool record)
{
	uint32_t want = c->hdr[4] == 0 ? 256 : c->hdr[4];
	struct spot s;
	uint16_t sw = locate(c, record, &s);

	if (sw != 0)
		return sw;
	if (want > s.avail || (record && want != s.avail))
		return (uint16_t)(0x6C00 | s.avail);
	memcpy(c->rsp, c->uicc->content + c->uicc->d->file[s.file].off + s.off,
	    want);
	c->rsp_len = (uint16_t)want;
	return 0x9000;
}

static uint16_t
update_head(struct cw_sim_card *c, bool record)
{
	const struct uicc_file *f;
	uint8_t lc = c->hdr[4];
	struct spot s;
	uint16_t sw = locate(c, record, &s);

	if (sw != 0)
		return sw;
	f = &c->uicc->d->file[s.file];

	/* Half an ADM key would lock the card out. */
	if (lc == 0 || lc > s.avail || (record && lc != s.avail) ||
	    (f->role == UICC_KEY_ADM && lc != UICC_PIN_LEN))
		return 0x6700;
	return 0;
}

static uint16_t
do_update(struct cw_sim_card *c, bool record)
{
	struct cw_uicc *u = c->uicc;
	const struct uicc_file *f;
	uint8_t *dst, lc = c->hdr[4];
	uint32_t bit;
	struct spot s;

	(void)locate(c, record, &s);
	f = &u->d->file[s.file];
	dst = u->content + f->off + s.off;

	/* The oldest record of a cyclic file goes, the new one is the first. */
	if (f->kind == UICC_CYCLIC) {
		dst = u->content + f->off;
		memmove(dst + f->rec_len, dst, f->size - f->rec_len);
	}
	memcpy(dst, c->data, lc);
	c->work_us += c->cfg.write_us;
	if (c->cfg.fault.kind == CW_FAULT_BAD_WRITE &&
	    c->update_cnt == c->cfg.fault.n) {
		bit = (uint32_t)(c->cfg.seed % (lc * 8u));
		dst[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	c->update_cnt++;
	cw_uicc_role_written(u, f);
	return 0x9000;
}

/* ---- AUTHENTICATE: TS 31.102, 7.1.2 ---- */

static uint16_t
auth_head(const struct cw_sim_card *c)
{
	uint8_t p2 = c->hdr[3];

	if (c->hdr[2] != 0 || (p2 != 0x80 && p2 != 0x81))
		return 0x6A86;
	if (c->uicc->app < 0)
		return 0x6985;
	if (!cw_uicc_allows(c->uicc, UICC_PIN1))
		return 0x6982;
	return c->hdr[4] == (p2 == 0x80 ? 17 : 34) ? 0 : 0x6700;
}

static uint64_t
number(const uint8_t *buf, size_t len)
{
	uint64_t v = 0;

	while (len-- > 0)
		v = v << 8 | *buf++;
	return v;
}

static void
put_tlv(struct cw_wr *w, const uint8_t *buf, uint8_t len)
{
	cw_wr_u8(w, len);
	cw_wr_bytes(w, buf, len);
}

static void
gsm_context(const struct cw_milenage_out *out, struct cw_wr *w)
{
	uint8_t sres[4], kc[8];

	cw_milenage_gsm(out, sres, kc);
	put_tlv(w, sres, sizeof sres);
	put_tlv(w, kc, sizeof kc);
}

/* AUTS (TS 33.102, 6.3.3): the card's own number, concealed, and its code. */
static void
resync(const struct cw_uicc *u, const struct cw_milenage *m,
    const uint8_t rnd[16], struct cw_milenage_out *out, struct cw_wr *w)
{
	static const uint8_t amf[2];
	uint8_t sqn[6], auts[14];
	int i;

	for (i = 0; i < 6; i++) {
		sqn[i] = (uint8_t)(u->sqn_ms >> (40 - 8 * i));
		auts[i] = sqn[i] ^ out->ak_star[i];
	}
	cw_milenage_f1(m, rnd, sqn, amf, out);
	memcpy(auts + 6, out->mac_s, sizeof out->mac_s);
	cw_wr_u8(w, 0xDC);
	put_tlv(w, auts, sizeof auts);
}

static uint16_t
umts_context(struct cw_uicc *u, const struct cw_milenage *m, const uint8_t *data,
    struct cw_milenage_out *out, struct cw_wr *w)
{
	const uint8_t *rnd = data + 1, *autn = data + 18;
	uint8_t sqn[6];
	uint64_t v;
	int i;

	for (i = 0; i < 6; i++)
		sqn[i] = autn[i] ^ out->ak[i];
	cw_milenage_f1(m, rnd, sqn, autn + 6, out);
	if (!cw_equal_ct(out->mac_a, autn + 8, 8))
		return 0x9862;
	v = number(sqn, 6);
	if (v / UICC_IND <= u->seq[v % UICC_IND]) {
		resync(u, m, rnd, out, w);
		return 0;
	}
	u->seq[v % UICC_IND] = v / UICC_IND;
	if (v > u->sqn_ms)
		u->sqn_ms = v;
	cw_wr_u8(w, 0xDB);
	put_tlv(w, out->res, sizeof out->res);
	put_tlv(w, out->ck, sizeof out->ck);
	put_tlv(w, out->ik, sizeof out->ik);
	return 0;
}

uint16_t
cw_uicc_authenticate(struct cw_sim_card *c)
{
	struct cw_wr w = cw_wr_init(c->get, sizeof c->get);
	struct cw_milenage_out out;
	struct cw_milenage m;
	uint8_t ki[16], opc[16];
	uint16_t sw = 0;

	if (c->data[0] != 16 || (c->hdr[3] == 0x81 && c->data[17] != 16))
		return 0x6A80;
	if (!cw_uicc_keys(c->uicc, ki, opc))
		return 0x6985;
	cw_milenage_init(&m, cw_host_aes(), ki, opc);
	cw_milenage_f2345(&m, c->data + 1, &out);
	if (c->hdr[3] == 0x80)
		gsm_context(&out, &w);
	else
		sw = umts_context(c->uicc, &m, c->data, &out, &w);
	cw_milenage_fini(&m);
	cw_wipe(&out, sizeof out);
	cw_wipe(ki, sizeof ki);
	cw_wipe(opc, sizeof opc);
	if (sw != 0)
		return sw;
	c->get_len = (uint8_t)w.len;
	return 0x6100 | c->get_len;
}

/* ---- dispatch ---- */

static uint16_t
get_response(struct cw_sim_card *c)
{
	uint32_t want = c->hdr[4] == 0 ? 256 : c->hdr[4];

	if (c->hdr[2] != 0 || c->hdr[3] != 0)
		return 0x6A86;
	if (c->get_len == 0)
		return 0x6985;
	if (want > c->get_len)
		return (uint16_t)(0x6C00 | c->get_len);
	memcpy(c->rsp, c->get, want);
	c->rsp_len = (uint16_t)want;
	c->get_len = (uint8_t)(c->get_len - want);
	memmove(c->get, c->get + want, c->get_len);
	return c->get_len == 0 ? 0x9000 : (uint16_t)(0x6100 | c->get_len);
}

uint16_t
cw_uicc_head(struct cw_sim_card *c)
{
	uint8_t ins = c->hdr[1];

	if (c->hdr[0] == CW_BOOT_CLA)
		return cw_card_boot_head(c);
	if (c->hdr[0] != (ins == INS_STATUS ? 0x80 : 0x00))
		return 0x6E00;

	/* What waits is lost by any other command. */
	if (ins != INS_GET_RESPONSE)
		c->get_len = 0;
	switch (ins) {
	case INS_SELECT:
		return select_head(c);
	case INS_STATUS:
		return do_status(c);
	case INS_READ_BINARY:
	case INS_READ_RECORD:
		return do_read(c, ins == INS_READ_RECORD);
	case INS_UPDATE_BINARY:
	case INS_UPDATE_RECORD:
		return update_head(c, ins == INS_UPDATE_RECORD);
	case INS_GET_RESPONSE:
		return get_response(c);
	case INS_AUTHENTICATE:
		return auth_head(c);
	case INS_VERIFY:
	case INS_CHANGE:
	case INS_DISABLE:
	case INS_ENABLE:
	case INS_UNBLOCK:
		return cw_uicc_pin_head(c);
	default:
		return 0x6D00;
	}
}

uint16_t
cw_uicc_data(struct cw_sim_card *c)
{
	switch (c->hdr[1]) {
	case INS_SELECT:
		return do_select(c);
	case INS_UPDATE_BINARY:
		return do_update(c, false);
	case INS_UPDATE_RECORD:
		return do_update(c, true);
	case INS_AUTHENTICATE:
		return cw_uicc_authenticate(c);
	default:
		return cw_uicc_pin_data(c);
	}
}
