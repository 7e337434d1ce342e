/* SPDX-License-Identifier: Apache-2.0 */
#include "board_private.h"
#include "cw/err.h"

#define PLL_MUL 15u	/* 8 MHz / 2 * 15 = 60 MHz */

/*
 * Bus timings in cycles of 16.7 ns (README.md tells where they come from):
 * the SRAM is a 10 ns part with room for slower ones, the W5300 wants its
 * strobes low for 65 ns (read) and 50 ns (write) and 28 ns of rest between.
 */
#define SRAM_BTR CW_FSMC_BTR(0u, 1u, 0u)
#define W5300_READ CW_FSMC_BTR(1u, 4u, 1u)
#define W5300_WRITE CW_FSMC_BTR(1u, 3u, 1u)

static void
clocks(void)
{
	uint32_t port;

	CW_RCC->ahbenr = CW_RCC_AHB_SRAM | CW_RCC_AHB_FLITF | CW_RCC_AHB_DMA1 |
	    CW_RCC_AHB_FSMC;
	CW_RCC->apb2enr = CW_RCC_APB2_AFIO | CW_RCC_APB2_USART1;
	for (port = 0; port < 7; port++)
		CW_RCC->apb2enr |= CW_RCC_APB2_GPIO(port);
	CW_RCC->apb1enr = CW_RCC_APB1_USART2 | CW_RCC_APB1_USART3 |
	    CW_RCC_APB1_UART4 | CW_RCC_APB1_TIM2 | CW_RCC_APB1_TIM3 | CW_RCC_APB1_TIM4;
	CW_AFIO->mapr = CW_AFIO_MAPR_SWJ_SWD;
}

/* RM0008, table 107: the bus's pins, per port one bit each. */
static void
bus_pins(void)
{
	static const uint16_t pins[7] = {
		[3] = 0xff33,	/* PD0 1 14 15 8 9 10: data; 4 5: OE WE; 11 12 13: A16 to 18 */
		[4] = 0xff83,	/* PE0 1: byte lanes; 7 to 15: data */
		[5] = 0xf03f,	/* PF0 to 5, 12 to 15: A0 to 9 */
		[6] = 0x063f,	/* PG0 to 5: A10 to 15; 9 10: NE2 NE3 */
	};
	uint32_t pin;

	for (pin = 3 * 16; pin < 7 * 16; pin++)
		if ((pins[pin / 16] >> pin % 16 & 1u) != 0)
			cw_stm_pin(pin, CW_STM_AF);
}

static void
bus(void)
{
	uint32_t bcr = CW_FSMC_BCR_MBKEN | CW_FSMC_BCR_MWID_16 |
	    CW_FSMC_BCR_RESERVED | CW_FSMC_BCR_WREN;

	bus_pins();
	CW_FSMC->ne[1].btr = W5300_READ;
	CW_FSMC->w[1].bwtr = W5300_WRITE;
	CW_FSMC->ne[1].bcr = bcr | CW_FSMC_BCR_EXTMOD;
	CW_FSMC->ne[2].btr = SRAM_BTR;
	CW_FSMC->ne[2].bcr = bcr;
}

/* Every address and data line once: a few words, not the whole memory. */
static int
xram_check(void)
{
	volatile uint16_t *m = CW_REG(volatile uint16_t, CW_BOARD_XRAM_BASE);
	uint32_t i, n = CW_BOARD_XRAM_LEN / 2;
	uint16_t bit, others;

	for (bit = 1; bit != 0; bit = (uint16_t)(bit << 1)) {
		others = (uint16_t)~bit;
		m[0] = bit;
		m[1] = others;
		if (m[0] != bit || m[1] != others)
			return CW_ESTATE;
	}
	m[0] = 0;
	for (i = 1; i < n; i <<= 1)
		m[i] = (uint16_t)(0xa500u + i % 251);
	for (i = 1; i < n; i <<= 1)
		if (m[i] != (uint16_t)(0xa500u + i % 251))
			return CW_ESTATE;
	return m[0] == 0 ? 0 : CW_ESTATE;
}

int
cw_board_bringup(void)
{
	bool crystal = cw_stm_clock_start(PLL_MUL);

	clocks();
	cw_stm_time_start(crystal ? CW_BOARD_HCLK_HZ : 8000000u);
	cw_stm_pin(CW_BOARD_LED, CW_STM_OUT);
	cw_stm_pin_set(CW_BOARD_BUTTON, true);
	cw_stm_pin(CW_BOARD_BUTTON, CW_STM_IN_PULL);
	if (!crystal)
		return CW_EIO;
	cw_uart_start();
	bus();
	return xram_check();
}
