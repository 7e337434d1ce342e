/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_KEYOPS_H
#define CW_KEYOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What card protocols ask of a key, as a table of calls.  The library knows no
 * cipher and sees no key: a key is a handle, a number other than 0 that means
 * something to whoever filled in the table, be it a process beside a PKCS#11
 * token, OpenSSL (host/keyops.h) or a card.  Session keys made by `derive` are
 * handles too and live where the table's owner keeps them until `drop`.
 *
 * Each call maps to PKCS#11: crypt to CKM_{DES3,AES}_{ECB,CBC}, mac to
 * CKM_AES_CMAC and CKM_DES3_CBC, derive to CKM_DES3_{ECB,CBC}_ENCRYPT_DATA and
 * CKM_SP800_108_COUNTER_KDF, wrap and unwrap to CKM_DES3_ECB, CKM_AES_CBC.
 *
 * Each returns 0 or a count, or CW_EINVAL (no such key, or not of the right
 * kind, or a length that is no multiple of the block), CW_EIO (the token
 * failed or is away), CW_ELIMIT (no room for one more key).
 */
#define CW_KEY_ALG_MAP(X) \
	X(DES3, 16, 8, "3DES")		/* two keys */ \
	X(AES128, 16, 16, "AES-128") X(AES192, 24, 16, "AES-192") \
	X(AES256, 32, 16, "AES-256")

enum cw_key_alg {
#define X(sym, len, block, text) CW_KEY_##sym,
	CW_KEY_ALG_MAP(X)
#undef X
	CW_KEY_ALG_CNT
};

#define CW_KEY_MAX 32		/* bytes of the longest key */
#define CW_KEY_WRAP_MAX 32	/* the same, padded to blocks */
#define CW_KEY_BLOCK_MAX 16
#define CW_KEY_PART_MAX 4

/* Bytes of a key, of a cipher block. */
size_t cw_key_len(enum cw_key_alg alg);
size_t cw_key_block(enum cw_key_alg alg);
/* "AES-128"; static. */
const char *cw_key_alg_name(enum cw_key_alg alg);

/* ECB_HALF is single DES with the first half of a 3DES key (SCP02, E.3.4). */
enum cw_key_mode { CW_KEY_ECB, CW_KEY_CBC, CW_KEY_ECB_HALF };

struct cw_key_crypt {
	enum cw_key_mode mode;
	bool decrypt;
	const uint8_t *iv;	/* CBC: one block; NULL: zeros */
};

enum cw_key_mac {
	CW_KEY_CMAC,		/* AES; NIST SP 800-38B; 16 bytes */
	CW_KEY_RETAIL,		/* GPC B.1.2.2: single DES, last block 3DES; 8 bytes */
	CW_KEY_FULL3,		/* GPC B.1.2.1: 3DES throughout; 8 bytes */
};				/* the DES ones pad with 80 00 .. themselves */

struct cw_key_part {
	const uint8_t *buf;
	size_t len;
};

struct cw_key_macing {
	enum cw_key_mac kind;
	const uint8_t *iv;	/* DES only: 8 bytes; NULL: zeros */
	struct cw_key_part part[CW_KEY_PART_MAX];
	size_t part_cnt;
};

enum cw_key_kdf {
	CW_KEY_KDF_ECB,		/* the new key is data encrypted in ECB */
	CW_KEY_KDF_CBC,		/* the same in CBC, IV zero */
	CW_KEY_KDF_COUNTER,	/* NIST SP 800-108 with AES-CMAC: a counter byte
				 * 01, 02, .. stands in data at counter_off */
};

struct cw_key_derive {
	enum cw_key_kdf kdf;
	const uint8_t *data;
	size_t len;
	size_t counter_off;	/* 0..len */
	enum cw_key_alg alg;	/* of the new key */
};

struct cw_key_ops {
	int (*alg)(void *ctx, uint32_t key, enum cw_key_alg *alg);
	/* len bytes, whole blocks; in and out may be the same. */
	int (*crypt)(void *ctx, uint32_t key, const struct cw_key_crypt *c,
	    const uint8_t *in, size_t len, uint8_t *out);
	/* out: 16 bytes, of which a DES MAC fills 8. */
	int (*mac)(void *ctx, uint32_t key, const struct cw_key_macing *m,
	    uint8_t out[16]);
	int (*derive)(void *ctx, uint32_t key, const struct cw_key_derive *d,
	    uint32_t *out);
	/* As derive by COUNTER, but the result is len bytes and no key. */
	int (*kdf)(void *ctx, uint32_t key, const struct cw_key_derive *d,
	    uint8_t *out, size_t len);
	/* `key` encrypted by `by`: ECB for 3DES, CBC with IV zero for AES, its
	 * last block filled up with zeros. Bytes written. */
	int (*wrap)(void *ctx, uint32_t by, uint32_t key, uint8_t out[CW_KEY_WRAP_MAX]);
	/* The reverse: a new key of that kind from len bytes. */
	int (*unwrap)(void *ctx, uint32_t by, enum cw_key_alg alg,
	    const uint8_t *in, size_t len, uint32_t *out);
	/* Wipes a key that derive or unwrap made; 0 is harmless. */
	void (*drop)(void *ctx, uint32_t key);
};

/* A table and its context, as calls take it; copied freely, borrows both. */
struct cw_keys {
	const struct cw_key_ops *ops;
	void *ctx;
};

/*
 * Key check value, 3 bytes: 3DES over eight bytes 00 (GPC B.4), AES over
 * sixteen bytes 01 (Amendment D, 4.1.4).
 */
int cw_key_kcv(const struct cw_keys *k, uint32_t key, uint8_t out[3]);

#endif
