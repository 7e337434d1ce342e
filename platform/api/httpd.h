/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_HTTPD_H
#define CW_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>
#include <uv.h>

#include "problems.h"

/*
 * An HTTP/1.1 server on a libuv loop, by libmicrohttpd, whose epoll descriptor
 * the loop polls: one thread, no lock.  It knows routes, tokens, limits and the
 * forms of answers; it knows nothing of orders.
 *
 * What it sees to for every request, before a handler runs: the Host header is
 * one of ours (a rebound name cannot reach us through a browser), the token
 * (compared in constant time), path, method, query names, content type, size.
 *
 * A handler that refuses in the middle of an upload still lets the body run out
 * (up to a limit), so that the client reads the answer and not a reset.
 */
struct cw_httpd;
struct cw_hreq;

enum {
	CW_HR_OPEN = 1,		/* answered without a token */
};

struct cw_hroute {
	const char *method;	/* "GET" also answers HEAD */
	const char *path;	/* a segment that is * stands for any one */
	unsigned int flags;
	const char *query;	/* names of query arguments taken, " a b "; NULL: none */
	const char *types;	/* content types of a body, " a b "; NULL: no body */
	uint64_t body_max;	/* bytes */
	/* With chunk: the body is streamed to it and never collected.
	 * begin is called when the headers are in; both may refuse with
	 * cw_hreq_problem. */
	void (*begin)(struct cw_hreq *r);
	void (*chunk)(struct cw_hreq *r, const uint8_t *buf, size_t len);
	/* The request is whole: must answer. Not called after a refusal. */
	void (*run)(struct cw_hreq *r);
	/* Always called once at the end of a request whose begin was called,
	 * also when the client broke off. */
	void (*end)(struct cw_hreq *r);
};

struct cw_httpd_config {
	uv_loop_t *loop;
	const char *listen;		/* IPv4 or IPv6 address */
	uint16_t port;			/* 0: any free one */
	const char *hosts;		/* further names allowed in Host, " a b "; NULL */
	const char *token;		/* copied */
	const struct cw_hroute *routes;	/* borrowed */
	size_t route_cnt;
	void *ctx;
	unsigned int conn_max;		/* 0 = 256 */
	unsigned int idle_s;		/* 0 = 30 */
};

/* NULL with err filled: what is wrong and the remedy. */
struct cw_httpd *cw_httpd_start(const struct cw_httpd_config *cfg,
    char *err, size_t err_cap);
uint16_t cw_httpd_port(const struct cw_httpd *h);
/* Ends all connections; the loop must run once more for its handles to close. */
void cw_httpd_stop(struct cw_httpd *h);
/* Asks again every stream that gave 0 bytes, and looks at time limits. */
void cw_httpd_wake(struct cw_httpd *h);

/* What a handler may ask of its request. */
void *cw_hreq_ctx(const struct cw_hreq *r);
/* Segment of the path that stood for the idx-th *; lives as long as r. */
const char *cw_hreq_param(const struct cw_hreq *r, unsigned int idx);
const char *cw_hreq_query(const struct cw_hreq *r, const char *name);
const char *cw_hreq_header(const struct cw_hreq *r, const char *name);
const uint8_t *cw_hreq_body(const struct cw_hreq *r, size_t *len);
/* Free for the handlers of one request. */
void *cw_hreq_user(const struct cw_hreq *r);
void cw_hreq_set_user(struct cw_hreq *r, void *user);
/* Has it been answered or refused already? */
bool cw_hreq_done(const struct cw_hreq *r);

/*
 * Looks after a request whose body is on its way; to be called every second or
 * oftener.  A client that brings less than CW_HPACE_BYTES in period_ms is told so
 * (408 SLOW) and cut off: byte by byte it could hold its place for ever.  A
 * client that has hung up unnoticed is ended: libmicrohttpd misses an end that
 * came in one event with data, and would wait out its idle time.
 */
#define CW_HPACE_BYTES 10240u
void cw_hreq_pace(struct cw_hreq *r, uint64_t now_ms, uint32_t period_ms);

/* Answers; the first one counts. json is taken; NULL answers MEMORY. */
void cw_hreq_json(struct cw_hreq *r, unsigned int status, json_t *json);
void cw_hreq_empty(struct cw_hreq *r, unsigned int status);
void cw_hreq_problem(struct cw_hreq *r, enum cw_problem p, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As problem, with members of extra (taken) beside the standard ones. */
void cw_hreq_problem_with(struct cw_hreq *r, enum cw_problem p,
    json_t *extra, const char *detail);
/* Bytes that live as long as the program; answers 304 when etag is known. */
void cw_hreq_static(struct cw_hreq *r, const char *type, const char *etag,
    const uint8_t *buf, size_t len);
/* Location header of the answer to come; copied. */
void cw_hreq_location(struct cw_hreq *r, const char *path);

/*
 * An answer of unknown length.  pull writes up to cap bytes and returns how
 * many; 0: nothing now, ask again after cw_httpd_wake; -1: the end.
 * fini is called once.
 */
struct cw_hstream {
	ssize_t (*pull)(void *user, char *buf, size_t cap);
	void (*fini)(void *user);
	void *user;
};
void cw_hreq_stream(struct cw_hreq *r, const char *type, const struct cw_hstream *s);

/*
 * A multipart/form-data body (RFC 7578), part by part in constant memory.
 * part is called with pieces of a part's content; off counts from its start, so
 * that off 0 begins a part (also an empty one).  It may refuse the request.
 */
struct cw_hparts;
struct cw_hpiece {
	const char *name;	/* of the part; never NULL; borrowed */
	uint64_t off;
	const uint8_t *buf;	/* borrowed */
	size_t len;
};
/* NULL: already answered (no boundary, out of memory). */
struct cw_hparts *cw_hparts_open(struct cw_hreq *r,
    void (*part)(void *user, const struct cw_hpiece *p), void *user);
/* False: already answered (malformed). */
bool cw_hparts_feed(struct cw_hparts *p, const uint8_t *buf, size_t len);
/* Frees; false when the body had not come to its end. NULL is harmless. */
bool cw_hparts_close(struct cw_hparts *p);

#endif
