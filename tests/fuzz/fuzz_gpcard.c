/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/err.h"
#include "host/keyops.h"
#include "sim/gp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Commands to the simulated GlobalPlatform card, of an authenticated host too:
 * the first byte says how, then records of INS, P1, P2, Lc and data.  A session
 * of level 00 lets every byte through to the commands.
 */
static void
open_session(struct cw_sim_gp *card, const struct cw_keys *keys,
    const struct cw_scp_static *st)
{
	static const uint8_t challenge[8] = { 1 };
	uint8_t rsp[CW_SIM_GP_RSP_MAX], cmd[64];
	struct cw_scp_hello h;
	struct cw_gp_cmd c;
	struct cw_apdu a;
	struct cw_scp s;
	size_t len;
	int n;

	cw_gp_initialize_update(&c, 0, challenge, sizeof challenge);
	CW_ASSERT(cw_sim_gp_apdu(card, &c.apdu, rsp, &len) == 0x9000);
	CW_ASSERT(cw_scp_hello_parse(&h, rsp, len, 8) == 0);
	CW_ASSERT(cw_scp_host_begin(&s, keys, st, &h, challenge) == 0);
	n = cw_scp_host_auth(&s, 0, cmd, sizeof cmd);
	CW_ASSERT(n > 0 && cw_apdu_parse(&a, cmd, (size_t)n) == 0);
	CW_ASSERT(cw_sim_gp_apdu(card, &a, rsp, &len) == 0x9000);
	cw_scp_end(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[16] = "fuzz fuzz fuzz f";
	struct cw_keystore *store = cw_keystore_new();
	struct cw_sim_gp_config cfg = { .proto = size > 0 && (data[0] & 2) ? 2 : 3,
	    .memory_bytes = 4096 };
	uint8_t rsp[CW_SIM_GP_RSP_MAX];
	struct cw_sim_gp *card;
	size_t off = 1, len;
	uint32_t k;

	CW_ASSERT(store != NULL);
	k = cw_keystore_add(store, cfg.proto == 2 ? CW_KEY_DES3 : CW_KEY_AES128, key);
	cfg.keys = cw_keystore_keys(store);
	cfg.initial = (struct cw_scp_static){ k, k, k };
	card = cw_sim_gp_new(&cfg);
	CW_ASSERT(card != NULL);
	if (size > 0 && (data[0] & 1))
		open_session(card, &cfg.keys, &cfg.initial);
	while (size > off + 4) {
		struct cw_apdu a = { .kind = CW_APDU_4S, .cla = 0x80, .ins = data[off],
		    .p1 = data[off + 1], .p2 = data[off + 2], .lc = data[off + 3],
		    .le = 256, .data = data + off + 4 };

		off += 4;
		if (a.lc > size - off)
			a.lc = (uint32_t)(size - off);
		off += a.lc;
		if (a.lc == 0)
			a.data = NULL;
		cw_sim_gp_apdu(card, &a, rsp, &len);
		CW_ASSERT(len <= sizeof rsp);
	}
	cw_sim_gp_free(card);
	CW_ASSERT(cw_keystore_count(store) == 1);
	cw_keystore_free(store);
	return 0;
}
