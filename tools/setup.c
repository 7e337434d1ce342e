/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cardwright setup`: a local authority, the certificates of platform and
 * terminals, the key of the records, the API token, and configurations to
 * start from.  Never overwrites; run again with --terminal it adds terminals.
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "cert.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/plink.h"
#include "cw/rlink.h"
#include "host/keyfile.h"

#define CA_DAYS 3650
#define CERT_DAYS 1825
#define PATH_CAP 1280
#define STATIONS 4	/* of a line to start from */
#define DEVICE_PORT 5020	/* a simulated machine's: no root is needed */

struct setup {
	struct cw_cli *cli;
	char dir[1024];
	char profiles[1024];
	struct cw_cert ca;
	json_t *made;		/* names of the files written */
};

static void
path_of(char out[PATH_CAP], const struct setup *s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
path_of(char out[PATH_CAP], const struct setup *s, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(out, PATH_CAP, "%s/", s->dir);

	va_start(ap, fmt);
	vsnprintf(out + n, PATH_CAP - (size_t)n, fmt, ap);
	va_end(ap);
}

static int
fail_file(const char *path, int err)
{
	if (err == CW_EEXIST || errno == EEXIST)
		return cw_cli_fail(CW_EXIT_DENIED, "%s: already there; setup "
		    "overwrites nothing: choose another --dir, or move the old "
		    "files away", path);
	if (err == CW_EFORMAT)
		return cw_cli_fail(CW_EXIT_DENIED, "%s: not a certificate and "
		    "its own key in PEM; restore both from your backup", path);
	return cw_cli_fail(CW_EXIT_DENIED, "%s: %s", path, strerror(errno));
}

static void
note_made(struct setup *s, const char *path)
{
	json_array_append_new(s->made, json_string(path));
	if (!s->cli->json)
		printf("made %s\n", path);
}

/* Writes a new file, whole or with an error. */
static int __attribute__((format(printf, 4, 5)))
write_file(struct setup *s, const char *path, mode_t mode, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	va_list ap;
	int n;

	if (f == NULL)
		return fail_file(path, errno == EEXIST ? CW_EEXIST : CW_EIO);
	va_start(ap, fmt);
	n = vfprintf(f, fmt, ap);
	va_end(ap);
	if (cw_cli_close(f) < 0 || n < 0)
		return fail_file(path, CW_EIO);
	note_made(s, path);
	return CW_EXIT_OK;
}

/* 32 random bytes in hex and a line end. */
static int
write_secret(struct setup *s, const char *name)
{
	uint8_t raw[32];
	char hex[65], path[PATH_CAP];
	int code;

	path_of(path, s, "%s", name);
	if (RAND_priv_bytes(raw, sizeof(raw)) != 1)
		return cw_cli_fail(CW_EXIT_DENIED, "no random numbers from the "
		    "system");
	cw_hex(hex, raw, sizeof(raw));
	code = write_file(s, path, 0600, "%s\n", hex);
	cw_wipe(raw, sizeof(raw));
	cw_wipe(hex, sizeof(hex));
	return code;
}

static int
write_cert(struct setup *s, enum cw_cert_use use, const char *name, const char *base)
{
	struct cw_cert c;
	char crt[PATH_CAP], key[PATH_CAP];
	int err;

	path_of(crt, s, "%s.crt", base);
	path_of(key, s, "%s.key", base);
	if (access(crt, F_OK) == 0 || access(key, F_OK) == 0)
		return fail_file(access(crt, F_OK) == 0 ? crt : key, CW_EEXIST);
	err = cw_cert_make(&c, &s->ca, use, name,
	    use == CW_CERT_CA ? CA_DAYS : CERT_DAYS);
	if (err < 0) {
		cw_cert_fini(&c);
		return cw_cli_fail(CW_EXIT_DENIED, "%s: OpenSSL could not make "
		    "the certificate", crt);
	}
	err = cw_cert_save(&c, crt, key);
	if (use == CW_CERT_CA && err == 0)
		s->ca = c;
	else
		cw_cert_fini(&c);
	if (err < 0)
		return fail_file(key, err);
	note_made(s, key);
	note_made(s, crt);
	return CW_EXIT_OK;
}

static bool
name_ok(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' &&
		    name[i] != '_')
			return false;
	return len >= 1 && len <= CW_NAME_MAX - 9 && isalnum((unsigned char)name[0]);
}

/* Last number in a name ("line-12"); dflt if there is none that fits. */
static unsigned int
number_of(const char *name, unsigned int dflt)
{
	const char *digits = name + strlen(name);
	unsigned long n;

	while (digits > name && isdigit((unsigned char)digits[-1]))
		digits--;
	n = strtoul(digits, NULL, 10);
	return n >= 1 && n <= 250 ? (unsigned int)n : dflt;
}

/* A link key for each reader of line n that has none yet. */
static int
write_reader_keys(struct setup *s, unsigned int n)
{
	char path[PATH_CAP], id[32], err[256];
	struct cw_keyfile *k = NULL;
	bool fresh;
	int code = CW_EXIT_OK;

	path_of(path, s, "readers.key");
	fresh = access(path, F_OK) != 0;
	if (!fresh && (k = cw_keyfile_load(path, err, sizeof(err))) == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "%s", err);
	for (unsigned int i = 1; i <= STATIONS && code == CW_EXIT_OK; i++) {
		snprintf(id, sizeof(id), "127.0.%u.%u:%d", n, i, CW_RLINK_PORT);
		if (k == NULL || cw_keyfile_find(k, id) == NULL)
			code = cw_enrol_add(path, id, NULL);
	}
	cw_keyfile_free(k);
	if (code == CW_EXIT_OK && fresh)
		note_made(s, path);
	return code;
}

/* Certificate of a terminal and a configuration for a line on this machine. */
static int
write_terminal(struct setup *s, const char *name, unsigned int idx)
{
	char base[96], path[PATH_CAP], stations[400] = "";
	unsigned int n = number_of(name, idx);
	int code;

	snprintf(base, sizeof(base), "terminal.%s", name);
	code = write_cert(s, CW_CERT_CLIENT, base, base);
	if (code != CW_EXIT_OK)
		return code;
	code = write_reader_keys(s, n);
	if (code != CW_EXIT_OK)
		return code;
	for (unsigned int i = 1; i <= STATIONS; i++)
		snprintf(stations + strlen(stations), 100,
		    "\n[station %u]\nreader = 127.0.%u.%u:%d\n", i, n, i,
		    CW_RLINK_PORT);
	path_of(path, s, "%s.ini", base);
	return write_file(s, path, 0644,
	    "# cardwright-terminal -c %s\n"
	    "[terminal]\n"
	    "name = %s\n"
	    "journal = %s/%s.journal\n"
	    "# Link keys of the readers, by address: `cardwright reader enrol`.\n"
	    "keys = %s/readers.key\n"
	    "\n"
	    "[platform]\n"
	    "address = 127.0.0.1\n"
	    "port = %d\n"
	    "ca = %s/ca.crt\n"
	    "cert = %s/%s.crt\n"
	    "key = %s/%s.key\n"
	    "\n"
	    "# The machine, by Modbus/TCP (502 is the port of real ones).\n"
	    "[device]\n"
	    "address = 127.0.0.1\n"
	    "port = %u\n"
	    "profile = %s/device/generic.ini\n"
	    "\n"
	    "# One section for each station: the reader whose contacts it has.\n"
	    "%s",
	    path, name, s->dir, name, s->dir, CW_PLINK_PORT, s->dir, s->dir, base,
	    s->dir, base, DEVICE_PORT + n, s->profiles, stations + 1);
}

static int
write_platform(struct setup *s)
{
	char path[PATH_CAP];
	int code;

	code = write_cert(s, CW_CERT_CA, "cardwright local authority", "ca");
	if (code == CW_EXIT_OK)
		code = write_cert(s, CW_CERT_SERVER, "platform", "platform");
	if (code == CW_EXIT_OK)
		code = write_secret(s, "record.key");
	if (code == CW_EXIT_OK)
		code = write_secret(s, "api.token");
	if (code != CW_EXIT_OK)
		return code;

	path_of(path, s, "platform.ini");
	code = write_file(s, path, 0644,
	    "# cardwright-platform -c %s\n"
	    "# Relative names are meant from the directory of this file.\n"
	    "[platform]\n"
	    "name = platform\n"
	    "database = platform.db\n"
	    "keyfile = record.key\n"
	    "profiles = %s\n"
	    "\n"
	    "# Terminals come in here, by TLS 1.3 with certificates on both sides.\n"
	    "[link]\n"
	    "listen = 127.0.0.1\n"
	    "port = %d\n"
	    "ca = ca.crt\n"
	    "cert = platform.crt\n"
	    "key = platform.key\n"
	    "\n"
	    "# The web page and the API.\n"
	    "[http]\n"
	    "listen = 127.0.0.1\n"
	    "port = %d\n"
	    "token = api.token\n",
	    path, s->profiles, CW_PLINK_PORT, CW_HTTP_PORT);
	if (code != CW_EXIT_OK)
		return code;
	path_of(path, s, "client.ini");
	return write_file(s, path, 0644,
	    "# Where the cardwright command finds its platform.\n"
	    "[client]\n"
	    "platform = http://127.0.0.1:%d\n"
	    "token = api.token\n", CW_HTTP_PORT);
}

/* The names of what was made, on the disk like their content. */
static int
sync_dir(const struct setup *s)
{
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return err < 0 ? fail_file(s->dir, CW_EIO) : CW_EXIT_OK;
}

/* Every directory on the way to path; the last one private. */
static int
make_dirs(const char *path)
{
	char part[1024];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

static int
open_dir(struct setup *s, bool *fresh)
{
	struct cw_cli *cli = s->cli;
	const char *dir = cw_opt_get(&cli->args, CW_OPT_DIR);
	char crt[PATH_CAP], key[PATH_CAP];
	char *real;
	int err;

	if (dir == NULL)
		dir = cli->config_dir;
	if (make_dirs(dir) < 0 || (real = realpath(dir, NULL)) == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "%s: %s", dir, strerror(errno));
	snprintf(s->dir, sizeof(s->dir), "%s", real);
	free(real);

	path_of(crt, s, "ca.crt");
	path_of(key, s, "ca.key");
	*fresh = access(crt, F_OK) != 0 && access(key, F_OK) != 0;
	if (*fresh)
		return CW_EXIT_OK;
	if (!cw_opt_has(&cli->args, CW_OPT_TERMINAL))
		return fail_file(crt, CW_EEXIST);
	err = cw_cert_load(&s->ca, crt, key);
	return err < 0 ? fail_file(key, err) : CW_EXIT_OK;
}

int
cw_setup_run(struct cw_cli *cli)
{
	struct setup s = { .cli = cli };
	const char *name;
	bool fresh = true;
	int code;

	for (unsigned int i = 0; (name = cw_opt_nth(&cli->args,
	    CW_OPT_TERMINAL, i)) != NULL; i++)
		if (!name_ok(name))
			return cw_cli_fail(CW_EXIT_USAGE, "--terminal %s: a name "
			    "has 1 to %d letters, digits, - and _, and begins "
			    "with a letter or digit", name, CW_NAME_MAX - 9);

	cw_cli_profiles_dir(s.profiles, sizeof(s.profiles));
	s.made = json_array();
	code = open_dir(&s, &fresh);
	if (code == CW_EXIT_OK && fresh)
		code = write_platform(&s);
	for (unsigned int i = 0; code == CW_EXIT_OK && (name =
	    cw_opt_nth(&cli->args, CW_OPT_TERMINAL, i)) != NULL; i++)
		code = write_terminal(&s, name, i + 1);
	cw_cert_fini(&s.ca);
	if (code == CW_EXIT_OK)
		code = sync_dir(&s);
	if (code == CW_EXIT_OK && cli->json)
		cw_cli_print_json(json_pack("{s:s, s:O}", "dir", s.dir,
		    "made", s.made));
	json_decref(s.made);
	return code;
}
