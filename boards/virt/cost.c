/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vb_priv.h"

/*
 * What a block of instructions costs, from the table of the Cortex-M3's
 * technical reference manual (DDI 0337, 18.2) with a zero-wait data bus.  A
 * jump's refill and the flash's wait states come on top (cpu.c), what the buses
 * take is added where they are used (bus.c).  An estimate: prefetch, folded IT
 * and write buffer are not followed.
 */

struct insn {
	uint32_t op;
	bool wide;
	uint32_t addr;
};

static bool
fetch(struct cw_vb *vb, uint32_t addr, struct insn *in)
{
	uint16_t h[2];
	uint8_t *p = vb_memory(vb, addr, 2, false);

	if (p == NULL)
		return false;
	memcpy(&h[0], p, 2);
	in->addr = addr;
	in->wide = h[0] >> 11 >= 0x1D;
	in->op = h[0];
	if (in->wide) {
		if ((p = vb_memory(vb, addr + 2, 2, false)) == NULL)
			return false;
		memcpy(&h[1], p, 2);
		in->op = (uint32_t)h[0] << 16 | h[1];
	}
	return true;
}

static unsigned
ones(uint32_t v)
{
	return (unsigned)__builtin_popcount(v);
}

static unsigned
cost16(uint32_t op)
{
	if ((op & 0xF600) == 0xB400)		/* PUSH, POP */
		return 1 + ones(op & 0x1FF);
	if ((op & 0xF000) == 0xC000)		/* STM, LDM */
		return 1 + ones(op & 0xFF);
	if ((op & 0xF800) == 0x4800 || (op & 0xF800) == 0x6800 ||
	    (op & 0xF800) == 0x7800 || (op & 0xF800) == 0x8800 ||
	    (op & 0xF800) == 0x9800)
		return 2;			/* LDR, LDRB, LDRH */
	if ((op & 0xF000) == 0x5000)
		return (op & 0x0E00) >= 0x0600 ? 2 : 1;
	return 1;
}

static unsigned
cost32(uint32_t op)
{
	uint32_t hi = op >> 16;

	if ((hi & 0xFE40) == 0xE800)		/* LDM, STM */
		return 1 + ones(op & 0xFFFF);
	if ((hi & 0xFFF0) == 0xE8D0 && (op & 0xF0E0) == 0xF000)
		return 2;			/* TBB, TBH: and the jump */
	if ((hi & 0xFE40) == 0xE840)		/* LDRD, STRD, exclusives */
		return 3;
	if ((hi & 0xFE10) == 0xF810)		/* LDR family */
		return 2;
	if ((hi & 0xFFD0) == 0xFB90)		/* SDIV, UDIV: 2 to 12 */
		return 7;
	if ((hi & 0xFF80) == 0xFB80)		/* long multiply: 3 to 7 */
		return 4;
	if ((hi & 0xFFF0) == 0xFB00 && (op & 0xF000) != 0xF000)
		return 2;			/* MLA, MLS */
	return 1;
}

void
vb_cost_fill(struct cw_vb *vb, struct vb_cost *c, uint32_t addr, uint32_t size)
{
	uint32_t at = addr, end = addr + size;
	unsigned cycles = 0, n = 0;
	struct insn in;

	while (at < end && fetch(vb, at, &in)) {
		cycles += in.wide ? cost32(in.op) : cost16(in.op);
		at += in.wide ? 4 : 2;
		n++;
	}
	c->addr = addr;
	c->size = (uint16_t)size;
	c->cycles = (uint16_t)(n == 0 ? 1 : cycles);
	c->insns = (uint16_t)(n == 0 ? 1 : n);
}

/* ---- whose access was it? -------------------------------------------------- */

/*
 * Unicorn tells the block of an access and not its instruction.  The registers
 * are as that instruction sees them, so it is the one of the block whose
 * address comes out right.
 */
static const int gpr[] = {
	UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4,
	UC_ARM_REG_R5, UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9,
	UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12, UC_ARM_REG_SP, UC_ARM_REG_LR,
	UC_ARM_REG_PC,
};

struct mem_op {
	uint32_t at;
	uint32_t span;
	bool store;
};

static bool
decode16(struct cw_vb *vb, const struct insn *in, struct mem_op *m)
{
	uint32_t op = in->op, rn = vb_reg(vb, gpr[op >> 3 & 7]), imm = op >> 6 & 31;

	m->span = 4;
	m->store = (op & 0x0800) == 0;
	switch (op >> 12) {
	case 4:
		m->at = ((in->addr + 4) & ~3u) + (op & 0xFF) * 4;
		m->store = false;
		return (op & 0xF800) == 0x4800;
	case 5:
		m->at = rn + vb_reg(vb, gpr[op >> 6 & 7]);
		m->store = (op & 0x0E00) < 0x0600;
		return true;
	case 6:
		m->at = rn + imm * 4;
		return true;
	case 7:
		m->at = rn + imm;
		return true;
	case 8:
		m->at = rn + imm * 2;
		return true;
	case 9:
		m->at = vb_reg(vb, UC_ARM_REG_SP) + (op & 0xFF) * 4;
		return true;
	case 12:
		m->at = vb_reg(vb, gpr[op >> 8 & 7]);
		m->span = 4 * ones(op & 0xFF);
		return true;
	default:
		return false;
	}
}

static bool
decode32(struct cw_vb *vb, const struct insn *in, struct mem_op *m)
{
	uint32_t hi = in->op >> 16, lo = in->op & 0xFFFF;
	uint32_t rn = vb_reg(vb, gpr[hi & 15]);

	m->span = 4;
	m->store = (hi & 0x10) == 0;
	m->at = rn;
	if ((hi & 15) == 15)
		rn = (in->addr + 4) & ~3u;
	if ((hi & 0xFE40) == 0xE840) {		/* LDRD, STRD */
		m->span = 8;
		if ((hi & 0x100) != 0)
			m->at = (hi & 0x80) != 0 ? rn + (lo & 0xFF) * 4 : rn - (lo & 0xFF) * 4;
		return true;
	}
	if ((hi & 0xFE40) == 0xE800) {		/* LDM, STM */
		m->span = 4 * ones(lo);
		if ((hi & 0x180) == 0x100)
			m->at = rn - m->span;
		return true;
	}
	if ((hi & 0xFE00) != 0xF800)
		return false;
	if ((hi & 0x80) != 0)
		m->at = rn + (lo & 0xFFF);
	else if ((lo & 0x800) == 0)
		m->at = rn + (vb_reg(vb, gpr[lo & 15]) << (lo >> 4 & 3));
	else if ((lo & 0x400) != 0)
		m->at = (lo & 0x200) != 0 ? rn + (lo & 0xFF) : rn - (lo & 0xFF);
	return true;
}

uint32_t
vb_cost_blame(struct cw_vb *vb, uint32_t addr, bool write)
{
	uint32_t at = vb->blk_addr;
	struct mem_op m = { 0, 0, false };
	struct insn in;
	bool is;

	while (at < vb->blk_end && fetch(vb, at, &in)) {
		is = in.wide ? decode32(vb, &in, &m) : decode16(vb, &in, &m);
		if (is && m.store == write && addr - m.at < m.span)
			return at;
		at += in.wide ? 4 : 2;
	}
	return vb->blk_addr;
}
