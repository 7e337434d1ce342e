/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LAN9118_H
#define CW_LAN9118_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SMSC LAN9118 (and LAN9220), a 10/100 Ethernet controller with MAC, PHY and
 * FIFOs on a 32-bit bus: frames in, frames out, polled.  No state of its own.
 *
 *	err = cw_lan9118_start(mac);
 *	while ((len = cw_lan9118_recv(frame, sizeof frame)) > 0) ...
 *	err = cw_lan9118_send(frame, len);
 *
 * The interrupt line only says that a frame has come; what to do about it is the
 * loop's business.  Checksums, power management and the EEPROM are left alone.
 */
#define CW_LAN9118_FRAME_MAX 1518u	/* with a VLAN tag, without FCS */

/* Registers: byte offset. */
enum cw_lan9118_reg {
	CW_LAN9118_RX_DATA = 0x00, CW_LAN9118_TX_DATA = 0x20,
	CW_LAN9118_RX_STATUS = 0x40, CW_LAN9118_TX_STATUS = 0x48,
	CW_LAN9118_ID_REV = 0x50, CW_LAN9118_IRQ_CFG = 0x54,
	CW_LAN9118_INT_STS = 0x58, CW_LAN9118_INT_EN = 0x5c,
	CW_LAN9118_BYTE_TEST = 0x64, CW_LAN9118_FIFO_INT = 0x68,
	CW_LAN9118_RX_CFG = 0x6c, CW_LAN9118_TX_CFG = 0x70,
	CW_LAN9118_HW_CFG = 0x74, CW_LAN9118_RX_FIFO_INF = 0x7c,
	CW_LAN9118_TX_FIFO_INF = 0x80, CW_LAN9118_PMT_CTRL = 0x84,
	CW_LAN9118_MAC_CMD = 0xa4, CW_LAN9118_MAC_DATA = 0xa8,
	CW_LAN9118_AFC_CFG = 0xac,
};

/* Registers of the MAC, behind MAC_CMD, and of the PHY, behind MII. */
enum cw_lan9118_mac {
	CW_LAN9118_MAC_CR = 1, CW_LAN9118_MAC_ADDRH = 2, CW_LAN9118_MAC_ADDRL = 3,
	CW_LAN9118_MAC_MII_ACC = 6, CW_LAN9118_MAC_MII_DATA = 7,
};
enum cw_lan9118_phy { CW_LAN9118_PHY_BCR = 0, CW_LAN9118_PHY_BSR = 1, CW_LAN9118_PHY_ANAR = 4 };

/* The bus, by the board (or by a test): one register. */
uint32_t cw_lan9118_bus_get(uint32_t reg);
void cw_lan9118_bus_put(uint32_t reg, uint32_t val);

/* Resets and sets up the chip, begins auto-negotiation; takes frames for mac and
 * for everybody.  0; CW_EIO: no LAN9118 answers, or it does not come out of reset. */
int cw_lan9118_start(const uint8_t mac[6]);
/* True when the cable leads somewhere. */
bool cw_lan9118_link(void);

/* The next frame, without FCS, into buf; its length; 0: none.  One that came
 * damaged, or is longer than cap, is passed over. */
size_t cw_lan9118_recv(uint8_t *buf, size_t cap);
/* len 14..CW_LAN9118_FRAME_MAX; short ones are padded by the chip.  0; CW_EFULL:
 * no room now. */
int cw_lan9118_send(const uint8_t *buf, size_t len);

/* Raise the line for each frame that comes; then, in the handler, lower it. */
void cw_lan9118_irq_start(void);
void cw_lan9118_irq_ack(void);

#endif
