/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <modbus.h>

#include "host/log.h"
#include "sim/modbus_srv.h"

#define CLIENT_MAX 32
#define MBAP_LEN 6		/* up to and with the length field */
#define ADU_MAX 260		/* Modbus Messaging on TCP/IP, 4.1 */

struct client {
	struct cw_watch watch;
	struct cw_modbus_srv *srv;
	struct client *next;
	bool gone;
	size_t len;
	uint8_t buf[4 * ADU_MAX];
};

struct cw_modbus_srv {
	struct cw_modbus_srv_config cfg;
	struct cw_watch watch;
	modbus_t *mb;
	modbus_mapping_t map;
	struct client *first;
	int client_cnt;
};

static void
hang_up(struct client *c)
{
	if (c->gone)
		return;
	c->gone = true;
	epoll_ctl(c->srv->cfg.epoll_fd, EPOLL_CTL_DEL, c->watch.fd, NULL);
	close(c->watch.fd);
}

/*
 * Length of a request by its function code, from the MBAP header on; 0: not a
 * function of this server.  libmodbus reads fields by these positions.
 */
static size_t
adu_len(const uint8_t *q, size_t len)
{
	switch (q[7]) {
	case MODBUS_FC_READ_HOLDING_REGISTERS:
	case MODBUS_FC_READ_INPUT_REGISTERS:
	case MODBUS_FC_WRITE_SINGLE_REGISTER:
		return 12;
	case MODBUS_FC_MASK_WRITE_REGISTER:
		return 14;
	case MODBUS_FC_WRITE_MULTIPLE_REGISTERS:
		return len > 12 && q[12] == 2 * (q[10] << 8 | q[11]) ?
		    13u + q[12] : SIZE_MAX;
	case MODBUS_FC_WRITE_AND_READ_REGISTERS:
		return len > 16 && q[16] == 2 * (q[14] << 8 | q[15]) ?
		    17u + q[16] : SIZE_MAX;
	default:
		return 0;
	}
}

/* One whole request. */
static void
serve(struct client *c, const uint8_t *adu, size_t len)
{
	struct cw_modbus_srv *s = c->srv;
	uint8_t q[ADU_MAX] = { 0 };
	size_t want;
	int rc;

	memcpy(q, adu, len);
	want = adu_len(q, len);
	modbus_set_socket(s->mb, c->watch.fd);
	if (want == 0)
		rc = modbus_reply_exception(s->mb, q,
		    MODBUS_EXCEPTION_ILLEGAL_FUNCTION);
	else if (want != len)
		rc = modbus_reply_exception(s->mb, q,
		    MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE);
	else
		rc = modbus_reply(s->mb, q, (int)len, &s->map);
	if (rc < 0) {
		hang_up(c);
		return;
	}
	if (want == len && q[7] != MODBUS_FC_READ_HOLDING_REGISTERS &&
	    q[7] != MODBUS_FC_READ_INPUT_REGISTERS)
		s->cfg.written(s->cfg.ctx);
}

static void
on_client(struct cw_watch *w, uint32_t events)
{
	struct client *c = w->ctx;
	size_t off = 0, len;
	ssize_t n;

	(void)events;
	if (c->gone)
		return;
	n = recv(w->fd, c->buf + c->len, sizeof c->buf - c->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->len += (size_t)n;

	while (!c->gone && c->len - off >= MBAP_LEN + 2) {
		const uint8_t *q = c->buf + off;

		len = MBAP_LEN + ((size_t)q[4] << 8 | q[5]);
		if (q[2] != 0 || q[3] != 0 || len < MBAP_LEN + 2 ||
		    len > ADU_MAX) {
			cw_log(CW_LOG_WARN, "modbus.garbage",
			    "protocol=%u length=%zu", q[2] << 8 | q[3], len);
			hang_up(c);
			return;
		}
		if (c->len - off < len)
			break;
		serve(c, q, len);
		off += len;
	}
	memmove(c->buf, c->buf + off, c->len - off);
	c->len -= off;
}

static void
on_connection(struct cw_watch *w, uint32_t events)
{
	struct cw_modbus_srv *s = w->ctx;
	struct epoll_event ev = { .events = EPOLLIN };
	struct client *c;
	int fd, one = 1;

	(void)events;
	fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	c = s->client_cnt < CLIENT_MAX ? calloc(1, sizeof *c) : NULL;
	if (c == NULL) {
		cw_log(CW_LOG_WARN, "modbus.full", "clients=%d", s->client_cnt);
		close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->srv = s;
	c->watch = (struct cw_watch){ on_client, c, fd };
	c->next = s->first;
	s->first = c;
	s->client_cnt++;
	ev.data.ptr = &c->watch;
	if (epoll_ctl(s->cfg.epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		hang_up(c);
}

struct cw_modbus_srv *
cw_modbus_srv_open(const struct cw_modbus_srv_config *cfg, char *err,
    size_t err_cap)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct cw_modbus_srv *s;
	int fd;

	if ((s = calloc(1, sizeof *s)) == NULL ||
	    (s->mb = modbus_new_tcp(cfg->ip, cfg->port)) == NULL) {
		snprintf(err, err_cap, "cannot serve %s:%u: %s", cfg->ip,
		    cfg->port, modbus_strerror(errno));
		free(s);
		return NULL;
	}
	s->cfg = *cfg;
	s->map.nb_registers = cfg->hold_cnt;
	s->map.tab_registers = cfg->hold;
	s->map.nb_input_registers = cfg->input_cnt;
	s->map.tab_input_registers = cfg->input;

	/* libmodbus sleeps this long after some bad requests. */
	modbus_set_response_timeout(s->mb, 0, 1);
	fd = modbus_tcp_listen(s->mb, 16);
	if (fd < 0) {
		snprintf(err, err_cap, "cannot listen on %s:%u: %s%s", cfg->ip,
		    cfg->port, modbus_strerror(errno), errno == EADDRINUSE ?
		    "; stop the program that holds it or choose another "
		    "--listen" : "");
		modbus_free(s->mb);
		free(s);
		return NULL;
	}
	s->watch = (struct cw_watch){ on_connection, s, fd };
	ev.data.ptr = &s->watch;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	(void)epoll_ctl(cfg->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	return s;
}

void
cw_modbus_srv_sweep(struct cw_modbus_srv *s)
{
	struct client **p = &s->first, *c;

	while ((c = *p) != NULL) {
		if (!c->gone) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		s->client_cnt--;
		free(c);
	}
}

void
cw_modbus_srv_close(struct cw_modbus_srv *s)
{
	struct client *c;

	for (c = s->first; c != NULL; c = c->next)
		hang_up(c);
	cw_modbus_srv_sweep(s);
	close(s->watch.fd);
	modbus_free(s->mb);
	free(s);
}
