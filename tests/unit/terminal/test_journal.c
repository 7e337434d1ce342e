/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "memdisk.h"

#define RECS_MAX 128

/* What replay has seen. */
struct seen {
	unsigned int cnt;
	uint8_t type[RECS_MAX];
	uint8_t sum[RECS_MAX];
	size_t len[RECS_MAX];
};

static uint8_t
sum_of(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len-- > 0)
		s = (uint8_t)(s * 31 + *p++);
	return s;
}

static int
on_replay(void *ctx, uint8_t type, const uint8_t *payload, size_t len)
{
	struct seen *s = ctx;

	if (s->cnt >= RECS_MAX)
		return CW_EFULL;
	s->type[s->cnt] = type;
	s->sum[s->cnt] = sum_of(payload, len);
	s->len[s->cnt] = len;
	s->cnt++;
	return 0;
}

static int
open_it(struct cw_journal *j, struct memdisk *d, struct seen *s)
{
	struct cw_journal_config c = { .ops = &memdisk_ops, .ctx = d,
	    .name = "test", .grow = 4096, .incarnation = 77,
	    .replay = on_replay, .replay_ctx = s };

	memset(s, 0, sizeof *s);
	return cw_journal_open(j, &c);
}

static uint8_t payload[CW_JOURNAL_PAYLOAD_MAX];

/* The i-th record of every test: type and bytes follow from i. */
static size_t
nth(unsigned int i)
{
	size_t len = (i * 37u) % 150u;

	for (size_t k = 0; k < len; k++)
		payload[k] = (uint8_t)(i * 7 + k);
	return len;
}

static void
add(struct cw_journal *j, unsigned int i)
{
	size_t len = nth(i);

	assert_true(cw_journal_append(j, (uint8_t)(1 + i % 199), payload, len) > 0);
}

/* The first cnt records came back, and nothing else. */
static void
assert_first(const struct seen *s, unsigned int cnt)
{
	assert_int_equal(s->cnt, cnt);
	for (unsigned int i = 0; i < cnt; i++) {
		size_t len = nth(i);

		assert_int_equal(s->type[i], 1 + i % 199);
		assert_int_equal(s->len[i], len);
		assert_int_equal(s->sum[i], sum_of(payload, len));
	}
}

static void
test_roundtrip(void **state)
{
	struct memdisk d;
	struct cw_journal j;
	struct seen s;

	(void)state;
	memdisk_init(&d);
	assert_int_equal(open_it(&j, &d, &s), 0);
	assert_int_equal(j.incarnation, 77);
	for (unsigned int i = 0; i < 20; i++) {
		add(&j, i);
		if (i % 3 == 0)
			assert_int_equal(cw_journal_commit(&j), j.next_lsn - 1);
	}
	cw_journal_commit(&j);
	cw_journal_close(&j);
	memdisk_crash(&d, 0);
	assert_int_equal(open_it(&j, &d, &s), 0);
	assert_int_equal(j.incarnation, 77);
	assert_first(&s, 20);
	assert_int_equal(j.cut, 0);
	add(&j, 20);
	cw_journal_commit(&j);
	cw_journal_close(&j);
	assert_int_equal(open_it(&j, &d, &s), 0);
	assert_first(&s, 21);
	cw_journal_close(&j);
	memdisk_fini(&d);
}

static void
test_unsynced_is_lost(void **state)
{
	struct memdisk d;
	struct cw_journal j;
	struct cw_journal_batch b;
	struct seen s;

	(void)state;
	memdisk_init(&d);
	open_it(&j, &d, &s);
	add(&j, 0);
	cw_journal_commit(&j);
	add(&j, 1);
	assert_true(cw_journal_take(&j, &b));
	memdisk_ops.write(&d, CW_JFILE_LIVE, b.off, b.buf, b.len);
	assert_false(cw_journal_take(&j, &b));
	cw_journal_close(&j);
	memdisk_crash(&d, 0);
	assert_int_equal(open_it(&j, &d, &s), 0);
	assert_first(&s, 1);
	cw_journal_close(&j);
	memdisk_fini(&d);
}

/* A batch of four torn at every byte: what was durable stays, what is whole
 * of the rest may stay, and the journal goes on from there. */
static void
test_torn_at_every_byte(void **state)
{
	size_t keep, len = SIZE_MAX;

	(void)state;
	for (keep = 0; keep <= len; keep++) {
		struct memdisk d;
		struct cw_journal j;
		struct cw_journal_batch b;
		struct seen s;
		unsigned int have;

		memdisk_init(&d);
		open_it(&j, &d, &s);
		for (unsigned int i = 0; i < 3; i++)
			add(&j, i);
		cw_journal_commit(&j);
		for (unsigned int i = 3; i < 7; i++)
			add(&j, i);
		assert_true(cw_journal_take(&j, &b));
		len = b.len;
		memdisk_ops.write(&d, CW_JFILE_LIVE, b.off, b.buf, b.len);
		cw_journal_close(&j);
		memdisk_crash(&d, keep);
		assert_int_equal(open_it(&j, &d, &s), 0);
		have = s.cnt;
		assert_in_range(have, 3, 7);
		assert_first(&s, have);
		if (keep == len)
			assert_int_equal(have, 7);
		add(&j, have);
		cw_journal_commit(&j);
		cw_journal_close(&j);
		memdisk_crash(&d, 0);
		assert_int_equal(open_it(&j, &d, &s), 0);
		assert_first(&s, have + 1);
		cw_journal_close(&j);
		memdisk_fini(&d);
	}
}

/* Sectors of an unsynced batch written out of order: its beginning missing,
 * its end there.  That is a torn tail, not damage. */
static void
test_torn_backwards(void **state)
{
	struct memdisk d;
	struct cw_journal j;
	struct cw_journal_batch b;
	struct seen s;

	(void)state;
	memdisk_init(&d);
	open_it(&j, &d, &s);
	add(&j, 0);
	cw_journal_commit(&j);
	for (unsigned int i = 1; i < 6; i++)
		add(&j, i);
	assert_true(cw_journal_take(&j, &b));
	memdisk_ops.write(&d, CW_JFILE_LIVE, b.off + 60, b.buf + 60, b.len - 60);
	memdisk_ops.sync(&d, CW_JFILE_LIVE);
	cw_journal_close(&j);
	assert_int_equal(open_it(&j, &d, &s), 0);
	assert_first(&s, 1);
	assert_true(j.cut > 0);
	cw_journal_close(&j);
	memdisk_fini(&d);
}

/* One flipped bit anywhere in what was durable long ago is found. */
static void
test_damage(void **state)
{
	struct memdisk d;
	struct cw_journal j;
	struct seen s;
	size_t end = 0;

	(void)state;
	memdisk_init(&d);
	open_it(&j, &d, &s);
	for (unsigned int i = 0; i < 8; i++) {
		add(&j, i);
		cw_journal_commit(&j);
		if (i == 5)
			end = j.size;
	}
	cw_journal_close(&j);
	for (size_t off = 0; off < end; off++) {
		d.f[0].now[off] ^= 0x10;
		assert_true(open_it(&j, &d, &s) < 0);
		assert_non_null(strstr(j.text, "test: "));
		cw_journal_close(&j);
		d.f[0].now[off] ^= 0x10;
	}
	assert_int_equal(open_it(&j, &d, &s), 0);
	assert_first(&s, 8);
	cw_journal_close(&j);

	/* Another's file. */
	memset(d.f[0].now, 'x', d.f[0].now_len);
	assert_int_equal(open_it(&j, &d, &s), CW_EDIGEST);
	cw_journal_close(&j);
	memdisk_fini(&d);
}

static void
test_no_space(void **state)
{
	struct memdisk d;
	struct cw_journal j;
	struct seen s;
	unsigned int n = 0;

	(void)state;
	memdisk_init(&d);
	d.space = 8192;
	open_it(&j, &d, &s);
	for (;;) {
		size_t len = nth(n);
		int64_t lsn = cw_journal_append(&j, (uint8_t)(1 + n % 199),
		    payload, len);

		if (lsn == CW_ENOSPC)
			break;
		assert_true(lsn > 0);
		n++;
		cw_journal_commit(&j);
	}
	assert_in_range(n, 10, RECS_MAX);
	assert_int_equal(j.failed, 0);

	/* With space again it goes on. */
	d.space = SIZE_MAX;
	add(&j, n);
	assert_true(cw_journal_commit(&j) > 0);
	cw_journal_close(&j);
	open_it(&j, &d, &s);
	assert_first(&s, n + 1);
	cw_journal_close(&j);
	memdisk_fini(&d);
}

/* The n-th disk call fails, for every n: what was reported durable is there. */
static void
test_every_failure(void **state)
{
	bool fired = true;

	(void)state;
	for (int at = 1; fired; at++) {
		struct memdisk d;
		struct cw_journal j;
		struct seen s;
		unsigned int sure = 0;

		memdisk_init(&d);
		assert_int_equal(open_it(&j, &d, &s), 0);
		d.calls = 0;
		d.fail_at = at;
		d.fail_err = CW_EIO;
		for (unsigned int i = 0; i < 12; i++) {
			size_t len = nth(i);

			if (cw_journal_append(&j, (uint8_t)(1 + i % 199),
			    payload, len) > 0 && cw_journal_commit(&j) > 0)
				sure = i + 1;
			else
				assert_int_equal(j.failed, CW_EIO);
		}
		fired = d.calls >= at;
		cw_journal_close(&j);
		memdisk_crash(&d, 0);
		assert_int_equal(open_it(&j, &d, &s), 0);
		assert_in_range(s.cnt, sure, 12);
		assert_first(&s, s.cnt);
		cw_journal_close(&j);
		memdisk_fini(&d);
	}
}

/* Rewriting, with the n-th disk call failing, for every n. */
static void
test_rewrite(void **state)
{
	bool fired = true;

	(void)state;
	for (int at = 0; fired; at++) {
		struct memdisk d;
		struct cw_journal j;
		struct seen s;
		int64_t lsn = 0;
		int err;

		memdisk_init(&d);
		open_it(&j, &d, &s);
		for (unsigned int i = 0; i < 10; i++)
			add(&j, i);
		cw_journal_commit(&j);
		add(&j, 10);
		d.calls = 0;
		d.fail_at = at;
		d.fail_err = CW_EIO;
		err = cw_journal_rewrite_begin(&j);
		for (unsigned int i = 0; err == 0 && i < 3; i++) {
			size_t len = nth(i);

			err = cw_journal_rewrite_add(&j, (uint8_t)(1 + i % 199),
			    payload, len);
		}
		if (err == 0)
			lsn = cw_journal_rewrite_end(&j);
		fired = at == 0 || d.calls >= at;
		d.fail_at = 0;
		if (err == 0 && lsn > 0) {
			assert_true(lsn > 11);
			add(&j, 3);
			cw_journal_commit(&j);
		} else if (j.failed == 0) {
			assert_int_equal(cw_journal_commit(&j), j.next_lsn - 1);
		}
		cw_journal_close(&j);
		memdisk_crash(&d, 0);
		assert_int_equal(open_it(&j, &d, &s), 0);
		assert_int_equal(j.incarnation, 77);
		if (err == 0 && lsn > 0)
			assert_first(&s, 4);
		else
			assert_in_range(s.cnt, 10, 11);
		cw_journal_close(&j);
		memdisk_fini(&d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roundtrip),
		cmocka_unit_test(test_unsynced_is_lost),
		cmocka_unit_test(test_torn_at_every_byte),
		cmocka_unit_test(test_torn_backwards),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_rewrite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
