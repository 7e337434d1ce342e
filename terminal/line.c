/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal/line.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "terminal/ln.h"

#define SCAN_US 20000		/* every station is looked at this often */
#define MOVE_US 2000		/* while an image is on its way */
#define PULL_US 5000		/* shortest time between PULLs */
#define JAM_BIT_US 500000	/* the reset bit stands so long */
#define JAM_WAIT_US 2000000	/* and is tried again after */

void
cw_ln_log(struct cw_line *l, enum cw_line_log level, const char *event,
    const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (l->cfg.ops->log == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	l->cfg.ops->log(l->cfg.ctx, level, event, text);
}

uint64_t
cw_ln_ms(uint32_t ms)
{
	return (uint64_t)ms * 1000;
}

bool
cw_ln_due(const struct cw_line *l, uint64_t since_us, uint32_t ms)
{
	return l->now - since_us >= cw_ln_ms(ms);
}

int
cw_ln_up(struct cw_line *l, const struct cw_pl_msg *m)
{
	if (!l->plat_up || (!l->plat_ok && m->type != CW_PL_HELLO))
		return CW_ECLOSED;
	return l->cfg.ops->send_platform(l->cfg.ctx, m);
}

int64_t
cw_ln_append(struct cw_line *l, uint8_t type, const uint8_t *payload, int len)
{
	int64_t lsn;

	if (len < 0)
		return len;
	if (l->disk == CW_EIO)
		return CW_EIO;
	lsn = l->cfg.ops->journal_append(l->cfg.ctx, type, payload, (size_t)len);
	if (lsn >= 0) {
		l->last_lsn = (uint64_t)lsn;
	} else {
		l->disk = lsn == CW_ENOSPC ? CW_ENOSPC : CW_EIO;
		l->status_dirty = true;
		cw_ln_log(l, CW_LINE_ERROR, "journal.append", "type=%u err=%s",
		    type, cw_err_name((int)lsn));
	}
	return lsn;
}

int
cw_ln_wait(struct cw_line *l, const struct cw_ln_wait *w)
{
	if (l->wait_cnt == l->wait_cap) {
		size_t cap = l->wait_cap > 0 ? 2 * l->wait_cap : 64;
		struct cw_ln_wait *p = malloc(cap * sizeof *p);

		if (p == NULL)
			return CW_ENOMEM;
		for (size_t i = 0; i < l->wait_cnt; i++)
			p[i] = l->wait[(l->wait_head + i) % l->wait_cap];
		free(l->wait);
		l->wait = p;
		l->wait_cap = cap;
		l->wait_head = 0;
	}
	l->wait[(l->wait_head + l->wait_cnt++) % l->wait_cap] = *w;
	return 0;
}

/* Leases have come, or an order may begin: stations that can take one do. */
static void
kick(struct cw_line *l)
{
	for (unsigned int i = 0; i < l->station_cnt && l->have > 0; i++) {
		struct cw_ln_station *st =
		    &l->station[(l->rot + i) % l->station_cnt];

		if (st->state == CW_LN_IDLE ||
		    (st->state == CW_LN_RUN && !st->next.used))
			cw_ln_station_step(l, st);
	}
	l->rot++;
}

static uint32_t
or_default(uint32_t v, uint32_t dflt)
{
	return v != 0 ? v : dflt;
}

static bool
config_ok(const struct cw_line_config *c)
{
	if (c->ops == NULL || c->reader_cnt == 0 || c->station_cnt == 0 ||
	    c->station_cnt > CW_LINE_STATIONS_MAX ||
	    c->reader_cnt > c->station_cnt)
		return false;
	for (unsigned int i = 0; i < c->station_cnt; i++)
		if (c->stations[i].reader >= c->reader_cnt ||
		    c->stations[i].slot >= CW_RLINK_SLOTS_MAX)
			return false;
	return true;
}

static void
set_defaults(struct cw_line_config *c)
{
	c->reader_lost_ms = or_default(c->reader_lost_ms, 10000);
	c->card_max_ms = or_default(c->card_max_ms, 30 * 60 * 1000);
	c->presence_ms = or_default(c->presence_ms, 2000);
	c->link_idle_ms = or_default(c->link_idle_ms, 2000);
	c->link_dead_ms = or_default(c->link_dead_ms, 10000);
	c->repeat_ms = or_default(c->repeat_ms, 1000);
	c->status_ms = or_default(c->status_ms, 200);
	c->retain = or_default(c->retain, 8192);
	c->quarantine = (uint16_t)or_default(c->quarantine, 5);
	c->jam_resets = (uint16_t)or_default(c->jam_resets, 3);
	c->readers = NULL;
	c->stations = NULL;
}

struct cw_line *
cw_line_new(const struct cw_line_config *cfg)
{
	struct cw_line *l;

	if (!config_ok(cfg))
		return NULL;
	l = calloc(1, sizeof *l);
	if (l == NULL)
		return NULL;
	l->cfg = *cfg;
	set_defaults(&l->cfg);
	l->reader_cnt = cfg->reader_cnt;
	l->station_cnt = cfg->station_cnt;
	l->reader = calloc(l->reader_cnt, sizeof *l->reader);
	l->station = calloc(l->station_cnt, sizeof *l->station);
	if (l->reader == NULL || l->station == NULL)
		goto err0;
	cw_ln_list_init(&l->orders);
	cw_ln_list_init(&l->images);
	l->out_tail = &l->out;
	l->kept_tail = &l->kept;
	l->next_seq = l->sure_seq = 1;
	l->attempt = 1;
	for (unsigned int i = 0; i < l->reader_cnt; i++) {
		l->reader[i].addr = cfg->readers[i].addr;
		l->reader[i].port = cfg->readers[i].port;
		l->reader[i].plain = cfg->readers[i].plain;
		cw_ln_list_init(&l->reader[i].bound);
	}
	for (unsigned int i = 0; i < l->station_cnt; i++) {
		struct cw_ln_station *st = &l->station[i];
		struct cw_ln_reader *r = &l->reader[cfg->stations[i].reader];

		st->idx = (uint16_t)i;
		st->reader = cfg->stations[i].reader;
		st->slot = cfg->stations[i].slot;
		if (r->station_cnt == CW_RLINK_SLOTS_MAX)
			goto err0;
		r->station[r->station_cnt++] = st->idx;
	}
	return l;
err0:
	free(l->reader);
	free(l->station);
	free(l);
	return NULL;
}

void
cw_line_free(struct cw_line *l)
{
	if (l == NULL)
		return;
	for (unsigned int i = 0; i < l->station_cnt; i++) {
		cw_ln_card_wipe(&l->station[i].cur);
		cw_ln_card_wipe(&l->station[i].next);
	}
	for (unsigned int i = 0; i < l->reader_cnt; i++)
		cw_ln_image_put(l->reader[i].image);
	while (!cw_ln_list_empty(&l->orders))
		cw_ln_order_free(l, CW_LN_OF(l->orders.next,
		    struct cw_ln_order, link));
	cw_ln_out_free(l);
	free(l->wait);
	free(l->reader);
	free(l->station);
	cw_wipe(l, sizeof *l);
	free(l);
}

void
cw_line_platform_up(struct cw_line *l, uint64_t now_us)
{
	struct cw_pl_msg m = { .type = CW_PL_HELLO };
	struct cw_pl_hello *h = &m.u.hello;

	l->now = now_us;
	l->plat_up = true;
	l->plat_ok = false;
	memcpy(h->terminal, l->cfg.name, sizeof h->terminal);
	h->incarnation = l->incarnation;
	h->start_cnt = l->start_cnt;
	h->next_seq = l->sure_seq;
	h->station_cnt = l->station_cnt;
	h->acked_seq = l->acked_seq;
	h->first_seq = cw_ln_out_first(l);
	cw_ln_up(l, &m);
}

void
cw_line_platform_down(struct cw_line *l, uint64_t now_us)
{
	l->now = now_us;
	l->plat_up = l->plat_ok = false;
}

/* The platform has written this journal off: its leases are others' now. */
static void
fence_all(struct cw_line *l)
{
	if (l->fenced)
		return;
	l->fenced = true;
	l->status_dirty = true;
	(void)cw_ln_append(l, CW_LN_WRITTEN_OFF, NULL, 0);
	cw_ln_log(l, CW_LINE_ERROR, "journal.written-off", "the platform has written "
	    "this journal off: all cards here go to the reject bin; clear the "
	    "stations, restart the readers, start with a new journal");
}

/*
 * The platform may have forgotten what it leased to this line and what this
 * line told it.  Leases in hand are let go (it repeats those that it knows),
 * results go up again.
 */
static void
settle(struct cw_line *l, uint64_t acked)
{
	struct cw_ln_list *n;

	if (!l->settle || acked < l->acked_seq)
		cw_ln_log(l, CW_LINE_WARN, "platform.forgot", "it knows results up to "
		    "%llu, this journal up to %llu were acknowledged: no card is "
		    "fed until all are told again", (unsigned long long)acked,
		    (unsigned long long)l->acked_seq);
	l->settle = l->status_dirty = true;
	for (n = l->orders.next; n != &l->orders; n = n->next) {
		struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		while (!cw_ln_list_empty(&o->all))
			cw_ln_lease_drop(l, CW_LN_OF(o->all.next,
			    struct cw_ln_lease, all));
	}
	cw_ln_out_unack(l, acked);
}

/* Everything is told and nothing under way. */
static void
settled(struct cw_line *l)
{
	struct cw_pl_msg m = { .type = CW_PL_SETTLED };

	if (!l->settle || l->fenced || l->begun > 0 || l->out != NULL)
		return;
	m.u.settled.next_seq = l->sure_seq;
	if (cw_ln_up(l, &m) < 0)
		return;
	l->settle = false;
	l->status_dirty = l->pull_dirty = true;
	cw_ln_log(l, CW_LINE_INFO, "platform.settled", "all results up to %llu are "
	    "told", (unsigned long long)l->acked_seq);
}

static void
on_welcome(struct cw_line *l, const struct cw_pl_welcome *m)
{
	/* The platform knows more of this journal than the journal does. */
	if (m->acked_seq >= l->sure_seq) {
		snprintf(l->fatal, sizeof l->fatal, "the journal is an old copy "
		    "(result %llu is known above): write it off, start a new one",
		    (unsigned long long)m->acked_seq);
		cw_ln_log(l, CW_LINE_ERROR, "journal.old", "%s", l->fatal);
		l->status_dirty = true;
	}
	l->plat_ok = true;
	if ((m->flags & CW_WELCOME_EVIDENCE) != 0)
		fence_all(l);
	if (m->flags != 0 || m->acked_seq < l->acked_seq)
		settle(l, m->acked_seq);
	cw_ln_out_ack(l, m->acked_seq, true);
	cw_ln_out_again(l, true);
	cw_ln_out_send(l);
	cw_ln_order_ask(l);
	cw_ln_pull(l);
	cw_ln_status_send(l);
}

static void
on_deny(struct cw_line *l, const struct cw_pl_deny *m)
{
	cw_ln_log(l, CW_LINE_ERROR, "platform.denied", "err=%s text=\"%s\"",
	    cw_err_name(m->err), m->text);
}

int
cw_line_platform_msg(struct cw_line *l, const struct cw_pl_msg *m,
    uint64_t now_us)
{
	l->now = now_us;
	if (m->type == CW_PL_WELCOME) {
		on_welcome(l, &m->u.welcome);
		return 0;
	}
	if (m->type == CW_PL_DENY) {
		on_deny(l, &m->u.deny);
		return CW_EDENIED;
	}
	if (!l->plat_ok)
		return CW_EPROTO;
	switch (m->type) {
	case CW_PL_ORDER:
		cw_ln_order_msg(l, &m->u.order);
		break;
	case CW_PL_CHUNK:
		cw_ln_order_chunk(l, &m->u.chunk);
		break;
	case CW_PL_LEASE:
		cw_ln_lease_msg(l, &m->u.lease);
		break;
	case CW_PL_REVOKE:
		cw_ln_revoke_msg(l, &m->u.revoke);
		break;
	case CW_PL_ACK:
		cw_ln_out_ack(l, m->u.ack.seq, true);
		return 0;
	case CW_PL_ORDER_STATE:
		cw_ln_order_state(l, m->u.order_state.order,
		    m->u.order_state.state);
		break;
	default:
		return CW_EPROTO;
	}
	kick(l);
	return 0;
}

/* Run as long as all is well; a jam is reset a few times, then by a person. */
static void
set_bits(struct cw_line *l)
{
	bool jam = l->dev.machine_state == CW_DEV_ABORTED;
	uint8_t bits = l->started && l->fatal[0] == '\0' && l->disk != CW_EIO ?
	    CW_DEVBIT_RUN : 0;

	if (!l->dev.up) {
		l->bits_known = false;
		return;
	}
	if (!jam)
		l->jam_tries = 0;
	else if (l->cfg.jam_resets != 0xFFFF &&
	    (l->jam_tries == 0 || (l->jam_tries < l->cfg.jam_resets &&
	    l->now - l->jam_us >= JAM_WAIT_US))) {
		l->jam_tries++;
		l->jam_us = l->now;
		cw_ln_log(l, CW_LINE_WARN, "device.jam", "reset %u of %u",
		    l->jam_tries, l->cfg.jam_resets);
	}
	if (jam && l->jam_tries > 0 && l->now - l->jam_us < JAM_BIT_US)
		bits |= CW_DEVBIT_RESET_JAM;
	if (l->bits_known && bits == l->bits)
		return;
	if (l->cfg.ops->device_bits(l->cfg.ctx, bits) == 0) {
		l->bits = bits;
		l->bits_known = true;
	}
}

/* Machine states that people must hear of; going from card to card is none. */
static uint8_t
trouble(uint8_t state)
{
	return state == CW_DEV_IDLE || state == CW_DEV_EXECUTE ? 0 : state;
}

void
cw_line_device(struct cw_line *l, const struct cw_dev_view *v, uint64_t now_us)
{
	uint16_t cnt = v->station_cnt < CW_DEVVIEW_STATIONS_MAX ?
	    v->station_cnt : CW_DEVVIEW_STATIONS_MAX;

	l->now = now_us;
	if (l->dev.up != v->up ||
	    trouble(l->dev.machine_state) != trouble(v->machine_state)) {
		l->status_dirty = true;
		cw_ln_log(l, CW_LINE_INFO, "device.state", "up=%d machine=%u "
		    "fed=%u good=%u reject=%u", v->up, v->machine_state,
		    v->fed, v->good, v->reject);
	}
	memcpy(&l->dev, v, offsetof(struct cw_dev_view, st) +
	    cnt * sizeof v->st[0]);
	l->dev.station_cnt = cnt;
	set_bits(l);
	for (unsigned int i = 0; i < l->station_cnt; i++)
		cw_ln_station_step(l, &l->station[i]);
}

void
cw_line_durable(struct cw_line *l, uint64_t lsn, uint64_t now_us)
{
	l->now = now_us;
	if (lsn > l->durable_lsn)
		l->durable_lsn = lsn;
	cw_ln_out_send(l);
	while (l->wait_cnt > 0 &&
	    l->wait[l->wait_head].lsn <= l->durable_lsn) {
		struct cw_ln_wait w = l->wait[l->wait_head];

		l->wait_head = (l->wait_head + 1) % l->wait_cap;
		l->wait_cnt--;
		if (w.kind == CW_LN_WAIT_REVOKED)
			cw_ln_revoked(l, w.order, w.record, w.epoch);
		else
			cw_ln_station_step(l, &l->station[w.station]);
	}
}

void
cw_line_disk(struct cw_line *l, int err, uint64_t now_us)
{
	l->now = now_us;
	if (l->disk == CW_EIO)
		return;
	l->disk = err == 0 || err == CW_ENOSPC ? err : CW_EIO;
	if (l->disk == CW_EIO)
		snprintf(l->fatal, sizeof l->fatal, "the journal could not be "
		    "written: see to the disk, then start the terminal again");
	l->status_dirty = l->pull_dirty = true;
}

void
cw_line_utc(struct cw_line *l, uint64_t utc_ms, uint64_t now_us)
{
	l->utc_ms = utc_ms;
	l->utc_us = now_us;
}

void
cw_line_clear(struct cw_line *l, unsigned int s, uint64_t now_us)
{
	l->now = now_us;
	for (unsigned int i = 0; i < l->station_cnt; i++) {
		struct cw_ln_station *st = &l->station[i];

		if ((s != UINT_MAX && s != i) || !st->stuck)
			continue;
		/* Counted by hand: what the device says now is the beginning,
		 * even of another device. */
		if (st->state == CW_LN_IDLE)
			st->named = false;
		st->stuck = false;
		st->fails = st->faults = 0;
		st->why[0] = '\0';
		l->counts.stuck--;
		cw_ln_log(l, CW_LINE_INFO, "station.cleared", "station=%u", i + 1);
		cw_ln_station_step(l, st);
	}
	l->status_dirty = l->pull_dirty = true;
}

void
cw_line_drain(struct cw_line *l, bool drain, uint64_t now_us)
{
	l->now = now_us;
	l->drain = drain;
	l->pull_dirty = true;
	for (unsigned int i = 0; i < l->station_cnt; i++)
		cw_ln_station_step(l, &l->station[i]);
}

bool
cw_line_quiet(const struct cw_line *l)
{
	return l->begun == 0 && l->durable_lsn >= l->last_lsn;
}

/* What time alone brings about. */
static void
scan(struct cw_line *l)
{
	l->scan_us = l->now;
	if (l->disk == CW_ENOSPC &&
	    l->cfg.ops->journal_reserve(l->cfg.ctx, 1) == 0) {
		l->disk = 0;
		l->status_dirty = l->pull_dirty = true;
	}
	set_bits(l);
	for (unsigned int i = 0; i < l->station_cnt; i++)
		cw_ln_station_step(l, &l->station[i]);
	cw_ln_order_tick(l);
	cw_ln_out_again(l, false);
	if (!l->plat_ok)
		return;
	settled(l);
	if (cw_ln_due(l, l->status_us, l->cfg.repeat_ms) ||
	    (l->status_dirty && cw_ln_due(l, l->status_us, l->cfg.status_ms)))
		cw_ln_status_send(l);
	if (cw_ln_due(l, l->pull_us, l->cfg.repeat_ms))
		cw_ln_pull(l);
}

uint64_t
cw_line_tick(struct cw_line *l, uint64_t now_us)
{
	bool scanned = now_us - l->scan_us >= SCAN_US;
	uint64_t due;

	l->now = now_us;
	if (scanned)
		scan(l);
	if (scanned || l->moving) {
		l->moving = false;
		for (unsigned int i = 0; i < l->reader_cnt; i++)
			cw_ln_reader_tick(l, &l->reader[i]);
	}
	if (l->pull_dirty && l->plat_ok && now_us - l->pull_us >= PULL_US)
		cw_ln_pull(l);
	due = l->moving ? now_us + MOVE_US : l->scan_us + SCAN_US;
	if (l->pull_dirty && l->plat_ok && l->pull_us + PULL_US < due)
		due = l->pull_us + PULL_US;
	return due;
}

void
cw_line_count(const struct cw_line *l, struct cw_line_counts *c)
{
	*c = l->counts;
	c->have = l->have;
	c->begun = l->begun;
	c->outbox = l->out_cnt;
	c->next_seq = l->next_seq;
}

void
cw_line_check(const struct cw_line *l)
{
	uint32_t begun = 0;

	for (unsigned int i = 0; i < l->station_cnt; i++) {
		cw_ln_station_check(l, &l->station[i]);
		begun += l->station[i].cur.used + l->station[i].next.used;
	}
	CW_ASSERT(!l->started || begun == l->begun);
	CW_ASSERT(l->sure_seq <= l->next_seq);
}
