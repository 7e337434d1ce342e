/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

/* The virtual board, held against images of a few lines. */

static struct rig rig;
static const char *image_dir;

static void
open_image(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s.elf", image_dir, name);
	rig_open(&rig, path);
}

static int
close_rig(void **state)
{
	(void)state;
	if (rig.vb != NULL)
		rig_close(&rig);
	return 0;
}

static enum cw_vb_stop
run_ms(uint32_t ms)
{
	return cw_vb_run(rig.vb, cw_vb_now(rig.vb) + CW_VB_MS(ms));
}

static void
exceptions(void **state)
{
	enum cw_vb_stop stop;
	struct cw_vb_stat st;

	(void)state;
	open_image("core");
	stop = run_ms(1000);
	assert_string_equal(cw_vb_message(rig.vb), "");
	assert_int_equal(stop, CW_VB_EXIT);
	/* .bss was cleared by the second life; the reset kept the rest. */
	cw_vb_stat(rig.vb, &st);
	assert_int_equal(st.resets, 1);
	assert_int_equal(rig_word(&rig, "result", 20), 0x1C);	/* SFT, POR, PIN */
}

/* The first life's results, caught at its end. */
static void
first_life(void **state)
{
	static const uint32_t want[14] = {
		77, 42, 0xFFFFFFF9, 0xAB1C3, 90000, 0, 0x1C2, 0x1B2C4, 77, 0xFFFFFFFD,
		2, 1, 0x10000, 0x40000000,
	};
	uint32_t ticks;
	unsigned i;

	(void)state;
	open_image("core");
	assert_int_equal(cw_vb_break_set(rig.vb, cw_vb_symbol(rig.vb, "image_main"), true), 0);
	assert_int_equal(run_ms(1000), CW_VB_BREAK);
	assert_int_equal(cw_vb_break_set(rig.vb, cw_vb_symbol(rig.vb, "image_main"), false), 0);
	/* Stops in the loop that waits for the reset. */
	while (cw_vb_now(rig.vb) < CW_VB_MS(500) && rig_word(&rig, "result", 13) == 0)
		assert_int_equal(cw_vb_run(rig.vb, cw_vb_now(rig.vb) + CW_VB_US(1)),
		    CW_VB_UNTIL);
	for (i = 0; i < 14; i++)
		if (i != 5)
			assert_int_equal(rig_word(&rig, "result", i), want[i]);
	ticks = rig_word(&rig, "result", 5);
	assert_true(ticks > 500 && ticks < 3000);
}

static void
flash_times(void **state)
{
	(void)state;
	open_image("flash");
	assert_int_equal(run_ms(100), CW_VB_EXIT);
	assert_int_equal(rig_word(&rig, "result", 0), 16);
	assert_int_equal(rig_word(&rig, "result", 1), 0x04);	/* PGERR */
	assert_int_equal(rig_word(&rig, "result", 2), 0x1100);
	assert_int_equal(rig_word(&rig, "result", 3), 0);
	assert_int_equal(rig_word(&rig, "result", 4), 0x80);
	/* A page erase and 17 half-words. */
	assert_in_range(cw_vb_now(rig.vb), CW_VB_US(20000 + 17 * 52), CW_VB_US(22000));
	assert_int_equal(cw_vb_write_cnt(rig.vb), 18);
}

/* Power cut at every write: what stands before it, and nothing of what follows. */
static void
flash_cuts(void **state)
{
	uint16_t h;
	uint32_t n, i;
	int torn;

	(void)state;
	open_image("flash");
	for (n = 1; n <= 17; n++) {
		for (torn = 0; torn < 2; torn++) {
			memset(rig.flash + 0x10000, 0x5A, 2048);
			cw_vb_cut_at(rig.vb, n, torn != 0);
			rig_power(&rig);
			assert_int_equal(run_ms(100), CW_VB_CUT);
			for (i = 0; n > 1 && i < 16; i++) {
				memcpy(&h, rig.flash + 0x10000 + 2 * i, 2);
				if (i + 2 < n)
					assert_int_equal(h, 0x1100 + i);
				else if (i + 2 == n && torn)
					assert_int_equal(h & (0x1100 + i), 0x1100 + i);
				else
					assert_int_equal(h, 0xFFFF);
			}
			if (n == 1 && !torn)
				assert_int_equal(rig.flash[0x10000], 0x5A);
		}
	}
}

static void
console_and_echo(void **state)
{
	uint8_t msg[3000];
	size_t i;
	int n;

	(void)state;
	open_image("echo");
	rig_run_ms(&rig, 100);
	assert_int_equal(rig_word(&rig, "result", 0), 0x5300);
	cw_vb_console_put(rig.vb, (const uint8_t *)"Hello", 5);
	rig_run_ms(&rig, 2);
	assert_string_equal(rig.console, "hELLO");
	n = rig_call(&rig, 7816);
	for (i = 0; i < sizeof msg; i++)
		msg[i] = (uint8_t)(i * 7);
	rig_run_ms(&rig, 1);
	assert_true(rig.sock[n].opened);
	rig_say(&rig, n, msg, 3);
	rig_run_ms(&rig, 5);
	assert_int_equal(rig.sock[n].out_len, 3);
	rig_say(&rig, n, msg + 3, sizeof msg - 3);
	rig_run_ms(&rig, 100);
	assert_int_equal(rig.sock[n].out_len, sizeof msg);
	assert_memory_equal(rig.sock[n].out, msg, sizeof msg);
	assert_int_equal(rig_word(&rig, "result", 1), 4);	/* 3, 1460, 1460, 77 */
	rig_hang_up(&rig, n);
	rig_run_ms(&rig, 10);
	assert_true(rig.sock[n].listening);
}

static void
unmodelled(void **state)
{
	(void)state;
	open_image("trap");
	assert_int_equal(run_ms(10), CW_VB_TRAP);
	assert_non_null(strstr(cw_vb_message(rig.vb), "write of 4 bytes, 0000abcd, to 40013008"));
	assert_non_null(strstr(cw_vb_message(rig.vb), "trap_here+0x"));
	/* The very instruction: a store, not the block's first. */
	assert_null(strstr(cw_vb_message(rig.vb), "trap_here+0x0"));
}

/* The same inputs, the same run. */
static void
repeats(void **state)
{
	struct cw_vb_stat a, b;

	(void)state;
	open_image("core");
	assert_int_equal(run_ms(1000), CW_VB_EXIT);
	cw_vb_stat(rig.vb, &a);
	rig_power(&rig);
	assert_int_equal(run_ms(1000), CW_VB_EXIT);
	cw_vb_stat(rig.vb, &b);
	assert_int_equal(a.insns, b.insns);
	assert_int_equal(a.cycles, b.cycles);
	assert_int_equal(a.exceptions, b.exceptions);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(exceptions, close_rig),
		cmocka_unit_test_teardown(first_life, close_rig),
		cmocka_unit_test_teardown(flash_times, close_rig),
		cmocka_unit_test_teardown(flash_cuts, close_rig),
		cmocka_unit_test_teardown(console_and_echo, close_rig),
		cmocka_unit_test_teardown(unmodelled, close_rig),
		cmocka_unit_test_teardown(repeats, close_rig),
	};

	image_dir = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
