/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "cw/outcome.h"
#include "terminal/ln.h"

/*
 * Trace text of one card, a line per step:
 *	3 apdu 00D60000 len 16 -> 9000 1234us
 * Of a command no more than its header is shown, and of a step marked SECRET
 * or PERSONAL its data cannot be: data is never printed, whatever the mark,
 * but where the step is neither, the first bytes help to find a fault.
 */
#define SHOW_BYTES 16

static void
put(struct cw_ln_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct cw_ln_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->len >= t->cap)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	t->len = n < 0 || (size_t)n >= t->cap - t->len ? t->cap :
	    t->len + (size_t)n;
}

/* Upper case, as card people write APDUs. */
static void
put_hex(struct cw_ln_text *t, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put(t, "%02X", buf[i]);
}

static void
put_apdu(struct cw_ln_text *t, const struct cw_prog_step *st)
{
	const uint8_t *a = st->u.apdu.buf;
	size_t len = st->u.apdu.len, head = len < 4 ? len : 4;
	size_t data = len > 5 ? len - 5 : 0;

	put(t, "apdu ");
	put_hex(t, a, head);
	if (len <= 4)
		return;
	if ((st->flags & (CW_STEP_SECRET | CW_STEP_PERSONAL)) != 0) {
		put(t, " len %zu (not shown)", data);
		return;
	}
	if (data > SHOW_BYTES)
		data = SHOW_BYTES;
	put(t, " ");
	put_hex(t, a + 4, 1);
	put(t, " ");
	put_hex(t, a + 5, data);
	if (len > 5 + data)
		put(t, "..");
}

static void
put_step(struct cw_ln_text *t, const struct cw_prog_step *st,
    const struct cw_rl_step *done)
{
	static const char *const name[] = { "?", "reset", "pps", "apdu", "load",
	    "capture", "compare", "ask", "delay", "power-off" };

	put(t, "%u ", st->idx);
	if (st->op == CW_OP_APDU)
		put_apdu(t, st);
	else
		put(t, "%s", name[st->op <= CW_OP_POWER_OFF ? st->op : 0]);
	if (done->blocks > 0)
		put(t, " %u blocks", (unsigned int)done->blocks);
	put(t, " ->");
	if (done->sw != 0)
		put(t, " %04X", done->sw);
	if (done->rsp_len > 0)
		put(t, " +%u", done->rsp_len);
	put(t, " %uus\n", (unsigned int)done->us);
}

void
cw_ln_trace(struct cw_ln_text *t, const char *title, const struct cw_ln_prog *p,
    const struct cw_rl_result *res)
{
	struct cw_prog_iter it;
	struct cw_prog_step st;
	unsigned int i = 0;

	put(t, "# %s: %s", title, cw_outcome_word(res->outcome));
	if (res->sw != 0)
		put(t, " %04X", res->sw);
	put(t, " step %u %uus\n", res->step, (unsigned int)res->us);

	/* Both lists rise by step number; steps not run are left out. */
	cw_prog_begin(&it, p->buf, p->len);
	while (i < res->step_cnt && t->len < t->cap && cw_prog_next(&it, &st)) {
		while (i < res->step_cnt && res->steps[i].idx < st.idx)
			i++;
		if (i < res->step_cnt && res->steps[i].idx == st.idx)
			put_step(t, &st, &res->steps[i++]);
	}
}
