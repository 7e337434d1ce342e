/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

void trap_here(volatile uint32_t *p, uint32_t i);

/* A device that the model has not: SPI1. */
__attribute__((noinline)) void
trap_here(volatile uint32_t *p, uint32_t i)
{
	p[1] = p[0] + 1;	/* RAM */
	p = (volatile uint32_t *)(0x40013000 + 4 * i);
	*p = 0xABCD;
}

void
image_main(void)
{
	trap_here(&result[0], 2);
}
