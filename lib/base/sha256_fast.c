/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/sha256_block.h"

/*
 * One round of FIPS 180-4, 6.2.2, step 3.  The variables are not moved: the next
 * round names them one place on, and eight rounds bring them back.
 */
#define ROUND(a, b, c, d, e, f, g, h, i) do { \
	(h) += (cw_sha256_ror(e, 6) ^ cw_sha256_ror(e, 11) ^ cw_sha256_ror(e, 25)) + \
	    ((g) ^ ((e) & ((f) ^ (g)))) + k[i] + w[i]; \
	(d) += (h); \
	(h) += (cw_sha256_ror(a, 2) ^ cw_sha256_ror(a, 13) ^ cw_sha256_ror(a, 22)) + \
	    (((a) & (b)) | ((c) & ((a) | (b)))); \
} while (0)

static void
rounds8(uint32_t v[8], const uint32_t *k, const uint32_t *w)
{
	uint32_t a = v[0], b = v[1], c = v[2], d = v[3];
	uint32_t e = v[4], f = v[5], g = v[6], h = v[7];

	ROUND(a, b, c, d, e, f, g, h, 0);
	ROUND(h, a, b, c, d, e, f, g, 1);
	ROUND(g, h, a, b, c, d, e, f, 2);
	ROUND(f, g, h, a, b, c, d, e, 3);
	ROUND(e, f, g, h, a, b, c, d, 4);
	ROUND(d, e, f, g, h, a, b, c, 5);
	ROUND(c, d, e, f, g, h, a, b, 6);
	ROUND(b, c, d, e, f, g, h, a, 7);
	v[0] = a; v[1] = b; v[2] = c; v[3] = d;
	v[4] = e; v[5] = f; v[6] = g; v[7] = h;
}

/* The next 16 words of the schedule in the place of the last. */
static void
schedule(uint32_t w[16])
{
	unsigned int t;

	for (t = 0; t < 16; t++) {
		uint32_t a = w[(t + 1) & 15], b = w[(t + 14) & 15];

		w[t] += w[(t + 9) & 15] + (cw_sha256_ror(a, 7) ^ cw_sha256_ror(a, 18) ^ a >> 3) +
		    (cw_sha256_ror(b, 17) ^ cw_sha256_ror(b, 19) ^ b >> 10);
	}
}

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
	for (t = 0; t < 16; t++)
		w[t] = cw_sha256_load(block + 4 * t);
	for (t = 0; t < 64; t += 16) {
		if (t > 0)
			schedule(w);
		rounds8(v, cw_sha256_k + t, w);
		rounds8(v, cw_sha256_k + t + 8, w + 8);
	}
	for (t = 0; t < 8; t++)
		h[t] += v[t];
	cw_wipe(w, sizeof w);
	cw_wipe(v, sizeof v);
}
