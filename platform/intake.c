/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/intake.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/package.h"
#include "cw/sha256.h"

#define BATCH_ROWS 8192
#define ADD_ROWS 64
#define BATCH_BYTES (4u * 1024u * 1024u)
#define REMAKE_MAX 3
#define BLANK_MAX 10
#define PURGE_STEP 10000

/* A checked and sealed row that waits for its transaction. */
struct row {
	uint32_t record, line, addr;
	uint32_t off, len;	/* sealed payload in the arena */
	uint8_t fp_cnt;
	uint8_t kind[CW_FP_MAX];	/* enum cw_fp_kind of each fp */
	uint8_t fp[CW_FP_MAX][CW_FP_LEN];
	char iccid[CW_ST_ICCID_CAP];
};

struct cw_intake {
	struct cw_store *store;
	struct cw_seal *seal;
	struct cw_st_order order;	/* as it will be; id 0 = none inserted */
	struct cw_order_reader *reader;
	EVP_MD_CTX *md;
	uint64_t want_count, added;
	bool has_data;
	bool again;		/* ext is known: only the digest matters */
	bool accepted;
	bool (*live)(void *ctx, uint64_t order);
	void *live_ctx;
	int err;		/* sticky */
	size_t row_cnt, arena_len;
	struct row row[BATCH_ROWS];
	uint8_t arena[BATCH_BYTES];
};

/* Rows [from, from + n) in the store's form. */
static void
fill_new(const struct cw_intake *in, size_t from, size_t n, struct cw_st_new *out)
{
	const struct row *r;
	size_t i;

	for (i = 0; i < n; i++) {
		r = &in->row[from + i];
		out[i] = (struct cw_st_new){ .record = r->record, .addr = r->addr,
		    .iccid = r->iccid[0] != '\0' ? r->iccid : NULL,
		    .fp_cnt = r->fp_cnt,
		    .payload = r->len > 0 ? in->arena + r->off : NULL,
		    .payload_len = r->len };
		memcpy(out[i].fp, r->fp, sizeof out[i].fp);
	}
}

static bool
is_live(const struct cw_intake *in, uint64_t order)
{
	return in->live != NULL && in->live(in->live_ctx, order);
}

static void
tell_dup(struct cw_intake *in, const struct row *r, const struct cw_st_dup *dup)
{
	const char *column = r->kind[dup->fp_idx] == CW_FP_ICCID ? "iccid" : "imsi";

	if (dup->order == in->order.id)
		cw_order_fault(in->reader, r->line, CW_OF_DUPLICATE, column,
		    "the same number stands in record %llu (line %u)",
		    (unsigned long long)dup->record,
		    cw_order_line_of(in->reader, dup->record));
	else if (is_live(in, dup->order))
		cw_order_fault(in->reader, r->line, CW_OF_DUPLICATE_ORDER, column,
		    "the same number is being submitted by somebody else now: "
		    "wait for the end of that, then look at the list of orders");
	else
		cw_order_fault(in->reader, r->line, CW_OF_DUPLICATE_ORDER, column,
		    "the same number belongs to order %llu, record %llu: "
		    "cancel or close that order first",
		    (unsigned long long)dup->order,
		    (unsigned long long)dup->record);
}

/*
 * The owner of a number is what an intake that was refused or killed has left
 * and the sweep has not reached: nobody can cancel that order, so it goes now.
 * 1 = try again, 0 = the owner stands.
 */
static int
make_way(struct cw_intake *in, const struct cw_st_dup *dup)
{
	const struct cw_store_ops *ops = in->store->ops;
	struct cw_st_order o;
	int err;

	if (dup->order == in->order.id || is_live(in, dup->order))
		return 0;
	err = ops->order_get(in->store->h, dup->order, &o);
	if (err == 0 && o.state == CW_ORD_INTAKE) {
		err = ops->order_purge(in->store->h, dup->order, PURGE_STEP);
		return err < 0 ? err : 1;
	}
	return err == CW_ENOENT ? 0 : err;
}

/* Writes the rows that wait, in one transaction. */
static int
flush_rows(struct cw_intake *in)
{
	const struct cw_store_ops *ops = in->store->ops;
	void *h = in->store->h;
	struct cw_st_new rec[ADD_ROWS];
	struct cw_st_dup dup;
	size_t i = 0, n;
	int err, done;

	if (in->row_cnt == 0)
		return 0;
	err = ops->begin_lazy(h);	/* accept_order makes it all durable */
	if (err < 0)
		return err;
	while (i < in->row_cnt) {
		n = in->row_cnt - i < ADD_ROWS ? in->row_cnt - i : ADD_ROWS;
		fill_new(in, i, n, rec);
		done = ops->record_add_many(h, in->order.id, rec, n, &dup);
		err = done;
		if (done >= 0 && (size_t)done < n)
			err = make_way(in, &dup);
		if (err < 0) {
			(void)ops->rollback(h);
			return err;
		}
		i += (size_t)done;
		if ((size_t)done < n && err == 0)
			tell_dup(in, &in->row[i++], &dup);
	}
	in->row_cnt = in->arena_len = 0;
	return ops->commit(h);
}

static int
add_print(struct cw_intake *in, struct row *r, enum cw_fp_kind kind,
    const char *digits)
{
	int err;

	err = cw_seal_fingerprint(in->seal, kind, digits, strlen(digits),
	    r->fp[r->fp_cnt]);
	if (err < 0)
		return err;
	r->kind[r->fp_cnt++] = (uint8_t)kind;
	return 0;
}

static int
take_row(void *ctx, const struct cw_order_row *src)
{
	struct cw_intake *in = ctx;
	struct cw_seal_id id = { in->order.id, src->record };
	struct row *r;
	int n = 0;

	if (in->row_cnt == BATCH_ROWS ||
	    in->arena_len + src->payload_len + CW_SEAL_OVERHEAD > BATCH_BYTES)
		n = flush_rows(in);
	if (n < 0)
		return n;
	r = &in->row[in->row_cnt];
	memset(r, 0, sizeof *r);
	r->record = (uint32_t)src->record;
	r->line = src->line;
	r->addr = src->addr;
	memcpy(r->iccid, src->iccid, strnlen(src->iccid, sizeof r->iccid - 1));
	if (src->iccid_unique)
		n = add_print(in, r, CW_FP_ICCID, src->iccid);
	if (n == 0 && src->imsi_unique)
		n = add_print(in, r, CW_FP_IMSI, src->imsi);
	if (n == 0)
		n = cw_seal_put(in->seal, &id, src->payload, src->payload_len,
		    in->arena + in->arena_len);
	if (n < 0)
		return n;
	r->off = (uint32_t)in->arena_len;
	r->len = (uint32_t)n;
	in->arena_len += (size_t)n;
	in->row_cnt++;
	return 0;
}

/* All that makes two submissions the same goes into the digest. */
static int
start_digest(struct cw_intake *in)
{
	uint8_t buf[256];
	struct cw_wr w = cw_wr_init(buf, sizeof buf);
	const struct cw_st_order *o = &in->order;

	cw_wr_bytes(&w, o->profile_digest, sizeof o->profile_digest);
	cw_wr_bytes(&w, o->cos_digest, sizeof o->cos_digest);
	cw_wr_u32(&w, o->cos_addr);
	cw_wr_u8(&w, o->has_cos);
	cw_wr_u8(&w, o->has_data);
	cw_wr_u64(&w, in->want_count);
	cw_wr_u8(&w, o->production);
	cw_wr_u32(&w, o->terminal_ip);
	cw_wr_str8(&w, o->line);
	in->md = EVP_MD_CTX_new();
	if (in->md == NULL || cw_wr_done(&w) < 0 ||
	    EVP_DigestInit_ex(in->md, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(in->md, buf, w.len) != 1)
		return CW_ENOMEM;
	return 0;
}

/* Inserts the order, invisible, with its blobs. */
static int
insert_order(struct cw_intake *in, const struct cw_intake_config *cfg)
{
	const struct cw_store_ops *ops = in->store->ops;
	void *h = in->store->h;
	uint8_t *pkg = NULL;
	uint64_t id = 0;
	uint32_t len = 0;
	int err, n = 0;

	if (cfg->cos != NULL) {
		(void)cw_order_cos_image(cfg->cos, &len);
		pkg = malloc((size_t)len + CW_PKG_HDR + 4);
		if (pkg == NULL)
			return CW_ENOMEM;
	}
	err = ops->begin(h);
	if (err < 0)
		goto out;
	err = ops->order_insert(h, &in->order, &id);
	if (err == 0 && pkg != NULL) {
		n = cw_order_cos_package(cfg->cos, id, pkg,
		    (size_t)len + CW_PKG_HDR + 4);
		err = n < 0 ? n : ops->blob_put(h, id, CW_ST_COS, pkg, (size_t)n);
	}
	if (err == 0)
		err = ops->blob_put(h, id, CW_ST_PROFILE, cfg->profile_text,
		    cfg->profile_len);
	if (err < 0) {
		(void)ops->rollback(h);
		goto out;
	}
	err = ops->commit(h);
	if (err == 0) {
		in->order.id = id;
		in->order.cos_pkg_len = (uint32_t)n;
	}
out:
	free(pkg);
	return err;
}

static void
fill_order(struct cw_intake *in, const struct cw_intake_config *cfg)
{
	struct cw_st_order *o = &in->order;
	const uint8_t *image;

	*o = cfg->order;
	o->id = 0;
	o->state = CW_ORD_INTAKE;
	o->has_data = cfg->has_data;
	o->has_cos = cfg->cos != NULL;
	if (cfg->cos != NULL) {
		image = cw_order_cos_image(cfg->cos, &o->cos_len);
		o->cos_addr = cw_order_cos_base(cfg->cos);
		cw_sha256(o->cos_digest, image, o->cos_len);
	}
	o->profile_len = (uint32_t)cfg->profile_len;
	cw_sha256(o->profile_digest, cfg->profile_text, cfg->profile_len);
	o->remake_max = o->remake_max == 0 ? REMAKE_MAX : o->remake_max;
	o->blank_max = o->blank_max == 0 ? BLANK_MAX : o->blank_max;
	o->key_id = cw_seal_key_id(in->seal);
}

struct cw_intake *
cw_intake_new(const struct cw_intake_config *cfg, int *err)
{
	struct cw_order_config oc = { .fields = cfg->fields,
	    .field_cnt = cfg->field_cnt, .row = take_row,
	    .want_count = cfg->has_data ? cfg->want_count : 0 };
	struct cw_st_order same;
	struct cw_intake *in;

	*err = CW_EINVAL;
	if ((!cfg->has_data && (cfg->cos == NULL || cfg->want_count == 0)) ||
	    cfg->want_count > CW_ORDER_RECORDS_MAX)
		return NULL;
	*err = CW_ENOMEM;
	in = calloc(1, sizeof *in);
	if (in == NULL)
		return NULL;
	in->store = cfg->store;
	in->seal = cfg->seal;
	in->want_count = cfg->want_count;
	in->live = cfg->live;
	in->live_ctx = cfg->live_ctx;
	in->has_data = cfg->has_data;
	fill_order(in, cfg);
	oc.ctx = in;
	in->reader = cw_order_new(&oc);
	if (in->reader == NULL)
		goto fail;
	*err = start_digest(in);
	if (*err < 0)
		goto fail;

	/* A customer's id that is known: the same order again, or a conflict;
	 * which of the two only the digest of the whole can tell. */
	*err = cfg->order.ext[0] == '\0' ? CW_ENOENT :
	    in->store->ops->order_find_ext(in->store->h, cfg->order.ext, &same);
	in->again = *err == 0;
	if (*err == CW_ENOENT)
		*err = insert_order(in, cfg);
	if (*err == 0)
		return in;

fail:
	cw_intake_free(in);
	return NULL;
}

int
cw_intake_feed(struct cw_intake *in, const uint8_t *buf, size_t len)
{
	if (in->err < 0)
		return in->err;
	if (!in->has_data)
		return 0;
	if (EVP_DigestUpdate(in->md, buf, len) != 1)
		in->err = CW_EIO;
	else if (!in->again)
		in->err = cw_order_feed(in->reader, buf, len);
	return in->err;
}

/* Records without data: one per card. */
static int
add_blank_records(struct cw_intake *in)
{
	struct row *r;
	int err = 0;

	while (in->added < in->want_count && err == 0) {
		if (in->row_cnt == BATCH_ROWS)
			err = flush_rows(in);
		if (err < 0)
			break;
		r = &in->row[in->row_cnt++];
		memset(r, 0, sizeof *r);
		r->record = (uint32_t)++in->added;
	}
	return err;
}

/* The order with this ext that was accepted before: the same, or not? */
static int
settle_again(struct cw_intake *in, struct cw_intake_result *res)
{
	struct cw_st_order same;
	int err;

	err = in->store->ops->order_find_ext(in->store->h, in->order.ext, &same);
	if (err < 0)
		return err;
	if (memcmp(same.digest, in->order.digest, sizeof same.digest) != 0)
		return CW_EEXIST;
	res->order = same.id;
	res->records = same.total;
	res->again = true;
	return 0;
}

/* Makes the order visible. */
static int
accept_order(struct cw_intake *in, struct cw_intake_result *res)
{
	const struct cw_store_ops *ops = in->store->ops;
	void *h = in->store->h;
	int err;

	in->order.state = CW_ORD_READY;
	in->order.total = in->has_data ? cw_order_record_cnt(in->reader) :
	    in->want_count;
	err = ops->begin(h);
	if (err < 0)
		return err;
	err = ops->order_put(h, &in->order);
	if (err < 0)
		(void)ops->rollback(h);
	else
		err = ops->commit(h);

	/* Another intake with the same ext was faster. */
	if (err == CW_EEXIST)
		return settle_again(in, res);
	if (err < 0)
		return err;
	in->accepted = true;
	res->order = in->order.id;
	res->records = in->order.total;
	return 0;
}

int
cw_intake_end(struct cw_intake *in, struct cw_intake_result *res)
{
	memset(res, 0, sizeof *res);
	if (in->err < 0)
		return in->err;
	if (EVP_DigestFinal_ex(in->md, in->order.digest, NULL) != 1)
		in->err = CW_EIO;
	else if (in->again)
		in->err = settle_again(in, res);
	if (in->err < 0 || in->again)
		return in->err;

	if (in->has_data) {
		in->err = cw_order_end(in->reader);
		if (in->err == CW_EFORMAT)
			in->err = 0;
	} else {
		in->err = add_blank_records(in);
	}
	if (in->err == 0)
		in->err = flush_rows(in);
	cw_order_faults_sort(in->reader);
	if (in->err == 0 && cw_order_faults(in->reader)->total > 0)
		in->err = CW_EFORMAT;
	if (in->err == 0)
		in->err = accept_order(in, res);
	return in->err;
}

const struct cw_order_faults *
cw_intake_faults(const struct cw_intake *in)
{
	return cw_order_faults(in->reader);
}

uint64_t
cw_intake_record_cnt(const struct cw_intake *in)
{
	return in->has_data ? cw_order_record_cnt(in->reader) : in->added;
}

uint64_t
cw_intake_order(const struct cw_intake *in)
{
	return in->accepted ? 0 : in->order.id;
}

/* One step of deleting an order in INTAKE: 1 = more to do. */
static int
purge(struct cw_store *s, uint64_t id, uint32_t max)
{
	int err;

	err = s->ops->begin(s->h);
	if (err < 0)
		return err;
	err = s->ops->order_purge(s->h, id, max);
	if (err < 0) {
		(void)s->ops->rollback(s->h);
		return err;
	}
	return s->ops->commit(s->h) < 0 ? CW_EIO : err;
}

void
cw_intake_free(struct cw_intake *in)
{
	if (in == NULL)
		return;
	/* What one step leaves behind, the sweep finishes. */
	if (in->order.id != 0 && !in->accepted)
		(void)purge(in->store, in->order.id, PURGE_STEP);
	cw_order_free(in->reader);
	EVP_MD_CTX_free(in->md);
	free(in);
}

int
cw_intake_sweep(struct cw_store *s, const uint64_t *busy, size_t busy_cnt,
    uint32_t max)
{
	struct cw_st_page page = { .states = CW_ST_BIT(CW_ORD_INTAKE) };
	struct cw_st_order o;
	size_t i;
	int n, left;

	for (;;) {
		n = s->ops->order_list(s->h, &page, &o, 1);
		if (n <= 0)
			return n;
		page.after = o.id;
		for (i = 0; i < busy_cnt; i++)
			if (busy[i] == o.id)
				break;
		if (i < busy_cnt)
			continue;
		left = purge(s, o.id, max);
		return left < 0 ? left : 1;
	}
}
