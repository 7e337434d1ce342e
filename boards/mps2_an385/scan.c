/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <lwip/pbuf.h>
#include <lwip/udp.h>

#include "board_private.h"
#include "cw/discover.h"
#include "cw/err.h"

/* Answers to who looks for readers (docs/spec/discovery.md). */
static struct cw_disc disc;
static struct cw_disc_info me;
static const struct cw_reader *core;

static void
asked(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr, u16_t port)
{
	uint8_t in[CW_DISC_LEN + 1], out[CW_DISC_LEN];
	u16_t len = pbuf_copy_partial(p, in, sizeof in, 0);
	struct pbuf *q;

	(void)arg;
	pbuf_free(p);
	me.state = cw_reader_served(core) ? CW_DISC_SERVED : CW_DISC_FREE;
	if (cw_disc_serve(&disc, &me, in, len, cw_sys_now_us(), out) == 0)
		return;
	q = pbuf_alloc(PBUF_TRANSPORT, sizeof out, PBUF_RAM);
	if (q == NULL)
		return;
	pbuf_take(q, out, sizeof out);
	(void)udp_sendto(pcb, q, addr, port);
	pbuf_free(q);
}

void
cw_scan_start(const struct cw_reader *r, const struct cw_reader_config *c,
    const struct cw_settings *s)
{
	struct udp_pcb *pcb = udp_new();

	CW_ASSERT(pcb != NULL);
	core = r;
	memcpy(me.serial, c->serial, sizeof me.serial);
	memcpy(me.firmware, c->firmware, sizeof me.firmware);
	memcpy(me.name, s->name, sizeof me.name);
	me.boot_id = c->boot_id;
	me.port = CW_RLINK_PORT;
	me.link = CW_DISC_LINK_PLAIN;
	me.slot_cnt = c->slot_cnt;
	if (cw_secure_is_on()) {
		me.link = CW_DISC_LINK_TLS;
		memcpy(me.identity, s->key_id, sizeof me.identity);
	}
	if (udp_bind(pcb, IP_ANY_TYPE, CW_DISC_PORT) == ERR_OK)
		udp_recv(pcb, asked, NULL);
}
