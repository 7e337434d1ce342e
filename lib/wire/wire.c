/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/frame.h"

#include "wire.h"

struct cw_wr
cw_wire_begin(uint8_t *out, size_t cap)
{
	struct cw_wr w = cw_wr_init(out, 0);

	if (cap < CW_FRAME_HDR)
		w.bad = true;
	else
		w = cw_wr_init(out + CW_FRAME_HDR, cap - CW_FRAME_HDR);
	return w;
}

int
cw_wire_end(const struct cw_wr *w, uint8_t *out, const struct cw_wire_head *h)
{
	int len = cw_wr_done(w);

	if (len < 0 || (uint32_t)len > h->body_max)
		return CW_EFULL;
	return (int)cw_frame_seal(out, h->version, h->type, h->id,
	    (uint32_t)len);
}

int
cw_wire_judge(const struct cw_rd *r, bool ok)
{
	int err = cw_rd_done(r);

	if (err < 0)
		return err;
	return ok ? 0 : CW_EFORMAT;
}

bool
cw_wire_text_ok(const char *text, size_t cap)
{
	size_t i;

	for (i = 0; i < cap; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c == '\0')
			return i <= 255;
		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return false;
}

bool
cw_wire_ends(const char *text, size_t cap)
{
	size_t i;

	for (i = 0; i < cap && i <= 255; i++)
		if (text[i] == '\0')
			return true;
	return false;
}

/* Blanks the control characters in the last len bytes written. */
static void
blank_controls(struct cw_wr *w, size_t len, bool keep_lf)
{
	uint8_t *p;
	size_t i;

	if (w->bad)
		return;
	p = w->buf + w->len - len;
	for (i = 0; i < len; i++)
		if ((p[i] < 0x20 && !(keep_lf && p[i] == '\n')) ||
		    p[i] == 0x7f)
			p[i] = ' ';
}

void
cw_wire_put_text(struct cw_wr *w, const char *text)
{
	cw_wr_str8(w, text);
	blank_controls(w, strlen(text), false);
}

void
cw_wire_put_lines(struct cw_wr *w, const char *text, size_t len)
{
	cw_wr_bytes(w, (const uint8_t *)text, len);
	blank_controls(w, len, true);
}
