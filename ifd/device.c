/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "cw/rlink.h"
#include "ifd/device.h"

#define FORM "give tcp:HOST:PORT[:slots=N][:plain][:keys=FILE][:id=IDENTITY], " \
	"such as tcp:10.0.0.1:7816"

static int
bad(char *err, size_t cap, const char *name, const char *what)
{
	snprintf(err, cap, "DEVICENAME %.200s: %s; " FORM, name, what);
	return CW_EINVAL;
}

/* Copies up to the next colon, or to the end; what follows, or NULL: too long. */
static const char *
field(char *out, size_t cap, const char *p)
{
	size_t len = strcspn(p, ":");

	if (len == 0 || len >= cap)
		return NULL;
	memcpy(out, p, len);
	out[len] = '\0';
	return p + len + (p[len] == ':');
}

static bool
port_good(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && *end == '\0' && v >= 1 && v <= 65535;
}

/* One option; what follows, or NULL. */
static const char *
option(struct cw_ifd_device *d, const char *p)
{
	char word[300];
	const char *next;

	if (strncmp(p, "id=", 3) == 0) {
		if (cw_keyfile_check_id(p + 3) < 0)
			return NULL;
		strcpy(d->identity, p + 3);
		return p + strlen(p);
	}
	next = field(word, sizeof word, p);
	if (next == NULL)
		return NULL;
	if (strcmp(word, "plain") == 0) {
		d->plain = true;
		return next;
	}
	if (strncmp(word, "keys=", 5) == 0 && word[5] != '\0' &&
	    strlen(word + 5) < sizeof d->keys) {
		strcpy(d->keys, word + 5);
		return next;
	}
	if (strncmp(word, "slots=", 6) == 0 && word[6] >= '1' &&
	    word[6] <= '0' + CW_RLINK_SLOTS_MAX && word[7] == '\0') {
		d->slots = (uint8_t)(word[6] - '0');
		return next;
	}
	return NULL;
}

int
cw_ifd_device_parse(struct cw_ifd_device *d, const char *name, char *err,
    size_t err_cap)
{
	const char *p, *env = secure_getenv("CARDWRIGHT_IFD_KEYS");
	int n;

	memset(d, 0, sizeof *d);
	snprintf(d->keys, sizeof d->keys, "%s",
	    env != NULL && *env != '\0' ? env : CW_IFD_KEYS);
	if (strncmp(name, "tcp:", 4) != 0)
		return bad(err, err_cap, name, "does not begin with tcp:");
	p = field(d->host, sizeof d->host, name + 4);
	if (p == NULL)
		return bad(err, err_cap, name, "no host");
	p = field(d->port, sizeof d->port, p);
	if (p == NULL || !port_good(d->port))
		return bad(err, err_cap, name, "no port 1..65535");
	while (*p != '\0') {
		p = option(d, p);
		if (p == NULL)
			return bad(err, err_cap, name, "an option is not known, "
			    "or its value is not right");
	}
	if (d->identity[0] != '\0' || d->plain)
		return 0;
	n = snprintf(d->identity, sizeof d->identity, "%.24s:%s", d->host, d->port);
	if (strlen(d->host) > 24 || n >= (int)sizeof d->identity)
		return bad(err, err_cap, name, "the host's name is too long for an "
		    "identity: add :id=");
	return 0;
}
