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
};

/* Each fails the cmocka test that it is called from. */
void cw_port_check_lines(const struct cw_port_rig *rig);
void cw_port_check_dialogue(const struct cw_port_rig *rig);
void cw_port_check_abort(const struct cw_port_rig *rig);
void cw_port_check_removal(const struct cw_port_rig *rig);
void cw_port_check_store(const struct cw_port_rig *rig);
void cw_port_check_random(const struct cw_port_rig *rig);

#endif
