/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/dhcp.h"
#include "cw/err.h"

#define S 1000000ull

static const uint8_t mac[6] = { 2, 0, 0, 1, 2, 3 };
static struct cw_dhcp d;
static uint8_t out[CW_DHCP_DATAGRAM], in[CW_DHCP_INPUT_MAX];

/* The option's data in what the client sent, or NULL; offsets of RFC 2131. */
static const uint8_t *
sent_option(uint8_t want, uint8_t *len)
{
	size_t i = 240;

	while (i < sizeof out && out[i] != 255) {
		if (out[i] == want) {
			*len = out[i + 1];
			return &out[i + 2];
		}
		i += 2u + out[i + 1];
	}
	return NULL;
}

static uint8_t
sent_type(void)
{
	uint8_t len;
	const uint8_t *p;

	assert_int_equal(cw_dhcp_output(&d, out, sizeof out), sizeof out);
	assert_int_equal(cw_dhcp_output(&d, out, sizeof out), 0);
	assert_int_equal(out[0], 1);
	assert_memory_equal(out + 28, mac, 6);
	assert_memory_equal(out + 236, "\x63\x82\x53\x63", 4);
	p = sent_option(53, &len);
	assert_non_null(p);
	return p[0];
}

/* An answer to what was sent last, with the lease's times (0: left out). */
static size_t
answer(uint8_t type, uint8_t host, uint32_t lease_s, uint32_t renew_s)
{
	uint8_t *p = in + 240;
	uint32_t v[2] = { lease_s, renew_s };
	int i;

	memset(in, 0, sizeof in);
	in[0] = 2;
	in[1] = 1;
	in[2] = 6;
	memcpy(in + 4, out + 4, 4);
	memcpy(in + 16, (uint8_t[]){ 192, 0, 2, host }, 4);
	memcpy(in + 28, mac, 6);
	memcpy(in + 236, "\x63\x82\x53\x63", 4);
	memcpy(p, (uint8_t[]){ 53, 1, type, 0, 54, 4, 192, 0, 2, 1 }, 10);
	memcpy(p + 10, (uint8_t[]){ 1, 4, 255, 255, 255, 0, 3, 4, 192, 0, 2, 254 }, 12);
	p += 22;
	for (i = 0; i < 2; i++) {
		if (v[i] == 0)
			continue;
		*p++ = i == 0 ? 51 : 58;
		*p++ = 4;
		*p++ = (uint8_t)(v[i] >> 24);
		*p++ = (uint8_t)(v[i] >> 16);
		*p++ = (uint8_t)(v[i] >> 8);
		*p++ = (uint8_t)v[i];
	}
	*p++ = 255;
	return (size_t)(p - in);
}

static void
begin(void)
{
	cw_dhcp_init(&d, mac, "reader-7", 1);
	assert_true(cw_dhcp_step(&d, 0) > 0);
	assert_int_equal(sent_type(), 1);
}

/* Bound to .50 at time 2 s, for lease_s. */
static void
bind(uint32_t lease_s)
{
	begin();
	assert_int_equal(cw_dhcp_input(&d, in, answer(2, 50, lease_s, 0), S), 0);
	cw_dhcp_step(&d, S);
	assert_int_equal(sent_type(), 3);
	assert_int_equal(cw_dhcp_input(&d, in, answer(5, 50, lease_s, 0), 2 * S), 0);
	assert_true(cw_dhcp_changed(&d));
	assert_false(cw_dhcp_changed(&d));
	assert_int_equal(d.state, CW_DHCP_BOUND);
}

static void
test_lease(void **state)
{
	const uint8_t *p;
	uint8_t len;

	(void)state;
	begin();
	assert_memory_equal(d.to, "\xff\xff\xff\xff", 4);
	assert_int_equal(out[10], 0x80);	/* broadcast flag */
	p = sent_option(12, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(p, "reader-7", 8);
	assert_null(sent_option(50, &len));
	assert_int_equal(cw_dhcp_input(&d, in, answer(2, 50, 3600, 0), S), 0);
	assert_false(cw_dhcp_has_lease(&d));
	cw_dhcp_step(&d, S);
	assert_int_equal(sent_type(), 3);
	p = sent_option(50, &len);
	assert_memory_equal(p, "\xc0\x00\x02\x32", 4);
	p = sent_option(54, &len);
	assert_memory_equal(p, "\xc0\x00\x02\x01", 4);
	assert_memory_equal(out + 12, "\0\0\0\0", 4);
	assert_int_equal(cw_dhcp_input(&d, in, answer(5, 50, 3600, 0), 2 * S), 0);
	assert_true(cw_dhcp_has_lease(&d));
	assert_memory_equal(d.lease.gateway, "\xc0\x00\x02\xfe", 4);
	assert_memory_equal(d.lease.mask, "\xff\xff\xff\x00", 4);
	assert_int_equal(d.lease.renew_s, 1800);
	assert_int_equal(d.lease.rebind_s, 3150);
}

static void
test_renew(void **state)
{
	(void)state;
	bind(3600);
	assert_int_equal(cw_dhcp_step(&d, 1801 * S), 1802 * S);
	assert_int_equal(cw_dhcp_output(&d, out, sizeof out), 0);
	cw_dhcp_step(&d, 1802 * S);
	assert_int_equal(d.state, CW_DHCP_RENEWING);
	assert_int_equal(sent_type(), 3);
	assert_memory_equal(d.to, "\xc0\x00\x02\x01", 4);
	assert_memory_equal(out + 12, "\xc0\x00\x02\x32", 4);
	assert_int_equal(out[10], 0);
	assert_int_equal(cw_dhcp_input(&d, in, answer(5, 50, 3600, 600), 1803 * S), 0);
	assert_false(cw_dhcp_changed(&d));	/* the same address */
	assert_int_equal(d.due_us, 2403 * S);
}

/* Nobody answers: the server is asked, then all, and at the end the address goes. */
static void
test_expires(void **state)
{
	uint64_t now = 2 * S, end = 3602 * S;
	unsigned unicast = 0, broadcast = 0;

	(void)state;
	bind(3600);
	while (cw_dhcp_has_lease(&d)) {
		uint64_t due = cw_dhcp_step(&d, now);

		assert_true(due > now);
		if (cw_dhcp_has_lease(&d) &&
		    cw_dhcp_output(&d, out, sizeof out) > 0) {
			if (d.to[0] == 255)
				broadcast++;
			else
				unicast++;
		}
		assert_true(now <= end);
		if (cw_dhcp_has_lease(&d))
			now = due;
	}
	assert_int_equal(now, end);
	assert_true(cw_dhcp_changed(&d));
	assert_in_range(unicast, 2, 8);
	assert_in_range(broadcast, 4, 12);
	assert_int_equal(sent_type(), 1);
}

/* A lost discover comes again after 4, 8, 16, 32, 64, 64 s, a second less or more. */
static void
test_retry(void **state)
{
	static const uint64_t gap_s[] = { 4, 8, 16, 32, 64, 64, 64 };
	uint64_t now = 0, due;
	uint32_t xid;
	size_t i;

	(void)state;
	cw_dhcp_init(&d, mac, "", 99);
	xid = d.xid;
	for (i = 0; i < 7; i++) {
		due = cw_dhcp_step(&d, now);
		assert_in_range(due - now, (gap_s[i] - 1) * S, (gap_s[i] + 1) * S);
		assert_int_equal(sent_type(), 1);
		assert_int_equal(cw_dhcp_step(&d, due - 1), due);
		assert_int_equal(cw_dhcp_output(&d, out, sizeof out), 0);
		now = due;
	}
	assert_int_equal(d.xid, xid);
}

static void
test_refused(void **state)
{
	(void)state;
	begin();
	assert_int_equal(cw_dhcp_input(&d, in, answer(2, 50, 3600, 0), S), 0);
	cw_dhcp_step(&d, S);
	assert_int_equal(sent_type(), 3);
	assert_int_equal(cw_dhcp_input(&d, in, answer(6, 50, 0, 0), 2 * S), 0);
	assert_int_equal(d.state, CW_DHCP_SELECTING);
	cw_dhcp_step(&d, 2 * S);
	assert_int_equal(sent_type(), 1);

	/* a NAK to a renewal takes the address away */
	bind(3600);
	cw_dhcp_step(&d, 1802 * S);
	sent_type();
	assert_int_equal(cw_dhcp_input(&d, in, answer(6, 50, 0, 0), 1803 * S), 0);
	assert_false(cw_dhcp_has_lease(&d));
	assert_true(cw_dhcp_changed(&d));
}

/* The server that made the offer is gone: after four requests a new search. */
static void
test_silent_server(void **state)
{
	uint64_t now = S;
	int i;

	(void)state;
	begin();
	assert_int_equal(cw_dhcp_input(&d, in, answer(2, 50, 3600, 0), S), 0);
	for (i = 0; i < 4; i++) {
		uint64_t due = cw_dhcp_step(&d, now);

		assert_int_equal(sent_type(), 3);
		now = due;
	}
	cw_dhcp_step(&d, now);
	assert_int_equal(sent_type(), 1);
}

static void
test_link_back(void **state)
{
	(void)state;
	bind(3600);
	cw_dhcp_again(&d, 100 * S);
	cw_dhcp_step(&d, 100 * S);
	assert_int_equal(d.state, CW_DHCP_REBINDING);
	assert_int_equal(sent_type(), 3);
	assert_memory_equal(d.to, "\xff\xff\xff\xff", 4);
	/* another address, as in another net */
	assert_int_equal(cw_dhcp_input(&d, in, answer(5, 51, 3600, 0), 101 * S), 0);
	assert_true(cw_dhcp_changed(&d));
	assert_int_equal(d.lease.ip[3], 51);
}

/* Nothing but the answer to our own question changes anything. */
static void
test_strangers(void **state)
{
	struct cw_dhcp before;
	size_t len, i;

	(void)state;
	begin();
	len = answer(2, 50, 3600, 0);
	before = d;
	for (i = 0; i < len; i++) {	/* cut anywhere before the end */
		int err = cw_dhcp_input(&d, in, i, S);

		if (i < 240 + 10) {
			assert_true(err < 0);
			assert_memory_equal(&d, &before, sizeof d);
		}
		d = before;
	}
	for (i = 0; i < 8; i++) {	/* op, xid, hardware address, cookie */
		static const uint8_t at[] = { 0, 1, 2, 4, 7, 28, 33, 239 };

		len = answer(2, 50, 3600, 0);
		in[at[i]] ^= 0x10;
		assert_true(cw_dhcp_input(&d, in, len, S) < 0);
		assert_memory_equal(&d, &before, sizeof d);
	}
	assert_true(cw_dhcp_input(&d, in, answer(5, 50, 3600, 0), S) < 0);
	assert_true(cw_dhcp_input(&d, in, answer(1, 50, 3600, 0), S) < 0);
	len = answer(2, 50, 3600, 0);
	in[16] = 224;
	assert_true(cw_dhcp_input(&d, in, len, S) < 0);
	assert_memory_equal(&d, &before, sizeof d);
	/* an option that says it is longer than the datagram */
	len = answer(2, 50, 3600, 0);
	in[len - 6] = 200;
	assert_int_equal(cw_dhcp_input(&d, in, len, S), CW_ESHORT);
	assert_memory_equal(&d, &before, sizeof d);
}

/* Leases of no time, of less than a minute, of for ever, with odd times. */
static void
test_lease_times(void **state)
{
	(void)state;
	bind(0);
	assert_int_equal(d.lease.lease_s, 60);
	assert_int_equal(d.lease.renew_s, 30);
	bind(UINT32_MAX);
	assert_int_equal(d.lease.renew_s, UINT32_MAX / 2);
	assert_true(d.lease.rebind_s > d.lease.renew_s);
	begin();
	cw_dhcp_input(&d, in, answer(2, 50, 100, 100), S);
	cw_dhcp_step(&d, S);
	sent_type();
	cw_dhcp_input(&d, in, answer(5, 50, 100, 100), S);
	assert_int_equal(d.lease.renew_s, 50);
	assert_int_equal(d.lease.rebind_s, 87);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_expires),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_silent_server),
		cmocka_unit_test(test_link_back),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_lease_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
