/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "cw/t0.h"
#include "t0_play.h"

static const struct cw_t0_cfg cfg = { .wt_etu = 9600 };
static uint8_t command[CW_APDU_CMD_MAX];
static uint8_t rsp[CW_APDU_RSP_MAX];

static void
step_sent(struct cw_t0 *t, struct cw_tpdu_out *out)
{
	struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_SENT };

	assert_int_equal(out->want, CW_TPDU_SEND);
	cw_t0_step(t, &ev, out);
}

static void
step_rx(struct cw_t0 *t, struct cw_tpdu_out *out, const void *buf, size_t len)
{
	struct cw_tpdu_ev ev = { .kind = CW_TPDU_EV_RX, .buf = buf, .len = len };

	assert_int_equal(out->want, CW_TPDU_RECV);
	assert_true(len <= out->rx_max);
	cw_t0_step(t, &ev, out);
}

/* Turn by turn, since each costs a call to the line: a WRITE of 255 bytes. */
static void
turns_of_a_write(void **state)
{
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	size_t len = play_bytes("80d00000ff 42*255", command, sizeof command);

	(void)state;
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, sizeof rsp,
	    &out), 0);
	assert_int_equal(out.tx_len, 5);
	step_sent(&t, &out);
	assert_int_equal(out.rx_max, 1);
	step_rx(&t, &out, "\xd0", 1);
	assert_int_equal(out.tx_len, 255);
	assert_ptr_equal(out.tx, command + 5);
	step_sent(&t, &out);
	assert_int_equal(out.rx_max, 2);
	step_rx(&t, &out, "\x90\x00", 2);
	assert_int_equal(out.want, CW_TPDU_DONE);
	assert_int_equal(out.rsp_len, 2);
}

/* A READ of 256 bytes: the block and its status words in one read. */
static void
turns_of_a_read(void **state)
{
	static uint8_t answer[258];
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	size_t len = play_bytes("00b0000000", command, sizeof command);

	(void)state;
	play_bytes("01*256 9000", answer, sizeof answer);
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, sizeof rsp,
	    &out), 0);
	step_sent(&t, &out);
	assert_int_equal(out.rx_max, 2);
	step_rx(&t, &out, "\xb0\x01", 2);
	assert_int_equal(out.rx_max, 257);
	step_rx(&t, &out, answer + 1, 257);
	assert_int_equal(out.want, CW_TPDU_DONE);
	assert_int_equal(out.rsp_len, 258);
	assert_memory_equal(rsp, answer, 258);
}

static void
start_refuses(void **state)
{
	static const struct {
		const char *apdu;
		int err;
	} bad[] = {
		{ "", CW_ESHORT },
		{ "00a400", CW_ESHORT },
		{ "00a4000002aa", CW_EFORMAT },
		{ "00a400000000", CW_EFORMAT },
		{ "00600000", CW_EINVAL },	/* INS 6X, 9X: 10.3.2 */
		{ "006f0000", CW_EINVAL },
		{ "00900000", CW_EINVAL },
		{ "009f000001", CW_EINVAL },
		{ "ffa40000", CW_EINVAL },	/* CLA FF is PPSS: 10.3.2 */
	};
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		len = play_bytes(bad[i].apdu, command, sizeof command);
		assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp,
		    sizeof rsp, &out), bad[i].err);
	}
	len = play_bytes("00440000", command, sizeof command);
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, 1, &out),
	    CW_EINVAL);
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, 2, &out), 0);
}

/* A card that has one more byte for ever is given up after 260 rounds. */
static void
chain_61_without_end(void **state)
{
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	size_t len = play_bytes("00880000 000001 aa 0000", command,
	    sizeof command);
	unsigned int rounds = 0;

	(void)state;
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, sizeof rsp,
	    &out), 0);
	step_sent(&t, &out);
	step_rx(&t, &out, "\x88", 1);
	step_sent(&t, &out);
	step_rx(&t, &out, "\x61\x01", 2);
	while (out.want == CW_TPDU_SEND) {
		rounds++;
		assert_true(rounds <= CW_T0_ROUND_MAX);
		assert_memory_equal(out.tx, "\x00\xc0\x00\x00\x01", 5);
		step_sent(&t, &out);
		step_rx(&t, &out, "\xc0\x07", 2);
		step_rx(&t, &out, "\x61\x01", 2);
	}
	assert_int_equal(rounds, CW_T0_ROUND_MAX);
	assert_int_equal(out.want, CW_TPDU_FAIL);
	assert_int_equal(out.err, CW_EPROTO);
}

/* 6Cxx and 61xx in turn, and never a byte: bounded by the rounds, too. */
static void
chain_61_6c_without_end(void **state)
{
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	size_t len = play_bytes("00b0000000", command, sizeof command);
	unsigned int commands = 0;

	(void)state;
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, sizeof rsp,
	    &out), 0);
	while (out.want == CW_TPDU_SEND) {
		commands++;
		step_sent(&t, &out);
		step_rx(&t, &out, commands % 2 == 1 ? "\x6c\x05" : "\x61\x05",
		    2);
	}
	assert_int_equal(commands, 2 * (CW_T0_ROUND_MAX + 1));
	assert_int_equal(out.want, CW_TPDU_FAIL);
	assert_int_equal(out.err, CW_EPROTO);
}

/*
 * The largest command there is, to the largest response: every byte of the
 * command arrives once, in order, and every byte of the response comes back.
 */
static void
largest_exchange(void **state)
{
	static uint8_t arrived[CW_APDU_CMD_MAX + 255];
	static uint8_t block[258];
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	size_t len, got = 0, i, round;

	(void)state;
	len = play_bytes("80d20102 00ffff 00*65535 0000", command,
	    sizeof command);
	assert_int_equal(len, CW_APDU_CMD_MAX);
	for (i = 7; i < len - 2; i++)
		command[i] = (uint8_t)(i * 31 + i / 251);
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, sizeof rsp,
	    &out), 0);

	while (got < len) {
		size_t part = len - got < 255 ? len - got : 255;

		assert_memory_equal(out.tx, "\x80\xc2\x00\x00", 4);
		assert_int_equal(out.tx[4], part);
		step_sent(&t, &out);
		step_rx(&t, &out, "\xc2", 1);
		assert_int_equal(out.tx_len, part);
		memcpy(arrived + got, out.tx, part);
		got += part;
		step_sent(&t, &out);
		step_rx(&t, &out, got < len ? "\x90\x00" : "\x61\x00", 2);
	}
	assert_memory_equal(arrived, command, len);

	for (round = 0; round < 256; round++) {
		assert_memory_equal(out.tx, "\x80\xc0\x00\x00\x00", 5);
		step_sent(&t, &out);
		for (i = 0; i < 256; i++)
			block[i] = (uint8_t)(i + round);
		block[256] = round < 255 ? 0x61 : 0x90;
		block[257] = 0;
		step_rx(&t, &out, "\xc0", 1);
		step_rx(&t, &out, block, 258);
	}
	assert_int_equal(out.want, CW_TPDU_DONE);
	assert_int_equal(out.rsp_len, CW_APDU_RSP_MAX);
	for (i = 0; i < 65536; i++)
		assert_int_equal(rsp[i], (uint8_t)(i % 256 + i / 256));
	assert_memory_equal(rsp + 65536, "\x90\x00", 2);
}

/* Three refusals of each of 260 characters: the limit is for one character. */
static void
refusals_do_not_add_up(void **state)
{
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	struct cw_tpdu_ev nack = { .kind = CW_TPDU_EV_NACK };
	size_t len = play_bytes("80d00000ff 42*255", command, sizeof command);
	unsigned int i, k, part;

	(void)state;
	assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp, sizeof rsp,
	    &out), 0);
	for (part = 0; part < 2; part++) {
		unsigned int chars = part == 0 ? 5 : 255;

		for (i = 0; i < chars; i++) {
			for (k = 0; k < CW_T0_REPEAT_MAX; k++) {
				nack.idx = k == 0 && i > 0 ? 1 : 0;
				cw_t0_step(&t, &nack, &out);
				assert_int_equal(out.want, CW_TPDU_SEND);
				assert_int_equal(out.tx_len, chars - i);
			}
		}
		step_sent(&t, &out);
		step_rx(&t, &out, part == 0 ? "\xd0" : "\x90\x00", 1 + part);
	}
	assert_int_equal(out.want, CW_TPDU_DONE);
	assert_int_equal(t.parity_tx_cnt, 3 * 260);
}

/* The counters are a life's, not a command's. */
static void
counters_live_on(void **state)
{
	struct cw_tpdu_ev nack = { .kind = CW_TPDU_EV_NACK, .idx = 4 };
	struct cw_tpdu_ev rx = {
		.kind = CW_TPDU_EV_RX, .len = 2, .bad_cnt = 2,
	};
	struct cw_t0 t = { 0 };
	struct cw_tpdu_out out;
	size_t len = play_bytes("00440000", command, sizeof command);
	unsigned int i;

	(void)state;
	for (i = 1; i <= 3; i++) {
		assert_int_equal(cw_t0_start(&t, &cfg, command, len, rsp,
		    sizeof rsp, &out), 0);
		cw_t0_step(&t, &nack, &out);
		assert_int_equal(out.tx_len, 1);
		step_sent(&t, &out);
		rx.buf = (const uint8_t *)"\x60\x60";
		cw_t0_step(&t, &rx, &out);
		step_rx(&t, &out, "\x90\x00", 2);
		assert_int_equal(out.want, CW_TPDU_DONE);
		assert_int_equal(t.parity_tx_cnt, i);
		assert_int_equal(t.parity_rx_cnt, 2 * i);
		assert_int_equal(t.null_total_cnt, 2 * i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_of_a_write),
		cmocka_unit_test(turns_of_a_read),
		cmocka_unit_test(start_refuses),
		cmocka_unit_test(chain_61_without_end),
		cmocka_unit_test(chain_61_6c_without_end),
		cmocka_unit_test(largest_exchange),
		cmocka_unit_test(refusals_do_not_add_up),
		cmocka_unit_test(counters_live_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
