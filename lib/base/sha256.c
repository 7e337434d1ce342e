/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/sha256.h"
#include "cw/sha256_block.h"

/* FIPS 180-4, 4.2.2 */
const uint32_t cw_sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* FIPS 180-4, 5.3.3 */
static const uint32_t h256[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

void
cw_sha256_init(struct cw_sha256 *s)
{
	memset(s, 0, sizeof *s);
	memcpy(s->h, h256, sizeof s->h);
}

void
cw_sha256_update(struct cw_sha256 *s, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t have = (size_t)(s->len_bytes & 63);

	if (len == 0)
		return;
	s->len_bytes += len;

	/* Fill a block that was begun before. */
	if (have > 0) {
		size_t n = 64 - have < len ? 64 - have : len;

		memcpy(s->block + have, p, n);
		p += n;
		len -= n;
		if (have + n < 64)
			return;
		cw_sha256_compress(s->h, s->block);
	}

	/* Whole blocks need no copy. */
	for (; len >= 64; p += 64, len -= 64)
		cw_sha256_compress(s->h, p);
	if (len > 0)
		memcpy(s->block, p, len);
}

void
cw_sha256_final(struct cw_sha256 *s, uint8_t digest[CW_SHA256_LEN])
{
	uint64_t bits = s->len_bytes * 8;
	size_t have = (size_t)(s->len_bytes & 63);
	unsigned int i;

	/* FIPS 180-4, 5.1.1: a one bit, zeroes, the length in bits. */
	s->block[have++] = 0x80;
	if (have > 56) {
		memset(s->block + have, 0, 64 - have);
		cw_sha256_compress(s->h, s->block);
		have = 0;
	}
	memset(s->block + have, 0, 56 - have);
	for (i = 0; i < 8; i++)
		s->block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
	cw_sha256_compress(s->h, s->block);

	for (i = 0; i < 32; i++)
		digest[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
	cw_wipe(s, sizeof *s);
}

void
cw_sha256(uint8_t digest[CW_SHA256_LEN], const void *buf, size_t len)
{
	struct cw_sha256 s;

	cw_sha256_init(&s);
	cw_sha256_update(&s, buf, len);
	cw_sha256_final(&s, digest);
}
