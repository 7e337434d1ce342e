/* SPDX-License-Identifier: Apache-2.0 */
#include "opt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"

struct opt {
	const char *name;
	char letter;
	const char *arg, *help;
};

static const struct opt opts[CW_OPT_CNT] = {
#define X(id, name_, letter_, arg_, help_) \
	[CW_OPT_##id] = { name_, letter_, arg_, help_ },
	CW_OPT_MAP(X)
#undef X
};

static int __attribute__((format(printf, 2, 3)))
mistake(struct cw_mistake *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return CW_EINVAL;
}

/* Edits (insert, delete, replace) between two short words. */
static unsigned int
distance(const char *a, size_t a_len, const char *b)
{
	unsigned int row[40], diag, up;
	size_t b_len = strlen(b);

	if (a_len >= 40 || b_len >= 40)
		return 99;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		diag = row[0];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned int best = diag + (a[i - 1] != b[j - 1]);

			up = row[j];
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diag = up;
			row[j] = best;
		}
	}
	return row[b_len];
}

/* The nearest option that the command takes; CW_OPT_CNT if none is near. */
static enum cw_opt_id
nearest(uint32_t allowed, const char *name, size_t len)
{
	enum cw_opt_id found = CW_OPT_CNT;
	unsigned int best = (unsigned int)len / 3 + 2;

	for (unsigned int i = 0; i < CW_OPT_CNT; i++) {
		unsigned int d = distance(name, len, opts[i].name);

		if ((allowed & 1u << i) == 0 || d >= best)
			continue;
		best = d;
		found = (enum cw_opt_id)i;
	}
	return found;
}

static enum cw_opt_id
opt_find(const char *word, size_t len)
{
	for (unsigned int i = 0; i < CW_OPT_CNT; i++) {
		if (len == 1 && word[0] == opts[i].letter)
			return (enum cw_opt_id)i;
		if (strlen(opts[i].name) == len &&
		    strncmp(opts[i].name, word, len) == 0)
			return (enum cw_opt_id)i;
	}
	return CW_OPT_CNT;
}

/* One option at argv[0]; the number of words used, or CW_EINVAL. */
static int
parse_opt(struct cw_args *a, char **argv, struct cw_mistake *err)
{
	const char *word = argv[0] + (argv[0][1] == '-' ? 2 : 1);
	size_t len = strcspn(word, "=");
	enum cw_opt_id id = opt_find(word, len);
	const char *value = word[len] == '=' ? word + len + 1 : NULL;
	int used = 1;

	/* A single dash is for single letters only. */
	if (id == CW_OPT_CNT || (argv[0][1] != '-' && len != 1)) {
		id = nearest(~0u, word, len);
		if (id == CW_OPT_CNT)
			return mistake(err, "unknown option %s; cardwright --help "
			    "lists all", argv[0]);
		return mistake(err, "unknown option %s; did you mean --%s?",
		    argv[0], opts[id].name);
	}
	if (opts[id].arg == NULL) {
		if (value != NULL)
			return mistake(err, "option --%s takes no value",
			    opts[id].name);
		value = "";
	} else if (value == NULL) {
		value = argv[1];
		used = 2;
	}
	if (value == NULL || (value[0] == '\0' && opts[id].arg != NULL))
		return mistake(err, "option --%s needs a value: --%s %s",
		    opts[id].name, opts[id].name, opts[id].arg);
	if (a->opt_cnt == CW_ARGS_MAX)
		return mistake(err, "more than %d options", CW_ARGS_MAX);
	a->seen |= 1u << id;
	a->opt[a->opt_cnt].id = id;
	a->opt[a->opt_cnt++].value = value;
	return used;
}

/* Finds the command from the first one or two words, and takes them away. */
static int
find_cmd(struct cw_args *a, const struct cw_cmd *cmds, size_t cnt,
    struct cw_mistake *err)
{
	const char *noun = a->arg[0], *verb = a->arg_cnt > 1 ? a->arg[1] : NULL;
	const struct cw_cmd *near = NULL;
	unsigned int best = 4, used;
	bool noun_known = false;

	for (size_t i = 0; i < cnt; i++) {
		const struct cw_cmd *c = &cmds[i];
		unsigned int d = distance(noun, strlen(noun), c->noun);

		if (d == 0 && (c->verb == NULL ||
		    (verb != NULL && strcmp(c->verb, verb) == 0)))
			a->cmd = c;
		if (d == 0)
			noun_known = true;
		if (c->verb != NULL && verb != NULL)
			d += distance(verb, strlen(verb), c->verb);
		if (d < best && (c->verb == NULL || verb != NULL)) {
			best = d;
			near = c;
		}
	}
	if (a->cmd == NULL && noun_known && verb == NULL)
		return mistake(err, "'%s' needs a verb; cardwright %s --help "
		    "lists them", noun, noun);
	if (a->cmd == NULL && near != NULL)
		return mistake(err, "unknown command '%s%s%s'; did you mean "
		    "'%s%s%s'?", noun, verb != NULL ? " " : "",
		    verb != NULL ? verb : "", near->noun,
		    near->verb != NULL ? " " : "",
		    near->verb != NULL ? near->verb : "");
	if (a->cmd == NULL)
		return mistake(err, "unknown command '%s'; cardwright --help "
		    "lists all", noun);
	used = a->cmd->verb != NULL ? 2 : 1;
	a->arg_cnt -= used;
	memmove(a->arg, a->arg + used, a->arg_cnt * sizeof(a->arg[0]));
	return 0;
}

/* The first option that is given twice; CW_OPT_CNT if none is. */
static enum cw_opt_id
twice(const struct cw_args *a)
{
	uint32_t seen = 0;

	for (unsigned int i = 0; i < a->opt_cnt; i++) {
		if ((seen & 1u << a->opt[i].id) != 0 &&
		    opts[a->opt[i].id].arg != NULL)
			return a->opt[i].id;
		seen |= 1u << a->opt[i].id;
	}
	return CW_OPT_CNT;
}

/* Are options and arguments those that the command takes and needs? */
static int
check_cmd(const struct cw_args *a, struct cw_mistake *err)
{
	const struct cw_cmd *c = a->cmd;
	uint32_t allowed = c->opts | CW_OPT_GLOBAL;
	enum cw_opt_id again = (c->opts & CW_OPT_MANY) != 0 ? CW_OPT_CNT : twice(a);

	for (unsigned int i = 0; i < CW_OPT_CNT; i++) {
		enum cw_opt_id near = nearest(allowed, opts[i].name,
		    strlen(opts[i].name));

		if ((a->seen & ~allowed & 1u << i) != 0 && near != CW_OPT_CNT)
			return mistake(err, "'%s%s%s' does not take --%s; the "
			    "nearest it takes is --%s", c->noun,
			    c->verb ? " " : "", c->verb ? c->verb : "",
			    opts[i].name, opts[near].name);
		if ((a->seen & ~allowed & 1u << i) != 0)
			return mistake(err, "'%s%s%s' does not take --%s",
			    c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
			    opts[i].name);
		if ((c->need & ~a->seen & 1u << i) != 0)
			return mistake(err, "'%s%s%s' needs --%s %s", c->noun,
			    c->verb ? " " : "", c->verb ? c->verb : "",
			    opts[i].name, opts[i].arg);
	}
	if (again != CW_OPT_CNT)
		return mistake(err, "--%s is given twice: which one is meant?",
		    opts[again].name);
	if (a->arg_cnt < c->arg_min)
		return mistake(err, "'%s%s%s' needs %s", c->noun,
		    c->verb ? " " : "", c->verb ? c->verb : "", c->arg_text);
	if (a->arg_cnt > c->arg_max)
		return mistake(err, "'%s' is one argument too many for '%s%s%s'",
		    a->arg[c->arg_max], c->noun, c->verb ? " " : "",
		    c->verb ? c->verb : "");
	return 0;
}

int
cw_opt_parse(struct cw_args *a, const struct cw_cmd *cmds, size_t cmd_cnt,
    char **argv, struct cw_mistake *err)
{
	bool only_args = false;
	int used;

	memset(a, 0, sizeof(*a));
	for (argv++; *argv != NULL; argv += used) {
		used = 1;
		if (!only_args && strcmp(*argv, "--") == 0) {
			only_args = true;
		} else if (!only_args && argv[0][0] == '-' && argv[0][1] != '\0') {
			used = parse_opt(a, argv, err);
			if (used < 0)
				return used;
		} else if (a->arg_cnt == CW_ARGS_MAX) {
			return mistake(err, "more than %d arguments",
			    CW_ARGS_MAX);
		} else {
			a->arg[a->arg_cnt++] = *argv;
		}
	}

	/* Help needs no sound command line: it is asked for when it is not. */
	if (a->arg_cnt > 0) {
		int e = find_cmd(a, cmds, cmd_cnt, err);

		if (cw_opt_has(a, CW_OPT_HELP) || cw_opt_has(a, CW_OPT_VERSION))
			return 0;
		return e < 0 ? e : check_cmd(a, err);
	}
	if (cw_opt_has(a, CW_OPT_HELP) || cw_opt_has(a, CW_OPT_VERSION))
		return 0;
	return mistake(err, "a command is missing; cardwright --help lists all");
}

const char *
cw_opt_nth(const struct cw_args *a, enum cw_opt_id id, unsigned int n)
{
	for (unsigned int i = 0; i < a->opt_cnt; i++)
		if (a->opt[i].id == id && n-- == 0)
			return a->opt[i].value;
	return NULL;
}

const char *
cw_opt_get(const struct cw_args *a, enum cw_opt_id id)
{
	for (unsigned int i = a->opt_cnt; i > 0; i--)
		if (a->opt[i - 1].id == id)
			return a->opt[i - 1].value;
	return NULL;
}

bool
cw_opt_has(const struct cw_args *a, enum cw_opt_id id)
{
	return (a->seen & 1u << id) != 0;
}

int
cw_opt_u64(const struct cw_args *a, enum cw_opt_id id, uint64_t max,
    uint64_t *out, struct cw_mistake *err)
{
	const char *s = cw_opt_get(a, id);
	char *end;
	unsigned long long v;

	if (s == NULL)
		return 0;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || v < 1 ||
	    v > max)
		return mistake(err, "--%s %s: not a whole number from 1 to %llu",
		    opts[id].name, s, (unsigned long long)max);
	*out = v;
	return 0;
}

static void
print_opts(uint32_t set)
{
	for (unsigned int i = 0; i < CW_OPT_CNT; i++) {
		char left[40];

		if ((set & 1u << i) == 0)
			continue;
		snprintf(left, sizeof(left), "%s--%s%s%s",
		    opts[i].letter != 0 ? "-h, " : "", opts[i].name,
		    opts[i].arg != NULL ? " " : "",
		    opts[i].arg != NULL ? opts[i].arg : "");
		printf("  %-18s %s\n", left, opts[i].help);
	}
}

void
cw_opt_help(const struct cw_cmd *cmds, size_t cmd_cnt, const struct cw_cmd *cmd)
{
	if (cmd == NULL)
		printf("cardwright: orders in, good cards out\n\n"
		    "usage: cardwright [OPTION...] COMMAND [OPTION | ARGUMENT...]\n\n"
		    "commands:\n");
	for (size_t i = 0; i < cmd_cnt; i++) {
		const struct cw_cmd *c = &cmds[i];
		char left[80];

		if (cmd != NULL && cmd != c)
			continue;
		snprintf(left, sizeof(left), "%s%s%s%s%s", c->noun,
		    c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "",
		    c->arg_text[0] != '\0' ? " " : "", c->arg_text);
		if (cmd != NULL)
			printf("usage: cardwright %s [OPTION...]\n\n%s\n", left,
			    c->help);
		else
			printf("  %-24s %s\n", left, c->help);
	}
	if (cmd != NULL && cmd->opts != 0) {
		printf("\noptions:\n");
		print_opts(cmd->opts);
	}
	printf("\noptions of every command:\n");
	print_opts(CW_OPT_GLOBAL);
	printf("\nexit codes: 0 ok, 1 some cards failed, 2 usage, "
	    "3 not connected, 4 not allowed, 5 bad order\n");
}
