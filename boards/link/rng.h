/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LINK_RNG_H
#define CW_LINK_RNG_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/hmac_drbg.h>

/*
 * Random numbers for a board that has no source of them: HMAC-DRBG with
 * SHA-256 (NIST SP 800-90A, 10.1.2), seeded at each start with what never comes
 * twice and what nobody else knows.
 *
 *	err = cw_settings_boot(&st, &s, &count);	raised before the first use
 *	err = cw_link_rng_init(&rng, &(struct cw_link_rng_seed){
 *		.secret = s.key, .secret_len = sizeof s.key, .boot_cnt = count,
 *		.uid = chip, .uid_len = 12 });
 *	cw_link_rng_draw(&rng, buf, len);
 *
 * Two seeds that differ anywhere give streams that share nothing, so numbers
 * repeat only when secret, counter and uid do: hence no link without a counter.
 * Noise only adds.  Not a source of keys: they are made where there is entropy.
 */
struct cw_link_rng_seed {
	const uint8_t *secret;	/* the reader's own: its link key */
	size_t secret_len;	/* 16..64 */
	uint64_t boot_cnt;	/* 1..: of cw_settings_boot, never the same twice */
	const uint8_t *uid;	/* the chip's, may be NULL */
	size_t uid_len;		/* 0..32 */
	const uint8_t *noise;	/* whatever the board measures, may be NULL */
	size_t noise_len;	/* 0..64 */
};

struct cw_link_rng {
	mbedtls_hmac_drbg_context drbg;
};

/* Everything is copied.  0, CW_EINVAL (a length, boot_cnt 0), CW_ENOMEM. */
int cw_link_rng_init(struct cw_link_rng *r, const struct cw_link_rng_seed *seed);
/* Any length.  An assertion fails when the generator does: nothing is better
 * than a number that repeats. */
void cw_link_rng_draw(struct cw_link_rng *r, uint8_t *buf, size_t len);
/* Wipes it. */
void cw_link_rng_fini(struct cw_link_rng *r);

#endif
