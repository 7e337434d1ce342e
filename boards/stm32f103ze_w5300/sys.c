/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "boards/chip/stm32f1/flash.h"
#include "boards/chip/stm32f1/i2c.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/sha256.h"
#include "secure.h"

/* ---- log ------------------------------------------------------------------ */

#define LOG_CAP 8192u

/* Lines behind one another, each ending in a NUL; the oldest make room. */
static CW_XRAM char log_mem[LOG_CAP];
static uint32_t log_head, log_tail;	/* count on for ever */
static int log_level = 2;

static char *
log_at(uint32_t i)
{
	return &log_mem[i % LOG_CAP];
}

void
cw_board_log_level(int level)
{
	log_level = level;
}

void
cw_board_log(int level, const char *line)
{
	size_t i, len = strlen(line) + 1;

	if (level > log_level)
		return;
	while (LOG_CAP - (log_head - log_tail) < len) {
		while (*log_at(log_tail) != '\0')
			log_tail++;
		log_tail++;
	}
	for (i = 0; i < len; i++)
		*log_at(log_head++) = line[i];
}

size_t
cw_board_log_line(uint32_t idx, char *buf, size_t cap)
{
	uint32_t i = log_tail;
	size_t n = 0;

	for (; i != log_head && idx > 0; i++)
		if (*log_at(i) == '\0')
			idx--;
	for (; i != log_head && *log_at(i) != '\0'; i++)
		if (n + 1 < cap)
			buf[n++] = *log_at(i);
	buf[n] = '\0';
	return n;
}

/* ---- random --------------------------------------------------------------- */

/*
 * The chip has no source of random bits.  With a link key there is the generator
 * of boards/link/rng.h; without one SHA-256 over its unique number, a boot
 * counter that was raised before and a count of what was drawn gives numbers
 * that never repeat; who knows the chip's number can foretell them, so they
 * serve as names (sessions, transaction numbers) and never as keys.
 */
static struct {
	uint64_t boot_cnt, drawn;
} rng;

void
cw_board_random_start(uint64_t boot_cnt)
{
	rng.boot_cnt = boot_cnt;
	rng.drawn = 0;
}

static void
sys_random(void *dev, uint8_t *buf, size_t len)
{
	uint8_t d[CW_SHA256_LEN];
	struct cw_sha256 s;
	size_t n;

	(void)dev;
	if (cw_secure_random(buf, len))
		return;
	while (len > 0) {
		cw_sha256_init(&s);
		cw_sha256_update(&s, (const void *)CW_STM_UID, CW_STM_UID_LEN);
		rng.drawn++;
		cw_sha256_update(&s, &rng, sizeof rng);
		cw_sha256_final(&s, d);
		n = len < sizeof d ? len : sizeof d;
		memcpy(buf, d, n);
		buf += n;
		len -= n;
	}
}

static void
sys_watchdog(void *dev)
{
	(void)dev;
	cw_stm_watchdog_feed();
}

static void
sys_log(void *dev, int level, const char *line)
{
	(void)dev;
	cw_board_log(level, line);
}

const struct cw_sys_ops cw_board_sys_ops = { sys_random, sys_watchdog, sys_log };

/* ---- image store ------------------------------------------------------------ */

extern uint8_t cw_store_start[];
extern const uint8_t cw_store_len[];	/* its address is the number */

uint32_t
cw_board_store_cap(void)
{
	return (uint32_t)(uintptr_t)cw_store_len;
}

static int
store_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	CW_ASSERT(off <= cw_board_store_cap() && len <= cw_board_store_cap() - off);
	memcpy(cw_store_start + off, buf, len);
	return 0;
}

static const uint8_t *
store_lend(void *dev, uint32_t off, size_t len)
{
	(void)dev;
	CW_ASSERT(off <= cw_board_store_cap() && len <= cw_board_store_cap() - off);
	return cw_store_start + off;
}

const struct cw_image_ops cw_board_store_ops = { store_write, store_lend };

/* ---- settings memory --------------------------------------------------------- */

static const struct cw_i2c eeprom = {
	.scl = CW_BOARD_I2C_SCL, .sda = CW_BOARD_I2C_SDA,
	.addr = CW_BOARD_EEPROM_ADDR, .len = CW_BOARD_EEPROM_LEN,
	.page = CW_BOARD_EEPROM_PAGE,
};

void
cw_board_nvm_start(void)
{
	cw_i2c_init(&eeprom);
}

static int
nvm_read(void *dev, uint32_t off, uint8_t *buf, size_t len)
{
	(void)dev;
	if (off > eeprom.len || len > eeprom.len - off)
		return CW_ERANGE;
	return cw_i2c_read(&eeprom, off, buf, len);
}

static int
nvm_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	if (off > eeprom.len || len > eeprom.len - off)
		return CW_ERANGE;
	return cw_i2c_write(&eeprom, off, buf, len);
}

const struct cw_nvm_ops cw_board_nvm_ops = { nvm_read, nvm_write };

/* ---- program memory ------------------------------------------------------------ */

/* True when off..off+len may change: all but the bootloader. */
static bool
flash_may(uint32_t off, size_t len)
{
	return off >= CW_BOARD_BOOT_LEN && off <= CW_BOARD_FLASH_LEN &&
	    len <= CW_BOARD_FLASH_LEN - off;
}

static int
flash_erase(void *dev, uint32_t off)
{
	(void)dev;
	if (!flash_may(off, 1))
		return CW_ERANGE;
	return cw_stm_flash_erase(CW_BOARD_FLASH_BASE + off);
}

static int
flash_program(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	(void)dev;
	if (!flash_may(off, len) || ((off | len) & 1) != 0)
		return CW_ERANGE;
	return cw_stm_flash_program(CW_BOARD_FLASH_BASE + off, buf, len);
}

static const uint8_t *
flash_lend(void *dev, uint32_t off, size_t len)
{
	(void)dev;
	if (off > CW_BOARD_FLASH_LEN || len > CW_BOARD_FLASH_LEN - off)
		return NULL;
	return CW_REG(const uint8_t, CW_BOARD_FLASH_BASE + off);
}

const struct cw_flash_ops cw_board_flash_ops = {
	flash_erase, flash_program, flash_lend,
};
