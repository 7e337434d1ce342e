/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "host/ini.h"

int
cw_cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("cardwright: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

int
cw_cli_close(FILE *f)
{
	int err = fflush(f) != 0 || fsync(fileno(f)) < 0 ? CW_EIO : 0;

	return fclose(f) != 0 ? CW_EIO : err;
}

int
cw_cli_print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	fflush(stdout);
	json_decref(value);
	return CW_EXIT_OK;
}

void
cw_cli_duration(char out[32], uint64_t s)
{
	if (s >= 3600)
		snprintf(out, 32, "%" PRIu64 " h %02u min", s / 3600,
		    (unsigned int)(s / 60 % 60));
	else if (s >= 60)
		snprintf(out, 32, "%u min %02u s", (unsigned int)(s / 60),
		    (unsigned int)(s % 60));
	else
		snprintf(out, 32, "%u s", (unsigned int)s);
}

void
cw_cli_put_text(const char *text, int width)
{
	int n = 0;

	for (const char *p = text != NULL ? text : "-"; *p != '\0'; p++) {
		unsigned char ch = (unsigned char)*p;

		/* Continuation bytes of UTF-8 take no place of their own. */
		putchar(ch < 0x20 || ch == 0x7F ? '?' : ch);
		n += (ch & 0xC0) != 0x80;
	}
	for (; n < width; n++)
		putchar(' ');
}

/* The first of the usual places that exists: here, the source tree that the
 * program was built in (build/release/tools), beside an installation, installed. */
void
cw_cli_profiles_dir(char *out, size_t cap)
{
	static const char *const place[] = { "profiles", "@/../../../profiles",
		"@/../../profiles", "@/../share/cardwright/profiles",
		CW_DATA_DIR "/profiles" };
	char exe[800], path[1024];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	if (strrchr(exe, '/') != NULL)
		*strrchr(exe, '/') = '\0';
	for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
		bool near_exe = place[i][0] == '@';
		char *real;

		snprintf(path, sizeof(path), "%s%s", near_exe ? exe : "",
		    place[i] + near_exe);
		real = realpath(path, NULL);
		snprintf(out, cap, "%s", real != NULL ? real : path);
		free(real);
		if (real != NULL)
			return;
	}
}

static void
find_config_dir(struct cw_cli *cli)
{
	const char *opt = cw_opt_get(&cli->args, CW_OPT_CONFIG);
	const char *env = getenv("CARDWRIGHT_DIR");
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *out = cli->config_dir;
	size_t cap = sizeof(cli->config_dir);

	if (opt != NULL)
		snprintf(out, cap, "%s", opt);
	else if (env != NULL && env[0] != '\0')
		snprintf(out, cap, "%s", env);
	else if (xdg != NULL && xdg[0] == '/')
		snprintf(out, cap, "%s/cardwright", xdg);
	else
		snprintf(out, cap, "%s/.config/cardwright",
		    home != NULL ? home : "");
}

/* client.ini of the configuration directory, if there is one. */
static int
read_client_ini(struct cw_cli *cli)
{
	char path[1100], err[400];
	struct cw_ini *ini;
	const char *token;

	snprintf(path, sizeof(path), "%s/client.ini", cli->config_dir);
	if (access(path, F_OK) != 0 && cw_opt_has(&cli->args, CW_OPT_CONFIG) &&
	    cli->args.cmd->run != cw_setup_run)
		return cw_cli_fail(CW_EXIT_USAGE, "%s: %s; cardwright setup --dir "
		    "makes such a directory", path, strerror(errno));
	if (access(path, F_OK) != 0)
		return CW_EXIT_OK;
	ini = cw_ini_load(path, err, sizeof(err));
	if (ini == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "%s", err);
	snprintf(cli->url, sizeof(cli->url), "%s", cw_ini_str(ini, "client",
	    "platform", cli->url));
	token = cw_ini_str(ini, "client", "token", "api.token");
	if (cw_ini_finish(ini, err, sizeof(err)) < 0) {
		cw_ini_free(ini);
		return cw_cli_fail(CW_EXIT_USAGE, "%s", err);
	}
	snprintf(cli->token_file, sizeof(cli->token_file), "%.*s%s%s",
	    token[0] == '/' ? 0 : 1000, cli->config_dir,
	    token[0] == '/' ? "" : "/", token);
	cw_ini_free(ini);
	return CW_EXIT_OK;
}

int
cw_cli_settings(struct cw_cli *cli)
{
	const char *url = cw_opt_get(&cli->args, CW_OPT_PLATFORM);
	const char *token = cw_opt_get(&cli->args, CW_OPT_TOKEN);
	size_t len;
	int code;

	cli->json = cw_opt_has(&cli->args, CW_OPT_JSON);
	snprintf(cli->url, sizeof(cli->url), "http://127.0.0.1:%d", CW_HTTP_PORT);
	find_config_dir(cli);
	code = read_client_ini(cli);
	if (code != CW_EXIT_OK)
		return code;
	if (url != NULL)
		snprintf(cli->url, sizeof(cli->url), "%s", url);
	if (token != NULL)
		snprintf(cli->token_file, sizeof(cli->token_file), "%s", token);

	/* The token goes to this address: no surprise of form is let pass. */
	if (strncmp(cli->url, "http://", 7) != 0 &&
	    strncmp(cli->url, "https://", 8) != 0)
		return cw_cli_fail(CW_EXIT_USAGE, "--platform %s: begin with "
		    "http:// or https://", cli->url);
	len = strlen(cli->url);
	if (cli->url[len - 1] == '/')
		cli->url[len - 1] = '\0';
	if (strcmp(cli->url, "http:/") == 0 || strcmp(cli->url, "https:/") == 0)
		return cw_cli_fail(CW_EXIT_USAGE, "--platform %s/: no address in "
		    "it; such as http://127.0.0.1:%d", cli->url, CW_HTTP_PORT);
	return CW_EXIT_OK;
}
