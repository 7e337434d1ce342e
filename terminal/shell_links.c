/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to the platform and to the readers.  Each is tried again after
 * 200 ms, then slower up to 2 s; one that is down does not hold up the others.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "cw/plink.h"
#include "cw/rlink.h"
#include "host/log.h"
#include "terminal/shell.h"

#define WAIT_MIN_MS 200
#define WAIT_MAX_MS 2000
#define TELL_US 30000000u	/* complaints of one link */
#define READER_OUT_MAX (4u * 1024u * 1024u)

static void
link_later(struct shell_link *k)
{
	k->wait_ms = k->wait_ms == 0 ? WAIT_MIN_MS : 2 * k->wait_ms;
	if (k->wait_ms > WAIT_MAX_MS)
		k->wait_ms = WAIT_MAX_MS;
	k->retry_us = cw_shell_now_us() + k->wait_ms * 1000u;
	if (k->retry_us < k->sh->retry_us)
		k->sh->retry_us = k->retry_us;
}

static void
on_open(struct cw_conn *c, void *ctx, const char *peer)
{
	struct shell_link *k = ctx;

	(void)c;
	(void)peer;
	k->open = true;
	if (k->platform)
		cw_line_platform_up(k->sh->line, cw_shell_now_us());
	else
		cw_line_reader_up(k->sh->line, k->idx, cw_shell_now_us());
}

static int
platform_frame(struct shell_link *k, const struct cw_frame *f)
{
	struct cw_pl_msg m;
	int err = cw_pl_get(&m, f->type, f->body, f->body_len);

	if (err < 0)
		return err;
	return cw_line_platform_msg(k->sh->line, &m, cw_shell_now_us());
}

static void
on_frame(struct cw_conn *c, void *ctx, const struct cw_frame *f)
{
	struct shell_link *k = ctx;
	int err;

	if (k->conn == NULL)
		return;
	k->heard = true;
	if (k->platform)
		err = platform_frame(k, f);
	else
		err = cw_line_reader_frame(k->sh->line, k->idx, f,
		    cw_shell_now_us());
	if (err == 0) {
		k->wait_ms = 0;
		k->fails = 0;
		return;
	}
	if (err != CW_EDENIED && err != CW_ECLOSED)
		cw_log(CW_LOG_WARN, "link.protocol", "peer=%s:%u type=%02X err=%s: "
		    "the link is closed and made anew", k->ip, k->port, f->type,
		    cw_err_name(err));

	/* Whoever refuses is not asked again at once. */
	k->refused = err == CW_EDENIED;
	k->wait_ms = WAIT_MAX_MS;
	cw_conn_close(c);
}

/* A reader with a key says nothing to who does not speak TLS. */
static const char *
plain_hint(const struct shell_link *k)
{
	if (k->platform || k->heard || !k->open ||
	    !k->sh->cfg.secure[k->idx].plain)
		return "";
	return " without a word on a plain link (a reader with a key wants "
	    "link = tls)";
}

/* Who has spoken on this link was found at the right address. */
static void
tell_down(const struct shell_link *k, int err, const char *text)
{
	char advice[320] = "";

	if (!k->heard)
		snprintf(advice, sizeof advice, "; see that it runs and that the "
		    "address in %.200s is right", k->sh->cfg.path);
	cw_log(CW_LOG_WARN, k->platform ? "platform.down" : "reader.down",
	    "peer=%s:%u err=%s why=\"%s%s\": tried again every %u s until it "
	    "answers%s", k->ip, k->port, cw_err_name(k->refused ? CW_EDENIED : err),
	    k->refused ? "it refused, as told before this" : text, plain_hint(k),
	    WAIT_MAX_MS / 1000, advice);
}

static void
on_closed(struct cw_conn *c, void *ctx, int err, const char *text)
{
	struct shell_link *k = ctx;
	uint64_t now = cw_shell_now_us();

	(void)c;
	k->conn = NULL;
	if (k->open && k->platform)
		cw_line_platform_down(k->sh->line, now);
	else if (k->open)
		cw_line_reader_down(k->sh->line, k->idx, now);
	if (!k->sh->ending && (k->open || k->fails == 0 ||
	    now - k->told_us > TELL_US)) {
		k->told_us = now;
		tell_down(k, err, text);
	}
	k->open = false;
	k->fails++;
	link_later(k);
}

static void
link_connect(struct shell_link *k)
{
	struct cw_conn_config c = {
		.loop = &k->sh->loop,
		.version = CW_RLINK_VERSION,
		.body_max = CW_RLINK_BODY_MAX,
		.out_max = READER_OUT_MAX,
		.cb = { .open = on_open, .frame = on_frame, .closed = on_closed },
		.ctx = k,
	};

	if (k->platform) {
		c.tls = k->sh->tls;
		c.want_peer = "platform";
		c.version = CW_PLINK_VERSION;
		c.body_max = CW_PLINK_BODY_MAX;
		c.out_max = 0;
	} else if (!k->sh->cfg.secure[k->idx].plain) {
		c.tls = k->sh->psk;
		c.psk_identity = k->sh->cfg.secure[k->idx].identity;
		c.psk_key = k->sh->cfg.secure[k->idx].key;
	}
	k->retry_us = UINT64_MAX;
	k->heard = k->refused = false;
	k->conn = cw_conn_connect(&c, k->ip, k->port);
	if (k->conn == NULL)
		link_later(k);
}

int
cw_shell_links_start(struct shell *sh, char *err, size_t err_cap)
{
	sh->tls = cw_tls_client(sh->cfg.ca, sh->cfg.cert, sh->cfg.key, err, err_cap);
	if (sh->tls != NULL)
		sh->psk = cw_tls_psk_client(err, err_cap);
	if (sh->psk == NULL)
		return CW_EDENIED;
	sh->reader = calloc(sh->cfg.reader_cnt, sizeof *sh->reader);
	if (sh->reader == NULL) {
		snprintf(err, err_cap, "out of memory");
		return CW_ENOMEM;
	}
	sh->plat.sh = sh;
	sh->plat.platform = true;
	sh->plat.port = sh->cfg.plat_port;
	snprintf(sh->plat.ip, sizeof sh->plat.ip, "%s", sh->cfg.plat_ip);
	link_connect(&sh->plat);
	for (unsigned int i = 0; i < sh->cfg.reader_cnt; i++) {
		struct shell_link *k = &sh->reader[i];
		struct in_addr a = { .s_addr = htonl(sh->cfg.reader[i].addr) };

		k->sh = sh;
		k->idx = i;
		k->port = sh->cfg.reader[i].port;
		inet_ntop(AF_INET, &a, k->ip, sizeof k->ip);
		link_connect(k);
	}
	return 0;
}

static void
retry_one(struct shell *sh, struct shell_link *k, uint64_t now_us)
{
	if (k->conn != NULL)
		return;
	if (k->retry_us <= now_us)
		link_connect(k);
	if (k->conn == NULL && k->retry_us < sh->retry_us)
		sh->retry_us = k->retry_us;
}

void
cw_shell_links_retry(struct shell *sh, uint64_t now_us)
{
	if (now_us < sh->retry_us || sh->ending)
		return;
	sh->retry_us = UINT64_MAX;
	retry_one(sh, &sh->plat, now_us);
	for (unsigned int i = 0; i < sh->cfg.reader_cnt; i++)
		retry_one(sh, &sh->reader[i], now_us);
}

void
cw_shell_links_close(struct shell *sh)
{
	if (sh->plat.conn != NULL)
		cw_conn_close(sh->plat.conn);
	for (unsigned int i = 0; sh->reader != NULL && i < sh->cfg.reader_cnt; i++)
		if (sh->reader[i].conn != NULL)
			cw_conn_close(sh->reader[i].conn);
}
