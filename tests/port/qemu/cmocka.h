/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PORT_BARE_CMOCKA_H
#define CW_PORT_BARE_CMOCKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * In cmocka's place where there is no operating system: what the expectations of
 * tests/port/port_check.c call.  The first one that fails ends the program.
 */
_Noreturn void bare_fail(const char *file, int line, const char *what);
/* Two numbers that should have been alike, or are said to be so. */
_Noreturn void bare_fail_int(const char *file, int line, const char *what,
    int64_t a, int64_t b);

#define bare_check(x, what) ((x) ? (void)0 : bare_fail(__FILE__, __LINE__, what))
#define bare_int(x, a, b, what) \
	((x) ? (void)0 : bare_fail_int(__FILE__, __LINE__, what, (int64_t)(a), (int64_t)(b)))
#define assert_true(x) bare_check(x, #x)
#define assert_false(x) bare_check(!(x), "not " #x)
#define assert_non_null(x) bare_check((x) != NULL, #x)
#define assert_int_equal(a, b) bare_int((a) == (b), a, b, #a " == " #b)
#define assert_int_not_equal(a, b) bare_int((a) != (b), a, b, #a " != " #b)
#define assert_in_range(v, lo, hi) bare_int((v) >= (lo) && (v) <= (hi), v, lo, #v " in range")
#define assert_memory_equal(a, b, n) bare_check(memcmp(a, b, n) == 0, #a " == " #b)
#define assert_memory_not_equal(a, b, n) bare_check(memcmp(a, b, n) != 0, #a " != " #b)
#define fail_msg(text, num) bare_fail_int(__FILE__, __LINE__, text, (int64_t)(num), 0)

#endif
