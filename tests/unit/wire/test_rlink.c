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
#include "cw/rlink.h"

#include "lots.h"

#define OUT_MAX (CW_FRAME_HDR + CW_RLINK_BODY_MAX)

/* Any decoded message: big enough for each. */
union any {
	struct cw_rl_hello hello;
	struct cw_rl_hello_ok hello_ok;
	struct cw_rl_refuse refuse;
	struct cw_rl_store_begin store_begin;
	struct cw_rl_store_data store_data;
	struct cw_rl_store_ok store_ok;
	struct cw_rl_run run;
	struct cw_rl_run_ok run_ok;
	struct cw_rl_continue cont;
	struct cw_rl_slot_attempt slot_attempt;
	struct cw_rl_ask ask;
	struct cw_rl_result result;
	struct cw_rl_slot slot;
	struct cw_rl_update_begin update_begin;
	struct cw_rl_update_end update_end;
	struct cw_rl_update_ok update_ok;
};

/* One kind of message: how to make an extreme one, how to write and read it. */
struct kind {
	const char *name;
	uint8_t type;
	void (*make)(union any *m, bool big);
	int (*put)(uint8_t *out, size_t cap, const union any *m);
	int (*get)(union any *m, const uint8_t *body, size_t len);
	bool tail;	/* the last field runs to the body's end */
};

static uint8_t bulk[CW_PROG_MAX];
static uint8_t out[OUT_MAX];

static void
fill_text(char *text, size_t cap, bool big)
{
	memset(text, 0, cap);
	if (big)
		memset(text, 'W', cap - 1);
}

static void
make_hello(union any *m, bool big)
{
	fill_text(m->hello.terminal, sizeof m->hello.terminal, big);
	m->hello.session = big ? UINT64_MAX : 0;
}

static void
make_hello_ok(union any *m, bool big)
{
	memset(m->hello_ok.serial, big ? 0xff : 0, sizeof m->hello_ok.serial);
	fill_text(m->hello_ok.firmware, sizeof m->hello_ok.firmware, big);
	m->hello_ok.boot_id = big ? UINT64_MAX : 0;
	m->hello_ok.slot_cnt = big ? CW_RLINK_SLOTS_MAX : 1;
	m->hello_ok.store_cap = big ? UINT32_MAX : 0;
	m->hello_ok.store_gen = big ? UINT32_MAX - 1 : 0;
	m->hello_ok.store_len = big ? UINT32_MAX - 2 : 0;
	memset(m->hello_ok.store_digest, big ? 0xfe : 0, CW_SHA256_LEN);
}

static void
make_refuse(union any *m, bool big)
{
	m->refuse.err = big ? INT16_MIN : CW_EBUSY;
	fill_text(m->refuse.text, sizeof m->refuse.text, big);
}

static void
make_store_begin(union any *m, bool big)
{
	m->store_begin.len = big ? UINT32_MAX : 1;
	memset(m->store_begin.digest, big ? 0xff : 0, CW_SHA256_LEN);
}

static void
make_store_data(union any *m, bool big)
{
	m->store_data.off = big ? UINT32_MAX : 0;
	m->store_data.buf = bulk;
	m->store_data.len = big ? CW_RLINK_DATA_MAX : 1;
}

static void
make_store_ok(union any *m, bool big)
{
	m->store_ok.gen = big ? UINT32_MAX : 0;
	m->store_ok.len = big ? UINT32_MAX - 1 : 0;
	memset(m->store_ok.digest, big ? 0xff : 0, CW_SHA256_LEN);
}

static void
make_update_begin(union any *m, bool big)
{
	m->update_begin.len = big ? UINT32_MAX : 1;
}

static void
make_update_end(union any *m, bool big)
{
	m->update_end.restart = big;
}

static void
make_update_ok(union any *m, bool big)
{
	m->update_ok.state = big ? 255 : 0;
	m->update_ok.addr = big ? UINT32_MAX : 0;
	fill_text(m->update_ok.version, sizeof m->update_ok.version, big);
}

static void
make_run(union any *m, bool big)
{
	m->run.slot = big ? CW_RLINK_SLOTS_MAX - 1 : 0;
	m->run.flags = big ? CW_RUN_CHAIN | CW_RUN_PERSONAL |
	    CW_RUN_KEEP_POWER : 0;
	m->run.attempt = big ? UINT64_MAX : 1;
	m->run.card_session = big ? UINT32_MAX : 0;
	m->run.prog = bulk;
	m->run.prog_len = big ? CW_PROG_MAX : 1;
}

static void
make_run_ok(union any *m, bool big)
{
	m->run_ok.slot = big ? CW_RLINK_SLOTS_MAX - 1 : 0;
	m->run_ok.attempt = big ? UINT64_MAX : 1;
	m->run_ok.queued = big ? CW_RLINK_QUEUE : 1;
}

static void
make_continue(union any *m, bool big)
{
	m->cont.slot = big ? CW_RLINK_SLOTS_MAX - 1 : 0;
	m->cont.attempt = big ? UINT64_MAX : 1;
	m->cont.prog = bulk;
	m->cont.prog_len = big ? CW_PROG_MAX : 1;
}

static void
make_slot_attempt(union any *m, bool big)
{
	m->slot_attempt.slot = big ? CW_RLINK_SLOTS_MAX - 1 : 0;
	m->slot_attempt.attempt = big ? UINT64_MAX : 0;
}

static void
make_captures(struct cw_rl_capture *c, uint8_t *cnt, bool big)
{
	uint8_t i;

	*cnt = big ? CW_PROG_CAPTURE_MAX : 0;
	for (i = 0; i < *cnt; i++) {
		c[i].id = (uint8_t)(255 - i);
		c[i].len = CW_PROG_CAPTURE_BYTES / CW_PROG_CAPTURE_MAX;
		c[i].buf = bulk + i * c[i].len;
	}
}

static void
make_ask(union any *m, bool big)
{
	m->ask.slot = big ? CW_RLINK_SLOTS_MAX - 1 : 0;
	m->ask.attempt = big ? UINT64_MAX : 1;
	make_captures(m->ask.capture, &m->ask.capture_cnt, big);
}

static void
make_result(union any *m, bool big)
{
	struct cw_rl_result *x = &m->result;
	uint16_t i;

	x->slot = big ? CW_RLINK_SLOTS_MAX - 1 : 0;
	x->flags = big ? CW_RES_TOUCHED | CW_RES_ACTIVE : 0;
	x->attempt = big ? UINT64_MAX : 1;
	x->boot_id = big ? UINT64_MAX - 1 : 0;
	x->card_session = big ? UINT32_MAX : 0;
	x->outcome = big ? UINT16_MAX : CW_OUT_GOOD;
	x->sw = big ? 0xfffe : 0;
	x->step = big ? 0xfffd : 0;
	x->line_etu = big ? UINT64_MAX - 2 : 0;
	x->us = big ? UINT32_MAX - 1 : 0;
	x->ta1 = big ? 0xff : 0x11;
	x->atr_len = big ? sizeof x->atr : 0;
	memset(x->atr, big ? 0x3b : 0, sizeof x->atr);
	make_captures(x->capture, &x->capture_cnt, big);
	x->step_cnt = big ? CW_RLINK_STEPS_MAX : 0;
	for (i = 0; i < x->step_cnt; i++)
		x->steps[i] = (struct cw_rl_step){
			.idx = i, .sw = (uint16_t)(0xffff - i),
			.rsp_len = (uint16_t)(0xff00 + i),
			.us = UINT32_MAX - i, .blocks = UINT32_MAX - 1000 - i,
		};
}

static void
make_slot(union any *m, bool big)
{
	m->slot.slot = big ? CW_RLINK_SLOTS_MAX - 1 : 0;
	m->slot.present = big ? 2 : 0;
	m->slot.card_session = big ? UINT32_MAX : 0;
	m->slot.state = big ? 255 : 0;
	m->slot.last_attempt = big ? UINT64_MAX : 0;
}

#define CODEC(fn, member) \
static int \
put_##fn(uint8_t *o, size_t cap, const union any *m) \
{ \
	return cw_rl_put_##fn(o, cap, 5, &m->member); \
} \
static int \
get_##fn(union any *m, const uint8_t *body, size_t len) \
{ \
	return cw_rl_get_##fn(&m->member, body, len); \
}
CODEC(hello, hello)
CODEC(hello_ok, hello_ok)
CODEC(store_begin, store_begin)
CODEC(store_data, store_data)
CODEC(update_begin, update_begin)
CODEC(update_data, store_data)
CODEC(update_end, update_end)
CODEC(update_ok, update_ok)
CODEC(store_ok, store_ok)
CODEC(run, run)
CODEC(run_ok, run_ok)
CODEC(continue, cont)
CODEC(ask, ask)
CODEC(result, result)
CODEC(slot, slot)
#undef CODEC

static int
put_error(uint8_t *o, size_t cap, const union any *m)
{
	return cw_rl_put_refuse(o, cap, 5, CW_RL_ERROR, &m->refuse);
}

static int
get_error(union any *m, const uint8_t *body, size_t len)
{
	return cw_rl_get_refuse(&m->refuse, body, len);
}

static int
put_query(uint8_t *o, size_t cap, const union any *m)
{
	return cw_rl_put_slot_attempt(o, cap, 5, CW_RL_QUERY, &m->slot_attempt);
}

static int
get_query(union any *m, const uint8_t *body, size_t len)
{
	return cw_rl_get_slot_attempt(&m->slot_attempt, body, len);
}

static const struct kind kinds[] = {
	{ "HELLO", CW_RL_HELLO, make_hello, put_hello, get_hello, false },
	{ "HELLO_OK", CW_RL_HELLO_OK, make_hello_ok, put_hello_ok, get_hello_ok,
	    false },
	{ "ERROR", CW_RL_ERROR, make_refuse, put_error, get_error, false },
	{ "STORE_BEGIN", CW_RL_STORE_BEGIN, make_store_begin, put_store_begin,
	    get_store_begin, false },
	{ "STORE_DATA", CW_RL_STORE_DATA, make_store_data, put_store_data,
	    get_store_data, true },
	{ "STORE_OK", CW_RL_STORE_OK, make_store_ok, put_store_ok, get_store_ok,
	    false },
	{ "UPDATE_BEGIN", CW_RL_UPDATE_BEGIN, make_update_begin, put_update_begin,
	    get_update_begin, false },
	{ "UPDATE_DATA", CW_RL_UPDATE_DATA, make_store_data, put_update_data,
	    get_update_data, true },
	{ "UPDATE_END", CW_RL_UPDATE_END, make_update_end, put_update_end,
	    get_update_end, false },
	{ "UPDATE_OK", CW_RL_UPDATE_OK, make_update_ok, put_update_ok,
	    get_update_ok, false },
	{ "RUN", CW_RL_RUN, make_run, put_run, get_run, false },
	{ "RUN_OK", CW_RL_RUN_OK, make_run_ok, put_run_ok, get_run_ok, false },
	{ "CONTINUE", CW_RL_CONTINUE, make_continue, put_continue, get_continue,
	    false },
	{ "QUERY", CW_RL_QUERY, make_slot_attempt, put_query, get_query, false },
	{ "ASK", CW_RL_ASK, make_ask, put_ask, get_ask, false },
	{ "RESULT", CW_RL_RESULT, make_result, put_result, get_result, false },
	{ "SLOT", CW_RL_SLOT, make_slot, put_slot, get_slot, false },
};
#define KIND_CNT (sizeof kinds / sizeof kinds[0])

/* Points borrowed bytes of a decoded message back at bulk, after comparing. */
static void
unborrow(uint8_t type, union any *m)
{
	struct cw_rl_capture *c = type == CW_RL_ASK ? m->ask.capture :
	    m->result.capture;
	uint8_t i, cnt = type == CW_RL_ASK ? m->ask.capture_cnt :
	    m->result.capture_cnt;

	if (type == CW_RL_RUN) {
		assert_memory_equal(m->run.prog, bulk, m->run.prog_len);
		m->run.prog = bulk;
	} else if (type == CW_RL_CONTINUE) {
		assert_memory_equal(m->cont.prog, bulk, m->cont.prog_len);
		m->cont.prog = bulk;
	} else if (type == CW_RL_STORE_DATA || type == CW_RL_UPDATE_DATA) {
		assert_memory_equal(m->store_data.buf, bulk, m->store_data.len);
		m->store_data.buf = bulk;
	} else if (type == CW_RL_ASK || type == CW_RL_RESULT) {
		for (i = 0; i < cnt; i++) {
			const uint8_t *at = bulk + i * c[i].len;

			assert_memory_equal(c[i].buf, at, c[i].len);
			c[i].buf = at;
		}
	}
}

static struct cw_frame
open_frame(int len)
{
	struct cw_frame f = { 0 };

	assert_true(len > 0);
	assert_int_equal(cw_frame_peek(&f, out, (size_t)len, CW_RLINK_VERSION,
	    CW_RLINK_BODY_MAX), len);
	return f;
}

/* Least and greatest values of every message come back field by field. */
static void
rlink_round_trip(void **state)
{
	static union any m, back;
	size_t i;
	int big;

	(void)state;
	for (i = 0; i < KIND_CNT; i++) {
		for (big = 0; big < 2; big++) {
			struct cw_frame f;

			memset(&m, 0, sizeof m);
			memset(&back, 0, sizeof back);
			kinds[i].make(&m, big);
			f = open_frame(kinds[i].put(out, sizeof out, &m));
			assert_int_equal(f.type, kinds[i].type);
			assert_int_equal(f.id, 5);
			assert_int_equal(kinds[i].get(&back, f.body,
			    f.body_len), 0);
			unborrow(kinds[i].type, &back);
			assert_memory_equal(&back, &m, sizeof m);
		}
	}
}

/* A body cut anywhere, or with a byte too many, is an error. */
static void
rlink_truncation(void **state)
{
	static union any m, back;
	uint8_t cut[2048];
	size_t i, n;
	int big;

	(void)state;
	for (i = 0; i < KIND_CNT; i++) {
		for (big = 0; big < 2; big++) {
			struct cw_frame f;

			memset(&m, 0, sizeof m);
			kinds[i].make(&m, big);
			f = open_frame(kinds[i].put(out, sizeof out, &m));
			for (n = 0; n < f.body_len; n++) {
				int err;

				/* A STORE_DATA cut in its bytes is a shorter
				 * one; the frame's length guards it. */
				if (kinds[i].tail && n > 4)
					break;
				err = kinds[i].get(&back, f.body, n);
				assert_true(err == CW_ESHORT ||
				    err == CW_EFORMAT);
			}
			if (kinds[i].tail || f.body_len >= sizeof cut)
				continue;
			memcpy(cut, f.body, f.body_len);
			cut[f.body_len] = 0;
			assert_int_equal(kinds[i].get(&back, cut,
			    f.body_len + 1), CW_EFORMAT);
		}
	}
}

/* Every buffer that is one byte too short is refused, never overrun. */
static void
rlink_small_buffer(void **state)
{
	static union any m;
	size_t i, n, len;

	(void)state;
	for (i = 0; i < KIND_CNT; i++) {
		memset(&m, 0, sizeof m);
		kinds[i].make(&m, false);
		len = (size_t)kinds[i].put(out, sizeof out, &m);
		for (n = 0; n < len; n++)
			assert_int_equal(kinds[i].put(out, n, &m), CW_EFULL);
		assert_int_equal(kinds[i].put(out, len, &m), len);
	}
}

/* Random bytes never crash a decoder; what decodes encodes to the same bytes. */
static void
rlink_random(void **state)
{
	static union any m;
	static uint8_t body[600];
	uint64_t seed = 0x5eed;
	int round, ok_cnt = 0;

	(void)state;
	for (round = 0; round < 40000; round++) {
		const struct kind *k = &kinds[lots_below(&seed, KIND_CNT)];
		size_t len = lots_below(&seed, sizeof body);
		int n;

		if (round % 2)
			len %= 64;
		lots_fill(&seed, body, len);
		if (len > 0)
			body[0] &= 7;
		if (k->get(&m, body, len) < 0)
			continue;
		ok_cnt++;
		n = k->put(out, sizeof out, &m);
		assert_int_equal(n, CW_FRAME_HDR + len);
		assert_memory_equal(out + CW_FRAME_HDR, body, len);
	}
	assert_true(ok_cnt > 100);
}

/* A value beside its range is refused by encoder and decoder alike. */
static void
refused(const struct kind *k, const union any *m)
{
	assert_int_equal(k->put(out, sizeof out, m), CW_EINVAL);
}

static const struct kind *
kind_of(uint8_t type)
{
	size_t i;

	for (i = 0; i < KIND_CNT; i++)
		if (kinds[i].type == type)
			return &kinds[i];
	fail();
	return NULL;
}

#define REFUSE(TYPE, change) do { \
	const struct kind *k = kind_of(TYPE); \
	memset(&m, 0, sizeof m); \
	k->make(&m, true); \
	change; \
	refused(k, &m); \
} while (0)

static void
rlink_encoder_ranges(void **state)
{
	static union any m;

	(void)state;
	REFUSE(CW_RL_HELLO, m.hello.terminal[3] = '\n');
	REFUSE(CW_RL_HELLO, memset(m.hello.terminal, 'x', 64));
	REFUSE(CW_RL_HELLO_OK, m.hello_ok.slot_cnt = 0);
	REFUSE(CW_RL_HELLO_OK, m.hello_ok.slot_cnt = CW_RLINK_SLOTS_MAX + 1);
	REFUSE(CW_RL_HELLO_OK, m.hello_ok.store_cap = 4);
	REFUSE(CW_RL_ERROR, m.refuse.err = 0);
	REFUSE(CW_RL_STORE_BEGIN, m.store_begin.len = 0);
	REFUSE(CW_RL_STORE_DATA, m.store_data.len = 0);
	REFUSE(CW_RL_STORE_DATA, m.store_data.len = CW_RLINK_DATA_MAX + 1);
	REFUSE(CW_RL_RUN, m.run.slot = CW_RLINK_SLOTS_MAX);
	REFUSE(CW_RL_RUN, m.run.flags = 0x08);
	REFUSE(CW_RL_RUN, m.run.attempt = 0);
	REFUSE(CW_RL_RUN, m.run.prog_len = 0);
	REFUSE(CW_RL_RUN, m.run.prog_len = CW_PROG_MAX + 1);
	REFUSE(CW_RL_RUN_OK, m.run_ok.queued = 0);
	REFUSE(CW_RL_RUN_OK, m.run_ok.queued = CW_RLINK_QUEUE + 1);
	REFUSE(CW_RL_CONTINUE, m.cont.attempt = 0);
	REFUSE(CW_RL_QUERY, m.slot_attempt.slot = CW_RLINK_SLOTS_MAX);
	REFUSE(CW_RL_ASK, m.ask.capture_cnt = CW_PROG_CAPTURE_MAX + 1);
	REFUSE(CW_RL_ASK, m.ask.capture[0].len++);
	REFUSE(CW_RL_RESULT, m.result.flags = 0x04);
	REFUSE(CW_RL_RESULT, m.result.atr_len = 34);
	REFUSE(CW_RL_RESULT, m.result.step_cnt = CW_RLINK_STEPS_MAX + 1);
	REFUSE(CW_RL_RESULT, m.result.attempt = 0);
	REFUSE(CW_RL_SLOT, m.slot.present = 3);
}

/* Sets one byte of a good body and expects CW_EFORMAT. */
static void
spoil(uint8_t type, size_t off, uint8_t value)
{
	static union any m, back;
	const struct kind *k = kind_of(type);
	struct cw_frame f;

	memset(&m, 0, sizeof m);
	k->make(&m, false);
	f = open_frame(k->put(out, sizeof out, &m));
	out[CW_FRAME_HDR + off] = value;
	assert_true(k->get(&back, f.body, f.body_len) < 0);
}

static void
rlink_decoder_ranges(void **state)
{
	(void)state;
	spoil(CW_RL_HELLO_OK, 25, 0);			/* slot_cnt */
	spoil(CW_RL_HELLO_OK, 25, 9);
	spoil(CW_RL_ERROR, 0, 0x00);			/* err > 0 */
	spoil(CW_RL_STORE_BEGIN, 3, 0);			/* len 0 */
	spoil(CW_RL_RUN, 0, CW_RLINK_SLOTS_MAX);	/* slot */
	spoil(CW_RL_RUN, 1, 0x10);			/* flags */
	spoil(CW_RL_RUN, 9, 0);				/* attempt 0 */
	spoil(CW_RL_RUN, 15, 0);			/* prog_len 0 */
	spoil(CW_RL_RUN_OK, 9, 0);			/* queued 0 */
	spoil(CW_RL_RUN_OK, 9, 5);
	spoil(CW_RL_QUERY, 0, CW_RLINK_SLOTS_MAX);
	spoil(CW_RL_ASK, 9, 9);				/* captures */
	spoil(CW_RL_RESULT, 1, 0x80);			/* flags */
	spoil(CW_RL_SLOT, 1, 3);			/* present */
}

/* A text for people goes out with blanks for its control characters. */
static void
rlink_texts(void **state)
{
	struct cw_rl_refuse m = { .err = CW_EIO, .text = "a\nb\x7f" };
	struct cw_rl_refuse got;
	struct cw_frame f;

	(void)state;
	f = open_frame(cw_rl_put_refuse(out, sizeof out, 1, CW_RL_ERROR, &m));
	assert_int_equal(cw_rl_get_refuse(&got, f.body, f.body_len), 0);
	assert_string_equal(got.text, "a b ");
	memset(m.text, 'x', sizeof m.text);
	assert_int_equal(cw_rl_put_refuse(out, sizeof out, 1, CW_RL_ERROR, &m),
	    CW_EINVAL);
}

/* A program above its limit is refused though the frame could carry it. */
static void
rlink_program_too_long(void **state)
{
	static uint8_t body[16 + CW_PROG_MAX + 1];
	struct cw_rl_run m;

	(void)state;
	body[9] = 1;
	body[14] = (CW_PROG_MAX + 1) >> 8;
	body[15] = (CW_PROG_MAX + 1) & 0xff;
	assert_int_equal(cw_rl_get_run(&m, body, sizeof body), CW_EFORMAT);
	body[15]--;
	assert_int_equal(cw_rl_get_run(&m, body, sizeof body - 1), 0);
	assert_int_equal(m.prog_len, CW_PROG_MAX);
}

/* The examples of docs/spec/reader-link.md, written by hand from its tables. */
static void
rlink_golden_hello(void **state)
{
	static const uint8_t body[] = {
		0x06, 'l', 'i', 'n', 'e', '-', '1',
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	};
	struct cw_rl_hello m = { .terminal = "line-1",
		.session = 0x0123456789abcdef };
	struct cw_frame f;

	(void)state;
	f = open_frame(cw_rl_put_hello(out, sizeof out, 1, &m));
	assert_int_equal(f.type, 0x01);
	assert_int_equal(f.body_len, sizeof body);
	assert_memory_equal(f.body, body, sizeof body);
}

static void
rlink_golden_run(void **state)
{
	/* One step: POWER_OFF. */
	static const uint8_t prog[] = {
		0x50, 0x01, 0x00, 0x01, 0x09, 0x00, 0x00, 0x00,
	};
	static const uint8_t body[] = {
		0x02,						/* slot */
		0x03,						/* flags */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x01,	/* attempt */
		0x00, 0x00, 0x00, 0x07,				/* card session */
		0x00, 0x08,					/* length */
		0x50, 0x01, 0x00, 0x01, 0x09, 0x00, 0x00, 0x00,
	};
	struct cw_rl_run m = {
		.slot = 2, .flags = CW_RUN_CHAIN | CW_RUN_PERSONAL,
		.attempt = 0x1001, .card_session = 7, .prog = prog,
		.prog_len = sizeof prog,
	};
	struct cw_frame f;

	(void)state;
	f = open_frame(cw_rl_put_run(out, sizeof out, 2, &m));
	assert_int_equal(f.type, 0x20);
	assert_int_equal(f.body_len, sizeof body);
	assert_memory_equal(f.body, body, sizeof body);
}

static void
rlink_golden_result(void **state)
{
	static const uint8_t body[] = {
		0x00,						/* slot */
		0x01,						/* touched */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x01,	/* attempt */
		0xb0, 0x07, 0x1d, 0x00, 0x00, 0x00, 0x00, 0x05,	/* boot id */
		0x00, 0x00, 0x00, 0x07,				/* card session */
		0x00, 0x05,					/* SW */
		0x6a, 0x82, 0x00, 0x03,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x86, 0xa0,	/* 100000 etu */
		0x00, 0x03, 0x0d, 0x40,				/* 200000 us */
		0x96,						/* TA1 */
		0x02, 0x3b, 0x00,				/* ATR */
		0x01, 0x01, 0x00, 0x02, 0xca, 0xfe,		/* capture 1 */
		0x00, 0x01,					/* one step line */
		0x00, 0x03, 0x6a, 0x82, 0x00, 0x00,
		0x00, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x00,
	};
	static struct cw_rl_result m = {
		.slot = 0, .flags = CW_RES_TOUCHED, .attempt = 0x1001,
		.boot_id = 0xb0071d0000000005, .card_session = 7,
		.outcome = CW_OUT_SW, .sw = 0x6a82, .step = 3,
		.line_etu = 100000, .us = 200000, .ta1 = 0x96,
		.atr_len = 2, .atr = { 0x3b, 0x00 }, .capture_cnt = 1,
		.step_cnt = 1,
		.steps = { { .idx = 3, .sw = 0x6a82, .us = 1000 } },
	};
	struct cw_frame f;

	(void)state;
	m.capture[0] = (struct cw_rl_capture){
		.id = 1, .len = 2, .buf = (const uint8_t *)"\xca\xfe",
	};
	f = open_frame(cw_rl_put_result(out, sizeof out, 0, &m));
	assert_int_equal(f.type, 0xa3);
	assert_int_equal(f.id, 0);
	assert_int_equal(f.body_len, sizeof body);
	assert_memory_equal(f.body, body, sizeof body);
}

static void
rlink_empty(void **state)
{
	struct cw_frame f;

	(void)state;
	f = open_frame(cw_rl_put_empty(out, sizeof out, 3, CW_RL_PING));
	assert_int_equal(f.type, 0x02);
	assert_int_equal(f.body_len, 0);
	assert_int_equal(cw_rl_put_empty(out, CW_FRAME_HDR - 1, 3, CW_RL_PING),
	    CW_EFULL);
}

static void
rlink_names(void **state)
{
	(void)state;
	assert_string_equal(cw_rl_type_name(CW_RL_RUN), "RUN");
	assert_string_equal(cw_rl_type_name(0xa3), "RESULT");
	assert_string_equal(cw_rl_type_name(0), "?");
}

static int
setup(void **state)
{
	(void)state;
	lots_fill(&(uint64_t){ 4711 }, bulk, sizeof bulk);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rlink_round_trip),
		cmocka_unit_test(rlink_truncation),
		cmocka_unit_test(rlink_small_buffer),
		cmocka_unit_test(rlink_random),
		cmocka_unit_test(rlink_encoder_ranges),
		cmocka_unit_test(rlink_decoder_ranges),
		cmocka_unit_test(rlink_texts),
		cmocka_unit_test(rlink_program_too_long),
		cmocka_unit_test(rlink_golden_hello),
		cmocka_unit_test(rlink_golden_run),
		cmocka_unit_test(rlink_golden_result),
		cmocka_unit_test(rlink_empty),
		cmocka_unit_test(rlink_names),
	};

	return cmocka_run_group_tests_name("rlink", tests, setup, NULL);
}
