/* SPDX-License-Identifier: Apache-2.0 */
#include "card_private.h"

/*
 * Start-up and vector table.  The table's place decides VTOR, so the same code
 * runs from either slot, under a bootloader or without.
 */
extern uint32_t cw_data_start, cw_data_end, cw_bss_start, cw_bss_end, cw_stack_top;
extern const uint32_t cw_data_load;

void cw_start(void) __attribute__((noreturn));

union vector {
	void *stack;
	void (*run)(void);
};

/* What nobody asked for, and every fault of the core. */
#define BAD { .run = cw_board_fault }
#define BAD3 BAD, BAD, BAD
#define BAD5 BAD3, BAD, BAD
#define BAD13 BAD5, BAD5, BAD3

const union vector cw_vectors[16 + CW_IRQ_CNT]
    __attribute__((section(".vectors"), used)) = {
	{ .stack = &cw_stack_top },
	{ .run = cw_start },
	BAD13,					/* 2 to 14: NMI, faults, SVC, PendSV */
	{ .run = cw_stm_time_tick },
	BAD13,					/* interrupts 0 to 12 */
	{ .run = cw_line_echo3 },		/* 13: DMA1 channel 3 */
	BAD,
	{ .run = cw_line_echo1 },		/* 15, 16: channels 5 and 6 */
	{ .run = cw_line_echo2 },
	BAD5, BAD,				/* 17 to 22 */
	{ .run = cw_net_irq },			/* 23: EXTI 5 to 9 */
	BAD3, BAD,				/* 24 to 27 */
	{ .run = cw_line_turn1 },		/* 28 to 30: TIM2 to 4 */
	{ .run = cw_line_turn2 },
	{ .run = cw_line_turn3 },
	BAD5, BAD,				/* 31 to 36 */
	{ .run = cw_line_irq1 },		/* 37: USART1 */
	{ .run = cw_line_irq2 },
	{ .run = cw_line_irq3 },
	BAD5, BAD5, BAD, BAD,			/* 40 to 51 */
	{ .run = cw_uart_irq },			/* 52: UART4 */
	BAD5, BAD, BAD,				/* 53 to 59 */
};

void
cw_start(void)
{
	const uint32_t *from = &cw_data_load;
	uint32_t *to;

	CW_SCB->vtor = (uint32_t)(uintptr_t)cw_vectors;
	for (to = &cw_data_start; to < &cw_data_end; to++)
		*to = *from++;
	for (to = &cw_bss_start; to < &cw_bss_end; to++)
		*to = 0;
	cw_board_main();
}
