/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STM_H
#define CW_STM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reg.h"

/*
 * What every board with an STM32F103 needs: clock, time, pins, interrupts, the
 * watchdog, two-wire bus and program memory.  No interrupt handler is here; the
 * board's vector table names its own.
 */

/* Priorities of interrupts, 0 the most urgent (the F103 has 16). */
enum cw_stm_prio {
	CW_STM_PRIO_LINE = 2,	/* characters: half an etu is all they have */
	CW_STM_PRIO_TICK = 8,
	CW_STM_PRIO_SLOW = 12,	/* console, network */
};

/* HSE / 2 * pll_mul as system clock, APB1 at half of it, two wait states.
 * False when the crystal does not start: then the chip runs on at 8 MHz. */
bool cw_stm_clock_start(uint32_t pll_mul);

/* The millisecond tick; hclk_hz is a multiple of 1 MHz. */
void cw_stm_time_start(uint32_t hclk_hz);
/* Body of the SysTick handler. */
void cw_stm_time_tick(void);
/* Microseconds since start. Also from interrupt handlers. */
uint64_t cw_stm_now_us(void);
/*
 * A point in time as an interrupt handler can afford it: milliseconds and the
 * counter below them; cw_stm_stamp_us makes microseconds of it, modulo 2^32.
 */
struct cw_stm_stamp {
	uint32_t ms, left;
};
extern volatile uint32_t cw_stm_ms;	/* of the tick; read only */
static inline struct cw_stm_stamp
cw_stm_stamp(void)
{
	struct cw_stm_stamp s = { cw_stm_ms, CW_SYSTICK->cvr };

	/* The counter has wrapped, and its handler waits behind us. */
	if ((CW_SCB->icsr & CW_SCB_ICSR_PENDSTSET) != 0 &&
	    s.left > CW_SYSTICK->rvr / 2)
		s.ms++;
	return s;
}
uint32_t cw_stm_stamp_us(struct cw_stm_stamp s);
/* Spins. For bring-up and the two-wire bus only. */
void cw_stm_spin_us(uint32_t us);

/*
 * Pins: a number of 16 * port + bit, as the board's header has them.  mode is
 * the four bits CNF MODE of RM0008, table 20.
 */
enum cw_stm_mode {
	CW_STM_IN = 0x4,	/* floating */
	CW_STM_IN_PULL = 0x8,	/* up or down, as the pin is set */
	CW_STM_OUT = 0x2,	/* push-pull, 2 MHz */
	CW_STM_OUT_OD = 0x6,	/* open drain, 2 MHz */
	CW_STM_AF = 0xb,	/* push-pull, 50 MHz */
	CW_STM_AF_OD = 0xf,	/* open drain, 50 MHz */
};
void cw_stm_pin(uint32_t pin, enum cw_stm_mode mode);
static inline void
cw_stm_pin_set(uint32_t pin, bool high)
{
	CW_GPIO(pin / 16)->bsrr = 1u << (pin % 16 + (high ? 0u : 16u));
}
static inline bool
cw_stm_pin_get(uint32_t pin)
{
	return (CW_GPIO(pin / 16)->idr >> pin % 16 & 1u) != 0;
}

/* Enables an interrupt at a priority. */
void cw_stm_irq_on(enum cw_stm_irq irq, enum cw_stm_prio prio);
/* Sleeps until an interrupt, unless *busy: no interrupt gets between the look
 * and the sleep. */
void cw_stm_sleep_unless(const volatile bool *busy);
/* Does not return. */
void cw_stm_reset(void) __attribute__((noreturn));

/* The independent watchdog, once started, cannot be stopped: 40 kHz / 32. */
void cw_stm_watchdog_start(uint32_t timeout_ms);
static inline void
cw_stm_watchdog_feed(void)
{
	CW_IWDG->kr = CW_IWDG_KR_FEED;
}

#endif
