/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card-line utilisation of the T=0 and T=1 engines.
 *
 * An image of 128 KiB goes to a card as case 3 APDUs, of 255 bytes in T=0 and of
 * 249 in T=1, where they fit one block of IFSC 254.  The line is a virtual clock
 * that counts etu: each character takes 12 in T=0 (ISO/IEC 7816-3:2006, 7.2 and
 * 10.2: guard time 12 etu, both directions); in T=1 it takes 11 (N = 255), and
 * from the last character of a block to the first of the next it takes 22 (BGT).
 * The card answers at once.  So the time used depends on what the engine asks
 * for and on nothing else, to the etu.
 *
 * The limits are not typed in but computed.  T=0: a header of 5, one procedure
 * byte, Lc data bytes and SW1 SW2, 12 * (Lc + 8) etu.  T=1: a block of Lc + 9 and
 * one of 6, 11 etu each and twice 11 more where the line turns.
 *
 * A second figure adds the engine's own CPU time as a gap in which the line
 * rests, at a card clock of 4.5 MHz.  It is measured on this host over the loop
 * of engine AND card model, so it is an upper bound.
 *
 * Prints "name value unit limit ratio", where ratio = limit / value.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cw/err.h"
#include "cw/t0.h"
#include "cw/t1.h"
#include "sim/card_t1.h"

#define IMAGE_LEN (128u * 1024)
#define LC_MAX 255u
#define INS_WRITE 0xd0
#define CHAR_ETU 12u
#define T1_LC_MAX 249u
#define T1_CHAR_ETU 11u
#define T1_TURN_ETU 11u		/* what BGT adds to the last character */
#define CLK_HZ 4500000.0
#define CPU_RUNS 200u
#define GOAL 0.99

/* The least card that takes WRITEs: one procedure byte, then SW1 SW2. */
struct card {
	unsigned int got;	/* characters of the command so far */
	unsigned int lc;
	uint8_t answer[2];
	unsigned int answer_len, answer_off;
	uint64_t image_bytes;
	uint32_t sum;		/* of the bytes taken: they must all be there */
};

struct line {
	struct card card;
	uint64_t etu;
};

static void
card_takes(struct card *c, const uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++, c->got++) {
		if (c->got == 4)
			c->lc = buf[i];
		if (c->got < 5)
			continue;
		c->image_bytes++;
		c->sum = c->sum * 31 + buf[i];
	}
	c->answer_off = 0;
	if (c->got == 5) {
		c->answer[0] = INS_WRITE;
		c->answer_len = 1;
	} else if (c->got == 5 + c->lc) {
		c->answer[0] = 0x90;
		c->answer[1] = 0x00;
		c->answer_len = 2;
		c->got = 0;
	}
}

/* The same card in T=1. */
struct block_line {
	struct cw_card_t1 card;
	uint8_t cmd[5 + T1_LC_MAX];
	bool says;
	size_t said;		/* of card.out */
	uint64_t etu, image_bytes;
	uint32_t sum;
};

static void
blocks_take(struct block_line *l, const uint8_t *buf, size_t len)
{
	static const uint8_t ok[2] = { 0x90, 0x00 };
	enum cw_card_t1_what what = CW_CARD_T1_MORE;
	size_t i;

	for (i = 0; i < len; i++)
		what = cw_card_t1_take(&l->card, buf[i], false);
	if (what == CW_CARD_T1_EXEC) {
		for (i = 5; i < l->card.cmd_len; i++) {
			l->image_bytes++;
			l->sum = l->sum * 31 + l->cmd[i];
		}
		cw_card_t1_answer(&l->card, ok, sizeof ok);
	}
	l->says = what != CW_CARD_T1_MORE;
	l->said = 0;
	l->etu += T1_CHAR_ETU * len + T1_TURN_ETU;
}

static size_t
blocks_say(struct block_line *l, size_t most, uint32_t wait_etu,
    const uint8_t **buf)
{
	size_t n = l->says ? l->card.out_len - l->said : 0;

	if (n > most)
		n = most;
	*buf = l->card.out + l->said;
	l->said += n;
	l->etu += n > 0 ? T1_CHAR_ETU * n : wait_etu;
	if (n > 0 && l->said == l->card.out_len)
		l->etu += T1_TURN_ETU;
	return n;
}

static int
exchange_blocks(struct block_line *l, struct cw_t1 *t, const uint8_t *apdu,
    size_t len)
{
	struct cw_tpdu_out out;
	uint8_t rsp[2];
	int err = cw_t1_start(t, apdu, len, rsp, sizeof rsp, &out);

	if (err < 0)
		return err;
	while (out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV) {
		struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };

		if (out.want == CW_TPDU_SEND) {
			blocks_take(l, out.tx, out.tx_len);
		} else {
			ev.len = blocks_say(l, out.rx_max, out.wait_etu,
			    &ev.buf);
			ev.kind = ev.len > 0 ? CW_TPDU_EV_RX :
			    CW_TPDU_EV_TIMEOUT;
		}
		cw_t1_step(t, &ev, &out);
	}
	if (out.want == CW_TPDU_FAIL)
		return out.err;
	return rsp[0] == 0x90 && rsp[1] == 0 ? 0 : CW_EPROTO;
}

/* One APDU through the engine; 0, or why not. */
static int
exchange(struct line *l, struct cw_t0 *t, const uint8_t *apdu, size_t len)
{
	static const struct cw_t0_cfg cfg = { .wt_etu = 9600 };
	struct cw_tpdu_out out;
	uint8_t rsp[2];
	int err = cw_t0_start(t, &cfg, apdu, len, rsp, sizeof rsp, &out);

	if (err < 0)
		return err;
	while (out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV) {
		struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };

		if (out.want == CW_TPDU_SEND) {
			card_takes(&l->card, out.tx, out.tx_len);
			l->etu += CHAR_ETU * out.tx_len;
		} else {
			struct card *c = &l->card;
			size_t n = c->answer_len - c->answer_off;

			/* Nobody sends what the engine waits for: WT runs
			 * out, and the figures show it. */
			ev.kind = n > 0 ? CW_TPDU_EV_RX : CW_TPDU_EV_TIMEOUT;
			ev.buf = c->answer + c->answer_off;
			ev.len = n < out.rx_max ? n : out.rx_max;
			c->answer_off += (unsigned int)ev.len;
			l->etu += n > 0 ? CHAR_ETU * ev.len : out.wait_etu;
		}
		cw_t0_step(t, &ev, &out);
	}
	if (out.want == CW_TPDU_FAIL)
		return out.err;
	return rsp[0] == 0x90 && rsp[1] == 0 ? 0 : CW_EPROTO;
}

struct totals {
	uint64_t etu, limit_etu, apdus;
};

static uint32_t
sum_of(const uint8_t *image)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < IMAGE_LEN; i++)
		sum = sum * 31 + image[i];
	return sum;
}

/* The n-th APDU: header and the next bytes of the image; its Lc. */
static size_t
next_apdu(uint8_t *apdu, const uint8_t *image, size_t off, size_t most)
{
	size_t lc = IMAGE_LEN - off < most ? IMAGE_LEN - off : most;

	apdu[2] = (uint8_t)(off / most >> 8);
	apdu[3] = (uint8_t)(off / most);
	apdu[4] = (uint8_t)lc;
	memcpy(apdu + 5, image + off, lc);
	return lc;
}

/* The whole image. 0, or why not. */
static int
burn(const uint8_t *image, struct totals *sum)
{
	struct line l = { .etu = 0 };
	struct cw_t0 t = { 0 };
	uint8_t apdu[5 + LC_MAX] = { 0x80, INS_WRITE };
	size_t off, lc;
	int err;

	memset(sum, 0, sizeof *sum);
	for (off = 0; off < IMAGE_LEN; off += lc) {
		lc = next_apdu(apdu, image, off, LC_MAX);
		err = exchange(&l, &t, apdu, 5 + lc);
		if (err < 0)
			return err;
		sum->limit_etu += CHAR_ETU * (lc + 8);
		sum->apdus++;
	}
	sum->etu = l.etu;
	return l.card.sum == sum_of(image) &&
	    l.card.image_bytes == IMAGE_LEN ? 0 : CW_EDIGEST;
}

/* The same in T=1; S(IFS) at the start counts as time used. */
static int
burn_blocks(const uint8_t *image, struct totals *sum)
{
	struct block_line l = { .etu = 0 };
	struct cw_card_t1_cfg card = { .ifsc = 254, .cmd = l.cmd,
	    .cmd_cap = sizeof l.cmd };
	struct cw_t1_cfg cfg = { .bwt_etu = 15371, .cwt_etu = 8203, .ifsc = 254,
	    .ifsd = 254 };
	struct cw_t1 t;
	uint8_t apdu[5 + T1_LC_MAX] = { 0x80, INS_WRITE };
	size_t off, lc;
	int err;

	memset(sum, 0, sizeof *sum);
	cw_card_t1_init(&l.card, &card);
	cw_t1_init(&t, &cfg);
	for (off = 0; off < IMAGE_LEN; off += lc) {
		lc = next_apdu(apdu, image, off, T1_LC_MAX);
		err = exchange_blocks(&l, &t, apdu, 5 + lc);
		if (err < 0)
			return err;
		sum->limit_etu += T1_CHAR_ETU * (lc + 9 + 6) + 2 * T1_TURN_ETU;
		sum->apdus++;
	}
	sum->etu = l.etu;
	return l.sum == sum_of(image) && l.image_bytes == IMAGE_LEN ?
	    0 : CW_EDIGEST;
}

static double
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

struct protocol {
	const char *name;
	int (*burn)(const uint8_t *image, struct totals *sum);
};

static void
print_ratio(const struct protocol *p, const char *what, const unsigned int fd[2],
    const double used[2])
{
	printf("%s_line_%u_%u_%s %.1f etu %.0f %.6f\n", p->name, fd[0], fd[1],
	    what, used[0], used[1], used[1] / used[0]);
}

/* Prints the figures of one protocol; its worst ratio, or -1. */
static double
measure(const struct protocol *p, const uint8_t *image)
{
	static const unsigned int speeds[][2] = {
		{ 372, 1 }, { 512, 8 }, { 512, 16 }, { 512, 32 }, { 512, 64 },
	};
	double ns_per_apdu, worst = 1, start = cpu_ns();
	struct totals sum;
	unsigned int i;
	int err = 0;

	for (i = 0; i < CPU_RUNS && err == 0; i++)
		err = p->burn(image, &sum);
	if (err < 0) {
		fprintf(stderr, "bench_line: the engine of %s failed: %s\n",
		    p->name, cw_err_text(err));
		return -1;
	}
	ns_per_apdu = (cpu_ns() - start) / CPU_RUNS / (double)sum.apdus;
	printf("%s_engine_cpu_per_apdu %.0f ns - -\n", p->name, ns_per_apdu);

	for (i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
		double etu_ns = 1e9 * speeds[i][0] / speeds[i][1] / CLK_HZ;
		double used[2] = { (double)sum.etu, (double)sum.limit_etu };

		print_ratio(p, "used", speeds[i], used);
		used[0] += ns_per_apdu / etu_ns * (double)sum.apdus;
		print_ratio(p, "used_with_cpu", speeds[i], used);
		if (used[1] / used[0] < worst)
			worst = used[1] / used[0];
	}
	return worst;
}

int
main(void)
{
	static const struct protocol protocols[] = {
		{ "t0", burn }, { "t1", burn_blocks },
	};
	static uint8_t image[IMAGE_LEN];
	double worst;
	unsigned int i;

	for (i = 0; i < IMAGE_LEN; i++)
		image[i] = (uint8_t)(i * 167 + (i >> 8));
	for (i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
		worst = measure(&protocols[i], image);
		if (worst < 0)
			return 1;
		if (worst < GOAL) {
			fprintf(stderr, "bench_line: worst ratio %.6f of %s is "
			    "below the goal of %.2f\n", worst,
			    protocols[i].name, GOAL);
			return 1;
		}
	}
	return 0;
}
