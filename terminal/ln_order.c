/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders: what a line must have before it may begin a card of one.
 *
 *	NEED_ORDER --ORDER--> NEED_COS --image whole--> NEED_PROFILE --loaded--> READY
 *	any --undecidable, wrong digest, no profile--> REFUSED (told upward)
 *
 * An order without COS skips NEED_COS; an image that another order has brought
 * (same digest) is not fetched again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/cosimg.h"
#include "cw/err.h"
#include "terminal/decision.h"
#include "terminal/ln.h"

#define PROFILE_MAX (256u * 1024u)
#define PKG_MAX (4u * CW_COS_MAX)	/* HEX text of a full store */

void
cw_ln_list_init(struct cw_ln_list *head)
{
	head->prev = head->next = head;
}

bool
cw_ln_list_empty(const struct cw_ln_list *head)
{
	return head->next == head;
}

void
cw_ln_list_add(struct cw_ln_list *head, struct cw_ln_list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

void
cw_ln_list_del(struct cw_ln_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	cw_ln_list_init(n);
}

void
cw_ln_image_put(struct cw_ln_image *im)
{
	if (im == NULL || --im->refs > 0)
		return;
	cw_ln_list_del(&im->link);
	free(im->buf);
	free(im);
}

static struct cw_ln_image *
image_find(struct cw_line *l, const uint8_t *digest)
{
	struct cw_ln_list *n;

	for (n = l->images.next; n != &l->images; n = n->next) {
		struct cw_ln_image *im = CW_LN_OF(n, struct cw_ln_image, link);

		if (memcmp(im->digest, digest, CW_SHA256_LEN) == 0) {
			im->refs++;
			return im;
		}
	}
	return NULL;
}

struct cw_ln_order *
cw_ln_order_find(struct cw_line *l, uint64_t id)
{
	struct cw_ln_list *n;

	for (n = l->orders.next; n != &l->orders; n = n->next) {
		struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		if (o->id == id)
			return o;
	}
	return NULL;
}

bool
cw_ln_order_closed(const struct cw_line *l, uint64_t id)
{
	uint32_t n = l->closed_cnt < CW_LN_CLOSED_MAX ? l->closed_cnt :
	    CW_LN_CLOSED_MAX;

	for (uint32_t i = 0; i < n; i++)
		if (l->closed[i] == id)
			return true;
	return false;
}

void
cw_ln_order_note_closed(struct cw_line *l, uint64_t id)
{
	if (!cw_ln_order_closed(l, id))
		l->closed[l->closed_cnt++ % CW_LN_CLOSED_MAX] = id;
}

static void
order_unfetch(struct cw_ln_order *o)
{
	free(o->blob);
	o->blob = NULL;
	o->blob_len = o->blob_got = 0;
}

/* Lets go of what the platform can tell again. */
static void
order_strip(struct cw_line *l, struct cw_ln_order *o)
{
	order_unfetch(o);
	cw_ln_image_put(o->image);
	o->image = NULL;
	if (o->profile != NULL)
		l->cfg.ops->profile_close(l->cfg.ctx, o->profile);
	o->profile = NULL;
	free(o->burn);
	o->burn = NULL;
	o->burn_len = 0;
	o->need = CW_LN_NEED_ORDER;
}

/*
 * Puts an order to sleep of which nothing is in hand or under way, the oldest
 * first, but one that runs only when there is no other.  Its epochs stay: they
 * are what keeps a record from a second card.
 */
static bool
order_sleep_one(struct cw_line *l)
{
	struct cw_ln_order *found = NULL;
	struct cw_ln_list *n;

	for (n = l->orders.next; n != &l->orders; n = n->next) {
		struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		if (o->asleep || o->begun > 0 || !cw_ln_list_empty(&o->all))
			continue;
		if (found == NULL)
			found = o;
		if (o->state != CW_ORDER_RUN) {
			found = o;
			break;
		}
	}
	if (found == NULL)
		return false;
	if (found->recs.cnt == 0) {
		cw_ln_order_free(l, found);
		return true;
	}
	order_strip(l, found);
	found->asleep = true;
	l->order_cnt--;
	return true;
}

/* A place among those awake; false: none is to be had. */
static bool
order_wake(struct cw_line *l, struct cw_ln_order *o)
{
	if (!o->asleep)
		return true;
	if (l->order_cnt >= CW_LINE_ORDERS_MAX && !order_sleep_one(l))
		return false;
	o->asleep = false;
	l->order_cnt++;
	return true;
}

struct cw_ln_order *
cw_ln_order_get(struct cw_line *l, uint64_t id)
{
	struct cw_ln_order *o = cw_ln_order_find(l, id);
	bool made = false;

	if (o == NULL) {
		if (id == 0 || cw_ln_order_closed(l, id))
			return NULL;
		o = calloc(1, sizeof *o);
		if (o == NULL)
			return NULL;
		o->id = id;
		o->asleep = made = true;
		cw_ln_list_init(&o->all);
		cw_ln_list_init(&o->open);
		cw_ln_list_add(&l->orders, &o->link);
	}
	if (order_wake(l, o))
		return o;
	cw_ln_log(l, CW_LINE_WARN, "order.too-many", "order=%llu: there are cards "
	    "or leases of %u others at this line", (unsigned long long)id,
	    l->order_cnt);
	if (made)
		cw_ln_order_free(l, o);
	return NULL;
}

void
cw_ln_order_free(struct cw_line *l, struct cw_ln_order *o)
{
	while (!cw_ln_list_empty(&o->all))
		cw_ln_lease_drop(l, CW_LN_OF(o->all.next, struct cw_ln_lease, all));
	cw_ln_list_del(&o->link);
	l->order_cnt -= !o->asleep;
	order_strip(l, o);
	free(o->recs.tab);
	free(o);
}

bool
cw_ln_order_runs(const struct cw_ln_order *o)
{
	return o->need == CW_LN_READY && o->state == CW_ORDER_RUN;
}

static void
refused_up(struct cw_line *l, const struct cw_ln_order *o)
{
	struct cw_pl_msg m = { .type = CW_PL_REFUSED };

	m.u.refused.order = o->id;
	m.u.refused.err = o->why_err;
	memcpy(m.u.refused.text, o->why, sizeof m.u.refused.text);
	cw_ln_up(l, &m);
}

static void
order_refuse(struct cw_line *l, struct cw_ln_order *o, int err, const char *what,
    const char *why)
{
	size_t n = strlen(what), k;

	memset(o->why, 0, sizeof o->why);
	memcpy(o->why, what, n);
	k = strnlen(why, sizeof o->why - 1 - n);
	memcpy(o->why + n, why, k);
	o->why_err = (int16_t)err;
	o->need = CW_LN_REFUSED;
	order_unfetch(o);
	if (o->profile != NULL)
		l->cfg.ops->profile_close(l->cfg.ctx, o->profile);
	o->profile = NULL;
	cw_ln_log(l, CW_LINE_ERROR, "order.refused", "order=%llu err=%s why=\"%s\"",
	    (unsigned long long)o->id, cw_err_name(err), o->why);
	refused_up(l, o);
	l->status_dirty = true;
}

static void
order_get(struct cw_line *l, struct cw_ln_order *o)
{
	struct cw_pl_msg m = { .type = CW_PL_GET };

	m.u.get.order = o->id;
	m.u.get.blob = o->ask ? CW_BLOB_ORDER : o->need == CW_LN_NEED_COS ? CW_BLOB_COS :
	    o->need == CW_LN_NEED_PROFILE ? CW_BLOB_PROFILE : CW_BLOB_ORDER;
	m.u.get.off = m.u.get.blob == CW_BLOB_ORDER ? 0 : o->blob_got;
	o->get_us = l->now;
	cw_ln_up(l, &m);
}

/* Begins to fetch what the order needs now. */
static void
order_fetch(struct cw_line *l, struct cw_ln_order *o)
{
	order_unfetch(o);
	o->blob_len = o->need == CW_LN_NEED_COS ? o->info.cos_pkg_len :
	    o->info.profile_len;
	if (o->blob_len == 0 || o->blob_len > (o->need == CW_LN_NEED_COS ?
	    PKG_MAX : PROFILE_MAX)) {
		order_refuse(l, o, CW_ETOOBIG, o->need == CW_LN_NEED_COS ?
		    "COS package: " : "card profile: ",
		    o->blob_len == 0 ? "is empty" : "is larger than a terminal takes");
		return;
	}
	o->blob = malloc(o->blob_len);
	if (o->blob == NULL)
		order_refuse(l, o, CW_ENOMEM, "", "out of memory at the terminal");
	else
		order_get(l, o);
}

static void
order_ready(struct cw_line *l, struct cw_ln_order *o)
{
	o->need = CW_LN_READY;
	l->status_dirty = true;
	cw_ln_log(l, CW_LINE_INFO, "order.ready", "order=%llu profile=%s cos=%u",
	    (unsigned long long)o->id, o->info.profile,
	    o->image != NULL ? o->image->len : 0);
}

/* The burn program is the same for every card: compiled once. */
static int
order_burn(struct cw_line *l, struct cw_ln_order *o, char why[200])
{
	struct cw_line_compile c = { .burn = true, .order = o->id };
	int n;

	memcpy(c.cos_digest, o->info.cos_digest, CW_SHA256_LEN);
	c.cos_addr = o->info.cos_addr;
	c.cos_len = o->info.cos_len;
	n = l->cfg.ops->compile(l->cfg.ctx, o->profile, &c, l->scratch,
	    CW_PROG_MAX, why);
	if (n < 0)
		return n;
	if (n == 0) {
		memcpy(why, "makes no program for a COS", 27);
		return CW_EUNSUPPORTED;
	}
	free(o->burn);
	o->burn = malloc((size_t)n);
	if (o->burn == NULL)
		return CW_ENOMEM;
	memcpy(o->burn, l->scratch, (size_t)n);
	o->burn_len = (uint16_t)n;
	return 0;
}

static void
profile_whole(struct cw_line *l, struct cw_ln_order *o)
{
	uint8_t digest[CW_SHA256_LEN];
	char why[200] = "";
	int err = 0;

	cw_sha256(digest, o->blob, o->blob_len);
	if (memcmp(digest, o->info.profile_digest, sizeof digest) != 0) {
		order_refuse(l, o, CW_EDIGEST, "card profile: ",
		    "its text does not have the digest that the order names");
		return;
	}
	o->profile = l->cfg.ops->profile_open(l->cfg.ctx, o->info.profile,
	    o->blob, o->blob_len, why);
	if (o->profile == NULL) {
		order_refuse(l, o, CW_EFORMAT, "card profile: ", why);
		return;
	}
	if (o->image != NULL)
		err = order_burn(l, o, why);
	if (err < 0)
		order_refuse(l, o, err, "card profile: ",
		    why[0] != '\0' ? why : cw_err_text(err));
	else
		order_ready(l, o);
	order_unfetch(o);
}

/* Decides on the COS package that was fetched; 0 or CW_E* with why filled. */
static int
cos_decide(struct cw_ln_order *o, struct cw_ln_image *im, char why[200])
{
	struct cw_decision d;
	uint32_t addr;
	int n = cw_decide(&d, o->blob, o->blob_len);

	memcpy(why, d.why, sizeof d.why);
	if (n < 0)
		return n;
	if (d.kind != CW_PKG_COS || (!d.by_format && d.order != o->id)) {
		memcpy(why, "the package is not a COS of this order", 39);
		return CW_EINVAL;
	}
	im->buf = malloc(CW_COS_MAX);
	if (im->buf == NULL)
		return CW_ENOMEM;
	n = cw_decision_image(&d, im->buf, CW_COS_MAX, &addr);
	memcpy(why, d.why, sizeof d.why);
	if (n < 0)
		return n;
	im->len = (uint32_t)n;
	cw_sha256(im->digest, im->buf, im->len);
	if (im->len != o->info.cos_len || addr != o->info.cos_addr ||
	    memcmp(im->digest, o->info.cos_digest, CW_SHA256_LEN) != 0) {
		memcpy(why, "image, length or address differ from the order's", 49);
		return CW_EDIGEST;
	}
	return 0;
}

static void
cos_whole(struct cw_line *l, struct cw_ln_order *o)
{
	struct cw_ln_image *im = calloc(1, sizeof *im);
	char why[200] = "";
	uint8_t *fit;
	int err = im == NULL ? CW_ENOMEM : cos_decide(o, im, why);

	if (err < 0) {
		if (im != NULL)
			free(im->buf);
		free(im);
		order_refuse(l, o, err, "COS package: ",
		    why[0] != '\0' ? why : cw_err_text(err));
		return;
	}
	fit = realloc(im->buf, im->len);
	if (fit != NULL)
		im->buf = fit;
	im->refs = 1;
	cw_ln_list_add(&l->images, &im->link);
	o->image = im;
	o->need = CW_LN_NEED_PROFILE;
	order_fetch(l, o);
}

static bool
digest_zero(const uint8_t d[CW_SHA256_LEN])
{
	static const uint8_t zero[CW_SHA256_LEN];

	return memcmp(d, zero, CW_SHA256_LEN) == 0;
}

/* A production order goes over links that nobody can listen to or forge. */
static bool
order_link_ok(struct cw_line *l, struct cw_ln_order *o)
{
	char text[32];

	for (unsigned int i = 0; i < l->reader_cnt && o->info.production; i++) {
		uint32_t a = l->reader[i].addr;

		if (!l->reader[i].plain)
			continue;
		snprintf(text, sizeof text, "reader %u.%u.%u.%u:%u: ", a >> 24,
		    a >> 16 & 255, a >> 8 & 255, a & 255, l->reader[i].port);
		order_refuse(l, o, CW_EDENIED, text, "its link is plain, and this "
		    "is a production order: enrol the reader and set link = tls "
		    "for its station, or submit a test order");
		return false;
	}
	return true;
}

void
cw_ln_order_msg(struct cw_line *l, const struct cw_pl_order *m)
{
	struct cw_ln_order *o;

	/* An order that ended elsewhere while this line was away. */
	if (m->state == CW_ORDER_CLOSED || cw_ln_order_closed(l, m->order)) {
		cw_ln_order_state(l, m->order, CW_ORDER_CLOSED);
		return;
	}

	/* One that is asleep and does not run is not woken to be looked at. */
	o = cw_ln_order_find(l, m->order);
	if (o == NULL || !o->asleep || m->state == CW_ORDER_RUN)
		o = cw_ln_order_get(l, m->order);
	if (o == NULL)
		return;
	o->ask = false;
	if (o->asleep) {
		cw_ln_order_state(l, m->order, m->state);
		return;
	}
	if (o->need == CW_LN_NEED_ORDER || o->need == CW_LN_REFUSED) {
		o->info = *m;
		o->need = CW_LN_NEED_PROFILE;
		if (!m->has_cos && !m->has_data) {
			order_refuse(l, o, CW_EINVAL, "", "the order has neither "
			    "a COS nor data");
			return;
		}
		if (!order_link_ok(l, o))
			return;
		if (m->has_cos && !digest_zero(m->cos_digest) && o->image == NULL)
			o->image = image_find(l, m->cos_digest);
		if (m->has_cos && o->image == NULL)
			o->need = CW_LN_NEED_COS;
		order_fetch(l, o);
	}
	cw_ln_order_state(l, m->order, m->state);
}

void
cw_ln_order_chunk(struct cw_line *l, const struct cw_pl_chunk *m)
{
	struct cw_ln_order *o = cw_ln_order_find(l, m->order);
	uint8_t want;

	if (o == NULL)
		return;

	/* "No such bytes" for the order itself: it is gone at the platform. */
	if (m->blob == CW_BLOB_ORDER)
		return;
	want = o->need == CW_LN_NEED_COS ? CW_BLOB_COS : CW_BLOB_PROFILE;
	if (o->blob == NULL || m->blob != want || m->off != o->blob_got)
		return;
	if (m->len == 0 || m->len > o->blob_len - o->blob_got) {
		order_refuse(l, o, CW_EPROTO, want == CW_BLOB_COS ?
		    "COS package: " : "card profile: ",
		    "the platform does not send what its ORDER announced");
		return;
	}
	memcpy(o->blob + o->blob_got, m->buf, m->len);
	o->blob_got += m->len;
	if (o->blob_got < o->blob_len)
		order_get(l, o);
	else if (want == CW_BLOB_COS)
		cos_whole(l, o);
	else
		profile_whole(l, o);
}

static void
order_close(struct cw_line *l, struct cw_ln_order *o)
{
	uint8_t buf[8];

	if (!cw_ln_list_empty(&o->all) || o->begun > 0)
		return;		/* tick comes back to it */
	if (cw_ln_append(l, CW_LN_CLOSED, buf,
	    cw_ln_put_u64(buf, sizeof buf, o->id)) < 0)
		return;
	cw_ln_order_note_closed(l, o->id);
	cw_ln_log(l, CW_LINE_INFO, "order.closed", "order=%llu",
	    (unsigned long long)o->id);
	cw_ln_order_free(l, o);
}

void
cw_ln_order_state(struct cw_line *l, uint64_t id, uint8_t state)
{
	struct cw_ln_order *o = cw_ln_order_find(l, id);

	if (o == NULL || state < CW_ORDER_RUN || state > CW_ORDER_CLOSED)
		return;
	/* What was cancelled or closed does not come back, whatever a late
	 * copy of an old message says. */
	if (o->state >= CW_ORDER_CANCEL && state < o->state)
		return;
	if (o->state != state)
		l->status_dirty = true;
	o->state = state;
	if (state == CW_ORDER_CANCEL || state == CW_ORDER_CLOSED)
		cw_ln_lease_cancel(l, o);
	if (state == CW_ORDER_CLOSED)
		order_close(l, o);
}

/* Recovered cards find their order again by its number. */
void
cw_ln_order_relink(struct cw_line *l)
{
	for (unsigned int i = 0; i < l->station_cnt; i++) {
		struct cw_ln_card *c[2] = { &l->station[i].cur,
		    &l->station[i].next };

		for (int k = 0; k < 2; k++) {
			if (!c[k]->used || c[k]->order != NULL)
				continue;
			l->begun++;
			c[k]->order = cw_ln_order_get(l, c[k]->end.order);
			if (c[k]->order != NULL)
				c[k]->order->begun++;
		}
	}
}

/*
 * The platform tells a state once, to those who are there.  An order that was
 * cancelled or ended meanwhile would keep an INTENT waiting, or its place here,
 * for ever.
 */
void
cw_ln_order_ask(struct cw_line *l)
{
	for (struct cw_ln_list *n = l->orders.next; n != &l->orders; n = n->next) {
		struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		o->ask = true;
		order_get(l, o);
	}
}

void
cw_ln_order_tick(struct cw_line *l)
{
	struct cw_ln_list *n, *next;

	for (n = l->orders.next; n != &l->orders; n = next) {
		struct cw_ln_order *o = CW_LN_OF(n, struct cw_ln_order, link);

		next = n->next;
		if (o->state >= CW_ORDER_CANCEL && !cw_ln_list_empty(&o->all))
			cw_ln_lease_cancel(l, o);
		if (o->state == CW_ORDER_CLOSED) {
			order_close(l, o);
			continue;
		}
		if (!l->plat_ok || !cw_ln_due(l, o->get_us, l->cfg.repeat_ms))
			continue;
		if (o->ask) {
			order_get(l, o);
		} else if (o->asleep) {
			continue;
		} else if (o->need == CW_LN_REFUSED && !cw_ln_list_empty(&o->all)) {
			o->get_us = l->now;
			refused_up(l, o);
		} else if (o->need < CW_LN_READY && o->state < CW_ORDER_CANCEL) {
			order_get(l, o);
		}
	}
}
