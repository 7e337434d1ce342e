/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/gp.h"
#include "cw/tlv.h"

enum { INS_INITIALIZE = 0x50, INS_SELECT = 0xA4, INS_GET_DATA = 0xCA,
    INS_PUT_KEY = 0xD8, INS_STORE = 0xE2, INS_DELETE = 0xE4, INS_INSTALL = 0xE6,
    INS_LOAD = 0xE8, INS_SET_STATUS = 0xF0, INS_GET_STATUS = 0xF2 };

int
cw_gp_aid_set(struct cw_gp_aid *a, const uint8_t *b, size_t len)
{
	memset(a, 0, sizeof *a);
	if (len < CW_GP_AID_MIN || len > CW_GP_AID_MAX)
		return CW_EINVAL;
	a->len = (uint8_t)len;
	memcpy(a->b, b, len);
	return 0;
}

bool
cw_gp_aid_equal(const struct cw_gp_aid *a, const struct cw_gp_aid *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static struct cw_wr
begin(struct cw_gp_cmd *c, uint8_t ins, uint8_t p1, uint8_t p2)
{
	memset(&c->apdu, 0, sizeof c->apdu);
	c->apdu.cla = 0x80;
	c->apdu.ins = ins;
	c->apdu.p1 = p1;
	c->apdu.p2 = p2;
	return cw_wr_init(c->data, sizeof c->data);
}

static int
end(struct cw_gp_cmd *c, const struct cw_wr *w, bool le)
{
	if (w->bad)
		return CW_ETOOBIG;
	c->apdu.lc = (uint32_t)w->len;
	c->apdu.data = w->len > 0 ? c->data : NULL;
	c->apdu.le = le ? 256 : 0;
	c->apdu.kind = w->len > 0 ? le ? CW_APDU_4S : CW_APDU_3S :
	    le ? CW_APDU_2S : CW_APDU_1;
	return 0;
}

/* A field with a length byte before it. */
static void
put_lv(struct cw_wr *w, const uint8_t *b, size_t len)
{
	if (len > 255) {
		w->bad = true;
		return;
	}
	cw_wr_u8(w, (uint8_t)len);
	cw_wr_bytes(w, b, len);
}

static void
put_aid(struct cw_wr *w, const struct cw_gp_aid *a)
{
	put_lv(w, a->b, a->len);
}

int
cw_gp_select(struct cw_gp_cmd *c, const struct cw_gp_aid *aid, bool next)
{
	struct cw_wr w = begin(c, INS_SELECT, 0x04, next ? 0x02 : 0x00);

	c->apdu.cla = 0x00;
	if (aid != NULL)
		cw_wr_bytes(&w, aid->b, aid->len);
	return end(c, &w, true);
}

int
cw_gp_initialize_update(struct cw_gp_cmd *c, uint8_t version, const uint8_t *challenge,
    size_t len)
{
	struct cw_wr w = begin(c, INS_INITIALIZE, version, 0);

	if (len != 8 && len != 16)
		return CW_EINVAL;
	cw_wr_bytes(&w, challenge, len);
	return end(c, &w, true);
}

int
cw_gp_get_status(struct cw_gp_cmd *c, enum cw_gp_kind kind, bool next,
    const struct cw_gp_aid *filter)
{
	struct cw_wr w = begin(c, INS_GET_STATUS, (uint8_t)kind, next ? 0x03 : 0x02);

	cw_tlv_put(&w, 0x4F, filter != NULL ? filter->b : NULL,
	    filter != NULL ? filter->len : 0);
	return end(c, &w, true);
}

int
cw_gp_get_data(struct cw_gp_cmd *c, uint16_t tag)
{
	struct cw_wr w = begin(c, INS_GET_DATA, (uint8_t)(tag >> 8), (uint8_t)tag);

	return end(c, &w, true);
}

int
cw_gp_set_status(struct cw_gp_cmd *c, enum cw_gp_kind kind, uint8_t state,
    const struct cw_gp_aid *aid)
{
	struct cw_wr w = begin(c, INS_SET_STATUS, (uint8_t)kind, state);

	if (kind != CW_GP_ISD && (aid == NULL || aid->len == 0))
		return CW_EINVAL;
	if (aid != NULL)
		cw_wr_bytes(&w, aid->b, aid->len);
	return end(c, &w, false);
}

int
cw_gp_delete(struct cw_gp_cmd *c, const struct cw_gp_aid *aid, bool related)
{
	struct cw_wr w = begin(c, INS_DELETE, 0x00, related ? 0x80 : 0x00);

	cw_tlv_put(&w, 0x4F, aid->b, aid->len);
	return end(c, &w, true);
}

int
cw_gp_delete_key(struct cw_gp_cmd *c, uint8_t id, uint8_t version)
{
	struct cw_wr w = begin(c, INS_DELETE, 0x00, 0x00);

	if (id == 0 && version == 0)
		return CW_EINVAL;
	if (id != 0)
		cw_tlv_put(&w, 0xD0, &id, 1);
	if (version != 0)
		cw_tlv_put(&w, 0xD2, &version, 1);
	return end(c, &w, true);
}

/* Fields of table 11-48 for install and make selectable. */
static void
put_install(struct cw_wr *w, const struct cw_gp_install *in)
{
	bool one = in->privilege[1] == 0 && in->privilege[2] == 0;
	uint8_t head[8];
	struct cw_wr h = cw_wr_init(head, sizeof head);

	put_aid(w, &in->file);
	put_aid(w, &in->module);
	put_aid(w, &in->app);
	put_lv(w, in->privilege, one ? 1 : 3);
	if (in->what == CW_GP_FOR_SELECTABLE) {
		put_lv(w, NULL, 0);
	} else {
		cw_tlv_head(&h, 0xC9, in->params_len);
		if (h.len + in->params_len > 255)
			w->bad = true;
		cw_wr_u8(w, (uint8_t)(h.len + in->params_len));
		cw_wr_bytes(w, head, h.len);
		cw_wr_bytes(w, in->params, in->params_len);
	}
	put_lv(w, in->token, in->token_len);
}

int
cw_gp_install(struct cw_gp_cmd *c, const struct cw_gp_install *in)
{
	struct cw_wr w = begin(c, INS_INSTALL, (uint8_t)in->what, 0);

	if (in->what == CW_GP_FOR_LOAD ? in->file.len == 0 : in->app.len == 0)
		return CW_EINVAL;
	switch (in->what) {
	case CW_GP_FOR_LOAD:
		put_aid(&w, &in->file);
		put_aid(&w, &in->domain);
		put_lv(&w, in->hash, in->hash_len);
		put_lv(&w, in->params, in->params_len);
		put_lv(&w, in->token, in->token_len);
		break;
	case CW_GP_FOR_EXTRADITION:
		put_aid(&w, &in->domain);
		put_lv(&w, NULL, 0);
		put_aid(&w, &in->app);
		put_lv(&w, NULL, 0);
		put_lv(&w, NULL, 0);
		put_lv(&w, in->token, in->token_len);
		break;
	case CW_GP_FOR_PERSO:
		cw_wr_u16(&w, 0);
		put_aid(&w, &in->app);
		cw_wr_u16(&w, 0);
		cw_wr_u8(&w, 0);
		break;
	case CW_GP_FOR_INSTALL:
	case CW_GP_FOR_INSTALL_SELECTABLE:
		if (in->file.len == 0 || in->module.len == 0)
			return CW_EINVAL;
		put_install(&w, in);
		break;
	case CW_GP_FOR_SELECTABLE:
		put_install(&w, in);
		break;
	}
	return end(c, &w, true);
}

int
cw_gp_load(struct cw_gp_cmd *c, uint8_t block, bool last, const uint8_t *buf,
    size_t len)
{
	struct cw_wr w = begin(c, INS_LOAD, last ? 0x80 : 0x00, block);

	cw_wr_bytes(&w, buf, len);
	return end(c, &w, true);
}

/* Table 11-68: type, length, key, KCV. */
static int
put_one_key(struct cw_wr *w, const struct cw_scp *s, enum cw_gp_key_coding coding,
    uint32_t key, uint8_t kcv[3])
{
	const struct cw_key_ops *ops = s->keys.ops;
	uint8_t wrapped[CW_KEY_WRAP_MAX];
	enum cw_key_alg alg;
	int n, err;

	if ((err = ops->alg(s->keys.ctx, key, &alg)) < 0 ||
	    (err = cw_key_kcv(&s->keys, key, kcv)) < 0)
		return err;
	if ((n = ops->wrap(s->keys.ctx, s->dek, key, wrapped)) < 0)
		return n;
	cw_wr_u8(w, alg == CW_KEY_DES3 ? 0x80 : 0x88);
	if (alg != CW_KEY_DES3 && (coding == CW_GP_KEY_LENGTH ||
	    (size_t)n != cw_key_len(alg))) {
		cw_wr_u8(w, (uint8_t)(n + 1));
		cw_wr_u8(w, (uint8_t)cw_key_len(alg));
	} else {
		cw_wr_u8(w, (uint8_t)n);
	}
	cw_wr_bytes(w, wrapped, (size_t)n);
	put_lv(w, kcv, 3);
	return 0;
}

int
cw_gp_put_key(struct cw_gp_cmd *c, const struct cw_scp *s,
    const struct cw_gp_put_key *in, uint8_t expect[10], size_t *expect_len)
{
	struct cw_wr w = begin(c, INS_PUT_KEY, in->old_version,
	    (uint8_t)(in->id | (in->key_cnt > 1 ? 0x80 : 0)));
	size_t i;
	int err = 0;

	if (!s->open || in->key_cnt < 1 || in->key_cnt > 3 || in->new_version == 0 ||
	    in->new_version > 0x7F || in->old_version > 0x7F || in->id > 0x7F)
		return CW_EINVAL;
	cw_wr_u8(&w, in->new_version);
	expect[0] = in->new_version;
	for (i = 0; i < in->key_cnt && err == 0; i++)
		err = put_one_key(&w, s, in->coding, in->key[i], expect + 1 + 3 * i);
	*expect_len = 1 + 3u * in->key_cnt;
	return err < 0 ? err : end(c, &w, true);
}

void
cw_gp_store_init(struct cw_gp_store *st, const struct cw_gp_dgi *list, size_t cnt)
{
	memset(st, 0, sizeof *st);
	st->list = list;
	st->cnt = cnt;
}

/* Bytes of the DGI at hand into w, at most room, encrypted if it is secret. */
static int
put_dgi(struct cw_gp_store *st, const struct cw_scp *s, size_t room, struct cw_wr *w)
{
	const struct cw_gp_dgi *d = &st->list[st->idx];
	struct cw_key_crypt how = { .mode = s->proto == 3 ? CW_KEY_CBC : CW_KEY_ECB,
	    .iv = st->iv };
	size_t block = d->secret ? cw_scp_dek_block(s) : 1, n;
	int err;

	if (st->off == 0) {
		memset(st->iv, 0, sizeof st->iv);
		cw_wr_u16(w, d->id);
		if (d->len >= 0xFF)
			cw_wr_u8(w, 0xFF);
		if (d->len >= 0xFF)
			cw_wr_u16(w, (uint16_t)d->len);
		else
			cw_wr_u8(w, (uint8_t)d->len);
	}
	n = d->len - st->off;
	if (n > room - w->len)
		n = (room - w->len) / block * block;
	if (d->secret && n > 0) {
		err = s->keys.ops->crypt(s->keys.ctx, s->dek, &how, d->data + st->off,
		    n, w->buf + w->len);
		if (err < 0)
			return err;
		memcpy(st->iv, w->buf + w->len + n - block, block);
		w->len += n;
	} else {
		cw_wr_bytes(w, d->data + st->off, n);
	}
	st->off += n;
	if (st->off == d->len) {
		st->off = 0;
		st->idx++;
	}
	return 0;
}

int
cw_gp_store_next(struct cw_gp_store *st, const struct cw_scp *s, size_t room,
    struct cw_gp_cmd *c)
{
	const struct cw_gp_dgi *d;
	struct cw_wr w;
	int err;

	if (st->idx >= st->cnt)
		return 0;
	d = &st->list[st->idx];
	if (room < 24 || room > sizeof c->data || (st->block == 0xFF && st->idx + 1 <
	    st->cnt) || d->len > 0xFFFF)
		return CW_ETOOBIG;
	if (d->secret && (d->len == 0 || d->len % cw_scp_dek_block(s) != 0))
		return CW_EINVAL;

	/* P1: DGIs (08), encrypted (60), last block (80) */
	w = begin(c, INS_STORE, d->secret ? 0x68 : 0x08, st->block);
	if ((err = put_dgi(st, s, room, &w)) < 0)
		return err;
	if (st->idx == st->cnt)
		c->apdu.p1 |= 0x80;
	else if (st->block == 0xFF)
		return CW_ETOOBIG;
	st->block++;
	err = end(c, &w, false);
	return err < 0 ? err : 1;
}
