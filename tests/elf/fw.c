/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/sha256.h"
#include "fw.h"

#define PORT 7816
#define PING_MS 2000
#define CHUNK 8192u

static uint8_t out[CW_FRAME_HDR + CW_RLINK_BODY_MAX];

static void
say(struct fw *f, int len)
{
	assert_true(len > 0);
	rig_say(&f->rig, f->sock, out, (size_t)len);
}

static void
take_result(struct fw *f, const struct cw_frame *fr)
{
	struct cw_rl_result r;
	struct cw_rl_slot_attempt ack;

	assert_int_equal(cw_rl_get_result(&r, fr->body, fr->body_len), 0);
	assert_true(r.slot < CW_VB_SLOTS);
	f->result[r.slot] = r;
	f->done[r.slot] = true;
	ack.slot = r.slot;
	ack.attempt = r.attempt;
	say(f, cw_rl_put_slot_attempt(out, sizeof out, ++f->id, CW_RL_RESULT_ACK, &ack));
}

static void
take(struct fw *f, const struct cw_frame *fr)
{
	struct cw_rl_slot s;
	struct cw_rl_refuse e;

	switch (fr->type) {
	case CW_RL_HELLO_OK:
		assert_int_equal(cw_rl_get_hello_ok(&f->hello_ok, fr->body, fr->body_len), 0);
		f->hello = true;
		break;
	case CW_RL_STORE_OK:
		f->stored = true;
		break;
	case CW_RL_SLOT:
		assert_int_equal(cw_rl_get_slot(&s, fr->body, fr->body_len), 0);
		if (s.slot < CW_VB_SLOTS)
			f->slot[s.slot] = s;
		break;
	case CW_RL_RESULT:
		take_result(f, fr);
		break;
	case CW_RL_ERROR:
	case CW_RL_REFUSE:
		assert_int_equal(cw_rl_get_refuse(&e, fr->body, fr->body_len), 0);
		f->error = e.err;
		break;
	default:
		break;
	}
}

static void
pump(struct fw *f)
{
	struct rig_sock *s = &f->rig.sock[f->sock];
	struct cw_frame fr;
	int n;

	while ((n = cw_frame_peek(&fr, s->out, s->out_len, CW_RLINK_VERSION,
	    CW_RLINK_BODY_MAX)) > 0) {
		take(f, &fr);
		s->out_len -= (size_t)n;
		memmove(s->out, s->out + n, s->out_len);
	}
	assert_true(n >= 0);
	if (f->hello && cw_vb_now(f->rig.vb) >= f->ping_at) {
		f->ping_at = cw_vb_now(f->rig.vb) + CW_VB_MS(PING_MS);
		say(f, cw_rl_put_empty(out, sizeof out, ++f->id, CW_RL_PING));
	}
}

void
fw_step_us(struct fw *f, uint32_t us)
{
	enum cw_vb_stop stop = cw_vb_run(f->rig.vb, cw_vb_now(f->rig.vb) + CW_VB_US(us));

	if (stop != CW_VB_UNTIL)
		fail_msg("stopped (%d): %s", stop, cw_vb_message(f->rig.vb));
	pump(f);
}

static void
type(struct fw *f, const char *line)
{
	f->rig.console_len = 0;
	f->rig.console[0] = '\0';
	cw_vb_console_put(f->rig.vb, (const uint8_t *)line, strlen(line));
	rig_run_ms(&f->rig, 1000);
	if (strstr(f->rig.console, "cardwright> ") == NULL)
		fail_msg("the console says to %s: %s", line, f->rig.console);
}

void
fw_connect(struct fw *f)
{
	struct cw_rl_hello h = { .terminal = "line-1", .session = 1 };
	int i;

	rig_run_ms(&f->rig, 1000);
	f->hello = false;
	f->sock = rig_call(&f->rig, PORT);
	f->rig.sock[f->sock].out_len = 0;
	f->rig.sock[f->sock].ended = false;
	rig_run_ms(&f->rig, 2);
	assert_true(f->rig.sock[f->sock].opened);
	say(f, cw_rl_put_hello(out, sizeof out, ++f->id, &h));
	for (i = 0; i < 100 && !f->hello; i++)
		fw_step_us(f, 1000);
	assert_true(f->hello);
}

void
fw_open(struct fw *f, const char *elf)
{
	void (*on_trace)(void *ctx, const char *line) = f->on_trace;

	memset(f, 0, sizeof *f);
	f->rig.on_trace = on_trace;
	rig_open(&f->rig, elf);
	type(f, "");
	type(f, "plain allow\r");
	type(f, "ip set 127.0.0.1 /8\r");
	type(f, "reset\r");
	fw_connect(f);
}

void
fw_close(struct fw *f)
{
	rig_close(&f->rig);
}

void
fw_insert(struct fw *f, int slot, const struct cw_sim_card_config *card)
{
	struct cw_sim_card *was = f->rig.card[slot].card;
	int i;

	f->rig.card[slot].card = NULL;
	cw_vb_card_changed(f->rig.vb, slot);
	for (i = 0; i < 100; i++)
		fw_step_us(f, 1000);
	cw_sim_card_free(was);
	if (card == NULL)
		return;
	f->rig.card[slot].card = cw_sim_card_new(card);
	assert_non_null(f->rig.card[slot].card);
	cw_vb_card_changed(f->rig.vb, slot);
	for (i = 0; i < 100; i++)
		fw_step_us(f, 1000);
	assert_int_equal(f->slot[slot].present, 1);
}

void
fw_store(struct fw *f, const uint8_t *image, uint32_t len)
{
	struct cw_rl_store_begin b = { .len = len };
	struct cw_rl_store_data d;
	uint32_t off;
	int i;

	cw_sha256(b.digest, image, len);
	f->stored = false;
	say(f, cw_rl_put_store_begin(out, sizeof out, ++f->id, &b));
	for (off = 0; off < len; off += CHUNK) {
		d.off = off;
		d.buf = image + off;
		d.len = (uint16_t)(len - off < CHUNK ? len - off : CHUNK);
		while (f->rig.sock[f->sock].in_len > 32768)
			fw_step_us(f, 1000);
		say(f, cw_rl_put_store_data(out, sizeof out, ++f->id, &d));
	}
	say(f, cw_rl_put_empty(out, sizeof out, ++f->id, CW_RL_STORE_END));
	for (i = 0; i < 5000 && !f->stored; i++)
		fw_step_us(f, 1000);
	assert_true(f->stored);
}

void
fw_start(struct fw *f, int slot, const uint8_t *prog, size_t len)
{
	struct cw_rl_run m = { .slot = (uint8_t)slot, .attempt = ++f->attempt,
	    .prog = prog, .prog_len = (uint16_t)len };

	f->done[slot] = false;
	f->error = 0;
	say(f, cw_rl_put_run(out, sizeof out, ++f->id, &m));
}

bool
fw_wait(struct fw *f, int slot, uint32_t ms)
{
	uint64_t end = cw_vb_now(f->rig.vb) + CW_VB_MS(ms);

	while (!f->done[slot] && f->error == 0 && cw_vb_now(f->rig.vb) < end)
		fw_step_us(f, 1000);
	return f->done[slot];
}
