/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CONN_PRIV_H
#define CW_CONN_PRIV_H

#include "conn.h"

/*
 * Inside of conn: what conn.c (life of a connection, wire), conn_tls.c (TLS
 * engine) and conn_hub.c (what connections of one loop share) know together.
 * An idle connection owns no buffer: everything that grows is given back when
 * it is empty, and the receive buffers belong to the hub.
 *
 * States, and who moves:
 *
 *	CONNECTING --on_connect--> HANDSHAKE --tls_step--> OPEN
 *	   |           (plain: straight to OPEN)  |          |
 *	   +------------------+-------------------+          |
 *	                      v  cw_conn_finish                 v
 *	                   LINGER: flush, shut down, discard input
 *	                      |  peer's end, or the timer
 *	                      v  conn_drop
 *	                   CLOSING: handles close; then closed(), free
 */
enum conn_state {
	CONN_CONNECTING,
	CONN_HANDSHAKE,
	CONN_OPEN,
	CONN_LINGER,
	CONN_CLOSING,
};

/* Bytes [off, len) of p wait; p NULL when empty. */
struct conn_bytes {
	uint8_t *p;
	size_t off, len, cap;
};

#define CONN_RX_CAP 65536		/* one read of the socket */
#define CONN_PLAIN_CAP 16384		/* one TLS record */
#define CONN_SPARE_CAP 262144		/* largest buffer kept for reuse */

/* Shared by all connections and listeners of one loop. */
struct conn_hub {
	struct conn_hub *next;
	uv_loop_t *loop;
	unsigned int refs;
	unsigned int closing;		/* handles whose close is awaited */
	uv_idle_t idle;			/* active while something is dirty: no sleep */
	uv_prepare_t prepare;
	uv_check_t check;
	struct cw_conn *dirty;		/* have frames to flush */
	struct conn_bytes spare;
	uint8_t rx[CONN_RX_CAP];
	uint8_t plain[CONN_PLAIN_CAP];
};

struct cw_conn {
	uv_tcp_t tcp;
	uv_timer_t timer;
	struct conn_hub *hub;
	struct cw_conn_config cfg;
	enum conn_state state;
	bool server;
	bool is_dirty;
	bool writing;			/* libuv holds `flight` */
	bool shut;			/* our direction is closed, or told to be */
	bool bye;			/* TLS close_notify is on its way */
	unsigned int handles;		/* still to be closed */
	struct cw_conn *dirty_next, *dirty_prev;

	SSL *ssl;			/* NULL on a plain link */
	const uint8_t *cipher;		/* input lent to the TLS engine */
	size_t cipher_len;

	struct conn_bytes part;		/* a frame not yet whole */
	struct conn_bytes out;		/* frames before encryption (TLS) */
	struct conn_bytes wire;		/* bytes for the socket */
	struct conn_bytes flight;	/* bytes with libuv */
	/* At most one of them is under way. */
	union {
		uv_connect_t connect;
		uv_write_t write;
		uv_shutdown_t shutdown;
	} req;

	int err;			/* told by closed */
	char *text;			/* its sentence; NULL: that of err */
	char peer[60];
};

/* conn_hub.c */
struct conn_hub *cw_conn_hub_get(uv_loop_t *loop);
void cw_conn_hub_put(struct conn_hub *hub);
void cw_conn_hub_dirty(struct cw_conn *c);
void cw_conn_hub_clean(struct cw_conn *c);
/* Appends; 0 or CW_ENOMEM. */
int cw_conn_bytes_add(struct conn_hub *hub, struct conn_bytes *b, const uint8_t *buf, size_t len);
/* Wipes and gives the memory back. */
void cw_conn_bytes_drop(struct conn_hub *hub, struct conn_bytes *b);

/* conn.c */
void cw_conn_opened(struct cw_conn *c, const char *peer);
/* Plain bytes from the peer; false when c is not open any more. */
bool cw_conn_input(struct cw_conn *c, const uint8_t *buf, size_t len);
/* Ends c: what is queued still goes out. text may be NULL. */
void cw_conn_finish(struct cw_conn *c, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Hands wire to the socket as far as it takes it. */
void cw_conn_wire(struct cw_conn *c);
/* Encrypts if need be and writes everything that waits. */
void cw_conn_flush(struct cw_conn *c);

/* conn_tls.c */
/* 0 or CW_ENOMEM */
int cw_conn_tls_start(struct cw_conn *c);
/* Cipher text from the peer (len 0: begin the handshake). */
void cw_conn_tls_input(struct cw_conn *c, const uint8_t *buf, size_t len);
/* Encrypts part of out to wire; false when nothing more can be done now. */
bool cw_conn_tls_output(struct cw_conn *c);
void cw_conn_tls_goodbye(struct cw_conn *c);

#endif
