/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cardwright order check FILE...`: the checks of the platform's intake, on files
 * here, without a platform; and, where one answers, against its earlier orders.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "http.h"
#include "json.h"
#include "order/order.h"
#include "terminal/profile/profile.h"

#define HEAD_MAX 8192u		/* of a file, to tell its kind */
#define BATCH 1000u		/* numbers asked of the platform at once */
#define CHUNK (256u * 1024u)

enum kind { KIND_HEX, KIND_SREC, KIND_RAW, KIND_DATA };

/* Numbers of some lines, on their way to the platform. */
struct batch {
	unsigned int cnt;
	uint32_t line[BATCH];
	char number[BATCH][21];
};

struct check {
	struct cw_cli *cli;
	struct cw_profile *profile;	/* NULL: none was named */
	const char *path;
	bool online;			/* the platform still answers */
	struct cw_order_reader *reader;
	struct batch iccid, imsi;
	json_t *faults;			/* of the present file */
	uint64_t fault_cnt, records;
};

static enum kind
tell_kind(const char *head, size_t len)
{
	size_t line = 0, i = 0;

	while (i < len && isspace((unsigned char)head[i]))
		i++;
	if (i < len && head[i] == ':')
		return KIND_HEX;
	if (i + 1 < len && head[i] == 'S' && isdigit((unsigned char)head[i + 1])) {
		while (i + 2 + line < len &&
		    isxdigit((unsigned char)head[i + 2 + line]))
			line++;
		if (line >= 6)
			return KIND_SREC;
	}
	if (memchr(head, 0, len) != NULL)
		return KIND_RAW;

	/* Text with a delimiter in its first line is a table. */
	while (line < len && head[line] != '\n')
		line++;
	for (i = 0; i < line; i++)
		if (strchr(",;\t", head[i]) != NULL)
			return KIND_DATA;
	for (i = 0; i < len; i++)
		if ((unsigned char)head[i] < 0x20 && !isspace((unsigned char)head[i]))
			return KIND_RAW;
	return KIND_DATA;
}

static const char *
kind_word(enum kind k)
{
	static const char *const word[] = {
		[KIND_HEX] = "COS image, Intel HEX",
		[KIND_SREC] = "COS image, S-record",
		[KIND_RAW] = "COS image, raw", [KIND_DATA] = "card data, CSV",
	};

	return word[k];
}

static void
add_fault(struct check *c, uint32_t line, const char *column, const char *what)
{
	c->fault_cnt++;
	json_array_append_new(c->faults, json_pack("{s:s, s:I, s:s?, s:s?}",
	    "file", c->path, "line", (json_int_t)line, "column", column,
	    "what", what));
}

/* Numbers of the batch that earlier orders own become faults of their lines. */
static void
ask_platform(struct check *c, struct batch *b, const char *kind)
{
	struct cw_http_req req = {
		.method = "POST", .path = "/api/v1/duplicates", .quiet = true,
	};
	struct cw_http_res res;
	json_t *list = json_array(), *d;
	size_t i;

	for (unsigned int k = 0; k < b->cnt; k++)
		json_array_append_new(list, json_string(b->number[k]));
	req.body = json_pack("{s:o}", kind, list);
	if (cw_cli_http(c->cli, &req, &res) != CW_EXIT_OK)
		c->online = false;
	json_array_foreach(json_object_get(res.json, "duplicates"), i, d) {
		json_int_t idx = cw_cli_int(d, "index");

		if (idx >= 0 && idx < (json_int_t)b->cnt)
			cw_order_fault(c->reader, b->line[idx],
			    CW_OF_DUPLICATE_ORDER, kind, "this number is in order "
			    "%lld, record %lld, already; take the line out, or "
			    "cancel that order", (long long)cw_cli_int(d, "order"),
			    (long long)cw_cli_int(d, "record"));
	}
	json_decref(req.body);
	cw_cli_http_free(&res);
	b->cnt = 0;
}

static void
note_number(struct check *c, struct batch *b, const char *kind,
    const struct cw_order_row *row)
{
	const char *number = b == &c->iccid ? row->iccid : row->imsi;

	if (!c->online || number == NULL || number[0] == '\0')
		return;
	b->line[b->cnt] = row->line;
	snprintf(b->number[b->cnt++], sizeof(b->number[0]), "%s", number);
	if (b->cnt == BATCH)
		ask_platform(c, b, kind);
}

static int
on_row(void *ctx, const struct cw_order_row *row)
{
	struct check *c = ctx;

	note_number(c, &c->iccid, "iccid", row);
	note_number(c, &c->imsi, "imsi", row);
	return 0;
}

/* Fields by the header alone, for want of a profile: what the name says. */
static unsigned int
guess_fields(const char *head, size_t len, struct cw_field_spec *spec)
{
	size_t end = 0, from;
	unsigned int cnt = 0;

	while (end < len && head[end] != '\n' && head[end] != '\r')
		end++;
	from = len >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	while (from < end && cnt < CW_ORDER_COLUMNS_MAX) {
		struct cw_field_spec *s = &spec[cnt];
		size_t n = 0, k = 0;

		while (from + n < end && strchr(",;\t", head[from + n]) == NULL)
			n++;
		memset(s, 0, sizeof(*s));
		for (size_t i = 0; i < n && k < sizeof(s->name) - 1; i++)
			if (head[from + i] != '"' && head[from + i] != ' ')
				s->name[k++] = (char)tolower((unsigned char)head[from + i]);
		from += n + 1;
		if (k == 0 || strcmp(s->name, "card_address") == 0 ||
		    strcmp(s->name, "reader") == 0)
			continue;
		s->kind = CW_FIELD_TEXT;
		if (strcmp(s->name, "iccid") == 0)
			s->kind = CW_FIELD_ICCID;
		else if (strcmp(s->name, "imsi") == 0)
			s->kind = CW_FIELD_IMSI;
		else if (strcmp(s->name, "ki") == 0 || strcmp(s->name, "opc") == 0)
			s->kind = CW_FIELD_HEX;
		s->unique = s->kind == CW_FIELD_ICCID || s->kind == CW_FIELD_IMSI;
		cnt++;
	}
	return cnt;
}

/* Is any of them a column that files of this kind have?  If not, the names are
 * values: the file has no header. */
static bool
any_usual(const struct cw_field_spec *spec, unsigned int cnt)
{
	unsigned int usual_cnt;
	const struct cw_field_spec *usual = cw_order_default_fields(&usual_cnt);

	for (unsigned int i = 0; i < cnt; i++)
		for (unsigned int k = 0; k < usual_cnt; k++)
			if (strcmp(spec[i].name, usual[k].name) == 0)
				return true;
	return false;
}

/* An exit code for trouble with the file itself; faults go to c->faults. */
static int
check_data(struct check *c, FILE *f, const char *head, size_t head_len)
{
	static struct cw_field_spec guessed[CW_ORDER_COLUMNS_MAX];
	static uint8_t buf[CHUNK];
	struct cw_order_config cfg = { .own_dups = true, .row = on_row, .ctx = c };
	const struct cw_order_faults *list;
	size_t n;

	if (c->profile != NULL) {
		cfg.fields = cw_profile_fields(c->profile, &cfg.field_cnt);
	} else {
		cfg.fields = guessed;
		cfg.field_cnt = guess_fields(head, head_len, guessed);
		if (!any_usual(guessed, cfg.field_cnt))
			cfg.fields = cw_order_default_fields(&cfg.field_cnt);
	}
	c->iccid.cnt = c->imsi.cnt = 0;
	c->reader = cw_order_new(&cfg);
	if (c->reader == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "out of memory");
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0 &&
	    cw_order_feed(c->reader, buf, n) >= 0)
		;
	if (c->online && c->iccid.cnt > 0)
		ask_platform(c, &c->iccid, "iccid");
	if (c->online && c->imsi.cnt > 0)
		ask_platform(c, &c->imsi, "imsi");
	cw_order_end(c->reader);
	list = cw_order_faults(c->reader);
	for (unsigned int i = 0; i < list->cnt; i++)
		add_fault(c, list->list[i].line, list->list[i].column,
		    list->list[i].text);
	c->fault_cnt = list->total;
	c->records = cw_order_record_cnt(c->reader);
	cw_order_free(c->reader);
	cw_wipe(buf, sizeof(buf));
	return CW_EXIT_OK;
}

static int
check_cos(struct check *c, FILE *f)
{
	static uint8_t buf[CHUNK];
	struct cw_order_cos *cos = cw_order_cos_new();
	int err = 0;
	size_t n;

	if (cos == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "out of memory");
	while (err >= 0 && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		err = cw_order_cos_feed(cos, buf, n);
	if (err >= 0)
		err = cw_order_cos_end(cos);
	if (err < 0)
		add_fault(c, cw_order_cos_line(cos), NULL,
		    cw_order_cos_why(cos));
	cw_order_cos_free(cos);
	return CW_EXIT_OK;
}

static void
say_file(const struct check *c, enum kind kind)
{
	const json_t *f;
	size_t i;

	if (c->fault_cnt == 0 && kind == KIND_DATA)
		printf("%s: %s, %llu records: sound\n", c->path, kind_word(kind),
		    (unsigned long long)c->records);
	else if (c->fault_cnt == 0)
		printf("%s: %s: sound\n", c->path, kind_word(kind));
	else
		printf("%s: %s: %llu fault%s\n", c->path, kind_word(kind),
		    (unsigned long long)c->fault_cnt, c->fault_cnt == 1 ? "" : "s");
	json_array_foreach(c->faults, i, f) {
		const char *column = cw_cli_str(f, "column");

		printf("%s", c->path);
		if (cw_cli_int(f, "line") > 0)
			printf(":%lld", (long long)cw_cli_int(f, "line"));
		printf(": ");
		if (column != NULL && column[0] != '\0') {
			cw_cli_put_text(column, 0);
			printf(": ");
		}
		cw_cli_put_text(cw_cli_str(f, "what"), 0);
		putchar('\n');
	}
}

static int
check_file(struct check *c, const enum kind *as, json_t *out)
{
	static char head[HEAD_MAX];
	struct stat st;
	enum kind kind;
	FILE *f;
	size_t len;
	int code;

	if (stat(c->path, &st) == 0 && !S_ISREG(st.st_mode))
		return cw_cli_fail(CW_EXIT_USAGE, "%s: not a file", c->path);
	f = fopen(c->path, "re");
	if (f == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "%s: %s", c->path, strerror(errno));
	len = fread(head, 1, sizeof(head), f);
	rewind(f);
	kind = tell_kind(head, len);
	/* Named as data by the user, it is data; a COS has three forms. */
	if (as != NULL && *as == KIND_DATA)
		kind = KIND_DATA;
	else if (as != NULL && kind == KIND_DATA)
		kind = KIND_RAW;
	c->faults = json_array();
	c->fault_cnt = c->records = 0;
	code = kind == KIND_DATA ? check_data(c, f, head, len) : check_cos(c, f);
	if (code == CW_EXIT_OK && ferror(f))
		code = cw_cli_fail(CW_EXIT_USAGE, "%s: %s", c->path, strerror(errno));
	fclose(f);
	if (code == CW_EXIT_OK && !c->cli->json)
		say_file(c, kind);
	if (code == CW_EXIT_OK && c->fault_cnt > 0)
		code = CW_EXIT_ORDER;
	json_array_append_new(out, json_pack("{s:s, s:s, s:I, s:I, s:O}",
	    "file", c->path, "kind", kind_word(kind), "records",
	    (json_int_t)c->records, "fault_count", (json_int_t)c->fault_cnt,
	    "faults", c->faults));
	json_decref(c->faults);
	return code;
}

/* --profile: a file, or a name among the profiles beside us. */
static int
load_profile(struct check *c)
{
	const char *name = cw_opt_get(&c->cli->args, CW_OPT_PROFILE);
	char path[1400], dir[1024], err[400];
	size_t len;

	if (name == NULL)
		return CW_EXIT_OK;
	len = strlen(name);
	if (strchr(name, '/') != NULL || (len > 4 &&
	    strcmp(name + len - 4, ".lua") == 0)) {
		snprintf(path, sizeof(path), "%s", name);
	} else {
		cw_cli_profiles_dir(dir, sizeof(dir));
		snprintf(path, sizeof(path), "%s/%s.lua", dir, name);
		if (access(path, F_OK) != 0)
			return cw_cli_fail(CW_EXIT_USAGE, "--profile %s: %s: %s; "
			    "give the name of a file of that directory, or the "
			    "path of a .lua file", name, path, strerror(errno));
	}
	c->profile = cw_profile_load_file(path, err, sizeof(err));
	if (c->profile == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "--profile %s: %s", name, err);
	return CW_EXIT_OK;
}

/* Is there a platform to ask?  Nobody is told off if there is none. */
static bool
is_online(struct cw_cli *cli)
{
	struct cw_http_req req = {
		.method = "GET", .path = "/api/v1/orders?limit=1", .quiet = true,
	};
	struct cw_http_res res;
	int code;

	if (cli->token_file[0] == '\0')
		return false;
	code = cw_cli_http(cli, &req, &res);
	cw_cli_http_free(&res);
	return code == CW_EXIT_OK;
}

/* idx-th file: those of --cos and --data, then the arguments; NULL at the end. */
static const char *
nth_file(const struct cw_args *a, unsigned int idx, const enum kind **as)
{
	static const enum kind data = KIND_DATA, cos = KIND_RAW;

	*as = NULL;
	for (unsigned int i = 0; i < a->opt_cnt; i++) {
		if (a->opt[i].id != CW_OPT_COS && a->opt[i].id != CW_OPT_DATA)
			continue;
		if (idx-- == 0) {
			*as = a->opt[i].id == CW_OPT_DATA ? &data : &cos;
			return a->opt[i].value;
		}
	}
	return idx < a->arg_cnt ? a->arg[idx] : NULL;
}

int
cw_check_run(struct cw_cli *cli)
{
	static struct check c;
	const enum kind *as;
	json_t *out;
	bool was_online;
	int code, worst;

	if (nth_file(&cli->args, 0, &as) == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "'order check' needs FILE...");
	c.cli = cli;
	out = json_array();
	worst = load_profile(&c);
	c.online = was_online = worst == CW_EXIT_OK && is_online(cli);
	for (unsigned int i = 0; worst != CW_EXIT_USAGE &&
	    (c.path = nth_file(&cli->args, i, &as)) != NULL; i++) {
		code = check_file(&c, as, out);
		if (code > worst || code == CW_EXIT_USAGE)
			worst = code;
	}
	if (cli->json)
		cw_cli_print_json(json_pack("{s:O, s:b}", "files", out,
		    "earlier_orders_checked", was_online && c.online));
	else if (worst != CW_EXIT_USAGE && !(was_online && c.online))
		printf("note: no platform answered: not checked against earlier "
		    "orders\n");
	json_decref(out);
	cw_profile_free(c.profile);
	return worst;
}
