/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "sim/step_priv.h"

/*
 * Invariants over cards and readers.  Those over records stand where the
 * platform's tables are read (step_plat.c), those over journals where the
 * journal is (step_termio.c).
 */
#define FORGET_US (700 * STEP_MS)	/* a reader forgets within */

void
cw_step_check_card(struct cw_step *s, const struct step_card *c)
{
	struct step_rec *r;

	if (c->where != STEP_AT_GOOD)
		return;
	if (!c->personal) {
		if (c->cos < 0 || s->order[c->cos].has_data)
			cw_step_bad(s, "I3", "line %u card %u: in the good bin, but "
			    "nothing is written on it", c->line + 1, c->no);
		else
			s->good_cos[c->cos]++;
		return;
	}
	r = c->order >= 0 ? cw_step_world_rec(s, (unsigned int)c->order, c->record) :
	    NULL;
	if (r == NULL || !c->whole) {
		cw_step_bad(s, "I3", "line %u card %u: in the good bin with a "
		    "content that no record has", c->line + 1, c->no);
		return;
	}
	if (c->cos != c->order)
		cw_step_bad(s, "I3", "line %u card %u: in the good bin with the "
		    "image of another order", c->line + 1, c->no);
	if (++r->good > 1)
		cw_step_bad(s, "I1", "order %d record %u lies on two cards in good "
		    "bins, the second is card %u of line %u (attempt %u)",
		    c->order + 1, c->record, c->no, c->line + 1, c->mark_epoch);
}

/* e->a: line << 16 | station, b: the card's number << 32 | epoch last begun. */
static void
forgotten(struct cw_step *s, struct step_ev *e)
{
	unsigned int line = e->a >> 16, station = e->a & 0xFFFF;
	unsigned int r = station / s->plan.slots;
	const struct step_card *c = cw_step_world_card(s, line,
	    (uint32_t)(e->b >> 32));
	const struct step_rec *k = cw_step_world_rec(s, (unsigned int)c->order,
	    c->record);
	struct step_record rec;

	/* The record may be on its way to another card already. */
	if (!cw_step_reader_up(s, line, r) || k == NULL ||
	    k->begun != (uint32_t)e->b)
		return;
	cw_step_record_of(s, (unsigned int)c->order, c->record, &rec);
	if (cw_step_reader_search(s, line, r, rec.ki, sizeof rec.ki))
		cw_step_bad(s, "I6", "line %u reader %u: still holds the key of "
		    "order %d record %u, whose card %u has left", line + 1, r + 1,
		    c->order + 1, c->record, c->no);
}

void
cw_step_check_left(struct cw_step *s, unsigned int line, unsigned int station,
    const struct step_card *c)
{
	const struct step_rec *k = c->order < 0 ? NULL :
	    cw_step_world_rec(s, (unsigned int)c->order, c->record);

	if (k == NULL || !c->personal)
		return;
	cw_step_at_buf(s, FORGET_US, forgotten, NULL, &(struct step_ev){
	    .a = line << 16 | station, .b = (uint64_t)c->no << 32 | k->begun });
}

static void
end_of_line(struct cw_step *s, unsigned int i)
{
	struct step_line *l = &s->line[i];
	struct step_world_sum w;
	struct step_dev_sum d;

	cw_step_dev_check(s, i);
	cw_step_world_sum(s, i, &w);
	cw_step_dev_sum(s, i, &d);
	if (w.fed != w.good + w.reject + w.lost + w.in)
		cw_step_bad(s, "I4", "line %u: the world does not add up", i + 1);
	if (d.fed != w.fed || d.in != w.in ||
	    d.good + d.reject + d.lost != w.good + w.reject + w.lost)
		cw_step_bad(s, "I4", "line %u: the device counts %u fed, %u good, %u "
		    "reject, %u lost, %u in stations; there are %u, %u, %u, %u, "
		    "%u", i + 1, d.fed, d.good, d.reject, d.lost, d.in, w.fed,
		    w.good, w.reject, w.lost, w.in);
	if (w.in > 0)
		cw_step_bad(s, "L1", "line %u: %u cards still stand in stations",
		    i + 1, w.in);
	for (uint32_t k = 0; k < l->card_cnt; k++)
		if (l->card[k]->results != 1)
			cw_step_bad(s, "I4", "line %u: card %u has %u results",
			    i + 1, l->card[k]->no, l->card[k]->results);
}

void
cw_step_check_end(struct cw_step *s)
{
	uint8_t canary[STEP_CANARY];

	cw_step_canary(s, canary);
	cw_step_plat_scan(s);
	cw_step_plat_end(s);
	for (unsigned int i = 0; i < s->plan.lines && !s->res->violated; i++) {
		end_of_line(s, i);
		cw_step_term_end(s, i);
		for (unsigned int r = 0; r < s->plan.readers; r++)
			if (cw_step_reader_up(s, i, r) && cw_step_reader_search(s, i,
			    r, canary, sizeof canary))
				cw_step_bad(s, "I6", "line %u reader %u holds a key "
				    "at the end", i + 1, r + 1);
	}
}
