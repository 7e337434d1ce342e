/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "cw/plink.h"

#include "wire.h"

/*
 * Per message: `_ok`, the ranges that the bytes alone do not enforce, shared by
 * both directions so that what encodes always decodes; a writer; a reader.  The
 * table at the end joins them.  Order and width of the fields:
 * docs/spec/platform-link.md.
 */
#define LINE_STATE_MAX 4

static bool
flag_ok(uint8_t v)
{
	return v <= 1;
}

/* HELLO. */
static bool
hello_ok(const struct cw_pl_msg *m)
{
	const struct cw_pl_hello *h = &m->u.hello;

	return cw_wire_text_ok(h->terminal, sizeof h->terminal) &&
	    h->terminal[0] != '\0' && h->next_seq >= 1 && h->start_cnt >= 1 &&
	    h->acked_seq < h->next_seq && h->first_seq >= 1 &&
	    h->first_seq <= h->next_seq;
}

static void
hello_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_str8(w, m->u.hello.terminal);
	cw_wr_u64(w, m->u.hello.incarnation);
	cw_wr_u32(w, m->u.hello.start_cnt);
	cw_wr_u64(w, m->u.hello.next_seq);
	cw_wr_u16(w, m->u.hello.station_cnt);
	cw_wr_u64(w, m->u.hello.acked_seq);
	cw_wr_u64(w, m->u.hello.first_seq);
}

static void
hello_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	struct cw_pl_hello *h = &m->u.hello;

	cw_rd_str8(r, h->terminal, sizeof h->terminal);
	h->incarnation = cw_rd_u64(r);
	h->start_cnt = cw_rd_u32(r);
	h->next_seq = cw_rd_u64(r);
	h->station_cnt = cw_rd_u16(r);
	h->acked_seq = cw_rd_u64(r);
	h->first_seq = cw_rd_u64(r);
}

/* WELCOME. */
static bool
welcome_ok(const struct cw_pl_msg *m)
{
	return m->u.welcome.flags <= (CW_WELCOME_SETTLE | CW_WELCOME_EVIDENCE);
}

static void
welcome_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.welcome.acked_seq);
	cw_wr_u64(w, m->u.welcome.platform);
	cw_wr_u8(w, m->u.welcome.flags);
}

static void
welcome_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.welcome.acked_seq = cw_rd_u64(r);
	m->u.welcome.platform = cw_rd_u64(r);
	m->u.welcome.flags = cw_rd_u8(r);
}

/* SETTLED. */
static bool
settled_ok(const struct cw_pl_msg *m)
{
	return m->u.settled.next_seq >= 1;
}

static void
settled_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.settled.next_seq);
}

static void
settled_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.settled.next_seq = cw_rd_u64(r);
}

/* DENY. */
static bool
deny_ok(const struct cw_pl_msg *m)
{
	return m->u.deny.err < 0 &&
	    cw_wire_ends(m->u.deny.text, sizeof m->u.deny.text);
}

static void
deny_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u16(w, (uint16_t)m->u.deny.err);
	cw_wire_put_text(w, m->u.deny.text);
}

static void
deny_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.deny.err = (int16_t)cw_rd_u16(r);
	cw_rd_str8(r, m->u.deny.text, sizeof m->u.deny.text);
}

/* PULL. */
static bool
pull_ok(const struct cw_pl_msg *m)
{
	return m->u.pull.addr_cnt <= CW_STATIONS_MAX;
}

static void
pull_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	uint8_t i;

	cw_wr_u16(w, m->u.pull.want);
	cw_wr_u8(w, m->u.pull.addr_cnt);
	for (i = 0; i < m->u.pull.addr_cnt; i++)
		cw_wr_u32(w, m->u.pull.addr[i]);
}

static void
pull_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	uint8_t i;

	m->u.pull.want = cw_rd_u16(r);
	m->u.pull.addr_cnt = cw_rd_u8(r);
	for (i = 0; i < m->u.pull.addr_cnt && i < CW_STATIONS_MAX; i++)
		m->u.pull.addr[i] = cw_rd_u32(r);
}

/* ORDER. */
static bool
order_ok(const struct cw_pl_msg *m)
{
	const struct cw_pl_order *o = &m->u.order;

	return o->order > 0 && o->state >= CW_ORDER_RUN &&
	    o->state <= CW_ORDER_CLOSED && flag_ok(o->has_cos) &&
	    flag_ok(o->has_data) && flag_ok(o->production) &&
	    cw_wire_text_ok(o->profile, sizeof o->profile);
}

static void
order_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	const struct cw_pl_order *o = &m->u.order;

	cw_wr_u64(w, o->order);
	cw_wr_u8(w, o->state);
	cw_wr_u8(w, o->has_cos);
	cw_wr_u8(w, o->has_data);
	cw_wr_u8(w, o->production);
	cw_wr_bytes(w, o->cos_digest, sizeof o->cos_digest);
	cw_wr_u32(w, o->cos_addr);
	cw_wr_u32(w, o->cos_len);
	cw_wr_u32(w, o->cos_pkg_len);
	cw_wr_str8(w, o->profile);
	cw_wr_bytes(w, o->profile_digest, sizeof o->profile_digest);
	cw_wr_u32(w, o->profile_len);
}

static void
order_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	struct cw_pl_order *o = &m->u.order;

	o->order = cw_rd_u64(r);
	o->state = cw_rd_u8(r);
	o->has_cos = cw_rd_u8(r);
	o->has_data = cw_rd_u8(r);
	o->production = cw_rd_u8(r);
	cw_rd_copy(r, o->cos_digest, sizeof o->cos_digest);
	o->cos_addr = cw_rd_u32(r);
	o->cos_len = cw_rd_u32(r);
	o->cos_pkg_len = cw_rd_u32(r);
	cw_rd_str8(r, o->profile, sizeof o->profile);
	cw_rd_copy(r, o->profile_digest, sizeof o->profile_digest);
	o->profile_len = cw_rd_u32(r);
}

/* GET. */
static bool
get_ok(const struct cw_pl_msg *m)
{
	return m->u.get.order > 0 && m->u.get.blob <= CW_BLOB_PROFILE;
}

static void
get_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.get.order);
	cw_wr_u8(w, m->u.get.blob);
	cw_wr_u32(w, m->u.get.off);
}

static void
get_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.get.order = cw_rd_u64(r);
	m->u.get.blob = cw_rd_u8(r);
	m->u.get.off = cw_rd_u32(r);
}

/* CHUNK: its bytes go to the end of the body. */
static bool
chunk_ok(const struct cw_pl_msg *m)
{
	const struct cw_pl_chunk *c = &m->u.chunk;

	return c->order > 0 && c->blob <= CW_BLOB_PROFILE &&
	    c->len <= CW_PLINK_CHUNK_MAX;
}

static void
chunk_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.chunk.order);
	cw_wr_u8(w, m->u.chunk.blob);
	cw_wr_u32(w, m->u.chunk.off);
	cw_wr_u32(w, m->u.chunk.len);
	cw_wr_bytes(w, m->u.chunk.buf, m->u.chunk.len);
}

static void
chunk_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.chunk.order = cw_rd_u64(r);
	m->u.chunk.blob = cw_rd_u8(r);
	m->u.chunk.off = cw_rd_u32(r);
	m->u.chunk.len = cw_rd_u32(r);
	m->u.chunk.buf = cw_rd_bytes(r, m->u.chunk.len);
}

/* LEASE. */
static bool
lease_ok(const struct cw_pl_msg *m)
{
	return m->u.lease.order > 0 && m->u.lease.record > 0 &&
	    m->u.lease.epoch > 0;
}

static void
lease_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.lease.order);
	cw_wr_u64(w, m->u.lease.record);
	cw_wr_u32(w, m->u.lease.epoch);
	cw_wr_u32(w, m->u.lease.addr);
	cw_wr_u32(w, m->u.lease.pkg_len);
	cw_wr_bytes(w, m->u.lease.pkg, m->u.lease.pkg_len);
}

static void
lease_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.lease.order = cw_rd_u64(r);
	m->u.lease.record = cw_rd_u64(r);
	m->u.lease.epoch = cw_rd_u32(r);
	m->u.lease.addr = cw_rd_u32(r);
	m->u.lease.pkg_len = cw_rd_u32(r);
	m->u.lease.pkg = cw_rd_bytes(r, m->u.lease.pkg_len);
}

/* REVOKE and REVOKED. */
static bool
revoke_ok(const struct cw_pl_msg *m)
{
	return m->u.revoke.order > 0 && m->u.revoke.record > 0 &&
	    m->u.revoke.epoch > 0;
}

static void
revoke_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.revoke.order);
	cw_wr_u64(w, m->u.revoke.record);
	cw_wr_u32(w, m->u.revoke.epoch);
}

static void
revoke_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.revoke.order = cw_rd_u64(r);
	m->u.revoke.record = cw_rd_u64(r);
	m->u.revoke.epoch = cw_rd_u32(r);
}

/* RESULT.  The trace is text in LF lines. */
static bool
result_ok(const struct cw_pl_msg *m)
{
	const struct cw_pl_result *x = &m->u.result;
	bool lease = x->order > 0 && x->record > 0 && x->epoch > 0 &&
	    x->verdict >= CW_CARD_GOOD && x->verdict <= CW_CARD_NONE;
	bool stray = x->order == 0 && x->record == 0 && x->epoch == 0 &&
	    (x->verdict == CW_CARD_REJECT || x->verdict == CW_CARD_DOUBT);

	return x->seq > 0 && (lease || stray) &&
	    x->serial_len <= sizeof x->serial && x->atr_len <= sizeof x->atr &&
	    x->trace_len <= CW_PLINK_TRACE_MAX;
}

static void
result_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	const struct cw_pl_result *x = &m->u.result;

	cw_wr_u64(w, x->seq);
	cw_wr_u64(w, x->order);
	cw_wr_u64(w, x->record);
	cw_wr_u32(w, x->epoch);
	cw_wr_u8(w, x->verdict);
	cw_wr_u16(w, x->outcome);
	cw_wr_u16(w, x->sw);
	cw_wr_u16(w, x->step);
	cw_wr_u16(w, x->station);
	cw_wr_u32(w, x->reader);
	cw_wr_u32(w, x->card_no);
	cw_wr_u32(w, x->ms);
	cw_wr_u64(w, x->time_ms);
	cw_wr_u8(w, x->serial_len);
	cw_wr_bytes(w, x->serial, x->serial_len);
	cw_wr_u8(w, x->atr_len);
	cw_wr_bytes(w, x->atr, x->atr_len);
	cw_wr_u16(w, x->trace_len);
	cw_wire_put_lines(w, x->trace, x->trace_len);
}

/* u8 length and that many bytes into dst[cap]; an excess is left to _ok. */
static uint8_t
get_short(struct cw_rd *r, uint8_t *dst, size_t cap)
{
	uint8_t len = cw_rd_u8(r);
	const uint8_t *p = cw_rd_bytes(r, len);

	if (p != NULL && len <= cap)
		memcpy(dst, p, len);
	return len;
}

/* Text in LF lines, without other control characters. */
static bool
lines_ok(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if ((c < 0x20 && c != '\n') || c == 0x7f)
			return false;
	}
	return true;
}

static void
result_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	struct cw_pl_result *x = &m->u.result;

	x->seq = cw_rd_u64(r);
	x->order = cw_rd_u64(r);
	x->record = cw_rd_u64(r);
	x->epoch = cw_rd_u32(r);
	x->verdict = cw_rd_u8(r);
	x->outcome = cw_rd_u16(r);
	x->sw = cw_rd_u16(r);
	x->step = cw_rd_u16(r);
	x->station = cw_rd_u16(r);
	x->reader = cw_rd_u32(r);
	x->card_no = cw_rd_u32(r);
	x->ms = cw_rd_u32(r);
	x->time_ms = cw_rd_u64(r);
	x->serial_len = get_short(r, x->serial, sizeof x->serial);
	x->atr_len = get_short(r, x->atr, sizeof x->atr);
	x->trace_len = cw_rd_u16(r);
	x->trace = (const char *)cw_rd_bytes(r, x->trace_len);
	if (!lines_ok(x->trace, r->bad ? 0 : x->trace_len))
		r->bad = true;
}

/* ACK. */
static bool
ack_ok(const struct cw_pl_msg *m)
{
	(void)m;
	return true;
}

static void
ack_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.ack.seq);
}

static void
ack_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.ack.seq = cw_rd_u64(r);
}

/* REFUSED. */
static bool
refused_ok(const struct cw_pl_msg *m)
{
	const struct cw_pl_refused *x = &m->u.refused;

	return x->order > 0 && x->err < 0 &&
	    cw_wire_ends(x->text, sizeof x->text);
}

static void
refused_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.refused.order);
	cw_wr_u64(w, m->u.refused.record);
	cw_wr_u32(w, m->u.refused.epoch);
	cw_wr_u16(w, (uint16_t)m->u.refused.err);
	cw_wire_put_text(w, m->u.refused.text);
}

static void
refused_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	struct cw_pl_refused *x = &m->u.refused;

	x->order = cw_rd_u64(r);
	x->record = cw_rd_u64(r);
	x->epoch = cw_rd_u32(r);
	x->err = (int16_t)cw_rd_u16(r);
	cw_rd_str8(r, x->text, sizeof x->text);
}

/* ORDER_STATE. */
static bool
order_state_ok(const struct cw_pl_msg *m)
{
	return m->u.order_state.order > 0 &&
	    m->u.order_state.state >= CW_ORDER_RUN &&
	    m->u.order_state.state <= CW_ORDER_CLOSED;
}

static void
order_state_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	cw_wr_u64(w, m->u.order_state.order);
	cw_wr_u8(w, m->u.order_state.state);
}

static void
order_state_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	m->u.order_state.order = cw_rd_u64(r);
	m->u.order_state.state = cw_rd_u8(r);
}

/* STATUS. */
static bool
status_ok(const struct cw_pl_msg *m)
{
	const struct cw_pl_status *s = &m->u.status;
	uint16_t i;

	if (s->line_state > LINE_STATE_MAX ||
	    s->station_cnt > CW_STATIONS_MAX ||
	    !cw_wire_ends(s->why, sizeof s->why))
		return false;
	for (i = 0; i < s->station_cnt; i++)
		if (s->station[i].state > CW_ST_IMAGE ||
		    !cw_wire_ends(s->station[i].why, sizeof s->station[i].why))
			return false;
	return true;
}

static void
station_put(struct cw_wr *w, const struct cw_pl_station *t)
{
	cw_wr_u8(w, t->state);
	cw_wr_u32(w, t->reader);
	cw_wr_u16(w, t->port);
	cw_wr_u32(w, t->good);
	cw_wr_u32(w, t->reject);
	cw_wr_u32(w, t->doubt);
	cw_wr_u16(w, t->last_outcome);
	cw_wr_u64(w, t->order);
	cw_wr_u64(w, t->record);
	cw_wire_put_text(w, t->why);
}

static void
status_put(struct cw_wr *w, const struct cw_pl_msg *m)
{
	const struct cw_pl_status *s = &m->u.status;
	uint16_t i;

	cw_wr_u8(w, s->line_state);
	cw_wire_put_text(w, s->why);
	cw_wr_u32(w, s->device_feed);
	cw_wr_u32(w, s->device_good);
	cw_wr_u32(w, s->device_reject);
	cw_wr_u32(w, s->cos_sent);
	cw_wr_u64(w, s->cos_order);
	cw_wr_u16(w, s->station_cnt);
	for (i = 0; i < s->station_cnt; i++)
		station_put(w, &s->station[i]);
}

static void
station_get(struct cw_rd *r, struct cw_pl_station *t)
{
	t->state = cw_rd_u8(r);
	t->reader = cw_rd_u32(r);
	t->port = cw_rd_u16(r);
	t->good = cw_rd_u32(r);
	t->reject = cw_rd_u32(r);
	t->doubt = cw_rd_u32(r);
	t->last_outcome = cw_rd_u16(r);
	t->order = cw_rd_u64(r);
	t->record = cw_rd_u64(r);
	cw_rd_str8(r, t->why, sizeof t->why);
}

static void
status_get(struct cw_rd *r, struct cw_pl_msg *m)
{
	struct cw_pl_status *s = &m->u.status;
	uint16_t i;

	s->line_state = cw_rd_u8(r);
	cw_rd_str8(r, s->why, sizeof s->why);
	s->device_feed = cw_rd_u32(r);
	s->device_good = cw_rd_u32(r);
	s->device_reject = cw_rd_u32(r);
	s->cos_sent = cw_rd_u32(r);
	s->cos_order = cw_rd_u64(r);
	s->station_cnt = cw_rd_u16(r);
	for (i = 0; i < s->station_cnt && i < CW_STATIONS_MAX; i++)
		station_get(r, &s->station[i]);
}

struct codec {
	enum cw_pl_type type;
	bool (*ok)(const struct cw_pl_msg *m);
	void (*put)(struct cw_wr *w, const struct cw_pl_msg *m);
	void (*get)(struct cw_rd *r, struct cw_pl_msg *m);
};

static const struct codec codecs[] = {
	{ CW_PL_HELLO, hello_ok, hello_put, hello_get },
	{ CW_PL_PULL, pull_ok, pull_put, pull_get },
	{ CW_PL_GET, get_ok, get_put, get_get },
	{ CW_PL_RESULT, result_ok, result_put, result_get },
	{ CW_PL_REVOKED, revoke_ok, revoke_put, revoke_get },
	{ CW_PL_REFUSED, refused_ok, refused_put, refused_get },
	{ CW_PL_STATUS, status_ok, status_put, status_get },
	{ CW_PL_SETTLED, settled_ok, settled_put, settled_get },
	{ CW_PL_WELCOME, welcome_ok, welcome_put, welcome_get },
	{ CW_PL_DENY, deny_ok, deny_put, deny_get },
	{ CW_PL_ORDER, order_ok, order_put, order_get },
	{ CW_PL_CHUNK, chunk_ok, chunk_put, chunk_get },
	{ CW_PL_LEASE, lease_ok, lease_put, lease_get },
	{ CW_PL_REVOKE, revoke_ok, revoke_put, revoke_get },
	{ CW_PL_ACK, ack_ok, ack_put, ack_get },
	{ CW_PL_ORDER_STATE, order_state_ok, order_state_put, order_state_get },
};

static const struct codec *
find_codec(uint8_t type)
{
	size_t i;

	for (i = 0; i < sizeof codecs / sizeof codecs[0]; i++)
		if (codecs[i].type == type)
			return &codecs[i];
	return NULL;
}

int
cw_pl_put(uint8_t *out, size_t cap, const struct cw_pl_msg *m)
{
	const struct codec *c = find_codec(m->type);
	struct cw_wr w = cw_wire_begin(out, cap);
	struct cw_wire_head h = {
		.version = CW_PLINK_VERSION, .type = m->type, .id = 0,
		.body_max = CW_PLINK_BODY_MAX,
	};

	if (c == NULL || !c->ok(m))
		return CW_EINVAL;
	c->put(&w, m);
	return cw_wire_end(&w, out, &h);
}

int
cw_pl_get(struct cw_pl_msg *m, uint8_t type, const uint8_t *body, size_t len)
{
	const struct codec *c = find_codec(type);
	struct cw_rd r = cw_rd_init(body, len);
	int err;

	if (c == NULL)
		return CW_EPROTO;
	memset(m, 0, sizeof *m);
	m->type = type;
	c->get(&r, m);

	/* Ranges are judged only on whole bodies: a cut one lends no bytes. */
	err = cw_rd_done(&r);
	if (err < 0)
		return err;
	return c->ok(m) ? 0 : CW_EFORMAT;
}

const char *
cw_pl_type_name(uint8_t type)
{
	switch (type) {
#define X(name, value) case CW_PL_##name: return #name;
	CW_PL_TYPE_MAP(X)
#undef X
	default:
		return "?";
	}
}
