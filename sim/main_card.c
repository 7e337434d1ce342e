/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boards/host/contact.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/pps.h"
#include "host/keyops.h"
#include "host/log.h"
#include "sim/args.h"
#include "sim/contact_srv.h"
#include "sim/gp.h"
#include "sim/shelf.h"
#include "sim/vpcd.h"

/*
 * cardwright-card: the blanks of one line.  The state of the cards lives here,
 * as it lives in the plastic of real ones: readers and devices come and go.
 */
struct program {
	uv_loop_t loop;
	uv_signal_t usr1, term, intr;
	struct cw_world *world;
	struct cw_contact_srv *srv;
	struct cw_vpcd *vpcd;	/* NULL: not asked for */
	const char *dump;
	bool json_final;
};

/* A GlobalPlatform card, its keys in this process. */
struct gp_option {
	const char *proto, *key;
	struct cw_keystore *store;
	struct cw_sim_gp_config cfg;
};

struct options {
	struct cw_args_addr listen;
	struct cw_world_config world;
	double speed;
	int log;
	const char **fault;
	size_t fault_cnt;
	const char *faults, *dump;
	struct cw_shelf shelf;
	struct gp_option gp;
	bool json_final, check, feed, vpcd;
	struct cw_vpcd_config vpcd_cfg;
};

static const char usage[] =
"usage: cardwright-card [options]\n"
"The simulated blanks of one line, served to its readers and its device.\n"
"  --listen IP:PORT     contact link (127.0.0.1:7830)\n"
"  --stations N         stations, 1 to 64 (4)\n"
"  --blanks N|endless   blanks in the hopper (endless)\n"
"  --ta1 HEX            TA1 of the blanks: fastest F/D (96)\n"
"  --inverse            blanks use the inverse convention\n"
"  --protocol P         what the blanks offer: t0, t1 or both (t0)\n"
"  --ifsc N             information field size of a blank in T=1 (254)\n"
"  --crc                T=1 with CRC in place of LRC\n"
"  --uicc FILE|DIR      what a blank becomes: a description; DIR/N.txt for card N\n"
"  --gp P[,active]      what a blank becomes: a GlobalPlatform card, scp02 or scp03;\n"
"                       active: it is one from the start\n"
"  --gp-key HEX         its keys (404142..4F; 24 or 32 bytes with scp03)\n"
"  --save DIR           write every such card as DIR/N.txt when it leaves\n"
"  --flash-kib N        flash of a blank, 2 to 4096 (256)\n"
"  --write-us N         flash time of a block (0)\n"
"  --erase-us N         flash time of a page of 2048 bytes (0)\n"
"  --speed X            answer at X times real speed; 0 = at once (0)\n"
"  --fault CARDNO=FAULT a fault for that card, or every:N=FAULT; repeatable\n"
"  --faults FILE        such faults, one per line\n"
"  --feed               a blank in every station from the start\n"
"  --vpcd HOST:PORT[/N] station N (1) is also a card of that virtual reader\n"
"  --dump FILE          write every card as JSON on SIGUSR1 and at the end\n"
"  --json-final         the same on standard output at the end\n"
"  --log LEVEL          error, warn, info, debug, trace (info)\n"
"  -n                   check the options and stop\n"
"  --help, --version\n"
"Faults: mute atr no-boot sw:N=SW flash:N hang:N pulled:N parity:N\n"
"parity-hard:N no-cos bad-write:N nulls:N char-wrong:N char-lost:N\n"
"char-mute:N char-pulled:N procedure:N=BYTE edc:N block-lost:N number:N nak:N\n"
"stuck:N abort:N; see cardwright-card(1).\n";

enum { OPT_STATIONS = 256, OPT_BLANKS, OPT_TA1, OPT_INVERSE, OPT_FLASH,
    OPT_WRITE, OPT_ERASE, OPT_SPEED, OPT_FAULT, OPT_FAULTS, OPT_DUMP,
    OPT_JSON, OPT_LOG, OPT_HELP, OPT_VERSION, OPT_LISTEN, OPT_PROTOCOL,
    OPT_IFSC, OPT_CRC, OPT_UICC, OPT_GP, OPT_GP_KEY, OPT_SAVE, OPT_FEED, OPT_VPCD };

static const struct option longopts[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "stations", required_argument, NULL, OPT_STATIONS },
	{ "blanks", required_argument, NULL, OPT_BLANKS },
	{ "ta1", required_argument, NULL, OPT_TA1 },
	{ "inverse", no_argument, NULL, OPT_INVERSE },
	{ "protocol", required_argument, NULL, OPT_PROTOCOL },
	{ "ifsc", required_argument, NULL, OPT_IFSC },
	{ "crc", no_argument, NULL, OPT_CRC },
	{ "gp", required_argument, NULL, OPT_GP },
	{ "gp-key", required_argument, NULL, OPT_GP_KEY },
	{ "uicc", required_argument, NULL, OPT_UICC },
	{ "save", required_argument, NULL, OPT_SAVE },
	{ "flash-kib", required_argument, NULL, OPT_FLASH },
	{ "write-us", required_argument, NULL, OPT_WRITE },
	{ "erase-us", required_argument, NULL, OPT_ERASE },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "faults", required_argument, NULL, OPT_FAULTS },
	{ "feed", no_argument, NULL, OPT_FEED },
	{ "vpcd", required_argument, NULL, OPT_VPCD },
	{ "dump", required_argument, NULL, OPT_DUMP },
	{ "json-final", no_argument, NULL, OPT_JSON },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static uint8_t
parse_ta1(const char *text)
{
	unsigned long v;
	uint32_t fmax;
	uint16_t fi;
	uint8_t di;
	char *end;

	v = strtoul(text, &end, 16);
	if (end == text || *end != '\0' || v > 0xFF ||
	    cw_pps_fidi((uint8_t)v, &fi, &fmax, &di) < 0)
		cw_args_fail("--ta1", "expected F and D of ISO/IEC 7816-3 in "
		    "two hex digits such as 96, found \"%s\"", text);
	return (uint8_t)v;
}

static enum cw_sim_protocols
parse_protocol(const char *text)
{
	if (strcmp(text, "t0") == 0)
		return CW_SIM_T0;
	if (strcmp(text, "t1") == 0)
		return CW_SIM_T1;
	if (strcmp(text, "both") != 0)
		cw_args_fail("--protocol", "expected t0, t1 or both, found "
		    "\"%s\"", text);
	return CW_SIM_BOTH;
}

/* Options about what a blank is; false for another. */
static bool
card_option(struct cw_sim_card_config *card, int opt)
{
	switch (opt) {
	case OPT_TA1:
		card->ta1 = parse_ta1(optarg);
		return true;
	case OPT_INVERSE:
		card->inverse = true;
		return true;
	case OPT_PROTOCOL:
		card->protocols = parse_protocol(optarg);
		return true;
	case OPT_IFSC:
		card->ifsc = (uint8_t)cw_args_u32("--ifsc", optarg, 1, 254);
		return true;
	case OPT_CRC:
		card->crc = true;
		return true;
	case OPT_FLASH:
		card->flash_len =
		    1024 * cw_args_u32("--flash-kib", optarg, 2, 4096);
		return true;
	case OPT_WRITE:
		card->write_us = cw_args_u32("--write-us", optarg, 0, 60000000);
		return true;
	case OPT_ERASE:
		card->erase_us = cw_args_u32("--erase-us", optarg, 0, 60000000);
		return true;
	default:
		return false;
	}
}

/* HOST:PORT[/STATION]; the name is resolved here and now. */
static void
parse_vpcd(struct options *o, const char *text)
{
	struct addrinfo hint = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char host[128], port[8], end;
	unsigned int station = 1;
	int n = sscanf(text, "%127[^:]:%7[0-9]/%u%c", host, port, &station, &end);

	if ((n != 2 && n != 3) || station < 1 || station > 64 ||
	    (n == 2 && strchr(text, '/') != NULL))
		cw_args_fail("--vpcd", "expected HOST:PORT or HOST:PORT/STATION, such "
		    "as 127.0.0.1:35963, found \"%s\"", text);
	n = getaddrinfo(host, port, &hint, &list);
	if (n != 0)
		cw_args_fail("--vpcd", "%s: %s", text, gai_strerror(n));
	memcpy(&o->vpcd_cfg.to, list->ai_addr, sizeof o->vpcd_cfg.to);
	freeaddrinfo(list);
	o->vpcd_cfg.station = (uint16_t)(station - 1);
	o->vpcd = true;
}

/* The blanks become GlobalPlatform cards when it was asked for. */
static void
gp_serve(struct gp_option *g, struct cw_world_config *w)
{
	const char *hex = g->key != NULL ? g->key : "404142434445464748494A4B4C4D4E4F";
	size_t len = g->proto != NULL ? strcspn(g->proto, ",") : 0;
	bool des = len == 5 && memcmp(g->proto, "scp02", 5) == 0;
	enum cw_key_alg alg;
	uint8_t key[CW_KEY_MAX];
	uint32_t h;
	int n;

	if (g->proto == NULL)
		return;
	w->card.gp_active = strcmp(g->proto + len, ",active") == 0;
	if (len != 5 || (!des && memcmp(g->proto, "scp03", 5) != 0) ||
	    (g->proto[len] != '\0' && !w->card.gp_active))
		cw_args_fail("--gp", "expected scp02 or scp03, and ,active after it for "
		    "cards that need no COS, found \"%s\"", g->proto);
	n = cw_unhex(key, sizeof key, hex, strlen(hex));
	if (n != 16 && (des || (n != 24 && n != 32)))
		cw_args_fail("--gp-key", "expected hex of 16 bytes%s",
		    des ? "" : ", 24 or 32");
	alg = des ? CW_KEY_DES3 : n == 16 ? CW_KEY_AES128 :
	    n == 24 ? CW_KEY_AES192 : CW_KEY_AES256;
	g->store = cw_keystore_new();
	if (g->store == NULL || (h = cw_keystore_add(g->store, alg, key)) == 0)
		cw_args_fail("--gp", "the crypto library gives no keys");
	g->cfg.keys = cw_keystore_keys(g->store);
	g->cfg.initial = (struct cw_scp_static){ h, h, h };
	g->cfg.proto = des ? 2 : 3;
	g->cfg.i = des ? 0x55 : 0x70;
	w->card.gp = &g->cfg;
	cw_wipe(key, sizeof key);
}

static void
option(struct options *o, int opt)
{
	if (card_option(&o->world.card, opt))
		return;
	switch (opt) {
	case OPT_LISTEN:
		cw_args_addr("--listen", optarg, &o->listen);
		break;
	case OPT_STATIONS:
		o->world.station_cnt =
		    (uint16_t)cw_args_u32("--stations", optarg, 1, 64);
		break;
	case OPT_BLANKS:
		o->world.blanks = cw_args_count("--blanks", optarg);
		break;
	case OPT_SPEED:
		o->speed = cw_args_real("--speed", optarg);
		break;
	case OPT_FAULT:
		o->fault[o->fault_cnt++] = optarg;
		break;
	case OPT_FAULTS:
		o->faults = optarg;
		break;
	case OPT_FEED:
		o->feed = true;
		break;
	case OPT_VPCD:
		parse_vpcd(o, optarg);
		break;
	case OPT_DUMP:
		o->dump = optarg;
		break;
	case OPT_GP:
		o->gp.proto = optarg;
		break;
	case OPT_GP_KEY:
		o->gp.key = optarg;
		break;
	case OPT_UICC:
		cw_shelf_load(&o->shelf, optarg);
		break;
	case OPT_SAVE:
		o->shelf.save = optarg;
		break;
	case OPT_JSON:
		o->json_final = true;
		break;
	case OPT_LOG:
		o->log = cw_args_log("--log", optarg);
		break;
	case 'n':
		o->check = true;
		break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	case OPT_VERSION:
		puts("cardwright-card " CW_SOFTWARE_VERSION);
		exit(0);
	default:
		fputs("try cardwright-card --help\n", stderr);
		exit(2);
	}
}

/* One fault per line; blank lines and lines with # are skipped. */
static int
read_faults(struct cw_world *w, const char *path)
{
	char line[256], *p;
	int no = 0, err = 0;
	FILE *fp;

	if ((fp = fopen(path, "r")) == NULL) {
		fprintf(stderr, "cardwright-card: --faults: %s: %s\n", path,
		    strerror(errno));
		return CW_EIO;
	}
	while (err == 0 && fgets(line, sizeof line, fp) != NULL) {
		no++;
		p = line + strspn(line, " \t");
		p[strcspn(p, " \t\r\n#")] = '\0';
		if (*p == '\0')
			continue;
		if ((err = cw_world_fault(w, p)) < 0)
			fprintf(stderr, "cardwright-card: %s:%d: \"%s\" is not "
			    "CARDNO=FAULT; see cardwright-card(1)\n", path, no,
			    p);
	}
	fclose(fp);
	return err;
}

static void
dump(struct program *p)
{
	char tmp[4096];
	FILE *fp;
	int bad;

	if (p->dump == NULL)
		return;
	snprintf(tmp, sizeof tmp, "%s.tmp", p->dump);
	if ((fp = fopen(tmp, "w")) == NULL) {
		cw_log(CW_LOG_ERROR, "dump.failed", "file=%s err=\"%s\"", tmp,
		    strerror(errno));
		return;
	}
	bad = cw_world_dump(p->world, fp) < 0;
	bad |= fclose(fp) != 0;
	if (bad || rename(tmp, p->dump) != 0)
		cw_log(CW_LOG_ERROR, "dump.failed", "file=%s err=\"%s\"",
		    p->dump, strerror(errno));
	else
		cw_log(CW_LOG_INFO, "dump.written", "file=%s", p->dump);
}

static void
on_signal(uv_signal_t *h, int sig)
{
	struct program *p = h->data;

	if (sig == SIGUSR1) {
		dump(p);
		return;
	}
	cw_contact_srv_close(p->srv);
	cw_vpcd_close(p->vpcd);
	uv_close((uv_handle_t *)&p->usr1, NULL);
	uv_close((uv_handle_t *)&p->term, NULL);
	uv_close((uv_handle_t *)&p->intr, NULL);
}

static void
catch(struct program *p, uv_signal_t *h, int sig)
{
	uv_signal_init(&p->loop, h);
	h->data = p;
	uv_signal_start(h, on_signal, sig);
}

static int
serve(struct program *p, const struct options *o)
{
	struct cw_contact_srv_config cfg = {
		.loop = &p->loop, .world = p->world,
		.station_cnt = o->world.station_cnt, .speed = o->speed,
		.ip = o->listen.ip, .port = o->listen.port,
	};
	struct cw_vpcd_config vpcd = o->vpcd_cfg;
	char err[256];

	uv_loop_init(&p->loop);
	p->srv = cw_contact_srv_open(&cfg, err, sizeof err);
	if (p->srv == NULL) {
		fprintf(stderr, "cardwright-card: --listen: %s\n", err);
		uv_run(&p->loop, UV_RUN_DEFAULT);
		uv_loop_close(&p->loop);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	catch(p, &p->usr1, SIGUSR1);
	catch(p, &p->term, SIGTERM);
	catch(p, &p->intr, SIGINT);
	if (o->vpcd) {
		vpcd.loop = &p->loop;
		vpcd.world = p->world;
		p->vpcd = cw_vpcd_open(&vpcd);
	}
	cw_log(CW_LOG_INFO, "card.ready", "listen=%s:%u stations=%u",
	    o->listen.ip, cw_contact_srv_port(p->srv), o->world.station_cnt);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	uv_loop_close(&p->loop);
	dump(p);
	if (p->json_final && cw_world_dump(p->world, stdout) < 0)
		return 1;
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = {
		.listen = { "127.0.0.1", CW_CONTACT_PORT },
		.world = { .station_cnt = 4, .blanks = UINT32_MAX },
		.log = CW_LOG_INFO,
	};
	struct program p = { 0 };
	int opt, rc = 0;
	size_t i;

	o.fault = calloc((size_t)argc, sizeof o.fault[0]);
	if (o.fault == NULL)
		return 1;
	while ((opt = getopt_long(argc, argv, "n", longopts, NULL)) != -1)
		option(&o, opt);
	if (optind < argc)
		cw_args_fail(argv[optind], "no such argument");
	cw_log_open("cardwright-card", (enum cw_log_level)o.log);

	o.world.tag = o.listen.port;
	gp_serve(&o.gp, &o.world);
	cw_shelf_serve(&o.shelf, &o.world);
	if ((p.world = cw_world_new(&o.world)) == NULL)
		return 1;
	for (i = 0; i < o.fault_cnt; i++)
		if (cw_world_fault(p.world, o.fault[i]) < 0)
			cw_args_fail("--fault", "\"%s\" is not CARDNO=FAULT, "
			    "such as 7=mute or every:25=sw:3=6581", o.fault[i]);
	if (o.faults != NULL && read_faults(p.world, o.faults) < 0)
		rc = 2;
	if (o.vpcd && o.vpcd_cfg.station >= o.world.station_cnt)
		cw_args_fail("--vpcd", "station %u is not there: --stations %u",
		    o.vpcd_cfg.station + 1u, o.world.station_cnt);
	for (i = 0; o.feed && i < o.world.station_cnt; i++)
		(void)cw_world_feed(p.world, (uint16_t)i, (uint32_t)i + 1);
	p.dump = o.dump;
	p.json_final = o.json_final;
	if (rc == 0 && !o.check)
		rc = serve(&p, &o);
	cw_world_free(p.world);
	cw_keystore_free(o.gp.store);
	cw_shelf_free(&o.shelf);
	free(o.fault);
	return rc;
}
