/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STM_REG_H
#define CW_STM_REG_H

#include <stdint.h>

/*
 * Registers of the STM32F103xE that the firmware uses, as RM0008 (rev 21) and
 * PM0056 (core) name them: chapter 7 reset and clocks, 9 GPIO, 10 interrupts,
 * 13 DMA, 19 IWDG, 21 FSMC, 27 USART; PM0075 flash.  Only what is used is named.
 *
 * A register is a member of a struct laid over the hardware, always 32 bits
 * wide, always volatile.
 */
#define CW_REG(type, addr) ((type *)(uintptr_t)(addr))

/* ---- reset and clock control (RM0008, 7.3) ------------------------------- */

struct cw_stm_rcc {
	volatile uint32_t cr, cfgr, cir, apb2rstr, apb1rstr, ahbenr, apb2enr,
	    apb1enr, bdcr, csr;
};
#define CW_RCC CW_REG(struct cw_stm_rcc, 0x40021000u)
#define CW_RCC_CR_HSEON (1u << 16)
#define CW_RCC_CR_HSERDY (1u << 17)
#define CW_RCC_CR_PLLON (1u << 24)
#define CW_RCC_CR_PLLRDY (1u << 25)
#define CW_RCC_CFGR_SW_PLL 2u
#define CW_RCC_CFGR_SWS_MASK (3u << 2)
#define CW_RCC_CFGR_SWS_PLL (2u << 2)
#define CW_RCC_CFGR_PPRE1_2 (4u << 8)		/* APB1 = HCLK / 2 */
#define CW_RCC_CFGR_PLLSRC_HSE (1u << 16)
#define CW_RCC_CFGR_PLLXTPRE_2 (1u << 17)	/* HSE / 2 into the PLL */
#define CW_RCC_CFGR_PLLMUL(n) (((n) - 2u) << 18)
#define CW_RCC_AHB_DMA1 (1u << 0)
#define CW_RCC_AHB_SRAM (1u << 2)
#define CW_RCC_AHB_FLITF (1u << 4)
#define CW_RCC_AHB_FSMC (1u << 8)
#define CW_RCC_APB2_AFIO (1u << 0)
#define CW_RCC_APB2_GPIO(port) (1u << (2u + (port)))
#define CW_RCC_APB2_USART1 (1u << 14)
#define CW_RCC_APB1_TIM2 (1u << 0)
#define CW_RCC_APB1_TIM3 (1u << 1)
#define CW_RCC_APB1_TIM4 (1u << 2)
#define CW_RCC_APB1_USART2 (1u << 17)
#define CW_RCC_APB1_USART3 (1u << 18)
#define CW_RCC_APB1_UART4 (1u << 19)
#define CW_RCC_CSR_RMVF (1u << 24)
#define CW_RCC_CSR_PINRSTF (1u << 26)
#define CW_RCC_CSR_PORRSTF (1u << 27)
#define CW_RCC_CSR_SFTRSTF (1u << 28)
#define CW_RCC_CSR_IWDGRSTF (1u << 29)

/* ---- flash interface (PM0075) --------------------------------------------- */

struct cw_stm_flash {
	volatile uint32_t acr, keyr, optkeyr, sr, cr, ar, reserved, obr, wrpr;
};
#define CW_FLASH CW_REG(struct cw_stm_flash, 0x40022000u)
#define CW_FLASH_ACR_LATENCY_2 2u		/* 48 MHz < SYSCLK <= 72 MHz */
#define CW_FLASH_ACR_PRFTBE (1u << 4)
#define CW_FLASH_KEY1 0x45670123u
#define CW_FLASH_KEY2 0xcdef89abu
#define CW_FLASH_SR_BSY (1u << 0)
#define CW_FLASH_SR_PGERR (1u << 2)
#define CW_FLASH_SR_WRPRTERR (1u << 4)
#define CW_FLASH_SR_EOP (1u << 5)
#define CW_FLASH_CR_PG (1u << 0)
#define CW_FLASH_CR_PER (1u << 1)
#define CW_FLASH_CR_STRT (1u << 6)
#define CW_FLASH_CR_LOCK (1u << 7)

/* ---- ports (RM0008, 9) ------------------------------------------------------ */

struct cw_stm_gpio {
	volatile uint32_t crl, crh, idr, odr, bsrr, brr, lckr;
};
#define CW_GPIO(port) CW_REG(struct cw_stm_gpio, 0x40010800u + 0x400u * (port))

struct cw_stm_afio {
	volatile uint32_t evcr, mapr, exticr[4], reserved, mapr2;
};
#define CW_AFIO CW_REG(struct cw_stm_afio, 0x40010000u)
#define CW_AFIO_MAPR_SWJ_SWD (2u << 24)		/* SWD only: JTAG's pins are ours */

struct cw_stm_exti {
	volatile uint32_t imr, emr, rtsr, ftsr, swier, pr;
};
#define CW_EXTI CW_REG(struct cw_stm_exti, 0x40010400u)

/* ---- USART (RM0008, 27.6) ---------------------------------------------------- */

struct cw_stm_usart {
	volatile uint32_t sr, dr, brr, cr1, cr2, cr3, gtpr;
};
#define CW_USART1 CW_REG(struct cw_stm_usart, 0x40013800u)
#define CW_USART2 CW_REG(struct cw_stm_usart, 0x40004400u)
#define CW_USART3 CW_REG(struct cw_stm_usart, 0x40004800u)
#define CW_UART4 CW_REG(struct cw_stm_usart, 0x40004c00u)
#define CW_USART_SR_PE (1u << 0)
#define CW_USART_SR_FE (1u << 1)
#define CW_USART_SR_ORE (1u << 3)
#define CW_USART_SR_RXNE (1u << 5)
#define CW_USART_SR_TC (1u << 6)
#define CW_USART_SR_TXE (1u << 7)
#define CW_USART_CR1_RE (1u << 2)
#define CW_USART_CR1_TE (1u << 3)
#define CW_USART_CR1_RXNEIE (1u << 5)
#define CW_USART_CR1_TCIE (1u << 6)
#define CW_USART_CR1_TXEIE (1u << 7)
#define CW_USART_CR1_PS (1u << 9)		/* odd parity */
#define CW_USART_CR1_PCE (1u << 10)
#define CW_USART_CR1_M (1u << 12)		/* 9 bits: 8 and parity */
#define CW_USART_CR1_UE (1u << 13)
#define CW_USART_CR2_CLKEN (1u << 11)
#define CW_USART_CR2_STOP_0_5 (1u << 12)
#define CW_USART_CR2_STOP_1_5 (3u << 12)
#define CW_USART_CR3_EIE (1u << 0)		/* FE and ORE interrupt, with DMAR */
#define CW_USART_CR3_NACK (1u << 4)
#define CW_USART_CR3_SCEN (1u << 5)
#define CW_USART_CR3_DMAR (1u << 6)
#define CW_USART_CR3_DMAT (1u << 7)
#define CW_USART_GTPR(psc, gt) ((psc) | (gt) << 8)

/* ---- timers (RM0008, 15.4) -------------------------------------------------- */

struct cw_stm_tim {
	volatile uint32_t cr1, cr2, smcr, dier, sr, egr, ccmr[2], ccer, cnt, psc, arr;
};
#define CW_TIM2 CW_REG(struct cw_stm_tim, 0x40000000u)
#define CW_TIM3 CW_REG(struct cw_stm_tim, 0x40000400u)
#define CW_TIM4 CW_REG(struct cw_stm_tim, 0x40000800u)
#define CW_TIM_CR1_CEN (1u << 0)
#define CW_TIM_CR1_OPM (1u << 3)		/* stops at the update */
#define CW_TIM_DIER_UIE (1u << 0)

/* ---- DMA (RM0008, 13.4) -------------------------------------------------------- */

struct cw_stm_dma_ch {
	volatile uint32_t ccr, cndtr, cpar, cmar, reserved;
};
struct cw_stm_dma {
	volatile uint32_t isr, ifcr;
	struct cw_stm_dma_ch ch[7];		/* ch[0] is channel 1 */
};
#define CW_DMA1 CW_REG(struct cw_stm_dma, 0x40020000u)
#define CW_DMA_CCR_EN (1u << 0)
#define CW_DMA_CCR_TCIE (1u << 1)
#define CW_DMA_CCR_DIR (1u << 4)		/* from memory */
#define CW_DMA_CCR_MINC (1u << 7)
#define CW_DMA_IFCR_ALL(ch) (0xfu << (4u * ((ch) - 1u)))

/* ---- FSMC (RM0008, 21.5.6) ------------------------------------------------------ */

/* bcr and btr of NE1..NE4 take turns; bwtr of NEn stands 0x100 above its btr. */
struct cw_stm_fsmc {
	struct {
		volatile uint32_t bcr, btr;
	} ne[4];
	uint32_t reserved[0x38];
	struct {
		volatile uint32_t reserved, bwtr;
	} w[4];
};
#define CW_FSMC CW_REG(struct cw_stm_fsmc, 0xa0000000u)
#define CW_FSMC_BCR_MBKEN (1u << 0)
#define CW_FSMC_BCR_MWID_16 (1u << 4)
#define CW_FSMC_BCR_RESERVED (1u << 7)		/* 1 after reset: keep */
#define CW_FSMC_BCR_WREN (1u << 12)
#define CW_FSMC_BCR_EXTMOD (1u << 14)
/* Cycles of HCLK: address setup 0..15, data 1..255, bus turn-around 0..15. */
#define CW_FSMC_BTR(addset, datast, busturn) \
	((addset) | (datast) << 8 | (busturn) << 16)

/* ---- independent watchdog (RM0008, 19.4) ------------------------------------------- */

struct cw_stm_iwdg {
	volatile uint32_t kr, pr, rlr, sr;
};
#define CW_IWDG CW_REG(struct cw_stm_iwdg, 0x40003000u)
#define CW_IWDG_KR_FEED 0xaaaau
#define CW_IWDG_KR_UNLOCK 0x5555u
#define CW_IWDG_KR_START 0xccccu

/* ---- core (PM0056) ------------------------------------------------------------------- */

struct cw_stm_systick {
	volatile uint32_t csr, rvr, cvr, calib;
};
#define CW_SYSTICK CW_REG(struct cw_stm_systick, 0xe000e010u)
#define CW_SYSTICK_CSR_ENABLE (1u << 0)
#define CW_SYSTICK_CSR_TICKINT (1u << 1)
#define CW_SYSTICK_CSR_CORE (1u << 2)

#define CW_NVIC_ISER CW_REG(volatile uint32_t, 0xe000e100u)
#define CW_NVIC_IPR CW_REG(volatile uint8_t, 0xe000e400u)

struct cw_stm_scb {
	volatile uint32_t cpuid, icsr, vtor, aircr, scr, ccr, shpr[3], shcsr,
	    cfsr, hfsr, dfsr, mmfar, bfar;
};
#define CW_SCB CW_REG(struct cw_stm_scb, 0xe000ed00u)
#define CW_SCB_ICSR_PENDSTCLR (1u << 25)
#define CW_SCB_ICSR_PENDSTSET (1u << 26)
#define CW_SCB_AIRCR_RESET 0x05fa0004u

/* Numbers of the interrupts that are used (RM0008, table 63). */
enum cw_stm_irq {
	CW_IRQ_DMA1_CH3 = 13, CW_IRQ_DMA1_CH5 = 15, CW_IRQ_DMA1_CH6 = 16,
	CW_IRQ_EXTI9_5 = 23, CW_IRQ_TIM2 = 28, CW_IRQ_TIM3 = 29, CW_IRQ_TIM4 = 30,
	CW_IRQ_USART1 = 37, CW_IRQ_USART2 = 38,
	CW_IRQ_USART3 = 39, CW_IRQ_UART4 = 52, CW_IRQ_CNT = 60,
};

/* Electronic signature: flash size in KiB and 96 bits that no other chip has
 * (RM0008, 30). */
#define CW_STM_UID CW_REG(const uint32_t, 0x1ffff7e8u)
#define CW_STM_UID_LEN 12u

#endif
