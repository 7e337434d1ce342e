/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_KEYCHECK_H
#define CW_KEYCHECK_H

#include <stdint.h>

/*
 * The check value by which two people compare a reader's link key without
 * showing it: the first four bytes of SHA-256 of "cardwright link key" and the
 * 32 bytes of the key.  Not for anything that a program decides by.
 */
void cw_key_check(uint8_t out[4], const uint8_t key[32]);

#endif
