/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_RATE_H
#define CW_RATE_H

#include <stdint.h>

/*
 * What a USART in smartcard mode can make of its bus clock (RM0008, 27.3.11):
 *
 *	card clock = pclk / (2 * psc)		psc 1 to 31
 *	etu        = brr / pclk			brr 16 to 65535
 *
 * so that an etu has brr / (2 * psc) card clocks, and F/D is met exactly
 * whenever 2 * psc * F/D is whole.  Pure: host tests run the same code, and
 * print the table of the board's README from it.
 */
struct cw_rate {
	uint32_t clk_hz;
	uint16_t brr;
	uint8_t psc;
};

/* The fastest card clock not above max_hz whose etu is F/D within 1 %; 0, or
 * CW_ERANGE. */
int cw_rate_best(uint32_t pclk_hz, uint32_t max_hz, uint16_t f, uint8_t d,
    struct cw_rate *r);

/* The rate for a given clock (within 1 % and not above) and F/D; 0, or CW_ERANGE. */
int cw_rate_of(uint32_t pclk_hz, uint32_t clk_hz, uint16_t f, uint8_t d,
    struct cw_rate *r);

/* How far the etu of r is from F/D card clocks, in parts per million, + long. */
int32_t cw_rate_error_ppm(const struct cw_rate *r, uint16_t f, uint8_t d);

#endif
