/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_HOST_H
#define CW_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "reader/reader.h"

/*
 * The host board: the reader core on libuv, one slot, any number of readers on
 * one loop.
 *
 *	struct cw_host_env env = { .loop = uv_default_loop(), .log_level = 2 };
 *	h = cw_host_open(&env, &cfg, err, sizeof err);
 *	uv_run(env.loop, UV_RUN_DEFAULT);
 *	cw_host_close(h); and run the loop until it is empty
 *
 * All calls on the loop's thread.
 */
struct cw_host;

/* Shared by the readers of a process. */
struct cw_host_env {
	uv_loop_t *loop;
	int log_level;		/* 0 error .. 4 trace */
	struct cw_host *readers;	/* that answer to discovery */
	struct cw_host_disc *disc;	/* their sockets */
	char rx[65536];		/* what was read last; wiped once handled */
};

struct cw_host_config {
	const char *name;	/* for the log; NULL = the address */
	const char *listen;	/* "IP:PORT" */
	const char *card;	/* "sim:IP:PORT/STATION", "null", "vpcd:[IP:]PORT"
				 * or "pcsc:NAME" */
	uint8_t serial[16];
	uint32_t clk_hz;	/* 1e6..5e6 */
	uint32_t store_bytes;	/* 1..CW_COS_MAX */
	uint64_t boot_id;
	/* Link security (boards/link/link.h). key NULL: the plain link, which
	 * terminals use for test orders only. */
	const uint8_t *key;	/* 32 bytes; copied */
	const char *identity;	/* copied; NULL = the address in listen */
};

/* NULL with err filled (place and remedy). cfg is copied. */
struct cw_host *cw_host_open(struct cw_host_env *env,
    const struct cw_host_config *cfg, char *err, size_t err_cap);
/* Closes its handles; the memory is freed by the loop. */
void cw_host_close(struct cw_host *h);
/* The port in use: for tests that listen on port 0. */
uint16_t cw_host_port(const struct cw_host *h);

/* 0, or CW_EFORMAT; "IP:PORT", port 0..65535. */
int cw_host_addr(struct sockaddr_in *a, const char *text);
/* The same with "/STATION" (1..65535) behind it. */
int cw_host_station(struct sockaddr_in *a, uint16_t *station,
    const char *text);
/* "PORT" (on 127.0.0.1) or "IP:PORT". */
int cw_host_vpcd_addr(struct sockaddr_in *a, const char *text);
/* Is it a card that cw_host_open knows? 0, CW_EFORMAT. */
int cw_host_card_check(const char *card);

#endif
