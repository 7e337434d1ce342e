/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_FWIMG_H
#define CW_FWIMG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/sha256.h"

/*
 * A signed firmware image: one header of 512 bytes, then the program, linked
 * for the place where it stands.  Bytes in docs/spec/firmware-image.md.
 *
 *	err = cw_fwimg_parse(&h, buf, len);
 *	err = cw_fwimg_verify(buf, &check);		signature over the header
 *	err = cw_fwimg_verify_body(&h, buf + CW_FWIMG_HDR, len);
 *
 * The header holds the SHA-256 of the program, and the signature covers the
 * header: both verified, every byte is.  Parsing alone proves nothing.
 */
#define CW_FWIMG_HDR 512	/* the vector table behind it is aligned for VTOR */
#define CW_FWIMG_SIGNED 448	/* bytes that the signature covers */
#define CW_FWIMG_SIG 64		/* r and s, 32 bytes each */
#define CW_FWIMG_KEY 64		/* x and y of a point of P-256 */
#define CW_FWIMG_BOARD 16
#define CW_FWIMG_VERSION 24
#define CW_FWIMG_COUNTER_MAX 1024

enum cw_fwimg_flag {
	CW_FWIMG_DEV = 0x01,	/* signed with a development key */
};

struct cw_fwimg {
	char board[CW_FWIMG_BOARD + 1];
	char version[CW_FWIMG_VERSION + 1];	/* for people */
	uint16_t flags;
	uint16_t counter;	/* security counter, 0..CW_FWIMG_COUNTER_MAX */
	uint32_t addr;		/* where the header stands when the program runs */
	uint32_t body_len;	/* 8.., a multiple of 4 */
	uint8_t key_id[4];	/* first bytes of SHA-256 of the public key */
	uint8_t body_digest[CW_SHA256_LEN];
};

/*
 * True if sig (r, s) of this digest was made with the private key to key (x,
 * y).  Of the caller, because a host and a boot loader have other libraries;
 * called with lengths as above.
 */
struct cw_fwimg_check {
	bool (*verify)(const uint8_t *key, const uint8_t *digest,
	    const uint8_t *sig);
	const uint8_t *key;	/* CW_FWIMG_KEY bytes, borrowed */
};

/* 0; CW_ESHORT: less than a header; CW_EFORMAT: no image; CW_EVERSION: made by
 * a newer tool; CW_ERANGE: a length or counter that cannot be. */
int cw_fwimg_parse(struct cw_fwimg *h, const uint8_t *buf, size_t len);

/* Is it for this board?  board: NUL-terminated. */
bool cw_fwimg_is_for(const struct cw_fwimg *h, const char *board);

/* buf: the CW_FWIMG_HDR bytes that h was parsed of. 0, or CW_EDENIED. */
int cw_fwimg_verify(const uint8_t *buf, const struct cw_fwimg_check *check);

/* 0; CW_ESHORT: fewer bytes than the header says; CW_EDIGEST. */
int cw_fwimg_verify_body(const struct cw_fwimg *h, const uint8_t *body, size_t len);

/*
 * Writes the header of h to out[CW_FWIMG_HDR] without a signature; returns 0 or
 * CW_EINVAL.  digest is what must be signed; the signature then goes to
 * out + CW_FWIMG_SIGNED.
 */
int cw_fwimg_build(uint8_t *out, uint8_t digest[CW_SHA256_LEN], const struct cw_fwimg *h);

#endif
