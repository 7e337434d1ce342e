/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/bytes.h"
#include "cw/err.h"
#include "flash.h"
#include "reg.h"

#define PAGE 2048u
#define SR_ERRORS (CW_FLASH_SR_PGERR | CW_FLASH_SR_WRPRTERR)

static void
unlock(void)
{
	if ((CW_FLASH->cr & CW_FLASH_CR_LOCK) != 0) {
		CW_FLASH->keyr = CW_FLASH_KEY1;
		CW_FLASH->keyr = CW_FLASH_KEY2;
	}
	CW_FLASH->sr = SR_ERRORS | CW_FLASH_SR_EOP;
}

/* 0 or CW_EIO; the controller is locked again by whoever unlocked it. */
static int
wait_done(void)
{
	uint32_t sr;

	do {
		sr = CW_FLASH->sr;
	} while ((sr & CW_FLASH_SR_BSY) != 0);
	CW_FLASH->sr = SR_ERRORS | CW_FLASH_SR_EOP;
	return (sr & SR_ERRORS) != 0 ? CW_EIO : 0;
}

int
cw_stm_flash_erase(uint32_t addr)
{
	const volatile uint32_t *p = CW_REG(const volatile uint32_t,
	    addr & ~(PAGE - 1));
	size_t i;
	int err;

	unlock();
	CW_FLASH->cr = CW_FLASH_CR_PER;
	CW_FLASH->ar = addr;
	CW_FLASH->cr = CW_FLASH_CR_PER | CW_FLASH_CR_STRT;
	err = wait_done();
	CW_FLASH->cr = CW_FLASH_CR_LOCK;
	for (i = 0; i < PAGE / 4 && err == 0; i++)
		if (p[i] != 0xffffffffu)
			err = CW_EIO;
	return err;
}

int
cw_stm_flash_program(uint32_t addr, const uint8_t *buf, size_t len)
{
	volatile uint16_t *p = CW_REG(volatile uint16_t, addr);
	uint16_t v;
	size_t i;
	int err = 0;

	unlock();
	CW_FLASH->cr = CW_FLASH_CR_PG;
	for (i = 0; i < len && err == 0; i += 2) {
		v = (uint16_t)(buf[i] | buf[i + 1] << 8);
		p[i / 2] = v;
		err = wait_done();
		if (err == 0 && p[i / 2] != v)
			err = CW_EIO;
	}
	CW_FLASH->cr = CW_FLASH_CR_LOCK;
	return err;
}
