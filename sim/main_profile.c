/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/program.h"
#include "cw/t0.h"
#include "order/order.h"
#include "sim/args.h"
#include "sim/card.h"
#include "sim/uicc.h"
#include "terminal/profile/profile.h"

/*
 * cardwright-profile-test: each record of a file through a card profile onto a
 * simulated UICC of its own, in this one process.  It carries out the steps by
 * itself, at 372/1 and without PPS: it tries the profile, not the reader.
 */
#define ASKS_MAX 32
#define TEXT_MAX (512u * 1024u)
#define WT_ETU 9600u

struct run {
	struct cw_profile *p;
	struct cw_uicc_desc *desc;
	struct cw_sim_card *card;
	const struct cw_profile_record *record;
	struct cw_t0 t0;
	uint8_t rsp[300];
	size_t rsp_len;			/* with SW */
	uint8_t kept[CW_PROG_CAPTURE_BYTES];
	size_t kept_len;
	struct cw_profile_captures got;
	unsigned int asks;
	char why[200];
	uint64_t good, bad;
};

static int
fail(struct run *r, const struct cw_prog_step *st, const char *what)
{
	snprintf(r->why, sizeof r->why, "step %u: %s", st->idx + 1u, what);
	return CW_EFORMAT;
}

/* One APDU by the library's T=0. */
static int
exchange(struct run *r, const uint8_t *apdu, size_t len)
{
	static const struct cw_t0_cfg cfg = { .wt_etu = WT_ETU };
	struct cw_sim_io io = { 0 };
	struct cw_tpdu_out out;
	struct cw_tpdu_ev ev;
	uint8_t buf[300];

	if (cw_t0_start(&r->t0, &cfg, apdu, len, r->rsp, sizeof r->rsp, &out) < 0)
		return CW_EFORMAT;
	while (out.want == CW_TPDU_SEND || out.want == CW_TPDU_RECV) {
		memset(&ev, 0, sizeof ev);
		if (out.want == CW_TPDU_SEND) {
			ev.idx = cw_sim_card_chars(r->card, out.tx, out.tx_len, &io);
			ev.kind = ev.idx == out.tx_len ? CW_TPDU_EV_SENT :
			    CW_TPDU_EV_NACK;
		} else {
			ev.len = cw_sim_card_listen(r->card, buf,
			    out.rx_max < sizeof buf ? out.rx_max : sizeof buf,
			    out.wait_etu, &io);
			ev.kind = ev.len > 0 ? CW_TPDU_EV_RX : CW_TPDU_EV_TIMEOUT;
			ev.buf = buf;
		}
		cw_t0_step(&r->t0, &ev, &out);
	}
	r->rsp_len = out.rsp_len;
	return out.want == CW_TPDU_DONE ? 0 : out.err;
}

static int
do_apdu(struct run *r, const struct cw_prog_step *st)
{
	char what[80];
	uint16_t sw;
	uint8_t i;

	if (exchange(r, st->u.apdu.buf, st->u.apdu.len) < 0)
		return fail(r, st, "the card does not answer");
	sw = (uint16_t)(r->rsp[r->rsp_len - 2] << 8 | r->rsp[r->rsp_len - 1]);
	if ((st->flags & CW_STEP_ANY_SW) != 0 || (st->sw_cnt == 0 && sw == 0x9000))
		return 0;
	for (i = 0; i < st->sw_cnt; i++)
		if ((sw & st->sw[i].mask) == st->sw[i].sw)
			return 0;
	snprintf(what, sizeof what, "%02X%02X%02X%02X: the card answers %04X",
	    st->u.apdu.buf[0], st->u.apdu.buf[1], st->u.apdu.buf[2],
	    st->u.apdu.buf[3], sw);
	return fail(r, st, what);
}

static int
do_reset(struct run *r, const struct cw_prog_step *st)
{
	struct cw_sim_io io = { 0 };
	uint8_t atr[40];
	size_t n, i;

	cw_sim_card_power(r->card, false);
	cw_sim_card_power(r->card, true);
	cw_sim_card_line(r->card, 4000000, 372);
	cw_sim_card_reset(r->card, false);
	n = cw_sim_card_listen(r->card, atr, sizeof atr, WT_ETU, &io);
	if (n == 0)
		return fail(r, st, "no answer to reset");
	for (i = 0; i < st->u.reset.n; i++)
		if (i >= n || (atr[i] & st->u.reset.mask[i]) != st->u.reset.value[i])
			return fail(r, st, "the answer to reset is of another card");
	return 0;
}

static int
do_compare(struct run *r, const struct cw_prog_step *st)
{
	size_t have = r->rsp_len >= 2 ? r->rsp_len - 2 : 0, i;

	if (st->u.compare.off + (size_t)st->u.compare.n > have)
		return fail(r, st, "compare: the answer is too short");
	for (i = 0; i < st->u.compare.n; i++)
		if ((r->rsp[st->u.compare.off + i] & st->u.compare.mask[i]) !=
		    st->u.compare.value[i])
			return fail(r, st, "compare: the card holds something else");
	return 0;
}

static int
do_capture(struct run *r, const struct cw_prog_step *st)
{
	size_t have = r->rsp_len >= 2 ? r->rsp_len - 2 : 0, len, off;

	off = st->u.capture.off;
	if (off > have)
		return fail(r, st, "capture: the answer is too short");
	len = st->u.capture.len != 0 ? st->u.capture.len : have - off;
	if (off + len > have || r->kept_len + len > sizeof r->kept ||
	    r->got.cnt == CW_PROG_CAPTURE_MAX)
		return fail(r, st, "capture: the answer is too short, or too much is "
		    "captured");
	memcpy(r->kept + r->kept_len, r->rsp + off, len);
	r->got.capture[r->got.cnt].id = st->u.capture.id;
	r->got.capture[r->got.cnt].len = (uint16_t)len;
	r->got.capture[r->got.cnt++].buf = r->kept + r->kept_len;
	r->kept_len += len;
	return 0;
}

static int
do_step(struct run *r, const struct cw_prog_step *st)
{
	switch ((enum cw_prog_op)st->op) {
	case CW_OP_RESET:
		return do_reset(r, st);
	case CW_OP_APDU:
		return do_apdu(r, st);
	case CW_OP_COMPARE:
		return do_compare(r, st);
	case CW_OP_CAPTURE:
		return do_capture(r, st);
	case CW_OP_POWER_OFF:
		cw_sim_card_power(r->card, false);
		return 0;
	case CW_OP_LOAD:
		return fail(r, st, "a load step belongs into cos()");
	case CW_OP_PPS:
	case CW_OP_DELAY:
	case CW_OP_ASK:
		break;
	}
	return 0;
}

/* The program's steps; at an ask those of answer() come in between. */
static int
carry_out(struct run *r, const uint8_t *prog, size_t len)
{
	uint8_t *more = NULL;
	struct cw_prog_step st;
	struct cw_prog_iter it;
	int err = 0, n;

	cw_prog_begin(&it, prog, len);
	while (err == 0 && cw_prog_next(&it, &st) == 1) {
		if (st.op != CW_OP_ASK) {
			err = do_step(r, &st);
			continue;
		}
		if (r->asks++ == ASKS_MAX || (more = malloc(CW_PROG_MAX)) == NULL)
			return fail(r, &st, "asks more than 32 times");
		n = cw_profile_compile_answer(r->p, r->record, &r->got, more,
		    CW_PROG_MAX);
		if (n < 0)
			err = fail(r, &st, cw_profile_error(r->p));
		else
			err = carry_out(r, more, (size_t)n);
		free(more);
	}
	return err;
}

static int
on_row(void *ctx, const struct cw_order_row *row)
{
	static uint8_t prog[CW_PROG_MAX];
	struct run *r = ctx;
	struct cw_profile_record rec = { 1, row->record, 1, row->payload,
		row->payload_len };
	struct cw_sim_card_config cfg = { .serial = "PROFTEST", .flash_len = 2048,
		.uicc = r->desc };
	int n = cw_profile_compile_record(r->p, &rec, prog, sizeof prog);

	r->record = &rec;
	r->got.cnt = 0;
	r->kept_len = r->rsp_len = 0;
	r->asks = 0;
	snprintf(r->why, sizeof r->why, "%s", cw_profile_error(r->p));
	if (n > 0 && (r->card = cw_sim_card_new(&cfg)) != NULL) {
		n = carry_out(r, prog, (size_t)n);
		cw_sim_card_free(r->card);
	}
	if (n < 0) {
		r->bad++;
		fprintf(stderr, "record %llu (line %u): %s\n",
		    (unsigned long long)row->record, row->line, r->why);
	} else {
		r->good++;
	}
	cw_wipe(prog, sizeof prog);
	cw_wipe(r->rsp, sizeof r->rsp);
	return 0;
}

/* The description, with its COS running from the start. */
static struct cw_uicc_desc *
load_card(const char *path)
{
	static const char active[] = "\nstate active\n";
	struct cw_uicc_desc *d = NULL;
	char err[256], *text = malloc(TEXT_MAX);
	FILE *fp = fopen(path, "re");
	size_t len;

	if (fp == NULL || text == NULL)
		cw_args_fail("--card", "%s: %s", path, strerror(errno));
	len = fread(text, 1, TEXT_MAX - sizeof active, fp);
	fclose(fp);
	memcpy(text + len, active, sizeof active - 1);
	d = cw_uicc_load(text, len + sizeof active - 1, path, err, sizeof err);
	free(text);
	if (d == NULL)
		cw_args_fail("--card", "%s", err);
	return d;
}

/* Exit code. */
static int
read_data(struct run *r, const char *path)
{
	struct cw_order_config cfg = { .own_dups = true, .row = on_row, .ctx = r };
	const struct cw_order_faults *bad;
	struct cw_order_reader *o;
	static uint8_t buf[65536];
	FILE *fp = fopen(path, "re");
	unsigned int i;
	size_t n;
	int code;

	if (fp == NULL)
		cw_args_fail("--data", "%s: %s", path, strerror(errno));
	cfg.fields = cw_profile_fields(r->p, &cfg.field_cnt);
	if ((o = cw_order_new(&cfg)) == NULL) {
		fclose(fp);
		return 4;
	}
	while ((n = fread(buf, 1, sizeof buf, fp)) > 0 &&
	    cw_order_feed(o, buf, n) >= 0)
		;
	cw_order_end(o);
	bad = cw_order_faults(o);
	for (i = 0; i < bad->cnt; i++)
		fprintf(stderr, "%s:%u: %s: %s\n", path, bad->list[i].line,
		    bad->list[i].column, bad->list[i].text);
	code = bad->total > 0 ? 5 : r->bad > 0 ? 1 : 0;
	cw_order_free(o);
	cw_wipe(buf, sizeof buf);
	fclose(fp);
	return code;
}

int
main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "card", required_argument, NULL, 'c' },
		{ "data", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	static struct run r;
	const char *data = NULL, *card = NULL;
	char err[400];
	int opt, code;

	while ((opt = getopt_long(argc, argv, "h", longopts, NULL)) != -1) {
		if (opt == 'c')
			card = optarg;
		else if (opt == 'd')
			data = optarg;
		else if (opt != 'h')
			return 2;
		else
			data = card = NULL, optind = argc;
	}
	if (data == NULL || card == NULL || optind + 1 != argc) {
		puts("usage: cardwright-profile-test --card DESCRIPTION --data FILE "
		    "PROFILE.lua\nTries a card profile on simulated UICCs "
		    "(docs/spec/uicc.md), one for each record.");
		return 2;
	}
	r.desc = load_card(card);
	if ((r.p = cw_profile_load_file(argv[optind], err, sizeof err)) == NULL) {
		fprintf(stderr, "%s\n", err);
		return 5;
	}
	code = read_data(&r, data);
	printf("%llu cards good, %llu rejected\n", (unsigned long long)r.good,
	    (unsigned long long)r.bad);
	cw_profile_free(r.p);
	cw_uicc_desc_free(r.desc);
	return code;
}
