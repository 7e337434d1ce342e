/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "terminal/devlink/map.h"

static struct cw_devmap *
generic(void)
{
	char err[256] = "";
	struct cw_devmap *m = cw_devmap_load(PROFILES "/device/generic.ini",
	    err, sizeof(err));

	assert_string_equal(err, "");
	return m;
}

static void
test_times(void **state)
{
	struct cw_devmap *m = generic();
	const struct cw_devmap_times *t = cw_devmap_times(m);

	(void)state;
	assert_string_equal(cw_devmap_name(m), "generic");
	assert_int_equal(cw_devmap_unit(m), 255);
	assert_int_equal(t->poll_us, 20000);
	assert_int_equal(t->busy_us, 1000);
	assert_int_equal(t->dead_us, 3000000);
	cw_devmap_free(m);
}

/* Every register of the machine and of each station lies in exactly the reads. */
static void
test_plan(void **state)
{
	struct cw_devmap_range g[CW_DEVMAP_RANGES_MAX];
	struct cw_devmap *m = generic();
	int n, i, at;
	uint16_t k;

	(void)state;
	assert_int_equal(cw_devmap_plan(m, 0, g, CW_DEVMAP_RANGES_MAX), 1);
	assert_false(g[0].hold);
	assert_int_equal(g[0].addr, 0);
	assert_int_equal(g[0].cnt, 12);

	/* 12 stations: registers 0..115 in one read; 13: 0..123; 14: two */
	assert_int_equal(cw_devmap_plan(m, 12, g, CW_DEVMAP_RANGES_MAX), 1);
	assert_int_equal(g[0].cnt, 20 + 8 * 12);
	assert_int_equal(cw_devmap_plan(m, 13, g, CW_DEVMAP_RANGES_MAX), 1);
	assert_int_equal(cw_devmap_plan(m, 14, g, CW_DEVMAP_RANGES_MAX), 2);
	assert_int_equal(cw_devmap_plan(m, 14, g, 1), CW_EFULL);

	n = cw_devmap_plan(m, 1024, g, CW_DEVMAP_RANGES_MAX);
	assert_true(n > 0);
	for (k = 0; k < 1024; k++) {
		for (i = at = 0; i < n; i++) {
			assert_true(g[i].cnt <= CW_DEVMAP_READ_MAX);
			if (g[i].addr <= 20 + 8 * k &&
			    20 + 8 * k + 8 <= g[i].addr + g[i].cnt)
				at++;
		}
		assert_int_equal(at, 1);
	}

	n = cw_devmap_plan_own(m, 4, g, CW_DEVMAP_RANGES_MAX);
	assert_int_equal(n, 1);
	assert_true(g[0].hold);
	assert_int_equal(g[0].addr, 10);
	assert_int_equal(g[0].cnt, 13);
	cw_devmap_free(m);
}

static void
fill(struct cw_devregs *r, bool hold, uint16_t addr, uint16_t v)
{
	const struct cw_devmap_range g = { hold, addr, 1 };

	cw_devregs_put(r, &g, &v);
}

static void
test_view(void **state)
{
	static struct cw_dev_view v;
	struct cw_devmap *m = generic();
	struct cw_devregs r;
	uint16_t stations = 0;

	(void)state;
	assert_int_equal(cw_devregs_init(&r, m, 2), 0);
	assert_int_equal(r.input_cnt, 36);
	assert_int_equal(cw_devmap_hello(m, &r, &stations), CW_EVERSION);
	fill(&r, false, 0, 1);
	assert_int_equal(cw_devmap_hello(m, &r, &stations), CW_ERANGE);
	fill(&r, false, 2, 2000);
	assert_int_equal(cw_devmap_hello(m, &r, &stations), CW_ERANGE);
	fill(&r, false, 2, 2);
	assert_int_equal(cw_devmap_hello(m, &r, &stations), 0);
	assert_int_equal(stations, 2);

	fill(&r, false, 3, 5);
	fill(&r, false, 4, 1), fill(&r, false, 5, 2);
	fill(&r, false, 7, 700), fill(&r, false, 9, 900);
	fill(&r, false, 10, 6), fill(&r, false, 11, 65535);
	fill(&r, false, 28, 2), fill(&r, false, 29, 41);
	fill(&r, false, 30, 4), fill(&r, false, 31, 3), fill(&r, false, 32, 4);
	fill(&r, false, 33, 3), fill(&r, false, 34, 0), fill(&r, false, 35, 9);
	fill(&r, true, 14, 42);
	/* outside of the room: ignored */
	fill(&r, false, 36, 1), fill(&r, true, 60000, 1);
	v.station_cnt = 2;
	cw_devmap_view(m, &r, &v);
	assert_int_equal(v.machine_state, CW_DEV_ABORTED);
	assert_int_equal(v.fed, 0x10002);
	assert_int_equal(v.good, 700);
	assert_int_equal(v.reject, 900);
	assert_int_equal(v.boot_cnt, 6);
	assert_int_equal(v.hopper, 65535);
	assert_int_equal(v.st[0].state, CW_DEVST_EMPTY);
	assert_int_equal(v.st[1].state, CW_DEVST_CARD);
	assert_int_equal(v.st[1].seq_done, 41);
	assert_int_equal(v.st[1].seq_written, 42);
	assert_int_equal(v.st[1].result, CW_DEVRES_LOST);
	assert_int_equal(v.st[1].card_no, 0x30004);
	assert_int_equal(v.st[1].last_bin, CW_DEVBIN_LOST);
	assert_int_equal(v.st[1].last_card, 9);

	/* Numbers that no profile names stop the station, not the program. */
	fill(&r, false, 3, 99), fill(&r, false, 28, 77), fill(&r, false, 30, 9);
	cw_devmap_view(m, &r, &v);
	assert_int_equal(v.machine_state, CW_DEV_HELD);
	assert_int_equal(v.st[1].state, CW_DEVST_JAMMED);
	assert_int_equal(v.st[1].result, CW_DEVRES_JAM);
	cw_devregs_fini(&r);
	cw_devmap_free(m);
}

static void
test_commands(void **state)
{
	struct cw_devmap *m = generic();
	struct cw_devmap_write w[2];
	struct cw_dev_cmd c = { 3, 500, CW_DEVCMD_REJECT };

	(void)state;
	assert_int_equal(cw_devmap_cmd(m, &c, w), 1);
	assert_int_equal(w[0].addr, 22);
	assert_int_equal(w[0].cnt, 2);
	assert_int_equal(w[0].val[0], 500);
	assert_int_equal(w[0].val[1], 3);
	c.cmd = 4;
	assert_int_equal(cw_devmap_cmd(m, &c, w), CW_EINVAL);
	c.cmd = 0;
	assert_int_equal(cw_devmap_cmd(m, &c, w), CW_EINVAL);
	c.cmd = 1, c.station = 1024;
	assert_int_equal(cw_devmap_cmd(m, &c, w), CW_EINVAL);

	assert_int_equal(cw_devmap_bits(m, CW_DEVBIT_RUN | CW_DEVBIT_RESET_JAM,
	    w), 1);
	assert_int_equal(w[0].addr, 1);
	assert_int_equal(w[0].val[0], 3);
	assert_int_equal(cw_devmap_beat(m, 77, w), 1);
	assert_int_equal(w[0].addr, 0);
	assert_int_equal(w[0].val[0], 77);
	cw_devmap_free(m);
}

/* A map unlike ours: registers apart, other numbers, low word first. */
static const char odd[] =
    "[device]\nname = odd\nmap_version = 0\nword_order = low\nstations = 3\n"
    "[registers]\nmap_version = none\nheartbeat = none\nstations = none\n"
    "machine_state = holding 900\nfed = holding 902 u32\n"
    "good = holding 1300 u32\nreject = input 7\nboot_count = none\n"
    "hopper = none\nterminal_heartbeat = none\ncommand_bits = none\n"
    "[station]\nsequence = holding 100 + 1*i\ncommand = holding 50 + 1*i\n"
    "state = input 200 + 1*i\nsequence_done = input 400 + 1*i\n"
    "result = input 450+1*i\ncard = input 500 + 2*i u32\nlast_bin = none\n"
    "last_card = none\n"
    "[commands]\nfeed = 16\ngood = 32\nreject = 64\n[bits]\n"
    "[machine]\nstopped = 5\nidle = 4\nexecute = 3\nheld = 2\n"
    "suspended = 1\naborted = 0\n"
    "[states]\nempty = 10\nfeeding = 11\ncard = 12\nmoving = 13\n"
    "jammed = 14\n[results]\n[bins]\n";

static void
test_other_machine(void **state)
{
	static struct cw_dev_view v = { .station_cnt = 3 };
	struct cw_devmap_range g[CW_DEVMAP_RANGES_MAX];
	struct cw_devmap_write w[2];
	struct cw_dev_cmd c = { 2, 7, CW_DEVCMD_GOOD };
	struct cw_devregs r;
	char err[256] = "";
	struct cw_devmap *m = cw_devmap_parse("odd.ini", odd, sizeof(odd) - 1,
	    err, sizeof(err));
	uint16_t stations;
	int n;

	(void)state;
	assert_string_equal(err, "");
	n = cw_devmap_plan(m, 3, g, CW_DEVMAP_RANGES_MAX);
	/* 7, 200..202, 400..402, 450..452, 500..505, 900, 902..903, 1300..1301 */
	assert_int_equal(n, 8);
	assert_true(g[0].hold);
	assert_int_equal(g[0].addr, 902);
	assert_int_equal(g[0].cnt, 2);

	assert_int_equal(cw_devregs_init(&r, m, 3), 0);
	assert_int_equal(cw_devmap_hello(m, &r, &stations), 0);
	assert_int_equal(stations, 3);
	fill(&r, true, 900, 3), fill(&r, true, 902, 1), fill(&r, true, 903, 2);
	fill(&r, false, 202, 12), fill(&r, false, 504, 8);
	cw_devmap_view(m, &r, &v);
	assert_int_equal(v.machine_state, CW_DEV_EXECUTE);
	assert_int_equal(v.fed, 0x20001);
	assert_int_equal(v.hopper, 65535);
	assert_int_equal(v.st[2].state, CW_DEVST_CARD);
	assert_int_equal(v.st[2].card_no, 8);

	/* The code first, then the sequence that sets it off. */
	assert_int_equal(cw_devmap_cmd(m, &c, w), 2);
	assert_int_equal(w[0].addr, 52);
	assert_int_equal(w[0].val[0], 32);
	assert_int_equal(w[1].addr, 102);
	assert_int_equal(w[1].val[0], 7);
	assert_int_equal(cw_devmap_bits(m, 1, w), 0);
	assert_int_equal(cw_devmap_beat(m, 1, w), 0);
	cw_devregs_fini(&r);
	cw_devmap_free(m);
}

static void
test_watch(void **state)
{
	struct cw_devmap *m = generic();
	struct cw_devwatch w = { 0 };
	struct cw_devregs r;
	uint64_t t = 1000000;

	(void)state;
	assert_int_equal(cw_devregs_init(&r, m, 1), 0);
	fill(&r, false, 1, 10), fill(&r, false, 10, 3);
	assert_string_equal(cw_devwatch_step(&w, m, &r, t),
	    "waiting for the device's heartbeat");
	fill(&r, false, 1, 11);
	assert_null(cw_devwatch_step(&w, m, &r, t += 100000));
	assert_null(cw_devwatch_step(&w, m, &r, t + 3000000));
	assert_non_null(strstr(cw_devwatch_step(&w, m, &r, t + 3000001),
	    "stands still"));
	assert_non_null(strstr(cw_devwatch_step(&w, m, &r, t + 9000000),
	    "stands still"));
	fill(&r, false, 1, 12);
	assert_null(cw_devwatch_step(&w, m, &r, t += 9000001));

	/* A restart shows once, also when it came while the link was away. */
	fill(&r, false, 10, 4);
	assert_string_equal(cw_devwatch_step(&w, m, &r, t),
	    "the device has restarted");
	assert_true(w.restarted);
	assert_null(cw_devwatch_step(&w, m, &r, t));
	assert_false(w.restarted);
	cw_devwatch_reset(&w);
	fill(&r, false, 10, 5);
	assert_string_equal(cw_devwatch_step(&w, m, &r, t),
	    "the device has restarted");
	assert_string_equal(cw_devwatch_step(&w, m, &r, t),
	    "waiting for the device's heartbeat");
	cw_devregs_fini(&r);
	cw_devmap_free(m);
}

/* The generic profile with one line replaced. */
static void
bad_profile(const char *from, const char *to, const char *want)
{
	static char text[8192], copy[8192];
	char err[256] = "", *at;
	FILE *f = fopen(PROFILES "/device/generic.ini", "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	at = strstr(text, from);
	assert_non_null(at);
	snprintf(copy, sizeof(copy), "%.*s%s%s", (int)(at - text), text, to,
	    at + strlen(from));
	assert_null(cw_devmap_parse("x.ini", copy, strlen(copy), err,
	    sizeof(err)));
	if (strstr(err, want) == NULL)
		fail_msg("'%s' has no '%s'", err, want);
	assert_true(strncmp(err, "x.ini:", 6) == 0);
}

static void
test_bad_profiles(void **state)
{
	(void)state;
	bad_profile("fed = input 4 u32", "fed = inptu 4",
	    "[registers] fed: must be a register like");
	bad_profile("fed = input 4 u32", "fed = input 4 u64", "fed: must be");
	bad_profile("fed = input 4 u32", "fed = input 65535 u32", "fed: must");
	bad_profile("fed = input 4 u32", "fed = input 4 + 2*i", "fed: must");
	bad_profile("fed = input 4 u32", "fed = none",
	    "fed: the terminal cannot do without it");
	bad_profile("state = input 20 + 8*i", "state = input 20 + 0*i",
	    "[station] state: must be");
	bad_profile("sequence = holding 10 + 4*i", "sequence = input 10 + 4*i",
	    "sequence: must be a holding register");
	bad_profile("poll_ms = 20", "poll_ms = 0",
	    "poll_ms: must be milliseconds from 0.1 to 60000");
	bad_profile("poll_ms = 20", "poll_ms = nan", "poll_ms: must be");
	bad_profile("word_order = high", "word_order = up",
	    "word_order: must be high or low");
	bad_profile("good = 2", "good = 1",
	    "[commands] good: another meaning has the same number");
	bad_profile("hopper = input 11", "hoper = input 11",
	    "unknown key hoper in [registers]");
	bad_profile("stations = input 2", "stations = none",
	    "[device] stations must give the number");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_other_machine),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_bad_profiles),
	};

	return cmocka_run_group_tests_name("line/devmap", tests, NULL, NULL);
}
