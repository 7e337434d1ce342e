/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_MODBUS_SRV_H
#define CW_SIM_MODBUS_SRV_H

#include <stddef.h>
#include <stdint.h>

/*
 * Modbus/TCP server over two register tables, for several clients, in somebody
 * else's epoll loop.  Requests are collected without blocking and answered by
 * libmodbus; a request that does not hold together is answered by an exception
 * or, when even its length cannot be trusted, by closing the connection.
 */
struct cw_modbus_srv;

/* What an epoll event's data.ptr points to. */
struct cw_watch {
	void (*fn)(struct cw_watch *w, uint32_t events);
	void *ctx;
	int fd;
};

struct cw_modbus_srv_config {
	int epoll_fd;
	const char *ip;
	uint16_t port;
	uint16_t *hold, *input;		/* borrowed */
	uint16_t hold_cnt, input_cnt;
	void (*written)(void *ctx);	/* after each request that wrote */
	void *ctx;
};

/* NULL with err filled (port in use: names it). */
struct cw_modbus_srv *cw_modbus_srv_open(const struct cw_modbus_srv_config *cfg,
    char *err, size_t err_cap);
void cw_modbus_srv_close(struct cw_modbus_srv *s);
/* Frees clients that went away: call after each round of events. */
void cw_modbus_srv_sweep(struct cw_modbus_srv *s);

#endif
