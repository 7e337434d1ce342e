/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_LOG_H
#define CW_LOG_H

/*
 * Log of the daemons: one line per event on standard error, as journald likes it:
 * "<N>event key=value key=value" (N: sd-daemon level, left out on a terminal,
 * where a time stands instead).  Never log a secret: there is no formatter for one.
 */
enum cw_log_level { CW_LOG_ERROR, CW_LOG_WARN, CW_LOG_INFO, CW_LOG_DEBUG, CW_LOG_TRACE };

/* prog is kept, not copied. */
void cw_log_open(const char *prog, enum cw_log_level level);
void cw_log(enum cw_log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
