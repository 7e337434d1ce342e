/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_UPDATE_H
#define CW_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/fwimg.h"
#include "update_log.h"

/*
 * Takes a signed image into the slot that does not run, from whichever side it
 * comes (reader link, console).
 *
 *	cw_update_init(&u, &cfg);
 *	err = cw_update_begin(&u);
 *	err = cw_update_data(&u, buf, len);	any pieces, in order
 *	err = cw_update_end(&u);		committed; tried at the next start
 *	... reset ...
 *	cw_update_confirm(&u);			once the new program has served
 *
 * A file may hold the images of both slots one behind the other: the one for
 * the idle slot is taken, others are passed over.  What follows the last image
 * (the filler of XMODEM) is ignored.
 *
 * Nothing is erased before the signature over the header was found good, and
 * nothing is committed before the program was read back and has the digest of
 * that header.  Power lost at any instant: the boot loader starts the old
 * program, or the new one once committed.
 *
 * cw_update_data erases and programs: up to 10 s in all, 45 ms and 50 us per
 * half-word at a time on a STM32F103, during which the caller's loop stands
 * still.  So no card may be active: ask before begin.
 */
#define CW_UPDATE_TRIES 3	/* starts of a program that does not confirm */
#define CW_UPDATE_CONFIRM_MS 600000u	/* a trial that has not served by then resets */

#define CW_UPDATE_STATE_MAP(X) \
	X(IDLE, "no update under way") \
	X(HEADER, "waiting for the header of an image") \
	X(SKIP, "passing over the image of the running slot") \
	X(BODY, "programming") \
	X(WHOLE, "image programmed and read back, not committed") \
	X(READY, "committed, tried at the next start") \
	X(FAILED, "the last update failed")

enum cw_update_state {
#define X(name, text) CW_UPDATE_##name,
	CW_UPDATE_STATE_MAP(X)
#undef X
};
/* "IDLE", ...; the sentence. Static. */
const char *cw_update_state_name(enum cw_update_state s);
const char *cw_update_state_text(enum cw_update_state s);

struct cw_update_config {
	const struct cw_flash_ops *flash;
	void *dev;		/* given to the flash ops */
	struct cw_flash_map map;
	const char *board;	/* id that an image must have; borrowed */
	struct cw_fwimg_check check;
	int running;		/* slot that runs; -1: none, a boot loader loads slot 0 */
	void (*feed)(void *dev);	/* the watchdog, between two pages; may be NULL */
};

/* The caller's; its members are nobody else's business. */
struct cw_update {
	struct cw_update_config cfg;
	struct cw_ulog log;
	enum cw_update_state state;
	int slot;		/* where to */
	struct cw_fwimg img;
	uint32_t off;		/* bytes of the image under way, header included */
	uint32_t erased;	/* bytes of the slot that are erased */
	uint32_t skip_left;
	bool skipped;		/* an image of the other slot was passed over */
	uint8_t hdr[CW_FWIMG_HDR];
	uint8_t odd;		/* first byte of a half-word that is not whole yet */
	const char *why;
};

/* Reads the log; writes nothing. */
void cw_update_init(struct cw_update *u, const struct cw_update_config *cfg);

/* 0; CW_EBUSY: another is under way, and goes on; CW_ESTATE: the running program
 * is itself on trial; CW_EIO. */
int cw_update_begin(struct cw_update *u);
/* 0, or what is wrong for good: CW_EFORMAT, CW_EVERSION, CW_ERANGE: no image;
 * CW_EUNSUPPORTED: for another board; CW_EDENIED: signature; CW_EFENCED: older
 * than allowed; CW_ETOOBIG; CW_EIO; CW_ESTATE: not begun. */
int cw_update_data(struct cw_update *u, const uint8_t *buf, size_t len);
/* 0 and committed; CW_ESHORT; CW_EDIGEST; CW_ENOENT: no image for the idle
 * slot was in the file; CW_EIO; CW_ESTATE. */
int cw_update_end(struct cw_update *u);
/* Gives an update up; what was programmed is worth nothing. */
void cw_update_drop(struct cw_update *u);

/* From begin to end, drop or failure. */
bool cw_update_active(const struct cw_update *u);

/* What was wrong last, with place and remedy, or "". Static. */
const char *cw_update_why(const struct cw_update *u);

/* True when the running program is on trial: confirm it or it goes. */
bool cw_update_on_trial(const struct cw_update *u);
/*
 * The running program has served.  Ends its trial and raises the security
 * counter to its own.  May be called at any time and any number of times.
 * 0 or CW_EIO.
 */
int cw_update_confirm(struct cw_update *u);

/* The header of the image in a slot, parsed but not verified; 0 or CW_E*. */
int cw_update_peek(const struct cw_update *u, int slot, struct cw_fwimg *h);

#endif
