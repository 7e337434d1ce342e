/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "sim/card.h"

static const struct { const char *name; enum cw_sim_fault_kind kind; } names[] = {
#define X(sym, text) { text, CW_FAULT_##sym },
	CW_SIM_FAULT_MAP(X)
#undef X
};

/* A number that ends the text or stops at `stop`: 0 or CW_EFORMAT. */
static int
number(const char **text, int base, char stop, unsigned long max,
    unsigned long *out)
{
	char *end;

	if (!isxdigit((unsigned char)**text))
		return CW_EFORMAT;
	*out = strtoul(*text, &end, base);
	if ((*end != '\0' && *end != stop) || *out > max)
		return CW_EFORMAT;
	*text = end;
	return 0;
}

int
cw_sim_fault_parse(struct cw_sim_fault *f, const char *text)
{
	size_t len = strcspn(text, ":="), i;
	unsigned long v;

	memset(f, 0, sizeof *f);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i].name) == len &&
		    memcmp(names[i].name, text, len) == 0)
			break;
	if (i == sizeof names / sizeof names[0])
		return CW_EFORMAT;
	f->kind = names[i].kind;
	if (f->kind == CW_FAULT_SW)
		f->arg = 0x6581;
	text += len;

	if (*text == ':') {
		text++;
		if (strncmp(text, "cos+", 4) == 0 &&
		    (f->kind == CW_FAULT_HANG || f->kind == CW_FAULT_PULLED)) {
			text += 4;
			f->arg = CW_SIM_FAULT_FROM_COS;
		}
		if (number(&text, 10, '=', UINT32_MAX, &v) < 0)
			return CW_EFORMAT;
		f->n = (uint32_t)v;
	}
	if (*text == '=') {
		/* A status word, a count, a byte: only these have one. */
		if (f->kind != CW_FAULT_SW && f->kind != CW_FAULT_NO_BOOT &&
		    f->kind != CW_FAULT_CHAR_WRONG &&
		    f->kind != CW_FAULT_PROCEDURE)
			return CW_EFORMAT;
		text++;
		if (number(&text, 16, '\0', 0xFFFF, &v) < 0)
			return CW_EFORMAT;
		f->arg = (uint16_t)v;
	}
	return 0;
}

const char *
cw_sim_fault_name(enum cw_sim_fault_kind kind)
{
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].kind == kind)
			return names[i].name;
	return "?";
}
