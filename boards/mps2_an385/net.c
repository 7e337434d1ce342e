/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <lwip/tcp.h>
#include <lwip/timeouts.h>

#include "board_private.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/rlink.h"

/* The terminal's connections: TCP of lwIP as cw_net_ops and NET events. */
#define KEEP_IDLE_MS 10000u
#define KEEP_STEP_MS 5000u
#define KEEP_CNT 3u

struct conn {
	struct tcp_pcb *pcb;	/* NULL: gone, or none */
	bool used;
	int id;			/* as the core knows it; never used again */
	struct pbuf *in;	/* came, and the core has not had it */
	size_t lent;		/* bytes of in's first part with the core */
	bool open;		/* the core was told */
	bool eof;		/* the peer will say no more */
	bool wants_room, room;
};
static struct conn conns[CW_NET_CONNS];
static struct tcp_pcb *listener;
static int next_id;
static bool alive;

static struct conn *
find(int id)
{
	size_t i;

	for (i = 0; i < CW_NET_CONNS; i++)
		if (conns[i].used && conns[i].id == id)
			return &conns[i];
	return NULL;
}

/* ---- from lwIP ----------------------------------------------------------------- */

static err_t
got(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct conn *c = arg;

	(void)pcb;
	(void)err;
	if (p == NULL)
		c->eof = true;
	else if (c->in == NULL)
		c->in = p;
	else
		pbuf_cat(c->in, p);
	return ERR_OK;
}

static err_t
acked(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct conn *c = arg;

	(void)pcb;
	(void)len;
	if (c->wants_room)
		c->room = true;
	c->wants_room = false;
	return ERR_OK;
}

/* The pcb is freed already. */
static void
failed(void *arg, err_t err)
{
	struct conn *c = arg;

	(void)err;
	c->pcb = NULL;
	c->eof = true;
}

static err_t
accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct conn *c;
	size_t i;

	(void)arg;
	if (err != ERR_OK || pcb == NULL)
		return ERR_VAL;
	for (i = 0; i < CW_NET_CONNS && conns[i].used; i++)
		continue;
	if (i == CW_NET_CONNS) {
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	c = &conns[i];
	memset(c, 0, sizeof *c);
	c->used = true;
	c->pcb = pcb;
	c->id = next_id++;
	tcp_arg(pcb, c);
	tcp_recv(pcb, got);
	tcp_sent(pcb, acked);
	tcp_err(pcb, failed);
	tcp_nagle_disable(pcb);
	pcb->so_options |= SOF_KEEPALIVE;
	pcb->keep_idle = KEEP_IDLE_MS;
	pcb->keep_intvl = KEEP_STEP_MS;
	pcb->keep_cnt = KEEP_CNT;
	return ERR_OK;
}

/* ---- to the core ------------------------------------------------------------------ */

/* What the core had of the first part goes back to lwIP; it may be a record. */
static void
give_back(struct conn *c)
{
	struct pbuf *p = c->in;

	if (c->lent == 0)
		return;
	cw_wipe(p->payload, p->len);
	if (c->pcb != NULL)
		tcp_recved(c->pcb, (u16_t)c->lent);
	c->lent = 0;
	c->in = p->next;
	if (c->in != NULL)
		pbuf_ref(c->in);
	pbuf_free(p);
}

static void
drop(struct conn *c)
{
	struct pbuf *p;

	for (p = c->in; p != NULL; p = p->next)
		cw_wipe(p->payload, p->len);
	if (c->in != NULL)
		pbuf_free(c->in);
	memset(c, 0, sizeof *c);
}

/* Ends the connection below; what is queued still goes out. */
static void
hang_up(struct conn *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (pcb == NULL)
		return;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	/* Unread data would make it a reset, which overtakes what is queued. */
	if (c->in != NULL)
		tcp_recved(pcb, c->in->tot_len);
	if (tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
	c->pcb = NULL;
}

static bool
conn_event(struct conn *c, struct cw_event *ev)
{
	give_back(c);
	ev->conn = c->id;
	if (!c->open) {
		c->open = true;
		ev->kind = CW_EV_NET_OPEN;
		return true;
	}
	if (c->room) {
		c->room = false;
		ev->kind = CW_EV_NET_ROOM;
		return true;
	}
	if (c->in != NULL) {
		ev->kind = CW_EV_NET_DATA;
		ev->buf = c->in->payload;
		ev->len = c->lent = c->in->len;
		return true;
	}
	if (c->eof) {
		hang_up(c);
		drop(c);
		ev->kind = CW_EV_NET_CLOSED;
		return true;
	}
	return false;
}

bool
cw_net_poll(struct cw_event *ev, uint64_t now_us)
{
	static size_t turn;
	size_t i;

	(void)now_us;
	if (!alive)
		return false;
	cw_netif_poll();
	for (i = 0; i < CW_NET_CONNS; i++) {
		struct conn *c = &conns[turn++ % CW_NET_CONNS];

		if (c->used && conn_event(c, ev))
			return true;
	}
	return false;
}

uint64_t
cw_net_due(uint64_t now_us)
{
	u32_t ms;

	if (!alive)
		return UINT64_MAX;
	ms = sys_timeouts_sleeptime();
	return ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? UINT64_MAX :
	    now_us + ms * 1000ull;
}

bool
cw_net_is_alive(void)
{
	return alive;
}

int
cw_net_start(const struct cw_settings *s)
{
	struct tcp_pcb *pcb;

	if (cw_netif_start(s) < 0)
		return CW_EIO;
	pcb = tcp_new();
	CW_ASSERT(pcb != NULL);
	ip_set_option(pcb, SOF_REUSEADDR);
	if (tcp_bind(pcb, IP_ANY_TYPE, CW_RLINK_PORT) != ERR_OK)
		return CW_EIO;
	listener = tcp_listen(pcb);
	CW_ASSERT(listener != NULL);
	tcp_accept(listener, accepted);
	alive = true;
	return 0;
}

/* ---- ops ---------------------------------------------------------------------------- */

static int
net_send(void *dev, int id, const uint8_t *buf, size_t len)
{
	struct conn *c = find(id);

	(void)dev;
	if (c == NULL || c->pcb == NULL)
		return CW_ECLOSED;
	if (tcp_sndbuf(c->pcb) < len ||
	    tcp_write(c->pcb, buf, (u16_t)len, TCP_WRITE_FLAG_COPY) != ERR_OK) {
		c->wants_room = true;
		return 0;
	}
	tcp_output(c->pcb);
	return (int)len;
}

static void
net_close(void *dev, int id)
{
	struct conn *c = find(id);

	(void)dev;
	if (c == NULL)
		return;
	hang_up(c);
	drop(c);
}

const struct cw_net_ops cw_board_net_ops = { net_send, net_close };
