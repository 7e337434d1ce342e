/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOARD_PRIVATE_H
#define CW_BOARD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "reader/reader.h"
#include "reader/settings.h"

/*
 * Inside of the board: one reader, so state stands in statics of each file and
 * the calls take no context.
 *
 *	start.c	vector table, start-up, what the last life left behind
 *	main.c	settings, the core's memory and configuration, the loop
 *	sys.c	time, rest, watchdog, log, image store
 *	uart.c	the UARTs
 *	semi.c	files and command line of the host, by semihosting
 *	card.c	the card line: the contact link on UART 1
 *	net.c	the core's connections, on lwIP
 *	netif.c	lwIP on the LAN9118, addresses
 *	secure.c	the TLS layer between net.c and the core, random numbers
 *	scan.c	answers to who looks for readers
 *	shell.c	the console
 *	args.c	the command line of semihosting
 *
 * Interrupt handlers move characters into rings and wake the loop; all else
 * happens in the loop.
 */

/* main.c */
void cw_board_main(void) __attribute__((noreturn));

/* start.c: a sentence about the last life's end into buf; false: none. */
bool cw_board_crash_text(char *buf, size_t cap);
void cw_board_reset(void) __attribute__((noreturn));

/* sys.c */
extern const struct cw_sys_ops cw_board_sys_ops;
extern const struct cw_image_ops cw_board_store_ops;
#define CW_BOARD_STORE_LEN 0x100000u
void cw_sys_start(void);
void cw_sys_watchdog_start(void);
uint64_t cw_sys_now_us(void);
/* Sleeps until due_us, half a second at most, or until something woke the loop
 * since cw_sys_awake_clear. */
void cw_sys_rest(uint64_t due_us, uint64_t now_us);
void cw_sys_awake_clear(void);
void cw_sys_wake(void);		/* from a handler */
void cw_sys_irq_on(enum cw_irq irq);
void cw_board_log(int level, const char *line);
void cw_board_log_level(int level);
/* Line idx (0 the oldest) of the log; its length, 0: no more. */
size_t cw_board_log_line(uint32_t idx, char *buf, size_t cap);

/* uart.c: n is 0 to 3 */
void cw_uart_start(uint32_t n);
void cw_uart_irq(uint32_t n);
/* Sends what goes out without waiting; bytes taken. */
size_t cw_uart_put(uint32_t n, const uint8_t *buf, size_t len);
/* Bytes that have come, up to cap. */
size_t cw_uart_get(uint32_t n, uint8_t *buf, size_t cap);

/* semi.c: files of the host.  A handle, or CW_ENOENT. */
int cw_semi_open(const char *path, bool write);
/* 0 or CW_EIO */
int cw_semi_read(int fd, uint32_t off, uint8_t *buf, size_t len);
int cw_semi_write(int fd, uint32_t off, const uint8_t *buf, size_t len);
/* Length or CW_EIO. */
int cw_semi_len(int fd);
void cw_semi_close(int fd);
/* What was given with -semihosting-config arg=..., blank between; "" if none. */
void cw_semi_cmdline(char *buf, size_t cap);
/* Seconds since 1970, of the host. */
uint32_t cw_semi_time(void);
/* Ends the emulator: for tests. */
void cw_semi_exit(int code) __attribute__((noreturn));
/* True from handlers of the core's faults: pc stands at the call of a
 * debugger that is not there. */
bool cw_semi_is_call(uint32_t pc);

/* args.c */
#define CW_ARGS_MAX 1024
#define CW_ARGS_PATH 256
struct cw_args {
	char settings[CW_ARGS_PATH];	/* "": none */
	char keys[CW_ARGS_PATH];
	char identity[CW_SETTINGS_ID_MAX];
	uint16_t station;		/* of the contact link */
};
/* Takes the command line: what is named there into s, the rest into a.  0, or
 * CW_EINVAL with the word in question in bad. */
int cw_args_take(struct cw_args *a, struct cw_settings *s, char *bad, size_t bad_cap);
/* The key of identity out of the file of keys into s: 0, CW_ENOENT. */
int cw_args_key(const struct cw_args *a, struct cw_settings *s);

/* card.c */
extern const struct cw_card_ops cw_board_card_ops;
void cw_card_start(uint16_t station);
bool cw_card_poll(struct cw_event *ev, uint64_t now_us);
uint64_t cw_card_due(void);

/* net.c, netif.c */
extern const struct cw_net_ops cw_board_net_ops;
#define CW_NET_CONNS 4
/* 0; CW_EIO: no Ethernet chip answers. */
int cw_net_start(const struct cw_settings *s);
bool cw_net_is_alive(void);
bool cw_net_poll(struct cw_event *ev, uint64_t now_us);
uint64_t cw_net_due(uint64_t now_us);
int cw_netif_start(const struct cw_settings *s);
void cw_netif_poll(void);
void cw_netif_address(uint8_t ip[4], uint8_t mask[4], uint8_t gateway[4]);
void cw_netif_irq(void);

/* scan.c: after the network and the link. */
void cw_scan_start(const struct cw_reader *r, const struct cw_reader_config *c,
    const struct cw_settings *s);

/* shell.c: r, store and s are borrowed for ever. */
void cw_shell_start(const struct cw_reader *r, struct cw_settings_store *store,
    struct cw_settings *s, uint64_t boot_cnt);
/* When to be called again, if nothing is typed. */
uint64_t cw_shell_step(uint64_t now_us);

/* secure.c */
extern const struct cw_net_ops cw_secure_ops;
/* count 0: none could be had, and there is no secured link. */
void cw_secure_random_start(const struct cw_settings *s, uint64_t count);
void cw_secure_random(void *dev, uint8_t *buf, size_t len);
/* Opens the link that the settings allow: true when there is one. */
bool cw_secure_start(const struct cw_settings *s, uint64_t count);
/* As cw_reader_event, through the TLS layer when the link is secured. */
uint64_t cw_secure_event(struct cw_reader *core, const struct cw_event *ev, uint64_t now_us);
bool cw_secure_is_on(void);

#endif
