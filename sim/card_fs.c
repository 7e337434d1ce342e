/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "sim/card_core.h"
#include "sim/uicc.h"

/*
 * The COS of the simulated card: ISO/IEC 7816-4 files and commands, with the
 * identifiers of ETSI TS 102 221 and 3GPP TS 51.011.  docs/spec/simcard.md
 * is its manual; the table below is that page's file list.
 */
enum kind { DF, TRANSPARENT, LINEAR };

struct file {
	uint16_t fid;
	uint8_t parent;		/* index of its DF; the MF is its own */
	uint8_t kind;
	uint8_t rec_len;	/* LINEAR */
	uint8_t size;
	uint16_t off;		/* of the content in cw_sim_card.fs */
	bool secret;		/* READ needs ADM */
};

#define MF 0
#define DF_TELECOM 3
#define DF_GSM 6
#define DF_CW 11
#define EF_ADM 15
#define FILE_CNT 17

static const struct file files[FILE_CNT] = {
	[MF] = { 0x3F00, MF, DF, 0, 0, 0, false },
	{ 0x2FE2, MF, TRANSPARENT, 0, 10, 0, false },	/* EF_ICCID */
	{ 0x2F00, MF, LINEAR, 32, 64, 10, false },	/* EF_DIR */
	[DF_TELECOM] = { 0x7F10, MF, DF, 0, 0, 0, false },
	{ 0x6F40, DF_TELECOM, LINEAR, 28, 28, 74, false },	/* EF_MSISDN */
	{ 0x6F42, DF_TELECOM, LINEAR, 40, 40, 102, false },	/* EF_SMSP */
	[DF_GSM] = { 0x7F20, MF, DF, 0, 0, 0, false },
	{ 0x6F07, DF_GSM, TRANSPARENT, 0, 9, 142, false },	/* EF_IMSI */
	{ 0x6F46, DF_GSM, TRANSPARENT, 0, 17, 151, false },	/* EF_SPN */
	{ 0x6F78, DF_GSM, TRANSPARENT, 0, 2, 168, false },	/* EF_ACC */
	{ 0x6FAD, DF_GSM, TRANSPARENT, 0, 4, 170, false },	/* EF_AD */
	[DF_CW] = { 0x7F99, MF, DF, 0, 0, 0, false },
	{ 0x6F01, DF_CW, TRANSPARENT, 0, 16, 174, true },	/* EF_KI */
	{ 0x6F02, DF_CW, TRANSPARENT, 0, 16, 190, true },	/* EF_OPC */
	{ 0x6F03, DF_CW, LINEAR, 16, 64, 206, true },	/* EF_PINS */
	[EF_ADM] = { 0x6F04, DF_CW, TRANSPARENT, 0, 8, 270, true },
	{ 0x6FFE, DF_CW, TRANSPARENT, 0, 32, 278, true },	/* EF_MARK */
};

enum { INS_VERIFY = 0x20, INS_SELECT = 0xA4, INS_READ_BINARY = 0xB0,
    INS_READ_RECORD = 0xB2, INS_GET_RESPONSE = 0xC0,
    INS_UPDATE_BINARY = 0xD6, INS_UPDATE_RECORD = 0xDC };

#define ADM_REF 0x0A
#define HEX_DIGITS "0123456789ABCDEFabcdef"

static const uint8_t adm_default[CW_CARD_ADM_LEN] = "88888888";

void
cw_card_fs_init(struct cw_sim_card *c)
{
	memset(c->fs, 0xFF, sizeof c->fs);
	c->adm_tries = CW_CARD_ADM_TRIES;
	cw_card_fs_reset(c);
}

void
cw_card_fs_reset(struct cw_sim_card *c)
{
	c->adm_ok = false;
	c->df = MF;
	c->ef = MF;
}

/* A key never written (all FF) is the default one. */
static const uint8_t *
adm_key(const struct cw_sim_card *c)
{
	const uint8_t *key = c->fs + files[EF_ADM].off;
	size_t i;

	for (i = 0; i < CW_CARD_ADM_LEN; i++)
		if (key[i] != 0xFF)
			return key;
	return adm_default;
}

/* Child of df with this identifier, or -1. */
static int
child(uint8_t df, uint16_t fid)
{
	int i;

	for (i = 1; i < FILE_CNT; i++)
		if (files[i].parent == df && files[i].fid == fid)
			return i;
	return -1;
}

/*
 * What SELECT by identifier reaches (TS 102 221, 8.4.2): the MF, a child of the
 * current DF, the current DF itself, its parent, a DF beside it.
 */
static int
reach(const struct cw_sim_card *c, uint16_t fid)
{
	uint8_t up = files[c->df].parent;
	int i;

	if (fid == files[MF].fid)
		return MF;
	if ((i = child(c->df, fid)) >= 0)
		return i;
	if (fid == files[c->df].fid)
		return c->df;
	if (fid == files[up].fid)
		return up;
	i = child(up, fid);
	return i >= 0 && files[i].kind == DF ? i : -1;
}

static int
walk(const uint8_t *path, size_t len)
{
	int i = MF;
	size_t k;

	if (len == 0 || len % 2 != 0)
		return -1;
	for (k = 0; k < len && i >= 0; k += 2)
		i = child((uint8_t)i, (uint16_t)(path[k] << 8 | path[k + 1]));
	return i;
}

/* File control parameters: TS 102 221, 11.1.1.3 */
static void
fcp_put(struct cw_sim_card *c, const struct file *f)
{
	struct cw_wr w = cw_wr_init(c->get, sizeof c->get);

	cw_wr_u16(&w, 0x6200);
	if (f->kind == DF) {
		cw_wr_u32(&w, 0x82027821);
	} else if (f->kind == TRANSPARENT) {
		cw_wr_u32(&w, 0x82024121);
	} else {
		cw_wr_u32(&w, 0x82054221);
		cw_wr_u16(&w, f->rec_len);
		cw_wr_u8(&w, f->size / f->rec_len);
	}
	cw_wr_u16(&w, 0x8302);
	cw_wr_u16(&w, f->fid);
	cw_wr_u16(&w, 0x8A01);
	cw_wr_u8(&w, 0x05);
	if (f->kind != DF) {
		cw_wr_u16(&w, 0x8002);
		cw_wr_u16(&w, f->size);
	}
	c->get_len = (uint8_t)w.len;
	c->get[1] = (uint8_t)(w.len - 2);
}

static uint16_t
do_select(struct cw_sim_card *c)
{
	uint8_t len = c->hdr[4];
	int i;

	if (c->hdr[2] == 0x00) {
		if (len != 2)
			return 0x6700;
		i = reach(c, (uint16_t)(c->data[0] << 8 | c->data[1]));
	} else {
		i = walk(c->data, len);
	}
	if (i < 0)
		return 0x6A82;

	if (files[i].kind == DF) {
		c->df = (uint8_t)i;
		c->ef = MF;
	} else {
		c->df = files[i].parent;
		c->ef = (uint8_t)i;
	}
	if (c->hdr[3] == 0x0C)
		return 0x9000;
	fcp_put(c, &files[i]);
	return 0x6100 | c->get_len;
}

static uint16_t
do_verify(struct cw_sim_card *c)
{
	if (c->adm_tries == 0)
		return 0x6983;

	/* The try is counted before the comparison, as cards must. */
	c->adm_tries--;
	c->work_us += c->cfg.write_us;
	if (!cw_equal_ct(c->data, adm_key(c), CW_CARD_ADM_LEN)) {
		c->adm_ok = false;
		return c->adm_tries == 0 ? 0x6983 :
		    (uint16_t)(0x63C0 | c->adm_tries);
	}
	c->adm_tries = CW_CARD_ADM_TRIES;
	c->adm_ok = true;
	return 0x9000;
}

/* Common to READ and UPDATE: the current EF is of this kind and open. */
static uint16_t
access_check(const struct cw_sim_card *c, enum kind kind, bool update)
{
	const struct file *f = &files[c->ef];

	if (c->ef == MF)
		return 0x6986;
	if (f->kind != kind)
		return 0x6981;
	if ((update || f->secret) && !c->adm_ok)
		return 0x6982;
	return 0;
}

/*
 * Place of the bytes that a READ or UPDATE names, from its header: a status
 * word, or 0 with *off (in the file) and *len (available from there).
 */
static uint16_t
locate(const struct cw_sim_card *c, bool record, uint32_t *off, uint32_t *len)
{
	const struct file *f = &files[c->ef];
	uint8_t p1 = c->hdr[2], p2 = c->hdr[3];

	if (record) {
		if (p2 != 0x04)
			return 0x6A86;
		if (p1 == 0 || p1 > f->size / f->rec_len)
			return 0x6A83;
		*off = (p1 - 1u) * f->rec_len;
		*len = f->rec_len;
		return 0;
	}
	if (p1 & 0x80)
		return 0x6A86;
	*off = (uint32_t)p1 << 8 | p2;
	if (*off >= f->size)
		return 0x6B00;
	*len = f->size - *off;
	return 0;
}

static uint16_t
do_read(struct cw_sim_card *c, bool record)
{
	uint32_t off, avail, want = c->hdr[4] == 0 ? 256 : c->hdr[4];
	uint16_t sw;

	if ((sw = access_check(c, record ? LINEAR : TRANSPARENT, false)) != 0 ||
	    (sw = locate(c, record, &off, &avail)) != 0)
		return sw;
	if (want > avail || (record && want != avail))
		return (uint16_t)(0x6C00 | avail);
	memcpy(c->rsp, c->fs + files[c->ef].off + off, want);
	c->rsp_len = (uint16_t)want;
	return 0x9000;
}

static uint16_t
update_head(struct cw_sim_card *c, bool record)
{
	uint32_t off, avail, lc = c->hdr[4];
	uint16_t sw;

	if ((sw = access_check(c, record ? LINEAR : TRANSPARENT, true)) != 0 ||
	    (sw = locate(c, record, &off, &avail)) != 0)
		return sw;

	/* Half an ADM key would lock the card out. */
	if (lc == 0 || lc > avail || (record && lc != avail) ||
	    (c->ef == EF_ADM && lc != CW_CARD_ADM_LEN))
		return 0x6700;
	return 0;
}

static uint16_t
do_update(struct cw_sim_card *c, bool record)
{
	uint32_t off = 0, avail = 0, bit;
	uint8_t *dst, lc = c->hdr[4];

	(void)locate(c, record, &off, &avail);
	dst = c->fs + files[c->ef].off + off;
	memcpy(dst, c->data, lc);
	c->work_us += c->cfg.write_us;
	if (c->cfg.fault.kind == CW_FAULT_BAD_WRITE &&
	    c->update_cnt == c->cfg.fault.n) {
		bit = (uint32_t)(c->cfg.seed % (lc * 8u));
		dst[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	c->update_cnt++;
	return 0x9000;
}

static uint16_t
get_response(struct cw_sim_card *c)
{
	uint32_t want = c->hdr[4] == 0 ? 256 : c->hdr[4];

	if (c->get_len == 0)
		return 0x6985;
	if (want > c->get_len)
		return (uint16_t)(0x6C00 | c->get_len);
	memcpy(c->rsp, c->get, want);
	c->rsp_len = (uint16_t)want;
	c->get_len = (uint8_t)(c->get_len - want);
	memmove(c->get, c->get + want, c->get_len);
	return c->get_len == 0 ? 0x9000 : (uint16_t)(0x6100 | c->get_len);
}

static uint16_t
verify_head(const struct cw_sim_card *c)
{
	if (c->hdr[2] != 0)
		return 0x6A86;
	if (c->hdr[3] != ADM_REF)
		return 0x6A88;
	if (c->hdr[4] == 0) {
		if (c->adm_tries == 0)
			return 0x6983;
		return c->adm_ok ? 0x9000 : (uint16_t)(0x63C0 | c->adm_tries);
	}
	return c->hdr[4] == CW_CARD_ADM_LEN ? 0 : 0x6700;
}

static uint16_t
select_head(const struct cw_sim_card *c)
{
	uint8_t p1 = c->hdr[2], p2 = c->hdr[3];

	if ((p1 != 0x00 && p1 != 0x08) ||
	    (p2 != 0x00 && p2 != 0x04 && p2 != 0x0C))
		return 0x6A86;
	return c->hdr[4] == 0 ? 0x6700 : 0;
}

uint16_t
cw_card_fs_head(struct cw_sim_card *c)
{
	uint8_t ins = c->hdr[1];

	if (c->hdr[0] == CW_BOOT_CLA)
		return cw_card_boot_head(c);
	if (c->hdr[0] != 0x00 && c->hdr[0] != 0xA0)
		return 0x6E00;

	/* What waits is lost by any other command. */
	if (ins != INS_GET_RESPONSE)
		c->get_len = 0;
	switch (ins) {
	case INS_SELECT:
		return select_head(c);
	case INS_VERIFY:
		return verify_head(c);
	case INS_READ_BINARY:
		return do_read(c, false);
	case INS_READ_RECORD:
		return do_read(c, true);
	case INS_UPDATE_BINARY:
		return update_head(c, false);
	case INS_UPDATE_RECORD:
		return update_head(c, true);
	case INS_GET_RESPONSE:
		return get_response(c);
	default:
		return 0x6D00;
	}
}

uint16_t
cw_card_fs_data(struct cw_sim_card *c)
{
	switch (c->hdr[1]) {
	case INS_SELECT:
		return do_select(c);
	case INS_VERIFY:
		return do_verify(c);
	case INS_UPDATE_BINARY:
		return do_update(c, false);
	default:
		return do_update(c, true);
	}
}

/* "3F00/7F10/6F40#1" into a file and a record number (0: none), or -1. */
static int
path_parse(const char *path, unsigned long *rec)
{
	char *end;
	unsigned long fid;
	int i = -1;

	for (;; path = end + 1) {
		fid = strtoul(path, &end, 16);
		if (end - path != 4 || strspn(path, HEX_DIGITS) != 4)
			return -1;
		if (i < 0 ? fid != files[MF].fid :
		    (i = child((uint8_t)i, (uint16_t)fid)) < 0)
			return -1;
		if (i < 0)
			i = MF;
		if (*end != '/')
			break;
	}
	*rec = 0;
	if (*end == '#' && end[1] >= '1' && end[1] <= '9')
		*rec = strtoul(end + 1, &end, 10);
	return *end == '\0' ? i : -1;
}

int
cw_sim_card_read(const struct cw_sim_card *c, const char *path, uint8_t *out,
    size_t cap)
{
	const struct file *f;
	unsigned long rec;
	size_t off, len;
	int i;

	if (!c->cos)
		return CW_ESTATE;
	if (c->uicc != NULL)
		return cw_uicc_read(c->uicc, path, out, cap);
	i = path_parse(path, &rec);
	if (i < 0 || files[i].kind == DF)
		return CW_ENOENT;
	f = &files[i];
	off = f->off;
	len = f->size;
	if (f->kind == LINEAR) {
		if (rec == 0 || rec > f->size / f->rec_len)
			return CW_ENOENT;
		off += (rec - 1) * f->rec_len;
		len = f->rec_len;
	} else if (rec != 0) {
		return CW_ENOENT;
	}
	if (len > cap)
		return CW_EFULL;
	memcpy(out, c->fs + off, len);
	return (int)len;
}

int
cw_sim_card_save(const struct cw_sim_card *c, FILE *fp)
{
	return c->cos && c->uicc != NULL ? cw_uicc_save(c->uicc, fp) : CW_ESTATE;
}
