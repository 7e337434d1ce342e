/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "order/priv.h"

#define ONES 0x0101010101010101u
#define HIGH 0x8080808080808080u

/* High bit of each byte of w that is zero (exact for the lowest such byte). */
static uint64_t
zero_bytes(uint64_t w)
{
	return (w - ONES) & ~w & HIGH;
}

static unsigned int
seen_byte(uint8_t c)
{
	if (c >= 0x80)
		return SEEN_HIGH;
	if (c == 0)
		return SEEN_NUL;
	if (c == '"')
		return SEEN_QUOTE;
	return (c < 0x20 && c != '\t') || c == 0x7f ? SEEN_CONTROL : 0;
}

unsigned int
cw_order_seen(const char *text, size_t len)
{
	unsigned int seen = 0, k;
	uint64_t w;
	size_t i = 0;

	/* Eight at a time while nothing stands out: nearly always. */
	for (; i + 8 <= len; i += 8) {
		memcpy(&w, text + i, 8);
		if (((w | (w - ONES * 0x20) | zero_bytes(w ^ ONES * 0x22) |
		    zero_bytes(w ^ ONES * 0x7f)) & HIGH) == 0)
			continue;
		for (k = 0; k < 8; k++)
			seen |= seen_byte((uint8_t)text[i + k]);
	}
	for (; i < len; i++)
		seen |= seen_byte((uint8_t)text[i]);
	return seen;
}

/* Length of the well-formed sequence at p (RFC 3629), 0 if there is none. */
static size_t
utf8_len(const uint8_t *p, size_t left)
{
	static const struct {
		uint8_t first_min, first_max, second_min, second_max, len;
	} row[] = {
		{ 0x00, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, k;

	for (i = 0; i < sizeof row / sizeof row[0]; i++) {
		if (p[0] < row[i].first_min || p[0] > row[i].first_max)
			continue;
		if (row[i].len > left)
			return 0;
		if (row[i].len > 1 && (p[1] < row[i].second_min ||
		    p[1] > row[i].second_max))
			return 0;
		for (k = 2; k < row[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return row[i].len;
	}
	return 0;
}

bool
cw_order_utf8(const char *text, size_t len)
{
	size_t i = 0, n;

	while (i < len) {
		n = utf8_len((const uint8_t *)text + i, len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static void
put_value(struct cw_order_reader *r, unsigned int idx, const char *text, size_t len)
{
	if (idx <= CW_ORDER_COLUMNS_MAX)
		r->value[idx] = (struct value){ text, len };
}

/* No quotes anywhere: values lie in the line itself. */
static void
split_plain(struct cw_order_reader *r, const char *text, size_t len,
    char delimiter, unsigned int *cnt)
{
	const char *end = text + len, *p;
	unsigned int n = 0;

	for (;;) {
		p = memchr(text, delimiter, (size_t)(end - text));
		if (p == NULL)
			break;
		put_value(r, n++, text, (size_t)(p - text));
		text = p + 1;
	}
	put_value(r, n++, text, (size_t)(end - text));
	*cnt = n;
}

enum split
cw_order_split(struct cw_order_reader *r, const char *text, size_t len,
    char delimiter, unsigned int *cnt)
{
	const char *end = text + len;
	char *out = r->unquoted, *start;
	unsigned int n = 0;

	*cnt = 0;
	if (memchr(text, '"', len) == NULL) {
		split_plain(r, text, len, delimiter, cnt);
		return SPLIT_OK;
	}

	/* RFC 4180: a value is quoted as a whole or not at all. */
	for (;;) {
		start = out;
		if (text < end && *text == '"') {
			for (text++; ; text++) {
				if (text == end)
					return SPLIT_OPEN;
				if (*text == '"') {
					if (text + 1 == end || text[1] != '"')
						break;
					text++;
				}
				*out++ = *text;
			}
			text++;
			if (text < end && *text != delimiter)
				return SPLIT_STRAY;
		} else {
			for (; text < end && *text != delimiter; text++) {
				if (*text == '"')
					return SPLIT_STRAY;
				*out++ = *text;
			}
		}
		put_value(r, n++, start, (size_t)(out - start));
		if (text == end)
			break;
		text++;
	}
	*cnt = n;
	return SPLIT_OK;
}
