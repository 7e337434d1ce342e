/* SPDX-License-Identifier: Apache-2.0 */
#include "cw/discover.h"
#include "net_private.h"

/* Answers whoever looks for readers. */

static struct cw_disc disc;
static bool open;

void
cw_net_scan_start(void)
{
	open = cw_w5300_udp_open(&cw_net_chip, CW_NET_SOCK_SCAN, CW_DISC_PORT) == 0;
}

void
cw_net_scan_step(uint64_t now_us)
{
	uint8_t in[CW_DISC_LEN + 2], out[CW_DISC_LEN];
	struct cw_w5300_peer from;
	struct cw_disc_info me;
	int n;

	cw_w5300_events(CW_NET_SOCK_SCAN);
	if (!open)
		return;
	for (;;) {
		n = cw_w5300_udp_recv(&cw_net_chip, CW_NET_SOCK_SCAN, &from, in,
		    sizeof in);
		if (n < 0)
			return;
		cw_board_describe(&me);
		if (cw_disc_serve(&disc, &me, in, (size_t)n, now_us, out) > 0)
			cw_w5300_udp_send(CW_NET_SOCK_SCAN, &from, out, sizeof out);
	}
}
