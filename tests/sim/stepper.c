/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepper: runs seeds of the simulated factory (sim/step.h).
 *
 *	stepper --seed N --cards M [--trace]		one run, or its replay
 *	stepper --seeds N --cards M [--first S] [--jobs J]
 *	stepper --mutant NAME --seeds N ...		a violation is a success
 *	stepper --mutant NAME --control --seeds N ...	its faults without it: none
 *	stepper --twice --seeds N ...			each seed twice, same hash
 *
 * Exit: 0 as it should be, 1 not so, 2 usage.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cw/err.h"
#include "sim/step.h"

struct options {
	struct cw_step_config cfg;
	uint64_t first, seeds;
	unsigned int jobs;
	bool one, twice, quiet;
};

struct sums {
	uint64_t seeds, cards, fed, steps, faults, violations, lua;
	uint64_t by[CW_SF_CNT];
	uint64_t time_us;
};

/* A core's own assertion failed: tell the run that did it. */
_Noreturn void
cw_assert_failed(const char *file, int line)
{
	char where[256];

	cw_step_where(where, sizeof where);
	fflush(stdout);
	fprintf(stderr, "%s invariant=assert : %s:%d\n", where, file, line);
	fflush(stderr);
	_exit(1);
}

static void
add(struct sums *t, const struct cw_step_config *cfg,
    const struct cw_step_result *r)
{
	t->seeds++;
	t->cards += cfg->cards;
	t->fed += r->fed;
	t->steps += r->steps;
	t->violations += r->violated;
	t->lua += r->lua;
	t->time_us += r->time_us;
	for (unsigned int i = 0; i < CW_SF_CNT; i++) {
		t->faults += r->faults[i];
		t->by[i] += r->faults[i];
	}
}

static bool
run_seed(const struct options *o, uint64_t seed, struct sums *t)
{
	struct cw_step_config cfg = o->cfg;
	struct cw_step_result r, again;

	cfg.seed = seed;
	if (cw_step_run(&cfg, &r) < 0) {
		fprintf(stderr, "stepper: seed %" PRIu64 " cannot be run\n", seed);
		exit(2);
	}
	add(t, &cfg, &r);
	if (r.violated)
		printf("%s\n", r.text);
	if (o->one)
		printf("seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " s, fed %u "
		    "good %u reject %u lost %u, hash %016" PRIx64 "\n", seed,
		    r.steps, r.time_us / 1000000, r.fed, r.good, r.reject, r.lost,
		    r.hash);
	if (o->twice) {
		if (cw_step_run(&cfg, &again) < 0 || again.hash != r.hash ||
		    again.steps != r.steps || again.fed != r.fed) {
			printf("seed=%" PRIu64 " cards=%u: the second run differs: "
			    "%016" PRIx64 " after %" PRIu64 " steps, then %016"
			    PRIx64 " after %" PRIu64 "\n", seed, cfg.cards, r.hash,
			    r.steps, again.hash, again.steps);
			t->violations++;
		}
	}
	fflush(stdout);
	return r.violated;
}

static void
run_range(const struct options *o, uint64_t from, uint64_t step, struct sums *t)
{
	time_t told = time(NULL);

	for (uint64_t i = from; i < o->seeds; i += step) {
		/* One find is enough to prove that a mutant is caught. */
		if (run_seed(o, o->first + i, t) &&
		    o->cfg.mutant != CW_STEP_NONE && !o->cfg.control)
			return;
		if (!o->quiet && from == 0 && time(NULL) - told >= 5) {
			told = time(NULL);
			fprintf(stderr, "stepper: %" PRIu64 " of %" PRIu64
			    " seeds\n", i + 1, o->seeds);
		}
	}
}

/* One process per job; sums come back through pipes. */
static void
run_jobs(const struct options *o, struct sums *t)
{
	int fd[64][2], status;
	pid_t pid[64];
	struct sums part;

	for (unsigned int j = 0; j < o->jobs; j++) {
		if (pipe(fd[j]) < 0 || (pid[j] = fork()) < 0) {
			perror("stepper: fork");
			exit(2);
		}
		if (pid[j] == 0) {
			memset(&part, 0, sizeof part);
			run_range(o, j, o->jobs, &part);
			fflush(stdout);
			_exit(write(fd[j][1], &part, sizeof part) ==
			    (ssize_t)sizeof part ? 0 : 2);
		}
		close(fd[j][1]);
	}
	for (unsigned int j = 0; j < o->jobs; j++) {
		if (read(fd[j][0], &part, sizeof part) != (ssize_t)sizeof part) {
			memset(&part, 0, sizeof part);
			part.violations = 1;	/* it died of an assertion */
		}
		close(fd[j][0]);
		waitpid(pid[j], &status, 0);
		t->seeds += part.seeds;
		t->cards += part.cards;
		t->fed += part.fed;
		t->steps += part.steps;
		t->faults += part.faults;
		t->violations += part.violations;
		t->lua += part.lua;
		t->time_us += part.time_us;
		for (unsigned int i = 0; i < CW_SF_CNT; i++)
			t->by[i] += part.by[i];
	}
}

static char *
load(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *buf = malloc(256 * 1024);

	if (f == NULL || buf == NULL) {
		fprintf(stderr, "stepper: %s: cannot be read\n", path);
		exit(2);
	}
	*len = fread(buf, 1, 256 * 1024, f);
	fclose(f);
	return buf;
}

static void
usage(void)
{
	fputs("usage: stepper [--seed N | --seeds N [--first S]] [--cards M]\n"
	    "               [--jobs J] [--mutant NAME [--control]] [--no-faults]\n"
	    "               [--twice] [--profile FILE.lua] [--trace] [--quiet]\n"
	    "mutants:\n", stderr);
	for (unsigned int i = 1; i < CW_STEP_MUTANT_CNT; i++)
		fprintf(stderr, "  %-13s drops the rule: %s\n",
		    cw_step_mutant_word(i), cw_step_mutant_rule(i));
	exit(2);
}

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0') {
		fprintf(stderr, "stepper: %s is not a number\n", text);
		usage();
	}
	return v;
}

static void
parse(struct options *o, int argc, char **argv)
{
	static const struct option list[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "cards", required_argument, NULL, 'c' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "mutant", required_argument, NULL, 'm' },
		{ "profile", required_argument, NULL, 'p' },
		{ "control", no_argument, NULL, 'C' },
		{ "no-faults", no_argument, NULL, 'q' },
		{ "twice", no_argument, NULL, '2' },
		{ "trace", no_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'Q' },
		{ NULL, 0, NULL, 0 },
	};
	int c, m;

	*o = (struct options){ .first = 1, .seeds = 1, .jobs = 1,
	    .cfg = { .cards = 200 } };
	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (c) {
		case 's':
			o->first = number(optarg);
			o->one = true;
			break;
		case 'n':
			o->seeds = number(optarg);
			break;
		case 'f':
			o->first = number(optarg);
			break;
		case 'c':
			o->cfg.cards = (uint32_t)number(optarg);
			break;
		case 'j':
			o->jobs = (unsigned int)number(optarg);
			break;
		case 'm':
			m = cw_step_mutant_find(optarg);
			if (m < 0)
				usage();
			o->cfg.mutant = (enum cw_step_mutant)m;
			break;
		case 'p':
			o->cfg.profile = load(optarg, &o->cfg.profile_len);
			break;
		case 'C':
			o->cfg.control = true;
			break;
		case 'q':
			o->cfg.no_faults = true;
			break;
		case '2':
			o->twice = true;
			break;
		case 't':
			o->cfg.trace = stdout;
			break;
		case 'Q':
			o->quiet = true;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || o->cfg.cards == 0 || o->jobs < 1 || o->jobs > 64)
		usage();
	if (o->cfg.profile == NULL)
		o->cfg.profile = load(STEP_PROFILE, &o->cfg.profile_len);
}

int
main(int argc, char **argv)
{
	struct options o;
	struct sums t = { 0 };

	parse(&o, argc, argv);
	if (o.jobs > 1)
		run_jobs(&o, &t);
	else
		run_range(&o, 0, 1, &t);
	if (!o.quiet) {
		for (unsigned int i = 0; i < CW_SF_CNT; i++)
			printf("%8" PRIu64 " %s\n", t.by[i], cw_step_fault_text(i));
		printf("%8" PRIu64 " events, %" PRIu64 " virtual minutes, %" PRIu64
		    " programs by Lua\n", t.steps, t.time_us / 60000000u, t.lua);
	}

	/* Enough seeds for an eighth to be some, and none of them: no share is
	 * compiled by the real profiles, and nobody would see it. */
	if (t.lua == 0 && t.seeds >= 40 && t.violations == 0) {
		printf("stepper: no program was compiled by Lua\n");
		t.violations++;
	}
	printf("stepper: %" PRIu64 " seeds, %u cards each, %" PRIu64 " cards, %"
	    PRIu64 " blanks, %" PRIu64 " faults injected, %" PRIu64
	    " violations\n", t.seeds, o.cfg.cards, t.cards, t.fed, t.faults,
	    t.violations);
	free((char *)(uintptr_t)o.cfg.profile);
	if (o.cfg.mutant == CW_STEP_NONE || o.cfg.control)
		return t.violations > 0;
	printf("stepper: mutant %s %s\n", cw_step_mutant_word(o.cfg.mutant),
	    t.violations > 0 ? "is caught" : "SURVIVES");
	return t.violations == 0;
}
