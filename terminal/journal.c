/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "cw/sha256.h"

/*
 * A record (docs/spec/journal.md), big-endian:
 *	 0  4  magic "CWJ1"
 *	 4  4  payload length n
 *	 8  1  type
 *	 9  3  zero
 *	12  8  LSN
 *	20  8  highest LSN known durable when this record was written
 *	28  n  payload
 *	..  16 chain: SHA-256(chain of the record before, bytes 0..28+n), cut
 *	..  4  CRC-32 of all bytes before
 * The first record of a file is HEAD.
 */
#define REC_MAGIC 0x43574A31u
#define REC_HDR 28
#define CHAIN_LEN 16
#define TYPE_HEAD 200
#define TYPE_MAX 199
#define HEAD_VERSION 1
#define HEAD_LEN (2 + 8 + CHAIN_LEN)
#define GROW_DEFAULT (1024u * 1024u)
#define FLUSH_BYTES (256u * 1024u)
#define REWRITE_MIN (4u * 1024u * 1024u)

struct rec {
	uint8_t type;
	uint64_t lsn, durable;
	const uint8_t *payload;
	size_t payload_len, total;
	const uint8_t *chain;
};

static void
chain_next(uint8_t out[CHAIN_LEN], const uint8_t prev[CHAIN_LEN],
    const uint8_t *rec, size_t len)
{
	struct cw_sha256 s;
	uint8_t digest[CW_SHA256_LEN];

	cw_sha256_init(&s);
	cw_sha256_update(&s, prev, CHAIN_LEN);
	cw_sha256_update(&s, rec, len);
	cw_sha256_final(&s, digest);
	memcpy(out, digest, CHAIN_LEN);
}

/* Writes all of a record but what seal adds. Room must be there. */
static size_t
rec_put(uint8_t *out, uint8_t type, uint64_t lsn, const uint8_t *payload,
    size_t len)
{
	struct cw_wr w = cw_wr_init(out, REC_HDR);

	cw_wr_u32(&w, REC_MAGIC);
	cw_wr_u32(&w, (uint32_t)len);
	cw_wr_u8(&w, type);
	cw_wr_bytes(&w, (const uint8_t[3]){ 0 }, 3);
	cw_wr_u64(&w, lsn);
	cw_wr_u64(&w, 0);
	if (len > 0)
		memcpy(out + REC_HDR, payload, len);
	memset(out + REC_HDR + len, 0, CHAIN_LEN + 4);
	return len + CW_JOURNAL_OVERHEAD;
}

/*
 * Adds durable mark, chain and CRC.  Late, when the batch is about to be
 * written: only then is it known what is durable before it, and replay tells a
 * torn tail from damage by that mark.
 */
static void
rec_seal(uint8_t *rec, size_t total, uint64_t durable, uint8_t chain[CHAIN_LEN])
{
	size_t body = total - CHAIN_LEN - 4;
	struct cw_wr w = cw_wr_init(rec + 20, 8);

	cw_wr_u64(&w, durable);
	chain_next(chain, chain, rec, body);
	memcpy(rec + body, chain, CHAIN_LEN);
	w = cw_wr_init(rec + total - 4, 4);
	cw_wr_u32(&w, cw_crc32(0, rec, total - 4));
}

/* One record at buf: true if it stands there whole with a right CRC. */
static bool
rec_get(struct rec *r, const uint8_t *buf, size_t len)
{
	struct cw_rd rd = cw_rd_init(buf, len);
	uint32_t n;

	if (cw_rd_u32(&rd) != REC_MAGIC)
		return false;
	n = cw_rd_u32(&rd);
	if (n > CW_JOURNAL_PAYLOAD_MAX || len < n + (size_t)CW_JOURNAL_OVERHEAD)
		return false;
	r->type = cw_rd_u8(&rd);
	cw_rd_bytes(&rd, 3);
	r->lsn = cw_rd_u64(&rd);
	r->durable = cw_rd_u64(&rd);
	r->payload = cw_rd_bytes(&rd, n);
	r->payload_len = n;
	r->chain = cw_rd_bytes(&rd, CHAIN_LEN);
	r->total = n + (size_t)CW_JOURNAL_OVERHEAD;
	return cw_rd_u32(&rd) == cw_crc32(0, buf, r->total - 4) && !rd.bad;
}

static size_t
head_put(uint8_t out[HEAD_LEN + CW_JOURNAL_OVERHEAD], uint64_t lsn,
    uint64_t incarnation, const uint8_t prev[CHAIN_LEN])
{
	uint8_t body[HEAD_LEN];
	struct cw_wr w = cw_wr_init(body, sizeof body);

	cw_wr_u16(&w, HEAD_VERSION);
	cw_wr_u64(&w, incarnation);
	cw_wr_bytes(&w, prev, CHAIN_LEN);
	return rec_put(out, TYPE_HEAD, lsn, body, sizeof body);
}

static int
fail(struct cw_journal *j, int err)
{
	if (j->failed == 0)
		j->failed = err;
	return err;
}

static int
grow_buf(uint8_t **buf, size_t *cap, size_t need)
{
	size_t n = *cap > 0 ? *cap : 65536;
	uint8_t *p;

	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	p = realloc(*buf, n);
	if (p == NULL)
		return CW_ENOMEM;
	*buf = p;
	*cap = n;
	return 0;
}

/*
 * The record that should stand at off is not whole.  Damage if a record further
 * on was written when it had already been durable; else a tail that a crash
 * tore, which nobody was ever told to rely on.
 */
static bool
is_damage(const uint8_t *buf, size_t len, size_t off, uint64_t lsn)
{
	static const uint8_t magic[4] = { 0x43, 0x57, 0x4A, 0x31 };
	const uint8_t *p = buf + off, *end = buf + len;
	struct rec r;

	while (p < end &&
	    (p = memmem(p, (size_t)(end - p), magic, sizeof magic)) != NULL) {
		if (rec_get(&r, p, (size_t)(end - p)) && r.durable >= lsn)
			return true;
		p++;
	}
	return false;
}

static int
damage(struct cw_journal *j, size_t off, const char *what)
{
	snprintf(j->text, sizeof j->text,
	    "%s: offset %zu: %s; the journal is not to be trusted: keep the "
	    "file, count the bins, write its open leases off at the platform "
	    "and start with an empty directory", j->cfg.name, off, what);
	return CW_EDIGEST;
}

static int
head_get(struct cw_journal *j, const struct rec *r)
{
	struct cw_rd rd = cw_rd_init(r->payload, r->payload_len);
	uint16_t version = cw_rd_u16(&rd);

	if (version != HEAD_VERSION) {
		snprintf(j->text, sizeof j->text,
		    "%s: version %u is not known (this program writes %u)",
		    j->cfg.name, version, HEAD_VERSION);
		return CW_EVERSION;
	}
	j->incarnation = cw_rd_u64(&rd);
	cw_rd_copy(&rd, j->chain, CHAIN_LEN);
	j->next_lsn = r->lsn;
	if (cw_rd_done(&rd) < 0)
		return damage(j, 0, "the first record is malformed");
	return 0;
}

/* One whole record found at off: in sequence and chained? Then replayed. */
static int
replay_rec(struct cw_journal *j, const uint8_t *at, const struct rec *r,
    size_t off)
{
	uint8_t chain[CHAIN_LEN];
	int err;

	if (off == 0) {
		if (r->type != TYPE_HEAD)
			return damage(j, off, "does not begin with a head");
		err = head_get(j, r);
		if (err < 0)
			return err;
	}
	chain_next(chain, j->chain, at, r->total - CHAIN_LEN - 4);
	if (r->lsn != j->next_lsn || memcmp(chain, r->chain, CHAIN_LEN) != 0)
		return damage(j, off, "the hash chain is broken");
	memcpy(j->chain, chain, CHAIN_LEN);
	j->next_lsn++;
	if (off == 0)
		return 0;
	err = j->cfg.replay(j->cfg.replay_ctx, r->type, r->payload,
	    r->payload_len);
	if (err < 0 && j->text[0] == '\0')
		snprintf(j->text, sizeof j->text,
		    "%s: offset %zu: record of type %u: %s", j->cfg.name, off,
		    r->type, cw_err_text(err));
	return err < 0 ? err : 0;
}

/* Replays buf; the length of its whole part, or CW_E*. */
static int64_t
replay_all(struct cw_journal *j, const uint8_t *buf, size_t len)
{
	size_t off = 0;
	struct rec r;
	int err;

	while (off < len && rec_get(&r, buf + off, len - off)) {
		err = replay_rec(j, buf + off, &r, off);
		if (err < 0)
			return err;
		off += r.total;
	}
	if (off == 0)
		return damage(j, 0, "no journal head");
	if (is_damage(buf, len, off, j->next_lsn))
		return damage(j, off, "a record is damaged that was whole once");
	return (int64_t)off;
}

static int
read_all(struct cw_journal *j, uint8_t **out, size_t size)
{
	uint8_t *buf = malloc(size);
	int64_t n;

	*out = NULL;
	if (buf == NULL)
		return CW_ENOMEM;
	n = j->cfg.ops->read(j->cfg.ctx, CW_JFILE_LIVE, 0, buf, size);
	if (n < 0 || (uint64_t)n != size) {
		free(buf);
		return CW_EIO;
	}
	*out = buf;
	return 0;
}

/* Replays the live file and cuts its torn tail. */
static int
open_live(struct cw_journal *j, size_t size)
{
	const struct cw_journal_ops *ops = j->cfg.ops;
	uint8_t *buf;
	int64_t len;
	int err = read_all(j, &buf, size);

	if (err < 0)
		return err;
	len = replay_all(j, buf, size);
	if (len < 0) {
		free(buf);
		return (int)len;
	}
	j->size = j->live_size = (uint64_t)len;
	j->allocated = size;

	/* Zeros behind the end are space made sure; anything else is torn. */
	for (size_t i = (size_t)len; i < size; i++)
		if (buf[i] != 0)
			j->cut = size - (uint64_t)len;
	free(buf);
	if (j->cut > 0) {
		err = ops->truncate(j->cfg.ctx, CW_JFILE_LIVE, j->size);
		j->allocated = j->size;
	}

	/* A killed process may have left records in the page cache only. */
	if (err == 0)
		err = ops->sync(j->cfg.ctx, CW_JFILE_LIVE);
	j->durable_lsn = j->next_lsn - 1;
	return err;
}

int
cw_journal_open(struct cw_journal *j, const struct cw_journal_config *cfg)
{
	int64_t size;
	int err;

	memset(j, 0, sizeof *j);
	j->cfg = *cfg;
	j->next_lsn = 1;
	if (j->cfg.grow == 0)
		j->cfg.grow = GROW_DEFAULT;
	err = cfg->ops->truncate(cfg->ctx, CW_JFILE_NEW, 0);
	size = cfg->ops->size(cfg->ctx, CW_JFILE_LIVE);
	if (err < 0 || size < 0) {
		err = err < 0 ? err : (int)size;
	} else if (size > (int64_t)CW_JOURNAL_FILE_MAX) {
		err = CW_ETOOBIG;
	} else if (size > 0) {
		err = open_live(j, (size_t)size);
	} else {
		/* A new journal is a rewriting of nothing: it appears whole. */
		j->incarnation = cfg->incarnation;
		err = cw_journal_rewrite_begin(j);
		if (err == 0) {
			int64_t lsn = cw_journal_rewrite_end(j);

			err = lsn < 0 ? (int)lsn : 0;
		}
	}
	if (err < 0) {
		if (j->text[0] == '\0')
			snprintf(j->text, sizeof j->text, "%s: cannot open: %s",
			    cfg->name, cw_err_text(err));
		return fail(j, err);
	}
	return 0;
}

void
cw_journal_close(struct cw_journal *j)
{
	free(j->pend);
	free(j->busy);
	j->pend = j->busy = NULL;
	j->pend_len = j->pend_cap = j->busy_len = j->busy_cap = 0;
	fail(j, CW_ECLOSED);
}

uint64_t
cw_journal_room(const struct cw_journal *j)
{
	uint64_t used = j->size + j->pend_len;

	return used < j->allocated ? j->allocated - used : 0;
}

static int
make_room(struct cw_journal *j, uint64_t bytes)
{
	uint64_t want;
	int err;

	if (cw_journal_room(j) >= bytes)
		return 0;
	want = j->size + j->pend_len + bytes;
	want = (want + j->cfg.grow - 1) / j->cfg.grow * j->cfg.grow;
	if (want > CW_JOURNAL_FILE_MAX)
		return CW_ENOSPC;
	err = j->cfg.ops->allocate(j->cfg.ctx, CW_JFILE_LIVE, want);
	if (err == CW_ENOSPC)
		return err;
	if (err < 0)
		return fail(j, CW_EIO);
	j->allocated = want;
	return 0;
}

int64_t
cw_journal_append(struct cw_journal *j, uint8_t type, const uint8_t *payload,
    size_t len)
{
	int err;

	if (j->failed < 0)
		return CW_EIO;
	if (type == 0 || type > TYPE_MAX)
		return CW_EINVAL;
	if (len > CW_JOURNAL_PAYLOAD_MAX)
		return CW_ETOOBIG;
	err = make_room(j, len + CW_JOURNAL_OVERHEAD);
	if (err < 0)
		return err;
	err = grow_buf(&j->pend, &j->pend_cap,
	    j->pend_len + len + CW_JOURNAL_OVERHEAD);
	if (err < 0)
		return err;
	j->pend_len += rec_put(j->pend + j->pend_len, type, j->next_lsn,
	    payload, len);
	return (int64_t)j->next_lsn++;
}

int
cw_journal_reserve(struct cw_journal *j, uint64_t bytes)
{
	int err;

	if (j->failed < 0)
		return CW_EIO;
	err = make_room(j, bytes);
	if (err == 0)
		j->promised = bytes;
	return err;
}

bool
cw_journal_take(struct cw_journal *j, struct cw_journal_batch *b)
{
	uint8_t *buf = j->pend;
	size_t cap = j->pend_cap;
	struct cw_rd r;

	if (j->failed < 0 || j->taken || j->rewriting || j->pend_len == 0)
		return false;
	for (size_t off = 0; off < j->pend_len;) {
		size_t total;

		r = cw_rd_init(buf + off + 4, 4);
		total = cw_rd_u32(&r) + (size_t)CW_JOURNAL_OVERHEAD;
		rec_seal(buf + off, total, j->durable_lsn, j->chain);
		off += total;
	}
	j->pend = j->busy;
	j->pend_cap = j->busy_cap;
	j->busy = buf;
	j->busy_cap = cap;
	j->busy_len = j->pend_len;
	j->pend_len = 0;
	j->busy_lsn = j->next_lsn - 1;
	j->taken = true;
	b->buf = buf;
	b->len = j->busy_len;
	b->off = j->size;
	j->size += j->busy_len;
	return true;
}

int64_t
cw_journal_done(struct cw_journal *j, int err)
{
	j->taken = false;
	j->busy_len = 0;
	if (err < 0)
		return fail(j, CW_EIO);
	j->durable_lsn = j->busy_lsn;
	return (int64_t)j->durable_lsn;
}

int64_t
cw_journal_commit(struct cw_journal *j)
{
	const struct cw_journal_ops *ops = j->cfg.ops;
	struct cw_journal_batch b;
	int err;

	if (j->failed < 0)
		return CW_EIO;
	if (!cw_journal_take(j, &b))
		return (int64_t)j->durable_lsn;
	err = ops->write(j->cfg.ctx, CW_JFILE_LIVE, b.off, b.buf, b.len);
	if (err == 0)
		err = ops->sync(j->cfg.ctx, CW_JFILE_LIVE);
	return cw_journal_done(j, err);
}

bool
cw_journal_rewrite_due(const struct cw_journal *j)
{
	return j->failed == 0 && !j->taken && j->size > REWRITE_MIN &&
	    j->size > 4 * j->live_size;
}

int
cw_journal_rewrite_begin(struct cw_journal *j)
{
	uint8_t head[HEAD_LEN + CW_JOURNAL_OVERHEAD];
	size_t len;
	int err;

	if (j->failed < 0)
		return CW_EIO;
	if (j->taken || j->rewriting)
		return CW_EBUSY;
	err = j->cfg.ops->truncate(j->cfg.ctx, CW_JFILE_NEW, 0);
	if (err < 0)
		return err;
	err = grow_buf(&j->busy, &j->busy_cap, FLUSH_BYTES);
	if (err < 0)
		return err;
	j->rewriting = true;
	j->busy_len = 0;
	j->new_off = 0;
	j->new_lsn = j->next_lsn;
	memcpy(j->new_chain, j->chain, CHAIN_LEN);
	len = head_put(head, j->new_lsn, j->incarnation, j->new_chain);
	rec_seal(head, len, j->next_lsn - 1, j->new_chain);
	memcpy(j->busy, head, len);
	j->busy_len = j->new_size = len;
	j->new_lsn++;
	return 0;
}

static int
rewrite_flush(struct cw_journal *j)
{
	int err = j->cfg.ops->write(j->cfg.ctx, CW_JFILE_NEW, j->new_off,
	    j->busy, j->busy_len);

	j->new_off += j->busy_len;
	j->busy_len = 0;
	return err;
}

int
cw_journal_rewrite_add(struct cw_journal *j, uint8_t type,
    const uint8_t *payload, size_t len)
{
	size_t total = len + CW_JOURNAL_OVERHEAD;
	int err;

	if (!j->rewriting || type == 0 || type > TYPE_MAX)
		return CW_EINVAL;
	if (len > CW_JOURNAL_PAYLOAD_MAX ||
	    j->new_size + total > CW_JOURNAL_FILE_MAX)
		return CW_ETOOBIG;
	if (j->busy_len + total > FLUSH_BYTES) {
		err = rewrite_flush(j);
		if (err < 0)
			return err;
	}
	rec_put(j->busy + j->busy_len, type, j->new_lsn, payload, len);
	rec_seal(j->busy + j->busy_len, total, j->next_lsn - 1, j->new_chain);
	j->busy_len += total;
	j->new_size += total;
	j->new_lsn++;
	return 0;
}

int64_t
cw_journal_rewrite_end(struct cw_journal *j)
{
	const struct cw_journal_ops *ops = j->cfg.ops;
	uint64_t want;
	int err;

	if (!j->rewriting)
		return CW_ESTATE;

	/* Space promised to cards under way stays promised. */
	want = j->new_size + j->promised;
	want = (want / j->cfg.grow + 1) * j->cfg.grow;
	err = ops->allocate(j->cfg.ctx, CW_JFILE_NEW, want);
	if (err == 0)
		err = rewrite_flush(j);
	if (err == 0)
		err = ops->sync(j->cfg.ctx, CW_JFILE_NEW);
	if (err < 0) {
		cw_journal_rewrite_cancel(j);
		return err;
	}
	err = ops->replace(j->cfg.ctx);
	j->rewriting = false;
	j->busy_len = 0;
	if (err < 0)
		return fail(j, CW_EIO);

	/* What waited is part of the state that was just written. */
	j->pend_len = 0;
	j->size = j->live_size = j->new_size;
	j->allocated = want;
	j->next_lsn = j->new_lsn;
	j->durable_lsn = j->next_lsn - 1;
	memcpy(j->chain, j->new_chain, CHAIN_LEN);
	return (int64_t)j->durable_lsn;
}

void
cw_journal_rewrite_cancel(struct cw_journal *j)
{
	j->rewriting = false;
	j->busy_len = 0;
	j->cfg.ops->truncate(j->cfg.ctx, CW_JFILE_NEW, 0);
}
