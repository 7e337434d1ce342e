/* SPDX-License-Identifier: Apache-2.0 */
#include "lan9118.h"

#include <string.h>

#include "cw/err.h"

/* Facts: LAN9118 data sheet, chapter 5. */
#define ID_9118 0x0118u
#define ID_9220 0x9220u
#define BYTE_TEST 0x87654321u
#define PMT_READY 0x1u
#define HW_SRST 0x1u
#define HW_SRST_TO 0x2u
#define HW_MBO 0x00100000u
#define HW_TX_FIF_SZ_5 0x00050000u	/* 5 KiB out, 11 KiB in */
#define TX_CFG_ON 0x2u
#define AFC_DEFAULT 0x006e3740u
#define MAC_BUSY 0x80000000u
#define MAC_READ 0x40000000u
#define MAC_CR_FDPX 0x00100000u
#define MAC_CR_TXEN 0x8u
#define MAC_CR_RXEN 0x4u
#define MII_PHY_ADDR (1u << 11)
#define MII_WRITE 0x2u
#define MII_BUSY 0x1u
#define BCR_ANEG 0x1000u
#define BCR_ANEG_RESTART 0x0200u
#define BSR_LINK 0x0004u
#define ANAR_ALL 0x01e1u		/* 10 and 100, half and full, 802.3 */
#define RX_ERROR 0x00008000u		/* error summary */
#define FCS_LEN 4u
#define CMD_A_WHOLE 0x00003000u		/* first and last segment */
#define IRQ_PUSH_PULL_HIGH 0x00000111u	/* enabled, active high, push-pull */
#define INT_RSFL 0x00000008u		/* status level of RX is reached */
/* Looks at a bit that the chip changes within microseconds. */
#define TRIES 100000

#define get cw_lan9118_bus_get
#define put cw_lan9118_bus_put

static bool
becomes(uint32_t reg, uint32_t mask, uint32_t val)
{
	int i;

	for (i = 0; i < TRIES; i++)
		if ((get(reg) & mask) == val)
			return true;
	return false;
}

static uint32_t
mac_get(enum cw_lan9118_mac reg)
{
	put(CW_LAN9118_MAC_CMD, MAC_BUSY | MAC_READ | (uint32_t)reg);
	(void)becomes(CW_LAN9118_MAC_CMD, MAC_BUSY, 0);
	return get(CW_LAN9118_MAC_DATA);
}

static void
mac_put(enum cw_lan9118_mac reg, uint32_t val)
{
	put(CW_LAN9118_MAC_DATA, val);
	put(CW_LAN9118_MAC_CMD, MAC_BUSY | (uint32_t)reg);
	(void)becomes(CW_LAN9118_MAC_CMD, MAC_BUSY, 0);
}

static void
mii_wait(void)
{
	int i;

	for (i = 0; i < TRIES; i++)
		if ((mac_get(CW_LAN9118_MAC_MII_ACC) & MII_BUSY) == 0)
			return;
}

static uint32_t
phy_get(enum cw_lan9118_phy reg)
{
	mac_put(CW_LAN9118_MAC_MII_ACC, MII_PHY_ADDR | (uint32_t)reg << 6 | MII_BUSY);
	mii_wait();
	return mac_get(CW_LAN9118_MAC_MII_DATA) & 0xffff;
}

static void
phy_put(enum cw_lan9118_phy reg, uint32_t val)
{
	mac_put(CW_LAN9118_MAC_MII_DATA, val);
	mac_put(CW_LAN9118_MAC_MII_ACC,
	    MII_PHY_ADDR | (uint32_t)reg << 6 | MII_WRITE | MII_BUSY);
	mii_wait();
}

static bool
known(void)
{
	uint32_t id = get(CW_LAN9118_ID_REV) >> 16;

	/* Nothing but BYTE_TEST may be read before READY. */
	return id == ID_9118 || id == ID_9220;
}

int
cw_lan9118_start(const uint8_t mac[6])
{
	/* Writing anything wakes a chip that sleeps. */
	put(CW_LAN9118_BYTE_TEST, 0);
	if (!becomes(CW_LAN9118_PMT_CTRL, PMT_READY, PMT_READY) ||
	    get(CW_LAN9118_BYTE_TEST) != BYTE_TEST || !known())
		return CW_EIO;
	put(CW_LAN9118_HW_CFG, HW_SRST);
	if (!becomes(CW_LAN9118_HW_CFG, HW_SRST | HW_SRST_TO, 0))
		return CW_EIO;
	put(CW_LAN9118_HW_CFG, HW_MBO | HW_TX_FIF_SZ_5);
	put(CW_LAN9118_AFC_CFG, AFC_DEFAULT);
	put(CW_LAN9118_INT_EN, 0);
	put(CW_LAN9118_INT_STS, 0xffffffffu);
	put(CW_LAN9118_FIFO_INT, 0);
	put(CW_LAN9118_RX_CFG, 0);
	phy_put(CW_LAN9118_PHY_ANAR, ANAR_ALL);
	phy_put(CW_LAN9118_PHY_BCR, BCR_ANEG | BCR_ANEG_RESTART);
	mac_put(CW_LAN9118_MAC_ADDRH, (uint32_t)mac[5] << 8 | mac[4]);
	mac_put(CW_LAN9118_MAC_ADDRL, (uint32_t)mac[3] << 24 |
	    (uint32_t)mac[2] << 16 | (uint32_t)mac[1] << 8 | mac[0]);
	put(CW_LAN9118_TX_CFG, TX_CFG_ON);
	mac_put(CW_LAN9118_MAC_CR, MAC_CR_FDPX | MAC_CR_TXEN | MAC_CR_RXEN);
	return 0;
}

bool
cw_lan9118_link(void)
{
	return (phy_get(CW_LAN9118_PHY_BSR) & BSR_LINK) != 0;
}

/* Words as they lie in memory of a little-endian core. */
static void
fifo_get(uint8_t *buf, size_t cap, size_t len)
{
	uint32_t word;
	size_t off, n;

	for (off = 0; off < len; off += 4) {
		word = get(CW_LAN9118_RX_DATA);
		if (off >= cap)
			continue;
		n = cap - off < 4 ? cap - off : 4;
		memcpy(buf + off, &word, n);
	}
}

size_t
cw_lan9118_recv(uint8_t *buf, size_t cap)
{
	uint32_t status;
	size_t len;

	while ((get(CW_LAN9118_RX_FIFO_INF) >> 16 & 0xff) != 0) {
		status = get(CW_LAN9118_RX_STATUS);
		len = status >> 16 & 0x3fff;	/* with FCS */
		if ((status & RX_ERROR) != 0 || len <= FCS_LEN ||
		    len - FCS_LEN > cap) {
			fifo_get(buf, 0, len);
			continue;
		}
		fifo_get(buf, len - FCS_LEN, len);
		return len - FCS_LEN;
	}
	return 0;
}

int
cw_lan9118_send(const uint8_t *buf, size_t len)
{
	size_t words = (len + 3) / 4, off, n;
	uint32_t word;

	CW_ASSERT(len >= 14 && len <= CW_LAN9118_FRAME_MAX);
	/* What became of earlier ones: read, so that the FIFO never fills. */
	while ((get(CW_LAN9118_TX_FIFO_INF) >> 16 & 0xff) != 0)
		(void)get(CW_LAN9118_TX_STATUS);
	if ((get(CW_LAN9118_TX_FIFO_INF) & 0xffff) < 4 * (words + 2))
		return CW_EFULL;
	put(CW_LAN9118_TX_DATA, CMD_A_WHOLE | (uint32_t)len);
	put(CW_LAN9118_TX_DATA, (uint32_t)len);
	for (off = 0; off < len; off += 4) {
		word = 0;
		n = len - off < 4 ? len - off : 4;
		memcpy(&word, buf + off, n);
		put(CW_LAN9118_TX_DATA, word);
	}
	return 0;
}

void
cw_lan9118_irq_start(void)
{
	put(CW_LAN9118_IRQ_CFG, IRQ_PUSH_PULL_HIGH);
	put(CW_LAN9118_INT_STS, 0xffffffffu);
	put(CW_LAN9118_INT_EN, INT_RSFL);
}

void
cw_lan9118_irq_ack(void)
{
	put(CW_LAN9118_INT_STS, INT_RSFL);
}
