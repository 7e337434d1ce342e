/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "update_log.h"

/* Half-words of a log page: seal, number of the page and its inverse, steps. */
#define AT_SEAL 0u
#define AT_SEQ 1u
#define AT_STEPS 3u
#define ERASED 0xFFFFu
#define VOID 0x0000u

/*
 * Eight ones in each, eight bits between any two: a word of which only some
 * bits were cleared has more ones and is none of the others.
 */
#define SEAL 0x3C5Au
static const uint16_t word[3][2] = {
	[CW_ULOG_COMMIT] = { 0x00FF, 0x0F0F },
	[CW_ULOG_TRY] = { 0x0FF0, 0x3333 },
	[CW_ULOG_CONFIRM] = { 0x33CC, 0x3CA5 },
};

/* What does not take a step is passed over this often. */
#define STEP_TRIES 4

void
cw_ulog_init(struct cw_ulog *l, const struct cw_flash_ops *ops, void *dev,
    const struct cw_flash_map *map)
{
	CW_ASSERT(map->page_len >= 1024 && map->page_len <= CW_ULOG_PAGE_MAX);
	memset(l, 0, sizeof *l);
	l->ops = ops;
	l->dev = dev;
	l->map = *map;
	l->state.confirmed = -1;
	l->state.pending = -1;
	l->page = -1;
}

/* The memory is little-endian, as the core is that runs from it. */
static uint16_t
half(const struct cw_ulog *l, uint32_t off, uint32_t idx)
{
	const uint8_t *p = l->ops->lend(l->dev, off + idx * 2, 2);

	if (p == NULL)
		return VOID;
	return (uint16_t)(p[0] | p[1] << 8);
}

static int
half_put(struct cw_ulog *l, uint32_t off, uint32_t idx, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)v, (uint8_t)(v >> 8) };
	int err = l->ops->program(l->dev, off + idx * 2, b, sizeof b);

	return err < 0 ? err : half(l, off, idx) == v ? 0 : CW_EIO;
}

static void
fold(struct cw_ulog_state *s, uint16_t w)
{
	int slot;

	for (slot = 0; slot < 2; slot++) {
		if (w == word[CW_ULOG_COMMIT][slot]) {
			s->pending = slot;
			s->tries = 0;
		} else if (w == word[CW_ULOG_TRY][slot]) {
			if (s->pending != slot)
				s->tries = 0;
			s->pending = slot;
			s->tries = (uint8_t)(s->tries + (s->tries < UINT8_MAX));
		} else if (w == word[CW_ULOG_CONFIRM][slot]) {
			s->confirmed = slot;
			s->pending = -1;
			s->tries = 0;
		}
	}
}

static bool
sealed(const struct cw_ulog *l, int page)
{
	uint32_t off = l->map.log_off[page];

	return half(l, off, AT_SEAL) == SEAL &&
	    (half(l, off, AT_SEQ) ^ half(l, off, AT_SEQ + 1)) == 0xFFFF;
}

/* Where the free half-words begin: behind the last that is not erased. */
static uint32_t
used_end(const struct cw_ulog *l, uint32_t off, uint32_t from)
{
	uint32_t i = l->map.page_len / 2;

	while (i > from && half(l, off, i - 1) == ERASED)
		i--;
	return i;
}

void
cw_ulog_read(struct cw_ulog *l)
{
	static const struct cw_ulog_state nothing = { -1, -1, 0 };
	uint32_t i, off;
	bool a = sealed(l, 0), b = sealed(l, 1);

	l->page = a ? 0 : b ? 1 : -1;
	if (a && b && (int16_t)(half(l, l->map.log_off[1], AT_SEQ) -
	    half(l, l->map.log_off[0], AT_SEQ)) > 0)
		l->page = 1;
	l->counter = used_end(l, l->map.counter_off, 0);
	l->state = nothing;
	l->next = l->map.page_len / 2;
	if (l->page < 0)
		return;
	off = l->map.log_off[l->page];
	l->next = used_end(l, off, AT_STEPS);
	for (i = AT_STEPS; i < l->next; i++)
		fold(&l->state, half(l, off, i));
}

/* The steps that lead to s, and w, into a page that is not sealed yet. */
static int
snapshot_put(struct cw_ulog *l, uint32_t off, uint16_t w)
{
	const struct cw_ulog_state *s = &l->state;
	uint32_t at = AT_STEPS;
	uint8_t i;
	int err = 0;

	if (s->confirmed >= 0)
		err = half_put(l, off, at++,
		    word[CW_ULOG_CONFIRM][s->confirmed]);
	if (err == 0 && s->pending >= 0)
		err = half_put(l, off, at++, word[CW_ULOG_COMMIT][s->pending]);
	for (i = 0; err == 0 && s->pending >= 0 && i < s->tries; i++)
		err = half_put(l, off, at++, word[CW_ULOG_TRY][s->pending]);
	return err < 0 ? err : half_put(l, off, at, w);
}

/*
 * Goes on in the other page, which counts from the moment that its seal stands:
 * its number is the higher one.  Half erased, what it held counts less than the
 * page in use, or is not sealed: bits on their way to 1 make no number with its
 * inverse.
 */
static int
turn_page(struct cw_ulog *l, uint16_t w)
{
	int to = l->page == 0 ? 1 : 0;
	uint32_t off = l->map.log_off[to];
	uint16_t seq = 0;
	int err;

	if (l->page >= 0)
		seq = (uint16_t)(half(l, l->map.log_off[l->page], AT_SEQ) + 1);
	err = l->ops->erase(l->dev, off);
	if (err == 0)
		err = half_put(l, off, AT_SEQ, seq);
	if (err == 0)
		err = half_put(l, off, AT_SEQ + 1, (uint16_t)~seq);
	if (err == 0)
		err = snapshot_put(l, off, w);
	if (err == 0)
		err = half_put(l, off, AT_SEAL, SEAL);
	return err;
}

int
cw_ulog_append(struct cw_ulog *l, enum cw_ulog_op op, int slot)
{
	uint16_t w = word[op][slot];
	int i, err = CW_EIO;

	CW_ASSERT(slot == 0 || slot == 1);
	for (i = 0; i < STEP_TRIES && err < 0; i++) {
		/* A place that takes nothing, twice: leave the page. */
		if (l->page >= 0 && l->next < l->map.page_len / 2 && i < 2)
			err = half_put(l, l->map.log_off[l->page], l->next, w);
		else
			err = turn_page(l, w);
		cw_ulog_read(l);
	}
	return err < 0 ? CW_EIO : 0;
}

int
cw_ulog_raise(struct cw_ulog *l, uint32_t to)
{
	uint32_t off = l->map.counter_off;
	uint32_t i = l->counter;
	int err = 0;

	if (to > l->map.page_len / 2)
		return CW_ERANGE;
	/* Power was lost in the last step: it counts, so make it plain. */
	if (i > 0 && half(l, off, i - 1) != VOID)
		err = half_put(l, off, i - 1, VOID);
	for (; err == 0 && i < to; i++)
		err = half_put(l, off, i, VOID);
	cw_ulog_read(l);
	return err < 0 ? CW_EIO : 0;
}
