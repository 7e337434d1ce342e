/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

/* Erases a page and writes half-words until the power goes. */
#define FLASH_KEYR R32(0x40022004)
#define FLASH_SR R32(0x4002200C)
#define FLASH_CR R32(0x40022010)
#define FLASH_AR R32(0x40022014)
#define PAGE 0x08010000u

static void
wait(void)
{
	while ((FLASH_SR & 1) != 0)
		;
}

void
image_main(void)
{
	uint32_t i, n = 0;

	FLASH_KEYR = 0x45670123;
	FLASH_KEYR = 0xCDEF89AB;
	FLASH_CR = 2;
	FLASH_AR = PAGE;
	FLASH_CR = 0x42;
	wait();
	FLASH_CR = 1;
	for (i = 0; i < 16; i++) {
		R16(PAGE + 2 * i) = (uint16_t)(0x1100 + i);
		wait();
		n += R16(PAGE + 2 * i) == 0x1100 + i;
	}
	result[0] = n;
	FLASH_SR = 0x34;
	R16(PAGE) = 0x0001;		/* not erased */
	result[1] = FLASH_SR;
	result[2] = R16(PAGE);
	R16(PAGE) = 0;			/* allowed */
	wait();
	result[3] = R16(PAGE);
	FLASH_CR = 0x80;
	result[4] = FLASH_CR;
}
