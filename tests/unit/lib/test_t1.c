/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/t1.h"

/*
 * Scripted exchanges of blocks.  A script is a row of words:
 *	>HEX	the engine must send this block
 *	<HEX	the card sends it
 *	!HEX	the card sends it, one character with a wrong parity
 *	~	the card is silent
 *	$	the APDU begins (the first one does by itself)
 * A dot at the end of a block stands for its EDC.  After a garbled block the
 * line falls silent by itself.
 */
struct play {
	const char *name;
	const char *apdu;
	const char *script;
	int err;		/* 0: must end in DONE with rsp */
	const char *rsp;
	uint8_t ifsd;		/* 0: 32, so that nothing is announced */
	bool crc;
	uint8_t ifsc;		/* 0: 32 */
	uint32_t wtx_max;
};

#define BWT 15371		/* 11 + 2^4 * 960: BWI 4 at 372/1 */
#define CWT 8203		/* 11 + 2^13 */

struct run {
	const struct play *p;
	struct cw_t1 t;
	struct cw_tpdu_out out;
	uint8_t apdu[700], rsp[700];
	size_t apdu_len;
	uint32_t wait_etu;	/* of the last RECV before a block began */
};

static size_t
bytes_of(const char *hex, size_t len, uint8_t *out, size_t cap)
{
	int n = cw_unhex(out, cap, hex, len);

	assert_true(n >= 0);
	return (size_t)n;
}

/* The block of one word, with its EDC when there is a dot. */
static size_t
block_of(const struct run *r, const char *word, size_t len, uint8_t *out)
{
	bool dot = word[len - 1] == '.';
	size_t n = bytes_of(word, len - dot, out, CW_T1_BLOCK_MAX);

	if (dot)
		n += cw_t1_edc(out + n, r->p->crc, out, n);
	return n;
}

static void
step(struct run *r, enum cw_tpdu_ev_kind kind, const uint8_t *buf, size_t len,
    uint32_t bad_cnt)
{
	struct cw_tpdu_ev ev = {
		.kind = kind, .buf = buf, .len = len, .bad_cnt = bad_cnt,
	};

	cw_t1_step(&r->t, &ev, &r->out);
}

static void
must_send(struct run *r, const char *word, size_t len)
{
	uint8_t want[CW_T1_BLOCK_MAX];
	size_t n = block_of(r, word, len, want);

	if (r->out.want != CW_TPDU_SEND || r->out.tx_len != n ||
	    memcmp(r->out.tx, want, n) != 0)
		fail_msg("%s: wants %d, not to send %.*s", r->p->name,
		    r->out.want, (int)len, word);
	step(r, CW_TPDU_EV_SENT, NULL, 0, 0);
	assert_int_equal(r->out.want, CW_TPDU_RECV);
	r->wait_etu = r->out.wait_etu;
}

/* After a garbled block the engine listens until there is silence. */
static void
card_sends(struct run *r, const char *word, size_t len, bool garbled)
{
	uint8_t b[CW_T1_BLOCK_MAX + 8];
	size_t n = block_of(r, word, len, b), off = 0, part;
	uint8_t edc[2];
	size_t edc_n = r->p->crc ? 2 : 1;

	while (off < n && r->out.want == CW_TPDU_RECV) {
		part = n - off < r->out.rx_max ? n - off : r->out.rx_max;
		step(r, CW_TPDU_EV_RX, b + off, part, garbled && off == 0);
		off += part;
		if (off < n && r->out.want == CW_TPDU_RECV)
			assert_int_equal(r->out.wait_etu, CWT);
	}
	assert_int_equal(off, n);
	(void)cw_t1_edc(edc, r->p->crc, b, n - edc_n);
	if (garbled || b[2] == 255 || n != 3u + b[2] + edc_n ||
	    memcmp(edc, b + n - edc_n, edc_n) != 0) {
		assert_int_equal(r->out.want, CW_TPDU_RECV);
		assert_int_equal(r->out.wait_etu, CWT);
		step(r, CW_TPDU_EV_TIMEOUT, NULL, 0, 0);
	}
}

static void
again(struct run *r)
{
	assert_int_equal(r->out.want, CW_TPDU_DONE);
	assert_int_equal(cw_t1_start(&r->t, r->apdu, r->apdu_len, r->rsp,
	    sizeof r->rsp, &r->out), 0);
}

static void
play(struct run *r, const struct play *p)
{
	struct cw_t1_cfg cfg = {
		.bwt_etu = BWT, .cwt_etu = CWT, .wtx_max = p->wtx_max,
		.ifsc = p->ifsc != 0 ? p->ifsc : 32,
		.ifsd = p->ifsd != 0 ? p->ifsd : 32, .crc = p->crc,
	};
	const char *w = p->script;
	uint8_t want[700];
	size_t len;

	memset(r, 0, sizeof *r);
	r->p = p;
	r->apdu_len = bytes_of(p->apdu, strlen(p->apdu), r->apdu,
	    sizeof r->apdu);
	cw_t1_init(&r->t, &cfg);
	assert_int_equal(cw_t1_start(&r->t, r->apdu, r->apdu_len, r->rsp,
	    sizeof r->rsp, &r->out), 0);
	for (; *w != '\0'; w += len) {
		len = strcspn(w, " \n");
		if (len == 0)
			len = 1;
		else if (w[0] == '>')
			must_send(r, w + 1, len - 1);
		else if (w[0] == '<' || w[0] == '!')
			card_sends(r, w + 1, len - 1, w[0] == '!');
		else if (w[0] == '~')
			step(r, CW_TPDU_EV_TIMEOUT, NULL, 0, 0);
		else if (w[0] == '$')
			again(r);
	}
	if (p->err != 0) {
		if (r->out.want != CW_TPDU_FAIL || r->out.err != p->err)
			fail_msg("%s: ends in %d err %d", p->name, r->out.want,
			    r->out.err);
		return;
	}
	len = bytes_of(p->rsp, strlen(p->rsp), want, sizeof want);
	if (r->out.want != CW_TPDU_DONE || r->out.rsp_len != len ||
	    memcmp(r->rsp, want, len) != 0)
		fail_msg("%s: ends in %d err %d", p->name, r->out.want,
		    r->out.err);
}

#define SELECT "00A4000C023F00"
#define I0 " >00000700A4000C023F00."
#define I1 " >00400700A4000C023F00."
#define OK0 " <0000029000."
#define OK1 " <0040029000."
/* 40 data bytes: two blocks at an IFSC of 32. */
#define LONG_DATA "000102030405060708090A0B0C0D0E0F" \
	"101112131415161718191A1B1C1D1E1F2021222324252627"
#define LONG "00D6000028" LONG_DATA
#define L0 " >00202000D6000028000102030405060708090A0B0C0D0E0F101112131415161718191A."
#define L1 " >00400D1B1C1D1E1F2021222324252627."
#define READ "00B0000000"

/* No errors, then what ISO/IEC 7816-3:2006, 11.6.2 and annex A show of S-blocks
 * and chains, told in our own commands. */
static const struct play fine[] = {
	{ "one block each way", SELECT, I0 OK0, 0, "9000", 0, false, 0, 0 },
	{ "numbers alternate", SELECT, I0 OK0 " $ " I1 OK1 " $ " I0 OK0, 0,
	    "9000", 0, false, 0, 0 },
	{ "an EDC spelt out", "00A4040000",
	    ">00000500A4040000A5 <0000026A88E0", 0, "6A88", 0, false, 0, 0 },
	{ "the card chains", READ,
	    ">00000500B0000000. <002003010203. >009000. <0060020405. >008000. "
	    "<000003069000.", 0, "0102030405069000", 0, false, 0, 0 },
	{ "status words in a block of their own", READ,
	    ">00000500B0000000. <002003010203. >009000. <0040029000.", 0,
	    "0102039000", 0, false, 0, 0 },
	{ "even split between blocks", READ,
	    ">00000500B0000000. <00200301FF90. >009000. <00400100.", 0,
	    "01FF9000", 0, false, 0, 0 },
	{ "we chain", LONG, L0 " <009000. " L1 " " OK0, 0, "9000", 0, false,
	    0, 0 },
	{ "both chain", LONG "00", ">00202000D6000028000102030405060708090A0B0"
	    "C0D0E0F101112131415161718191A. <009000. >00400E1B1C1D1E1F20212223"
	    "2425262700. <002002AABB. >009000. <0040029000.", 0, "AABB9000", 0,
	    false, 0, 0 },
	{ "IFSD announced", SELECT, ">00C101FE. <00E101FE. " I0 OK0, 0, "9000",
	    254, false, 0, 0 },
	{ "announced once", SELECT, ">00C101FE. <00E101FE. " I0 OK0 " $ " I1 OK1,
	    0, "9000", 254, false, 0, 0 },
	{ "IFSD refused three times, taken at 32", SELECT,
	    ">00C101FE. <008200. >00C101FE. <008200. >00C101FE. <008200. " I0
	    OK0, 0, "9000", 254, false, 0, 0 },
	{ "the card's IFSC grows in mid-chain", LONG,
	    L0 " <00C10140. >00E10140. <009000. " L1 " " OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "the card's IFSC shrinks in mid-chain", LONG,
	    L0 " <00C10108. >00E10108. <009000. >0060081B1C1D1E1F202122. "
	    "<008000. >0000052324252627. " OK0, 0, "9000", 0, false, 0, 0 },
	{ "more time, twice", SELECT,
	    I0 " <00C30103. >00E30103. <00C30101. >00E30101. " OK0, 0, "9000",
	    0, false, 0, 0 },
	{ "data beyond Le are dropped", "00B0000002",
	    ">00000500B0000002. <000005AABBCC9000.", 0, "AABB9000", 0, false, 0,
	    0 },
	{ "extended length", "00D60000000003010203",
	    ">00000A00D60000000003010203. " OK0, 0, "9000", 0, false, 0, 0 },
};

/*
 * Blocks that a driver and a card have exchanged (pcscd with the free CCID driver
 * and an OsEID card with CRC, as its author's notes of March 2021 give them).
 */
static const struct play seen[] = {
	{ "SELECT MF with CRC", "00A4000000",
	    ">00C101FE544E <00E101FE5775 >00000500A4000000B8DA "
	    "<0020146F1781027FFF82013883023F008603113FFF85021029 >009000206E "
	    "<00600700028A01AA9000A633 >008000B5FF <0000003933", 0,
	    "6F1781027FFF82013883023F008603113FFF850200028A01AA9000", 254, true,
	    254, 0 },
};

/* 11.6.3: what is lost or garbled, in either direction. */
static const struct play wrong[] = {
	{ "answer garbled", SELECT, I0 " !0000029000. >008100. " OK0, 0, "9000",
	    0, false, 0, 0 },
	{ "answer with a wrong EDC", SELECT, I0 " <000002900091 >008100. " OK0,
	    0, "9000", 0, false, 0, 0 },
	{ "answer cut", SELECT, I0 " <00000290 >008100. " OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "no answer", SELECT, I0 " ~ >008200. " OK0, 0, "9000", 0, false, 0,
	    0 },
	{ "our block garbled", SELECT, I0 " <008100. " I0 OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "our block lost", SELECT, I0 " ~ >008200. <008000. " I0 OK0, 0,
	    "9000", 0, false, 0, 0 },
	{ "our block garbled, the card's R-block too", SELECT,
	    I0 " !008100. >008100. <008100. " I0 OK0, 0, "9000", 0, false, 0,
	    0 },
	{ "answer and our R-block garbled", SELECT,
	    I0 " !0000029000. >008100. <009100. >008200. " OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "in the card's chain, its block garbled", READ,
	    ">00000500B0000000. <002003010203. >009000. !0060020405. >009100. "
	    "<0060020405. >008000. <000003069000.", 0, "0102030405069000", 0,
	    false, 0, 0 },
	{ "in the card's chain, our R-block garbled", READ,
	    ">00000500B0000000. <002003010203. >009000. <009100. >009000. "
	    "<0040029000.", 0, "0102039000", 0, false, 0, 0 },
	{ "in our chain, the acknowledgement garbled", LONG,
	    L0 " !009000. >008100. <009000. " L1 " " OK0, 0, "9000", 0, false,
	    0, 0 },
	{ "in our chain, our block garbled", LONG, L0 " <008100. " L0
	    " <009000. " L1 " <009100. " L1 " " OK0, 0, "9000", 0, false, 0, 0 },
	{ "S(WTX) garbled", SELECT,
	    I0 " !00C30102. >008100. <00C30102. >00E30102. " OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "our S(WTX response) garbled", SELECT,
	    I0 " <00C30102. >00E30102. <00C30102. >00E30102. " OK0, 0, "9000",
	    0, false, 0, 0 },
	{ "S(IFS response) garbled", SELECT,
	    ">00C101FE. !00E101FE. >00C101FE. <00E101FE. " I0 OK0, 0, "9000",
	    254, false, 0, 0 },
	{ "S(IFS response) with another size", SELECT,
	    ">00C101FE. <00E10120. >00C101FE. <00E101FE. " I0 OK0, 0, "9000",
	    254, false, 0, 0 },
	{ "our first block lost: the card repeats S(IFS response)", SELECT,
	    ">00C101FE. <00E101FE. " I0 " ~ >008200. <00E101FE. " I0 OK0, 0,
	    "9000", 254, false, 0, 0 },
	{ "S(IFS response) when it is no longer the last", SELECT,
	    ">00C101FE. <00E101FE. " I0 OK0 " $ " I1 " <00E101FE. >009200. " OK1,
	    0, "9000", 254, false, 0, 0 },
	{ "old number", SELECT, I0 OK0 " $ " I1 " " OK0 " >009200. " OK1, 0,
	    "9000", 0, false, 0, 0 },
	{ "node address", SELECT, I0 " <1200029000. >008200. " OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "bits of PCB that mean nothing", SELECT,
	    I0 " <0001029000. >008200. <00C400. >008200. <00A000. >008200. " OK0,
	    0, "9000", 0, false, 0, 0 },
	{ "LEN FF", SELECT, I0 " <0000FF9000 >008100. " OK0, 0, "9000", 0, false,
	    0, 0 },
	{ "longer than IFSD", SELECT,
	    I0 " <0000210000000000000000000000000000000000000000"
	    "00000000000000000000009000. >008200. " OK0, 0, "9000", 0, false, 0, 0 },
	{ "S(IFS) of 0 and of 255", SELECT,
	    I0 " <00C10100. >008200. <00C101FF. >008200. " OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "S(WTX) of 0", SELECT, I0 " <00C30100. >008200. " OK0, 0, "9000", 0,
	    false, 0, 0 },
	{ "S(RESYNCH) is not the card's to ask", SELECT,
	    I0 " <00C000. >008200. " OK0, 0, "9000", 0, false, 0, 0 },
	{ "each block of a chain garbled twice", READ,
	    ">00000500B0000000. !00200101. >008100. !00200101. >008100. "
	    "<00200101. >009000. !00600102. >009100. !00600102. >009100. "
	    "<00600102. >008000. !00200103. >008100. !00200103. >008100. "
	    "<00200103. >009000. <0040029000.", 0, "0102039000", 0, false, 0,
	    0 },
	{ "more time, and each grant garbled", SELECT,
	    I0 " !00C30101. >008100. !00C30101. >008100. <00C30101. >00E30101. "
	    "!00C30101. >008100. !00C30101. >008100. <00C30101. >00E30101. "
	    OK0, 0, "9000", 0, false, 0, 0 },
	{ "I-block into our chain", LONG,
	    L0 " " OK0 " >008200. <009000. " L1 " " OK0, 0, "9000", 0, false, 0,
	    0 },
};

#define MUTE4 " ~ >008200. ~ >008200. ~ >008200. ~"

/* When repetition does not help: S(RESYNCH), and no command twice. */
static const struct play lost[] = {
	{ "silence before the first block", SELECT, I0 MUTE4, CW_ETIMEOUT, NULL,
	    0, false, 0, 0 },
	{ "silence to S(IFS)", SELECT, ">00C101FE. ~ >00C101FE. ~ >00C101FE. ~",
	    CW_ETIMEOUT, NULL, 254, false, 0, 0 },
	{ "silence later", SELECT, I0 OK0 " $ " I1
	    " ~ >009200. ~ >009200. ~ >009200. ~ >00C000. ~ >00C000. ~ "
	    ">00C000. ~", CW_ETIMEOUT, NULL, 0, false, 0, 0 },
	{ "in step again, but it may be done", SELECT, I0 OK0 " $ " I1
	    " ~ >009200. ~ >009200. ~ >009200. ~ >00C000. ~ >00C000. <00E000.",
	    CW_ETIMEOUT, NULL, 0, false, 0, 0 },
	{ "refused when it may be done", LONG, L0 " <009000. " L1
	    " <008000. >008200. <008000. >008200. <008000. >008200. <008000. "
	    ">00C000. <00E000.", CW_EPROTO, NULL, 0, false, 0, 0 },
	{ "first block never taken: anew", LONG, L0 " <008100. " L0 " <008100. "
	    L0 " <008100. " L0 " <008100. >00C000. <00E000. " L0 " <009000. "
	    L1 " " OK0, 0, "9000", 0, false, 0, 0 },
	{ "and IFSD is announced anew", LONG, ">00C101FE. <00E101FE. " L0
	    " !009000. >008100. !009000. >008100. !009000. >008100. !009000. "
	    ">00C000. <00E000. >00C101FE. <00E101FE. " L0 " <009000. " L1 " "
	    OK0, 0, "9000", 254, false, 0, 0 },
	{ "a card that always refuses", SELECT,
	    I0 " <008100. " I0 " <008100. " I0 " <008100. " I0 " <008100. "
	    ">00C000. <008100. >00C000. <008100. >00C000. <008100.", CW_EPROTO,
	    NULL, 0, false, 0, 0 },
	{ "always garbled", SELECT, I0 " !0000029000. >008100. !0000029000. "
	    ">008100. !0000029000. >008100. !0000029000.", CW_EPARITY, NULL, 0,
	    false, 0, 0 },
	{ "abort of our chain, turn given back", LONG,
	    L0 " <00C200. >00E200. <009000.", CW_EPROTO, NULL, 0, false, 0, 0 },
	{ "abort of our chain, answered", LONG,
	    L0 " <00C200. >00E200. <0000026700.", 0, "6700", 0, false, 0, 0 },
	{ "abort of its own chain", READ,
	    ">00000500B0000000. <002003010203. >009000. <00C200. >00E200. "
	    "<0040026F00.", 0, "6F00", 0, false, 0, 0 },
	{ "answer of one byte", SELECT, I0 " <00000190.", CW_EPROTO, NULL, 0,
	    false, 0, 0 },
	{ "answer without status word", SELECT, I0 " <0000021234.", CW_EPROTO,
	    NULL, 0, false, 0, 0 },
	{ "more WTX than allowed", SELECT,
	    I0 " <00C30101. >00E30101. <00C30101.", CW_ETIMEOUT, NULL, 0, false,
	    0, 1 },
};

static void
play_all(const struct play *p, size_t n)
{
	struct run r;
	size_t i;

	for (i = 0; i < n; i++)
		play(&r, &p[i]);
}

static void
test_fine(void **state)
{
	(void)state;
	play_all(fine, sizeof fine / sizeof fine[0]);
}

static void
test_seen(void **state)
{
	(void)state;
	play_all(seen, sizeof seen / sizeof seen[0]);
}

static void
test_wrong(void **state)
{
	(void)state;
	play_all(wrong, sizeof wrong / sizeof wrong[0]);
}

static void
test_lost(void **state)
{
	(void)state;
	play_all(lost, sizeof lost / sizeof lost[0]);
}

/* The multiplier counts for the next block and for no other. */
static void
test_waits(void **state)
{
	static const struct play p = { "waits", SELECT,
	    I0 " <00C30105. >00E30105. ~ >008200. " OK0, 0, "9000", 0, false, 0,
	    0 };
	struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };
	uint8_t wtx[] = { 0x00, 0xc3, 0x01, 0xff, 0x3d };
	struct run r;

	(void)state;
	play(&r, &p);
	assert_int_equal(r.wait_etu, BWT);

	/* 255 * 2^32 does not turn into something short. */
	r.t.cfg.bwt_etu = UINT32_MAX / 2;
	again(&r);
	cw_t1_step(&r.t, &ev, &r.out);
	step(&r, CW_TPDU_EV_RX, wtx, 4, 0);
	step(&r, CW_TPDU_EV_RX, wtx + 4, 1, 0);
	assert_int_equal(r.out.want, CW_TPDU_SEND);
	cw_t1_step(&r.t, &ev, &r.out);
	assert_int_equal(r.out.wait_etu, UINT32_MAX);
}

/* 11.4: etu from the ATR; the formulas are worked out by hand. */
static void
test_config(void **state)
{
	struct cw_atr a = { .bwi = 4, .cwi = 13, .ifsc = 32 };
	struct cw_t1_cfg c;

	(void)state;
	cw_t1_config(&c, &a, 372);
	assert_int_equal(c.bwt_etu, BWT);
	assert_int_equal(c.cwt_etu, CWT);
	assert_int_equal(c.ifsd, 254);
	assert_false(c.crc);
	a.bwi = 9;
	a.cwi = 0;
	a.crc = true;
	cw_t1_config(&c, &a, 8);
	assert_int_equal(c.bwt_etu, 11 + 512 * 960 * 372 / 8);
	assert_int_equal(c.cwt_etu, 12);
	assert_true(c.crc);
	assert_int_equal(cw_t1_guard_etu(&a), 12);
	a.tc1 = 255;
	assert_int_equal(cw_t1_guard_etu(&a), 11);
	a.tc1 = 254;
	assert_int_equal(cw_t1_guard_etu(&a), 266);
}

/* A stream that never ends is given up, whatever it says. */
static void
test_noise(void **state)
{
	struct cw_t1_cfg cfg = { .bwt_etu = BWT, .cwt_etu = CWT, .ifsc = 32,
	    .ifsd = 32 };
	uint8_t apdu[] = { 0, 0xa4, 0, 0 }, rsp[10], noise[CW_T1_BLOCK_MAX];
	struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };
	struct cw_tpdu_out out;
	struct cw_t1 t;
	int i;

	(void)state;
	memset(noise, 0xff, sizeof noise);
	cw_t1_init(&t, &cfg);
	assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 10, &out), 0);
	cw_t1_step(&t, &ev, &out);
	for (i = 0; i < 100 && out.want == CW_TPDU_RECV; i++) {
		ev.kind = CW_TPDU_EV_RX;
		ev.buf = noise;
		ev.len = out.rx_max;
		cw_t1_step(&t, &ev, &out);
	}
	assert_int_equal(out.want, CW_TPDU_FAIL);
	assert_int_equal(out.err, CW_EPARITY);
	assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 10, &out), CW_ESTATE);
}

/* Empty blocks, and requests, do not go on for ever. */
static void
test_endless(void **state)
{
	static const uint8_t empty[2][4] = { { 0, 0x20, 0, 0x20 },
	    { 0, 0x60, 0, 0x60 } };
	static const uint8_t ifs[] = { 0x00, 0xc1, 0x01, 0x20, 0xe0 };
	static const uint8_t abort_req[] = { 0x00, 0xc2, 0x00, 0xc2 };
	struct cw_t1_cfg cfg = { .bwt_etu = BWT, .cwt_etu = CWT, .ifsc = 32,
	    .ifsd = 32 };
	uint8_t apdu[] = { 0, 0xa4, 0, 0 }, rsp[10];
	struct cw_tpdu_out out;
	struct cw_t1 t;
	int what, i;

	(void)state;
	for (what = 0; what < 3; what++) {
		cw_t1_init(&t, &cfg);
		assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 10, &out), 0);
		for (i = 0; i < 100 && out.want == CW_TPDU_SEND; i++) {
			struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };

			cw_t1_step(&t, &ev, &out);
			ev.kind = CW_TPDU_EV_RX;
			ev.buf = what == 0 ? empty[i % 2] :
			    what == 1 ? ifs : abort_req;
			ev.len = 4;
			cw_t1_step(&t, &ev, &out);
			if (out.want == CW_TPDU_RECV) {
				ev.buf += 4;
				ev.len = 1;
				cw_t1_step(&t, &ev, &out);
			}
		}
		assert_int_equal(out.want, CW_TPDU_FAIL);
		assert_int_equal(out.err, CW_EPROTO);
		assert_int_equal(i, CW_T1_REQUEST_MAX + 1);
	}
}

/* Repetitions and requests count anew once there is progress. */
static void
test_counts_anew(void **state)
{
	static const uint8_t ifs[] = { 0x00, 0xc1, 0x01, 0x20, 0xe0 };
	static const struct play p = { "counts anew", SELECT, I0 OK0, 0, "9000",
	    0, false, 0, 0 };
	struct run r;
	int i;

	(void)state;
	play(&r, &p);
	for (i = 0; i < 3 * CW_T1_REQUEST_MAX; i++) {
		again(&r);
		step(&r, CW_TPDU_EV_SENT, NULL, 0, 0);
		step(&r, CW_TPDU_EV_RX, ifs, 4, 0);
		step(&r, CW_TPDU_EV_RX, ifs + 4, 1, 0);
		must_send(&r, "00E10120.", 9);
		card_sends(&r, i % 2 ? "0000029000." : "0040029000.", 11, true);
		step(&r, CW_TPDU_EV_SENT, NULL, 0, 0);
		card_sends(&r, i % 2 ? "0000029000." : "0040029000.", 11,
		    false);
	}
	assert_int_equal(r.out.want, CW_TPDU_DONE);
	assert_int_equal(r.t.repeated_cnt, 3 * CW_T1_REQUEST_MAX);
}

static void
test_refused(void **state)
{
	struct cw_t1_cfg cfg = { .bwt_etu = BWT, .cwt_etu = CWT, .ifsc = 254,
	    .ifsd = 254 };
	uint8_t apdu[] = { 0, 0xa4, 0, 0 }, rsp[10];
	struct cw_tpdu_out out;
	struct cw_t1 t;

	(void)state;
	cw_t1_init(&t, &cfg);
	assert_int_equal(cw_t1_start(&t, apdu, 3, rsp, 10, &out), CW_ESHORT);
	assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 1, &out), CW_EINVAL);
	apdu[0] = 0xff;
	assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 10, &out), CW_EINVAL);
	apdu[0] = 0;
	apdu[1] = 0x6a;
	assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 10, &out), CW_EINVAL);
	apdu[1] = 0xa4;
	assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 10, &out), 0);
	assert_int_equal(cw_t1_start(&t, apdu, 4, rsp, 10, &out), CW_ESTATE);
}

/* After wipe nothing of the command is left, and the numbers go on. */
static void
test_wipe(void **state)
{
	static const struct play p = { "wipe", SELECT, I0 OK0, 0, "9000", 0,
	    false, 0, 0 };
	static const uint8_t mark[] = { 0xa4, 0x00, 0x0c };
	const uint8_t *m;
	struct run r;
	size_t i;

	(void)state;
	play(&r, &p);
	cw_t1_wipe(&r.t);
	m = (const uint8_t *)&r.t;
	for (i = 0; i + sizeof mark <= sizeof r.t; i++)
		assert_memory_not_equal(m + i, mark, sizeof mark);
	assert_int_equal(cw_t1_start(&r.t, r.apdu, r.apdu_len, r.rsp,
	    sizeof r.rsp, &r.out), 0);
	assert_int_equal(r.out.tx[1], 0x40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fine),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_counts_anew),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
