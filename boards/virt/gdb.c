/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gdb.h"

#define PACKET 4096
#define REGS 17		/* r0 to r15, xPSR */

struct cw_vb_gdb {
	struct cw_vb *vb;
	int fd;
	bool held;		/* the board stands */
	char in[PACKET];
	size_t in_len;
};

static const char target_xml[] =
"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
"<architecture>arm</architecture><feature name=\"org.gnu.gdb.arm.m-profile\">"
"<reg name=\"r0\" bitsize=\"32\"/><reg name=\"r1\" bitsize=\"32\"/>"
"<reg name=\"r2\" bitsize=\"32\"/><reg name=\"r3\" bitsize=\"32\"/>"
"<reg name=\"r4\" bitsize=\"32\"/><reg name=\"r5\" bitsize=\"32\"/>"
"<reg name=\"r6\" bitsize=\"32\"/><reg name=\"r7\" bitsize=\"32\"/>"
"<reg name=\"r8\" bitsize=\"32\"/><reg name=\"r9\" bitsize=\"32\"/>"
"<reg name=\"r10\" bitsize=\"32\"/><reg name=\"r11\" bitsize=\"32\"/>"
"<reg name=\"r12\" bitsize=\"32\"/>"
"<reg name=\"sp\" bitsize=\"32\" type=\"data_ptr\"/><reg name=\"lr\" bitsize=\"32\"/>"
"<reg name=\"pc\" bitsize=\"32\" type=\"code_ptr\"/><reg name=\"xpsr\" bitsize=\"32\"/>"
"</feature></target>";

/* ---- packets ------------------------------------------------------------- */

static void
gone(struct cw_vb_gdb *g)
{
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
	g->held = false;
	cw_vb_break_clear(g->vb);
}

static void
reply(struct cw_vb_gdb *g, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
reply(struct cw_vb_gdb *g, const char *fmt, ...)
{
	char body[PACKET], out[PACKET + 8];
	unsigned sum = 0;
	va_list ap;
	int i, n;

	va_start(ap, fmt);
	n = vsnprintf(body, sizeof body, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof body)
		n = 0;
	for (i = 0; i < n; i++)
		sum += (uint8_t)body[i];
	body[n] = '\0';
	n = snprintf(out, sizeof out, "$%s#%02x", body, sum & 0xFF);
	if (g->fd >= 0 && send(g->fd, out, (size_t)n, MSG_NOSIGNAL) != n)
		gone(g);
}

static void
hex(char *to, const uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		sprintf(to + 2 * i, "%02x", buf[i]);
	to[2 * len] = '\0';
}

static size_t
unhex(uint8_t *to, const char *text, size_t cap)
{
	unsigned v;
	size_t n;

	for (n = 0; n < cap && sscanf(text + 2 * n, "%2x", &v) == 1; n++)
		to[n] = (uint8_t)v;
	return n;
}

/* ---- commands ------------------------------------------------------------ */

static void
read_regs(struct cw_vb_gdb *g)
{
	uint32_t r[REGS];
	char text[8 * REGS + 1];
	int i;

	for (i = 0; i < REGS; i++)
		r[i] = cw_vb_reg(g->vb, i);
	hex(text, (const uint8_t *)r, sizeof r);
	reply(g, "%s", text);
}

static void
write_regs(struct cw_vb_gdb *g, const char *text)
{
	uint32_t r[REGS];
	int i;

	if (unhex((uint8_t *)r, text, sizeof r) != sizeof r) {
		reply(g, "E01");
		return;
	}
	for (i = 0; i < REGS; i++)
		cw_vb_reg_set(g->vb, i, r[i]);
	reply(g, "OK");
}

static void
one_reg(struct cw_vb_gdb *g, const char *text)
{
	unsigned n = 0;
	uint32_t v = 0;
	const char *eq = strchr(text, '=');
	char out[9];

	if (sscanf(text, "%x", &n) != 1 || n >= REGS) {
		reply(g, "E01");
	} else if (eq == NULL) {
		v = cw_vb_reg(g->vb, (int)n);
		hex(out, (const uint8_t *)&v, 4);
		reply(g, "%s", out);
	} else if (unhex((uint8_t *)&v, eq + 1, 4) == 4) {
		cw_vb_reg_set(g->vb, (int)n, v);
		reply(g, "OK");
	} else {
		reply(g, "E01");
	}
}

static void
read_mem(struct cw_vb_gdb *g, const char *text)
{
	uint8_t buf[1024];
	char out[2 * sizeof buf + 1];
	unsigned addr, len;

	if (sscanf(text, "%x,%x", &addr, &len) != 2 || len > sizeof buf ||
	    cw_vb_mem(g->vb, addr, buf, len) < 0) {
		reply(g, "E14");
		return;
	}
	hex(out, buf, len);
	reply(g, "%s", out);
}

static void
write_mem(struct cw_vb_gdb *g, const char *text)
{
	uint8_t buf[1024];
	unsigned addr, len;
	const char *colon = strchr(text, ':');

	if (colon == NULL || sscanf(text, "%x,%x", &addr, &len) != 2 ||
	    len > sizeof buf || unhex(buf, colon + 1, len) != len ||
	    cw_vb_mem_set(g->vb, addr, buf, len) < 0)
		reply(g, "E14");
	else
		reply(g, "OK");
}

static void
breakpoint(struct cw_vb_gdb *g, const char *text)
{
	unsigned kind, addr;

	if (sscanf(text + 1, "%u,%x", &kind, &addr) != 2 || kind > 1)
		reply(g, "%s", "");
	else if (cw_vb_break_set(g->vb, addr, text[0] == 'Z') < 0)
		reply(g, "E28");
	else
		reply(g, "OK");
}

static void
features(struct cw_vb_gdb *g, const char *text)
{
	unsigned off = 0, len = 0;
	size_t left;

	if (sscanf(text, "%x,%x", &off, &len) != 2 || off >= sizeof target_xml) {
		reply(g, "l");
		return;
	}
	left = sizeof target_xml - 1 - off;
	if (len > 1024)
		len = 1024;
	reply(g, "%c%.*s", left > len ? 'm' : 'l', (int)(left > len ? len : left),
	    target_xml + off);
}

static void
query(struct cw_vb_gdb *g, const char *text)
{
	char cmd[64] = "";

	if (strncmp(text, "qSupported", 10) == 0) {
		reply(g, "PacketSize=%x;qXfer:features:read+", PACKET / 2);
	} else if (strncmp(text, "qXfer:features:read:target.xml:", 31) == 0) {
		features(g, text + 31);
	} else if (strncmp(text, "qRcmd,", 6) == 0) {
		unhex((uint8_t *)cmd, text + 6, sizeof cmd - 1);
		if (strcmp(cmd, "reset") == 0) {
			cw_vb_reset(g->vb);
			reply(g, "OK");
		} else {
			reply(g, "E01");
		}
	} else if (strcmp(text, "qAttached") == 0) {
		reply(g, "1");
	} else {
		reply(g, "%s", "");
	}
}

static void
step(struct cw_vb_gdb *g)
{
	enum cw_vb_stop stop = cw_vb_step(g->vb);

	reply(g, stop == CW_VB_BREAK ? "S05" : "S0b");
}

static void
command(struct cw_vb_gdb *g, const char *text)
{
	switch (text[0]) {
	case '?': reply(g, "S05"); break;
	case 'g': read_regs(g); break;
	case 'G': write_regs(g, text + 1); break;
	case 'p': case 'P': one_reg(g, text + 1); break;
	case 'm': read_mem(g, text + 1); break;
	case 'M': write_mem(g, text + 1); break;
	case 'Z': case 'z': breakpoint(g, text); break;
	case 'q': query(g, text); break;
	case 's': step(g); break;
	case 'c': g->held = false; break;
	case 'H': reply(g, "OK"); break;
	case 'D':
		reply(g, "OK");
		gone(g);
		break;
	case 'k': gone(g); break;
	default: reply(g, "%s", ""); break;
	}
}

/* ---- bytes --------------------------------------------------------------- */

/* One packet off the front, or what stands between packets. */
static bool
take(struct cw_vb_gdb *g)
{
	char *end, text[PACKET];
	size_t n;

	if (g->in_len == 0)
		return false;
	if (g->in[0] != '$') {
		if (g->in[0] == 3 && !g->held) {
			g->held = true;
			reply(g, "S02");
		}
		n = 1;
	} else {
		end = memchr(g->in, '#', g->in_len);
		if (end == NULL || (size_t)(end - g->in) + 3 > g->in_len)
			return false;
		n = (size_t)(end - g->in) + 3;
		memcpy(text, g->in + 1, n - 4);
		text[n - 4] = '\0';
		if (send(g->fd, "+", 1, MSG_NOSIGNAL) != 1)
			gone(g);
		else
			command(g, text);
	}
	g->in_len -= n;
	memmove(g->in, g->in + n, g->in_len);
	return true;
}

static void
listen_to(struct cw_vb_gdb *g, int wait_ms)
{
	struct pollfd p = { .fd = g->fd, .events = POLLIN };
	ssize_t n;

	if (g->fd < 0 || poll(&p, 1, wait_ms) <= 0)
		return;
	n = recv(g->fd, g->in + g->in_len, sizeof g->in - g->in_len, 0);
	if (n <= 0) {
		gone(g);
		return;
	}
	g->in_len += (size_t)n;
	while (g->fd >= 0 && take(g))
		;
	if (g->in_len == sizeof g->in)
		g->in_len = 0;
}

struct cw_vb_gdb *
cw_vb_gdb_open(struct cw_vb *vb, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct cw_vb_gdb *g = calloc(1, sizeof *g);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_port = htons(port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (g != NULL && fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		g->vb = vb;
		g->held = true;
		g->fd = -1;
		if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0) {
			fprintf(stderr, "cardwright-board: waiting for gdb at 127.0.0.1:%u\n",
			    port);
			g->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		}
	}
	if (fd >= 0)
		close(fd);
	if (g == NULL || g->fd < 0) {
		fprintf(stderr, "cardwright-board: --gdb %u: %s\n", port, strerror(errno));
		free(g);
		return NULL;
	}
	setsockopt(g->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return g;
}

void
cw_vb_gdb_close(struct cw_vb_gdb *g)
{
	if (g == NULL)
		return;
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

enum cw_vb_stop
cw_vb_gdb_run(struct cw_vb_gdb *g, uint64_t until)
{
	enum cw_vb_stop stop;

	listen_to(g, g->held ? 100 : 0);
	if (g->held)
		return CW_VB_UNTIL;
	stop = cw_vb_run(g->vb, until);
	if (g->fd < 0 || stop == CW_VB_UNTIL || stop == CW_VB_CUT)
		return stop;
	/* gdb sees what stopped it before the program ends. */
	g->held = true;
	reply(g, stop == CW_VB_BREAK ? "S05" : "S0b");
	if (stop == CW_VB_TRAP)
		fprintf(stderr, "cardwright-board: stopped: %s\n", cw_vb_message(g->vb));
	return CW_VB_UNTIL;
}
