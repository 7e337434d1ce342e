/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/milenage.h"

#define LEN CW_MILENAGE_LEN

static void
mix(uint8_t *dst, const uint8_t *src, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		dst[i] ^= src[i];
}

void
cw_milenage_init(struct cw_milenage *m, struct cw_block_op aes,
    const uint8_t ki[16], const uint8_t opc[16])
{
	m->aes = aes;
	memcpy(m->ki, ki, LEN);
	memcpy(m->opc, opc, LEN);
}

void
cw_milenage_fini(struct cw_milenage *m)
{
	cw_wipe(m, sizeof *m);
}

void
cw_milenage_opc(struct cw_block_op aes, const uint8_t ki[16],
    const uint8_t op[16], uint8_t opc[16])
{
	uint8_t out[LEN];

	aes.encrypt(aes.ctx, ki, op, out);
	mix(out, op, LEN);
	memcpy(opc, out, LEN);
	cw_wipe(out, sizeof out);
}

/* TEMP = E[RAND xor OPc] */
static void
temp(const struct cw_milenage *m, const uint8_t rand[16], uint8_t out[16])
{
	memcpy(out, rand, LEN);
	mix(out, m->opc, LEN);
	m->aes.encrypt(m->aes.ctx, m->ki, out, out);
}

/* E[x xor c] xor OPc, where c has this last byte and zeroes before it. */
static void
last(const struct cw_milenage *m, uint8_t x[16], uint8_t c)
{
	x[LEN - 1] ^= c;
	m->aes.encrypt(m->aes.ctx, m->ki, x, x);
	mix(x, m->opc, LEN);
}

void
cw_milenage_f1(const struct cw_milenage *m, const uint8_t rand[16],
    const uint8_t sqn[6], const uint8_t amf[2], struct cw_milenage_out *out)
{
	uint8_t in[LEN], x[LEN], t[LEN];
	size_t i;

	for (i = 0; i < LEN; i += 8) {
		memcpy(in + i, sqn, 6);
		memcpy(in + i + 6, amf, 2);
	}
	mix(in, m->opc, LEN);

	/* r1 = 64: half a block; c1 = 0 */
	for (i = 0; i < LEN; i++)
		x[i] = in[(i + 8) % LEN];
	temp(m, rand, t);
	mix(x, t, LEN);
	last(m, x, 0);
	memcpy(out->mac_a, x, 8);
	memcpy(out->mac_s, x + 8, 8);
	cw_wipe(x, sizeof x);
	cw_wipe(t, sizeof t);
}

/* OUT2..OUT5: rot(TEMP xor OPc, r) xor c, r in bytes. */
static void
rotated(const struct cw_milenage *m, const uint8_t t[16], size_t r, uint8_t c,
    uint8_t out[16])
{
	size_t i;

	for (i = 0; i < LEN; i++)
		out[i] = t[(i + r) % LEN] ^ m->opc[(i + r) % LEN];
	last(m, out, c);
}

void
cw_milenage_f2345(const struct cw_milenage *m, const uint8_t rand[16],
    struct cw_milenage_out *out)
{
	uint8_t t[LEN], x[LEN];

	temp(m, rand, t);
	rotated(m, t, 0, 1, x);
	memcpy(out->res, x + 8, 8);
	memcpy(out->ak, x, 6);
	rotated(m, t, 4, 2, out->ck);
	rotated(m, t, 8, 4, out->ik);
	rotated(m, t, 12, 8, x);
	memcpy(out->ak_star, x, 6);
	cw_wipe(t, sizeof t);
	cw_wipe(x, sizeof x);
}

void
cw_milenage_gsm(const struct cw_milenage_out *in, uint8_t sres[4], uint8_t kc[8])
{
	memcpy(sres, in->res, 4);
	mix(sres, in->res + 4, 4);
	memcpy(kc, in->ck, 8);
	mix(kc, in->ck + 8, 8);
	mix(kc, in->ik, 8);
	mix(kc, in->ik + 8, 8);
}
