/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PPS_H
#define CW_PPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Protocol and parameters selection: ISO/IEC 7816-3:2006, clause 9; tables 7
 * (Fi, f max) and 8 (Di) of clause 8.3.
 */
#define CW_PPS_MAX 6

/* 0 with *fi, *fmax_hz, *di filled, or CW_ERANGE for an RFU value in ta1. */
int cw_pps_fidi(uint8_t ta1, uint16_t *fi, uint32_t *fmax_hz, uint8_t *di);

/* Builds FF PPS0 PPS1 PCK into out; returns its length (4). CW_EINVAL: t > 1. */
int cw_pps_build(uint8_t out[CW_PPS_MAX], uint8_t t, uint8_t ta1);

/* Length of a response known from its first two bytes: 3..6 (3 if ppss is not FF). */
int cw_pps_len(uint8_t ppss, uint8_t pps0);

/*
 * Judges the card's answer to a request built for (t, ta1) (9.3).
 * 1: accepted, use ta1; 0: PPS1 not echoed, stay at Fd/Dd (372/1) as 9.3
 * allows; CW_ECRC bad PCK; CW_EPROTO anything else (the card must be reset).
 */
int cw_pps_judge(uint8_t t, uint8_t ta1, const uint8_t *rsp, size_t len);

#endif
