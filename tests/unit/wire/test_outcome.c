/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cw/outcome.h"

/* CW_SOURCE_ROOT is set by the build. */
#define SPEC CW_SOURCE_ROOT "/docs/spec/outcome.md"
#define ROWS_MAX 64

struct row {
	int number;
	char name[32], word[32];
};

static const struct row listed[] = {
#define X(name, value, word, text) { (value), #name, word },
	CW_OUTCOME_MAP(X)
#undef X
};
#define LISTED_CNT (sizeof listed / sizeof listed[0])

/* Rows of the form "| 5 | `SW` | `status-word` | ..." in the document. */
static size_t
read_spec(struct row *rows)
{
	FILE *f = fopen(SPEC, "r");
	char line[1024];
	size_t cnt = 0;

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		struct row r;

		if (sscanf(line, "| %d | `%31[A-Z_]` | `%31[a-z-]` |",
		    &r.number, r.name, r.word) != 3)
			continue;
		assert_true(cnt < ROWS_MAX);
		rows[cnt++] = r;
	}
	fclose(f);
	return cnt;
}

static void
outcome_spec(void **state)
{
	struct row rows[ROWS_MAX];
	size_t cnt = read_spec(rows), i;

	(void)state;
	assert_int_equal(cnt, LISTED_CNT);
	for (i = 0; i < cnt; i++) {
		assert_int_equal(rows[i].number, listed[i].number);
		assert_string_equal(rows[i].name, listed[i].name);
		assert_string_equal(rows[i].word, listed[i].word);
	}
}

static void
outcome_words(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < LISTED_CNT; i++) {
		assert_string_equal(cw_outcome_word(listed[i].number),
		    listed[i].word);
		assert_true(strlen(cw_outcome_text(listed[i].number)) > 10);
		for (k = 0; k < i; k++) {
			assert_int_not_equal(listed[i].number,
			    listed[k].number);
			assert_string_not_equal(listed[i].word, listed[k].word);
		}
	}
	assert_string_equal(cw_outcome_word(-1), "unknown");
	assert_string_equal(cw_outcome_word(4711), "unknown");
	assert_non_null(cw_outcome_text(4711));
}

static void
outcome_sw(void **state)
{
	unsigned int sw;

	(void)state;
	assert_string_equal(cw_sw_text(0x9000), "success");
	assert_non_null(strstr(cw_sw_text(0x63c2), "tries"));
	assert_non_null(strstr(cw_sw_text(0x6a82), "not found"));
	assert_non_null(strstr(cw_sw_text(0x9123), "proactive"));
	assert_non_null(strstr(cw_sw_text(0x6f00), "diagnosis"));
	assert_non_null(strstr(cw_sw_text(0x6d00), "no COS"));
	for (sw = 0; sw <= 0xffff; sw++)
		assert_true(strlen(cw_sw_text(sw)) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcome_spec),
		cmocka_unit_test(outcome_words),
		cmocka_unit_test(outcome_sw),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
