/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/sha256.h"
#include "sim/world.h"

struct rule {
	uint32_t no;		/* card number, or its divisor */
	bool every;
	struct cw_sim_fault fault;
};

/* What is left to tell of a card; contents are 0 bytes long when not written. */
struct card {
	uint32_t no;
	uint16_t station;
	uint8_t bin;		/* enum cw_world_bin */
	uint8_t fault;		/* enum cw_sim_fault_kind */
	uint8_t serial[8];
	bool cos, has_ki;
	uint8_t digest[32], ki_digest[32];
	uint8_t iccid[10], imsi[9], acc[2], msisdn[28], mark[32];
	struct cw_sim_card *core;	/* while in a station */
};

struct station {
	struct card *now;	/* borrows from the card list */
	size_t last;		/* index + 1 of the card that left last; 0 none */
};

struct cw_world {
	struct cw_world_config cfg;
	uint32_t blanks;
	struct rule *rule;
	size_t rule_cnt;
	struct card **card;	/* in the order of feeding */
	size_t card_cnt, card_cap;
	uint32_t max_no;	/* highest number fed */
	uint32_t bin_cnt[CW_BIN_LOST + 1];
	struct station station[];
};

struct cw_world *
cw_world_new(const struct cw_world_config *cfg)
{
	struct cw_world *w;

	w = calloc(1, sizeof *w + cfg->station_cnt * sizeof w->station[0]);
	if (w == NULL)
		return NULL;
	w->cfg = *cfg;
	w->blanks = cfg->blanks;
	return w;
}

void
cw_world_free(struct cw_world *w)
{
	size_t i;

	if (w == NULL)
		return;
	for (i = 0; i < w->card_cnt; i++) {
		cw_sim_card_free(w->card[i]->core);
		free(w->card[i]);
	}
	free(w->card);
	free(w->rule);
	free(w);
}

int
cw_world_fault(struct cw_world *w, const char *text)
{
	struct rule r = { 0 }, *p;
	unsigned long no;
	char *end;

	if (strncmp(text, "every:", 6) == 0) {
		r.every = true;
		text += 6;
	}
	if (*text < '0' || *text > '9')
		return CW_EFORMAT;
	no = strtoul(text, &end, 10);
	if (*end != '=' || no == 0 || no > UINT32_MAX ||
	    cw_sim_fault_parse(&r.fault, end + 1) < 0)
		return CW_EFORMAT;
	r.no = (uint32_t)no;

	p = realloc(w->rule, (w->rule_cnt + 1) * sizeof *p);
	if (p == NULL)
		return CW_ENOMEM;
	w->rule = p;
	p[w->rule_cnt++] = r;
	return 0;
}

static struct cw_sim_fault
fault_of(const struct cw_world *w, uint32_t card_no)
{
	struct cw_sim_fault f = { .kind = CW_FAULT_NONE };
	size_t i;

	for (i = 0; i < w->rule_cnt; i++)
		if (w->rule[i].every && card_no % w->rule[i].no == 0)
			f = w->rule[i].fault;
	for (i = 0; i < w->rule_cnt; i++)
		if (!w->rule[i].every && card_no == w->rule[i].no)
			f = w->rule[i].fault;
	return f;
}

static struct card *
card_new(struct cw_world *w, uint32_t card_no)
{
	struct cw_sim_card_config cfg = w->cfg.card;
	struct cw_wr wr = cw_wr_init(cfg.serial, sizeof cfg.serial);
	struct card **list, *c;
	size_t cap;

	if (w->card_cnt == w->card_cap) {
		cap = w->card_cap != 0 ? w->card_cap * 2 : 64;
		list = realloc(w->card, cap * sizeof list[0]);
		if (list == NULL)
			return NULL;
		w->card = list;
		w->card_cap = cap;
	}
	cw_wr_u16(&wr, 0x4357);
	cw_wr_u16(&wr, w->cfg.tag);
	cw_wr_u32(&wr, card_no);
	cfg.seed = card_no;
	cfg.fault = fault_of(w, card_no);
	if (w->cfg.uicc_of != NULL)
		cfg.uicc = w->cfg.uicc_of(w->cfg.ctx, card_no);

	if ((c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	if ((c->core = cw_sim_card_new(&cfg)) == NULL) {
		free(c);
		return NULL;
	}
	c->no = card_no;
	c->fault = (uint8_t)cfg.fault.kind;
	memcpy(c->serial, cfg.serial, sizeof c->serial);
	w->card[w->card_cnt++] = c;
	return c;
}

int
cw_world_feed(struct cw_world *w, uint16_t station, uint32_t card_no)
{
	struct station *s = &w->station[station];
	struct card *c;
	size_t i;

	/* A repeated FEED draws nothing, wherever its card is by now. */
	if (s->now != NULL)
		return s->now->no == card_no ? 0 : CW_EBUSY;
	if (s->last != 0 && w->card[s->last - 1]->no == card_no &&
	    w->card[s->last - 1]->bin == CW_BIN_LOST)
		return 0;
	for (i = card_no > w->max_no ? 0 : w->card_cnt; i > 0; i--)
		if (w->card[i - 1]->no == card_no)
			return CW_EEXIST;
	if (w->blanks == 0)
		return CW_ENOENT;

	if ((c = card_new(w, card_no)) == NULL)
		return CW_ENOMEM;
	if (card_no > w->max_no)
		w->max_no = card_no;
	c->station = station;
	s->now = c;
	if (w->blanks != UINT32_MAX)
		w->blanks--;
	w->bin_cnt[CW_BIN_STATION]++;
	return 0;
}

/* Content of a file unless it is erased: true when copied. */
static bool
copy_file(const struct cw_sim_card *c, const char *path, uint8_t *out,
    size_t len)
{
	uint8_t seen = 0xFF;
	size_t i;

	if (cw_sim_card_read(c, path, out, len) != (int)len)
		return false;
	for (i = 0; i < len; i++)
		seen &= out[i];
	return seen != 0xFF;
}

static void
summarize(struct card *c)
{
	uint8_t ki[16];

	c->cos = cw_sim_card_cos(c->core, c->digest);
	if (!c->cos)
		return;
	(void)copy_file(c->core, "3F00/2FE2", c->iccid, sizeof c->iccid);
	(void)copy_file(c->core, "3F00/7F20/6F07", c->imsi, sizeof c->imsi);
	(void)copy_file(c->core, "3F00/7F20/6F78", c->acc, sizeof c->acc);
	(void)copy_file(c->core, "3F00/7F10/6F40#1", c->msisdn,
	    sizeof c->msisdn);
	(void)copy_file(c->core, "3F00/7F99/6FFE", c->mark, sizeof c->mark);
	c->has_ki = copy_file(c->core, "3F00/7F99/6F01", ki, sizeof ki);
	cw_sha256(c->ki_digest, ki, sizeof ki);
	cw_wipe(ki, sizeof ki);
}

static void
depart(struct cw_world *w, uint16_t station, enum cw_world_bin bin)
{
	struct station *s = &w->station[station];
	struct card *c = s->now;
	size_t i = w->card_cnt;

	summarize(c);
	if (w->cfg.left != NULL)
		w->cfg.left(w->cfg.ctx, c->no, bin, c->core);
	cw_sim_card_free(c->core);
	c->core = NULL;
	c->bin = (uint8_t)bin;
	w->bin_cnt[CW_BIN_STATION]--;
	w->bin_cnt[bin]++;
	while (w->card[i - 1] != c)
		i--;
	s->last = i;
	s->now = NULL;
}

enum cw_world_bin
cw_world_bin(struct cw_world *w, uint16_t station, enum cw_world_bin bin,
    uint32_t *card_no)
{
	struct station *s = &w->station[station];

	if (s->now != NULL)
		depart(w, station, bin);
	*card_no = 0;
	if (s->last == 0)
		return CW_BIN_LOST;
	*card_no = w->card[s->last - 1]->no;
	return (enum cw_world_bin)w->card[s->last - 1]->bin;
}

struct cw_sim_card *
cw_world_card(struct cw_world *w, uint16_t station)
{
	struct card *c = w->station[station].now;

	return c != NULL ? c->core : NULL;
}

uint32_t
cw_world_card_no(const struct cw_world *w, uint16_t station)
{
	const struct card *c = w->station[station].now;

	return c != NULL ? c->no : 0;
}

void
cw_world_leave(struct cw_world *w, uint16_t station)
{
	if (w->station[station].now != NULL)
		depart(w, station, CW_BIN_LOST);
}

bool
cw_world_lost(const struct cw_world *w, uint16_t station)
{
	const struct station *s = &w->station[station];

	return s->now == NULL && s->last != 0 &&
	    w->card[s->last - 1]->bin == CW_BIN_LOST;
}

uint32_t
cw_world_count(const struct cw_world *w, enum cw_world_bin bin)
{
	return w->bin_cnt[bin];
}

int
cw_world_where(const struct cw_world *w, uint32_t card_no)
{
	size_t i;

	for (i = 0; i < w->card_cnt; i++)
		if (w->card[i]->no == card_no)
			return w->card[i]->bin;
	return CW_ENOENT;
}

/* "key":"hex" or "key":null */
static void
put_hex(FILE *fp, const char *key, const uint8_t *buf, size_t len, bool there)
{
	char text[2 * 64 + 1];

	cw_hex(text, buf, len);
	if (there)
		fprintf(fp, ",\"%s\":\"%s\"", key, text);
	else
		fprintf(fp, ",\"%s\":null", key);
}

/* Digits with the low half of each byte first, up to F: E.118, TS 31.102. */
static void
put_bcd(FILE *fp, const char *key, const uint8_t *buf, size_t len, size_t skip)
{
	char text[2 * 16 + 1], *d = text;
	size_t i;

	for (i = skip; i < 2 * len; i++) {
		uint8_t v = i % 2 == 0 ? buf[i / 2] & 15 : buf[i / 2] >> 4;

		if (v > 9)
			break;
		*d++ = (char)('0' + v);
	}
	*d = '\0';
	if (d != text)
		fprintf(fp, ",\"%s\":\"%s\"", key, text);
	else
		fprintf(fp, ",\"%s\":null", key);
}

static bool
written(const uint8_t *buf, size_t len)
{
	uint8_t all = 0xFF, any = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		all &= buf[i];
		any |= buf[i];
	}
	return all != 0xFF && any != 0;
}

static void
dump_card(const struct card *c, FILE *fp)
{
	static const char *const bins[] = {
		[CW_BIN_STATION] = "station", [CW_BIN_GOOD] = "good",
		[CW_BIN_REJECT] = "reject", [CW_BIN_LOST] = "lost",
	};
	struct card now = *c;

	if (c->core != NULL)
		summarize(&now);
	fprintf(fp, "{\"card_no\":%u", now.no);
	put_hex(fp, "serial", now.serial, sizeof now.serial, true);
	fprintf(fp, ",\"station\":%u,\"bin\":\"%s\",\"fault\":\"%s\"",
	    now.station + 1u, bins[now.bin],
	    cw_sim_fault_name((enum cw_sim_fault_kind)now.fault));
	put_hex(fp, "cos", now.digest, sizeof now.digest, now.cos);
	put_bcd(fp, "iccid", now.iccid, now.cos && written(now.iccid,
	    sizeof now.iccid) ? sizeof now.iccid : 0, 0);

	/* EF_IMSI: length, then a parity digit before the number itself. */
	put_bcd(fp, "imsi", now.imsi + 1, now.cos && written(now.imsi,
	    sizeof now.imsi) ? sizeof now.imsi - 1 : 0, 1);
	put_hex(fp, "ki_sha256", now.ki_digest, sizeof now.ki_digest,
	    now.has_ki);
	put_hex(fp, "msisdn", now.msisdn, sizeof now.msisdn,
	    written(now.msisdn, sizeof now.msisdn));
	put_hex(fp, "acc", now.acc, sizeof now.acc,
	    written(now.acc, sizeof now.acc));
	put_hex(fp, "marker", now.mark, sizeof now.mark,
	    written(now.mark, sizeof now.mark));
	fputc('}', fp);
}

int
cw_world_dump(const struct cw_world *w, FILE *fp)
{
	size_t i;

	fprintf(fp, "{\"stations\":%u,\"fed\":%zu,\"good\":%u,\"reject\":%u,"
	    "\"lost\":%u,\"in_stations\":%u,\"hopper\":", w->cfg.station_cnt,
	    w->card_cnt, w->bin_cnt[CW_BIN_GOOD], w->bin_cnt[CW_BIN_REJECT],
	    w->bin_cnt[CW_BIN_LOST], w->bin_cnt[CW_BIN_STATION]);
	if (w->blanks == UINT32_MAX)
		fputs("null", fp);
	else
		fprintf(fp, "%u", w->blanks);
	fputs(",\"cards\":[", fp);
	for (i = 0; i < w->card_cnt; i++) {
		fputs(i == 0 ? "\n" : ",\n", fp);
		dump_card(w->card[i], fp);
	}
	fputs("\n]}\n", fp);
	return fflush(fp) == 0 && ferror(fp) == 0 ? 0 : CW_EIO;
}
