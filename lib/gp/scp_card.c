/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "scp_priv.h"

enum { C_MAC_02 = 0x0101, CHALLENGE_03 = 0x02 };

/* E.4.2.3: the AID under the C-MAC key of the session. */
static int
challenge02(struct cw_scp *s, const struct cw_scp_static *st,
    const struct cw_scp_card *p, uint8_t *out)
{
	struct cw_key_macing m = { .kind = CW_KEY_RETAIL, .part_cnt = 1 };
	uint8_t mac[16];
	uint32_t key;
	int err;

	out[0] = (uint8_t)(p->seq >> 8);
	out[1] = (uint8_t)p->seq;
	if ((p->i & CW_SCP_I_PSEUDO_02) == 0) {
		memcpy(out + 2, p->random, 6);
		return 0;
	}
	if ((err = cw_scp_key02(s, st->mac, C_MAC_02, (uint16_t)p->seq, &key)) < 0)
		return err;
	m.part[0] = (struct cw_key_part){ p->aid, p->aid_len };
	err = s->keys.ops->mac(s->keys.ctx, key, &m, mac);
	s->keys.ops->drop(s->keys.ctx, key);
	memcpy(out + 2, mac, 6);
	return err;
}

/* Amendment D, 6.2.2.1 */
static int
challenge03(struct cw_scp *s, const struct cw_scp_static *st,
    const struct cw_scp_card *p, uint8_t *out)
{
	const uint8_t seq[3] = { (uint8_t)(p->seq >> 16), (uint8_t)(p->seq >> 8),
	    (uint8_t)p->seq };
	const struct cw_key_part context[2] = {
		{ seq, sizeof seq }, { p->aid, p->aid_len } };

	if ((p->i & CW_SCP_I_PSEUDO) == 0) {
		memcpy(out, p->random, s->size);
		return 0;
	}
	return cw_scp_kdf03(s, st->enc, CHALLENGE_03, context, out);
}

int
cw_scp_card_begin(struct cw_scp *s, const struct cw_keys *keys,
    const struct cw_scp_static *st, const struct cw_scp_card *p, uint8_t *out)
{
	struct cw_wr w = cw_wr_init(out, CW_SCP_HELLO_MAX);
	uint8_t challenge[16], cryptogram[16];
	struct cw_scp_ctx c = { p->host_challenge, challenge };
	bool s16 = p->proto == 3 && (p->i & CW_SCP_I_S16) != 0;
	int err;

	memset(s, 0, sizeof *s);
	if (p->host_challenge_len != (s16 ? 16u : 8u) || p->aid_len > 16)
		return CW_EINVAL;
	s->keys = *keys;
	s->proto = p->proto;
	s->i = p->i;
	s->size = s16 ? 16 : 8;
	err = p->proto == 2 ? challenge02(s, st, p, challenge) :
	    challenge03(s, st, p, challenge);
	if (err == 0)
		err = cw_scp_keys(s, st, &c, (uint16_t)p->seq);
	if (err == 0 && (err = cw_scp_cryptogram(s, &c, false, cryptogram)) == 0)
		err = cw_scp_cryptogram(s, &c, true, s->host_cryptogram);
	if (err < 0) {
		cw_scp_end(s);
		return err;
	}
	cw_wr_bytes(&w, p->kdd, CW_SCP_KDD_LEN);
	cw_wr_u8(&w, p->version);
	cw_wr_u8(&w, p->proto);
	if (p->proto == 3)
		cw_wr_u8(&w, p->i);
	cw_wr_bytes(&w, challenge, s->size);
	cw_wr_bytes(&w, cryptogram, s->size);
	if (p->proto == 3 && (p->i & CW_SCP_I_PSEUDO) != 0) {
		cw_wr_u8(&w, (uint8_t)(p->seq >> 16));
		cw_wr_u16(&w, (uint16_t)p->seq);
	}
	return cw_wr_done(&w);
}

/* The command's C-MAC is right; a then has its data without it. */
static int
check_mac(struct cw_scp *s, struct cw_apdu *a, const uint8_t *mac)
{
	bool extended = a->kind >= CW_APDU_2E;
	size_t lc = a->lc + s->size;
	int err;

	if (s->proto == 2 && extended)
		return CW_ECRC;
	if ((err = cw_scp_cmac(s, a, lc, extended)) < 0)
		return err;
	return cw_equal_ct(s->chain, mac, s->size) ? 0 : CW_ECRC;
}

int
cw_scp_card_auth(struct cw_scp *s, const struct cw_apdu *a)
{
	struct cw_apdu b = *a;
	int err;

	if (!s->begun || s->open)
		return CW_ESTATE;
	if (a->lc != 2u * s->size || !cw_scp_cla_secure(a->cla))
		return CW_EFORMAT;
	if (!cw_scp_level_ok(s, a->p1))
		return CW_EUNSUPPORTED;
	b.lc = s->size;
	if ((err = check_mac(s, &b, a->data + s->size)) < 0)
		return err;
	if (!cw_equal_ct(s->host_cryptogram, a->data, s->size))
		return CW_EDENIED;
	s->level = a->p1;
	s->open = true;
	return 0;
}

/* The plain data of a command into out; a->lc becomes their length. */
static int
decrypt(struct cw_scp *s, struct cw_apdu *a, uint8_t *out)
{
	const struct cw_key_part in = { a->data, a->lc };
	int n;

	if (a->lc % cw_scp_block(s) != 0)
		return CW_EFORMAT;
	if ((n = cw_scp_cipher(s, true, false, &in, out)) < 0 ||
	    (n = cw_scp_unpad(out, a->lc, cw_scp_block(s))) < 0)
		return n;
	a->lc = (uint32_t)n;
	a->data = out;
	return 0;
}

static int
unwrap(struct cw_scp *s, struct cw_apdu *a, uint8_t *out, size_t cap)
{
	const uint8_t *mac;
	bool enc;
	int err = 0;

	if (!cw_scp_cla_secure(a->cla) || a->lc < s->size)
		return CW_ECRC;
	a->lc -= s->size;
	if (a->lc > cap)
		return CW_EFULL;
	mac = a->data + a->lc;
	s->counter++;
	enc = (s->level & CW_SCP_CENC) != 0 && a->lc > 0;
	if (s->proto == 3 && (err = check_mac(s, a, mac)) < 0)
		return err;
	if (enc)
		err = decrypt(s, a, out);
	if (err == 0 && s->proto == 2)
		err = check_mac(s, a, mac);
	return err;
}

int
cw_scp_card_unwrap(struct cw_scp *s, struct cw_apdu *a, uint8_t *out, size_t cap)
{
	int err;

	if (!s->open)
		return CW_ESTATE;
	if (s->level == 0)
		return 0;
	err = unwrap(s, a, out, cap);
	if (err < 0)
		s->open = false;
	return err;
}

int
cw_scp_card_wrap(struct cw_scp *s, uint8_t *buf, size_t len, size_t cap,
    uint16_t sw)
{
	size_t block = cw_scp_block(s), padded = len;
	struct cw_key_part in = { buf, 0 };
	uint8_t mac[16];
	int err;

	if (!s->open)
		return CW_ESTATE;
	if ((s->level & CW_SCP_RMAC) == 0)
		return (int)len;
	if (!cw_scp_sw_maced(sw))
		return 0;
	if ((s->level & CW_SCP_RENC) != 0 && len > 0)
		padded = (len / block + 1) * block;
	if (padded + s->size > cap)
		return CW_EFULL;
	if (padded > len) {
		memset(buf + len, 0, padded - len);
		buf[len] = 0x80;
		in.len = padded;
		if ((err = cw_scp_cipher(s, false, true, &in, buf)) < 0)
			return err;
	}
	if ((err = cw_scp_rmac(s, buf, padded, sw, mac)) < 0)
		return err;
	memcpy(buf + padded, mac, s->size);
	return (int)(padded + s->size);
}
