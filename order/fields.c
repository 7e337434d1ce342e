/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "order/order.h"

static const char *const kind_word[] = {
#define X(name, word) (word),
	CW_FIELD_KIND_MAP(X)
#undef X
};

static const char *const fault_word[] = {
#define X(name, word) (word),
	CW_ORDER_FAULT_MAP(X)
#undef X
};

int
cw_field_kind_find(const char *word)
{
	int i;

	for (i = 0; i < CW_FIELD_KIND_CNT; i++)
		if (strcmp(kind_word[i], word) == 0)
			return i;
	return CW_ENOENT;
}

const char *
cw_field_kind_word(enum cw_field_kind kind)
{
	return (unsigned int)kind < CW_FIELD_KIND_CNT ? kind_word[kind] : "?";
}

const char *
cw_order_fault_word(enum cw_order_fault_code code)
{
	return (unsigned int)code < CW_OF_CNT ? fault_word[code] : "?";
}

/* name, kind, required, unique, min_len, max_len */
static const struct cw_field_spec defaults[] = {
	{ "iccid", CW_FIELD_ICCID, true, true, 0, 0 },
	{ "imsi", CW_FIELD_IMSI, false, true, 0, 0 },
	{ "ki", CW_FIELD_HEX, false, false, 32, 32 },
	{ "opc", CW_FIELD_HEX, false, false, 32, 32 },
	{ "pin1", CW_FIELD_PIN, false, false, 0, 0 },
	{ "puk1", CW_FIELD_PIN, false, false, 8, 8 },
	{ "pin2", CW_FIELD_PIN, false, false, 0, 0 },
	{ "puk2", CW_FIELD_PIN, false, false, 8, 8 },
	{ "adm1", CW_FIELD_ADM, false, false, 0, 0 },
	{ "msisdn", CW_FIELD_DIGITS, false, false, 3, 15 },
	{ "acc", CW_FIELD_HEX, false, false, 4, 4 },
	{ "mcc", CW_FIELD_DIGITS, false, false, 3, 3 },
	{ "mnc", CW_FIELD_DIGITS, false, false, 2, 3 },
	{ "smsp", CW_FIELD_HEX, false, false, 0, 0 },
	{ "kic1", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kid1", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kik1", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kic2", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kid2", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kik2", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kic3", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kid3", CW_FIELD_HEX, false, false, 32, 64 },
	{ "kik3", CW_FIELD_HEX, false, false, 32, 64 },
	{ "card_type_id", CW_FIELD_TEXT, false, false, 0, 0 },
	{ "formfactor_id", CW_FIELD_TEXT, false, false, 0, 0 },
};

const struct cw_field_spec *
cw_order_default_fields(unsigned int *cnt)
{
	*cnt = sizeof defaults / sizeof defaults[0];
	return defaults;
}
