/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/err.h"
#include "sim/step_priv.h"

/*
 * Faults that come by time: each kind waits for its next occasion, strikes a
 * part drawn by chance, and waits again.  And the people: one walks by every
 * few seconds.
 */
#define PERSON_US (5 * STEP_SEC)

static unsigned int
a_line(struct cw_step *s)
{
	return (unsigned int)cw_step_below(s, s->plan.lines);
}

static unsigned int
a_reader(struct cw_step *s)
{
	return (unsigned int)cw_step_below(s, s->plan.readers);
}

static bool
torn(struct cw_step *s)
{
	return s->plan.power && cw_step_chance(s, s->plan.ppm[CW_SF_DISK_TORN]);
}

static void
term_kill(struct cw_step *s)
{
	unsigned int i = a_line(s);

	if (!cw_step_term_up(s, i))
		return;
	cw_step_count(s, CW_SF_TERM_KILL);
	cw_step_term_kill(s, i, torn(s));
}

static void
reader_kill(struct cw_step *s)
{
	unsigned int i = a_line(s);

	cw_step_reader_kill(s, i, a_reader(s));
}

static void
dev_kill(struct cw_step *s)
{
	cw_step_dev_kill(s, a_line(s));
}

static void
plink_cut(struct cw_step *s)
{
	cw_step_count(s, CW_SF_PLINK_CUT);
	cw_step_plink_cut(s, a_line(s));
}

static void
plink_part(struct cw_step *s)
{
	unsigned int i = a_line(s);
	uint64_t us = cw_step_between(s, 100 * STEP_MS, 20 * STEP_SEC);

	cw_step_count(s, CW_SF_PLINK_PART);
	cw_step_say(s, "net", "line %u: platform link partitioned for %u ms", i + 1,
	    (unsigned int)(us / STEP_MS));
	if (s->line[i].plink.part_us < s->now + us)
		s->line[i].plink.part_us = s->now + us;
}

static void
rlink_cut(struct cw_step *s)
{
	unsigned int i = a_line(s), r = a_reader(s);
	struct step_conn *c = s->line[i].conn[r];

	if (c == NULL || !c->rd)
		return;
	cw_step_count(s, CW_SF_RLINK_CUT);
	cw_step_rlink_cut(s, c);
}

static void
rlink_part(struct cw_step *s)
{
	unsigned int i = a_line(s), r = a_reader(s);
	uint64_t us = cw_step_between(s, 50 * STEP_MS, 25 * STEP_SEC);

	cw_step_count(s, CW_SF_RLINK_PART);
	cw_step_say(s, "net", "line %u reader %u: partitioned for %u ms", i + 1,
	    r + 1, (unsigned int)(us / STEP_MS));
	if (s->line[i].part_us[r] < s->now + us)
		s->line[i].part_us[r] = s->now + us;
}

static void
modbus_cut(struct cw_step *s)
{
	cw_step_count(s, CW_SF_MODBUS_CUT);
	cw_step_dev_cut(s, a_line(s), cw_step_between(s, 50 * STEP_MS, 8 * STEP_SEC));
}

static void
disk_room(struct cw_step *s, struct step_ev *e)
{
	cw_step_disk_full(cw_step_term_disk(s, e->a), false);
}

static void
disk_full(struct cw_step *s)
{
	unsigned int i = a_line(s);

	cw_step_count(s, CW_SF_DISK_FULL);
	cw_step_say(s, "disk", "line %u: full", i + 1);
	cw_step_disk_full(cw_step_term_disk(s, i), true);
	cw_step_at_buf(s, cw_step_between(s, STEP_SEC, 10 * STEP_SEC), disk_room, NULL,
	    &(struct step_ev){ .a = i });
}

static void
disk_eio(struct cw_step *s)
{
	unsigned int i = a_line(s);

	cw_step_count(s, CW_SF_DISK_EIO);
	cw_step_say(s, "disk", "line %u: the next write or sync fails", i + 1);
	cw_step_disk_error(cw_step_term_disk(s, i));
}

static void
store_eio(struct cw_step *s)
{
	cw_step_count(s, CW_SF_STORE_EIO);
	cw_step_plat_store_fault(s, (uint32_t)cw_step_between(s, 1, 40));
}

static void
resume(struct cw_step *s, struct step_ev *e)
{
	/* The platform may be away, or its store may fail: again then. */
	if (cw_step_plat_waits(s, e->a) &&
	    cw_step_plat_op(s, STEP_OP_RESUME, e->a) < 0)
		cw_step_at_buf(s, STEP_SEC, resume, NULL, e);
}

static void
pause_order(struct cw_step *s)
{
	unsigned int o = (unsigned int)cw_step_below(s, s->plan.order_cnt);

	if (cw_step_fault(s, CW_SF_CANCEL)) {
		cw_step_plat_op(s, STEP_OP_CANCEL, o);
		return;
	}
	if (cw_step_plat_op(s, STEP_OP_PAUSE, o) < 0)
		return;
	cw_step_count(s, CW_SF_PAUSE);
	cw_step_at_buf(s, cw_step_between(s, STEP_MS, 15 * STEP_SEC), resume, NULL,
	    &(struct step_ev){ .a = o });
}

static void
remake(struct cw_step *s)
{
	if (cw_step_plat_op(s, STEP_OP_REMAKE,
	    (unsigned int)cw_step_below(s, s->plan.order_cnt)) > 0)
		cw_step_count(s, CW_SF_REMAKE);
}

static void
rewrite(struct cw_step *s)
{
	cw_step_term_rewrite(s, a_line(s));
}

static void
intrude(struct cw_step *s)
{
	unsigned int i = a_line(s);

	cw_step_rlink_intrude(s, i, a_reader(s));
}

static void (*const strikes[CW_SF_CNT])(struct cw_step *s) = {
	[CW_SF_TERM_KILL] = term_kill,
	[CW_SF_PLAT_KILL] = cw_step_plat_kill,
	[CW_SF_PLAT_RESTORE] = cw_step_plat_backup,
	[CW_SF_READER_KILL] = reader_kill,
	[CW_SF_DEV_KILL] = dev_kill,
	[CW_SF_PLINK_CUT] = plink_cut,
	[CW_SF_PLINK_PART] = plink_part,
	[CW_SF_RLINK_CUT] = rlink_cut,
	[CW_SF_RLINK_PART] = rlink_part,
	[CW_SF_MODBUS_CUT] = modbus_cut,
	[CW_SF_DISK_FULL] = disk_full,
	[CW_SF_DISK_EIO] = disk_eio,
	[CW_SF_STORE_EIO] = store_eio,
	[CW_SF_PAUSE] = pause_order,
	[CW_SF_REMAKE] = remake,
	[CW_SF_REWRITE] = rewrite,
	[CW_SF_INTRUDER] = intrude,
};

static void strike(struct cw_step *s, struct step_ev *e);

static void
next_strike(struct cw_step *s, unsigned int kind)
{
	uint64_t mean = s->plan.every_us[kind];

	cw_step_at_buf(s, cw_step_between(s, mean / 20, 2 * mean), strike, NULL,
	    &(struct step_ev){ .a = kind });
}

static void
strike(struct cw_step *s, struct step_ev *e)
{
	if (s->quiet)
		return;
	strikes[e->a](s);
	next_strike(s, e->a);
}

static void
person(struct cw_step *s, struct step_ev *e)
{
	(void)e;
	for (unsigned int i = 0; i < s->plan.lines; i++) {
		cw_step_term_person(s, i);
		cw_step_dev_person(s, i);
	}

	/* A refused record has blocked its order: the person has seen to it. */
	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		if (cw_step_plat_blocked(s, o))
			cw_step_plat_op(s, STEP_OP_RESUME, o);
	cw_step_plat_again(s);
	cw_step_at(s, cw_step_between(s, PERSON_US / 2, 2 * PERSON_US), person, NULL, 0);
}

void
cw_step_fault_start(struct cw_step *s)
{
	for (unsigned int k = 0; k < CW_SF_CNT; k++)
		if (s->plan.every_us[k] > 0 && strikes[k] != NULL)
			next_strike(s, k);
	cw_step_at(s, PERSON_US, person, NULL, 0);
}

void
cw_step_fault_stop(struct cw_step *s)
{
	cw_step_plat_store_fault(s, 0);
	for (unsigned int i = 0; i < s->plan.lines; i++) {
		cw_step_disk_heal(cw_step_term_disk(s, i));
		cw_step_dev_cut(s, i, 0);
	}
	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		resume(s, &(struct step_ev){ .a = o });
}

/* e->a: line, gen: unused. */
static void
kill_at(struct cw_step *s, struct step_ev *e)
{
	if (!cw_step_term_up(s, e->a) || s->quiet)
		return;
	cw_step_count(s, CW_SF_TERM_KILL_AT);
	cw_step_term_kill(s, e->a, torn(s));
}

void
cw_step_kill_point(struct cw_step *s, unsigned int line)
{
	if (cw_step_chance(s, s->plan.ppm[CW_SF_TERM_KILL_AT]))
		cw_step_at_buf(s, cw_step_below(s, 2 * s->plan.sync_us), kill_at, NULL,
		    &(struct step_ev){ .a = line });
}
