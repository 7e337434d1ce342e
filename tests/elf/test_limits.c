/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cw/boot.h"
#include "cw/outcome.h"
#include "cw/program.h"
#include "cw/sha256.h"
#include "fw.h"

/*
 * The firmware against its limits, in the virtual board's time: exact, and the
 * same in each run.  A figure is printed with what is asked here (its gate, a
 * little behind what is reached) and with the goal, which may be farther.
 */
static struct fw fw;
static const char *elf;

#define IMAGE_MAX (256u * 1024u)
static uint8_t image[IMAGE_MAX];
static struct cw_vb_stat before;	/* the present burn */

/* The network stands still for 50 ms of each second. */
#define FREEZE_MS 50u
#define PERIOD_MS 1000u

#define BOOT_MS 320

enum sense { AT_LEAST, AT_MOST };

static void
gate(const char *what, double value, enum sense sense, double ask, double goal)
{
	printf("%-46s %9.4f  asked %s %.4f, goal %.4f%s\n", what, value,
	    sense == AT_LEAST ? ">=" : "<=", ask, goal,
	    (sense == AT_LEAST ? value >= goal : value <= goal) ? "" : "  (not reached)");
	if (sense == AT_LEAST ? value < ask : value > ask)
		fail_msg("%s: %.4f", what, value);
}

static int
open_fw(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof image; i++)
		image[i] = (uint8_t)(i * 7 + (i >> 8));
	fw_open(&fw, elf);
	return 0;
}

static int
close_fw(void **state)
{
	(void)state;
	fw_close(&fw);
	return 0;
}

static void
step(uint32_t us, bool freeze)
{
	uint64_t ms = cw_vb_now(fw.rig.vb) / CW_VB_MS(1);

	if (freeze)
		cw_vb_cable(fw.rig.vb, ms % PERIOD_MS >= FREEZE_MS);
	fw_step_us(&fw, us);
}

struct phase {
	bool fast, loading;
	struct cw_vb_line_stat first;	/* when the speed of the load came in force */
	uint32_t clk_hz, etu_milliclk;
};

/* Until each slot has its result; what stood on the line when the load began. */
static void
run(struct phase *ph, int slots, bool freeze)
{
	struct cw_vb_line_stat st;
	int s, left = slots;

	while (left > 0) {
		step(ph[0].fast && ph[slots - 1].loading ? 1000 : 100, freeze);
		for (s = 0, left = slots; s < slots; s++) {
			left -= fw.done[s];
			if (ph[s].loading || fw.done[s])
				continue;
			cw_vb_line_stat(fw.rig.vb, s, &st);
			if (st.clk_hz == 0)
				continue;
			if (st.etu_milliclk != 372000 && !ph[s].fast) {
				ph[s].fast = true;
				ph[s].first = st;
			}
			ph[s].clk_hz = st.clk_hz;
			ph[s].etu_milliclk = st.etu_milliclk;
			ph[s].loading = st.sent >= 100;
		}
	}
}

static void
burn(const struct cw_sim_card_config *card, uint32_t len, struct phase *ph, int slots,
    bool freeze)
{
	static uint8_t prog[2000];
	struct cw_boot_job job = { .len = len, .block_len = 249 };
	struct cw_sim_card_config c = *card;
	struct cw_prog_builder b;
	int n, s;

	fw_store(&fw, image, len);
	cw_sha256(job.digest, image, len);
	cw_prog_start(&b, prog, sizeof prog);
	cw_boot_program(&b, &job);
	n = cw_prog_end(&b);
	assert_true(n > 0);
	c.flash_len = len;
	memset(ph, 0, (size_t)slots * sizeof *ph);
	for (s = 0; s < slots; s++)
		fw_insert(&fw, s, &c);
	cw_vb_stat(fw.rig.vb, &before);
	for (s = 0; s < slots; s++)
		fw_start(&fw, s, prog, (size_t)n);
	run(ph, slots, freeze);
	for (s = 0; s < slots; s++)
		assert_int_equal(fw.result[s].outcome, CW_OUT_GOOD);
}

/* Seconds of the card, its own work apart: what the line took, and the least. */
static double
card_ratio(const struct cw_vb_line_stat *st, const struct phase *ph)
{
	const struct cw_vb_line_stat *a = &ph->first;
	double slow = 372.0, fast = ph->etu_milliclk / 1e3, used, least;

	used = (double)(a->used - a->busy) * slow + (double)(st->used - st->busy -
	    (a->used - a->busy)) * fast;
	least = (double)a->least * slow + (double)(st->least - a->least) * fast;
	return used / (double)ph->clk_hz / (least / 5e6);
}

/* P1 and P2: a whole card on all lines at once, from the answer to reset on. */
static void
lines(uint8_t ta1, uint32_t len, double ask, double ask_turn, bool freeze)
{
	struct cw_sim_card_config c = { .ta1 = ta1 };
	struct phase ph[CW_VB_SLOTS];
	struct cw_vb_line_stat st;
	char what[80];
	double u, least = 2, worst = 0, turn = 0;
	int s;

	burn(&c, len, ph, CW_VB_SLOTS, freeze);
	for (s = 0; s < CW_VB_SLOTS; s++) {
		cw_vb_line_stat(fw.rig.vb, s, &st);
		assert_int_equal(st.violations, 0);
		u = (double)(st.least - ph[s].first.least) / (double)(st.used - st.busy -
		    (ph[s].first.used - ph[s].first.busy));
		least = u < least ? u : least;
		u = card_ratio(&st, &ph[s]);
		worst = u > worst ? u : worst;
		u = (double)st.gap_sum / 1e3 / (double)st.gaps + 12;
		turn = u > turn ? u : turn;
	}
	snprintf(what, sizeof what, "%s %.0f clocks per etu, %u KiB, 3 lines", freeze ? "P3" :
	    "P1", ph[0].etu_milliclk / 1e3, (unsigned)(len / 1024));
	gate(what, least, AT_LEAST, ask, 0.995);
	snprintf(what, sizeof what, "P2 the same, whole card by the least at 5 MHz");
	gate(what, worst, AT_MOST, 1.01, 1.02);
	snprintf(what, sizeof what, "P15 the same, mean turn in etu (least: 12)");
	gate(what, turn, AT_MOST, ask_turn, 13);
}

static void
line_use(void **state)
{
	uint64_t virt = cw_vb_now(fw.rig.vb);
	clock_t cpu = clock();

	(void)state;
	lines(0x11, 32768, 0.999, 13.1, false);
	lines(0x96, IMAGE_MAX, 0.9985, 13.5, false);
	lines(0x97, IMAGE_MAX, 0.9955, 19, false);
	printf("the board ran %.1f times as fast as a real one, three lines busy\n",
	    (double)(cw_vb_now(fw.rig.vb) - virt) / (double)CW_VB_HZ /
	    ((double)(clock() - cpu) / CLOCKS_PER_SEC));
}

static void
frozen_network(void **state)
{
	(void)state;
	lines(0x96, IMAGE_MAX, 0.9985, 13.5, true);
	lines(0x97, IMAGE_MAX, 0.9955, 19, true);
}

/* P15: what the core does for a character, and for a byte of the network. */
static void
cycles(void **state)
{
	struct cw_sim_card_config c = { .ta1 = 0x97 };
	struct cw_vb_stat a, b;
	struct cw_vb_line_stat st;
	struct phase ph[1];

	(void)state;
	/* The console has been used: the board has come to rest. */
	fw_step_us(&fw, 100000);
	cw_vb_stat(fw.rig.vb, &a);
	fw_store(&fw, image, IMAGE_MAX);
	cw_vb_stat(fw.rig.vb, &b);
	gate("P15 cycles per byte of an image, W5300 to store", (double)(b.cycles - a.cycles) /
	    IMAGE_MAX, AT_MOST, 110, 9);
	printf("  that is %.1f Mbit/s at 60 MHz; %.1f instructions a byte\n", 8 * 60.0 * IMAGE_MAX /
	    (double)(b.cycles - a.cycles), (double)(b.insns - a.insns) / IMAGE_MAX);
	burn(&c, 65536, ph, 1, false);
	cw_vb_stat(fw.rig.vb, &b);
	cw_vb_line_stat(fw.rig.vb, 0, &st);
	gate("P15 cycles per character of a burn, 512/64", (double)(b.cycles - before.cycles) /
	    (double)(st.sent + st.received), AT_MOST, 95, 120);
}

/* From power to a socket that listens; the address is a fixed one. */
static void
boot(void **state)
{
	bool up = false;
	uint32_t ms = 0;
	size_t i;

	(void)state;
	for (i = 0; i < 8; i++)
		fw.rig.sock[i].listening = false;
	rig_power(&fw.rig);
	for (; !up && ms < 5000; ms++) {
		rig_run_ms(&fw.rig, 1);
		for (i = 0; i < 8; i++)
			up = up || fw.rig.sock[i].listening;
	}
	assert_true(up);
	gate("milliseconds from power to the listening socket", ms, AT_MOST, BOOT_MS, BOOT_MS);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(boot, open_fw, close_fw),
		cmocka_unit_test_setup_teardown(cycles, open_fw, close_fw),
		cmocka_unit_test_setup_teardown(line_use, open_fw, close_fw),
		cmocka_unit_test_setup_teardown(frozen_network, open_fw, close_fw),
	};

	elf = argc > 1 ? argv[1] : "build/firmware/cardwright-reader.elf";
	if (access(elf, R_OK) < 0) {
		fprintf(stderr, "SKIP: %s is not there (make firmware)\n", elf);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
