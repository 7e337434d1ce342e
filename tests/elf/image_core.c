/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

/* Exceptions: entry and return, priorities, tail-chaining, masks, faults, PSP. */

static volatile uint32_t ticks, order, svc_arg;
static uint32_t psp_stack[64];
static uint32_t life __attribute__((section(".noinit")));

/* What was pended comes before what follows (ARM DDI 0403, B3.4.1). */
static inline void
barrier(void)
{
	__asm__ volatile("dsb\nisb" ::: "memory");
}

static void
note(uint32_t what)
{
	order = order << 4 | what;
}

void
on_systick(void)
{
	ticks++;
}

__attribute__((naked)) void
on_svc(void)
{
	__asm__ volatile(
	    "tst lr, #4\n"
	    "ite eq\n"
	    "mrseq r0, msp\n"
	    "mrsne r0, psp\n"
	    "ldr r1, [r0, #24]\n"		/* stacked PC */
	    "ldrb r1, [r1, #-2]\n"		/* SVC's number */
	    "ldr r2, =svc_seen\n"
	    "str r1, [r2]\n"
	    "str lr, [r2, #4]\n"
	    "movs r1, #77\n"
	    "str r1, [r0]\n"			/* into the caller's r0 */
	    "bx lr\n");
}
volatile uint32_t svc_seen[2];

void
on_pendsv(void)
{
	note(3);
}

/* 10 pends 11 (more urgent: nests) and 12 (less: chains). */
void
on_irq(uint32_t n)
{
	if (n == 10) {
		note(10);
		NVIC_ISPR(0) = 1u << 11;
		barrier();
		NVIC_ISPR(0) = 1u << 12;
		SCB_ICSR = 1u << 28;
		note(1);
	} else {
		note(n);
	}
}

/* Steps over the faulting instruction. */
__attribute__((naked)) void
on_hard(void)
{
	__asm__ volatile(
	    "ldr r1, [sp, #24]\n"
	    "adds r1, r1, #2\n"
	    "str r1, [sp, #24]\n"
	    "ldr r0, =hard_cnt\n"
	    "ldr r1, [r0]\n"
	    "adds r1, r1, #1\n"
	    "str r1, [r0]\n"
	    "bx lr\n");
}
volatile uint32_t hard_cnt;

static uint32_t
svc(void)
{
	register uint32_t r0 __asm__("r0") = 5;

	__asm__ volatile("svc 42" : "+r"(r0) :: "r1", "r2", "memory");
	return r0;
}

/* IT blocks under fire: a lost state of the block would show in the sum. */
static uint32_t
it_blocks(uint32_t rounds)
{
	uint32_t a = 0, b = 0, i;

	for (i = 0; i < rounds; i++)
		__asm__ volatile(
		    "cmp %2, #100\n"
		    "itete hi\n"
		    "addhi %0, %0, #1\n"
		    "addls %1, %1, #1\n"
		    "addhi %0, %0, #2\n"
		    "addls %1, %1, #2\n"
		    : "+r"(a), "+r"(b) : "r"(i) : "cc");
	return a + b;
}

static void
masks(void)
{
	order = 0;
	__asm__ volatile("cpsid i");
	NVIC_ISPR(0) = 1u << 12;
	note(1);
	__asm__ volatile("cpsie i");
	barrier();
	note(2);
	result[6] = order;	/* 1, 12, 2 */
	order = 0;
	__asm__ volatile("msr basepri, %0" :: "r"(0x40));
	NVIC_ISPR(0) = 1u << 12;	/* priority 80: held back */
	note(1);
	NVIC_ISPR(0) = 1u << 11;	/* priority 20: comes */
	barrier();
	note(2);
	__asm__ volatile("msr basepri, %0" :: "r"(0));
	__asm__ volatile("isb");
	note(4);
	result[7] = order;	/* 1, 11, 2, 12, 4 */
}

static void
on_psp(void)
{
	uint32_t control;

	__asm__ volatile("msr psp, %0\nmsr control, %1\nisb" ::
	    "r"(&psp_stack[64]), "r"(2));
	result[8] = svc();
	result[9] = svc_seen[1];
	__asm__ volatile("mrs %0, control" : "=r"(control));
	__asm__ volatile("msr control, %0\nisb" :: "r"(0));
	result[10] = control;
}

void
image_main(void)
{
	uint32_t t0;

	if (life == 0x1234) {		/* the second life: RAM was kept */
		result[20] = R32(0x40021024) >> 24;
		DONE();
	}
	result[0] = svc();
	result[1] = svc_seen[0];
	result[2] = svc_seen[1];
	NVIC_IPR(10) = 0x60;
	NVIC_IPR(11) = 0x20;
	NVIC_IPR(12) = 0x80;
	SCB_SHPR(14) = 0xF0;
	NVIC_ISER(0) = 7u << 10;
	NVIC_ISPR(0) = 1u << 10;
	barrier();
	result[3] = order;		/* 10, 11, 1, 12, 3 */
	SYST_RVR = 210;
	SYST_CVR = 0;
	SYST_CSR = 7;
	result[4] = it_blocks(30000);
	result[5] = ticks;
	masks();
	on_psp();
	t0 = ticks;
	while (ticks < t0 + 10)
		__asm__ volatile("wfi");
	SYST_CSR = 0;
	__asm__ volatile("udf #1");
	result[11] = hard_cnt;
	result[12] = SCB_CFSR;
	result[13] = SCB_HFSR;
	life = 0x1234;
	SCB_AIRCR = 0x05FA0004;
	for (;;)
		;
}
