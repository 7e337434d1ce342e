/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SHA256_BLOCK_H
#define CW_SHA256_BLOCK_H

#include <stdint.h>

/*
 * SHA-256 (FIPS 180-4) by the block, for cw/sha256.h and for who brings another
 * cw_sha256_compress: h takes in the 64 bytes of block.  lib/base/sha256_fast.c
 * has it, and boards/fwcheck/sha256_small.c for a boot loader, which counts bytes;
 * a program links one of them.  cw_sha256_k is 4.2.2's table.  No errors.
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
