/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "boards/fwcheck/p256.h"
#include "boot_private.h"
#include "reader/update.h"
#include "reader/xmodem.h"

/*
 * Nothing may be started: the console takes an image, by XMODEM-1K or YMODEM,
 * through the same verifier.  UART4 is polled; while program memory is busy the
 * sender waits for our answer, so that no byte is lost.
 */
static void
uart_start(void)
{
	CW_RCC->apb1enr |= CW_RCC_APB1_UART4;
	CW_RCC->apb2enr |= CW_RCC_APB2_GPIO(CW_BOARD_CONSOLE_TX / 16) |
	    CW_RCC_APB2_AFIO;
	cw_stm_pin(CW_BOARD_CONSOLE_TX, CW_STM_AF);
	cw_stm_pin_set(CW_BOARD_CONSOLE_RX, true);
	cw_stm_pin(CW_BOARD_CONSOLE_RX, CW_STM_IN_PULL);
	CW_UART4->brr = (CW_BOARD_PCLK1_HZ + CW_BOARD_CONSOLE_BAUD / 2) /
	    CW_BOARD_CONSOLE_BAUD;
	CW_UART4->cr1 = CW_USART_CR1_UE | CW_USART_CR1_TE | CW_USART_CR1_RE;
}

static void
put(const uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		while ((CW_UART4->sr & CW_USART_SR_TXE) == 0)
			;
		CW_UART4->dr = buf[i];
	}
}

static void
say(const char *s)
{
	put((const uint8_t *)s, strlen(s));
	put((const uint8_t *)"\r\n", 2);
}

static size_t
get(uint8_t *c)
{
	if ((CW_UART4->sr & (CW_USART_SR_RXNE | CW_USART_SR_ORE)) == 0)
		return 0;
	*c = (uint8_t)CW_UART4->dr;
	return 1;
}

static void
flush(void)
{
	while ((CW_UART4->sr & CW_USART_SR_TC) == 0)
		;
}

/* One file; how it ended. */
static enum cw_xmodem_event
receive(struct cw_update *u)
{
	static struct cw_xmodem x;
	enum cw_xmodem_event ev = CW_XM_WAIT;
	size_t n, used;
	uint8_t c;
	bool ok;

	cw_xmodem_init(&x, cw_stm_now_us());
	while (ev == CW_XM_WAIT || ev == CW_XM_DATA) {
		n = get(&c);
		if (n == 0 && cw_stm_now_us() < x.due_us)
			continue;
		ev = cw_xmodem_step(&x, &c, n, &used, cw_stm_now_us());
		if (ev == CW_XM_DATA) {
			ok = cw_update_data(u, x.data, x.data_len) == 0;
			cw_xmodem_taken(&x, ok, cw_stm_now_us());
			if (!ok)
				ev = CW_XM_FAILED;
		}
		put(x.out, x.out_len);
	}
	return ev;
}

void
cw_boot_rescue(void)
{
	static struct cw_update u;
	struct cw_update_config c = {
		.flash = &cw_boot_flash, .map = cw_boot_map,
		.board = cw_boot_board, .check = { cw_p256_verify, cw_fw_key },
		.running = -1,
	};

	uart_start();
	for (;;) {
		say("\r\ncardwright boot: send a signed image (sx -k, sb -k)");
		cw_update_init(&u, &c);
		if (cw_update_begin(&u) == 0 && receive(&u) == CW_XM_DONE &&
		    cw_update_end(&u) == 0) {
			say("taken, restarting");
			flush();
			cw_stm_reset();
		}
		say(cw_update_why(&u));
	}
}
