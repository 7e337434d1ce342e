/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "cw/outcome.h"
#include "cw/plink.h"

#include "lots.h"

#define OUT_MAX (CW_FRAME_HDR + CW_PLINK_BODY_MAX)
#define LEASE_HDR 28	/* body of a LEASE before its package */

static const uint8_t types[] = {
#define X(name, value) value,
	CW_PL_TYPE_MAP(X)
#undef X
};

static uint8_t bulk[CW_PLINK_BODY_MAX];
static uint8_t out[OUT_MAX + 1];
static struct cw_pl_msg msg, back;

static void
fill_text(char *text, size_t cap, bool big)
{
	if (big)
		memset(text, 'Z', cap - 1);
}

static void
make_order(struct cw_pl_order *o, bool big)
{
	o->order = big ? UINT64_MAX : 1;
	o->state = big ? CW_ORDER_CLOSED : CW_ORDER_RUN;
	o->has_cos = o->has_data = o->production = big;
	memset(o->cos_digest, big ? 0xc0 : 0, sizeof o->cos_digest);
	o->cos_addr = big ? UINT32_MAX : 0;
	o->cos_len = big ? UINT32_MAX - 1 : 0;
	o->cos_pkg_len = big ? UINT32_MAX - 2 : 0;
	fill_text(o->profile, sizeof o->profile, big);
	memset(o->profile_digest, big ? 0xd0 : 0, sizeof o->profile_digest);
	o->profile_len = big ? UINT32_MAX - 3 : 0;
}

static void
make_result(struct cw_pl_result *x, bool big)
{
	x->seq = big ? UINT64_MAX : 1;
	x->order = big ? UINT64_MAX - 1 : 1;
	x->record = big ? UINT64_MAX - 2 : 1;
	x->epoch = big ? UINT32_MAX : 1;
	x->verdict = big ? CW_CARD_NONE : CW_CARD_GOOD;
	x->outcome = big ? 0xfff0 : 0;
	x->sw = big ? 0xfff1 : 0;
	x->step = big ? 0xfff2 : 0;
	x->station = big ? 0xfff3 : 0;
	x->reader = big ? 0xfffffff0 : 0;
	x->card_no = big ? 0xfffffff1 : 0;
	x->ms = big ? 0xfffffff2 : 0;
	x->time_ms = big ? UINT64_MAX - 3 : 0;
	x->serial_len = big ? sizeof x->serial : 0;
	memset(x->serial, big ? 0x5e : 0, sizeof x->serial);
	x->atr_len = big ? sizeof x->atr : 0;
	memset(x->atr, big ? 0x3b : 0, sizeof x->atr);
	x->trace_len = big ? CW_PLINK_TRACE_MAX : 0;
	x->trace = (const char *)bulk;
}

static void
make_status(struct cw_pl_status *s, bool big)
{
	uint16_t i;

	s->line_state = big ? 4 : 0;
	fill_text(s->why, sizeof s->why, big);
	s->device_feed = big ? UINT32_MAX : 0;
	s->device_good = big ? UINT32_MAX - 1 : 0;
	s->device_reject = big ? UINT32_MAX - 2 : 0;
	s->cos_sent = big ? UINT32_MAX - 3 : 0;
	s->cos_order = big ? UINT64_MAX : 0;
	s->station_cnt = big ? CW_STATIONS_MAX : 0;
	for (i = 0; i < s->station_cnt; i++) {
		struct cw_pl_station *t = &s->station[i];

		t->state = i % (CW_ST_IMAGE + 1);
		t->reader = 0x7f000101u + i;
		t->port = (uint16_t)(0xffff - i);
		t->good = UINT32_MAX - i;
		t->reject = UINT32_MAX - 100 - i;
		t->doubt = UINT32_MAX - 200 - i;
		t->last_outcome = (uint16_t)(0xff00 + i);
		t->order = UINT64_MAX - i;
		t->record = UINT64_MAX - 100 - i;
		fill_text(t->why, sizeof t->why, true);
	}
}

static void
make_lease(struct cw_pl_lease *l, bool big)
{
	l->order = big ? UINT64_MAX : 1;
	l->record = big ? UINT64_MAX - 1 : 1;
	l->epoch = big ? UINT32_MAX : 1;
	l->addr = big ? 0x7f000104 : 0;
	l->pkg = bulk;
	l->pkg_len = big ? CW_PLINK_BODY_MAX - LEASE_HDR : 0;
}

static void
make_pull(struct cw_pl_pull *p, bool big)
{
	uint8_t i;

	p->want = big ? UINT16_MAX : 0;
	p->addr_cnt = big ? CW_STATIONS_MAX : 0;
	for (i = 0; i < p->addr_cnt; i++)
		p->addr[i] = UINT32_MAX - i;
}

static void
make_chunk(struct cw_pl_chunk *c, bool big)
{
	c->order = big ? UINT64_MAX : 1;
	c->blob = big ? CW_BLOB_PROFILE : CW_BLOB_ORDER;
	c->off = big ? UINT32_MAX : 0;
	c->buf = bulk;
	c->len = big ? CW_PLINK_CHUNK_MAX : 0;
}

static void
make_hello(struct cw_pl_hello *h, bool big)
{
	h->terminal[0] = 'T';
	fill_text(h->terminal, sizeof h->terminal, big);
	h->incarnation = big ? UINT64_MAX : 0;
	h->start_cnt = big ? UINT32_MAX : 1;
	h->next_seq = big ? UINT64_MAX - 1 : 1;
	h->station_cnt = big ? UINT16_MAX : 0;
	h->acked_seq = big ? UINT64_MAX - 2 : 0;
	h->first_seq = big ? UINT64_MAX - 1 : 1;
}

/* Least or greatest legal values of a message into msg. */
static void
make(uint8_t type, bool big)
{
	uint64_t num = big ? UINT64_MAX : 1;

	memset(&msg, 0, sizeof msg);
	msg.type = type;
	switch ((enum cw_pl_type)type) {
	case CW_PL_HELLO:
		make_hello(&msg.u.hello, big);
		break;
	case CW_PL_WELCOME:
		msg.u.welcome.acked_seq = num;
		msg.u.welcome.platform = num - 1;
		msg.u.welcome.flags = big ? 3 : 0;
		break;
	case CW_PL_SETTLED:
		msg.u.settled.next_seq = num;
		break;
	case CW_PL_DENY:
		msg.u.deny.err = big ? INT16_MIN : CW_EDENIED;
		fill_text(msg.u.deny.text, sizeof msg.u.deny.text, big);
		break;
	case CW_PL_PULL:
		make_pull(&msg.u.pull, big);
		break;
	case CW_PL_ORDER:
		make_order(&msg.u.order, big);
		break;
	case CW_PL_GET:
		msg.u.get.order = num;
		msg.u.get.blob = big ? CW_BLOB_PROFILE : CW_BLOB_ORDER;
		msg.u.get.off = big ? UINT32_MAX : 0;
		break;
	case CW_PL_CHUNK:
		make_chunk(&msg.u.chunk, big);
		break;
	case CW_PL_LEASE:
		make_lease(&msg.u.lease, big);
		break;
	case CW_PL_REVOKE:
	case CW_PL_REVOKED:
		msg.u.revoke.order = num;
		msg.u.revoke.record = big ? num - 1 : 1;
		msg.u.revoke.epoch = (uint32_t)num;
		break;
	case CW_PL_RESULT:
		make_result(&msg.u.result, big);
		break;
	case CW_PL_ACK:
		msg.u.ack.seq = num;
		break;
	case CW_PL_REFUSED:
		msg.u.refused.order = num;
		msg.u.refused.record = num - 1;
		msg.u.refused.epoch = (uint32_t)num - 1;
		msg.u.refused.err = big ? INT16_MIN : CW_EFORMAT;
		fill_text(msg.u.refused.text, sizeof msg.u.refused.text, big);
		break;
	case CW_PL_ORDER_STATE:
		msg.u.order_state.order = num;
		msg.u.order_state.state = big ? CW_ORDER_CLOSED : CW_ORDER_RUN;
		break;
	case CW_PL_STATUS:
		make_status(&msg.u.status, big);
		break;
	}
}

static struct cw_frame
encode(void)
{
	struct cw_frame f = { 0 };
	int len = cw_pl_put(out, OUT_MAX, &msg);

	assert_true(len > 0);
	assert_int_equal(cw_frame_peek(&f, out, (size_t)len, CW_PLINK_VERSION,
	    CW_PLINK_BODY_MAX), len);
	assert_int_equal(f.type, msg.type);
	assert_int_equal(f.id, 0);
	return f;
}

/* Borrowed bytes of `back` are compared, then pointed at bulk. */
static void
unborrow(void)
{
	if (back.type == CW_PL_CHUNK) {
		assert_memory_equal(back.u.chunk.buf, bulk, back.u.chunk.len);
		back.u.chunk.buf = bulk;
	} else if (back.type == CW_PL_LEASE) {
		assert_memory_equal(back.u.lease.pkg, bulk, back.u.lease.pkg_len);
		back.u.lease.pkg = bulk;
	} else if (back.type == CW_PL_RESULT) {
		assert_memory_equal(back.u.result.trace, bulk,
		    back.u.result.trace_len);
		back.u.result.trace = (const char *)bulk;
	}
}

static void
plink_round_trip(void **state)
{
	size_t i;
	int big;

	(void)state;
	for (i = 0; i < sizeof types; i++) {
		for (big = 0; big < 2; big++) {
			struct cw_frame f;

			make(types[i], big);
			f = encode();
			memset(&back, 0, sizeof back);
			assert_int_equal(cw_pl_get(&back, f.type, f.body,
			    f.body_len), 0);
			unborrow();
			assert_memory_equal(&back, &msg, sizeof msg);
		}
	}
}

/* Cut anywhere, or one byte too long: refused. */
static void
plink_truncation(void **state)
{
	size_t i, n;
	int big;

	(void)state;
	for (i = 0; i < sizeof types; i++) {
		for (big = 0; big < 2; big++) {
			struct cw_frame f;
			size_t step;

			make(types[i], big);
			f = encode();
			step = f.body_len > 20000 ? 997 : 1;
			for (n = 0; n < f.body_len; n += n < 100 ? 1 : step) {
				int err = cw_pl_get(&back, f.type, f.body, n);

				assert_int_equal(err, CW_ESHORT);
			}
			out[CW_FRAME_HDR + f.body_len] = 0;
			assert_int_equal(cw_pl_get(&back, f.type, f.body,
			    f.body_len + 1), CW_EFORMAT);
		}
	}
}

static void
plink_small_buffer(void **state)
{
	size_t i, n, len;

	(void)state;
	for (i = 0; i < sizeof types; i++) {
		make(types[i], false);
		len = CW_FRAME_HDR + encode().body_len;
		for (n = 0; n < len; n++)
			assert_int_equal(cw_pl_put(out, n, &msg), CW_EFULL);
		assert_int_equal(cw_pl_put(out, len, &msg), len);
	}
}

static void
plink_body_limit(void **state)
{
	static uint8_t wide[2 * OUT_MAX];

	(void)state;
	make(CW_PL_LEASE, true);
	assert_int_equal(cw_pl_put(wide, sizeof wide, &msg), OUT_MAX);
	msg.u.lease.pkg = wide;
	msg.u.lease.pkg_len++;
	assert_int_equal(cw_pl_put(wide + OUT_MAX, sizeof wide - OUT_MAX, &msg),
	    CW_EFULL);
}

#define REFUSE(TYPE, change) do { \
	make(TYPE, true); \
	change; \
	assert_int_equal(cw_pl_put(out, OUT_MAX, &msg), CW_EINVAL); \
} while (0)

static void
plink_encoder_ranges(void **state)
{
	(void)state;
	REFUSE(CW_PL_HELLO, msg.u.hello.terminal[0] = '\0');
	REFUSE(CW_PL_HELLO, msg.u.hello.terminal[5] = '\t');
	REFUSE(CW_PL_HELLO, msg.u.hello.next_seq = 0);
	REFUSE(CW_PL_HELLO, msg.u.hello.start_cnt = 0);
	REFUSE(CW_PL_HELLO, msg.u.hello.acked_seq = msg.u.hello.next_seq);
	REFUSE(CW_PL_HELLO, msg.u.hello.first_seq = 0);
	REFUSE(CW_PL_HELLO, msg.u.hello.first_seq = msg.u.hello.next_seq + 1);
	REFUSE(CW_PL_WELCOME, msg.u.welcome.flags = 4);
	REFUSE(CW_PL_SETTLED, msg.u.settled.next_seq = 0);
	REFUSE(CW_PL_DENY, msg.u.deny.err = 0);
	REFUSE(CW_PL_PULL, msg.u.pull.addr_cnt = CW_STATIONS_MAX + 1);
	REFUSE(CW_PL_ORDER, msg.u.order.order = 0);
	REFUSE(CW_PL_ORDER, msg.u.order.state = 0);
	REFUSE(CW_PL_ORDER, msg.u.order.state = 5);
	REFUSE(CW_PL_ORDER, msg.u.order.has_cos = 2);
	REFUSE(CW_PL_ORDER, msg.u.order.profile[0] = '\n');
	REFUSE(CW_PL_GET, msg.u.get.blob = 3);
	REFUSE(CW_PL_CHUNK, msg.u.chunk.len++);
	REFUSE(CW_PL_LEASE, msg.u.lease.record = 0);
	REFUSE(CW_PL_LEASE, msg.u.lease.epoch = 0);
	REFUSE(CW_PL_REVOKE, msg.u.revoke.epoch = 0);
	REFUSE(CW_PL_REVOKED, msg.u.revoke.record = 0);
	REFUSE(CW_PL_RESULT, msg.u.result.seq = 0);
	REFUSE(CW_PL_RESULT, msg.u.result.order = 0);
	REFUSE(CW_PL_RESULT, msg.u.result.record = 0);
	REFUSE(CW_PL_RESULT, msg.u.result.epoch = 0);
	REFUSE(CW_PL_RESULT, msg.u.result.verdict = 0);
	REFUSE(CW_PL_RESULT, msg.u.result.verdict = 5);
	REFUSE(CW_PL_RESULT, msg.u.result.serial_len = 17);
	REFUSE(CW_PL_RESULT, msg.u.result.atr_len = 34);
	REFUSE(CW_PL_RESULT, msg.u.result.trace_len++);
	REFUSE(CW_PL_REFUSED, msg.u.refused.err = 1);
	REFUSE(CW_PL_ORDER_STATE, msg.u.order_state.state = 9);
	REFUSE(CW_PL_STATUS, msg.u.status.line_state = 5);
	REFUSE(CW_PL_STATUS, msg.u.status.station_cnt = CW_STATIONS_MAX + 1);
	REFUSE(CW_PL_STATUS, msg.u.status.station[63].state = CW_ST_IMAGE + 1);
	REFUSE(CW_PL_STATUS, memset(msg.u.status.station[63].why, 'x', 48));
	REFUSE(CW_PL_DENY, memset(msg.u.deny.text, 'x', 200));
	REFUSE(CW_PL_ACK, msg.type = 0x77);
}

/* A card that no lease accounts for has no order, and cannot be good. */
static void
plink_stray(void **state)
{
	static const uint8_t verdict[] = { CW_CARD_GOOD, CW_CARD_REJECT,
	    CW_CARD_DOUBT, CW_CARD_NONE };
	struct cw_frame f;

	(void)state;
	for (size_t i = 0; i < sizeof verdict; i++) {
		bool may = verdict[i] == CW_CARD_REJECT ||
		    verdict[i] == CW_CARD_DOUBT;

		make(CW_PL_RESULT, false);
		msg.u.result.order = msg.u.result.record = 0;
		msg.u.result.epoch = 0;
		msg.u.result.verdict = verdict[i];
		if (!may) {
			assert_int_equal(cw_pl_put(out, sizeof out, &msg),
			    CW_EINVAL);
			continue;
		}
		f = encode();
		assert_int_equal(cw_pl_get(&back, f.type, f.body, f.body_len), 0);
		assert_int_equal(back.u.result.record, 0);
		assert_int_equal(back.u.result.verdict, verdict[i]);
	}
}

/* A text for people is never the reason why a message cannot be sent. */
static void
plink_texts(void **state)
{
	static const char trace[] = "\x1b[2J\tdone\r\nnext\x7f";
	struct cw_frame f;

	(void)state;
	make(CW_PL_RESULT, false);
	msg.u.result.trace = trace;
	msg.u.result.trace_len = sizeof trace - 1;
	f = encode();
	assert_int_equal(cw_pl_get(&back, f.type, f.body, f.body_len), 0);
	assert_memory_equal(back.u.result.trace, " [2J done \nnext ", 16);

	/* The decoder takes no such thing from a peer. */
	out[CW_FRAME_HDR + f.body_len - 1] = '\r';
	assert_true(cw_pl_get(&back, f.type, f.body, f.body_len) < 0);

	make(CW_PL_REFUSED, false);
	strcpy(msg.u.refused.text, "line 1:\n\tbad");
	f = encode();
	assert_int_equal(cw_pl_get(&back, f.type, f.body, f.body_len), 0);
	assert_string_equal(back.u.refused.text, "line 1:  bad");

	make(CW_PL_STATUS, true);
	msg.u.status.station[63].why[3] = '\r';
	f = encode();
	assert_int_equal(cw_pl_get(&back, f.type, f.body, f.body_len), 0);
	assert_int_equal(back.u.status.station[63].why[3], ' ');
}

/* One byte of a good body changed: the decoder judges the same ranges. */
static void
spoil(uint8_t type, size_t off, uint8_t value)
{
	struct cw_frame f;

	make(type, false);
	f = encode();
	out[CW_FRAME_HDR + off] = value;
	assert_true(cw_pl_get(&back, type, f.body, f.body_len) < 0);
}

static void
plink_decoder_ranges(void **state)
{
	(void)state;
	spoil(CW_PL_HELLO, 1, 0x07);		/* control character */
	spoil(CW_PL_HELLO, 13, 0);		/* start_cnt 0 */
	spoil(CW_PL_HELLO, 21, 0);		/* next_seq 0 */
	spoil(CW_PL_DENY, 0, 0x00);		/* err > 0 */
	spoil(CW_PL_PULL, 2, 65);		/* addr_cnt */
	spoil(CW_PL_ORDER, 7, 0);		/* order 0 */
	spoil(CW_PL_ORDER, 8, 0);		/* state */
	spoil(CW_PL_ORDER, 10, 2);		/* has_data */
	spoil(CW_PL_GET, 8, 3);			/* blob */
	spoil(CW_PL_LEASE, 19, 0);		/* epoch 0 */
	spoil(CW_PL_REVOKE, 15, 0);		/* record 0 */
	spoil(CW_PL_RESULT, 7, 0);		/* seq 0 */
	spoil(CW_PL_RESULT, 28, 9);		/* verdict */
	spoil(CW_PL_REFUSED, 20, 0);		/* err */
	spoil(CW_PL_ORDER_STATE, 8, 5);
	spoil(CW_PL_STATUS, 0, 5);		/* line state */
	assert_int_equal(cw_pl_get(&back, 0x55, bulk, 8), CW_EPROTO);
}

static void
plink_random(void **state)
{
	static uint8_t body[400];
	uint64_t seed = 0xfeed;
	int round, ok_cnt = 0;

	(void)state;
	for (round = 0; round < 40000; round++) {
		uint8_t type = types[lots_below(&seed, sizeof types)];
		size_t len = lots_below(&seed, round % 3 ? 40 : sizeof body);
		int n;

		lots_fill(&seed, body, len);
		if (cw_pl_get(&back, type, body, len) < 0)
			continue;
		ok_cnt++;
		n = cw_pl_put(out, OUT_MAX, &back);
		assert_int_equal(n, CW_FRAME_HDR + len);
		assert_memory_equal(out + CW_FRAME_HDR, body, len);
	}
	assert_true(ok_cnt > 50);
}

/* The examples of docs/spec/platform-link.md, written from its tables. */
static void
plink_golden_hello(void **state)
{
	static const uint8_t body[] = {
		0x06, 'l', 'i', 'n', 'e', '-', '1',
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,	/* incarnation */
		0x00, 0x00, 0x00, 0x02,				/* second start */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x2a,	/* next seq 42 */
		0x00, 0x04,					/* stations */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x28,	/* acknowledged 40 */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,	/* first seq 1 */
	};
	struct cw_frame f;

	(void)state;
	memset(&msg, 0, sizeof msg);
	msg.type = CW_PL_HELLO;
	msg.u.hello = (struct cw_pl_hello){ .terminal = "line-1",
		.incarnation = 0x1122334455667788, .start_cnt = 2,
		.next_seq = 42, .station_cnt = 4,
	    .acked_seq = 40, .first_seq = 1 };
	f = encode();
	assert_int_equal(f.type, 0x01);
	assert_int_equal(f.body_len, sizeof body);
	assert_memory_equal(f.body, body, sizeof body);
}

static void
plink_golden_lease(void **state)
{
	static const uint8_t body[] = {
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05,	/* order */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc8,	/* record 200 */
		0x00, 0x00, 0x00, 0x02,				/* epoch */
		0x7f, 0x00, 0x01, 0x04,				/* 127.0.1.4 */
		0x00, 0x00, 0x00, 0x03, 'p', 'k', 'g',
	};
	struct cw_frame f;

	(void)state;
	memset(&msg, 0, sizeof msg);
	msg.type = CW_PL_LEASE;
	msg.u.lease = (struct cw_pl_lease){ .order = 5, .record = 200,
		.epoch = 2, .addr = 0x7f000104, .pkg = (const uint8_t *)"pkg",
		.pkg_len = 3 };
	f = encode();
	assert_int_equal(f.type, 0x85);
	assert_int_equal(f.body_len, sizeof body);
	assert_memory_equal(f.body, body, sizeof body);
}

static void
plink_golden_result(void **state)
{
	static const uint8_t body[] = {
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x2a,	/* seq */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05,	/* order */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc8,	/* record */
		0x00, 0x00, 0x00, 0x02,				/* epoch */
		0x02,						/* reject */
		0x00, 0x05, 0x6a, 0x82, 0x00, 0x03,		/* SW at step 3 */
		0x00, 0x04,					/* station */
		0x7f, 0x00, 0x01, 0x04,				/* reader */
		0x00, 0x00, 0x01, 0x00,				/* card 256 */
		0x00, 0x00, 0x04, 0xd2,				/* 1234 ms */
		0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00,	/* 1700000000000 */
		0x02, 0xab, 0xcd,				/* serial */
		0x02, 0x3b, 0x00,				/* ATR */
		0x00, 0x05, 'r', 'e', 's', 'e', 't',
	};
	struct cw_frame f;

	(void)state;
	memset(&msg, 0, sizeof msg);
	msg.type = CW_PL_RESULT;
	msg.u.result = (struct cw_pl_result){ .seq = 42, .order = 5,
		.record = 200, .epoch = 2, .verdict = CW_CARD_REJECT,
		.outcome = CW_OUT_SW, .sw = 0x6a82, .step = 3, .station = 4,
		.reader = 0x7f000104, .card_no = 256, .ms = 1234,
		.time_ms = 1700000000000, .serial_len = 2,
		.serial = { 0xab, 0xcd }, .atr_len = 2, .atr = { 0x3b, 0x00 },
		.trace_len = 5, .trace = "reset" };
	f = encode();
	assert_int_equal(f.type, 0x04);
	assert_int_equal(f.body_len, sizeof body);
	assert_memory_equal(f.body, body, sizeof body);
}

static void
plink_names(void **state)
{
	(void)state;
	assert_string_equal(cw_pl_type_name(CW_PL_LEASE), "LEASE");
	assert_string_equal(cw_pl_type_name(0x88), "ORDER_STATE");
	assert_string_equal(cw_pl_type_name(0xff), "?");
}

/* Printable bytes and line feeds: they serve as trace text too. */
static int
setup(void **state)
{
	uint64_t seed = 1234;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bulk; i++)
		bulk[i] = (uint8_t)(i % 61 == 60 ? '\n' :
		    0x20 + lots_below(&seed, 0x5f));
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plink_round_trip),
		cmocka_unit_test(plink_truncation),
		cmocka_unit_test(plink_small_buffer),
		cmocka_unit_test(plink_body_limit),
		cmocka_unit_test(plink_encoder_ranges),
		cmocka_unit_test(plink_texts),
		cmocka_unit_test(plink_decoder_ranges),
		cmocka_unit_test(plink_random),
		cmocka_unit_test(plink_golden_hello),
		cmocka_unit_test(plink_golden_lease),
		cmocka_unit_test(plink_stray),
		cmocka_unit_test(plink_golden_result),
		cmocka_unit_test(plink_names),
	};

	return cmocka_run_group_tests_name("plink", tests, setup, NULL);
}
