/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/frame.h"
#include "cw/plink.h"
#include "sim/step_priv.h"

/*
 * The platform link, message by message: each frame may be lost, doubled,
 * overtaken, or come once more out of an older connection.  The greeting is
 * exempt (nothing may overtake it, and a connection on which it is lost is no
 * connection), and so is the order's state, which TLS delivers in order and
 * nobody repeats.  A picture (STATUS) may be lost but not overtaken: the last
 * one counts, and it carries no number.
 */
#define RETRY_US (400 * STEP_MS)
#define TYPE_OFF 3

unsigned int
cw_step_plink_line(const struct cw_step *s, uint32_t conn)
{
	for (unsigned int i = 0; i < s->plan.lines; i++)
		if (conn != 0 && s->line[i].plink.conn == conn)
			return i;
	return STEP_LINES_MAX;
}

static bool
fragile(uint8_t type)
{
	switch (type) {
	case CW_PL_PULL:
	case CW_PL_GET:
	case CW_PL_RESULT:
	case CW_PL_REVOKED:
	case CW_PL_STATUS:
	case CW_PL_CHUNK:
	case CW_PL_LEASE:
	case CW_PL_REVOKE:
	case CW_PL_ACK:
		return true;
	default:
		return false;
	}
}

/* What may come out of an older connection: what the ledger's rules are for. */
static bool
may_be_late(uint8_t type)
{
	return type == CW_PL_LEASE || type == CW_PL_REVOKE ||
	    type == CW_PL_RESULT || type == CW_PL_REVOKED || type == CW_PL_ACK;
}

static void
keep_late(struct cw_step *s, struct step_plink *p, const struct step_ev *e)
{
	struct step_ev *old;
	uint8_t type = e->buf[TYPE_OFF];

	if (!may_be_late(type) || s->plan.ppm[CW_SF_PLINK_LATE] == 0 ||
	    s->quiet || cw_step_below(s, 8) != 0)
		return;
	old = &p->late[p->late_cnt < 8 ? p->late_cnt++ : cw_step_below(s, 8)];
	free(old->buf);
	*old = *e;
	old->buf = malloc(e->len);
	if (old->buf == NULL)
		old->len = 0;
	else
		memcpy(old->buf, e->buf, e->len);
}

void
cw_step_plink_forget(struct cw_step *s, unsigned int line)
{
	struct step_plink *p = &s->line[line].plink;

	while (p->late_cnt > 0)
		free(p->late[--p->late_cnt].buf);
	memset(p->late, 0, sizeof p->late);
}

/* ---- messages ------------------------------------------------------------ */

/* A message in the narrated trace. */
static void
say(struct cw_step *s, const struct step_ev *e)
{
	uint8_t type = e->buf[TYPE_OFF];
	unsigned long long order = 0, record = 0;
	uint32_t epoch = 0;
	struct cw_pl_msg m;

	if (s->cfg.trace == NULL || cw_pl_get(&m, type,
	    e->buf + CW_FRAME_HDR, e->len - CW_FRAME_HDR) < 0)
		return;
	if (type == CW_PL_LEASE) {
		order = m.u.lease.order;
		record = m.u.lease.record;
		epoch = m.u.lease.epoch;
	} else if (type == CW_PL_REVOKE || type == CW_PL_REVOKED) {
		order = m.u.revoke.order;
		record = m.u.revoke.record;
		epoch = m.u.revoke.epoch;
	} else if (type == CW_PL_RESULT) {
		order = m.u.result.order;
		record = m.u.result.record;
		epoch = m.u.result.epoch;
	}
	cw_step_say(s, "net", "line %u %s %s %llu/%llu epoch %u",
	    (unsigned int)e->b + 1, e->a == STEP_UP ? "->" : "<-",
	    cw_pl_type_name(type), order, record, epoch);
}

/* Events: gen = connection, a = direction, b = line. */
static void
arrive(struct cw_step *s, struct step_ev *e)
{
	struct step_plink *p = &s->line[e->b].plink;
	uint8_t type = e->buf[TYPE_OFF];

	if (p->conn != e->gen || !p->up)
		return;
	if (s->now < p->part_us) {
		cw_step_defer(s, p->part_us, e);
		return;
	}
	say(s, e);
	if (e->a == STEP_UP)
		cw_step_plat_frame(s, e->gen, e->buf, e->len);
	else
		cw_step_term_plat_frame(s, (unsigned int)e->b, e->buf, e->len);
	if (type == CW_PL_WELCOME)
		p->greeted = true;
}

static void
post(struct cw_step *s, struct step_plink *p, const struct step_ev *e, bool loose)
{
	uint64_t at = s->now + cw_step_between(s, 100, 100 + s->plan.net_us);

	if (loose)
		at += cw_step_below(s, 20 * s->plan.net_us);
	else if (at < p->last[e->a])
		at = p->last[e->a];
	if (!loose)
		p->last[e->a] = at;
	cw_step_at_buf(s, at - s->now, arrive, NULL, e);
}

int
cw_step_plink_send(struct cw_step *s, unsigned int line, enum step_dir dir,
    const struct step_ev *frame)
{
	struct step_plink *p = &s->line[line].plink;
	struct step_ev e = *frame;
	uint8_t type = frame->buf[TYPE_OFF];

	if (!p->up)
		return CW_ECLOSED;
	cw_step_hash(s, frame->buf, frame->len);
	e.gen = p->conn;
	e.a = dir;
	e.b = line;
	keep_late(s, p, &e);
	if (!fragile(type) || !p->greeted) {
		post(s, p, &e, false);
		return 0;
	}
	if (cw_step_fault(s, CW_SF_PLINK_LOSS))
		return 0;
	if (type == CW_PL_STATUS) {
		post(s, p, &e, false);
		return 0;
	}
	post(s, p, &e, cw_step_fault(s, CW_SF_PLINK_REORDER));
	if (cw_step_fault(s, CW_SF_PLINK_DUP))
		post(s, p, &e, true);

	/* An old message turns up now and then. */
	if (p->late_cnt > 0 && cw_step_chance(s, s->plan.ppm[CW_SF_PLINK_LATE])) {
		struct step_ev *old = &p->late[cw_step_below(s, p->late_cnt)];

		if (old->len > 0 && old->gen != p->conn) {
			cw_step_count(s, CW_SF_PLINK_LATE);
			old->gen = p->conn;
			post(s, p, old, true);
			old->gen = 0;
		}
	}
	return 0;
}

/* ---- connections --------------------------------------------------------- */

static void
term_hears(struct cw_step *s, struct step_ev *e)
{
	struct step_plink *p = &s->line[e->a].plink;

	if (p->conn != e->gen || p->up)
		return;
	p->conn = 0;
	cw_step_term_plat_down(s, e->a);
}

void
cw_step_plink_cut(struct cw_step *s, unsigned int line)
{
	struct step_plink *p = &s->line[line].plink;

	if (!p->up)
		return;
	cw_step_say(s, "net", "line %u: platform link breaks", line + 1);
	p->up = p->greeted = false;
	cw_step_plat_closed(s, p->conn);
	cw_step_at_buf(s, cw_step_below(s, 200 * STEP_MS), term_hears, NULL,
	    &(struct step_ev){ .gen = p->conn, .a = line });
}

static void
try(struct cw_step *s, struct step_ev *e)
{
	struct step_plink *p = &s->line[e->a].plink;
	uint32_t conn = (uint32_t)++s->next_conn;

	cw_step_at_buf(s, cw_step_between(s, RETRY_US / 2, RETRY_US), try, NULL, e);
	if (!cw_step_term_up(s, e->a) || !cw_step_plat_up(s) || p->conn != 0 ||
	    s->now < p->part_us)
		return;
	p->conn = conn;
	p->up = true;
	p->greeted = false;
	p->last[0] = p->last[1] = 0;
	if (cw_step_plat_open(s, conn, e->a) < 0) {
		p->up = false;
		p->conn = 0;
		return;
	}
	cw_step_say(s, "net", "line %u: platform link up", e->a + 1);
	cw_step_term_plat_up(s, e->a);
}

void
cw_step_plink_start(struct cw_step *s, unsigned int line)
{
	s->line[line].plink.line = line;
	cw_step_at_buf(s, cw_step_between(s, 1000, RETRY_US), try, NULL,
	    &(struct step_ev){ .a = line });
}
