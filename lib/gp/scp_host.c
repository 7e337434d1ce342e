/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "scp_priv.h"

#define LC_MAX 65535u

int
cw_scp_hello_parse(struct cw_scp_hello *h, const uint8_t *buf, size_t len,
    size_t host_challenge_len)
{
	struct cw_rd r = cw_rd_init(buf, len);
	size_t left;

	memset(h, 0, sizeof *h);
	cw_rd_copy(&r, h->kdd, sizeof h->kdd);
	h->version = cw_rd_u8(&r);
	h->proto = cw_rd_u8(&r);
	if (r.bad)
		return CW_ESHORT;
	h->size = 8;
	if (h->proto == 2) {
		cw_rd_copy(&r, h->challenge, 8);
		cw_rd_copy(&r, h->cryptogram, 8);
		h->seq = (uint32_t)h->challenge[0] << 8 | h->challenge[1];
		return host_challenge_len != 8 ? CW_EFORMAT : cw_rd_done(&r);
	}
	if (h->proto != 3)
		return CW_EUNSUPPORTED;
	h->i = cw_rd_u8(&r);
	if (host_challenge_len != 8 && host_challenge_len != 16)
		return CW_EFORMAT;
	h->size = (uint8_t)host_challenge_len;
	left = cw_rd_left(&r);
	if (left != 2u * h->size && left != 2u * h->size + 3)
		return left < 2u * h->size ? CW_ESHORT : CW_EFORMAT;
	cw_rd_copy(&r, h->challenge, h->size);
	cw_rd_copy(&r, h->cryptogram, h->size);
	if (left > 2u * h->size) {
		h->seq = (uint32_t)cw_rd_u8(&r) << 16;
		h->seq |= cw_rd_u16(&r);
	}
	return cw_rd_done(&r);
}

int
cw_scp_host_begin(struct cw_scp *s, const struct cw_keys *keys,
    const struct cw_scp_static *st, const struct cw_scp_hello *h,
    const uint8_t *host_challenge)
{
	const struct cw_scp_ctx c = { host_challenge, h->challenge };
	uint8_t expect[16];
	int err;

	memset(s, 0, sizeof *s);
	s->keys = *keys;
	s->proto = h->proto;
	s->i = h->i;
	s->size = h->size;
	if ((err = cw_scp_keys(s, st, &c, (uint16_t)h->seq)) < 0)
		return err;
	if ((err = cw_scp_cryptogram(s, &c, false, expect)) == 0 &&
	    !cw_equal_ct(expect, h->cryptogram, s->size))
		err = CW_EDENIED;
	if (err == 0)
		err = cw_scp_cryptogram(s, &c, true, s->host_cryptogram);
	cw_wipe(expect, sizeof expect);
	if (err < 0)
		cw_scp_end(s);
	return err;
}

/* Header, length, data[lc], MAC and Le, as the length of all asks for. */
static int
put_apdu(const struct cw_scp *s, const struct cw_apdu *a, size_t lc, struct cw_wr *w)
{
	bool extended = lc > 255 || a->le > 256;

	cw_wr_u8(w, cw_scp_cla(a->cla));
	cw_wr_u8(w, a->ins);
	cw_wr_u8(w, a->p1);
	cw_wr_u8(w, a->p2);
	if (extended) {
		cw_wr_u8(w, 0);
		cw_wr_u16(w, (uint16_t)lc);
	} else {
		cw_wr_u8(w, (uint8_t)lc);
	}
	if (a->data == w->buf + w->len)
		w->len += a->lc;	/* encrypted in its place already */
	else
		cw_wr_bytes(w, a->data, a->lc);
	cw_wr_bytes(w, s->chain, s->size);
	if (a->le > 0 && extended)
		cw_wr_u16(w, (uint16_t)a->le);
	else if (a->le > 0)
		cw_wr_u8(w, (uint8_t)a->le);
	return cw_wr_done(w);
}

int
cw_scp_host_auth(struct cw_scp *s, uint8_t level, uint8_t *out, size_t cap)
{
	struct cw_apdu a = { .cla = 0x80, .ins = 0x82, .p1 = level,
	    .data = s->host_cryptogram, .lc = s->size };
	struct cw_wr w = cw_wr_init(out, cap);
	int err;

	if (!s->begun || s->open)
		return CW_ESTATE;
	if (!cw_scp_level_ok(s, level))
		return CW_EUNSUPPORTED;
	if ((err = cw_scp_cmac(s, &a, 2u * s->size, false)) < 0)
		return err;
	s->level = level;
	s->open = true;
	return put_apdu(s, &a, 2u * s->size, &w);
}

/* data[len] padded and encrypted into out: its length. */
static int
encrypt(struct cw_scp *s, const uint8_t *data, size_t len, uint8_t *out, size_t cap)
{
	size_t block = cw_scp_block(s), padded = (len / block + 1) * block;
	const struct cw_key_part in = { out, padded };
	int err;

	if (padded > cap)
		return CW_EFULL;
	memset(out + len, 0, padded - len);
	memcpy(out, data, len);
	out[len] = 0x80;
	err = cw_scp_cipher(s, false, false, &in, out);
	return err < 0 ? err : (int)padded;
}

int
cw_scp_host_wrap(struct cw_scp *s, const struct cw_apdu *a, uint8_t *out, size_t cap)
{
	struct cw_apdu b = *a;
	struct cw_wr w = cw_wr_init(out, cap);
	bool enc = (s->level & CW_SCP_CENC) != 0 && a->lc > 0;
	size_t lc = enc ? (a->lc / cw_scp_block(s) + 1) * cw_scp_block(s) : a->lc;
	size_t head, max = s->proto == 3 ? LC_MAX : 255;
	int n, err = 0;

	if (!s->open)
		return CW_ESTATE;
	if (s->level == 0)
		return cw_apdu_build(a, out, cap);
	lc += s->size;
	if (lc > max || (s->proto == 2 && a->le > 256))
		return CW_ETOOBIG;
	s->counter++;
	head = lc > 255 || a->le > 256 ? 7 : 5;

	/* SCP02 signs what is plain, SCP03 what is encrypted. */
	if (s->proto == 2)
		err = cw_scp_cmac(s, a, a->lc + s->size, false);
	if (err == 0 && enc) {
		if (cap < head)
			return CW_EFULL;
		n = encrypt(s, a->data, a->lc, out + head, cap - head);
		if (n < 0)
			return n;
		b.data = out + head;
		b.lc = (uint32_t)n;
	}
	if (err == 0 && s->proto == 3)
		err = cw_scp_cmac(s, &b, lc, head == 7);
	if (err < 0)
		return err;
	return put_apdu(s, &b, lc, &w);
}

/* What protects a response of len bytes without its status word: new length. */
static int
open_rsp(struct cw_scp *s, uint8_t *rsp, size_t len, uint16_t sw)
{
	struct cw_key_part in = { rsp, 0 };
	uint8_t mac[16];
	int err, n;

	if (!cw_scp_sw_maced(sw))
		return len == 0 ? 0 : CW_EPROTO;
	if (len < s->size)
		return CW_ESHORT;
	len -= s->size;
	if ((err = cw_scp_rmac(s, rsp, len, sw, mac)) < 0)
		return err;
	if (!cw_equal_ct(mac, rsp + len, s->size))
		return CW_ECRC;
	if ((s->level & CW_SCP_RENC) == 0 || len == 0)
		return (int)len;
	if (len % cw_scp_block(s) != 0)
		return CW_EFORMAT;
	in.len = len;
	if ((n = cw_scp_cipher(s, true, true, &in, rsp)) < 0)
		return n;
	return cw_scp_unpad(rsp, len, cw_scp_block(s));
}

int
cw_scp_host_unwrap(struct cw_scp *s, uint8_t *rsp, size_t len)
{
	uint16_t sw;
	int n;

	if (!s->open)
		return CW_ESTATE;
	if (len < 2)
		return CW_ESHORT;
	if ((s->level & CW_SCP_RMAC) == 0)
		return (int)len;
	sw = (uint16_t)(rsp[len - 2] << 8 | rsp[len - 1]);
	n = open_rsp(s, rsp, len - 2, sw);
	if (n < 0) {
		s->open = false;
		return n;
	}
	rsp[n] = (uint8_t)(sw >> 8);
	rsp[n + 1] = (uint8_t)sw;
	return n + 2;
}

size_t
cw_scp_room(const struct cw_scp *s, size_t lc_max)
{
	size_t block = cw_scp_block(s);

	if (s->level == 0)
		return lc_max;
	if (lc_max < s->size + block)
		return 0;
	lc_max -= s->size;
	return s->level & CW_SCP_CENC ? lc_max / block * block - 1 : lc_max;
}
