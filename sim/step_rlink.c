/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "cw/rlink.h"
#include "sim/step_priv.h"

/*
 * TCP between a terminal and its readers: bytes in order, in pieces of any
 * size; a connection that breaks loses what was under way, anywhere in a frame.
 * During a partition bytes wait, and no connection is made.  An end that is not
 * told of a break (the other's packets do not get through) finds out by itself.
 */
#define RETRY_US (300 * STEP_MS)
#define ROOM (48u * 1024u)	/* bytes that the network takes per direction */

struct step_conn *
cw_step_rlink_conn(struct cw_step *s, int id)
{
	for (struct step_conn *c = s->conns; c != NULL; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

void
cw_step_rlink_free(struct cw_step *s)
{
	while (s->conns != NULL) {
		struct step_conn *c = s->conns;

		s->conns = c->next;
		free(c);
	}
}

static bool
parted(const struct cw_step *s, const struct step_conn *c)
{
	return s->now < s->line[c->line].part_us[c->reader];
}

/* ---- bytes --------------------------------------------------------------- */

/* Events of a connection: gen = id, a = direction; no bytes: closed. */
static void
arrive(struct cw_step *s, struct step_ev *e)
{
	struct step_conn *c = e->obj;
	enum step_dir dir = (enum step_dir)e->a;

	/* Waits for the partition's end. */
	if (parted(s, c)) {
		cw_step_defer(s, s->line[c->line].part_us[c->reader], e);
		return;
	}
	c->flight[dir] -= e->len;
	if (dir == STEP_UP && c->term) {
		if (e->len == 0)
			cw_step_term_reader_down(s, c);
		else
			cw_step_term_reader_bytes(s, c, e->buf, e->len);
	} else if (dir == STEP_DOWN && c->rd) {
		if (e->len == 0) {
			c->rd = false;
			cw_step_reader_closed(s, c);
		} else {
			cw_step_reader_data(s, c, e->buf, e->len);
		}
	}
	if (dir == STEP_UP && c->starved && c->flight[STEP_UP] < ROOM / 2 &&
	    c->rd) {
		c->starved = false;
		cw_step_reader_room(s, c);
	}
}

static void
piece(struct cw_step *s, struct step_conn *c, enum step_dir dir,
    const struct step_ev *bytes)
{
	struct step_ev e = *bytes;
	uint64_t at = s->now + cw_step_between(s, 100, 100 + s->plan.net_us);

	if (at < c->last[dir])
		at = c->last[dir];
	c->last[dir] = at;
	c->flight[dir] += e.len;
	e.gen = (uint32_t)c->id;
	e.a = dir;
	cw_step_at_buf(s, at - s->now, arrive, c, &e);
}

static void
send(struct cw_step *s, struct step_conn *c, enum step_dir dir,
    const struct step_ev *bytes)
{
	size_t off = 0, n;

	while (!c->broken && off < bytes->len) {
		n = bytes->len - off;
		if (s->plan.chunky && n > 1 && cw_step_below(s, 2) == 0)
			n = (size_t)cw_step_between(s, 1, n);
		piece(s, c, dir, &(struct step_ev){ .buf = bytes->buf + off,
		    .len = n });
		off += n;
	}
}

int
cw_step_rlink_term_send(struct cw_step *s, struct step_conn *c, const uint8_t *buf,
    size_t len)
{
	if (c == NULL || !c->term)
		return CW_ECLOSED;
	if (c->flight[STEP_DOWN] + len > 4 * ROOM)
		return CW_EFULL;
	send(s, c, STEP_DOWN, &(struct step_ev){
	    .buf = (uint8_t *)(uintptr_t)buf, .len = len });
	return 0;
}

int
cw_step_rlink_reader_send(struct cw_step *s, struct step_conn *c,
    const uint8_t *buf, size_t len)
{
	if (c->flight[STEP_UP] + len > ROOM ||
	    (s->plan.chunky && cw_step_chance(s, 20000) &&
	    c->flight[STEP_UP] > 0)) {
		c->starved = true;
		return 0;
	}
	send(s, c, STEP_UP, &(struct step_ev){
	    .buf = (uint8_t *)(uintptr_t)buf, .len = len });
	return (int)len;
}

/* ---- connections --------------------------------------------------------- */

void
cw_step_rlink_close(struct cw_step *s, struct step_conn *c, enum step_dir by)
{
	/* by UP: the reader closes, the terminal will hear of it. */
	if (by == STEP_UP)
		c->rd = false;
	else
		c->term = false;
	if (!c->broken)
		piece(s, c, by, &(struct step_ev){ .len = 0 });
}

/* One end learns that the connection is gone. */
static void
broken(struct cw_step *s, struct step_ev *e)
{
	struct step_conn *c = e->obj;

	if (e->a == STEP_UP && c->term) {
		cw_step_term_reader_down(s, c);
	} else if (e->a == STEP_DOWN && c->rd) {
		c->rd = false;
		cw_step_reader_closed(s, c);
	}
}

/* Bytes under way at a break are not delivered any more. */
static void
lose(struct cw_step *s, const struct step_conn *c)
{
	for (size_t i = 0; i < s->heap_len; i++) {
		struct step_ev *e = &s->heap[i];

		if (e->fn == arrive && e->obj == c)
			e->fn = NULL;
	}
}

void
cw_step_rlink_cut(struct cw_step *s, struct step_conn *c)
{
	cw_step_say(s, "net", "line %u reader %u: link breaks", c->line + 1,
	    c->reader + 1);
	lose(s, c);
	c->broken = true;
	c->flight[0] = c->flight[1] = 0;

	/* Who lost his power says no good-bye. */
	cw_step_at_buf(s, cw_step_between(s, 0, c->rd || cw_step_below(s, 2) == 0 ?
	    100 * STEP_MS : 12 * STEP_SEC), broken, c,
	    &(struct step_ev){ .a = STEP_UP });
	cw_step_at_buf(s, cw_step_between(s, 0, 2 * STEP_SEC), broken, c,
	    &(struct step_ev){ .a = STEP_DOWN });
}

static struct step_conn *
new_conn(struct cw_step *s, unsigned int line, unsigned int r)
{
	struct step_conn *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->id = ++s->next_conn;
	c->line = (uint8_t)line;
	c->reader = (uint8_t)r;
	c->term = c->rd = true;
	c->next = s->conns;
	s->conns = c;
	return c;
}

/* e->a: line << 8 | reader; gen: the terminal's life. */
static void
try(struct cw_step *s, struct step_ev *e)
{
	unsigned int line = e->a >> 8, r = e->a & 0xFF;
	struct step_line *l = &s->line[line];
	struct step_conn *c;

	cw_step_at_buf(s, cw_step_between(s, RETRY_US / 2, RETRY_US), try, NULL, e);
	if (!cw_step_term_up(s, line) || !cw_step_reader_up(s, line, r) ||
	    s->now < l->part_us[r] || l->conn[r] != NULL)
		return;
	c = new_conn(s, line, r);
	if (c == NULL)
		return;
	l->conn[r] = c;
	cw_step_reader_open(s, c);
	if (c->term)
		cw_step_term_reader_up(s, c);
}

void
cw_step_rlink_start(struct cw_step *s, unsigned int line, unsigned int r)
{
	cw_step_at_buf(s, cw_step_between(s, 1000, RETRY_US), try, NULL,
	    &(struct step_ev){ .a = line << 8 | r });
}

/* ---- a second terminal --------------------------------------------------- */

static void
intruder_leaves(struct cw_step *s, struct step_ev *e)
{
	struct step_conn *c = e->obj;

	if (c->rd)
		cw_step_rlink_close(s, c, STEP_DOWN);
}

void
cw_step_rlink_intrude(struct cw_step *s, unsigned int line, unsigned int r)
{
	struct cw_rl_hello h = { .terminal = "intruder" };
	uint8_t frame[256];
	struct step_conn *c;
	int n;

	/* A reader that nobody serves is free for anyone. */
	if (!cw_step_reader_up(s, line, r) || s->now < s->line[line].part_us[r] ||
	    s->line[line].conn[r] == NULL || !s->line[line].conn[r]->rd)
		return;
	cw_step_count(s, CW_SF_INTRUDER);
	cw_step_say(s, "net", "line %u reader %u: a second terminal connects",
	    line + 1, r + 1);
	c = new_conn(s, line, r);
	if (c == NULL)
		return;
	c->intruder = true;
	c->term = false;
	cw_step_reader_open(s, c);
	h.session = cw_step_rand(s);
	n = cw_rl_put_hello(frame, sizeof frame, 1, &h);
	if (n > 0)
		send(s, c, STEP_DOWN, &(struct step_ev){ .buf = frame,
		    .len = (size_t)n });
	cw_step_at(s, 5 * STEP_SEC, intruder_leaves, c, 0);
}
