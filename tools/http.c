/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <curl/curl.h>

#include "cw/bytes.h"

#define ANSWER_MAX (64u * 1024u * 1024u)

struct cw_http {
	CURL *curl;
	char error[CURL_ERROR_SIZE];
};

struct sink {
	struct cw_http_res *res;
	size_t cap;
};

static size_t
take_body(char *buf, size_t size, size_t n, void *arg)
{
	struct sink *s = arg;
	struct cw_http_res *res = s->res;
	size_t len = size * n;

	if (res->text_len + len + 1 > ANSWER_MAX)
		return 0;
	if (res->text_len + len + 1 > s->cap) {
		size_t cap = (s->cap + len + 1) * 2;
		char *text = realloc(res->text, cap);

		if (text == NULL)
			return 0;
		res->text = text;
		s->cap = cap;
	}
	memcpy(res->text + res->text_len, buf, len);
	res->text_len += len;
	res->text[res->text_len] = '\0';
	return len;
}

/* The token from its file, the first time that it is needed. */
static int
load_token(struct cw_cli *cli)
{
	struct stat st;
	FILE *f;

	if (cli->token[0] != '\0')
		return CW_EXIT_OK;
	if (cli->token_file[0] == '\0')
		return cw_cli_fail(CW_EXIT_DENIED, "no API token: give --token "
		    "FILE, or --config DIR of the setup");
	f = fopen(cli->token_file, "re");
	if (f == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "%s: %s; the API token is "
		    "made by cardwright setup", cli->token_file, strerror(errno));
	if (fstat(fileno(f), &st) < 0 || (st.st_mode & 077) != 0) {
		fclose(f);
		return cw_cli_fail(CW_EXIT_DENIED, "%s: others can read the "
		    "token; chmod 600 it", cli->token_file);
	}
	if (fgets(cli->token, sizeof(cli->token), f) == NULL)
		cli->token[0] = '\0';
	fclose(f);
	cli->token[strcspn(cli->token, "\r\n")] = '\0';
	if (cli->token[0] == '\0')
		return cw_cli_fail(CW_EXIT_DENIED, "%s: empty; the API token is "
		    "made by cardwright setup", cli->token_file);
	return CW_EXIT_OK;
}

static int
open_curl(struct cw_cli *cli)
{
	if (cli->http != NULL)
		return CW_EXIT_OK;
	cli->http = calloc(1, sizeof(*cli->http));
	if (cli->http == NULL)
		return cw_cli_fail(CW_EXIT_CONNECT, "out of memory");
	cli->http->curl = curl_easy_init();
	if (cli->http->curl == NULL)
		return cw_cli_fail(CW_EXIT_CONNECT, "libcurl does not start");
	return CW_EXIT_OK;
}

void
cw_cli_http_close(struct cw_cli *cli)
{
	if (cli->http != NULL) {
		curl_easy_cleanup(cli->http->curl);
		free(cli->http);
	}
	cli->http = NULL;
	cw_wipe(cli->token, sizeof(cli->token));
}

/* One list of headers; NULL when out of memory. */
static struct curl_slist *
headers(const struct cw_cli *cli, const struct cw_http_req *req)
{
	struct curl_slist *list = NULL;
	char line[256];

	snprintf(line, sizeof(line), "Authorization: Bearer %s", cli->token);
	list = curl_slist_append(list, line);
	cw_wipe(line, sizeof(line));
	if (req->body != NULL)
		list = curl_slist_append(list, "Content-Type: application/json");
	return list;
}

/* One fault of a bad order: where, what, remedy. */
static void
print_fault(const struct cw_http_req *req, const json_t *fault)
{
	const char *what = json_string_value(json_object_get(fault, "what"));
	const char *remedy = json_string_value(json_object_get(fault, "remedy"));
	const char *col = json_string_value(json_object_get(fault, "column"));
	const char *file = json_string_value(json_object_get(fault, "file"));
	json_int_t line = json_integer_value(json_object_get(fault, "line"));

	/* The user knows the file by its own name. */
	if (file != NULL && req->data != NULL && strcmp(file, "data") == 0)
		file = req->data;
	else if (file != NULL && req->cos != NULL && strcmp(file, "cos") == 0)
		file = req->cos;
	fprintf(stderr, "  %s", file != NULL ? file : "order");
	if (line > 0)
		fprintf(stderr, ":%lld", (long long)line);
	if (col != NULL && col[0] != '\0')
		fprintf(stderr, ": %s", col);
	fprintf(stderr, ": %s", what != NULL ? what : "?");
	if (remedy != NULL && remedy[0] != '\0')
		fprintf(stderr, "; %s", remedy);
	fputc('\n', stderr);
}

/* Says why the platform refused, and which exit code that is. */
static int
refused(const struct cw_cli *cli, const struct cw_http_req *req,
    const struct cw_http_res *res)
{
	const json_t *faults = json_object_get(res->json, "faults");
	const char *detail = json_string_value(json_object_get(res->json, "detail"));
	const char *title = json_string_value(json_object_get(res->json, "title"));
	const char *type = json_string_value(json_object_get(res->json, "type"));
	const json_t *fault;
	size_t i;
	int code = CW_EXIT_CONNECT;

	if (res->status == 401 || res->status == 403 || res->status == 421)
		code = CW_EXIT_DENIED;
	else if (res->status == 404 || res->status == 405 ||
	    (res->status == 400 && req->meta == NULL))
		code = CW_EXIT_USAGE;
	else if (res->status == 400 || res->status == 409 || res->status == 411 ||
	    res->status == 413 || res->status == 415 || res->status == 422)
		code = CW_EXIT_ORDER;
	if (req->quiet)
		return code;
	if (type == NULL)
		return cw_cli_fail(code, "%s answered %ld, and not as a "
		    "cardwright platform does: is the address right?",
		    cli->url, res->status);
	/* One fault that the detail tells: once, with its place. */
	if (json_array_size(faults) == 1 && detail != NULL && strcmp(detail,
	    json_string_value(json_object_get(json_array_get(faults, 0),
	    "what")) != NULL ? json_string_value(json_object_get(
	    json_array_get(faults, 0), "what")) : "") == 0)
		detail = title;
	cw_cli_fail(code, "%s (%s)", detail != NULL ? detail :
	    title != NULL ? title : "refused",
	    strrchr(type, ':') != NULL ? strrchr(type, ':') + 1 : type);
	json_array_foreach(faults, i, fault)
		print_fault(req, fault);
	return code;
}

static void
set_options(struct cw_cli *cli, const struct cw_http_req *req,
    const char *url, const char *body)
{
	CURL *c = cli->http->curl;

	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, cli->http->error);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	if (body != NULL)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	if (req->meta == NULL) {
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 60000L);
		return;
	}
	/* A file may take long: only a stall ends it. */
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 120L);
}

/* An order's parts; the platform wants them in this order. */
static curl_mime *
make_parts(struct cw_cli *cli, const struct cw_http_req *req)
{
	curl_mime *mime = curl_mime_init(cli->http->curl);
	char *meta = json_dumps(req->meta, JSON_COMPACT);
	const char *path[2] = { req->cos, req->data };
	const char *name[2] = { "cos", "data" };
	curl_mimepart *part = curl_mime_addpart(mime);

	curl_mime_name(part, "meta");
	curl_mime_type(part, "application/json");
	curl_mime_data(part, meta != NULL ? meta : "", CURL_ZERO_TERMINATED);
	free(meta);
	for (unsigned int i = 0; i < 2; i++) {
		if (path[i] == NULL)
			continue;
		part = curl_mime_addpart(mime);
		curl_mime_name(part, name[i]);
		curl_mime_filedata(part, path[i]);
		curl_mime_filename(part, name[i]);
		curl_mime_type(part, i == 0 ? "application/octet-stream" : "text/csv");
	}
	return mime;
}

/* What came of a request, in words and as an exit code. */
static int
take_answer(struct cw_cli *cli, const struct cw_http_req *req,
    struct cw_http_res *res, CURLcode err)
{
	/* A server may refuse an upload before its end: its answer counts. */
	curl_easy_getinfo(cli->http->curl, CURLINFO_RESPONSE_CODE, &res->status);
	if (err != CURLE_OK && (res->status < 300 || res->text == NULL)) {
		res->status = 0;
		if (err == CURLE_URL_MALFORMAT)
			return req->quiet ? CW_EXIT_USAGE : cw_cli_fail(
			    CW_EXIT_USAGE, "--platform %s: not an address such as "
			    "http://127.0.0.1:%d", cli->url, CW_HTTP_PORT);
		res->broken = err != CURLE_COULDNT_CONNECT &&
		    err != CURLE_COULDNT_RESOLVE_HOST;
		if (req->quiet)
			return CW_EXIT_CONNECT;
		return cw_cli_fail(CW_EXIT_CONNECT, "%s: %s; is "
		    "cardwright-platform running there? (--platform URL)", cli->url,
		    cli->http->error[0] != '\0' ? cli->http->error :
		    curl_easy_strerror(err));
	}
	if (res->text != NULL && !(req->raw && res->status < 300))
		res->json = json_loadb(res->text, res->text_len, 0, NULL);
	if (res->status >= 200 && res->status < 300)
		return CW_EXIT_OK;
	return refused(cli, req, res);
}

int
cw_cli_http(struct cw_cli *cli, const struct cw_http_req *req,
    struct cw_http_res *res)
{
	struct sink sink = { .res = res };
	struct curl_slist *list;
	char url[2048];
	char *body = NULL;
	curl_mime *mime = NULL;
	CURLcode err;
	CURL *c;
	int code;

	memset(res, 0, sizeof(*res));
	code = load_token(cli);
	if (code == CW_EXIT_OK)
		code = open_curl(cli);
	if (code != CW_EXIT_OK)
		return code;

	c = cli->http->curl;
	snprintf(url, sizeof(url), "%s%s", cli->url, req->path);
	if (req->body != NULL)
		body = json_dumps(req->body, JSON_COMPACT);
	else if (req->meta == NULL && strcmp(req->method, "POST") == 0)
		body = strdup("");
	set_options(cli, req, url, body);
	if (req->meta != NULL) {
		mime = make_parts(cli, req);
		curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
	}
	list = headers(cli, req);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &sink);
	cli->http->error[0] = '\0';
	err = curl_easy_perform(c);
	curl_slist_free_all(list);
	curl_mime_free(mime);
	free(body);

	return take_answer(cli, req, res, err);
}

void
cw_cli_http_free(struct cw_http_res *res)
{
	json_decref(res->json);
	free(res->text);
	memset(res, 0, sizeof(*res));
}

int
cw_cli_get(struct cw_cli *cli, json_t **doc, const char *fmt, ...)
{
	struct cw_http_req req = { .method = "GET" };
	struct cw_http_res res;
	char path[1024];
	va_list ap;
	int code;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	req.path = path;
	code = cw_cli_http(cli, &req, &res);
	*doc = NULL;
	if (code == CW_EXIT_OK && res.json == NULL)
		code = cw_cli_fail(CW_EXIT_CONNECT, "%s%s: the answer is not "
		    "JSON: is the address right?", cli->url, path);
	else if (code == CW_EXIT_OK)
		*doc = json_incref(res.json);
	cw_cli_http_free(&res);
	return code;
}

void
cw_cli_escape(char *out, size_t cap, const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n + 4 <= cap; text++) {
		unsigned char ch = (unsigned char)*text;

		if (isalnum(ch) || strchr("-._~", ch) != NULL)
			out[n++] = (char)ch;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X", ch);
	}
	out[n] = '\0';
}
