/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/sha256_block.h"

/*
 * FIPS 180-4, 6.2.2.  The schedule is a ring of 16 words: 64 bytes of stack in
 * place of 256 matter on a small machine.
 */
void
cw_sha256_compress(uint32_t h[8], const uint8_t block[64])
{
	uint32_t w[16];
	uint32_t v[8];
	unsigned int t;

	memcpy(v, h, sizeof v);
	for (t = 0; t < 64; t++) {
		uint32_t t1, t2;

		if (t < 16) {
			w[t] = cw_sha256_load(block + 4 * t);
		} else {
			uint32_t a = w[(t + 1) & 15];
			uint32_t b = w[(t + 14) & 15];

			w[t & 15] += w[(t + 9) & 15] +
			    (cw_sha256_ror(a, 7) ^ cw_sha256_ror(a, 18) ^ a >> 3) +
			    (cw_sha256_ror(b, 17) ^ cw_sha256_ror(b, 19) ^ b >> 10);
		}

		t1 = v[7] + (cw_sha256_ror(v[4], 6) ^ cw_sha256_ror(v[4], 11) ^ cw_sha256_ror(v[4], 25)) +
		    ((v[4] & v[5]) ^ (~v[4] & v[6])) + cw_sha256_k[t] + w[t & 15];
		t2 = (cw_sha256_ror(v[0], 2) ^ cw_sha256_ror(v[0], 13) ^ cw_sha256_ror(v[0], 22)) +
		    ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		v[7] = v[6];
		v[6] = v[5];
		v[5] = v[4];
		v[4] = v[3] + t1;
		v[3] = v[2];
		v[2] = v[1];
		v[1] = v[0];
		v[0] = t1 + t2;
	}
	for (t = 0; t < 8; t++)
		h[t] += v[t];
	cw_wipe(w, sizeof w);
	cw_wipe(v, sizeof v);
}
