/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PROC_H
#define CW_PROC_H

#include <stddef.h>

/*
 * What a process that holds personal data in clear does first, before it reads a
 * key or opens a socket: no core file, no reading by others of the same user,
 * and no page of it on a swap device.
 *
 *	char how[CW_PROC_WHY_CAP];
 *
 *	if (cw_proc_harden(how) < 0)
 *		cw_log(CW_LOG_WARN, "memory.lock", "%s", how);
 *
 * Not for programs that hold nothing secret (the simulated card and device).
 */
#define CW_PROC_WHY_CAP 200

/*
 * Sets RLIMIT_CORE to 0, PR_SET_DUMPABLE to 0 (prctl(2)), and locks every page
 * that is there or comes, from its first touch on (mlockall(2), MCL_CURRENT,
 * MCL_FUTURE, MCL_ONFAULT).
 *
 * Under a finite RLIMIT_MEMLOCK without CAP_IPC_LOCK locked memory would make
 * allocations fail once the limit is reached: then nothing is locked here, and
 * owners of small secrets may still mlock(2) theirs.
 *
 * 0 when all of it holds; CW_EDENIED when memory is not locked and CW_EIO when
 * core dumps stay possible, with why: what is missing and how to give it.
 */
int cw_proc_harden(char why[CW_PROC_WHY_CAP]);

#endif
