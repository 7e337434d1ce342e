/* SPDX-License-Identifier: Apache-2.0 */
/* Journal payloads of the line; bytes in docs/spec/journal.md. */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "terminal/ln_record.h"

#define INTENT_PERSONAL 0x01

int
cw_ln_put_state(uint8_t *out, size_t cap, const struct cw_ln_state_rec *m)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u32(&w, m->start_cnt);
	cw_wr_u64(&w, m->next_seq);
	cw_wr_u64(&w, m->attempt);
	cw_wr_u64(&w, m->acked_seq);
	return cw_wr_done(&w);
}

int
cw_ln_get_state(struct cw_ln_state_rec *m, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	m->start_cnt = cw_rd_u32(&r);
	m->next_seq = cw_rd_u64(&r);
	m->attempt = cw_rd_u64(&r);
	m->acked_seq = cw_rd_u64(&r);
	return cw_rd_done(&r);
}

int
cw_ln_put_intent(uint8_t *out, size_t cap, const struct cw_ln_card *c)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u16(&w, c->end.station);
	cw_wr_u8(&w, c->personal ? INTENT_PERSONAL : 0);
	cw_wr_u64(&w, c->end.order);
	cw_wr_u64(&w, c->end.record);
	cw_wr_u32(&w, c->end.epoch);
	cw_wr_u64(&w, c->end.attempt);
	cw_wr_u32(&w, c->end.reader);
	cw_wr_u64(&w, c->boot_id);
	cw_wr_u32(&w, c->base_no);
	cw_wr_u32(&w, c->fed);
	cw_wr_u32(&w, c->good);
	cw_wr_u32(&w, c->reject);
	return cw_wr_done(&w);
}

int
cw_ln_get_intent(struct cw_ln_card *c, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	memset(c, 0, sizeof *c);
	c->used = true;
	c->from_journal = true;
	c->end.station = cw_rd_u16(&r);
	c->personal = (cw_rd_u8(&r) & INTENT_PERSONAL) != 0;
	c->end.order = cw_rd_u64(&r);
	c->end.record = cw_rd_u64(&r);
	c->end.epoch = cw_rd_u32(&r);
	c->end.attempt = cw_rd_u64(&r);
	c->end.reader = cw_rd_u32(&r);
	c->boot_id = cw_rd_u64(&r);
	c->base_no = cw_rd_u32(&r);
	c->fed = cw_rd_u32(&r);
	c->good = cw_rd_u32(&r);
	c->reject = cw_rd_u32(&r);
	return cw_rd_done(&r);
}

int
cw_ln_put_result(uint8_t *out, size_t cap, const struct cw_ln_end *e)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u16(&w, e->station);
	cw_wr_u64(&w, e->order);
	cw_wr_u64(&w, e->record);
	cw_wr_u32(&w, e->epoch);
	cw_wr_u64(&w, e->attempt);
	cw_wr_u32(&w, e->reader);
	cw_wr_u8(&w, e->verdict);
	cw_wr_u16(&w, e->outcome);
	cw_wr_u16(&w, e->sw);
	cw_wr_u16(&w, e->step);
	cw_wr_u32(&w, e->card_no);
	cw_wr_u32(&w, e->ms);
	cw_wr_u64(&w, e->time_ms);
	cw_wr_u8(&w, e->serial_len);
	cw_wr_bytes(&w, e->serial, e->serial_len);
	cw_wr_u8(&w, e->atr_len);
	cw_wr_bytes(&w, e->atr, e->atr_len);
	cw_wr_u16(&w, e->trace_len);
	cw_wr_bytes(&w, (const uint8_t *)e->trace, e->trace_len);
	return cw_wr_done(&w);
}

/* A field with a u8 length before it into dst[cap]; its length. */
static uint8_t
get_short(struct cw_rd *r, uint8_t *dst, size_t cap)
{
	uint8_t n = cw_rd_u8(r);

	if (n > cap) {
		r->bad = true;
		return 0;
	}
	cw_rd_copy(r, dst, n);
	return n;
}

int
cw_ln_get_result(struct cw_ln_end *e, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	memset(e, 0, sizeof *e);
	e->station = cw_rd_u16(&r);
	e->order = cw_rd_u64(&r);
	e->record = cw_rd_u64(&r);
	e->epoch = cw_rd_u32(&r);
	e->attempt = cw_rd_u64(&r);
	e->reader = cw_rd_u32(&r);
	e->verdict = cw_rd_u8(&r);
	e->outcome = cw_rd_u16(&r);
	e->sw = cw_rd_u16(&r);
	e->step = cw_rd_u16(&r);
	e->card_no = cw_rd_u32(&r);
	e->ms = cw_rd_u32(&r);
	e->time_ms = cw_rd_u64(&r);
	e->serial_len = get_short(&r, e->serial, sizeof e->serial);
	e->atr_len = get_short(&r, e->atr, sizeof e->atr);
	e->trace_len = cw_rd_u16(&r);

	/* Borrowed; whoever keeps the end copies it. */
	e->trace = (char *)(uintptr_t)cw_rd_bytes(&r, e->trace_len);
	if (e->verdict < CW_CARD_GOOD || e->verdict > CW_CARD_NONE ||
	    e->trace_len > CW_LINE_TRACE_MAX)
		return CW_EFORMAT;
	return cw_rd_done(&r);
}

int
cw_ln_put_kept(uint8_t *out, size_t cap, uint64_t seq, const struct cw_ln_end *e)
{
	int n = cw_ln_put_u64(out, cap, seq);
	int k = n < 0 ? n : cw_ln_put_result(out + n, cap - (size_t)n, e);

	return k < 0 ? k : n + k;
}

int
cw_ln_get_kept(uint64_t *seq, struct cw_ln_end *e, const uint8_t *buf, size_t len)
{
	int err = len < 8 ? CW_ESHORT : cw_ln_get_u64(seq, buf, 8);

	return err < 0 ? err : cw_ln_get_result(e, buf + 8, len - 8);
}

int
cw_ln_put_binned(uint8_t *out, size_t cap, const struct cw_ln_binned *m)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u16(&w, m->station);
	cw_wr_u64(&w, m->attempt);
	cw_wr_u64(&w, m->seq);
	cw_wr_u8(&w, m->bin);
	cw_wr_u8(&w, m->verdict);
	cw_wr_u16(&w, m->outcome);
	cw_wr_u32(&w, m->card_no);
	return cw_wr_done(&w);
}

int
cw_ln_get_binned(struct cw_ln_binned *m, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	m->station = cw_rd_u16(&r);
	m->attempt = cw_rd_u64(&r);
	m->seq = cw_rd_u64(&r);
	m->bin = cw_rd_u8(&r);
	m->verdict = cw_rd_u8(&r);
	m->outcome = cw_rd_u16(&r);
	m->card_no = cw_rd_u32(&r);
	return cw_rd_done(&r);
}

int
cw_ln_put_epochs(uint8_t *out, size_t cap, const struct cw_ln_epochs *m)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u64(&w, m->order);
	cw_wr_u64(&w, m->first);
	cw_wr_u32(&w, m->cnt);
	cw_wr_u32(&w, m->epoch);
	cw_wr_u8(&w, m->fate);
	return cw_wr_done(&w);
}

int
cw_ln_get_epochs(struct cw_ln_epochs *m, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	m->order = cw_rd_u64(&r);
	m->first = cw_rd_u64(&r);
	m->cnt = cw_rd_u32(&r);
	m->epoch = cw_rd_u32(&r);
	m->fate = cw_rd_u8(&r);
	return cw_rd_done(&r);
}

int
cw_ln_put_known(uint8_t *out, size_t cap, const struct cw_ln_known *m)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u16(&w, m->station);
	cw_wr_u32(&w, m->card_no);
	cw_wr_u64(&w, m->order);
	return cw_wr_done(&w);
}

int
cw_ln_get_known(struct cw_ln_known *m, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	m->station = cw_rd_u16(&r);
	m->card_no = cw_rd_u32(&r);
	m->order = cw_rd_u64(&r);
	return cw_rd_done(&r);
}

int
cw_ln_put_fence(uint8_t *out, size_t cap, const struct cw_pl_revoke *m)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u64(&w, m->order);
	cw_wr_u64(&w, m->record);
	cw_wr_u32(&w, m->epoch);
	return cw_wr_done(&w);
}

int
cw_ln_get_fence(struct cw_pl_revoke *m, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	m->order = cw_rd_u64(&r);
	m->record = cw_rd_u64(&r);
	m->epoch = cw_rd_u32(&r);
	return cw_rd_done(&r);
}

int
cw_ln_put_u64(uint8_t *out, size_t cap, uint64_t v)
{
	struct cw_wr w = cw_wr_init(out, cap);

	cw_wr_u64(&w, v);
	return cw_wr_done(&w);
}

int
cw_ln_get_u64(uint64_t *v, const uint8_t *buf, size_t len)
{
	struct cw_rd r = cw_rd_init(buf, len);

	*v = cw_rd_u64(&r);
	return cw_rd_done(&r);
}
