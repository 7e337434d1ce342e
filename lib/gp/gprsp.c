/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/gp.h"
#include "cw/tlv.h"

int
cw_gp_fci_parse(const uint8_t *buf, size_t len, struct cw_gp_aid *aid,
    uint16_t *data_max)
{
	struct cw_tlv fci, t, p;
	int err;

	memset(aid, 0, sizeof *aid);
	*data_max = 255;
	if ((err = cw_tlv_find(buf, len, 0x6F, &fci)) < 0 ||
	    (err = cw_tlv_find(fci.val, fci.len, 0x84, &t)) < 0)
		return err;
	if (cw_gp_aid_set(aid, t.val, t.len) < 0)
		return CW_EFORMAT;
	err = cw_tlv_find(fci.val, fci.len, 0xA5, &p);
	if (err == 0)
		err = cw_tlv_find(p.val, p.len, 0x9F65, &t);
	if (err == CW_ENOENT)
		return 0;
	if (err < 0)
		return err;
	if (t.len < 1 || t.len > 2)
		return CW_EFORMAT;
	*data_max = t.val[0];
	if (t.len == 2)
		*data_max = (uint16_t)(t.val[0] << 8 | t.val[1]);
	return 0;
}

/* One field of E3; CW_EFORMAT when it cannot be. */
static int
entry_field(struct cw_gp_entry *e, const struct cw_tlv *t)
{
	struct cw_gp_aid *aid = NULL;

	switch (t->tag) {
	case 0x4F:
		aid = &e->aid;
		break;
	case 0xCC:
		aid = &e->domain;
		break;
	case 0xC4:
		aid = &e->file;
		break;
	case 0x84:
		if (e->module_cnt == sizeof e->module / sizeof e->module[0])
			return 0;
		aid = &e->module[e->module_cnt++];
		break;
	case 0x9F70:
		if (t->len < 1)
			return CW_EFORMAT;
		e->state = t->val[0];
		return 0;
	case 0xC5:
		if (t->len != 1 && t->len != 3)
			return CW_EFORMAT;
		memcpy(e->privilege, t->val, t->len);
		return 0;
	default:
		return 0;
	}
	return cw_gp_aid_set(aid, t->val, t->len) < 0 ? CW_EFORMAT : 0;
}

int
cw_gp_entry_next(struct cw_rd *r, struct cw_gp_entry *e)
{
	struct cw_tlv outer, t;
	struct cw_rd in;
	int got;

	memset(e, 0, sizeof *e);
	got = cw_tlv_next(r, &outer);
	if (got <= 0)
		return got;
	if (outer.tag != 0xE3)
		return CW_EFORMAT;
	in = cw_rd_init(outer.val, outer.len);
	while ((got = cw_tlv_next(&in, &t)) > 0)
		if ((got = entry_field(e, &t)) < 0)
			return got;
	if (got < 0)
		return got;
	return e->aid.len == 0 ? CW_EFORMAT : 1;
}

int
cw_gp_key_info_parse(const uint8_t *buf, size_t len, struct cw_gp_key_info *list,
    size_t cap)
{
	struct cw_tlv all, t;
	struct cw_rd r;
	size_t n = 0;
	int got;

	if ((got = cw_tlv_find(buf, len, 0xE0, &all)) < 0)
		return got;
	r = cw_rd_init(all.val, all.len);
	while ((got = cw_tlv_next(&r, &t)) > 0) {
		if (t.tag != 0xC0)
			continue;
		if (t.len < 4)
			return CW_EFORMAT;
		if (n == cap)
			return CW_EFULL;

		/* FF begins the long form (table 11-30): its length has two bytes. */
		list[n].id = t.val[0];
		list[n].version = t.val[1];
		list[n].type = t.val[2] == 0xFF ? t.val[3] : t.val[2];
		list[n].len = t.val[2] != 0xFF ? t.val[3] : t.len > 5 ? t.val[5] : 0;
		n++;
	}
	return got < 0 ? got : (int)n;
}

int
cw_gp_card_data_parse(const uint8_t *buf, size_t len, uint16_t *list, size_t cap)
{
	/* 1.2.840.114283.4: the secure channel protocols (annex H.1) */
	static const uint8_t oid[] = { 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04 };
	struct cw_tlv_walk w;
	struct cw_tlv t;
	uint8_t depth;
	size_t n = 0;
	int got;

	cw_tlv_walk_init(&w, buf, len);
	while ((got = cw_tlv_walk_next(&w, &t, &depth)) > 0) {
		if (t.tag != 0x06 || t.len != sizeof oid + 2 ||
		    memcmp(t.val, oid, sizeof oid) != 0)
			continue;
		if (n == cap)
			return CW_EFULL;
		list[n++] = (uint16_t)(t.val[7] << 8 | t.val[8]);
	}
	return got < 0 ? got : (int)n;
}
