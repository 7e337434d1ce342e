/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_H
#define CW_BOARD_H

/*
 * What is soldered where: STM32F103ZE (LQFP144) with W5300, 1 MiB SRAM, three
 * card interface chips.  Facts only, in the order in which one would follow
 * them with a meter; the code that uses them stands beside this file.
 *
 * A pin is CW_PIN(port, number): port 0 is GPIOA.  Reference: RM0008 (registers),
 * the STM32F103xE data sheet (pins), the W5300 and TDA8024 data sheets.
 */
/* As signed images name it. */
#define CW_BOARD_NAME "stm32f103ze"

#define CW_PIN(port, n) ((port) * 16u + (n))
#define CW_PA(n) CW_PIN(0u, n)
#define CW_PB(n) CW_PIN(1u, n)
#define CW_PC(n) CW_PIN(2u, n)
#define CW_PD(n) CW_PIN(3u, n)
#define CW_PE(n) CW_PIN(4u, n)
#define CW_PF(n) CW_PIN(5u, n)
#define CW_PG(n) CW_PIN(6u, n)

/*
 * Clocks.  8 MHz crystal, PLL input halved, times 15.  60 MHz and not 72: the
 * card clock is an even part of the bus clock, and 60 / 12 = 30 / 6 = 5.0 MHz
 * is the fastest that class A cards must take, where 72 gives 4.5 (README.md).
 */
#define CW_BOARD_HSE_HZ 8000000u
#define CW_BOARD_HCLK_HZ 60000000u
#define CW_BOARD_PCLK1_HZ 30000000u	/* USART2, USART3, UART4, timers at twice that */
#define CW_BOARD_PCLK2_HZ 60000000u	/* USART1 */

/*
 * Program memory, 512 KiB in pages of 2 KiB.  A slot begins with the image's
 * header; the vector table stands behind it, aligned for VTOR.
 */
#define CW_BOARD_FLASH_BASE 0x08000000u
#define CW_BOARD_FLASH_LEN 0x80000u
#define CW_BOARD_FLASH_PAGE 0x800u
#define CW_BOARD_BOOT_LEN 0x4000u
#define CW_BOARD_SLOT_A 0x08004000u
#define CW_BOARD_SLOT_B 0x08040000u
#define CW_BOARD_SLOT_LEN 0x3c000u
#define CW_BOARD_IMAGE_HDR_LEN 0x200u
#define CW_BOARD_STATE_BASE 0x0807c000u
#define CW_BOARD_STATE_LEN 0x4000u

/* Internal SRAM.  The last part outlives a reset: what the last life left. */
#define CW_BOARD_RAM_BASE 0x20000000u
#define CW_BOARD_RAM_LEN 0x10000u
#define CW_BOARD_NOINIT_BASE 0x2000ff00u
#define CW_BOARD_NOINIT_LEN 0x100u

/* FSMC bank 1: NE2 (PG9) is the W5300, NE3 (PG10) 512 Ki x 16 SRAM.  16-bit bus.
 * W5300 ADDR[9:1] on A[8:0], so that its addresses are byte offsets here. */
#define CW_BOARD_W5300_BASE 0x64000000u
#define CW_BOARD_XRAM_BASE 0x68000000u
#define CW_BOARD_XRAM_LEN 0x100000u

/* W5300: /INT and LINKLED are inputs, /RESET an output; all active low.  The
 * chip tells the state of its PHY by its LED pins only. */
#define CW_BOARD_W5300_INT CW_PG(6)	/* EXTI6, falling edge */
#define CW_BOARD_W5300_RESET CW_PG(7)
#define CW_BOARD_W5300_LINK CW_PG(8)

/*
 * Card lines.  Line n is USART n + 1 in smartcard mode: its TX pin is the
 * card's I/O (open drain, pulled up), its CK pin the interface chip's clock
 * input (CLKDIV strapped to 1:1).
 *
 * Interface chip of the TDA8024 kind: CMDVCC low activates; RSTIN goes through
 * to RST; VSEL high is 5 V, low 3 V.  OFF is open drain, pulled up: with CMDVCC
 * high it is the presence switch (high: card), with CMDVCC low it falls for
 * over-current, heat, a drop of the supply or a pulled card, and stays low until
 * CMDVCC is high again.
 */
#define CW_BOARD_SLOTS 3
#define CW_BOARD_SLOT_PINS { \
	/* io, clock, cmdvcc, rstin, off, vsel */ \
	{ CW_PA(9), CW_PA(8), CW_PC(0), CW_PC(1), CW_PC(2), CW_PC(3) }, \
	{ CW_PA(2), CW_PA(4), CW_PC(4), CW_PC(5), CW_PC(6), CW_PC(7) }, \
	{ CW_PB(10), CW_PB(12), CW_PF(6), CW_PF(7), CW_PF(8), CW_PF(9) }, \
}

/*
 * 24C256 (32 KiB, 64 byte pages, address 0x50) on two pins driven by software:
 * the I2C cell of this chip has errata that software would have to walk around,
 * and PB7 is wanted by the FSMC.
 */
#define CW_BOARD_I2C_SCL CW_PB(8)
#define CW_BOARD_I2C_SDA CW_PB(9)
#define CW_BOARD_EEPROM_ADDR 0x50u
#define CW_BOARD_EEPROM_LEN 32768u
#define CW_BOARD_EEPROM_PAGE 64u

/* Console: UART4, 115200 8N1, PC10 out, PC11 in. */
#define CW_BOARD_CONSOLE_TX CW_PC(10)
#define CW_BOARD_CONSOLE_RX CW_PC(11)
#define CW_BOARD_CONSOLE_BAUD 115200u

/* One lamp (high: lit) and one button (low: pressed) held at reset to stay in
 * the bootloader. */
#define CW_BOARD_LED CW_PB(0)
#define CW_BOARD_BUTTON CW_PB(5)

#endif
