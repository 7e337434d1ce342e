/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BENCH_H
#define CW_BENCH_H

#include <stdint.h>
#include <stdio.h>

/*
 * What the benchmarks share.  Every one of them prints lines "name value",
 * value in units per second unless its name says otherwise; bench/run.py makes
 * medians and ratios of them.
 */

/* Monotonic time, seconds. */
double bench_now(void);
/* CPU of this process so far, seconds. */
double bench_cpu(void);
/* Prints why and exits 1: a figure that cannot be had is no figure. */
_Noreturn void bench_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
/* argv[i] as a number from 1 to max, or bench_die. */
unsigned long bench_arg(int argc, char **argv, int i, unsigned long max);
/* dir/name, in a buffer that the next call reuses; a file of that name and
 * SQLite's files beside it are removed first. */
const char *bench_fresh(const char *dir, const char *name);

/* A file without a name on dir's disk; close it. */
int bench_append_open(const char *dir);
/* Seconds to append 4 KiB to it and to make them durable. */
double bench_append(int fd);
/* How often 4 KiB can be appended to dir's disk and made durable, one after the
 * other, in a second.  cnt: appends to measure. */
double bench_fdatasync(const char *dir, unsigned int cnt);

#endif
