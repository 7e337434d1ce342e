/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/milenage.h"
#include "host/aes.h"
#include "sim/uicc_priv.h"

struct cw_uicc *
cw_uicc_new(const struct cw_uicc_desc *d)
{
	struct cw_uicc *u = calloc(1, sizeof *u + d->len);
	int i;

	if (u == NULL)
		return NULL;
	u->d = d;
	memcpy(u->pin, d->pin, sizeof u->pin);
	memcpy(u->content, d->content, d->len);
	u->sqn_ms = d->sqn;
	for (i = 0; i < UICC_IND; i++)
		u->seq[i] = d->sqn / UICC_IND;
	u->ef = u->app = -1;
	return u;
}

void
cw_uicc_free(struct cw_uicc *u)
{
	if (u == NULL)
		return;
	cw_wipe(u, sizeof *u + u->d->len);
	free(u);
}

size_t
cw_uicc_atr(const struct cw_uicc *u, const uint8_t **atr)
{
	*atr = u->d->atr;
	return u->d->atr_len;
}

int
cw_uicc_child(const struct cw_uicc_desc *d, int df, uint16_t fid)
{
	int i;

	for (i = 1; i < d->file_cnt; i++)
		if (d->file[i].parent == df && d->file[i].fid == fid)
			return i;
	return -1;
}

int
cw_uicc_path(const struct cw_uicc_desc *d, const char *path, unsigned long *rec)
{
	char *end;
	unsigned long fid;
	int i = -1;

	for (;; path = end + 1) {
		fid = strtoul(path, &end, 16);
		if (end - path != 4 || fid > 0xFFFF)
			return -1;
		if (i < 0)
			i = fid == 0x3F00 ? 0 : -1;
		else
			i = cw_uicc_child(d, i, (uint16_t)fid);
		if (i < 0)
			return -1;
		if (*end != '/')
			break;
	}
	*rec = 0;
	if (*end == '#' && end[1] >= '1' && end[1] <= '9')
		*rec = strtoul(end + 1, &end, 10);
	return *end == '\0' ? i : -1;
}

int
cw_uicc_read(const struct cw_uicc *u, const char *path, uint8_t *out, size_t cap)
{
	unsigned long rec;
	int i = cw_uicc_path(u->d, path, &rec);
	const struct uicc_file *f;
	size_t off, len;

	if (i < 0 || u->d->file[i].kind == UICC_DF)
		return CW_ENOENT;
	f = &u->d->file[i];
	off = f->off;
	len = f->size;
	if (f->rec_len > 0) {
		if (rec == 0 || rec > f->size / f->rec_len)
			return CW_ENOENT;
		off += (rec - 1) * f->rec_len;
		len = f->rec_len;
	} else if (rec != 0) {
		return CW_ENOENT;
	}
	if (len > cap)
		return CW_EFULL;
	memcpy(out, u->content + off, len);
	return (int)len;
}

bool
cw_uicc_allows(const struct cw_uicc *u, uint8_t access)
{
	const struct uicc_pin *p;
	int idx;

	switch (access) {
	case UICC_ALWAYS:
		return true;
	case UICC_PIN1:
	case UICC_PIN2:
	case UICC_ADM:
		idx = access == UICC_PIN1 ? UICC_IDX_PIN1 :
		    access == UICC_PIN2 ? UICC_IDX_PIN2 : UICC_IDX_ADM;
		p = &u->pin[idx];
		return p->there && (u->ok[idx] || !p->enabled);
	default:
		return false;
	}
}

/* A value in place: its try counter begins anew. */
static void
set_pin(struct uicc_pin *p, const uint8_t *value)
{
	memcpy(p->value, value, UICC_PIN_LEN);
	p->left = p->max;
}

void
cw_uicc_role_written(struct cw_uicc *u, const struct uicc_file *f)
{
	const uint8_t *at = u->content + f->off;
	unsigned int i;

	if (f->role == UICC_KEY_ADM)
		set_pin(&u->pin[UICC_IDX_ADM], at);
	if (f->role != UICC_PINS)
		return;
	for (i = 0; i < 2; i++) {
		struct uicc_pin *p = &u->pin[i];

		if (!p->there)
			continue;
		if (at[(2 * i) * f->rec_len] != 0xFF)
			set_pin(p, at + (2 * i) * f->rec_len);
		if (at[(2 * i + 1) * f->rec_len] != 0xFF) {
			memcpy(p->puk, at + (2 * i + 1) * f->rec_len, UICC_PIN_LEN);
			p->puk_left = 10;
		}
	}
}

static bool
written(const uint8_t *buf, size_t len)
{
	uint8_t all = 0xFF;

	while (len > 0)
		all &= buf[--len];
	return all != 0xFF;
}

/* Those of the current application go before those of the card. */
bool
cw_uicc_keys(const struct cw_uicc *u, uint8_t ki[16], uint8_t opc[16])
{
	bool has_ki = false, has_opc = false, op = false;
	int pass, i;

	for (pass = 0; pass < 2; pass++) {
		for (i = 1; i < u->d->file_cnt; i++) {
			const struct uicc_file *f = &u->d->file[i];
			const uint8_t *at = u->content + f->off;

			if ((pass == 0) != (f->parent == u->app))
				continue;
			if (f->role == UICC_KI && !has_ki && written(at, 16)) {
				memcpy(ki, at, 16);
				has_ki = true;
			} else if (f->role == UICC_OPC && !has_opc &&
			    written(at, 16)) {
				memcpy(opc, at, 16);
				has_opc = true;
			} else if (f->role == UICC_OPC_FLAG && !has_opc &&
			    at[0] <= 1) {
				op = at[0] == 0;
				memcpy(opc, at + 1, 16);
				has_opc = true;
			} else if (f->role == UICC_AUTH && !has_ki &&
			    (at[0] & 0x0F) == 4) {
				op = (at[0] & 0x10) == 0;
				memcpy(ki, at + 1, 16);
				memcpy(opc, at + 17, 16);
				has_ki = has_opc = true;
			}
		}
	}
	if (has_ki && op)
		cw_milenage_opc(cw_host_aes(), ki, opc, opc);
	return has_ki && has_opc;
}
