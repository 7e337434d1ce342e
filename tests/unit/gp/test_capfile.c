/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include <zip.h>

#include "host/cap.h"
#include "tests/unit/gp/cap.h"
#include "tests/unit/gp/rig.h"

static struct cap_image image;

/* An archive of these components (a bit each) and a manifest. */
static size_t
pack(uint8_t *out, size_t cap, unsigned int mask, size_t big)
{
	static const char *const names[] = {
#define X(sym, name, tag, must) "com/acme/javacard/" name ".cap",
		CW_GP_CAP_MAP(X)
#undef X
	};
	static uint8_t zeros[1 << 20];
	zip_source_t *src = zip_source_buffer_create(NULL, 0, 0, NULL), *part;
	zip_t *z = zip_open_from_source(src, ZIP_TRUNCATE, NULL);
	zip_int64_t n;
	size_t i;

	assert_non_null(z);
	zip_source_keep(src);
	part = zip_source_buffer(z, "Manifest-Version: 1.0\n", 22, 0);
	assert_true(zip_file_add(z, "META-INF/MANIFEST.MF", part, 0) >= 0);
	for (i = 0; i < CW_GP_CAP_CNT; i++) {
		if ((mask & 1u << i) == 0)
			continue;
		part = zip_source_buffer(z, image.bytes[i], 3u +
		    (size_t)(image.bytes[i][1] << 8 | image.bytes[i][2]), 0);
		assert_true(zip_file_add(z, names[i], part, 0) >= 0);
	}
	if (big > 0) {
		part = zip_source_buffer(z, zeros, big, 0);
		assert_true(zip_file_add(z, "x/Method.cap", part, 0) >= 0);
	}
	assert_int_equal(zip_close(z), 0);
	assert_int_equal(zip_source_open(src), 0);
	n = zip_source_read(src, out, cap);
	zip_source_close(src);
	zip_source_free(src);
	assert_true(n > 0 && (size_t)n < cap);
	return (size_t)n;
}

static void
test_archive(void **state)
{
	static uint8_t buf[100000];
	struct cw_cap_file f;
	char err[200];
	size_t len, cut;
	int i;

	(void)state;
	cap_make(&image, 3000);
	len = pack(buf, sizeof buf, 0x7FF, 0);
	assert_int_equal(cw_cap_open_mem(&f, buf, len, err, sizeof err), 0);
	assert_int_equal(f.info.applet_cnt, 1);
	assert_int_equal(f.cap.part[CW_GP_CAP_METHOD].len, 3003);
	assert_memory_equal(f.cap.part[CW_GP_CAP_METHOD].buf,
	    image.bytes[CW_GP_CAP_METHOD], 3003);
	cw_cap_close(&f);
	cw_cap_close(&f);

	/* cut off anywhere */
	for (cut = 0; cut < len; cut += 37)
		assert_true(cw_cap_open_mem(&f, buf, cut, err, sizeof err) < 0);

	/* a bit flipped anywhere: an error, or the very same content */
	for (i = 0; i < (int)len * 8; i += 101) {
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
		if (cw_cap_open_mem(&f, buf, len, err, sizeof err) == 0)
			assert_memory_equal(f.cap.part[CW_GP_CAP_METHOD].buf,
			    image.bytes[CW_GP_CAP_METHOD], 3003);
		else
			assert_true(err[0] != '\0');
		cw_cap_close(&f);
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	len = pack(buf, sizeof buf, 0x7FF & ~(1u << CW_GP_CAP_METHOD), 0);
	assert_int_equal(cw_cap_open_mem(&f, buf, len, err, sizeof err), CW_ENOENT);
	assert_non_null(strstr(err, "Method.cap: is missing"));

	/* small in the archive, large outside; two packages in one */
	len = pack(buf, sizeof buf, 0x7FF & ~(1u << CW_GP_CAP_METHOD), 1 << 20);
	assert_int_equal(cw_cap_open_mem(&f, buf, len, err, sizeof err), CW_ETOOBIG);
	len = pack(buf, sizeof buf, 0x7FF, 100);
	assert_int_equal(cw_cap_open_mem(&f, buf, len, err, sizeof err), CW_EEXIST);
	assert_int_equal(cw_cap_open(&f, "/nonexistent.cap", err, sizeof err), CW_EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
