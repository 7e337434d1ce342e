/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *log_prog = "cardwright";
static enum cw_log_level log_level = CW_LOG_INFO;

/* sd-daemon(3): 3 error, 4 warning, 6 information, 7 debug */
static const char log_sd[] = { '3', '4', '6', '7', '7' };
static const char *const log_word[] = {
	"error", "warn", "info", "debug", "trace",
};

void
cw_log_open(const char *prog, enum cw_log_level level)
{
	log_prog = prog;
	log_level = level;
}

/* Puts "<6>" or, on a terminal, "12:00:00.123 prog info " at the start. */
static size_t
log_head(char *line, size_t cap, enum cw_log_level level)
{
	struct timespec ts;
	struct tm tm;
	int n;

	if (!isatty(STDERR_FILENO)) {
		n = snprintf(line, cap, "<%c>", log_sd[level]);
	} else {
		clock_gettime(CLOCK_REALTIME, &ts);
		localtime_r(&ts.tv_sec, &tm);
		n = snprintf(line, cap, "%02d:%02d:%02d.%03ld %s %s ",
		    tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000,
		    log_prog, log_word[level]);
	}
	return n < 0 ? 0 : (size_t)n;
}

void
cw_log(enum cw_log_level level, const char *event, const char *fmt, ...)
{
	char line[2048];
	size_t cap = sizeof(line) - 1;
	size_t len, i, head;
	va_list ap;
	int n;

	if (level > log_level || level > CW_LOG_TRACE)
		return;

	head = len = log_head(line, cap, level);
	n = snprintf(line + len, cap - len, "%s%s", event, *fmt ? " " : "");
	len += n < 0 ? 0 : (size_t)n;
	if (len >= cap)
		len = cap - 1;
	va_start(ap, fmt);
	n = vsnprintf(line + len, cap - len, fmt, ap);
	va_end(ap);
	len += n < 0 ? 0 : (size_t)n;
	if (len >= cap)
		len = cap - 1;

	/* A value that came from a peer must not forge a line of its own. */
	for (i = head; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}

	/* One write per line, so that threads and processes do not mix. */
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}
