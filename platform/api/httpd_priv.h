/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_HTTPD_PRIV_H
#define CW_HTTPD_PRIV_H

#include <microhttpd.h>

#include "httpd.h"

/* Shared by httpd.c (connections, routing) and hreq.c (answers) only. */

#define CW_HPARAM_MAX 2
#define CW_HPARAM_CAP 128
/* A refused body up to this size is read to its end before the answer. */
#define CW_HDRAIN_MAX (16u * 1024u * 1024u)

struct cw_hwait {
	struct cw_hwait *next, **prev;
	struct MHD_Connection *conn;
	struct cw_httpd *h;
	struct cw_hstream s;
	bool waiting;
};

struct cw_httpd {
	struct cw_httpd_config cfg;
	char token[200];
	char hosts[512];	/* " name name " */
	char listen[64];
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	uv_timer_t timer;
	struct cw_hwait *waiting;	/* suspended streams */
	unsigned int open_handles;
	uint16_t port;
	bool stopping;
};

struct cw_hreq {
	struct cw_httpd *h;
	struct MHD_Connection *conn;
	const struct cw_hroute *route;
	char param[CW_HPARAM_MAX][CW_HPARAM_CAP];
	char location[200], allow[64];
	uint8_t *body;
	size_t body_len, body_cap;
	uint64_t received;	/* bytes of the body so far */
	bool begun, ran;
	bool cut;		/* answered past libmicrohttpd; it only has to end */
	struct {
		uint64_t total;		/* bytes of the body, all */
		uint64_t since_ms, since_total;	/* the period at hand, 0 = none */
		uint64_t seen_ms;
	} pace;
	void *user;
	struct MHD_Response *res;
	unsigned int status;
};

/* Puts headers on every answer and hands it to the connection. */
enum MHD_Result cw_hreq_queue(struct cw_hreq *r);

#endif
