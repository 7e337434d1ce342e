/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "nvm.h"
#include "reader/settings.h"

/*
 * Power lost at every byte of every save of every setting, and again in the
 * recovery; cells that hold one value for ever; calls that fail.  After it:
 * the settings from before or those after, whole; the key; and no count of a
 * start that was given out comes again.  What fails prints what replays it.
 */
struct change {
	const char *name;
	void (*make)(struct cw_settings *s);
};

static unsigned long case_cnt;

static void
fail(const char *what, const char *where, long a, long b, long c)
{
	fprintf(stderr, "FAIL %s: %s %ld/%ld/%ld\n", where, what, a, b, c);
	exit(1);
}

static void
base(struct cw_settings *s)
{
	static const uint8_t ip[4] = { 192, 168, 7, 20 };
	static const uint8_t mask[4] = { 255, 255, 255, 0 };
	static const uint8_t gateway[4] = { 192, 168, 7, 1 };
	size_t i;

	cw_settings_defaults(s);
	s->ip_mode = CW_IP_STATIC;
	memcpy(s->ip, ip, 4);
	memcpy(s->mask, mask, 4);
	memcpy(s->gateway, gateway, 4);
	for (i = 0; i < sizeof s->serial; i++)
		s->serial[i] = (uint8_t)(0x30 + i);
	for (i = 0; i < sizeof s->key; i++)
		s->key[i] = (uint8_t)(i * 7 + 1);
	s->has_key = true;
	strcpy(s->key_id, "reader-20");
	strcpy(s->name, "line 1, station 20");
}

static void to_ip(struct cw_settings *s) { s->ip[3] = 21; }
static void to_dhcp(struct cw_settings *s) { s->ip_mode = CW_IP_DHCP; }
static void to_mask(struct cw_settings *s) { s->mask[2] = 0; }
static void to_gateway(struct cw_settings *s) { s->gateway[3] = 254; }
static void to_mac(struct cw_settings *s) { s->mac[0] = 2; s->mac[5] = 9; }
static void to_serial(struct cw_settings *s) { s->serial[15] ^= 0xFF; }
static void to_name(struct cw_settings *s) { strcpy(s->name, "spare"); }
static void to_plain(struct cw_settings *s) { s->plain_allowed = true; }
static void to_level(struct cw_settings *s) { s->log_level = 4; }

static void
to_key(struct cw_settings *s)
{
	strcpy(s->key_id, "reader-20.2");
	memset(s->key, 0xA5, sizeof s->key);
}

static void
to_no_key(struct cw_settings *s)
{
	s->has_key = false;
	memset(s->key_id, 0, sizeof s->key_id);
	memset(s->key, 0, sizeof s->key);
}

static void
to_all(struct cw_settings *s)
{
	to_ip(s);
	to_mac(s);
	to_serial(s);
	to_name(s);
	to_plain(s);
	to_level(s);
	to_key(s);
}

static const struct change changes[] = {
	{ "ip", to_ip }, { "dhcp", to_dhcp }, { "mask", to_mask },
	{ "gateway", to_gateway }, { "mac", to_mac }, { "serial", to_serial },
	{ "name", to_name }, { "plain", to_plain }, { "log", to_level },
	{ "key", to_key }, { "no-key", to_no_key }, { "all", to_all },
};
#define CHANGE_CNT (sizeof changes / sizeof changes[0])

/* Field by field: the structs have holes. */
static bool
same(const struct cw_settings *a, const struct cw_settings *b)
{
	return a->ip_mode == b->ip_mode && memcmp(a->ip, b->ip, 4) == 0 &&
	    memcmp(a->mask, b->mask, 4) == 0 &&
	    memcmp(a->gateway, b->gateway, 4) == 0 &&
	    memcmp(a->mac, b->mac, 6) == 0 &&
	    memcmp(a->serial, b->serial, 16) == 0 &&
	    strcmp(a->name, b->name) == 0 && a->has_key == b->has_key &&
	    strcmp(a->key_id, b->key_id) == 0 &&
	    memcmp(a->key, b->key, 32) == 0 &&
	    a->plain_allowed == b->plain_allowed &&
	    a->log_level == b->log_level;
}

static bool
holds(const struct nvm *m, const uint8_t *what, size_t len)
{
	size_t i;

	for (i = 0; i + len <= NVM_LEN; i++)
		if (memcmp(m->cell + i, what, len) == 0)
			return true;
	return false;
}

/* Loads, which must give before or after; then the save is done again. */
static void
recover(struct nvm *m, const struct change *ch, const struct cw_settings *before,
    const struct cw_settings *after, long at)
{
	struct cw_settings_store st;
	struct cw_settings s;

	nvm_restart(m);
	cw_settings_init(&st, &nvm_ops, m);
	if (cw_settings_load(&st, &s) != 0)
		fail("neither copy is whole", ch->name, at, st.copy[0], st.copy[1]);
	if (!same(&s, before) && !same(&s, after))
		fail("mixed settings", ch->name, at, st.used, 0);
	if (cw_settings_save(&st, after) < 0)
		fail("save refused after the cut", ch->name, at, 0, 0);
	if (cw_settings_save(&st, after) != 0)
		fail("an unchanged save writes", ch->name, at, 0, 0);
	cw_settings_init(&st, &nvm_ops, m);
	if (cw_settings_load(&st, &s) != 0 || !same(&s, after) ||
	    st.copy[0] != CW_COPY_GOOD || st.copy[1] != CW_COPY_GOOD)
		fail("not mended", ch->name, at, st.copy[0], st.copy[1]);
	if ((!after->has_key || memcmp(before->key, after->key, 32) != 0) &&
	    holds(m, before->key, 32))
		fail("the old key is still there", ch->name, at, 0, 0);
	case_cnt++;
}

static void
prepare(struct nvm *m, struct cw_settings *before, int saves)
{
	struct cw_settings_store st;

	nvm_init(m, 7);
	base(before);
	cw_settings_init(&st, &nvm_ops, m);
	while (saves-- > 0) {
		before->log_level = (uint8_t)(saves % 4);
		if (cw_settings_save(&st, before) != 2)
			fail("first save", "prepare", 0, 0, 0);
	}
}

/* One change, power lost at each byte, then at each byte of the second try. */
static void
cut_save(const struct change *ch, enum nvm_cut kind, int saves, bool twice)
{
	static struct nvm start, m, again;
	struct cw_settings before, after;
	struct cw_settings_store st;
	long at, at2;

	prepare(&start, &before, saves);
	after = before;
	ch->make(&after);
	for (at = 0;; at++) {
		m = start;
		nvm_restart(&m);
		m.rng = (uint64_t)at * 31 + kind;
		m.cut_at = at;
		m.cut = kind;
		cw_settings_init(&st, &nvm_ops, &m);
		cw_settings_save(&st, &after);
		if (!m.dead)
			break;
		for (at2 = 0; twice; at2++) {
			again = m;
			nvm_restart(&again);
			again.cut_at = at2;
			again.cut = (enum nvm_cut)((at + at2) % NVM_CUT_KINDS);
			cw_settings_init(&st, &nvm_ops, &again);
			cw_settings_save(&st, &after);
			if (!again.dead)
				break;
			recover(&again, ch, &before, &after, at * 1000 + at2);
		}
		recover(&m, ch, &before, &after, at);
	}
}

static void
sweep_cuts(bool whole)
{
	size_t i;
	int kind, saves;

	for (i = 0; i < CHANGE_CNT; i++)
		for (kind = 0; kind < NVM_CUT_KINDS; kind++)
			for (saves = 1; saves <= 3; saves++)
				cut_save(&changes[i], (enum nvm_cut)kind, saves,
				    whole || (i == CHANGE_CNT - 1 && saves == 2));
	printf("settings: %lu cuts, each ended in the old or the new settings\n",
	    case_cnt);
}

/* The very first save: nothing to fall back to but the defaults. */
static void
sweep_first(void)
{
	static struct nvm m;
	struct cw_settings want, none, s;
	struct cw_settings_store st;
	int kind, ret;
	long at;

	base(&want);
	cw_settings_defaults(&none);
	for (kind = 0; kind < NVM_CUT_KINDS; kind++) {
		for (at = 0;; at++) {
			nvm_init(&m, (uint64_t)at);
			m.cut_at = at;
			m.cut = (enum nvm_cut)kind;
			cw_settings_init(&st, &nvm_ops, &m);
			cw_settings_save(&st, &want);
			if (!m.dead)
				break;
			nvm_restart(&m);
			cw_settings_init(&st, &nvm_ops, &m);
			ret = cw_settings_load(&st, &s);
			if (!same(&s, ret == 0 ? &want : &none) ||
			    (ret != 0 && ret != CW_ENOENT && ret != CW_ECRC))
				fail("first save", "first", at, kind, ret);
			if (cw_settings_save(&st, &want) < 0)
				fail("save refused after the cut", "first", at, kind, 0);
			case_cnt++;
		}
	}
}

/* Every cell of both copies stuck; the save says what came of it, and is right. */
static void
sweep_stuck(void)
{
	static struct nvm start, m;
	struct cw_settings before, after, s;
	struct cw_settings_store st;
	unsigned long cnt = 0, lost = 0;
	int at, v, ret;

	prepare(&start, &before, 2);
	after = before;
	to_all(&after);
	for (at = 0; at < 512; at++) {
		for (v = 0; v < 3; v++) {
			m = start;
			nvm_restart(&m);
			m.stuck_at = at;
			m.stuck = (uint8_t)(v == 0 ? 0 : v == 1 ? 0xFF : 0x5A);
			cw_settings_init(&st, &nvm_ops, &m);
			ret = cw_settings_save(&st, &after);
			cw_settings_init(&st, &nvm_ops, &m);
			if (cw_settings_load(&st, &s) != 0)
				fail("stuck cell lost both copies", "stuck", at, v, ret);
			if (!same(&s, ret < 0 ? &before : &after))
				fail("stuck cell, wrong settings", "stuck", at, v, ret);
			cnt++;
			lost += ret < 0;
		}
	}
	printf("settings: %lu stuck cells, %lu saves refused, the rest saved\n", cnt,
	    lost);
}

static void
sweep_calls(void)
{
	static struct nvm start, m;
	struct cw_settings before, after, s;
	struct cw_settings_store st;
	long at;
	int for_ever, ret;

	prepare(&start, &before, 2);
	after = before;
	to_all(&after);
	for (for_ever = 0; for_ever < 2; for_ever++) {
		for (at = 0;; at++) {
			m = start;
			nvm_restart(&m);
			m.fail_at = at;
			m.for_ever = for_ever != 0;
			cw_settings_init(&st, &nvm_ops, &m);
			ret = cw_settings_save(&st, &after);
			if (m.call_cnt <= at)
				break;
			if (!for_ever && ret != 2)
				fail("one failed call was not repeated", "calls", at, ret, 0);
			nvm_restart(&m);
			cw_settings_init(&st, &nvm_ops, &m);
			if (cw_settings_load(&st, &s) != 0 ||
			    (!same(&s, &after) && (ret >= 0 || !same(&s, &before))))
				fail("failed call", "calls", at, for_ever, ret);
			case_cnt++;
		}
	}
}

/* A start; the count it was given, or 0. */
static uint64_t
start_one(struct nvm *m)
{
	struct cw_settings_store st;
	struct cw_settings s;
	uint64_t count;
	int ret;

	base(&s);
	cw_settings_init(&st, &nvm_ops, m);
	ret = cw_settings_boot(&st, &s, &count);
	if ((ret == 0) != (count != 0))
		fail("a count with an error", "boot", ret, (long)count, 0);
	return count;
}

/* A memory that has counted to n, as its last rounds leave it. */
static void
counted(struct nvm *m, uint64_t n)
{
	struct cw_settings_store st;
	uint64_t i;

	nvm_init(m, n);
	cw_settings_init(&st, &nvm_ops, m);
	if (cw_settings_boot_restart(&st) != 0)
		fail("restart", "counted", 0, 0, 0);
	for (i = 2; i <= n; i++)
		start_one(m);
}

static void
check_rise(struct nvm *m, uint64_t given, const char *where, long a, long b)
{
	uint64_t next;

	nvm_restart(m);
	next = start_one(m);
	if (next <= given)
		fail("a count comes again", where, a, b, (long)next);
	case_cnt++;
}

static void
sweep_boot(void)
{
	static const uint64_t from[] = { 1, 2, 31, 32, 33, 64, 255, 256, 65535 };
	static struct nvm start, m, again;
	uint64_t given, g1, g2;
	unsigned int i, k1, k2;
	long at, at2;

	for (i = 0; i < sizeof from / sizeof from[0]; i++) {
		counted(&start, from[i]);
		for (k1 = 0; k1 < NVM_CUT_KINDS; k1++) {
			for (at = 0; at <= 24; at++) {
				m = start;
				nvm_restart(&m);
				m.rng = (uint64_t)at;
				m.cut_at = at;
				m.cut = (enum nvm_cut)k1;
				g1 = start_one(&m);
				given = g1 > from[i] ? g1 : from[i];
				for (k2 = 0; k2 < NVM_CUT_KINDS; k2++) {
					for (at2 = 0; at2 <= 24; at2++) {
						again = m;
						nvm_restart(&again);
						again.cut_at = at2;
						again.cut = (enum nvm_cut)k2;
						g2 = start_one(&again);
						if (g2 != 0 && g2 <= given)
							fail("a count comes again", "boot",
							    (long)from[i], at, at2);
						check_rise(&again, g2 > given ? g2 : given,
						    "boot", at, at2);
					}
				}
			}
		}
	}
}

/* Any one cell of the rings fails between two starts. */
static void
sweep_boot_stuck(void)
{
	static struct nvm start, m;
	uint64_t n, g;
	int at, v;

	for (n = 60; n < 70; n++) {
		counted(&start, n);
		for (at = 512; at < 1536; at++) {
			for (v = 0; v < 3; v++) {
				m = start;
				nvm_restart(&m);
				m.stuck_at = at;
				m.stuck = (uint8_t)(v == 0 ? 0 : v == 1 ? 0xFF : 0x5A);
				g = start_one(&m);
				if (g <= n)
					fail("stuck cell: a count comes again", "boot",
					    (long)n, at, (long)g);
				check_rise(&m, g, "stuck", (long)n, at);
			}
		}
	}
}

static void
boot_calls(void)
{
	static struct nvm start, m;
	uint64_t g;
	long at;
	int for_ever;

	counted(&start, 40);
	for (for_ever = 0; for_ever < 2; for_ever++) {
		for (at = 0;; at++) {
			m = start;
			nvm_restart(&m);
			m.fail_at = at;
			m.for_ever = for_ever != 0;
			g = start_one(&m);
			if (m.call_cnt <= at)
				break;
			if (g != 0 && g <= 40)
				fail("failed call: a count comes again", "calls", at, for_ever, 0);
			if (g == 0 && !for_ever)
				fail("one failed call stopped the start", "calls", at, 0, 0);
			check_rise(&m, g > 40 ? g : 40, "calls", at, for_ever);
		}
	}
}

/* 10^6 starts, power lost at random in many of them: strictly rising. */
static void
boot_storm(long starts)
{
	static struct nvm m;
	uint64_t top = 0, g;
	long i;

	nvm_init(&m, 20250101);
	for (i = 0; i < starts; i++) {
		struct cw_settings_store st;
		struct cw_settings s;

		nvm_restart(&m);
		if (nvm_rand(&m) % 3 == 0) {
			m.cut_at = (long)(nvm_rand(&m) % 25);
			m.cut = (enum nvm_cut)(nvm_rand(&m) % NVM_CUT_KINDS);
		}
		cw_settings_defaults(&s);
		cw_settings_init(&st, &nvm_ops, &m);
		if (cw_settings_boot(&st, &s, &g) < 0)
			continue;
		if (g <= top)
			fail("a count comes again", "storm", i, (long)g, (long)top);
		top = g;
	}
	printf("boot counter: %ld starts, %llu counts given, none twice\n", starts,
	    (unsigned long long)top);
}

/* settings [whole]: the second cut at every byte of every change, 10^6 starts. */
int
main(int argc, char **argv)
{
	bool whole = argc > 1 && strcmp(argv[1], "whole") == 0;

	sweep_cuts(whole);
	sweep_first();
	sweep_stuck();
	sweep_calls();
	case_cnt = 0;
	sweep_boot();
	sweep_boot_stuck();
	boot_calls();
	printf("boot counter: %lu cuts and failures, no count twice\n", case_cnt);
	boot_storm(whole ? 1000000 : 20000);
	return 0;
}
