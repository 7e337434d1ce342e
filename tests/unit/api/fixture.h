/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_TEST_API_FIXTURE_H
#define CW_TEST_API_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <uv.h>

#include "platform/api/api.h"

/*
 * A platform in process: the store in memory, ledger and API on a loop of their
 * own, and a client on a real loopback socket that is stepped with the loop, so
 * that one thread runs both ends.
 */
#define FX_TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FX_SENT_MAX 256

struct fx {
	uv_loop_t loop;
	struct cw_store *store, *inner;
	struct cw_seal *seal;
	struct cw_ledger *ledger;
	struct cw_api *api;
	bool not_ready;
	/* leases that the ledger sent to its terminals */
	struct cw_pl_lease lease[FX_SENT_MAX];
	unsigned int lease_cnt;
};

struct fx *fx_new(void);
/* With a time in which an upload must bring something, cw_api_config. */
struct fx *fx_new_slow(uint32_t slow_ms);
void fx_free(struct fx *f);
/* Lets the server work without waiting for anything. */
void fx_turn(struct fx *f);

/* A whole answer. */
struct fx_answer {
	int status;		/* 0 = the server closed without one */
	char head[4096];
	char *body;		/* NUL-terminated, chunks joined */
	size_t body_len;
	json_t *json;		/* NULL: the body is not JSON */
};
void fx_answer_free(struct fx_answer *a);
/* Value of a header of an answer, in a static buffer; NULL = absent. */
const char *fx_header(const struct fx_answer *a, const char *name);

/* Raw bytes in, answer out. step: bytes sent at a time, 0 = all. */
void fx_raw(struct fx *f, const char *buf, size_t len, size_t step,
    struct fx_answer *a);

struct fx_request {
	const char *method, *path;
	const char *token;	/* NULL = the right one, "" = none */
	const char *host;	/* NULL = 127.0.0.1 */
	const char *headers;	/* further lines, each with CRLF */
	const char *type;	/* content type of the body */
	const char *body;
	size_t body_len;	/* 0: strlen(body) */
	size_t step;
	bool chunked;
};
void fx_send(struct fx *f, const struct fx_request *r, struct fx_answer *a);
/* GET or another method without a body, with the right token. */
void fx_get(struct fx *f, const char *path, struct fx_answer *a);
void fx_post(struct fx *f, const char *path, struct fx_answer *a);

/* A connection kept open. */
int fx_connect(struct fx *f);
/* Sends what goes, turns the loop. */
void fx_put(struct fx *f, int fd, const char *buf, size_t len);
/* Reads what is there after some turns; NUL-terminated; count. */
size_t fx_take(struct fx *f, int fd, char *buf, size_t cap);

/* An order of parts; each may be NULL. */
struct fx_order {
	const char *meta, *cos, *data;
	size_t cos_len;		/* 0 = strlen */
	const char *headers;
	size_t step;
};
/* The request's bytes, malloc'd. */
char *fx_order_bytes(const struct fx_order *o, size_t *len);
void fx_submit(struct fx *f, const struct fx_order *o, struct fx_answer *a);

/* "CW-1203" of a problem's type, or "" when the answer is no problem. */
const char *fx_problem(const struct fx_answer *a);

/* A terminal on the ledger, without a link. */
void fx_terminal(struct fx *f, uint32_t conn, const char *name, uint16_t want);
void fx_result(struct fx *f, uint32_t conn, const struct cw_pl_result *res);

#endif
