/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ASK: a program at a reader waits for the steps that follow.  The profile
 * makes them of the record and of what the card has said (answer()).
 *
 * After a cut link the reader repeats an ASK that it was not answered: a
 * question with the captures of the one before is the same, and gets the same
 * steps once more, for a profile gives the same bytes for the same input.  The
 * program kept here grows by each answer, as the reader counts its steps, so
 * that the trace tells what was done.
 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "terminal/ln.h"

#define ASKS_MAX 32		/* of one card */

bool
cw_ln_asks(const uint8_t *prog, size_t len)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;

	cw_prog_begin(&it, prog, len);
	while (cw_prog_next(&it, &st) == 1)
		if (st.op == CW_OP_ASK)
			return true;
	return false;
}

static void
hash_captures(const struct cw_rl_ask *m, uint8_t out[CW_SHA256_LEN])
{
	struct cw_sha256 h;

	cw_sha256_init(&h);
	for (unsigned int i = 0; i < m->capture_cnt; i++) {
		const struct cw_rl_capture *c = &m->capture[i];
		uint8_t head[3] = { c->id, (uint8_t)(c->len >> 8), (uint8_t)c->len };

		cw_sha256_update(&h, head, sizeof head);
		cw_sha256_update(&h, c->buf, c->len);
	}
	cw_sha256_final(&h, out);
	cw_wipe(&h, sizeof h);
}

/* The steps of add[len] behind the first ASK that has no answer yet. */
static int
splice(struct cw_ln_prog *p, const uint8_t *add, size_t len)
{
	struct cw_prog_iter it, more;
	struct cw_prog_step st = { .op = 0 };
	size_t head, total;
	unsigned int cnt;
	uint8_t *buf;

	cw_prog_begin(&it, p->buf, p->len);
	while (cw_prog_next(&it, &st) == 1)
		if (st.op == CW_OP_ASK && st.idx >= p->ask_idx)
			break;
	if (st.op != CW_OP_ASK || st.idx < p->ask_idx)
		return CW_EPROTO;
	cw_prog_begin(&more, add, len);
	head = more.off;
	total = p->len + len - head;
	cnt = it.cnt + more.cnt;
	if (total > CW_PROG_MAX || cnt > CW_PROG_STEPS_MAX)
		return CW_ETOOBIG;
	buf = malloc(total);
	if (buf == NULL)
		return CW_ENOMEM;
	memcpy(buf, p->buf, it.off);
	memcpy(buf + it.off, add + head, len - head);
	memcpy(buf + it.off + len - head, p->buf + it.off, p->len - it.off);
	buf[2] = (uint8_t)(cnt >> 8);
	buf[3] = (uint8_t)cnt;
	cw_wipe(p->buf, p->len);
	free(p->buf);
	p->buf = buf;
	p->len = (uint16_t)total;
	p->ask_idx = (uint16_t)(st.idx + 1);
	return 0;
}

/* The answer into l->scratch; its length, or CW_E* with why filled. */
static int
make_answer(struct cw_line *l, const struct cw_ln_card *c,
    const struct cw_rl_ask *m, char why[200])
{
	const struct cw_ln_order *o = c->order;
	struct cw_line_compile req = { .order = c->end.order,
	    .record = c->end.record, .epoch = c->end.epoch, .payload = c->rec,
	    .payload_len = c->rec_len, .ask = m };

	if (c->rec == NULL || o == NULL || o->profile == NULL ||
	    c->prog[CW_LN_PERSO].asks == ASKS_MAX) {
		memcpy(why, "the program asks more than it may", 34);
		return CW_ESTATE;
	}
	memcpy(req.cos_digest, o->info.cos_digest, CW_SHA256_LEN);
	req.cos_addr = o->info.cos_addr;
	req.cos_len = o->info.cos_len;
	return l->cfg.ops->compile(l->cfg.ctx, o->profile, &req, l->scratch,
	    CW_PROG_MAX, why);
}

void
cw_ln_ask(struct cw_line *l, struct cw_ln_station *st, const struct cw_rl_ask *m)
{
	struct cw_ln_prog *p = &st->cur.prog[CW_LN_PERSO];
	struct cw_rl_continue go = { .prog = l->scratch };
	uint8_t hash[CW_SHA256_LEN];
	char why[200] = "";
	int n;

	if (p->state == CW_LN_RUN_ENDED)
		return;
	hash_captures(m, hash);
	n = make_answer(l, &st->cur, m, why);
	if (n > 0)
		go.prog_len = (uint16_t)n;
	if (n > 0 && (p->asks == 0 || memcmp(hash, p->ask_hash, sizeof hash) != 0))
		n = splice(p, l->scratch, go.prog_len);
	memcpy(p->ask_hash, hash, sizeof hash);
	cw_wipe(hash, sizeof hash);
	if (n >= 0) {
		p->asks++;
		n = cw_ln_reader_continue(l, st, &go);
	}
	cw_wipe(l->scratch, CW_PROG_MAX);

	/* A link that is cut brings the same question again. */
	if (n >= 0 || n == CW_ECLOSED)
		return;
	cw_ln_log(l, CW_LINE_WARN, "run.asks", "station=%u attempt=%llu "
	    "err=%s: no answer, the program is aborted: %s", st->idx + 1u,
	    (unsigned long long)m->attempt, cw_err_name(n), why);
	cw_ln_reader_simple(l, st, CW_RL_ABORT, m->attempt);
}
