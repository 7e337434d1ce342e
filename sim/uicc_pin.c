/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "sim/uicc_priv.h"

/* TS 102 221, 11.1.9 to 11.1.13 */
enum { INS_VERIFY = 0x20, INS_CHANGE = 0x24, INS_DISABLE = 0x26,
    INS_ENABLE = 0x28, INS_UNBLOCK = 0x2C };

#define PUK_TRIES 10

/* Index of the PIN that P2 names, or -1. */
static int
pin_of(const struct cw_sim_card *c)
{
	int i;

	for (i = 0; i < UICC_PIN_CNT; i++)
		if (c->uicc->pin[i].there && c->uicc->pin[i].ref == c->hdr[3])
			return i;
	return -1;
}

static uint16_t
tries_left(uint8_t left)
{
	return left == 0 ? 0x6983 : (uint16_t)(0x63C0 | left);
}

/* What the PIN's state alone says of a command; 0: go on. */
static uint16_t
state_check(const struct uicc_pin *p, uint8_t ins)
{
	if (ins == INS_UNBLOCK)
		return p->puk_left == 0 ? 0x6983 : 0;
	if (p->left == 0)
		return 0x6983;
	if (ins == INS_ENABLE)
		return p->enabled ? 0x6985 : 0;
	return p->enabled ? 0 : 0x6984;
}

uint16_t
cw_uicc_pin_head(struct cw_sim_card *c)
{
	uint8_t ins = c->hdr[1], len = c->hdr[4];
	uint8_t want = ins == INS_CHANGE || ins == INS_UNBLOCK ? 16 : 8;
	int i = pin_of(c);
	const struct uicc_pin *p;

	if (c->hdr[2] != 0)
		return 0x6A86;
	if (i < 0)
		return 0x6A88;
	p = &c->uicc->pin[i];

	/* ADM is verified and nothing else; its file changes it. */
	if (i == UICC_IDX_ADM && ins != INS_VERIFY)
		return 0x6A88;
	if (len == 0 && ins == INS_UNBLOCK)
		return tries_left(p->puk_left);
	if (len == 0 && ins == INS_VERIFY)
		return c->uicc->ok[i] ? 0x9000 : tries_left(p->left);
	if (len != want)
		return 0x6700;
	return state_check(p, ins);
}

/* The counter goes down before the comparison, as cards must. */
static bool
same(struct cw_sim_card *c, uint8_t *left, const uint8_t *value, uint8_t max)
{
	(*left)--;
	c->work_us += c->cfg.write_us;
	if (!cw_equal_ct(c->data, value, UICC_PIN_LEN))
		return false;
	*left = max;
	return true;
}

/* A new PIN is digits and FF, 4 of them at least (9.5.1). */
static bool
sound(const uint8_t *v)
{
	int i = 0;

	while (i < UICC_PIN_LEN && v[i] >= '0' && v[i] <= '9')
		i++;
	if (i < 4)
		return false;
	while (i < UICC_PIN_LEN && v[i] == 0xFF)
		i++;
	return i == UICC_PIN_LEN;
}

uint16_t
cw_uicc_pin_data(struct cw_sim_card *c)
{
	int i = pin_of(c);
	struct uicc_pin *p = &c->uicc->pin[i];
	bool *ok = &c->uicc->ok[i];
	uint8_t ins = c->hdr[1];

	if ((ins == INS_CHANGE || ins == INS_UNBLOCK) &&
	    !sound(c->data + UICC_PIN_LEN))
		return 0x6A80;
	if (ins == INS_UNBLOCK) {
		if (!same(c, &p->puk_left, p->puk, PUK_TRIES))
			return tries_left(p->puk_left);
		memcpy(p->value, c->data + UICC_PIN_LEN, UICC_PIN_LEN);
		p->left = p->max;
		p->enabled = true;
		*ok = true;
		return 0x9000;
	}
	if (!same(c, &p->left, p->value, p->max)) {
		*ok = false;
		return tries_left(p->left);
	}
	if (ins == INS_CHANGE)
		memcpy(p->value, c->data + UICC_PIN_LEN, UICC_PIN_LEN);
	if (ins == INS_ENABLE || ins == INS_DISABLE)
		p->enabled = ins == INS_ENABLE;
	*ok = true;
	return 0x9000;
}
