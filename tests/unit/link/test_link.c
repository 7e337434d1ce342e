/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secured reader link against OpenSSL as an independent peer: what gets
 * through, what does not, and that what does not is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "cw/err.h"
#include "peer.h"

/* Firmware has no elliptic curves, and memory from a pool. */
#ifdef TEST_FIRMWARE_CONFIG
#include <mbedtls/memory_buffer_alloc.h>

#include "boards/link/heap.h"
#define FORWARD_SUITE "PSK-AES128-CCM"
#else
#define FORWARD_SUITE "ECDHE-PSK-CHACHA20-POLY1305"
#endif

static const uint8_t other_key[CW_LINK_KEY_LEN] = { 1, 2, 3 };
static struct rig rig;
static uint8_t big[70000];

static void
fill(uint8_t *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = (uint8_t)(i * 7 + i / 251);
}

static struct peer *
connected(bool forward)
{
	struct peer *p;

	rig_init(&rig, forward, 2);
	p = peer_open(&rig, 0, "reader-1", peer_key);
	assert_int_equal(peer_pump(p), 1);
	assert_true(p->core_open);
	return p;
}

/* Everything the core sent so far, as the client reads it. */
static size_t
client_read(struct peer *p, uint8_t *buf, size_t cap)
{
	size_t len = 0;
	int n;

	peer_pump(p);
	while ((n = SSL_read(p->ssl, buf + len, (int)(cap - len))) > 0)
		len += (size_t)n;
	return len;
}

static void
suites(void **state)
{
	struct peer *p;

	(void)state;
	p = connected(false);
	assert_string_equal(SSL_get_cipher_name(p->ssl), "PSK-AES128-CCM");
	assert_int_equal(SSL_version(p->ssl), TLS1_2_VERSION);
	assert_int_equal(cw_link_stats(rig.link)->handshake_cnt, 1);
	assert_true(SSL_get_extms_support(p->ssl) == 1);
	rig_fini(&rig);
	p = connected(true);
	assert_string_equal(SSL_get_cipher_name(p->ssl), FORWARD_SUITE);
	rig_fini(&rig);
}

static void
bytes_both_ways(void **state)
{
	static const size_t sizes[] = { 1, 20, 4095, 4096, 4097, 16404, 65536 };
	static uint8_t back[70000];
	size_t i;

	(void)state;
	fill(big, sizeof big);
	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct peer *p = connected(i % 2 == 1);
		size_t len = sizes[i], off;

		/* 4096 at most: what firmware has room for */
		for (off = 0; off < len; off += 4096)
			assert_true(SSL_write(p->ssl, big + off, (int)(len - off <
			    4096 ? len - off : 4096)) > 0);
		assert_int_equal(peer_pump(p), 1);
		assert_int_equal(p->got_len, len);
		assert_memory_equal(p->got, big, len);
		assert_int_equal(cw_link_send(rig.link, 0, big, len), (int)len);
		assert_int_equal(client_read(p, back, sizeof back), len);
		assert_memory_equal(back, big, len);
		rig_fini(&rig);
	}
}

/* Bytes that come one by one, and all at once, mean the same. */
static void
split_input(void **state)
{
	uint8_t wire[512];
	struct peer *p = connected(false);
	size_t len, i;

	(void)state;
	assert_int_equal(SSL_write(p->ssl, "first", 5), 5);
	assert_int_equal(SSL_write(p->ssl, "second", 6), 6);
	len = peer_take(p, wire, sizeof wire);
	for (i = 0; i < len; i++)
		rig_data(&rig, 0, wire + i, 1);
	assert_int_equal(p->got_len, 11);
	assert_memory_equal(p->got, "firstsecond", 11);
	rig_fini(&rig);
}

static void
wrong_key(void **state)
{
	struct peer *p;

	(void)state;
	rig_init(&rig, false, 2);
	p = peer_open(&rig, 0, "reader-1", other_key);
	assert_int_equal(peer_pump(p), -1);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
	assert_int_equal(rig.why, CW_LINK_WHY_KEY);
	assert_int_equal(rig.why_cnt, 1);
	assert_true(p->gone && !p->core_open);
	assert_int_equal(cw_link_stats(rig.link)->ended_cnt[CW_LINK_WHY_KEY], 1);
	rig_fini(&rig);
}

static void
unknown_identity(void **state)
{
	static const char *const id[] = { "reader-2", "reader-", "reader-11", "R" };
	struct peer *p;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		rig_init(&rig, i % 2 == 1, 2);
		p = peer_open(&rig, 0, id[i], peer_key);
		assert_int_equal(peer_pump(p), -1);
		assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
		    SSL_R_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY);
		assert_int_equal(rig.why, CW_LINK_WHY_IDENTITY);
		assert_true(p->gone && !p->core_open);
		rig_fini(&rig);
	}
}

static void
other_protocols(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: reader\r\n\r\n";
	static const uint8_t frame[20] = "CW\1\1";
	struct peer *p;

	(void)state;
	rig_init(&rig, false, 2);
	p = peer_open(&rig, 0, "reader-1", peer_key);
	rig_data(&rig, 0, (const uint8_t *)http, sizeof http - 1);
	assert_true(p->gone && !p->core_open && rig.why == CW_LINK_WHY_PROTOCOL);
	rig_fini(&rig);

	rig_init(&rig, false, 2);
	p = peer_open(&rig, 0, "reader-1", peer_key);
	rig_data(&rig, 0, frame, sizeof frame);
	assert_true(p->gone && !p->core_open && rig.why == CW_LINK_WHY_PROTOCOL);
	rig_fini(&rig);

	/* TLS, but with certificates or too old */
	rig_init(&rig, true, 2);
	p = peer_open(&rig, 0, "reader-1", peer_key);
	SSL_set_cipher_list(p->ssl, "ECDHE-RSA-AES128-GCM-SHA256");
	assert_int_equal(peer_pump(p), -1);
	assert_true(p->gone && !p->core_open && rig.why == CW_LINK_WHY_PROTOCOL);
	p = peer_open(&rig, 1, "reader-1", peer_key);
	SSL_set_security_level(p->ssl, 0);
	SSL_set_min_proto_version(p->ssl, TLS1_VERSION);
	SSL_set_max_proto_version(p->ssl, TLS1_1_VERSION);
	SSL_set_cipher_list(p->ssl, "ALL:@SECLEVEL=0");
	assert_int_equal(peer_pump(p), -1);
	assert_true(p->gone && !p->core_open && rig.why_cnt == 2);
	rig_fini(&rig);
}

/*
 * Every byte of the client's two flights, one bit changed: never a session.
 * Except the minor version in the header of the very first record, which means
 * nothing (RFC 5246, appendix E.1) and which the Finished messages do not cover.
 */
static void
handshake_sweep(void **state)
{
	uint8_t wire[2048];
	size_t flight, i, len = 1;

	(void)state;
	for (flight = 0; flight < 2; flight++) {
		for (i = 0, len = 1; i < len; i++) {
			struct peer *p;

			rig_init(&rig, false, 2);
			p = peer_open(&rig, 0, "reader-1", peer_key);
			SSL_do_handshake(p->ssl);
			if (flight == 1) {
				len = peer_take(p, wire, sizeof wire);
				rig_data(&rig, 0, wire, len);
				BIO_write(p->in, p->raw, (int)p->raw_len);
				p->raw_len = 0;
				SSL_do_handshake(p->ssl);
			}
			len = peer_take(p, wire, sizeof wire);
			assert_true(len > 60);
			wire[i] ^= (uint8_t)(1 << i % 8);
			rig_data(&rig, 0, wire, len);
			if (peer_pump(p) == 1 && flight == 0 && i == 2) {
				rig_fini(&rig);
				continue;
			}
			assert_false(p->core_open);
			assert_int_equal(cw_link_stats(rig.link)->handshake_cnt, 0);
			rig_fini(&rig);
		}
	}
}

/* Every byte of a record: what was changed is not delivered, nor what follows. */
static void
record_sweep(void **state)
{
	uint8_t wire[512], bad[512];
	size_t i, len = 1;
	int forward;

	(void)state;
	for (forward = 0; forward < 2; forward++) {
		for (i = 0, len = 1; i < len; i++) {
			struct peer *p = connected(forward == 1);

			SSL_write(p->ssl, "a record of a card", 18);
			len = peer_take(p, wire, sizeof wire);
			memcpy(bad, wire, len);
			bad[i] ^= (uint8_t)(1 << i % 8);
			rig_data(&rig, 0, bad, len);

			/* a longer length makes it wait for bytes that are then wrong */
			if (!p->gone)
				rig_data(&rig, 0, big, sizeof big);
			assert_int_equal(p->got_len, 0);
			assert_true(p->gone && p->core_closed);
			assert_int_equal(rig.why_cnt, 1);
			assert_int_equal(rig.why, CW_LINK_WHY_RECORD);
			rig_fini(&rig);
		}
	}
}

static void
replay_and_order(void **state)
{
	uint8_t a[256], b[256];
	size_t a_len, b_len, cut;
	struct peer *p;

	(void)state;
	p = connected(false);
	SSL_write(p->ssl, "one", 3);
	a_len = peer_take(p, a, sizeof a);
	rig_data(&rig, 0, a, a_len);
	assert_int_equal(p->got_len, 3);
	rig_data(&rig, 0, a, a_len);
	assert_true(p->gone && p->core_closed && rig.why == CW_LINK_WHY_RECORD);
	assert_int_equal(p->got_len, 3);
	rig_fini(&rig);

	p = connected(true);
	SSL_write(p->ssl, "one", 3);
	a_len = peer_take(p, a, sizeof a);
	SSL_write(p->ssl, "two", 3);
	b_len = peer_take(p, b, sizeof b);
	rig_data(&rig, 0, b, b_len);
	assert_true(p->gone && p->core_closed && rig.why == CW_LINK_WHY_RECORD);
	assert_int_equal(p->got_len, 0);
	rig_fini(&rig);

	/* another session's record */
	p = connected(false);
	rig_data(&rig, 0, a, a_len);
	assert_true(p->gone && p->core_closed && p->got_len == 0);
	rig_fini(&rig);

	/* cut anywhere: nothing of it, and the core hears of the end */
	for (cut = 1; cut < a_len; cut++) {
		p = connected(false);
		SSL_write(p->ssl, "one", 3);
		a_len = peer_take(p, a, sizeof a);
		rig_data(&rig, 0, a, cut);
		peer_close(p);
		assert_true(p->core_closed && p->got_len == 0);
		rig_fini(&rig);
	}
}

/* The handshake of one connection is worth nothing on another one. */
static void
replayed_handshake(void **state)
{
	uint8_t hello[2048], finish[2048];
	size_t hello_len, finish_len;
	struct peer *p;

	(void)state;
	rig_init(&rig, false, 2);
	p = peer_open(&rig, 0, "reader-1", peer_key);
	SSL_do_handshake(p->ssl);
	hello_len = peer_take(p, hello, sizeof hello);
	rig_data(&rig, 0, hello, hello_len);
	BIO_write(p->in, p->raw, (int)p->raw_len);
	p->raw_len = 0;
	SSL_do_handshake(p->ssl);
	finish_len = peer_take(p, finish, sizeof finish);
	rig_data(&rig, 0, finish, finish_len);
	assert_true(p->core_open);

	p = peer_open(&rig, 1, "reader-1", peer_key);
	rig_data(&rig, 1, hello, hello_len);
	rig_data(&rig, 1, finish, finish_len);
	assert_true(p->gone && !p->core_open);
	assert_int_equal(rig.why, CW_LINK_WHY_KEY);
	rig_fini(&rig);
}

/* No room at the n-th raw send, for every n: the same bytes arrive. */
static void
room_sweep(void **state)
{
	static uint8_t back[70000];
	long n;

	(void)state;
	fill(big, sizeof big);
	for (n = 0;; n++) {
		struct cw_event room = { .kind = CW_EV_NET_ROOM };
		struct peer *p;
		int sent;

		rig_init(&rig, false, 2);
		rig.refuse_at = n;
		p = peer_open(&rig, 0, "reader-1", peer_key);
		while (peer_pump(p) == 0) {
			assert_true(rig.refused);
			rig.refused = false;
			rig_event(&rig, &room);
		}
		sent = cw_link_send(rig.link, 0, big, 16404);
		if (sent == 0) {
			assert_true(rig.refused);
			rig.refused = false;
			rig_event(&rig, &room);
			sent = cw_link_send(rig.link, 0, big, 16404);
		}
		assert_int_equal(sent, 16404);
		assert_int_equal(client_read(p, back, sizeof back), 16404);
		assert_memory_equal(back, big, 16404);
		if (rig.send_cnt <= n) {
			rig_fini(&rig);
			break;
		}
		rig_fini(&rig);
	}
	assert_true(n >= 7);
}

static void
slow_and_full(void **state)
{
	struct cw_event tick = { .kind = CW_EV_TICK };
	struct peer *p, *q;

	(void)state;
	rig_init(&rig, false, 2);
	assert_true(cw_link_due(rig.link) == UINT64_MAX);
	p = peer_open(&rig, 0, "reader-1", peer_key);
	assert_true(cw_link_due(rig.link) == rig.now_us + CW_LINK_HANDSHAKE_MS * 1000u);
	rig.now_us += 1000;
	q = peer_open(&rig, 1, "reader-1", peer_key);
	assert_int_equal(peer_pump(q), 1);
	peer_open(&rig, 2, "reader-1", peer_key);
	assert_true(rig.peer[2].gone && rig.why == CW_LINK_WHY_FULL);

	rig.now_us += CW_LINK_HANDSHAKE_MS * 1000u - 1001;
	rig_event(&rig, &tick);
	assert_false(p->gone);
	rig.now_us++;
	rig_event(&rig, &tick);
	assert_true(p->gone && rig.why == CW_LINK_WHY_SLOW);
	assert_false(q->gone);
	assert_true(cw_link_due(rig.link) == UINT64_MAX);

	/* its place is free again */
	p = peer_open(&rig, 3, "reader-1", peer_key);
	assert_int_equal(peer_pump(p), 1);
	rig_fini(&rig);
}

static void
ends(void **state)
{
	uint8_t buf[16];
	struct peer *p;

	(void)state;
	p = connected(false);
	assert_int_equal(cw_link_send(rig.link, 0, (const uint8_t *)"bye", 3), 3);
	cw_link_close(rig.link, 0);
	assert_true(p->gone);
	assert_int_equal(cw_link_send(rig.link, 0, (const uint8_t *)"x", 1), CW_ECLOSED);
	cw_link_close(rig.link, 0);
	assert_int_equal(client_read(p, buf, sizeof buf), 3);
	assert_int_equal(SSL_get_shutdown(p->ssl), SSL_RECEIVED_SHUTDOWN);
	assert_false(p->core_closed);
	rig_fini(&rig);

	/* the terminal's goodbye */
	p = connected(false);
	SSL_shutdown(p->ssl);
	peer_pump(p);
	assert_true(p->gone && p->core_closed);
	assert_int_equal(rig.why_cnt, 0);
	rig_fini(&rig);

	/* the core closes while more records wait in the same bytes */
	p = connected(false);
	rig.close_on_data = true;
	SSL_write(p->ssl, "one", 3);
	SSL_write(p->ssl, "two", 3);
	peer_pump(p);
	assert_int_equal(p->got_len, 3);
	assert_true(p->gone);
	rig_fini(&rig);
}

static void
new_key(void **state)
{
	struct peer *p = connected(false);

	(void)state;
	assert_int_equal(cw_link_set_key(rig.link, "reader 1", other_key), CW_EINVAL);
	assert_int_equal(cw_link_set_key(rig.link, "", other_key), CW_EINVAL);
	assert_int_equal(cw_link_set_key(rig.link,
	    "a-name-of-32-characters-too-long", other_key), CW_EINVAL);
	assert_int_equal(cw_link_set_key(rig.link, "reader-9", other_key), 0);
	assert_int_equal(SSL_write(p->ssl, "old session", 11), 11);
	peer_pump(p);
	assert_int_equal(p->got_len, 11);
	p = peer_open(&rig, 1, "reader-1", peer_key);
	assert_int_equal(peer_pump(p), -1);
	p = peer_open(&rig, 1, "reader-9", other_key);
	assert_int_equal(peer_pump(p), 1);
	rig_fini(&rig);
}

static void
config(void **state)
{
	struct cw_link *l = malloc(cw_link_size());
	struct cw_link_config c = { .identity = "x", .key = peer_key, .conn_cnt = 1 };

	(void)state;
	assert_int_equal(cw_link_init(l, &c), CW_EINVAL);
	free(l);
	assert_string_equal(cw_link_why_name(CW_LINK_WHY_KEY), "KEY");
	assert_string_equal(cw_link_why_name(CW_LINK_WHY_CNT), "?");
	assert_string_equal(cw_link_why_text(CW_LINK_WHY_CNT), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suites),
		cmocka_unit_test(bytes_both_ways),
		cmocka_unit_test(split_input),
		cmocka_unit_test(wrong_key),
		cmocka_unit_test(unknown_identity),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(handshake_sweep),
		cmocka_unit_test(record_sweep),
		cmocka_unit_test(replay_and_order),
		cmocka_unit_test(replayed_handshake),
		cmocka_unit_test(room_sweep),
		cmocka_unit_test(slow_and_full),
		cmocka_unit_test(ends),
		cmocka_unit_test(new_key),
		cmocka_unit_test(config),
	};

#ifdef TEST_FIRMWARE_CONFIG
	static uint64_t pool[CW_LINK_HEAP_BYTES(2) / 8];
	size_t used, blocks;
	int failed;

	cw_link_heap_init(pool, sizeof pool);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mbedtls_memory_buffer_alloc_max_get(&used, &blocks);
	printf("heap: %zu bytes at most, with two sessions, of %zu\n", used,
	    sizeof pool);
	return failed;
#else
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
