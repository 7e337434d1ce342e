/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cw/discover.h"
#include "host_private.h"

/*
 * Answers to discovery (docs/spec/discovery.md).  A process has one socket per
 * address that its readers listen on, and one per broadcast address of their
 * networks; each reader answers from its own address.
 */
struct cw_host_disc {
	struct cw_host_disc *next;
	struct cw_host_env *env;
	uv_udp_t udp;
	struct in_addr addr;
	unsigned int refs;
	uint8_t in[CW_DISC_LEN + 1];	/* a longer datagram is cut, and malformed */
};

static void
disc_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
disc_put(struct cw_host_disc *d)
{
	struct cw_host_disc **at;

	if (d == NULL || --d->refs > 0)
		return;
	for (at = &d->env->disc; *at != d; at = &(*at)->next)
		;
	*at = d->next;
	uv_close((uv_handle_t *)&d->udp, disc_closed);
}

static void
disc_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
	struct cw_host_disc *d = handle->data;

	(void)hint;
	*buf = uv_buf_init((char *)d->in, sizeof d->in);
}

/* The log's name is any text; here it has a length and no control characters. */
static void
name_put(char *out, size_t cap, const char *text)
{
	size_t i;

	for (i = 0; i < cap - 1 && text[i] != '\0'; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7F ? ' ' :
		    text[i];
	out[i] = '\0';
}

static void
answer(struct cw_host *h, const struct cw_host_disc *d, size_t len,
    const struct sockaddr *to)
{
	struct cw_disc_info me;
	uint8_t out[CW_DISC_LEN];
	uv_buf_t b;

	memset(&me, 0, sizeof me);
	memcpy(me.serial, h->cfg.serial, sizeof me.serial);
	me.boot_id = h->cfg.boot_id;
	me.addr = ntohl(h->disc_own->addr.s_addr);
	me.port = cw_host_port(h);
	me.link = h->link != NULL ? CW_DISC_LINK_TLS : CW_DISC_LINK_PLAIN;
	me.state = cw_reader_served(h->core) ? CW_DISC_SERVED : CW_DISC_FREE;
	me.slot_cnt = 1;
	snprintf(me.firmware, sizeof me.firmware, "cardwright-host %s",
	    CW_SOFTWARE_VERSION);
	snprintf(me.identity, sizeof me.identity, "%s", h->identity);
	if (strcmp(h->name, h->address) != 0)
		name_put(me.name, sizeof me.name, h->name);
	if (cw_disc_serve(&h->disc, &me, d->in, len, cw_host_now_us(), out) == 0)
		return;
	b = uv_buf_init((char *)out, sizeof out);
	(void)uv_udp_try_send(&h->disc_own->udp, &b, 1, to);
}

static void
disc_recv(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf,
    const struct sockaddr *from, unsigned int flags)
{
	struct cw_host_disc *d = udp->data;
	struct cw_host *h;

	(void)buf;
	(void)flags;
	if (n <= 0 || from == NULL)
		return;
	for (h = d->env->readers; h != NULL; h = h->next)
		if (h->disc_own == d || h->disc_cast == d)
			answer(h, d, (size_t)n, from);
}

/* The socket of this address; NULL when another program has it. */
static struct cw_host_disc *
disc_get(struct cw_host_env *env, struct in_addr addr, unsigned int flags)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(CW_DISC_PORT), .sin_addr = addr };
	struct cw_host_disc *d;

	for (d = env->disc; d != NULL; d = d->next) {
		if (d->addr.s_addr == addr.s_addr) {
			d->refs++;
			return d;
		}
	}
	d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	d->env = env;
	d->addr = addr;
	d->refs = 1;
	uv_udp_init(env->loop, &d->udp);
	d->udp.data = d;
	if (uv_udp_bind(&d->udp, (struct sockaddr *)&at, flags) != 0 ||
	    uv_udp_recv_start(&d->udp, disc_alloc, disc_recv) != 0) {
		uv_close((uv_handle_t *)&d->udp, disc_closed);
		return NULL;
	}
	d->next = env->disc;
	env->disc = d;
	return d;
}

/* The broadcast address of the interface that has ip; 0: none. */
static struct in_addr
broadcast_of(struct in_addr ip)
{
	uv_interface_address_t *list;
	struct in_addr cast = { 0 };
	int cnt, i;

	if (uv_interface_addresses(&list, &cnt) != 0)
		return cast;
	for (i = 0; i < cnt; i++) {
		in_addr_t mask = list[i].netmask.netmask4.sin_addr.s_addr;

		if (list[i].address.address4.sin_family == AF_INET &&
		    mask != 0xFFFFFFFF && ((list[i].address.address4.sin_addr.s_addr ^
		    ip.s_addr) & mask) == 0)
			cast.s_addr = ip.s_addr | ~mask;
	}
	uv_free_interface_addresses(list, cnt);
	return cast;
}

void
cw_host_discover_open(struct cw_host *h)
{
	struct sockaddr_in a;
	struct in_addr cast;

	if (cw_host_addr(&a, h->address) < 0)
		return;
	h->disc_own = disc_get(h->env, a.sin_addr, 0);
	if (h->disc_own == NULL) {
		cw_host_log(h, 2, "discover.off", "port %d/udp of this address is "
		    "taken; `cardwright reader scan` does not find this reader",
		    CW_DISC_PORT);
		return;
	}
	cast = broadcast_of(a.sin_addr);
	if (cast.s_addr != 0)
		h->disc_cast = disc_get(h->env, cast, UV_UDP_REUSEADDR);
	h->next = h->env->readers;
	h->env->readers = h;
}

void
cw_host_discover_close(struct cw_host *h)
{
	struct cw_host **at;

	if (h->disc_own == NULL)
		return;
	for (at = &h->env->readers; *at != h; at = &(*at)->next)
		;
	*at = h->next;
	disc_put(h->disc_own);
	disc_put(h->disc_cast);
	h->disc_own = h->disc_cast = NULL;
}
