/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STREAM_BLOCK (32u * 1024u)

void *
cw_hreq_ctx(const struct cw_hreq *r)
{
	return r->h->cfg.ctx;
}

const char *
cw_hreq_param(const struct cw_hreq *r, unsigned int idx)
{
	return idx < CW_HPARAM_MAX ? r->param[idx] : "";
}

const char *
cw_hreq_query(const struct cw_hreq *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn, MHD_GET_ARGUMENT_KIND, name);
}

const char *
cw_hreq_header(const struct cw_hreq *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

const uint8_t *
cw_hreq_body(const struct cw_hreq *r, size_t *len)
{
	*len = r->body_len;
	return r->body;
}

void *
cw_hreq_user(const struct cw_hreq *r)
{
	return r->user;
}

void
cw_hreq_set_user(struct cw_hreq *r, void *user)
{
	r->user = user;
}

bool
cw_hreq_done(const struct cw_hreq *r)
{
	return r->res != NULL;
}

/* In the middle of a body libmicrohttpd takes no answer: it is written past it,
 * onto a connection on which nothing else waits to be sent. */
static void
cut_off(struct cw_hreq *r, int fd)
{
	char body[300], text[600];
	int len = snprintf(body, sizeof(body), "{\"type\":\"urn:cardwright:error:"
	    "CW-%d\",\"title\":\"%s\",\"status\":%u,\"detail\":\"less than %u "
	    "bytes came in the last seconds: send the order again, over a faster "
	    "connection\"}", CW_PB_SLOW, cw_problem_title(CW_PB_SLOW),
	    cw_problem_status(CW_PB_SLOW), CW_HPACE_BYTES);

	len = snprintf(text, sizeof(text), "HTTP/1.1 %u Request Timeout\r\n"
	    "Content-Type: application/problem+json\r\nContent-Length: %d\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "Connection: close\r\n\r\n%s", cw_problem_status(CW_PB_SLOW), len,
	    body);
	r->cut = true;
	(void)!send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_RDWR);
}

void
cw_hreq_pace(struct cw_hreq *r, uint64_t now_ms, uint32_t period_ms)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->conn,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	/* A turn of ours that took long is no fault of the client's. */
	bool late = now_ms - r->pace.seen_ms > 1000;
	char byte;

	if (info == NULL || r->cut || r->ran)
		return;
	if (recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
		MHD_set_connection_option(r->conn, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
		return;
	}
	r->pace.seen_ms = now_ms;
	if (r->pace.since_ms == 0 || late ||
	    r->pace.total - r->pace.since_total >= CW_HPACE_BYTES) {
		r->pace.since_ms = now_ms;
		r->pace.since_total = r->pace.total;
	} else if (now_ms - r->pace.since_ms >= period_ms) {
		cut_off(r, info->connect_fd);
	}
}

void
cw_hreq_location(struct cw_hreq *r, const char *path)
{
	snprintf(r->location, sizeof(r->location), "%s", path);
}

/* The first answer counts; a later one is dropped. */
static void
set_answer(struct cw_hreq *r, unsigned int status, struct MHD_Response *res,
    const char *type)
{
	if (res == NULL)
		return;
	if (r->res != NULL) {
		MHD_destroy_response(res);
		return;
	}
	if (type != NULL)
		MHD_add_response_header(res, "Content-Type", type);
	r->status = status;
	r->res = res;
}

static void
answer_json(struct cw_hreq *r, unsigned int status, json_t *json, const char *type)
{
	static char oom[] = "{\"type\":\"urn:cardwright:error:CW-1904\","
	    "\"title\":\"Out of memory\",\"status\":503}";
	char *text = json != NULL ?
	    json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(json);
	if (text == NULL)
		set_answer(r, 503, MHD_create_response_from_buffer(
		    sizeof(oom) - 1, oom, MHD_RESPMEM_PERSISTENT),
		    "application/problem+json");
	else
		set_answer(r, status, MHD_create_response_from_buffer(
		    strlen(text), text, MHD_RESPMEM_MUST_FREE), type);
}

void
cw_hreq_json(struct cw_hreq *r, unsigned int status, json_t *json)
{
	answer_json(r, status, json, "application/json");
}

void
cw_hreq_empty(struct cw_hreq *r, unsigned int status)
{
	set_answer(r, status, MHD_create_response_from_buffer(0, NULL,
	    MHD_RESPMEM_PERSISTENT), NULL);
}

void
cw_hreq_problem_with(struct cw_hreq *r, enum cw_problem p, json_t *extra,
    const char *detail)
{
	char type[48];
	json_t *doc;

	snprintf(type, sizeof(type), "urn:cardwright:error:CW-%d", (int)p);
	doc = json_pack("{s:s, s:s, s:i}", "type", type, "title",
	    cw_problem_title(p), "status", (int)cw_problem_status(p));
	/* What came from a peer may not be UTF-8; then it is left out. */
	if (doc != NULL && detail != NULL)
		json_object_set_new(doc, "detail", json_string(detail));
	if (doc != NULL && extra != NULL)
		json_object_update(doc, extra);
	json_decref(extra);
	answer_json(r, cw_problem_status(p), doc, "application/problem+json");
	if (p == CW_PB_TOKEN_MISSING || p == CW_PB_TOKEN_WRONG)
		MHD_add_response_header(r->res, "WWW-Authenticate",
		    "Bearer realm=\"cardwright\"");
	if (r->allow[0] != '\0')
		MHD_add_response_header(r->res, "Allow", r->allow);
}

void
cw_hreq_problem(struct cw_hreq *r, enum cw_problem p, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	cw_hreq_problem_with(r, p, NULL, detail);
}

void
cw_hreq_static(struct cw_hreq *r, const char *type, const char *etag,
    const uint8_t *buf, size_t len)
{
	const char *known = cw_hreq_header(r, "If-None-Match");

	if (known != NULL && strcmp(known, etag) == 0)
		cw_hreq_empty(r, 304);
	else
		set_answer(r, 200, MHD_create_response_from_buffer(len,
		    (void *)(uintptr_t)buf, MHD_RESPMEM_PERSISTENT), type);
	MHD_add_response_header(r->res, "ETag", etag);
	MHD_add_response_header(r->res, "Cache-Control", "no-cache");
}

static ssize_t
stream_pull(void *arg, uint64_t pos, char *buf, size_t cap)
{
	struct cw_hwait *w = arg;
	ssize_t n;

	(void)pos;
	if (w->h->stopping)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = w->s.pull(w->s.user, buf, cap);
	if (n < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n > 0 || w->waiting)
		return n;

	/* Nothing now: sleep until cw_httpd_wake. */
	w->waiting = true;
	w->next = w->h->waiting;
	w->prev = &w->h->waiting;
	if (w->next != NULL)
		w->next->prev = &w->next;
	w->h->waiting = w;
	MHD_suspend_connection(w->conn);
	return 0;
}

static void
stream_free(void *arg)
{
	struct cw_hwait *w = arg;

	if (w->waiting) {
		*w->prev = w->next;
		if (w->next != NULL)
			w->next->prev = w->prev;
	}
	if (w->s.fini != NULL)
		w->s.fini(w->s.user);
	free(w);
}

void
cw_hreq_stream(struct cw_hreq *r, const char *type, const struct cw_hstream *s)
{
	struct cw_hwait *w = calloc(1, sizeof(*w));
	struct MHD_Response *res = NULL;

	if (w != NULL) {
		w->conn = r->conn;
		w->h = r->h;
		w->s = *s;
		res = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
		    STREAM_BLOCK, stream_pull, w, stream_free);
	}
	if (res == NULL) {
		free(w);
		if (s->fini != NULL)
			s->fini(s->user);
		cw_hreq_problem(r, CW_PB_MEMORY, "try again later");
		return;
	}
	set_answer(r, 200, res, type);
}

enum MHD_Result
cw_hreq_queue(struct cw_hreq *r)
{
	enum MHD_Result ok;

	if (r->res == NULL)
		cw_hreq_problem(r, CW_PB_MEMORY, "try again later");
	if (r->res == NULL)
		return MHD_NO;
	if (MHD_get_response_header(r->res, "Cache-Control") == NULL)
		MHD_add_response_header(r->res, "Cache-Control", "no-store");
	MHD_add_response_header(r->res, "Content-Security-Policy",
	    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
	    "form-action 'none'");
	MHD_add_response_header(r->res, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r->res, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(r->res, "Cross-Origin-Resource-Policy", "same-origin");
	if (r->location[0] != '\0')
		MHD_add_response_header(r->res, "Location", r->location);
	ok = MHD_queue_response(r->conn, r->status, r->res);
	MHD_destroy_response(r->res);
	r->res = NULL;
	return ok;
}
