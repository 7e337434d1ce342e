/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cardwright order watch`: a progress bar on a terminal, plain lines elsewhere,
 * the reconciliation at the end.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "http.h"
#include "json.h"
#include "order_view.h"

#define POLL_MS 500
#define LINE_MS 5000		/* plain lines: one in this time */
#define GONE_MS 30000		/* a platform away for longer ends the watch */
#define SETTLE_MS 5000		/* what the machine's last counters may take */

struct watch {
	struct cw_cli *cli;
	const char *id;
	bool tty;
	bool drawn;		/* a bar stands on the present line */
	int64_t said_ms;	/* the last plain line */
	char said[64];		/* state of the last plain line */
	char why[256];		/* why it stands still, as last seen */
	bool why_told;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
pause_ms(long ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* "61 cards/min, 2 min 05 s left" as far as it is known. */
static void
speed_text(const json_t *o, char *out, size_t cap)
{
	const json_t *rate = json_object_get(o, "cards_per_min");
	const json_t *left = json_object_get(o, "seconds_left");
	char text[32];
	int n = 0;

	out[0] = '\0';
	if (json_is_number(rate))
		n = snprintf(out, cap, ", %.0f cards/min", json_number_value(rate));
	if (json_is_number(left) && cw_view_ended(o) < cw_cli_int(o, "total")) {
		cw_cli_duration(text, (uint64_t)(json_number_value(left) + 0.5));
		snprintf(out + n, cap - (size_t)n, ", %s left", text);
	}
}

static void
draw_bar(struct watch *w, const json_t *o)
{
	json_int_t done = cw_view_ended(o), total = cw_cli_int(o, "total");
	struct winsize ws = { .ws_col = 80 };
	char tail[160], speed[80];
	int width, full;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);
	speed_text(o, speed, sizeof(speed));
	snprintf(tail, sizeof(tail), " %lld/%lld %s, %lld reject%s",
	    (long long)done, (long long)total, cw_cli_str(o, "state"),
	    (long long)(cw_cli_int2(o, "cards", "reject") +
	    cw_cli_int2(o, "cards", "in-doubt")), speed);
	width = (int)ws.ws_col - (int)strlen(tail) - 3;
	if (width < 5)
		width = 5;
	full = total > 0 ? (int)(done * width / total) : 0;
	fputs("\r[", stdout);
	for (int i = 0; i < width; i++)
		putchar(i < full ? '#' : '.');
	printf("]%s\033[K", tail);
	w->drawn = true;
}

static void
say_line(struct watch *w, const json_t *o)
{
	const char *state = cw_cli_str(o, "state");
	char speed[80];

	if (strcmp(w->said, state) == 0 && now_ms() - w->said_ms < LINE_MS)
		return;
	snprintf(w->said, sizeof(w->said), "%s", state);
	w->said_ms = now_ms();
	speed_text(o, speed, sizeof(speed));
	printf("order %s %s: %lld of %lld records ended, %lld good, %lld reject, "
	    "%lld in doubt%s\n", w->id, state, (long long)cw_view_ended(o),
	    (long long)cw_cli_int(o, "total"),
	    (long long)cw_cli_int2(o, "cards", "good"),
	    (long long)cw_cli_int2(o, "cards", "reject"),
	    (long long)cw_cli_int2(o, "cards", "in-doubt"), speed);
}

/* Why it stands still: once it has been so for two looks, and once each. */
static void
say_why(struct watch *w, const json_t *o)
{
	bool blocked = strcmp(cw_cli_str(o, "state"), "blocked") == 0;
	const char *why = cw_cli_str(o, blocked ? "reason" : "waits");
	char now[sizeof(w->why)];

	snprintf(now, sizeof(now), "%s", why != NULL ? why : "");
	if (strcmp(w->why, now) != 0) {
		snprintf(w->why, sizeof(w->why), "%s", now);
		w->why_told = false;
		return;
	}
	if (now[0] == '\0' || w->why_told)
		return;
	w->why_told = true;
	printf("%sorder %s%s: ", w->tty ? "\n" : "", w->id, blocked ? " blocked" : "");
	cw_cli_put_text(now, 0);
	putchar('\n');
}

static void
show(struct watch *w, const json_t *o)
{
	if (w->cli->json) {
		json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else if (w->tty) {
		draw_bar(w, o);
	} else {
		say_line(w, o);
	}
	if (!w->cli->json)
		say_why(w, o);
	fflush(stdout);
}

static bool
is_over(const json_t *o)
{
	const char *state = cw_cli_str(o, "state");

	return state != NULL && (strcmp(state, "done") == 0 ||
	    strcmp(state, "closed") == 0 || strcmp(state, "cancelled") == 0);
}

/* The order as it is now; a platform that is away for a while is waited for. */
static int
fetch(struct watch *w, json_t **o)
{
	struct cw_http_req req = { .method = "GET" };
	struct cw_http_res res;
	int64_t since = now_ms();
	char path[64];
	int code;

	snprintf(path, sizeof(path), "/api/v1/orders/%s", w->id);
	req.path = path;
	for (bool told = false; ; told = true) {
		req.quiet = now_ms() - since < GONE_MS;
		code = cw_cli_http(w->cli, &req, &res);
		if (code != CW_EXIT_CONNECT || !req.quiet)
			break;
		cw_cli_http_free(&res);
		/* Nobody there at the very start is no interruption. */
		if (!w->drawn && w->said_ms == 0) {
			req.quiet = false;
			code = cw_cli_http(w->cli, &req, &res);
			break;
		}
		if (!told)
			fprintf(stderr, "\ncardwright: %s does not answer; waiting\n",
			    w->cli->url);
		pause_ms(1000);
	}
	/* A refusal that came while we were quiet is said now. */
	if (code != CW_EXIT_OK && code != CW_EXIT_CONNECT) {
		cw_cli_http_free(&res);
		req.quiet = false;
		code = cw_cli_http(w->cli, &req, &res);
	}
	*o = code == CW_EXIT_OK ? json_incref(res.json) : NULL;
	cw_cli_http_free(&res);
	return code;
}

/* Reconciliation, once the machine's counters are in or have had their time. */
static int
finish(struct watch *w)
{
	int64_t until = now_ms() + SETTLE_MS;
	json_t *rep;
	int code;

	for (;;) {
		code = cw_cli_get(w->cli, &rep, "/api/v1/orders/%s/report", w->id);
		if (code != CW_EXIT_OK)
			return code;
		if (json_is_true(json_object_get(rep, "settled")) ||
		    now_ms() > until)
			break;
		json_decref(rep);
		pause_ms(200);
	}
	code = cw_view_verdict(rep);
	if (w->cli->json) {
		json_dumpf(rep, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(rep);
		return code;
	}
	if (w->drawn)
		putchar('\n');
	cw_view_report(rep);
	json_decref(rep);
	return code;
}

int
cw_watch_run(struct cw_cli *cli)
{
	struct watch w = { .cli = cli, .id = cw_view_order_id(cli) };
	json_t *o;
	bool over;
	int code;

	if (w.id == NULL)
		return CW_EXIT_USAGE;
	w.tty = isatty(STDOUT_FILENO) == 1;
	for (;;) {
		code = fetch(&w, &o);
		if (code != CW_EXIT_OK)
			return code;
		show(&w, o);
		over = is_over(o);
		json_decref(o);
		if (over)
			return finish(&w);
		pause_ms(POLL_MS);
	}
}
