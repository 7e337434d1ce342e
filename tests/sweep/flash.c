/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <string.h>

#include "cw/err.h"

static uint64_t
next(struct flash *f)
{
	f->rng += 0x9E3779B97F4A7C15ull;	/* splitmix64 */
	uint64_t z = f->rng;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
	return z ^ (z >> 31);
}

void
flash_init(struct flash *f)
{
	memset(f, 0, sizeof *f);
	memset(f->mem, 0xFF, sizeof f->mem);
	flash_restart(f);
}

void
flash_restart(struct flash *f)
{
	f->cut_at = -1;
	f->dead = false;
	f->op_cnt = 0;
}

/* True when power goes with this operation. */
static bool
cut_now(struct flash *f)
{
	if (f->op_cnt++ != f->cut_at)
		return false;
	f->dead = true;
	return true;
}

static void
erase_torn(struct flash *f, uint8_t *page)
{
	uint32_t i;
	uint64_t r;

	for (i = 0; i < FLASH_PAGE; i += 2) {
		r = next(f);
		if (r % 4 == 0)
			continue;
		page[i] = page[i + 1] = 0xFF;
		if (r % 4 == 1) {
			page[i] = (uint8_t)(r >> 8);
			page[i + 1] = (uint8_t)(r >> 16);
		}
	}
}

static int
flash_erase(void *dev, uint32_t off)
{
	struct flash *f = dev;
	uint8_t *page = f->mem + off / FLASH_PAGE * FLASH_PAGE;
	bool cut;

	if (off >= FLASH_LEN)
		return CW_ERANGE;
	if (f->dead)
		return CW_EIO;
	cut = cut_now(f);
	if (cut && f->cut == FLASH_CUT_TORN)
		erase_torn(f, page);
	if (!cut || f->cut == FLASH_CUT_AFTER)
		memset(page, 0xFF, FLASH_PAGE);
	return cut ? CW_EIO : 0;
}

static int
half_program(struct flash *f, uint8_t *p, const uint8_t *v)
{
	uint16_t old = (uint16_t)(p[0] | p[1] << 8);
	uint16_t want = (uint16_t)(v[0] | v[1] << 8), now = want;
	bool cut = cut_now(f);

	/* PM0075: only what is erased is programmed, but for zero. */
	if (old != 0xFFFF && want != 0) {
		f->fault_cnt++;
		return CW_EIO;
	}
	if (cut && f->cut == FLASH_CUT_BEFORE)
		now = old;
	if (cut && f->cut == FLASH_CUT_TORN)
		now = (uint16_t)(old & (want | next(f)));
	p[0] = (uint8_t)now;
	p[1] = (uint8_t)(now >> 8);
	return cut ? CW_EIO : 0;
}

static int
flash_program(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	struct flash *f = dev;
	size_t i;
	int err = 0;

	if ((off | len) % 2 != 0 || off > FLASH_LEN || len > FLASH_LEN - off)
		return CW_ERANGE;
	for (i = 0; i < len && err == 0; i += 2)
		err = f->dead ? CW_EIO :
		    half_program(f, f->mem + off + i, buf + i);
	return err;
}

static const uint8_t *
flash_lend(void *dev, uint32_t off, size_t len)
{
	struct flash *f = dev;

	return off <= FLASH_LEN && len <= FLASH_LEN - off ? f->mem + off : NULL;
}

const struct cw_flash_ops flash_ops = {
	.erase = flash_erase, .program = flash_program, .lend = flash_lend,
};
