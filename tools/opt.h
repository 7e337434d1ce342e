/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_OPT_H
#define CW_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The command line of `cardwright`: one table of options and one of commands,
 * from which parsing, --help and the messages about mistakes are all drawn.
 *
 *	cardwright [OPTION...] NOUN [VERB] [OPTION | ARGUMENT...]
 *
 * Options may stand anywhere; "--name VALUE" and "--name=VALUE" are the same;
 * "--" ends them.  An option that the command does not take is refused, with
 * the nearest one that it does take.
 */

/* X(ID, "name", letter or 0, "ARG" or NULL for a switch, "help") */
#define CW_OPT_MAP(X) \
	X(PLATFORM, "platform", 0, "URL", "address of the platform " \
	  "(default: client.ini, else http://127.0.0.1:7811)") \
	X(TOKEN, "token", 0, "FILE", "file that holds the API token " \
	  "(default: client.ini)") \
	X(CONFIG, "config", 0, "DIR", "directory made by setup " \
	  "(default: $CARDWRIGHT_DIR, else ~/.config/cardwright)") \
	X(JSON, "json", 0, NULL, "print JSON for programs in place of text") \
	X(HELP, "help", 'h', NULL, "print this help") \
	X(VERSION, "version", 0, NULL, "print the version") \
	X(DIR, "dir", 0, "DIR", "where to write (default: as --config)") \
	X(TERMINAL, "terminal", 0, "NAME", "setup: make a certificate for this " \
	  "terminal (may be repeated); submit: the terminal's IP or name") \
	X(PROFILE, "profile", 0, "NAME", "card profile of the order") \
	X(COS, "cos", 0, "FILE", "COS image: raw, Intel HEX or S-record") \
	X(DATA, "data", 0, "FILE", "personal data: CSV, one record per line") \
	X(LINE, "line", 0, "NAME", "only this line (default: any)") \
	X(COUNT, "count", 0, "N", "number of records; without data: of cards") \
	X(NAME, "name", 0, "TEXT", "name of the order, unique; the same name " \
	  "with the same content is the same order (default: made up)") \
	X(REMAKE, "remake", 0, "N", "cards spent on one record at most " \
	  "(default: 3)") \
	X(PRODUCTION, "production", 0, NULL, "a production order (default: test)") \
	X(STATE, "state", 0, "STATE", "list only orders in this state") \
	X(LIMIT, "limit", 0, "N", "list at most N (default: 50)") \
	X(WHY, "why", 0, "TEXT", "reason, for the order's log") \
	X(RECORD, "record", 0, "N", "only this record of the order") \
	X(KEYS, "keys", 0, "FILE", "key file of the readers (default: readers.key " \
	  "in the directory made by setup)") \
	X(ADDRESS, "address", 0, "IP", "ask only there (default: every network)") \
	X(PLAIN, "plain", 0, NULL, "over an unsecured link") \
	X(CARD, "card", 0, "FILE", "description of the simulated card") \
	X(SHOW, "show", 0, NULL, "print the key, as a reader's console takes it")

enum cw_opt_id {
#define X(id, name, letter, arg, help) CW_OPT_##id,
	CW_OPT_MAP(X)
#undef X
	CW_OPT_CNT
};
#define CW_OPT_BIT(id) (1u << CW_OPT_##id)
/* Beside the bits of a command: its options may be given more than once. */
#define CW_OPT_MANY (1u << 31)
/* Options that every command takes. */
#define CW_OPT_GLOBAL (CW_OPT_BIT(PLATFORM) | CW_OPT_BIT(TOKEN) | \
    CW_OPT_BIT(CONFIG) | CW_OPT_BIT(JSON) | CW_OPT_BIT(HELP) | \
    CW_OPT_BIT(VERSION))

struct cw_cli;

/* A sentence about a mistake: what it is, where, and what to do. */
struct cw_mistake {
	char text[400];
};

struct cw_cmd {
	const char *noun, *verb;	/* verb NULL: the noun stands alone */
	const char *arg_text;		/* arguments for the help, "" if none */
	unsigned int arg_min, arg_max;
	uint32_t opts;			/* CW_OPT_BIT(..) beyond the global ones */
	uint32_t need;			/* those that must be given */
	const char *help;
	/* An exit code of enum cw_exit. */
	int (*run)(struct cw_cli *cli);
};

#define CW_ARGS_MAX 256

/* A parsed command line; the texts borrow from argv. */
struct cw_args {
	const struct cw_cmd *cmd;
	uint32_t seen;			/* CW_OPT_BIT of each option given */
	unsigned int opt_cnt, arg_cnt;
	struct {
		enum cw_opt_id id;
		const char *value;
	} opt[CW_ARGS_MAX];
	const char *arg[CW_ARGS_MAX];
};

/*
 * Parses argv against the commands cmds[cmd_cnt].  Returns 0, or CW_EINVAL with
 * a sentence in err that names the mistake and the remedy.  --help and
 * --version are accepted without a command; then a->cmd may be NULL.
 */
int cw_opt_parse(struct cw_args *a, const struct cw_cmd *cmds, size_t cmd_cnt,
    char **argv, struct cw_mistake *err);

/* n-th (0-based) value given for an option; NULL beyond the last. */
const char *cw_opt_nth(const struct cw_args *a, enum cw_opt_id id, unsigned int n);
/* The last value given, or NULL. A switch that was given has the value "". */
const char *cw_opt_get(const struct cw_args *a, enum cw_opt_id id);
bool cw_opt_has(const struct cw_args *a, enum cw_opt_id id);
/* A whole number 1..max: 0 with *out, else CW_EINVAL with err; *out is left
 * alone when the option was not given. */
int cw_opt_u64(const struct cw_args *a, enum cw_opt_id id, uint64_t max,
    uint64_t *out, struct cw_mistake *err);

/* Help on standard output: of everything (cmd NULL), or of one command. */
void cw_opt_help(const struct cw_cmd *cmds, size_t cmd_cnt, const struct cw_cmd *cmd);

#endif
