/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /api/v1/orders: one multipart request holds a whole order, in the order
 * meta (JSON), cos (file), data (file).  The files are streamed; what the meta
 * part announces is checked before the first card number is looked at; nothing
 * is accepted by half, for the answer is one.
 */
#include "api_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "platform/intake.h"

#define META_MAX 8192u
#define REMAKE_MAX 100
#define SLOW_MS 10000u		/* below the idle time of a connection */

enum part { PART_NONE, PART_META, PART_COS, PART_DATA };

struct cw_upload {
	struct cw_api *a;
	struct cw_hreq *r;
	struct cw_hparts *parts;
	enum part part;			/* the one under way */
	uint64_t part_len;		/* bytes of it so far */
	char meta[META_MAX];
	size_t meta_len;
	bool meta_done, cos_done;
	uint64_t count;
	bool count_given;
	struct cw_st_order order;
	struct cw_api_profile profile;
	bool cos_base_given;
	uint32_t cos_base;
	struct cw_order_cos *cos;
	struct cw_intake *in;
	EVP_MD_CTX *md;			/* of the part under way */
	uint8_t want[2][32];		/* digests announced: cos, data */
	bool wanted[2];
};

size_t
cw_api_uploads(const struct cw_api *a, uint64_t ids[CW_API_UPLOADS_MAX])
{
	size_t n = 0;

	for (unsigned int i = 0; i < CW_API_UPLOADS_MAX; i++)
		if (a->upload[i] != NULL && a->upload[i]->in != NULL)
			ids[n++] = cw_intake_order(a->upload[i]->in);
	return n;
}

/* For cw_intake_config. */
static bool
is_live(void *ctx, uint64_t order)
{
	uint64_t ids[CW_API_UPLOADS_MAX];
	size_t n = cw_api_uploads(ctx, ids);

	while (n-- > 0)
		if (ids[n] == order)
			return true;
	return false;
}

void
cw_api_uploads_prune(struct cw_api *a)
{
	for (unsigned int i = 0; i < CW_API_UPLOADS_MAX; i++)
		if (a->upload[i] != NULL)
			cw_hreq_pace(a->upload[i]->r, cw_api_now(a),
			    a->cfg.slow_ms != 0 ? a->cfg.slow_ms : SLOW_MS);
}

/* One fault that is not in a line of the data file. */
static void
refuse_at(struct cw_upload *u, enum cw_problem p, const char *file,
    uint32_t line, const char *what)
{
	json_t *fault = json_pack("{s:s, s:I, s:s, s:s}", "file", file, "line",
	    (json_int_t)line, "column", "", "what", what);

	cw_hreq_problem_with(u->r, p, json_pack("{s:i, s:[o]}", "fault_count", 1,
	    "faults", fault), what);
}

static void
refuse(struct cw_upload *u, enum cw_problem p, const char *file, const char *what)
{
	refuse_at(u, p, file, 0, what);
}

static void
refuse_cos(struct cw_upload *u)
{
	refuse_at(u, CW_PB_BAD_COS, "cos", cw_order_cos_line(u->cos),
	    cw_order_cos_why(u->cos));
}

static bool
text_ok(const char *text, size_t cap)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			return false;
	return len < cap;
}

/* Copies a text of the meta part; false: refused. NULL is left out. */
static bool
take_text(struct cw_upload *u, const char *key, const char *text, char *dst)
{
	char why[120];

	if (text == NULL)
		return true;
	if (!text_ok(text, CW_ST_NAME_CAP)) {
		snprintf(why, sizeof(why), "%s: at most %d bytes without control "
		    "characters", key, CW_ST_NAME_CAP - 1);
		refuse(u, CW_PB_BAD_ORDER, "meta", why);
		return false;
	}
	snprintf(dst, CW_ST_NAME_CAP, "%s", text);
	return true;
}

static bool
take_digest(struct cw_upload *u, const char *key, const char *text, unsigned int idx)
{
	char why[120];

	if (text == NULL)
		return true;
	if (strlen(text) != 64 || cw_unhex(u->want[idx], 32, text, 64) != 32) {
		snprintf(why, sizeof(why), "%s: must be 64 hex digits, the "
		    "SHA-256 of the file", key);
		refuse(u, CW_PB_BAD_ORDER, "meta", why);
		return false;
	}
	u->wanted[idx] = true;
	return true;
}

/* The name of the order is its idempotency key; the header may give it too. */
static bool
take_name(struct cw_upload *u, const char *name)
{
	const char *key = cw_hreq_header(u->r, "Idempotency-Key");

	if (key != NULL && (key[0] == '\0' || !text_ok(key, CW_ST_NAME_CAP) ||
	    (name != NULL && strcmp(name, key) != 0))) {
		cw_hreq_problem(u->r, CW_PB_KEY, "Idempotency-Key: 1 to %d "
		    "characters, and the same as name where both are given",
		    CW_ST_NAME_CAP - 1);
		return false;
	}
	return take_text(u, "name", name != NULL ? name : key, u->order.ext);
}

struct meta_numbers {
	json_int_t count, remake, blank, address;
};

static bool
take_numbers(struct cw_upload *u, const struct meta_numbers *m)
{
	const char *why = NULL;

	if (m->count < -1 || m->count == 0 || m->count > CW_ST_RECORD_MAX - 1)
		why = "count: a whole number from 1 to 4294967294";
	else if (m->remake < 1 || m->remake > REMAKE_MAX)
		why = "remake_max: a whole number from 1 to 100";
	else if (m->blank < 1 || m->blank > REMAKE_MAX)
		why = "blank_max: a whole number from 1 to 100";
	else if (m->address < -1 || m->address > UINT32_MAX)
		why = "cos_address: a whole number from 0 to 4294967295";
	if (why != NULL) {
		refuse(u, CW_PB_BAD_ORDER, "meta", why);
		return false;
	}
	u->count_given = m->count > 0;
	u->count = u->count_given ? (uint64_t)m->count : 0;
	u->order.remake_max = (uint16_t)m->remake;
	u->order.blank_max = (uint16_t)m->blank;
	u->cos_base_given = m->address >= 0;
	u->cos_base = u->cos_base_given ? (uint32_t)m->address : 0;
	return true;
}

static bool
take_terminal(struct cw_upload *u, const char *ip)
{
	struct in_addr in;

	if (ip == NULL)
		return true;
	if (inet_pton(AF_INET, ip, &in) != 1) {
		refuse(u, CW_PB_BAD_ORDER, "meta", "terminal: an IPv4 address of a "
		    "terminal; use line for its name");
		return false;
	}
	u->order.terminal_ip = ntohl(in.s_addr);
	return true;
}

static bool
parse_meta(struct cw_upload *u, json_t *doc)
{
	const char *name = NULL, *profile = NULL, *line = NULL, *terminal = NULL;
	const char *cos_sha = NULL, *data_sha = NULL;
	struct meta_numbers m = { -1, 3, 10, -1 };
	int production = 0, hold = 0;
	json_error_t je;

	if (json_unpack_ex(doc, &je, JSON_STRICT, "{s?s, s:s, s?s, s?s, s?I, s?I, "
	    "s?I, s?I, s?b, s?b, s?s, s?s}", "name", &name, "profile", &profile,
	    "line", &line, "terminal", &terminal, "count", &m.count,
	    "remake_max", &m.remake, "blank_max", &m.blank,
	    "cos_address", &m.address, "production", &production,
	    "hold_doubt", &hold, "cos_sha256", &cos_sha,
	    "data_sha256", &data_sha) < 0) {
		cw_hreq_problem(u->r, CW_PB_JSON, "part meta: %s; docs/spec/api.md "
		    "lists its members", je.text);
		return false;
	}
	u->order.production = (uint8_t)production;
	u->order.doubt = hold ? CW_DOUBT_HOLD : CW_DOUBT_AUTO;
	return take_name(u, name) &&
	    take_text(u, "profile", profile, u->order.profile) &&
	    take_text(u, "line", line, u->order.line) &&
	    take_terminal(u, terminal) && take_numbers(u, &m) &&
	    take_digest(u, "cos_sha256", cos_sha, 0) &&
	    take_digest(u, "data_sha256", data_sha, 1);
}

/* The meta part is whole: read it, and the profile that it names. */
static bool
finish_meta(struct cw_upload *u)
{
	char err[400] = "";
	json_error_t je;
	json_t *doc;
	bool ok;
	int e;

	if (u->meta_done)
		return true;
	doc = json_loadb(u->meta, u->meta_len, JSON_REJECT_DUPLICATES, &je);
	if (doc == NULL) {
		cw_hreq_problem(u->r, CW_PB_JSON, "part meta, line %d, column %d: "
		    "%s", je.line, je.column, je.text);
		return false;
	}
	ok = parse_meta(u, doc);
	json_decref(doc);
	if (!ok)
		return false;
	e = u->a->cfg.profile(u->a->cfg.ctx, u->order.profile, &u->profile,
	    err, sizeof(err));
	if (e < 0) {
		refuse(u, CW_PB_NO_PROFILE, "meta", err);
		return false;
	}
	u->meta_done = true;
	return true;
}

/* Does the part under way have the digest that was announced? */
static bool
digest_ok(struct cw_upload *u, unsigned int idx)
{
	uint8_t got[EVP_MAX_MD_SIZE];

	EVP_DigestFinal_ex(u->md, got, NULL);
	if (!u->wanted[idx] || memcmp(got, u->want[idx], 32) == 0)
		return true;
	refuse(u, CW_PB_DIGEST, idx == 0 ? "cos" : "data", idx == 0 ?
	    "the COS file that arrived has another SHA-256 than cos_sha256: send "
	    "the order again" :
	    "the data file that arrived has another SHA-256 than data_sha256: "
	    "send the order again");
	return false;
}

static bool
finish_cos(struct cw_upload *u)
{
	if (u->cos == NULL || u->cos_done)
		return true;
	u->cos_done = true;
	if (!digest_ok(u, 0))
		return false;
	if (cw_order_cos_end(u->cos) < 0) {
		refuse_cos(u);
		return false;
	}
	if (u->cos_base_given)
		cw_order_cos_set_base(u->cos, u->cos_base);
	if (!u->profile.has_cos) {
		refuse(u, CW_PB_BAD_ORDER, "meta", "the profile burns no COS: leave "
		    "the COS image out, or name another profile");
		return false;
	}
	return true;
}

/* All before the data is known: begin to take the order in. */
static bool
open_intake(struct cw_upload *u, bool has_data)
{
	struct cw_intake_config cfg = {
		.store = u->a->cfg.store, .seal = u->a->cfg.seal,
		.order = u->order, .fields = u->profile.fields,
		.field_cnt = u->profile.field_cnt, .want_count = u->count,
		.has_data = has_data, .cos = u->cos,
		.profile_text = u->profile.text, .profile_len = u->profile.len,
		.live = is_live, .live_ctx = u->a,
	};
	const char *why = NULL;
	int err = 0;

	if (has_data && !u->profile.has_record)
		why = "the profile writes no personal data: leave the data file "
		    "out, or name another profile";
	else if (!has_data && u->cos == NULL)
		why = "the order has neither a COS image nor a data file: send at "
		    "least one of the parts cos and data";
	else if (!has_data && !u->count_given)
		why = "an order without a data file needs the number of cards: "
		    "count (--count)";
	if (why != NULL) {
		refuse(u, CW_PB_BAD_ORDER, "meta", why);
		return false;
	}
	if (u->a->cfg.utc_ms != NULL)
		cfg.order.created_ms = u->a->cfg.utc_ms(u->a->cfg.ctx);
	u->in = cw_intake_new(&cfg, &err);
	if (u->in == NULL)
		cw_api_store_error(u->r, err);
	return u->in != NULL;
}

static enum part
part_of(const char *name)
{
	return strcmp(name, "meta") == 0 ? PART_META :
	    strcmp(name, "cos") == 0 ? PART_COS :
	    strcmp(name, "data") == 0 ? PART_DATA : PART_NONE;
}

/* A part begins. */
static void
begin_part(struct cw_upload *u, enum part next)
{
	if (next == PART_NONE || next <= u->part ||
	    (u->part == PART_NONE && next != PART_META)) {
		cw_hreq_problem(u->r, CW_PB_JSON, "the parts of an order are meta, "
		    "cos, data: in this order, each at most once, and meta first");
		return;
	}
	if (next > PART_META && !finish_meta(u))
		return;
	if (next == PART_COS) {
		u->cos = cw_order_cos_new();
		if (u->cos == NULL) {
			cw_api_store_error(u->r, CW_ENOMEM);
			return;
		}
	} else if (next == PART_DATA &&
	    (!finish_cos(u) || !open_intake(u, true))) {
		return;
	}
	EVP_DigestInit_ex(u->md, EVP_sha256(), NULL);
	u->part = next;
	u->part_len = 0;
}

static void
on_part(void *user, const struct cw_hpiece *p)
{
	struct cw_upload *u = user;
	enum part part = part_of(p->name);
	int err;

	/* Offset 0 comes again as long as a part has brought no byte. */
	if (part != u->part || part == PART_NONE ||
	    (p->off == 0 && u->part_len > 0))
		begin_part(u, part);
	if (cw_hreq_done(u->r))
		return;
	u->part_len += p->len;
	EVP_DigestUpdate(u->md, p->buf, p->len);
	switch (u->part) {
	case PART_META:
		if (p->len > META_MAX - u->meta_len) {
			cw_hreq_problem(u->r, CW_PB_TOO_LARGE, "part meta: at most "
			    "%u bytes", META_MAX);
			return;
		}
		memcpy(u->meta + u->meta_len, p->buf, p->len);
		u->meta_len += p->len;
		break;
	case PART_COS:
		if (cw_order_cos_feed(u->cos, p->buf, p->len) < 0)
			refuse_cos(u);
		break;
	case PART_DATA:
		err = cw_intake_feed(u->in, p->buf, p->len);
		if (err < 0)
			cw_api_store_error(u->r, err);
		break;
	case PART_NONE:
		break;
	}
}

void
cw_api_upload_begin(struct cw_hreq *r)
{
	struct cw_api *a = cw_hreq_ctx(r);
	struct cw_upload *u;
	unsigned int slot = 0;

	while (slot < CW_API_UPLOADS_MAX && a->upload[slot] != NULL)
		slot++;
	if (slot == CW_API_UPLOADS_MAX) {
		cw_hreq_problem(r, CW_PB_NOT_READY, "%d orders are being taken in: "
		    "try again in a moment", CW_API_UPLOADS_MAX);
		return;
	}
	u = calloc(1, sizeof(*u));
	if (u == NULL || (u->md = EVP_MD_CTX_new()) == NULL) {
		free(u);
		cw_api_store_error(r, CW_ENOMEM);
		return;
	}
	u->a = a;
	u->r = r;
	a->upload[slot] = u;
	cw_hreq_set_user(r, u);
	u->parts = cw_hparts_open(r, on_part, u);
}

void
cw_api_upload_chunk(struct cw_hreq *r, const uint8_t *buf, size_t len)
{
	struct cw_upload *u = cw_hreq_user(r);

	cw_hparts_feed(u->parts, buf, len);
}

static void
answer_faults(struct cw_upload *u)
{
	const struct cw_order_faults *f = cw_intake_faults(u->in);
	json_t *list = json_array();
	char detail[160];

	for (unsigned int i = 0; i < f->cnt; i++)
		json_array_append_new(list, json_pack("{s:s, s:I, s:s?, s:s, s:s?}",
		    "file", "data", "line", (json_int_t)f->list[i].line,
		    "column", f->list[i].column,
		    "code", cw_order_fault_word(f->list[i].code),
		    "what", f->list[i].text));
	snprintf(detail, sizeof(detail), "%llu fault%s in the data file; nothing "
	    "was accepted", (unsigned long long)f->total,
	    f->total == 1 ? "" : "s");
	cw_hreq_problem_with(u->r, CW_PB_BAD_ORDER, json_pack("{s:I, s:o}",
	    "fault_count", (json_int_t)f->total, "faults", list), detail);
}

static void
answer_order(struct cw_upload *u, const struct cw_intake_result *res)
{
	struct cw_api *a = u->a;
	struct cw_st_order o;
	char path[64];
	int err = a->cfg.store->ops->order_get(a->cfg.store->h, res->order, &o);

	cw_ledger_kick(a->cfg.ledger);
	snprintf(path, sizeof(path), "/api/v1/orders/%llu",
	    (unsigned long long)res->order);
	cw_hreq_location(u->r, path);

	/* Accepted it is, even if it cannot be shown just now. */
	cw_hreq_json(u->r, res->again ? 200 : 201, err == 0 ?
	    cw_api_order_json(a, &o) : json_pack("{s:I, s:I}", "id",
	    (json_int_t)res->order, "total", (json_int_t)res->records));
}

void
cw_api_upload_run(struct cw_hreq *r)
{
	struct cw_upload *u = cw_hreq_user(r);
	struct cw_intake_result res;
	bool whole = cw_hparts_close(u->parts);
	int err;

	u->parts = NULL;
	if (!whole || cw_hreq_done(r))
		return;
	if (u->part == PART_NONE) {
		cw_hreq_problem(r, CW_PB_JSON, "the part meta is missing");
		return;
	}
	if (!finish_meta(u) || !finish_cos(u))
		return;
	if ((u->wanted[0] && u->cos == NULL) || (u->wanted[1] && u->in == NULL)) {
		refuse(u, CW_PB_DIGEST, "meta", "a file whose SHA-256 was announced "
		    "did not come: send the order again");
		return;
	}
	if (u->in != NULL ? !digest_ok(u, 1) : !open_intake(u, false))
		return;
	err = cw_intake_end(u->in, &res);
	if (err == 0)
		answer_order(u, &res);
	else if (err == CW_EFORMAT)
		answer_faults(u);
	else if (err == CW_EEXIST)
		cw_hreq_problem(r, CW_PB_KEY_REUSED, "an order named '%s' with "
		    "other content is here already: give this one another name, or "
		    "send the same content", u->order.ext);
	else
		cw_api_store_error(r, err);
}

void
cw_api_upload_end(struct cw_hreq *r)
{
	struct cw_upload *u = cw_hreq_user(r);

	if (u == NULL)
		return;
	for (unsigned int i = 0; i < CW_API_UPLOADS_MAX; i++)
		if (u->a->upload[i] == u)
			u->a->upload[i] = NULL;
	cw_hparts_close(u->parts);
	u->a->sweep = u->a->sweep || u->in != NULL;
	cw_intake_free(u->in);
	cw_order_cos_free(u->cos);
	EVP_MD_CTX_free(u->md);
	free(u->profile.text);
	free(u);
}
