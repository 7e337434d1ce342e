/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

/*
 * The image store.  One image, void from STORE_BEGIN until STORE_END has found
 * every byte and the announced digest.  The digest is computed as the data
 * arrives, so that a board with slow bulk memory is not read back.
 */
static void
store_break(struct cw_reader *r, int err)
{
	r->store.state = CW_STORE_BROKEN;
	r->store.err = err;
}

/* A refused BEGIN leaves the present image as it is. */
void
cw_reader_store_begin(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_reader_store *st = &r->store;
	struct cw_rl_store_begin m;
	char buf[128];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);
	int err;

	err = cw_rl_get_store_begin(&m, f->body, f->body_len);
	if (err < 0) {
		store_break(r, err);
		cw_reader_reply_error(r, f->id, err, "STORE_BEGIN is malformed");
		return;
	}
	if (m.len == 0 || m.len > r->cfg.store_cap) {
		store_break(r, CW_ETOOBIG);
		cw_reader_text_str(&t, "image of ");
		cw_reader_text_dec(&t, m.len);
		cw_reader_text_str(&t, " bytes; this reader's store holds 1..");
		cw_reader_text_dec(&t, r->cfg.store_cap);
		cw_reader_reply_error(r, f->id, CW_ETOOBIG, buf);
		return;
	}
	if (cw_reader_engine_loads(r)) {
		store_break(r, CW_EBUSY);
		cw_reader_reply_error(r, f->id, CW_EBUSY,
		    "a slot is loading from the store or has a LOAD queued; "
		    "wait for its RESULT or ABORT it");
		return;
	}

	st->valid = false;
	st->state = CW_STORE_OPEN;
	st->err = 0;
	st->len = m.len;
	st->off = 0;
	memcpy(st->digest, m.digest, sizeof st->digest);
	cw_sha256_init(&st->sha);
}

/* Not answered: the first fault is told by STORE_END. */
void
cw_reader_store_data(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_reader_store *st = &r->store;
	struct cw_rl_store_data m;
	int err;

	if (st->state != CW_STORE_OPEN)
		return;
	err = cw_rl_get_store_data(&m, f->body, f->body_len);
	if (err == 0 && m.off != st->off)
		err = CW_EPROTO;
	if (err == 0 && m.len > st->len - st->off)
		err = CW_ETOOBIG;
	if (err == 0)
		err = r->cfg.store->write(r->cfg.dev, m.off, m.buf, m.len);
	if (err < 0) {
		store_break(r, err);
		return;
	}
	cw_sha256_update(&st->sha, m.buf, m.len);
	st->off += m.len;
}

void
cw_reader_store_end(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_reader_store *st = &r->store;
	struct cw_rl_store_ok ok;
	uint8_t digest[CW_SHA256_LEN];
	int err = st->err;

	if (st->state == CW_STORE_REST)
		err = CW_ESTATE;
	if (st->state == CW_STORE_OPEN) {
		cw_sha256_final(&st->sha, digest);
		if (st->off < st->len)
			err = CW_ESHORT;
		else if (memcmp(digest, st->digest, sizeof digest) != 0)
			err = CW_EDIGEST;
	}
	st->state = CW_STORE_REST;
	st->err = 0;
	if (err < 0) {
		cw_reader_log(r, 1, "store.failed", NULL, cw_err_name(err));
		cw_reader_reply_error(r, f->id, err,
		    err == CW_ESTATE ?
		    "STORE_END without STORE_BEGIN; send the image from its start" :
		    "the image did not arrive whole; send it again from STORE_BEGIN");
		return;
	}

	st->valid = true;
	st->gen++;
	ok.gen = st->gen;
	ok.len = st->len;
	memcpy(ok.digest, st->digest, sizeof ok.digest);
	cw_reader_log(r, 2, "store.ok", NULL, NULL);
	cw_reader_reply_send(r, cw_rl_put_store_ok(r->cfg.tx_mem,
	    CW_FRAME_HDR + CW_RLINK_BODY_MAX, f->id, &ok));
}

void
cw_reader_store_drop(struct cw_reader *r)
{
	r->store.state = CW_STORE_REST;
	r->store.err = 0;
}

bool
cw_reader_store_holds(const struct cw_reader *r,
    const uint8_t digest[CW_SHA256_LEN], uint32_t off, uint32_t len)
{
	const struct cw_reader_store *st = &r->store;

	return st->valid && off <= st->len && len <= st->len - off &&
	    memcmp(digest, st->digest, CW_SHA256_LEN) == 0;
}
