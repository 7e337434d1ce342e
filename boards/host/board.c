/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cw/bytes.h"
#include "cw/cosimg.h"
#include "cw/frame.h"
#include "host_private.h"

#define QUEUE_LEN ((size_t)CW_RLINK_QUEUE * CW_PROG_MAX)
#define LINK_LEN ((size_t)CW_FRAME_HDR + CW_RLINK_BODY_MAX)

uint64_t
cw_host_now_us(void)
{
	return uv_hrtime() / 1000;
}

void
cw_host_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
	struct cw_host_env *env = handle->loop->data;

	(void)hint;
	*buf = uv_buf_init(env->rx, sizeof env->rx);
}

/* ---- log ---------------------------------------------------------------- */

/* As journald likes it; on a terminal the time stands in the level's place. */
static void
log_line(struct cw_host *h, int level, const char *line)
{
	static const int syslog_level[] = { 3, 4, 6, 7, 7 };
	struct timespec ts;
	struct tm tm;

	if (level > h->env->log_level)
		return;
	if (!isatty(STDERR_FILENO)) {
		fprintf(stderr, "<%d>%s reader=%s\n", syslog_level[level], line,
		    h->name);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	fprintf(stderr, "%02d:%02d:%02d.%03ld %s reader=%s\n", tm.tm_hour,
	    tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000, line, h->name);
}

void
cw_host_log(struct cw_host *h, int level, const char *event, const char *fmt,
    ...)
{
	char line[256];
	va_list ap;
	int n;

	if (level > h->env->log_level)
		return;
	n = snprintf(line, sizeof line, "%s ", event);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	va_end(ap);
	log_line(h, level, line);
}

/* ---- ops of the system and of the store ---------------------------------- */

void
cw_host_random(void *dev, uint8_t *buf, size_t len)
{
	int err = uv_random(NULL, NULL, buf, len, 0, NULL);

	(void)dev;
	CW_ASSERT(err == 0);
}

/* A process that hangs is the service manager's business. */
static void
sys_watchdog(void *dev)
{
	(void)dev;
}

static void
sys_log(void *dev, int level, const char *line)
{
	log_line(dev, level, line);
}

static const struct cw_sys_ops sys_ops = { cw_host_random, sys_watchdog, sys_log };

static int
store_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	struct cw_host *h = dev;

	CW_ASSERT(off <= h->cfg.store_bytes && len <= h->cfg.store_bytes - off);
	memcpy(h->store + off, buf, len);
	return 0;
}

static const uint8_t *
store_lend(void *dev, uint32_t off, size_t len)
{
	struct cw_host *h = dev;

	CW_ASSERT(off <= h->cfg.store_bytes && len <= h->cfg.store_bytes - off);
	return h->store + off;
}

static const struct cw_image_ops store_ops = { store_write, store_lend };

int
cw_host_best_line(void *dev, uint8_t slot, uint8_t ta1, struct cw_card_line *line)
{
	(void)dev;
	(void)slot;
	return cw_contact_client_best_line(ta1, line);
}

/* ---- events -------------------------------------------------------------- */

void
cw_host_post(struct cw_host *h, const struct cw_event *ev)
{
	unsigned int i = (h->event_head + h->event_cnt) % CW_HOST_EVENTS;

	/* A slot awaits one op at a time, and a board has few others. */
	CW_ASSERT(h->event_cnt < CW_HOST_EVENTS);
	h->event[i] = *ev;
	h->event_cnt++;
}

void
cw_host_unpost(struct cw_host *h)
{
	unsigned int i, kept = 0;

	for (i = 0; i < h->event_cnt; i++) {
		struct cw_event *ev = &h->event[(h->event_head + i) %
		    CW_HOST_EVENTS];

		if (ev->kind >= CW_EV_SENT && ev->kind <= CW_EV_SILENT)
			continue;
		h->event[(h->event_head + kept++) % CW_HOST_EVENTS] = *ev;
	}
	h->event_cnt = kept;
}

static struct cw_event
event_take(struct cw_host *h)
{
	struct cw_event ev = h->event[h->event_head];

	h->event_head = (h->event_head + 1) % CW_HOST_EVENTS;
	h->event_cnt--;
	return ev;
}

void
cw_host_pump(struct cw_host *h)
{
	struct cw_event ev;

	if (h->busy)
		return;
	if (h->event_cnt == 0)
		h->card->flush(h);
	if (h->event_cnt > 0) {
		ev = event_take(h);
		cw_host_deliver(h, &ev);
	}
}

static void
timer_fired(uv_timer_t *t)
{
	struct cw_host *h = t->data;
	struct cw_event ev = { .kind = CW_EV_TICK };

	h->armed_us = UINT64_MAX;
	cw_host_deliver(h, &ev);
}

/* A timer that fires too early costs less than one that is moved each time. */
static void
arm(struct cw_host *h, uint64_t due_us)
{
	uint64_t now_us, ms;

	if (due_us >= h->armed_us)
		return;
	now_us = cw_host_now_us();
	ms = due_us <= now_us ? 0 : (due_us - now_us + 999) / 1000;
	uv_update_time(h->env->loop);
	uv_timer_start(&h->timer, timer_fired, ms, 0);
	h->armed_us = due_us;
}

void
cw_host_deliver(struct cw_host *h, const struct cw_event *ev)
{
	struct cw_event next = *ev;
	uint64_t due_us;

	CW_ASSERT(!h->busy);
	if (h->closing)
		return;
	h->busy = true;
	for (;;) {
		due_us = h->link != NULL ? cw_host_secure_event(h, &next) :
		    cw_reader_event(h->core, &next, cw_host_now_us());
		if (h->event_cnt == 0) {
			cw_host_net_flush(h);
			h->card->flush(h);
		}
		if (h->event_cnt == 0)
			break;
		next = event_take(h);
	}
	h->busy = false;
	arm(h, due_us);
}

/* ---- life ---------------------------------------------------------------- */

static int
core_init(struct cw_host *h)
{
	struct cw_reader_config c;

	memset(&c, 0, sizeof c);
	c.card = h->card->apdu != NULL ? NULL : &h->card->ops;
	c.apdu = h->card->apdu;
	c.net = h->link != NULL ? &cw_host_secure_ops : &cw_host_net_ops;
	c.store = &store_ops;
	c.sys = &sys_ops;
	c.dev = h;
	memcpy(c.serial, h->cfg.serial, sizeof c.serial);
	snprintf(c.firmware, sizeof c.firmware, "cardwright-host %s",
	    CW_SOFTWARE_VERSION);
	c.boot_id = h->cfg.boot_id;
	c.slot_cnt = 1;
	c.store_cap = h->cfg.store_bytes;
	c.clk_hz = h->cfg.clk_hz;
	c.vcc_mv = 5000;
	c.queue_mem = h->mem;
	c.queue_mem_len = QUEUE_LEN;
	c.rx_mem = h->mem + QUEUE_LEN;
	c.tx_mem = c.rx_mem + LINK_LEN;
	return cw_reader_init(h->core, &c, cw_host_now_us());
}

static int
card_choose(struct cw_host *h, const char **spec)
{
	if (strcmp(h->cfg.card, "null") == 0) {
		h->card = &cw_host_null;
		*spec = "";
		return 0;
	}
	if (strncmp(h->cfg.card, "sim:", 4) == 0) {
		h->card = &cw_host_sim;
		*spec = h->cfg.card + 4;
		return 0;
	}
	if (strncmp(h->cfg.card, "vpcd:", 5) == 0) {
		h->card = &cw_host_vpcd;
		*spec = h->cfg.card + 5;
		return 0;
	}
	if (strncmp(h->cfg.card, "pcsc:", 5) == 0) {
		h->card = &cw_host_pcsc;
		*spec = h->cfg.card + 5;
		return 0;
	}
	return CW_EINVAL;
}

static void
host_free(struct cw_host *h)
{
	if (h->core != NULL)
		cw_wipe(h->mem, QUEUE_LEN + 2 * LINK_LEN);
	cw_host_secure_close(h);
	if (h->card != NULL && h->card->free != NULL)
		h->card->free(h);
	free(h->store);
	free(h->core);
	free(h);
}

/*
 * calloc of large pieces gives pages that cost nothing until they are touched
 * (so the core and its memory are one piece): a reader holds what it has used,
 * not what it might.
 */
static struct cw_host *
host_new(struct cw_host_env *env, const struct cw_host_config *cfg)
{
	struct cw_host *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->env = env;
	h->cfg = *cfg;
	h->armed_us = UINT64_MAX;
	snprintf(h->address, sizeof h->address, "%s", cfg->listen);
	snprintf(h->name, sizeof h->name, "%s",
	    cfg->name != NULL ? cfg->name : cfg->listen);
	h->core = calloc(1, cw_reader_size() + QUEUE_LEN + 2 * LINK_LEN);
	h->store = calloc(1, cfg->store_bytes);
	if (h->core != NULL)
		h->mem = (uint8_t *)h->core + cw_reader_size();
	if (h->core != NULL && h->store != NULL)
		return h;
	host_free(h);
	return NULL;
}

void
cw_host_handle_closed(uv_handle_t *handle)
{
	struct cw_host *h = handle->data;

	if (--h->handles == 0)
		host_free(h);
}

struct cw_host *
cw_host_open(struct cw_host_env *env, const struct cw_host_config *cfg,
    char *err, size_t err_cap)
{
	struct cw_event tick = { .kind = CW_EV_TICK };
	const char *spec;
	struct cw_host *h;

	env->loop->data = env;
	h = host_new(env, cfg);
	if (h == NULL) {
		snprintf(err, err_cap, "out of memory for reader %s",
		    cfg->listen);
		return NULL;
	}
	if (h->cfg.key != NULL && cw_host_secure_open(h) < 0) {
		snprintf(err, err_cap, "reader %s: no secured link: the identity "
		    "\"%s\" must have 1 to 31 printable characters", h->address,
		    cfg->identity != NULL ? cfg->identity : cfg->listen);
		goto err0;
	}
	if (card_choose(h, &spec) < 0 ||
	    (h->card->prepare != NULL && h->card->prepare(h) < 0) ||
	    core_init(h) < 0) {
		snprintf(err, err_cap, "reader %s: card must be null, "
		    "sim:IP:PORT/STATION, vpcd:PORT or pcsc:NAME, the clock "
		    "1000000..5000000 Hz", cfg->listen);
		goto err0;
	}
	if (cw_host_net_open(h, err, err_cap) < 0)
		return NULL;	/* the listener's handle frees h */
	uv_timer_init(env->loop, &h->timer);
	h->timer.data = h;
	h->handles++;
	if (h->card->open(h, spec) < 0) {
		snprintf(err, err_cap, "reader %s: card %s cannot be used: sim:"
		    "IP:PORT/STATION such as sim:127.0.0.1:%d/1, vpcd:PORT of a "
		    "port that is free, pcsc:NAME", cfg->listen, cfg->card,
		    CW_CONTACT_PORT);
		cw_host_close(h);
		return NULL;
	}
	cw_host_discover_open(h);
	cw_host_deliver(h, &tick);
	return h;

err0:
	host_free(h);
	return NULL;
}

void
cw_host_close(struct cw_host *h)
{
	if (h->closing)
		return;
	h->closing = true;
	h->card->close(h);
	cw_host_discover_close(h);
	cw_host_net_close(h);
	uv_close((uv_handle_t *)&h->timer, cw_host_handle_closed);
}
