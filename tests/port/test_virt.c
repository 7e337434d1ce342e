/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/elf/rig.h"

/* Runs tests/port/virt on the virtual board and is the hand at its card slot. */
#define LIMIT_MS 60000

static struct rig rig;
static const char *elf;

static void
hand(bool inserted, bool inverse)
{
	const struct cw_sim_card_config c = { .ta1 = 0x96, .inverse = inverse,
	    .flash_len = 4096 };

	cw_sim_card_free(rig.card[0].card);
	rig.card[0].card = inserted ? cw_sim_card_new(&c) : NULL;
	cw_vb_card_changed(rig.vb, 0);
}

static void
conforms(bool inverse)
{
	enum cw_vb_stop stop = CW_VB_UNTIL;
	size_t at = 0;
	uint32_t ms;

	rig_open(&rig, elf);
	for (ms = 0; ms < LIMIT_MS && stop == CW_VB_UNTIL; ms++) {
		stop = cw_vb_run(rig.vb, CW_VB_MS(ms + 1));
		for (; at + 1 < rig.console_len; at++)
			if (rig.console[at] == 1)
				hand(rig.console[at + 1] == '+', inverse);
	}
	printf("%s\n", rig.console);
	if (stop != CW_VB_EXIT)
		fail_msg("ended with %d: %s", stop, cw_vb_message(rig.vb));
	assert_non_null(strstr(rig.console, "PASS"));
	rig_close(&rig);
}

static void
direct(void **state)
{
	(void)state;
	conforms(false);
}

static void
inverse(void **state)
{
	(void)state;
	conforms(true);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direct),
		cmocka_unit_test(inverse),
	};

	elf = argc > 1 ? argv[1] : "";
	if (access(elf, R_OK) < 0) {
		fprintf(stderr, "SKIP: %s is not there (make firmware)\n", elf);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
