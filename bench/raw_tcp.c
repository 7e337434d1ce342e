/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plain TCP on loopback carries, sender and receiver on one machine: the
 * limit beside which the image's way to the readers is held.
 *
 * usage: raw_tcp CONNECTIONS BYTES ROUNDS [sha256]
 *
 * A child process listens and reads everything; with sha256 it also digests
 * what it reads, which a reader must.  The parent writes BYTES to each of the
 * connections in pieces of 8 KiB, round robin, and waits for one byte of answer
 * from each.  Prints MB/s (10^6) per round.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "cw/sha256.h"

#define CONN_MAX 1024u
#define PIECE 8192u
#define RX_LEN 65536u

struct rx {
	unsigned long got;
	struct cw_sha256 sha;
};

static void
must(int res, const char *what)
{
	if (res < 0)
		bench_die("%s: %s", what, strerror(errno));
}

static void
receive(int fd, struct rx *r, unsigned long want, bool digest)
{
	static uint8_t buf[RX_LEN];
	uint8_t sum[CW_SHA256_LEN];
	ssize_t n = recv(fd, buf, sizeof buf, 0);

	if (n <= 0)
		_exit(0);
	if (digest)
		cw_sha256_update(&r->sha, buf, (size_t)n);
	r->got += (unsigned long)n;
	if (r->got < want)
		return;
	cw_sha256_final(&r->sha, sum);
	cw_sha256_init(&r->sha);
	r->got = 0;
	must((int)send(fd, sum, 1, MSG_NOSIGNAL), "send");
}

/* The receiving process: never returns. */
static void
receiver(int listener, unsigned int cnt, unsigned long want, bool digest)
{
	static struct rx rx[CONN_MAX];
	static int fd[CONN_MAX];
	struct epoll_event ev[64], one = { .events = EPOLLIN };
	int ep = epoll_create1(0), n;

	must(ep, "epoll");
	for (unsigned int i = 0; i < cnt; i++) {
		fd[i] = accept(listener, NULL, NULL);
		must(fd[i], "accept");
		cw_sha256_init(&rx[i].sha);
		one.data.u32 = i;
		must(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &one), "epoll_ctl");
	}
	for (;;) {
		n = epoll_wait(ep, ev, 64, -1);
		for (int i = 0; i < n; i++)
			receive(fd[ev[i].data.u32], &rx[ev[i].data.u32], want,
			    digest);
	}
}

/* One piece to each connection that has room, until all have theirs. */
static void
send_round(struct pollfd *p, unsigned int cnt, unsigned long bytes)
{
	static unsigned long sent[CONN_MAX];
	static const uint8_t piece[PIECE];
	unsigned int left = cnt;

	memset(sent, 0, sizeof sent);
	while (left > 0) {
		must(poll(p, cnt, -1), "poll");
		for (unsigned int i = 0; i < cnt; i++) {
			size_t n = bytes - sent[i] < PIECE ? bytes - sent[i] : PIECE;
			ssize_t k;

			if ((p[i].revents & POLLOUT) == 0)
				continue;
			k = send(p[i].fd, piece, n, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (k < 0 && errno != EAGAIN)
				must(-1, "send");
			sent[i] += k > 0 ? (unsigned long)k : 0;
			if (k > 0 && sent[i] == bytes) {
				p[i].events = 0;
				left--;
			}
		}
	}
	for (unsigned int i = 0; i < cnt; i++) {
		char c;

		if (recv(p[i].fd, &c, 1, 0) != 1)
			bench_die("the receiver ended");
		p[i].events = POLLOUT;
	}
}

int
main(int argc, char **argv)
{
	unsigned int cnt = (unsigned int)bench_arg(argc, argv, 1, CONN_MAX);
	unsigned long bytes = bench_arg(argc, argv, 2, 1ul << 30);
	unsigned long rounds = bench_arg(argc, argv, 3, 100000);
	bool digest = argc > 4 && strcmp(argv[4], "sha256") == 0;
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof sa;
	static struct pollfd p[CONN_MAX];
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	pid_t child;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(listener, "socket");
	must(bind(listener, (struct sockaddr *)&sa, sizeof sa), "bind");
	must(listen(listener, (int)cnt), "listen");
	must(getsockname(listener, (struct sockaddr *)&sa, &len), "getsockname");
	child = fork();
	must(child, "fork");
	if (child == 0)
		receiver(listener, cnt, bytes, digest);
	for (unsigned int i = 0; i < cnt; i++) {
		p[i].fd = socket(AF_INET, SOCK_STREAM, 0);
		p[i].events = POLLOUT;
		must(p[i].fd, "socket");
		must(connect(p[i].fd, (struct sockaddr *)&sa, sizeof sa), "connect");
		setsockopt(p[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	for (unsigned long r = 0; r < rounds; r++) {
		double start = bench_now();

		send_round(p, cnt, bytes);
		printf("raw_tcp_mb %.1f\n", (double)cnt * (double)bytes / 1e6 /
		    (bench_now() - start));
	}
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return 0;
}
