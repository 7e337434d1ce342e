/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_UICC_PRIV_H
#define CW_SIM_UICC_PRIV_H

#include "sim/card_core.h"
#include "sim/uicc.h"

/*
 * Inside of the simulated UICC: uicc_text.c reads and writes descriptions,
 * uicc_file.c finds and holds files, uicc_pin.c PINs, uicc.c the other commands.
 */
#define UICC_FILES_MAX 128
#define UICC_BYTES_MAX 32768	/* content of all files */
#define UICC_AID_MAX 16
#define UICC_PIN_LEN 8
#define UICC_IND 32		/* sequence numbers are kept per IND: TS 33.102, C.1.1.3 */

enum uicc_kind { UICC_DF, UICC_TRANSPARENT, UICC_LINEAR, UICC_CYCLIC };
enum uicc_access { UICC_ALWAYS, UICC_PIN1, UICC_PIN2, UICC_ADM, UICC_NEVER };
enum uicc_pin_idx { UICC_IDX_PIN1, UICC_IDX_PIN2, UICC_IDX_ADM, UICC_PIN_CNT };

/* What the card itself does with a file's content. */
enum uicc_role {
	UICC_PLAIN,
	UICC_KI,		/* 16 bytes */
	UICC_OPC,		/* 16 bytes */
	UICC_OPC_FLAG,		/* 01 OPc or 00 OP, then 16 bytes */
	UICC_AUTH,		/* algorithm, Ki, OPc (bit 10 set) or OP */
	UICC_KEY_ADM,		/* 8 bytes */
	UICC_PINS,		/* records PIN1, PUK1, PIN2, PUK2: 8 bytes and more */
};

struct uicc_file {
	uint16_t fid;
	int16_t parent;		/* index; the MF is its own */
	uint8_t kind, read, update, role, sfi;
	uint8_t rec_len;
	uint16_t size;
	uint32_t off;		/* of the content */
	uint8_t aid_len, aid[UICC_AID_MAX];
};

struct uicc_pin {
	uint8_t ref;
	bool there, enabled;
	uint8_t value[UICC_PIN_LEN], puk[UICC_PIN_LEN];
	uint8_t max, left, puk_left;
};

struct cw_uicc_desc {
	char name[32];
	bool active;
	struct uicc_file file[UICC_FILES_MAX];
	int file_cnt;
	struct uicc_pin pin[UICC_PIN_CNT];
	uint64_t sqn;
	uint8_t atr_len, atr[33];	/* in place of the chip's own; 0: none */
	uint32_t len;
	uint8_t content[UICC_BYTES_MAX];
};

struct cw_uicc {
	const struct cw_uicc_desc *d;
	struct uicc_pin pin[UICC_PIN_CNT];
	uint64_t seq[UICC_IND], sqn_ms;
	/* until reset */
	bool ok[UICC_PIN_CNT];
	int df, ef, app;	/* ef, app: -1 none */
	uint8_t content[];
};

/* "3F00/7F10/6F40#1": index of the file or -1; *rec 0 without #. */
int cw_uicc_path(const struct cw_uicc_desc *d, const char *path, unsigned long *rec);
int cw_uicc_child(const struct cw_uicc_desc *d, int df, uint16_t fid);
/* What the access condition says now. */
bool cw_uicc_allows(const struct cw_uicc *u, uint8_t access);
/* The card has taken new content of a file with a role. */
void cw_uicc_role_written(struct cw_uicc *u, const struct uicc_file *f);
/* Ki and OPc of the current application: false when never written. */
bool cw_uicc_keys(const struct cw_uicc *u, uint8_t ki[16], uint8_t opc[16]);

/* PIN commands: head and data as in card_core.h. */
uint16_t cw_uicc_pin_head(struct cw_sim_card *c);
uint16_t cw_uicc_pin_data(struct cw_sim_card *c);
/* AUTHENTICATE, header checked, data there. */
uint16_t cw_uicc_authenticate(struct cw_sim_card *c);

#endif
