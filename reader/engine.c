/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

/*
 * The queue of programs of a slot.  job[0] runs or is next.  A program's bytes
 * are wiped the moment its outcome is known, before the power-down that the
 * outcome may have to wait for.
 */
uint8_t *
cw_reader_engine_mem(const struct cw_reader *r, const struct cw_reader_slot *s,
    uint8_t mem)
{
	return r->cfg.queue_mem +
	    ((size_t)s->idx * CW_RLINK_QUEUE + mem) * CW_PROG_MAX;
}

static void
job_scan(struct cw_reader_job *j, const uint8_t *prog)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;

	cw_prog_begin(&it, prog, j->len);
	while (cw_prog_next(&it, &st) == 1) {
		if ((st.flags & (CW_STEP_PERSONAL | CW_STEP_SECRET)) != 0)
			j->personal = true;
		if (st.op == CW_OP_LOAD)
			j->load = true;
	}
}

void
cw_reader_engine_add(struct cw_reader *r, struct cw_reader_slot *s,
    const struct cw_rl_run *m)
{
	struct cw_reader_job *j = &s->job[s->job_cnt];
	uint8_t *mem;

	CW_ASSERT(s->job_cnt < CW_RLINK_QUEUE);
	memset(j, 0, sizeof *j);
	while ((s->mem_used >> j->mem & 1u) != 0)
		j->mem++;
	s->mem_used = (uint8_t)(s->mem_used | 1u << j->mem);
	mem = cw_reader_engine_mem(r, s, j->mem);
	memcpy(mem, m->prog, m->prog_len);
	j->attempt = m->attempt;
	j->len = m->prog_len;
	j->flags = m->flags;
	j->personal = (m->flags & CW_RUN_PERSONAL) != 0;
	job_scan(j, mem);

	/* The one before it may have ended already. */
	if ((j->flags & CW_RUN_CHAIN) != 0 && !s->tail_good &&
	    (s->job_cnt == 0 || s->job[s->job_cnt - 1].attempt !=
	    s->last_attempt))
		j->skip = true;
	s->last_attempt = m->attempt;
	s->tail_good = false;
	s->job_cnt++;
}

static void
job_wipe(struct cw_reader *r, struct cw_reader_slot *s, uint8_t i)
{
	cw_wipe(cw_reader_engine_mem(r, s, s->job[i].mem), s->job[i].len);
	s->job[i].len = 0;
}

/* Takes job i out; what is chained behind it hears how it ended. */
static void
job_remove(struct cw_reader *r, struct cw_reader_slot *s, uint8_t i, bool good)
{
	job_wipe(r, s, i);
	s->mem_used = (uint8_t)(s->mem_used & ~(1u << s->job[i].mem));
	if (s->job[i].attempt == s->last_attempt)
		s->tail_good = good;
	if (!good && i + 1 < s->job_cnt &&
	    (s->job[i + 1].flags & CW_RUN_CHAIN) != 0)
		s->job[i + 1].skip = true;
	s->job_cnt--;
	memmove(&s->job[i], &s->job[i + 1],
	    (size_t)(s->job_cnt - i) * sizeof s->job[0]);
}

void
cw_reader_engine_drop(struct cw_reader *r, struct cw_reader_slot *s, uint8_t i,
    enum cw_outcome outcome)
{
	uint8_t k;

	CW_ASSERT(i < s->job_cnt && !(i == 0 && s->running));
	k = cw_reader_result_open(r, s, s->job[i].attempt);
	s->kept[k].m.outcome = (uint16_t)outcome;
	if (s->powered)
		s->kept[k].m.flags = CW_RES_ACTIVE;
	cw_reader_result_done(r, s, k);
	job_remove(r, s, i, false);
}

void
cw_reader_engine_drop_all(struct cw_reader *r, struct cw_reader_slot *s,
    bool personal_only, enum cw_outcome outcome)
{
	uint8_t i = s->running ? 1 : 0;

	while (i < s->job_cnt) {
		if (personal_only && !s->job[i].personal)
			i++;
		else
			cw_reader_engine_drop(r, s, i, outcome);
	}
}

bool
cw_reader_engine_loads(const struct cw_reader *r)
{
	uint8_t i, j;

	for (i = 0; i < r->cfg.slot_cnt; i++)
		for (j = 0; j < r->slot[i].job_cnt; j++)
			if (r->slot[i].job[j].load)
				return true;
	return false;
}

static void
job_start(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_reader_job *j = &s->job[0];

	s->run = cw_reader_result_open(r, s, j->attempt);
	s->running = true;
	s->run_start_us = r->now_us;
	s->step_base = 0;
	s->rsp_len = 0;
	s->rsp_secret = false;
	cw_prog_begin(&s->it, cw_reader_engine_mem(r, s, j->mem), j->len);
}

static uint32_t
us_since(const struct cw_reader *r, uint64_t then_us)
{
	uint64_t us = r->now_us - then_us;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* Everything of the record but what the terminal has asked to see.  With `keep`
 * the card goes on, and so do the block numbers of T=1. */
static void
run_wipe(struct cw_reader *r, struct cw_reader_slot *s, bool keep)
{
	job_wipe(r, s, 0);
	cw_reader_result_redact(&s->kept[s->run]);
	cw_wipe(s->cmd, sizeof s->cmd);
	cw_wipe(s->chars, sizeof s->chars);
	cw_wipe(s->rsp, sizeof s->rsp);
	cw_wipe(&s->t0, sizeof s->t0);
	if (keep)
		cw_t1_wipe(&s->t1);
	else
		cw_wipe(&s->t1, sizeof s->t1);
	cw_wipe(&s->out, sizeof s->out);
	cw_wipe(&s->step, sizeof s->step);
	s->rsp_len = 0;
}

void
cw_reader_engine_end(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome)
{
	struct cw_rl_result *m = &s->kept[s->run].m;
	bool keep = outcome == CW_OUT_GOOD && s->powered &&
	    (s->job[0].flags & CW_RUN_KEEP_POWER) != 0;

	CW_ASSERT(s->running && !s->ending);
	m->outcome = (uint16_t)outcome;
	m->us = us_since(r, s->run_start_us);
	m->ta1 = s->ta1;
	s->ending = true;
	s->ask_owed = false;
	s->act_pps = false;
	if (s->state == CW_SLOT_DEACTIVATE) {
		run_wipe(r, s, false);
		return;
	}

	/* The board lets go of the buffers before they are wiped. */
	cw_reader_line_stop(r, s);
	run_wipe(r, s, keep);
	if (s->powered && !keep) {
		cw_reader_slot_off(r, s);
	} else {
		cw_reader_slot_rest(r, s);
		cw_reader_engine_close(r, s);
	}
}

void
cw_reader_engine_close(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_rl_result *m = &s->kept[s->run].m;

	if (s->powered || s->off_failed)
		m->flags |= CW_RES_ACTIVE;
	s->off_failed = false;
	s->running = false;
	s->ending = false;
	cw_reader_result_done(r, s, s->run);
	job_remove(r, s, 0, m->outcome == CW_OUT_GOOD);
}

void
cw_reader_engine_step_end(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome)
{
	struct cw_rl_result *m = &s->kept[s->run].m;
	struct cw_rl_step st;

	if (s->raw.op != CW_RAW_NONE) {
		cw_reader_raw_end(r, s, outcome);
		return;
	}
	memset(&st, 0, sizeof st);
	st.idx = (uint16_t)(s->step_base + s->step.idx);
	st.sw = s->sw;
	st.us = us_since(r, s->step_start_us);
	if (s->step.op == CW_OP_APDU)
		st.rsp_len = (uint16_t)s->rsp_len;
	if (s->step.op == CW_OP_LOAD)
		st.blocks = s->block_idx;
	cw_reader_result_step(s, &st);
	m->step = st.idx;
	if (outcome == CW_OUT_GOOD)
		cw_reader_slot_rest(r, s);
	else
		cw_reader_engine_end(r, s, outcome);
}

void
cw_reader_engine_run(struct cw_reader *r, struct cw_reader_slot *s)
{
	while (s->state == CW_SLOT_READY || s->state == CW_SLOT_IDLE) {
		if (s->job_cnt == 0)
			return;
		if (!s->running && s->job[0].skip) {
			cw_reader_engine_drop(r, s, 0, CW_OUT_SKIPPED);
			continue;
		}
		if (!s->running)
			job_start(r, s);
		if (cw_prog_next(&s->it, &s->step) != 1)
			cw_reader_engine_end(r, s, CW_OUT_GOOD);
		else
			cw_reader_steps_begin(r, s);
	}
}

/*
 * The steps before the ASK are behind us, so their place is free: the program
 * becomes the new steps followed by what came after the ASK.
 */
int
cw_reader_engine_continue(struct cw_reader *r, struct cw_reader_slot *s,
    const uint8_t *prog, size_t len)
{
	struct cw_reader_job *j = &s->job[0];
	uint8_t *mem = cw_reader_engine_mem(r, s, j->mem);
	size_t tail_len = j->len - s->it.off;
	unsigned int cnt, left;
	uint16_t bad = 0, was = j->len;
	int err;

	err = cw_prog_check(prog, len, &bad);
	if (err < 0)
		return err;
	cnt = (unsigned int)(prog[2] << 8 | prog[3]);
	left = (unsigned int)(mem[2] << 8 | mem[3]) - (s->step.idx + 1u);
	if (len + tail_len > CW_PROG_MAX || cnt + left > CW_PROG_STEPS_MAX)
		return CW_ETOOBIG;

	memmove(mem + len, mem + s->it.off, tail_len);
	memcpy(mem, prog, len);
	mem[2] = (uint8_t)((cnt + left) >> 8);
	mem[3] = (uint8_t)(cnt + left);
	j->len = (uint16_t)(len + tail_len);
	if (was > j->len)
		cw_wipe(mem + j->len, (size_t)(was - j->len));
	job_scan(j, mem);

	s->ask_owed = false;
	cw_reader_line_stop(r, s);
	cw_reader_engine_step_end(r, s, CW_OUT_GOOD);
	s->step_base = (uint16_t)(s->step_base + s->step.idx + 1);
	cw_prog_begin(&s->it, mem, j->len);
	return 0;
}
