/* SPDX-License-Identifier: Apache-2.0 */
#include "devlink.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <modbus.h>

#include "cw/err.h"

#define QUEUE_CAP 2048		/* twice the stations of the largest machine */
#define IP_MAX 46
#define WHY_MAX 160
#define TORN_MAX 3		/* readings in a row that may fall between changes */

/*
 * Two threads share what stands under `lock`; the rest belongs to the one that
 * it is named for.
 */
struct cw_devlink {
	/* loop's thread */
	uv_async_t async;
	struct cw_devlink_config cfg;
	struct cw_dev_view told;
	pthread_t thread;

	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct cw_dev_cmd queue[QUEUE_CAP];
	unsigned int head, cnt;
	uint8_t bits;
	bool bits_due;		/* to be written */
	bool stop, ended;
	bool fresh;		/* view is newer than told */
	struct cw_dev_view view;
	char why[WHY_MAX];

	/* link's thread */
	char ip[IP_MAX];
	modbus_t *bus;		/* NULL while not connected */
	struct cw_devregs regs;
	struct cw_devmap_range range[CW_DEVMAP_RANGES_MAX];
	int range_cnt;
	struct cw_devwatch watch;
	struct cw_dev_view now;
	uint16_t beat;
	uint64_t beat_due_us;
};

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- link's thread: telling the loop ---- */

static bool
same_view(const struct cw_dev_view *a, const struct cw_dev_view *b)
{
	size_t head = offsetof(struct cw_dev_view, st);

	return memcmp(a, b, head) == 0 && memcmp(a->st, b->st,
	    a->station_cnt * sizeof(a->st[0])) == 0;
}

static void
publish(struct cw_devlink *l, bool up, const char *why)
{
	bool news;

	l->now.up = up;
	pthread_mutex_lock(&l->lock);
	news = !same_view(&l->view, &l->now) || strcmp(l->why, why) != 0;

	/* That the device was down must reach the loop before that it is up
	 * again: the loop has not taken it yet, so this reading waits. */
	if (l->fresh && !l->view.up && up)
		news = false;
	if (news) {
		memcpy(&l->view, &l->now, offsetof(struct cw_dev_view, st) +
		    l->now.station_cnt * sizeof(l->now.st[0]));
		snprintf(l->why, sizeof(l->why), "%s", why);
		l->fresh = true;
	}
	if (!up)
		l->cnt = 0;
	pthread_mutex_unlock(&l->lock);
	if (news)
		uv_async_send(&l->async);
}

/* ---- link's thread: Modbus ---- */

static void
bus_close(struct cw_devlink *l)
{
	if (l->bus == NULL)
		return;
	modbus_close(l->bus);
	modbus_free(l->bus);
	l->bus = NULL;
	cw_devregs_fini(&l->regs);
}

/* The link fails at `what`; the next turn connects anew. */
static int
bus_failed(struct cw_devlink *l, const char *what)
{
	char why[WHY_MAX];
	int e = errno;

	if (e == EMBXILADD || e == EMBXILFUN)
		snprintf(why, sizeof(why), "%s:%u: %s: %s; does the device "
		    "profile %.40s fit this machine?", l->ip, l->cfg.port, what,
		    modbus_strerror(e), cw_devmap_name(l->cfg.map));
	else
		snprintf(why, sizeof(why), "%s:%u: %s: %s", l->ip, l->cfg.port,
		    what, modbus_strerror(e));
	bus_close(l);
	publish(l, false, why);
	return CW_EIO;
}

static int
bus_read(struct cw_devlink *l, const struct cw_devmap_range *g)
{
	uint16_t val[CW_DEVMAP_READ_MAX];
	int n;

	n = g->hold ? modbus_read_registers(l->bus, g->addr, g->cnt, val) :
	    modbus_read_input_registers(l->bus, g->addr, g->cnt, val);
	if (n != g->cnt)
		return bus_failed(l, "read");
	cw_devregs_put(&l->regs, g, val);
	return CW_OK;
}

static int
bus_write(struct cw_devlink *l, const struct cw_devmap_write *w)
{
	const struct cw_devmap_range g = { true, w->addr, w->cnt };

	if (modbus_write_registers(l->bus, w->addr, w->cnt, w->val) != w->cnt)
		return bus_failed(l, "write");
	cw_devregs_put(&l->regs, &g, w->val);
	return CW_OK;
}

static int
read_all(struct cw_devlink *l, int cnt)
{
	int i, res;

	for (i = 0; i < cnt; i++) {
		if ((res = bus_read(l, &l->range[i])) < 0)
			return res;
	}
	return CW_OK;
}

/* Version and station count, then room and plan for all of them. */
static int
bus_hello(struct cw_devlink *l)
{
	const struct cw_devmap *m = l->cfg.map;
	uint16_t stations;
	char why[WHY_MAX];
	int n, res;

	if (cw_devregs_init(&l->regs, m, 0) < 0)
		return CW_ENOMEM;
	n = cw_devmap_plan(m, 0, l->range, CW_DEVMAP_RANGES_MAX);
	if (n < 0 || (res = read_all(l, n)) < 0)
		return n < 0 ? n : res;
	res = cw_devmap_hello(m, &l->regs, &stations);
	if (res < 0 || stations < l->cfg.station_min) {
		if (res == CW_EVERSION)
			snprintf(why, sizeof(why), "the device has another map "
			    "version than the profile %.40s",
			    cw_devmap_name(m));
		else
			snprintf(why, sizeof(why), "the device has %s stations "
			    "than the line is configured for",
			    res < 0 ? "no or more" : "fewer");
		bus_close(l);
		publish(l, false, why);
		return CW_ERANGE;
	}

	cw_devregs_fini(&l->regs);
	if (cw_devregs_init(&l->regs, m, stations) < 0)
		return CW_ENOMEM;
	l->now.station_cnt = stations;
	n = cw_devmap_plan_own(m, stations, l->range, CW_DEVMAP_RANGES_MAX);
	if (n < 0 || (res = read_all(l, n)) < 0)
		return n < 0 ? n : res;
	l->range_cnt = cw_devmap_plan(m, stations, l->range,
	    CW_DEVMAP_RANGES_MAX);
	return l->range_cnt < 0 ? l->range_cnt : CW_OK;
}

static int
bus_open(struct cw_devlink *l)
{
	const struct cw_devmap_times *t = cw_devmap_times(l->cfg.map);
	char port[8];
	int res;

	snprintf(port, sizeof(port), "%u", l->cfg.port);
	l->bus = modbus_new_tcp_pi(l->ip, port);
	if (l->bus == NULL)
		return CW_ENOMEM;
	modbus_set_slave(l->bus, cw_devmap_unit(l->cfg.map));
	modbus_set_response_timeout(l->bus, t->timeout_us / 1000000,
	    t->timeout_us % 1000000);
	if (modbus_connect(l->bus) < 0)
		return bus_failed(l, "connect");
	cw_devwatch_reset(&l->watch);
	res = bus_hello(l);
	if (res < 0 && l->bus != NULL) {
		bus_close(l);
		publish(l, false, cw_err_text(res));
	}
	pthread_mutex_lock(&l->lock);
	l->bits_due = true;
	pthread_mutex_unlock(&l->lock);
	l->beat_due_us = 0;
	return res;
}

/*
 * A reading that takes several reads could fall between two changes: the
 * counters are read again behind the stations, and all is read anew when they
 * have moved meanwhile.
 */
static int
read_view(struct cw_devlink *l)
{
	const struct cw_devmap *m = l->cfg.map;
	uint32_t sum = 0;
	int turn, res;

	for (turn = 0; turn < TORN_MAX; turn++) {
		if ((res = read_all(l, l->range_cnt)) < 0)
			return res;
		cw_devmap_view(m, &l->regs, &l->now);
		if (l->range_cnt == 1)
			break;
		sum = l->now.fed + l->now.good + l->now.reject;
		if ((res = bus_read(l, &l->range[0])) < 0)
			return res;
		cw_devmap_view(m, &l->regs, &l->now);
		if (sum == l->now.fed + l->now.good + l->now.reject)
			break;
	}
	return CW_OK;
}

/* ---- link's thread: the loop ---- */

static int
write_command(struct cw_devlink *l, const struct cw_dev_cmd *c)
{
	struct cw_devmap_write w[2];
	int n = cw_devmap_cmd(l->cfg.map, c, w), i, res;

	for (i = 0; i < n; i++) {
		if ((res = bus_write(l, &w[i])) < 0)
			return res;
	}
	return CW_OK;
}

static bool
take_command(struct cw_devlink *l, struct cw_dev_cmd *c)
{
	bool any;

	pthread_mutex_lock(&l->lock);
	any = l->cnt > 0;
	if (any) {
		*c = l->queue[l->head];
		l->head = (l->head + 1) % QUEUE_CAP;
		l->cnt--;
	}
	pthread_mutex_unlock(&l->lock);
	return any;
}

static int
write_due(struct cw_devlink *l, uint64_t now)
{
	struct cw_devmap_write w;
	struct cw_dev_cmd c;
	bool bits_due;
	uint8_t bits;
	int res;

	pthread_mutex_lock(&l->lock);
	bits_due = l->bits_due;
	bits = l->bits;
	l->bits_due = false;
	pthread_mutex_unlock(&l->lock);
	if (bits_due && cw_devmap_bits(l->cfg.map, bits, &w) > 0 &&
	    (res = bus_write(l, &w)) < 0)
		return res;

	/* 0 is what stands in a register that nobody ever wrote. */
	if (now >= l->beat_due_us) {
		if (++l->beat == 0)
			l->beat = 1;
		if (cw_devmap_beat(l->cfg.map, l->beat, &w) > 0 &&
		    (res = bus_write(l, &w)) < 0)
			return res;
		l->beat_due_us = now + cw_devmap_times(l->cfg.map)->beat_us;
	}
	while (take_command(l, &c)) {
		if ((res = write_command(l, &c)) < 0)
			return res;
	}
	return CW_OK;
}

static bool
is_busy(const struct cw_dev_view *v)
{
	uint16_t i;

	for (i = 0; i < v->station_cnt; i++) {
		if (v->st[i].seq_written != v->st[i].seq_done ||
		    v->st[i].state == CW_DEVST_FEEDING ||
		    v->st[i].state == CW_DEVST_MOVING)
			return true;
	}
	return false;
}

/* One turn; how long to sleep after it. */
static uint32_t
link_turn(struct cw_devlink *l)
{
	const struct cw_devmap_times *t = cw_devmap_times(l->cfg.map);
	uint64_t now = now_us();
	const char *why;

	if (l->bus == NULL && bus_open(l) < 0)
		return t->retry_us;
	if (write_due(l, now) < 0 || read_view(l) < 0)
		return t->retry_us;
	why = cw_devwatch_step(&l->watch, l->cfg.map, &l->regs, now);
	publish(l, why == NULL, why == NULL ? "" : why);

	/* What stood in its holding registers is gone: begin anew. */
	if (l->watch.restarted) {
		bus_close(l);
		return t->busy_us;
	}
	return is_busy(&l->now) ? t->busy_us : t->poll_us;
}

static void *
link_main(void *arg)
{
	struct cw_devlink *l = arg;
	struct timespec ts;
	uint64_t due;
	bool stop = false;

	while (!stop) {
		due = now_us() + link_turn(l);
		ts.tv_sec = (time_t)(due / 1000000);
		ts.tv_nsec = (long)(due % 1000000) * 1000;

		/* A command is written at once, not at the next poll. */
		pthread_mutex_lock(&l->lock);
		while (!l->stop && (l->bus == NULL || l->cnt == 0)) {
			if (pthread_cond_timedwait(&l->wake, &l->lock, &ts) != 0)
				break;
		}
		stop = l->stop;
		pthread_mutex_unlock(&l->lock);
	}
	bus_close(l);
	pthread_mutex_lock(&l->lock);
	l->ended = true;
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->async);
	return NULL;
}

/* ---- loop's thread ---- */

static void
on_closed(uv_handle_t *h)
{
	struct cw_devlink *l = h->data;

	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->wake);
	if (l->cfg.closed != NULL)
		l->cfg.closed(l->cfg.ctx);
	free(l);
}

static void
on_async(uv_async_t *h)
{
	struct cw_devlink *l = h->data;
	char why[WHY_MAX];
	bool fresh, ended, stop;

	pthread_mutex_lock(&l->lock);
	fresh = l->fresh;
	ended = l->ended;
	stop = l->stop;
	l->fresh = false;
	if (fresh) {
		memcpy(&l->told, &l->view, sizeof(l->told));
		memcpy(why, l->why, sizeof(why));
	}
	pthread_mutex_unlock(&l->lock);
	if (fresh && !stop)
		l->cfg.view(l->cfg.ctx, &l->told, why);
	if (ended && !uv_is_closing((uv_handle_t *)h)) {
		pthread_join(l->thread, NULL);
		uv_close((uv_handle_t *)h, on_closed);
	}
}

static void
init_wake(struct cw_devlink *l)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &attr);
	pthread_condattr_destroy(&attr);
}

struct cw_devlink *
cw_devlink_open(const struct cw_devlink_config *cfg, char *err, size_t err_cap)
{
	struct cw_devlink *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		snprintf(err, err_cap, "%s", cw_err_text(CW_ENOMEM));
		return NULL;
	}
	l->cfg = *cfg;
	snprintf(l->ip, sizeof(l->ip), "%s", cfg->ip);
	l->cfg.ip = l->ip;
	snprintf(l->why, sizeof(l->why), "not connected yet");
	init_wake(l);
	l->async.data = l;
	if (uv_async_init(cfg->loop, &l->async, on_async) < 0 ||
	    pthread_create(&l->thread, NULL, link_main, l) != 0) {
		snprintf(err, err_cap, "device link: no thread to be had");
		l->cfg.closed = NULL;
		if (uv_is_active((uv_handle_t *)&l->async))
			uv_close((uv_handle_t *)&l->async, on_closed);
		else
			free(l);
		return NULL;
	}
	return l;
}

int
cw_devlink_cmd(struct cw_devlink *l, const struct cw_dev_cmd *c)
{
	struct cw_devmap_write w[2];
	int res = CW_OK;

	if (cw_devmap_cmd(l->cfg.map, c, w) < 0)
		return CW_EINVAL;
	pthread_mutex_lock(&l->lock);
	if (!l->view.up) {
		res = CW_ECLOSED;
	} else if (l->cnt == QUEUE_CAP) {
		res = CW_EFULL;
	} else {
		l->queue[(l->head + l->cnt++) % QUEUE_CAP] = *c;
		pthread_cond_signal(&l->wake);
	}
	pthread_mutex_unlock(&l->lock);
	return res;
}

int
cw_devlink_bits(struct cw_devlink *l, uint8_t bits)
{
	pthread_mutex_lock(&l->lock);
	if (l->bits != bits)
		l->bits_due = true;
	l->bits = bits;
	pthread_mutex_unlock(&l->lock);
	return CW_OK;
}

void
cw_devlink_close(struct cw_devlink *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}
