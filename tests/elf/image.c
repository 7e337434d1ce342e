/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

volatile uint32_t result[64];

/* What an image has not. */
__attribute__((weak)) void on_hard(void) { DONE(); }
__attribute__((weak)) void on_svc(void) { DONE(); }
__attribute__((weak)) void on_pendsv(void) { DONE(); }
__attribute__((weak)) void on_systick(void) { DONE(); }
__attribute__((weak)) void on_irq(uint32_t n) { (void)n; DONE(); }

void
image_start(void)
{
	uint32_t *p;

	for (p = &image_bss; p < &image_bss_end; p++)
		*p = 0;
	image_main();
	DONE();
}

static void
irq(void)
{
	uint32_t n;

	__asm__ volatile("mrs %0, ipsr" : "=r"(n));
	on_irq(n - 16);
}

#define IRQ4 irq, irq, irq, irq
#define IRQ20 IRQ4, IRQ4, IRQ4, IRQ4, IRQ4
__attribute__((section(".vectors"), used))
static void (*const vectors[76])(void) = {
	(void (*)(void))&image_stack, image_start, on_hard, on_hard, on_hard, on_hard, on_hard,
	0, 0, 0, 0, on_svc, 0, 0, on_pendsv, on_systick, IRQ20, IRQ20, IRQ20,
};
