/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_FWKEY_H
#define CW_FWKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/fwimg.h"

/*
 * Keys that sign firmware: ECDSA over P-256, in PEM files, by OpenSSL.
 *
 *	k = cw_fwkey_read("release.pem", err, sizeof err);
 *	cw_fwkey_sign(k, digest, sig);
 *	cw_fwkey_free(k);
 *
 * A development key says so in the line before its PEM block: what it signs
 * carries CW_FWIMG_DEV, and a production build does not take it.
 */
struct cw_fwkey;

/* A PEM file with a private or a public key of P-256.  NULL with err filled
 * (place and remedy). */
struct cw_fwkey *cw_fwkey_read(const char *path, char *err, size_t err_cap);
/* A new pair. NULL: the system gives no random numbers. */
struct cw_fwkey *cw_fwkey_make(bool development);
void cw_fwkey_free(struct cw_fwkey *k);

/* The private key into a new file of mode 0600; 0, CW_EEXIST, CW_EIO. */
int cw_fwkey_write(const struct cw_fwkey *k, const char *path);

/* Can it sign?  Is it marked as a development key? */
bool cw_fwkey_is_private(const struct cw_fwkey *k);
bool cw_fwkey_is_development(const struct cw_fwkey *k);
/* x and y, and the first bytes of their SHA-256. */
void cw_fwkey_public(const struct cw_fwkey *k, uint8_t out[CW_FWIMG_KEY]);
void cw_fwkey_id(const struct cw_fwkey *k, uint8_t out[4]);

/* r and s; 0, CW_EDENIED: no private key, CW_EIO. */
int cw_fwkey_sign(const struct cw_fwkey *k, const uint8_t *digest, uint8_t *sig);

/* For struct cw_fwimg_check. */
bool cw_fwkey_verify(const uint8_t *key, const uint8_t *digest, const uint8_t *sig);

#endif
