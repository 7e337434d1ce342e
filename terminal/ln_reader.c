/* SPDX-License-Identifier: Apache-2.0 */
/* The reader link: session, image store, programs and their results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/outcome.h"
#include "terminal/ln.h"

/* Bytes in a connection's queue above which no more image is added. */
#define STORE_WINDOW (256u * 1024u)
#define STORE_RETRY_MS 2000
#define FRAME_CAP (CW_FRAME_HDR + CW_RLINK_BODY_MAX)

/* Request ids: an ERROR names no more than the id of what it refuses. */
#define ID_HELLO 1u
#define ID_STORE 2u
#define ID_PING 3u
#define ID_RUN 16u		/* + low bits of the attempt */
#define ID_CONTINUE 0x80000000u	/* the same of one that was answered */

static uint32_t
run_id(uint64_t attempt)
{
	return ID_RUN + ((uint32_t)attempt & 0x3FFFFFFFu);
}

static unsigned int
idx_of(const struct cw_line *l, const struct cw_ln_reader *r)
{
	return (unsigned int)(r - l->reader);
}

/* Sends the frame of len bytes that stands in l->frame (len may be an error). */
static int
out(struct cw_line *l, const struct cw_ln_reader *r, int len)
{
	if (len < 0)
		return len;
	if (!r->up)
		return CW_ECLOSED;
	return l->cfg.ops->send_reader(l->cfg.ctx, idx_of(l, r), l->frame,
	    (size_t)len);
}

bool
cw_ln_reader_holds(const struct cw_ln_reader *r, const struct cw_ln_image *im)
{
	return r->ready && r->has_store && r->store == CW_LN_STORE_NONE &&
	    memcmp(r->store_digest, im->digest, CW_SHA256_LEN) == 0;
}

bool
cw_ln_reader_free(const struct cw_line *l, const struct cw_ln_reader *r)
{
	for (unsigned int i = 0; i < r->station_cnt; i++) {
		const struct cw_ln_station *st = &l->station[r->station[i]];

		if (st->cur.used || st->next.used)
			return false;
	}
	return true;
}

void
cw_line_reader_up(struct cw_line *l, unsigned int i, uint64_t now_us)
{
	struct cw_rl_hello h = { .session = l->cfg.session };
	struct cw_ln_reader *r;

	l->now = now_us;
	if (i >= l->reader_cnt)
		return;
	r = &l->reader[i];
	r->up = true;
	r->ready = false;
	r->rx_us = r->ping_us = now_us;
	memcpy(h.terminal, l->cfg.name, sizeof h.terminal);
	out(l, r, cw_rl_put_hello(l->frame, FRAME_CAP, ID_HELLO, &h));
}

static void
store_stop(struct cw_ln_reader *r, enum cw_ln_store to)
{
	cw_ln_image_put(r->image);
	r->image = NULL;
	r->image_off = 0;
	r->store = to;
}

void
cw_line_reader_down(struct cw_line *l, unsigned int i, uint64_t now_us)
{
	struct cw_ln_reader *r;

	l->now = now_us;
	if (i >= l->reader_cnt)
		return;
	r = &l->reader[i];
	if (r->ready)
		l->pull_dirty = true;
	r->up = r->ready = false;
	r->has_store = false;
	store_stop(r, CW_LN_STORE_NONE);
	l->status_dirty = true;
	for (i = 0; i < r->station_cnt; i++) {
		struct cw_ln_station *st = &l->station[r->station[i]];

		st->present = 0;
		cw_ln_station_step(l, st);
	}
}

int
cw_ln_reader_simple(struct cw_line *l, struct cw_ln_station *st, uint8_t type,
    uint64_t attempt)
{
	struct cw_rl_slot_attempt m = { .slot = st->slot, .attempt = attempt };

	return out(l, &l->reader[st->reader], cw_rl_put_slot_attempt(l->frame,
	    FRAME_CAP, 0, type, &m));
}

static void
prog_end(struct cw_ln_prog *p, uint16_t outcome)
{
	p->state = CW_LN_RUN_ENDED;
	p->outcome = outcome;
}

/* Sends one program; what cannot be sent stays WAIT. */
static int
run_one(struct cw_line *l, struct cw_ln_station *st, int k)
{
	struct cw_ln_card *c = &st->cur;
	struct cw_ln_prog *p = &c->prog[k];
	struct cw_rl_run m = { .slot = st->slot };
	int err;

	m.attempt = c->run + (unsigned int)k;
	m.flags = k == CW_LN_PERSO ? CW_RUN_PERSONAL : 0;
	if (k == CW_LN_PERSO && c->prog[CW_LN_BURN].state != CW_LN_RUN_NONE)
		m.flags |= CW_RUN_CHAIN;
	m.card_session = st->session_used;
	m.prog = p->buf;
	m.prog_len = p->len;
	err = out(l, &l->reader[st->reader], cw_rl_put_run(l->frame, FRAME_CAP,
	    run_id(m.attempt), &m));
	if (k == CW_LN_PERSO)
		cw_wipe(l->frame, FRAME_CAP);
	if (err == 0)
		p->state = CW_LN_RUN_SENT;
	return err;
}

int
cw_ln_reader_run(struct cw_line *l, struct cw_ln_station *st)
{
	for (int k = 0; k < CW_LN_PROGS; k++) {
		int err = 0;

		if (st->cur.prog[k].state == CW_LN_RUN_WAIT)
			err = run_one(l, st, k);
		if (err < 0)
			return err;
	}
	return 0;
}

int
cw_ln_reader_continue(struct cw_line *l, struct cw_ln_station *st,
    struct cw_rl_continue *m)
{
	int err;

	m->slot = st->slot;
	m->attempt = st->cur.run + CW_LN_PERSO;
	err = out(l, &l->reader[st->reader], cw_rl_put_continue(l->frame,
	    FRAME_CAP, ID_CONTINUE | run_id(m->attempt), m));
	cw_wipe(l->frame, FRAME_CAP);
	return err;
}

void
cw_ln_reader_ack(struct cw_line *l, struct cw_ln_station *st)
{
	/* One lost is asked for by the reader's repeating its RESULT. */
	for (unsigned int k = 0; k < CW_LN_PROGS; k++)
		if (st->cur.prog[k].result)
			cw_ln_reader_simple(l, st, CW_RL_RESULT_ACK,
			    st->cur.run + k);
}

static struct cw_ln_station *
station_by_slot(struct cw_line *l, struct cw_ln_reader *r, uint8_t slot)
{
	for (unsigned int i = 0; i < r->station_cnt; i++)
		if (l->station[r->station[i]].slot == slot)
			return &l->station[r->station[i]];
	return NULL;
}

/* Which program of the station's card an attempt number is; NULL: none. */
static struct cw_ln_prog *
prog_of(struct cw_ln_station *st, uint64_t attempt)
{
	struct cw_ln_card *c = &st->cur;

	for (unsigned int k = 0; k < CW_LN_PROGS; k++)
		if (c->used && c->prog[k].state > CW_LN_RUN_WAIT &&
		    c->run + k == attempt)
			return &c->prog[k];
	return NULL;
}

static void
judge(struct cw_line *l, struct cw_ln_station *st)
{
	cw_ln_station_judge(l, st);
	cw_ln_station_step(l, st);
}

static void
hello_stations(struct cw_line *l, struct cw_ln_reader *r, bool same_boot)
{
	for (unsigned int i = 0; i < r->station_cnt; i++) {
		struct cw_ln_station *st = &l->station[r->station[i]];

		if (st->slot >= r->slot_cnt)
			cw_ln_station_stick(l, st, "reader has %u slots, not "
			    "slot %u: mend [station]", r->slot_cnt, st->slot);

		/* What runs there now belongs to a life before this one. */
		if (!r->seen)
			cw_ln_reader_simple(l, st, CW_RL_ABORT, 0);
		if (!same_boot) {
			st->session_used = 0;
			st->last_attempt = 0;
		}
		if (st->state != CW_LN_RUN)
			continue;
		if (!same_boot) {
			cw_ln_station_lost(l, st, "the reader has restarted");
			cw_ln_station_step(l, st);
			continue;
		}
		for (unsigned int k = 0; k < CW_LN_PROGS; k++) {
			uint8_t s = st->cur.prog[k].state;

			if (s == CW_LN_RUN_SENT || s == CW_LN_RUN_TAKEN)
				cw_ln_reader_simple(l, st, CW_RL_QUERY,
				    st->cur.run + k);
		}
	}
}

static int
on_hello_ok(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_hello_ok h;
	bool same;
	int err = cw_rl_get_hello_ok(&h, f->body, f->body_len);

	if (err < 0)
		return err;
	same = r->seen && r->boot_id == h.boot_id;
	r->boot_id = h.boot_id;
	r->slot_cnt = h.slot_cnt;
	r->store_cap = h.store_cap;
	r->has_store = h.store_gen != 0;
	memcpy(r->store_digest, h.store_digest, CW_SHA256_LEN);
	r->ready = true;
	r->why[0] = '\0';
	l->pull_dirty = l->status_dirty = true;
	cw_ln_log(l, CW_LINE_INFO, "reader.ready", "reader=%u firmware=\"%s\" "
	    "slots=%u store=%s", idx_of(l, r), h.firmware, h.slot_cnt,
	    r->has_store ? "held" : "empty");
	hello_stations(l, r, same);
	r->seen = true;
	return 0;
}

static int
on_refuse(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_refuse m;
	int err = cw_rl_get_refuse(&m, f->body, f->body_len);

	if (err < 0)
		return err;
	snprintf(r->why, sizeof r->why, "%.47s", m.text);
	cw_ln_log(l, CW_LINE_WARN, "reader.refused", "reader=%u err=%s text=\"%s\"",
	    idx_of(l, r), cw_err_name(m.err), m.text);
	return CW_ECLOSED;
}

/* A RUN that the reader would not take: as a program that ended before it began. */
static void
run_refused(struct cw_line *l, struct cw_ln_station *st, unsigned int k,
    const struct cw_rl_refuse *m)
{
	struct cw_ln_card *c = &st->cur;

	cw_ln_log(l, CW_LINE_WARN, "run.refused", "station=%u attempt=%llu "
	    "err=%s text=\"%s\"", st->idx + 1u,
	    (unsigned long long)(c->run + k), cw_err_name(m->err),
	    m->text);
	prog_end(&c->prog[k], m->err == CW_EREMOVED ? CW_OUT_REMOVED :
	    m->err == CW_EFORMAT ? CW_OUT_PROGRAM : CW_OUT_ABORTED);

	/* Its personal program must not follow on the program before. */
	if (k == CW_LN_BURN && c->prog[CW_LN_PERSO].state > CW_LN_RUN_WAIT)
		cw_ln_reader_simple(l, st, CW_RL_ABORT,
		    c->run + CW_LN_PERSO);
	judge(l, st);
}

static int
on_error(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_refuse m;
	int err = cw_rl_get_refuse(&m, f->body, f->body_len);

	if (err < 0)
		return err;
	if (f->id == ID_STORE) {
		if (r->store != CW_LN_STORE_DATA && r->store != CW_LN_STORE_END)
			return 0;
		snprintf(r->why, sizeof r->why, "image: %.39s", m.text);
		cw_ln_log(l, CW_LINE_WARN, "store.refused", "reader=%u err=%s "
		    "text=\"%s\"", idx_of(l, r), cw_err_name(m.err), m.text);
		store_stop(r, CW_LN_STORE_WAIT);
		r->store_us = l->now;
		return 0;
	}
	for (unsigned int i = 0; f->id >= ID_RUN && i < r->station_cnt; i++) {
		struct cw_ln_station *st = &l->station[r->station[i]];

		for (unsigned int k = 0; k < CW_LN_PROGS; k++) {
			const struct cw_ln_prog *p = &st->cur.prog[k];

			/* It would ask on until the reader loses patience. */
			if (st->state == CW_LN_RUN && p->asks > 0 && f->id ==
			    (ID_CONTINUE | run_id(st->cur.run + k)))
				cw_ln_reader_simple(l, st, CW_RL_ABORT,
				    st->cur.run + k);
			if (st->state == CW_LN_RUN && p->state == CW_LN_RUN_SENT &&
			    run_id(st->cur.run + k) == f->id) {
				run_refused(l, st, k, &m);
				return 0;
			}
		}
	}
	cw_ln_log(l, CW_LINE_WARN, "reader.error", "reader=%u err=%s text=\"%s\"",
	    idx_of(l, r), cw_err_name(m.err), m.text);
	return 0;
}

static int
on_store_ok(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_store_ok m;
	int err = cw_rl_get_store_ok(&m, f->body, f->body_len);

	if (err < 0)
		return err;
	if (r->store != CW_LN_STORE_END || r->image == NULL)
		return 0;
	r->has_store = true;
	memcpy(r->store_digest, m.digest, CW_SHA256_LEN);
	store_stop(r, CW_LN_STORE_NONE);
	r->why[0] = '\0';
	l->status_dirty = true;
	for (unsigned int i = 0; i < r->station_cnt; i++)
		cw_ln_station_step(l, &l->station[r->station[i]]);
	return 0;
}

static int
on_run_ok(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_run_ok m;
	struct cw_ln_station *st;
	struct cw_ln_prog *p;
	int err = cw_rl_get_run_ok(&m, f->body, f->body_len);

	if (err < 0)
		return err;
	st = station_by_slot(l, r, m.slot);
	p = st != NULL ? prog_of(st, m.attempt) : NULL;
	if (p != NULL && p->state == CW_LN_RUN_SENT)
		p->state = CW_LN_RUN_TAKEN;
	return 0;
}

/* What a result says of the card, for people. */
static void
keep_facts(struct cw_line *l, struct cw_ln_station *st, unsigned int k)
{
	const struct cw_rl_result *m = &l->result;
	struct cw_ln_end *e = &st->cur.end;
	struct cw_ln_text t = { .buf = (char *)l->scratch,
	    .cap = CW_LINE_TRACE_MAX, .len = e->trace_len };
	char *text;

	if (m->atr_len > 0) {
		e->atr_len = m->atr_len;
		memcpy(e->atr, m->atr, sizeof e->atr);
	}
	for (unsigned int i = 0; i < m->capture_cnt; i++) {
		const struct cw_rl_capture *c = &m->capture[i];

		if (c->id != CW_LINE_CAPTURE_SERIAL || c->len > sizeof e->serial)
			continue;
		e->serial_len = (uint8_t)c->len;
		memcpy(e->serial, c->buf, c->len);
	}
	if (e->trace_len > 0)
		memcpy(l->scratch, e->trace, e->trace_len);
	cw_ln_trace(&t, k == CW_LN_BURN ? "burn" : "personal",
	    &st->cur.prog[k], m);
	text = realloc(e->trace, t.len);
	if (text == NULL)
		return;		/* the card matters, its trace less */
	memcpy(text, l->scratch, t.len);
	e->trace = text;
	e->trace_len = (uint16_t)t.len;
}

/* Rule 4 of the reader link: attempt, boot and card session as in its RUN. */
static bool
of_this_card(const struct cw_ln_reader *r, const struct cw_ln_station *st,
    const struct cw_rl_result *m)
{
	return m->boot_id == r->boot_id && (st->session_used == 0 ||
	    m->card_session == st->session_used);
}

/* It ended, but on which card nobody knows. */
static void
result_of_another(struct cw_line *l, struct cw_ln_station *st,
    struct cw_ln_prog *p)
{
	const struct cw_rl_result *m = &l->result;

	cw_ln_log(l, CW_LINE_WARN, "result.foreign", "station=%u attempt=%llu "
	    "boot=%llx session=%u: not those of its RUN; the card's content is "
	    "unknown", st->idx + 1u, (unsigned long long)m->attempt,
	    (unsigned long long)m->boot_id, m->card_session);
	if (p == &st->cur.prog[CW_LN_PERSO])
		p->flags |= CW_RES_TOUCHED;
	prog_end(p, CW_OUT_READER_LOST);
	judge(l, st);
}

static int
on_result(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_result *m = &l->result;
	struct cw_ln_station *st;
	struct cw_ln_prog *p;
	int err = cw_rl_get_result(m, f->body, f->body_len);

	if (err < 0)
		return err;
	st = station_by_slot(l, r, m->slot);
	if (st == NULL)
		return 0;
	p = prog_of(st, m->attempt);
	if (p == NULL) {
		/* Of a card that has long been judged, in this life or one
		 * before: the reader may forget it. */
		cw_ln_reader_simple(l, st, CW_RL_RESULT_ACK, m->attempt);
		return 0;
	}
	if (p->state == CW_LN_RUN_ENDED) {
		p->result = true;
		if (st->cur.result_lsn > 0 && st->cur.result_lsn <= l->durable_lsn)
			cw_ln_reader_ack(l, st);
		return 0;
	}
	p->result = true;
	if (!of_this_card(r, st, m)) {
		result_of_another(l, st, p);
		return 0;
	}
	prog_end(p, m->outcome);
	p->flags = m->flags;
	p->sw = m->sw;
	p->step = m->step;
	keep_facts(l, st, p == &st->cur.prog[CW_LN_PERSO]);
	judge(l, st);
	return 0;
}

static int
on_unknown(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_slot_attempt m;
	struct cw_ln_station *st;
	struct cw_ln_prog *p;
	int err = cw_rl_get_slot_attempt(&m, f->body, f->body_len);

	if (err < 0)
		return err;
	st = station_by_slot(l, r, m.slot);
	p = st != NULL && st->state == CW_LN_RUN ? prog_of(st, m.attempt) : NULL;
	if (p == NULL || p->state == CW_LN_RUN_ENDED)
		return 0;

	/*
	 * Asked for after a reconnection in the same boot.  A RUN that was
	 * never confirmed did not arrive.  One that was is lost inside the
	 * reader, and what it did nobody knows.
	 */
	if (p->state == CW_LN_RUN_TAKEN && p == &st->cur.prog[CW_LN_PERSO])
		p->flags |= CW_RES_TOUCHED;
	prog_end(p, CW_OUT_READER_LOST);
	judge(l, st);
	return 0;
}

static int
on_slot(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_slot m;
	struct cw_ln_station *st;
	int err = cw_rl_get_slot(&m, f->body, f->body_len);

	if (err < 0)
		return err;
	st = station_by_slot(l, r, m.slot);
	if (st == NULL)
		return 0;
	/* No attempt would rise above it any more. */
	if (m.last_attempt > UINT64_MAX - 2 * CW_LN_PROGS)
		return CW_EFORMAT;
	if (m.last_attempt > st->last_attempt)
		st->last_attempt = m.last_attempt;
	st->present = m.present;
	st->session = m.card_session;
	cw_ln_station_step(l, st);
	return 0;
}

static int
on_ask(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	struct cw_rl_ask m;
	struct cw_ln_station *st;
	int err = cw_rl_get_ask(&m, f->body, f->body_len);

	if (err < 0)
		return err;
	st = station_by_slot(l, r, m.slot);
	if (st == NULL)
		return 0;
	if (st->state == CW_LN_RUN &&
	    prog_of(st, m.attempt) == &st->cur.prog[CW_LN_PERSO])
		cw_ln_ask(l, st, &m);
	else	/* of a life before, or a COS that asks: nobody can answer */
		cw_ln_reader_simple(l, st, CW_RL_ABORT, m.attempt);
	return 0;
}

static int
on_pong(struct cw_line *l, struct cw_ln_reader *r, const struct cw_frame *f)
{
	(void)l;
	(void)r;
	return f->body_len == 0 ? 0 : CW_EFORMAT;
}

static const struct {
	uint8_t type;
	bool session;		/* only after HELLO_OK */
	int (*take)(struct cw_line *l, struct cw_ln_reader *r,
	    const struct cw_frame *f);
} handlers[] = {
	{ CW_RL_HELLO_OK, false, on_hello_ok },
	{ CW_RL_PONG, true, on_pong },
	{ CW_RL_REFUSE, false, on_refuse },
	{ CW_RL_ERROR, false, on_error },
	{ CW_RL_STORE_OK, true, on_store_ok },
	{ CW_RL_RUN_OK, true, on_run_ok },
	{ CW_RL_ASK, true, on_ask },
	{ CW_RL_RESULT, true, on_result },
	{ CW_RL_SLOT, true, on_slot },
	{ CW_RL_UNKNOWN, true, on_unknown },
};

int
cw_line_reader_frame(struct cw_line *l, unsigned int i, const struct cw_frame *f,
    uint64_t now_us)
{
	struct cw_ln_reader *r;

	l->now = now_us;
	if (i >= l->reader_cnt)
		return CW_EINVAL;
	r = &l->reader[i];
	r->rx_us = now_us;
	for (size_t k = 0; k < sizeof handlers / sizeof handlers[0]; k++) {
		if (handlers[k].type != f->type)
			continue;
		if (handlers[k].session && !r->ready)
			return CW_EPROTO;
		return handlers[k].take(l, r, f);
	}
	return CW_EPROTO;
}

static void
store_begin(struct cw_line *l, struct cw_ln_reader *r, struct cw_ln_image *im)
{
	struct cw_rl_store_begin m = { .len = im->len };

	if (im->len > r->store_cap) {
		snprintf(r->why, sizeof r->why, "store holds %u bytes, image %u",
		    r->store_cap, im->len);
		r->store = CW_LN_STORE_WAIT;
		r->store_us = l->now;
		return;
	}
	memcpy(m.digest, im->digest, CW_SHA256_LEN);
	if (out(l, r, cw_rl_put_store_begin(l->frame, FRAME_CAP, ID_STORE, &m)) < 0)
		return;
	for (struct cw_ln_list *n = l->orders.next; n != &l->orders; n = n->next) {
		const struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		if (o->image == im)
			l->cos_order = o->id;
	}
	im->refs++;
	r->image = im;
	r->image_off = 0;
	r->store = CW_LN_STORE_DATA;
	r->has_store = false;
	l->counts.images_sent++;
	l->status_dirty = true;
}

static void
store_more(struct cw_line *l, struct cw_ln_reader *r)
{
	const struct cw_ln_image *im = r->image;

	while (r->image_off < im->len) {
		struct cw_rl_store_data m = { .off = r->image_off };
		uint32_t n = im->len - r->image_off;

		if (l->cfg.ops->reader_queued(l->cfg.ctx, idx_of(l, r)) >
		    STORE_WINDOW)
			return;
		m.buf = im->buf + r->image_off;
		m.len = (uint16_t)(n < CW_RLINK_DATA_MAX ? n : CW_RLINK_DATA_MAX);
		if (out(l, r, cw_rl_put_store_data(l->frame, FRAME_CAP,
		    ID_STORE, &m)) < 0)
			return;
		r->image_off += m.len;
	}
	if (out(l, r, cw_rl_put_empty(l->frame, FRAME_CAP, ID_STORE,
	    CW_RL_STORE_END)) == 0)
		r->store = CW_LN_STORE_END;
}

/*
 * The image that r is to be sent now, or NULL.  A reader that restarted has an
 * empty store while its stations may hold an INTENT, or even a card: they wait
 * for their image, so it comes before that of any lease in hand.
 */
static struct cw_ln_image *
image_due(struct cw_line *l, struct cw_ln_reader *r)
{
	struct cw_ln_image *waited = NULL;

	for (unsigned int i = 0; i < r->station_cnt; i++) {
		const struct cw_ln_station *st = &l->station[r->station[i]];
		const struct cw_ln_card *c = &st->cur;

		if (!c->used)
			continue;
		if (st->state == CW_LN_RUN)
			return NULL;
		if (waited == NULL && c->order != NULL && c->order->image != NULL &&
		    (st->state == CW_LN_INTENT || st->state == CW_LN_FEED ||
		    st->state == CW_LN_SEAT) &&
		    !cw_ln_reader_holds(r, c->order->image))
			waited = c->order->image;
	}
	if (waited != NULL)
		return waited;
	return cw_ln_reader_free(l, r) ? cw_ln_lease_image(l, r) : NULL;
}

static void
store_tick(struct cw_line *l, struct cw_ln_reader *r)
{
	struct cw_ln_image *im;

	if (r->store == CW_LN_STORE_WAIT && cw_ln_due(l, r->store_us, STORE_RETRY_MS))
		r->store = CW_LN_STORE_NONE;
	if (r->store == CW_LN_STORE_NONE) {
		im = image_due(l, r);
		if (im != NULL && !cw_ln_reader_holds(r, im))
			store_begin(l, r, im);
	}
	if (r->store == CW_LN_STORE_DATA)
		store_more(l, r);
	if (r->store == CW_LN_STORE_DATA)
		l->moving = true;
}

void
cw_ln_reader_tick(struct cw_line *l, struct cw_ln_reader *r)
{
	if (!r->up)
		return;
	if (cw_ln_due(l, r->rx_us, l->cfg.link_dead_ms)) {
		cw_ln_log(l, CW_LINE_WARN, "reader.silent", "reader=%u: nothing "
		    "heard for %u ms; the link is given up", idx_of(l, r),
		    l->cfg.link_dead_ms);
		r->rx_us = l->now;
		l->cfg.ops->reader_close(l->cfg.ctx, idx_of(l, r));
		return;
	}
	if (r->ready && cw_ln_due(l, r->rx_us, l->cfg.link_idle_ms) &&
	    cw_ln_due(l, r->ping_us, l->cfg.link_idle_ms)) {
		r->ping_us = l->now;
		out(l, r, cw_rl_put_empty(l->frame, FRAME_CAP, ID_PING, CW_RL_PING));
	}
	if (r->ready)
		store_tick(l, r);
}
