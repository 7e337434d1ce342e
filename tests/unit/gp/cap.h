/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TESTS_GP_CAP_H
#define CW_TESTS_GP_CAP_H

#include <string.h>

#include "cw/gpload.h"

/* A CAP file made by hand: package D27600008501, applet D2760000850101. */
struct cap_image {
	uint8_t bytes[CW_GP_CAP_CNT][40000];
};

static inline void
cap_make(struct cap_image *img, size_t method_len)
{
	static const uint8_t tag[CW_GP_CAP_CNT] = { 1, 2, 4, 3, 6, 7, 8, 10, 5, 9, 11 };
	static const uint8_t header[] = { 1, 0, 17, 0xDE, 0xCA, 0xFF, 0xED, 1, 2, 4, 0, 1,
	    6, 0xD2, 0x76, 0, 0, 0x85, 0x01, 0 };
	static const uint8_t applet[] = { 3, 0, 11, 1, 7, 0xD2, 0x76, 0, 0, 0x85, 0x01,
	    0x01, 0, 9 };
	size_t i, k;

	for (i = 0; i < CW_GP_CAP_CNT; i++) {
		size_t len = i == CW_GP_CAP_METHOD ? method_len : 10 + i;

		img->bytes[i][0] = tag[i];
		img->bytes[i][1] = (uint8_t)(len >> 8);
		img->bytes[i][2] = (uint8_t)len;
		for (k = 0; k < len; k++)
			img->bytes[i][3 + k] = (uint8_t)(k * 7 + i);
	}
	memcpy(img->bytes[CW_GP_CAP_HEADER], header, sizeof header);
	memcpy(img->bytes[CW_GP_CAP_APPLET], applet, sizeof applet);
}

static inline void
cap_fill(struct cw_gp_cap *c, const struct cap_image *img)
{
	size_t i;

	cw_gp_cap_init(c);
	for (i = 0; i < CW_GP_CAP_CNT; i++)
		if (i != CW_GP_CAP_EXPORT)
			c->part[i] = (struct cw_key_part){ img->bytes[i], 3u +
			    (size_t)(img->bytes[i][1] << 8 | img->bytes[i][2]) };
}

#endif
