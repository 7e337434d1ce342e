/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_private.h"

static void
put(struct cw_reader_text *t, char c)
{
	if (t->len + 1 < t->cap) {
		t->buf[t->len++] = c;
		t->buf[t->len] = '\0';
	}
}

struct cw_reader_text
cw_reader_text_init(char *buf, size_t cap)
{
	struct cw_reader_text t = { buf, cap, 0 };

	if (cap > 0)
		buf[0] = '\0';
	return t;
}

void
cw_reader_text_str(struct cw_reader_text *t, const char *s)
{
	for (; *s != '\0'; s++)
		put(t, *s);
}

void
cw_reader_text_dec(struct cw_reader_text *t, uint64_t v)
{
	char digit[20];		/* 2^64 has 20 */
	int n = 0;

	do {
		digit[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	while (n > 0)
		put(t, digit[--n]);
}

void
cw_reader_text_hex(struct cw_reader_text *t, const uint8_t *buf, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		put(t, hex[buf[i] >> 4]);
		put(t, hex[buf[i] & 15]);
	}
}
