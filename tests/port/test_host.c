/* SPDX-License-Identifier: Apache-2.0 */
#include "port_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "boards/host/host_private.h"
#include "cw/err.h"
#include "record.h"
#include "sim/contact_srv.h"

/* The host board, with the card that takes no time and with a simulated one. */
#define ANSWER_MS 5000
#define QUIET_MS 30

struct bench {
	uv_loop_t loop;
	struct cw_host_env env;
	struct cw_host *host;
	struct cw_world *world;
	struct cw_contact_srv *srv;
	uint32_t card_no;
	int machine, peer;
	struct cw_port_rig rig;
};

static bool
next(void *ctx, struct cw_event *ev, uint32_t wait_ms)
{
	struct bench *b = ctx;
	uint64_t end_us = cw_host_now_us() + wait_ms * 1000u;

	do {
		cw_host_pump(b->host);
		cw_host_net_flush(b->host);
		if (record.off < record.cnt) {
			*ev = record.event[record.off++ % 256];
			return true;
		}
		uv_run(&b->loop, UV_RUN_NOWAIT);
	} while (record.off < record.cnt || cw_host_now_us() < end_us);
	return false;
}

static int
dial(uint16_t port)
{
	struct sockaddr_in a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	uv_ip4_addr("127.0.0.1", port, &a);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* The machine's side of the contact link: its answers are not looked at. */
static void
hand(void *ctx, bool inserted)
{
	static const uint8_t machine[] = { CW_CT_MACHINE, 0, 0, 0 };
	static const uint8_t bin[] = { CW_CT_BIN, 0, 0, 3, 0, 1, 1 };
	uint8_t feed[] = { CW_CT_FEED, 0, 0, 6, 0, 1, 0, 0, 0, 0 };
	struct bench *b = ctx;

	if (b->machine < 0) {
		b->machine = dial(cw_contact_srv_port(b->srv));
		assert_int_equal(write(b->machine, machine, sizeof machine),
		    sizeof machine);
	}
	feed[9] = (uint8_t)++b->card_no;
	if (inserted)
		assert_int_equal(write(b->machine, feed, sizeof feed),
		    sizeof feed);
	else
		assert_int_equal(write(b->machine, bin, sizeof bin),
		    sizeof bin);
}

static void
bench_open(struct bench *b, const char *card, char *err, size_t err_cap)
{
	struct cw_host_config c = {
		.listen = "127.0.0.1:0", .card = card, .clk_hz = 4000000,
		.store_bytes = 1u << 20, .boot_id = 1,
	};

	memset(&record, 0, sizeof record);
	b->machine = -1;
	b->env.loop = &b->loop;
	b->env.log_level = -1;
	b->host = cw_host_open(&b->env, &c, err, err_cap);
	b->rig.cfg = &record.cfg;
	b->rig.ctx = b;
	b->rig.next = next;
	b->rig.card = hand;
}

static struct bench *
bench_null(void)
{
	struct bench *b = test_calloc(1, sizeof *b);
	char err[200];

	uv_loop_init(&b->loop);
	bench_open(b, "null", err, sizeof err);
	assert_non_null(b->host);
	return b;
}

static struct bench *
bench_sim(bool inverse)
{
	struct bench *b = test_calloc(1, sizeof *b);
	struct cw_world_config w = {
		.station_cnt = 1, .blanks = UINT32_MAX,
		.card = { .ta1 = 0x96, .flash_len = 1u << 18,
		    .inverse = inverse },
	};
	struct cw_contact_srv_config s = {
		.loop = &b->loop, .station_cnt = 1, .ip = "127.0.0.1",
	};
	struct cw_event ev;
	char err[200], card[64];

	uv_loop_init(&b->loop);
	b->world = cw_world_new(&w);
	assert_non_null(b->world);
	assert_int_equal(cw_world_feed(b->world, 0, ++b->card_no), 0);
	s.world = b->world;
	b->srv = cw_contact_srv_open(&s, err, sizeof err);
	assert_non_null(b->srv);
	snprintf(card, sizeof card, "sim:127.0.0.1:%u/1",
	    cw_contact_srv_port(b->srv));
	bench_open(b, card, err, sizeof err);
	assert_non_null(b->host);
	assert_true(next(b, &ev, ANSWER_MS));
	assert_int_equal(ev.kind, CW_EV_CARD);
	assert_int_equal(ev.len, 1);
	return b;
}

static void
bench_close(struct bench *b)
{
	if (b->host != NULL)
		cw_host_close(b->host);
	if (b->srv != NULL)
		cw_contact_srv_close(b->srv);
	if (b->machine >= 0)
		close(b->machine);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	cw_world_free(b->world);
	test_free(b);
}

static void
test_null(void **state)
{
	struct bench *b = bench_null();

	(void)state;
	cw_port_check_lines(&b->rig);
	cw_port_check_dialogue(&b->rig);
	cw_port_check_abort(&b->rig);
	cw_port_check_store(&b->rig);
	cw_port_check_random(&b->rig);
	bench_close(b);
}

static void
test_sim(void **state)
{
	int inverse;

	(void)state;
	for (inverse = 0; inverse < 2; inverse++) {
		struct bench *b = bench_sim(inverse);

		cw_port_check_lines(&b->rig);
		cw_port_check_dialogue(&b->rig);
		cw_port_check_abort(&b->rig);
		cw_port_check_removal(&b->rig);
		bench_close(b);
	}
}

/* The contact link goes: a removed card; it comes back: another card. */
static void
test_contact_lost(void **state)
{
	struct bench *b = bench_sim(false);
	struct cw_reader_config *c = &record.cfg;
	struct cw_contact_srv_config s = {
		.loop = &b->loop, .station_cnt = 1, .ip = "127.0.0.1",
	};
	struct cw_event ev;
	char err[200];

	(void)state;
	s.port = cw_contact_srv_port(b->srv);
	s.world = b->world;
	assert_int_equal(c->card->power(c->dev, 0, 5000), 0);
	assert_true(next(b, &ev, ANSWER_MS));
	assert_int_equal(ev.kind, CW_EV_POWERED);
	assert_int_equal(c->card->power(c->dev, 0, 0), 0);
	cw_contact_srv_close(b->srv);
	assert_true(next(b, &ev, ANSWER_MS));
	if (ev.kind == CW_EV_POWERED) {
		assert_true(next(b, &ev, ANSWER_MS));
		assert_int_equal(ev.kind, CW_EV_CARD);
	} else {
		assert_int_equal(ev.kind, CW_EV_CARD);
		assert_int_equal(ev.len, 0);
		assert_true(next(b, &ev, ANSWER_MS));
		assert_int_equal(ev.kind, CW_EV_POWERED);
	}

	/* Without a link nothing can be begun, and power off still answers. */
	assert_int_equal(c->card->present(c->dev, 0), 0);
	assert_true(c->card->power(c->dev, 0, 5000) < 0);
	assert_true(c->card->recv(c->dev, 0, 1, 10) < 0);
	assert_int_equal(c->card->power(c->dev, 0, 0), 0);
	assert_true(next(b, &ev, ANSWER_MS));
	assert_int_equal(ev.kind, CW_EV_POWERED);

	b->srv = cw_contact_srv_open(&s, err, sizeof err);
	assert_non_null(b->srv);
	assert_true(next(b, &ev, ANSWER_MS));
	assert_int_equal(ev.kind, CW_EV_CARD);
	assert_int_equal(ev.len, 1);
	cw_port_check_dialogue(&b->rig);
	bench_close(b);
}

/* ---- the terminal's side -------------------------------------------------- */

static void
peer_dial(void *ctx)
{
	struct bench *b = ctx;

	b->peer = dial(cw_host_port(b->host));
}

static void
peer_say(void *ctx, const uint8_t *buf, size_t len)
{
	assert_int_equal(write(((struct bench *)ctx)->peer, buf, len), len);
}

/* Up to cap bytes or the end of the stream; the board runs meanwhile. */
static size_t
peer_hear(void *ctx, uint8_t *buf, size_t cap)
{
	struct bench *b = ctx;
	uint64_t end_us = cw_host_now_us() + ANSWER_MS * 1000u;
	size_t len = 0;
	ssize_t n;

	while (len < cap && cw_host_now_us() < end_us) {
		cw_host_net_flush(b->host);
		uv_run(&b->loop, UV_RUN_NOWAIT);
		n = read(b->peer, buf + len, cap - len);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else
			assert_true(errno == EAGAIN);
	}
	return len;
}

static size_t
peer_hear_blocks(void *ctx, size_t len)
{
	uint8_t *buf = test_malloc(len);
	size_t got = peer_hear(ctx, buf, len), i;

	for (i = 0; i < got && buf[i] == (uint8_t)(i / CW_PORT_BLOCK); i++)
		continue;
	test_free(buf);
	return i;
}

static void
peer_hang_up(void *ctx)
{
	close(((struct bench *)ctx)->peer);
}

static const struct cw_port_peer peer = {
	peer_dial, peer_say, peer_hear, peer_hear_blocks, peer_hang_up,
};

static void
test_net(void **state)
{
	struct bench *b = bench_null();

	(void)state;
	b->rig.peer = &peer;
	cw_port_check_net(&b->rig);
	cw_port_check_room(&b->rig);
	bench_close(b);
}

/* Errors name the address and say what to do. */
static void
test_addresses(void **state)
{
	static const struct { const char *listen, *card, *says; } cases[] = {
		{ "127.0.0.1", "null", "IP:PORT" },
		{ "127.0.0.1:70000", "null", "IP:PORT" },
		{ "localhost:1", "null", "IP:PORT" },
		{ "192.0.2.1:7816", "null", "no interface" },
		{ "127.0.0.1:0", "sim:127.0.0.1:7830", "sim:IP:PORT/STATION" },
		{ "127.0.0.1:0", "sim:127.0.0.1:7830/0", "sim:IP:PORT/STATION" },
		{ "127.0.0.1:0", "pcsc:", "sim:IP:PORT/STATION" },
	};
	struct bench *b = bench_null();
	struct cw_host_config c = { .clk_hz = 4000000, .store_bytes = 1 };
	char err[300], busy[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		c.listen = cases[i].listen;
		c.card = cases[i].card;
		assert_null(cw_host_open(&b->env, &c, err, sizeof err));
		if (strstr(err, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].listen, err);
	}
	snprintf(busy, sizeof busy, "127.0.0.1:%u", cw_host_port(b->host));
	c.listen = busy;
	c.card = "null";
	assert_null(cw_host_open(&b->env, &c, err, sizeof err));
	assert_non_null(strstr(err, busy));
	assert_non_null(strstr(err, "another program"));
	bench_close(b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_sim),
		cmocka_unit_test(test_contact_lost),
		cmocka_unit_test(test_net),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("port/host", tests, NULL, NULL);
}
