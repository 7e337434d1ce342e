/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/boot.h"
#include "cw/pps.h"
#include "host_private.h"

/*
 * Card back end: a card that takes no time, for benchmarks.  It speaks T=0 at
 * character level and answers 9000 to every APDU; a read gives back what was
 * written last, so that a profile's read-back is content.  It is present at
 * once, and another one takes its place when every result is acknowledged and
 * its power is off.
 *
 * T=0 does not tell a card which way the data of a command goes: the commands
 * that read are known by their INS.
 */
#define INS_GET_RESPONSE 0xc0

static bool
ins_reads(uint8_t ins)
{
	switch (ins) {
	case 0x84:			/* GET CHALLENGE */
	case 0xb0: case 0xb1:		/* READ BINARY */
	case 0xb2: case 0xb3:		/* READ RECORD */
	case INS_GET_RESPONSE:
	case 0xca: case 0xcb:		/* GET DATA; IDENTIFY of the bootloader */
	case 0xf2:			/* STATUS */
		return true;
	default:
		return false;
	}
}

static void
card_say(struct cw_host_null *n, const uint8_t *buf, size_t len)
{
	CW_ASSERT(n->out_len + len <= sizeof n->out);
	memcpy(n->out + n->out_len, buf, len);
	n->out_len += len;
}

static void
card_say_ok(struct cw_host_null *n)
{
	static const uint8_t sw[] = { 0x90, 0x00 };

	card_say(n, sw, sizeof sw);
	n->hdr_len = 0;
}

/* The data of a read: what was written last, then zeros. */
static void
card_read(struct cw_host_null *n, size_t len)
{
	struct cw_boot_info info = {
		.version = CW_BOOT_VERSION, .chip_type = 1,
		.flash_len = 0x100000, .page_len = 256,
		.block_max = CW_BOOT_BLOCK_MAX,
	};
	uint8_t data[256] = { 0 };

	if (n->hdr[0] == CW_BOOT_CLA && n->hdr[1] == CW_BOOT_IDENTIFY) {
		info.serial[4] = (uint8_t)(n->card >> 24);
		info.serial[5] = (uint8_t)(n->card >> 16);
		info.serial[6] = (uint8_t)(n->card >> 8);
		info.serial[7] = (uint8_t)n->card;
		(void)cw_boot_info_put(&info, data, sizeof data);
	} else {
		memcpy(data, n->last, n->last_len);
	}
	card_say(n, &n->hdr[1], 1);
	card_say(n, data, len);
	card_say_ok(n);
}

static void
card_header(struct cw_host_null *n)
{
	n->data_left = 0;
	if (n->hdr[1] == INS_GET_RESPONSE) {
		card_say_ok(n);
	} else if (ins_reads(n->hdr[1])) {
		card_read(n, n->hdr[4] == 0 ? 256 : n->hdr[4]);
	} else if (n->hdr[4] == 0) {
		card_say_ok(n);
	} else {
		card_say(n, &n->hdr[1], 1);
		n->data_left = n->hdr[4];
		n->last_len = 0;
	}
}

/* One character from the reader: PPS, a header, or data. */
static void
card_char(struct cw_host_null *n, uint8_t c)
{
	if (n->data_left > 0) {
		n->last[n->last_len++] = c;
		if (--n->data_left == 0)
			card_say_ok(n);
		return;
	}
	n->hdr[n->hdr_len++] = c;
	if (n->hdr[0] == 0xff && n->hdr_len == 4) {
		card_say(n, n->hdr, 4);
		n->hdr_len = 0;
	} else if (n->hdr_len == sizeof n->hdr) {
		card_header(n);
	}
}

static void
null_silence(struct cw_host_null *n)
{
	n->out_len = n->out_off = 0;
	n->hdr_len = 0;
	n->data_left = 0;
	cw_wipe(n->rx, sizeof n->rx);
	cw_wipe(n->out, sizeof n->out);
}

static int
null_power(void *dev, uint8_t slot, uint32_t vcc_mv)
{
	struct cw_host *h = dev;
	struct cw_event ev = { .kind = CW_EV_POWERED };

	(void)slot;
	null_silence(&h->null);
	cw_wipe(h->null.last, sizeof h->null.last);
	h->null.last_len = 0;
	h->null.powered = vcc_mv > 0;
	cw_host_post(h, &ev);
	return 0;
}

static int
null_reset(void *dev, uint8_t slot, bool asserted)
{
	/* Direct convention, TA1 96 (512/32), nothing else. */
	static const uint8_t atr[] = { 0x3b, 0x10, 0x96 };
	struct cw_host *h = dev;

	(void)slot;
	null_silence(&h->null);
	if (!asserted && h->null.powered)
		card_say(&h->null, atr, sizeof atr);
	return 0;
}

static int
null_set_line(void *dev, uint8_t slot, const struct cw_card_line *line)
{
	(void)dev;
	(void)slot;
	return line->clk_hz == 0 || line->etu_clk == 0 ? CW_ERANGE : 0;
}

static int
null_send(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	struct cw_host *h = dev;
	struct cw_event ev = { .kind = CW_EV_SENT };
	size_t i;

	(void)slot;
	h->null.out_len = h->null.out_off = 0;
	for (i = 0; i < len; i++)
		card_char(&h->null, buf[i]);
	ev.line_etu = 12 * len;
	cw_host_post(h, &ev);
	return 0;
}

static int
null_recv(void *dev, uint8_t slot, size_t cap, uint32_t wait_etu)
{
	struct cw_host *h = dev;
	struct cw_host_null *n = &h->null;
	struct cw_event ev = { .kind = CW_EV_SILENT };
	size_t len = n->out_len - n->out_off;

	(void)slot;
	(void)wait_etu;
	if (len > cap)
		len = cap;
	if (len > sizeof n->rx)
		len = sizeof n->rx;
	if (len > 0) {
		ev.kind = CW_EV_RECV;
		memcpy(n->rx, n->out + n->out_off, len);
		n->out_off += len;
		ev.buf = n->rx;
		ev.len = len;
		ev.line_etu = 12 * len;
	}
	cw_host_post(h, &ev);
	return 0;
}

static void
null_abort(void *dev, uint8_t slot)
{
	struct cw_host *h = dev;

	(void)slot;

	cw_host_unpost(h);
	null_silence(&h->null);
}

static int
null_present(void *dev, uint8_t slot)
{
	(void)dev;
	(void)slot;
	return 1;
}

/* The next card, once nothing is left to say about the present one. */
static void
null_flush(struct cw_host *h)
{
	struct cw_reader_slot_status st;
	struct cw_event ev = { .kind = CW_EV_CARD };

	cw_reader_slot_status(h->core, 0, &st);
	if (st.acked_cnt == h->null.acked_cnt || st.queued > 0 ||
	    st.unacked > 0 || st.state != CW_SLOT_READY)
		return;
	h->null.acked_cnt = st.acked_cnt;
	h->null.card++;
	cw_host_post(h, &ev);
	ev.len = 1;
	cw_host_post(h, &ev);
}

static int
null_open(struct cw_host *h, const char *spec)
{
	(void)spec;
	h->null.card = 1;
	return 0;
}

static void
null_close(struct cw_host *h)
{
	null_silence(&h->null);
}

const struct cw_host_backend cw_host_null = {
	.ops = {
		null_power, null_reset, null_set_line, cw_host_best_line,
		null_send, null_recv, null_abort, null_present,
	},
	.open = null_open,
	.flush = null_flush,
	.close = null_close,
};
