/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "scp_priv.h"

/* Derivation constants: E.4.1; Amendment D, table 4-1. */
enum { C_MAC_02 = 0x0101, ENC_02 = 0x0182, DEK_02 = 0x0181 };
enum { CARD_03 = 0x00, HOST_03 = 0x01, ENC_03 = 0x04, MAC_03 = 0x06, RMAC_03 = 0x07 };

#define LABEL_LEN 12
#define COUNTER_OFF (LABEL_LEN + 1 + 2)

int
cw_scp_key02(struct cw_scp *s, uint32_t from, uint16_t constant, uint16_t seq,
    uint32_t *out)
{
	uint8_t data[16] = { (uint8_t)(constant >> 8), (uint8_t)constant,
	    (uint8_t)(seq >> 8), (uint8_t)seq };
	const struct cw_key_derive d = { .kdf = CW_KEY_KDF_CBC, .data = data,
	    .len = sizeof data, .alg = CW_KEY_DES3 };

	return s->keys.ops->derive(s->keys.ctx, from, &d, out);
}

/* Data of 4.1.5 without the counter; its length. */
static size_t
kdf_data(uint8_t out[64], uint8_t constant, size_t bits, const struct cw_key_part *c)
{
	struct cw_wr w = cw_wr_init(out, 64);

	memset(out, 0, LABEL_LEN);
	w.len = LABEL_LEN - 1;
	cw_wr_u8(&w, constant);
	cw_wr_u8(&w, 0);
	cw_wr_u16(&w, (uint16_t)bits);
	cw_wr_bytes(&w, c[0].buf, c[0].len);
	cw_wr_bytes(&w, c[1].buf, c[1].len);
	return w.len;
}

int
cw_scp_kdf03(struct cw_scp *s, uint32_t key, uint8_t constant,
    const struct cw_key_part *context, uint8_t out[16])
{
	uint8_t data[64];
	struct cw_key_derive d = { .kdf = CW_KEY_KDF_COUNTER, .data = data,
	    .counter_off = COUNTER_OFF };

	d.len = kdf_data(data, constant, s->size * 8u, context);
	return s->keys.ops->kdf(s->keys.ctx, key, &d, out, s->size);
}

static int
key03(struct cw_scp *s, uint32_t from, uint8_t constant, const struct cw_scp_ctx *c,
    uint32_t *out)
{
	const struct cw_key_part context[2] = {
		{ c->host, s->size }, { c->card, s->size } };
	uint8_t data[64];
	struct cw_key_derive d = { .kdf = CW_KEY_KDF_COUNTER, .data = data,
	    .counter_off = COUNTER_OFF };
	int err;

	if ((err = s->keys.ops->alg(s->keys.ctx, from, &d.alg)) < 0)
		return err;
	if (d.alg == CW_KEY_DES3)
		return CW_EINVAL;
	d.len = kdf_data(data, constant, cw_key_len(d.alg) * 8, context);
	return s->keys.ops->derive(s->keys.ctx, from, &d, out);
}

int
cw_scp_keys(struct cw_scp *s, const struct cw_scp_static *st,
    const struct cw_scp_ctx *c, uint16_t seq)
{
	int err;

	s->begun = true;
	if (s->proto == 2) {
		if ((err = cw_scp_key02(s, st->enc, ENC_02, seq, &s->enc)) == 0 &&
		    (err = cw_scp_key02(s, st->mac, C_MAC_02, seq, &s->mac)) == 0)
			err = cw_scp_key02(s, st->dek, DEK_02, seq, &s->dek);
	} else {
		s->dek = st->dek;
		if ((err = key03(s, st->enc, ENC_03, c, &s->enc)) == 0 &&
		    (err = key03(s, st->mac, MAC_03, c, &s->mac)) == 0)
			err = key03(s, st->mac, RMAC_03, c, &s->rmac);
	}
	if (err < 0)
		cw_scp_end(s);
	return err;
}

void
cw_scp_end(struct cw_scp *s)
{
	const struct cw_keys keys = s->keys;

	if (s->begun) {
		keys.ops->drop(keys.ctx, s->enc);
		keys.ops->drop(keys.ctx, s->mac);
		keys.ops->drop(keys.ctx, s->rmac);
		if (s->proto == 2)
			keys.ops->drop(keys.ctx, s->dek);
	}
	cw_wipe(s, sizeof *s);
}

int
cw_scp_cryptogram(struct cw_scp *s, const struct cw_scp_ctx *c, bool host,
    uint8_t out[16])
{
	const struct cw_key_part parts[2] = {
		{ c->host, s->size }, { c->card, s->size } };
	struct cw_key_macing m = { .kind = CW_KEY_FULL3, .part_cnt = 2 };

	if (s->proto == 3)
		return cw_scp_kdf03(s, s->mac, host ? HOST_03 : CARD_03, parts, out);

	/* E.4.2: the other party's challenge comes first. */
	m.part[0] = parts[host ? 1 : 0];
	m.part[1] = parts[host ? 0 : 1];
	return s->keys.ops->mac(s->keys.ctx, s->enc, &m, out);
}

uint8_t
cw_scp_cla(uint8_t cla)
{
	return cla & 0x40 ? cla | 0x20 : cla | 0x04;
}

bool
cw_scp_cla_secure(uint8_t cla)
{
	return cla & 0x40 ? (cla & 0x20) != 0 : (cla & 0x0C) != 0;
}

int
cw_scp_cmac(struct cw_scp *s, const struct cw_apdu *a, size_t lc, bool extended)
{
	const struct cw_key_crypt half = { .mode = CW_KEY_ECB_HALF };
	struct cw_key_macing m = { .part_cnt = 3 };
	uint8_t icv[8] = { 0 }, head[7], mac[16];
	struct cw_wr w = cw_wr_init(head, sizeof head);
	int err;

	/* The logical channel counts as 0 (E.4.4; Amendment D, 6.2.4). */
	cw_wr_u8(&w, (a->cla & 0x80) | 0x04);
	cw_wr_u8(&w, a->ins);
	cw_wr_u8(&w, a->p1);
	cw_wr_u8(&w, a->p2);
	if (extended) {
		cw_wr_u8(&w, 0);
		cw_wr_u16(&w, (uint16_t)lc);
	} else {
		cw_wr_u8(&w, (uint8_t)lc);
	}
	if (s->proto == 3) {
		m.kind = CW_KEY_CMAC;
		m.part[0] = (struct cw_key_part){ s->chain, sizeof s->chain };
	} else {
		m.kind = CW_KEY_RETAIL;
		m.iv = icv;
		m.part[0] = (struct cw_key_part){ s->chain, 0 };
		if (s->chained && (err = s->keys.ops->crypt(s->keys.ctx, s->mac,
		    &half, s->chain, sizeof icv, icv)) < 0)
			return err;
	}
	m.part[1] = (struct cw_key_part){ head, w.len };
	m.part[2] = (struct cw_key_part){ a->data, a->lc };
	if ((err = s->keys.ops->mac(s->keys.ctx, s->mac, &m, mac)) < 0)
		return err;
	memcpy(s->chain, mac, s->proto == 3 ? 16 : 8);
	s->chained = true;
	return 0;
}

int
cw_scp_rmac(struct cw_scp *s, const uint8_t *buf, size_t len, uint16_t sw,
    uint8_t out[16])
{
	const uint8_t tail[2] = { (uint8_t)(sw >> 8), (uint8_t)sw };
	struct cw_key_macing m = { .kind = CW_KEY_CMAC, .part_cnt = 3 };

	m.part[0] = (struct cw_key_part){ s->chain, sizeof s->chain };
	m.part[1] = (struct cw_key_part){ buf, len };
	m.part[2] = (struct cw_key_part){ tail, sizeof tail };
	return s->keys.ops->mac(s->keys.ctx, s->rmac, &m, out);
}

int
cw_scp_cipher(struct cw_scp *s, bool decrypt, bool response,
    const struct cw_key_part *in, uint8_t *out)
{
	struct cw_key_crypt c = { .mode = CW_KEY_CBC, .decrypt = decrypt };
	const struct cw_key_crypt ecb = { .mode = CW_KEY_ECB };
	uint8_t icv[16] = { 0 };
	int err;

	if (s->proto == 3) {
		/* 6.2.6, 6.2.7: the counter as a block, encrypted. */
		icv[0] = response ? 0x80 : 0;
		icv[12] = (uint8_t)(s->counter >> 24);
		icv[13] = (uint8_t)(s->counter >> 16);
		icv[14] = (uint8_t)(s->counter >> 8);
		icv[15] = (uint8_t)s->counter;
		err = s->keys.ops->crypt(s->keys.ctx, s->enc, &ecb, icv,
		    sizeof icv, icv);
		if (err < 0)
			return err;
		c.iv = icv;
	}
	return s->keys.ops->crypt(s->keys.ctx, s->enc, &c, in->buf, in->len, out);
}

int
cw_scp_unpad(const uint8_t *buf, size_t len, size_t block)
{
	size_t n = len;

	while (n > 0 && len - n < block && buf[n - 1] == 0)
		n--;
	if (n == 0 || len - n >= block || buf[n - 1] != 0x80)
		return CW_EFORMAT;
	return (int)(n - 1);
}

size_t
cw_scp_block(const struct cw_scp *s)
{
	return s->proto == 3 ? 16 : 8;
}

bool
cw_scp_level_ok(const struct cw_scp *s, uint8_t level)
{
	if (level == 0 || level == CW_SCP_CMAC ||
	    level == (CW_SCP_CMAC | CW_SCP_CENC))
		return true;
	if (s->proto != 3 || (s->i & CW_SCP_I_RMAC) == 0)
		return false;
	if (level == (CW_SCP_CMAC | CW_SCP_RMAC) ||
	    level == (CW_SCP_CMAC | CW_SCP_CENC | CW_SCP_RMAC))
		return true;
	return (s->i & CW_SCP_I_RENC) != 0 && level ==
	    (CW_SCP_CMAC | CW_SCP_CENC | CW_SCP_RMAC | CW_SCP_RENC);
}

bool
cw_scp_sw_maced(uint16_t sw)
{
	return sw == 0x9000 || sw >> 8 == 0x62 || sw >> 8 == 0x63;
}

size_t
cw_scp_dek_block(const struct cw_scp *s)
{
	return cw_scp_block(s);
}

int
cw_scp_dek(const struct cw_scp *s, bool decrypt, const uint8_t *in, size_t len,
    uint8_t *out)
{
	const struct cw_key_crypt c = { .decrypt = decrypt,
	    .mode = s->proto == 3 ? CW_KEY_CBC : CW_KEY_ECB };

	if (!s->begun)
		return CW_ESTATE;
	if (len % cw_scp_block(s) != 0)
		return CW_EINVAL;
	return s->keys.ops->crypt(s->keys.ctx, s->dek, &c, in, len, out);
}
