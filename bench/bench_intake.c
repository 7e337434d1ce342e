/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order intake without the way over HTTP: a CSV file through the platform's
 * intake (every check, fingerprints, sealing) into its SQLite store.
 *
 * usage: bench_intake DIR PROFILE.lua FILE.csv
 *
 * Prints records per second, and the CPU seconds of this process per million
 * records.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "cw/err.h"
#include "platform/intake.h"
#include "terminal/profile/profile.h"

#define CHUNK (64u * 1024u)

/* Feeds the file; how many records there were. */
static uint64_t
take(const struct cw_intake_config *cfg, const char *path)
{
	static uint8_t buf[CHUNK];
	struct cw_intake_result res;
	struct cw_intake *in;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		bench_die("%s: %s", path, strerror(errno));
	in = cw_intake_new(cfg, &err);
	if (in == NULL)
		bench_die("intake: %s", cw_err_text(err));
	while ((n = read(fd, buf, sizeof buf)) > 0) {
		err = cw_intake_feed(in, buf, (size_t)n);
		if (err < 0)
			bench_die("feed: %s: %s", cw_err_text(err), cfg->store->why);
	}
	close(fd);
	err = cw_intake_end(in, &res);
	if (err == CW_EFORMAT)
		bench_die("%s:%u: %s", path, cw_intake_faults(in)->list[0].line,
		    cw_intake_faults(in)->list[0].text);
	if (err < 0)
		bench_die("end: %s: %s", cw_err_text(err), cfg->store->why);
	cw_intake_free(in);
	return res.records;
}

int
main(int argc, char **argv)
{
	static const uint8_t key[CW_SEAL_KEY_LEN] = { 42 };
	struct cw_intake_config cfg = { .has_data = true,
	    .order = { .profile = "bench" },
	    .profile_text = (const uint8_t *)"bench", .profile_len = 5 };
	struct cw_profile *p;
	double start, cpu;
	uint64_t cnt;
	char err[512];

	if (argc != 4)
		bench_die("usage: bench_intake DIR PROFILE.lua FILE.csv");
	p = cw_profile_load_file(argv[2], err, sizeof err);
	if (p == NULL)
		bench_die("%s", err);
	cfg.fields = cw_profile_fields(p, &cfg.field_cnt);
	cfg.seal = cw_seal_new(key);
	cfg.store = cw_store_sqlite_open(bench_fresh(argv[1], "intake.db"), err,
	    sizeof err);
	if (cfg.store == NULL || cfg.seal == NULL)
		bench_die("%s", err);

	start = bench_now();
	cpu = bench_cpu();
	cnt = take(&cfg, argv[3]);
	printf("intake %.0f\n", (double)cnt / (bench_now() - start));
	printf("intake_cpu_us %.3f\n", (bench_cpu() - cpu) * 1e6 / (double)cnt);

	cw_store_close(cfg.store);
	cw_seal_free(cfg.seal);
	cw_profile_free(p);
	bench_fresh(argv[1], "intake.db");
	return 0;
}
