/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SHA256_H
#define CW_SHA256_H

#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256 (FIPS 180-4) for the freestanding parts, where no library is; the
 * daemons use OpenSSL for everything else.  Copyable by assignment.
 */
#define CW_SHA256_LEN 32

struct cw_sha256 {
	uint32_t h[8];
	uint64_t len_bytes;
	uint8_t block[64];
};

/* init, then update with any number of pieces, then final. */
void cw_sha256_init(struct cw_sha256 *s);
void cw_sha256_update(struct cw_sha256 *s, const void *buf, size_t len);
/* Finishes and wipes s. */
void cw_sha256_final(struct cw_sha256 *s, uint8_t digest[CW_SHA256_LEN]);
/* All three in one call. */
void cw_sha256(uint8_t digest[CW_SHA256_LEN], const void *buf, size_t len);

#endif
