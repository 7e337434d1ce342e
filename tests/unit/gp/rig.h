/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_GP_RIG_H
#define CW_TESTS_GP_RIG_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/scp.h"
#include "host/keyops.h"

/* Helpers of the GlobalPlatform tests. */

/* Hex text into out[cap]; its length. Fails the test on bad hex. */
static inline size_t
rig_hex(uint8_t *out, size_t cap, const char *text)
{
	int n = cw_unhex(out, cap, text, strlen(text));

	assert_true(n >= 0);
	return (size_t)n;
}

static inline uint32_t
rig_key(struct cw_keystore *s, enum cw_key_alg alg, const char *hex)
{
	uint8_t k[CW_KEY_MAX];
	uint32_t h;

	assert_int_equal(rig_hex(k, sizeof k, hex), cw_key_len(alg));
	h = cw_keystore_add(s, alg, k);
	assert_int_not_equal(h, 0);
	return h;
}

/* buf[len] is that hex. */
static inline void
rig_same(const uint8_t *buf, size_t len, const char *hex)
{
	uint8_t want[512];

	assert_int_equal(len, rig_hex(want, sizeof want, hex));
	assert_memory_equal(buf, want, len);
}

/* xorshift64: a test prints its seed. */
static inline uint64_t
rig_rand(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static inline void
rig_fill(uint64_t *s, uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)(rig_rand(s) >> 24);
}

#endif
