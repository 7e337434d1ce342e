/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PROFILE_H
#define CW_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/program.h"
#include "cw/package.h"
#include "cw/sha256.h"
#include "order/order.h"

/*
 * Card profile: a Lua 5.4 text that tells which fields a record has and makes
 * the reader programs of an order's COS and of one record.  docs/spec/profile.md
 * is the manual of the language; profiles/ holds examples.
 *
 *	p = cw_profile_load(text, len, "sim-demo.lua", err, sizeof err);
 *	fields = cw_profile_fields(p, &cnt);		for the order check
 *	n = cw_profile_compile_record(p, &rec, out, sizeof out);
 *	if (n < 0) ...cw_profile_error(p)
 *	cw_profile_free(p);
 *
 * The sandbox: no input or output, no clock, no random numbers, no other code;
 * iteration in a fixed order: the same record always gives the same bytes.
 * Each call runs in a Lua state of its own, made for it and wiped after it, so
 * that nothing of one record can reach the program of another.
 *
 * Uses of a profile are not for several threads at once; different profiles
 * are independent.  Works alike in the platform (fields only) and the terminal.
 */
#define CW_PROFILE_TEXT_MAX (256u * 1024u)
#define CW_PROFILE_MEMORY_MAX (16u * 1024u * 1024u)	/* bytes of one state */
#define CW_PROFILE_BLOCK_MAX (256u * 1024u)		/* one string or table */
#define CW_PROFILE_STEPS_MAX 5000000			/* Lua instructions of a call */
#define CW_PROFILE_CPU_MS 2000	/* backstop for costly library calls; thread time */

struct cw_profile;

/*
 * Compiles and runs the text once, which must declare the profile.  name
 * stands for the file in messages.  NULL with err filled ("name:line: cause").
 */
struct cw_profile *cw_profile_load(const char *text, size_t len,
    const char *name, char *err, size_t err_cap);
/* From a file; same errors, and those of reading it. */
struct cw_profile *cw_profile_load_file(const char *path, char *err, size_t err_cap);
/* NULL is harmless. */
void cw_profile_free(struct cw_profile *p);

/* Declared name, lends. */
const char *cw_profile_name(const struct cw_profile *p);
/* What the profile can make. */
bool cw_profile_has_cos(const struct cw_profile *p);
bool cw_profile_has_record(const struct cw_profile *p);
/* Fields of a record, lends; for struct cw_order_config. */
const struct cw_field_spec *cw_profile_fields(const struct cw_profile *p,
    unsigned int *cnt);
/* Whether a field's value must never be shown; unknown names count as secret. */
bool cw_profile_secret(const struct cw_profile *p, const char *field);

struct cw_profile_order {
	uint64_t order;
	uint32_t cos_addr, cos_len;
	uint8_t cos_digest[CW_SHA256_LEN];
};

struct cw_profile_record {
	uint64_t order, record;
	uint32_t epoch;
	const uint8_t *payload;	/* cw_record_* coding, borrowed for the call */
	size_t payload_len;
};

/*
 * Programs into out (CW_PROG_MAX bytes suffice); checked by cw_prog_check.
 *   return  length; 0 = the profile has nothing to do for it
 *           CW_EFORMAT  a field is missing or malformed, or the profile's
 *                       code failed
 *           CW_ELIMIT   memory, instructions or time used up
 *           CW_ETOOBIG  the program is larger than a reader takes
 *           CW_EUNSUPPORTED  the profile has no such function
 *   After an error cw_profile_error tells it: "name:line: cause".  It never
 *   holds a value of a record.
 */
int cw_profile_compile_cos(struct cw_profile *p,
    const struct cw_profile_order *o, uint8_t *out, size_t cap);
int cw_profile_compile_record(struct cw_profile *p,
    const struct cw_profile_record *r, uint8_t *out, size_t cap);

/* What a program has captured when it asks (card.ask); at most one per id. */
struct cw_profile_captures {
	uint8_t cnt;
	struct { uint8_t id; uint16_t len; const uint8_t *buf; }
	    capture[CW_PROG_CAPTURE_MAX];	/* buf borrowed for the call */
};

/*
 * The steps with which a program that asks goes on: answer(fields, job,
 * captured).  The same errors; a program without a step is CW_EFORMAT.
 */
int cw_profile_compile_answer(struct cw_profile *p,
    const struct cw_profile_record *r, const struct cw_profile_captures *c,
    uint8_t *out, size_t cap);

/* Sentence of the last failed compile, lends until the next; "" when none. */
const char *cw_profile_error(const struct cw_profile *p);

#endif
