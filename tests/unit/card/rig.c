/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "cw/pps.h"
#include "cw/sha256.h"
#include "rig.h"

#define CLK_HZ 4000000

void
rig_open_cfg(struct rig *r, const struct cw_sim_card_config *cfg)
{
	memset(r, 0, sizeof *r);
	r->cfg = *cfg;
	r->card = cw_sim_card_new(cfg);
	assert_non_null(r->card);
	r->t0_cfg.wt_etu = 9600;
}

void
rig_open(struct rig *r, const char *fault)
{
	rig_open_t(r, CW_SIM_T0, fault);
}

void
rig_open_t(struct rig *r, enum cw_sim_protocols protocols, const char *fault)
{
	struct cw_sim_card_config cfg = {
		.serial = "SERIAL01", .flash_len = 8192, .seed = 5,
		.protocols = protocols,
	};

	if (fault != NULL)
		assert_int_equal(cw_sim_fault_parse(&cfg.fault, fault), 0);
	rig_open_cfg(r, &cfg);
}

void
rig_close(struct rig *r)
{
	cw_sim_card_free(r->card);
	r->card = NULL;
}

/* Both ways: what the line shows under direct, and what it means. */
static void
turn_over(const struct rig *r, uint8_t *buf, size_t len)
{
	size_t i;

	if (r->cfg.inverse)
		for (i = 0; i < len; i++)
			buf[i] = cw_atr_invert(buf[i]);
}

static void
t1_open(struct rig *r, uint32_t etu_clk)
{
	struct cw_t1_cfg cfg;

	cw_t1_config(&cfg, &r->atr, etu_clk);
	cw_t1_init(&r->t1, &cfg);
}

int
rig_reset(struct rig *r)
{
	struct cw_atr_rx rx;
	uint8_t raw;
	int more = 1;

	memset(&r->io, 0, sizeof r->io);
	cw_sim_card_power(r->card, false);
	cw_sim_card_power(r->card, true);
	cw_sim_card_line(r->card, CLK_HZ, 372);
	cw_sim_card_reset(r->card, false);
	r->t0_cfg.wt_etu = 9600;
	cw_atr_rx_init(&rx);
	while (more == 1) {
		if (cw_sim_card_listen(r->card, &raw, 1, 9600, &r->io) == 0)
			return r->io.parity ? CW_EPARITY :
			    rx.len == 0 ? CW_EMUTE : CW_ETIMEOUT;
		more = cw_atr_rx_push(&rx, raw);
	}
	if (more < 0 || (more = cw_atr_parse(&r->atr, rx.buf, rx.len)) < 0)
		return more;
	r->blocks = r->atr.first_t == 1;
	if (r->blocks)
		t1_open(r, 372);
	return 0;
}

int
rig_pps(struct rig *r, uint8_t ta1)
{
	uint8_t buf[CW_PPS_MAX], di;
	uint16_t fi;
	uint32_t fmax;
	size_t n;
	uint8_t t = r->blocks ? 1 : 0;
	int len = cw_pps_build(buf, t, ta1), rc;

	turn_over(r, buf, (size_t)len);
	n = cw_sim_card_chars(r->card, buf, (size_t)len, &r->io);
	assert_int_equal(n, len);
	n = cw_sim_card_listen(r->card, buf, sizeof buf, 9600, &r->io);
	if (n == 0)
		return CW_ETIMEOUT;
	turn_over(r, buf, n);
	rc = cw_pps_judge(t, ta1, buf, n);
	if (rc != 1)
		return rc;
	assert_int_equal(cw_pps_fidi(ta1, &fi, &fmax, &di), 0);
	cw_sim_card_line(r->card, CLK_HZ, fi / di);
	r->t0_cfg.wt_etu = 9600u * di;
	if (r->blocks)
		t1_open(r, fi / di);
	return 1;
}

int
rig_send(struct rig *r, const uint8_t *apdu, size_t len)
{
	struct cw_tpdu_out out;
	struct cw_tpdu_ev ev;
	uint8_t buf[300];
	size_t n;
	int err;

	err = r->blocks ?
	    cw_t1_start(&r->t1, apdu, len, r->rsp, sizeof r->rsp, &out) :
	    cw_t0_start(&r->t0, &r->t0_cfg, apdu, len, r->rsp, sizeof r->rsp,
	    &out);
	assert_int_equal(err, 0);
	while (out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV) {
		memset(&ev, 0, sizeof ev);
		if (out.want == CW_TPDU_SEND) {
			assert_true(out.tx_len <= sizeof buf);
			memcpy(buf, out.tx, out.tx_len);
			turn_over(r, buf, out.tx_len);
			n = cw_sim_card_chars(r->card, buf, out.tx_len, &r->io);
			ev.kind = n == out.tx_len ? CW_TPDU_EV_SENT :
			    CW_TPDU_EV_NACK;
			ev.idx = n;
		} else {
			uint32_t bad = r->io.bad_cnt;

			n = cw_sim_card_listen(r->card, buf,
			    out.rx_max < sizeof buf ? out.rx_max : sizeof buf,
			    out.wait_etu, &r->io);
			turn_over(r, buf, n);
			ev.kind = n > 0 ? CW_TPDU_EV_RX : r->io.parity ?
			    CW_TPDU_EV_PARITY : CW_TPDU_EV_TIMEOUT;
			ev.buf = buf;
			ev.len = n;
			ev.bad_cnt = r->io.bad_cnt - bad;
		}
		if (r->blocks)
			cw_t1_step(&r->t1, &ev, &out);
		else
			cw_t0_step(&r->t0, &ev, &out);
	}
	r->rsp_len = out.want == CW_TPDU_DONE ? (int)out.rsp_len : out.err;
	if (r->rsp_len < 0)
		return r->rsp_len;
	return r->rsp[r->rsp_len - 2] << 8 | r->rsp[r->rsp_len - 1];
}

static size_t
bytes_of(const char *hex, uint8_t *out, size_t cap)
{
	char text[600];
	size_t len = 0;
	int n;

	for (; *hex != '\0'; hex++)
		if (*hex != ' ')
			text[len++] = *hex;
	n = cw_unhex(out, cap, text, len);
	assert_true(n >= 0);
	return (size_t)n;
}

int
rig_apdu(struct rig *r, const char *hex)
{
	uint8_t apdu[300];

	return rig_send(r, apdu, bytes_of(hex, apdu, sizeof apdu));
}

void
rig_expect(const struct rig *r, const char *hex)
{
	uint8_t want[300];
	size_t len = bytes_of(hex, want, sizeof want);

	assert_int_equal(r->rsp_len, len + 2);
	assert_memory_equal(r->rsp, want, len);
}

int
rig_boot(struct rig *r, uint8_t ins, const uint8_t *data, size_t len)
{
	uint8_t apdu[5 + 255] = { CW_BOOT_CLA, ins, 0, 0, (uint8_t)len };

	memcpy(apdu + 5, data, len);
	return rig_send(r, apdu, 5 + len);
}

static int
boot_range(struct rig *r, uint8_t ins, uint32_t addr, uint32_t len)
{
	uint8_t data[8];
	struct cw_wr w = cw_wr_init(data, sizeof data);

	cw_wr_u32(&w, addr);
	cw_wr_u32(&w, len);
	return rig_boot(r, ins, data, sizeof data);
}

int
rig_erase(struct rig *r, uint32_t addr, uint32_t len)
{
	return boot_range(r, CW_BOOT_ERASE, addr, len);
}

int
rig_activate(struct rig *r, uint32_t addr, uint32_t len)
{
	return boot_range(r, CW_BOOT_ACTIVATE, addr, len);
}

int
rig_write(struct rig *r, uint32_t addr, const uint8_t *data, size_t len)
{
	uint8_t body[255];
	struct cw_wr w = cw_wr_init(body, sizeof body);

	cw_wr_u32(&w, addr);
	cw_wr_bytes(&w, data, len);
	cw_wr_u16(&w, cw_crc16(0xFFFF, body, w.len));
	return rig_boot(r, CW_BOOT_WRITE, body, w.len);
}

int
rig_verify(struct rig *r, uint32_t addr, const uint8_t *image, uint32_t len)
{
	uint8_t body[40];
	struct cw_wr w = cw_wr_init(body, sizeof body);

	cw_wr_u32(&w, addr);
	cw_wr_u32(&w, len);
	cw_sha256(body + 8, image, len);
	return rig_boot(r, CW_BOOT_VERIFY, body, sizeof body);
}

void
rig_burn(struct rig *r)
{
	uint8_t image[64];

	memset(image, 0x5A, sizeof image);
	assert_int_equal(rig_reset(r), 0);
	assert_int_equal(rig_erase(r, 0, sizeof image), 0x9000);
	assert_int_equal(rig_write(r, 0, image, sizeof image), 0x9000);
	assert_int_equal(rig_verify(r, 0, image, sizeof image), 0x9000);
	assert_int_equal(rig_activate(r, 0, sizeof image), 0x9000);
	assert_int_equal(rig_reset(r), 0);
}

void
rig_open_cos(struct rig *r, const char *fault)
{
	rig_open(r, fault);
	rig_burn(r);
}
