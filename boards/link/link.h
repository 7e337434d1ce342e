/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LINK_H
#define CW_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/port.h"

/*
 * The secured reader link: TLS 1.2 with one pre-shared key per reader, by
 * mbedTLS 2.28, between a board's network and the reader core.  The reader is
 * the server.  Suites and records: docs/spec/link-security.md.
 *
 * The board gives its network events to the link instead of to the core, and
 * the core what the link gives back; the core's struct cw_net_ops call the link.
 *
 *	cw_link_init(l, &cfg);				once
 *	cw_link_event(l, &raw, now_us);			an event of the board
 *	while (cw_link_next(l, &ev))
 *		due_us = cw_reader_event(core, &ev, now_us);
 *	... sleep until the next event, due_us or cw_link_due(l) (then TICK) ...
 *
 *	static int net_send(void *dev, int conn, const uint8_t *buf, size_t len)
 *	{
 *		return cw_link_send(((struct board *)dev)->link, conn, buf, len);
 *	}
 *
 * The core sees a connection once its peer has proved that it has the key, and
 * never a byte that was not authentic.  Does no I/O of its own, reads no clock,
 * draws random numbers only from the config's function.  Not for the plain link:
 * a board that serves one leaves this layer out.
 *
 * mbedTLS takes its memory from calloc; a board without one gives it a pool
 * first (boards/link/heap.h).
 */
#define CW_LINK_RECORD_MAX 4096		/* plain bytes of a record, both ways */
#define CW_LINK_CONNS_MAX 8
#define CW_LINK_KEY_LEN 32
#define CW_LINK_ID_MAX 31		/* without NUL */
#define CW_LINK_HANDSHAKE_MS 10000

/* Why a connection was ended by this layer. */
#define CW_LINK_WHY_MAP(X) \
	X(IDENTITY, "the terminal asks for a key identity that is not this reader's") \
	X(KEY, "the terminal's key is not this reader's: enrol it anew") \
	X(RECORD, "a record came changed, cut, out of order or twice") \
	X(PROTOCOL, "the peer does not speak TLS 1.2 with a pre-shared key") \
	X(SLOW, "the handshake took longer than 10 s") \
	X(FULL, "more connections than this reader serves") \
	X(MEMORY, "no memory for one more session")

enum cw_link_why {
#define X(name, text) CW_LINK_WHY_##name,
	CW_LINK_WHY_MAP(X)
#undef X
	CW_LINK_WHY_CNT
};
/* "KEY", ... and its sentence; "?" for none. Static. */
const char *cw_link_why_name(enum cw_link_why why);
const char *cw_link_why_text(enum cw_link_why why);

struct cw_link_config {
	/* The board's network, underneath.  Its send must not close nor call
	 * the link; what it returns 0 for is tried again after CW_EV_NET_ROOM. */
	const struct cw_net_ops *net;
	void *dev;		/* given to the functions of net and to those below */
	/* Unpredictable without the reader's key, and never the same twice over
	 * all starts of the board: true random bytes, or boards/link/rng.h. */
	void (*random)(void *dev, uint8_t *buf, size_t len);
	/* For the log; a connection that it tells of is closed. May be NULL. */
	void (*ended)(void *dev, int conn, enum cw_link_why why);
	const char *identity;	/* 1..CW_LINK_ID_MAX printable characters; copied */
	const uint8_t *key;	/* CW_LINK_KEY_LEN bytes; copied */
	/* random is true: ECDHE-PSK first, if mbedTLS was built with it, so that a
	 * key that leaks later opens no recorded link.  Costs some 25 million
	 * instructions a handshake. */
	bool forward;
	uint8_t conn_cnt;	/* 1..CW_LINK_CONNS_MAX sessions at a time */
};

struct cw_link_stats {
	uint32_t handshake_cnt;		/* complete */
	uint32_t ended_cnt[CW_LINK_WHY_CNT];
};

struct cw_link;
/* Bytes to allocate for a struct cw_link. */
size_t cw_link_size(void);

/* cfg is copied.  0, CW_EINVAL (config), CW_ENOMEM.  After an error there is
 * nothing to undo. */
int cw_link_init(struct cw_link *l, const struct cw_link_config *cfg);
/* Drops every session without a word, frees what mbedTLS holds, wipes l. */
void cw_link_fini(struct cw_link *l);

/* For every handshake from now on; sessions that are open stay. 0, CW_EINVAL. */
int cw_link_set_key(struct cw_link *l, const char *identity, const uint8_t key[CW_LINK_KEY_LEN]);

/*
 * Takes one event of the board; ev->buf is borrowed until cw_link_next has
 * returned false, which must come before the next cw_link_event.  Events that
 * are not the network's pass through.
 */
void cw_link_event(struct cw_link *l, const struct cw_event *ev, uint64_t now_us);
/* The next event for the core; its buf is good until the next call.  The core may
 * send and close meanwhile. */
bool cw_link_next(struct cw_link *l, struct cw_event *ev);
/* When CW_EV_TICK is due for the link's own sake; UINT64_MAX: never. */
uint64_t cw_link_due(const struct cw_link *l);

/*
 * What the core's struct cw_net_ops do (reader/port.h).  A send that returned 0
 * may have sent part of it: the next one on this conn must be of the same bytes.
 */
int cw_link_send(struct cw_link *l, int conn, const uint8_t *buf, size_t len);
void cw_link_close(struct cw_link *l, int conn);

/* Counters since init; valid as long as l. */
const struct cw_link_stats *cw_link_stats(const struct cw_link *l);

#endif
