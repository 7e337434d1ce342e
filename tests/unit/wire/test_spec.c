/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/frame.h"
#include "cw/package.h"
#include "cw/plink.h"
#include "cw/program.h"
#include "cw/rlink.h"

/*
 * The documents against the code: every example of docs/spec decodes to what
 * its text says, and every message has its row.  CW_SOURCE_ROOT is set by the
 * build.
 */
#define SPEC CW_SOURCE_ROOT "/docs/spec/"

static uint8_t block[256];

/* Bytes of a line of an example up to its comment; false if it has none. */
static bool
take_line(const char *line, size_t *len)
{
	size_t before = *len;
	uint8_t byte;

	while (*line != '\0' && *line != '\n') {
		if (*line == ' ') {
			/* Three blanks and more begin a comment. */
			if (strncmp(line, "   ", 3) == 0)
				break;
			line++;
			continue;
		}
		if (strlen(line) < 2 || cw_unhex(&byte, 1, line, 2) != 1 ||
		    (line[2] != ' ' && line[2] != '\n'))
			break;
		assert_true(*len < sizeof block);
		block[(*len)++] = byte;
		line += 2;
	}
	return *len > before;
}

/* The n-th fenced block (from 0) of hex bytes in a document, into block. */
static size_t
example(const char *path, int n)
{
	FILE *f = fopen(path, "r");
	char line[512];
	size_t len = 0;
	bool inside = false;

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "```", 3) == 0) {
			inside = !inside;
			if (!inside && len > 0 && n-- == 0)
				break;
			len = 0;
		} else if (inside && !take_line(line, &len)) {
			len = 0;
		}
	}
	fclose(f);
	assert_int_equal(n, -1);
	return len;
}

static void
spec_framing(void **state)
{
	size_t len = example(SPEC "framing.md", 0);
	struct cw_frame f;

	(void)state;
	assert_int_equal(cw_frame_peek(&f, block, len, 1, 9), len);
	assert_int_equal(f.type, 0x20);
	assert_int_equal(f.id, 0x01020304);
	assert_memory_equal(f.body, "123456789", 9);
}

static void
spec_reader_link(void **state)
{
	struct cw_rl_run run;
	static struct cw_rl_result res;
	size_t len = example(SPEC "reader-link.md", 0);

	(void)state;
	assert_int_equal(cw_rl_get_run(&run, block, len), 0);
	assert_int_equal(run.slot, 2);
	assert_int_equal(run.flags, CW_RUN_CHAIN | CW_RUN_PERSONAL);
	assert_int_equal(run.attempt, 0x1001);
	assert_int_equal(run.card_session, 7);
	assert_int_equal(cw_prog_check(run.prog, run.prog_len, NULL), 0);

	len = example(SPEC "reader-link.md", 1);
	assert_int_equal(cw_rl_get_result(&res, block, len), 0);
	assert_int_equal(res.flags, CW_RES_TOUCHED);
	assert_int_equal(res.sw, 0x6a82);
	assert_int_equal(res.line_etu, 100000);
	assert_int_equal(res.us, 200000);
	assert_int_equal(res.ta1, 0x96);
	assert_int_equal(res.step_cnt, 1);
	assert_int_equal(res.steps[0].us, 1000);
}

static void
spec_platform_link(void **state)
{
	static struct cw_pl_msg m;
	size_t len = example(SPEC "platform-link.md", 0);

	(void)state;
	assert_int_equal(cw_pl_get(&m, CW_PL_HELLO, block, len), 0);
	assert_string_equal(m.u.hello.terminal, "line-1");
	assert_int_equal(m.u.hello.incarnation, 0x1122334455667788);
	assert_int_equal(m.u.hello.next_seq, 42);
	len = example(SPEC "platform-link.md", 1);
	assert_int_equal(cw_pl_get(&m, CW_PL_LEASE, block, len), 0);
	assert_int_equal(m.u.lease.record, 200);
	assert_int_equal(m.u.lease.addr, 0x7f000104);
	assert_memory_equal(m.u.lease.pkg, "pkg", 3);
	len = example(SPEC "platform-link.md", 2);
	assert_int_equal(cw_pl_get(&m, CW_PL_RESULT, block, len), 0);
	assert_int_equal(m.u.result.verdict, CW_CARD_REJECT);
	assert_int_equal(m.u.result.card_no, 256);
	assert_int_equal(m.u.result.time_ms, 1700000000000);
	assert_memory_equal(m.u.result.trace, "reset", 5);
}

static void
spec_package(void **state)
{
	struct cw_pkg p;
	struct cw_field f;
	size_t len = example(SPEC "package.md", 0);

	(void)state;
	assert_int_equal(cw_pkg_parse(&p, block, len), 0);
	assert_int_equal(p.record, 200);
	assert_memory_equal(p.payload, "abc", 3);
	len = example(SPEC "package.md", 1);
	assert_int_equal(cw_record_check(block, len), 2);
	assert_int_equal(cw_record_find(&f, block, len, "iccid"), 0);
	assert_memory_equal(f.value, "8949", 4);
}

static void
spec_program(void **state)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;
	size_t len = example(SPEC "program.md", 0);

	(void)state;
	assert_int_equal(cw_prog_check(block, len, NULL), 0);
	cw_prog_begin(&it, block, len);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.op, CW_OP_RESET);
	assert_int_equal(cw_prog_next(&it, &st), 1);
	assert_int_equal(st.flags, CW_STEP_NEEDS_COS);
	assert_int_equal(st.u.apdu.len, 7);
}

/* Rows "| 1F | NAME | ..." of a document: each a message, none missing. */
static void
message_rows(const char *path, const char *(*name_of)(uint8_t type),
    unsigned int want)
{
	FILE *f = fopen(path, "r");
	char line[512], type[3], name[32];
	unsigned int cnt = 0;

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "| %2[0-9A-F] | %31[A-Z_] ", type, name) != 2 ||
		    strlen(type) != 2)
			continue;
		assert_string_equal(name, name_of((uint8_t)strtoul(type, NULL,
		    16)));
		cnt++;
	}
	fclose(f);
	assert_int_equal(cnt, want);
}

static void
spec_message_tables(void **state)
{
	(void)state;
#define X(name, value) + 1
	message_rows(SPEC "reader-link.md", cw_rl_type_name,
	    0 CW_RL_TYPE_MAP(X));
	message_rows(SPEC "platform-link.md", cw_pl_type_name,
	    0 CW_PL_TYPE_MAP(X));
#undef X
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spec_framing),
		cmocka_unit_test(spec_reader_link),
		cmocka_unit_test(spec_platform_link),
		cmocka_unit_test(spec_package),
		cmocka_unit_test(spec_program),
		cmocka_unit_test(spec_message_tables),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
