/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/dhcp.h"
#include "net_private.h"

/*
 * The reader's address: fixed, or leased by DHCP.  A change of address ends the
 * connections that stand on the old one by itself: their peer answers no more.
 */
#define DHCP_SERVER 67u
#define DHCP_CLIENT 68u

static struct cw_net_addr addr;
static struct cw_dhcp dhcp;
static bool leasing, was_cable;
static uint64_t dhcp_due_us = UINT64_MAX;
static uint8_t datagram[CW_DHCP_INPUT_MAX];

static void
use(const struct cw_net_addr *a)
{
	addr = *a;
	cw_w5300_address(a->ip, a->mask, a->gateway);
}

void
cw_net_addr_fixed(const struct cw_net_addr *a)
{
	leasing = false;
	dhcp_due_us = UINT64_MAX;
	use(a);
}

void
cw_net_addr_dhcp(const uint8_t mac[6], const char *name, uint32_t seed)
{
	static const struct cw_net_addr none;

	use(&none);
	cw_dhcp_init(&dhcp, mac, name, seed);
	leasing = cw_w5300_udp_open(&cw_net_chip, CW_NET_SOCK_DHCP,
	    DHCP_CLIENT) == 0;
	dhcp_due_us = leasing ? 0 : UINT64_MAX;
}

const struct cw_net_addr *
cw_net_addr(void)
{
	return &addr;
}

uint64_t
cw_net_due(void)
{
	return dhcp_due_us;
}

static void
lease_use(void)
{
	struct cw_net_addr a;

	memset(&a, 0, sizeof a);
	if (cw_dhcp_has_lease(&dhcp)) {
		memcpy(a.ip, dhcp.lease.ip, 4);
		memcpy(a.mask, dhcp.lease.mask, 4);
		memcpy(a.gateway, dhcp.lease.gateway, 4);
	}
	use(&a);
	cw_board_log(2, cw_dhcp_has_lease(&dhcp) ? "net.lease state=bound" :
	    "net.lease state=none");
}

static void
dhcp_step(bool pending, uint64_t now_us)
{
	struct cw_w5300_peer peer = { { 0, 0, 0, 0 }, DHCP_SERVER };
	size_t len;
	int n;

	if (pending) {
		cw_w5300_events(CW_NET_SOCK_DHCP);
		while ((n = cw_w5300_udp_recv(&cw_net_chip, CW_NET_SOCK_DHCP,
		    &peer, datagram, sizeof datagram)) >= 0)
			cw_dhcp_input(&dhcp, datagram, (size_t)n, now_us);
	}
	if (!was_cable && cw_net_cable())
		cw_dhcp_again(&dhcp, now_us);
	was_cable = cw_net_cable();
	dhcp_due_us = cw_dhcp_step(&dhcp, now_us);
	len = cw_dhcp_output(&dhcp, datagram, sizeof datagram);
	if (len > 0) {
		memcpy(peer.ip, dhcp.to, 4);
		peer.port = DHCP_SERVER;
		cw_w5300_udp_send(CW_NET_SOCK_DHCP, &peer, datagram, len);
	}
	if (cw_dhcp_changed(&dhcp))
		lease_use();
}

void
cw_net_addr_step(uint8_t pending, uint64_t now_us)
{
	bool ours = (pending >> CW_NET_SOCK_DHCP & 1u) != 0;

	if (leasing && (ours || now_us >= dhcp_due_us || was_cable != cw_net_cable()))
		dhcp_step(ours, now_us);
}
