/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "sim/step_term.h"

/*
 * The terminal's shell: a line over a journal on the simulated disk.  What was
 * appended while a batch is being synced makes the next, as in the program.
 */
#define BEAT_US (700 * STEP_MS)
#define DEAD_US (2 * STEP_SEC)
#define BOOT_US (4 * STEP_SEC)
#define GROW (64u * 1024u)
#define UTC_MS UINT64_C(1767225600000)

static void start_again(struct cw_step *s, struct step_ev *e);

struct step_term *
cw_step_term_of(const struct cw_step *s, unsigned int line)
{
	return s->line[line].term;
}

bool
cw_step_term_up(const struct cw_step *s, unsigned int line)
{
	return cw_step_term_of(s, line)->up;
}

struct step_disk *
cw_step_term_disk(struct cw_step *s, unsigned int line)
{
	return cw_step_term_of(s, line)->disk;
}

/* ---- what the journal truly holds ---------------------------------------- */

static struct step_open *
open_of(struct step_term *t, unsigned int station, uint64_t attempt)
{
	for (unsigned int i = 0; i < STEP_OPEN_MAX; i++)
		if (station < STEP_STATIONS_MAX &&
		    t->open[station][i].attempt == attempt)
			return &t->open[station][i];
	return NULL;
}

static void
note_begun(struct cw_step *s, const struct cw_ln_end *e)
{
	struct step_rec *r;

	for (unsigned int o = 0; o < s->plan.order_cnt; o++) {
		r = s->order[o].id == e->order ?
		    cw_step_world_rec(s, o, (uint32_t)e->record) : NULL;
		if (r != NULL && e->epoch > r->begun)
			r->begun = e->epoch;
	}
}

/* lsn 0: read back from the disk. */
static void
note_record(struct step_term *t, uint8_t type, const struct step_ev *rec,
    uint64_t lsn)
{
	struct step_open *o;
	struct cw_ln_binned b;
	struct cw_ln_card c;
	struct cw_ln_end e;

	if (type == CW_LN_INTENT_REC &&
	    cw_ln_get_intent(&c, rec->buf, rec->len) == 0) {
		note_begun(t->s, &c.end);
		o = open_of(t, c.end.station, 0);
		if (o != NULL)
			*o = (struct step_open){ .attempt = c.end.attempt,
			    .intent_lsn = lsn };
	} else if (type == CW_LN_RESULT &&
	    cw_ln_get_result(&e, rec->buf, rec->len) == 0) {
		o = open_of(t, e.station, e.attempt);
		if (o != NULL && e.verdict == CW_CARD_GOOD) {
			o->good = true;
			o->good_lsn = lsn;
		}
	} else if (type == CW_LN_BINNED_REC &&
	    cw_ln_get_binned(&b, rec->buf, rec->len) == 0) {
		o = open_of(t, b.station, b.attempt);
		if (o != NULL)
			memset(o, 0, sizeof *o);
	}
}

bool
cw_step_term_sure(const struct cw_step *s, unsigned int line,
    unsigned int station, bool good)
{
	const struct step_term *t = cw_step_term_of(s, line);

	/* A mutant must be caught by what comes of it. */
	if (s->mutant == CW_STEP_EARLY_INTENT ||
	    s->mutant == CW_STEP_EARLY_GOOD)
		return true;
	for (unsigned int i = 0; i < STEP_OPEN_MAX; i++) {
		const struct step_open *o = &t->open[station][i];

		if (o->attempt != 0 && o->intent_lsn <= t->journal.durable_lsn &&
		    (!good || (o->good && o->good_lsn <= t->journal.durable_lsn)))
			return true;
	}
	return false;
}

/* ---- journal ------------------------------------------------------------- */

static void
ends(struct cw_step *s, struct step_term *t, const char *why)
{
	cw_step_say(s, "terminal", "line %u: ends: %s", t->idx + 1, why);
	cw_step_term_kill(s, t->idx, cw_step_disk_crashed(t->disk));
}

static void
synced(struct cw_step *s, struct step_ev *e)
{
	struct step_term *t = e->obj;
	int64_t lsn;
	int err;

	if (!t->up || e->gen != t->gen)
		return;
	t->busy = false;
	err = t->write_err;
	if (err == 0)
		err = cw_step_disk_ops.sync(t->disk, CW_JFILE_LIVE);
	lsn = cw_journal_done(&t->journal, err);
	if (lsn < 0) {
		cw_line_disk(t->line, CW_EIO, s->now);
		ends(s, t, "the journal cannot be written");
		return;
	}
	cw_line_durable(t->line, (uint64_t)lsn, s->now);
	cw_step_term_settle(s, t);
}

static void
pump(struct cw_step *s, struct step_term *t)
{
	struct cw_journal_batch b;

	if (t->busy || !cw_journal_take(&t->journal, &b))
		return;
	t->busy = true;
	t->write_err = cw_step_disk_ops.write(t->disk, CW_JFILE_LIVE, b.off, b.buf,
	    b.len);
	cw_step_hash(s, b.buf, b.len < 64 ? b.len : 64);
	cw_step_at(s, cw_step_between(s, 200, s->plan.sync_us), synced, t, t->gen);
	cw_step_kill_point(s, t->idx);
}

static int
rewrite_add(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	return cw_journal_rewrite_add(ctx, type, payload, len);
}

void
cw_step_term_rewrite(struct cw_step *s, unsigned int line)
{
	struct step_term *t = cw_step_term_of(s, line);
	struct cw_journal *j = &t->journal;
	int64_t lsn = 0;
	int err;

	if (!t->up || t->busy || j->failed < 0)
		return;
	cw_step_count(s, CW_SF_REWRITE);
	cw_step_say(s, "terminal", "line %u: rewrites its journal", line + 1);
	if (cw_step_chance(s, s->plan.ppm[CW_SF_DISK_CRASH]))
		cw_step_disk_crash_in(t->disk, (uint32_t)cw_step_between(s, 1, 6));
	err = cw_journal_rewrite_begin(j);
	if (err == 0) {
		err = cw_line_snapshot(t->line, rewrite_add, j);
		if (err < 0)
			cw_journal_rewrite_cancel(j);
		else
			lsn = cw_journal_rewrite_end(j);
	}
	if (cw_step_disk_crashed(t->disk)) {
		ends(s, t, "power cut inside the rewriting");
		return;
	}
	cw_step_disk_crash_in(t->disk, 0);
	if (j->failed < 0)
		ends(s, t, "the journal could not be replaced");
	else if (err == 0 && lsn > 0)
		cw_line_durable(t->line, (uint64_t)lsn, s->now);
	if (t->up)
		cw_step_term_settle(s, t);
}

/* Mutants: what the line is told is durable before it is. */
static void
tell_early(struct cw_step *s, struct step_term *t)
{
	uint64_t lsn = t->early_lsn;

	if (lsn == 0)
		return;
	t->early_lsn = 0;
	cw_line_durable(t->line, lsn, s->now);
}

static void
note_early(struct step_term *t, uint8_t type, uint64_t lsn)
{
	bool intent = t->s->mutant == CW_STEP_EARLY_INTENT;

	if (!intent && t->s->mutant != CW_STEP_EARLY_GOOD)
		return;

	/* Only what the rule is about comes early: nothing else may hide
	 * behind it. */
	if (t->journal.durable_lsn + 1 == lsn)
		t->early_stop = false;
	if (type == (intent ? CW_LN_INTENT_REC : CW_LN_RESULT)) {
		if (!t->early_stop)
			t->early_lsn = lsn;
	} else if (type == CW_LN_FENCE || type == CW_LN_RESULT ||
	    type == CW_LN_INTENT_REC) {
		t->early_stop = true;
	}
}

/* ---- after every call ---------------------------------------------------- */

static void
tick(struct cw_step *s, struct step_ev *e)
{
	struct step_term *t = e->obj;

	if (!t->up || e->gen != t->gen || e->t != t->tick_us)
		return;
	t->tick_us = STEP_NEVER;
	cw_step_term_settle(s, t);
}

void
cw_step_term_settle(struct cw_step *s, struct step_term *t)
{
	uint64_t due;

	tell_early(s, t);
	due = cw_line_tick(t->line, s->now);
	tell_early(s, t);
	pump(s, t);
	cw_line_check(t->line);
	if (due < t->tick_us) {
		t->tick_us = due;
		cw_step_at(s, due > s->now ? due - s->now : 0, tick, t, t->gen);
	}
	if (t->close_plat) {
		t->close_plat = false;
		cw_step_plink_cut(s, t->idx);
	}
}

/* ---- ops ----------------------------------------------------------------- */

static int
op_send_platform(void *ctx, const struct cw_pl_msg *m)
{
	struct step_term *t = ctx;
	int n = cw_pl_put(t->frame, sizeof t->frame, m);

	if (n < 0) {
		cw_step_bad(t->s, "stepper", "the terminal's %s cannot be coded: %s",
		    cw_pl_type_name(m->type), cw_err_name(n));
		return n;
	}
	if (m->type == CW_PL_RESULT)
		cw_step_kill_point(t->s, t->idx);
	return cw_step_plink_send(t->s, t->idx, STEP_UP, &(struct step_ev){
	    .buf = t->frame, .len = (size_t)n });
}

static int
op_send_reader(void *ctx, unsigned int r, const uint8_t *frame, size_t len)
{
	struct step_term *t = ctx;

	cw_step_hash(t->s, frame, len < 64 ? len : 64);
	return cw_step_rlink_term_send(t->s, t->s->line[t->idx].conn[r], frame,
	    len);
}

static size_t
op_reader_queued(void *ctx, unsigned int r)
{
	struct step_term *t = ctx;
	const struct step_conn *c = t->s->line[t->idx].conn[r];

	return c != NULL ? c->flight[STEP_DOWN] : 0;
}

static void
given_up(struct cw_step *s, struct step_ev *e)
{
	struct step_conn *c = e->obj;
	struct step_term *t = cw_step_term_of(s, c->line);

	if (s->line[c->line].conn[c->reader] != c)
		return;
	s->line[c->line].conn[c->reader] = NULL;
	t->rx_len[c->reader] = 0;
	if (!t->up)
		return;
	cw_line_reader_down(t->line, c->reader, s->now);
	cw_step_term_settle(s, t);
}

void
cw_step_term_reader_closed(struct cw_step *s, struct step_conn *c)
{
	cw_step_say(s, "terminal", "line %u: closes reader %u", c->line + 1u,
	    c->reader + 1u);
	cw_step_rlink_close(s, c, STEP_DOWN);
	cw_step_at(s, 0, given_up, c, 0);
}

static void
op_reader_close(void *ctx, unsigned int r)
{
	struct step_term *t = ctx;
	struct step_conn *c = t->s->line[t->idx].conn[r];

	if (c != NULL && c->term)
		cw_step_term_reader_closed(t->s, c);
}

static int
op_device_cmd(void *ctx, const struct cw_dev_cmd *c)
{
	struct step_term *t = ctx;
	const uint16_t seq_cmd[2] = { c->seq, c->cmd };

	if (!cw_step_dev_contact(t->s, t->idx))
		return CW_ECLOSED;
	cw_step_dev_cmd(t->s, t->idx, c->station, seq_cmd);
	cw_step_kill_point(t->s, t->idx);
	return 0;
}

static int
op_device_bits(void *ctx, uint8_t bits)
{
	struct step_term *t = ctx;

	if (!cw_step_dev_contact(t->s, t->idx))
		return CW_ECLOSED;
	cw_step_dev_bits(t->s, t->idx, bits);
	return 0;
}

static int64_t
op_journal_append(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct step_term *t = ctx;
	int64_t lsn;

	/* Mutant: the fence is kept in memory only. */
	if (type == CW_LN_FENCE && t->s->mutant == CW_STEP_NO_FENCE)
		return (int64_t)t->journal.next_lsn - 1;
	lsn = cw_journal_append(&t->journal, type, payload, len);
	if (lsn > 0) {
		note_record(t, type, &(struct step_ev){
		    .buf = (uint8_t *)(uintptr_t)payload, .len = len },
		    (uint64_t)lsn);
		note_early(t, type, (uint64_t)lsn);
	}
	return lsn;
}

static int
op_journal_reserve(void *ctx, uint64_t bytes)
{
	struct step_term *t = ctx;

	return cw_journal_reserve(&t->journal, bytes);
}

static void *
op_profile_open(void *ctx, const char *name, const uint8_t *text, size_t len,
    char why[200])
{
	struct step_term *t = ctx;

	(void)name;
	return cw_step_prof_open(t->s, text, len, why);
}

static void
op_profile_close(void *ctx, void *profile)
{
	(void)ctx;
	cw_step_prof_close(profile);
}

static int
op_compile(void *ctx, void *profile, const struct cw_line_compile *c,
    uint8_t *out, size_t cap, char why[200])
{
	struct step_compile p = { .burn = c->burn, .order = c->order,
	    .record = c->record, .epoch = c->epoch, .digest = c->cos_digest,
	    .addr = c->cos_addr, .len = c->cos_len, .payload = c->payload,
	    .payload_len = c->payload_len };

	(void)ctx;
	return cw_step_prof_compile(profile, &p, out, cap, why);
}

static void
op_log(void *ctx, enum cw_line_log level, const char *event, const char *text)
{
	struct step_term *t = ctx;

	(void)level;
	cw_step_say(t->s, "terminal", "line %u: %s %s", t->idx + 1, event, text);
}

static const struct cw_line_ops ops = {
	.send_platform = op_send_platform,
	.send_reader = op_send_reader,
	.reader_queued = op_reader_queued,
	.reader_close = op_reader_close,
	.device_cmd = op_device_cmd,
	.device_bits = op_device_bits,
	.journal_append = op_journal_append,
	.journal_reserve = op_journal_reserve,
	.profile_open = op_profile_open,
	.profile_close = op_profile_close,
	.compile = op_compile,
	.log = op_log,
};

/* ---- life ---------------------------------------------------------------- */

struct cw_line *
cw_step_term_line(struct cw_step *s, struct step_term *t)
{
	struct cw_line_reader_config rd[STEP_READERS_MAX];
	struct cw_line_station_config st[STEP_STATIONS_MAX];
	struct cw_line_config cfg = { .ops = &ops, .ctx = t,
	    .session = cw_step_rand(s), .reader_cnt = (uint16_t)s->plan.readers,
	    .station_cnt = (uint16_t)s->plan.stations, .readers = rd,
	    .stations = st, .quarantine = s->plan.quarantine,
	    .no_prefetch = s->plan.no_prefetch };

	snprintf(cfg.name, sizeof cfg.name, "line-%u", t->idx + 1);
	for (unsigned int r = 0; r < s->plan.readers; r++)
		rd[r] = (struct cw_line_reader_config){
		    .addr = cw_step_addr(t->idx, r), .port = CW_RLINK_PORT };
	for (unsigned int i = 0; i < s->plan.stations; i++)
		st[i] = (struct cw_line_station_config){
		    (uint16_t)(i / s->plan.slots), (uint8_t)(i % s->plan.slots) };
	return cw_line_new(&cfg);
}

static int
on_replay(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct step_term *t = ctx;

	note_record(t, type, &(struct step_ev){
	    .buf = (uint8_t *)(uintptr_t)payload, .len = len }, 0);
	return cw_line_replay(t->line, type, payload, len);
}

int
cw_step_term_open(struct cw_step *s, struct step_term *t)
{
	struct cw_journal_config cfg = { .ops = &cw_step_disk_ops, .ctx = t->disk,
	    .name = "journal", .grow = GROW, .incarnation = cw_step_rand(s),
	    .replay = on_replay, .replay_ctx = t };

	memset(t->open, 0, sizeof t->open);
	return cw_journal_open(&t->journal, &cfg);
}

int
cw_step_term_new(struct cw_step *s, unsigned int line)
{
	struct step_term *t = calloc(1, sizeof *t);

	if (t == NULL)
		return CW_ENOMEM;
	s->line[line].term = t;
	t->s = s;
	t->idx = line;
	t->disk = cw_step_disk_new(s);
	if (t->disk == NULL)
		return CW_ENOMEM;
	for (unsigned int r = 0; r < s->plan.readers; r++)
		cw_step_rlink_start(s, line, r);
	return 0;
}

void
cw_step_term_free(struct cw_step *s, unsigned int line)
{
	struct step_term *t = cw_step_term_of(s, line);

	if (t == NULL)
		return;
	cw_line_free(t->line);
	cw_journal_close(&t->journal);
	cw_step_disk_free(t->disk);
	free(t);
	s->line[line].term = NULL;
}

static void
beat(struct cw_step *s, struct step_ev *e)
{
	struct step_term *t = e->obj;

	if (!t->up || e->gen != t->gen)
		return;
	cw_step_dev_beat(s, t->idx, ++t->beat);
	cw_line_utc(t->line, UTC_MS + s->now / STEP_MS, s->now);
	cw_step_at(s, BEAT_US, beat, t, t->gen);
}

static void
start_failed(struct cw_step *s, struct step_term *t, int err)
{
	bool crashed = cw_step_disk_crashed(t->disk);

	if (!crashed && err != CW_ENOSPC && err != CW_EIO)
		cw_step_bad(s, "I5", "line %u: the journal does not open: %s",
		    t->idx + 1, t->journal.text);
	cw_step_say(s, "terminal", "line %u: does not start: %s", t->idx + 1,
	    cw_err_name(err));
	cw_line_free(t->line);
	t->line = NULL;
	cw_journal_close(&t->journal);
	cw_step_disk_crash(t->disk, crashed);
	cw_step_at(s, STEP_SEC, start_again, t, t->gen);
}

void
cw_step_term_start(struct cw_step *s, unsigned int line)
{
	struct step_term *t = cw_step_term_of(s, line);
	int err;

	if (t->up)
		return;
	t->gen++;
	t->line = cw_step_term_line(s, t);
	if (t->line == NULL) {
		cw_step_bad(s, "stepper", "a terminal does not start");
		return;
	}
	if (cw_step_chance(s, s->plan.ppm[CW_SF_DISK_CRASH]))
		cw_step_disk_crash_in(t->disk, (uint32_t)cw_step_between(s, 1, 6));
	err = cw_step_term_open(s, t);
	if (!cw_step_disk_crashed(t->disk))
		cw_step_disk_crash_in(t->disk, 0);
	if (err == 0)
		err = cw_line_start(t->line, t->journal.incarnation, s->now);
	if (err < 0) {
		start_failed(s, t, err);
		return;
	}
	t->up = true;
	t->busy = t->close_plat = false;
	t->early_lsn = 0;
	t->early_stop = false;
	t->tick_us = STEP_NEVER;
	t->seen = false;
	t->boot = -1;
	memset(t->rx_len, 0, sizeof t->rx_len);
	cw_step_say(s, "terminal", "line %u: starts, %" PRIu64 " bytes of torn tail "
	    "cut", line + 1, t->journal.cut);
	beat(s, &(struct step_ev){ .obj = t, .gen = t->gen });
	cw_step_term_settle(s, t);
}

static void
start_again(struct cw_step *s, struct step_ev *e)
{
	struct step_term *t = e->obj;

	cw_step_term_start(s, t->idx);
}

void
cw_step_term_kill(struct cw_step *s, unsigned int line, bool power)
{
	struct step_term *t = cw_step_term_of(s, line);
	struct step_line *l = &s->line[line];

	if (!t->up)
		return;
	cw_step_say(s, "terminal", "line %u: %s", line + 1, power ? "power cut" :
	    "killed");
	if (power)
		cw_step_count(s, CW_SF_DISK_TORN);
	t->up = false;
	t->gen++;
	t->orphans += cw_step_term_line_orphans(t);
	cw_line_free(t->line);
	t->line = NULL;
	cw_journal_close(&t->journal);
	cw_step_disk_crash(t->disk, power);
	cw_step_plink_cut(s, line);
	for (unsigned int r = 0; r < s->plan.readers; r++) {
		struct step_conn *c = l->conn[r];

		if (c == NULL)
			continue;
		l->conn[r] = NULL;
		if (!power || cw_step_below(s, 2) == 0)
			cw_step_rlink_close(s, c, STEP_DOWN);
		else
			c->term = false;
	}
	cw_step_at(s, cw_step_between(s, 10 * STEP_MS, BOOT_US), start_again, t,
	    t->gen);
}
