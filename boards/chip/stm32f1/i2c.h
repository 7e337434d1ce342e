/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_STM_I2C_H
#define CW_STM_I2C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Two-wire bus by software on two open-drain pins, one master, about 200 kHz,
 * and a 24C256-class memory on it.  By software because the I2C cell of the F103
 * needs each byte to be caught within one byte time (its errata sheet), which
 * the card lines' interrupts forbid.
 */
struct cw_i2c {
	uint32_t scl, sda;	/* pins, as cw_stm_pin takes them */
	uint8_t addr;		/* 7 bits */
	uint32_t len, page;	/* of the memory, bytes */
};

/* Sets the pins and frees a slave that was cut off in the middle of a byte. */
void cw_i2c_init(const struct cw_i2c *b);
/* off + len within b->len. 0, or CW_EIO: nobody answers. */
int cw_i2c_read(const struct cw_i2c *b, uint32_t off, uint8_t *buf, size_t len);
/* The same, page by page; returns when the last page is in the cells. */
int cw_i2c_write(const struct cw_i2c *b, uint32_t off, const uint8_t *buf,
    size_t len);

#endif
