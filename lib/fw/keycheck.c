/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/keycheck.h"

#include <string.h>

#include "cw/bytes.h"
#include "cw/sha256.h"

void
cw_key_check(uint8_t out[4], const uint8_t key[32])
{
	static const char label[] = "cardwright link key";
	uint8_t digest[CW_SHA256_LEN];
	struct cw_sha256 sha;

	cw_sha256_init(&sha);
	cw_sha256_update(&sha, label, sizeof label - 1);
	cw_sha256_update(&sha, key, 32);
	cw_sha256_final(&sha, digest);
	memcpy(out, digest, 4);
	cw_wipe(digest, sizeof digest);
}
