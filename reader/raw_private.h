/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_RAW_PRIVATE_H
#define CW_RAW_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/frame.h"
#include "cw/outcome.h"

/* Card by card (raw.c): the part of reader_private.h that is its own. */
struct cw_reader;
struct cw_reader_slot;

/* A request card by card: what is under way, and what its answer will be. */
enum cw_reader_raw_op {
	CW_RAW_NONE, CW_RAW_POWER, CW_RAW_PARAMS, CW_RAW_APDU,
};
enum cw_reader_raw_owed {
	CW_RAW_OWE_NOTHING, CW_RAW_OWE_STATE, CW_RAW_OWE_RSP, CW_RAW_OWE_ERROR,
};
struct cw_reader_raw {
	bool held;		/* programs are refused */
	bool skip;		/* the rest of a command that was too long */
	bool wait_owed;
	enum cw_reader_raw_op op;
	enum cw_reader_raw_owed owed;
	int err;		/* why the card goes, or went, off; 0: it was told to */
	uint32_t id;
	uint64_t begin_us;
	uint64_t wait_us;	/* next CARD_WAIT; UINT64_MAX: none */
	uint32_t cmd_len;	/* in queue_mem of the slot, */
	uint32_t rsp_len;	/* or the answer, in its place */
	uint32_t rsp_off;	/* sent already */
};

/* The requests. */
void cw_reader_raw_power(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_raw_query(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_raw_params(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_raw_apdu(struct cw_reader *r, const struct cw_frame *f);
void cw_reader_raw_abort(struct cw_reader *r, const struct cw_frame *f);
/* The step that a request stands for has ended. */
void cw_reader_raw_end(struct cw_reader *r, struct cw_reader_slot *s,
    enum cw_outcome outcome);
/* Where the answer to the command goes. */
uint8_t *cw_reader_raw_room(const struct cw_reader *r,
    const struct cw_reader_slot *s, size_t *cap);
void cw_reader_raw_answer(struct cw_reader *r, struct cw_reader_slot *s,
    size_t len);
/* Ends the request under way, with the card's power. */
void cw_reader_raw_fail(struct cw_reader *r, struct cw_reader_slot *s, int err);
/* Power is down. */
void cw_reader_raw_settled(struct cw_reader *r, struct cw_reader_slot *s);
/* The card has gone. */
void cw_reader_raw_gone(struct cw_reader *r, struct cw_reader_slot *s);
/* The terminal has gone: no answer, power off. */
void cw_reader_raw_drop(struct cw_reader *r, struct cw_reader_slot *s);
void cw_reader_raw_tick(struct cw_reader *r, struct cw_reader_slot *s);
/* Sends one message that is owed; false: none. */
bool cw_reader_raw_flush(struct cw_reader *r, struct cw_reader_slot *s);
void cw_reader_raw_check(const struct cw_reader *r,
    const struct cw_reader_slot *s);

#endif
