/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_private.h"
#include "cw/err.h"

extern uint32_t cw_data_start, cw_data_end, cw_bss_start, cw_bss_end, cw_stack_top;
extern const uint32_t cw_data_load;

void cw_boot_start(void) __attribute__((noreturn));

union vector {
	void *stack;
	void (*run)(void);
};

/* Every fault: the next start is as good as any. */
static void
fault(void)
{
	cw_stm_reset();
}

/* No interrupt but the tick is ever on here. */
static const union vector vectors[16] __attribute__((section(".vectors"), used)) = {
	{ .stack = &cw_stack_top }, { .run = cw_boot_start },
	{ .run = fault }, { .run = fault }, { .run = fault }, { .run = fault },
	{ .run = fault }, { .run = fault }, { .run = fault }, { .run = fault },
	{ .run = fault }, { .run = fault }, { .run = fault }, { .run = fault },
	{ .run = fault }, { .run = cw_stm_time_tick },
};

void
cw_boot_start(void)
{
	const uint32_t *from = &cw_data_load;
	uint32_t *to;

	for (to = &cw_data_start; to < &cw_data_end; to++)
		*to = *from++;
	for (to = &cw_bss_start; to < &cw_bss_end; to++)
		*to = 0;
	cw_boot_main();
}

void
cw_assert_failed(const char *file, int line)
{
	(void)file;
	(void)line;
	cw_stm_reset();
}

void
cw_boot_jump(uint32_t addr)
{
	const uint32_t *table = CW_REG(const uint32_t, addr);

	CW_SYSTICK->csr = 0;
	CW_SCB->icsr = CW_SCB_ICSR_PENDSTCLR;
	CW_SCB->vtor = addr;
	__asm volatile (
	    "msr msp, %0\n\t"
	    "dsb\n\t"
	    "isb\n\t"
	    "bx %1"
	    : : "r" (table[0]), "r" (table[1]) : "memory");
	__builtin_unreachable();
}
