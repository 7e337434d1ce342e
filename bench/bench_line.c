/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Card-line utilisation of the T=0 engine.
 *
 * An image of 128 KiB goes to a card as case 3 APDUs of 255 bytes.  The line is
 * a virtual clock that counts etu: each character takes 12 (ISO/IEC 7816-3:2006,
 * 7.2 and 10.2: guard time 12 etu, both directions), the card answers at once.
 * So the time used depends on what the engine asks for and on nothing else, to
 * the etu.
 *
 * The limit is not typed in but computed: an APDU needs a header of 5, one
 * procedure byte, Lc data bytes and SW1 SW2: 12 * (Lc + 8) etu.
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

#define IMAGE_LEN (128u * 1024)
#define LC_MAX 255u
#define INS_WRITE 0xd0
#define CHAR_ETU 12u
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
	uint32_t card_sum, image_sum;
};

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
		lc = IMAGE_LEN - off < LC_MAX ? IMAGE_LEN - off : LC_MAX;
		apdu[2] = (uint8_t)(sum->apdus >> 8);
		apdu[3] = (uint8_t)sum->apdus;
		apdu[4] = (uint8_t)lc;
		memcpy(apdu + 5, image + off, lc);
		err = exchange(&l, &t, apdu, 5 + lc);
		if (err < 0)
			return err;
		sum->limit_etu += CHAR_ETU * (lc + 8);
		sum->apdus++;
	}
	sum->etu = l.etu;
	sum->card_sum = l.card.sum;
	for (off = 0; off < IMAGE_LEN; off++)
		sum->image_sum = sum->image_sum * 31 + image[off];
	return sum->card_sum == sum->image_sum &&
	    l.card.image_bytes == IMAGE_LEN ? 0 : CW_EDIGEST;
}

static double
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void
print_ratio(const char *what, unsigned int fi, unsigned int di, double used,
    double limit)
{
	printf("t0_line_%u_%u_%s %.1f etu %.0f %.6f\n", fi, di, what, used,
	    limit, limit / used);
}

int
main(void)
{
	static const struct {
		unsigned int fi, di;
	} speeds[] = {
		{ 372, 1 }, { 512, 8 }, { 512, 16 }, { 512, 32 }, { 512, 64 },
	};
	static uint8_t image[IMAGE_LEN];
	struct totals sum;
	double ns_per_apdu, worst = 1, start;
	unsigned int i;
	int err = 0;

	for (i = 0; i < IMAGE_LEN; i++)
		image[i] = (uint8_t)(i * 167 + (i >> 8));

	start = cpu_ns();
	for (i = 0; i < CPU_RUNS && err == 0; i++)
		err = burn(image, &sum);
	if (err < 0) {
		fprintf(stderr, "bench_line: the engine failed: %s\n",
		    cw_err_text(err));
		return 1;
	}
	ns_per_apdu = (cpu_ns() - start) / CPU_RUNS / (double)sum.apdus;
	printf("t0_engine_cpu_per_apdu %.0f ns - -\n", ns_per_apdu);

	for (i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
		double etu_ns = 1e9 * speeds[i].fi / speeds[i].di / CLK_HZ;
		double gap = ns_per_apdu / etu_ns * (double)sum.apdus;
		double used = (double)sum.etu;
		double limit = (double)sum.limit_etu;

		print_ratio("used", speeds[i].fi, speeds[i].di, used, limit);
		print_ratio("used_with_cpu", speeds[i].fi, speeds[i].di,
		    used + gap, limit);
		if (limit / (used + gap) < worst)
			worst = limit / (used + gap);
	}
	if (worst < GOAL) {
		fprintf(stderr, "bench_line: worst ratio %.6f is below the "
		    "goal of %.2f\n", worst, GOAL);
		return 1;
	}
	return 0;
}
