/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "board_private.h"
#include "cw/bytes.h"
#include "cw/err.h"

#define KEYS_MAX 0x40000u

/* Digits at *p up to another character; -1: none, or above max. */
static int32_t
number(const char **p, uint32_t max)
{
	uint32_t v = 0;
	const char *q = *p;

	for (; *q >= '0' && *q <= '9'; q++) {
		v = v * 10 + (uint32_t)(*q - '0');
		if (v > max)
			return -1;
	}
	if (q == *p)
		return -1;
	*p = q;
	return (int32_t)v;
}

static int
take_ip(uint8_t ip[4], const char **p)
{
	int32_t v;
	int i;

	for (i = 0; i < 4; i++) {
		v = number(p, 255);
		if (v < 0 || (i < 3 && *(*p)++ != '.'))
			return CW_EINVAL;
		ip[i] = (uint8_t)v;
	}
	return 0;
}

/* A.B.C.D/LEN */
static int
take_net(struct cw_settings *s, const char *val)
{
	uint32_t mask;
	int32_t len;

	if (take_ip(s->ip, &val) < 0 || *val++ != '/')
		return CW_EINVAL;
	len = number(&val, 30);
	if (len < 1 || *val != '\0')
		return CW_EINVAL;
	mask = ~(UINT32_MAX >> len);
	s->mask[0] = (uint8_t)(mask >> 24);
	s->mask[1] = (uint8_t)(mask >> 16);
	s->mask[2] = (uint8_t)(mask >> 8);
	s->mask[3] = (uint8_t)mask;
	s->ip_mode = CW_IP_STATIC;
	return 0;
}

static int
take_text(char *out, size_t cap, const char *val)
{
	size_t len = strlen(val);

	if (len == 0 || len >= cap)
		return CW_EINVAL;
	memset(out, 0, cap);
	memcpy(out, val, len);
	return 0;
}

static int
take_number(int32_t *out, const char *val, uint32_t max)
{
	*out = number(&val, max);
	return *out < 0 || *val != '\0' ? CW_EINVAL : 0;
}

/* NAME=: what follows in word, else NULL. */
static const char *
value(const char *word, const char *name)
{
	size_t len = strlen(name);

	return memcmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static int
take_word(struct cw_args *a, struct cw_settings *s, const char *word)
{
	const char *v;
	int32_t n;
	int err;

	if ((v = value(word, "settings")) != NULL)
		return take_text(a->settings, sizeof a->settings, v);
	if ((v = value(word, "keys")) != NULL)
		return take_text(a->keys, sizeof a->keys, v);
	if ((v = value(word, "identity")) != NULL)
		return take_text(a->identity, sizeof a->identity, v);
	if ((v = value(word, "name")) != NULL)
		return take_text(s->name, sizeof s->name, v);
	if ((v = value(word, "ip")) != NULL)
		return take_net(s, v);
	if ((v = value(word, "gateway")) != NULL)
		return take_ip(s->gateway, &v) < 0 || *v != '\0' ? CW_EINVAL : 0;
	if ((v = value(word, "serial")) != NULL)
		return cw_unhex(s->serial, sizeof s->serial, v, strlen(v)) ==
		    (int)sizeof s->serial ? 0 : CW_EINVAL;
	if ((v = value(word, "station")) != NULL) {
		err = take_number(&n, v, 65535);
		a->station = (uint16_t)n;
		return n < 1 ? CW_EINVAL : err;
	}
	if ((v = value(word, "log")) != NULL) {
		err = take_number(&n, v, 4);
		s->log_level = (uint8_t)n;
		return err;
	}
	if (strcmp(word, "dhcp") == 0)
		s->ip_mode = CW_IP_DHCP;
	else if (strcmp(word, "plain") == 0)
		s->plain_allowed = true;
	else
		return CW_EINVAL;
	return 0;
}

int
cw_args_take(struct cw_args *a, struct cw_settings *s, char *bad, size_t bad_cap)
{
	static char line[CW_ARGS_MAX];
	char *word = line, *end;
	bool more = true;

	cw_semi_cmdline(line, sizeof line);
	/* The first one is the program's name. */
	while (*word != '\0' && *word != ' ')
		word++;
	while (more && *word != '\0') {
		while (*word == ' ')
			word++;
		for (end = word; *end != '\0' && *end != ' '; end++)
			continue;
		more = *end != '\0';
		*end = '\0';
		if (*word != '\0' && take_word(a, s, word) < 0) {
			if (take_text(bad, bad_cap, word) < 0)
				(void)take_text(bad, bad_cap, "an argument");
			return CW_EINVAL;
		}
		word = end + 1;
	}
	return 0;
}

/* "identity blanks 64 hex digits" at line, of len: into s. */
static bool
key_take(const char *identity, struct cw_settings *s, const char *line, size_t len)
{
	size_t n = strlen(identity);

	if (len <= n || memcmp(line, identity, n) != 0 || line[n] != ' ')
		return false;
	while (n < len && line[n] == ' ')
		n++;
	if (cw_unhex(s->key, sizeof s->key, line + n, len - n) != (int)sizeof s->key)
		return false;
	s->has_key = true;
	return take_text(s->key_id, sizeof s->key_id, identity) == 0;
}

int
cw_args_key(const struct cw_args *a, struct cw_settings *s)
{
	static char text[KEYS_MAX] __attribute__((section(".psram")));
	int fd = cw_semi_open(a->keys, false), len, err = CW_ENOENT;
	const char *at = text, *end;

	if (fd < 0)
		return CW_ENOENT;
	len = cw_semi_len(fd);
	if (len < 0 || len > (int)sizeof text ||
	    cw_semi_read(fd, 0, (uint8_t *)text, (size_t)len) < 0)
		len = 0;
	while (err < 0 && at < text + len) {
		end = memchr(at, '\n', (size_t)(text + len - at));
		if (end == NULL)
			end = text + len;
		if (key_take(a->identity, s, at, (size_t)(end - at)))
			err = 0;
		at = end + 1;
	}
	cw_wipe(text, sizeof text);
	cw_semi_close(fd);
	return err;
}
