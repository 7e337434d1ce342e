/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/gpload.h"
#include "cw/tlv.h"

static const struct {
	const char *name;
	uint8_t tag;
	bool must;
} component[CW_GP_CAP_CNT] = {
#define X(sym, text, number, needed) \
	[CW_GP_CAP_##sym] = { (text), (number), (needed) },
	CW_GP_CAP_MAP(X)
#undef X
};

void
cw_gp_cap_init(struct cw_gp_cap *c)
{
	memset(c, 0, sizeof *c);
}

/* "Method.cap: what"; returns err. */
static int
fault(struct cw_gp_cap *c, int i, const char *what, int err)
{
	struct cw_wr w = cw_wr_init((uint8_t *)c->fault, sizeof c->fault - 1);

	if (i >= 0) {
		cw_wr_bytes(&w, (const uint8_t *)component[i].name,
		    strlen(component[i].name));
		cw_wr_bytes(&w, (const uint8_t *)".cap: ", 6);
	}
	cw_wr_bytes(&w, (const uint8_t *)what, strlen(what));
	c->fault[w.len] = '\0';
	return err;
}

int
cw_gp_cap_add(struct cw_gp_cap *c, const char *path, const uint8_t *buf, size_t len)
{
	size_t end = strlen(path), start = end, n;
	int i;

	while (start > 0 && path[start - 1] != '/')
		start--;
	for (i = 0; i < CW_GP_CAP_CNT; i++) {
		n = strlen(component[i].name);
		if (end - start != n + 4 ||
		    memcmp(path + start, component[i].name, n) != 0 ||
		    memcmp(path + start + n, ".cap", 4) != 0)
			continue;
		if (c->part[i].buf != NULL)
			return fault(c, i, "is there twice: one package a file", CW_EEXIST);
		c->part[i] = (struct cw_key_part){ buf, len };
		return 1;
	}
	return 0;
}

int
cw_gp_cap_split(struct cw_gp_cap *c, const uint8_t *buf, size_t len)
{
	size_t off = 0, size;
	int i;

	while (off < len) {
		for (i = 0; i < CW_GP_CAP_CNT && component[i].tag != buf[off]; i++)
			;
		if (i == CW_GP_CAP_CNT)
			return fault(c, -1, "no component begins where one should: "
			    "not an IJC, or a false length before", CW_EFORMAT);
		if (len - off < 3)
			return fault(c, i, "the file ends in its length", CW_ESHORT);
		size = 3u + (size_t)(buf[off + 1] << 8 | buf[off + 2]);
		if (size > len - off)
			return fault(c, i, "is longer than the rest of the file",
			    CW_ESHORT);
		if (c->part[i].buf != NULL)
			return fault(c, i, "is there twice", CW_EEXIST);
		c->part[i] = (struct cw_key_part){ buf + off, size };

		/* What stands in an IJC is meant to be loaded. */
		if (i == CW_GP_CAP_DESCRIPTOR)
			c->with_descriptor = true;
		off += size;
	}
	return 0;
}

/* Tag, length and presence of one component. */
static int
check_one(struct cw_gp_cap *c, int i)
{
	const struct cw_key_part *p = &c->part[i];

	if (p->buf == NULL)
		return component[i].must ? fault(c, i, "is missing: build the CAP "
		    "again, or it is no CAP of one package", CW_ENOENT) : 0;
	if (p->len < 3)
		return fault(c, i, "ends before its length", CW_ESHORT);
	if (p->buf[0] != component[i].tag)
		return fault(c, i, "begins with another component's tag", CW_EFORMAT);
	if (p->len - 3 != (size_t)(p->buf[1] << 8 | p->buf[2]))
		return fault(c, i, "its length is false: cut off, or damaged",
		    CW_EFORMAT);
	return 0;
}

/* 6.4: DECAFFED, version, flags, then the package. */
static int
check_header(struct cw_gp_cap *c, struct cw_gp_cap_info *info)
{
	const struct cw_key_part *p = &c->part[CW_GP_CAP_HEADER];
	struct cw_rd r = cw_rd_init(p->buf + 3, p->len - 3);
	const uint8_t *aid;
	uint8_t len;

	if (cw_rd_u32(&r) != 0xDECAFFED)
		return fault(c, CW_GP_CAP_HEADER, "the magic DECAFFED is not there",
		    CW_EFORMAT);
	cw_rd_bytes(&r, 3);
	info->minor = cw_rd_u8(&r);
	info->major = cw_rd_u8(&r);
	len = cw_rd_u8(&r);
	aid = cw_rd_bytes(&r, len);
	if (aid == NULL || cw_gp_aid_set(&info->package, aid, len) < 0)
		return fault(c, CW_GP_CAP_HEADER, "no package AID of 5 to 16 bytes",
		    CW_EFORMAT);
	return 0;
}

/* 6.6: count, then AID and offset of install() of each. */
static int
check_applets(struct cw_gp_cap *c, struct cw_gp_cap_info *info)
{
	const struct cw_key_part *p = &c->part[CW_GP_CAP_APPLET];
	struct cw_gp_aid one;
	struct cw_rd r;
	const uint8_t *aid;
	uint8_t i, cnt, len;

	if (p->buf == NULL)
		return 0;
	r = cw_rd_init(p->buf + 3, p->len - 3);
	cnt = cw_rd_u8(&r);
	for (i = 0; i < cnt; i++) {
		len = cw_rd_u8(&r);
		aid = cw_rd_bytes(&r, len);
		cw_rd_u16(&r);
		if (r.bad || cw_gp_aid_set(&one, aid, len) < 0)
			return fault(c, CW_GP_CAP_APPLET, "no applet AID of 5 to 16 "
			    "bytes where one should be", CW_EFORMAT);
		if (info->applet_cnt < CW_GP_APPLET_MAX)
			info->applet[info->applet_cnt++] = one;
	}
	return 0;
}

/* Goes to the card. */
static bool
loaded(const struct cw_gp_cap *c, int i)
{
	return c->part[i].buf != NULL &&
	    (i != CW_GP_CAP_DESCRIPTOR || c->with_descriptor);
}

int
cw_gp_cap_check(struct cw_gp_cap *c, struct cw_gp_cap_info *info)
{
	int i, err;

	memset(info, 0, sizeof *info);
	for (i = 0; i < CW_GP_CAP_CNT; i++)
		if ((err = check_one(c, i)) < 0)
			return err;
	if ((err = check_header(c, info)) < 0 || (err = check_applets(c, info)) < 0)
		return err;
	for (i = 0; i < CW_GP_CAP_CNT; i++)
		if (loaded(c, i))
			info->code_len += (uint32_t)c->part[i].len;
	return 0;
}

void
cw_gp_loader_init(struct cw_gp_loader *l, const struct cw_gp_cap *c,
    const struct cw_key_part *dap)
{
	struct cw_wr w = cw_wr_init(l->head, sizeof l->head);
	uint32_t len = 0;
	int i;

	memset(l, 0, sizeof *l);
	for (i = 0; i < CW_GP_CAP_CNT; i++)
		if (loaded(c, i))
			len += (uint32_t)c->part[i].len;
	cw_tlv_head(&w, 0xC4, len);
	if (dap != NULL && dap->len > 0)
		l->piece[l->piece_cnt++] = *dap;
	l->piece[l->piece_cnt++] = (struct cw_key_part){ l->head, w.len };
	for (i = 0; i < CW_GP_CAP_CNT; i++)
		if (loaded(c, i))
			l->piece[l->piece_cnt++] = c->part[i];
	l->left = len + (uint32_t)w.len + (dap != NULL ? (uint32_t)dap->len : 0);
}

uint32_t
cw_gp_loader_blocks(const struct cw_gp_loader *l, size_t room)
{
	return room == 0 ? 0 : (uint32_t)((l->left + room - 1) / room);
}

size_t
cw_gp_loader_next(struct cw_gp_loader *l, size_t room, uint8_t *out)
{
	const struct cw_key_part *p;
	size_t n, got = 0;

	while (got < room && l->idx < l->piece_cnt) {
		p = &l->piece[l->idx];
		n = p->len - l->off;
		if (n > room - got)
			n = room - got;
		memcpy(out + got, p->buf + l->off, n);
		got += n;
		l->off += n;
		if (l->off == p->len) {
			l->off = 0;
			l->idx++;
		}
	}
	l->left -= (uint32_t)got;
	return got;
}
