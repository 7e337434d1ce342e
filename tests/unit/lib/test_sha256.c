/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/sha256.h"

static void
assert_digest(const uint8_t digest[CW_SHA256_LEN], const char *hex)
{
	char text[2 * CW_SHA256_LEN + 1];

	cw_hex(text, digest, CW_SHA256_LEN);
	assert_string_equal(text, hex);
}

/*
 * The examples of FIPS 180-2, B.1 to B.3 (kept for FIPS 180-4 on NIST's page of
 * example values), and the empty message of NIST's SHA256ShortMsg.rsp.
 */
static void
fips_vectors(void **state)
{
	static const struct {
		const char *text;
		const char *digest;
	} v[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb924"
		      "27ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223"
			 "b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039"
		  "a33ce45964ff2167f6ecedd419db06c1" },
	};
	uint8_t digest[CW_SHA256_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof v / sizeof v[0]; i++) {
		cw_sha256(digest, v[i].text, strlen(v[i].text));
		assert_digest(digest, v[i].digest);
	}
}

/* B.3: a million times "a", in pieces that never meet the block size. */
static void
fips_million(void **state)
{
	char piece[97];
	struct cw_sha256 s;
	uint8_t digest[CW_SHA256_LEN];
	size_t left = 1000000;

	(void)state;
	memset(piece, 'a', sizeof piece);
	cw_sha256_init(&s);
	while (left > 0) {
		size_t n = left < sizeof piece ? left : sizeof piece;

		cw_sha256_update(&s, piece, n);
		left -= n;
	}
	cw_sha256_final(&s, digest);
	assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67"
	    "f1809a48a497200e046d39ccc7112cd0");
}

/* Any cut in two gives the digest of the whole, at each length around a block. */
static void
any_cut(void **state)
{
	uint8_t buf[135];
	size_t len, cut;

	(void)state;
	for (len = 0; len < sizeof buf; len++)
		buf[len] = (uint8_t)(len * 7 + 3);
	for (len = 50; len <= sizeof buf; len++) {
		uint8_t whole[CW_SHA256_LEN], parts[CW_SHA256_LEN];

		cw_sha256(whole, buf, len);
		for (cut = 0; cut <= len; cut++) {
			struct cw_sha256 s, copy;

			cw_sha256_init(&s);
			cw_sha256_update(&s, buf, cut);
			copy = s;
			cw_sha256_update(&copy, buf + cut, len - cut);
			cw_sha256_final(&copy, parts);
			assert_memory_equal(whole, parts, sizeof whole);
		}
	}
}

static void
final_wipes(void **state)
{
	static const struct cw_sha256 zero;
	uint8_t digest[CW_SHA256_LEN];
	struct cw_sha256 s;

	(void)state;
	cw_sha256_init(&s);
	cw_sha256_update(&s, "secret", 6);
	cw_sha256_final(&s, digest);
	assert_memory_equal(&s, &zero, sizeof s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fips_vectors),
		cmocka_unit_test(fips_million),
		cmocka_unit_test(any_cut),
		cmocka_unit_test(final_wipes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
