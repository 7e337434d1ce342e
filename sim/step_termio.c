/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "sim/step_term.h"

#define DEAD_US (2 * STEP_SEC)	/* no reading for so long: the device is down */

/* ---- platform ------------------------------------------------------------ */

void
cw_step_term_plat_up(struct cw_step *s, unsigned int line)
{
	struct step_term *t = cw_step_term_of(s, line);

	cw_line_platform_up(t->line, s->now);
	cw_step_term_settle(s, t);
}

void
cw_step_term_plat_down(struct cw_step *s, unsigned int line)
{
	struct step_term *t = cw_step_term_of(s, line);

	if (!t->up)
		return;
	cw_line_platform_down(t->line, s->now);
	cw_step_term_settle(s, t);
}

void
cw_step_term_plat_frame(struct cw_step *s, unsigned int line, const uint8_t *buf,
    size_t len)
{
	struct step_term *t = cw_step_term_of(s, line);
	struct cw_pl_msg m;
	struct cw_frame f;
	int n = cw_frame_peek(&f, buf, len, CW_PLINK_VERSION, CW_PLINK_BODY_MAX);

	if (!t->up)
		return;
	if (n <= 0 || (size_t)n != len ||
	    cw_pl_get(&m, f.type, f.body, f.body_len) < 0) {
		cw_step_bad(s, "stepper", "a message to a terminal is malformed");
		return;
	}
	if (cw_line_platform_msg(t->line, &m, s->now) < 0)
		t->close_plat = true;
	cw_step_term_settle(s, t);
}

/* ---- readers ------------------------------------------------------------- */

void
cw_step_term_reader_up(struct cw_step *s, struct step_conn *c)
{
	struct step_term *t = cw_step_term_of(s, c->line);

	t->rx_len[c->reader] = 0;
	cw_line_reader_up(t->line, c->reader, s->now);
	cw_step_term_settle(s, t);
}

void
cw_step_term_reader_down(struct cw_step *s, struct step_conn *c)
{
	struct step_term *t = cw_step_term_of(s, c->line);

	c->term = false;
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
cw_step_term_reader_bytes(struct cw_step *s, struct step_conn *c,
    const uint8_t *buf, size_t len)
{
	struct step_term *t = cw_step_term_of(s, c->line);
	uint8_t *rx = t->rx[c->reader];
	size_t off = 0, *rx_len = &t->rx_len[c->reader];
	struct cw_frame f;
	int n = 0;

	if (!t->up || s->line[c->line].conn[c->reader] != c)
		return;
	if (*rx_len + len > STEP_RX_CAP) {
		cw_step_bad(s, "stepper", "a reader's frame does not end");
		return;
	}
	memcpy(rx + *rx_len, buf, len);
	*rx_len += len;
	while (c->term && (n = cw_frame_peek(&f, rx + off, *rx_len - off,
	    CW_RLINK_VERSION, CW_RLINK_BODY_MAX)) > 0) {
		cw_step_say(s, "net", "line %u <- reader %u %s", c->line + 1u,
		    c->reader + 1u, cw_rl_type_name(f.type));
		off += (size_t)n;
		n = cw_line_reader_frame(t->line, c->reader, &f, s->now);
		if (n < 0)
			break;
	}

	/* A refused terminal closes; nothing else can be wrong with ours. */
	if (n < 0 && f.type != CW_RL_REFUSE)
		cw_step_bad(s, "stepper", "line %u: reader %u breaks the protocol: "
		    "%s after %s", c->line + 1u, c->reader + 1u, cw_err_name(n),
		    cw_rl_type_name(f.type));
	if (n < 0) {
		cw_step_term_reader_closed(s, c);
		return;
	}
	*rx_len -= off;
	memmove(rx, rx + off, *rx_len);
	cw_step_term_settle(s, t);
}

/* ---- device -------------------------------------------------------------- */

static uint32_t
reg32(const uint16_t *r)
{
	return (uint32_t)r[0] << 16 | r[1];
}

/* The map of docs/spec/device.md. */
static void
view_of(const struct step_regs *r, unsigned int stations, struct cw_dev_view *v)
{
	v->machine_state = (uint8_t)r->input[3];
	v->fed = reg32(r->input + 4);
	v->good = reg32(r->input + 6);
	v->reject = reg32(r->input + 8);
	v->boot_cnt = r->input[10];
	v->hopper = r->input[11];
	v->station_cnt = (uint16_t)stations;
	for (unsigned int i = 0; i < stations; i++) {
		const uint16_t *in = r->input + 20 + 8 * i;
		struct cw_dev_station *st = &v->st[i];

		st->state = (uint8_t)in[0];
		st->seq_done = in[1];
		st->result = (uint8_t)in[2];
		st->card_no = reg32(in + 3);
		st->last_bin = (uint8_t)in[5];
		st->last_card = reg32(in + 6);
		st->seq_written = r->hold[10 + 4 * i];
	}
}

void
cw_step_term_regs(struct cw_step *s, unsigned int line, const struct step_regs *r)
{
	struct step_term *t = cw_step_term_of(s, line);

	if (!t->up)
		return;
	if (r == NULL) {
		if (!t->view.up || s->now - t->seen_us < DEAD_US)
			return;
		t->view.up = false;
	} else {
		view_of(r, s->plan.stations, &t->view);
		t->seen_us = s->now;
		t->view.up = true;

		/* After a restart of the device one reading shows it down. */
		if (t->boot >= 0 && t->boot != (int)t->view.boot_cnt)
			t->view.up = false;
		t->boot = (int)t->view.boot_cnt;
	}
	cw_line_device(t->line, &t->view, s->now);
	cw_step_term_settle(s, t);
}

/* ---- people -------------------------------------------------------------- */

/* What the sentence on the page asks for is done before the station is
 * cleared. */
static void
clear(struct cw_step *s, struct step_term *t, unsigned int i, const char *why)
{
	const char *no = strstr(why, "take card ");

	cw_step_say(s, "person", "line %u: clears station %u: %s", t->idx + 1,
	    i + 1, why);
	if (no != NULL)
		cw_step_world_recall(s, t->idx, (uint32_t)strtoul(no + 10, NULL, 10));
	if (strstr(why, "take it out") != NULL) {
		cw_step_world_leave(s, t->idx, i, STEP_AT_LOST);
		cw_step_dev_lost(s, t->idx, i);
	}
	cw_line_clear(t->line, i, s->now);
}

void
cw_step_term_person(struct cw_step *s, unsigned int line)
{
	struct step_term *t = cw_step_term_of(s, line);
	struct cw_line_counts c;
	struct cw_pl_status *st;

	if (!t->up)
		return;
	cw_line_count(t->line, &c);
	if (c.stuck == 0)
		return;
	st = calloc(1, sizeof *st);
	if (st == NULL)
		return;
	cw_line_status(t->line, st);
	for (unsigned int i = 0; i < st->station_cnt; i++)
		if (st->station[i].state == CW_ST_STUCK)
			clear(s, t, i, st->station[i].why);
	free(st);
	cw_step_term_settle(s, t);
}

/* ---- questions ----------------------------------------------------------- */

uint32_t
cw_step_term_line_orphans(const struct step_term *t)
{
	struct cw_line_counts c;

	if (t->line == NULL)
		return 0;
	cw_line_count(t->line, &c);
	return (uint32_t)c.orphan_cards;
}

uint32_t
cw_step_term_orphans(const struct cw_step *s, unsigned int line)
{
	const struct step_term *t = cw_step_term_of(s, line);

	return t->orphans + cw_step_term_line_orphans(t);
}

bool
cw_step_term_quiet(const struct cw_step *s, unsigned int line)
{
	const struct step_term *t = cw_step_term_of(s, line);
	struct cw_line_counts c;

	if (!t->up || t->busy || !cw_line_quiet(t->line))
		return false;
	cw_line_count(t->line, &c);
	return c.outbox == 0 && c.begun == 0;
}

void
cw_step_term_tell(struct cw_step *s, unsigned int line, char *out, size_t cap)
{
	struct step_term *t = cw_step_term_of(s, line);
	struct cw_line_counts c;
	struct cw_pl_status *st;
	int n;

	if (!t->up) {
		snprintf(out, cap, "line %u down; ", line + 1);
		return;
	}
	cw_line_count(t->line, &c);
	n = snprintf(out, cap, "line %u: have %u begun %u outbox %u stuck %u; ",
	    line + 1, c.have, c.begun, c.outbox, c.stuck);
	st = calloc(1, sizeof *st);
	if (st == NULL || n < 0)
		return;
	cw_line_status(t->line, st);
	if (st->why[0] != '\0' && (size_t)n < cap)
		n += snprintf(out + n, cap - (size_t)n, "(%s) ", st->why);
	for (unsigned int i = 0; i < st->station_cnt && (size_t)n < cap; i++)
		n += snprintf(out + n, cap - (size_t)n, "%u=%u ", i + 1,
		    st->station[i].state);
	free(st);
	for (const struct cw_ln_list *p = t->line->orders.next;
	    p != &t->line->orders && (size_t)n < cap; p = p->next) {
		const struct cw_ln_order *o = CW_LN_OF((uintptr_t)p,
		    struct cw_ln_order, link);

		n += snprintf(out + n, cap - (size_t)n, "order %" PRIu64
		    " state %u need %u; ", o->id, o->state, o->need);
	}
	for (unsigned int i = 0; i < s->plan.readers && (size_t)n < cap; i++)
		n += snprintf(out + n, cap - (size_t)n, "reader %u %s store %u; ",
		    i + 1, t->line->reader[i].ready ? "ready" : "away",
		    t->line->reader[i].store);
}

/* ---- the end ------------------------------------------------------------- */

struct snap {
	uint8_t *buf;
	size_t len, cap;
	size_t *off;		/* of each record */
	size_t cnt, off_cap;
	bool bad;
};

static int
snap_add(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct snap *p = ctx;
	struct cw_ln_known k;

	/* A station that never had a card: what is known of it came from the
	 * device alone, and will again. */
	if (type == CW_LN_KNOWN && cw_ln_get_known(&k, payload, len) == 0 &&
	    k.order == 0)
		return 0;

	if (p->len + len + 3 > p->cap) {
		p->cap = 2 * (p->len + len + 3);
		p->buf = realloc(p->buf, p->cap);
	}
	if (p->cnt + 2 > p->off_cap) {
		p->off_cap = 2 * (p->cnt + 2);
		p->off = realloc(p->off, p->off_cap * sizeof *p->off);
	}
	if (p->buf == NULL || p->off == NULL)
		return CW_ENOMEM;
	p->off[p->cnt++] = p->len;
	p->buf[p->len++] = type;
	p->buf[p->len++] = (uint8_t)(len >> 8);
	p->buf[p->len++] = (uint8_t)len;
	memcpy(p->buf + p->len, payload, len);
	p->len += len;
	return 0;
}

static size_t
snap_len(const struct snap *p, size_t i)
{
	return 3u + ((size_t)p->buf[p->off[i] + 1] << 8 | p->buf[p->off[i] + 2]);
}

/* Every record of a stands in b; orders may stand in another order. */
static bool
within(const struct snap *a, const struct snap *b, uint8_t *type)
{
	for (size_t i = 0; i < a->cnt; i++) {
		size_t len = snap_len(a, i), k;

		for (k = 0; k < b->cnt; k++)
			if (snap_len(b, k) == len && memcmp(a->buf + a->off[i],
			    b->buf + b->off[k], len) == 0)
				break;
		if (k == b->cnt) {
			*type = a->buf[a->off[i]];
			return false;
		}
	}
	return true;
}

static void
check_secret(struct cw_step *s, struct step_term *t)
{
	uint8_t canary[STEP_CANARY];
	char hex[2 * STEP_CANARY + 1];

	cw_step_canary(s, canary);
	cw_hex(hex, canary, sizeof canary);
	if (cw_step_disk_search(t->disk, canary, sizeof canary) ||
	    cw_step_disk_search(t->disk, (const uint8_t *)hex, 2 * STEP_CANARY))
		cw_step_bad(s, "I6", "line %u: the journal holds a key in clear",
		    t->idx + 1);
}

void
cw_step_term_end(struct cw_step *s, unsigned int line)
{
	struct step_term *t = cw_step_term_of(s, line);
	struct snap live = { 0 }, again = { 0 };
	struct cw_line *was = t->line;
	uint8_t type = 0;
	int err;

	check_secret(s, t);
	err = cw_line_snapshot(t->line, snap_add, &live);
	cw_journal_close(&t->journal);
	t->line = cw_step_term_line(s, t);
	if (err == 0)
		err = t->line == NULL ? CW_ENOMEM : cw_step_term_open(s, t);
	if (err < 0)
		cw_step_bad(s, "I5", "line %u: the journal does not open again: %s",
		    line + 1, t->journal.text);
	else if (cw_line_snapshot(t->line, snap_add, &again) < 0 ||
	    live.cnt != again.cnt || !within(&live, &again, &type) ||
	    !within(&again, &live, &type))
		cw_step_bad(s, "I5", "line %u: the journal rebuilds another state "
		    "(%zu records against %zu, type %u)", line + 1, again.cnt,
		    live.cnt, type);
	cw_line_free(t->line);
	t->line = was;
	free(live.buf);
	free(live.off);
	free(again.buf);
	free(again.off);
}
