/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/boot.h"
#include "cw/err.h"

/*
 * The fault matrix of the card line: every fault at every character, block,
 * command, call and byte value of a program that burns a blank, starts its COS,
 * writes a record and reads it back; in T=0 and T=1.  Each case must end in time:
 *	recovered	GOOD, and the card holds the image and the record
 *	rejected	another outcome; and if the card took a byte of the
 *			record, the result says that it was touched
 * Either way the card is off, the reader's memory holds nothing of the record,
 * and the next card in the slot is good.
 *
 * sweep_line [whole]: whole adds the pairs of faults and all ATR prefixes.
 */
#define LIMIT_US 30000000ull
#define STORM_LIMIT_US 310000000ull
#define STORM 0xFFFFFFF0u

struct setup {
	const char *name;
	struct cw_sim_card_config card;
};

static const struct setup setups[] = {
	{ "T=0", { .ta1 = 0x96 } },
	{ "T=0 inverse, 372/1", { .ta1 = 0x11, .inverse = true } },
	{ "T=1", { .ta1 = 0x96, .protocols = CW_SIM_T1 } },
	{ "T=1 CRC, IFSC 32, inverse", { .ta1 = 0x95, .protocols = CW_SIM_T1,
	    .crc = true, .ifsc = 32, .inverse = true } },
	{ "T=1, IFSC 20, 372/1", { .ta1 = 0x11, .protocols = CW_SIM_T1,
	    .ifsc = 20 } },
};
#define SETUPS (sizeof setups / sizeof setups[0])

static const uint8_t record[10] = { 0x98, 0x10, 0x32, 0x54, 0x76, 0x98, 0x10,
    0x32, 0x54, 0xF6 };

static struct line_rig rig;
static uint8_t prog[2000], check_prog[40];
static size_t prog_len, check_len;
static unsigned long recovered, rejected, bad;
static unsigned long outcome_cnt[32];

static void
wrong(const struct setup *s, const char *what, uint32_t at, const char *why)
{
	fprintf(stderr, "FAIL %s, %s at %u: %s (outcome %u, step %u, sw %04x)\n",
	    s->name, what, at, why, rig.result.outcome, rig.result.step,
	    rig.result.sw);
	bad++;
}

static void
make_programs(void)
{
	static const uint8_t select[] = { 0, 0xA4, 0, 0x0C, 2, 0x2F, 0xE2 };
	static const uint8_t read[] = { 0, 0xB0, 0, 0, 10 };
	uint8_t adm[13] = { 0, 0x20, 0, 0x0A, 8 };
	uint8_t update[15] = { 0, 0xD6, 0, 0, 10 };
	struct cw_boot_job job = { .len = (uint32_t)rig.image_len,
	    .block_len = 140 };
	struct cw_prog_builder b;

	memset(adm + 5, '8', 8);
	memcpy(update + 5, record, sizeof record);
	memcpy(job.digest, rig.digest, sizeof job.digest);
	cw_prog_start(&b, prog, sizeof prog);
	cw_boot_program(&b, &job);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_pps(&b, 0);
	cw_prog_apdu(&b, CW_STEP_NEEDS_COS, NULL, 0, select, sizeof select);
	cw_prog_apdu(&b, 0, NULL, 0, adm, sizeof adm);
	cw_prog_apdu(&b, CW_STEP_PERSONAL, NULL, 0, update, sizeof update);
	cw_prog_apdu(&b, 0, NULL, 0, read, sizeof read);
	cw_prog_compare(&b, 0, 0, record, NULL, sizeof record);
	prog_len = (size_t)cw_prog_end(&b);
	CW_ASSERT(cw_prog_end(&b) > 0);

	cw_prog_start(&b, check_prog, sizeof check_prog);
	cw_prog_reset(&b, false, NULL, NULL, 0);
	cw_prog_pps(&b, 0);
	check_len = (size_t)cw_prog_end(&b);
}

/* The card as a person with a reader of their own would find it. */
static void
check_card(const struct setup *s, const char *what, uint32_t at)
{
	static const uint8_t erased[10] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
	    0xFF, 0xFF, 0xFF, 0xFF };
	uint8_t digest[32], iccid[10] = { 0 };
	bool cos = cw_sim_card_cos(rig.card, digest), there;
	int n = cw_sim_card_read(rig.card, "3F00/2FE2", iccid, sizeof iccid);

	there = cos && n == 10 && memcmp(iccid, erased, 10) != 0;
	if (rig.result.outcome == CW_OUT_GOOD) {
		recovered++;
		if (!cos || memcmp(digest, rig.digest, sizeof digest) != 0)
			wrong(s, what, at, "good, without the image");
		if (n != 10 || memcmp(iccid, record, 10) != 0)
			wrong(s, what, at, "good, without the record");
	} else {
		rejected++;
		if (there && (rig.result.flags & CW_RES_TOUCHED) == 0)
			wrong(s, what, at, "touched, and does not say so");
	}
	outcome_cnt[rig.result.outcome]++;
}

/* Eight bytes of the record, as they are or as an inverse line has them. */
static bool
holds(const void *mem, size_t len)
{
	uint8_t inverse[8];
	size_t i;

	for (i = 0; i < sizeof inverse; i++)
		inverse[i] = cw_atr_invert(record[i]);
	return memmem(mem, len, record, 8) != NULL ||
	    memmem(mem, len, inverse, 8) != NULL;
}

static void
one(const struct setup *s, const struct cw_sim_fault *fault,
    const struct line_faults *f, const char *what)
{
	bool storm = fault != NULL && fault->n == STORM;
	uint32_t at = fault != NULL && fault->kind != CW_FAULT_NONE ? fault->n :
	    f != NULL ? f->at : 0;
	struct cw_sim_card_config card = s->card;

	card.flash_len = 2048;
	memcpy(card.serial, "SWEEP001", 8);
	if (fault != NULL)
		card.fault = *fault;
	line_insert(&rig, &card, f);
	if (!line_run(&rig, prog, prog_len, storm ? STORM_LIMIT_US : LIMIT_US)) {
		wrong(s, what, at, "does not end");
		exit(1);
	}
	if (rig.powered)
		wrong(s, what, at, "still under power");
	check_card(s, what, at);
	if (holds(&rig.core.slot[0], sizeof rig.core.slot[0]) ||
	    holds(rig.queue_mem, sizeof rig.queue_mem) ||
	    holds(rig.rx_mem, sizeof rig.rx_mem) ||
	    holds(rig.tx_mem, sizeof rig.tx_mem))
		wrong(s, what, at, "the reader still holds the record");

	/* Whatever it was: it has left nothing behind. */
	card.fault.kind = CW_FAULT_NONE;
	line_insert(&rig, &card, NULL);
	if (!line_run(&rig, check_prog, check_len, LIMIT_US) ||
	    rig.result.outcome != CW_OUT_GOOD)
		wrong(s, what, at, "the next card suffers");
}

struct extent {
	uint32_t chars, sends, ops;
};

/* Without a fault it must be good; and this is how far the faults go. */
static struct extent
measure(const struct setup *s)
{
	struct cw_sim_card_config card = s->card;
	struct extent e;

	card.flash_len = 2048;
	line_insert(&rig, &card, NULL);
	if (!line_run(&rig, prog, prog_len, LIMIT_US) ||
	    rig.result.outcome != CW_OUT_GOOD) {
		wrong(s, "nothing", 0, "is not good");
		exit(1);
	}
	e.chars = rig.char_cnt;
	e.sends = rig.send_cnt;
	e.ops = rig.op_cnt;
	return e;
}

/* A fault of the card at each of 0..cnt - 1. */
static void
each(const struct setup *s, enum cw_sim_fault_kind kind, uint16_t arg,
    uint32_t cnt)
{
	struct cw_sim_fault f = { .kind = kind, .arg = arg };
	unsigned long good = recovered, no = rejected;

	for (f.n = 0; f.n < cnt; f.n++)
		one(s, &f, NULL, cw_sim_fault_name(kind));
	printf("  %-14s %5u cases: %5lu recovered, %5lu rejected\n",
	    cw_sim_fault_name(kind), cnt, recovered - good, rejected - no);
}

/* A fault of the board at each call; with another of the card's, if given. */
static void
each_call(const struct setup *s, const struct line_faults *kind, uint32_t cnt,
    const struct cw_sim_fault *with)
{
	struct line_faults f = *kind;
	unsigned long good = recovered, no = rejected;
	const char *what = f.overcurrent ? "over-current" : "send lost";

	for (f.at = 0; f.at < cnt; f.at++)
		one(s, with, &f, what);
	if (with == NULL)
		printf("  %-14s %5u cases: %5lu recovered, %5lu rejected\n",
		    what, cnt, recovered - good, rejected - no);
}

static void
characters(const struct setup *s, const struct extent *e)
{
	uint16_t times, most = s->card.protocols == CW_SIM_T1 ? 1 : 5;

	for (times = 1; times <= most; times++)
		each(s, CW_FAULT_CHAR_WRONG, times, e->chars);
	each(s, CW_FAULT_CHAR_LOST, 0, e->chars);
	each(s, CW_FAULT_CHAR_MUTE, 0, e->chars);
	each(s, CW_FAULT_CHAR_PULLED, 0, e->chars);
	each(s, CW_FAULT_ATR, 0, 24);
	each(s, CW_FAULT_HANG, 0, 16);
	each(s, CW_FAULT_PULLED, 0, 16);
	each(s, CW_FAULT_SW, 0x6581, 5);
	each(s, CW_FAULT_BAD_WRITE, 0, 1);
	each(s, CW_FAULT_NO_COS, 0, 1);
	each(s, CW_FAULT_MUTE, 0, 1);
}

static void
blocks(const struct setup *s, const struct extent *e)
{
	static const enum cw_sim_fault_kind kinds[] = { CW_FAULT_EDC,
	    CW_FAULT_BLOCK_LOST, CW_FAULT_NUMBER, CW_FAULT_NAK,
	    CW_FAULT_STUCK, CW_FAULT_ABORT };
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		each(s, kinds[i], 0, e->sends);
}

/* Each block of the reader lost with each fault of a block of the card. */
static void
pairs(const struct setup *s, const struct extent *e)
{
	static const enum cw_sim_fault_kind kinds[] = { CW_FAULT_EDC,
	    CW_FAULT_BLOCK_LOST, CW_FAULT_NUMBER };
	struct line_faults f = { .lose_send = true };
	unsigned long good = recovered, no = rejected;
	struct cw_sim_fault fault = { 0 };
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (fault.kind = kinds[i], fault.n = 0; fault.n < e->sends;
		    fault.n++)
			each_call(s, &f, e->sends, &fault);
	printf("  %-14s       cases: %5lu recovered, %5lu rejected\n", "pairs",
	    recovered - good, rejected - no);
}

/* T=0: each byte that is no procedure byte, at each command. */
static void
procedures(const struct setup *s)
{
	struct cw_sim_fault f = { .kind = CW_FAULT_PROCEDURE };
	unsigned long good = recovered, no = rejected;

	for (f.arg = 0; f.arg < 256; f.arg++)
		for (f.n = 0; f.n < 11; f.n++)
			one(s, &f, NULL, "procedure byte");
	printf("  %-14s  2816 cases: %5lu recovered, %5lu rejected\n",
	    "procedure byte", recovered - good, rejected - no);
}

/* NULL bytes, or S(WTX), without end: at 372/1, where they are slowest. */
static void
storm(const struct setup *s)
{
	struct cw_sim_fault f = { .kind = CW_FAULT_NULLS, .n = STORM };
	struct setup slow = *s;
	uint64_t start_us = rig.now_us;

	slow.card.ta1 = 0x11;
	one(&slow, &f, NULL, "storm");
	printf("  %-14s     1 case, ended after %llu s\n", "storm",
	    (unsigned long long)((rig.now_us - start_us) / 1000000));
}

/* Answers to reset that begin with any two bytes, then garbage, then silence. */
static void
answers(const struct setup *s, unsigned int step)
{
	uint8_t atr[2 + 34];
	struct line_faults f = { .atr = atr };
	unsigned long good = recovered, no = rejected;
	unsigned int v, i;

	for (v = 0; v < 65536; v += step) {
		atr[0] = (uint8_t)(v >> 8);
		atr[1] = (uint8_t)v;
		for (i = 2; i < sizeof atr; i++)
			atr[i] = (uint8_t)(v * 73 + i * 151 + (v >> 5) * i);
		f.at = v;
		f.atr_len = v % 3 == 0 ? 2 : sizeof atr;
		one(s, NULL, &f, "ATR");
	}
	/* The two that matter are never skipped. */
	for (v = 0; v < 512; v++) {
		atr[0] = v < 256 ? 0x3B : 0x03;
		atr[1] = (uint8_t)v;
		f.at = v;
		f.atr_len = sizeof atr;
		one(s, NULL, &f, "ATR");
	}
	printf("  %-14s %5u cases: %5lu recovered, %5lu rejected\n", "ATR",
	    65536 / step + 512, recovered - good, rejected - no);
}

int
main(int argc, char **argv)
{
	bool whole = argc > 1 && strcmp(argv[1], "whole") == 0;
	struct line_faults lost = { .lose_send = true };
	struct line_faults over = { .overcurrent = true };
	size_t i;

	line_open(&rig);
	make_programs();
	for (i = 0; i < SETUPS; i++) {
		const struct setup *s = &setups[i];
		struct extent e = measure(s);

		printf("%s: %u characters, %u sends\n", s->name, e.chars,
		    e.sends);
		characters(s, &e);
		each_call(s, &lost, e.sends, NULL);
		each_call(s, &over, e.ops, NULL);
		if (s->card.protocols == CW_SIM_T1) {
			blocks(s, &e);
			if (whole || i == 2)
				pairs(s, &e);
		} else if (i == 0) {
			procedures(s);
			answers(s, whole ? 1 : 29);
		}
		if (i == 0 || i == 2)
			storm(s);
	}
	line_close(&rig);
	printf("card line: %lu cases: %lu recovered, %lu rejected, %lu wrong\n",
	    recovered + rejected, recovered, rejected, bad);
	for (i = 0; i < 32; i++)
		if (outcome_cnt[i] > 0)
			printf("  %-12s %lu\n", cw_outcome_word((int)i),
			    outcome_cnt[i]);
	return bad > 0 || recovered == 0 || rejected == 0;
}
