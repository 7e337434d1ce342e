/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/*
 * 24C256 on two wires, edge by edge: start, address, acknowledges, sequential
 * reads, page writes with roll-over in the page, a write cycle during which it
 * does not answer.  A power cut in the write cycle leaves bytes that are old,
 * new or anything.
 */
#define WRITE_MS 5		/* data sheet: at most */

enum { EE_IDLE, EE_DEVICE, EE_HIGH, EE_LOW, EE_DATA, EE_READ };

void
vb_eeprom_reset(struct cw_vb *vb)
{
	/* A reset of the controller is none of the memory's business, but for the
	 * pins, which float high. */
	if (vb->ee.busy_until != 0 && vb->ee.busy_until > vb->now)
		vb_timer_at(vb, VB_T_EEPROM, vb->ee.busy_until);
	vb->ee.scl = vb->ee.sda = true;
	vb->ee.drive_low = false;
	vb->ee.state = EE_IDLE;
	vb_pin_drive(vb, CW_BOARD_I2C_SDA, -1);
}

static void
sda(struct cw_vb *vb, bool low)
{
	if (vb->ee.drive_low == low)
		return;
	vb->ee.drive_low = low;
	vb_pin_drive(vb, CW_BOARD_I2C_SDA, low ? 0 : -1);
}

/* The cells take the bytes at the end of the write cycle, one after another. */
static void
commit(struct cw_vb *vb)
{
	struct vb_eeprom *e = &vb->ee;
	unsigned i;

	for (i = 0; i < sizeof e->page && e->dirty != 0; i++) {
		if ((e->dirty >> i & 1) == 0)
			continue;
		switch (vb_write_comes(vb)) {
		case 0:
			vb->cfg.eeprom[e->page_base + i] = e->page[i];
			break;
		case 2:
			vb->cfg.eeprom[e->page_base + i] ^= (uint8_t)vb_rnd(vb);
			break;
		default:
			break;
		}
		if (vb->cut)
			break;
	}
	e->dirty = 0;
}

void
vb_eeprom_fire(struct cw_vb *vb, unsigned arg)
{
	(void)arg;
	commit(vb);
	vb->ee.busy_until = 0;
}

static void
stopped(struct cw_vb *vb)
{
	struct vb_eeprom *e = &vb->ee;

	if (e->state == EE_DATA && e->dirty != 0) {
		e->busy_until = vb->now + CW_VB_MS(WRITE_MS);
		vb_timer_at(vb, VB_T_EEPROM, e->busy_until);
	}
	e->state = EE_IDLE;
	sda(vb, false);
}

static void
started(struct cw_vb *vb)
{
	struct vb_eeprom *e = &vb->ee;

	if (e->state == EE_DATA)
		e->dirty = 0;	/* without a stop nothing is written */
	e->state = vb->now < e->busy_until ? EE_IDLE : EE_DEVICE;
	e->bits = 0;
	e->ack = e->read = false;
	sda(vb, false);
}

/* A byte came in whole; true: acknowledged. */
static bool
took(struct cw_vb *vb)
{
	struct vb_eeprom *e = &vb->ee;

	switch (e->state) {
	case EE_DEVICE:
		if (e->byte >> 1 != CW_BOARD_EEPROM_ADDR) {
			e->state = EE_IDLE;
			return false;
		}
		e->state = (e->byte & 1) != 0 ? EE_READ : EE_HIGH;
		return true;
	case EE_HIGH:
		e->addr = (uint16_t)((e->byte & 0x7F) << 8);
		e->state = EE_LOW;
		return true;
	case EE_LOW:
		e->addr |= e->byte;
		e->page_base = e->addr & (uint16_t)~(CW_BOARD_EEPROM_PAGE - 1);
		e->dirty = 0;
		e->state = EE_DATA;
		return true;
	case EE_DATA:
		e->page[e->addr - e->page_base] = e->byte;
		e->dirty |= UINT64_C(1) << (e->addr - e->page_base);
		e->addr = (uint16_t)(e->page_base |
		    ((e->addr + 1) & (CW_BOARD_EEPROM_PAGE - 1)));
		return true;
	default:
		return false;
	}
}

static void
next_out(struct cw_vb *vb)
{
	struct vb_eeprom *e = &vb->ee;

	e->byte = vb->cfg.eeprom[e->addr & (CW_VB_EEPROM_LEN - 1)];
	e->addr = (uint16_t)((e->addr + 1) & (CW_VB_EEPROM_LEN - 1));
	e->bits = 0;
}

/* SCL rises: the bit is valid. */
static void
rise(struct cw_vb *vb, bool bit)
{
	struct vb_eeprom *e = &vb->ee;

	if (e->state == EE_IDLE)
		return;
	if (e->state == EE_READ && !e->ack) {
		e->bits++;	/* the master reads */
		return;
	}
	if (e->ack) {
		/* The ninth: ours to give, or in READ the master's. */
		if (e->state == EE_READ && e->read && bit)
			e->state = EE_IDLE;
		return;
	}
	e->byte = (uint8_t)(e->byte << 1 | bit);
	e->bits++;
}

/* SCL falls: the next bit may be put out. */
static void
fall(struct cw_vb *vb)
{
	struct vb_eeprom *e = &vb->ee;
	bool reading = e->state == EE_READ && e->read;

	if (e->state == EE_IDLE) {
		sda(vb, false);
		return;
	}
	if (e->ack) {
		e->ack = false;
		e->bits = 0;
		e->read = e->state == EE_READ;
		if (e->read) {
			next_out(vb);
			sda(vb, (e->byte & 0x80) == 0);
		} else {
			sda(vb, false);
		}
		return;
	}
	if (e->bits == 8) {
		e->ack = true;
		sda(vb, !reading && took(vb));
		return;
	}
	if (reading)
		sda(vb, (e->byte >> (7 - e->bits) & 1) == 0);
}

void
vb_eeprom_pins(struct cw_vb *vb, bool scl, bool sda_out)
{
	struct vb_eeprom *e = &vb->ee;
	bool was_scl = e->scl, was_sda = e->sda;

	e->scl = scl;
	e->sda = sda_out;
	if (was_scl && scl && was_sda && !sda_out && !e->drive_low)
		started(vb);
	else if (was_scl && scl && !was_sda && sda_out && !e->drive_low)
		stopped(vb);
	else if (!was_scl && scl)
		rise(vb, sda_out);
	else if (was_scl && !scl)
		fall(vb);
}

/* The supply went while it was writing: what it had begun is as it comes. */
void
vb_eeprom_lose(struct cw_vb *vb)
{
	vb->ee.dirty = 0;
	vb->ee.busy_until = 0;
	vb->ee.state = EE_IDLE;
}
