/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_W5300_H
#define CW_W5300_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * WIZnet W5300 (data sheet 1.3.4) on a 16-bit bus, direct addressing: registers,
 * memory, eight sockets.  No waiting but for a command to be taken, which is
 * some hundred nanoseconds; no state but what stands in struct cw_w5300.
 *
 *	cw_w5300_start(&w, &cfg);
 *	cw_w5300_address(&w, ip, mask, gateway);
 *	cw_w5300_listen(&w, 0, 7816);
 *	while ((socks = cw_w5300_pending(&w)) != 0)
 *		ev = cw_w5300_events(&w, sock); ...
 *
 * TCP data comes out of the chip in packets, each behind a length of two bytes
 * and padded to an even one; cw_w5300_recv hands out bytes and hides that.
 */
#define CW_W5300_SOCKS 8u

/* Registers: address, which on this bus is also the byte offset. */
enum cw_w5300_reg {
	CW_W5300_MR = 0x000, CW_W5300_IR = 0x002, CW_W5300_IMR = 0x004,
	CW_W5300_SHAR = 0x008, CW_W5300_GAR = 0x010, CW_W5300_SUBR = 0x014,
	CW_W5300_SIPR = 0x018, CW_W5300_RTR = 0x01c, CW_W5300_RCR = 0x01e,
	CW_W5300_TMS01R = 0x020, CW_W5300_RMS01R = 0x028,
	CW_W5300_MTYPER = 0x030, CW_W5300_IDR = 0x0fe,
	/* of socket 0; the next is 0x40 further */
	CW_W5300_SN_MR = 0x200, CW_W5300_SN_CR = 0x202, CW_W5300_SN_IMR = 0x204,
	CW_W5300_SN_IR = 0x206, CW_W5300_SN_SSR = 0x208,
	CW_W5300_SN_PORTR = 0x20a, CW_W5300_SN_DPORTR = 0x212,
	CW_W5300_SN_DIPR = 0x214, CW_W5300_SN_KPALVTR = 0x21a,
	CW_W5300_SN_TX_WRSR = 0x220, CW_W5300_SN_TX_FSR = 0x224,
	CW_W5300_SN_RX_RSR = 0x228, CW_W5300_SN_TX_FIFOR = 0x22e,
	CW_W5300_SN_RX_FIFOR = 0x230,
};
#define CW_W5300_SN(reg, n) ((uint32_t)(reg) + 0x40u * (n))

#define CW_W5300_MR_RST 0x0080u
#define CW_W5300_MR_FS 0x0100u		/* first byte of a pair in the low half */
#define CW_W5300_MR_RDH 0x0400u		/* read data hold two PLL clocks */
#define CW_W5300_MR_WDF_MASK 0x3800u	/* write data fetch, PLL clocks after /CS */
#define CW_W5300_ID 0x5300u

/* Sn_MR */
#define CW_W5300_TCP 0x0001u
#define CW_W5300_UDP 0x0002u
#define CW_W5300_TCP_ND 0x0020u		/* acknowledge at once */

enum cw_w5300_cmd {
	CW_W5300_OPEN = 0x01, CW_W5300_LISTEN = 0x02, CW_W5300_DISCON = 0x08,
	CW_W5300_CLOSE = 0x10, CW_W5300_SEND = 0x20, CW_W5300_RECV = 0x40,
};

/* Sn_IR */
enum cw_w5300_event {
	CW_W5300_EV_CON = 0x01, CW_W5300_EV_DISCON = 0x02, CW_W5300_EV_RECV = 0x04,
	CW_W5300_EV_TIMEOUT = 0x08, CW_W5300_EV_SENDOK = 0x10,
};

/* Sn_SSR, those that are asked for */
enum cw_w5300_state {
	CW_W5300_CLOSED = 0x00, CW_W5300_INIT = 0x13, CW_W5300_LISTENING = 0x14,
	CW_W5300_ESTABLISHED = 0x17, CW_W5300_CLOSE_WAIT = 0x1c,
	CW_W5300_UDP_OPEN = 0x22,
};

/*
 * The bus, by the board (or by a test): a register, and len bytes through a
 * FIFO register, len rounded up to even (the bytes past len are read into
 * nowhere, written as 0).
 */
uint16_t cw_w5300_bus_get(uint32_t reg);
void cw_w5300_bus_put(uint32_t reg, uint16_t val);
void cw_w5300_bus_fifo_get(uint32_t reg, uint8_t *buf, size_t len);
void cw_w5300_bus_fifo_put(uint32_t reg, const uint8_t *buf, size_t len);

struct cw_w5300_config {
	uint8_t mac[6];
	/* KiB per socket; all of tx together a multiple of 8, tx and rx 128 */
	uint8_t tx_kib[CW_W5300_SOCKS], rx_kib[CW_W5300_SOCKS];
	uint16_t retry_100us;		/* first repetition; doubles */
	uint8_t retry_cnt;
};

struct cw_w5300 {
	uint32_t tx_size[CW_W5300_SOCKS];
	uint16_t left[CW_W5300_SOCKS];	/* of the packet being read */
};

/* Resets the chip by command and sets it up. 0; CW_EIO: no W5300 answers;
 * CW_EINVAL: the sizes. */
int cw_w5300_start(struct cw_w5300 *w, const struct cw_w5300_config *c);
void cw_w5300_address(const uint8_t ip[4], const uint8_t mask[4],
    const uint8_t gateway[4]);

/* Bit per socket that has events; then those of one, which are cleared. */
uint8_t cw_w5300_pending(void);
uint16_t cw_w5300_events(uint32_t n);
uint8_t cw_w5300_state(uint32_t n);

/* keep_s: keep-alive every so many seconds (units of 5), 0: none. 0 or CW_EIO. */
int cw_w5300_listen(struct cw_w5300 *w, uint32_t n, uint16_t port, uint32_t keep_s);
int cw_w5300_udp_open(struct cw_w5300 *w, uint32_t n, uint16_t port);
/* Ends the connection in TCP's way; the socket is CLOSED some time after. */
void cw_w5300_discon(uint32_t n);
/* At once and without a word. */
void cw_w5300_close(uint32_t n);

/* Bytes of the stream that have come, up to cap (an even number); 0: none. */
size_t cw_w5300_recv(struct cw_w5300 *w, uint32_t n, uint8_t *buf, size_t cap);
/* Bytes that a send may have; after a send, wait for SENDOK. */
uint32_t cw_w5300_room(uint32_t n);
/* True when all that was sent is acknowledged. */
bool cw_w5300_drained(const struct cw_w5300 *w, uint32_t n);
void cw_w5300_send(uint32_t n, const uint8_t *buf, size_t len);

struct cw_w5300_peer {
	uint8_t ip[4];
	uint16_t port;
};
/* One datagram, cut at cap; its length, or -1: none. */
int cw_w5300_udp_recv(struct cw_w5300 *w, uint32_t n, struct cw_w5300_peer *from,
    uint8_t *buf, size_t cap);
void cw_w5300_udp_send(uint32_t n, const struct cw_w5300_peer *to,
    const uint8_t *buf, size_t len);

#endif
