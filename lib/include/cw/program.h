/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PROGRAM_H
#define CW_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reader program: what a reader does with one card, compiled by the terminal
 * from a card profile.  Bytes in docs/spec/program.md.
 *
 * Header, 4 bytes: 'P' (50), version 1, u16 number of steps (1..CW_PROG_STEPS_MAX).
 * Step: op u8, flags u8, body length u16, body.  All big-endian.
 *
 * A step that fails ends the program: the reader deactivates the card and
 * reports outcome, step index and last status word.
 */
#define CW_PROG_VERSION 1
#define CW_PROG_STEPS_MAX 512
#define CW_PROG_MAX 16000	/* bytes of a program; fits one reader-link frame */
#define CW_PROG_SW_MAX 8	/* status-word patterns of a step */
#define CW_PROG_CAPTURE_MAX 8	/* captures of a program */
#define CW_PROG_CAPTURE_BYTES 512	/* all captures of a program together */
#define CW_PROG_DELAY_MAX_US 60000000u	/* of one DELAY */

enum cw_prog_op {
	/* u8 kind (0 cold, 1 warm), u8 n, mask[n], value[n] (n 0..33):
	 * activates, resets, receives the ATR and matches (atr & mask) == value
	 * on its first n bytes; n 0 takes any. */
	CW_OP_RESET = 1,
	/* u8 ta1_max: speed up to the best of card, board and ta1_max's F/D
	 * (0: no cap). Does nothing in specific mode but adopts TA2's values. */
	CW_OP_PPS = 2,
	/* u8 n, n * (u16 sw, u16 mask), command APDU to the step's end.
	 * n 0 means 9000 only. */
	CW_OP_APDU = 3,
	/* see struct cw_prog_load */
	CW_OP_LOAD = 4,
	/* u8 id, u16 off, u16 len: keeps bytes of the last response's data
	 * (without SW; off counts from its start); len 0 = to its end.  An id
	 * stands once in a program. */
	CW_OP_CAPTURE = 5,
	/* u16 off, u16 n (1..), value[n], mask[n]: the last response's data at
	 * off must be equal under the mask, else CW_OUT_COMPARE. Also fails
	 * if the response is shorter. */
	CW_OP_COMPARE = 6,
	/* empty: sends the captures to the terminal, waits for a CONTINUE with
	 * more steps (at most 30 s), runs them in its place. */
	CW_OP_ASK = 7,
	/* u32 us, at most CW_PROG_DELAY_MAX_US */
	CW_OP_DELAY = 8,
	/* empty: deactivates; the program may go on with a RESET */
	CW_OP_POWER_OFF = 9,
};

enum cw_prog_flag {
	/* Command data or response of this step must never be shown: traces
	 * print its length only. */
	CW_STEP_SECRET = 0x01,
	/* The step sends bytes of a person's record: once its first character
	 * is on the line, an unknown end is IN DOUBT. */
	CW_STEP_PERSONAL = 0x02,
	/* The step's failure means the card has no working COS: outcome
	 * CW_OUT_NO_COS in place of CW_OUT_SW / TIMEOUT. */
	CW_STEP_NEEDS_COS = 0x04,
	/* The step belongs to the bootloader dialogue: its failure is
	 * CW_OUT_NO_BOOT in place of CW_OUT_SW. */
	CW_STEP_BOOT = 0x08,
	/* Nobody minds whether the status word matches (probing). */
	CW_STEP_ANY_SW = 0x10,
};

/* Where LOAD puts the address of a block. */
enum cw_load_addr {
	CW_LOAD_P1P2_INDEX = 0,		/* block number in P1 P2 */
	CW_LOAD_P1P2_OFFSET = 1,	/* (base + offset) / unit in P1 P2 */
	CW_LOAD_DATA_32 = 2,		/* base + offset, 4 bytes before the data */
	CW_LOAD_DATA_24 = 3,		/* 3 bytes before the data */
};

/* The check that LOAD appends after the data (over address and data bytes). */
enum cw_load_check {
	CW_LOAD_CHECK_NONE = 0,
	CW_LOAD_CHECK_CRC16 = 1,	/* cw_crc16, big-endian */
	CW_LOAD_CHECK_CRC32 = 2,
	CW_LOAD_CHECK_XOR = 3,		/* 1 byte */
};

/*
 * LOAD body, 60 bytes + patterns: u8 cla, ins, p1, p2; u8 addr; u8 check;
 * u8 block_len (1..255 minus address and check bytes); u8 flags (bit 0:
 * P1 bit 8 is set in the last block); u32 base; u32 unit; u32 off; u32 len;
 * u8 digest[32]; u8 n; n * (u16 sw, u16 mask); 3 reserved zero bytes stand
 * before n to align.
 * Range [off, off + len) of the stored image; digest is the SHA-256 of the
 * WHOLE image in the store, and the reader refuses (CW_OUT_STORE) when it holds
 * another or when the range leaves the image.
 *
 * base is the card's address of the range's first byte: block n goes to
 * base + n * block_len.  unit serves CW_LOAD_P1P2_OFFSET only, where it
 * divides base and block_len; elsewhere it is 0 or 1.  CLA FF and INS 6X, 9X are refused (ISO/IEC
 * 7816-3:2006, 10.3.2), in LOAD as in APDU.
 */
struct cw_prog_load {
	uint8_t cla, ins, p1, p2;
	uint8_t addr;		/* enum cw_load_addr */
	uint8_t check;		/* enum cw_load_check */
	uint8_t block_len;	/* image bytes per block */
	uint8_t flags;
	uint32_t base, unit, off, len;
	uint8_t digest[32];
};
#define CW_LOAD_MARK_LAST 0x01

struct cw_prog_sw {
	uint16_t sw, mask;	/* matches when (answer & mask) == sw */
};

/* One decoded step; pointers borrow from the program. */
struct cw_prog_step {
	uint8_t op, flags;
	uint16_t idx;
	uint8_t sw_cnt;
	struct cw_prog_sw sw[CW_PROG_SW_MAX];
	union {
		struct { uint8_t warm; uint8_t n; const uint8_t *mask, *value; } reset;
		struct { uint8_t ta1_max; } pps;
		struct { const uint8_t *buf; uint16_t len; } apdu;
		struct cw_prog_load load;
		struct { uint8_t id; uint16_t off, len; } capture;
		struct { uint16_t off, n; const uint8_t *value, *mask; } compare;
		struct { uint32_t us; } delay;
	} u;
};

/*
 * Checks a whole program: 0, CW_EFORMAT, CW_EVERSION, CW_ETOOBIG; *bad_step
 * (may be NULL) names the first bad step (0 also for a bad header, the number
 * of steps for bytes after the last).  A reader runs checked programs only.
 */
int cw_prog_check(const uint8_t *prog, size_t len, uint16_t *bad_step);

struct cw_prog_iter {
	const uint8_t *prog;	/* borrowed */
	size_t len, off;
	uint16_t idx, cnt;
};
/* prog must have passed cw_prog_check. */
void cw_prog_begin(struct cw_prog_iter *it, const uint8_t *prog, size_t len);
/* 1 and a step, 0 at the end.  Asserts on a program that was not checked. */
int cw_prog_next(struct cw_prog_iter *it, struct cw_prog_step *st);

/*
 * Makes one block command of a LOAD: the n-th (0-based) block; data is the
 * image from load->off on, borrowed.  Writes the APDU to out (cap >= 260).
 * Returns its length; CW_ERANGE for n >= cw_prog_load_cnt, the number of
 * blocks; CW_EFULL.  l comes from a checked program.
 */
uint32_t cw_prog_load_cnt(const struct cw_prog_load *l);
int cw_prog_load_block(const struct cw_prog_load *l, uint32_t n,
    const uint8_t *data, uint8_t *out, size_t cap);

/*
 * Builder, for profiles and tests.  Errors are sticky: cw_prog_end tells.  Bits
 * of a value that its mask leaves out are dropped.
 */
struct cw_prog_builder {
	uint8_t *buf;		/* borrowed */
	size_t cap, len;
	uint16_t cnt;
	int err;		/* first error, 0 if none */
	bool bad;		/* the same as err != 0 */
};
void cw_prog_start(struct cw_prog_builder *b, uint8_t *buf, size_t cap);
void cw_prog_reset(struct cw_prog_builder *b, bool warm, const uint8_t *mask,
    const uint8_t *value, uint8_t n);
void cw_prog_pps(struct cw_prog_builder *b, uint8_t ta1_max);
void cw_prog_apdu(struct cw_prog_builder *b, uint8_t flags,
    const struct cw_prog_sw *sw, uint8_t sw_cnt, const uint8_t *apdu, size_t len);
void cw_prog_load(struct cw_prog_builder *b, uint8_t flags,
    const struct cw_prog_load *l, const struct cw_prog_sw *sw, uint8_t sw_cnt);
void cw_prog_capture(struct cw_prog_builder *b, uint8_t id, uint16_t off, uint16_t len);
/* mask NULL = all FF */
void cw_prog_compare(struct cw_prog_builder *b, uint8_t flags, uint16_t off,
    const uint8_t *value, const uint8_t *mask, uint16_t n);
void cw_prog_simple(struct cw_prog_builder *b, enum cw_prog_op op);	/* ASK, POWER_OFF */
void cw_prog_delay(struct cw_prog_builder *b, uint32_t us);
/* Length; CW_EFULL (buffer); CW_ETOOBIG (too many steps or bytes); CW_EINVAL (a
 * step that cw_prog_check would refuse, or no step at all). */
int cw_prog_end(struct cw_prog_builder *b);

#endif
