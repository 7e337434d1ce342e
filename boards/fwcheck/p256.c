/* SPDX-License-Identifier: Apache-2.0 */
#include "p256.h"

#include <bearssl.h>
#include <string.h>

bool
cw_p256_verify(const uint8_t *key, const uint8_t *digest, const uint8_t *sig)
{
	uint8_t point[65];
	br_ec_public_key pk = {
		.curve = BR_EC_secp256r1, .q = point, .qlen = sizeof point,
	};

	point[0] = 4;
	memcpy(point + 1, key, 64);
	return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, 32, &pk, sig,
	    64) == 1;
}
