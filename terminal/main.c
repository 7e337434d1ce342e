/* SPDX-License-Identifier: Apache-2.0 */
/* cardwright-terminal: one line's terminal. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cw/err.h"
#include "host/log.h"
#include "host/proc.h"
#include "terminal/shell.h"

#define CONFIG_DEFAULT "/etc/cardwright/terminal.ini"
#define UTC_US 60000000u

enum { EXIT_OK = 0, EXIT_FAIL = 1, EXIT_USAGE = 2 };

struct options {
	const char *config;
	bool check, show;
	enum cw_log_level level;
};

uint64_t
cw_shell_now_us(void)
{
	return uv_hrtime() / 1000;
}

static void
usage(FILE *f)
{
	fputs("usage: cardwright-terminal [-c FILE] [-n [-v]] [--log LEVEL]\n"
	    "  -c FILE      configuration (" CONFIG_DEFAULT ")\n"
	    "  -n           check the configuration and exit\n"
	    "  -nv          and print it as it is in effect\n"
	    "  --log LEVEL  error, warn, info, debug, trace (info)\n"
	    "  --help, --version\n"
	    "SIGTERM finishes the cards under way and ends; SIGHUP clears "
	    "stations that wait for a person.\n", f);
}

static int
parse_level(const char *text, enum cw_log_level *level)
{
	static const char *const name[] = { "error", "warn", "info", "debug",
	    "trace" };

	for (unsigned int i = 0; i < sizeof name / sizeof name[0]; i++)
		if (strcmp(text, name[i]) == 0) {
			*level = (enum cw_log_level)i;
			return 0;
		}
	return CW_EINVAL;
}

/* 0 to go on, else exit with *code. */
static int
parse_options(struct options *o, int argc, char **argv, int *code)
{
	static const struct option longs[] = {
		{ "log", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*code = EXIT_USAGE;
	while ((c = getopt_long(argc, argv, "c:nvh", longs, NULL)) != -1) {
		if (c == 'c') {
			o->config = optarg;
		} else if (c == 'n') {
			o->check = true;
		} else if (c == 'v') {
			o->show = true;
		} else if (c == 'l' && parse_level(optarg, &o->level) == 0) {
			continue;
		} else if (c == 'h') {
			usage(stdout);
			*code = EXIT_OK;
			return -1;
		} else if (c == 'V') {
			puts("cardwright-terminal " CW_SOFTWARE_VERSION);
			*code = EXIT_OK;
			return -1;
		} else {
			usage(stderr);
			return -1;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return -1;
	}
	return 0;
}

/* Records pass through this process in clear: no core, no swap. */
static void
guard_memory(void)
{
	char why[CW_PROC_WHY_CAP];

	if (cw_proc_harden(why) < 0)
		cw_log(CW_LOG_WARN, "memory.lock", "%s", why);
}

static void
tell_utc(struct shell *sh, uint64_t now_us)
{
	struct timespec ts;

	if (sh->utc_us != 0 && now_us - sh->utc_us < UTC_US)
		return;
	sh->utc_us = now_us;
	clock_gettime(CLOCK_REALTIME, &ts);
	cw_line_utc(sh->line, (uint64_t)ts.tv_sec * 1000 +
	    (uint64_t)ts.tv_nsec / 1000000, now_us);
}

static void
close_all(struct shell *sh)
{
	if (sh->ending)
		return;
	sh->ending = true;
	cw_shell_links_close(sh);
	if (sh->dev != NULL)
		cw_devlink_close(sh->dev);
	sh->dev = NULL;
	uv_close((uv_handle_t *)&sh->prepare, NULL);
	uv_close((uv_handle_t *)&sh->timer, NULL);
	for (int i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&sh->sig[i], NULL);
}

void
cw_shell_end(struct shell *sh, int code)
{
	if (code != 0)
		sh->exit_code = code;
	if (code != 0 || sh->draining) {
		close_all(sh);
		return;
	}
	cw_log(CW_LOG_INFO, "terminal.drain", "cards under way are finished first, "
	    "%u ms at most; again to stop at once", sh->cfg.drain_ms);
	sh->draining = true;
	sh->drain_us = cw_shell_now_us();
	cw_line_drain(sh->line, true, sh->drain_us);
}

static void
on_timer(uv_timer_t *t)
{
	(void)t;	/* prepare does the work */
}

/* Before every wait of the loop: what is due, then what to wait for. */
static void
on_prepare(uv_prepare_t *p)
{
	struct shell *sh = p->data;
	uint64_t now = cw_shell_now_us(), due;

	tell_utc(sh, now);
	cw_shell_links_retry(sh, now);
	due = cw_line_tick(sh->line, now);
	cw_shell_journal_pump(sh);
	if (sh->draining && !sh->working && (cw_line_quiet(sh->line) ||
	    now - sh->drain_us >= sh->cfg.drain_ms * UINT64_C(1000))) {
		close_all(sh);
		return;
	}
	if (sh->ending)
		return;
	if (sh->retry_us < due)
		due = sh->retry_us;
	uv_timer_start(&sh->timer, on_timer,
	    due > now ? (due - now + 999) / 1000 : 0, 0);
}

static void
on_signal(uv_signal_t *s, int signum)
{
	struct shell *sh = s->data;

	if (signum == SIGHUP)
		cw_line_clear(sh->line, UINT_MAX, cw_shell_now_us());
	else
		cw_shell_end(sh, 0);
}

static void
on_view(void *ctx, const struct cw_dev_view *v, const char *why)
{
	struct shell *sh = ctx;

	if (sh->ending)
		return;
	if (!v->up && why[0] != '\0' && sh->dev_up)
		cw_log(CW_LOG_WARN, "device.down", "address=%s:%u why=\"%s\": no "
		    "card moves until it answers", sh->cfg.dev_ip,
		    sh->cfg.dev_port, why);
	sh->dev_up = v->up;
	cw_line_device(sh->line, v, cw_shell_now_us());
}

static int
start_device(struct shell *sh, char *err, size_t err_cap)
{
	struct cw_devlink_config c = { .loop = &sh->loop, .ip = sh->cfg.dev_ip,
	    .port = sh->cfg.dev_port, .station_min = sh->cfg.station_cnt,
	    .view = on_view, .ctx = sh };

	c.map = sh->map;
	sh->dev = cw_devlink_open(&c, err, err_cap);
	return sh->dev == NULL ? CW_EIO : 0;
}

static int
start_line(struct shell *sh, char *err, size_t err_cap)
{
	struct cw_line_config c = { .ops = &cw_shell_ops, .ctx = sh,
	    .reader_cnt = sh->cfg.reader_cnt,
	    .station_cnt = sh->cfg.station_cnt, .readers = sh->cfg.reader,
	    .stations = sh->cfg.station, .quarantine = sh->cfg.quarantine,
	    .jam_resets = sh->cfg.jam_resets,
	    .reader_lost_ms = sh->cfg.reader_lost_ms };

	snprintf(c.name, sizeof c.name, "%s", sh->cfg.name);
	if (uv_random(NULL, NULL, &c.session, sizeof c.session, 0, NULL) < 0)
		c.session = uv_hrtime();
	sh->frame = malloc(CW_FRAME_HDR + CW_PLINK_BODY_MAX);
	sh->line = cw_line_new(&c);
	if (sh->line == NULL || sh->frame == NULL) {
		snprintf(err, err_cap, "%s: more than %d slots on one reader, or "
		    "out of memory", sh->cfg.path, CW_DEVVIEW_STATIONS_MAX);
		return CW_EINVAL;
	}
	return 0;
}

static void
start_loop(struct shell *sh)
{
	static const int num[3] = { SIGTERM, SIGINT, SIGHUP };

	uv_prepare_init(&sh->loop, &sh->prepare);
	sh->prepare.data = sh;
	uv_prepare_start(&sh->prepare, on_prepare);
	uv_timer_init(&sh->loop, &sh->timer);
	for (int i = 0; i < 3; i++) {
		uv_signal_init(&sh->loop, &sh->sig[i]);
		sh->sig[i].data = sh;
		uv_signal_start(&sh->sig[i], on_signal, num[i]);
	}
}

/* Everything up, or err says what is not. */
static int
start(struct shell *sh, char *err, size_t err_cap)
{
	int e = start_line(sh, err, err_cap);

	if (e == 0)
		e = cw_shell_journal_start(sh, err, err_cap);
	if (e == 0)
		e = start_device(sh, err, err_cap);
	if (e == 0)
		e = cw_shell_links_start(sh, err, err_cap);
	return e;
}

static void
finish(struct shell *sh)
{
	cw_shell_journal_stop(sh);
	cw_line_free(sh->line);
	free(sh->reader);
	free(sh->frame);
	if (sh->tls != NULL)
		SSL_CTX_free(sh->tls);
	SSL_CTX_free(sh->psk);
	cw_devmap_free(sh->map);
	uv_loop_close(&sh->loop);
	cw_shell_config_free(&sh->cfg);
}

static int
run(struct shell *sh, char *err, size_t err_cap)
{
	signal(SIGPIPE, SIG_IGN);
	guard_memory();
	uv_loop_init(&sh->loop);
	start_loop(sh);
	sh->retry_us = UINT64_MAX;
	if (start(sh, err, err_cap) < 0) {
		cw_log(CW_LOG_ERROR, "terminal.start", "%s", err);
		cw_shell_end(sh, EXIT_FAIL);
	} else {
		cw_log(CW_LOG_INFO, "terminal.started", "name=%s stations=%u "
		    "readers=%u journal=%s starts from record %llu",
		    sh->cfg.name, sh->cfg.station_cnt, sh->cfg.reader_cnt,
		    sh->cfg.journal, (unsigned long long)sh->journal.next_lsn);
	}
	uv_run(&sh->loop, UV_RUN_DEFAULT);
	cw_log(CW_LOG_INFO, "terminal.ended", "code=%d", sh->exit_code);
	return sh->exit_code;
}

int
main(int argc, char **argv)
{
	struct options o = { .config = CONFIG_DEFAULT, .level = CW_LOG_INFO };
	struct shell *sh;
	char err[512] = "";
	int code;

	if (parse_options(&o, argc, argv, &code) < 0)
		return code;
	cw_log_open("cardwright-terminal", o.level);
	sh = calloc(1, sizeof *sh);
	if (sh == NULL)
		return EXIT_FAIL;
	code = EXIT_FAIL;
	if (cw_shell_config_load(&sh->cfg, o.config, err, sizeof err) < 0 ||
	    (sh->map = cw_devmap_load(sh->cfg.dev_profile, err,
	    sizeof err)) == NULL) {
		fprintf(stderr, "cardwright-terminal: %s\n", err);
		cw_shell_config_free(&sh->cfg);
	} else if (o.check) {
		if (o.show)
			cw_ini_dump(sh->cfg.ini);
		cw_devmap_free(sh->map);
		cw_shell_config_free(&sh->cfg);
		code = EXIT_OK;
	} else {
		code = run(sh, err, sizeof err);
		finish(sh);
	}
	free(sh);
	return code;
}
