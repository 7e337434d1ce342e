/* SPDX-License-Identifier: Apache-2.0 */
#include "board_private.h"
#include "boards/chip/w5300/w5300.h"

/*
 * The chip's registers stand in a window of the external bus.  MR.FS makes the
 * chip put the first byte of a pair where this core has it, so that pairs go
 * over as they are.  Compiled for speed: eight pairs a turn.
 */
static volatile uint16_t *
at(uint32_t reg)
{
	return CW_REG(volatile uint16_t, CW_BOARD_W5300_BASE + reg);
}

uint16_t
cw_w5300_bus_get(uint32_t reg)
{
	return *at(reg);
}

void
cw_w5300_bus_put(uint32_t reg, uint16_t val)
{
	*at(reg) = val;
}

/* The buffers may stand at odd addresses: the core does that by itself. */
struct pair {
	uint16_t v;
} __attribute__((packed, may_alias));

void
cw_w5300_bus_fifo_get(uint32_t reg, uint8_t *buf, size_t len)
{
	volatile uint16_t *fifo = at(reg);
	struct pair *p = (struct pair *)buf;
	size_t pairs = len / 2;

	for (; pairs >= 8; pairs -= 8, p += 8) {
		p[0].v = *fifo;
		p[1].v = *fifo;
		p[2].v = *fifo;
		p[3].v = *fifo;
		p[4].v = *fifo;
		p[5].v = *fifo;
		p[6].v = *fifo;
		p[7].v = *fifo;
	}
	for (; pairs > 0; pairs--, p++)
		p->v = *fifo;
	if ((len & 1) != 0)
		buf[len - 1] = (uint8_t)*fifo;
}

void
cw_w5300_bus_fifo_put(uint32_t reg, const uint8_t *buf, size_t len)
{
	volatile uint16_t *fifo = at(reg);
	const struct pair *p = (const struct pair *)buf;
	size_t pairs = len / 2;

	for (; pairs > 0; pairs--, p++)
		*fifo = p->v;
	if ((len & 1) != 0)
		*fifo = buf[len - 1];
}
