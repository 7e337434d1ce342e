/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "ifd/device.h"

/* DEVICENAME of reader.conf, as pcscd hands it over. */
static char err[600];

static void
test_good(void **state)
{
	struct cw_ifd_device d;

	(void)state;
	unsetenv("CARDWRIGHT_IFD_KEYS");
	assert_int_equal(cw_ifd_device_parse(&d, "tcp:10.0.0.1:7816", err, sizeof err), 0);
	assert_string_equal(d.host, "10.0.0.1");
	assert_string_equal(d.port, "7816");
	assert_string_equal(d.identity, "10.0.0.1:7816");
	assert_string_equal(d.keys, CW_IFD_KEYS);
	assert_false(d.plain);
	assert_int_equal(d.slots, 0);

	assert_int_equal(cw_ifd_device_parse(&d, "tcp:reader-7:1:slots=3:keys=/k.key:"
	    "id=10.0.0.7:7816", err, sizeof err), 0);
	assert_string_equal(d.host, "reader-7");
	assert_int_equal(d.slots, 3);
	assert_string_equal(d.keys, "/k.key");
	assert_string_equal(d.identity, "10.0.0.7:7816");

	assert_int_equal(cw_ifd_device_parse(&d, "tcp:h:65535:plain", err, sizeof err), 0);
	assert_true(d.plain);
	setenv("CARDWRIGHT_IFD_KEYS", "/etc/other", 1);
	assert_int_equal(cw_ifd_device_parse(&d, "tcp:h:1", err, sizeof err), 0);
	assert_string_equal(d.keys, "/etc/other");
}

static void
test_bad(void **state)
{
	static const char *const names[] = {
		"", "tcp", "tcp:", "tcp::7816", "tcp:h", "tcp:h:", "tcp:h:0",
		"tcp:h:7816:slots", "tcp:h:7816:slots=0", "tcp:h:7816:slots=9",
		"tcp:h:7816:slots=10", "tcp:h:7816:keys=", "tcp:h:7816:id=",
		"tcp:h:7816:id=a b", "tcp:h:7816:secret", "tcp:h:7816::plain",
		"tcp:a-name-that-has-more-than-24-characters:7816",
		"/dev/null:0x8C7B",
	};
	struct cw_ifd_device d;
	char lng[700];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		err[0] = '\0';
		if (cw_ifd_device_parse(&d, names[i], err, sizeof err) != CW_EINVAL)
			fail_msg("taken: %s", names[i]);
		assert_non_null(strstr(err, names[i]));
		assert_non_null(strstr(err, "such as tcp:10.0.0.1:7816"));
	}
	memset(lng, 'a', sizeof lng);
	memcpy(lng, "tcp:", 4);
	lng[sizeof lng - 1] = '\0';
	assert_int_equal(cw_ifd_device_parse(&d, lng, err, sizeof err), CW_EINVAL);
	memcpy(lng, "tcp:h:1:keys=", 13);
	assert_int_equal(cw_ifd_device_parse(&d, lng, err, sizeof err), CW_EINVAL);
	memcpy(lng, "tcp:h:1:id=", 11);
	assert_int_equal(cw_ifd_device_parse(&d, lng, err, sizeof err), CW_EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("ifd-device", tests, NULL, NULL);
}
