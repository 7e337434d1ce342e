/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an order waits for, told from what is there now: nothing of it is stored.
 * The work is bounded by the plant and by ADDRS_LOOKED, never by the records.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cw/err.h"
#include "platform/ledger_priv.h"

#define ADDRS_LOOKED 64		/* card addresses that are looked at */
#define LINE_HELD 2		/* line states from here on take no card (cw/plink.h) */
#define LINE_ABORTED 4

#define PUT(text, ...) snprintf(text, CW_ST_TEXT_CAP, __VA_ARGS__)

static bool
here(const struct lg_term *t)
{
	return t->used && t->greeted && !t->evidence;
}

static void
ip_text(char text[16], uint32_t ip)
{
	snprintf(text, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 0xFF, ip >> 8 & 0xFF,
	    ip & 0xFF);
}

static bool
stands_still(const struct lg_term *t)
{
	return t->status_ms != 0 && t->status.line_state >= LINE_HELD &&
	    t->status.line_state <= LINE_ABORTED && t->status.why[0] != '\0';
}

/* 1: there is no line that may make it, as text says. */
static int
no_line(const struct cw_ledger *l, const struct cw_st_order *o, char *text)
{
	bool any = false;
	char ip[16];
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		if (here(&l->term[i]) && cw_lg_may_do(&l->term[i], o))
			return 0;
		any = any || here(&l->term[i]);
	}
	ip_text(ip, o->terminal_ip);
	if (o->line[0] != '\0' && o->terminal_ip != 0)
		PUT(text, "waits for line %s at %s: it is not connected there", o->line, ip);
	else if (o->line[0] != '\0')
		PUT(text, "waits for line %s: it is not connected", o->line);
	else if (o->terminal_ip != 0)
		PUT(text, "waits for a line at %s: none is connected from there", ip);
	else if (!any)
		PUT(text, "no line is connected");
	return 1;
}

/* 1: none of its lines takes a card now, as text says by the first of them. */
static int
all_held(const struct cw_ledger *l, const struct cw_st_order *o, char *text)
{
	const struct lg_term *t, *first = NULL;
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		t = &l->term[i];
		if (!here(t) || !cw_lg_may_do(t, o))
			continue;
		if (!stands_still(t) && (t->status_ms == 0 || t->addr_cnt > 0))
			return 0;
		first = first == NULL ? t : first;
	}
	if (first == NULL)
		return 0;
	if (stands_still(first))
		PUT(text, "every line that could take it is held: %.60s: %.96s",
		    first->name, first->status.why);
	else
		PUT(text, "every line that could take it is held: %.60s: none of its "
		    "readers works%s%.60s", first->name,
		    first->status.station[0].why[0] != '\0' ? ": " : "",
		    first->status.station[0].why);
	return 1;
}

/* Whether t's reader at addr works, may work for all we know, or *why not: the
 * station that names it.  NULL: t does not have it. */
static bool
has_reader(const struct lg_term *t, uint32_t addr, const struct cw_pl_station **st)
{
	unsigned int i;

	for (i = 0; i < t->addr_cnt; i++)
		if (t->addr[i] == addr)
			return true;

	/* It has told nothing yet, or has more than it can name. */
	if (t->status_ms == 0 || t->station_cnt > CW_STATIONS_MAX)
		return true;
	for (i = 0; i < t->status.station_cnt && i < CW_STATIONS_MAX; i++)
		if (t->status.station[i].reader == addr)
			*st = &t->status.station[i];
	return false;
}

/* 1: no line that may make the order has this reader at work, as text says. */
static int
no_reader(const struct cw_ledger *l, const struct cw_st_order *o, uint32_t addr,
    char *text)
{
	const struct cw_pl_station *st = NULL;
	const struct lg_term *t, *of = NULL;
	char ip[16];
	unsigned int i;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++) {
		t = &l->term[i];
		if (!here(t) || !cw_lg_may_do(t, o))
			continue;
		if (has_reader(t, addr, &st))
			return 0;
		if (st != NULL && of == NULL)
			of = t;
	}
	ip_text(ip, addr);
	if (of != NULL)
		PUT(text, "waits for reader %s of %.60s: %.96s", ip, of->name,
		    st->why[0] != '\0' ? st->why : "it does not work");
	else
		PUT(text, "waits for reader %s: no connected line %shas it", ip,
		    o->line[0] != '\0' || o->terminal_ip != 0 ?
		    "that may make the order " : "");
	return 1;
}

/* The reader of some waiting record that no line has; address by address, as
 * the store's index gives them. */
static int
bound_away(const struct cw_ledger *l, const struct cw_st_order *o, char *text)
{
	struct cw_st_record from = { .order = o->id }, r;
	unsigned int i;
	int n;

	for (i = 0; i < ADDRS_LOOKED; i++) {
		n = l->ops->waiting_addr(l->h, from.addr, &from.addr);
		if (n < 0)
			return n == CW_ENOENT ? 0 : n;
		if (!no_reader(l, o, from.addr, text))
			continue;
		n = l->ops->record_waiting(l->h, &from, &r, 1);
		if (n != 0)
			return n;
	}
	return 0;
}

/* The line that holds leases of the order and is away. */
static int
leased_away(const struct cw_ledger *l, const struct cw_st_order *o, char *text)
{
	struct cw_st_share share[CW_REPORT_TERMS_MAX];
	struct cw_st_record from = { .order = o->id }, r;
	struct cw_st_term row;
	uint64_t with = 0;
	unsigned int i, k;
	int n, m, j;

	for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
		for (k = 0; here(&l->term[i]) && k < l->term[i].lease_cnt; k++)
			with += l->term[i].lease[k].order == o->id;
	if (with >= o->counts.rec[CW_REC_LEASED])
		return 0;
	n = l->ops->share_list(l->h, o->id, share, CW_REPORT_TERMS_MAX);
	for (j = 0; j < n; j++) {
		for (i = 0; i < CW_LEDGER_TERMS_MAX; i++)
			if (here(&l->term[i]) && l->term[i].row.id == share[j].term)
				break;
		if (i < CW_LEDGER_TERMS_MAX)
			continue;
		m = l->ops->record_leased(l->h, share[j].term, &from, &r, 1);
		if (m < 0)
			return m;
		if (m == 0 || r.order != o->id)
			continue;
		m = l->ops->term_get_id(l->h, share[j].term, &row);
		if (m < 0)
			return m;
		PUT(text, "waits for line %s: it has records in hand and is not "
		    "connected", row.name);
		return 1;
	}
	return n < 0 ? n : 0;
}

int
cw_ledger_waits(const struct cw_ledger *l, const struct cw_st_order *o,
    char text[CW_ST_TEXT_CAP])
{
	bool runs = o->state == CW_ORD_READY || o->state == CW_ORD_RUNNING;
	int n = 0;

	text[0] = '\0';
	if (!runs && o->state != CW_ORD_PAUSED && o->state != CW_ORD_BLOCKED &&
	    o->state != CW_ORD_CANCELLING)
		return 0;
	if (l->sick < 0) {
		PUT(text, "the database cannot record: %s", cw_err_text(l->sick));
		return 1;
	}
	if (runs && o->counts.rec[CW_REC_WAITING] > 0) {
		if (l->held_known && l->held > 0) {
			PUT(text, "no record goes out: the database was set back, and "
			    "%u line(s) have not told their journals since", l->held);
			return 1;
		}
		n = no_line(l, o, text);
		if (n == 0)
			n = all_held(l, o, text);
		if (n == 0)
			n = bound_away(l, o, text);
	}
	if (n == 0 && o->counts.rec[CW_REC_LEASED] > 0)
		n = leased_away(l, o, text);
	if (n <= 0)
		text[0] = '\0';
	return n;
}
