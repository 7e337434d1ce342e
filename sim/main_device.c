/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "boards/host/contact.h"
#include "cw/err.h"
#include "host/log.h"
#include "sim/args.h"
#include "sim/contact_cli.h"
#include "sim/device.h"
#include "sim/device_file.h"
#include "sim/hands.h"
#include "sim/modbus_srv.h"

#define MODBUS_PORT 502

/*
 * cardwright-device: a handler behind Modbus/TCP whose stations are those of a
 * cardwright-card.  Every written register, every message and every deadline
 * makes one turn: step the core, store its state, then tell the contacts.
 */
struct program {
	struct cw_sim_device dev;
	struct cw_hands hands;
	struct cw_device_file file;
	bool has_file, disk_bad, stop;
	const char *name;
	int epoll_fd;
	struct cw_watch signals;
	struct cw_modbus_srv *modbus;
	struct cw_contact_cli *contacts;
	uint64_t next_us;		/* when the core wants its next step */
};

struct options {
	struct cw_args_addr listen, contacts;
	struct cw_sim_device_config dev;
	const char *state, *name;
	int log;
	bool check, no_sync;
};

static const char usage[] =
"usage: cardwright-device [options]\n"
"A simulated card handler: Modbus/TCP to the terminal, contact link to\n"
"cardwright-card.\n"
"  --listen IP:PORT     Modbus/TCP (127.0.0.1:502)\n"
"  --contacts IP:PORT   cardwright-card (127.0.0.1:7830)\n"
"  --stations N         stations, 1 to 64 (4)\n"
"  --hopper N|endless   blanks in the hopper (endless)\n"
"  --feed-ms X          time of a feed; 0 = at once (0)\n"
"  --move-ms X          time from station to bin (0)\n"
"  --jam-every N        every N-th feed jams; 0 = never (0)\n"
"  --state FILE         counters and stations survive a restart in FILE\n"
"  --no-sync            do not wait for the disk before a card is drawn\n"
"  --name NAME          name in the log (device)\n"
"  --log LEVEL          error, warn, info, debug, trace (info)\n"
"  -n                   check options and state file and stop\n"
"  --help, --version\n";

enum { OPT_LISTEN = 256, OPT_CONTACTS, OPT_STATIONS, OPT_HOPPER, OPT_FEED,
    OPT_MOVE, OPT_JAM, OPT_STATE, OPT_NO_SYNC, OPT_NAME, OPT_LOG, OPT_HELP,
    OPT_VERSION };

static const struct option longopts[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "contacts", required_argument, NULL, OPT_CONTACTS },
	{ "stations", required_argument, NULL, OPT_STATIONS },
	{ "hopper", required_argument, NULL, OPT_HOPPER },
	{ "feed-ms", required_argument, NULL, OPT_FEED },
	{ "move-ms", required_argument, NULL, OPT_MOVE },
	{ "jam-every", required_argument, NULL, OPT_JAM },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "no-sync", no_argument, NULL, OPT_NO_SYNC },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void
option(struct options *o, int opt)
{
	switch (opt) {
	case OPT_LISTEN:
		cw_args_addr("--listen", optarg, &o->listen);
		break;
	case OPT_CONTACTS:
		cw_args_addr("--contacts", optarg, &o->contacts);
		break;
	case OPT_STATIONS:
		o->dev.station_cnt = (uint16_t)cw_args_u32("--stations", optarg,
		    1, CW_DEVICE_STATIONS_MAX);
		break;
	case OPT_HOPPER:
		o->dev.hopper = cw_args_count("--hopper", optarg);
		break;
	case OPT_FEED:
		o->dev.feed_us = cw_args_ms("--feed-ms", optarg);
		break;
	case OPT_MOVE:
		o->dev.move_us = cw_args_ms("--move-ms", optarg);
		break;
	case OPT_JAM:
		o->dev.jam_every = cw_args_u32("--jam-every", optarg, 0,
		    1000000000);
		break;
	case OPT_STATE:
		o->state = optarg;
		break;
	case OPT_NO_SYNC:
		o->no_sync = true;
		break;
	case OPT_NAME:
		o->name = optarg;
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
		puts("cardwright-device " CW_SOFTWARE_VERSION);
		exit(0);
	default:
		fputs("try cardwright-device --help\n", stderr);
		exit(2);
	}
}

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static bool
store(struct program *p)
{
	bool bad = p->has_file && cw_device_file_store(&p->file, &p->dev) < 0;

	if (bad && !p->disk_bad)
		cw_log(CW_LOG_ERROR, "state.failed", "name=%s err=\"%s\" "
		    "remedy=\"make room; no card moves until then\"", p->name,
		    strerror(errno));
	p->disk_bad = bad;
	return !bad;
}

static void
turn(struct program *p)
{
	struct cw_hands_ask ask;

	p->next_us = cw_sim_device_step(&p->dev, now_us());
	if (!store(p))
		return;
	while (cw_hands_next(&p->hands, &ask) == 1) {
		if (ask.feed)
			cw_contact_cli_feed(p->contacts, ask.station,
			    ask.card_no);
		else
			cw_contact_cli_bin(p->contacts, ask.station, ask.bin);
	}
	cw_contact_cli_flush(p->contacts);
}

static void
on_written(void *ctx)
{
	turn(ctx);
}

static void
on_contacts_up(void *ctx)
{
	struct program *p = ctx;

	cw_hands_up(&p->hands);
	turn(p);
}

static void
on_fed(void *ctx, uint16_t station, uint32_t card_no, int err)
{
	struct program *p = ctx;

	if (err < 0 && err != CW_ENOENT)
		cw_log(CW_LOG_ERROR, "feed.refused", "name=%s station=%u "
		    "card=%u err=%s remedy=\"the contacts hold other cards: "
		    "restart cardwright-card, or give --state its file\"",
		    p->name, station + 1u, card_no, cw_err_name(err));
	cw_hands_fed(&p->hands, station, card_no, err);
	turn(p);
}

static void
on_binned(void *ctx, uint16_t station, uint32_t card_no, uint8_t bin)
{
	struct program *p = ctx;

	cw_hands_binned(&p->hands, station, card_no, bin);
	turn(p);
}

static void
on_lost(void *ctx, uint16_t station)
{
	struct program *p = ctx;

	if (!cw_hands_lost(&p->hands, station))
		return;
	cw_log(CW_LOG_INFO, "card.lost", "name=%s station=%u", p->name,
	    station + 1u);
	turn(p);
}

static void
on_signal(struct cw_watch *w, uint32_t events)
{
	struct program *p = w->ctx;

	(void)events;
	p->stop = true;
}

static void
loop(struct program *p)
{
	struct epoll_event ev[16];
	struct cw_watch *w;
	struct timespec ts;
	uint64_t now, next;
	int i, n;

	while (!p->stop) {
		next = cw_contact_cli_step(p->contacts, now_us());
		if (p->next_us < next)
			next = p->next_us;
		now = now_us();
		next = next > now ? next - now : 0;
		ts.tv_sec = (time_t)(next / 1000000);
		ts.tv_nsec = (long)(next % 1000000) * 1000;
		n = epoll_pwait2(p->epoll_fd, ev, 16, &ts, NULL);
		for (i = 0; i < n; i++) {
			w = ev[i].data.ptr;
			w->fn(w, ev[i].events);
		}
		cw_modbus_srv_sweep(p->modbus);
		if (now_us() >= p->next_us)
			turn(p);
	}
}

static void
catch_signals(struct program *p)
{
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->signals = (struct cw_watch){ on_signal, p,
	    signalfd(-1, &set, SFD_CLOEXEC) };
	ev.data.ptr = &p->signals;
	(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->signals.fd, &ev);
}

static int
serve(struct program *p, const struct options *o)
{
	struct cw_modbus_srv_config cfg = {
		.ip = o->listen.ip, .port = o->listen.port,
		.hold = p->dev.hold, .hold_cnt = CW_DEVICE_HOLD_CNT,
		.input = p->dev.input, .input_cnt = CW_DEVICE_INPUT_CNT,
		.written = on_written, .ctx = p,
	};
	struct cw_contact_cli_cb cb = {
		on_contacts_up, on_fed, on_binned, on_lost, p,
	};
	char err[256];
	int rc = 1;

	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	cfg.epoll_fd = p->epoll_fd;
	p->contacts = cw_contact_cli_open(p->epoll_fd, &o->contacts, &cb);
	if (p->epoll_fd < 0 || p->contacts == NULL)
		goto err0;
	p->modbus = cw_modbus_srv_open(&cfg, err, sizeof err);
	if (p->modbus == NULL) {
		fprintf(stderr, "cardwright-device: --listen: %s\n", err);
		goto err0;
	}
	catch_signals(p);
	turn(p);
	cw_log(CW_LOG_INFO, "device.ready", "name=%s listen=%s:%u stations=%u "
	    "fed=%u good=%u reject=%u lost=%u boots=%u", p->name, o->listen.ip,
	    o->listen.port, p->dev.cfg.station_cnt, p->dev.fed, p->dev.good,
	    p->dev.reject, p->dev.lost, p->dev.boot_cnt);
	loop(p);
	rc = 0;
	close(p->signals.fd);
	cw_modbus_srv_close(p->modbus);
err0:
	cw_contact_cli_close(p->contacts);
	if (p->epoll_fd >= 0)
		close(p->epoll_fd);
	return rc;
}

int
main(int argc, char **argv)
{
	struct options o = {
		.listen = { "127.0.0.1", MODBUS_PORT },
		.contacts = { "127.0.0.1", CW_CONTACT_PORT },
		.dev = { .station_cnt = 4, .hopper = UINT32_MAX,
		    .jam_clears = true },
		.name = "device",
		.log = CW_LOG_INFO,
	};
	struct program p = { 0 };
	char err[256];
	int opt, rc = 0;

	while ((opt = getopt_long(argc, argv, "n", longopts, NULL)) != -1)
		option(&o, opt);
	if (optind < argc)
		cw_args_fail(argv[optind], "no such argument");
	cw_log_open("cardwright-device", (enum cw_log_level)o.log);
	signal(SIGPIPE, SIG_IGN);

	p.name = o.name;
	cw_hands_init(&p.hands, &p.dev);
	cw_sim_device_init(&p.dev, &o.dev, &p.hands.mech);
	if (o.state != NULL) {
		if (cw_device_file_open(&p.file, o.state, !o.no_sync, &p.dev,
		    err, sizeof err) < 0) {
			fprintf(stderr, "cardwright-device: --state: %s\n", err);
			return 1;
		}
		p.has_file = true;
	}
	if (!o.check)
		rc = serve(&p, &o);
	if (p.has_file)
		cw_device_file_close(&p.file);
	return rc;
}
