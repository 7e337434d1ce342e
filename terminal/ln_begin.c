/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning of a card: from a lease in hand to an INTENT on its way to the
 * disk.  Everything that can be refused is refused here, before a blank is
 * drawn for it.
 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/package.h"
#include "terminal/decision.h"
#include "terminal/journal.h"
#include "terminal/ln.h"

/* Journal bytes that a card may still need after its INTENT: RESULT with the
 * longest trace, BINNED, its share of ACKED, and the INTENT itself. */
#define CARD_BYTES (CW_LINE_TRACE_MAX + 256 + 5 * CW_JOURNAL_OVERHEAD + 256)
#define REFUSALS_MAX 8		/* in one go; the rest at the next occasion */

bool
cw_ln_may_feed(const struct cw_line *l, const struct cw_ln_station *st)
{
	const struct cw_ln_reader *r = &l->reader[st->reader];

	return l->started && !l->drain && !l->settle && !l->fenced &&
	    l->fatal[0] == '\0' && l->disk == 0 &&
	    !st->stuck && l->dev.up && st->idx < l->dev.station_cnt &&
	    l->dev.machine_state != CW_DEV_ABORTED && r->ready &&
	    r->store == CW_LN_STORE_NONE;
}

static int
keep_prog(struct cw_ln_prog *p, const uint8_t *buf, size_t len)
{
	p->buf = malloc(len);
	if (p->buf == NULL)
		return CW_ENOMEM;
	memcpy(p->buf, buf, len);
	p->len = (uint16_t)len;
	p->state = CW_LN_RUN_WAIT;
	return 0;
}

/* Is the package a record, and the one that the lease names? */
static int
check_record(const struct cw_ln_lease *le, struct cw_decision *d, char why[200])
{
	int err = cw_decide(d, le->pkg, le->pkg_len);

	memcpy(why, d->why, sizeof d->why);
	if (err < 0)
		return err;
	if (d->kind != CW_PKG_PERSONAL) {
		memcpy(why, "the package is a COS, the lease wants personal data", 52);
		return CW_EINVAL;
	}
	if (!d->by_format && (d->order != le->order->id ||
	    d->record != le->record || d->epoch != le->epoch)) {
		memcpy(why, "the package's numbers are not the lease's", 42);
		return CW_EINVAL;
	}
	return 0;
}

/* The record's program into c. */
static int
make_personal(struct cw_line *l, const struct cw_ln_lease *le,
    struct cw_ln_card *c, char why[200])
{
	const struct cw_ln_order *o = le->order;
	struct cw_line_compile req = { .order = o->id, .record = le->record,
	    .epoch = le->epoch };
	struct cw_decision d;
	uint8_t *rec = NULL;
	int n = check_record(le, &d, why);

	if (n < 0)
		return n;
	rec = malloc(CW_DECISION_RECORD_MAX);
	if (rec == NULL)
		return CW_ENOMEM;
	n = cw_decision_record(&d, rec, CW_DECISION_RECORD_MAX);
	memcpy(why, d.why, sizeof d.why);
	if (n >= 0) {
		memcpy(req.cos_digest, o->info.cos_digest, CW_SHA256_LEN);
		req.cos_addr = o->info.cos_addr;
		req.cos_len = o->info.cos_len;
		req.payload = rec;
		req.payload_len = (size_t)n;
		n = l->cfg.ops->compile(l->cfg.ctx, o->profile, &req,
		    l->scratch, CW_PROG_MAX, why);
	}
	if (n > 0 && cw_ln_asks(l->scratch, (size_t)n)) {
		c->rec = rec;
		c->rec_len = (uint32_t)req.payload_len;
	} else {
		cw_wipe(rec, CW_DECISION_RECORD_MAX);
		free(rec);
	}
	if (n > 0)
		n = keep_prog(&c->prog[CW_LN_PERSO], l->scratch, (size_t)n);
	else if (n == 0) {
		memcpy(why, "the profile makes no program of a record", 41);
		n = CW_EUNSUPPORTED;
	}
	cw_wipe(l->scratch, CW_PROG_MAX);
	return n;
}

/* The card's programs; 0 or CW_E* with why filled. */
static int
make_programs(struct cw_line *l, const struct cw_ln_lease *le,
    struct cw_ln_card *c, char why[200])
{
	const struct cw_ln_order *o = le->order;
	int err = 0;

	if (o->burn_len > 0)
		err = keep_prog(&c->prog[CW_LN_BURN], o->burn, o->burn_len);
	if (err == 0 && o->info.has_data)
		err = make_personal(l, le, c, why);
	return err;
}

static void
fill_card(struct cw_line *l, const struct cw_ln_station *st,
    const struct cw_ln_lease *le, struct cw_ln_card *c)
{
	const struct cw_dev_station *dv = &l->dev.st[st->idx];

	c->used = true;
	c->personal = le->order->info.has_data != 0;
	c->order = le->order;
	c->boot_id = l->reader[st->reader].boot_id;
	c->base_no = st->known_no;
	if ((int32_t)(dv->card_no - c->base_no) > 0)
		c->base_no = dv->card_no;
	c->fed = l->dev.fed;
	c->good = l->dev.good;
	c->reject = l->dev.reject;
	c->end.order = le->order->id;
	c->end.record = le->record;
	c->end.epoch = le->epoch;
	c->end.attempt = l->attempt;
	c->end.station = st->idx;
	c->end.reader = l->reader[st->reader].addr;
}

/* INTENT into the journal, with room for all that the card may still need. */
static int
write_intent(struct cw_line *l, const struct cw_ln_station *st,
    struct cw_ln_card *c)
{
	uint8_t buf[96];
	int64_t lsn;
	int err = l->cfg.ops->journal_reserve(l->cfg.ctx,
	    (uint64_t)(l->begun + 1) * CARD_BYTES);

	if (err < 0) {
		l->disk = err == CW_ENOSPC ? CW_ENOSPC : CW_EIO;
		l->status_dirty = true;
		cw_ln_log(l, CW_LINE_ERROR, "journal.full", "err=%s: no card is "
		    "fed until the journal's disk has space for every card "
		    "under way", cw_err_name(err));
		return err;
	}
	lsn = cw_ln_append(l, CW_LN_INTENT_REC, buf,
	    cw_ln_put_intent(buf, sizeof buf, c));
	if (lsn < 0)
		return (int)lsn;
	c->intent_lsn = (uint64_t)lsn;
	return cw_ln_wait(l, &(struct cw_ln_wait){ .lsn = (uint64_t)lsn,
	    .kind = CW_LN_WAIT_STATION, .station = st->idx });
}

bool
cw_ln_begin(struct cw_line *l, struct cw_ln_station *st, struct cw_ln_card *c)
{
	for (int i = 0; i < REFUSALS_MAX; i++) {
		struct cw_ln_lease *le = cw_ln_lease_pick(l,
		    &l->reader[st->reader]);
		char why[200] = "";
		struct cw_ln_rec *r;
		int err;

		if (le == NULL)
			return false;
		memset(c, 0, sizeof *c);
		err = make_programs(l, le, c, why);
		if (err < 0) {
			cw_ln_card_wipe(c);
			if (err == CW_ENOMEM)
				return false;
			cw_ln_lease_refuse(l, le, err,
			    why[0] != '\0' ? why : cw_err_text(err));
			continue;
		}
		fill_card(l, st, le, c);
		r = cw_ln_rec_get(le->order, le->record);
		if (r == NULL || write_intent(l, st, c) < 0) {
			cw_ln_card_wipe(c);
			return false;
		}
		r->epoch = le->epoch;
		r->fate = CW_LN_BEGUN;
		l->attempt += CW_LN_PROGS;
		l->begun++;
		le->order->begun++;
		st->last_order = le->order->id;
		cw_ln_lease_drop(l, le);
		return true;
	}
	return false;
}
