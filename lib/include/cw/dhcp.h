/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_DHCP_H
#define CW_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A DHCP client (RFC 2131, options RFC 2132) for boards whose network chip
 * leaves that to them.  A core: datagrams in and out, time as argument.
 *
 *	cw_dhcp_init(&d, mac, "reader-7", seed);
 *	for (;;) {
 *		due = cw_dhcp_step(&d, now_us);
 *		if ((n = cw_dhcp_output(&d, buf, sizeof buf)) > 0)
 *			... send from port 68 to d.to, port 67 ...
 *		... a datagram to port 68: cw_dhcp_input(&d, buf, len, now_us) ...
 *		if (cw_dhcp_changed(&d)) ... d.lease, or none ...
 *	}
 *
 * While it has no lease the board's own address must be 0.0.0.0.  The server's
 * answers are asked for by broadcast, so that they arrive then.  A lease is kept
 * until it ends though no server answers any more.
 */
#define CW_DHCP_DATAGRAM 300u	/* BOOTP's least size; what we send */
#define CW_DHCP_INPUT_MAX 576u	/* what we take; more is cut */
#define CW_DHCP_NAME_MAX 32u	/* with its NUL */

#define CW_DHCP_STATE_MAP(X) \
	X(SELECTING, "looking for a server") \
	X(REQUESTING, "asking for the offered address") \
	X(BOUND, "address leased") \
	X(RENEWING, "asking its server to go on") \
	X(REBINDING, "asking any server to go on")

enum cw_dhcp_state {
#define X(name, text) CW_DHCP_##name,
	CW_DHCP_STATE_MAP(X)
#undef X
};
/* "BOUND", ...; static. */
const char *cw_dhcp_state_name(enum cw_dhcp_state s);

struct cw_dhcp_lease {
	uint8_t ip[4], mask[4], gateway[4];	/* gateway 0.0.0.0: none */
	uint8_t server[4];
	uint32_t lease_s, renew_s, rebind_s;
};

/* state, to and lease may be read; the rest is nobody else's business. */
struct cw_dhcp {
	enum cw_dhcp_state state;
	struct cw_dhcp_lease lease;	/* SELECTING: nothing of use */
	uint8_t to[4];			/* destination of what output gives */
	uint8_t mac[6];
	char name[CW_DHCP_NAME_MAX];
	uint32_t xid;
	uint32_t seed;
	uint8_t tries;
	bool send, changed;
	uint64_t start_us;		/* of the lease, or of the search */
	uint64_t due_us;
};

/* name may be "". seed: differs from reader to reader and from start to start. */
void cw_dhcp_init(struct cw_dhcp *d, const uint8_t mac[6], const char *name,
    uint32_t seed);
/* Whatever time asks for; returns when to be called again. */
uint64_t cw_dhcp_step(struct cw_dhcp *d, uint64_t now_us);
/* The datagram that is to be sent now: CW_DHCP_DATAGRAM bytes into buf, or 0:
 * none. */
size_t cw_dhcp_output(struct cw_dhcp *d, uint8_t *buf, size_t cap);
/* A datagram to port 68.  0: used; CW_EFORMAT, CW_ESHORT, CW_EPROTO: not for us,
 * and nothing has changed. */
int cw_dhcp_input(struct cw_dhcp *d, const uint8_t *buf, size_t len,
    uint64_t now_us);
/* The link was lost and is back: asks again whether the address is still good. */
void cw_dhcp_again(struct cw_dhcp *d, uint64_t now_us);
/* True once after an address came, changed or went. */
bool cw_dhcp_changed(struct cw_dhcp *d);
/* True while there is an address to use. */
bool cw_dhcp_has_lease(const struct cw_dhcp *d);

#endif
