/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "console_private.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "cw/keycheck.h"
#include "reader_private.h"

struct word {
	const char *s;
	size_t len;
};

/* The next word of *s; empty at the end. */
static struct word
word_next(const char **s)
{
	struct word w;

	while (**s == ' ')
		(*s)++;
	w.s = *s;
	while (**s != ' ' && **s != '\0')
		(*s)++;
	w.len = (size_t)(*s - w.s);
	return w;
}

static bool
is(struct word w, const char *s)
{
	return w.len == strlen(s) && memcmp(w.s, s, w.len) == 0;
}

static size_t
skip_blanks(const char *s)
{
	size_t n = 0;

	while (s[n] == ' ')
		n++;
	return n;
}

/* 0..max in decimal, -1 for anything else. */
static int
number(const char *s, size_t len, int max)
{
	int v = 0;
	size_t i;

	if (len == 0 || len > 4)
		return -1;
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v <= max ? v : -1;
}

/* a.b.c.d */
static bool
ip_parse(uint8_t ip[4], struct word w)
{
	size_t from = 0, i;
	int part = 0, v;

	for (i = 0; i <= w.len; i++) {
		if (i < w.len && w.s[i] != '.')
			continue;
		v = number(w.s + from, i - from, 255);
		if (v < 0 || part == 4)
			return false;
		ip[part++] = (uint8_t)v;
		from = i + 1;
	}
	return part == 4;
}

/* a.b.c.d, or /n */
static bool
mask_parse(uint8_t mask[4], struct word w)
{
	int n, i;

	if (w.len == 0 || w.s[0] != '/')
		return ip_parse(mask, w);
	n = number(w.s + 1, w.len - 1, 32);
	for (i = 0; i < 4; i++)
		mask[i] = (uint8_t)(n >= 8 * (i + 1) ? 0xFF :
		    n <= 8 * i ? 0 : 0xFF00 >> (n - 8 * i));
	return n > 0;
}

static void
ip_put(struct cw_reader_text *t, const uint8_t ip[4])
{
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0)
			cw_reader_text_str(t, ".");
		cw_reader_text_dec(t, ip[i]);
	}
}

/* Makes *s the settings: checked, saved, in use; says what came of it. */
static void
settings_take(struct cw_console *c, struct cw_settings *s)
{
	const char *what;
	int n;

	if (cw_settings_check(s, &what) < 0) {
		cw_console_put(c, "not taken: ");
		cw_console_say(c, what);
		return;
	}
	n = cw_settings_save(c->cfg.store, s);
	if (n < 0) {
		cw_console_say(c, "not saved: the settings memory does not take "
		    "it; the old settings stand, the board needs repair");
		return;
	}
	*c->cfg.settings = *s;
	if (n == 0) {
		cw_console_say(c, "unchanged");
		return;
	}
	if (c->cfg.store->copy[0] != CW_COPY_GOOD ||
	    c->cfg.store->copy[1] != CW_COPY_GOOD)
		cw_console_say(c, "saved, but in one copy only: the settings "
		    "memory wears out, have it replaced");
	if (c->cfg.ops->changed == NULL || c->cfg.ops->changed(c->cfg.dev, s))
		cw_console_say(c, "saved; `reset` makes use of it");
	else
		cw_console_say(c, "saved and in use");
}

static size_t
ip_line(struct cw_console *c, uint32_t idx, char *buf)
{
	const struct cw_settings *s = c->cfg.settings;
	struct cw_reader_text t = cw_reader_text_init(buf, CW_CONSOLE_TEXT);
	uint8_t ip[4] = { 0 }, mask[4] = { 0 }, gw[4] = { 0 };

	if (idx == 0 && s->ip_mode == CW_IP_DHCP) {
		cw_reader_text_str(&t, "set to: dhcp");
	} else if (idx == 0) {
		cw_reader_text_str(&t, "set to: ");
		ip_put(&t, s->ip);
		cw_reader_text_str(&t, " mask ");
		ip_put(&t, s->mask);
		cw_reader_text_str(&t, " gateway ");
		ip_put(&t, s->gateway);
	} else if (idx == 1 && c->cfg.ops->address != NULL) {
		c->cfg.ops->address(c->cfg.dev, ip, mask, gw);
		cw_reader_text_str(&t, "in use: ");
		ip_put(&t, ip);
		cw_reader_text_str(&t, " mask ");
		ip_put(&t, mask);
		cw_reader_text_str(&t, " gateway ");
		ip_put(&t, gw);
	}
	return t.len;
}

static void
cmd_ip(struct cw_console *c, const char *args)
{
	struct cw_settings s = *c->cfg.settings;
	struct word verb = word_next(&args), addr, mask, gw;

	if (verb.len == 0 || is(verb, "show")) {
		cw_console_list(c, ip_line);
	} else if (is(verb, "dhcp")) {
		s.ip_mode = CW_IP_DHCP;
		settings_take(c, &s);
	} else if (is(verb, "set")) {
		addr = word_next(&args);
		mask = word_next(&args);
		gw = word_next(&args);
		s.ip_mode = CW_IP_STATIC;
		memset(s.gateway, 0, 4);
		if (!ip_parse(s.ip, addr) || !mask_parse(s.mask, mask) ||
		    (gw.len > 0 && !ip_parse(s.gateway, gw)) ||
		    word_next(&args).len > 0)
			cw_console_say(c, "give: ip set ADDRESS MASK [GATEWAY], such as "
			    "ip set 192.168.7.20 /24 192.168.7.1");
		else
			settings_take(c, &s);
	} else {
		cw_console_say(c, "give: ip show, ip set ADDRESS MASK [GATEWAY], or ip dhcp");
	}
	cw_settings_wipe(&s);
}

static void
cmd_name(struct cw_console *c, const char *args)
{
	struct cw_settings s = *c->cfg.settings;
	size_t len = strlen(args);

	if (len == 0) {
		cw_console_say(c, s.name[0] != '\0' ? s.name : "no name yet; name TEXT gives one");
	} else if (len >= sizeof s.name) {
		cw_console_say(c, "not taken: a name has 31 characters at most");
	} else {
		memset(s.name, 0, sizeof s.name);
		memcpy(s.name, args, len);
		settings_take(c, &s);
	}
	cw_settings_wipe(&s);
}

static void
cmd_serial(struct cw_console *c, const char *args)
{
	static const uint8_t none[16];
	struct cw_settings s = *c->cfg.settings;
	char buf[64];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);

	if (*args == '\0') {
		cw_reader_text_hex(&t, s.serial, sizeof s.serial);
		cw_console_say(c, buf);
	} else if (memcmp(s.serial, none, sizeof none) != 0) {
		cw_console_say(c, "not taken: it was given when the reader was made");
	} else if (cw_unhex(s.serial, sizeof s.serial, args, strlen(args)) != 16) {
		cw_console_say(c, "give: serial, or serial and 32 hex digits");
	} else {
		settings_take(c, &s);
	}
	cw_settings_wipe(&s);
}

static size_t
log_line(struct cw_console *c, uint32_t idx, char *buf)
{
	return c->cfg.ops->log_line == NULL ? 0 :
	    c->cfg.ops->log_line(c->cfg.dev, idx, buf, CW_CONSOLE_TEXT);
}

static void
cmd_log(struct cw_console *c, const char *args)
{
	static const char *const level[] = {
		"error", "warn", "info", "debug", "trace",
	};
	struct cw_settings s = *c->cfg.settings;
	struct word w = word_next(&args);
	uint8_t i;

	for (i = 0; i < 5 && !is(w, level[i]); i++)
		;
	if (w.len == 0) {
		cw_console_list(c, log_line);
	} else if (i == 5) {
		cw_console_say(c, "give: log, or log error, warn, info, debug or trace");
	} else {
		s.log_level = i;
		settings_take(c, &s);
	}
	cw_settings_wipe(&s);
}

static void
key_show(struct cw_console *c)
{
	const struct cw_settings *s = c->cfg.settings;
	char buf[CW_CONSOLE_TEXT];
	struct cw_reader_text t = cw_reader_text_init(buf, sizeof buf);
	uint8_t check[4];

	if (!s->has_key) {
		cw_console_say(c, "no link key; key enrol IDENTITY gives one");
		return;
	}
	cw_key_check(check, s->key);
	cw_reader_text_str(&t, "key of ");
	cw_reader_text_str(&t, s->key_id);
	cw_reader_text_str(&t, ", check value ");
	cw_reader_text_hex(&t, check, sizeof check);
	cw_console_say(c, buf);
}

static void
cmd_key(struct cw_console *c, const char *args)
{
	struct cw_settings s = *c->cfg.settings;
	struct word verb = word_next(&args), id = word_next(&args);

	if (verb.len == 0 || is(verb, "show")) {
		key_show(c);
	} else if (is(verb, "enrol") && id.len > 0 &&
	    id.len < sizeof c->key_id && word_next(&args).len == 0) {
		memset(c->key_id, 0, sizeof c->key_id);
		memcpy(c->key_id, id.s, id.len);
		cw_console_put(c, "key (64 hex digits, not shown): ");
		c->hidden = true;
	} else if (is(verb, "remove") && id.len == 0) {
		s.has_key = false;
		memset(s.key_id, 0, sizeof s.key_id);
		memset(s.key, 0, sizeof s.key);
		settings_take(c, &s);
	} else {
		cw_console_say(c, "give: key show, key enrol IDENTITY (31 characters at most; "
		    "the key is asked for), or key remove");
	}
	cw_settings_wipe(&s);
}

void
cw_console_key_typed(struct cw_console *c)
{
	struct cw_settings s = *c->cfg.settings;
	uint8_t any = 0;
	size_t i;

	c->hidden = false;
	s.has_key = true;
	memcpy(s.key_id, c->key_id, sizeof s.key_id);
	if (cw_unhex(s.key, sizeof s.key, c->line, c->line_len) !=
	    (int)sizeof s.key) {
		cw_console_say(c, "not taken: a key has 64 hex digits; key enrol asks again");
		goto out;
	}
	for (i = 1; i < sizeof s.key; i++)
		any |= s.key[i] ^ s.key[0];
	if (any == 0) {
		cw_console_say(c, "not taken: that is no random key");
		goto out;
	}
	settings_take(c, &s);
	/* With a new key the count of starts may begin anew, if it was lost. */
	if (cw_settings_boot_restart(c->cfg.store) < 0)
		cw_console_say(c, "the count of starts cannot be kept: the settings "
		    "memory needs repair, the link stays down");
	key_show(c);
out:
	cw_settings_wipe(&s);
}

static void
cmd_plain(struct cw_console *c, const char *args)
{
	struct cw_settings s = *c->cfg.settings;
	struct word w = word_next(&args);

	if (w.len == 0) {
		cw_console_say(c, s.plain_allowed ? "an unsecured link is served; "
		    "production orders are refused on it" :
		    "only a secured link is served");
	} else if (is(w, "allow") || is(w, "refuse")) {
		s.plain_allowed = is(w, "allow");
		settings_take(c, &s);
	} else {
		cw_console_say(c, "give: plain, plain allow or plain refuse");
	}
	cw_settings_wipe(&s);
}

static void
slot_put(struct cw_console *c, int slot, struct cw_reader_text *t)
{
	const struct cw_update *u = c->cfg.update;
	struct cw_fwimg h;

	cw_reader_text_str(t, slot == 0 ? "slot A: " : "slot B: ");
	if (cw_update_peek(u, slot, &h) < 0) {
		cw_reader_text_str(t, "no image");
		return;
	}
	cw_reader_text_str(t, h.version);
	cw_reader_text_str(t, " counter ");
	cw_reader_text_dec(t, h.counter);
	cw_reader_text_str(t, " key ");
	cw_reader_text_hex(t, h.key_id, sizeof h.key_id);
	if ((h.flags & CW_FWIMG_DEV) != 0)
		cw_reader_text_str(t, " DEVELOPMENT");
	if (slot == u->cfg.running)
		cw_reader_text_str(t, ", runs");
	if (slot == u->log.state.confirmed)
		cw_reader_text_str(t, ", confirmed");
	if (slot == u->log.state.pending)
		cw_reader_text_str(t, slot == u->cfg.running ? ", on trial" :
		    ", tried at the next start");
}

static size_t
version_line(struct cw_console *c, uint32_t idx, char *buf)
{
	const struct cw_update *u = c->cfg.update;
	struct cw_reader_text t = cw_reader_text_init(buf, CW_CONSOLE_TEXT);

	if (idx == 0) {
		cw_reader_text_str(&t, c->cfg.version);
		cw_reader_text_str(&t, " on ");
		cw_reader_text_str(&t, c->cfg.board);
	} else if (u != NULL && idx <= 2) {
		slot_put(c, (int)idx - 1, &t);
	} else if (u != NULL && idx == 3) {
		cw_reader_text_str(&t, "update: ");
		cw_reader_text_str(&t, cw_update_state_text(u->state));
		cw_reader_text_str(&t, "; lowest counter taken: ");
		cw_reader_text_dec(&t, u->log.counter);
	}
	return t.len;
}

static void
cmd_version(struct cw_console *c, const char *args)
{
	(void)args;
	cw_console_list(c, version_line);
}

static size_t
status_line(struct cw_console *c, uint32_t idx, char *buf)
{
	const struct cw_settings *s = c->cfg.settings;
	struct cw_reader_text t = cw_reader_text_init(buf, CW_CONSOLE_TEXT);

	switch (idx) {
	case 0:
		cw_reader_text_str(&t, "serial ");
		cw_reader_text_hex(&t, s->serial, sizeof s->serial);
		return t.len;
	case 1:
		cw_reader_text_str(&t, "start ");
		cw_reader_text_dec(&t, c->cfg.boot_count);
		cw_reader_text_str(&t, s->has_key ? ", link key of " :
		    ", no link key");
		cw_reader_text_str(&t, s->has_key ? s->key_id : "");
		cw_reader_text_str(&t, s->plain_allowed ?
		    ", unsecured link allowed" : "");
		return t.len;
	case 2:
	case 3:
		cw_reader_text_str(&t, idx == 2 ? "settings copy 0: " :
		    "settings copy 1: ");
		cw_reader_text_str(&t,
		    cw_settings_copy_text(c->cfg.store->copy[idx - 2]));
		return t.len;
	default:
		return c->cfg.ops->status_line == NULL ? 0 :
		    c->cfg.ops->status_line(c->cfg.dev, idx - 4, buf,
		    CW_CONSOLE_TEXT);
	}
}

static void
cmd_status(struct cw_console *c, const char *args)
{
	(void)args;
	cw_console_list(c, status_line);
}

static void
cmd_confirm(struct cw_console *c, const char *args)
{
	(void)args;
	if (c->cfg.update == NULL || !cw_update_on_trial(c->cfg.update))
		cw_console_say(c, "nothing is on trial");
	else if (cw_update_confirm(c->cfg.update) < 0)
		cw_console_say(c, "not confirmed: the program memory takes no step; "
		    "the board needs repair");
	else
		cw_console_say(c, "confirmed: this program stays");
}

static void
cmd_reset(struct cw_console *c, const char *args)
{
	(void)args;
	cw_console_say(c, "restarting");
	c->mode = CW_CON_RESET;
}

static void cmd_help(struct cw_console *c, const char *args);

/* load is run by name: it needs the time. */
static const struct {
	const char *name, *help;
	void (*run)(struct cw_console *c, const char *args);
} cmds[] = {
	{ "help", "this list", cmd_help },
	{ "ip", "[show] | set ADDRESS MASK [GATEWAY] | dhcp", cmd_ip },
	{ "name", "[TEXT]  name of the reader, for people", cmd_name },
	{ "serial", "[HEX]  serial number; is given once", cmd_serial },
	{ "version", "program, slots, update", cmd_version },
	{ "status", "settings, link, card lines", cmd_status },
	{ "log", "[error | warn | info | debug | trace]  show, or set the level", cmd_log },
	{ "key", "[show] | enrol IDENTITY | remove  link key", cmd_key },
	{ "plain", "[allow | refuse]  unsecured link, for tests", cmd_plain },
	{ "load", "receive a signed image (XMODEM-1K, YMODEM)", NULL },
	{ "confirm", "keep the program that is on trial", cmd_confirm },
	{ "reset", "restart", cmd_reset },
	{ NULL, NULL, NULL },
};

static size_t
help_line(struct cw_console *c, uint32_t idx, char *buf)
{
	struct cw_reader_text t = cw_reader_text_init(buf, CW_CONSOLE_TEXT);
	const char *name = NULL, *help = NULL;
	uint32_t own = 0;

	while (cmds[own].name != NULL)
		own++;
	if (idx < own) {
		name = cmds[idx].name;
		help = cmds[idx].help;
	} else if (idx - own < c->cfg.cmd_cnt) {
		name = c->cfg.cmd[idx - own].name;
		help = c->cfg.cmd[idx - own].help;
	} else {
		return 0;
	}
	cw_reader_text_str(&t, name);
	do
		cw_reader_text_str(&t, " ");
	while (t.len < 9);
	cw_reader_text_str(&t, help);
	return t.len;
}

static void
cmd_help(struct cw_console *c, const char *args)
{
	(void)args;
	cw_console_list(c, help_line);
}

static bool
board_cmd(struct cw_console *c, struct word w, const char *args)
{
	char out[CW_CONSOLE_TEXT];
	size_t i;

	for (i = 0; i < c->cfg.cmd_cnt; i++) {
		if (!is(w, c->cfg.cmd[i].name))
			continue;
		out[0] = '\0';
		c->cfg.cmd[i].run(c->cfg.dev, args, out, sizeof out);
		if (out[0] != '\0')
			cw_console_say(c, out);
		return true;
	}
	return false;
}

void
cw_console_run(struct cw_console *c, uint64_t now_us)
{
	const char *args = c->line;
	struct word w = word_next(&args);
	size_t i;

	if (w.len == 0)
		return;
	args += skip_blanks(args);
	for (i = c->line_len; i > 0 && c->line[i - 1] == ' '; i--)
		c->line[i - 1] = '\0';
	for (i = 0; cmds[i].name != NULL; i++) {
		if (!is(w, cmds[i].name))
			continue;
		if (cmds[i].run != NULL)
			cmds[i].run(c, args);
		else
			cw_console_load_begin(c, now_us);
		return;
	}
	if (!board_cmd(c, w, args))
		cw_console_say(c, "no such command; help tells them all");
}
