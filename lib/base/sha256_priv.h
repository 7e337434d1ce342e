/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SHA256_PRIV_H
#define CW_SHA256_PRIV_H

#include <stdint.h>

/*
 * Inside of SHA-256.  One block goes through cw_sha256_compress, of which there
 * are two: sha256_fast.c here, and boards/fwcheck/sha256_small.c for a boot
 * loader, which counts bytes.  A program links one of them.
 */
extern const uint32_t cw_sha256_k[64];
void cw_sha256_compress(uint32_t h[8], const uint8_t block[64]);

static inline uint32_t
cw_sha256_ror(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t
cw_sha256_load(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

#endif
