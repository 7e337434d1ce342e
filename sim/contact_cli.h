/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_CONTACT_CLI_H
#define CW_SIM_CONTACT_CLI_H

#include <stddef.h>
#include <stdint.h>

#include "sim/args.h"
#include "sim/modbus_srv.h"

/*
 * Mechanics side of the contact link: the simulated handler's hands.  Connects
 * and connects again by itself; what is asked while there is no connection is
 * not kept: `up` tells when to ask again.  Stations count from 0.
 */
struct cw_contact_cli_cb {
	void (*up)(void *ctx);
	/* err: 0 or negative CW_E* */
	void (*fed)(void *ctx, uint16_t station, uint32_t card_no, int err);
	void (*binned)(void *ctx, uint16_t station, uint32_t card_no, uint8_t bin);
	void (*lost)(void *ctx, uint16_t station);
	void *ctx;
};

struct cw_contact_cli;
/* NULL when out of memory. */
struct cw_contact_cli *cw_contact_cli_open(int epoll_fd, const struct cw_args_addr *to,
    const struct cw_contact_cli_cb *cb);
void cw_contact_cli_close(struct cw_contact_cli *c);
/* Collected; sent by flush. */
void cw_contact_cli_feed(struct cw_contact_cli *c, uint16_t station, uint32_t card_no);
void cw_contact_cli_bin(struct cw_contact_cli *c, uint16_t station, uint8_t bin);
void cw_contact_cli_flush(struct cw_contact_cli *c);
/* Tries to connect when it is time to; returns when to call again. */
uint64_t cw_contact_cli_step(struct cw_contact_cli *c, uint64_t now_us);

#endif
