/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cw/err.h"
#include "t0_play.h"

/*
 * Each path of ISO/IEC 7816-3:2006, 10.3.3 (procedure bytes) and 12.2 (mapping
 * of APDUs onto TPDUs), as the engine must send it and the card may answer it.
 */
static const struct play plays[] = {
	/* 12.2.2 */
	{ .name = "case 1", .apdu = "00440000",
	  .script = ">0044000000<9000", .rsp = "9000" },
	{ .name = "case 1, ACK with no data", .apdu = "00440000",
	  .script = ">0044000000<449000", .rsp = "9000" },
	{ .name = "case 1, 61xx stays", .apdu = "00440000",
	  .script = ">0044000000<6110", .rsp = "6110" },
	{ .name = "case 1, 6Cxx stays", .apdu = "00440000",
	  .script = ">0044000000<6c10", .rsp = "6c10" },

	/* 10.3.3, outgoing data */
	{ .name = "case 2S, all at once", .apdu = "00b0000004",
	  .script = ">00b0000004<b0 01020304 9000", .rsp = "01020304 9000" },
	{ .name = "case 2S, 256", .apdu = "00b0000000",
	  .script = ">00b0000000<b0 5a*256 9000", .rsp = "5a*256 9000" },
	{ .name = "case 2S, byte by byte", .apdu = "00b0000003",
	  .script = ">00b0000003<4f01 4f02 4f03 9000", .rsp = "010203 9000" },
	{ .name = "case 2S, one byte, then the rest", .apdu = "00b0000004",
	  .script = ">00b0000004<4f01 b0020304 9000", .rsp = "01020304 9000" },
	{ .name = "case 2S, NULLs everywhere", .apdu = "00b0000003",
	  .script = ">00b0000003<60 60 4f01 60 b00203 60*9 9000",
	  .rsp = "010203 9000" },
	{ .name = "case 2S, data that look like procedure bytes",
	  .apdu = "00b0000005",
	  .script = ">00b0000005<b0 60b04f6190 9000",
	  .rsp = "60b04f6190 9000" },
	{ .name = "case 2S, ended early", .apdu = "00b0000004",
	  .script = ">00b0000004<4f01 6282", .rsp = "01 6282" },
	{ .name = "case 2S, 67", .apdu = "00b0000004",
	  .script = ">00b0000004<6700", .rsp = "6700" },
	{ .name = "case 2S, SW1 9X", .apdu = "00b0000004",
	  .script = ">00b0000004<9404", .rsp = "9404" },
	{ .name = "case 2S, SW2 60 is no NULL", .apdu = "00b0000001",
	  .script = ">00b0000001<b0ff 6260", .rsp = "ff 6260" },

	/* 12.2.3 */
	{ .name = "2S.3, La < Le", .apdu = "00b0000010",
	  .script = ">00b0000010<6c02>00b0000002<b00102 9000",
	  .rsp = "0102 9000" },
	{ .name = "2S.3, La > Le: the first Le bytes", .apdu = "00b0000002",
	  .script = ">00b0000002<6c04>00b0000004<b001020304 9000",
	  .rsp = "0102 9000" },
	{ .name = "2S.3, La 256", .apdu = "00b0000002",
	  .script = ">00b0000002<6c00>00b0000000<b0 77*256 9000",
	  .rsp = "7777 9000" },
	{ .name = "6Cxx a second time goes to the caller",
	  .apdu = "00b0000002",
	  .script = ">00b0000002<6c04>00b0000004<6c03", .rsp = "6c03" },
	{ .name = "6Cxx after data: they come again", .apdu = "00b0000004",
	  .script = ">00b0000004<4f01 4f02 6c03>00b0000003<b0010203 9000",
	  .rsp = "010203 9000" },
	{ .name = "6Cxx, manual", .apdu = "00b0000010", .manual_get = true,
	  .script = ">00b0000010<6c02", .rsp = "6c02" },
	{ .name = "61xx to case 2 with nothing sent", .apdu = "80f2000000",
	  .script = ">80f2000000<6103>80c0000003<c0010203 9000",
	  .rsp = "010203 9000" },
	{ .name = "61xx to case 2 with all sent stays", .apdu = "00b0000002",
	  .script = ">00b0000002<b00102 6110", .rsp = "0102 6110" },

	/* incoming data */
	{ .name = "case 3S, all at once", .apdu = "00d6000003010203",
	  .script = ">00d6000003<d6>010203<9000", .rsp = "9000" },
	{ .name = "case 3S, byte by byte", .apdu = "00d6000003010203",
	  .script = ">00d6000003<29>01<29>02<29>03<9000", .rsp = "9000" },
	{ .name = "case 3S, one byte, then the rest",
	  .apdu = "00d6000003010203",
	  .script = ">00d6000003<29>01<60 d6>0203<60 60 9000",
	  .rsp = "9000" },
	{ .name = "case 3S, 255", .apdu = "00d60000ff 11*255",
	  .script = ">00d60000ff<d6>11*255<9000", .rsp = "9000" },
	{ .name = "case 3S, refused at once", .apdu = "00d60000021122",
	  .script = ">00d6000002<6982", .rsp = "6982" },
	{ .name = "case 3S, refused half way", .apdu = "00d60000021122",
	  .script = ">00d6000002<29>11<6581", .rsp = "6581" },
	{ .name = "case 3S, GSM error before the data",
	  .apdu = "a0d60000021122",
	  .script = ">a0d6000002<9804", .rsp = "9804" },
	{ .name = "case 3S, 61xx stays", .apdu = "00a40004023f00",
	  .script = ">00a4000402<a4>3f00<611f", .rsp = "611f" },
	{ .name = "case 3S, 9Fxx stays", .apdu = "a0a40000023f00",
	  .script = ">a0a4000002<a4>3f00<9f17", .rsp = "9f17" },
	{ .name = "odd INS", .apdu = "00d70000021122",
	  .script = ">00d7000002<28>11<d7>22<9000", .rsp = "9000" },

	/* 12.2.5 */
	{ .name = "4S.1", .apdu = "00a40004023f0000",
	  .script = ">00a4000402<a4>3f00<6a82", .rsp = "6a82" },
	{ .name = "4S.2, 9000", .apdu = "0088000002aabb04",
	  .script = ">0088000002<88>aabb<9000>00c0000004<c001020304 9000",
	  .rsp = "01020304 9000" },
	{ .name = "4S.2, Le 256, then 6Cxx", .apdu = "0088000002aabb00",
	  .script = ">0088000002<88>aabb<9000>00c0000000<6c02"
	      ">00c0000002<c00102 9000", .rsp = "0102 9000" },
	{ .name = "4S.3", .apdu = "00a40004023f0000",
	  .script = ">00a4000402<a4>3f00<6103>00c0000003<c0010203 9000",
	  .rsp = "010203 9000" },
	{ .name = "4S.3, more than Le", .apdu = "00a40004023f0002",
	  .script = ">00a4000402<a4>3f00<6110>00c0000002<c00102 610e",
	  .rsp = "0102 610e" },
	{ .name = "4S.3, in two", .apdu = "00a40004023f0000",
	  .script = ">00a4000402<a4>3f00<6102>00c0000002<c00102 6101"
	      ">00c0000001<3f03 9000", .rsp = "010203 9000" },
	{ .name = "4S.3, the class of the command", .apdu = "a0a40000023f0000",
	  .script = ">a0a4000002<a4>3f00<6102>a0c0000002<c00102 9000",
	  .rsp = "0102 9000" },
	{ .name = "4S.4", .apdu = "a0a40000023f0000",
	  .script = ">a0a4000002<a4>3f00<9f17", .rsp = "9f17" },
	{ .name = "4S, manual 61xx", .apdu = "00a40004023f0000",
	  .manual_get = true,
	  .script = ">00a4000402<a4>3f00<6103", .rsp = "6103" },
	{ .name = "4S, manual 9000", .apdu = "00a40004023f0000",
	  .manual_get = true,
	  .script = ">00a4000402<a4>3f00<9000", .rsp = "9000" },
	{ .name = "4S, 6Cxx stays", .apdu = "00a40004023f0000",
	  .script = ">00a4000402<a4>3f00<6c10", .rsp = "6c10" },

	/* 12.2.6 */
	{ .name = "2E.1", .apdu = "00b00000000003",
	  .script = ">00b0000003<b0010203 9000", .rsp = "010203 9000" },
	{ .name = "2E.1, 256", .apdu = "00b00000000100",
	  .script = ">00b0000000<b0 01*256 9000", .rsp = "01*256 9000" },
	{ .name = "2E.2, no more than 256", .apdu = "00b00000000200",
	  .script = ">00b0000000<b0 01*256 9000", .rsp = "01*256 9000" },
	{ .name = "2E.2, 6Cxx", .apdu = "00b00000000200",
	  .script = ">00b0000000<6c02>00b0000002<b00102 9000",
	  .rsp = "0102 9000" },
	{ .name = "2E.2, chain to the byte", .apdu = "00b00000000203",
	  .script = ">00b0000000<b0 01*256 6100>00c0000000<c0 02*256 6103"
	      ">00c0000003<c0 03*3 9000", .rsp = "01*256 02*256 03*3 9000" },
	{ .name = "2E.2, chain cut at Le", .apdu = "00b00000000102",
	  .script = ">00b0000000<b0 01*256 6100>00c0000002<c0 0202 61fe",
	  .rsp = "01*256 0202 61fe" },
	{ .name = "2E.2, 67", .apdu = "00b00000000000",
	  .script = ">00b0000000<6700", .rsp = "6700" },

	/* 12.2.7, 12.2.8 */
	{ .name = "3E.1", .apdu = "00d60000000002aabb",
	  .script = ">00d6000002<d6>aabb<9000", .rsp = "9000" },
	{ .name = "3E.2, two ENVELOPEs", .apdu = "00d60000 000100 55*256",
	  .script = ">00c20000ff<c2>00d60000 000100 55*248<9000"
	      ">00c2000008<c2>55*8<9000", .rsp = "9000" },
	{ .name = "3E.2, exactly full ENVELOPEs",
	  .apdu = "80d60000 0001f7 55*503",
	  .script = ">80c20000ff<c2>80d60000 0001f7 55*248<9000"
	      ">80c20000ff<c2>55*255<6581", .rsp = "6581" },
	{ .name = "3E.2, not supported", .apdu = "00d60000 000100 55*256",
	  .script = ">00c20000ff<6d00", .rsp = "6d00" },
	{ .name = "3E.2, refused in the middle",
	  .apdu = "00d60000 000100 55*256",
	  .script = ">00c20000ff<c2>00d60000 000100 55*248<6700",
	  .rsp = "6700" },
	{ .name = "4E.1", .apdu = "00880000000002aabb0102",
	  .script = ">0088000002<88>aabb<6100>00c0000000<c0 01*256 6102"
	      ">00c0000002<c00202 9000", .rsp = "01*256 0202 9000" },
	{ .name = "4E.1, 9000", .apdu = "00880000000002aabb0000",
	  .script = ">0088000002<88>aabb<9000>00c0000000<6c01"
	      ">00c0000001<c007 9000", .rsp = "07 9000" },
	{ .name = "4E.2", .apdu = "00880000 000100 55*256 0003",
	  .script = ">00c20000ff<c2>00880000 000100 55*248<9000"
	      ">00c200000a<c2>55*8 0003<6103>00c0000003<c0010203 9000",
	  .rsp = "010203 9000" },

	/* what breaks the protocol */
	{ .name = "no procedure byte", .apdu = "00b0000004",
	  .script = ">00b0000004<0000", .err = CW_EPROTO },
	{ .name = "INS + 1, as it was before 2006", .apdu = "00d60000021122",
	  .script = ">00d6000002<d7", .err = CW_EPROTO },
	{ .name = "garbage after the data", .apdu = "00b0000002",
	  .script = ">00b0000002<b00102 a5", .err = CW_EPROTO },
	{ .name = "9000 with the data not taken", .apdu = "00d60000021122",
	  .script = ">00d6000002<9000", .err = CW_EPROTO },
	{ .name = "9000 with half of the data taken",
	  .apdu = "00d60000021122",
	  .script = ">00d6000002<29>11<9000", .err = CW_EPROTO },
	{ .name = "61xx with the data not taken", .apdu = "00a40004023f0000",
	  .script = ">00a4000402<6110", .err = CW_EPROTO },
	{ .name = "ENVELOPE's 9000 with the data not taken",
	  .apdu = "00d60000 000100 55*256",
	  .script = ">00c20000ff<9000", .err = CW_EPROTO },
	{ .name = "16 idle ACKs are borne", .apdu = "00440000",
	  .script = ">0044000000<44*8 bb*8 9000", .rsp = "9000" },
	{ .name = "17 are not", .apdu = "00440000",
	  .script = ">0044000000<44*17 9000", .err = CW_EPROTO },
	{ .name = "INS ^ FF forever", .apdu = "00d60000021122",
	  .script = ">00d6000002<29>11<29>22<29*300", .err = CW_EPROTO },
	{ .name = "idle ACKs after outgoing data", .apdu = "00b0000001",
	  .script = ">00b0000001<b007 b0*300", .err = CW_EPROTO },
	{ .name = "NULLs up to the limit", .apdu = "00440000", .null_max = 5,
	  .script = ">0044000000<60*5 9000", .rsp = "9000" },
	{ .name = "one NULL too many", .apdu = "00440000", .null_max = 5,
	  .script = ">0044000000<60*6 9000", .err = CW_ETIMEOUT },
	{ .name = "the limit is for a row", .apdu = "00b0000002",
	  .null_max = 2,
	  .script = ">00b0000002<60*2 4f01 60*2 4f02 60*2 9000",
	  .rsp = "0102 9000" },
	{ .name = "NULL storm without limit", .apdu = "00440000",
	  .script = ">0044000000<60*100000 9000", .rsp = "9000" },
	{ .name = "silence", .apdu = "00440000", .script = ">0044000000",
	  .err = CW_ETIMEOUT },
	{ .name = "silence after SW1", .apdu = "00440000",
	  .script = ">0044000000<90", .err = CW_ETIMEOUT },

	/* room */
	{ .name = "room to the byte", .apdu = "00b0000004", .rsp_cap = 6,
	  .script = ">00b0000004<b0 01020304 9000", .rsp = "01020304 9000" },
	{ .name = "no room for SW2", .apdu = "00b0000004", .rsp_cap = 5,
	  .script = ">00b0000004<b0 01020304 9000", .err = CW_EFULL },
	{ .name = "no room for the data", .apdu = "00b0000004", .rsp_cap = 3,
	  .script = ">00b0000004<b0 01020304 9000", .err = CW_EFULL },
	{ .name = "what exceeds Le needs no room", .apdu = "00b0000002",
	  .rsp_cap = 4,
	  .script = ">00b0000002<6c04>00b0000004<b001020304 9000",
	  .rsp = "0102 9000" },
};

#define PLAY_CNT (sizeof plays / sizeof plays[0])

/* However the line cuts the characters into reads, the end is the same. */
static void
any_chunk(void **state)
{
	static const size_t chunks[] = { 0, 1, 2, 3, 7 };
	size_t i, k;

	(void)state;
	for (i = 0; i < PLAY_CNT; i++) {
		for (k = 0; k < sizeof chunks / sizeof chunks[0]; k++) {
			struct play_opts o = { .chunk = chunks[k] };
			struct play_result r;

			play_run(&plays[i], &o, &r);
			play_assert_end(&plays[i], &r);
		}
	}
}

/* Silence, and a parity error that stays, in each read of each play. */
static void
sweep_receive_faults(void **state)
{
	static const enum play_fault faults[] = { PLAY_TIMEOUT, PLAY_PARITY };
	size_t i, k, at, fired = 0;

	(void)state;
	for (i = 0; i < PLAY_CNT; i++) {
		if (strstr(plays[i].name, "storm") != NULL)
			continue;
		for (k = 0; k < 2; k++) {
			struct play_result r = { .fired = true };

			for (at = 0; r.fired; at++) {
				struct play_opts o = {
					.chunk = 1, .fault = faults[k],
					.at = at,
				};

				play_run(&plays[i], &o, &r);
				if (!r.fired)
					continue;
				fired++;
				assert_int_equal(r.err,
				    k == 0 ? CW_ETIMEOUT : CW_EPARITY);
			}
			play_assert_end(&plays[i], &r);
		}
	}
	assert_true(fired > 1000);
}

/*
 * The card refuses each character of each play 1 to 5 times: up to three
 * repetitions nobody notices, beyond that the card is given up.
 */
static void
sweep_refused_characters(void **state)
{
	size_t i, at, fired = 0;
	unsigned int times;

	(void)state;
	for (i = 0; i < PLAY_CNT; i++) {
		struct play_result r = { .fired = true };

		if (strstr(plays[i].name, "storm") != NULL)
			continue;
		for (at = 0; r.fired; at++) {
			for (times = 1; times <= 5; times++) {
				struct play_opts o = {
					.fault = PLAY_NACK, .at = at,
					.times = times,
				};

				play_run(&plays[i], &o, &r);
				if (!r.fired)
					break;
				fired++;
				if (times <= CW_T0_REPEAT_MAX) {
					play_assert_end(&plays[i], &r);
					assert_int_equal(r.parity_tx_cnt,
					    times);
				} else {
					assert_int_equal(r.err, CW_EPARITY);
					assert_int_equal(r.parity_tx_cnt,
					    CW_T0_REPEAT_MAX + 1);
				}
			}
		}
	}
	assert_true(fired > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_chunk),
		cmocka_unit_test(sweep_receive_faults),
		cmocka_unit_test(sweep_refused_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
