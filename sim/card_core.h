/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_CARD_CORE_H
#define CW_SIM_CARD_CORE_H

#include "cw/pps.h"
#include "sim/card.h"

/*
 * Inside of the simulated card, shared by its three files only:
 *	card.c		line: ATR, PPS, T=0, faults, time
 *	card_boot.c	bootloader commands (docs/spec/bootloader.md)
 *	card_fs.c	the COS: file system and commands (docs/spec/simcard.md)
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
#define CW_CARD_FS_BYTES 384	/* content of every file together */
#define CW_CARD_ADM_LEN 8
#define CW_CARD_ADM_TRIES 3

enum cw_card_line_state {
	CW_CARD_OFF,		/* no power, or RST low */
	CW_CARD_FIRST,		/* after the ATR: PPSS or a header */
	CW_CARD_PPS,
	CW_CARD_HEADER,
	CW_CARD_DATA,
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
	uint32_t clk_hz, etu_clk;	/* the reader's */
	uint64_t char_cnt;	/* characters, both ways, in its life */
	uint64_t work_us;	/* flash work of the command under way */
	uint64_t work_etu;	/* the same, still to pass before the answer */
	uint64_t null_due_etu;	/* to the next NULL while working */
	uint32_t null_left;	/* NULLs that CW_FAULT_NULLS owes */
	uint32_t apdu_cnt;	/* commands in its life */
	uint32_t cos_apdu_cnt;	/* commands since the COS first booted */

	uint8_t hdr[CW_PPS_MAX];	/* a header, or a PPS request */
	uint8_t in_len;			/* of hdr, then of data */
	uint8_t data[255];
	uint16_t out_len, out_off;
	uint8_t out[CW_CARD_OUT_MAX];
	uint8_t rsp[CW_CARD_RSP_MAX];
	uint16_t rsp_len;
	uint8_t get_len;	/* bytes waiting in get[] for GET RESPONSE */
	uint8_t get[64];

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
};

uint16_t cw_card_boot_head(struct cw_sim_card *c);
uint16_t cw_card_boot_data(struct cw_sim_card *c);

/* Erased files, default ADM key. */
void cw_card_fs_init(struct cw_sim_card *c);
/* What a reset does to the volatile state. */
void cw_card_fs_reset(struct cw_sim_card *c);
uint16_t cw_card_fs_head(struct cw_sim_card *c);
uint16_t cw_card_fs_data(struct cw_sim_card *c);

#endif
