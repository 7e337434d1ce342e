/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/frame.h"
#include "ifd/feature.h"

/* Control codes, PC/SC part 10, 2.2, and pcsc-lite's SCARD_CTL_CODE(). */
#define CTL(n) (0x42000000u + (n))
#define CTL_GET_FEATURES CTL(3400)
#define CTL_ESCAPE CTL(1)
#define CTL_TLV CTL(0x330012)
#define FEATURE_TLV 0x12
#define FEATURE_ESCAPE 0x13

/* Tags of GET_TLV_PROPERTIES, part 10, 2.6.14; numbers are little-endian. */
#define TLV_FIRMWARE 0x08
#define TLV_PPDU 0x09
#define TLV_APDU_DATA_MAX 0x0a

#define ESC_FIRMWARE 0x01
#define ESC_SERIAL 0x02
#define ESC_STATE 0x03

static int
get_features(struct cw_ifd_buf rx)
{
	struct cw_wr w = cw_wr_init(rx.buf, rx.len);

	cw_wr_u8(&w, FEATURE_TLV);
	cw_wr_u8(&w, 4);
	cw_wr_u32(&w, CTL_TLV);
	cw_wr_u8(&w, FEATURE_ESCAPE);
	cw_wr_u8(&w, 4);
	cw_wr_u32(&w, CTL_ESCAPE);
	return cw_wr_done(&w);
}

static int
get_tlv(struct cw_ifd_reader *r, uint8_t slot, struct cw_ifd_buf rx)
{
	struct cw_wr w = cw_wr_init(rx.buf, rx.len);
	struct cw_rl_card_state st;
	struct cw_rl_hello_ok m;
	uint32_t max;
	int err = cw_ifd_query(r, slot, &st), i;

	if (err < 0)
		return err;
	cw_ifd_about(r, &m);
	cw_wr_u8(&w, TLV_FIRMWARE);
	cw_wr_str8(&w, m.firmware);
	cw_wr_u8(&w, TLV_PPDU);
	cw_wr_u8(&w, 1);
	cw_wr_u8(&w, 0);

	/* Header, both length fields and the status word need room too. */
	max = st.apdu_max - 11;
	if (max > 65536)
		max = 65536;
	cw_wr_u8(&w, TLV_APDU_DATA_MAX);
	cw_wr_u8(&w, 4);
	for (i = 0; i < 4; i++)
		cw_wr_u8(&w, (uint8_t)(max >> (8 * i)));
	return cw_wr_done(&w);
}

static int
escape(struct cw_ifd_reader *r, uint8_t slot, uint8_t what, struct cw_ifd_buf rx)
{
	uint8_t frame[CW_FRAME_HDR + 64];
	struct cw_wr w = cw_wr_init(rx.buf, rx.len);
	struct cw_rl_card_state st;
	struct cw_rl_hello_ok m;
	int n;

	if (what < ESC_FIRMWARE || what > ESC_STATE)
		return CW_EUNSUPPORTED;
	if (!cw_ifd_about(r, &m))
		return CW_ECLOSED;
	if (what == ESC_FIRMWARE) {
		cw_wr_bytes(&w, (const uint8_t *)m.firmware, strlen(m.firmware));
	} else if (what == ESC_SERIAL) {
		cw_wr_bytes(&w, m.serial, sizeof m.serial);
	} else {
		n = cw_ifd_query(r, slot, &st);
		if (n == 0)
			n = cw_rl_put_card_state(frame, sizeof frame, 1, &st);
		if (n < 0)
			return n;
		cw_wr_bytes(&w, frame + CW_FRAME_HDR, (size_t)n - CW_FRAME_HDR);
	}
	return cw_wr_done(&w);
}

int
cw_ifd_control(struct cw_ifd_reader *r, uint8_t slot, uint32_t code,
    struct cw_ifd_buf tx, struct cw_ifd_buf rx)
{
	switch (code) {
	case CTL_GET_FEATURES:
		return get_features(rx);
	case CTL_TLV:
		return get_tlv(r, slot, rx);
	case CTL_ESCAPE:
		return tx.len != 1 ? CW_EUNSUPPORTED : escape(r, slot, tx.buf[0], rx);
	default:
		return CW_EUNSUPPORTED;
	}
}
