/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/plink.h"

#define HTTP_PORT 7811
#define TOKEN_MIN 32	/* characters: enough that nobody guesses one */

/* A file name of the configuration, made absolute against its directory. */
static void
take_path(struct cw_ini *ini, const char *dir, const char *const key[2],
    const char *dflt, char out[CW_PF_PATH_CAP])
{
	const char *path = cw_ini_str(ini, key[0], key[1], dflt);
	int n;

	if (path[0] == '/')
		n = snprintf(out, CW_PF_PATH_CAP, "%s", path);
	else
		n = snprintf(out, CW_PF_PATH_CAP, "%s%s", dir, path);
	if (n >= CW_PF_PATH_CAP)
		cw_ini_fault(ini, key[0], key[1], "the path is too long");
}

int
cw_pf_config_load(struct cw_pf_config *c, const char *path, char *err, size_t err_cap)
{
	static const char *const key[7][2] = {
		{ "platform", "database" }, { "platform", "keyfile" },
		{ "platform", "profiles" }, { "link", "ca" }, { "link", "cert" },
		{ "link", "key" }, { "http", "token" },
	};
	static const char *const dflt[7] = {
		"platform.db", "record.key", "profiles", "ca.crt",
		"platform.crt", "platform.key", "api.token",
	};
	char *const out[7] = { c->database, c->keyfile, c->profiles, c->ca,
	    c->cert, c->key, c->token_file };
	const char *slash = strrchr(path, '/');
	char dir[CW_PF_PATH_CAP] = "";

	memset(c, 0, sizeof(*c));
	c->ini = cw_ini_load(path, err, err_cap);
	if (c->ini == NULL)
		return CW_EFORMAT;
	if (slash != NULL)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path + 1), path);
	for (unsigned int i = 0; i < 7; i++)
		take_path(c->ini, dir, key[i], dflt[i], out[i]);
	c->name = cw_ini_str(c->ini, "platform", "name", "platform");
	c->link_listen = cw_ini_str(c->ini, "link", "listen", "127.0.0.1");
	c->link_port = (uint16_t)cw_ini_int(c->ini, "link", "port",
	    CW_PLINK_PORT, 0, 65535);
	c->http_listen = cw_ini_str(c->ini, "http", "listen", "127.0.0.1");
	c->http_port = (uint16_t)cw_ini_int(c->ini, "http", "port", HTTP_PORT,
	    0, 65535);
	c->http_hosts = cw_ini_str(c->ini, "http", "hosts", "");
	return cw_ini_finish(c->ini, err, err_cap);
}

void
cw_pf_config_fini(struct cw_pf_config *c)
{
	cw_ini_free(c->ini);
	c->ini = NULL;
}

int
cw_pf_token_load(const char *path, char token[200], char *err, size_t err_cap)
{
	FILE *f = fopen(path, "re");
	struct stat st;

	token[0] = '\0';
	if (f == NULL) {
		snprintf(err, err_cap, "%s: %s; cardwright setup makes the API "
		    "token", path, strerror(errno));
		return CW_EIO;
	}
	if (fstat(fileno(f), &st) < 0 || (st.st_mode & 077) != 0) {
		snprintf(err, err_cap, "%s: others can read the API token; chmod "
		    "600 it, and make a new one if they may have", path);
		fclose(f);
		return CW_EDENIED;
	}
	if (fgets(token, 200, f) == NULL)
		token[0] = '\0';
	fclose(f);
	token[strcspn(token, "\r\n")] = '\0';
	if (strlen(token) < TOKEN_MIN || strpbrk(token, " \t") != NULL) {
		cw_wipe(token, 200);
		snprintf(err, err_cap, "%s: the API token must be one line of at "
		    "least %d characters without blanks; cardwright setup makes "
		    "one", path, TOKEN_MIN);
		return CW_EFORMAT;
	}
	return 0;
}
