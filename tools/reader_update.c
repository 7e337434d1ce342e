/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cardwright reader update`: sends a file of signed firmware images to one
 * reader, has it restarted, and waits until the new program serves.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>
#include <uv.h>

#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/rlink.h"
#include "host/conn.h"
#include "host/keyfile.h"

#define FILE_MAX (2u * 1024u * 1024u)
/* A reader programs a few KiB in a quarter of a second; this is patience. */
#define SILENCE_MS 20000u
/* Data messages between two PINGs: what may be on its way. */
#define AHEAD 4
#define RESTART_MS 60000u
#define RETRY_MS 1000u
#define STAY_MS 1000u
#define ANSWER_MS 8000u	/* connect, handshake, HELLO_OK */

enum phase { HELLO, BEGIN, DATA, END, RESTART, SERVED, DONE, FAILED };

struct job {
	struct cw_cli *cli;
	uv_loop_t loop;
	uv_timer_t timer;
	struct cw_conn *conn;
	struct cw_conn_config cfg;
	enum phase phase;
	int code;
	char ip[64], identity[80];
	uint16_t port;
	const uint8_t *file;
	uint32_t len, off;
	uint64_t session, boot_id, give_up_ms;
	uint32_t id;
	char version[32];
	uint8_t frame[CW_FRAME_HDR + CW_RLINK_BODY_MAX];
};

static void
stop(struct job *j, int code)
{
	if (j->phase == DONE || j->phase == FAILED)
		return;
	j->phase = code == CW_EXIT_OK ? DONE : FAILED;
	j->code = code;
	uv_timer_stop(&j->timer);
	uv_close((uv_handle_t *)&j->timer, NULL);
	if (j->conn != NULL)
		cw_conn_close(j->conn);
}

static void on_timer(uv_timer_t *t);

static void
wait_for(struct job *j, uint32_t ms)
{
	uv_timer_start(&j->timer, on_timer, ms, 0);
}

static void
put(struct job *j, int len)
{
	if (len < 0 || cw_conn_send(j->conn, j->frame, (size_t)len) < 0)
		stop(j, cw_cli_fail(CW_EXIT_CONNECT, "cannot send to the reader"));
}

static void
progress(const struct job *j)
{
	if (!j->cli->json)
		fprintf(stderr, "\r%3u %%", (unsigned int)
		    ((uint64_t)j->off * 100 / j->len));
}

/* Some messages and a PING; its PONG brings the next ones. */
static void
data_send(struct job *j)
{
	struct cw_rl_store_data m;
	struct cw_rl_update_end e = { true };
	int i;

	for (i = 0; i < AHEAD && j->off < j->len; i++) {
		m.off = j->off;
		m.buf = j->file + j->off;
		m.len = (uint16_t)(j->len - j->off < CW_RLINK_DATA_MAX ?
		    j->len - j->off : CW_RLINK_DATA_MAX);
		j->off += m.len;
		put(j, cw_rl_put_update_data(j->frame, sizeof j->frame, ++j->id,
		    &m));
	}
	if (i > 0) {
		put(j, cw_rl_put_empty(j->frame, sizeof j->frame, ++j->id,
		    CW_RL_PING));
		return;
	}
	j->phase = END;
	put(j, cw_rl_put_update_end(j->frame, sizeof j->frame, ++j->id, &e));
}

static void
on_open(struct cw_conn *c, void *ctx, const char *peer)
{
	struct job *j = ctx;
	struct cw_rl_hello m = { .session = j->session };

	(void)peer;
	j->conn = c;
	strcpy(m.terminal, "cardwright reader update");
	put(j, cw_rl_put_hello(j->frame, sizeof j->frame, ++j->id, &m));
}

/* The reader that answers: the old program, or the new one after its start. */
static void
hello_ok(struct job *j, const struct cw_frame *f)
{
	struct cw_rl_update_begin m = { j->len };
	struct cw_rl_hello_ok ok;

	if (cw_rl_get_hello_ok(&ok, f->body, f->body_len) < 0) {
		stop(j, cw_cli_fail(CW_EXIT_CONNECT, "%s:%u is no reader", j->ip,
		    j->port));
		return;
	}
	if (j->phase == HELLO) {
		j->boot_id = ok.boot_id;
		j->phase = BEGIN;
		put(j, cw_rl_put_update_begin(j->frame, sizeof j->frame, ++j->id,
		    &m));
	} else if (ok.boot_id != j->boot_id) {
		if (j->cli->json)
			cw_cli_print_json(json_pack("{s:s, s:s, s:s}", "reader",
			    j->identity, "image", j->version, "firmware",
			    ok.firmware));
		else
			printf("%s serves again, with %s\n", j->identity,
			    ok.firmware);
		/* Being linked is what confirms the new program: stay a while. */
		j->phase = SERVED;
		wait_for(j, STAY_MS);
	}
}

static void
update_ok(struct job *j, const struct cw_frame *f)
{
	struct cw_rl_update_ok ok;

	if (cw_rl_get_update_ok(&ok, f->body, f->body_len) < 0)
		return;
	if (j->phase == BEGIN) {
		j->phase = DATA;
		data_send(j);
	} else if (j->phase == END) {
		snprintf(j->version, sizeof j->version, "%s", ok.version);
		if (!j->cli->json)
			fprintf(stderr, "\rimage %s is in the slot at %08x; the "
			    "reader restarts\n", ok.version, ok.addr);
		j->phase = RESTART;
		j->give_up_ms = uv_now(&j->loop) + RESTART_MS;
		wait_for(j, RETRY_MS);
	}
}

static void
on_frame(struct cw_conn *c, void *ctx, const struct cw_frame *f)
{
	struct job *j = ctx;
	struct cw_rl_refuse no;

	(void)c;
	if (j->phase != RESTART && j->phase != SERVED)
		wait_for(j, SILENCE_MS);
	switch (f->type) {
	case CW_RL_HELLO_OK:
		hello_ok(j, f);
		break;
	case CW_RL_UPDATE_OK:
		update_ok(j, f);
		break;
	case CW_RL_PONG:
		if (j->phase == DATA) {
			progress(j);
			data_send(j);
		}
		break;
	case CW_RL_REFUSE:
	case CW_RL_ERROR:
		if (cw_rl_get_refuse(&no, f->body, f->body_len) == 0)
			stop(j, cw_cli_fail(CW_EXIT_DENIED, "%s refuses: %s",
			    j->identity, no.text));
		break;
	default:		/* SLOT, RESULT: not ours to answer */
		break;
	}
}

static void
on_closed(struct cw_conn *c, void *ctx, int err, const char *text)
{
	struct job *j = ctx;

	(void)c;
	j->conn = NULL;
	if (j->phase == DONE || j->phase == FAILED)
		return;
	if (j->phase == SERVED) {
		stop(j, CW_EXIT_OK);
		return;
	}
	if (j->phase == RESTART) {
		wait_for(j, RETRY_MS);
		return;
	}
	stop(j, cw_cli_fail(err == CW_EDENIED ? CW_EXIT_DENIED : CW_EXIT_CONNECT,
	    "%s: %s", j->identity, text));
}

static void
on_timer(uv_timer_t *t)
{
	struct job *j = t->data;

	if (j->phase == SERVED) {
		stop(j, CW_EXIT_OK);
		return;
	}
	if (j->phase != RESTART) {
		stop(j, cw_cli_fail(CW_EXIT_CONNECT, "%s does not answer; it goes on "
		    "with its present program", j->identity));
		return;
	}
	if (uv_now(&j->loop) > j->give_up_ms) {
		stop(j, cw_cli_fail(CW_EXIT_CONNECT, "%s has taken image %s and "
		    "does not serve a minute after its restart; without being "
		    "confirmed it goes back to the old one", j->identity, j->version));
		return;
	}
	/* Its old connection may not know yet that it is dead. */
	if (j->conn != NULL)
		cw_conn_close(j->conn);
	else
		j->conn = cw_conn_connect(&j->cfg, j->ip, j->port);
	wait_for(j, ANSWER_MS);
}

/* "IP" or "IP:PORT". */
static int
address_take(struct job *j, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : strlen(text);
	unsigned long port = CW_RLINK_PORT;
	struct in_addr a;
	char *end;

	if (n < sizeof j->ip) {
		memcpy(j->ip, text, n);
		j->ip[n] = '\0';
	}
	if (colon != NULL) {
		port = strtoul(colon + 1, &end, 10);
		if (colon[1] < '0' || colon[1] > '9' || *end != '\0')
			port = 0;
	}
	if (n >= sizeof j->ip || uv_inet_pton(AF_INET, j->ip, &a) != 0 ||
	    port == 0 || port > 65535)
		return cw_cli_fail(CW_EXIT_USAGE, "reader %s: give IP or IP:PORT, "
		    "such as 192.168.7.20", text);
	j->port = (uint16_t)port;
	snprintf(j->identity, sizeof j->identity, "%s:%u", j->ip, j->port);
	return CW_EXIT_OK;
}

static int
file_take(struct job *j, uint8_t **buf, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t len;

	if (f == NULL)
		return cw_cli_fail(CW_EXIT_USAGE, "%s: %s", path, strerror(errno));
	*buf = malloc(FILE_MAX + 1);
	len = *buf != NULL ? fread(*buf, 1, FILE_MAX + 1, f) : 0;
	fclose(f);
	if (len == 0 || len > FILE_MAX || memcmp(*buf, "CWFW", 4) != 0)
		return cw_cli_fail(CW_EXIT_USAGE, "%s is no firmware image; give the "
		    ".cwfw file of cardwright-sign", path);
	j->file = *buf;
	j->len = (uint32_t)len;
	return CW_EXIT_OK;
}

static int
key_take(struct job *j, struct cw_keyfile **keys)
{
	const char *file = cw_opt_get(&j->cli->args, CW_OPT_KEYS);
	char path[1100], err[600];

	if (cw_opt_has(&j->cli->args, CW_OPT_PLAIN))
		return CW_EXIT_OK;
	snprintf(path, sizeof path, "%s/readers.key", j->cli->config_dir);
	*keys = cw_keyfile_load(file != NULL ? file : path, err, sizeof err);
	if (*keys == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "%s", err);
	j->cfg.psk_identity = j->identity;
	j->cfg.psk_key = cw_keyfile_find(*keys, j->identity);
	if (j->cfg.psk_key == NULL)
		return cw_cli_fail(CW_EXIT_DENIED, "%s has no key for %s; add it, or "
		    "give --plain where the reader allows it",
		    file != NULL ? file : path, j->identity);
	j->cfg.tls = cw_tls_psk_client(err, sizeof err);
	return j->cfg.tls != NULL ? CW_EXIT_OK :
	    cw_cli_fail(CW_EXIT_DENIED, "%s", err);
}

static int
run(struct job *j)
{
	uv_loop_init(&j->loop);
	uv_timer_init(&j->loop, &j->timer);
	j->timer.data = j;
	j->cfg.loop = &j->loop;
	j->cfg.version = CW_RLINK_VERSION;
	j->cfg.body_max = CW_RLINK_BODY_MAX;
	j->cfg.cb = (struct cw_conn_cb){ .open = on_open, .frame = on_frame,
	    .closed = on_closed };
	j->cfg.ctx = j;
	wait_for(j, SILENCE_MS);
	j->conn = cw_conn_connect(&j->cfg, j->ip, j->port);
	if (j->conn == NULL)
		stop(j, cw_cli_fail(CW_EXIT_CONNECT, "out of memory"));
	uv_run(&j->loop, UV_RUN_DEFAULT);
	uv_loop_close(&j->loop);
	return j->code;
}

int
cw_reader_update_run(struct cw_cli *cli)
{
	static struct job j;
	struct cw_keyfile *keys = NULL;
	uint8_t *buf = NULL;
	int code;

	memset(&j, 0, sizeof j);
	j.cli = cli;
	code = address_take(&j, cli->args.arg[0]);
	if (code == CW_EXIT_OK)
		code = file_take(&j, &buf, cli->args.arg[1]);
	if (code == CW_EXIT_OK)
		code = key_take(&j, &keys);
	if (code == CW_EXIT_OK && RAND_bytes((uint8_t *)&j.session,
	    sizeof j.session) != 1)
		code = cw_cli_fail(CW_EXIT_DENIED, "no random numbers from the system");
	if (code == CW_EXIT_OK)
		code = run(&j);
	SSL_CTX_free(j.cfg.tls);
	cw_keyfile_free(keys);
	free(buf);
	return code;
}
