/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TERMINAL_DECISION_H
#define CW_TERMINAL_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/package.h"

/*
 * Decision: is a package a COS image or a person's record?  By the package's
 * identifier; where it has none, by parsing its format.  A package that says
 * neither, or whose identifier contradicts itself or its content, is refused
 * with the reason: nothing is ever burned or written on a guess between two.
 */
struct cw_decision {
	enum cw_pkg_kind kind;
	bool by_format;		/* no identifier: decided by the content */
	uint64_t order, record;	/* of the identifier; 0 without one */
	uint32_t epoch;
	const uint8_t *payload;	/* borrows from the package. COS with identifier:
				 * the image bytes after the address; COS by
				 * format: the file as it is (raw, HEX, SREC) */
	size_t payload_len;
	uint32_t addr;		/* COS with identifier: load address */
	char why[160];		/* the reason, for the log or the refusal */
};

/* 0; CW_EFORMAT undecidable; CW_EDIGEST, CW_ESHORT, CW_EVERSION, CW_EINVAL an
 * identifier that is damaged or contradicts its payload. why is always filled. */
int cw_decide(struct cw_decision *d, const uint8_t *pkg, size_t len);

/* Bytes that a record payload may take. */
#define CW_DECISION_RECORD_MAX (128u * 1024u)

/*
 * The record of a personal package that was decided on, in the coding of
 * cw_record_*: as it is, or made of one CSV header line and one data line.
 * Length, or CW_EINVAL, CW_EFORMAT, CW_EFULL, CW_ETOOBIG with d->why filled.
 */
int cw_decision_record(struct cw_decision *d, uint8_t *out, size_t cap);

/*
 * The image of a COS package that was decided on, as contiguous bytes in
 * out[cap] (raw as it is; HEX and SREC decoded), with its load address.
 * Length, or CW_EINVAL (not a COS package), CW_ETOOBIG, CW_EFORMAT, CW_ECRC,
 * CW_EOVERLAP, CW_ESHORT, CW_ENOMEM with d->why filled.
 */
int cw_decision_image(struct cw_decision *d, uint8_t *out, size_t cap,
    uint32_t *addr);

#endif
