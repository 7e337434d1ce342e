/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <string.h>

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

#include "cw/bytes.h"
#include "cw/err.h"

#define RNG_MAX 1024		/* bytes asked of the board at once */

enum session_state {
	SESSION_FREE,
	SESSION_SHAKE,		/* handshake under way; unknown to the core */
	SESSION_OPEN,		/* the core knows the connection */
	SESSION_DEAD,		/* closed underneath; the core is told next */
};

struct session {
	enum session_state state;
	int conn;
	struct cw_link *link;
	mbedtls_ssl_context ssl;
	uint64_t due_us;	/* SHAKE: when it is too late */
	bool known;		/* the peer named our identity */
	size_t tx_len, tx_off;	/* of a send that returned 0; tx_len 0: none */
};

struct cw_link {
	struct cw_link_config cfg;	/* identity, key: see below */
	char identity[CW_LINK_ID_MAX + 1];
	uint8_t key[CW_LINK_KEY_LEN];
	mbedtls_ssl_config conf;
	int suite[3];			/* best first, then 0 */
	struct session session[CW_LINK_CONNS_MAX];
	struct cw_link_stats stats;
	struct cw_event pass;		/* goes to the core as it is */
	bool has_pass;
	struct session *cur;		/* raw is its input */
	const uint8_t *raw;
	size_t raw_len;
	uint8_t plain[CW_LINK_RECORD_MAX];
};

#define SUITE_PLAIN MBEDTLS_TLS_PSK_WITH_AES_128_CCM
#define SUITE_FORWARD MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256

const char *
cw_link_why_name(enum cw_link_why why)
{
	static const char *const name[] = {
#define X(name, text) #name,
		CW_LINK_WHY_MAP(X)
#undef X
	};

	return (unsigned int)why < CW_LINK_WHY_CNT ? name[why] : "?";
}

const char *
cw_link_why_text(enum cw_link_why why)
{
	static const char *const text[] = {
#define X(name, text) text,
		CW_LINK_WHY_MAP(X)
#undef X
	};

	return (unsigned int)why < CW_LINK_WHY_CNT ? text[why] : "?";
}

size_t
cw_link_size(void)
{
	return sizeof(struct cw_link);
}

/* ---- sessions ------------------------------------------------------------ */

static struct session *
session_find(struct cw_link *l, int conn)
{
	size_t i;

	for (i = 0; i < l->cfg.conn_cnt; i++)
		if (l->session[i].state != SESSION_FREE &&
		    l->session[i].conn == conn)
			return &l->session[i];
	return NULL;
}

static void
session_free(struct session *s)
{
	if (s->link->cur == s)
		s->link->cur = NULL;
	mbedtls_ssl_free(&s->ssl);
	s->state = SESSION_FREE;
	s->tx_len = s->tx_off = 0;
}

static void
tell(struct cw_link *l, int conn, enum cw_link_why why)
{
	l->stats.ended_cnt[why]++;
	if (l->cfg.ended != NULL)
		l->cfg.ended(l->cfg.dev, conn, why);
}

/* Ends a session for a reason of ours; the core hears of it if it knew it. */
static void
session_fail(struct session *s, enum cw_link_why why)
{
	struct cw_link *l = s->link;

	l->cfg.net->close(l->cfg.dev, s->conn);
	tell(l, s->conn, why);
	if (l->cur == s)
		l->cur = NULL;
	if (s->state == SESSION_OPEN)
		s->state = SESSION_DEAD;
	else
		session_free(s);
}

/* ---- what mbedTLS calls --------------------------------------------------- */

static int
on_random(void *ctx, unsigned char *buf, size_t len)
{
	struct cw_link *l = ctx;

	while (len > 0) {
		size_t n = len < RNG_MAX ? len : RNG_MAX;

		l->cfg.random(l->cfg.dev, buf, n);
		buf += n;
		len -= n;
	}
	return 0;
}

static int
on_write(void *ctx, const unsigned char *buf, size_t len)
{
	struct session *s = ctx;
	int n = s->link->cfg.net->send(s->link->cfg.dev, s->conn, buf, len);

	if (n < 0)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	return n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : n;
}

static int
on_read(void *ctx, unsigned char *buf, size_t len)
{
	struct session *s = ctx;
	struct cw_link *l = s->link;
	size_t n = l->raw_len;

	if (l->cur != s || n == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (n > len)
		n = len;
	memcpy(buf, l->raw, n);
	l->raw += n;
	l->raw_len -= n;
	return (int)n;
}

/* The identity is public, the time that its comparison takes may be known. */
static int
on_identity(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *id,
    size_t len)
{
	struct cw_link *l = ctx;
	size_t i;

	if (len != strlen(l->identity) || memcmp(id, l->identity, len) != 0)
		return -1;
	for (i = 0; i < l->cfg.conn_cnt; i++)
		if (&l->session[i].ssl == ssl)
			l->session[i].known = true;
	return mbedtls_ssl_set_hs_psk(ssl, l->key, sizeof l->key);
}

/* ---- life ---------------------------------------------------------------- */

static bool
identity_ok(const char *id)
{
	size_t len = 0;

	if (id == NULL)
		return false;
	for (; id[len] != '\0'; len++)
		if (len == CW_LINK_ID_MAX || id[len] <= ' ' || id[len] > '~')
			return false;
	return len > 0;
}

int
cw_link_set_key(struct cw_link *l, const char *identity,
    const uint8_t key[CW_LINK_KEY_LEN])
{
	if (!identity_ok(identity) || key == NULL)
		return CW_EINVAL;
	memset(l->identity, 0, sizeof l->identity);
	memcpy(l->identity, identity, strlen(identity));
	memcpy(l->key, key, sizeof l->key);
	return 0;
}

int
cw_link_init(struct cw_link *l, const struct cw_link_config *cfg)
{
	size_t n = 0;

	memset(l, 0, sizeof *l);
	if (cfg->net == NULL || cfg->random == NULL || cfg->conn_cnt == 0 ||
	    cfg->conn_cnt > CW_LINK_CONNS_MAX ||
	    cw_link_set_key(l, cfg->identity, cfg->key) < 0)
		return CW_EINVAL;
	l->cfg = *cfg;
	l->cfg.identity = NULL;
	l->cfg.key = NULL;

	/* A suite that mbedTLS was built without must not be in the list. */
	if (cfg->forward && mbedtls_ssl_ciphersuite_from_id(SUITE_FORWARD) != NULL)
		l->suite[n++] = SUITE_FORWARD;
	l->suite[n] = SUITE_PLAIN;

	mbedtls_ssl_config_init(&l->conf);
	if (mbedtls_ssl_config_defaults(&l->conf, MBEDTLS_SSL_IS_SERVER,
	    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
		mbedtls_ssl_config_free(&l->conf);
		return CW_ENOMEM;
	}
	mbedtls_ssl_conf_min_version(&l->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
	    MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_max_version(&l->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
	    MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_ciphersuites(&l->conf, l->suite);
	(void)mbedtls_ssl_conf_max_frag_len(&l->conf,
	    MBEDTLS_SSL_MAX_FRAG_LEN_4096);
	mbedtls_ssl_conf_rng(&l->conf, on_random, l);
	mbedtls_ssl_conf_psk_cb(&l->conf, on_identity, l);
	return 0;
}

void
cw_link_fini(struct cw_link *l)
{
	size_t i;

	for (i = 0; i < l->cfg.conn_cnt; i++)
		if (l->session[i].state != SESSION_FREE)
			session_free(&l->session[i]);
	mbedtls_ssl_config_free(&l->conf);
	cw_wipe(l, sizeof *l);
}

/* ---- events -------------------------------------------------------------- */

static void
conn_open(struct cw_link *l, int conn, uint64_t now_us)
{
	struct session *s = NULL;
	enum cw_link_why why = CW_LINK_WHY_FULL;
	size_t i;

	for (i = 0; i < l->cfg.conn_cnt && s == NULL; i++)
		if (l->session[i].state == SESSION_FREE)
			s = &l->session[i];
	if (s != NULL) {
		memset(s, 0, sizeof *s);
		s->link = l;
		s->conn = conn;
		s->due_us = now_us + CW_LINK_HANDSHAKE_MS * 1000ull;
		mbedtls_ssl_init(&s->ssl);
		if (mbedtls_ssl_setup(&s->ssl, &l->conf) == 0) {
			mbedtls_ssl_set_bio(&s->ssl, s, on_write, on_read, NULL);
			s->state = SESSION_SHAKE;
			return;
		}
		mbedtls_ssl_free(&s->ssl);
		why = CW_LINK_WHY_MEMORY;
	}
	l->cfg.net->close(l->cfg.dev, conn);
	tell(l, conn, why);
}

static void
conn_closed(struct cw_link *l, const struct cw_event *ev)
{
	struct session *s = session_find(l, ev->conn);

	if (s == NULL)
		return;
	l->has_pass = s->state != SESSION_SHAKE;
	session_free(s);
}

static void
conn_room(struct cw_link *l, const struct cw_event *ev)
{
	struct session *s = session_find(l, ev->conn);

	l->has_pass = s != NULL && s->state == SESSION_OPEN;
	if (s != NULL && s->state == SESSION_SHAKE)
		l->cur = s;
}

static void
tick(struct cw_link *l, uint64_t now_us)
{
	size_t i;

	for (i = 0; i < l->cfg.conn_cnt; i++)
		if (l->session[i].state == SESSION_SHAKE &&
		    now_us >= l->session[i].due_us)
			session_fail(&l->session[i], CW_LINK_WHY_SLOW);
}

void
cw_link_event(struct cw_link *l, const struct cw_event *ev, uint64_t now_us)
{
	CW_ASSERT(!l->has_pass && l->cur == NULL);
	tick(l, now_us);
	l->pass = *ev;
	l->has_pass = false;
	if (ev->kind == CW_EV_NET_OPEN) {
		conn_open(l, ev->conn, now_us);
	} else if (ev->kind == CW_EV_NET_DATA) {
		struct session *s = session_find(l, ev->conn);

		l->cur = s != NULL && s->state != SESSION_DEAD ? s : NULL;
		l->raw = ev->buf;
		l->raw_len = ev->len;
	} else if (ev->kind == CW_EV_NET_ROOM) {
		conn_room(l, ev);
	} else if (ev->kind == CW_EV_NET_CLOSED) {
		conn_closed(l, ev);
	} else {
		l->has_pass = true;
	}
}

/* Which fault it was that ended a handshake. */
static enum cw_link_why
handshake_why(const struct session *s, int err)
{
	if (err == MBEDTLS_ERR_SSL_UNKNOWN_IDENTITY)
		return CW_LINK_WHY_IDENTITY;
	if (err == MBEDTLS_ERR_SSL_ALLOC_FAILED)
		return CW_LINK_WHY_MEMORY;

	/* The first thing that the two keys protect is the Finished message. */
	if (s->known && (err == MBEDTLS_ERR_SSL_INVALID_MAC ||
	    err == MBEDTLS_ERR_SSL_BAD_HS_FINISHED))
		return CW_LINK_WHY_KEY;
	return CW_LINK_WHY_PROTOCOL;
}

/* True when the core has a new connection. */
static bool
shake(struct session *s, struct cw_event *ev)
{
	struct cw_link *l = s->link;
	int err = mbedtls_ssl_handshake(&s->ssl);

	if (err == 0) {
		s->state = SESSION_OPEN;
		l->stats.handshake_cnt++;
		*ev = (struct cw_event){ .kind = CW_EV_NET_OPEN, .conn = s->conn };
		return true;
	}

	/* A handshake is a dialogue: whoever sends ahead of an answer that finds
	 * no room is no client of ours, and the bytes could not be kept. */
	if ((err == MBEDTLS_ERR_SSL_WANT_READ ||
	    err == MBEDTLS_ERR_SSL_WANT_WRITE) && l->raw_len == 0) {
		l->cur = NULL;
		return false;
	}
	session_fail(s, handshake_why(s, err));
	return false;
}

/* True when ev holds plain bytes for the core. */
static bool
decrypt(struct session *s, struct cw_event *ev)
{
	struct cw_link *l = s->link;
	int n = mbedtls_ssl_read(&s->ssl, l->plain, sizeof l->plain);

	if (n > 0) {
		*ev = (struct cw_event){ .kind = CW_EV_NET_DATA,
			.conn = s->conn, .buf = l->plain, .len = (size_t)n };
		return true;
	}
	if (n == MBEDTLS_ERR_SSL_WANT_READ) {
		l->cur = NULL;
	} else if (n == 0 || n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ||
	    n == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		/* The peer's own end. */
		l->cfg.net->close(l->cfg.dev, s->conn);
		s->state = SESSION_DEAD;
		l->cur = NULL;
	} else {
		session_fail(s, CW_LINK_WHY_RECORD);
	}
	return false;
}

bool
cw_link_next(struct cw_link *l, struct cw_event *ev)
{
	size_t i;

	if (l->has_pass) {
		l->has_pass = false;
		*ev = l->pass;
		return true;
	}
	while (l->cur != NULL) {
		/* Both end by leaving cur empty, if not with an event. */
		if (l->cur->state == SESSION_SHAKE ? shake(l->cur, ev) :
		    decrypt(l->cur, ev))
			return true;
	}
	cw_wipe(l->plain, sizeof l->plain);
	l->raw_len = 0;
	for (i = 0; i < l->cfg.conn_cnt; i++) {
		struct session *s = &l->session[i];

		if (s->state == SESSION_DEAD) {
			*ev = (struct cw_event){ .kind = CW_EV_NET_CLOSED,
				.conn = s->conn };
			session_free(s);
			return true;
		}
	}
	return false;
}

uint64_t
cw_link_due(const struct cw_link *l)
{
	uint64_t due = UINT64_MAX;
	size_t i;

	for (i = 0; i < l->cfg.conn_cnt; i++)
		if (l->session[i].state == SESSION_SHAKE &&
		    l->session[i].due_us < due)
			due = l->session[i].due_us;
	return due;
}

/* ---- down-calls ---------------------------------------------------------- */

int
cw_link_send(struct cw_link *l, int conn, const uint8_t *buf, size_t len)
{
	struct session *s = session_find(l, conn);
	size_t off;
	int n;

	if (s == NULL || s->state != SESSION_OPEN)
		return CW_ECLOSED;
	CW_ASSERT(s->tx_len == 0 || s->tx_len == len);
	for (off = s->tx_off; off < len; off += (size_t)n) {
		n = mbedtls_ssl_write(&s->ssl, buf + off, len - off);
		if (n == MBEDTLS_ERR_SSL_WANT_WRITE) {
			s->tx_len = len;
			s->tx_off = off;
			return 0;
		}
		if (n <= 0) {
			l->cfg.net->close(l->cfg.dev, conn);
			session_free(s);
			return CW_ECLOSED;
		}
	}
	s->tx_len = s->tx_off = 0;
	return (int)len;
}

void
cw_link_close(struct cw_link *l, int conn)
{
	struct session *s = session_find(l, conn);

	if (s == NULL || s->state == SESSION_SHAKE)
		return;
	if (s->state == SESSION_OPEN) {
		(void)mbedtls_ssl_close_notify(&s->ssl);
		l->cfg.net->close(l->cfg.dev, conn);
	}
	session_free(s);
}

const struct cw_link_stats *
cw_link_stats(const struct cw_link *l)
{
	return &l->stats;
}
