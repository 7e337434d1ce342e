/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "choose.h"
#include "cw/err.h"

void
cw_boot_init(struct cw_boot *b, const struct cw_flash_ops *flash, void *dev,
    const struct cw_boot_config *cfg)
{
	memset(b, 0, sizeof *b);
	b->cfg = *cfg;
	cw_ulog_init(&b->log, flash, dev, &cfg->map);
}

static int
slot_verify(struct cw_boot *b, int slot)
{
	const struct cw_flash_map *map = &b->cfg.map;
	const struct cw_flash_ops *flash = b->log.ops;
	struct cw_fwimg *h = &b->img[slot];
	const uint8_t *p;
	int err;

	p = flash->lend(b->log.dev, map->slot_off[slot], map->slot_len);
	if (p == NULL)
		return CW_EIO;
	err = cw_fwimg_parse(h, p, CW_FWIMG_HDR);
	if (err < 0)
		return err;
	if (h->addr != map->slot_addr[slot] || !cw_fwimg_is_for(h, b->cfg.board))
		return CW_EUNSUPPORTED;
	if (h->body_len > map->slot_len - CW_FWIMG_HDR)
		return CW_ETOOBIG;
	if (h->counter < b->log.counter)
		return CW_EFENCED;
	err = cw_fwimg_verify(p, &b->cfg.check);
	if (err < 0)
		return err;
	if (b->cfg.feed != NULL)
		b->cfg.feed(b->log.dev);
	return cw_fwimg_verify_body(h, p + CW_FWIMG_HDR,
	    map->slot_len - CW_FWIMG_HDR);
}

static bool
good(struct cw_boot *b, int slot)
{
	if (slot < 0)
		return false;
	if (b->known[slot] == 0) {
		b->err[slot] = slot_verify(b, slot);
		b->known[slot] = b->err[slot] < 0 ? -1 : 1;
	}
	return b->known[slot] > 0;
}

/* Neither is known to have served: the later one, else the first. */
static int
any(struct cw_boot *b)
{
	bool a = good(b, 0), z = good(b, 1);

	if (a && z)
		return b->img[1].counter > b->img[0].counter ? 1 : 0;
	return a ? 0 : z ? 1 : -1;
}

int
cw_boot_choose(struct cw_boot *b)
{
	const struct cw_ulog_state *s = &b->log.state;
	int slot;

	cw_ulog_read(&b->log);
	slot = s->pending;
	/* A trial that cannot be counted is not begun: it might never end. */
	if (slot >= 0 && s->tries < b->cfg.tries && good(b, slot) &&
	    cw_ulog_append(&b->log, CW_ULOG_TRY, slot) == 0) {
		b->trial = true;
		return slot;
	}
	slot = s->confirmed;
	if (good(b, slot)) {
		/* What it confirmed with power failing may not be finished. */
		if (s->pending < 0)
			(void)cw_ulog_raise(&b->log, b->img[slot].counter);
		else
			(void)cw_ulog_append(&b->log, CW_ULOG_CONFIRM, slot);
		return slot;
	}
	slot = any(b);
	if (slot >= 0)
		(void)cw_ulog_append(&b->log, CW_ULOG_CONFIRM, slot);
	return slot;
}
