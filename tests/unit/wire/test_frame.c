/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cw/crc.h"
#include "cw/err.h"
#include "cw/frame.h"

#include "lots.h"

#define BODY_MAX 4096
#define VERSION 1

static uint8_t buf[CW_FRAME_HDR + BODY_MAX + 64];

/* A sealed frame with len random body bytes in buf. */
static size_t
make(uint64_t seed, uint32_t len)
{
	lots_fill(&seed, buf + CW_FRAME_HDR, len);
	return cw_frame_seal(buf, VERSION, 0x24, 0xdeadbeef, len);
}

static void
frame_golden(void **state)
{
	/*
	 * Version 1, type 20, id 01020304, body "123456789".  The body's CRC-32
	 * is the published check value CBF43926; the header's was computed by
	 * zlib: crc32(bytes.fromhex("435701200000000901020304")) = 9AF6C4F5.
	 */
	static const uint8_t golden[] = {
		0x43, 0x57, 0x01, 0x20, 0x00, 0x00, 0x00, 0x09,
		0x01, 0x02, 0x03, 0x04, 0x9a, 0xf6, 0xc4, 0xf5,
		0x51, 0x02, 0xfd, 0xd3,
		'1', '2', '3', '4', '5', '6', '7', '8', '9',
	};
	struct cw_frame f;

	(void)state;
	memcpy(buf + CW_FRAME_HDR, "123456789", 9);
	assert_int_equal(cw_frame_seal(buf, 1, 0x20, 0x01020304, 9),
	    sizeof golden);
	assert_memory_equal(buf, golden, sizeof golden);

	assert_int_equal(cw_frame_peek(&f, golden, sizeof golden, 1, 9),
	    sizeof golden);
	assert_int_equal(f.version, 1);
	assert_int_equal(f.type, 0x20);
	assert_int_equal(f.id, 0x01020304);
	assert_int_equal(f.body_len, 9);
	assert_ptr_equal(f.body, golden + CW_FRAME_HDR);
}

/* Every prefix of a frame asks for more; bytes after it do not matter. */
static void
frame_prefixes(void **state)
{
	static const uint32_t lens[] = { 0, 1, 19, 20, 21, 255, BODY_MAX };
	struct cw_frame f;
	size_t i, n, total;

	(void)state;
	for (i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		total = make(i + 1, lens[i]);
		for (n = 0; n < total; n++)
			assert_int_equal(cw_frame_peek(&f, buf, n, VERSION,
			    BODY_MAX), 0);
		for (; n < total + 40; n++)
			assert_int_equal(cw_frame_peek(&f, buf, n, VERSION,
			    BODY_MAX), total);
		assert_int_equal(f.body_len, lens[i]);
	}
}

/* No change of a single byte, by any value, passes for a frame. */
static void
frame_flips(void **state)
{
	struct cw_frame f;
	size_t total = make(7, 64), i;
	unsigned int x;

	(void)state;
	for (i = 0; i < total; i++) {
		for (x = 1; x < 256; x++) {
			int got;

			buf[i] ^= (uint8_t)x;
			got = cw_frame_peek(&f, buf, total, VERSION, BODY_MAX);
			assert_int_equal(got, i < 2 ? CW_EFORMAT : CW_ECRC);
			buf[i] ^= (uint8_t)x;
		}
	}
	assert_int_equal(cw_frame_peek(&f, buf, total, VERSION, BODY_MAX),
	    total);
}

/* Header of one frame, body of another of equal length: refused. */
static void
frame_halves(void **state)
{
	uint8_t other[CW_FRAME_HDR + 32];
	struct cw_frame f;
	size_t total;

	(void)state;
	total = make(1, 32);
	memcpy(other, buf, total);
	lots_fill(&(uint64_t){ 99 }, buf + CW_FRAME_HDR, 32);
	cw_frame_seal(buf, VERSION, 0x24, 0xdeadbef0, 32);

	/* The body with its check value, grafted whole. */
	memcpy(other + 16, buf + 16, total - 16);
	assert_int_equal(cw_frame_peek(&f, other, total, VERSION, BODY_MAX),
	    CW_ECRC);
}

static void
frame_version(void **state)
{
	struct cw_frame f;

	(void)state;
	cw_frame_seal(buf, 9, 0x01, 77, 0);
	assert_int_equal(cw_frame_peek(&f, buf, CW_FRAME_HDR, VERSION, BODY_MAX),
	    CW_EVERSION);
	assert_int_equal(f.version, 9);
	assert_int_equal(f.type, 1);
	assert_int_equal(f.id, 77);
	assert_null(f.body);
}

static void
frame_too_big(void **state)
{
	struct cw_frame f;
	size_t total = make(3, 100);

	(void)state;
	assert_int_equal(cw_frame_peek(&f, buf, total, VERSION, 100), total);
	/* Said as soon as the header is there, before any body is awaited. */
	assert_int_equal(cw_frame_peek(&f, buf, CW_FRAME_HDR, VERSION, 99),
	    CW_ETOOBIG);
}

/* A stranger (HTTP, TLS) is refused at its first wrong byte. */
static void
frame_stranger(void **state)
{
	struct cw_frame f;

	(void)state;
	assert_int_equal(cw_frame_peek(&f, (const uint8_t *)"GET / HTTP/1.1", 1,
	    VERSION, BODY_MAX), CW_EFORMAT);
	assert_int_equal(cw_frame_peek(&f, (const uint8_t *)"\x16\x03\x01", 3,
	    VERSION, BODY_MAX), CW_EFORMAT);
	assert_int_equal(cw_frame_peek(&f, (const uint8_t *)"CV", 2,
	    VERSION, BODY_MAX), CW_EFORMAT);
	assert_int_equal(cw_frame_peek(&f, (const uint8_t *)"C", 1,
	    VERSION, BODY_MAX), 0);
	assert_int_equal(cw_frame_peek(&f, NULL, 0, VERSION, BODY_MAX), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_golden),
		cmocka_unit_test(frame_prefixes),
		cmocka_unit_test(frame_flips),
		cmocka_unit_test(frame_halves),
		cmocka_unit_test(frame_version),
		cmocka_unit_test(frame_too_big),
		cmocka_unit_test(frame_stranger),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
