/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PORT_CHECK_H
#define CW_PORT_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "reader/reader.h"

/*
 * What every board must hold to, by reader/port.h.  One set of expectations for
 * the host, an emulated board and hardware: the rig brings the ops, the events
 * and, if it can, the hand that moves the card.  Slot 0 is tried; a card that
 * speaks T=0 lies in it.
 */
struct cw_port_rig {
	const struct cw_reader_config *cfg;	/* ops and dev */
	void *ctx;
	/*
	 * The next event other than TICK, or false when none came in wait_ms.
	 * ev->buf lends until the next call.
	 */
	bool (*next)(void *ctx, struct cw_event *ev, uint32_t wait_ms);
	/* Puts the card in or takes it out; NULL if there is no such hand. */
	void (*card)(void *ctx, bool inserted);
	/* The terminal's end of the network, NULL if it is not tried. */
	const struct cw_port_peer *peer;
};

/* One connection at a time to the reader link's port.  The board runs meanwhile. */
struct cw_port_peer {
	void (*dial)(void *ctx);
	void (*say)(void *ctx, const uint8_t *buf, size_t len);
	/* Bytes up to cap, fewer only at the end of the stream. */
	size_t (*hear)(void *ctx, uint8_t *buf, size_t cap);
	/* Hears len bytes: how many are right, up to the first that is not.  Byte i
	 * is the number of its block of CW_PORT_BLOCK, in eight bits. */
	size_t (*hear_blocks)(void *ctx, size_t len);
	void (*hang_up)(void *ctx);
};
#define CW_PORT_BLOCK 10000u

/* Each fails the cmocka test that it is called from. */
void cw_port_check_lines(const struct cw_port_rig *rig);
void cw_port_check_dialogue(const struct cw_port_rig *rig);
void cw_port_check_abort(const struct cw_port_rig *rig);
void cw_port_check_removal(const struct cw_port_rig *rig);
void cw_port_check_store(const struct cw_port_rig *rig);
void cw_port_check_random(const struct cw_port_rig *rig);
/* Connections, and a peer that does not read. */
void cw_port_check_net(const struct cw_port_rig *rig);
void cw_port_check_room(const struct cw_port_rig *rig);

#endif
