/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/keyops.h"

static const struct {
	uint8_t len, block;
	const char *name;
} kind[CW_KEY_ALG_CNT] = {
#define X(sym, len, block, text) [CW_KEY_##sym] = { (len), (block), (text) },
	CW_KEY_ALG_MAP(X)
#undef X
};

size_t
cw_key_len(enum cw_key_alg alg)
{
	return kind[alg].len;
}

size_t
cw_key_block(enum cw_key_alg alg)
{
	return kind[alg].block;
}

const char *
cw_key_alg_name(enum cw_key_alg alg)
{
	return kind[alg].name;
}

int
cw_key_kcv(const struct cw_keys *k, uint32_t key, uint8_t out[3])
{
	const struct cw_key_crypt ecb = { .mode = CW_KEY_ECB };
	uint8_t block[CW_KEY_BLOCK_MAX];
	enum cw_key_alg alg;
	int err;

	if ((err = k->ops->alg(k->ctx, key, &alg)) < 0)
		return err;
	memset(block, alg == CW_KEY_DES3 ? 0 : 1, sizeof block);
	err = k->ops->crypt(k->ctx, key, &ecb, block, cw_key_block(alg), block);
	if (err < 0)
		return err;
	memcpy(out, block, 3);
	cw_wipe(block, sizeof block);
	return 0;
}
