/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cw/crc.h"
#include "cw/err.h"
#include "cw/program.h"

#include "lots.h"

static const uint8_t select_mf[] = { 0x00, 0xa4, 0x00, 0x00, 0x02, 0x3f, 0x00 };
static uint8_t prog[CW_PROG_MAX + 64];

/* One step of each kind; the bytes are those of docs/spec/program.md. */
static const uint8_t golden[] = {
	0x50, 0x01, 0x00, 0x09,				/* header, 9 steps */
	0x01, 0x00, 0x00, 0x06,				/* RESET, warm, 2 bytes */
	0x01, 0x02, 0xff, 0xf0, 0x3b, 0x90,
	0x02, 0x00, 0x00, 0x01, 0x96,			/* PPS up to 96 */
	0x03, 0x03, 0x00, 0x10,				/* APDU, SECRET, PERSONAL */
	0x02, 0x90, 0x00, 0xff, 0xff, 0x91, 0x00, 0xff, 0x00,
	0x00, 0xa4, 0x00, 0x00, 0x02, 0x3f, 0x00,
	0x04, 0x08, 0x00, 0x3c,				/* LOAD, BOOT */
	0xb0, 0xd0, 0x00, 0x00, 0x02, 0x01, 0x80, 0x00,
	0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
	0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd,
	0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd,
	0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd,
	0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd, 0xdd,
	0x00, 0x00, 0x00, 0x00,
	0x05, 0x00, 0x00, 0x05, 0x07, 0x00, 0x02, 0x00, 0x08,	/* CAPTURE */
	0x06, 0x00, 0x00, 0x08,				/* COMPARE */
	0x00, 0x01, 0x00, 0x02, 0xab, 0xcd, 0xff, 0xff,
	0x07, 0x00, 0x00, 0x00,				/* ASK */
	0x08, 0x00, 0x00, 0x04, 0x00, 0x01, 0x86, 0xa0,	/* DELAY 100 ms */
	0x09, 0x00, 0x00, 0x00,				/* POWER_OFF */
};

static struct cw_prog_load
some_load(void)
{
	struct cw_prog_load l = {
		.cla = 0xb0, .ins = 0xd0, .addr = CW_LOAD_DATA_32,
		.check = CW_LOAD_CHECK_CRC16, .block_len = 128,
		.base = 0x08000000, .unit = 1, .len = 0x20000,
	};

	memset(l.digest, 0xdd, sizeof l.digest);
	return l;
}

static int
build_all(uint8_t *buf, size_t cap)
{
	static const uint8_t mask[] = { 0xff, 0xf0 }, value[] = { 0x3b, 0x95 };
	static const struct cw_prog_sw sw[] = {
		{ 0x9000, 0xffff }, { 0x9100, 0xff00 },
	};
	struct cw_prog_load l = some_load();
	struct cw_prog_builder b;

	cw_prog_start(&b, buf, cap);
	cw_prog_reset(&b, true, mask, value, 2);
	cw_prog_pps(&b, 0x96);
	cw_prog_apdu(&b, CW_STEP_SECRET | CW_STEP_PERSONAL, sw, 2, select_mf,
	    sizeof select_mf);
	cw_prog_load(&b, CW_STEP_BOOT, &l, NULL, 0);
	cw_prog_capture(&b, 7, 2, 8);
	cw_prog_compare(&b, 0, 1, (const uint8_t *)"\xab\xcd", NULL, 2);
	cw_prog_simple(&b, CW_OP_ASK);
	cw_prog_delay(&b, 100000);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	return cw_prog_end(&b);
}

static void
program_golden(void **state)
{
	(void)state;
	assert_int_equal(build_all(prog, sizeof prog), sizeof golden);
	assert_memory_equal(prog, golden, sizeof golden);
	assert_int_equal(cw_prog_check(golden, sizeof golden, NULL), 0);
}

static void
program_iterate(void **state)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;
	struct cw_prog_load l = some_load();

	(void)state;
	cw_prog_begin(&it, golden, sizeof golden);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_RESET);
	assert_int_equal(st.u.reset.warm, 1);
	assert_int_equal(st.u.reset.n, 2);
	assert_int_equal(st.u.reset.mask[1], 0xf0);
	assert_int_equal(st.u.reset.value[1], 0x90);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.u.pps.ta1_max, 0x96);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.idx, 2);
	assert_int_equal(st.flags, CW_STEP_SECRET | CW_STEP_PERSONAL);
	assert_int_equal(st.sw_cnt, 2);
	assert_int_equal(st.sw[1].sw, 0x9100);
	assert_int_equal(st.sw[1].mask, 0xff00);
	assert_int_equal(st.u.apdu.len, sizeof select_mf);
	assert_memory_equal(st.u.apdu.buf, select_mf, sizeof select_mf);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_memory_equal(&st.u.load, &l, sizeof l);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.u.capture.id, 7);
	assert_int_equal(st.u.capture.off, 2);
	assert_int_equal(st.u.capture.len, 8);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.u.compare.off, 1);
	assert_int_equal(st.u.compare.n, 2);
	assert_int_equal(st.u.compare.value[1], 0xcd);
	assert_int_equal(st.u.compare.mask[1], 0xff);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_ASK);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.u.delay.us, 100000);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_POWER_OFF);
	assert_int_equal(st.idx, 8);
	assert_int_equal(cw_prog_next(&it, &st), 0);
	assert_int_equal(cw_prog_next(&it, &st), 0);
}

/* A checked program iterates to its end; the steps are as many as it says. */
static unsigned int
walk(const uint8_t *p, size_t len)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;
	unsigned int cnt = 0;

	cw_prog_begin(&it, p, len);
	while (cw_prog_next(&it, &st) == 1) {
		uint8_t out[260];
		uint8_t image[256] = { 0 };

		assert_int_equal(st.idx, cnt);
		cnt++;

		/* The first block of a load is always buildable. */
		if (st.op == CW_OP_LOAD)
			assert_in_range(cw_prog_load_block(&st.u.load, 0, image,
			    out, sizeof out), 6, 260);
	}
	assert_int_equal(it.off, len);
	return cnt;
}

static void
program_truncated(void **state)
{
	uint16_t bad;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof golden; n++)
		assert_int_equal(cw_prog_check(golden, n, &bad), CW_EFORMAT);
	assert_int_equal(bad, 8);
	memcpy(prog, golden, sizeof golden);
	prog[sizeof golden] = 0;
	assert_int_equal(cw_prog_check(prog, sizeof golden + 1, &bad),
	    CW_EFORMAT);
	assert_int_equal(bad, 9);
}

static void
program_mutated(void **state)
{
	uint64_t seed = 0xc0ffee;
	int round, ok_cnt = 0;

	(void)state;
	for (round = 0; round < 200000; round++) {
		size_t len = sizeof golden;
		size_t flips = 1 + lots_below(&seed, 4);

		memcpy(prog, golden, len);
		while (flips-- > 0)
			prog[lots_below(&seed, len)] = (uint8_t)
			    lots_next(&seed);
		if (lots_below(&seed, 4) == 0)
			len = lots_below(&seed, len + 20);
		if (cw_prog_check(prog, len, NULL) < 0)
			continue;
		ok_cnt++;
		assert_int_equal(walk(prog, len), prog[2] << 8 | prog[3]);
	}
	assert_in_range(ok_cnt, 1000, 199000);
}

static void
program_header(void **state)
{
	uint16_t bad;

	(void)state;
	memcpy(prog, golden, sizeof golden);
	prog[1] = 2;
	assert_int_equal(cw_prog_check(prog, sizeof golden, &bad), CW_EVERSION);
	prog[1] = 1;
	prog[0] = 0x51;
	assert_int_equal(cw_prog_check(prog, sizeof golden, &bad), CW_EFORMAT);
	prog[0] = 0x50;
	prog[2] = (CW_PROG_STEPS_MAX + 1) >> 8;
	prog[3] = (CW_PROG_STEPS_MAX + 1) & 0xff;
	assert_int_equal(cw_prog_check(prog, sizeof golden, &bad), CW_ETOOBIG);
	prog[2] = prog[3] = 0;
	assert_int_equal(cw_prog_check(prog, 4, &bad), CW_EFORMAT);
	assert_int_equal(cw_prog_check(prog, CW_PROG_MAX + 1, &bad), CW_ETOOBIG);
	assert_int_equal(cw_prog_check(NULL, 0, &bad), CW_EFORMAT);
}

/* A program of the one step given is refused, with its index. */
static void
bad_step(const uint8_t *step, size_t len)
{
	uint8_t p[600] = { 0x50, 0x01, 0x00, 0x02, 0x09, 0x00, 0x00, 0x00 };
	uint16_t bad = 99;

	memcpy(p + 8, step, len);
	assert_int_equal(cw_prog_check(p, 8 + len, &bad), CW_EFORMAT);
	assert_int_equal(bad, 1);
}

#define BAD(...) do { \
	static const uint8_t step_[] = { __VA_ARGS__ }; \
	bad_step(step_, sizeof step_); \
} while (0)

static void
program_bad_steps(void **state)
{
	(void)state;
	BAD(0x00, 0, 0, 0);				/* no such op */
	BAD(0x0a, 0, 0, 0);
	BAD(0xff, 0, 0, 0);
	BAD(0x09, 0x20, 0, 0);				/* unknown flag */
	BAD(0x09, 0, 0, 1, 0);				/* body of an empty op */
	BAD(0x09, 0, 0, 1);				/* cut body */
	BAD(0x01, 0, 0, 2, 2, 0);			/* kind of reset */
	BAD(0x01, 0, 0, 2, 0, 34);			/* 34 characters */
	BAD(0x01, 0, 0, 4, 0, 1, 0xf0, 0x3b);		/* value beside mask */
	BAD(0x02, 0, 0, 1, 0x1a);			/* RFU TA1 */
	BAD(0x02, 0, 0, 1, 0x10);
	BAD(0x02, 0, 0, 0);
	BAD(0x03, 0, 0, 1, 0);				/* no APDU */
	BAD(0x03, 0, 0, 4, 0, 0x00, 0xa4, 0x00);	/* 3 bytes of one */
	BAD(0x03, 0, 0, 7, 0, 0x00, 0xa4, 0, 0, 2, 0x3f);	/* Lc 2, 1 byte */
	BAD(0x03, 0, 0, 5, 0, 0x00, 0x61, 0, 0);	/* INS 61 */
	BAD(0x03, 0, 0, 5, 0, 0x00, 0x9f, 0, 0);	/* INS 9F */
	BAD(0x03, 0, 0, 5, 0, 0xff, 0xa4, 0, 0);	/* CLA FF */
	BAD(0x03, 0, 0, 5, 9, 0x00, 0xa4, 0, 0);	/* 9 patterns */
	BAD(0x03, 0, 0, 9, 1, 0x90, 0x01, 0xff, 0x00,	/* never matches */
	    0x00, 0xa4, 0, 0);
	BAD(0x05, 0, 0, 5, 1, 0, 0, 0x02, 0x01);	/* 513 bytes */
	BAD(0x05, 0, 0, 4, 1, 0, 0, 0);
	BAD(0x06, 0, 0, 4, 0, 0, 0, 0);			/* n 0 */
	BAD(0x06, 0, 0, 5, 0, 0, 0, 1, 0xab);		/* mask missing */
	BAD(0x08, 0, 0, 4, 0x03, 0x93, 0x87, 0x01);	/* 60 s and 1 us */
	BAD(0x08, 0, 0, 3, 0, 0, 0);
}

/* The check of a LOAD whose fields `change` has altered. */
static int
check_load(const struct cw_prog_load *l)
{
	struct cw_prog_builder b;

	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_load(&b, 0, l, NULL, 0);
	return cw_prog_end(&b);
}

#define LOAD_IS(want, change) do { \
	struct cw_prog_load l = some_load(); \
	int got; \
	change; \
	got = check_load(&l); \
	assert_int_equal(got > 0 ? 0 : got, want); \
} while (0)

static void
program_load_ranges(void **state)
{
	(void)state;
	LOAD_IS(0, l.block_len = 249);
	LOAD_IS(CW_EINVAL, l.block_len = 250);
	LOAD_IS(CW_EINVAL, l.block_len = 0);
	LOAD_IS(CW_EINVAL, l.len = 0);
	LOAD_IS(CW_EINVAL, l.addr = 4);
	LOAD_IS(CW_EINVAL, l.check = 4);
	LOAD_IS(CW_EINVAL, l.flags = 2);
	LOAD_IS(CW_EINVAL, l.ins = 0x6f);
	LOAD_IS(CW_EINVAL, l.cla = 0xff);
	LOAD_IS(0, l.unit = 0);
	LOAD_IS(CW_EINVAL, l.unit = 2);
	/* DATA_32: the last byte may stand at FFFFFFFF, not beyond. */
	LOAD_IS(0, l.base = 0xfffe0000);
	LOAD_IS(CW_EINVAL, l.base = 0xfffe0001);
	LOAD_IS(0, l.off = 0xfffe0000);
	LOAD_IS(CW_EINVAL, l.off = 0xfffe0001);
	/* DATA_24 */
	LOAD_IS(0, l.addr = CW_LOAD_DATA_24; l.base = 0xfe0000);
	LOAD_IS(CW_EINVAL, l.addr = CW_LOAD_DATA_24; l.base = 0xfe0001);
	/* Index in P1 P2: 65536 blocks; half with the mark. */
	LOAD_IS(0, l.addr = CW_LOAD_P1P2_INDEX; l.len = 128 * 65536);
	LOAD_IS(CW_EINVAL, l.addr = CW_LOAD_P1P2_INDEX; l.len = 128 * 65536 + 1);
	LOAD_IS(0, l.addr = CW_LOAD_P1P2_INDEX; l.len = 128 * 32768;
	    l.flags = CW_LOAD_MARK_LAST);
	LOAD_IS(CW_EINVAL, l.addr = CW_LOAD_P1P2_INDEX; l.len = 128 * 32768 + 1;
	    l.flags = CW_LOAD_MARK_LAST);
	/* Offset in P1 P2 */
	LOAD_IS(0, l.addr = CW_LOAD_P1P2_OFFSET; l.base = 0x20000; l.unit = 4);
	LOAD_IS(CW_EINVAL, l.addr = CW_LOAD_P1P2_OFFSET; l.base = 0x20000;
	    l.unit = 3);
	LOAD_IS(CW_EINVAL, l.addr = CW_LOAD_P1P2_OFFSET; l.base = 0x20002;
	    l.unit = 4);
	LOAD_IS(CW_EINVAL, l.addr = CW_LOAD_P1P2_OFFSET; l.base = 0x20000;
	    l.unit = 0);
	LOAD_IS(CW_EINVAL, l.addr = CW_LOAD_P1P2_OFFSET; l.base = 0x40000;
	    l.unit = 4);
}

/* The three bytes before a LOAD's patterns are zero, each of them. */
static void
program_load_reserved(void **state)
{
	const struct cw_prog_load l = some_load();
	int i, len = check_load(&l);

	(void)state;
	assert_int_equal(len, 4 + 4 + 60);
	for (i = len - 4; i < len - 1; i++) {
		prog[i] = 1;
		assert_int_equal(cw_prog_check(prog, (size_t)len, NULL),
		    CW_EFORMAT);
		prog[i] = 0;
	}
	assert_int_equal(cw_prog_check(prog, (size_t)len, NULL), 0);
}

static void
program_load_blocks(void **state)
{
	static uint8_t image[300];
	uint8_t out[260];
	struct cw_prog_load l = some_load();
	uint16_t crc;

	(void)state;
	lots_fill(&(uint64_t){ 5 }, image, sizeof image);
	l.len = sizeof image;
	l.p1 = 0x01;
	l.p2 = 0x02;
	l.flags = CW_LOAD_MARK_LAST;
	assert_int_equal(cw_prog_load_cnt(&l), 3);

	/* Address, data, CRC over both. */
	assert_int_equal(cw_prog_load_block(&l, 1, image, out, sizeof out),
	    5 + 4 + 128 + 2);
	assert_memory_equal(out, "\xb0\xd0\x01\x02\x86\x08\x00\x00\x80", 9);
	assert_memory_equal(out + 9, image + 128, 128);
	crc = cw_crc16(0xffff, out + 5, 132);
	assert_int_equal(out[137] << 8 | out[138], crc);

	/* The last is short and marked. */
	assert_int_equal(cw_prog_load_block(&l, 2, image, out, sizeof out),
	    5 + 4 + 44 + 2);
	assert_memory_equal(out, "\xb0\xd0\x81\x02\x32\x08\x00\x01\x00", 9);
	assert_int_equal(cw_prog_load_block(&l, 3, image, out, sizeof out),
	    CW_ERANGE);
	assert_int_equal(cw_prog_load_block(&l, 0, image, out, 5 + 4 + 128 + 1),
	    CW_EFULL);

	/* Index in P1 P2, XOR; offset in P1 P2, no check; 24 bits, CRC-32. */
	l.addr = CW_LOAD_P1P2_INDEX;
	l.check = CW_LOAD_CHECK_XOR;
	l.block_len = 2;
	assert_int_equal(cw_prog_load_block(&l, 149, image, out, sizeof out), 8);
	assert_memory_equal(out, "\xb0\xd0\x80\x95\x03", 5);
	assert_int_equal(out[7], image[298] ^ image[299]);
	l.addr = CW_LOAD_P1P2_OFFSET;
	l.check = CW_LOAD_CHECK_NONE;
	l.base = 0x100;
	l.unit = 2;
	assert_int_equal(cw_prog_load_block(&l, 3, image, out, sizeof out), 7);
	assert_memory_equal(out, "\xb0\xd0\x00\x83\x02", 5);
	assert_memory_equal(out + 5, image + 6, 2);
	l.addr = CW_LOAD_DATA_24;
	l.check = CW_LOAD_CHECK_CRC32;
	l.base = 0x123456;
	l.unit = 0;
	assert_int_equal(cw_prog_load_block(&l, 0, image, out, sizeof out), 14);
	assert_memory_equal(out, "\xb0\xd0\x01\x02\x09\x12\x34\x56", 8);
	assert_int_equal((uint32_t)out[10] << 24 | out[11] << 16 |
	    out[12] << 8 | out[13], cw_crc32(0, out + 5, 5));
}

/* Captures: eight at most, each id once, 512 bytes together. */
static void
program_captures(void **state)
{
	struct cw_prog_builder b;
	uint16_t i;

	(void)state;
	cw_prog_start(&b, prog, sizeof prog);
	for (i = 0; i < CW_PROG_CAPTURE_MAX; i++)
		cw_prog_capture(&b, (uint8_t)i, 0, 64);
	assert_true(cw_prog_end(&b) > 0);
	cw_prog_capture(&b, 200, 0, 0);
	assert_int_equal(cw_prog_end(&b), CW_EINVAL);

	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_capture(&b, 3, 0, 1);
	cw_prog_capture(&b, 3, 1, 1);
	assert_int_equal(cw_prog_end(&b), CW_EINVAL);

	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_capture(&b, 1, 0, 512);
	assert_true(cw_prog_end(&b) > 0);
	cw_prog_capture(&b, 2, 0, 1);
	assert_int_equal(cw_prog_end(&b), CW_EINVAL);
}

static void
program_builder_limits(void **state)
{
	static const uint8_t zeros[(CW_PROG_MAX - 12) / 2];
	struct cw_prog_builder b;
	size_t n;
	int i;

	(void)state;
	/* Every buffer too short, by any amount. */
	for (n = 0; n < sizeof golden; n++)
		assert_int_equal(build_all(prog, n), CW_EFULL);

	cw_prog_start(&b, prog, sizeof prog);
	assert_int_equal(cw_prog_end(&b), CW_EINVAL);

	cw_prog_start(&b, prog, sizeof prog);
	for (i = 0; i < CW_PROG_STEPS_MAX; i++)
		cw_prog_simple(&b, CW_OP_POWER_OFF);
	assert_int_equal(cw_prog_end(&b), 4 + 4 * CW_PROG_STEPS_MAX);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	assert_int_equal(cw_prog_end(&b), CW_ETOOBIG);

	/* 16000 bytes pass, one more does not. */
	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_compare(&b, 0, 0, zeros, NULL, sizeof zeros);
	assert_int_equal(cw_prog_end(&b), CW_PROG_MAX);
	cw_prog_simple(&b, CW_OP_POWER_OFF);
	assert_int_equal(cw_prog_end(&b), CW_ETOOBIG);

	cw_prog_start(&b, prog, sizeof prog);
	cw_prog_simple(&b, CW_OP_DELAY);
	assert_int_equal(cw_prog_end(&b), CW_EINVAL);
	assert_true(b.bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_golden),
		cmocka_unit_test(program_iterate),
		cmocka_unit_test(program_truncated),
		cmocka_unit_test(program_mutated),
		cmocka_unit_test(program_header),
		cmocka_unit_test(program_bad_steps),
		cmocka_unit_test(program_load_ranges),
		cmocka_unit_test(program_load_reserved),
		cmocka_unit_test(program_load_blocks),
		cmocka_unit_test(program_captures),
		cmocka_unit_test(program_builder_limits),
	};

	return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
