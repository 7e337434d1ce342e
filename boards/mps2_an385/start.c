/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "reader/reader_private.h"

extern uint32_t cw_data_start, cw_data_end, cw_bss_start, cw_bss_end, cw_stack_top;
extern const uint32_t cw_data_load;

void cw_start(void) __attribute__((noreturn));

#define EXC_NMI 2u	/* the watchdog's first word; the second is a reset */

/* ---- what the last life left behind ------------------------------------------ */

/* Neither cleared nor loaded at start; rubbish after power-up, as the CRC tells. */
struct crash {
	uint32_t fault;		/* exception number; 0: an assertion */
	uint32_t line;		/* or the place of the fault */
	uint32_t cfsr;
	char file[64];
	uint32_t crc;
};
static struct crash last __attribute__((section(".noinit")));

void
cw_board_reset(void)
{
	__asm volatile ("dsb");
	CW_SCB_AIRCR = CW_SCB_AIRCR_RESET;
	for (;;)
		__asm volatile ("wfi");
}

static _Noreturn void
leave(uint32_t fault, uint32_t line, const char *file)
{
	size_t len = strlen(file), keep = sizeof last.file - 1;

	memset(&last, 0, sizeof last);
	last.fault = fault;
	last.line = line;
	last.cfsr = CW_SCB_CFSR;
	/* the end of a path says more than its start */
	memcpy(last.file, len > keep ? file + len - keep : file,
	    len > keep ? keep : len);
	last.crc = cw_crc32(0, &last, offsetof(struct crash, crc));
	cw_board_reset();
}

void
cw_assert_failed(const char *file, int line)
{
	leave(0, (uint32_t)line, file);
}

bool
cw_board_crash_text(char *buf, size_t cap)
{
	struct cw_reader_text t = cw_reader_text_init(buf, cap);
	bool left = last.crc == cw_crc32(0, &last, offsetof(struct crash, crc)) &&
	    last.file[sizeof last.file - 1] == '\0';
	uint8_t pc[4] = { (uint8_t)(last.line >> 24), (uint8_t)(last.line >> 16),
	    (uint8_t)(last.line >> 8), (uint8_t)last.line };

	if (left && last.fault == 0) {
		cw_reader_text_str(&t, "board.crash assertion=");
		cw_reader_text_str(&t, last.file);
		cw_reader_text_str(&t, ":");
		cw_reader_text_dec(&t, last.line);
	} else if (left) {
		cw_reader_text_str(&t, last.fault == EXC_NMI ?
		    "board.crash watchdog exception=" : "board.crash exception=");
		cw_reader_text_dec(&t, last.fault);
		cw_reader_text_str(&t, " pc=");
		cw_reader_text_hex(&t, pc, sizeof pc);
	}
	memset(&last, 0, sizeof last);
	last.crc = 1;
	return left;
}

static void fault_frame(uint32_t *frame, uint32_t ipsr) __attribute__((used));

/* frame: r0 to r3, r12, lr, pc, xpsr as the core pushed them. */
static void
fault_frame(uint32_t *frame, uint32_t ipsr)
{
	/* A call of the debugger with none there: it has failed, go on. */
	if (cw_semi_is_call(frame[6])) {
		frame[0] = UINT32_MAX;
		frame[6] += 2;
		return;
	}
	leave(ipsr & 0x1ff, frame[6], "");
}

static void fault(void) __attribute__((naked));

static void
fault(void)
{
	__asm volatile ("push {r3, lr}\n\tadd r0, sp, #8\n\tmrs r1, ipsr\n\t"
	    "bl fault_frame\n\tpop {r3, pc}");
}

/* ---- vectors -------------------------------------------------------------------- */

static void
uart0_irq(void)
{
	cw_uart_irq(0);
}

static void
uart1_irq(void)
{
	cw_uart_irq(1);
}

static void
uart2_irq(void)
{
	cw_uart_irq(2);
}

static void
uart3_irq(void)
{
	cw_uart_irq(3);
}

static void
timer_irq(void)
{
	CW_TIMER1->ctrl = 0;
	CW_TIMER1->intstatus = 1;
	cw_sys_wake();
}

union vector {
	void *stack;
	void (*run)(void);
};

#define BAD { .run = fault }
#define BAD3 BAD, BAD, BAD

const union vector cw_vectors[16 + CW_IRQ_CNT]
    __attribute__((section(".vectors"), used)) = {
	{ .stack = &cw_stack_top },
	{ .run = cw_start },
	BAD3, BAD3, BAD3, BAD3, BAD, BAD,	/* 2 to 15: NMI, faults, SVC, ... */
	{ .run = uart0_irq }, BAD,		/* 0, 1 */
	{ .run = uart1_irq }, BAD,		/* 2, 3 */
	{ .run = uart2_irq }, BAD3,		/* 4 to 7 */
	BAD, { .run = timer_irq },		/* 8, 9 */
	BAD3, { .run = cw_netif_irq },		/* 10 to 13 */
	BAD3, BAD, { .run = uart3_irq },	/* 14 to 18 */
	BAD3, BAD3, BAD3, BAD3, BAD,		/* 19 to 31 */
};

void
cw_start(void)
{
	const uint32_t *from = &cw_data_load;
	uint32_t *to;

	for (to = &cw_data_start; to < &cw_data_end; to++)
		*to = *from++;
	for (to = &cw_bss_start; to < &cw_bss_end; to++)
		*to = 0;
	cw_board_main();
}
