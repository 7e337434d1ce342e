/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/err.h"
#include "update.h"

static const char *const state_name[] = {
#define X(name, text) #name,
	CW_UPDATE_STATE_MAP(X)
#undef X
};
static const char *const state_text[] = {
#define X(name, text) text,
	CW_UPDATE_STATE_MAP(X)
#undef X
};
#define STATE_CNT (sizeof state_name / sizeof state_name[0])

const char *
cw_update_state_name(enum cw_update_state s)
{
	return (size_t)s < STATE_CNT ? state_name[s] : "?";
}

const char *
cw_update_state_text(enum cw_update_state s)
{
	return (size_t)s < STATE_CNT ? state_text[s] : "?";
}

void
cw_update_init(struct cw_update *u, const struct cw_update_config *cfg)
{
	CW_ASSERT(cfg->running >= -1 && cfg->running <= 1);
	memset(u, 0, sizeof *u);
	u->cfg = *cfg;
	u->why = "";
	u->slot = cfg->running == 0 ? 1 : 0;
	cw_ulog_init(&u->log, cfg->flash, cfg->dev, &cfg->map);
	cw_ulog_read(&u->log);
}

const char *
cw_update_why(const struct cw_update *u)
{
	return u->why;
}

static int
failed(struct cw_update *u, int err, const char *why)
{
	u->state = CW_UPDATE_FAILED;
	u->why = why;
	return err;
}

bool
cw_update_active(const struct cw_update *u)
{
	return u->state == CW_UPDATE_HEADER || u->state == CW_UPDATE_SKIP ||
	    u->state == CW_UPDATE_BODY || u->state == CW_UPDATE_WHOLE;
}

bool
cw_update_on_trial(const struct cw_update *u)
{
	return u->cfg.running >= 0 &&
	    u->log.state.pending == u->cfg.running;
}

int
cw_update_begin(struct cw_update *u)
{
	const struct cw_ulog_state *s = &u->log.state;

	if (cw_update_active(u))
		return CW_EBUSY;
	cw_ulog_read(&u->log);
	if (cw_update_on_trial(u))
		return failed(u, CW_ESTATE, "the running program is on trial "
		    "itself; let it serve, or restart until it is given up");
	/* What was committed and never started is being replaced. */
	if (s->pending >= 0 && u->cfg.running >= 0 &&
	    cw_ulog_append(&u->log, CW_ULOG_CONFIRM, u->cfg.running) < 0)
		return failed(u, CW_EIO, "the program memory takes no step; "
		    "the board needs repair");
	u->state = CW_UPDATE_HEADER;
	u->why = "";
	u->off = 0;
	u->erased = 0;
	u->skip_left = 0;
	u->skipped = false;
	return 0;
}

void
cw_update_drop(struct cw_update *u)
{
	if (u->state == CW_UPDATE_READY)
		return;
	u->state = CW_UPDATE_IDLE;
	u->why = "";
}

int
cw_update_peek(const struct cw_update *u, int slot, struct cw_fwimg *h)
{
	const uint8_t *p = u->cfg.flash->lend(u->cfg.dev,
	    u->cfg.map.slot_off[slot], CW_FWIMG_HDR);

	return p != NULL ? cw_fwimg_parse(h, p, CW_FWIMG_HDR) : CW_EIO;
}

/* The lowest security counter that may come in: never below what runs. */
static uint32_t
counter_floor(const struct cw_update *u)
{
	struct cw_fwimg h;

	if (u->cfg.running >= 0 && cw_update_peek(u, u->cfg.running, &h) == 0 &&
	    h.counter > u->log.counter)
		return h.counter;
	return u->log.counter;
}

/* The header is whole.  Signature first: of what is not signed no field counts. */
static int
header_take(struct cw_update *u)
{
	const struct cw_flash_map *map = &u->cfg.map;
	struct cw_fwimg *h = &u->img;
	int err;

	err = cw_fwimg_parse(h, u->hdr, sizeof u->hdr);
	if (err == CW_EVERSION)
		return failed(u, err, "the image was made by a newer tool; "
		    "update the reader to a release in between first");
	if (err < 0)
		return failed(u, err, "this is no firmware image; send the "
		    ".cwfw file as cardwright-sign made it");
	if (cw_fwimg_verify(u->hdr, &u->cfg.check) < 0)
		return failed(u, CW_EDENIED, "the signature is not by this "
		    "reader's key; send an image signed for this reader");
	if (!cw_fwimg_is_for(h, u->cfg.board))
		return failed(u, CW_EUNSUPPORTED, "the image is for another "
		    "board; send the one for this board");
	if (h->addr == map->slot_addr[1 - u->slot] && h->body_len <=
	    map->slot_len - CW_FWIMG_HDR) {
		u->state = CW_UPDATE_SKIP;
		u->skip_left = h->body_len;
		u->skipped = true;
		return 0;
	}
	if (h->addr != map->slot_addr[u->slot])
		return failed(u, CW_EUNSUPPORTED, "the image is linked for an "
		    "address that is no slot of this reader");
	if (h->body_len > map->slot_len - CW_FWIMG_HDR)
		return failed(u, CW_ETOOBIG, "the image is larger than a slot");
	if (h->counter < counter_floor(u))
		return failed(u, CW_EFENCED, "the image's security counter is "
		    "below what this reader has reached; send a later release");
	u->state = CW_UPDATE_BODY;
	return 0;
}

static void
feed(struct cw_update *u)
{
	if (u->cfg.feed != NULL)
		u->cfg.feed(u->cfg.dev);
}

/* Programs at off of the slot, erasing each page as it is reached. */
static int
slot_put(struct cw_update *u, uint32_t off, const uint8_t *buf, size_t len)
{
	const struct cw_flash_map *map = &u->cfg.map;
	uint32_t at = map->slot_off[u->slot];

	while (u->erased < off + len) {
		if (u->cfg.flash->erase(u->cfg.dev, at + u->erased) < 0)
			return CW_EIO;
		u->erased += map->page_len;
		feed(u);
	}
	return u->cfg.flash->program(u->cfg.dev, at + off, buf, len);
}

/* Bytes of the program, in half-words whatever the pieces; returns bytes used. */
static size_t
body_put(struct cw_update *u, const uint8_t *buf, size_t len, int *err)
{
	uint32_t left = CW_FWIMG_HDR + u->img.body_len - u->off;
	size_t page = u->cfg.map.page_len - u->off % u->cfg.map.page_len;
	size_t n = len < left ? len : left;
	uint8_t pair[2];

	if (n > page)
		n = page;
	if (u->off % 2 != 0) {
		pair[0] = u->odd;
		pair[1] = buf[0];
		*err = slot_put(u, u->off - 1, pair, 2);
		n = 1;
	} else if (n == 1) {
		u->odd = buf[0];
	} else {
		n -= n % 2;
		*err = slot_put(u, u->off, buf, n);
	}
	u->off += (uint32_t)n;
	return n;
}

/* The program is in the slot: reads it back, then lets its header follow. */
static int
body_end(struct cw_update *u)
{
	uint32_t at = u->cfg.map.slot_off[u->slot];
	const uint8_t *p;

	feed(u);
	p = u->cfg.flash->lend(u->cfg.dev, at + CW_FWIMG_HDR, u->img.body_len);
	if (p == NULL)
		return failed(u, CW_EIO, "the slot cannot be read back");
	if (cw_fwimg_verify_body(&u->img, p, u->img.body_len) < 0)
		return failed(u, CW_EDIGEST, "what stands in the slot is not "
		    "what was signed; send the file again");
	feed(u);
	if (slot_put(u, 0, u->hdr, sizeof u->hdr) < 0)
		return failed(u, CW_EIO, "the slot does not take the header; "
		    "the board needs repair");
	p = u->cfg.flash->lend(u->cfg.dev, at, sizeof u->hdr);
	if (p == NULL || memcmp(p, u->hdr, sizeof u->hdr) != 0)
		return failed(u, CW_EIO, "the slot does not hold the header; "
		    "the board needs repair");
	u->state = CW_UPDATE_WHOLE;
	return 0;
}

/* Some of buf; *err tells what is wrong. */
static size_t
some_take(struct cw_update *u, const uint8_t *buf, size_t len, int *err)
{
	size_t n = len;

	switch (u->state) {
	case CW_UPDATE_HEADER:
		/* Behind an image there may be filler. */
		if (u->skipped && u->off == 0 && buf[0] != 'C') {
			u->state = CW_UPDATE_SKIP;
			u->skip_left = UINT32_MAX;
			return len;
		}
		if (n > CW_FWIMG_HDR - u->off)
			n = CW_FWIMG_HDR - u->off;
		memcpy(u->hdr + u->off, buf, n);
		u->off += (uint32_t)n;
		if (u->off == CW_FWIMG_HDR)
			*err = header_take(u);
		return n;
	case CW_UPDATE_SKIP:
		if (u->skip_left == UINT32_MAX)
			return len;
		if (n > u->skip_left)
			n = u->skip_left;
		u->skip_left -= (uint32_t)n;
		if (u->skip_left == 0) {
			u->state = CW_UPDATE_HEADER;
			u->off = 0;
		}
		return n;
	case CW_UPDATE_BODY:
		n = body_put(u, buf, len, err);
		if (*err < 0)
			failed(u, CW_EIO, "the program memory does not take "
			    "the image; the board needs repair");
		else if (u->off == CW_FWIMG_HDR + u->img.body_len)
			*err = body_end(u);
		return n;
	case CW_UPDATE_WHOLE:
		return len;
	case CW_UPDATE_IDLE:
	case CW_UPDATE_READY:
	case CW_UPDATE_FAILED:
		break;
	}
	*err = CW_ESTATE;
	return len;
}

int
cw_update_data(struct cw_update *u, const uint8_t *buf, size_t len)
{
	size_t n;
	int err = 0;

	while (len > 0 && err == 0) {
		n = some_take(u, buf, len, &err);
		buf += n;
		len -= n;
	}
	return err;
}

int
cw_update_end(struct cw_update *u)
{
	switch (u->state) {
	case CW_UPDATE_WHOLE:
		break;
	case CW_UPDATE_HEADER:
	case CW_UPDATE_SKIP:
		if (u->skipped && (u->off == 0 || u->skip_left == UINT32_MAX))
			return failed(u, CW_ENOENT, "the file holds no image "
			    "for the idle slot; send the file with both");
		return failed(u, CW_ESHORT, "the file ends within an image");
	case CW_UPDATE_BODY:
		return failed(u, CW_ESHORT, "the file ends within an image");
	case CW_UPDATE_IDLE:
	case CW_UPDATE_READY:
	case CW_UPDATE_FAILED:
		return CW_ESTATE;
	}
	if (cw_ulog_append(&u->log, CW_ULOG_COMMIT, u->slot) < 0)
		return failed(u, CW_EIO, "the program memory takes no step; "
		    "the board needs repair");
	u->state = CW_UPDATE_READY;
	return 0;
}

int
cw_update_confirm(struct cw_update *u)
{
	struct cw_fwimg h;
	int err;

	if (u->cfg.running < 0)
		return 0;
	if (cw_update_on_trial(u) ||
	    u->log.state.confirmed != u->cfg.running) {
		/* A program committed meanwhile stays committed. */
		if (u->log.state.pending >= 0 && !cw_update_on_trial(u))
			return 0;
		err = cw_ulog_append(&u->log, CW_ULOG_CONFIRM, u->cfg.running);
		if (err < 0)
			return err;
	}
	err = cw_update_peek(u, u->cfg.running, &h);
	if (err < 0 || h.counter <= u->log.counter)
		return err < 0 ? CW_EIO : 0;
	return cw_ulog_raise(&u->log, h.counter);
}
