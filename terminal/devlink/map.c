/* SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "host/ini.h"

#define REGISTERS 65536u	/* of a Modbus address space */

enum space { NONE, INPUT, HOLD };

struct reg {
	enum space space;
	uint16_t addr, stride;	/* stride: per station */
	uint8_t cnt;		/* registers: 1, or 2 for u32 */
};

/* Values of the machine as a whole, and of a station: X(FIELD, "key") */
#define MACHINE_MAP(X) \
	X(VERSION, "map_version") \
	X(BEAT, "heartbeat") \
	X(STATIONS, "stations") \
	X(STATE, "machine_state") \
	X(FED, "fed") \
	X(GOOD, "good") \
	X(REJECT, "reject") \
	X(BOOT, "boot_count") \
	X(HOPPER, "hopper") \
	X(OUR_BEAT, "terminal_heartbeat") \
	X(BITS, "command_bits")
#define STATION_MAP(X) \
	X(SEQ, "sequence") \
	X(CMD, "command") \
	X(STATE, "state") \
	X(DONE, "sequence_done") \
	X(RESULT, "result") \
	X(CARD, "card") \
	X(LAST_BIN, "last_bin") \
	X(LAST_CARD, "last_card")

enum {
#define X(name, key) M_##name,
	MACHINE_MAP(X)
#undef X
	M_CNT
};
enum {
#define X(name, key) S_##name,
	STATION_MAP(X)
#undef X
	S_CNT
};
#define X(name, key) key,
static const char *const machine_key[] = { MACHINE_MAP(X) };
static const char *const station_key[] = { STATION_MAP(X) };
#undef X

/* Our numbers are the positions in these lists (terminal/devview.h). */
static const char *const state_key[] = { "empty", "feeding", "card", "moving",
	"jammed" };
static const char *const result_key[] = { "ok", "refused", "empty", "jam",
	"lost" };
static const char *const bin_key[] = { "none", "good", "reject", "lost" };
static const char *const machine_state_key[] = { "stopped", "idle", "execute",
	"held", "suspended", "aborted" };
static const char *const command_key[] = { NULL, "feed", "good", "reject" };
#define CODES_MAX 6

struct codes {
	uint16_t code[CODES_MAX];	/* the machine's number of ours */
	uint8_t cnt;
};

struct cw_devmap {
	char name[64];
	struct cw_devmap_times times;
	uint8_t unit;
	uint16_t version;
	uint16_t stations;	/* when no register tells; 0 */
	uint16_t gap;
	bool low_first;
	struct reg machine[M_CNT];
	struct reg station[S_CNT];
	struct codes state, result, bin, machine_state, command;
	uint16_t bit_run, bit_reset_jam;
};

/* ---- reading the profile ---- */

/* Digits at *s into v, at most max; moves *s. */
static bool
number(const char **s, uint32_t max, uint16_t *v)
{
	uint32_t n = 0;

	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		n = n * 10 + (uint32_t)(**s - '0');
		if (n > max)
			return false;
	}
	*v = (uint16_t)n;
	return true;
}

static void
blanks(const char **s)
{
	while (**s == ' ' || **s == '\t')
		(*s)++;
}

/* "input 23 + 8*i u32" */
static bool
parse_reg(struct reg *r, const char *s, bool station)
{
	*r = (struct reg){ .cnt = 1 };
	if (strcmp(s, "none") == 0)
		return true;
	if (strncmp(s, "input ", 6) == 0)
		r->space = INPUT, s += 6;
	else if (strncmp(s, "holding ", 8) == 0)
		r->space = HOLD, s += 8;
	else
		return false;
	blanks(&s);
	if (!number(&s, REGISTERS - 1, &r->addr))
		return false;
	blanks(&s);
	if (station && *s == '+') {
		s++;
		blanks(&s);
		if (!number(&s, 1000, &r->stride) || r->stride == 0 ||
		    strncmp(s, "*i", 2) != 0)
			return false;
		s += 2;
		blanks(&s);
	}
	if (strcmp(s, "u32") == 0) {
		r->cnt = 2;
		s += 3;
	}
	return *s == '\0' && (uint32_t)r->addr + r->cnt <= REGISTERS;
}

static void
get_regs(struct cw_ini *ini, const char *section, const char *const *key,
    size_t cnt, struct reg *out)
{
	const char *text;
	size_t i;

	for (i = 0; i < cnt; i++) {
		text = cw_ini_str(ini, section, key[i], NULL);
		if (text == NULL || !parse_reg(&out[i], text,
		    strcmp(section, "station") == 0))
			cw_ini_fault(ini, section, key[i], "must be a register "
			    "like \"input 4\", \"holding 10 + 4*i\", \"input 6 "
			    "u32\", or none");
	}
}

/* Demands a register in one address space, or in any (NONE). */
static void
need(struct cw_ini *ini, const char *section, const char *key,
    const struct reg *r, enum space space)
{
	if (r->space == NONE)
		cw_ini_fault(ini, section, key, "the terminal cannot do "
		    "without it");
	else if (space == HOLD && r->space != HOLD)
		cw_ini_fault(ini, section, key, "must be a holding register: "
		    "the terminal writes it");
}

static void
get_codes(struct cw_ini *ini, const char *section, const char *const *key,
    uint8_t cnt, struct codes *out)
{
	uint8_t i, k;

	out->cnt = cnt;
	for (i = 0; i < cnt; i++) {
		if (key[i] == NULL)
			continue;
		out->code[i] = (uint16_t)cw_ini_int(ini, section, key[i], i, 0,
		    65535);
		for (k = 0; k < i; k++) {
			if (key[k] != NULL && out->code[k] == out->code[i])
				cw_ini_fault(ini, section, key[i], "another "
				    "meaning has the same number");
		}
	}
}

/* Milliseconds with fractions to microseconds. */
static uint32_t
get_ms(struct cw_ini *ini, const char *key, const char *dflt)
{
	const char *text = cw_ini_str(ini, "device", key, dflt);
	char *end;
	double ms = strtod(text, &end);

	if (end == text || *end != '\0' || !(ms >= 0.1 && ms <= 60000)) {
		cw_ini_fault(ini, "device", key, "must be milliseconds from "
		    "0.1 to 60000");
		return 1000;
	}
	return (uint32_t)(ms * 1000);
}

static void
get_device(struct cw_ini *ini, struct cw_devmap *m)
{
	const char *order;

	snprintf(m->name, sizeof(m->name), "%s",
	    cw_ini_str(ini, "device", "name", "unnamed"));
	m->unit = (uint8_t)cw_ini_int(ini, "device", "unit", 255, 0, 255);
	m->version = (uint16_t)cw_ini_int(ini, "device", "map_version", 1, 0,
	    65535);
	m->stations = (uint16_t)cw_ini_int(ini, "device", "stations", 0, 0,
	    CW_DEVVIEW_STATIONS_MAX);
	m->gap = (uint16_t)cw_ini_int(ini, "device", "read_gap", 0, 0, 100);
	order = cw_ini_str(ini, "device", "word_order", "high");
	m->low_first = strcmp(order, "low") == 0;
	if (!m->low_first && strcmp(order, "high") != 0)
		cw_ini_fault(ini, "device", "word_order", "must be high or low");
	m->times.poll_us = get_ms(ini, "poll_ms", "20");
	m->times.busy_us = get_ms(ini, "busy_ms", "1");
	m->times.beat_us = get_ms(ini, "heartbeat_ms", "500");
	m->times.dead_us = get_ms(ini, "dead_ms", "3000");
	m->times.timeout_us = get_ms(ini, "timeout_ms", "500");
	m->times.retry_us = get_ms(ini, "retry_ms", "500");
}

static void
get_map(struct cw_ini *ini, struct cw_devmap *m)
{
	static const uint8_t must[] = { S_SEQ, S_CMD, S_STATE, S_DONE,
		S_RESULT, S_CARD };
	size_t i;

	get_device(ini, m);
	get_regs(ini, "registers", machine_key, M_CNT, m->machine);
	get_regs(ini, "station", station_key, S_CNT, m->station);
	need(ini, "registers", "fed", &m->machine[M_FED], NONE);
	need(ini, "registers", "good", &m->machine[M_GOOD], NONE);
	need(ini, "registers", "reject", &m->machine[M_REJECT], NONE);
	need(ini, "registers", "machine_state", &m->machine[M_STATE], NONE);
	for (i = 0; i < sizeof(must); i++)
		need(ini, "station", station_key[must[i]],
		    &m->station[must[i]], must[i] <= S_CMD ? HOLD : NONE);
	if (m->machine[M_STATIONS].space == NONE && m->stations == 0)
		cw_ini_fault(ini, "registers", "stations", "without this "
		    "register, [device] stations must give the number");
	if (m->machine[M_OUR_BEAT].space == INPUT)
		need(ini, "registers", "terminal_heartbeat",
		    &m->machine[M_OUR_BEAT], HOLD);
	if (m->machine[M_BITS].space == INPUT)
		need(ini, "registers", "command_bits", &m->machine[M_BITS],
		    HOLD);

	get_codes(ini, "commands", command_key, 4, &m->command);
	get_codes(ini, "machine", machine_state_key, 6, &m->machine_state);
	get_codes(ini, "states", state_key, 5, &m->state);
	get_codes(ini, "results", result_key, 5, &m->result);
	get_codes(ini, "bins", bin_key, 4, &m->bin);
	m->bit_run = (uint16_t)cw_ini_int(ini, "bits", "run", 1, 0, 65535);
	m->bit_reset_jam = (uint16_t)cw_ini_int(ini, "bits", "reset_jam", 2, 0,
	    65535);
}

/* Takes ini. */
static struct cw_devmap *
devmap_make(struct cw_ini *ini, char *err, size_t err_cap)
{
	struct cw_devmap *m;

	if (ini == NULL)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m == NULL) {
		snprintf(err, err_cap, "%s", cw_err_text(CW_ENOMEM));
	} else {
		get_map(ini, m);
		if (cw_ini_finish(ini, err, err_cap) < 0) {
			free(m);
			m = NULL;
		}
	}
	cw_ini_free(ini);
	return m;
}

struct cw_devmap *
cw_devmap_load(const char *path, char *err, size_t err_cap)
{
	return devmap_make(cw_ini_load(path, err, err_cap), err, err_cap);
}

struct cw_devmap *
cw_devmap_parse(const char *name, const char *text, size_t len, char *err,
    size_t err_cap)
{
	return devmap_make(cw_ini_parse(name, text, len, err, err_cap), err,
	    err_cap);
}

void
cw_devmap_free(struct cw_devmap *m)
{
	free(m);
}

const struct cw_devmap_times *
cw_devmap_times(const struct cw_devmap *m)
{
	return &m->times;
}

const char *
cw_devmap_name(const struct cw_devmap *m)
{
	return m->name;
}

uint8_t
cw_devmap_unit(const struct cw_devmap *m)
{
	return m->unit;
}

/* ---- registers ---- */

/* One past the last address of r for a number of stations. */
static uint32_t
reg_end(const struct reg *r, uint16_t stations)
{
	uint32_t last = stations > 0 ? stations - 1u : 0;

	return r->addr + r->stride * last + r->cnt;
}

int
cw_devregs_init(struct cw_devregs *r, const struct cw_devmap *m,
    uint16_t stations)
{
	uint32_t end[3] = { 0, 1, 1 }, e;
	const struct reg *g;
	int i;

	*r = (struct cw_devregs){ 0 };
	for (i = 0; i < M_CNT + S_CNT; i++) {
		g = i < M_CNT ? &m->machine[i] : &m->station[i - M_CNT];
		e = reg_end(g, stations);
		if (g->space != NONE && e > REGISTERS)
			return CW_ERANGE;
		if (e > end[g->space])
			end[g->space] = e;
	}
	r->input = calloc(end[INPUT], sizeof(uint16_t));
	r->hold = calloc(end[HOLD], sizeof(uint16_t));
	if (r->input == NULL || r->hold == NULL) {
		cw_devregs_fini(r);
		return CW_ENOMEM;
	}
	r->input_cnt = end[INPUT];
	r->hold_cnt = end[HOLD];
	return CW_OK;
}

void
cw_devregs_fini(struct cw_devregs *r)
{
	free(r->input);
	free(r->hold);
	*r = (struct cw_devregs){ 0 };
}

void
cw_devregs_put(struct cw_devregs *r, const struct cw_devmap_range *g,
    const uint16_t *val)
{
	uint16_t *to = g->hold ? r->hold : r->input;
	uint32_t cnt = g->hold ? r->hold_cnt : r->input_cnt, i;

	for (i = 0; i < g->cnt && g->addr + i < cnt; i++)
		to[g->addr + i] = val[i];
}

static uint32_t
get(const struct cw_devmap *m, const struct cw_devregs *r, const struct reg *g,
    uint16_t station)
{
	const uint16_t *from = g->space == HOLD ? r->hold : r->input;
	uint32_t cnt = g->space == HOLD ? r->hold_cnt : r->input_cnt;
	uint32_t at = g->addr + (uint32_t)g->stride * station;

	if (g->space == NONE || at + g->cnt > cnt)
		return 0;
	if (g->cnt == 1)
		return from[at];
	if (m->low_first)
		return (uint32_t)from[at + 1] << 16 | from[at];
	return (uint32_t)from[at] << 16 | from[at + 1];
}

/* ---- plan of reads ---- */

struct span {
	bool hold;
	uint32_t addr, end;
};

static int
span_cmp(const void *pa, const void *pb)
{
	const struct span *a = pa, *b = pb;

	if (a->hold != b->hold)
		return a->hold ? 1 : -1;
	return (a->addr > b->addr) - (a->addr < b->addr);
}

static void
span_add(struct span *list, size_t *cnt, const struct reg *r, uint16_t station)
{
	uint32_t at = r->addr + (uint32_t)r->stride * station;

	if (r->space != NONE)
		list[(*cnt)++] = (struct span){ r->space == HOLD, at,
			at + r->cnt };
}

/* Values of one station in one space become one span where that fits a read. */
static void
station_spans(const struct cw_devmap *m, uint16_t station, struct span *list,
    size_t *cnt)
{
	struct span own[S_CNT], join;
	size_t n = 0, i;

	for (i = S_STATE; i < S_CNT; i++)
		span_add(own, &n, &m->station[i], station);
	if (n == 0)
		return;
	join = own[0];
	for (i = 1; i < n; i++) {
		if (own[i].hold != join.hold)
			break;
		if (own[i].addr < join.addr)
			join.addr = own[i].addr;
		if (own[i].end > join.end)
			join.end = own[i].end;
	}
	if (i == n && join.end - join.addr <= CW_DEVMAP_READ_MAX) {
		list[(*cnt)++] = join;
		return;
	}
	memcpy(list + *cnt, own, n * sizeof(own[0]));
	*cnt += n;
}

/* Joins neighbours into reads. */
static int
spans_to_ranges(const struct cw_devmap *m, struct span *list, size_t cnt,
    struct cw_devmap_range *out, size_t cap)
{
	size_t n = 0, i;
	struct span *last = NULL;

	qsort(list, cnt, sizeof(*list), span_cmp);
	for (i = 0; i < cnt; i++) {
		if (last != NULL && last->hold == list[i].hold &&
		    list[i].addr <= last->end + m->gap &&
		    list[i].end <= last->addr + CW_DEVMAP_READ_MAX) {
			if (list[i].end > last->end)
				last->end = list[i].end;
		} else {
			last = &list[n++];
			*last = list[i];
		}
	}
	if (n > cap)
		return CW_EFULL;
	for (i = 0; i < n; i++)
		out[i] = (struct cw_devmap_range){ list[i].hold,
			(uint16_t)list[i].addr,
			(uint16_t)(list[i].end - list[i].addr) };
	return (int)n;
}

/* Brings the read that holds register r to the front. */
static void
range_first(struct cw_devmap_range *out, int cnt, const struct reg *r)
{
	struct cw_devmap_range g;
	int i;

	for (i = 0; i < cnt; i++) {
		if (out[i].hold == (r->space == HOLD) &&
		    out[i].addr <= r->addr &&
		    r->addr < (uint32_t)out[i].addr + out[i].cnt)
			break;
	}
	if (i == cnt || i == 0)
		return;
	g = out[i];
	memmove(out + 1, out, (size_t)i * sizeof(*out));
	out[0] = g;
}

int
cw_devmap_plan(const struct cw_devmap *m, uint16_t stations,
    struct cw_devmap_range *out, size_t cap)
{
	struct span *list;
	size_t cnt = 0, i;
	int res;

	list = calloc(M_CNT + (size_t)stations * S_CNT, sizeof(*list));
	if (list == NULL)
		return CW_ENOMEM;
	for (i = 0; i < M_OUR_BEAT; i++)
		span_add(list, &cnt, &m->machine[i], 0);
	for (i = 0; i < stations; i++)
		station_spans(m, (uint16_t)i, list, &cnt);
	res = spans_to_ranges(m, list, cnt, out, cap);
	free(list);
	range_first(out, res, &m->machine[M_FED]);
	return res;
}

int
cw_devmap_plan_own(const struct cw_devmap *m, uint16_t stations,
    struct cw_devmap_range *out, size_t cap)
{
	struct span *list = calloc((size_t)stations + 1, sizeof(*list));
	size_t cnt = 0;
	uint16_t i;
	int res;

	if (list == NULL)
		return CW_ENOMEM;
	for (i = 0; i < stations; i++)
		span_add(list, &cnt, &m->station[S_SEQ], i);
	res = spans_to_ranges(m, list, cnt, out, cap);
	free(list);
	return res;
}

/* ---- view ---- */

int
cw_devmap_hello(const struct cw_devmap *m, const struct cw_devregs *r,
    uint16_t *stations)
{
	uint32_t n = m->stations;

	if (m->machine[M_VERSION].space != NONE &&
	    get(m, r, &m->machine[M_VERSION], 0) != m->version)
		return CW_EVERSION;
	if (m->machine[M_STATIONS].space != NONE)
		n = get(m, r, &m->machine[M_STATIONS], 0);
	if (n == 0 || n > CW_DEVVIEW_STATIONS_MAX)
		return CW_ERANGE;
	*stations = (uint16_t)n;
	return CW_OK;
}

/* Our number of a machine's; dflt for one that the profile does not know. */
static uint8_t
decode(const struct codes *c, uint32_t v, uint8_t dflt)
{
	uint8_t i;

	for (i = 0; i < c->cnt; i++) {
		if (c->code[i] == v)
			return i;
	}
	return dflt;
}

void
cw_devmap_view(const struct cw_devmap *m, const struct cw_devregs *r,
    struct cw_dev_view *v)
{
	const struct reg *g = m->machine;
	struct cw_dev_station *st;
	uint16_t i;

	v->machine_state = decode(&m->machine_state, get(m, r, &g[M_STATE], 0),
	    CW_DEV_HELD);
	v->fed = get(m, r, &g[M_FED], 0);
	v->good = get(m, r, &g[M_GOOD], 0);
	v->reject = get(m, r, &g[M_REJECT], 0);
	v->boot_cnt = get(m, r, &g[M_BOOT], 0);
	v->hopper = g[M_HOPPER].space == NONE ? 65535 :
	    (uint16_t)get(m, r, &g[M_HOPPER], 0);

	/* An unknown number is taken for what stops the station. */
	g = m->station;
	for (i = 0; i < v->station_cnt; i++) {
		st = &v->st[i];
		st->state = decode(&m->state, get(m, r, &g[S_STATE], i),
		    CW_DEVST_JAMMED);
		st->result = decode(&m->result, get(m, r, &g[S_RESULT], i),
		    CW_DEVRES_JAM);
		st->last_bin = decode(&m->bin, get(m, r, &g[S_LAST_BIN], i),
		    CW_DEVBIN_LOST);
		st->seq_done = (uint16_t)get(m, r, &g[S_DONE], i);
		st->seq_written = (uint16_t)get(m, r, &g[S_SEQ], i);
		st->card_no = get(m, r, &g[S_CARD], i);
		st->last_card = get(m, r, &g[S_LAST_CARD], i);
	}
}

uint32_t
cw_devmap_beat_of(const struct cw_devmap *m, const struct cw_devregs *r)
{
	return get(m, r, &m->machine[M_BEAT], 0);
}

/* ---- commands ---- */

int
cw_devmap_cmd(const struct cw_devmap *m, const struct cw_dev_cmd *c,
    struct cw_devmap_write out[2])
{
	const struct reg *seq = &m->station[S_SEQ], *cmd = &m->station[S_CMD];
	uint32_t seq_at = seq->addr + (uint32_t)seq->stride * c->station;
	uint32_t cmd_at = cmd->addr + (uint32_t)cmd->stride * c->station;
	uint16_t code;

	if (c->cmd == 0 || c->cmd >= m->command.cnt ||
	    c->station >= CW_DEVVIEW_STATIONS_MAX || seq_at >= REGISTERS ||
	    cmd_at >= REGISTERS)
		return CW_EINVAL;
	code = m->command.code[c->cmd];
	if (cmd_at == seq_at + 1) {
		out[0] = (struct cw_devmap_write){ (uint16_t)seq_at, 2,
			{ c->seq, code } };
		return 1;
	}
	if (seq_at == cmd_at + 1) {
		out[0] = (struct cw_devmap_write){ (uint16_t)cmd_at, 2,
			{ code, c->seq } };
		return 1;
	}
	out[0] = (struct cw_devmap_write){ (uint16_t)cmd_at, 1, { code } };
	out[1] = (struct cw_devmap_write){ (uint16_t)seq_at, 1, { c->seq } };
	return 2;
}

int
cw_devmap_bits(const struct cw_devmap *m, uint8_t bits,
    struct cw_devmap_write *out)
{
	const struct reg *g = &m->machine[M_BITS];

	if (g->space == NONE)
		return 0;
	*out = (struct cw_devmap_write){ g->addr, 1, { (uint16_t)(
	    (bits & CW_DEVBIT_RUN ? m->bit_run : 0) |
	    (bits & CW_DEVBIT_RESET_JAM ? m->bit_reset_jam : 0)) } };
	return 1;
}

int
cw_devmap_beat(const struct cw_devmap *m, uint16_t beat,
    struct cw_devmap_write *out)
{
	const struct reg *g = &m->machine[M_OUR_BEAT];

	if (g->space == NONE)
		return 0;
	*out = (struct cw_devmap_write){ g->addr, 1, { beat } };
	return 1;
}

/* ---- watch ---- */

void
cw_devwatch_reset(struct cw_devwatch *w)
{
	/* The boot count stays: a restart while we were away counts too. */
	w->moved = false;
	w->beat_us = 0;
}

const char *
cw_devwatch_step(struct cw_devwatch *w, const struct cw_devmap *m,
    const struct cw_devregs *r, uint64_t now_us)
{
	uint32_t beat = cw_devmap_beat_of(m, r);
	uint32_t boot = get(m, r, &m->machine[M_BOOT], 0);

	w->restarted = w->begun && boot != w->boot_cnt;
	w->begun = true;
	w->boot_cnt = boot;
	if (m->machine[M_BEAT].space == NONE) {
		w->moved = true;
	} else if (w->beat_us == 0) {
		w->beat = beat;
		w->beat_us = now_us;
	} else if (beat != w->beat) {
		w->beat = beat;
		w->beat_us = now_us;
		w->moved = true;
	} else if (now_us - w->beat_us > m->times.dead_us) {
		w->moved = false;
		return "the device's heartbeat stands still; is its program "
		    "running?";
	}
	if (w->restarted)
		return "the device has restarted";
	return w->moved ? NULL : "waiting for the device's heartbeat";
}
