/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cw/err.h"
#include "host/proc.h"

#define NOBODY 65534

/* AddressSanitizer lets no memory be locked. */
#ifdef __SANITIZE_ADDRESS__
#define LOCKS 0
#else
#define LOCKS 1
#endif

/* Kilobytes of this process that are locked, proc_pid_status(5). */
static long
locked_kb(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[200];
	long kb = -1;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "VmLck: %ld", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb;
}

/* Writes to 32 MiB; is it there? */
static bool
can_allocate(void)
{
	size_t len = (size_t)32 << 20;
	volatile char *p = malloc(len);
	bool ok = p != NULL;

	for (size_t i = 0; ok && i < len; i += 4096)
		p[i] = 1;
	free((void *)p);
	return ok;
}

static bool
no_core(void)
{
	struct rlimit core;

	return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 &&
	    core.rlim_max == 0 && prctl(PR_GET_DUMPABLE) == 0;
}

/* In a child, for a process cannot take it back: 0, or the step that failed. */
static int
in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
with_right(void)
{
	char why[CW_PROC_WHY_CAP];

	if (cw_proc_harden(why) != 0 || why[0] != '\0')
		return 1;
	if (!no_core())
		return 2;
	if (LOCKS && locked_kb() < 100)
		return 3;
	return can_allocate() ? 0 : 4;
}

/* 64 KiB may be locked: too little to live with, hence nothing is. */
static int
without_right(void)
{
	const struct rlimit low = { 65536, 65536 };
	char why[CW_PROC_WHY_CAP];

	if (setrlimit(RLIMIT_MEMLOCK, &low) < 0 ||
	    (geteuid() == 0 && setuid(NOBODY) < 0))
		return 1;
	if (cw_proc_harden(why) != CW_EDENIED)
		return 2;
	if (strstr(why, "LimitMEMLOCK=infinity") == NULL)
		return 3;
	if (!no_core() || locked_kb() != 0)
		return 4;
	return can_allocate() ? 0 : 5;
}

static void
locks_all(void **state)
{
	struct rlimit lock;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &lock), 0);
	if (geteuid() != 0 && lock.rlim_cur != RLIM_INFINITY)
		skip();
	assert_int_equal(in_child(with_right), 0);
}

static void
goes_on_without_the_right(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_right), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_all),
		cmocka_unit_test(goes_on_without_the_right),
	};

	return cmocka_run_group_tests_name("host/proc", tests, NULL, NULL);
}
