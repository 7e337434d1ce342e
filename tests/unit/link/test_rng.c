/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers of a board without a source of them: the generator against
 * a calculation of its own, and 100,000 starts with power lost anywhere in the
 * settings memory, over which no number may come twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "boards/link/rng.h"
#include "cw/err.h"
#include "reader/settings.h"

#define STARTS 100000u
#define DRAW 32u		/* a hello's random, or a session id */
#define SLOTS (1u << 22)

static const uint8_t secret[32] = "the link key of one reader only";
static const uint8_t uid[12] = "chip 000001";

/* ---- HMAC-DRBG, SP 800-90A 10.1.2, by OpenSSL's HMAC ---- */

struct model {
	uint8_t k[32], v[32];
};

static void
hmac(uint8_t out[32], const uint8_t k[32], const uint8_t *a, size_t a_len)
{
	unsigned int n = 32;

	assert_non_null(HMAC(EVP_sha256(), k, 32, a, a_len, out, &n));
}

static void
model_update(struct model *m, const uint8_t *data, size_t len)
{
	uint8_t buf[33 + 256];
	int round;

	assert_true(len <= 256);
	for (round = 0; round < (len > 0 ? 2 : 1); round++) {
		memcpy(buf, m->v, 32);
		buf[32] = (uint8_t)round;
		if (len > 0)
			memcpy(buf + 33, data, len);
		hmac(m->k, m->k, buf, 33 + len);
		hmac(m->v, m->k, m->v, 32);
	}
}

static void
model_draw(struct model *m, uint8_t *out, size_t len)
{
	size_t n;

	for (; len > 0; out += n, len -= n) {
		n = len < 32 ? len : 32;
		hmac(m->v, m->k, m->v, 32);
		memcpy(out, m->v, n);
	}
	model_update(m, NULL, 0);
}

static void
as_specified(void **state)
{
	static const uint8_t noise[5] = { 9, 8, 7, 6, 5 };
	struct cw_link_rng_seed seed = { .secret = secret,
		.secret_len = sizeof secret, .boot_cnt = 0x0102030405060708u,
		.uid = uid, .uid_len = sizeof uid, .noise = noise,
		.noise_len = sizeof noise };
	uint8_t material[256], want[3000], got[3000];
	size_t len = 0, i;
	struct cw_link_rng rng;
	struct model m;

	(void)state;
	memcpy(material, "cardwright reader link random 1", 32);
	len = 32;
	material[len++] = 32;
	memcpy(material + len, secret, 32);
	len += 32;
	for (i = 1; i <= 8; i++)
		material[len++] = (uint8_t)i;
	material[len++] = 12;
	memcpy(material + len, uid, 12);
	len += 12;
	material[len++] = 5;
	memcpy(material + len, noise, 5);
	len += 5;
	memset(m.k, 0, 32);
	memset(m.v, 1, 32);
	model_update(&m, material, len);
	model_draw(&m, want, 32);
	model_draw(&m, want + 32, 5);
	model_draw(&m, want + 37, 1024);
	model_draw(&m, want + 37 + 1024, 976);

	assert_int_equal(cw_link_rng_init(&rng, &seed), 0);
	cw_link_rng_draw(&rng, got, 32);
	cw_link_rng_draw(&rng, got + 32, 5);
	cw_link_rng_draw(&rng, got + 37, 2000);
	assert_memory_equal(got, want, 2037);
	cw_link_rng_fini(&rng);
}

static void
seeds(void **state)
{
	struct cw_link_rng_seed s = { .secret = secret, .secret_len = 32,
		.boot_cnt = 1 };
	uint8_t a[32], b[32];
	struct cw_link_rng rng;

	(void)state;
	assert_int_equal(cw_link_rng_init(&rng, &s), 0);
	cw_link_rng_draw(&rng, a, 32);
	cw_link_rng_fini(&rng);

	/* another counter, another chip: another stream */
	s.boot_cnt = 2;
	assert_int_equal(cw_link_rng_init(&rng, &s), 0);
	cw_link_rng_draw(&rng, b, 32);
	cw_link_rng_fini(&rng);
	assert_memory_not_equal(a, b, 32);
	s.boot_cnt = 1;
	s.uid = uid;
	s.uid_len = 12;
	assert_int_equal(cw_link_rng_init(&rng, &s), 0);
	cw_link_rng_draw(&rng, b, 32);
	cw_link_rng_fini(&rng);
	assert_memory_not_equal(a, b, 32);

	/* without a counter there is no generator */
	s.boot_cnt = 0;
	assert_int_equal(cw_link_rng_init(&rng, &s), CW_EINVAL);
	s.boot_cnt = 1;
	s.secret_len = 15;
	assert_int_equal(cw_link_rng_init(&rng, &s), CW_EINVAL);
	s.secret_len = 32;
	s.uid_len = 33;
	assert_int_equal(cw_link_rng_init(&rng, &s), CW_EINVAL);
}

/* ---- a settings memory whose power fails ---- */

static struct {
	uint8_t cell[CW_SETTINGS_NVM_BYTES];
	long budget;		/* bytes that can be written before power fails */
	jmp_buf power;
	uint64_t rand;
	unsigned int cuts;
} nvm;

static uint32_t
dice(void)
{
	nvm.rand = nvm.rand * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(nvm.rand >> 33);
}

static int
nvm_read(void *dev, uint32_t off, uint8_t *buf, size_t len)
{
	(void)dev;
	memcpy(buf, nvm.cell + off, len);
	return 0;
}

static int
nvm_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	size_t i;

	(void)dev;
	for (i = 0; i < len; i++) {
		if (nvm.budget-- == 0) {
			/* torn: the byte that was being written is anything */
			if (dice() % 2 == 0)
				nvm.cell[off + i] = (uint8_t)dice();
			nvm.cuts++;
			longjmp(nvm.power, 1);
		}
		nvm.cell[off + i] = buf[i];
	}
	return 0;
}

static const struct cw_nvm_ops nvm_ops = { nvm_read, nvm_write };

/* Open addressing; the first 8 bytes of a number stand for it. */
static uint64_t *seen;

static bool
seen_before(const uint8_t *buf)
{
	uint64_t v;
	uint32_t i;

	memcpy(&v, buf, 8);
	for (i = (uint32_t)(v % SLOTS); seen[i] != 0; i = (i + 1) % SLOTS)
		if (seen[i] == v)
			return true;
	seen[i] = v;
	return false;
}

/* One start: counts it, then draws for a few handshakes until power goes. */
static void
one_start(void)
{
	struct cw_settings_store st;
	struct cw_settings s;
	struct cw_link_rng rng;
	struct cw_link_rng_seed seed = { .uid = uid, .uid_len = sizeof uid };
	uint8_t buf[DRAW];
	unsigned int n;

	cw_settings_init(&st, &nvm_ops, NULL);
	assert_int_equal(cw_settings_load(&st, &s), 0);
	assert_true(s.has_key);
	assert_int_equal(cw_settings_boot(&st, &s, &seed.boot_cnt), 0);
	seed.secret = s.key;
	seed.secret_len = sizeof s.key;
	assert_int_equal(cw_link_rng_init(&rng, &seed), 0);
	for (n = dice() % 16; n > 0; n--) {
		cw_link_rng_draw(&rng, buf, sizeof buf);
		assert_false(seen_before(buf));
	}
	cw_link_rng_fini(&rng);
}

static void
no_number_twice(void **state)
{
	struct cw_settings_store st;
	struct cw_settings s;
	volatile unsigned int i;

	(void)state;
	seen = calloc(SLOTS, sizeof *seen);
	assert_non_null(seen);
	memset(nvm.cell, 0xFF, sizeof nvm.cell);
	nvm.rand = 20;
	nvm.budget = -1;
	cw_settings_init(&st, &nvm_ops, NULL);
	(void)cw_settings_load(&st, &s);
	s.has_key = true;
	strcpy(s.key_id, "reader-1");
	memcpy(s.key, secret, sizeof s.key);
	assert_true(cw_settings_save(&st, &s) >= 0);
	assert_int_equal(cw_settings_boot_restart(&st), 0);

	for (i = 0; i < STARTS; i++) {
		/* half of the starts lose power while the counter is written */
		nvm.budget = dice() % 2 == 0 ? (long)(dice() % 32) : -1;
		if (setjmp(nvm.power) == 0)
			one_start();
	}
	assert_true(nvm.cuts > STARTS / 4);
	printf("%u starts, %u of them cut in the counter\n", STARTS, nvm.cuts);
	free(seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_specified),
		cmocka_unit_test(seeds),
		cmocka_unit_test(no_number_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
