/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PACKAGE_H
#define CW_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cw/sha256.h"

/*
 * The package: what travels down from platform to terminal.  Bytes in
 * docs/spec/package.md.  Two kinds: pre-personalization (a COS image, the same
 * for every card) and personalization (one record, one card).
 *
 * Identifier (header), big-endian:
 *	 0  8  "CWPKG" 0D 0A 1A
 *	 8  1  version 1
 *	 9  1  kind: 1 pre-personalization, 2 personalization
 *	10  2  reserved, 0
 *	12  8  order
 *	20  8  record (1.. in order of the file; 0 in a COS package)
 *	28  4  epoch (0 in a COS package)
 *	32  4  payload length
 *	36 32  SHA-256 of the payload
 *	68     payload
 * COS payload: u32 load address, then the image bytes.
 * Record payload: see cw_record_*: u16 field count, then fields
 *	u8 name length, name, u16 value length, value (text as in the file).
 *
 * A package that lacks the identifier (made by another system) is told apart by
 * parsing its format: cw_pkg_guess.
 */
#define CW_PKG_HDR 68
#define CW_PKG_VERSION 1
#define CW_PKG_FIELDS_MAX 64
#define CW_PKG_NAME_MAX 31
#define CW_PKG_VALUE_MAX 1024

enum cw_pkg_kind {
	CW_PKG_UNKNOWN = 0,	/* undecidable: refuse and report */
	CW_PKG_COS = 1,
	CW_PKG_PERSONAL = 2,
};

/* Longest record payload: count, then fields with name and value lengths. */
#define CW_PKG_RECORD_MAX \
	(2 + CW_PKG_FIELDS_MAX * (1 + CW_PKG_NAME_MAX + 2 + CW_PKG_VALUE_MAX))

struct cw_pkg {
	enum cw_pkg_kind kind;
	uint64_t order, record;
	uint32_t epoch;
	const uint8_t *payload;	/* borrows */
	uint32_t payload_len;
	uint8_t digest[CW_SHA256_LEN];
};

/* 0; CW_EFORMAT no identifier; CW_EVERSION; CW_ESHORT; CW_EDIGEST;
 * CW_EINVAL unknown kind, a kind whose numbers contradict it, reserved bytes
 * that are set, or bytes after the payload. */
int cw_pkg_parse(struct cw_pkg *p, const uint8_t *buf, size_t len);

/* Writes the header before a payload standing at buf[CW_PKG_HDR..]; fills the
 * digest.  p->payload is not used.  Returns the total length. */
size_t cw_pkg_seal(uint8_t *buf, const struct cw_pkg *p);

/*
 * Decides what bytes without an identifier are, by their format alone:
 * Intel HEX and S-record text with valid check sums, or a raw image that
 * begins with a known image mark ("CWCOS\0" or an ARM vector table is NOT
 * guessed: only the mark) -> COS; one record in the field coding above, or
 * one CSV header line with one data line that has a personal column
 * (iccid, imsi, ki) -> PERSONAL; both or neither -> UNKNOWN.
 * why (may be NULL) gets a static sentence that gives the reason.
 */
enum cw_pkg_kind cw_pkg_guess(const uint8_t *buf, size_t len, const char **why);

/*
 * Record payload: iterate or find; write.  Names are 1..31 printable ASCII
 * characters, told apart without regard to case; none stands twice.
 */
struct cw_field {
	char name[CW_PKG_NAME_MAX + 1];
	const uint8_t *value;	/* borrows; not NUL-terminated */
	uint16_t value_len;
};
/* Checks the whole payload; field count (1..) or CW_EFORMAT / CW_ESHORT /
 * CW_ETOOBIG. */
int cw_record_check(const uint8_t *payload, size_t len);
/* idx-th field (0-based) of a checked payload; CW_ENOENT beyond the last. */
int cw_record_field(struct cw_field *f, const uint8_t *payload, size_t len,
    unsigned int idx);
/* CW_ENOENT if no field has the name. */
int cw_record_find(struct cw_field *f, const uint8_t *payload, size_t len,
    const char *name);
/* Appends a field to payload buf[*len] of cap (first call with *len 0 makes the
 * count); 0; CW_EFULL; CW_ETOOBIG (fields, value); CW_EINVAL (name not allowed
 * or there already).  After an error the payload is as it was. */
int cw_record_add(uint8_t *buf, size_t cap, size_t *len, const char *name,
    const uint8_t *value, size_t value_len);

#endif
