/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boards/stm32f103ze_w5300/board.h"
#include "boards/stm32f103ze_w5300/rate.h"
#include "cw/err.h"
#include "cw/pps.h"

/*
 * The rates of the board, and the table of its README, which this program
 * makes: test_board_rate --table.
 */
#define CLK_MAX_HZ 10000000u

static int
rate(uint32_t pclk_hz, uint8_t ta1, struct cw_rate *r)
{
	uint32_t fmax_hz;
	uint16_t fi;
	uint8_t di;

	if (cw_pps_fidi(ta1, &fi, &fmax_hz, &di) < 0)
		return CW_ERANGE;
	if (fmax_hz > CLK_MAX_HZ)
		fmax_hz = CLK_MAX_HZ;
	return cw_rate_best(pclk_hz, fmax_hz, fi, di, r);
}

/* One row per F: the clock, then per D the error of the etu in %, or "-". */
static void
table_row(FILE *f, uint8_t fn)
{
	static const uint8_t order[] = { 1, 2, 3, 4, 8, 5, 9, 6, 7 };
	struct cw_rate r, worst;
	uint32_t fmax_hz, clk_hz = 0;
	uint16_t fi;
	uint8_t di;
	size_t i;

	if (cw_pps_fidi((uint8_t)(fn << 4 | 1), &fi, &fmax_hz, &di) < 0)
		return;
	fprintf(f, "| %X | %u | %.1f |", fn, fi, fmax_hz / 1e6);
	for (i = 0; i < sizeof order; i++) {
		uint8_t ta1 = (uint8_t)(fn << 4 | order[i]);
		int32_t ppm;

		if (rate(CW_BOARD_PCLK1_HZ, ta1, &r) < 0 ||
		    rate(CW_BOARD_PCLK2_HZ, ta1, &worst) < 0) {
			fprintf(f, " - |");
			continue;
		}
		cw_pps_fidi(ta1, &fi, &fmax_hz, &di);
		ppm = cw_rate_error_ppm(&r, fi, di);
		clk_hz = r.clk_hz;
		if (ppm == 0)
			fprintf(f, " %.2f |", clk_hz / 1e6);
		else
			fprintf(f, " %.2f (%+.2f) |", clk_hz / 1e6, ppm / 1e4);
	}
	fprintf(f, "\n");
}

static void
table(FILE *f)
{
	unsigned fn;

	fprintf(f, "| F | Fi | f max | D=1 | 2 | 4 | 8 | 12 | 16 | 20 | 32 | 64 |\n");
	fprintf(f, "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (fn = 0; fn < 16; fn++)
		table_row(f, (uint8_t)fn);
}

static void
test_five_megahertz(void **state)
{
	static const uint8_t ta1s[] = { 0x11, 0x94, 0x95, 0x96, 0x97 };
	static const uint32_t etu_clk[] = { 372, 64, 32, 16, 8 };
	struct cw_rate r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof ta1s; i++) {
		assert_int_equal(rate(CW_BOARD_PCLK2_HZ, ta1s[i], &r), 0);
		assert_int_equal(r.clk_hz, 5000000);
		assert_int_equal(r.psc, 6);
		assert_int_equal(r.brr, 12 * etu_clk[i]);
		assert_int_equal(rate(CW_BOARD_PCLK1_HZ, ta1s[i], &r), 0);
		assert_int_equal(r.clk_hz, 5000000);
		assert_int_equal(r.psc, 3);
		assert_int_equal(r.brr, 6 * etu_clk[i]);
	}
}

/* Half clocks per etu cost nothing: 372/8 = 46.5 is met exactly. */
static void
test_fractions(void **state)
{
	struct cw_rate r;

	(void)state;
	assert_int_equal(rate(CW_BOARD_PCLK2_HZ, 0x14, &r), 0);
	assert_int_equal(r.brr, 558);
	assert_int_equal(cw_rate_error_ppm(&r, 372, 8), 0);
	assert_int_equal(rate(CW_BOARD_PCLK1_HZ, 0x14, &r), 0);
	assert_int_equal(r.brr, 279);
	/* 372/32 at 5 MHz of the slow bus: 70 for 69.75 */
	assert_int_equal(rate(CW_BOARD_PCLK1_HZ, 0x16, &r), 0);
	assert_int_equal(r.brr, 70);
	assert_int_equal(cw_rate_error_ppm(&r, 372, 32), 3584);
}

/* Against the definition, for every clock of the bus and every TA1. */
static void
test_best_is_best(void **state)
{
	static const uint32_t pclk[] = { 30000000, 36000000, 60000000, 72000000 };
	struct cw_rate r;
	uint32_t fmax_hz, psc, first;
	uint16_t fi;
	uint8_t di;
	size_t i;
	int ta1, got;

	(void)state;
	for (i = 0; i < 4; i++) {
		for (ta1 = 0; ta1 < 256; ta1++) {
			if (cw_pps_fidi((uint8_t)ta1, &fi, &fmax_hz, &di) < 0)
				continue;
			first = 0;
			for (psc = 1; psc <= 31 && first == 0; psc++) {
				double brr = 2.0 * psc * fi / di;
				double whole = (double)(int)(brr + 0.5);

				if (pclk[i] <= 2 * psc * (double)fmax_hz && whole >= 16 &&
				    whole <= 65535 && whole - brr <= brr * 0.01 &&
				    brr - whole <= brr * 0.01)
					first = psc;
			}
			got = cw_rate_best(pclk[i], fmax_hz, fi, di, &r);
			assert_int_equal(got, first == 0 ? CW_ERANGE : 0);
			if (got == 0)
				assert_int_equal(r.psc, first);
		}
	}
}

static void
test_of(void **state)
{
	struct cw_rate r;

	(void)state;
	assert_int_equal(cw_rate_of(60000000, 5000000, 372, 1, &r), 0);
	assert_int_equal(r.brr, 4464);
	/* 3.57 MHz: 60 / 18 = 3.33 is more than 1 % below it */
	assert_int_equal(cw_rate_of(60000000, 3570000, 372, 1, &r), CW_ERANGE);
	assert_int_equal(cw_rate_of(60000000, 3750000, 372, 1, &r), 0);
	assert_int_equal(r.psc, 8);
	assert_int_equal(cw_rate_of(60000000, 0, 372, 1, &r), CW_ERANGE);
	assert_int_equal(cw_rate_of(60000000, 5000000, 0, 1, &r), CW_ERANGE);
	assert_int_equal(cw_rate_of(60000000, 900000, 372, 1, &r), CW_ERANGE);
	assert_int_equal(cw_rate_of(60000000, 5000000, 1, 1, &r), CW_ERANGE);
	assert_int_equal(cw_rate_of(60000000, 5000000, 5461, 1, &r), 0);
	assert_int_equal(cw_rate_of(60000000, 5000000, 5462, 1, &r), CW_ERANGE);
	assert_int_equal(cw_rate_of(60000000, 5000000, 372, 0, &r), CW_ERANGE);
	/* 372/32 is 11.625 clocks; 60 / 14 MHz is no whole number of hertz */
	assert_int_equal(cw_rate_of(60000000, 5000000, 372, 32, &r), 0);
	assert_int_equal(r.brr, 140);
	assert_int_equal(cw_rate_of(60000000, 4285714, 372, 1, &r), 0);
	assert_int_equal(r.psc, 7);
}

/* The README shows what the code does. */
static void
test_readme(void **state)
{
	static char want[8192], have[65536];
	FILE *f = fmemopen(want, sizeof want, "w");
	size_t n;

	(void)state;
	table(f);
	fclose(f);
	f = fopen(CW_README, "r");
	assert_non_null(f);
	n = fread(have, 1, sizeof have - 1, f);
	fclose(f);
	have[n] = '\0';
	if (strstr(have, want) == NULL) {
		fputs("the README must hold this table:\n", stderr);
		fputs(want, stderr);
	}
	assert_non_null(strstr(have, want));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_five_megahertz),
		cmocka_unit_test(test_fractions),
		cmocka_unit_test(test_best_is_best),
		cmocka_unit_test(test_of),
		cmocka_unit_test(test_readme),
	};

	if (argc == 2 && strcmp(argv[1], "--table") == 0) {
		table(stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
