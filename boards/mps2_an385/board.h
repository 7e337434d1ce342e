/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_H
#define CW_BOARD_H

#include <stdint.h>

/*
 * What is where on an Arm MPS2 with the AN385 image (Cortex-M3), as far as this
 * port uses it.  Facts from application note AN385 and the CMSDK manual
 * (DDI 0479); memory is in image.ld.
 */
#define CW_BOARD_CLK_HZ 25000000u

/* CMSDK APB UART: one character each way, no FIFO. */
struct cw_uart_reg {
	volatile uint32_t data, state, ctrl, intstatus, bauddiv;
};
#define CW_UART_STATE_TXFULL 0x1u
#define CW_UART_STATE_RXFULL 0x2u
#define CW_UART_CTRL_TX 0x1u
#define CW_UART_CTRL_RX 0x2u
#define CW_UART_CTRL_RXINT 0x8u
#define CW_UART_INT_RX 0x2u
#define CW_UART0 ((struct cw_uart_reg *)0x40004000u)	/* console */
#define CW_UART1 ((struct cw_uart_reg *)0x40005000u)	/* card line */
#define CW_UART2 ((struct cw_uart_reg *)0x40006000u)	/* the tests' hands */
#define CW_UART3 ((struct cw_uart_reg *)0x40007000u)

/* CMSDK APB timer: counts down from value, then from reload. */
struct cw_timer_reg {
	volatile uint32_t ctrl, value, reload, intstatus;
};
#define CW_TIMER_CTRL_EN 0x1u
#define CW_TIMER_CTRL_INT 0x8u
#define CW_TIMER0 ((struct cw_timer_reg *)0x40000000u)	/* the time */
#define CW_TIMER1 ((struct cw_timer_reg *)0x40001000u)	/* wakes the loop */

/* CMSDK APB watchdog: an NMI at 0, a reset at the second one. */
struct cw_watchdog_reg {
	volatile uint32_t load, value, ctrl, intclr;
	uint32_t unused[0x2fc];
	volatile uint32_t lock;
};
#define CW_WATCHDOG ((struct cw_watchdog_reg *)0x40008000u)
#define CW_WATCHDOG_CTRL_INT 0x1u
#define CW_WATCHDOG_CTRL_RESET 0x2u
#define CW_WATCHDOG_KEY 0x1acce551u

#define CW_LAN9118_BASE 0x40200000u

enum cw_irq {
	CW_IRQ_UART0 = 0, CW_IRQ_UART1 = 2, CW_IRQ_UART2 = 4, CW_IRQ_TIMER1 = 9,
	CW_IRQ_ETHERNET = 13, CW_IRQ_UART3 = 18, CW_IRQ_CNT = 32,
};
/* ARMv7-M */
#define CW_NVIC_ISER (*(volatile uint32_t *)0xe000e100u)
#define CW_SCB_AIRCR (*(volatile uint32_t *)0xe000ed0cu)
#define CW_SCB_AIRCR_RESET 0x05fa0004u
#define CW_SCB_CFSR (*(volatile uint32_t *)0xe000ed28u)

#endif
