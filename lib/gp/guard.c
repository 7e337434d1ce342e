/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/gpguard.h"

static const struct {
	bool burns;
	const char *text;
} verdict[CW_GP_VERDICT_CNT] = {
#define X(sym, burnt, words) [CW_GP_VERDICT_##sym] = { (burnt), (words) },
	CW_GP_VERDICT_MAP(X)
#undef X
};

const char *
cw_gp_verdict_text(enum cw_gp_verdict v)
{
	return verdict[v].text;
}

bool
cw_gp_verdict_burns(enum cw_gp_verdict v)
{
	return verdict[v].burns;
}

/* Card and file agree on one key: the number of a verdict. */
static enum cw_gp_verdict
compare_one(const struct cw_gp_key_info *card, enum cw_key_alg alg)
{
	bool des = card->type >= 0x80 && card->type <= 0x84;

	if (des != (alg == CW_KEY_DES3) || (!des && card->type != 0x88))
		return CW_GP_VERDICT_KIND;
	return card->len == cw_key_len(alg) ? CW_GP_VERDICT_GOOD :
	    CW_GP_VERDICT_LENGTH;
}

/* The file's keys have the check values that were announced. */
static int
compare_kcv(const struct cw_keys *keys, const struct cw_gp_guard_keys *k)
{
	uint8_t kcv[3];
	int i, err;

	for (i = 0; i < 3; i++) {
		if ((err = cw_key_kcv(keys, k->key[i], kcv)) < 0)
			return err;
		if (!cw_equal_ct(kcv, k->kcv[i], sizeof kcv))
			return CW_GP_VERDICT_KCV;
	}
	return CW_GP_VERDICT_GOOD;
}

int
cw_gp_guard_compare(const struct cw_keys *keys, const struct cw_gp_guard_keys *k,
    const struct cw_gp_key_info *list, size_t cnt)
{
	uint8_t version = k->version;
	enum cw_key_alg alg;
	bool found = cnt == 0;
	size_t i;
	int v;

	if (version == 0 && cnt > 0)
		version = list[0].version;
	for (i = 0; i < cnt; i++) {
		if (list[i].version != version || list[i].id < 1 || list[i].id > 3)
			continue;
		found = true;
		v = keys->ops->alg(keys->ctx, k->key[list[i].id - 1], &alg);
		if (v < 0)
			return v;
		v = (int)compare_one(&list[i], alg);
		if (v != CW_GP_VERDICT_GOOD)
			return v;
	}
	if (!found)
		return CW_GP_VERDICT_NO_VERSION;
	return k->kcv_known ? compare_kcv(keys, k) : CW_GP_VERDICT_GOOD;
}

void
cw_gp_guard_init(struct cw_gp_guard *g, uint32_t limit)
{
	memset(g, 0, sizeof *g);
	g->limit = limit != 0 ? limit : CW_GP_GUARD_LIMIT;
}

int
cw_gp_guard_ask(struct cw_gp_guard *g, bool failed_before)
{
	if (g->halted)
		return CW_ESTATE;
	if (failed_before)
		return CW_EDENIED;

	/* As long as no card has opened, each one under way may be a failure. */
	if ((g->good_cnt == 0 || g->fail_cnt > 0) &&
	    g->fail_cnt + g->busy_cnt >= g->limit)
		return CW_EBUSY;
	g->busy_cnt++;
	return 0;
}

bool
cw_gp_guard_tell(struct cw_gp_guard *g, enum cw_gp_verdict v)
{
	CW_ASSERT(g->busy_cnt > 0);
	g->busy_cnt--;
	if (v == CW_GP_VERDICT_GOOD) {
		g->good_cnt++;
		g->fail_cnt = 0;
		return false;
	}
	g->fail_cnt++;
	g->cause = v;
	if (g->halted || g->fail_cnt < g->limit)
		return false;
	g->halted = true;
	return true;
}

void
cw_gp_guard_resume(struct cw_gp_guard *g)
{
	g->halted = false;
	g->fail_cnt = 0;
	g->good_cnt = 0;
}
