/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SEAL_H
#define CW_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "platform/store/store.h"

/*
 * Encryption of record payloads at rest, and fingerprints of card numbers.
 *
 * From the 32 bytes of the key file two keys are derived by HMAC-SHA256: one
 * for AES-256-GCM (NIST SP 800-38D) over payloads, one for fingerprints.  Every
 * payload has its own random 96-bit nonce; order, record and key id are bound
 * to it as additional data, so that a payload moved to another record does not
 * open.
 *
 * sealed = nonce[12] | ciphertext[len] | tag[16]
 *
 * A fingerprint stands for an ICCID or IMSI in unique indexes, so that the
 * number itself need not be one: 64 bits, the upper 50 from the HMAC over kind
 * and all digits but the last four, the lower 14 those four digits, masked by
 * further bits of the same HMAC.  Numbers that differ only in their last four
 * digits can not collide; others do with a chance of n * n / 2^64 among n
 * numbers, and then an order is refused, never accepted.  Consecutive numbers
 * stay neighbours, which keeps the index local.  It tells who reads it only that
 * two numbers agree in all but their last four digits.
 *
 * One thread per struct cw_seal.  Keys are wiped by cw_seal_free.
 */
#define CW_SEAL_KEY_LEN 32
#define CW_SEAL_OVERHEAD 28	/* nonce 12, tag 16 */

enum cw_fp_kind { CW_FP_ICCID = 1, CW_FP_IMSI = 2 };

struct cw_seal;
struct cw_seal_id {
	uint64_t order, record;
};

/* From a key file: 64 hex digits and a line end, mode 0600 (or stricter), or
 * refused.  NULL with err filled: file and remedy.  cardwright setup makes it. */
struct cw_seal *cw_seal_load(const char *path, char *err, size_t err_cap);
/* From bytes (tests, stepper). NULL when out of memory. */
struct cw_seal *cw_seal_new(const uint8_t key[CW_SEAL_KEY_LEN]);
void cw_seal_free(struct cw_seal *s);

/* Replaces the random source of nonces (stepper); 0 or CW_EIO from fn. */
void cw_seal_set_random(struct cw_seal *s,
    int (*fn)(void *ctx, void *buf, size_t len), void *ctx);
/* Which key: stored with each order. */
uint32_t cw_seal_key_id(const struct cw_seal *s);

/* out: len + CW_SEAL_OVERHEAD bytes.  Length written, CW_EIO. */
int cw_seal_put(struct cw_seal *s, const struct cw_seal_id *id,
    const uint8_t *buf, size_t len, uint8_t *out);
/* out: len - CW_SEAL_OVERHEAD bytes.  Length, CW_ESHORT, CW_EDIGEST (wrong key,
 * other record, or bytes changed; out is wiped). */
int cw_seal_get(struct cw_seal *s, const struct cw_seal_id *id,
    const uint8_t *buf, size_t len, uint8_t *out);

/* digits: 5..32 decimal digits.  0 or CW_EINVAL. */
int cw_seal_fingerprint(struct cw_seal *s, enum cw_fp_kind kind,
    const char *digits, size_t len, uint8_t fp[CW_FP_LEN]);

#endif
