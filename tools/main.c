/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "http.h"

#define B(id) CW_OPT_BIT(id)

static const struct cw_cmd cmds[] = {
	{ "setup", NULL, "", 0, 0, B(DIR) | B(TERMINAL) |
	  CW_OPT_MANY, 0,
	  "make a local authority, certificates, keys, token and configurations",
	  cw_setup_run },
	{ "order", "check", "FILE...", 0, 64, B(PROFILE) | B(COS) | B(DATA) |
	  CW_OPT_MANY, 0,
	  "check order files (COS image, CSV) before they are submitted",
	  cw_check_run },
	{ "order", "submit", "", 0, 0, B(PROFILE) | B(COS) | B(DATA) | B(LINE) |
	  B(TERMINAL) | B(COUNT) | B(NAME) | B(REMAKE) | B(PRODUCTION),
	  B(PROFILE),
	  "submit an order", cw_submit_run },
	{ "order", "watch", "ID", 1, 1, 0, 0,
	  "follow an order to its end, then print its reconciliation",
	  cw_watch_run },
	{ "order", "list", "", 0, 0, B(STATE) | B(LIMIT), 0,
	  "list orders, newest first", cw_order_list_run },
	{ "order", "show", "ID", 1, 1, 0, 0,
	  "show an order and how far it is", cw_order_show_run },
	{ "order", "report", "ID", 1, 1, 0, 0,
	  "print an order's reconciliation and rejects", cw_order_report_run },
	{ "order", "pause", "ID", 1, 1, B(WHY), 0,
	  "give out no more records of an order for now", cw_order_act_run },
	{ "order", "resume", "ID", 1, 1, B(WHY), 0,
	  "go on with a paused order", cw_order_act_run },
	{ "order", "cancel", "ID", 1, 1, B(WHY), 0,
	  "end an order: records not begun are cancelled", cw_order_act_run },
	{ "order", "remake", "ID", 1, 1, B(RECORD) | B(WHY), 0,
	  "make failed and doubtful records of an order again", cw_order_act_run },
	{ "order", "close", "ID", 1, 1, B(WHY), 0,
	  "put an ended order away: its personal data still held is destroyed",
	  cw_order_act_run },
	{ "reader", "list", "", 0, 0, B(LINE), 0,
	  "list the readers of all lines", cw_reader_list_run },
	{ "reader", "scan", "", 0, 0, B(ADDRESS), 0,
	  "find the readers on the network", cw_scan_run },
	{ "reader", "enrol", "ID...", 1, 64, B(KEYS) | B(SHOW), 0,
	  "draw the link key of a reader", cw_enrol_run },
	{ "reader", "update", "IP FILE", 2, 2, B(KEYS) | B(PLAIN), 0,
	  "send a signed firmware image to a reader", cw_reader_update_run },
	{ "line", "list", "", 0, 0, 0, 0,
	  "list the lines", cw_line_list_run },
	{ "profile", "check", "PROFILE...", 1, 64, 0, 0,
	  "check card profiles, and say which columns they take",
	  cw_profile_check_run },
	{ "profile", "compile", "PROFILE", 1, 1, B(DATA) | B(RECORD), B(DATA),
	  "make the programs of a data file without a card; print one",
	  cw_profile_compile_run },
	{ "profile", "test", "PROFILE", 1, 1, B(DATA) | B(CARD), B(DATA) | B(CARD),
	  "try the records of a data file on simulated cards",
	  cw_profile_test_run },
	{ "trace", NULL, "CARD", 1, 1, 0, 0,
	  "what became of a card: by ICCID, chip serial or ORDER/RECORD",
	  cw_trace_run },
};
#define CMD_CNT (sizeof(cmds) / sizeof(cmds[0]))

/* `cardwright order --help`: the verbs of one noun. */
static void
help(const struct cw_args *a)
{
	size_t from = 0, to = CMD_CNT;

	if (a->cmd == NULL && a->arg_cnt > 0) {
		while (from < CMD_CNT && strcmp(cmds[from].noun, a->arg[0]) != 0)
			from++;
		for (to = from; to < CMD_CNT &&
		    strcmp(cmds[to].noun, a->arg[0]) == 0; to++)
			;
	}
	if (from == CMD_CNT) {
		from = 0;
		to = CMD_CNT;
	}
	cw_opt_help(cmds + from, to - from, a->cmd);
}

int
main(int argc, char **argv)
{
	static struct cw_cli cli;
	struct cw_mistake err;
	int code;

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	if (cw_opt_parse(&cli.args, cmds, CMD_CNT, argv, &err) < 0)
		return cw_cli_fail(CW_EXIT_USAGE, "%s", err.text);
	if (cw_opt_has(&cli.args, CW_OPT_HELP)) {
		help(&cli.args);
		return CW_EXIT_OK;
	}
	if (cw_opt_has(&cli.args, CW_OPT_VERSION)) {
		printf("cardwright %s\n", CW_SOFTWARE_VERSION);
		return CW_EXIT_OK;
	}
	code = cw_cli_settings(&cli);
	if (code == CW_EXIT_OK)
		code = cli.args.cmd->run(&cli);
	cw_cli_http_close(&cli);
	if (fflush(stdout) != 0 && code == CW_EXIT_OK)
		code = CW_EXIT_DENIED;
	return code;
}
