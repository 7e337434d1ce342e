/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/* Pins (RM0008, 9), their remapping and the external interrupts (10), and what
 * is soldered to them (boards/stm32f103ze_w5300/board.h). */

const struct vb_slot_pins vb_slot_pins[CW_VB_SLOTS] = CW_BOARD_SLOT_PINS;

/* EXTI line to interrupt */
static int
exti_irq(unsigned line)
{
	if (line < 5)
		return 6 + (int)line;
	if (line < 10)
		return 23;
	return line < 16 ? 40 : line == 16 ? 1 : line == 17 ? 41 : 42;
}

static void
exti_look(struct cw_vb *vb)
{
	uint32_t on = vb->exti.pr & vb->exti.imr;
	bool level[VB_IRQ_CNT] = { false };
	unsigned i;

	for (i = 0; i < 19; i++)
		if ((on >> i & 1) != 0)
			level[exti_irq(i)] = true;
	for (i = 0; i < 19; i++)
		vb_irq(vb, exti_irq(i), level[exti_irq(i)]);
}

static void
exti_edges(struct cw_vb *vb, unsigned port, uint16_t rise, uint16_t fall)
{
	struct vb_exti *e = &vb->exti;
	unsigned i;

	for (i = 0; i < 16; i++) {
		if ((e->cr[i / 4] >> (4 * (i % 4)) & 15) != port)
			continue;
		if (((rise >> i & 1) != 0 && (e->rtsr >> i & 1) != 0) ||
		    ((fall >> i & 1) != 0 && (e->ftsr >> i & 1) != 0))
			e->pr |= 1u << i;
	}
	exti_look(vb);
}

/* ---- levels -------------------------------------------------------------- */

static void
wires(struct cw_vb *vb, unsigned port, uint16_t changed)
{
	unsigned i, k;
	const unsigned i2c = (CW_BOARD_I2C_SCL | CW_BOARD_I2C_SDA) / 16;

	for (i = 0; i < CW_VB_SLOTS; i++) {
		const unsigned pin[] = { vb_slot_pins[i].cmdvcc, vb_slot_pins[i].rstin,
		    vb_slot_pins[i].vsel };

		for (k = 0; k < 3; k++) {
			if (pin[k] / 16 == port && (changed >> pin[k] % 16 & 1) != 0) {
				vb_card_pins(vb, i);
				break;
			}
		}
	}
	if (CW_BOARD_W5300_RESET / 16 == port &&
	    (changed >> CW_BOARD_W5300_RESET % 16 & 1) != 0)
		vb_w5300_pins(vb);
	if (port == i2c && (changed & (1u << CW_BOARD_I2C_SCL % 16 |
	    1u << CW_BOARD_I2C_SDA % 16)) != 0)
		vb_eeprom_pins(vb, (vb->gpio[port].out >> CW_BOARD_I2C_SCL % 16 & 1) != 0,
		    (vb->gpio[port].out >> CW_BOARD_I2C_SDA % 16 & 1) != 0);
}

/* Works out what we drive and what stands at the pins. */
static void
settle(struct cw_vb *vb, unsigned port)
{
	struct vb_gpio *g = &vb->gpio[port];
	uint16_t out = 0xFFFF, level = 0, was_out = g->out, was = g->level;
	unsigned i, mode;

	for (i = 0; i < 16; i++) {
		bool odr = (g->odr >> i & 1) != 0, ext, at;

		mode = g->cr[i / 8] >> (4 * (i % 8)) & 15;
		ext = (g->ext_drive >> i & 1) != 0 ? (g->ext_level >> i & 1) != 0 :
		    (g->pull_up >> i & 1) != 0 || (mode == 8 && odr);
		at = ext;
		if ((mode & 3) != 0 && (mode & 8) == 0) {
			if ((mode & 4) == 0)
				at = odr;
			else
				at = odr && ((g->ext_drive & 1u << i) == 0 || ext);
			if (!odr)
				out = (uint16_t)(out & ~(1u << i));
		}
		if (at)
			level |= (uint16_t)(1u << i);
	}
	g->out = out;
	g->level = level;
	if (out != was_out)
		wires(vb, port, out ^ was_out);
	level = g->level;	/* the wires may have answered */
	if (level != was)
		exti_edges(vb, port, level & (uint16_t)~was, was & (uint16_t)~level);
}

void
vb_pin_drive(struct cw_vb *vb, unsigned pin, int level)
{
	struct vb_gpio *g = &vb->gpio[pin / 16];
	uint16_t bit = (uint16_t)(1u << pin % 16);

	g->ext_drive = (uint16_t)(level < 0 ? g->ext_drive & ~bit : g->ext_drive | bit);
	g->ext_level = (uint16_t)(level > 0 ? g->ext_level | bit : g->ext_level & ~bit);
	settle(vb, pin / 16);
}

bool
vb_pin(const struct cw_vb *vb, unsigned pin)
{
	return (vb->gpio[pin / 16].level >> pin % 16 & 1) != 0;
}

static void
solder(struct cw_vb *vb, unsigned pin)
{
	vb->gpio[pin / 16].pull_up |= (uint16_t)(1u << pin % 16);
}

void
vb_gpio_reset(struct cw_vb *vb)
{
	unsigned i;

	for (i = 0; i < 7; i++) {
		struct vb_gpio *g = &vb->gpio[i];

		g->cr[0] = g->cr[1] = 0x44444444;
		g->odr = 0;
		g->lckr = 0;
	}
	for (i = 0; i < CW_VB_SLOTS; i++) {
		solder(vb, vb_slot_pins[i].io);
		solder(vb, vb_slot_pins[i].cmdvcc);
		solder(vb, vb_slot_pins[i].off);
	}
	solder(vb, CW_BOARD_I2C_SCL);
	solder(vb, CW_BOARD_I2C_SDA);
	solder(vb, CW_BOARD_BUTTON);
	solder(vb, CW_BOARD_W5300_INT);
	solder(vb, CW_BOARD_CONSOLE_RX);
	for (i = 0; i < 7; i++)
		settle(vb, i);
}

uint32_t
vb_gpio_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	const struct vb_gpio *g = &vb->gpio[idx];

	switch (off) {
	case 0x00: case 0x04: return g->cr[off / 4];
	case 0x08: return g->level;
	case 0x0C: return g->odr;
	case 0x10: case 0x14: return 0;
	case 0x18: return g->lckr;
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

void
vb_gpio_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_gpio *g = &vb->gpio[idx];

	switch (off) {
	case 0x00: case 0x04: g->cr[off / 4] = val; break;
	case 0x0C: g->odr = val & 0xFFFF; break;
	case 0x10: g->odr = ((g->odr & ~(val >> 16)) | val) & 0xFFFF; break;
	case 0x14: g->odr &= ~val & 0xFFFF; break;
	default: vb_unmodelled(vb, "register"); return;
	}
	settle(vb, idx);
}

/* ---- EXTI and AFIO --------------------------------------------------------- */

void
vb_exti_reset(struct cw_vb *vb)
{
	memset(&vb->exti, 0, sizeof vb->exti);
	exti_look(vb);
}

uint32_t
vb_exti_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	const struct vb_exti *e = &vb->exti;

	(void)idx;
	switch (off) {
	case 0x00: return e->imr;
	case 0x04: return e->emr;
	case 0x08: return e->rtsr;
	case 0x0C: return e->ftsr;
	case 0x10: return 0;
	case 0x14: return e->pr;
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

void
vb_exti_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_exti *e = &vb->exti;

	(void)idx;
	switch (off) {
	case 0x00: e->imr = val & 0x7FFFF; break;
	case 0x04: e->emr = val & 0x7FFFF; break;
	case 0x08: e->rtsr = val & 0x7FFFF; break;
	case 0x0C: e->ftsr = val & 0x7FFFF; break;
	case 0x10: e->pr |= val & 0x7FFFF; break;
	case 0x14: e->pr &= ~val; break;
	default: vb_unmodelled(vb, "register"); break;
	}
	exti_look(vb);
}

void
vb_afio_reset(struct cw_vb *vb)
{
	(void)vb;	/* with EXTI */
}

uint32_t
vb_afio_read(struct cw_vb *vb, unsigned idx, uint32_t off)
{
	const struct vb_exti *e = &vb->exti;

	(void)idx;
	switch (off) {
	case 0x00: return e->evcr;
	case 0x04: return e->mapr & ~0x07000000u;	/* SWJ_CFG is write-only */
	case 0x08: case 0x0C: case 0x10: case 0x14: return e->cr[off / 4 - 2];
	default:
		vb_unmodelled(vb, "register");
		return 0;
	}
}

void
vb_afio_write(struct cw_vb *vb, unsigned idx, uint32_t off, uint32_t val)
{
	struct vb_exti *e = &vb->exti;

	(void)idx;
	switch (off) {
	case 0x04:
		/* Only what the debug port holds: no device is moved on this board. */
		if ((val & ~0x07000000u) != 0)
			vb_unmodelled(vb, "a remapping that this board has not");
		e->mapr = val;
		break;
	case 0x08: case 0x0C: case 0x10: case 0x14: e->cr[off / 4 - 2] = val & 0xFFFF; break;
	default: vb_unmodelled(vb, "register"); break;
	}
}

/* ---- lamp, button ----------------------------------------------------------- */

void
cw_vb_button(struct cw_vb *vb, bool held)
{
	vb_pin_drive(vb, CW_BOARD_BUTTON, held ? 0 : -1);
}

bool
cw_vb_lamp(const struct cw_vb *vb)
{
	return vb_pin(vb, CW_BOARD_LED);
}
