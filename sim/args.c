/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "sim/args.h"

_Noreturn void
cw_args_fail(const char *opt, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: %s: ", program_invocation_short_name, opt);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see --help\n");
	exit(2);
}

void
cw_args_addr(const char *opt, const char *text, struct cw_args_addr *a)
{
	const char *colon = strrchr(text, ':');
	struct in_addr in;
	size_t len;

	len = colon == NULL ? sizeof a->ip : (size_t)(colon - text);
	if (len < sizeof a->ip) {
		memcpy(a->ip, text, len);
		a->ip[len] = '\0';
		if (inet_pton(AF_INET, a->ip, &in) == 1) {
			a->port = (uint16_t)cw_args_u32(opt, colon + 1, 0,
			    65535);
			return;
		}
	}
	cw_args_fail(opt, "expected IPV4:PORT such as 127.0.0.1:7830, found "
	    "\"%s\"", text);
}

uint32_t
cw_args_u32(const char *opt, const char *text, uint32_t min, uint32_t max)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    v < min || v > max)
		cw_args_fail(opt, "expected a number from %u to %u, found "
		    "\"%s\"", min, max, text);
	return (uint32_t)v;
}

uint32_t
cw_args_count(const char *opt, const char *text)
{
	if (strcmp(text, "endless") == 0)
		return UINT32_MAX;
	return cw_args_u32(opt, text, 0, 4000000000u);
}

double
cw_args_real(const char *opt, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(v) || v < 0)
		cw_args_fail(opt, "expected a number of at least 0, found "
		    "\"%s\"", text);
	return v;
}

uint32_t
cw_args_ms(const char *opt, const char *text)
{
	double v = cw_args_real(opt, text);

	if (v > 3600000)
		cw_args_fail(opt, "expected at most 3600000 ms, found \"%s\"",
		    text);
	return (uint32_t)(v * 1000 + 0.5);
}

int
cw_args_log(const char *opt, const char *text)
{
	static const char *const level[] = {
		[CW_LOG_ERROR] = "error", [CW_LOG_WARN] = "warn",
		[CW_LOG_INFO] = "info", [CW_LOG_DEBUG] = "debug",
		[CW_LOG_TRACE] = "trace",
	};
	int i;

	for (i = CW_LOG_ERROR; i <= CW_LOG_TRACE; i++)
		if (strcmp(text, level[i]) == 0)
			return i;
	cw_args_fail(opt, "expected error, warn, info, debug or trace, found "
	    "\"%s\"", text);
}
