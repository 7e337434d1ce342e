/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_BOOT_H
#define CW_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "cw/program.h"

/*
 * The open bootloader protocol (docs/spec/bootloader.md): APDUs of class B0.
 * Data in the table is big-endian.
 *
 *	INS	command data			answer
 *	CA	IDENTIFY, Le 1B			chip info, 27 bytes
 *	E0	ERASE: u32 addr, u32 len	-
 *	D0	WRITE: u32 addr, 1..249 bytes, u16 CRC-16 over addr and bytes
 *	C4	VERIFY: u32 addr, u32 len, 32 digest	-
 *	44	ACTIVATE: u32 addr, u32 len	-	(boots at the next reset)
 * Status words: 9000; 6700 length; 6981 flash fault; 6982 COS already active;
 * 6985 order of steps; 6A80 check or digest wrong; 6A86 P1 P2; 6B00 address;
 * 6D00 INS; 6E00 CLA.
 */
#define CW_BOOT_VERSION 1
#define CW_BOOT_STATE_MAX 3
#define CW_BOOT_CLA 0xB0
#define CW_BOOT_IDENTIFY 0xCA
#define CW_BOOT_ERASE 0xE0
#define CW_BOOT_WRITE 0xD0
#define CW_BOOT_VERIFY 0xC4
#define CW_BOOT_ACTIVATE 0x44
#define CW_BOOT_BLOCK_MAX 249	/* 255 - 4 - 2 */
#define CW_BOOT_INFO_LEN 27

/* IDENTIFY's answer */
struct cw_boot_info {
	uint8_t version;	/* 1 */
	uint8_t state;		/* 0 blank, 1 erased/loading, 2 verified, 3 active */
	uint16_t chip_type;
	uint8_t serial[8];	/* at CW_BOOT_SERIAL_OFF */
	uint32_t flash_base;
	uint32_t flash_len;
	uint16_t page_len;
	uint8_t block_max;	/* image bytes per WRITE */
	uint32_t erase_us;	/* longest erase of one page, for the operator's estimate */
};
/* 0; CW_ESHORT / CW_EFORMAT (length, state); CW_EVERSION. */
int cw_boot_info_get(struct cw_boot_info *i, const uint8_t *buf, size_t len);
/* CW_BOOT_INFO_LEN, or CW_EFULL. */
int cw_boot_info_put(const struct cw_boot_info *i, uint8_t *out, size_t cap);

struct cw_boot_job {
	uint32_t addr;		/* load address on the chip */
	uint32_t len;		/* of the image */
	uint8_t digest[32];
	uint8_t ta1_max;	/* 0: fastest */
	uint8_t block_len;	/* 1..249 */
};
/* Capture id under which the chip's serial number in IDENTIFY's answer is
 * reported; the terminal takes it for the card's, whatever program gave it. */
#define CW_BOOT_CAPTURE_SERIAL 1
#define CW_BOOT_SERIAL_OFF 4
#define CW_BOOT_SERIAL_LEN 8

/*
 * The dialogue as a program: reset, PPS, identify (serial captured), erase, load,
 * verify, activate, power off.  Appends to b; a job out of range (len 0,
 * block_len 0 or above CW_BOOT_BLOCK_MAX, an end beyond 32 bits) makes
 * cw_prog_end answer CW_EINVAL.  Every APDU and the LOAD carry CW_STEP_BOOT.
 */
void cw_boot_program(struct cw_prog_builder *b, const struct cw_boot_job *j);

#endif
