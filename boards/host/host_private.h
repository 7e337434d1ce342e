/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_HOST_PRIVATE_H
#define CW_HOST_PRIVATE_H

#include "boards/contact/client.h"
#include "boards/link/link.h"
#include "cw/discover.h"
#include "cw/err.h"
#include "host.h"

/*
 * Inside of the host board.
 *
 *	board.c	events in and out of the core, time, store, log
 *	net.c	the terminal's connections
 *	secure.c	the TLS layer between net.c and the core
 *	discover.c	answers to who looks for readers
 *	sim.c	card back end: a station of the contact link
 *	null.c	card back end: a card that takes no time
 *	vpcd.c	card back end: a virtual card that connects
 *	pcsc.c	card back end: a PC/SC reader
 *	addr.c	addresses on the command line
 */
#define CW_HOST_CONNS 10	/* more than the secured link has sessions */
#define CW_HOST_EVENTS 32
/* What may wait for a terminal that does not read. */
#define CW_HOST_OUT_MAX 65536

struct cw_host_conn;

/* A card back end: its op table (dev is the struct cw_host) and its life. */
struct cw_host_backend {
	struct cw_card_ops ops;
	const struct cw_apdu_ops *apdu;	/* not NULL: in place of ops */
	/* Before the core asks whether there is a card; NULL: nothing to do. */
	int (*prepare)(struct cw_host *h);
	/* 0 or CW_E*; spec is the text behind "sim:", or "" */
	int (*open)(struct cw_host *h, const char *spec);
	/* After the core has settled: sends what was queued for the card. */
	void (*flush)(struct cw_host *h);
	void (*close)(struct cw_host *h);
	/* Undoes prepare, once all handles are closed. */
	void (*free)(struct cw_host *h);
};
extern const struct cw_host_backend cw_host_sim, cw_host_null, cw_host_vpcd,
    cw_host_pcsc;

/* sim.c */
struct cw_host_sim_link;
struct cw_host_sim {
	struct sockaddr_in addr;
	uint16_t station;
	struct cw_host_sim_link *link;	/* NULL: not connected */
	uv_timer_t retry;
	bool told;		/* a failure was logged already */
	struct cw_contact_client client;
};

/* null.c */
struct cw_host_null {
	bool powered;
	uint8_t ins;
	uint8_t hdr[5];
	uint8_t hdr_len;
	uint32_t data_left;	/* from the reader */
	uint32_t card;		/* inserted since start */
	uint32_t acked_cnt;
	size_t out_len, out_off;
	uint8_t out[512];
	uint8_t last_len;	/* data written last: what a read gives back */
	uint8_t last[255];
	uint8_t rx[CW_CONTACT_FIFO];
};

struct cw_host {
	struct cw_host_env *env;
	struct cw_host_config cfg;
	char name[64];
	char address[64];
	char identity[CW_LINK_ID_MAX + 1];	/* "" on a plain link */
	struct cw_reader *core;
	struct cw_link *link;	/* NULL: the plain link */
	const struct cw_host_backend *card;
	uint8_t *mem;		/* queue, rx, tx; behind core */
	uint8_t *store;
	bool busy;		/* inside the core */
	bool closing;
	unsigned int handles;	/* of this struct that are not closed yet */

	struct cw_event event[CW_HOST_EVENTS];
	unsigned int event_head, event_cnt;
	uv_timer_t timer;
	uint64_t core_due_us;	/* what the core said last */
	uint64_t armed_us;	/* when the timer fires; UINT64_MAX: never */

	struct cw_host *next;	/* in env->readers */
	struct cw_host_disc *disc_own, *disc_cast;	/* NULL: not found */
	struct cw_disc disc;

	uv_tcp_t listener;
	struct cw_host_conn *conn[CW_HOST_CONNS];
	int conn_next;		/* id of the next connection */

	struct cw_host_sim sim;
	struct cw_host_null null;
	struct cw_host_vpcd *vpcd;	/* NULL: another back end */
	struct cw_host_pcsc *pcsc;
};

/* board.c */
/* Gives the core one event and everything that follows from it. */
void cw_host_deliver(struct cw_host *h, const struct cw_event *ev);
/* For down-calls: the event is given once the core has returned. */
void cw_host_post(struct cw_host *h, const struct cw_event *ev);
/* Takes SENT to SILENT back out of the queue: for abort. */
void cw_host_unpost(struct cw_host *h);
/* From a callback of the loop: what was posted goes to the core now. */
void cw_host_pump(struct cw_host *h);
void cw_host_random(void *dev, uint8_t *buf, size_t len);
void cw_host_log(struct cw_host *h, int level, const char *event,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Close callback of the handles inside struct cw_host. */
void cw_host_handle_closed(uv_handle_t *handle);
/* Gives the shared read buffer. */
void cw_host_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);
uint64_t cw_host_now_us(void);

/* F/D and clock of ta1 for a board that can do them all. */
int cw_host_best_line(void *dev, uint8_t slot, uint8_t ta1,
    struct cw_card_line *line);

/* net.c */
int cw_host_net_open(struct cw_host *h, char *err, size_t err_cap);
void cw_host_net_flush(struct cw_host *h);
void cw_host_net_close(struct cw_host *h);
extern const struct cw_net_ops cw_host_net_ops;

/* discover.c */
void cw_host_discover_open(struct cw_host *h);
void cw_host_discover_close(struct cw_host *h);

/* secure.c */
/* 0 or CW_E*; h->cfg.key is not NULL. */
int cw_host_secure_open(struct cw_host *h);
void cw_host_secure_close(struct cw_host *h);
/* Gives the core ev, or what the link makes of it; the next deadline. */
uint64_t cw_host_secure_event(struct cw_host *h, const struct cw_event *ev);
extern const struct cw_net_ops cw_host_secure_ops;

#endif
