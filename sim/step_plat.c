/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/frame.h"
#include "platform/intake.h"
#include "platform/ledger.h"
#include "sim/step_priv.h"

/*
 * The platform's shell: a ledger over the store in memory (with a decorator
 * that makes calls fail), orders by the real intake.  A kill loses the ledger
 * and the store's open transaction.
 */
#define TICK_MS 250
#define FLUSH_US 3000		/* messages are gathered for at most so long */
#define BOOT_US (3 * STEP_SEC)
#define UTC_MS UINT64_C(1767225600000)
#define FRAME_CAP (CW_FRAME_HDR + CW_PLINK_BODY_MAX)
#define RECORDS_AT_ONCE 64

struct step_plat {
	struct cw_step *s;
	struct cw_store *mem, *store;
	struct cw_store *backup;	/* NULL: none yet */
	bool restored;			/* since the last start */
	bool set_back;			/* ever */
	bool untold;			/* the last time without --restored */
	struct cw_seal *seal;
	struct cw_ledger *ledger;	/* NULL: the process is down */
	uint32_t gen;
	bool flushing;
	uint8_t frame[FRAME_CAP];
};

static uint64_t
now_ms(const struct cw_step *s)
{
	return s->now / STEP_MS;
}

bool
cw_step_plat_up(const struct cw_step *s)
{
	return s->plat != NULL && s->plat->ledger != NULL;
}

/* ---- ops of the ledger --------------------------------------------------- */

static int
op_send(void *ctx, uint32_t conn, const struct cw_pl_msg *m)
{
	struct step_plat *p = ctx;
	unsigned int line = cw_step_plink_line(p->s, conn);
	int n;

	if (line == STEP_LINES_MAX)
		return CW_ECLOSED;
	n = cw_pl_put(p->frame, sizeof p->frame, m);
	if (n < 0) {
		cw_step_bad(p->s, "stepper", "the platform's %s cannot be coded: %s",
		    cw_pl_type_name(m->type), cw_err_name(n));
		return n;
	}
	/* A store that fails is a fault that heals; all else is for ever. */
	if (m->type == CW_PL_DENY && m->u.deny.err != CW_EIO)
		cw_step_bad(p->s, "L1", "line %u is denied: %s", line + 1,
		    m->u.deny.text);
	return cw_step_plink_send(p->s, line, STEP_DOWN, &(struct step_ev){
	    .buf = p->frame, .len = (size_t)n });
}

static void
op_close(void *ctx, uint32_t conn)
{
	struct step_plat *p = ctx;
	unsigned int line = cw_step_plink_line(p->s, conn);

	if (line != STEP_LINES_MAX)
		cw_step_plink_cut(p->s, line);
}

static void
op_note(void *ctx, uint64_t order, const char *text)
{
	struct step_plat *p = ctx;

	cw_step_say(p->s, "platform", "order %" PRIu64 ": %s", order, text);
}

static uint64_t
op_utc(void *ctx)
{
	struct step_plat *p = ctx;

	return UTC_MS + now_ms(p->s);
}

static const struct cw_ledger_ops ops = { op_send, op_close, op_note };

static int
seal_random(void *ctx, void *buf, size_t len)
{
	struct step_plat *p = ctx;
	uint8_t *out = buf;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)cw_step_rand(p->s);
	return 0;
}

/* ---- life ---------------------------------------------------------------- */

static void
flush(struct cw_step *s, struct step_ev *e)
{
	struct step_plat *p = e->obj;

	if (e->gen != p->gen || p->ledger == NULL)
		return;
	p->flushing = false;
	cw_ledger_flush(p->ledger, now_ms(s));
}

static void
want_flush(struct cw_step *s, struct step_plat *p)
{
	if (p->flushing)
		return;
	p->flushing = true;
	cw_step_at(s, cw_step_below(s, FLUSH_US), flush, p, p->gen);
}

static void
tick(struct cw_step *s, struct step_ev *e)
{
	struct step_plat *p = e->obj;

	if (e->gen != p->gen || p->ledger == NULL)
		return;
	cw_ledger_tick(p->ledger, now_ms(s));
	cw_step_at(s, TICK_MS * STEP_MS, tick, p, p->gen);
}

int
cw_step_plat_new(struct cw_step *s)
{
	struct step_plat *p = calloc(1, sizeof *p);
	uint8_t key[CW_SEAL_KEY_LEN];

	if (p == NULL)
		return CW_ENOMEM;
	s->plat = p;
	p->s = s;
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)cw_step_rand(s);
	p->mem = cw_store_mem_new();
	p->store = p->mem != NULL ? cw_store_fault_new(p->mem) : NULL;
	p->seal = cw_seal_new(key);
	if (p->store == NULL || p->seal == NULL)
		return CW_ENOMEM;
	cw_seal_set_random(p->seal, seal_random, p);
	return 0;
}

void
cw_step_plat_free(struct cw_step *s)
{
	struct step_plat *p = s->plat;

	if (p == NULL)
		return;
	cw_ledger_free(p->ledger);
	cw_seal_free(p->seal);
	cw_store_close(p->store);
	cw_store_close(p->mem);
	cw_store_close(p->backup);
	free(p);
	s->plat = NULL;
}

void
cw_step_plat_start(struct cw_step *s)
{
	struct step_plat *p = s->plat;
	struct cw_ledger_config cfg = { .store = p->store, .seal = p->seal,
	    .ops = &ops, .ctx = p, .platform = 1, .repeat_ms = 2000,
	    .utc_ms = op_utc };

	if (p->ledger != NULL)
		return;
	cw_store_fault_set(p->store, 0, false);
	p->gen++;
	p->flushing = false;
	(void)cw_intake_sweep(p->store, NULL, 0, 100000);
	p->ledger = cw_ledger_new(&cfg);
	if (p->ledger == NULL) {
		cw_step_bad(s, "stepper", "the platform does not start");
		return;
	}
	cw_step_say(s, "platform", "starts");

	/* As the operator is told to.  A plant of one line finds out by itself:
	 * nobody else can be given what its terminal has. */
	if (p->restored && s->mutant != CW_STEP_NO_HOLD) {
		p->untold = s->plan.lines == 1 && cw_step_below(s, 2) != 0;
		if (!p->untold && cw_ledger_restored(p->ledger) < 0)
			cw_step_bad(s, "stepper", "the platform does not hold");
	}
	p->restored = false;
	tick(s, &(struct step_ev){ .obj = p, .gen = p->gen });
}

static void
start_again(struct cw_step *s, struct step_ev *e)
{
	(void)e;
	cw_step_plat_start(s);
}

void
cw_step_plat_kill(struct cw_step *s)
{
	struct step_plat *p = s->plat;

	if (p->ledger == NULL)
		return;
	cw_step_count(s, CW_SF_PLAT_KILL);
	cw_step_say(s, "platform", "killed");
	cw_ledger_free(p->ledger);
	p->ledger = NULL;
	cw_store_fault_set(p->store, 0, false);
	cw_store_mem_crash(p->mem);
	for (unsigned int i = 0; i < s->plan.lines; i++)
		cw_step_plink_cut(s, i);
	if (s->mutant == CW_STEP_TIMER)
		cw_step_plat_unlease(s);
	cw_step_at(s, cw_step_between(s, 10 * STEP_MS, BOOT_US), start_again, p, 0);
}

/* Every line is in the store, and every order. */
static bool
worth_it(const struct cw_step *s)
{
	struct cw_store *m = s->plat->mem;
	struct cw_st_term t[STEP_LINES_MAX];
	bool whole = s->plat->ledger != NULL;

	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		whole = whole && s->order[o].submitted;
	return whole && m->ops->term_list(m->h, 0, t, STEP_LINES_MAX) ==
	    (int)s->plan.lines;
}

void
cw_step_plat_backup(struct cw_step *s)
{
	struct step_plat *p = s->plat;

	if (!worth_it(s))
		return;
	if (p->backup == NULL || cw_step_below(s, 2) == 0) {
		cw_store_close(p->backup);
		p->backup = cw_store_mem_copy(p->mem);
		cw_step_say(s, "platform", "backup");
		return;
	}
	cw_step_count(s, CW_SF_PLAT_RESTORE);
	cw_step_plat_kill(s);
	cw_step_say(s, "platform", "set back to the backup");
	if (cw_store_mem_restore(p->mem, p->backup) < 0)
		cw_step_bad(s, "stepper", "out of memory");
	p->restored = p->set_back = true;

	/* What is seen from now on is held against the backup. */
	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		for (uint32_t i = 1; i <= s->order[o].cnt; i++) {
			struct cw_st_record r;

			if (p->mem->ops->record_get(p->mem->h, s->order[o].id, i,
			    &r) < 0)
				continue;
			s->rec[o][i].state = r.state;
			s->rec[o][i].epoch = r.epoch;
			s->rec[o][i].remake = true;
		}
	for (unsigned int i = 0; i < s->plan.lines; i++)
		cw_step_plink_forget(s, i);
}

void
cw_step_plat_again(struct cw_step *s)
{
	for (unsigned int o = 0; o < s->plan.order_cnt && s->plat->set_back; o++) {
		if (s->order[o].cancelled)
			cw_step_plat_op(s, STEP_OP_CANCEL, o);
		else if (cw_step_plat_waits(s, o))
			cw_step_plat_op(s, STEP_OP_RESUME, o);
	}
}

/* ---- connections --------------------------------------------------------- */

int
cw_step_plat_open(struct cw_step *s, uint32_t conn, unsigned int line)
{
	char name[16];

	snprintf(name, sizeof name, "line-%u", line + 1);
	return cw_ledger_open(s->plat->ledger, conn, name, 0x7F00000Au + line,
	    now_ms(s));
}

void
cw_step_plat_closed(struct cw_step *s, uint32_t conn)
{
	if (s->plat->ledger != NULL)
		cw_ledger_closed(s->plat->ledger, conn, now_ms(s));
}

/* A result was recorded for the first time? The store will tell at the end. */
static void
look_at(struct cw_step *s, const struct step_ev *f)
{
	uint8_t canary[STEP_CANARY];
	char hex[2 * STEP_CANARY + 1];

	cw_step_canary(s, canary);
	cw_hex(hex, canary, sizeof canary);
	if (memmem(f->buf, f->len, canary, sizeof canary) != NULL ||
	    memmem(f->buf, f->len, hex, 2 * STEP_CANARY) != NULL)
		cw_step_bad(s, "I6", "a %s to the platform carries a key",
		    cw_pl_type_name(f->buf[3]));
}

void
cw_step_plat_frame(struct cw_step *s, uint32_t conn, const uint8_t *buf, size_t len)
{
	struct step_plat *p = s->plat;
	struct cw_pl_msg m;
	struct cw_frame f;
	int n = cw_frame_peek(&f, buf, len, CW_PLINK_VERSION, CW_PLINK_BODY_MAX);

	if (p->ledger == NULL)
		return;
	if (n <= 0 || (size_t)n != len ||
	    cw_pl_get(&m, f.type, f.body, f.body_len) < 0) {
		cw_step_bad(s, "stepper", "a message to the platform is malformed");
		return;
	}
	look_at(s, &(struct step_ev){ .buf = (uint8_t *)(uintptr_t)buf,
	    .len = len });
	if (m.type == CW_PL_HELLO && s->mutant == CW_STEP_NO_HOLD)
		m.u.hello.acked_seq = 0;
	if (m.type == CW_PL_RESULT)
		cw_step_say(s, "platform", "result %" PRIu64 ": order %" PRIu64
		    " record %" PRIu64 " epoch %u: card %u verdict %u outcome "
		    "%u", m.u.result.seq, m.u.result.order, m.u.result.record,
		    m.u.result.epoch, m.u.result.card_no, m.u.result.verdict,
		    m.u.result.outcome);
	if (m.type == CW_PL_REFUSED &&
	    strstr(m.u.refused.text, STEP_REFUSAL) == NULL)
		cw_step_bad(s, "L1", "a lease is refused: %s", m.u.refused.text);
	cw_ledger_msg(p->ledger, conn, &m, now_ms(s));
	want_flush(s, p);
}

/* ---- orders -------------------------------------------------------------- */

static const struct cw_field_spec fields[] = {
	{ "iccid", CW_FIELD_ICCID, true, true, 0, 0 },
	{ "imsi", CW_FIELD_IMSI, true, true, 0, 0 },
	{ "ki", CW_FIELD_HEX, true, false, 32, 32 },
};
static const char native_profile[] = "-- the stepper's own programs\n";

static int
feed_rows(struct cw_step *s, unsigned int o, struct cw_intake *in)
{
	char row[160] = "iccid,imsi,ki,card_address\n";
	struct step_record r;
	int err = cw_intake_feed(in, (const uint8_t *)row, strlen(row));

	for (uint32_t i = 1; i <= s->order[o].cnt && err == 0; i++) {
		cw_step_record_of(s, o, i, &r);
		snprintf(row, sizeof row, "%s,%s,%s,%s\n", r.iccid, r.imsi,
		    r.ki_hex, r.addr_text);
		err = cw_intake_feed(in, (const uint8_t *)row, strlen(row));
	}
	return err;
}

static int
take_order(struct cw_step *s, unsigned int o, struct cw_order_cos *cos)
{
	struct step_plat *p = s->plat;
	struct step_order *d = &s->order[o];
	struct cw_intake_result res = { 0 };
	struct cw_intake_config cfg = { .store = p->store, .seal = p->seal,
	    .fields = fields, .field_cnt = 3, .want_count = d->cnt,
	    .has_data = d->has_data, .cos = cos };
	struct cw_intake *in;
	int err;

	cfg.profile_text = (const uint8_t *)(s->plan.lua ? s->cfg.profile :
	    native_profile);
	cfg.profile_len = s->plan.lua ? s->cfg.profile_len :
	    sizeof native_profile - 1;
	snprintf(cfg.order.ext, sizeof cfg.order.ext, "order-%u", o + 1);
	snprintf(cfg.order.profile, sizeof cfg.order.profile, "stepper");
	if (d->line >= 0)
		snprintf(cfg.order.line, sizeof cfg.order.line, "line-%d",
		    d->line + 1);
	cfg.order.remake_max = d->remake_max;
	cfg.order.blank_max = d->blank_max;
	cfg.order.doubt = d->hold ? CW_DOUBT_HOLD : CW_DOUBT_AUTO;
	in = cw_intake_new(&cfg, &err);
	if (in == NULL)
		return err;
	err = d->has_data ? feed_rows(s, o, in) : 0;
	if (err == 0)
		err = cw_intake_end(in, &res);
	if (err == CW_EFORMAT && cw_intake_faults(in)->cnt > 0)
		cw_step_bad(s, "stepper", "order refused: %s",
		    cw_intake_faults(in)->list[0].text);
	cw_intake_free(in);
	if (err == 0) {
		d->id = res.order;
		d->submitted = true;
	}
	return err;
}

void
cw_step_plat_submit(struct cw_step *s, unsigned int o)
{
	struct step_plat *p = s->plat;
	struct cw_order_cos *cos;
	int err;

	if (p->ledger == NULL || s->order[o].submitted)
		return;
	cos = cw_order_cos_new();
	err = cos == NULL ? CW_ENOMEM :
	    cw_order_cos_feed(cos, s->order[o].cos, s->order[o].cos_len);
	if (err == 0)
		err = cw_order_cos_end(cos);
	if (err == 0)
		err = take_order(s, o, cos);
	cw_order_cos_free(cos);
	cw_step_say(s, "person", "submits order %u: %s", o + 1, cw_err_name(err));
	if (err == 0)
		cw_ledger_kick(p->ledger);
	else if (err != CW_EIO)
		cw_step_bad(s, "stepper", "order %u is not taken in: %s", o + 1,
		    cw_err_name(err));
}

/* DONE: a terminal has closed it and takes no lease of it any more. */
static bool
order_over(const struct cw_step *s, unsigned int o)
{
	struct cw_store *m = s->plat->mem;
	struct cw_st_order ord;

	return m->ops->order_get(m->h, s->order[o].id, &ord) == 0 &&
	    (ord.state == CW_ORD_DONE || ord.state == CW_ORD_CANCELLED);
}

int
cw_step_plat_op(struct cw_step *s, enum step_op op, unsigned int o)
{
	static const char *const words[] = { "pauses", "resumes", "cancels",
	    "remakes" };
	struct cw_ledger *l = s->plat->ledger;
	uint64_t id = s->order[o].id, now = now_ms(s);
	int err;

	if (l == NULL || !s->order[o].submitted)
		return CW_ESTATE;
	switch (op) {
	case STEP_OP_PAUSE:
		err = cw_ledger_pause(l, id, "stepper", now);
		break;
	case STEP_OP_RESUME:
		err = cw_ledger_resume(l, id, "stepper", now);
		break;
	case STEP_OP_CANCEL:
		err = cw_ledger_cancel(l, id, "stepper", now);
		s->order[o].cancelled |= err >= 0 || err == CW_EIO;
		break;
	case STEP_OP_REMAKE:
	default:
		err = cw_ledger_remake(l, id, 0, "stepper", now);

		/* An error of the store does not say that nothing was done. */
		for (uint32_t i = 1; (err > 0 || err == CW_EIO) &&
		    i <= s->order[o].cnt; i++)
			s->rec[o][i].remake = true;
		break;
	}
	cw_step_say(s, "person", "%s order %u: %s", words[op], o + 1,
	    err >= 0 ? "done" : cw_err_name(err));
	if (s->plat->ledger != NULL)
		want_flush(s, s->plat);
	return err;
}

void
cw_step_plat_store_fault(struct cw_step *s, uint32_t nth)
{
	if (s->plat->ledger == NULL)
		return;
	cw_step_say(s, "platform", "store call %u from now fails", nth);
	cw_store_fault_set(s->plat->store, nth, false);
}

bool
cw_step_plat_waits(struct cw_step *s, unsigned int o)
{
	struct cw_st_order ord;

	if (!s->order[o].submitted || s->plat->mem->ops->order_get(
	    s->plat->mem->h, s->order[o].id, &ord) < 0)
		return false;
	return ord.state == CW_ORD_PAUSED || ord.state == CW_ORD_BLOCKED;
}

bool
cw_step_plat_blocked(struct cw_step *s, unsigned int o)
{
	struct cw_st_order ord;

	return s->order[o].submitted && s->plat->mem->ops->order_get(
	    s->plat->mem->h, s->order[o].id, &ord) == 0 &&
	    ord.state == CW_ORD_BLOCKED;
}

void
cw_step_plat_unlease(struct cw_step *s)
{
	const struct cw_store_ops *o = s->plat->mem->ops;
	void *h = s->plat->mem->h;
	struct cw_st_record after, r;

	if (o->begin(h) < 0)
		return;
	for (uint32_t term = 1; term <= s->plan.lines; term++) {
		memset(&after, 0, sizeof after);
		while (o->record_leased(h, term, &after, &r, 1) == 1) {
			after = r;
			r.state = CW_REC_WAITING;
			o->record_set(h, CW_REC_LEASED, &r);
			cw_step_say(s, "mutant", "record %" PRIu64 " is leased anew "
			    "by timer", r.record);
		}
	}
	o->commit(h);
}

/* ---- invariants ---------------------------------------------------------- */

static bool
final_state(uint8_t state)
{
	return state == CW_REC_ISSUED || state == CW_REC_CANCELLED;
}

/* A record as the platform has it against what was seen last, and the world. */
static void
see_record(struct cw_step *s, unsigned int o, const struct cw_st_record *r)
{
	struct step_rec *k = cw_step_world_rec(s, o, (uint32_t)r->record);

	if (k == NULL) {
		cw_step_bad(s, "I2", "order %u has a record %" PRIu64, o + 1,
		    r->record);
		return;
	}
	/* Cancelled again by a platform that had not found out yet: what the
	 * terminal then tells of its card stands. */
	if (s->plat->untold && k->state == CW_REC_CANCELLED &&
	    r->state == CW_REC_ISSUED && r->epoch > k->epoch)
		k->state = CW_REC_WAITING;
	if (r->epoch < k->epoch)
		cw_step_bad(s, "I5", "order %u record %" PRIu64 ": epoch went from "
		    "%u to %u", o + 1, r->record, k->epoch, r->epoch);
	if (r->state != k->state && (final_state(k->state) ||
	    ((k->state == CW_REC_FAILED || k->state == CW_REC_IN_DOUBT) &&
	    !k->remake)))
		cw_step_bad(s, "I5", "order %u record %" PRIu64 ": went from %s to "
		    "%s", o + 1, r->record, cw_record_state_word(k->state),
		    cw_record_state_word(r->state));
	if (r->state == CW_REC_ISSUED && k->state != CW_REC_ISSUED &&
	    s->order[o].has_data && k->good != 1)
		cw_step_bad(s, "I3", "order %u record %" PRIu64 " is issued, but "
		    "%u cards in good bins hold it", o + 1, r->record, k->good);
	k->state = r->state;
	k->epoch = r->epoch;
}

static bool
scan_order(struct cw_step *s, unsigned int o)
{
	struct cw_store *m = s->plat->mem;
	struct cw_st_record r[RECORDS_AT_ONCE];
	struct cw_st_page page = { 0 };
	uint64_t cnt = 0, issued = 0;
	int n;

	if (!s->order[o].submitted)
		return false;
	do {
		n = m->ops->record_list(m->h, s->order[o].id, &page, r,
		    RECORDS_AT_ONCE);
		for (int i = 0; i < n; i++) {
			see_record(s, o, &r[i]);
			issued += r[i].state == CW_REC_ISSUED;
			page.after = r[i].record;
		}
		cnt += n > 0 ? (uint64_t)n : 0;
	} while (n == RECORDS_AT_ONCE);
	if (cnt != s->order[o].cnt)
		cw_step_bad(s, "I2", "order %u: %" PRIu64 " of %u records are left",
		    o + 1, cnt, s->order[o].cnt);
	if (!s->order[o].has_data && issued > s->good_cos[o])
		cw_step_bad(s, "I3", "order %u: %" PRIu64 " issued, %u good cards",
		    o + 1, issued, s->good_cos[o]);
	return order_over(s, o);
}

bool
cw_step_plat_scan(struct cw_step *s)
{
	bool over = true;

	for (unsigned int o = 0; o < s->plan.order_cnt && !s->over; o++)
		over &= scan_order(s, o);
	return over;
}

bool
cw_step_plat_settled(struct cw_step *s)
{
	struct cw_ledger_report *r = malloc(sizeof *r);
	bool settled = r != NULL;

	for (unsigned int o = 0; o < s->plan.order_cnt && settled; o++)
		settled = cw_ledger_report(s->plat->mem, s->order[o].id, r) == 0 &&
		    r->settled;
	free(r);
	return settled;
}

/* Results name cards: each fed card exactly one, and with the right fate. */
static void
see_result(struct cw_step *s, unsigned int o, const struct cw_st_result *r)
{
	unsigned int line = r->station == 0 ? 0 : STEP_LINES_MAX;
	struct step_card *c;

	for (unsigned int i = 0; i < s->plan.lines; i++)
		for (unsigned int k = 0; k < s->plan.readers; k++)
			if (cw_step_addr(i, k) == r->reader)
				line = i;
	if (r->verdict == CW_CARD_NONE)
		return;
	c = line < s->plan.lines ? cw_step_world_card(s, line, r->card_no) : NULL;
	if (c == NULL) {
		cw_step_bad(s, "I4", "order %u record %" PRIu64 ": a result for card "
		    "%u, which was never fed", o + 1, r->record, r->card_no);
		return;
	}
	c->results++;
	if (r->verdict == CW_CARD_GOOD && c->where != STEP_AT_GOOD)
		cw_step_bad(s, "I3", "line %u card %u: result good, but it is not in "
		    "the good bin", line + 1, c->no);
	if (r->verdict != CW_CARD_GOOD && c->where == STEP_AT_GOOD)
		cw_step_bad(s, "I3", "line %u card %u: result %u, but it is in the "
		    "good bin", line + 1, c->no, r->verdict);
	if (r->verdict == CW_CARD_GOOD && s->order[o].has_data && !r->stray &&
	    (c->order != (int)o || c->record != r->record))
		cw_step_bad(s, "I3", "line %u card %u: result for order %u record %"
		    PRIu64 ", but it holds order %d record %u", line + 1, c->no,
		    o + 1, r->record, c->order + 1, c->record);
}

static void
see_results(struct cw_step *s, unsigned int o)
{
	struct cw_store *m = s->plat->mem;
	struct cw_st_result_page page = { .order = s->order[o].id };
	struct cw_st_result *r = calloc(16, sizeof *r);
	int n = 0;

	do {
		n = r != NULL ? m->ops->result_list(m->h, &page, r, 16) : 0;
		for (int i = 0; i < n; i++) {
			see_result(s, o, &r[i]);
			page.after_record = r[i].record;
			page.after_id = r[i].id;
		}
	} while (n == 16);
	free(r);
}

/* A card in a good bin is an issued record, and the reverse. */
static void
see_ends(struct cw_step *s, unsigned int o)
{
	for (uint32_t i = 1; i <= s->order[o].cnt; i++) {
		const struct step_rec *k = &s->rec[o][i];

		if (k->state == CW_REC_WAITING || k->state == CW_REC_LEASED)
			cw_step_bad(s, "I2", "order %u record %u ends %s", o + 1, i,
			    cw_record_state_word(k->state));
		if (s->order[o].has_data &&
		    k->good != (k->state == CW_REC_ISSUED))
			cw_step_bad(s, "I3", "order %u record %u is %s, and %u cards "
			    "in good bins hold it", o + 1, i,
			    cw_record_state_word(k->state), k->good);
	}
}

/* Cards that left by themselves are in no bin: the machine's reject counter
 * lacks just them. */
static bool
differs_by_lost(struct cw_step *s, const struct cw_ledger_report *r)
{
	struct step_dev_sum d;
	uint32_t lost = 0;

	for (unsigned int i = 0; i < r->term_cnt; i++) {
		const struct cw_ledger_report_term *t = &r->term[i];
		unsigned int line = (unsigned int)(t->name[5] - '1');

		cw_step_dev_sum(s, line, &d);
		lost += d.lost;
		if (t->dev == CW_COUNTERS_DIFFERS && (t->dev_feed != t->cards ||
		    t->dev_good != t->good || t->dev_reject + d.lost != t->wrong))
			return false;
	}
	return lost > 0 && r->sums.stray == 0;
}

void
cw_step_plat_end(struct cw_step *s)
{
	struct cw_ledger_report *r = malloc(sizeof *r);

	for (unsigned int o = 0; o < s->plan.order_cnt && r != NULL; o++) {
		see_results(s, o);
		see_ends(s, o);
		if (cw_ledger_report(s->plat->mem, s->order[o].id, r) < 0)
			cw_step_bad(s, "I4", "order %u has no report", o + 1);
		else if (!r->adds_up && !differs_by_lost(s, r))
			cw_step_bad(s, "I4", "order %u does not add up: %s", o + 1,
			    r->why);
	}
	free(r);
}

void
cw_step_plat_tell(struct cw_step *s, char *out, size_t cap)
{
	struct cw_store *m = s->plat->mem;
	struct cw_st_order ord;
	int n = 0;

	out[0] = '\0';
	for (unsigned int o = 0; o < s->plan.order_cnt; o++) {
		if (!s->order[o].submitted || m->ops->order_get(m->h,
		    s->order[o].id, &ord) < 0)
			continue;
		n += snprintf(out + n, cap - (size_t)n, "order %u %s (waiting %"
		    PRIu64 ", leased %" PRIu64 "); ", o + 1,
		    cw_order_state_word(ord.state),
		    ord.counts.rec[CW_REC_WAITING],
		    ord.counts.rec[CW_REC_LEASED]);
		if ((size_t)n >= cap)
			return;
	}
}
