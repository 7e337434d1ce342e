/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TLV_H
#define CW_TLV_H

#include "cw/bytes.h"

/*
 * BER-TLV as cards speak it: ISO/IEC 7816-4:2005, 5.2.2 (tags of 1 to 3 bytes,
 * definite lengths of up to 3 bytes after 81, 82, 83), without recursion.
 *
 *	struct cw_rd r = cw_rd_init(rsp, len);
 *	struct cw_tlv t;
 *	while ((got = cw_tlv_next(&r, &t)) > 0) ...
 *
 * Not for SIMPLE-TLV and not for indefinite lengths, which cards do not use.
 */
#define CW_TLV_DEPTH_MAX 8

struct cw_tlv {
	uint32_t tag;		/* all its bytes: 0x6F, 0x9F70, 0x7F4C21 */
	bool constructed;	/* bit 6 of the first tag byte */
	const uint8_t *val;	/* borrows from the input; never NULL */
	size_t len;
};

/*
 * The object at the cursor: 1, or 0 at the end of the input; bytes 00 between
 * objects are skipped.  CW_ESHORT when it reaches beyond the input,
 * CW_EFORMAT on a tag or length that 5.2.2 does not know.
 */
int cw_tlv_next(struct cw_rd *r, struct cw_tlv *t);

/* The first object with that tag directly in buf[len]: 0, CW_ENOENT, or as _next. */
int cw_tlv_find(const uint8_t *buf, size_t len, uint32_t tag, struct cw_tlv *t);

/* A walk through a tree, outer before inner; the input is borrowed. */
struct cw_tlv_walk {
	struct cw_rd level[CW_TLV_DEPTH_MAX];
	uint8_t depth;		/* levels that are open: 1 to 8 */
};

/* At the first of the outermost objects. */
void cw_tlv_walk_init(struct cw_tlv_walk *w, const uint8_t *buf, size_t len);
/* As cw_tlv_next; *depth is 0 for an outermost object. CW_ELIMIT for an object
 * that lies deeper than CW_TLV_DEPTH_MAX levels. */
int cw_tlv_walk_next(struct cw_tlv_walk *w, struct cw_tlv *t, uint8_t *depth);

/* Tag and length; the caller writes len bytes after them. w becomes bad when
 * it is full or the tag is none. */
void cw_tlv_head(struct cw_wr *w, uint32_t tag, size_t len);
void cw_tlv_put(struct cw_wr *w, uint32_t tag, const uint8_t *val, size_t len);

/* Writes objects within objects: what _open began ends at the matching
 * _close. More than CW_TLV_DEPTH_MAX open ones, or 64 KiB in one, make it bad. */
struct cw_tlv_build {
	struct cw_wr wr;
	size_t start[CW_TLV_DEPTH_MAX];	/* of the content, without its length */
	uint8_t depth;
};

/* Into buf[cap], which is borrowed; plain fields go to b->wr meanwhile. */
void cw_tlv_build_init(struct cw_tlv_build *b, uint8_t *buf, size_t cap);
void cw_tlv_build_open(struct cw_tlv_build *b, uint32_t tag);
void cw_tlv_build_close(struct cw_tlv_build *b);
/* Bytes written; CW_EFULL; CW_ESTATE when something is still open. */
int cw_tlv_build_done(const struct cw_tlv_build *b);

#endif
