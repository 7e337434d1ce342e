/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "sim/step_priv.h"

/* The run under way: asked for by a failing assertion only. */
static struct cw_step *current;

static const char *const mutant_words[] = {
#define X(name, word, text) word,
	CW_STEP_MUTANT_MAP(X)
#undef X
};
static const char *const mutant_rules[] = {
#define X(name, word, text) text,
	CW_STEP_MUTANT_MAP(X)
#undef X
};
static const char *const fault_texts[] = {
#define X(name, text) text,
	CW_STEP_FAULT_MAP(X)
#undef X
};

int
cw_step_mutant_find(const char *word)
{
	for (int i = 0; i < CW_STEP_MUTANT_CNT; i++)
		if (strcmp(mutant_words[i], word) == 0)
			return i;
	return CW_ENOENT;
}

const char *
cw_step_mutant_word(unsigned int mutant)
{
	return mutant < CW_STEP_MUTANT_CNT ? mutant_words[mutant] : "?";
}

const char *
cw_step_mutant_rule(unsigned int mutant)
{
	return mutant < CW_STEP_MUTANT_CNT ? mutant_rules[mutant] : "?";
}

const char *
cw_step_fault_text(unsigned int fault)
{
	return fault < CW_SF_CNT ? fault_texts[fault] : "?";
}

/* ---- random numbers: splitmix64 ------------------------------------------ */

uint64_t
cw_step_rand(struct cw_step *s)
{
	uint64_t z = s->rng += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

uint64_t
cw_step_below(struct cw_step *s, uint64_t n)
{
	return n == 0 ? 0 : cw_step_rand(s) % n;
}

uint64_t
cw_step_between(struct cw_step *s, uint64_t lo, uint64_t hi)
{
	return lo + cw_step_below(s, hi - lo + 1);
}

bool
cw_step_chance(struct cw_step *s, uint32_t ppm)
{
	return ppm > 0 && !s->quiet && cw_step_below(s, 1000000) < ppm;
}

void
cw_step_count(struct cw_step *s, enum cw_step_fault kind)
{
	s->res->faults[kind]++;
}

bool
cw_step_fault(struct cw_step *s, enum cw_step_fault kind)
{
	if (!cw_step_chance(s, s->plan.ppm[kind]))
		return false;
	cw_step_count(s, kind);
	return true;
}

/* ---- telling ------------------------------------------------------------- */

void
cw_step_hash(struct cw_step *s, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t h = s->res->hash;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001B3);
	s->res->hash = h;
}

static void
hash_u64(struct cw_step *s, uint64_t v)
{
	s->res->hash = (s->res->hash ^ v) * UINT64_C(0x9E3779B97F4A7C15);
	s->res->hash ^= s->res->hash >> 29;
}

void
cw_step_say(struct cw_step *s, const char *who, const char *fmt, ...)
{
	va_list ap;

	if (s->cfg.trace == NULL)
		return;
	fprintf(s->cfg.trace, "[%4" PRIu64 ".%06" PRIu64 "] %-9s > ",
	    s->now / STEP_SEC, s->now % STEP_SEC, who);
	va_start(ap, fmt);
	vfprintf(s->cfg.trace, fmt, ap);
	va_end(ap);
	fputc('\n', s->cfg.trace);
}

static int
where(const struct cw_step *s, char *out, size_t cap)
{
	return snprintf(out, cap, "seed=%" PRIu64 " cards=%u%s%s%s%s step=%"
	    PRIu64 " time=%" PRIu64 ".%06" PRIu64, s->cfg.seed, s->cfg.cards,
	    s->cfg.mutant != CW_STEP_NONE ? " mutant=" : "",
	    s->cfg.mutant != CW_STEP_NONE ? cw_step_mutant_word(s->cfg.mutant) :
	    "", s->cfg.control ? " control" : "",
	    s->cfg.no_faults ? " no-faults" : "", s->res->steps,
	    s->now / STEP_SEC, s->now % STEP_SEC);
}

void
cw_step_where(char *out, size_t cap)
{
	if (current != NULL)
		where(current, out, cap);
	else if (cap > 0)
		out[0] = '\0';
}

void
cw_step_bad(struct cw_step *s, const char *inv, const char *fmt, ...)
{
	char *out = s->res->text;
	size_t cap = sizeof s->res->text;
	va_list ap;
	int n;

	if (s->res->violated)
		return;
	s->res->violated = true;
	s->over = true;
	n = where(s, out, cap);
	n += snprintf(out + n, cap - (size_t)n, " invariant=%s : ", inv);
	va_start(ap, fmt);
	vsnprintf(out + n, cap - (size_t)n, fmt, ap);
	va_end(ap);
	cw_step_say(s, "VIOLATION", "%s", out);
}

/* ---- heap of events ------------------------------------------------------ */

static bool
before(const struct step_ev *a, const struct step_ev *b)
{
	return a->t != b->t ? a->t < b->t : a->seq < b->seq;
}

static void
sift_up(struct step_ev *h, size_t i)
{
	struct step_ev e = h[i];

	while (i > 0 && before(&e, &h[(i - 1) / 2])) {
		h[i] = h[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h[i] = e;
}

static void
sift_down(struct step_ev *h, size_t n)
{
	struct step_ev e = h[0];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < n) {
		if (k + 1 < n && before(&h[k + 1], &h[k]))
			k++;
		if (!before(&h[k], &e))
			break;
		h[i] = h[k];
		i = k;
	}
	h[i] = e;
}

/* A simulated factory without memory is no factory: the process ends. */
static void *
must(void *p)
{
	if (p == NULL) {
		fputs("stepper: out of memory\n", stderr);
		exit(2);
	}
	return p;
}

void
cw_step_at(struct cw_step *s, uint64_t in_us,
    void (*fn)(struct cw_step *s, struct step_ev *e), void *obj, uint32_t gen)
{
	cw_step_at_buf(s, in_us, fn, obj, &(struct step_ev){ .gen = gen });
}

void
cw_step_at_buf(struct cw_step *s, uint64_t in_us,
    void (*fn)(struct cw_step *s, struct step_ev *e), void *obj,
    const struct step_ev *like)
{
	struct step_ev e = *like;

	if (s->heap_len == s->heap_cap) {
		s->heap_cap = s->heap_cap > 0 ? 2 * s->heap_cap : 1024;
		s->heap = must(realloc(s->heap, s->heap_cap * sizeof *s->heap));
	}
	e.t = s->now + in_us;
	e.seq = s->seq++;
	e.fn = fn;
	e.obj = obj;
	e.buf = NULL;
	if (like->len > 0)
		e.buf = memcpy(must(malloc(like->len)), like->buf, like->len);
	s->heap[s->heap_len] = e;
	sift_up(s->heap, s->heap_len++);
}

void
cw_step_defer(struct cw_step *s, uint64_t until_us, const struct step_ev *e)
{
	uint64_t seq = s->seq;

	s->seq = e->seq;
	cw_step_at_buf(s, until_us - s->now, e->fn, e->obj, e);
	s->seq = seq;
}

static void
drop(struct step_ev *e)
{
	if (e->buf != NULL)
		cw_wipe(e->buf, e->len);
	free(e->buf);
}

/* ---- the run ------------------------------------------------------------- */

static void
one(struct cw_step *s)
{
	struct step_ev e = s->heap[0];

	s->heap[0] = s->heap[--s->heap_len];
	if (s->heap_len > 0)
		sift_down(s->heap, s->heap_len);
	s->now = e.t;
	s->res->steps++;
	hash_u64(s, e.t);
	hash_u64(s, (uint64_t)e.gen << 32 | e.a);
	hash_u64(s, e.len);
	if (e.fn != NULL)
		e.fn(s, &e);
	drop(&e);
}

/* Looks round: orders taken in, all over, or too late. */
static void
watch(struct cw_step *s, struct step_ev *e)
{
	bool over = cw_step_plat_scan(s);
	char text[1024];

	(void)e;
	if (!s->quiet && (over || s->now >= s->plan.stop_us)) {
		cw_step_say(s, "stepper", "the faults stop");
		s->quiet = true;
		s->deadline_us = s->now + s->plan.bound_us;
		cw_step_fault_stop(s);
	}
	for (unsigned int i = 0; s->quiet && over && i < s->plan.lines; i++)
		over = cw_step_term_quiet(s, i);
	if (s->quiet && over && cw_step_plat_settled(s)) {
		cw_step_check_end(s);
		s->over = true;
		return;
	}
	if (s->quiet && s->now > s->deadline_us) {
		cw_step_plat_tell(s, text, sizeof text);
		for (unsigned int i = 0; i < s->plan.lines; i++) {
			size_t n = strlen(text);

			cw_step_term_tell(s, i, text + n, sizeof text - n);
		}
		cw_step_bad(s, "L1", "not over %" PRIu64 " s after the last "
		    "fault: %s", s->plan.bound_us / STEP_SEC, text);
		return;
	}
	cw_step_at(s, s->quiet ? STEP_SEC : 2 * STEP_SEC, watch, NULL, 0);
}

static void
submit(struct cw_step *s, struct step_ev *e)
{
	cw_step_plat_submit(s, e->a);
	if (!s->order[e->a].submitted)
		cw_step_at_buf(s, STEP_SEC, submit, NULL, e);
}

static int
build(struct cw_step *s)
{
	int err = cw_step_world_new(s);

	if (err == 0)
		err = cw_step_plat_new(s);
	for (unsigned int i = 0; i < s->plan.lines && err == 0; i++) {
		err = cw_step_dev_new(s, i);
		for (unsigned int r = 0; r < s->plan.readers && err == 0; r++)
			err = cw_step_reader_new(s, i, r);
		if (err == 0)
			err = cw_step_term_new(s, i);
	}
	if (err < 0)
		return err;
	cw_step_plat_start(s);
	for (unsigned int i = 0; i < s->plan.lines; i++) {
		for (unsigned int r = 0; r < s->plan.readers; r++)
			cw_step_reader_start(s, i, r);
		cw_step_term_start(s, i);
		cw_step_plink_start(s, i);
	}
	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		cw_step_at_buf(s, s->order[o].at_us, submit, NULL,
		    &(struct step_ev){ .a = o });
	cw_step_at(s, STEP_SEC, watch, NULL, 0);
	cw_step_fault_start(s);
	return 0;
}

static void
tear_down(struct cw_step *s)
{
	for (unsigned int i = 0; i < s->plan.lines; i++) {
		cw_step_term_free(s, i);
		for (unsigned int r = 0; r < s->plan.readers; r++)
			cw_step_reader_free(s, i, r);
		cw_step_dev_free(s, i);
		for (unsigned int k = 0; k < s->line[i].plink.late_cnt; k++)
			free(s->line[i].plink.late[k].buf);
	}
	cw_step_plat_free(s);
	cw_step_world_free(s);
	cw_step_rlink_free(s);
	while (s->heap_len > 0)
		drop(&s->heap[--s->heap_len]);
	free(s->heap);
}

static void
sum_up(struct cw_step *s)
{
	struct step_world_sum w;

	s->res->time_us = s->now;
	for (unsigned int i = 0; i < s->plan.lines; i++) {
		cw_step_world_sum(s, i, &w);
		s->res->fed += w.fed;
		s->res->good += w.good;
		s->res->reject += w.reject;
		s->res->lost += w.lost;
	}
	hash_u64(s, s->res->fed);
	hash_u64(s, s->res->good);
}

int
cw_step_run(const struct cw_step_config *cfg, struct cw_step_result *res)
{
	struct cw_step *s;
	int err;

	memset(res, 0, sizeof *res);
	if (cfg->cards == 0 || cfg->mutant >= CW_STEP_MUTANT_CNT)
		return CW_EINVAL;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return CW_ENOMEM;
	s->cfg = *cfg;
	s->mutant = cfg->control ? CW_STEP_NONE : cfg->mutant;
	s->res = res;
	s->rng = cfg->seed * UINT64_C(0xD1342543DE82EF95) + 1;
	res->hash = cfg->seed;
	current = s;
	cw_step_plan_draw(s);
	err = build(s);
	while (err == 0 && !s->over && s->heap_len > 0)
		one(s);
	if (err == 0)
		sum_up(s);
	tear_down(s);
	current = NULL;
	free(s);
	return err;
}
