/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_UPDATE_LOG_H
#define CW_UPDATE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

/*
 * Which slot a reader starts from, and the lowest security counter that it
 * takes: three pages of program memory, shared by boot loader and program.
 * Bytes in docs/spec/firmware-image.md, states in docs/design/update.md.
 *
 * Each change is the programming of one half-word in a free place of a page, so
 * that power lost at any instant leaves the old state or the new one.  The words
 * are chosen so that one of them half programmed is never another.
 *
 *	cw_ulog_init(&l, &flash_ops, dev, &geometry);
 *	cw_ulog_read(&l);
 *	if (l.state.pending >= 0) ...
 *	err = cw_ulog_append(&l, CW_ULOG_COMMIT, slot);
 */
#define CW_ULOG_PAGE_MAX 2048

/* Offsets as cw_flash_ops counts them. */
struct cw_flash_map {
	uint32_t slot_off[2], slot_len;	/* whole pages */
	uint32_t slot_addr[2];	/* where the core sees them; in the image's header */
	uint32_t log_off[2];	/* two pages, used in turn */
	uint32_t counter_off;	/* one page, never erased */
	uint32_t page_len;	/* 1024 or 2048 */
};

enum cw_ulog_op {
	CW_ULOG_COMMIT,		/* slot holds a new image: try it */
	CW_ULOG_TRY,		/* slot is about to be started, not confirmed yet */
	CW_ULOG_CONFIRM,	/* slot has served, or is what we go back to */
};

struct cw_ulog_state {
	int confirmed;		/* slot, or -1: none yet */
	int pending;		/* slot committed and not confirmed, or -1 */
	uint8_t tries;		/* starts of the pending one */
};

struct cw_ulog {
	const struct cw_flash_ops *ops;
	void *dev;
	struct cw_flash_map map;
	struct cw_ulog_state state;
	int page;		/* log page in use, -1: none yet */
	uint32_t next;		/* free half-word of it */
	uint32_t counter;	/* lowest security counter that is taken */
};

/* No access yet. map is copied. */
void cw_ulog_init(struct cw_ulog *l, const struct cw_flash_ops *ops, void *dev,
    const struct cw_flash_map *map);

/* Reads both pages and the counter; never writes. */
void cw_ulog_read(struct cw_ulog *l);

/*
 * One step; the state is the new one when this returns 0.  CW_EIO: the memory
 * did not take it; the state is read anew.
 */
int cw_ulog_append(struct cw_ulog *l, enum cw_ulog_op op, int slot);

/* Raises the lowest security counter to `to` at most, one half-word at a time.
 * 0, CW_ERANGE, CW_EIO. */
int cw_ulog_raise(struct cw_ulog *l, uint32_t to);

#endif
