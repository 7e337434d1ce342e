/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "order/order.h"
#include "terminal/profile/profile.h"

/* The files of examples/ are what examples/README.md says of them. */

static const struct {
	const char *name;
	uint32_t line;
	const char *fault;
} bad_csv[] = {
	{ "empty.csv", 0, "empty-file" },
	{ "header-only.csv", 0, "no-records" },
	{ "no-header.csv", 1, "no-header" },
	{ "missing-column-ki.csv", 1, "missing-column" },
	{ "unknown-column.csv", 1, "unknown-column" },
	{ "duplicate-column.csv", 1, "duplicate-column" },
	{ "column-without-name.csv", 1, "column-name" },
	{ "too-few-values.csv", 4, "column-count" },
	{ "too-many-values.csv", 4, "column-count" },
	{ "mixed-delimiters.csv", 5, "mixed-delimiters" },
	{ "truncated-last-line.csv", 11, "truncated" },
	{ "open-quote.csv", 6, "truncated" },
	{ "text-after-quote.csv", 6, "quote" },
	{ "wrong-luhn.csv", 3, "luhn" },
	{ "short-iccid.csv", 3, "value-form" },
	{ "imsi-not-digits.csv", 3, "value-form" },
	{ "short-ki.csv", 3, "value-form" },
	{ "ki-not-hex.csv", 3, "value-form" },
	{ "empty-ki.csv", 3, "empty-value" },
	{ "short-pin.csv", 3, "value-form" },
	{ "pin-not-digits.csv", 3, "value-form" },
	{ "short-puk.csv", 3, "value-form" },
	{ "long-adm.csv", 3, "value-form" },
	{ "duplicate-record.csv", 5, "duplicate" },
	{ "duplicate-imsi.csv", 9, "duplicate" },
	{ "nul-byte.csv", 4, "binary" },
	{ "not-utf8.csv", 4, "utf-8" },
	{ "empty-line-inside.csv", 4, "column-count" },
	{ "value-too-long.csv", 3, "field-too-long" },
	{ "reader-not-an-address.csv", 2, "reader-address" },
};

static const struct {
	const char *name;
	unsigned int line;	/* 0: any */
} bad_cos[] = {
	{ "cos-empty.bin", 0 },
	{ "cos-wrong-checksum.hex", 3 },
	{ "cos-no-end.hex", 0 },
	{ "cos-overlap.hex", 0 },
	{ "cos-wrong-length.hex", 3 },
	{ "cos-no-colon.hex", 3 },
	{ "cos-blank-in-record.hex", 3 },
	{ "cos-larger-than-store.hex", 0 },
	{ "cos-wrong-checksum.s19", 3 },
	{ "cos-no-end.s19", 0 },
	{ "cos-unknown-record.s19", 3 },
	{ "../sim-200.csv", 1 },	/* records are no COS */
};

static uint8_t *
load(const char *name, size_t *len)
{
	uint8_t *buf = malloc(1 << 20);
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", EXAMPLES, name);
	f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("%s is not there", path);
	*len = fread(buf, 1, 1 << 20, f);
	fclose(f);
	return buf;
}

struct count {
	struct cw_profile *p;
	uint64_t rows;
	bool compile;
};

static int
on_row(void *ctx, const struct cw_order_row *row)
{
	static uint8_t out[CW_PROG_MAX];
	struct count *c = ctx;
	struct cw_profile_record r = { 1, row->record, 1, row->payload,
		row->payload_len };

	/* What the order check takes, the profile can make. */
	if (c->compile && cw_profile_compile_record(c->p, &r, out, sizeof(out)) <= 0)
		fail_msg("%s", cw_profile_error(c->p));
	c->rows++;
	return 0;
}

/* Checks a file; the reader is the caller's to free. */
static struct cw_order_reader *
check(const char *name, struct count *c, int *res)
{
	struct cw_order_config cfg = { .own_dups = true, .row = on_row,
		.ctx = c };
	struct cw_order_reader *r;
	uint8_t *buf;
	size_t len;

	cfg.fields = cw_profile_fields(c->p, &cfg.field_cnt);
	r = cw_order_new(&cfg);
	assert_non_null(r);
	buf = load(name, &len);
	*res = cw_order_feed(r, buf, len);
	if (*res == 0)
		*res = cw_order_end(r);
	free(buf);
	return r;
}

static struct cw_profile *
sim_demo(void)
{
	char err[256] = "";
	struct cw_profile *p = cw_profile_load_file(PROFILES "/sim-demo.lua",
	    err, sizeof(err));

	assert_string_equal(err, "");
	return p;
}

static void
test_good_csv(void **state)
{
	struct count c = { sim_demo(), 0, true };
	struct cw_order_reader *r;
	int res;

	(void)state;
	r = check("sim-200.csv", &c, &res);
	if (res != 0)
		fail_msg("%s", cw_order_faults(r)->list[0].text);
	assert_int_equal(c.rows, 200);
	cw_order_free(r);
	cw_profile_free(c.p);
}

static void
test_bad_csv(void **state)
{
	struct count c = { sim_demo(), 0, false };
	const struct cw_order_fault *f;
	struct cw_order_reader *r;
	char name[128];
	size_t i;
	int res;

	(void)state;
	for (i = 0; i < sizeof(bad_csv) / sizeof(bad_csv[0]); i++) {
		snprintf(name, sizeof(name), "bad/%s", bad_csv[i].name);
		r = check(name, &c, &res);
		if (res != CW_EFORMAT || cw_order_faults(r)->cnt == 0)
			fail_msg("%s passes", name);
		f = &cw_order_faults(r)->list[0];
		if (strcmp(cw_order_fault_word(f->code), bad_csv[i].fault) !=
		    0 || f->line != bad_csv[i].line)
			fail_msg("%s: line %u %s: %s", name, f->line,
			    cw_order_fault_word(f->code), f->text);
		cw_order_free(r);
	}
	cw_profile_free(c.p);
}

static int
check_cos(struct cw_order_cos *c, const char *name)
{
	size_t len;
	uint8_t *buf = load(name, &len);
	int res = cw_order_cos_feed(c, buf, len);

	if (res == 0)
		res = cw_order_cos_end(c);
	free(buf);
	return res;
}

static void
test_cos(void **state)
{
	struct cw_order_cos *hex = cw_order_cos_new(),
	    *srec = cw_order_cos_new(), *raw = cw_order_cos_new();
	uint32_t len, len2;
	const uint8_t *image;

	(void)state;
	assert_int_equal(check_cos(raw, "cos-128k.bin"), 0);
	image = cw_order_cos_image(raw, &len);
	assert_int_equal(len, 131072);
	assert_memory_equal(image, "CWCOS\0", 6);

	assert_int_equal(check_cos(hex, "cos-4k.hex"), 0);
	assert_int_equal(check_cos(srec, "cos-4k.s19"), 0);
	image = cw_order_cos_image(hex, &len);
	assert_int_equal(len, 4096);
	assert_memory_equal(image, cw_order_cos_image(srec, &len2), 4096);
	assert_int_equal(len2, 4096);
	assert_memory_equal(image, cw_order_cos_image(raw, &len2), 4096);
	cw_order_cos_free(hex);
	cw_order_cos_free(srec);
	cw_order_cos_free(raw);
}

static void
test_bad_cos(void **state)
{
	struct cw_order_cos *c;
	char name[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_cos) / sizeof(bad_cos[0]); i++) {
		c = cw_order_cos_new();
		snprintf(name, sizeof(name), "bad/%s", bad_cos[i].name);
		if (check_cos(c, name) == 0 ||
		    cw_order_cos_why(c)[0] == '\0' || (bad_cos[i].line != 0 &&
		    cw_order_cos_line(c) != bad_cos[i].line))
			fail_msg("%s:%u: '%s'", name, cw_order_cos_line(c),
			    cw_order_cos_why(c));
		cw_order_cos_free(c);
	}
}

/* No file in examples/bad without an entry here. */
static void
test_all_named(void **state)
{
	DIR *d = opendir(EXAMPLES "/bad");
	struct dirent *e;
	size_t i, cnt = 0;
	bool known;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		known = false;
		for (i = 0; i < sizeof(bad_csv) / sizeof(bad_csv[0]); i++)
			known |= strcmp(bad_csv[i].name, e->d_name) == 0;
		for (i = 0; i < sizeof(bad_cos) / sizeof(bad_cos[0]); i++)
			known |= strcmp(bad_cos[i].name, e->d_name) == 0;
		if (!known)
			fail_msg("%s is not tested", e->d_name);
		cnt++;
	}
	closedir(d);
	/* A sound file of the other kind lies elsewhere. */
	for (i = 0; i < sizeof(bad_cos) / sizeof(bad_cos[0]); i++)
		cnt += strchr(bad_cos[i].name, '/') != NULL;
	assert_int_equal(cnt, sizeof(bad_csv) / sizeof(bad_csv[0]) +
	    sizeof(bad_cos) / sizeof(bad_cos[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_csv),
		cmocka_unit_test(test_bad_csv),
		cmocka_unit_test(test_cos),
		cmocka_unit_test(test_bad_cos),
		cmocka_unit_test(test_all_named),
	};

	return cmocka_run_group_tests_name("line/examples", tests, NULL, NULL);
}
