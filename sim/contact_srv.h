/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_CONTACT_SRV_H
#define CW_SIM_CONTACT_SRV_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "sim/world.h"

/*
 * Server of the contact link (docs/spec/contact-link.md) on a libuv loop, over
 * the cards of one world.  One write per batch of messages.
 */
struct cw_contact_srv;

struct cw_contact_srv_config {
	uv_loop_t *loop;
	struct cw_world *world;		/* borrowed */
	uint16_t station_cnt;
	double speed;			/* 0: answer at once */
	const char *ip;
	uint16_t port;			/* 0: any free one */
};

/* NULL with err filled (port in use: names it). cfg is copied. */
struct cw_contact_srv *cw_contact_srv_open(const struct cw_contact_srv_config *cfg,
    char *err, size_t err_cap);
uint16_t cw_contact_srv_port(const struct cw_contact_srv *s);
/* Closes every connection; memory goes when the loop has run once more. */
void cw_contact_srv_close(struct cw_contact_srv *s);

#endif
