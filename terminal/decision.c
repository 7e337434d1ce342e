/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal/decision.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/cosimg.h"
#include "cw/err.h"

static int
refuse(struct cw_decision *d, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
refuse(struct cw_decision *d, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why, sizeof d->why, fmt, ap);
	va_end(ap);
	d->kind = CW_PKG_UNKNOWN;
	return err;
}

/* The identifier names a kind; does the payload have that form? */
static int
check_payload(struct cw_decision *d, const struct cw_pkg *p)
{
	struct cw_rd r = cw_rd_init(p->payload, p->payload_len);
	int n;

	d->payload = p->payload;
	d->payload_len = p->payload_len;
	if (p->kind == CW_PKG_COS) {
		d->addr = cw_rd_u32(&r);
		if (cw_rd_left(&r) == 0 || r.bad)
			return refuse(d, CW_ESHORT,
			    "the identifier says COS but there is no image");
		d->payload += 4;
		d->payload_len -= 4;
		return 0;
	}
	n = cw_record_check(p->payload, p->payload_len);
	if (n < 0)
		return refuse(d, CW_EINVAL, "the identifier says personal data "
		    "but the payload is not a record: %s", cw_err_text(n));
	return 0;
}

int
cw_decide(struct cw_decision *d, const uint8_t *pkg, size_t len)
{
	const char *why = "";
	struct cw_pkg p;
	int err;

	memset(d, 0, sizeof *d);
	err = cw_pkg_parse(&p, pkg, len);
	if (err == 0) {
		d->kind = p.kind;
		d->order = p.order;
		d->record = p.record;
		d->epoch = p.epoch;
		snprintf(d->why, sizeof d->why, "by its identifier");
		return check_payload(d, &p);
	}

	/* A damaged identifier is no reason to look at the content instead. */
	if (err != CW_EFORMAT && !(err == CW_ESHORT && len < CW_PKG_HDR))
		return refuse(d, err, "the package's identifier: %s",
		    cw_err_text(err));
	d->kind = cw_pkg_guess(pkg, len, &why);
	d->by_format = true;
	if (d->kind == CW_PKG_UNKNOWN)
		return refuse(d, CW_EFORMAT, "undecidable: no identifier, and "
		    "by its format neither COS nor personal data: %s", why);
	d->payload = pkg;
	d->payload_len = len;
	snprintf(d->why, sizeof d->why, "by its format: %s", why);
	return 0;
}

int
cw_decision_image(struct cw_decision *d, uint8_t *out, size_t cap,
    uint32_t *addr)
{
	struct cw_cosimg c;
	uint8_t *used;
	int err;

	*addr = d->addr;
	if (d->kind != CW_PKG_COS) {
		snprintf(d->why, sizeof d->why, "not a COS package");
		return CW_EINVAL;
	}
	if (!d->by_format) {
		if (d->payload_len > cap) {
			snprintf(d->why, sizeof d->why, "the image has %zu "
			    "bytes, a reader's store takes %zu",
			    d->payload_len, cap);
			return CW_ETOOBIG;
		}
		memcpy(out, d->payload, d->payload_len);
		return (int)d->payload_len;
	}
	used = calloc(1, (cap + 7) / 8);
	if (used == NULL)
		return CW_ENOMEM;
	cw_cosimg_init(&c, CW_COS_AUTO, out, cap, used);
	err = cw_cosimg_feed(&c, d->payload, d->payload_len);
	if (err == 0)
		err = cw_cosimg_end(&c);
	free(used);
	if (err < 0) {
		snprintf(d->why, sizeof d->why, "the COS image: line %u: %s",
		    c.line, cw_err_text(err));
		return err;
	}
	*addr = c.base;
	return (int)c.len;
}

/* One column of a CSV line at *p; moves behind it and its separator. */
static size_t
column(const uint8_t **p, const uint8_t *end, uint8_t sep, const uint8_t **at)
{
	const uint8_t *s = *p, *e;
	bool quoted = s < end && *s == '"';

	if (quoted)
		s++;
	for (e = s; e < end && (quoted ? *e != '"' : *e != sep); e++)
		;
	*at = s;
	*p = e;
	while (*p < end && **p != sep)
		(*p)++;
	if (*p < end)
		(*p)++;
	return (size_t)(e - s);
}

/* End of the line at p, without its CR. */
static const uint8_t *
line_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));

	if (nl == NULL)
		nl = end;
	return nl > p && nl[-1] == '\r' ? nl - 1 : nl;
}

/* Header and data line, column by column. */
static int
csv_record(struct cw_decision *d, uint8_t *out, size_t cap)
{
	const uint8_t *end = d->payload + d->payload_len;
	const uint8_t *h = d->payload, *h_end, *v, *v_end, *name, *val;
	char text[CW_PKG_NAME_MAX + 1];
	size_t len = 0, n, k;
	uint8_t sep;
	int err = 0;

	if (end - h >= 3 && memcmp(h, "\xEF\xBB\xBF", 3) == 0)
		h += 3;
	h_end = line_end(h, end);
	v = memchr(h_end, '\n', (size_t)(end - h_end));
	v = v != NULL ? v + 1 : end;
	v_end = line_end(v, end);
	sep = memchr(h, ';', (size_t)(h_end - h)) != NULL ? ';' :
	    memchr(h, '\t', (size_t)(h_end - h)) != NULL ? '\t' : ',';
	while (err == 0 && h < h_end) {
		n = column(&h, h_end, sep, &name);
		k = column(&v, v_end, sep, &val);
		if (n > CW_PKG_NAME_MAX)
			return CW_ETOOBIG;
		for (size_t i = 0; i < n; i++)
			text[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ?
			    name[i] + 32 : name[i]);
		text[n] = '\0';
		err = cw_record_add(out, cap, &len, text, val, k);
	}
	return err < 0 ? err : (int)len;
}

int
cw_decision_record(struct cw_decision *d, uint8_t *out, size_t cap)
{
	int n;

	if (d->kind != CW_PKG_PERSONAL) {
		snprintf(d->why, sizeof d->why, "not a personal package");
		return CW_EINVAL;
	}
	if (cw_record_check(d->payload, d->payload_len) >= 0) {
		if (d->payload_len > cap)
			return CW_EFULL;
		memcpy(out, d->payload, d->payload_len);
		return (int)d->payload_len;
	}
	n = csv_record(d, out, cap);
	if (n < 0)
		snprintf(d->why, sizeof d->why, "the record's CSV: %s",
		    cw_err_text(n));
	return n;
}
