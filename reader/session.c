/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

#define RX_CAP (CW_FRAME_HDR + CW_RLINK_BODY_MAX)

/*
 * The link session.  A connection is a stranger until its HELLO; then it is
 * the terminal, or it is refused.  Strangers have a small buffer each, the
 * terminal has rx_mem, and whole frames are read where the board has put them.
 *
 * What becomes of the work when the link goes (cw_reader_session_lost):
 * the running program goes on and its result is kept; a personal program that
 * has not begun is wiped and ends SKIPPED; a transfer to the store is void;
 * after orphan_ms the cards are deactivated.
 */
static struct cw_reader_peer *
peer_find(struct cw_reader *r, int conn)
{
	size_t i;

	for (i = 0; i < CW_READER_PEERS_MAX; i++)
		if (r->peer[i].used && r->peer[i].conn == conn)
			return &r->peer[i];
	return NULL;
}

static void
peer_refuse(struct cw_reader *r, struct cw_reader_peer *p, uint32_t id,
    int err, const char *text)
{
	p->used = false;
	cw_reader_reply_refuse(r, p->conn, id, err, text);
}

void
cw_reader_session_open(struct cw_reader *r, int conn)
{
	struct cw_reader_peer *p;
	size_t i;

	for (i = 0; i < CW_READER_PEERS_MAX; i++)
		if (!r->peer[i].used)
			break;
	if (i == CW_READER_PEERS_MAX) {
		cw_reader_reply_refuse(r, conn, 0, CW_EBUSY,
		    "too many connections wait to say HELLO; try again in 10 s");
		return;
	}
	p = &r->peer[i];
	p->used = true;
	p->conn = conn;
	p->len = 0;
	p->due_us = r->now_us + CW_READER_HELLO_MS * 1000u;
}

/*
 * Gives up on the terminal.  Everything that the link held of a record is
 * wiped with it.
 */
void
cw_reader_session_lost(struct cw_reader *r, bool close, const char *why)
{
	uint8_t i;

	if (!r->linked)
		return;
	cw_reader_log(r, 1, "link.lost", NULL, why);
	r->linked = false;
	if (close)
		r->cfg.net->close(r->cfg.dev, r->conn);
	cw_wipe(r->cfg.rx_mem, RX_CAP);
	cw_wipe(r->cfg.tx_mem, RX_CAP);
	r->rx_len = 0;
	r->tx_held = 0;
	r->tx_full = false;
	cw_reader_store_drop(r);
	cw_reader_update_drop(r);
	r->orphan_us = r->now_us + r->cfg.orphan_ms * 1000ull;
	for (i = 0; i < r->cfg.slot_cnt; i++) {
		cw_reader_raw_drop(r, &r->slot[i]);
		cw_reader_engine_drop_all(r, &r->slot[i], true,
		    CW_OUT_SKIPPED);
	}
}

/* Everything that a terminal must hear after HELLO is marked as owed. */
static void
session_start(struct cw_reader *r, int conn, const struct cw_rl_hello *h,
    uint32_t id)
{
	uint8_t i, k;

	r->linked = true;
	r->conn = conn;
	r->terminal = *h;
	r->heard_us = r->now_us;
	r->orphan_us = UINT64_MAX;
	r->rx_len = 0;
	r->tx_held = 0;
	r->tx_full = false;
	for (i = 0; i < r->cfg.slot_cnt; i++) {
		struct cw_reader_slot *s = &r->slot[i];

		cw_reader_raw_drop(r, s);
		s->announce = true;
		s->ask_owed = s->state == CW_SLOT_ASK;
		for (k = 0; k < CW_READER_KEPT_MAX; k++)
			s->kept[k].sent = false;
	}
	cw_reader_log(r, 2, "link.hello", NULL, h->terminal);
	cw_reader_reply_hello(r, id);
}

static bool
same_terminal(const struct cw_rl_hello *a, const struct cw_rl_hello *b)
{
	size_t len = strlen(a->terminal);

	return a->session == b->session && len == strlen(b->terminal) &&
	    memcmp(a->terminal, b->terminal, len) == 0;
}

/* True when the connection has become the terminal's. */
static bool
hello_take(struct cw_reader *r, struct cw_reader_peer *p,
    const struct cw_frame *f)
{
	struct cw_rl_hello h;
	char buf[128];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);
	int err;

	if (f->type != CW_RL_HELLO) {
		peer_refuse(r, p, f->id, CW_ESTATE,
		    "the first message on a reader link must be HELLO");
		return false;
	}
	err = cw_rl_get_hello(&h, f->body, f->body_len);
	if (err < 0) {
		peer_refuse(r, p, f->id, err, "HELLO is malformed");
		return false;
	}
	if (r->linked && !same_terminal(&h, &r->terminal)) {
		cw_reader_text_str(&t, "in use by terminal ");
		cw_reader_text_str(&t, r->terminal.terminal);
		cw_reader_text_str(&t, "; stop it or wait ");
		cw_reader_text_dec(&t, r->cfg.link_dead_ms / 1000);
		cw_reader_text_str(&t, " s after it has gone");
		peer_refuse(r, p, f->id, CW_EBUSY, buf);
		return false;
	}

	/* The same terminal on a new connection: the old one is dead. */
	if (r->linked) {
		cw_reader_store_drop(r);
		cw_reader_update_drop(r);
		cw_wipe(r->cfg.rx_mem, RX_CAP);
		cw_wipe(r->cfg.tx_mem, RX_CAP);
		r->cfg.net->close(r->cfg.dev, r->conn);
	}
	p->used = false;
	session_start(r, p->conn, &h, f->id);
	return r->linked && r->conn == p->conn;
}

/* Not a HELLO: a stranger, or one of another version, which is told of both. */
static void
peer_bad(struct cw_reader *r, struct cw_reader_peer *p, int err, uint8_t version)
{
	char buf[128];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);

	if (err != CW_EVERSION) {
		peer_refuse(r, p, 0, err, "not a HELLO frame of the reader link; "
		    "is this the right port?");
		return;
	}
	cw_reader_text_str(&t, "this reader speaks reader-link version ");
	cw_reader_text_dec(&t, CW_RLINK_VERSION);
	cw_reader_text_str(&t, ", the terminal version ");
	cw_reader_text_dec(&t, version);
	cw_reader_text_str(&t, version > CW_RLINK_VERSION ?
	    "; update the reader" : "; update the terminal");
	peer_refuse(r, p, 0, err, buf);
}

/* Takes bytes until HELLO is whole; returns how many of buf it used. */
static size_t
peer_data(struct cw_reader *r, struct cw_reader_peer *p, const uint8_t *buf,
    size_t len)
{
	size_t before = p->len, n = sizeof p->buf - p->len;
	struct cw_frame f;
	int total;

	if (n > len)
		n = len;
	memcpy(p->buf + p->len, buf, n);
	p->len = (uint8_t)(p->len + n);
	total = cw_frame_peek(&f, p->buf, p->len, CW_RLINK_VERSION,
	    sizeof p->buf - CW_FRAME_HDR);
	if (total == 0)
		return n;
	if (total > 0) {
		n = (size_t)total - before;
		if (!hello_take(r, p, &f))
			n = len;
	} else {
		peer_bad(r, p, total, f.version);
		n = len;
	}
	cw_wipe(p->buf, sizeof p->buf);
	return n;
}

/* Handles whole frames; returns bytes used.  Stops while an answer waits. */
static size_t
frames_take(struct cw_reader *r, const uint8_t *buf, size_t len)
{
	int conn = r->conn;
	size_t off = 0;

	while (r->linked && r->conn == conn && r->tx_held == 0) {
		struct cw_frame f;
		int n;

		n = cw_frame_peek(&f, buf + off, len - off, CW_RLINK_VERSION,
		    CW_RLINK_BODY_MAX);
		if (n == 0)
			break;
		if (n < 0) {
			cw_reader_reply_refuse(r, r->conn, 0, n,
			    cw_err_text(n));
			cw_reader_session_lost(r, false, "bad frame");
			break;
		}
		cw_reader_request(r, &f);
		off += (size_t)n;
	}
	return off;
}

/* Frames at the start of rx_mem; what they stood in is wiped. */
static size_t
rx_take(struct cw_reader *r)
{
	uint8_t *rx = r->cfg.rx_mem;
	size_t used = frames_take(r, rx, r->rx_len);

	if (used == 0 || !r->linked)
		return 0;
	memmove(rx, rx + used, r->rx_len - used);
	cw_wipe(rx + r->rx_len - used, used);
	r->rx_len -= used;
	return used;
}

static void
link_data(struct cw_reader *r, const uint8_t *buf, size_t len)
{
	size_t off = 0, n;

	r->heard_us = r->now_us;
	while (r->linked && off < len) {
		/* The fast way: frames are read where they stand. */
		if (r->rx_len == 0) {
			off += frames_take(r, buf + off, len - off);
			if (!r->linked || off == len)
				return;
		}
		n = RX_CAP - r->rx_len;
		if (n > len - off)
			n = len - off;
		memcpy(r->cfg.rx_mem + r->rx_len, buf + off, n);
		r->rx_len += n;
		off += n;
		if (rx_take(r) == 0 && n == 0 && r->linked)
			cw_reader_session_lost(r, true,
			    "terminal sends but does not read");
	}
}

void
cw_reader_session_data(struct cw_reader *r, int conn, const uint8_t *buf,
    size_t len)
{
	struct cw_reader_peer *p = peer_find(r, conn);
	size_t n;

	if (p != NULL) {
		n = peer_data(r, p, buf, len);
		buf += n;
		len -= n;
	}
	if (r->linked && r->conn == conn && len > 0)
		link_data(r, buf, len);
}

void
cw_reader_session_room(struct cw_reader *r, int conn)
{
	if (!r->linked || r->conn != conn)
		return;
	r->tx_full = false;
	cw_reader_reply_flush(r);
	if (r->linked && r->tx_held == 0)
		(void)rx_take(r);
}

void
cw_reader_session_closed(struct cw_reader *r, int conn)
{
	struct cw_reader_peer *p = peer_find(r, conn);

	if (p != NULL)
		p->used = false;
	if (r->linked && r->conn == conn)
		cw_reader_session_lost(r, false, "closed by the terminal");
}

static void
orphan_end(struct cw_reader *r)
{
	uint8_t i;

	r->orphan_us = UINT64_MAX;
	for (i = 0; i < r->cfg.slot_cnt; i++) {
		struct cw_reader_slot *s = &r->slot[i];

		cw_reader_engine_drop_all(r, s, false, CW_OUT_SKIPPED);
		if (s->running && !s->ending)
			cw_reader_engine_end(r, s, CW_OUT_TERMINAL_LOST);
		else if (s->state == CW_SLOT_IDLE)
			cw_reader_slot_off(r, s);
	}
}

void
cw_reader_session_tick(struct cw_reader *r)
{
	size_t i;

	for (i = 0; i < CW_READER_PEERS_MAX; i++)
		if (r->peer[i].used && r->now_us >= r->peer[i].due_us)
			peer_refuse(r, &r->peer[i], 0, CW_ETIMEOUT,
			    "no HELLO within 10 s of connecting");
	if (r->linked && r->now_us >= r->heard_us + r->cfg.link_dead_ms * 1000ull)
		cw_reader_session_lost(r, true, "terminal is silent");
	if (r->now_us >= r->orphan_us)
		orphan_end(r);
}

uint64_t
cw_reader_session_due(const struct cw_reader *r)
{
	uint64_t due = r->orphan_us;
	size_t i;

	for (i = 0; i < CW_READER_PEERS_MAX; i++)
		if (r->peer[i].used && r->peer[i].due_us < due)
			due = r->peer[i].due_us;
	if (r->linked && r->heard_us + r->cfg.link_dead_ms * 1000ull < due)
		due = r->heard_us + r->cfg.link_dead_ms * 1000ull;
	return due;
}
