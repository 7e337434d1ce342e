/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boards/contact/client.h"
#include "cw/err.h"

/* The client of the contact link, byte for byte against docs/spec/contact-link.md. */
static struct {
	struct cw_contact_client client;
	struct cw_event event[16];
	uint8_t byte[16][CW_CONTACT_FIFO];
	unsigned int cnt, unpost_cnt;
} t;

static void
post(void *dev, const struct cw_event *ev)
{
	assert_ptr_equal(dev, &t);
	assert_true(t.cnt < 16);
	assert_int_equal(ev->slot, 3);
	t.event[t.cnt] = *ev;
	if (ev->buf != NULL)
		memcpy(t.byte[t.cnt], ev->buf, ev->len);
	t.cnt++;
}

static void
unpost(void *dev)
{
	assert_ptr_equal(dev, &t);
	t.unpost_cnt++;
}

static int
setup(void **state)
{
	struct cw_contact_client_config c = {
		.post = post, .unpost = unpost, .dev = &t, .station = 0x0102,
		.slot = 3,
	};

	(void)state;
	memset(&t, 0, sizeof t);
	cw_contact_client_init(&t.client, &c);
	return 0;
}

/* The whole of buf, one message a call, no more than step bytes at a time. */
static int
hear(const void *buf, size_t len, size_t step)
{
	const uint8_t *p = buf;
	size_t n;
	int used;

	while (len > 0) {
		n = len < step ? len : step;
		used = cw_contact_client_input(&t.client, p, n);
		if (used < 0)
			return used;
		assert_in_range(used, 1, n);
		p += used;
		len -= (size_t)used;
	}
	return 0;
}

/* What goes out is exactly this. */
static void
says(const void *want, size_t len)
{
	const uint8_t *p;

	assert_int_equal(cw_contact_client_output(&t.client, &p), len);
	assert_memory_equal(p, want, len);
	if (len > 1)
		cw_contact_client_sent(&t.client, 1);	/* in parts, too */
	cw_contact_client_sent(&t.client, len > 1 ? len - 1 : len);
	assert_int_equal(cw_contact_client_output(&t.client, &p), 0);
}

static void
heard(enum cw_event_kind kind)
{
	assert_true(t.cnt > 0);
	assert_int_equal(t.event[0].kind, kind);
	t.cnt--;
	memmove(t.event, t.event + 1, t.cnt * sizeof t.event[0]);
	memmove(t.byte, t.byte + 1, t.cnt * sizeof t.byte[0]);
}

static void
attach(void)
{
	static const uint8_t present[] = { CW_CT_PRESENT, 0, 0, 1, 1 };

	cw_contact_client_up(&t.client);
	says("\1\0\0\2\1\2", 6);
	assert_true(cw_contact_client_waits(&t.client));
	assert_int_equal(hear(present, sizeof present, 9), 0);
	assert_false(cw_contact_client_waits(&t.client));
	heard(CW_EV_CARD);
	assert_true(t.client.present);
}

static void
power_on(void)
{
	static const uint8_t powered[] = { CW_CT_POWERED, 0, 0, 2, 0, 0 };

	assert_int_equal(cw_contact_client_power(&t.client, 5000), 0);
	says("\2\0\0\4\0\0\x13\x88", 8);
	assert_int_equal(hear(powered, sizeof powered, 9), 0);
	heard(CW_EV_POWERED);
}

#define TAKEN(n) CW_CT_TAKEN, 0, 0, 6, 0, (n), 0, 0, 0, 60
#define CHARS2 CW_CT_RXCHARS, 0, 0, 8, 0, 0, 0, 24, 0, 1, 0x90, 0x00
static const uint8_t chars_and_listen[] = {
	5, 0, 0, 2, 0xa0, 0xa4, 6, 0, 0, 6, 2, 0, 0, 0, 0x25, 0x80,
};

/* A command: listened for ahead, both answers in pieces of every size. */
static void
test_command(void **state)
{
	static const uint8_t answers[] = { TAKEN(2), CHARS2 };
	size_t step;

	for (step = 1; step <= sizeof answers; step++) {
		setup(state);
		attach();
		power_on();
		assert_int_equal(cw_contact_client_send(&t.client,
		    (const uint8_t *)"\xa0\xa4", 2), 0);
		says(chars_and_listen, sizeof chars_and_listen);
		assert_int_equal(hear(answers, sizeof answers, step), 0);
		heard(CW_EV_SENT);
		assert_int_equal(t.cnt, 0);

		/* What came ahead is given when asked for, and in parts. */
		assert_int_equal(cw_contact_client_recv(&t.client, 1, 9600), 0);
		assert_int_equal(t.event[0].len, 1);
		assert_int_equal(t.byte[0][0], 0x90);
		assert_int_equal(t.event[0].bad_cnt, 1);
		assert_int_equal(t.event[0].line_etu, 24);
		heard(CW_EV_RECV);
		assert_int_equal(cw_contact_client_recv(&t.client, 9, 9600), 0);
		assert_int_equal(t.event[0].len, 1);
		assert_int_equal(t.byte[0][0], 0x00);
		heard(CW_EV_RECV);
		says("", 0);
	}
}

/* Answers to what was aborted are nobody's; the next ones count. */
static void
test_abort(void **state)
{
	static const uint8_t old[] = { TAKEN(2), CHARS2 };
	static const uint8_t taken[] = { TAKEN(2) };

	(void)state;
	attach();
	power_on();
	assert_int_equal(cw_contact_client_send(&t.client, (const uint8_t *)"\xa0\xa4", 2), 0);
	says(chars_and_listen, sizeof chars_and_listen);
	t.unpost_cnt = 0;
	cw_contact_client_abort(&t.client);
	assert_int_equal(t.unpost_cnt, 1);
	assert_true(cw_contact_client_waits(&t.client));
	assert_int_equal(cw_contact_client_send(&t.client, (const uint8_t *)"\xa0\xa4", 2), 0);
	says(chars_and_listen, sizeof chars_and_listen);
	assert_int_equal(hear(old, sizeof old, 64), 0);
	assert_int_equal(t.cnt, 0);
	assert_int_equal(cw_contact_client_recv(&t.client, 1, 9600), 0);
	assert_int_equal(t.cnt, 0);
	assert_int_equal(hear(taken, sizeof taken, 64), 0);
	heard(CW_EV_SENT);
	assert_true(cw_contact_client_waits(&t.client));
}

/* The card refuses a character: its index, and no waiting for an answer. */
static void
test_refused_character(void **state)
{
	static const uint8_t answers[] = {
		TAKEN(1), CW_CT_SILENT, 0, 0, 4, 0, 0, 0x25, 0x80,
	};
	static const uint8_t again[] = { 5, 0, 0, 1, 0xa4 };

	(void)state;
	attach();
	power_on();
	assert_int_equal(cw_contact_client_send(&t.client, (const uint8_t *)"\xa0\xa4", 2), 0);
	says(chars_and_listen, sizeof chars_and_listen);
	assert_int_equal(hear(answers, sizeof answers, 64), 0);
	assert_int_equal(t.event[0].idx, 1);
	heard(CW_EV_NACK);
	assert_int_equal(t.cnt, 0);
	assert_int_equal(cw_contact_client_send(&t.client, (const uint8_t *)"\xa4", 1), 0);
	says(again, sizeof again);
}

/* The stream ends: each power that was asked for is answered, the card is gone. */
static void
test_lost(void **state)
{
	(void)state;
	attach();
	power_on();
	assert_int_equal(cw_contact_client_power(&t.client, 0), 0);
	assert_int_equal(cw_contact_client_power(&t.client, 5000), 0);
	cw_contact_client_lost(&t.client);
	assert_int_equal(t.event[0].len, 0);
	heard(CW_EV_CARD);
	heard(CW_EV_POWERED);
	heard(CW_EV_POWERED);
	assert_int_equal(t.cnt, 0);
	assert_false(t.client.present);
	cw_contact_client_lost(&t.client);
	assert_int_equal(t.cnt, 0);
	says("", 0);

	assert_int_equal(cw_contact_client_power(&t.client, 5000), CW_EREMOVED);
	assert_int_equal(cw_contact_client_recv(&t.client, 1, 9), CW_EREMOVED);
	assert_int_equal(cw_contact_client_send(&t.client, (const uint8_t *)"x", 1), CW_EREMOVED);
	assert_int_equal(cw_contact_client_power(&t.client, 0), 0);
	heard(CW_EV_POWERED);
	attach();
}

/* A sign of life is nobody's event, and comes before a power that is. */
static void
test_probe(void **state)
{
	static const uint8_t both[] = {
		CW_CT_POWERED, 0, 0, 2, 0, 0, CW_CT_POWERED, 0, 0, 2, 0xff, 0xe8,
	};

	(void)state;
	attach();
	cw_contact_client_probe(&t.client);
	says("\2\0\0\4\0\0\0\0", 8);
	assert_true(cw_contact_client_waits(&t.client));
	assert_int_equal(cw_contact_client_power(&t.client, 5000), 0);
	cw_contact_client_probe(&t.client);	/* not while one is under way */
	says("\2\0\0\4\0\0\x13\x88", 8);
	assert_int_equal(hear(both, sizeof both, 64), 0);
	assert_int_equal(t.event[0].err, CW_EREMOVED);
	heard(CW_EV_POWERED);
	assert_int_equal(t.cnt, 0);
	assert_false(cw_contact_client_waits(&t.client));
}

/* A peer that is none: said, never believed. */
static void
test_strange(void **state)
{
	static const struct { uint8_t msg[12]; size_t len; int err; } cases[] = {
		{ { 0x80, 0, 0, 0 }, 4, CW_EPROTO },
		{ { CW_CT_PRESENT, 0, 0, 0 }, 4, CW_EPROTO },
		{ { CW_CT_PRESENT, 0, 0, 2, 1, 1 }, 6, CW_EPROTO },
		{ { CW_CT_TAKEN, 0, 0, 5, 0, 0, 0, 0, 0 }, 9, CW_EPROTO },
		{ { CW_CT_RXCHARS, 0, 2, 7 }, 4, 0 },	/* 513 characters: see below */
		{ { CW_CT_PRESENT, 0, 0x10, 1 }, 4, CW_EPROTO },
		{ { CW_CT_REFUSED, 0, 0, 4, 0xff, 0xf4, 'n', 'o' }, 8, CW_EDENIED },
		{ { CW_CT_REFUSED, 0, 0, 1, 0xff }, 5, CW_EPROTO },
	};
	static uint8_t much[6 + CW_CONTACT_FIFO + 1];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		setup(state);
		cw_contact_client_up(&t.client);
		assert_int_equal(hear(cases[i].msg, cases[i].len, 64), cases[i].err);
		if (cases[i].err == 0)
			assert_int_equal(hear(much, sizeof much, 64), CW_EPROTO);
		assert_true(t.client.why[0] != '\0');
		assert_int_equal(t.cnt, 0);
		cw_contact_client_lost(&t.client);
		attach();
	}

	/* Answers that nobody asked for. */
	setup(state);
	attach();
	{
		static const uint8_t stray[] = { TAKEN(2), CHARS2, CW_CT_PARITY, 0, 0, 0,
		    CW_CT_POWERED, 0, 0, 2, 0, 0, CW_CT_SILENT, 0, 0, 4, 0, 0, 0, 9 };

		assert_int_equal(hear(stray, sizeof stray, 64), 0);
		assert_int_equal(t.cnt, 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_command, setup),
		cmocka_unit_test_setup(test_abort, setup),
		cmocka_unit_test_setup(test_refused_character, setup),
		cmocka_unit_test_setup(test_lost, setup),
		cmocka_unit_test_setup(test_probe, setup),
		cmocka_unit_test_setup(test_strange, setup),
	};

	return cmocka_run_group_tests_name("board/contact", tests, NULL, NULL);
}
