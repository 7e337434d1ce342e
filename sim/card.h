/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_CARD_H
#define CW_SIM_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cw/boot.h"

/*
 * The simulated card: a chip at character level.  Blank, it runs the open
 * bootloader; once an image is active, an ISO/IEC 7816-4 file system.
 * Pure: no I/O, no clock, no heap after _new; time is the etu it counts.
 *
 * The line is driven from the interface device's side:
 *	cw_sim_card_power(c, true); cw_sim_card_reset(c, false);
 *	n = cw_sim_card_listen(c, cap, wait_etu, &io)      card -> reader
 *	n = cw_sim_card_chars(c, buf, len, &io)            reader -> card
 * io is added to, never cleared.  io.etu is the line in use (ISO minimum) and
 * io.busy_etu the time that the chip spent on flash while the line was idle,
 * in etu of the present F/D: the two together are the time that passed.  When
 * flash work takes longer than half the work waiting time, a NULL byte (60) is
 * sent at each half of it; in T=1 an S(WTX) at each half of the block waiting
 * time.
 *
 * The characters of a command are taken in blocks, and an answer comes only
 * after the reader has listened: characters sent while the card has something
 * to say, or at another rate, leave it deaf until the next reset.
 */

/*
 * Faults and their text names.  `n` counts from 0 (the first) unless it says
 * otherwise:
 *	MUTE		no ATR
 *	ATR		wrong TCK; n > 0: cut after n characters
 *	NO_BOOT		IDENTIFY and ERASE answer `arg` (default 6F00)
 *	SW		`arg` (default 6581) to the n-th command of the COS
 *	FLASH		WRITE number n after an ERASE answers 6981
 *	HANG		silent for good from the n-th command on
 *	PARITY		every n-th character is wrong once (n 0: every 64th)
 *	PARITY_HARD	the n-th character of its life stays wrong
 *	PULLED		leaves the contacts at the n-th command
 *	NO_COS		ACTIVATE says 9000 but the bootloader stays
 *	BAD_WRITE	the n-th UPDATE says 9000 but a bit is flipped
 *	NULLS		n NULL bytes before every answer (n 0: 3); T=1: n S(WTX)
 *	CHAR_WRONG	character n of its life is wrong `arg` times (0: once);
 *			T=1, where nobody repeats: once
 *	CHAR_LOST	character n of its life vanishes
 *	CHAR_MUTE	silent for good from character n on
 *	CHAR_PULLED	leaves the contacts at character n
 *	PROCEDURE	command n is answered by the procedure byte `arg`
 *	EDC		T=1: its block n has a wrong EDC
 *	BLOCK_LOST	T=1: its block n is not sent
 *	NUMBER		T=1: N(S) or N(R) of its block n is wrong
 *	NAK		T=1: from its block n on nothing but R-blocks (EDC error)
 *	STUCK		T=1: from its block n on it answers S(RESYNCH) only
 *	ABORT		T=1: its block n is S(ABORT request)
 * Characters count both ways and from the ATR on, blocks are the card's.
 * A command is a header that came in, but for GET RESPONSE.  HANG and PULLED
 * count them from the card's first, with arg CW_SIM_FAULT_FROM_COS from the
 * first of the COS ("hang:cos+3").
 */
#define CW_SIM_FAULT_MAP(X) \
	X(NONE, "none") X(MUTE, "mute") X(ATR, "atr") X(NO_BOOT, "no-boot") \
	X(SW, "sw") X(FLASH, "flash") X(HANG, "hang") X(PARITY, "parity") \
	X(PARITY_HARD, "parity-hard") X(PULLED, "pulled") X(NO_COS, "no-cos") \
	X(BAD_WRITE, "bad-write") X(NULLS, "nulls") \
	X(CHAR_WRONG, "char-wrong") X(CHAR_LOST, "char-lost") \
	X(CHAR_MUTE, "char-mute") X(CHAR_PULLED, "char-pulled") \
	X(PROCEDURE, "procedure") X(EDC, "edc") X(BLOCK_LOST, "block-lost") \
	X(NUMBER, "number") X(NAK, "nak") X(STUCK, "stuck") X(ABORT, "abort")

enum cw_sim_fault_kind {
#define X(sym, text) CW_FAULT_##sym,
	CW_SIM_FAULT_MAP(X)
#undef X
};

#define CW_SIM_FAULT_FROM_COS 0xFFFF

struct cw_sim_fault {
	enum cw_sim_fault_kind kind;
	uint32_t n;		/* which APDU, block or character; 0 = first */
	uint16_t arg;
};

/* What the ATR offers; in CW_SIM_BOTH T=0 stands first. */
enum cw_sim_protocols { CW_SIM_T0, CW_SIM_T1, CW_SIM_BOTH };

struct cw_sim_gp;
struct cw_sim_gp_config;
struct cw_uicc_desc;
struct cw_sim_card_config {
	uint8_t serial[8];
	uint8_t ta1;			/* offered in the ATR: 0x96 by default */
	bool inverse;
	enum cw_sim_protocols protocols;
	uint8_t ifsc;			/* T=1; 0: 254 */
	bool crc;			/* T=1: EDC is a CRC, else an LRC */
	uint32_t flash_base;		/* address of its first byte */
	uint32_t flash_len;		/* 0: 256 KiB; rounded up to pages of 2048;
					 * allocated by _new, freed by ACTIVATE */
	uint32_t write_us, erase_us;	/* per block / page; 0 = instantly */
	struct cw_sim_fault fault;
	uint64_t seed;			/* which bit BAD_WRITE flips */
	const struct cw_sim_gp_config *gp;	/* the COS is a GlobalPlatform card
					 * (sim/gp.h), or NULL; borrowed; KDD
					 * 00 00 and serial, seed as here */
	bool gp_active;			/* and it runs from the first reset on */
	const struct cw_uicc_desc *uicc;	/* what the COS is (sim/uicc.h), or NULL;
					 * borrowed while the card lives */
};

struct cw_sim_io {
	uint64_t etu;		/* line in use: 12 a character, 13 a repetition; in T=1
				 * 11 a character (N = 255) and 11 more where the
				 * line turns (BGT, 22) */
	uint64_t busy_etu;	/* chip at work while the line is idle */
	uint32_t bad_cnt;	/* characters repeated; T=1: wrong parity in buf */
	size_t nack_idx;	/* chars: index refused, when fewer were taken */
	bool parity;		/* listen: a character stayed wrong */
	bool left;		/* the card left the contacts in this call */
};

struct cw_sim_card;
/* NULL when out of memory. _free wipes the card; _free(NULL) is harmless. */
struct cw_sim_card *cw_sim_card_new(const struct cw_sim_card_config *cfg);
void cw_sim_card_free(struct cw_sim_card *c);

/* VCC and CLK on (RST still low) or off; off silences the line.  RST low, or high
 * again: boot at 372/1 and the answer to reset (ISO/IEC 7816-3:2006, clause 6). */
void cw_sim_card_power(struct cw_sim_card *c, bool on);
void cw_sim_card_reset(struct cw_sim_card *c, bool asserted);
/* The reader's line after PPS; characters at another rate are garbled. */
void cw_sim_card_line(struct cw_sim_card *c, uint32_t clk_hz, uint32_t etu_clk);
/* Characters (as seen under the direct convention) to the card. Number taken:
 * len, or the index of the character that the card refuses. */
size_t cw_sim_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len,
    struct cw_sim_io *io);
/* Up to cap characters from the card; 0 = silent for wait_etu. */
size_t cw_sim_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap,
    uint32_t wait_etu, struct cw_sim_io *io);
/* Left the contacts by itself (CW_FAULT_PULLED). */
bool cw_sim_card_left(const struct cw_sim_card *c);

/* What a person would find on the card, for checks: content of a transparent
 * file or record by path "3F00/2FE2" ("3F00/7F10/6F40#1"); bytes or CW_ENOENT;
 * CW_ESTATE when no COS is active. */
int cw_sim_card_read(const struct cw_sim_card *c, const char *path, uint8_t *out, size_t cap);
/* The GlobalPlatform side, for checks (sim/gp.h), or NULL. Lends. */
const struct cw_sim_gp *cw_sim_card_gp(const struct cw_sim_card *c);
/* The card as it is now, as a description (sim/uicc.h): 0, CW_ESTATE when it is no
 * running UICC, CW_EIO. */
int cw_sim_card_save(const struct cw_sim_card *c, FILE *fp);
/* SHA-256 of the active image; false when none is active. */
bool cw_sim_card_cos(const struct cw_sim_card *c, uint8_t digest[32]);
/* A fault's text form NAME[:N][=SW]: "sw:7=6581", "mute", "hang:cos+3".
 * 0, or CW_EFORMAT if unknown. */
int cw_sim_fault_parse(struct cw_sim_fault *f, const char *text);
/* "hang"; static. */
const char *cw_sim_fault_name(enum cw_sim_fault_kind kind);

#endif
