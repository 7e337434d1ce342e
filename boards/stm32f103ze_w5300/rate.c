/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include "cw/err.h"

#define PSC_MAX 31u
#define BRR_MIN 16u
#define BRR_MAX 65535u
#define ERROR_MAX_PPM 10000

int32_t
cw_rate_error_ppm(const struct cw_rate *r, uint16_t f, uint8_t d)
{
	int64_t want = (int64_t)2 * r->psc * f, have = (int64_t)r->brr * d;

	return (int32_t)((have - want) * 1000000 / want);
}

static int
rate_at(uint32_t pclk_hz, uint32_t psc, uint16_t f, uint8_t d,
    struct cw_rate *r)
{
	uint32_t brr = (2 * psc * f + d / 2u) / d;
	int32_t ppm;

	if (brr < BRR_MIN || brr > BRR_MAX)
		return CW_ERANGE;
	r->psc = (uint8_t)psc;
	r->brr = (uint16_t)brr;
	r->clk_hz = pclk_hz / (2 * psc);
	ppm = cw_rate_error_ppm(r, f, d);
	return ppm > ERROR_MAX_PPM || ppm < -ERROR_MAX_PPM ? CW_ERANGE : 0;
}

int
cw_rate_best(uint32_t pclk_hz, uint32_t max_hz, uint16_t f, uint8_t d,
    struct cw_rate *r)
{
	uint32_t psc = (pclk_hz + 2 * max_hz - 1) / (2 * max_hz);

	for (; psc <= PSC_MAX; psc++)
		if (psc > 0 && rate_at(pclk_hz, psc, f, d, r) == 0)
			return 0;
	return CW_ERANGE;
}

int
cw_rate_of(uint32_t pclk_hz, uint32_t clk_hz, uint16_t f, uint8_t d,
    struct cw_rate *r)
{
	uint32_t psc;

	if (clk_hz == 0 || clk_hz > pclk_hz || f == 0 || d == 0)
		return CW_ERANGE;
	/* clk_hz may be one of ours, rounded down */
	psc = pclk_hz / (2 * clk_hz);
	if (psc == 0 || pclk_hz / (2 * psc) > clk_hz)
		psc++;
	if (psc > PSC_MAX || rate_at(pclk_hz, psc, f, d, r) < 0)
		return CW_ERANGE;
	return (uint64_t)r->clk_hz * 100 < (uint64_t)clk_hz * 99 ? CW_ERANGE : 0;
}
