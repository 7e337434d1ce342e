/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "../unit/link/peer.h"
#include "cw/err.h"

#ifdef TEST_FIRMWARE_CONFIG
#include <mbedtls/platform.h>
#endif

/*
 * The secured reader link against whoever connects, through mbedTLS.  The first
 * byte says how far an honest client (OpenSSL, with the right key) gets before
 * the rest of the input takes its place:
 *
 *	bits 0, 1	0 nothing, 1 its hello, 2 its whole handshake,
 *			3 one of its records, changed on the way
 *	bit 6		the board has no room at every fourth send
 *	bit 7		ECDHE-PSK where mbedTLS has it
 *
 * The rest is a list of u8 length and bytes: what comes in one piece.  Mode 3
 * begins with u8 where, u8 what to change, u8 length and bytes of the record.
 * Nothing that the client did not send may reach the core, and nothing at all
 * before the handshake is over.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	const uint8_t *p;
	size_t len;
};

static struct rig rig;

static uint8_t
byte(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->p++;
}

static size_t
piece(struct input *in, const uint8_t **p)
{
	size_t n = byte(in);

	if (n > in->len)
		n = in->len;
	*p = in->p;
	in->p += n;
	in->len -= n;
	return n;
}

/* One flight of the client, as far as it has one. */
static void
flight(struct peer *p)
{
	uint8_t buf[4096];
	size_t n;

	SSL_do_handshake(p->ssl);
	n = peer_take(p, buf, sizeof buf);
	if (n > 0)
		rig_data(&rig, p->conn, buf, n);
	if (p->raw_len > 0)
		BIO_write(p->in, p->raw, (int)p->raw_len);
	p->raw_len = 0;
}

static void
changed_record(struct peer *p, struct input *in)
{
	uint8_t where = byte(in), what = byte(in), buf[512];
	const uint8_t *plain;
	size_t n = piece(in, &plain), before = p->got_len;

	if (!p->core_open || n == 0 || SSL_write(p->ssl, plain, (int)n) <= 0)
		return;
	n = peer_take(p, buf, sizeof buf);
	buf[where % n] ^= what;
	rig_data(&rig, p->conn, buf, n);
	CW_ASSERT(what == 0 || p->got_len == before);
}

static void
no_room_at_fourth(void)
{
	struct cw_event room = { .kind = CW_EV_NET_ROOM };

	if (rig.refused && !rig.peer[0].gone) {
		rig.refused = false;
		rig.refuse_at = rig.send_cnt + 4;
		rig_event(&rig, &room);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	uint8_t mode = byte(&in);
	const uint8_t *p;
	struct peer *c;
	size_t n, honest;
	int i;

#ifdef TEST_FIRMWARE_CONFIG
	mbedtls_platform_set_calloc_free(calloc, free);
#endif
	rig_init(&rig, (mode & 0x80) != 0, 1);
	c = peer_open(&rig, 0, "reader-1", peer_key);
	if ((mode & 0x40) != 0)
		rig.refuse_at = 3;
	for (i = 0; i < ((mode & 3) == 1 ? 1 : (mode & 3) != 0 ? 4 : 0); i++) {
		flight(c);
		no_room_at_fourth();
	}
	if ((mode & 3) == 3)
		changed_record(c, &in);
	honest = c->got_len;
	while (in.len > 0 && !c->gone) {
		n = piece(&in, &p);
		rig_data(&rig, 0, p, n);
		no_room_at_fourth();
	}
	CW_ASSERT(c->got_len == honest);
	CW_ASSERT(c->core_open || c->got_len == 0);
	CW_ASSERT((mode & 3) >= 2 || !c->core_open);
	if (c->core_open && !c->core_closed)
		(void)cw_link_send(rig.link, 0, data, len);
	rig_fini(&rig);
	ERR_clear_error();
	return 0;
}
