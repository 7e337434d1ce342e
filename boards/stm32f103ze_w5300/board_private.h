/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_PRIVATE_H
#define CW_BOARD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "boards/chip/stm32f1/stm32f1.h"
#include "reader/reader.h"

/*
 * Inside of the board: one chip, so state stands in statics of each file and the
 * calls take no context.
 *
 *	start.c		vector table, start-up
 *	main.c		the core's memory and configuration, the loop
 *	bringup.c	clock, pins, external bus
 *	card.c card_poll.c card_irq.c	the three card lines
 *	rate.c		which card clocks and etu can be had (pure)
 *	net.c		sockets of the W5300 as the core's connections
 *	uart.c		console UART
 *	sys.c		log ring, random bytes, watchdog, settings and program memory
 *	secure.c	TLS between the network and the core
 *	shell.c		the console
 *	crash.c		what the last life left behind
 *
 * Interrupt handlers move characters between a device and a ring and set
 * cw_board_awake; all else happens in the loop.
 */

/* Set by an interrupt handler that has something for the loop. */
extern volatile bool cw_board_awake;

/* Goes into external SRAM, which start-up does not clear. */
#define CW_XRAM __attribute__((section(".xram")))

/* main.c */
void cw_board_main(void) __attribute__((noreturn));

/* bringup.c: 0; CW_EIO: the crystal does not start; CW_ESTATE: the external
 * SRAM does not hold what is written. */
int cw_board_bringup(void);

/* card_poll.c */
extern const struct cw_card_ops cw_board_card_ops;	/* card.c */
extern const struct cw_talk_ops cw_board_talk_ops;
void cw_card_start(void);
/* The next event of the card lines; false: none now. */
bool cw_card_poll(struct cw_event *ev, uint64_t now_us);
/* When to poll again though nothing has happened; UINT64_MAX: never. */
uint64_t cw_card_due(uint64_t now_us);

/* net.c */
extern const struct cw_net_ops cw_board_net_ops;
/* Resets and sets up the W5300: 0; CW_EIO: none answers. */
int cw_net_start(const uint8_t mac[6]);
bool cw_net_poll(struct cw_event *ev, uint64_t now_us);
void cw_net_irq(void);
bool cw_net_cable(void);

struct cw_disc_info;
/* main.c: who this reader is, for those who look for readers. */
void cw_board_describe(struct cw_disc_info *me);

/* net_addr.c: how the reader comes to its address. */
struct cw_net_addr {
	uint8_t ip[4], mask[4], gateway[4];
};
void cw_net_addr_fixed(const struct cw_net_addr *a);
void cw_net_addr_dhcp(const uint8_t mac[6], const char *name, uint32_t seed);
/* The one in use; all zero: none yet. */
const struct cw_net_addr *cw_net_addr(void);
/* When the net is to be polled again; UINT64_MAX: never. */
uint64_t cw_net_due(void);

/* uart.c */
void cw_uart_start(void);
void cw_uart_irq(void);
/* Queues; what finds no room is dropped. Returns what was taken. */
size_t cw_uart_put(const uint8_t *buf, size_t len);
size_t cw_uart_room(void);
/* Bytes typed, up to cap. */
size_t cw_uart_get(uint8_t *buf, size_t cap);

/* sys.c */
extern const struct cw_sys_ops cw_board_sys_ops;
extern const struct cw_image_ops cw_board_store_ops;
extern const struct cw_nvm_ops cw_board_nvm_ops;
extern const struct cw_flash_ops cw_board_flash_ops;
/* After the clocks: frees the bus of the settings memory. */
void cw_board_nvm_start(void);
/* Where the image store begins and how long it is (linker). */
uint32_t cw_board_store_cap(void);
void cw_board_log(int level, const char *line);
/* Lines above this level are dropped from now on. */
void cw_board_log_level(int level);
/* Line idx (0 the oldest) of the log; its length, 0: no more. */
size_t cw_board_log_line(uint32_t idx, char *buf, size_t cap);
/* Before the first use of random: a number that no other start had. */
void cw_board_random_start(uint64_t boot_cnt);

/* crash.c */
enum cw_crash_kind { CW_CRASH_NONE, CW_CRASH_ASSERT, CW_CRASH_FAULT };
/* Once, first of all: takes over what the last life left, and the reset flags. */
void cw_board_crash_take(void);
void cw_board_fault(void) __attribute__((noreturn));
/* One sentence about the last life's end into buf; false: it ended in peace. */
bool cw_board_crash_text(char *buf, size_t cap);
/* Why this life began, by the reset flags: "power", "watchdog", ... */
const char *cw_board_reset_cause(void);

#endif
