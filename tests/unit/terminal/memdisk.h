/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_MEMDISK_H
#define TEST_MEMDISK_H

#include "terminal/journal.h"

/*
 * A disk in memory with faults: what was written and not synced is lost at a
 * crash, as a whole or but for its first `keep` bytes; space can run out; the
 * n-th call can fail.
 */
struct memfile {
	uint8_t *now, *sure;	/* as read back; as after a crash */
	size_t now_len, sure_len;
};
struct memdisk {
	struct memfile f[2];
	size_t space;		/* bytes that allocate may give */
	int fail_at;		/* the n-th write, sync, allocate, replace; 0 = never */
	int fail_err;
	int calls;
	int syncs;
};

extern const struct cw_journal_ops memdisk_ops;
void memdisk_init(struct memdisk *d);
void memdisk_fini(struct memdisk *d);
/* Power cut: of the unsynced bytes of the live file, `keep` come through. */
void memdisk_crash(struct memdisk *d, size_t keep);

#endif
