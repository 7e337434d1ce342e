/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.ini; docs/man/cardwright-terminal.1 explains every key. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "cw/plink.h"
#include "cw/rlink.h"
#include "terminal/shell.h"

/* "127.0.1.1" or "127.0.1.1:7816"; false when it is neither. */
static bool
parse_reader(const char *text, struct cw_line_reader_config *r)
{
	char ip[32];
	const char *colon = strchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : strlen(text);
	struct in_addr a;
	char *end;
	unsigned long port = CW_RLINK_PORT;

	if (n >= sizeof ip)
		return false;
	memcpy(ip, text, n);
	ip[n] = '\0';
	if (inet_pton(AF_INET, ip, &a) != 1)
		return false;
	if (colon != NULL) {
		port = strtoul(colon + 1, &end, 10);
		if (colon[1] == '\0' || *end != '\0')
			return false;
	}
	if (port == 0 || port > 65535)
		return false;
	r->addr = ntohl(a.s_addr);
	r->port = (uint16_t)port;
	return true;
}

static uint16_t
find_reader(struct shell_config *c, const struct cw_line_reader_config *r)
{
	uint16_t i;

	for (i = 0; i < c->reader_cnt; i++)
		if (c->reader[i].addr == r->addr && c->reader[i].port == r->port)
			return i;
	c->reader[c->reader_cnt++] = *r;
	return i;
}

/*
 * Link security of the reader that a section names.  The key's identity is the
 * reader's address where none is given.
 */
static void
read_link(struct shell_config *c, const char *section, uint16_t reader, bool known)
{
	const struct cw_line_reader_config *r = &c->reader[reader];
	const char *link = cw_ini_str(c->ini, section, "link", "tls");
	const char *id = cw_ini_str(c->ini, section, "identity", "");
	struct shell_reader now = { .plain = strcmp(link, "plain") == 0 };
	struct in_addr a = { .s_addr = htonl(r->addr) };
	char ip[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &a, ip, sizeof ip);
	snprintf(now.identity, sizeof now.identity, "%s:%u", ip, r->port);
	if (!now.plain && strcmp(link, "tls") != 0)
		cw_ini_fault(c->ini, section, "link", "is tls or plain");
	else if (id[0] != '\0' && cw_keyfile_check_id(id) < 0)
		cw_ini_fault(c->ini, section, "identity",
		    "has 1 to 31 printable characters without blanks");
	else if (id[0] != '\0')
		snprintf(now.identity, sizeof now.identity, "%s", id);
	if (known && (now.plain != c->secure[reader].plain ||
	    strcmp(now.identity, c->secure[reader].identity) != 0))
		cw_ini_fault(c->ini, section, "link", "this reader's link and "
		    "identity differ from those of its other station");
	c->secure[reader] = now;
	c->reader[reader].plain = now.plain;
}

/* Every reader on a secured link has a key. */
static int
read_keys(struct shell_config *c, char *err, size_t err_cap)
{
	unsigned int i;

	for (i = 0; i < c->reader_cnt; i++) {
		struct shell_reader *r = &c->secure[i];

		if (r->plain)
			continue;
		if (c->keys[0] == '\0') {
			snprintf(err, err_cap, "%s: [terminal] keys is missing: the "
			    "file with the readers' link keys, made by `cardwright "
			    "reader enrol`; or set link = plain in each [station N] "
			    "(test orders only)", c->path);
			return CW_EFORMAT;
		}
		if (c->keyfile == NULL)
			c->keyfile = cw_keyfile_load(c->keys, err, err_cap);
		if (c->keyfile == NULL)
			return CW_EDENIED;
		r->key = cw_keyfile_find(c->keyfile, r->identity);
		if (r->key == NULL) {
			snprintf(err, err_cap, "%s: no key for the reader %s: run "
			    "`cardwright reader enrol %s --keys %s` and give the "
			    "reader the same key", c->keys, r->identity,
			    r->identity, c->keys);
			return CW_ENOENT;
		}
	}
	return 0;
}

/* [station N]: the N-th station of the device, counted from 1. */
static void
read_station(struct shell_config *c, const char *section, bool *seen)
{
	const char *text = cw_ini_str(c->ini, section, "reader", "");
	int64_t slot = cw_ini_int(c->ini, section, "slot", 0, 0,
	    CW_RLINK_SLOTS_MAX - 1);
	struct cw_line_reader_config r;
	uint16_t readers = c->reader_cnt;
	char *end;
	unsigned long n = strtoul(section + strlen("station"), &end, 10);

	if (*end != '\0' || n == 0 || n > CW_LINE_STATIONS_MAX) {
		cw_ini_fault(c->ini, section, "reader",
		    "the section must be [station N] with N from 1 to 1024");
		return;
	}
	if (!parse_reader(text, &r)) {
		cw_ini_fault(c->ini, section, "reader",
		    "give the reader's address as IP or IP:PORT");
		return;
	}
	if (seen[n - 1]) {
		cw_ini_fault(c->ini, section, "reader", "the station is given twice");
		return;
	}
	seen[n - 1] = true;
	c->station[n - 1].reader = find_reader(c, &r);
	read_link(c, section, c->station[n - 1].reader,
	    c->reader_cnt == readers);
	c->station[n - 1].slot = (uint8_t)slot;
	if (n > c->station_cnt)
		c->station_cnt = (uint16_t)n;
}

static int
read_stations(struct shell_config *c, char *err, size_t err_cap)
{
	static bool const none[CW_LINE_STATIONS_MAX];
	bool seen[CW_LINE_STATIONS_MAX];
	const char *section;

	memcpy(seen, none, sizeof seen);
	for (unsigned int i = 0;
	    (section = cw_ini_section(c->ini, "station", i)) != NULL; i++)
		read_station(c, section, seen);
	for (unsigned int i = 0; i < c->station_cnt; i++) {
		for (unsigned int k = 0; k < i && seen[i]; k++)
			if (c->station[k].reader == c->station[i].reader &&
			    c->station[k].slot == c->station[i].slot) {
				snprintf(err, err_cap, "%s: stations %u and %u "
				    "name the same reader and slot", c->path,
				    k + 1, i + 1);
				return CW_EFORMAT;
			}
		if (!seen[i]) {
			snprintf(err, err_cap, "%s: [station %u] is missing: "
			    "number them from 1 without a gap", c->path, i + 1);
			return CW_EFORMAT;
		}
	}
	if (c->station_cnt == 0) {
		snprintf(err, err_cap, "%s: no [station 1]: a terminal needs at "
		    "least one station with a reader", c->path);
		return CW_EFORMAT;
	}
	return 0;
}

/* A key without which nothing works. */
static const char *
need(struct shell_config *c, const char *section, const char *key)
{
	const char *v = cw_ini_str(c->ini, section, key, "");

	if (v[0] == '\0')
		cw_ini_fault(c->ini, section, key, "is missing");
	return v;
}

static const char *
need_path(struct shell_config *c, const char *section, const char *key)
{
	need(c, section, key);
	return cw_ini_path(c->ini, section, key, "");
}

int
cw_shell_config_load(struct shell_config *c, const char *path, char *err,
    size_t err_cap)
{
	int e;

	memset(c, 0, sizeof *c);
	snprintf(c->path, sizeof c->path, "%s", path);
	c->ini = cw_ini_load(path, err, err_cap);
	if (c->ini == NULL)
		return CW_EFORMAT;
	c->name = need(c, "terminal", "name");
	if (strlen(c->name) > CW_NAME_MAX)
		cw_ini_fault(c->ini, "terminal", "name", "is longer than 63");
	c->journal = need_path(c, "terminal", "journal");
	c->keys = cw_ini_path(c->ini, "terminal", "keys", "");
	c->quarantine = (uint16_t)cw_ini_int(c->ini, "terminal", "quarantine",
	    5, 1, 65535);
	c->jam_resets = (uint16_t)cw_ini_int(c->ini, "terminal", "jam_resets",
	    3, 1, 65535);
	c->reader_lost_ms = (uint32_t)cw_ini_int(c->ini, "terminal",
	    "reader_lost_ms", 10000, 100, 3600000);
	c->drain_ms = (uint32_t)cw_ini_int(c->ini, "terminal", "drain_ms",
	    10000, 0, 3600000);
	c->plat_ip = cw_ini_str(c->ini, "platform", "address", "127.0.0.1");
	c->plat_port = (uint16_t)cw_ini_int(c->ini, "platform", "port",
	    CW_PLINK_PORT, 1, 65535);
	c->ca = need_path(c, "platform", "ca");
	c->cert = need_path(c, "platform", "cert");
	c->key = need_path(c, "platform", "key");
	c->dev_ip = cw_ini_str(c->ini, "device", "address", "127.0.0.1");
	c->dev_port = (uint16_t)cw_ini_int(c->ini, "device", "port", 502, 1, 65535);
	c->dev_profile = need_path(c, "device", "profile");
	e = read_stations(c, err, err_cap);
	if (cw_ini_finish(c->ini, err, err_cap) < 0)
		e = CW_EFORMAT;
	return e < 0 ? e : read_keys(c, err, err_cap);
}

void
cw_shell_config_free(struct shell_config *c)
{
	cw_ini_free(c->ini);
	c->ini = NULL;
	cw_keyfile_free(c->keyfile);
	c->keyfile = NULL;
}
