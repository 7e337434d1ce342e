/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <modbus.h>

#include "cw/err.h"
#include "terminal/devlink/devlink.h"

/*
 * A machine of two stations in a thread of its own, served by libmodbus.  It
 * carries commands out at once; what it does wrong is told by `how`.
 */
struct machine {
	pthread_t thread;
	pthread_mutex_t lock;
	int listener, fd;
	uint16_t port;
	modbus_t *bus;
	modbus_mapping_t *map;
	bool stop, frozen;
	uint16_t version, stations, boot;
	uint16_t feeds, beats;
	uint16_t bits;
};

static void
serve(struct machine *m, const uint8_t *req, int len)
{
	uint16_t *in = m->map->tab_input_registers, *out = m->map->tab_registers;
	int i;

	pthread_mutex_lock(&m->lock);
	in[0] = m->version;
	if (!m->frozen)
		in[1]++;
	in[2] = m->stations;
	in[3] = 1;
	in[10] = m->boot;
	modbus_reply(m->bus, req, len, m->map);
	m->beats = out[0];
	m->bits = out[1];
	for (i = 0; i < 2; i++) {
		if (in[21 + 8 * i] == out[10 + 4 * i])
			continue;
		in[21 + 8 * i] = out[10 + 4 * i];
		in[20 + 8 * i] = out[11 + 4 * i] == 1 ? 2 : 0;
		m->feeds = (uint16_t)(m->feeds + (out[11 + 4 * i] == 1));
		in[5] = m->feeds;
	}
	pthread_mutex_unlock(&m->lock);
}

static void *
machine_main(void *arg)
{
	struct machine *m = arg;
	uint8_t req[MODBUS_TCP_MAX_ADU_LENGTH];
	int n, fd;

	while ((fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_mutex_lock(&m->lock);
		m->fd = fd;
		modbus_set_socket(m->bus, fd);
		pthread_mutex_unlock(&m->lock);
		while ((n = modbus_receive(m->bus, req)) >= 0)
			serve(m, req, n);
		pthread_mutex_lock(&m->lock);
		close(fd);
		m->fd = -1;
		pthread_mutex_unlock(&m->lock);
	}
	return NULL;
}

static void
machine_open(struct machine *m, int registers)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	*m = (struct machine){ .fd = -1, .version = 1, .stations = 2,
		.boot = 1 };
	pthread_mutex_init(&m->lock, NULL);
	m->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(m->listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(m->listener, 4), 0);
	getsockname(m->listener, (struct sockaddr *)&sa, &len);
	m->port = ntohs(sa.sin_port);
	m->bus = modbus_new_tcp("127.0.0.1", m->port);
	m->map = modbus_mapping_new(0, 0, 100, 100);
	m->map->nb_input_registers = registers;
	assert_int_equal(pthread_create(&m->thread, NULL, machine_main, m), 0);
}

static void
machine_cut(struct machine *m)
{
	pthread_mutex_lock(&m->lock);
	if (m->fd >= 0)
		shutdown(m->fd, SHUT_RDWR);
	pthread_mutex_unlock(&m->lock);
}

static void
machine_close(struct machine *m)
{
	shutdown(m->listener, SHUT_RDWR);
	machine_cut(m);
	pthread_join(m->thread, NULL);
	close(m->listener);
	modbus_mapping_free(m->map);
	modbus_free(m->bus);
	pthread_mutex_destroy(&m->lock);
}

/* ---- the terminal's side ---- */

struct side {
	uv_loop_t loop;
	uv_timer_t guard;
	struct cw_devmap *map;
	struct cw_devlink *link;
	struct cw_dev_view v;
	char why[200];
	unsigned int readings, downs;
	bool closed, expired;
};

static void
on_view(void *ctx, const struct cw_dev_view *v, const char *why)
{
	struct side *s = ctx;

	s->readings++;
	s->downs += !v->up;
	memcpy(&s->v, v, sizeof(*v));
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void
on_closed(void *ctx)
{
	struct side *s = ctx;

	s->closed = true;
}

static void
on_guard(uv_timer_t *t)
{
	((struct side *)t->data)->expired = true;
}

static void
side_open(struct side *s, uint16_t port, uint16_t station_min)
{
	static char text[8192];
	struct cw_devlink_config cfg = { .map = NULL, .ip = "127.0.0.1",
		.port = port, .station_min = station_min, .view = on_view,
		.closed = on_closed, .ctx = s };
	FILE *f = fopen(PROFILES "/device/generic.ini", "r");
	char err[256] = "", *at;
	size_t n;

	/* The generic profile with short times. */
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	at = strstr(text, "dead_ms = 3000");
	memcpy(at, "dead_ms = 0100", 14);
	at = strstr(text, "retry_ms = 500");
	memcpy(at, "retry_ms = 005", 14);

	memset(s, 0, sizeof(*s));
	uv_loop_init(&s->loop);
	uv_timer_init(&s->loop, &s->guard);
	s->guard.data = s;
	uv_timer_start(&s->guard, on_guard, 20000, 0);
	s->map = cw_devmap_parse("g.ini", text, n, err, sizeof(err));
	assert_string_equal(err, "");
	cfg.loop = &s->loop;
	cfg.map = s->map;
	s->link = cw_devlink_open(&cfg, err, sizeof(err));
	assert_non_null(s->link);
}

static void
side_close(struct side *s)
{
	cw_devlink_close(s->link);
	while (!s->closed && !s->expired)
		uv_run(&s->loop, UV_RUN_ONCE);
	assert_true(s->closed);
	uv_close((uv_handle_t *)&s->guard, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	cw_devmap_free(s->map);
}

static void
until_up(struct side *s, bool up)
{
	do {
		uv_run(&s->loop, UV_RUN_ONCE);
	} while (!s->expired && (s->readings == 0 || s->v.up != up));
	assert_false(s->expired);
}

static void
until_why(struct side *s, const char *why)
{
	while (!s->expired && strstr(s->why, why) == NULL)
		uv_run(&s->loop, UV_RUN_ONCE);
	if (s->expired)
		fail_msg("'%s' instead of '%s'", s->why, why);
	assert_false(s->v.up);
}

static void
until_done(struct side *s, unsigned int station, uint16_t seq)
{
	while (!s->expired && s->v.st[station].seq_done != seq)
		uv_run(&s->loop, UV_RUN_ONCE);
	assert_false(s->expired);
}

static void
test_commands(void **state)
{
	struct machine m;
	struct side s;
	struct cw_dev_cmd c = { 1, 1, CW_DEVCMD_FEED };
	uint16_t i;

	(void)state;
	machine_open(&m, 100);
	side_open(&s, m.port, 2);
	assert_int_equal(cw_devlink_cmd(s.link, &c), CW_ECLOSED);
	cw_devlink_bits(s.link, CW_DEVBIT_RUN);
	until_up(&s, true);
	assert_int_equal(s.v.station_cnt, 2);
	assert_int_equal(s.v.machine_state, CW_DEV_IDLE);

	/* Each command once, however often it is repeated. */
	for (i = 1; i <= 100; i++) {
		c.seq = i;
		c.cmd = i % 2 ? CW_DEVCMD_FEED : CW_DEVCMD_GOOD;
		assert_int_equal(cw_devlink_cmd(s.link, &c), 0);
		assert_int_equal(cw_devlink_cmd(s.link, &c), 0);
		until_done(&s, 1, i);
		assert_int_equal(s.v.st[1].state, i % 2 ? CW_DEVST_CARD :
		    CW_DEVST_EMPTY);
		assert_int_equal(s.v.st[1].seq_written, i);
	}
	assert_int_equal(s.v.fed, 50);
	c.cmd = 9;
	assert_int_equal(cw_devlink_cmd(s.link, &c), CW_EINVAL);
	side_close(&s);
	pthread_mutex_lock(&m.lock);
	assert_int_equal(m.feeds, 50);
	assert_int_equal(m.bits, 1);
	assert_true(m.beats > 0);
	pthread_mutex_unlock(&m.lock);
	machine_close(&m);
}

/* A cut link: down with the reason, up again, the sequence read back. */
static void
test_cut(void **state)
{
	struct machine m;
	struct side s;
	struct cw_dev_cmd c = { 0, 7, CW_DEVCMD_FEED };

	(void)state;
	machine_open(&m, 100);
	side_open(&s, m.port, 2);
	until_up(&s, true);
	assert_int_equal(cw_devlink_cmd(s.link, &c), 0);
	until_done(&s, 0, 7);
	machine_cut(&m);
	until_up(&s, false);
	assert_true(strstr(s.why, "read:") != NULL ||
	    strstr(s.why, "write:") != NULL);
	until_up(&s, true);
	assert_int_equal(s.v.st[0].seq_written, 7);
	side_close(&s);
	machine_close(&m);
}

static void
test_heartbeat_and_restart(void **state)
{
	struct machine m;
	struct side s;
	unsigned int downs;

	(void)state;
	machine_open(&m, 100);
	side_open(&s, m.port, 2);
	until_up(&s, true);
	pthread_mutex_lock(&m.lock);
	m.frozen = true;
	pthread_mutex_unlock(&m.lock);
	until_why(&s, "heartbeat stands still");
	pthread_mutex_lock(&m.lock);
	m.frozen = false;
	pthread_mutex_unlock(&m.lock);
	until_up(&s, true);

	/* However quickly it is back, the loop sees that it was away. */
	downs = s.downs;
	pthread_mutex_lock(&m.lock);
	m.boot = 2;
	pthread_mutex_unlock(&m.lock);
	while (!s.expired && !(s.v.up && s.v.boot_cnt == 2))
		uv_run(&s.loop, UV_RUN_ONCE);
	assert_false(s.expired);
	assert_true(s.downs > downs);
	side_close(&s);
	machine_close(&m);
}

static void
test_refused(void **state)
{
	struct machine m;
	struct side s;
	uint16_t port;

	(void)state;
	machine_open(&m, 100);
	m.version = 2;
	side_open(&s, m.port, 2);
	until_why(&s, "another map version than the profile generic");
	side_close(&s);
	machine_close(&m);

	machine_open(&m, 100);
	side_open(&s, m.port, 3);
	until_why(&s, "fewer stations than the line is configured for");
	side_close(&s);
	machine_close(&m);

	/* A machine without these registers. */
	machine_open(&m, 24);
	side_open(&s, m.port, 2);
	until_why(&s, "does the device profile generic fit this machine?");
	side_close(&s);
	port = m.port;
	machine_close(&m);

	side_open(&s, port, 2);
	until_why(&s, "Connection refused");
	side_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_heartbeat_and_restart),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("line/devlink", tests, NULL, NULL);
}
