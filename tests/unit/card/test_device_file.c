/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cw/err.h"
#include "sim/device_file.h"

static char path[64];

static int
make_path(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/cw-device-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void
device(struct cw_sim_device *d)
{
	const struct cw_sim_device_config cfg = { .station_cnt = 2,
	    .hopper = UINT32_MAX };
	const struct cw_sim_mech none = { 0 };

	cw_sim_device_init(d, &cfg, &none);
}

/* A device that has fed n cards, all good. */
static void
fed(struct cw_sim_device *d, uint32_t n)
{
	d->fed = n;
	d->good = n;
}

static int
load(struct cw_sim_device *d)
{
	struct cw_device_file f;
	char err[256];
	int rc;

	device(d);
	rc = cw_device_file_open(&f, path, true, d, err, sizeof err);
	cw_device_file_close(&f);
	return rc;
}

static void
read_all(uint8_t buf[4096])
{
	FILE *fp = fopen(path, "r");

	memset(buf, 0, 4096);
	assert_non_null(fp);
	assert_true(fread(buf, 1, 4096, fp) > 0);
	fclose(fp);
}

static void
write_all(const uint8_t *buf, size_t len)
{
	FILE *fp = fopen(path, "w");

	assert_non_null(fp);
	assert_int_equal(fwrite(buf, 1, len, fp), len);
	fclose(fp);
}

/*
 * A write that tears anywhere: the state before it or the one after it is
 * there, and a number once given out for certain is never given out again.
 */
static void
torn_at_every_byte(void **state)
{
	uint8_t before[4096], after[4096], torn[4096];
	struct cw_device_file f;
	struct cw_sim_device d;
	char err[256];
	uint32_t n;
	int i;

	(void)state;
	device(&d);
	assert_int_equal(cw_device_file_open(&f, path, true, &d, err,
	    sizeof err), 0);
	for (n = 1; n <= 3; n++) {
		fed(&d, n);
		assert_int_equal(cw_device_file_store(&f, &d), 0);
	}
	for (n = 4; n <= 7; n++) {
		read_all(before);
		if (n % 2 == 0)
			d.hopper = 1000 - n;	/* no feed: not waited for */
		else
			fed(&d, n);
		assert_int_equal(cw_device_file_store(&f, &d), 0);
		read_all(after);
		for (i = 0; i <= 4096; i += i % 2048 < 160 ? 1 : 64) {
			struct cw_sim_device got;

			memcpy(torn, after, (size_t)i);
			memcpy(torn + i, before + i, 4096 - (size_t)i);
			cw_device_file_close(&f);
			write_all(torn, 4096);
			assert_int_equal(load(&got), 0);
			assert_true(got.fed == d.fed ||
			    (n % 2 == 1 && got.fed >= n - 2));
		}
		cw_device_file_close(&f);
		write_all(after, 4096);
		device(&d);
		assert_int_equal(cw_device_file_open(&f, path, true, &d, err,
		    sizeof err), 0);
	}
	cw_device_file_close(&f);
}

static void
refused_files(void **state)
{
	struct cw_device_file f, g;
	struct cw_sim_device d;
	char err[256];

	(void)state;
	device(&d);
	assert_int_equal(cw_device_file_open(&f, path, false, &d, err,
	    sizeof err), 0);
	assert_int_equal(cw_device_file_open(&g, path, false, &d, err,
	    sizeof err), CW_EBUSY);
	assert_non_null(strstr(err, "another device"));
	fed(&d, 5);
	assert_int_equal(cw_device_file_store(&f, &d), 0);
	assert_int_equal(cw_device_file_store(&f, &d), 0);
	assert_int_equal(f.generation, 1);
	cw_device_file_close(&f);
	assert_int_equal(load(&d), 0);
	assert_int_equal(d.fed, 5);
	assert_int_equal(d.boot_cnt, 2);

	write_all((const uint8_t *)"[device]\n", 9);
	assert_int_equal(cw_device_file_open(&f, path, false, &d, err,
	    sizeof err), CW_EFORMAT);
	assert_non_null(strstr(err, path));
	assert_int_equal(cw_device_file_open(&f, "/nowhere/x", false, &d, err,
	    sizeof err), CW_EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(torn_at_every_byte, make_path,
		    remove_path),
		cmocka_unit_test_setup_teardown(refused_files, make_path,
		    remove_path),
	};

	return cmocka_run_group_tests_name("device/file", tests, NULL, NULL);
}
