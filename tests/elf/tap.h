/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_ELF_TAP_H
#define CW_TESTS_ELF_TAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Listens at the simulated card: every character that it took and said, refused
 * ones, resets and power, whoever is at its contacts.  The linker puts it before
 * the card's functions (--wrap).
 */
#define TAP_MAX 65536

enum tap_what { TAP_TAKEN, TAP_REFUSED, TAP_SAID, TAP_GARBLED, TAP_RST, TAP_POWER };

struct tap {
	uint16_t ev[TAP_MAX];	/* enum tap_what << 8 | character */
	size_t cnt;
};

/* Where to; NULL: nowhere. */
extern struct tap *tap_to;

#endif
