/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_HOST_KEYOPS_H
#define CW_HOST_KEYOPS_H

#include "cw/keyops.h"

/*
 * cw_key_ops by OpenSSL: keys as bytes in this process's memory.  For the
 * simulated card, for tests and for tools; production keys belong behind a
 * token.  One thread at a time.
 */
struct cw_keystore;
/* NULL when out of memory. _free wipes every key; _free(NULL) is harmless. */
struct cw_keystore *cw_keystore_new(void);
void cw_keystore_free(struct cw_keystore *s);
/* A new handle for these bytes (copied), cw_key_len(alg) of them; 0 when out
 * of memory. */
uint32_t cw_keystore_add(struct cw_keystore *s, enum cw_key_alg alg,
    const uint8_t *key);
/* Keys that are held; for checks that none is forgotten. */
uint32_t cw_keystore_count(const struct cw_keystore *s);
/* Table and context; borrows s. */
struct cw_keys cw_keystore_keys(struct cw_keystore *s);

#endif
