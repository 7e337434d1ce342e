/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_SIM_ARGS_H
#define CW_SIM_ARGS_H

#include <stdint.h>

/*
 * Values of command-line options of the simulated plant's programs.  On a value
 * that is no good they say so on standard error, with the option's name, what
 * was expected and what was found, and exit with status 2.
 */
struct cw_args_addr {
	char ip[16];
	uint16_t port;
};

/* Standard error line "prog: --opt: <text>", then exit(2). */
_Noreturn void cw_args_fail(const char *opt, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "127.0.0.1:7830" */
void cw_args_addr(const char *opt, const char *text, struct cw_args_addr *a);
/* Decimal, min to max. */
uint32_t cw_args_u32(const char *opt, const char *text, uint32_t min, uint32_t max);
/* The same, or the word "endless": UINT32_MAX. */
uint32_t cw_args_count(const char *opt, const char *text);
/* Milliseconds with fraction, in microseconds. */
uint32_t cw_args_ms(const char *opt, const char *text);
/* A number of at least 0. */
double cw_args_real(const char *opt, const char *text);
/* enum cw_log_level by name. */
int cw_args_log(const char *opt, const char *text);

#endif
