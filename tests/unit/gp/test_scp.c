/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/unit/gp/rig.h"
#include "tests/vectors/scp.h"

static struct cw_keystore *store;
static struct cw_keys keys;

static int
setup(void **state)
{
	(void)state;
	store = cw_keystore_new();
	assert_non_null(store);
	keys = cw_keystore_keys(store);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	cw_keystore_free(store);
	return 0;
}

static void
wrap_hex(struct cw_scp *s, const char *plain, const char *want)
{
	uint8_t cmd[300], out[300];
	size_t len = rig_hex(cmd, sizeof cmd, plain);
	struct cw_apdu a;
	int n;

	assert_int_equal(cw_apdu_parse(&a, cmd, len), 0);
	n = cw_scp_host_wrap(s, &a, out, sizeof out);
	assert_true(n > 0);
	rig_same(out, (size_t)n, want);
}

static void
run_vector(const struct cw_scp_vector *v)
{
	const struct cw_scp_static st = {
		rig_key(store, (enum cw_key_alg)v->alg, v->enc),
		rig_key(store, (enum cw_key_alg)v->alg, v->mac),
		rig_key(store, (enum cw_key_alg)v->alg, v->dek) };
	uint32_t before = cw_keystore_count(store);
	uint8_t cmd[64], rsp[64], out[64];
	struct cw_scp_hello h;
	struct cw_scp s;
	size_t len, i;
	int n;

	rig_hex(cmd, sizeof cmd, v->init_cmd);
	len = rig_hex(rsp, sizeof rsp, v->init_rsp);
	assert_int_equal(cw_scp_hello_parse(&h, rsp, len, 8), 0);
	assert_int_equal(cw_scp_host_begin(&s, &keys, &st, &h, cmd + 5), 0);
	rig_hex(cmd, sizeof cmd, v->auth);
	n = cw_scp_host_auth(&s, cmd[2], out, sizeof out);
	assert_true(n > 0);
	rig_same(out, (size_t)n, v->auth);
	if (v->eid_cmd != NULL) {
		wrap_hex(&s, cw_scp_eid_cmd, v->eid_cmd);
		len = rig_hex(rsp, sizeof rsp, v->eid_rsp);
		rsp[len] = 0x90;
		rsp[len + 1] = 0;
		n = cw_scp_host_unwrap(&s, rsp, len + 2);
		assert_true(n > 2);
		rig_same(rsp, (size_t)n - 2, cw_scp_eid_rsp);
	}
	for (i = 0; i < 4; i++)
		wrap_hex(&s, cw_scp_plain[i], v->wrapped[i]);
	cw_scp_end(&s);
	assert_int_equal(cw_keystore_count(store), before);
}

static void
test_scp03_vectors(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cw_scp03_vector / sizeof cw_scp03_vector[0]; i++) {
		print_message("%s\n", cw_scp03_vector[i].name);
		run_vector(&cw_scp03_vector[i]);
	}
}

static void
test_scp02_vector(void **state)
{
	(void)state;
	run_vector(&cw_scp02_vector);
}

/* The recorded card challenge of i = 70 is what 6.2.2.1 makes of its counter. */
static void
test_pseudo_random(void **state)
{
	static const uint8_t isd[] = { 0xA0, 0, 0, 0x05, 0x59, 0x10, 0x10, 0xFF,
	    0xFF, 0xFF, 0xFF, 0x89, 0, 0, 0x01, 0 };
	const struct cw_scp_vector *v = &cw_scp03_vector[0];
	const struct cw_scp_static st = {
		rig_key(store, CW_KEY_AES128, v->enc),
		rig_key(store, CW_KEY_AES128, v->mac),
		rig_key(store, CW_KEY_AES128, v->dek) };
	static const uint8_t kdd[10];
	uint8_t cmd[64], out[CW_SCP_HELLO_MAX];
	struct cw_scp_card p = { .proto = 3, .i = 0x70, .version = 0x30, .seq = 2,
	    .kdd = kdd, .aid = isd, .aid_len = sizeof isd, .host_challenge_len = 8 };
	struct cw_scp s;
	int n;

	(void)state;
	rig_hex(cmd, sizeof cmd, v->init_cmd);
	p.host_challenge = cmd + 5;
	n = cw_scp_card_begin(&s, &keys, &st, &p, out);
	assert_int_equal(n, 32);
	rig_same(out, (size_t)n, v->init_rsp);
	cw_scp_end(&s);
}

struct pair {
	struct cw_scp host, card;
	uint64_t seed;
};

/* Both ends up to the authentication: what the card said to it. */
static int
meet(struct pair *p, const struct cw_scp_static *hk, const struct cw_scp_static *ck,
    uint8_t proto, uint8_t i, uint8_t level)
{
	static const uint8_t aid[] = { 0xA0, 0, 0, 0x01, 0x51, 0, 0, 0 };
	uint8_t challenge[16], random[16], kdd[10], out[CW_SCP_HELLO_MAX], cmd[64];
	struct cw_scp_card c = { .proto = proto, .i = i, .version = 1, .seq = 7,
	    .kdd = kdd, .random = random, .aid = aid, .aid_len = sizeof aid,
	    .host_challenge = challenge, .host_challenge_len = proto == 3 &&
	    (i & CW_SCP_I_S16) != 0 ? 16 : 8 };
	struct cw_scp_hello h;
	struct cw_apdu a;
	int n;

	rig_fill(&p->seed, challenge, sizeof challenge);
	rig_fill(&p->seed, random, sizeof random);
	rig_fill(&p->seed, kdd, sizeof kdd);
	n = cw_scp_card_begin(&p->card, &keys, ck, &c, out);
	assert_true(n > 0);
	assert_int_equal(cw_scp_hello_parse(&h, out, (size_t)n,
	    c.host_challenge_len), 0);
	n = cw_scp_host_begin(&p->host, &keys, hk, &h, challenge);
	if (n < 0)
		return n;
	n = cw_scp_host_auth(&p->host, level, cmd, sizeof cmd);
	if (n < 0)
		return n;
	assert_int_equal(cw_apdu_parse(&a, cmd, (size_t)n), 0);
	return cw_scp_card_auth(&p->card, &a);
}

/* One random command and response through both ends. */
static void
exchange(struct pair *p)
{
	static const uint16_t sws[] = { 0x9000, 0x6310, 0x6285, 0x6A88 };
	uint8_t data[400], plain[400], wire[500], rsp[400], back[400];
	struct cw_apdu a = { .cla = (uint8_t)(0x80 | (rig_rand(&p->seed) & 3)), .ins = 0xE2,
	    .p1 = (uint8_t)rig_rand(&p->seed), .data = data };
	size_t room = cw_scp_room(&p->host, 255), len;
	uint16_t sw = sws[rig_rand(&p->seed) % 4];
	struct cw_apdu b;
	int n;

	rig_fill(&p->seed, data, sizeof data);
	a.lc = (uint32_t)(rig_rand(&p->seed) % (room + 1));
	a.le = rig_rand(&p->seed) % 2 != 0 ? 256 : 0;
	a.kind = a.lc > 0 ? a.le > 0 ? CW_APDU_4S : CW_APDU_3S :
	    a.le > 0 ? CW_APDU_2S : CW_APDU_1;
	n = cw_scp_host_wrap(&p->host, &a, wire, sizeof wire);
	assert_true(n > 0);
	assert_int_equal(cw_apdu_parse(&b, wire, (size_t)n), 0);
	assert_true(b.lc <= 255);
	assert_int_equal(cw_scp_card_unwrap(&p->card, &b, plain, sizeof plain), 0);
	assert_int_equal(b.lc, a.lc);
	assert_int_equal(b.le, a.le);
	assert_true(a.lc == 0 || memcmp(b.data, data, a.lc) == 0);

	len = sw != 0x6A88 ? rig_rand(&p->seed) % 200 : 0;
	rig_fill(&p->seed, rsp, len);
	memcpy(back, rsp, len);
	n = cw_scp_card_wrap(&p->card, rsp, len, sizeof rsp, sw);
	assert_true(n >= 0);
	rsp[n] = (uint8_t)(sw >> 8);
	rsp[n + 1] = (uint8_t)sw;
	assert_int_equal(cw_scp_host_unwrap(&p->host, rsp, (size_t)n + 2), len + 2);
	assert_memory_equal(rsp, back, len);
	assert_int_equal(rsp[len] << 8 | rsp[len + 1], sw);
}

struct combo {
	uint8_t proto, i, level;
};

static size_t
combos(struct combo out[64])
{
	static const uint8_t i03[] = { 0x00, 0x10, 0x20, 0x60, 0x70, 0x01, 0x11, 0x71 };
	static const uint8_t level[] = { 0x00, 0x01, 0x03, 0x11, 0x13, 0x33 };
	size_t n = 0, i, j;

	for (i = 0; i < 2; i++)
		for (j = 0; j < 3; j++)
			out[n++] = (struct combo){ 2, i ? 0x55 : 0x15, level[j] };
	for (i = 0; i < sizeof i03; i++)
		for (j = 0; j < sizeof level; j++) {
			if (level[j] >= 0x11 && (i03[i] & 0x20) == 0)
				continue;
			if (level[j] == 0x33 && (i03[i] & 0x40) == 0)
				continue;
			out[n++] = (struct combo){ 3, i03[i], level[j] };
		}
	return n;
}

static void
random_static(struct pair *p, uint8_t proto, enum cw_key_alg alg,
    struct cw_scp_static *st)
{
	uint8_t k[CW_KEY_MAX];
	uint32_t *h[3] = { &st->enc, &st->mac, &st->dek };
	int i;

	for (i = 0; i < 3; i++) {
		rig_fill(&p->seed, k, sizeof k);
		*h[i] = cw_keystore_add(store, proto == 2 ? CW_KEY_DES3 : alg, k);
	}
}

/* Host engine against card engine: every combination, random traffic. */
static void
test_all_combinations(void **state)
{
	struct combo c[64];
	size_t n = combos(c), i, k, round;
	struct cw_scp_static st, other;
	struct pair p;
	int alg;

	(void)state;
	for (i = 0; i < n; i++)
		for (alg = CW_KEY_AES128; alg <= CW_KEY_AES256; alg++)
			for (round = 0; round < 3; round++) {
				p.seed = 1 + i * 100 + alg * 10 + round;
				random_static(&p, c[i].proto, (enum cw_key_alg)alg, &st);
				assert_int_equal(meet(&p, &st, &st, c[i].proto,
				    c[i].i, c[i].level), 0);
				for (k = 0; k < 20; k++)
					exchange(&p);
				cw_scp_end(&p.host);
				cw_scp_end(&p.card);

				/* another key: found out before the card is asked */
				random_static(&p, c[i].proto, (enum cw_key_alg)alg, &other);
				assert_int_equal(meet(&p, &other, &st, c[i].proto,
				    c[i].i, c[i].level), CW_EDENIED);
				cw_scp_end(&p.card);
			}
	print_message("%u combinations\n", (unsigned int)n);
}

/* Levels that protocol and i do not have. */
static void
test_levels(void **state)
{
	static const struct combo bad[] = { { 2, 0x55, 0x11 }, { 2, 0x55, 0x02 },
	    { 3, 0x00, 0x11 }, { 3, 0x20, 0x33 }, { 3, 0x70, 0x23 }, { 3, 0x70, 0x10 },
	    { 3, 0x70, 0x83 } };
	struct cw_scp_static st;
	struct pair p = { .seed = 9 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		random_static(&p, bad[i].proto, CW_KEY_AES128, &st);
		assert_int_equal(meet(&p, &st, &st, bad[i].proto, bad[i].i,
		    bad[i].level), CW_EUNSUPPORTED);
		cw_scp_end(&p.host);
		cw_scp_end(&p.card);
	}
}

/* Any bit of a protected command, or of a response, that is flipped is found. */
static void
test_every_bit(void **state)
{
	static const uint8_t data[] = "personal bytes";
	const struct cw_apdu plain = { .kind = CW_APDU_3S, .cla = 0x80, .ins = 0xE2,
	    .p1 = 0x88, .data = data, .lc = sizeof data };
	uint8_t wire[80], bad[80], out[80], rsp[80];
	struct cw_scp_static st;
	struct pair p = { .seed = 5 };
	struct cw_scp host, card;
	struct cw_apdu a;
	int n, r, bit;

	(void)state;
	random_static(&p, 3, CW_KEY_AES256, &st);
	assert_int_equal(meet(&p, &st, &st, 3, 0x70, 0x33), 0);
	n = cw_scp_host_wrap(&p.host, &plain, wire, sizeof wire);
	for (bit = 0; bit < n * 8; bit++) {
		memcpy(bad, wire, (size_t)n);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		card = p.card;
		if (cw_apdu_parse(&a, bad, (size_t)n) < 0)
			continue;
		/* the channel and the proprietary secure messaging bits of CLA
		 * stand outside of the MAC */
		if (bit < 8 && cw_scp_card_unwrap(&card, &a, out, sizeof out) == 0)
			continue;
		card = p.card;
		cw_apdu_parse(&a, bad, (size_t)n);
		r = cw_scp_card_unwrap(&card, &a, out, sizeof out);
		assert_true(r < 0);
		assert_false(card.open);
	}
	cw_apdu_parse(&a, wire, (size_t)n);
	assert_int_equal(cw_scp_card_unwrap(&p.card, &a, out, sizeof out), 0);

	memcpy(rsp, data, sizeof data);
	n = cw_scp_card_wrap(&p.card, rsp, sizeof data, sizeof rsp, 0x9000);
	rsp[n] = 0x90;
	rsp[n + 1] = 0;
	for (bit = 0; bit < (n + 2) * 8; bit++) {
		memcpy(bad, rsp, (size_t)n + 2);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		host = p.host;
		assert_true(cw_scp_host_unwrap(&host, bad, (size_t)n + 2) < 0);
		assert_false(host.open);
	}
	for (r = 0; r < n + 2; r++) {
		if (r == 2)
			continue;	/* a bare status word: the card's refusal */
		memcpy(bad, rsp, (size_t)n + 2);
		host = p.host;
		assert_true(cw_scp_host_unwrap(&host, bad, (size_t)r) < 0);
	}
	cw_scp_end(&p.host);
	cw_scp_end(&p.card);
}

/* A command replayed, dropped or out of order is not taken. */
static void
test_order(void **state)
{
	const struct cw_apdu plain = { .kind = CW_APDU_1, .cla = 0x80, .ins = 0xF2 };
	uint8_t one[40], two[40], out[40];
	struct cw_scp_static st;
	struct pair p = { .seed = 6 };
	struct cw_scp card;
	struct cw_apdu a;
	int n, m, proto;

	(void)state;
	for (proto = 2; proto <= 3; proto++) {
		random_static(&p, (uint8_t)proto, CW_KEY_AES128, &st);
		assert_int_equal(meet(&p, &st, &st, (uint8_t)proto, 0x10, 1), 0);
		n = cw_scp_host_wrap(&p.host, &plain, one, sizeof one);
		m = cw_scp_host_wrap(&p.host, &plain, two, sizeof two);
		card = p.card;
		cw_apdu_parse(&a, two, (size_t)m);
		assert_int_equal(cw_scp_card_unwrap(&card, &a, out, 40), CW_ECRC);
		card = p.card;
		cw_apdu_parse(&a, one, (size_t)n);
		assert_int_equal(cw_scp_card_unwrap(&card, &a, out, 40), 0);
		cw_apdu_parse(&a, one, (size_t)n);
		assert_int_equal(cw_scp_card_unwrap(&card, &a, out, 40), CW_ECRC);
		cw_apdu_parse(&a, two, (size_t)m);
		assert_int_equal(cw_scp_card_unwrap(&card, &a, out, 40), CW_ESTATE);
		cw_scp_end(&p.host);
		cw_scp_end(&p.card);
	}
}

/* Responses to INITIALIZE UPDATE of every length, and of other protocols. */
static void
test_bad_hello(void **state)
{
	uint8_t buf[60] = { 0 };
	struct cw_scp_hello h;
	size_t len;

	(void)state;
	for (len = 0; len <= sizeof buf; len++) {
		buf[11] = 2;
		assert_int_equal(cw_scp_hello_parse(&h, buf, len, 8) == 0, len == 28);
		buf[11] = 3;
		assert_int_equal(cw_scp_hello_parse(&h, buf, len, 8) == 0,
		    len == 29 || len == 32);
		assert_int_equal(cw_scp_hello_parse(&h, buf, len, 16) == 0,
		    len == 45 || len == 48);
		assert_true(cw_scp_hello_parse(&h, buf, len, 7) < 0);
		buf[11] = 1;
		assert_true(cw_scp_hello_parse(&h, buf, len, 8) < 0);
	}
}

/* Commands that do not fit, at every size around the limit. */
static void
test_room(void **state)
{
	uint8_t data[300] = { 1 }, out[400];
	struct cw_scp_static st;
	struct combo c[64];
	size_t n = combos(c), i, room, cap;
	struct pair p = { .seed = 8 };
	struct cw_scp host;

	(void)state;
	for (i = 0; i < n; i++) {
		struct cw_apdu a = { .kind = CW_APDU_3S, .cla = 0x80, .ins = 0xE8,
		    .data = data };

		random_static(&p, c[i].proto, CW_KEY_AES192, &st);
		assert_int_equal(meet(&p, &st, &st, c[i].proto, c[i].i, c[i].level), 0);
		room = cw_scp_room(&p.host, 255);
		a.lc = (uint32_t)room;
		host = p.host;
		assert_true(cw_scp_host_wrap(&host, &a, out, sizeof out) <= 260);
		if (c[i].level != 0) {
			a.lc = (uint32_t)room + 1;
			host = p.host;
			if (c[i].proto == 2)
				assert_int_equal(cw_scp_host_wrap(&host, &a, out,
				    sizeof out), CW_ETOOBIG);
			else
				assert_true(cw_scp_host_wrap(&host, &a, out,
				    sizeof out) > 260);
		}
		a.lc = 20;
		for (cap = 0; cap < 33; cap++) {
			int r;

			host = p.host;
			r = cw_scp_host_wrap(&host, &a, out, cap);
			assert_true(r == CW_EFULL || (r > 0 && (size_t)r <= cap));
		}
		cw_scp_end(&p.host);
		cw_scp_end(&p.card);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scp03_vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scp02_vector, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pseudo_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_combinations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
