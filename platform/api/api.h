/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_API_H
#define CW_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "order/order.h"
#include "platform/ledger.h"
#include "platform/seal.h"
#include "platform/store/store.h"

/*
 * The platform's HTTP API (docs/spec/api.md) and its page: between the server of
 * httpd.h and store, intake and ledger.  On the loop's thread throughout.
 */

/* A card profile as the intake needs it. */
struct cw_api_profile {
	uint8_t *text;		/* malloc'd; freed by the API */
	size_t len;
	struct cw_field_spec fields[CW_ORDER_COLUMNS_MAX];
	unsigned int field_cnt;
	bool has_cos, has_record;	/* what the profile can make */
};

struct cw_api_config {
	uv_loop_t *loop;
	struct cw_store *store;		/* all borrowed while the API lives */
	struct cw_seal *seal;
	struct cw_ledger *ledger;
	/* Reads a profile by name.  0; CW_ENOENT or CW_EFORMAT with err filled. */
	int (*profile)(void *ctx, const char *name, struct cw_api_profile *p,
	    char *err, size_t err_cap);
	uint64_t (*utc_ms)(void *ctx);
	/* Writes why the platform cannot serve now; returns true if it can. */
	bool (*ready)(void *ctx, char *why, size_t why_cap);
	void *ctx;
	const char *listen;
	uint16_t port;			/* 0 = any free one */
	const char *hosts;		/* see cw_httpd_config */
	const char *token;		/* copied */
	uint64_t body_max;		/* of an order with its files; 0 = 8 GiB */
	uint32_t slow_ms;		/* an upload brings CW_HPACE_BYTES in it, or
					 * is ended with 408; 0 = 10 s */
};

struct cw_api;

/* NULL with err filled. */
struct cw_api *cw_api_start(const struct cw_api_config *cfg, char *err, size_t err_cap);
uint16_t cw_api_port(const struct cw_api *a);
/* Every 500 ms or so: progress, live stream, remains of refused orders. */
void cw_api_tick(struct cw_api *a);
/* Ends connections and uploads under way; then run the loop until it is idle. */
void cw_api_stop(struct cw_api *a);

#endif
