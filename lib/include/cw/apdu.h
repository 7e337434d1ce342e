/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_APDU_H
#define CW_APDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Command APDU: ISO/IEC 7816-3:2006, clause 12.1; ISO/IEC 7816-4, 5.1.
 * Cases 1, 2S, 3S, 4S, 2E, 3E, 4E.
 */
#define CW_APDU_CMD_MAX (4 + 3 + 65535 + 2)	/* extended case 4 */
#define CW_APDU_RSP_MAX (65536 + 2)		/* data, SW1, SW2 */

enum cw_apdu_case {
	CW_APDU_1, CW_APDU_2S, CW_APDU_3S, CW_APDU_4S,
	CW_APDU_2E, CW_APDU_3E, CW_APDU_4E,
};

struct cw_apdu {
	enum cw_apdu_case kind;
	uint8_t cla, ins, p1, p2;
	const uint8_t *data;	/* borrows from the parsed buffer; NULL if lc is 0 */
	uint32_t lc;		/* 0..65535 */
	uint32_t le;		/* expected, 0 if no Le field; 256 / 65536 for the coded zero */
};

/* 0, CW_ESHORT (< 4 bytes) or CW_EFORMAT (lengths do not add up). */
int cw_apdu_parse(struct cw_apdu *a, const uint8_t *buf, size_t len);

/* Encodes a into out (kind decides the form). Length, CW_EINVAL or CW_EFULL. */
int cw_apdu_build(const struct cw_apdu *a, uint8_t *out, size_t cap);

#endif
