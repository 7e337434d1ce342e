/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEST_LOTS_H
#define CW_TEST_LOTS_H

#include <stddef.h>
#include <stdint.h>

/* Repeatable lots (xorshift64): the seed is all of the state. */
static inline uint64_t
lots_next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* 0 .. n - 1 */
static inline size_t
lots_below(uint64_t *s, size_t n)
{
	return (size_t)(lots_next(s) >> 11) % n;
}

static inline void
lots_fill(uint64_t *s, uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)(lots_next(s) >> 24);
}

#endif
