/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "boards/host/host.h"
#include "console.h"
#include "cw/err.h"
#include "gdb.h"
#include "link.h"
#include "net.h"

/* cardwright-board: the virtual board as a program. */
#define SLICE_US 1000
#define BEHIND_MS 50
#define FDS_MAX 32
#define EXIT_TRAP 3
#define EXIT_CUT 4

struct options {
	const char *elf, *boot, *flash, *eeprom, *console;
	const char *contact[CW_VB_SLOTS];
	int contact_cnt;
	const char *trace;
	struct cw_vb_net_config net;
	double speed;		/* 0: as fast as it goes while there is work */
	uint64_t cut_at, stop_ms;
	bool cut_torn;
	uint16_t gdb_port;
	uint8_t uid[12];
};

struct board {
	struct options o;
	struct cw_vb *vb;
	struct cw_vb_net *net;
	struct cw_vb_console *console;
	struct cw_vb_link *link[CW_VB_SLOTS];
	struct cw_vb_gdb *gdb;
	FILE *trace;
	uint8_t *flash, *eeprom;
	uint64_t wall0_ns, virt0;	/* where both clocks were alike */
};

static volatile sig_atomic_t sig_end, sig_cut, sig_reset;

static const char usage_text[] =
"usage: cardwright-board --elf FILE [options]\n"
"\n"
"Runs the firmware of the network reader on a model of its board.\n"
"\n"
"  --elf FILE          firmware; written to the flash before the start\n"
"  --boot FILE         bootloader, the same\n"
"  --flash FILE        program memory, 512 KiB; made when it is not there\n"
"  --eeprom FILE       settings memory, 32 KiB; made when it is not there\n"
"  --contact IP:PORT/STATION  a station of cardwright-card for the next slot;\n"
"                      up to three times\n"
"  --ip-bind IP[:PORT] address of the host in place of the chip's own; with\n"
"                      PORT, that port in place of 7816\n"
"  --console WHERE     stdio, none, pty or tcp:PORT (stdio)\n"
"  --speed X           times real speed (1); max: as fast as it goes while\n"
"                      there is work to do\n"
"  --stop-ms N         end after N ms of virtual time\n"
"  --cut-at N          power cut at the N-th write to flash or EEPROM\n"
"  --torn              that write is torn in the middle\n"
"  --trace FILE        lines of what happens; - is standard error\n"
"  --gdb PORT          wait for gdb there (target remote :PORT)\n"
"  --uid HEX           unique id of the chip, 24 hex digits\n"
"  --help, --version\n"
"\n"
"SIGUSR1 cuts the power and gives it back, SIGUSR2 presses reset.\n"
"Exit: 0 ended by a signal, --stop-ms or BKPT 0xAB, 1 a file or address could\n"
"not be used, 2 usage, 3 stopped at what the model does not know, 4 power cut\n"
"(--cut-at).\n";

static void
on_signal(int no)
{
	if (no == SIGUSR1)
		sig_cut = 1;
	else if (no == SIGUSR2)
		sig_reset = 1;
	else
		sig_end = 1;
}

static int
bad(const char *what, const char *value, const char *remedy)
{
	fprintf(stderr, "cardwright-board: %s %s: %s\n", what, value, remedy);
	return -1;
}

/* ---- options ------------------------------------------------------------- */

static int
take_u64(uint64_t *out, const char *what, const char *text)
{
	char *end;

	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0')
		return bad(what, text, "give a number");
	return 0;
}

static int
take_bind(struct options *o, const char *text)
{
	char ip[32];
	const char *colon = strchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
	struct in_addr a;
	uint64_t port = 0;

	if (len >= sizeof ip)
		return bad("--ip-bind", text, "give IP or IP:PORT");
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (inet_pton(AF_INET, ip, &a) != 1 || (colon != NULL &&
	    (take_u64(&port, "--ip-bind", colon + 1) < 0 || port > 65535)))
		return bad("--ip-bind", text, "give IP or IP:PORT");
	o->net.ip = ntohl(a.s_addr);
	o->net.from_port = 7816;
	o->net.to_port = (uint16_t)port;
	return 0;
}

static int
take_uid(struct options *o, const char *text)
{
	unsigned v;
	size_t i;

	if (strlen(text) != 2 * sizeof o->uid)
		return bad("--uid", text, "give 24 hex digits");
	for (i = 0; i < sizeof o->uid; i++) {
		if (sscanf(text + 2 * i, "%2x", &v) != 1)
			return bad("--uid", text, "give 24 hex digits");
		o->uid[i] = (uint8_t)v;
	}
	return 0;
}

static int
take_speed(struct options *o, const char *text)
{
	char *end;

	o->speed = strcmp(text, "max") == 0 ? 0 : strtod(text, &end);
	if (strcmp(text, "max") != 0 && (*end != '\0' || !(o->speed > 0)))
		return bad("--speed", text, "give a number above 0, or max");
	return 0;
}

static int
take_contact(struct options *o, const char *text)
{
	if (o->contact_cnt == CW_VB_SLOTS)
		return bad("--contact", text, "a board has three slots");
	o->contact[o->contact_cnt++] = text;
	return 0;
}

static int
take_option(struct options *o, int c, const char *arg)
{
	uint64_t v = 0;
	int err = 0;

	switch (c) {
	case 'e': o->elf = arg; break;
	case 'b': o->boot = arg; break;
	case 'f': o->flash = arg; break;
	case 'E': o->eeprom = arg; break;
	case 'c': err = take_contact(o, arg); break;
	case 'i': err = take_bind(o, arg); break;
	case 'C': o->console = arg; break;
	case 's': err = take_speed(o, arg); break;
	case 'S': err = take_u64(&o->stop_ms, "--stop-ms", arg); break;
	case 'n': err = take_u64(&o->cut_at, "--cut-at", arg); break;
	case 'T': o->cut_torn = true; break;
	case 't': o->trace = arg; break;
	case 'g':
		err = take_u64(&v, "--gdb", arg);
		o->gdb_port = (uint16_t)v;
		break;
	case 'u': err = take_uid(o, arg); break;
	default: err = -1; break;
	}
	return err;
}

static int
take_options(struct options *o, int argc, char **argv)
{
	static const struct option opt[] = {
		{ "elf", 1, NULL, 'e' }, { "boot", 1, NULL, 'b' },
		{ "flash", 1, NULL, 'f' }, { "eeprom", 1, NULL, 'E' },
		{ "contact", 1, NULL, 'c' }, { "ip-bind", 1, NULL, 'i' },
		{ "console", 1, NULL, 'C' }, { "speed", 1, NULL, 's' },
		{ "stop-ms", 1, NULL, 'S' }, { "cut-at", 1, NULL, 'n' },
		{ "torn", 0, NULL, 'T' }, { "trace", 1, NULL, 't' },
		{ "gdb", 1, NULL, 'g' },
		{ "uid", 1, NULL, 'u' },
		{ "help", 0, NULL, 'h' }, { "version", 0, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", opt, NULL)) != -1) {
		if (c == 'h' || c == 'V') {
			fputs(c == 'h' ? usage_text :
			    "cardwright-board " CW_SOFTWARE_VERSION "\n", stdout);
			exit(0);
		}
		if (take_option(o, c, optarg) < 0)
			return -1;
	}
	if (optind < argc)
		return bad("argument", argv[optind], "is not an option");
	if (o->elf == NULL && o->flash == NULL)
		return bad("--elf", "missing", "give the firmware's ELF file");
	return 0;
}

/* ---- memories that last --------------------------------------------------- */

static uint8_t *
memory(const char *path, size_t len)
{
	uint8_t *p;
	off_t had;
	int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	if (path != NULL) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || (had = lseek(fd, 0, SEEK_END)) < 0 ||
		    (had != 0 && had != (off_t)len) ||
		    ftruncate(fd, (off_t)len) < 0) {
			bad("file", path, "cannot be used, or is of another length");
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		flags = MAP_SHARED;
	}
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (p != MAP_FAILED && (path == NULL || had == 0))
		memset(p, 0xFF, len);
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

/* ---- life ---------------------------------------------------------------- */

static void
say_console(void *ctx, const uint8_t *buf, size_t len)
{
	cw_vb_console_write(((struct board *)ctx)->console, buf, len);
}

static void
say_trace(void *ctx, const char *line)
{
	FILE *f = ((struct board *)ctx)->trace;

	fprintf(f, "%s\n", line);
}

static int
open_links(struct board *b, struct cw_vb_config *cfg)
{
	struct sockaddr_in a;
	uint16_t station;
	int i;

	for (i = 0; i < b->o.contact_cnt; i++) {
		if (cw_host_station(&a, &station, b->o.contact[i]) < 0)
			return bad("--contact", b->o.contact[i],
			    "give IP:PORT/STATION, such as 127.0.0.1:7830/1");
		b->link[i] = cw_vb_link_open(&a, station);
		cfg->contact[i] = &cw_vb_link_ops;
		cfg->contact_ctx[i] = b->link[i];
	}
	return 0;
}

static int
load(struct board *b, const char *path)
{
	int err = path == NULL ? 0 : cw_vb_load(b->vb, path);

	if (err == CW_ERANGE)
		return bad("image", path, "has parts outside the flash");
	return err < 0 ? bad("image", path, cw_err_name(err)) : 0;
}

static int
open_board(struct board *b)
{
	struct cw_vb_config cfg = { .ctx = b, .console = say_console,
	    .net = &cw_vb_net_ops };

	b->trace = b->o.trace == NULL ? NULL : strcmp(b->o.trace, "-") == 0 ? stderr :
	    fopen(b->o.trace, "w");
	if (b->o.trace != NULL && b->trace == NULL)
		return bad("--trace", b->o.trace, strerror(errno));
	if (b->trace != NULL)
		cfg.trace = say_trace;
	b->console = cw_vb_console_open(b->o.console);
	b->net = cw_vb_net_open(&b->o.net);
	b->flash = memory(b->o.flash, CW_VB_FLASH_LEN);
	b->eeprom = memory(b->o.eeprom, CW_VB_EEPROM_LEN);
	if (b->console == NULL || b->net == NULL || b->flash == NULL || b->eeprom == NULL)
		return -1;
	cfg.flash = b->flash;
	cfg.eeprom = b->eeprom;
	cfg.net_ctx = b->net;
	memcpy(cfg.uid, b->o.uid, sizeof cfg.uid);
	if (open_links(b, &cfg) < 0)
		return -1;
	b->vb = cw_vb_new(&cfg);
	if (b->vb == NULL)
		return bad("board", "", "out of memory");
	if (load(b, b->o.boot) < 0 || load(b, b->o.elf) < 0)
		return -1;
	cw_vb_cut_at(b->vb, b->o.cut_at, b->o.cut_torn);
	return 0;
}

static void
close_board(struct board *b)
{
	int i;

	cw_vb_gdb_close(b->gdb);
	cw_vb_free(b->vb);
	for (i = 0; i < CW_VB_SLOTS; i++)
		cw_vb_link_close(b->link[i]);
	cw_vb_net_close(b->net);
	cw_vb_console_close(b->console);
	if (b->trace != NULL && b->trace != stderr)
		fclose(b->trace);
}

/* ---- the loop -------------------------------------------------------------- */

static uint64_t
wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
clocks_alike(struct board *b)
{
	b->wall0_ns = wall_ns();
	b->virt0 = cw_vb_now(b->vb);
}

/* The virtual time that is due by the wall clock. */
static uint64_t
due(const struct board *b)
{
	double ns = (double)(wall_ns() - b->wall0_ns);

	return b->virt0 + (uint64_t)(ns * (b->o.speed > 0 ? b->o.speed : 1) *
	    ((double)CW_VB_HZ / 1e9));
}

/* Waits for the outside world, ticks of virtual time at most. */
static bool
wait_for_world(struct board *b, uint64_t ticks)
{
	struct pollfd p[FDS_MAX];
	double ns = (double)ticks / ((double)CW_VB_HZ / 1e9) /
	    (b->o.speed > 0 ? b->o.speed : 1);
	struct timespec t = { 0, 0 };
	int i, n = cw_vb_net_fds(b->net, p, FDS_MAX);

	n += cw_vb_console_fds(b->console, p + n, FDS_MAX - n);
	for (i = 0; i < CW_VB_SLOTS && n < FDS_MAX; i++) {
		if (b->link[i] == NULL || cw_vb_link_fd(b->link[i]) < 0)
			continue;
		p[n].fd = cw_vb_link_fd(b->link[i]);
		p[n].events = POLLIN;
		p[n++].revents = 0;
	}
	if (ns > 100e6)
		ns = 100e6;
	t.tv_nsec = (long)ns;
	return ppoll(p, (nfds_t)n, &t, NULL) > 0;
}

static void
take_world(struct board *b)
{
	uint8_t buf[256];
	size_t n;

	cw_vb_net_kick(b->vb);
	n = cw_vb_console_read(b->console, buf, sizeof buf);
	if (n > 0)
		cw_vb_console_put(b->vb, buf, n);
}

static void
tick_links(struct board *b)
{
	int i;

	for (i = 0; i < CW_VB_SLOTS; i++)
		if (b->link[i] != NULL &&
		    cw_vb_link_tick(b->link[i], wall_ns() / 1000000))
			cw_vb_card_changed(b->vb, i);
}

static void
take_signals(struct board *b)
{
	if (sig_cut) {
		sig_cut = 0;
		fprintf(stderr, "cardwright-board: power cut, and power again\n");
		cw_vb_power_on(b->vb);
		clocks_alike(b);
	}
	if (sig_reset) {
		sig_reset = 0;
		cw_vb_reset(b->vb);
	}
}

static int
ended(struct board *b, enum cw_vb_stop stop)
{
	if (stop == CW_VB_TRAP) {
		fprintf(stderr, "cardwright-board: stopped: %s\n", cw_vb_message(b->vb));
		return EXIT_TRAP;
	}
	if (stop == CW_VB_CUT) {
		fprintf(stderr, "cardwright-board: %s\n", cw_vb_message(b->vb));
		return EXIT_CUT;
	}
	return stop == CW_VB_EXIT ? 0 : -1;
}

/* How long nothing is to be done, in ticks; 0: go on at once. */
static uint64_t
idle_for(struct board *b)
{
	uint64_t now = cw_vb_now(b->vb), is = due(b), next = cw_vb_next(b->vb);

	/* As fast as it goes, or too slow: what is missing is not caught up with. */
	if ((b->o.speed <= 0 && now > is) || is > now + CW_VB_MS(BEHIND_MS)) {
		clocks_alike(b);
		is = now;
	}
	if (b->o.speed <= 0 && cw_vb_busy(b->vb))
		return 0;
	if (cw_vb_asleep(b->vb) && next > is)
		return next - is;
	return now > is ? now - is : 0;
}

static int
run(struct board *b)
{
	uint64_t now, to, slice = CW_VB_US(SLICE_US), end = CW_VB_NEVER;
	int code;

	if (b->o.stop_ms != 0)
		end = CW_VB_MS(b->o.stop_ms);
	clocks_alike(b);
	while (!sig_end) {
		take_signals(b);
		tick_links(b);
		now = cw_vb_now(b->vb);
		if (now >= end)
			return 0;
		to = due(b);
		if ((b->o.speed <= 0 && cw_vb_busy(b->vb)) || to > now + slice)
			to = now + slice;
		code = ended(b, b->gdb != NULL ? cw_vb_gdb_run(b->gdb, to) :
		    cw_vb_run(b->vb, to));
		if (code >= 0)
			return code;
		if (wait_for_world(b, idle_for(b)))
			take_world(b);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static struct board b;
	struct sigaction sa = { .sa_handler = on_signal };
	int code;

	b.o.console = "stdio";
	b.o.speed = 1;
	memcpy(b.o.uid, "CWVB00000000", sizeof b.o.uid);
	if (take_options(&b.o, argc, argv) < 0) {
		fputs("cardwright-board --help tells more\n", stderr);
		return 2;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (open_board(&b) < 0) {
		close_board(&b);
		return 1;
	}
	cw_vb_power_on(b.vb);
	if (b.o.gdb_port != 0)
		b.gdb = cw_vb_gdb_open(b.vb, b.o.gdb_port);
	code = b.o.gdb_port != 0 && b.gdb == NULL ? 1 : run(&b);
	close_board(&b);
	return code;
}
