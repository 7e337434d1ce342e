/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boards/chip/w5300/w5300.h"
#include "cw/err.h"

/*
 * The driver over a small model of the chip: registers as memory, commands that
 * change the state, a FIFO per direction.  What the data sheet demands of the
 * order of accesses is asserted; the whole chip is the virtual board's.
 */
static struct chip {
	uint16_t reg[0x400 / 2];
	bool absent, stuck;
	int32_t rsr_shift;	/* RX_RSR changes under the reader so often */
	uint8_t in[4096], out[4096];
	size_t in_len, in_off, out_len;
	char cmds[64];		/* commands in order, one letter each */
} chip;

static uint32_t
sock_of(uint32_t reg)
{
	return (reg - 0x200) / 0x40;
}

static void
log_cmd(char c)
{
	size_t n = strlen(chip.cmds);

	assert_true(n < sizeof chip.cmds - 1);
	chip.cmds[n] = c;
}

static void
do_command(uint32_t n, uint16_t cmd)
{
	uint16_t *ssr = &chip.reg[CW_W5300_SN(CW_W5300_SN_SSR, n) / 2];
	uint16_t mode = chip.reg[CW_W5300_SN(CW_W5300_SN_MR, n) / 2] & 0x0f;

	switch (cmd) {
	case CW_W5300_OPEN:
		log_cmd('O');
		assert_int_equal(*ssr, CW_W5300_CLOSED);
		*ssr = mode == CW_W5300_TCP ? CW_W5300_INIT : CW_W5300_UDP_OPEN;
		break;
	case CW_W5300_LISTEN:
		log_cmd('L');
		assert_int_equal(*ssr, CW_W5300_INIT);
		*ssr = CW_W5300_LISTENING;
		break;
	case CW_W5300_CLOSE:
		log_cmd('C');
		*ssr = CW_W5300_CLOSED;
		break;
	case CW_W5300_DISCON:
		log_cmd('D');
		break;
	case CW_W5300_SEND:
		log_cmd('S');
		break;
	case CW_W5300_RECV:
		log_cmd('R');
		break;
	default:
		fail();
	}
}

uint16_t
cw_w5300_bus_get(uint32_t reg)
{
	uint32_t r = reg >= 0x200 ? 0x200 + (reg & 0x3f) : reg;
	uint32_t left = (uint32_t)(chip.in_len - chip.in_off);
	uint16_t v;

	if (chip.absent)
		return 0xffff;
	switch (r) {
	case CW_W5300_IDR:
		return CW_W5300_ID;
	case CW_W5300_SN_RX_RSR:
		if (chip.rsr_shift > 0)
			left += (uint32_t)chip.rsr_shift-- * 0x10000u;
		return (uint16_t)(left >> 16);
	case CW_W5300_SN_RX_RSR + 2:
		return (uint16_t)left;
	case CW_W5300_SN_RX_FIFOR:
		assert_true(left >= 2);
		/* FS: first byte of the pair in the low half */
		v = (uint16_t)(chip.in[chip.in_off] | chip.in[chip.in_off + 1] << 8);
		chip.in_off += 2;
		return v;
	default:
		return chip.reg[reg / 2];
	}
}

void
cw_w5300_bus_put(uint32_t reg, uint16_t val)
{
	uint32_t r = reg >= 0x200 ? 0x200 + (reg & 0x3f) : reg;

	assert_true(reg < 0x400 && reg % 2 == 0);
	if (r == CW_W5300_SN_IR) {
		chip.reg[reg / 2] &= (uint16_t)~val;
	} else if (r == CW_W5300_SN_CR) {
		do_command(sock_of(reg), val);
		chip.reg[reg / 2] = chip.stuck ? val : 0;
	} else if (r == CW_W5300_MR && (val & CW_W5300_MR_RST) != 0) {
		memset(chip.reg, 0, sizeof chip.reg);
		chip.reg[0] = 0xb800;
	} else {
		chip.reg[reg / 2] = val;
	}
}

void
cw_w5300_bus_fifo_get(uint32_t reg, uint8_t *buf, size_t len)
{
	size_t i;
	uint16_t v;

	for (i = 0; i < len; i += 2) {
		v = cw_w5300_bus_get(reg);
		buf[i] = (uint8_t)v;
		if (i + 1 < len)
			buf[i + 1] = (uint8_t)(v >> 8);
	}
}

void
cw_w5300_bus_fifo_put(uint32_t reg, const uint8_t *buf, size_t len)
{
	assert_int_equal((reg & 0x3f) + 0x200, CW_W5300_SN_TX_FIFOR);
	memcpy(chip.out + chip.out_len, buf, len);
	chip.out_len += len;
}

static const struct cw_w5300_config config = {
	.mac = { 2, 0, 0, 0x12, 0x34, 0x56 },
	.tx_kib = { 8, 8, 8, 0, 0, 0, 4, 4 },
	.rx_kib = { 28, 28, 28, 0, 0, 0, 6, 6 },
	.retry_100us = 2000, .retry_cnt = 5,
};
static struct cw_w5300 w;

static int
fresh(void **state)
{
	(void)state;
	memset(&chip, 0, sizeof chip);
	memset(&w, 0, sizeof w);
	return 0;
}

/* A segment as the chip's memory has it: length, data, padding. */
static void
segment(const void *data, uint16_t len)
{
	chip.in[chip.in_len++] = (uint8_t)(len >> 8);
	chip.in[chip.in_len++] = (uint8_t)len;
	memcpy(chip.in + chip.in_len, data, len);
	chip.in_len += len;
	if (len % 2 != 0)
		chip.in[chip.in_len++] = 0xee;
}

static void
test_start(void **state)
{
	(void)state;
	assert_int_equal(cw_w5300_start(&w, &config), 0);
	/* timing bits kept, FIFO swapped, data held */
	assert_int_equal(chip.reg[CW_W5300_MR / 2], 0x3d00);
	assert_int_equal(chip.reg[CW_W5300_MTYPER / 2], 0x000f);
	assert_int_equal(chip.reg[CW_W5300_TMS01R / 2], 0x0808);
	assert_int_equal(chip.reg[CW_W5300_TMS01R / 2 + 3], 0x0404);
	assert_int_equal(chip.reg[CW_W5300_RMS01R / 2 + 1], 0x1c00);
	assert_int_equal(chip.reg[CW_W5300_SHAR / 2 + 2], 0x3456);
	assert_int_equal(chip.reg[CW_W5300_RTR / 2], 2000);
	assert_int_equal(chip.reg[CW_W5300_IMR / 2], 0xff);
}

static void
test_start_fails(void **state)
{
	struct cw_w5300_config bad = config;

	(void)state;
	chip.absent = true;
	assert_int_equal(cw_w5300_start(&w, &config), CW_EIO);
	chip.absent = false;
	bad.tx_kib[0] = 9;	/* sum 33: no whole block */
	assert_int_equal(cw_w5300_start(&w, &bad), CW_EINVAL);
	bad.tx_kib[0] = 16;	/* 40 + 96 */
	assert_int_equal(cw_w5300_start(&w, &bad), CW_EINVAL);
}

static void
test_listen(void **state)
{
	(void)state;
	cw_w5300_start(&w, &config);
	assert_int_equal(cw_w5300_listen(&w, 2, 7816, 10), 0);
	assert_string_equal(chip.cmds, "COL");
	assert_int_equal(cw_w5300_state(2), CW_W5300_LISTENING);
	assert_int_equal(chip.reg[0x28a / 2], 7816);
	assert_int_equal(chip.reg[0x29a / 2], 2);
	assert_int_equal(chip.reg[0x280 / 2], 0x21);
	chip.stuck = true;
	assert_int_equal(cw_w5300_listen(&w, 2, 7816, 10), CW_EIO);
}

/* Bytes come out as they went in, in pieces of any even size. */
static void
test_recv(void **state)
{
	static const uint8_t text[] = "0123456789abcdefghi";	/* 19: odd */
	uint8_t buf[64];
	size_t cap, n, got;

	(void)state;
	for (cap = 2; cap <= 64; cap += 2) {
		fresh(NULL);
		cw_w5300_start(&w, &config);
		memset(chip.cmds, 0, sizeof chip.cmds);
		segment(text, 19);
		segment(text, 4);
		chip.rsr_shift = 3;
		got = 0;
		while ((n = cw_w5300_recv(&w, 0, buf + got, got + cap > 64 ?
		    64 - got : cap)) > 0)
			got += n;
		assert_int_equal(got, 23);
		assert_memory_equal(buf, text, 19);
		assert_memory_equal(buf + 19, text, 4);
		assert_string_equal(chip.cmds, "RR");
		assert_int_equal(chip.in_off, chip.in_len);
	}
}

static void
test_send(void **state)
{
	(void)state;
	cw_w5300_start(&w, &config);
	chip.reg[CW_W5300_SN(CW_W5300_SN_TX_FSR, 1) / 2 + 1] = 8192;
	assert_int_equal(cw_w5300_room(1), 8192);
	assert_true(cw_w5300_drained(&w, 1));
	cw_w5300_send(1, (const uint8_t *)"hello", 5);
	assert_memory_equal(chip.out, "hello", 5);
	assert_int_equal(chip.reg[CW_W5300_SN(CW_W5300_SN_TX_WRSR, 1) / 2 + 1], 5);
	assert_string_equal(chip.cmds, "S");
	chip.reg[CW_W5300_SN(CW_W5300_SN_TX_FSR, 1) / 2 + 1] = 8187;
	assert_false(cw_w5300_drained(&w, 1));
}

static void
datagram(uint16_t len)
{
	static const uint8_t from[] = { 192, 0, 2, 7, 0x1e, 0x89 };
	uint16_t i;

	memcpy(chip.in + chip.in_len, from, 6);
	chip.in_len += 6;
	chip.in[chip.in_len++] = (uint8_t)(len >> 8);
	chip.in[chip.in_len++] = (uint8_t)len;
	for (i = 0; i < len + len % 2; i++)
		chip.in[chip.in_len++] = (uint8_t)i;
}

/* Whole, cut, odd: the next one begins where it should. */
static void
test_udp(void **state)
{
	struct cw_w5300_peer from;
	uint8_t buf[16];

	(void)state;
	cw_w5300_start(&w, &config);
	assert_int_equal(cw_w5300_udp_open(&w, 7, 68), 0);
	datagram(16);
	datagram(7);
	datagram(301);
	datagram(2);
	assert_int_equal(cw_w5300_udp_recv(&w, 7, &from, buf, sizeof buf), 16);
	assert_int_equal(from.port, 7817);
	assert_int_equal(from.ip[3], 7);
	assert_int_equal(cw_w5300_udp_recv(&w, 7, &from, buf, sizeof buf), 7);
	assert_int_equal(buf[6], 6);
	assert_int_equal(cw_w5300_udp_recv(&w, 7, &from, buf, sizeof buf), 16);
	assert_int_equal(cw_w5300_udp_recv(&w, 7, &from, buf, sizeof buf), 2);
	assert_int_equal(buf[1], 1);
	assert_int_equal(cw_w5300_udp_recv(&w, 7, &from, buf, sizeof buf), -1);
	from.ip[0] = 10;
	cw_w5300_udp_send(7, &from, (const uint8_t *)"abc", 3);
	assert_int_equal(chip.reg[CW_W5300_SN(CW_W5300_SN_DIPR, 7) / 2], 0x0a00);
	assert_int_equal(chip.reg[CW_W5300_SN(CW_W5300_SN_DPORTR, 7) / 2], 7817);
}

static void
test_events(void **state)
{
	(void)state;
	cw_w5300_start(&w, &config);
	chip.reg[CW_W5300_IR / 2] = 0x8004;
	chip.reg[CW_W5300_SN(CW_W5300_SN_IR, 2) / 2] = 0x15;
	assert_int_equal(cw_w5300_pending(), 4);
	assert_int_equal(cw_w5300_events(2), 0x15);
	assert_int_equal(cw_w5300_events(2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_start, fresh),
		cmocka_unit_test_setup(test_start_fails, fresh),
		cmocka_unit_test_setup(test_listen, fresh),
		cmocka_unit_test_setup(test_recv, fresh),
		cmocka_unit_test_setup(test_send, fresh),
		cmocka_unit_test_setup(test_udp, fresh),
		cmocka_unit_test_setup(test_events, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
