/* SPDX-License-Identifier: Apache-2.0 */
#include "option.h"

#include <stddef.h>

#include "cw/err.h"
#include "reg.h"

#define CR_OPTPG (1u << 4)
#define CR_OPTER (1u << 5)
#define CR_OPTWRE (1u << 9)
#define OBR_RDPRT (1u << 1)
#define OPTION CW_REG(volatile uint16_t, 0x1ffff800u)
#define AT_RDP 0u
#define AT_WRP0 4u
#define CNT 8u
#define SR_ERRORS (CW_FLASH_SR_PGERR | CW_FLASH_SR_WRPRTERR)

uint32_t
cw_stm_option_unprotected(void)
{
	return CW_FLASH->wrpr;
}

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
cw_stm_option_protect(uint32_t bits)
{
	uint8_t value[CNT];
	uint32_t locked = CW_FLASH->obr & OBR_RDPRT;
	size_t i;
	int err;

	for (i = 0; i < CNT; i++)
		value[i] = (uint8_t)OPTION[i];
	value[AT_WRP0] = (uint8_t)(value[AT_WRP0] & ~bits);

	CW_FLASH->keyr = CW_FLASH_KEY1;
	CW_FLASH->keyr = CW_FLASH_KEY2;
	CW_FLASH->optkeyr = CW_FLASH_KEY1;
	CW_FLASH->optkeyr = CW_FLASH_KEY2;
	CW_FLASH->sr = SR_ERRORS | CW_FLASH_SR_EOP;
	CW_FLASH->cr = CR_OPTWRE | CR_OPTER;
	CW_FLASH->cr = CR_OPTWRE | CR_OPTER | CW_FLASH_CR_STRT;
	err = wait_done();
	CW_FLASH->cr = CR_OPTWRE | CR_OPTPG;
	/* Where reading is locked, its byte stays erased: writing the value that
	 * unlocks it would erase all program memory. */
	for (i = locked != 0 ? AT_RDP + 1 : AT_RDP; err == 0 && i < CNT; i++) {
		OPTION[i] = value[i];
		err = wait_done();
	}
	CW_FLASH->cr = CW_FLASH_CR_LOCK;
	return err;
}
