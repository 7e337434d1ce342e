/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_MILENAGE_H
#define CW_MILENAGE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Milenage: authentication and key agreement of (U)SIM cards (3GPP TS 35.206).
 *
 *	struct cw_milenage m;
 *	cw_milenage_init(&m, aes, ki, opc);
 *	cw_milenage_f2345(&m, rand, &out);	out.res, .ck, .ik, .ak, .ak_star
 *	cw_milenage_f1(&m, rand, sqn, amf, &out);	out.mac_a, .mac_s
 *	cw_milenage_fini(&m);
 *
 * The block cipher (AES-128) is the caller's: this library has none.  r1..r5 and
 * c1..c5 are those of the standard; operators with their own are not served.
 */
#define CW_MILENAGE_LEN 16	/* Ki, OP, OPc, RAND, CK, IK */

/* One block, encrypted: out may be in. */
struct cw_block_op {
	void (*encrypt)(void *ctx, const uint8_t key[16], const uint8_t in[16],
	    uint8_t out[16]);
	void *ctx;		/* borrowed */
};

struct cw_milenage {
	struct cw_block_op aes;
	uint8_t ki[CW_MILENAGE_LEN], opc[CW_MILENAGE_LEN];
};

struct cw_milenage_out {
	uint8_t mac_a[8], mac_s[8];			/* f1, f1* */
	uint8_t res[8];					/* f2 */
	uint8_t ck[CW_MILENAGE_LEN], ik[CW_MILENAGE_LEN];	/* f3, f4 */
	uint8_t ak[6], ak_star[6];			/* f5, f5* */
};

/* Copies ki and opc; m is secret until _fini, which wipes it. */
void cw_milenage_init(struct cw_milenage *m, struct cw_block_op aes,
    const uint8_t ki[16], const uint8_t opc[16]);
void cw_milenage_fini(struct cw_milenage *m);

/* OPc = OP xor E[OP]Ki (4.1). opc may be op. */
void cw_milenage_opc(struct cw_block_op aes, const uint8_t ki[16],
    const uint8_t op[16], uint8_t opc[16]);

/* The network's and the resynchronisation code: fills mac_a and mac_s only. */
void cw_milenage_f1(const struct cw_milenage *m, const uint8_t rand[16],
    const uint8_t sqn[6], const uint8_t amf[2], struct cw_milenage_out *out);
/* Fills all of out but mac_a and mac_s. */
void cw_milenage_f2345(const struct cw_milenage *m, const uint8_t rand[16],
    struct cw_milenage_out *out);

/*
 * What a SIM of the second generation answers (TS 33.102, 6.8.1.2: conversion
 * functions c2 and c3) from res, ck and ik.
 */
void cw_milenage_gsm(const struct cw_milenage_out *in, uint8_t sres[4],
    uint8_t kc[8]);

#endif
