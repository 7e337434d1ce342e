/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "platform/store/store.h"

static const char *const order_word[] = {
#define X(name, value, word) [value] = (word),
	CW_ORDER_STATE_MAP(X)
#undef X
};

static const char *const record_word[] = {
#define X(name, value, word) [value] = (word),
	CW_RECORD_STATE_MAP(X)
#undef X
};

const char *
cw_order_state_word(unsigned int state)
{
	return state < CW_ORD_CNT ? order_word[state] : "?";
}

const char *
cw_record_state_word(unsigned int state)
{
	return state < CW_REC_CNT ? record_word[state] : "?";
}

int
cw_order_state_find(const char *word)
{
	int i;

	for (i = 0; i < CW_ORD_CNT; i++)
		if (strcmp(order_word[i], word) == 0)
			return i;
	return CW_ENOENT;
}

void
cw_store_close(struct cw_store *s)
{
	if (s != NULL)
		s->ops->close(s->h);
}
