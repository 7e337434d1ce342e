/* SPDX-License-Identifier: Apache-2.0 */
#include "rng.h"

#include <mbedtls/md.h>

#include "cw/bytes.h"
#include "cw/err.h"

#define SECRET_MIN 16
#define SECRET_MAX 64
#define UID_MAX 32
#define NOISE_MAX 64

static const uint8_t label[] = "cardwright reader link random 1";

int
cw_link_rng_init(struct cw_link_rng *r, const struct cw_link_rng_seed *seed)
{
	const mbedtls_md_info_t *md = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	uint8_t buf[sizeof label + 3 + SECRET_MAX + 8 + UID_MAX + NOISE_MAX];
	struct cw_wr w = cw_wr_init(buf, sizeof buf);
	int err;

	if (seed->secret_len < SECRET_MIN || seed->secret_len > SECRET_MAX ||
	    seed->uid_len > UID_MAX || seed->noise_len > NOISE_MAX ||
	    seed->boot_cnt == 0)
		return CW_EINVAL;

	/* Each part with its length, so that no two seeds are one string. */
	cw_wr_bytes(&w, label, sizeof label);
	cw_wr_u8(&w, (uint8_t)seed->secret_len);
	cw_wr_bytes(&w, seed->secret, seed->secret_len);
	cw_wr_u64(&w, seed->boot_cnt);
	cw_wr_u8(&w, (uint8_t)seed->uid_len);
	cw_wr_bytes(&w, seed->uid, seed->uid_len);
	cw_wr_u8(&w, (uint8_t)seed->noise_len);
	cw_wr_bytes(&w, seed->noise, seed->noise_len);

	mbedtls_hmac_drbg_init(&r->drbg);
	err = md == NULL ? -1 : mbedtls_hmac_drbg_seed_buf(&r->drbg, md, buf, w.len);
	cw_wipe(buf, sizeof buf);
	if (err != 0) {
		mbedtls_hmac_drbg_free(&r->drbg);
		return CW_ENOMEM;
	}
	return 0;
}

void
cw_link_rng_draw(struct cw_link_rng *r, uint8_t *buf, size_t len)
{
	while (len > 0) {
		size_t n = len < MBEDTLS_HMAC_DRBG_MAX_REQUEST ? len :
		    MBEDTLS_HMAC_DRBG_MAX_REQUEST;

		CW_ASSERT(mbedtls_hmac_drbg_random(&r->drbg, buf, n) == 0);
		buf += n;
		len -= n;
	}
}

void
cw_link_rng_fini(struct cw_link_rng *r)
{
	mbedtls_hmac_drbg_free(&r->drbg);
	cw_wipe(r, sizeof *r);
}
