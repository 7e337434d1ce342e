/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_CARD_CORE_H
#define CW_SIM_CARD_CORE_H

#include "cw/pps.h"
#include "sim/card.h"
#include "sim/card_t1.h"

/*
 * Inside of the simulated card, shared by its files only:
 *	card_line.c	the line from outside: faults of single characters
 *	card.c		ATR, PPS, T=0, time
 *	card_block.c	T=1: from characters to APDUs and back, faults of blocks
 *	card_t1.c	T=1: the blocks
 *	card_boot.c	bootloader commands (docs/spec/bootloader.md)
 *	card_fs.c	the COS: file system and commands (docs/spec/simcard.md)
 *	uicc*.c		the COS of a UICC (docs/spec/uicc.md)
 *	card_gp.c	the COS of a GlobalPlatform card (docs/spec/simgp.md)
 *
 * An application gets a command in two calls.  _head sees the five header
 * bytes: it returns 0 when it wants the P3 data bytes, in which case _data
 * sees them; otherwise the status word, with c->rsp[c->rsp_len] to be sent
 * before it.  Either call adds the flash time it took to c->work_us.
 */
#define CW_CARD_HDR_LEN 5
#define CW_CARD_PAGE_LEN 2048u
#define CW_CARD_RSP_MAX 256	/* data of one T=0 answer */
#define CW_CARD_OUT_MAX (1 + CW_CARD_RSP_MAX + 2)	/* ACK, data, SW1 SW2 */
#define CW_CARD_CHAR_ETU 12	/* 10.2: leading edge to leading edge, N = 0 */
#define CW_CARD_T1_CHAR_ETU 11	/* 11.2: N = 255 */
#define CW_CARD_T1_TURN_ETU 11	/* what BGT (22) adds to the last character */
#define CW_CARD_T1_BWI 4
#define CW_CARD_T1_CWI 5
#define CW_CARD_FS_BYTES 384	/* content of every file together */
#define CW_CARD_ADM_LEN 8
#define CW_CARD_ADM_TRIES 3

enum cw_card_line_state {
	CW_CARD_OFF,		/* no power, or RST low */
	CW_CARD_FIRST,		/* after the ATR: PPSS or a header */
	CW_CARD_PPS,
	CW_CARD_HEADER,
	CW_CARD_DATA,
	CW_CARD_BLOCK,		/* T=1 */
	CW_CARD_DEAF,		/* lost step with the reader: until reset */
};

/* Bootloader states: values of struct cw_boot_info.state */
enum cw_card_boot_state {
	CW_CARD_BLANK, CW_CARD_LOADING, CW_CARD_VERIFIED, CW_CARD_ACTIVE,
};

struct cw_sim_card {
	struct cw_sim_card_config cfg;

	/* line */
	bool powered, rst_low;
	bool dead;		/* CW_FAULT_HANG struck: silent for good */
	bool left;		/* CW_FAULT_PULLED struck */
	bool wrong_once;	/* the character under way was refused already */
	uint8_t state;		/* enum cw_card_line_state */
	uint16_t fi;		/* the card's own F and D */
	uint8_t di;
	uint16_t next_fi;	/* from the end of the PPS answer on; 0: none */
	uint8_t next_di;
	bool next_block;	/* from the end of the PPS answer on: T=1 */
	uint32_t clk_hz, etu_clk;	/* the reader's */
	uint64_t char_cnt;	/* characters, both ways, in its life */
	uint64_t work_us;	/* flash work of the command under way */
	uint64_t work_etu;	/* the same, still to pass before the answer */
	uint64_t null_due_etu;	/* to the next NULL while working */
	uint32_t null_left;	/* NULLs that CW_FAULT_NULLS owes */
	uint32_t wrong_left;	/* times that CW_FAULT_CHAR_WRONG owes */
	bool struck;		/* another fault of a character has struck */
	uint32_t apdu_cnt;	/* commands in its life */
	uint32_t cos_apdu_cnt;	/* commands since the COS first booted */

	uint8_t hdr[CW_PPS_MAX];	/* a header, or a PPS request */
	uint8_t in_len;			/* of hdr, then of data */
	uint8_t data[255];
	uint16_t out_len, out_off;
	uint8_t out[CW_CARD_OUT_MAX];
	uint8_t rsp[CW_CARD_RSP_MAX];
	uint16_t rsp_len;
	struct cw_card_t1 t1;	/* state CW_CARD_BLOCK */
	uint8_t cmd[5 + 2 + 255 + 2];	/* T=1: a command APDU */
	uint8_t answer[CW_CARD_RSP_MAX + 2];	/* T=1: a response APDU */
	uint32_t block_cnt;	/* blocks that it has said in its life */
	uint8_t get_len;	/* bytes waiting in get[] for GET RESPONSE */
	uint8_t get[255];

	/* bootloader; flash is freed when an image is activated */
	uint8_t *flash;		/* flash_len bytes, then a bit per page: erased */
	uint8_t boot_state;	/* enum cw_card_boot_state */
	uint32_t write_cnt;	/* since the last ERASE */
	uint32_t image_addr, image_len;
	uint8_t digest[32];	/* of the verified image */

	/* COS */
	bool cos;		/* an image is active */
	bool cos_runs;		/* and was booted by a reset */
	bool adm_ok;
	uint8_t adm_tries;
	uint8_t df, ef;		/* index into the file table; ef 0: none */
	uint32_t update_cnt;
	uint8_t fs[CW_CARD_FS_BYTES];
	struct cw_sim_gp *gp;	/* the COS in place of all that; or NULL */
	uint8_t gp_rsp[CW_CARD_RSP_MAX];	/* waits for GET RESPONSE */
	uint16_t gp_len, gp_sw;
	struct cw_uicc *uicc;	/* the COS in place of all that; or NULL */
};

/* card.c: the line without faults of single characters. */
size_t cw_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io);
size_t cw_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io);
/* At the reader's rate a character is understood. */
bool cw_card_rate_fits(const struct cw_sim_card *c);
void cw_card_deaf(struct cw_sim_card *c);
/* out[] becomes this. */
void cw_card_say(struct cw_sim_card *c, const uint8_t *buf, size_t len);
/* Lets flash work go on for wait_etu or until the next character is due: true in
 * the second case, and *more tells that it is a NULL, or S(WTX). */
bool cw_card_work(struct cw_sim_card *c, uint32_t wait_etu, bool *more,
    struct cw_sim_io *io);
/* The flash work of the command comes before its answer. */
void cw_card_work_begin(struct cw_sim_card *c);
/* hdr and data hold a command: counts it; true when a fault ends it here, and
 * *sw is then what to answer, or 0 for nothing. */
bool cw_card_strikes(struct cw_sim_card *c, uint16_t *sw);
uint16_t cw_card_head(struct cw_sim_card *c);
uint16_t cw_card_data(struct cw_sim_card *c);

/* card_block.c */
void cw_card_block_open(struct cw_sim_card *c);
/* Characters, logical, in T=1. */
void cw_card_block_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io);
size_t cw_card_block_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io);

uint16_t cw_card_boot_head(struct cw_sim_card *c);
uint16_t cw_card_boot_data(struct cw_sim_card *c);

/* Erased files, default ADM key. */
void cw_card_fs_init(struct cw_sim_card *c);
/* What a reset does to the volatile state. */
void cw_card_fs_reset(struct cw_sim_card *c);
uint16_t cw_card_fs_head(struct cw_sim_card *c);
uint16_t cw_card_fs_data(struct cw_sim_card *c);

/* card_gp.c: the same for a GlobalPlatform card (sim/gp.h). _open: 0 or CW_ENOMEM;
 * _take: all that waits, as T=1 has it, and its status word. */
int cw_card_gp_open(struct cw_sim_card *c);
uint16_t cw_card_gp_head(struct cw_sim_card *c);
uint16_t cw_card_gp_data(struct cw_sim_card *c);
uint16_t cw_card_gp_take(struct cw_sim_card *c);
/* uicc.c: the same for a card of a description (sim/uicc.h). */
void cw_uicc_reset(struct cw_sim_card *c);
uint16_t cw_uicc_head(struct cw_sim_card *c);
uint16_t cw_uicc_data(struct cw_sim_card *c);

#endif
