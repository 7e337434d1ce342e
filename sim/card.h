/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_CARD_H
#define CW_SIM_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * io.etu adds up what the line was in use (ISO minimum) and io.busy_etu what
 * the chip spent on flash, in etu of the present F/D.
 */
enum cw_sim_fault_kind {
	CW_FAULT_NONE = 0,
	CW_FAULT_MUTE,		/* no ATR */
	CW_FAULT_ATR,		/* ATR with a wrong TCK or truncated */
	CW_FAULT_NO_BOOT,	/* IDENTIFY / ERASE answers 6F00 */
	CW_FAULT_SW,		/* answers `arg` (default 6581) to the n-th APDU after the COS boots */
	CW_FAULT_FLASH,		/* WRITE of block n answers 6981 */
	CW_FAULT_HANG,		/* stops answering at the n-th APDU */
	CW_FAULT_PARITY,	/* every n-th character is wrong once (recoverable) */
	CW_FAULT_PARITY_HARD,	/* the n-th character stays wrong */
	CW_FAULT_PULLED,	/* leaves the contacts at the n-th APDU */
	CW_FAULT_NO_COS,	/* ACTIVATE says 9000 but the COS does not boot */
	CW_FAULT_BAD_WRITE,	/* an UPDATE says 9000 but a bit is flipped */
	CW_FAULT_NULLS,		/* n NULL bytes before every answer */
};

struct cw_sim_fault {
	enum cw_sim_fault_kind kind;
	uint32_t n;		/* which APDU, block or character; 0 = first */
	uint16_t arg;
};

struct cw_sim_card_config {
	uint8_t serial[8];
	uint8_t ta1;			/* offered in the ATR: 0x96 by default */
	bool inverse;
	uint32_t flash_len;		/* 256 KiB by default; allocated by _new */
	uint32_t write_us, erase_us;	/* per block / page; 0 = instantly */
	struct cw_sim_fault fault;
	uint64_t seed;			/* for the faults that draw lots */
};

struct cw_sim_io {
	uint64_t etu;		/* line in use */
	uint64_t busy_etu;	/* chip busy on top of it */
	uint32_t bad_cnt;	/* characters repeated */
	size_t nack_idx;	/* chars: index refused, when fewer were taken */
	bool parity;		/* listen: a character stayed wrong */
	bool left;		/* the card left the contacts in this call */
};

struct cw_sim_card;
/* NULL when out of memory. _free(NULL) is harmless. */
struct cw_sim_card *cw_sim_card_new(const struct cw_sim_card_config *cfg);
void cw_sim_card_free(struct cw_sim_card *c);

void cw_sim_card_power(struct cw_sim_card *c, bool on);
void cw_sim_card_reset(struct cw_sim_card *c, bool asserted);
/* The reader's line after PPS; characters at another rate are garbled. */
void cw_sim_card_line(struct cw_sim_card *c, uint32_t clk_hz, uint32_t etu_clk);
/* Characters (as seen under the direct convention) to the card. Number taken:
 * len, or the index of the character that the card refuses. */
size_t cw_sim_card_chars(struct cw_sim_card *c, const uint8_t *buf, size_t len, struct cw_sim_io *io);
/* Up to cap characters from the card; 0 = silent for wait_etu. */
size_t cw_sim_card_listen(struct cw_sim_card *c, uint8_t *buf, size_t cap, uint32_t wait_etu, struct cw_sim_io *io);
/* Left the contacts by itself (CW_FAULT_PULLED). */
bool cw_sim_card_left(const struct cw_sim_card *c);

/* What a person would find on the card, for checks: content of a transparent
 * file or record by path "3F00/2FE2" ("3F00/7F10/6F40#1"); bytes or CW_ENOENT;
 * CW_ESTATE when no COS is active. */
int cw_sim_card_read(const struct cw_sim_card *c, const char *path, uint8_t *out, size_t cap);
/* SHA-256 of the active image; false when none is active. */
bool cw_sim_card_cos(const struct cw_sim_card *c, uint8_t digest[32]);
/* A fault's text form "sw:7=6581", "mute", "hang:3": CW_EFORMAT if unknown. */
int cw_sim_fault_parse(struct cw_sim_fault *f, const char *text);

#endif
