/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_WIRE_H
#define CW_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/bytes.h"

/*
 * What the codecs of both links share; private to lib/wire.
 *
 *	struct cw_wr w = cw_wire_begin(out, cap);
 *	cw_wr_u8(&w, ...);
 *	return cw_wire_end(&w, out, &(struct cw_wire_head){ ... });
 */
struct cw_wire_head {
	uint8_t version, type;
	uint32_t id;
	uint32_t body_max;	/* the link's limit */
};

/* A cursor for the body, behind the room for the header. */
struct cw_wr cw_wire_begin(uint8_t *out, size_t cap);

/* Seals the frame that w has filled. Its length, or CW_EFULL. */
int cw_wire_end(const struct cw_wr *w, uint8_t *out,
    const struct cw_wire_head *h);

/* Verdict of a decoder: the bytes first, then the ranges (ok). */
int cw_wire_judge(const struct cw_rd *r, bool ok);

/*
 * True if text is NUL-terminated within cap and holds no control character, so
 * that the peer's cw_rd_str8 takes it.  For names; a text for people goes
 * through the two below.
 */
bool cw_wire_text_ok(const char *text, size_t cap);

/* True if text is NUL-terminated within cap. */
bool cw_wire_ends(const char *text, size_t cap);

/*
 * Text for people, with a u8 length before it.  Its control characters go out as
 * blanks: a message must not be lost, at every repetition, for a line feed in
 * its explanation.
 */
void cw_wire_put_text(struct cw_wr *w, const char *text);

/* The same for text of several lines, which keeps its LF; no length before. */
void cw_wire_put_lines(struct cw_wr *w, const char *text, size_t len);

#endif
