/* SPDX-License-Identifier: Apache-2.0 */
#include "board_private.h"

/* Powers of two; one side writes head, the other tail. */
#define OUT_CAP 1024u
#define IN_CAP 2048u	/* an XMODEM-1K block and some */

static struct {
	uint8_t out[OUT_CAP], in[IN_CAP];
	volatile uint32_t out_head, out_tail, in_head, in_tail;
	volatile uint32_t lost;
} uart;

void
cw_uart_start(void)
{
	cw_stm_pin(CW_BOARD_CONSOLE_TX, CW_STM_AF);
	cw_stm_pin_set(CW_BOARD_CONSOLE_RX, true);
	cw_stm_pin(CW_BOARD_CONSOLE_RX, CW_STM_IN_PULL);
	CW_UART4->brr = (CW_BOARD_PCLK1_HZ + CW_BOARD_CONSOLE_BAUD / 2) /
	    CW_BOARD_CONSOLE_BAUD;
	CW_UART4->cr1 = CW_USART_CR1_UE | CW_USART_CR1_TE | CW_USART_CR1_RE |
	    CW_USART_CR1_RXNEIE;
	cw_stm_irq_on(CW_IRQ_UART4, CW_STM_PRIO_SLOW);
}

void
cw_uart_irq(void)
{
	uint32_t sr = CW_UART4->sr;

	if ((sr & (CW_USART_SR_RXNE | CW_USART_SR_ORE)) != 0) {
		uint8_t ch = (uint8_t)CW_UART4->dr;

		if (uart.in_head - uart.in_tail < IN_CAP)
			uart.in[uart.in_head++ % IN_CAP] = ch;
		else
			uart.lost++;
		cw_board_awake = true;
	}
	if ((sr & CW_USART_SR_TXE) != 0 &&
	    (CW_UART4->cr1 & CW_USART_CR1_TXEIE) != 0) {
		if (uart.out_tail != uart.out_head) {
			CW_UART4->dr = uart.out[uart.out_tail++ % OUT_CAP];
		} else {
			CW_UART4->cr1 &= ~CW_USART_CR1_TXEIE;
			cw_board_awake = true;
		}
	}
}

size_t
cw_uart_room(void)
{
	return OUT_CAP - (uart.out_head - uart.out_tail);
}

size_t
cw_uart_put(const uint8_t *buf, size_t len)
{
	size_t i, n = cw_uart_room();

	if (len < n)
		n = len;
	for (i = 0; i < n; i++) {
		uart.out[uart.out_head % OUT_CAP] = buf[i];
		uart.out_head++;
	}
	/* The handler clears the bit: between its look and ours nothing is lost,
	 * for it runs again at once when set. */
	if (n > 0)
		CW_UART4->cr1 |= CW_USART_CR1_TXEIE;
	return n;
}

size_t
cw_uart_get(uint8_t *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap && uart.in_tail != uart.in_head) {
		buf[n++] = uart.in[uart.in_tail % IN_CAP];
		uart.in_tail++;
	}
	return n;
}
