/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_CLI_H
#define CW_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "opt.h"

/* What the `cardwright` command tells the shell. */
enum cw_exit {
	CW_EXIT_OK = 0,
	CW_EXIT_CARDS = 1,	/* some cards or records failed */
	CW_EXIT_USAGE = 2,	/* mistake on the command line; no such order */
	CW_EXIT_CONNECT = 3,	/* platform not reached, or not able to serve */
	CW_EXIT_DENIED = 4,	/* not allowed: token, or a file in the way */
	CW_EXIT_ORDER = 5,	/* the order or one of its files is bad */
};

/* Of the platform's API and page, where no configuration says otherwise. */
#define CW_HTTP_PORT 7811

struct cw_http;

/* One run of the command. */
struct cw_cli {
	struct cw_args args;
	bool json;
	char config_dir[1024];
	char url[512];
	char token[200];	/* "" = none found yet */
	char token_file[1024];
	struct cw_http *http;	/* made by the first request */
};

/* Fills config_dir, url and token_file from options, environment, client.ini.
 * 0, or an exit code with the reason said on standard error. */
int cw_cli_settings(struct cw_cli *cli);

/* Says "cardwright: ..." on standard error and returns code. */
int cw_cli_fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Closes a file that was written, once it is on the disk: a key that a power cut
 * takes away cannot be made again.  0 or CW_EIO. */
int cw_cli_close(FILE *f);

/* Prints a JSON value on standard output, and takes it. Returns CW_EXIT_OK. */
int cw_cli_print_json(json_t *value);

/* "1 h 02 min", "12 s" of whole seconds; out holds 32 bytes. */
void cw_cli_duration(char out[32], uint64_t s);

/* Text with control characters made visible, so that what a file or peer put
 * into a name cannot steer the user's terminal. Prints at most max characters,
 * padded to width. */
void cw_cli_put_text(const char *text, int width);

/* Where card profiles are: ./profiles, beside the build, or installed. */
void cw_cli_profiles_dir(char *out, size_t cap);

/* Draws a key for identity and adds it to the key file at path; hex, when not
 * NULL, gets its text, which the caller wipes.  An exit code, told when not OK. */
int cw_enrol_add(const char *path, const char *identity, char hex[65]);

/* The commands. */
int cw_setup_run(struct cw_cli *cli);
int cw_check_run(struct cw_cli *cli);
int cw_submit_run(struct cw_cli *cli);
int cw_watch_run(struct cw_cli *cli);
int cw_order_list_run(struct cw_cli *cli);
int cw_order_show_run(struct cw_cli *cli);
int cw_order_report_run(struct cw_cli *cli);
int cw_order_act_run(struct cw_cli *cli);
int cw_reader_list_run(struct cw_cli *cli);
int cw_enrol_run(struct cw_cli *cli);
int cw_scan_run(struct cw_cli *cli);
int cw_reader_update_run(struct cw_cli *cli);
int cw_line_list_run(struct cw_cli *cli);
int cw_trace_run(struct cw_cli *cli);
int cw_profile_check_run(struct cw_cli *cli);
int cw_profile_compile_run(struct cw_cli *cli);
int cw_profile_test_run(struct cw_cli *cli);

#endif
