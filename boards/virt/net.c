/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cw/err.h"
#include "net.h"

/* Sockets of the W5300 on sockets of the host. */
#define SOCKS 8
#define DHCP_SERVER_PORT 67
#define DHCP_MAX 600
#define DHCP_OPTIONS 240

struct sock {
	int fd, listen_fd;
	bool connecting, waiting;	/* waiting: its bytes come as soon as there are some */
	uint16_t port;			/* that listen_fd was asked for */
	uint8_t dhcp[DHCP_MAX];
	size_t dhcp_len;
};

struct cw_vb_net {
	struct cw_vb_net_config cfg;
	struct sock s[SOCKS];
};

struct cw_vb_net *
cw_vb_net_open(const struct cw_vb_net_config *cfg)
{
	struct cw_vb_net *net = calloc(1, sizeof *net);
	int i;

	if (net == NULL)
		return NULL;
	net->cfg = *cfg;
	for (i = 0; i < SOCKS; i++)
		net->s[i].fd = net->s[i].listen_fd = -1;
	return net;
}

static void
drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
net_close(void *ctx, int n, bool gentle)
{
	struct sock *s = &((struct cw_vb_net *)ctx)->s[n];
	struct linger hard = { 1, 0 };

	if (s->fd >= 0 && !gentle)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	drop(&s->fd);
	drop(&s->listen_fd);
	s->connecting = false;
	s->dhcp_len = 0;
}

void
cw_vb_net_close(struct cw_vb_net *net)
{
	int i;

	if (net == NULL)
		return;
	for (i = 0; i < SOCKS; i++)
		net_close(net, i, true);
	free(net);
}

int
cw_vb_net_fds(const struct cw_vb_net *net, struct pollfd *p, int max)
{
	int i, n = 0;

	for (i = 0; i < SOCKS && n < max; i++) {
		int fd = net->s[i].fd >= 0 ? net->s[i].fd : net->s[i].listen_fd;

		/* One whose bytes the chip has no room for is not asked for. */
		if (fd < 0 || !net->s[i].waiting)
			continue;
		p[n].fd = fd;
		p[n].events = net->s[i].connecting ? POLLOUT : POLLIN;
		p[n].revents = 0;
		n++;
	}
	return n;
}

static void
own_address(const struct cw_vb_net *net, struct sockaddr_in *a, uint32_t ip, uint16_t port)
{
	memset(a, 0, sizeof *a);
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(net->cfg.ip != 0 ? net->cfg.ip : ip);
	a->sin_port = htons(port == net->cfg.from_port && net->cfg.to_port != 0 ?
	    net->cfg.to_port : port);
}

static int
own_socket(struct cw_vb_net *net, int type, uint32_t ip, uint16_t port)
{
	struct sockaddr_in a;
	char text[INET_ADDRSTRLEN];
	int one = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	own_address(net, &a, ip, port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) < 0)) {
		fprintf(stderr, "cardwright-board: %s:%u: %s\n", inet_ntop(AF_INET,
		    &a.sin_addr, text, sizeof text), ntohs(a.sin_port), strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static int
net_listen(void *ctx, int n, uint32_t ip, uint16_t port)
{
	struct cw_vb_net *net = ctx;
	int i;

	net_close(net, n, true);
	/* Several sockets of the chip may listen at one port. */
	for (i = 0; i < SOCKS && net->s[n].listen_fd < 0; i++)
		if (net->s[i].listen_fd >= 0 && net->s[i].port == port)
			net->s[n].listen_fd = fcntl(net->s[i].listen_fd, F_DUPFD_CLOEXEC, 0);
	if (net->s[n].listen_fd < 0)
		net->s[n].listen_fd = own_socket(net, SOCK_STREAM, ip, port);
	net->s[n].port = port;
	net->s[n].waiting = true;
	return net->s[n].listen_fd < 0 ? CW_EIO : 0;
}

static bool
net_accept(void *ctx, int n, struct cw_vb_peer *peer)
{
	struct sock *s = &((struct cw_vb_net *)ctx)->s[n];
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int one = 1;

	s->waiting = true;
	s->fd = accept4(s->listen_fd, (struct sockaddr *)&a, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (s->fd < 0)
		return false;
	/* One socket of the chip is one connection: others are refused. */
	drop(&s->listen_fd);
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	peer->ip = ntohl(a.sin_addr.s_addr);
	peer->port = ntohs(a.sin_port);
	return true;
}

static int
net_connect(void *ctx, int n, const struct cw_vb_peer *peer)
{
	struct sock *s = &((struct cw_vb_net *)ctx)->s[n];
	struct sockaddr_in a = { .sin_family = AF_INET };
	int err = 0;

	a.sin_addr.s_addr = htonl(peer->ip);
	a.sin_port = htons(peer->port);
	if (s->fd < 0) {
		s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (s->fd < 0)
			return CW_EIO;
	}
	s->connecting = s->waiting = true;
	if (connect(s->fd, (struct sockaddr *)&a, sizeof a) < 0)
		err = errno;
	if (err == EINPROGRESS || err == EALREADY)
		return 0;
	s->connecting = false;
	return err == 0 || err == EISCONN ? 1 : CW_EIO;
}

static int
net_udp(void *ctx, int n, uint32_t ip, uint16_t port)
{
	struct cw_vb_net *net = ctx;

	net_close(net, n, true);
	/* The DHCP client's port is privileged; its server is in here anyway. */
	if (port == 68)
		return 0;
	net->s[n].fd = own_socket(net, SOCK_DGRAM, ip, port);
	net->s[n].waiting = true;
	return net->s[n].fd < 0 ? CW_EIO : 0;
}

/* ---- DHCP (RFC 2131): one lease ------------------------------------------- */

static const uint8_t *
dhcp_option(const uint8_t *buf, size_t len, uint8_t code)
{
	size_t i = DHCP_OPTIONS;

	while (i + 1 < len && buf[i] != 255) {
		if (buf[i] == 0) {
			i++;
			continue;
		}
		if (i + 2 + buf[i + 1] > len)
			return NULL;
		if (buf[i] == code)
			return buf + i + 2;
		i += 2u + buf[i + 1];
	}
	return NULL;
}

static size_t
dhcp_put(uint8_t *p, uint8_t code, uint32_t val)
{
	p[0] = code;
	p[1] = 4;
	p[2] = (uint8_t)(val >> 24);
	p[3] = (uint8_t)(val >> 16);
	p[4] = (uint8_t)(val >> 8);
	p[5] = (uint8_t)val;
	return 6;
}

static void
dhcp_serve(struct cw_vb_net *net, struct sock *s, const uint8_t *buf, size_t len)
{
	const uint8_t *type = dhcp_option(buf, len, 53);
	uint32_t ip = net->cfg.ip != 0 ? net->cfg.ip : 0x7F000101;
	uint8_t *r = s->dhcp, kind;
	size_t n = DHCP_OPTIONS, i;

	if (len < DHCP_OPTIONS || type == NULL || (*type != 1 && *type != 3))
		return;
	kind = *type == 1 ? 2 : 5;	/* OFFER, ACK */
	memset(r, 0, DHCP_MAX);
	memcpy(r, buf, 34);
	r[0] = 2;
	for (i = 0; i < 4; i++)
		r[16 + i] = (uint8_t)(ip >> (24 - 8 * i));
	memcpy(r + 28, buf + 28, 16);
	memcpy(r + 236, "\x63\x82\x53\x63", 4);
	r[n++] = 53;
	r[n++] = 1;
	r[n++] = kind;
	n += dhcp_put(r + n, 54, (ip & 0xFFFFFF00) | 254);
	n += dhcp_put(r + n, 51, 3600);
	n += dhcp_put(r + n, 1, 0xFFFFFF00);
	n += dhcp_put(r + n, 3, (ip & 0xFFFFFF00) | 254);
	r[n++] = 255;
	s->dhcp_len = n;
}

/* ---- bytes --------------------------------------------------------------- */

static int
net_recv(void *ctx, int n, uint8_t *buf, size_t cap, struct cw_vb_peer *from)
{
	struct cw_vb_net *net = ctx;
	struct sock *s = &net->s[n];
	struct sockaddr_in a = { 0 };
	socklen_t alen = sizeof a;
	ssize_t got;

	if (s->dhcp_len > 0 && s->dhcp_len <= cap) {
		got = (ssize_t)s->dhcp_len;
		memcpy(buf, s->dhcp, s->dhcp_len);
		s->dhcp_len = 0;
		from->ip = (net->cfg.ip & 0xFFFFFF00) | 254;
		from->port = DHCP_SERVER_PORT;
		return (int)got;
	}
	if (s->fd < 0)
		return 0;
	got = recvfrom(s->fd, buf, cap, 0, (struct sockaddr *)&a, &alen);
	s->waiting = got < 0 && errno == EAGAIN;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : CW_ECLOSED;
	from->ip = ntohl(a.sin_addr.s_addr);
	from->port = ntohs(a.sin_port);
	return got == 0 ? CW_ECLOSED : (int)got;
}

static int
net_send(void *ctx, int n, const uint8_t *buf, size_t len, const struct cw_vb_peer *to)
{
	struct cw_vb_net *net = ctx;
	struct sock *s = &net->s[n];
	struct sockaddr_in a = { .sin_family = AF_INET };
	int type = 0;
	socklen_t tlen = sizeof type;
	ssize_t put;

	if (to->port == DHCP_SERVER_PORT) {
		dhcp_serve(net, s, buf, len);
		return (int)len;
	}
	if (s->fd < 0)
		return CW_ECLOSED;
	getsockopt(s->fd, SOL_SOCKET, SO_TYPE, &type, &tlen);
	a.sin_addr.s_addr = htonl(to->ip);
	a.sin_port = htons(to->port);
	put = type == SOCK_DGRAM ? sendto(s->fd, buf, len, 0, (struct sockaddr *)&a, sizeof a) :
	    send(s->fd, buf, len, MSG_NOSIGNAL);
	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : CW_ECLOSED;
	return (int)put;
}

const struct cw_vb_net_ops cw_vb_net_ops = {
	net_listen, net_accept, net_connect, net_udp, net_recv, net_send, net_close,
};
