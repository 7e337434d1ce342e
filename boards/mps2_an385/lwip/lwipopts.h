/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LWIPOPTS_H
#define CW_LWIPOPTS_H

#include <stdint.h>

/*
 * lwIP 2.1.3 without an operating system: raw TCP and UDP over IPv4, DHCP.  All
 * of it runs in the board's loop, so nothing is locked.
 */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_IPV6 0
#define LWIP_DHCP 1
#define LWIP_DNS 0
#define LWIP_IGMP 0
#define LWIP_RAW 0
#define LWIP_STATS 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_TCP_KEEPALIVE 1
#define SO_REUSE 1

#define MEM_ALIGNMENT 4
#define MEM_SIZE (512 * 1024)
#define MEMP_NUM_TCP_PCB 12
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_UDP_PCB 3
#define MEMP_NUM_TCP_SEG 512
#define MEMP_NUM_PBUF 64
#define PBUF_POOL_SIZE 96
#define PBUF_POOL_BUFSIZE 1536

#define TCP_MSS 1460
/* What the Ethernet chip holds while the loop is busy: 10,560 bytes. */
#define TCP_WND (6 * TCP_MSS)
/* A whole frame of the link and more. */
#define TCP_SND_BUF 40000
#define TCP_SND_QUEUELEN 112
#define TCP_SNDLOWAT 20000

/* Of the board: where nobody may guess. */
uint32_t cw_net_random(void);
#define LWIP_RAND() cw_net_random()
/* Nobody who has not seen it can guess where a stream begins. */
#define LWIP_HOOK_TCP_ISN(lip, lport, rip, rport) cw_net_random()

#endif
