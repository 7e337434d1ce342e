/* SPDX-License-Identifier: Apache-2.0 */
#include "api_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_MS 1000u
#define SHOWN_MAX 50	/* orders in the live document */

static uint64_t
ended_cnt(const struct cw_st_order *o)
{
	return o->counts.rec[CW_REC_ISSUED] + o->counts.rec[CW_REC_FAILED] +
	    o->counts.rec[CW_REC_IN_DOUBT] + o->counts.rec[CW_REC_CANCELLED];
}

static uint64_t
card_cnt(const struct cw_st_order *o)
{
	return o->counts.good + o->counts.reject + o->counts.doubt;
}

static void
add_sample(struct cw_api_rate *rt, const struct cw_st_order *o, uint64_t now)
{
	if (rt->order != o->id) {
		memset(rt, 0, sizeof(*rt));
		rt->order = o->id;
	}
	if (rt->cnt == CW_API_SAMPLES) {
		size_t keep = (CW_API_SAMPLES - 1) * sizeof(rt->at_ms[0]);

		memmove(rt->at_ms, rt->at_ms + 1, keep);
		memmove(rt->cards, rt->cards + 1, keep);
		memmove(rt->ended, rt->ended + 1, keep);
		rt->cnt--;
	}
	rt->at_ms[rt->cnt] = now;
	rt->cards[rt->cnt] = card_cnt(o);
	rt->ended[rt->cnt++] = ended_cnt(o);
}

static int
active_orders(const struct cw_api *a, struct cw_st_order *list, size_t cap)
{
	struct cw_st_page page = {
		.newest_first = true,
		.states = CW_ST_BIT(CW_ORD_READY) | CW_ST_BIT(CW_ORD_RUNNING) |
		    CW_ST_BIT(CW_ORD_PAUSED) | CW_ST_BIT(CW_ORD_CANCELLING) |
		    CW_ST_BIT(CW_ORD_BLOCKED),
	};

	return a->cfg.store->ops->order_list(a->cfg.store->h, &page, list, cap);
}

void
cw_api_sample(struct cw_api *a)
{
	struct cw_st_order *list;
	uint64_t now = cw_api_now(a);
	bool kept[CW_API_TRACKED_MAX] = { false };
	int n;

	if (a->rate_ms != 0 && now - a->rate_ms < SAMPLE_MS)
		return;
	a->rate_ms = now;
	list = calloc(CW_API_TRACKED_MAX, sizeof(*list));
	n = list == NULL ? 0 : active_orders(a, list, CW_API_TRACKED_MAX);

	/* Known orders go on in their place, new ones take what became free. */
	for (int i = 0; i < n; i++)
		for (unsigned int k = 0; k < CW_API_TRACKED_MAX; k++)
			if (a->rate[k].order == list[i].id) {
				add_sample(&a->rate[k], &list[i], now);
				kept[k] = true;
				list[i].id = 0;
				break;
			}
	for (int i = 0, k = 0; i < n; i++) {
		if (list[i].id == 0)
			continue;
		while (kept[k])
			k++;
		add_sample(&a->rate[k], &list[i], now);
		kept[k] = true;
	}
	for (unsigned int k = 0; k < CW_API_TRACKED_MAX; k++)
		if (!kept[k])
			a->rate[k].order = 0;
	free(list);
}

void
cw_api_rate_of(const struct cw_api *a, const struct cw_st_order *o,
    double *cards_min, double *left_s)
{
	*cards_min = -1;
	*left_s = -1;
	for (unsigned int k = 0; k < CW_API_TRACKED_MAX; k++) {
		const struct cw_api_rate *rt = &a->rate[k];
		unsigned int last = rt->cnt - 1;
		double ms, per_ms;

		if (rt->order != o->id || rt->cnt < 2)
			continue;
		ms = (double)(rt->at_ms[last] - rt->at_ms[0]);
		*cards_min = (double)(rt->cards[last] - rt->cards[0]) * 60000 / ms;
		per_ms = ((double)rt->ended[last] - (double)rt->ended[0]) / ms;
		if (per_ms > 0 && o->total >= ended_cnt(o))
			*left_s = (double)(o->total - ended_cnt(o)) / per_ms / 1000;
		return;
	}

	/* An ended order: over its whole time. */
	if (o->ended_ms > o->started_ms && o->started_ms != 0)
		*cards_min = (double)card_cnt(o) * 60000 /
		    (double)(o->ended_ms - o->started_ms);
}

static json_t *
live_doc(struct cw_api *a)
{
	struct cw_st_page page = { .newest_first = true };
	struct cw_st_order *list = calloc(SHOWN_MAX, sizeof(*list));
	json_t *orders = json_array();
	int n = list == NULL ? 0 : active_orders(a, list, SHOWN_MAX);

	/* Those at work first, then the latest of the others. */
	for (int i = 0; i < n; i++)
		json_array_append_new(orders, cw_api_order_json(a, &list[i]));
	page.states = CW_ST_BIT(CW_ORD_DONE) | CW_ST_BIT(CW_ORD_CLOSED) |
	    CW_ST_BIT(CW_ORD_CANCELLED);
	n = list == NULL ? 0 : a->cfg.store->ops->order_list(a->cfg.store->h,
	    &page, list, 10);
	for (int i = 0; i < n; i++)
		json_array_append_new(orders, cw_api_order_json(a, &list[i]));
	free(list);
	return json_pack("{s:o, s:o, s:o}", "time", cw_api_time(
	    a->cfg.utc_ms != NULL ? a->cfg.utc_ms(a->cfg.ctx) : 0),
	    "orders", orders, "lines", cw_api_lines_json(a));
}

void
cw_api_live_doc(struct cw_hreq *r)
{
	cw_hreq_json(r, 200, live_doc(cw_hreq_ctx(r)));
}

/* One text for all who listen; they take it when they are ready for it. */
void
cw_api_live_build(struct cw_api *a)
{
	json_t *doc = live_doc(a);
	char *text = doc != NULL ?
	    json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(doc);
	if (text == NULL)
		return;
	free(a->live);
	a->live = text;
	a->live_len = strlen(text);
	a->live_cnt++;
}

/* A listener: the event that it is being sent, and how far. */
struct listener {
	struct cw_api *a;
	uint64_t seen;
	char *text;
	size_t len, off;
};

static ssize_t
events_pull(void *user, char *buf, size_t cap)
{
	struct listener *l = user;
	size_t n;

	if (l->off == l->len && l->seen != l->a->live_cnt) {
		static const char head[] = "event: live\ndata: ";

		free(l->text);
		l->len = sizeof(head) - 1 + l->a->live_len + 2;
		l->off = 0;
		l->text = malloc(l->len + 1);
		if (l->text == NULL)
			return -1;
		snprintf(l->text, l->len + 1, "%s%s\n\n", head, l->a->live);
		l->seen = l->a->live_cnt;
	}
	n = l->len - l->off;
	if (n > cap)
		n = cap;
	if (n == 0)
		return 0;
	memcpy(buf, l->text + l->off, n);
	l->off += n;
	return (ssize_t)n;
}

static void
events_fini(void *user)
{
	struct listener *l = user;

	l->a->listeners--;
	free(l->text);
	free(l);
}

void
cw_api_events(struct cw_hreq *r)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct cw_hstream s = { .pull = events_pull, .fini = events_fini, .user = l };

	if (l == NULL) {
		cw_hreq_problem(r, CW_PB_MEMORY, "try again later");
		return;
	}
	l->a = cw_hreq_ctx(r);
	l->a->listeners++;
	cw_api_live_build(l->a);
	cw_hreq_stream(r, "text/event-stream", &s);
}
