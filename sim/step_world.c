/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "sim/card.h"
#include "sim/step_priv.h"

/*
 * The cards and where they are: the one place that tells what is really so,
 * whatever device, terminal and platform believe.
 */
#define ICCID_LEN 10
#define IMSI_LEN 9
#define KI_LEN 16
#define FLASH_LEN 4096

int
cw_step_world_new(struct cw_step *s)
{
	for (unsigned int o = 0; o < s->plan.order_cnt; o++) {
		s->rec[o] = calloc(s->order[o].cnt + 1, sizeof *s->rec[o]);
		if (s->rec[o] == NULL)
			return CW_ENOMEM;
	}
	return 0;
}

void
cw_step_world_free(struct cw_step *s)
{
	for (unsigned int i = 0; i < s->plan.lines; i++) {
		struct step_line *l = &s->line[i];

		for (uint32_t k = 0; k < l->card_cnt; k++) {
			cw_sim_card_free(l->card[k]->sim);
			free(l->card[k]);
		}
		free(l->card);
	}
	for (unsigned int o = 0; o < STEP_ORDERS_MAX; o++)
		free(s->rec[o]);
}

struct step_rec *
cw_step_world_rec(struct cw_step *s, unsigned int o, uint32_t record)
{
	return record >= 1 && record <= s->order[o].cnt ?
	    &s->rec[o][record] : NULL;
}

struct step_card *
cw_step_world_card(struct cw_step *s, unsigned int line, uint32_t no)
{
	struct step_line *l = &s->line[line];

	return no >= 1 && no <= l->card_cnt ? l->card[no - 1] : NULL;
}

struct step_card *
cw_step_world_at(struct cw_step *s, unsigned int line, unsigned int station)
{
	return cw_step_world_card(s, line, s->line[line].at[station]);
}

/* ---- faulty blanks ------------------------------------------------------- */

static void
draw_fault(struct cw_step *s, struct cw_sim_fault *f)
{
	/* Indices of commands, blocks or characters that do happen. */
	static const uint16_t most[] = {
		[CW_FAULT_NONE] = 0, [CW_FAULT_MUTE] = 0, [CW_FAULT_ATR] = 12,
		[CW_FAULT_NO_BOOT] = 0, [CW_FAULT_SW] = 18, [CW_FAULT_FLASH] = 8,
		[CW_FAULT_HANG] = 30, [CW_FAULT_PARITY] = 200,
		[CW_FAULT_PARITY_HARD] = 3000, [CW_FAULT_PULLED] = 30,
		[CW_FAULT_NO_COS] = 0, [CW_FAULT_BAD_WRITE] = 3,
		[CW_FAULT_NULLS] = 4,
	};

	memset(f, 0, sizeof *f);
	if (!cw_step_fault(s, CW_SF_BLANK))
		return;
	f->kind = (enum cw_sim_fault_kind)cw_step_between(s, CW_FAULT_MUTE,
	    CW_FAULT_NULLS);
	f->n = (uint32_t)cw_step_between(s, 0, most[f->kind]);
	if (f->kind == CW_FAULT_PARITY)
		f->n += 16;
	if (f->kind == CW_FAULT_SW)
		f->arg = 0x6581;
	if (f->kind == CW_FAULT_NO_BOOT)
		f->arg = 0x6F00;
	if ((f->kind == CW_FAULT_HANG || f->kind == CW_FAULT_PULLED) &&
	    cw_step_below(s, 2) == 0)
		f->arg = CW_SIM_FAULT_FROM_COS;
}

static struct step_card *
new_card(struct cw_step *s, unsigned int line, unsigned int station, uint32_t no)
{
	struct cw_sim_card_config cfg = { .ta1 = 0x96, .flash_len = FLASH_LEN,
	    .write_us = s->plan.write_us, .erase_us = s->plan.erase_us };
	struct step_card *c = calloc(1, sizeof *c);
	struct cw_wr w = cw_wr_init(cfg.serial, sizeof cfg.serial);

	if (c == NULL)
		return NULL;
	cw_wr_u16(&w, 0x4357);
	cw_wr_u16(&w, (uint16_t)line);
	cw_wr_u32(&w, no);
	cfg.inverse = cw_step_below(s, 8) == 0;
	cfg.protocols = (enum cw_sim_protocols)cw_step_below(s, 3);
	cfg.crc = cw_step_below(s, 4) == 0;
	cfg.seed = cw_step_rand(s);
	draw_fault(s, &cfg.fault);
	c->no = no;
	c->line = (uint8_t)line;
	c->station = (uint8_t)station;
	c->order = c->cos = -1;
	c->sim = cw_sim_card_new(&cfg);
	if (c->sim == NULL) {
		free(c);
		return NULL;
	}
	cw_step_say(s, "world", "line %u: card %u at station %u%s%s", line + 1, no,
	    station + 1, cfg.fault.kind != CW_FAULT_NONE ? ", fault " : "",
	    cfg.fault.kind != CW_FAULT_NONE ?
	    cw_sim_fault_name(cfg.fault.kind) : "");
	return c;
}

/* ---- mechanics ----------------------------------------------------------- */

int
cw_step_world_feed(struct cw_step *s, unsigned int line, unsigned int station,
    uint32_t no)
{
	struct step_line *l = &s->line[line];
	struct step_card *c;

	if (no <= l->card_cnt)
		return l->card[no - 1]->station == station ? 0 : CW_EEXIST;
	if (l->at[station] != 0) {
		cw_step_bad(s, "I4", "line %u: card %u fed to station %u onto "
		    "card %u", line + 1, no, station + 1, l->at[station]);
		return CW_EBUSY;
	}
	if (no != l->card_cnt + 1) {
		cw_step_bad(s, "I4", "line %u: card %u fed after %u", line + 1, no,
		    l->card_cnt);
		return CW_EEXIST;
	}
	if (!cw_step_term_sure(s, line, station, false))
		cw_step_bad(s, "intent", "line %u: card %u fed to station %u "
		    "without a durable INTENT", line + 1, no, station + 1);
	if (l->card_cnt == l->card_cap) {
		uint32_t cap = l->card_cap > 0 ? 2 * l->card_cap : 64;
		struct step_card **p = realloc(l->card, cap * sizeof(void *));

		if (p == NULL)
			return CW_ENOMEM;
		l->card = p;
		l->card_cap = cap;
	}
	c = new_card(s, line, station, no);
	if (c == NULL)
		return CW_ENOMEM;
	l->card[l->card_cnt++] = c;
	l->at[station] = no;
	cw_step_reader_card(s, line, station, true);
	return 0;
}

/* Whether anything but the factory's FF stands there. */
static bool
written(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0xFF)
			return true;
	return false;
}

/* Which record the ICCID names; false when none that exists. */
static bool
record_by_iccid(const struct cw_step *s, const uint8_t *ef, struct step_card *c)
{
	char d[2 * ICCID_LEN + 1] = "";
	unsigned int o = 0;
	uint64_t rec = 0;

	for (size_t i = 0; i < ICCID_LEN; i++) {
		d[2 * i] = (char)('0' + (ef[i] & 0xF));
		d[2 * i + 1] = (char)('0' + (ef[i] >> 4));
	}
	for (size_t i = 0; i < 18; i++)
		if (d[i] > '9')
			return false;
	o = (unsigned int)(d[4] - '0') * 10u + (unsigned int)(d[5] - '0');
	for (size_t i = 6; i < 18; i++)
		rec = rec * 10 + (uint64_t)(d[i] - '0');
	if (o < 1 || o > s->plan.order_cnt || rec < 1 ||
	    rec > s->order[o - 1].cnt)
		return false;
	c->order = (int)o - 1;
	c->record = (uint32_t)rec;
	return true;
}

/* What a person would read from it. */
static void
examine(struct cw_step *s, struct step_card *c)
{
	uint8_t iccid[ICCID_LEN], imsi[IMSI_LEN], ki[KI_LEN], mark[STEP_MARK_LEN];
	uint8_t want[STEP_MARK_LEN], digest[32];
	struct step_record r;
	struct cw_rd rd;

	if (!cw_sim_card_cos(c->sim, digest))
		return;
	for (unsigned int o = 0; o < s->plan.order_cnt; o++)
		if (memcmp(digest, s->order[o].digest, 32) == 0)
			c->cos = (int)o;
	if (cw_sim_card_read(c->sim, "3F00/2FE2", iccid, sizeof iccid) < 0 ||
	    cw_sim_card_read(c->sim, "3F00/7F20/6F07", imsi, sizeof imsi) < 0 ||
	    cw_sim_card_read(c->sim, "3F00/7F99/6F01", ki, sizeof ki) < 0 ||
	    cw_sim_card_read(c->sim, "3F00/7F99/6FFE", mark, sizeof mark) < 0) {
		cw_step_bad(s, "stepper", "a card cannot be read");
		return;
	}
	c->personal = written(iccid, sizeof iccid) ||
	    written(imsi, sizeof imsi) || written(ki, sizeof ki) ||
	    written(mark, sizeof mark);
	rd = cw_rd_init(mark + 4, sizeof mark - 4);
	c->mark_order = cw_rd_u64(&rd);
	c->mark_record = cw_rd_u64(&rd);
	c->mark_epoch = cw_rd_u32(&rd);
	if (!c->personal || !record_by_iccid(s, iccid, c))
		return;
	cw_step_record_of(s, (unsigned int)c->order, c->record, &r);
	c->whole = memcmp(ki, r.ki, sizeof ki) == 0;
	cw_step_bcd(want, ICCID_LEN, r.iccid);
	c->whole &= memcmp(iccid, want, ICCID_LEN) == 0;
	cw_step_bcd(want, IMSI_LEN, r.imsi);
	c->whole &= memcmp(imsi, want, IMSI_LEN) == 0;
	cw_step_mark(want, s->order[c->order].id, c->record, c->mark_epoch);
	c->whole &= memcmp(mark, want, STEP_MARK_LEN) == 0;
}

static void
leave(struct cw_step *s, struct step_card *c, enum step_where to)
{
	static const char *const words[] = { "station", "good", "reject", "lost" };

	examine(s, c);
	cw_sim_card_free(c->sim);
	c->sim = NULL;
	c->where = (uint8_t)to;
	s->line[c->line].at[c->station] = 0;
	cw_step_say(s, "world", "line %u: card %u of station %u: %s, %s%s record "
	    "%d/%u", c->line + 1, c->no, c->station + 1, words[to],
	    c->personal ? "personal" : "blank", c->whole ? " whole" : "",
	    c->order + 1, c->record);
	cw_step_reader_card(s, c->line, c->station, false);
	cw_step_check_card(s, c);
	cw_step_check_left(s, c->line, c->station, c);
}

void
cw_step_world_bin(struct cw_step *s, unsigned int line, unsigned int station,
    bool good)
{
	struct step_card *c = cw_step_world_at(s, line, station);

	if (c == NULL)
		return;		/* a movement that a restart repeats */
	if (good && !cw_step_term_sure(s, line, station, true))
		cw_step_bad(s, "I3", "line %u: card %u of station %u to the good "
		    "bin without a durable GOOD", line + 1, c->no, station + 1);
	leave(s, c, good ? STEP_AT_GOOD : STEP_AT_REJECT);
}

void
cw_step_world_leave(struct cw_step *s, unsigned int line, unsigned int station,
    enum step_where to)
{
	struct step_card *c = cw_step_world_at(s, line, station);

	if (c != NULL)
		leave(s, c, to);
}

void
cw_step_world_recall(struct cw_step *s, unsigned int line, uint32_t no)
{
	struct step_card *c = cw_step_world_card(s, line, no);
	struct step_rec *r;

	if (c == NULL || c->where != STEP_AT_GOOD)
		return;
	cw_step_say(s, "person", "line %u: takes card %u out of the good bin",
	    line + 1, no);
	c->where = STEP_AT_REJECT;
	if (c->order < 0) {
		if (c->cos >= 0)
			s->good_cos[c->cos]--;
		return;
	}
	r = cw_step_world_rec(s, (unsigned int)c->order, c->record);
	if (c->whole && r != NULL)
		r->good--;
}

void
cw_step_world_sum(const struct cw_step *s, unsigned int line,
    struct step_world_sum *w)
{
	const struct step_line *l = &s->line[line];

	memset(w, 0, sizeof *w);
	w->fed = l->card_cnt;
	for (uint32_t i = 0; i < l->card_cnt; i++) {
		w->in += l->card[i]->where == STEP_AT_STATION;
		w->good += l->card[i]->where == STEP_AT_GOOD;
		w->reject += l->card[i]->where == STEP_AT_REJECT;
		w->lost += l->card[i]->where == STEP_AT_LOST;
	}
}
