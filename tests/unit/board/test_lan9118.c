/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boards/chip/lan9118/lan9118.h"
#include "cw/err.h"

/*
 * The driver over a model of the chip: the FIFOs, the MAC behind its command
 * register, the PHY behind the MAC (LAN9118 data sheet, chapters 3 and 5).  An
 * access that the data sheet does not allow fails the test.
 */
static struct chip {
	uint32_t id, byte_test, ready;
	bool stuck;		/* does not come out of reset */
	uint32_t reset_cnt, reset_left;
	uint32_t mac[16], mac_data;
	uint32_t phy[32], mii_data;
	uint32_t in[4096], status[64];
	size_t in_len, in_off, status_len, status_off;
	uint32_t out[4096];
	size_t out_len;
	uint32_t free_bytes, tx_status;
	uint32_t int_en, int_sts, irq_cfg;
} chip;

static void
mii(uint32_t acc)
{
	uint32_t reg = acc >> 6 & 31;

	assert_int_equal(acc >> 11 & 31, 1);	/* the internal PHY */
	if ((acc & 2) != 0)
		chip.phy[reg] = chip.mii_data;
	else
		chip.mii_data = chip.phy[reg];
}

static void
mac_cmd(uint32_t cmd)
{
	uint32_t reg = cmd & 0xff;

	assert_true((cmd & 0x80000000u) != 0);
	assert_in_range(reg, 1, 12);
	if ((cmd & 0x40000000u) != 0) {
		chip.mac_data = reg == CW_LAN9118_MAC_MII_DATA ? chip.mii_data :
		    reg == CW_LAN9118_MAC_MII_ACC ? 0 : chip.mac[reg];
		return;
	}
	chip.mac[reg] = chip.mac_data;
	if (reg == CW_LAN9118_MAC_MII_DATA)
		chip.mii_data = chip.mac_data;
	if (reg == CW_LAN9118_MAC_MII_ACC)
		mii(chip.mac_data);
}

uint32_t
cw_lan9118_bus_get(uint32_t reg)
{
	switch (reg) {
	case CW_LAN9118_BYTE_TEST:
		return chip.byte_test;
	case CW_LAN9118_PMT_CTRL:
		return chip.ready;
	case CW_LAN9118_ID_REV:
		return chip.id;
	case CW_LAN9118_HW_CFG:
		if (chip.reset_left > 0 && !chip.stuck)
			chip.reset_left--;
		return chip.reset_left > 0 ? 0x00050001u : 0x00050000u;
	case CW_LAN9118_MAC_CMD:
		return 0;
	case CW_LAN9118_MAC_DATA:
		return chip.mac_data;
	case CW_LAN9118_RX_FIFO_INF:
		return (uint32_t)(chip.status_len - chip.status_off) << 16 |
		    (uint32_t)(4 * (chip.in_len - chip.in_off));
	case CW_LAN9118_RX_STATUS:
		assert_true(chip.status_off < chip.status_len);
		return chip.status[chip.status_off++];
	case CW_LAN9118_RX_DATA:
		assert_true(chip.in_off < chip.in_len);
		return chip.in[chip.in_off++];
	case CW_LAN9118_TX_FIFO_INF:
		return chip.tx_status << 16 | chip.free_bytes;
	case CW_LAN9118_TX_STATUS:
		assert_true(chip.tx_status > 0);
		chip.tx_status--;
		return 0;
	default:
		fail_msg("register %02x is read", reg);
		return 0;
	}
}

void
cw_lan9118_bus_put(uint32_t reg, uint32_t val)
{
	if (reg == CW_LAN9118_HW_CFG && (val & 1) != 0) {
		chip.reset_cnt++;
		chip.reset_left = 3;
	} else if (reg == CW_LAN9118_MAC_CMD) {
		mac_cmd(val);
	} else if (reg == CW_LAN9118_MAC_DATA) {
		chip.mac_data = val;
	} else if (reg == CW_LAN9118_TX_DATA) {
		assert_true(chip.out_len < 4096);
		chip.out[chip.out_len++] = val;
	} else if (reg == CW_LAN9118_INT_EN) {
		chip.int_en = val;
	} else if (reg == CW_LAN9118_INT_STS) {
		chip.int_sts &= ~val;
	} else if (reg == CW_LAN9118_IRQ_CFG) {
		chip.irq_cfg = val;
	}
}

static const uint8_t mac[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };

static int
setup(void **state)
{
	(void)state;
	memset(&chip, 0, sizeof chip);
	chip.id = 0x01180001;
	chip.byte_test = 0x87654321;
	chip.ready = 1;
	chip.free_bytes = 4608;
	return 0;
}

static void
test_start(void **state)
{
	(void)state;
	assert_int_equal(cw_lan9118_start(mac), 0);
	assert_int_equal(chip.reset_cnt, 1);
	assert_int_equal(chip.mac[CW_LAN9118_MAC_ADDRL], 0x33221102);
	assert_int_equal(chip.mac[CW_LAN9118_MAC_ADDRH], 0x5544);
	/* full duplex, both ways on, nothing promiscuous, broadcast taken */
	assert_int_equal(chip.mac[CW_LAN9118_MAC_CR], 0x0010000c);
	assert_int_equal(chip.phy[CW_LAN9118_PHY_ANAR], 0x01e1);
	assert_int_equal(chip.phy[CW_LAN9118_PHY_BCR], 0x1200);
	assert_int_equal(chip.int_en, 0);

	assert_false(cw_lan9118_link());
	chip.phy[CW_LAN9118_PHY_BSR] = 0x782d;
	assert_true(cw_lan9118_link());

	chip.id = 0x92200000;
	assert_int_equal(cw_lan9118_start(mac), 0);
}

static void
test_absent(void **state)
{
	setup(state);
	chip.ready = 0;
	assert_int_equal(cw_lan9118_start(mac), CW_EIO);
	setup(state);
	chip.byte_test = 0x21436587;
	assert_int_equal(cw_lan9118_start(mac), CW_EIO);
	setup(state);
	chip.id = 0xffffffff;
	assert_int_equal(cw_lan9118_start(mac), CW_EIO);
	assert_int_equal(chip.reset_cnt, 0);
	setup(state);
	chip.stuck = true;
	assert_int_equal(cw_lan9118_start(mac), CW_EIO);
}

/* A frame of len bytes that begin with seed, FCS behind it. */
static void
frame_in(uint8_t seed, size_t len, uint32_t error)
{
	uint8_t b[2048];
	size_t i, words = (len + 4 + 3) / 4;

	for (i = 0; i < 4 * words; i++)
		b[i] = (uint8_t)(seed + i);
	memcpy(&chip.in[chip.in_len], b, 4 * words);
	chip.in_len += words;
	chip.status[chip.status_len++] = (uint32_t)(len + 4) << 16 | error;
}

static void
test_recv(void **state)
{
	uint8_t buf[CW_LAN9118_FRAME_MAX + 4];
	size_t len, i;

	for (len = 60; len <= CW_LAN9118_FRAME_MAX; len++) {
		setup(state);
		frame_in((uint8_t)len, len, 0);
		memset(buf, 0xee, sizeof buf);
		assert_int_equal(cw_lan9118_recv(buf, CW_LAN9118_FRAME_MAX), len);
		for (i = 0; i < len; i++)
			if (buf[i] != (uint8_t)(len + i))
				fail_msg("length %zu, byte %zu", len, i);
		assert_int_equal(buf[len], 0xee);
		assert_int_equal(chip.in_off, chip.in_len);
		assert_int_equal(cw_lan9118_recv(buf, sizeof buf), 0);
	}

	/* Damaged, too long, without anything: passed over, the next one is whole. */
	setup(state);
	frame_in(1, 100, 0x8000);
	frame_in(2, 1700, 0);
	frame_in(3, 0, 0);
	frame_in(4, 61, 0);
	assert_int_equal(cw_lan9118_recv(buf, CW_LAN9118_FRAME_MAX), 61);
	assert_int_equal(buf[0], 4);
	assert_int_equal(chip.in_off, chip.in_len);
	assert_int_equal(chip.status_off, chip.status_len);
}

static void
test_send(void **state)
{
	uint8_t frame[CW_LAN9118_FRAME_MAX];
	size_t len, i, words;

	for (i = 0; i < sizeof frame; i++)
		frame[i] = (uint8_t)(7 * i);
	for (len = 14; len <= CW_LAN9118_FRAME_MAX; len++) {
		uint8_t got[CW_LAN9118_FRAME_MAX + 4];

		setup(state);
		chip.tx_status = 5;
		words = (len + 3) / 4;
		assert_int_equal(cw_lan9118_send(frame, len), 0);
		assert_int_equal(chip.tx_status, 0);
		assert_int_equal(chip.out_len, words + 2);
		assert_int_equal(chip.out[0], 0x3000 | len);
		assert_int_equal(chip.out[1] & 0x7ff, len);
		memcpy(got, chip.out + 2, 4 * words);
		assert_memory_equal(got, frame, len);
	}

	/* Room is for the commands as well; without it nothing is begun. */
	setup(state);
	chip.free_bytes = 4 * (16 + 2) - 1;
	assert_int_equal(cw_lan9118_send(frame, 64), CW_EFULL);
	assert_int_equal(chip.out_len, 0);
	chip.free_bytes++;
	assert_int_equal(cw_lan9118_send(frame, 64), 0);
}

static void
test_irq(void **state)
{
	(void)state;
	chip.int_sts = 0xffffffff;
	cw_lan9118_irq_start();
	assert_int_equal(chip.int_sts, 0);
	assert_int_equal(chip.int_en, 0x8);
	assert_int_equal(chip.irq_cfg, 0x111);
	chip.int_sts = 0x9;
	cw_lan9118_irq_ack();
	assert_int_equal(chip.int_sts, 0x1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_recv),
		cmocka_unit_test(test_send),
		cmocka_unit_test_setup(test_irq, setup),
	};

	return cmocka_run_group_tests_name("board/lan9118", tests, NULL, NULL);
}
