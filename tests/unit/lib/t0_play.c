/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "t0_play.h"

#define TURNS_MAX 64

struct turn {
	bool card;		/* the card sends */
	size_t off, len;	/* in pool */
};

struct stage {
	const struct play *play;
	const struct play_opts *opts;
	struct play_result *res;
	struct cw_t0 t;
	struct cw_tpdu_out out;
	struct turn turn[TURNS_MAX];
	size_t turn_cnt, turn_idx, turn_off;
	unsigned int refused;	/* NACKs given so far */
};

static uint8_t pool[1 << 18];
static uint8_t apdu[CW_APDU_CMD_MAX];
static uint8_t rsp[CW_APDU_RSP_MAX + 1];

size_t
play_bytes(const char *text, uint8_t *out, size_t cap)
{
	size_t len = 0;

	while (*text != '\0' && *text != '<' && *text != '>') {
		size_t times = 1;
		uint8_t byte;

		if (*text == ' ' || *text == '\n' || *text == '\t') {
			text++;
			continue;
		}
		assert_int_equal(cw_unhex(&byte, 1, text, 2), 1);
		text += 2;
		if (*text == '*') {
			char *end;

			times = strtoul(text + 1, &end, 10);
			text = end;
		}
		assert_true(len + times <= cap);
		memset(out + len, byte, times);
		len += times;
	}
	return len;
}

static void
load_script(struct stage *s, const char *text)
{
	size_t off = 0;

	while (*text != '\0') {
		struct turn *turn = &s->turn[s->turn_cnt++];

		assert_true(s->turn_cnt <= TURNS_MAX);
		assert_true(*text == '<' || *text == '>');
		turn->card = *text++ == '<';
		turn->off = off;
		turn->len = play_bytes(text, pool + off, sizeof pool - off);
		off += turn->len;
		text += strcspn(text, "<>");
	}
}

/* The turn under way, or NULL at the end of the script. */
static struct turn *
now(struct stage *s)
{
	while (s->turn_idx < s->turn_cnt &&
	    s->turn_off == s->turn[s->turn_idx].len) {
		s->turn_idx++;
		s->turn_off = 0;
	}
	return s->turn_idx < s->turn_cnt ? &s->turn[s->turn_idx] : NULL;
}

/* The engine has taken n more characters of the turn as sent. */
static void
check_sent(struct stage *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct turn *turn = now(s);

		if (turn == NULL || turn->card)
			fail_msg("%s: the engine sends more than scripted",
			    s->play->name);
		if (s->out.tx[i] != pool[turn->off + s->turn_off])
			fail_msg("%s: character %zu sent is %02x, want %02x",
			    s->play->name, s->res->sent_chars + i,
			    s->out.tx[i], pool[turn->off + s->turn_off]);
		s->turn_off++;
	}
	s->res->sent_chars += n;
}

static void
do_send(struct stage *s, struct cw_tpdu_ev *ev)
{
	const struct play_opts *o = s->opts;
	size_t first = s->res->sent_chars;

	assert_true(s->out.tx_len > 0);
	if (o->fault == PLAY_NACK && o->at >= first &&
	    o->at < first + s->out.tx_len && s->refused < o->times) {
		ev->kind = CW_TPDU_EV_NACK;
		ev->idx = o->at - first;
		s->refused++;
		s->res->fired = true;
		check_sent(s, ev->idx);
		return;
	}
	ev->kind = CW_TPDU_EV_SENT;
	check_sent(s, s->out.tx_len);
	s->res->send_cnt++;
}

static void
do_recv(struct stage *s, struct cw_tpdu_ev *ev)
{
	const struct play_opts *o = s->opts;
	struct turn *turn = now(s);
	size_t nth = s->res->recv_cnt++;

	assert_true(s->out.rx_max > 0);
	assert_int_equal(s->out.wait_etu, 9600);
	if (o->fault == PLAY_PARITY && o->at == nth) {
		ev->kind = CW_TPDU_EV_PARITY;
		s->res->fired = true;
		return;
	}
	if ((o->fault == PLAY_TIMEOUT && o->at == nth) || turn == NULL ||
	    !turn->card) {
		ev->kind = CW_TPDU_EV_TIMEOUT;
		s->res->fired = o->fault == PLAY_TIMEOUT && o->at == nth;
		return;
	}

	ev->kind = CW_TPDU_EV_RX;
	ev->buf = pool + turn->off + s->turn_off;
	ev->len = turn->len - s->turn_off;
	if (s->play->err == 0 && s->out.rx_max > ev->len)
		fail_msg("%s: RECV %zu asks for %zu, %zu are certain",
		    s->play->name, nth, s->out.rx_max, ev->len);
	if (ev->len > s->out.rx_max)
		ev->len = s->out.rx_max;
	if (o->chunk > 0 && ev->len > o->chunk)
		ev->len = o->chunk;
	ev->bad_cnt = 1;
	s->turn_off += ev->len;
}

void
play_run(const struct play *p, const struct play_opts *o,
    struct play_result *r)
{
	struct cw_t0_cfg cfg = {
		.wt_etu = 9600, .null_max = p->null_max,
		.manual_get = p->manual_get,
	};
	struct stage s = { .play = p, .opts = o, .res = r };
	size_t cap = p->rsp_cap > 0 ? p->rsp_cap : CW_APDU_RSP_MAX;
	size_t len = play_bytes(p->apdu, apdu, sizeof apdu);
	unsigned int step;

	memset(r, 0, sizeof *r);
	load_script(&s, p->script);
	rsp[cap] = 0xcc;
	assert_int_equal(cw_t0_start(&s.t, &cfg, apdu, len, rsp, cap, &s.out),
	    0);
	for (step = 0; s.out.want == CW_TPDU_SEND || s.out.want == CW_TPDU_RECV;
	    step++) {
		struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };

		assert_true(step < 300000);
		if (s.out.want == CW_TPDU_SEND)
			do_send(&s, &ev);
		else
			do_recv(&s, &ev);
		cw_t0_step(&s.t, &ev, &s.out);
	}

	assert_int_equal(rsp[cap], 0xcc);
	r->rsp = rsp;
	r->parity_tx_cnt = s.t.parity_tx_cnt;
	r->parity_rx_cnt = s.t.parity_rx_cnt;
	r->null_total_cnt = s.t.null_total_cnt;
	if (s.out.want == CW_TPDU_FAIL) {
		r->err = s.out.err;
		assert_true(r->err < 0);
		return;
	}
	r->rsp_len = s.out.rsp_len;
	assert_true(r->rsp_len >= 2 && r->rsp_len <= cap);
	if (now(&s) != NULL)
		fail_msg("%s: done before the end of the script", p->name);
}

void
play_assert_end(const struct play *p, const struct play_result *r)
{
	static uint8_t want[CW_APDU_RSP_MAX];
	size_t len;

	if (r->err != p->err)
		fail_msg("%s: ended with %s, want %s", p->name,
		    cw_err_name(r->err), cw_err_name(p->err));
	if (p->err < 0)
		return;
	len = play_bytes(p->rsp, want, sizeof want);
	if (r->rsp_len != len || memcmp(r->rsp, want, len) != 0)
		fail_msg("%s: response of %zu bytes differs from the %zu "
		    "wanted", p->name, r->rsp_len, len);
}
