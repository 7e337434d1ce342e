/* SPDX-License-Identifier: Apache-2.0 */
#include "api_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cw/bytes.h"
#include "cw/outcome.h"

json_t *
cw_api_time(uint64_t utc_ms)
{
	time_t s = (time_t)(utc_ms / 1000);
	struct tm tm;
	char text[48];

	if (utc_ms == 0 || gmtime_r(&s, &tm) == NULL)
		return json_null();
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, (unsigned int)(utc_ms % 1000));
	return json_string(text);
}

json_t *
cw_api_ip(uint32_t ip)
{
	char text[16];

	if (ip == 0)
		return json_null();
	snprintf(text, sizeof(text), "%u.%u.%u.%u", ip >> 24, ip >> 16 & 0xFF,
	    ip >> 8 & 0xFF, ip & 0xFF);
	return json_string(text);
}

/* Text of a peer: shown even if it is not UTF-8, without what is not ASCII. */
static json_t *
text_json(const char *text)
{
	json_t *j = json_string(text);
	char safe[256];
	size_t i;

	if (j != NULL)
		return j;
	for (i = 0; text[i] != '\0' && i < sizeof(safe) - 1; i++)
		safe[i] = text[i] >= 0x20 && text[i] < 0x7F ? text[i] : '?';
	safe[i] = '\0';
	return json_string(safe);
}

static json_t *
hex_json(const uint8_t *buf, size_t len)
{
	char text[2 * 33 + 1];

	if (len == 0 || len > 33)
		return json_null();
	cw_hex(text, buf, len);
	return json_string(text);
}

static json_t *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text_json(text) : json_null();
}

const char *
cw_api_verdict_word(unsigned int verdict)
{
	static const char *const word[] = {
		[CW_CARD_GOOD] = "good", [CW_CARD_REJECT] = "reject",
		[CW_CARD_DOUBT] = "in-doubt", [CW_CARD_NONE] = "unused",
	};

	return verdict >= CW_CARD_GOOD && verdict <= CW_CARD_NONE ?
	    word[verdict] : "unknown";
}

static json_t *
counts_json(const struct cw_st_counts *c)
{
	json_t *records = json_object(), *cards;

	for (unsigned int i = 0; i < CW_REC_CNT; i++)
		json_object_set_new(records, cw_record_state_word(i),
		    json_integer((json_int_t)c->rec[i]));
	cards = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
	    "drawn", (json_int_t)(c->good + c->reject + c->doubt),
	    "good", (json_int_t)c->good, "reject", (json_int_t)c->reject,
	    "in-doubt", (json_int_t)c->doubt, "unused", (json_int_t)c->none,
	    "stray", (json_int_t)c->stray);
	return json_pack("{s:o, s:o}", "records", records, "cards", cards);
}

json_t *
cw_api_order_json(const struct cw_api *a, const struct cw_st_order *o)
{
	double cards_min, left_s;
	json_t *j = counts_json(&o->counts);
	json_t *cos = json_null(), *more;
	char waits[CW_ST_TEXT_CAP];

	cw_api_rate_of(a, o, &cards_min, &left_s);
	if (o->has_cos)
		cos = json_pack("{s:I, s:I, s:o}", "bytes", (json_int_t)o->cos_len,
		    "address", (json_int_t)o->cos_addr,
		    "sha256", hex_json(o->cos_digest, sizeof(o->cos_digest)));
	more = json_pack("{s:I, s:o, s:s, s:o, s:s, s:o, s:o, s:b, s:o, s:b, s:I}",
	    "id", (json_int_t)o->id, "name", text_or_null(o->ext),
	    "state", cw_order_state_word(o->state),
	    "reason", text_or_null(o->reason), "profile", o->profile,
	    "line", text_or_null(o->line), "terminal", cw_api_ip(o->terminal_ip),
	    "production", o->production, "cos", cos, "data", o->has_data,
	    "total", (json_int_t)o->total);
	if (j == NULL || more == NULL) {
		json_decref(j);
		json_decref(more);
		return NULL;
	}
	json_object_update(more, j);
	json_decref(j);
	json_object_set_new(more, "waits", cw_ledger_waits(a->cfg.ledger, o,
	    waits) > 0 ? text_json(waits) : json_null());
	json_object_set_new(more, "remake_max", json_integer(o->remake_max));
	json_object_set_new(more, "blank_max", json_integer(o->blank_max));
	json_object_set_new(more, "hold_doubt", json_boolean(o->doubt == CW_DOUBT_HOLD));
	json_object_set_new(more, "created", cw_api_time(o->created_ms));
	json_object_set_new(more, "started", cw_api_time(o->started_ms));
	json_object_set_new(more, "ended", cw_api_time(o->ended_ms));
	json_object_set_new(more, "cards_per_min", cards_min < 0 ? json_null() :
	    json_real(cards_min));
	json_object_set_new(more, "seconds_left", left_s < 0 ? json_null() :
	    json_real(left_s));
	return more;
}

json_t *
cw_api_result_json(const struct cw_st_result *res)
{
	json_t *j = json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:i, s:o, s:I}",
	    "order", (json_int_t)res->order, "record", (json_int_t)res->record,
	    "attempt", (json_int_t)res->epoch,
	    "verdict", cw_api_verdict_word(res->verdict),
	    "cause", cw_outcome_word(res->outcome),
	    "cause_text", cw_outcome_text(res->outcome),
	    "step", (int)res->step, "reader", cw_api_ip(res->reader),
	    "card", (json_int_t)res->card_no);
	char sw[5];

	if (j == NULL)
		return NULL;
	snprintf(sw, sizeof(sw), "%04X", res->sw);
	json_object_set_new(j, "sw", res->sw != 0 ? json_string(sw) : json_null());
	json_object_set_new(j, "sw_text", res->sw != 0 ?
	    json_string(cw_sw_text(res->sw)) : json_null());
	json_object_set_new(j, "station", json_integer(res->station));
	json_object_set_new(j, "ms", json_integer(res->ms));
	json_object_set_new(j, "time", cw_api_time(res->time_ms));
	json_object_set_new(j, "serial", hex_json(res->serial, res->serial_len));
	json_object_set_new(j, "atr", hex_json(res->atr, res->atr_len));
	json_object_set_new(j, "stray", json_boolean(res->stray));
	return j;
}

static const char *
station_word(unsigned int state)
{
	static const char *const word[] = {
		[CW_ST_OFF] = "off", [CW_ST_IDLE] = "idle", [CW_ST_FEED] = "feed",
		[CW_ST_BURN] = "burn", [CW_ST_PERSO] = "personal",
		[CW_ST_BIN] = "bin", [CW_ST_STUCK] = "stuck",
		[CW_ST_IMAGE] = "image",
	};

	return state <= CW_ST_IMAGE ? word[state] : "unknown";
}

static const char *
line_word(unsigned int state)
{
	static const char *const word[] = {
		"idle", "execute", "held", "suspended", "aborted",
	};

	return state < sizeof(word) / sizeof(word[0]) ? word[state] : "unknown";
}

static json_t *
stations_json(const struct cw_ledger_term_view *v)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < v->status.station_cnt &&
	    i < CW_STATIONS_MAX; i++) {
		const struct cw_pl_station *s = &v->status.station[i];
		bool any = s->good + s->reject + s->doubt > 0;
		json_t *j = json_pack("{s:s, s:i, s:s, s:o, s:i, s:I, s:I, s:I}",
		    "line", v->name, "station", (int)i + 1,
		    "state", station_word(s->state), "reader", cw_api_ip(s->reader),
		    "port", (int)s->port, "good", (json_int_t)s->good,
		    "reject", (json_int_t)s->reject,
		    "in-doubt", (json_int_t)s->doubt);

		if (j == NULL)
			continue;
		json_object_set_new(j, "last", any ?
		    json_string(cw_outcome_word(s->last_outcome)) : json_null());
		json_object_set_new(j, "last_text", any ?
		    json_string(cw_outcome_text(s->last_outcome)) : json_null());
		json_object_set_new(j, "order", s->order != 0 ?
		    json_integer((json_int_t)s->order) : json_null());
		json_object_set_new(j, "record", s->record != 0 ?
		    json_integer((json_int_t)s->record) : json_null());
		json_object_set_new(j, "why", text_or_null(s->why));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *
line_json(const struct cw_api *a, const struct cw_ledger_term_view *v)
{
	const struct cw_pl_status *st = &v->status;
	uint64_t now = cw_api_now(a);
	json_t *j;

	j = json_pack("{s:s, s:b, s:o, s:s, s:o, s:I, s:I, s:I}",
	    "name", v->name, "connected", 1, "address", cw_api_ip(v->ip),
	    "state", v->status_ms != 0 ? line_word(st->line_state) : "unknown",
	    "why", text_or_null(st->why), "leases", (json_int_t)v->lease_cnt,
	    "connected_s", (json_int_t)((now - v->since_ms) / 1000),
	    "cos_sent", (json_int_t)st->cos_sent);
	if (j == NULL)
		return NULL;
	json_object_set_new(j, "status_age_ms", v->status_ms == 0 ? json_null() :
	    json_integer((json_int_t)(now - v->status_ms)));
	json_object_set_new(j, "device", json_pack("{s:I, s:I, s:I}",
	    "fed", (json_int_t)st->device_feed, "good", (json_int_t)st->device_good,
	    "reject", (json_int_t)st->device_reject));
	json_object_set_new(j, "station_cnt", json_integer(v->station_cnt));
	json_object_set_new(j, "stations", stations_json(v));
	return j;
}

/* Is name a before b?  Numbers in them count as numbers: line-2, line-10. */
static bool
name_before(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b && (*a < '0' || *a > '9')) {
		a++;
		b++;
	}
	if (*a >= '0' && *a <= '9' && *b >= '0' && *b <= '9') {
		size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
		int d = na == nb ? strncmp(a, b, na) : na < nb ? -1 : 1;

		return d != 0 ? d < 0 : name_before(a + na, b + nb);
	}
	return (unsigned char)*a < (unsigned char)*b;
}

/* Lines stand in order of their names, whoever connected first. */
static void
add_line(json_t *list, json_t *line)
{
	const char *name = json_string_value(json_object_get(line, "name"));
	size_t i = json_array_size(list);

	while (i > 0 && name != NULL && name_before(name, json_string_value(
	    json_object_get(json_array_get(list, i - 1), "name"))))
		i--;
	json_array_insert_new(list, i, line);
}

/* Every line that was ever connected: those that are not stand without stations. */
json_t *
cw_api_lines_json(const struct cw_api *a)
{
	struct cw_st_term term[16];
	struct cw_ledger_term_view v;
	json_t *list = json_array();
	uint32_t after = 0;
	int n;

	for (unsigned int i = 0; cw_ledger_term(a->cfg.ledger, i, &v) == 0; i++)
		if (v.greeted)
			add_line(list, line_json(a, &v));
	while ((n = a->cfg.store->ops->term_list(a->cfg.store->h, after, term,
	    16)) > 0) {
		for (int i = 0; i < n; i++) {
			bool here = false;

			after = term[i].id;
			for (unsigned int k = 0; !here &&
			    cw_ledger_term(a->cfg.ledger, k, &v) == 0; k++)
				here = v.greeted && strcmp(v.name, term[i].name) == 0;
			if (!here)
				add_line(list, json_pack(
				    "{s:s, s:b, s:o, s:s, s:s, s:o, s:[]}",
				    "name", term[i].name, "connected", 0,
				    "address", cw_api_ip(term[i].ip),
				    "state", "away", "why", "not connected: is "
				    "cardwright-terminal running?",
				    "seen", cw_api_time(term[i].seen_ms),
				    "stations"));
		}
	}
	return list;
}

static json_t *
cause_json(const struct cw_st_cause *c)
{
	char sw[5];

	snprintf(sw, sizeof(sw), "%04X", c->sw);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I}",
	    "verdict", cw_api_verdict_word(c->verdict),
	    "cause", cw_outcome_word(c->outcome),
	    "cause_text", cw_outcome_text(c->outcome),
	    "sw", c->sw != 0 ? json_string(sw) : json_null(),
	    "sw_text", c->sw != 0 ? json_string(cw_sw_text(c->sw)) : json_null(),
	    "count", (json_int_t)c->cnt);
}

static json_t *
report_term_json(const struct cw_ledger_report_term *t)
{
	static const char *const dev[] = {
		[CW_COUNTERS_UNKNOWN] = "unknown", [CW_COUNTERS_EQUAL] = "equal",
		[CW_COUNTERS_DIFFERS] = "differs",
	};

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:{s:s, s:I, s:I, s:I}}",
	    "name", t->name, "cos_sent", (json_int_t)t->cos_sent,
	    "readers", (json_int_t)t->readers, "cards", (json_int_t)t->cards,
	    "good", (json_int_t)t->good, "wrong", (json_int_t)t->wrong,
	    "device", "agrees", dev[t->dev], "fed", (json_int_t)t->dev_feed,
	    "good", (json_int_t)t->dev_good, "reject", (json_int_t)t->dev_reject);
}

json_t *
cw_api_report_json(const struct cw_api *a, const struct cw_ledger_report *r)
{
	const struct cw_st_counts *s = &r->sums;
	json_t *causes = json_array(), *terms = json_array();

	for (unsigned int i = 0; i < r->cause_cnt; i++)
		json_array_append_new(causes, cause_json(&r->cause[i]));
	for (unsigned int i = 0; i < r->term_cnt; i++)
		json_array_append_new(terms, report_term_json(&r->term[i]));
	return json_pack("{s:o, s:{s:I, s:I, s:I, s:I, s:I}, "
	    "s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o, s:o, s:{s:I, s:I}, "
	    "s:b, s:b, s:o}",
	    "order", cw_api_order_json(a, &r->order),
	    "cards", "drawn", (json_int_t)r->drawn, "good", (json_int_t)s->good,
	    "reject", (json_int_t)s->reject, "in-doubt", (json_int_t)s->doubt,
	    "evidence", (json_int_t)s->evidence,
	    "records", "total", (json_int_t)r->order.total,
	    "issued", (json_int_t)s->rec[CW_REC_ISSUED],
	    "failed", (json_int_t)s->rec[CW_REC_FAILED],
	    "in-doubt", (json_int_t)s->rec[CW_REC_IN_DOUBT],
	    "cancelled", (json_int_t)s->rec[CW_REC_CANCELLED],
	    "open", (json_int_t)r->open,
	    "causes", causes, "terminals", terms,
	    "cos", "sent", (json_int_t)r->cos_sent,
	    "readers", (json_int_t)r->readers,
	    "settled", r->settled, "adds_up", r->adds_up,
	    "why", text_or_null(r->why));
}
