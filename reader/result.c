/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

/*
 * Results: opened when a program begins (or is dropped), done when its card is
 * off, free again when the terminal has acknowledged.  run_refuse() admits a
 * program only when a place is left for its result, so opening cannot fail.
 */
uint8_t
cw_reader_result_open(struct cw_reader *r, struct cw_reader_slot *s,
    uint64_t attempt)
{
	struct cw_reader_kept *k = NULL;
	uint8_t i;

	for (i = 0; i < CW_READER_KEPT_MAX; i++)
		if (s->kept[i].state == CW_KEPT_FREE)
			break;
	CW_ASSERT(i < CW_READER_KEPT_MAX);
	k = &s->kept[i];
	memset(k, 0, sizeof *k);
	k->state = CW_KEPT_OPEN;
	k->m.slot = s->idx;
	k->m.attempt = attempt;
	k->m.boot_id = r->cfg.boot_id;
	k->m.card_session = s->card_session;
	k->m.ta1 = 0x11;
	return i;
}

/* Only the last CW_RLINK_STEPS_MAX are kept. */
void
cw_reader_result_step(struct cw_reader_slot *s, const struct cw_rl_step *st)
{
	struct cw_rl_result *m = &s->kept[s->run].m;

	if (m->step_cnt == CW_RLINK_STEPS_MAX) {
		memmove(&m->steps[0], &m->steps[1],
		    sizeof m->steps - sizeof m->steps[0]);
		m->step_cnt--;
	}
	m->steps[m->step_cnt++] = *st;
}

/* Takes capture i out and closes the gap in mem. */
static void
capture_remove(struct cw_reader_kept *k, uint8_t i)
{
	struct cw_rl_capture *c = &k->m.capture[i];
	size_t off = (size_t)(c->buf - k->mem), len = c->len;
	uint8_t low = (uint8_t)((1u << i) - 1), j;

	memmove(k->mem + off, k->mem + off + len, k->mem_len - off - len);
	cw_wipe(k->mem + k->mem_len - len, len);
	k->mem_len = (uint16_t)(k->mem_len - len);
	k->m.capture_cnt--;
	for (j = i; j < k->m.capture_cnt; j++) {
		k->m.capture[j] = k->m.capture[j + 1];
		k->m.capture[j].buf -= len;
	}
	k->secret = (uint8_t)((k->secret & low) | (k->secret >> 1 & ~low));
}

int
cw_reader_result_capture(struct cw_reader_slot *s, uint8_t id,
    const uint8_t *buf, size_t len, bool secret)
{
	struct cw_reader_kept *k = &s->kept[s->run];
	struct cw_rl_capture *c;
	uint8_t i;

	/* A second capture under the same name takes the place of the first. */
	for (i = 0; i < k->m.capture_cnt; i++) {
		if (k->m.capture[i].id == id) {
			capture_remove(k, i);
			break;
		}
	}
	if (k->m.capture_cnt == CW_PROG_CAPTURE_MAX ||
	    len > sizeof k->mem - k->mem_len)
		return CW_EFULL;
	memcpy(k->mem + k->mem_len, buf, len);
	c = &k->m.capture[k->m.capture_cnt];
	c->id = id;
	c->len = (uint16_t)len;
	c->buf = k->mem + k->mem_len;
	if (secret)
		k->secret = (uint8_t)(k->secret | 1u << k->m.capture_cnt);
	k->mem_len = (uint16_t)(k->mem_len + len);
	k->m.capture_cnt++;
	return 0;
}

void
cw_reader_result_redact(struct cw_reader_kept *k)
{
	uint8_t i = k->m.capture_cnt;

	while (i-- > 0)
		if ((k->secret >> i & 1u) != 0)
			capture_remove(k, i);
}

void
cw_reader_result_done(struct cw_reader *r, struct cw_reader_slot *s, uint8_t i)
{
	struct cw_reader_kept *k = &s->kept[i];

	CW_ASSERT(k->state == CW_KEPT_OPEN);
	k->state = CW_KEPT_DONE;
	k->sent = false;
	k->order = s->kept_order++;
	r->owes = true;
	cw_reader_log(r, k->m.outcome == CW_OUT_GOOD ? 3 : 1, "slot.result", s,
	    cw_outcome_word(k->m.outcome));
}

struct cw_reader_kept *
cw_reader_result_find(struct cw_reader_slot *s, uint64_t attempt)
{
	uint8_t i;

	for (i = 0; i < CW_READER_KEPT_MAX; i++)
		if (s->kept[i].state == CW_KEPT_DONE &&
		    s->kept[i].m.attempt == attempt)
			return &s->kept[i];
	return NULL;
}

void
cw_reader_result_free(struct cw_reader_kept *k)
{
	cw_wipe(k, sizeof *k);
}

uint8_t
cw_reader_result_done_cnt(const struct cw_reader_slot *s)
{
	uint8_t i, n = 0;

	for (i = 0; i < CW_READER_KEPT_MAX; i++)
		if (s->kept[i].state == CW_KEPT_DONE)
			n++;
	return n;
}

struct cw_reader_kept *
cw_reader_result_unsent(struct cw_reader_slot *s)
{
	struct cw_reader_kept *best = NULL;
	uint8_t i;

	for (i = 0; i < CW_READER_KEPT_MAX; i++) {
		struct cw_reader_kept *k = &s->kept[i];

		if (k->state != CW_KEPT_DONE || k->sent)
			continue;
		if (best == NULL || (int32_t)(k->order - best->order) < 0)
			best = k;
	}
	return best;
}
