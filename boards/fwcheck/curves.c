/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

/*
 * BearSSL's verifier names all three NIST curves, and it is only ever asked for
 * P-256 (p256.c): the constants of the other two would be 400 bytes of a boot
 * loader that has 16 KiB.  A curve of length 0 is refused.
 */
struct br_ec_curve_def {	/* as BearSSL 0.6 lays it out, src/inner.h */
	int curve;
	const unsigned char *order;
	size_t order_len;
	const unsigned char *generator;
	size_t generator_len;
};
extern const struct br_ec_curve_def br_secp384r1, br_secp521r1;
const struct br_ec_curve_def br_secp384r1 = { 0, NULL, 0, NULL, 0 };
const struct br_ec_curve_def br_secp521r1 = { 0, NULL, 0, NULL, 0 };
