/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of the test world: what they answer, keep and lose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world_priv.h"

#include "cw/err.h"
#include "cw/outcome.h"

static uint8_t rbuf[CW_FRAME_HDR + CW_RLINK_BODY_MAX];

static void
reader_out(struct world *w, unsigned int i, int n)
{
	assert_true(n > 0);
	if (w->reader[i].up)
		world_queue_put(&w->reader[i].out, rbuf, (size_t)n);
}

static void
reader_slot(struct world *w, unsigned int i)
{
	struct reader *r = &w->reader[i];
	struct cw_rl_slot m = { .present = r->present,
	    .card_session = r->session, .last_attempt = r->last_attempt };

	if (r->hello)
		reader_out(w, i, cw_rl_put_slot(rbuf, sizeof rbuf, 0, &m));
}

void
world_reader_card(struct world *w, unsigned int i, uint32_t card_no)
{
	struct reader *r = &w->reader[i];

	r->card_no = card_no;
	r->present = card_no != 0;
	r->burn_good = false;
	if (r->present)
		r->session++;
	reader_slot(w, i);
}

static void
reader_result(struct world *w, unsigned int i, unsigned int k)
{
	struct reader *r = &w->reader[i];
	static struct cw_rl_result m;

	memset(&m, 0, sizeof m);
	m.attempt = r->kept[k].attempt;
	m.outcome = r->kept[k].outcome;
	m.flags = r->kept[k].flags;
	m.sw = r->kept[k].sw;
	m.boot_id = r->boot_id + r->wrong_boot;
	m.card_session = r->session + r->wrong_session;
	m.step_cnt = w->asks ? 2 : 1;
	m.steps[m.step_cnt - 1].idx = w->asks;
	m.steps[m.step_cnt - 1].sw = m.sw;
	m.steps[m.step_cnt - 1].us = 42;
	reader_out(w, i, cw_rl_put_result(rbuf, sizeof rbuf, 0, &m));
}

void
world_reader_down(struct world *w, unsigned int i, uint64_t for_us)
{
	struct reader *r = &w->reader[i];

	if (r->up && w->line != NULL && !w->dead)
		cw_line_reader_down(w->line, i, w->now);
	r->up = r->hello = false;
	r->down_until = w->now + for_us;
	world_queue_clear(&r->out);
}

static void
reader_boot(struct world *w, unsigned int i)
{
	struct reader *r = &w->reader[i];

	world_reader_down(w, i, 50000);
	r->boot_id++;
	r->has_image = false;
	r->kept_cnt = 0;
	r->last_attempt = 0;
	r->asking = 0;
	r->session = r->present ? 1 : 0;
}

static void
keep(struct reader *r, uint64_t attempt, uint16_t outcome, uint8_t flags,
    uint16_t sw)
{
	assert_true(r->kept_cnt < 8);
	r->kept[r->kept_cnt].attempt = attempt;
	r->kept[r->kept_cnt].outcome = outcome;
	r->kept[r->kept_cnt].flags = flags;
	r->kept[r->kept_cnt].sw = sw;
	r->kept_cnt++;
}

static uint64_t
record_of(const struct cw_rl_run *m)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;
	uint64_t v = 0;

	cw_prog_begin(&it, m->prog, m->prog_len);
	while (cw_prog_next(&it, &st) > 0)
		if (st.op == CW_OP_APDU && st.u.apdu.len >= 13)
			for (int k = 0; k < 8; k++)
				v = v << 8 | st.u.apdu.buf[5 + k];
	return v;
}

/* A personal program comes to its card; true: its result goes out at once. */
static bool
reader_write(struct world *w, unsigned int i, const struct cw_rl_run *m,
    enum play play)
{
	struct reader *r = &w->reader[i];
	struct card *c = &w->card[r->card_no];

	if (play == PLAY_MUTE || play == PLAY_FAULT || play == PLAY_BURN_FAIL) {
		keep(r, m->attempt, play == PLAY_MUTE ? CW_OUT_MUTE :
		    play == PLAY_FAULT ? CW_OUT_READER : CW_OUT_SKIPPED, 0, 0);
		return true;
	}

	/* A card is written once. */
	assert_int_equal(c->record, 0);
	c->record = record_of(m);
	assert_in_range(c->record, 1, w->record_cnt);
	c->whole = play != PLAY_SW && play != PLAY_TIMEOUT;
	if (play == PLAY_SW)
		keep(r, m->attempt, CW_OUT_SW, CW_RES_TOUCHED, 0x6A80);
	else if (play == PLAY_TIMEOUT)
		keep(r, m->attempt, CW_OUT_TIMEOUT, CW_RES_TOUCHED, 0);
	else
		keep(r, m->attempt, CW_OUT_GOOD, CW_RES_TOUCHED, 0x9000);
	if (play == PLAY_SILENT)
		r->kept_cnt--;
	else if (play == PLAY_CUT)
		world_reader_down(w, i, 100000);
	else if (play == PLAY_BOOT)
		reader_boot(w, i);
	return play != PLAY_SILENT && play != PLAY_CUT && play != PLAY_BOOT;
}

static void
reader_ask(struct world *w, unsigned int i)
{
	struct cw_rl_ask m = { .attempt = w->reader[i].asking,
	    .capture_cnt = 1 };

	m.capture[0] = (struct cw_rl_capture){ .id = 2, .len = 4,
	    .buf = (const uint8_t *)"CHAL" };
	reader_out(w, i, cw_rl_put_ask(rbuf, sizeof rbuf, 0, &m));
}

static void
on_continue(struct world *w, unsigned int i, const struct cw_frame *f)
{
	struct reader *r = &w->reader[i];
	struct cw_rl_continue m;
	struct cw_rl_run run = { 0 };
	unsigned int at = r->play_at - 1;

	assert_int_equal(cw_rl_get_continue(&m, f->body, f->body_len), 0);
	assert_int_equal(m.attempt, r->asking);
	w->answers++;
	r->asking = 0;
	run.attempt = m.attempt;
	run.prog = m.prog;
	run.prog_len = m.prog_len;
	if (reader_write(w, i, &run, at < r->play_cnt ? r->play[at] : PLAY_GOOD))
		reader_result(w, i, r->kept_cnt - 1);
}

static void
on_run(struct world *w, unsigned int i, const struct cw_frame *f)
{
	struct reader *r = &w->reader[i];
	struct cw_rl_run m;
	struct cw_rl_run_ok ok = { 0 };
	struct cw_rl_refuse bad = { .err = CW_EREMOVED, .text = "no card" };
	enum play play = r->play_at < r->play_cnt ? r->play[r->play_at] : PLAY_GOOD;
	bool personal;

	assert_int_equal(cw_rl_get_run(&m, f->body, f->body_len), 0);
	personal = (m.flags & CW_RUN_PERSONAL) != 0;
	if (personal || !w->has_data)
		r->play_at++;
	if (!r->present || play == PLAY_REMOVED_RUN ||
	    (m.card_session != 0 && m.card_session != r->session)) {
		reader_out(w, i, cw_rl_put_refuse(rbuf, sizeof rbuf, f->id,
		    CW_RL_ERROR, &bad));
		return;
	}
	assert_true(m.attempt > r->last_attempt);
	r->last_attempt = m.attempt;
	ok.attempt = m.attempt;
	ok.queued = 1;
	reader_out(w, i, cw_rl_put_run_ok(rbuf, sizeof rbuf, f->id, &ok));
	if (!personal) {
		assert_true(r->has_image);
		keep(r, m.attempt, play == PLAY_BURN_FAIL ? CW_OUT_NO_BOOT :
		    CW_OUT_GOOD, 0, play == PLAY_BURN_FAIL ? 0x6F00 : 0x9000);
		reader_result(w, i, r->kept_cnt - 1);
	} else if (w->asks) {
		r->asking = m.attempt;
		if (play == PLAY_CUT)
			world_reader_down(w, i, 100000);
		else
			reader_ask(w, i);
	} else if (reader_write(w, i, &m, play)) {
		reader_result(w, i, r->kept_cnt - 1);
	}
}

static void
on_hello(struct world *w, unsigned int i, const struct cw_frame *f)
{
	struct reader *r = &w->reader[i];
	struct cw_rl_hello_ok m = { .slot_cnt = 1, .store_cap = 1 << 20 };

	m.boot_id = r->boot_id;
	m.store_gen = r->has_image;
	if (r->has_image)
		memcpy(m.store_digest, r->digest, 32);
	snprintf(m.firmware, sizeof m.firmware, "test");
	reader_out(w, i, cw_rl_put_hello_ok(rbuf, sizeof rbuf, f->id, &m));
	r->hello = true;
	reader_slot(w, i);
	for (unsigned int k = 0; k < r->kept_cnt; k++)
		reader_result(w, i, k);
	if (r->asking != 0)
		reader_ask(w, i);
}

static void
on_store(struct world *w, unsigned int i, const struct cw_frame *f)
{
	struct reader *r = &w->reader[i];
	struct cw_rl_store_begin b;
	struct cw_rl_store_data d;
	struct cw_rl_store_ok ok = { .gen = 1 };

	if (f->type == CW_RL_STORE_BEGIN) {
		assert_int_equal(cw_rl_get_store_begin(&b, f->body, f->body_len), 0);
		cw_sha256_init(&r->hash);
		r->has_image = false;
		r->got = 0;
		r->images++;
	} else if (f->type == CW_RL_STORE_DATA) {
		assert_int_equal(cw_rl_get_store_data(&d, f->body, f->body_len), 0);
		assert_int_equal(d.off, r->got);
		cw_sha256_update(&r->hash, d.buf, d.len);
		r->got += d.len;
	} else {
		cw_sha256_final(&r->hash, r->digest);
		assert_memory_equal(r->digest, w->digest, 32);
		r->has_image = true;
		ok.len = r->got;
		memcpy(ok.digest, r->digest, 32);
		reader_out(w, i, cw_rl_put_store_ok(rbuf, sizeof rbuf, f->id, &ok));
	}
}

static void
on_attempt(struct world *w, unsigned int i, const struct cw_frame *f)
{
	struct reader *r = &w->reader[i];
	struct cw_rl_slot_attempt m;
	unsigned int k;

	assert_int_equal(cw_rl_get_slot_attempt(&m, f->body, f->body_len), 0);
	if (f->type == CW_RL_ABORT && r->asking != 0 && (m.attempt == 0 ||
	    m.attempt == r->asking)) {
		keep(r, r->asking, CW_OUT_ABORTED, 0, 0);
		r->asking = 0;
		reader_result(w, i, r->kept_cnt - 1);
		return;
	}
	for (k = 0; k < r->kept_cnt && r->kept[k].attempt != m.attempt; k++)
		;
	if (f->type == CW_RL_RESULT_ACK && k < r->kept_cnt) {
		memmove(&r->kept[k], &r->kept[k + 1],
		    (r->kept_cnt - k - 1) * sizeof r->kept[0]);
		r->kept_cnt--;
	} else if (f->type == CW_RL_QUERY && k < r->kept_cnt) {
		reader_result(w, i, k);
	} else if (f->type == CW_RL_QUERY && m.attempt != r->asking) {
		reader_out(w, i, cw_rl_put_slot_attempt(rbuf, sizeof rbuf, f->id,
		    CW_RL_UNKNOWN, &m));
	}
}

int
world_send_reader(void *ctx, unsigned int i, const uint8_t *frame, size_t len)
{
	struct world *w = ctx;
	struct cw_frame f;

	if (world_dead(w) || !w->reader[i].up)
		return CW_ECLOSED;
	assert_true(cw_frame_peek(&f, frame, len, CW_RLINK_VERSION,
	    CW_RLINK_BODY_MAX) > 0);
	switch (f.type) {
	case CW_RL_HELLO:
		on_hello(w, i, &f);
		break;
	case CW_RL_RUN:
		on_run(w, i, &f);
		break;
	case CW_RL_CONTINUE:
		on_continue(w, i, &f);
		break;
	case CW_RL_STORE_BEGIN:
	case CW_RL_STORE_DATA:
	case CW_RL_STORE_END:
		on_store(w, i, &f);
		break;
	case CW_RL_PING:
		reader_out(w, i, cw_rl_put_empty(rbuf, sizeof rbuf, f.id,
		    CW_RL_PONG));
		break;
	case CW_RL_RESULT_ACK:
	case CW_RL_QUERY:
	case CW_RL_ABORT:
		on_attempt(w, i, &f);
		break;
	default:
		fail_msg("terminal sent reader type %u", f.type);
	}
	return 0;
}

void
world_readers_round(struct world *w)
{
	for (unsigned int i = 0; i < w->station_cnt; i++) {
		struct reader *r = &w->reader[i];
		struct frame_queue q = r->out;
		struct cw_frame f;

		r->out.cnt = 0;
		for (unsigned int k = 0; k < q.cnt; k++) {
			if (!r->up || w->line == NULL || w->dead)
				continue;
			assert_true(cw_frame_peek(&f, q.buf[k], q.len[k],
			    CW_RLINK_VERSION, CW_RLINK_BODY_MAX) > 0);
			if (cw_line_reader_frame(w->line, i, &f, w->now) < 0) {
				w->bad_frames++;
				world_reader_down(w, i, 100000);
			}
		}
		world_queue_clear(&q);
		if (!r->up && w->now >= r->down_until && w->line != NULL &&
		    !w->dead) {
			r->up = true;
			cw_line_reader_up(w->line, i, w->now);
		}
	}
}
