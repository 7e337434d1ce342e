/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cw/cosimg.h"
#include "cw/err.h"

#include "lots.h"

#define CAP 65536

static uint8_t buf[CAP], used[CAP / 8];
static struct cw_cosimg img;
static char text[1024 * 1024];

/* Feeds in pieces of `piece` bytes; the error of feed or end. */
static int
load_as(enum cw_cos_format format, const void *data, size_t len, size_t piece)
{
	const uint8_t *p = data;
	size_t off, n;
	int err;

	cw_cosimg_init(&img, format, buf, CAP, used);
	for (off = 0; off < len; off += n) {
		n = len - off < piece ? len - off : piece;
		err = cw_cosimg_feed(&img, p + off, n);
		if (err < 0) {
			/* Sticky. */
			assert_int_equal(cw_cosimg_feed(&img, p, 1), err);
			assert_int_equal(cw_cosimg_end(&img), err);
			return err;
		}
	}
	return cw_cosimg_end(&img);
}

static int
load(const char *t)
{
	int whole = load_as(CW_COS_AUTO, t, strlen(t), SIZE_MAX);
	struct cw_cosimg first = img;

	/* How the text is cut into pieces must not matter. */
	assert_int_equal(load_as(CW_COS_AUTO, t, strlen(t), 1), whole);
	assert_int_equal(img.line, first.line);
	assert_int_equal(img.len, first.len);
	assert_int_equal(img.base, first.base);
	return whole;
}

static void
expect_error(const char *t, int err, uint32_t line)
{
	assert_int_equal(load(t), err);
	assert_int_equal(img.line, line);
}

/* A data record of Intel HEX, appended. */
static void
add_hex(char *t, unsigned int off, unsigned int type, const uint8_t *data,
    unsigned int len)
{
	unsigned int sum = len + (off >> 8) + (off & 255) + type, i;

	t += strlen(t);
	t += sprintf(t, ":%02X%04X%02X", len, off, type);
	for (i = 0; i < len; i++) {
		t += sprintf(t, "%02X", data[i]);
		sum += data[i];
	}
	sprintf(t, "%02X\n", (0u - sum) & 255);
}

/* An S-record with n address bytes, appended. */
static void
add_srec(char *t, char type, unsigned int n, uint32_t addr,
    const uint8_t *data, unsigned int len)
{
	unsigned int sum = n + len + 1, i;

	t += strlen(t);
	t += sprintf(t, "S%c%02X", type, n + len + 1);
	for (i = n; i-- > 0;) {
		t += sprintf(t, "%02X", addr >> 8 * i & 255);
		sum += addr >> 8 * i & 255;
	}
	for (i = 0; i < len; i++) {
		t += sprintf(t, "%02X", data[i]);
		sum += data[i];
	}
	sprintf(t, "%02X\n", ~sum & 255);
}

/* The example of the Intel HEX article of Wikipedia (public and much copied). */
static const char intel[] =
    ":10010000214601360121470136007EFE09D2190140\n"
    ":100110002146017E17C20001FF5F16002148011928\n"
    ":10012000194E79234623965778239EDA3F01B2CAA7\n"
    ":100130003F0156702B5E712B722B732146013421C7\n"
    ":00000001FF\n";

static void
hex_example(void **state)
{
	(void)state;
	assert_int_equal(load(intel), 0);
	assert_int_equal(img.format, CW_COS_HEX);
	assert_int_equal(img.base, 0x100);
	assert_int_equal(img.len, 64);
	assert_int_equal(img.rec_cnt, 4);
	assert_int_equal(img.line, 5);
	assert_memory_equal(buf, "\x21\x46\x01\x36", 4);
	assert_memory_equal(buf + 60, "\x46\x01\x34\x21", 4);
}

static void
text_forms(void **state)
{
	(void)state;
	/* CR LF, CR, lower case, blanks at ends, blank lines, 1A, no last LF. */
	assert_int_equal(load(":0300300002337A1E\r\n:00000001FF\r\n"), 0);
	assert_int_equal(img.line, 2);
	assert_int_equal(load(":0300300002337A1E\r:00000001FF"), 0);
	assert_int_equal(load(":0300300002337a1e \t\n:00000001ff"), 0);
	assert_int_equal(load("\n\r\n:0300300002337A1E\n\n:00000001FF\n\n\x1a\n"
	    "\x1a"), 0);
	assert_int_equal(load("\xef\xbb\xbf:0300300002337A1E\n:00000001FF\n"), 0);
	assert_int_equal(img.base, 0x30);
	assert_int_equal(img.len, 3);
	assert_memory_equal(buf, "\x02\x33\x7a", 3);
}

/* Types 02 (segment) and 04 (linear); 03 and 05 give the entry. */
static void
hex_addresses(void **state)
{
	(void)state;
	assert_int_equal(load(":020000021200EA\n:0300300002337A1E\n"
	    ":0400000300003800C1\n:00000001FF\n"), 0);
	assert_int_equal(img.base, 0x12030);
	assert_int_equal(img.entry, 0x3800);
	assert_int_equal(load(":02000004FFFFFC\n:0300300002337A1E\n"
	    ":04000005000000CD2A\n:00000001FF\n"), 0);
	assert_int_equal(img.base, 0xffff0030);
	assert_int_equal(img.entry, 0xcd);

	/* Past the segment's end; a linear record may go on, but not past 4 G. */
	text[0] = '\0';
	add_hex(text, 0, 2, (const uint8_t *)"\x10\x00", 2);
	add_hex(text, 0xffff, 0, (const uint8_t *)"ab", 2);
	expect_error(text, CW_ERANGE, 2);
	text[0] = '\0';
	add_hex(text, 0, 2, (const uint8_t *)"\x10\x00", 2);
	add_hex(text, 0, 4, (const uint8_t *)"\x00\x01", 2);
	add_hex(text, 0xffff, 0, (const uint8_t *)"ab", 2);
	add_hex(text, 0, 1, NULL, 0);
	assert_int_equal(load(text), 0);
	assert_int_equal(img.base, 0x1ffff);
	text[0] = '\0';
	add_hex(text, 0, 4, (const uint8_t *)"\xff\xff", 2);
	add_hex(text, 0xffff, 0, (const uint8_t *)"a", 1);
	add_hex(text, 0, 1, NULL, 0);
	assert_int_equal(load(text), 0);
	assert_int_equal(img.base, 0xffffffff);
	text[0] = '\0';
	add_hex(text, 0, 4, (const uint8_t *)"\xff\xff", 2);
	add_hex(text, 0xffff, 0, (const uint8_t *)"ab", 2);
	expect_error(text, CW_ERANGE, 2);
}

static void
hex_errors(void **state)
{
	char bad[sizeof intel];
	size_t i;
	uint32_t line = 1;

	(void)state;
	expect_error(":0300300002337A1F\n:00000001FF\n", CW_ECRC, 1);
	expect_error(":0300300002337A1E\n:0300300002337A1E\n:00000001FF\n",
	    CW_EOVERLAP, 2);
	expect_error(":0300300002337A1E\n", CW_ESHORT, 1);
	expect_error(":0300300002337A1E", CW_ESHORT, 1);
	expect_error(":00000001FF\n", CW_ESHORT, 1);
	expect_error(":0300300002337A1E\n:00000001FF\n:00000001FF\n",
	    CW_EFORMAT, 3);
	expect_error(":0300300002337A1E\n\x1a\n:00000001FF\n", CW_EFORMAT, 2);
	expect_error(":0300300002337A\n", CW_EFORMAT, 1);
	expect_error(":0300300002337A1E00\n", CW_EFORMAT, 1);
	expect_error(":0300300002337A1G\n", CW_EFORMAT, 1);
	expect_error(":030030000233 7A1E\n", CW_EFORMAT, 1);
	expect_error(":\n", CW_EFORMAT, 1);
	expect_error(":00000006FA\n", CW_EFORMAT, 1);
	expect_error(":0300300002337A1E\n# note\n", CW_EFORMAT, 2);
	expect_error(":0100000400FB\n", CW_EFORMAT, 1);

	/* Each character damaged in turn: an error, in its line. */
	for (i = 0; i < sizeof intel - 1; i++) {
		if (intel[i] == '\n') {
			line++;
			continue;
		}
		if (i == 0)
			continue;
		memcpy(bad, intel, sizeof bad);
		bad[i] = bad[i] == '0' ? '1' : '0';
		assert_true(load(bad) < 0);
		assert_int_equal(img.line, line);
	}

	/* A line without end is refused, not gathered. */
	memset(text, '0', 2000);
	text[0] = ':';
	text[2000] = '\0';
	expect_error(text, CW_EFORMAT, 1);
}

static void
gap_and_order(void **state)
{
	(void)state;
	/* Falling addresses, with a gap of five. */
	text[0] = '\0';
	add_hex(text, 0x0208, 0, (const uint8_t *)"WXYZ", 4);
	add_hex(text, 0x0200, 0, (const uint8_t *)"abc", 3);
	add_hex(text, 0, 1, NULL, 0);
	assert_int_equal(load(text), 0);
	assert_int_equal(img.base, 0x200);
	assert_int_equal(img.len, 12);
	assert_memory_equal(buf, "abc\xff\xff\xff\xff\xffWXYZ", 12);
}

/* Any order of records gives the same image, at the full width of the buffer. */
static void
shuffled(void **state)
{
	enum { REC = 128, CNT = CAP / REC };
	static uint8_t want[CAP];
	unsigned int order[CNT];
	uint64_t seed = 42;
	unsigned int i, round;

	(void)state;
	lots_fill(&seed, want, CAP);
	for (i = 0; i < CNT; i++)
		order[i] = CNT - 1 - i;
	for (round = 0; round < 6; round++) {
		text[0] = '\0';
		for (i = 0; i < CNT; i++)
			add_srec(text + i * (2 + 2 * (REC + 6) + 1), '3', 4,
			    0x7fff8000 + order[i] * REC,
			    want + order[i] * REC, REC);
		add_srec(text + strlen(text), '7', 4, 0, NULL, 0);
		assert_int_equal(load_as(CW_COS_AUTO, text, strlen(text), 777),
		    0);
		assert_int_equal(img.base, 0x7fff8000);
		assert_int_equal(img.len, CAP);
		assert_int_equal(img.rec_cnt, CNT);
		assert_memory_equal(buf, want, CAP);
		for (i = CNT; i-- > 1;) {
			size_t k = lots_below(&seed, i + 1);
			unsigned int t = order[i];

			order[i] = order[k];
			order[k] = t;
		}
	}
}

static void
too_large(void **state)
{
	(void)state;
	/* Exactly CAP from first to last byte, then one more, both ways. */
	text[0] = '\0';
	add_srec(text, '3', 4, 0x10000, (const uint8_t *)"a", 1);
	add_srec(text, '3', 4, 0x10000 + CAP - 1, (const uint8_t *)"b", 1);
	add_srec(text, '7', 4, 0, NULL, 0);
	assert_int_equal(load(text), 0);
	assert_int_equal(img.len, CAP);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(buf[1], 0xff);
	assert_int_equal(buf[CAP - 1], 'b');
	text[0] = '\0';
	add_srec(text, '3', 4, 0x10000, (const uint8_t *)"a", 1);
	add_srec(text, '3', 4, 0x10000 + CAP, (const uint8_t *)"b", 1);
	expect_error(text, CW_ETOOBIG, 2);
	text[0] = '\0';
	add_srec(text, '3', 4, 0x10000 + CAP, (const uint8_t *)"b", 1);
	add_srec(text, '3', 4, 0x10000, (const uint8_t *)"a", 1);
	expect_error(text, CW_ETOOBIG, 2);
	/* An address far away must not make the buffer spin or wrap. */
	text[0] = '\0';
	add_srec(text, '3', 4, 0, (const uint8_t *)"a", 1);
	add_srec(text, '3', 4, 0xffffffff, (const uint8_t *)"b", 1);
	expect_error(text, CW_ETOOBIG, 2);
}

/* The example of the S-record article of Wikipedia. */
static const char motorola[] =
    "S00F000068656C6C6F202020202000003C\n"
    "S11F00007C0802A6900100049421FFF07C6C1B787C8C23783C6000003863000026\n"
    "S11F001C4BFFFFE5398000007D83637880010014382100107C0803A64E800020E9\n"
    "S111003848656C6C6F20776F726C642E0A0042\n"
    "S5030003F9\n"
    "S9030000FC\n";

static void
srec_example(void **state)
{
	(void)state;
	assert_int_equal(load(motorola), 0);
	assert_int_equal(img.format, CW_COS_SREC);
	assert_int_equal(img.base, 0);
	assert_int_equal(img.len, 0x46);
	assert_int_equal(img.rec_cnt, 3);
	assert_memory_equal(buf + 0x38, "Hello world.\n", 14);
}

static void
srec_errors(void **state)
{
	char bad[sizeof motorola];
	char *at;

	(void)state;
	memcpy(bad, motorola, sizeof bad);
	at = strstr(bad, "S5030003F9");
	memcpy(at, "S5030004F8", 10);
	expect_error(bad, CW_ECRC, 5);
	memcpy(bad, motorola, sizeof bad);
	bad[40] ^= 1;
	expect_error(bad, CW_ECRC, 2);
	expect_error("S1137AF00A0A0D0000000000000000000000000061\n", CW_ESHORT,
	    1);
	expect_error("S9030000FC\n", CW_ESHORT, 1);
	expect_error("S4030000FC\n", CW_EFORMAT, 1);
	expect_error("S10400004141FF\n", CW_EFORMAT, 1);
	expect_error("S101FE\n", CW_EFORMAT, 1);
	expect_error("S1\n", CW_EFORMAT, 1);
	expect_error("S0030000FC\nX9030000FC\n", CW_EFORMAT, 2);
	expect_error("S0030000FC\nS:030000FC\n", CW_EFORMAT, 2);

	/* S6 counts as S5 does; S2 and S8 have three address bytes. */
	text[0] = '\0';
	add_srec(text, '2', 3, 0xabcdef, (const uint8_t *)"q", 1);
	add_srec(text, '6', 3, 1, NULL, 0);
	add_srec(text, '8', 3, 0x123456, NULL, 0);
	assert_int_equal(load(text), 0);
	assert_int_equal(img.base, 0xabcdef);
	assert_int_equal(img.entry, 0x123456);
	text[0] = '\0';
	add_srec(text, '2', 3, 0xabcdef, (const uint8_t *)"q", 1);
	add_srec(text, '6', 3, 2, NULL, 0);
	expect_error(text, CW_ECRC, 2);
}

static void
raw_images(void **state)
{
	static uint8_t big[CAP + 1];
	size_t i;

	(void)state;
	lots_fill(&(uint64_t){ 3 }, big, sizeof big);
	big[0] = 0x00;
	assert_int_equal(load_as(CW_COS_AUTO, big, CAP, 1000), 0);
	assert_int_equal(img.format, CW_COS_RAW);
	assert_int_equal(img.len, CAP);
	assert_int_equal(img.base, 0);
	assert_int_equal(img.line, 0);
	assert_memory_equal(buf, big, CAP);
	assert_int_equal(load_as(CW_COS_AUTO, big, CAP + 1, 1000), CW_ETOOBIG);
	assert_int_equal(img.line, 0);
	assert_int_equal(load_as(CW_COS_RAW, big, CAP + 1, SIZE_MAX),
	    CW_ETOOBIG);
	assert_int_equal(load_as(CW_COS_AUTO, "", 0, 1), CW_ESHORT);
	assert_int_equal(img.line, 0);

	/* Beginnings that look like text for a while. */
	assert_int_equal(load("Salt"), 0);
	assert_int_equal(img.format, CW_COS_RAW);
	assert_memory_equal(buf, "Salt", 4);
	assert_int_equal(load("S"), 0);
	assert_int_equal(img.len, 1);
	assert_int_equal(load("\xef\xbb"), 0);
	assert_int_equal(img.len, 2);
	assert_memory_equal(buf, "\xef\xbb", 2);
	for (i = 1; i < 200; i++) {
		memset(big, ' ', i);
		big[i] = 'S';
		big[i + 1] = 'x';
		assert_int_equal(load_as(CW_COS_AUTO, big, i + 2, 3), 0);
		assert_int_equal(img.format, CW_COS_RAW);
		assert_int_equal(img.len, i + 2);
		assert_memory_equal(buf, big, i + 2);
	}

	/* The same bytes by name: a raw image may begin with a colon. */
	assert_int_equal(load_as(CW_COS_AUTO, ":raw", 4, 1), CW_EFORMAT);
	assert_int_equal(load_as(CW_COS_RAW, ":raw", 4, 1), 0);
	assert_memory_equal(buf, ":raw", 4);
	assert_int_equal(load_as(CW_COS_HEX, "S9030000FC\n", 11, 1), CW_EFORMAT);
	assert_int_equal(load_as(CW_COS_SREC, ":00000001FF\n", 12, 1),
	    CW_EFORMAT);
}

/* Without the bitmap the later byte stays; without a buffer text is checked. */
static void
without_memory(void **state)
{
	static const char twice[] = ":0100000041BE\n:0100000042BD\n:00000001FF\n";

	(void)state;
	cw_cosimg_init(&img, CW_COS_AUTO, buf, CAP, NULL);
	assert_int_equal(cw_cosimg_feed(&img, (const uint8_t *)twice,
	    sizeof twice - 1), 0);
	assert_int_equal(cw_cosimg_end(&img), 0);
	assert_int_equal(buf[0], 0x42);

	cw_cosimg_init(&img, CW_COS_AUTO, NULL, 64, NULL);
	assert_int_equal(cw_cosimg_feed(&img, (const uint8_t *)intel,
	    sizeof intel - 1), 0);
	assert_int_equal(cw_cosimg_end(&img), 0);
	assert_int_equal(img.len, 64);
	cw_cosimg_init(&img, CW_COS_AUTO, NULL, 63, NULL);
	assert_int_equal(cw_cosimg_feed(&img, (const uint8_t *)intel,
	    sizeof intel - 1), CW_ETOOBIG);
	assert_int_equal(img.line, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_example),
		cmocka_unit_test(text_forms),
		cmocka_unit_test(hex_addresses),
		cmocka_unit_test(hex_errors),
		cmocka_unit_test(gap_and_order),
		cmocka_unit_test(shuffled),
		cmocka_unit_test(too_large),
		cmocka_unit_test(srec_example),
		cmocka_unit_test(srec_errors),
		cmocka_unit_test(raw_images),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests_name("cosimg", tests, NULL, NULL);
}
