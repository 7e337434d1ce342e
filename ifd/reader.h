/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_IFD_READER_H
#define CW_IFD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/rlink.h"
#include "ifd/device.h"

/*
 * A cardwright reader as a PC/SC driver sees it: slots with cards, over the reader
 * link (docs/spec/reader-link.md, "Card by card").
 *
 * Any thread may call.  Who waits for an answer reads the link; others wait for
 * him, and the polling thread keeps off the link while commands are coming, so
 * that an answer wakes the thread that wants it and no other.
 *
 * A link that is lost is a card that is removed; the polling thread connects again.
 */
struct cw_ifd_reader;

/* The last words about a link, for the log; no secret is in them. */
struct cw_ifd_log {
	void (*say)(int level, const char *text);	/* 0 error, 1 information */
};

/*
 * Takes the key from the file and tries to connect; a reader that is away now
 * may come later, with one slot.  NULL with err filled: the key file.
 */
struct cw_ifd_reader *cw_ifd_open(const struct cw_ifd_device *d,
    const struct cw_ifd_log *log,
    char *err, size_t err_cap);
void cw_ifd_close(struct cw_ifd_reader *r);

/* Slots at the first connection, 1 if there was none. */
uint8_t cw_ifd_slots(const struct cw_ifd_reader *r);
/* A change that was too short to be seen is told as one absence. */
bool cw_ifd_present(struct cw_ifd_reader *r, uint8_t slot);

/* 0, a CW_E* of the reader's ERROR, CW_ECLOSED, CW_ETIMEOUT. */
int cw_ifd_power(struct cw_ifd_reader *r, uint8_t slot,
    enum cw_rl_card_action action, struct cw_rl_card_state *st);
int cw_ifd_params(struct cw_ifd_reader *r, uint8_t slot, uint8_t protocol,
    uint8_t ta1_max);
int cw_ifd_query(struct cw_ifd_reader *r, uint8_t slot,
    struct cw_rl_card_state *st);
/* *rsp_len: room, then length; CW_EFULL when it is more. */
int cw_ifd_apdu(struct cw_ifd_reader *r, uint8_t slot, const uint8_t *cmd,
    size_t len, uint8_t *rsp, size_t *rsp_len);

/* Waits until the slot's card comes or goes, ms pass, or it is stopped: a stop ends
 * one poll, the present one or the next. */
void cw_ifd_poll(struct cw_ifd_reader *r, uint8_t slot, int ms);
void cw_ifd_poll_stop(struct cw_ifd_reader *r, uint8_t slot);

/* Of the present reader, copied; false when there has been none yet. */
bool cw_ifd_about(struct cw_ifd_reader *r, struct cw_rl_hello_ok *out);

#endif
