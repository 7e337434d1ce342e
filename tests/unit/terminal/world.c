/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world_priv.h"

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/outcome.h"
#include "cw/package.h"

#define ADDR0 0x7F000101u
#define ROUND_US 5000

/* Counts an op; true when the terminal is dead and nothing happens any more. */
bool
world_dead(struct world *w)
{
	w->ops++;
	if (w->die_at != 0 && w->ops >= w->die_at)
		w->dead = true;
	return w->dead;
}

/* Platform */
static void
make_package(struct world *w, uint64_t record, uint8_t *out, uint32_t *len)
{
	struct cw_pkg p = { .kind = CW_PKG_PERSONAL, .order = WORLD_ORDER,
	    .record = record, .epoch = w->rec[record].epoch };
	uint8_t *body = out + CW_PKG_HDR;
	size_t n = 0;
	char text[24];
	int k = snprintf(text, sizeof text, "8949%06u", (unsigned int)record);

	assert_int_equal(cw_record_add(body, 512, &n, "iccid",
	    (const uint8_t *)text, (size_t)k), 0);
	p.payload_len = (uint32_t)n;
	*len = (uint32_t)cw_pkg_seal(out, &p);
}

void
world_say(struct world *w, const struct cw_pl_msg *m)
{
	if (w->line != NULL && w->plat_up && !w->dead)
		assert_int_equal(cw_line_platform_msg(w->line, m, w->now), 0);
}

static void
say_order(struct world *w)
{
	struct cw_pl_msg m = { .type = CW_PL_ORDER };
	struct cw_pl_order *o = &m.u.order;

	o->order = WORLD_ORDER;
	o->state = w->order_state;
	o->has_cos = w->has_cos;
	o->has_data = w->has_data;
	o->production = w->production;
	if (w->has_cos) {
		memcpy(o->cos_digest, w->digest, 32);
		o->cos_addr = 0x8000;
		o->cos_len = WORLD_IMAGE_LEN;
		o->cos_pkg_len = w->pkg_len;
	}
	snprintf(o->profile, sizeof o->profile, "test");
	cw_sha256(o->profile_digest, "profile", 7);
	o->profile_len = 7;
	w->order_told = true;
	world_say(w, &m);
}

void
world_lease(struct world *w, uint64_t record, uint32_t epoch)
{
	struct cw_pl_msg m = { .type = CW_PL_LEASE };
	uint8_t pkg[CW_PKG_HDR + 512];

	m.u.lease.order = WORLD_ORDER;
	m.u.lease.record = record;
	m.u.lease.epoch = epoch;
	m.u.lease.addr = w->rec[record].addr;
	if (w->has_data) {
		make_package(w, record, pkg, &m.u.lease.pkg_len);
		m.u.lease.pkg = pkg;
	}
	world_say(w, &m);
}

void
world_revoke(struct world *w, uint64_t record, uint32_t epoch)
{
	struct cw_pl_msg m = { .type = CW_PL_REVOKE };

	m.u.revoke.order = WORLD_ORDER;
	m.u.revoke.record = record;
	m.u.revoke.epoch = epoch;
	world_say(w, &m);
}

static void
plat_result(struct world *w, const struct cw_pl_result *r)
{
	struct cw_pl_msg m = { .type = CW_PL_ACK };
	struct rec *rec = &w->rec[r->record];

	/* Without a gap, and each once. */
	assert_true(r->seq <= w->acked + 1);
	if (r->seq == w->acked + 1) {
		w->acked++;
		w->results++;
		if (r->verdict != CW_CARD_NONE) {
			assert_in_range(r->card_no, 1, WORLD_CARDS - 1);
			assert_false(w->seen_card[r->card_no]);
			w->seen_card[r->card_no] = true;
			w->got_cards++;
		} else {
			assert_int_equal(r->card_no, 0);
		}
		w->count_good += r->verdict == CW_CARD_GOOD;
		w->count_reject += r->verdict == CW_CARD_REJECT;
		w->count_doubt += r->verdict == CW_CARD_DOUBT;
		w->count_none += r->verdict == CW_CARD_NONE;
		if (r->record == 0) {
			w->strays++;
			assert_int_equal(r->verdict, CW_CARD_REJECT);
			assert_int_equal(r->order, 0);
			assert_int_equal(r->outcome, CW_OUT_STRAY);
			assert_true(w->stray[r->card_no]);
		} else {
			assert_true(rec->leased);
			assert_int_equal(r->epoch, rec->epoch);
			rec->leased = false;
			rec->verdict = r->verdict;
			rec->outcome = r->outcome;
			rec->good = r->verdict == CW_CARD_GOOD;
			snprintf(w->last_trace, sizeof w->last_trace, "%.*s",
			    r->trace_len, r->trace);
			/* I3: it lies there when it is told. */
			if (rec->good)
				assert_int_equal(w->card[r->card_no].bin,
				    CW_DEVBIN_GOOD);
		}
	}
	if (w->deaf)
		return;
	m.u.ack.seq = w->acked;
	world_say(w, &m);
}

static void
plat_get(struct world *w, const struct cw_pl_get *g)
{
	struct cw_pl_msg m = { .type = CW_PL_CHUNK };
	const uint8_t *src = g->blob == CW_BLOB_COS ? w->pkg :
	    (const uint8_t *)"profile";
	uint32_t len = g->blob == CW_BLOB_COS ? w->pkg_len : 7;

	if (g->blob == CW_BLOB_ORDER) {
		say_order(w);
		return;
	}
	m.u.chunk.order = g->order;
	m.u.chunk.blob = g->blob;
	m.u.chunk.off = g->off;
	m.u.chunk.buf = src + g->off;
	m.u.chunk.len = len - g->off < 6000 ? len - g->off : 6000;
	world_say(w, &m);
}

/* Messages to the platform are queued: an op must not call back. */
static struct frame_queue to_plat;

void
world_queue_put(struct frame_queue *q, const uint8_t *buf, size_t len)
{
	assert_true(q->cnt < 64);
	q->buf[q->cnt] = malloc(len);
	memcpy(q->buf[q->cnt], buf, len);
	q->len[q->cnt++] = len;
}

void
world_queue_clear(struct frame_queue *q)
{
	while (q->cnt > 0)
		free(q->buf[--q->cnt]);
}

static int
op_send_platform(void *ctx, const struct cw_pl_msg *m)
{
	static uint8_t buf[CW_FRAME_HDR + CW_PLINK_BODY_MAX];
	struct world *w = ctx;
	int n;

	if (world_dead(w) || !w->plat_up || to_plat.cnt >= 60)
		return CW_ECLOSED;
	n = cw_pl_put(buf, sizeof buf, m);
	assert_true(n > 0);
	world_queue_put(&to_plat, buf, (size_t)n);
	return 0;
}

static void
plat_take(struct world *w, const uint8_t *buf, size_t len)
{
	struct cw_frame f;
	struct cw_pl_msg m, a = { .type = CW_PL_WELCOME };

	assert_true(cw_frame_peek(&f, buf, len, CW_PLINK_VERSION,
	    CW_PLINK_BODY_MAX) > 0);
	assert_int_equal(cw_pl_get(&m, f.type, f.body, f.body_len), 0);
	switch (m.type) {
	case CW_PL_HELLO:
		assert_true(m.u.hello.next_seq > w->acked);
		w->plat_known = true;
		a.u.welcome.acked_seq = w->acked;
		world_say(w, &a);
		say_order(w);
		break;
	case CW_PL_PULL:
		w->credit = m.u.pull.want;
		break;
	case CW_PL_GET:
		plat_get(w, &m.u.get);
		break;
	case CW_PL_RESULT:
		plat_result(w, &m.u.result);
		break;
	case CW_PL_REVOKED:
		w->revoked++;
		w->last_revoked = m.u.revoke.record;
		if (w->rec[m.u.revoke.record].epoch == m.u.revoke.epoch)
			w->rec[m.u.revoke.record].leased = false;
		break;
	case CW_PL_REFUSED:
		w->refused++;
		w->last_refused = m.u.refused;
		break;
	case CW_PL_STATUS:
		w->last_status = m;
		break;
	default:
		fail_msg("terminal sent type %u", m.type);
	}
}

static void
plat_round(struct world *w)
{
	struct frame_queue q = to_plat;

	to_plat.cnt = 0;
	for (unsigned int i = 0; i < q.cnt; i++)
		if (w->plat_up)
			plat_take(w, q.buf[i], q.len[i]);
	world_queue_clear(&q);
	if (!w->plat_up && !w->plat_away && w->line != NULL && !w->dead) {
		w->plat_up = true;
		w->plat_known = false;
		cw_line_platform_up(w->line, w->now);
	} else if (w->plat_up && w->plat_away) {
		w->plat_up = false;
		cw_line_platform_down(w->line, w->now);
	}
	if (w->order_state != CW_ORDER_RUN || w->pause_leases || !w->plat_known)
		return;
	for (uint64_t r = 1; r <= w->record_cnt; r++) {
		struct rec *rec = &w->rec[r];

		/* Leases out are repeated now and then. */
		if (rec->leased && (w->now / ROUND_US + r) % 16 == 0)
			world_lease(w, r, rec->epoch);
		if (rec->leased || rec->good || w->credit == 0 ||
		    rec->attempts >= w->attempts_max)
			continue;
		rec->leased = true;
		rec->epoch++;
		rec->attempts++;
		w->credit--;
		world_lease(w, r, rec->epoch);
	}
}

/* Device */
static int
op_device_cmd(void *ctx, const struct cw_dev_cmd *c)
{
	struct world *w = ctx;

	if (world_dead(w) || !w->dev.up)
		return CW_ECLOSED;
	if (w->dev.st[c->station].seq_written == c->seq)
		return 0;
	w->dev.st[c->station].seq_written = c->seq;
	w->cmd[c->station].seq = c->seq;
	w->cmd[c->station].cmd = c->cmd;
	w->cmd[c->station].due = true;
	return 0;
}

static int
op_device_bits(void *ctx, uint8_t bits)
{
	struct world *w = ctx;

	if (world_dead(w))
		return CW_ECLOSED;
	w->bits = bits;
	return 0;
}

static void
dev_leave(struct world *w, unsigned int i, uint8_t bin)
{
	struct cw_dev_station *st = &w->dev.st[i];
	struct card *c = &w->card[st->card_no];

	c->bin = bin;
	w->dev.good += bin == CW_DEVBIN_GOOD;
	w->dev.reject += bin == CW_DEVBIN_REJECT;
	st->last_card = st->card_no;
	st->last_bin = bin;
	st->card_no = 0;
	st->state = CW_DEVST_EMPTY;
	world_reader_card(w, i, 0);
}

static void
dev_carry_out(struct world *w, unsigned int i)
{
	struct cw_dev_station *st = &w->dev.st[i];
	uint8_t bin = w->cmd[i].cmd == CW_DEVCMD_GOOD ? CW_DEVBIN_GOOD :
	    CW_DEVBIN_REJECT;

	w->cmd[i].due = false;
	st->seq_done = w->cmd[i].seq;
	st->result = CW_DEVRES_OK;
	if (w->cmd[i].cmd == CW_DEVCMD_FEED) {
		if (st->state != CW_DEVST_EMPTY) {
			st->result = CW_DEVRES_REFUSED;
		} else if (w->dev.hopper == 0) {
			st->result = CW_DEVRES_EMPTY;
		} else {
			w->dev.hopper--;
			st->card_no = ++w->dev.fed;
			assert_true(w->dev.fed < WORLD_CARDS);
			st->state = CW_DEVST_CARD;
			if (st->card_no == w->jam_at) {
				st->state = CW_DEVST_JAMMED;
				st->result = CW_DEVRES_JAM;
			} else {
				world_reader_card(w, i, st->card_no);
			}
		}
	} else if (st->state != CW_DEVST_CARD) {
		st->result = CW_DEVRES_REFUSED;
	} else if (st->card_no == w->lose_at) {
		st->result = CW_DEVRES_LOST;
		dev_leave(w, i, CW_DEVBIN_LOST);
	} else if (st->card_no == w->missort_at) {
		dev_leave(w, i, CW_DEVBIN_GOOD);
	} else {
		dev_leave(w, i, bin);
	}
}

static void
dev_round(struct world *w)
{
	w->dev.machine_state = CW_DEV_EXECUTE;
	for (unsigned int i = 0; i < w->station_cnt; i++) {
		if (w->cmd[i].due)
			dev_carry_out(w, i);
		if (w->dev.st[i].state == CW_DEVST_JAMMED) {
			w->dev.machine_state = CW_DEV_ABORTED;
			if ((w->bits & CW_DEVBIT_RESET_JAM) != 0)
				dev_leave(w, i, CW_DEVBIN_REJECT);
		}
	}
	if (w->dev.hopper == 0)
		w->dev.machine_state = CW_DEV_SUSPENDED;
	if (w->line != NULL && !w->dead)
		cw_line_device(w->line, &w->dev, w->now);
}

/* Journal and profile */
static int64_t
op_append(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct world *w = ctx;

	return world_dead(w) ? CW_EIO :
	    cw_journal_append(&w->journal, type, payload, len);
}

static int
op_reserve(void *ctx, uint64_t bytes)
{
	struct world *w = ctx;

	return world_dead(w) ? CW_EIO : cw_journal_reserve(&w->journal, bytes);
}

static void *
op_profile_open(void *ctx, const char *name, const uint8_t *text, size_t len,
    char why[200])
{
	struct world *w = ctx;

	assert_string_equal(name, "test");
	assert_int_equal(len, 7);
	assert_memory_equal(text, "profile", 7);
	if (w->refuse_profile) {
		snprintf(why, 200, "test:1: no such thing");
		return NULL;
	}
	return w;
}

static void
op_profile_close(void *ctx, void *profile)
{
	assert_ptr_equal(ctx, profile);
}

static int
op_compile(void *ctx, void *profile, const struct cw_line_compile *c,
    uint8_t *out, size_t cap, char why[200])
{
	struct cw_prog_builder b;
	uint8_t apdu[13] = { 0x00, 0xD6, 0x00, 0x00, 0x08 };
	struct world *w = ctx;

	assert_ptr_equal(ctx, profile);
	(void)why;
	cw_prog_start(&b, out, cap);
	if (!c->burn) {
		assert_true(cw_record_check(c->payload, c->payload_len) > 0);
		for (int k = 0; k < 8; k++)
			apdu[5 + k] = (uint8_t)(c->record >> (56 - 8 * k));
		if (w->asks && c->ask == NULL) {
			cw_prog_simple(&b, CW_OP_ASK);
			cw_prog_simple(&b, CW_OP_POWER_OFF);
			return cw_prog_end(&b);
		}
		if (c->ask != NULL) {
			assert_int_equal(c->ask->capture_cnt, 1);
			assert_memory_equal(c->ask->capture[0].buf, "CHAL", 4);
			snprintf(why, 200, "no answer");
			if (w->answer_fails)
				return CW_EFORMAT;
		}
		cw_prog_apdu(&b, CW_STEP_PERSONAL, NULL, 0, apdu, sizeof apdu);
	} else {
		cw_prog_apdu(&b, 0, NULL, 0, apdu, 4);
	}
	return cw_prog_end(&b);
}

static size_t
op_queued(void *ctx, unsigned int r)
{
	(void)ctx;
	(void)r;
	return 0;
}

static void
op_close(void *ctx, unsigned int i)
{
	struct world *w = ctx;

	/* From inside an op nothing may call the line: later. */
	if (!world_dead(w))
		w->reader[i].down_until = UINT64_MAX;
}

static void
op_log(void *ctx, enum cw_line_log level, const char *event, const char *text)
{
	(void)ctx;
	if (getenv("WORLD_LOG") != NULL)
		fprintf(stderr, "%d %s %s\n", level, event, text);
}

static const struct cw_line_ops ops = {
	.send_platform = op_send_platform,
	.send_reader = world_send_reader,
	.reader_queued = op_queued,
	.reader_close = op_close,
	.device_cmd = op_device_cmd,
	.device_bits = op_device_bits,
	.journal_append = op_append,
	.journal_reserve = op_reserve,
	.profile_open = op_profile_open,
	.profile_close = op_profile_close,
	.compile = op_compile,
	.log = op_log,
};

static int
on_replay(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct world *w = ctx;

	return cw_line_replay(w->line, type, payload, len);
}

void
world_init(struct world *w, unsigned int stations, unsigned int records)
{
	struct cw_pkg p = { .kind = CW_PKG_COS, .order = WORLD_ORDER,
	    .payload_len = WORLD_IMAGE_LEN + 4 };

	memset(w, 0, sizeof *w);
	memdisk_init(&w->disk);
	w->station_cnt = stations;
	w->record_cnt = records;
	w->attempts_max = 8;
	w->has_data = w->has_cos = true;
	w->order_state = CW_ORDER_RUN;
	w->now = 1000000;
	w->dev.up = true;
	w->dev.boot_cnt = 1;
	w->dev.hopper = 60000;
	w->dev.station_cnt = (uint16_t)stations;
	for (unsigned int i = 0; i < WORLD_IMAGE_LEN; i++)
		w->image[i] = (uint8_t)(i * 13 + (i >> 8));
	cw_sha256(w->digest, w->image, WORLD_IMAGE_LEN);
	memcpy(w->pkg + CW_PKG_HDR, "\x00\x00\x80\x00", 4);
	memcpy(w->pkg + CW_PKG_HDR + 4, w->image, WORLD_IMAGE_LEN);
	w->pkg_len = (uint32_t)cw_pkg_seal(w->pkg, &p);
	for (unsigned int i = 0; i < stations; i++)
		w->reader[i].boot_id = 100 * (i + 1);
}

void
world_start(struct world *w)
{
	struct cw_line_reader_config rc[WORLD_READERS];
	struct cw_line_station_config sc[WORLD_READERS];
	struct cw_line_config c = { .ops = &ops, .ctx = w, .readers = rc,
	    .stations = sc, .name = "line-1" };
	struct cw_journal_config jc = { .ops = &memdisk_ops, .ctx = &w->disk,
	    .name = "journal", .incarnation = 9, .grow = 65536,
	    .replay = on_replay, .replay_ctx = w };

	for (unsigned int i = 0; i < w->station_cnt; i++) {
		rc[i].addr = ADDR0 + i;
		rc[i].port = 7816;
		rc[i].plain = w->plain && i == 1;
		sc[i].reader = (uint16_t)i;
		sc[i].slot = 0;
	}
	c.reader_cnt = c.station_cnt = (uint16_t)w->station_cnt;
	c.session = ++w->session;
	c.quarantine = (uint16_t)w->quarantine;
	c.no_prefetch = w->no_prefetch;
	w->dead = false;
	w->ops = 0;
	w->line = cw_line_new(&c);
	assert_non_null(w->line);
	assert_int_equal(cw_journal_open(&w->journal, &jc), 0);
	if (cw_line_start(w->line, w->journal.incarnation, w->now) < 0)
		assert_true(w->dead);
}

void
world_kill(struct world *w, size_t keep)
{
	cw_line_free(w->line);
	w->line = NULL;
	cw_journal_close(&w->journal);
	memdisk_crash(&w->disk, keep);
	world_queue_clear(&to_plat);
	w->plat_up = w->plat_known = false;
	w->credit = 0;
	for (unsigned int i = 0; i < w->station_cnt; i++) {
		world_queue_clear(&w->reader[i].out);
		w->reader[i].up = w->reader[i].hello = false;
	}
	w->crashes++;
}

void
world_fini(struct world *w)
{
	if (w->line != NULL)
		world_kill(w, 0);
	memdisk_fini(&w->disk);
}

static void
journal_round(struct world *w)
{
	int64_t lsn;

	if (w->hold_commits || w->line == NULL || w->dead)
		return;
	lsn = cw_journal_commit(&w->journal);
	if (lsn > 0)
		cw_line_durable(w->line, (uint64_t)lsn, w->now);
	else if (lsn < 0)
		cw_line_disk(w->line, (int)lsn, w->now);
}

void
world_round(struct world *w)
{
	w->now += ROUND_US;
	for (unsigned int i = 0; i < w->station_cnt; i++)
		if (w->reader[i].up && w->reader[i].down_until == UINT64_MAX)
			world_reader_down(w, i, 100000);
	dev_round(w);
	world_readers_round(w);
	journal_round(w);
	plat_round(w);
	if (w->line != NULL && !w->dead) {
		cw_line_tick(w->line, w->now);
		cw_line_check(w->line);
	}
}

bool
world_done(const struct world *w)
{
	for (uint64_t r = 1; r <= w->record_cnt; r++)
		if (!w->rec[r].good && (w->rec[r].leased ||
		    w->rec[r].attempts < w->attempts_max))
			return false;
	return true;
}

bool
world_run(struct world *w, unsigned int max)
{
	while (max-- > 0 && !w->dead) {
		if (world_done(w))
			return true;
		world_round(w);
	}
	return world_done(w);
}

void
world_settle(struct world *w)
{
	struct cw_line_counts c;

	for (int i = 0; i < 4000; i++) {
		world_round(w);
		cw_line_count(w->line, &c);
		if (cw_line_quiet(w->line) && c.outbox == 0 && c.begun == 0)
			return;
	}
	fail_msg("does not settle: begun %u outbox %u", c.begun, c.outbox);
}

void
world_audit(struct world *w)
{
	unsigned int copies[WORLD_RECORDS + 1] = { 0 };
	uint32_t in_bins = 0;

	assert_int_equal(w->bad_frames, 0);

	for (uint32_t no = 1; no <= w->dev.fed; no++) {
		const struct card *c = &w->card[no];

		assert_true(w->seen_card[no]);
		if (w->stray[no])
			assert_int_equal(c->bin, CW_DEVBIN_REJECT);
		in_bins += c->bin != CW_DEVBIN_NONE;
		if (c->bin == CW_DEVBIN_GOOD && no != w->missort_at) {
			/* I1: no record on two cards of the good bin. */
			if (w->has_data) {
				assert_true(c->whole);
				assert_int_equal(++copies[c->record], 1);
			}
		}
	}
	/* I4: blanks drawn = good + reject + in doubt. */
	assert_int_equal(in_bins, w->dev.fed);
	assert_int_equal(w->got_cards, w->dev.fed);
	assert_int_equal(w->count_good + w->count_reject + w->count_doubt,
	    w->dev.fed);
	for (uint64_t r = 1; r <= w->record_cnt && w->has_data; r++)
		if (w->rec[r].good)
			assert_int_equal(copies[r], 1);
}
