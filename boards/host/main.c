/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/bytes.h"
#include "cw/cosimg.h"
#include "cw/sha256.h"
#include "host/keyfile.h"
#include "host/proc.h"
#include "host_private.h"

/* cardwright-reader: host readers, one or many, on one event loop. */
#define READERS_MAX 1024

struct spec {
	char listen[32];
	char card[160];
};

struct options {
	struct spec spec[READERS_MAX];
	size_t cnt;
	const char *listen, *card, *name, *keys, *identity;
	struct cw_keyfile *keyfile;	/* NULL: plain link */
	bool has_serial, check_only, plain;
	uint8_t serial[16];
	uint32_t clk_hz, store_bytes;
	int log_level;
};

static const char usage_text[] =
"usage: cardwright-reader --keys FILE --listen IP:PORT --card CARD [options]\n"
"       cardwright-reader --keys FILE --reader IP:PORT=CARD [--reader ...] [options]\n"
"\n"
"Serves one smart card reader per address to a cardwright-terminal.\n"
"\n"
"  --listen IP:PORT    address that names the reader (port 7816 by custom)\n"
"  --card CARD         sim:IP:PORT/STATION  a station of cardwright-card\n"
"                      vpcd:[IP:]PORT       a virtual card that connects there\n"
"                      pcsc:NAME            a PC/SC reader, by name or its beginning\n"
"                      null                 a card that takes no time\n"
"  --reader IP:PORT=CARD  both in one; may be repeated, 1024 times at most\n"
"  --keys FILE         link keys, made by `cardwright reader enrol`, mode 0600\n"
"  --identity TEXT     names this reader's key in FILE (one reader only;\n"
"                      without it its address does)\n"
"  --plain             no link security, in place of --keys: terminals then\n"
"                      take no production orders\n"
"  --serial HEX        serial number, 32 hex digits (one reader only;\n"
"                      without it the address makes one)\n"
"  --name NAME         name in the log (one reader only)\n"
"  --clk-hz N          card clock before PPS, 1000000..5000000 (4000000)\n"
"  --store-bytes N     image store, 1..1048576 (1048576)\n"
"  --log LEVEL         error, warn, info, debug or trace (info)\n"
"  -n                  check the options, print them, and exit\n"
"  --help, --version\n"
"\n"
"Exit: 0 ended by a signal, 1 an address could not be used, 2 usage.\n";

static int
bad(const char *what, const char *value, const char *remedy)
{
	fprintf(stderr, "cardwright-reader: %s %s: %s\n", what, value, remedy);
	return -1;
}

static int
take_number(uint32_t *out, const char *what, const char *text, uint32_t min,
    uint32_t max)
{
	char remedy[64], *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v < min || v > max) {
		snprintf(remedy, sizeof remedy, "give a number %u..%u", min,
		    max);
		return bad(what, text, remedy);
	}
	*out = (uint32_t)v;
	return 0;
}

static int
take_level(int *out, const char *text)
{
	static const char *const level[] = {
		"error", "warn", "info", "debug", "trace",
	};
	int i;

	for (i = 0; i < 5; i++) {
		if (strcmp(text, level[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return bad("--log", text, "give error, warn, info, debug or trace");
}

static int
add_reader(struct options *o, const char *listen, size_t listen_len,
    const char *card)
{
	struct spec *s = &o->spec[o->cnt];
	struct sockaddr_in a;

	if (o->cnt == READERS_MAX)
		return bad("--reader", card, "1024 readers at most");
	if (listen_len >= sizeof s->listen || strlen(card) >= sizeof s->card)
		return bad("--reader", listen, "too long");
	memcpy(s->listen, listen, listen_len);
	s->listen[listen_len] = '\0';
	snprintf(s->card, sizeof s->card, "%s", card);
	if (cw_host_addr(&a, s->listen) < 0)
		return bad("reader address", s->listen,
		    "give IP:PORT, such as 127.0.1.1:7816");
	if (cw_host_card_check(card) < 0)
		return bad("card", card, "give null, sim:IP:PORT/STATION such as "
		    "sim:127.0.0.1:7830/1, vpcd:PORT, or pcsc:NAME");
	o->cnt++;
	return 0;
}

static int
take_reader(struct options *o, const char *text)
{
	const char *eq = strchr(text, '=');

	if (eq == NULL)
		return bad("--reader", text, "give IP:PORT=CARD");
	return add_reader(o, text, (size_t)(eq - text), eq + 1);
}

enum { OPT_LISTEN = 256, OPT_CARD, OPT_READER, OPT_KEYS, OPT_IDENTITY,
	OPT_PLAIN, OPT_SERIAL, OPT_NAME, OPT_CLK,
	OPT_STORE, OPT_LOG, OPT_HELP, OPT_VERSION };

static int
take_option(struct options *o, int c)
{
	switch (c) {
	case OPT_LISTEN:
		o->listen = optarg;
		return 0;
	case OPT_CARD:
		o->card = optarg;
		return 0;
	case OPT_READER:
		return take_reader(o, optarg);
	case OPT_KEYS:
		o->keys = optarg;
		return 0;
	case OPT_IDENTITY:
		o->identity = optarg;
		return 0;
	case OPT_PLAIN:
		o->plain = true;
		return 0;
	case OPT_SERIAL:
		o->has_serial = true;
		if (cw_unhex(o->serial, sizeof o->serial, optarg,
		    strlen(optarg)) != (int)sizeof o->serial)
			return bad("--serial", optarg, "give 32 hex digits");
		return 0;
	case OPT_NAME:
		o->name = optarg;
		return 0;
	case OPT_CLK:
		return take_number(&o->clk_hz, "--clk-hz", optarg, 1000000,
		    5000000);
	case OPT_STORE:
		return take_number(&o->store_bytes, "--store-bytes", optarg, 1,
		    CW_COS_MAX);
	case OPT_LOG:
		return take_level(&o->log_level, optarg);
	case 'n':
		o->check_only = true;
		return 0;
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(0);
	case OPT_VERSION:
		puts("cardwright-reader " CW_SOFTWARE_VERSION);
		exit(0);
	default:
		fputs("cardwright-reader: --help tells the options\n", stderr);
		return -1;
	}
}

static int
options_take(struct options *o, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "listen", required_argument, NULL, OPT_LISTEN },
		{ "card", required_argument, NULL, OPT_CARD },
		{ "reader", required_argument, NULL, OPT_READER },
		{ "keys", required_argument, NULL, OPT_KEYS },
		{ "identity", required_argument, NULL, OPT_IDENTITY },
		{ "plain", no_argument, NULL, OPT_PLAIN },
		{ "serial", required_argument, NULL, OPT_SERIAL },
		{ "name", required_argument, NULL, OPT_NAME },
		{ "clk-hz", required_argument, NULL, OPT_CLK },
		{ "store-bytes", required_argument, NULL, OPT_STORE },
		{ "log", required_argument, NULL, OPT_LOG },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	o->clk_hz = 4000000;
	o->store_bytes = CW_COS_MAX;
	o->log_level = 2;
	while ((c = getopt_long(argc, argv, "n", longopts, NULL)) != -1)
		if (take_option(o, c) < 0)
			return -1;
	if (optind < argc)
		return bad("argument", argv[optind], "not understood (--help)");
	if ((o->listen == NULL) != (o->card == NULL))
		return bad("--listen", "and --card", "belong together");
	if (o->listen != NULL &&
	    add_reader(o, o->listen, strlen(o->listen), o->card) < 0)
		return -1;
	if (o->cnt == 0)
		return bad("reader", "missing", "give --listen and --card, or --reader (--help)");
	if (o->cnt > 1 && (o->has_serial || o->name != NULL || o->identity != NULL))
		return bad("--serial, --name, --identity", "with several readers",
		    "they name one; leave them out");
	return 0;
}

static const char *
identity_of(const struct options *o, size_t i)
{
	return o->identity != NULL ? o->identity : o->spec[i].listen;
}

/* Every reader has its key, or none has one. */
static int
keys_take(struct options *o)
{
	char err[256], remedy[160];
	size_t i;

	if (o->plain == (o->keys != NULL))
		return bad("--keys", "or --plain", "give one of them: --keys FILE "
		    "for the secured link (`cardwright reader enrol` makes FILE), "
		    "or --plain for test orders");
	if (o->plain)
		return 0;
	o->keyfile = cw_keyfile_load(o->keys, err, sizeof err);
	if (o->keyfile == NULL) {
		fprintf(stderr, "cardwright-reader: %s\n", err);
		return -1;
	}
	for (i = 0; i < o->cnt; i++) {
		if (cw_keyfile_find(o->keyfile, identity_of(o, i)) != NULL)
			continue;
		snprintf(remedy, sizeof remedy, "run `cardwright reader enrol %s "
		    "--keys %s`", identity_of(o, i), o->keys);
		return bad("no key for", identity_of(o, i), remedy);
	}
	return 0;
}

static void
options_print(const struct options *o)
{
	size_t i;

	for (i = 0; i < o->cnt; i++)
		printf("reader %s card %s link %s\n", o->spec[i].listen,
		    o->spec[i].card, o->plain ? "plain" : identity_of(o, i));
	printf("clk-hz %u\nstore-bytes %u\nlog %d\n", o->clk_hz,
	    o->store_bytes, o->log_level);
}

/* 0, or 1 when an address could not be used. */
static int
readers_open(const struct options *o, struct cw_host_env *env,
    struct cw_host **host)
{
	uint8_t digest[CW_SHA256_LEN];
	char err[256];
	size_t i;

	for (i = 0; i < o->cnt; i++) {
		struct cw_host_config c = {
			.name = o->name, .listen = o->spec[i].listen,
			.card = o->spec[i].card, .clk_hz = o->clk_hz,
			.store_bytes = o->store_bytes,
			.key = o->plain ? NULL :
			    cw_keyfile_find(o->keyfile, identity_of(o, i)),
			.identity = identity_of(o, i),
		};

		memcpy(c.serial, o->serial, sizeof c.serial);
		if (!o->has_serial) {
			cw_sha256(digest, c.listen, strlen(c.listen));
			memcpy(c.serial, digest, sizeof c.serial);
		}
		if (uv_random(NULL, NULL, &c.boot_id, sizeof c.boot_id, 0,
		    NULL) != 0) {
			fputs("cardwright-reader: the system gives no random "
			    "numbers\n", stderr);
			return 1;
		}
		host[i] = cw_host_open(env, &c, err, sizeof err);
		if (host[i] == NULL) {
			fprintf(stderr, "cardwright-reader: %s\n", err);
			return 1;
		}
		cw_host_log(host[i], 2, "reader.up", "listen=%s card=%s link=%s",
		    c.listen, c.card, o->plain ? "plain" : "tls");
	}
	return 0;
}

static void
stop(uv_signal_t *sig, int num)
{
	(void)num;
	uv_stop(sig->loop);
}

int
main(int argc, char **argv)
{
	static struct options o;
	static struct cw_host_env env;
	static struct cw_host *host[READERS_MAX];
	char why[CW_PROC_WHY_CAP];
	uv_signal_t sig[2];
	uv_loop_t loop;
	size_t i;
	int ret;

	if (options_take(&o, argc, argv) < 0 || keys_take(&o) < 0)
		return 2;
	if (o.check_only) {
		options_print(&o);
		cw_keyfile_free(o.keyfile);
		return 0;
	}

	/* This memory holds the records that the cards get. */
	if (cw_proc_harden(why) < 0)
		fprintf(stderr, "cardwright-reader: %s\n", why);
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&loop);
	env.loop = &loop;
	env.log_level = o.log_level;
	for (i = 0; i < 2; i++) {
		uv_signal_init(&loop, &sig[i]);
		uv_signal_start(&sig[i], stop, i == 0 ? SIGTERM : SIGINT);
	}
	ret = readers_open(&o, &env, host);
	cw_keyfile_free(o.keyfile);
	if (ret == 0)
		uv_run(&loop, UV_RUN_DEFAULT);

	for (i = 0; i < o.cnt; i++)
		if (host[i] != NULL)
			cw_host_close(host[i]);
	for (i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&sig[i], NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return ret;
}
