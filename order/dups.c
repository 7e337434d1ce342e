/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "order/priv.h"

/* Up to 31 digits packed without loss: 15 in hi, 16 in lo, and their number. */
static struct dup_entry
pack(const char *digits, uint32_t line)
{
	struct dup_entry e = { 0, 0, line };
	size_t len = strlen(digits), i;

	for (i = 0; i < len; i++) {
		if (i < 15)
			e.hi = e.hi << 4 | (uint64_t)(digits[i] - '0');
		else
			e.lo = e.lo << 4 | (uint64_t)(digits[i] - '0');
	}
	/* The length makes it differ from a free slot and from 0-padded kin. */
	e.hi |= (uint64_t)(len & 15) << 60;
	e.lo = e.lo << 1 | 1;
	return e;
}

static struct dup_entry *
find(const struct dups *d, const struct dup_entry *e)
{
	uint64_t hash = (e->hi ^ e->lo * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
	size_t i = (size_t)(hash ^ hash >> 29) & (d->cap - 1);

	while (d->slot[i].lo != 0 &&
	    (d->slot[i].hi != e->hi || d->slot[i].lo != e->lo))
		i = (i + 1) & (d->cap - 1);
	return &d->slot[i];
}

static int
grow(struct dups *d)
{
	struct dups big = { NULL, d->cap == 0 ? 1024 : 2 * d->cap, d->cnt };
	size_t i;

	big.slot = calloc(big.cap, sizeof *big.slot);
	if (big.slot == NULL)
		return CW_ENOMEM;
	for (i = 0; i < d->cap; i++)
		if (d->slot[i].lo != 0)
			*find(&big, &d->slot[i]) = d->slot[i];
	free(d->slot);
	*d = big;
	return 0;
}

long
cw_order_dup(struct dups *d, const char *digits, uint32_t line)
{
	struct dup_entry e = pack(digits, line), *slot;

	if (2 * (d->cnt + 1) > d->cap && grow(d) < 0)
		return CW_ENOMEM;
	slot = find(d, &e);
	if (slot->lo != 0)
		return (long)slot->line;
	*slot = e;
	d->cnt++;
	return 0;
}
