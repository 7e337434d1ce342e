/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_P256_H
#define CW_P256_H

#include <stdbool.h>
#include <stdint.h>

/*
 * ECDSA over P-256, verifying only, by BearSSL: for a boot loader and the
 * program that it starts.  In variable time, which is harmless here: nothing
 * that goes in is secret.
 *
 *	struct cw_fwimg_check check = { cw_p256_verify, cw_fw_key };
 */

/* key: x and y, 64 bytes; digest: 32; sig: r and s, 64. For struct
 * cw_fwimg_check. */
bool cw_p256_verify(const uint8_t *key, const uint8_t *digest, const uint8_t *sig);

/* The key that this build takes, and whether it is a development key
 * (fw_key.c, made by scripts/firmware-key.sh). */
extern const uint8_t cw_fw_key[64];
extern const bool cw_fw_key_development;

#endif
