/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cardwright reader scan`: asks every network of this machine, or one address,
 * for readers, and lists who answers (docs/spec/discovery.md).
 */
#include "cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "cw/bytes.h"
#include "cw/discover.h"
#include "cw/err.h"

#define ASK_CNT 3
#define ASK_MS 300		/* between questions */
#define WAIT_MS 1000		/* in all */
#define FOUND_MAX 4096

struct scan {
	int fd;
	uint64_t nonce;
	size_t cnt, to_cnt;
	unsigned int bad_cnt;
	struct sockaddr_in to[64];
	struct cw_disc_info *found;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
ask_at(struct scan *s, in_addr_t addr)
{
	if (s->to_cnt == sizeof(s->to) / sizeof(s->to[0]))
		return;
	for (size_t i = 0; i < s->to_cnt; i++)
		if (s->to[i].sin_addr.s_addr == addr)
			return;
	s->to[s->to_cnt++] = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(CW_DISC_PORT), .sin_addr = { addr } };
}

/* The broadcast address of each network, of loopback too. */
static void
ask_everywhere(struct scan *s)
{
	struct ifaddrs *list, *i;

	if (getifaddrs(&list) < 0)
		return;
	for (i = list; i != NULL; i = i->ifa_next) {
		struct sockaddr_in *a = (struct sockaddr_in *)i->ifa_addr;
		struct sockaddr_in *mask = (struct sockaddr_in *)i->ifa_netmask;

		if (a == NULL || mask == NULL || a->sin_family != AF_INET ||
		    (i->ifa_flags & IFF_UP) == 0 ||
		    (i->ifa_flags & (IFF_BROADCAST | IFF_LOOPBACK)) == 0)
			continue;
		ask_at(s, a->sin_addr.s_addr | ~mask->sin_addr.s_addr);
	}
	freeifaddrs(list);
}

/* How many of the addresses could be sent to. */
static size_t
ask(const struct scan *s)
{
	uint8_t buf[CW_DISC_LEN];
	size_t sent = 0;

	cw_disc_put_request(buf, s->nonce);
	for (size_t i = 0; i < s->to_cnt; i++)
		if (sendto(s->fd, buf, sizeof(buf), 0, (const struct sockaddr *)
		    &s->to[i], sizeof(s->to[i])) == (ssize_t)sizeof(buf))
			sent++;
	return sent;
}

static void
take(struct scan *s)
{
	uint8_t buf[CW_DISC_LEN + 1];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct cw_disc_info i;
	uint64_t nonce;
	ssize_t n = recvfrom(s->fd, buf, sizeof(buf), 0,
	    (struct sockaddr *)&from, &from_len);

	if (n < 0)
		return;
	if (cw_disc_get_answer(&i, &nonce, buf, (size_t)n) < 0 ||
	    nonce != s->nonce) {
		s->bad_cnt++;
		return;
	}
	if (i.addr == 0)
		i.addr = ntohl(from.sin_addr.s_addr);
	for (size_t k = 0; k < s->cnt; k++)
		if (s->found[k].addr == i.addr && s->found[k].port == i.port)
			return;
	if (s->cnt < FOUND_MAX)
		s->found[s->cnt++] = i;
}

static int
by_address(const void *a, const void *b)
{
	const struct cw_disc_info *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

static void
print_one(struct cw_cli *cli, json_t *list, const struct cw_disc_info *i)
{
	struct in_addr a = { htonl(i->addr) };
	char serial[33], boot[17], addr[32], ip[INET_ADDRSTRLEN];
	const char *link = i->link == CW_DISC_LINK_TLS ? "tls" : "plain";

	cw_hex(serial, i->serial, sizeof(i->serial));
	inet_ntop(AF_INET, &a, ip, sizeof(ip));
	snprintf(addr, sizeof(addr), "%s:%u", ip, i->port);
	snprintf(boot, sizeof(boot), "%016llx", (unsigned long long)i->boot_id);
	if (cli->json) {
		json_array_append_new(list, json_pack(
		    "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i}",
		    "address", ip, "port", i->port, "serial", serial, "state",
		    cw_disc_state_name(i->state), "link", link, "identity",
		    i->identity, "firmware", i->firmware, "boot", boot, "name",
		    i->name, "slots", i->slot_cnt));
		return;
	}
	printf("%-21s %-6s %-5s ", addr, cw_disc_state_name(i->state), link);
	cw_cli_put_text(i->identity[0] != '\0' ? i->identity : "-", 21);
	putchar(' ');
	cw_cli_put_text(i->firmware, 22);
	printf(" %s ", serial);
	cw_cli_put_text(strcmp(i->name, addr) != 0 ? i->name : "", 0);
	putchar('\n');
}

static int
print_all(struct cw_cli *cli, struct scan *s)
{
	json_t *list = json_array();

	qsort(s->found, s->cnt, sizeof(s->found[0]), by_address);
	if (!cli->json && s->cnt > 0)
		printf("%-21s %-6s %-5s %-21s %-22s %-32s %s\n", "ADDRESS",
		    "STATE", "LINK", "IDENTITY", "FIRMWARE", "SERIAL", "NAME");
	for (size_t i = 0; i < s->cnt; i++)
		print_one(cli, list, &s->found[i]);
	if (cli->json)
		cw_cli_print_json(json_pack("{s:O, s:i}", "readers", list,
		    "malformed", (int)s->bad_cnt));
	json_decref(list);
	if (s->cnt > 0)
		return CW_EXIT_OK;
	return cw_cli_fail(CW_EXIT_CONNECT, "no reader answered; is it on this "
	    "network, and port %d/udp open? --address asks one across a router",
	    CW_DISC_PORT);
}

static int
scan_open(struct scan *s, const char *address)
{
	struct in_addr a;
	int on = 1;

	if (address != NULL && inet_pton(AF_INET, address, &a) != 1)
		return cw_cli_fail(CW_EXIT_USAGE, "--address %s: not an IPv4 "
		    "address such as 192.0.2.1", address);
	if (address != NULL)
		ask_at(s, a.s_addr);
	else
		ask_everywhere(s);
	s->found = calloc(FOUND_MAX, sizeof(*s->found));
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->found == NULL || s->fd < 0 || setsockopt(s->fd, SOL_SOCKET,
	    SO_BROADCAST, &on, sizeof(on)) < 0 ||
	    RAND_bytes((unsigned char *)&s->nonce, sizeof(s->nonce)) != 1)
		return cw_cli_fail(CW_EXIT_CONNECT, "no socket: %s",
		    strerror(errno));
	return CW_EXIT_OK;
}

int
cw_scan_run(struct cw_cli *cli)
{
	struct scan s = { .fd = -1 };
	int code = scan_open(&s, cw_opt_get(&cli->args, CW_OPT_ADDRESS));
	int64_t start = now_ms(), t;
	unsigned int asked = 0;
	size_t sent = 0;

	while (code == CW_EXIT_OK && (t = now_ms() - start) < WAIT_MS) {
		int64_t due = asked < ASK_CNT ? asked * ASK_MS : WAIT_MS;
		struct pollfd p = { .fd = s.fd, .events = POLLIN };

		if (t >= due) {
			sent += ask(&s);
			asked++;
		} else if (poll(&p, 1, (int)(due - t)) > 0) {
			take(&s);
		}
	}
	if (code == CW_EXIT_OK && sent == 0)
		code = cw_cli_fail(CW_EXIT_CONNECT, "nothing could be sent: %s",
		    s.to_cnt == 0 ? "this machine has no network" : strerror(errno));
	else if (code == CW_EXIT_OK)
		code = print_all(cli, &s);
	free(s.found);
	if (s.fd >= 0)
		close(s.fd);
	return code;
}
