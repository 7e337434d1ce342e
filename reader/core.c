/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "reader_private.h"

/* HELLO_OK carries it as text. */
static bool
firmware_good(const char name[32])
{
	size_t i;

	for (i = 0; i < 32 && name[i] != '\0'; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return false;
	return i < 32;
}

static bool
config_good(const struct cw_reader_config *c)
{
	return (c->card != NULL) != (c->apdu != NULL) && c->net != NULL && c->store != NULL &&
	    c->sys != NULL && c->slot_cnt >= 1 &&
	    c->slot_cnt <= CW_RLINK_SLOTS_MAX &&
	    c->clk_hz >= 1000000 && c->clk_hz <= 5000000 &&
	    (c->vcc_mv == 5000 || c->vcc_mv == 3000 || c->vcc_mv == 1800) &&
	    c->queue_mem != NULL && c->rx_mem != NULL && c->tx_mem != NULL &&
	    c->queue_mem_len >= (size_t)c->slot_cnt * CW_RLINK_QUEUE *
	    CW_PROG_MAX && firmware_good(c->firmware) &&
	    (c->kept_mem == NULL || c->kept_mem_len >=
	    (size_t)c->slot_cnt * CW_READER_KEPT_BYTES);
}

int
cw_reader_init(struct cw_reader *r, const struct cw_reader_config *cfg,
    uint64_t now_us)
{
	uint8_t i;

	if (!config_good(cfg))
		return CW_EINVAL;
	memset(r, 0, offsetof(struct cw_reader, slot));
	r->cfg = *cfg;
	if (r->cfg.link_dead_ms == 0)
		r->cfg.link_dead_ms = 15000;
	if (r->cfg.orphan_ms == 0)
		r->cfg.orphan_ms = 60000;
	r->now_us = now_us;
	r->orphan_us = UINT64_MAX;
	for (i = 0; i < cfg->slot_cnt; i++)
		cw_reader_slot_init(r, i);
	return 0;
}

size_t
cw_reader_size(void)
{
	return sizeof(struct cw_reader);
}

void
cw_reader_log(struct cw_reader *r, int level, const char *event,
    const struct cw_reader_slot *s, const char *more)
{
	char buf[CW_READER_LOG_MAX];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);

	cw_reader_text_str(&t, event);
	if (s != NULL) {
		cw_reader_text_str(&t, " slot=");
		cw_reader_text_dec(&t, s->idx);
	}
	if (more != NULL) {
		cw_reader_text_str(&t, " what=\"");
		cw_reader_text_str(&t, more);
		cw_reader_text_str(&t, "\"");
	}
	r->cfg.sys->log(r->cfg.dev, level, buf);
}

static void
event_take(struct cw_reader *r, const struct cw_event *ev)
{
	switch (ev->kind) {
	case CW_EV_TICK:
		break;
	case CW_EV_NET_OPEN:
		cw_reader_session_open(r, ev->conn);
		break;
	case CW_EV_NET_DATA:
		cw_reader_session_data(r, ev->conn, ev->buf, ev->len);
		break;
	case CW_EV_NET_ROOM:
		cw_reader_session_room(r, ev->conn);
		break;
	case CW_EV_NET_CLOSED:
		cw_reader_session_closed(r, ev->conn);
		break;
	case CW_EV_POWERED:
	case CW_EV_APDU:
	case CW_EV_SENT:
	case CW_EV_NACK:
	case CW_EV_RECV:
	case CW_EV_PARITY:
	case CW_EV_SILENT:
	case CW_EV_CARD:
	case CW_EV_OVERCURRENT:
		cw_reader_slot_event(r, ev);
		break;
	}
}

uint64_t
cw_reader_event(struct cw_reader *r, const struct cw_event *ev,
    uint64_t now_us)
{
	uint64_t due;
	uint8_t i;

	r->now_us = now_us;
	event_take(r, ev);
	/* A character's event has some microseconds: it looks at no clock that
	 * cannot have run out, and for no message that nobody made. */
	if (now_us >= r->due_us) {
		cw_reader_session_tick(r);
		for (i = 0; i < r->cfg.slot_cnt; i++) {
			cw_reader_slot_tick(r, &r->slot[i]);
			cw_reader_raw_tick(r, &r->slot[i]);
		}
	}
	for (i = 0; i < r->cfg.slot_cnt; i++)
		cw_reader_engine_run(r, &r->slot[i]);
	if (r->owes || ev->kind <= CW_EV_NET_CLOSED)
		cw_reader_reply_flush(r);
	r->cfg.sys->watchdog(r->cfg.dev);

	due = cw_reader_session_due(r);
	for (i = 0; i < r->cfg.slot_cnt; i++) {
		if (r->slot[i].due_us < due)
			due = r->slot[i].due_us;
		if (r->slot[i].raw.wait_us < due)
			due = r->slot[i].raw.wait_us;
	}
	r->due_us = due;
	return due;
}

bool
cw_reader_served(const struct cw_reader *r)
{
	return r->linked;
}

void
cw_reader_check(const struct cw_reader *r)
{
	uint8_t i;

	CW_ASSERT(r->rx_len <= CW_FRAME_HDR + CW_RLINK_BODY_MAX);
	CW_ASSERT(r->tx_held <= CW_FRAME_HDR + CW_RLINK_BODY_MAX);
	CW_ASSERT(r->linked || (r->rx_len == 0 && r->tx_held == 0));
	CW_ASSERT(r->linked || r->store.state == CW_STORE_REST);
	CW_ASSERT(!r->linked || r->orphan_us == UINT64_MAX);
	CW_ASSERT(!r->store.valid || r->store.state != CW_STORE_OPEN);
	CW_ASSERT(!r->store.valid || r->store.len <= r->cfg.store_cap);
	for (i = 0; i < r->cfg.slot_cnt; i++)
		cw_reader_slot_check(r, &r->slot[i]);
}
