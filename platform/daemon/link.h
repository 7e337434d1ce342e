/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_PLATFORM_LINK_H
#define CW_PLATFORM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "host/conn.h"
#include "platform/ledger.h"

/*
 * The terminals' end of the platform: TLS connections (host/conn.h) on one side,
 * the ledger core on the other.  Makes the ledger, since the ledger's messages
 * leave through it.
 */
struct cw_pf_link;

struct cw_pf_link_config {
	uv_loop_t *loop;
	SSL_CTX *tls;		/* borrowed */
	const char *listen;
	uint16_t port;
	struct cw_store *store;	/* borrowed */
	struct cw_seal *seal;	/* borrowed */
	uint64_t incarnation;
};

/* NULL with err filled. */
struct cw_pf_link *cw_pf_link_open(const struct cw_pf_link_config *cfg,
    char *err, size_t err_cap);
struct cw_ledger *cw_pf_link_ledger(struct cw_pf_link *p);
uint16_t cw_pf_link_port(const struct cw_pf_link *p);
/* Could the store record what the last turn brought? */
bool cw_pf_link_sound(const struct cw_pf_link *p);
/* Once per turn of the loop, after its input. */
void cw_pf_link_flush(struct cw_pf_link *p);
/* Every 250 ms. */
void cw_pf_link_tick(struct cw_pf_link *p);
/* Says good-bye to all; then run the loop until it is idle, and free. */
void cw_pf_link_stop(struct cw_pf_link *p);
void cw_pf_link_free(struct cw_pf_link *p);

#endif
