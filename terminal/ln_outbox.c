/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbox: results in order of their number, from BINNED to ACK.  An entry goes
 * up when its number is durable, never before: a number that a crash could give
 * to another card must not have been seen by anyone.
 */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "terminal/ln.h"

int
cw_ln_out_add(struct cw_line *l, uint64_t seq, uint64_t lsn,
    struct cw_ln_end *end)
{
	struct cw_ln_out *o = calloc(1, sizeof *o);

	if (o == NULL)
		return CW_ENOMEM;
	o->seq = seq;
	o->lsn = lsn;
	o->end = *end;
	memset(end, 0, sizeof *end);
	*l->out_tail = o;
	l->out_tail = &o->next;
	if (l->out_new == NULL)
		l->out_new = o;
	l->out_cnt++;
	return 0;
}

static struct cw_ln_out *
out_take_first(struct cw_line *l)
{
	struct cw_ln_out *o = l->out;

	l->out = o->next;
	if (l->out == NULL)
		l->out_tail = &l->out;
	if (l->out_new == o)
		l->out_new = o->next;
	l->out_cnt--;
	free(o->end.trace);
	o->end.trace = NULL;
	o->end.trace_len = 0;
	return o;
}

static void
kept_drop_first(struct cw_line *l)
{
	struct cw_ln_out *o = l->kept;

	l->kept = o->next;
	if (l->kept == NULL)
		l->kept_tail = &l->kept;
	l->kept_cnt--;
	free(o);
}

/* Acknowledged, but the platform may be set back by a backup: kept without its
 * trace, as many as the configuration says. */
static void
keep(struct cw_line *l, struct cw_ln_out *o)
{
	o->next = NULL;
	*l->kept_tail = o;
	l->kept_tail = &o->next;
	l->kept_cnt++;
	if (l->kept_cnt > l->cfg.retain)
		kept_drop_first(l);
}

int
cw_ln_out_keep(struct cw_line *l, uint64_t seq, const struct cw_ln_end *end)
{
	struct cw_ln_out *o = calloc(1, sizeof *o);

	if (o == NULL)
		return CW_ENOMEM;
	o->seq = seq;
	o->end = *end;
	o->end.trace = NULL;
	o->end.trace_len = 0;
	keep(l, o);
	return 0;
}

uint64_t
cw_ln_out_first(const struct cw_line *l)
{
	if (l->kept != NULL)
		return l->kept->seq;
	return l->out != NULL ? l->out->seq : l->sure_seq;
}

void
cw_ln_out_unack(struct cw_line *l, uint64_t seq)
{
	struct cw_ln_out **at = &l->kept, *o;

	if (seq >= l->acked_seq)
		return;
	while (*at != NULL && (*at)->seq <= seq)
		at = &(*at)->next;
	if (*at != NULL) {
		if (l->out == NULL)
			l->out_tail = l->kept_tail;
		*l->kept_tail = l->out;
		l->out = *at;
		*at = NULL;
		l->kept_tail = at;
	}
	l->kept_cnt = l->out_cnt = 0;
	for (o = l->kept; o != NULL; o = o->next)
		l->kept_cnt++;
	for (o = l->out; o != NULL; o = o->next)
		l->out_cnt++;
	l->acked_seq = seq;
}

void
cw_ln_out_free(struct cw_line *l)
{
	while (l->out != NULL)
		free(out_take_first(l));
	while (l->kept != NULL)
		kept_drop_first(l);
}

void
cw_ln_out_ack(struct cw_line *l, uint64_t seq, bool note)
{
	uint8_t buf[8];
	bool any = false;

	/* Never beyond what was sent, whatever the peer says. */
	while (l->out != NULL && l->out != l->out_new && l->out->seq <= seq) {
		l->acked_seq = l->out->seq;
		keep(l, out_take_first(l));
		any = true;
	}

	/* Not written or lost: the result is sent once more after a restart,
	 * and the platform acknowledges once more. */
	if (any && note)
		cw_ln_append(l, CW_LN_ACKED, buf,
		    cw_ln_put_u64(buf, sizeof buf, l->acked_seq));
}

static struct cw_pl_msg
result_msg(uint64_t seq, const struct cw_ln_end *e)
{
	struct cw_pl_msg m = { .type = CW_PL_RESULT };
	struct cw_pl_result *r = &m.u.result;

	r->seq = seq;
	r->order = e->order;
	r->record = e->record;
	r->epoch = e->epoch;
	r->verdict = e->verdict;
	r->outcome = e->outcome;
	r->sw = e->sw;
	r->step = e->step;
	r->station = (uint16_t)(e->station + 1);
	r->reader = e->reader;
	r->card_no = e->card_no;
	r->ms = e->ms;
	r->time_ms = e->time_ms;
	r->serial_len = e->serial_len;
	memcpy(r->serial, e->serial, sizeof r->serial);
	r->atr_len = e->atr_len;
	memcpy(r->atr, e->atr, sizeof r->atr);
	r->trace_len = e->trace_len;
	r->trace = e->trace;
	return m;
}

static int
out_send_one(struct cw_line *l, struct cw_ln_out *o)
{
	struct cw_pl_msg m = result_msg(o->seq, &o->end);
	int err = cw_ln_up(l, &m);

	if (err == 0)
		o->sent_us = l->now;
	return err;
}

void
cw_ln_out_send(struct cw_line *l)
{
	while (l->out_new != NULL && l->out_new->lsn <= l->durable_lsn) {
		l->sure_seq = l->out_new->seq + 1;
		if (l->plat_ok)
			out_send_one(l, l->out_new);
		l->out_new = l->out_new->next;
	}
}

void
cw_ln_out_again(struct cw_line *l, bool all)
{
	struct cw_ln_out *o;

	if (!l->plat_ok)
		return;
	for (o = l->out; o != NULL && o != l->out_new; o = o->next) {
		if (!all && !cw_ln_due(l, o->sent_us, l->cfg.repeat_ms))
			continue;
		if (out_send_one(l, o) < 0)
			break;
	}
}
