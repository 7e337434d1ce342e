/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "host/keyops.h"

#define DES_BLOCK 8

struct key {
	bool used;
	uint8_t alg;		/* enum cw_key_alg */
	uint8_t bytes[CW_KEY_MAX];
};

struct cw_keystore {
	struct key **key;	/* handle - 1; entries do not move */
	uint32_t cnt, used_cnt;
	EVP_CIPHER *ecb[CW_KEY_ALG_CNT], *cbc[CW_KEY_ALG_CNT];
	EVP_MAC *cmac;
	EVP_CIPHER_CTX *cipher;
};

static const char *const cipher_name[CW_KEY_ALG_CNT][2] = {
	[CW_KEY_DES3] = { "DES-EDE-ECB", "DES-EDE-CBC" },
	[CW_KEY_AES128] = { "AES-128-ECB", "AES-128-CBC" },
	[CW_KEY_AES192] = { "AES-192-ECB", "AES-192-CBC" },
	[CW_KEY_AES256] = { "AES-256-ECB", "AES-256-CBC" },
};

struct cw_keystore *
cw_keystore_new(void)
{
	struct cw_keystore *s = calloc(1, sizeof *s);
	bool all = s != NULL;
	int i;

	for (i = 0; all && i < CW_KEY_ALG_CNT; i++) {
		s->ecb[i] = EVP_CIPHER_fetch(NULL, cipher_name[i][0], NULL);
		s->cbc[i] = EVP_CIPHER_fetch(NULL, cipher_name[i][1], NULL);
		all = s->ecb[i] != NULL && s->cbc[i] != NULL;
	}
	if (all) {
		s->cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
		s->cipher = EVP_CIPHER_CTX_new();
		all = s->cmac != NULL && s->cipher != NULL;
	}
	if (!all) {
		cw_keystore_free(s);
		return NULL;
	}
	return s;
}

void
cw_keystore_free(struct cw_keystore *s)
{
	uint32_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->cnt; i++) {
		cw_wipe(s->key[i], sizeof *s->key[i]);
		free(s->key[i]);
	}
	for (i = 0; i < CW_KEY_ALG_CNT; i++) {
		EVP_CIPHER_free(s->ecb[i]);
		EVP_CIPHER_free(s->cbc[i]);
	}
	EVP_MAC_free(s->cmac);
	EVP_CIPHER_CTX_free(s->cipher);
	free(s->key);
	free(s);
}

uint32_t
cw_keystore_count(const struct cw_keystore *s)
{
	return s->used_cnt;
}

uint32_t
cw_keystore_add(struct cw_keystore *s, enum cw_key_alg alg, const uint8_t *key)
{
	struct key **list, *k = NULL;
	uint32_t i;

	for (i = 0; i < s->cnt && s->key[i]->used; i++)
		;
	if (i == s->cnt) {
		list = realloc(s->key, (s->cnt + 1) * sizeof list[0]);
		if (list == NULL)
			return 0;
		s->key = list;
		if ((k = calloc(1, sizeof *k)) == NULL)
			return 0;
		list[s->cnt++] = k;
	}
	k = s->key[i];
	k->used = true;
	k->alg = (uint8_t)alg;
	memcpy(k->bytes, key, cw_key_len(alg));
	s->used_cnt++;
	return i + 1;
}

static const struct key *
find(void *ctx, uint32_t key)
{
	struct cw_keystore *s = ctx;

	if (key == 0 || key > s->cnt || !s->key[key - 1]->used)
		return NULL;
	return s->key[key - 1];
}

static void
op_drop(void *ctx, uint32_t key)
{
	struct cw_keystore *s = ctx;

	if (find(ctx, key) == NULL)
		return;
	cw_wipe(s->key[key - 1], sizeof *s->key[key - 1]);
	s->used_cnt--;
}

static int
op_alg(void *ctx, uint32_t key, enum cw_key_alg *alg)
{
	const struct key *k = find(ctx, key);

	if (k == NULL)
		return CW_EINVAL;
	*alg = (enum cw_key_alg)k->alg;
	return 0;
}

struct use {
	const EVP_CIPHER *cipher;
	const uint8_t *bytes;	/* of the key */
};

/* One pass of a cipher without padding. */
static int
cipher_run(struct cw_keystore *s, const struct use *u, const struct cw_key_crypt *how,
    const struct cw_key_part *in, uint8_t *out)
{
	static const uint8_t zero[CW_KEY_BLOCK_MAX];
	const uint8_t *iv = how->iv != NULL ? how->iv : zero;
	int n = 0;

	if (in->len == 0)
		return 0;
	if (in->len > INT32_MAX ||
	    EVP_CipherInit_ex2(s->cipher, u->cipher, u->bytes, iv, !how->decrypt, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(s->cipher, 0) != 1 ||
	    EVP_CipherUpdate(s->cipher, out, &n, in->buf, (int)in->len) != 1 ||
	    (size_t)n != in->len)
		return CW_EIO;
	return 0;
}

/* Single DES by its first half: EDE with both halves the same. */
static void
half_key(uint8_t out[16], const struct key *k)
{
	memcpy(out, k->bytes, DES_BLOCK);
	memcpy(out + DES_BLOCK, k->bytes, DES_BLOCK);
}

static int
op_crypt(void *ctx, uint32_t key, const struct cw_key_crypt *c, const uint8_t *in,
    size_t len, uint8_t *out)
{
	struct cw_keystore *s = ctx;
	const struct key *k = find(ctx, key);
	const struct cw_key_part part = { in, len };
	struct use u = { NULL, NULL };
	uint8_t half[16];
	int err;

	if (k == NULL || len % cw_key_block((enum cw_key_alg)k->alg) != 0)
		return CW_EINVAL;
	u.cipher = c->mode == CW_KEY_CBC ? s->cbc[k->alg] : s->ecb[k->alg];
	u.bytes = k->bytes;
	if (c->mode != CW_KEY_ECB_HALF)
		return cipher_run(s, &u, c, &part, out);
	if (k->alg != CW_KEY_DES3)
		return CW_EINVAL;
	half_key(half, k);
	u.bytes = half;
	err = cipher_run(s, &u, c, &part, out);
	cw_wipe(half, sizeof half);
	return err;
}

static int
mac_cmac(struct cw_keystore *s, const struct key *k, const struct cw_key_macing *m,
    uint8_t out[16])
{
	OSSL_PARAM param[2] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER,
		    (char *)(uintptr_t)cipher_name[k->alg][1], 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *c;
	size_t i, n = 0;
	bool ok;

	if (k->alg == CW_KEY_DES3)
		return CW_EINVAL;
	if ((c = EVP_MAC_CTX_new(s->cmac)) == NULL)
		return CW_ENOMEM;
	ok = EVP_MAC_init(c, k->bytes, cw_key_len((enum cw_key_alg)k->alg), param) == 1;
	for (i = 0; ok && i < m->part_cnt; i++)
		ok = m->part[i].len == 0 ||
		    EVP_MAC_update(c, m->part[i].buf, m->part[i].len) == 1;
	ok = ok && EVP_MAC_final(c, out, &n, 16) == 1 && n == 16;
	EVP_MAC_CTX_free(c);
	return ok ? 0 : CW_EIO;
}

/* GPC B.1.2: CBC over the padded message; only the last block is in 3DES when
 * single, and then the blocks before go by the first half. */
static int
mac_des(struct cw_keystore *s, const struct key *k, const struct cw_key_macing *m,
    uint8_t out[16])
{
	const struct cw_key_crypt cbc = { .mode = CW_KEY_CBC };
	uint8_t block[DES_BLOCK] = { 0 }, half[16];
	struct cw_key_part in = { block, DES_BLOCK };
	const struct use first = { s->cbc[CW_KEY_DES3], half };
	const struct use last = { s->cbc[CW_KEY_DES3], k->bytes };
	size_t i, j, fill = 0;
	int err = 0;

	if (k->alg != CW_KEY_DES3)
		return CW_EINVAL;
	if (m->kind == CW_KEY_RETAIL)
		half_key(half, k);
	else
		memcpy(half, k->bytes, sizeof half);
	if (m->iv != NULL)
		memcpy(block, m->iv, DES_BLOCK);
	for (i = 0; i < m->part_cnt && err == 0; i++)
		for (j = 0; j < m->part[i].len && err == 0; j++) {
			block[fill++] ^= m->part[i].buf[j];
			if (fill < DES_BLOCK)
				continue;
			err = cipher_run(s, &first, &cbc, &in, block);
			fill = 0;
		}

	/* The padding always starts in the last block: a whole one if need be. */
	block[fill] ^= 0x80;
	if (err == 0)
		err = cipher_run(s, &last, &cbc, &in, out);
	cw_wipe(half, sizeof half);
	return err;
}

static int
op_mac(void *ctx, uint32_t key, const struct cw_key_macing *m, uint8_t out[16])
{
	const struct key *k = find(ctx, key);

	if (k == NULL || m->part_cnt > CW_KEY_PART_MAX)
		return CW_EINVAL;
	return m->kind == CW_KEY_CMAC ? mac_cmac(ctx, k, m, out) :
	    mac_des(ctx, k, m, out);
}

static int
op_kdf(void *ctx, uint32_t key, const struct cw_key_derive *d, uint8_t *out,
    size_t len)
{
	const struct key *k = find(ctx, key);
	uint8_t i = 0, block[16];
	struct cw_key_macing m = { .kind = CW_KEY_CMAC, .part_cnt = 3 };
	size_t off, n;
	int err = 0;

	if (k == NULL || d->counter_off > d->len || len > 255 * sizeof block)
		return CW_EINVAL;
	m.part[0] = (struct cw_key_part){ d->data, d->counter_off };
	m.part[1] = (struct cw_key_part){ &i, 1 };
	m.part[2] = (struct cw_key_part){ d->data + d->counter_off,
	    d->len - d->counter_off };
	for (off = 0; off < len && err == 0; off += n) {
		i++;
		n = len - off < sizeof block ? len - off : sizeof block;
		if ((err = mac_cmac(ctx, k, &m, block)) == 0)
			memcpy(out + off, block, n);
	}
	cw_wipe(block, sizeof block);
	return err;
}

static int
op_derive(void *ctx, uint32_t key, const struct cw_key_derive *d, uint32_t *out)
{
	const struct cw_key_crypt c = { .mode =
	    d->kdf == CW_KEY_KDF_ECB ? CW_KEY_ECB : CW_KEY_CBC };
	size_t len = cw_key_len(d->alg);
	uint8_t bytes[CW_KEY_MAX];
	int err;

	*out = 0;
	if (d->kdf == CW_KEY_KDF_COUNTER)
		err = op_kdf(ctx, key, d, bytes, len);
	else if (d->len != len)
		return CW_EINVAL;
	else
		err = op_crypt(ctx, key, &c, d->data, len, bytes);
	if (err == 0 && (*out = cw_keystore_add(ctx, d->alg, bytes)) == 0)
		err = CW_ELIMIT;
	cw_wipe(bytes, sizeof bytes);
	return err;
}

static int
op_wrap(void *ctx, uint32_t by, uint32_t key, uint8_t out[CW_KEY_WRAP_MAX])
{
	const struct key *b = find(ctx, by), *k = find(ctx, key);
	struct cw_key_crypt c = { .mode = CW_KEY_CBC };
	uint8_t bytes[CW_KEY_WRAP_MAX] = { 0 };
	size_t len, block;
	int err;

	if (b == NULL || k == NULL)
		return CW_EINVAL;
	if (b->alg == CW_KEY_DES3)
		c.mode = CW_KEY_ECB;
	len = cw_key_len((enum cw_key_alg)k->alg);
	block = cw_key_block((enum cw_key_alg)b->alg);
	memcpy(bytes, k->bytes, len);
	len = (len + block - 1) / block * block;
	err = op_crypt(ctx, by, &c, bytes, len, out);
	cw_wipe(bytes, sizeof bytes);
	return err < 0 ? err : (int)len;
}

static int
op_unwrap(void *ctx, uint32_t by, enum cw_key_alg alg, const uint8_t *in, size_t len,
    uint32_t *out)
{
	const struct key *b = find(ctx, by);
	struct cw_key_crypt c = { .mode = CW_KEY_CBC, .decrypt = true };
	uint8_t bytes[CW_KEY_WRAP_MAX];
	int err;

	*out = 0;
	if (b == NULL || len > sizeof bytes || len < cw_key_len(alg))
		return CW_EINVAL;
	if (b->alg == CW_KEY_DES3)
		c.mode = CW_KEY_ECB;
	err = op_crypt(ctx, by, &c, in, len, bytes);
	if (err == 0 && (*out = cw_keystore_add(ctx, alg, bytes)) == 0)
		err = CW_ELIMIT;
	cw_wipe(bytes, sizeof bytes);
	return err;
}

struct cw_keys
cw_keystore_keys(struct cw_keystore *s)
{
	static const struct cw_key_ops ops = {
		.alg = op_alg, .crypt = op_crypt, .mac = op_mac,
		.derive = op_derive, .kdf = op_kdf, .wrap = op_wrap,
		.unwrap = op_unwrap, .drop = op_drop,
	};
	struct cw_keys keys = { &ops, s };

	return keys;
}
