/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "boards/host/contact.h"
#include "cw/bytes.h"
#include "cw/err.h"
#include "host/log.h"
#include "sim/contact_srv.h"

/* The server on a loop and its clients, all in this thread. */
struct rigging {
	uv_loop_t loop;
	struct cw_world *w;
	struct cw_contact_srv *srv;
};

static void
rigging_open(struct rigging *g)
{
	const struct cw_world_config wc = { .station_cnt = 2, .blanks = 3,
	    .card = { .flash_len = 2048 } };
	struct cw_contact_srv_config sc = { .loop = &g->loop, .station_cnt = 2,
	    .ip = "127.0.0.1" };
	char err[256];

	cw_log_open("test", CW_LOG_ERROR);
	uv_loop_init(&g->loop);
	g->w = sc.world = cw_world_new(&wc);
	g->srv = cw_contact_srv_open(&sc, err, sizeof err);
	assert_non_null(g->srv);
}

static void
rigging_close(struct rigging *g)
{
	cw_contact_srv_close(g->srv);
	uv_run(&g->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&g->loop), 0);
	cw_world_free(g->w);
}

static int
dial(struct rigging *g)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_port = htons(cw_contact_srv_port(g->srv)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof one), 0);
	return fd;
}

/* Sends raw bytes (hex) and runs the loop until it has nothing at hand. */
static void
put(struct rigging *g, int fd, const char *hex)
{
	uint8_t buf[600];
	int n = cw_unhex(buf, sizeof buf, hex, strlen(hex)), i;

	assert_int_equal(send(fd, buf, (size_t)n, 0), n);
	for (i = 0; i < 10; i++)
		uv_run(&g->loop, UV_RUN_NOWAIT);
}

/* What is there to read is exactly this; "" nothing. */
static void
got(int fd, const char *hex)
{
	char text[2000];
	uint8_t buf[900];
	ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

	text[0] = '\0';
	if (n > 0)
		cw_hex(text, buf, (size_t)n);
	assert_string_equal(text, hex);
}

static void
refused(struct rigging *g, int fd, int err)
{
	uint8_t buf[300];
	ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

	assert_true(n > 6);
	assert_int_equal(buf[0], CW_CT_REFUSED);
	assert_int_equal((int16_t)(buf[4] << 8 | buf[5]), err);
	assert_int_equal(n, 4 + (buf[2] << 8 | buf[3]));
	assert_int_equal(recv(fd, buf, 1, MSG_DONTWAIT), 0);
	close(fd);
	uv_run(&g->loop, UV_RUN_NOWAIT);
}

static void
a_card_over_the_link(void **state)
{
	struct rigging g;
	int reader, machine, other;

	(void)state;
	rigging_open(&g);
	reader = dial(&g);
	machine = dial(&g);
	put(&g, reader, "01000002" "0002");
	got(reader, "8100000100");
	put(&g, reader, "02000004" "00001388");		/* power: no card */
	got(reader, "82000002ffe8");
	put(&g, reader, "05000002" "b0ca" "06000006" "000100000064");
	got(reader, "83000006000200000018" "8500000400000064");

	put(&g, machine, "07000000" "08000006" "000200000001");
	got(machine, "87000008" "0002000000010000");
	got(reader, "8100000101");

	/* Activation, reset, ATR, IDENTIFY's first bytes: one batch. */
	put(&g, reader, "02000004" "00001388" "0300000100"
	    "06000006" "0021" "00002580");
	got(reader, "820000020000" "84000016" "000000c00000"
	    "3b9996801fc780674357424f4f543183");
	put(&g, reader, "05000005" "b0ca00001b" "06000006" "0001" "00002580");
	got(reader, "83000006" "00050000003c" "84000007" "0000000c0000" "ca");
	put(&g, reader, "06000006" "0004" "00002580");
	got(reader, "8400000a" "000000300000" "0100c401");

	/* In pieces is the same as in one. */
	put(&g, reader, "06");
	put(&g, reader, "0000060002");
	put(&g, reader, "00002580");
	got(reader, "84000008" "000000180000" "4357");

	/* The station has its reader; the machine is one. */
	other = dial(&g);
	put(&g, other, "01000002" "0002");
	refused(&g, other, CW_EBUSY);
	other = dial(&g);
	put(&g, other, "07000000");
	refused(&g, other, CW_EBUSY);

	put(&g, machine, "09000003" "000201");
	got(machine, "88000007" "00020000000101");
	got(reader, "8100000100");
	assert_int_equal(cw_world_count(g.w, CW_BIN_GOOD), 1);

	/* Reader and machine go and come back; the cards stay. */
	put(&g, machine, "08000006" "000200000002");
	got(machine, "87000008" "0002000000020000");
	close(reader);
	close(machine);
	for (int i = 0; i < 10; i++)
		uv_run(&g.loop, UV_RUN_NOWAIT);
	reader = dial(&g);
	put(&g, reader, "01000002" "0002");
	got(reader, "8100000101");
	machine = dial(&g);
	put(&g, machine, "07000000" "08000006" "000200000002");
	got(machine, "87000008" "0002000000020000");
	close(reader);
	close(machine);
	rigging_close(&g);
}

static void
a_card_that_leaves(void **state)
{
	struct rigging g;
	int reader, machine;

	(void)state;
	rigging_open(&g);
	assert_int_equal(cw_world_fault(g.w, "1=pulled:0"), 0);
	reader = dial(&g);
	machine = dial(&g);
	put(&g, machine, "07000000" "08000006" "000100000001");
	put(&g, reader, "01000002" "0001" "02000004" "00001388" "0300000100"
	    "06000006" "0021" "00002580");
	got(reader, "8100000101" "820000020000" "84000016" "000000c00000"
	    "3b9996801fc780674357424f4f543183");
	got(machine, "87000008" "0001000000010000");
	put(&g, reader, "05000005" "b0ca00001b" "06000006" "0001" "00002580");
	got(reader, "83000006" "00050000003c" "8100000100" "8500000400002580");
	got(machine, "890000020001");

	/* A machine that comes back is told again, until the next feed. */
	close(machine);
	for (int i = 0; i < 10; i++)
		uv_run(&g.loop, UV_RUN_NOWAIT);
	machine = dial(&g);
	put(&g, machine, "07000000" "09000003" "000101");
	got(machine, "890000020001" "88000007" "00010000000103");
	close(reader);
	close(machine);
	rigging_close(&g);
}

static void
broken_messages(void **state)
{
	static const struct { const char *first, *hex; int err; } bad[] = {
		{ "", "0200000400001388", CW_EPROTO },	/* no ATTACH first */
		{ "", "010000020000", CW_ENOENT },
		{ "", "010000020003", CW_ENOENT },
		{ "", "01000003000100", CW_EPROTO },
		{ "", "0100000100", CW_EPROTO },
		{ "", "0700000100", CW_EPROTO },
		{ "", "01001001", CW_ETOOBIG },
		{ "", "47455420", CW_ETOOBIG },		/* "GET " */
		{ "010000020001", "010000020001", CW_EPROTO },
		{ "010000020001", "0200000300001388", CW_EPROTO },
		{ "010000020001", "05000000", CW_EPROTO },
		{ "010000020001", "06000006000000002580", CW_EPROTO },
		{ "010000020001", "0400000a0000000000000174000c", CW_EINVAL },
		{ "010000020001", "ff000000", CW_EPROTO },
		{ "07000000", "08000006000300000001", CW_ENOENT },
		{ "07000000", "080000050001000000", CW_EPROTO },
		{ "07000000", "09000003000103", CW_EPROTO },
		{ "07000000", "09000003000000", CW_EPROTO },
	};
	struct rigging g;
	uint8_t skip[16];
	size_t i;
	int fd;

	(void)state;
	rigging_open(&g);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fd = dial(&g);
		put(&g, fd, bad[i].first);
		if (bad[i].first[0] == '0' && bad[i].first[1] == '1')
			assert_int_equal(recv(fd, skip, 5, 0), 5);
		put(&g, fd, bad[i].hex);
		refused(&g, fd, bad[i].err);
	}
	assert_int_equal(cw_world_count(g.w, CW_BIN_STATION), 0);
	rigging_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_over_the_link),
		cmocka_unit_test(a_card_that_leaves),
		cmocka_unit_test(broken_messages),
	};

	return cmocka_run_group_tests_name("contact", tests, NULL, NULL);
}
