/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cw/err.h"
#include "cw/t1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A card that sends the input's blocks.  Input: configuration, IFSC, length of
 * the command, the command, then for each turn of the card a byte that says what
 * comes: a block with the right EDC (PCB and LEN follow, then the information),
 * bare bytes (a count follows), silence, or a lost character.
 */
#define STEPS_MAX 20000

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t
byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

/* What the card sends in this turn, into out; 0 is silence. */
static size_t
card_turn(struct input *in, bool crc, uint8_t *out)
{
	uint8_t what = byte(in);
	size_t n = 0, i;

	if (in->left == 0 || (what & 3) == 2)
		return 0;
	if ((what & 3) == 3) {
		n = what >> 2;
		for (i = 0; i < n; i++)
			out[i] = byte(in);
		return n;
	}
	out[0] = 0;
	out[1] = byte(in);
	out[2] = byte(in);
	if (out[2] == 255)
		out[2] = 254;
	for (i = 0; i < out[2]; i++)
		out[3 + i] = byte(in);
	n = 3 + (size_t)out[2];
	return n + cw_t1_edc(out + n, crc, out, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t rsp[CW_APDU_RSP_MAX];
	struct input in = { data, size };
	uint8_t how = byte(&in), air[CW_T1_BLOCK_MAX];
	struct cw_t1_cfg cfg = { .bwt_etu = 15371, .cwt_etu = 8203,
	    .wtx_max = 40, .ifsd = (how & 2) != 0 ? 254 : 32,
	    .crc = (how & 1) != 0 };
	size_t cap = (how & 4) != 0 ? 8 : sizeof rsp, len, n = 0, off = 0, i;
	struct cw_tpdu_out out;
	struct cw_t1 t;

	cfg.ifsc = byte(&in);
	if (cfg.ifsc == 0 || cfg.ifsc == 255)
		return 0;
	len = byte(&in);
	cw_t1_init(&t, &cfg);
	if (len > in.left || cw_t1_start(&t, in.p, len, rsp, cap, &out) < 0)
		return 0;
	in.p += len;
	in.left -= len;

	for (i = 0; out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV; i++) {
		struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_TIMEOUT };

		/* The last byte repeated for ever is silence: it ends. */
		CW_ASSERT(i < STEPS_MAX + 8 * size);
		if (out.want == CW_TPDU_SEND) {
			CW_ASSERT(out.tx_len >= 4 &&
			    out.tx_len <= CW_T1_BLOCK_MAX);
			ev.kind = CW_TPDU_EV_SENT;
			n = card_turn(&in, cfg.crc, air);
			off = 0;
		} else if (off < n) {
			CW_ASSERT(out.rx_max > 0);
			ev.kind = CW_TPDU_EV_RX;
			ev.buf = air + off;
			ev.len = n - off < out.rx_max ? n - off : out.rx_max;
			ev.bad_cnt = (how & 0x80) != 0 && off == 0;
			off += ev.len;
		}
		cw_t1_step(&t, &ev, &out);
	}
	CW_ASSERT(out.want != CW_TPDU_DONE ||
	    (out.rsp_len >= 2 && out.rsp_len <= cap));
	CW_ASSERT(out.want != CW_TPDU_FAIL || out.err < 0);
	cw_t1_wipe(&t);
	return 0;
}
