/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cardwright-platform: the order platform.  One thread, one libuv loop: terminals
 * over TLS, users over HTTP, the ledger between them, SQLite below.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "config.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "host/log.h"
#include "host/proc.h"
#include "host/tls.h"
#include "link.h"
#include "platform/api/api.h"
#include "terminal/profile/profile.h"

#define TICK_MS 250
#define ERR_CAP 2048

/* What the program tells the shell. */
enum {
	EXIT_CLEAN = 0,
	EXIT_FAILED = 1,	/* something broke while running */
	EXIT_CONFIG = 2,	/* command line or configuration */
	EXIT_PORT = 3,		/* an address or port cannot be had */
	EXIT_FILES = 4,		/* key, token, certificate or database refused */
};

struct daemon {
	uv_loop_t loop;
	struct cw_pf_config cfg;
	struct cw_store *store;
	struct cw_seal *seal;
	SSL_CTX *tls;
	struct cw_pf_link *link;
	struct cw_api *api;
	uv_timer_t tick;
	uv_check_t check;
	uv_signal_t sig_int, sig_term;
	unsigned int tick_cnt;
	int lock_fd;
	char token[200];
	char err[ERR_CAP];
};

static const char usage[] =
    "cardwright-platform: the order platform\n\n"
    "usage: cardwright-platform -c FILE [OPTION...]\n\n"
    "  -c, --config FILE  configuration (cardwright setup writes platform.ini)\n"
    "  -n                 check configuration and files, then exit\n"
    "  -nv                the same, and print the effective configuration\n"
    "      --restored     the database was restored from a backup: no lease goes\n"
    "                     out until every terminal has told its journal again,\n"
    "                     or was written off. Once is enough\n"
    "      --log LEVEL    error, warn, info (default), debug or trace\n"
    "  -h, --help         print this help\n"
    "      --version      print the version\n\n"
    "exit codes: 0 stopped cleanly, 1 failed while running, 2 command line or\n"
    "configuration, 3 address or port not available, 4 key, token, certificate\n"
    "or database refused\n";

static int
fail(int code, const char *text)
{
	fprintf(stderr, "cardwright-platform: %s\n", text);
	return code;
}

/* Names of the profiles there are, for the one who named another. */
static void
list_profiles(const char *dir, char *out, size_t cap)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, alphasort);
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < n; i++) {
		char *dot = strrchr(names[i]->d_name, '.');

		if (dot != NULL && strcmp(dot, ".lua") == 0 && len + 2 < cap) {
			int k = snprintf(out + len, cap - len, "%s%.*s",
			    len > 0 ? ", " : "", (int)(dot - names[i]->d_name),
			    names[i]->d_name);

			len += k > 0 && (size_t)k < cap - len ? (size_t)k : 0;
		}
		free(names[i]);
	}
	free(names);
}

static bool
profile_name_ok(const char *name)
{
	size_t ok = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-_.");

	return name[0] != '\0' && name[0] != '.' && name[ok] == '\0';
}

static int
read_profile(const char *path, struct cw_api_profile *p)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return CW_ENOENT;
	p->text = malloc(CW_PROFILE_TEXT_MAX + 1);
	n = p->text != NULL ? fread(p->text, 1, CW_PROFILE_TEXT_MAX + 1, f) : 0;
	fclose(f);
	p->len = n;
	return n > CW_PROFILE_TEXT_MAX ? CW_ETOOBIG : 0;
}

/* A profile's text and what it asks of a data file. */
static int
load_profile(void *ctx, const char *name, struct cw_api_profile *p,
    char *err, size_t err_cap)
{
	const struct daemon *d = ctx;
	char path[CW_PF_PATH_CAP + 80], label[80], have[300];
	struct cw_profile *lua;
	const struct cw_field_spec *fields;

	memset(p, 0, sizeof(*p));
	snprintf(path, sizeof(path), "%s/%s.lua", d->cfg.profiles, name);
	snprintf(label, sizeof(label), "%s.lua", name);
	if (!profile_name_ok(name) || read_profile(path, p) == CW_ENOENT) {
		list_profiles(d->cfg.profiles, have, sizeof(have));
		snprintf(err, err_cap, "no card profile '%s' here; there are: %s",
		    name, have);
		return CW_ENOENT;
	}
	lua = p->text == NULL || p->len > CW_PROFILE_TEXT_MAX ? NULL :
	    cw_profile_load((const char *)p->text, p->len, label, err, err_cap);
	if (lua == NULL) {
		if (p->len > CW_PROFILE_TEXT_MAX)
			snprintf(err, err_cap, "%s: larger than %u bytes", label,
			    CW_PROFILE_TEXT_MAX);
		free(p->text);
		p->text = NULL;
		return CW_EFORMAT;
	}
	fields = cw_profile_fields(lua, &p->field_cnt);
	if (p->field_cnt > CW_ORDER_COLUMNS_MAX)
		p->field_cnt = CW_ORDER_COLUMNS_MAX;
	if (p->field_cnt > 0)
		memcpy(p->fields, fields, p->field_cnt * sizeof(*fields));
	p->has_cos = cw_profile_has_cos(lua);
	p->has_record = cw_profile_has_record(lua);
	cw_profile_free(lua);
	return 0;
}

static uint64_t
utc_ms(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool
ready(void *ctx, char *why, size_t why_cap)
{
	const struct daemon *d = ctx;

	if (cw_pf_link_sound(d->link))
		return true;
	snprintf(why, why_cap, "the database cannot record: %s", d->store->why);
	return false;
}

/* Two platforms on one database would lease the same record twice. */
static int
lock_database(struct daemon *d)
{
	char path[CW_PF_PATH_CAP + 8];

	snprintf(path, sizeof(path), "%s.lock", d->cfg.database);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock_fd < 0) {
		snprintf(d->err, sizeof(d->err), "%s: %s; [platform] database must "
		    "be in a directory that the platform may write to", path,
		    strerror(errno));
		return EXIT_FILES;
	}
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(d->err, sizeof(d->err), "%s: another cardwright-platform "
		    "has this database open; stop that one first",
		    d->cfg.database);
		return EXIT_FILES;
	}
	return 0;
}

/* Everything that can be refused before a port is opened. */
static int
load_files(struct daemon *d)
{
	struct stat st;

	if (cw_pf_token_load(d->cfg.token_file, d->token, d->err,
	    sizeof(d->err)) < 0)
		return EXIT_FILES;
	d->seal = cw_seal_load(d->cfg.keyfile, d->err, sizeof(d->err));
	if (d->seal == NULL)
		return EXIT_FILES;
	d->tls = cw_tls_server(d->cfg.ca, d->cfg.cert, d->cfg.key, d->err,
	    sizeof(d->err));
	if (d->tls == NULL)
		return EXIT_FILES;
	if (stat(d->cfg.profiles, &st) < 0 || !S_ISDIR(st.st_mode)) {
		snprintf(d->err, sizeof(d->err), "%s: no such directory; [platform] "
		    "profiles names where the card profiles are", d->cfg.profiles);
		return EXIT_CONFIG;
	}
	return 0;
}

static void
on_check(uv_check_t *c)
{
	struct daemon *d = c->data;

	/* All frames of this turn are in: one commit for all, then the ACKs. */
	cw_pf_link_flush(d->link);
}

static void
on_tick(uv_timer_t *t)
{
	struct daemon *d = t->data;

	cw_pf_link_tick(d->link);
	if (d->tick_cnt++ % 2 == 0)
		cw_api_tick(d->api);
}

static void
on_signal(uv_signal_t *s, int signum)
{
	struct daemon *d = s->data;

	cw_log(CW_LOG_INFO, "platform.stop", "signal=%d", signum);
	uv_close((uv_handle_t *)&d->tick, NULL);
	uv_close((uv_handle_t *)&d->check, NULL);
	uv_close((uv_handle_t *)&d->sig_int, NULL);
	uv_close((uv_handle_t *)&d->sig_term, NULL);
	cw_pf_link_flush(d->link);
	cw_api_stop(d->api);
	cw_pf_link_stop(d->link);
}

static int
start(struct daemon *d)
{
	struct cw_pf_link_config lc = {
		.loop = &d->loop, .tls = d->tls, .listen = d->cfg.link_listen,
		.port = d->cfg.link_port, .store = d->store, .seal = d->seal,
	};
	struct cw_api_config ac = {
		.loop = &d->loop, .store = d->store, .seal = d->seal,
		.profile = load_profile, .utc_ms = utc_ms, .ready = ready,
		.ctx = d,
		.listen = d->cfg.http_listen, .port = d->cfg.http_port,
		.hosts = d->cfg.http_hosts, .token = d->token,
	};

	if (RAND_bytes((unsigned char *)&lc.incarnation,
	    sizeof(lc.incarnation)) != 1) {
		snprintf(d->err, sizeof(d->err), "no random numbers from the system");
		return EXIT_FAILED;
	}
	d->link = cw_pf_link_open(&lc, d->err, sizeof(d->err));
	if (d->link == NULL)
		return EXIT_PORT;
	ac.ledger = cw_pf_link_ledger(d->link);
	d->api = cw_api_start(&ac, d->err, sizeof(d->err));
	if (d->api == NULL)
		return EXIT_PORT;

	uv_timer_init(&d->loop, &d->tick);
	uv_check_init(&d->loop, &d->check);
	uv_signal_init(&d->loop, &d->sig_int);
	uv_signal_init(&d->loop, &d->sig_term);
	d->tick.data = d->check.data = d->sig_int.data = d->sig_term.data = d;
	uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
	uv_check_start(&d->check, on_check);
	uv_signal_start(&d->sig_int, on_signal, SIGINT);
	uv_signal_start(&d->sig_term, on_signal, SIGTERM);
	return 0;
}

static int
run(struct daemon *d, bool restored)
{
	int code = lock_database(d);

	if (code != 0)
		return fail(code, d->err);
	d->store = cw_store_sqlite_open(d->cfg.database, d->err, sizeof(d->err));
	if (d->store == NULL)
		return fail(EXIT_FILES, d->err);
	uv_loop_init(&d->loop);
	code = start(d);
	if (code != 0)
		return fail(code, d->err);
	if (restored) {
		code = cw_ledger_restored(cw_pf_link_ledger(d->link));
		if (code < 0) {
			snprintf(d->err, sizeof(d->err), "%s: --restored cannot be "
			    "recorded: %s", d->cfg.database, d->store->why);
			return fail(EXIT_FILES, d->err);
		}
		cw_log(CW_LOG_WARN, "platform.restored", "%s", code > 0 ?
		    "leases are held back until every terminal has told its journal" :
		    "the database knows no terminal: nothing is held back");
	}
	cw_log(CW_LOG_INFO, "platform.ready", "name=%s link=%s:%u "
	    "http=http://%s:%u/ database=%s", d->cfg.name, d->cfg.link_listen,
	    cw_pf_link_port(d->link), d->cfg.http_listen, cw_api_port(d->api),
	    d->cfg.database);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	cw_pf_link_free(d->link);
	uv_loop_close(&d->loop);
	return EXIT_CLEAN;
}

struct options {
	const char *config;
	bool check, verbose, restored;
	enum cw_log_level level;
};

/* -1: go on; else an exit code. */
static int
parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "log", required_argument, NULL, 'l' },
		{ "restored", no_argument, NULL, 'R' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const levels[] = { "error", "warn", "info", "debug", "trace" };
	int c;

	while ((c = getopt_long(argc, argv, "c:nvh", longs, NULL)) >= 0) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'n':
			o->check = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'R':
			o->restored = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_CLEAN;
		case 'V':
			printf("cardwright-platform %s\n", CW_SOFTWARE_VERSION);
			return EXIT_CLEAN;
		case 'l':
			o->level = CW_LOG_ERROR;
			while (o->level <= CW_LOG_TRACE &&
			    strcmp(levels[o->level], optarg) != 0)
				o->level++;
			if (o->level <= CW_LOG_TRACE)
				break;
			return fail(EXIT_CONFIG, "--log takes error, warn, info, "
			    "debug or trace");
		default:
			return fail(EXIT_CONFIG, "--help lists the options");
		}
	}
	if (optind < argc)
		return fail(EXIT_CONFIG, "no arguments are taken beside the options; "
		    "--help lists them");
	if (o->config == NULL)
		return fail(EXIT_CONFIG, "-c FILE is missing; cardwright setup "
		    "writes a platform.ini to start from");
	return -1;
}

int
main(int argc, char **argv)
{
	static struct daemon d = { .lock_fd = -1 };
	struct options o = { .level = CW_LOG_INFO };
	int code = parse(&o, argc, argv);

	if (code >= 0)
		return code;
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	cw_log_open("cardwright-platform", o.level);
	/* The record key and records in clear are in this memory. */
	if (cw_proc_harden(d.err) < 0)
		cw_log(CW_LOG_WARN, "memory.lock", "%s", d.err);

	if (cw_pf_config_load(&d.cfg, o.config, d.err, sizeof(d.err)) < 0) {
		code = fail(EXIT_CONFIG, d.err);
	} else {
		if (o.check && o.verbose)
			cw_ini_dump(d.cfg.ini);
		code = load_files(&d);
		if (code != 0)
			fail(code, d.err);
		else if (o.check)
			printf("%s: configuration and files are sound\n", o.config);
		else
			code = run(&d, o.restored);
	}
	cw_store_close(d.store);
	cw_seal_free(d.seal);
	SSL_CTX_free(d.tls);
	cw_wipe(d.token, sizeof(d.token));
	cw_pf_config_fini(&d.cfg);
	return code;
}
