/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "conn_priv.h"
#include "cw/err.h"

/* One hub per loop; loops may run in several threads. */
static pthread_mutex_t hub_lock = PTHREAD_MUTEX_INITIALIZER;
static struct conn_hub *hub_list;

static void
hub_flush(struct conn_hub *hub)
{
	struct cw_conn *c;

	while ((c = hub->dirty) != NULL) {
		cw_conn_hub_clean(c);
		cw_conn_flush(c);
	}
	uv_idle_stop(&hub->idle);
}

static void
on_prepare(uv_prepare_t *h)
{
	hub_flush(h->data);
}

static void
on_check(uv_check_t *h)
{
	hub_flush(h->data);
}

/* Only its being active matters: the loop does not sleep. */
static void
on_idle(uv_idle_t *h)
{
	(void)h;
}

static void
on_hub_closed(uv_handle_t *h)
{
	struct conn_hub *hub = h->data;

	if (--hub->closing > 0)
		return;
	free(hub->spare.p);
	explicit_bzero(hub->rx, sizeof(hub->rx));
	explicit_bzero(hub->plain, sizeof(hub->plain));
	free(hub);
}

/*
 * Flushing happens before the loop sleeps (frames sent by timers) and right
 * after it woke (frames sent by what was read), so that all frames of one turn
 * share one write.  The handles do not keep the loop alive.
 */
static struct conn_hub *
hub_new(uv_loop_t *loop)
{
	struct conn_hub *hub = calloc(1, sizeof(*hub));

	if (hub == NULL)
		return NULL;
	hub->loop = loop;
	uv_idle_init(loop, &hub->idle);
	uv_prepare_init(loop, &hub->prepare);
	uv_check_init(loop, &hub->check);
	hub->idle.data = hub->prepare.data = hub->check.data = hub;
	uv_prepare_start(&hub->prepare, on_prepare);
	uv_check_start(&hub->check, on_check);
	uv_unref((uv_handle_t *)&hub->idle);
	uv_unref((uv_handle_t *)&hub->prepare);
	uv_unref((uv_handle_t *)&hub->check);
	return hub;
}

struct conn_hub *
cw_conn_hub_get(uv_loop_t *loop)
{
	struct conn_hub *hub;

	/* A peer that goes away in the middle of a write is an error code. */
	signal(SIGPIPE, SIG_IGN);

	pthread_mutex_lock(&hub_lock);
	for (hub = hub_list; hub != NULL; hub = hub->next) {
		if (hub->loop == loop)
			break;
	}
	if (hub == NULL && (hub = hub_new(loop)) != NULL) {
		hub->next = hub_list;
		hub_list = hub;
	}
	if (hub != NULL)
		hub->refs++;
	pthread_mutex_unlock(&hub_lock);
	return hub;
}

void
cw_conn_hub_put(struct conn_hub *hub)
{
	struct conn_hub **at;
	bool last;

	pthread_mutex_lock(&hub_lock);
	last = --hub->refs == 0;
	for (at = &hub_list; last && *at != NULL; at = &(*at)->next) {
		if (*at == hub) {
			*at = hub->next;
			break;
		}
	}
	pthread_mutex_unlock(&hub_lock);
	if (!last)
		return;
	hub->closing = 3;
	uv_close((uv_handle_t *)&hub->idle, on_hub_closed);
	uv_close((uv_handle_t *)&hub->prepare, on_hub_closed);
	uv_close((uv_handle_t *)&hub->check, on_hub_closed);
}

void
cw_conn_hub_dirty(struct cw_conn *c)
{
	struct conn_hub *hub = c->hub;

	if (c->is_dirty)
		return;
	c->is_dirty = true;
	c->dirty_prev = NULL;
	c->dirty_next = hub->dirty;
	if (hub->dirty != NULL)
		hub->dirty->dirty_prev = c;
	else
		uv_idle_start(&hub->idle, on_idle);
	hub->dirty = c;
}

void
cw_conn_hub_clean(struct cw_conn *c)
{
	if (!c->is_dirty)
		return;
	c->is_dirty = false;
	if (c->dirty_prev != NULL)
		c->dirty_prev->dirty_next = c->dirty_next;
	else
		c->hub->dirty = c->dirty_next;
	if (c->dirty_next != NULL)
		c->dirty_next->dirty_prev = c->dirty_prev;
}

/* Moves what waits to the front of a larger buffer; the old one is wiped. */
static int
bytes_grow(struct conn_hub *hub, struct conn_bytes *b, size_t need)
{
	size_t left = b->len - b->off, cap = 512;
	struct conn_bytes n = { 0 };

	if (b->p == NULL && hub->spare.cap >= need) {
		*b = hub->spare;
		hub->spare = (struct conn_bytes){ 0 };
		return CW_OK;
	}
	while (cap < need)
		cap *= 2;
	if ((n.p = malloc(cap)) == NULL)
		return CW_ENOMEM;
	n.cap = cap;
	n.len = left;
	if (left > 0)
		memcpy(n.p, b->p + b->off, left);
	cw_conn_bytes_drop(hub, b);
	*b = n;
	return CW_OK;
}

int
cw_conn_bytes_add(struct conn_hub *hub, struct conn_bytes *b, const uint8_t *buf,
    size_t len)
{
	size_t left = b->len - b->off;

	if (len == 0)
		return CW_OK;
	if (b->cap - b->len < len) {
		/* Half empty at the front: move; else a larger buffer. */
		if (b->p != NULL && b->off >= left && left + len <= b->cap) {
			memmove(b->p, b->p + b->off, left);
			b->off = 0;
			b->len = left;
		} else if (bytes_grow(hub, b, left + len) < 0) {
			return CW_ENOMEM;
		}
	}
	memcpy(b->p + b->len, buf, len);
	b->len += len;
	return CW_OK;
}

void
cw_conn_bytes_drop(struct conn_hub *hub, struct conn_bytes *b)
{
	if (b->p != NULL) {
		explicit_bzero(b->p, b->len);
		if (b->cap > hub->spare.cap && b->cap <= CONN_SPARE_CAP) {
			free(hub->spare.p);
			hub->spare = (struct conn_bytes){ b->p, 0, 0, b->cap };
		} else {
			free(b->p);
		}
	}
	*b = (struct conn_bytes){ 0 };
}
