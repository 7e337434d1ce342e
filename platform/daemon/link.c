/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cw/err.h"
#include "cw/frame.h"
#include "host/log.h"

#define ROLE "terminal."
/* More than terminals: those that are refused need a place to hear it. */
#define SESSIONS_MAX (2 * CW_LEDGER_TERMS_MAX)

struct session {
	struct cw_pf_link *link;
	struct cw_conn *conn;	/* NULL = free */
	uint32_t id;
	bool known;		/* to the ledger */
	char name[CW_ST_NAME_CAP];
};

struct cw_pf_link {
	struct cw_pf_link_config cfg;
	struct cw_conn_listener *listener;
	struct cw_ledger *ledger;
	struct session lobby;	/* stands for all that are not let in */
	struct session session[SESSIONS_MAX];
	uint32_t next_id;
	int store_err;		/* told already */
	uint8_t frame[CW_FRAME_HDR + CW_PLINK_BODY_MAX];
};

static struct session *
find(struct cw_pf_link *p, uint32_t id)
{
	for (unsigned int i = 0; i < SESSIONS_MAX; i++)
		if (p->session[i].conn != NULL && p->session[i].id == id)
			return &p->session[i];
	return NULL;
}

static int
ledger_send(void *ctx, uint32_t id, const struct cw_pl_msg *m)
{
	struct cw_pf_link *p = ctx;
	struct session *s = find(p, id);
	int len;

	if (s == NULL)
		return CW_ECLOSED;
	len = cw_pl_put(p->frame, sizeof(p->frame), m);
	if (len < 0)
		return len;
	return cw_conn_send(s->conn, p->frame, (size_t)len);
}

static void
ledger_close(void *ctx, uint32_t id)
{
	struct session *s = find(ctx, id);

	if (s == NULL)
		return;
	s->known = false;
	cw_conn_close(s->conn);
}

static void
ledger_note(void *ctx, uint64_t order, const char *text)
{
	(void)ctx;
	cw_log(CW_LOG_INFO, "ledger.note", "order=%llu text=\"%s\"",
	    (unsigned long long)order, text);
}

static const struct cw_ledger_ops ledger_ops = {
	.send = ledger_send, .close = ledger_close, .note = ledger_note,
};

static uint64_t
utc_ms(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* IPv4 of "ip:port"; 0 for anything else. */
static uint32_t
peer_ip(const char *peer)
{
	char text[64];
	struct in_addr in;

	snprintf(text, sizeof(text), "%s", peer);
	if (strrchr(text, ':') != NULL)
		*strrchr(text, ':') = '\0';
	return inet_pton(AF_INET, text, &in) == 1 ? ntohl(in.s_addr) : 0;
}

static void
on_open(struct cw_conn *c, void *ctx, const char *peer)
{
	struct cw_pf_link *p = ((struct session *)ctx)->link;
	struct session *s = p->session;

	while (s < p->session + SESSIONS_MAX && s->conn != NULL)
		s++;
	if (s == p->session + SESSIONS_MAX) {
		cw_log(CW_LOG_WARN, "link.full", "peer=%s limit=%d",
		    cw_conn_peer(c), SESSIONS_MAX);
		cw_conn_close(c);
		return;
	}
	s->link = p;
	s->conn = c;
	s->id = ++p->next_id;
	s->known = false;
	cw_conn_set_ctx(c, s);

	/* The platform's own certificate must not pose as a terminal. */
	if (strncmp(peer, ROLE, strlen(ROLE)) != 0) {
		cw_log(CW_LOG_WARN, "link.denied", "peer=%s certificate=\"%s\" "
		    "why=\"not a terminal's certificate (%sNAME)\"",
		    cw_conn_peer(c), peer, ROLE);
		cw_conn_close(c);
		return;
	}
	snprintf(s->name, sizeof(s->name), "%s", peer + strlen(ROLE));
	if (cw_ledger_open(p->ledger, s->id, s->name,
	    peer_ip(cw_conn_peer(c)), uv_now(p->cfg.loop)) < 0) {
		cw_log(CW_LOG_WARN, "link.full", "line=%s limit=%d", s->name,
		    CW_LEDGER_TERMS_MAX);
		cw_conn_close(c);
		return;
	}
	s->known = true;
	cw_log(CW_LOG_INFO, "link.open", "line=%s peer=%s", s->name,
	    cw_conn_peer(c));
}

/* The store's trouble is said once, and once more when it is over. */
static void
watch_store(struct cw_pf_link *p, int err)
{
	if (err == p->store_err)
		return;
	if (err < 0)
		cw_log(CW_LOG_ERROR, "store.failed", "why=\"%s\" text=\"%s\"",
		    cw_err_text(err), p->cfg.store->why);
	else
		cw_log(CW_LOG_INFO, "store.recovered", "was=\"%s\"",
		    cw_err_text(p->store_err));
	p->store_err = err;
}

static void
on_frame(struct cw_conn *c, void *ctx, const struct cw_frame *f)
{
	struct session *s = ctx;
	struct cw_pl_msg m;
	int err;

	/* What comes after our good-bye is for nobody. */
	if (!s->known)
		return;
	err = cw_pl_get(&m, f->type, f->body, f->body_len);
	if (err < 0) {
		cw_log(CW_LOG_WARN, "link.bad-message", "line=%s type=%s len=%u "
		    "why=\"%s\"", s->name, cw_pl_type_name(f->type), f->body_len,
		    cw_err_text(err));
		cw_conn_close(c);
		return;
	}
	err = cw_ledger_msg(s->link->ledger, s->id, &m, uv_now(s->link->cfg.loop));
	if (err == CW_ENOSPC || err == CW_EIO)
		watch_store(s->link, err);
	else if (err < 0)
		cw_log(CW_LOG_WARN, "link.out-of-place", "line=%s type=%s why=\"%s\"",
		    s->name, cw_pl_type_name(f->type), cw_err_text(err));
}

/* DENY stays as it is in every version, so that the other side can tell a
 * person which of the two to update (docs/spec/framing.md). */
static void
on_version(struct cw_conn *c, void *ctx, uint8_t theirs)
{
	struct session *s = ctx;
	struct cw_pl_msg m = { .type = CW_PL_DENY };
	int len;

	m.u.deny.err = CW_EVERSION;
	snprintf(m.u.deny.text, sizeof(m.u.deny.text), "the platform speaks version %u "
	    "of the link, the terminal version %u: update the older one",
	    CW_PLINK_VERSION, theirs);
	len = cw_pl_put(s->link->frame, sizeof(s->link->frame), &m);
	if (len > 0)
		(void)cw_conn_send(c, s->link->frame, (size_t)len);
}

static void
on_closed(struct cw_conn *c, void *ctx, int err, const char *text)
{
	struct session *s = ctx;

	(void)c;
	if (s == &s->link->lobby) {
		cw_log(CW_LOG_WARN, "link.refused", "why=\"%s\" text=\"%s\"",
		    cw_err_text(err), text);
		return;
	}
	cw_log(CW_LOG_INFO, "link.closed", "line=%s why=\"%s\" text=\"%s\"",
	    s->name, err < 0 ? cw_err_text(err) : "by us", text);
	if (s->known)
		cw_ledger_closed(s->link->ledger, s->id, uv_now(s->link->cfg.loop));
	s->conn = NULL;
	s->known = false;
}

void
cw_pf_link_flush(struct cw_pf_link *p)
{
	int err = cw_ledger_flush(p->ledger, uv_now(p->cfg.loop));

	if (err < 0)
		watch_store(p, err);
}

void
cw_pf_link_tick(struct cw_pf_link *p)
{
	watch_store(p, cw_ledger_tick(p->ledger, uv_now(p->cfg.loop)));
}

struct cw_pf_link *
cw_pf_link_open(const struct cw_pf_link_config *cfg, char *err, size_t err_cap)
{
	struct cw_pf_link *p = calloc(1, sizeof(*p));
	struct cw_ledger_config lc = {
		.store = cfg->store, .seal = cfg->seal, .ops = &ledger_ops,
		.ctx = p, .platform = cfg->incarnation, .utc_ms = utc_ms,
	};
	struct cw_conn_config cc = {
		.loop = cfg->loop, .tls = cfg->tls, .version = CW_PLINK_VERSION,
		.body_max = CW_PLINK_BODY_MAX,
		.cb = { .open = on_open, .frame = on_frame, .closed = on_closed,
		    .version = on_version },
	};

	if (p == NULL || (p->ledger = cw_ledger_new(&lc)) == NULL) {
		free(p);
		snprintf(err, err_cap, "out of memory");
		return NULL;
	}
	p->cfg = *cfg;
	p->lobby.link = p;
	cc.ctx = &p->lobby;
	p->listener = cw_conn_listen(&cc, cfg->listen, cfg->port, err, err_cap);
	if (p->listener == NULL) {
		cw_ledger_free(p->ledger);
		free(p);
		return NULL;
	}
	return p;
}

struct cw_ledger *
cw_pf_link_ledger(struct cw_pf_link *p)
{
	return p->ledger;
}

uint16_t
cw_pf_link_port(const struct cw_pf_link *p)
{
	return cw_conn_listener_port(p->listener);
}

bool
cw_pf_link_sound(const struct cw_pf_link *p)
{
	return p->store_err == 0;
}

void
cw_pf_link_stop(struct cw_pf_link *p)
{
	cw_conn_listener_close(p->listener);
	for (unsigned int i = 0; i < SESSIONS_MAX; i++)
		if (p->session[i].conn != NULL)
			cw_conn_close(p->session[i].conn);
}

void
cw_pf_link_free(struct cw_pf_link *p)
{
	if (p == NULL)
		return;
	cw_ledger_free(p->ledger);
	free(p);
}
