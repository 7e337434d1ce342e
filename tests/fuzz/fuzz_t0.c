/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "cw/err.h"
#include "cw/t0.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A card that sends the input's bytes.  Input: configuration, length of the
 * command, the command, then the card.  When a byte of the card has its low
 * three bits set and the engine is sending, that SEND is refused there.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t rsp[CW_APDU_RSP_MAX];
	struct cw_t0_cfg cfg = { .wt_etu = 9600 };
	struct cw_tpdu_out out;
	struct cw_t0 t = { 0 };
	size_t len, cap, off;

	if (size < 3)
		return 0;
	cfg.manual_get = (data[0] & 1) != 0;
	cfg.null_max = data[0] >> 4;
	cap = (data[0] & 2) != 0 ? 8 : sizeof rsp;
	len = (size_t)data[1] << 8 | data[2];
	data += 3;
	size -= 3;
	if (len > size || cw_t0_start(&t, &cfg, data, len, rsp, cap, &out) < 0)
		return 0;

	for (off = len; out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV; ) {
		struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_TIMEOUT };
		size_t left = size - off;

		if (out.want == CW_TPDU_SEND) {
			CW_ASSERT(out.tx_len > 0);
			ev.kind = CW_TPDU_EV_SENT;
			if (left > 0 && (data[off] & 7) == 7) {
				ev.kind = CW_TPDU_EV_NACK;
				ev.idx = data[off++] % out.tx_len;
			}
		} else if (left > 0) {
			CW_ASSERT(out.rx_max > 0 && out.rx_max <= 258);
			ev.kind = CW_TPDU_EV_RX;
			ev.buf = data + off;
			ev.len = left < out.rx_max ? left : out.rx_max;
			off += ev.len;
		}
		cw_t0_step(&t, &ev, &out);
	}
	CW_ASSERT(out.want != CW_TPDU_DONE ||
	    (out.rsp_len >= 2 && out.rsp_len <= cap));
	CW_ASSERT(out.want != CW_TPDU_FAIL || out.err < 0);
	return 0;
}
