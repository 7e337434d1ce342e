/* SPDX-License-Identifier: Apache-2.0 */
#include "host/proc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "cw/err.h"

/* Has this process the right to lock memory whatever the limit says? */
static bool
may_lock(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };
	struct rlimit lock;

	if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0 &&
	    lock.rlim_cur == RLIM_INFINITY)
		return true;
	return syscall(SYS_capget, &head, data) == 0 &&
	    (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &
	    CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

int
cw_proc_harden(char why[CW_PROC_WHY_CAP])
{
	const struct rlimit none = { 0, 0 };

	why[0] = '\0';
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0) {
		snprintf(why, CW_PROC_WHY_CAP, "core dumps stay possible: %s",
		    strerror(errno));
		return CW_EIO;
	}
	if (!may_lock()) {
		snprintf(why, CW_PROC_WHY_CAP, "memory is not locked and may be "
		    "swapped out: give the service LimitMEMLOCK=infinity (ulimit "
		    "-l unlimited), or encrypt the swap space");
		return CW_EDENIED;
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0) {
		snprintf(why, CW_PROC_WHY_CAP, "memory is not locked and may be "
		    "swapped out: %s", strerror(errno));
		return CW_EDENIED;
	}
	return 0;
}
