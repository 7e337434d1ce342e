/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cw/bytes.h"
#include "cw/err.h"

#define CONN_MEMORY (32u * 1024u)

/* Is word (len bytes, any case) one of the words of " a b c "? */
static bool
in_list(const char *list, const char *word, size_t len)
{
	const char *p = list != NULL ? list : "";

	while (*p != '\0') {
		size_t n = strcspn(p, " ");

		if (n == len && n > 0 && strncasecmp(p, word, len) == 0)
			return true;
		p += n;
		p += *p == ' ';
	}
	return false;
}

/* Host must be one of our names: a page of another site whose name was rebound
 * to this address still sends that name. */
static bool
host_ok(const struct cw_hreq *r)
{
	const char *host = cw_hreq_header(r, "Host");
	const char *colon;
	size_t len;

	if (host == NULL)
		return false;
	colon = strrchr(host, ':');
	if (host[0] == '[' && strchr(host, ']') != NULL)
		colon = strchr(host, ']')[1] == ':' ? strchr(host, ']') + 1 : NULL;
	len = colon != NULL ? (size_t)(colon - host) : strlen(host);
	return in_list(r->h->hosts, host, len);
}

static bool
token_ok(struct cw_hreq *r)
{
	const char *auth = cw_hreq_header(r, "Authorization");
	char given[sizeof(r->h->token)] = { 0 };
	bool ok;

	if (auth == NULL || strncasecmp(auth, "Bearer ", 7) != 0) {
		cw_hreq_problem(r, CW_PB_TOKEN_MISSING, "send the header "
		    "'Authorization: Bearer TOKEN' with the token that "
		    "cardwright setup wrote to api.token");
		return false;
	}
	/* Both are compared in full whatever the length of the one given. */
	snprintf(given, sizeof(given), "%s", auth + 7);
	ok = cw_equal_ct(given, r->h->token, sizeof(given));
	cw_wipe(given, sizeof(given));
	if (!ok)
		cw_hreq_problem(r, CW_PB_TOKEN_WRONG, "use the token in the file "
		    "that [http] token of the platform's configuration names");
	return ok;
}

/* Matches a path; the segments for * go to r->param. */
static bool
path_match(struct cw_hreq *r, const char *pattern, const char *path)
{
	unsigned int idx = 0;

	while (*pattern != '\0') {
		size_t len;

		if (*pattern != '*') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		len = strcspn(path, "/");
		if (len == 0 || len >= CW_HPARAM_CAP || idx == CW_HPARAM_MAX)
			return false;
		memcpy(r->param[idx], path, len);
		r->param[idx++][len] = '\0';
		pattern++;
		path += len;
	}
	return *path == '\0';
}

static bool
find_route(struct cw_hreq *r, const char *method, const char *path)
{
	const struct cw_httpd_config *cfg = &r->h->cfg;

	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (size_t i = 0; i < cfg->route_cnt; i++) {
		const struct cw_hroute *rt = &cfg->routes[i];
		size_t n = strlen(r->allow);

		if (!path_match(r, rt->path, path))
			continue;
		if (strcmp(rt->method, method) == 0) {
			r->route = rt;
			r->allow[0] = '\0';
			return true;
		}
		snprintf(r->allow + n, sizeof(r->allow) - n, "%s%s",
		    n > 0 ? ", " : "", rt->method);
	}
	if (r->allow[0] != '\0')
		cw_hreq_problem(r, CW_PB_METHOD, "methods here: %s", r->allow);
	else
		cw_hreq_problem(r, CW_PB_NO_ROUTE, "docs/spec/api.md lists all "
		    "resources");
	return false;
}

static enum MHD_Result
check_query(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct cw_hreq *r = arg;

	(void)kind;
	if (!in_list(r->route->query, key, strlen(key)) || value == NULL) {
		cw_hreq_problem(r, CW_PB_QUERY, "unknown query argument; known "
		    "here:%s", r->route->query != NULL ? r->route->query : " none");
		return MHD_NO;
	}
	return MHD_YES;
}

/* Content type and announced length against the route. */
static void
check_body(struct cw_hreq *r)
{
	const char *type = cw_hreq_header(r, "Content-Type");
	const char *length = cw_hreq_header(r, "Content-Length");
	unsigned long long len = length != NULL ? strtoull(length, NULL, 10) : 0;
	bool has_body = len > 0 ||
	    cw_hreq_header(r, "Transfer-Encoding") != NULL;

	if (r->route->types == NULL) {
		if (has_body)
			cw_hreq_problem(r, CW_PB_TOO_LARGE, "no body is taken here");
		return;
	}
	if (!has_body)
		cw_hreq_problem(r, CW_PB_BODY_MISSING, "content types taken "
		    "here:%s", r->route->types);
	else if (type == NULL || !in_list(r->route->types, type,
	    strcspn(type, "; ")))
		cw_hreq_problem(r, CW_PB_TYPE, "content types taken here:%s",
		    r->route->types);
	else if (len > r->route->body_max)
		cw_hreq_problem(r, CW_PB_TOO_LARGE, "at most %llu bytes are taken "
		    "here", (unsigned long long)r->route->body_max);
}

/* The headers are in: everything that can be refused now is refused now. */
static void
request_begin(struct cw_hreq *r, const char *method, const char *path)
{
	if (!host_ok(r)) {
		cw_hreq_problem(r, CW_PB_HOST, "ask for this server by its address "
		    "or by a name that [http] hosts of its configuration lists");
		return;
	}
	if (!find_route(r, method, path))
		return;
	if ((r->route->flags & CW_HR_OPEN) == 0 && !token_ok(r))
		return;
	MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND, check_query, r);
	if (r->res == NULL)
		check_body(r);
	if (r->res == NULL && r->route->begin != NULL) {
		r->begun = true;
		r->route->begin(r);
	}
}

static void
collect(struct cw_hreq *r, const char *buf, size_t len)
{
	if (r->body_len + len > r->body_cap) {
		size_t cap = (r->body_len + len) * 2;
		uint8_t *body = malloc(cap);

		if (body == NULL) {
			cw_hreq_problem(r, CW_PB_MEMORY, "try again later");
			return;
		}
		/* Not realloc: card numbers would stay behind in what it frees. */
		if (r->body != NULL) {
			memcpy(body, r->body, r->body_len);
			cw_wipe(r->body, r->body_cap);
		}
		free(r->body);
		r->body = body;
		r->body_cap = cap;
	}
	memcpy(r->body + r->body_len, buf, len);
	r->body_len += len;
}

/* More of the body. False: the client sends without end; cut it off. */
static bool
request_data(struct cw_hreq *r, const char *buf, size_t len)
{
	r->received += len;
	r->pace.total += len;
	if (r->cut)
		return false;
	if (r->res == NULL && r->received > r->route->body_max) {
		cw_hreq_problem(r, CW_PB_TOO_LARGE, "at most %llu bytes are taken "
		    "here", (unsigned long long)r->route->body_max);
		r->received = 0;
	}
	if (r->res != NULL)
		return r->received <= CW_HDRAIN_MAX;
	if (r->route->chunk != NULL)
		r->route->chunk(r, (const uint8_t *)buf, len);
	else
		collect(r, buf, len);
	/* From a refusal on, the bytes yet to come count anew. */
	if (r->res != NULL)
		r->received = 0;
	return true;
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *conn, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **con)
{
	struct cw_hreq *r = *con;

	(void)version;
	if (r == NULL) {
		const char *length = MHD_lookup_connection_value(conn,
		    MHD_HEADER_KIND, "Content-Length");
		const char *expect = MHD_lookup_connection_value(conn,
		    MHD_HEADER_KIND, "Expect");

		r = calloc(1, sizeof(*r));
		if (r == NULL)
			return MHD_NO;
		*con = r;
		r->h = arg;
		r->conn = conn;
		request_begin(r, method, url);

		/* Answer at once when the body is not on its way yet, or is
		 * too long to be read for politeness. */
		if (r->res != NULL && (expect != NULL || (length != NULL &&
		    strtoull(length, NULL, 10) > CW_HDRAIN_MAX)))
			return cw_hreq_queue(r);
		return MHD_YES;
	}
	if (*len > 0) {
		bool go_on = request_data(r, data, *len);

		*len = 0;
		return go_on ? MHD_YES : MHD_NO;
	}
	if (r->res == NULL && !r->ran) {
		r->ran = true;
		r->route->run(r);
	}
	return cw_hreq_queue(r);
}

static void
on_completed(void *arg, struct MHD_Connection *conn, void **con,
    enum MHD_RequestTerminationCode code)
{
	struct cw_hreq *r = *con;

	(void)arg;
	(void)conn;
	(void)code;
	if (r == NULL)
		return;
	if (r->begun && r->route->end != NULL)
		r->route->end(r);
	if (r->res != NULL)
		MHD_destroy_response(r->res);
	if (r->body != NULL)
		cw_wipe(r->body, r->body_cap);
	free(r->body);
	free(r);
	*con = NULL;
}

static void pump(struct cw_httpd *h);

static void
on_poll(uv_poll_t *p, int status, int events)
{
	(void)status;
	(void)events;
	pump(p->data);
}

static void
on_timer(uv_timer_t *t)
{
	pump(t->data);
}

/* Lets the server work, and asks when it wants to work again. */
static void
pump(struct cw_httpd *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (h->stopping)
		return;
	MHD_run(h->mhd);
	if (MHD_get_timeout(h->mhd, &ms) == MHD_YES)
		uv_timer_start(&h->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&h->timer);
}

static void
resume_all(struct cw_httpd *h)
{
	struct cw_hwait *w;

	while ((w = h->waiting) != NULL) {
		h->waiting = w->next;
		if (w->next != NULL)
			w->next->prev = &h->waiting;
		w->waiting = false;
		MHD_resume_connection(w->conn);
	}
}

void
cw_httpd_wake(struct cw_httpd *h)
{
	resume_all(h);
	pump(h);
}

/* A listening socket of our own, so that a failure has a name and port 0 works. */
static int
open_socket(struct cw_httpd *h, char *err, size_t err_cap)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	socklen_t len = sizeof(*in4);
	int fd, on = 1;

	if (inet_pton(AF_INET, h->cfg.listen, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(h->cfg.port);
	} else if (inet_pton(AF_INET6, h->cfg.listen, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(h->cfg.port);
		len = sizeof(*in6);
	} else {
		snprintf(err, err_cap, "[http] listen: %s is not an IP address; "
		    "127.0.0.1 is the usual one", h->cfg.listen);
		return -1;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) < 0) {
		snprintf(err, err_cap, "[http] listen %s port %u: %s%s",
		    h->cfg.listen, h->cfg.port, strerror(errno),
		    errno == EADDRINUSE ? "; another program has it: stop that "
		    "one, or set another port" : "");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	h->port = ntohs(ss.ss_family == AF_INET ? in4->sin_port : in6->sin6_port);
	return fd;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct cw_httpd *h = handle->data;

	if (--h->open_handles == 0)
		free(h);
}

static int
attach(struct cw_httpd *h, char *err, size_t err_cap)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd,
	    MHD_DAEMON_INFO_EPOLL_FD);
	int e;

	if (info == NULL) {
		snprintf(err, err_cap, "libmicrohttpd was built without epoll");
		return CW_EUNSUPPORTED;
	}
	e = uv_poll_init(h->cfg.loop, &h->poll, info->epoll_fd);
	if (e < 0) {
		snprintf(err, err_cap, "event loop: %s", uv_strerror(e));
		return CW_EIO;
	}
	uv_timer_init(h->cfg.loop, &h->timer);
	h->poll.data = h;
	h->timer.data = h;
	h->open_handles = 2;
	uv_poll_start(&h->poll, UV_READABLE, on_poll);
	return 0;
}

struct cw_httpd *
cw_httpd_start(const struct cw_httpd_config *cfg, char *err, size_t err_cap)
{
	struct cw_httpd *h = calloc(1, sizeof(*h));
	int fd;

	if (h == NULL) {
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	h->cfg = *cfg;
	snprintf(h->token, sizeof(h->token), "%s", cfg->token);
	snprintf(h->listen, sizeof(h->listen), "%s", cfg->listen);
	h->cfg.listen = h->listen;
	snprintf(h->hosts, sizeof(h->hosts), " 127.0.0.1 localhost [::1] %s [%s] %s ",
	    cfg->listen, cfg->listen, cfg->hosts != NULL ? cfg->hosts : "");
	fd = open_socket(h, err, err_cap);
	if (fd < 0) {
		free(h);
		return NULL;
	}

	h->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0,
	    NULL, NULL, on_access, h,
	    MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONN_MEMORY,
	    MHD_OPTION_CONNECTION_LIMIT, cfg->conn_max != 0 ? cfg->conn_max : 256u,
	    MHD_OPTION_CONNECTION_TIMEOUT, cfg->idle_s != 0 ? cfg->idle_s : 30u,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
	    MHD_OPTION_END);
	if (h->mhd == NULL) {
		snprintf(err, err_cap, "libmicrohttpd does not start");
		close(fd);
		free(h);
		return NULL;
	}
	if (attach(h, err, err_cap) < 0) {
		MHD_stop_daemon(h->mhd);
		free(h);
		return NULL;
	}
	pump(h);
	return h;
}

uint16_t
cw_httpd_port(const struct cw_httpd *h)
{
	return h->port;
}

void
cw_httpd_stop(struct cw_httpd *h)
{
	if (h == NULL)
		return;
	/* Streams end now, so that no connection is left suspended. */
	h->stopping = true;
	resume_all(h);
	MHD_run(h->mhd);
	uv_poll_stop(&h->poll);
	uv_timer_stop(&h->timer);
	MHD_stop_daemon(h->mhd);
	uv_close((uv_handle_t *)&h->poll, on_handle_closed);
	uv_close((uv_handle_t *)&h->timer, on_handle_closed);
}
