/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/err.h"
#include "i2c.h"
#include "stm32f1.h"

/* 24C256 at 3.3 V: SCL high and low at least 0.6 and 1.3 us. */
#define HALF_US 2u
/* A page takes 5 ms (10 ms at 1.8 V parts): asked again until it answers. */
#define WRITE_US 12000u

static void
half(void)
{
	cw_stm_spin_us(HALF_US);
}

static void
line(uint32_t pin, bool high)
{
	cw_stm_pin_set(pin, high);
	half();
}

static void
start(const struct cw_i2c *b)
{
	line(b->sda, true);
	line(b->scl, true);
	line(b->sda, false);
	line(b->scl, false);
}

static void
stop(const struct cw_i2c *b)
{
	line(b->sda, false);
	line(b->scl, true);
	line(b->sda, true);
}

static bool
bit(const struct cw_i2c *b, bool out)
{
	bool in;

	line(b->sda, out);
	line(b->scl, true);
	in = cw_stm_pin_get(b->sda);
	line(b->scl, false);
	return in;
}

/* True when the slave acknowledged. */
static bool
put(const struct cw_i2c *b, uint8_t v)
{
	int i;

	for (i = 7; i >= 0; i--)
		bit(b, (v >> i & 1) != 0);
	return !bit(b, true);
}

static uint8_t
get(const struct cw_i2c *b, bool last)
{
	uint8_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = (uint8_t)(v << 1 | (bit(b, true) ? 1 : 0));
	bit(b, last);
	return v;
}

void
cw_i2c_init(const struct cw_i2c *b)
{
	int i;

	cw_stm_pin_set(b->scl, true);
	cw_stm_pin_set(b->sda, true);
	cw_stm_pin(b->scl, CW_STM_OUT_OD);
	cw_stm_pin(b->sda, CW_STM_OUT_OD);
	/* At most nine clocks until a slave lets go of SDA. */
	for (i = 0; i < 9 && !cw_stm_pin_get(b->sda); i++)
		bit(b, true);
	start(b);
	stop(b);
}

/* Start, address for writing, offset: the bus stays taken. */
static int
seek(const struct cw_i2c *b, uint32_t off)
{
	uint64_t end_us = cw_stm_now_us() + WRITE_US;

	for (;;) {
		start(b);
		if (put(b, (uint8_t)(b->addr << 1)))
			break;
		stop(b);
		if (cw_stm_now_us() >= end_us)
			return CW_EIO;
	}
	if (put(b, (uint8_t)(off >> 8)) && put(b, (uint8_t)off))
		return 0;
	stop(b);
	return CW_EIO;
}

int
cw_i2c_read(const struct cw_i2c *b, uint32_t off, uint8_t *buf, size_t len)
{
	size_t i;
	int err = seek(b, off);

	if (err < 0)
		return err;
	start(b);
	if (!put(b, (uint8_t)(b->addr << 1 | 1)))
		err = CW_EIO;
	for (i = 0; i < len && err == 0; i++)
		buf[i] = get(b, i + 1 == len);
	stop(b);
	return err;
}

static int
write_page(const struct cw_i2c *b, uint32_t off, const uint8_t *buf, size_t len)
{
	size_t i;
	int err = seek(b, off);

	if (err < 0)
		return err;
	for (i = 0; i < len && err == 0; i++)
		if (!put(b, buf[i]))
			err = CW_EIO;
	stop(b);
	if (err < 0)
		return err;
	/* Acknowledge polling: it answers when the cells are written. */
	err = seek(b, off);
	if (err == 0)
		stop(b);
	return err;
}

int
cw_i2c_write(const struct cw_i2c *b, uint32_t off, const uint8_t *buf,
    size_t len)
{
	size_t n;
	int err = 0;

	while (len > 0 && err == 0) {
		n = b->page - off % b->page;
		if (n > len)
			n = len;
		err = write_page(b, off, buf, n);
		off += (uint32_t)n;
		buf += n;
		len -= n;
	}
	return err;
}
