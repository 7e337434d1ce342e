/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cardwright profile check`, `compile` and `test`: what a card profile says and
 * makes, without a card; and what a simulated one says to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "cw/apdu.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/program.h"
#include "order/order.h"
#include "terminal/profile/profile.h"

#define CHUNK (64u * 1024u)
/* A character of T=0 at 4 MHz (ISO/IEC 7816-3, 7 and 8): 12 etu of 372 clocks, and
 * after PPS of 512/32. */
#define CHAR_SLOW_US 1116.0
#define CHAR_FAST_US 48.0
#define ATR_CHARS 25

struct job {
	struct cw_cli *cli;
	struct cw_profile *p;
	uint64_t show;			/* record whose commands are printed */
	uint64_t done, failed;
	double compile_s;
	double line_us;			/* of the record shown */
	unsigned int apdus, bytes;
	bool shown;
};

static void
find(const char *name, char path[1400])
{
	char dir[1024];

	if (strchr(name, '/') != NULL || strstr(name, ".lua") != NULL) {
		snprintf(path, 1400, "%s", name);
	} else {
		cw_cli_profiles_dir(dir, sizeof(dir));
		snprintf(path, 1400, "%s/%s.lua", dir, name);
	}
}

static struct cw_profile *
load(const char *name, int *code)
{
	char path[1400], err[400];
	struct cw_profile *p;

	find(name, path);
	if (access(path, R_OK) != 0) {
		*code = cw_cli_fail(CW_EXIT_USAGE, "%s: %s; give the path of a .lua "
		    "file, or a name of the folder of profiles", path,
		    strerror(errno));
		return NULL;
	}
	if ((p = cw_profile_load_file(path, err, sizeof(err))) == NULL)
		*code = cw_cli_fail(CW_EXIT_ORDER, "%s", err);
	return p;
}

/* ---- check ---- */

/* A value of the field's kind, so that every line of record() can be tried. */
static void
invent(const struct cw_field_spec *f, char out[CW_ORDER_FIELD_MAX + 1])
{
	static const char *const of_kind[CW_FIELD_KIND_CNT] = {
		[CW_FIELD_ICCID] = "89880010000000000015",
		[CW_FIELD_IMSI] = "001010000000001", [CW_FIELD_PIN] = "1234",
		[CW_FIELD_ADM] = "88888888", [CW_FIELD_IPV4] = "10.0.0.1",
	};
	size_t len = f->min_len > 0 ? f->min_len : f->max_len > 0 &&
	    f->max_len < 6 ? f->max_len : 6;

	if (of_kind[f->kind] != NULL) {
		snprintf(out, CW_ORDER_FIELD_MAX + 1, "%s", of_kind[f->kind]);
		return;
	}
	if (len > CW_ORDER_FIELD_MAX)
		len = CW_ORDER_FIELD_MAX;
	memset(out, f->kind == CW_FIELD_HEX ? 'A' : '1', len);
	out[len] = '\0';
}

/* Compiles a record of invented values, with all fields or the required ones. */
static int
try_record(struct cw_profile *p, bool all)
{
	static uint8_t prog[CW_PROG_MAX], payload[80 * 1024];
	static char value[CW_ORDER_FIELD_MAX + 1];
	struct cw_profile_record r = { 1, 1, 1, payload, 0 };
	unsigned int cnt, i;
	const struct cw_field_spec *f = cw_profile_fields(p, &cnt);

	for (i = 0; i < cnt; i++) {
		if (!all && !f[i].required)
			continue;
		invent(&f[i], value);
		if (cw_record_add(payload, sizeof(payload), &r.payload_len, f[i].name,
		    (const uint8_t *)value, strlen(value)) < 0)
			return 0;
	}
	return cw_profile_compile_record(p, &r, prog, sizeof(prog));
}

static void
say_fields(const struct cw_profile *p)
{
	unsigned int cnt, i;
	const struct cw_field_spec *f = cw_profile_fields(p, &cnt);

	for (i = 0; i < cnt; i++)
		printf("  %-20s %-7s%s%s%s\n", f[i].name,
		    cw_field_kind_word(f[i].kind),
		    f[i].required ? "" : " optional",
		    f[i].unique ? " unique" : "",
		    cw_profile_secret(p, f[i].name) ? " secret" : "");
}

static int
check(const struct cw_cli *cli, const char *name, json_t *out)
{
	int code = CW_EXIT_OK, pass;
	struct cw_profile *p = load(name, &code);
	unsigned int cnt;

	if (p == NULL)
		return code;
	for (pass = 0; pass < 2 && code == CW_EXIT_OK; pass++) {
		if (cw_profile_has_record(p) && try_record(p, pass == 1) < 0)
			code = cw_cli_fail(CW_EXIT_ORDER, "%s (a record with %s)",
			    cw_profile_error(p), pass == 1 ? "every field" :
			    "the required fields");
	}
	(void)cw_profile_fields(p, &cnt);
	if (code == CW_EXIT_OK && !cli->json) {
		printf("%s: %s: sound, %u fields%s%s\n", name, cw_profile_name(p),
		    cnt, cw_profile_has_cos(p) ? ", makes the COS" : "",
		    cw_profile_has_record(p) ? ", makes records" : "");
		say_fields(p);
	}
	json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "file", name, "name",
	    cw_profile_name(p), "sound", code == CW_EXIT_OK));
	cw_profile_free(p);
	return code;
}

int
cw_profile_check_run(struct cw_cli *cli)
{
	json_t *out = json_array();
	int code, worst = CW_EXIT_OK;

	for (unsigned int i = 0; i < cli->args.arg_cnt; i++) {
		code = check(cli, cli->args.arg[i], out);
		if (code > worst)
			worst = code;
	}
	if (cli->json)
		cw_cli_print_json(json_pack("{s:O}", "profiles", out));
	json_decref(out);
	return worst;
}

/* ---- compile ---- */

static void
put_hex(const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02X", buf[i]);
}

/* The header is never secret; data is, unless the step says otherwise. */
static void
say_apdu(struct job *j, const struct cw_prog_step *st, double char_us)
{
	struct cw_apdu a;
	const uint8_t *buf = st->u.apdu.buf;
	size_t len = st->u.apdu.len, chars;

	if (cw_apdu_parse(&a, buf, len) < 0)
		return;
	chars = 5 + 1 + a.lc + 2 + a.le + (a.lc > 0 && a.le > 0 ? 8 : 0);
	j->line_us += (double)chars * char_us;
	j->apdus++;
	j->bytes += (unsigned int)(len + a.le + 2);
	if (j->cli->json)
		return;
	if ((st->flags & CW_STEP_SECRET) == 0) {
		put_hex(buf, len);
	} else {
		put_hex(buf, len < 5 ? len : 5);
		if (a.lc > 0)
			printf(" <%u bytes>", (unsigned int)a.lc);
		if (a.lc > 0 && a.le > 0)
			printf(" %02X", a.le & 0xFF);
	}
	for (unsigned int i = 0; i < st->sw_cnt; i++)
		printf("%s%04X/%04X", i == 0 ? "   SW " : " ", st->sw[i].sw,
		    st->sw[i].mask);
	putchar('\n');
}

static void
say_step(struct job *j, const struct cw_prog_step *st, double *char_us)
{
	bool text = !j->cli->json;

	if (text)
		printf("%4u  ", st->idx + 1u);
	switch ((enum cw_prog_op)st->op) {
	case CW_OP_APDU:
		say_apdu(j, st, *char_us);
		return;
	case CW_OP_RESET:
		*char_us = CHAR_SLOW_US;
		j->line_us += ATR_CHARS * *char_us;
		break;
	case CW_OP_PPS:
		j->line_us += 8 * *char_us;
		*char_us = CHAR_FAST_US;
		break;
	case CW_OP_DELAY:
		j->line_us += st->u.delay.us;
		break;
	case CW_OP_LOAD:
	case CW_OP_CAPTURE:
	case CW_OP_COMPARE:
	case CW_OP_ASK:
	case CW_OP_POWER_OFF:
		break;
	}
	if (text)
		puts(st->op == CW_OP_RESET ? "reset" : st->op == CW_OP_PPS ? "pps" :
		    st->op == CW_OP_DELAY ? "delay" : st->op == CW_OP_LOAD ? "load" :
		    st->op == CW_OP_CAPTURE ? "capture" : st->op == CW_OP_COMPARE ?
		    "compare" : st->op == CW_OP_ASK ? "ask the terminal" : "off");
}

static void
say_program(struct job *j, const uint8_t *prog, size_t len)
{
	double char_us = CHAR_SLOW_US;
	struct cw_prog_step st;
	struct cw_prog_iter it;

	j->shown = true;
	if (cw_prog_check(prog, len, NULL) < 0)
		return;
	cw_prog_begin(&it, prog, len);
	while (cw_prog_next(&it, &st) == 1)
		say_step(j, &st, &char_us);
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
on_row(void *ctx, const struct cw_order_row *row)
{
	static uint8_t prog[CW_PROG_MAX];
	struct job *j = ctx;
	struct cw_profile_record r = { 1, row->record, 1, row->payload,
		row->payload_len };
	double from = now_s();
	int n = cw_profile_compile_record(j->p, &r, prog, sizeof(prog));

	j->compile_s += now_s() - from;
	j->done++;
	if (n < 0) {
		j->failed++;
		cw_cli_fail(0, "record %llu (line %u): %s",
		    (unsigned long long)row->record, row->line,
		    cw_profile_error(j->p));
	} else if (row->record == j->show) {
		say_program(j, prog, (size_t)n);
	}
	cw_wipe(prog, sizeof(prog));
	return 0;
}

/* An exit code. */
static int
read_data(struct job *j, const char *path)
{
	struct cw_order_config cfg = { .own_dups = true, .row = on_row, .ctx = j };
	static uint8_t buf[CHUNK];
	const struct cw_order_faults *bad;
	struct cw_order_reader *r;
	FILE *f = fopen(path, "re");
	int code = CW_EXIT_OK;
	size_t n;

	if (f == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "%s: %s", path, strerror(errno));
	cfg.fields = cw_profile_fields(j->p, &cfg.field_cnt);
	if ((r = cw_order_new(&cfg)) == NULL) {
		fclose(f);
		return cw_cli_fail(CW_EXIT_DENIED, "out of memory");
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0 &&
	    cw_order_feed(r, buf, n) >= 0)
		;
	cw_order_end(r);
	bad = cw_order_faults(r);
	for (unsigned int i = 0; i < bad->cnt; i++)
		code = cw_cli_fail(CW_EXIT_ORDER, "%s:%u: %s: %s", path,
		    bad->list[i].line, bad->list[i].column, bad->list[i].text);
	cw_order_free(r);
	cw_wipe(buf, sizeof(buf));
	fclose(f);
	return code == CW_EXIT_OK && j->failed > 0 ? CW_EXIT_CARDS : code;
}

static void
say_result(const struct job *j)
{
	double us = j->done > 0 ? j->compile_s * 1e6 / (double)j->done : 0;

	if (j->cli->json) {
		cw_cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}",
		    "records", (json_int_t)j->done, "failed",
		    (json_int_t)j->failed, "commands", (json_int_t)j->apdus,
		    "bytes", (json_int_t)j->bytes, "line_seconds",
		    j->line_us / 1e6, "compile_us", us));
		return;
	}
	if (j->shown)
		printf("record %llu: %u commands, %u bytes, %.2f s of line a card "
		    "(4 MHz, 512/32), without the chip's own time\n",
		    (unsigned long long)j->show, j->apdus, j->bytes,
		    j->line_us / 1e6);
	printf("%llu records compiled, %llu failed; %.0f us a record\n",
	    (unsigned long long)j->done, (unsigned long long)j->failed, us);
}

int
cw_profile_compile_run(struct cw_cli *cli)
{
	struct job j = { .cli = cli, .show = 1 };
	struct cw_mistake err;
	int code = CW_EXIT_OK;

	if (cw_opt_u64(&cli->args, CW_OPT_RECORD, CW_ORDER_RECORDS_MAX, &j.show,
	    &err) < 0)
		return cw_cli_fail(CW_EXIT_USAGE, "%s", err.text);
	if ((j.p = load(cli->args.arg[0], &code)) == NULL)
		return code;
	code = read_data(&j, cw_opt_get(&cli->args, CW_OPT_DATA));
	say_result(&j);
	if (code == CW_EXIT_OK && !j.shown)
		code = cw_cli_fail(CW_EXIT_USAGE, "--record %llu: the file has %llu "
		    "records", (unsigned long long)j.show,
		    (unsigned long long)j.done);
	cw_profile_free(j.p);
	return code;
}

/* ---- test ---- */

/* The simulated card is no part of this program: another one beside it has it. */
int
cw_profile_test_run(struct cw_cli *cli)
{
	static const char name[] = "/cardwright-profile-test";
	char path[1400], prog[1024 + sizeof(name)], *slash;
	ssize_t n = readlink("/proc/self/exe", prog, 1024);

	prog[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(prog, '/')) == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "/proc: %s", strerror(errno));
	memcpy(slash, name, sizeof(name));
	find(cli->args.arg[0], path);
	execl(prog, "cardwright-profile-test", "--card",
	    cw_opt_get(&cli->args, CW_OPT_CARD), "--data",
	    cw_opt_get(&cli->args, CW_OPT_DATA), path, (char *)NULL);
	return cw_cli_fail(CW_EXIT_DENIED, "%s: %s", prog, strerror(errno));
}
