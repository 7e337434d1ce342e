/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CW_VB_NET_H
#define CW_VB_NET_H

#include <poll.h>

#include "boards/virt/vb.h"

/*
 * The W5300's wire as sockets of the host.  The chip's own address becomes `ip`
 * when that is not 0, its TCP port `from_port` becomes `to_port`.  DHCP is
 * answered here: the chip is leased `ip`.
 */
struct cw_vb_net_config {
	uint32_t ip;
	uint16_t from_port, to_port;
};

struct cw_vb_net;
/* NULL when out of memory. */
struct cw_vb_net *cw_vb_net_open(const struct cw_vb_net_config *cfg);
void cw_vb_net_close(struct cw_vb_net *net);
/* Descriptors to wait for; their number, max at most. */
int cw_vb_net_fds(const struct cw_vb_net *net, struct pollfd *p, int max);
/* ctx is the net */
extern const struct cw_vb_net_ops cw_vb_net_ops;

#endif
