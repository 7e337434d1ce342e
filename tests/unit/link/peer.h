/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_LINK_PEER_H
#define TEST_LINK_PEER_H

#include <openssl/ssl.h>

#include "boards/link/link.h"

/*
 * A link between a fake network and a fake core, and OpenSSL clients in memory
 * as its peers.  Nothing is sent by itself: peer_pump moves what waits.
 */
#define PEER_CONNS 4
#define PEER_BYTES 131072

struct peer {
	struct rig *rig;
	int conn;
	SSL *ssl;
	BIO *in, *out;			/* the client's: from and to the link */
	const char *identity;
	const uint8_t *key;
	bool gone;			/* the link closed underneath */
	bool core_open, core_closed;	/* what the core was told */
	size_t raw_len;			/* from the link, on its way to the client */
	size_t got_len;			/* plain bytes that the core got */
	uint8_t raw[PEER_BYTES];	/* from here on not cleared */
	uint8_t got[PEER_BYTES];
};

struct rig {
	struct cw_link *link;
	uint64_t now_us;
	uint64_t random;		/* counter: never the same twice */
	long refuse_at;			/* n-th raw send says "no room", -1 none */
	long send_cnt;
	bool refused;
	enum cw_link_why why;		/* last one told */
	unsigned int why_cnt;
	bool close_on_data;		/* the core closes in its down-call */
	struct peer peer[PEER_CONNS];
};

extern const uint8_t peer_key[CW_LINK_KEY_LEN];

/* identity "reader-1", peer_key, conns sessions. */
void rig_init(struct rig *r, bool forward, uint8_t conns);
void rig_fini(struct rig *r);
/* One event and all that follows from it. */
void rig_event(struct rig *r, const struct cw_event *ev);
void rig_data(struct rig *r, int conn, const uint8_t *buf, size_t len);

/* Connects as conn (0..PEER_CONNS - 1): the TCP connection only. */
struct peer *peer_open(struct rig *r, int conn, const char *identity, const uint8_t *key);
/* Moves bytes both ways until nothing moves. 1 handshake done, 0 not yet, -1 failed. */
int peer_pump(struct peer *p);
/* What the client wants to send, taken out of its way; length. */
size_t peer_take(struct peer *p, uint8_t *buf, size_t cap);
void peer_close(struct peer *p);

#endif
