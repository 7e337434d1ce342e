/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/t1.h"
#include "sim/card_t1.h"

/*
 * The reader's T=1 engine against the card's, with a bad line in between:
 * characters change, vanish and appear, whole blocks are lost, in both
 * directions.  Each command must end in the right answer or in an error, and
 * the card must have carried it out at most once: exactly once when there is
 * an answer.
 *
 * Only what parity or EDC can show is done: a changed character has a wrong
 * parity, and NAD, PCB and LEN do not vanish (then LEN would be another byte, and
 * an LRC over the wrong span is right once in 256).
 *
 * CW_SEED=n replays from one seed on, CW_CARDS=n sets how many cards.
 */
#define CMD_CAP 4000
#define RSP_CAP 2600

/* xorshift64: Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t seed;
static uint64_t card_now;

static uint32_t
rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

struct rig {
	struct cw_t1 t;
	struct cw_tpdu_out out;
	struct cw_card_t1 card;
	uint8_t cmd[CMD_CAP], rsp[RSP_CAP];	/* the card's */
	size_t rsp_len;
	unsigned int done_cnt;	/* commands carried out */
	uint32_t wtx;		/* S(WTX) out of a hundred answers */
	uint32_t fault;		/* faults in ten thousand characters */
	uint32_t lose;		/* blocks lost, in a thousand */

	uint8_t air[CW_T1_BLOCK_MAX + 40];	/* of the card, on its way */
	bool bad[CW_T1_BLOCK_MAX + 40];
	size_t air_len, air_off;
};

/* The answer that a command must have: it depends on every byte of it. */
static size_t
answer_of(const uint8_t *cmd, size_t len, uint8_t *rsp)
{
	struct cw_apdu a;
	uint32_t v = 1, i;

	assert_int_equal(cw_apdu_parse(&a, cmd, len), 0);
	for (i = 0; i < len; i++)
		v = v * 31 + cmd[i];
	for (i = 0; i < a.le; i++)
		rsp[i] = (uint8_t)((v = v * 1664525 + 1013904223) >> 24);
	rsp[a.le] = 0x90;
	rsp[a.le + 1] = 0x00;
	return a.le + 2;
}

/* What the card says goes on its way, and not all of it arrives. */
static void
card_says(struct rig *r)
{
	size_t i;

	r->air_len = r->air_off = 0;
	if (rnd(1000) < r->lose)
		return;
	for (i = 0; i < r->card.out_len; i++) {
		uint8_t ch = r->card.out[i];
		bool bad = false;

		if (rnd(10000) < r->fault) {
			uint32_t what = rnd(3);

			if (what == 0 && i >= 3)
				continue;
			bad = true;
			if (what < 2) {
				ch ^= (uint8_t)(1u << rnd(8));
			} else {
				r->air[r->air_len] = (uint8_t)rnd(256);
				r->bad[r->air_len++] = true;
			}
		}
		r->air[r->air_len] = ch;
		r->bad[r->air_len++] = bad;
		if (r->air_len > sizeof r->air - 2)
			return;
	}
}

static void
card_does(struct rig *r, enum cw_card_t1_what what)
{
	if (what == CW_CARD_T1_MORE)
		return;
	if (what == CW_CARD_T1_EXEC) {
		assert_false(r->card.too_long);
		r->done_cnt++;
		r->rsp_len = answer_of(r->cmd, r->card.cmd_len, r->rsp);
		cw_card_t1_answer(&r->card, r->rsp, r->rsp_len);
		if (rnd(100) < r->wtx)
			cw_card_t1_ask_time(&r->card, (uint8_t)(1 + rnd(9)));
	}
	card_says(r);
}

static void
reader_sends(struct rig *r)
{
	enum cw_card_t1_what what = CW_CARD_T1_MORE;
	size_t i;

	r->air_len = r->air_off = 0;
	if (rnd(1000) < r->lose)
		return;
	for (i = 0; i < r->out.tx_len; i++) {
		uint8_t ch = r->out.tx[i];
		bool bad = rnd(10000) < r->fault;

		if (bad && i >= 3 && rnd(2) == 0)
			continue;
		if (bad)
			ch ^= (uint8_t)(1u << rnd(8));
		what = cw_card_t1_take(&r->card, ch, bad);
		if (what != CW_CARD_T1_MORE)
			break;
	}
	if (what == CW_CARD_T1_MORE)
		what = cw_card_t1_silence(&r->card);
	card_does(r, what);
}

static void
step(struct rig *r)
{
	struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };
	uint8_t buf[CW_T1_BLOCK_MAX];
	size_t n = r->air_len - r->air_off, i;

	if (r->out.want == CW_TPDU_SEND) {
		assert_in_range(r->out.tx_len, 4, CW_T1_BLOCK_MAX);
		reader_sends(r);
	} else if (n == 0) {
		ev.kind = CW_TPDU_EV_TIMEOUT;
	} else {
		assert_in_range(r->out.rx_max, 1, CW_T1_BLOCK_MAX);
		n = n < r->out.rx_max ? n : r->out.rx_max;
		n = 1 + rnd((uint32_t)n);
		for (i = 0; i < n; i++) {
			buf[i] = r->air[r->air_off];
			ev.bad_cnt += r->bad[r->air_off++];
		}
		ev.kind = CW_TPDU_EV_RX;
		ev.buf = buf;
		ev.len = n;
	}
	cw_t1_step(&r->t, &ev, &r->out);
}

static void
power_up(struct rig *r, bool crc)
{
	struct cw_card_t1_cfg card = {
		.crc = crc, .ifsc = (uint8_t)(1 + rnd(254)),
		.cmd = r->cmd, .cmd_cap = CMD_CAP,
	};
	struct cw_t1_cfg cfg = {
		.bwt_etu = 15371, .cwt_etu = 8203, .ifsc = card.ifsc,
		.ifsd = (uint8_t)(1 + rnd(254)), .crc = crc,
	};

	memset(r, 0, sizeof *r);
	r->wtx = rnd(3) * 20;
	cw_card_t1_init(&r->card, &card);
	cw_t1_init(&r->t, &cfg);
}

static size_t
random_command(uint8_t *buf)
{
	static uint8_t data[CMD_CAP];
	struct cw_apdu a = {
		.kind = (enum cw_apdu_case)rnd(7), .cla = 0x80, .ins = 0xd6,
		.p1 = (uint8_t)rnd(256), .p2 = (uint8_t)rnd(256), .data = data,
	};
	bool extended = a.kind >= CW_APDU_2E;
	uint32_t i;
	int len;

	if (a.kind != CW_APDU_1 && a.kind != CW_APDU_2S && a.kind != CW_APDU_2E)
		a.lc = 1 + rnd(extended ? 1500 : 255);
	if (a.kind != CW_APDU_1 && a.kind != CW_APDU_3S && a.kind != CW_APDU_3E)
		a.le = 1 + rnd(extended ? 2000 : 256);
	for (i = 0; i < a.lc; i++)
		data[i] = (uint8_t)rnd(256);
	len = cw_apdu_build(&a, buf, CMD_CAP);
	assert_true(len > 0);
	return (size_t)len;
}

/* 0 or why not. */
static int
one_command(struct rig *r)
{
	static uint8_t cmd[CMD_CAP], rsp[RSP_CAP], want[RSP_CAP];
	unsigned int before = r->done_cnt;
	size_t len = random_command(cmd), want_len, i;

	assert_int_equal(cw_t1_start(&r->t, cmd, len, rsp, sizeof rsp, &r->out),
	    0);
	for (i = 0; r->out.want == CW_TPDU_SEND || r->out.want == CW_TPDU_RECV;
	    i++) {
		assert_true(i < 4000000);
		step(r);
	}
	if (r->out.want == CW_TPDU_FAIL) {
		assert_true(r->out.err < 0);
		assert_in_range(r->done_cnt - before, 0, 1);
		return r->out.err;
	}
	assert_int_equal(r->done_cnt - before, 1);
	want_len = answer_of(cmd, len, want);
	assert_int_equal(r->out.rsp_len, want_len);
	assert_memory_equal(rsp, want, want_len);
	return 0;
}

struct totals {
	unsigned long commands, right, err[32], repeated, resynch;
};

static void
one_card(struct totals *sum)
{
	static struct rig r;
	unsigned int i;
	int err;

	power_up(&r, rnd(2) == 0);
	r.fault = rnd(3) * 30;
	r.lose = rnd(3) * 40;
	for (i = 0; i < 6; i++) {
		err = one_command(&r);
		sum->commands++;
		sum->err[-err]++;
		sum->right += err == 0;
		if (err < 0)
			break;
	}
	sum->repeated += r.t.repeated_cnt;
	sum->resynch += r.t.resync_cnt;
}

static void
random_lines(void **state)
{
	const char *seed_text = getenv("CW_SEED");
	const char *cards_text = getenv("CW_CARDS");
	uint64_t first = seed_text ? strtoull(seed_text, NULL, 0) : 1;
	uint64_t cards = cards_text ? strtoull(cards_text, NULL, 0) : 4000;
	struct totals sum = { 0 };
	uint64_t i;

	(void)state;
	for (i = first; i < first + cards; i++) {
		card_now = i;
		seed = i * 0x9e3779b97f4a7c15u | 1;
		one_card(&sum);
	}
	card_now = 0;
	print_message("%lu commands: %lu right, %lu timeout, %lu parity, "
	    "%lu protocol; %lu repeated, %lu resynchronised\n", sum.commands,
	    sum.right, sum.err[-CW_ETIMEOUT], sum.err[-CW_EPARITY],
	    sum.err[-CW_EPROTO], sum.repeated, sum.resynch);
	if (seed_text != NULL || cards_text != NULL)
		return;
	assert_true(sum.right > sum.commands / 2);
	assert_true(sum.err[-CW_ETIMEOUT] > 0 && sum.err[-CW_EPARITY] > 0);
	assert_true(sum.repeated > cards && sum.resynch > 0);
	assert_int_equal(sum.err[-CW_EFULL], 0);
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
		cmocka_unit_test_teardown(random_lines, name_the_card),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
