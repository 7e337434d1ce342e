/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define APPEND_LEN 4096

double
bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double
bench_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

void
bench_die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

unsigned long
bench_arg(int argc, char **argv, int i, unsigned long max)
{
	char *end = NULL;
	unsigned long v = i < argc ? strtoul(argv[i], &end, 10) : 0;

	if (v == 0 || v > max || *end != '\0')
		bench_die("argument %d must be a number from 1 to %lu", i, max);
	return v;
}

const char *
bench_fresh(const char *dir, const char *name)
{
	static const char *const tail[] = { "-wal", "-shm", ".lock", "" };
	static char path[4096];

	for (size_t i = 0; i < sizeof tail / sizeof tail[0]; i++) {
		snprintf(path, sizeof path, "%s/%s%s", dir, name, tail[i]);
		if (unlink(path) < 0 && errno != ENOENT)
			bench_die("%s: %s", path, strerror(errno));
	}
	return path;
}

int
bench_append_open(const char *dir)
{
	const char *path = bench_fresh(dir, "append");
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || unlink(path) < 0)
		bench_die("%s: %s", path, strerror(errno));
	return fd;
}

double
bench_append(int fd)
{
	static uint8_t buf[APPEND_LEN];
	double start = bench_now();

	if (write(fd, buf, sizeof buf) != (ssize_t)sizeof buf || fdatasync(fd) < 0)
		bench_die("append: %s", strerror(errno));
	return bench_now() - start;
}

double
bench_fdatasync(const char *dir, unsigned int cnt)
{
	int fd = bench_append_open(dir);
	double sum = 0;

	for (unsigned int i = 0; i < cnt; i++)
		sum += bench_append(fd);
	close(fd);
	return cnt / sum;
}
