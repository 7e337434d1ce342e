/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/scp.h"

int
cw_scp_div_parse(const char *name)
{
	static const char *const names[] = {
#define X(sym, text) [CW_SCP_DIV_##sym] = (text),
		CW_SCP_DIV_MAP(X)
#undef X
	};
	size_t i, len = strlen(name);

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return (int)i;
	return CW_ENOENT;
}

struct purpose {
	const uint8_t *kdd;
	uint8_t k;	/* 1 ENC, 2 MAC, 3 DEK */
};

static int
one(const struct cw_keys *keys, enum cw_scp_div method, uint32_t master,
    const struct purpose *p, uint32_t *out)
{
	static const uint8_t visa2[6] = { 0, 1, 4, 5, 6, 7 };
	static const uint8_t emv[6] = { 4, 5, 6, 7, 8, 9 };
	const uint8_t *pick = method == CW_SCP_DIV_VISA2 ? visa2 : emv;
	uint8_t data[16] = { 0 };
	struct cw_key_derive d = { .kdf = CW_KEY_KDF_ECB, .data = data, .len = 16 };
	int err, i;

	if ((err = keys->ops->alg(keys->ctx, master, &d.alg)) < 0)
		return err;
	if ((method == CW_SCP_DIV_KDF3) != (d.alg != CW_KEY_DES3))
		return CW_EUNSUPPORTED;
	if (method == CW_SCP_DIV_KDF3) {
		d.kdf = CW_KEY_KDF_COUNTER;
		d.len = 5 + CW_SCP_KDD_LEN;
		data[3] = p->k;
		memcpy(data + 5, p->kdd, CW_SCP_KDD_LEN);
	} else {
		for (i = 0; i < 6; i++)
			data[i] = data[8 + i] = p->kdd[pick[i]];
		data[6] = 0xF0;
		data[14] = 0x0F;
		data[7] = data[15] = p->k;
	}
	return keys->ops->derive(keys->ctx, master, &d, out);
}

int
cw_scp_diversify(const struct cw_keys *keys, enum cw_scp_div method,
    const struct cw_scp_static *master, const uint8_t kdd[CW_SCP_KDD_LEN],
    struct cw_scp_static *out)
{
	const uint32_t from[3] = { master->enc, master->mac, master->dek };
	uint32_t *to[3] = { &out->enc, &out->mac, &out->dek };
	size_t i;
	int err = 0;

	if (method == CW_SCP_DIV_NONE) {
		*out = *master;
		return 0;
	}
	memset(out, 0, sizeof *out);
	for (i = 0; i < 3 && err == 0; i++) {
		const struct purpose p = { kdd, (uint8_t)(i + 1) };

		err = one(keys, method, from[i], &p, to[i]);
	}
	if (err < 0)
		cw_scp_div_drop(keys, method, out);
	return err;
}

void
cw_scp_div_drop(const struct cw_keys *keys, enum cw_scp_div method,
    struct cw_scp_static *out)
{
	if (method != CW_SCP_DIV_NONE) {
		keys->ops->drop(keys->ctx, out->enc);
		keys->ops->drop(keys->ctx, out->mac);
		keys->ops->drop(keys->ctx, out->dek);
	}
	memset(out, 0, sizeof *out);
}
