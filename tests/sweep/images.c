/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boards/fwcheck/p256.h"
#include "cw/err.h"
#include "cw/fwimg.h"
#include "tools/fwkey.h"

/*
 * Images that are not what was signed, against the boot loader's own verifier
 * (BearSSL) and OpenSSL: every single bit of header and signature, and random
 * mutations of one to several bytes anywhere.  None may be taken, and the two
 * must agree on every one.
 */
#define BODY 3000u
#define LEN (CW_FWIMG_HDR + BODY)

static uint8_t image[LEN], point[CW_FWIMG_KEY];
static uint64_t rng = 12345;

static uint32_t
rnd(uint32_t below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33) % below;
}

static bool
taken_by(const uint8_t *img, bool (*verify)(const uint8_t *, const uint8_t *,
    const uint8_t *))
{
	struct cw_fwimg_check check = { verify, point };
	struct cw_fwimg h;

	return cw_fwimg_parse(&h, img, LEN) == 0 &&
	    cw_fwimg_verify(img, &check) == 0 &&
	    cw_fwimg_verify_body(&h, img + CW_FWIMG_HDR, LEN - CW_FWIMG_HDR) == 0;
}

static bool
taken(const uint8_t *img, const char *what, unsigned long n)
{
	bool a = taken_by(img, cw_p256_verify), b = taken_by(img, cw_fwkey_verify);

	if (a != b) {
		fprintf(stderr, "FAIL: BearSSL says %d, OpenSSL %d: %s %lu\n", a, b,
		    what, n);
		exit(1);
	}
	return a;
}

static void
refused(const uint8_t *img, const char *what, unsigned long n)
{
	if (taken(img, what, n)) {
		fprintf(stderr, "FAIL: taken: %s %lu\n", what, n);
		exit(1);
	}
}

static void
make(struct cw_fwkey *k)
{
	struct cw_fwimg h;
	uint8_t digest[CW_SHA256_LEN];
	size_t i;

	for (i = 0; i < BODY; i++)
		image[CW_FWIMG_HDR + i] = (uint8_t)rnd(256);
	memset(&h, 0, sizeof h);
	strcpy(h.board, "stm32f103ze");
	strcpy(h.version, "1.2.3");
	h.counter = (uint16_t)rnd(1024);
	h.addr = 0x08004000;
	h.body_len = BODY;
	cw_fwkey_public(k, point);
	cw_fwkey_id(k, h.key_id);
	cw_sha256(h.body_digest, image + CW_FWIMG_HDR, BODY);
	if (cw_fwimg_build(image, digest, &h) < 0 ||
	    cw_fwkey_sign(k, digest, image + CW_FWIMG_SIGNED) < 0)
		abort();
}

/* RFC 6979, A.2.5: P-256 with SHA-256, "sample". */
static void
published(void)
{
	static const char x[] =
	    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
	static const char s[] =
	    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
	uint8_t key[64], sig[64], digest[CW_SHA256_LEN];
	unsigned int v;
	size_t i;

	for (i = 0; i < 64; i++) {
		sscanf(x + 2 * i, "%2x", &v);
		key[i] = (uint8_t)v;
		sscanf(s + 2 * i, "%2x", &v);
		sig[i] = (uint8_t)v;
	}
	cw_sha256(digest, "sample", 6);
	if (!cw_p256_verify(key, digest, sig) || !cw_fwkey_verify(key, digest, sig)) {
		fputs("FAIL: the published vector is refused\n", stderr);
		exit(1);
	}
	sig[63] ^= 1;
	if (cw_p256_verify(key, digest, sig) || cw_fwkey_verify(key, digest, sig)) {
		fputs("FAIL: the published vector, changed, is taken\n", stderr);
		exit(1);
	}
}

/* Signatures at the edges: r or s zero, the order, all ones; the point at none. */
static void
edges(void)
{
	static const uint8_t order[32] = {
		0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
		0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
	};
	uint8_t img[LEN], saved[CW_FWIMG_KEY];
	unsigned long i;

	for (i = 0; i < 9; i++) {
		memcpy(img, image, LEN);
		if (i % 3 == 0)
			memset(img + CW_FWIMG_SIGNED + (i / 3 == 1 ? 32 : 0), 0,
			    i / 3 == 2 ? 64 : 32);
		else if (i % 3 == 1)
			memcpy(img + CW_FWIMG_SIGNED + (i / 3 == 1 ? 32 : 0), order, 32);
		else
			memset(img + CW_FWIMG_SIGNED + (i / 3 == 1 ? 32 : 0), 0xFF,
			    i / 3 == 2 ? 64 : 32);
		refused(img, "edge", i);
	}
	memcpy(saved, point, sizeof point);
	for (i = 0; i < 3; i++) {
		memset(point, i == 0 ? 0 : i == 1 ? 0xFF : 0x11, sizeof point);
		refused(image, "key that is no point", i);
	}
	memcpy(point, saved, sizeof point);
}

static void
flips(void)
{
	unsigned long i;

	for (i = 0; i < LEN * 8; i += i < CW_FWIMG_HDR * 8 ? 1 : 61) {
		image[i / 8] ^= (uint8_t)(1 << i % 8);
		refused(image, "flipped bit", i);
		image[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void
mutations(unsigned long cnt)
{
	uint8_t img[LEN];
	unsigned long i;
	uint32_t n, at;

	for (i = 0; i < cnt; i++) {
		memcpy(img, image, LEN);
		/* Two of three within header and signature. */
		for (n = 1 + rnd(8); n > 0; n--) {
			at = rnd(3) < 2 ? rnd(CW_FWIMG_HDR) : rnd(LEN);
			img[at] = (uint8_t)rnd(256);
		}
		if (memcmp(img, image, LEN) != 0)
			refused(img, "mutation", i);
	}
}

/* images [N]: N mutations (10,000). */
int
main(int argc, char **argv)
{
	unsigned long cnt = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	struct cw_fwkey *k = cw_fwkey_make(true), *other = cw_fwkey_make(true);
	unsigned long i;

	published();
	for (i = 0; i < 50; i++) {
		make(k);
		if (!taken(image, "good image", i)) {
			fputs("FAIL: a good image is refused\n", stderr);
			return 1;
		}
		cw_fwkey_public(other, point);
		refused(image, "another key", i);
		cw_fwkey_public(k, point);
	}
	edges();
	flips();
	mutations(cnt);
	printf("images: every bit of header and signature and %lu mutations refused, "
	    "by BearSSL and OpenSSL alike\n", cnt);
	cw_fwkey_free(k);
	cw_fwkey_free(other);
	return 0;
}
