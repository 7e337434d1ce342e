/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"

#define KEEP 65536

struct cw_vb_console {
	int in, out, listen_fd;
	int slave;		/* of the pty: held, so that it never hangs up */
	uint8_t keep[KEEP];
	size_t keep_len;
};

static int
tcp_listen(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_port = htons(port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
open_pty(struct cw_vb_console *c)
{
	struct termios t;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	const char *name;

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || (name = ptsname(fd)) == NULL)
		return -1;
	c->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->slave >= 0 && tcgetattr(c->slave, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(c->slave, TCSANOW, &t);
	}
	printf("console %s\n", name);
	fflush(stdout);
	c->in = c->out = fd;
	return 0;
}

struct cw_vb_console *
cw_vb_console_open(const char *spec)
{
	struct cw_vb_console *c = calloc(1, sizeof *c);
	int port, err = 0;

	if (c == NULL)
		return NULL;
	c->in = c->out = c->listen_fd = c->slave = -1;
	if (strcmp(spec, "stdio") == 0) {
		c->in = STDIN_FILENO;
		c->out = STDOUT_FILENO;
		fcntl(c->in, F_SETFL, fcntl(c->in, F_GETFL) | O_NONBLOCK);
	} else if (strcmp(spec, "pty") == 0) {
		err = open_pty(c);
	} else if (sscanf(spec, "tcp:%d", &port) == 1 && port > 0 && port < 65536) {
		err = c->listen_fd = tcp_listen((uint16_t)port);
	} else if (strcmp(spec, "none") != 0) {
		errno = EINVAL;
		err = -1;
	}
	if (err < 0) {
		fprintf(stderr, "cardwright-board: --console %s: %s; give stdio, none, "
		    "pty or tcp:PORT\n", spec, strerror(errno));
		cw_vb_console_close(c);
		return NULL;
	}
	return c;
}

void
cw_vb_console_close(struct cw_vb_console *c)
{
	if (c == NULL)
		return;
	if (c->in > 2)
		close(c->in);
	if (c->listen_fd >= 0)
		close(c->listen_fd);
	if (c->slave >= 0)
		close(c->slave);
	free(c);
}

static void
hang_up(struct cw_vb_console *c)
{
	if (c->in > 2 && c->listen_fd >= 0)
		close(c->in);
	c->in = -1;
	if (c->listen_fd >= 0)
		c->out = -1;
}

static void
push_out(struct cw_vb_console *c)
{
	ssize_t n;

	while (c->out >= 0 && c->keep_len > 0) {
		n = write(c->out, c->keep, c->keep_len);
		if (n <= 0)
			return;
		c->keep_len -= (size_t)n;
		memmove(c->keep, c->keep + n, c->keep_len);
	}
}

void
cw_vb_console_write(struct cw_vb_console *c, const uint8_t *buf, size_t len)
{
	if (len > sizeof c->keep - c->keep_len)
		len = sizeof c->keep - c->keep_len;
	memcpy(c->keep + c->keep_len, buf, len);
	c->keep_len += len;
	push_out(c);
}

size_t
cw_vb_console_read(struct cw_vb_console *c, uint8_t *buf, size_t cap)
{
	int one = 1, fd;
	ssize_t n;

	if (c->listen_fd >= 0 && (fd = accept4(c->listen_fd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		hang_up(c);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		c->in = c->out = fd;
	}
	push_out(c);
	if (c->in < 0)
		return 0;
	n = read(c->in, buf, cap);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR && errno != EIO))
		hang_up(c);
	return n > 0 ? (size_t)n : 0;
}

int
cw_vb_console_fds(const struct cw_vb_console *c, struct pollfd *p, int max)
{
	const int fd[2] = { c->listen_fd, c->in };
	int i, n = 0;

	for (i = 0; i < 2 && n < max; i++) {
		if (fd[i] < 0)
			continue;
		p[n].fd = fd[i];
		p[n].events = POLLIN;
		p[n++].revents = 0;
	}
	return n;
}
