/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_NET_PRIVATE_H
#define CW_NET_PRIVATE_H

#include "board_private.h"
#include "boards/chip/w5300/w5300.h"

/*
 * Sockets of the W5300: 0 to 2 the reader link (net.c), 6 discovery (net_scan.c),
 * 7 DHCP (net_addr.c).  Memory in KiB, to the chip and from it: 8 and 28 for each of the
 * link's, 4 and 6 for the datagrams': 32 and 96 of its 128.
 */
#define CW_NET_TCP 3u
#define CW_NET_SOCK_SCAN 6u
#define CW_NET_SOCK_DHCP 7u
/* Of one packet at a time; even. */
#define CW_NET_RX 1460u
/* A whole frame, and what a security layer adds. */
#define CW_NET_OUT 20480u

extern struct cw_w5300 cw_net_chip;
extern bool cw_net_alive;

/* net_addr.c: bit n of pending: socket n has events. */
void cw_net_addr_step(uint8_t pending, uint64_t now_us);

/* net_scan.c: opens the socket; then at its events. */
void cw_net_scan_start(void);
void cw_net_scan_step(uint64_t now_us);

#endif
