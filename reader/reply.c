/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

#define TX_CAP (CW_FRAME_HDR + CW_RLINK_BODY_MAX)

/*
 * Frames out.  tx_mem holds one frame.  A frame that the board has no room for
 * stays there (tx_held) and no request is read until it has gone; what can
 * wait (RESULT, ASK, SLOT) is only marked as owed and made when there is room,
 * so that no queue of frames is needed.
 */
void
cw_reader_reply_send(struct cw_reader *r, int len)
{
	int n;

	CW_ASSERT(len > 0 && r->tx_held == 0);
	if (!r->linked)
		return;
	n = r->cfg.net->send(r->cfg.dev, r->conn, r->cfg.tx_mem, (size_t)len);
	if (n < 0) {
		cw_reader_session_lost(r, true, "send failed");
	} else if (n == 0) {
		r->tx_held = (size_t)len;
		r->tx_full = true;
	}
}

static struct cw_rl_refuse
refuse_make(int err, const char *text)
{
	struct cw_rl_refuse m;
	struct cw_reader_text t = cw_reader_text_init(m.text, sizeof m.text);

	m.err = (int16_t)err;
	cw_reader_text_str(&t, text);
	return m;
}

void
cw_reader_reply_error(struct cw_reader *r, uint32_t id, int err,
    const char *text)
{
	struct cw_rl_refuse m = refuse_make(err, text);

	cw_reader_log(r, 1, "request.refused", NULL, text);
	cw_reader_reply_send(r, cw_rl_put_refuse(r->cfg.tx_mem, TX_CAP, id,
	    CW_RL_ERROR, &m));
}

/* In memory of its own: tx_mem may hold a frame for the terminal. */
void
cw_reader_reply_refuse(struct cw_reader *r, int conn, uint32_t id, int err,
    const char *text)
{
	struct cw_rl_refuse m = refuse_make(err, text);
	uint8_t buf[CW_FRAME_HDR + 2 + 1 + sizeof m.text];
	int len;

	cw_reader_log(r, 1, "link.refused", NULL, text);
	len = cw_rl_put_refuse(buf, sizeof buf, id, CW_RL_REFUSE, &m);
	if (len > 0)
		(void)r->cfg.net->send(r->cfg.dev, conn, buf, (size_t)len);
	r->cfg.net->close(r->cfg.dev, conn);
}

void
cw_reader_reply_hello(struct cw_reader *r, uint32_t id)
{
	struct cw_rl_hello_ok m;

	memset(&m, 0, sizeof m);
	memcpy(m.serial, r->cfg.serial, sizeof m.serial);
	memcpy(m.firmware, r->cfg.firmware, sizeof m.firmware);
	m.boot_id = r->cfg.boot_id;
	m.slot_cnt = r->cfg.slot_cnt;
	m.store_cap = r->cfg.store_cap;
	if (r->store.valid) {
		m.store_gen = r->store.gen;
		m.store_len = r->store.len;
		memcpy(m.store_digest, r->store.digest, sizeof m.store_digest);
	}
	cw_reader_reply_send(r, cw_rl_put_hello_ok(r->cfg.tx_mem, TX_CAP, id,
	    &m));
}

static void
slot_out(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_rl_slot m;

	m.slot = s->idx;
	m.present = s->present;
	m.card_session = s->card_session;
	m.state = (uint8_t)s->state;
	m.last_attempt = s->last_attempt;
	s->announce = false;
	cw_reader_reply_send(r, cw_rl_put_slot(r->cfg.tx_mem, TX_CAP, 0, &m));
}

/* Its captures may be of secret steps: the frame is wiped once it has gone. */
static void
ask_out(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_reader_kept *k = &s->kept[s->run];
	struct cw_rl_ask m;
	int len;

	memset(&m, 0, sizeof m);
	m.slot = s->idx;
	m.attempt = k->m.attempt;
	m.capture_cnt = k->m.capture_cnt;
	memcpy(m.capture, k->m.capture, sizeof m.capture);
	s->ask_owed = false;
	len = cw_rl_put_ask(r->cfg.tx_mem, TX_CAP, 0, &m);
	cw_reader_reply_send(r, len);
	if (r->tx_held == 0)
		cw_wipe(r->cfg.tx_mem, (size_t)len);
}

static void
held_out(struct cw_reader *r)
{
	size_t len = r->tx_held;

	r->tx_held = 0;
	cw_reader_reply_send(r, (int)len);
	if (r->tx_held == 0)
		cw_wipe(r->cfg.tx_mem, len);
}

static bool
slot_flush(struct cw_reader *r, struct cw_reader_slot *s)
{
	struct cw_reader_kept *k;

	if (s->announce) {
		slot_out(r, s);
		return true;
	}
	if (s->ask_owed) {
		ask_out(r, s);
		return true;
	}
	if (cw_reader_raw_flush(r, s))
		return true;
	k = cw_reader_result_unsent(s);
	if (k == NULL)
		return false;
	k->sent = true;
	cw_reader_reply_send(r, cw_rl_put_result(r->cfg.tx_mem, TX_CAP, 0,
	    &k->m));
	return true;
}

void
cw_reader_reply_flush(struct cw_reader *r)
{
	uint8_t i = 0;

	r->owes = false;
	if (r->linked && !r->tx_full && r->tx_held > 0)
		held_out(r);
	while (i < r->cfg.slot_cnt) {
		if (!r->linked || r->tx_held > 0)
			return;
		if (!slot_flush(r, &r->slot[i]))
			i++;
	}
}
