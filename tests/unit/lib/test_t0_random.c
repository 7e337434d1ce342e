/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/t0.h"

/*
 * Random cards.  Whatever a card sends, the engine must come to DONE or FAIL
 * within the bounds of cw/t0.h, and must stay within its buffers (which the
 * sanitizers watch: the buffers are exactly as large as it was told).
 *
 * CW_SEED=n replays from one seed on, CW_CARDS=n sets how many cards.
 */
#define NULL_MAX 20

/* xorshift64: Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t seed;
static uint64_t card_now;	/* 0: none under way */

static uint32_t
rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

/* A well-formed command of random kind and size; returns its length. */
static size_t
random_command(uint8_t *buf)
{
	static uint8_t data[65535];
	struct cw_apdu a = {
		.kind = (enum cw_apdu_case)rnd(7),
		.cla = (uint8_t)rnd(255), .p1 = (uint8_t)rnd(256),
		.data = data,
	};
	bool extended = a.kind >= CW_APDU_2E;
	int len;

	do
		a.ins = (uint8_t)rnd(256);
	while (a.ins >> 4 == 6 || a.ins >> 4 == 9);
	if (a.kind == CW_APDU_3S || a.kind == CW_APDU_4S)
		a.lc = 1 + rnd(255);
	if (a.kind == CW_APDU_3E || a.kind == CW_APDU_4E)
		a.lc = 1 + rnd(rnd(8) == 0 ? 65535 : 800);
	if (a.kind == CW_APDU_2S || a.kind == CW_APDU_4S)
		a.le = 1 + rnd(256);
	if (a.kind == CW_APDU_2E || a.kind == CW_APDU_4E)
		a.le = 1 + rnd(rnd(8) == 0 ? 65536 : 800);
	len = cw_apdu_build(&a, buf, CW_APDU_CMD_MAX);
	assert_true(len >= (extended ? 7 : 4));
	return (size_t)len;
}

/*
 * What a card may say next: mostly something that keeps the engine going (the
 * more so, the more devious), sometimes anything.
 */
static uint8_t
random_byte(uint8_t ins, uint32_t wild)
{
	static const uint8_t status[] = {
		0x61, 0x61, 0x61, 0x6c, 0x6c, 0x90, 0x90, 0x6d, 0x9f, 0x00,
	};

	if (rnd(1000) < wild)
		return (uint8_t)rnd(256);
	switch (rnd(8)) {
	case 0:
		return 0x60;
	case 1:
		return (uint8_t)~ins;
	case 2:
	case 3:
		return status[rnd(sizeof status)];
	default:
		return ins;
	}
}

/*
 * The bounds of a command: its TPDUs are ENVELOPEs (or itself) and GET RESPONSE
 * rounds, each repeated once for 6Cxx.  Within one TPDU each RECV takes at least
 * a character: 256 data bytes, as many acknowledgements, idle ones, SW1 SW2,
 * and before each procedure byte at most NULL_MAX NULLs.
 */
static unsigned long
steps_max(size_t len)
{
	unsigned long tpdus = len / 255 + 2 + 2 * (CW_T0_ROUND_MAX + 1);
	unsigned long procedure = 256 + CW_T0_IDLE_MAX + 3;

	/* A character that is sent can take three more steps to be refused. */
	return tpdus * (procedure * (NULL_MAX + 1) + 2 * 256 +
	    (CW_T0_REPEAT_MAX + 1) * (5 + 256));
}

struct card {
	uint32_t wild;		/* bytes out of a thousand that are anything */
	uint32_t refuses;	/* SENDs out of a hundred that are refused */
	uint8_t ins;
};

/* One step with a random event; the card's bytes die with the call. */
static void
random_step(struct cw_t0 *t, struct card *c, struct cw_tpdu_out *out)
{
	struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };
	uint8_t *bytes = NULL;
	size_t i;

	if (out->want == CW_TPDU_SEND) {
		assert_true(out->tx_len > 0 && out->tx_len <= 255);
		if (t->tx_off == 0 && out->tx_len == 5)
			c->ins = out->tx[1];
		if (rnd(100) < c->refuses) {
			ev.kind = CW_TPDU_EV_NACK;
			ev.idx = rnd((uint32_t)out->tx_len);
		}
	} else if (rnd(20000) == 0) {
		ev.kind = rnd(2) ? CW_TPDU_EV_TIMEOUT : CW_TPDU_EV_PARITY;
	} else {
		ev.kind = CW_TPDU_EV_RX;
		assert_true(out->rx_max > 0 && out->rx_max <= 258);
		ev.len = 1 + rnd((uint32_t)out->rx_max);
		bytes = malloc(ev.len);
		assert_non_null(bytes);
		for (i = 0; i < ev.len; i++)
			bytes[i] = random_byte(c->ins, c->wild);
		ev.buf = bytes;
	}
	cw_t0_step(t, &ev, out);
	free(bytes);
}

/* Returns the end's err, 0 for DONE. */
static int
one_card(void)
{
	static uint8_t command[CW_APDU_CMD_MAX];
	struct cw_t0_cfg cfg = {
		.wt_etu = 9600, .null_max = NULL_MAX,
		.manual_get = rnd(8) == 0,
	};
	struct card card = {
		.wild = rnd(3) == 0 ? 1000 : rnd(20), .refuses = rnd(4) * 8,
	};
	size_t len = random_command(command);
	size_t cap = rnd(4) == 0 ? 2 + rnd(300) : CW_APDU_RSP_MAX;
	uint8_t *apdu = malloc(len);
	uint8_t *rsp = malloc(cap);
	unsigned long steps, limit = steps_max(len);
	struct cw_tpdu_out out;
	struct cw_t0 t = { 0 };

	assert_non_null(apdu);
	assert_non_null(rsp);
	memcpy(apdu, command, len);
	assert_int_equal(cw_t0_start(&t, &cfg, apdu, len, rsp, cap, &out), 0);
	for (steps = 0; out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV;
	    steps++) {
		assert_true(steps < limit);
		random_step(&t, &card, &out);
	}

	if (out.want == CW_TPDU_DONE) {
		assert_true(out.rsp_len >= 2 && out.rsp_len <= cap);
		assert_true(out.rsp_len - 2 <= t.cmd.le);
		assert_true(rsp[out.rsp_len - 2] >> 4 == 6 ||
		    rsp[out.rsp_len - 2] >> 4 == 9);
	} else {
		assert_int_equal(out.want, CW_TPDU_FAIL);
		assert_true(out.err == CW_ETIMEOUT || out.err == CW_EPARITY ||
		    out.err == CW_EPROTO || out.err == CW_EFULL);
	}
	free(apdu);
	free(rsp);
	return out.want == CW_TPDU_DONE ? 0 : out.err;
}

static void
random_cards(void **state)
{
	const char *seed_text = getenv("CW_SEED");
	const char *cards_text = getenv("CW_CARDS");
	uint64_t first = seed_text ? strtoull(seed_text, NULL, 0) : 1;
	uint64_t cards = cards_text ? strtoull(cards_text, NULL, 0) : 60000;
	unsigned long seen[32] = { 0 };
	uint64_t i;

	(void)state;
	for (i = first; i < first + cards; i++) {
		card_now = i;
		seed = i * 0x9e3779b97f4a7c15u | 1;
		seen[-one_card()]++;
	}
	card_now = 0;

	/* A random test that always ends the same way tests nothing. */
	if (seed_text != NULL || cards_text != NULL)
		return;
	assert_true(seen[0] > cards / 20);
	assert_true(seen[-CW_EPROTO] > cards / 20);
	assert_true(seen[-CW_ETIMEOUT] > 0);
	assert_true(seen[-CW_EPARITY] > 0);
	assert_true(seen[-CW_EFULL] > 0);
}

/* A failed assertion leaves the card under way behind: say how to replay it. */
static int
name_the_card(void **state)
{
	(void)state;
	if (card_now != 0)
		print_error("replay with CW_SEED=%llu CW_CARDS=1\n",
		    (unsigned long long)card_now);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(random_cards, name_the_card),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
