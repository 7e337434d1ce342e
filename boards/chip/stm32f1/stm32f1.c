/* SPDX-License-Identifier: Apache-2.0 */
#include "stm32f1.h"

/* About 20 ms at 8 MHz: a crystal that needs longer is broken. */
#define HSE_TRIES 40000u
#define LSI_HZ 40000u
#define IWDG_DIV 32u

volatile uint32_t cw_stm_ms;

static struct {
	volatile uint32_t wraps;	/* of cw_stm_ms: 49 days each */
	uint32_t cycles_per_us;
	uint32_t reload;
} tick;

bool
cw_stm_clock_start(uint32_t pll_mul)
{
	uint32_t i;

	/* A bootloader may have left the PLL running: not settable then. */
	CW_RCC->cfgr &= ~CW_RCC_CFGR_SW_PLL;
	while ((CW_RCC->cfgr & CW_RCC_CFGR_SWS_MASK) == CW_RCC_CFGR_SWS_PLL)
		;
	CW_RCC->cr &= ~CW_RCC_CR_PLLON;
	CW_RCC->cr |= CW_RCC_CR_HSEON;
	for (i = 0; (CW_RCC->cr & CW_RCC_CR_HSERDY) == 0; i++)
		if (i >= HSE_TRIES)
			return false;
	CW_FLASH->acr = CW_FLASH_ACR_PRFTBE | CW_FLASH_ACR_LATENCY_2;
	CW_RCC->cfgr = CW_RCC_CFGR_PLLSRC_HSE | CW_RCC_CFGR_PLLXTPRE_2 |
	    CW_RCC_CFGR_PLLMUL(pll_mul) | CW_RCC_CFGR_PPRE1_2;
	CW_RCC->cr |= CW_RCC_CR_PLLON;
	while ((CW_RCC->cr & CW_RCC_CR_PLLRDY) == 0)
		;
	CW_RCC->cfgr |= CW_RCC_CFGR_SW_PLL;
	while ((CW_RCC->cfgr & CW_RCC_CFGR_SWS_MASK) != CW_RCC_CFGR_SWS_PLL)
		;
	return true;
}

void
cw_stm_time_start(uint32_t hclk_hz)
{
	tick.cycles_per_us = hclk_hz / 1000000u;
	tick.reload = hclk_hz / 1000u - 1u;
	CW_SYSTICK->rvr = tick.reload;
	CW_SYSTICK->cvr = 0;
	CW_SYSTICK->csr = CW_SYSTICK_CSR_CORE | CW_SYSTICK_CSR_TICKINT |
	    CW_SYSTICK_CSR_ENABLE;
	/* SysTick is system handler 15: the last byte of SHPR3. */
	CW_SCB->shpr[2] |= (uint32_t)CW_STM_PRIO_TICK << 28;
}

void
cw_stm_time_tick(void)
{
	if (++cw_stm_ms == 0)
		tick.wraps++;
}

uint32_t
cw_stm_stamp_us(struct cw_stm_stamp s)
{
	return s.ms * 1000u + (tick.reload - s.left) / tick.cycles_per_us;
}

/* The tick's handler may run between two looks: then once more. */
uint64_t
cw_stm_now_us(void)
{
	struct cw_stm_stamp s;
	uint32_t wraps, ms;

	do {
		ms = cw_stm_ms;
		wraps = tick.wraps;
		s = cw_stm_stamp();
	} while (ms != cw_stm_ms);
	return (((uint64_t)wraps << 32) + s.ms) * 1000u +
	    (tick.reload - s.left) / tick.cycles_per_us;
}

void
cw_stm_spin_us(uint32_t us)
{
	uint64_t end_us = cw_stm_now_us() + us + 1;

	while (cw_stm_now_us() < end_us)
		;
}

void
cw_stm_pin(uint32_t pin, enum cw_stm_mode mode)
{
	struct cw_stm_gpio *g = CW_GPIO(pin / 16);
	volatile uint32_t *cr = pin % 16 < 8 ? &g->crl : &g->crh;
	uint32_t shift = 4 * (pin % 8);

	*cr = (*cr & ~(0xfu << shift)) | (uint32_t)mode << shift;
}

void
cw_stm_irq_on(enum cw_stm_irq irq, enum cw_stm_prio prio)
{
	CW_NVIC_IPR[irq] = (uint8_t)((uint32_t)prio << 4);
	CW_NVIC_ISER[(uint32_t)irq / 32] = 1u << (uint32_t)irq % 32;
}

void
cw_stm_sleep_unless(const volatile bool *busy)
{
	/* WFI wakes for an interrupt that is pending behind PRIMASK. */
	__asm volatile ("cpsid i" ::: "memory");
	if (!*busy)
		__asm volatile ("dsb\n\twfi" ::: "memory");
	__asm volatile ("cpsie i\n\tisb" ::: "memory");
}

void
cw_stm_reset(void)
{
	__asm volatile ("dsb" ::: "memory");
	CW_SCB->aircr = CW_SCB_AIRCR_RESET;
	for (;;)
		;
}

void
cw_stm_watchdog_start(uint32_t timeout_ms)
{
	CW_IWDG->kr = CW_IWDG_KR_START;
	CW_IWDG->kr = CW_IWDG_KR_UNLOCK;
	CW_IWDG->pr = 3;		/* by IWDG_DIV */
	CW_IWDG->rlr = timeout_ms * (LSI_HZ / IWDG_DIV) / 1000u;
	CW_IWDG->kr = CW_IWDG_KR_FEED;
}
