/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/package.h"
#include "order/order.h"

static const struct cw_field_spec fields[] = {
	{ "iccid", CW_FIELD_ICCID, true, true, 0, 0 },
	{ "imsi", CW_FIELD_IMSI, true, true, 0, 0 },
	{ "ki", CW_FIELD_HEX, true, false, 32, 32 },
	{ "pin1", CW_FIELD_PIN, false, false, 0, 0 },
	{ "adm1", CW_FIELD_ADM, false, false, 0, 0 },
	{ "name", CW_FIELD_TEXT, false, false, 0, 20 },
};
#define FIELD_CNT (sizeof fields / sizeof fields[0])

/* Check digits by Luhn, computed apart from this code. */
#define ICCID1 "8988211000000000011"
#define ICCID2 "8988211000000000029"
#define ICCID3 "8988211000000000037"
#define KI "000102030405060708090A0B0C0D0E0F"
#define HEAD "iccid,imsi,ki\n"
#define ROW1 ICCID1 ",001010000000001," KI "\n"
#define ROW2 ICCID2 ",001010000000002," KI "\n"
#define ROW3 ICCID3 ",001010000000003," KI "\n"

/* All rows and faults as one text, to be compared between chunk sizes. */
struct got {
	char text[16384];
	size_t len;
	uint64_t rows;
	int row_err;
	int err;
};

static void
say(struct got *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g->len += (size_t)vsnprintf(g->text + g->len, sizeof g->text - g->len, fmt, ap);
	va_end(ap);
	assert_true(g->len < sizeof g->text);
}

static int
take(void *ctx, const struct cw_order_row *row)
{
	struct got *g = ctx;
	struct cw_field f;
	unsigned int i;

	g->rows++;
	say(g, "row %llu line %u addr %08x iccid %s imsi %s:",
	    (unsigned long long)row->record, row->line, row->addr, row->iccid, row->imsi);
	assert_true(cw_record_check(row->payload, row->payload_len) >= 0);
	for (i = 0; cw_record_field(&f, row->payload, row->payload_len, i) == 0; i++)
		say(g, " %s=%.*s", f.name, (int)f.value_len, (const char *)f.value);
	say(g, "\n");
	return g->row_err;
}

static void
run_with(struct got *g, const struct cw_order_config *base, const char *text,
    size_t len, size_t chunk)
{
	struct cw_order_config cfg = *base;
	const struct cw_order_faults *f;
	struct cw_order_reader *r;
	size_t off, n;
	unsigned int i;
	int err = 0, row_err = g->row_err;

	memset(g, 0, sizeof *g);
	g->row_err = row_err;
	cfg.row = take;
	cfg.ctx = g;
	r = cw_order_new(&cfg);
	assert_non_null(r);
	for (off = 0; off < len && err == 0; off += n) {
		n = len - off < chunk ? len - off : chunk;
		err = cw_order_feed(r, (const uint8_t *)text + off, n);
	}
	g->err = cw_order_end(r);
	f = cw_order_faults(r);
	say(g, "records %llu faults %llu\n",
	    (unsigned long long)cw_order_record_cnt(r), (unsigned long long)f->total);
	for (i = 0; i < f->cnt; i++)
		say(g, "%u %s %s: %s\n", f->list[i].line,
		    cw_order_fault_word(f->list[i].code), f->list[i].column,
		    f->list[i].text);
	cw_order_free(r);
}

static const struct cw_order_config std = { .fields = fields,
    .field_cnt = FIELD_CNT, .own_dups = true };

/* In one piece, then in pieces of 1 to 70 and some larger: always the same. */
static void
run(struct got *g, const struct cw_order_config *cfg, const char *text, size_t len)
{
	static struct got other;
	size_t chunk;

	other.row_err = g->row_err;
	run_with(g, cfg, text, len, len == 0 ? 1 : len);
	for (chunk = 1; chunk <= 70; chunk++) {
		run_with(&other, cfg, text, len, chunk);
		assert_string_equal(other.text, g->text);
		assert_int_equal(other.err, g->err);
	}
}

static void
accepts(const char *text, uint64_t rows)
{
	static struct got g;

	g.row_err = 0;
	run(&g, &std, text, strlen(text));
	if (g.err != 0)
		fail_msg("refused: %s\n%s", text, g.text);
	assert_int_equal(g.rows, rows);
}

/* First fault as "line word column". */
static void
refuses_len(const char *text, size_t len, const char *first, unsigned int cnt)
{
	static struct got g;
	char want[128], head[64];
	const char *p;

	g.row_err = 0;
	run(&g, &std, text, len);
	assert_int_equal(g.err, CW_EFORMAT);
	p = strstr(g.text, "records ");
	assert_non_null(p);
	snprintf(head, sizeof head, "faults %u\n", cnt);
	snprintf(want, sizeof want, "\n%s: ", first);
	if (strstr(p, head) == NULL || strncmp(strchr(p, '\n'), want, strlen(want)) != 0)
		fail_msg("wanted %u, first '%s'; got %s", cnt, first, p);
}

static void
refuses(const char *text, const char *first, unsigned int cnt)
{
	refuses_len(text, strlen(text), first, cnt);
}

static void
reads_good_files(void **state)
{
	(void)state;
	accepts(HEAD ROW1 ROW2 ROW3, 3);
	/* last value of fixed length: a missing line end does not matter */
	accepts(HEAD ROW1 ICCID2 ",001010000000002," KI, 2);
	accepts("\xef\xbb\xbf" HEAD ROW1, 1);
	accepts("ICCID;Imsi;KI\r\n" ICCID1 ";001010000000001;" KI "\r\n", 1);
	accepts("iccid\timsi\tki\n" ICCID1 "\t001010000000001\t" KI "\n\n\r\n", 1);
	accepts("\"iccid\",\"imsi\",\"ki\"\n\"" ICCID1 "\",\"001010000000001\",\"" KI "\"\n", 1);
	accepts("iccid,imsi,ki,name\n" ICCID1 ",001010000000001," KI ",\"a, \"\"b\"\"\"\n", 1);
	accepts("iccid,imsi,ki,name\n" ICCID1 ",001010000000001," KI ",\"two\nlines\"\n"
	    ICCID2 ",001010000000002," KI ",Z\xc3\xbcrich\n", 2);
	accepts("iccid,imsi,ki\n89882110000000000127,001010000000001," KI "\n"
	    "898821100000000001,001010000000002," KI "\n"
	    "8988211000000000029F,001010000000003," KI "\n", 3);
}

static void
gives_values_and_addresses(void **state)
{
	static struct got g;
	static const char text[] = "reader,ICCID,imsi,ki,pin_adm_hex,pin1\n"
	    "10.0.0.17," ICCID1 ",001010000000001," KI ",4142434445464748,\n"
	    "," ICCID2 ",001010000000002," KI ",3132333435363738,0000\n";

	(void)state;
	g.row_err = 0;
	run(&g, &std, text, sizeof text - 1);
	assert_string_equal(g.text,
	    "row 1 line 2 addr 0a000011 iccid " ICCID1 " imsi 001010000000001: iccid="
	    ICCID1 " imsi=001010000000001 ki=" KI " adm1=ABCDEFGH\n"
	    "row 2 line 3 addr 00000000 iccid " ICCID2 " imsi 001010000000002: iccid="
	    ICCID2 " imsi=001010000000002 ki=" KI " adm1=12345678 pin1=0000\n"
	    "records 2 faults 0\n");
}

static void
turns_adm_into_hex(void **state)
{
	static const struct cw_field_spec hex[] = {
		{ "pin_adm_hex", CW_FIELD_HEX, true, false, 16, 16 },
	};
	const struct cw_order_config cfg = { .fields = hex, .field_cnt = 1 };
	static struct got g;

	(void)state;
	g.row_err = 0;
	run(&g, &cfg, "PIN_ADM\n1234\n", 13);
	assert_non_null(strstr(g.text, "pin_adm_hex=31323334ffffffff\n"));
}

static void
refuses_bad_headers(void **state)
{
	(void)state;
	refuses("", "0 empty-file ", 1);
	refuses("\n\n", "0 empty-file ", 1);
	refuses(HEAD, "0 no-records ", 1);
	refuses("\n" HEAD ROW1, "1 column-name ", 1);
	refuses("iccid,imsi\n" ICCID1 ",001010000000001\n", "1 missing-column ki", 1);
	refuses("iccid,imsi,ki,colour\n" ICCID1 ",001010000000001," KI ",red\n",
	    "1 unknown-column colour", 1);
	refuses("iccid,imsi,ki,IMSI\n" ICCID1 ",001010000000001," KI ",001010000000001\n",
	    "1 duplicate-column imsi", 1);
	refuses("iccid,imsi,ki,adm1,pin_adm_hex\n" ICCID1 ",001010000000001," KI ",1234,\n",
	    "1 duplicate-column pin_adm_hex", 1);
	refuses("iccid,imsi,,ki\n" ICCID1 ",001010000000001,," KI "\n", "1 column-name ", 1);
	refuses("\"iccid\"x,imsi,ki\n" ROW1, "1 quote ", 1);
	refuses("iccid;imsi;ki,name\n", "1 mixed-delimiters ", 4);
	refuses_len("\xff\xfei\0c\0\n\0", 8, "1 utf-8 ", 1);
	refuses_len("ic\0cid\n", 7, "1 binary ", 1);
}

static void
refuses_bad_lines(void **state)
{
	(void)state;
	refuses(HEAD ROW1 ICCID2 ",001010000000002\n" ROW3, "3 column-count ", 1);
	refuses(HEAD ROW1 ICCID2 ",001010000000002," KI ",1\n", "3 column-count ", 1);
	refuses(HEAD ROW1 ICCID2 ";001010000000002;" KI "\n", "3 mixed-delimiters ", 1);
	refuses(HEAD ROW1 "\n" ROW2, "3 column-count ", 1);
	refuses(HEAD "a\"b,1,2\n" ROW2, "2 quote ", 1);
	refuses(HEAD ROW1 "\"" ICCID2 ",001010000000002," KI "\n", "3 truncated ", 1);
	refuses(HEAD ROW1 ICCID2 ",001010000000002,00010203", "3 truncated ", 2);
	refuses(HEAD ROW1 ICCID2 ",0010100", "3 truncated ", 2);
	refuses("imsi,iccid,ki,pin1\n001010000000001," ICCID1 "," KI ",1234",
	    "2 truncated ", 1);
	refuses_len(HEAD ROW1 "8988\0" "11,1,2\n", sizeof HEAD ROW1 "8988\0" "11,1,2\n" - 1,
	    "3 binary ", 1);
	refuses(HEAD ROW1 ICCID2 ",001010000000002," KI "\xc3(\n", "3 utf-8 ", 1);
	refuses(HEAD ROW1 ICCID2 ",00101000000\x01" "0002," KI "\n", "3 value-form ", 1);
	refuses("iccid,imsi,ki,name\n" ICCID1 ",001010000000001," KI ",Z\xfcrich\n",
	    "2 utf-8 ", 1);
	/* overlong, surrogate, beyond Unicode */
	refuses("iccid,imsi,ki,name\n" ICCID1 ",001010000000001," KI ",\xc0\xaf\n", "2 utf-8 ", 1);
	refuses("iccid,imsi,ki,name\n" ICCID1 ",001010000000001," KI ",\xed\xa0\x80\n", "2 utf-8 ", 1);
	refuses("iccid,imsi,ki,name\n" ICCID1 ",001010000000001," KI ",\xf4\x90\x80\x80\n", "2 utf-8 ", 1);
}

static void
refuses_bad_values(void **state)
{
	(void)state;
	refuses(HEAD "8988211000000000014,001010000000001," KI "\n", "2 luhn iccid", 1);
	refuses(HEAD "89882110000000012,001010000000001," KI "\n", "2 value-form iccid", 1);
	refuses(HEAD "898821100000000001274,001010000000001," KI "\n", "2 value-form iccid", 1);
	refuses(HEAD "89882110000000000A3,001010000000001," KI "\n", "2 value-form iccid", 1);
	refuses(HEAD ICCID1 ",00101," KI "\n", "2 value-form imsi", 1);
	refuses(HEAD ICCID1 ",0010100000000011," KI "\n", "2 value-form imsi", 1);
	refuses(HEAD ICCID1 ",001010000000001," KI "0\n", "2 value-form ki", 1);
	refuses(HEAD ICCID1 ",001010000000001," KI "00\n", "2 value-form ki", 1);
	refuses(HEAD ICCID1 ",001010000000001,G00102030405060708090A0B0C0D0E0F\n",
	    "2 value-form ki", 1);
	refuses(HEAD ICCID1 ",001010000000001,\n", "2 empty-value ki", 1);
	refuses("iccid,imsi,ki,pin1\n" ICCID1 ",001010000000001," KI ",123\n", "2 value-form pin1", 1);
	refuses("iccid,imsi,ki,pin1\n" ICCID1 ",001010000000001," KI ",12a4\n", "2 value-form pin1", 1);
	refuses("iccid,imsi,ki,adm1\n" ICCID1 ",001010000000001," KI ",4142434445464748\n",
	    "2 value-form adm1", 1);
	refuses("iccid,imsi,ki,pin_adm_hex\n" ICCID1 ",001010000000001," KI ",41424344\n",
	    "2 value-form pin_adm_hex", 1);
	refuses("iccid,imsi,ki,name\n" ICCID1 ",001010000000001," KI ",123456789012345678901\n",
	    "2 value-form name", 1);
	refuses("iccid,imsi,ki,reader\n" ICCID1 ",001010000000001," KI ",10.0.0\n",
	    "2 reader-address reader", 1);
	refuses("iccid,imsi,ki,card_address\n" ICCID1 ",001010000000001," KI ",0.0.0.0\n",
	    "2 reader-address card_address", 1);
	/* several faults of one line, each told */
	refuses(HEAD ROW1 "8988211000000000014,1,zz\n", "3 value-form imsi", 3);
}

static void
finds_duplicates_with_both_lines(void **state)
{
	static struct got g;
	static const char text[] = HEAD ROW1 ROW2 ICCID1 ",001010000000009," KI "\n"
	    ICCID3 ",001010000000002," KI "\n";

	(void)state;
	g.row_err = 0;
	run(&g, &std, text, sizeof text - 1);
	assert_non_null(strstr(g.text, "records 4 faults 2\n"
	    "4 duplicate iccid: the same number stands in line 2\n"
	    "5 duplicate imsi: the same number stands in line 3\n"));
}

static void
counts_against_the_announcement(void **state)
{
	struct cw_order_config cfg = std;
	static struct got g;

	(void)state;
	g.row_err = 0;
	cfg.want_count = 3;
	run(&g, &cfg, HEAD ROW1 ROW2, strlen(HEAD ROW1 ROW2));
	assert_int_equal(g.err, CW_EFORMAT);
	assert_non_null(strstr(g.text, "0 count : 2 records, but 3 were announced"));
	cfg.want_count = 2;
	run(&g, &cfg, HEAD ROW1 ROW2, strlen(HEAD ROW1 ROW2));
	assert_int_equal(g.err, 0);
}

/* A line of every length around the limit; the next line is still read. */
static void
bounds_lines_and_values(void **state)
{
	static char text[200000];
	static struct got g;
	size_t pad, n;

	(void)state;
	g.row_err = 0;
	for (pad = CW_ORDER_LINE_MAX - 3; pad < CW_ORDER_LINE_MAX + 3; pad++) {
		n = (size_t)sprintf(text, "%s", HEAD);
		memset(text + n, 'x', pad);
		n += pad;
		n += (size_t)sprintf(text + n, "\n%s", ROW2);
		run_with(&g, &std, text, n, n);
		assert_int_equal(g.rows, 1);
		assert_non_null(strstr(g.text, "row 2 line 3"));
		assert_non_null(strstr(g.text, pad < CW_ORDER_LINE_MAX ?
		    "2 column-count" : pad == CW_ORDER_LINE_MAX ? "2 " : "2 line-too-long"));
	}

	n = (size_t)sprintf(text, "iccid,imsi,ki,name\n%s,001010000000001,%s,", ICCID1, KI);
	memset(text + n, 'y', CW_ORDER_FIELD_MAX + 1);
	n += CW_ORDER_FIELD_MAX + 1;
	text[n++] = '\n';
	run(&g, &std, text, n);
	assert_non_null(strstr(g.text, "faults 1\n2 field-too-long name"));

	/* a quote never closed, in a long file: one fault, and on we go */
	n = (size_t)sprintf(text, "%s\"%s", HEAD, ROW1);
	for (pad = 0; pad < 40; pad++)
		n += (size_t)sprintf(text + n, "x,y,z\n");
	n += (size_t)sprintf(text + n, "%s", ROW2);
	run(&g, &std, text, n);
	assert_non_null(strstr(g.text, "\n2 quote "));
	assert_int_equal(g.rows, 1);
}

static void
lists_a_thousand_and_counts_all(void **state)
{
	static char text[100000];
	const struct cw_order_faults *f;
	struct cw_order_reader *r;
	size_t n = 0;
	int i;

	(void)state;
	n = (size_t)sprintf(text, "%s", HEAD);
	for (i = 0; i < 3000; i++)
		n += (size_t)sprintf(text + n, "1,2,3\n");
	r = cw_order_new(&std);
	assert_int_equal(cw_order_feed(r, (const uint8_t *)text, n), 0);
	assert_int_equal(cw_order_end(r), CW_EFORMAT);
	f = cw_order_faults(r);
	assert_int_equal(f->total, 9000);
	assert_int_equal(f->cnt, CW_ORDER_FAULTS_MAX);
	assert_int_equal(cw_order_record_cnt(r), 3000);
	cw_order_free(r);
}

/* A file without a header begins with a record: none of it may be repeated. */
static void
tells_no_first_record(void **state)
{
	static struct got g;
	static const char bare[] = ICCID1 ",001010000000001," KI ",7391,adm-pass\n";
	static const char beside[] = "iccid,imsi,ki,cafebabe,9184,a b-c\n";

	(void)state;
	g.row_err = 0;
	run(&g, &std, bare, sizeof bare - 1);
	assert_string_equal(g.text, "records 0 faults 1\n1 no-header : none of "
	    "the 5 values of the first line is a column of the card profile: "
	    "begin the file with a header, such as iccid,...\n");

	/* Beside columns that are known, a name is told, digits and hex are not. */
	run(&g, &std, beside, sizeof beside - 1);
	assert_non_null(strstr(g.text, "1 unknown-column : column 4 (8 characters)"));
	assert_non_null(strstr(g.text, "1 unknown-column : column 5 (4 characters)"));
	assert_non_null(strstr(g.text, "1 unknown-column a b-c: "));
	assert_null(strstr(g.text, "cafebabe"));
	assert_null(strstr(g.text, "9184"));
}

/* No fault text may hold what stood in a secret column. */
static void
tells_no_secret(void **state)
{
	static const char text[] = "iccid,imsi,ki,pin1,adm1\n"
	    ICCID1 ",001010000000001,DEADBEEFDEADBEEF,739,secretkey99\n"
	    ICCID2 ",001010000000001,DEADBEEFDEADBEEg,739,secretkey99\n";
	static struct got g;

	(void)state;
	g.row_err = 0;
	run(&g, &std, text, sizeof text - 1);
	assert_int_equal(g.err, CW_EFORMAT);
	assert_null(strstr(g.text, "DEADBEEF"));
	assert_null(strstr(g.text, "739"));
	assert_null(strstr(g.text, "secretkey"));
}

static void
stops_at_the_sinks_error(void **state)
{
	static struct got g;

	(void)state;
	g.row_err = CW_ENOSPC;
	run(&g, &std, HEAD ROW1 ROW2, strlen(HEAD ROW1 ROW2));
	assert_int_equal(g.err, CW_ENOSPC);
	assert_int_equal(g.rows, 1);
	g.row_err = 0;
}

static void
checks_cos_files(void **state)
{
	/* Intel HEX: 4 bytes at 0100, start none; origin: counted by hand */
	static const char hex[] = ":0401000001020304F1\n:00000001FF\n";
	static const char bad[] = ":0401000001020304F2\n:00000001FF\n";
	static uint8_t big[1 << 16], pkg[200];
	struct cw_order_cos *c = cw_order_cos_new();
	struct cw_pkg p;
	const uint8_t *image;
	uint32_t len;
	int n, err = 0;

	(void)state;
	assert_int_equal(cw_order_cos_feed(c, (const uint8_t *)hex, sizeof hex - 1), 0);
	assert_int_equal(cw_order_cos_end(c), 0);
	image = cw_order_cos_image(c, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(image, "\1\2\3\4", 4);
	assert_int_equal(cw_order_cos_base(c), 0x100);
	assert_string_equal(cw_order_cos_format(c), "hex");
	assert_int_equal(cw_order_cos_package(c, 9, pkg, CW_PKG_HDR + 7), CW_EFULL);
	n = cw_order_cos_package(c, 9, pkg, sizeof pkg);
	assert_int_equal(n, CW_PKG_HDR + 8);
	assert_int_equal(cw_pkg_parse(&p, pkg, (size_t)n), 0);
	assert_int_equal(p.kind, CW_PKG_COS);
	assert_int_equal(p.order, 9);
	assert_memory_equal(p.payload, "\0\0\1\0\1\2\3\4", 8);
	cw_order_cos_free(c);

	c = cw_order_cos_new();
	(void)cw_order_cos_feed(c, (const uint8_t *)bad, sizeof bad - 1);
	assert_int_equal(cw_order_cos_end(c), CW_ECRC);
	assert_non_null(strstr(cw_order_cos_why(c), "check sum"));
	assert_int_equal(cw_order_cos_line(c), 1);
	cw_order_cos_free(c);

	c = cw_order_cos_new();
	for (n = 0; n < 17 && err == 0; n++)
		err = cw_order_cos_feed(c, big, sizeof big);
	assert_int_equal(err == 0 ? cw_order_cos_end(c) : err, CW_ETOOBIG);
	assert_non_null(strstr(cw_order_cos_why(c), "1 MiB"));
	assert_int_equal(cw_order_cos_line(c), 0);
	cw_order_cos_free(c);

	c = cw_order_cos_new();
	assert_int_equal(cw_order_cos_end(c), CW_ESHORT);
	cw_order_cos_free(c);
}

static void
knows_its_words(void **state)
{
	const struct cw_field_spec *f;
	unsigned int cnt, i;

	(void)state;
	for (i = 0; i < CW_FIELD_KIND_CNT; i++)
		assert_int_equal(cw_field_kind_find(cw_field_kind_word(i)), i);
	assert_int_equal(cw_field_kind_find("nothing"), CW_ENOENT);
	f = cw_order_default_fields(&cnt);
	for (i = 1; i < cnt; i++)
		assert_true(strcmp(f[i].name, f[0].name) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_good_files),
		cmocka_unit_test(gives_values_and_addresses),
		cmocka_unit_test(turns_adm_into_hex),
		cmocka_unit_test(refuses_bad_headers),
		cmocka_unit_test(refuses_bad_lines),
		cmocka_unit_test(refuses_bad_values),
		cmocka_unit_test(finds_duplicates_with_both_lines),
		cmocka_unit_test(counts_against_the_announcement),
		cmocka_unit_test(bounds_lines_and_values),
		cmocka_unit_test(lists_a_thousand_and_counts_all),
		cmocka_unit_test(tells_no_first_record),
		cmocka_unit_test(tells_no_secret),
		cmocka_unit_test(stops_at_the_sinks_error),
		cmocka_unit_test(checks_cos_files),
		cmocka_unit_test(knows_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
