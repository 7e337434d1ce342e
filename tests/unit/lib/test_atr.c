/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/atr.h"
#include "cw/bytes.h"
#include "cw/err.h"

/*
 * Answers of cards on the market.  Origin: the public list of pcsc-tools
 * (smartcard_list.txt), for the first also pySim's card model, for the fourth a
 * transcript of a card shell.  The last three are made by hand for what no card
 * at hand shows.
 */
static const struct {
	const char *name;
	const char *hex;
	struct cw_atr want;
} cards[] = {
	{ "sysmoUSIM-SJS1",
	  "3b9f96801fc78031a073be21136743200718000001a5",
	  { .protocols = 1, .has_ta1 = true, .ta1 = 0x96, .wi = 10,
	    .has_t15 = true, .ta15 = 0xc7, .ifsc = 32, .bwi = 4, .cwi = 13,
	    .hist_len = 15 } },
	{ "sysmoISIM-SJA2",
	  "3b9f96801f878031e073fe211b674a4c753034054ba9",
	  { .protocols = 1, .has_ta1 = true, .ta1 = 0x96, .wi = 10,
	    .has_t15 = true, .ta15 = 0x87, .ifsc = 32, .bwi = 4, .cwi = 13,
	    .hist_len = 15 } },
	{ "Swisscom 3G SIM",
	  "3bff9500ffc00a1f438031e073362113574a3320073341411f",
	  { .protocols = 1, .has_ta1 = true, .ta1 = 0x95, .tc1 = 0xff,
	    .wi = 10, .has_t15 = true, .ta15 = 0x43, .ifsc = 32, .bwi = 4,
	    .cwi = 13, .hist_len = 15 } },
	{ "JCOP 41 v2.2.1",
	  "3bfa1300008131fe454a434f5034315632323196",
	  { .protocols = 2, .first_t = 1, .has_ta1 = true, .ta1 = 0x13,
	    .wi = 10, .ifsc = 254, .bwi = 4, .cwi = 5, .hist_len = 10 } },
	{ "Estonian identity card, warm reset: T=0 and T=1",
	  "3bfe1800008031fe45803180664090a4162a00830f9000ef",
	  { .protocols = 3, .has_ta1 = true, .ta1 = 0x18, .wi = 10,
	    .ifsc = 254, .bwi = 4, .cwi = 5, .hist_len = 14 } },
	{ "Oberthur Cosmo 64 RSA v5.4: T=0 only, no TCK, TD1 absent",
	  "3b7b1800000031c06477e91000019000",
	  { .protocols = 1, .has_ta1 = true, .ta1 = 0x18, .wi = 10,
	    .ifsc = 32, .bwi = 4, .cwi = 13, .hist_len = 11 } },
	{ "by hand: the least",
	  "3b00",
	  { .protocols = 1, .ta1 = 0x11, .wi = 10, .ifsc = 32, .bwi = 4,
	    .cwi = 13 } },
	{ "by hand: inverse, specific mode, WI 20",
	  "3fd09505508014",
	  { .convention = CW_INVERSE, .protocols = 1, .has_ta1 = true,
	    .ta1 = 0x95, .tc1 = 0x05, .specific = true, .ta2 = 0x80,
	    .wi = 0x14, .ifsc = 32, .bwi = 4, .cwi = 13 } },
	{ "by hand: T=1 with CRC, all reserved values, first group counts",
	  "3b8081f100a5017120110014",
	  { .protocols = 2, .first_t = 1, .ta1 = 0x11, .wi = 10, .ifsc = 32,
	    .bwi = 4, .cwi = 13, .crc = true } },
};

#define CARD_CNT (sizeof cards / sizeof cards[0])

/* Logical bytes of a card. */
static size_t
card_bytes(size_t i, uint8_t buf[CW_ATR_MAX])
{
	int len = cw_unhex(buf, CW_ATR_MAX, cards[i].hex,
	    strlen(cards[i].hex));

	assert_true(len >= 2);
	return (size_t)len;
}

/* As the line delivers them under the direct convention. */
static uint8_t
raw_char(size_t i, uint8_t logical)
{
	return cards[i].want.convention == CW_INVERSE ?
	    cw_atr_invert(logical) : logical;
}

static void
real_cards(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < CARD_CNT; i++) {
		uint8_t buf[CW_ATR_MAX];
		size_t len = card_bytes(i, buf);
		const struct cw_atr *w = &cards[i].want;
		struct cw_atr a;

		print_message("%s\n", cards[i].name);
		assert_int_equal(cw_atr_parse(&a, buf, len), 0);
		assert_int_equal(a.convention, w->convention);
		assert_int_equal(a.raw_len, len);
		assert_memory_equal(a.raw, buf, len);
		assert_int_equal(a.protocols, w->protocols);
		assert_int_equal(a.first_t, w->first_t);
		assert_int_equal(a.has_ta1, w->has_ta1);
		assert_int_equal(a.ta1, w->ta1);
		assert_int_equal(a.tc1, w->tc1);
		assert_int_equal(a.specific, w->specific);
		assert_int_equal(a.ta2, w->ta2);
		assert_int_equal(a.wi, w->wi);
		assert_int_equal(a.has_t15, w->has_t15);
		assert_int_equal(a.ta15, w->ta15);
		assert_int_equal(a.ifsc, w->ifsc);
		assert_int_equal(a.bwi, w->bwi);
		assert_int_equal(a.cwi, w->cwi);
		assert_int_equal(a.crc, w->crc);
		assert_int_equal(a.hist_len, w->hist_len);
	}
}

static void
historical_bytes(void **state)
{
	uint8_t buf[CW_ATR_MAX];
	struct cw_atr a;

	(void)state;
	assert_int_equal(cw_atr_parse(&a, buf, card_bytes(3, buf)), 0);
	assert_memory_equal(a.hist, "JCOP41V221", 10);
}

/* Every cut is short, every byte too many is refused, never read beyond. */
static void
every_cut(void **state)
{
	size_t i, len;

	(void)state;
	for (i = 0; i < CARD_CNT; i++) {
		uint8_t buf[CW_ATR_MAX + 1] = { 0 };
		size_t full = card_bytes(i, buf);
		struct cw_atr a;

		for (len = 0; len < full; len++)
			assert_int_equal(cw_atr_parse(&a, buf, len),
			    CW_ESHORT);
		assert_int_equal(cw_atr_parse(&a, buf, full + 1), CW_EFORMAT);
	}
}

/* Where there is a TCK, no single wrong bit after TS goes unnoticed. */
static void
every_bit(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		uint8_t buf[CW_ATR_MAX];
		size_t len = card_bytes(i, buf);
		size_t bit;

		for (bit = 8; bit < 8 * len; bit++) {
			struct cw_atr a;

			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_true(cw_atr_parse(&a, buf, len) < 0);
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void
wrong_tck(void **state)
{
	uint8_t buf[CW_ATR_MAX];
	size_t len = card_bytes(0, buf);
	struct cw_atr a;

	(void)state;
	buf[len - 1] ^= 0x01;
	assert_int_equal(cw_atr_parse(&a, buf, len), CW_ECRC);
}

static void
malformed(void **state)
{
	uint8_t buf[40];
	struct cw_atr a;

	(void)state;
	assert_int_equal(cw_atr_parse(&a, (const uint8_t *)"\x3c\x00", 2),
	    CW_EFORMAT);
	assert_int_equal(cw_atr_parse(&a, (const uint8_t *)"\x03\x00", 2),
	    CW_EFORMAT);
	/* T=15 as the first protocol */
	assert_int_equal(cw_atr_parse(&a,
	    (const uint8_t *)"\x3b\x80\x0f\x8f", 4), CW_EFORMAT);
	/* a chain of TDs longer than an ATR may be */
	memset(buf, 0x80, sizeof buf);
	buf[0] = 0x3b;
	assert_int_equal(cw_atr_parse(&a, buf, sizeof buf), CW_EFORMAT);
	assert_int_equal(cw_atr_parse(&a, buf, CW_ATR_MAX), CW_ESHORT);
}

/*
 * The collector stops exactly at the end, under both conventions, and what it
 * promises (want - len) is never more than what comes.
 */
static void
collect(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < CARD_CNT; i++) {
		uint8_t buf[CW_ATR_MAX];
		size_t len = card_bytes(i, buf);
		struct cw_atr_rx rx;

		cw_atr_rx_init(&rx);
		for (k = 0; k < len; k++) {
			int more;

			assert_true(rx.want > rx.len);
			assert_true(rx.want <= len);
			more = cw_atr_rx_push(&rx, raw_char(i, buf[k]));
			assert_int_equal(more, k + 1 < len);
		}
		assert_int_equal(rx.len, len);
		assert_int_equal(rx.convention, cards[i].want.convention);
		assert_memory_equal(rx.buf, buf, len);
	}
}

static void
collect_bad_ts(void **state)
{
	unsigned int ts;

	(void)state;
	for (ts = 0; ts < 256; ts++) {
		struct cw_atr_rx rx;
		int want = ts == 0x3b || ts == 0x03 ? 1 : CW_EFORMAT;

		cw_atr_rx_init(&rx);
		assert_int_equal(cw_atr_rx_push(&rx, (uint8_t)ts), want);
	}
}

/* A card that never stops announcing is cut off at 33. */
static void
collect_endless(void **state)
{
	struct cw_atr_rx rx;
	unsigned int n = 1;
	int more;

	(void)state;
	cw_atr_rx_init(&rx);
	assert_int_equal(cw_atr_rx_push(&rx, 0x3b), 1);
	do {
		more = cw_atr_rx_push(&rx, 0xf0);
		n++;
		assert_true(n <= CW_ATR_MAX);
	} while (more == 1);
	assert_int_equal(more, CW_ETOOBIG);

	/* And stays so, whatever is pushed. */
	assert_int_equal(cw_atr_rx_push(&rx, 0x00), CW_ETOOBIG);
}

/* 33 in all is allowed: TS, T0, 4 + 4 + 4 + 3 interface bytes, 15, TCK. */
static void
collect_longest(void **state)
{
	uint8_t buf[CW_ATR_MAX] = { 0x3b, 0xff, 0x11, 0, 0, 0xf0, 0, 0, 0x0a,
	    0xf1, 0xfe, 0x45, 0, 0x7f, 0xc7, 0, 0 };
	struct cw_atr_rx rx;
	struct cw_atr a;
	size_t k;

	(void)state;
	for (k = 1; k < CW_ATR_MAX - 1; k++)
		buf[CW_ATR_MAX - 1] ^= buf[k];
	cw_atr_rx_init(&rx);
	for (k = 0; k < CW_ATR_MAX; k++)
		assert_int_equal(cw_atr_rx_push(&rx, buf[k]),
		    k + 1 < CW_ATR_MAX);
	assert_int_equal(cw_atr_rx_push(&rx, 0x00), CW_ETOOBIG);
	assert_int_equal(rx.len, CW_ATR_MAX);
	assert_int_equal(cw_atr_parse(&a, rx.buf, rx.len), 0);
	assert_int_equal(a.protocols, 3);
	assert_int_equal(a.ta15, 0xc7);
	assert_int_equal(a.ifsc, 0xfe);
	assert_int_equal(a.hist_len, 15);
}

static void
inversion(void **state)
{
	unsigned int v;

	(void)state;
	assert_int_equal(cw_atr_invert(0x03), 0x3f);
	assert_int_equal(cw_atr_invert(0xff), 0x00);
	assert_int_equal(cw_atr_invert(0x01), 0x7f);
	for (v = 0; v < 256; v++)
		assert_int_equal(cw_atr_invert(cw_atr_invert((uint8_t)v)), v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_cards),
		cmocka_unit_test(historical_bytes),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(wrong_tck),
		cmocka_unit_test(malformed),
		cmocka_unit_test(collect),
		cmocka_unit_test(collect_bad_ts),
		cmocka_unit_test(collect_endless),
		cmocka_unit_test(collect_longest),
		cmocka_unit_test(inversion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
