/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_DEVLINK_H
#define CW_DEVLINK_H

#include <stdint.h>

#include <uv.h>

#include "terminal/devlink/map.h"

/*
 * The device link's shell: a Modbus/TCP client in a thread of its own, because
 * libmodbus blocks.  Commands go to the thread by a queue, readings come back
 * on the loop.  All calls and callbacks on the loop's thread.
 *
 * The thread connects, reads version and station count, polls, reconnects.
 * Commands given while the device is down are dropped: who gave them sees
 * up == false and gives them again (the sequence makes that harmless).
 */
struct cw_devlink;

struct cw_devlink_config {
	uv_loop_t *loop;
	const struct cw_devmap *map;	/* borrowed while the link lives */
	const char *ip;			/* IPv4 or IPv6; copied */
	uint16_t port;			/* 502 */
	uint16_t station_min;		/* stations that the line needs; fewer = down, told why */
	/* A reading that differs from the one before; v borrowed for the call.
	 * why: "" or the reason for v->up being false. */
	void (*view)(void *ctx, const struct cw_dev_view *v, const char *why);
	/* The link is closed and freed; may be NULL. */
	void (*closed)(void *ctx);
	void *ctx;
};

/* Starts the thread. NULL with err filled. */
struct cw_devlink *cw_devlink_open(const struct cw_devlink_config *cfg, char *err, size_t err_cap);
/* 0; CW_ECLOSED while the device is down; CW_EFULL. */
int cw_devlink_cmd(struct cw_devlink *l, const struct cw_dev_cmd *c);
/* The machine's bits as they are to stand (CW_DEVBIT_*); kept over reconnections. */
int cw_devlink_bits(struct cw_devlink *l, uint8_t bits);
/* Ends the thread (within one answer's timeout) and frees; closed follows. */
void cw_devlink_close(struct cw_devlink *l);

#endif
