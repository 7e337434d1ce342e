/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/dhcp.h"
#include "cw/err.h"

#define BOOTREQUEST 1
#define BOOTREPLY 2
#define COOKIE 0x63825363u	/* RFC 2131, 3 */
#define FLAG_BROADCAST 0x8000u
#define HEADER_LEN 236		/* up to the cookie */

enum option {
	OPT_PAD = 0, OPT_MASK = 1, OPT_ROUTER = 3, OPT_HOST = 12, OPT_ADDRESS = 50,
	OPT_LEASE = 51, OPT_TYPE = 53, OPT_SERVER = 54, OPT_LIST = 55,
	OPT_RENEW = 58, OPT_REBIND = 59, OPT_CLIENT = 61, OPT_END = 255,
};
enum type {
	DISCOVER = 1, OFFER = 2, REQUEST = 3, DECLINE = 4, ACK = 5, NAK = 6,
};

/* RFC 2131, 4.1: 4 s doubling up to 64 s, a second more or less each time. */
#define RETRY_FIRST_S 4u
#define RETRY_DOUBLINGS 4u
/* So many requests without answer: another offer is looked for. */
#define REQUEST_TRIES 4u
/* 4.4.5: while renewing half of what is left, but not below a minute. */
#define RENEW_LEAST_S 60u
/* A lease is not asked for again more often than this, whatever it says. */
#define LEASE_LEAST_S 60u
#define SECOND_US 1000000ull

static const uint8_t everyone[4] = { 255, 255, 255, 255 };

const char *
cw_dhcp_state_name(enum cw_dhcp_state s)
{
	static const char *const name[] = {
#define X(n, text) #n,
		CW_DHCP_STATE_MAP(X)
#undef X
	};

	return (unsigned)s < sizeof name / sizeof name[0] ? name[s] : "?";
}

/* Numerical Recipes' generator: only to keep readers out of step. */
static uint32_t
draw(struct cw_dhcp *d)
{
	d->seed = d->seed * 1664525u + 1013904223u;
	return d->seed;
}

static uint64_t
retry_us(struct cw_dhcp *d)
{
	uint32_t n = d->tries < RETRY_DOUBLINGS ? d->tries : RETRY_DOUBLINGS;

	return (RETRY_FIRST_S << n) * SECOND_US - SECOND_US +
	    draw(d) % (2 * SECOND_US);
}

static void
search(struct cw_dhcp *d, uint64_t now_us)
{
	d->changed = d->changed || cw_dhcp_has_lease(d);
	d->state = CW_DHCP_SELECTING;
	d->xid = draw(d);
	d->tries = 0;
	d->start_us = now_us;
	d->due_us = now_us;
	memset(&d->lease, 0, sizeof d->lease);
}

void
cw_dhcp_init(struct cw_dhcp *d, const uint8_t mac[6], const char *name,
    uint32_t seed)
{
	size_t len = strlen(name);

	memset(d, 0, sizeof *d);
	memcpy(d->mac, mac, sizeof d->mac);
	if (len >= sizeof d->name)
		len = sizeof d->name - 1;
	memcpy(d->name, name, len);
	d->seed = seed;
	search(d, 0);
}

bool
cw_dhcp_has_lease(const struct cw_dhcp *d)
{
	return d->state == CW_DHCP_BOUND || d->state == CW_DHCP_RENEWING ||
	    d->state == CW_DHCP_REBINDING;
}

bool
cw_dhcp_changed(struct cw_dhcp *d)
{
	bool changed = d->changed;

	d->changed = false;
	return changed;
}

void
cw_dhcp_again(struct cw_dhcp *d, uint64_t now_us)
{
	if (cw_dhcp_has_lease(d)) {
		d->state = CW_DHCP_REBINDING;
		d->tries = 0;
	}
	d->due_us = now_us;
}

/* ---- time ------------------------------------------------------------------- */

static void
send_to(struct cw_dhcp *d, const uint8_t ip[4])
{
	memcpy(d->to, ip, 4);
	d->send = true;
}

/* Half of what is left until end, at least a minute, at most all of it. */
static uint64_t
half_way(uint64_t now_us, uint64_t end_us)
{
	uint64_t left = end_us > now_us ? end_us - now_us : 0;
	uint64_t half = left / 2;

	if (half < RENEW_LEAST_S * SECOND_US)
		half = RENEW_LEAST_S * SECOND_US;
	return now_us + (half < left ? half : left);
}

static void
lease_step(struct cw_dhcp *d, uint64_t now_us)
{
	uint64_t renew = d->start_us + d->lease.renew_s * SECOND_US;
	uint64_t rebind = d->start_us + d->lease.rebind_s * SECOND_US;
	uint64_t end = d->start_us + d->lease.lease_s * SECOND_US;

	if (now_us >= end) {
		search(d, now_us);
		return;
	}
	if (d->state == CW_DHCP_REBINDING || now_us >= rebind) {
		d->state = CW_DHCP_REBINDING;
		send_to(d, everyone);
		d->due_us = d->tries < REQUEST_TRIES ? now_us + retry_us(d) :
		    half_way(now_us, end);
		d->tries++;
		if (d->due_us > end)
			d->due_us = end;
	} else if (now_us >= renew) {
		d->state = CW_DHCP_RENEWING;
		send_to(d, d->lease.server);
		d->due_us = half_way(now_us, rebind);
	} else {
		d->due_us = renew;
	}
}

uint64_t
cw_dhcp_step(struct cw_dhcp *d, uint64_t now_us)
{
	if (now_us < d->due_us)
		return d->due_us;
	if (d->state == CW_DHCP_REQUESTING && d->tries >= REQUEST_TRIES)
		search(d, now_us);
	if (cw_dhcp_has_lease(d)) {
		d->xid = draw(d);
		lease_step(d, now_us);
		if (cw_dhcp_has_lease(d))
			return d->due_us;
	}
	send_to(d, everyone);
	d->due_us = now_us + retry_us(d);
	if (d->tries < UINT8_MAX)
		d->tries++;
	return d->due_us;
}

/* ---- out --------------------------------------------------------------------- */

static void
option(struct cw_wr *w, enum option o, const void *buf, size_t len)
{
	cw_wr_u8(w, (uint8_t)o);
	cw_wr_u8(w, (uint8_t)len);
	cw_wr_bytes(w, buf, len);
}

size_t
cw_dhcp_output(struct cw_dhcp *d, uint8_t *buf, size_t cap)
{
	static const uint8_t zero[HEADER_LEN];
	static const uint8_t list[] = {
		OPT_MASK, OPT_ROUTER, OPT_LEASE, OPT_RENEW, OPT_REBIND,
	};
	bool asking = d->state == CW_DHCP_REQUESTING;
	uint8_t type = d->state == CW_DHCP_SELECTING ? DISCOVER : REQUEST;
	struct cw_wr w;

	if (!d->send || cap < CW_DHCP_DATAGRAM)
		return 0;
	d->send = false;
	memset(buf, 0, CW_DHCP_DATAGRAM);
	w = cw_wr_init(buf, CW_DHCP_DATAGRAM);
	cw_wr_u8(&w, BOOTREQUEST);
	cw_wr_u8(&w, 1);		/* Ethernet, */
	cw_wr_u8(&w, 6);		/* addresses of six bytes */
	cw_wr_u8(&w, 0);
	cw_wr_u32(&w, d->xid);
	cw_wr_u16(&w, 0);
	cw_wr_u16(&w, cw_dhcp_has_lease(d) ? 0 : FLAG_BROADCAST);
	cw_wr_bytes(&w, cw_dhcp_has_lease(d) ? d->lease.ip : zero, 4);
	cw_wr_bytes(&w, zero, 12);
	cw_wr_bytes(&w, d->mac, 6);
	cw_wr_bytes(&w, zero, HEADER_LEN - 34);
	cw_wr_u32(&w, COOKIE);
	option(&w, OPT_TYPE, &type, 1);
	cw_wr_u8(&w, OPT_CLIENT);
	cw_wr_u8(&w, 7);
	cw_wr_u8(&w, 1);
	cw_wr_bytes(&w, d->mac, 6);
	if (d->name[0] != '\0')
		option(&w, OPT_HOST, d->name, strlen(d->name));
	if (asking) {
		option(&w, OPT_ADDRESS, d->lease.ip, 4);
		option(&w, OPT_SERVER, d->lease.server, 4);
	}
	option(&w, OPT_LIST, list, sizeof list);
	cw_wr_u8(&w, OPT_END);
	CW_ASSERT(!w.bad);
	return CW_DHCP_DATAGRAM;
}

/* ---- in ----------------------------------------------------------------------- */

struct answer {
	uint8_t type;
	bool has_server;
	struct cw_dhcp_lease lease;
};

static void
option_take(struct answer *a, uint8_t o, const uint8_t *p, uint8_t len)
{
	struct cw_rd r = cw_rd_init(p, len);

	if (o == OPT_TYPE && len == 1) {
		a->type = p[0];
	} else if (len >= 4 && (o == OPT_MASK || o == OPT_ROUTER ||
	    o == OPT_SERVER)) {
		memcpy(o == OPT_MASK ? a->lease.mask : o == OPT_ROUTER ?
		    a->lease.gateway : a->lease.server, p, 4);
		a->has_server = a->has_server || o == OPT_SERVER;
	} else if (len == 4 && o == OPT_LEASE) {
		a->lease.lease_s = cw_rd_u32(&r);
	} else if (len == 4 && o == OPT_RENEW) {
		a->lease.renew_s = cw_rd_u32(&r);
	} else if (len == 4 && o == OPT_REBIND) {
		a->lease.rebind_s = cw_rd_u32(&r);
	}
}

static int
options_take(struct answer *a, struct cw_rd *r)
{
	const uint8_t *p;
	uint8_t o, len;

	while (cw_rd_left(r) > 0) {
		o = cw_rd_u8(r);
		if (o == OPT_END)
			return 0;
		if (o == OPT_PAD)
			continue;
		len = cw_rd_u8(r);
		p = cw_rd_bytes(r, len);
		if (r->bad)
			return CW_ESHORT;
		option_take(a, o, p, len);
	}
	return 0;
}

/* 4.4.5: half and seven eighths of the lease when the server does not say. */
static void
times_mend(struct cw_dhcp_lease *l)
{
	if (l->lease_s < LEASE_LEAST_S)
		l->lease_s = LEASE_LEAST_S;
	if (l->renew_s == 0 || l->renew_s >= l->lease_s)
		l->renew_s = l->lease_s / 2;
	if (l->rebind_s <= l->renew_s || l->rebind_s >= l->lease_s)
		l->rebind_s = (uint32_t)((uint64_t)l->lease_s * 7 / 8);
	if (l->rebind_s < l->renew_s)
		l->rebind_s = l->renew_s;
}

/* An address that a host can have: not of nobody, a group or everyone. */
static bool
address_good(const uint8_t ip[4])
{
	return ip[0] != 0 && ip[0] < 224;
}

static int
offer_take(struct cw_dhcp *d, const struct answer *a, uint64_t now_us)
{
	if (d->state != CW_DHCP_SELECTING || !a->has_server)
		return CW_EPROTO;
	d->lease = a->lease;
	d->state = CW_DHCP_REQUESTING;
	d->tries = 0;
	d->due_us = now_us;
	return 0;
}

static int
ack_take(struct cw_dhcp *d, const struct answer *a, uint64_t now_us)
{
	struct cw_dhcp_lease l = a->lease;

	if (d->state == CW_DHCP_SELECTING || d->state == CW_DHCP_BOUND)
		return CW_EPROTO;
	if (!a->has_server)
		memcpy(l.server, d->lease.server, 4);
	times_mend(&l);
	d->changed = d->changed || d->state == CW_DHCP_REQUESTING ||
	    memcmp(l.ip, d->lease.ip, 4) != 0 ||
	    memcmp(l.mask, d->lease.mask, 4) != 0 ||
	    memcmp(l.gateway, d->lease.gateway, 4) != 0;
	d->lease = l;
	d->state = CW_DHCP_BOUND;
	d->tries = 0;
	d->start_us = now_us;
	d->due_us = now_us + l.renew_s * SECOND_US;
	return 0;
}

int
cw_dhcp_input(struct cw_dhcp *d, const uint8_t *buf, size_t len,
    uint64_t now_us)
{
	struct cw_rd r = cw_rd_init(buf, len), x;
	struct answer a;
	const uint8_t *p;
	int err;

	memset(&a, 0, sizeof a);
	p = cw_rd_bytes(&r, HEADER_LEN);
	if (cw_rd_u32(&r) != COOKIE || r.bad)
		return r.bad ? CW_ESHORT : CW_EFORMAT;
	if (p[0] != BOOTREPLY || p[1] != 1 || p[2] != 6)
		return CW_EFORMAT;
	x = cw_rd_init(p + 4, 4);
	if (cw_rd_u32(&x) != d->xid || memcmp(p + 28, d->mac, 6) != 0)
		return CW_EPROTO;
	memcpy(a.lease.ip, p + 16, 4);
	err = options_take(&a, &r);
	if (err < 0)
		return err;
	if (a.type == NAK && d->state != CW_DHCP_SELECTING) {
		search(d, now_us);
		return 0;
	}
	if (!address_good(a.lease.ip))
		return CW_EPROTO;
	if (a.type == OFFER)
		return offer_take(d, &a, now_us);
	return a.type == ACK ? ack_take(d, &a, now_us) : CW_EPROTO;
}
