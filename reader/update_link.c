/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

/*
 * Firmware for the reader itself, over the link.  While it comes no program is
 * taken: programming stops the loop for parts of a second.
 */
#define TX_CAP (CW_FRAME_HDR + CW_RLINK_BODY_MAX)

/* Is something under way that a standstill or a restart would spoil? */
static bool
in_use(const struct cw_reader *r)
{
	uint8_t i;

	for (i = 0; i < r->cfg.slot_cnt; i++) {
		const struct cw_reader_slot *s = &r->slot[i];

		if (s->job_cnt > 0 || s->powered ||
		    cw_reader_result_done_cnt(s) > 0)
			return true;
	}
	return false;
}

static void
ok_out(struct cw_reader *r, uint32_t id)
{
	const struct cw_update *u = r->cfg.update;
	struct cw_rl_update_ok ok;

	memset(&ok, 0, sizeof ok);
	ok.state = (uint8_t)u->state;
	ok.addr = u->cfg.map.slot_addr[u->slot];
	if (u->state == CW_UPDATE_READY)
		memcpy(ok.version, u->img.version, sizeof ok.version);
	cw_reader_reply_send(r, cw_rl_put_update_ok(r->cfg.tx_mem, TX_CAP, id,
	    &ok));
}

static void
update_failed(struct cw_reader *r, uint32_t id, int err, const char *why)
{
	r->updating = false;
	cw_reader_log(r, 1, "update.failed", NULL, cw_err_name(err));
	cw_reader_reply_error(r, id, err, why);
}

void
cw_reader_update_drop(struct cw_reader *r)
{
	if (r->updating)
		cw_update_drop(r->cfg.update);
	r->updating = false;
}

void
cw_reader_update_begin(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_update_begin m;
	int err = cw_rl_get_update_begin(&m, f->body, f->body_len);

	if (err < 0) {
		cw_reader_reply_error(r, f->id, err, "UPDATE_BEGIN is malformed");
		return;
	}
	if (r->cfg.update == NULL) {
		cw_reader_reply_error(r, f->id, CW_EUNSUPPORTED,
		    "this reader is not updated over the link");
		return;
	}
	if (in_use(r)) {
		cw_reader_reply_error(r, f->id, CW_EBUSY, "cards are being "
		    "written; let the line finish or pause it, then update");
		return;
	}
	err = cw_update_begin(r->cfg.update);
	if (err < 0) {
		cw_reader_reply_error(r, f->id, err, err == CW_EBUSY ?
		    "another update is under way" :
		    cw_update_why(r->cfg.update));
		return;
	}
	r->updating = true;
	r->update_len = m.len;
	r->update_off = 0;
	cw_reader_log(r, 2, "update.begin", NULL, NULL);
	ok_out(r, f->id);
}

/* Only the first fault is answered; what comes after it is passed over. */
void
cw_reader_update_data(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_store_data m;
	int err;

	if (!r->updating)
		return;
	err = cw_rl_get_update_data(&m, f->body, f->body_len);
	if (err == 0 && (m.off != r->update_off ||
	    m.len > r->update_len - r->update_off))
		err = CW_EPROTO;
	if (err < 0) {
		cw_update_drop(r->cfg.update);
		update_failed(r, f->id, err,
		    "UPDATE_DATA out of order or beyond the length announced");
		return;
	}
	r->update_off += m.len;
	err = cw_update_data(r->cfg.update, m.buf, m.len);
	if (err < 0)
		update_failed(r, f->id, err, cw_update_why(r->cfg.update));
}

void
cw_reader_update_end(struct cw_reader *r, const struct cw_frame *f)
{
	struct cw_rl_update_end m;
	int err = cw_rl_get_update_end(&m, f->body, f->body_len);

	if (err < 0 || !r->updating) {
		cw_reader_update_drop(r);
		cw_reader_reply_error(r, f->id, err < 0 ? err : CW_ESTATE,
		    "UPDATE_END is malformed, or no update is under way");
		return;
	}
	err = cw_update_end(r->cfg.update);
	if (err < 0) {
		update_failed(r, f->id, err, cw_update_why(r->cfg.update));
		return;
	}
	r->updating = false;
	cw_reader_log(r, 2, "update.ready", NULL, r->cfg.update->img.version);
	ok_out(r, f->id);
	if (m.restart && r->cfg.restart != NULL)
		r->cfg.restart(r->cfg.dev);
}
