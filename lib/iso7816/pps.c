/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/err.h"
#include "cw/pps.h"

/* ISO/IEC 7816-3:2006, 9.2: PPS0 says which of PPS1..PPS3 follow */
#define PPSS 0xff
#define PPS0_PPS1 0x10
#define PPS0_PPS2 0x20
#define PPS0_PPS3 0x40
#define PPS0_RFU 0x80

/* Table 7: Fi and the highest clock; 0: reserved. */
static const struct {
	uint16_t fi;
	uint32_t fmax_hz;
} table_fi[16] = {
	{ 372, 4000000 }, { 372, 5000000 }, { 558, 6000000 },
	{ 744, 8000000 }, { 1116, 12000000 }, { 1488, 16000000 },
	{ 1860, 20000000 }, { 0, 0 }, { 0, 0 },
	{ 512, 5000000 }, { 768, 7500000 }, { 1024, 10000000 },
	{ 1536, 15000000 }, { 2048, 20000000 }, { 0, 0 }, { 0, 0 },
};

/* Table 8: Di; 0: reserved. */
static const uint8_t table_di[16] = {
	0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0,
};

int
cw_pps_fidi(uint8_t ta1, uint16_t *fi, uint32_t *fmax_hz, uint8_t *di)
{
	*fi = table_fi[ta1 >> 4].fi;
	*fmax_hz = table_fi[ta1 >> 4].fmax_hz;
	*di = table_di[ta1 & 15];
	return *fi == 0 || *di == 0 ? CW_ERANGE : 0;
}

int
cw_pps_build(uint8_t out[CW_PPS_MAX], uint8_t t, uint8_t ta1)
{
	if (t > 1)
		return CW_EINVAL;
	out[0] = PPSS;
	out[1] = (uint8_t)(PPS0_PPS1 | t);
	out[2] = ta1;
	out[3] = out[0] ^ out[1] ^ out[2];
	return 4;
}

int
cw_pps_len(uint8_t ppss, uint8_t pps0)
{
	int len = 3;

	/* Not a PPS: nothing tells how much follows, so expect the least. */
	if (ppss != PPSS)
		return len;
	len += (pps0 & PPS0_PPS1) != 0;
	len += (pps0 & PPS0_PPS2) != 0;
	len += (pps0 & PPS0_PPS3) != 0;
	return len;
}

int
cw_pps_judge(uint8_t t, uint8_t ta1, const uint8_t *rsp, size_t len)
{
	uint8_t sum = 0;
	size_t i;

	if (len < 3 || rsp[0] != PPSS ||
	    len != (size_t)cw_pps_len(rsp[0], rsp[1]))
		return CW_EPROTO;
	for (i = 0; i < len; i++)
		sum ^= rsp[i];
	if (sum != 0)
		return CW_ECRC;

	/* 9.3: the protocol is echoed; what was not asked must not appear. */
	if ((rsp[1] & 0x0f) != t ||
	    (rsp[1] & (PPS0_PPS2 | PPS0_PPS3 | PPS0_RFU)) != 0)
		return CW_EPROTO;
	if ((rsp[1] & PPS0_PPS1) == 0)
		return 0;
	return rsp[2] == ta1 ? 1 : CW_EPROTO;
}
