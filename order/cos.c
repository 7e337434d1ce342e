/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/cosimg.h"
#include "cw/err.h"
#include "cw/package.h"
#include "order/order.h"

struct cw_order_cos {
	struct cw_cosimg img;
	bool ended;
	int err;
	const char *why;
	uint32_t why_line;
	uint8_t buf[CW_COS_MAX];
	uint8_t used[(CW_COS_MAX + 7) / 8];
};

struct cw_order_cos *
cw_order_cos_new(void)
{
	struct cw_order_cos *c = calloc(1, sizeof *c);

	if (c != NULL)
		cw_cosimg_init(&c->img, CW_COS_AUTO, c->buf, sizeof c->buf, c->used);
	return c;
}

void
cw_order_cos_free(struct cw_order_cos *c)
{
	free(c);
}

static const char *
remedy(int err)
{
	switch (err) {
	case CW_ECRC:
		return "the record's check sum does not match: the file is damaged, "
		    "export it again";
	case CW_EOVERLAP:
		return "the record writes to an address that was given before: "
		    "merge the images without overlap";
	case CW_ETOOBIG:
		return "the image spans more than the reader's store of 1 MiB: "
		    "split it or remove far addresses";
	case CW_ESHORT:
		return "the image is empty or its end record is missing: the file "
		    "is cut off";
	case CW_EFORMAT:
		return "not a record of Intel HEX or S-record: export it again, or "
		    "give a raw image";
	default:
		return cw_err_text(err);
	}
}

static int
keep_err(struct cw_order_cos *c, int err)
{
	if (err < 0 && c->err == 0) {
		c->err = err;
		c->why = remedy(err);
		c->why_line = c->img.line;
	}
	return c->err;
}

int
cw_order_cos_feed(struct cw_order_cos *c, const uint8_t *buf, size_t len)
{
	if (c->err < 0 || len == 0)
		return c->err;
	return keep_err(c, cw_cosimg_feed(&c->img, buf, len));
}

/* Text is no chip's code: a list of records, or HEX that lost its first line. */
static bool
is_text(const struct cw_order_cos *c)
{
	uint8_t b;

	if (c->img.format != CW_COS_RAW)
		return false;
	for (size_t i = 0; i < c->img.len; i++) {
		b = c->buf[i];
		if ((b < ' ' || b > '~') && b != '\n' && b != '\r' && b != '\t')
			return false;
	}
	return true;
}

int
cw_order_cos_end(struct cw_order_cos *c)
{
	if (c->err < 0)
		return c->err;
	c->ended = true;
	if (keep_err(c, cw_cosimg_end(&c->img)) == 0 && is_text(c)) {
		keep_err(c, CW_EFORMAT);
		c->why = "this is text, but neither Intel HEX nor S-records: give the "
		    "COS image, or export it again; records belong to --data";
		c->why_line = 1;
	}
	return c->err;
}

const char *
cw_order_cos_why(const struct cw_order_cos *c)
{
	return c->why != NULL ? c->why : "";
}

uint32_t
cw_order_cos_line(const struct cw_order_cos *c)
{
	return c->why_line;
}

const uint8_t *
cw_order_cos_image(const struct cw_order_cos *c, uint32_t *len)
{
	*len = (uint32_t)c->img.len;
	return c->buf;
}

uint32_t
cw_order_cos_base(const struct cw_order_cos *c)
{
	return c->img.base;
}

void
cw_order_cos_set_base(struct cw_order_cos *c, uint32_t base)
{
	c->img.base = base;
}

const char *
cw_order_cos_format(const struct cw_order_cos *c)
{
	switch (c->img.format) {
	case CW_COS_HEX:
		return "hex";
	case CW_COS_SREC:
		return "s-record";
	case CW_COS_AUTO:
	case CW_COS_RAW:
	default:
		return "raw";
	}
}

int
cw_order_cos_package(const struct cw_order_cos *c, uint64_t order, uint8_t *buf,
    size_t cap)
{
	struct cw_pkg pkg = { .kind = CW_PKG_COS, .order = order,
	    .payload_len = (uint32_t)c->img.len + 4 };
	struct cw_wr w;

	if (cap < CW_PKG_HDR + 4 + c->img.len)
		return CW_EFULL;
	w = cw_wr_init(buf + CW_PKG_HDR, 4);
	cw_wr_u32(&w, c->img.base);
	memcpy(buf + CW_PKG_HDR + 4, c->buf, c->img.len);
	return (int)cw_pkg_seal(buf, &pkg);
}
