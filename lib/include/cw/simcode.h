/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIMCODE_H
#define CW_SIMCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cw/milenage.h"

/*
 * From what stands in an order file to what stands in a file of a (U)SIM: ETSI TS
 * 102 221, 3GPP TS 31.102 and TS 51.011.
 *
 *	uint8_t ef[10];
 *	struct cw_simcode_fault f;
 *	if (cw_simcode_iccid(ef, "8988211000000000011", 19, &f) < 0)
 *		... f.pos, f.what, f.remedy
 *
 * Text is not NUL-terminated.  Each call returns the bytes written, or CW_EFORMAT
 * with the fault filled, or CW_EFULL; after an error out is not to be used.  No
 * fault holds a value: they may be shown even where the field is secret.
 */
struct cw_simcode_fault {
	uint16_t pos;		/* character, from 1; 0: the text as a whole */
	const char *what;	/* "is not a digit"; static */
	const char *remedy;	/* "give digits only"; static */
};

#define CW_SIMCODE_ICCID_LEN 10
#define CW_SIMCODE_IMSI_LEN 9
#define CW_SIMCODE_SPN_LEN 17
#define CW_SIMCODE_PIN_LEN 8
#define CW_SIMCODE_NUMBER_LEN 14	/* of EF_MSISDN, without the name */
#define CW_SIMCODE_SMSP_LEN 28		/* without the name */
#define CW_SIMCODE_KCV_LEN 3

/* Luhn check digit (ISO/IEC 7812-1, annex B) of n digits, 0..9. */
unsigned int cw_simcode_luhn(const char *digits, size_t n);

/* EF_ICCID (TS 102 221, 13.2): 18 to 20 digits, from 19 on with their check digit;
 * nibbles swapped, F at the end. */
int cw_simcode_iccid(uint8_t out[CW_SIMCODE_ICCID_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f);

/* EF_IMSI (TS 31.102, 4.2.2), 6 to 15 digits. */
int cw_simcode_imsi(uint8_t out[CW_SIMCODE_IMSI_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f);

/* EF_ACC (TS 31.102, 4.2.15; TS 22.011, 4.2): the class 0 to 9 that the last digit of
 * an IMSI names. 2 bytes. */
int cw_simcode_acc(uint8_t out[2], const char *imsi, size_t len,
    struct cw_simcode_fault *f);

/*
 * PLMN lists: "26201 262-02,00101" and, with access technologies (act), "26201:C080";
 * an entry without gets all of GSM, UTRAN, E-UTRAN (C080).  Entries have 3 bytes, or 5
 * with act (TS 31.102, 4.2.5 and 4.2.16); the rest of out[cap] is filled with free
 * entries.  cap is a multiple of the entry.
 */
struct cw_simcode_text {
	const char *text;
	size_t len;
};
int cw_simcode_plmn_list(uint8_t *out, size_t cap, bool act,
    const struct cw_simcode_text *list, struct cw_simcode_fault *f);

/* Text in the default alphabet of GSM, one character a byte (TS 23.038, 6.2.1), filled
 * with FF to cap. */
int cw_simcode_gsm(uint8_t *out, size_t cap, const char *text, size_t len,
    struct cw_simcode_fault *f);

/*
 * The end of an EF_MSISDN or EF_ADN record (TS 31.102, 4.2.26), after the name:
 * length, type of number (91 for a + before it, else 81), up to 20 digits, * or #, no
 * capability, no extension.
 */
int cw_simcode_number(uint8_t out[CW_SIMCODE_NUMBER_LEN], const char *text,
    size_t len, struct cw_simcode_fault *f);

/* The end of an EF_SMSP record (TS 31.102, 4.2.27): the service centre alone. */
int cw_simcode_smsp(uint8_t out[CW_SIMCODE_SMSP_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f);

/*
 * A PIN of 4 to 8 digits as VERIFY takes it (TS 102 221, 9.5.1): ASCII, filled with
 * FF.  Catches one that was given as hex: 31323334FFFFFFFF, and 31323334 too, which
 * is 1234 far more often than itself.  _puk: 8 digits, any.  _adm: 4 to 8 printable
 * characters; 16 hex digits belong to _adm_hex.
 */
int cw_simcode_pin(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f);
int cw_simcode_puk(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f);
int cw_simcode_adm(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f);
int cw_simcode_adm_hex(uint8_t out[CW_SIMCODE_PIN_LEN], const char *text, size_t len,
    struct cw_simcode_fault *f);

/* Key check value of an AES-128 key: the first bytes of a block of zeroes. */
void cw_simcode_kcv(struct cw_block_op aes, const uint8_t key[16],
    uint8_t kcv[CW_SIMCODE_KCV_LEN]);

#endif
