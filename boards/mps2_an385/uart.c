/* SPDX-License-Identifier: Apache-2.0 */
#include "board_private.h"
#include "cw/bytes.h"
#include "cw/err.h"

/* Power of two, above the longest message of the contact link. */
#define IN_CAP 8192u
#define BAUDDIV 217u		/* 115,200; an emulator takes any */
#define UARTS 4u

static struct {
	uint8_t in[IN_CAP];
	volatile uint32_t head, tail;	/* the handler writes head, the loop tail */
} uart[UARTS];

static struct cw_uart_reg *
reg(uint32_t n)
{
	static struct cw_uart_reg *const regs[UARTS] = {
		CW_UART0, CW_UART1, CW_UART2, CW_UART3,
	};

	return regs[n];
}

void
cw_uart_start(uint32_t n)
{
	static const enum cw_irq irqs[UARTS] = {
		CW_IRQ_UART0, CW_IRQ_UART1, CW_IRQ_UART2, CW_IRQ_UART3,
	};

	CW_ASSERT(n < UARTS);
	reg(n)->bauddiv = BAUDDIV;
	reg(n)->ctrl = CW_UART_CTRL_TX | CW_UART_CTRL_RX | CW_UART_CTRL_RXINT;
	cw_sys_irq_on(irqs[n]);
}

/*
 * With no room the character stays where it is and the handler rests: the other
 * side of an emulated UART waits then.
 */
void
cw_uart_irq(uint32_t n)
{
	struct cw_uart_reg *r = reg(n);

	r->intstatus = CW_UART_INT_RX;
	while ((r->state & CW_UART_STATE_RXFULL) != 0) {
		if (uart[n].head - uart[n].tail == IN_CAP) {
			r->ctrl = CW_UART_CTRL_TX | CW_UART_CTRL_RX;
			break;
		}
		uart[n].in[uart[n].head % IN_CAP] = (uint8_t)r->data;
		uart[n].head++;
	}
	cw_sys_wake();
}

size_t
cw_uart_get(uint32_t n, uint8_t *buf, size_t cap)
{
	uint8_t *at;
	size_t len = 0;

	while (len < cap && uart[n].head != uart[n].tail) {
		at = &uart[n].in[uart[n].tail % IN_CAP];
		buf[len++] = *at;
		*at = 0;
		uart[n].tail++;
	}
	if (len > 0 && (reg(n)->ctrl & CW_UART_CTRL_RXINT) == 0) {
		reg(n)->ctrl = CW_UART_CTRL_TX | CW_UART_CTRL_RX | CW_UART_CTRL_RXINT;
		__asm volatile ("cpsid i" ::: "memory");
		cw_uart_irq(n);
		__asm volatile ("cpsie i" ::: "memory");
	}
	return len;
}

size_t
cw_uart_put(uint32_t n, const uint8_t *buf, size_t len)
{
	struct cw_uart_reg *r = reg(n);
	size_t i;

	for (i = 0; i < len; i++) {
		if ((r->state & CW_UART_STATE_TXFULL) != 0)
			break;
		r->data = buf[i];
	}
	return i;
}
