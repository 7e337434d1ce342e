/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "cli.h"
#include "cw/bytes.h"
#include "http.h"
#include "json.h"

#define COS_FILE_MAX (16ll * 1024 * 1024)
#define DATA_FILE_MAX (8000ll * 1024 * 1024)
#define TRIES 3

/* SHA-256 of a file in hex; an exit code when it cannot be sent. */
static int
digest_file(const char *path, int64_t max, const char *remedy, char hex[65])
{
	static uint8_t buf[256 * 1024];
	EVP_MD_CTX *md;
	uint8_t raw[EVP_MAX_MD_SIZE];
	struct stat st;
	FILE *f;
	size_t n;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return cw_cli_fail(CW_EXIT_USAGE, "%s: not a file", path);
	f = fopen(path, "re");
	if (f == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "%s: %s", path, strerror(errno));
	if (st.st_size > max) {
		fclose(f);
		return cw_cli_fail(CW_EXIT_ORDER, "%s: %lld bytes, and at most "
		    "%lld are taken; %s", path, (long long)st.st_size,
		    (long long)max, remedy);
	}
	md = EVP_MD_CTX_new();
	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		EVP_DigestUpdate(md, buf, n);
	EVP_DigestFinal_ex(md, raw, NULL);
	EVP_MD_CTX_free(md);
	cw_hex(hex, raw, 32);
	cw_wipe(buf, sizeof(buf));
	n = (size_t)ferror(f);
	fclose(f);
	if (n != 0)
		return cw_cli_fail(CW_EXIT_USAGE, "%s: %s", path, strerror(errno));
	return CW_EXIT_OK;
}

/* A name that no other order has: a retry under it cannot make a second order. */
static void
make_name(char out[64])
{
	time_t now = time(NULL);
	struct tm tm;
	uint8_t raw[4];
	char hex[9];

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		memset(raw, 0, sizeof(raw));
	cw_hex(hex, raw, sizeof(raw));
	gmtime_r(&now, &tm);
	snprintf(out, 64, "order-%04d%02d%02d-%02d%02d%02d-%s", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, hex);
}

static void
set_text(json_t *meta, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(meta, key, json_string(value));
}

/* Everything but the files. An exit code; *meta is to be freed. */
static int
make_meta(struct cw_cli *cli, json_t **meta)
{
	const struct cw_args *a = &cli->args;
	const char *terminal = cw_opt_get(a, CW_OPT_TERMINAL);
	const char *name = cw_opt_get(a, CW_OPT_NAME);
	struct cw_mistake err;
	uint64_t count = 0, remake = 0;
	struct in_addr in;
	char made[64];

	*meta = NULL;
	if (cw_opt_u64(a, CW_OPT_COUNT, 4294967294u, &count, &err) < 0 ||
	    cw_opt_u64(a, CW_OPT_REMAKE, 100, &remake, &err) < 0)
		return cw_cli_fail(CW_EXIT_USAGE, "%s", err.text);
	if (terminal != NULL && cw_opt_has(a, CW_OPT_LINE))
		return cw_cli_fail(CW_EXIT_USAGE, "give --line or --terminal, "
		    "not both");
	if (name == NULL) {
		make_name(made);
		name = made;
	}
	*meta = json_object();
	set_text(*meta, "name", name);
	set_text(*meta, "profile", cw_opt_get(a, CW_OPT_PROFILE));
	set_text(*meta, "line", cw_opt_get(a, CW_OPT_LINE));
	/* A terminal is named by its address or, as a line is, by its name. */
	if (terminal != NULL)
		set_text(*meta, inet_pton(AF_INET, terminal, &in) == 1 ?
		    "terminal" : "line", terminal);
	if (count != 0)
		json_object_set_new(*meta, "count", json_integer((json_int_t)count));
	if (remake != 0)
		json_object_set_new(*meta, "remake_max",
		    json_integer((json_int_t)remake));
	if (cw_opt_has(a, CW_OPT_PRODUCTION))
		json_object_set_new(*meta, "production", json_true());
	return CW_EXIT_OK;
}

/* Sends it; an answer that was lost is asked for again under the same name. */
static int
send_order(struct cw_cli *cli, const struct cw_http_req *req, struct cw_http_res *res)
{
	int code = cw_cli_http(cli, req, res);

	for (int i = 1; i < TRIES && code == CW_EXIT_CONNECT && res->broken; i++) {
		fprintf(stderr, "cardwright: sending again; the name of the order "
		    "keeps it from being made twice\n");
		cw_cli_http_free(res);
		code = cw_cli_http(cli, req, res);
	}
	return code;
}

/* An order for a line that is not there waits without a word: say it once. */
static void
note_line(struct cw_cli *cli, const json_t *order)
{
	const char *line = cw_cli_str(order, "line");
	const char *ip = cw_cli_str(order, "terminal");
	struct cw_http_req req = { .method = "GET", .path = "/api/v1/lines",
		.quiet = true };
	struct cw_http_res res;
	const json_t *l;
	bool here = line == NULL && ip == NULL;
	size_t i;

	if (here)
		return;
	if (cw_cli_http(cli, &req, &res) != CW_EXIT_OK)
		here = true;
	json_array_foreach(json_object_get(res.json, "lines"), i, l) {
		const char *name = cw_cli_str(l, "name");
		const char *addr = cw_cli_str(l, "address");

		here = here || (json_is_true(json_object_get(l, "connected")) &&
		    ((line != NULL && name != NULL && strcmp(line, name) == 0) ||
		    (ip != NULL && addr != NULL && strcmp(ip, addr) == 0)));
	}
	if (!here)
		printf("note: %s is not connected: the order waits for it; "
		    "cardwright line list shows those that are\n",
		    line != NULL ? line : ip);
	cw_cli_http_free(&res);
}

int
cw_submit_run(struct cw_cli *cli)
{
	struct cw_http_req req = { .method = "POST", .path = "/api/v1/orders" };
	struct cw_http_res res;
	char cos_hex[65], data_hex[65];
	json_t *meta;
	int code;

	req.cos = cw_opt_get(&cli->args, CW_OPT_COS);
	req.data = cw_opt_get(&cli->args, CW_OPT_DATA);
	if (req.cos == NULL && req.data == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "'order submit' needs --cos FILE, "
		    "--data FILE, or both");
	code = make_meta(cli, &meta);
	if (code == CW_EXIT_OK && req.cos != NULL)
		code = digest_file(req.cos, COS_FILE_MAX, "an image has at most "
		    "1 MiB: is it the right file?", cos_hex);
	if (code == CW_EXIT_OK && req.data != NULL)
		code = digest_file(req.data, DATA_FILE_MAX, "divide the order",
		    data_hex);
	if (code != CW_EXIT_OK) {
		json_decref(meta);
		return code;
	}
	/* Announced, so that a file changed or cut on its way is seen. */
	if (req.cos != NULL)
		set_text(meta, "cos_sha256", cos_hex);
	if (req.data != NULL)
		set_text(meta, "data_sha256", data_hex);
	req.meta = meta;
	code = send_order(cli, &req, &res);
	if (cli->json && res.json != NULL) {
		cw_cli_print_json(json_incref(res.json));
	} else if (code == CW_EXIT_OK) {
		printf("order %lld %s: %lld records, profile %s, name %s\n",
		    (long long)cw_cli_int(res.json, "id"), res.status == 201 ?
		    "accepted" : "was accepted before",
		    (long long)cw_cli_int(res.json, "total"),
		    cw_cli_str(res.json, "profile"), cw_cli_str(res.json, "name"));
		note_line(cli, res.json);
	}
	cw_cli_http_free(&res);
	json_decref(meta);
	return code;
}
