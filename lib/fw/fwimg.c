/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/fwimg.h"

#define FORMAT 1

static const uint8_t magic[4] = { 'C', 'W', 'F', 'W' };

/* Text filled up with zeros, without control characters. */
static bool
text_take(char *out, const uint8_t *in, size_t len)
{
	bool ended = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (in[i] == 0)
			ended = true;
		else if (ended || in[i] < ' ' || in[i] > '~')
			return false;
		out[i] = (char)in[i];
	}
	out[len] = '\0';
	return true;
}

int
cw_fwimg_parse(struct cw_fwimg *h, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);
	const uint8_t *m, *board, *version;
	uint16_t format, hdr_len;

	memset(h, 0, sizeof *h);
	if (len < CW_FWIMG_HDR)
		return CW_ESHORT;
	m = cw_rd_bytes(&r, sizeof magic);
	format = cw_rd_u16(&r);
	hdr_len = cw_rd_u16(&r);
	if (memcmp(m, magic, sizeof magic) != 0)
		return CW_EFORMAT;
	if (format != FORMAT || hdr_len != CW_FWIMG_HDR)
		return CW_EVERSION;
	board = cw_rd_bytes(&r, CW_FWIMG_BOARD);
	version = cw_rd_bytes(&r, CW_FWIMG_VERSION);
	h->flags = cw_rd_u16(&r);
	h->counter = cw_rd_u16(&r);
	h->addr = cw_rd_u32(&r);
	h->body_len = cw_rd_u32(&r);
	cw_rd_copy(&r, h->key_id, sizeof h->key_id);
	cw_rd_copy(&r, h->body_digest, sizeof h->body_digest);
	if (!text_take(h->board, board, CW_FWIMG_BOARD) ||
	    !text_take(h->version, version, CW_FWIMG_VERSION))
		return CW_EFORMAT;
	if (h->counter > CW_FWIMG_COUNTER_MAX || h->body_len < 8 ||
	    h->body_len % 4 != 0 || h->body_len > UINT32_MAX / 2)
		return CW_ERANGE;
	return 0;
}

bool
cw_fwimg_is_for(const struct cw_fwimg *h, const char *board)
{
	size_t len = strlen(board);

	return len == strlen(h->board) && memcmp(board, h->board, len) == 0;
}

int
cw_fwimg_verify(const uint8_t *buf, const struct cw_fwimg_check *check)
{
	uint8_t digest[CW_SHA256_LEN];

	cw_sha256(digest, buf, CW_FWIMG_SIGNED);
	return check->verify(check->key, digest, buf + CW_FWIMG_SIGNED) ?
	    0 : CW_EDENIED;
}

int
cw_fwimg_verify_body(const struct cw_fwimg *h, const uint8_t *body, size_t len)
{
	uint8_t digest[CW_SHA256_LEN];

	if (len < h->body_len)
		return CW_ESHORT;
	cw_sha256(digest, body, h->body_len);
	return memcmp(digest, h->body_digest, sizeof digest) == 0 ?
	    0 : CW_EDIGEST;
}

static void
text_put(struct cw_wr *w, const char *s, size_t cap)
{
	size_t n = strlen(s);

	cw_wr_bytes(w, (const uint8_t *)s, n);
	for (; n < cap; n++)
		cw_wr_u8(w, 0);
}

int
cw_fwimg_build(uint8_t *out, uint8_t digest[CW_SHA256_LEN],
    const struct cw_fwimg *h)
{
	struct cw_wr w = cw_wr_init(out, CW_FWIMG_HDR);
	struct cw_fwimg back;

	if (strlen(h->board) > CW_FWIMG_BOARD ||
	    strlen(h->version) > CW_FWIMG_VERSION)
		return CW_EINVAL;
	memset(out, 0, CW_FWIMG_HDR);
	cw_wr_bytes(&w, magic, sizeof magic);
	cw_wr_u16(&w, FORMAT);
	cw_wr_u16(&w, CW_FWIMG_HDR);
	text_put(&w, h->board, CW_FWIMG_BOARD);
	text_put(&w, h->version, CW_FWIMG_VERSION);
	cw_wr_u16(&w, h->flags);
	cw_wr_u16(&w, h->counter);
	cw_wr_u32(&w, h->addr);
	cw_wr_u32(&w, h->body_len);
	cw_wr_bytes(&w, h->key_id, sizeof h->key_id);
	cw_wr_bytes(&w, h->body_digest, sizeof h->body_digest);
	if (cw_fwimg_parse(&back, out, CW_FWIMG_HDR) < 0)
		return CW_EINVAL;
	cw_sha256(digest, out, CW_FWIMG_SIGNED);
	return 0;
}
