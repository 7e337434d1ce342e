/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CLI_HTTP_H
#define CW_CLI_HTTP_H

#include "cli.h"

/*
 * Requests of the command to the platform's API, by libcurl.  A failure is said
 * on standard error once, here, in the words of the platform's problem document;
 * the caller only passes the exit code on.
 */
struct cw_http_req {
	const char *method;	/* "GET" ... */
	const char *path;	/* from /api/v1 on, already escaped */
	json_t *meta;		/* an order: sent as multipart with the files; borrowed */
	const char *cos, *data;	/* their paths, NULL = none; streamed */
	json_t *body;		/* or this, sent as JSON; borrowed; NULL: none */
	bool quiet;		/* say nothing when it fails */
	bool raw;		/* 2xx body is text, not JSON: res->text */
};

struct cw_http_res {
	long status;		/* 0 = no answer */
	bool broken;		/* no answer, though the request may have arrived */
	json_t *json;		/* of the body, NULL if none; also of a problem */
	char *text;		/* of the body, NUL-terminated */
	size_t text_len;
};

/* CW_EXIT_OK for 2xx, else the exit code that fits. Free res either way.
 * quiet also keeps silent about a missing token. */
int cw_cli_http(struct cw_cli *cli, const struct cw_http_req *req,
    struct cw_http_res *res);
void cw_cli_http_free(struct cw_http_res *res);
void cw_cli_http_close(struct cw_cli *cli);

/* GET path, JSON: the document in *doc (to be freed), or an exit code. */
int cw_cli_get(struct cw_cli *cli, json_t **doc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Percent-encodes text for a path or query; out holds 3 * len + 1 bytes. */
void cw_cli_escape(char *out, size_t cap, const char *text);

#endif
