/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_UICC_H
#define CW_SIM_UICC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * A simulated UICC (ETSI TS 102 221, 3GPP TS 31.102), built from a text: the tree of
 * its files with sizes and access conditions, its PINs and keys.  docs/spec/uicc.md
 * is the manual of text and card; profiles/cards/ holds examples.
 *
 *	d = cw_uicc_load_file("profiles/cards/usim.txt", err, sizeof err);
 *	card_config.uicc = d;		what the COS is, once it boots
 *
 * A description is shared by all cards made of it and never changes; it must
 * outlive them.  Not for a real card's secrets: it is a test double.
 */
struct cw_uicc_desc;
struct cw_uicc;

/* NULL with err filled ("name:line: cause; remedy"). */
struct cw_uicc_desc *cw_uicc_load(const char *text, size_t len, const char *name,
    char *err, size_t err_cap);
struct cw_uicc_desc *cw_uicc_load_file(const char *path, char *err, size_t err_cap);
/* NULL is harmless. */
void cw_uicc_desc_free(struct cw_uicc_desc *d);
/* "state active" stands in it: the card needs no image to be burnt first. */
bool cw_uicc_active(const struct cw_uicc_desc *d);

/* One card; NULL when out of memory. _free wipes it. */
struct cw_uicc *cw_uicc_new(const struct cw_uicc_desc *d);
void cw_uicc_free(struct cw_uicc *u);
/* The answer to reset that the description asks for, lends; 0 bytes: none. */
size_t cw_uicc_atr(const struct cw_uicc *u, const uint8_t **atr);
/* Content of "3F00/2FE2" or "3F00/7F10/6F40#1", whoever may read it: bytes, CW_ENOENT,
 * CW_EFULL. */
int cw_uicc_read(const struct cw_uicc *u, const char *path, uint8_t *out, size_t cap);
/* The card as it is now, as a description that makes its like. 0 or CW_EIO. */
int cw_uicc_save(const struct cw_uicc *u, FILE *fp);

#endif
