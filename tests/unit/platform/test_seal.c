/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cw/err.h"
#include "platform/seal.h"

static const uint8_t key[CW_SEAL_KEY_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void
opens_what_it_sealed(void **state)
{
	const struct cw_seal_id id = { 7, 42 };
	struct cw_seal *s = cw_seal_new(key);
	uint8_t clear[300], sealed[300 + CW_SEAL_OVERHEAD], out[300];
	size_t len;
	int n;

	(void)state;
	for (len = 0; len < sizeof clear; len++)
		clear[len] = (uint8_t)(len * 7);
	for (len = 0; len <= sizeof clear; len += 15) {
		n = cw_seal_put(s, &id, clear, len, sealed);
		assert_int_equal(n, (int)len + CW_SEAL_OVERHEAD);
		memset(out, 0, sizeof out);
		assert_int_equal(cw_seal_get(s, &id, sealed, (size_t)n, out), (int)len);
		assert_memory_equal(out, clear, len);
	}
	cw_seal_free(s);
}

/* Every bit, another record, another order, another key: nothing opens. */
static void
refuses_all_else(void **state)
{
	const struct cw_seal_id id = { 7, 42 }, rec = { 7, 43 }, ord = { 8, 42 };
	uint8_t other_key[CW_SEAL_KEY_LEN] = { 9 };
	struct cw_seal *s = cw_seal_new(key), *other = cw_seal_new(other_key);
	uint8_t sealed[16 + CW_SEAL_OVERHEAD], out[16], zero[16] = { 0 };
	size_t bit;

	(void)state;
	assert_int_equal(cw_seal_put(s, &id, (const uint8_t *)"0123456789abcdef", 16,
	    sealed), sizeof sealed);
	for (bit = 0; bit < 8 * sizeof sealed; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(cw_seal_get(s, &id, sealed, sizeof sealed, out),
		    CW_EDIGEST);
		assert_memory_equal(out, zero, sizeof zero);
		sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	assert_int_equal(cw_seal_get(s, &rec, sealed, sizeof sealed, out), CW_EDIGEST);
	assert_int_equal(cw_seal_get(s, &ord, sealed, sizeof sealed, out), CW_EDIGEST);
	assert_int_equal(cw_seal_get(other, &id, sealed, sizeof sealed, out), CW_EDIGEST);
	assert_int_equal(cw_seal_get(s, &id, sealed, CW_SEAL_OVERHEAD - 1, out), CW_ESHORT);
	assert_int_not_equal(cw_seal_key_id(s), cw_seal_key_id(other));
	cw_seal_free(s);
	cw_seal_free(other);
}

static int
count_random(void *ctx, void *buf, size_t len)
{
	unsigned int *calls = ctx;

	if (++*calls == 3)
		return CW_EIO;
	memset(buf, (int)*calls, len);
	return 0;
}

/* A source of random numbers that fails stops sealing; nonces come from it. */
static void
takes_nonces_from_the_source(void **state)
{
	const struct cw_seal_id id = { 1, 1 };
	struct cw_seal *s = cw_seal_new(key);
	uint8_t sealed[CW_SEAL_OVERHEAD];
	unsigned int calls = 0, n = 0;

	(void)state;
	cw_seal_set_random(s, count_random, &calls);
	while (cw_seal_put(s, &id, sealed, 0, sealed) >= 0)
		n++;
	assert_int_equal(n, 512);
	cw_seal_free(s);
}

/* No nonce twice in many. */
static int
nonce_cmp(const void *a, const void *b)
{
	return memcmp(a, b, 12);
}

static void
never_repeats_a_nonce(void **state)
{
	enum { N = 20000 };
	const struct cw_seal_id id = { 1, 1 };
	struct cw_seal *s = cw_seal_new(key);
	uint8_t (*nonce)[12] = malloc((size_t)N * sizeof *nonce);
	uint8_t sealed[CW_SEAL_OVERHEAD];
	int i;

	(void)state;
	for (i = 0; i < N; i++) {
		assert_true(cw_seal_put(s, &id, sealed, 0, sealed) > 0);
		memcpy(nonce[i], sealed, 12);
	}
	qsort(nonce, N, sizeof *nonce, nonce_cmp);
	for (i = 1; i < N; i++)
		assert_true(memcmp(nonce[i - 1], nonce[i], 12) != 0);
	free(nonce);
	cw_seal_free(s);
}

static void
fingerprints_are_exact(void **state)
{
	struct cw_seal *s = cw_seal_new(key);
	uint8_t a[CW_FP_LEN], b[CW_FP_LEN];
	char digits[32];
	int i;

	(void)state;
	assert_int_equal(cw_seal_fingerprint(s, CW_FP_ICCID, "8988211000000000017", 19, a), 0);
	assert_int_equal(cw_seal_fingerprint(s, CW_FP_IMSI, "8988211000000000017", 19, b), 0);
	assert_memory_not_equal(a, b, CW_FP_LEN);
	/* A leading zero more is another number. */
	assert_int_equal(cw_seal_fingerprint(s, CW_FP_ICCID, "08988211000000000017", 20, b), 0);
	assert_memory_not_equal(a, b, CW_FP_LEN);
	assert_int_equal(cw_seal_fingerprint(s, CW_FP_ICCID, "8988211000000000017", 19, b), 0);
	assert_memory_equal(a, b, CW_FP_LEN);

	/* Within one block all ten thousand differ, and share their head. */
	for (i = 0; i < 10000; i++) {
		snprintf(digits, sizeof digits, "898821100000000%04d", i);
		assert_int_equal(cw_seal_fingerprint(s, CW_FP_ICCID, digits, 19, b), 0);
		assert_memory_equal(a, b, 6);
		assert_int_equal(memcmp(a, b, CW_FP_LEN) == 0, i == 17);
	}
	assert_int_equal(cw_seal_fingerprint(s, CW_FP_ICCID, "1234", 4, b), CW_EINVAL);
	assert_int_equal(cw_seal_fingerprint(s, CW_FP_ICCID, "12345x", 6, b), CW_EINVAL);
	cw_seal_free(s);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
guards_its_key_file(void **state)
{
	char dir[] = "/tmp/cw-seal-XXXXXX", path[64], err[256];
	struct cw_seal *s, *t;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/key", dir);
	assert_null(cw_seal_load(path, err, sizeof err));
	assert_non_null(strstr(err, path));

	write_file(path, "000102030405060708090a0b0c0d0e0f"
	    "101112131415161718191a1b1c1d1e1f\n", 0600);
	s = cw_seal_load(path, err, sizeof err);
	t = cw_seal_load(path, err, sizeof err);
	assert_non_null(s);
	assert_non_null(t);
	assert_int_equal(cw_seal_key_id(s), cw_seal_key_id(t));
	cw_seal_free(s);
	cw_seal_free(t);

	assert_int_equal(chmod(path, 0640), 0);
	assert_null(cw_seal_load(path, err, sizeof err));
	assert_non_null(strstr(err, "chmod 600"));
	write_file(path, "00112233\n", 0600);
	assert_null(cw_seal_load(path, err, sizeof err));
	assert_non_null(strstr(err, "64 hex digits"));
	write_file(path, "zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", 0600);
	assert_null(cw_seal_load(path, err, sizeof err));
	write_file(path, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\r\n", 0400);
	s = cw_seal_load(path, err, sizeof err);
	assert_non_null(s);
	cw_seal_free(s);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_it_sealed),
		cmocka_unit_test(refuses_all_else),
		cmocka_unit_test(takes_nonces_from_the_source),
		cmocka_unit_test(never_repeats_a_nonce),
		cmocka_unit_test(fingerprints_are_exact),
		cmocka_unit_test(guards_its_key_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
