/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "host/keyfile.h"
#include "ifd/conn.h"
#include "ifd/reader.h"

#define FRAME_CAP (CW_FRAME_HDR + CW_RLINK_BODY_MAX)
#define CONNECT_MS 3000
#define AGAIN_MS 1000		/* between two tries */
#define PING_MS 4000		/* the reader gives up after 15 s of silence */
#define DEAD_MS 10000
#define HOT_MS 100		/* after a command another one is likely */

/* Somebody who waits for an answer. */
struct waiter {
	uint32_t id;
	bool done;
	int err;
	struct cw_rl_card_state *state;	/* where the answer goes, */
	uint8_t *rsp;			/* or the parts of it */
	size_t rsp_cap, rsp_len;
	struct waiter *next;
};

struct slot {
	uint8_t present;
	uint32_t card_session;
	uint32_t epoch;		/* rises with each change, */
	uint32_t seen;		/* and has been told up to here */
	bool reported;		/* as present */
	bool stop;
};

/*
 * mu guards all of it.  Only the thread that has set `reading` polls the
 * descriptor, and it does so without mu; the connection is closed by nobody else
 * meanwhile (`broken` asks for it).
 */
struct cw_ifd_reader {
	struct cw_ifd_device dev;
	struct cw_ifd_log log;
	uint8_t key[CW_KEYFILE_KEY_LEN];
	uint64_t session;
	pthread_mutex_t mu;
	pthread_cond_t cv;
	int wake;		/* eventfd: ends the poll of who reads */

	struct cw_ifd_conn *conn;	/* NULL: the link is down */
	struct cw_rl_hello_ok about;
	bool known;		/* about is filled */
	bool reading, broken, connecting;
	uint8_t slots;
	unsigned int calls, polls;	/* threads in there */
	uint64_t heard_ms, said_ms, hot_ms, again_ms;
	uint32_t id;
	struct waiter *waiters;
	struct slot slot[CW_RLINK_SLOTS_MAX];
	char told[512];		/* the last words about the link */
	uint8_t tx[FRAME_CAP];
};

static void
tell(struct cw_ifd_reader *r, int level, const char *text)
{
	if (strncmp(r->told, text, sizeof r->told - 1) == 0)
		return;
	snprintf(r->told, sizeof r->told, "%s", text);
	r->log.say(level, text);
}

/* Sleeps until something has happened, or until_ms. */
static void
sleep_until(struct cw_ifd_reader *r, uint64_t until_ms)
{
	struct timespec ts = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000,
	};

	pthread_cond_timedwait(&r->cv, &r->mu, &ts);
}

static void
poke(struct cw_ifd_reader *r)
{
	uint64_t one = 1;
	ssize_t n = write(r->wake, &one, sizeof one);

	(void)n;		/* full: it is awake already */
	pthread_cond_broadcast(&r->cv);
}

/* ---- the link goes --------------------------------------------------------- */

static void
slot_change(struct cw_ifd_reader *r, uint8_t i, uint8_t present, uint32_t session)
{
	struct slot *s = &r->slot[i];

	if (s->present == present && s->card_session == session)
		return;
	s->present = present;
	s->card_session = session;
	s->epoch++;
	pthread_cond_broadcast(&r->cv);
}

static void
link_down(struct cw_ifd_reader *r, const char *why)
{
	char text[256];
	struct waiter *w;
	uint8_t i;

	if (r->conn == NULL)
		return;
	if (r->reading) {
		r->broken = true;
		poke(r);
		return;
	}
	r->broken = false;
	cw_ifd_conn_close(r->conn);
	r->conn = NULL;
	for (w = r->waiters; w != NULL; w = w->next) {
		w->err = CW_ECLOSED;
		w->done = true;
	}
	for (i = 0; i < CW_RLINK_SLOTS_MAX; i++)
		slot_change(r, i, 0, 0);
	snprintf(text, sizeof text, "reader %s:%s: link lost (%s); trying again",
	    r->dev.host, r->dev.port, why);
	tell(r, 0, text);
	pthread_cond_broadcast(&r->cv);
}

static int
link_send(struct cw_ifd_reader *r, int len)
{
	int err = len < 0 ? len : cw_ifd_conn_send(r->conn, r->tx, (size_t)len);

	if (err == CW_ECLOSED)
		link_down(r, "cannot send");
	r->said_ms = cw_ifd_now_ms();
	return err;
}

/* ---- what comes in --------------------------------------------------------- */

static struct waiter *
waiter_of(struct cw_ifd_reader *r, uint32_t id)
{
	struct waiter *w;

	for (w = r->waiters; w != NULL; w = w->next)
		if (w->id == id && !w->done)
			return w;
	return NULL;
}

static void
take_part(struct waiter *w, const struct cw_frame *f)
{
	struct cw_rl_card_data m;

	w->done = true;
	if (w->rsp == NULL || cw_rl_get_card_data(&m, f->body, f->body_len) < 0) {
		w->err = CW_EPROTO;
		return;
	}
	w->done = !m.more;
	if (m.len > w->rsp_cap - w->rsp_len)
		w->err = CW_EFULL;
	else if (w->err == 0) {
		memcpy(w->rsp + w->rsp_len, m.buf, m.len);
		w->rsp_len += m.len;
	}
}

static void
take_answer(struct cw_ifd_reader *r, const struct cw_frame *f)
{
	struct waiter *w = waiter_of(r, f->id);
	struct cw_rl_refuse e;

	if (w == NULL || f->type == CW_RL_CARD_WAIT)
		return;
	if (f->type == CW_RL_CARD_RSP) {
		take_part(w, f);
		return;
	}
	w->done = true;
	if (f->type == CW_RL_CARD_STATE && w->state != NULL) {
		w->err = cw_rl_get_card_state(w->state, f->body, f->body_len);
	} else if (f->type == CW_RL_ERROR &&
	    cw_rl_get_refuse(&e, f->body, f->body_len) == 0) {
		w->err = e.err;
		if (e.err != CW_EREMOVED)
			r->log.say(1, e.text);
	} else {
		w->err = CW_EPROTO;
	}
}

/* RESULTs that wait there are the terminal's: they are not acknowledged. */
static void
take_frame(struct cw_ifd_reader *r, const struct cw_frame *f)
{
	struct cw_rl_slot m;

	if (f->type == CW_RL_SLOT) {
		if (cw_rl_get_slot(&m, f->body, f->body_len) == 0)
			slot_change(r, m.slot, m.present, m.card_session);
	} else if (f->id != 0) {
		take_answer(r, f);
	}
}

static void
link_take(struct cw_ifd_reader *r)
{
	struct cw_frame f;
	int err = cw_ifd_conn_fill(r->conn), n;

	while ((n = cw_ifd_conn_next(r->conn, &f)) == 1) {
		r->heard_ms = cw_ifd_now_ms();
		take_frame(r, &f);
	}
	if (err < 0 || n < 0)
		link_down(r, n < 0 ? "not what a reader says" : "closed by the reader");
}

/*
 * One turn of waiting, with mu held: reads the link, or waits for who reads it.
 * self: the answer this thread waits for; others that have theirs are woken.
 */
static void
link_turn(struct cw_ifd_reader *r, const struct waiter *self, uint64_t until_ms)
{
	struct pollfd p[2] = { { .events = POLLIN }, { r->wake, POLLIN, 0 } };
	uint64_t now_ms = cw_ifd_now_ms(), drop;
	ssize_t n = 0;

	if (r->reading || r->conn == NULL) {
		sleep_until(r, until_ms);
		return;
	}
	p[0].fd = cw_ifd_conn_fd(r->conn);
	r->reading = true;
	pthread_mutex_unlock(&r->mu);
	poll(p, 2, until_ms > now_ms ? (int)(until_ms - now_ms) : 0);
	pthread_mutex_lock(&r->mu);
	r->reading = false;
	if (p[1].revents != 0)
		n = read(r->wake, &drop, sizeof drop);
	(void)n;		/* somebody else may have read it */
	if (r->broken)
		link_down(r, "cannot send");
	else if (p[0].revents != 0)
		link_take(r);
	if (r->calls > (self != NULL ? 1u : 0u))
		pthread_cond_broadcast(&r->cv);
}

/* Both sides must hear something of each other. */
static void
link_keep(struct cw_ifd_reader *r)
{
	uint64_t now_ms = cw_ifd_now_ms();

	if (r->conn != NULL && now_ms >= r->heard_ms + DEAD_MS)
		link_down(r, "silent for 10 s");
	if (r->conn != NULL && now_ms >= r->said_ms + PING_MS)
		(void)link_send(r, cw_rl_put_empty(r->tx, sizeof r->tx, ++r->id,
		    CW_RL_PING));
}

/* ---- the link comes -------------------------------------------------------- */

struct greeting {
	struct cw_rl_hello_ok about;
	struct cw_rl_slot slot[CW_RLINK_SLOTS_MAX];
	unsigned int need;	/* bit per SLOT that has not come; all: HELLO_OK */
	bool ok;
	char why[CW_FRAME_HDR + 128];
};

/* 0, or why not in g->why. */
static int
greet_frame(struct greeting *g, const struct cw_frame *f)
{
	struct cw_rl_refuse e;
	struct cw_rl_slot m;

	if (f->type == CW_RL_HELLO_OK && !g->ok) {
		g->ok = cw_rl_get_hello_ok(&g->about, f->body, f->body_len) == 0;
		g->need = (1u << g->about.slot_cnt) - 1;
	} else if (f->type == CW_RL_REFUSE &&
	    cw_rl_get_refuse(&e, f->body, f->body_len) == 0) {
		snprintf(g->why, sizeof g->why, "%s", e.text);
		return CW_EBUSY;
	} else if (f->type == CW_RL_SLOT && g->ok &&
	    cw_rl_get_slot(&m, f->body, f->body_len) == 0) {
		g->slot[m.slot] = m;
		g->need &= ~(1u << m.slot);
	}
	return 0;
}

static int
greet(struct cw_ifd_conn *c, uint64_t session, struct greeting *g)
{
	uint64_t until_ms = cw_ifd_now_ms() + CONNECT_MS;
	uint8_t buf[CW_FRAME_HDR + 128];
	struct cw_rl_hello h = { .terminal = "PC/SC", .session = session };
	struct pollfd p = { cw_ifd_conn_fd(c), POLLIN, 0 };
	struct cw_frame f;
	int n, err = 0;

	snprintf(g->why, sizeof g->why, "it does not say what a reader says");
	if (gethostname(h.terminal + 6, 50) == 0)
		h.terminal[5] = ' ';
	n = cw_rl_put_hello(buf, sizeof buf, 1, &h);
	if (n < 0 || cw_ifd_conn_send(c, buf, (size_t)n) < 0)
		return CW_ECLOSED;
	while (!g->ok || g->need != 0) {
		while ((n = cw_ifd_conn_next(c, &f)) == 1)
			if (greet_frame(g, &f) < 0)
				return CW_EBUSY;
		if (g->ok && g->need == 0)
			return 0;
		if (n < 0 || err < 0 || cw_ifd_now_ms() >= until_ms)
			return CW_ECLOSED;
		poll(&p, 1, (int)(until_ms - cw_ifd_now_ms()));
		err = cw_ifd_conn_fill(c);
	}
	return 0;
}

static void
link_install(struct cw_ifd_reader *r, struct cw_ifd_conn *c,
    const struct greeting *g)
{
	char text[256];
	uint8_t i;

	r->conn = c;
	r->about = g->about;
	r->known = true;
	r->heard_ms = r->said_ms = cw_ifd_now_ms();
	for (i = 0; i < g->about.slot_cnt; i++)
		slot_change(r, i, g->slot[i].present, g->slot[i].card_session);
	snprintf(text, sizeof text, "reader %s:%s: %s, %u slot%s", r->dev.host,
	    r->dev.port, g->about.firmware, g->about.slot_cnt,
	    g->about.slot_cnt == 1 ? "" : "s");
	tell(r, 1, text);
}

/* Without mu while it lasts. */
static void
link_open(struct cw_ifd_reader *r)
{
	struct greeting g = { .need = ~0u };
	struct cw_ifd_conn *c;
	char err[256] = "", text[512];

	r->connecting = true;
	pthread_mutex_unlock(&r->mu);
	c = cw_ifd_conn_open(&r->dev, r->dev.plain ? NULL : r->key, CONNECT_MS,
	    err, sizeof err);
	if (c != NULL && greet(c, r->session, &g) < 0) {
		cw_ifd_conn_close(c);
		c = NULL;
		snprintf(text, sizeof text, "reader %s:%s: %s", r->dev.host,
		    r->dev.port, g.why);
	} else if (c == NULL) {
		snprintf(text, sizeof text, "%s", err);
	}
	pthread_mutex_lock(&r->mu);
	r->connecting = false;
	r->again_ms = cw_ifd_now_ms() + AGAIN_MS;
	if (c != NULL)
		link_install(r, c, &g);
	else
		tell(r, 0, text);
	pthread_cond_broadcast(&r->cv);
}

/* ---- requests -------------------------------------------------------------- */

static struct waiter *
call_begin(struct cw_ifd_reader *r, struct waiter *w)
{
	pthread_mutex_lock(&r->mu);
	r->calls++;
	w->id = ++r->id == 0 ? ++r->id : r->id;
	w->next = r->waiters;
	r->waiters = w;
	if (r->conn == NULL) {
		w->done = true;
		w->err = CW_ECLOSED;
	}
	return w;
}

static int
call_end(struct cw_ifd_reader *r, struct waiter *w)
{
	struct waiter **p;

	while (!w->done) {
		link_turn(r, w, r->said_ms + PING_MS);
		link_keep(r);
	}
	for (p = &r->waiters; *p != w; p = &(*p)->next)
		continue;
	*p = w->next;
	r->calls--;
	r->hot_ms = cw_ifd_now_ms() + HOT_MS;
	cw_wipe(r->tx, 64);
	pthread_mutex_unlock(&r->mu);
	return w->err;
}

/* A frame in r->tx of len bytes, or an encoder's error. */
static void
call_send(struct cw_ifd_reader *r, struct waiter *w, int len)
{
	int err = link_send(r, len);

	if (err < 0 && !w->done) {
		w->done = true;
		w->err = err;
	}
}

int
cw_ifd_power(struct cw_ifd_reader *r, uint8_t slot, enum cw_rl_card_action action,
    struct cw_rl_card_state *st)
{
	struct cw_rl_card_power m = { slot, (uint8_t)action };
	struct waiter w = { .state = st };

	call_begin(r, &w);
	if (!w.done)
		call_send(r, &w, cw_rl_put_card_power(r->tx, sizeof r->tx, w.id, &m));
	return call_end(r, &w);
}

int
cw_ifd_params(struct cw_ifd_reader *r, uint8_t slot, uint8_t protocol,
    uint8_t ta1_max)
{
	struct cw_rl_card_params m = { slot, protocol, ta1_max };
	struct cw_rl_card_state st;
	struct waiter w = { .state = &st };

	call_begin(r, &w);
	if (!w.done)
		call_send(r, &w, cw_rl_put_card_params(r->tx, sizeof r->tx, w.id, &m));
	return call_end(r, &w);
}

int
cw_ifd_query(struct cw_ifd_reader *r, uint8_t slot, struct cw_rl_card_state *st)
{
	struct waiter w = { .state = st };

	call_begin(r, &w);
	if (!w.done)
		call_send(r, &w, cw_rl_put_card_slot(r->tx, sizeof r->tx, w.id,
		    CW_RL_CARD_QUERY, slot));
	return call_end(r, &w);
}

int
cw_ifd_apdu(struct cw_ifd_reader *r, uint8_t slot, const uint8_t *cmd, size_t len,
    uint8_t *rsp, size_t *rsp_len)
{
	struct waiter w = { .rsp = rsp, .rsp_cap = *rsp_len };
	struct cw_rl_card_data m = { .slot = slot };
	size_t off = 0;
	int err;

	*rsp_len = 0;
	if (len == 0)
		return CW_ESHORT;
	call_begin(r, &w);
	while (!w.done && off < len) {
		m.more = len - off > CW_RL_CARD_DATA_MAX;
		m.len = (uint16_t)(m.more ? CW_RL_CARD_DATA_MAX : len - off);
		m.buf = cmd + off;
		off += m.len;
		call_send(r, &w, cw_rl_put_card_data(r->tx, sizeof r->tx, w.id,
		    CW_RL_CARD_APDU, &m));
		cw_wipe(r->tx, CW_FRAME_HDR + 2u + m.len);
	}
	err = call_end(r, &w);
	if (err == 0)
		*rsp_len = w.rsp_len;
	return err;
}

/* ---- presence --------------------------------------------------------------- */

bool
cw_ifd_present(struct cw_ifd_reader *r, uint8_t slot)
{
	struct slot *s = &r->slot[slot];

	pthread_mutex_lock(&r->mu);
	if (r->conn != NULL && !r->reading)
		link_take(r);
	else if (r->conn == NULL && r->polls == 0 && !r->connecting &&
	    cw_ifd_now_ms() >= r->again_ms)
		link_open(r);
	if (s->seen != s->epoch && s->reported)
		s->reported = false;
	else
		s->reported = s->present != 0;
	s->seen = s->epoch;
	pthread_mutex_unlock(&r->mu);
	return s->reported;
}

static bool
slot_news(const struct slot *s)
{
	return s->seen != s->epoch || s->reported != (s->present != 0);
}

void
cw_ifd_poll(struct cw_ifd_reader *r, uint8_t slot, int ms)
{
	struct slot *s = &r->slot[slot];
	uint64_t now_ms = cw_ifd_now_ms(), until_ms = now_ms + (uint64_t)ms, to;

	pthread_mutex_lock(&r->mu);
	r->polls++;
	while (!s->stop && !slot_news(s) && now_ms < until_ms) {
		if (r->conn == NULL && !r->connecting && now_ms >= r->again_ms) {
			link_open(r);
		} else if (r->conn == NULL) {
			to = now_ms + AGAIN_MS / 4;
			sleep_until(r, to < until_ms ? to : until_ms);
		} else if (now_ms < r->hot_ms) {
			sleep_until(r, r->hot_ms < until_ms ? r->hot_ms : until_ms);
		} else {
			to = r->said_ms + PING_MS;
			link_turn(r, NULL, to < until_ms ? to : until_ms);
		}
		link_keep(r);
		now_ms = cw_ifd_now_ms();
	}
	s->stop = false;	/* it ended this poll; pcscd says it often */
	r->polls--;
	pthread_mutex_unlock(&r->mu);
}

void
cw_ifd_poll_stop(struct cw_ifd_reader *r, uint8_t slot)
{
	pthread_mutex_lock(&r->mu);
	r->slot[slot].stop = true;
	poke(r);
	pthread_mutex_unlock(&r->mu);
}

/* ---- life ------------------------------------------------------------------- */

uint8_t
cw_ifd_slots(const struct cw_ifd_reader *r)
{
	return r->slots;
}

bool
cw_ifd_about(struct cw_ifd_reader *r, struct cw_rl_hello_ok *out)
{
	bool known;

	pthread_mutex_lock(&r->mu);
	*out = r->about;
	known = r->known;
	pthread_mutex_unlock(&r->mu);
	return known;
}

static int
key_take(struct cw_ifd_reader *r, char *err, size_t cap)
{
	struct cw_keyfile *k;
	const uint8_t *key;

	if (r->dev.plain)
		return 0;
	k = cw_keyfile_load(r->dev.keys, err, cap);
	if (k == NULL)
		return CW_EDENIED;
	key = cw_keyfile_find(k, r->dev.identity);
	if (key != NULL)
		memcpy(r->key, key, sizeof r->key);
	else
		snprintf(err, cap, "%s has no key for the reader %s; run `cardwright "
		    "reader enrol %s --keys %s`", r->dev.keys, r->dev.identity,
		    r->dev.identity, r->dev.keys);
	cw_keyfile_free(k);
	return key != NULL ? 0 : CW_ENOENT;
}

static void
reader_free(struct cw_ifd_reader *r)
{
	if (r->wake >= 0)
		close(r->wake);
	cw_wipe(r, sizeof *r);
	free(r);
}

struct cw_ifd_reader *
cw_ifd_open(const struct cw_ifd_device *d, const struct cw_ifd_log *log, char *err,
    size_t err_cap)
{
	struct cw_ifd_reader *r = calloc(1, sizeof *r);
	pthread_condattr_t attr;

	if (r == NULL) {
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	r->dev = *d;
	r->log = *log;
	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (key_take(r, err, err_cap) < 0) {
		reader_free(r);
		return NULL;
	}
	if (r->wake < 0 || getrandom(&r->session, sizeof r->session, 0) !=
	    (ssize_t)sizeof r->session) {
		snprintf(err, err_cap, "the system gives no descriptor or no random "
		    "number");
		reader_free(r);
		return NULL;
	}
	pthread_mutex_init(&r->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->cv, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_lock(&r->mu);
	link_open(r);
	r->slots = r->known ? r->about.slot_cnt : 1;
	pthread_mutex_unlock(&r->mu);
	return r;
}

void
cw_ifd_close(struct cw_ifd_reader *r)
{
	pthread_mutex_lock(&r->mu);
	cw_ifd_conn_close(r->conn);
	r->conn = NULL;
	pthread_mutex_unlock(&r->mu);
	pthread_mutex_destroy(&r->mu);
	pthread_cond_destroy(&r->cv);
	reader_free(r);
}
