/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_ATR_H
#define CW_ATR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Answer-to-Reset: ISO/IEC 7816-3:2006, clause 8.
 *
 *	struct cw_atr_rx rx;
 *	cw_atr_rx_init(&rx);
 *	while ((n = cw_atr_rx_push(&rx, raw_char)) == 1) get next character
 *	if (n == 0) cw_atr_parse(&atr, rx.buf, rx.len);
 *
 * Characters are pushed as the line delivers them under the DIRECT convention;
 * the collector finds the convention from TS (8.1: 3B direct, 3F after
 * inversion; seen raw under direct it is 03) and stores logical bytes.
 */
#define CW_ATR_MAX 33	/* TS and up to 32 characters (8.1) */

enum cw_convention { CW_DIRECT, CW_INVERSE };

struct cw_atr_rx {
	uint8_t buf[CW_ATR_MAX];	/* logical bytes so far */
	uint8_t len;
	uint8_t want;			/* total as known so far */
	uint8_t iface_left;		/* interface bytes left of this TDi group */
	uint8_t state;
	bool need_tck;
	bool group_td;			/* the group under way ends with a TDi */
	enum cw_convention convention;
};

/* Empty; rx is the caller's. */
void cw_atr_rx_init(struct cw_atr_rx *rx);
/*
 * 1: more wanted, 0: complete, CW_EFORMAT: bad TS, CW_ETOOBIG: the bytes so far
 * announce more than 33.  While it gives 1, rx->want - rx->len characters are
 * certain to come.
 */
int cw_atr_rx_push(struct cw_atr_rx *rx, uint8_t raw);

struct cw_atr {
	enum cw_convention convention;
	uint8_t raw[CW_ATR_MAX];
	uint8_t raw_len;
	uint16_t protocols;	/* bit T set for each T offered, 0..14 */
	uint8_t first_t;	/* first offered protocol */
	bool has_ta1;
	uint8_t ta1;		/* 0x11 if absent */
	uint8_t tc1;		/* N, extra guard time; 0 if absent */
	bool specific;		/* TA2 present: specific mode, 8.3 */
	uint8_t ta2;
	uint8_t wi;		/* TC2, T=0 waiting integer; 10 if absent or 0, 10.2 */
	bool has_t15;
	uint8_t ta15;		/* clock stop and class, first TA after T=15 */
	uint8_t ifsc;		/* T=1, 32 if absent or reserved, 11.4.2 */
	uint8_t bwi, cwi;	/* T=1, 4 and 13 if absent or reserved, 11.4.3 */
	bool crc;		/* T=1, TC bit 1, 11.4.4 */
	uint8_t hist[15];
	uint8_t hist_len;
};

/*
 * Parses len logical bytes.  0; CW_ESHORT truncated; CW_EFORMAT bad TS, T=15
 * in TD1 or bytes left over; CW_ECRC wrong TCK.  A missing TCK where T != 0 is
 * offered is CW_ESHORT.  On failure a holds nothing of use.
 */
int cw_atr_parse(struct cw_atr *a, const uint8_t *buf, size_t len);

/* Inverse convention: logical byte from/to a character seen under direct. */
uint8_t cw_atr_invert(uint8_t raw);

#endif
