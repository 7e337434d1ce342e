/* SPDX-License-Identifier: Apache-2.0 */
#include "w5300.h"

#include "cw/err.h"

#define CMD_TRIES 1000u
#define MEMORY_KIB 128u
#define BLOCK_KIB 8u

static uint16_t
get(enum cw_w5300_reg reg, uint32_t n)
{
	return cw_w5300_bus_get(CW_W5300_SN(reg, n));
}

static void
put(enum cw_w5300_reg reg, uint32_t n, uint16_t val)
{
	cw_w5300_bus_put(CW_W5300_SN(reg, n), val);
}

/*
 * Counters of 17 bits in two registers may change between two reads: read until
 * two are alike.
 */
static uint32_t
get32(enum cw_w5300_reg reg, uint32_t n)
{
	uint32_t at = CW_W5300_SN(reg, n), last, v = UINT32_MAX;

	do {
		last = v;
		v = (uint32_t)cw_w5300_bus_get(at) << 16;
		v |= cw_w5300_bus_get(at + 2);
	} while (v != last);
	return v;
}

static int
command(uint32_t n, enum cw_w5300_cmd cmd)
{
	uint32_t i;

	put(CW_W5300_SN_CR, n, (uint16_t)cmd);
	for (i = 0; i < CMD_TRIES; i++)
		if (get(CW_W5300_SN_CR, n) == 0)
			return 0;
	return CW_EIO;
}

static void
put_bytes(uint32_t reg, const uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += 2)
		cw_w5300_bus_put(reg + (uint32_t)i,
		    (uint16_t)(buf[i] << 8 | buf[i + 1]));
}

static int
memory(struct cw_w5300 *w, const struct cw_w5300_config *c)
{
	uint32_t i, tx = 0, rx = 0;

	for (i = 0; i < CW_W5300_SOCKS; i++) {
		tx += c->tx_kib[i];
		rx += c->rx_kib[i];
		w->tx_size[i] = c->tx_kib[i] * 1024u;
		w->left[i] = 0;
	}
	if (tx % BLOCK_KIB != 0 || tx + rx != MEMORY_KIB)
		return CW_EINVAL;
	put_bytes(CW_W5300_TMS01R, c->tx_kib, CW_W5300_SOCKS);
	put_bytes(CW_W5300_RMS01R, c->rx_kib, CW_W5300_SOCKS);
	/* Blocks of 8 KiB, those for sending first. */
	cw_w5300_bus_put(CW_W5300_MTYPER, (uint16_t)((1u << tx / BLOCK_KIB) - 1));
	return 0;
}

int
cw_w5300_start(struct cw_w5300 *w, const struct cw_w5300_config *c)
{
	uint32_t i;
	uint16_t mr;
	int err;

	if (cw_w5300_bus_get(CW_W5300_IDR) != CW_W5300_ID)
		return CW_EIO;
	cw_w5300_bus_put(CW_W5300_MR, CW_W5300_MR_RST |
	    cw_w5300_bus_get(CW_W5300_MR));
	for (i = 0; i < CMD_TRIES; i++)
		if ((cw_w5300_bus_get(CW_W5300_MR) & CW_W5300_MR_RST) == 0)
			break;
	if (i == CMD_TRIES || cw_w5300_bus_get(CW_W5300_IDR) != CW_W5300_ID)
		return CW_EIO;
	mr = cw_w5300_bus_get(CW_W5300_MR) & CW_W5300_MR_WDF_MASK;
	cw_w5300_bus_put(CW_W5300_MR, mr | CW_W5300_MR_FS | CW_W5300_MR_RDH);
	err = memory(w, c);
	if (err < 0)
		return err;
	put_bytes(CW_W5300_SHAR, c->mac, sizeof c->mac);
	cw_w5300_bus_put(CW_W5300_RTR, c->retry_100us);
	cw_w5300_bus_put(CW_W5300_RCR, c->retry_cnt);
	cw_w5300_bus_put(CW_W5300_IMR, (1u << CW_W5300_SOCKS) - 1);
	return 0;
}

void
cw_w5300_address(const uint8_t ip[4], const uint8_t mask[4],
    const uint8_t gateway[4])
{
	put_bytes(CW_W5300_GAR, gateway, 4);
	put_bytes(CW_W5300_SUBR, mask, 4);
	put_bytes(CW_W5300_SIPR, ip, 4);
}

uint8_t
cw_w5300_pending(void)
{
	return (uint8_t)cw_w5300_bus_get(CW_W5300_IR);
}

uint16_t
cw_w5300_events(uint32_t n)
{
	uint16_t ev = get(CW_W5300_SN_IR, n);

	if (ev != 0)
		put(CW_W5300_SN_IR, n, ev);
	return ev & 0x1fu;
}

uint8_t
cw_w5300_state(uint32_t n)
{
	return (uint8_t)get(CW_W5300_SN_SSR, n);
}

static int
open(struct cw_w5300 *w, uint32_t n, uint16_t mode, uint16_t port)
{
	w->left[n] = 0;
	cw_w5300_close(n);
	put(CW_W5300_SN_MR, n, mode);
	put(CW_W5300_SN_PORTR, n, port);
	put(CW_W5300_SN_IMR, n, 0x1f);
	return command(n, CW_W5300_OPEN);
}

int
cw_w5300_listen(struct cw_w5300 *w, uint32_t n, uint16_t port, uint32_t keep_s)
{
	int err;

	put(CW_W5300_SN_KPALVTR, n, (uint16_t)(keep_s / 5));
	err = open(w, n, CW_W5300_TCP | CW_W5300_TCP_ND, port);
	if (err == 0 && cw_w5300_state(n) != CW_W5300_INIT)
		err = CW_EIO;
	return err < 0 ? err : command(n, CW_W5300_LISTEN);
}

int
cw_w5300_udp_open(struct cw_w5300 *w, uint32_t n, uint16_t port)
{
	int err = open(w, n, CW_W5300_UDP, port);

	if (err == 0 && cw_w5300_state(n) != CW_W5300_UDP_OPEN)
		err = CW_EIO;
	return err;
}

void
cw_w5300_discon(uint32_t n)
{
	command(n, CW_W5300_DISCON);
}

void
cw_w5300_close(uint32_t n)
{
	command(n, CW_W5300_CLOSE);
	put(CW_W5300_SN_IR, n, 0xff);
}

size_t
cw_w5300_recv(struct cw_w5300 *w, uint32_t n, uint8_t *buf, size_t cap)
{
	uint16_t v;

	if (w->left[n] == 0) {
		if (get32(CW_W5300_SN_RX_RSR, n) == 0)
			return 0;
		/* FS swaps the length as well. */
		v = get(CW_W5300_SN_RX_FIFOR, n);
		w->left[n] = (uint16_t)(v << 8 | v >> 8);
	}
	if (cap > w->left[n])
		cap = w->left[n];
	cw_w5300_bus_fifo_get(CW_W5300_SN(CW_W5300_SN_RX_FIFOR, n), buf, cap);
	w->left[n] = (uint16_t)(w->left[n] - cap);
	if (w->left[n] == 0)
		command(n, CW_W5300_RECV);
	return cap;
}

uint32_t
cw_w5300_room(uint32_t n)
{
	return get32(CW_W5300_SN_TX_FSR, n);
}

bool
cw_w5300_drained(const struct cw_w5300 *w, uint32_t n)
{
	return cw_w5300_room(n) >= w->tx_size[n];
}

void
cw_w5300_send(uint32_t n, const uint8_t *buf, size_t len)
{
	cw_w5300_bus_fifo_put(CW_W5300_SN(CW_W5300_SN_TX_FIFOR, n), buf, len);
	put(CW_W5300_SN_TX_WRSR, n, (uint16_t)(len >> 16));
	cw_w5300_bus_put(CW_W5300_SN(CW_W5300_SN_TX_WRSR, n) + 2, (uint16_t)len);
	command(n, CW_W5300_SEND);
}

int
cw_w5300_udp_recv(struct cw_w5300 *w, uint32_t n, struct cw_w5300_peer *from,
    uint8_t *buf, size_t cap)
{
	uint32_t fifo = CW_W5300_SN(CW_W5300_SN_RX_FIFOR, n);
	uint8_t head[8];
	size_t len, got, i;

	(void)w;
	if (get32(CW_W5300_SN_RX_RSR, n) == 0)
		return -1;
	/* Address, port, length; then the data, padded to even. */
	cw_w5300_bus_fifo_get(fifo, head, sizeof head);
	for (i = 0; i < 4; i++)
		from->ip[i] = head[i];
	from->port = (uint16_t)(head[4] << 8 | head[5]);
	len = (size_t)(head[6] << 8 | head[7]);
	got = len < cap ? len : cap & ~(size_t)1;
	cw_w5300_bus_fifo_get(fifo, buf, got);
	for (i = (got + 1) & ~(size_t)1; i < len; i += 2)
		cw_w5300_bus_get(fifo);
	command(n, CW_W5300_RECV);
	return (int)got;
}

void
cw_w5300_udp_send(uint32_t n, const struct cw_w5300_peer *to,
    const uint8_t *buf, size_t len)
{
	put_bytes(CW_W5300_SN(CW_W5300_SN_DIPR, n), to->ip, 4);
	put(CW_W5300_SN_DPORTR, n, to->port);
	cw_w5300_send(n, buf, len);
}
